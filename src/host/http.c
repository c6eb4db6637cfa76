/* SPDX-License-Identifier: MIT */
#include "host/http.h"

#include <sodium.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

struct incoming;

struct http {
	const struct http_service *service;
	struct MHD_Daemon *daemon;
	uv_poll_t poll;
	uv_timer_t timer;
	unsigned n_working;             /* on threads of libuv's pool */
	struct incoming *first, **last; /* that wait for one */
	bool is_closed;
};

/* A request whose body is being read, or whose answer is being made. */
struct incoming {
	struct http *http;
	struct incoming *next;
	struct MHD_Connection *connection;
	uv_work_t work;
	struct admin_filter filter;
	struct admin_answer answer;
	bool is_answered; /* the answer is there, and not yet sent */
	char *body;
	size_t len, cap;
	bool is_too_big;
};

static void
incoming_free(struct incoming *in)
{
	if (in == NULL)
		return;
	if (in->body != NULL)
		sodium_memzero(in->body, in->cap); /* it may hold a key */
	free(in->body);
	if (in->is_answered && in->answer.fd >= 0)
		close(in->answer.fd);
	if (in->is_answered)
		free(in->answer.text);
	free(in->filter.products);
	free(in);
}

static enum MHD_Result
take_body(struct incoming *in, size_t body_max, const char *data, size_t len)
{
	if (in->is_too_big || len > body_max - in->len) {
		in->is_too_big = true;
		return MHD_YES;
	}
	if (in->len + len > in->cap) {
		size_t cap = 2 * (in->len + len);
		char *more = malloc(cap);

		if (more == NULL)
			return MHD_NO;
		if (in->body != NULL) {
			memcpy(more, in->body, in->len);
			sodium_memzero(in->body, in->cap);
			free(in->body);
		}
		in->body = more;
		in->cap = cap;
	}
	memcpy(in->body + in->len, data, len);
	in->len += len;
	return MHD_YES;
}

static enum MHD_Result
send_answer(const struct http_service *service,
    struct MHD_Connection *connection, struct admin_answer *answer)
{
	static char no_memory[] = "{\"error\":{\"code\":\"no_memory\","
	                          "\"message\":\"out of memory\","
	                          "\"next_step\":\"free memory\"}}";
	const struct http_header *h = service->headers;
	struct MHD_Response *response;
	enum MHD_Result result = MHD_NO;

	if (answer->fd >= 0) {
		response =
		    MHD_create_response_from_fd64(answer->fd_len, answer->fd);
	} else if (answer->fixed != NULL) {
		response = MHD_create_response_from_buffer(answer->fixed_len,
		    (void *)(uintptr_t)answer->fixed, MHD_RESPMEM_PERSISTENT);
	} else if (answer->text != NULL) {
		response = MHD_create_response_from_buffer(strlen(answer->text),
		    answer->text, MHD_RESPMEM_MUST_FREE);
	} else {
		answer->http = 500;
		response =
		    MHD_create_response_from_buffer(sizeof(no_memory) - 1,
		        no_memory, MHD_RESPMEM_PERSISTENT);
	}
	if (response == NULL)
		return MHD_NO;
	(void)MHD_add_response_header(response, MHD_HTTP_HEADER_CONTENT_TYPE,
	    answer->type != NULL ? answer->type : ADMIN_TYPE_JSON);
	(void)MHD_add_response_header(response, MHD_HTTP_HEADER_CACHE_CONTROL,
	    answer->etag != NULL ? "no-cache" : "no-store");
	if (answer->etag != NULL)
		(void)MHD_add_response_header(response, MHD_HTTP_HEADER_ETAG,
		    answer->etag);
	for (; h != NULL && h->name != NULL; h++)
		(void)MHD_add_response_header(response, h->name, h->value);
	result = MHD_queue_response(connection, answer->http, response);
	MHD_destroy_response(response);
	return result;
}

static enum MHD_Result
send_error(const struct http_service *service,
    struct MHD_Connection *connection, unsigned http, const char *text)
{
	struct admin_answer answer = {.http = http, .fd = -1};

	answer.text = strdup(text);
	return send_answer(service, connection, &answer);
}

static void
on_work(uv_work_t *work)
{
	struct incoming *in = work->data;

	admin_api_list(in->http->service->host, &in->filter, &in->answer);
}

static void run(struct http *http);
static void work_on(struct http *http);

static void
on_work_done(uv_work_t *work, int status)
{
	struct incoming *in = work->data;
	struct http *http = in->http;

	(void)status; /* nothing cancels it */
	in->is_answered = true;
	http->n_working--;
	MHD_resume_connection(in->connection);
	if (!http->is_closed) {
		work_on(http);
		run(http);
	} else if (http->n_working == 0) {
		MHD_stop_daemon(http->daemon);
	}
}

/* The next that waits, while there is a thread for it. */
static void
work_on(struct http *http)
{
	struct incoming *in = http->first;

	if (in == NULL || http->n_working == HTTP_WORK_MAX)
		return;
	http->first = in->next;
	if (http->first == NULL)
		http->last = &http->first;
	/* fails for a handle that is none alone */
	(void)uv_queue_work(http->timer.loop, &in->work, on_work, on_work_done);
	http->n_working++;
}

/* An inventory may have a million rows: the loop goes on meanwhile. */
static enum MHD_Result
begin_work(struct http *http, struct MHD_Connection *connection,
    struct incoming *in)
{
	if (!http->service->queues && http->n_working == HTTP_WORK_MAX)
		return send_error(http->service, connection, 503,
		    "{\"error\":{\"code\":\"busy\","
		    "\"message\":\"the inventory is being listed already\","
		    "\"next_step\":\"try again in a moment\"}}");
	in->http = http;
	in->connection = connection;
	in->work.data = in;
	MHD_suspend_connection(connection);
	*http->last = in;
	http->last = &in->next;
	work_on(http);
	return MHD_YES;
}

static enum MHD_Result
on_argument(void *arg, enum MHD_ValueKind kind, const char *name,
    const char *value)
{
	struct admin_query *query = arg;
	const struct {
		const char *name;
		const char **value;
	} all[] = {{"product", &query->product}, {"state", &query->state},
	    {"duplicate", &query->duplicate}, {"format", &query->format},
	    {"search", &query->search}, {"sort", &query->sort},
	    {"order", &query->order}, {"limit", &query->limit},
	    {"after", &query->after}, {"resolution", &query->resolution},
	    {"level", &query->level}};

	(void)kind;
	for (size_t i = 0; i < sizeof(all) / sizeof(all[0]); i++) {
		if (strcmp(all[i].name, name) == 0) {
			*all[i].value = value != NULL ? value : "";
			return MHD_YES;
		}
	}
	query->unknown = name;
	return MHD_YES;
}

static enum MHD_Result
on_request(void *arg, struct MHD_Connection *connection, const char *url,
    const char *method, const char *version, const char *data, size_t *len,
    void **request)
{
	struct http *http = arg;
	const struct http_service *service = http->service;
	struct incoming *in = *request;
	struct admin_answer answer = {.fd = -1};
	struct admin_request req = {.method = method, .path = url};
	enum MHD_Result result;

	(void)version;
	if (in == NULL) {
		*request = calloc(1, sizeof(*in));
		return *request == NULL ? MHD_NO : MHD_YES;
	}
	if (in->is_answered) {
		in->is_answered = false; /* send_answer() takes it */
		return send_answer(service, connection, &in->answer);
	}
	if (*len > 0) {
		result = take_body(in, service->body_max, data, *len);
		*len = 0;
		return result;
	}
	if (in->is_too_big)
		return send_error(service, connection, 413,
		    "{\"error\":{\"code\":\"too_big\","
		    "\"message\":\"the body is too big\","
		    "\"next_step\":\"send a smaller one\"}}");
	req.body = in->body == NULL ? NULL : in->body;
	req.body_len = in->len;
	(void)MHD_get_connection_values(connection, MHD_GET_ARGUMENT_KIND,
	    on_argument, &req.query);
	if (!service->answer(service->arg, connection, &req, &answer,
	        &in->filter))
		return begin_work(http, connection, in);
	return send_answer(service, connection, &answer);
}

static void
on_completed(void *arg, struct MHD_Connection *connection, void **request,
    enum MHD_RequestTerminationCode code)
{
	(void)arg;
	(void)connection;
	(void)code;
	incoming_free(*request);
	*request = NULL;
}

static void on_timer(uv_timer_t *timer);

static bool
is_full(const struct http *http)
{
	const union MHD_DaemonInfo *info = MHD_get_daemon_info(http->daemon,
	    MHD_DAEMON_INFO_CURRENT_CONNECTIONS);

	return info != NULL && info->num_connections >= HTTP_CONNECTIONS_MAX;
}

static void
run(struct http *http)
{
	MHD_UNSIGNED_LONG_LONG ms;
	bool was_full = is_full(http);

	(void)MHD_run(http->daemon);
	/* a full daemon listens no more, and looks only at its next run
	 * whether it may again */
	if (was_full && !is_full(http))
		(void)MHD_run(http->daemon);
	if (http->is_closed)
		return;
	if (MHD_get_timeout(http->daemon, &ms) == MHD_YES)
		(void)uv_timer_start(&http->timer, on_timer, ms, 0);
	else
		(void)uv_timer_stop(&http->timer);
}

static void
on_timer(uv_timer_t *timer)
{
	run(timer->data);
}

static void
on_poll(uv_poll_t *poll, int status, int events)
{
	(void)status;
	(void)events;
	run(poll->data);
}

int
http_serve(uv_loop_t *loop, const struct http_service *service, int fd,
    struct http **http_out)
{
	struct http *http = calloc(1, sizeof(*http));
	const union MHD_DaemonInfo *info = NULL;

	if (http == NULL) {
		close(fd);
		return MUSTER_E_NOMEM;
	}
	http->service = service;
	http->last = &http->first;
	http->daemon = MHD_start_daemon(MHD_USE_EPOLL | MHD_USE_ERROR_LOG |
	        MHD_ALLOW_SUSPEND_RESUME,
	    0, NULL, NULL, on_request, http, MHD_OPTION_LISTEN_SOCKET, fd,
	    MHD_OPTION_CONNECTION_LIMIT, HTTP_CONNECTIONS_MAX,
	    MHD_OPTION_CONNECTION_TIMEOUT, HTTP_TIMEOUT_S,
	    MHD_OPTION_CONNECTION_MEMORY_LIMIT, (size_t)HTTP_MEMORY,
	    MHD_OPTION_NOTIFY_COMPLETED, on_completed, NULL, MHD_OPTION_END);
	if (http->daemon == NULL)
		close(fd);
	else
		info =
		    MHD_get_daemon_info(http->daemon, MHD_DAEMON_INFO_EPOLL_FD);
	if (info == NULL ||
	    uv_poll_init(loop, &http->poll, info->epoll_fd) != 0) {
		if (http->daemon != NULL)
			MHD_stop_daemon(http->daemon);
		free(http);
		return MUSTER_E_IO;
	}
	http->poll.data = http;
	(void)uv_timer_init(loop, &http->timer);
	http->timer.data = http;
	(void)uv_poll_start(&http->poll, UV_READABLE, on_poll);
	*http_out = http;
	return 0;
}

/* A suspended connection must not see the end: those that wait are let go,
 * and who is at work ends it. */
void
http_close(struct http *http)
{
	if (http == NULL || http->is_closed)
		return;
	http->is_closed = true;
	(void)uv_poll_stop(&http->poll);
	uv_close((uv_handle_t *)&http->poll, NULL);
	uv_close((uv_handle_t *)&http->timer, NULL);
	for (struct incoming *in = http->first; in != NULL; in = in->next)
		MHD_resume_connection(in->connection);
	http->first = NULL;
	if (http->n_working == 0)
		MHD_stop_daemon(http->daemon);
}

void
http_free(struct http *http)
{
	free(http);
}
