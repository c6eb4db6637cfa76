/* SPDX-License-Identifier: MIT */
#include "host/selftest.h"

#include <arpa/inet.h>
#include <sodium.h>
#include <stdio.h>
#include <string.h>

#include "base/clock.h"
#include "base/hex.h"
#include "base/log.h"
#include "client/asking.h"
#include "client/stream.h"
#include "host/admin_api.h"

/* The reply of our own COVER; on a thread of libuv's pool. */
static int
ask(const struct selftest *t, uint32_t i, struct wire_cover *cover_out)
{
	uint8_t rec[RPC_RECORD_MAX], body[RPC_BODY_MAX];
	uint32_t xid = randombytes_random();
	bool is_connected;
	const uint8_t *p;
	size_t len = 0, n = 0;
	int err = rpc_call_encode(xid, RPC_COVER, t->publisher, PUBLISHER_LEN,
	    rec, sizeof(rec), &len);

	if (err == 0)
		err = stream_exchange(&t->at[i], 1, ASKING_MS, rec, len,
		    &is_connected, body, &n);
	if (err == 0)
		err = rpc_reply_decode(body, n, xid, &p, &len);
	if (err == 0)
		err = wire_cover_decode(p, len, cover_out);
	return err;
}

/* One of those that are listened on; made: good or not, and why. */
static void
judge(const struct selftest *t, uint32_t i, struct selftest_result *made)
{
	struct wire_cover cover;
	int err = ask(t, i, &cover);

	made->is_good = err == 0 &&
	    (!t->has_cert ||
	        (cover.status == WIRE_OK &&
	            memcmp(cover.certificate, t->cert, CERT_LEN) == 0));
	if (err != 0)
		(void)snprintf(made->text, sizeof(made->text),
		    "%s does not answer COVER: %s", t->at_text[i],
		    muster_strerror(err));
	else if (!made->is_good)
		(void)snprintf(made->text, sizeof(made->text),
		    "%s answers with another certificate, or none: somebody "
		    "else has the port",
		    t->at_text[i]);
	else if (t->n > 1)
		(void)snprintf(made->text, sizeof(made->text),
		    "%s and %u more answer COVER", t->at_text[0], t->n - 1);
	else
		(void)snprintf(made->text, sizeof(made->text),
		    "%s answers COVER", t->at_text[i]);
}

/* The answers to the probes; from where the first of them was asked. */
static void
send_probes(struct selftest *t)
{
	bool is_connected;

	for (uint32_t i = 0; i < t->n_probes; i++) {
		struct selftest_probe *p = &t->probes[i];

		p->err =
		    stream_exchange(&t->at[0], 1, ASKING_MS, p->request.record,
		        p->request.record_len, &is_connected, p->body, &p->len);
		if (p->err != 0)
			t->n_probes = i + 1; /* the rest may wait as long */
	}
}

static void
on_work(uv_work_t *work)
{
	struct selftest *t = work->data;
	struct selftest_result *made = &t->made;
	int64_t begun_ms = clock_mono_ms();

	made->is_good = true;
	for (uint32_t i = 0; i < t->n && made->is_good; i++)
		judge(t, i, made);
	if (made->is_good)
		send_probes(t);
	made->took_ms = clock_mono_ms() - begun_ms;
	made->at_unix_s = clock_unix_s();
}

static const struct turn_publisher *
publisher_of(const struct turn_host *host, const uint8_t *id)
{
	for (uint32_t i = 0; i < host->n_publishers; i++) {
		if (memcmp(host->publishers[i].id, id, PUBLISHER_LEN) == 0)
			return &host->publishers[i];
	}
	return NULL;
}

/* One answer, as a client judges it; false: there is no more to say. */
static bool
judge_probe(const struct selftest *t, const struct selftest_probe *p,
    const struct catalogue *cat, struct selftest_result *made)
{
	char name[2 * PUBLISHER_LEN + 1];
	struct reply reply = {.status = WIRE_OK};
	int err = p->err;

	if (err == 0)
		err = request_judge_probe(&p->request, p->body, p->len, cat,
		    clock_unix_s(), &reply);
	if (err == 0)
		return true;
	hex_encode(p->publisher, PUBLISHER_LEN, name);
	/* an answer that is meant so: what is behind it has a check of its own */
	made->is_good = reply.status == WIRE_BUSY;
	if (reply.status != WIRE_OK)
		(void)snprintf(made->text, sizeof(made->text),
		    "%s answers a probe for publisher %s by %s", t->at_text[0],
		    name, admin_status_name(reply.status));
	else
		(void)snprintf(made->text, sizeof(made->text),
		    "%s: no answer to a probe for publisher %s that holds: %s",
		    t->at_text[0], name, muster_strerror(err));
	return false;
}

static void
judge_probes(struct selftest *t)
{
	const struct turn_host *host = turnloop_host(t->turnloop);
	struct selftest_result *made = &t->made;
	uint32_t n_held = 0;
	size_t len;

	for (uint32_t i = 0; i < t->n_probes; i++) {
		const struct turn_publisher *pub =
		    publisher_of(host, t->probes[i].publisher);

		if (pub == NULL) /* its catalogue is gone meanwhile */
			continue;
		if (!judge_probe(t, &t->probes[i], pub->catalogue, made))
			return;
		n_held++;
	}
	len = strlen(made->text);
	if (n_held > 0)
		(void)snprintf(made->text + len, sizeof(made->text) - len,
		    "; probes of %u publisher%s get a signature that holds",
		    n_held, n_held == 1 ? "" : "s");
	else if (t->is_left_out)
		(void)snprintf(made->text + len, sizeof(made->text) - len,
		    "; allowed_networks leaves this host out, so that no probe "
		    "is sent");
}

/* Another certificate was put in force meanwhile: what was asked for is not
 * what is to be answered. */
static bool
is_outdated(const struct selftest *t)
{
	const struct turn_publisher *pub =
	    publisher_of(turnloop_host(t->turnloop), t->publisher);

	return t->has_cert &&
	    (pub == NULL || !pub->has_cert ||
	        memcmp(pub->cert_bytes, t->cert, CERT_LEN) != 0);
}

static void on_timer(uv_timer_t *timer);

static void
on_work_done(uv_work_t *work, int status)
{
	struct selftest *t = work->data;
	bool is_news;

	(void)status; /* nothing cancels it */
	t->is_running = false;
	if (!t->is_wanted || t->is_stopped)
		return; /* it was switched off meanwhile */
	if (is_outdated(t)) {
		(void)uv_timer_start(&t->timer, on_timer, 0, t->every_ms);
		return;
	}
	if (t->made.is_good)
		judge_probes(t);
	is_news = t->last.at_unix_s == 0 ? !t->made.is_good
	                                 : t->last.is_good != t->made.is_good;
	t->last = t->made;
	if (!t->last.is_good && t->every_ms > SELFTEST_AGAIN_MS)
		(void)uv_timer_start(&t->timer, on_timer, SELFTEST_AGAIN_MS,
		    t->every_ms);
	if (!is_news)
		return;
	if (t->last.is_good)
		log_line(LOG_NOTE, "self-test", "%s", t->last.text);
	else
		log_line(LOG_ERROR, "self-test",
		    "%s; try muster ping, and see what else is in this log",
		    t->last.text);
}

/* Where a client on this machine would ask; false: it is no address. */
static bool
find_target(struct selftest *t, const struct conn_listener *at)
{
	const char *address = at->address;
	bool is_v6 = strchr(address, ':') != NULL;
	union resolvconf_addr *out = &t->at[t->n];

	if (strcmp(address, "0.0.0.0") == 0)
		address = "127.0.0.1";
	else if (strcmp(address, "::") == 0)
		address = "::1";
	(void)snprintf(t->at_text[t->n], SELFTEST_AT_MAX, "%s%s%s:%u",
	    is_v6 ? "[" : "", address, is_v6 ? "]" : "", at->port);
	memset(out, 0, sizeof(*out));
	if (is_v6) {
		out->v6.sin6_family = AF_INET6;
		out->v6.sin6_port = htons(at->port);
		return inet_pton(AF_INET6, address, &out->v6.sin6_addr) == 1;
	}
	out->v4.sin_family = AF_INET;
	out->v4.sin_port = htons(at->port);
	return inet_pton(AF_INET, address, &out->v4.sin_addr) == 1;
}

static void
find_targets(struct selftest *t)
{
	uint32_t n;
	const struct conn_listener *at = conn_server_listeners(t->server, &n);

	t->n = 0;
	for (uint32_t i = 0; i < n && t->n < CONN_LISTENERS_MAX; i++)
		t->n += find_target(t, &at[i]);
}

/* Any product that the certificate covers: the key is the publisher's. */
static const struct cat_product *
covered(const struct turn_publisher *pub)
{
	const struct catalogue *cat = pub->catalogue;

	for (uint32_t i = 0; i < cat->n_products; i++) {
		const struct cat_product *p = &cat->products[i];

		if (cert_covers(&pub->cert, p->line, p->level))
			return p;
	}
	return NULL;
}

static void
make_probe(struct selftest *t, const struct turn_publisher *pub,
    int64_t now_unix_s)
{
	static const uint8_t nobody[WIRE_ID_LEN];
	struct selftest_probe *p = &t->probes[t->n_probes];
	uint8_t nonce[WIRE_ID_LEN];
	const struct request_in in = {.product = covered(pub),
	    .cmid = nobody,
	    .machine = nobody,
	    .nonce = nonce,
	    .name = "",
	    .now_unix_s = now_unix_s,
	    .state = WIRE_UNLICENSED,
	    .xid = randombytes_random()};

	randombytes_buf(nonce, sizeof(nonce));
	memcpy(p->publisher, pub->id, PUBLISHER_LEN);
	if (in.product != NULL && request_make(&in, &p->request) == 0)
		t->n_probes++;
}

/* A machine asks itself from the address that it asks at. */
static bool
is_left_out(const struct selftest *t)
{
	uint8_t address[TURN_ADDRESS_LEN] = {[10] = 0xff, [11] = 0xff};

	if (t->at[0].any.sa_family == AF_INET6)
		memcpy(address, &t->at[0].v6.sin6_addr, sizeof(address));
	else
		memcpy(address + 12, &t->at[0].v4.sin_addr, 4);
	return !conn_server_allows(t->server, address);
}

/* What all publishers' clients would hear today. */
static void
make_questions(struct selftest *t)
{
	const struct turn_host *host = turnloop_host(t->turnloop);
	const int64_t now_unix_s = clock_unix_s();

	t->has_cert = false;
	t->n_probes = 0;
	t->is_left_out = is_left_out(t);
	memset(t->publisher, 0, sizeof(t->publisher));
	for (uint32_t i = 0; i < host->n_publishers; i++) {
		const struct turn_publisher *pub = &host->publishers[i];

		if (!pub->has_cert || !cert_in_date(&pub->cert, now_unix_s))
			continue;
		if (!t->has_cert) {
			memcpy(t->publisher, pub->id, PUBLISHER_LEN);
			memcpy(t->cert, pub->cert_bytes, CERT_LEN);
			t->has_cert = true;
		}
		if (!t->is_left_out)
			make_probe(t, pub, now_unix_s);
	}
}

static void
on_timer(uv_timer_t *timer)
{
	struct selftest *t = timer->data;

	if (t->is_running)
		return;
	find_targets(t);
	if (t->n == 0)
		return;
	make_questions(t);
	t->is_running =
	    uv_queue_work(timer->loop, &t->work, on_work, on_work_done) == 0;
}

void
selftest_start(struct selftest *t, uv_loop_t *loop,
    const struct conn_server *server, const struct turnloop *turnloop,
    uint32_t every_s)
{
	t->server = server;
	t->turnloop = turnloop;
	t->work.data = t;
	(void)uv_timer_init(loop, &t->timer);
	t->timer.data = t;
	selftest_every(t, every_s);
}

void
selftest_every(struct selftest *t, uint32_t every_s)
{
	t->every_ms = (uint64_t)every_s * 1000;
	if (t->is_stopped)
		return;
	(void)uv_timer_stop(&t->timer);
	t->is_wanted = every_s > 0;
	if (t->is_wanted)
		(void)uv_timer_start(&t->timer, on_timer, 0, t->every_ms);
	else
		t->last = (struct selftest_result){.at_unix_s = 0};
}

void
selftest_stop(struct selftest *t)
{
	t->is_stopped = true;
	uv_close((uv_handle_t *)&t->timer, NULL);
}

json_t *
selftest_json(const struct selftest *t)
{
	if (t->last.at_unix_s == 0)
		return json_null();
	return json_pack("{s:b, s:I, s:I, s:s}", "ok", (int)t->last.is_good,
	    "at_unix_s", (json_int_t)t->last.at_unix_s, "ms",
	    (json_int_t)t->last.took_ms, "message", t->last.text);
}
