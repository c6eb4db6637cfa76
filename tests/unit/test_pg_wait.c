/* SPDX-License-Identifier: MIT */
/* The shared store without a server: when it looks for one again. */
#include <arpa/inet.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/clock.h"
#include "store/pg.h"
#include "tap.h"

#define TRIES 40

extern const struct module muster_store_postgresql;

static void
test_b11_a_wait_is_shortened_by_chance(void)
{
	static const struct {
		int64_t wait_ms;
		uint32_t draw;
		int64_t want_ms;
	} cases[] = {
	    {PG_WAIT_MAX_MS, 0, 5000},
	    {PG_WAIT_MAX_MS, 1, 4999},
	    {PG_WAIT_MAX_MS, 2500, 2500},
	    {PG_WAIT_MAX_MS, 2501, 5000},
	    {PG_WAIT_MAX_MS, UINT32_MAX, 5000 - UINT32_MAX % 2501},
	    {PG_WAIT_MIN_MS, 50, 50},
	    {PG_WAIT_MIN_MS, 51, 100},
	    {0, 7, 0},
	};

	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++)
		is(pg_wait_ms(cases[i].wait_ms, cases[i].draw),
		    cases[i].want_ms);
}

/* A port of which it is certain that nobody listens on it. */
static int
closed_port(char *address, size_t cap)
{
	struct sockaddr_in sin = {.sin_family = AF_INET};
	socklen_t len = sizeof(sin);
	int fd = socket(AF_INET, SOCK_STREAM, 0);

	sin.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
	if (fd < 0 || bind(fd, (struct sockaddr *)&sin, sizeof(sin)) != 0 ||
	    getsockname(fd, (struct sockaddr *)&sin, &len) != 0)
		abort();
	(void)snprintf(address, cap, "host=127.0.0.1 port=%u user=nobody",
	    ntohs(sin.sin_port));
	return fd;
}

/*
 * Each attempt is followed by a wait within its bounds, the longest ones
 * included, and of so many some are shorter than the longest.
 */
static void
test_b11_hosts_that_lost_a_server_do_not_come_back_in_step(void)
{
	struct store_diag diag = {{0}};
	struct store *s = NULL;
	struct pg_store *p;
	char at[80];
	int fd = closed_port(at, sizeof(at));
	unsigned n_outside = 0, n_earlier = 0;

	is(muster_store_postgresql.open(at, "muster", &s, &diag), 0);
	p = pg_of(s);
	is(p->wait_ms, 2 * PG_WAIT_MIN_MS);
	for (int i = 0; i < TRIES; i++) {
		int64_t wait_ms = p->wait_ms;
		int64_t from_ms = clock_mono_ms();

		p->retry_ms = 0; /* the while is over */
		is(store_idle(s, 1800000000), MUSTER_E_AGAIN);
		n_outside += p->retry_ms - wait_ms / 2 < from_ms ||
		    p->retry_ms - wait_ms > clock_mono_ms();
		n_earlier += p->retry_ms - wait_ms < from_ms;
	}
	is(p->wait_ms, PG_WAIT_MAX_MS);
	is(n_outside, 0);
	ok(n_earlier > 0);
	store_close(s);
	(void)close(fd);
}

int
main(void)
{
	test_b11_a_wait_is_shortened_by_chance();
	test_b11_hosts_that_lost_a_server_do_not_come_back_in_step();
	return tap_done();
}
