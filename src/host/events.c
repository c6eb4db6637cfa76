/* SPDX-License-Identifier: MIT */
#include "host/events.h"

#include <pthread.h>
#include <stdio.h>
#include <string.h>

#include "base/clock.h"
#include "base/log.h"
#include "base/logform.h"

#define FIELDS_MAX_LEN 511 /* a path and some numbers; whole fields only */

struct event {
	int64_t unix_s;
	enum log_level level;
	char name[LOGFORM_EVENT_MAX + 1];
	char text[LOG_TEXT_MAX + 1];     /* its next step is at its end */
	char fields[FIELDS_MAX_LEN + 1]; /* an object of JSON */
};

/* A warning or an error that stays when newer lines take its place. */
struct kept {
	uint64_t id;
	struct event event;
};

/* The log is the process's, and so is its memory. */
static struct {
	pthread_mutex_t mutex;
	uint64_t last; /* id of the newest; it stands at last % EVENTS_MAX */
	struct event ring[EVENTS_MAX];
	uint64_t n_kept;    /* that ever were; the last at n_kept % KEPT_MAX */
	uint64_t forgotten; /* the id of the last that was kept no longer */
	struct kept kept[EVENTS_KEPT_MAX];
} events = {.mutex = PTHREAD_MUTEX_INITIALIZER};

/* What would go with the next line, kept if it is no mere note. */
static void
keep_oldest(void)
{
	uint64_t id = events.last + 1 - EVENTS_MAX;
	struct kept *to;

	if (events.last < EVENTS_MAX ||
	    events.ring[id % EVENTS_MAX].level > LOG_WARN)
		return;
	to = &events.kept[++events.n_kept % EVENTS_KEPT_MAX];
	if (events.n_kept > EVENTS_KEPT_MAX)
		events.forgotten = to->id;
	to->id = id;
	to->event = events.ring[id % EVENTS_MAX];
}

static void
take(const struct log_record *record)
{
	struct event *e;

	if (record->level > LOG_NOTE)
		return;
	(void)pthread_mutex_lock(&events.mutex);
	keep_oldest();
	e = &events.ring[++events.last % EVENTS_MAX];
	e->unix_s = clock_unix_s();
	e->level = record->level;
	(void)snprintf(e->name, sizeof(e->name), "%s", record->event);
	(void)snprintf(e->text, sizeof(e->text), "%s", record->text);
	logform_fields(record->fields, e->fields, sizeof(e->fields));
	(void)pthread_mutex_unlock(&events.mutex);
}

void
events_init(void)
{
	static const struct log_sink sink = {.take = take};

	log_set_sink(&sink);
}

uint64_t
events_last(void)
{
	uint64_t last;

	(void)pthread_mutex_lock(&events.mutex);
	last = events.last;
	(void)pthread_mutex_unlock(&events.mutex);
	return last;
}

/* A text with bytes that are no UTF-8 is no JSON: it is told without them. */
static json_t *
event_json(uint64_t id, const struct event *e)
{
	json_t *text = json_string(e->text);

	return json_pack("{s:I, s:I, s:s, s:s, s:o, s:o}", "id", (json_int_t)id,
	    "unix_s", (json_int_t)e->unix_s, "level", logform_level(e->level),
	    "event", e->name, "message",
	    text != NULL ? text : json_string("(not shown: no UTF-8)"),
	    "fields", json_loads(e->fields, 0, NULL));
}

static uint64_t
least(uint64_t a, uint64_t b)
{
	return a < b ? a : b;
}

/* How many there are: those kept, then the ring; all in the order of time. */
static uint64_t
count(void)
{
	return least(events.n_kept, EVENTS_KEPT_MAX) +
	    least(events.last, EVENTS_MAX);
}

/* One of them, from 0 on. */
static const struct event *
at(uint64_t i, uint64_t *id_out)
{
	uint64_t n = least(events.n_kept, EVENTS_KEPT_MAX);
	const struct kept *kept;

	if (i < n) {
		kept =
		    &events.kept[(events.n_kept - n + 1 + i) % EVENTS_KEPT_MAX];
		*id_out = kept->id;
		return &kept->event;
	}
	*id_out = events.last - least(events.last, EVENTS_MAX) + 1 + i - n;
	return &events.ring[*id_out % EVENTS_MAX];
}

/* The first of the last n. */
static uint64_t
newest(uint32_t n, enum log_level level)
{
	uint64_t i = count(), id;

	while (i > 0 && n > 0) {
		if (at(--i, &id)->level <= level)
			n--;
	}
	return i;
}

json_t *
events_json(uint64_t after, uint32_t limit, enum log_level level)
{
	json_t *list = json_array();
	uint64_t first, end, gone, id;

	(void)pthread_mutex_lock(&events.mutex);
	end = events.last;
	first = end - least(end, EVENTS_MAX) + 1;
	gone = level <= LOG_WARN ? events.forgotten : first - 1;
	for (uint64_t i = after == 0 ? newest(limit, level) : 0;
	     i < count() && limit > 0; i++) {
		const struct event *e = at(i, &id);

		if (e->level > level || id <= after)
			continue;
		(void)json_array_append_new(list, event_json(id, e));
		limit--;
	}
	(void)pthread_mutex_unlock(&events.mutex);
	return json_pack("{s:s, s:o, s:I, s:b, s:o}", "schema",
	    "muster.host-events/1", "first",
	    end == 0 ? json_null() : json_integer((json_int_t)first), "last",
	    (json_int_t)end, "lost", (int)(after != 0 && after < gone),
	    "events", list);
}
