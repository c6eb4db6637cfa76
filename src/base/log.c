/* SPDX-License-Identifier: MIT */
#include "base/log.h"

#include <errno.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/journal.h"
#include "base/logform.h"
#include "base/text.h"

#define STREAM_MAX 48 /* two numbers of 64 bits and a colon */
#define PREFIX_MAX 8  /* <7> */

/* All are the process's own.  A reload sets the level, the form and the
 * descriptor while another thread may log: each by itself is good at any
 * time.  The descriptor is never closed. */
static const char *program = "muster";
static const struct log_sink *sink;
static bool is_journal, is_ready;
static atomic_int level_max = LOG_NOTE;
static atomic_int form = LOG_FORMAT_AUTO;
static atomic_int journal_fd = -1;

/* The variable is inherited by whoever is started from a service: only with
 * the device and inode of our own standard error does it speak of us. */
static bool
is_ours(void)
{
	const char *stream = getenv("JOURNAL_STREAM");
	char own[STREAM_MAX];
	struct stat st;

	if (stream == NULL || fstat(STDERR_FILENO, &st) != 0)
		return false;
	(void)snprintf(own, sizeof(own), "%llu:%llu",
	    (unsigned long long)st.st_dev, (unsigned long long)st.st_ino);
	return strcmp(stream, own) == 0;
}

void
log_open(const char *name)
{
	program = name;
	is_journal = is_ours();
	log_set_format(form);
}

void
log_ready(void)
{
	is_ready = true;
}

void
log_set_level(enum log_level level)
{
	level_max = (int)level;
}

void
log_set_format(enum log_format format)
{
	bool is_wanted = format == LOG_FORMAT_JOURNAL ||
	    (format == LOG_FORMAT_AUTO && is_journal);

	if (is_wanted && journal_fd < 0)
		journal_fd = journal_open(JOURNAL_SOCKET);
	form = (int)format;
}

bool
log_level_parse(const char *text, enum log_level *level_out)
{
	static const enum log_level levels[] = {LOG_ERROR, LOG_WARN, LOG_NOTE,
	    LOG_FINE};

	for (size_t i = 0; i < sizeof(levels) / sizeof(levels[0]); i++) {
		if (text != NULL &&
		    strcmp(text, logform_level(levels[i])) == 0) {
			*level_out = levels[i];
			return true;
		}
	}
	return false;
}

bool
log_format_parse(const char *text, enum log_format *format_out)
{
	static const struct {
		const char *name;
		enum log_format format;
	} formats[] = {
	    {"auto", LOG_FORMAT_AUTO},
	    {"text", LOG_FORMAT_TEXT},
	    {"json", LOG_FORMAT_JSON},
	    {"journal", LOG_FORMAT_JOURNAL},
	};

	for (size_t i = 0; i < sizeof(formats) / sizeof(formats[0]); i++) {
		if (text != NULL && strcmp(text, formats[i].name) == 0) {
			*format_out = formats[i].format;
			return true;
		}
	}
	return false;
}

void
log_set_sink(const struct log_sink *other)
{
	sink = other;
}

bool
log_is_on(enum log_level level)
{
	return (int)level <= level_max;
}

/* The last character of a sentence that was cut is there, or not. */
static void
trim(char *text)
{
	size_t len = strlen(text), at = len;

	while (at > 0 && ((unsigned char)text[at - 1] & 0xc0) == 0x80)
		at--;
	if (at > 0)
		at--;
	if (text_char((const uint8_t *)text + at, len - at) != len - at)
		text[at] = '\0';
}

/* log_ready() says why not always. */
static bool
is_native(enum log_level level, enum log_format format)
{
	return format == LOG_FORMAT_JOURNAL && journal_fd >= 0 &&
	    (!is_journal || is_ready || level != LOG_ERROR);
}

static void
emit(const struct log_record *record)
{
	enum log_format format = (enum log_format)(int)form;
	char out[LOGFORM_MAX], prefix[PREFIX_MAX] = "";
	size_t len;

	if (format == LOG_FORMAT_AUTO)
		format = is_journal ? LOG_FORMAT_JOURNAL : LOG_FORMAT_TEXT;
	if (is_native(record->level, format) &&
	    journal_send(journal_fd, out,
	        logform_journal(record, program, out)))
		return;
	if (is_journal)
		(void)snprintf(prefix, sizeof(prefix), "<%d>",
		    (int)record->level);
	len = format == LOG_FORMAT_JSON
	    ? logform_json(record, prefix, program, clock_unix_ms(), out)
	    : logform_text(record, prefix, out);
	/* a log that cannot be written has no one to be told to */
	(void)!write(STDERR_FILENO, out, len);
}

__attribute__((format(printf, 4, 0))) static void
write_event(enum log_level level, const char *event,
    const struct log_field *fields, const char *format, va_list ap)
{
	char text[LOG_TEXT_MAX + 1];
	struct log_record record = {.level = level,
	    .event = event,
	    .text = text,
	    .fields = fields};
	int saved = errno;
	int n = vsnprintf(text, sizeof(text), format, ap);

	if (n < 0)
		return;
	record.is_cut = n > LOG_TEXT_MAX;
	if (record.is_cut)
		trim(text);
	if (sink != NULL)
		sink->take(&record);
	emit(&record);
	errno = saved;
}

void
log_line(enum log_level level, const char *event, const char *format, ...)
{
	va_list ap;

	if (!log_is_on(level))
		return;
	va_start(ap, format);
	write_event(level, event, NULL, format, ap);
	va_end(ap);
}

void
log_event(enum log_level level, const char *event,
    const struct log_field *fields, const char *format, ...)
{
	va_list ap;

	if (!log_is_on(level))
		return;
	va_start(ap, format);
	write_event(level, event, fields, format, ap);
	va_end(ap);
}
