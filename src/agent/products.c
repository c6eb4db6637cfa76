/* SPDX-License-Identifier: MIT */
#include <dirent.h>
#include <malloc.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "agent/agent.h"
#include "base/clock.h"
#include "base/hex.h"
#include "base/log.h"
#include "base/paths.h"
#include "client/catalogues.h"
#include "trust/hostkey.h"

#define PATH_PRODUCTS "/usr/share/muster/products"
#define PATH_TYPED PATH_AGENT_STATE "/keys"
#define KEYS_MAX 256 /* in all key files: more than products */

/* The client setup keys that are installed. */
struct keys {
	uint32_t n;
	uint8_t key[KEYS_MAX][HOSTKEY_LEN];
};

struct agent_product *
agent_find(struct agent *a, const uint8_t *product)
{
	for (uint32_t i = 0; i < AGENT_PRODUCTS_MAX; i++) {
		struct agent_product *p = &a->product[i];

		if (p->is_used &&
		    memcmp(p->env.product->id, product, PRODUCT_LEN) == 0)
			return p;
	}
	return NULL;
}

/* ---- key files ---- */

/* One key a line; a line may be empty or a comment (#), and what follows the
 * key after a blank is for people. */
static void
read_line(struct agent *a, struct keys *keys, const char *path, uint32_t number,
    const char *line, size_t len)
{
	size_t n = 0;
	struct hostkey key;
	int err;

	while (n < len && line[n] != ' ' && line[n] != '\t' && line[n] != '\r')
		n++;
	if (n == 0 || line[0] == '#')
		return;
	err = hostkey_parse(line, n, &key);
	if (err == 0 && key.kind != HOSTKEY_SETUP)
		err = MUSTER_E_KIND;
	if (err == 0 && keys->n == KEYS_MAX)
		err = MUSTER_E_TOOBIG;
	if (err != 0 && told_is_new(&a->told, path, number, err))
		log_event(LOG_WARN, "key",
		    LOG_FIELDS(LOG_TEXT(FILE, path), LOG_NUMBER(LINE, number),
		        LOG_CODE(err)),
		    "%s:%u: the line was passed over: %s; a client setup key "
		    "is wanted",
		    path, number, muster_strerror(err));
	if (err == 0)
		hostkey_pack(&key, keys->key[keys->n++]);
}

static void
read_file(struct agent *a, struct keys *keys, const char *path)
{
	uint8_t buf[AGENT_KEY_FILE_MAX];
	size_t len = 0, at = 0;
	uint32_t number = 0;
	int err = file_read(path, buf, sizeof(buf), &len);

	if (err != 0 && told_is_new(&a->told, path, 0, err))
		log_event(LOG_WARN, "key",
		    LOG_FIELDS(LOG_TEXT(FILE, path), LOG_CODE(err)), "%s: %s",
		    path, muster_strerror(err));
	while (err == 0 && at < len) {
		const uint8_t *end = memchr(buf + at, '\n', len - at);
		size_t n = end != NULL ? (size_t)(end - buf) - at : len - at;

		read_line(a, keys, path, ++number, (const char *)buf + at, n);
		at += n + 1;
	}
}

static int
read_folder(struct agent *a, struct keys *keys, const char *folder)
{
	char full[FILE_PATH_MAX], path[FILE_PATH_MAX];
	const struct dirent *d;
	DIR *dir = NULL;
	int err = file_join(a->root, folder, full, sizeof(full));

	if (err == 0)
		dir = opendir(full);
	while (dir != NULL && (d = readdir(dir)) != NULL) {
		size_t len = strlen(d->d_name);
		int n;

		if (d->d_name[0] == '.' || len <= 4 ||
		    strcmp(d->d_name + len - 4, ".key") != 0)
			continue;
		n = snprintf(path, sizeof(path), "%s/%s", full, d->d_name);
		if (n > 0 && (size_t)n < sizeof(path))
			read_file(a, keys, path);
	}
	if (dir != NULL)
		(void)closedir(dir);
	return err;
}

static bool
has_key(const struct keys *keys, const uint8_t *key)
{
	for (uint32_t i = 0; i < keys->n; i++) {
		if (memcmp(keys->key[i], key, HOSTKEY_LEN) == 0)
			return true;
	}
	return false;
}

/* ---- catalogues and products ---- */

static int
publisher_of(struct agent *a, const uint8_t *id,
    struct agent_publisher **pub_out)
{
	struct agent_publisher *free_one = NULL;

	for (uint32_t i = 0; i < AGENT_PUBLISHERS_MAX; i++) {
		struct agent_publisher *pub = &a->publisher[i];

		if (pub->is_used && memcmp(pub->id, id, PUBLISHER_LEN) == 0) {
			*pub_out = pub;
			return 0;
		}
		if (!pub->is_used && free_one == NULL)
			free_one = pub;
	}
	if (free_one == NULL)
		return MUSTER_E_TOOBIG;
	if (free_one->cat == NULL)
		free_one->cat = calloc(1, sizeof(*free_one->cat));
	if (free_one->cat == NULL)
		return MUSTER_E_NOMEM;
	free_one->is_used = true;
	memcpy(free_one->id, id, PUBLISHER_LEN);
	*pub_out = free_one;
	return 0;
}

/* A product that is met for the first time, or that was gone for a while. */
static void
take_product(struct agent *a, struct agent_publisher *pub,
    const struct cat_product *product)
{
	struct agent_product *p = agent_find(a, product->id);
	int err;

	if (p != NULL) {
		p->is_found = true;
		return;
	}
	for (uint32_t i = 0; i < AGENT_PRODUCTS_MAX && p == NULL; i++) {
		if (!a->product[i].is_used)
			p = &a->product[i];
	}
	if (p == NULL) {
		log_event(LOG_WARN, "product",
		    LOG_FIELDS(LOG_UUID(PRODUCT, product->id),
		        LOG_NUMBER(LIMIT, AGENT_PRODUCTS_MAX)),
		    "%s: more than %u products; it is not asked for",
		    product->name, AGENT_PRODUCTS_MAX);
		a->has_unmet = true;
		return;
	}
	memset(p, 0, sizeof(*p));
	p->agent = a;
	p->publisher = pub;
	p->env = (struct life_env){.cat = pub->cat,
	    .product = product,
	    .machine = &a->machine};
	p->is_used = p->is_found = true;
	err = agent_meet(p);
	if (err != 0 && !p->has_wake) {
		log_event(LOG_ERROR, "product",
		    LOG_FIELDS(LOG_UUID(PRODUCT, product->id), LOG_CODE(err)),
		    "%s: %s; %s", product->name, muster_strerror(err),
		    err == MUSTER_E_SERIAL
		        ? "install the publisher's newest catalogue"
		        : "see to the rights on " PATH_AGENT_STATE);
		p->is_used = false;
		a->has_unmet = true;
	}
}

/* Where the new catalogue has each product; one that left it is gone. */
static void
point_anew(struct agent *a, struct agent_publisher *pub)
{
	static const struct life_event changed = {.kind = LIFE_CATALOGUE};

	for (uint32_t i = 0; i < AGENT_PRODUCTS_MAX; i++) {
		struct agent_product *p = &a->product[i];
		uint8_t id[PRODUCT_LEN];

		if (!p->is_used || p->publisher != pub)
			continue;
		memcpy(id, p->life.state.product, PRODUCT_LEN);
		p->env.product = cat_product(pub->cat, id);
		if (p->env.product == NULL)
			p->is_used = false;
		else
			(void)agent_event(p, &changed);
	}
}

/* A catalogue in force; loaded where it is new and has a product of ours. */
static int
take_catalogue(struct agent *a, const struct catalogues_entry *e,
    const struct keys *keys, struct catalogue *work)
{
	struct agent_publisher *pub;
	bool is_wanted = false, is_other;
	int err = catalogues_load(e->path, work, NULL);

	for (uint32_t i = 0; err == 0 && i < work->n_products; i++)
		is_wanted |= has_key(keys, work->products[i].setup_key);
	if (err != 0 || !is_wanted)
		return 0; /* a scan told what is wrong with it */
	err = publisher_of(a, e->head.publisher, &pub);
	if (err == MUSTER_E_TOOBIG) {
		/* it keeps nothing from the others */
		if (told_is_new(&a->told, e->path, 0, err))
			log_event(LOG_WARN, "catalogue",
			    LOG_FIELDS(LOG_TEXT(FILE, e->path),
			        LOG_NUMBER(LIMIT, AGENT_PUBLISHERS_MAX)),
			    "%s: more than %u publishers; its products are "
			    "not asked for",
			    e->path, AGENT_PUBLISHERS_MAX);
		a->has_unmet = true;
		return 0;
	}
	if (err != 0)
		return err;
	pub->is_found = e->head.serial >= pub->state.serial;
	if (e->head.serial < pub->state.serial) {
		if (told_is_new(&a->told, e->path, 0, MUSTER_E_SERIAL))
			log_event(LOG_WARN, "catalogue",
			    LOG_FIELDS(LOG_TEXT(FILE, e->path),
			        LOG_NUMBER(SERIAL, e->head.serial)),
			    "%s has serial %u, and %u was in force; it is "
			    "not used",
			    e->path, e->head.serial, pub->state.serial);
		return 0;
	}
	is_other = memcmp(pub->hash, e->hash, HASH_LEN) != 0;
	if (is_other) {
		*pub->cat = *work;
		memcpy(pub->hash, e->hash, HASH_LEN);
		if (pub->is_met)
			pub->state.serial = e->head.serial;
		point_anew(a, pub);
	}
	for (uint32_t i = 0; i < pub->cat->n_products; i++) {
		if (has_key(keys, pub->cat->products[i].setup_key))
			take_product(a, pub, &pub->cat->products[i]);
	}
	return 0;
}

/* A publisher whose catalogue has gone, or gave way to an older one, keeps
 * the one that is loaded. */
static void
keep_loaded(struct agent *a, const struct keys *keys)
{
	for (uint32_t i = 0; i < AGENT_PRODUCTS_MAX; i++) {
		struct agent_product *p = &a->product[i];

		if (p->is_used && !p->publisher->is_found &&
		    has_key(keys, p->env.product->setup_key))
			p->is_found = true;
	}
}

static void
drop_missing(struct agent *a)
{
	const struct life_event gone = {.kind = LIFE_GONE};

	for (uint32_t i = 0; i < AGENT_PRODUCTS_MAX; i++) {
		struct agent_product *p = &a->product[i];

		if (!p->is_used || p->is_found)
			continue;
		log_event(LOG_NOTE, "product",
		    LOG_FIELDS(LOG_UUID(PRODUCT, p->env.product->id)),
		    "%s: its key is gone; it is asked for no more",
		    p->env.product->name);
		(void)agent_event(p, &gone);
		p->is_used = false;
	}
}

static void
tell_bad(struct agent *a, const struct catalogues *c)
{
	for (size_t i = 0; i < c->n; i++) {
		if (c->entry[i].err != 0 &&
		    told_is_new(&a->told, c->entry[i].path, 0, c->entry[i].err))
			log_event(LOG_WARN, "catalogue",
			    LOG_FIELDS(LOG_TEXT(FILE, c->entry[i].path),
			        LOG_CODE(c->entry[i].err)),
			    "%s: %s", c->entry[i].path,
			    muster_strerror(c->entry[i].err));
	}
}

/* Did a file come or go since the folders were last looked at? */
static bool
see_folders(struct agent *a)
{
	static const char *const folders[AGENT_FOLDERS] = {PATH_PRODUCTS,
	    PATH_TYPED, PATH_CATALOGUES, PATH_CATALOGUES_SHIPPED};
	bool is_changed = false;

	for (size_t i = 0; i < AGENT_FOLDERS; i++) {
		char path[FILE_PATH_MAX];
		struct stat st;
		int64_t ns = 0;

		if (file_join(a->root, folders[i], path, sizeof(path)) == 0 &&
		    stat(path, &st) == 0)
			ns = (int64_t)st.st_mtim.tv_sec * 1000000000 +
			    st.st_mtim.tv_nsec;
		is_changed |= ns != a->folder_ns[i];
		a->folder_ns[i] = ns;
	}
	return is_changed;
}

int
agent_scan(struct agent *a)
{
	struct catalogues *c = NULL;
	struct catalogue *work = NULL;
	struct keys *keys = NULL;
	int err = MUSTER_E_NOMEM;

	if (a->n_rounds != 0 && !a->is_dirty)
		a->dirty_boot_s = clock_boot_s();
	a->is_dirty = a->n_rounds != 0;
	if (a->is_dirty || a->is_generalized)
		return 0;
	a->scanned_boot_s = clock_boot_s();
	(void)see_folders(a);
	told_begin(&a->told);
	c = malloc(sizeof(*c));
	work = malloc(sizeof(*work));
	keys = calloc(1, sizeof(*keys));
	if (c == NULL || work == NULL || keys == NULL)
		goto out;
	err = read_folder(a, keys, PATH_PRODUCTS);
	if (err == 0)
		err = read_folder(a, keys, PATH_TYPED);
	if (err == 0)
		err = catalogues_scan(a->root, NULL, c);
	if (err != 0)
		goto out;
	tell_bad(a, c);
	for (uint32_t i = 0; i < AGENT_PRODUCTS_MAX; i++)
		a->product[i].is_found = false;
	for (uint32_t i = 0; i < AGENT_PUBLISHERS_MAX; i++)
		a->publisher[i].is_found = false;
	for (size_t i = 0; i < c->n && err == 0; i++) {
		if (c->entry[i].is_in_force)
			err = take_catalogue(a, &c->entry[i], keys, work);
	}
	if (err == 0) {
		keep_loaded(a, keys);
		drop_missing(a);
	}
out:
	free(keys);
	free(work);
	free(c);
	(void)malloc_trim(0); /* a process that rests takes little */
	if (err != 0)
		log_event(LOG_ERROR, "scan", LOG_FIELDS(LOG_CODE(err)),
		    "products and catalogues: %s", muster_strerror(err));
	return err;
}

void
agent_scan_for_user(struct agent *a)
{
	if (see_folders(a) ||
	    clock_boot_s() - a->scanned_boot_s >= AGENT_SCAN_S)
		(void)agent_scan(a);
}

/* ---- keys that were typed ---- */

static int
product_of_key(struct agent *a, const uint8_t *packed, uint8_t *product_out)
{
	struct catalogues *c = malloc(sizeof(*c));
	struct catalogue *work = malloc(sizeof(*work));
	int err = c == NULL || work == NULL ? MUSTER_E_NOMEM : 0;

	if (err == 0)
		err = catalogues_scan(a->root, NULL, c);
	if (err != 0)
		goto out;
	err = MUSTER_E_PRODUCT;
	for (size_t i = 0; i < c->n && err != 0; i++) {
		if (!c->entry[i].is_in_force ||
		    catalogues_load(c->entry[i].path, work, NULL) != 0)
			continue;
		for (uint32_t k = 0; k < work->n_products && err != 0; k++) {
			const struct cat_product *p = &work->products[k];

			if (memcmp(p->setup_key, packed, HOSTKEY_LEN) != 0)
				continue;
			memcpy(product_out, p->id, PRODUCT_LEN);
			err = 0;
		}
	}
out:
	free(work);
	free(c);
	return err;
}

int
agent_install_key(struct agent *a, const char *key, uint8_t *product_out)
{
	char rel[FILE_PATH_MAX], path[FILE_PATH_MAX], uuid[UUID_TEXT_LEN + 1];
	char line[HOSTKEY_TEXT_LEN + 2];
	uint8_t packed[HOSTKEY_LEN];
	struct hostkey parsed;
	int err = hostkey_parse(key, strlen(key), &parsed);

	if (err == 0 && parsed.kind != HOSTKEY_SETUP)
		err = MUSTER_E_KIND;
	if (err != 0)
		return err;
	hostkey_pack(&parsed, packed);
	err = product_of_key(a, packed, product_out);
	if (err == 0)
		err = file_join(a->root, PATH_TYPED, path, sizeof(path));
	if (err == 0)
		err = file_mkdirs(path, 0755);
	if (err != 0)
		return err;
	uuid_format(product_out, uuid);
	(void)snprintf(rel, sizeof(rel), PATH_TYPED "/%s.key", uuid);
	hostkey_format(&parsed, line);
	line[HOSTKEY_TEXT_LEN] = '\n';
	err = file_join(a->root, rel, path, sizeof(path));
	if (err == 0)
		err = file_replace(path, line, HOSTKEY_TEXT_LEN + 1, 0644);
	return err;
}
