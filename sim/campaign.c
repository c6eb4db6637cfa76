/* SPDX-License-Identifier: MIT */
#include "sim/campaign.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "sim/primitive.h"
#include "sim/recall.h"

#define YEAR_MS (365.0 * (double)SIM_DAY_MS)
#define SHRINK_RUNS 200 /* a run is some 10 ms: some seconds in all */

/* ---- seeds ---- */

static void
fail(struct campaign *c, const struct sim *s, bool is_real,
    const char *invariant, const char *why)
{
	c->failed[c->n_failed++] = s->seed;
	if (c->n_failed > 1)
		return;
	c->failed_step = s->step;
	c->is_failed_real = is_real;
	c->is_run_wrong = s->has_failed;
	c->invariant = invariant;
	(void)snprintf(c->why, sizeof(c->why), "%s", why);
}

/* The same seed has to be the same run, and by the real primitive the same
 * but for the bytes of signatures. */
static void
run_again(struct campaign *c, struct sim *s, const struct sim_order *order)
{
	bool is_other = order->seed / CAMPAIGN_TWICE % 2 == 0;
	bool is_real = c->is_real != is_other;
	const uint64_t lines = s->trace.lines, bytes = s->trace.bytes,
	               steps = s->step;
	struct points unused = {.n = {0}};

	primitive_use(is_real);
	recall_use(false);
	sim_run(s, order, &unused);
	recall_use(true);
	primitive_use(c->is_real);
	if (s->has_failed)
		fail(c, s, is_real, s->invariant, s->why);
	else if (s->trace.lines != lines || s->step != steps ||
	    (!is_other && s->trace.bytes != bytes))
		fail(c, s, is_real, "the same run",
		    is_other ? "by another primitive it was another"
		             : "a second one was another");
}

void
campaign_run(struct campaign *c, struct sim *s)
{
	struct sim_order order = c->order;

	primitive_use(c->is_real);
	for (uint64_t i = 0; i < c->n && c->n_failed < CAMPAIGN_FAILURES_MAX;
	     i++) {
		order.seed = c->order.seed + i;
		sim_run(s, &order, &c->points);
		c->n_run++;
		c->steps += s->step;
		c->lived_ms += sim_lived_ms(s);
		c->hash = (c->hash * 31 + s->trace.lines) * 31 + s->trace.bytes;
		if (s->has_failed)
			fail(c, s, c->is_real, s->invariant, s->why);
		else if (order.seed % CAMPAIGN_TWICE == 0)
			run_again(c, s, &order);
	}
}

double
campaign_years(const struct campaign *c)
{
	return (double)c->lived_ms / YEAR_MS;
}

/* ---- less of a run ---- */

struct shrink {
	struct sim *s;
	char invariant[SIM_WHY_MAX];
	uint32_t runs;
	/* of the last one that failed: many that are tried do not */
	uint64_t steps;
	uint32_t machines;
};

/* Does it still fail, and by the same invariant? */
static bool
fails(struct shrink *k, const struct sim_order *order)
{
	struct points unused = {.n = {0}};

	if (++k->runs > SHRINK_RUNS)
		return false;
	sim_run(k->s, order, &unused);
	if (!k->s->has_failed || strcmp(k->s->invariant, k->invariant) != 0)
		return false;
	k->machines = k->s->swarm.n_machines;
	k->steps = k->s->step < k->s->swarm.steps_max ? k->s->step
	                                              : k->s->swarm.steps_max;
	return true;
}

static void
shrink_faults(struct shrink *k, struct sim_order *order)
{
	for (uint32_t i = 0; i < POINTS_N_FAULTS; i++) {
		struct sim_order less = *order;

		less.without |= UINT64_C(1) << i;
		if (fails(k, &less))
			*order = less;
	}
}

/* The least number in [1, from] that still fails, as far as halving finds it:
 * a run with less of something is another one, so there may be gaps. */
static void
shrink_number(struct shrink *k, struct sim_order *order, uint64_t from,
    bool is_machines)
{
	uint64_t lo = 1, hi = from;

	while (lo < hi) {
		uint64_t mid = lo + (hi - lo) / 2;
		struct sim_order less = *order;

		if (is_machines)
			less.machines = (uint32_t)mid;
		else
			less.steps = mid;
		if (fails(k, &less)) {
			*order = less;
			hi = mid;
		} else {
			lo = mid + 1;
		}
	}
}

void
campaign_shrink(struct sim *s, struct sim_order *order)
{
	struct shrink k = {.s = s};
	struct sim_order quiet = *order;

	quiet.is_loud = false;
	(void)snprintf(k.invariant, sizeof(k.invariant), "%s", s->invariant);
	if (!fails(&k, &quiet))
		return; /* it was another primitive, or chance */
	shrink_faults(&k, &quiet);
	shrink_number(&k, &quiet, k.machines, true);
	shrink_faults(&k, &quiet);
	shrink_number(&k, &quiet, k.steps, false);
	quiet.is_loud = order->is_loud;
	*order = quiet;
}

/* ---- a run in words ---- */

void
campaign_command(const struct sim_order *order, char *out, size_t cap)
{
	const char *comma = " --without ";
	size_t n;

	(void)snprintf(out, cap, "--seed %" PRIu64, order->seed);
	for (uint32_t i = 0; i < POINTS_N_FAULTS; i++) {
		if ((order->without >> i & 1) == 0)
			continue;
		n = strlen(out);
		(void)snprintf(out + n, cap - n, "%s%s", comma,
		    points_name((enum point)i));
		comma = ",";
	}
	n = strlen(out);
	if (order->machines != 0)
		(void)snprintf(out + n, cap - n, " --machines %" PRIu32,
		    order->machines);
	n = strlen(out);
	if (order->steps != 0)
		(void)snprintf(out + n, cap - n, " --steps %" PRIu64,
		    order->steps);
}

static bool
read_number(const char *text, uint64_t *out)
{
	char *end;

	errno = 0;
	*out = strtoull(text, &end, 10);
	return text[0] >= '0' && text[0] <= '9' && *end == '\0' && errno == 0;
}

static bool
read_faults(const char *text, uint64_t *out)
{
	while (*text != '\0') {
		size_t len = strcspn(text, ",");
		uint32_t i = 0;

		while (i < POINTS_N_FAULTS &&
		    (strlen(points_name((enum point)i)) != len ||
		        strncmp(points_name((enum point)i), text, len) != 0))
			i++;
		if (i == POINTS_N_FAULTS)
			return false;
		*out |= UINT64_C(1) << i;
		text += len + (text[len] == ',' ? 1 : 0);
	}
	return true;
}

bool
campaign_read(struct sim_order *order, const char *name, const char *value)
{
	uint64_t number;

	if (strcmp(name, "without") == 0)
		return read_faults(value, &order->without);
	if (!read_number(value, &number))
		return false;
	if (strcmp(name, "seed") == 0)
		order->seed = number;
	else if (number == 0)
		return false; /* which would mean: as many as are drawn */
	else if (strcmp(name, "steps") == 0)
		order->steps = number;
	else if (strcmp(name, "machines") == 0 && number <= UINT32_MAX)
		order->machines = (uint32_t)number;
	else
		return false;
	return true;
}
