/* SPDX-License-Identifier: MIT */
/*
 * musterd.conf.  What includes another file is left out: what that holds is
 * no part of the input.
 *
 * Holds: what is refused is told, with its file and line, and changes
 * nothing; what is accepted is within the table's limits, and its numbers,
 * written as settings, are read the same.
 */
#include "target.h"

#include <arpa/inet.h>

#include "host/config.h"

#define NAME "m.conf"
#define AGAIN_MAX 4096 /* a line a number of the table */

static unsigned n_mistakes;

const char *__lsan_default_suppressions(void);

/* A string that does not end costs libconfig its buffer, once a start. */
const char *
__lsan_default_suppressions(void)
{
	return "leak:libconfig";
}

static void
hear(void *arg, enum log_level level, const char *file, unsigned line,
    const char *text)
{
	size_t n;

	(void)arg;
	HOLDS(strncmp(text, NAME ":", sizeof(NAME)) == 0);
	text += sizeof(NAME);
	n = strspn(text, "0123456789");
	HOLDS(n > 0 && strncmp(text + n, ": ", 2) == 0);
	HOLDS(strcmp(file, NAME) == 0 && strtoul(text, NULL, 10) == line);
	n_mistakes += level == LOG_ERROR;
}

static uint32_t
value(const struct host_config *c, const struct config_option *o)
{
	uint32_t v;

	memcpy(&v, (const char *)c + o->offset, sizeof(v));
	return v;
}

static void
check_numbers(const struct host_config *c)
{
	static struct host_config d;
	char again[AGAIN_MAX];
	size_t n = 0, n_options;
	const struct config_option *o = config_options(&n_options);

	for (size_t i = 0; i < n_options; i++) {
		uint32_t v = value(c, &o[i]);

		if (o[i].type != CONFIG_NUMBER)
			continue;
		HOLDS(v == o[i].preset || (v >= o[i].min && v <= o[i].max));
		n += (size_t)snprintf(again + n, sizeof(again) - n,
		    "%s = %lu;\n", o[i].name, (unsigned long)v);
		HOLDS(n < sizeof(again));
	}
	HOLDS(config_parse(again, NAME, hear, NULL, &d) == 0);
	for (size_t i = 0; i < n_options; i++)
		HOLDS(o[i].type != CONFIG_NUMBER ||
		    value(c, &o[i]) == value(&d, &o[i]));
}

static void
check_networks(const struct config_networks *networks)
{
	HOLDS(networks->n <= CONFIG_NETWORKS_MAX);
	for (uint32_t i = 0; i < networks->n; i++)
		HOLDS(networks->at[i].bits <= 128);
}

static void
check_server(const struct config_server *server)
{
	uint8_t bytes[16];

	HOLDS(server->address[0] == '\0' ||
	    inet_pton(AF_INET, server->address, bytes) == 1 ||
	    inet_pton(AF_INET6, server->address, bytes) == 1);
}

static void
check_texts(const struct host_config *c)
{
	uint8_t bytes[16];

	HOLDS(c->n_listen >= 1 && c->n_listen <= CONFIG_LISTEN_MAX);
	for (uint32_t i = 0; i < c->n_listen; i++)
		HOLDS(inet_pton(AF_INET, c->listen[i], bytes) == 1 ||
		    inet_pton(AF_INET6, c->listen[i], bytes) == 1);
	check_networks(&c->exempt);
	check_networks(&c->allowed);
	check_server(&c->status);
	check_server(&c->publish_server);
	HOLDS(c->n_domains <= CONFIG_DOMAINS_MAX);
	for (uint32_t i = 0; i < c->n_domains; i++) {
		struct dns_name name;

		HOLDS(dns_name_parse(c->domains[i].domain, &name) == 0);
		HOLDS(c->domains[i].priority <= 65535);
		HOLDS(c->domains[i].weight <= 65535);
		check_server(&c->domains[i].server);
	}
	HOLDS(strlen(c->publish_name) < sizeof(c->publish_name));
	HOLDS(strlen(c->publish_domain) < sizeof(c->publish_domain));
	HOLDS(strlen(c->publish_key_file) < sizeof(c->publish_key_file));
	HOLDS(strlen(c->store) < sizeof(c->store));
	HOLDS(strlen(c->store_group) < sizeof(c->store_group));
}

int
LLVMFuzzerTestOneInput(const uint8_t *p, size_t len)
{
	static struct host_config c, before;
	char *text = malloc(len + 1);
	int err;

	HOLDS(text != NULL);
	if (len > 0)
		memcpy(text, p, len);
	text[len] = '\0';
	if (len <= CONFIG_FILE_MAX && strlen(text) == len &&
	    strstr(text, "@include") == NULL) {
		memset(&c, 0xa5, sizeof(c));
		before = c;
		n_mistakes = 0;
		err = config_parse(text, NAME, hear, NULL, &c);
		HOLDS(err == (n_mistakes > 0 ? MUSTER_E_PROTO : 0));
		if (err == 0) {
			check_texts(&c);
			check_numbers(&c);
		} else {
			SAME(&c, sizeof(c), &before, sizeof(before));
		}
	}
	free(text);
	return 0;
}
