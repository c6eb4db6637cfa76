/* SPDX-License-Identifier: MIT */
/*
 * world.h -- the beginning of a run: what the seed draws, keys, catalogues.
 */
#ifndef MUSTER_SIM_WORLD_H
#define MUSTER_SIM_WORLD_H

#include "sim/sim.h"

#define WORLD_PRODUCTS 2   /* in two groups, or in one */
#define WORLD_HOSTS_MAX 5  /* drawn */
#define WORLD_START_MAX 12 /* machines at the beginning, but for */
#define WORLD_LARGE_MAX 60 /* one world in WORLD_LARGE */
#define WORLD_LARGE 16
#define WORLD_HUGE_MAX 200 /* and one in WORLD_HUGE: a check of all is dear */
#define WORLD_HUGE 300
#define WORLD_MACHINES_MAX (WORLD_HUGE_MAX + 20) /* and their copies */
#define WORLD_PORT 1688
#define WORLD_ISSUER_DAYS 100 /* that the issuing key is older than a run */
#define WORLD_HOST_MAX 32     /* bytes of a host's name and port */

/**
 * world_draw(): the swarm of a seed.
 *
 * Each kind of fault is on or off, so that some worlds have few of them and
 * show what many would hide; rates are log-uniform.
 */
void world_draw(struct rng *r, struct swarm *w);

/**
 * world_draw_plain(): the numbers of a site as it is installed, quick and
 * without faults; thresholds and hosts are the caller's.
 */
void world_draw_plain(struct swarm *w);

/**
 * world_init(): keys, catalogues and hosts; no machine yet.
 *
 * Returns: 0; what a codec or the store said
 */
MUSTER_NODISCARD int world_init(struct sim *s);

/**
 * world_certify(): a host gets a certificate.
 *
 * In:      is_rebuilt  it has another key, and is activated once more
 *          days        from today until it ends; 0: it does not
 */
void
world_certify(struct sim *s, uint32_t number, bool is_rebuilt, uint32_t days);

/**
 * world_certify_untimely(): a host gets one that was issued before its issuing
 * key was of any use, as who found an old key would make it; another host key.
 */
void world_certify_untimely(struct sim *s, uint32_t number);

/**
 * world_is_revoked(): does a catalogue revoke what a certificate signed? By the
 * bytes.
 *
 * In:      cert     CERT_LEN bytes
 * Returns: true when it does
 */
bool world_is_revoked(const struct sim *s, uint32_t catalogue,
    const uint8_t *cert, int64_t issued_unix_s);

/**
 * world_deinit(): close the stores.
 */
void world_deinit(struct sim *s);

/**
 * world_host(): name and port of a host.
 *
 * Out:     out      WORLD_HOST_MAX bytes
 */
void world_host(uint32_t host, char *out);

#endif /* MUSTER_SIM_WORLD_H */
