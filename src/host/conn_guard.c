/* SPDX-License-Identifier: MIT */
#include "host/conn_guard.h"

#include <arpa/inet.h>
#include <sodium.h>
#include <stdlib.h>

#include "base/clock.h"
#include "base/log.h"

int
conn_guard_new(struct conn_server *srv)
{
	/* zeros that are not touched are not yet memory */
	srv->sources = calloc(1, sizeof(*srv->sources));
	if (srv->sources == NULL)
		return MUSTER_E_NOMEM;
	randombytes_buf(srv->sources->key, sizeof(srv->sources->key));
	srv->limits.open_max = srv->config.connections / GUARD_SHARE;
	if (srv->limits.open_max == 0)
		srv->limits.open_max = 1;
	srv->limits.per_minute = srv->config.source_rate;
	return 0;
}

static uint32_t
now_s(void)
{
	return (uint32_t)(clock_mono_ms() / 1000) + 1;
}

static bool
is_within(const uint8_t *address, const struct config_networks *networks)
{
	for (uint32_t i = 0; i < networks->n; i++) {
		if (sources_is_within(address, networks->at[i].address,
		        networks->at[i].bits))
			return true;
	}
	return false;
}

bool
conn_server_allows(const struct conn_server *srv, const uint8_t *address)
{
	const struct config_networks *allowed = &srv->config.allowed;

	return allowed->n == 0 || is_within(address, allowed);
}

bool
conn_guard_is_allowed(const struct conn *c)
{
	return conn_server_allows(c->srv, c->address);
}

static const char *
text_of(const struct conn *c, char *out, size_t cap)
{
	bool is_v4 = IN6_IS_ADDR_V4MAPPED((const struct in6_addr *)c->address);

	if (inet_ntop(is_v4 ? AF_INET : AF_INET6,
	        is_v4 ? c->address + 12 : c->address, out,
	        (socklen_t)cap) == NULL)
		return "?";
	return out;
}

/* Those that were not told stand in the next line. */
static void
tell(struct conn *c, enum source_verdict class, const char *what)
{
	struct conn_told *told = &c->srv->told[class];
	char room[INET6_ADDRSTRLEN];
	const char *address;
	int64_t now_ms = clock_mono_ms();

	if (told->at_ms != 0 && now_ms - told->at_ms < GUARD_LOG_MS) {
		told->n_untold++;
		return;
	}
	address = text_of(c, room, sizeof(room));
	log_event(LOG_WARN, "source",
	    LOG_FIELDS(LOG_TEXT(CLIENT, address),
	        LOG_NUMBER(MORE, told->n_untold)),
	    "%s %s%s; %llu more since the last line", address, what,
	    class == SOURCE_PENALTY ? "" : ": told BUSY and closed",
	    (unsigned long long)told->n_untold);
	told->at_ms = now_ms;
	told->n_untold = 0;
}

bool
conn_guard_admit(struct conn *c)
{
	struct conn_server *srv = c->srv;

	c->source = NULL;
	if (is_within(c->address, &srv->config.exempt))
		return true;
	switch (sources_enter(srv->sources, &srv->limits, c->address, now_s(),
	    &c->source)) {
	case SOURCE_WELCOME:
		return true;
	case SOURCE_MANY:
		tell(c, SOURCE_MANY, "has too many connections open");
		break;
	case SOURCE_FAST:
		tell(c, SOURCE_FAST, "has more than source_rate connections");
		break;
	case SOURCE_PENALTY:
		break; /* told when it began */
	}
	srv->stats.refused++;
	return false;
}

void
conn_guard_leave(struct conn *c)
{
	sources_leave(c->source);
	c->source = NULL;
}

void
conn_guard_no_call(struct conn *c)
{
	char what[80];
	uint32_t s = sources_punish(c->source, now_s());

	c->srv->stats.closed_bad++;
	if (s == 0)
		return;
	(void)snprintf(what, sizeof(what),
	    "sent what is no call and is refused for %u s", s);
	tell(c, SOURCE_PENALTY, what);
}
