/* SPDX-License-Identifier: MIT */
#include <string.h>

#include "base/errcode.h"
#include "cli/cli.h"
#include "tap.h"

static void
test_each_error_has_a_next_step(void)
{
	static const int all[] = {
#define X(name, value, text) value,
	    MUSTER_ERR_LIST(X)
#undef X
	};
	const char *other = cli_next_step(1);

	for (size_t i = 0; i < sizeof(all) / sizeof(all[0]); i++) {
		printf("# %s\n", muster_errname(all[i]));
		ok(cli_next_step(all[i])[0] != '\0');
		ok(strcmp(cli_next_step(all[i]), other) != 0);
	}
	ok(other[0] != '\0');
}

static void
test_errcode_is_lower_case_without_prefix(void)
{
	char code[ERRCODE_MAX];

	errcode(0, code);
	is_str(code, "ok");
	errcode(MUSTER_E_NOENT, code);
	is_str(code, "noent");
	errcode(MUSTER_E_NOMACHINE, code);
	is_str(code, "no_machine_id");
	errcode(1, code);
	is_str(code, "unknown");
}

int
main(void)
{
	test_each_error_has_a_next_step();
	test_errcode_is_lower_case_without_prefix();
	return tap_done();
}
