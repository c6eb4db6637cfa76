/* SPDX-License-Identifier: MIT */
#include "sim/kmsdisk.h"

#include <string.h>

#include "sim/check.h"
#include "sim/kms.h"
#include "sim/vdisk.h"

#define OPS_MAX 14 /* of a batch: some pages of the log, and its sync */

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

int
kmsdisk_batch(struct sim *s, uint32_t number, int64_t now_unix_s)
{
	struct kms *k = &s->host[number];
	bool is_full = sim_faulty(s, POINT_DISK_FULL);
	int err;

	if (is_full)
		vdisk_fill(k->disk, true);
	else if (sim_faulty(s, POINT_DISK_FAILS))
		vdisk_fail_after(k->disk, (int32_t)rng_below(&s->rng, OPS_MAX));
	err = store_batch(k->store, k->flying.item, k->flying.n, now_unix_s);
	vdisk_fill(k->disk, false);
	if (err == 0 && is_full)
		sim_fail(s, "b4", "kms-%u: committed to a full disk", number);
	if (err == 0 && vdisk_has_failed(k->disk))
		sim_fail(s, "b4", "kms-%u: committed to a disk that is gone",
		    number);
	if (err != 0 && err != MUSTER_E_FULL && !vdisk_has_failed(k->disk))
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

void
kmsdisk_stop(struct sim *s, uint32_t number)
{
	struct kms *k = &s->host[number];
	uint32_t how = rng_below(&s->rng, 3);
	uint64_t before = vdisk_lost(k->disk);

	if (k->store == NULL)
		return;
	if (vdisk_has_failed(k->disk) && how == 0)
		how = 2; /* a disk that is gone is mostly gone with the power */
	if (how != 0)
		vdisk_fail_after(k->disk, 0); /* not one byte more */
	store_close(k->store);
	k->store = NULL;
	if (vdisk_power(k->disk, how == 2) != 0)
		sim_fail(s, "sim", "kms-%u: its disk cannot be written",
		    number);
	if (vdisk_lost(k->disk) > before)
		sim_hit(s, POINT_WRITES_LOST);
	if (how == 2 && k->is_lying) {
		/* nobody can promise more than the disk does */
		if (vdisk_lost(k->disk) > before)
			sim_hit(s, POINT_LIE_LOST);
		*k->model = *s->memory.lied[number];
		k->doubt.n = 0;
		k->is_lying = false;
	}
}

void
kmsdisk_lie(struct sim *s, uint32_t number)
{
	struct kms *k = &s->host[number];

	if (k->disk == NULL || k->store == NULL || k->is_flying)
		return;
	sim_hit(s, POINT_LIE);
	k->is_lying = !k->is_lying;
	if (vdisk_lie(k->disk, k->is_lying) != 0)
		sim_fail(s, "sim", "kms-%u: no memory for its disk", number);
	*s->memory.lied[number] = *k->model;
	sim_tell(s, "kms-%u: its disk %s", number,
	    k->is_lying ? "lies" : "lies no longer");
}

bool
kmsdisk_backup(struct sim *s, uint32_t number)
{
	struct kms *k = &s->host[number];

	if (k->disk == NULL || k->store == NULL || k->is_flying)
		return false;
	sim_hit(s, POINT_BACKUP);
	if (k->has_saved && rng_below(&s->rng, 2) == 0)
		return true;
	k->has_saved = true;
	*s->memory.saved[number] = *k->model;
	if (vdisk_save(k->disk) != 0)
		sim_fail(s, "sim", "kms-%u: its disk cannot be saved", number);
	sim_tell(s, "kms-%u: its database is saved", number);
	return false;
}

void
kmsdisk_put_back(struct sim *s, uint32_t number)
{
	struct kms *k = &s->host[number];

	sim_hit(s, POINT_RESTORED);
	sim_tell(s, "kms-%u: its old database is put back", number);
	if (vdisk_restore(k->disk) != 0)
		sim_fail(s, "sim", "kms-%u: its disk cannot be written",
		    number);
	*k->model = *s->memory.saved[number];
	k->doubt.n = 0;
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

		(void)model_accept(with, k->doubt.item[i].group, &t->request,
		    k->doubt.item[i].grant.issued_unix_s, k->doubt_unix_s,
		    t->threshold);
	}
	k->doubt.n = 0;
	if (check_is_model(s, number, with)) {
		sim_hit(s, POINT_DOUBT_KEPT);
		*k->model = *with;
	} else {
		sim_hit(s, POINT_DOUBT_LOST);
	}
}

void
kmsdisk_start(struct sim *s, uint32_t number)
{
	struct kms *k = &s->host[number];
	int err;

	if (k->store != NULL)
		return;
	err = open_store(s, number, STORE_MAKE_NEVER);
	if (err == 0)
		err = kms_take_catalogue(s, number, k->catalogue);
	if (err != 0) {
		sim_fail(s, "b4", "kms-%u: its database does not open: %s",
		    number, muster_errname(err));
		return;
	}
	resolve(s, number);
	k->is_fresh = true;
}
