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
#include "client/recover.h"

#define LOCK_POLL_MS 20

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
		log_event(LOG_WARN, "lock", LOG_FIELDS(LOG_TEXT(FILE, path)),
		    "%s cannot be written", path);
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
		err = path_under(root, "publishers", hex, ".host", k->known);
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

static void
add_damage(struct keep *k, enum keep_file file, bool is_recovered,
    struct keep_found *found)
{
	struct keep_damage *d = &found->damage[found->n_damages++];

	recover_aside(k->at);
	d->file = file;
	d->is_recovered = is_recovered;
	(void)snprintf(d->path, sizeof(d->path), "%s", k->at);
}

static int
read_lease(struct keep *k, const struct life_env *env, struct life *l,
    struct keep_found *found)
{
	uint8_t buf[LEASE_FILE_MAX];
	struct wire_args args;
	size_t len = 0;
	int err;

	k->at = k->lease;
	err = file_read(k->lease, buf, sizeof(buf), &len);
	if (is_unreadable(err))
		return err;
	if (err == 0)
		err = lease_decode(buf, len, &l->lease);
	if (err == 0)
		err = wire_args_decode(l->lease.args, l->lease.args_len, &args);
	/* nor is it one when it is another product's */
	l->has_lease = err == 0 &&
	    memcmp(args.product, env->product->id, PRODUCT_LEN) == 0;
	found->has_lease = l->has_lease;
	if (err != 0 && err != MUSTER_E_NOENT)
		add_damage(k, KEEP_LEASE, false, found);
	return 0;
}

static int
read_publisher(struct keep *k, const char *root, const struct life_env *env,
    struct state_publisher *p, struct keep_found *found)
{
	uint8_t buf[STATE_FILE_MAX];
	struct lease lease;
	bool is_proven = false;
	size_t len = 0;
	int err;

	k->at = k->publisher;
	err = file_read_own(k->publisher, buf, sizeof(buf), &len);
	if (is_unreadable(err))
		return err;
	*p = (struct state_publisher){.serial = 0};
	if (err == 0)
		err = state_publisher_decode(buf, len, p);
	if (err == 0 &&
	    memcmp(p->publisher, env->cat->head.publisher, PUBLISHER_LEN) != 0)
		err = MUSTER_E_PUBLISHER;
	found->has_publisher = err == 0;
	if (err == 0)
		return 0;
	*p = (struct state_publisher){.serial = 0};
	is_proven =
	    recover_find(root, env->cat, env->machine, clock_unix_s(), &lease);
	if (is_proven)
		recover_publisher(&lease, p);
	if (err != MUSTER_E_NOENT)
		add_damage(k, KEEP_PUBLISHER, is_proven, found);
	return 0;
}

static int
read_product(struct keep *k, const struct life_env *env, struct life *l,
    struct keep_found *found)
{
	int64_t now_unix_s = clock_unix_s();
	const uint8_t *id = env->product->id;
	uint8_t buf[STATE_FILE_MAX];
	bool is_proven, is_damaged;
	size_t len = 0;
	int err;

	k->at = k->product;
	err = file_read_own(k->product, buf, sizeof(buf), &len);
	if (is_unreadable(err))
		return err;
	if (err == 0)
		err = state_product_decode(buf, len, &l->state);
	if (err == 0 && memcmp(l->state.product, id, PRODUCT_LEN) != 0)
		err = MUSTER_E_PRODUCT;
	if (err == 0) {
		found->has_product = true;
		return 0;
	}
	is_damaged = err != MUSTER_E_NOENT;
	is_proven = l->has_lease &&
	    recover_is_genuine(&l->lease, env->cat, env->machine, now_unix_s);
	recover_product(id, is_proven ? &l->lease : NULL, is_damaged,
	    now_unix_s, &l->state);
	found->has_product = is_proven || is_damaged;
	if (is_damaged)
		add_damage(k, KEEP_PRODUCT, is_proven, found);
	return 0;
}

/* The power went in a rearm: its last part is done now. */
static int
end_rearm(struct keep *k, struct life *l, struct keep_found *found)
{
	int err;

	if (!l->has_lease || !life_is_dropped(&l->state, &l->lease))
		return 0;
	l->has_lease = found->has_lease = false;
	err = keep_drop_lease(k);
	return err == MUSTER_E_UNSURE ? 0 : err;
}

int
keep_load(struct keep *k, const char *root, const struct life_env *env,
    struct state_publisher *p, struct life *l, struct keep_found *found_out)
{
	int err;

	*found_out = (struct keep_found){.has_lease = false};
	err = read_lease(k, env, l, found_out);
	if (err == 0)
		err = read_product(k, env, l, found_out);
	if (err == 0)
		err = end_rearm(k, l, found_out);
	if (err == 0 && p != NULL)
		err = read_publisher(k, root, env, p, found_out);
	return err;
}

int
keep_load_known(struct keep *k, const uint8_t *publisher,
    struct walk_known *known_out)
{
	struct walk_known known = {.priority = 0};
	uint8_t buf[STATE_FILE_MAX];
	size_t len = 0;
	int err;

	k->at = k->known;
	err = file_read_own(k->known, buf, sizeof(buf), &len);
	if (is_unreadable(err))
		return err;
	if (err == 0)
		err = state_known_decode(buf, len, publisher, &known);
	/* nothing is lost with it but the way to a host */
	*known_out = known;
	return 0;
}

static int
settings_path(const char *root, char *path)
{
	return file_join(root, PATH_AGENT_STATE "/settings.state", path,
	    FILE_PATH_MAX);
}

int
keep_load_settings(const char *root, struct agent_settings *s_out)
{
	uint8_t buf[SETTINGS_FILE_MAX];
	char path[FILE_PATH_MAX];
	size_t len = 0;
	int err = settings_path(root, path);

	if (err == 0)
		err = file_read_own(path, buf, sizeof(buf), &len);
	return err == 0 ? settings_decode(buf, len, s_out) : err;
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
	err = file_read_own(path, buf, sizeof(buf), &len);
	if (is_unreadable(err))
		return err;
	if (err == 0)
		err = clockwatch_decode(buf, len, w_out);
	/* nothing is lost with it but the doubt */
	return 0;
}

/* ---- writing ---- */

int
keep_save_known(struct keep *k, const uint8_t *publisher,
    const struct walk_known *known)
{
	uint8_t buf[STATE_FILE_MAX];
	size_t len = 0;
	int err;

	k->at = k->known;
	if (known->host[0] == '\0')
		return file_remove(k->known);
	err = state_known_encode(publisher, known, buf, sizeof(buf), &len);
	return err == 0 ? file_replace(k->known, buf, len, 0600) : err;
}

int
keep_save_settings(const char *root, const struct agent_settings *s)
{
	uint8_t buf[SETTINGS_FILE_MAX];
	char path[FILE_PATH_MAX];
	size_t len = 0;
	int err = settings_path(root, path);

	if (err == 0)
		err = settings_encode(s, buf, sizeof(buf), &len);
	return err == 0 ? file_replace(path, buf, len, 0600) : err;
}

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
save_view(struct keep *k, const struct life *l)
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
	k->at = k->view;
	err = state_view_encode(&view, buf);
	return err == 0 ? file_replace(k->view, buf, sizeof(buf), 0644) : err;
}

int
keep_save(struct keep *k, const struct life *l)
{
	uint8_t buf[STATE_FILE_MAX];
	size_t len = 0;
	int err;

	k->at = k->publisher;
	err = state_publisher_encode(l->publisher, buf, sizeof(buf), &len);
	if (err == 0)
		err = file_replace(k->publisher, buf, len, 0600);
	if (err != 0)
		return err;
	k->at = k->product;
	err = state_product_encode(&l->state, buf, sizeof(buf), &len);
	if (err == 0)
		err = file_replace(k->product, buf, len, 0600);
	return err == 0 ? save_view(k, l) : err;
}

int
keep_save_lease(struct keep *k, const struct lease *lease)
{
	uint8_t buf[LEASE_FILE_MAX];
	size_t len = 0;
	int err = lease_encode(lease, buf, sizeof(buf), &len);

	k->at = k->lease;
	return err == 0 ? file_replace(k->lease, buf, len, 0644) : err;
}

int
keep_drop_lease(struct keep *k)
{
	k->at = k->lease;
	return file_remove(k->lease);
}
