/* SPDX-License-Identifier: MIT */
/*
 * kms.h -- a host: records in, a turn, records out, and its crashes.
 *
 * What musterd does between its sockets, its clock and its store thread:
 * requests that come while a batch is with the store are the next batch, and
 * a reply leaves after the commit.  The memory store is its disk: it outlives
 * a crash, all else does not.
 */
#ifndef MUSTER_SIM_KMS_H
#define MUSTER_SIM_KMS_H

#include "sim/sim.h"

/**
 * kms_unix_s(): its wall clock.
 *
 * Returns: seconds since 1970
 */
int64_t kms_unix_s(const struct sim *s, const struct kms *k);

/**
 * kms_ends_day(): the end of its certificate, by the bytes.
 *
 * Returns: a day since 1970; 0: it has none
 */
uint32_t kms_ends_day(const struct kms *k);

/**
 * kms_take_catalogue(): a catalogue comes into force.
 *
 * Returns: 0; as store_reserve()
 */
MUSTER_NODISCARD int
kms_take_catalogue(struct sim *s, uint32_t number, uint32_t catalogue);

/**
 * kms_receive(): a request came.
 */
void kms_receive(struct sim *s, const struct msg *m);

/**
 * kms_event(): EV_SUBMIT, EV_COMMIT, EV_SIGN, EV_IDLE, EV_HOST_UP.
 */
void kms_event(struct sim *s, const struct event *ev);

/**
 * kms_stop(): it is down for a while; what it had in memory is gone.
 *
 * In:      for_ms   negative: until kms_start()
 */
void kms_stop(struct sim *s, uint32_t number, int64_t for_ms);

/**
 * kms_start(): it is up.
 */
void kms_start(struct sim *s, uint32_t number);

/**
 * kms_set_rogue(): it knows of no end of its certificate, or again what stands
 * in it.
 */
void kms_set_rogue(struct kms *k, bool is_rogue);

#endif /* MUSTER_SIM_KMS_H */
