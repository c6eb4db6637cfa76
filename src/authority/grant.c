/* SPDX-License-Identifier: MIT */
/*
 * grant.c -- see grant.h for the table.
 */
#include "authority/grant.h"

#include <assert.h>
#include <string.h>

static const char *const codes[] = {
    [GRANT_NEW] = "new",
    [GRANT_SAME] = "same",
    [GRANT_REACTIVATION] = "reactivation",
    [GRANT_REPLACEMENT] = "replacement",
    [GRANT_KEY_REVOKED] = "key_revoked",
    [GRANT_COUNTER_OLD] = "counter_old",
    [GRANT_HOSTS_USED_UP] = "hosts_used_up",
    [GRANT_REACTIVATIONS_USED_UP] = "reactivations_used_up",
    [GRANT_SLOT_NOT_HELD] = "slot_not_held",
    [GRANT_SLOT_CLOSED] = "slot_closed",
    [GRANT_HOST_REVOKED] = "host_revoked",
    [GRANT_SLOT_REVOKED] = "slot_revoked",
};

const char *
grant_code(enum grant_kind kind)
{
	assert((size_t)kind < sizeof(codes) / sizeof(codes[0]));
	return codes[kind];
}

bool
grant_is_refusal(enum grant_kind kind)
{
	return kind >= GRANT_KEY_REVOKED;
}

static const struct grant_slot *
by_number(const struct grant_slot *slots, size_t n, uint32_t number)
{
	for (size_t i = 0; i < n; i++) {
		if (slots[i].slot == number)
			return &slots[i];
	}
	return NULL;
}

static const struct grant_slot *
by_host(const struct grant_slot *slots, size_t n, const uint8_t *print)
{
	for (size_t i = 0; i < n; i++) {
		if (slots[i].hold == GRANT_HELD &&
		    memcmp(slots[i].fingerprint, print, CERT_FINGERPRINT_LEN) ==
		        0)
			return &slots[i];
	}
	return NULL;
}

/* Could another host come in? */
static bool
is_free(const struct grant_slot *s)
{
	return s->hold == GRANT_FREE && s->revoked != GRANT_SLOT_ENDED &&
	    s->activation != GRANT_ACTIVATION_MAX;
}

uint32_t
grant_hosts_used(const struct grant_slot *slots, size_t n)
{
	uint32_t used = 0;

	for (size_t i = 0; i < n; i++) {
		if (!is_free(&slots[i]))
			used++;
	}
	return used;
}

static void
take_new(const struct grant_key *key, const struct grant_slot *slots, size_t n,
    struct grant_answer *a)
{
	a->kind = GRANT_HOSTS_USED_UP;
	for (uint32_t i = 1; i <= key->hosts && i <= GRANT_SLOTS_MAX; i++) {
		const struct grant_slot *s = by_number(slots, n, i);

		if (s != NULL && !is_free(s))
			continue;
		a->kind = GRANT_NEW;
		a->slot = (uint8_t)i;
		a->activation = s == NULL ? 1 : (uint8_t)(s->activation + 1);
		a->reactivations = 0;
		a->hosts_used++;
		break;
	}
}

/* The same host keeps its serial; another one gets the next. */
static void
take_again(const struct grant_key *key, const struct grant_slot *s,
    bool changes_hands, struct grant_answer *a)
{
	a->slot = s->slot;
	a->activation = s->activation;
	a->reactivations = s->reactivations;
	if (s->reactivations >= key->reactivations) {
		a->kind = GRANT_REACTIVATIONS_USED_UP;
	} else if (changes_hands && s->activation == GRANT_ACTIVATION_MAX) {
		a->kind = GRANT_SLOT_CLOSED;
	} else {
		a->kind =
		    changes_hands ? GRANT_REPLACEMENT : GRANT_REACTIVATION;
		a->reactivations++;
		if (changes_hands)
			a->activation++;
	}
}

/* Whichever of its two forms was granted. */
static bool
is_same(const struct grant_past *past, const struct grant_ask *ask)
{
	return ask->counter == past->counter &&
	    (ask->is_code || memcmp(ask->body, past->body, HASH_LEN) == 0 ||
	        memcmp(ask->code, past->body, HASH_LEN) == 0);
}

struct grant_answer
grant_decide(const struct grant_key *key, const struct grant_slot *slots,
    size_t n, const struct grant_past *past, const struct grant_ask *ask)
{
	const struct grant_slot *own = by_host(slots, n, ask->fingerprint);
	const struct grant_slot *old = by_number(slots, n, ask->replaces);
	struct grant_answer a = {.hosts_used = grant_hosts_used(slots, n)};

	if (key->is_revoked) {
		a.kind = GRANT_KEY_REVOKED;
	} else if (own != NULL && own->revoked != GRANT_STANDS) {
		a.kind = own->revoked == GRANT_SLOT_ENDED ? GRANT_SLOT_REVOKED
		                                          : GRANT_HOST_REVOKED;
		a.slot = own->slot;
	} else if (own != NULL && past->is_known && is_same(past, ask)) {
		a.kind = GRANT_SAME;
		a.slot = own->slot;
		a.activation = own->activation;
		a.reactivations = own->reactivations;
	} else if (past->is_known && ask->counter <= past->counter) {
		a.kind = GRANT_COUNTER_OLD;
	} else if (own != NULL &&
	    (ask->replaces == 0 || ask->replaces == own->slot)) {
		take_again(key, own, false, &a);
	} else if (ask->replaces == 0) {
		take_new(key, slots, n, &a);
	} else if (own != NULL || old == NULL || old->hold != GRANT_HELD) {
		a.kind = GRANT_SLOT_NOT_HELD;
		a.slot = ask->replaces;
	} else if (old->revoked == GRANT_SLOT_ENDED) {
		a.kind = GRANT_SLOT_REVOKED;
		a.slot = ask->replaces;
	} else {
		take_again(key, old, true, &a);
	}
	return a;
}
