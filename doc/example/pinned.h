/* SPDX-License-Identifier: MIT */
/*
 * pinned.h -- what this product knows of its publisher.
 *
 * `muster-authority init` prints the root key, `muster catalogue show FILE`
 * the product's id and the serial.  The key below is a place-holder, which
 * muster_check() refuses: the example as it stands does not start.
 */
#ifndef ACME_PINNED_H
#define ACME_PINNED_H

#include <muster/muster.h>

/* 5b0c1a52-7d7e-4b8e-9a51-0d3f5c7a1e02 */
static const uint8_t pinned_product[MUSTER_PRODUCT_LEN] = {0x5b, 0x0c, 0x1a,
    0x52, 0x7d, 0x7e, 0x4b, 0x8e, 0x9a, 0x51, 0x0d, 0x3f, 0x5c, 0x7a, 0x1e,
    0x02};

/* One key; a second one, once a successor is announced. */
static const uint8_t pinned_root_keys[][MUSTER_ROOT_KEY_LEN] = {{0}};

#define PINNED_LEAST_SERIAL 1
#define PINNED_CATALOGUE "/usr/share/muster/catalogues/acme.muster"
#define PINNED_ROOT NULL /* tests put a folder here */

#endif /* ACME_PINNED_H */
