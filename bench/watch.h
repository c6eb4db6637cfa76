/* SPDX-License-Identifier: MIT */
/*
 * watch.h -- what the processes of a server have used, by /proc.
 */
#ifndef MUSTER_BENCH_WATCH_H
#define MUSTER_BENCH_WATCH_H

#include <stdint.h>
#include <sys/types.h>

#define WATCH_MAX 16 /* processes of a server; nginx has two */

struct watch {
	uint64_t cpu_ns;   /* user and system, of all threads */
	uint64_t switches; /* of context, voluntary or not */
	uint64_t rss_kib;  /* the most that it ever was */
};

/**
 * watch_read(): the sum over processes.
 *
 * In:      pids     n, at most WATCH_MAX
 * Returns: 0; -1 when one of them is not there
 */
int watch_read(const pid_t *pids, uint32_t n, struct watch *out);

#endif /* MUSTER_BENCH_WATCH_H */
