/* SPDX-License-Identifier: MIT */
/*
 * products.h -- the publisher's products.conf (libconfig).
 *
 *   groups = ( { number = 1; name = "Systems"; } );
 *   products = ( { id = "UUID"; name = "Desktop"; group = 1;
 *                  class = "desktop"; line = 0; level = 1; } );
 *
 * Left out, threshold is 25 for a desktop and 5 for a server, validity_days
 * 180, initial_grace_days and lapse_grace_days 30, rearms 5, line 0, level 1.
 * Any other setting is refused: a typing error shall not become a policy; so
 * is a number in an included file.
 */
#ifndef MUSTER_AUTHORITY_PRODUCTS_H
#define MUSTER_AUTHORITY_PRODUCTS_H

#include "authority/ctx.h"
#include "trust/catalogue.h"

#define PRODUCTS_THRESHOLD_DESKTOP 25
#define PRODUCTS_THRESHOLD_SERVER 5
#define PRODUCTS_VALIDITY_DAYS 180
#define PRODUCTS_GRACE_DAYS 30
#define PRODUCTS_REARMS 5
#define PRODUCTS_REARMS_MAX 1000
#define PRODUCTS_FILE_MAX (1024 * 1024) /* bytes: 1 KiB a product */

/**
 * products_read(): add groups and products, each with its client setup key.
 *
 * Returns: EXIT_DONE, or EXIT_FAILED with the error and its line printed
 */
MUSTER_NODISCARD int
products_read(const struct ctx *ctx, const char *path, struct catalogue *cat);

/**
 * products_parse(): the same of a text; path is what it is called.
 *
 * Returns: as products_read()
 */
MUSTER_NODISCARD int products_parse(const struct ctx *ctx, const char *path,
    const char *text, struct catalogue *cat);

#endif /* MUSTER_AUTHORITY_PRODUCTS_H */
