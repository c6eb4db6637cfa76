/* SPDX-License-Identifier: MIT */
/*
 * log.h -- one line an event on standard error; to the journal with the prefix
 * of its level (<3>, <4>, <6>, <7>; sd-daemon(3)).
 */
#ifndef MUSTER_BASE_LOG_H
#define MUSTER_BASE_LOG_H

#include <stdbool.h>

#define LOG_FIELDS_MAX 191 /* an address, a request, and words of our own */

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

struct log_sink {
	/* level, event, text and fields ("" for none) */
	void (*take)(enum log_level level, const char *event, const char *text,
	    const char *fields);
};

/**
 * log_set_sink(): hand every line that is written to another as well, on the
 * thread that logs; before there are other threads.
 *
 * In:      sink     borrowed for ever
 */
void log_set_sink(const struct log_sink *sink);

/**
 * log_line(): write one line; errno is kept.
 *
 * In:      event    stable name of the event, such as "listening"
 *          format   printf's; never bytes from a peer that were not checked
 */
__attribute__((format(printf, 3, 4))) void
log_line(enum log_level level, const char *event, const char *format, ...);

/**
 * log_event(): log_line() with fields for programs, which end the line in
 * brackets: "request: granted [request=0123456789abcdef count=27]".
 *
 * In:      fields   NAME=VALUE, a space between two of them; neither has a
 *                   space, "=" or "]"; at most LOG_FIELDS_MAX bytes
 */
__attribute__((format(printf, 4, 5))) void log_event(enum log_level level,
    const char *event, const char *fields, const char *format, ...);

/**
 * log_is_on(): would a line of this level be written?
 *
 * Returns: whether
 */
bool log_is_on(enum log_level level);

#endif /* MUSTER_BASE_LOG_H */
