/* SPDX-License-Identifier: MIT */
#include "sim/crew.h"

#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "sim/sim.h"

#define BAR_LEN 30
#define BAR_AFTER_MS 1000 /* shorter work needs none */
#define BAR_EVERY_MS 200

/* The real one: only this file may ask it (stray.c). */
int __real_clock_gettime(clockid_t which, struct timespec *t);

struct worker {
	pid_t pid;
	int fd;
	uint32_t next; /* number of the seed that it gives next */
	size_t got;    /* bytes of it */
};

static int64_t
clock_ms(void)
{
	struct timespec t = {0};

	(void)__real_clock_gettime(CLOCK_MONOTONIC, &t);
	return (int64_t)t.tv_sec * 1000 + t.tv_nsec / 1000000;
}

/* ---- in a process of its own ---- */

static bool
write_all(int fd, const void *p, size_t len)
{
	while (len > 0) {
		ssize_t n = write(fd, p, len);

		if (n < 0 && errno == EINTR)
			continue;
		if (n <= 0)
			return false;
		p = (const char *)p + n;
		len -= (size_t)n;
	}
	return true;
}

static _Noreturn void
work(const struct crew *crew, uint32_t first, uint32_t step, int fd)
{
	struct sim *s = sim_new(site_machines(crew->site), false);
	struct watch *w = malloc(sizeof(*w));
	bool is_good = s != NULL && w != NULL;

	for (uint32_t i = first; i < crew->n && is_good; i += step) {
		sim_run_site(s, crew->site, crew->first + i, w);
		if (s->has_failed)
			(void)snprintf(w->why, sizeof(w->why), "%s", s->why);
		is_good = write_all(fd, w, sizeof(*w)) && !s->has_failed;
	}
	sim_free(s);
	free(w);
	_exit(is_good ? 0 : 1);
}

static int
start(const struct crew *crew, struct worker *all, uint32_t number,
    uint32_t jobs)
{
	struct worker *k = &all[number];
	pid_t parent = getpid();
	int fds[2];

	if (pipe(fds) != 0)
		return MUSTER_E_IO;
	k->pid = fork();
	if (k->pid == 0) {
		/* a plan that is killed leaves nobody behind */
		(void)prctl(PR_SET_PDEATHSIG, SIGKILL);
		if (getppid() != parent)
			_exit(1);
		(void)close(fds[0]);
		/* an end that is held here would keep its writer waiting */
		for (uint32_t i = 0; i < number; i++)
			(void)close(all[i].fd);
		work(crew, number, jobs, fds[1]);
	}
	(void)close(fds[1]);
	k->fd = fds[0];
	k->next = number;
	return k->pid < 0 ? MUSTER_E_IO : 0;
}

/* ---- here ---- */

/* The next bytes of a result; false when the process is gone, or the seed did
 * not come to its end. */
static bool
take(struct worker *k, struct watch *out, uint32_t jobs)
{
	ssize_t n =
	    read(k->fd, (char *)&out[k->next] + k->got, sizeof(*out) - k->got);

	if (n < 0 && errno == EINTR)
		return true;
	if (n <= 0)
		return false;
	k->got += (size_t)n;
	if (k->got == sizeof(*out)) {
		k->got = 0;
		k->next += jobs;
		return out[k->next - jobs].why[0] == '\0';
	}
	return true;
}

static void
show(uint32_t n, uint32_t of, int64_t ms)
{
	char bar[BAR_LEN + 1];
	uint32_t full = n * BAR_LEN / of;

	memset(bar, '.', BAR_LEN);
	memset(bar, '#', full);
	bar[BAR_LEN] = '\0';
	(void)fprintf(stderr, "\r[%s] %u of %u seeds, %lld s left ", bar, n, of,
	    n == 0 ? 0LL : (long long)(ms / n * (of - n) / 1000));
}

/* Until each has given all of its seeds. */
static bool
collect(const struct crew *crew, struct worker *all, uint32_t jobs,
    struct watch *out)
{
	int64_t begin_ms = clock_ms(), shown_ms = 0, ms;
	struct pollfd fds[CREW_JOBS_MAX];
	bool is_good = true;
	uint32_t n, open;

	do {
		n = open = 0;
		for (uint32_t i = 0; i < jobs; i++) {
			bool is_open = all[i].next < crew->n;

			fds[i] = (struct pollfd){.fd = is_open ? all[i].fd : -1,
			    .events = POLLIN};
			n += (all[i].next - i) / jobs;
			open += is_open ? 1 : 0;
		}
		ms = clock_ms() - begin_ms;
		if (crew->has_bar && ms > BAR_AFTER_MS &&
		    ms - shown_ms > BAR_EVERY_MS) {
			show(n, crew->n, ms);
			shown_ms = ms;
		}
		if (open == 0 || poll(fds, jobs, BAR_EVERY_MS) < 0)
			continue;
		for (uint32_t i = 0; i < jobs && is_good; i++) {
			if (fds[i].revents != 0)
				is_good = take(&all[i], out, jobs);
		}
	} while (open > 0 && is_good);
	if (shown_ms > 0)
		(void)fprintf(stderr, "\r%*s\r", BAR_LEN + 50, "");
	return is_good;
}

int
crew_run(const struct crew *crew, struct watch *out)
{
	long cores = sysconf(_SC_NPROCESSORS_ONLN);
	uint32_t jobs = crew->jobs != 0 ? crew->jobs
	    : cores < 1                 ? 1
	                                : (uint32_t)cores;
	struct worker all[CREW_JOBS_MAX] = {{0}};
	uint32_t n = 0;
	int status, err = 0;

	if (jobs > crew->n)
		jobs = crew->n;
	if (jobs > CREW_JOBS_MAX)
		jobs = CREW_JOBS_MAX;
	while (n < jobs && err == 0)
		err = start(crew, all, n++, jobs);
	if (err == 0 && !collect(crew, all, jobs, out))
		err = MUSTER_E_IO;
	/* who still writes ends when nobody reads */
	for (uint32_t i = 0; i < n; i++)
		(void)close(all[i].fd);
	for (uint32_t i = 0; i < n; i++) {
		if (all[i].pid > 0 && waitpid(all[i].pid, &status, 0) > 0 &&
		    err == 0 && status != 0)
			err = MUSTER_E_IO;
	}
	return err;
}
