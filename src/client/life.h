/* SPDX-License-Identifier: MIT */
/*
 * life.h -- the life of one product on one machine, as a step function.
 *
 * An edge (agent, --direct, simulation) hands over what happened and at what
 * time; the step changes the state and says what is to be done: ask hosts,
 * write files, wake again.  Pure: clocks and random bits are arguments.
 *
 * Licence states (b33) and what leads from one to another; everything else
 * leaves the state as it is:
 *
 *   unlicensed             -> initial grace          first sight
 *   unlicensed             -> initial grace          a generalized image
 *   unlicensed             -> initial grace          rearm
 *   unlicensed             -> licensed               a reply
 *   initial grace          -> licensed               a reply
 *   initial grace          -> notification           time
 *   initial grace          -> notification           a newer catalogue
 *   licensed               -> out-of-tolerance grace time
 *   licensed               -> out-of-tolerance grace another machine
 *   licensed               -> out-of-tolerance grace a newer catalogue
 *   licensed               -> notification           time
 *   licensed               -> notification           a newer catalogue
 *   licensed               -> initial grace          rearm
 *   out-of-tolerance grace -> licensed               a reply
 *   out-of-tolerance grace -> licensed               the clock is right
 *   out-of-tolerance grace -> licensed               a newer catalogue
 *   out-of-tolerance grace -> notification           time
 *   out-of-tolerance grace -> notification           a newer catalogue
 *   out-of-tolerance grace -> initial grace          rearm
 *   notification           -> licensed               a reply
 *   notification           -> licensed               the clock is right
 *   notification           -> licensed               a newer catalogue
 *   notification           -> out-of-tolerance grace the clock is right
 *   notification           -> out-of-tolerance grace a newer catalogue
 *   notification           -> initial grace          the clock is right
 *   notification           -> initial grace          a newer catalogue
 *   notification           -> initial grace          rearm
 *
 * a reply: verified, and its count reaches the threshold.  time: validity or
 * grace ran out; from licensed to notification where nothing looked in
 * between, or where the grace has no days.  the clock is right: it stood
 * ahead, and lease or grace last after all; a verified reply of any count may
 * be what puts it right.  a newer catalogue: other thresholds and days, or a
 * revocation.  A start begins in what the files say: in unlicensed where a
 * first sight was lost (recover.h), or where there is none yet.
 *
 * A lease counts once it is on disk.  A step that takes one (keep_lease) takes
 * it for written, and its edge writes it before anything else; where that
 * fails, LIFE_UNKEPT comes next: what was there before goes on, and each later
 * step but those of LIFE_SILENCE, LIFE_REARM and LIFE_NEW_CMID takes it anew, a
 * retry interval later at the latest.  One that is in its place and may not last
 * (MUSTER_E_UNSURE) is on disk.
 *
 * Rearm touches several files: the publisher's CMID first, then each product,
 * whose file names the lease that is dropped with it, then those leases.  A
 * product's file that names the lease beside it (life_is_dropped()) says that
 * the power went before the last part: the lease is gone, whatever the CMID,
 * for other products of the publisher keep theirs under the old one.  So at any
 * moment a product has its lease and the rearm, or neither.
 *
 * The state is no field: it follows from first sight, start of the grace, the
 * lease and the time (state_licence()), so no lost write can contradict it.
 *
 * When hosts are asked: at first sight; then every retry interval while not
 * licensed, every renewal interval while licensed, every retry interval again
 * after a failure, and after BUSY as soon as the host named, if that is
 * earlier.  All delays end up to 1/LIFE_EARLY earlier by chance, and a start
 * is spread over LIFE_START_S, so that a building whose power returns does
 * not ask in one second.  The delays run on the boot-time clock: setting the
 * wall clock moves no contact.
 * Source: doc/behaviour.md b30 to b33, b36, b38.
 */
#ifndef MUSTER_CLIENT_LIFE_H
#define MUSTER_CLIENT_LIFE_H

#include <stdbool.h>
#include <stdint.h>

#include "client/machine.h"
#include "client/request.h"
#include "client/state.h"
#include "trust/catalogue.h"
#include "trust/lease.h"

#define LIFE_RENEWAL_MIN 10080U /* until a signed reply says otherwise */
#define LIFE_RETRY_MIN 120U
#define LIFE_EARLY 20      /* a delay ends up to this part of it earlier */
#define LIFE_START_S 60    /* starts of many machines are spread over it */
#define LIFE_ASK_S 10      /* b37: at most one asking in it, over all users */
#define LIFE_CLOCK_S 14400 /* 4 hours: further back is a clock set back */

/* What a step may look at; all of it borrowed. */
struct life_env {
	const struct catalogue *cat; /* in force */
	const struct cat_product *product;
	const struct machine *machine;
};

struct life_now {
	int64_t wall_unix_s;
	int64_t boot_s;        /* boot-time clock: counts in suspend */
	bool is_wall_believed; /* clockwatch_see() */
	uint32_t draw;         /* random bits; 0: no jitter */
};

/* What LIFE_UNKEPT goes back to. */
struct life_before {
	bool has_lease;
	struct lease lease;
	int64_t first_seen_unix_s, grace_unix_s;
	enum wire_state licence;
};

/* One product; the publisher's part is shared by the publisher's products. */
struct life {
	struct state_publisher *publisher;
	struct state_product state;
	bool has_lease;
	struct lease lease;
	/* of this run of the program only */
	bool is_asking; /* a round through the hosts is under way */
	bool is_gone;   /* its key file is gone: it is asked for no more */
	bool has_asked;
	int64_t asked_boot_s;
	int64_t due_boot_s;
	enum wire_state licence; /* as the last step left it */
	bool has_offer;          /* a lease that is to be written yet */
	struct lease offer;
	struct life_before before; /* what keep_lease took the place of */
};

enum life_kind {
	LIFE_MET,       /* state files were read, or there are none yet */
	LIFE_TIMER,     /* the time asked for by wake_boot_s */
	LIFE_ASK,       /* somebody wants activation now */
	LIFE_REPLY,     /* the round ended with a verified reply */
	LIFE_SILENCE,   /* the round ended without */
	LIFE_UNKEPT,    /* the last step's lease could not be written */
	LIFE_CATALOGUE, /* another catalogue came in force */
	LIFE_REARM,
	LIFE_NEW_CMID, /* a rearm of another product renewed the CMID */
	LIFE_GONE
};

struct life_event {
	enum life_kind kind;
	bool is_new;               /* LIFE_MET: there is no product's file */
	bool is_moved, is_afresh;  /* LIFE_MET: as life_machine() said */
	bool is_spread;            /* LIFE_MET: many may start together */
	const struct reply *reply; /* LIFE_REPLY */
	const char *host;          /* LIFE_REPLY: name:port that answered */
	uint32_t busy_s;           /* LIFE_SILENCE: least BUSY, or 0: none */
};

struct life_todo {
	bool ask;        /* save first, then ask the hosts in turn */
	bool save;       /* the publisher's and the product's file */
	bool keep_lease; /* write life->lease */
	bool drop_lease; /* remove the lease's file, after save */
	bool is_early;   /* LIFE_ASK: within LIFE_ASK_S; tell the last result */
	bool is_refused; /* LIFE_REARM: the catalogue allows no more */
	bool is_new;     /* LIFE_MET: the product begins, or begins afresh */
	enum wire_state before, after;
	int reason; /* why no lease holds, MUSTER_E_NOENT: there is none */
	uint32_t minutes_left; /* of the state; 0 where it has no end */
	bool has_wake;
	int64_t wake_boot_s;
};

/**
 * life_machine(): does the publisher's state belong to this machine?
 *
 * A machine that is another one gets a CMID of its own, as one does that has
 * none.  A machine id that stays while an instance appears or goes is the same
 * one.  What becomes of a product is decided by its own tag, when it is met:
 * on another machine it forgets the last reply, and one that generalize left
 * begins afresh.  So it is at any time, however much of that was on disk when
 * the power went, and once only.
 *
 * In:      cmid     WIRE_ID_LEN fresh random bytes, not all zero
 *          is_new   there is no publisher's file; p is all zero
 * Out:     p        ready for use
 *          is_moved_out   the machine is another one
 *          is_afresh_out  and generalize left the image; both are for LIFE_MET
 *                         and count for products without a tag
 */
void life_machine(struct state_publisher *p, const struct life_env *env,
    const uint8_t *cmid, bool is_new, bool *is_moved_out, bool *is_afresh_out);

/**
 * life_rearm(): renew the publisher's CMID.
 *
 * In:      cmid     WIRE_ID_LEN fresh random bytes, not all zero
 */
void life_rearm(struct state_publisher *p, const uint8_t *cmid);

/**
 * life_is_dropped(): did a rearm drop this lease?
 *
 * Returns: true when the product's state names the request that it answers
 */
bool life_is_dropped(const struct state_product *s, const struct lease *lease);

/**
 * life_generalize(): what an image for cloning keeps of a publisher: no CMID.
 */
void life_generalize(struct state_publisher *p);

/**
 * life_generalize_product(): what it keeps of a product: first sight, start of
 * the grace and rearms used, beside the machine's tag.
 */
void life_generalize_product(struct state_product *s);

/**
 * life_step(): one event.
 *
 * Out:     todo_out   always written
 */
void life_step(struct life *l, const struct life_env *env,
    const struct life_event *ev, const struct life_now *now,
    struct life_todo *todo_out);

/**
 * life_retry_s(): the retry interval, as the last reply set it.
 *
 * Returns: seconds
 */
int64_t life_retry_s(const struct life *l);

/**
 * life_licence(): the licence state at a moment; nothing is changed.
 *
 * Out:     minutes_left_out  of the state; 0 where it has no end
 *          reason_out        why no lease holds, or 0
 * Returns: the state
 */
enum wire_state life_licence(const struct life *l, const struct life_env *env,
    int64_t wall_unix_s, uint32_t *minutes_left_out, int *reason_out);

/**
 * life_time_unix_s(): the time by which leases and graces are judged.
 *
 * Returns: the latest of wall clock, high water and the catalogue's signing
 */
int64_t life_time_unix_s(const struct state_publisher *p,
    const struct catalogue *cat, int64_t wall_unix_s);

#endif /* MUSTER_CLIENT_LIFE_H */
