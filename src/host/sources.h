/* SPDX-License-Identifier: MIT */
/*
 * sources.h -- where connections come from, so that one source cannot take
 * what others need; pure, with the caller's time.
 *
 * A source is an IPv4 address or the first half of an IPv6 address.  Each
 * family has a table of fixed size; a source has one of SOURCES_WAYS places
 * there, found by a keyed hash, so that nobody can choose whom it drives out.
 * A source without a place is let in: the table bounds memory, not service.
 *
 *   many     more than so many connections are open
 *   fast     more than so many came within a minute; no limit by default
 *   penalty  it sent what is no call: SOURCES_PENALTY_S, twice as long with
 *            each that follows, at most SOURCES_PENALTY_MAX_S; what is that
 *            long over is forgotten.  It never lasts: sites share addresses
 */
#ifndef MUSTER_HOST_SOURCES_H
#define MUSTER_HOST_SOURCES_H

#include <stdbool.h>
#include <stdint.h>

#define SOURCES_MAX 65536 /* of each family; 2 MiB, touched as used */
#define SOURCES_WAYS 8
#define SOURCES_KEY_LEN 16
#define SOURCES_ADDRESS_LEN 16
#define SOURCES_PENALTY_S 10
#define SOURCES_PENALTY_MAX_S 600
#define SOURCES_WINDOW_S 60

enum source_verdict {
	SOURCE_WELCOME,
	SOURCE_MANY,
	SOURCE_FAST,
	SOURCE_PENALTY
};

struct source {
	uint64_t key;
	uint32_t n_open;
	uint32_t n_window;
	uint32_t window_s; /* when its minute began */
	uint32_t until_s;  /* of the last penalty */
	uint32_t penalty_s;
	bool is_used;
};

struct source_limits {
	uint32_t open_max;
	uint32_t per_minute; /* 0: none */
};

struct sources {
	uint8_t key[SOURCES_KEY_LEN]; /* random */
	struct source v4[SOURCES_MAX];
	struct source v6[SOURCES_MAX];
};

/**
 * sources_enter(): a connection comes.
 *
 * In:      address  SOURCES_ADDRESS_LEN bytes, IPv4 as ::ffff:0:0/96
 *          now_s    monotonic, from 1 on
 * Out:     source_out  for sources_leave(), while welcome; NULL where the
 *                      table had no place, or not welcome
 * Returns: SOURCE_WELCOME, or why not; then nothing was counted
 */
enum source_verdict
sources_enter(struct sources *s, const struct source_limits *limits,
    const uint8_t *address, uint32_t now_s, struct source **source_out);

/**
 * sources_leave(): a connection that was let in is over; NULL is fine.
 */
void sources_leave(struct source *source);

/**
 * sources_punish(): it sent what is no call; NULL is fine.
 *
 * Returns: seconds for which it is refused; 0 where it has no place
 */
uint32_t sources_punish(struct source *source, uint32_t now_s);

/**
 * sources_is_within(): does an address begin with these bits?
 *
 * In:      bits     0 to 128
 * Returns: whether it does
 */
bool sources_is_within(const uint8_t *address, const uint8_t *network,
    uint32_t bits);

#endif /* MUSTER_HOST_SOURCES_H */
