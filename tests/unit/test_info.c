/* SPDX-License-Identifier: MIT */
/*
 * muster_activate() and muster_info() against a local server that answers as
 * an agent would, and otherwise.
 */
#include "muster/muster.h"

#include "base/clock.h"

#include "agent_server.h"
#include "stack.h"

#if defined(__SANITIZE_ADDRESS__)
#define STACK_WANTED (128 * 1024) /* red zones count as stack */
#else
#define STACK_WANTED (32 * 1024)
#endif
#define N_THREADS 50
#define N_CALLS 20

static uint8_t id[MUSTER_PRODUCT_LEN];
static struct muster_product product = {.product = id, .root = root};

static void
put_info(struct act *act, enum agent_op op)
{
	static struct agent_reply reply;

	sample_reply(&reply);
	reply.op = op;
	memcpy(id, reply.info.product, sizeof(id));
	put_reply(act, &reply);
}

static void
put_refusal(struct act *act, int err)
{
	static struct agent_reply reply;

	memset(&reply, 0, sizeof(reply));
	reply.err = err;
	put_reply(act, &reply);
}

static int
call(enum agent_op op, struct muster_info *info)
{
	return op == AGENT_INFO ? muster_info(&product, info)
	                        : muster_activate(&product, LONG_MS, info);
}

static void
test_info_fields(void)
{
	static const enum agent_op ops[] = {AGENT_INFO, AGENT_ACTIVATE};

	for (size_t i = 0; i < 2; i++) {
		struct act act = {.n = 1};
		struct agent_request req;
		struct muster_info info;

		memset(&info, 0xa5, sizeof(info));
		put_info(&act, ops[i]);
		begin(&act);
		is(call(ops[i], &info), 0);
		end(&act);
		is(agent_request_decode(act.call + AGENT_MARK_LEN,
		       act.got - AGENT_MARK_LEN, &req),
		    0);
		is(req.op, ops[i]);
		ok(memcmp(req.product, id, sizeof(id)) == 0);
		is(info.state, MUSTER_TOLERANCE_GRACE_NOW);
		is(info.reason, MUSTER_E_EXPIRED);
		is(info.seconds_left, 86400);
		is(info.count, 4);
		is(info.threshold, 5);
		is(info.answered_unix_s, T0 + 1);
		is(info.next_contact_unix_s, T0 + 3);
		is_str(info.host, HOST);
		is(info.round, MUSTER_E_REFUSED);
		is(info.is_early, 1);
	}
}

/* The answer is left alone; the code is the one promised. */
static void
fails(struct act *act, enum agent_op op, int want)
{
	struct muster_info info, old;

	memset(&info, 0xa5, sizeof(info));
	memcpy(&old, &info, sizeof(old));
	begin(act);
	is(call(op, &info), want);
	end(act);
	ok(memcmp(&info, &old, sizeof(old)) == 0);
}

static void
test_info_refusals(void)
{
	static const int codes[] = {MUSTER_E_NOENT, MUSTER_E_PRODUCT,
	    MUSTER_E_DENIED, MUSTER_E_NOMACHINE};

	for (size_t i = 0; i < sizeof(codes) / sizeof(codes[0]); i++) {
		struct act act = {.n = 1};

		put_refusal(&act, codes[i]);
		fails(&act, AGENT_INFO, codes[i]);
		put_refusal(&act, codes[i]);
		fails(&act, AGENT_ACTIVATE, codes[i]);
	}
}

static void
test_info_not_an_answer(void)
{
	struct act act = {.n = 1};

	put_info(&act, AGENT_ACTIVATE);
	fails(&act, AGENT_INFO, MUSTER_E_MISMATCH);
	put_info(&act, AGENT_INFO);
	id[0] ^= 1; /* the reply is about another product */
	fails(&act, AGENT_INFO, MUSTER_E_MISMATCH);
	put_info(&act, AGENT_INFO);
	act.len--;
	fails(&act, AGENT_INFO, MUSTER_E_TRUNC);
	put_info(&act, AGENT_INFO);
	act.bytes[AGENT_MARK_LEN + 8 + 56] ^= 0xff;
	fails(&act, AGENT_INFO, MUSTER_E_RANGE);
}

static void
test_info_no_agent(void)
{
	char far[PATH_SOCKET_MAX + 1];
	struct muster_product p = product;
	struct muster_info info;

	is(muster_info(&product, &info), MUSTER_E_CONNECT);
	is(muster_activate(&product, 0, &info), MUSTER_E_CONNECT);
	(void)close(listen_on(1));
	is(muster_info(&product, &info), MUSTER_E_CONNECT);
	(void)unlink(path);
	memset(far, 'x', sizeof(far));
	far[PATH_SOCKET_MAX] = '\0';
	p.root = far;
	is(muster_info(&p, &info), MUSTER_E_TOOBIG);
}

static void
test_info_arguments(void)
{
	struct muster_product p = {.root = root};
	struct muster_info info;

	is(muster_info(NULL, &info), MUSTER_E_INVAL);
	is(muster_info(&product, NULL), MUSTER_E_INVAL);
	is(muster_info(&p, &info), MUSTER_E_INVAL);
	is(muster_activate(NULL, 0, &info), MUSTER_E_INVAL);
	is(muster_activate(&product, 0, NULL), MUSTER_E_INVAL);
	is(muster_activate(&p, 0, &info), MUSTER_E_INVAL);
	is(muster_activate(&product, -1, &info), MUSTER_E_INVAL);
}

static void
test_activate_waits_as_long_as_told(void)
{
	struct act act = {.hold_ms = LONG_MS};
	struct muster_info info;
	int64_t start_ms;

	begin(&act);
	start_ms = clock_mono_ms();
	is(muster_activate(&product, 100, &info), MUSTER_E_TIMEOUT);
	ok(clock_mono_ms() - start_ms >= 100);
	ok(clock_mono_ms() - start_ms < LONG_MS / 4);
	end(&act);
}

static void *
thread_activate(void *arg)
{
	struct muster_info info;
	uintptr_t bad = 0;

	for (int i = 0; i < N_CALLS; i++)
		bad += muster_activate(&product, LONG_MS, &info) != 0 ||
		    info.count != 4;
	return bad == 0 ? arg : NULL;
}

/* A thousand at once, with a backlog for sixteen. */
static void
test_activate_from_threads(void)
{
	struct act act = {.n = N_THREADS * N_CALLS};
	pthread_t thread[N_THREADS];
	unsigned bad = 0;

	put_info(&act, AGENT_ACTIVATE);
	begin(&act);
	for (size_t i = 0; i < N_THREADS; i++)
		bad += pthread_create(&thread[i], NULL, thread_activate,
		           &act) != 0;
	for (size_t i = 0; i < N_THREADS; i++) {
		void *done = NULL;

		bad += pthread_join(thread[i], &done) != 0 || done == NULL;
	}
	end(&act);
	is(bad, 0);
}

static void *
thread_info(void *arg)
{
	struct muster_info info;

	return muster_info(&product, &info) == 0 ? arg : NULL;
}

static void
test_info_stack(void)
{
	struct act act = {.n = 1};
	size_t idle, used;

	put_info(&act, AGENT_INFO);
	begin(&act);
	idle = stack_used(thread_idle);
	used = stack_used(thread_info);
	end(&act);
	printf("# %zu bytes of stack\n", used - idle);
	ok(idle > 0);
	ok(used > idle && used - idle <= STACK_WANTED);
}

int
main(void)
{
	server_init();
	test_info_fields();
	test_info_refusals();
	test_info_not_an_answer();
	test_info_no_agent();
	test_info_arguments();
	test_activate_waits_as_long_as_told();
	test_activate_from_threads();
	test_info_stack();
	server_deinit();
	return tap_done();
}
