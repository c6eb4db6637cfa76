/* SPDX-License-Identifier: MIT */
#include "host/admin.h"

#include <errno.h>
#include <grp.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include "base/log.h"
#include "base/paths.h"
#include "host/http.h"

#define ADMIN_BACKLOG 32
#define ADMIN_GROUP "muster"

struct admin {
	struct admin_host host;
	struct http_service service;
	struct http *http;
	char path[PATH_SOCKET_MAX + 1]; /* empty: handed over, not ours */
	bool is_closed;
};

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

static bool
answer(void *arg, struct MHD_Connection *connection, struct admin_request *req,
    struct admin_answer *answer_out, struct admin_filter *filter_out)
{
	struct admin *admin = arg;

	req->may_change = may_change(admin, connection);
	return admin_api(&admin->host, req, answer_out, filter_out);
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
		log_event(LOG_WARN, "admin", LOG_FIELDS(LOG_TEXT(FILE, path)),
		    "%s cannot be made 0660", path);
	*fd_out = fd;
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
	admin->service = (struct http_service){.host = &admin->host,
	    .arg = admin,
	    .answer = answer,
	    .body_max = ADMIN_BODY_MAX};
	if (fd < 0) {
		err = bind_socket(path, &fd, problem);
		if (err == 0)
			memcpy(admin->path, path, strlen(path) + 1);
	}
	if (err == 0 &&
	    http_serve(loop, &admin->service, fd, &admin->http) != 0)
		err = socket_problem(problem, "host.sock", "served");
	if (err != 0) {
		if (admin->path[0] != '\0')
			(void)unlink(admin->path);
		free(admin);
		return err;
	}
	*admin_out = admin;
	return 0;
}

void
admin_close(struct admin *admin)
{
	if (admin == NULL || admin->is_closed)
		return;
	admin->is_closed = true;
	http_close(admin->http);
	if (admin->path[0] != '\0')
		(void)unlink(admin->path);
}

void
admin_free(struct admin *admin)
{
	if (admin == NULL)
		return;
	http_free(admin->http);
	free(admin);
}
