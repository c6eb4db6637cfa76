/* SPDX-License-Identifier: MIT */
/*
 * musterd -- the KMS host.  Start-up is flat: each step either succeeds or
 * says what is wrong and what to do, and ends the process.
 */
#include <getopt.h>
#include <signal.h>
#include <sodium.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/log.h"
#include "base/notify.h"
#include "base/paths.h"
#include "base/sandbox.h"
#include "host/database.h"
#include "host/admin.h"
#include "host/config.h"
#include "host/confine.h"
#include "host/conn.h"
#include "host/events.h"
#include "host/publish_run.h"
#include "host/reload.h"
#include "host/rescan.h"
#include "host/restore.h"
#include "host/state.h"
#include "host/status.h"
#include "host/turnloop.h"
#include "store/module.h"

enum { EXIT_DONE = 0, EXIT_FAIL = 1, EXIT_USAGE = 2, EXIT_CONFIG = 78 };

#define FILES_SPARE 64 /* descriptors beside those of connections */
#define STOP_MAX_MS 5000
#define CERT_WATCH_MS 60000 /* certificates begin and end by the day */

struct args {
	const char *config;
	const char *root;
	bool is_check;
	bool is_new_database;
	bool is_restore;
};

struct musterd {
	struct args args;
	struct host_config config;
	char config_path[FILE_PATH_MAX];
	uint32_t asked_connections; /* as the file has it */
	struct state *state;
	struct store *store;
	uv_loop_t loop;
	struct conn_server *server;
	struct turnloop *turnloop;
	struct admin_host admin_host;
	struct sandbox sandbox;
	struct admin *admin;
	struct status *status;
	uv_signal_t term, interrupt, hangup;
	uv_timer_t stop_timer, cert_timer;
	uv_work_t first_work;
	struct rescan rescan;
	struct publish_run publish;
	struct watch watch;
	struct selftest selftest;
	unsigned n_running; /* of those that stop takes time for */
	bool is_stopping;
	int exit_code;
};

static const char usage[] =
    "usage: musterd [--config FILE] [--root DIR] [--check | --new-database |\n"
    "       --restore]\n"
    "The KMS host: counts machines and answers activation requests.\n"
    "  --config FILE  settings (default /etc/muster/musterd.conf)\n"
    "  --root DIR     put every path under DIR\n"
    "  --check        test the settings and exit\n"
    "  --new-database start although the database of an activated host is\n"
    "                 lost: all machines are counted anew (once, by hand)\n"
    "  --restore      put the backup on standard input in the place of the\n"
    "                 database; for `muster host restore`\n"
    "  --help, --version\n";

static void
fail(const struct problem *problem)
{
	log_event(LOG_ERROR, "start", LOG_FIELDS(LOG_TEXT(CODE, problem->code)),
	    "%s; %s", problem->message, problem->next_step);
}

static bool
parse_args(int argc, char **argv, struct args *args, int *exit_out)
{
	static const struct option options[] = {
	    {"config", required_argument, NULL, 'c'},
	    {"root", required_argument, NULL, 'r'},
	    {"check", no_argument, NULL, 'k'},
	    {"new-database", no_argument, NULL, 'n'},
	    {"restore", no_argument, NULL, 'b'},
	    {"help", no_argument, NULL, 'h'},
	    {"version", no_argument, NULL, 'v'},
	    {NULL, 0, NULL, 0},
	};
	int c;

	while ((c = getopt_long(argc, argv, "", options, NULL)) != -1) {
		switch (c) {
		case 'c':
			args->config = optarg;
			break;
		case 'r':
			args->root = optarg;
			break;
		case 'k':
			args->is_check = true;
			break;
		case 'n':
			args->is_new_database = true;
			break;
		case 'b':
			args->is_restore = true;
			break;
		case 'h':
			(void)fputs(usage, stdout);
			*exit_out = EXIT_DONE;
			return false;
		case 'v':
			(void)puts("musterd " MUSTER_VERSION);
			*exit_out = EXIT_DONE;
			return false;
		default:
			(void)fputs(usage, stderr);
			*exit_out = EXIT_USAGE;
			return false;
		}
	}
	if (optind != argc ||
	    args->is_check + args->is_new_database + args->is_restore > 1 ||
	    (args->root != NULL && args->root[0] == '\0')) {
		(void)fputs(usage, stderr);
		*exit_out = EXIT_USAGE;
		return false;
	}
	return true;
}

/* The file need not be there unless it was named. */
static int
load_config(struct musterd *d)
{
	char *path = d->config_path;
	int err = 0;

	config_defaults(&d->config);
	if (d->args.config == NULL)
		err = file_join(d->args.root, PATH_HOST_CONF, path,
		    FILE_PATH_MAX);
	else
		err = file_join(NULL, d->args.config, path, FILE_PATH_MAX);
	if (err == 0)
		err = config_load(path, reload_say, NULL, &d->config);
	if (err == MUSTER_E_NOENT && d->args.config == NULL)
		err = 0;
	d->asked_connections = d->config.connections;
	if (err != 0 && err != MUSTER_E_PROTO)
		log_event(LOG_ERROR, "config",
		    LOG_FIELDS(LOG_TEXT(FILE,
		                   d->args.config == NULL ? PATH_HOST_CONF
		                                          : d->args.config),
		        LOG_CODE(err)),
		    "%s cannot be read: %s; name a readable file by --config",
		    d->args.config == NULL ? PATH_HOST_CONF : d->args.config,
		    muster_strerror(err));
	return err;
}

/* Keys stay out of core files; descriptors suffice for the pool. */
static void
set_limits(struct musterd *d)
{
	const struct rlimit none = {0, 0};
	const rlim_t want = (rlim_t)d->config.connections + FILES_SPARE;
	struct rlimit files;

	(void)setrlimit(RLIMIT_CORE, &none);
	(void)prctl(PR_SET_DUMPABLE, 0, 0, 0, 0);
	(void)signal(SIGPIPE, SIG_IGN);
	(void)signal(SIGXFSZ, SIG_IGN); /* a failing write says so */
	(void)umask(022);
	if (getrlimit(RLIMIT_NOFILE, &files) != 0 || files.rlim_cur >= want)
		return;
	files.rlim_cur = files.rlim_max < want ? files.rlim_max : want;
	(void)setrlimit(RLIMIT_NOFILE, &files);
	if (files.rlim_cur >= want)
		return;
	d->config.connections = files.rlim_cur > 2 * FILES_SPARE
	    ? (uint32_t)files.rlim_cur - FILES_SPARE
	    : (uint32_t)files.rlim_cur / 4; /* the store goes first */
	log_event(LOG_WARN, "limits",
	    LOG_FIELDS(LOG_NUMBER(LIMIT, files.rlim_cur)),
	    "only %lu open files allowed: connections is taken as %u",
	    (unsigned long)files.rlim_cur, d->config.connections);
}

static int
open_state(struct musterd *d)
{
	struct problem problem;
	int err = state_open(d->args.root, d->config.renewal_min,
	    d->config.retry_min, &d->state, &problem);

	if (err == 0)
		err = state_reserve(d->state, d->store, &problem);
	if (err == 0)
		database_host(&d->config, d->store, d->state->host);
	if (err != 0)
		fail(&problem);
	else if (d->state->n == 0)
		log_line(LOG_WARN, "catalogue",
		    "none is here: no product can be activated; install a "
		    "product's package or a catalogue");
	return err;
}

static void
close_all(struct musterd *d)
{
	conn_server_free(d->server);
	publish_run_free(&d->publish);
	admin_free(d->admin);
	status_free(d->status);
	watch_free(&d->watch);
	turnloop_free(d->turnloop);
	store_close(d->store);
	state_close(d->state);
}

/* Every connection is closed, no update is in flight: what is left hangs on
 * the loop by itself. */
static void
on_stopped(void *arg)
{
	struct musterd *d = arg;

	if (--d->n_running > 0)
		return;
	turnloop_close(d->turnloop);
	admin_close(d->admin);
	status_close(d->status);
	uv_close((uv_handle_t *)&d->term, NULL);
	uv_close((uv_handle_t *)&d->interrupt, NULL);
	uv_close((uv_handle_t *)&d->hangup, NULL);
	uv_close((uv_handle_t *)&d->stop_timer, NULL);
	uv_close((uv_handle_t *)&d->cert_timer, NULL);
	rescan_stop(&d->rescan);
	watch_stop(&d->watch);
	selftest_stop(&d->selftest);
}

static void
on_stop_timer(uv_timer_t *timer)
{
	struct musterd *d = timer->data;

	conn_server_abort(d->server);
	publish_run_abort(&d->publish);
}

static void
stop(struct musterd *d, int exit_code)
{
	if (d->is_stopping)
		return;
	d->is_stopping = true;
	d->exit_code = exit_code;
	notify_send("STOPPING=1");
	(void)uv_timer_start(&d->stop_timer, on_stop_timer, STOP_MAX_MS, 0);
	d->n_running = 2;
	conn_server_stop(d->server, on_stopped, d);
	publish_run_stop(&d->publish, on_stopped, d);
}

static void
on_signal(uv_signal_t *handle, int number)
{
	struct musterd *d = handle->data;

	log_event(LOG_NOTE, "stopping", LOG_FIELDS(LOG_NUMBER(SIGNAL, number)),
	    "signal %d", number);
	stop(d, EXIT_DONE);
}

static void
on_fatal(void *arg, int outcome)
{
	(void)outcome; /* told by the turn loop */
	stop(arg, EXIT_FAIL);
}

static void
on_cert_timer(uv_timer_t *timer)
{
	struct musterd *d = timer->data;

	if (d->is_stopping)
		return;
	turnloop_settle(d->turnloop);
	state_refresh(d->state);
}

/* What a reload changes takes effect between two turns. */
static void
on_hangup(uv_signal_t *handle, int number)
{
	struct musterd *d = handle->data;
	const uint32_t connections = d->config.connections; /* set_limits() */
	struct store *store;

	(void)number;
	if (d->is_stopping)
		return;
	turnloop_settle(d->turnloop);
	store = turnloop_lock(d->turnloop);
	if (store == NULL) {
		log_line(LOG_WARN, "config",
		    "the store is busy: no setting is changed; reload again");
		return;
	}
	notify_send("RELOADING=1");
	d->config.connections = d->asked_connections;
	if (reload_file(d->config_path, d->args.config != NULL, &d->config) ==
	    0) {
		log_set_level((enum log_level)d->config.log_level);
		log_set_format((enum log_format)d->config.log_format);
		store_set_limits(store, d->config.inventory_rows,
		    d->config.retention_days);
		conn_server_configure(d->server, &d->config);
		state_set_intervals(d->state, d->config.renewal_min,
		    d->config.retry_min);
		selftest_every(&d->selftest, d->config.self_test_s);
	}
	d->config.connections = connections;
	turnloop_unlock(d->turnloop);
	rescan_now(&d->rescan);
	notify_send("READY=1");
}

static int
listen_configured(struct musterd *d, struct problem *problem)
{
	uint16_t port = (uint16_t)d->config.port;
	uint32_t n = 0;
	int err = 0;

	for (uint32_t i = 0; i < d->config.n_listen && err == 0; i++) {
		const char *address = d->config.listen[i];
		const struct conn_listener *at;

		err = conn_server_listen(d->server, address, port, problem);
		/* a machine without IPv6 serves IPv4 all the same */
		if (err == MUSTER_E_NOENT && strcmp(address, "::") == 0 &&
		    d->config.n_listen > 1) {
			log_line(LOG_NOTE, "listen", "no IPv6 here");
			err = 0;
		}
		/* any port: the same on every address */
		at = conn_server_listeners(d->server, &n);
		if (port == 0 && n > 0)
			port = at[0].port;
	}
	if (err == 0 && n == 0)
		err = problem_set(problem, MUSTER_E_NOENT, 500, "listen",
		    "set `listen` in musterd.conf", "nothing to listen on");
	return err;
}

/* Sockets of a service manager come instead of our own of their kind. */
static int
adopt(struct musterd *d, int *admin_fd, bool *has_rpc, struct problem *problem)
{
	int n = notify_sockets();
	int err = 0;

	for (int i = 0; i < n && err == 0; i++) {
		int fd = NOTIFY_FD_FIRST + i;
		struct sockaddr_storage at = {.ss_family = AF_UNSPEC};
		socklen_t len = sizeof(at);

		if (getsockname(fd, (struct sockaddr *)&at, &len) == 0 &&
		    at.ss_family == AF_UNIX && *admin_fd < 0) {
			*admin_fd = fd;
		} else {
			err = conn_server_adopt(d->server, fd, problem);
			*has_rpc = true;
		}
	}
	return err;
}

static int
open_sockets(struct musterd *d, struct problem *problem)
{
	char path[FILE_PATH_MAX], folder[FILE_PATH_MAX];
	int admin_fd = -1;
	bool has_rpc = false;
	int err = file_join(d->args.root, PATH_HOST_SOCKET, path, sizeof(path));

	if (err == 0)
		err = file_join(d->args.root, PATH_RUN, folder, sizeof(folder));
	if (err != 0)
		return problem_set(problem, err, 500, "root",
		    "choose a shorter folder for --root", "--root is too long");
	err = adopt(d, &admin_fd, &has_rpc, problem);
	if (err == 0 && !has_rpc)
		err = listen_configured(d, problem);
	if (err == 0 && admin_fd < 0)
		(void)!file_mkdirs(folder, 0755); /* told by the socket */
	if (err == 0)
		d->status = status_listen(&d->loop, &d->admin_host);
	if (err == 0)
		err = admin_listen(&d->loop, &d->admin_host, path, admin_fd,
		    &d->admin, problem);
	return err;
}

static void
open_handles(struct musterd *d)
{
	(void)uv_signal_init(&d->loop, &d->term);
	(void)uv_signal_init(&d->loop, &d->interrupt);
	(void)uv_signal_init(&d->loop, &d->hangup);
	(void)uv_timer_init(&d->loop, &d->stop_timer);
	(void)uv_timer_init(&d->loop, &d->cert_timer);
	d->term.data = d->interrupt.data = d->hangup.data = d;
	d->stop_timer.data = d->cert_timer.data = d;
	(void)uv_signal_start(&d->term, on_signal, SIGTERM);
	(void)uv_signal_start(&d->interrupt, on_signal, SIGINT);
	(void)uv_signal_start(&d->hangup, on_hangup, SIGHUP);
	(void)uv_timer_start(&d->cert_timer, on_cert_timer, CERT_WATCH_MS,
	    CERT_WATCH_MS);
	rescan_start(&d->rescan, &d->loop, d->state, d->turnloop);
	watch_start(&d->watch, &d->loop, d->state, d->turnloop, d->store);
	selftest_start(&d->selftest, &d->loop, d->server, d->turnloop,
	    d->config.self_test_s);
}

static int
open_loop(struct musterd *d, struct problem *problem)
{
	int err;

	if (uv_loop_init(&d->loop) != 0)
		return problem_set(problem, MUSTER_E_IO, 500, "loop",
		    "raise the limit of open files", "no event loop");
	err = conn_server_new(&d->loop, &d->config, &d->server);
	if (err == 0)
		err = turnloop_new(&d->loop, &d->state->turn_host, d->store,
		    conn_answer, on_fatal, d, &d->turnloop);
	if (err != 0)
		return problem_set(problem, err, 500, "loop",
		    "free memory on this machine", "the start failed: %s",
		    muster_strerror(err));
	conn_server_attach(d->server, d->turnloop);
	d->admin_host = (struct admin_host){
	    .config = &d->config,
	    .state = d->state,
	    .turnloop = d->turnloop,
	    .store = d->store,
	    .server = d->server,
	    .publish = &d->publish,
	    .watch = &d->watch,
	    .selftest = &d->selftest,
	    .sandbox = &d->sandbox,
	    .started_unix_s = clock_unix_s(),
	    .is_below_root = d->args.root != NULL,
	};
	return open_sockets(d, problem);
}

static void
do_nothing(uv_work_t *work)
{
	(void)work;
}

static void
on_nothing(uv_work_t *work, int status)
{
	(void)work;
	(void)status;
}

static int
serve(struct musterd *d)
{
	const struct conn_listener *at;
	struct problem problem;
	uint32_t n;

	d->sandbox.has_files =
	    confine(d->args.root, d->config_path, d->config.publish_key_file);
	if (open_loop(d, &problem) != 0) {
		fail(&problem);
		return EXIT_FAIL; /* the process ends: nothing was promised */
	}
	open_handles(d);
	/* libuv makes its threads at the first work, and ends the process where
	 * it cannot: so it does that before it listens */
	(void)uv_queue_work(&d->loop, &d->first_work, do_nothing, on_nothing);
	d->publish = (struct publish_run){.config = &d->config,
	    .state = d->state,
	    .server = d->server,
	    .root = d->args.root,
	    .loop = &d->loop};
	if (publish_run_start(&d->publish) != 0) {
		log_line(LOG_ERROR, "start",
		    "out of memory; free memory on this machine");
		return EXIT_FAIL;
	}
	d->sandbox.has_calls = sandbox_calls();
	at = conn_server_listeners(d->server, &n);
	for (uint32_t i = 0; i < n; i++)
		log_event(LOG_NOTE, "listening",
		    LOG_FIELDS(LOG_TEXT(ADDRESS, at[i].address),
		        LOG_NUMBER(PORT, at[i].port)),
		    "%s port %u", at[i].address, at[i].port);
	log_ready();
	notify_send("READY=1");
	(void)uv_run(&d->loop, UV_RUN_DEFAULT);
	(void)uv_loop_close(&d->loop);
	close_all(d);
	log_event(LOG_NOTE, "stopped",
	    LOG_FIELDS(LOG_NUMBER(EXIT, d->exit_code)), "exit %d",
	    d->exit_code);
	return d->exit_code;
}

static int
run(struct musterd *d)
{
	int err;

	if (geteuid() == 0 && d->args.root == NULL && !d->args.is_check) {
		log_line(LOG_ERROR, "start",
		    "musterd does not run as root; start it as its own user "
		    "(systemctl start musterd), or below a folder by --root");
		return EXIT_CONFIG;
	}
	err = load_config(d);
	if (err != 0)
		return err == MUSTER_E_NOMEM ? EXIT_FAIL : EXIT_CONFIG;
	if (d->args.is_check) {
		(void)puts("musterd: the settings are good");
		return EXIT_DONE;
	}
	log_set_level((enum log_level)d->config.log_level);
	log_set_format((enum log_format)d->config.log_format);
	if (sodium_init() < 0) {
		log_line(LOG_ERROR, "start", "libsodium does not start");
		return EXIT_FAIL;
	}
	set_limits(d);
	if (d->args.is_restore)
		return restore_run(d->args.root, d->config.store[0] != '\0')
		    ? EXIT_DONE
		    : EXIT_FAIL;
	err = database_open(d->args.root, &d->config, d->args.is_new_database,
	    &d->store);
	if (err == 0)
		store_set_limits(d->store, d->config.inventory_rows,
		    d->config.retention_days);
	if (err == 0)
		err = open_state(d);
	if (err != 0) {
		state_close(d->state);
		store_close(d->store);
		return EXIT_FAIL;
	}
	return serve(d);
}

int
main(int argc, char **argv)
{
	static struct musterd musterd;
	int exit_code = EXIT_USAGE;

	log_open("musterd");
	events_init();
	if (!parse_args(argc, argv, &musterd.args, &exit_code))
		return exit_code;
	return run(&musterd);
}
