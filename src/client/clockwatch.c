/* SPDX-License-Identifier: MIT */
#include "client/clockwatch.h"

#include <string.h>

#include "client/statefile.h"

static void
doubt(struct clockwatch *w)
{
	w->is_doubtful = true;
	w->run_s = 0;
}

/* The same start of the machine: the boot-time clock tells what passed. */
static void
see_running(struct clockwatch *w, const struct clockwatch_now *now)
{
	int64_t passed_s = now->boot_s - w->last.boot_s;
	int64_t step_s = now->wall_unix_s - w->last.wall_unix_s - passed_s;

	if (step_s > CLOCKWATCH_STEP_S || step_s < -CLOCKWATCH_STEP_S)
		doubt(w);
	else if (w->is_doubtful)
		w->run_s += passed_s;
}

/* Another start: how long the machine was off is unknown. */
static void
see_restarted(struct clockwatch *w, const struct clockwatch_now *now)
{
	int64_t gone_s = now->wall_unix_s - w->last.wall_unix_s;

	if (gone_s < -CLOCKWATCH_STEP_S || gone_s > CLOCKWATCH_PAUSE_S ||
	    (gone_s > CLOCKWATCH_STEP_S && !w->is_doubtful))
		doubt(w);
	else if (w->is_doubtful)
		w->run_s += now->boot_s;
}

bool
clockwatch_see(struct clockwatch *w, const struct clockwatch_now *now)
{
	bool is_same =
	    memcmp(w->last.boot, now->boot, CLOCKWATCH_BOOT_LEN) == 0;

	if (!w->has_seen)
		doubt(w);
	else if (is_same && now->boot_s >= w->last.boot_s)
		see_running(w, now);
	else
		see_restarted(w, now);
	if (w->run_s >= CLOCKWATCH_RUN_S)
		w->is_doubtful = false;
	if (!w->is_doubtful)
		w->run_s = 0;
	w->has_seen = true;
	w->last = *now;
	return !w->is_doubtful;
}

void
clockwatch_signed(struct clockwatch *w, const struct clockwatch_now *now)
{
	w->has_seen = true;
	w->is_doubtful = false;
	w->run_s = 0;
	w->last = *now;
}

int
clockwatch_encode(const struct clockwatch *w, uint8_t *buf)
{
	struct wr wr = statefile_begin(buf, CLOCKWATCH_FILE_LEN,
	    CLOCKWATCH_MAGIC, STATEFILE_VERSION);
	size_t len;

	if (!w->has_seen)
		return MUSTER_E_INVAL;
	wr_u32(&wr, w->is_doubtful ? 1 : 0);
	wr_i64(&wr, w->run_s);
	wr_bytes(&wr, w->last.boot, sizeof(w->last.boot));
	wr_i64(&wr, w->last.wall_unix_s);
	wr_i64(&wr, w->last.boot_s);
	return statefile_finish(&wr, &len);
}

int
clockwatch_decode(const uint8_t *p, size_t len, struct clockwatch *w_out)
{
	struct clockwatch w = {.has_seen = true};
	uint32_t doubtful;
	struct rd r;
	int err;

	err = statefile_open(p, len, CLOCKWATCH_MAGIC, STATEFILE_VERSION, &r,
	    NULL);
	if (err != 0)
		return err;
	doubtful = rd_u32(&r);
	w.is_doubtful = doubtful == 1;
	w.run_s = rd_i64(&r);
	rd_fixed(&r, w.last.boot, sizeof(w.last.boot));
	w.last.wall_unix_s = rd_i64(&r);
	w.last.boot_s = rd_i64(&r);
	err = rd_end(&r);
	if (err == 0 &&
	    (doubtful > 1 || w.run_s < 0 || w.run_s >= CLOCKWATCH_RUN_S ||
	        (w.run_s > 0 && !w.is_doubtful) || w.last.boot_s < 0))
		err = MUSTER_E_RANGE;
	if (err == 0)
		*w_out = w;
	return err;
}
