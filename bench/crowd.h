/* SPDX-License-Identifier: MIT */
/*
 * crowd.h -- the clients that a load generator plays: who asks, for what, and
 * whether the answer is good.
 *
 * A client has a number.  Its CMID follows from number and seed, its product
 * from number and the products of the catalogues in turn, so that two programs
 * agree on who is in an inventory.  A renewal names the certificate and the
 * last reply; a first contact neither.
 */
#ifndef MUSTER_BENCH_CROWD_H
#define MUSTER_BENCH_CROWD_H

#include <stdbool.h>
#include <stdint.h>

#include "client/request.h"
#include "trust/catalogue.h"
#include "trust/cert.h"

#define CROWD_PUBLISHERS_MAX 16 /* as many as a host serves */
#define CROWD_PRODUCTS_MAX (CROWD_PUBLISHERS_MAX * CAT_PRODUCTS_MAX)
#define CROWD_SAMPLE_EVERY 100

struct crowd_publisher {
	struct catalogue cat;
	bool has_certificate;
	uint8_t certificate[CERT_LEN];
	uint8_t cert_hash[HASH_LEN];
};

struct crowd_product {
	const struct crowd_publisher *publisher;
	const struct cat_product *product;
};

/* A reply that is judged when the clock has stopped. */
struct crowd_sample {
	const struct catalogue *cat;
	struct request req;
	size_t len;
	uint8_t body[RPC_BODY_MAX];
	int64_t at_unix_s;
};

struct crowd {
	uint64_t seed;
	uint64_t draw; /* state of the nonces' generator */
	bool shares;   /* the certificate is named: signatures are shared */
	uint32_t n_publishers, n_products;
	struct crowd_publisher *publishers[CROWD_PUBLISHERS_MAX];
	struct crowd_product products[CROWD_PRODUCTS_MAX];
	uint32_t n_clients;                /* 0: every request is a new one's */
	uint8_t (*previous)[WIRE_TAG_LEN]; /* of the last reply, per client */
	uint32_t sample_every;             /* 0: CROWD_SAMPLE_EVERY */
	uint32_t n_samples, samples_cap;
	size_t least_len, most_len; /* of replies taken, marks included */
	struct crowd_sample *samples;
};

/**
 * crowd_add(): a publisher, with the certificate of the host or none.
 *
 * In:      catalogue    a file
 *          certificate  a file of CERT_LEN bytes, or NULL
 *          product      only this one, WIRE_ID_LEN bytes; NULL: all
 * Returns: false when it was said on stderr what is wrong
 */
bool crowd_add(struct crowd *w, const char *catalogue, const char *certificate,
    const uint8_t *product);

/**
 * crowd_size(): so many clients, which come again and again; 0: each request
 * is made by a client that was never there.
 *
 * In:      samples_cap  replies to keep for judging, at most
 * Returns: false without memory
 */
bool crowd_size(struct crowd *w, uint32_t n_clients, uint32_t samples_cap);

/**
 * crowd_id(): 16 bytes that look random and follow from seed and number.
 */
void crowd_id(uint64_t seed, uint64_t number, uint8_t *out);

/**
 * crowd_client(): the client that makes the n-th request.
 *
 * Returns: its number; all are met once before one is met again
 */
uint32_t crowd_client(const struct crowd *w, uint32_t n);

/**
 * crowd_request(): what a client asks now.
 *
 * Returns: 0, or as request_make()
 */
MUSTER_NODISCARD int crowd_request(struct crowd *w, uint32_t client,
    uint32_t xid, int64_t now_unix_s, struct request *req_out);

/**
 * crowd_reply(): take a reply in: remember its leaf, keep every
 * sample_every-th for crowd_judge().
 *
 * In:      body, len  of the record, without its mark
 * Out:     busy_s_out set for WIRE_BUSY
 * Returns: 0 an OK; MUSTER_E_AGAIN told BUSY; else what is wrong with it
 */
MUSTER_NODISCARD int
crowd_reply(struct crowd *w, uint32_t client, const struct request *req,
    const uint8_t *body, size_t len, uint32_t *busy_s_out);

/**
 * crowd_judge(): verify what was kept, by the code of clients.
 *
 * Returns: how many are not good; the first is told on stderr
 */
uint32_t crowd_judge(const struct crowd *w);

/**
 * crowd_tell_sizes(): the bytes of a reply, least and most, as one member of
 * an object.
 */
void crowd_tell_sizes(const struct crowd *w);

/**
 * crowd_free(): all memory.
 */
void crowd_free(struct crowd *w);

#endif /* MUSTER_BENCH_CROWD_H */
