/* SPDX-License-Identifier: MIT */
/*
 * load.c -- the load generator: many clients over loopback; see load.h.
 *
 * usage: bench_load --port P [--kind muster|bare|http] [OPTION...]
 *
 * Prints one JSON object.  Every hundredth reply is verified, when the clock
 * has stopped, so the generator's own signature checks are no part of a
 * figure.
 */
#include <getopt.h>
#include <sodium.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>

#include "load.h"
#include "tool.h"
#include "trust/label.h"

#define REQUESTS_MAX 100000000
#define CLIENTS_MAX 10000000
#define SAMPLES_MAX 200000
#define SEED UINT64_C(0x6d7573746572)
#define NETWORK 0x7f010000U /* 127.1.0.0 */

static const char usage[] =
    "usage: bench_load --port P [OPTION...]\n"
    "  --kind muster|bare|http   what is spoken\n"
    "  --catalogue FILE          of a publisher; again for further ones\n"
    "  --certificate FILE        of the host, of the catalogue before it\n"
    "  --share                   name the certificate, as renewals do\n"
    "  --product HEX             this product alone\n"
    "  --clients N               that come again and again; 0: new ones\n"
    "  --seed N                  of the clients' names\n"
    "  --connections N           at a time\n"
    "  --rate R                  open loop, R a second\n"
    "  --calls N                 on a connection\n"
    "  --idle N                  connections that only stand there\n"
    "  --sources N               addresses to come from; each that is idle\n"
    "                            has one of its own\n"
    "  --network A               before the first (127.1.0.0)\n"
    "  --warm S --seconds S      not measured, measured\n"
    "  --requests N              end after so many\n"
    "  --first N                 number of the first request: whose it is\n"
    "  --pid P                   of the server; again for further ones\n"
    "  --key HEX                 bare: who signs\n";

enum {
	OPT_PORT = 1,
	OPT_KIND,
	OPT_CATALOGUE,
	OPT_CERTIFICATE,
	OPT_SHARE,
	OPT_PRODUCT,
	OPT_CLIENTS,
	OPT_SEED,
	OPT_CONNECTIONS,
	OPT_RATE,
	OPT_CALLS,
	OPT_IDLE,
	OPT_SOURCES,
	OPT_NETWORK,
	OPT_WARM,
	OPT_SECONDS,
	OPT_REQUESTS,
	OPT_FIRST,
	OPT_PID,
	OPT_KEY
};

static const struct option options[] = {
    {"port", required_argument, NULL, OPT_PORT},
    {"kind", required_argument, NULL, OPT_KIND},
    {"catalogue", required_argument, NULL, OPT_CATALOGUE},
    {"certificate", required_argument, NULL, OPT_CERTIFICATE},
    {"share", no_argument, NULL, OPT_SHARE},
    {"product", required_argument, NULL, OPT_PRODUCT},
    {"clients", required_argument, NULL, OPT_CLIENTS},
    {"seed", required_argument, NULL, OPT_SEED},
    {"connections", required_argument, NULL, OPT_CONNECTIONS},
    {"rate", required_argument, NULL, OPT_RATE},
    {"calls", required_argument, NULL, OPT_CALLS},
    {"idle", required_argument, NULL, OPT_IDLE},
    {"sources", required_argument, NULL, OPT_SOURCES},
    {"network", required_argument, NULL, OPT_NETWORK},
    {"warm", required_argument, NULL, OPT_WARM},
    {"seconds", required_argument, NULL, OPT_SECONDS},
    {"requests", required_argument, NULL, OPT_REQUESTS},
    {"first", required_argument, NULL, OPT_FIRST},
    {"pid", required_argument, NULL, OPT_PID},
    {"key", required_argument, NULL, OPT_KEY},
    {NULL, 0, NULL, 0},
};

/* What the options name, before anything is opened. */
struct wanted {
	const char *catalogues[CROWD_PUBLISHERS_MAX];
	const char *certificates[CROWD_PUBLISHERS_MAX];
	uint32_t n_catalogues, n_clients;
	bool has_product;
	uint8_t product[WIRE_ID_LEN];
	uint8_t key[PUBKEY_LEN];
};

static bool
take_kind(struct load *l, const char *text)
{
	static const char *const names[] = {"muster", "bare", "http"};

	for (unsigned i = 0; i < 3; i++) {
		if (strcmp(text, names[i]) == 0) {
			l->kind = (enum load_kind)i;
			return true;
		}
	}
	return false;
}

static bool
take_double(double *out, const char *text)
{
	char *end;

	*out = strtod(text, &end);
	return end != text && *end == '\0' && *out >= 0;
}

static bool
take_number(uint32_t *out, const char *text, uint32_t max)
{
	*out = tool_number(text, max);
	return *out != 0 || strcmp(text, "0") == 0;
}

static bool
take_file(struct wanted *w, int option, const char *path)
{
	if (option == OPT_CATALOGUE) {
		if (w->n_catalogues == CROWD_PUBLISHERS_MAX)
			return false;
		w->catalogues[w->n_catalogues++] = path;
		return true;
	}
	if (w->n_catalogues == 0)
		return false;
	w->certificates[w->n_catalogues - 1] = path;
	return true;
}

static bool
take_pid(struct load *l, const char *text)
{
	if (l->n_pids == WATCH_MAX)
		return false;
	l->pids[l->n_pids] = (pid_t)tool_number(text, INT32_MAX);
	return l->pids[l->n_pids++] != 0;
}

static bool
take(struct load *l, struct wanted *w, int option, const char *text)
{
	uint32_t n;

	switch (option) {
	case OPT_PORT:
		l->port = (uint16_t)tool_number(text, UINT16_MAX);
		return l->port != 0;
	case OPT_KIND:
		return take_kind(l, text);
	case OPT_CATALOGUE:
	case OPT_CERTIFICATE:
		return take_file(w, option, text);
	case OPT_SHARE:
		l->crowd.shares = true;
		return true;
	case OPT_PRODUCT:
		w->has_product = tool_hex(text, w->product, WIRE_ID_LEN);
		return w->has_product;
	case OPT_CLIENTS:
		return take_number(&w->n_clients, text, CLIENTS_MAX);
	case OPT_SEED:
		l->crowd.seed ^= n = tool_number(text, UINT32_MAX);
		return n != 0;
	case OPT_CONNECTIONS:
		return take_number(&l->n_connections, text,
		    LOAD_CONNECTIONS_MAX);
	case OPT_RATE:
		return take_double(&l->rate, text);
	case OPT_CALLS:
		return take_number(&l->calls, text, REQUESTS_MAX);
	case OPT_IDLE:
		return take_number(&l->n_idle, text, LOAD_CONNECTIONS_MAX);
	case OPT_SOURCES:
		return take_number(&l->n_sources, text, UINT16_MAX);
	case OPT_NETWORK:
		return tool_address(text, &l->network);
	case OPT_WARM:
		return take_double(&l->warm_s, text);
	case OPT_SECONDS:
		return take_double(&l->seconds, text);
	case OPT_REQUESTS:
		return take_number(&l->n_requests, text, REQUESTS_MAX);
	case OPT_FIRST:
		return take_number(&l->first, text, INT32_MAX);
	case OPT_PID:
		return take_pid(l, text);
	case OPT_KEY:
		l->signer_pk = w->key;
		return tool_hex(text, w->key, PUBKEY_LEN);
	default:
		return false;
	}
}

static bool
parse(int argc, char **argv, struct load *l, struct wanted *w)
{
	int option;

	l->n_connections = l->calls = 1;
	l->seconds = 1;
	l->crowd.seed = SEED;
	l->network = NETWORK;
	while ((option = getopt_long(argc, argv, "", options, NULL)) != -1) {
		if (!take(l, w, option, optarg))
			return false;
	}
	return optind == argc && l->port != 0 && l->n_connections != 0 &&
	    l->calls != 0 && (l->kind == LOAD_HTTP || w->n_catalogues != 0);
}

static bool
open_crowd(struct load *l, const struct wanted *w)
{
	randombytes_buf(&l->crowd.draw, sizeof(l->crowd.draw));
	for (uint32_t i = 0; i < w->n_catalogues; i++) {
		if (!crowd_add(&l->crowd, w->catalogues[i], w->certificates[i],
		        w->has_product ? w->product : NULL))
			return false;
	}
	return crowd_size(&l->crowd, w->n_clients, SAMPLES_MAX);
}

/* How many of the bare replies' signatures are none. */
static uint32_t
judge_bare(const struct load *l)
{
	uint8_t text[LABEL_LEN + LOAD_TEXT_LEN] = LABEL_ROOT;
	uint32_t n_bad = 0;

	for (uint32_t i = 0; i < l->n_bare; i++) {
		memcpy(text + LABEL_LEN, l->bare[i].text, LOAD_TEXT_LEN);
		n_bad += label_verify(l->signer_pk, text, sizeof(text),
		             l->bare[i].sig) != 0;
	}
	return n_bad;
}

static void
tell(struct load *l)
{
	double n = l->n_in_time == 0 ? 1 : l->n_in_time;
	uint32_t n_bad =
	    l->kind == LOAD_MUSTER ? crowd_judge(&l->crowd) : judge_bare(l);

	(void)printf("{\"requests\":%u,\"ok\":%u,\"busy\":%u,\"failed\":%u,"
	             "\"judged\":%u,\"bad\":%u,\"waited\":%u,\"idle_lost\":%u,"
	             "\"total\":%u,\"seconds\":%.6f,\"per_s\":%.1f,"
	             "\"own_cpu_s\":%.3f,",
	    l->n_started, l->n_ok, l->n_busy, l->n_failed,
	    l->crowd.n_samples + l->n_bare, n_bad, l->n_waited, l->n_idle_lost,
	    l->n_total, l->took_s, l->n_in_time / l->took_s, l->own_cpu_s);
	(void)printf("\"cpu_us\":%.3f,\"switches\":%.4f,\"rss_kib\":%lu,",
	    (double)(l->end.cpu_ns - l->begin.cpu_ns) / 1e3 / n,
	    (double)(l->end.switches - l->begin.switches) / n,
	    (unsigned long)l->end.rss_kib);
	crowd_tell_sizes(&l->crowd);
	(void)printf(",");
	hist_tell(&l->hist);
	(void)printf(",");
	hist_tell_curve(&l->hist);
	(void)puts("}");
}

int
main(int argc, char **argv)
{
	static struct load load;
	static struct wanted wanted;
	int exit_code = 1;

	if (!parse(argc, argv, &load, &wanted)) {
		(void)fputs(usage, stderr);
		return 2;
	}
	/* the open loop's moments are met to the microsecond */
	(void)prctl(PR_SET_TIMERSLACK, 1000, 0, 0, 0);
	if (sodium_init() >= 0 && open_crowd(&load, &wanted))
		exit_code = load_run(&load);
	if (exit_code == 0)
		tell(&load);
	if (load.n_ok == 0)
		exit_code = 1; /* nothing was measured */
	load_free(&load);
	return exit_code;
}
