/* SPDX-License-Identifier: MIT */
/*
 * One call to an agent that does what it likes: a local server in a thread.
 */
#include "client/agentcall.h"

#include <dirent.h>
#include <errno.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/cursor.h"

#include "agent_server.h"
#include "tap.h"

#define SHORT_MS 150
#define SLACK_MS 2000

static int
call(enum agent_op op, int timeout_ms, struct agent_reply *out)
{
	struct agent_request req;

	memset(&req, 0, sizeof(req));
	req.op = op;
	return agentcall_run(root, &req, timeout_ms, out);
}

/* One call to this server: the error, and the reply stays as it was. */
static void
fails(struct act *act, int timeout_ms, int want)
{
	static struct agent_reply reply, old;
	int64_t start_ms, ms;

	memset(&reply, 0xa5, sizeof(reply));
	memcpy(&old, &reply, sizeof(old));
	begin(act);
	start_ms = clock_mono_ms();
	is(call(AGENT_INFO, timeout_ms, &reply), want);
	ms = clock_mono_ms() - start_ms;
	end(act);
	ok(memcmp(&reply, &old, sizeof(old)) == 0);
	if (want == MUSTER_E_TIMEOUT)
		ok(ms >= timeout_ms && ms < timeout_ms + SLACK_MS);
	else
		ok(ms < timeout_ms);
}

static void
test_agentcall_answer(void)
{
	static struct agent_reply want, got;
	struct act act = {.hold_ms = LONG_MS};

	memset(&got, 0, sizeof(got));
	sample_reply(&want);
	put_reply(&act, &want);
	begin(&act);
	is(call(AGENT_INFO, LONG_MS, &got), 0);
	end(&act);
	ok(memcmp(&got, &want, sizeof(got)) == 0);
	is((long long)act.got, AGENT_MARK_LEN + 24);
	ok(act.has_seen_end);
}

/* A refusal is an answer. */
static void
test_agentcall_refusal(void)
{
	static struct agent_reply want, got;
	struct act act = {.n = 1};

	want.err = MUSTER_E_DENIED;
	memcpy(want.message, "only root", 10);
	put_reply(&act, &want);
	begin(&act);
	is(call(AGENT_GENERALIZE, LONG_MS, &got), 0);
	end(&act);
	is(got.err, MUSTER_E_DENIED);
	is_str(got.message, "only root");
}

static void
test_agentcall_silence(void)
{
	struct act act = {.hold_ms = LONG_MS};

	fails(&act, SHORT_MS, MUSTER_E_TIMEOUT);
	act = (struct act){.accept_ms = 2 * SHORT_MS};
	fails(&act, SHORT_MS, MUSTER_E_TIMEOUT);
}

static void
test_agentcall_half_and_trickle(void)
{
	static struct agent_reply reply;
	struct act act = {.hold_ms = LONG_MS};

	sample_reply(&reply);
	put_reply(&act, &reply);
	act.len /= 2;
	fails(&act, SHORT_MS, MUSTER_E_TIMEOUT);
	put_reply(&act, &reply);
	act.pause_ms = 5; /* more than a second for all of it */
	fails(&act, SHORT_MS, MUSTER_E_TIMEOUT);
}

static void
test_agentcall_marks(void)
{
	static const struct {
		uint32_t mark;
		int want;
	} cases[] = {{0x80000ffd, MUSTER_E_TOOBIG},
	    {0xffffffff, MUSTER_E_TOOBIG}, {0x80000000, MUSTER_E_PROTO},
	    {0x00000010, MUSTER_E_PROTO}};

	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		struct act act = {.len = 64, .hold_ms = LONG_MS};
		struct wr w = wr_init(act.bytes, 4);

		wr_u32(&w, cases[i].mark);
		fails(&act, LONG_MS, cases[i].want);
	}
}

static void
test_agentcall_garbage(void)
{
	static struct agent_reply reply;
	struct act act = {.hold_ms = LONG_MS};

	act.len = AGENT_RECORD_MAX;
	memset(act.bytes, 0x5a, sizeof(act.bytes));
	agent_mark_encode(AGENT_BODY_MAX, act.bytes);
	fails(&act, LONG_MS, MUSTER_E_RANGE);
	memset(act.bytes + AGENT_MARK_LEN, 0, AGENT_BODY_MAX);
	act.bytes[AGENT_MARK_LEN + 7] = AGENT_INFO;
	fails(&act, LONG_MS, MUSTER_E_PROTO);
	sample_reply(&reply);
	put_reply(&act, &reply);
	agent_mark_encode(act.len - AGENT_MARK_LEN - 4, act.bytes);
	fails(&act, LONG_MS, MUSTER_E_TRUNC);
}

static void
test_agentcall_another_op(void)
{
	static struct agent_reply reply;
	struct act act = {.hold_ms = LONG_MS};

	sample_reply(&reply);
	reply.op = AGENT_ACTIVATE;
	put_reply(&act, &reply);
	fails(&act, LONG_MS, MUSTER_E_MISMATCH);
	reply.op = AGENT_REARM;
	put_reply(&act, &reply);
	fails(&act, LONG_MS, MUSTER_E_MISMATCH);
	act.bytes[AGENT_MARK_LEN + 7] = AGENT_GENERALIZE + 1; /* none */
	fails(&act, LONG_MS, MUSTER_E_RANGE);
}

static void
test_agentcall_close_at_each_byte(void)
{
	static struct agent_reply reply, old;
	static struct act act;
	unsigned wrong = 0;
	size_t len;

	sample_reply(&reply);
	put_reply(&act, &reply);
	len = act.len;
	memset(&reply, 0xa5, sizeof(reply));
	memcpy(&old, &reply, sizeof(old));
	for (size_t i = 0; i < len; i++) {
		act.len = i;
		begin(&act);
		wrong += call(AGENT_INFO, LONG_MS, &reply) != MUSTER_E_TRUNC;
		end(&act);
	}
	is(wrong, 0);
	ok(memcmp(&reply, &old, sizeof(old)) == 0);
}

/* Closed before the call is sent or read: no SIGPIPE, whose default action
 * stands here. */
static void
test_agentcall_closes_at_once(void)
{
	static struct agent_reply reply;
	struct act act = {.n = 2000, .is_deaf = true};
	unsigned wrong = 0;

	begin(&act);
	for (unsigned i = 0; i < act.n; i++)
		wrong += call(AGENT_INFO, LONG_MS, &reply) != MUSTER_E_TRUNC;
	end(&act);
	is(wrong, 0);
}

static void
test_agentcall_nobody(void)
{
	static struct agent_reply reply;
	struct act act = {.fd = -1};

	(void)unlink(path);
	is(call(AGENT_LIST, LONG_MS, &reply), MUSTER_E_NOENT);
	(void)close(listen_on(1));
	is(call(AGENT_LIST, LONG_MS, &reply), MUSTER_E_CONNECT);
	(void)unlink(path);
	is(file_replace(path, act.bytes, 4, 0666), 0);
	is(call(AGENT_LIST, LONG_MS, &reply), MUSTER_E_CONNECT);
	(void)unlink(path);
	is(agentcall_run("/dev/null", &(struct agent_request){.op = AGENT_LIST},
	       LONG_MS, &reply),
	    MUSTER_E_NOENT);
}

/* A full backlog is waited for, and not longer than the deadline. */
static void
test_agentcall_full_backlog(void)
{
	static struct agent_reply reply;
	struct sockaddr_un addr = {.sun_family = AF_UNIX};
	struct act act = {.n = 3, .hold_ms = 1};
	int fd[2];
	int64_t start_ms;

	sample_reply(&reply);
	put_reply(&act, &reply);
	act.fd = listen_on(0);
	memcpy(addr.sun_path, path, sizeof(path));
	for (int i = 0; i < 2; i++) {
		fd[i] = socket(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK, 0);
		if (connect(fd[i], (struct sockaddr *)&addr, sizeof(addr)) != 0)
			is(errno, EAGAIN); /* room for one only */
	}
	start_ms = clock_mono_ms();
	is(call(AGENT_INFO, SHORT_MS, &reply), MUSTER_E_TIMEOUT);
	ok(clock_mono_ms() - start_ms < SHORT_MS + SLACK_MS);
	(void)close(fd[0]);
	(void)close(fd[1]);
	act.accept_ms = SHORT_MS;
	act.n = 2; /* the closed one, then ours */
	if (pthread_create(&act.thread, NULL, serve, &act) != 0)
		ok(!"a thread starts");
	is(call(AGENT_INFO, LONG_MS, &reply), 0);
	end(&act);
}

static void
on_alarm(int number)
{
	(void)number;
}

/* Interrupted system calls go on. */
static void
test_agentcall_interrupted(void)
{
	static struct agent_reply want, got;
	const struct itimerval often = {.it_interval = {.tv_usec = 500},
	    .it_value = {.tv_usec = 500}};
	const struct itimerval never = {.it_value = {.tv_usec = 0}};
	struct sigaction on = {.sa_handler = on_alarm};
	struct act act = {.pause_ms = 1};

	memset(&got, 0, sizeof(got));
	sample_reply(&want);
	put_reply(&act, &want);
	begin(&act);
	(void)sigaction(SIGALRM, &on, NULL);
	(void)setitimer(ITIMER_REAL, &often, NULL);
	is(call(AGENT_INFO, LONG_MS, &got), 0);
	(void)setitimer(ITIMER_REAL, &never, NULL);
	end(&act);
	ok(memcmp(&got, &want, sizeof(got)) == 0);
}

static void
test_agentcall_paths(void)
{
	char long_root[PATH_SOCKET_MAX + 2], out[PATH_SOCKET_MAX + 1];
	static struct agent_reply reply;
	size_t room = PATH_SOCKET_MAX - strlen(PATH_AGENT_SOCKET);

	memset(long_root, 'x', sizeof(long_root));
	long_root[0] = '/';
	long_root[room] = '\0';
	is(agentcall_path(long_root, out), 0);
	is((long long)strlen(out), PATH_SOCKET_MAX);
	is(agentcall_run(long_root, &(struct agent_request){.op = AGENT_LIST},
	       LONG_MS, &reply),
	    MUSTER_E_NOENT);
	long_root[room] = 'x';
	long_root[room + 1] = '\0';
	is(agentcall_path(long_root, out), MUSTER_E_TOOBIG);
	is(agentcall_run(long_root, &(struct agent_request){.op = AGENT_LIST},
	       LONG_MS, &reply),
	    MUSTER_E_TOOBIG);
	is(agentcall_path(NULL, out), 0);
	is_str(out, "/run/muster/agent.sock");
}

/* What cannot be said is not sent. */
static void
test_agentcall_bad_call(void)
{
	static struct agent_reply reply;
	struct agent_request req = {.op = AGENT_SET_HOSTS};

	req.settings.n_hosts = 1;
	is(agentcall_run(root, &req, LONG_MS, &reply), MUSTER_E_RANGE);
	req.settings.n_hosts = AGENT_HOSTS_MAX + 1;
	is(agentcall_run(root, &req, LONG_MS, &reply), MUSTER_E_TOOBIG);
}

static unsigned
open_files(void)
{
	DIR *d = opendir("/proc/self/fd");
	unsigned n = 0;

	while (d != NULL && readdir(d) != NULL)
		n++;
	if (d != NULL)
		(void)closedir(d);
	return n;
}

int
main(void)
{
	unsigned before;

	server_init();
	before = open_files();
	test_agentcall_answer();
	test_agentcall_refusal();
	test_agentcall_silence();
	test_agentcall_half_and_trickle();
	test_agentcall_marks();
	test_agentcall_garbage();
	test_agentcall_another_op();
	test_agentcall_close_at_each_byte();
	test_agentcall_closes_at_once();
	test_agentcall_nobody();
	test_agentcall_full_backlog();
	test_agentcall_interrupted();
	test_agentcall_paths();
	test_agentcall_bad_call();
	is(open_files(), before);
	server_deinit();
	return tap_done();
}
