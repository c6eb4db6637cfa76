/* SPDX-License-Identifier: MIT */
#include "host/reload.h"

#include <string.h>

unsigned
reload_take(struct host_config *config, const struct host_config *fresh,
    void (*told)(const struct config_option *option))
{
	size_t n;
	const struct config_option *options = config_options(&n);
	unsigned n_taken = 0;

	for (size_t i = 0; i < n; i++) {
		const struct config_option *o = &options[i];
		char *now = (char *)config + o->offset;
		const char *next = (const char *)fresh + o->offset;

		if (memcmp(now, next, o->size) == 0)
			continue;
		if (o->is_live) {
			memcpy(now, next, o->size);
			n_taken++;
		}
		told(o);
	}
	return n_taken;
}

static void
tell(const struct config_option *option)
{
	if (option->is_live)
		log_event(LOG_NOTE, "config",
		    LOG_FIELDS(LOG_TEXT(OPTION, option->name)), "%s is changed",
		    option->name);
	else
		log_event(LOG_WARN, "config",
		    LOG_FIELDS(LOG_TEXT(OPTION, option->name)),
		    "%s is changed in the file only: it holds as before until "
		    "musterd is restarted",
		    option->name);
}

void
reload_say(void *arg, enum log_level level, const char *file, unsigned line,
    const char *text)
{
	(void)arg;
	log_event(level, "config",
	    LOG_FIELDS(LOG_TEXT(FILE, file), LOG_NUMBER(LINE, line)), "%s",
	    text);
}

int
reload_file(const char *path, bool is_named, struct host_config *config)
{
	struct host_config fresh;
	int err;

	config_defaults(&fresh);
	err = config_load(path, reload_say, NULL, &fresh);
	if (err == MUSTER_E_NOENT && !is_named)
		err = 0;
	if (err != 0) {
		log_event(LOG_ERROR, "config",
		    LOG_FIELDS(LOG_TEXT(FILE, path), LOG_CODE(err)),
		    "%s: %s: no setting is changed; mend it and reload again",
		    path, muster_strerror(err));
		return err;
	}
	if (reload_take(config, &fresh, tell) == 0)
		log_line(LOG_NOTE, "config", "read again: nothing to change");
	return 0;
}
