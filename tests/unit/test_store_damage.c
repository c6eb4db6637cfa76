/* SPDX-License-Identifier: MIT */
/* test_store_damage.c -- files that are not a database of ours, or no more. */
#include "store_kit.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <sys/wait.h>

static struct kit_image image_a, image_b;

static uint8_t good[1 << 20];
static size_t good_len;

static void
put(const char *path, const void *p, size_t len)
{
	FILE *f;

	kit_forget(path);
	f = fopen(path, "wb");
	if (f == NULL || fwrite(p, 1, len, f) != len || fclose(f) != 0)
		abort();
}

static int
try_open(const char *path, struct store_diag *diag)
{
	struct store *s = NULL;
	int err = store_open_sqlite(path, STORE_MAKE_IF_EMPTY, &s, diag);

	if (err == 0)
		store_close(s);
	else if (diag->text[0] == '\0')
		ok(!"a failure without a word");
	return err;
}

static void
make_good(void)
{
	const char *path = kit_path("good.db");
	struct store *s = kit_open(path);
	struct stat st;
	FILE *f;

	kit_history(s, 200);
	(void)kit_image(s, T0, &image_b);
	store_close(s);
	is(stat(path, &st), 0);
	is(st.st_mode & 0777, 0600);
	f = fopen(path, "rb");
	good_len = fread(good, 1, sizeof(good), f);
	(void)fclose(f);
	ok(good_len > 8192 && good_len < sizeof(good));
}

static void
test_store_tells_a_foreign_file_from_a_damaged_one(void)
{
	const char *path = kit_path("bad.db");
	static const char text[] = "Dear diary, this is no database at all.\n";
	static const size_t cuts[] = {2, 15, 50, 99, 100, 512, 4096, 8192};
	struct store_diag diag;
	uint8_t byte;

	put(path, text, sizeof(text));
	is(try_open(path, &diag), MUSTER_E_SCHEMA);
	ok(strstr(diag.text, "not a database of Muster") != NULL);
	for (size_t i = 0; i < sizeof(cuts) / sizeof(cuts[0]); i++) {
		put(path, good, cuts[i]);
		is(try_open(path, &diag), MUSTER_E_DAMAGED);
	}
	put(path, good, good_len - 1);
	is(try_open(path, &diag), MUSTER_E_DAMAGED);
	ok(strstr(diag.text, "restore a backup") != NULL);

	/* 68: application_id; 60: user_version; 0: magic */
	good[71] ^= 1;
	put(path, good, good_len);
	is(try_open(path, &diag), MUSTER_E_SCHEMA);
	ok(strstr(diag.text, "another program") != NULL);
	good[71] ^= 1;
	good[63]++;
	put(path, good, good_len);
	is(try_open(path, &diag), MUSTER_E_SCHEMA);
	ok(strstr(diag.text, "schema 5") != NULL);
	good[63]--;
	byte = good[0];
	good[0] = 0;
	put(path, good, good_len);
	is(try_open(path, &diag), MUSTER_E_DAMAGED);
	good[0] = byte;
	put(path, good, good_len);
	is(try_open(path, &diag), 0);
	/* nothing yet, or a first start that was interrupted */
	put(path, "", 0);
	is(try_open(path, &diag), 0);
}

/* The groups that kit_open() makes. */
static unsigned
reserve(struct store *s)
{
	unsigned bad = 0;

	for (uint32_t g = 1; g <= 2; g++) {
		for (uint32_t pub = 0; pub < 2; pub++)
			bad += store_reserve(s, kit_publisher[pub], g, 10) != 0;
	}
	return bad;
}

static void
test_store_survives_every_flipped_header_byte(void)
{
	const char *path = kit_path("flip.db");
	struct store_diag diag;
	unsigned bad = 0, refused = 0;

	for (size_t i = 0; i < 100; i++) {
		struct store *s = NULL;
		int err;

		good[i] ^= 0xff;
		put(path, good, good_len);
		good[i] ^= 0xff;
		err = store_open_sqlite(path, STORE_MAKE_IF_EMPTY, &s, &diag);
		if (err != 0) {
			refused++;
			bad += err != MUSTER_E_SCHEMA &&
			    err != MUSTER_E_DAMAGED && err != MUSTER_E_IO;
			continue;
		}
		bad += reserve(s);
		bad += kit_image(s, T0, &image_a) != 0 ||
		    !kit_same(&image_a, &image_b);
		store_close(s);
	}
	is(bad, 0);
	ok(refused >= 30);
}

/*
 * A single bit anywhere is refused, or nothing of it is to be seen: it lies in
 * unused space, or in the index, which no reader asks.
 */
static void
test_b4_a_flipped_bit_is_refused_or_shows_nothing(void)
{
	const char *path = kit_path("flip.db");
	unsigned bad = 0, refused = 0;

	for (size_t at = 100; at < good_len; at += 61) {
		uint8_t bit = (uint8_t)(1 << at % 8);
		struct store_diag diag;
		struct store *s = NULL;
		int err;

		good[at] ^= bit;
		put(path, good, good_len);
		good[at] ^= bit;
		err = store_open_sqlite(path, STORE_MAKE_IF_EMPTY, &s, &diag);
		if (err == 0) {
			bad += reserve(s);
			err = kit_image(s, T0, &image_a);
		}
		if (err == 0 && !kit_same(&image_a, &image_b)) {
			printf("# bit %zu.%zu\n", at, at % 8);
			bad++;
		}
		bad += err != 0 && err != MUSTER_E_DAMAGED &&
		    err != MUSTER_E_SCHEMA && err != MUSTER_E_IO;
		refused += err != 0;
		store_close(s);
	}
	is(bad, 0);
	printf("# %u of %zu refused\n", refused, good_len / 61);
	ok(refused > good_len / 61 / 3);
}

static void
test_store_opens_only_a_regular_file_and_alone(void)
{
	const char *path = kit_path("real.db");
	struct store_diag diag;
	struct store *s = kit_open(path);

	is(try_open(path, &diag), MUSTER_E_LOCKED);
	ok(strstr(diag.text, "another musterd") != NULL);
	is(kit_touch(s, 1, 1, 5, T0), 1);
	store_close(s);
	is(try_open(path, &diag), 0);

	is(mkdir(kit_path("dir.db"), 0700), 0);
	is(try_open(kit_path("dir.db"), &diag), MUSTER_E_IO);
	is(mkfifo(kit_path("fifo.db"), 0600), 0);
	is(try_open(kit_path("fifo.db"), &diag), MUSTER_E_IO);
	is(symlink(path, kit_path("link.db")), 0);
	is(try_open(kit_path("link.db"), &diag), MUSTER_E_IO);
	ok(strstr(diag.text, "not a regular file") != NULL);
	is(symlink(kit_path("x"), kit_path("dangling.db")), 0);
	is(try_open(kit_path("dangling.db"), &diag), MUSTER_E_IO);
	is(try_open(kit_path("no/such/folder.db"), &diag), MUSTER_E_IO);
	is(try_open(":memory:", &diag), MUSTER_E_IO);
	is(access(":memory:", F_OK), -1); /* and nothing is left of it */
	is(try_open("", &diag), MUSTER_E_IO);

	/* others may not read who is here, whatever made the file */
	is(chmod(path, 0666), 0);
	is(try_open(path, &diag), 0);
	{
		struct stat st = {0};

		is(stat(path, &st), 0);
		is(st.st_mode & 0777, 0600);
	}
}

static void
test_store_folder_that_is_not_ours_to_write(void)
{
	struct store_diag diag;
	int status = 0;
	pid_t pid;

	is(mkdir(kit_path("ro"), 0500), 0);
	(void)fflush(stdout);
	pid = fork();
	if (pid == 0) {
		/* root may write everywhere */
		if (geteuid() == 0 &&
		    (chmod(kit_dir, 0755) != 0 ||
		        chmod(kit_path("ro"), 0555) != 0 ||
		        setgid(65534) != 0 || setuid(65534) != 0))
			_exit(2);
		_exit(try_open(kit_path("ro/a.db"), &diag) != MUSTER_E_IO ||
		    strstr(diag.text, "ermission") == NULL);
	}
	(void)waitpid(pid, &status, 0);
	is(status, 0);
}

/* Another user's file: not readable, or (to root) not ours. */
static void
test_store_file_that_is_not_ours(void)
{
	const char *path = kit_path("theirs.db");
	struct store_diag diag;

	is(try_open(path, &diag), 0);
	if (geteuid() != 0) {
		is(chmod(path, 0), 0);
		is(try_open(path, &diag), MUSTER_E_IO);
		ok(strstr(diag.text, "ermission") != NULL);
		return;
	}
	is(chmod(kit_dir, 0755), 0);
	is(chmod(kit_path("theirs.db.lock"), 0666), 0);
	is(seteuid(65534), 0);
	is(try_open(path, &diag), MUSTER_E_IO);
	is(seteuid(0), 0);
	ok(strstr(diag.text, "ermission") != NULL);
	is(chown(path, 65534, 65534), 0);
	is(try_open(path, &diag), MUSTER_E_IO);
	ok(strstr(diag.text, "of the user 0") != NULL);
}

int
main(void)
{
	kit_dir_make();
	test_store_opens_only_a_regular_file_and_alone();
	test_store_folder_that_is_not_ours_to_write();
	test_store_file_that_is_not_ours();
	make_good();
	test_store_tells_a_foreign_file_from_a_damaged_one();
	test_store_survives_every_flipped_header_byte();
	test_b4_a_flipped_bit_is_refused_or_shows_nothing();
	kit_dir_remove();
	return tap_done();
}
