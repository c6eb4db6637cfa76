/* SPDX-License-Identifier: MIT */
/*
 * acme.c -- an example product: it counts words, where it is activated.
 *
 * What it shows: the lease is judged offline at each start, days left are
 * told before they matter, a grace is used with a notice, and a copy that is
 * not activated says why, what still works and what to do.  Looking at one's
 * own files always works.
 */
#include <ctype.h>
#include <inttypes.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>

#include "pinned.h"

#define DAY_S 86400
#define SOON_DAYS 14 /* a renewal is due every 7 days: two of them failed */

enum { EXIT_DONE = 0, EXIT_FAILED = 1, EXIT_USAGE = 2, EXIT_REFUSED = 3 };

static const struct muster_product self = {
    .product = pinned_product,
    .root_keys = &pinned_root_keys[0][0],
    .n_root_keys = sizeof(pinned_root_keys) / sizeof(pinned_root_keys[0]),
    .least_serial = PINNED_LEAST_SERIAL,
    .catalogue = PINNED_CATALOGUE,
    .root = PINNED_ROOT,
};

/* Why no lease holds, for one who knows nothing of leases. */
static void
explain(const struct muster_answer *a, char *out, size_t cap)
{
	switch (a->reason) {
	case MUSTER_E_NOENT:
		(void)snprintf(out, cap, "it was never activated here");
		break;
	case MUSTER_E_MACHINE:
		(void)snprintf(out, cap,
		    "its activation belongs to another machine; a copied disk "
		    "needs one of its own");
		break;
	case MUSTER_E_EXPIRED:
		(void)snprintf(out, cap,
		    "its activation ran out, as no KMS host was reached");
		break;
	case MUSTER_E_COUNT:
		(void)snprintf(out, cap,
		    "only %" PRIu32 " of %" PRIu32 " machines use it here so "
		    "far",
		    a->count, a->threshold);
		break;
	default:
		(void)snprintf(out, cap, "%s", muster_strerror(a->reason));
		break;
	}
}

/* Tell what the user should know now, and nothing when all is well. */
static bool
may_work(const struct muster_answer *a)
{
	int64_t days = a->seconds_left / DAY_S;
	char why[160];

	explain(a, why, sizeof(why));
	switch (a->state) {
	case MUSTER_LICENSED_NOW:
		if (days < SOON_DAYS)
			(void)fprintf(stderr,
			    "acme: the activation ends in %" PRId64 " days: no "
			    "KMS host was reached lately.\n",
			    days);
		return true;
	case MUSTER_INITIAL_GRACE_NOW:
	case MUSTER_TOLERANCE_GRACE_NOW:
		(void)fprintf(stderr,
		    "acme: not activated: %s.  %" PRId64 " days are left to "
		    "do it: acme --activate\n",
		    why, days);
		return true;
	case MUSTER_UNLICENSED_NOW:
	case MUSTER_NOTIFICATION_NOW:
		break;
	}
	(void)fprintf(stderr,
	    "acme: not activated: %s.\n"
	    "  Your files can be looked at: acme --view FILE\n"
	    "  To count words again: acme --activate, or ask your "
	    "administrator.\n",
	    why);
	return false;
}

static int
count_words(FILE *f)
{
	unsigned long words = 0;
	bool is_inside = false;
	int c;

	while ((c = getc(f)) != EOF) {
		words += !is_inside && !isspace(c);
		is_inside = !isspace(c);
	}
	(void)printf("%lu words\n", words);
	return ferror(f) ? EXIT_FAILED : EXIT_DONE;
}

static int
view(FILE *f)
{
	int c;

	while ((c = getc(f)) != EOF)
		(void)putchar(c);
	return ferror(f) ? EXIT_FAILED : EXIT_DONE;
}

static int
with_file(const char *name, int (*work)(FILE *))
{
	FILE *f = fopen(name, "r");
	int exit_code;

	if (f == NULL) {
		perror(name);
		return EXIT_FAILED;
	}
	exit_code = work(f);
	(void)fclose(f);
	return exit_code;
}

static int
about(const struct muster_answer *a)
{
	struct muster_info info;
	char why[160];

	if (a->state == MUSTER_LICENSED_NOW) {
		(void)printf("activated, %" PRId64 " days left; %" PRIu32
		             " machines, %" PRIu32 " are enough\n",
		    a->seconds_left / DAY_S, a->count, a->threshold);
	} else {
		explain(a, why, sizeof(why));
		(void)printf("not activated: %s\n", why);
		if (a->state == MUSTER_INITIAL_GRACE_NOW ||
		    a->state == MUSTER_TOLERANCE_GRACE_NOW)
			(void)printf("%" PRId64 " days are left to do it\n",
			    a->seconds_left / DAY_S);
	}
	/* for people to read; the answer above is what counts */
	if (muster_info(&self, &info) == 0)
		(void)printf("KMS host: %s\n",
		    info.host[0] != '\0' ? info.host : "none so far");
	return EXIT_DONE;
}

static int
activate(void)
{
	struct muster_info info;
	struct muster_answer a;
	char why[160];
	int err = muster_activate(&self, 0, &info);

	if (err != 0 || info.round != 0) {
		(void)fprintf(stderr,
		    "acme: %s: %s.\n  `muster status` says more; your "
		    "administrator knows the host's name.\n",
		    err != 0 ? "the agent gave no answer"
		             : "no KMS host gave an answer",
		    muster_strerror(err != 0 ? err : info.round));
		return EXIT_FAILED;
	}
	/* what the agent says is no proof: judge the lease again */
	if (muster_check(&self, &a) != 0)
		return EXIT_FAILED;
	if (a.state == MUSTER_LICENSED_NOW) {
		(void)printf("activated, %" PRId64 " days left\n",
		    a.seconds_left / DAY_S);
		return EXIT_DONE;
	}
	explain(&a, why, sizeof(why));
	(void)printf("asked %s: %" PRIu32 " of %" PRIu32 " machines; not "
	             "activated: %s\n",
	    info.host, info.count, info.threshold, why);
	return EXIT_REFUSED;
}

int
main(int argc, char *argv[])
{
	struct muster_answer a;
	int err;

	if (argc == 3 && strcmp(argv[1], "--view") == 0)
		return with_file(argv[2], view);
	if (argc == 2 && strcmp(argv[1], "--activate") == 0)
		return activate();
	if (argc != 2) {
		(void)fputs("usage: acme FILE\n"
		            "       acme --view FILE | --about | --activate\n",
		    stderr);
		return EXIT_USAGE;
	}
	/* not the user's fault: what is pinned is no key, or memory is short */
	err = muster_check(&self, &a);
	if (err != 0) {
		(void)fprintf(stderr, "acme: %s\n", muster_strerror(err));
		return EXIT_FAILED;
	}
	if (strcmp(argv[1], "--about") == 0)
		return about(&a);
	if (!may_work(&a))
		return EXIT_REFUSED;
	return with_file(argv[1], count_words);
}
