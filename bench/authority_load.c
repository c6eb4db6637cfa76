/* SPDX-License-Identifier: MIT */
/*
 * authority_load.c -- hosts that activate over HTTPS, each on a connection of
 * its own with a full handshake, and host keys for them.
 *
 *   bench_authority fill DIR FIRST N       lines of number and sealed proof key
 *   bench_authority load PUBLISHER CA PORT KEYS N PARALLEL SEED RATE
 *                                          N activations, each with another of
 *                                          the first KEYS keys; prints figures
 *
 * RATE is how many begin in a second, 0: as many as can.  With a rate, the
 * time of each counts from when it should have begun, so that a service that
 * stalls is not spared what would have come meanwhile.
 *
 * The proof keys follow from the numbers, so nothing needs to be kept.  The
 * requests are made before the clock starts.
 */
#include <arpa/inet.h>
#include <gnutls/gnutls.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <pthread.h>
#include <sodium.h>
#include <stdatomic.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/hex.h"
#include "tool.h"
#include "trust/enrol.h"

#define KEYS_MAX 100000000U
#define ASKS_MAX 1000000U
#define PARALLEL_MAX 256U
#define SEAL_LEN 32
#define STRIDE 7919U /* a prime: the keys are met in no order */
#define HTTP_MAX 1024
#define ANSWER_MAX 4096
/* As the benchmark asks: a full handshake with these and nothing resumed. */
#define PRIORITIES                                                \
	"NORMAL:-VERS-ALL:+VERS-TLS1.3:-GROUP-ALL:+GROUP-X25519:" \
	"-SIGN-ALL:+SIGN-ECDSA-SECP256R1-SHA256"

struct ask {
	char text[HTTP_MAX];
	size_t len;
	int64_t took_ns;
};

struct load {
	struct ask *asks;
	size_t n;
	atomic_size_t next, failed;
	uint16_t port;
	uint32_t per_s;
	int64_t begin_ns;
	gnutls_certificate_credentials_t ca;
};

static void
proof_key(uint32_t number, uint8_t *pk)
{
	uint8_t text[4] = {(uint8_t)(number >> 24), (uint8_t)(number >> 16),
	    (uint8_t)(number >> 8), (uint8_t)number};

	(void)crypto_generichash(pk, HOSTKEY_PK_LEN, text, sizeof(text), NULL,
	    0);
}

/* Rows for SQL: number and sealed proof key, as the authority seals it. */
static int
fill(const char *dir, uint32_t first, uint32_t n)
{
	char path[1024], hex[2 * 76 + 1];
	uint8_t seal[SEAL_LEN], plain[4 + HOSTKEY_PK_LEN], out[76];
	FILE *f;

	(void)snprintf(path, sizeof(path), "%s/seal.key", dir);
	f = fopen(path, "rb");
	if (f == NULL || fread(seal, 1, sizeof(seal), f) != sizeof(seal))
		return 1;
	(void)fclose(f);
	for (uint32_t i = first; i < first + n; i++) {
		struct wr w = wr_init(plain, sizeof(plain));

		wr_u32(&w, i);
		proof_key(i, plain + 4);
		randombytes_buf(out, crypto_secretbox_NONCEBYTES);
		(void)crypto_secretbox_easy(out + crypto_secretbox_NONCEBYTES,
		    plain, sizeof(plain), out, seal);
		hex_encode(out, sizeof(out), hex);
		(void)printf("%u %s\n", i, hex);
	}
	return 0;
}

static bool
make_ask(const uint8_t *publisher, uint32_t key, uint32_t n, uint32_t seed,
    struct ask *ask)
{
	uint8_t sk[SECKEY_LEN], pk[HOSTKEY_PK_LEN], buf[ENROL_MAX];
	uint8_t from[crypto_sign_SEEDBYTES] = {0};
	char hex[2 * ENROL_MAX + 1];
	struct enrol e = {.key_number = key, .counter = 1};
	size_t len = 0;

	memcpy(from, &n, sizeof(n));
	memcpy(from + sizeof(n), &seed, sizeof(seed));
	(void)crypto_sign_seed_keypair(e.host_pk, sk, from);
	memcpy(e.publisher, publisher, PUBLISHER_LEN);
	(void)snprintf(e.name, sizeof(e.name), "kms-%u.example.com", n);
	proof_key(key, pk);
	if (enrol_encode(&e, pk, sk, buf, sizeof(buf), &len) != 0)
		return false;
	hex_encode(buf, len, hex);
	ask->len = (size_t)snprintf(ask->text, sizeof(ask->text),
	    "POST /v1/hosts HTTP/1.1\r\nHost: localhost\r\n"
	    "Content-Type: application/json\r\nConnection: close\r\n"
	    "Content-Length: %zu\r\n\r\n{\"request\":\"%s\"}",
	    strlen(hex) + 14, hex);
	return ask->len < sizeof(ask->text);
}

static bool
exchange(gnutls_session_t tls, const struct ask *ask)
{
	char answer[ANSWER_MAX];
	size_t len = 0;
	ssize_t got;
	int rc;

	do
		rc = gnutls_handshake(tls);
	while (rc < 0 && gnutls_error_is_fatal(rc) == 0);
	if (rc < 0 || gnutls_session_is_resumed(tls) != 0 ||
	    gnutls_record_send(tls, ask->text, ask->len) != (ssize_t)ask->len)
		return false;
	do {
		got = gnutls_record_recv(tls, answer + len,
		    sizeof(answer) - 1 - len);
		if (got > 0)
			len += (size_t)got;
	} while (
	    (got > 0 || got == GNUTLS_E_AGAIN || got == GNUTLS_E_INTERRUPTED) &&
	    len < sizeof(answer) - 1 && memchr(answer, '}', len) == NULL);
	answer[len] = '\0';
	return strncmp(answer, "HTTP/1.1 201 ", 13) == 0 &&
	    strchr(answer, '}') != NULL;
}

static bool
activate(const struct load *l, const struct ask *ask)
{
	struct sockaddr_in at = {.sin_family = AF_INET,
	    .sin_port = htons(l->port),
	    .sin_addr = {.s_addr = htonl(INADDR_LOOPBACK)}};
	gnutls_session_t tls = NULL;
	bool is_good = false;
	int one = 1, fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);

	if (fd < 0)
		return false;
	(void)setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof(one));
	if (connect(fd, (const struct sockaddr *)&at, sizeof(at)) == 0 &&
	    gnutls_init(&tls, GNUTLS_CLIENT | GNUTLS_NO_TICKETS) == 0) {
		gnutls_transport_set_int(tls, fd);
		gnutls_session_set_verify_cert(tls, "localhost", 0);
		if (gnutls_priority_set_direct(tls, PRIORITIES, NULL) == 0 &&
		    gnutls_credentials_set(tls, GNUTLS_CRD_CERTIFICATE,
		        l->ca) == 0)
			is_good = exchange(tls, ask);
		gnutls_deinit(tls);
	}
	(void)close(fd);
	return is_good;
}

static int64_t
wait_for_turn(const struct load *l, size_t i)
{
	struct timespec at;
	int64_t ns;

	if (l->per_s == 0)
		return tool_now_ns();
	ns = l->begin_ns + (int64_t)i * 1000000000 / l->per_s;
	at = (struct timespec){.tv_sec = ns / 1000000000,
	    .tv_nsec = ns % 1000000000};
	(void)clock_nanosleep(CLOCK_MONOTONIC, TIMER_ABSTIME, &at, NULL);
	return ns;
}

static void *
worker(void *arg)
{
	struct load *l = arg;
	size_t i;

	while ((i = atomic_fetch_add(&l->next, 1)) < l->n) {
		int64_t begin = wait_for_turn(l, i);

		if (!activate(l, &l->asks[i]))
			atomic_fetch_add(&l->failed, 1);
		l->asks[i].took_ns = tool_now_ns() - begin;
	}
	return NULL;
}

static void
run(struct load *l, uint32_t parallel)
{
	pthread_t threads[PARALLEL_MAX];
	int64_t *took = calloc(l->n, sizeof(*took));
	int64_t end;

	l->begin_ns = tool_now_ns();
	if (took == NULL)
		abort();
	for (uint32_t i = 0; i < parallel; i++) {
		if (pthread_create(&threads[i], NULL, worker, l) != 0)
			abort();
	}
	for (uint32_t i = 0; i < parallel; i++)
		(void)pthread_join(threads[i], NULL);
	end = tool_now_ns();
	for (size_t i = 0; i < l->n; i++)
		took[i] = l->asks[i].took_ns;
	(void)printf("{\"n\":%zu,\"failed\":%zu,\"per_s\":%.1f,", l->n,
	    (size_t)l->failed,
	    (double)l->n * 1e9 / (double)(end - l->begin_ns));
	tool_tell_times(took, l->n);
	(void)printf("}\n");
	free(took);
}

/* argv: PUBLISHER CA PORT KEYS N PARALLEL SEED RATE */
static int
load(char **argv)
{
	struct load l = {.port = (uint16_t)tool_number(argv[2], 65535)};
	uint32_t keys = tool_number(argv[3], KEYS_MAX);
	uint32_t parallel = tool_number(argv[5], PARALLEL_MAX);
	uint32_t seed = tool_number(argv[6], UINT32_MAX);
	uint8_t publisher[PUBLISHER_LEN];

	l.per_s = tool_number(argv[7], ASKS_MAX);
	l.n = tool_number(argv[4], ASKS_MAX);
	if (!tool_hex(argv[0], publisher, sizeof(publisher)) || l.port == 0 ||
	    keys == 0 || l.n == 0 || parallel == 0 || l.n > keys ||
	    gnutls_certificate_allocate_credentials(&l.ca) < 0 ||
	    gnutls_certificate_set_x509_trust_file(l.ca, argv[1],
	        GNUTLS_X509_FMT_PEM) < 1)
		return 2;
	l.asks = calloc(l.n, sizeof(*l.asks));
	if (l.asks == NULL)
		return 1;
	for (uint32_t i = 0; i < l.n; i++) {
		uint64_t at = ((uint64_t)i * STRIDE + seed) % keys;

		if (!make_ask(publisher, 1 + (uint32_t)at, i, seed, &l.asks[i]))
			return 1;
	}
	run(&l, parallel);
	free(l.asks);
	gnutls_certificate_free_credentials(l.ca);
	return l.failed == 0 ? 0 : 1;
}

int
main(int argc, char **argv)
{
	if (sodium_init() < 0)
		return 1;
	if (argc == 5 && strcmp(argv[1], "fill") == 0)
		return fill(argv[2], tool_number(argv[3], KEYS_MAX),
		    tool_number(argv[4], KEYS_MAX));
	if (argc == 10 && strcmp(argv[1], "load") == 0)
		return load(argv + 2);
	(void)fprintf(stderr,
	    "usage: bench_authority fill DIR FIRST N\n"
	    "       bench_authority load PUBLISHER CA PORT KEYS N PARALLEL "
	    "SEED RATE\n");
	return 2;
}
