/* SPDX-License-Identifier: MIT */
#include "host/restore.h"

#include <jansson.h>
#include <stdio.h>
#include <unistd.h>

#include "base/errcode.h"
#include "base/file.h"
#include "base/paths.h"
#include "host/database.h"
#include "host/problem.h"
#include "store/store.h"

static int
tell(int err, const char *why, struct problem *problem)
{
	switch (err) {
	case MUSTER_E_LOCKED:
		return problem_set(problem, err, 0, "running",
		    "stop it: systemctl stop musterd.socket musterd; then "
		    "restore, then start it again",
		    "musterd runs, and has the database");
	case MUSTER_E_SCHEMA:
		return problem_set(problem, err, 0, "schema",
		    "restore it with the version of Muster that made it, or a "
		    "later one",
		    "not a database that this version can read: %s", why);
	case MUSTER_E_DAMAGED:
		return problem_set(problem, err, 0, "damaged",
		    "take another backup; the database is as it was",
		    "damaged: %s", why);
	case MUSTER_E_NOENT:
		return problem_set(problem, err, 0, "noent",
		    "take another backup; the database is as it was",
		    "there is nothing in it");
	case MUSTER_E_FULL:
		return problem_set(problem, err, 0, "full",
		    "make room in /var/lib/muster/host for a copy of it; the "
		    "database is as it was",
		    "no room: %s", why);
	default:
		return problem_set(problem, err, 0, "io",
		    "see to the folder /var/lib/muster/host, and restore again",
		    "it cannot be put in place: %s", why);
	}
}

static int
restore(const char *root, bool is_shared, char *aside, struct problem *problem)
{
	char path[FILE_PATH_MAX];
	struct store_diag diag = {""};
	int err = file_join(root, PATH_HOST_STATE DATABASE, path, sizeof(path));

	if (is_shared)
		return problem_set(problem, MUSTER_E_INVAL, 0, "shared_store",
		    "restore it with the tools of the server, such as "
		    "pg_restore",
		    "the count of this host is in a PostgreSQL server");
	if (err == 0)
		err = store_restore_sqlite(path, STDIN_FILENO, aside, &diag);
	if (err != 0)
		return tell(err,
		    diag.text[0] != '\0' ? diag.text : muster_strerror(err),
		    problem);
	return 0;
}

bool
restore_run(const char *root, bool is_shared)
{
	char aside[FILE_PATH_MAX] = "";
	struct problem problem;
	json_t *out;
	int err = restore(root, is_shared, aside, &problem);
	bool is_told;

	if (err != 0)
		out = json_pack("{s:{s:s, s:s, s:s}}", "error", "code",
		    problem.code, "message", problem.message, "next_step",
		    problem.next_step);
	else
		out = json_pack("{s:s?}", "previous",
		    aside[0] != '\0' ? aside : NULL);
	is_told = out != NULL && json_dumpf(out, stdout, JSON_COMPACT) == 0 &&
	    putchar('\n') != EOF && fflush(stdout) == 0;
	json_decref(out);
	return err == 0 && is_told;
}
