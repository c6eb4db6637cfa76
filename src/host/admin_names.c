/* SPDX-License-Identifier: MIT */
#include <arpa/inet.h>
#include <string.h>

#include "host/admin_api.h"
#include "host/admin_list.h"

static const char *const status_names[TURNLOOP_STATUSES] = {
    [WIRE_OK] = "ok",
    [WIRE_UNKNOWN_PRODUCT] = "unknown_product",
    [WIRE_NOT_COVERED] = "not_covered",
    [WIRE_HOST_NOT_ACTIVATED] = "host_not_activated",
    [WIRE_CLOCK] = "clock",
    [WIRE_BUSY] = "busy",
    [WIRE_REFUSED] = "refused",
};

const char *
admin_status_name(enum wire_status status)
{
	return status_names[status];
}

void
admin_address_text(const uint8_t *address, char *out)
{
	static const uint8_t mapped[12] = {[10] = 0xff, [11] = 0xff};
	const char *text;

	if (memcmp(address, mapped, sizeof(mapped)) == 0)
		text = inet_ntop(AF_INET, address + sizeof(mapped), out,
		    (socklen_t)ADMIN_ADDRESS_MAX);
	else
		text = inet_ntop(AF_INET6, address, out,
		    (socklen_t)ADMIN_ADDRESS_MAX);
	if (text == NULL)
		out[0] = '\0';
}
