/* SPDX-License-Identifier: MIT */
#include "host/turnloop.h"

void
turnloop_count(struct turnloop_stats *stats, const struct turn_item *item,
    const struct wire_result *res)
{
	stats->by_status[res->status]++;
	if (res->status != WIRE_OK)
		return;
	if (item->is_probe)
		stats->probes++;
	else if (res->grant.count >= item->args.threshold)
		stats->activated++;
	else
		stats->below_threshold++;
}
