/* SPDX-License-Identifier: MIT */
/* test_events.c -- the ring of the last lines: what is in it, from which id on,
 * and what of a line that was cut. */
#include "host/events.h"

#include <stdlib.h>

#include "base/log.h"
#include "tap.h"

static json_int_t
number(const json_t *o, const char *key)
{
	return json_integer_value(json_object_get(o, key));
}

static void
log_so_many(unsigned n)
{
	for (unsigned i = 0; i < n; i++)
		log_line(LOG_NOTE, "count", "line %llu",
		    (unsigned long long)events_last() + 1);
}

/* Asked for: which ids come, and are their texts those of these ids? */
static void
check(uint64_t after, uint32_t limit, json_int_t from, json_int_t to,
    bool is_lost)
{
	json_t *told = events_json(after, limit, LOG_NOTE), *one;
	json_t *list = json_object_get(told, "events");
	char want[32];
	size_t i;

	is((long long)json_array_size(list), to - from + 1);
	json_array_foreach(list, i, one)
	{
		json_int_t id = from + (json_int_t)i;

		(void)snprintf(want, sizeof(want), "line %lld", id);
		if (number(one, "id") != id ||
		    strcmp(json_string_value(json_object_get(one, "message")),
		        want) != 0)
			ok(!"an event stands under its id");
	}
	is(json_is_true(json_object_get(told, "lost")), is_lost);
	is(number(told, "last"), (json_int_t)events_last());
	is(number(told, "first"),
	    events_last() < EVENTS_MAX
	        ? 1
	        : (json_int_t)events_last() - EVENTS_MAX + 1);
	json_decref(told);
}

static void
test_none_yet(void)
{
	json_t *told = events_json(0, 10, LOG_NOTE);

	ok(json_is_null(json_object_get(told, "first")));
	is(number(told, "last"), 0);
	is((long long)json_array_size(json_object_get(told, "events")), 0);
	json_decref(told);
}

static void
test_a_ring_that_is_not_full(void)
{
	log_so_many(5);
	check(0, 10, 1, 5, false);
	check(0, 5, 1, 5, false);
	check(0, 2, 4, 5, false); /* the newest */
	check(1, 2, 2, 3, false); /* those behind it */
	check(5, 2, 6, 5, false);
	check(99, 2, 100, 99, false); /* an id of a later life */
}

static void
test_a_full_ring_forgets_the_oldest_and_says_so(void)
{
	log_so_many(EVENTS_MAX - 5);
	check(0, 1000, EVENTS_MAX - 999, EVENTS_MAX, false);
	check(1, 1, 2, 2, false);
	log_so_many(1); /* the first has gone */
	check(1, 1, 2, 2, false);
	log_so_many(1); /* the second has */
	check(1, 1, 3, 3, true);
	check(2, 1, 3, 3, false);
	log_so_many(2 * EVENTS_MAX);
	check(1, 2, 2 * EVENTS_MAX + 3, 2 * EVENTS_MAX + 4, true);
	check(3 * EVENTS_MAX, 10, 3 * EVENTS_MAX + 1, 3 * EVENTS_MAX + 2,
	    false);
}

static void
test_fine_lines_drive_nothing_out(void)
{
	uint64_t last = events_last();

	log_set_level(LOG_FINE);
	log_line(LOG_FINE, "count", "much");
	log_set_level(LOG_NOTE);
	is((long long)(events_last() - last), 0);
}

/* A character of two bytes at each place: one of them is cut in two, wherever
 * the room ends. */
static void
test_a_text_that_was_cut_is_still_json(void)
{
	static char text[4000];
	json_t *told, *one;
	const char *said;

	for (int shift = 0; shift < 2; shift++) {
		memset(text, 'x', sizeof(text));
		for (size_t i = (size_t)shift; i + 2 < sizeof(text); i += 2)
			memcpy(text + i, "\xc3\xa9", 2);
		text[sizeof(text) - 1] = '\0';
		log_event(LOG_WARN, "long",
		    LOG_FIELDS(LOG_NUMBER(COUNT, 1), LOG_TEXT(FILE, "2")), "%s",
		    text);
		told = events_json(0, 1, LOG_NOTE);
		one = json_array_get(json_object_get(told, "events"), 0);
		ok(one != NULL);
		is_str(json_string_value(json_object_get(one, "level")),
		    "warning");
		is_str(json_string_value(json_object_get(one, "event")),
		    "long");
		is_str(json_string_value(
		           json_object_get(json_object_get(one, "fields"),
		               "file")),
		    "2");
		said = json_string_value(json_object_get(one, "message"));
		ok(said != NULL && said[0] != '\0');
		json_decref(told);
	}
}

static void
check_ids(json_t *told, json_int_t one, json_int_t two)
{
	json_t *list = json_object_get(told, "events");

	is((long long)json_array_size(list), two != 0 ? 2 : 1);
	is(number(json_array_get(list, 0), "id"), one);
	is(number(json_array_get(list, 1), "id"), two);
	json_decref(told);
}

static void
test_what_is_graver_is_found_behind_any_number(void)
{
	json_int_t warned, failed;

	log_line(LOG_WARN, "count", "warned");
	warned = (json_int_t)events_last();
	log_so_many(EVENTS_MAX / 2);
	log_line(LOG_ERROR, "count", "failed");
	failed = (json_int_t)events_last();
	log_so_many(EVENTS_MAX / 2 - 2);
	check_ids(events_json(0, 2, LOG_WARN), warned, failed);
	check_ids(events_json(0, 1, LOG_WARN), failed, 0);
	check_ids(events_json(0, 1, LOG_ERROR), failed, 0);
	check_ids(events_json((uint64_t)warned - 1, 1, LOG_WARN), warned, 0);
	check_ids(events_json((uint64_t)warned, 2, LOG_WARN), failed, 0);
	log_so_many(1); /* the warning has left the ring */
	check_ids(events_json(0, 2, LOG_WARN), warned, failed);
	log_so_many(3 * EVENTS_MAX); /* and so has the failure */
	check_ids(events_json(0, 2, LOG_WARN), warned, failed);
	check_ids(events_json(0, 1, LOG_WARN), failed, 0);
	check_ids(events_json(0, 1, LOG_ERROR), failed, 0);
	check_ids(events_json((uint64_t)warned - 1, 1, LOG_WARN), warned, 0);
	check_ids(events_json((uint64_t)warned, 2, LOG_WARN), failed, 0);
	/* before the notes that are there, by time */
	check_ids(events_json((uint64_t)failed - 1, 2, LOG_NOTE), failed,
	    (json_int_t)events_last() - EVENTS_MAX + 1);
}

static bool
is_lost(uint64_t after, enum log_level level)
{
	json_t *told = events_json(after, 1, level);
	bool out = json_is_true(json_object_get(told, "lost"));

	json_decref(told);
	return out;
}

/* So many are kept behind the ring, in the order in which they came. */
static void
test_what_is_graver_is_bounded(void)
{
	uint64_t first = events_last() + 1;
	json_t *told, *one;
	size_t i;

	for (unsigned n = 0; n < EVENTS_KEPT_MAX + 1; n++)
		log_line(n % 2 == 0 ? LOG_ERROR : LOG_WARN, "count", "grave");
	log_so_many(EVENTS_MAX - 1); /* the first of them is the oldest there */
	ok(!is_lost(first - 1, LOG_WARN));
	log_so_many(EVENTS_MAX);
	told = events_json(0, EVENTS_LIMIT_MAX, LOG_WARN);
	is((long long)json_array_size(json_object_get(told, "events")),
	    EVENTS_KEPT_MAX);
	json_array_foreach(json_object_get(told, "events"), i, one)
	    is(number(one, "id"), (json_int_t)(first + 1 + i));
	json_decref(told);
	ok(is_lost(first - 1, LOG_WARN));
	ok(!is_lost(first, LOG_WARN));
	ok(is_lost(first, LOG_NOTE));
}

int
main(void)
{
	/* the lines themselves are nobody's here */
	if (freopen("/dev/null", "w", stderr) == NULL)
		return 1;
	events_init();
	test_none_yet();
	test_a_ring_that_is_not_full();
	test_a_full_ring_forgets_the_oldest_and_says_so();
	test_fine_lines_drive_nothing_out();
	test_a_text_that_was_cut_is_still_json();
	test_what_is_graver_is_found_behind_any_number();
	test_what_is_graver_is_bounded();
	return tap_done();
}
