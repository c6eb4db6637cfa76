/* SPDX-License-Identifier: MIT */
#include "host/reqlog.h"

#include <stdbool.h>

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
write_answer(enum log_level level, const char *request, const char *client,
    const struct wire_args *args, const struct wire_result *res)
{
	const char *outcome = admin_status_name(res->status);
	bool is_enough = res->grant.count >= args->threshold;

	if (res->status != WIRE_OK)
		log_event(level, "request",
		    LOG_FIELDS(LOG_TEXT(REQUEST, request),
		        LOG_TEXT(CLIENT, client),
		        LOG_UUID(PRODUCT, args->product),
		        LOG_TEXT(OUTCOME, outcome)),
		    "refused: %s", outcome);
	else
		log_event(level, "request",
		    LOG_FIELDS(LOG_TEXT(REQUEST, request),
		        LOG_TEXT(CLIENT, client),
		        LOG_UUID(PRODUCT, args->product),
		        LOG_TEXT(OUTCOME, outcome),
		        LOG_NUMBER(COUNT, res->grant.count),
		        LOG_NUMBER(THRESHOLD, args->threshold)),
		    is_enough ? "granted: count %u of %u" : "counted: %u of %u",
		    res->grant.count, args->threshold);
}

void
reqlog_answered(struct reqlog *log, const struct wire_args *args,
    const uint8_t *address, const struct wire_result *res)
{
	char request[WIRE_REQUEST_TEXT_LEN + 1], client[ADMIN_ADDRESS_MAX];
	uint64_t n_untold;
	enum log_level level = (enum log_level)reqlog_level(log, res->status,
	    clock_mono_ms(), &n_untold);

	if (!log_is_on(level))
		return;
	hex_encode(args->nonce, WIRE_REQUEST_LEN, request);
	admin_address_text(address, client);
	write_answer(level, request, client, args, res);
	if (n_untold > 0)
		log_event(level, "request",
		    LOG_FIELDS(LOG_NUMBER(MORE, n_untold)),
		    "%llu more were refused; log_level = \"fine\" shows all",
		    (unsigned long long)n_untold);
}
