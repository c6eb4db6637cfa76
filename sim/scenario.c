/* SPDX-License-Identifier: MIT */
#include "sim/scenario.h"

#include <errno.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include "sim/kms.h"
#include "sim/pc.h"
#include "sim/world.h"
#include "sim/zone.h"

#define WORDS_MAX 8
#define ARGS_MAX 3
#define LINE_MAX_LEN 256
#define NAME_MAX_LEN 15             /* pc.name */
#define PATIENCE_MS INT64_C(120000) /* a round, and the spread of a start */
#define GROUPS 8
#define WAIT_DAYS_MAX 3650 /* SITE_DAYS_MAX: nothing more is to be told */

struct arg {
	const char *text;
	uint32_t number;
};

struct story {
	struct sim *s;
	const char *name;
	FILE *out;
	uint32_t line;
	struct swarm swarm;
	char product[WORLD_PRODUCTS][NAME_MAX_LEN + 1];
	uint32_t n_products;
	char host[SIM_HOSTS_MAX][NAME_MAX_LEN + 1];
	struct zone zone;
	bool has_begun, has_failed;
	uint32_t n_checks;
};

__attribute__((format(printf, 2, 3))) static void
wrong(struct story *t, const char *fmt, ...)
{
	va_list args;

	if (t->has_failed)
		return;
	t->has_failed = true;
	(void)fprintf(t->out, "%s:%u: ", t->name, t->line);
	va_start(args, fmt);
	(void)vfprintf(t->out, fmt, args);
	va_end(args);
	(void)fputc('\n', t->out);
}

/* ---- before it begins ---- */

static void
keep_name(char *out, const char *text)
{
	(void)snprintf(out, NAME_MAX_LEN + 1, "%s", text);
}

static void
product(struct story *t, const struct arg *a)
{
	uint32_t n = t->n_products;

	if (n == WORLD_PRODUCTS || t->has_begun) {
		wrong(t, "there may be %d products, before the first machine",
		    WORLD_PRODUCTS);
		return;
	}
	keep_name(t->product[t->n_products++], a[0].text);
	for (uint32_t k = 0; k < SIM_CATALOGUES; k++)
		t->swarm.threshold[k][n] = a[1].number;
}

static void
host_with(struct story *t, const struct arg *a)
{
	struct zone *z = &t->zone;

	if (z->n == WORLD_HOSTS_MAX || t->has_begun) {
		wrong(t, "there may be %d hosts, before the first machine",
		    WORLD_HOSTS_MAX);
		return;
	}
	keep_name(t->host[z->n], a[0].text);
	z->srv[z->n] = (struct zone_srv){.host = z->n,
	    .priority = (uint16_t)a[1].number,
	    .weight = (uint16_t)a[2].number};
	z->n++;
}

static void
validity(struct story *t, const struct arg *a)
{
	t->swarm.validity_days = a[0].number;
}

static void
grace(struct story *t, const struct arg *a)
{
	t->swarm.initial_days = t->swarm.lapse_days = a[0].number;
}

static void
begin(struct story *t)
{
	struct sim *s = t->s;

	if (t->has_begun)
		return;
	t->has_begun = true;
	t->swarm.n_hosts = t->zone.n;
	if (t->zone.n == 0 || t->n_products != WORLD_PRODUCTS) {
		wrong(t, "it needs a host and %d products", WORLD_PRODUCTS);
		return;
	}
	sim_begin_story(s, &t->swarm);
	s->zone[0] = t->zone;
}

/* ---- who is who ---- */

static struct pc *
find(struct story *t, const char *name)
{
	for (uint32_t i = 0; i < t->s->n_machines; i++) {
		if (strcmp(t->s->machine[i].name, name) == 0)
			return &t->s->machine[i];
	}
	return NULL;
}

static struct pc *
machine_of(struct story *t, const char *name)
{
	struct pc *pc = find(t, name);

	if (pc == NULL)
		wrong(t, "there is no machine %s", name);
	return pc;
}

static uint32_t
host_of(struct story *t, const char *name)
{
	uint32_t i = 0;

	while (i < t->zone.n && strcmp(t->host[i], name) != 0)
		i++;
	return i;
}

static uint32_t
number_of(const struct story *t, const struct pc *pc)
{
	return (uint32_t)(pc - t->s->machine);
}

static uint32_t
product_of(const struct pc *pc)
{
	return pc->has_product[0] ? 0 : 1;
}

static void
machine(struct story *t, const struct arg *a)
{
	uint32_t p = 0;
	struct pc *pc;

	begin(t);
	while (p < t->n_products && strcmp(t->product[p], a[1].text) != 0)
		p++;
	if (p == t->n_products)
		wrong(t, "there is no product %s", a[1].text);
	if (!t->has_failed && t->s->n_machines == t->s->memory.machines_max)
		wrong(t, "there may be %u machines", t->s->memory.machines_max);
	if (t->has_failed)
		return;
	pc = &t->s->machine[pc_add(t->s)];
	keep_name(pc->name, a[0].text);
	for (uint32_t i = 0; i < WORLD_PRODUCTS; i++)
		pc->has_product[i] = i == p;
	pc->finds = FINDS_BY_DNS;
	pc->is_caching = true;
	pc->n_static = 0;
	pc->n_domains = 1;
	pc->domain[0] = 0;
}

/* "machines 25 pc of desktop" are pc-1 to pc-25. */
static void
machines(struct story *t, const struct arg *a)
{
	char name[NAME_MAX_LEN + 1];

	for (uint32_t i = 1; i <= a[0].number && !t->has_failed; i++) {
		const struct arg one[] = {{.text = name}, a[2]};

		(void)snprintf(name, sizeof(name), "%.8s-%u", a[1].text,
		    i % 100000);
		machine(t, one);
	}
}

/* ---- what happens ---- */

static void
run(struct story *t, int64_t ms)
{
	struct sim *s = t->s;

	begin(t);
	if (ms > WAIT_DAYS_MAX * SIM_DAY_MS)
		wrong(t, "nobody waits for more than %d days", WAIT_DAYS_MAX);
	if (!t->has_failed)
		sim_run_for(s, ms);
	if (s->has_failed)
		wrong(t, "%s does not hold: %s", s->invariant, s->why);
}

static void
wait_days(struct story *t, const struct arg *a)
{
	run(t, a[0].number * SIM_DAY_MS);
}

static void
wait_hours(struct story *t, const struct arg *a)
{
	run(t, a[0].number * INT64_C(3600000));
}

static void
wait_minutes(struct story *t, const struct arg *a)
{
	run(t, a[0].number * INT64_C(60000));
}

static void
asks(struct story *t, const struct arg *a)
{
	const struct life_event ask = {.kind = LIFE_ASK};
	struct pc *pc = machine_of(t, a[0].text);
	int64_t end_ms = t->s->now_ms + PATIENCE_MS;

	if (pc == NULL)
		return;
	run(t, 10000); /* nobody asks twice in ten seconds */
	if (!pc->is_up)
		pc_start(t->s, number_of(t, pc), true);
	else
		pc_event(t->s, number_of(t, pc), product_of(pc), &ask);
	do {
		run(t, 1000);
	} while (!t->has_failed && t->s->now_ms < end_ms &&
	    (pc_is_busy(t->s, pc) ||
	        pc->product[product_of(pc)].life.state.asked_unix_s == 0));
}

/* A machine whose name begins so, one after the other. */
static void
each_asks(struct story *t, const struct arg *a)
{
	for (uint32_t i = 0; i < t->s->n_machines && !t->has_failed; i++) {
		const struct arg one = {.text = t->s->machine[i].name};

		if (strncmp(one.text, a[0].text, strlen(a[0].text)) == 0)
			asks(t, &one);
	}
}

static void
goes_off(struct story *t, const struct arg *a)
{
	uint32_t host = host_of(t, a[0].text);
	struct pc *pc;

	if (host < t->zone.n) {
		kms_stop(t->s, host, -1);
		return;
	}
	pc = machine_of(t, a[0].text);
	if (pc != NULL)
		pc_stop(t->s, number_of(t, pc), -1);
}

static void
comes_on(struct story *t, const struct arg *a)
{
	uint32_t host = host_of(t, a[0].text);
	struct pc *pc;

	if (host < t->zone.n) {
		kms_start(t->s, host);
		return;
	}
	pc = machine_of(t, a[0].text);
	if (pc != NULL)
		pc_start(t->s, number_of(t, pc), true);
}

/* ---- what is true ---- */

static void
has_count(struct story *t, const struct arg *a)
{
	const struct pc *pc = machine_of(t, a[0].text);
	uint32_t count;

	t->n_checks++;
	if (pc == NULL)
		return;
	count = pc->product[product_of(pc)].life.state.count;
	if (count != a[1].number)
		wrong(t, "%s has count %u", pc->name, count);
}

static void
is_state(struct story *t, const char *name, enum wire_state want)
{
	static const char *const words[] = {"unlicensed", "in initial grace",
	    "licensed", "in tolerance grace", "in notification"};
	const struct pc *pc = machine_of(t, name);
	const struct pc_product *pp;
	enum wire_state got;
	uint32_t left;
	int reason;

	t->n_checks++;
	if (pc == NULL)
		return;
	pp = &pc->product[product_of(pc)];
	got = life_licence(&pp->life, &pp->env, pc_unix_s(t->s, pc), &left,
	    &reason);
	if (got != want)
		wrong(t, "%s is %s", pc->name, words[got]);
}

static void
is_licensed(struct story *t, const struct arg *a)
{
	is_state(t, a[0].text, WIRE_LICENSED);
}

static void
is_initial(struct story *t, const struct arg *a)
{
	is_state(t, a[0].text, WIRE_INITIAL_GRACE);
}

static void
is_tolerance(struct story *t, const struct arg *a)
{
	is_state(t, a[0].text, WIRE_TOLERANCE_GRACE);
}

static void
is_notified(struct story *t, const struct arg *a)
{
	is_state(t, a[0].text, WIRE_NOTIFICATION);
}

static void
each_is_licensed(struct story *t, const struct arg *a)
{
	for (uint32_t i = 0; i < t->s->n_machines && !t->has_failed; i++) {
		if (strncmp(t->s->machine[i].name, a[0].text,
		        strlen(a[0].text)) == 0)
			is_state(t, t->s->machine[i].name, WIRE_LICENSED);
	}
}

static bool
group_of(struct story *t, const char *name, struct store_group *out)
{
	uint32_t host = host_of(t, name);
	struct store_group group[GROUPS];
	const struct kms *k = &t->s->host[host];
	size_t n = 0;

	t->n_checks++;
	if (host == t->zone.n ||
	    store_groups(k->store, kms_unix_s(t->s, k), group, GROUPS, &n) !=
	        0 ||
	    n != 1) {
		wrong(t, "no host %s with one count", name);
		return false;
	}
	*out = group[0];
	return true;
}

static void
counts(struct story *t, const struct arg *a)
{
	struct store_group g;

	if (group_of(t, a[0].text, &g) && g.count != a[1].number)
		wrong(t, "%s counts %u", a[0].text, g.count);
}

static void
has_room(struct story *t, const struct arg *a)
{
	struct store_group g;

	if (group_of(t, a[0].text, &g) && g.capacity != a[1].number)
		wrong(t, "%s has room for %u", a[0].text, g.capacity);
}

static void
knows(struct story *t, const struct arg *a)
{
	const struct pc *pc = machine_of(t, a[0].text);
	uint32_t host;

	t->n_checks++;
	if (pc == NULL)
		return;
	host = zone_host(t->s, pc->known.host);
	if (host == SIM_NO_HOST || strcmp(t->host[host], a[1].text) != 0)
		wrong(t, "%s knows %s", pc->name,
		    host == SIM_NO_HOST ? "nobody" : t->host[host]);
}

/* ---- sentences ---- */

/* NAME and NUMBER stand for any. */
static const struct {
	const char *text;
	void (*act)(struct story *t, const struct arg *a);
} sentences[] = {
    {"product NAME threshold NUMBER", product},
    {"host NAME priority NUMBER weight NUMBER", host_with},
    {"validity NUMBER days", validity},
    {"graces NUMBER days", grace},
    {"machine NAME of NAME", machine},
    {"machines NUMBER NAME of NAME", machines},
    {"wait NUMBER days", wait_days},
    {"wait NUMBER hours", wait_hours},
    {"wait NUMBER minutes", wait_minutes},
    {"NAME asks", asks},
    {"each NAME asks", each_asks},
    {"NAME goes off", goes_off},
    {"NAME comes on", comes_on},
    {"NAME has count NUMBER", has_count},
    {"NAME is licensed", is_licensed},
    {"NAME is in initial grace", is_initial},
    {"NAME is in tolerance grace", is_tolerance},
    {"NAME is in notification", is_notified},
    {"each NAME is licensed", each_is_licensed},
    {"NAME counts NUMBER", counts},
    {"NAME has room for NUMBER", has_room},
    {"NAME knows NAME", knows},
};

#define N_SENTENCES (sizeof(sentences) / sizeof(sentences[0]))

void
scenario_help(FILE *out)
{
	for (size_t i = 0; i < N_SENTENCES; i++)
		(void)fprintf(out, "  %s\n", sentences[i].text);
}

static bool
read_number(const char *text, uint32_t *out)
{
	char *end;
	unsigned long v;

	errno = 0;
	v = strtoul(text, &end, 10);
	*out = (uint32_t)v;
	return text[0] >= '0' && text[0] <= '9' && *end == '\0' && errno == 0 &&
	    v <= UINT32_MAX;
}

/* Does the line say this? Its names and numbers into args. */
static bool
matches(const char *pattern, char *const *word, size_t n, struct arg *args)
{
	size_t n_args = 0;

	for (size_t i = 0; i < n; i++) {
		size_t len = strcspn(pattern, " ");

		if (len == 0)
			return false;
		if (strncmp(pattern, "NAME", len) == 0) {
			args[n_args++].text = word[i];
		} else if (strncmp(pattern, "NUMBER", len) == 0) {
			if (!read_number(word[i], &args[n_args++].number))
				return false;
		} else if (strlen(word[i]) != len ||
		    strncmp(pattern, word[i], len) != 0) {
			return false;
		}
		pattern += len + (pattern[len] == ' ' ? 1 : 0);
	}
	return *pattern == '\0';
}

static void
tell(struct story *t, char *line)
{
	char *word[WORDS_MAX], *save = NULL;
	size_t n = 0;

	line[strcspn(line, "#\n")] = '\0';
	for (char *w = strtok_r(line, " \t", &save); w != NULL && n < WORDS_MAX;
	     w = strtok_r(NULL, " \t", &save))
		word[n++] = w;
	if (n == 0)
		return;
	/* a sentence of words alone goes before one that takes any name */
	for (size_t i = 0; i < N_SENTENCES; i++) {
		struct arg args[ARGS_MAX + 1] = {{NULL, 0}};

		if (!matches(sentences[i].text, word, n, args))
			continue;
		sentences[i].act(t, args);
		return;
	}
	wrong(t,
	    "no such sentence; a number is a whole one from 0 to %u (the word "
	    "help lists the sentences)",
	    UINT32_MAX);
}

bool
scenario_run(struct sim *s, FILE *in, const char *name, FILE *out)
{
	struct story *t = calloc(1, sizeof(*t));
	char line[LINE_MAX_LEN];
	bool is_true;

	if (t == NULL)
		return false;
	t->s = s;
	t->name = name;
	t->out = out;
	world_draw_plain(&t->swarm);
	while (!t->has_failed && fgets(line, sizeof(line), in) != NULL) {
		t->line++;
		if (strchr(line, '\n') == NULL && feof(in) == 0)
			wrong(t, "a line has %d characters at most",
			    LINE_MAX_LEN - 2);
		else
			tell(t, line);
	}
	if (t->n_checks == 0)
		wrong(t, "nothing is said to be true");
	is_true = !t->has_failed;
	if (t->has_begun)
		sim_end_story(s);
	free(t);
	return is_true;
}
