/* SPDX-License-Identifier: MIT */
#include "host/problem.h"

#include <stdarg.h>
#include <stdio.h>

int
problem_set(struct problem *p, int err, unsigned http, const char *code,
    const char *next_step, const char *format, ...)
{
	va_list ap;

	p->http = http;
	p->code = code;
	p->next_step = next_step;
	va_start(ap, format);
	(void)vsnprintf(p->message, sizeof(p->message), format, ap);
	va_end(ap);
	return err;
}
