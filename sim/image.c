/* SPDX-License-Identifier: MIT */
#include "sim/image.h"

#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

void
image_forget(struct image *m)
{
	while (m->first != NULL) {
		struct op *op = m->first;

		m->first = op->next;
		free(op);
	}
	m->last = NULL;
}

bool
image_note(struct image *m, const void *p, int len, int64_t at)
{
	struct op *op = malloc(sizeof(*op) + (len > 0 ? (size_t)len : 0));

	if (op == NULL)
		return false;
	*op = (struct op){.at = at, .len = len};
	if (len > 0)
		memcpy(op->data, p, (size_t)len);
	if (m->last != NULL)
		m->last->next = op;
	else
		m->first = op;
	m->last = op;
	return true;
}

static bool
image_reach(struct image *m, int64_t len)
{
	if (len > m->cap) {
		int64_t cap = 2 * len;
		uint8_t *bytes = realloc(m->bytes, (size_t)cap);

		if (bytes == NULL)
			return false;
		memset(bytes + m->cap, 0, (size_t)(cap - m->cap));
		m->bytes = bytes;
		m->cap = cap;
	}
	if (len > m->len)
		m->len = len;
	return true;
}

static bool
image_apply(struct image *m, const struct op *op, int len)
{
	if (op->len == IMAGE_GONE) {
		m->is_there = false;
		if (m->len > 0)
			memset(m->bytes, 0, (size_t)m->len);
		m->len = 0;
		return true;
	}
	m->is_there = true;
	if (op->len == IMAGE_CUT) {
		if (op->at < m->len) {
			memset(m->bytes + op->at, 0, (size_t)(m->len - op->at));
			m->len = op->at;
		}
		return true;
	}
	if (!image_reach(m, op->at + len))
		return false;
	memcpy(m->bytes + op->at, op->data, (size_t)len);
	return true;
}

bool
image_sync_all(struct image *m)
{
	for (const struct op *op = m->first; op != NULL; op = op->next) {
		if (!image_apply(m, op, op->len))
			return false;
	}
	image_forget(m);
	return true;
}

/* Its first sectors, the rest as it was, or none where the file was shorter:
 * its new length may be there without them. */
static bool
tear(struct image *m, const struct op *op, struct rng *rng)
{
	uint32_t sectors = (uint32_t)(op->len / IMAGE_SECTOR);
	int len = IMAGE_SECTOR * (int)rng_below(rng, sectors);
	bool is_longer = rng_below(rng, 2) == 0;

	if (len != 0 && !image_apply(m, op, len))
		return false;
	return !is_longer || image_reach(m, op->at + op->len);
}

/* Each write that was not synced: there, not there, or torn. */
bool
image_lose(struct image *m, struct rng *rng, uint64_t *lost)
{
	for (const struct op *op = m->first; op != NULL; op = op->next) {
		/* where it lied, as if nothing was written since */
		uint32_t what = rng == NULL ? 0 : rng_below(rng, 4);
		bool is_torn = what == 1 && op->len > IMAGE_SECTOR;

		if (what == 0 || is_torn)
			(*lost)++;
		if (what == 0)
			continue;
		if (is_torn ? !tear(m, op, rng) : !image_apply(m, op, op->len))
			return false;
	}
	image_forget(m);
	return true;
}

/* The file is what would have outlived it. */
int
image_put_back(const struct image *m)
{
	int fd, err = 0;

	if (!m->is_there) {
		(void)unlink(m->path);
		return 0;
	}
	fd = open(m->path, O_RDWR | O_CREAT | O_CLOEXEC, 0600);
	if (fd < 0 || ftruncate(fd, m->len) != 0 ||
	    (m->len > 0 && pwrite(fd, m->bytes, (size_t)m->len, 0) != m->len))
		err = MUSTER_E_IO;
	if (fd >= 0)
		(void)close(fd);
	return err;
}

int
image_save(struct image *m)
{
	struct stat st = {0};
	int fd, err = 0;

	free(m->saved);
	m->saved = NULL;
	m->saved_len = 0;
	fd = open(m->path, O_RDONLY | O_CLOEXEC);
	if (fd < 0)
		return 0;
	if (fstat(fd, &st) != 0)
		err = MUSTER_E_IO;
	m->saved = malloc((size_t)st.st_size + 1);
	if (m->saved == NULL)
		err = MUSTER_E_NOMEM;
	if (err == 0 &&
	    pread(fd, m->saved, (size_t)st.st_size, 0) != st.st_size)
		err = MUSTER_E_IO;
	m->saved_len = st.st_size;
	(void)close(fd);
	return err;
}

int
image_restore(struct image *m)
{
	image_forget(m);
	m->is_there = m->saved != NULL;
	m->len = 0;
	if (!image_reach(m, m->saved_len))
		return MUSTER_E_NOMEM;
	if (m->saved_len > 0)
		memcpy(m->bytes, m->saved, (size_t)m->saved_len);
	return image_put_back(m);
}

void
image_free(struct image *m)
{
	image_forget(m);
	free(m->bytes);
	free(m->saved);
}
