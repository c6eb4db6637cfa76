/* SPDX-License-Identifier: MIT */
/*
 * log.h -- one line an event on standard error; to the journal with the prefix
 * of its level (<3>, <4>, <6>, <7>; sd-daemon(3)).
 */
#ifndef MUSTER_BASE_LOG_H
#define MUSTER_BASE_LOG_H

enum log_level { LOG_ERROR = 3, LOG_WARN = 4, LOG_NOTE = 6, LOG_FINE = 7 };

/**
 * log_open(): find out whether standard error is the journal's; it is not
 * taken for it before.
 *
 * Source: systemd.exec(5), $JOURNAL_STREAM
 */
void log_open(void);

/**
 * log_set_level(): lines above this level are dropped; default LOG_NOTE.
 */
void log_set_level(enum log_level level);

/**
 * log_line(): write one line; errno is kept.
 *
 * In:      event    stable name of the event, such as "listening"
 *          format   printf's; never bytes from a peer that were not checked
 */
__attribute__((format(printf, 3, 4))) void
log_line(enum log_level level, const char *event, const char *format, ...);

#endif /* MUSTER_BASE_LOG_H */
