/* SPDX-License-Identifier: MIT */
/*
 * dnsask.h -- one message to one name server, one answer back; over UDP or
 * TCP, on the loop, which it never blocks.
 *
 * What comes over UDP from elsewhere or with another id is passed over.  The
 * function is called once for each start, after every handle is closed, so it
 * may start the next.
 */
#ifndef MUSTER_HOST_DNSASK_H
#define MUSTER_HOST_DNSASK_H

#include <uv.h>

#include "discovery/update.h"

/* For a connection, within the time for all: a lost SYN comes again after a
 * second, and a server that is there takes it at once. */
#define DNSASK_CONNECT_MS 3000

typedef void dnsask_fn(void *arg, int err, const uint8_t *answer, size_t len);

struct dnsask {
	uv_loop_t *loop;
	union {
		uv_handle_t handle;
		uv_udp_t udp;
		uv_tcp_t tcp;
	} at;
	uv_timer_t timer;
	union {
		uv_connect_t connect;
		uv_write_t write;
		uv_udp_send_t send;
	} req;
	uint64_t timeout_ms;
	unsigned n_open; /* handles */
	bool is_tcp;
	bool is_connected; /* TCP */
	bool is_ended;
	int err;
	dnsask_fn *fn;
	void *arg;
	size_t out_len; /* with the two bytes of its length */
	uint8_t out[2 + UPDATE_MAX];
	size_t in_len;
	uint8_t in[2 + DNS_MESSAGE_MAX];
};

/**
 * dnsask_start(): send, and wait.
 *
 * In:      ask      not in use; its loop, fn and arg are set
 *          msg      borrowed for the call; at most UPDATE_MAX bytes
 *          timeout_ms  for the answer; by TCP once it is connected
 *
 * fn gets: 0                 the answer, borrowed for the call
 *          MUSTER_E_TIMEOUT  none in time
 *          MUSTER_E_CONNECT  nobody is there, or no connection in time
 *          MUSTER_E_TRUNC    the connection ended before the answer did
 *          MUSTER_E_NOMEM    no handle
 */
void dnsask_start(struct dnsask *ask, const struct sockaddr *to, bool is_tcp,
    const uint8_t *msg, size_t len, uint64_t timeout_ms);

/**
 * dnsask_cancel(): as if the time was over; nothing where none is in use.
 */
void dnsask_cancel(struct dnsask *ask);

#endif /* MUSTER_HOST_DNSASK_H */
