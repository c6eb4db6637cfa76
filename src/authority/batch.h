/* SPDX-License-Identifier: MIT */
/*
 * batch.h -- the one thread that has the database, and the queue before it.
 *
 *   add ─ queue ─ all that wait, BATCH_MAX at most: begin, each in a part of
 *                 its own, commit ─ done, for each of them
 *
 * What comes while a batch is with the disk is the next batch, so a slow disk
 * makes larger batches.  A request whose part fails undoes that part alone;
 * nobody is told anything before the commit.
 */
#ifndef MUSTER_AUTHORITY_BATCH_H
#define MUSTER_AUTHORITY_BATCH_H

#include <stdbool.h>

#include "authority/enrolment.h"
#include "authority/fault.h"
#include "authority/metrics.h"
#include "trust/slotask.h"

/*
 * More than a batch takes in a second of a slow disk: who would wait longer is
 * told so at once.
 */
#define BATCH_QUEUE_MAX 1024
#define BATCH_MAX 64       /* the last of a batch waits for all before it */
#define BATCH_BUSY_MS 2000 /* of waiting for a command that has the database */

enum batch_kind { BATCH_ENROL, BATCH_LIST, BATCH_RELEASE, BATCH_HEALTH };

struct batch_item {
	enum batch_kind kind;
	struct enrolment enrol;
	struct slotask ask;
	uint8_t ask_bytes[SLOTASK_LEN];
	void *owner; /* of the item, for the callback */

	enum fault_kind fault; /* where it is not the request's own */
	int err;               /* what follows is good where it is 0 */
	struct keys_row key;
	uint32_t hosts_used;
	json_t *slots;      /* of a list or of hosts_used_up; or NULL */
	int64_t now_unix_s; /* the authority's clock */
	struct batch_item *next;
};

struct batch;

/* On the store thread; the item is the owner's again. */
typedef void batch_done_fn(struct batch_item *item);

/**
 * batch_start(): begin the thread.
 *
 * In:      env      the thread's until batch_end()
 * Returns: 0; MUSTER_E_NOMEM, MUSTER_E_IO
 */
MUSTER_NODISCARD int batch_start(struct enrolment_env *env,
    struct metrics *metrics, batch_done_fn *done, struct batch **batch_out);

/**
 * batch_add(): hand an item over.
 *
 * Returns: true, and done() will be called; false: the queue is full, or it
 *          ends, and the item is still the caller's
 */
bool batch_add(struct batch *b, struct batch_item *item);

/**
 * batch_is_broken(): has the disk failed to take a transaction?
 *
 * Then nothing more is taken, and all that is left is to end: only a process
 * that opens the database anew can tell what it holds.
 *
 * Returns: true from that failure on; false for NULL
 */
bool batch_is_broken(struct batch *b);

/**
 * batch_end(): answer all that wait, end the thread; batch_add() then refuses.
 * NULL is let be.
 *
 * Blocks:  for the batches that wait
 */
void batch_end(struct batch *b);

/**
 * batch_free(): after batch_end(), when nobody calls batch_add() any more;
 * NULL is let be.
 */
void batch_free(struct batch *b);

#endif /* MUSTER_AUTHORITY_BATCH_H */
