/* SPDX-License-Identifier: MIT */
/*
 * logform.h -- the forms of one event of the log; pure.
 *
 *   text     catalogue: of Acme in force: serial 3
 *            request: counted: 3 of 25 [request=9f3c5a1e77d0b264 ...]
 *   JSON     {"unix_ms":1790000000000,"level":"note","program":"musterd",
 *            "event":"catalogue","message":"of Acme in force: serial 3",
 *            "fields":{"serial":3}}            in one line
 *   journal  MESSAGE=catalogue: of Acme in force: serial 3
 *            PRIORITY=6
 *            SYSLOG_IDENTIFIER=musterd
 *            MUSTER_EVENT=catalogue
 *            MUSTER_SERIAL=3
 *
 * No byte of a sentence or value ends a line or a text in it: what is a control
 * code or no UTF-8 is "?" in text, and escaped in JSON; a value with the end of
 * a line goes to the journal with its length in front.  What is too long is
 * cut between two characters, and "(cut)", "cut":true or MUSTER_CUT=1 says so.
 * Source: systemd, Native Journal Protocol; RFC 8259
 */
#ifndef MUSTER_BASE_LOGFORM_H
#define MUSTER_BASE_LOGFORM_H

#include <stddef.h>

#include "base/log.h"

#define LOGFORM_PROGRAM_MAX 32 /* muster-authority is the longest */
#define LOGFORM_EVENT_MAX 23

/* Every quotation mark of a sentence takes two bytes; one of escapes alone is
 * cut earlier. */
#define LOGFORM_MESSAGE_MAX 1600
/* PIPE_BUF: two threads that write into a pipe do not mix their lines */
#define LOGFORM_JSON_MAX 4096
#define LOGFORM_FIELDS_MAX (LOG_FIELDS_MAX * (LOG_NAME_MAX + 6 + LOG_VALUE_MAX))
#define LOGFORM_TEXT_MAX (64 + LOG_TEXT_MAX + LOGFORM_FIELDS_MAX)
#define LOGFORM_JOURNAL_MAX       \
	(256 + LOGFORM_TEXT_MAX + \
	    LOG_FIELDS_MAX * (LOG_NAME_MAX + 7 + 10 + LOG_VALUE_MAX))
#define LOGFORM_MAX LOGFORM_JOURNAL_MAX /* of any form */

/**
 * logform_text(): "event: sentence [fields]", and "\n".
 *
 * In:      prefix   "<6>" and the like of the journal's stream, or ""
 * Out:     out      LOGFORM_MAX bytes; no NUL behind it
 * Returns: bytes written
 */
size_t
logform_text(const struct log_record *record, const char *prefix, char *out);

/**
 * logform_json(): one object, and "\n".
 *
 * In:      prefix   as logform_text()
 * Out:     out      LOGFORM_MAX bytes, at most LOGFORM_JSON_MAX used
 * Returns: bytes written
 */
size_t logform_json(const struct log_record *record, const char *prefix,
    const char *program, int64_t unix_ms, char *out);

/**
 * logform_journal(): the datagram of the journal's native protocol.
 *
 * Out:     out      LOGFORM_MAX bytes
 * Returns: bytes written
 */
size_t logform_journal(const struct log_record *record, const char *program,
    char *out);

/**
 * logform_level(): a level's name: error, warning, note, fine.
 *
 * Returns: static
 */
const char *logform_level(enum log_level level);

/**
 * logform_fields(): the fields alone, as an object of JSON with a NUL behind;
 * as many as there is room for, whole ones.
 *
 * In:      cap      bytes of out, at least 3
 */
void logform_fields(const struct log_field *fields, char *out, size_t cap);

#endif /* MUSTER_BASE_LOGFORM_H */
