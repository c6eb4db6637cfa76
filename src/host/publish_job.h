/* SPDX-License-Identifier: MIT */
/*
 * publish_job.h -- one update: find the zone, find its primary, send, judge.
 *
 *   zone     SOA of the owner, then of the names above it, to the server that
 *            is set, or to each of resolv.conf in turn, JOB_ROUNDS times
 *   address  A and AAAA of the primary, from the server that knew the zone;
 *            only where no server is set; each asked JOB_ROUNDS times
 *   update   over TCP to the server that is set, or to each address in turn
 *            until one answers: the same update twice does no harm
 *
 * Queries go over UDP, again over TCP where the answer is cut short.
 */
#ifndef MUSTER_HOST_PUBLISH_JOB_H
#define MUSTER_HOST_PUBLISH_JOB_H

#include "host/config.h"
#include "host/dnsask.h"
#include "host/publish.h"

#define JOB_SERVERS_MAX 3   /* of resolv.conf, as resolv.conf(5) has it */
#define JOB_ADDRESSES_MAX 4 /* of a primary */
#define JOB_ROUNDS 2        /* a datagram may be lost once */
#define JOB_QUERY_MS 2000
#define JOB_UPDATE_MS 10000 /* a server writes to its disk first */
#define JOB_AT_MAX (CONFIG_ADDRESS_MAX + 9)

enum job_step { JOB_ZONE, JOB_ADDRESS, JOB_ADDRESS6, JOB_UPDATE };

struct publish_job;
typedef void publish_job_fn(void *arg, struct publish_job *job);

struct publish_job {
	/* set by the caller */
	void *arg;
	publish_job_fn *fn;
	int index;      /* of the item */
	uint64_t noted; /* it waits for this write of publish_file.h; 0: no */
	struct update update;
	bool is_server_set;
	uint32_t n_servers;
	struct sockaddr_storage servers[JOB_SERVERS_MAX];
	struct tsig_key *key; /* in locked memory */
	bool is_signed;
	const char *why; /* the key cannot be used; static text, or NULL */
	/* the outcome; `at` is the last server that was asked */
	struct publish_result result;
	char at[JOB_AT_MAX];
	bool is_busy;
	/* its own */
	struct dnsask ask;
	enum job_step step;
	bool is_tcp;
	bool is_cancelled;
	uint32_t n_tried; /* of servers, over all rounds; of addresses */
	uint32_t n_lost;  /* questions for addresses without an answer */
	enum update_outcome last;
	uint16_t id;
	struct dns_name asked;
	struct dns_name primary;
	uint32_t n_addresses;
	struct sockaddr_storage addresses[JOB_ADDRESSES_MAX];
	struct tsig_mac mac;
};

/**
 * publish_job_start(): begin; fn is called later, once.
 */
void publish_job_start(struct publish_job *job, uv_loop_t *loop);

/**
 * publish_job_cancel(): end soon, as if nobody answered.
 */
void publish_job_cancel(struct publish_job *job);

/**
 * publish_job_address(): an address and a port as a socket has them.
 *
 * Returns: 0; MUSTER_E_PROTO no address
 */
MUSTER_NODISCARD int publish_job_address(const char *text, uint16_t port,
    struct sockaddr_storage *out);

#endif /* MUSTER_HOST_PUBLISH_JOB_H */
