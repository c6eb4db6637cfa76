/* SPDX-License-Identifier: MIT */
/*
 * state.h -- the publishers that this host serves, and what it keeps of each.
 *
 * Catalogues: ROOT/usr/share/muster/catalogues/ (their publishers are
 * trusted), ROOT/var/lib/muster/catalogues/ (kept.h; counts for a trusted
 * publisher only).  In force is the highest serial that verifies, and never
 * one below the highest that ever was.  A newer file is taken up while the
 * host runs (rescan.h).  Under ROOT/var/lib/muster/host/ID/:
 *
 *   identity.key  Ed25519 secret key, 64 bytes, 0600
 *   hostkey       magic, key number, proof key; sealed, 0600 (keyring.c)
 *   certificate   120 bytes
 *   counter       decimal: the last request's number, stored before it is made
 *   request       the last request until its certificate comes, so that asking
 *                 again is the same request and counts nothing (b41)
 *
 * turn_host is made anew by each change; callers change only between turns.
 * Source: doc/protocol.md, "Catalogue", "Activating a host"; b9, b43, b44.
 */
#ifndef MUSTER_HOST_STATE_H
#define MUSTER_HOST_STATE_H

#include <stdbool.h>
#include <stdint.h>

#include "base/file.h"
#include "host/problem.h"
#include "store/store.h"
#include "trust/enrol.h"
#include "trust/slotask.h"
#include "turn/turn.h"

#define STATE_HEX_LEN (2 * PUBLISHER_LEN)
#define STATE_REASON_MAX 96
#define STATE_SEEN_MAX 128 /* catalogue files looked at, both folders */

struct publisher {
	uint8_t id[PUBLISHER_LEN];
	char hex[STATE_HEX_LEN + 1];
	char folder[FILE_PATH_MAX];
	struct catalogue *catalogue;
	uint8_t catalogue_hash[HASH_LEN];
	uint8_t *host_sk; /* SECKEY_LEN, keymem.h; or NULL */
	bool is_sk_locked;
	bool has_hostkey;
	uint32_t key_number;
	uint32_t counter;
	bool has_cert; /* there, whether or not it is good */
	bool is_cert_good;
	struct cert cert;
	uint8_t cert_bytes[CERT_LEN];
	char reason[STATE_REASON_MAX]; /* why it is not good */
};

/* A catalogue file as it was when it was last looked at. */
struct sighting {
	uint64_t inode;
	int64_t changed_ns; /* of its inode, wall clock */
	int64_t len;
	uint32_t n_trusted; /* marks beside it then */
};

struct look;

struct state {
	char folder[FILE_PATH_MAX];
	char shipped[FILE_PATH_MAX];
	char updated[FILE_PATH_MAX];
	char host[WIRE_NAME_MAX + 1]; /* alone with its store; else empty */
	uint32_t n;
	struct publisher publishers[TURN_PUBLISHERS_MAX];
	uint32_t n_shippers; /* publishers of the shipped files */
	uint8_t shippers[TURN_PUBLISHERS_MAX][PUBLISHER_LEN];
	struct turn_host turn_host;
	uint8_t *scratch; /* CAT_FILE_MAX bytes */
	struct catalogue *spare;
	struct look *look; /* rescan.c's */
	uint32_t n_seen;
	struct sighting seen[STATE_SEEN_MAX];
};

/**
 * state_is_certified(): does the state folder hold a certificate, good or not?
 *
 * By the folder alone: a host that has lost its catalogues as well, or its
 * database, has been activated all the same.
 *
 * Returns: true when there is one; false also when the folder cannot be read
 */
bool state_is_certified(const char *root);

/**
 * state_open(): make the folders, read catalogues, keys and certificates.
 *
 * In:      root     or NULL
 *          renewal_min, retry_min  for turn_host
 * Out:     state_out  free it with state_close()
 *          problem  on failure
 * Returns: 0
 *          MUSTER_E_NOMEM
 *          MUSTER_E_DENIED, MUSTER_E_IO, MUSTER_E_FULL  a folder or file
 *          MUSTER_E_PROTO  a key file is damaged or readable by others
 */
MUSTER_NODISCARD int state_open(const char *root, uint32_t renewal_min,
    uint32_t retry_min, struct state **state_out, struct problem *problem);

/**
 * state_set_intervals(): what clients are told from now on (b10); after
 * turnloop_settle().
 */
void state_set_intervals(struct state *state, uint32_t renewal_min,
    uint32_t retry_min);

/**
 * state_keys_locked(): is every identity key in locked memory?
 *
 * Returns: true also where there is none
 */
bool state_keys_locked(const struct state *state);

/**
 * state_close(): wipe and free; NULL is fine.
 */
void state_close(struct state *state);

/**
 * state_reserve(): make room in the store for every group.
 *
 * Returns: as store_reserve()
 */
MUSTER_NODISCARD int state_reserve(const struct state *state,
    struct store *store, struct problem *problem);

/**
 * state_refresh(): judge the certificates again and make turn_host anew.
 */
void state_refresh(struct state *state);

/**
 * state_find(): the publisher of this id (hex) or name; NULL text stands for
 * the only one.
 *
 * Returns: 0; MUSTER_E_NOENT none; MUSTER_E_INVAL several, none named
 */
MUSTER_NODISCARD int state_find(struct state *state, const char *text,
    struct publisher **publisher_out, struct problem *problem);

/**
 * state_install_catalogue(): put a newer catalogue in force (b44).
 *
 * In:      store    gets room for the groups before anything changes
 *          file     the file's bytes; borrowed
 *          trust    PUBLISHER_LEN bytes of a publisher to trust, or NULL
 * Returns: 0, the same catalogue again included
 *          MUSTER_E_SIG, MUSTER_E_KEY and what else cat_load() gives
 *          MUSTER_E_PUBLISHER  not trusted, or not the one named by trust
 *          MUSTER_E_SERIAL     older than the one in force
 *          MUSTER_E_EXIST      another catalogue of the same serial, or a
 *                              product of another publisher
 *          MUSTER_E_FULL       one publisher too many, or no space
 *          MUSTER_E_NOMEM, MUSTER_E_DENIED, MUSTER_E_IO  not stored
 */
MUSTER_NODISCARD int state_install_catalogue(struct state *state,
    struct store *store, const struct bytes *file, const uint8_t *trust,
    struct publisher **publisher_out, struct problem *problem);

/**
 * keyring_load(): what a publisher's folder holds.
 *
 * Returns: 0; MUSTER_E_PROTO damaged, or of wrong owner or mode;
 *          MUSTER_E_NOMEM, MUSTER_E_IO, MUSTER_E_DENIED
 */
MUSTER_NODISCARD int
keyring_load(struct publisher *pub, struct problem *problem);

/**
 * keyring_judge(): is the certificate good today, by the catalogue in force?
 */
void keyring_judge(struct publisher *pub, int64_t now_unix_s);

/**
 * keyring_install(): take a host key in; a client setup key is refused (b43).
 *
 * In:      text     as typed; the caller wipes it
 * Returns: 0; as hostkey_parse(); MUSTER_E_KIND; as file_replace()
 */
MUSTER_NODISCARD int keyring_install(struct publisher *pub, const char *text,
    size_t text_len, struct problem *problem);

/**
 * keyring_remove(): host key, request and certificate out; the identity and
 * its counter stay.
 *
 * Returns: 0; MUSTER_E_NOENT there is none; MUSTER_E_IO
 */
MUSTER_NODISCARD int
keyring_remove(struct publisher *pub, struct problem *problem);

/**
 * keyring_request(): an enrolment request, the one that is open or a new one.
 *
 * In:      replaces  slot, or 0
 *          is_fresh  never the open one: the authority knows its counter
 * Out:     buf      ENROL_MAX bytes
 * Returns: 0; MUSTER_E_NOENT no host key; MUSTER_E_FULL 255 requests made;
 *          as file_replace()
 */
MUSTER_NODISCARD int keyring_request(struct publisher *pub, uint8_t replaces,
    bool is_fresh, uint8_t *buf, size_t *len_out, struct problem *problem);

/**
 * keyring_slotask(): a question about the key's slots, proven by the host key.
 *
 * In:      ask      act, slot and activation; the rest is set here
 * Out:     out      SLOTASK_LEN bytes
 * Returns: 0; MUSTER_E_NOENT no host key; MUSTER_E_PROTO damaged; MUSTER_E_IO
 */
MUSTER_NODISCARD int
keyring_slotask(const struct publisher *pub, struct slotask *ask,
    int64_t now_unix_s, uint8_t *out, struct problem *problem);

/**
 * keyring_code(): the installation ID of the request that is open.
 *
 * Out:     out      PHONE_ASK_LEN bytes
 * Returns: 0; MUSTER_E_NOENT no host key; MUSTER_E_PROTO damaged; MUSTER_E_IO
 */
MUSTER_NODISCARD int keyring_code(const struct publisher *pub, uint8_t *out,
    struct problem *problem);

/**
 * keyring_certify(): take a certificate in, once it is found good.
 *
 * In:      bytes    CERT_LEN
 * Returns: 0; MUSTER_E_MISMATCH of another host key;
 *          MUSTER_E_ISSUER, MUSTER_E_SIG, MUSTER_E_ISSUED, MUSTER_E_REVOKED,
 *          MUSTER_E_EXPIRED; MUSTER_E_SERIAL older than the good one that is
 *          in place; as file_replace()
 */
MUSTER_NODISCARD int keyring_certify(struct publisher *pub,
    const uint8_t *bytes, int64_t now_unix_s, struct problem *problem);

/**
 * keyring_free(): wipe and free the identity key.
 */
void keyring_free(struct publisher *pub);

#endif /* MUSTER_HOST_STATE_H */
