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

/* The log is the process's, and so is its memory. */
static struct {
	pthread_mutex_t mutex;
	uint64_t last; /* id of the newest; it stands at last % EVENTS_MAX */
	struct event ring[EVENTS_MAX];
} events = {.mutex = PTHREAD_MUTEX_INITIALIZER};

static void
take(const struct log_record *record)
{
	struct event *e;

	if (record->level > LOG_NOTE)
		return;
	(void)pthread_mutex_lock(&events.mutex);
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

/* The id from which on there are so many. */
static uint64_t
newest(uint32_t n, enum log_level level, uint64_t first)
{
	uint64_t id = events.last + 1;

	while (id > first && n > 0) {
		if (events.ring[--id % EVENTS_MAX].level <= level)
			n--;
	}
	return id;
}

json_t *
events_json(uint64_t after, uint32_t limit, enum log_level level)
{
	json_t *list = json_array();
	uint64_t first, next, end;

	(void)pthread_mutex_lock(&events.mutex);
	first = events.last < EVENTS_MAX ? 1 : events.last - EVENTS_MAX + 1;
	next = after == 0 ? newest(limit, level, first) : after + 1;
	if (next < first)
		next = first;
	for (; next <= events.last && limit > 0; next++) {
		const struct event *e = &events.ring[next % EVENTS_MAX];

		if (e->level > level)
			continue;
		(void)json_array_append_new(list, event_json(next, e));
		limit--;
	}
	end = events.last;
	(void)pthread_mutex_unlock(&events.mutex);
	return json_pack("{s:s, s:o, s:I, s:b, s:o}", "schema",
	    "muster.host-events/1", "first",
	    end == 0 ? json_null() : json_integer((json_int_t)first), "last",
	    (json_int_t)end, "lost", (int)(after != 0 && after + 1 < first),
	    "events", list);
}
