/* SPDX-License-Identifier: MIT */
/*
 * queue.h -- virtual time: what will happen, the earliest first; what is due
 * at one moment happens in the order in which it was put in.
 */
#ifndef MUSTER_SIM_QUEUE_H
#define MUSTER_SIM_QUEUE_H

#include <stdbool.h>
#include <stdint.h>

/* Per machine of a world: a wake of each product, a time-out of each call,
 * and what is left over of earlier ones. */
#define QUEUE_PER_MACHINE 64
#define QUEUE_LEAST 2048

enum event_kind {
	EV_WAKE,      /* who: machine, what: product, tag: its wake */
	EV_TIMEOUT,   /* likewise, tag: the call */
	EV_LOOKED_UP, /* likewise */
	EV_PLACE,     /* likewise, tag: its place: is there room for a round? */
	EV_TO_HOST,   /* what: message */
	EV_TO_MACHINE, /* what: message */
	EV_SUBMIT,     /* who: host, tag: its epoch */
	EV_COMMIT,
	EV_SIGN,
	EV_IDLE,    /* who: host */
	EV_HOST_UP, /* who: host, tag: its epoch */
	EV_UP,      /* who: machine */
	EV_THAW,    /* who: machine */
	EV_BACK,    /* who: machine, what: product: its key is there again */
	EV_FAULT,   /* what: enum point */
	EV_SAMPLE,  /* of a site's counts */
	EV_DOWN     /* who: host or database: an outage begins */
};

struct event {
	int64_t at_ms;
	uint64_t order;
	enum event_kind kind;
	uint32_t who, what;
	uint64_t tag;
};

struct queue {
	uint32_t n, max;
	uint64_t order;
	struct event *heap;
};

/**
 * queue_init(): nothing will happen.
 *
 * In:      heap     max events, kept until the last use
 */
void queue_init(struct queue *q, struct event *heap, uint32_t max);

/**
 * queue_put(): one event more.
 *
 * Returns: false when there is no room; it is lost
 */
bool queue_put(struct queue *q, const struct event *ev);

/**
 * queue_next_ms(): when the next event is.
 *
 * Returns: its time; INT64_MAX: there is none
 */
int64_t queue_next_ms(const struct queue *q);

/**
 * queue_take(): the next event.
 *
 * Returns: false when there is none
 */
bool queue_take(struct queue *q, struct event *ev_out);

#endif /* MUSTER_SIM_QUEUE_H */
