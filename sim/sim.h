/* SPDX-License-Identifier: MIT */
/*
 * sim.h -- hosts and machines in one process, on a virtual clock and network.
 *
 * A seed draws a world (world.h): how many machines and hosts, how slow the
 * network is, which kinds of fault happen and how often.  The hosts run
 * turn_judge(), store_batch() on the memory store and turn_sign(); the
 * machines run life_step() with asking_make(), asking_judge() and
 * clockwatch, and keep their state as the bytes of their files.  Whatever
 * passes between them is a record in bytes.
 *
 *   kms.h      a host: its turn, its crashes; kmsdisk.h with SQLite on a disk
 *   pc.h       a machine: its life; round.h its calls, disk.h its files
 *   zone.h     name servers, and how hosts are found
 *   net.h      messages, and what befalls them
 *   fault.h    what befalls hosts and machines
 *   model.h    what a host should hold
 *   check.h    the invariants
 *   campaign.h seeds, one after the other; scenario.h stories
 *   plan.h     a site of an administrator, in the place of what a seed draws
 *
 * After each step the invariants are checked.  When the random part is over
 * all is healed, and each machine must get an answer in time.
 *
 * Time is in ms since 1970 and begins at SIM_BEGIN_MS.  All that is drawn
 * comes from one generator, so a seed is a run: same lines, same hash.
 */
#ifndef MUSTER_SIM_SIM_H
#define MUSTER_SIM_SIM_H

#include "client/asking.h"
#include "client/clockwatch.h"
#include "client/life.h"
#include "discovery/walk.h"
#include "sim/model.h"
#include "sim/points.h"
#include "sim/queue.h"
#include "sim/rng.h"
#include "sim/site.h"
#include "sim/trace.h"
#include "sim/watch.h"
#include "store/store.h"
#include "turn/admit.h"
#include "turn/turn.h"

#define SIM_HOSTS_MAX 6 /* as many as one key activates (b41) */
#define SIM_NO_HOST UINT32_MAX
#define SIM_PRODUCTS 4 /* SITE_PRODUCTS_MAX; a campaign has two */
#define SIM_DOMAINS 3
#define SIM_ZONE_MAX 8    /* all hosts, and one that is no more */
#define SIM_ROUNDS_MAX 64 /* under way; more wait for a place */
#define SIM_CATALOGUES 2
#define SIM_BATCH_MAX 32
#define SIM_MSGS_MAX 512
#define SIM_LEDGER_MAX 4096
#define SIM_NONCES 16384 /* a power of two; a run ends at half of it */
#define SIM_BEGIN_MS (INT64_C(86400000) * 20000)
#define SIM_DAY_MS INT64_C(86400000)
#define SIM_WHY_MAX 200

/* Which run: a seed, and how much less than it draws. */
struct sim_order {
	uint64_t seed;
	bool is_loud;      /* print each line of the trace */
	uint64_t without;  /* bit n: none of the faults of kind n */
	uint32_t machines; /* at the beginning, at most; 0: as drawn */
	uint64_t steps;    /* of the random part, at most; 0: as drawn */
};

/* What the seed draws; see world.c. */
struct swarm {
	uint32_t n_hosts, n_machines;
	uint32_t latency_law;
	int64_t latency_ms, commit_ms; /* scale */
	int64_t span_ms;               /* of the random part, at most */
	uint64_t steps_max;            /* likewise */
	bool is_plain;                 /* each host covers all products */
	bool is_long; /* years at intervals of days, not days of minutes */
	bool has_fault[POINTS_N_FAULTS];
	uint32_t ppm[POINTS_N_FAULTS];    /* per message, batch or write */
	int64_t mean_ms[POINTS_N_FAULTS]; /* between two, for the others */
	bool has_sqlite;                  /* on disks; else the memory store */
	bool is_shared;                   /* all hosts have one count */
	/* the second catalogue revokes a host's first key: its slot plus one,
	 * or 0: none; leases from that day on */
	uint32_t revoked;
	uint32_t revoked_day;
	uint32_t n_groups;
	uint32_t threshold[SIM_CATALOGUES][SIM_PRODUCTS];
	int64_t signed_ms[SIM_CATALOGUES];
	uint32_t validity_days, initial_days, lapse_days, rearms;
	uint32_t renewal_min, retry_min, retention_days;
	int64_t idle_ms;
};

/* ---- name servers ---- */

struct zone_srv {
	uint32_t host;
	uint16_t priority, weight;
};

struct zone {
	uint32_t n;
	struct zone_srv srv[SIM_ZONE_MAX];
	/* of a site: as it was read, or the codec would be a tenth of a plan */
	struct dns_srv read[SIM_HOSTS_MAX];
};

/* What a round did so far, and what it was answered; see zone.h. */
struct seek {
	uint32_t n_asked, n_looked_up, n_known;
	uint64_t asked, seen; /* bit n: host n */
	bool is_fresh;        /* nobody of this answer was asked yet */
	uint32_t n;
	struct zone_srv srv[SIM_ZONE_MAX];
};

/* ---- a host ---- */

/* Whom an item is owed to. */
struct ticket {
	uint32_t machine, product;
	uint64_t call;
	uint32_t xid;
	bool is_tainted;
	uint32_t threshold; /* of the catalogue it was judged by */
	/* what the world says of it, not the host */
	uint32_t group;
	int64_t issued_unix_s;
	struct model_request request;
};

struct batch {
	uint32_t n;
	struct turn_item item[SIM_BATCH_MAX];
	struct ticket ticket[SIM_BATCH_MAX];
};

struct kms {
	struct vdisk *disk;  /* NULL: the memory store */
	struct store *store; /* NULL: it is down, and has a disk */
	struct turn_host turn;
	struct admit admit; /* of its process */
	uint8_t sk[SECKEY_LEN];
	bool covers[SIM_PRODUCTS];
	uint32_t catalogue; /* index in the world's */
	bool is_up;
	/* signs past the end of its certificate, now, or did */
	bool is_rogue, was_rogue;
	/* has one from before its issuing key's time, now, or had one */
	bool is_untimely, was_untimely;
	bool is_off;   /* down, and nobody refuses connections */
	uint32_t home; /* whose store and model it has: b11 */
	int64_t paused_until_ms, cut_until_ms, clog_until_ms;
	uint32_t cut_ways; /* 1: what goes to it, 2: what it sends */
	bool is_cut_odd;   /* for machines with an odd number alone */
	uint64_t epoch;    /* of this start: older events are nobody's */
	int64_t off_s;     /* wall clock minus true time */
	int64_t frozen_until_ms, frozen_unix_s;
	bool is_flying, is_submitting;
	struct batch next, flying;
	struct batch doubt; /* its commit failed, then: */
	int64_t doubt_unix_s;
	bool is_idle_in_doubt; /* its idle work broke off, at: */
	int64_t idle_unix_s;
	bool is_fresh;            /* it was opened, and not checked since */
	bool has_saved, is_lying; /* memory.saved and .lied are its own */
	struct model *model;
};

/* ---- a machine ---- */

struct file {
	uint32_t len; /* 0: not there */
	uint8_t bytes[LEASE_FILE_MAX];
};

/* What survives its restarts. */
struct disk {
	struct file publisher, clock;
	struct file product[SIM_PRODUCTS], view[SIM_PRODUCTS];
	struct file lease[SIM_PRODUCTS];
	struct file known;
	/* what the files were made of, and by whom */
	struct state_publisher was_publisher;
	struct state_product was_product[SIM_PRODUCTS];
	struct clockwatch was_clock;
	struct walk_known was_known;
	struct machine owner, product_owner[SIM_PRODUCTS];
	bool is_image[SIM_PRODUCTS]; /* left by generalize */
	/* its last lease, there or not, and the rearms used then */
	bool has_lease[SIM_PRODUCTS];
	uint32_t lease_rearms[SIM_PRODUCTS];
	int64_t floor_unix_s, ceiling_unix_s; /* the pc's, at that time */
};

/* A round under way: its way through the hosts, and what it asks. */
struct round {
	struct walk walk;
	struct asking asking;
};

struct pc_product {
	struct life life;
	struct life_env env;
	struct life_todo todo;
	uint64_t stepped; /* the world's step of its last life_step() */
	uint64_t wake;    /* the wake that counts */
	/* a round: lookups and exchanges, one after the other */
	bool is_open;        /* an exchange is under way */
	bool is_looking;     /* a lookup is */
	bool is_waiting;     /* all rounds are in use */
	uint64_t place;      /* the wait that counts */
	struct round *round; /* from the world's, or NULL: none */
	struct walk_todo walk_todo;
	struct seek seek;
	uint32_t target; /* the host that was asked, or SIM_NO_HOST */
	int64_t round_end_ms;
	uint64_t call;
	bool is_answered; /* since all was healed */
	uint32_t entry;   /* of the ledger: the lease; plus one, 0: none */
	/* as the agent has it (lives.c) */
	bool is_lease_unsure, is_unsaved;
	bool is_unkept; /* its last step took a lease that was not written */
	bool is_owed;   /* and none was written since: this one */
	struct lease owed;
};

/* A disk that fails: from a write on, for the rest of a step. */
struct sick {
	int err;         /* MUSTER_E_FULL, _IO or _UNSURE; 0: it is well */
	uint32_t writes; /* that go well before */
	bool has_failed; /* it came to that */
};

struct pc {
	struct machine id;
	char name[16];
	uint64_t key; /* of its habits */
	struct watch_machine watched;
	uint8_t print[WIRE_ID_LEN], tag[WIRE_ID_LEN]; /* its fingerprints */
	bool has_product[SIM_PRODUCTS];
	bool is_gone[SIM_PRODUCTS]; /* its key is, for now; its files stay */
	bool is_up, is_touched;
	int64_t since_ms; /* it is there */
	uint32_t catalogue;
	/* where its hosts are to be found */
	enum { FINDS_BY_DNS, FINDS_STATIC, FINDS_ONLY } finds;
	bool is_caching;
	uint32_t n_static, order[SIM_HOSTS_MAX];
	uint32_t n_domains, domain[2];
	struct walk_known known;
	uint32_t n_known; /* how often it became another */
	int64_t off_s;    /* wall clock minus true time */
	bool is_frozen;
	int64_t frozen_unix_s;
	int32_t drift_ppm; /* it runs too fast by so much, since: */
	int64_t drift_from_ms;
	int64_t asleep_until_ms;
	int64_t boot_at_ms;
	uint8_t boot[CLOCKWATCH_BOOT_LEN];
	struct clockwatch watch;
	struct state_publisher publisher;
	struct pc_product product[SIM_PRODUCTS];
	struct disk *disk;   /* NULL: none, of a site */
	int32_t writes_left; /* before the power goes; negative: it stays */
	bool is_cut;         /* and it went before something was written */
	struct sick sick;
	/* b36: it knows that it is at least this late (check.c) */
	int64_t floor_unix_s;
	bool is_calm; /* no clock was touched since the last signed reply */
	/* and it has no reason to think that it is later than this */
	int64_t ceiling_unix_s;
	int64_t far_ms; /* its clock was set far while it ran, then; 0: not */
	/* and its agent has not looked since: what it was before */
	bool is_far_unseen;
	int64_t far_before_ms;
	int64_t seen_unix_s, seen_ms; /* its agent's last look at the clock */
	bool was_set;                 /* a clock of its was touched at all */
	/* the last reply, for whoever wants to send it again */
	uint32_t old_len;
	uint8_t old[RPC_RECORD_MAX];
};

/* ---- the world ---- */

struct msg {
	bool is_used, is_reply, is_corrupt;
	bool is_tainted; /* a reply to a request that was changed */
	uint32_t host, machine, product;
	uint64_t call;
	uint32_t len;
	uint8_t record[RPC_RECORD_MAX];
};

/* What a host committed: the only leases there may be. */
struct entry {
	uint32_t host, raw_len;
	uint8_t raw[WIRE_ARGS_MAX];
	struct model_request request;
	uint32_t count; /* by the model */
	int64_t issued_unix_s;
	bool is_received; /* by a client, then and with that clock */
	int64_t received_ms, received_off_s;
};

/* What outlives a run, for the next one. */
struct sim_memory {
	struct catalogue *cat; /* SIM_CATALOGUES of them */
	uint32_t machines_max;
	struct pc *machine;
	struct disk *disk; /* of each machine, or NULL */
	struct round *round;
	uint32_t *touched;
	struct entry *ledger;
	uint32_t events_max;
	struct event *heap;
	struct model *model[SIM_HOSTS_MAX], *spare;
	struct model *saved[SIM_HOSTS_MAX]; /* with a database */
	struct model *lied[SIM_HOSTS_MAX];  /* when its disk began to lie */
};

struct sim {
	struct sim_memory memory;
	uint64_t seed, step;
	/* a site instead of a campaign: no faults, and no checks */
	const struct site *site;
	struct watch *watch;
	struct rng rng;
	struct trace trace;
	struct points *points;
	struct queue queue;
	struct swarm swarm;
	int64_t now_ms;
	bool is_healed;
	int64_t outage_until_ms, away_until_ms;
	uint64_t nonce[SIM_NONCES]; /* sent, by a hash; 0: none */
	uint32_t n_nonces;
	uint64_t calls;
	uint8_t publisher[PUBLISHER_LEN];
	uint8_t product[SIM_PRODUCTS][PRODUCT_LEN];
	struct catalogue *cat; /* SIM_CATALOGUES of them */
	uint32_t n_products, n_hosts, n_machines, n_entries;
	struct zone zone[SIM_DOMAINS];
	struct round *round;  /* SIM_ROUNDS_MAX of them */
	uint64_t rounds_used; /* bit n: number n */
	struct kms host[SIM_HOSTS_MAX];
	struct pc *machine; /* memory.machines_max of them */
	struct msg msg[SIM_MSGS_MAX];
	uint32_t msgs_full;   /* so many first ones are in use */
	struct entry *ledger; /* SIM_LEDGER_MAX; the first n_entries count */
	/* touched by the step: bit n is host n; numbers of machines */
	uint32_t touched_hosts, n_touched;
	uint32_t *touched;
	bool is_looking_at_all; /* check_all() */
	bool has_clones;        /* two machines went by one CMID */
	bool has_failed;
	const char *invariant;
	char why[SIM_WHY_MAX];
};

/**
 * sim_new(): memory for runs, one after another.
 *
 * In:      machines_max  of a world, at least 1
 *          has_disks  a campaign; a site's machines never lose power
 * Returns: for sim_free(), or NULL
 */
struct sim *sim_new(uint32_t machines_max, bool has_disks);

/**
 * sim_free(): give it back; NULL is fine.
 */
void sim_free(struct sim *s);

/**
 * sim_run(): one seed, from its first step to its last check.
 *
 * Out:     s        has_failed, invariant, why, step and trace
 *          points   counted on
 */
void
sim_run(struct sim *s, const struct sim_order *order, struct points *points);

/**
 * sim_run_site(): one seed of a site, from its first day to its last.
 *
 * In:      site     checked, with as many machines as there is memory for
 * Out:     watch    what came of it
 *          s        has_failed, when the world could not be made
 */
void sim_run_site(struct sim *s, const struct site *site, uint64_t seed,
    struct watch *watch);

/**
 * sim_begin_story(): a world as it is described, in which nothing happens yet.
 *
 * Out:     s        has_failed, when it could not be made
 */
void sim_begin_story(struct sim *s, const struct swarm *swarm);

/**
 * sim_run_for(): it goes on for so long.
 */
void sim_run_for(struct sim *s, int64_t ms);

/**
 * sim_end_story(): after sim_begin_story().
 */
void sim_end_story(struct sim *s);

/**
 * sim_site_s(): how long a site's plan has gone on.
 *
 * Returns: seconds
 */
uint32_t sim_site_s(const struct sim *s);

/**
 * sim_touch(): a machine is to be checked after this step.
 */
void sim_touch(struct sim *s, uint32_t machine);

/**
 * sim_lived_ms(): how long the machines of a run have been there, in all.
 *
 * Returns: ms of virtual time
 */
uint64_t sim_lived_ms(const struct sim *s);

/**
 * sim_hit(): a point was met.
 */
void sim_hit(struct sim *s, enum point point);

/**
 * sim_tell(): a line of the trace, with its time in front.
 */
void sim_tell(struct sim *s, const char *fmt, ...)
    __attribute__((format(printf, 2, 3)));

/**
 * sim_fail(): an invariant does not hold; only the first one is kept.
 */
void sim_fail(struct sim *s, const char *invariant, const char *fmt, ...)
    __attribute__((format(printf, 3, 4)));

/**
 * sim_at(): an event after a delay.
 */
void sim_at(struct sim *s, int64_t delay_ms, const struct event *ev);

/**
 * sim_draws(): sim_faulty(), when it is not yet known what comes of it: the
 * point is not met.
 *
 * Returns: true when it does
 */
bool sim_draws(struct sim *s, enum point kind);

/**
 * sim_faulty(): does a fault befall this message, batch or write?
 *
 * Returns: true when it does, and the point is then met
 */
bool sim_faulty(struct sim *s, enum point kind);

#endif /* MUSTER_SIM_SIM_H */
