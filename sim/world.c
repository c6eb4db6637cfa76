/* SPDX-License-Identifier: MIT */
#include "sim/world.h"

#include <sodium.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "sim/kms.h"
#include "sim/kmsdisk.h"
#include "sim/plan.h"
#include "sim/zone.h"
#include "trust/hostkey.h"

#define DAY_MS SIM_DAY_MS
#define LINE 1
#define KEY_NUMBER 7
#define THRESHOLD_MAX 50 /* and four; MODEL_ROWS_MAX holds twice of it */
#define CERT_SLOT 4      /* where they stand in its bytes */
#define CERT_ACTIVATION 5
#define HOST_LEVEL 5 /* a host that covers both products; 1: the first alone */

/* ---- the swarm ---- */

static void
draw_faults(struct rng *r, struct swarm *w)
{
	for (uint32_t i = 0; i < POINTS_N_FAULTS; i++) {
		w->has_fault[i] = rng_chance(r, 500000);
		w->ppm[i] = (uint32_t)rng_octave(r, 2000, 200000);
		w->mean_ms[i] =
		    rng_octave(r, w->span_ms / 60 + 1, w->span_ms / 2);
	}
}

static void
draw_policy(struct rng *r, struct swarm *w)
{
	w->n_groups = 1 + rng_below(r, 2);
	for (uint32_t p = 0; p < WORLD_PRODUCTS; p++) {
		w->threshold[0][p] = (uint32_t)rng_octave(r, 1,
		    w->n_machines < 8                     ? 4
		        : w->n_machines > WORLD_LARGE_MAX ? THRESHOLD_MAX
		                                          : 8);
		w->threshold[1][p] = w->threshold[0][p] + rng_below(r, 5);
	}
	w->signed_ms[0] = SIM_BEGIN_MS - DAY_MS;
	w->signed_ms[1] = SIM_BEGIN_MS + rng_between(r, 0, w->span_ms / 2);
	w->validity_days =
	    (uint32_t)rng_octave(r, w->is_long ? 15 : 1, w->is_long ? 240 : 60);
	w->initial_days = (uint32_t)rng_octave(r, 1, 40) - 1;
	w->lapse_days = (uint32_t)rng_octave(r, 1, 40) - 1;
	w->rearms = rng_below(r, 4);
	w->renewal_min = (uint32_t)rng_octave(r, w->is_long ? 8640 : 60, 43200);
	w->retry_min = (uint32_t)rng_octave(r, w->is_long ? 480 : 30, 2880);
	w->retention_days = (uint32_t)rng_octave(r, 30, 400);
	/* all that it signed, or what it signed since then */
	w->revoked = rng_below(r, 3) == 0 ? 1 + rng_below(r, w->n_hosts) : 0;
	w->revoked_day = rng_below(r, 2) == 0
	    ? 0
	    : (uint32_t)(rng_between(r, SIM_BEGIN_MS, w->signed_ms[1]) /
	          DAY_MS);
}

static uint32_t
draw_machines(struct rng *r)
{
	if (rng_below(r, WORLD_HUGE) == 0)
		return WORLD_LARGE_MAX + 1 +
		    rng_below(r, WORLD_HUGE_MAX - WORLD_LARGE_MAX);
	return 1 +
	    rng_below(r,
	        rng_below(r, WORLD_LARGE) == 0 ? WORLD_LARGE_MAX
	                                       : WORLD_START_MAX);
}

void
world_draw(struct rng *r, struct swarm *w)
{
	memset(w, 0, sizeof(*w));
	w->has_sqlite = rng_below(r, 10) == 0;
	w->n_hosts = 1 + rng_below(r, w->has_sqlite ? 2 : WORLD_HOSTS_MAX);
	w->n_machines = draw_machines(r);
	w->latency_law = rng_below(r, 3);
	w->latency_ms = rng_octave(r, 1, 1000);
	w->commit_ms = rng_octave(r, 1, 4000);
	w->is_long = rng_below(r, 3) != 0;
	w->span_ms = rng_octave(r, (w->is_long ? 64 : 4) * DAY_MS,
	    (w->is_long ? 2000 : 250) * DAY_MS);
	w->steps_max =
	    (uint64_t)rng_octave(r, 300, 6000) * (w->is_long ? 2 : 1);
	w->idle_ms = rng_octave(r, DAY_MS / 4, 10 * DAY_MS);
	w->is_shared = w->n_hosts > 1 && !w->has_sqlite && rng_below(r, 4) == 0;
	/* a commit to it costs as much as a hundred of the memory store's */
	if (w->has_sqlite)
		w->steps_max = w->steps_max / 6 + 100;
	draw_policy(r, w);
	draw_faults(r, w);
	if (w->has_sqlite) { /* few, so each has all of it */
		w->mean_ms[POINT_LIE] = w->mean_ms[POINT_BACKUP] =
		    rng_octave(r, w->span_ms / 150 + 1, w->span_ms / 10);
		w->has_fault[POINT_LIE] = w->has_fault[POINT_BACKUP] = true;
		w->has_fault[POINT_DISK_FULL] = w->has_fault[POINT_DISK_FAILS] =
		    true;
		w->has_fault[POINT_DISK_READ] = w->has_fault[POINT_DISK_RO] =
		    true;
		w->ppm[POINT_DISK_FAILS] =
		    (uint32_t)rng_octave(r, 50000, 200000);
	}
}

void
world_draw_plain(struct swarm *w)
{
	memset(w, 0, sizeof(*w));
	w->is_plain = true;
	w->latency_law = 1;
	w->latency_ms = 5;
	w->commit_ms = 8;
	w->steps_max = UINT64_MAX;
	w->n_groups = 1;
	for (uint32_t k = 0; k < SIM_CATALOGUES; k++)
		w->signed_ms[k] = SIM_BEGIN_MS - DAY_MS;
	w->validity_days = 180;
	w->initial_days = w->lapse_days = 30;
	w->rearms = 5;
	w->renewal_min = LIFE_RENEWAL_MIN;
	w->retry_min = LIFE_RETRY_MIN;
	w->retention_days = STORE_RETENTION_DAYS;
	w->idle_ms = DAY_MS;
}

/* ---- keys and catalogues ---- */

static void
key_pair(uint8_t who, uint8_t *pk, uint8_t *sk)
{
	const uint8_t seed[crypto_sign_SEEDBYTES] = {'s', 'i', 'm', who};

	(void)crypto_sign_seed_keypair(pk, sk, seed);
}

static void
describe(const struct sim *s, uint32_t k, const uint8_t *root_pk,
    const uint8_t *issuer_pk, struct catalogue *cat)
{
	static const char *const names[WORLD_PRODUCTS] = {"Sim A", "Sim B"};
	const struct swarm *w = &s->swarm;
	uint32_t day = (uint32_t)(SIM_BEGIN_MS / DAY_MS);

	memset(cat, 0, sizeof(*cat));
	memcpy(cat->head.root_pk, root_pk, PUBKEY_LEN);
	memcpy(cat->head.name, "Sim", 4);
	cat->head.serial = k + 1;
	cat->head.signed_unix_s = w->signed_ms[k] / 1000;
	cat->n_issuers = 1;
	cat->issuers[0] = (struct cat_issuer){.number = 1,
	    .not_before_day = day - WORLD_ISSUER_DAYS,
	    .not_after_day = day + 5000};
	memcpy(cat->issuers[0].pk, issuer_pk, PUBKEY_LEN);
	if (k > 0 && w->revoked != 0) {
		cat->n_revocations = 1;
		cat->revocations[0] =
		    (struct cat_revocation){.key_number = KEY_NUMBER,
		        .slot = (uint8_t)w->revoked,
		        .activation = 1,
		        .day = (uint16_t)w->revoked_day};
	}
	cat->n_groups = w->n_groups;
	for (uint32_t i = 0; i < w->n_groups; i++) {
		cat->groups[i].number = i;
		cat->groups[i].name[0] = (char)('G' + i);
	}
	cat->n_products = s->n_products;
	for (uint32_t p = 0; p < s->n_products; p++) {
		struct cat_product *product = &cat->products[p];
		struct hostkey key;

		*product = (struct cat_product){.group = p % w->n_groups,
		    .class = CAT_SERVER,
		    .threshold = w->threshold[k][p],
		    .line = LINE,
		    .level = (uint8_t)(p == 0 ? 1 : HOST_LEVEL),
		    .validity_days = w->validity_days,
		    .initial_grace_days = w->initial_days,
		    .lapse_grace_days = w->lapse_days,
		    .rearms = w->rearms};
		memcpy(product->id, s->product[p], PRODUCT_LEN);
		if (s->site != NULL)
			plan_product(s->site, p, product);
		else
			memcpy(product->name, names[p], strlen(names[p]) + 1);
		hostkey_setup(product->id, &key);
		hostkey_pack(&key, product->setup_key);
	}
}

/* As the file says it, not as we do. */
static int
publish(const struct sim *s, uint32_t k, const uint8_t *root_pk,
    const uint8_t *root_sk, const uint8_t *issuer_pk)
{
	struct catalogue *cat = &s->cat[k];
	uint8_t *buf = malloc(CAT_FILE_MAX);
	struct bytes file = {.p = buf};
	const struct cat_source src = cat_memory_source(&file);
	size_t len = 0;
	int err = buf == NULL ? MUSTER_E_NOMEM : 0;

	describe(s, k, root_pk, issuer_pk, cat);
	if (err == 0)
		err = cat_encode(cat, root_sk, buf, CAT_FILE_MAX, &len);
	file.len = len;
	if (err == 0) {
		struct cat_source whole = src;

		whole.len = len;
		err = cat_load(&whole, s->publisher, cat);
	}
	free(buf);
	return err;
}

/* ---- hosts ---- */

static void
certify(struct sim *s, uint32_t number, bool is_rebuilt, uint32_t days,
    uint32_t age_days)
{
	struct kms *k = &s->host[number];
	struct turn_publisher *pub = &k->turn.publishers[0];
	uint32_t today = (uint32_t)(s->now_ms / DAY_MS);
	struct cert cert = {.key_number = KEY_NUMBER,
	    .slot = (uint8_t)(number + 1),
	    .activation = (uint8_t)(pub->cert.activation + is_rebuilt),
	    .lines = 1 << LINE,
	    .level = k->covers[1] || s->n_products == 1 ? HOST_LEVEL : 1,
	    .issued_day = today - age_days,
	    .expires_day = days == 0 ? 0 : today + days,
	    .issuer = 1};
	uint8_t issuer_pk[PUBKEY_LEN], issuer_sk[SECKEY_LEN];

	key_pair(2, issuer_pk, issuer_sk);
	key_pair((uint8_t)(10 * cert.activation + number), cert.host_pk, k->sk);
	cert_sign(&cert, s->publisher, issuer_sk);
	k->is_rogue = k->is_untimely = false;
	pub->has_cert = true;
	pub->cert = cert;
	cert_encode(&cert, pub->cert_bytes);
	cert_hash(pub->cert_bytes, pub->cert_hash);
	pub->host_sk = k->sk;
	memcpy(pub->id, s->publisher, PUBLISHER_LEN);
}

void
world_certify(struct sim *s, uint32_t number, bool is_rebuilt, uint32_t days)
{
	certify(s, number, is_rebuilt, days, 10);
}

void
world_certify_untimely(struct sim *s, uint32_t number)
{
	certify(s, number, true, 0,
	    (uint32_t)((s->now_ms - SIM_BEGIN_MS) / DAY_MS) +
	        WORLD_ISSUER_DAYS + 1);
	s->host[number].is_untimely = true;
	s->host[number].was_untimely = true;
}

bool
world_is_revoked(const struct sim *s, uint32_t catalogue, const uint8_t *cert,
    int64_t issued_unix_s)
{
	const struct swarm *w = &s->swarm;

	return catalogue > 0 && w->revoked != 0 &&
	    cert[CERT_SLOT] == w->revoked && cert[CERT_ACTIVATION] == 1 &&
	    issued_unix_s / 86400 >= w->revoked_day;
}

static int
open_host(struct sim *s, uint32_t number)
{
	struct kms *k = &s->host[number];
	const struct event idle = {.kind = EV_IDLE, .who = number};
	int err = 0;

	k->home = s->swarm.is_shared ? 0 : number;
	k->model = s->host[k->home].model;
	if (k->home == number)
		model_init(k->model);
	if (s->swarm.has_sqlite)
		err = kmsdisk_make(s, number);
	else if (k->home == number)
		err = store_open_memory(&k->store);
	if (err != 0)
		return err;
	k->store = s->host[k->home].store;
	store_set_limits(k->store, STORE_INVENTORY_MAX,
	    s->swarm.retention_days);
	k->is_up = true;
	admit_init(&k->admit);
	for (uint32_t p = 0; p < s->n_products; p++)
		k->covers[p] = true;
	/* the first one covers all, so that nobody is left without */
	if (s->site == NULL && !s->swarm.is_plain && number != 0 &&
	    rng_chance(&s->rng, 250000))
		k->covers[1] = false;
	k->turn.n_publishers = 1;
	k->turn.renewal_min = s->swarm.renewal_min;
	k->turn.retry_min = s->swarm.retry_min;
	world_certify(s, number, true,
	    s->swarm.has_fault[POINT_CERTIFICATE]
	        ? rng_below(&s->rng, 1 + (uint32_t)(s->swarm.span_ms / DAY_MS))
	        : 0);
	sim_at(s, s->swarm.idle_ms, &idle);
	return kms_take_catalogue(s, number, 0);
}

int
world_init(struct sim *s)
{
	uint8_t root_pk[PUBKEY_LEN], root_sk[SECKEY_LEN];
	uint8_t issuer_pk[PUBKEY_LEN], issuer_sk[SECKEY_LEN];
	int err = 0;

	key_pair(1, root_pk, root_sk);
	key_pair(2, issuer_pk, issuer_sk);
	label_publisher(root_pk, s->publisher);
	for (uint32_t p = 0; p < s->n_products; p++)
		memset(s->product[p], (int)(0x51 + p), PRODUCT_LEN);
	for (uint32_t k = 0; k < SIM_CATALOGUES && err == 0; k++)
		err = publish(s, k, root_pk, root_sk, issuer_pk);
	if (s->site != NULL)
		plan_zone(s);
	else
		zone_draw(s);
	for (uint32_t i = 0; i < s->swarm.n_hosts && err == 0; i++) {
		s->n_hosts++;
		err = open_host(s, i);
	}
	return err;
}

void
world_deinit(struct sim *s)
{
	for (uint32_t i = 0; i < s->n_hosts; i++) {
		kmsdisk_free(&s->host[i]);
		if (s->host[i].home == i)
			store_close(s->host[i].store);
		s->host[i].store = NULL;
	}
}

void
world_host(uint32_t host, char *out)
{
	/* once for each answer: snprintf() took a thirtieth of a plan */
	char *p = stpcpy(out, "kms-");

	if (host >= 10)
		*p++ = (char)('0' + host / 10 % 10);
	*p++ = (char)('0' + host % 10);
	(void)stpcpy(p, ".example:1688");
}
