/* SPDX-License-Identifier: MIT */
#include "host/admin.h"

#include <errno.h>
#include <grp.h>
#include <microhttpd.h>
#include <sodium.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include "base/log.h"
#include "base/paths.h"
#include "host/admin_api.h"

#define ADMIN_CONNECTIONS_MAX 32U
#define ADMIN_TIMEOUT_S 10U
#define ADMIN_BACKLOG 32
#define ADMIN_GROUP "muster"

#define ADMIN_LISTINGS_MAX 2U /* at a time; of the four threads libuv has */

struct admin {
	struct admin_host host;
	struct MHD_Daemon *daemon;
	uv_poll_t poll;
	uv_timer_t timer;
	char path[PATH_SOCKET_MAX + 1]; /* empty: handed over, not ours */
	unsigned n_listings;            /* on threads of libuv's pool */
	bool is_closed;
};

/* A request whose body is being read, or whose answer is being made. */
struct incoming {
	struct admin *admin;
	struct MHD_Connection *connection;
	uv_work_t work;
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
	free(in);
}

static enum MHD_Result
take_body(struct incoming *in, const char *data, size_t len)
{
	if (in->is_too_big || len > ADMIN_BODY_MAX - in->len) {
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

/* Who is it?  The kernel's word, once a request. */
static bool
may_change(const struct admin *admin, struct MHD_Connection *connection)
{
	const union MHD_ConnectionInfo *info =
	    MHD_get_connection_info(connection,
	        MHD_CONNECTION_INFO_CONNECTION_FD);
	struct ucred peer;
	socklen_t len = sizeof(peer);

	if (info == NULL ||
	    getsockopt(info->connect_fd, SOL_SOCKET, SO_PEERCRED, &peer,
	        &len) != 0 ||
	    len != sizeof(peer))
		return false;
	return peer.uid == 0 ||
	    (admin->host.is_below_root && peer.uid == geteuid());
}

static enum MHD_Result
send_answer(struct MHD_Connection *connection, struct admin_answer *answer)
{
	static char no_memory[] = "{\"error\":{\"code\":\"no_memory\","
	                          "\"message\":\"out of memory\","
	                          "\"next_step\":\"free memory\"}}";
	struct MHD_Response *response;
	enum MHD_Result result = MHD_NO;

	if (answer->fd >= 0) {
		response =
		    MHD_create_response_from_fd64(answer->fd_len, answer->fd);
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
	    "application/json");
	(void)MHD_add_response_header(response, MHD_HTTP_HEADER_CACHE_CONTROL,
	    "no-store");
	result = MHD_queue_response(connection, answer->http, response);
	MHD_destroy_response(response);
	return result;
}

static enum MHD_Result
send_error(struct MHD_Connection *connection, unsigned http, const char *text)
{
	struct admin_answer answer = {.http = http, .fd = -1};

	answer.text = strdup(text);
	return send_answer(connection, &answer);
}

static void
on_list_work(uv_work_t *work)
{
	struct incoming *in = work->data;

	admin_api_list(&in->admin->host, &in->answer);
}

static void run(struct admin *admin);
static void end(struct admin *admin);

static void
on_list_done(uv_work_t *work, int status)
{
	struct incoming *in = work->data;
	struct admin *admin = in->admin;

	(void)status; /* nothing cancels it */
	in->is_answered = true;
	admin->n_listings--;
	MHD_resume_connection(in->connection);
	if (!admin->is_closed)
		run(admin);
	else if (admin->n_listings == 0)
		end(admin);
}

/* An inventory may have a million rows: the loop goes on meanwhile. */
static enum MHD_Result
begin_listing(struct admin *admin, struct MHD_Connection *connection,
    struct incoming *in)
{
	if (admin->n_listings == ADMIN_LISTINGS_MAX)
		return send_error(connection, 503,
		    "{\"error\":{\"code\":\"busy\","
		    "\"message\":\"the inventory is being listed already\","
		    "\"next_step\":\"try again in a moment\"}}");
	in->admin = admin;
	in->connection = connection;
	in->work.data = in;
	MHD_suspend_connection(connection);
	if (uv_queue_work(admin->timer.loop, &in->work, on_list_work,
	        on_list_done) != 0) {
		MHD_resume_connection(connection);
		return MHD_NO;
	}
	admin->n_listings++;
	return MHD_YES;
}

static enum MHD_Result
on_request(void *arg, struct MHD_Connection *connection, const char *url,
    const char *method, const char *version, const char *data, size_t *len,
    void **request)
{
	struct admin *admin = arg;
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
		return send_answer(connection, &in->answer);
	}
	if (*len > 0) {
		result = take_body(in, data, *len);
		*len = 0;
		return result;
	}
	if (in->is_too_big)
		return send_error(connection, 413,
		    "{\"error\":{\"code\":\"too_big\","
		    "\"message\":\"the body is too big\","
		    "\"next_step\":\"send a smaller one\"}}");
	req.body = in->body == NULL ? NULL : in->body;
	req.body_len = in->len;
	req.may_change = may_change(admin, connection);
	if (!admin_api(&admin->host, &req, &answer))
		return begin_listing(admin, connection, in);
	return send_answer(connection, &answer);
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

static void
run(struct admin *admin)
{
	MHD_UNSIGNED_LONG_LONG ms;

	(void)MHD_run(admin->daemon);
	if (admin->is_closed)
		return;
	if (MHD_get_timeout(admin->daemon, &ms) == MHD_YES)
		(void)uv_timer_start(&admin->timer, on_timer, ms, 0);
	else
		(void)uv_timer_stop(&admin->timer);
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

static int
socket_problem(struct problem *problem, const char *path, const char *what)
{
	return problem_set(problem,
	    errno == EACCES || errno == EROFS ? MUSTER_E_DENIED : MUSTER_E_IO,
	    500, "admin_socket",
	    "make its folder, writable by the user that runs musterd",
	    "the socket %s cannot be %s: %s", path, what, strerror(errno));
}

/* The store's lock is ours, so a socket that is there is nobody's. */
static int
remove_stale(const char *path, struct problem *problem)
{
	struct stat st;

	if (lstat(path, &st) != 0)
		return 0;
	if (!S_ISSOCK(st.st_mode))
		return problem_set(problem, MUSTER_E_EXIST, 500, "admin_socket",
		    "remove it, if nobody needs it",
		    "%s is there and is no socket", path);
	if (unlink(path) != 0)
		return socket_problem(problem, path, "replaced");
	return 0;
}

static int
bind_socket(const char *path, int *fd_out, struct problem *problem)
{
	struct sockaddr_un at = {.sun_family = AF_UNIX};
	const struct group *group = getgrnam(ADMIN_GROUP);
	mode_t mask;
	int fd, rc, err = remove_stale(path, problem);

	if (err != 0)
		return err;
	memcpy(at.sun_path, path, strlen(path) + 1);
	fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	if (fd < 0)
		return socket_problem(problem, path, "made");
	mask = umask(0177);
	rc = bind(fd, (struct sockaddr *)&at, sizeof(at));
	(void)umask(mask);
	if (rc != 0 || listen(fd, ADMIN_BACKLOG) != 0) {
		err = socket_problem(problem, path, "made");
		close(fd);
		return err;
	}
	/* not a member of the group: then it stays our own group's */
	if (group != NULL)
		(void)!chown(path, (uid_t)-1, group->gr_gid);
	if (chmod(path, 0660) != 0)
		log_line(LOG_WARN, "admin", "%s cannot be made 0660", path);
	*fd_out = fd;
	return 0;
}

static int
begin(struct admin *admin, uv_loop_t *loop, int fd, struct problem *problem)
{
	const union MHD_DaemonInfo *info;

	admin->daemon = MHD_start_daemon(MHD_USE_EPOLL | MHD_USE_ERROR_LOG |
	        MHD_ALLOW_SUSPEND_RESUME,
	    0, NULL, NULL, on_request, admin, MHD_OPTION_LISTEN_SOCKET, fd,
	    MHD_OPTION_CONNECTION_LIMIT, ADMIN_CONNECTIONS_MAX,
	    MHD_OPTION_CONNECTION_TIMEOUT, ADMIN_TIMEOUT_S,
	    MHD_OPTION_NOTIFY_COMPLETED, on_completed, NULL, MHD_OPTION_END);
	if (admin->daemon == NULL) {
		close(fd);
		return socket_problem(problem, "host.sock", "served");
	}
	info = MHD_get_daemon_info(admin->daemon, MHD_DAEMON_INFO_EPOLL_FD);
	if (info == NULL ||
	    uv_poll_init(loop, &admin->poll, info->epoll_fd) != 0) {
		MHD_stop_daemon(admin->daemon);
		return problem_set(problem, MUSTER_E_IO, 500, "admin_socket",
		    "report this", "the event loop does not take host.sock");
	}
	admin->poll.data = admin;
	(void)uv_timer_init(loop, &admin->timer);
	admin->timer.data = admin;
	(void)uv_poll_start(&admin->poll, UV_READABLE, on_poll);
	return 0;
}

int
admin_listen(uv_loop_t *loop, const struct admin_host *host, const char *path,
    int fd, struct admin **admin_out, struct problem *problem)
{
	struct admin *admin;
	int err = 0;

	if (fd < 0 && strlen(path) > PATH_SOCKET_MAX)
		return problem_set(problem, MUSTER_E_TOOBIG, 500, "socket_path",
		    "choose a shorter folder for --root",
		    "the socket path %s has %zu bytes; the system allows %d",
		    path, strlen(path), PATH_SOCKET_MAX);
	admin = calloc(1, sizeof(*admin));
	if (admin == NULL)
		return problem_set(problem, MUSTER_E_NOMEM, 500, "no_memory",
		    "free memory on this machine", "out of memory");
	admin->host = *host;
	if (fd < 0) {
		err = bind_socket(path, &fd, problem);
		if (err == 0)
			memcpy(admin->path, path, strlen(path) + 1);
	}
	if (err == 0)
		err = begin(admin, loop, fd, problem);
	if (err != 0) {
		if (admin->path[0] != '\0')
			(void)unlink(admin->path);
		free(admin);
		return err;
	}
	*admin_out = admin;
	return 0;
}

/* A suspended connection must not see the end: then its listing does it. */
static void
end(struct admin *admin)
{
	MHD_stop_daemon(admin->daemon);
	if (admin->path[0] != '\0')
		(void)unlink(admin->path);
}

void
admin_close(struct admin *admin)
{
	if (admin == NULL || admin->is_closed)
		return;
	admin->is_closed = true;
	(void)uv_poll_stop(&admin->poll);
	uv_close((uv_handle_t *)&admin->poll, NULL);
	uv_close((uv_handle_t *)&admin->timer, NULL);
	if (admin->n_listings == 0)
		end(admin);
}

void
admin_free(struct admin *admin)
{
	free(admin);
}
