/* SPDX-License-Identifier: MIT */
/*
 * The HTTP server of the status page and of host.sock, behind a Unix stream:
 * heads, arguments and bodies, and what a browser says of whom it asks.  The
 * input is what a client sends before it has gone.  What is behind the paths
 * is not here: each is answered by the same words, /slow by a thread.
 *
 * Holds: a body is within its limit; who passes for our own host is an
 * address or localhost; what was judged is answered, unless a client asks to
 * continue (with no bytes to come libmicrohttpd takes no answer and closes the
 * connection), and nothing else is; what is sent has no byte beyond ASCII, so
 * nothing of the client's.
 */
#include "target.h"

#include <errno.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include "host/http.h"
#include "host/status.h"

#define BODY_MAX 512
#define GOT_MAX (1 << 20)
#define TURNS_MAX 1000000 /* none is that long, but a loop without end */
#define QUIET 4           /* turns without a byte: nothing more is to come */
#define WORDS "{\"words\":\"of ours\"}"
#define SLOW "/slow"
#define HOST_CHARS "0123456789abcdefABCDEF:.[]localhostLOCALHOST"

static uv_loop_t loop;
static struct http *http;
static struct sockaddr_un at = {.sun_family = AF_UNIX};
static socklen_t at_len = sizeof(at);
static char got[GOT_MAX + 1];
static size_t n_got;
static unsigned n_judged;
static bool asks_to_continue;

static bool
answer(void *arg, struct MHD_Connection *connection, struct admin_request *req,
    struct admin_answer *answer_out, struct admin_filter *filter_out)
{
	const char *const *texts = (const char *const *)&req->query;
	const char *host = MHD_lookup_connection_value(connection,
	    MHD_HEADER_KIND, MHD_HTTP_HEADER_HOST);
	size_t n = strlen(req->method) + strlen(req->path);

	(void)arg;
	(void)filter_out;
	for (size_t i = 0; i < sizeof(req->query) / sizeof(*texts); i++)
		n += texts[i] == NULL ? 0 : strlen(texts[i]);
	HOLDS(n < HTTP_MEMORY);
	HOLDS(req->body_len <= BODY_MAX);
	HOLDS(req->body != NULL || req->body_len == 0);
	if (status_is_our_host(host, "192.0.2.7"))
		HOLDS(host[strspn(host, HOST_CHARS)] == '\0');
	asks_to_continue |=
	    MHD_lookup_connection_value(connection, MHD_HEADER_KIND,
	        MHD_HTTP_HEADER_EXPECT) != NULL;
	n_judged++;
	if (strcmp(req->path, SLOW) == 0)
		return false;
	answer_out->http = 200;
	answer_out->fixed = WORDS;
	answer_out->fixed_len = sizeof(WORDS) - 1;
	return true;
}

void
admin_api_list(const struct admin_host *host, const struct admin_filter *filter,
    struct admin_answer *answer_out)
{
	(void)host;
	(void)filter;
	*answer_out =
	    (struct admin_answer){.http = 200, .text = strdup(WORDS), .fd = -1};
}

static void
make_server(void)
{
	static const struct http_service service = {.answer = answer,
	    .body_max = BODY_MAX,
	    .queues = true};
	int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);

	/* no path: the kernel finds a name, which no file system has */
	HOLDS(fd >= 0 &&
	    bind(fd, (struct sockaddr *)&at, sizeof(at.sun_family)) == 0);
	HOLDS(getsockname(fd, (struct sockaddr *)&at, &at_len) == 0);
	HOLDS(listen(fd, 16) == 0 && uv_loop_init(&loop) == 0);
	HOLDS(http_serve(&loop, &service, fd, &http) == 0);
}

/* False: that was all. */
static bool
receive(int client)
{
	ssize_t n;

	while (
	    (n = recv(client, got + n_got, GOT_MAX - n_got, MSG_DONTWAIT)) > 0)
		n_got += (size_t)n;
	HOLDS(n_got < GOT_MAX);
	return n < 0 && errno == EAGAIN;
}

/* Answers that are ours, of what is here. */
static unsigned
count_answers(void)
{
	unsigned n = 0;

	got[n_got] = '\0';
	for (const char *p = got; (p = strstr(p, "HTTP/1.")) != NULL; p++) {
		HOLDS(p[7] == '0' || p[7] == '1');
		n += strncmp(p + 8, " 200 ", 5) == 0;
	}
	return n;
}

/* Until all that was judged is answered, or the connection is closed. */
static void
turns(int client)
{
	unsigned n_quiet = 0;
	bool is_open = true;

	for (unsigned i = 0;
	     is_open && (n_quiet < QUIET || count_answers() < n_judged); i++) {
		size_t before = n_got;

		HOLDS(i < TURNS_MAX);
		(void)uv_run(&loop, UV_RUN_NOWAIT);
		is_open = receive(client);
		n_quiet = n_got == before ? n_quiet + 1 : 0;
	}
	HOLDS(count_answers() == n_judged ||
	    (asks_to_continue && !is_open && count_answers() < n_judged));
	for (size_t i = 0; i < n_got; i++)
		HOLDS(got[i] == '\r' || got[i] == '\n' ||
		    (got[i] >= ' ' && got[i] <= '~'));
}

int
LLVMFuzzerTestOneInput(const uint8_t *p, size_t len)
{
	size_t n_sent = 0;
	int client;

	if (http == NULL)
		make_server();
	n_got = n_judged = 0;
	asks_to_continue = false;
	client = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
	HOLDS(client >= 0 &&
	    connect(client, (struct sockaddr *)&at, at_len) == 0);
	while (n_sent < len) {
		ssize_t n = send(client, p + n_sent, len - n_sent,
		    MSG_DONTWAIT | MSG_NOSIGNAL);

		if (n < 0)
			break; /* more than a socket takes: it ends here */
		n_sent += (size_t)n;
	}
	turns(client);
	(void)close(client);
	for (unsigned i = 0; i < QUIET; i++)
		(void)uv_run(&loop, UV_RUN_NOWAIT);
	return 0;
}
