/* SPDX-License-Identifier: MIT */
#include "host/reqlog.h"

#include <stdio.h>

#include "base/clock.h"
#include "base/hex.h"
#include "base/log.h"
#include "host/admin_api.h"
#include "host/admin_list.h"

int
reqlog_level(struct reqlog *log, enum wire_status status, int64_t now_ms,
    uint64_t *n_untold_out)
{
	*n_untold_out = 0;
	/* BUSY is told by what causes it: the store, or the source */
	if (status == WIRE_OK || status == WIRE_BUSY)
		return LOG_FINE;
	if (log->begun_ms == 0 || now_ms - log->begun_ms >= REQLOG_MS) {
		log->begun_ms = now_ms;
		log->n = 0;
	}
	if (log->n == REQLOG_NOTES_MAX) {
		log->n_untold++;
		return LOG_FINE;
	}
	log->n++;
	*n_untold_out = log->n_untold;
	log->n_untold = 0;
	return LOG_NOTE;
}

static void
write_answer(enum log_level level, const char *fields,
    const struct wire_args *args, const struct wire_result *res)
{
	if (res->status == WIRE_OK && res->grant.count >= args->threshold)
		log_event(level, "request", fields, "granted: count %u of %u",
		    res->grant.count, args->threshold);
	else if (res->status == WIRE_OK)
		log_event(level, "request", fields, "counted: %u of %u",
		    res->grant.count, args->threshold);
	else
		log_event(level, "request", fields, "refused: %s",
		    admin_status_name(res->status));
}

void
reqlog_answered(struct reqlog *log, const struct wire_args *args,
    const uint8_t *address, const struct wire_result *res)
{
	char request[WIRE_REQUEST_TEXT_LEN + 1], product[UUID_TEXT_LEN + 1];
	char client[ADMIN_ADDRESS_MAX], fields[LOG_FIELDS_MAX + 1];
	uint64_t n_untold;
	enum log_level level = (enum log_level)reqlog_level(log, res->status,
	    clock_mono_ms(), &n_untold);

	if (!log_is_on(level))
		return;
	hex_encode(args->nonce, WIRE_REQUEST_LEN, request);
	uuid_format(args->product, product);
	admin_address_text(address, client);
	(void)snprintf(fields, sizeof(fields),
	    "request=%s client=%s product=%s outcome=%s", request, client,
	    product, admin_status_name(res->status));
	write_answer(level, fields, args, res);
	if (n_untold > 0)
		log_line(level, "request",
		    "%llu more were refused; log_level = \"fine\" shows all",
		    (unsigned long long)n_untold);
}
