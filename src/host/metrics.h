/* SPDX-License-Identifier: MIT */
/*
 * metrics.h -- what a monitoring system reads: /metrics, /healthz, /readyz.
 *
 * Labels are names of catalogues, of domains that are configured and of causes
 * in the source: their number is bounded, and no client is among them.
 * Source: prometheus.io, "Exposition formats", "Metric and label naming".
 */
#ifndef MUSTER_HOST_METRICS_H
#define MUSTER_HOST_METRICS_H

#include "host/admin_api.h"

/**
 * metrics_answer(): answer one of the three paths.
 *
 * Returns: false: the path is none of them
 */
bool metrics_answer(const struct admin_host *host, const char *path,
    struct admin_answer *answer_out);

#endif /* MUSTER_HOST_METRICS_H */
