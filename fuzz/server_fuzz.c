/* SPDX-License-Identifier: MIT */
/*
 * The host's own connections, turns and store thread, behind a Unix stream:
 * what a client sends, in which pieces, and how it ends are drawn from the
 * input.  A step is two bytes, KIND and N:
 *
 *   0  the next N bytes of the input, as they are
 *   1  a call of ours, whole: its procedure, and who asks, by N
 *   2  the same in two pieces, the first of N bytes, with a turn in between
 *   3  N % 4 turns of the loop
 *   4  our FIN
 *   5  close, whatever is unread
 *
 * Holds: the k-th reply answers the k-th record that was sent, none comes
 * more, each decodes; a session has at most its calls; the pool gets its
 * connection back.
 */
#include "target.h"

#include <errno.h>
#include <sodium.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <time.h>
#include <unistd.h>

#include "host/conn.h"
#include "wire/rpc.h"

#define CALLS 4          /* of a session */
#define SENT_MAX 8192    /* more a session never reads */
#define TURNS_MAX 100000 /* none is that long, but a loop without end */

static uv_loop_t loop;
static struct turn_host host;
static struct catalogue cat;
static struct turnloop *tl;
static struct conn_server *srv;
static int listener = -1;
static struct sockaddr_un at = {.sun_family = AF_UNIX};
static socklen_t at_len;
static int client;
static uint8_t sent[SENT_MAX], got[SENT_MAX];
static size_t n_sent, n_got;

static void
on_fatal(void *arg, int outcome)
{
	(void)arg;
	(void)outcome;
	HOLDS(!"the store is over");
}

/* A host that is activated for one product. */
static void
make_host(void)
{
	static uint8_t host_sk[SECKEY_LEN];
	struct turn_publisher *pub = &host.publishers[0];
	uint8_t pk[PUBKEY_LEN], seed[32] = {5};

	(void)crypto_sign_seed_keypair(pk, host_sk, seed);
	cat.head.serial = 7;
	cat.n_products = 1;
	cat.products[0].id[0] = 1;
	cat.products[0].group = 1;
	cat.products[0].threshold = 5;
	cat.products[0].level = 1;
	host.n_publishers = 1;
	host.renewal_min = 10080;
	host.retry_min = 120;
	pub->id[0] = 1;
	pub->catalogue = &cat;
	pub->host_sk = host_sk;
	pub->has_cert = true;
	pub->cert = (struct cert){.key_number = 1,
	    .slot = 1,
	    .activation = 1,
	    .lines = 1,
	    .level = 2,
	    .issued_day = (uint32_t)(time(NULL) / 86400),
	    .issuer = 1};
	memcpy(pub->cert.host_pk, pk, PUBKEY_LEN);
	cert_encode(&pub->cert, pub->cert_bytes);
	cert_hash(pub->cert_bytes, pub->cert_hash);
}

static void
make_server(void)
{
	static struct host_config config = {.connections = 4,
	    .first_byte_ms = 1000,
	    .record_ms = 500,
	    .idle_ms = 1000,
	    .session_ms = 5000,
	    .calls_per_session = CALLS,
	    .exempt.n = 1}; /* of no bits: all are, or one seed bars the next */
	struct problem problem;
	struct store *store = NULL;

	HOLDS(sodium_init() >= 0 && uv_loop_init(&loop) == 0);
	make_host();
	HOLDS(store_open_memory(&store) == 0);
	HOLDS(store_reserve(store, host.publishers[0].id, 1, 10) == 0);
	HOLDS(conn_server_new(&loop, &config, &srv) == 0);
	HOLDS(turnloop_new(&loop, &host, store, conn_answer, on_fatal, NULL,
	          &tl) == 0);
	conn_server_attach(srv, tl);
	/* no path: the kernel finds a name, which no file system has */
	listener = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
	HOLDS(listener >= 0 &&
	    bind(listener, (struct sockaddr *)&at, sizeof(at.sun_family)) == 0);
	at_len = sizeof(at);
	HOLDS(getsockname(listener, (struct sockaddr *)&at, &at_len) == 0);
	HOLDS(conn_server_adopt(srv, listener, &problem) == 0);
}

static void
receive(void)
{
	ssize_t n;

	while ((n = recv(client, got + n_got, sizeof(got) - n_got,
	            MSG_DONTWAIT)) > 0)
		n_got += (size_t)n;
	HOLDS(n_got < sizeof(got));
}

static void
turns(unsigned n)
{
	for (; n > 0; n--) {
		(void)uv_run(&loop, UV_RUN_NOWAIT);
		receive();
	}
}

static void
give(const uint8_t *p, size_t len)
{
	if (len > sizeof(sent) - n_sent)
		len = sizeof(sent) - n_sent;
	while (len > 0) {
		ssize_t n = send(client, p, len, MSG_DONTWAIT | MSG_NOSIGNAL);

		if (n < 0)
			return; /* its side is closed, or it reads no more */
		memcpy(sent + n_sent, p, (size_t)n);
		n_sent += (size_t)n;
		p += n;
		len -= (size_t)n;
	}
}

static void
give_call(uint8_t which, size_t n_first)
{
	uint8_t args[WIRE_ARGS_MAX] = {0}, record[RPC_RECORD_MAX];
	struct wire_args a = {.time_unix_s = time(NULL),
	    .product = {which >> 2 & 3},
	    .cmid = {which >> 4},
	    .nonce = {which, 1},
	    .threshold = 5};
	enum rpc_proc proc = (enum rpc_proc)(which & 3);
	size_t len = 0, args_len = 0;

	if (proc == RPC_ACTIVATE)
		HOLDS(wire_args_encode(&a, args, sizeof(args), &args_len) == 0);
	else if (proc == RPC_COVER)
		args_len = WIRE_ID_LEN;
	HOLDS(rpc_call_encode(which | 0xabcd00U, proc, args, args_len, record,
	          sizeof(record), &len) == 0);
	if (n_first > len)
		n_first = len;
	give(record, n_first);
	if (n_first < len) {
		turns(1);
		give(record + n_first, len - n_first);
	}
}

static uint32_t
u32(const uint8_t *p)
{
	return (uint32_t)p[0] << 24 | (uint32_t)p[1] << 16 |
	    (uint32_t)p[2] << 8 | p[3];
}

/* Is this the answer to that call, and one that its sender can read? */
static void
check_reply(const uint8_t *call, size_t call_len, const uint8_t *p, size_t len)
{
	const uint8_t *res;
	struct wire_result result;
	struct wire_cover cover;
	struct rpc_call c;
	enum rpc_verdict v = rpc_call_decode(call, call_len, &c);
	size_t res_len;
	int err = rpc_reply_decode(p, len, u32(call), &res, &res_len);

	HOLDS(v != RPC_CLOSE);
	HOLDS(v == RPC_CALL ? err == 0 || err == MUSTER_E_REFUSED
	                    : err == MUSTER_E_REFUSED);
	if (err != 0)
		return;
	if (c.proc == RPC_NULL)
		HOLDS(res_len == 0);
	else if (c.proc == RPC_COVER)
		HOLDS(wire_cover_decode(res, res_len, &cover) == 0);
	else
		HOLDS(wire_result_decode(res, res_len, &result) == 0);
}

static void
check_replies(void)
{
	size_t in = 0, out = 0;
	unsigned n = 0;

	while (out < n_got) {
		size_t call_len, len;

		HOLDS(n_got - out >= RPC_MARK_LEN);
		HOLDS(rpc_mark_decode(got + out, &len) == 0);
		out += RPC_MARK_LEN;
		HOLDS(n_got - out >= len);
		/* a whole record was sent for it */
		HOLDS(n_sent - in >= RPC_MARK_LEN);
		HOLDS(rpc_mark_decode(sent + in, &call_len) == 0);
		in += RPC_MARK_LEN;
		HOLDS(n_sent - in >= call_len);
		check_reply(sent + in, call_len, got + out, len);
		in += call_len;
		out += len;
		n++;
	}
	HOLDS(n <= CALLS);
}

static void
play(const uint8_t *p, size_t len)
{
	while (len >= 2) {
		uint8_t kind = p[0] % 6, n = p[1];

		p += 2;
		len -= 2;
		if (kind == 0) {
			size_t m = n < len ? n : len;

			give(p, m);
			p += m;
			len -= m;
		} else if (kind == 1) {
			give_call(n, RPC_RECORD_MAX);
		} else if (kind == 2) {
			give_call(n, n);
		} else if (kind == 3) {
			turns(n % 4);
		} else if (kind == 4) {
			(void)shutdown(client, SHUT_WR);
		} else {
			return;
		}
	}
	/* all that is owed comes, once we have said that no more follows */
	(void)shutdown(client, SHUT_WR);
	for (unsigned i = 0; conn_server_stats(srv)->open > 0; i++) {
		HOLDS(i < TURNS_MAX);
		(void)uv_run(&loop, UV_RUN_ONCE);
		receive();
	}
	receive();
	check_replies();
}

int
LLVMFuzzerTestOneInput(const uint8_t *p, size_t len)
{
	const struct conn_stats *stats;
	uint64_t accepted;

	if (srv == NULL)
		make_server();
	stats = conn_server_stats(srv);
	accepted = stats->accepted;
	n_sent = n_got = 0;
	client = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
	HOLDS(client >= 0 &&
	    connect(client, (struct sockaddr *)&at, at_len) == 0);
	while (stats->accepted == accepted)
		(void)uv_run(&loop, UV_RUN_ONCE);
	play(p, len);
	(void)close(client);
	for (unsigned i = 0; stats->open > 0; i++) {
		HOLDS(i < TURNS_MAX);
		(void)uv_run(&loop, UV_RUN_ONCE);
	}
	HOLDS(stats->accepted == accepted + 1 && stats->evicted == 0);
	return 0;
}
