/* SPDX-License-Identifier: MIT */
/*
 * activate.c -- one process of many threads that call muster_activate().
 *
 * usage: bench_activate ROOT THREADS CALLS PRODUCT...
 * CALLS a thread; PRODUCT in hex.  Each thread begins with another product
 * and goes on to the next with each call, so they meet on all of them.
 */
#include <pthread.h>

#include "muster/muster.h"
#include "tool.h"

#define THREADS_MAX 1000
#define CALLS_MAX 100000
#define PRODUCTS_MAX 64

struct plan {
	const char *root;
	uint32_t n_threads, n_calls, n_products;
	uint8_t product[PRODUCTS_MAX][MUSTER_PRODUCT_LEN];
	pthread_barrier_t start;
};

struct worker {
	pthread_t thread;
	struct plan *plan;
	uint32_t number;
	uint32_t n_errors, n_early;
	int first_err;
	int64_t *took_ns; /* of its calls */
};

/* Good is what a product needs: asked, answered, activated. */
static int
one(const struct muster_product *product, bool *is_early_out)
{
	struct muster_info info;
	int err = muster_activate(product, 0, &info);

	if (err == 0)
		err = info.round;
	if (err == 0 && info.state != MUSTER_LICENSED_NOW)
		err = info.reason != 0 ? info.reason : MUSTER_E_COUNT;
	*is_early_out = err == 0 && info.is_early;
	return err;
}

static void *
work(void *arg)
{
	struct worker *w = arg;
	struct plan *plan = w->plan;

	(void)pthread_barrier_wait(&plan->start);
	for (uint32_t i = 0; i < plan->n_calls; i++) {
		struct muster_product product = {.root = plan->root,
		    .product =
		        plan->product[(w->number + i) % plan->n_products]};
		int64_t begin_ns = tool_now_ns();
		bool is_early;
		int err = one(&product, &is_early);

		w->took_ns[i] = tool_now_ns() - begin_ns;
		w->n_early += is_early;
		if (err != 0 && w->n_errors++ == 0)
			w->first_err = err;
	}
	return NULL;
}

static void
tell(const struct plan *plan, const struct worker *workers, int64_t *took_ns,
    double seconds)
{
	uint32_t n_errors = 0, n_early = 0;

	for (uint32_t i = 0; i < plan->n_threads; i++) {
		if (workers[i].n_errors != 0 && n_errors == 0)
			(void)fprintf(stderr, "muster_activate: %s\n",
			    muster_strerror(workers[i].first_err));
		n_errors += workers[i].n_errors;
		n_early += workers[i].n_early;
	}
	(void)printf("{\"calls\":%u,\"errors\":%u,\"early\":%u,"
	             "\"seconds\":%.6f,",
	    plan->n_threads * plan->n_calls, n_errors, n_early, seconds);
	tool_tell_times(took_ns, (size_t)plan->n_threads * plan->n_calls);
	(void)puts("}");
}

static int
run(struct plan *plan, struct worker *workers, int64_t *took_ns)
{
	int64_t begin_ns;

	if (pthread_barrier_init(&plan->start, NULL, plan->n_threads + 1) != 0)
		return 1;
	for (uint32_t i = 0; i < plan->n_threads; i++) {
		workers[i].plan = plan;
		workers[i].number = i;
		workers[i].took_ns = took_ns + (size_t)i * plan->n_calls;
		if (pthread_create(&workers[i].thread, NULL, work,
		        &workers[i]) != 0) {
			(void)fputs("no more threads\n", stderr);
			return 1;
		}
	}
	(void)pthread_barrier_wait(&plan->start);
	begin_ns = tool_now_ns();
	for (uint32_t i = 0; i < plan->n_threads; i++)
		(void)pthread_join(workers[i].thread, NULL);
	tell(plan, workers, took_ns, (double)(tool_now_ns() - begin_ns) / 1e9);
	return 0;
}

static bool
parse(int argc, char **argv, struct plan *plan)
{
	if (argc < 5 || argc - 4 > PRODUCTS_MAX)
		return false;
	plan->root = argv[1];
	plan->n_threads = tool_number(argv[2], THREADS_MAX);
	plan->n_calls = tool_number(argv[3], CALLS_MAX);
	plan->n_products = (uint32_t)argc - 4;
	for (uint32_t i = 0; i < plan->n_products; i++) {
		if (!tool_hex(argv[4 + i], plan->product[i],
		        MUSTER_PRODUCT_LEN))
			return false;
	}
	return plan->n_threads > 0 && plan->n_calls > 0;
}

int
main(int argc, char **argv)
{
	static struct plan plan;
	struct worker *workers;
	int64_t *took_ns;
	int exit_code = 1;

	if (!parse(argc, argv, &plan)) {
		(void)fputs("usage: bench_activate ROOT THREADS CALLS "
		            "PRODUCT...\n",
		    stderr);
		return 2;
	}
	workers = calloc(plan.n_threads, sizeof(*workers));
	took_ns =
	    calloc((size_t)plan.n_threads * plan.n_calls, sizeof(*took_ns));
	if (workers != NULL && took_ns != NULL)
		exit_code = run(&plan, workers, took_ns);
	free(took_ns);
	free(workers);
	return exit_code;
}
