/* SPDX-License-Identifier: MIT */
/*
 * doctor.h -- what muster doctor found, as text and JSON.
 */
#ifndef MUSTER_CLI_DOCTOR_H
#define MUSTER_CLI_DOCTOR_H

#include <jansson.h>

#include "cli/client.h"
#include "client/doctor.h"

/**
 * doctor_exit(): what the findings of one product come to.
 *
 * Returns: CLI_DONE: it would be activated now; CLI_NOT_ACTIVATED: but for the
 *          count; CLI_UNREACHABLE: no host answers; CLI_FAILED: none that does
 *          is of use
 */
int doctor_exit(const struct doctor *d);

/**
 * doctor_json(): the findings of one product as an object with stable keys.
 *
 * Returns: the object, the caller's; NULL: out of memory
 */
json_t *doctor_json(const struct doctor *d);

/**
 * doctor_show(): the same on standard output, as text for people.
 */
void doctor_show(const struct doctor *d);

#endif /* MUSTER_CLI_DOCTOR_H */
