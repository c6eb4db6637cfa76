/* SPDX-License-Identifier: MIT */
#include "sim/habit.h"

#define MIN_MS INT64_C(60000)
#define MONDAY_OFF 3            /* the first day of 1970 was a Thursday */
#define LOOK_DAYS SITE_DAYS_MAX /* off for longer is off to the end */

/* What a number is used for. */
enum use { USE_ABSENT = 1, USE_FROM, USE_TO, USE_HOLIDAY, USE_LEAVE, USE_AWAY };

/* Splitmix64's last step: each bit of the input moves half of them. */
static uint64_t
mix(uint64_t key, uint64_t day, enum use use)
{
	uint64_t z = key + day * UINT64_C(0x9e3779b97f4a7c15) +
	    (uint64_t)use * UINT64_C(0xd1b54a32d192ed03);

	z = (z ^ (z >> 30)) * UINT64_C(0xbf58476d1ce4e5b9);
	z = (z ^ (z >> 27)) * UINT64_C(0x94d049bb133111eb);
	return z ^ (z >> 31);
}

static bool
is_chosen(uint64_t key, uint64_t day, enum use use, uint32_t ppm)
{
	return mix(key, day, use) % 1000000 < ppm;
}

/* Of each span of every_days, days in a row, at a place drawn for the span. */
static bool
is_in(const struct site_period *p, uint64_t key, uint32_t day, enum use use)
{
	uint32_t at, span, begin;

	if (p->every_days == 0)
		return false;
	at = day + (uint32_t)(mix(key, 0, use) % p->every_days);
	span = at / p->every_days;
	begin =
	    (uint32_t)(mix(key, span + 1, use) % (p->every_days - p->days + 1));
	return at % p->every_days >= begin &&
	    at % p->every_days < begin + p->days;
}

static bool
is_holiday(const struct site *site, uint64_t key, uint32_t day)
{
	for (uint32_t i = 0; i < site->n_holidays; i++) {
		const struct site_holiday *h = &site->holiday[i];
		uint32_t date = site->start_day + day;

		/* who is off is so from the first day to the last */
		if (date >= h->from_day && date - h->from_day < h->days &&
		    is_chosen(key, i, USE_HOLIDAY, h->off_ppm))
			return true;
	}
	return false;
}

static bool
is_on_day(const struct site *site, const struct site_class *c, uint64_t key,
    uint32_t day)
{
	uint32_t weekday = (site->start_day + day + MONDAY_OFF) % 7;

	return (c->weekdays >> weekday & 1) != 0 &&
	    !is_chosen(key, day, USE_ABSENT, c->absent_ppm) &&
	    !is_in(&c->leave, key, day, USE_LEAVE) &&
	    !is_holiday(site, key, day);
}

static int64_t
jitter_ms(uint64_t key, uint32_t day, enum use use)
{
	return (int64_t)(mix(key, day, use) %
	           (uint64_t)(2 * HABIT_JITTER_MIN * MIN_MS)) -
	    HABIT_JITTER_MIN * MIN_MS;
}

/* From when to when it is on, of that day. */
static void
hours(const struct site_class *c, uint64_t key, uint32_t day, int64_t *from_out,
    int64_t *to_out)
{
	int64_t begin = day * HABIT_DAY_MS;
	int64_t from = begin + c->from_min * MIN_MS;
	int64_t to = begin + c->to_min * MIN_MS;

	from += jitter_ms(key, day, USE_FROM);
	to += jitter_ms(key, day, USE_TO);
	*from_out = from < begin ? begin : from;
	*to_out = to > begin + HABIT_DAY_MS ? begin + HABIT_DAY_MS : to;
}

int64_t
habit_next_ms(const struct site *site, const struct site_class *c, uint64_t key,
    int64_t ms)
{
	uint32_t today = (uint32_t)(ms / HABIT_DAY_MS);
	int64_t from, to;

	if (c->is_always)
		return ms;
	for (uint32_t day = today; day < today + LOOK_DAYS; day++) {
		if (!is_on_day(site, c, key, day))
			continue;
		hours(c, key, day, &from, &to);
		if (ms < to)
			return ms < from ? from : ms;
	}
	return INT64_MAX;
}

bool
habit_is_away(const struct site_class *c, uint64_t key, int64_t ms)
{
	return is_in(&c->away, key, (uint32_t)(ms / HABIT_DAY_MS), USE_AWAY);
}

enum habit
habit_at(const struct site *site, const struct site_class *c, uint64_t key,
    int64_t ms)
{
	if (habit_next_ms(site, c, key, ms) != ms)
		return HABIT_OFF;
	return habit_is_away(c, key, ms) ? HABIT_AWAY : HABIT_HERE;
}
