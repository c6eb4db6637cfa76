/* SPDX-License-Identifier: MIT */
/*
 * host_show.h -- text for people out of what musterd tells as JSON.
 */
#ifndef MUSTER_CLI_HOST_SHOW_H
#define MUSTER_CLI_HOST_SHOW_H

#include <jansson.h>

/**
 * host_show_status(): the object of GET /v1/status on standard output.
 *
 * A key that is missing shows as "-" or 0.
 */
void host_show_status(const json_t *status);

#define HOST_SHOW_TIME_MAX 32

/**
 * host_show_time(): a time as text, in UTC, so that two hosts' lists compare.
 *
 * Out:     out      HOST_SHOW_TIME_MAX bytes
 */
void host_show_time(long long unix_s, char *out);

/**
 * host_show_dns(): the line of a status about publication; host_dns.c's.
 */
void host_show_dns(const json_t *dns);

#endif /* MUSTER_CLI_HOST_SHOW_H */
