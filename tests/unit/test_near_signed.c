/* SPDX-License-Identifier: MIT */
/*
 * Near misses of what is signed or proven: certificates, leases, enrolment
 * requests, slot asks, catalogues.  First as formats, by predicates written
 * from the protocol; then with their signatures, where nothing but the message
 * itself may pass.  A verification takes some 50 us, so one mutant a byte is
 * judged so, unless more is asked for.
 *
 * usage: test_near_signed [SEEDS]: of how many all 255 mutants are verified
 */
#include "catalogue_fixture.h"
#include "lease_fixture.h"
#include "near.h"
#include "trust/enrol.h"
#include "trust/slotask.h"

#define FEW 255 /* one mutant a byte */
#define N_SEEDS 50

static struct lf site;
static uint8_t genuine[NEAR_MESSAGE_MAX];
static size_t genuine_len;
static uint64_t dice = 1;

/* splitmix64 */
static uint64_t
next(void)
{
	uint64_t z = (dice += 0x9e3779b97f4a7c15U);

	z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9U;
	z = (z ^ (z >> 27)) * 0x94d049bb133111ebU;
	return z ^ (z >> 31);
}

static void
fill(void *out, size_t len)
{
	uint8_t *p = out;

	for (size_t i = 0; i < len; i++)
		p[i] = (uint8_t)next();
}

static bool
is_genuine(const uint8_t *p, size_t len)
{
	return len == genuine_len && memcmp(p, genuine, len) == 0;
}

static size_t
no_fields(const uint8_t *p, size_t len, size_t *out)
{
	(void)p;
	(void)len;
	(void)out;
	return 0;
}

/* As a format, then as something signed: only the message itself. */
static void
around(const struct near_format *format, const struct near_format *trusted,
    const uint8_t *msg, size_t len, bool is_full)
{
	struct near_format f = *trusted;

	if (format != NULL)
		near_around(format, msg, len);
	memcpy(genuine, msg, len);
	genuine_len = len;
	f.step = is_full ? 1 : FEW;
	near_around(&f, msg, len);
}

/* Certificates: 120 bytes. */
static bool
cert_is_right(const uint8_t *p, size_t len)
{
	return len == 120 && p[4] != 0 && p[5] != 0 && near_zero(p + 6, 4) &&
	    near_u32(p + 52) >= 1 && near_u32(p + 52) <= 255 &&
	    label_key_is_good(p + 20);
}

static enum near_verdict
cert_is_same(const uint8_t *p, size_t len)
{
	uint8_t back[CERT_LEN];
	struct cert cert;

	if (len != CERT_LEN || cert_decode(p, &cert) != 0)
		return NEAR_REFUSED;
	cert_encode(&cert, back);
	return memcmp(back, p, len) == 0 ? NEAR_ACCEPTED : NEAR_OTHER;
}

static enum near_verdict
cert_is_trusted(const uint8_t *p, size_t len)
{
	struct cert cert;

	if (cert_is_same(p, len) != NEAR_ACCEPTED ||
	    cert_decode(p, &cert) != 0 ||
	    cert_verify(&cert, site.publisher, site.issuer_pk) != 0)
		return NEAR_REFUSED;
	return NEAR_ACCEPTED;
}

static size_t
cert_fields(const uint8_t *p, size_t len, size_t *out)
{
	static const size_t at[] = {0, 4, 8, 12, 16, 52};

	(void)p;
	(void)len;
	memcpy(out, at, sizeof(at));
	return 6;
}

static void
test_b34_near_certificates(unsigned n_full)
{
	static const struct near_format f = {"certificates", cert_is_same,
	    cert_is_right, cert_fields, 1};
	static const struct near_format t = {"signed certificates",
	    cert_is_trusted, is_genuine, no_fields, FEW};
	uint8_t msg[CERT_LEN];

	for (unsigned i = 0; i < N_SEEDS; i++) {
		struct cert cert = site.cert;

		cert.key_number = (uint32_t)next();
		cert.slot = (uint8_t)(1 + next() % 255);
		cert.activation = (uint8_t)(1 + next() % 255);
		cert.lines = (uint8_t)next();
		cert.level = (uint8_t)next();
		cert.issued_day = (uint32_t)next();
		cert.expires_day = i % 2 == 0 ? 0 : (uint32_t)next();
		cert.issuer = 1 + i * 5;
		cert_sign(&cert, site.publisher, site.issuer_sk);
		cert_encode(&cert, msg);
		around(&f, &t, msg, CERT_LEN, i < n_full);
	}
	near_done(&f, N_SEEDS);
}

/* Lease files. */
static bool
lease_is_right(const uint8_t *p, size_t len)
{
	size_t n, at;
	uint32_t path;

	if (len < 16 || memcmp(p, "MUSTERL1", 8) != 0 || near_u32(p + 8) != 1 ||
	    near_u32(p + 12) > 204)
		return false;
	n = near_u32(p + 12);
	at = 16 + (n + 3) / 4 * 4;
	if (len < at + 96 || !near_zero(p + 16 + n, at - 16 - n))
		return false;
	path = near_u32(p + at + 92);
	return path <= 3 && near_u32(p + at + 88) < 1U << path &&
	    len == at + 96 + 32 * path + 120;
}

static enum near_verdict
lease_is_same(const uint8_t *p, size_t len)
{
	uint8_t back[LEASE_FILE_MAX];
	struct lease lease;
	size_t n = 0;

	if (lease_decode(p, len, &lease) != 0)
		return NEAR_REFUSED;
	return lease_encode(&lease, back, sizeof(back), &n) == 0 && n == len &&
	        memcmp(back, p, n) == 0
	    ? NEAR_ACCEPTED
	    : NEAR_OTHER;
}

static enum near_verdict
lease_is_trusted(const uint8_t *p, size_t len)
{
	struct lease lease;

	if (lease_decode(p, len, &lease) != 0 ||
	    lease_judge(&lease, &site.facts, site.machine, LF_NOW,
	        LEASE_ANY_COUNT) != 0)
		return NEAR_REFUSED;
	return NEAR_ACCEPTED;
}

static size_t
lease_fields(const uint8_t *p, size_t len, size_t *out)
{
	size_t at = 16 + (near_u32(p + 12) + 3) / 4 * 4;

	(void)len;
	out[0] = 8;
	out[1] = 12;
	out[2] = at;
	out[3] = at + 88;
	out[4] = at + 92;
	return 5;
}

static void
test_b35_near_leases(unsigned n_full)
{
	static const struct near_format f = {"leases", lease_is_same,
	    lease_is_right, lease_fields, 1};
	static const struct near_format t = {"signed leases", lease_is_trusted,
	    is_genuine, no_fields, FEW};
	struct lease leases[LEASE_TREE_MAX];
	uint8_t msg[LEASE_FILE_MAX];

	for (unsigned i = 0; i < N_SEEDS; i++) {
		struct wire_args args[LEASE_TREE_MAX];
		struct wire_grant grant = lf_grant();
		unsigned n = 1 + i % LEASE_TREE_MAX;
		size_t len = 0;

		grant.count = (uint32_t)next();
		for (unsigned k = 0; k < n; k++) {
			args[k] = lf_args(&site, (uint8_t)(k + 1));
			fill(args[k].nonce, WIRE_ID_LEN);
			memset(args[k].name, 'a' + (int)k, i * 2);
		}
		lf_leases(&site, args, n, &grant, leases);
		if (lease_encode(&leases[i % n], msg, sizeof(msg), &len) != 0)
			abort();
		around(&f, &t, msg, len, i < n_full);
	}
	near_done(&f, N_SEEDS);
}

/* Enrolment requests: signature and proof. */
static enum near_verdict
enrol_is_trusted(const uint8_t *p, size_t len)
{
	static const uint8_t pk[HOSTKEY_PK_LEN] = {8};
	struct enrol e;

	return enrol_decode(p, len, &e) == 0 && enrol_prove(p, len, pk) == 0
	    ? NEAR_ACCEPTED
	    : NEAR_REFUSED;
}

static void
test_b40_near_enrolments(unsigned n_full)
{
	static const uint8_t pk[HOSTKEY_PK_LEN] = {8};
	static const struct near_format t = {"enrolment requests",
	    enrol_is_trusted, is_genuine, no_fields, FEW};
	uint8_t msg[ENROL_MAX];

	for (unsigned i = 0; i < N_SEEDS; i++) {
		struct enrol e = {.key_number = (uint32_t)next(),
		    .counter = (uint8_t)next(),
		    .replaces = (uint8_t)next()};
		size_t len = 0;

		fill(e.publisher, PUBLISHER_LEN);
		memcpy(e.host_pk, site.host_pk, PUBKEY_LEN);
		memset(e.name, 'h', i * 13 % (ENROL_NAME_MAX + 1));
		if (enrol_encode(&e, pk, site.host_sk, msg, sizeof(msg),
		        &len) != 0)
			abort();
		around(NULL, &t, msg, len, i < n_full);
	}
	near_done(&t, N_SEEDS);
}

/* Slot asks: the proof is BLAKE2b, so all mutants are judged. */
static bool
ask_is_right(const uint8_t *p, size_t len)
{
	uint32_t act, slot, activation;

	if (len != 84 || memcmp(p, "MUSTERQ1", 8) != 0 || near_u32(p + 8) != 1)
		return false;
	act = near_u32(p + 32);
	slot = near_u32(p + 36);
	activation = near_u32(p + 40);
	/* 253402300799, the last second of 9999, is 0x3a_fff4417f */
	if (near_u32(p + 44) > 0x3a ||
	    (near_u32(p + 44) == 0x3a && near_u32(p + 48) > 0xfff4417f))
		return false;
	return (act == 1 && slot == 0 && activation == 0) ||
	    (act == 2 && slot >= 1 && slot <= 255 && activation >= 1 &&
	        activation <= 255);
}

static enum near_verdict
ask_is_same(const uint8_t *p, size_t len)
{
	static const uint8_t pk[HOSTKEY_PK_LEN] = {8};
	uint8_t back[SLOTASK_LEN];
	struct slotask a;

	if (slotask_decode(p, len, &a) != 0)
		return NEAR_REFUSED;
	slotask_encode(&a, pk, back);
	return memcmp(back, p, SLOTASK_LEN - HOSTKEY_PROOF_LEN) == 0
	    ? NEAR_ACCEPTED
	    : NEAR_OTHER;
}

static enum near_verdict
ask_is_trusted(const uint8_t *p, size_t len)
{
	static const uint8_t pk[HOSTKEY_PK_LEN] = {8};
	struct slotask a;

	return slotask_decode(p, len, &a) == 0 && slotask_prove(p, len, pk) == 0
	    ? NEAR_ACCEPTED
	    : NEAR_REFUSED;
}

static size_t
ask_fields(const uint8_t *p, size_t len, size_t *out)
{
	(void)p;
	(void)len;
	for (size_t i = 0; i < 6; i++)
		out[i] = i == 0 ? 8 : 28 + 4 * i;
	return 6;
}

static void
test_b45_near_slot_asks(void)
{
	static const uint8_t pk[HOSTKEY_PK_LEN] = {8};
	static const struct near_format f = {"slot asks", ask_is_same,
	    ask_is_right, ask_fields, 1};
	static const struct near_format t = {"proven slot asks", ask_is_trusted,
	    is_genuine, no_fields, 1};
	static const int64_t times[] = {0, 1, INT64_C(253402300799), LF_NOW};
	uint8_t msg[SLOTASK_LEN];

	for (unsigned i = 0; i < N_SEEDS; i++) {
		struct slotask a = {.act = SLOTASK_LIST,
		    .key_number = (uint32_t)next(),
		    .asked_unix_s = times[i % 4]};

		fill(a.publisher, PUBLISHER_LEN);
		if (i % 3 != 0) {
			a.act = SLOTASK_RELEASE;
			a.slot = (uint8_t)(1 + i * 5);
			a.activation = (uint8_t)(255 - i * 5);
		}
		slotask_encode(&a, pk, msg);
		around(&f, &t, msg, SLOTASK_LEN, true);
	}
	near_done(&f, N_SEEDS);
}

/* Catalogues: nothing passes but the file itself; signed again, what passes
 * has one encoding. */
static enum near_verdict
cat_is_trusted(const uint8_t *p, size_t len)
{
	const struct bytes mem = {.p = p, .len = len};
	const struct cat_source src = cat_memory_source(&mem);
	struct cat_head head;

	return cat_read(&src, NULL, NULL, &head) == 0 ? NEAR_ACCEPTED
	                                              : NEAR_REFUSED;
}

static void
signed_again(const uint8_t *msg, size_t len, unsigned step)
{
	static uint8_t mutant[NEAR_MESSAGE_MAX];
	unsigned long n = 0, n_accepted = 0, n_other = 0;

	for (size_t i = CAT_HEADER_LEN + PUBKEY_LEN; i < len - SIG_LEN; i++) {
		for (unsigned x = 1; x < 256; x += step) {
			size_t back_len = 0;

			memcpy(mutant, msg, len);
			mutant[i] ^= (uint8_t)x;
			sign_again(mutant, len);
			n++;
			if (load(mutant, len) != 0)
				continue;
			n_accepted++;
			if (cat_encode(&got, root_sk, buf, sizeof(buf),
			        &back_len) != 0 ||
			    back_len != len || memcmp(buf, mutant, len) != 0)
				n_other++;
		}
	}
	if (n_other != 0 || n_accepted == 0 || n_accepted == n)
		near_sum.n_wrong++;
	printf("# catalogues, signed again: %lu, %lu accepted, %lu of them in "
	       "another encoding\n",
	    n, n_accepted, n_other);
}

static void
test_b44_near_catalogues(unsigned n_full)
{
	static const struct near_format t = {"catalogues", cat_is_trusted,
	    is_genuine, no_fields, 255};
	static uint8_t msg[CAT_FILE_MAX];

	for (unsigned i = 0; i < N_SEEDS; i++) {
		size_t len = 0;

		small(&cat);
		cat.n_issuers = cat.n_revocations = 1 + i % 2;
		cat.head.serial = (uint32_t)next();
		memset(cat.products[0].name, 'p', 1 + i % CAT_NAME_MAX);
		if (cat_encode(&cat, root_sk, msg, sizeof(msg), &len) != 0)
			abort();
		around(NULL, &t, msg, len, i < n_full);
		if (i == 0 || i < n_full)
			signed_again(msg, len, n_full > 0 ? 1 : 64);
	}
	near_done(&t, N_SEEDS);
}

int
main(int argc, char **argv)
{
	unsigned n = argc < 2 ? 0 : (unsigned)strtoul(argv[1], NULL, 10);

	if (fixture_keys() < 0)
		return 1;
	lf_init(&site);
	test_b34_near_certificates(n);
	test_b35_near_leases(n);
	test_b40_near_enrolments(n);
	test_b45_near_slot_asks();
	test_b44_near_catalogues(n);
	return tap_done();
}
