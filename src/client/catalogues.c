/* SPDX-License-Identifier: MIT */
#include "client/catalogues.h"

#include <dirent.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/paths.h"
#include "client/kept.h"

int
catalogues_load(const char *path, struct catalogue *cat_out, uint8_t *hash_out)
{
	uint8_t *buf = malloc(CAT_FILE_MAX);
	struct bytes mem = {.p = buf, .len = 0};
	struct cat_source src;
	int err = MUSTER_E_NOMEM;

	if (buf == NULL)
		goto out;
	err = file_read(path, buf, CAT_FILE_MAX, &mem.len);
	if (err != 0)
		goto out;
	src = cat_memory_source(&mem);
	err = cat_load(&src, NULL, cat_out);
	if (err == 0 && hash_out != NULL)
		label_hash(NULL, &mem, 1, hash_out);
out:
	free(buf);
	return err;
}

static int
add(struct catalogues *c, const char *path, bool is_shipped,
    struct catalogue *work)
{
	struct catalogues_entry *e;
	size_t len = strlen(path);

	if (c->n == CATALOGUES_MAX || len >= sizeof(e->path))
		return MUSTER_E_TOOBIG;
	e = &c->entry[c->n++];
	*e = (struct catalogues_entry){.is_shipped = is_shipped};
	memcpy(e->path, path, len + 1);
	e->err = catalogues_load(path, work, e->hash);
	if (e->err == 0)
		e->head = work->head;
	return 0;
}

static int
add_folder(struct catalogues *c, const char *root, const char *folder,
    bool is_shipped, struct catalogue *work)
{
	static const char suffix[] = ".muster";
	char full[FILE_PATH_MAX], path[FILE_PATH_MAX];
	const struct dirent *d;
	DIR *dir = NULL;
	int err;

	err = file_join(root, folder, full, sizeof(full));
	if (err == 0)
		dir = opendir(full);
	while (err == 0 && dir != NULL && (d = readdir(dir)) != NULL) {
		size_t len = strlen(d->d_name);
		int n;

		if (len <= sizeof(suffix) - 1 || d->d_name[0] == '.' ||
		    strcmp(d->d_name + len - (sizeof(suffix) - 1), suffix) != 0)
			continue;
		n = snprintf(path, sizeof(path), "%s/%s", full, d->d_name);
		if (n < 0 || (size_t)n >= sizeof(path))
			err = MUSTER_E_TOOBIG;
		else
			err = add(c, path, is_shipped, work);
	}
	if (dir != NULL)
		(void)closedir(dir);
	return err;
}

static bool
is_trusted(const struct catalogues *c, const char *folder,
    const struct catalogues_entry *e)
{
	for (size_t i = 0; i < c->n; i++) {
		const struct catalogues_entry *o = &c->entry[i];

		if (o->is_shipped && o->err == 0 &&
		    memcmp(o->head.publisher, e->head.publisher,
		        PUBLISHER_LEN) == 0)
			return true;
	}
	return kept_is_trusted(folder, e->head.publisher);
}

/* Strangers' files do not count, nor does one older than the newest ever. */
static int
sift(struct catalogues *c, const char *root)
{
	char folder[FILE_PATH_MAX];
	int err = file_join(root, PATH_CATALOGUES, folder, sizeof(folder));

	for (size_t i = 0; err == 0 && i < c->n; i++) {
		struct catalogues_entry *e = &c->entry[i];

		e->is_strange =
		    e->err == 0 && !e->is_shipped && !is_trusted(c, folder, e);
	}
	for (size_t i = 0; err == 0 && i < c->n; i++) {
		struct catalogues_entry *e = &c->entry[i];
		struct kept_newest newest;

		if (e->is_strange)
			e->err = MUSTER_E_PUBLISHER;
		if (e->err != 0)
			continue;
		/* a damaged note counts as none */
		(void)!kept_newest(folder, e->head.publisher, &newest);
		if (e->head.serial < newest.serial)
			e->err = MUSTER_E_SERIAL;
	}
	return err;
}

/* Per publisher the highest serial; of equal files the first. */
static void
choose(struct catalogues *c)
{
	for (size_t i = 0; i < c->n; i++) {
		struct catalogues_entry *e = &c->entry[i];

		e->is_in_force = e->err == 0;
		for (size_t k = 0; k < i && e->is_in_force; k++) {
			struct catalogues_entry *o = &c->entry[k];

			if (!o->is_in_force ||
			    memcmp(o->head.publisher, e->head.publisher,
			        PUBLISHER_LEN) != 0)
				continue;
			if (e->head.serial > o->head.serial) {
				o->is_in_force = false;
				continue;
			}
			e->is_in_force = false;
			if (e->head.serial == o->head.serial &&
			    memcmp(e->hash, o->hash, HASH_LEN) != 0)
				e->err = MUSTER_E_EXIST;
		}
	}
}

int
catalogues_scan(const char *root, const char *extra, struct catalogues *c_out)
{
	struct catalogue *work = malloc(sizeof(*work));
	int err = 0;

	if (work == NULL)
		return MUSTER_E_NOMEM;
	c_out->n = 0;
	if (extra != NULL)
		err = add(c_out, extra, true, work);
	/* The installed ones come first: of two files of one serial these
	 * are the ones that were in force. */
	if (err == 0)
		err = add_folder(c_out, root, PATH_CATALOGUES, false, work);
	if (err == 0) {
		err = add_folder(c_out, root, PATH_CATALOGUES_SHIPPED, true,
		    work);
	}
	if (err == 0)
		err = sift(c_out, root);
	choose(c_out);
	free(work);
	return err;
}

int
catalogues_each(const char *root, const char *extra, catalogues_fn *fn,
    void *arg)
{
	struct catalogues *all = malloc(sizeof(*all));
	struct catalogue *cat = malloc(sizeof(*cat));
	int err = all == NULL || cat == NULL ? MUSTER_E_NOMEM : 0;

	if (err == 0)
		err = catalogues_scan(root, extra, all);
	if (err == 0 && extra != NULL)
		err = all->entry[0].err;
	for (size_t i = 0; err == 0 && i < all->n; i++) {
		if (!all->entry[i].is_in_force)
			continue;
		err = catalogues_load(all->entry[i].path, cat, NULL);
		if (err == 0)
			err = fn(arg, cat);
	}
	free(cat);
	free(all);
	return err;
}

int
catalogues_for(const char *root, const char *extra, const uint8_t *product,
    struct catalogue *cat_out)
{
	struct catalogues *c = malloc(sizeof(*c));
	int err = MUSTER_E_NOMEM;

	if (c == NULL)
		goto out;
	err = catalogues_scan(root, extra, c);
	if (err != 0)
		goto out;
	if (extra != NULL && c->entry[0].err != 0) {
		err = c->entry[0].err;
		goto out;
	}
	err = MUSTER_E_NOENT;
	for (size_t i = 0; i < c->n; i++) {
		if (c->entry[i].err == MUSTER_E_SERIAL && err == MUSTER_E_NOENT)
			err = MUSTER_E_SERIAL; /* better than "none" */
		if (!c->entry[i].is_in_force)
			continue;
		err = MUSTER_E_PRODUCT;
		if (catalogues_load(c->entry[i].path, cat_out, NULL) == 0 &&
		    cat_product(cat_out, product) != NULL) {
			err = 0;
			break;
		}
	}
out:
	free(c);
	return err;
}
