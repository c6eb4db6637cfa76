/* SPDX-License-Identifier: MIT */
/*
 * site.h -- a customer's site, as an administrator describes it: products,
 * machines and when they are there, hosts and when they are not.
 *
 * doc/plan.md has the file; every setting has a default, so that a site may be
 * a few lines.  Pure but for site_load().
 */
#ifndef MUSTER_SIM_SITE_H
#define MUSTER_SIM_SITE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "muster/err.h"

#define SITE_NAME_MAX 31       /* columns of a table */
#define SITE_PRODUCTS_MAX 4    /* SIM_PRODUCTS; a machine has memory for each */
#define SITE_CLASSES_MAX 16    /* rows of a table */
#define SITE_HOSTS_MAX 6       /* SIM_HOSTS_MAX */
#define SITE_HOLIDAYS_MAX 32   /* some years of them */
#define SITE_MACHINES_MAX 5000 /* 16 KiB each, in a process per core */
#define SITE_DAYS_MAX 3650     /* a picture has a column a day */
#define SITE_MINUTES_MIN 15    /* WIRE_INTERVAL_MIN and _MAX */
#define SITE_MINUTES_MAX 43200
#define SITE_FILE_MAX 65536
#define SITE_MISTAKES_MAX 8 /* told; one more is a count */
#define SITE_DIAG_MAX 160
#define SITE_ARRIVE_DAYS 14 /* where nothing else is said */

struct site_product {
	char name[SITE_NAME_MAX + 1];
	uint32_t group;
	uint32_t threshold;
	uint32_t validity_days, initial_days, lapse_days;
};

/* So many days of every so many, at a time of its own for each machine. */
struct site_period {
	uint32_t every_days; /* 0: never */
	uint32_t days;       /* less than every_days */
};

/* Machines that are alike. */
struct site_class {
	char name[SITE_NAME_MAX + 1];
	uint32_t product; /* index */
	uint32_t count;
	uint32_t arrive_days;      /* installed one by one, over so many; 0: in
	                       * the first hour */
	bool is_always;            /* on day and night, on holidays too */
	uint8_t weekdays;          /* bit 0: Monday */
	uint32_t from_min, to_min; /* of a day: when it is on */
	uint32_t absent_ppm;       /* off on a day on which it should be on */
	struct site_period leave;  /* off for days */
	struct site_period away;   /* on, but no host can be reached */
};

/* Up for so many days in the mean, and then down for so many hours; each is
 * drawn from a half to one and a half of its mean. */
struct site_outage {
	uint32_t every_days; /* 0: never down */
	uint32_t hours;
};

struct site_host {
	char name[SITE_NAME_MAX + 1];
	uint16_t priority, weight;
	struct site_outage outage;
};

/* Days on which a part of the machines is off. */
struct site_holiday {
	uint32_t from_day, days; /* since 1970 */
	uint32_t off_ppm;
};

struct site {
	char name[SITE_NAME_MAX + 1];
	uint32_t start_day; /* since 1970 */
	uint32_t days;
	uint32_t renewal_min, retry_min;
	bool is_shared;              /* one count for all hosts */
	struct site_outage database; /* of that count */
	bool is_caching;             /* machines remember their host */
	uint32_t n_products, n_classes, n_hosts, n_holidays;
	struct site_product product[SITE_PRODUCTS_MAX];
	struct site_class class[SITE_CLASSES_MAX];
	struct site_host host[SITE_HOSTS_MAX];
	struct site_holiday holiday[SITE_HOLIDAYS_MAX];
};

/* What is wrong with a description, a sentence each. */
struct site_diag {
	uint32_t n; /* also those that found no room */
	char text[SITE_MISTAKES_MAX][SITE_DIAG_MAX];
};

/**
 * site_init(): two years, one host, the guide's two products, no machine.
 */
void site_init(struct site *site);

/**
 * site_class_init(): a machine of an office, of the first product.
 *
 * In:      name     at most SITE_NAME_MAX
 */
void site_class_init(struct site_class *c, const char *name, uint32_t count);

/**
 * site_machines(): how many there are.
 *
 * Returns: machines of all classes
 */
uint32_t site_machines(const struct site *site);

/**
 * site_uses(): is there a machine of the product?
 *
 * Returns: whether there is
 */
bool site_uses(const struct site *site, uint32_t product);

/**
 * site_check(): what the settings say together.
 *
 * Out:     diag     added to
 * Returns: true when a site can be planned
 */
bool site_check(const struct site *site, struct site_diag *diag);

/**
 * site_mistake(): add a sentence to a diag.
 */
void site_mistake(struct site_diag *diag, const char *fmt, ...)
    __attribute__((format(printf, 2, 3)));

/**
 * site_date(): a date YYYY-MM-DD as a day.
 *
 * Out:     day_out  since 1970; from 2000 to 2099
 * Returns: false when it is none; day_out is untouched
 */
bool site_date(const char *text, uint32_t *day_out);

/**
 * site_time(): a time HH:MM as minutes of a day; 24:00 is its end.
 *
 * Returns: false when it is none; min_out is untouched
 */
bool site_time(const char *text, uint32_t *min_out);

/**
 * site_date_text(): a day as YYYY-MM-DD.
 *
 * Out:     out      11 bytes
 */
void site_date_text(uint32_t day, char *out);

/**
 * site_load(): read a description; all mistakes are told, with their lines.
 *
 * In:      site     as site_init() left it, or with options applied
 * Out:     site     as the file has it; of no use after a failure
 * Returns: 0
 *          MUSTER_E_PROTO  the diag says what
 *          and as file_read()
 */
MUSTER_NODISCARD int
site_load(const char *path, struct site *site, struct site_diag *diag);

#endif /* MUSTER_SIM_SITE_H */
