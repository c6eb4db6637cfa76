/* SPDX-License-Identifier: MIT */
/* test_health.c -- from which day and which machine on something is not all
 * right, and what the whole is then called. */
#include "host/health.h"

#include "host/publish_run.h"
#include "tap.h"

static struct publish_run publish = {.reason = PUBLISH_OFF};
static const struct admin_host host = {.publish = &publish};

/* One publisher, one group that needs 25 and has `count`; a certificate that
 * ends in `days`, or never (null). */
static json_t *
status_of(const json_t *days, int count, const char *store)
{
	return json_pack("{s:{s:s, s:s, s:s}, s:[{s:s, s:b, s:{s:O}, s:[{s:s, "
	                 "s:i, s:i, s:[{s:s, s:i, s:b, s:b}]}], s:[{s:s, s:i, "
	                 "s:b}]}]}",
	    "store", "state", store, "kind", "sqlite", "last_outcome", "FULL",
	    "publishers", "name", "Acme", "activated", 1, "certificate",
	    "days_left", days, "groups", "name", "Systems", "group", 1, "count",
	    count, "thresholds", "product", "Desktop", "threshold", 25,
	    "reached", count >= 25, "covered", 1, "products", "name", "Desktop",
	    "group", 1, "covered", 1);
}

/* The state of a check: "" where there is none; of the whole: "health". */
static const char *
judged(json_t *status, const char *name)
{
	static char out[16];
	json_t *health = health_json(&host, status), *one;
	size_t i;

	out[0] = '\0';
	if (strcmp(name, "health") == 0)
		(void)snprintf(out, sizeof(out), "%s",
		    json_string_value(json_object_get(health, "state")));
	json_array_foreach(json_object_get(health, "checks"), i, one)
	{
		const char *state =
		    json_string_value(json_object_get(one, "state"));
		bool has_step =
		    json_is_string(json_object_get(one, "next_step"));

		/* whoever is told that something is wrong is told what to do */
		if (has_step == (strcmp(state, "ok") == 0))
			ok(!"a next step, and only where one is needed");
		if (strcmp(name,
		        json_string_value(json_object_get(one, "name"))) == 0)
			(void)snprintf(out, sizeof(out), "%s", state);
	}
	json_decref(health);
	json_decref(status);
	return out;
}

static void
test_a_certificate_is_warned_of_to_the_day(void)
{
	static const struct {
		int days;
		const char *state;
	} rows[] = {{365, "ok"}, {HEALTH_DAYS_WARN, "ok"},
	    {HEALTH_DAYS_WARN - 1, "warning"}, {HEALTH_DAYS_ERROR, "warning"},
	    {HEALTH_DAYS_ERROR - 1, "error"}, {0, "error"}};
	json_t *days;

	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		days = json_integer(rows[i].days);
		is_str(judged(status_of(days, 25, "ok"), "certificate"),
		    rows[i].state);
		is_str(judged(status_of(days, 25, "ok"), "health"),
		    rows[i].state);
		json_decref(days);
	}
	is_str(judged(status_of(json_null(), 25, "ok"), "certificate"), "ok");
}

static void
test_a_threshold_is_reached_by_the_last_machine(void)
{
	is_str(judged(status_of(json_null(), 24, "ok"), "count"), "warning");
	is_str(judged(status_of(json_null(), 24, "ok"), "health"), "warning");
	is_str(judged(status_of(json_null(), 25, "ok"), "count"), "ok");
	is_str(judged(status_of(json_null(), 25, "ok"), "health"), "ok");
}

static void
test_a_store_that_takes_nothing_is_an_error(void)
{
	is_str(judged(status_of(json_null(), 25, "ok"), "store"), "ok");
	is_str(judged(status_of(json_null(), 24, "failing"), "store"), "error");
	/* the gravest of all names the whole */
	is_str(judged(status_of(json_null(), 24, "failing"), "health"),
	    "error");
}

static void
test_without_a_catalogue_nothing_can_be_activated(void)
{
	json_t *status = status_of(json_null(), 25, "ok");

	(void)json_array_clear(json_object_get(status, "publishers"));
	is_str(judged(json_incref(status), "catalogue"), "error");
	is_str(judged(status, "health"), "error");
	is_str(judged(status_of(json_null(), 25, "ok"), "catalogue"), "");
}

static void
test_what_is_not_activated_is_not_counted_against(void)
{
	json_t *status = status_of(json_null(), 3, "ok");
	json_t *publisher =
	    json_array_get(json_object_get(status, "publishers"), 0);

	(void)json_object_set_new(publisher, "activated", json_false());
	is_str(judged(json_incref(status), "certificate"), "error");
	is_str(judged(status, "count"), "");
}

int
main(void)
{
	test_a_certificate_is_warned_of_to_the_day();
	test_a_threshold_is_reached_by_the_last_machine();
	test_a_store_that_takes_nothing_is_an_error();
	test_without_a_catalogue_nothing_can_be_activated();
	test_what_is_not_activated_is_not_counted_against();
	return tap_done();
}
