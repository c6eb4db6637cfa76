/* SPDX-License-Identifier: MIT */
/* Goal: whom a client asks, and in which order. */
#include "discovery/walk.h"

#include <stdlib.h>

#include "tap.h"

static struct walk walk;
static struct walk_plan plan;
static struct walk_todo todo;

/* Of those that are left always the first. */
static uint32_t
lowest(void *arg, uint32_t below)
{
	(void)arg;
	(void)below;
	return 0;
}

/* Records of the domain that is being looked up. */
struct record {
	const char *target;
	unsigned priority;
};

static void
step(enum walk_kind kind)
{
	const struct walk_event ev = {.kind = kind};

	walk_step(&walk, &ev, &todo);
}

static void
found(const struct record *r, size_t n)
{
	const struct walk_event ev = {.kind = WALK_LOOKED_UP, .draw = lowest};

	for (size_t i = 0; i < n; i++) {
		struct dns_srv srv = {.priority = (uint16_t)r[i].priority,
		    .weight = 1,
		    .port = 1688};

		is(dns_name_parse(r[i].target, &srv.target), 0);
		choice_add(&walk.choice, &srv);
	}
	walk_step(&walk, &ev, &todo);
}

static void
absent(int err)
{
	const struct walk_event ev = {.kind = WALK_LOOKED_UP, .err = err};

	walk_step(&walk, &ev, &todo);
}

static void
begin(void)
{
	walk_init(&walk, &plan);
	step(WALK_BEGIN);
}

static void
domains(const char *a, const char *b)
{
	plan = (struct walk_plan){.n_hosts = 0};
	walk_plan_domain(&plan, a);
	if (b != NULL)
		walk_plan_domain(&plan, b);
}

static void
known(const char *host, const char *domain, unsigned priority)
{
	plan.known = (struct walk_known){.priority = (uint16_t)priority};
	(void)snprintf(plan.known.host, sizeof(plan.known.host), "%s", host);
	(void)snprintf(plan.known.domain, sizeof(plan.known.domain), "%s",
	    domain);
}

#define asks(name)                       \
	do {                             \
		is(todo.act, WALK_ASK);  \
		is_str(todo.host, name); \
	} while (0)
#define looks_up(name)                      \
	do {                                \
		is(todo.act, WALK_LOOK_UP); \
		is_str(todo.domain, name);  \
	} while (0)

static void
test_b22_walk_of_static_hosts_looks_nothing_up(void)
{
	struct walk_known k;

	domains("corp.example", NULL);
	plan.n_hosts = 3;
	memcpy(plan.host[0], "a:1", 4);
	memcpy(plan.host[1], "a:1", 4); /* named twice, asked twice */
	memcpy(plan.host[2], "b:1", 4);
	known("k.corp.example:1688", "corp.example", 0);
	plan.is_renewal = true;
	begin();
	asks("a:1");
	is(todo.source, WALK_STATIC);
	ok(todo.has_more);
	step(WALK_FAILED);
	asks("a:1");
	step(WALK_FAILED);
	asks("b:1");
	ok(!todo.has_more);
	step(WALK_FAILED);
	is(todo.act, WALK_END);
	begin();
	step(WALK_RESPONDED);
	is(todo.act, WALK_END);
	ok(!walk_known(&walk, &k));
}

static void
test_b22_walk_takes_the_domains_in_turn(void)
{
	static const struct record two[] = {{"a.lab.example", 1},
	    {"b.lab.example", 2}};
	static const struct record one[] = {{"c.corp.example", 0}};

	domains("Lab.Example.", "corp.example");
	walk_plan_domain(&plan, "lab.example"); /* there already */
	walk_plan_domain(&plan, ".");
	walk_plan_domain(&plan, "no name");
	walk_plan_domain(&plan, "");
	is(plan.n_domains, 2);
	begin();
	looks_up("lab.example");
	absent(MUSTER_E_NXDOMAIN);
	looks_up("corp.example");
	absent(MUSTER_E_NODATA);
	is(todo.act, WALK_END);

	begin();
	found(two, 2);
	asks("a.lab.example:1688");
	is_str(todo.domain, "lab.example");
	is(todo.source, WALK_DNS);
	step(WALK_FAILED);
	asks("b.lab.example:1688");
	ok(todo.has_more); /* of the other domain */
	step(WALK_FAILED);
	looks_up("corp.example");
	found(one, 1);
	asks("c.corp.example:1688");
	ok(!todo.has_more);
	step(WALK_FAILED);
	is(todo.act, WALK_END);
}

/* What was added before a look-up failed is nobody's word. */
static void
test_b22_walk_asks_nobody_of_a_failed_look_up(void)
{
	struct dns_srv srv = {.port = 1688, .weight = 1};

	domains("lab.example", "corp.example");
	begin();
	looks_up("lab.example");
	is(dns_name_parse("a.lab.example", &srv.target), 0);
	choice_add(&walk.choice, &srv);
	absent(MUSTER_E_PROTO);
	looks_up("corp.example");
	choice_add(&walk.choice, &srv);
	absent(MUSTER_E_DNS_TIMEOUT);
	is(todo.act, WALK_END);
}

/* Nor does it say anything of the host that is remembered. */
static void
test_b24_a_failed_look_up_has_no_priorities(void)
{
	static const struct record b[] = {{"b.corp.example", 3}};
	struct dns_srv srv = {.port = 1688, .weight = 1, .priority = 1};

	domains("lab.example", "corp.example");
	known("k.corp.example:1688", "corp.example", 5);
	plan.is_renewal = true;
	begin();
	looks_up("lab.example");
	is(dns_name_parse("a.corp.example", &srv.target), 0);
	choice_add(&walk.choice, &srv);
	is(dns_name_parse("k.corp.example", &srv.target), 0);
	choice_add(&walk.choice, &srv);
	absent(MUSTER_E_PROTO);
	looks_up("corp.example");
	found(b, 1);
	asks("b.corp.example:1688");
}

static void
test_b22_walk_has_limits(void)
{
	char text[32];

	domains("d.example", NULL);
	for (unsigned i = 0; i < 20; i++) {
		(void)snprintf(text, sizeof(text), "d%u.example", i);
		walk_plan_domain(&plan, text);
	}
	is(plan.n_domains, WALK_DOMAINS_MAX);
	begin();
	for (unsigned i = 1; i < WALK_DOMAINS_MAX; i++) {
		is(todo.act, WALK_LOOK_UP);
		absent(MUSTER_E_SERVFAIL);
	}
	is(todo.act, WALK_LOOK_UP);
	absent(MUSTER_E_SERVFAIL);
	is(todo.act, WALK_END);
}

static void
test_b23_walk_goes_on_until_the_list_is_empty(void)
{
	unsigned n = 0;

	domains("corp.example", NULL);
	begin();
	for (unsigned i = 0; i < 300; i++) {
		char text[32];
		struct dns_srv srv = {.port = 1688, .weight = 1};

		(void)snprintf(text, sizeof(text), "k%u.corp.example", i);
		is(dns_name_parse(text, &srv.target), 0);
		choice_add(&walk.choice, &srv);
	}
	found(NULL, 0);
	while (todo.act == WALK_ASK && n < 1000) {
		n++;
		ok(todo.has_more == (n < 300));
		step(WALK_FAILED);
	}
	is(n, 300);
	is(todo.act, WALK_END);
}

/* Names as long as there are, which differ at their end, are two hosts; each is
 * asked once. */
static void
test_b23_walk_asks_the_longest_names(void)
{
	char text[2][DNS_TEXT_MAX + 1], host[2 * sizeof(text)];
	const struct record r[2] = {{text[0], 1}, {text[1], 2}};

	for (size_t i = 0; i < 2; i++) {
		memset(text[i], 'a', DNS_TEXT_MAX);
		text[i][DNS_TEXT_MAX] = '\0';
		for (size_t k = 63; k < DNS_TEXT_MAX; k += 64)
			text[i][k] = '.';
		text[i][DNS_TEXT_MAX - 1] = (char)('x' + i);
	}
	domains("lab.example", "corp.example");
	begin();
	found(r, 2);
	for (size_t i = 0; i < 2; i++) {
		(void)snprintf(host, sizeof(host), "%s:1688", text[i]);
		asks(host);
		step(WALK_FAILED);
	}
	looks_up("corp.example");
	found(r, 2);
	is(todo.act, WALK_END);
}

/* The same host in two domains is asked once. */
static void
test_b23_walk_asks_nobody_twice(void)
{
	static const struct record r[] = {{"a.corp.example", 1}};

	domains("lab.example", "corp.example");
	begin();
	found(r, 1);
	asks("a.corp.example:1688");
	step(WALK_FAILED);
	looks_up("corp.example");
	found(r, 1);
	is(todo.act, WALK_END);
}

static void
test_b24_walk_remembers_who_responded(void)
{
	static const struct record r[] = {{"a.corp.example", 1},
	    {"b.corp.example", 7}};
	struct walk_known k;

	domains("corp.example", NULL);
	begin();
	found(r, 2);
	step(WALK_FAILED);
	asks("b.corp.example:1688");
	step(WALK_RESPONDED);
	is(todo.act, WALK_END);
	ok(walk_known(&walk, &k));
	is_str(k.host, "b.corp.example:1688");
	is_str(k.domain, "corp.example");
	is(k.priority, 7);
	/* from then on it is first, and nothing is looked up */
	plan.known = k;
	begin();
	asks("b.corp.example:1688");
	is(todo.source, WALK_KNOWN);
	is_str(todo.domain, "corp.example");
	ok(todo.has_more && !todo.is_brief);
	step(WALK_RESPONDED);
	ok(!walk_known(&walk, &k)); /* nothing new */
}

static void
test_b24_walk_discovers_anew_when_that_host_fails(void)
{
	static const struct record r[] = {{"b.corp.example", 7},
	    {"c.corp.example", 9}};
	struct walk_known k;

	domains("corp.example", NULL);
	known("b.corp.example:1688", "corp.example", 7);
	begin();
	asks("b.corp.example:1688");
	step(WALK_FAILED);
	looks_up("corp.example");
	found(r, 2);
	asks("c.corp.example:1688"); /* the other one has failed */
	ok(!todo.has_more);
	step(WALK_RESPONDED);
	ok(walk_known(&walk, &k));
	is_str(k.host, "c.corp.example:1688");
}

static void
test_b24_renewal_leaves_it_for_a_better_one(void)
{
	static const struct record r[] = {{"b.corp.example", 7},
	    {"a.corp.example", 2}, {"z.corp.example", 9}};
	struct walk_known k;

	domains("corp.example", NULL);
	known("b.corp.example:1688", "corp.example", 7);
	plan.is_renewal = true;
	begin();
	looks_up("corp.example");
	found(r, 3);
	asks("a.corp.example:1688");
	ok(todo.is_brief && todo.has_more);
	step(WALK_RESPONDED);
	ok(walk_known(&walk, &k));
	is_str(k.host, "a.corp.example:1688");
	is(k.priority, 2);
	/* where the better one is dead, it stays, and then come the others */
	begin();
	found(r, 3);
	step(WALK_FAILED);
	asks("b.corp.example:1688");
	is(todo.source, WALK_KNOWN);
	ok(!todo.is_brief && todo.has_more);
	step(WALK_FAILED);
	asks("z.corp.example:1688");
	ok(!todo.is_brief);
	step(WALK_FAILED);
	is(todo.act, WALK_END);
}

static void
test_b24_renewal_stays_among_equals(void)
{
	static const struct record r[] = {{"a.corp.example", 7},
	    {"b.corp.example", 7}};
	static const struct record worse[] = {{"a.corp.example", 8},
	    {"b.corp.example", 9}};
	struct walk_known k;

	domains("corp.example", NULL);
	known("b.corp.example:1688", "corp.example", 7);
	plan.is_renewal = true;
	begin();
	found(r, 2);
	asks("b.corp.example:1688");
	is(todo.source, WALK_KNOWN);
	step(WALK_RESPONDED);
	ok(!walk_known(&walk, &k));
	/* its own priority is the one it has by now */
	begin();
	found(worse, 2);
	asks("a.corp.example:1688");
	step(WALK_FAILED);
	asks("b.corp.example:1688");
	step(WALK_RESPONDED);
	ok(walk_known(&walk, &k));
	is_str(k.host, "b.corp.example:1688");
	is(k.priority, 9);
}

static void
test_b24_renewal_tries_few_better_ones(void)
{
	static const struct record r[] = {{"a.corp.example", 1},
	    {"c.corp.example", 2}, {"d.corp.example", 3},
	    {"b.corp.example", 7}};

	domains("corp.example", NULL);
	known("b.corp.example:1688", "corp.example", 7);
	plan.is_renewal = true;
	begin();
	found(r, 4);
	for (unsigned i = 0; i < WALK_BETTER_MAX; i++) {
		ok(todo.is_brief);
		step(WALK_FAILED);
	}
	asks("b.corp.example:1688");
	step(WALK_FAILED);
	asks("d.corp.example:1688");
}

static void
test_b24_renewal_needs_no_name_server(void)
{
	static const struct record r[] = {{"c.lab.example", 3}};

	domains("corp.example", "lab.example");
	known("b.lab.example:1688", "lab.example", 7);
	plan.is_renewal = true;
	begin();
	absent(MUSTER_E_DNS_TIMEOUT); /* and the next is not waited for */
	asks("b.lab.example:1688");
	step(WALK_FAILED);
	looks_up("lab.example");
	found(r, 1);
	asks("c.lab.example:1688");
	/* where there is no record, the next domain is looked at */
	begin();
	absent(MUSTER_E_NXDOMAIN);
	looks_up("lab.example");
	absent(MUSTER_E_NXDOMAIN);
	asks("b.lab.example:1688");
	step(WALK_FAILED);
	is(todo.act, WALK_END);
}

static void
test_b24_an_earlier_domain_is_better(void)
{
	static const struct record r[] = {{"c.corp.example", 50}};

	domains("corp.example", "lab.example");
	known("b.lab.example:1688", "lab.example", 7);
	plan.is_renewal = true;
	begin();
	found(r, 1);
	asks("c.corp.example:1688");
}

static void
test_b22_a_configured_domain_forgets_others(void)
{
	domains("corp.example", NULL);
	known("b.lab.example:1688", "lab.example", 7);
	plan.is_only = true;
	begin();
	looks_up("corp.example");
	/* where the list changed only, as it does on the way, it stays */
	plan.is_only = false;
	begin();
	asks("b.lab.example:1688");
	/* and so does one that was found in the domain that is set */
	domains("lab.example", NULL);
	known("b.lab.example:1688", "lab.example", 7);
	plan.is_only = true;
	begin();
	asks("b.lab.example:1688");
	is(todo.source, WALK_KNOWN);
}

/* Where it was found is part of what is remembered: a change is written. */
static void
test_b24_the_same_host_of_another_domain(void)
{
	static const struct record r[] = {{"b.shared.example", 7}};
	struct walk_known k;

	domains("corp.example", NULL);
	known("b.shared.example:1688", "lab.example", 7);
	plan.is_only = true;
	begin();
	looks_up("corp.example");
	found(r, 1);
	asks("b.shared.example:1688");
	is(todo.source, WALK_DNS);
	step(WALK_RESPONDED);
	ok(walk_known(&walk, &k));
	is_str(k.host, "b.shared.example:1688");
	is_str(k.domain, "corp.example");
}

static void
test_walk_without_anything_ends(void)
{
	struct walk_known k;

	plan = (struct walk_plan){.n_hosts = 0};
	begin();
	is(todo.act, WALK_END);
	ok(!walk_known(&walk, &k));
}

/* A name server may name a host twice: it is one, and the remembered one after
 * it is still no brief question. */
static void
test_b24_a_better_one_that_is_named_twice(void)
{
	static const struct record r[] = {{"a.corp.example", 1},
	    {"a.corp.example", 2}, {"b.corp.example", 7}};

	domains("corp.example", NULL);
	known("b.corp.example:1688", "corp.example", 7);
	plan.is_renewal = true;
	begin();
	found(r, 3);
	asks("a.corp.example:1688");
	ok(todo.is_brief && todo.has_more);
	step(WALK_FAILED);
	asks("b.corp.example:1688");
	is(todo.source, WALK_KNOWN);
	ok(!todo.is_brief);
	step(WALK_FAILED);
	is(todo.act, WALK_END);
	/* and where nothing comes behind them */
	begin();
	found(r, 2);
	asks("a.corp.example:1688");
	step(WALK_FAILED);
	asks("b.corp.example:1688");
	is(todo.source, WALK_KNOWN);
}

static void
test_b22_what_is_no_domain_is_not_looked_up(void)
{
	char longest[DNS_TEXT_MAX + 2];

	plan = (struct walk_plan){.n_hosts = 0};
	walk_plan_domain(&plan, "a..b");
	walk_plan_domain(&plan, ".");
	walk_plan_domain(&plan, "");
	/* a name by itself, but not below the service's */
	memset(longest, 'a', sizeof(longest));
	for (size_t i = 60; i < 253; i += 61)
		longest[i] = '.';
	longest[250] = '\0';
	walk_plan_domain(&plan, longest);
	is((long long)plan.n_domains, 0);
	longest[230] = '\0';
	walk_plan_domain(&plan, longest);
	walk_plan_domain(&plan, longest);
	is((long long)plan.n_domains, 1);
}

int
main(void)
{
	test_b22_walk_of_static_hosts_looks_nothing_up();
	test_b22_walk_takes_the_domains_in_turn();
	test_b22_walk_asks_nobody_of_a_failed_look_up();
	test_b24_a_failed_look_up_has_no_priorities();
	test_b22_walk_has_limits();
	test_b23_walk_goes_on_until_the_list_is_empty();
	test_b23_walk_asks_the_longest_names();
	test_b23_walk_asks_nobody_twice();
	test_b24_walk_remembers_who_responded();
	test_b24_walk_discovers_anew_when_that_host_fails();
	test_b24_renewal_leaves_it_for_a_better_one();
	test_b24_renewal_stays_among_equals();
	test_b24_renewal_tries_few_better_ones();
	test_b24_renewal_needs_no_name_server();
	test_b24_an_earlier_domain_is_better();
	test_b22_a_configured_domain_forgets_others();
	test_b24_the_same_host_of_another_domain();
	test_walk_without_anything_ends();
	test_b24_a_better_one_that_is_named_twice();
	test_b22_what_is_no_domain_is_not_looked_up();
	return tap_done();
}
