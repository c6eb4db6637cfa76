/* SPDX-License-Identifier: MIT */
#include "authority/http.h"

#include <microhttpd.h>
#include <pthread.h>
#include <sodium.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/socket.h>
#include <unistd.h>

#include "authority/api.h"
#include "authority/rate.h"
#include "base/clock.h"

#define HSTS_S "31536000" /* a year, as testers of TLS ask for */
#define RETRY_TEXT_MAX 16
#define ASK_HEADER "Muster-Ask"

/* One connection, from its acceptance to its end. */
struct conn {
	struct conn *next, **link;
	uint8_t source[RATE_SOURCE_LEN];
	int fd;
	int64_t until_ms;
	bool is_waiting; /* in the queue: its time stands still */
	bool is_over;    /* was told so */
};

struct http {
	struct http_start start;
	struct MHD_Daemon *daemon;
	struct batch *batch;
	pthread_mutex_t lock; /* of the three below */
	struct rate *rate;
	struct conn *conns;
	atomic_uint n_requests;
	bool is_quiet;
};

struct incoming {
	struct http *http;
	struct MHD_Connection *connection;
	struct conn *conn;
	struct batch_item item;
	struct api_answer answer;
	bool is_refused; /* answer is there before the body was */
	bool is_done;    /* item was done */
	bool is_counted;
	bool is_last; /* what would follow cannot be told from its body */
	char *body;
	size_t len, seen;
};

static void
set_waiting(struct incoming *in, bool is_waiting)
{
	struct http *h = in->http;
	int64_t now_ms = clock_mono_ms();

	(void)pthread_mutex_lock(&h->lock);
	in->conn->is_waiting = is_waiting;
	in->conn->until_ms = now_ms + h->start.settings->request_s * 1000;
	(void)pthread_mutex_unlock(&h->lock);
}

void
http_done(struct batch_item *item)
{
	struct incoming *in = item->owner;

	in->is_done = true;
	set_waiting(in, false);
	MHD_resume_connection(in->connection);
}

static enum MHD_Result
on_accept(void *arg, const struct sockaddr *address, socklen_t len)
{
	struct http *h = arg;
	uint8_t source[RATE_SOURCE_LEN];
	uint32_t max = h->start.settings->connections_per_source;
	bool is_taken;

	(void)len;
	rate_source(address, source);
	(void)pthread_mutex_lock(&h->lock);
	is_taken = rate_open(h->rate, source, max, clock_mono_ms());
	if (is_taken) /* counted for good in on_connection() */
		rate_close(h->rate, source);
	(void)pthread_mutex_unlock(&h->lock);
	atomic_fetch_add(is_taken ? &h->start.metrics->accepted
	                          : &h->start.metrics->turned_away,
	    1);
	return is_taken ? MHD_YES : MHD_NO;
}

static struct conn *
conn_new(struct http *h, struct MHD_Connection *connection)
{
	const union MHD_ConnectionInfo *address =
	    MHD_get_connection_info(connection,
	        MHD_CONNECTION_INFO_CLIENT_ADDRESS);
	const union MHD_ConnectionInfo *fd = MHD_get_connection_info(connection,
	    MHD_CONNECTION_INFO_CONNECTION_FD);
	struct conn *c = calloc(1, sizeof(*c));
	int64_t now_ms = clock_mono_ms();

	if (c == NULL || address == NULL || fd == NULL) {
		free(c);
		return NULL;
	}
	rate_source(address->client_addr, c->source);
	c->fd = fd->connect_fd;
	c->until_ms = now_ms + h->start.settings->request_s * 1000;
	(void)pthread_mutex_lock(&h->lock);
	(void)rate_open(h->rate, c->source, UINT32_MAX, now_ms);
	c->next = h->conns;
	c->link = &h->conns;
	if (c->next != NULL)
		c->next->link = &c->next;
	h->conns = c;
	(void)pthread_mutex_unlock(&h->lock);
	return c;
}

/* The descriptor is closed after this, so http_reap() never meets another. */
static void
conn_free(struct http *h, struct conn *c)
{
	(void)pthread_mutex_lock(&h->lock);
	*c->link = c->next;
	if (c->next != NULL)
		c->next->link = c->link;
	rate_close(h->rate, c->source);
	(void)pthread_mutex_unlock(&h->lock);
	free(c);
}

static void
on_connection(void *arg, struct MHD_Connection *connection, void **context,
    enum MHD_ConnectionNotificationCode what)
{
	struct http *h = arg;

	if (what == MHD_CONNECTION_NOTIFY_STARTED) {
		*context = conn_new(h, connection);
		if (*context != NULL)
			atomic_fetch_add(&h->start.metrics->open, 1);
	} else if (*context != NULL) {
		conn_free(h, *context);
		*context = NULL;
		atomic_fetch_sub(&h->start.metrics->open, 1);
	}
}

static enum MHD_Result
send_answer(struct incoming *in)
{
	static char no_memory[] =
	    "{\"type\":\"about:blank\",\"title\":\"Out of memory\","
	    "\"status\":500,\"code\":\"failed\",\"detail\":\"out of memory\","
	    "\"next_step\":\"send the same request later\"}";
	struct api_answer *a = &in->answer;
	struct MHD_Response *r;
	enum MHD_Result result;
	char retry[RETRY_TEXT_MAX];

	if (a->text != NULL) {
		r = MHD_create_response_from_buffer(strlen(a->text), a->text,
		    MHD_RESPMEM_MUST_FREE);
	} else {
		*a = (struct api_answer){.status = 500,
		    .outcome = "failed",
		    .type = API_TYPE_PROBLEM};
		r = MHD_create_response_from_buffer(sizeof(no_memory) - 1,
		    no_memory, MHD_RESPMEM_PERSISTENT);
	}
	if (r == NULL)
		return MHD_NO;
	a->text = NULL;
	(void)MHD_add_response_header(r, MHD_HTTP_HEADER_CONTENT_TYPE, a->type);
	/* RFC 6797: whoever was here by HTTPS comes back by nothing else */
	(void)MHD_add_response_header(r,
	    MHD_HTTP_HEADER_STRICT_TRANSPORT_SECURITY, "max-age=" HSTS_S);
	(void)MHD_add_response_header(r, MHD_HTTP_HEADER_CACHE_CONTROL,
	    "no-store");
	if (in->is_last)
		(void)MHD_add_response_header(r, MHD_HTTP_HEADER_CONNECTION,
		    "close");
	if (a->allow != NULL)
		(void)MHD_add_response_header(r, MHD_HTTP_HEADER_ALLOW,
		    a->allow);
	if (a->retry_s != 0) {
		(void)snprintf(retry, sizeof(retry), "%u", a->retry_s);
		(void)MHD_add_response_header(r, MHD_HTTP_HEADER_RETRY_AFTER,
		    retry);
	}
	metrics_outcome(in->http->start.metrics, a->outcome);
	result = MHD_queue_response(in->connection, a->status, r);
	MHD_destroy_response(r);
	return result;
}

static const char *
header(struct MHD_Connection *connection, const char *name)
{
	return MHD_lookup_connection_value(connection, MHD_HEADER_KIND, name);
}

static void
refuse_rate(struct incoming *in, uint32_t wait_s)
{
	in->is_refused = true;
	api_refuse(&in->answer, API_RATE_LIMITED, NULL, wait_s,
	    "too many requests from this address: try again in %u s", wait_s);
}

static void
refuse_size(struct incoming *in)
{
	in->is_refused = true;
	free(in->answer.text);
	api_refuse(&in->answer, API_TOO_LARGE, NULL, 0,
	    "a request's body has at most %u bytes",
	    in->http->start.settings->body_bytes);
}

/* Headers that say where a request goes and ends. */
struct framing {
	unsigned n_hosts, n_lengths, n_codings;
	bool is_chunked;
	bool has_blank; /* between a name and its colon */
};

static enum MHD_Result
count_header(void *arg, enum MHD_ValueKind kind, const char *name,
    const char *value)
{
	struct framing *f = arg;

	(void)kind;
	if (name[strcspn(name, " \t")] != '\0')
		f->has_blank = true;
	if (strcasecmp(name, MHD_HTTP_HEADER_HOST) == 0)
		f->n_hosts++;
	if (strcasecmp(name, MHD_HTTP_HEADER_CONTENT_LENGTH) == 0)
		f->n_lengths++;
	if (strcasecmp(name, MHD_HTTP_HEADER_TRANSFER_ENCODING) == 0) {
		f->n_codings++;
		f->is_chunked =
		    value != NULL && strcasecmp(value, "chunked") == 0;
	}
	return MHD_YES;
}

/*
 * What a proxy and this server could read apart is answered by neither; MHD of
 * today takes it.
 * Source: RFC 9112, 3.2, 5.1, 6.1 and 6.3
 */
static bool
is_framed(struct incoming *in)
{
	struct framing f = {0};

	(void)MHD_get_connection_values(in->connection, MHD_HEADER_KIND,
	    count_header, &f);
	return !f.has_blank && f.n_hosts <= 1 &&
	    f.n_lengths + f.n_codings <= 1 &&
	    (f.n_codings == 0 || f.is_chunked);
}

static void
refuse_framing(struct incoming *in)
{
	in->is_refused = true;
	api_refuse(&in->answer, API_BAD_REQUEST, NULL, 0,
	    "a head has one Host, one Content-Length or "
	    "Transfer-Encoding: chunked, and no space before a colon");
}

/* The head is there: who asks too much, or for nothing here, is told now. */
static enum MHD_Result
begin(struct incoming *in, struct api_request *req)
{
	struct http *h = in->http;
	const char *length =
	    header(in->connection, MHD_HTTP_HEADER_CONTENT_LENGTH);
	unsigned long long n = length == NULL ? 0 : strtoull(length, NULL, 10);
	uint32_t wait_s = 1;
	bool may;

	in->is_last = !is_framed(in);
	(void)pthread_mutex_lock(&h->lock);
	may = rate_take(h->rate, in->conn->source, clock_mono_ms(), &wait_s);
	(void)pthread_mutex_unlock(&h->lock);
	if (!may)
		refuse_rate(in, wait_s);
	else if (in->is_last)
		refuse_framing(in);
	else if (n > h->start.settings->body_bytes)
		refuse_size(in);
	else
		in->is_refused = !api_check(req, &in->answer);
	/* more than that is not read: the answer, and the end */
	return in->is_last || (in->is_refused && n > HTTP_DRAIN_MAX)
	    ? send_answer(in)
	    : MHD_YES;
}

static enum MHD_Result
take_body(struct incoming *in, const char *data, size_t len)
{
	size_t cap = in->http->start.settings->body_bytes;

	in->seen += len;
	if (in->seen > HTTP_DRAIN_MAX)
		return MHD_NO;
	if (in->is_refused)
		return MHD_YES;
	if (len > cap - in->len) {
		refuse_size(in);
		return MHD_YES;
	}
	if (in->body == NULL)
		in->body = malloc(cap);
	if (in->body == NULL)
		return MHD_NO;
	memcpy(in->body + in->len, data, len);
	in->len += len;
	return MHD_YES;
}

static enum MHD_Result
finish(struct incoming *in, struct api_request *req)
{
	struct http *h = in->http;

	if (in->is_done) {
		api_finish(&in->item, h->start.contact, &in->answer);
		return send_answer(in);
	}
	req->body = in->body;
	req->body_len = in->len;
	req->ask = header(in->connection, ASK_HEADER);
	if (in->is_refused ||
	    !api_begin(req, h->start.metrics, &in->item, &in->answer))
		return send_answer(in);
	in->item.owner = in;
	set_waiting(in, true);
	MHD_suspend_connection(in->connection);
	if (batch_add(h->batch, &in->item))
		return MHD_YES;
	in->is_refused = true;
	api_refuse(&in->answer, API_BUSY, NULL, API_BUSY_S,
	    "too many requests wait; nothing was changed");
	set_waiting(in, false);
	MHD_resume_connection(in->connection);
	return MHD_YES;
}

static enum MHD_Result
on_request(void *arg, struct MHD_Connection *connection, const char *url,
    const char *method, const char *version, const char *data, size_t *len,
    void **context)
{
	struct http *h = arg;
	struct incoming *in = *context;
	struct api_request req = {.method = method, .path = url};
	const union MHD_ConnectionInfo *info;
	enum MHD_Result result;

	(void)version;
	req.content_type = header(connection, MHD_HTTP_HEADER_CONTENT_TYPE);
	if (in == NULL) {
		info = MHD_get_connection_info(connection,
		    MHD_CONNECTION_INFO_SOCKET_CONTEXT);
		in = calloc(1, sizeof(*in));
		if (in == NULL || info == NULL ||
		    info->socket_context == NULL) {
			free(in);
			return MHD_NO;
		}
		in->http = h;
		in->connection = connection;
		in->conn = info->socket_context;
		*context = in;
		atomic_fetch_add(&h->n_requests, 1);
		return begin(in, &req);
	}
	if (*len > 0) {
		result = take_body(in, data, *len);
		*len = 0;
		return result;
	}
	return finish(in, &req);
}

static void
on_completed(void *arg, struct MHD_Connection *connection, void **context,
    enum MHD_RequestTerminationCode code)
{
	struct http *h = arg;
	struct incoming *in = *context;

	(void)connection;
	(void)code;
	if (in == NULL)
		return;
	set_waiting(in, false);
	json_decref(in->item.slots);
	free(in->answer.text);
	free(in->body);
	free(in);
	*context = NULL;
	atomic_fetch_sub(&h->n_requests, 1);
}

/* No path here has anything to unescape, and a %00 would end one early. */
static size_t
as_written(void *arg, struct MHD_Connection *connection, char *text)
{
	(void)arg;
	(void)connection;
	return strlen(text);
}

void
http_reap(struct http *h)
{
	int64_t now_ms = clock_mono_ms();

	(void)pthread_mutex_lock(&h->lock);
	for (struct conn *c = h->conns; c != NULL; c = c->next) {
		if (c->is_waiting || c->is_over || now_ms < c->until_ms)
			continue;
		c->is_over = true;
		(void)shutdown(c->fd, SHUT_RDWR);
		atomic_fetch_add(&h->start.metrics->timed_out, 1);
	}
	(void)pthread_mutex_unlock(&h->lock);
}

int
http_open(const struct http_start *start, struct http **http_out)
{
	uint8_t key[RATE_HASH_KEY_LEN];
	struct http *h = calloc(1, sizeof(*h));

	if (h == NULL)
		return MUSTER_E_NOMEM;
	h->start = *start;
	randombytes_buf(key, sizeof(key));
	h->rate = rate_new(start->settings->rate, start->settings->burst, key);
	if (h->rate == NULL) {
		free(h);
		return MUSTER_E_NOMEM;
	}
	(void)pthread_mutex_init(&h->lock, NULL);
	*http_out = h;
	return 0;
}

int
http_run(struct http *h, struct batch *batch)
{
	const struct settings *s = h->start.settings;

	h->batch = batch;
	h->daemon = MHD_start_daemon(MHD_USE_EPOLL_INTERNAL_THREAD |
	        MHD_USE_TLS | MHD_ALLOW_SUSPEND_RESUME,
	    0, on_accept, h, on_request, h, MHD_OPTION_LISTEN_SOCKET,
	    h->start.fd, MHD_OPTION_HTTPS_MEM_CERT, h->start.cert_pem,
	    MHD_OPTION_HTTPS_MEM_KEY, h->start.key_pem,
	    MHD_OPTION_HTTPS_PRIORITIES, HTTP_PRIORITIES,
	    MHD_OPTION_STRICT_FOR_CLIENT, 1, MHD_OPTION_UNESCAPE_CALLBACK,
	    as_written, NULL, MHD_OPTION_CONNECTION_LIMIT, s->connections,
	    MHD_OPTION_CONNECTION_MEMORY_LIMIT, (size_t)HTTP_MEMORY_MAX,
	    MHD_OPTION_NOTIFY_CONNECTION, on_connection, h,
	    MHD_OPTION_NOTIFY_COMPLETED, on_completed, h, MHD_OPTION_END);
	return h->daemon == NULL ? MUSTER_E_IO : 0;
}

void
http_quiesce(struct http *h)
{
	if (!h->is_quiet && h->daemon != NULL)
		(void)MHD_quiesce_daemon(h->daemon);
	h->is_quiet = true;
}

unsigned
http_requests(struct http *h)
{
	return h->n_requests;
}

void
http_close(struct http *h)
{
	if (h == NULL)
		return;
	if (h->daemon != NULL)
		MHD_stop_daemon(h->daemon);
	if (h->is_quiet || h->daemon == NULL)
		(void)close(h->start.fd);
	rate_free(h->rate);
	(void)pthread_mutex_destroy(&h->lock);
	free(h);
}
