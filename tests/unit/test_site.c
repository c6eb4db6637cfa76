/* SPDX-License-Identifier: MIT */
/* A site's calendar and habits, and what many seeds say together. */
#include <math.h>
#include <stdio.h>
#include <string.h>

#include "sim/habit.h"
#include "sim/site.h"
#include "sim/stats.h"
#include "tap.h"

#define HOUR_MS INT64_C(3600000)

static void
test_dates(void)
{
	static const struct {
		const char *text;
		uint32_t day;
	} good[] = {{"2000-01-01", 10957}, {"2000-02-29", 11016},
	    {"2026-01-05", 20458}, {"2028-02-29", 21243},
	    {"2099-12-31", 47481}};
	static const char *const bad[] = {"1999-12-31", "2100-01-01",
	    "2026-02-29", "2026-13-01", "2026-00-10", "2026-1-05", "x026-01-05",
	    "2026-01-32", "2026-01-05 ", ""};
	uint32_t day = 7;
	char text[11];

	for (size_t i = 0; i < sizeof(good) / sizeof(*good); i++) {
		ok(site_date(good[i].text, &day) && day == good[i].day);
		site_date_text(good[i].day, text);
		ok(strcmp(text, good[i].text) == 0);
	}
	day = 7;
	for (size_t i = 0; i < sizeof(bad) / sizeof(*bad); i++)
		ok(!site_date(bad[i], &day) && day == 7);
	ok(site_time("24:00", &day) && day == 1440);
	ok(!site_time("24:01", &day) && !site_time("8:00", &day));
}

/* Monday 2026-01-05, an office from 08:00 to 18:00. */
static void
test_week(void)
{
	struct site_class c;
	struct site site;
	int n = 0;

	site_init(&site);
	site_class_init(&c, "pc", 1);
	for (uint64_t key = 1; key <= 50; key++) {
		for (int64_t day = 0; day < 7; day++) {
			int64_t ms = day * HABIT_DAY_MS;

			n += habit_at(&site, &c, key, ms + 12 * HOUR_MS) ==
			    HABIT_HERE;
			ok(habit_at(&site, &c, key, ms + 7 * HOUR_MS) ==
			    HABIT_OFF);
			ok(habit_at(&site, &c, key, ms + 19 * HOUR_MS) ==
			    HABIT_OFF);
		}
	}
	ok(n == 50 * 5);
	/* from Friday evening on it is Monday morning's turn */
	for (uint64_t key = 1; key <= 50; key++) {
		int64_t next = habit_next_ms(&site, &c, key,
		    4 * HABIT_DAY_MS + 20 * HOUR_MS);

		ok(next >= 7 * HABIT_DAY_MS + 7 * HOUR_MS + HOUR_MS / 2 &&
		    next <= 7 * HABIT_DAY_MS + 8 * HOUR_MS + HOUR_MS / 2);
		ok(habit_next_ms(&site, &c, key, next) == next);
	}
}

static void
test_periods(void)
{
	struct site_class c;
	struct site site;
	int off = 0, away = 0, holiday = 0;

	site_init(&site);
	site_class_init(&c, "pc", 1);
	c.weekdays = 0x7f;
	c.leave = (struct site_period){.every_days = 100, .days = 10};
	c.away = (struct site_period){.every_days = 50, .days = 5};
	site.n_holidays = 1;
	site.holiday[0] =
	    (struct site_holiday){.from_day = site.start_day + 2000,
	        .days = 10,
	        .off_ppm = 500000};
	for (uint64_t key = 1; key <= 20; key++) {
		for (int64_t day = 0; day < 2010; day++) {
			enum habit h = habit_at(&site, &c,
			    key * UINT64_C(0x9e3779b97f4a7c15),
			    day * HABIT_DAY_MS + 12 * HOUR_MS);

			if (day >= 2000)
				holiday += h == HABIT_OFF;
			else
				off += h == HABIT_OFF;
			away += h == HABIT_AWAY && day < 2000;
		}
	}
	/* a tenth of the days, and a tenth of those that are left */
	ok(off > 20 * 180 && off < 20 * 220);
	ok(away > 20 * 150 && away < 20 * 210);
	ok(holiday > 200 / 4 && holiday < 200 * 3 / 4);
	c.is_always = true;
	ok(habit_next_ms(&site, &c, 1, 5) == 5);
	c.is_always = false;
	c.absent_ppm = 1000000;
	ok(habit_next_ms(&site, &c, 1, 5) == INT64_MAX);
}

static bool
is_near(double a, double b)
{
	return fabs(a - b) < 0.005;
}

/* By R: t.test(x), and binom::binom.wilson(). */
static void
test_stats(void)
{
	const double x[] = {2, 4, 4, 4, 5, 5, 7, 9};
	struct stats s = stats_mean(x, 8, 0, 100);
	struct stats_share p;
	uint16_t v[] = {9, 1, 5, 3, 7};

	ok(is_near(s.mean, 5) && s.n == 8 && s.least == 2 && s.most == 9);
	ok(is_near(s.lo, 3.213) && is_near(s.hi, 6.787));
	s = stats_mean(x, 2, -50, 100);
	ok(is_near(s.lo, -9.706) && is_near(s.hi, 15.706) && s.has_interval);
	s = stats_mean(x, 2, 0, 10);
	ok(s.lo == 0 && s.hi == 10);
	/* one number, or one again and again, says nothing of others */
	ok(!stats_mean(x, 1, 0, 100).has_interval);
	ok(!stats_mean(x + 1, 3, 0, 100).has_interval);
	ok(stats_mean(x, 0, 0, 100).n == 0);
	ok(is_near(stats_unseen(20), 0.139) && is_near(stats_unseen(1), 0.95));
	p = stats_share(20, 20);
	ok(p.share == 1 && is_near(p.lo, 0.839) && p.hi == 1);
	p = stats_share(3, 10);
	ok(is_near(p.lo, 0.108) && is_near(p.hi, 0.603));
	ok(stats_share(0, 0).hi == 0);
	ok(stats_quantile(v, 5, 0.5) == 5 && stats_quantile(v, 5, 0) == 1 &&
	    stats_quantile(v, 5, 1) == 9 && stats_quantile(v, 0, 1) == 0);
}

static void
test_check(void)
{
	struct site_diag diag = {.n = 0};
	struct site site;

	site_init(&site);
	ok(!site_check(&site, &diag) && diag.n == 1);
	site.n_classes = 1;
	site_class_init(&site.class[0], "pc", 5);
	diag.n = 0;
	ok(site_check(&site, &diag) && diag.n == 0);
	site.class[0].leave = (struct site_period){.every_days = 5, .days = 5};
	site.class[0].to_min = 60;
	(void)snprintf(site.name, sizeof(site.name), "a<b");
	ok(!site_check(&site, &diag) && diag.n == 3);
	site.class[0].count = SITE_MACHINES_MAX + 1;
	ok(!site_check(&site, &diag) && diag.n == 7);
}

static void
test_check_names(void)
{
	struct site_diag diag = {.n = 0};
	struct site site;

	site_init(&site);
	site.n_classes = 2;
	site_class_init(&site.class[0], "pc", 5);
	site_class_init(&site.class[1], "pc", 5);
	ok(!site_check(&site, &diag) && diag.n == 1);
	is_str(diag.text[0], "two kinds of machines are called pc");
	site.class[1].name[0] = '\0';
	memcpy(site.product[1].name, site.product[0].name,
	    sizeof(site.product[0].name));
	site.host[0].name[0] = '\0';
	diag.n = 0;
	ok(!site_check(&site, &diag) && diag.n == 3);
	is_str(diag.text[0], "two products are called desktop");
	is_str(diag.text[1], "kinds of machines without a name");
	is_str(diag.text[2], "hosts without a name");
}

static void
test_check_classes(void)
{
	struct site_diag diag = {.n = 0};
	struct site site;

	site_init(&site);
	site.n_classes = 1;
	site_class_init(&site.class[0], "pc", 5);
	site.days = 27;
	ok(!site_check(&site, &diag) && diag.n == 1);
	site.days = 28;
	diag.n = 0;
	ok(site_check(&site, &diag));
	site.class[0].is_always = true;
	ok(site_check(&site, &diag));
	site.class[0].absent_ppm = 1;
	ok(!site_check(&site, &diag) && diag.n == 1);
	site.class[0].absent_ppm = 0;
	site.class[0].leave = (struct site_period){.every_days = 9, .days = 1};
	ok(!site_check(&site, &diag) && diag.n == 2);
}

int
main(void)
{
	test_dates();
	test_week();
	test_periods();
	test_stats();
	test_check();
	test_check_names();
	test_check_classes();
	return tap_done();
}
