/* SPDX-License-Identifier: MIT */
#include "discovery/choice.h"

void
choice_init(struct choice *c)
{
	c->n = 0;
	c->n_dropped = 0;
	c->is_refused = false;
}

void
choice_add(struct choice *c, const struct dns_srv *srv)
{
	if (srv->target.len <= 1) {
		c->is_refused = true;
		return;
	}
	for (size_t i = 0; i < c->n; i++) {
		struct dns_srv *old = &c->srv[i];

		if (old->port != srv->port ||
		    !dns_name_equal(&old->target, &srv->target))
			continue;
		if (srv->priority < old->priority)
			*old = *srv;
		c->n_dropped++;
		return;
	}
	if (srv->port == 0 || c->n == CHOICE_MAX)
		c->n_dropped++;
	else
		c->srv[c->n++] = *srv;
}

static void
swap(struct choice *c, size_t i, size_t j)
{
	const struct dns_srv srv = c->srv[i];

	c->srv[i] = c->srv[j];
	c->srv[j] = srv;
}

/* From here on, those of the best priority come first: how many. */
static size_t
gather(struct choice *c, size_t from)
{
	uint16_t best = UINT16_MAX;
	size_t n = 0;

	for (size_t i = from; i < c->n; i++) {
		if (c->srv[i].priority < best)
			best = c->srv[i].priority;
	}
	for (size_t i = from; i < c->n; i++) {
		if (c->srv[i].priority == best)
			swap(c, from + n++, i);
	}
	return n;
}

/* Which of the n from there on is next. */
static size_t
pick(const struct choice *c, size_t from, size_t n, choice_draw_fn *draw,
    void *arg)
{
	uint32_t sum = 0, n_zero = 0,
	         r; /* 512 weights of 16 bits: no overflow */

	for (size_t i = from; i < from + n; i++) {
		sum += c->srv[i].weight;
		n_zero += c->srv[i].weight == 0 ? 1 : 0;
	}
	r = n_zero == 0 ? 1 + draw(arg, sum) : draw(arg, sum + 1);
	if (r == 0) {
		r = n_zero == 1 ? 0 : draw(arg, n_zero);
		for (size_t i = from;; i++) {
			if (c->srv[i].weight == 0 && r-- == 0)
				return i;
		}
	}
	for (size_t i = from;; i++) {
		if (c->srv[i].weight >= r)
			return i;
		r -= c->srv[i].weight;
	}
}

void
choice_order(struct choice *c, choice_draw_fn *draw, void *arg)
{
	for (size_t from = 0; from < c->n;) {
		size_t n = gather(c, from);

		for (; n > 1; n--, from++)
			swap(c, from, pick(c, from, n, draw, arg));
		from++;
	}
}
