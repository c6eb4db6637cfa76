/* SPDX-License-Identifier: MIT */
/*
 * products.c -- see products.h.
 */
#include "authority/products.h"

#include <libconfig.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/hex.h"
#include "base/text.h"
#include "base/widen.h"
#include "trust/hostkey.h"

#define WHY_MAX 256

/* One file being read: the first thing wrong is what is told. */
struct reading {
	const char *path;
	unsigned line;
	char why[WHY_MAX]; /* "": nothing wrong so far */
};

__attribute__((format(printf, 3, 4))) static void
wrong(struct reading *r, const config_setting_t *at, const char *format, ...)
{
	va_list ap;

	if (r->why[0] != '\0')
		return;
	r->line = at == NULL ? 0 : config_setting_source_line(at);
	va_start(ap, format);
	(void)vsnprintf(r->why, sizeof(r->why), format, ap);
	va_end(ap);
}

static uint32_t
get_number(struct reading *r, const config_setting_t *s, const char *name,
    uint32_t min, uint32_t max, int64_t fallback)
{
	const config_setting_t *v = config_setting_get_member(s, name);
	long long n;

	if (v == NULL) {
		if (fallback < 0)
			wrong(r, s, "%s is missing", name);
		return (uint32_t)fallback;
	}
	if (config_setting_source_file(v) != NULL)
		wrong(r, v, "%s stands in an included file; write it here",
		    name); /* its text is not widened: it may be cut */
	n = config_setting_get_int64(v);
	if ((config_setting_type(v) != CONFIG_TYPE_INT &&
	        config_setting_type(v) != CONFIG_TYPE_INT64) ||
	    n < (long long)min || n > (long long)max)
		wrong(r, v, "%s must be a number from %u to %u", name, min,
		    max);
	return (uint32_t)n;
}

static const char *
get_text(struct reading *r, const config_setting_t *s, const char *name,
    size_t max)
{
	const char *text = NULL;

	if (!config_setting_lookup_string(s, name, &text))
		wrong(r, s, "%s is missing or not a text", name);
	else if (text[0] == '\0' || strlen(text) > max)
		wrong(r, s, "%s must have 1 to %zu bytes", name, max);
	else if (!text_is_utf8((const uint8_t *)text, strlen(text)))
		wrong(r, s, "%s must be UTF-8 without control codes", name);
	return r->why[0] == '\0' ? text : "";
}

static void
check_members(struct reading *r, const config_setting_t *s,
    const char *const *names)
{
	for (int i = 0; i < config_setting_length(s); i++) {
		const config_setting_t *m =
		    config_setting_get_elem(s, (unsigned)i);
		const char *name = m == NULL ? NULL : config_setting_name(m);
		size_t k = 0;

		if (name == NULL) {
			wrong(r, s, "each entry stands in { }");
			return;
		}
		while (names[k] != NULL && strcmp(names[k], name) != 0)
			k++;
		if (names[k] == NULL)
			wrong(r, m, "no such setting: %s", name);
	}
}

static void
read_group(struct reading *r, const config_setting_t *s, struct catalogue *cat)
{
	static const char *const names[] = {"number", "name", NULL};
	struct cat_group *g = &cat->groups[cat->n_groups];

	check_members(r, s, names);
	g->number = get_number(r, s, "number", 0, UINT32_MAX, -1);
	(void)snprintf(g->name, sizeof(g->name), "%s",
	    get_text(r, s, "name", CAT_NAME_MAX));
	for (uint32_t i = 0; i < cat->n_groups; i++) {
		if (cat->groups[i].number == g->number)
			wrong(r, s, "group %u is there twice", g->number);
	}
	cat->n_groups++;
}

static void
check_place(struct reading *r, const config_setting_t *s,
    const struct catalogue *cat, const struct cat_product *p)
{
	bool has_group = false;

	for (uint32_t i = 0; i < cat->n_groups; i++)
		has_group |= cat->groups[i].number == p->group;
	if (!has_group)
		wrong(r, s, "group %u is not in groups", p->group);
	if (cat_product(cat, p->id) != NULL)
		wrong(r, s, "product id is there twice");
}

static void
read_product(struct reading *r, const config_setting_t *s,
    struct catalogue *cat)
{
	static const char *const names[] = {"id", "name", "group", "class",
	    "threshold", "line", "level", "validity_days", "initial_grace_days",
	    "lapse_grace_days", "rearms", NULL};
	struct cat_product *p = &cat->products[cat->n_products];
	const char *class;
	struct hostkey key;

	check_members(r, s, names);
	if (uuid_parse(get_text(r, s, "id", UUID_TEXT_LEN), p->id) != 0)
		wrong(r, s, "id must be a UUID");
	(void)snprintf(p->name, sizeof(p->name), "%s",
	    get_text(r, s, "name", CAT_NAME_MAX));
	class = get_text(r, s, "class", CAT_NAME_MAX);
	if (strcmp(class, "server") == 0)
		p->class = CAT_SERVER;
	else if (strcmp(class, "desktop") == 0)
		p->class = CAT_DESKTOP;
	else
		wrong(r, s, "class must be \"desktop\" or \"server\"");
	p->group = get_number(r, s, "group", 0, UINT32_MAX, -1);
	p->threshold = get_number(r, s, "threshold", 1, CAT_THRESHOLD_MAX,
	    p->class == CAT_SERVER ? PRODUCTS_THRESHOLD_SERVER
	                           : PRODUCTS_THRESHOLD_DESKTOP);
	p->line = (uint8_t)get_number(r, s, "line", 0, 7, 0);
	p->level = (uint8_t)get_number(r, s, "level", 1, 255, 1);
	p->validity_days = get_number(r, s, "validity_days", 1,
	    CAT_VALIDITY_DAYS_MAX, PRODUCTS_VALIDITY_DAYS);
	p->initial_grace_days = get_number(r, s, "initial_grace_days", 0,
	    CAT_GRACE_DAYS_MAX, PRODUCTS_GRACE_DAYS);
	p->lapse_grace_days = get_number(r, s, "lapse_grace_days", 0,
	    CAT_GRACE_DAYS_MAX, PRODUCTS_GRACE_DAYS);
	p->rearms =
	    get_number(r, s, "rearms", 0, PRODUCTS_REARMS_MAX, PRODUCTS_REARMS);
	check_place(r, s, cat, p);
	hostkey_setup(p->id, &key);
	hostkey_pack(&key, p->setup_key);
	cat->n_products++;
}

static void
read_list(struct reading *r, const config_t *conf, const char *name, int max,
    struct catalogue *cat,
    void (
        *read)(struct reading *, const config_setting_t *, struct catalogue *))
{
	const config_setting_t *list = config_lookup(conf, name);
	int n;

	if (list == NULL || !config_setting_is_list(list)) {
		wrong(r, list, "%s = ( ... ) is missing", name);
		return;
	}
	n = config_setting_length(list);
	if (n < 1 || n > max)
		wrong(r, list, "%s must have 1 to %d entries", name, max);
	for (int i = 0; i < n && r->why[0] == '\0'; i++)
		read(r, config_setting_get_elem(list, (unsigned)i), cat);
}

static int
failed(const struct ctx *ctx, const struct reading *r)
{
	return ctx_fail(ctx, EXIT_FAILED, "bad_products",
	    "correct the file and sign again", "%s line %u: %s", r->path,
	    r->line, r->why);
}

int
products_parse(const struct ctx *ctx, const char *path, const char *text,
    struct catalogue *cat)
{
	static const char *const names[] = {"groups", "products", NULL};
	struct reading r = {.path = path};
	char *wide = widen_numbers(text);
	config_t conf;

	config_init(&conf);
	if (wide == NULL) {
		wrong(&r, NULL, "%s", muster_strerror(MUSTER_E_NOMEM));
	} else if (config_read_string(&conf, wide)) {
		check_members(&r, config_root_setting(&conf), names);
		read_list(&r, &conf, "groups", CAT_GROUPS_MAX, cat, read_group);
		if (r.why[0] == '\0')
			read_list(&r, &conf, "products", CAT_PRODUCTS_MAX, cat,
			    read_product);
	} else {
		r.line = (unsigned)config_error_line(&conf);
		(void)snprintf(r.why, sizeof(r.why), "%s",
		    config_error_text(&conf));
	}
	config_destroy(&conf);
	free(wide);
	return r.why[0] == '\0' ? EXIT_DONE : failed(ctx, &r);
}

int
products_read(const struct ctx *ctx, const char *path, struct catalogue *cat)
{
	struct reading r = {.path = path};
	char *text = malloc(PRODUCTS_FILE_MAX + 1);
	size_t len = 0;
	int rc, err = MUSTER_E_NOMEM;

	if (text != NULL)
		err = file_read(path, (uint8_t *)text, PRODUCTS_FILE_MAX, &len);
	if (err != 0)
		wrong(&r, NULL, "%s", muster_strerror(err));
	else if (memchr(text, '\0', len) != NULL)
		wrong(&r, NULL, "a byte of zero: this is no text");
	else
		text[len] = '\0';
	rc = r.why[0] == '\0' ? products_parse(ctx, path, text, cat)
	                      : failed(ctx, &r);
	free(text);
	return rc;
}
