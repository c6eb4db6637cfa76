/* SPDX-License-Identifier: MIT */
/*
 * journal.h -- the journal's own socket: an event is one datagram.
 *
 * The socket belongs to the service manager, not to the journal, and stays
 * when the journal is started anew.  Nothing here waits: a journal that is
 * behind refuses, and the caller has another way.
 * Source: systemd, Native Journal Protocol
 */
#ifndef MUSTER_BASE_JOURNAL_H
#define MUSTER_BASE_JOURNAL_H

#include <stdbool.h>
#include <stddef.h>

#define JOURNAL_SOCKET "/run/systemd/journal/socket"

/**
 * journal_open(): connect to it.
 *
 * In:      path     JOURNAL_SOCKET, but in a test
 * Returns: a descriptor, or -1: it is not there, or takes nothing
 */
int journal_open(const char *path);

/**
 * journal_send(): hand one event over.
 *
 * Returns: false: it was not taken, and nothing of it is there
 */
bool journal_send(int fd, const char *datagram, size_t len);

#endif /* MUSTER_BASE_JOURNAL_H */
