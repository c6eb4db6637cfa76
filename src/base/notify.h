/* SPDX-License-Identifier: MIT */
/*
 * notify.h -- the protocols of service managers, without libsystemd: state by
 * datagram to $NOTIFY_SOCKET, sockets by $LISTEN_FDS.
 * Source: sd_notify(3), sd_listen_fds(3).
 */
#ifndef MUSTER_BASE_NOTIFY_H
#define MUSTER_BASE_NOTIFY_H

#define NOTIFY_FD_FIRST 3

/**
 * notify_send(): tell the service manager, if there is one.
 *
 * In:      state    such as "READY=1"
 */
void notify_send(const char *state);

/**
 * notify_sockets(): how many sockets were handed over, from NOTIFY_FD_FIRST
 * on; each is made close-on-exec and non-blocking.
 *
 * Returns: the number, 0 when none are meant for this process
 */
int notify_sockets(void);

#endif /* MUSTER_BASE_NOTIFY_H */
