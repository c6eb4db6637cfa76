/* SPDX-License-Identifier: MIT */
#include "host/database.h"

#include <errno.h>
#include <string.h>
#include <unistd.h>

#include "base/file.h"
#include "base/log.h"
#include "base/paths.h"
#include "host/state.h"
#include "store/module.h"

/* A database that is lost must not look like one that is new (b4). */
static enum store_make
may_make(const char *root, bool is_new)
{
	if (is_new)
		return STORE_MAKE_ONLY;
	return state_is_certified(root) ? STORE_MAKE_NEVER
	                                : STORE_MAKE_IF_EMPTY;
}

/* The count of all hosts of the group; the state folder has none. */
static int
open_shared(const struct host_config *config, struct store **store_out)
{
	struct store_diag diag = {""};
	int err = store_open_shared(config->store, config->store_group,
	    store_out, &diag);

	if (err != 0)
		log_event(LOG_ERROR, "start", LOG_FIELDS(LOG_CODE(err)),
		    "store: %s",
		    diag.text[0] != '\0' ? diag.text : muster_strerror(err));
	else if (diag.text[0] != '\0')
		log_line(LOG_WARN, "store",
		    "%s; clients are told BUSY until it answers", diag.text);
	return err;
}

int
database_open(const char *root, const struct host_config *config, bool is_new,
    struct store **store_out)
{
	char folder[FILE_PATH_MAX], path[FILE_PATH_MAX];
	struct store_diag diag = {""};
	int err, why = 0;

	err = file_join(root, PATH_HOST_STATE, folder, sizeof(folder));
	if (err == 0)
		err = file_mkdirs(folder, 0755);
	if (err == 0 && access(folder, W_OK | X_OK) != 0) {
		why = errno;
		err = MUSTER_E_DENIED;
	}
	if (err == 0)
		err = file_join(folder, DATABASE, path, sizeof(path));
	if (err != 0) {
		log_event(LOG_ERROR, "start",
		    LOG_FIELDS(LOG_TEXT(FILE, folder), LOG_CODE(err)),
		    "folder %s cannot be used: %s; make it, writable by the "
		    "user that runs musterd",
		    folder, why != 0 ? strerror(why) : muster_strerror(err));
		return err;
	}
	if (config->store[0] != '\0')
		return open_shared(config, store_out);
	err = store_open_sqlite(path, may_make(root, is_new), store_out, &diag);
	if (err != 0)
		log_event(LOG_ERROR, "start",
		    LOG_FIELDS(LOG_TEXT(FILE, path), LOG_CODE(err)),
		    "database %s: %s", path,
		    diag.text[0] != '\0' ? diag.text : muster_strerror(err));
	else if (diag.text[0] != '\0')
		log_event(LOG_WARN, "store", LOG_FIELDS(LOG_TEXT(FILE, path)),
		    "%s", diag.text);
	else if (is_new)
		log_event(LOG_WARN, "store", LOG_FIELDS(LOG_TEXT(FILE, path)),
		    "%s is new: every machine is counted when it comes back",
		    path);
	return err;
}

void
database_host(const struct host_config *config, struct store *store,
    char *name_out)
{
	char name[DNS_TEXT_MAX + 1] = "";

	if (config->publish_name[0] != '\0')
		memcpy(name, config->publish_name, sizeof(name));
	else
		(void)gethostname(name, sizeof(name) - 1);
	store_set_host(store, name);
	name_out[0] = '\0';
	if (config->store[0] == '\0' && strlen(name) <= WIRE_NAME_MAX)
		memcpy(name_out, name, strlen(name) + 1);
}
