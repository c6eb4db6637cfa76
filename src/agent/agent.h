/* SPDX-License-Identifier: MIT */
/*
 * agent.h -- what the parts of muster-agent share; an edge.
 *
 * products.c finds out which products are installed, lives.c drives the life
 * of each, admin.c does what administrators ask for, sock.c listens, api.c
 * answers.  Everything runs on one loop thread but round_run(), which runs in
 * libuv's pool on a copy.
 */
#ifndef MUSTER_AGENT_AGENT_H
#define MUSTER_AGENT_AGENT_H

#include <stdbool.h>
#include <stdint.h>
#include <uv.h>

#include "agent/told.h"
#include "client/clockwatch.h"
#include "client/keep.h"
#include "client/life.h"
#include "client/round.h"
#include "client/settings.h"
#include "muster/err.h"
#include "wire/agentmsg.h"

#define AGENT_PUBLISHERS_MAX 16
#define AGENT_KEY_FILE_MAX 16384 /* bytes of one PACKAGE.key */
#define AGENT_QUIET_S 120        /* for the administrator to come again */
#define AGENT_PATIENCE_S 30      /* how long a scan waits among users' rounds */
#define AGENT_SCAN_S 10          /* as often as a product may be asked for */
#define AGENT_FOLDERS 4          /* that agent_scan() reads */

struct agent;

/* A publisher with a product that is installed. */
struct agent_publisher {
	bool is_used;
	bool is_found; /* its catalogue, by the scan that is under way */
	bool is_met;   /* its file was read, and life_machine() had it */
	bool is_moved, is_afresh; /* as it said */
	uint8_t id[PUBLISHER_LEN];
	uint8_t hash[HASH_LEN]; /* of the catalogue in force */
	struct catalogue *cat;
	struct state_publisher state;
	struct walk_known known; /* the host that responded last, by DNS */
};

struct agent_product {
	bool is_used;
	bool is_found; /* by the scan that is under way */
	struct agent *agent;
	struct agent_publisher *publisher;
	struct life life;
	struct life_env env;
	struct keep keep;
	struct life_todo todo; /* of the last step */
	struct round round;    /* under way, or the last one */
	bool has_round;
	int disk_err;         /* why not all of it is on disk, or 0 */
	bool is_unsaved;      /* its state files are not written */
	bool is_lease_unsure; /* its lease may be gone after a power loss */
	bool has_wake;
	int64_t wake_boot_s;
	uv_work_t work;
};

/* Called when a round has ended and its product's life has taken it. */
typedef void agent_done_fn(struct agent *a, struct agent_product *p);

struct agent {
	const char *root;           /* NULL: the machine itself */
	uv_loop_t *loop;            /* NULL: --once */
	uint32_t n_rounds;          /* under way */
	bool is_dirty;              /* a scan waits for their end */
	int64_t dirty_boot_s;       /* since when */
	int64_t quiet_until_boot_s; /* an administrator waits for their end */
	int64_t scanned_boot_s;     /* when the last scan began */
	int64_t folder_ns[AGENT_FOLDERS]; /* their times of change then */
	struct told told;                 /* its complaints */
	bool has_unmet; /* a product was passed over: its files, its room */
	bool is_generalized;
	bool is_stopping;
	struct machine machine;
	char name[WIRE_NAME_MAX + 1];
	struct clockwatch watch;
	const char *resolver; /* as for resolvconf_load(), or NULL */
	struct agent_settings settings;
	struct agent_publisher publisher[AGENT_PUBLISHERS_MAX];
	struct agent_product product[AGENT_PRODUCTS_MAX];
	agent_done_fn *on_done;
	void (*on_plan)(struct agent *a); /* a wake time has changed */
};

/* ---- lives.c ---- */

/**
 * agent_open(): settings, clocks, machine, and the products that are there.
 *
 * In:      a        zero but for root, loop, resolver and the callbacks
 *          presets  of agent.conf, for where nothing was set
 * Returns: 0; MUSTER_E_NOMACHINE, MUSTER_E_DENIED, MUSTER_E_IO,
 *          MUSTER_E_NOMEM; logged
 */
MUSTER_NODISCARD int
agent_open(struct agent *a, const struct agent_settings *presets);

/**
 * agent_close(): free what agent_open() and the scans took.
 */
void agent_close(struct agent *a);

/**
 * agent_event(): one event of a product's life, with its writing and, if
 * hosts are to be asked, the start of a round.
 *
 * Returns: 0; as keep_save() and keep_save_lease(): what could not be written
 *          stands in p->disk_err, is logged, and is tried again with the next
 *          event, a retry interval later at the latest; a lease that is not on
 *          disk does not count until then
 */
int agent_event(struct agent_product *p, const struct life_event *ev);

/**
 * agent_now(): the clocks, looked at.
 *
 * In:      is_signed  a verified reply came just now
 * Returns: the time for a life_step()
 */
struct life_now agent_now(struct agent *a, bool is_signed);

/**
 * agent_go_on(): after a step whose files are written: log it, plan the next
 * wake, and start the round that it asks for.
 */
void agent_go_on(struct agent_product *p, const struct life_now *now);

/**
 * agent_plan_wake(): what is not on disk is tried again a retry interval from
 * now at the latest.
 */
void agent_plan_wake(struct agent_product *p, const struct life_now *now);

/**
 * agent_meet(): a product's first event, from its files.
 *
 * Returns: 0; as keep_init(), keep_load()
 */
MUSTER_NODISCARD int agent_meet(struct agent_product *p);

/**
 * agent_due(): wake every product whose time has come.
 */
void agent_due(struct agent *a);

/**
 * agent_next_boot_s(): when the next one's time comes.
 *
 * Returns: boot-time seconds; INT64_MAX: never
 */
int64_t agent_next_boot_s(const struct agent *a);

/**
 * agent_random_cmid(): WIRE_ID_LEN fresh random bytes, not all zero.
 */
void agent_random_cmid(uint8_t *out);

/* ---- admin.c ---- */

/**
 * agent_load_settings(): what an administrator set, else the presets.
 *
 * Returns: 0, also when the file is damaged, which is logged;
 *          MUSTER_E_DENIED, MUSTER_E_IO, MUSTER_E_TOOBIG
 */
MUSTER_NODISCARD int
agent_load_settings(struct agent *a, const struct agent_settings *presets);

/**
 * agent_save_settings(): take over and write settings.
 *
 * Returns: 0
 *          MUSTER_E_UNSURE  taken over; a restart may bring the old ones back
 *          and as file_replace(): nothing was taken over
 */
MUSTER_NODISCARD int
agent_save_settings(struct agent *a, const struct agent_settings *s);

/**
 * agent_rearm(): rearm products: all of those named, or none.
 *
 * In:      ids      products; none: every one
 * Out:     which_out  the product that keeps it from being done, or NULL
 * Returns: 0
 *          MUSTER_E_PRODUCT  not installed
 *          MUSTER_E_RANGE    its catalogue allows no more
 *          MUSTER_E_AGAIN    hosts are being asked just now
 *          MUSTER_E_NOMEM
 *          MUSTER_E_UNSURE   it could not be written, nor could what had been
 *                            written be taken back; the agent goes on with the
 *                            old state and writes that as soon as it can
 *          and as file_replace(), file_remove(); nothing was changed on all but
 *          UNSURE
 */
MUSTER_NODISCARD int agent_rearm(struct agent *a, const struct agent_ids *ids,
    const struct agent_product **which_out);

/**
 * agent_generalize(): make an image for cloning of this machine; the agent
 * then asks for nothing until it is started again.
 *
 * Returns: 0; MUSTER_E_AGAIN: hosts are being asked just now; as keep_save()
 *          and image_make(): it can be repeated, and nothing is asked for
 */
MUSTER_NODISCARD int agent_generalize(struct agent *a);

/* ---- products.c ---- */

/**
 * agent_scan(): read key files and catalogues anew; products come and go.
 *
 * While a round is under way only a note is made, and the scan follows it.
 * What the last scan complained of is not logged again.
 *
 * Returns: 0; MUSTER_E_NOMEM, MUSTER_E_DENIED, MUSTER_E_IO; logged
 */
int agent_scan(struct agent *a);

/**
 * agent_scan_for_user(): agent_scan(), but neither more often than every
 * AGENT_SCAN_S seconds, for anybody may ask, nor needlessly: sooner only where
 * a folder has changed.
 */
void agent_scan_for_user(struct agent *a);

/**
 * agent_find(): a product that is installed.
 *
 * Returns: it, or NULL
 */
struct agent_product *agent_find(struct agent *a, const uint8_t *product);

/**
 * agent_install_key(): keep a client setup key that was typed.
 *
 * Out:     product_out  WIRE_ID_LEN bytes: which product it is for
 * Returns: 0; as hostkey_parse()
 *          MUSTER_E_KIND     a host key
 *          MUSTER_E_PRODUCT  of no product in a catalogue here
 *          and as file_replace()
 */
MUSTER_NODISCARD int
agent_install_key(struct agent *a, const char *key, uint8_t *product_out);

/* ---- sock.c ---- */

struct sock;

/**
 * sock_listen(): the agent's socket.
 *
 * In:      path     of the socket, at most PATH_SOCKET_MAX bytes
 *          fd       handed over by a service manager, or -1
 * Returns: 0; MUSTER_E_TOOBIG: the path; MUSTER_E_LOCKED: another agent
 *          listens there; MUSTER_E_DENIED, MUSTER_E_IO, MUSTER_E_NOMEM
 */
MUSTER_NODISCARD int
sock_listen(struct agent *a, const char *path, int fd, struct sock **sock_out);

/**
 * sock_done(): the round of a product ended: answer who waits for it.
 */
void sock_done(struct sock *s, struct agent_product *p);

/**
 * sock_close(): close all connections; sock_free() after the loop has run.
 */
void sock_close(struct sock *s);

/**
 * sock_free(): free it; NULL is allowed.
 */
void sock_free(struct sock *s);

/* ---- api.c ---- */

/**
 * api_call(): answer one call.
 *
 * In:      is_admin  the caller may change settings
 * Out:     reply     unless waited for
 *          wait_out  the product whose round the reply waits for, or NULL;
 *                    then api_activated() makes the reply
 */
void api_call(struct agent *a, const struct agent_request *req, bool is_admin,
    struct agent_reply *reply, struct agent_product **wait_out);

/**
 * api_activated(): the reply to an ACTIVATE whose round has ended.
 */
void api_activated(const struct agent_product *p, struct agent_reply *reply);

/**
 * api_error(): a reply that says what is wrong and what to do.
 */
__attribute__((format(printf, 4, 5))) void api_error(struct agent_reply *reply,
    int err, const char *next_step, const char *format, ...);

#endif /* MUSTER_AGENT_AGENT_H */
