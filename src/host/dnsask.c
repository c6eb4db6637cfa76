/* SPDX-License-Identifier: MIT */
#include "host/dnsask.h"

#include <assert.h>
#include <string.h>

#include "muster/err.h"

#define PREFIX 2 /* RFC 1035 4.2.2: the length before a message over TCP */

static void
on_close(uv_handle_t *handle)
{
	struct dnsask *ask = handle->data;
	size_t skip = ask->is_tcp ? PREFIX : 0;

	if (--ask->n_open > 0)
		return;
	if (ask->err == 0)
		ask->fn(ask->arg, 0, ask->in + skip, ask->in_len - skip);
	else
		ask->fn(ask->arg, ask->err, NULL, 0);
}

static void
end(struct dnsask *ask, int err)
{
	if (ask->is_ended)
		return;
	ask->is_ended = true;
	ask->err = err;
	uv_close((uv_handle_t *)&ask->timer, on_close);
	if (!uv_is_closing(&ask->at.handle))
		uv_close(&ask->at.handle, on_close);
}

static void
on_timer(uv_timer_t *timer)
{
	struct dnsask *ask = timer->data;

	end(ask,
	    ask->is_tcp && !ask->is_connected ? MUSTER_E_CONNECT
	                                      : MUSTER_E_TIMEOUT);
}

static int
error_of(int status)
{
	return status == UV_ENOMEM ? MUSTER_E_NOMEM : MUSTER_E_CONNECT;
}

static void
on_alloc(uv_handle_t *handle, size_t suggested, uv_buf_t *buf)
{
	struct dnsask *ask = handle->data;

	(void)suggested;
	*buf = uv_buf_init((char *)ask->in + ask->in_len,
	    (unsigned)(sizeof(ask->in) - ask->in_len));
}

static void
on_datagram(uv_udp_t *udp, ssize_t n, const uv_buf_t *buf,
    const struct sockaddr *from, unsigned flags)
{
	struct dnsask *ask = udp->data;

	(void)buf;
	if (n < 0) {
		end(ask, error_of((int)n));
		return;
	}
	/* connected: the kernel lets only the server's through */
	if (from == NULL || (flags & UV_UDP_PARTIAL) != 0 || n < 2 ||
	    memcmp(ask->in, ask->out + PREFIX, 2) != 0)
		return;
	ask->in_len = (size_t)n;
	end(ask, 0);
}

static void
on_sent(uv_udp_send_t *req, int status)
{
	struct dnsask *ask = req->data;

	if (status < 0)
		end(ask, error_of(status));
}

static void
start_udp(struct dnsask *ask, const struct sockaddr *to)
{
	uv_buf_t buf = uv_buf_init((char *)ask->out + PREFIX,
	    (unsigned)(ask->out_len - PREFIX));
	int rc = uv_udp_connect(&ask->at.udp, to);

	ask->req.send.data = ask;
	if (rc == 0)
		rc = uv_udp_recv_start(&ask->at.udp, on_alloc, on_datagram);
	if (rc == 0)
		rc = uv_udp_send(&ask->req.send, &ask->at.udp, &buf, 1, NULL,
		    on_sent);
	if (rc != 0)
		end(ask, error_of(rc));
}

static void
on_read(uv_stream_t *stream, ssize_t n, const uv_buf_t *buf)
{
	struct dnsask *ask = stream->data;
	size_t want;

	(void)buf;
	if (n < 0) {
		end(ask, MUSTER_E_TRUNC);
		return;
	}
	ask->in_len += (size_t)n;
	if (ask->in_len < PREFIX)
		return;
	want = PREFIX + (size_t)(ask->in[0] << 8 | ask->in[1]);
	if (ask->in_len < want)
		return;
	ask->in_len = want; /* one question, one answer */
	end(ask, 0);
}

static void
on_written(uv_write_t *req, int status)
{
	struct dnsask *ask = req->data;

	if (status < 0 && status != UV_ECANCELED)
		end(ask, MUSTER_E_TRUNC);
}

static void
on_connect(uv_connect_t *req, int status)
{
	struct dnsask *ask = req->data;
	uv_stream_t *stream = (uv_stream_t *)&ask->at.tcp;
	uv_buf_t buf = uv_buf_init((char *)ask->out, (unsigned)ask->out_len);
	int rc = status;

	if (ask->is_ended)
		return;
	if (rc == 0)
		rc = uv_read_start(stream, on_alloc, on_read);
	if (rc == 0) {
		ask->is_connected = true;
		(void)uv_timer_start(&ask->timer, on_timer, ask->timeout_ms, 0);
		/* the connect request has ended: its place is free */
		ask->req.write.data = ask;
		rc = uv_write(&ask->req.write, stream, &buf, 1, on_written);
	}
	if (rc != 0)
		end(ask, error_of(rc));
}

static void
start_tcp(struct dnsask *ask, const struct sockaddr *to)
{
	int rc;

	ask->req.connect.data = ask;
	rc = uv_tcp_connect(&ask->req.connect, &ask->at.tcp, to, on_connect);
	if (rc != 0)
		end(ask, error_of(rc));
}

void
dnsask_start(struct dnsask *ask, const struct sockaddr *to, bool is_tcp,
    const uint8_t *msg, size_t len, uint64_t timeout_ms)
{
	assert(ask->n_open == 0 && len <= UPDATE_MAX);
	ask->is_tcp = is_tcp;
	ask->is_ended = ask->is_connected = false;
	ask->timeout_ms = timeout_ms;
	ask->in_len = 0;
	ask->out[0] = (uint8_t)(len >> 8);
	ask->out[1] = (uint8_t)len;
	memcpy(ask->out + PREFIX, msg, len);
	ask->out_len = PREFIX + len;
	/* neither opens a socket yet, so neither fails */
	(void)uv_timer_init(ask->loop, &ask->timer);
	if (is_tcp)
		(void)uv_tcp_init(ask->loop, &ask->at.tcp);
	else
		(void)uv_udp_init(ask->loop, &ask->at.udp);
	ask->timer.data = ask->at.handle.data = ask;
	ask->n_open = 2;
	if (is_tcp && timeout_ms > DNSASK_CONNECT_MS)
		timeout_ms = DNSASK_CONNECT_MS;
	(void)uv_timer_start(&ask->timer, on_timer, timeout_ms, 0);
	if (is_tcp)
		start_tcp(ask, to);
	else
		start_udp(ask, to);
}

void
dnsask_cancel(struct dnsask *ask)
{
	if (ask->n_open > 0)
		end(ask, MUSTER_E_TIMEOUT);
}
