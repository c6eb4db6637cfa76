/* SPDX-License-Identifier: MIT */
#include "authority/batch.h"

#include <pthread.h>
#include <stdlib.h>
#include <string.h>

#include "authority/ctx.h"
#include "authority/slots.h"
#include "base/clock.h"
#include "base/errcode.h"
#include "base/log.h"

struct batch {
	struct enrolment_env *env;
	struct metrics *metrics;
	batch_done_fn *done;
	pthread_t thread;
	pthread_mutex_t lock;
	pthread_cond_t wake;
	struct batch_item *head, **tail;
	size_t n;
	bool is_ending;
	bool is_broken;
	int last_err; /* of the store, so that each is logged once */
	struct fault last_fault;
};

static uint32_t
day_of(const struct batch_item *item)
{
	return (uint32_t)(item->now_unix_s / S_PER_DAY);
}

static int
apply_enrol(struct enrolment_env *env, struct batch_item *item)
{
	int err = enrolment_apply(env, &item->enrol);

	if (err == 0 && item->enrol.answer.kind == GRANT_HOSTS_USED_UP)
		err = slots_list(env->db, item->enrol.key.number, day_of(item),
		    &item->slots);
	return err;
}

static int
prove_ask(struct enrolment_env *env, struct batch_item *item)
{
	const struct slotask *a = &item->ask;
	int64_t apart = item->now_unix_s - a->asked_unix_s;
	int err = 0;

	if (memcmp(a->publisher, env->self.publisher, PUBLISHER_LEN) != 0)
		err = MUSTER_E_PUBLISHER;
	if (err == 0)
		err = enrolment_prove(env, a->key_number, item->ask_bytes,
		    SLOTASK_LEN, slotask_prove, &item->key);
	/* only who has the key learns the time here */
	if (err == 0 && (apart > SLOTASK_CLOCK_S || apart < -SLOTASK_CLOCK_S))
		err = MUSTER_E_CLOCK;
	if (err == 0)
		err = keys_is_revoked(env->db, &item->key, day_of(item));
	return err;
}

static int
apply_list(struct enrolment_env *env, struct batch_item *item)
{
	struct grant_slot slots[GRANT_SLOTS_MAX];
	size_t n = 0;
	int err;

	err = prove_ask(env, item);
	if (err == 0)
		err = keys_slots(env->db, item->key.number, day_of(item), slots,
		    &n);
	if (err == 0)
		err = slots_list(env->db, item->key.number, day_of(item),
		    &item->slots);
	if (err == 0)
		item->hosts_used = grant_hosts_used(slots, n);
	return err;
}

static int
apply_release(struct enrolment_env *env, struct batch_item *item)
{
	int err = prove_ask(env, item);

	if (err == 0 && item->key.limits.is_revoked)
		err = MUSTER_E_REVOKED;
	if (err == 0)
		err = slots_release(env->db, &item->key, item->ask.slot,
		    item->ask.activation, (uint16_t)day_of(item));
	return err;
}

/*
 * There and back, for a row that stays the same is not written: a disk that
 * takes no page shows here.
 */
static int
apply_health(struct enrolment_env *env)
{
	int err = db_exec(env->db, "UPDATE self SET url = url || 'x'", "");

	if (err == 0)
		err = db_exec(env->db,
		    "UPDATE self SET url = substr(url, 1, length(url) - 1)",
		    "");
	return err;
}

static int
apply(struct enrolment_env *env, struct batch_item *item)
{
	item->now_unix_s = clock_unix_s();
	switch (item->kind) {
	case BATCH_ENROL:
		return apply_enrol(env, item);
	case BATCH_LIST:
		return apply_list(env, item);
	case BATCH_RELEASE:
		return apply_release(env, item);
	case BATCH_HEALTH:
		return apply_health(env);
	}
	return MUSTER_E_INVAL;
}

/* An answer like others, about the request and what is stored for it. */
static bool
is_answer(const struct batch_item *item)
{
	switch (item->err) {
	case MUSTER_E_PUBLISHER:
	case MUSTER_E_SIG:
	case MUSTER_E_REVOKED:
	case MUSTER_E_ISSUER:
	case MUSTER_E_LOCKED:
	case MUSTER_E_CLOCK:
		return true;
	case MUSTER_E_NOENT:
	case MUSTER_E_AGAIN:
		return item->kind == BATCH_RELEASE;
	default:
		return item->err == 0;
	}
}

static enum fault_kind
fault_of(const struct batch_item *item, enum secrets_fault key)
{
	if (is_answer(item))
		return FAULT_NONE;
	if (key == SECRETS_ISSUING)
		return FAULT_ISSUING;
	if (key == SECRETS_SEAL)
		return FAULT_SEAL;
	return item->err == MUSTER_E_FULL ? FAULT_FULL : FAULT_DATABASE;
}

/* Each in a part of its own; 0 when the transaction is still good. */
static int
apply_all(struct enrolment_env *env, struct batch_item *list)
{
	int err = 0;

	for (struct batch_item *i = list; i != NULL && err == 0; i = i->next) {
		err = db_mark(env->db);
		if (err != 0)
			break;
		i->err = apply(env, i);
		i->fault = fault_of(i, secrets_take_fault(env->secrets));
		err = db_unmark(env->db, i->err != 0);
	}
	return err;
}

/* What is asked once more may need no issuing key: it tells nothing. */
static bool
is_telling(const struct batch_item *item)
{
	const struct grant_answer *a = &item->enrol.answer;

	return item->fault != FAULT_NONE ||
	    (item->err == 0 &&
	        (item->kind != BATCH_ENROL ||
	            (a->kind != GRANT_SAME && !grant_is_refusal(a->kind))));
}

static void
tell_item(struct batch *b, const struct batch_item *item)
{
	struct fault f = {.kind = item->fault,
	    .err = item->err,
	    .act = (int)item->kind};

	if (item->kind == BATCH_ENROL)
		f.key_number = item->enrol.request.key_number;
	else if (item->kind != BATCH_HEALTH)
		f.key_number = item->ask.key_number;
	if (is_telling(item))
		fault_note(&b->last_fault, &f);
}

static void
tell(struct batch *b, int err)
{
	char code[ERRCODE_MAX];

	if (err == b->last_err)
		return;
	b->last_err = err;
	errcode(err, code);
	if (err == 0)
		log_line(LOG_NOTE, "store",
		    "the database can be written again");
	else
		log_event(LOG_ERROR, "store", LOG_FIELDS(LOG_CODE(err)),
		    "%s: %s; requests are refused until it can be written",
		    code, muster_strerror(err));
}

/* What a disk has lost, its next sync does not tell: there is no next one. */
static void
give_up(struct batch *b, int err)
{
	char code[ERRCODE_MAX];

	errcode(err, code);
	log_event(LOG_ERROR, "store", LOG_FIELDS(LOG_CODE(err)),
	    "%s: the disk did not take a transaction; the service ends, and "
	    "the next start finds out what is there: see to the disk "
	    "(journalctl -k)",
	    code);
	(void)pthread_mutex_lock(&b->lock);
	b->is_ending = true;
	b->is_broken = true;
	(void)pthread_mutex_unlock(&b->lock);
}

static void
run(struct batch *b, struct batch_item *list, size_t n)
{
	struct enrolment_env *env = b->env;
	struct batch_item *next;
	bool is_lost = false;
	int err;

	err = db_begin(env->db);
	if (err == 0)
		err = apply_all(env, list);
	if (err == 0) {
		err = db_commit(env->db);
		is_lost = err == MUSTER_E_IO;
	}
	if (err != 0)
		db_rollback(env->db);
	if (is_lost)
		give_up(b, err);
	else
		tell(b, err);
	metrics_batch(b->metrics, n, err);
	for (struct batch_item *i = list; i != NULL; i = next) {
		next = i->next;
		if (err == 0)
			tell_item(b, i);
		if (err != 0) {
			i->err = err;
			i->fault = fault_of(i, SECRETS_SOUND);
		}
		b->done(i);
	}
}

/* All that wait, in their order, BATCH_MAX at most. */
static struct batch_item *
take(struct batch *b, size_t *n_out)
{
	struct batch_item *list = b->head, *last = b->head;
	size_t n = 1;

	while (n < BATCH_MAX && last->next != NULL) {
		last = last->next;
		n++;
	}
	b->head = last->next;
	if (b->head == NULL)
		b->tail = &b->head;
	last->next = NULL;
	b->n -= n;
	b->metrics->waiting = b->n;
	*n_out = n;
	return list;
}

/* Those that wait for a database that is not asked any more. */
static void
turn_away(struct batch *b, struct batch_item *list)
{
	struct batch_item *next;

	for (struct batch_item *i = list; i != NULL; i = next) {
		next = i->next;
		i->err = MUSTER_E_LOCKED;
		b->done(i);
	}
}

static void *
main_of_thread(void *arg)
{
	struct batch *b = arg;
	struct batch_item *list;
	bool is_broken;
	size_t n = 0;

	(void)pthread_mutex_lock(&b->lock);
	for (;;) {
		while (b->head == NULL && !b->is_ending)
			(void)pthread_cond_wait(&b->wake, &b->lock);
		if (b->head == NULL)
			break;
		list = take(b, &n);
		is_broken = b->is_broken;
		(void)pthread_mutex_unlock(&b->lock);
		if (is_broken)
			turn_away(b, list);
		else
			run(b, list, n);
		(void)pthread_mutex_lock(&b->lock);
	}
	(void)pthread_mutex_unlock(&b->lock);
	return NULL;
}

int
batch_start(struct enrolment_env *env, struct metrics *metrics,
    batch_done_fn *done, struct batch **batch_out)
{
	struct batch *b = calloc(1, sizeof(*b));

	if (b == NULL)
		return MUSTER_E_NOMEM;
	*b = (struct batch){.env = env, .metrics = metrics, .done = done};
	b->tail = &b->head;
	(void)pthread_mutex_init(&b->lock, NULL);
	(void)pthread_cond_init(&b->wake, NULL);
	(void)sqlite3_busy_timeout(env->db, BATCH_BUSY_MS);
	if (pthread_create(&b->thread, NULL, main_of_thread, b) != 0) {
		free(b);
		return MUSTER_E_IO;
	}
	*batch_out = b;
	return 0;
}

bool
batch_add(struct batch *b, struct batch_item *item)
{
	bool is_taken;

	(void)pthread_mutex_lock(&b->lock);
	is_taken = !b->is_ending && b->n < BATCH_QUEUE_MAX;
	if (is_taken) {
		item->next = NULL;
		*b->tail = item;
		b->tail = &item->next;
		b->n++;
		b->metrics->waiting = b->n;
		(void)pthread_cond_signal(&b->wake);
	}
	(void)pthread_mutex_unlock(&b->lock);
	return is_taken;
}

bool
batch_is_broken(struct batch *b)
{
	bool is_broken;

	if (b == NULL)
		return false;
	(void)pthread_mutex_lock(&b->lock);
	is_broken = b->is_broken;
	(void)pthread_mutex_unlock(&b->lock);
	return is_broken;
}

void
batch_end(struct batch *b)
{
	if (b == NULL)
		return;
	(void)pthread_mutex_lock(&b->lock);
	b->is_ending = true;
	(void)pthread_cond_signal(&b->wake);
	(void)pthread_mutex_unlock(&b->lock);
	(void)pthread_join(b->thread, NULL);
}

void
batch_free(struct batch *b)
{
	if (b == NULL)
		return;
	(void)pthread_cond_destroy(&b->wake);
	(void)pthread_mutex_destroy(&b->lock);
	free(b);
}
