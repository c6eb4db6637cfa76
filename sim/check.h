/* SPDX-License-Identifier: MIT */
/*
 * check.h -- what must hold, after every step.
 *
 *   I1    a client that accepted a reply is in its host's table, also after
 *         any crash (until its retention is over)
 *   I2    a table holds only what a record that reached the host named
 *   I3    one id counts once in its group: cache, order and count are the
 *         model's
 *   I4    whoever is licensed has a lease that a host committed, whose count
 *         by the model reaches the threshold of the machine's catalogue
 *   I5    a nonce is sent once; a reply is taken by the request that it
 *         answers, and by no other, and one reply to a request
 *   I6    no reply is taken that was issued after its host's certificate ended
 *   I7    once all is healed each machine has an answer in time, and is
 *         licensed where the count suffices
 *   b45   no reply is taken, and nobody is licensed, under a certificate that
 *         the machine's catalogue revokes, or that is older than the issuing
 *         key
 *   b34   a reply that was changed on its way, or is 4 hours off, is not taken
 *   b35   a lease holds on the machine only that it was given to
 *   b36   a lease holds no longer than its validity; a grace not either
 *   lease a lease counts once it is on disk, and one that could not be written
 *         is taken anew by the next step that may
 *   b33   a licence changes its state only as the table of life.h says
 *   b32   a renewal takes the place of an older lease
 *   b5    a host tells of a clone only where there was one, and always when a
 *         reply is named that another machine passed over (model.h)
 *   b6    a host's status is the one that the protocol asks for
 *   b1    a reply that nobody changed is taken, or a status was given
 *   b22   to b24: in which order hosts are looked up and asked (zone.h)
 *   b38   a rearmed product begins anew; a copy that was not generalized goes
 *         by a CMID of its own, and a machine by its own for good
 *
 * How b36 is checked.  The validity runs by the host's clock, and client and
 * host may be 4 hours apart, so a lease taken at a true time t holds until
 * t + validity + 4 h at most: by true time, as long as the machine's clock
 * has not been set back since.  Where it was, by d, the lease holds d longer
 * at most by the wall clock alone; but b36 allows less.  The machine knows
 * that it is at least as late as the last signed reply said, or as its wall
 * clock said at a timer while nobody had touched a clock since that reply
 * (pc.floor_unix_s), and by its clock's latest of wall, floor and signing of
 * the catalogue no lease holds beyond its end.  A restart forgets what was
 * not written.
 *
 * And the other way round: a clock that was set far ahead while the machine
 * ran does no harm for 24 hours unless a signed reply confirms it, so once it
 * is right a lease holds that by wall clock, signing and pc.ceiling_unix_s
 * has not ended.
 */
#ifndef MUSTER_SIM_CHECK_H
#define MUSTER_SIM_CHECK_H

#include "sim/sim.h"

/**
 * check_transition(): a step changed the licence as it may (b33).
 */
void check_transition(struct sim *s, uint32_t number, uint32_t product,
    const struct life_event *ev);

/**
 * check_cmid(): a machine that started goes by the CMID that it should.
 *
 * In:      old      the one on its disk, or zeros
 */
void check_cmid(struct sim *s, uint32_t number, const uint8_t *old);

/**
 * check_lease(): a product that was read has its lease and the rearms from
 * then, or no lease and one more used (b38).
 */
void check_lease(struct sim *s, uint32_t number, uint32_t product);

/**
 * check_met(): a product that was met has begun afresh, if it should (b38).
 *
 * In:      is_image  another machine's generalize left it
 */
void check_met(struct sim *s, uint32_t number, uint32_t product, bool is_image);

/**
 * check_nonce(): a request is about to be sent.
 */
void check_nonce(struct sim *s, uint32_t number, const struct request *request);

/**
 * check_due(): after a round the next contact is due in its time (b10, b31,
 * b32): by the intervals of the host that answered, a twentieth of it earlier
 * at most.
 */
void check_due(struct sim *s, uint32_t number, uint32_t product,
    const struct life_event *ev, const struct life_now *now);

/**
 * check_owed(): a step took the lease anew that could not be written, where it
 * may and the lease is good (lease).
 */
void check_owed(struct sim *s, uint32_t number, uint32_t product,
    const struct life_event *ev);

/**
 * check_reply(): a reply that verified is one that a host committed; its
 * client is acknowledged from now on.
 */
void check_reply(struct sim *s, const struct msg *m, const struct reply *reply);

/**
 * check_host(): I1 to I3 of one host.
 */
void check_host(struct sim *s, uint32_t number);

/**
 * check_keep(): idle work broke off: of what it may forget, the model keeps
 * what the host's table still holds.
 *
 * In:      all      what the model held before that work
 */
void check_keep(struct sim *s, uint32_t number, const struct model *all);

/**
 * check_is_model(): is the host's table this one?
 *
 * Returns: whether caches are the same, and clients with their last contacts
 */
bool check_is_model(struct sim *s, uint32_t number, const struct model *m);

/**
 * check_step(): the hosts and machines that the step touched.
 */
void check_step(struct sim *s);

/**
 * check_all(): every one of them.
 */
void check_all(struct sim *s);

#endif /* MUSTER_SIM_CHECK_H */
