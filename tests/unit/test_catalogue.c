/* SPDX-License-Identifier: MIT */
#include "catalogue_fixture.h"

/* Offsets in the file of small(). */
#define OFF_PK 16
#define OFF_NAME 48
#define OFF_TIME 80
#define OFF_ISSUERS 88
#define OFF_GROUPS 180
#define OFF_PRODUCTS 208
#define OFF_REVOCATIONS 364
#define OFF_AUDIT 384
#define SMALL_LEN 488

static uint8_t again[CAT_FILE_MAX];

static size_t
encode_small(void)
{
	size_t len = 0;

	small(&cat);
	is(cat_encode(&cat, root_sk, buf, CAT_FILE_MAX, &len), 0);
	return len;
}

static void
test_catalogue_layout(void)
{
	static const uint8_t head[] = {'M', 'U', 'S', 'T', 'E', 'R', 'C', '1',
	    0, 0, 0, 1, 0, 0, 1, 0x98};
	static const uint8_t strings[] = {0, 0, 0, 4, 'A', 'c', 'm', 'e', 0, 0,
	    0, 12};
	static const uint8_t revs[] = {0, 0, 0, 2, 0, 0, 0, 5, 1, 1, 0, 100, 0,
	    0, 0, 5, 1, 1, 0, 101, 0, 0, 0, 0, 0, 0, 0, 99, 0xaa};
	uint8_t hash[64], text[64] = "muster/cat/1";

	is(encode_small(), SMALL_LEN);
	ok(memcmp(buf, head, sizeof(head)) == 0);
	ok(memcmp(buf + OFF_PK, root_pk, PUBKEY_LEN) == 0);
	ok(memcmp(buf + OFF_NAME, strings, sizeof(strings)) == 0);
	ok(memcmp(buf + OFF_REVOCATIONS, revs, sizeof(revs)) == 0);
	/* The signed text, put together by hand. */
	(void)crypto_generichash(hash, 32, root_pk, 32, NULL, 0);
	memcpy(text + 16, hash, 16);
	(void)crypto_generichash(text + 32, 32, buf, SMALL_LEN - SIG_LEN, NULL,
	    0);
	is(crypto_sign_verify_detached(buf + SMALL_LEN - SIG_LEN, text, 64,
	       root_pk),
	    0);
}

static void
test_catalogue_every_flipped_bit_fails(void)
{
	size_t len = encode_small();

	for (size_t i = 0; i < len; i++) {
		unsigned passed = 0;

		for (unsigned bit = 0; bit < 8; bit++) {
			buf[i] ^= (uint8_t)(1U << bit);
			passed += load(buf, len) == 0;
			buf[i] ^= (uint8_t)(1U << bit);
		}
		is(passed, 0);
	}
	is(load(buf, len), 0);
}

static void
test_catalogue_every_truncation_fails(void)
{
	size_t len = encode_small();

	for (size_t n = 0; n < len; n++)
		is(load(buf, n), MUSTER_E_TRUNC);
	memset(buf + len, 0, 9);
	for (size_t n = len + 1; n < len + 9; n++)
		is(load(buf, n), MUSTER_E_PROTO);
}

/* Cut or lengthened, and well signed all the same. */
static void
test_catalogue_signed_wrong_length_fails(void)
{
	size_t len = encode_small();

	for (size_t n = 112; n < len; n++) {
		memcpy(again, buf, len);
		sign_again(again, n);
		is(load(again, n), MUSTER_E_TRUNC);
	}
	for (size_t n = len + 1; n < len + 9; n++) {
		memcpy(again, buf, len);
		memset(again + len - SIG_LEN, 0, 80);
		sign_again(again, n);
		is(load(again, n), MUSTER_E_PROTO);
	}
	memset(buf + len - SIG_LEN, 0, 8192);
	sign_again(buf, len + 8000);
	is(load(buf, len + 8000), MUSTER_E_PROTO);
}

/* Words put into the small file, one rule a case. */
static const struct {
	size_t off;
	uint32_t word;
	int err;
} strict_cases[] = {
    {0, 0x6d555354, MUSTER_E_PROTO},            /* magic */
    {4, 0x45524330, MUSTER_E_PROTO},            /* an older one */
    {8, 0, MUSTER_E_PROTO},                     /* version */
    {8, 2, MUSTER_E_PROTO},                     /* to come */
    {OFF_NAME, 0, MUSTER_E_RANGE},              /* no name */
    {OFF_NAME, 65, MUSTER_E_TOOBIG},            /* long name */
    {OFF_NAME, 3, MUSTER_E_PROTO},              /* padding */
    {OFF_NAME + 4, 0x41636d00, MUSTER_E_RANGE}, /* NUL */
    {OFF_NAME + 4, 0x410a6d65, MUSTER_E_RANGE}, /* C0 */
    {OFF_NAME + 4, 0x411f6d65, MUSTER_E_RANGE},
    {OFF_NAME + 4, 0x7f636d65, MUSTER_E_RANGE}, /* DEL */
    {OFF_NAME + 4, 0x41c28565, MUSTER_E_RANGE}, /* C1 */
    {OFF_NAME + 4, 0x41c29f65, MUSTER_E_RANGE},
    {OFF_NAME + 4, 0x41c2a065, 0},
    {OFF_NAME + 4, 0x41808065, MUSTER_E_RANGE}, /* no start */
    {OFF_NAME + 4, 0x41c0af65, MUSTER_E_RANGE}, /* overlong */
    {OFF_NAME + 4, 0x41e09fbf, MUSTER_E_RANGE},
    {OFF_NAME + 4, 0x41e0a080, 0},
    {OFF_NAME + 4, 0xf08fbfbf, MUSTER_E_RANGE},
    {OFF_NAME + 4, 0xf0908080, 0},
    {OFF_NAME + 4, 0x41eda080, MUSTER_E_RANGE}, /* surrogate */
    {OFF_NAME + 4, 0x41edbfbf, MUSTER_E_RANGE},
    {OFF_NAME + 4, 0xf48fbfbf, 0},
    {OFF_NAME + 4, 0xf4908080, MUSTER_E_RANGE}, /* over 10ffff */
    {OFF_NAME + 4, 0xf5808080, MUSTER_E_RANGE},
    {OFF_NAME + 4, 0x4141e282, MUSTER_E_RANGE}, /* cut */
    {OFF_NAME + 4, 0x41e24182, MUSTER_E_RANGE},
    {OFF_NAME + 8, 201, MUSTER_E_TOOBIG},   /* URL */
    {72, 501, MUSTER_E_TOOBIG},             /* contact */
    {OFF_TIME, 0x80000000, MUSTER_E_RANGE}, /* time */
    {OFF_TIME, 0x0000003b, MUSTER_E_RANGE},
    {OFF_ISSUERS, 33, MUSTER_E_TOOBIG},
    {OFF_ISSUERS + 4, 0, MUSTER_E_RANGE},
    {OFF_ISSUERS + 4, 2, MUSTER_E_PROTO}, /* twice */
    {OFF_ISSUERS + 4, 3, MUSTER_E_PROTO}, /* order */
    {OFF_ISSUERS + 48, 255, 0},
    {OFF_ISSUERS + 48, 256, MUSTER_E_RANGE},
    {OFF_ISSUERS + 40, 21000, 0},
    {OFF_ISSUERS + 40, 21001, MUSTER_E_RANGE}, /* ends first */
    {OFF_GROUPS, 65, MUSTER_E_TOOBIG},
    {OFF_GROUPS + 4, 11, MUSTER_E_PROTO}, /* twice */
    {OFF_GROUPS + 4, 12, MUSTER_E_PROTO}, /* order */
    {OFF_GROUPS + 4, 9, MUSTER_E_RANGE},  /* its product's gone */
    {OFF_GROUPS + 8, 0, MUSTER_E_RANGE},  /* no name */
    {OFF_GROUPS + 12, 0x44657301, MUSTER_E_RANGE},
    {OFF_PRODUCTS, 1025, MUSTER_E_TOOBIG},
    {OFF_PRODUCTS + 4, 0x01010102, MUSTER_E_RANGE}, /* key of another id */
    {OFF_PRODUCTS + 20, 0, MUSTER_E_RANGE},         /* no name */
    {OFF_PRODUCTS + 24, 0x0a657301, MUSTER_E_RANGE},
    {OFF_PRODUCTS + 28, 12, MUSTER_E_RANGE}, /* group */
    {OFF_PRODUCTS + 28, 11, 0},
    {OFF_PRODUCTS + 32, 0, 0}, /* class */
    {OFF_PRODUCTS + 32, 2, MUSTER_E_PROTO},
    {OFF_PRODUCTS + 36, 0, MUSTER_E_RANGE}, /* threshold */
    {OFF_PRODUCTS + 36, 1, 0},
    {OFF_PRODUCTS + 36, 100000, 0},
    {OFF_PRODUCTS + 36, 100001, MUSTER_E_RANGE},
    {OFF_PRODUCTS + 40, 0, 0}, /* line */
    {OFF_PRODUCTS + 40, 7, 0},
    {OFF_PRODUCTS + 40, 8, MUSTER_E_RANGE},
    {OFF_PRODUCTS + 40, 256, MUSTER_E_RANGE},
    {OFF_PRODUCTS + 44, 0, MUSTER_E_RANGE}, /* level */
    {OFF_PRODUCTS + 44, 255, 0},
    {OFF_PRODUCTS + 44, 257, MUSTER_E_RANGE},
    {OFF_PRODUCTS + 48, 0, MUSTER_E_RANGE}, /* validity */
    {OFF_PRODUCTS + 48, 3660, 0},
    {OFF_PRODUCTS + 48, 3661, MUSTER_E_RANGE},
    {OFF_PRODUCTS + 52, 365, 0}, /* initial grace */
    {OFF_PRODUCTS + 52, 366, MUSTER_E_RANGE},
    {OFF_PRODUCTS + 56, 365, 0}, /* lapse grace */
    {OFF_PRODUCTS + 56, 366, MUSTER_E_RANGE},
    {OFF_PRODUCTS + 60, 0xffffffff, 0}, /* rearms */
    {OFF_PRODUCTS + 64, 0, MUSTER_E_RANGE},
    {OFF_REVOCATIONS, 4097, MUSTER_E_TOOBIG},
    {OFF_REVOCATIONS + 4, 6, MUSTER_E_PROTO},          /* order */
    {OFF_REVOCATIONS + 8, 0x01010065, MUSTER_E_PROTO}, /* twice */
    {OFF_REVOCATIONS + 8, 0x00010064, MUSTER_E_RANGE}, /* slot 0 */
    {OFF_REVOCATIONS + 8, 0x00000064, 0},
    {OFF_REVOCATIONS + 8, 0x01000064, 0},
    {OFF_REVOCATIONS, 1, MUSTER_E_PROTO}, /* left over */
    {OFF_AUDIT, 0xffffffff, 0},
};

static void
test_catalogue_strict(void)
{
	size_t n = sizeof(strict_cases) / sizeof(strict_cases[0]);

	for (size_t i = 0; i < n; i++) {
		size_t len = encode_small();
		struct wr w = wr_init(buf + strict_cases[i].off, 4);

		wr_u32(&w, strict_cases[i].word);
		sign_again(buf, len);
		if (!is(load(buf, len), strict_cases[i].err))
			printf("# case %zu\n", i);
	}
}

static void
test_catalogue_keys(void)
{
	const struct bytes mem = {.p = buf, .len = SMALL_LEN};
	const struct cat_source src = cat_memory_source(&mem);
	struct cat_head head = {.serial = 1234};
	uint8_t id[PUBLISHER_LEN];

	(void)encode_small();
	label_publisher(root_pk, id);
	is(cat_read(&src, id, NULL, &head), 0);
	ok(memcmp(head.publisher, id, PUBLISHER_LEN) == 0);
	is(head.serial, 7);
	head.serial = 1234;
	id[15] ^= 1;
	is(cat_read(&src, id, NULL, &head), MUSTER_E_PUBLISHER);
	is(head.serial, 1234);
	/* An issuing key of small order, well signed. */
	memset(buf + OFF_ISSUERS + 8, 0, PUBKEY_LEN);
	sign_again(buf, SMALL_LEN);
	is(cat_read(&src, NULL, NULL, &head), MUSTER_E_KEY);
	buf[SMALL_LEN - 1] ^= 1;
	is(cat_read(&src, NULL, NULL, &head), MUSTER_E_SIG);
	memset(buf + OFF_PK, 0, PUBKEY_LEN);
	is(cat_read(&src, NULL, NULL, &head), MUSTER_E_KEY);
	is(head.serial, 1234);
}

/* One reader may leave setup keys to the root key's signature. */
static void
test_catalogue_setup_keys_may_be_skipped(void)
{
	const struct bytes mem = {.p = buf, .len = SMALL_LEN};
	const struct cat_source src = cat_memory_source(&mem);
	const struct cat_sink skips = {.skips_setup_keys = true};
	const struct cat_sink derives = {.skips_setup_keys = false};
	struct cat_head head;

	(void)encode_small();
	is(cat_read(&src, NULL, &skips, &head), 0);
	is(cat_read(&src, NULL, &derives, &head), 0);
	buf[OFF_PRODUCTS + 64] ^= 1;
	sign_again(buf, SMALL_LEN);
	is(cat_read(&src, NULL, &skips, &head), 0);
	is(cat_read(&src, NULL, &derives, &head), MUSTER_E_RANGE);
	/* and nothing else is left out */
	buf[OFF_PRODUCTS + 28 + 3] = 99;
	sign_again(buf, SMALL_LEN);
	is(cat_read(&src, NULL, &skips, &head), MUSTER_E_RANGE);
}

/* A source that fails at one of its reads. */
struct failing {
	struct cat_source from;
	unsigned reads, fail_at;
	unsigned large; /* reads over CAT_PIECE */
};

static int
failing_read(void *arg, uint64_t off, uint8_t *out, size_t len)
{
	struct failing *f = arg;
	int err = MUSTER_E_IO;

	f->large += len > CAT_PIECE;
	if (++f->reads != f->fail_at)
		err = f->from.read(f->from.arg, off, out, len);
	return err;
}

static void
test_catalogue_source_errors(void)
{
	const struct bytes mem = {.p = buf, .len = SMALL_LEN};
	struct failing f = {.from = cat_memory_source(&mem)};
	const struct cat_source src = {.read = failing_read,
	    .arg = &f,
	    .len = SMALL_LEN};
	unsigned reads;

	(void)encode_small();
	is(cat_load(&src, NULL, &got), 0);
	reads = f.reads;
	ok(reads >= 2); /* the one piece, then its body again */
	for (unsigned i = 1; i <= reads; i++) {
		f.reads = 0;
		f.fail_at = i;
		is(cat_load(&src, NULL, &got), MUSTER_E_IO);
	}
	is(f.large, 0);
}

static void
test_catalogue_memory_source_is_bounded(void)
{
	static const uint8_t text[4] = {1, 2, 3, 4};
	const struct bytes mem = {.p = text, .len = sizeof(text)};
	const struct cat_source src = cat_memory_source(&mem);
	uint8_t out[4] = {0};

	is(src.len, 4);
	is(src.read(src.arg, 1, out, 3), 0);
	ok(memcmp(out, text + 1, 3) == 0);
	is(src.read(src.arg, 4, out, 0), 0);
	is(src.read(src.arg, 2, out, 3), MUSTER_E_TRUNC);
	is(src.read(src.arg, 5, out, 0), MUSTER_E_TRUNC);
	is(src.read(src.arg, UINT64_MAX, out, 2), MUSTER_E_TRUNC);
}

static void
test_catalogue_lookups(void)
{
	uint8_t id[PRODUCT_LEN];

	small(&cat);
	memset(id, 2, sizeof(id));
	ok(cat_product(&cat, id) == &cat.products[1]);
	id[15] = 3;
	ok(cat_product(&cat, id) == NULL);
	ok(cat_issuer(&cat, 1) == &cat.issuers[0]);
	ok(cat_issuer(&cat, 2) == &cat.issuers[1]);
	ok(cat_issuer(&cat, 3) == NULL);
	cat.n_issuers = 1;
	ok(cat_issuer(&cat, 2) == NULL);
}

static void
test_catalogue_revocation_hits(void)
{
	static const struct {
		struct cat_revocation rev;
		bool hits; /* key 5, slot 2, activation 3, day 100 */
	} cases[] = {
	    {{5, 2, 3, 0}, true},
	    {{5, 2, 3, 100}, true},
	    {{5, 2, 3, 99}, true},
	    {{5, 2, 3, 101}, false},
	    {{5, 2, 0, 0}, true},
	    {{5, 0, 0, 100}, true},
	    {{5, 0, 0, 101}, false},
	    {{6, 2, 3, 0}, false},
	    {{6, 0, 0, 0}, false},
	    {{5, 1, 3, 0}, false},
	    {{5, 1, 0, 0}, false},
	    {{5, 2, 4, 0}, false},
	};

	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++)
		is(cat_revocation_hits(&cases[i].rev, 5, 2, 3, 100),
		    cases[i].hits);
}

/* A product that two publishers name, by id or by setup key. */
static void
test_b9_catalogues_that_clash(void)
{
	static struct catalogue other;

	small(&cat);
	small(&other);
	ok(cat_clash(&cat, &other) == &cat.products[0]);
	other.products[0] = product_of(8, 10);
	other.products[1] = product_of(9, 10);
	ok(cat_clash(&cat, &other) == NULL);
	memcpy(other.products[1].id, cat.products[1].id, PRODUCT_LEN);
	ok(cat_clash(&cat, &other) == &cat.products[1]);
	other.products[1] = product_of(9, 10);
	memcpy(other.products[1].setup_key, cat.products[1].setup_key,
	    CAT_KEY_LEN);
	ok(cat_clash(&cat, &other) == &cat.products[1]);
	cat.n_products = 1;
	ok(cat_clash(&cat, &other) == NULL);
	cat.n_products = 2;
	other.n_products = 1;
	ok(cat_clash(&cat, &other) == NULL);
	other.n_products = 0;
	ok(cat_clash(&cat, &other) == NULL);
	ok(cat_clash(&other, &cat) == NULL);
}

/* A signature that lies in two pieces, or begins one; and a disk that fails
 * in any of them. */
static void
test_catalogue_signature_between_pieces(void)
{
	unsigned n_between = 0;
	size_t len = 0;

	small(&cat);
	for (uint32_t n = 2; len < CAT_PIECE + 2 * SIG_LEN; n++) {
		struct bytes mem = {.p = buf};
		struct failing f = {.reads = 0};
		struct cat_source src = {.read = failing_read, .arg = &f};
		unsigned reads;

		cat.n_revocations = n;
		cat.revocations[n - 1] =
		    (struct cat_revocation){.key_number = 5,
		        .slot = 1,
		        .activation = 1};
		cat.revocations[n - 1].day = (uint16_t)(n + 100);
		is(cat_encode(&cat, root_sk, buf, CAT_FILE_MAX, &len), 0);
		if (len <= CAT_PIECE - 8)
			continue;
		n_between += len > CAT_PIECE && len < CAT_PIECE + SIG_LEN;
		mem.len = src.len = len;
		f.from = cat_memory_source(&mem);
		is(cat_load(&src, NULL, &got), 0);
		is(got.n_revocations, n);
		reads = f.reads;
		for (unsigned i = 1; i <= reads; i++) {
			f.reads = 0;
			f.fail_at = i;
			is(cat_load(&src, NULL, &got), MUSTER_E_IO);
		}
		f.fail_at = 0;
		/* each of the signed bytes in the second piece counts */
		for (size_t i = CAT_PIECE - 4; i < len; i += 5) {
			buf[i] ^= 1;
			ok(cat_load(&src, NULL, &got) != 0);
			buf[i] ^= 1;
		}
	}
	ok(n_between > 1);
}

int
main(void)
{
	if (fixture_keys() != 0)
		return 1;
	test_catalogue_layout();
	test_catalogue_every_flipped_bit_fails();
	test_catalogue_every_truncation_fails();
	test_catalogue_signed_wrong_length_fails();
	test_catalogue_strict();
	test_catalogue_keys();
	test_catalogue_setup_keys_may_be_skipped();
	test_catalogue_source_errors();
	test_catalogue_memory_source_is_bounded();
	test_catalogue_lookups();
	test_catalogue_revocation_hits();
	test_b9_catalogues_that_clash();
	test_catalogue_signature_between_pieces();
	return tap_done();
}
