/* SPDX-License-Identifier: MIT */
/* The arguments of ACTIVATE: what every machine on the network may send. */
#include "target.h"

#include "wire/msg.h"

int
LLVMFuzzerTestOneInput(const uint8_t *p, size_t len)
{
	uint8_t back[WIRE_ARGS_MAX];
	struct wire_args args;
	size_t n = 0;

	if (wire_args_decode(p, len, &args) != 0)
		return 0;
	HOLDS(wire_args_encode(&args, back, sizeof(back), &n) == 0);
	SAME(back, n, p, len);
	return 0;
}
