/* SPDX-License-Identifier: MIT */
#include "authority/rate.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <string.h>

#include "tap.h"

static const uint8_t hash_key[RATE_HASH_KEY_LEN] = {7};

static void
source4(uint32_t n, uint8_t *out)
{
	struct sockaddr_in a = {.sin_family = AF_INET};

	a.sin_addr.s_addr = htonl(n);
	rate_source((const struct sockaddr *)(const void *)&a, out);
}

static void
source6(const char *text, uint8_t *out)
{
	struct sockaddr_in6 a = {.sin6_family = AF_INET6};

	(void)inet_pton(AF_INET6, text, &a.sin6_addr);
	rate_source((const struct sockaddr *)(const void *)&a, out);
}

static void
test_rate_burst_then_one_a_second(void)
{
	struct rate *r = rate_new(60, 3, hash_key);
	uint8_t s[RATE_SOURCE_LEN], other[RATE_SOURCE_LEN];
	uint32_t wait = 0;

	source4(0xc0000201, s);
	source4(0xc0000202, other);
	for (int i = 0; i < 3; i++)
		ok(rate_take(r, s, 1000, &wait));
	ok(!rate_take(r, s, 1000, &wait) && wait == 1);
	ok(rate_take(r, other, 1000, &wait));
	ok(!rate_take(r, s, 1999, &wait) && wait == 1);
	ok(rate_take(r, s, 2000, &wait));
	ok(!rate_take(r, s, 2000, &wait));
	/* a clock that goes back gives nothing and takes nothing */
	ok(!rate_take(r, s, 500, &wait));
	/* no more than a burst, however long it was away */
	for (int i = 0; i < 3; i++)
		ok(rate_take(r, s, INT64_MAX / 2, &wait));
	ok(!rate_take(r, s, INT64_MAX / 2, &wait));
	rate_free(r);
}

static void
test_rate_tells_how_long_to_wait(void)
{
	struct rate *r = rate_new(1, 1, hash_key);
	uint8_t s[RATE_SOURCE_LEN];
	uint32_t wait = 0;

	source4(1, s);
	ok(rate_take(r, s, 0, &wait));
	ok(!rate_take(r, s, 0, &wait) && wait == 60);
	ok(!rate_take(r, s, 59001, &wait) && wait == 1);
	ok(rate_take(r, s, 60000, &wait));
	rate_free(r);
}

static void
test_rate_zero_is_no_limit(void)
{
	struct rate *r = rate_new(0, 1, hash_key);
	uint8_t s[RATE_SOURCE_LEN];
	uint32_t wait = 0;
	bool good = true;

	source4(1, s);
	for (int i = 0; i < 1000; i++)
		good = good && rate_take(r, s, 0, &wait);
	ok(good);
	rate_free(r);
}

static void
test_rate_source_is_an_address_or_a_64(void)
{
	uint8_t a[RATE_SOURCE_LEN], b[RATE_SOURCE_LEN];

	source6("2001:db8:1:2::1", a);
	source6("2001:db8:1:2:ffff::9", b);
	ok(memcmp(a, b, sizeof(a)) == 0);
	source6("2001:db8:1:3::1", b);
	ok(memcmp(a, b, sizeof(a)) != 0);
	source6("::ffff:192.0.2.1", a);
	source4(0xc0000201, b);
	ok(memcmp(a, b, sizeof(a)) == 0);
	source4(0xc0000202, b);
	ok(memcmp(a, b, sizeof(a)) != 0);
}

static void
test_rate_connections_of_a_source(void)
{
	struct rate *r = rate_new(0, 1, hash_key);
	uint8_t a[RATE_SOURCE_LEN], b[RATE_SOURCE_LEN];

	source4(1, a);
	source4(2, b);
	ok(rate_open(r, a, 2, 0) && rate_open(r, a, 2, 0));
	ok(!rate_open(r, a, 2, 0));
	ok(rate_open(r, b, 2, 0));
	rate_close(r, a);
	ok(rate_open(r, a, 2, 0));
	/* more ends than beginnings do no harm */
	for (int i = 0; i < 5; i++)
		rate_close(r, b);
	ok(rate_open(r, b, 1, 0) && !rate_open(r, b, 1, 0));
	rate_free(r);
}

/* A crowd of sources must not give one that asks too much a new bucket. */
static void
test_rate_a_crowd_does_not_wash_out_a_source(void)
{
	struct rate *r = rate_new(1, 2, hash_key);
	uint8_t bad[RATE_SOURCE_LEN], s[RATE_SOURCE_LEN];
	uint32_t wait = 0;

	source4(1, bad);
	while (rate_take(r, bad, 0, &wait))
		;
	for (uint32_t i = 2; i < 100000; i++) {
		source4(i, s);
		(void)rate_take(r, s, 0, &wait);
	}
	ok(!rate_take(r, bad, 0, &wait));
	rate_free(r);
}

int
main(void)
{
	test_rate_burst_then_one_a_second();
	test_rate_tells_how_long_to_wait();
	test_rate_zero_is_no_limit();
	test_rate_source_is_an_address_or_a_64();
	test_rate_connections_of_a_source();
	test_rate_a_crowd_does_not_wash_out_a_source();
	return tap_done();
}
