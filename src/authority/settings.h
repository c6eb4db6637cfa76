/* SPDX-License-Identifier: MIT */
/*
 * settings.h -- authority.conf: one table of settings over libconfig's tree.
 *
 * A file with several mistakes gets all of them logged, each with file and
 * line.  The commands use `dir` alone; the rest is for `serve`.
 */
#ifndef MUSTER_AUTHORITY_SETTINGS_H
#define MUSTER_AUTHORITY_SETTINGS_H

#include <stddef.h>
#include <stdint.h>
#include <sys/socket.h>

#include "base/file.h"
#include "muster/err.h"

#define SETTINGS_LISTEN_MAX 64 /* "[ADDRESS]:PORT" with its NUL */
#define SETTINGS_LISTEN "[::]:8443"

struct settings {
	char dir[FILE_PATH_MAX];
	char listen[SETTINGS_LISTEN_MAX];
	char tls_cert[FILE_PATH_MAX];
	char tls_key[FILE_PATH_MAX];
	uint32_t rate; /* requests a minute and source; 0: no limit */
	uint32_t burst;
	uint32_t connections;
	uint32_t connections_per_source;
	uint32_t request_s;
	uint32_t body_bytes;
	uint32_t log_level;  /* enum log_level */
	uint32_t log_format; /* enum log_format */
};

enum settings_type {
	SETTINGS_NUMBER,
	SETTINGS_TEXT,
	SETTINGS_LEVEL,
	SETTINGS_FORMAT
};

struct settings_option {
	const char *name;
	enum settings_type type;
	size_t offset; /* of its field in struct settings */
	size_t cap;    /* bytes of a text */
	uint32_t min, max, preset;
	const char *help;
};

/**
 * settings_options(): the table.
 *
 * Returns: static, n_out entries
 */
const struct settings_option *settings_options(size_t *n_out);

/**
 * settings_read(): the text of a configuration that nobody else can have
 * written.
 *
 * Out:     text_out  for free()
 * Returns: 0
 *          MUSTER_E_PROTO  a byte of zero, which is logged
 *          MUSTER_E_NOMEM, as file_read_own()
 */
MUSTER_NODISCARD int settings_read(const char *path, char **text_out);

/**
 * settings_load(): read a file.
 *
 * Out:     s_out    the defaults where the file says nothing, and after a
 *                   failure
 * Returns: 0
 *          MUSTER_E_PROTO  mistakes, all of them logged
 *          MUSTER_E_NOMEM, as file_read_own()
 */
MUSTER_NODISCARD int settings_load(const char *path, struct settings *s_out);

/**
 * settings_address(): "ADDRESS:PORT" or "[IPV6]:PORT"; names are not looked up.
 *
 * Returns: 0; MUSTER_E_PROTO
 */
MUSTER_NODISCARD int settings_address(const char *text,
    struct sockaddr_storage *address_out, socklen_t *len_out);

#endif /* MUSTER_AUTHORITY_SETTINGS_H */
