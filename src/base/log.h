/* SPDX-License-Identifier: MIT */
/*
 * log.h -- events: a level, a stable name, a sentence, and fields for
 * programs.  doc/logs.md has them all.
 *
 * One event is one line on standard error, as text or as JSON, or one datagram
 * to the journal (logform.h).  To the journal's stream a line has the prefix
 * of its level (<3>, <4>, <6>, <7>; sd-daemon(3)).  A journal that does not
 * take the datagram at once costs the fields, not the event: the line of text
 * is written then.
 */
#ifndef MUSTER_BASE_LOG_H
#define MUSTER_BASE_LOG_H

#include <stdbool.h>
#include <stdint.h>

#include "base/lognames.h"

#define LOG_TEXT_MAX 1023 /* bytes of a sentence; what is cut is said */
#define LOG_FIELDS_MAX 8  /* of an event; a datagram and a line are bounded */
#define LOG_VALUE_MAX 256 /* bytes of a text in a field: a path, most of them */

enum log_level { LOG_ERROR = 3, LOG_WARN = 4, LOG_NOTE = 6, LOG_FINE = 7 };

enum log_format {
	LOG_FORMAT_AUTO, /* the journal where standard error is its own */
	LOG_FORMAT_TEXT,
	LOG_FORMAT_JSON,
	LOG_FORMAT_JOURNAL,
};

#define LOG_NAME_ID(id, text, in_text) LOG_NAME_##id,
enum log_name { LOG_NAME_NONE, LOG_NAMES(LOG_NAME_ID) LOG_NAME_END };
#undef LOG_NAME_ID

enum log_kind { LOG_KIND_TEXT, LOG_KIND_NUMBER, LOG_KIND_CODE, LOG_KIND_UUID };

/* All is borrowed for the call. */
struct log_field {
	enum log_name name;
	enum log_kind kind;
	const char *text;    /* NULL: the field is left out */
	const uint8_t *uuid; /* 16 bytes */
	int64_t number;      /* a code: 0 is left out */
};

/* LOG_FIELDS(LOG_TEXT(FILE, path), LOG_CODE(err)): for log_event(). */
#define LOG_FIELDS(...) \
	((const struct log_field[]){__VA_ARGS__, {.name = LOG_NAME_NONE}})
#define LOG_TEXT(id, value)                                                   \
	{                                                                     \
		.name = LOG_NAME_##id, .kind = LOG_KIND_TEXT, .text = (value) \
	}
#define LOG_NUMBER(id, value)                                   \
	{                                                       \
		.name = LOG_NAME_##id, .kind = LOG_KIND_NUMBER, \
		.number = (int64_t)(value)                      \
	}
#define LOG_UUID(id, value)                                                   \
	{                                                                     \
		.name = LOG_NAME_##id, .kind = LOG_KIND_UUID, .uuid = (value) \
	}
/* an enum muster_err value, by the name that errcode() has for it */
#define LOG_CODE(value)                                       \
	{                                                     \
		.name = LOG_NAME_CODE, .kind = LOG_KIND_CODE, \
		.number = (value)                             \
	}

struct log_record {
	enum log_level level;
	const char *event;
	const char *text;
	const struct log_field *fields; /* up to LOG_NAME_NONE; NULL: none */
	bool is_cut;                    /* the sentence was longer */
};

/**
 * log_open(): whose log it is, and whether standard error is the journal's; it
 * is not taken for it before.  Then the journal's own socket is opened too,
 * before a sandbox is shut.
 *
 * In:      program  borrowed for ever
 * Source:  systemd.exec(5), $JOURNAL_STREAM
 */
void log_open(const char *program);

/**
 * log_ready(): the service serves; an error need no longer be its end.
 *
 * The journal looks a datagram's process up when it reads the datagram, and
 * of one that has ended meanwhile it knows no unit: `journalctl -u` would not
 * show why a start failed.  So an error goes by the stream until then.
 */
void log_ready(void);

/**
 * log_set_level(): lines above this level are dropped; default LOG_NOTE.
 */
void log_set_level(enum log_level level);

/**
 * log_set_format(): default LOG_FORMAT_AUTO.
 */
void log_set_format(enum log_format format);

/**
 * log_level_parse(): "error", "warning", "note" or "fine".
 *
 * In:      text     may be NULL
 * Returns: false: none of them; level_out is untouched
 */
bool log_level_parse(const char *text, enum log_level *level_out);

/**
 * log_format_parse(): "auto", "text", "json" or "journal".
 *
 * In:      text     may be NULL
 * Returns: false: none of them; format_out is untouched
 */
bool log_format_parse(const char *text, enum log_format *format_out);

struct log_sink {
	void (*take)(const struct log_record *record);
};

/**
 * log_set_sink(): hand every event that is written to another as well, on the
 * thread that logs; before there are other threads.
 *
 * In:      sink     borrowed for ever
 */
void log_set_sink(const struct log_sink *sink);

/**
 * log_line(): write an event without fields; errno is kept.
 *
 * In:      event    stable name of the event, such as "listening"
 *          format   printf's; never bytes from a peer that were not checked
 */
__attribute__((format(printf, 3, 4))) void
log_line(enum log_level level, const char *event, const char *format, ...);

/**
 * log_event(): log_line() with fields.
 *
 * In:      fields   LOG_FIELDS(...), at most LOG_FIELDS_MAX
 */
__attribute__((format(printf, 4, 5))) void log_event(enum log_level level,
    const char *event, const struct log_field *fields, const char *format, ...);

/**
 * log_is_on(): would a line of this level be written?
 *
 * Returns: whether
 */
bool log_is_on(enum log_level level);

#endif /* MUSTER_BASE_LOG_H */
