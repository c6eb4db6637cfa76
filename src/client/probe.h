/* SPDX-License-Identifier: MIT */
/*
 * probe.h -- looking at one host without being counted: NULL, COVER, and an
 * ACTIVATE of CMID zero; an edge, but for probe_judge().
 *
 * conf says who knows the host's name; NULL: the machine's own settings.
 * phase_out says how far a call came, for errors of names and of the network.
 * Source: doc/protocol.md, "RPC"; doc/behaviour.md b25.
 */
#ifndef MUSTER_CLIENT_PROBE_H
#define MUSTER_CLIENT_PROBE_H

#include <stdbool.h>
#include <stdint.h>

#include "client/exchange.h"
#include "client/request.h"
#include "muster/err.h"
#include "trust/catalogue.h"
#include "trust/cert.h"
#include "wire/msg.h"

/* What COVER says; all but the status are set with WIRE_OK only. */
struct probe_cover {
	enum wire_status status;
	int64_t host_unix_s;
	int64_t ahead_s;    /* host's clock less this one's */
	uint32_t catalogue; /* serial in force there */
	struct cert cert;
};

/**
 * probe_null(): does musterd, or another server of its program, answer?
 *
 * Out:     ms_out   from looking up the name to the reply
 * Returns: 0; as exchange_run() and rpc_reply_decode()
 * Blocks:  as exchange_run()
 */
MUSTER_NODISCARD int
probe_null(const struct exchange_target *target, const struct resolvconf *conf,
    enum exchange_phase *phase_out, int64_t *ms_out);

/**
 * probe_cover(): what a host says of itself to clients of a publisher.
 *
 * Out:     out      with 0 all of it, with other errors what was reached
 * Returns: 0
 *          MUSTER_E_REFUSED  the host says so: out->status
 *          MUSTER_E_CLOCK    the clocks differ by more than LEASE_CLOCK_S,
 *                            so that no date can be judged
 *          and as exchange_run(), wire_cover_decode(), probe_judge()
 * Blocks:  as exchange_run()
 */
MUSTER_NODISCARD int probe_cover(const struct exchange_target *target,
    const struct resolvconf *conf, const struct catalogue *cat,
    enum exchange_phase *phase_out, struct probe_cover *out);

/**
 * probe_judge(): would leases under this certificate hold today?  Pure.
 *
 * In:      p        CERT_LEN bytes
 * Out:     cert_out written unless it does not decode
 * Returns: 0
 *          MUSTER_E_PROTO, MUSTER_E_KEY  it does not decode
 *          MUSTER_E_ISSUER   issuing key not in the catalogue
 *          MUSTER_E_SIG      signature
 *          MUSTER_E_ISSUED   issued outside the issuing key's time
 *          MUSTER_E_REVOKED  from today on at the latest
 *          MUSTER_E_EXPIRED  today is outside its time
 */
MUSTER_NODISCARD int probe_judge(const struct catalogue *cat, const uint8_t *p,
    int64_t now_unix_s, struct cert *cert_out);

/**
 * probe_activate(): a signed reply that counts nobody.
 *
 * In:      machine  fingerprint, WIRE_ID_LEN bytes
 * Out:     reply_out  as request_judge_probe()
 * Returns: 0: signed by the host's key, whatever the count; as exchange_run()
 *          and request_judge_probe()
 * Blocks:  as exchange_run()
 */
MUSTER_NODISCARD int probe_activate(const struct exchange_target *target,
    const struct resolvconf *conf, const struct catalogue *cat,
    const struct cat_product *product, const uint8_t *machine,
    enum exchange_phase *phase_out, struct reply *reply_out);

/**
 * probe_is_unheard(): is it an error of the name or the network, which says
 * nothing of what the host is?  Pure.
 *
 * Returns: false also where there is no error
 */
bool probe_is_unheard(enum exchange_phase phase, int err);

#endif /* MUSTER_CLIENT_PROBE_H */
