/* SPDX-License-Identifier: MIT */
/* Results of ACTIVATE and COVER: what a false host may answer. */
#include "target.h"

#include "wire/msg.h"

int
LLVMFuzzerTestOneInput(const uint8_t *p, size_t len)
{
	static struct wire_result res;
	static struct wire_cover cover;
	uint8_t back[WIRE_RESULT_MAX];
	size_t n = 0;

	if (wire_result_decode(p, len, &res) == 0) {
		HOLDS(wire_result_encode(&res, back, sizeof(back), &n) == 0);
		SAME(back, n, p, len);
	}
	if (wire_cover_decode(p, len, &cover) == 0) {
		HOLDS(wire_cover_encode(&cover, back, sizeof(back), &n) == 0);
		SAME(back, n, p, len);
	}
	return 0;
}
