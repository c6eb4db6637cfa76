/* SPDX-License-Identifier: MIT */
/*
 * publish.h -- the life of this host's SRV records; pure, one item a domain.
 *
 *   event             becomes due                          then
 *   wanted anew       at once                              next in PUBLISH_AGAIN
 *   wanted otherwise  at once: the old goes, the new comes
 *   wanted no more    at once, while something stands      free when it is gone
 *   update failed     PUBLISH_RETRY_FIRST, then twice that up to _LAST
 *   update done       PUBLISH_AGAIN later, if still wanted
 *   by hand           at once, whatever is waited for
 *
 * What may stand in DNS is noted before an update is sent and crossed out once
 * a server has said that it is gone, so that neither a crash nor an outage
 * leaves a record that nobody knows of.  The caller keeps it on disk.
 * Source: b20, b21.
 */
#ifndef MUSTER_HOST_PUBLISH_H
#define MUSTER_HOST_PUBLISH_H

#include <stdbool.h>
#include <stdint.h>

#include "discovery/update.h"
#include "host/config.h"

#define PUBLISH_AGAIN_MS (UINT64_C(24) * 3600 * 1000)
#define PUBLISH_RETRY_FIRST_MS UINT64_C(60000)
#define PUBLISH_RETRY_LAST_MS UINT64_C(3600000)
#define PUBLISH_WANTED_MAX (CONFIG_DOMAINS_MAX + 1) /* and the own domain */
#define PUBLISH_ITEMS_MAX 64 /* with those that something still stands in */
#define PUBLISH_STANDING_MAX UPDATE_DELETIONS_MAX /* of one domain */
#define PUBLISH_BUSY_MAX 4 /* updates in flight: a dead server holds up none */
#define PUBLISH_NEVER UINT64_MAX

/* A record that should stand. */
struct publish_want {
	struct dns_name domain;
	struct config_server server; /* no address: found by SOA */
	struct dns_srv srv;
};

struct publish_item {
	bool is_used;
	struct publish_want want; /* srv counts only while it is wanted */
	bool is_wanted;
	size_t n_standing;
	struct dns_srv standing[PUBLISH_STANDING_MAX];
	bool is_busy;
	bool is_current;  /* what stands is what is wanted: a server said so */
	bool has_outcome; /* of the last update that ended */
	enum update_outcome outcome;
	int64_t skew_s;
	int64_t ended_unix_s; /* of the last update; 0: none yet */
	uint64_t next_ms;
	uint64_t retry_ms;
};

struct publish {
	uint32_t ttl_s;
	struct publish_item items[PUBLISH_ITEMS_MAX];
};

/* How an update ended. */
struct publish_result {
	enum update_outcome outcome;
	int64_t skew_s;
	int64_t now_unix_s;
};

/**
 * publish_init(): nothing wanted, nothing standing.
 */
void publish_init(struct publish *p, uint32_t ttl_s);

/**
 * publish_standing(): what an earlier life published.
 *
 * Returns: 0; MUSTER_E_FULL
 */
MUSTER_NODISCARD int publish_standing(struct publish *p,
    const struct publish_want *stands, uint64_t now_ms);

/**
 * publish_set(): from now on this is wanted, and nothing else.
 *
 * The same again changes nothing.
 *
 * In:      wants, n no domain twice; at most PUBLISH_WANTED_MAX
 * Returns: 0; MUSTER_E_FULL: some domains have no room until others are clean
 */
MUSTER_NODISCARD int publish_set(struct publish *p,
    const struct publish_want *wants, size_t n, uint64_t now_ms);

/**
 * publish_force(): every domain is due now.
 */
void publish_force(struct publish *p, uint64_t now_ms);

/**
 * publish_next(): take the next update to be sent, if one is due and may be.
 *
 * Out:     update_out   all but its zone
 *          is_noted_out something was noted that is to be on disk first
 * Returns: the item's index, busy from now on; -1: none
 */
int publish_next(struct publish *p, uint64_t now_ms, struct update *update_out,
    bool *is_noted_out);

/**
 * publish_done(): an update ended.
 *
 * In:      update   as publish_next() gave it
 * Out:     is_told_out  whether this outcome is news for the log
 * Returns: whether what stands has changed and is to be on disk
 */
bool publish_done(struct publish *p, int index, const struct update *update,
    const struct publish_result *result, uint64_t now_ms, bool *is_told_out);

/**
 * publish_wake_ms(): when to call publish_next() again.
 *
 * Returns: a time, or PUBLISH_NEVER
 */
uint64_t publish_wake_ms(const struct publish *p);

/**
 * publish_n_pending(): updates in flight, or due.
 *
 * Returns: how many
 */
size_t publish_n_pending(const struct publish *p, uint64_t now_ms);

/**
 * publish_owner(): "_muster._tcp" under the item's domain.
 *
 * Returns: 0; MUSTER_E_TOOBIG
 */
MUSTER_NODISCARD int
publish_owner(const struct dns_name *domain, struct dns_name *owner_out);

/**
 * publish_write(): what may stand, as the text that is kept.
 *
 *   muster-published 1
 *   DOMAIN SERVER PRIORITY WEIGHT PORT TARGET
 *   corp.example - 0 0 1688 kms.corp.example
 *   b.example [2001:db8::1]:53 10 5 1688 kms.corp.example
 *
 * Returns: 0; MUSTER_E_TOOBIG
 */
MUSTER_NODISCARD int
publish_write(const struct publish *p, char *text, size_t cap, size_t *len_out);

/**
 * publish_read(): take that text back; each line has to be right.
 *
 * In:      text     ends in NUL
 * Returns: 0; MUSTER_E_PROTO, MUSTER_E_FULL: what came before was taken
 */
MUSTER_NODISCARD int
publish_read(struct publish *p, char *text, uint64_t now_ms);

#define PUBLISH_LINE_MAX (2 * (DNS_TEXT_MAX + 1) + CONFIG_ADDRESS_MAX + 40)
#define PUBLISH_TEXT_MAX \
	(PUBLISH_ITEMS_MAX * PUBLISH_STANDING_MAX * PUBLISH_LINE_MAX + 32)

#endif /* MUSTER_HOST_PUBLISH_H */
