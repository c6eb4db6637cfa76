/* SPDX-License-Identifier: MIT */
/*
 * events.h -- the last lines of the log, in memory: what the page shows.
 *
 * Every line that musterd writes goes through base/log.h, and so into the ring
 * as well; those of the level "fine" do not, since they would drive out all
 * others.  A warning or an error stays when EVENTS_MAX newer lines have come:
 * notes of requests alone take an hour or two for that.  The names of the
 * events are those of doc/logs.md.
 */
#ifndef MUSTER_HOST_EVENTS_H
#define MUSTER_HOST_EVENTS_H

#include <jansson.h>
#include <stdint.h>

#include "base/log.h"

#define EVENTS_MAX 1024 /* 1.3 MB, of which what was written is used */
#define EVENTS_KEPT_MAX \
	64 /* warnings and errors behind those; the page shows ten; 0.1 MB */
#define EVENTS_LIMIT 100
#define EVENTS_LIMIT_MAX 1000

/**
 * events_init(): take in what is logged from now on, on any thread.
 */
void events_init(void);

/**
 * events_last(): the id of the newest.
 *
 * Returns: 0: none yet
 */
uint64_t events_last(void);

/**
 * events_json(): GET /v1/events.
 *
 * In:      after    0: the newest; else those with a higher id, the oldest
 *                   of them first
 *          limit    1 to EVENTS_LIMIT_MAX
 *          level    those at least so grave alone
 *
 * Its "first" is the id from which on every line is there; graver ones may
 * stand before it.  Its "lost": some of this level behind `after` are gone.
 * Returns: an object, or NULL out of memory
 */
json_t *events_json(uint64_t after, uint32_t limit, enum log_level level);

#endif /* MUSTER_HOST_EVENTS_H */
