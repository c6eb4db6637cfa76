/* SPDX-License-Identifier: MIT */
#include "sim/kmsdisk.h"

#include <string.h>

#include "sim/check.h"
#include "sim/kms.h"
#include "sim/vdisk.h"

#define OPEN_OPS_MAX 30 /* of a start that recovers and cleans up */
#define READS_MAX 30    /* likewise */
#define OPS_MAX 6       /* of a batch: a few writes to the log, and its sync */

static int
open_store(struct sim *s, uint32_t number, enum store_make make)
{
	struct kms *k = &s->host[number];
	struct store_diag diag;
	int err =
	    store_open_sqlite(vdisk_path(k->disk), make, &k->store, &diag);

	if (err == 0) {
		store_set_limits(k->store, STORE_INVENTORY_MAX,
		    s->swarm.retention_days);
		if (diag.text[0] != '\0') /* a warning: a torn end */
			sim_hit(s, POINT_TORN_LOG);
	}
	return err;
}

int
kmsdisk_make(struct sim *s, uint32_t number)
{
	struct kms *k = &s->host[number];
	int err = vdisk_new(&s->rng, &k->disk);

	return err == 0 ? open_store(s, number, STORE_MAKE_IF_EMPTY) : err;
}

void
kmsdisk_free(struct kms *k)
{
	if (k->disk == NULL)
		return;
	/* nobody looks at it any more */
	vdisk_fail_after(k->disk, 0);
	store_close(k->store);
	vdisk_free(k->disk);
	k->store = NULL;
	k->disk = NULL;
}

/* Work that is done seldom, of a start, an end and in between. */
static bool
breaks_off(struct sim *s)
{
	return !s->is_healed && s->swarm.has_fault[POINT_DISK_FAILS] &&
	    rng_below(&s->rng, 4) == 0;
}

/* Anywhere in its commit, or where all of it is written and none is synced. */
static void
fail(struct sim *s, struct kms *k)
{
	if (rng_below(&s->rng, 2) == 0)
		vdisk_fail_sync(k->disk);
	else
		vdisk_fail_after(k->disk, (int32_t)rng_below(&s->rng, OPS_MAX));
}

/* What is wrong with a disk that is there: seldom, as the work is. */
enum ill { WELL, FULL, READ_ONLY, NO_READ };

static enum ill
fall_ill(struct sim *s, struct kms *k)
{
	enum ill ill = WELL;

	if (s->is_healed || rng_below(&s->rng, 4) != 0)
		return WELL;
	switch (rng_below(&s->rng, 3)) {
	case 0:
		ill = s->swarm.has_fault[POINT_DISK_FULL] ? FULL : WELL;
		break;
	case 1:
		ill = s->swarm.has_fault[POINT_DISK_RO] ? READ_ONLY : WELL;
		break;
	default:
		ill = s->swarm.has_fault[POINT_DISK_READ] ? NO_READ : WELL;
		break;
	}
	vdisk_fill(k->disk, ill == FULL);
	vdisk_be_read_only(k->disk, ill == READ_ONLY);
	vdisk_fail_read(k->disk,
	    ill == NO_READ ? (int32_t)rng_below(&s->rng, READS_MAX) : -1);
	return ill;
}

/* It is met where something came of it. */
static void
get_well(struct sim *s, struct kms *k, enum ill ill, bool has_failed)
{
	vdisk_fill(k->disk, false);
	vdisk_be_read_only(k->disk, false);
	vdisk_fail_read(k->disk, -1);
	if (ill != WELL && has_failed)
		sim_hit(s,
		    ill == FULL            ? POINT_DISK_FULL
		        : ill == READ_ONLY ? POINT_DISK_RO
		                           : POINT_DISK_READ);
}

int
kmsdisk_batch(struct sim *s, uint32_t number, int64_t now_unix_s)
{
	struct kms *k = &s->host[number];
	bool is_full = sim_faulty(s, POINT_DISK_FULL);
	bool is_read_only = !is_full && sim_faulty(s, POINT_DISK_RO);
	int err;

	if (is_full)
		vdisk_fill(k->disk, true);
	else if (!is_read_only && sim_draws(s, POINT_DISK_FAILS))
		fail(s, k);
	vdisk_be_read_only(k->disk, is_read_only);
	err = store_batch(k->store, k->flying.item, k->flying.n, now_unix_s);
	vdisk_fill(k->disk, false);
	vdisk_be_read_only(k->disk, false);
	if (vdisk_has_failed(k->disk))
		sim_hit(s, POINT_DISK_FAILS);
	if (err == 0 && (is_full || is_read_only))
		sim_fail(s, "b4", "kms-%u: committed to a disk that is %s",
		    number, is_full ? "full" : "read-only");
	if (err == 0 && vdisk_has_failed(k->disk))
		sim_fail(s, "b4", "kms-%u: committed to a disk that is gone",
		    number);
	if (err != 0 && err != MUSTER_E_FULL && !is_read_only &&
	    !vdisk_has_failed(k->disk))
		sim_fail(s, "store", "kms-%u: %s", number,
		    store_last_diag(k->store)->text);
	if (err == 0)
		vdisk_fail_after(k->disk, -1);
	return err;
}

void
kmsdisk_doubt(struct sim *s, uint32_t number, int64_t now_unix_s)
{
	struct kms *k = &s->host[number];

	k->doubt = k->flying;
	k->doubt_unix_s = now_unix_s;
}

/* Of what may go, piece by piece, what is gone. */
static void
resolve_idle(struct sim *s, uint32_t number)
{
	struct kms *k = &s->host[number];
	struct model *all = s->memory.spare;

	if (!k->is_idle_in_doubt)
		return;
	k->is_idle_in_doubt = false;
	*all = *k->model;
	model_idle(k->model, k->idle_unix_s, s->swarm.retention_days);
	check_keep(s, number, all);
}

int
kmsdisk_idle(struct sim *s, uint32_t number, int64_t now_unix_s)
{
	struct kms *k = &s->host[number];
	enum ill ill = WELL;
	int err;

	if (breaks_off(s))
		fail(s, k);
	else
		ill = fall_ill(s, k);
	do {
		err = store_idle(k->store, now_unix_s);
	} while (err == MUSTER_E_AGAIN);
	get_well(s, k, ill, err != 0);
	if (!vdisk_has_failed(k->disk) && (ill == WELL || err == 0)) {
		vdisk_fail_after(k->disk, -1);
		return err;
	}
	k->idle_unix_s = now_unix_s;
	k->is_idle_in_doubt = true;
	if (vdisk_has_failed(k->disk)) {
		sim_hit(s, POINT_DISK_FAILS);
		sim_hit(s, POINT_IDLE_FAILED);
	} else if (err == MUSTER_E_FULL) {
		sim_hit(s, POINT_IDLE_FULL);
		resolve_idle(s, number);
		return err;
	}
	return MUSTER_E_IO;
}

/* Its process is gone, and its disk with the power, or not. */
static void
lose(struct sim *s, uint32_t number, bool is_power)
{
	struct kms *k = &s->host[number];
	uint64_t before = vdisk_lost(k->disk);

	if (vdisk_power(k->disk, is_power) != 0)
		sim_fail(s, "sim", "kms-%u: its disk cannot be written",
		    number);
	if (vdisk_lost(k->disk) > before)
		sim_hit(s, POINT_WRITES_LOST);
	if (is_power && k->is_lying) {
		/* nobody can promise more than the disk does */
		if (vdisk_lost(k->disk) > before)
			sim_hit(s, POINT_LIE_LOST);
		*k->model = *s->memory.lied[number];
		k->doubt.n = 0;
		k->is_idle_in_doubt = false;
		k->is_lying = false;
	}
}

void
kmsdisk_stop(struct sim *s, uint32_t number)
{
	struct kms *k = &s->host[number];
	enum {
		CLEANLY,
		KILLED,
		NO_POWER,
		BROKEN_OFF
	} how = rng_below(&s->rng, 4);
	enum ill ill = WELL;

	if (k->store == NULL)
		return;
	if (vdisk_has_failed(k->disk) && how != KILLED)
		how = NO_POWER; /* a disk that is gone is mostly gone so */
	if (s->is_healed && how == BROKEN_OFF)
		how = CLEANLY;
	if (how == BROKEN_OFF)
		fail(s, k);
	else if (how != CLEANLY)
		vdisk_fail_after(k->disk, 0); /* not one byte more */
	else
		ill = fall_ill(s, k); /* and it closes nothing of the log */
	store_close(k->store);
	k->store = NULL;
	get_well(s, k, ill, false);
	if (ill == FULL)
		sim_hit(s, POINT_CLOSE_FULL);
	if (how == BROKEN_OFF && vdisk_has_failed(k->disk)) {
		sim_hit(s, POINT_DISK_FAILS);
		sim_hit(s, POINT_CLOSE_FAILED);
		how = NO_POWER;
	}
	lose(s, number, how == NO_POWER);
}

bool
kmsdisk_is_quiet(const struct kms *k)
{
	return k->disk != NULL && k->store != NULL && !k->is_flying;
}

void
kmsdisk_lie(struct sim *s, uint32_t number)
{
	struct kms *k = &s->host[number];

	k->is_lying = !k->is_lying;
	if (vdisk_lie(k->disk, k->is_lying) != 0)
		sim_fail(s, "sim", "kms-%u: no memory for its disk", number);
	*s->memory.lied[number] = *k->model;
	sim_tell(s, "kms-%u: its disk %s", number,
	    k->is_lying ? "lies" : "lies no longer");
}

void
kmsdisk_save(struct sim *s, uint32_t number)
{
	struct kms *k = &s->host[number];

	k->has_saved = true;
	*s->memory.saved[number] = *k->model;
	if (vdisk_save(k->disk) != 0)
		sim_fail(s, "sim", "kms-%u: its disk cannot be saved", number);
	sim_tell(s, "kms-%u: its database is saved", number);
}

void
kmsdisk_put_back(struct sim *s, uint32_t number)
{
	struct kms *k = &s->host[number];

	sim_tell(s, "kms-%u: its old database is put back", number);
	if (vdisk_restore(k->disk) != 0)
		sim_fail(s, "sim", "kms-%u: its disk cannot be written",
		    number);
	*k->model = *s->memory.saved[number];
	k->doubt.n = 0;
	k->is_idle_in_doubt = false;
	k->is_lying = false;
}

/* With the batch of which nobody knew, or without it. */
static void
resolve(struct sim *s, uint32_t number)
{
	struct kms *k = &s->host[number];
	struct model *with = s->memory.spare;

	if (k->doubt.n == 0)
		return;
	*with = *k->model;
	for (uint32_t i = 0; i < k->doubt.n; i++) {
		const struct ticket *t = &k->doubt.ticket[i];

		(void)model_accept(with, t->group, &t->request,
		    t->issued_unix_s, k->doubt_unix_s, t->threshold);
		/* its leaf is there, if any of it was written */
		(void)model_reply(with, &t->request, k->doubt.item[i].leaf);
	}
	k->doubt.n = 0;
	if (check_is_model(s, number, with)) {
		sim_hit(s, POINT_DOUBT_KEPT);
		*k->model = *with;
	} else {
		sim_hit(s, POINT_DOUBT_LOST);
	}
}

/* Its database, with its catalogue; what the open itself does may fail. */
static int
open_whole(struct sim *s, uint32_t number)
{
	struct kms *k = &s->host[number];
	enum ill ill = WELL;
	bool is_gone;
	int err;

	if (breaks_off(s))
		vdisk_fail_after(k->disk,
		    (int32_t)rng_below(&s->rng, OPEN_OPS_MAX));
	else
		ill = fall_ill(s, k);
	err = open_store(s, number, STORE_MAKE_NEVER);
	if (err == 0)
		err = kms_take_catalogue(s, number, k->catalogue);
	get_well(s, k, ill, err != 0);
	if (!vdisk_has_failed(k->disk) && (ill == WELL || err == 0)) {
		vdisk_fail_after(k->disk, -1);
		return err;
	}
	is_gone = vdisk_has_failed(k->disk);
	if (is_gone)
		sim_hit(s, POINT_DISK_FAILS);
	sim_hit(s, POINT_OPEN_FAILED);
	vdisk_fail_after(k->disk, 0);
	store_close(k->store);
	k->store = NULL;
	lose(s, number, is_gone);
	return MUSTER_E_AGAIN;
}

void
kmsdisk_start(struct sim *s, uint32_t number)
{
	struct kms *k = &s->host[number];
	int err;

	if (k->store != NULL)
		return;
	do {
		err = open_whole(s, number);
	} while (err == MUSTER_E_AGAIN);
	if (err != 0) {
		sim_fail(s, "b4", "kms-%u: its database does not open: %s",
		    number, muster_errname(err));
		return;
	}
	resolve_idle(s, number);
	resolve(s, number);
	k->is_fresh = true;
}
