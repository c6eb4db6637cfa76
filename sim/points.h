/* SPDX-License-Identifier: MIT */
/*
 * points.h -- what a campaign must have met at least once.
 *
 * A simulator that never gets anywhere proves nothing: a campaign of
 * POINTS_SEEDS seeds or more that misses one of these fails.
 */
#ifndef MUSTER_SIM_POINTS_H
#define MUSTER_SIM_POINTS_H

#include <stdint.h>

#define POINTS_SEEDS 500

/* The kinds of fault, each a point of its own. */
#define POINTS_FAULTS(X)                                             \
	X(DROP, "a message lost")                                    \
	X(DUPLICATE, "a message twice, or an old reply again")       \
	X(DELAY, "a message late by up to an hour")                  \
	X(REORDER, "two messages in the wrong order")                \
	X(CORRUPT, "a byte changed")                                 \
	X(CRASH, "a host down at its commit")                        \
	X(BUSY, "a full disk, or a commit of unknown outcome")       \
	X(TORN, "a machine down between two of its files")           \
	X(PC_DISK, "a machine's disk full, failing or unsure")       \
	X(CUT, "a message cut short")                                \
	X(RESET, "a connection refused or reset")                    \
	X(DISK_FULL, "a full disk under SQLite")                     \
	X(DISK_FAILS, "a disk under SQLite gone in a commit")        \
	X(DNS_FAIL, "a name server that fails")                      \
	X(DNS_SILENT, "a name server that is silent")                \
	X(DNS_LATE, "an answer of a name server late by seconds")    \
	X(DISK_READ, "a disk under SQLite that cannot be read")      \
	X(DISK_RO, "a disk under SQLite that is read-only")          \
	X(DNS_BROKEN, "an answer of a name server cut short")        \
	X(DNS_STALE, "a name server that lacks the last record")     \
	X(HOST_RESTART, "a host down and up again")                  \
	X(HOST_CLOCK, "a host's clock set")                          \
	X(CLOCK, "a machine's clock set")                            \
	X(HOST_FREEZE, "a host's clock stands still")                \
	X(DRIFT, "a machine's clock too fast or too slow")           \
	X(SLEEP, "a machine asleep for up to two days")              \
	X(FREEZE, "a machine's clock stands still")                  \
	X(RESTART, "a machine, or all of them, down and up again")   \
	X(CLONE, "a machine's disk copied")                          \
	X(GENERALIZE, "an image made of a machine")                  \
	X(REARM, "a product rearmed")                                \
	X(GONE, "a product's key gone, and later there again")       \
	X(CATALOGUE, "a catalogue that raises the threshold")        \
	X(OUTAGE, "no network: a message or a call lost")            \
	X(PARTITION, "a message or a call lost by a host cut off")   \
	X(CLOG, "a message of a host held up, and then let go")      \
	X(PAUSE, "work held up by a host that stands still")         \
	X(CERTIFICATE, "a host's certificate or key replaced")       \
	X(ROGUE, "a host that signs under a certificate that ended") \
	X(AWAY, "a batch for a shared count that is away")           \
	X(LIE, "a disk that says synced, and is not")                \
	X(BACKUP, "an old database put back")                        \
	X(ASK, "somebody wants activation now")

#define POINTS_OTHERS(X)                                                      \
	X(CORRUPT_REQUEST, "a changed request came to a host")                \
	X(CORRUPT_REPLY, "a changed reply was refused")                       \
	X(REPLAY_REFUSED, "an old reply under a new number was refused")      \
	X(STALE_REFUSED, "an old reply was refused by its number")            \
	X(LATE, "a reply that nobody waited for")                             \
	X(TIMEOUT, "no answer in time")                                       \
	X(SECOND_TARGET, "the next host was asked")                           \
	X(SECOND_DOMAIN, "nobody responded in two domains")                   \
	X(KNOWN_HOST, "a host that was remembered was asked")                 \
	X(BETTER_HOST, "a renewal tried a host of a better priority")         \
	X(DEAD_RECORD, "a record led to no host")                             \
	X(EXPIRED_HOST, "a host's certificate was past its end")              \
	X(ENDED_REFUSED, "a reply under an ended certificate was refused")    \
	X(UNTIMELY, "a certificate from before its issuing key's time")       \
	X(UNTIMELY_REFUSED, "a reply under such a certificate was refused")   \
	X(REVOKED_REFUSED, "a revoked host's reply was refused")              \
	X(CROWD, "a hundred machines of one world were licensed at once")     \
	X(SHARED, "two hosts counted one machine once")                       \
	X(WRITES_LOST, "writes lost or torn by a loss of power")              \
	X(TORN_LOG, "the last transaction of a log was left out")             \
	X(IDLE_FAILED, "a disk gone in the idle work")                        \
	X(CLOSE_FAILED, "a disk gone in the last work of a host")             \
	X(IDLE_FULL, "a disk full in the idle work")                          \
	X(CLOSE_FULL, "a disk full in the last work of a host")               \
	X(SHARED_AGAIN, "a shared count that asked to try again")             \
	X(SHARED_UNSURE, "a host went on, unsure of a shared count")          \
	X(OPEN_FAILED, "a disk gone while a database was opened")             \
	X(UNKEPT, "a lease that could not be written")                        \
	X(OFFER, "a lease that could not be written was taken anew")          \
	X(LEASE_UNSURE, "a lease that is written and may not last")           \
	X(NOT_SHOWN, "a CMID that is not on disk was not shown")              \
	X(SPREAD, "a start that waited for a moment of its own")              \
	X(DOUBT_KEPT, "a batch in doubt was there after all")                 \
	X(DOUBT_LOST, "a batch in doubt was not there")                       \
	X(LIE_LOST, "what a disk had lied about was lost")                    \
	X(ST_UNKNOWN, "UNKNOWN_PRODUCT")                                      \
	X(ST_NOT_COVERED, "NOT_COVERED")                                      \
	X(ST_NOT_ACTIVATED, "HOST_NOT_ACTIVATED")                             \
	X(ST_CLOCK, "CLOCK")                                                  \
	X(ST_BUSY, "BUSY")                                                    \
	X(ST_GARBAGE, "a call refused by RPC")                                \
	X(CRASH_BEFORE, "down before the commit")                             \
	X(CRASH_AFTER, "down between commit and reply")                       \
	X(UNSURE, "committed, answered BUSY, down")                           \
	X(BATCH, "several requests in one batch")                             \
	X(TREE, "a lease shared in a tree was accepted")                      \
	X(BELOW, "a reply below the threshold was accepted")                  \
	X(EVICTED, "a record left a full cache")                              \
	X(AGED, "a record is held and does not count")                        \
	X(REPAIRED, "a record from the future was repaired")                  \
	X(CLEANED, "a record was cleaned up")                                 \
	X(FORGOTTEN, "a row was past its retention")                          \
	X(IS_CLONE, "a host told two machines under one CMID")                \
	X(NEW_CMID, "a copy took a CMID of its own")                          \
	X(SAME_GOES_ON, "a generalized machine went on as itself")            \
	X(REARM_REFUSED, "no rearm was left")                                 \
	X(EARLY, "asked again within ten seconds")                            \
	X(DOUBTFUL, "a wall clock that is not believed")                      \
	X(FIRST_SIGHT, "unlicensed -> initial grace")                         \
	X(INITIAL_LICENSED, "initial grace -> licensed")                      \
	X(TOLERANCE_LICENSED, "out-of-tolerance grace -> licensed")           \
	X(NOTIFICATION_LICENSED, "notification -> licensed")                  \
	X(CLOCK_LICENSED, "licensed again by a clock put right")              \
	X(LAPSED, "licensed -> out-of-tolerance grace: validity")             \
	X(MOVED, "licensed -> out-of-tolerance grace: machine")               \
	X(OUTGROWN, "licensed -> out-of-tolerance grace: catalogue")          \
	X(REVOKED, "licensed -> out-of-tolerance grace: revocation")          \
	X(INITIAL_ENDED, "initial grace -> notification")                     \
	X(TOLERANCE_ENDED, "out-of-tolerance grace -> notification")          \
	X(GRACE_UNSEEN, "licensed -> notification: its grace went by unseen") \
	X(GRACE_AGAIN, "notification -> a grace: a clock put right")          \
	X(REARMED, "to initial grace by a rearm")                             \
	X(AFRESH, "to initial grace by a generalized image elsewhere")        \
	X(RENEWED, "licensed, and licensed anew")                             \
	X(HEALED, "an answer after all faults ended")

enum point {
#define X(name, text) POINT_##name,
	POINTS_FAULTS(X) POINTS_OTHERS(X)
#undef X
	    POINTS_MAX
};

#define POINTS_N_FAULTS (POINT_ASK + 1)

struct points {
	uint64_t n[POINTS_MAX];
	/* how often hosts of one priority came first, against their weights */
	double share_off, share_var;
};

/**
 * points_text(): a point in words.
 *
 * Returns: static text
 */
const char *points_text(enum point point);

/**
 * points_name(): its short name.
 *
 * Returns: static text
 */
const char *points_name(enum point point);

#endif /* MUSTER_SIM_POINTS_H */
