/* SPDX-License-Identifier: MIT */
/*
 * config.h -- musterd.conf: one table of options over libconfig's tree.
 *
 * From the table come the defaults, the checks and the help; a file with
 * several mistakes gets all of them reported, each with file and line.
 */
#ifndef MUSTER_HOST_CONFIG_H
#define MUSTER_HOST_CONFIG_H

#include <stddef.h>
#include <stdint.h>

#include "base/log.h"
#include "muster/err.h"

#define CONFIG_LISTEN_MAX 16
#define CONFIG_ADDRESS_MAX 46 /* text of an IPv6 address with its NUL */
#define CONFIG_FILE_MAX (64 * 1024)
#define CONFIG_RENEWAL_WARN_MIN 28800U /* 20 days; behaviour, "Numbers" */

enum config_type { CONFIG_NUMBER, CONFIG_LEVEL, CONFIG_ADDRESSES };

struct host_config {
	uint32_t n_listen;
	char listen[CONFIG_LISTEN_MAX][CONFIG_ADDRESS_MAX];
	uint32_t port; /* 0: any */
	uint32_t renewal_min;
	uint32_t retry_min;
	uint32_t log_level; /* enum log_level */
	uint32_t connections;
	uint32_t first_byte_ms;
	uint32_t record_ms;
	uint32_t idle_ms;
	uint32_t calls_per_session;
};

struct config_option {
	const char *name;
	enum config_type type;
	size_t offset; /* of a uint32_t in struct host_config */
	uint32_t min, max, preset;
	const char *help;
};

/* One mistake or warning: "FILE:LINE: what is wrong; what is expected". */
typedef void config_say_fn(void *arg, enum log_level level, const char *text);

/**
 * config_options(): the table.
 *
 * Returns: static, n_out entries
 */
const struct config_option *config_options(size_t *n_out);

/**
 * config_defaults(): what holds where the file says nothing.
 */
void config_defaults(struct host_config *config_out);

/**
 * config_parse(): read the text of a configuration.
 *
 * In:      text     ends in NUL
 *          name     of the file, for the messages
 *          say      called for each mistake and each warning
 * Out:     config_out  untouched on failure
 * Returns: 0; MUSTER_E_PROTO (mistakes were said); MUSTER_E_NOMEM
 */
MUSTER_NODISCARD int config_parse(const char *text, const char *name,
    config_say_fn *say, void *arg, struct host_config *config_out);

/**
 * config_load(): read a file.
 *
 * Returns: as config_parse(); as file_read(), nothing said
 */
MUSTER_NODISCARD int config_load(const char *path, config_say_fn *say,
    void *arg, struct host_config *config_out);

#endif /* MUSTER_HOST_CONFIG_H */
