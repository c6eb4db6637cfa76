/* SPDX-License-Identifier: MIT */
#include "sim/points.h"

static const char *const texts[POINTS_MAX] = {
#define X(name, text) text,
    POINTS_FAULTS(X) POINTS_OTHERS(X)
#undef X
};

static const char *const names[POINTS_MAX] = {
#define X(name, text) #name,
    POINTS_FAULTS(X) POINTS_OTHERS(X)
#undef X
};

const char *
points_text(enum point point)
{
	return texts[point];
}

const char *
points_name(enum point point)
{
	return names[point];
}
