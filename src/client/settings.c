/* SPDX-License-Identifier: MIT */
#include "client/settings.h"

#include <string.h>

#include "client/exchange.h"
#include "client/statefile.h"

static int
check_domain(const char *text)
{
	static const char dns[] = "abcdefghijklmnopqrstuvwxyz"
	                          "ABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789._-";
	size_t len = strnlen(text, AGENT_DOMAIN_LEN + 1);

	if (len > AGENT_DOMAIN_LEN)
		return MUSTER_E_TOOBIG;
	return strspn(text, dns) == len && text[0] != '.' ? 0 : MUSTER_E_PROTO;
}

int
settings_check(const struct agent_settings *s, uint32_t *which_out)
{
	struct exchange_target target;
	int err = 0;

	*which_out = s->n_hosts;
	if (s->n_hosts > AGENT_HOSTS_MAX)
		return MUSTER_E_TOOBIG;
	for (uint32_t i = 0; i < s->n_hosts && err == 0; i++) {
		*which_out = i;
		err = strnlen(s->host[i], AGENT_HOST_LEN + 1) > AGENT_HOST_LEN
		    ? MUSTER_E_TOOBIG
		    : exchange_parse(s->host[i], &target);
	}
	if (err != 0)
		return err;
	*which_out = s->n_hosts;
	return check_domain(s->domain);
}

int
settings_encode(const struct agent_settings *s, uint8_t *buf, size_t cap,
    size_t *len_out)
{
	struct wr w =
	    statefile_begin(buf, cap, SETTINGS_MAGIC, STATEFILE_VERSION);
	uint32_t which;
	int err = settings_check(s, &which);

	if (err != 0)
		return err;
	wr_u32(&w, s->n_hosts);
	for (uint32_t i = 0; i < s->n_hosts; i++)
		wr_opaque(&w, s->host[i], strlen(s->host[i]));
	wr_opaque(&w, s->domain, strlen(s->domain));
	wr_u32(&w, s->is_caching ? 1 : 0);
	return statefile_finish(&w, len_out);
}

static void
read_text(struct rd *r, size_t max, char *out)
{
	struct bytes text = rd_opaque(r, max);

	if (r->err != 0)
		return;
	if (text.len != 0 && memchr(text.p, '\0', text.len) != NULL)
		rd_fail(r, MUSTER_E_PROTO);
	else if (text.len != 0)
		memcpy(out, text.p, text.len);
}

int
settings_decode(const uint8_t *p, size_t len, struct agent_settings *s_out)
{
	struct agent_settings s = {.n_hosts = 0};
	uint32_t caching, which;
	struct rd r;
	int err =
	    statefile_open(p, len, SETTINGS_MAGIC, STATEFILE_VERSION, &r, NULL);

	if (err != 0)
		return err;
	s.n_hosts = rd_u32(&r);
	if (s.n_hosts > AGENT_HOSTS_MAX)
		return r.err != 0 ? r.err : MUSTER_E_TOOBIG;
	for (uint32_t i = 0; i < s.n_hosts; i++)
		read_text(&r, AGENT_HOST_LEN, s.host[i]);
	read_text(&r, AGENT_DOMAIN_LEN, s.domain);
	caching = rd_u32(&r);
	s.is_caching = caching == 1;
	err = rd_end(&r);
	if (err == 0 && caching > 1)
		err = MUSTER_E_RANGE;
	if (err == 0)
		err = settings_check(&s, &which);
	if (err == 0)
		*s_out = s;
	return err;
}
