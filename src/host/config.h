/* SPDX-License-Identifier: MIT */
/*
 * config.h -- musterd.conf: one table of options over libconfig's tree.
 *
 * From the table come the defaults, the checks and the help; a file with
 * several mistakes gets all of them reported, each with file and line.
 */
#ifndef MUSTER_HOST_CONFIG_H
#define MUSTER_HOST_CONFIG_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/file.h"
#include "base/log.h"
#include "discovery/name.h"
#include "muster/err.h"

#define CONFIG_LISTEN_MAX 16
#define CONFIG_ADDRESS_MAX 46  /* text of an IPv6 address with its NUL */
#define CONFIG_NETWORKS_MAX 64 /* of one list: a site has so many ranges */
#define CONFIG_FILE_MAX (64 * 1024)
#define CONFIG_RENEWAL_WARN_MIN 28800U /* 20 days; behaviour, "Numbers" */

#define CONFIG_DOMAINS_MAX 32 /* of the publish list */
#define CONFIG_DNS_PORT 53
#define CONFIG_STATUS_PORT 1689
#define CONFIG_STORE_MAX 1024 /* a connection string with its NUL */
#define CONFIG_GROUP_MAX 49   /* a schema's name, as module.h has it */

enum config_type {
	CONFIG_NUMBER,
	CONFIG_LEVEL,
	CONFIG_FORMAT, /* of the log */
	CONFIG_ADDRESSES,
	CONFIG_SWITCH, /* true or false; 1 or 0 here */
	CONFIG_NAME,   /* of a host or a domain */
	CONFIG_PATH,
	CONFIG_SERVER,
	CONFIG_DOMAINS,
	CONFIG_STORE, /* "sqlite" or a connection string */
	CONFIG_GROUP, /* of hosts that share a count */
	CONFIG_NETWORKS,
	CONFIG_STATUS /* an address with a port, or "off" */
};

/* A name server; no address: none is set. */
struct config_server {
	char address[CONFIG_ADDRESS_MAX];
	uint16_t port;
};

/* The first bits of an address; IPv4 as ::ffff:0:0/96. */
struct config_network {
	uint8_t address[16];
	uint32_t bits;
};

struct config_networks {
	uint32_t n;
	struct config_network at[CONFIG_NETWORKS_MAX];
};

/* Of the publish list. */
struct config_domain {
	char domain[DNS_TEXT_MAX + 1];
	uint32_t priority;
	uint32_t weight;
	struct config_server server; /* or that of publish_server */
};

struct host_config {
	uint32_t n_listen;
	char listen[CONFIG_LISTEN_MAX][CONFIG_ADDRESS_MAX];
	uint32_t port; /* 0: any */
	struct config_server
	    status; /* no address: there is none; port 0: any */
	uint32_t renewal_min;
	uint32_t retry_min;
	uint32_t log_level;   /* enum log_level */
	uint32_t log_format;  /* enum log_format */
	uint32_t self_test_s; /* 0: never */
	uint32_t connections;
	uint32_t first_byte_ms;
	uint32_t record_ms;
	uint32_t idle_ms;
	uint32_t session_ms;
	uint32_t calls_per_session;
	uint32_t source_rate; /* connections a minute; 0: any */
	struct config_networks exempt;
	struct config_networks allowed; /* none: whoever asks is answered */
	uint32_t inventory_rows;
	uint32_t retention_days;
	uint32_t publish;                      /* 0 or 1 */
	char publish_name[DNS_TEXT_MAX + 1];   /* empty: the machine's */
	char publish_domain[DNS_TEXT_MAX + 1]; /* empty: the name's; "." none */
	uint32_t publish_priority;
	uint32_t publish_weight;
	uint32_t publish_ttl_s;
	uint32_t publish_withdraw; /* 0 or 1: at a clean stop */
	struct config_server publish_server;
	char publish_key_file[FILE_PATH_MAX]; /* empty: not signed */
	char store[CONFIG_STORE_MAX]; /* empty: SQLite, on this host alone */
	char store_group[CONFIG_GROUP_MAX];
	uint32_t n_domains;
	struct config_domain domains[CONFIG_DOMAINS_MAX];
};

struct config_option {
	const char *name;
	enum config_type type;
	size_t offset, size; /* of its field in struct host_config */
	bool is_live;        /* a reload changes it; else the next start */
	uint32_t min, max, preset;
	const char *help;
};

/* One mistake or warning: "FILE:LINE: what is wrong; what is expected". */
typedef void config_say_fn(void *arg, enum log_level level, const char *file,
    unsigned line, const char *text);

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
