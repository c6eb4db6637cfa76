/* SPDX-License-Identifier: MIT */
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "agent/agent.h"
#include "base/clock.h"
#include "base/hex.h"
#include "base/log.h"

void
api_error(struct agent_reply *reply, int err, const char *next_step,
    const char *format, ...)
{
	va_list ap;

	memset(reply, 0, sizeof(*reply));
	reply->err = err;
	va_start(ap, format);
	(void)vsnprintf(reply->message, sizeof(reply->message), format, ap);
	va_end(ap);
	(void)snprintf(reply->next_step, sizeof(reply->next_step), "%s",
	    next_step);
}

static void
fill_info(const struct agent_product *p, struct agent_info *info)
{
	const struct state_product *s = &p->life.state;
	const struct cat_product *product = p->env.product;
	uint32_t minutes = 0;

	memcpy(info->product, product->id, PRODUCT_LEN);
	memcpy(info->publisher, p->publisher->id, PUBLISHER_LEN);
	(void)snprintf(info->name, sizeof(info->name), "%s", product->name);
	(void)snprintf(info->publisher_name, sizeof(info->publisher_name), "%s",
	    p->env.cat->head.name);
	info->state = life_licence(&p->life, &p->env, clock_unix_s(), &minutes,
	    &info->reason);
	info->seconds_left = 60 * (int64_t)minutes;
	info->count = s->count;
	info->threshold = product->threshold;
	info->renewal_min =
	    s->renewal_min != 0 ? s->renewal_min : LIFE_RENEWAL_MIN;
	info->retry_min = s->retry_min != 0 ? s->retry_min : LIFE_RETRY_MIN;
	info->rearms_left =
	    s->rearms < product->rearms ? product->rearms - s->rearms : 0;
	if (s->first_seen_unix_s != STATE_SEEN_LOST)
		info->first_seen_unix_s = s->first_seen_unix_s;
	info->answered_unix_s = s->answered_unix_s;
	info->asked_unix_s = s->asked_unix_s;
	info->due_unix_s =
	    p->has_wake ? clock_unix_s() + p->wake_boot_s - clock_boot_s() : 0;
	(void)snprintf(info->host, sizeof(info->host), "%s", s->host);
}

/* A lookup stands without a port, by the name that was asked for. */
static void
fill_target(const struct round_outcome *o, char *out)
{
	(void)snprintf(out, AGENT_HOST_LEN + 1, "%s%s",
	    o->is_lookup ? WALK_SERVICE "." : "", o->text);
}

_Static_assert((int)AGENT_STATIC == (int)WALK_STATIC &&
        (int)AGENT_CACHED == (int)WALK_KNOWN && (int)AGENT_DNS == (int)WALK_DNS,
    "the sources of agent.x are those of a walk");

/* Where the host that answered last came from: by the last round, else, after
 * a start, by what is remembered. */
static void
fill_source(const struct agent_product *p, struct agent_info *info)
{
	const struct walk_known *known = &p->publisher->known;
	const struct agent_settings *s = &p->agent->settings;
	const struct round *r = &p->round;
	struct exchange_target t;

	if (p->has_round && !p->life.is_asking && r->asking.has_reply) {
		info->source = (enum agent_source)r->source;
		memcpy(info->domain, r->domain, sizeof(info->domain));
	} else if (info->host[0] != '\0' &&
	    strcmp(known->host, info->host) == 0) {
		info->source = AGENT_CACHED;
		memcpy(info->domain, known->domain, sizeof(info->domain));
	}
	for (uint32_t i = 0; info->source == AGENT_NOWHERE && i < s->n_hosts;
	     i++) {
		if (exchange_parse(s->host[i], &t) == 0 &&
		    strcmp(t.text, info->host) == 0)
			info->source = AGENT_STATIC;
	}
}

static void
fill_outcomes(const struct agent_product *p, struct agent_info *info)
{
	const struct round *r = &p->round;

	if (!p->has_round || p->life.is_asking)
		return;
	info->round = r->err;
	for (size_t i = 0; i < r->n_outcomes && i < AGENT_HOSTS_MAX; i++) {
		struct agent_outcome *o = &info->outcome[i];

		fill_target(&r->outcome[i], o->target);
		o->err = r->outcome[i].err;
		o->status = r->outcome[i].status;
		o->host_unix_s = r->outcome[i].host_unix_s;
		o->busy_s = r->outcome[i].busy_s;
		memcpy(o->request, r->outcome[i].request, WIRE_REQUEST_LEN);
		info->n_outcomes = (uint32_t)i + 1;
		if (info->round == 0)
			info->round = o->err;
		if (o->err == 0)
			info->round = 0;
	}
}

/* What was not written counts for more than what a host said. */
static void
fill_disk(const struct agent_product *p, struct agent_info *info)
{
	if (p->disk_err != 0 && !p->life.is_asking)
		info->round = p->disk_err;
}

static void
info_reply(const struct agent_product *p, enum agent_op op,
    struct agent_reply *reply)
{
	memset(reply, 0, sizeof(*reply));
	reply->op = op;
	fill_info(p, &reply->info);
	fill_source(p, &reply->info);
	fill_outcomes(p, &reply->info);
	fill_disk(p, &reply->info);
}

void
api_activated(const struct agent_product *p, struct agent_reply *reply)
{
	info_reply(p, AGENT_ACTIVATE, reply);
	reply->info.is_early = p->todo.is_early;
}

static void
no_product(struct agent_reply *reply, const uint8_t *product)
{
	char uuid[UUID_TEXT_LEN + 1];

	uuid_format(product, uuid);
	api_error(reply, MUSTER_E_PRODUCT,
	    "install the product's package, or its key by `muster "
	    "install-key KEY`; `muster status` lists what is there",
	    "no product %s is installed here", uuid);
}

static void
list(const struct agent *a, struct agent_reply *reply)
{
	struct agent_ids *ids = &reply->products;

	for (uint32_t i = 0; i < AGENT_PRODUCTS_MAX; i++) {
		const struct agent_product *p = &a->product[i];

		if (p->is_used)
			memcpy(ids->id[ids->n++], p->env.product->id,
			    PRODUCT_LEN);
	}
}

/*
 * Rounds that users begin must not keep an administrator or a new catalogue
 * waiting for ever: from some time on none begins until the last has ended.
 */
static bool
is_quiet(const struct agent *a)
{
	int64_t boot_s = clock_boot_s();

	return boot_s < a->quiet_until_boot_s ||
	    (a->is_dirty && boot_s - a->dirty_boot_s >= AGENT_PATIENCE_S);
}

static void
rounds_first(struct agent *a, struct agent_reply *reply)
{
	a->quiet_until_boot_s = clock_boot_s() + AGENT_QUIET_S;
	api_error(reply, MUSTER_E_AGAIN, "try again in ten seconds",
	    "hosts are being asked just now; nothing was changed, and users "
	    "begin no further round for two minutes");
}

static void
activate(struct agent *a, const uint8_t *product, struct agent_reply *reply,
    struct agent_product **wait_out)
{
	const struct life_event ask = {.kind = LIFE_ASK};
	struct agent_product *p;

	if (a->is_generalized) {
		api_error(reply, MUSTER_E_AGAIN,
		    "systemctl restart muster-agent, on each copy of the image",
		    "this machine was generalized and asks for nothing");
		return;
	}
	agent_scan_for_user(a);
	p = agent_find(a, product);
	if (p == NULL) {
		no_product(reply, product);
		return;
	}
	if (!p->life.is_asking && is_quiet(a)) {
		api_error(reply, MUSTER_E_AGAIN, "try again in a minute",
		    "a change waits for the hosts that are being asked");
		return;
	}
	if (!p->life.is_asking)
		(void)agent_event(p, &ask);
	if (p->life.is_asking) {
		*wait_out = p;
		return;
	}
	api_activated(p, reply);
}

static void
set(struct agent *a, const struct agent_request *req, struct agent_reply *reply)
{
	struct agent_settings s = a->settings;
	uint32_t which;
	int err;

	if (req->op == AGENT_SET_HOSTS) {
		s.n_hosts = req->settings.n_hosts;
		memcpy(s.host, req->settings.host, sizeof(s.host));
	} else if (req->op == AGENT_SET_DOMAIN) {
		memcpy(s.domain, req->settings.domain, sizeof(s.domain));
	} else {
		s.is_caching = req->settings.is_caching;
	}
	err = settings_check(&s, &which);
	if (err != 0) {
		api_error(reply, err, "give NAME, NAME:PORT or [IPV6]:PORT",
		    "%s is not a %s: %s",
		    which < s.n_hosts ? s.host[which] : s.domain,
		    which < s.n_hosts ? "host" : "domain",
		    muster_strerror(err));
		return;
	}
	err = agent_save_settings(a, &s);
	if (err == MUSTER_E_UNSURE)
		api_error(reply, err,
		    "see to the disk (journalctl -k), then set them again",
		    "the settings hold now, and may be gone after a power "
		    "loss: the folder could not be synced");
	else if (err != 0)
		api_error(reply, err,
		    "see to space and rights on the agent's "
		    "state folder; nothing was changed",
		    "the settings could not be written: %s",
		    muster_strerror(err));
}

static void
install_key(struct agent *a, const char *key, struct agent_reply *reply)
{
	uint8_t product[PRODUCT_LEN];
	int err = agent_install_key(a, key, product);

	switch (err) {
	case 0:
		memcpy(reply->product, product, PRODUCT_LEN);
		(void)agent_scan(a);
		break;
	case MUSTER_E_UNSURE:
		(void)agent_scan(a);
		api_error(reply, err,
		    "see to the disk (journalctl -k), then install it again",
		    "the key is taken, and may be gone after a power loss: "
		    "its folder could not be synced");
		break;
	case MUSTER_E_KIND:
		api_error(reply, err,
		    "a host key belongs on a KMS host: muster host "
		    "install-key; here goes a client setup key",
		    "this is not a client setup key");
		break;
	case MUSTER_E_PRODUCT:
		api_error(reply, err,
		    "install the publisher's catalogue first: muster "
		    "catalogue install FILE --trust ID",
		    "the key is of no product in a catalogue on this machine");
		break;
	case MUSTER_E_TOOBIG:
	case MUSTER_E_TRUNC:
	case MUSTER_E_PROTO:
	case MUSTER_E_TYPO:
		api_error(reply, err,
		    "type the 25 characters again, as they are printed",
		    "this is no key: %s", muster_strerror(err));
		break;
	default:
		api_error(reply, err,
		    "see to space and rights on the agent's "
		    "state folder",
		    "the key could not be kept: %s", muster_strerror(err));
		break;
	}
}

static void
rearm(struct agent *a, const struct agent_ids *ids, struct agent_reply *reply)
{
	const struct agent_product *which = NULL;
	int err = agent_rearm(a, ids, &which);

	if (err != MUSTER_E_AGAIN)
		a->quiet_until_boot_s = 0;
	if (err == MUSTER_E_RANGE && which != NULL)
		api_error(reply, err,
		    "activate it: there is no need to rearm, or ask its "
		    "publisher",
		    "%s was rearmed %u times, and its catalogue allows no more",
		    which->env.product->name, which->life.state.rearms);
	else if (err == MUSTER_E_PRODUCT)
		api_error(reply, err, "`muster status` lists what is there",
		    "a product that was named is not installed here");
	else if (err == MUSTER_E_AGAIN)
		rounds_first(a, reply);
	else if (err == MUSTER_E_UNSURE)
		api_error(reply, err,
		    "see to the disk (journalctl -k); the agent goes on as "
		    "before and writes that as soon as it can: `muster status`",
		    "the state could not be written, nor be put back: what is "
		    "on disk is unknown");
	else if (err != 0)
		api_error(reply, err,
		    "nothing was changed; see to space and rights on the "
		    "agent's state folder, then rearm again",
		    "the state could not be written: %s", muster_strerror(err));
}

static void
generalize(struct agent *a, struct agent_reply *reply)
{
	int err = agent_generalize(a);

	if (err == MUSTER_E_AGAIN)
		rounds_first(a, reply);
	else if (err != 0)
		api_error(reply, err,
		    "see to space and rights on the agent's "
		    "state folder, then generalize again; until then, or a "
		    "restart of the agent, nothing is asked for",
		    "not all of the state could be cleared: %s",
		    muster_strerror(err));
}

static bool
is_for_admins(enum agent_op op)
{
	return op >= AGENT_SET_HOSTS;
}

void
api_call(struct agent *a, const struct agent_request *req, bool is_admin,
    struct agent_reply *reply, struct agent_product **wait_out)
{
	const struct agent_product *p;

	*wait_out = NULL;
	memset(reply, 0, sizeof(*reply));
	reply->op = req->op;
	if (is_for_admins(req->op) && !is_admin) {
		api_error(reply, MUSTER_E_DENIED,
		    "run the command as root (sudo)",
		    "only an administrator may do this; nothing was changed");
		return;
	}
	switch (req->op) {
	case AGENT_LIST:
		/* `muster activate` asks for those that it finds here */
		agent_scan_for_user(a);
		list(a, reply);
		break;
	case AGENT_INFO:
		p = agent_find(a, req->product);
		if (p == NULL)
			no_product(reply, req->product);
		else
			info_reply(p, AGENT_INFO, reply);
		break;
	case AGENT_ACTIVATE:
		activate(a, req->product, reply, wait_out);
		break;
	case AGENT_SETTINGS:
		reply->settings = a->settings;
		break;
	case AGENT_SET_HOSTS:
	case AGENT_SET_DOMAIN:
	case AGENT_SET_CACHING:
		set(a, req, reply);
		break;
	case AGENT_INSTALL_KEY:
		install_key(a, req->key, reply);
		break;
	case AGENT_REARM:
		rearm(a, &req->products, reply);
		break;
	case AGENT_GENERALIZE:
		generalize(a, reply);
		break;
	}
}
