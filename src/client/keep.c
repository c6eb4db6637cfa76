/* SPDX-License-Identifier: MIT */
#include "client/keep.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/file.h>
#include <time.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/hex.h"
#include "base/log.h"
#include "base/paths.h"

#define LOCK_POLL_MS 20
#define LEASES_LOOK_MAX 256U /* files: more than products */

int
keep_lock(const char *root, int wait_ms, int *fd_out)
{
	const struct timespec pause = {0, LOCK_POLL_MS * 1000000L};
	int64_t end_ms = clock_mono_ms() + wait_ms;
	char path[FILE_PATH_MAX], mark;
	int fd, err;

	err = file_join(root, PATH_AGENT_STATE, path, sizeof(path));
	if (err == 0)
		err = file_mkdirs(path, 0755);
	if (err == 0)
		err = file_join(root, PATH_AGENT_STATE "/lock", path,
		    sizeof(path));
	if (err != 0)
		return err;
	fd = open(path, O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0600);
	if (fd < 0)
		return errno == EACCES || errno == EROFS || errno == EPERM
		    ? MUSTER_E_DENIED
		    : MUSTER_E_IO;
	while (flock(fd, LOCK_EX | LOCK_NB) != 0) {
		if (errno == EWOULDBLOCK && clock_mono_ms() < end_ms &&
		    pread(fd, &mark, 1, 0) != 1) {
			(void)nanosleep(&pause, NULL);
			continue;
		}
		err = errno == EWOULDBLOCK ? MUSTER_E_LOCKED : MUSTER_E_IO;
		(void)close(fd);
		return err;
	}
	/* one byte says that the lock is held for good */
	if (ftruncate(fd, 0) != 0 ||
	    (wait_ms == 0 && pwrite(fd, "a", 1, 0) != 1))
		log_line(LOG_WARN, "lock", "%s cannot be written", path);
	*fd_out = fd;
	return 0;
}

static int
tidy_folder(const char *root, const char *folder)
{
	char full[FILE_PATH_MAX], path[FILE_PATH_MAX];
	const struct dirent *d;
	DIR *dir;
	int err = file_join(root, folder, full, sizeof(full));

	if (err != 0)
		return err;
	dir = opendir(full);
	while (dir != NULL && err == 0 && (d = readdir(dir)) != NULL) {
		int n;

		if (strstr(d->d_name, ".new.") == NULL)
			continue;
		n = snprintf(path, sizeof(path), "%s/%s", full, d->d_name);
		if (n > 0 && (size_t)n < sizeof(path))
			err = file_remove(path);
	}
	if (dir != NULL)
		(void)closedir(dir);
	return err;
}

int
keep_tidy(const char *root)
{
	static const char *const folders[] = {PATH_AGENT_STATE,
	    PATH_AGENT_STATE "/publishers", PATH_AGENT_STATE "/products",
	    PATH_AGENT_STATE "/leases", PATH_AGENT_STATE "/keys"};
	int err = 0;

	for (size_t i = 0; i < 5 && err == 0; i++)
		err = tidy_folder(root, folders[i]);
	return err;
}

static int
path_under(const char *root, const char *folder, const char *name,
    const char *suffix, char *out)
{
	char rel[FILE_PATH_MAX], dir[FILE_PATH_MAX];
	int err;

	(void)snprintf(rel, sizeof(rel), PATH_AGENT_STATE "/%s", folder);
	err = file_join(root, rel, dir, sizeof(dir));
	if (err == 0)
		err = file_mkdirs(dir, 0755);
	(void)snprintf(rel, sizeof(rel), PATH_AGENT_STATE "/%s/%s%s", folder,
	    name, suffix);
	if (err == 0)
		err = file_join(root, rel, out, FILE_PATH_MAX);
	return err;
}

int
keep_init(struct keep *k, const char *root, const uint8_t *publisher,
    const uint8_t *product)
{
	char hex[2 * PUBLISHER_LEN + 1], uuid[UUID_TEXT_LEN + 1];
	int err;

	hex_encode(publisher, PUBLISHER_LEN, hex);
	uuid_format(product, uuid);
	err = path_under(root, "publishers", hex, ".state", k->publisher);
	if (err == 0)
		err = path_under(root, "products", uuid, ".state", k->product);
	if (err == 0)
		err = path_under(root, "leases", uuid, ".lease", k->lease);
	if (err == 0)
		err = path_under(root, "leases", uuid, ".view", k->view);
	return err;
}

/* ---- reading ---- */

static bool
is_unreadable(int err)
{
	return err == MUSTER_E_DENIED || err == MUSTER_E_IO;
}

/* One aside of each name is enough to look at. */
static void
put_aside(const char *path, int err)
{
	char aside[FILE_PATH_MAX + 16];

	(void)snprintf(aside, sizeof(aside), "%s.damaged", path);
	log_line(LOG_WARN, "state",
	    "%s is damaged (%s) and was put aside as %s", path,
	    muster_strerror(err), aside);
	(void)rename(path, aside);
}

static int
read_publisher(const struct keep *k, struct state_publisher *p,
    struct keep_found *found)
{
	uint8_t buf[STATE_FILE_MAX];
	size_t len = 0;
	int err = file_read(k->publisher, buf, sizeof(buf), &len);

	*p = (struct state_publisher){.serial = 0};
	if (is_unreadable(err))
		return err;
	if (err == 0)
		err = state_publisher_decode(buf, len, p);
	found->has_publisher = err == 0;
	if (err != 0 && err != MUSTER_E_NOENT) {
		found->is_publisher_damaged = true;
		put_aside(k->publisher, err);
	}
	return 0;
}

static int
read_product(const struct keep *k, struct life *l, struct keep_found *found)
{
	uint8_t buf[STATE_FILE_MAX];
	size_t len = 0;
	int err = file_read(k->product, buf, sizeof(buf), &len);

	l->state = (struct state_product){.count = 0};
	if (is_unreadable(err))
		return err;
	if (err == 0)
		err = state_product_decode(buf, len, &l->state);
	found->has_product = err == 0;
	if (err != 0 && err != MUSTER_E_NOENT) {
		found->is_product_damaged = true;
		put_aside(k->product, err);
	}
	return 0;
}

static int
read_lease(const struct keep *k, struct life *l, struct keep_found *found)
{
	uint8_t buf[LEASE_FILE_MAX];
	size_t len = 0;
	int err = file_read(k->lease, buf, sizeof(buf), &len);

	if (is_unreadable(err))
		return err;
	if (err == 0)
		err = lease_decode(buf, len, &l->lease);
	found->has_lease = l->has_lease = err == 0;
	if (err != 0 && err != MUSTER_E_NOENT) {
		found->is_lease_damaged = true;
		put_aside(k->lease, err);
	}
	return 0;
}

static bool
cmid_of_lease(const char *path, const uint8_t *machine, uint8_t *cmid)
{
	uint8_t buf[LEASE_FILE_MAX];
	struct wire_args args;
	struct lease lease;
	size_t len = 0;

	if (file_read(path, buf, sizeof(buf), &len) != 0 ||
	    lease_decode(buf, len, &lease) != 0 ||
	    wire_args_decode(lease.args, lease.args_len, &args) != 0 ||
	    memcmp(args.machine, machine, WIRE_ID_LEN) != 0)
		return false;
	memcpy(cmid, args.cmid, WIRE_ID_LEN);
	return true;
}

/* A lease of this machine names the CMID that hosts know; the fingerprint
 * tells publishers apart. */
static void
recover_cmid(const struct keep *k, const uint8_t *machine,
    struct state_publisher *p)
{
	char folder[FILE_PATH_MAX], path[FILE_PATH_MAX];
	size_t len = (size_t)(strrchr(k->lease, '/') - k->lease);
	const struct dirent *d;
	bool is_found = false;
	unsigned n_left = LEASES_LOOK_MAX;
	DIR *dir;

	memcpy(folder, k->lease, len);
	folder[len] = '\0';
	dir = opendir(folder);
	while (dir != NULL && !is_found && n_left-- > 0 &&
	    (d = readdir(dir)) != NULL) {
		int n =
		    snprintf(path, sizeof(path), "%s/%s", folder, d->d_name);

		if (n > 0 && (size_t)n < sizeof(path))
			is_found = cmid_of_lease(path, machine, p->cmid);
	}
	if (dir != NULL)
		(void)closedir(dir);
}

int
keep_load(const struct keep *k, const uint8_t *machine,
    struct state_publisher *p, struct life *l, struct keep_found *found_out)
{
	struct keep_found found = {.has_lease = false};
	int err = 0;

	if (p != NULL)
		err = read_publisher(k, p, &found);
	if (err == 0)
		err = read_product(k, l, &found);
	if (err == 0)
		err = read_lease(k, l, &found);
	if (err == 0 && found.is_publisher_damaged)
		recover_cmid(k, machine, p);
	*found_out = found;
	return err;
}

static int
clock_path(const char *root, char *path)
{
	return file_join(root, PATH_AGENT_STATE "/clock.state", path,
	    FILE_PATH_MAX);
}

int
keep_load_clock(const char *root, struct clockwatch *w_out)
{
	char path[FILE_PATH_MAX];
	uint8_t buf[CLOCKWATCH_FILE_LEN + 1];
	size_t len = 0;
	int err = clock_path(root, path);

	*w_out = (struct clockwatch){.has_seen = false};
	if (err != 0)
		return err;
	err = file_read(path, buf, sizeof(buf), &len);
	if (is_unreadable(err))
		return err;
	if (err == 0)
		err = clockwatch_decode(buf, len, w_out);
	if (err != 0 && err != MUSTER_E_NOENT)
		put_aside(path, err);
	return 0;
}

/* ---- writing ---- */

int
keep_save_clock(const char *root, const struct clockwatch *w)
{
	char path[FILE_PATH_MAX];
	uint8_t buf[CLOCKWATCH_FILE_LEN];
	int err = clock_path(root, path);

	if (err == 0)
		err = clockwatch_encode(w, buf);
	return err == 0 ? file_replace(path, buf, sizeof(buf), 0600) : err;
}

static int
save_view(const struct keep *k, const struct life *l)
{
	struct state_view view = {
	    .first_seen_unix_s = l->state.first_seen_unix_s,
	    .grace_unix_s = l->state.grace_unix_s,
	    .high_water_unix_s = l->publisher->high_water_unix_s,
	};
	uint8_t buf[STATE_VIEW_LEN];
	int err;

	memcpy(view.publisher, l->publisher->publisher, PUBLISHER_LEN);
	memcpy(view.product, l->state.product, PRODUCT_LEN);
	err = state_view_encode(&view, buf);
	return err == 0 ? file_replace(k->view, buf, sizeof(buf), 0644) : err;
}

int
keep_save(const struct keep *k, const struct life *l)
{
	uint8_t buf[STATE_FILE_MAX];
	size_t len = 0;
	int err;

	err = state_publisher_encode(l->publisher, buf, sizeof(buf), &len);
	if (err == 0)
		err = file_replace(k->publisher, buf, len, 0600);
	if (err == 0)
		err = state_product_encode(&l->state, buf, sizeof(buf), &len);
	if (err == 0)
		err = file_replace(k->product, buf, len, 0600);
	if (err == 0)
		err = save_view(k, l);
	return err;
}

int
keep_save_lease(const struct keep *k, const struct lease *lease)
{
	uint8_t buf[LEASE_FILE_MAX];
	size_t len = 0;
	int err = lease_encode(lease, buf, sizeof(buf), &len);

	return err == 0 ? file_replace(k->lease, buf, len, 0644) : err;
}

int
keep_drop_lease(const struct keep *k)
{
	return file_remove(k->lease);
}
