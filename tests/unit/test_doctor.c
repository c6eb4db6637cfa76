/* SPDX-License-Identifier: MIT */
#include "client/doctor.h"

#include <stdio.h>

#include "tap.h"

/* Three targets: priority, and whether all went well; which is chosen? */
static void
test_b24_doctor_chooses_as_a_client(void)
{
	static const struct {
		const char *what, *known;
		uint16_t priority[3];
		bool is_well[3];
		size_t want;
		bool is_first_apart; /* of an earlier domain */
		size_t n_static;
		bool is_forgetful; /* caching is off */
	} cases[] = {
	    {"the first", "", {1, 1, 2}, {true, true, true}, 0, false, 0,
	        false},
	    {"the first that is well", "", {1, 1, 2}, {false, true, true}, 1,
	        false, 0, false},
	    {"none", "h1:1", {1, 1, 2}, {false, false, false}, 3, false, 0,
	        false},
	    {"the known one", "h1:1", {1, 1, 2}, {true, true, true}, 1, false,
	        0, false},
	    {"known, and not well", "h1:1", {1, 1, 2}, {true, false, true}, 0,
	        false, 0, false},
	    {"known, of worse priority", "h2:1", {1, 1, 2}, {true, true, true},
	        0, false, 0, false},
	    {"known, the better ones dead", "h2:1", {1, 1, 2},
	        {false, false, true}, 2, false, 0, false},
	    {"known, and gone", "h9:1", {1, 1, 2}, {true, true, true}, 0, false,
	        0, false},
	    {"known, of a later domain", "h1:1", {2, 1, 1}, {true, true, true},
	        0, true, 0, false},
	    {"known, the earlier domain dead", "h2:1", {2, 1, 1},
	        {false, true, true}, 2, true, 0, false},
	    {"known, and named", "h1:1", {0, 0, 0}, {true, true, true}, 0,
	        false, 3, false},
	    {"known, and not to be", "h1:1", {1, 1, 2}, {true, true, true}, 0,
	        false, 0, true},
	};
	static struct doctor d;

	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		d = (struct doctor){.n_targets = 3,
		    .where = {.n_hosts = cases[i].n_static,
		        .is_caching = !cases[i].is_forgetful}};
		(void)snprintf(d.known, sizeof(d.known), "%s", cases[i].known);
		for (size_t k = 0; k < 3; k++) {
			struct doctor_target *t = &d.target[k];

			(void)snprintf(t->text, sizeof(t->text), "h%zu:1", k);
			(void)snprintf(t->domain, sizeof(t->domain), "%s",
			    k == 0 && cases[i].is_first_apart ? "a.test"
			                                      : "b.test");
			t->priority = cases[i].priority[k];
			t->step =
			    cases[i].is_well[k] ? DOCTOR_STEPS : DOCTOR_CONNECT;
		}
		printf("# %s\n", cases[i].what);
		is(doctor_choose(&d), cases[i].want);
	}
}

int
main(void)
{
	test_b24_doctor_chooses_as_a_client();
	return tap_done();
}
