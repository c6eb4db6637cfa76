/* SPDX-License-Identifier: MIT */
/*
 * reload.h -- musterd.conf is read again while the host serves (SIGHUP).
 *
 * A file with a mistake changes nothing.  Of a good one the settings that can
 * change at run time do, by the table of config.c; the others are named in the
 * log, and hold as they were until the next start.
 */
#ifndef MUSTER_HOST_RELOAD_H
#define MUSTER_HOST_RELOAD_H

#include "host/config.h"

/**
 * reload_say(): a config_say_fn that logs.
 */
void reload_say(void *arg, enum log_level level, const char *file,
    unsigned line, const char *text);

/**
 * reload_take(): what a fresh file changes; pure.
 *
 * In:      fresh    as config_load() or config_defaults() left it
 * Out:     config   its settings that change at run time
 *          told     called with each option that differs; is_live of the
 *                   option says whether it was taken
 * Returns: how many were taken
 */
unsigned
reload_take(struct host_config *config, const struct host_config *fresh,
    void (*told)(const struct config_option *option));

/**
 * reload_file(): read the file and take what it changes; logged.
 *
 * In:      path     as at the start
 *          is_named it has to be there
 * Out:     config   untouched on failure
 * Returns: 0; MUSTER_E_PROTO, or as file_read(): told, nothing is changed
 */
MUSTER_NODISCARD int
reload_file(const char *path, bool is_named, struct host_config *config);

#endif /* MUSTER_HOST_RELOAD_H */
