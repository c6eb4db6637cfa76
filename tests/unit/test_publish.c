/* SPDX-License-Identifier: MIT */
/* The life of a publication: when an update is due, what it takes away and
 * adds, and what is known to stand meanwhile (b20, b21). */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "host/fullname.h"
#include "host/publish.h"
#include "tap.h"

#define DAY_MS PUBLISH_AGAIN_MS
#define MINUTE_MS UINT64_C(60000)

static struct publish p;
static struct update u;
static bool is_noted, is_told;

static struct publish_want
want(const char *domain, uint16_t port)
{
	struct publish_want w = {.srv = {.port = port}};

	is(dns_name_parse(domain, &w.domain), 0);
	is(dns_name_parse("kms.example", &w.srv.target), 0);
	return w;
}

static void
set1(const char *domain, uint16_t port, uint64_t now_ms)
{
	struct publish_want w = want(domain, port);

	is(publish_set(&p, &w, 1, now_ms), 0);
}

static bool
done(int i, enum update_outcome outcome, uint64_t now_ms)
{
	const struct publish_result result = {.outcome = outcome,
	    .now_unix_s = 7};

	return publish_done(&p, i, &u, &result, now_ms, &is_told);
}

/* A domain is published and stays so. */
static int
published(const char *domain, uint16_t port, uint64_t now_ms)
{
	int i;

	publish_init(&p, 3600);
	set1(domain, port, now_ms);
	i = publish_next(&p, now_ms, &u, &is_noted);
	is(i, 0);
	ok(!done(i, UPDATE_DONE, now_ms)); /* nothing was crossed out */
	return i;
}

static void
test_b20_at_start_and_every_24_hours(void)
{
	char owner[DNS_TEXT_MAX + 1];

	publish_init(&p, 900);
	is(publish_wake_ms(&p) == PUBLISH_NEVER, 1);
	set1("corp.example", 1688, 1000);
	is(publish_wake_ms(&p), 1000);
	is(publish_n_pending(&p, 1000), 1);
	is(publish_next(&p, 1000, &u, &is_noted), 0);
	ok(is_noted); /* on disk before it is sent */
	dns_name_text(&u.owner, owner);
	is_str(owner, "_muster._tcp.corp.example");
	is(u.ttl_s, 900);
	ok(u.has_addition);
	is(u.addition.port, 1688);
	is(u.n_deletions, 0);
	is(publish_next(&p, 1000, &u, &is_noted), -1);
	is(publish_n_pending(&p, 1000), 1);
	ok(publish_wake_ms(&p) == PUBLISH_NEVER);
	ok(!done(0, UPDATE_DONE, 2000));
	ok(is_told);
	ok(p.items[0].is_current);
	is(publish_n_pending(&p, 2000), 0);
	is(publish_wake_ms(&p), 2000 + DAY_MS);
	set1("corp.example", 1688, 3000); /* the same again is no change */
	is(publish_wake_ms(&p), 2000 + DAY_MS);
	is(publish_next(&p, 1999 + DAY_MS, &u, &is_noted), -1);
	is(publish_next(&p, 2000 + DAY_MS, &u, &is_noted), 0);
	ok(!is_noted && u.has_addition && u.n_deletions == 0);
	ok(!done(0, UPDATE_DONE, 2000 + DAY_MS));
	ok(!is_told); /* no news */
	is(publish_wake_ms(&p), 2000 + 2 * DAY_MS);
}

static void
test_b20_a_failure_is_tried_again(void)
{
	static const unsigned minutes[] = {1, 2, 4, 8, 16, 32, 60, 60, 60};
	uint64_t now_ms = 0;

	publish_init(&p, 3600);
	set1("corp.example", 1688, now_ms);
	for (size_t n = 0; n < sizeof(minutes) / sizeof(minutes[0]); n++) {
		is(publish_next(&p, now_ms, &u, &is_noted), 0);
		is(is_noted, n == 0); /* once is enough */
		ok(!done(0, UPDATE_SILENT, now_ms));
		is(is_told, n == 0); /* and told once */
		is(publish_wake_ms(&p), now_ms + minutes[n] * MINUTE_MS);
		now_ms = publish_wake_ms(&p);
	}
	is(publish_next(&p, now_ms, &u, &is_noted), 0);
	ok(!done(0, UPDATE_REFUSED, now_ms));
	ok(is_told); /* another answer is news */
	publish_force(&p, now_ms + 1);
	is(publish_next(&p, now_ms + 1, &u, &is_noted), 0);
	ok(!done(0, UPDATE_REFUSED, now_ms + 1));
	ok(!is_told);
	is(publish_wake_ms(&p), now_ms + 1 + MINUTE_MS); /* begins anew */
	is(publish_next(&p, publish_wake_ms(&p), &u, &is_noted), 0);
	ok(!done(0, UPDATE_DONE, now_ms));
	ok(is_told);
	is(publish_wake_ms(&p), now_ms + DAY_MS);
}

static void
test_b20_the_old_goes_and_the_new_comes(void)
{
	int i = published("corp.example", 1688, 0);

	set1("corp.example", 1700, 10);
	is(publish_next(&p, 10, &u, &is_noted), i);
	ok(is_noted);
	is(u.n_deletions, 1);
	is(u.deletions[0].port, 1688);
	is(u.addition.port, 1700);
	ok(!done(i, UPDATE_SILENT, 10)); /* both may stand now */
	is(p.items[i].n_standing, 2);
	set1("corp.example", 1701, 20); /* changed once more meanwhile */
	is(publish_next(&p, 20, &u, &is_noted), i);
	is(u.n_deletions, 2);
	is(u.addition.port, 1701);
	ok(done(i, UPDATE_DONE, 20));
	is(p.items[i].n_standing, 1);
	is(p.items[i].standing[0].port, 1701);
}

static void
test_b20_a_change_while_an_update_is_in_flight(void)
{
	struct update first;
	int i = published("corp.example", 1688, 0);

	set1("corp.example", 1700, 10);
	is(publish_next(&p, 10, &u, &is_noted), i);
	first = u;
	set1("corp.example", 1701, 11);
	is(publish_next(&p, 11, &u, &is_noted), -1); /* one at a time */
	u = first;
	ok(done(i, UPDATE_DONE, 12));
	ok(!p.items[i].is_current);
	is(publish_next(&p, 12, &u, &is_noted), i);
	is(u.n_deletions, 1);
	is(u.deletions[0].port, 1700);
	is(u.addition.port, 1701);
	/* a failure waits for no minute when there was a change */
	set1("corp.example", 1702, 13);
	ok(!done(i, UPDATE_SILENT, 14));
	is(publish_wake_ms(&p), 13);
}

static void
test_b20_withdrawal(void)
{
	struct publish_want w;
	int i = published("corp.example", 1688, 0);

	is(publish_set(&p, NULL, 0, 10), 0);
	is(publish_next(&p, 10, &u, &is_noted), i);
	ok(!u.has_addition && !is_noted);
	is(u.n_deletions, 1);
	ok(!done(i, UPDATE_SERVFAIL, 10));
	is(publish_wake_ms(&p), 10 + MINUTE_MS); /* until it is gone */
	is(publish_next(&p, 10 + MINUTE_MS, &u, &is_noted), i);
	ok(done(i, UPDATE_DONE, 10));
	ok(!p.items[i].is_used);
	ok(publish_wake_ms(&p) == PUBLISH_NEVER);
	/* wanted again while its withdrawal is in flight */
	i = published("corp.example", 1688, 0);
	is(publish_set(&p, NULL, 0, 10), 0);
	is(publish_next(&p, 10, &u, &is_noted), i);
	set1("corp.example", 1688, 11);
	ok(done(i, UPDATE_DONE, 12));
	is(publish_next(&p, 12, &u, &is_noted), i);
	ok(is_noted && u.has_addition && u.n_deletions == 0);
	/* asked for twice: nothing is left to send */
	i = published("corp.example", 1688, 0);
	is(publish_set(&p, NULL, 0, 10), 0);
	is(publish_next(&p, 10, &u, &is_noted), i);
	publish_force(&p, 11);
	ok(done(i, UPDATE_DONE, 12));
	ok(!p.items[i].is_used);
	/* from a server that is set no more */
	i = published("corp.example", 1688, 0);
	w = want("corp.example", 1688);
	memcpy(w.server.address, "192.0.2.1", 10);
	is(publish_set(&p, &w, 1, 10), 0);
	is(publish_wake_ms(&p), 10);
}

static void
test_b20_what_stands_is_bounded(void)
{
	int i = published("corp.example", 1, 0);

	for (uint16_t n = 2; n <= PUBLISH_STANDING_MAX; n++) {
		set1("corp.example", n, n);
		is(publish_next(&p, n, &u, &is_noted), i);
		ok(!done(i, UPDATE_SILENT, n));
	}
	set1("corp.example", 99, 100);
	is(publish_next(&p, 100, &u, &is_noted), i);
	is(u.n_deletions, PUBLISH_STANDING_MAX);
	ok(!u.has_addition && !is_noted); /* first make room */
	ok(done(i, UPDATE_DONE, 100));
	is(publish_next(&p, 100, &u, &is_noted), i);
	ok(u.has_addition && u.n_deletions == 0);
	ok(!done(i, UPDATE_DONE, 100));
	ok(p.items[i].is_current);
}

static void
set_many(int round, int expected)
{
	struct publish_want wants[PUBLISH_WANTED_MAX];
	char name[32];

	for (int i = 0; i < PUBLISH_WANTED_MAX; i++) {
		(void)snprintf(name, sizeof(name), "d%d.r%d.example", i, round);
		wants[i] = want(name, 1688);
	}
	is(publish_set(&p, wants, PUBLISH_WANTED_MAX, 0), expected);
}

static void
test_b20_many_domains(void)
{
	struct update flying[PUBLISH_BUSY_MAX];
	int n_sent = 0, index[PUBLISH_BUSY_MAX], n;

	publish_init(&p, 3600);
	set_many(0, 0);
	do {
		for (n = 0; n < PUBLISH_BUSY_MAX; n++) {
			index[n] = publish_next(&p, 0, &flying[n], &is_noted);
			if (index[n] < 0)
				break;
		}
		if (n == PUBLISH_BUSY_MAX)
			is(publish_next(&p, 0, &u, &is_noted), -1);
		n_sent += n;
		for (int i = 0; i < n; i++) {
			u = flying[i];
			ok(!done(index[i], UPDATE_SILENT, 0));
		}
	} while (n == PUBLISH_BUSY_MAX);
	is(n_sent, PUBLISH_WANTED_MAX);
	/* others, while all of these may stand: there is not room for all */
	set_many(1, MUSTER_E_FULL);
	for (int k = 0; k < 2 * PUBLISH_ITEMS_MAX; k++) {
		n = publish_next(&p, 0, &u, &is_noted);
		if (n >= 0)
			(void)done(n, UPDATE_DONE, 0);
	}
	set_many(1, 0);
}

static void
test_b20_what_stands_outlives_the_process(void)
{
	static const char text[] =
	    "muster-published 1\n"
	    "corp.example - 0 0 1688 kms.corp.example\n"
	    "corp.example - 0 0 1700 kms.corp.example\n"
	    "b.example [2001:db8::1]:53 10 5 65535 kms.corp.example\n";
	static const char *const bad[] = {
	    "",
	    "muster-published 2\n",
	    "muster-published 1\ncorp.example - 0 0 1688 kms.example",
	    "muster-published 1\ncorp.example - 0 0 1688\n",
	    "muster-published 1\ncorp.example - 0 0 1688 kms.example x\n",
	    "muster-published 1\ncorp.example - 0 0 65536 kms.example\n",
	    "muster-published 1\ncorp.example - 0 -1 1 kms.example\n",
	    "muster-published 1\ncorp.example x 0 0 1688 kms.example\n",
	    "muster-published 1\nco/rp - 0 0 1688 kms.example\n",
	    "muster-published 1\ncorp.example - 0 0 1688 k/ms\n",
	    "muster-published 1\n\n",
	};
	char copy[512], out[512];
	size_t len;

	publish_init(&p, 3600);
	memcpy(copy, text, sizeof(text));
	is(publish_read(&p, copy, 5), 0);
	is(publish_write(&p, out, sizeof(out), &len), 0);
	is_str(out, text);
	is(len, strlen(text));
	is(publish_write(&p, out, len, &len), MUSTER_E_TOOBIG);
	memcpy(copy, text, sizeof(text));
	is(publish_read(&p, copy, 5), 0); /* the same again is nothing new */
	is(p.items[0].n_standing, 2);
	/* what is wanted stays, what is not goes */
	set1("corp.example", 1700, 6);
	p.items[0].want.srv.target = p.items[0].standing[0].target;
	is(publish_next(&p, 6, &u, &is_noted), 0);
	ok(!is_noted && u.has_addition);
	is(u.n_deletions, 1);
	is(u.deletions[0].port, 1688);
	is(publish_next(&p, 6, &u, &is_noted), 1);
	ok(!u.has_addition);
	is(u.deletions[0].priority, 10);
	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
		publish_init(&p, 3600);
		memcpy(copy, bad[i], strlen(bad[i]) + 1);
		is(publish_read(&p, copy, 0), MUSTER_E_PROTO);
	}
}

static void
is_name(const char *host, const char *hosts, const char *resolv,
    const char *full)
{
	char text[DNS_TEXT_MAX + 1] = "none";
	struct dns_name name;

	if (fullname_find(host, hosts, resolv, &name) == 0)
		dns_name_text(&name, text);
	is_str(text, full);
}

static void
test_b20_the_full_name(void)
{
	static const char hosts[] =
	    "127.0.0.1 localhost\n"
	    "# 127.0.1.1 no.example kms\n"
	    "127.0.1.1\tKMS.Corp.Example other kms # x\n";
	static const char resolv[] = "nameserver 192.0.2.1\n"
	                             "domain first.example\n"
	                             "; nameserver 192.0.2.9\n"
	                             "search lab.example b.example\n"
	                             "nameserver 2001:db8::1";
	char server[FULLNAME_ADDRESS_MAX];

	is_name("a.example", hosts, resolv, "a.example");
	is_name("kms", hosts, resolv, "kms.corp.example");
	is_name("lab", hosts, resolv, "lab.lab.example");
	is_name("kms", "", "", "none");
	is_name("localhost", "127.0.0.1 localhost localhost", "", "none");
	is_name("k ms", hosts, resolv, "none");
	is_name("kms", "1 a/b.example kms\n2 c.example kms", "", "c.example");
	is_name("kms", "", "search .\n", "none");
	is(fullname_server(resolv, 0, server), 0);
	is_str(server, "192.0.2.1");
	is(fullname_server(resolv, 1, server), 0);
	is_str(server, "2001:db8::1");
	is(fullname_server(resolv, 2, server), MUSTER_E_NOENT);
	is(fullname_server("", 0, server), MUSTER_E_NOENT);
}

int
main(void)
{
	test_b20_at_start_and_every_24_hours();
	test_b20_a_failure_is_tried_again();
	test_b20_the_old_goes_and_the_new_comes();
	test_b20_a_change_while_an_update_is_in_flight();
	test_b20_withdrawal();
	test_b20_what_stands_is_bounded();
	test_b20_many_domains();
	test_b20_what_stands_outlives_the_process();
	test_b20_the_full_name();
	return tap_done();
}
