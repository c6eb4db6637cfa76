/* SPDX-License-Identifier: MIT */
#include "agent/config.h"

#include <libconfig.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/file.h"

#define FILE_MAX 65536

/* One file being read. */
struct parse {
	const char *name;
	struct agent_config *config;
	unsigned n_mistakes;
};

static void
mistake(struct parse *p, const config_setting_t *set, const char *wanted)
{
	log_event(LOG_ERROR, "config",
	    LOG_FIELDS(LOG_TEXT(FILE, p->name),
	        LOG_NUMBER(LINE, config_setting_source_line(set)),
	        LOG_TEXT(OPTION, config_setting_name(set))),
	    "%s:%u: %s must be %s", p->name, config_setting_source_line(set),
	    config_setting_name(set), wanted);
	p->n_mistakes++;
}

static void
read_hosts(struct parse *p, const config_setting_t *set)
{
	struct agent_settings *s = &p->config->settings;
	int n = config_setting_length(set);

	if (!config_setting_is_aggregate(set) || n < 0 ||
	    (unsigned)n > AGENT_HOSTS_MAX) {
		mistake(p, set, "a list of at most 8 hosts");
		return;
	}
	for (int i = 0; i < n; i++) {
		const char *host = config_setting_get_string_elem(set, i);

		if (host == NULL || strlen(host) > AGENT_HOST_LEN) {
			mistake(p, set, "a list of host names");
			return;
		}
		memcpy(s->host[i], host, strlen(host) + 1);
	}
	s->n_hosts = (uint32_t)n;
}

static void
read_level(struct parse *p, const config_setting_t *set)
{
	if (!log_level_parse(config_setting_get_string(set),
	        &p->config->log_level))
		mistake(p, set, "error, warning, note or fine");
}

static void
read_format(struct parse *p, const config_setting_t *set)
{
	if (!log_format_parse(config_setting_get_string(set),
	        &p->config->log_format))
		mistake(p, set, "auto, text, json or journal");
}

static void
read_resolver(struct parse *p, const config_setting_t *set)
{
	const char *text = config_setting_get_string(set);
	union resolvconf_addr addr;

	if (text == NULL || strlen(text) > RESOLVCONF_TEXT_MAX ||
	    resolvconf_server(text, &addr) != 0)
		mistake(p, set,
		    "a name server: ADDR, ADDR:PORT or [IPV6]:PORT");
	else
		memcpy(p->config->resolver, text, strlen(text) + 1);
}

static void
read_setting(struct parse *p, const config_setting_t *set)
{
	struct agent_settings *s = &p->config->settings;
	const char *name = config_setting_name(set);
	const char *text;

	if (strcmp(name, "hosts") == 0) {
		read_hosts(p, set);
	} else if (strcmp(name, "log_level") == 0) {
		read_level(p, set);
	} else if (strcmp(name, "log_format") == 0) {
		read_format(p, set);
	} else if (strcmp(name, "resolver") == 0) {
		read_resolver(p, set);
	} else if (strcmp(name, "domain") == 0) {
		text = config_setting_get_string(set);
		if (text == NULL || strlen(text) > AGENT_DOMAIN_LEN)
			mistake(p, set, "a domain name");
		else
			memcpy(s->domain, text, strlen(text) + 1);
	} else if (strcmp(name, "caching") == 0) {
		if (config_setting_type(set) != CONFIG_TYPE_BOOL)
			mistake(p, set, "true or false");
		s->is_caching = config_setting_get_bool(set) != 0;
	} else {
		mistake(p, set, "left out: no such setting");
	}
}

static int
parse_text(struct parse *p, const char *text)
{
	const struct agent_settings *s = &p->config->settings;
	const config_setting_t *root;
	uint32_t which;
	config_t tree;

	config_init(&tree);
	if (config_read_string(&tree, text) != CONFIG_TRUE) {
		log_event(LOG_ERROR, "config",
		    LOG_FIELDS(LOG_TEXT(FILE, p->name),
		        LOG_NUMBER(LINE, config_error_line(&tree))),
		    "%s:%d: %s", p->name, config_error_line(&tree),
		    config_error_text(&tree));
		config_destroy(&tree);
		return MUSTER_E_PROTO;
	}
	root = config_root_setting(&tree);
	for (int i = 0; i < config_setting_length(root); i++) {
		const config_setting_t *set =
		    config_setting_get_elem(root, (unsigned)i);

		if (config_setting_name(set) == NULL) {
			config_destroy(&tree); /* libconfig had no memory */
			return MUSTER_E_NOMEM;
		}
		read_setting(p, set);
	}
	config_destroy(&tree);
	if (p->n_mistakes == 0 && settings_check(s, &which) != 0) {
		log_event(LOG_ERROR, "config",
		    LOG_FIELDS(LOG_TEXT(FILE, p->name),
		        LOG_TEXT(OPTION,
		            which < s->n_hosts ? "hosts" : "domain")),
		    "%s: \"%s\" is no %s; give NAME, NAME:PORT or [IPV6]:PORT",
		    p->name, which < s->n_hosts ? s->host[which] : s->domain,
		    which < s->n_hosts ? "host" : "domain");
		p->n_mistakes++;
	}
	return p->n_mistakes == 0 ? 0 : MUSTER_E_PROTO;
}

int
agent_config_load(const char *path, struct agent_config *config_out)
{
	struct parse parse = {.name = path, .config = config_out};
	uint8_t *buf = malloc(FILE_MAX + 1);
	size_t len = 0;
	int err = MUSTER_E_NOMEM;

	*config_out = (struct agent_config){.log_level = LOG_NOTE,
	    .log_format = LOG_FORMAT_AUTO,
	    .settings = {.is_caching = true}};
	if (buf == NULL)
		return err;
	err = file_read(path, buf, FILE_MAX, &len);
	if (err == 0 && memchr(buf, '\0', len) != NULL) {
		log_event(LOG_ERROR, "config", LOG_FIELDS(LOG_TEXT(FILE, path)),
		    "%s: a zero byte: this is no text; write it anew", path);
		err = MUSTER_E_PROTO;
	}
	if (err == 0) {
		buf[len] = '\0';
		err = parse_text(&parse, (const char *)buf);
	}
	free(buf);
	return err;
}
