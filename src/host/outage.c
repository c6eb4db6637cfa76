/* SPDX-License-Identifier: MIT */
#include "host/outage.h"

#include <stdio.h>
#include <string.h>

#include "base/clock.h"
#include "base/log.h"

/* As much of it as is kept. */
static bool
is_same_cause(const struct outage *outage, const char *cause)
{
	return strncmp(outage->cause.text, cause,
	           sizeof(outage->cause.text) - 1) == 0;
}

enum outage_word
outage_note(struct outage *outage, int outcome, const char *cause,
    int64_t now_ms)
{
	const int before = outage->told;
	const int64_t age_ms = now_ms - outage->told_ms;

	outage->told = outcome;
	if (outcome == 0)
		return before != 0 ? OUTAGE_OVER : OUTAGE_SILENT;
	if (outcome == before && age_ms < OUTAGE_AGAIN_MS &&
	    (age_ms < OUTAGE_CAUSE_MS || is_same_cause(outage, cause)))
		return OUTAGE_SILENT;
	(void)snprintf(outage->cause.text, sizeof(outage->cause.text), "%s",
	    cause);
	outage->told_ms = now_ms;
	return OUTAGE_TELL;
}

void
outage_tell(struct outage *outage, int outcome, const char *what,
    const char *cause)
{
	switch (outage_note(outage, outcome, cause, clock_mono_ms())) {
	case OUTAGE_SILENT:
		break;
	case OUTAGE_OVER:
		log_line(LOG_NOTE, "store", "answers again");
		break;
	case OUTAGE_TELL:
		log_event(LOG_ERROR, "store", LOG_FIELDS(LOG_CODE(outcome)),
		    "%s: %s; %s", muster_strerror(outcome), what, cause);
	}
}
