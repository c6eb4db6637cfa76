/* SPDX-License-Identifier: MIT */
/* test_outage.c -- which failures of the store the log tells, and when. */
#include "host/outage.h"

#include <string.h>

#include "tap.h"

#define T0 1000

static void
test_a_failure_is_told_once_a_minute(void)
{
	struct outage o = {.told = 0};

	is(outage_note(&o, 0, "", T0), OUTAGE_SILENT);
	is(outage_note(&o, MUSTER_E_AGAIN, "a", T0), OUTAGE_TELL);
	is(outage_note(&o, MUSTER_E_AGAIN, "a", T0 + 1), OUTAGE_SILENT);
	is(outage_note(&o, MUSTER_E_AGAIN, "a", T0 + OUTAGE_AGAIN_MS - 1),
	    OUTAGE_SILENT);
	is(outage_note(&o, MUSTER_E_AGAIN, "a", T0 + OUTAGE_AGAIN_MS),
	    OUTAGE_TELL);
	is(outage_note(&o, 0, "", T0 + OUTAGE_AGAIN_MS), OUTAGE_OVER);
	is(outage_note(&o, 0, "", T0 + OUTAGE_AGAIN_MS), OUTAGE_SILENT);
	/* a new outage is told whatever the last one was */
	is(outage_note(&o, MUSTER_E_AGAIN, "a", T0 + OUTAGE_AGAIN_MS + 1),
	    OUTAGE_TELL);
}

static void
test_another_outcome_is_told_at_once(void)
{
	struct outage o = {.told = 0};

	is(outage_note(&o, MUSTER_E_AGAIN, "a", T0), OUTAGE_TELL);
	is(outage_note(&o, MUSTER_E_UNSURE, "a", T0), OUTAGE_TELL);
	is(outage_note(&o, MUSTER_E_UNSURE, "a", T0), OUTAGE_SILENT);
}

static void
test_another_cause_is_told_when_its_turn_comes(void)
{
	struct outage o = {.told = 0};

	is(outage_note(&o, MUSTER_E_AGAIN, "refused", T0), OUTAGE_TELL);
	is(outage_note(&o, MUSTER_E_AGAIN, "is behind", T0 + 1), OUTAGE_SILENT);
	is(outage_note(&o, MUSTER_E_AGAIN, "is behind",
	       T0 + OUTAGE_CAUSE_MS - 1),
	    OUTAGE_SILENT);
	/* it was not told yet, so it is not forgotten either */
	is(outage_note(&o, MUSTER_E_AGAIN, "is behind", T0 + OUTAGE_CAUSE_MS),
	    OUTAGE_TELL);
	is(outage_note(&o, MUSTER_E_AGAIN, "is behind",
	       T0 + 2 * OUTAGE_CAUSE_MS),
	    OUTAGE_SILENT);
	is(outage_note(&o, MUSTER_E_AGAIN, "refused", T0 + 2 * OUTAGE_CAUSE_MS),
	    OUTAGE_TELL);
}

static void
test_a_cause_that_is_too_long_is_one_cause(void)
{
	struct outage o = {.told = 0};
	char text[2 * STORE_DIAG_MAX];

	memset(text, 'x', sizeof(text));
	text[sizeof(text) - 1] = '\0';
	is(outage_note(&o, MUSTER_E_AGAIN, text, T0), OUTAGE_TELL);
	is(outage_note(&o, MUSTER_E_AGAIN, text, T0 + OUTAGE_CAUSE_MS),
	    OUTAGE_SILENT);
}

int
main(void)
{
	test_a_failure_is_told_once_a_minute();
	test_another_outcome_is_told_at_once();
	test_another_cause_is_told_when_its_turn_comes();
	test_a_cause_that_is_too_long_is_one_cause();
	return tap_done();
}
