/* SPDX-License-Identifier: MIT */
/*
 * health.h -- is everything all right?  One list of checks, from which come
 * the page's light, /readyz and the state of /v1/status.
 */
#ifndef MUSTER_HOST_HEALTH_H
#define MUSTER_HOST_HEALTH_H

#include <jansson.h>

#include "host/admin.h"

#define HEALTH_DAYS_WARN 30 /* before a certificate ends */
#define HEALTH_DAYS_ERROR 7
#define HEALTH_ROWS_PERCENT 90 /* of the rows that the inventory may have */

/**
 * health_json(): the member "health" of GET /v1/status.
 *
 * In:      status   the object as it is otherwise: what is judged
 * Returns: an object, or NULL out of memory
 */
json_t *health_json(const struct admin_host *host, const json_t *status);

#endif /* MUSTER_HOST_HEALTH_H */
