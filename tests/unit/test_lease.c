/* SPDX-License-Identifier: MIT */
#include "lease_fixture.h"

#include <inttypes.h>

#include "base/hex.h"
#include "tap.h"

static struct lf f;

static int
judge(const struct lease *lease)
{
	return lease_judge(lease, &f.facts, f.machine, LF_NOW, 0);
}

static void
test_lease_file_round_trip(void)
{
	struct wire_args args[8];
	struct lease leases[8], back;
	const struct wire_grant grant = lf_grant();
	uint8_t buf[LEASE_FILE_MAX], again[LEASE_FILE_MAX];
	size_t len = 0, len2 = 0;

	for (uint8_t i = 0; i < 8; i++)
		args[i] = lf_args(&f, (uint8_t)(i + 1));
	for (size_t n = 1; n <= 8; n++) {
		lf_leases(&f, args, n, &grant, leases);
		for (size_t i = 0; i < n; i++) {
			is(lease_encode(&leases[i], buf, sizeof(buf), &len), 0);
			is(lease_decode(buf, len, &back), 0);
			is(lease_encode(&back, again, sizeof(again), &len2), 0);
			ok(len == len2 && memcmp(buf, again, len) == 0);
			is(judge(&back), 0);
		}
	}
}

/* All of them, in both forms: no byte may be changed, added or cut. */
static void
test_b34_each_changed_byte_of_a_lease_fails(void)
{
	static const uint8_t flips[] = {0x01, 0x20, 0x80, 0xff};
	struct wire_args args[5];
	struct lease leases[5], bad;
	const struct wire_grant grant = lf_grant();
	uint8_t buf[LEASE_FILE_MAX];
	size_t len = 0;
	unsigned good = 0, tried = 0;

	for (uint8_t i = 0; i < 5; i++)
		args[i] = lf_args(&f, (uint8_t)(i + 1));
	for (size_t n = 1; n <= 5; n += 4) {
		lf_leases(&f, args, n, &grant, leases);
		is(lease_encode(&leases[n - 1], buf, sizeof(buf), &len), 0);
		for (size_t at = 0; at < len; at++) {
			for (size_t k = 0; k < sizeof(flips); k++, tried++) {
				buf[at] ^= flips[k];
				good += lease_decode(buf, len, &bad) == 0 &&
				    judge(&bad) == 0;
				buf[at] ^= flips[k];
			}
		}
		for (size_t cut = 0; cut < len; cut++)
			good += lease_decode(buf, cut, &bad) == 0;
		buf[len] = 0;
		good += lease_decode(buf, len + 1, &bad) == 0;
	}
	is(good, 0);
	ok(tried > 4 * 2 * 350);
}

/* One link broken a case; everything else, signatures included, is right. */
enum broken {
	FINE,
	ZERO_CMID,
	SHORT_RENEWAL,
	LONG_RETRY,
	NEGATIVE_TIME,
	OTHER_PRODUCT,
	NO_PRODUCT,
	NO_ISSUER,
	ISSUER_NUMBER,
	CERT_BY_OTHERS,
	CERT_OF_OTHER_PUBLISHER,
	SIGNED_BY_OTHERS,
	ISSUED_BEFORE,
	ISSUED_AFTER,
	REVOKED,
	CERT_ENDED,
	CERT_BEGINS_LATER,
	LEVEL,
	LINE,
	COUNT,
	FUTURE,
	OVER,
	MACHINE,
	N_BROKEN
};

static const struct {
	const char *why;
	int want;
} links[N_BROKEN] = {
    [FINE] = {"nothing", 0},
    [ZERO_CMID] = {"a probe's reply", MUSTER_E_INVAL},
    [SHORT_RENEWAL] = {"renewal under 15 minutes", MUSTER_E_RANGE},
    [LONG_RETRY] = {"retry over 30 days", MUSTER_E_RANGE},
    [NEGATIVE_TIME] = {"issued before 1970", MUSTER_E_RANGE},
    [OTHER_PRODUCT] = {"the facts are of another product", MUSTER_E_PRODUCT},
    [NO_PRODUCT] = {"product dropped", MUSTER_E_PRODUCT},
    [NO_ISSUER] = {"issuing key dropped", MUSTER_E_ISSUER},
    [ISSUER_NUMBER] = {"issuing key of another number", MUSTER_E_ISSUER},
    [CERT_BY_OTHERS] = {"certificate by a stranger", MUSTER_E_SIG},
    [CERT_OF_OTHER_PUBLISHER] = {"certificate for another publisher",
        MUSTER_E_SIG},
    [SIGNED_BY_OTHERS] = {"lease by a stranger", MUSTER_E_SIG},
    [ISSUED_BEFORE] = {"before the issuing key", MUSTER_E_ISSUED},
    [ISSUED_AFTER] = {"after the issuing key", MUSTER_E_ISSUED},
    [REVOKED] = {"revoked", MUSTER_E_REVOKED},
    [CERT_ENDED] = {"certificate ended", MUSTER_E_ISSUED},
    [CERT_BEGINS_LATER] = {"certificate of two days later", MUSTER_E_ISSUED},
    [LEVEL] = {"level above the certificate's", MUSTER_E_LEVEL},
    [LINE] = {"line outside it", MUSTER_E_LEVEL},
    [COUNT] = {"one below the threshold", MUSTER_E_COUNT},
    [FUTURE] = {"four hours and a second ahead", MUSTER_E_CLOCK},
    [OVER] = {"a second over the validity", MUSTER_E_EXPIRED},
    [MACHINE] = {"another machine's", MUSTER_E_MACHINE},
};

static void
break_cert(struct lf *g, enum broken what)
{
	uint8_t pk[PUBKEY_LEN], sk[SECKEY_LEN];
	uint8_t other[PUBLISHER_LEN] = {8};

	if (what == ISSUED_BEFORE)
		g->cert.issued_day = g->facts.issuer.not_before_day - 1;
	if (what == ISSUED_AFTER)
		g->cert.issued_day = g->facts.issuer.not_after_day + 1;
	if (what == CERT_ENDED)
		g->cert.expires_day = LF_DAY;
	if (what == CERT_BEGINS_LATER)
		g->cert.issued_day = LF_DAY + 2;
	cert_sign(&g->cert, g->publisher, g->issuer_sk);
	lf_keys(77, pk, sk);
	if (what == CERT_BY_OTHERS)
		cert_sign(&g->cert, g->publisher, sk);
	if (what == CERT_OF_OTHER_PUBLISHER)
		cert_sign(&g->cert, other, g->issuer_sk);
	if (what == SIGNED_BY_OTHERS)
		memcpy(g->host_sk, sk, SECKEY_LEN);
}

static void
break_facts(struct lf *g, enum broken what)
{
	g->facts.product.id[0] ^= what == OTHER_PRODUCT;
	g->facts.has_product = what != NO_PRODUCT;
	g->facts.has_issuer = what != NO_ISSUER;
	g->facts.issuer.number += what == ISSUER_NUMBER;
	g->facts.is_revoked = what == REVOKED;
	g->facts.product.level += what == LEVEL;
	g->facts.product.line += what == LINE;
	g->facts.product.threshold += what == COUNT;
}

static void
test_b34_first_link_that_fails_is_named(void)
{
	for (enum broken what = FINE; what < N_BROKEN; what++) {
		struct wire_grant grant = lf_grant();
		struct lf g = f;
		struct wire_args args = lf_args(&g, what != ZERO_CMID);
		struct lease lease;
		int64_t now = LF_NOW;

		printf("# %s\n", links[what].why);
		break_cert(&g, what);
		break_facts(&g, what);
		if (what == SHORT_RENEWAL)
			grant.renewal_min = 14;
		if (what == LONG_RETRY)
			grant.retry_min = 43201;
		if (what == NEGATIVE_TIME)
			grant.issued_unix_s = -1;
		lf_leases(&g, &args, 1, &grant, &lease);
		if (what == FUTURE)
			now -= 4 * 3600 + 1;
		if (what == OVER)
			now += 180 * INT64_C(86400) + 1;
		if (what == MACHINE)
			g.machine[3] ^= 1;
		is(lease_judge(&lease, &g.facts, g.machine, now, 0),
		    links[what].want);
	}
}

/* The same cases at the last value that is still good. */
static void
test_b34_dates_hold_to_their_last_second(void)
{
	const int64_t end = LF_NOW + 180 * INT64_C(86400);
	struct lf g = f;
	struct lease lease = lf_lease(&g, 1);

	is(lease_judge(&lease, &g.facts, g.machine, LF_NOW - 4 * 3600, 0), 0);
	is(lease_judge(&lease, &g.facts, g.machine, end, 0), 0);
	g.cert.expires_day = LF_DAY + 1;
	g.cert.issued_day = LF_DAY + 1; /* a clock a day behind is forgiven */
	cert_sign(&g.cert, g.publisher, g.issuer_sk);
	lease = lf_lease(&g, 1);
	is(lease_judge(&lease, &g.facts, g.machine, LF_NOW, 0), 0);
	/* a certificate that has ended since keeps the leases given */
	is(lease_judge(&lease, &g.facts, g.machine, end, 0), 0);
	g.facts.issuer.not_before_day = LF_DAY + 1;
	g.facts.issuer.not_after_day = LF_DAY + 1;
	is(lease_judge(&lease, &g.facts, g.machine, LF_NOW, 0), 0);
}

static void
test_b35_a_copy_holds_only_where_asked_so(void)
{
	const struct lease lease = lf_lease(&f, 1);
	uint8_t other[WIRE_ID_LEN] = {1};

	is(lease_judge(&lease, &f.facts, other, LF_NOW, 0), MUSTER_E_MACHINE);
	is(lease_judge(&lease, &f.facts, other, LF_NOW, LEASE_ANY_MACHINE), 0);
	is(lease_judge(&lease, &f.facts, NULL, LF_NOW, LEASE_ANY_MACHINE), 0);
}

static void
test_b31_any_count_is_for_replies_only(void)
{
	struct wire_grant grant = lf_grant();
	const struct wire_args args = lf_args(&f, 1);
	struct lease lease;

	grant.retry_min = WIRE_INTERVAL_MIN - 1;
	lf_leases(&f, &args, 1, &grant, &lease);
	is(judge(&lease), MUSTER_E_RANGE);
	grant.retry_min = WIRE_INTERVAL_MIN;
	lf_leases(&f, &args, 1, &grant, &lease);
	is(judge(&lease), 0);
	grant.count = 4;
	lf_leases(&f, &args, 1, &grant, &lease);
	is(judge(&lease), MUSTER_E_COUNT);
	is(lease_judge(&lease, &f.facts, f.machine, LF_NOW, LEASE_ANY_COUNT),
	    0);
}

/* Replies of two sessions share no part that can change places. */
static void
test_b34_mixed_replies_fail(void)
{
	struct wire_args args[2] = {lf_args(&f, 1), lf_args(&f, 2)};
	struct wire_grant grant = lf_grant();
	struct lease one, two, mixed;
	unsigned good = 0;

	lf_leases(&f, &args[0], 1, &grant, &one);
	grant.count = 9;
	grant.issued_unix_s++;
	lf_leases(&f, &args[1], 1, &grant, &two);
	for (unsigned set = 0; set < 64; set++) {
		mixed = one;
		if (set & 1)
			memcpy(mixed.args, two.args, two.args_len);
		if (set & 2)
			mixed.grant.count = two.grant.count;
		if (set & 4)
			mixed.grant.issued_unix_s = two.grant.issued_unix_s;
		if (set & 8)
			memcpy(mixed.signature, two.signature, SIG_LEN);
		if (set & 16) /* a nonce alone */
			mixed.args[32] ^= 1;
		if (set & 32)
			mixed.grant.catalogue++;
		good += judge(&mixed) == 0;
	}
	is(good, 2); /* all of the one, all of the other */
}

static void
test_b34_paths_that_are_not_the_hosts(void)
{
	struct wire_args args[8];
	struct lease leases[8];
	const struct wire_grant grant = lf_grant();
	uint8_t swap[HASH_LEN];

	for (uint8_t i = 0; i < 8; i++)
		args[i] = lf_args(&f, (uint8_t)(i + 1));
	for (size_t n = 2; n <= 8; n++) {
		lf_leases(&f, args, n, &grant, leases);
		for (size_t i = 0; i < n; i++) {
			struct lease bad = leases[i];
			uint32_t depth = bad.place.n_path;

			bad.place.index ^= 1;
			is(judge(&bad), MUSTER_E_SIG);
			bad = leases[i];
			bad.place.index = 1U << depth;
			is(judge(&bad), MUSTER_E_RANGE);
			bad = leases[i];
			bad.place.n_path = 4;
			is(judge(&bad), MUSTER_E_RANGE);
			bad = leases[i];
			bad.place.n_path--;
			bad.place.index &= (1U << (depth - 1)) - 1;
			is(judge(&bad), MUSTER_E_SIG);
			if (depth < 2)
				continue;
			bad = leases[i];
			memcpy(swap, bad.place.path[0], HASH_LEN);
			memcpy(bad.place.path[0], bad.place.path[1], HASH_LEN);
			memcpy(bad.place.path[1], swap, HASH_LEN);
			is(judge(&bad), MUSTER_E_SIG);
		}
	}
}

static void
test_lease_facts_of_a_catalogue(void)
{
	static struct catalogue cat;
	struct lease lease = lf_lease(&f, 1);
	struct lease_facts facts;

	memset(&cat, 0, sizeof(cat));
	memcpy(cat.head.publisher, f.publisher, PUBLISHER_LEN);
	cat.head.serial = 3;
	cat.n_issuers = 1;
	cat.issuers[0] = f.facts.issuer;
	cat.n_products = 1;
	cat.products[0] = f.facts.product;
	cat.n_revocations = 1;
	cat.revocations[0] = (struct cat_revocation){5, 1, 1, 0};
	is(lease_facts(&lease, &cat, &facts), 0);
	ok(facts.has_issuer && facts.has_product && facts.is_revoked);
	is(facts.serial, 3);
	is(lease_judge(&lease, &facts, f.machine, LF_NOW, 0), MUSTER_E_REVOKED);
	cat.revocations[0].day = (uint16_t)(LF_DAY + 1);
	is(lease_facts(&lease, &cat, &facts), 0);
	ok(!facts.is_revoked);
	cat.n_products = cat.n_issuers = 0;
	is(lease_facts(&lease, &cat, &facts), 0);
	ok(!facts.has_issuer && !facts.has_product);
	lease.args_len = 3;
	ok(lease_facts(&lease, &cat, &facts) != 0);
	lease.certificate[5] = 0;
	is(lease_facts(&lease, &cat, &facts), MUSTER_E_PROTO);
}

/*
 * tests/vectors/lease.txt, made by another program: per tree of n leaves
 * "tree n SIGNATURE" and "path n INDEX SIBLING..." .  The host key's seed is
 * 02 and 31 zero bytes; leaf N is 32 bytes of the value N.
 */
static void
test_lease_vectors(const char *path)
{
	FILE *in = fopen(path, "r");
	char line[600], want[600];
	uint8_t leaves[8][HASH_LEN], sig[SIG_LEN];
	struct wire_place places[8];
	uint8_t untouched[sizeof(places[0])];
	unsigned n_lines = 0, bad = 0;

	memset(untouched, 0xee, sizeof(untouched));
	ok(in != NULL);
	for (uint8_t i = 0; i < 8; i++)
		memset(leaves[i], i + 1, HASH_LEN);
	for (size_t n = 1; in != NULL && n <= 8; n++) {
		char hex[2 * SIG_LEN + 1];

		memset(places, 0xee, sizeof(places));
		lease_sign(f.host_sk, (const uint8_t(*)[HASH_LEN])leaves, n,
		    sig, places);
		for (size_t i = n; i < 8; i++) /* behind the last one */
			bad += sodium_memcmp(&places[i], untouched,
			           sizeof(untouched)) != 0;
		hex_encode(sig, SIG_LEN, hex);
		snprintf(want, sizeof(want), "tree %zu %s\n", n, hex);
		bad += fgets(line, sizeof(line), in) == NULL ||
		    strcmp(line, want) != 0;
		for (size_t i = 0; i < n; i++, n_lines++) {
			int at =
			    snprintf(want, sizeof(want), "path %zu %zu", n, i);

			for (uint32_t k = 0; k < places[i].n_path; k++) {
				hex_encode(places[i].path[k], HASH_LEN, hex);
				at += snprintf(want + at,
				    sizeof(want) - (size_t)at, " %s", hex);
			}
			snprintf(want + at, sizeof(want) - (size_t)at, "\n");
			bad += fgets(line, sizeof(line), in) == NULL ||
			    strcmp(line, want) != 0;
		}
	}
	is(bad, 0);
	is(n_lines, 36);
	if (in != NULL) {
		ok(fgets(line, sizeof(line), in) == NULL);
		(void)fclose(in);
	}
}

int
main(int argc, char *argv[])
{
	if (sodium_init() < 0)
		return 1;
	lf_init(&f);
	test_lease_file_round_trip();
	test_b34_each_changed_byte_of_a_lease_fails();
	test_b34_first_link_that_fails_is_named();
	test_b34_dates_hold_to_their_last_second();
	test_b35_a_copy_holds_only_where_asked_so();
	test_b31_any_count_is_for_replies_only();
	test_b34_mixed_replies_fail();
	test_b34_paths_that_are_not_the_hosts();
	test_lease_facts_of_a_catalogue();
	test_lease_vectors(argc > 1 ? argv[1] : "tests/vectors/lease.txt");
	return tap_done();
}
