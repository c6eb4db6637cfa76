/* SPDX-License-Identifier: MIT */
/*
 * serve.c -- muster-authority serve: start, wait, end.
 */
#include <arpa/inet.h>
#include <errno.h>
#include <netdb.h>
#include <signal.h>
#include <sodium.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "authority/cmd.h"
#include "authority/http.h"
#include "authority/issuers.h"
#include "authority/serve_check.h"
#include "authority/tls.h"
#include "base/clock.h"
#include "base/log.h"
#include "base/notify.h"
#include "base/sandbox.h"

#define BACKLOG 512
#define FILES_SPARE 64 /* beside connections: database, log, sockets */
#define STOP_MS 15000  /* for what is being answered at the end */
#define STOP_STEP_NS 10000000
#define EXPIRY_WARN_S (14 * S_PER_DAY)

struct serve {
	struct settings settings;
	struct enrolment_env env;
	struct tls tls;
	struct metrics metrics;
	struct http *http;
	struct batch *batch;
	int fd;
};

static int
bind_socket(const struct ctx *ctx, const struct settings *s, int *fd_out)
{
	struct sockaddr_storage at;
	socklen_t len = 0;
	int one = 1, off = 0, fd;

	if (notify_sockets() > 0) {
		*fd_out = NOTIFY_FD_FIRST;
		return EXIT_DONE;
	}
	(void)!settings_address(s->listen, &at, &len); /* it was checked */
	fd =
	    socket(at.ss_family, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	if (fd >= 0) {
		(void)setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &one,
		    sizeof(one));
		/* [::] takes IPv4 as well */
		if (at.ss_family == AF_INET6)
			(void)setsockopt(fd, IPPROTO_IPV6, IPV6_V6ONLY, &off,
			    sizeof(off));
	}
	if (fd >= 0 && bind(fd, (const struct sockaddr *)&at, len) == 0 &&
	    listen(fd, BACKLOG) == 0) {
		*fd_out = fd;
		return EXIT_DONE;
	}
	(void)ctx_fail(ctx, EXIT_FAILED, "listen",
	    "free the port, or name another address by listen or --listen",
	    "%s cannot be listened on: %s", s->listen, strerror(errno));
	if (fd >= 0)
		(void)close(fd);
	return EXIT_FAILED;
}

static void
say_listening(int fd)
{
	struct sockaddr_storage at;
	socklen_t len = sizeof(at);
	char host[NI_MAXHOST], port[NI_MAXSERV];

	if (getsockname(fd, (struct sockaddr *)&at, &len) == 0 &&
	    getnameinfo((const struct sockaddr *)&at, len, host, sizeof(host),
	        port, sizeof(port), NI_NUMERICHOST | NI_NUMERICSERV) == 0)
		log_event(LOG_NOTE, "listening",
		    LOG_FIELDS(LOG_TEXT(ADDRESS, host),
		        LOG_NUMBER(PORT, strtol(port, NULL, 10))),
		    "%s port %s", host, port);
}

static void
harden(const struct settings *s)
{
	const struct rlimit none = {0, 0};
	struct rlimit files;
	rlim_t want = s->connections + FILES_SPARE;

	(void)setrlimit(RLIMIT_CORE, &none);
	(void)prctl(PR_SET_DUMPABLE, 0, 0, 0, 0);
	(void)signal(SIGPIPE, SIG_IGN);
	(void)signal(SIGXFSZ, SIG_IGN); /* a failing write says so */
	(void)umask(077);
	if (getrlimit(RLIMIT_NOFILE, &files) != 0 || files.rlim_cur >= want)
		return;
	files.rlim_cur = files.rlim_max < want ? files.rlim_max : want;
	(void)setrlimit(RLIMIT_NOFILE, &files);
	if (files.rlim_cur < want)
		log_event(LOG_WARN, "limits",
		    LOG_FIELDS(LOG_NUMBER(LIMIT, files.rlim_cur)),
		    "only %lu open files allowed for %u connections: raise "
		    "LimitNOFILE or lower connections",
		    (unsigned long)files.rlim_cur, s->connections);
}

static void
warn_expiry(const struct tls *tls)
{
	int64_t left_s = tls->expires_unix_s - clock_unix_s();

	if (left_s < EXPIRY_WARN_S)
		log_event(LOG_WARN, "certificate",
		    LOG_FIELDS(LOG_NUMBER(SECONDS, left_s)),
		    "the TLS certificate %s in %lld days: renew it and start "
		    "the service again",
		    left_s < 0 ? "has ended" : "ends",
		    (long long)(left_s / S_PER_DAY));
}

/* In time for a catalogue to reach every machine. */
static void
warn_issuers(sqlite3 *db)
{
	uint32_t day = (uint32_t)(clock_unix_s() / S_PER_DAY);
	struct issuer is;

	if (issuers_find(db, day + ISSUERS_SPREAD_DAYS, &is) == MUSTER_E_ISSUER)
		log_line(LOG_WARN, "issuer",
		    "no issuing key signs certificates in %d days: see "
		    "muster-authority issuer list and add",
		    ISSUERS_SPREAD_DAYS);
}

static int
prepare(struct ctx *ctx, struct serve *s)
{
	int rc;

	rc = serve_check_settings(ctx, &s->settings);
	if (rc == EXIT_DONE)
		rc = serve_check_dir(ctx);
	if (rc == EXIT_DONE)
		rc = tls_load(ctx, s->settings.tls_cert, s->settings.tls_key,
		    &s->tls);
	if (rc != EXIT_DONE)
		return rc;
	return serve_check_open(ctx, &s->env);
}

static int
start(struct ctx *ctx, struct serve *s)
{
	struct http_start how = {
	    .settings = &s->settings,
	    .cert_pem = s->tls.cert_pem,
	    .key_pem = s->tls.key_pem,
	    .contact = s->env.self.contact,
	    .metrics = &s->metrics,
	};
	const struct sandbox_file own = {ctx->dir, true};
	int rc, err;

	log_open("muster-authority");
	log_set_level((enum log_level)s->settings.log_level);
	log_set_format((enum log_format)s->settings.log_format);
	harden(&s->settings);
	warn_expiry(&s->tls);
	warn_issuers(s->env.db);
	s->metrics.started_unix_s = clock_unix_s();
	(void)sandbox_files(&own, 1); /* before its threads */
	rc = bind_socket(ctx, &s->settings, &how.fd);
	if (rc != EXIT_DONE)
		return rc;
	s->fd = how.fd;
	err = http_open(&how, &s->http);
	if (err != 0)
		(void)close(how.fd);
	if (err == 0)
		err = batch_start(&s->env, &s->metrics, http_done, &s->batch);
	if (err == 0)
		err = http_run(s->http, s->batch);
	return err == 0 ? EXIT_DONE : ctx_fail_err(ctx, err, "the listener");
}

/* Until a signal, or until there is nothing to serve from. */
static void
wait_for_end(struct serve *s, const sigset_t *signals)
{
	const struct timespec step = {.tv_nsec = HTTP_REAP_MS * 1000000L};
	bool is_broken = false;
	int number = 0;

	while (!is_broken && number <= 0) {
		number = sigtimedwait(signals, NULL, &step);
		http_reap(s->http);
		is_broken = batch_is_broken(s->batch);
	}
	if (is_broken)
		log_event(LOG_NOTE, "stopping",
		    LOG_FIELDS(LOG_CODE(MUSTER_E_IO)), "the disk failed");
	else
		log_event(LOG_NOTE, "stopping",
		    LOG_FIELDS(LOG_NUMBER(SIGNAL, number)), "signal %d",
		    number);
	notify_send("STOPPING=1");
}

/* What has come is answered; nothing more is taken. */
static int
stop(struct serve *s)
{
	bool is_broken;

	const struct timespec step = {.tv_nsec = STOP_STEP_NS};
	int64_t end_ms = clock_mono_ms() + STOP_MS;

	if (s->http != NULL)
		http_quiesce(s->http);
	while (s->http != NULL && http_requests(s->http) > 0 &&
	    clock_mono_ms() < end_ms) {
		http_reap(s->http);
		(void)nanosleep(&step, NULL);
	}
	batch_end(s->batch);
	is_broken = batch_is_broken(s->batch);
	http_close(s->http);
	batch_free(s->batch);
	return is_broken ? EXIT_FAILED : EXIT_DONE;
}

int
cmd_serve(struct ctx *ctx)
{
	struct serve *s = sodium_malloc(sizeof(*s));
	sigset_t signals;
	int rc, ended;

	if (s == NULL)
		return ctx_fail_err(ctx, MUSTER_E_NOMEM, "the service");
	memset(s, 0, sizeof(*s));
	(void)sigemptyset(&signals);
	(void)sigaddset(&signals, SIGTERM);
	(void)sigaddset(&signals, SIGINT);
	(void)pthread_sigmask(SIG_BLOCK, &signals, NULL);
	rc = prepare(ctx, s);
	if (rc == EXIT_DONE && ctx->value[OPT_CHECK] == NULL) {
		rc = start(ctx, s);
		if (rc == EXIT_DONE) {
			(void)sandbox_calls();
			say_listening(s->fd);
			log_ready();
			notify_send("READY=1");
			wait_for_end(s, &signals);
		}
		ended = stop(s);
		rc = rc == EXIT_DONE ? ended : rc;
	}
	enrolment_close(&s->env);
	sodium_free(s);
	return rc;
}
