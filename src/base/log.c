/* SPDX-License-Identifier: MIT */
#include "base/log.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <unistd.h>

#define LOG_LINE_MAX 1024 /* bytes; the rest of a longer line is cut */

/* The level is the process's own, set once at start; nothing else is kept. */
static enum log_level level_max = LOG_NOTE;

void
log_set_level(enum log_level level)
{
	level_max = level;
}

void
log_line(enum log_level level, const char *event, const char *format, ...)
{
	char line[LOG_LINE_MAX];
	int saved = errno;
	int head, body;
	size_t len;
	va_list ap;

	if (level > level_max)
		return;
	head = snprintf(line, sizeof(line), "<%d>%s: ", (int)level, event);
	if (head < 0 || (size_t)head >= sizeof(line))
		return;
	va_start(ap, format);
	body = vsnprintf(line + head, sizeof(line) - (size_t)head, format, ap);
	va_end(ap);
	if (body < 0)
		return;
	len = (size_t)head + (size_t)body;
	if (len > sizeof(line) - 1)
		len = sizeof(line) - 1;
	line[len++] = '\n';
	/* a log that cannot be written has no one to be told to */
	(void)!write(STDERR_FILENO, line, len);
	errno = saved;
}
