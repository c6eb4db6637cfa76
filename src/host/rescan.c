/* SPDX-License-Identifier: MIT */
#include "host/rescan.h"

#include <dirent.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "base/log.h"
#include "host/catalogues.h"

#define NS INT64_C(1000000000)

/* What one look found; its files in the order in which they are weighed. */
struct look {
	uint32_t n;
	bool is_short; /* there are more */
	struct sighting sighting[STATE_SEEN_MAX];
	bool is_shipped[STATE_SEEN_MAX];
	char path[STATE_SEEN_MAX][FILE_PATH_MAX];
};

static bool
ends_in(const char *name, const char *suffix)
{
	size_t len = strlen(name), n = strlen(suffix);

	return len > n && name[0] != '.' && strcmp(name + len - n, suffix) == 0;
}

static int
is_ours(const struct dirent *entry)
{
	return ends_in(entry->d_name, ".muster") ||
	    ends_in(entry->d_name, ".trust");
}

/* A file that cannot be looked at counts as one that has no bytes. */
static void
sight(struct look *look, const char *folder, const char *name, bool is_shipped)
{
	struct sighting *s = &look->sighting[look->n];
	char *path = look->path[look->n];
	struct stat st;
	int n = snprintf(path, FILE_PATH_MAX, "%s/%s", folder, name);

	if (n < 0 || n >= FILE_PATH_MAX)
		return;
	*s = (struct sighting){.inode = 0};
	if (stat(path, &st) == 0) {
		s->inode = st.st_ino;
		s->changed_ns = st.st_ctim.tv_sec * NS + st.st_ctim.tv_nsec;
		s->len = st.st_size;
	}
	look->is_shipped[look->n++] = is_shipped;
}

static int
look_into(struct look *look, const char *folder, bool is_shipped)
{
	struct dirent **names = NULL;
	uint32_t first = look->n, n_trusted = 0;
	int n = scandir(folder, &names, is_ours, alphasort);

	if (n < 0)
		return errno == ENOENT ? 0 : MUSTER_E_IO;
	for (int i = 0; i < n; i++) {
		if (ends_in(names[i]->d_name, ".trust"))
			n_trusted++;
		else if (look->n - first < RESCAN_FILES_MAX)
			sight(look, folder, names[i]->d_name, is_shipped);
		free(names[i]);
	}
	free(names);
	for (uint32_t i = first; i < look->n; i++)
		look->sighting[i].n_trusted = n_trusted;
	look->is_short |= (uint32_t)n - n_trusted > RESCAN_FILES_MAX;
	return 0;
}

static int
look_around(struct state *state)
{
	struct look *look = state->look;
	int err;

	look->n = 0;
	look->is_short = false;
	err = look_into(look, state->shipped, true);
	if (err == 0)
		err = look_into(look, state->updated, false);
	return err;
}

static void
remember(struct state *state, const struct look *look)
{
	state->n_seen = look->n;
	memcpy(state->seen, look->sighting,
	    look->n * sizeof(look->sighting[0]));
}

int
rescan_first(struct state *state)
{
	const struct look *look = state->look = malloc(sizeof(*look));
	int err = look == NULL ? MUSTER_E_NOMEM : look_around(state);

	for (uint32_t i = 0; err == 0 && i < look->n; i++)
		err =
		    catalogues_weigh(state, look->path[i], look->is_shipped[i]);
	if (err != 0)
		return err;
	remember(state, look);
	if (look->is_short)
		log_event(LOG_WARN, "catalogue",
		    LOG_FIELDS(LOG_NUMBER(LIMIT, RESCAN_FILES_MAX)),
		    "only the first %d files of a folder count",
		    RESCAN_FILES_MAX);
	return 0;
}

static bool
is_known(const struct state *state, const struct sighting *s)
{
	for (uint32_t i = 0; i < state->n_seen; i++) {
		const struct sighting *o = &state->seen[i];

		if (o->inode == s->inode && o->changed_ns == s->changed_ns &&
		    o->len == s->len && o->n_trusted == s->n_trusted)
			return true;
	}
	return false;
}

static void
on_timer(uv_timer_t *timer)
{
	struct rescan *r = timer->data;
	struct store *store = NULL;
	const struct look *look = r->state->look;

	/* what fails here is tried again, and a look costs little */
	if (look_around(r->state) != 0)
		return;
	for (uint32_t i = 0; i < look->n; i++) {
		if (is_known(r->state, &look->sighting[i]))
			continue;
		if (store == NULL) {
			turnloop_settle(r->turnloop);
			store = turnloop_lock(r->turnloop);
		}
		if (store == NULL)
			return; /* the next look finds the same */
		catalogues_offer(r->state, store, look->path[i],
		    look->is_shipped[i]);
	}
	if (store != NULL)
		turnloop_unlock(r->turnloop);
	remember(r->state, look);
}

void
rescan_start(struct rescan *rescan, uv_loop_t *loop, struct state *state,
    struct turnloop *turnloop)
{
	rescan->state = state;
	rescan->turnloop = turnloop;
	(void)uv_timer_init(loop, &rescan->timer);
	rescan->timer.data = rescan;
	(void)uv_timer_start(&rescan->timer, on_timer, RESCAN_MS, RESCAN_MS);
}

void
rescan_now(struct rescan *rescan)
{
	on_timer(&rescan->timer);
}

void
rescan_stop(struct rescan *rescan)
{
	uv_close((uv_handle_t *)&rescan->timer, NULL);
}
