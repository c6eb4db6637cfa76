/* SPDX-License-Identifier: MIT */
#include "base/log.h"

#include <errno.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define LOG_LINE_MAX 1024 /* bytes; the rest of a longer line is cut */

#define STREAM_MAX 48 /* two numbers of 64 bits and a colon */

/* Both are the process's own, set once at start; nothing else is kept. */
static enum log_level level_max = LOG_NOTE;
static bool is_journal;
static const struct log_sink *sink;

/* The variable is inherited by whoever is started from a service: only with
 * the device and inode of our own standard error does it speak of us. */
void
log_open(void)
{
	const char *stream = getenv("JOURNAL_STREAM");
	char own[STREAM_MAX];
	struct stat st;

	is_journal = false;
	if (stream == NULL || fstat(STDERR_FILENO, &st) != 0)
		return;
	(void)snprintf(own, sizeof(own), "%llu:%llu",
	    (unsigned long long)st.st_dev, (unsigned long long)st.st_ino);
	is_journal = strcmp(stream, own) == 0;
}

void
log_set_level(enum log_level level)
{
	level_max = level;
}

void
log_set_sink(const struct log_sink *other)
{
	sink = other;
}

bool
log_is_on(enum log_level level)
{
	return level <= level_max;
}

__attribute__((format(printf, 4, 0))) static void
write_line(enum log_level level, const char *event, const char *fields,
    const char *format, va_list ap)
{
	char line[LOG_LINE_MAX + LOG_FIELDS_MAX + sizeof(" []")];
	int saved = errno;
	char prefix[8] = "";
	int head, body;
	size_t len;

	if (is_journal)
		(void)snprintf(prefix, sizeof(prefix), "<%d>", (int)level);
	head = snprintf(line, LOG_LINE_MAX, "%s%s: ", prefix, event);
	if (head < 0 || head >= LOG_LINE_MAX)
		return;
	body = vsnprintf(line + head, LOG_LINE_MAX - (size_t)head, format, ap);
	if (body < 0)
		return;
	len = (size_t)head + (size_t)body;
	if (len > LOG_LINE_MAX - 1)
		len = LOG_LINE_MAX - 1;
	if (sink != NULL)
		sink->take(level, event, line + head, fields);
	if (fields[0] != '\0')
		len += (size_t)snprintf(line + len, sizeof(line) - len,
		    " [%.*s]", LOG_FIELDS_MAX, fields);
	line[len++] = '\n';
	/* a log that cannot be written has no one to be told to */
	(void)!write(STDERR_FILENO, line, len);
	errno = saved;
}

void
log_line(enum log_level level, const char *event, const char *format, ...)
{
	va_list ap;

	if (!log_is_on(level))
		return;
	va_start(ap, format);
	write_line(level, event, "", format, ap);
	va_end(ap);
}

void
log_event(enum log_level level, const char *event, const char *fields,
    const char *format, ...)
{
	va_list ap;

	if (!log_is_on(level))
		return;
	va_start(ap, format);
	write_line(level, event, fields, format, ap);
	va_end(ap);
}
