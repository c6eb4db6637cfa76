/* SPDX-License-Identifier: MIT */
/*
 * host_show.c -- what musterd tells, as text for people.
 */
#include "cli/host_show.h"

#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <time.h>

#define DAY_S 86400
#define DAY_CHARS 10 /* of a time's text */

#define N_LINES 8

static const char *
text_of(const json_t *object, const char *key)
{
	const char *text = json_string_value(json_object_get(object, key));

	return text != NULL ? text : "-";
}

static long long
number_of(const json_t *object, const char *key)
{
	return json_integer_value(json_object_get(object, key));
}

void
host_show_time(long long unix_s, char *out)
{
	time_t t = (time_t)unix_s;
	struct tm tm;

	if (gmtime_r(&t, &tm) == NULL ||
	    strftime(out, HOST_SHOW_TIME_MAX, "%Y-%m-%dT%H:%M:%SZ", &tm) == 0)
		(void)snprintf(out, HOST_SHOW_TIME_MAX, "%lld", unix_s);
}

static void
show_certificate(const json_t *publisher)
{
	const json_t *cert = json_object_get(publisher, "certificate");
	const json_t *expires = json_object_get(cert, "expires_day");
	long long lines = number_of(cert, "lines");
	char day[HOST_SHOW_TIME_MAX] = "never";

	if (json_is_integer(json_object_get(publisher, "host_key_number")))
		(void)printf("  host key      number %lld\n",
		    number_of(publisher, "host_key_number"));
	else
		(void)printf("  host key      none; next: muster host "
		             "install-key\n");
	if (json_is_true(json_object_get(publisher, "activated")))
		(void)printf("  activated     yes\n");
	else
		(void)printf("  activated     no: %s\n",
		    text_of(publisher, "reason"));
	if (!json_is_object(cert))
		return;
	if (json_is_integer(expires))
		host_show_time(json_integer_value(expires) * DAY_S, day);
	(void)printf("  certificate   key %lld, slot %lld, activation %lld, "
	             "level %lld, lines",
	    number_of(cert, "key_number"), number_of(cert, "slot"),
	    number_of(cert, "activation"), number_of(cert, "level"));
	for (int i = 0; i < N_LINES; i++) {
		if (lines >> i & 1)
			(void)printf(" %d", i);
	}
	(void)printf("; ends: %.*s\n", DAY_CHARS, day);
}

static void
show_publisher(const json_t *publisher)
{
	const json_t *item;
	size_t i;

	(void)printf("\n%s (%s)\n", text_of(publisher, "name"),
	    text_of(publisher, "id"));
	show_certificate(publisher);
	(void)printf("  catalogue     serial %lld\n",
	    number_of(publisher, "catalogue_serial"));
	json_array_foreach(json_object_get(publisher, "groups"), i, item)
	{
		(void)printf("  group %-7lld %s: count %lld, largest threshold "
		             "%lld, held %lld of %lld\n",
		    number_of(item, "group"), text_of(item, "name"),
		    number_of(item, "count"),
		    number_of(item, "largest_threshold"),
		    number_of(item, "held"), number_of(item, "capacity"));
	}
	json_array_foreach(json_object_get(publisher, "products"), i, item)
	{
		(void)printf("  product       %s: %s, from %lld on, %s\n",
		    text_of(item, "name"), text_of(item, "class"),
		    number_of(item, "threshold"),
		    json_is_true(json_object_get(item, "covered"))
		        ? "covered"
		        : "not covered");
	}
}

static void
show_numbers(const char *title, const json_t *object)
{
	const char *key;
	json_t *value;
	const char *comma = " ";

	(void)printf("%s", title);
	json_object_foreach((json_t *)(uintptr_t)object, key, value)
	{
		(void)printf("%s%s ", comma, key);
		if (json_is_string(value))
			(void)printf("%s", json_string_value(value));
		else
			(void)printf("%lld",
			    (long long)json_integer_value(value));
		comma = ", ";
	}
	(void)putchar('\n');
}

void
host_show_status(const json_t *status)
{
	const json_t *item;
	char since[HOST_SHOW_TIME_MAX];
	size_t i;

	host_show_time(number_of(status, "started_unix_s"), since);
	(void)printf("musterd %s, process %lld, since %s\n",
	    text_of(status, "version"), number_of(status, "pid"), since);
	json_array_foreach(json_object_get(status, "listeners"), i, item)
	{
		(void)printf("listening       %s port %lld\n",
		    text_of(item, "address"), number_of(item, "port"));
	}
	(void)printf("intervals       renewal %lld min, retry %lld min\n",
	    number_of(status, "renewal_minutes"),
	    number_of(status, "retry_minutes"));
	show_numbers("requests       ", json_object_get(status, "requests"));
	show_numbers("connections    ", json_object_get(status, "connections"));
	show_numbers("store          ", json_object_get(status, "store"));
	show_numbers("sandbox        ", json_object_get(status, "sandbox"));
	host_show_dns(json_object_get(status, "dns"));
	if (json_array_size(json_object_get(status, "publishers")) == 0)
		(void)printf("\nno publisher; next: muster catalogue install "
		             "FILE --trust ID\n");
	json_array_foreach(json_object_get(status, "publishers"), i, item)
	{
		show_publisher(item);
	}
}
