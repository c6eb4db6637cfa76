/* SPDX-License-Identifier: MIT */
/*
 * settings.state: what is written is read again, every byte counts, and
 * nothing that no administrator could have set comes out of a file.
 */
#include "client/settings.h"

#include <sodium.h>
#include <stdlib.h>

#include "tap.h"
#include "trust/label.h"

static uint8_t buf[SETTINGS_FILE_MAX];
static size_t len;

static struct agent_settings
some(void)
{
	return (struct agent_settings){.n_hosts = 2,
	    .host = {"kms.example:1688", "[2001:db8::1]:1700"},
	    .domain = "example.org",
	    .is_caching = true};
}

/* The checksum of what is there now: damage that was made on purpose. */
static void
seal(void)
{
	const struct bytes body = {.p = buf, .len = len - HASH_LEN};

	label_hash(NULL, &body, 1, buf + len - HASH_LEN);
}

static int
decode(struct agent_settings *out)
{
	memset(out, 0x5a, sizeof(*out));
	return settings_decode(buf, len, out);
}

/* Refused with this error, and the output untouched. */
static int
refused(void)
{
	struct agent_settings out, untouched;
	int err = decode(&out);

	memset(&untouched, 0x5a, sizeof(untouched));
	if (err == 0 || memcmp(&out, &untouched, sizeof(out)) != 0)
		return 0;
	return err;
}

static void
is_same(const struct agent_settings *a, const struct agent_settings *b)
{
	is(a->n_hosts, b->n_hosts);
	for (uint32_t i = 0; i < a->n_hosts && i < AGENT_HOSTS_MAX; i++)
		is_str(a->host[i], b->host[i]);
	is_str(a->domain, b->domain);
	is(a->is_caching, b->is_caching);
}

static void
test_settings_what_is_written_is_read(void)
{
	struct agent_settings s = some(), out;

	is(settings_encode(&s, buf, sizeof(buf), &len), 0);
	is(decode(&out), 0);
	is_same(&out, &s);
	s = (struct agent_settings){.n_hosts = 0};
	is(settings_encode(&s, buf, sizeof(buf), &len), 0);
	is(decode(&out), 0);
	is_same(&out, &s);
}

/* The layout of the header: bytes and their meaning. */
static void
test_settings_layout(void)
{
	static const uint8_t want[] = {'M', 'U', 'S', 'T', 'E', 'R', 'S', '1',
	    0, 0, 0, 1,                                   /* version */
	    0, 0, 0, 1,                                   /* one host: */
	    0, 0, 0, 5, 'k', 'm', 's', ':', '1', 0, 0, 0, /* 5 bytes, padded */
	    0, 0, 0, 2, 'a', 'b', 0, 0,                   /* domain */
	    0, 0, 0, 1};                                  /* caching */
	const struct agent_settings s = {.n_hosts = 1,
	    .host = {"kms:1"},
	    .domain = "ab",
	    .is_caching = true};

	is(settings_encode(&s, buf, sizeof(buf), &len), 0);
	is((long long)len, (long long)sizeof(want) + HASH_LEN);
	ok(memcmp(buf, want, sizeof(want)) == 0);
}

static void
test_settings_the_largest_fit(void)
{
	struct agent_settings s = {.n_hosts = AGENT_HOSTS_MAX}, out;

	for (uint32_t i = 0; i < AGENT_HOSTS_MAX; i++) {
		memset(s.host[i], 'a', 253);
		memcpy(s.host[i] + 253, ":65535", 7);
	}
	memset(s.domain, 'd', AGENT_DOMAIN_LEN);
	is(settings_encode(&s, buf, sizeof(buf), &len), 0);
	ok(len <= SETTINGS_FILE_MAX);
	is(decode(&out), 0);
	is_same(&out, &s);
	is(settings_encode(&s, buf, len - 1, &len), MUSTER_E_TOOBIG);
}

static void
test_settings_check_names_the_bad_one(void)
{
	static const struct {
		const char *host, *domain;
		int err;
		uint32_t which;
	} cases[] = {
	    {"a", "", 0, 2},
	    {"a:1", "a-b_c.de", 0, 2},
	    {"[::1]:1", "x", 0, 2},
	    {"", "", MUSTER_E_PROTO, 1},
	    {"a b", "", MUSTER_E_PROTO, 1},
	    {"a\nb", "", MUSTER_E_PROTO, 1},
	    {"a:0", "", MUSTER_E_RANGE, 1},
	    {"a:65536", "", MUSTER_E_RANGE, 1},
	    {"::1", "", MUSTER_E_PROTO, 1},
	    {"[::1", "", MUSTER_E_PROTO, 1},
	    {"a", ".org", MUSTER_E_PROTO, 2},
	    {"a", "a b", MUSTER_E_PROTO, 2},
	    {"a", "a/b", MUSTER_E_PROTO, 2},
	    {"a", "\xc3\xa4", MUSTER_E_PROTO, 2},
	};
	uint32_t which = 99;

	for (size_t i = 0; i < sizeof(cases) / sizeof(*cases); i++) {
		struct agent_settings s = {.n_hosts = 2, .host = {"good"}};
		int err;

		(void)snprintf(s.host[1], sizeof(s.host[1]), "%s",
		    cases[i].host);
		(void)snprintf(s.domain, sizeof(s.domain), "%s",
		    cases[i].domain);
		err = settings_check(&s, &which);
		if (!is(err, cases[i].err) || !is(which, cases[i].which))
			printf("# \"%s\" \"%s\"\n", cases[i].host,
			    cases[i].domain);
		/* what does not pass is not written either */
		is(settings_encode(&s, buf, sizeof(buf), &len), cases[i].err);
	}
}

static void
test_settings_too_many_hosts(void)
{
	struct agent_settings s = some();
	uint32_t which = 0;

	s.n_hosts = AGENT_HOSTS_MAX + 1;
	is(settings_check(&s, &which), MUSTER_E_TOOBIG);
	is(settings_encode(&s, buf, sizeof(buf), &len), MUSTER_E_TOOBIG);
	s = some();
	is(settings_encode(&s, buf, sizeof(buf), &len), 0);
	buf[15] = AGENT_HOSTS_MAX + 1;
	seal();
	is(refused(), MUSTER_E_TOOBIG);
	memset(buf + 12, 0xff, 4);
	seal();
	is(refused(), MUSTER_E_TOOBIG);
}

static void
test_settings_every_cut_and_every_bit_is_refused(void)
{
	const struct agent_settings s = some();
	size_t whole;

	is(settings_encode(&s, buf, sizeof(buf), &len), 0);
	whole = len;
	for (len = 0; len < whole; len++) {
		if (refused() == 0)
			ok(!"a cut file was taken");
	}
	for (size_t bit = 0; bit < 8 * whole; bit++) {
		buf[bit / 8] ^= (uint8_t)(1 << bit % 8);
		if (refused() == 0)
			ok(!"a flipped bit was taken");
		buf[bit / 8] ^= (uint8_t)(1 << bit % 8);
	}
	buf[len++] = 0;
	ok(refused() != 0);
	seal(); /* a trailing byte that the checksum covers */
	ok(refused() != 0);
}

/* A file with a good checksum is not believed more than a caller. */
static void
test_settings_a_sealed_file_is_checked_too(void)
{
	const struct agent_settings s = {.n_hosts = 1,
	    .host = {"kms:1"},
	    .domain = "ab"};
	static const struct {
		size_t at;
		uint8_t byte;
		int err;
	} cases[] = {
	    {0, 'X', MUSTER_E_PROTO},   /* magic */
	    {11, 2, MUSTER_E_PROTO},    /* version */
	    {20, ' ', MUSTER_E_PROTO},  /* host: " ms:1" */
	    {21, '\0', MUSTER_E_PROTO}, /* host with a NUL in it */
	    {24, '0', MUSTER_E_RANGE},  /* host: port 0 */
	    {25, 1, MUSTER_E_PROTO},    /* padding */
	    {32, '.', MUSTER_E_PROTO},  /* domain: ".b" */
	    {33, '\0', MUSTER_E_PROTO}, /* domain with a NUL in it */
	    {39, 2, MUSTER_E_RANGE},    /* caching */
	};

	for (size_t i = 0; i < sizeof(cases) / sizeof(*cases); i++) {
		is(settings_encode(&s, buf, sizeof(buf), &len), 0);
		buf[cases[i].at] = cases[i].byte;
		seal();
		if (!is(refused(), cases[i].err))
			printf("# byte %zu\n", cases[i].at);
	}
}

/* Whatever decodes encodes to the same bytes: one encoding only. */
static void
test_settings_x_random(void)
{
	const unsigned seed = 20571;
	unsigned n_taken = 0;
	uint8_t again[SETTINGS_FILE_MAX];
	size_t again_len = 0;

	printf("# seed %u\n", seed);
	srandom(seed);
	for (int i = 0; i < 20000; i++) {
		const struct agent_settings s = some();
		struct agent_settings out;

		if (settings_encode(&s, buf, sizeof(buf), &len) != 0)
			continue;
		for (long n = random() % 3; n >= 0; n--)
			buf[12 + (size_t)random() % (len - 44)] =
			    (uint8_t)random();
		seal();
		if (decode(&out) != 0)
			continue;
		n_taken++;
		if (settings_encode(&out, again, sizeof(again), &again_len) !=
		        0 ||
		    again_len != len || memcmp(again, buf, len) != 0)
			ok(!"one file, two encodings");
	}
	ok(n_taken > 100);
}

int
main(void)
{
	if (sodium_init() < 0)
		return 1;
	test_settings_what_is_written_is_read();
	test_settings_layout();
	test_settings_the_largest_fit();
	test_settings_check_names_the_bad_one();
	test_settings_too_many_hosts();
	test_settings_every_cut_and_every_bit_is_refused();
	test_settings_a_sealed_file_is_checked_too();
	test_settings_x_random();
	return tap_done();
}
