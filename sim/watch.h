/* SPDX-License-Identifier: MIT */
/*
 * watch.h -- what an administrator would like to know of one run of a site.
 *
 * All of it is plain numbers, so that a process can write it into a pipe.
 * Times are seconds since the beginning of the plan; WATCH_NEVER: not so far.
 */
#ifndef MUSTER_SIM_WATCH_H
#define MUSTER_SIM_WATCH_H

#include "sim/site.h"

#define WATCH_NEVER UINT32_MAX
#define WATCH_SAMPLE_MS INT64_C(21600000) /* four times a day */

/* One class of machines. */
struct watch_class {
	uint32_t first_s;    /* the first one was activated */
	uint32_t all_s;      /* each one has been, once */
	uint32_t n_licensed; /* machines that have been */
	uint32_t n_lapsed;   /* and were no longer, at some time */
	uint32_t n_notified; /* machines that came to notification */
	uint32_t answers;    /* with a count */
	uint32_t below;      /* of those after first_s: under the threshold */
	uint32_t rounds;     /* at the site, through its hosts */
	uint32_t dead;       /* of those: at least one host did not answer */
	uint32_t unanswered; /* of those: no host did */
};

struct watch_host {
	uint32_t requests;
	uint32_t busiest; /* requests in a minute, at most */
	uint32_t minute, in_minute;
	uint32_t down_s;
};

#define WATCH_SETTLE_S (30U * 86400) /* a count's window: it has climbed */

/* A host's count of a group against the threshold of a product. */
struct watch_count {
	uint32_t reached_s; /* the count was as high as the threshold */
	uint32_t least;     /* its lowest from WATCH_SETTLE_S later on, or
	                     * WATCH_NEVER: the plan is over by then */
	uint32_t samples;   /* taken from then on */
	uint32_t below;     /* of those: under the threshold */
};

#define WATCH_WHY_MAX 200 /* SIM_WHY_MAX */

struct watch {
	char why[WATCH_WHY_MAX]; /* empty: the seed ran to its end */
	uint32_t database_down_s;
	struct watch_class class[SITE_CLASSES_MAX];
	struct watch_host host[SITE_HOSTS_MAX];
	struct watch_count count[SITE_HOSTS_MAX][SITE_PRODUCTS_MAX];
	/* the least of each day, by host and group */
	uint16_t day[SITE_DAYS_MAX][SITE_HOSTS_MAX][SITE_PRODUCTS_MAX];
};

/* From one state of a licence to another. */
struct watch_change {
	bool was_licensed, is_licensed, is_notified;
	uint32_t at_s;
};

/* What is noted of one machine, to count it once. */
struct watch_machine {
	uint8_t class;
	bool has_licence, has_lapsed, has_notified, was_dead;
};

/**
 * watch_init(): nothing happened yet.
 */
void watch_init(struct watch *w);

/**
 * watch_answer(): a machine got a count.
 */
void watch_answer(struct watch *w, const struct site *site,
    const struct watch_machine *m, uint32_t count);

/**
 * watch_licence(): a machine went from one state to another.
 */
void watch_licence(struct watch *w, const struct site *site,
    struct watch_machine *m, const struct watch_change *c);

/**
 * watch_round(): a round ended, at the site.
 */
void watch_round(struct watch *w, struct watch_machine *m, bool is_answered);

/**
 * watch_request(): a request came to a host.
 */
void watch_request(struct watch *w, uint32_t host, uint32_t at_s);

/**
 * watch_count(): a host counts so many in a group.
 */
void watch_count(struct watch *w, const struct site *site, uint32_t host,
    uint32_t group, uint32_t count, uint32_t at_s);

#endif /* MUSTER_SIM_WATCH_H */
