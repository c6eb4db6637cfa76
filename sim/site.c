/* SPDX-License-Identifier: MIT */
#include "sim/site.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#define DAY_MIN 1440
#define OFFICE_DAYS 0x1f /* Monday to Friday */
#define FIRST_DAY 10957  /* 2000-01-01 */
#define LAST_DAY 47481   /* 2099-12-31 */
#define BEGIN_DAY 20458  /* 2026-01-05, a Monday */

void
site_init(struct site *site)
{
	*site = (struct site){.name = "site",
	    .start_day = BEGIN_DAY,
	    .days = 730,
	    .renewal_min = 10080,
	    .retry_min = 120,
	    .is_caching = true,
	    .n_products = 2,
	    .product = {{.name = "desktop",
	                    .threshold = 25,
	                    .validity_days = 180,
	                    .initial_days = 30,
	                    .lapse_days = 30},
	        {.name = "server",
	            .threshold = 5,
	            .validity_days = 180,
	            .initial_days = 30,
	            .lapse_days = 30}},
	    .n_hosts = 1,
	    .host = {{.name = "kms-1"}}};
}

void
site_class_init(struct site_class *c, const char *name, uint32_t count)
{
	*c = (struct site_class){.count = count,
	    .arrive_days = SITE_ARRIVE_DAYS,
	    .weekdays = OFFICE_DAYS,
	    .from_min = 8 * 60,
	    .to_min = 18 * 60};
	(void)snprintf(c->name, sizeof(c->name), "%s", name);
}

uint32_t
site_machines(const struct site *site)
{
	uint32_t n = 0;

	for (uint32_t i = 0; i < site->n_classes; i++)
		n += site->class[i].count;
	return n;
}

bool
site_uses(const struct site *site, uint32_t product)
{
	for (uint32_t i = 0; i < site->n_classes; i++) {
		if (site->class[i].product == product)
			return true;
	}
	return false;
}

void
site_mistake(struct site_diag *diag, const char *fmt, ...)
{
	va_list args;

	if (diag->n++ >= SITE_MISTAKES_MAX)
		return;
	va_start(args, fmt);
	(void)vsnprintf(diag->text[diag->n - 1], SITE_DIAG_MAX, fmt, args);
	va_end(args);
}

/* ---- what does not go together ---- */

static void
check_period(const struct site_class *c, const char *what,
    const struct site_period *p, struct site_diag *diag)
{
	if (p->every_days != 0 && (p->days == 0 || p->days >= p->every_days))
		site_mistake(diag,
		    "%s: %s must be of 1 day at least, and shorter than the "
		    "days after which it comes again",
		    c->name, what);
	if (p->every_days == 0 && p->days != 0)
		site_mistake(diag, "%s: %s needs every_days beside its days",
		    c->name, what);
}

static void
check_class(const struct site *site, const struct site_class *c,
    struct site_diag *diag)
{
	if (c->count == 0)
		site_mistake(diag, "%s: there must be 1 at least", c->name);
	if (c->product >= site->n_products)
		site_mistake(diag, "%s: of no product that is described",
		    c->name);
	if (!c->is_always && c->from_min >= c->to_min)
		site_mistake(diag,
		    "%s: must be on from an earlier time to a "
		    "later one",
		    c->name);
	if (!c->is_always && c->weekdays == 0)
		site_mistake(diag, "%s: must be on on one weekday at least",
		    c->name);
	if (c->arrive_days > site->days / 2)
		site_mistake(diag,
		    "%s: arrives over %u days (%d where nothing is set), and "
		    "must be there after half of the %u of the plan, or its "
		    "end came too early",
		    c->name, c->arrive_days, SITE_ARRIVE_DAYS, site->days);
	if (c->is_always && (c->absent_ppm != 0 || c->leave.every_days != 0))
		site_mistake(diag,
		    "%s: is always on, so it has neither absent_percent nor "
		    "leave",
		    c->name);
	check_period(c, "leave", &c->leave, diag);
	check_period(c, "away", &c->away, diag);
}

/* A name is written into a table, an SVG picture and a string of JSON. */
static void
check_name(const char *what, const char *name, struct site_diag *diag)
{
	if (name[0] == '\0')
		site_mistake(diag, "%s without a name", what);
	for (const char *p = name; *p != '\0'; p++) {
		if ((*p < 'a' || *p > 'z') && (*p < 'A' || *p > 'Z') &&
		    (*p < '0' || *p > '9') && strchr(" ._-", *p) == NULL) {
			site_mistake(diag,
			    "a name has a character beyond letters, digits, "
			    "blank, '.', '_' and '-'");
			return;
		}
	}
}

/* The i-th of names that lie so far apart is none of those before it. */
static void
check_apart(const char *what, const char *names, size_t apart, uint32_t i,
    struct site_diag *diag)
{
	const char *name = names + i * apart;

	check_name(what, name, diag);
	for (uint32_t j = 0; j < i && name[0] != '\0'; j++) {
		if (strcmp(names + j * apart, name) == 0)
			site_mistake(diag, "two %s are called %s", what, name);
	}
}

static void
check_names(const struct site *site, struct site_diag *diag)
{
	check_name("site", site->name, diag);
	for (uint32_t i = 0; i < site->n_products; i++)
		check_apart("products", site->product[0].name,
		    sizeof(site->product[0]), i, diag);
	for (uint32_t i = 0; i < site->n_classes; i++)
		check_apart("kinds of machines", site->class[0].name,
		    sizeof(site->class[0]), i, diag);
	for (uint32_t i = 0; i < site->n_hosts; i++)
		check_apart("hosts", site->host[0].name, sizeof(site->host[0]),
		    i, diag);
}

static void
check_outage(const char *name, const struct site_outage *outage,
    struct site_diag *diag)
{
	if ((outage->every_days != 0) != (outage->hours != 0))
		site_mistake(diag,
		    "%s: an outage needs both, outage_every_days and "
		    "outage_hours",
		    name);
}

static void
check_outages(const struct site *site, struct site_diag *diag)
{
	for (uint32_t i = 0; i < site->n_hosts; i++)
		check_outage(site->host[i].name, &site->host[i].outage, diag);
	check_outage("database", &site->database, diag);
	if (site->database.every_days != 0 && !site->is_shared)
		site_mistake(diag,
		    "a database with outages is that of a shared_count, and "
		    "this site has none");
}

bool
site_check(const struct site *site, struct site_diag *diag)
{
	uint32_t before = diag->n, n = 0;

	check_names(site, diag);
	if (site->days == 0 || site->days > SITE_DAYS_MAX)
		site_mistake(diag, "a plan is for 1 to %d days", SITE_DAYS_MAX);
	if (site->renewal_min < SITE_MINUTES_MIN ||
	    site->renewal_min > SITE_MINUTES_MAX ||
	    site->retry_min < SITE_MINUTES_MIN ||
	    site->retry_min > SITE_MINUTES_MAX)
		site_mistake(diag, "intervals are of %d to %d minutes",
		    SITE_MINUTES_MIN, SITE_MINUTES_MAX);
	if (site->n_classes == 0 || site->n_hosts == 0 || site->n_products == 0)
		site_mistake(diag, "a site has machines, a product and a host");
	for (uint32_t i = 0; i < site->n_classes; i++) {
		check_class(site, &site->class[i], diag);
		n += site->class[i].count <= SITE_MACHINES_MAX
		    ? site->class[i].count
		    : SITE_MACHINES_MAX + 1;
	}
	if (n > SITE_MACHINES_MAX)
		site_mistake(diag, "there may be %d machines at most",
		    SITE_MACHINES_MAX);
	for (uint32_t i = 0; i < site->n_holidays; i++) {
		if (site->holiday[i].from_day == 0)
			site_mistake(diag,
			    "holidays: one has no day from "
			    "which on they are");
	}
	check_outages(site, diag);
	return diag->n == before;
}

/* ---- dates and times ---- */

/* Of the proleptic Gregorian calendar; March is the first month, so that the
 * day that comes and goes is the last one of a year. */
static uint32_t
day_of(uint32_t year, uint32_t month, uint32_t day)
{
	uint32_t y = month <= 2 ? year - 1 : year;
	uint32_t m = month <= 2 ? month + 9 : month - 3;

	return 365 * y + y / 4 - y / 100 + y / 400 + (153 * m + 2) / 5 + day -
	    1 - 719468;
}

void
site_date_text(uint32_t day, char *out)
{
	uint32_t z = day + 719468, era = z / 146097, doe = z - era * 146097;
	uint32_t yoe = (doe - doe / 1460 + doe / 36524 - doe / 146096) / 365;
	uint32_t doy = doe - (365 * yoe + yoe / 4 - yoe / 100);
	uint32_t m = (5 * doy + 2) / 153, month = m < 10 ? m + 3 : m - 9;
	uint32_t year = yoe + era * 400 + (month <= 2 ? 1 : 0);

	(void)snprintf(out, 11, "%04u-%02u-%02u", year % 10000, month % 100,
	    (doy - (153 * m + 2) / 5 + 1) % 100);
}

/* So many digits at p. */
static bool
digits(const char *p, size_t n, uint32_t *out)
{
	*out = 0;
	for (size_t i = 0; i < n; i++) {
		if (p[i] < '0' || p[i] > '9')
			return false;
		*out = 10 * *out + (uint32_t)(p[i] - '0');
	}
	return true;
}

bool
site_date(const char *text, uint32_t *day_out)
{
	uint32_t year, month, day, at;
	char back[11];

	if (strlen(text) != 10 || text[4] != '-' || text[7] != '-' ||
	    !digits(text, 4, &year) || !digits(text + 5, 2, &month) ||
	    !digits(text + 8, 2, &day) || month < 1 || month > 12)
		return false;
	at = day_of(year, month, day);
	if (at < FIRST_DAY || at > LAST_DAY)
		return false;
	site_date_text(at, back);
	if (strcmp(back, text) != 0)
		return false; /* as the 30th of February */
	*day_out = at;
	return true;
}

bool
site_time(const char *text, uint32_t *min_out)
{
	uint32_t hour, min;

	if (strlen(text) != 5 || text[2] != ':' || !digits(text, 2, &hour) ||
	    !digits(text + 3, 2, &min) || min > 59 || hour * 60 + min > DAY_MIN)
		return false;
	*min_out = hour * 60 + min;
	return true;
}
