/* SPDX-License-Identifier: MIT */
#include "host/reqlog.h"

#include <stdbool.h>

#include "base/clock.h"
#include "base/hex.h"
#include "base/log.h"
#include "host/admin_api.h"
#include "host/admin_list.h"

int
reqlog_level(struct reqlog *log, enum wire_status status, bool is_below,
    int64_t now_ms, uint64_t *n_untold_out)
{
	struct reqlog_rate *rate = is_below ? &log->below : &log->refused;

	*n_untold_out = 0;
	/* BUSY is told by what causes it: the store, or the source */
	if ((status == WIRE_OK && !is_below) || status == WIRE_BUSY)
		return LOG_FINE;
	if (rate->begun_ms == 0 || now_ms - rate->begun_ms >= REQLOG_MS) {
		rate->begun_ms = now_ms;
		rate->n = 0;
	}
	if (rate->n == REQLOG_NOTES_MAX) {
		rate->n_untold++;
		return LOG_FINE;
	}
	rate->n++;
	*n_untold_out = rate->n_untold;
	rate->n_untold = 0;
	return LOG_NOTE;
}

static void
write_counted(enum log_level level, const char *request, const char *client,
    const struct wire_args *args, uint32_t count)
{
	bool is_below = count < args->threshold;

	log_event(level, "request",
	    LOG_FIELDS(LOG_TEXT(REQUEST, request), LOG_TEXT(CLIENT, client),
	        LOG_UUID(PRODUCT, args->product),
	        LOG_TEXT(OUTCOME, is_below ? "below_threshold" : "ok"),
	        LOG_NUMBER(COUNT, count),
	        LOG_NUMBER(THRESHOLD, args->threshold)),
	    is_below ? "counted: %u of %u" : "granted: count %u of %u", count,
	    args->threshold);
}

static void
write_refused(enum log_level level, const char *request, const char *client,
    const struct wire_args *args, enum wire_status status)
{
	const char *cause = admin_status_name(status);

	log_event(level, "request",
	    LOG_FIELDS(LOG_TEXT(REQUEST, request), LOG_TEXT(CLIENT, client),
	        LOG_UUID(PRODUCT, args->product), LOG_TEXT(OUTCOME, cause)),
	    "refused: %s", cause);
}

void
reqlog_answered(struct reqlog *log, const struct wire_args *args,
    const uint8_t *address, const struct wire_result *res)
{
	char request[WIRE_REQUEST_TEXT_LEN + 1], client[ADMIN_ADDRESS_MAX];
	bool is_below =
	    res->status == WIRE_OK && res->grant.count < args->threshold;
	uint64_t n_untold;
	enum log_level level = (enum log_level)reqlog_level(log, res->status,
	    is_below, clock_mono_ms(), &n_untold);

	if (!log_is_on(level))
		return;
	hex_encode(args->nonce, WIRE_REQUEST_LEN, request);
	admin_address_text(address, client);
	if (res->status == WIRE_OK)
		write_counted(level, request, client, args, res->grant.count);
	else
		write_refused(level, request, client, args, res->status);
	if (n_untold > 0)
		log_event(level, "request",
		    LOG_FIELDS(LOG_NUMBER(MORE, n_untold),
		        LOG_TEXT(OUTCOME, is_below ? "below_threshold" : NULL)),
		    "%llu more were %s; log_level = \"fine\" shows all",
		    (unsigned long long)n_untold,
		    is_below ? "counted below their threshold" : "refused");
}
