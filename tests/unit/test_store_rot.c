/* SPDX-License-Identifier: MIT */
/*
 * test_store_rot.c -- databases that rotted: bytes, runs of bytes and whole
 * pages changed, exchanged, cut off or put in, in the database and in its
 * log.  Never a crash; and what opens and answers shows what was stored, or
 * has said that the end of the log is lost.  Where the mark of the log's last
 * commit rotted itself, it looks like a crash before that commit.
 *
 * usage: test_store_rot [N [SEED]]
 */
#include "store_kit.h"

#include <inttypes.h>
#include <sys/stat.h>

#define FEW 600
#define PAGE 4096
#define FILE_MAX (2 << 20)

enum rot {
	ROT_BIT,
	ROT_BYTES,
	ROT_PAGE,
	ROT_EXCHANGE,
	ROT_CUT,
	ROT_MORE,
	ROT_LOG_BIT,
	ROT_LOG_BYTES,
	ROT_KINDS
};

static const char *const names[ROT_KINDS] = {"bit", "bytes", "page", "exchange",
    "cut", "more", "log bit", "log bytes"};

struct file {
	size_t len;
	uint8_t p[FILE_MAX];
};

static struct file good, good_log, bad, bad_log;
static struct kit_image image_good, image_before, image;
static long long count_good;
static uint64_t state;

static uint32_t
below(size_t n)
{
	state = state * 6364136223846793005U + 1442695040888963407U;
	return (uint32_t)((state >> 33) % n);
}

static void
get(const char *path, struct file *out)
{
	FILE *f = fopen(path, "rb");

	out->len = f == NULL ? 0 : fread(out->p, 1, FILE_MAX, f);
	ok(f != NULL && out->len > 0 && out->len < FILE_MAX);
	if (f != NULL)
		(void)fclose(f);
}

static void
put(const char *path, const struct file *in)
{
	FILE *f = fopen(path, "wb");

	if (f == NULL || fwrite(in->p, 1, in->len, f) != in->len ||
	    fclose(f) != 0)
		abort();
}

/* Both as they lie there while the store is open: the log is not empty. */
static void
make_good(void)
{
	const char *path = kit_path("good.db");
	struct store *s = kit_open(path);

	kit_history(s, 200);
	store_close(s);
	s = kit_open(path);
	for (uint32_t who = 1; who <= 12; who++) {
		is(kit_image(s, T0, &image_before), 0);
		ok(kit_touch(s, 1, who, 5, T0 + 9) > 0);
	}
	get(path, &good);
	get(kit_path("good.db-wal"), &good_log);
	is(kit_image(s, T0, &image_good), 0);
	count_good = kit_touch(s, 1, 3, 5, T0 + 10);
	ok(count_good > 0);
	store_close(s);
}

static void
change(struct file *f, size_t at, size_t n)
{
	for (size_t i = at; i < at + n && i < f->len; i++)
		f->p[i] = (uint8_t)below(256);
}

static void
rot(enum rot kind)
{
	size_t n_pages = good.len / PAGE;
	uint8_t *a = bad.p + below(n_pages) * PAGE;
	uint8_t *b = bad.p + below(n_pages) * PAGE;
	uint8_t page[PAGE];

	switch (kind) {
	case ROT_BIT:
		bad.p[below(bad.len)] ^= (uint8_t)(1 << below(8));
		break;
	case ROT_BYTES:
		change(&bad, below(bad.len), 1 + below(64));
		break;
	case ROT_PAGE:
		memset(a, below(2) == 0 ? 0 : 0xff, PAGE);
		break;
	case ROT_EXCHANGE:
		memcpy(page, a, PAGE);
		memcpy(a, b, PAGE);
		if (below(2) == 0)
			memcpy(b, page, PAGE);
		break;
	case ROT_CUT:
		bad.len = below(bad.len);
		break;
	case ROT_MORE:
		n_pages = 1 + below(3 * PAGE);
		bad.len += n_pages;
		change(&bad, bad.len - n_pages, n_pages);
		break;
	case ROT_LOG_BIT:
		bad_log.p[below(bad_log.len)] ^= (uint8_t)(1 << below(8));
		break;
	case ROT_LOG_BYTES:
		change(&bad_log, below(bad_log.len), 1 + below(64));
		break;
	case ROT_KINDS:
		break;
	}
}

/* 1: refused; 0: all is there; -1: something else was shown. */
static int
look(const char *path, bool is_log)
{
	struct store_diag diag = {""};
	struct store *s = NULL;
	long long count = 0;
	bool is_told;
	int err = store_open_sqlite(path, STORE_MAKE_NEVER, &s, &diag);

	if (err != 0)
		return diag.text[0] != '\0' ? 1 : -1;
	is_told = diag.text[0] != '\0';
	for (uint32_t g = 1; g <= 2 && err == 0; g++) {
		for (uint32_t pub = 0; pub < 2 && err == 0; pub++)
			err = store_reserve(s, kit_publisher[pub], g, 100);
	}
	if (err == 0)
		err = kit_image(s, T0, &image);
	if (err == 0)
		count = kit_touch(s, 1, 3, 5, T0 + 10);
	if (count < 0)
		err = (int)count;
	store_close(s);
	if (err != 0)
		return 1;
	if (is_told || (is_log && kit_same(&image, &image_before)))
		return 0;
	return kit_same(&image, &image_good) && count == count_good ? 0 : -1;
}

int
main(int argc, char **argv)
{
	unsigned long n = argc > 1 ? strtoul(argv[1], NULL, 10) : FEW;
	uint64_t seed = argc > 2 ? strtoull(argv[2], NULL, 10) : 1;
	unsigned refused[ROT_KINDS] = {0}, done[ROT_KINDS] = {0}, n_wrong = 0;
	unsigned n_refused = 0;

	kit_dir_make();
	make_good();
	state = seed;
	for (unsigned long i = 0; i < n; i++) {
		const char *path = kit_path("rot.db");
		enum rot kind = (enum rot)(i % ROT_KINDS);
		uint64_t before = state;
		int seen;

		bad = good;
		bad_log = good_log;
		rot(kind);
		kit_forget(path);
		put(path, &bad);
		put(kit_path("rot.db-wal"), &bad_log);
		seen = look(path, kind >= ROT_LOG_BIT);
		done[kind]++;
		refused[kind] += seen == 1;
		n_refused += seen == 1;
		if (seen < 0) {
			n_wrong++;
			printf("# %s: case %lu, state %" PRIu64 "\n",
			    names[kind], i, before);
		}
	}
	kit_dir_remove();
	is(n_wrong, 0);
	ok(n_refused > n / 4);
	for (int k = 0; k < ROT_KINDS; k++)
		printf("# %s: %u of %u refused\n", names[k], refused[k],
		    done[k]);
	printf("1..%u\n# %lu damaged databases, seed %" PRIu64
	       ": %u refused by name, %u wrong\n",
	    tap_run, n, seed, n_refused, n_wrong);
	return tap_failed != 0;
}
