/* SPDX-License-Identifier: MIT */
#include "client/direct.h"

#include <sodium.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/paths.h"
#include "client/catalogues.h"

/* Everything that one run works on. */
struct run {
	const struct direct_options *opt;
	struct catalogue *cat;
	struct machine machine;
	struct life_env env;
	struct keep keep;
	struct state_publisher publisher;
	struct life life;
	struct clockwatch watch;
};

static struct life_now
now_of(struct run *r, bool is_signed)
{
	struct clockwatch_now clocks = {.wall_unix_s = clock_unix_s(),
	    .boot_s = clock_boot_s()};
	struct life_now now = {.wall_unix_s = clocks.wall_unix_s,
	    .boot_s = clocks.boot_s,
	    .draw = randombytes_random()};

	clock_boot_id(clocks.boot);
	if (is_signed)
		clockwatch_signed(&r->watch, &clocks);
	now.is_wall_believed = clockwatch_see(&r->watch, &clocks);
	return now;
}

/* What the next step is about, should it fail. */
static void
note(struct direct_result *out, const char *root, const char *path)
{
	if (file_join(root, path, out->path, sizeof(out->path)) != 0)
		out->path[0] = '\0';
}

/* One event of the life, and what is to be written for it. */
static int
step(struct run *r, const struct life_event *ev, struct life_todo *todo,
    struct direct_result *out)
{
	static const struct life_event unkept = {.kind = LIFE_UNKEPT};
	const struct life_now now = now_of(r, ev->kind == LIFE_REPLY);
	int err = 0, state_err;

	life_step(&r->life, &r->env, ev, &now, todo);
	if (todo->keep_lease) {
		err = keep_save_lease(&r->keep, &r->life.lease);
		out->is_stored |= err == 0;
	}
	note(out, NULL, r->keep.at);
	if (err != 0 && err != MUSTER_E_UNSURE)
		life_step(&r->life, &r->env, &unkept, &now, todo);
	state_err = keep_save(&r->keep, &r->life);
	if (err == 0) {
		err = state_err;
		note(out, NULL, r->keep.at);
	}
	if (err == 0)
		err = keep_save_clock(r->opt->root, &r->watch);
	out->state = todo->after;
	out->minutes_left = todo->minutes_left;
	return err;
}

static int
find_product(struct run *r, struct direct_result *out)
{
	const struct direct_options *opt = r->opt;
	int err;

	note(out, opt->root, PATH_MACHINE_ID_OS);
	err = machine_read(opt->root, &r->machine);
	if (err == 0) {
		if (opt->catalogue != NULL)
			note(out, NULL, opt->catalogue);
		else
			note(out, opt->root, PATH_CATALOGUES);
		err = catalogues_for(opt->root, opt->catalogue, opt->product,
		    r->cat);
	}
	if (err != 0)
		return err;
	r->env = (struct life_env){.cat = r->cat,
	    .product = cat_product(r->cat, opt->product),
	    .machine = &r->machine};
	r->life.publisher = &r->publisher;
	out->product = *r->env.product;
	out->serial = r->cat->head.serial;
	memcpy(out->publisher, r->cat->head.publisher, PUBLISHER_LEN);
	note(out, opt->root, PATH_AGENT_STATE);
	return keep_init(&r->keep, opt->root, out->publisher, opt->product);
}

static int
meet(struct run *r, struct life_todo *todo, struct direct_result *out)
{
	struct life_event ev = {.kind = LIFE_MET};
	uint8_t cmid[WIRE_ID_LEN];
	int err;

	err = keep_load_clock(r->opt->root, &r->watch);
	if (err == 0) {
		err = keep_load(&r->keep, r->opt->root, &r->env, &r->publisher,
		    &r->life, &out->found);
		note(out, NULL, r->keep.at);
	}
	if (err == 0 && r->publisher.serial > out->serial)
		err = MUSTER_E_SERIAL;
	if (err != 0)
		return err;
	do
		randombytes_buf(cmid, sizeof(cmid));
	while (sodium_is_zero(cmid, sizeof(cmid)));
	life_machine(&r->publisher, &r->env, cmid, !out->found.has_publisher,
	    &ev.is_moved, &ev.is_afresh);
	ev.is_new = !out->found.has_product;
	return step(r, &ev, todo, out);
}

/* The hosts that were named, else what was set under the root. */
static int
set_where(struct run *r, struct direct_result *out)
{
	const struct direct_options *opt = r->opt;
	struct round_where *where = &out->round.where;
	struct agent_settings s = {.is_caching = true};
	int err = keep_load_settings(opt->root, &s);

	note(out, opt->root, PATH_AGENT_STATE "/settings.state");
	if (err == MUSTER_E_DENIED || err == MUSTER_E_IO)
		return err;
	round_where(where, &s, opt->root, opt->resolver);
	for (size_t i = 0; i < opt->n_hosts; i++)
		(void)snprintf(where->host[i], sizeof(where->host[i]), "%s",
		    opt->host[i]);
	if (opt->n_hosts > 0)
		where->n_hosts = opt->n_hosts;
	return 0;
}

static int
ask(struct run *r, struct life_todo *todo, struct direct_result *out)
{
	const struct life_event want = {.kind = LIFE_ASK};
	char name[WIRE_NAME_MAX + 1];
	struct life_event ev;
	int err = step(r, &want, todo, out);

	if (err != 0)
		return err;
	machine_name(name);
	round_prepare(&out->round, &r->life, &r->env, todo, name);
	note(out, NULL, r->keep.known);
	err = keep_load_known(&r->keep, out->publisher, &out->round.known);
	if (err == 0)
		err = set_where(r, out);
	if (err != 0)
		return err;
	round_run(&out->round);
	ev = asking_event(&out->round.asking, out->round.host);
	err = step(r, &ev, todo, out);
	if (err == 0 && out->round.is_known_new) {
		note(out, NULL, r->keep.known);
		err = keep_save_known(&r->keep, out->publisher,
		    &out->round.known);
	}
	/* nobody to ask and nowhere to look is for the caller to tell */
	return out->round.err != 0 && out->round.err != MUSTER_E_NOENT
	    ? out->round.err
	    : err;
}

int
direct_run(const struct direct_options *opt, struct direct_result *result_out)
{
	struct direct_result *out = result_out;
	struct run *r = calloc(1, sizeof(*r));
	struct life_todo todo;
	int lock_fd = -1, err = MUSTER_E_NOMEM;

	memset(out, 0, sizeof(*out));
	if (r != NULL)
		r->cat = malloc(sizeof(*r->cat));
	if (r == NULL || r->cat == NULL)
		goto out;
	r->opt = opt;
	err = find_product(r, out);
	/* two calls at once would each make a CMID, and break the chain of
	 * replies */
	if (err == 0)
		err = keep_lock(opt->root, KEEP_LOCK_MS, &lock_fd);
	if (err == 0)
		err = meet(r, &todo, out);
	if (err == 0) {
		memcpy(out->lease_path, r->keep.lease, FILE_PATH_MAX);
		err = ask(r, &todo, out);
	}
out:
	if (lock_fd >= 0)
		(void)close(lock_fd);
	if (r != NULL)
		free(r->cat);
	free(r);
	return err;
}
