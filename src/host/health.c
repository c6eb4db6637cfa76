/* SPDX-License-Identifier: MIT */
#include "host/health.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#define TEXT_LEN 320

enum mark { MARK_OK, MARK_WARNING, MARK_ERROR };

static const char *const marks[] = {"ok", "warning", "error"};

struct health {
	json_t *checks;
	enum mark worst;
};

/* One check; next_step is NULL where all is well, and subject for the host. */
__attribute__((format(printf, 6, 7))) static void
add(struct health *h, const char *name, const char *subject, enum mark mark,
    const char *next_step, const char *format, ...)
{
	char text[TEXT_LEN];
	va_list ap;

	va_start(ap, format);
	(void)vsnprintf(text, sizeof(text), format, ap);
	va_end(ap);
	if (mark > h->worst)
		h->worst = mark;
	(void)json_array_append_new(h->checks,
	    json_pack("{s:s, s:s?, s:s, s:s, s:s?}", "name", name, "subject",
	        subject, "state", marks[mark], "message", text, "next_step",
	        next_step));
}

/* "1 machine", "2 machines"; of words that take an s. */
static const char *
s_of(long long n)
{
	return n == 1 ? "" : "s";
}

static long long
number(const json_t *object, const char *key)
{
	return json_integer_value(json_object_get(object, key));
}

static const char *
text(const json_t *object, const char *key)
{
	const char *s = json_string_value(json_object_get(object, key));

	return s != NULL ? s : "";
}

static void
check_store(struct health *h, const json_t *status)
{
	const json_t *store = json_object_get(status, "store");
	const char *reason = text(store, "reason");
	const char *next = text(store, "next_step");

	if (strcmp(text(store, "state"), "ok") == 0)
		add(h, "store", NULL, MARK_OK, NULL, "%s takes what is counted",
		    text(store, "kind"));
	else
		add(h, "store", NULL, MARK_ERROR,
		    reason[0] != '\0' ? reason
		        : next[0] != '\0'
		        ? next
		        : "see the log of musterd: it names the cause",
		    "%s does not take what is counted (%s): clients are told "
		    "to come again",
		    text(store, "kind"), text(store, "last_outcome"));
}

static void
check_certificate(struct health *h, const json_t *publisher)
{
	const json_t *cert = json_object_get(publisher, "certificate");
	const json_t *left = json_object_get(cert, "days_left");
	const char *name = text(publisher, "name");
	long long days = json_integer_value(left);

	if (!json_is_true(json_object_get(publisher, "activated")))
		add(h, "certificate", name, MARK_ERROR,
		    "muster host install-key, then muster host activate",
		    "this host is not activated: %s",
		    text(publisher, "reason"));
	else if (!json_is_integer(left))
		add(h, "certificate", name, MARK_OK, NULL,
		    "the certificate has no end");
	else if (days < HEALTH_DAYS_WARN)
		add(h, "certificate", name,
		    days < HEALTH_DAYS_ERROR ? MARK_ERROR : MARK_WARNING,
		    "renew it: muster host activate",
		    "the certificate ends in %lld day%s", days, s_of(days));
	else
		add(h, "certificate", name, MARK_OK, NULL,
		    "the certificate holds for %lld more day%s", days,
		    s_of(days));
}

/* Does anybody there wait for it?  One that the host key does not cover is not
 * activated by any count; and one that nobody has needs no machines.  What the
 * inventory does not tell yet, the count does. */
static bool
is_wanted(const json_t *thresholds, const json_t *one, long long count)
{
	const json_t *any;
	size_t i;

	if (!json_is_true(json_object_get(one, "covered")))
		return false;
	if (number(one, "clients") > 0)
		return true;
	json_array_foreach(thresholds, i, any)
	{
		if (number(any, "clients") > 0)
			return false;
	}
	return count > 0;
}

static void
check_group(struct health *h, const json_t *publisher, const json_t *group)
{
	const json_t *thresholds = json_object_get(group, "thresholds");
	const json_t *one;
	char subject[TEXT_LEN];
	long long count = number(group, "count"), missing = 0;
	const char *product = "";
	bool is_any_covered = false, is_any_wanted = false;
	size_t i;

	(void)snprintf(subject, sizeof(subject), "%s: %s",
	    text(publisher, "name"), text(group, "name"));
	json_array_foreach(thresholds, i, one)
	{
		long long lacks = number(one, "threshold") - count;

		is_any_covered |= json_is_true(json_object_get(one, "covered"));
		if (!is_wanted(thresholds, one, count))
			continue;
		is_any_wanted = true;
		if (lacks > missing) {
			missing = lacks;
			product = text(one, "product");
		}
	}
	if (!is_any_covered)
		add(h, "count", subject, MARK_OK, NULL,
		    "%lld machine%s: the host key covers no product of this "
		    "group",
		    count, s_of(count));
	else if (!is_any_wanted)
		add(h, "count", subject, MARK_OK, NULL,
		    "%lld machine%s: nobody asks for a product that the host "
		    "key covers",
		    count, s_of(count));
	else if (missing == 0)
		add(h, "count", subject, MARK_OK, NULL,
		    "%lld machine%s: the threshold of every product in use is "
		    "reached",
		    count, s_of(count));
	else
		add(h, "count", subject, MARK_WARNING,
		    "let more machines ask this host; muster plan tells "
		    "how long it takes",
		    "%lld machine%s: %s needs %lld more", count, s_of(count),
		    product, missing);
}

/* Not to publish is a choice, or follows from another check, or it is a lack. */
static void
check_publishing(struct health *h, enum publish_reason reason)
{
	switch (reason) {
	case PUBLISH_NO_NAME:
	case PUBLISH_NO_DOMAIN:
	case PUBLISH_WITHDRAWN:
		add(h, "dns", NULL, MARK_WARNING,
		    "muster host dns show has the line to enter by hand",
		    "this host is not published: %s",
		    publish_reason_words(reason));
		break;
	case PUBLISH_ON:
	case PUBLISH_OFF:
	case PUBLISH_NO_CERTIFICATE:
	case PUBLISH_STOPPING:
		break;
	}
}

/* While an update is under way the last one that ended says how it stands. */
static bool
is_dns_failing(const json_t *domain)
{
	const char *state = text(domain, "state");

	if (strcmp(state, "asking") == 0)
		return json_object_get(domain, "result") != NULL &&
		    strcmp(text(domain, "result"), update_name(UPDATE_DONE)) !=
		    0;
	return strcmp(state, "failed") == 0;
}

static void
check_dns(struct health *h, const json_t *status)
{
	const json_t *dns = json_object_get(status, "dns");
	const json_t *domain;
	size_t i;

	json_array_foreach(json_object_get(dns, "domains"), i, domain)
	{
		const char *name = text(domain, "domain");

		if (is_dns_failing(domain))
			add(h, "dns", name, MARK_WARNING,
			    "muster host dns show has the line to enter by "
			    "hand",
			    "not published: %s", text(domain, "message"));
		else if (strcmp(text(domain, "state"), "published") == 0 ||
		    json_object_get(domain, "result") != NULL)
			add(h, "dns", name, MARK_OK, NULL, "published");
	}
}

static void
check_inventory(struct health *h, const json_t *status)
{
	const json_t *reading = json_object_get(status, "inventory_reading");
	const json_t *inventory = json_object_get(status, "inventory");
	long long clients = number(inventory, "clients");
	long long max = number(inventory, "rows_max");

	if (strcmp(text(reading, "state"), "failing") == 0)
		add(h, "inventory", NULL, MARK_WARNING,
		    "see the log of musterd: its line `inventory` names the "
		    "cause",
		    "the inventory cannot be read (%s): its figures are old",
		    text(reading, "last_outcome"));
	if (max > 0 && clients * 100 >= max * HEALTH_ROWS_PERCENT)
		add(h, "inventory_rows", NULL, MARK_WARNING,
		    "raise inventory_rows in musterd.conf, or shorten "
		    "retention_days; then systemctl reload musterd",
		    "the inventory has %lld of at most %lld rows: beyond "
		    "them those unseen longest are dropped",
		    clients, max);
}

static void
check_rest(struct health *h, const json_t *status)
{
	const json_t *probe = json_object_get(status, "self_test");
	long long duplicates =
	    number(json_object_get(status, "inventory"), "duplicates");

	if (json_array_size(json_object_get(status, "publishers")) == 0)
		add(h, "catalogue", NULL, MARK_ERROR,
		    "install a product's package, or muster catalogue install",
		    "no catalogue is here: no product can be activated");
	if (json_is_object(probe) && json_is_true(json_object_get(probe, "ok")))
		add(h, "self_test", NULL, MARK_OK, NULL,
		    "this host answers itself");
	else if (json_is_object(probe))
		add(h, "self_test", NULL, MARK_ERROR,
		    "see the log of musterd; try muster ping",
		    "this host does not answer itself: %s",
		    text(probe, "message"));
	if (duplicates > 0)
		add(h, "duplicates", NULL, MARK_WARNING,
		    "muster host clients --duplicates names them; muster rearm "
		    "on the copies, and muster generalize in the image before "
		    "it is copied again",
		    "%lld client id%s used by more than one machine",
		    duplicates, duplicates == 1 ? " is" : "s are");
	check_inventory(h, status);
}

json_t *
health_json(const struct admin_host *host, const json_t *status)
{
	struct health h = {.checks = json_array()};
	const json_t *publisher, *group;
	size_t i, k;

	check_store(&h, status);
	json_array_foreach(json_object_get(status, "publishers"), i, publisher)
	{
		check_certificate(&h, publisher);
		if (!json_is_true(json_object_get(publisher, "activated")))
			continue;
		json_array_foreach(json_object_get(publisher, "groups"), k,
		    group)
		{
			check_group(&h, publisher, group);
		}
	}
	check_publishing(&h, host->publish->reason);
	check_dns(&h, status);
	check_rest(&h, status);
	return json_pack("{s:s, s:o}", "state", marks[h.worst], "checks",
	    h.checks);
}
