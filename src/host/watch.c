/* SPDX-License-Identifier: MIT */
#include "host/watch.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/file.h"
#include "base/hex.h"
#include "base/log.h"
#include "host/history_file.h"

uint64_t
watch_refused(const struct turnloop_stats *stats)
{
	uint64_t n = 0;

	for (int i = 0; i < TURNLOOP_STATUSES; i++)
		n += i == WIRE_OK ? 0 : stats->by_status[i];
	return n;
}

static void
tell_kept(struct watch *watch, int err)
{
	if (err != watch->kept_err && err != 0)
		log_event(LOG_WARN, "history",
		    LOG_FIELDS(LOG_TEXT(FILE, watch->history_path),
		        LOG_CODE(err)),
		    "%s is not written: %s; after a restart the curves of the "
		    "status page end earlier",
		    watch->history_path, muster_strerror(err));
	watch->kept_err = err;
}

static bool
encode(struct watch *watch)
{
	const size_t cap = HISTORY_LEN(watch->history.n_groups);

	if (watch->history_path[0] == '\0')
		return false;
	watch->kept = malloc(cap);
	if (watch->kept != NULL)
		watch->kept_len =
		    history_encode(&watch->history, watch->kept, cap);
	return watch->kept != NULL;
}

/* At the end, when nobody is served any more. */
static void
keep_now(struct watch *watch)
{
	if (!encode(watch))
		return;
	tell_kept(watch,
	    file_replace(watch->history_path, watch->kept, watch->kept_len,
	        0600));
	free(watch->kept);
	watch->kept = NULL;
}

/* What the last run has left; one that cannot be read is as none. */
static void
load(struct watch *watch)
{
	uint8_t *buf = malloc(HISTORY_FILE_MAX);
	size_t len = 0;
	int n = snprintf(watch->history_path, sizeof(watch->history_path),
	    "%s/history", watch->state->folder);
	int err = buf == NULL ? MUSTER_E_NOMEM : 0;

	if (n < 0 || (size_t)n >= sizeof(watch->history_path)) {
		watch->history_path[0] = '\0';
		err = MUSTER_E_TOOBIG;
	}
	if (err == 0)
		err = file_read_own(watch->history_path, buf, HISTORY_FILE_MAX,
		    &len);
	if (err == 0)
		err = history_decode(buf, len, &watch->history);
	free(buf);
	watch->noted_unix_s = watch->history.rings[HISTORY_MINUTE].newest *
	    history_step_s(HISTORY_MINUTE);
	watch->kept_hour = watch->history.rings[HISTORY_HOUR].newest;
	if (err != 0 && err != MUSTER_E_NOENT)
		log_event(LOG_WARN, "history",
		    LOG_FIELDS(LOG_TEXT(FILE, watch->history_path),
		        LOG_CODE(err)),
		    "%s cannot be read: %s; the curves of the status page "
		    "begin anew",
		    watch->history_path, muster_strerror(err));
}

static void
note(struct watch *watch)
{
	const struct turnloop_stats *stats = turnloop_stats(watch->turnloop);
	const struct history_totals totals = {.activated = stats->activated,
	    .below_threshold = stats->below_threshold,
	    .refused = watch_refused(stats)};
	const struct store_group *groups;
	size_t n;

	if (clock_unix_s() < watch->noted_unix_s &&
	    uv_now(watch->timer.loop) - watch->begun_ms < WATCH_CLOCK_MS)
		return;
	watch->noted_unix_s = 0;
	turnloop_last_groups(watch->turnloop, &groups, &n);
	history_note(&watch->history, clock_unix_s(), &totals, groups, n);
}

static void
on_keep(uv_work_t *work)
{
	struct watch *watch = work->data;

	watch->keep_err = file_replace(watch->history_path, watch->kept,
	    watch->kept_len, 0600);
}

static void
on_kept(uv_work_t *work, int status)
{
	struct watch *watch = work->data;

	(void)status; /* nothing cancels it */
	tell_kept(watch, watch->keep_err);
	free(watch->kept);
	watch->kept = NULL;
	if (watch->is_stopped)
		keep_now(watch);
}

/* Beside the service, once an hour: a crash takes no more away. */
static void
keep(struct watch *watch, uv_loop_t *loop)
{
	const int64_t hour = watch->history.rings[HISTORY_HOUR].newest;

	if (watch->is_stopped || watch->kept != NULL ||
	    hour == watch->kept_hour)
		return;
	watch->kept_hour = hour;
	if (!encode(watch))
		return;
	watch->keeping.data = watch;
	if (uv_queue_work(loop, &watch->keeping, on_keep, on_kept) != 0) {
		free(watch->kept);
		watch->kept = NULL;
	}
}

static void
on_work(uv_work_t *work)
{
	struct watch *watch = work->data;
	int err = 0;

	if (watch->scan == NULL)
		err = store_scan_open(watch->store, &watch->scan);
	if (err == 0)
		err = store_scan_next(watch->scan, WATCH_PIECE, summary_count,
		    &watch->made, &watch->is_made);
	watch->made_err = err;
}

/* Made, failed, or no longer wanted. */
static void
end_making(struct watch *watch, bool is_good)
{
	store_scan_close(watch->scan);
	watch->scan = NULL;
	watch->is_making = false;
	if (is_good) {
		watch->made.batches = watch->made_batches;
		summary_clear(&watch->summary);
		free(watch->products);
		watch->summary = watch->made;
		watch->products = watch->made_products;
	} else {
		summary_clear(&watch->made);
		free(watch->made_products);
	}
	watch->made = (struct summary){.as_of_unix_s = 0};
	watch->made_products = NULL;
}

/* How a reading ended; told when that changes. */
static void
note_outcome(struct watch *watch, int err)
{
	bool is_news = err != watch->last_err;

	watch->last_err = err;
	if (!is_news)
		return;
	if (err == 0)
		log_line(LOG_NOTE, "inventory", "it can be read again");
	else
		log_event(LOG_WARN, "inventory", LOG_FIELDS(LOG_CODE(err)),
		    "it cannot be read, and the figures of the status page are "
		    "old: %s; see to the store, machines are served meanwhile",
		    muster_strerror(err));
}

static void work_on(struct watch *watch, uv_loop_t *loop);

static void
on_rest(uv_timer_t *timer)
{
	work_on(timer->data, timer->loop);
}

static void
on_work_done(uv_work_t *work, int status)
{
	struct watch *watch = work->data;
	bool is_first = watch->ended_ms == 0;

	(void)status; /* nothing cancels it */
	watch->is_working = false;
	if (watch->is_stopped || watch->made_err != 0 || watch->is_made) {
		watch->ended_ms = uv_now(work->loop);
		watch->next_ms = watch->ended_ms + WATCH_REST_MS;
		if (!watch->is_stopped)
			note_outcome(watch, watch->made_err);
		end_making(watch, watch->made_err == 0 && watch->is_made);
		return;
	}
	(void)uv_timer_start(&watch->rest, on_rest,
	    is_first ? 0 : WATCH_PIECE_MS, 0);
}

static void
work_on(struct watch *watch, uv_loop_t *loop)
{
	watch->is_working =
	    uv_queue_work(loop, &watch->work, on_work, on_work_done) == 0;
	if (!watch->is_working) {
		note_outcome(watch, MUSTER_E_NOMEM);
		end_making(watch, false);
	}
}

static bool
is_due(const struct watch *watch, uint64_t now_ms)
{
	uint64_t batches = turnloop_stats(watch->turnloop)->batches;

	if (watch->is_making || now_ms < watch->next_ms)
		return false;
	if (watch->ended_ms == 0)
		return true;
	return watch->asked_ms + WATCH_ASKED_MS > now_ms &&
	    (batches != watch->made_batches ||
	        watch->ended_ms + WATCH_OLD_MS <= now_ms);
}

static void
make(struct watch *watch, uv_loop_t *loop)
{
	if (watch->is_stopped || !is_due(watch, uv_now(loop)))
		return;
	watch->made_products = products_new(watch->state);
	if (watch->made_products == NULL) {
		note_outcome(watch, MUSTER_E_NOMEM);
		return;
	}
	if (summary_begin(watch->made_products, clock_unix_s(), &watch->made) !=
	    0) {
		free(watch->made_products);
		watch->made_products = NULL;
		note_outcome(watch, MUSTER_E_NOMEM);
		return;
	}
	watch->made_batches = turnloop_stats(watch->turnloop)->batches;
	watch->is_making = true;
	watch->is_made = false;
	work_on(watch, loop);
}

static void
on_timer(uv_timer_t *timer)
{
	struct watch *watch = timer->data;

	note(watch);
	keep(watch, timer->loop);
	make(watch, timer->loop);
}

void
watch_start(struct watch *watch, uv_loop_t *loop, struct state *state,
    struct turnloop *turnloop, const struct store *store)
{
	watch->state = state;
	watch->turnloop = turnloop;
	watch->store = store;
	watch->work.data = watch;
	watch->begun_ms = uv_now(loop);
	load(watch);
	(void)uv_timer_init(loop, &watch->timer);
	watch->timer.data = watch;
	(void)uv_timer_init(loop, &watch->rest);
	watch->rest.data = watch;
	(void)uv_timer_start(&watch->timer, on_timer, 0, WATCH_TICK_MS);
}

void
watch_asked(struct watch *watch)
{
	watch->asked_ms = uv_now(watch->timer.loop);
	make(watch, watch->timer.loop);
}

void
watch_stop(struct watch *watch)
{
	watch->is_stopped = true;
	uv_close((uv_handle_t *)&watch->timer, NULL);
	uv_close((uv_handle_t *)&watch->rest, NULL);
	if (watch->kept == NULL)
		keep_now(watch); /* else when that is written */
	/* else the work does when it is back */
	if (watch->is_making && !watch->is_working)
		end_making(watch, false);
}

void
watch_free(struct watch *watch)
{
	summary_clear(&watch->summary);
	free(watch->products);
}

static json_t *
series(const struct history_ring *ring, size_t which)
{
	json_t *list = json_array();

	for (uint32_t i = 0; i < ring->n; i++) {
		const struct history_point *p =
		    &ring->points[history_place(ring, i)];
		const uint32_t all[] = {p->activated, p->below_threshold,
		    p->refused};

		(void)json_array_append_new(list,
		    p->is_known ? json_integer(all[which]) : json_null());
	}
	return list;
}

static const char *
group_name(const struct state *state, const struct store_group *group)
{
	for (uint32_t i = 0; i < state->n; i++) {
		const struct catalogue *cat = state->publishers[i].catalogue;

		if (memcmp(cat->head.publisher, group->publisher,
		        PUBLISHER_LEN) != 0)
			continue;
		for (uint32_t g = 0; g < cat->n_groups; g++) {
			if (cat->groups[g].number == group->group)
				return cat->groups[g].name;
		}
	}
	return "";
}

static json_t *
group_series(const struct watch *watch, const struct history_ring *ring,
    uint32_t g)
{
	const struct store_group *group = &watch->history.groups[g];
	json_t *list = json_array();
	char id[2 * PUBLISHER_LEN + 1];

	for (uint32_t i = 0; i < ring->n; i++) {
		uint32_t v = ring->counts[g][history_place(ring, i)];

		(void)json_array_append_new(list,
		    v == HISTORY_UNKNOWN ? json_null() : json_integer(v));
	}
	hex_encode(group->publisher, PUBLISHER_LEN, id);
	return json_pack("{s:s, s:I, s:s, s:o}", "publisher", id, "group",
	    (json_int_t)group->group, "name", group_name(watch->state, group),
	    "count", list);
}

json_t *
watch_history_json(const struct watch *watch, enum history_step step)
{
	static const char *const names[] = {"minute", "hour"};
	const struct history_ring *ring = &watch->history.rings[step];
	int64_t step_s = history_step_s(step);
	json_t *groups = json_array();

	for (uint32_t g = 0; g < watch->history.n_groups; g++)
		(void)json_array_append_new(groups,
		    group_series(watch, ring, g));
	return json_pack("{s:s, s:s, s:I, s:I, s:I, s:I, s:o, s:o, s:o, s:o}",
	    "schema", "muster.host-history/1", "resolution", names[step],
	    "step_s", (json_int_t)step_s, "now_unix_s",
	    (json_int_t)clock_unix_s(), "first_unix_s",
	    (json_int_t)((ring->newest + 1 - (int64_t)ring->n) * step_s), "n",
	    (json_int_t)ring->n, "activated", series(ring, 0),
	    "below_threshold", series(ring, 1), "refused", series(ring, 2),
	    "groups", groups);
}
