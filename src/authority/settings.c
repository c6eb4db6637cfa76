/* SPDX-License-Identifier: MIT */
#include "authority/settings.h"

#include <arpa/inet.h>
#include <libconfig.h>
#include <netinet/in.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#include "base/log.h"
#include "base/widen.h"

#define SETTINGS_FILE_MAX 65536
#define PORT_MAX 65535
#define PORT_DIGITS_MAX 5

#define AT(name) offsetof(struct settings, name)
#define SIZE(name) sizeof(((struct settings *)NULL)->name)
#define TEXT(name) SETTINGS_TEXT, AT(name), SIZE(name), 0, 0, 0
#define NUMBER(name, min, max, preset) \
	SETTINGS_NUMBER, AT(name), 0, min, max, preset

static const struct settings_option options[] = {
    {"dir", TEXT(dir), "folder of the database and the keys"},
    {"listen", TEXT(listen), "ADDRESS:PORT or [IPV6]:PORT; port 0 is any"},
    {"tls_cert", TEXT(tls_cert), "certificate and its chain, PEM"},
    {"tls_key", TEXT(tls_key), "its private key, PEM"},
    {"rate", NUMBER(rate, 0, 100000, 60),
        "requests a minute from one source; 0 is no limit"},
    {"burst", NUMBER(burst, 1, 10000, 30),
        "requests that a source may send at once"},
    {"connections", NUMBER(connections, 1, 10000, 512), "open at a time"},
    {"connections_per_source", NUMBER(connections_per_source, 1, 10000, 64),
        "open at a time from one source"},
    {"request_seconds", NUMBER(request_s, 1, 600, 10),
        "for a handshake and a whole request, and between two"},
    {"body_bytes", NUMBER(body_bytes, 1024, 65536, 4096), "of a request"},
    {"log_level", SETTINGS_LEVEL, AT(log_level), 0, LOG_ERROR, LOG_FINE,
        LOG_NOTE, "error, warning, note or fine"},
    {"log_format", SETTINGS_FORMAT, AT(log_format), 0, LOG_FORMAT_AUTO,
        LOG_FORMAT_JOURNAL, LOG_FORMAT_AUTO, "auto, text, json or journal"},
};

#define N_OPTIONS (sizeof(options) / sizeof(options[0]))

/* One file being read. */
struct parse {
	const char *name;
	const char *text; /* of widen_numbers() */
	struct settings *s;
	unsigned n_mistakes;
};

const struct settings_option *
settings_options(size_t *n_out)
{
	*n_out = N_OPTIONS;
	return options;
}

static uint32_t *
number_at(struct settings *s, const struct settings_option *o)
{
	return (uint32_t *)(void *)((char *)s + o->offset);
}

static void
defaults(struct settings *s)
{
	memset(s, 0, sizeof(*s));
	for (size_t i = 0; i < N_OPTIONS; i++) {
		if (options[i].type != SETTINGS_TEXT)
			*number_at(s, &options[i]) = options[i].preset;
	}
	memcpy(s->listen, SETTINGS_LISTEN, sizeof(SETTINGS_LISTEN));
}

static void
read_number(struct parse *p, const struct settings_option *o,
    const config_setting_t *set)
{
	unsigned line = config_setting_source_line(set);
	int type = config_setting_type(set);
	long long v = config_setting_get_int64(set);

	if ((type == CONFIG_TYPE_INT || type == CONFIG_TYPE_INT64) &&
	    v >= o->min && v <= o->max) {
		*number_at(p->s, o) = (uint32_t)v;
		return;
	}
	log_event(LOG_ERROR, "config",
	    LOG_FIELDS(LOG_TEXT(FILE, p->name), LOG_NUMBER(LINE, line),
	        LOG_TEXT(OPTION, o->name)),
	    "%s:%u: %s must be a number from %u to %u", p->name, line, o->name,
	    o->min, o->max);
	p->n_mistakes++;
}

static void
read_text(struct parse *p, const struct settings_option *o,
    const config_setting_t *set)
{
	const char *text = config_setting_get_string(set);
	size_t len = text == NULL ? 0 : strlen(text);

	if (len > 0 && len < o->cap) {
		memcpy((char *)p->s + o->offset, text, len + 1);
		return;
	}
	log_event(LOG_ERROR, "config",
	    LOG_FIELDS(LOG_TEXT(FILE, p->name),
	        LOG_NUMBER(LINE, config_setting_source_line(set)),
	        LOG_TEXT(OPTION, o->name)),
	    "%s:%u: %s must be a text of 1 to %zu bytes, in quotes", p->name,
	    config_setting_source_line(set), o->name, o->cap - 1);
	p->n_mistakes++;
}

/* One of the words of log.h. */
static void
read_word(struct parse *p, const struct settings_option *o,
    const config_setting_t *set)
{
	const char *text = config_setting_get_string(set);
	const bool is_level = o->type == SETTINGS_LEVEL;
	enum log_format format;
	enum log_level level;

	if (is_level && log_level_parse(text, &level)) {
		*number_at(p->s, o) = level;
		return;
	}
	if (!is_level && log_format_parse(text, &format)) {
		*number_at(p->s, o) = format;
		return;
	}
	log_event(LOG_ERROR, "config",
	    LOG_FIELDS(LOG_TEXT(FILE, p->name),
	        LOG_NUMBER(LINE, config_setting_source_line(set)),
	        LOG_TEXT(OPTION, o->name)),
	    "%s:%u: %s must be %s", p->name, config_setting_source_line(set),
	    o->name,
	    is_level ? "\"error\", \"warning\", \"note\" or \"fine\""
	             : "\"auto\", \"text\", \"json\" or \"journal\"");
	p->n_mistakes++;
}

static void
read_setting(struct parse *p, const config_setting_t *set)
{
	const char *name = config_setting_name(set);
	const struct settings_option *o = NULL;

	for (size_t i = 0; i < N_OPTIONS && o == NULL; i++) {
		if (strcmp(options[i].name, name) == 0)
			o = &options[i];
	}
	if (o == NULL || config_setting_source_file(set) != NULL) {
		log_event(LOG_ERROR, "config",
		    LOG_FIELDS(LOG_TEXT(FILE, p->name),
		        LOG_NUMBER(LINE, config_setting_source_line(set)),
		        LOG_TEXT(OPTION, name)),
		    "%s:%u: %.64s %s", p->name, config_setting_source_line(set),
		    name,
		    o == NULL ? "is no setting of muster-authority"
		              : "stands in an included file; write it here");
		p->n_mistakes++;
		return;
	}
	switch (o->type) {
	case SETTINGS_NUMBER:
		read_number(p, o, set);
		break;
	case SETTINGS_TEXT:
		read_text(p, o, set);
		break;
	case SETTINGS_LEVEL:
	case SETTINGS_FORMAT:
		read_word(p, o, set);
		break;
	}
}

static void
check_listen(struct parse *p, const config_t *tree)
{
	struct sockaddr_storage address;
	socklen_t len;
	const config_setting_t *set = config_lookup(tree, "listen");

	if (set == NULL || p->n_mistakes != 0 ||
	    settings_address(p->s->listen, &address, &len) == 0)
		return;
	log_event(LOG_ERROR, "config",
	    LOG_FIELDS(LOG_TEXT(FILE, p->name),
	        LOG_NUMBER(LINE, config_setting_source_line(set)),
	        LOG_TEXT(OPTION, "listen")),
	    "%s:%u: listen must be ADDRESS:PORT or [IPV6]:PORT; names are not "
	    "looked up",
	    p->name, config_setting_source_line(set));
	p->n_mistakes++;
}

static int
parse_text(struct parse *p)
{
	const config_setting_t *root;
	config_t tree;
	int err = 0;

	config_init(&tree);
	if (config_read_string(&tree, p->text) == CONFIG_TRUE) {
		root = config_root_setting(&tree);
		for (int i = 0; i < config_setting_length(root) && err == 0;
		     i++) {
			const config_setting_t *set =
			    config_setting_get_elem(root, (unsigned)i);

			if (config_setting_name(set) == NULL)
				err = MUSTER_E_NOMEM; /* libconfig had none */
			else
				read_setting(p, set);
		}
		if (err == 0)
			check_listen(p, &tree);
	} else {
		log_event(LOG_ERROR, "config",
		    LOG_FIELDS(LOG_TEXT(FILE, p->name),
		        LOG_NUMBER(LINE, config_error_line(&tree))),
		    "%s:%d: %s", p->name, config_error_line(&tree),
		    config_error_text(&tree));
		p->n_mistakes++;
	}
	config_destroy(&tree);
	if (err == 0 && p->n_mistakes != 0)
		err = MUSTER_E_PROTO;
	return err;
}

int
settings_read(const char *path, char **text_out)
{
	char *text = malloc(SETTINGS_FILE_MAX + 1);
	size_t len = 0;
	int err;

	if (text == NULL)
		return MUSTER_E_NOMEM;
	err = file_read_own(path, (uint8_t *)text, SETTINGS_FILE_MAX, &len);
	if (err == 0 && memchr(text, '\0', len) != NULL) {
		log_event(LOG_ERROR, "config",
		    LOG_FIELDS(LOG_TEXT(FILE, path), LOG_NUMBER(LINE, 1)),
		    "%s:1: a byte of zero: this is no text", path);
		err = MUSTER_E_PROTO;
	}
	if (err != 0) {
		free(text);
		return err;
	}
	text[len] = '\0';
	*text_out = text;
	return 0;
}

int
settings_load(const char *path, struct settings *s_out)
{
	struct settings s;
	struct parse p = {.name = path, .s = &s};
	char *text = NULL, *wide;
	int err;

	defaults(&s);
	*s_out = s;
	err = settings_read(path, &text);
	if (err != 0)
		return err;
	wide = widen_numbers(text);
	free(text);
	if (wide == NULL)
		return MUSTER_E_NOMEM;
	p.text = wide;
	err = parse_text(&p);
	if (err == 0)
		*s_out = s;
	free(wide);
	return err;
}

/* Splits at the last colon; brackets go around IPv6, and only there. */
int
settings_address(const char *text, struct sockaddr_storage *address_out,
    socklen_t *len_out)
{
	struct sockaddr_in6 v6 = {.sin6_family = AF_INET6};
	struct sockaddr_in v4 = {.sin_family = AF_INET};
	const char *colon = strrchr(text, ':');
	char host[SETTINGS_LISTEN_MAX];
	size_t len = colon == NULL ? 0 : (size_t)(colon - text);
	size_t digits = colon == NULL ? 0 : strspn(colon + 1, "0123456789");
	unsigned long port;

	if (len == 0 || len >= sizeof(host) || digits == 0 ||
	    digits > PORT_DIGITS_MAX || colon[1 + digits] != '\0')
		return MUSTER_E_PROTO;
	port = strtoul(colon + 1, NULL, 10);
	if (port > PORT_MAX)
		return MUSTER_E_PROTO;
	memcpy(host, text, len);
	host[len] = '\0';
	memset(address_out, 0, sizeof(*address_out));
	if (host[0] == '[' && host[len - 1] == ']') {
		host[len - 1] = '\0';
		if (inet_pton(AF_INET6, host + 1, &v6.sin6_addr) != 1)
			return MUSTER_E_PROTO;
		v6.sin6_port = htons((uint16_t)port);
		memcpy(address_out, &v6, sizeof(v6));
		*len_out = sizeof(v6);
		return 0;
	}
	if (inet_pton(AF_INET, host, &v4.sin_addr) != 1)
		return MUSTER_E_PROTO;
	v4.sin_port = htons((uint16_t)port);
	memcpy(address_out, &v4, sizeof(v4));
	*len_out = sizeof(v4);
	return 0;
}
