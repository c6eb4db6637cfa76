/* SPDX-License-Identifier: MIT */
#include "client/state.h"

#include <sodium.h>
#include <stdlib.h>

#include "client/exchange.h"
#include "client/machine.h"
#include "tap.h"

#define DAY INT64_C(86400)

static uint64_t rng;

static uint32_t
draw(void)
{
	rng ^= rng << 13;
	rng ^= rng >> 7;
	rng ^= rng << 17;
	return (uint32_t)(rng >> 16);
}

static void
fill(uint8_t *p, size_t len)
{
	for (size_t i = 0; i < len; i++)
		p[i] = (uint8_t)draw();
}

static struct state_publisher
random_publisher(void)
{
	struct state_publisher s = {.high_water_unix_s = (int64_t)draw(),
	    .serial = draw()};

	fill(s.publisher, sizeof(s.publisher));
	fill(s.cmid, sizeof(s.cmid));
	fill(s.machine, sizeof(s.machine));
	fill(s.instance, sizeof(s.instance));
	return s;
}

static struct state_product
random_product(void)
{
	struct state_product s = {.count = draw(),
	    .renewal_min = 15 + draw() % 43186,
	    .retry_min = draw() % 2 == 0 ? 0 : 15,
	    .first_seen_unix_s = 1 + (int64_t)draw(),
	    .grace_unix_s = (int64_t)draw(),
	    .answered_unix_s = (int64_t)draw(),
	    .asked_unix_s = (int64_t)draw(),
	    .due_unix_s = (int64_t)draw(),
	    .rearms = draw(),
	    .is_image = draw() % 2 == 0,
	    .has_certificate = draw() % 2 == 0};
	size_t n = draw() % (STATE_HOST_MAX + 1);

	fill(s.product, sizeof(s.product));
	fill(s.machine, sizeof(s.machine));
	fill(s.instance, sizeof(s.instance));
	fill(s.dropped, sizeof(s.dropped));
	fill(s.previous, sizeof(s.previous));
	for (size_t i = 0; i < n; i++)
		s.host[i] = (char)('!' + draw() % 94);
	if (s.has_certificate)
		fill(s.certificate, sizeof(s.certificate));
	return s;
}

static int
decode(int kind, const uint8_t *p, size_t len)
{
	struct state_publisher a;
	struct state_product b;

	return kind == 0 ? state_publisher_decode(p, len, &a)
	                 : state_product_decode(p, len, &b);
}

static size_t
encode(int kind, uint8_t *buf)
{
	struct state_publisher a = random_publisher();
	struct state_product b = random_product();
	size_t len = 0;
	int err = kind == 0
	    ? state_publisher_encode(&a, buf, STATE_FILE_MAX, &len)
	    : state_product_encode(&b, buf, STATE_FILE_MAX, &len);

	return err == 0 ? len : 0;
}

static void
test_state_random(void)
{
	uint8_t buf[STATE_FILE_MAX];
	int bad = 0;

	for (int i = 0; i < 1000; i++) {
		struct state_publisher a = random_publisher(), a2 = {0};
		struct state_product b = random_product(), b2 = {0};
		size_t len = 0;

		bad += state_publisher_encode(&a, buf, sizeof(buf), &len);
		bad += state_publisher_decode(buf, len, &a2);
		bad += memcmp(a.cmid, a2.cmid, 16) != 0 ||
		    memcmp(a.publisher, a2.publisher, 16) != 0 ||
		    memcmp(a.machine, a2.machine, 16) != 0 ||
		    memcmp(a.instance, a2.instance, 16) != 0 ||
		    a.high_water_unix_s != a2.high_water_unix_s ||
		    a.serial != a2.serial;
		bad += state_product_encode(&b, buf, sizeof(buf), &len);
		bad += state_product_decode(buf, len, &b2);
		bad += memcmp(b.product, b2.product, 16) != 0 ||
		    memcmp(b.machine, b2.machine, 16) != 0 ||
		    memcmp(b.instance, b2.instance, 16) != 0 ||
		    memcmp(b.dropped, b2.dropped, 16) != 0 ||
		    b.is_image != b2.is_image ||
		    memcmp(b.previous, b2.previous, 8) != 0 ||
		    memcmp(b.certificate, b2.certificate, CERT_LEN) != 0 ||
		    strcmp(b.host, b2.host) != 0 || b.count != b2.count ||
		    b.renewal_min != b2.renewal_min ||
		    b.retry_min != b2.retry_min ||
		    b.first_seen_unix_s != b2.first_seen_unix_s ||
		    b.grace_unix_s != b2.grace_unix_s ||
		    b.answered_unix_s != b2.answered_unix_s ||
		    b.asked_unix_s != b2.asked_unix_s ||
		    b.due_unix_s != b2.due_unix_s || b.rearms != b2.rearms ||
		    b.has_certificate != b2.has_certificate;
	}
	is(bad, 0);
}

static void
test_state_damage_is_found(int kind)
{
	uint8_t buf[STATE_FILE_MAX + 1];
	size_t len = encode(kind, buf);
	int bad = 0;

	ok(len > 0);
	is(decode(kind, buf, len), 0);
	for (size_t i = 0; i < 8 * len; i++) {
		buf[i / 8] ^= (uint8_t)(1U << i % 8);
		bad += decode(kind, buf, len) == 0;
		buf[i / 8] ^= (uint8_t)(1U << i % 8);
	}
	is(bad, 0);
	for (size_t i = 0; i < len; i++) {
		uint8_t *exact = malloc(i + 1);

		memcpy(exact, buf, i);
		bad += decode(kind, exact, i) == 0;
		free(exact);
	}
	is(bad, 0);
	buf[len] = 0;
	ok(decode(kind, buf, len + 1) != 0);
	ok(decode(1 - kind, buf, len) != 0);
}

/* Right checksum, wrong content: byte `off` becomes `value`. */
static int
forged(int kind, size_t off, uint8_t value, size_t extra)
{
	uint8_t buf[STATE_FILE_MAX + 64] = {0};
	struct bytes body = {.p = buf};
	struct state_publisher a = random_publisher();
	struct state_product b = random_product();
	size_t len = 0;

	b.has_certificate = false;
	memset(b.host, 0, sizeof(b.host));
	memcpy(b.host, "abc", 3);
	if ((kind == 0 ? state_publisher_encode(&a, buf, sizeof(buf), &len)
	               : state_product_encode(&b, buf, sizeof(buf), &len)) != 0)
		return 1;
	body.len = len - HASH_LEN + extra;
	memset(buf + len - HASH_LEN, 0, extra);
	buf[off] = value;
	label_hash(NULL, &body, 1, buf + body.len);
	return decode(kind, buf, body.len + HASH_LEN);
}

static void
test_state_forged_content_is_refused(void)
{
	static const struct {
		int kind;
		size_t off;
		uint8_t value;
		size_t extra;
		int want;
	} cases[] = {
	    {0, 0, 'M', 0, 0},
	    {0, 0, 'M', 4, MUSTER_E_PROTO},
	    {1, 0, 'M', 0, 0},
	    {1, 0, 'M', 4, MUSTER_E_PROTO},
	    {0, 0, 'N', 0, MUSTER_E_PROTO},
	    {0, 11, 2, 0, MUSTER_E_PROTO},
	    {1, 7, '2', 0, MUSTER_E_PROTO},
	    {1, 11, 3, 0, MUSTER_E_PROTO}, /* a version to come */
	    {1, 11, 0, 0, MUSTER_E_PROTO},
	    {1, 63, 2, 0, MUSTER_E_PROTO},     /* neither an image nor not */
	    {1, 85, 0xff, 0, MUSTER_E_RANGE},  /* renewal over 43,200 */
	    {1, 104, 0x80, 0, MUSTER_E_RANGE}, /* first seen before 1970 */
	    {1, 112, 0x80, 0, MUSTER_E_RANGE}, /* grace */
	    {1, 120, 0x80, 0, MUSTER_E_RANGE}, /* answered */
	    {1, 128, 0x80, 0, MUSTER_E_RANGE}, /* asked */
	    {1, 136, 0x80, 0, MUSTER_E_RANGE}, /* due */
	    {1, 144, 1, 0, MUSTER_E_TOOBIG},
	    {1, 148, ' ', 0, MUSTER_E_RANGE},
	    {1, 151, 1, 0, MUSTER_E_PROTO}, /* padding */
	    {1, 155, 2, 0, MUSTER_E_PROTO},
	    {1, 155, 1, 0, MUSTER_E_TRUNC},
	};

	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		printf("# case %zu\n", i);
		is(forged(cases[i].kind, cases[i].off, cases[i].value,
		       cases[i].extra),
		    cases[i].want);
	}
}

/* The product of tests/vectors/state.txt, as far as version 1 has it. */
static struct state_product
known_product(void)
{
	struct state_product s = {.count = 5,
	    .renewal_min = 10080,
	    .retry_min = 120,
	    .rearms = 1,
	    .first_seen_unix_s = 1767225600,
	    .grace_unix_s = 0,
	    .answered_unix_s = 1767312000,
	    .asked_unix_s = 1767312001,
	    .due_unix_s = 1767916801};

	memset(s.product, 0x5b, sizeof(s.product));
	memset(s.previous, 0x7e, sizeof(s.previous));
	(void)strcpy(s.host, "kms.example:1688");
	return s;
}

/* Lines "version hex" of one file each, laid out by hand. */
static void
test_state_vectors(const char *path)
{
	FILE *f = fopen(path, "r");
	uint8_t bytes[STATE_FILE_MAX], buf[STATE_FILE_MAX];
	char hex[2 * STATE_FILE_MAX + 2];
	unsigned version = 0, n = 0;

	ok(f != NULL);
	while (f != NULL && fscanf(f, "%u %1217s", &version, hex) == 2) {
		struct state_product want = known_product(), got = {0};
		size_t len = 0, out_len = 0;

		n++;
		is(sodium_hex2bin(bytes, sizeof(bytes), hex, strlen(hex), NULL,
		       &len, NULL),
		    0);
		is(state_product_decode(bytes, len, &got), 0);
		if (version == 2) {
			memset(want.machine, 0x3a, WIRE_ID_LEN);
			memset(want.instance, 0x1c, WIRE_ID_LEN);
			memset(want.dropped, 0xd0, WIRE_ID_LEN);
			want.is_image = true;
		}
		is(state_product_encode(&want, buf, sizeof(buf), &out_len), 0);
		if (version == 2)
			ok(out_len == len && memcmp(buf, bytes, len) == 0);
		is(state_product_encode(&got, bytes, sizeof(bytes), &len), 0);
		ok(out_len == len && memcmp(buf, bytes, len) == 0);
	}
	is(n, 2);
	if (f != NULL)
		(void)fclose(f);
}

static void
test_state_encode_refuses(void)
{
	uint8_t buf[STATE_FILE_MAX];
	struct state_publisher a = random_publisher();
	struct state_product b = random_product();
	size_t len = 0;

	is(state_publisher_encode(&a, buf, 20, &len), MUSTER_E_TOOBIG);
	b.first_seen_unix_s = 0;
	is(state_product_encode(&b, buf, sizeof(buf), &len), MUSTER_E_RANGE);
	b.first_seen_unix_s = 1;
	b.renewal_min = 14;
	is(state_product_encode(&b, buf, sizeof(buf), &len), MUSTER_E_RANGE);
	b.renewal_min = 15;
	is(state_product_encode(&b, buf, sizeof(buf), &len), 0);
	b.retry_min = 43201;
	is(state_product_encode(&b, buf, sizeof(buf), &len), MUSTER_E_RANGE);
}

static void
test_state_view(void)
{
	struct state_view v = {.first_seen_unix_s = 1,
	                      .grace_unix_s = 2,
	                      .high_water_unix_s = 3},
	                  got;
	uint8_t buf[STATE_VIEW_LEN + 1];
	int bad = 0;

	fill(v.publisher, sizeof(v.publisher));
	fill(v.product, sizeof(v.product));
	is(state_view_encode(&v, buf), 0);
	is(state_view_decode(buf, STATE_VIEW_LEN, &got), 0);
	ok(memcmp(&v, &got, sizeof(v)) == 0);
	for (size_t i = 0; i < 8 * STATE_VIEW_LEN; i++) {
		buf[i / 8] ^= (uint8_t)(1U << i % 8);
		bad += state_view_decode(buf, STATE_VIEW_LEN, &got) == 0;
		buf[i / 8] ^= (uint8_t)(1U << i % 8);
	}
	for (size_t len = 0; len < STATE_VIEW_LEN; len++)
		bad += state_view_decode(buf, len, &got) == 0;
	is(bad, 0);
	ok(state_view_decode(buf, STATE_VIEW_LEN + 1, &got) != 0);
	v.first_seen_unix_s = 0;
	is(state_view_encode(&v, buf), MUSTER_E_RANGE);
}

static void
test_b33_licence(void)
{
	const struct cat_product p = {.initial_grace_days = 30,
	    .lapse_grace_days = 20};
	const struct {
		bool seen;
		int64_t first, grace, lease_end, now;
		enum wire_state want;
		uint32_t minutes;
	} cases[] = {
	    {false, 0, 0, 0, DAY, WIRE_UNLICENSED, 0},
	    {true, DAY, 0, 0, DAY, WIRE_INITIAL_GRACE, 43200},
	    {true, DAY, 0, 0, 31 * DAY - 60, WIRE_INITIAL_GRACE, 1},
	    {true, DAY, 0, 0, 31 * DAY, WIRE_NOTIFICATION, 0},
	    {true, DAY, 0, 9 * DAY, 8 * DAY, WIRE_LICENSED, 1440},
	    {false, 0, 0, 9 * DAY, 8 * DAY, WIRE_LICENSED, 1440},
	    {true, DAY, 50 * DAY, 0, 50 * DAY, WIRE_TOLERANCE_GRACE, 28800},
	    {true, DAY, 50 * DAY, 0, 70 * DAY - 1, WIRE_TOLERANCE_GRACE, 0},
	    {true, DAY, 50 * DAY, 0, 70 * DAY, WIRE_NOTIFICATION, 0},
	    {true, STATE_SEEN_LOST, 0, 0, 2, WIRE_UNLICENSED, 0},
	    {true, STATE_SEEN_LOST, 0, 9 * DAY, 8 * DAY, WIRE_LICENSED, 1440},
	    {true, STATE_SEEN_LOST, 50 * DAY, 0, 50 * DAY, WIRE_TOLERANCE_GRACE,
	        28800},
	    {true, DAY, 50 * DAY, 99 * DAY, 60 * DAY, WIRE_LICENSED, 56160},
	    /* begun by a clock that stood ahead: no longer than its days */
	    {true, 900 * DAY, 0, 0, DAY, WIRE_INITIAL_GRACE, 43200},
	    {true, DAY, 900 * DAY, 0, DAY, WIRE_TOLERANCE_GRACE, 28800},
	};

	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		const struct state_product s = {.first_seen_unix_s =
		                                    cases[i].first,
		    .grace_unix_s = cases[i].grace};
		const struct state_lease l = {.holds = cases[i].lease_end != 0,
		    .ends_unix_s = cases[i].lease_end};
		uint32_t minutes = 7;

		is(state_licence(cases[i].seen ? &s : NULL, &l, &p,
		       cases[i].now, &minutes),
		    cases[i].want);
		is(minutes, cases[i].minutes);
	}
}

static void
test_machine_id_text(void)
{
	static const struct {
		const char *text;
		int want;
	} cases[] = {
	    {"0123456789abcdef0123456789abcdef\n", 0},
	    {"0123456789ABCDEF0123456789abcdef", 0},
	    {"", MUSTER_E_NOMACHINE},
	    {"\n", MUSTER_E_NOMACHINE},
	    {"uninitialized\n", MUSTER_E_NOMACHINE},
	    {"00000000000000000000000000000000\n", MUSTER_E_NOMACHINE},
	    {"0123456789abcdef0123456789abcde\n", MUSTER_E_NOMACHINE},
	    {"0123456789abcdef0123456789abcdef\n\n", MUSTER_E_NOMACHINE},
	    {"0123456789abcdef0123456789abcdeg\n", MUSTER_E_NOMACHINE},
	    {"01234567-89ab-cdef-0123-456789abcdef\n", MUSTER_E_NOMACHINE},
	};
	uint8_t id[WIRE_ID_LEN];

	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++)
		is(machine_id_parse((const uint8_t *)cases[i].text,
		       strlen(cases[i].text), id),
		    cases[i].want);
}

static void
test_b24_known_host_file(void)
{
	/* publisher id 03 .., host a.b:1, domain b, priority 258 */
	static const uint8_t want[] = {'M', 'U', 'S', 'T', 'E', 'R', 'H', '1',
	    0, 0, 0, 1, 3, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0,
	    5, 'a', '.', 'b', ':', '1', 0, 0, 0, 0, 0, 0, 1, 'b', 0, 0, 0, 0, 0,
	    1, 2};
	const uint8_t pub[PUBLISHER_LEN] = {3}, other[PUBLISHER_LEN] = {4};
	struct walk_known k = {.priority = 258}, back = {.priority = 0};
	uint8_t buf[STATE_FILE_MAX], bad[STATE_FILE_MAX];
	size_t len = 0, wrong = 0;

	memcpy(k.host, "a.b:1", 6);
	memcpy(k.domain, "b", 2);
	is(state_known_encode(pub, &k, buf, sizeof(buf), &len), 0);
	is(len, sizeof(want) + 32);
	ok(memcmp(buf, want, sizeof(want)) == 0);
	is(state_known_decode(buf, len, pub, &back), 0);
	ok(memcmp(&k, &back, sizeof(k)) == 0);
	is(state_known_decode(buf, len, other, &back), MUSTER_E_PUBLISHER);
	for (size_t i = 0; i < len; i++) {
		memcpy(bad, buf, len);
		bad[i] ^= 1;
		wrong += state_known_decode(bad, len, pub, &back) == 0;
		wrong += state_known_decode(buf, i, pub, &back) == 0;
	}
	is(wrong, 0);
	ok(memcmp(&k, &back, sizeof(k)) == 0);
	/* what no host or domain is, with a good checksum */
	k.host[1] = ' ';
	is(state_known_encode(pub, &k, buf, sizeof(buf), &len), 0);
	is(state_known_decode(buf, len, pub, &back), MUSTER_E_RANGE);
	k.host[0] = '\0';
	is(state_known_encode(pub, &k, buf, sizeof(buf), &len), 0);
	is(state_known_decode(buf, len, pub, &back), MUSTER_E_RANGE);
	/* the largest fits */
	memset(k.host, 'h', WALK_HOST_MAX);
	memset(k.domain, 'd', DNS_TEXT_MAX);
	is(state_known_encode(pub, &k, buf, sizeof(buf), &len), 0);
	is(state_known_decode(buf, len, pub, &back), 0);
}

static void
test_machine_fingerprint(void)
{
	struct machine m = {.id = {1}, .instance = {2}}, n = m;
	const uint8_t pub[PUBLISHER_LEN] = {3}, other[PUBLISHER_LEN] = {4};
	uint8_t a[WIRE_ID_LEN], b[WIRE_ID_LEN], want[WIRE_ID_LEN];
	const uint8_t text[32] = {[0] = 1, [16] = 2};

	machine_fingerprint(&m, pub, a);
	(void)crypto_generichash(want, 16, text, 32, pub, 16);
	ok(memcmp(a, want, 16) == 0);
	machine_fingerprint(&m, other, b);
	ok(memcmp(a, b, 16) != 0);
	n.instance[0] = 0;
	machine_fingerprint(&n, pub, b);
	ok(memcmp(a, b, 16) != 0);
	machine_tag(&m, pub, a);
	ok(memcmp(a, b, 16) == 0);
}

static void
test_exchange_parse(void)
{
	static const struct {
		const char *text, *name, *port, *shown;
		int want;
	} cases[] = {
	    {"kms", "kms", "1688", "kms:1688", 0},
	    {"kms.example:99", "kms.example", "99", "kms.example:99", 0},
	    {"127.0.0.1:1", "127.0.0.1", "1", "127.0.0.1:1", 0},
	    {"[::1]:65535", "::1", "65535", "[::1]:65535", 0},
	    {"[fe80::1%eth0]", "fe80::1%eth0", "1688", "[fe80::1%eth0]:1688",
	        0},
	    {"", "", "", "", MUSTER_E_PROTO},
	    {":1", "", "", "", MUSTER_E_PROTO},
	    {"::1", "", "", "", MUSTER_E_PROTO},
	    {"a:b", "", "", "", MUSTER_E_PROTO},
	    {"a:", "", "", "", MUSTER_E_PROTO},
	    {"a:0", "", "", "", MUSTER_E_RANGE},
	    {"a:65536", "", "", "", MUSTER_E_RANGE},
	    {"a:4294968984", "", "", "", MUSTER_E_RANGE},
	    {"a b", "", "", "", MUSTER_E_PROTO},
	    {"[::1", "", "", "", MUSTER_E_PROTO},
	    {"[abc]:1", "", "", "", MUSTER_E_PROTO},
	    {"[::1]x", "", "", "", MUSTER_E_PROTO},
	    {"[::g]:1", "", "", "", MUSTER_E_PROTO},
	};

	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		struct exchange_target t = {.text = ""};

		printf("# %s\n", cases[i].text);
		is(exchange_parse(cases[i].text, &t), cases[i].want);
		is_str(t.name, cases[i].name);
		is_str(t.port, cases[i].port);
		is_str(t.text, cases[i].shown);
	}
}

int
main(int argc, char **argv)
{
	rng = argc > 1 ? strtoull(argv[1], NULL, 0) : 0x5eed;
	printf("# seed 0x%llx\n", (unsigned long long)rng);
	ok(sodium_init() >= 0);
	test_state_random();
	test_state_damage_is_found(0);
	test_state_damage_is_found(1);
	test_state_forged_content_is_refused();
	test_state_vectors("tests/vectors/state.txt");
	test_state_encode_refuses();
	test_state_view();
	test_b24_known_host_file();
	test_b33_licence();
	test_machine_id_text();
	test_machine_fingerprint();
	test_exchange_parse();
	return tap_done();
}
