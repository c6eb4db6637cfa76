/* SPDX-License-Identifier: MIT */
/*
 * recover.h -- what a lease still proves when a state file is damaged or gone.
 *
 * A lease that verifies for this machine names the CMID it was given to, and
 * the product was seen no later than its issue.  Without one a damaged file
 * begins anew, and a product whose first sight is lost has no initial grace
 * (STATE_SEEN_LOST), so that damage is never worth a fresh one (b30).
 * recover_find() and recover_aside() are edges, the rest is pure.
 */
#ifndef MUSTER_CLIENT_RECOVER_H
#define MUSTER_CLIENT_RECOVER_H

#include <stdbool.h>
#include <stdint.h>

#include "client/machine.h"
#include "client/state.h"
#include "trust/lease.h"

#define RECOVER_SUFFIX ".damaged"

/**
 * recover_is_genuine(): was this lease given to this machine?
 *
 * Its end and the threshold do not matter.
 *
 * In:      cat      the catalogue in force
 * Returns: true when its chain verifies and the machine is this one
 */
bool recover_is_genuine(const struct lease *lease, const struct catalogue *cat,
    const struct machine *machine, int64_t now_unix_s);

/**
 * recover_find(): a genuine lease of any product of a catalogue.
 *
 * In:      root     NULL: the machine itself
 * Out:     lease_out  untouched where there is none
 * Returns: true when there is one
 */
bool recover_find(const char *root, const struct catalogue *cat,
    const struct machine *machine, int64_t now_unix_s, struct lease *lease_out);

/**
 * recover_publisher(): CMID and high water of a genuine lease.
 */
void
recover_publisher(const struct lease *lease, struct state_publisher *s_out);

/**
 * recover_product(): a product's state without its file.
 *
 * No previous reply is claimed: an older one than the last would look like a
 * clone.
 *
 * In:      lease       a genuine one of the product, or NULL
 *          is_damaged  a file was there
 */
void recover_product(const uint8_t *product, const struct lease *lease,
    bool is_damaged, int64_t now_unix_s, struct state_product *s_out);

/**
 * recover_aside(): keep a damaged file as PATH.damaged, the last one only.
 *
 * The file stays until it is replaced, so a crash between finds it damaged
 * again, not gone.
 */
void recover_aside(const char *path);

#endif /* MUSTER_CLIENT_RECOVER_H */
