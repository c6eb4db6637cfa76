/* SPDX-License-Identifier: MIT */
#include "turn/turn.h"

#include <sodium.h>
#include <stdlib.h>

#include "tap.h"

#define T0 INT64_C(1800000000)
#define TODAY ((uint32_t)(T0 / 86400))

static struct catalogue cats[2];
static uint8_t host_sk[SECKEY_LEN], host_pk[PUBKEY_LEN];

static void
product(struct catalogue *cat, uint8_t first, uint8_t line, uint8_t level,
    uint32_t threshold)
{
	struct cat_product *p = &cat->products[cat->n_products++];

	memset(p, 0, sizeof(*p));
	p->id[0] = first;
	p->group = 1;
	p->threshold = threshold;
	p->line = line;
	p->level = level;
}

static void
make_host(struct turn_host *host)
{
	uint8_t seed[32] = {5};

	crypto_sign_seed_keypair(host_pk, host_sk, seed);
	memset(cats, 0, sizeof(cats));
	memset(host, 0, sizeof(*host));
	cats[0].head.serial = 7;
	product(&cats[0], 1, 0, 2, 25);
	product(&cats[0], 2, 0, 3, 5);
	product(&cats[0], 3, 1, 1, 5);
	product(&cats[1], 9, 0, 1, 5);
	host->n_publishers = 2;
	host->renewal_min = 10080;
	host->retry_min = 120;
	for (uint32_t i = 0; i < 2; i++) {
		struct turn_publisher *pub = &host->publishers[i];

		pub->id[0] = (uint8_t)(i + 1);
		pub->catalogue = &cats[i];
		pub->host_sk = host_sk;
	}
	host->publishers[0].has_cert = true;
	host->publishers[0].cert = (struct cert){
	    .key_number = 1,
	    .slot = 1,
	    .activation = 1,
	    .lines = 1,
	    .level = 2,
	    .issued_day = TODAY,
	    .issuer = 1,
	};
	memcpy(host->publishers[0].cert.host_pk, host_pk, PUBKEY_LEN);
	cert_encode(&host->publishers[0].cert, host->publishers[0].cert_bytes);
	cert_hash(host->publishers[0].cert_bytes,
	    host->publishers[0].cert_hash);
}

static struct turn_item
request(uint8_t product_first, uint8_t who, int64_t time)
{
	struct turn_item item;

	memset(&item, 0, sizeof(item));
	item.args.product[0] = product_first;
	item.args.cmid[0] = who;
	item.args.nonce[0] = who;
	item.args.time_unix_s = time;
	item.args.threshold = 25;
	(void)!wire_args_encode(&item.args, item.raw, sizeof(item.raw),
	    &item.raw_len);
	return item;
}

/* b6: the first test that fails, in the protocol's order. */
static void
test_b6_precise_status(void)
{
	static const struct {
		const char *why;
		uint8_t product;
		int64_t time;
		enum wire_status want;
	} cases[] = {
	    {"good", 1, T0, WIRE_OK},
	    {"four hours late", 1, T0 - 14400, WIRE_OK},
	    {"a second more", 1, T0 - 14401, WIRE_CLOCK},
	    {"four hours early", 1, T0 + 14400, WIRE_OK},
	    {"a second more ahead", 1, T0 + 14401, WIRE_CLOCK},
	    {"least time", 1, INT64_MIN, WIRE_CLOCK},
	    {"largest time", 1, INT64_MAX, WIRE_CLOCK},
	    {"level above the certificate", 2, T0, WIRE_NOT_COVERED},
	    {"line outside it, clock wrong too", 3, 0, WIRE_NOT_COVERED},
	    {"publisher without certificate", 9, 0, WIRE_HOST_NOT_ACTIVATED},
	    {"in no catalogue", 77, 0, WIRE_UNKNOWN_PRODUCT},
	};
	struct turn_host host;

	make_host(&host);
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		struct turn_item item =
		    request(cases[i].product, 1, cases[i].time);

		printf("# %s\n", cases[i].why);
		is(turn_judge(&host, T0, &item), cases[i].want);
	}
}

static void
test_b6_certificate_in_date(void)
{
	struct turn_item item = request(1, 1, T0);
	struct turn_host host;

	make_host(&host);
	host.publishers[0].cert.expires_day = TODAY;
	is(turn_judge(&host, T0, &item), WIRE_HOST_NOT_ACTIVATED);
	host.publishers[0].cert.expires_day = TODAY + 1;
	is(turn_judge(&host, T0, &item), WIRE_OK);
}

static void
test_b10_intervals_travel_in_the_reply(void)
{
	struct turn_item item = request(1, 1, T0 + 5);
	struct turn_host host;

	make_host(&host);
	is(turn_judge(&host, T0, &item), WIRE_OK);
	is(item.grant.renewal_min, 10080);
	is(item.grant.retry_min, 120);
	is(item.grant.catalogue, 7);
	is(item.grant.issued_unix_s, T0);
	is(item.group, 1);
	is(item.threshold, 25);
}

static void
test_turn_cover(void)
{
	uint8_t id[PUBLISHER_LEN] = {1};
	struct wire_cover cover;
	struct turn_host host;

	make_host(&host);
	turn_cover(&host, id, T0, &cover);
	is(cover.status, WIRE_OK);
	is(cover.host_unix_s, T0);
	is(cover.catalogue, 7);
	ok(memcmp(cover.certificate, host.publishers[0].cert_bytes, 120) == 0);
	id[0] = 2;
	turn_cover(&host, id, T0, &cover);
	is(cover.status, WIRE_HOST_NOT_ACTIVATED);
	id[0] = 3;
	turn_cover(&host, id, T0, &cover);
	is(cover.status, WIRE_UNKNOWN_PRODUCT);
	is(cover.catalogue, 0);
}

static void
test_turn_probe_changes_nothing(void)
{
	struct turn_item item = request(1, 0, T0);
	struct turn_item real = request(1, 8, T0);
	struct turn_chain chain = {.n_superseded = 0}, before = chain;
	struct count count;
	struct turn_host host;
	void *mem = malloc(count_memory(50));

	count_init(&count, mem, 50, 50);
	make_host(&host);
	is(turn_judge(&host, T0, &item), WIRE_OK);
	ok(item.is_probe);
	is(turn_apply(&item, &count, &chain, 1), 0);
	is(item.grant.count, 0);
	is(count.n, 0);
	is(turn_judge(&host, T0, &real), WIRE_OK);
	ok(!real.is_probe);
	is(turn_apply(&real, &count, &before, 1), 0);
	is(turn_apply(&item, &count, &chain, 2), 0);
	is(item.grant.count, 1);
	is(chain.newest[0] | chain.newest[1] | chain.newest[2], 0);
	free(mem);
}

/* The chain told as a story: leaves are letters, 0 is nothing yet. */
static void
test_b5_clone_chain(void)
{
	static const struct {
		const char *why;
		const char *steps; /* previous, leaf; '!' before a clone */
	} cases[] = {
	    {"in order", " 0A AB BC CD"},
	    {"first reply lost", " 0A 0B BC"},
	    {"a reply lost", " 0A AB AC CD"},
	    {"lost twice", " 0A AB AC AD DE"},
	    {"another host in between", " 0A XB BC YD DE"},
	    {"two machines, found at once", " 0A AB AC!BD"},
	    {"and the second too", " 0A AB AC!BD!CE"},
	    {"found within two renewals each", " 0A AB BC BD!CE!DF"},
	    {"found, and a reply of its lost", " 0A AB AC!BD BE"},
	    {"four are remembered", " 0A XB XC XD XE XF!BG"},
	    {"a fifth is forgotten", " 0A XB XC XD XE XF AG"},
	};

	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		struct turn_chain chain;
		unsigned bad = 0;

		memset(&chain, 0, sizeof(chain));
		printf("# %s\n", cases[i].why);
		for (const char *s = cases[i].steps; *s != '\0'; s += 3) {
			uint8_t previous[WIRE_TAG_LEN] = {0};
			uint8_t leaf[WIRE_TAG_LEN] = {0};

			if (s[1] >= 'X') /* from elsewhere, new each time */
				previous[0] =
				    (uint8_t)(200 + (s - cases[i].steps));
			else if (s[1] != '0')
				previous[0] = (uint8_t)s[1];
			leaf[0] = (uint8_t)s[2];
			bad += turn_chain_step(&chain, previous, leaf) !=
			    (s[0] == '!');
		}
		is(bad, 0);
	}
}

/* Each reply verifies; those who named the certificate share signatures. */
static void
test_turn_signs_what_verifies(void)
{
	enum { N = 21 };
	static struct turn_item items[N];
	static struct wire_result results[N];
	struct turn_host host;
	struct turn_chain chain;
	struct count count;
	void *mem = malloc(count_memory(50));
	unsigned n_place = 0, n_distinct = 0;

	count_init(&count, mem, 50, 50);
	make_host(&host);
	for (uint8_t i = 0; i < N; i++) {
		items[i] = request(1, (uint8_t)(i + 1), T0);
		memset(&chain, 0, sizeof(chain));
		if (i % 3 != 0)
			memcpy(items[i].args.known_host,
			    host.publishers[0].cert_hash, WIRE_TAG_LEN);
		is(turn_judge(&host, T0, &items[i]), WIRE_OK);
		is(turn_apply(&items[i], &count, &chain, i + 1U), 0);
		is(items[i].grant.count, i + 1);
	}
	memset(results, 0x5a, sizeof(results)); /* of an earlier turn */
	turn_sign(&host, items, N, results);
	for (size_t i = 0; i < N; i++) {
		uint8_t text[LABEL_LEN + HASH_LEN] = LABEL_ROOT;
		struct wire_place place = results[i].place;

		is(results[i].form, i % 3 != 0);
		is(lease_root(items[i].leaf, &place, text + LABEL_LEN), 0);
		is(label_verify(host_pk, text, sizeof(text),
		       results[i].signature),
		    0);
		n_place += results[i].form;
		n_distinct += i == 1 || i == 0 ||
		    memcmp(results[i].signature, results[i - 1].signature,
		        SIG_LEN) != 0;
	}
	is(n_place, 14);
	ok(n_distinct < N);
	free(mem);
}

/* Two publishers in one turn: nobody's reply is in the other's tree. */
static void
test_turn_publishers_share_no_signature(void)
{
	enum { N = 7 };
	static struct turn_item items[N];
	static struct wire_result results[N];
	struct turn_host host;
	struct count count;
	void *mem = malloc(count_memory(50));

	count_init(&count, mem, 50, 50);
	make_host(&host);
	host.publishers[1].has_cert = true;
	host.publishers[1].cert = host.publishers[0].cert;
	host.publishers[1].cert.key_number = 2;
	cert_encode(&host.publishers[1].cert, host.publishers[1].cert_bytes);
	cert_hash(host.publishers[1].cert_bytes, host.publishers[1].cert_hash);
	for (uint8_t i = 0; i < N; i++) {
		struct turn_chain chain = {.n_superseded = 0};

		items[i] = request(i % 2 == 0 ? 1 : 9, (uint8_t)(i + 1), T0);
		memcpy(items[i].args.known_host,
		    host.publishers[i % 2].cert_hash, WIRE_TAG_LEN);
		is(turn_judge(&host, T0, &items[i]), WIRE_OK);
		is(items[i].publisher, i % 2);
		is(turn_apply(&items[i], &count, &chain, i + 1U), 0);
	}
	turn_sign(&host, items, N, results);
	for (size_t i = 0; i < N; i++) {
		uint8_t text[LABEL_LEN + HASH_LEN] = LABEL_ROOT;

		is(results[i].form, 1);
		is(lease_root(items[i].leaf, &results[i].place,
		       text + LABEL_LEN),
		    0);
		is(label_verify(host_pk, text, sizeof(text),
		       results[i].signature),
		    0);
		/* the same signature as the one before of its publisher */
		if (i >= 2)
			ok(memcmp(results[i].signature,
			       results[i - 2].signature, SIG_LEN) == 0);
		if (i >= 1)
			ok(memcmp(results[i].signature,
			       results[i - 1].signature, SIG_LEN) != 0);
	}
	free(mem);
}

static void
test_turn_cover_without_a_certificate_in_date(void)
{
	uint8_t id[PUBLISHER_LEN] = {1};
	struct wire_cover cover;
	struct turn_host host;

	make_host(&host);
	host.publishers[0].cert.expires_day = TODAY;
	turn_cover(&host, id, T0, &cover);
	is(cover.status, WIRE_HOST_NOT_ACTIVATED);
	is(cover.catalogue, 0);
}

/* A sequence that stands still is refused, and nothing is made of the item. */
static void
test_turn_a_count_that_refuses(void)
{
	struct turn_item item = request(1, 8, T0), next = request(1, 9, T0);
	struct turn_chain chain = {.n_superseded = 0}, fresh = chain,
	                  before = chain;
	uint8_t none[HASH_LEN] = {0};
	struct count count;
	struct turn_host host;
	void *mem = malloc(count_memory(50));

	count_init(&count, mem, 50, 50);
	make_host(&host);
	is(turn_judge(&host, T0, &item), WIRE_OK);
	is(turn_apply(&item, &count, &chain, 5), 0);
	is(turn_judge(&host, T0, &next), WIRE_OK);
	ok(turn_apply(&next, &count, &fresh, 5) != 0);
	ok(memcmp(next.leaf, none, HASH_LEN) == 0);
	ok(memcmp(&fresh, &before, sizeof(before)) == 0);
	is(count.n, 1);
	free(mem);
}

int
main(void)
{
	if (sodium_init() < 0)
		return 1;
	test_b6_precise_status();
	test_b6_certificate_in_date();
	test_b10_intervals_travel_in_the_reply();
	test_turn_cover();
	test_turn_probe_changes_nothing();
	test_b5_clone_chain();
	test_turn_signs_what_verifies();
	test_turn_publishers_share_no_signature();
	test_turn_cover_without_a_certificate_in_date();
	test_turn_a_count_that_refuses();
	return tap_done();
}
