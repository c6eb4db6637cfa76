/* SPDX-License-Identifier: MIT */
/*
 * problem.h -- why the host refused something, in words for people.
 *
 * One struct serves the start (logged), and the administration (JSON).  It
 * never holds a secret or raw input.
 */
#ifndef MUSTER_HOST_PROBLEM_H
#define MUSTER_HOST_PROBLEM_H

#define PROBLEM_MAX 512

struct problem {
	unsigned http;         /* status of an administration answer */
	const char *code;      /* stable, for scripts */
	const char *next_step; /* what to do about it */
	char message[PROBLEM_MAX];
};

/**
 * problem_set(): fill a problem in.
 *
 * In:      err      a negative enum muster_err value
 *          code, next_step  static text
 *          format   printf's
 * Returns: err
 */
__attribute__((format(printf, 6, 7))) int
problem_set(struct problem *p, int err, unsigned http, const char *code,
    const char *next_step, const char *format, ...);

#endif /* MUSTER_HOST_PROBLEM_H */
