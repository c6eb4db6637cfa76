/* SPDX-License-Identifier: MIT */
#include "watch.h"

#include <dirent.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define LINE_MAX_LEN 320

/* The number behind a name in a status file; 0 when the line is not there. */
static uint64_t
number_in(const char *line, const char *name)
{
	size_t len = strlen(name);

	return strncmp(line, name, len) == 0 ? strtoull(line + len, NULL, 10)
	                                     : 0;
}

/* A thread may end while it is looked at: then it counts no more. */
static void
add_thread(pid_t pid, const char *tid, struct watch *out)
{
	char path[LINE_MAX_LEN], line[LINE_MAX_LEN];
	FILE *f;

	(void)snprintf(path, sizeof(path), "/proc/%d/task/%s/schedstat",
	    (int)pid, tid);
	f = fopen(path, "r");
	if (f != NULL) {
		if (fgets(line, sizeof(line), f) != NULL)
			out->cpu_ns += strtoull(line, NULL, 10);
		(void)fclose(f);
	}
	(void)snprintf(path, sizeof(path), "/proc/%d/task/%s/status", (int)pid,
	    tid);
	f = fopen(path, "r");
	if (f == NULL)
		return;
	while (fgets(line, sizeof(line), f) != NULL) {
		out->switches += number_in(line, "voluntary_ctxt_switches:");
		out->switches += number_in(line, "nonvoluntary_ctxt_switches:");
	}
	(void)fclose(f);
}

static int
add_process(pid_t pid, struct watch *out)
{
	char path[LINE_MAX_LEN], line[LINE_MAX_LEN];
	const struct dirent *entry;
	DIR *dir;
	FILE *f;

	(void)snprintf(path, sizeof(path), "/proc/%d/status", (int)pid);
	f = fopen(path, "r");
	if (f == NULL)
		return -1;
	while (fgets(line, sizeof(line), f) != NULL)
		out->rss_kib += number_in(line, "VmHWM:");
	(void)fclose(f);
	(void)snprintf(path, sizeof(path), "/proc/%d/task", (int)pid);
	dir = opendir(path);
	if (dir == NULL)
		return -1;
	while ((entry = readdir(dir)) != NULL) {
		if (entry->d_name[0] != '.')
			add_thread(pid, entry->d_name, out);
	}
	(void)closedir(dir);
	return 0;
}

int
watch_read(const pid_t *pids, uint32_t n, struct watch *out)
{
	struct watch sum = {0, 0, 0};

	for (uint32_t i = 0; i < n; i++) {
		if (add_process(pids[i], &sum) != 0)
			return -1;
	}
	*out = sum;
	return 0;
}
