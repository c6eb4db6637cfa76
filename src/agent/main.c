/* SPDX-License-Identifier: MIT */
/*
 * muster-agent -- keeps the products of a machine activated.  It wakes for
 * its timer, its socket and signals, and for nothing else.
 */
#include <errno.h>
#include <getopt.h>
#include <signal.h>
#include <sodium.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/timerfd.h>
#include <unistd.h>

#include "agent/agent.h"
#include "agent/config.h"
#include "agent/instance.h"
#include "base/clock.h"
#include "base/hex.h"
#include "base/log.h"
#include "base/notify.h"
#include "base/paths.h"
#include "base/sandbox.h"

enum { EXIT_DONE = 0, EXIT_FAIL = 1, EXIT_USAGE = 2, EXIT_CONFIG = 78 };

struct args {
	const char *config;
	const char *root;
	const char *resolver;
	bool is_once;
	bool is_check;
};

#define START_S 2 /* after a boot the network, and a user's command, first */

struct muster_agent {
	struct args args;
	struct agent_config config;
	struct agent agent;
	struct sock *sock;
	uv_loop_t loop;
	uv_signal_t term, interrupt, hangup;
	uv_poll_t wake;
	int wake_fd;
	int64_t first_boot_s; /* nobody is asked by itself before */
	int lock_fd;
};

static struct muster_agent main_agent;

static const char usage[] =
    "usage: muster-agent [--config FILE] [--root DIR] [--resolver "
    "ADDR[:PORT]]\n"
    "                    [--once] [--check]\n"
    "Keeps the products of this machine activated.\n"
    "  --config FILE  settings (default /etc/muster/agent.conf)\n"
    "  --root DIR     put every path under DIR\n"
    "  --resolver A   ask this name server alone\n"
    "  --once         do what is due and end; a line a product; exit 1 when\n"
    "                 something could not be read or written\n"
    "  --check        test the settings and exit\n"
    "  --help, --version\n";

static bool
is_resolver(const char *text)
{
	union resolvconf_addr addr;

	return text == NULL || resolvconf_server(text, &addr) == 0;
}

static bool
parse_args(int argc, char **argv, struct args *args, int *exit_out)
{
	static const struct option options[] = {
	    {"config", required_argument, NULL, 'c'},
	    {"root", required_argument, NULL, 'r'},
	    {"resolver", required_argument, NULL, 'd'},
	    {"once", no_argument, NULL, 'o'},
	    {"check", no_argument, NULL, 'k'},
	    {"help", no_argument, NULL, 'h'},
	    {"version", no_argument, NULL, 'v'},
	    {NULL, 0, NULL, 0},
	};
	int c;

	*exit_out = EXIT_USAGE;
	while ((c = getopt_long(argc, argv, "", options, NULL)) != -1) {
		if (c == 'c') {
			args->config = optarg;
		} else if (c == 'r') {
			args->root = optarg;
		} else if (c == 'd') {
			args->resolver = optarg;
		} else if (c == 'o') {
			args->is_once = true;
		} else if (c == 'k') {
			args->is_check = true;
		} else if (c == 'h' || c == 'v') {
			(void)fputs(c == 'h' ? usage
			                     : "muster-agent " MUSTER_VERSION
			                       "\n",
			    stdout);
			*exit_out = EXIT_DONE;
			return false;
		} else {
			break;
		}
	}
	if (c != -1 || optind != argc || !is_resolver(args->resolver) ||
	    (args->root != NULL && args->root[0] == '\0')) {
		(void)fputs(usage, stderr);
		return false;
	}
	return true;
}

static int
load_config(struct muster_agent *m)
{
	const char *named = m->args.config;
	char path[FILE_PATH_MAX];
	int err = named != NULL
	    ? file_join(NULL, named, path, sizeof(path))
	    : file_join(m->args.root, PATH_AGENT_CONF, path, sizeof(path));

	if (err == 0)
		err = agent_config_load(path, &m->config);
	if (err == MUSTER_E_NOENT && named == NULL)
		err = 0;
	if (err != 0 && err != MUSTER_E_PROTO)
		log_event(LOG_ERROR, "config",
		    LOG_FIELDS(LOG_TEXT(FILE, path), LOG_CODE(err)),
		    "%s cannot be read: %s; name a readable file by --config",
		    path, muster_strerror(err));
	return err;
}

/* ---- the timer: boot time, so that suspend and set clocks do no harm ---- */

static void
set_timer(struct agent *a)
{
	struct itimerspec at = {.it_value = {0, 0}};
	int64_t next_boot_s = agent_next_boot_s(a);

	if (next_boot_s != INT64_MAX) {
		if (next_boot_s < main_agent.first_boot_s)
			next_boot_s = main_agent.first_boot_s;
		at.it_value.tv_sec = next_boot_s;
		at.it_value.tv_nsec = 1; /* of a time of 0, none is set */
	}
	(void)timerfd_settime(main_agent.wake_fd, TFD_TIMER_ABSTIME, &at, NULL);
}

static void
on_wake(uv_poll_t *poll, int status, int events)
{
	struct muster_agent *m = poll->data;
	uint64_t n;

	(void)status;
	(void)events;
	(void)!read(m->wake_fd, &n, sizeof(n));
	agent_due(&m->agent);
	set_timer(&m->agent);
}

static void
on_done(struct agent *a, struct agent_product *p)
{
	(void)a;
	if (main_agent.sock != NULL && !a->is_stopping)
		sock_done(main_agent.sock, p);
}

/* ---- signals ---- */

static void
on_signal(uv_signal_t *handle, int number)
{
	struct muster_agent *m = handle->data;

	if (number == SIGHUP) {
		(void)agent_scan(&m->agent);
		return;
	}
	if (m->agent.is_stopping)
		return;
	log_event(LOG_NOTE, "stopping", LOG_FIELDS(LOG_NUMBER(SIGNAL, number)),
	    "signal %d", number);
	notify_send("STOPPING=1");
	m->agent.is_stopping = true;
	sock_close(m->sock);
	uv_close((uv_handle_t *)&m->term, NULL);
	uv_close((uv_handle_t *)&m->interrupt, NULL);
	uv_close((uv_handle_t *)&m->hangup, NULL);
	uv_close((uv_handle_t *)&m->wake, NULL);
	if (m->agent.n_rounds > 0)
		uv_stop(&m->loop); /* does not wait for the worker */
}

static int
open_loop(struct muster_agent *m)
{
	if (uv_loop_init(&m->loop) != 0)
		return MUSTER_E_IO;
	m->wake_fd = timerfd_create(CLOCK_BOOTTIME, TFD_CLOEXEC | TFD_NONBLOCK);
	if (m->wake_fd < 0 ||
	    uv_poll_init(&m->loop, &m->wake, m->wake_fd) != 0 ||
	    uv_signal_init(&m->loop, &m->term) != 0 ||
	    uv_signal_init(&m->loop, &m->interrupt) != 0 ||
	    uv_signal_init(&m->loop, &m->hangup) != 0)
		return MUSTER_E_IO;
	m->wake.data = m->term.data = m->interrupt.data = m->hangup.data = m;
	(void)uv_poll_start(&m->wake, UV_READABLE, on_wake);
	(void)uv_signal_start(&m->term, on_signal, SIGTERM);
	(void)uv_signal_start(&m->interrupt, on_signal, SIGINT);
	(void)uv_signal_start(&m->hangup, on_signal, SIGHUP);
	m->agent.loop = &m->loop;
	m->agent.on_done = on_done;
	m->agent.on_plan = set_timer;
	return 0;
}

static int
open_socket(struct muster_agent *m)
{
	char path[FILE_PATH_MAX], folder[FILE_PATH_MAX];
	int n = notify_sockets();
	int err =
	    file_join(m->args.root, PATH_AGENT_SOCKET, path, sizeof(path));

	if (err == 0)
		err = file_join(m->args.root, PATH_RUN, folder, sizeof(folder));
	if (err == 0 && n == 0)
		(void)!file_mkdirs(folder, 0755); /* told by the socket */
	if (err == 0)
		err = sock_listen(&m->agent, path, n > 0 ? NOTIFY_FD_FIRST : -1,
		    &m->sock);
	if (err != 0)
		log_event(LOG_ERROR, "start",
		    LOG_FIELDS(LOG_TEXT(FILE, path), LOG_CODE(err)),
		    "socket %s: %s; %s", path, muster_strerror(err),
		    err == MUSTER_E_LOCKED
		        ? "another agent listens there: stop it first"
		        : "see to the folder's rights, or a shorter --root");
	return err;
}

/* ---- once ---- */

static const char *
word_of(const struct agent_product *p)
{
	if (!p->has_round)
		return "not_due";
	if (p->round.n_outcomes == 0)
		return "not_asked";
	return p->round.asking.has_reply ? "answered" : "not_answered";
}

static int
once(struct muster_agent *m)
{
	static const char *const names[] = {"unlicensed", "initial_grace",
	    "licensed", "out_of_tolerance_grace", "notification"};
	struct agent *a = &m->agent;
	bool is_done;

	if (agent_open(a, &m->config.settings) != 0)
		return EXIT_FAIL;
	agent_due(a);
	is_done = !a->has_unmet;
	for (uint32_t i = 0; i < AGENT_PRODUCTS_MAX; i++) {
		const struct agent_product *p = &a->product[i];
		char uuid[UUID_TEXT_LEN + 1];

		if (!p->is_used)
			continue;
		uuid_format(p->env.product->id, uuid);
		(void)printf("%s %s %lld %s\n", uuid, names[p->todo.after],
		    (long long)p->life.state.due_unix_s, word_of(p));
		is_done = is_done && p->disk_err == 0;
	}
	agent_close(a);
	return is_done ? EXIT_DONE : EXIT_FAIL;
}

/* What is still opened after the start. */
static void
confine(const struct muster_agent *m)
{
	const struct sandbox_file site[] = {
	    {PATH_AGENT_STATE, true},
	    {PATH_RUN, true},
	    {PATH_CATALOGUES, false},
	    {PATH_MACHINE_ID_DBUS, false},
	};
	const struct sandbox_file below = {m->args.root, true};

	if (m->args.root != NULL)
		(void)sandbox_files(&below, 1);
	else
		(void)sandbox_files(site, sizeof(site) / sizeof(site[0]));
}

static int
serve(struct muster_agent *m)
{
	confine(m);
	if (open_loop(m) != 0) {
		log_line(LOG_ERROR, "start",
		    "no event loop; raise the limit of open files");
		return EXIT_FAIL;
	}
	if (open_socket(m) != 0 ||
	    agent_open(&m->agent, &m->config.settings) != 0)
		return EXIT_FAIL; /* the process ends: nothing was promised */
	m->first_boot_s = clock_boot_s() + START_S;
	set_timer(&m->agent);
	(void)sandbox_calls();
	log_event(LOG_NOTE, "listening",
	    LOG_FIELDS(LOG_TEXT(FILE,
	        m->args.root != NULL ? m->args.root : PATH_AGENT_SOCKET)),
	    "%s", m->args.root != NULL ? m->args.root : PATH_AGENT_SOCKET);
	log_ready();
	notify_send("READY=1");
	(void)uv_run(&m->loop, UV_RUN_DEFAULT);
	if (m->agent.n_rounds > 0) {
		/* it may take a minute and more, and nothing was written of
		 * it: as if no host had answered */
		(void)uv_run(&m->loop, UV_RUN_NOWAIT); /* close what is open */
		log_event(LOG_NOTE, "stopped",
		    LOG_FIELDS(LOG_NUMBER(EXIT, EXIT_DONE)),
		    "a round was given up; exit 0");
		_exit(EXIT_DONE);
	}
	(void)uv_loop_close(&m->loop);
	sock_free(m->sock);
	agent_close(&m->agent);
	log_event(LOG_NOTE, "stopped", LOG_FIELDS(LOG_NUMBER(EXIT, EXIT_DONE)),
	    "exit 0");
	return EXIT_DONE;
}

static int
run(struct muster_agent *m)
{
	const struct rlimit none = {0, 0};
	int err;

	if (geteuid() == 0 && m->args.root == NULL && !m->args.is_check) {
		log_line(LOG_ERROR, "start",
		    "muster-agent does not run as root; start it as its own "
		    "user (systemctl start muster-agent), or below a folder by "
		    "--root");
		return EXIT_CONFIG;
	}
	if (load_config(m) != 0)
		return EXIT_CONFIG;
	if (m->args.is_check) {
		(void)puts("muster-agent: the settings are good");
		return EXIT_DONE;
	}
	log_set_level(m->config.log_level);
	log_set_format(m->config.log_format);
	if (sodium_init() < 0) {
		log_line(LOG_ERROR, "start", "libsodium does not start");
		return EXIT_FAIL;
	}
	(void)setrlimit(RLIMIT_CORE, &none);
	(void)prctl(PR_SET_DUMPABLE, 0, 0, 0, 0);
	(void)signal(SIGPIPE, SIG_IGN);
	(void)signal(SIGXFSZ, SIG_IGN); /* a failing write says so */
	(void)umask(022);
	m->agent.root = m->args.root;
	m->agent.resolver = m->args.resolver;
	if (m->args.resolver == NULL && m->config.resolver[0] != '\0')
		m->agent.resolver = m->config.resolver;
	err = keep_lock(m->args.root, 0, &m->lock_fd);
	if (err == 0)
		err = keep_tidy(m->args.root);
	if (err == 0)
		err = instance_publish(m->args.root);
	if (err != 0) {
		log_event(LOG_ERROR, "start",
		    LOG_FIELDS(LOG_TEXT(FILE, PATH_AGENT_STATE), LOG_CODE(err)),
		    "%s: %s; %s", PATH_AGENT_STATE, muster_strerror(err),
		    err == MUSTER_E_LOCKED
		        ? "another agent runs: stop it first"
		        : "make it, writable by the agent's user");
		return EXIT_FAIL;
	}
	return m->args.is_once ? once(m) : serve(m);
}

int
main(int argc, char **argv)
{
	int exit_code;

	log_open("muster-agent");
	if (!parse_args(argc, argv, &main_agent.args, &exit_code))
		return exit_code;
	return run(&main_agent);
}
