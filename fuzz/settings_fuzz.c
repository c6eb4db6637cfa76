/* SPDX-License-Identifier: MIT */
/*
 * agent.conf, authority.conf and products.conf, by the first byte.  The files
 * are read out of memory, and what is said goes no further than here.  What
 * includes another file is left out: what that holds is no part of the input.
 *
 * Holds: what is refused is told, with its file; what is accepted is within
 * the documented limits, and each number of it stands in the text.
 */
#include "target.h"

#include <ctype.h>
#include <stdarg.h>

#include "agent/config.h"
#include "authority/products.h"
#include "authority/settings.h"
#include "base/text.h"

#define NAME "m.conf"
#define SAID_MAX 4096
#define AGAIN_MAX 2048 /* a line a number of the authority's table */

static const uint8_t *content; /* of the file that is read */
static size_t content_len;
static unsigned n_mistakes;

const char *__lsan_default_suppressions(void);
int __wrap_file_read(const char *path, uint8_t *buf, size_t cap, size_t *len);
int
__wrap_file_read_own(const char *path, uint8_t *buf, size_t cap, size_t *len);
__attribute__((format(printf, 4, 5))) void
__wrap_log_event(enum log_level level, const char *event,
    const struct log_field *fields, const char *format, ...);

/* A string that does not end costs libconfig its buffer, once a start. */
const char *
__lsan_default_suppressions(void)
{
	return "leak:libconfig";
}

int
__wrap_file_read(const char *path, uint8_t *buf, size_t cap, size_t *len)
{
	HOLDS(strcmp(path, NAME) == 0);
	if (content_len > cap)
		return MUSTER_E_TOOBIG;
	if (content_len > 0)
		memcpy(buf, content, content_len);
	*len = content_len;
	return 0;
}

int
__wrap_file_read_own(const char *path, uint8_t *buf, size_t cap, size_t *len)
{
	return __wrap_file_read(path, buf, cap, len);
}

__attribute__((format(printf, 1, 0))) static void
hear(const char *format, va_list ap)
{
	char said[SAID_MAX];
	int n = vsnprintf(said, sizeof(said), format, ap);

	HOLDS(n > (int)sizeof(NAME) && (size_t)n < sizeof(said));
	HOLDS(strncmp(said, NAME, sizeof(NAME) - 1) == 0);
	n_mistakes++;
}

void
__wrap_log_event(enum log_level level, const char *event,
    const struct log_field *fields, const char *format, ...)
{
	va_list ap;

	HOLDS(level == LOG_ERROR && strcmp(event, "config") == 0);
	HOLDS(fields != NULL);
	va_start(ap, format);
	hear(format, ap);
	va_end(ap);
}

int
ctx_fail(const struct ctx *ctx, int exit, const char *code, const char *next,
    const char *format, ...)
{
	va_list ap;

	(void)ctx;
	HOLDS(strcmp(code, "bad_products") == 0 && next[0] != '\0');
	va_start(ap, format);
	hear(format, ap);
	va_end(ap);
	return exit;
}

/* Is there such a number in the text?  One that was cut is not. */
static void
check_stands(const char *text, uint32_t v, uint32_t preset)
{
	bool is_there = v == preset;

	for (const char *p = text; *p != '\0' && !is_there; p++) {
		if (!isdigit((unsigned char)*p) ||
		    (p > text && isdigit((unsigned char)p[-1])))
			continue;
		is_there = strtoull(p, NULL, 10) == v ||
		    (p[0] == '0' && strtoull(p, NULL, 16) == v);
	}
	HOLDS(is_there);
}

static void
check_log(uint32_t level, uint32_t format)
{
	HOLDS(level == LOG_ERROR || level == LOG_WARN || level == LOG_NOTE ||
	    level == LOG_FINE);
	HOLDS(format <= LOG_FORMAT_JOURNAL);
}

static void
run_agent(void)
{
	struct agent_settings back;
	union resolvconf_addr addr;
	struct agent_config c;
	uint8_t buf[SETTINGS_FILE_MAX];
	uint32_t which;
	size_t len;
	int err = agent_config_load(NAME, &c);

	HOLDS((n_mistakes > 0) == (err == MUSTER_E_PROTO));
	HOLDS(err == 0 || err == MUSTER_E_PROTO || err == MUSTER_E_TOOBIG);
	if (err != 0)
		return;
	HOLDS(c.settings.n_hosts <= 8);
	for (uint32_t i = 0; i < c.settings.n_hosts; i++)
		HOLDS(strnlen(c.settings.host[i], 262) <= 261);
	HOLDS(strnlen(c.settings.domain, 254) <= 253);
	HOLDS(strnlen(c.resolver, 80) <= 79);
	HOLDS(
	    c.resolver[0] == '\0' || resolvconf_server(c.resolver, &addr) == 0);
	check_log(c.log_level, c.log_format);
	HOLDS(settings_check(&c.settings, &which) == 0);
	HOLDS(settings_encode(&c.settings, buf, sizeof(buf), &len) == 0);
	HOLDS(settings_decode(buf, len, &back) == 0);
	SAME(&back, sizeof(back), &c.settings, sizeof(c.settings));
}

static uint32_t
value(const struct settings *s, const struct settings_option *o)
{
	uint32_t v;

	memcpy(&v, (const char *)s + o->offset, sizeof(v));
	return v;
}

static void
check_again(const struct settings *s)
{
	struct settings again;
	char text[AGAIN_MAX];
	size_t n = 0, n_options;
	const struct settings_option *o = settings_options(&n_options);

	for (size_t i = 0; i < n_options; i++) {
		if (o[i].type == SETTINGS_NUMBER)
			n += (size_t)snprintf(text + n, sizeof(text) - n,
			    "%s = %lu;\n", o[i].name,
			    (unsigned long)value(s, &o[i]));
		HOLDS(n < sizeof(text));
	}
	content = (const uint8_t *)text;
	content_len = n;
	HOLDS(settings_load(NAME, &again) == 0);
	for (size_t i = 0; i < n_options; i++)
		HOLDS(o[i].type != SETTINGS_NUMBER ||
		    value(s, &o[i]) == value(&again, &o[i]));
}

static void
run_authority(const char *text)
{
	struct sockaddr_storage address;
	struct settings s;
	socklen_t len;
	size_t n_options;
	const struct settings_option *o = settings_options(&n_options);
	int err = settings_load(NAME, &s);

	HOLDS((n_mistakes > 0) == (err == MUSTER_E_PROTO));
	HOLDS(err == 0 || err == MUSTER_E_PROTO || err == MUSTER_E_TOOBIG);
	for (size_t i = 0; i < n_options; i++) {
		const char *at = (const char *)&s + o[i].offset;

		if (o[i].type == SETTINGS_TEXT) {
			HOLDS(memchr(at, '\0', o[i].cap) != NULL);
			HOLDS(err == 0 || at[0] == '\0' ||
			    strcmp(at, SETTINGS_LISTEN) == 0);
		} else {
			uint32_t v = value(&s, &o[i]);

			HOLDS(v >= o[i].min && v <= o[i].max);
			HOLDS(err == 0 || v == o[i].preset);
			if (o[i].type == SETTINGS_NUMBER)
				check_stands(text, v, o[i].preset);
		}
	}
	HOLDS(settings_address(s.listen, &address, &len) == 0);
	check_log(s.log_level, s.log_format);
	if (err == 0)
		check_again(&s);
}

static void
check_name(const char *name)
{
	size_t len = strnlen(name, CAT_NAME_MAX + 1);

	HOLDS(len >= 1 && len <= 64);
	HOLDS(text_is_utf8((const uint8_t *)name, len));
}

static void
check_product(const struct catalogue *cat, const struct cat_product *p,
    const char *text)
{
	uint32_t n_groups = 0;

	for (uint32_t i = 0; i < cat->n_groups; i++)
		n_groups += cat->groups[i].number == p->group;
	HOLDS(n_groups == 1 && cat_product(cat, p->id) == p);
	check_name(p->name);
	HOLDS(p->class == CAT_DESKTOP || p->class == CAT_SERVER);
	HOLDS(p->threshold >= 1 && p->threshold <= 100000);
	HOLDS(p->line <= 7 && p->level >= 1);
	HOLDS(p->validity_days >= 1 && p->validity_days <= 3660);
	HOLDS(p->initial_grace_days <= 365 && p->lapse_grace_days <= 365);
	HOLDS(p->rearms <= 1000);
	check_stands(text, p->threshold, p->class == CAT_SERVER ? 5 : 25);
	check_stands(text, p->line, 0);
	check_stands(text, p->level, 1);
	check_stands(text, p->validity_days, 180);
	check_stands(text, p->initial_grace_days, 30);
	check_stands(text, p->lapse_grace_days, 30);
	check_stands(text, p->rearms, 5);
}

static void
run_products(const char *text)
{
	static struct catalogue cat;
	static const struct ctx ctx;
	int rc;

	cat.n_groups = 0;
	cat.n_products = 0;
	memset(cat.products, 0xa5, sizeof(cat.products[0]));
	rc = products_parse(&ctx, NAME, text, &cat);
	HOLDS(rc == EXIT_DONE ? n_mistakes == 0
	                      : rc == EXIT_FAILED && n_mistakes == 1);
	if (rc != EXIT_DONE)
		return;
	HOLDS(cat.n_groups >= 1 && cat.n_groups <= 64);
	HOLDS(cat.n_products >= 1 && cat.n_products <= 1024);
	for (uint32_t i = 0; i < cat.n_groups; i++) {
		check_name(cat.groups[i].name);
		/* there is no preset */
		check_stands(text, cat.groups[i].number, ~cat.groups[i].number);
	}
	for (uint32_t i = 0; i < cat.n_products; i++)
		check_product(&cat, &cat.products[i], text);
}

int
LLVMFuzzerTestOneInput(const uint8_t *p, size_t len)
{
	char *text;

	if (len == 0)
		return 0;
	text = malloc(len);
	HOLDS(text != NULL);
	memcpy(text, p + 1, len - 1);
	text[len - 1] = '\0';
	content = p + 1;
	content_len = len - 1;
	n_mistakes = 0;
	if (strstr(text, "@include") == NULL ||
	    memchr(text, '\0', len - 1) != NULL) {
		if (p[0] % 3 == 0)
			run_agent();
		else if (p[0] % 3 == 1)
			run_authority(text);
		else if (strlen(text) == len - 1)
			run_products(text);
	}
	free(text);
	return 0;
}
