/* SPDX-License-Identifier: MIT */
#include "crowd.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/file.h"
#include "client/catalogues.h"

#define STRIDE 2654435761U /* prime: walks every ring of fewer numbers */

/* Sebastiano Vigna's splitmix64: one step of it. */
static uint64_t
mix(uint64_t x)
{
	x += UINT64_C(0x9e3779b97f4a7c15);
	x = (x ^ x >> 30) * UINT64_C(0xbf58476d1ce4e5b9);
	x = (x ^ x >> 27) * UINT64_C(0x94d049bb133111eb);
	return x ^ x >> 31;
}

void
crowd_id(uint64_t seed, uint64_t number, uint8_t *out)
{
	uint64_t a = mix(seed ^ mix(number));
	uint64_t b = mix(a ^ number);

	memcpy(out, &a, sizeof(a));
	memcpy(out + sizeof(a), &b, sizeof(b));
	out[0] |= 1; /* all zero is a probe */
}

static bool
read_certificate(struct crowd_publisher *p, const char *path)
{
	size_t len = 0;

	if (path == NULL)
		return true;
	if (file_read(path, p->certificate, CERT_LEN, &len) != 0 ||
	    len != CERT_LEN) {
		(void)fprintf(stderr, "%s: no certificate\n", path);
		return false;
	}
	cert_hash(p->certificate, p->cert_hash);
	p->has_certificate = true;
	return true;
}

bool
crowd_add(struct crowd *w, const char *catalogue, const char *certificate,
    const uint8_t *product)
{
	struct crowd_publisher *p = calloc(1, sizeof(*p));
	uint32_t before = w->n_products;
	int err;

	if (p == NULL || w->n_publishers == CROWD_PUBLISHERS_MAX) {
		free(p);
		return false;
	}
	w->publishers[w->n_publishers++] = p;
	err = catalogues_load(catalogue, &p->cat, NULL);
	if (err != 0) {
		(void)fprintf(stderr, "%s: %s\n", catalogue,
		    muster_strerror(err));
		return false;
	}
	for (uint32_t i = 0; i < p->cat.n_products; i++) {
		const struct cat_product *c = &p->cat.products[i];

		if (product == NULL || memcmp(c->id, product, WIRE_ID_LEN) == 0)
			w->products[w->n_products++] =
			    (struct crowd_product){p, c};
	}
	if (w->n_products == before) {
		(void)fprintf(stderr, "%s: no such product\n", catalogue);
		return false;
	}
	return read_certificate(p, certificate);
}

bool
crowd_size(struct crowd *w, uint32_t n_clients, uint32_t samples_cap)
{
	w->n_clients = n_clients;
	w->samples_cap = samples_cap;
	if (w->sample_every == 0)
		w->sample_every = CROWD_SAMPLE_EVERY;
	w->samples = calloc(samples_cap + 1, sizeof(*w->samples));
	w->previous = calloc(n_clients + 1, sizeof(*w->previous));
	return w->samples != NULL && w->previous != NULL;
}

uint32_t
crowd_client(const struct crowd *w, uint32_t n)
{
	if (w->n_clients == 0)
		return n;
	return (uint32_t)((uint64_t)(n % w->n_clients) * STRIDE % w->n_clients);
}

int
crowd_request(struct crowd *w, uint32_t client, uint32_t xid,
    int64_t now_unix_s, struct request *req_out)
{
	const struct crowd_product *of = &w->products[client % w->n_products];
	uint8_t cmid[WIRE_ID_LEN], machine[WIRE_ID_LEN], nonce[WIRE_ID_LEN];
	struct request_in in = {.product = of->product,
	    .cmid = cmid,
	    .nonce = nonce,
	    .machine = machine,
	    .name = "bench",
	    .now_unix_s = now_unix_s,
	    .state = w->n_clients == 0 ? WIRE_INITIAL_GRACE : WIRE_LICENSED,
	    .minutes_left = 43200,
	    .xid = xid};

	crowd_id(w->seed, client, cmid);
	crowd_id(~w->seed, client, machine);
	w->draw = mix(w->draw);
	crowd_id(w->draw, xid, nonce);
	if (w->shares && of->publisher->has_certificate)
		in.certificate = of->publisher->certificate;
	if (w->n_clients != 0)
		in.previous = w->previous[client];
	return request_make(&in, req_out);
}

static void
keep(struct crowd *w, const struct catalogue *cat, const struct request *req,
    const uint8_t *body, size_t len)
{
	struct crowd_sample *s = &w->samples[w->n_samples++];

	s->cat = cat;
	s->req = *req;
	s->len = len;
	memcpy(s->body, body, len);
	s->at_unix_s = clock_unix_s();
}

int
crowd_reply(struct crowd *w, uint32_t client, const struct request *req,
    const uint8_t *body, size_t len, uint32_t *busy_s_out)
{
	const struct crowd_publisher *p =
	    w->products[client % w->n_products].publisher;
	struct wire_result res;
	uint8_t leaf[HASH_LEN];
	const uint8_t *part = NULL;
	size_t part_len = 0;
	int err = rpc_reply_decode(body, len, req->xid, &part, &part_len);

	if (err == 0)
		err = wire_result_decode(part, part_len, &res);
	if (err != 0)
		return err;
	if (res.status == WIRE_BUSY) {
		*busy_s_out = res.busy_s;
		return MUSTER_E_AGAIN;
	}
	if (res.status != WIRE_OK)
		return MUSTER_E_REFUSED;
	len += RPC_MARK_LEN;
	if (w->most_len == 0 || len < w->least_len)
		w->least_len = len;
	if (len > w->most_len)
		w->most_len = len;
	len -= RPC_MARK_LEN;
	if (req->xid % w->sample_every == 0 && w->n_samples < w->samples_cap)
		keep(w, &p->cat, req, body, len);
	if (w->n_clients != 0 && p->has_certificate) {
		lease_leaf(p->cat.head.publisher, p->cert_hash, req->args_bytes,
		    req->args_len, &res.grant, leaf);
		memcpy(w->previous[client], leaf, WIRE_TAG_LEN);
	}
	return 0;
}

uint32_t
crowd_judge(const struct crowd *w)
{
	static struct reply reply;
	uint32_t n_bad = 0;

	for (uint32_t i = 0; i < w->n_samples; i++) {
		const struct crowd_sample *s = &w->samples[i];
		int err = request_judge(&s->req, s->body, s->len, s->cat,
		    s->at_unix_s, &reply);

		if (err != 0 && n_bad++ == 0)
			(void)fprintf(stderr, "a reply: %s\n",
			    muster_strerror(err));
	}
	return n_bad;
}

void
crowd_tell_sizes(const struct crowd *w)
{
	(void)printf("\"reply_bytes\":[%zu,%zu]", w->least_len, w->most_len);
}

void
crowd_free(struct crowd *w)
{
	for (uint32_t i = 0; i < w->n_publishers; i++)
		free(w->publishers[i]);
	free(w->previous);
	free(w->samples);
}
