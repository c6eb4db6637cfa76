/* SPDX-License-Identifier: MIT */
#include "host/state.h"

#include <dirent.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/log.h"
#include "base/paths.h"
#include "host/catalogues.h"
#include "host/rescan.h"

#define NEXT_DISK "see to the space and the rights of the state folder"

void
state_refresh(struct state *state)
{
	struct turn_host *host = &state->turn_host;

	host->n_publishers = state->n;
	for (uint32_t i = 0; i < state->n; i++) {
		struct publisher *pub = &state->publishers[i];
		struct turn_publisher *out = &host->publishers[i];

		keyring_judge(pub, clock_unix_s());
		memset(out, 0, sizeof(*out));
		memcpy(out->id, pub->id, PUBLISHER_LEN);
		out->catalogue = pub->catalogue;
		out->host_sk = pub->host_sk;
		out->has_cert = pub->is_cert_good;
		if (!out->has_cert)
			continue;
		out->cert = pub->cert;
		memcpy(out->cert_bytes, pub->cert_bytes, CERT_LEN);
		cert_hash(pub->cert_bytes, out->cert_hash);
	}
}

static int
make_folder(const char *root, const char *path, int rights, char *out,
    struct problem *problem)
{
	int err = file_join(root, path, out, FILE_PATH_MAX);

	if (err == 0)
		err = file_mkdirs(out, 0755);
	if (err == 0 && access(out, rights) != 0)
		err = errno == EROFS || errno == EACCES ? MUSTER_E_DENIED
		                                        : MUSTER_E_IO;
	if (err != 0)
		return problem_set(problem, err, 500, "folder",
		    (rights & W_OK) != 0
		        ? "make it, writable by the user that runs musterd"
		        : "make it, readable by the user that runs musterd",
		    "folder %s%s cannot be used: %s", root == NULL ? "" : root,
		    path, muster_strerror(err));
	return 0;
}

static int
open_all(struct state *state, const char *root, struct problem *problem)
{
	int err = make_folder(root, PATH_HOST_STATE, W_OK | X_OK, state->folder,
	    problem);

	if (err == 0 && chmod(state->folder, 0700) != 0)
		log_event(LOG_WARN, "state",
		    LOG_FIELDS(LOG_TEXT(FILE, state->folder)),
		    "%s cannot be made 0700", state->folder);
	if (err == 0)
		err = make_folder(root, PATH_CATALOGUES, R_OK | X_OK,
		    state->updated, problem);
	if (err != 0)
		return err;
	err = file_join(root, PATH_CATALOGUES_SHIPPED, state->shipped,
	    sizeof(state->shipped));
	if (err == 0)
		err = rescan_first(state);
	if (err != 0)
		return problem_set(problem, err, 500, "catalogues",
		    "see to the rights of the catalogue folders",
		    "the catalogues cannot be read: %s", muster_strerror(err));
	catalogues_settle(state);
	for (uint32_t i = 0; i < state->n && err == 0; i++) {
		struct publisher *pub = &state->publishers[i];

		if (catalogues_remember(state, pub) != 0)
			return problem_set(problem, MUSTER_E_IO, 500,
			    "not_stored", NEXT_DISK,
			    "%s or %s/%s.serial cannot be written", pub->folder,
			    state->folder, pub->hex);
		err = keyring_load(pub, problem);
	}
	return err;
}

bool
state_is_certified(const char *root)
{
	char path[FILE_PATH_MAX], name[2 * FILE_PATH_MAX];
	const struct dirent *e;
	bool is_there = false;
	DIR *dir = NULL;

	if (file_join(root, PATH_HOST_STATE, path, sizeof(path)) == 0)
		dir = opendir(path);
	while (dir != NULL && !is_there && (e = readdir(dir)) != NULL) {
		if (e->d_name[0] == '.')
			continue;
		(void)snprintf(name, sizeof(name), "%s/%s/certificate", path,
		    e->d_name);
		is_there = access(name, F_OK) == 0;
	}
	if (dir != NULL)
		(void)closedir(dir);
	return is_there;
}

void
state_set_intervals(struct state *state, uint32_t renewal_min,
    uint32_t retry_min)
{
	state->turn_host.renewal_min = renewal_min;
	state->turn_host.retry_min = retry_min;
}

int
state_open(const char *root, uint32_t renewal_min, uint32_t retry_min,
    struct state **state_out, struct problem *problem)
{
	struct state *state = calloc(1, sizeof(*state));
	int err = MUSTER_E_NOMEM;

	if (state != NULL)
		state->scratch = malloc(CAT_FILE_MAX);
	if (state == NULL || state->scratch == NULL) {
		(void)problem_set(problem, err, 500, "no_memory",
		    "free memory on this machine", "out of memory");
		goto out;
	}
	state_set_intervals(state, renewal_min, retry_min);
	err = open_all(state, root, problem);
	if (err != 0)
		goto out;
	state_refresh(state);
	*state_out = state;
	state = NULL;
out:
	state_close(state);
	return err;
}

bool
state_keys_locked(const struct state *state)
{
	for (uint32_t i = 0; i < state->n; i++) {
		const struct publisher *pub = &state->publishers[i];

		if (pub->host_sk != NULL && !pub->is_sk_locked)
			return false;
	}
	return true;
}

void
state_close(struct state *state)
{
	if (state == NULL)
		return;
	for (uint32_t i = 0; i < state->n; i++) {
		keyring_free(&state->publishers[i]);
		free(state->publishers[i].catalogue);
	}
	free(state->look);
	free(state->spare);
	free(state->scratch);
	free(state);
}

int
state_reserve(const struct state *state, struct store *store,
    struct problem *problem)
{
	int err = 0;

	for (uint32_t i = 0; i < state->n && err == 0; i++)
		err = catalogues_reserve(state->publishers[i].catalogue, store,
		    problem);
	return err;
}

int
state_find(struct state *state, const char *text,
    struct publisher **publisher_out, struct problem *problem)
{
	if (state->n == 0)
		return problem_set(problem, MUSTER_E_NOENT, 409, "no_publisher",
		    "install a catalogue (muster catalogue install FILE "
		    "--trust ID), or the package of a product",
		    "this host has no catalogue");
	if (text == NULL && state->n > 1)
		return problem_set(problem, MUSTER_E_INVAL, 409,
		    "several_publishers",
		    "name one by --publisher (muster host status lists them)",
		    "this host serves %u publishers", state->n);
	for (uint32_t i = 0; i < state->n; i++) {
		struct publisher *pub = &state->publishers[i];

		if (text == NULL || strcasecmp(text, pub->hex) == 0 ||
		    strcmp(text, pub->catalogue->head.name) == 0) {
			*publisher_out = pub;
			return 0;
		}
	}
	return problem_set(problem, MUSTER_E_NOENT, 404, "publisher_unknown",
	    "see muster host status for the publishers of this host",
	    "no publisher of this host has that name or id");
}
