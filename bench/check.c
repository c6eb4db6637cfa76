/* SPDX-License-Identifier: MIT */
/*
 * check.c -- what muster_check() costs a product that is activated.
 *
 * usage: bench_check ROOT CATALOGUE ROOT-KEY PRODUCT CALLS
 * ROOT-KEY and PRODUCT in hex.  An answer other than "licensed" ends it: a
 * call that gives up early would be a cheap one.
 */
#include "muster/muster.h"
#include "tool.h"

#define WARM_UP 50
#define CALLS_MAX 1000000

static int
one(const struct muster_product *product)
{
	struct muster_answer answer;
	int err = muster_check(product, &answer);

	if (err == 0 && answer.state != MUSTER_LICENSED_NOW)
		err = answer.reason;
	if (err != 0)
		(void)fprintf(stderr, "muster_check: %s\n",
		    muster_strerror(err));
	return err;
}

/* User and system, of the process. */
static int64_t
cpu_ns(void)
{
	struct timespec t;

	(void)clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &t);
	return (int64_t)t.tv_sec * 1000000000 + t.tv_nsec;
}

static int
run(const struct muster_product *product, int64_t *took_ns, uint32_t n)
{
	int64_t used_ns;

	for (uint32_t i = 0; i < WARM_UP; i++) {
		if (one(product) != 0)
			return 1;
	}
	used_ns = cpu_ns();
	for (uint32_t i = 0; i < n; i++) {
		int64_t begin_ns = tool_now_ns();

		if (one(product) != 0)
			return 1;
		took_ns[i] = tool_now_ns() - begin_ns;
	}
	used_ns = cpu_ns() - used_ns;
	(void)printf("{\"calls\":%u,\"cpu_us\":%.3f,", n,
	    (double)used_ns / 1e3 / n);
	tool_tell_times(took_ns, n);
	(void)puts("}");
	return 0;
}

int
main(int argc, char **argv)
{
	uint8_t root_key[MUSTER_ROOT_KEY_LEN], id[MUSTER_PRODUCT_LEN];
	struct muster_product product = {.product = id,
	    .root_keys = root_key,
	    .n_root_keys = 1};
	uint32_t n = argc == 6 ? tool_number(argv[5], CALLS_MAX) : 0;
	int64_t *took_ns;
	int exit_code;

	if (n == 0 || !tool_hex(argv[3], root_key, sizeof(root_key)) ||
	    !tool_hex(argv[4], id, sizeof(id))) {
		(void)fputs("usage: bench_check ROOT CATALOGUE ROOT-KEY "
		            "PRODUCT CALLS\n",
		    stderr);
		return 2;
	}
	product.root = argv[1];
	product.catalogue = argv[2];
	took_ns = calloc(n, sizeof(*took_ns));
	if (took_ns == NULL)
		return 1;
	exit_code = run(&product, took_ns, n);
	free(took_ns);
	return exit_code;
}
