/* SPDX-License-Identifier: MIT */
/*
 * config_read.h -- what the readers of musterd.conf share.
 */
#ifndef MUSTER_HOST_CONFIG_READ_H
#define MUSTER_HOST_CONFIG_READ_H

#include <libconfig.h>

#include "host/config.h"

/* A file that is being read. */
struct config_parse {
	const char *name;
	config_say_fn *say;
	void *arg;
	unsigned n_mistakes;
};

/**
 * config_say(): tell of a mistake (LOG_ERROR, counted) or a warning.
 */
__attribute__((format(printf, 4, 5))) void
config_say(struct config_parse *parse, enum log_level level, unsigned line,
    const char *format, ...);

/**
 * config_widen(): a copy of the text whose numbers libconfig does not cut.
 *
 * Returns: for the caller to free(); NULL out of memory
 */
char *config_widen(const char *text);

#endif /* MUSTER_HOST_CONFIG_READ_H */
