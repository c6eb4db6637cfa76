/* SPDX-License-Identifier: MIT */
#include "sim/disk.h"

#include <sodium.h>
#include <string.h>

/* ---- writing ---- */

/* Does this write fail? One that is unsure has taken its place. */
static int
fail(struct sick *sick)
{
	if (sick->err == 0)
		return 0;
	if (sick->writes > 0) {
		sick->writes--;
		return 0;
	}
	sick->has_failed = true;
	return sick->err;
}

/* The power may go after any of them, or one may fail; what is not written
 * stays as it was. */
static int
write_file(struct pc *pc, struct file *f, const uint8_t *p, size_t len)
{
	int err;

	if (pc->writes_left == 0) {
		pc->is_cut = true;
		return DISK_NO_POWER;
	}
	if (pc->writes_left > 0)
		pc->writes_left--;
	err = fail(&pc->sick);
	if (err != 0 && err != MUSTER_E_UNSURE)
		return err;
	memcpy(f->bytes, p, len);
	f->len = (uint32_t)len;
	return err;
}

/* It lies in its place. */
static bool
is_there(int err)
{
	return err == 0 || err == MUSTER_E_UNSURE;
}

static bool
is_foreign(const struct machine *owner, const struct machine *id)
{
	return memcmp(owner->id, id->id, WIRE_ID_LEN) != 0 ||
	    (!sodium_is_zero(owner->instance, WIRE_ID_LEN) &&
	        !sodium_is_zero(id->instance, WIRE_ID_LEN) &&
	        memcmp(owner->instance, id->instance, WIRE_ID_LEN) != 0);
}

/* An instance that goes is still the last one known. */
static void
own(struct machine *owner, bool is_new, const struct machine *id)
{
	if (is_new || is_foreign(owner, id) ||
	    !sodium_is_zero(id->instance, WIRE_ID_LEN))
		memcpy(owner->instance, id->instance, WIRE_ID_LEN);
	memcpy(owner->id, id->id, WIRE_ID_LEN);
}

static int
write_publisher(struct pc *pc)
{
	struct disk *d = pc->disk;
	bool is_new = d->publisher.len == 0;
	uint8_t buf[STATE_FILE_MAX];
	size_t len = 0;
	int err;

	err = state_publisher_encode(&pc->publisher, buf, sizeof(buf), &len);
	if (err == 0)
		err = write_file(pc, &d->publisher, buf, len);
	if (!is_there(err))
		return err;
	d->was_publisher = pc->publisher;
	d->floor_unix_s = pc->floor_unix_s;
	d->ceiling_unix_s = pc->ceiling_unix_s;
	own(&d->owner, is_new, &pc->id);
	return err;
}

static int
write_product(struct pc *pc, uint32_t p)
{
	const struct state_product *state = &pc->product[p].life.state;
	struct disk *d = pc->disk;
	uint8_t buf[STATE_FILE_MAX];
	size_t len = 0;
	bool is_new = d->product[p].len == 0;
	int err = state_product_encode(state, buf, sizeof(buf), &len);

	if (err == 0)
		err = write_file(pc, &d->product[p], buf, len);
	if (!is_there(err))
		return err;
	d->was_product[p] = *state;
	d->is_image[p] = false;
	own(&d->product_owner[p], is_new, &pc->id);
	return err;
}

static int
write_view(struct pc *pc, uint32_t p)
{
	const struct state_product *state = &pc->product[p].life.state;
	struct state_view view = {.first_seen_unix_s = state->first_seen_unix_s,
	    .grace_unix_s = state->grace_unix_s,
	    .high_water_unix_s = pc->publisher.high_water_unix_s};
	uint8_t buf[STATE_VIEW_LEN];
	int err;

	memcpy(view.publisher, pc->publisher.publisher, PUBLISHER_LEN);
	memcpy(view.product, state->product, PRODUCT_LEN);
	err = state_view_encode(&view, buf);
	return err == 0 ? write_file(pc, &pc->disk->view[p], buf, sizeof(buf))
	                : err;
}

static int
write_clock(struct pc *pc)
{
	uint8_t buf[CLOCKWATCH_FILE_LEN];
	int err = clockwatch_encode(&pc->watch, buf);

	if (err == 0)
		err = write_file(pc, &pc->disk->clock, buf, sizeof(buf));
	if (is_there(err))
		pc->disk->was_clock = pc->watch;
	return err;
}

static int
write_lease(struct pc *pc, uint32_t p)
{
	uint8_t buf[LEASE_FILE_MAX];
	size_t len = 0;
	int err;

	err = lease_encode(&pc->product[p].life.lease, buf, sizeof(buf), &len);
	if (err == 0)
		err = write_file(pc, &pc->disk->lease[p], buf, len);
	if (!is_there(err))
		return err;
	pc->disk->has_lease[p] = true;
	pc->disk->lease_rearms[p] = pc->product[p].life.state.rearms;
	return err;
}

int
disk_write_states(struct pc *pc, uint32_t p)
{
	int err = write_publisher(pc);

	if (err == 0)
		err = write_product(pc, p);
	return err == 0 ? write_view(pc, p) : err;
}

int
disk_write_lease(struct pc *pc, uint32_t p)
{
	struct pc_product *pp = &pc->product[p];
	int err;

	pp->is_lease_unsure = pp->is_lease_unsure && pp->life.has_lease;
	if (!pp->todo.keep_lease && !pp->is_lease_unsure)
		return 0;
	err = write_lease(pc, p);
	pp->is_lease_unsure = err == MUSTER_E_UNSURE;
	return err;
}

int
disk_write(struct pc *pc, uint32_t p)
{
	struct pc_product *pp = &pc->product[p];
	int err;

	if (!pp->todo.save && !pp->is_unsaved)
		return 0;
	err = disk_write_states(pc, p);
	if (err == 0)
		err = write_clock(pc);
	pp->is_unsaved = err != 0;
	return err;
}

bool
disk_is_sick(int err)
{
	return err == DISK_NO_POWER || err == MUSTER_E_FULL ||
	    err == MUSTER_E_IO || err == MUSTER_E_UNSURE;
}

bool
disk_holds(const struct pc *pc, uint32_t p)
{
	const struct file *f = &pc->disk->lease[p];
	uint8_t buf[LEASE_FILE_MAX];
	size_t len = 0;

	return lease_encode(&pc->product[p].life.lease, buf, sizeof(buf),
	           &len) == 0 &&
	    f->len == len && memcmp(f->bytes, buf, len) == 0;
}

int
disk_write_known(struct pc *pc)
{
	struct disk *d = pc->disk;
	uint8_t buf[STATE_FILE_MAX];
	size_t len = 0;
	int err = state_known_encode(pc->publisher.publisher, &pc->known, buf,
	    sizeof(buf), &len);

	if (err == 0)
		err = write_file(pc, &d->known, buf, len);
	if (is_there(err))
		d->was_known = pc->known;
	return err;
}

int
disk_drop_lease(struct pc *pc, uint32_t p)
{
	return write_file(pc, &pc->disk->lease[p], pc->id.id, 0);
}

/* ---- reading ---- */

/* Field by field, for what lies between them is nobody's. */
static bool
is_same_publisher(const struct state_publisher *a,
    const struct state_publisher *b)
{
	return memcmp(a->publisher, b->publisher, PUBLISHER_LEN) == 0 &&
	    memcmp(a->cmid, b->cmid, WIRE_ID_LEN) == 0 &&
	    memcmp(a->machine, b->machine, WIRE_ID_LEN) == 0 &&
	    memcmp(a->instance, b->instance, WIRE_ID_LEN) == 0 &&
	    a->high_water_unix_s == b->high_water_unix_s &&
	    a->serial == b->serial;
}

static bool
is_same_product(const struct state_product *a, const struct state_product *b)
{
	return memcmp(a->product, b->product, PRODUCT_LEN) == 0 &&
	    memcmp(a->machine, b->machine, WIRE_ID_LEN) == 0 &&
	    memcmp(a->instance, b->instance, WIRE_ID_LEN) == 0 &&
	    memcmp(a->dropped, b->dropped, WIRE_ID_LEN) == 0 &&
	    a->is_image == b->is_image && a->count == b->count &&
	    a->renewal_min == b->renewal_min && a->retry_min == b->retry_min &&
	    a->rearms == b->rearms &&
	    memcmp(a->previous, b->previous, WIRE_TAG_LEN) == 0 &&
	    a->first_seen_unix_s == b->first_seen_unix_s &&
	    a->grace_unix_s == b->grace_unix_s &&
	    a->answered_unix_s == b->answered_unix_s &&
	    a->asked_unix_s == b->asked_unix_s &&
	    a->due_unix_s == b->due_unix_s && strcmp(a->host, b->host) == 0 &&
	    a->has_certificate == b->has_certificate &&
	    memcmp(a->certificate, b->certificate, CERT_LEN) == 0;
}

static bool
is_same_clock(const struct clockwatch *a, const struct clockwatch *b)
{
	return a->is_doubtful == b->is_doubtful && a->run_s == b->run_s &&
	    memcmp(a->last.boot, b->last.boot, CLOCKWATCH_BOOT_LEN) == 0 &&
	    a->last.wall_unix_s == b->last.wall_unix_s &&
	    a->last.boot_s == b->last.boot_s;
}

static int
read_known(struct pc *pc)
{
	const struct disk *d = pc->disk;
	const struct walk_known *a = &pc->known, *b = &d->was_known;
	int err = state_known_decode(d->known.bytes, d->known.len,
	    d->was_publisher.publisher, &pc->known);

	if (err == 0 &&
	    (strcmp(a->host, b->host) != 0 ||
	        strcmp(a->domain, b->domain) != 0 ||
	        a->priority != b->priority))
		err = MUSTER_E_MISMATCH;
	return err;
}

int
disk_read(struct pc *pc)
{
	const struct disk *d = pc->disk;
	const struct file *f = &d->publisher, *clock = &d->clock;
	int err = 0;

	if (f->len != 0)
		err = state_publisher_decode(f->bytes, f->len, &pc->publisher);
	if (err == 0 && f->len != 0 &&
	    !is_same_publisher(&pc->publisher, &d->was_publisher))
		err = MUSTER_E_MISMATCH;
	if (err == 0 && clock->len != 0)
		err = clockwatch_decode(clock->bytes, clock->len, &pc->watch);
	if (err == 0 && clock->len != 0 &&
	    !is_same_clock(&pc->watch, &d->was_clock))
		err = MUSTER_E_MISMATCH;
	if (err == 0 && d->known.len != 0)
		err = read_known(pc);
	return err;
}

int
disk_read_product(struct pc *pc, uint32_t p)
{
	struct disk *d = pc->disk;
	const struct file *f = &d->product[p];
	struct file *lease = &d->lease[p];
	struct life *l = &pc->product[p].life;
	int err = 0;

	if (f->len != 0)
		err = state_product_decode(f->bytes, f->len, &l->state);
	if (err == 0 && f->len != 0 &&
	    !is_same_product(&l->state, &d->was_product[p]))
		err = MUSTER_E_MISMATCH;
	/* what a lease lost, its judgement would find */
	if (err == 0 && lease->len != 0)
		err = lease_decode(lease->bytes, lease->len, &l->lease);
	l->has_lease = err == 0 && lease->len != 0 &&
	    !life_is_dropped(&l->state, &l->lease);
	if (!l->has_lease)
		lease->len = 0;
	return err;
}

bool
disk_is_foreign(const struct pc *pc)
{
	return pc->disk->publisher.len != 0 &&
	    is_foreign(&pc->disk->owner, &pc->id);
}

bool
disk_is_image(const struct pc *pc, uint32_t p)
{
	const struct disk *d = pc->disk;

	return d->product[p].len != 0 && d->is_image[p] &&
	    is_foreign(&d->product_owner[p], &pc->id);
}
