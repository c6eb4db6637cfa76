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
 * config_read_dns(): a setting of one of the types that only DNS has.
 */
void
config_read_dns(struct config_parse *parse, const struct config_option *option,
    const config_setting_t *set, struct host_config *config);

/**
 * config_read_store(): a setting of where the count is kept.
 */
void config_read_store(struct config_parse *parse,
    const struct config_option *option, const config_setting_t *set,
    struct host_config *config);

/**
 * config_read_number(): a number within the option's range.
 *
 * Out:     out      untouched when a mistake was said
 */
void config_read_number(struct config_parse *parse,
    const struct config_option *option, const config_setting_t *set,
    uint32_t *out);

/**
 * config_read_networks(): a list of networks, which may be empty.
 */
void config_read_networks(struct config_parse *parse,
    const struct config_option *option, const config_setting_t *set,
    struct config_networks *out);

/**
 * config_network_parse(): "ADDRESS/BITS" or "ADDRESS".
 *
 * Returns: 0; MUSTER_E_PROTO, bits behind the network's included
 */
MUSTER_NODISCARD int
config_network_parse(const char *text, struct config_network *out);

/**
 * config_read_status(): the address of the status listener.
 */
void config_read_status(struct config_parse *parse,
    const struct config_option *option, const config_setting_t *set,
    struct host_config *config);

/**
 * config_server_parse(): "ADDRESS", "ADDRESS:PORT" or "[ADDRESS]:PORT".
 *
 * Returns: 0; MUSTER_E_PROTO
 */
MUSTER_NODISCARD int
config_server_parse(const char *text, struct config_server *server_out);

#endif /* MUSTER_HOST_CONFIG_READ_H */
