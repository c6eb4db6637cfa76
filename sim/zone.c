/* SPDX-License-Identifier: MIT */
#include "sim/zone.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

#include "discovery/message.h"
#include "sim/world.h"

#define DEAD 90 /* a host's number that no world has */
#define DEVIATIONS 5.0
#define ANSWER_MAX 1024 /* eight records of a short name */

static const char *const domains[SIM_DOMAINS] = {"site.example", "corp.example",
    "far.example"};

/* ---- records ---- */

static void
shuffle(struct rng *r, struct zone *z)
{
	for (uint32_t i = z->n; i > 1; i--) {
		uint32_t j = rng_below(r, i);
		const struct zone_srv srv = z->srv[i - 1];

		z->srv[i - 1] = z->srv[j];
		z->srv[j] = srv;
	}
}

static void
add(struct rng *r, struct zone *z, uint32_t host)
{
	static const uint16_t priorities[] = {0, 0, 10, 20};
	static const uint16_t weights[] = {0, 1, 1, 10, 100};

	z->srv[z->n++] = (struct zone_srv){.host = host,
	    .priority = priorities[rng_below(r, 4)],
	    .weight = weights[rng_below(r, 5)]};
}

void
zone_draw(struct sim *s)
{
	struct rng *r = &s->rng;

	for (uint32_t d = 0; d < SIM_DOMAINS; d++) {
		struct zone *z = &s->zone[d];

		for (uint32_t i = 0; i < s->swarm.n_hosts; i++) {
			/* who is there answers for both products */
			if ((i == 0 && d != 1) || rng_chance(r, 700000))
				add(r, z, i);
		}
		if (rng_chance(r, 300000))
			add(r, z, DEAD);
		shuffle(r, z);
	}
}

void
zone_find(struct sim *s, struct pc *pc)
{
	struct rng *r = &s->rng;
	uint32_t first;

	pc->is_caching = rng_below(r, 8) != 0;
	switch (rng_below(r, 8)) {
	case 0:
	case 1:
		pc->finds = FINDS_STATIC;
		pc->n_static = 1 + rng_below(r, s->swarm.n_hosts);
		first = rng_below(r, pc->n_static);
		for (uint32_t i = 0; i < pc->n_static; i++)
			pc->order[i] = (first + i) % pc->n_static;
		break;
	case 2:
		pc->finds = FINDS_ONLY;
		pc->domain[0] = 2 * rng_below(r, 2);
		pc->n_domains = 1;
		break;
	default:
		pc->finds = FINDS_BY_DNS;
		pc->domain[0] = rng_below(r, 2);
		pc->domain[1] = 1 - pc->domain[0];
		pc->n_domains = 2;
		break;
	}
}

void
zone_plan(const struct sim *s, const struct pc *pc, bool is_renewal,
    struct walk_plan *plan)
{
	(void)s;
	/* 7 KB, of which a few bytes count: no zeros over all of it */
	plan->n_hosts = plan->n_domains = 0;
	plan->is_renewal = is_renewal;
	plan->known.host[0] = plan->known.domain[0] = '\0';
	plan->known.priority = 0;
	if (pc->finds == FINDS_STATIC) {
		plan->n_hosts = pc->n_static;
		for (uint32_t i = 0; i < pc->n_static; i++)
			world_host(pc->order[i], plan->host[i]);
	}
	plan->is_only = pc->finds == FINDS_ONLY;
	for (uint32_t i = 0; i < pc->n_domains; i++)
		walk_plan_domain(plan, domains[pc->domain[i]]);
	if (pc->is_caching)
		plan->known = pc->known;
}

uint32_t
zone_host(const struct sim *s, const char *name)
{
	char want[WORLD_HOST_MAX];

	for (uint32_t i = 0; i < s->n_hosts; i++) {
		world_host(i, want);
		if (strcmp(name, want) == 0)
			return i;
	}
	return SIM_NO_HOST;
}

/* ---- an answer, in bytes ---- */

static void
u16(struct wr *w, uint32_t v)
{
	const uint8_t b[2] = {(uint8_t)(v >> 8), (uint8_t)v};

	wr_bytes(w, b, sizeof(b));
}

static void
write_srv(struct wr *w, const struct zone_srv *srv)
{
	char text[WORLD_HOST_MAX];
	struct dns_name target;

	world_host(srv->host, text);
	*strchr(text, ':') = '\0';
	if (dns_name_parse(text, &target) != 0)
		wr_fail(w, MUSTER_E_PROTO);
	u16(w, 0xc000 | DNS_HEADER_LEN); /* the name that was asked for */
	u16(w, DNS_SRV);
	u16(w, DNS_IN);
	wr_u32(w, 3600);
	u16(w, 6 + (uint32_t)target.len);
	u16(w, srv->priority);
	u16(w, srv->weight);
	u16(w, WORLD_PORT);
	wr_bytes(w, target.wire, target.len);
}

/* What a name server says of a zone: so many of its records, or a failure. */
struct answer {
	const struct zone *zone;
	uint32_t n;
	uint16_t id;
	uint8_t rcode;
};

static int
write_answer(const struct answer *a, const struct dns_name *name, uint8_t *buf,
    size_t *len_out)
{
	uint32_t n = a->rcode == 0 ? a->n : 0;
	const struct dns_header h = {.id = a->id,
	    .is_reply = true,
	    .rcode = a->rcode,
	    .count = {[DNS_QUESTION] = 1, [DNS_ANSWER] = (uint16_t)n}};
	struct wr w = wr_init(buf, ANSWER_MAX);

	dns_header_write(&w, &h, true);
	dns_question_write(&w, name, DNS_SRV);
	for (uint32_t i = 0; i < n; i++)
		write_srv(&w, &a->zone->srv[i]);
	return wr_end(&w, len_out);
}

/* As src/client/resolve.c reads it. */
static int
read_answer(const uint8_t *msg, size_t len, uint16_t id,
    const struct dns_name *name, struct choice *choice)
{
	struct dns_reader r;
	struct dns_record rec;
	struct dns_srv srv;
	int err = dns_answers(msg, len, id, name, DNS_SRV, &r);

	if (err == 0)
		err = dns_rcode_err(r.header.rcode);
	while (err == 0 && (err = dns_next(&r, &rec)) == 1) {
		err = dns_srv_read(&r, &rec, &srv);
		if (err == 0)
			choice_add(choice, &srv);
	}
	return err == 0 && choice->n == 0 ? MUSTER_E_NODATA : err;
}

static const struct zone *
find(const struct sim *s, const char *domain)
{
	for (uint32_t d = 0; d < SIM_DOMAINS; d++) {
		if (strcmp(domain, domains[d]) == 0)
			return &s->zone[d];
	}
	return NULL;
}

/* All that is written and read, with what may go wrong. */
static int
ask(struct sim *s, const char *domain, struct answer *a, struct choice *choice)
{
	static const uint8_t rcodes[] = {DNS_SERVFAIL, DNS_REFUSED,
	    DNS_NXDOMAIN};
	uint8_t buf[ANSWER_MAX];
	struct dns_name name;
	size_t len = 0;
	int err = dns_name_join(WALK_SERVICE, domain, &name);

	if (sim_faulty(s, POINT_DNS_FAIL))
		a->rcode = rcodes[rng_below(&s->rng, sizeof(rcodes))];
	if (a->n > 1 && sim_faulty(s, POINT_DNS_STALE))
		a->n--;
	if (err == 0)
		err = write_answer(a, &name, buf, &len);
	if (err == 0 && sim_faulty(s, POINT_DNS_BROKEN))
		len = rng_below(&s->rng, (uint32_t)len); /* void, all of it */
	return err == 0 ? read_answer(buf, len, a->id, &name, choice) : err;
}

int
zone_answer(struct sim *s, const char *domain, struct choice *choice,
    struct seek *seek)
{
	const struct zone *z = find(s, domain);
	struct answer a = {.zone = z, .id = (uint16_t)rng_u64(&s->rng)};
	int err;

	if (z == NULL)
		return MUSTER_E_NXDOMAIN;
	if (s->now_ms < s->outage_until_ms || sim_faulty(s, POINT_DNS_SILENT))
		return MUSTER_E_DNS_TIMEOUT;
	for (uint32_t i = 0; i < z->n && s->site != NULL; i++)
		choice_add(choice, &z->read[i]);
	if (s->site != NULL)
		return 0;
	a.n = z->n;
	err = ask(s, domain, &a, choice);
	if (err != 0)
		return err;
	seek->n = a.n;
	seek->is_fresh = true;
	memcpy(seek->srv, z->srv, sizeof(seek->srv));
	for (uint32_t i = 0; i < seek->n; i++)
		seek->seen |= UINT64_C(1) << (seek->srv[i].host % 64);
	return 0;
}

/* ---- how a round must go ---- */

static uint32_t
number_of(const struct sim *s, const char *host)
{
	uint32_t number = zone_host(s, host);

	return number == SIM_NO_HOST ? DEAD : number;
}

/* How often the record of the largest weight should be first of its priority,
 * and how often it was. */
static void
note_share(struct sim *s, const struct seek *k, uint16_t best, uint32_t asked)
{
	const struct zone_srv *top = NULL;
	uint32_t sum = 0, n_zero = 0, n = 0;
	double share;

	for (uint32_t i = 0; i < k->n; i++) {
		const struct zone_srv *srv = &k->srv[i];

		if (srv->priority != best)
			continue;
		n++;
		sum += srv->weight;
		n_zero += srv->weight == 0 ? 1 : 0;
		if (top == NULL || srv->weight > top->weight)
			top = srv;
	}
	if (n < 2 || s->points == NULL)
		return;
	share = sum == 0 ? 1.0 / n
	                 : (double)top->weight / (sum + (n_zero > 0 ? 1 : 0));
	s->points->share_off += (top->host == asked ? 1.0 : 0.0) - share;
	s->points->share_var += share * (1.0 - share);
}

static void
check_target(struct sim *s, struct pc *pc, struct seek *k, uint32_t asked)
{
	uint16_t best = UINT16_MAX, own = UINT16_MAX;
	bool is_there = false, is_first = k->is_fresh;

	for (uint32_t i = 0; i < k->n; i++) {
		const struct zone_srv *srv = &k->srv[i];
		bool was_asked = (k->asked >> (srv->host % 64) & 1) != 0;

		is_first &= !was_asked;
		if (srv->host == asked && !was_asked) {
			is_there = true;
			own = srv->priority;
		}
		if (!was_asked && srv->priority < best)
			best = srv->priority;
	}
	if (!is_there)
		sim_fail(s, "b23", "%s: asks a host that is not in the answer",
		    pc->name);
	else if (own != best)
		sim_fail(s, "b23", "%s: priority %u goes before %u", pc->name,
		    own, best);
	else if (is_first)
		note_share(s, k, best, asked);
	k->is_fresh = false;
}

static void
check_ask(struct sim *s, struct pc *pc, struct seek *k,
    const struct walk_todo *todo)
{
	uint32_t asked = number_of(s, todo->host);

	if (pc->finds == FINDS_STATIC) {
		if (k->n_asked >= pc->n_static ||
		    asked != pc->order[k->n_asked])
			sim_fail(s, "b22", "%s: not its next static host",
			    pc->name);
	} else if (todo->source == WALK_KNOWN) {
		if (!pc->is_caching)
			sim_fail(s, "b24", "%s: is to remember nobody",
			    pc->name);
		sim_hit(s, POINT_KNOWN_HOST);
	} else {
		check_target(s, pc, k, asked);
	}
	if (todo->is_brief)
		sim_hit(s, POINT_BETTER_HOST);
	if (asked == DEAD)
		sim_hit(s, POINT_DEAD_RECORD);
	k->asked |= UINT64_C(1) << (asked % 64);
	k->n_asked++;
}

/* It ends, and nobody responded. */
static void
check_end(struct sim *s, const struct pc *pc, const struct seek *k)
{
	if (pc->finds == FINDS_STATIC) {
		if (k->n_asked != pc->n_static)
			sim_fail(s, "b22", "%s: asked %u of %u static hosts",
			    pc->name, k->n_asked, pc->n_static);
		return;
	}
	if ((k->seen & ~k->asked) != 0)
		sim_fail(s, "b23", "%s: gives up before all were asked",
		    pc->name);
	if (k->n_looked_up != pc->n_domains)
		sim_fail(s, "b22", "%s: looked in %u of %u domains", pc->name,
		    k->n_looked_up, pc->n_domains);
	if (k->n_looked_up == 2)
		sim_hit(s, POINT_SECOND_DOMAIN);
}

void
zone_check(struct sim *s, struct pc *pc, uint32_t product)
{
	struct pc_product *pp = &pc->product[product];
	struct seek *k = &pp->seek;
	const struct walk_todo *todo = &pp->walk_todo;
	const char *known = pp->round->walk.plan.known.host;
	bool is_known = known[0] != '\0' && pc->finds == FINDS_BY_DNS;

	if (is_known && k->n_asked + k->n_looked_up == 0 &&
	    pp->round->asking.licence != WIRE_LICENSED &&
	    (todo->act != WALK_ASK || todo->source != WALK_KNOWN))
		sim_fail(s, "b24", "%s: does not begin with the host it knows",
		    pc->name);
	if (todo->act == WALK_LOOK_UP) {
		if (pc->finds == FINDS_STATIC || k->n_looked_up >= 2 ||
		    strcmp(todo->domain, domains[pc->domain[k->n_looked_up]]) !=
		        0)
			sim_fail(s, "b22", "%s: looks in %s", pc->name,
			    todo->domain);
		k->n_looked_up++;
		k->n = 0;
	} else if (todo->act == WALK_ASK) {
		check_ask(s, pc, k, todo);
	} else {
		if (is_known &&
		    (k->asked >> (number_of(s, known) % 64) & 1) == 0)
			sim_fail(s, "b24", "%s: never asked the host it knows",
			    pc->name);
		check_end(s, pc, k);
	}
}

void
zone_check_known(struct sim *s, const struct pc *pc, uint32_t product)
{
	const struct pc_product *pp = &pc->product[product];
	const struct walk_todo *todo = &pp->walk_todo;

	/* a round of the other product may have ended meanwhile */
	if (pc->finds != FINDS_STATIC && pc->is_caching &&
	    pp->seek.n_known == pc->n_known &&
	    strcmp(pc->known.host, todo->host) != 0)
		sim_fail(s, "b24", "%s: forgets that %s responded", pc->name,
		    todo->host);
}

bool
zone_shares(const struct points *points)
{
	return fabs(points->share_off) <=
	    DEVIATIONS * sqrt(points->share_var) + 1.0;
}
