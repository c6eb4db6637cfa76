/* SPDX-License-Identifier: MIT */
/*
 * site_load.c -- the file of a site: one table of settings for each kind of
 * thing, walked over libconfig's tree; every mistake is told with its line.
 */
#include "sim/site.h"

#include <libconfig.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/file.h"

#define PPM_PER_PERCENT 10000.0
#define GROUP_MAX SITE_PRODUCTS_MAX
#define GROUP_UNNAMED UINT32_MAX /* until all of a product is read */

struct parse {
	const char *name;
	struct site *site;
	struct site_diag *diag;
	uint32_t n_groups;
	char group[GROUP_MAX][SITE_NAME_MAX + 1];
};

enum kind {
	K_NAME,
	K_COUNT,
	K_SHORT,
	K_BOOL,
	K_PERCENT,
	K_DATE,
	K_GROUP,
	K_PRODUCT,
	K_ONLINE,
	K_PERIOD
};

/* One setting: where it goes, and its span where it is a number. */
struct field {
	const char *name;
	enum kind kind;
	size_t at;
	uint32_t min, max;
};

#define AT(type, field) offsetof(struct type, field)

static const struct field site_fields[] = {
    {"name", K_NAME, AT(site, name), 0, 0},
    {"start", K_DATE, AT(site, start_day), 0, 0},
    {"days", K_COUNT, AT(site, days), 1, SITE_DAYS_MAX},
    {"renewal_minutes", K_COUNT, AT(site, renewal_min), 15, 43200},
    {"retry_minutes", K_COUNT, AT(site, retry_min), 15, 43200},
    {"shared_count", K_BOOL, AT(site, is_shared), 0, 0},
    {"database_outage_every_days", K_COUNT, AT(site, database.every_days), 0,
        3650},
    {"database_outage_hours", K_COUNT, AT(site, database.hours), 0, 8760},
    {"caching", K_BOOL, AT(site, is_caching), 0, 0},
    {NULL, K_NAME, 0, 0, 0},
};

static const struct field product_fields[] = {
    {"name", K_NAME, AT(site_product, name), 0, 0},
    {"group", K_GROUP, AT(site_product, group), 0, 0},
    {"threshold", K_COUNT, AT(site_product, threshold), 1, 100000},
    {"validity_days", K_COUNT, AT(site_product, validity_days), 1, 3660},
    {"initial_grace_days", K_COUNT, AT(site_product, initial_days), 0, 365},
    {"lapse_grace_days", K_COUNT, AT(site_product, lapse_days), 0, 365},
    {NULL, K_NAME, 0, 0, 0},
};

static const struct field class_fields[] = {
    {"name", K_NAME, AT(site_class, name), 0, 0},
    {"product", K_PRODUCT, AT(site_class, product), 0, 0},
    {"count", K_COUNT, AT(site_class, count), 1, SITE_MACHINES_MAX},
    {"arrive_days", K_COUNT, AT(site_class, arrive_days), 0, SITE_DAYS_MAX},
    {"online", K_ONLINE, 0, 0, 0},
    {"absent_percent", K_PERCENT, AT(site_class, absent_ppm), 0, 0},
    {"leave", K_PERIOD, AT(site_class, leave), 0, 0},
    {"away", K_PERIOD, AT(site_class, away), 0, 0},
    {NULL, K_NAME, 0, 0, 0},
};

static const struct field host_fields[] = {
    {"name", K_NAME, AT(site_host, name), 0, 0},
    {"priority", K_SHORT, AT(site_host, priority), 0, 65535},
    {"weight", K_SHORT, AT(site_host, weight), 0, 65535},
    {"outage_every_days", K_COUNT, AT(site_host, outage.every_days), 0, 3650},
    {"outage_hours", K_COUNT, AT(site_host, outage.hours), 0, 8760},
    {NULL, K_NAME, 0, 0, 0},
};

static const struct field holiday_fields[] = {
    {"from", K_DATE, AT(site_holiday, from_day), 0, 0},
    {"days", K_COUNT, AT(site_holiday, days), 1, 366},
    {"off_percent", K_PERCENT, AT(site_holiday, off_ppm), 0, 0},
    {NULL, K_NAME, 0, 0, 0},
};

static const struct field period_fields[] = {
    {"every_days", K_COUNT, AT(site_period, every_days), 1, 3650},
    {"days", K_COUNT, AT(site_period, days), 1, 3650},
    {NULL, K_NAME, 0, 0, 0},
};

static void
mistake(const struct parse *p, const config_setting_t *set, const char *wanted)
{
	const char *name = config_setting_name(set);

	site_mistake(p->diag, "%s:%u: %s must be %s", p->name,
	    config_setting_source_line(set), name != NULL ? name : "each one",
	    wanted);
}

/* ---- values ---- */

static bool
read_count(const struct parse *p, const config_setting_t *set,
    const struct field *f, uint32_t *out)
{
	char wanted[64];
	int v;

	if (config_setting_type(set) == CONFIG_TYPE_INT) {
		v = config_setting_get_int(set);
		if (v >= 0 && (uint32_t)v >= f->min && (uint32_t)v <= f->max) {
			*out = (uint32_t)v;
			return true;
		}
	}
	(void)snprintf(wanted, sizeof(wanted), "a whole number from %u to %u",
	    f->min, f->max);
	mistake(p, set, wanted);
	return false;
}

static void
read_percent(const struct parse *p, const config_setting_t *set, uint32_t *out)
{
	double v = -1.0;

	if (config_setting_type(set) == CONFIG_TYPE_INT)
		v = config_setting_get_int(set);
	else if (config_setting_type(set) == CONFIG_TYPE_FLOAT)
		v = config_setting_get_float(set);
	if (v >= 0.0 && v <= 100.0)
		*out = (uint32_t)(v * PPM_PER_PERCENT + 0.5);
	else
		mistake(p, set, "a number from 0 to 100");
}

/* "mon-fri", "sat", "mon,wed" or "daily", up to a blank. */
static bool
read_weekdays(const char *text, size_t len, uint8_t *out)
{
	static const char names[] = "montuewedthufrisatsun";
	size_t at = 0;
	int from = -1;

	*out = 0;
	if (len == 5 && memcmp(text, "daily", 5) == 0) {
		*out = 0x7f;
		return true;
	}
	while (at + 3 <= len) {
		int day = 0;

		while (day < 7 && memcmp(text + at, names + 3 * day, 3) != 0)
			day++;
		if (day == 7)
			return false;
		for (int i = from < 0 ? day : from; i <= day; i++)
			*out |= (uint8_t)(1U << i);
		at += 3;
		from = at < len && text[at] == '-' ? day : -1;
		if (at < len && text[at] != '-' && text[at] != ',')
			return false;
		at += at < len ? 1 : 0;
	}
	return at == len && from < 0 && *out != 0;
}

static void
read_online(const struct parse *p, const config_setting_t *set,
    struct site_class *c)
{
	const char *text = config_setting_get_string(set);
	size_t len = text == NULL ? 0 : strcspn(text, " ");
	char from[6], to[6];

	if (text != NULL && strcmp(text, "always") == 0) {
		c->is_always = true;
		return;
	}
	c->is_always = false;
	if (text != NULL && strlen(text) == len + 12 && text[len + 6] == '-') {
		(void)snprintf(from, sizeof(from), "%.5s", text + len + 1);
		(void)snprintf(to, sizeof(to), "%.5s", text + len + 7);
		if (read_weekdays(text, len, &c->weekdays) &&
		    site_time(from, &c->from_min) && site_time(to, &c->to_min))
			return;
	}
	mistake(p, set, "\"always\", or as \"mon-fri 08:00-18:00\"");
}

static bool
read_name(const struct parse *p, const config_setting_t *set, char *out)
{
	const char *text = config_setting_get_string(set);

	if (text == NULL || text[0] == '\0' || strlen(text) > SITE_NAME_MAX) {
		mistake(p, set, "a name of 1 to 31 characters");
		return false;
	}
	memcpy(out, text, strlen(text) + 1);
	return true;
}

/* The number of a group by its name; those of no name are one, too. */
static uint32_t
group_of(struct parse *p, const char *name)
{
	for (uint32_t i = 0; i < p->n_groups; i++) {
		if (strcmp(p->group[i], name) == 0)
			return i;
	}
	/* a product has one, so there is room */
	memcpy(p->group[p->n_groups], name, strlen(name) + 1);
	return p->n_groups++;
}

static void
read_product(struct parse *p, const config_setting_t *set, uint32_t *out)
{
	const char *text = config_setting_get_string(set);

	for (uint32_t i = 0; text != NULL && i < p->site->n_products; i++) {
		if (strcmp(p->site->product[i].name, text) == 0) {
			*out = i;
			return;
		}
	}
	mistake(p, set, "the name of a product that is described");
}

static void read_fields(struct parse *p, const config_setting_t *group,
    const struct field *fields, void *out);

static void
read_value(struct parse *p, const config_setting_t *set, const struct field *f,
    void *out)
{
	char name[SITE_NAME_MAX + 1];
	void *at = (char *)out + f->at;
	uint32_t number;

	switch (f->kind) {
	case K_NAME:
		(void)read_name(p, set, at);
		break;
	case K_COUNT:
		(void)read_count(p, set, f, at);
		break;
	case K_SHORT:
		if (read_count(p, set, f, &number))
			*(uint16_t *)at = (uint16_t)number;
		break;
	case K_BOOL:
		if (config_setting_type(set) != CONFIG_TYPE_BOOL)
			mistake(p, set, "true or false");
		*(bool *)at = config_setting_get_bool(set) != 0;
		break;
	case K_PERCENT:
		read_percent(p, set, at);
		break;
	case K_DATE:
		if (config_setting_get_string(set) == NULL ||
		    !site_date(config_setting_get_string(set), at))
			mistake(p, set, "a date as \"2026-12-21\"");
		break;
	case K_GROUP:
		if (read_name(p, set, name))
			*(uint32_t *)at = group_of(p, name);
		break;
	case K_PRODUCT:
		read_product(p, set, at);
		break;
	case K_ONLINE:
		read_online(p, set, out);
		break;
	case K_PERIOD:
		read_fields(p, set, period_fields, at);
		break;
	}
}

static void
read_fields(struct parse *p, const config_setting_t *group,
    const struct field *fields, void *out)
{
	if (!config_setting_is_group(group)) {
		mistake(p, group, "a group { ... } of settings");
		return;
	}
	for (int i = 0; i < config_setting_length(group); i++) {
		const config_setting_t *set =
		    config_setting_get_elem(group, (unsigned)i);
		const struct field *f = fields;

		while (f->name != NULL &&
		    strcmp(f->name, config_setting_name(set)) != 0)
			f++;
		if (f->name != NULL)
			read_value(p, set, f, out);
		/* those of the whole file that are lists come by themselves */
		else if (!config_setting_is_root(group) ||
		    !config_setting_is_list(set))
			mistake(p, set, "left out: there is no such setting");
	}
}

/* ---- lists ---- */

/* How many there are to be read; what is too much is told. */
static uint32_t
length(const struct parse *p, const config_setting_t *set, uint32_t max)
{
	char wanted[64];
	uint32_t n;

	if (set == NULL)
		return 0;
	n = (uint32_t)config_setting_length(set);
	if (n <= max && n > 0)
		return n;
	(void)snprintf(wanted, sizeof(wanted), "a list of 1 to %u groups", max);
	mistake(p, set, wanted);
	return 0;
}

static void
read_lists(struct parse *p, const config_t *tree)
{
	const config_setting_t *products = config_lookup(tree, "products"),
	                       *machines = config_lookup(tree, "machines"),
	                       *hosts = config_lookup(tree, "hosts"),
	                       *holidays = config_lookup(tree, "holidays");
	uint32_t n = length(p, products, SITE_PRODUCTS_MAX);
	struct site *s = p->site;

	for (uint32_t i = 0; i < n; i++) {
		s->product[i] = (struct site_product){.group = GROUP_UNNAMED,
		    .threshold = 25,
		    .validity_days = 180,
		    .initial_days = 30,
		    .lapse_days = 30};
		read_fields(p, config_setting_get_elem(products, i),
		    product_fields, &s->product[i]);
		if (s->product[i].group == GROUP_UNNAMED)
			s->product[i].group = group_of(p, "");
	}
	s->n_products = n > 0 ? n : s->n_products;
	s->n_classes = length(p, machines, SITE_CLASSES_MAX);
	for (uint32_t i = 0; i < s->n_classes; i++) {
		site_class_init(&s->class[i], "", 0);
		read_fields(p, config_setting_get_elem(machines, i),
		    class_fields, &s->class[i]);
	}
	n = length(p, hosts, SITE_HOSTS_MAX);
	for (uint32_t i = 0; i < n; i++) {
		s->host[i] = (struct site_host){.priority = 0};
		(void)snprintf(s->host[i].name, sizeof(s->host[i].name),
		    "kms-%u", i + 1);
		read_fields(p, config_setting_get_elem(hosts, i), host_fields,
		    &s->host[i]);
	}
	s->n_hosts = n > 0 ? n : s->n_hosts;
	s->n_holidays = length(p, holidays, SITE_HOLIDAYS_MAX);
	for (uint32_t i = 0; i < s->n_holidays; i++) {
		s->holiday[i] =
		    (struct site_holiday){.days = 1, .off_ppm = 1000000};
		read_fields(p, config_setting_get_elem(holidays, i),
		    holiday_fields, &s->holiday[i]);
	}
}

/* A list that nobody reads is a mistake, too. */
static void
check_lists(struct parse *p, const config_setting_t *root)
{
	static const char *const names[] = {"products", "machines", "hosts",
	    "holidays"};

	for (int i = 0; i < config_setting_length(root); i++) {
		const config_setting_t *set =
		    config_setting_get_elem(root, (unsigned)i);
		bool is_known = !config_setting_is_list(set);

		for (size_t k = 0; k < sizeof(names) / sizeof(*names); k++)
			is_known |=
			    strcmp(config_setting_name(set), names[k]) == 0;
		if (!is_known)
			mistake(p, set, "left out: there is no such list");
	}
}

static void
read_tree(struct parse *p, const char *text)
{
	const config_setting_t *root;
	config_t tree;

	config_init(&tree);
	if (config_read_string(&tree, text) != CONFIG_TRUE) {
		site_mistake(p->diag, "%s:%d: %s", p->name,
		    config_error_line(&tree), config_error_text(&tree));
	} else {
		root = config_root_setting(&tree);
		read_fields(p, root, site_fields, p->site);
		check_lists(p, root);
		read_lists(p, &tree);
	}
	config_destroy(&tree);
}

int
site_load(const char *path, struct site *site, struct site_diag *diag)
{
	struct parse parse = {.name = path, .site = site, .diag = diag};
	uint8_t *buf = malloc(SITE_FILE_MAX + 1);
	uint32_t before = diag->n;
	size_t len = 0;
	int err = MUSTER_E_NOMEM;

	if (buf != NULL)
		err = file_read(path, buf, SITE_FILE_MAX, &len);
	if (err == 0 && memchr(buf, '\0', len) != NULL)
		site_mistake(diag, "%s: a zero byte: this is no text", path);
	else if (err == 0) {
		buf[len] = '\0';
		read_tree(&parse, (const char *)buf);
	}
	free(buf);
	return err != 0 ? err : diag->n > before ? MUSTER_E_PROTO : 0;
}
