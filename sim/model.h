/* SPDX-License-Identifier: MIT */
/*
 * model.h -- what a host should hold, kept by somebody who never saw its code.
 *
 * Plain lists, searched from end to end, and nothing of src/: b2, b3 and b5
 * written down a second time.  It reads requests at fixed offsets of the
 * record, not by the decoder under test.
 */
#ifndef MUSTER_SIM_MODEL_H
#define MUSTER_SIM_MODEL_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define MODEL_ID 16
#define MODEL_GROUPS 2
#define MODEL_ROWS_MAX 128 /* over twice the largest threshold drawn */
#define MODEL_CLIENTS_MAX 2048
#define MODEL_BUCKETS 1024 /* a power of two */
#define MODEL_CALL 44      /* bytes of a record before its arguments */
#define MODEL_TAG 8        /* of a reply */
#define MODEL_PASSED 4     /* replies passed over that a host knows, the last */

/* What became of records; a sum over a run. */
struct model_stats {
	uint64_t evicted, repaired, cleaned, forgotten;
};

struct model_row {
	uint8_t cmid[MODEL_ID];
	int64_t seen_unix_s;
};

/* The most recent at the end. */
struct model_group {
	uint32_t capacity, n;
	struct model_row row[MODEL_ROWS_MAX];
};

/*
 * The replies that a client was given, the newest at the end: those that count
 * for clones.  One machine names in `previous` the reply it took last; the
 * newest, or, where that one was lost, the one that the request before named.
 * Who names another one that was passed over took it, and somebody else asked
 * since: a second machine.
 */
struct model_replies {
	bool is_any;
	uint8_t newest[MODEL_TAG], named[MODEL_TAG];
	uint32_t n_passed;
	uint8_t passed[MODEL_PASSED][MODEL_TAG];
};

struct model_client {
	uint8_t product[MODEL_ID], cmid[MODEL_ID];
	struct model_replies replies;
	int64_t last_unix_s;
	uint32_t host; /* that saw it last, of a shared count */
	bool is_acked; /* somebody accepted a reply for it */
};

struct model {
	struct model_group group[MODEL_GROUPS];
	uint32_t n_clients;
	struct model_client client[MODEL_CLIENTS_MAX];
	/* whatever came over the wire, whether it counted or not, found by a
	 * hash of its CMID: first the newest */
	uint32_t n_arrived;
	struct model_arrived {
		uint8_t product[MODEL_ID], cmid[MODEL_ID];
		uint16_t next; /* plus one; 0: none */
	} arrived[MODEL_CLIENTS_MAX];
	uint16_t first[MODEL_BUCKETS]; /* likewise */
	bool is_full;                  /* a list is: the run must end */
	struct model_stats stats;
};

/* One request as it lies in its record. */
struct model_request {
	uint8_t product[MODEL_ID], cmid[MODEL_ID], machine[MODEL_ID];
	uint8_t previous[MODEL_TAG];
	uint64_t time_unix_s;
};

/**
 * model_take_out(): a row leaves a group.
 */
void model_take_out(struct model_group *g, uint32_t i);

/**
 * model_init(): nobody was there; the lists beyond their ends stay as they are.
 */
void model_init(struct model *m);

/**
 * model_read(): take a request out of a record, by offsets.
 *
 * Returns: false when it is too short for one
 */
bool model_read(const uint8_t *record, size_t len, struct model_request *out);

/**
 * model_arrive(): these bytes reached the host.
 */
void model_arrive(struct model *m, const struct model_request *r);

/**
 * model_has_arrived(): did a record with these ids reach the host?
 *
 * In:      product  NULL: any
 * Returns: true when one did
 */
bool model_has_arrived(const struct model *m, const uint8_t *product,
    const uint8_t *cmid);

/**
 * model_count(): what counts in a group at a time; repairs (b2).
 *
 * Returns: the count
 */
uint32_t model_count(struct model *m, uint32_t group, int64_t now_unix_s);

/**
 * model_accept(): count a request in.
 *
 * In:      seen_unix_s  when the host judged it
 *          now_unix_s   when the host committed it
 *          threshold    of its product by the host's catalogue
 * Returns: the count, this client included
 */
uint32_t
model_accept(struct model *m, uint32_t group, const struct model_request *r,
    int64_t seen_unix_s, int64_t now_unix_s, uint32_t threshold);

/**
 * model_reply(): a client that was counted gets a reply.
 *
 * In:      tag      of the reply: what the machine that takes it names next
 * Returns: true when a second machine has to be told (protocol, "Clones")
 */
bool
model_reply(struct model *m, const struct model_request *r, const uint8_t *tag);

/**
 * model_client(): the row of a client.
 *
 * Returns: borrowed until the next call of another function, or NULL
 */
struct model_client *
model_client(struct model *m, const uint8_t *product, const uint8_t *cmid);

/**
 * model_idle(): clean up as b2 and b5 say.
 */
void model_idle(struct model *m, int64_t now_unix_s, uint32_t retention_days);

#endif /* MUSTER_SIM_MODEL_H */
