/* SPDX-License-Identifier: MIT */
#include "host/conn.h"

#include <assert.h>
#include <errno.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>

#include "base/clock.h"
#include "host/conn_guard.h"
#include "host/conn_pool.h"
#include "wire/rpc.h"

static void step(struct conn *c);

static void
on_timeout(uv_timer_t *timer)
{
	struct conn *c = timer->data;

	if (c->phase != CONN_DRAINING)
		c->srv->stats.timed_out++;
	conn_close(c);
}

static uint64_t
phase_ms(const struct conn *c, enum conn_phase phase)
{
	const struct host_config *config = &c->srv->config;

	switch (phase) {
	case CONN_FIRST:
		return config->first_byte_ms;
	case CONN_RECORD:
	case CONN_DRAINING:
		return config->record_ms;
	case CONN_IDLE:
	case CONN_WRITING:
		return config->idle_ms;
	case CONN_OWED:
	case CONN_CLOSED:
		return 0;
	}
	return 0;
}

/* Of the session's whole life. */
static uint64_t
left_ms(const struct conn *c)
{
	uint64_t gone_ms = uv_now(c->srv->loop) - c->begun_ms;
	uint64_t life_ms = c->srv->config.session_ms;

	return gone_ms < life_ms ? life_ms - gone_ms : 0;
}

static void
enter(struct conn *c, enum conn_phase phase)
{
	uint64_t ms = phase_ms(c, phase);

	if ((phase == CONN_RECORD || phase == CONN_IDLE) && left_ms(c) < ms)
		ms = left_ms(c) + 1;
	if (c->phase == phase)
		return;
	c->phase = phase;
	conn_pool_rank(c);
	if (ms == 0)
		(void)uv_timer_stop(&c->timer);
	else
		(void)uv_timer_start(&c->timer, on_timeout, ms, 0);
}

static void
on_alloc(uv_handle_t *handle, size_t suggested, uv_buf_t *buf)
{
	struct conn *c = handle->data;

	(void)suggested;
	if (c->phase == CONN_DRAINING)
		*buf = uv_buf_init(c->srv->scrap, sizeof(c->srv->scrap));
	else
		*buf = uv_buf_init((char *)c->in + c->in_len,
		    (unsigned)(sizeof(c->in) - c->in_len));
}

static void
on_read(uv_stream_t *stream, ssize_t nread, const uv_buf_t *buf)
{
	struct conn *c = stream->data;

	(void)buf;
	if (nread == 0)
		return;
	if (nread == UV_EOF) {
		c->is_eof = true;
		c->is_reading = false; /* libuv stopped it */
		if (c->phase == CONN_DRAINING)
			conn_close(c);
		else
			step(c);
		return;
	}
	if (nread < 0) {
		conn_close(c);
		return;
	}
	if (c->phase == CONN_DRAINING)
		return;
	c->in_len += (size_t)nread;
	step(c);
}

/* Reading goes on while a call is worked on, to see the client's FIN. */
static void
set_reading(struct conn *c)
{
	bool want = !c->is_eof &&
	    (c->phase == CONN_DRAINING || c->in_len < sizeof(c->in));

	if (want == c->is_reading || c->phase == CONN_CLOSED)
		return;
	c->is_reading = want;
	if (!want)
		(void)uv_read_stop((uv_stream_t *)&c->tcp);
	else if (conn_watch(c) != 0 ||
	    uv_read_start((uv_stream_t *)&c->tcp, on_alloc, on_read) != 0)
		conn_close(c);
}

/* No more calls: our FIN now, and the rest of the client's bytes unread. */
static void
finish(struct conn *c)
{
	if (c->is_eof || c->is_refused || shutdown(c->fd, SHUT_WR) != 0) {
		conn_close(c);
		return;
	}
	enter(c, CONN_DRAINING);
	set_reading(c);
}

static void
after_write(struct conn *c)
{
	if (c->is_last)
		finish(c);
	else
		enter(c, c->in_len > 0 ? CONN_RECORD : CONN_IDLE);
}

static void
on_write(uv_write_t *req, int status)
{
	struct conn *c = req->data;

	c->is_writing = false;
	if (c->phase == CONN_CLOSED)
		return; /* conn_close() ended the write */
	if (status != 0) {
		conn_close(c);
		return;
	}
	after_write(c);
	step(c);
}

/* Is this reply the session's last?  Then its FIN goes into its segment. */
static bool
is_last_reply(const struct conn *c)
{
	size_t len;

	if (c->is_last || c->srv->is_stopping ||
	    c->n_calls >= c->srv->config.calls_per_session || left_ms(c) == 0)
		return true;
	if (!c->is_eof)
		return false;
	return c->in_len < RPC_MARK_LEN || rpc_mark_decode(c->in, &len) != 0 ||
	    c->in_len < RPC_MARK_LEN + len;
}

static void
write_later(struct conn *c, const uint8_t *p, size_t len)
{
	struct conn_unsent *unsent = &c->srv->unsent[c - c->srv->pool];
	uv_buf_t buf = uv_buf_init((char *)unsent->out, (unsigned)len);

	memcpy(unsent->out, p, len);
	unsent->write.data = c;
	c->is_writing = true;
	enter(c, CONN_WRITING);
	if (conn_watch(c) != 0 ||
	    uv_write(&unsent->write, (uv_stream_t *)&c->tcp, &buf, 1,
	        on_write) != 0) {
		c->is_writing = false;
		conn_close(c);
	}
}

static void
reply(struct conn *c, const uint8_t *p, size_t len)
{
	ssize_t n;
	int on = 1;

	assert(len <= RPC_RECORD_MAX && !c->is_writing);
	c->is_last = c->is_refused || is_last_reply(c);
	/* a session of several: its second reply must not wait for an ACK */
	if (c->n_calls == 1 && !c->is_last)
		(void)setsockopt(c->fd, IPPROTO_TCP, TCP_NODELAY, &on,
		    sizeof(on));
	n = send(c->fd, p, len,
	    MSG_DONTWAIT | MSG_NOSIGNAL | (c->is_last ? MSG_MORE : 0));
	if (n == (ssize_t)len) {
		after_write(c);
		return;
	}
	if (n < 0 && errno != EAGAIN && errno != EINTR && errno != ENOBUFS) {
		conn_close(c);
		return;
	}
	n = n < 0 ? 0 : n;
	write_later(c, p + n, len - (size_t)n);
}

static void
reply_error(struct conn *c, uint32_t xid, enum rpc_verdict verdict)
{
	uint8_t out[RPC_RECORD_MAX];
	size_t len;

	if (rpc_error_encode(xid, verdict, out, sizeof(out), &len) == 0)
		reply(c, out, len);
	else
		conn_close(c);
}

static void
reply_result(struct conn *c, const uint8_t *res, size_t res_len)
{
	uint8_t out[RPC_RECORD_MAX];
	size_t len;

	if (rpc_reply_encode(c->xid, res, res_len, out, sizeof(out), &len) == 0)
		reply(c, out, len);
	else
		conn_close(c);
}

static void
reply_activate(struct conn *c, const struct wire_result *res)
{
	uint8_t buf[WIRE_RESULT_MAX];
	size_t len;

	if (wire_result_encode(res, buf, sizeof(buf), &len) == 0)
		reply_result(c, buf, len);
	else
		conn_close(c);
}

void
conn_answer(void *ticket, const struct wire_result *res)
{
	struct conn *c = ticket;

	c->is_owed = false;
	if (c->phase == CONN_CLOSED) {
		conn_pool_release(c); /* the client did not wait */
		return;
	}
	reply_activate(c, res);
	step(c);
}

static void
on_activate(struct conn *c, const struct rpc_call *call)
{
	struct wire_args args;
	struct wire_result res;

	if (wire_args_decode(call->args, call->args_len, &args) != 0) {
		reply_error(c, c->xid, RPC_GARBAGE_ARGS);
		return;
	}
	if (c->is_refused || !conn_guard_is_allowed(c)) {
		turnloop_refuse(c->srv->turnloop, &args, c->address,
		    conn_guard_is_allowed(c) ? WIRE_BUSY : WIRE_REFUSED, &res);
		reply_activate(c, &res);
		return;
	}
	if (turnloop_ask(c->srv->turnloop, &args, call->args, call->args_len,
	        c->address, c, &res)) {
		c->is_owed = true;
		enter(c, CONN_OWED);
		return;
	}
	reply_activate(c, &res);
}

static void
on_cover(struct conn *c, const struct rpc_call *call)
{
	struct wire_cover cover;
	uint8_t buf[WIRE_RESULT_MAX];
	size_t len;

	if (call->args_len != WIRE_ID_LEN) {
		reply_error(c, c->xid, RPC_GARBAGE_ARGS);
		return;
	}
	turn_cover(turnloop_host(c->srv->turnloop), call->args, clock_unix_s(),
	    &cover);
	if (wire_cover_encode(&cover, buf, sizeof(buf), &len) == 0)
		reply_result(c, buf, len);
	else
		conn_close(c);
}

static void
on_record(struct conn *c, const uint8_t *p, size_t len)
{
	struct rpc_call call;
	enum rpc_verdict verdict = rpc_call_decode(p, len, &call);

	if (verdict == RPC_CLOSE) {
		conn_guard_no_call(c);
		finish(c);
		return;
	}
	c->srv->stats.calls++;
	c->n_calls++;
	c->xid = call.xid;
	if (verdict != RPC_CALL) {
		c->is_last = verdict == RPC_MISMATCH_CLOSE;
		reply_error(c, call.xid, verdict);
		return;
	}
	switch (call.proc) {
	case RPC_NULL:
		reply_result(c, NULL, 0);
		break;
	case RPC_ACTIVATE:
		on_activate(c, &call);
		break;
	case RPC_COVER:
		on_cover(c, &call);
		break;
	}
}

/* Take one whole record out of the buffer; false when none is there. */
static bool
take_record(struct conn *c)
{
	uint8_t record[RPC_BODY_MAX];
	size_t len, used;

	if (c->in_len < RPC_MARK_LEN)
		return false;
	if (rpc_mark_decode(c->in, &len) != 0) {
		conn_guard_no_call(c);
		finish(c);
		return false;
	}
	used = RPC_MARK_LEN + len;
	if (c->in_len < used)
		return false;
	memcpy(record, c->in + RPC_MARK_LEN, len);
	memmove(c->in, c->in + used, c->in_len - used);
	c->in_len -= used;
	on_record(c, record, len);
	return true;
}

static bool
takes_calls(const struct conn *c)
{
	return c->phase == CONN_FIRST || c->phase == CONN_RECORD ||
	    c->phase == CONN_IDLE;
}

/* All that can be done with what is here. */
static void
step(struct conn *c)
{
	while (takes_calls(c) && take_record(c))
		;
	if (takes_calls(c)) {
		if (c->is_eof || c->srv->is_stopping) {
			finish(c);
			return;
		}
		if (c->in_len > 0)
			enter(c, CONN_RECORD);
	}
	set_reading(c);
}

/* After a deferred accept the call is here, and mostly its FIN: they are read
 * at once, so the loop need not watch this socket at all.  False: it is gone.
 */
static bool
read_at_once(struct conn *c)
{
	ssize_t n;

	do {
		n = recv(c->fd, c->in + c->in_len, sizeof(c->in) - c->in_len,
		    MSG_DONTWAIT);
		if (n > 0)
			c->in_len += (size_t)n;
	} while (n > 0 && c->in_len < sizeof(c->in));
	c->is_eof = n == 0;
	return n >= 0 || errno == EAGAIN || errno == EINTR;
}

/* BUSY to a request that came with it, and a close. */
static void
refuse(struct conn *c)
{
	(void)take_record(c);
	if (!c->is_writing)
		conn_close(c);
}

/* The kernel ends its wait by one more SYN-ACK, which it counts.  In a storm it
 * has no room for those that wait, and hands most of them out by cookies, at
 * once: these have all of their time still. */
static bool
was_deferred(int fd)
{
	struct tcp_info info;
	socklen_t len = sizeof(info);

	memset(&info, 0, sizeof(info));
	return getsockopt(fd, IPPROTO_TCP, TCP_INFO, &info, &len) == 0 &&
	    info.tcpi_total_retrans > 0;
}

void
conn_begin(struct conn *c)
{
	uint64_t ms = c->srv->config.first_byte_ms;

	c->begun_ms = uv_now(c->srv->loop);
	if (!read_at_once(c)) {
		c->phase = CONN_FIRST;
		conn_close(c);
		return;
	}
	if (c->is_refused) {
		c->phase = CONN_FIRST;
		refuse(c);
		return;
	}
	if (c->in_len > 0 || c->is_eof) {
		c->phase = CONN_FIRST; /* for no time at all: no timer */
		step(c);
		return;
	}
	enter(c, CONN_FIRST);
	/* nothing here after a deferred accept: the kernel has waited already */
	if (c->srv->is_deferred && ms > CONN_DEFER_S * 1000 &&
	    was_deferred(c->fd))
		(void)uv_timer_start(&c->timer, on_timeout,
		    ms - CONN_DEFER_S * 1000, 0);
	set_reading(c);
}
