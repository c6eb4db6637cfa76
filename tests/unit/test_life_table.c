/* SPDX-License-Identifier: MIT */
/*
 * The table of life.h, row by row, as two traces that are kept: a year, which
 * tests/e2e/test_year.py lives with the real programs, and what needs another
 * catalogue, a copy or damage.  A row that is in no trace, and a line of a
 * trace that is no row, is a failure.
 */
#include "life_fixture.h"

static struct lw w;
static char seen[2 * LW_TRACE_MAX];

static const struct life_event rearm_event = {.kind = LIFE_REARM};
static const struct life_event catalogue_event = {.kind = LIFE_CATALOGUE};

/* Compared with the trace that is kept; its rows are among those seen. */
static void
is_trace(const char *folder, const char *name)
{
	char path[512], want[LW_TRACE_MAX] = "";
	size_t len;
	FILE *f;

	(void)snprintf(path, sizeof(path), "%s/%s", folder, name);
	f = fopen(path, "r");
	ok(f != NULL);
	if (f != NULL) {
		want[fread(want, 1, sizeof(want) - 1, f)] = '\0';
		(void)fclose(f);
	}
	is_str(w.trace, want);
	len = strlen(seen);
	(void)snprintf(seen + len, sizeof(seen) - len, "%s", w.trace);
}

static void
hosts(bool is_up)
{
	lw_say(&w, is_up ? "the hosts are back" : "the hosts are gone");
	w.is_up = is_up;
}

static void
other_machine(void)
{
	lw_say(&w, "the state is on another machine");
	w.machine.id[0]++;
	lw_look(&w, "another machine");
}

static void
do_rearm(void)
{
	lw_say(&w, "rearm");
	lw_do(&w, &rearm_event, "rearm");
}

/* First sight, a clock ahead, threshold, an outage of more than 40 days, a
 * clock set back, ... each script line is one of test_year.py too. */
static void
first_half(void)
{
	w.count = 3;
	lw_start(&w, true, "first sight");
	lw_contacts(&w, 2);
	hosts(false);
	lw_clock(&w, 20, "the clock stands 20 days ahead");
	lw_clock(&w, 0, "the clock is put right");
	hosts(true);
	lw_say(&w, "four machines more");
	w.count = 7;
	lw_contacts(&w, 19);
	hosts(false);
	lw_contacts(&w, 42);
	hosts(true);
	lw_contacts(&w, 9);
	hosts(false);
	lw_clock(&w, -3, "the clock is set back by 3 days");
	lw_clock(&w, 0, "the clock is put right");
	hosts(true);
	lw_contacts(&w, 10);
}

static void
second_half(void)
{
	hosts(false);
	other_machine();
	hosts(true);
	lw_contacts(&w, 6);
	hosts(false);
	lw_clock(&w, 35, "the clock stands 35 days ahead");
	lw_clock(&w, 0, "the clock is put right");
	lw_clock(&w, 45, "the clock stands 45 days ahead");
	lw_clock(&w, 0, "the clock is put right");
	hosts(true);
	lw_contacts(&w, 6);
	hosts(false);
	other_machine();
	lw_clock(&w, 20, "the clock stands 20 days ahead");
	lw_clock(&w, 0, "the clock is put right");
	do_rearm();
	hosts(true);
	lw_contacts(&w, 4);
	hosts(false);
	lw_say(&w, "the machine is off for 41 days");
	w.true_unix_s += 41 * LW_DAY;
	lw_look(&w, "time");
	do_rearm();
	hosts(true);
	lw_contacts(&w, 2);
	hosts(false);
	do_rearm();
	lw_contacts(&w, 12);
	hosts(true);
	lw_contacts(&w, 8);
}

static void
test_life_a_year(const char *folder)
{
	lw_init(&w, FX_NOW);
	fx_cat.issuers[0].not_after_day += 400;
	first_half();
	second_half();
	printf("# %u rounds, %u replies, %u renewals\n", w.n_asked, w.n_replies,
	    w.n_renewals);
	ok(w.n_renewals >= 52);
	ok(w.true_unix_s - w.begin_unix_s >= 365 * LW_DAY);
	is_trace(folder, "life-year.txt");
}

static void
other_catalogue(uint32_t threshold, uint32_t initial_days, uint32_t lapse_days)
{
	char what[96];

	(void)snprintf(what, sizeof(what),
	    "a newer catalogue: threshold %u, graces of %u and %u days",
	    threshold, initial_days, lapse_days);
	lw_say(&w, what);
	fx_cat.products[0].threshold = threshold;
	fx_cat.products[0].initial_grace_days = initial_days;
	fx_cat.products[0].lapse_grace_days = lapse_days;
	lw_do(&w, &catalogue_event, "a newer catalogue");
}

/* What damage to its file leaves, where no lease tells more. */
static void
lose_first_sight(void)
{
	lw_say(&w, "the product's file is damaged, and there is no lease");
	w.life.state.first_seen_unix_s = STATE_SEEN_LOST;
	w.life.licence = WIRE_UNLICENSED; /* a new run of the program */
	lw_look(&w, "damage");
	is(w.life.licence, WIRE_UNLICENSED);
}

/* The rows for which something is installed, copied or damaged. */
static void
test_life_rows_that_need_more_than_time(const char *folder)
{
	lw_init(&w, FX_NOW);
	lw_start(&w, true, "first sight");
	hosts(false);
	lw_contacts(&w, 20);
	other_catalogue(5, 1, 10);
	other_catalogue(5, 10, 10);
	lose_first_sight();
	do_rearm();
	lose_first_sight();
	hosts(true);
	lw_contacts(&w, 1);
	hosts(false);
	other_catalogue(6, 10, 10);
	other_catalogue(5, 10, 10);
	other_catalogue(6, 10, 0);
	other_catalogue(6, 10, 10);
	other_catalogue(6, 10, 0);
	other_catalogue(5, 10, 0);
	lw_say(&w, "generalized; a copy starts on another machine");
	life_generalize(&w.publisher);
	life_generalize_product(&w.life.state);
	w.life.has_lease = false;
	w.machine.id[0]++;
	w.life.licence = WIRE_UNLICENSED; /* a new run of the program */
	lw_start(&w, false, "a generalized image");
	is_trace(folder, "life-rows.txt");
}

/* "FROM -> TO  BY" of a line, or NULL. */
static const char *
row_of(char *line, const char *start)
{
	char *end = strchr(line, '\n');

	if (end != NULL)
		*end = '\0';
	return strncmp(line, start, strlen(start)) == 0 &&
	        strstr(line, " -> ") != NULL
	    ? line + (start[0] == 'd' ? 15 : strlen(start))
	    : NULL;
}

/* The table of life.h and the rows of the traces are the same set. */
static void
test_b33_each_row_of_the_table_is_in_a_trace(const char *header)
{
	static char table[64][128];
	char line[256], was[2 * LW_TRACE_MAX], *rest = was;
	size_t n = 0, n_seen = 0;
	FILE *f = fopen(header, "r");

	ok(f != NULL);
	while (f != NULL && fgets(line, sizeof(line), f) != NULL && n < 64) {
		const char *row = row_of(line, " *   ");

		if (row != NULL)
			(void)snprintf(table[n++], 128, "%.100s", row);
	}
	if (f != NULL)
		(void)fclose(f);
	ok(n > 20 && n < 64);
	for (size_t i = 0; i < n; i++) {
		char needle[256];

		(void)snprintf(needle, sizeof(needle), "  %.120s\n", table[i]);
		if (!ok(strstr(seen, needle) != NULL))
			printf("# no trace has: %s\n", table[i]);
	}
	memcpy(was, seen, sizeof(was));
	for (char *p; (p = strsep(&rest, "\n")) != NULL;) {
		const char *row = row_of(p, "day ");
		bool is_there = row == NULL;

		n_seen += row != NULL;
		for (size_t i = 0; i < n && !is_there; i++)
			is_there = strcmp(row, table[i]) == 0;
		if (!ok(is_there))
			printf("# the table lacks: %s\n", row);
	}
	ok(n_seen >= n);
}

int
main(int argc, char *argv[])
{
	const char *vectors = argc > 1 ? argv[1] : "tests/vectors";

	test_life_a_year(vectors);
	test_life_rows_that_need_more_than_time(vectors);
	test_b33_each_row_of_the_table_is_in_a_trace("src/client/life.h");
	return tap_done();
}
