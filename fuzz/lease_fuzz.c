/* SPDX-License-Identifier: MIT */
/* Files that a product or the agent reads: leases, states, what is known. */
#include "target.h"

#include "client/state.h"
#include "trust/lease.h"

static void
lease(const uint8_t *p, size_t len)
{
	static struct lease l;
	uint8_t back[LEASE_FILE_MAX];
	size_t n = 0;

	if (lease_decode(p, len, &l) != 0)
		return;
	HOLDS(lease_encode(&l, back, sizeof(back), &n) == 0);
	SAME(back, n, p, len);
}

int
LLVMFuzzerTestOneInput(const uint8_t *p, size_t len)
{
	static struct state_publisher publisher;
	static struct state_product product;
	static struct state_view view;
	static struct walk_known known;
	uint8_t back[STATE_FILE_MAX];
	size_t n = 0;

	lease(p, len);
	if (state_publisher_decode(p, len, &publisher) == 0) {
		HOLDS(state_publisher_encode(&publisher, back, sizeof(back),
		          &n) == 0);
		SAME(back, n, p, len);
	}
	/* a product's file of version 1 is written as version 2 */
	if (state_product_decode(p, len, &product) == 0) {
		HOLDS(state_product_encode(&product, back, sizeof(back), &n) ==
		    0);
		if (p[11] == STATE_PRODUCT_VERSION)
			SAME(back, n, p, len);
	}
	if (state_view_decode(p, len, &view) == 0) {
		HOLDS(state_view_encode(&view, back) == 0);
		SAME(back, (size_t)STATE_VIEW_LEN, p, len);
	}
	if (len > 28 && state_known_decode(p, len, p + 12, &known) == 0) {
		HOLDS(state_known_encode(p + 12, &known, back, sizeof(back),
		          &n) == 0);
		SAME(back, n, p, len);
	}
	return 0;
}
