/* SPDX-License-Identifier: MIT */
/*
 * test_grant.c -- who gets a slot: the limits of b41, b42 and b45.
 */
#include "authority/grant.h"

#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "tap.h"

#define SEED 20240611
#define RUNS 300
#define STEPS 60

/* A key as the database would keep it. */
struct site {
	struct grant_key key;
	struct grant_slot slots[GRANT_SLOTS_MAX];
	size_t n;
	struct grant_past past[256]; /* by host */
};

static void
site_init(struct site *s)
{
	memset(s, 0, sizeof(*s));
	s->key.hosts = GRANT_HOSTS;
	s->key.reactivations = GRANT_REACTIVATIONS;
}

static struct grant_ask
ask_of(uint8_t host, uint8_t counter, uint8_t replaces)
{
	struct grant_ask a = {.counter = counter, .replaces = replaces};

	memset(a.fingerprint, host, sizeof(a.fingerprint));
	a.code[0] = host;
	a.code[1] = counter;
	a.code[3] = 1;
	a.body[0] = host;
	a.body[1] = counter;
	a.body[2] = replaces;
	return a;
}

static struct grant_slot *
slot_at(struct site *s, uint8_t number)
{
	for (size_t i = 0; i < s->n; i++) {
		if (s->slots[i].slot == number)
			return &s->slots[i];
	}
	s->slots[s->n].slot = number;
	return &s->slots[s->n++];
}

/* Decide, and store the way the edge stores. */
static struct grant_answer
request(struct site *s, const struct grant_ask *ask)
{
	struct grant_past *past = &s->past[ask->fingerprint[0]];
	struct grant_answer a =
	    grant_decide(&s->key, s->slots, s->n, past, ask);
	struct grant_slot *slot;

	if (grant_is_refusal(a.kind) || a.kind == GRANT_SAME)
		return a;
	slot = slot_at(s, a.slot);
	slot->activation = a.activation;
	slot->hold = GRANT_HELD;
	slot->reactivations = a.reactivations;
	memcpy(slot->fingerprint, ask->fingerprint, CERT_FINGERPRINT_LEN);
	past->is_known = true;
	past->counter = ask->counter;
	memcpy(past->body, ask->body, HASH_LEN);
	return a;
}

static struct grant_answer
go(struct site *s, uint8_t host, uint8_t counter, uint8_t replaces)
{
	struct grant_ask ask = ask_of(host, counter, replaces);

	return request(s, &ask);
}

static void
test_b41_six_hosts_then_the_seventh_is_refused(void)
{
	struct site s;
	struct grant_answer a;

	site_init(&s);
	for (uint8_t i = 1; i <= 6; i++) {
		a = go(&s, i, 1, 0);
		is(a.kind, GRANT_NEW);
		is(a.slot, i);
		is(a.activation, 1);
		is(a.hosts_used, i);
	}
	a = go(&s, 7, 1, 0);
	is(a.kind, GRANT_HOSTS_USED_UP);
	is(a.hosts_used, 6);
	is_str(grant_code(a.kind), "hosts_used_up");
}

static void
test_b41_nine_reactivations_then_refused(void)
{
	struct site s;
	struct grant_answer a;

	site_init(&s);
	is(go(&s, 1, 1, 0).kind, GRANT_NEW);
	for (uint8_t i = 1; i <= 9; i++) {
		a = go(&s, 1, (uint8_t)(i + 1), 0);
		is(a.kind, GRANT_REACTIVATION);
		is(a.slot, 1);
		is(a.activation, 1);
		is(a.reactivations, i);
	}
	a = go(&s, 1, 11, 0);
	is(a.kind, GRANT_REACTIVATIONS_USED_UP);
	is(a.reactivations, 9);
	/* Another host's are its own. */
	is(go(&s, 2, 1, 0).kind, GRANT_NEW);
	is(go(&s, 2, 2, 0).kind, GRANT_REACTIVATION);
}

static void
test_b41_a_retry_counts_nothing(void)
{
	struct site s;

	site_init(&s);
	is(go(&s, 1, 1, 0).kind, GRANT_NEW);
	for (int i = 0; i < 20; i++)
		is(go(&s, 1, 1, 0).kind, GRANT_SAME);
	is(go(&s, 1, 2, 0).reactivations, 1);
	for (int i = 0; i < 20; i++)
		is(go(&s, 1, 2, 0).kind, GRANT_SAME);
	is(go(&s, 1, 3, 0).reactivations, 2);
}

static void
test_b41_an_older_or_altered_request_is_old(void)
{
	struct site s;
	struct grant_ask ask;

	site_init(&s);
	is(go(&s, 1, 5, 0).kind, GRANT_NEW);
	is(go(&s, 1, 4, 0).kind, GRANT_COUNTER_OLD);
	is(go(&s, 1, 0, 0).kind, GRANT_COUNTER_OLD);
	ask = ask_of(1, 5, 0);
	ask.body[31] ^= 1;
	is(request(&s, &ask).kind, GRANT_COUNTER_OLD);
}

/* The two forms of one request count once, whichever comes first. */
static void
test_b41_a_request_and_its_code_are_one(void)
{
	struct grant_ask ask, code;
	struct site s;

	site_init(&s);
	ask = ask_of(1, 5, 0);
	code = ask;
	code.is_code = true;
	memcpy(code.body, code.code, HASH_LEN);
	is(request(&s, &ask).kind, GRANT_NEW);
	is(request(&s, &code).kind, GRANT_SAME);
	is(request(&s, &ask).kind, GRANT_SAME);
	ask = ask_of(1, 6, 0);
	code.counter = 6;
	memcpy(code.body, ask.code, HASH_LEN);
	is(request(&s, &code).reactivations, 1);
	is(request(&s, &code).kind, GRANT_SAME);
	is(request(&s, &ask).kind, GRANT_SAME);
	ask.code[31] ^= 1;
	is(request(&s, &ask).kind, GRANT_COUNTER_OLD);
	code.counter = 5;
	is(request(&s, &code).kind, GRANT_COUNTER_OLD);
	/* the operator names the slot that a code cannot */
	code = ask_of(2, 1, 1);
	code.is_code = true;
	is(request(&s, &code).kind, GRANT_REPLACEMENT);
	is(request(&s, &code).kind, GRANT_SAME);
	code.replaces = 0;
	is(request(&s, &code).kind, GRANT_SAME);
}

static void
test_b41_a_rebuilt_host_takes_its_old_slot(void)
{
	struct site s;
	struct grant_answer a;

	site_init(&s);
	for (uint8_t i = 1; i <= 6; i++)
		is(go(&s, i, 1, 0).kind, GRANT_NEW);
	a = go(&s, 9, 1, 3);
	is(a.kind, GRANT_REPLACEMENT);
	is(a.slot, 3);
	is(a.activation, 2);
	is(a.reactivations, 1);
	is(a.hosts_used, 6);
	is(go(&s, 9, 1, 3).kind, GRANT_SAME);
	/* Its own slot named again is a plain reactivation. */
	a = go(&s, 9, 2, 3);
	is(a.kind, GRANT_REACTIVATION);
	is(a.activation, 2);
	/* The host that lost the slot cannot come back by an old request. */
	is(go(&s, 3, 1, 0).kind, GRANT_COUNTER_OLD);
	is(go(&s, 3, 2, 0).kind, GRANT_HOSTS_USED_UP);
}

static void
test_b41_replacements_use_up_the_reactivations(void)
{
	struct site s;

	site_init(&s);
	is(go(&s, 1, 1, 0).kind, GRANT_NEW);
	for (uint8_t i = 0; i < 9; i++)
		is(go(&s, (uint8_t)(10 + i), 1, 1).kind, GRANT_REPLACEMENT);
	is(go(&s, 30, 1, 1).kind, GRANT_REACTIVATIONS_USED_UP);
}

static void
test_b41_a_slot_nobody_holds_is_not_replaced(void)
{
	struct site s;

	site_init(&s);
	is(go(&s, 1, 1, 0).kind, GRANT_NEW);
	is(go(&s, 2, 1, 4).kind, GRANT_SLOT_NOT_HELD);
	is(go(&s, 2, 1, 0).kind, GRANT_NEW);
	is(go(&s, 2, 2, 1).kind, GRANT_SLOT_NOT_HELD);
}

static void
test_b42_a_grant_lifts_both_limits(void)
{
	struct site s;

	site_init(&s);
	s.key.hosts = 1;
	s.key.reactivations = 0;
	is(go(&s, 1, 1, 0).kind, GRANT_NEW);
	is(go(&s, 2, 1, 0).kind, GRANT_HOSTS_USED_UP);
	is(go(&s, 1, 2, 0).kind, GRANT_REACTIVATIONS_USED_UP);
	s.key.hosts = 2;
	s.key.reactivations = 1;
	is(go(&s, 2, 1, 0).kind, GRANT_NEW);
	is(go(&s, 1, 2, 0).kind, GRANT_REACTIVATION);
}

static void
test_b45_a_released_slot_is_used_until_it_is_free(void)
{
	struct site s;
	struct grant_answer a;

	site_init(&s);
	s.key.hosts = 1;
	is(go(&s, 1, 1, 0).kind, GRANT_NEW);
	s.slots[0].hold = GRANT_RELEASED;
	is(go(&s, 2, 1, 0).kind, GRANT_HOSTS_USED_UP);
	is(go(&s, 2, 1, 1).kind, GRANT_SLOT_NOT_HELD);
	s.slots[0].hold = GRANT_FREE;
	is(go(&s, 1, 1, 0).kind, GRANT_COUNTER_OLD);
	a = go(&s, 2, 1, 0);
	is(a.kind, GRANT_NEW);
	is(a.slot, 1);
	is(a.activation, 2);
	is(a.reactivations, 0);
}

static void
test_b45_a_slot_at_its_last_activation_is_closed(void)
{
	struct site s;

	site_init(&s);
	s.key.hosts = 1;
	s.key.reactivations = 1000;
	is(go(&s, 1, 1, 0).kind, GRANT_NEW);
	s.slots[0].activation = GRANT_ACTIVATION_MAX;
	is(go(&s, 2, 1, 1).kind, GRANT_SLOT_CLOSED);
	is(go(&s, 1, 2, 0).kind, GRANT_REACTIVATION);
	s.slots[0].hold = GRANT_FREE;
	is(go(&s, 2, 1, 0).kind, GRANT_HOSTS_USED_UP);
}

static void
test_b45_a_revoked_host_gets_nothing_and_another_follows(void)
{
	struct grant_answer a;
	struct site s;

	site_init(&s);
	is(go(&s, 1, 1, 0).kind, GRANT_NEW);
	s.slots[0].revoked = GRANT_HOST_ENDED;
	a = go(&s, 1, 1, 0); /* a retry as well: its answer is worth nothing */
	is(a.kind, GRANT_HOST_REVOKED);
	is(a.slot, 1);
	is(go(&s, 1, 2, 0).kind, GRANT_HOST_REVOKED);
	is(go(&s, 1, 2, 1).kind, GRANT_HOST_REVOKED);
	a = go(&s, 2, 1, 1);
	is(a.kind, GRANT_REPLACEMENT);
	is(a.activation, 2);
}

static void
test_b45_a_revoked_slot_is_nobodys(void)
{
	struct site s;

	site_init(&s);
	s.key.hosts = 2;
	is(go(&s, 1, 1, 0).kind, GRANT_NEW);
	s.slots[0].revoked = GRANT_SLOT_ENDED;
	is(go(&s, 1, 2, 0).kind, GRANT_SLOT_REVOKED);
	is(go(&s, 2, 1, 1).kind, GRANT_SLOT_REVOKED);
	s.slots[0].hold = GRANT_FREE;
	is(grant_hosts_used(s.slots, s.n), 1);
	is(go(&s, 2, 1, 0).slot, 2);
	is(go(&s, 3, 1, 0).kind, GRANT_HOSTS_USED_UP);
}

static void
test_b45_a_revoked_key_gives_nothing(void)
{
	struct site s;

	site_init(&s);
	is(go(&s, 1, 1, 0).kind, GRANT_NEW);
	s.key.is_revoked = true;
	is(go(&s, 1, 1, 0).kind, GRANT_KEY_REVOKED);
	is(go(&s, 1, 2, 0).kind, GRANT_KEY_REVOKED);
	is(go(&s, 2, 1, 0).kind, GRANT_KEY_REVOKED);
}

static uint32_t
draw(uint64_t *rng, uint32_t below)
{
	*rng ^= *rng << 13;
	*rng ^= *rng >> 7;
	*rng ^= *rng << 17;
	return (uint32_t)(*rng % below);
}

/* Every serial goes to one host only, and no limit is ever passed. */
static int
run_holds(uint64_t *rng)
{
	static uint8_t owner[GRANT_SLOTS_MAX + 1][256];
	struct site s;

	memset(owner, 0, sizeof(owner));
	site_init(&s);
	for (int step = 0; step < STEPS; step++) {
		uint8_t host = (uint8_t)(1 + draw(rng, 10));
		struct grant_answer a = go(&s, host, (uint8_t)draw(rng, 40),
		    (uint8_t)(draw(rng, 3) == 0 ? draw(rng, 8) : 0));
		size_t held = 0;

		if (!grant_is_refusal(a.kind)) {
			uint8_t *o = &owner[a.slot][a.activation];

			if (a.slot < 1 || a.slot > GRANT_HOSTS ||
			    a.activation == 0 || (*o != 0 && *o != host))
				return 0;
			*o = host;
		}
		for (size_t i = 0; i < s.n; i++) {
			held += s.slots[i].hold != GRANT_FREE;
			if (s.slots[i].reactivations > GRANT_REACTIVATIONS)
				return 0;
		}
		if (held > GRANT_HOSTS || held != a.hosts_used)
			return 0;
	}
	return 1;
}

static void
test_b41_limits_hold_over_any_requests(void)
{
	uint64_t rng = SEED;
	int good = 0;

	printf("# seed %d\n", SEED);
	for (int i = 0; i < RUNS; i++)
		good += run_holds(&rng);
	is(good, RUNS);
}

int
main(void)
{
	test_b41_six_hosts_then_the_seventh_is_refused();
	test_b41_nine_reactivations_then_refused();
	test_b41_a_retry_counts_nothing();
	test_b41_an_older_or_altered_request_is_old();
	test_b41_a_request_and_its_code_are_one();
	test_b41_a_rebuilt_host_takes_its_old_slot();
	test_b41_replacements_use_up_the_reactivations();
	test_b41_a_slot_nobody_holds_is_not_replaced();
	test_b42_a_grant_lifts_both_limits();
	test_b45_a_released_slot_is_used_until_it_is_free();
	test_b45_a_slot_at_its_last_activation_is_closed();
	test_b45_a_revoked_host_gets_nothing_and_another_follows();
	test_b45_a_revoked_slot_is_nobodys();
	test_b45_a_revoked_key_gives_nothing();
	test_b41_limits_hold_over_any_requests();
	return tap_done();
}
