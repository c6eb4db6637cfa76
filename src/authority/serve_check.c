/* SPDX-License-Identifier: MIT */
#include "authority/serve_check.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "authority/rights.h"
#include "authority/vault.h"

static int
take_option(const struct ctx *ctx, enum opt opt, char *out, size_t cap)
{
	const char *text = ctx->value[opt];
	size_t len = text == NULL ? 0 : strlen(text);

	if (text == NULL)
		return EXIT_DONE;
	if (len == 0 || len >= cap)
		return ctx_fail(ctx, EXIT_USAGE, "bad_option",
		    "give a value that fits", "--%s must have 1 to %zu bytes",
		    ctx_option_name(opt), cap - 1);
	memcpy(out, text, len + 1);
	return EXIT_DONE;
}

int
serve_check_settings(const struct ctx *ctx, struct settings *s_out)
{
	struct sockaddr_storage address;
	socklen_t len;
	int rc, err;

	err = settings_load(ctx->config, s_out);
	if (err == MUSTER_E_NOENT && ctx->value[OPT_CONFIG] == NULL)
		err = 0;
	if (err == MUSTER_E_PROTO)
		return ctx_fail(ctx, EXIT_CONFIG, "bad_config",
		    "mend the lines that are named on standard error",
		    "%s has mistakes", ctx->config);
	if (err == MUSTER_E_DAMAGED) {
		(void)rights_fail_config(ctx, ctx->config);
		return EXIT_CONFIG;
	}
	if (err != 0) {
		(void)ctx_fail_err(ctx, err, ctx->config);
		return EXIT_CONFIG;
	}
	rc = take_option(ctx, OPT_LISTEN, s_out->listen, sizeof(s_out->listen));
	if (rc == EXIT_DONE)
		rc = take_option(ctx, OPT_TLS_CERT, s_out->tls_cert,
		    sizeof(s_out->tls_cert));
	if (rc == EXIT_DONE)
		rc = take_option(ctx, OPT_TLS_KEY, s_out->tls_key,
		    sizeof(s_out->tls_key));
	if (rc == EXIT_DONE &&
	    settings_address(s_out->listen, &address, &len) != 0)
		rc = ctx_fail(ctx, EXIT_USAGE, "bad_listen",
		    "write it as 192.0.2.1:8443 or [2001:db8::1]:8443",
		    "--listen must be ADDRESS:PORT; names are not looked up");
	return rc;
}

static bool
is_root_key(int dir, const char *name)
{
	char magic[sizeof(VAULT_ROOT_MAGIC) - 1];
	struct stat st;
	ssize_t n = 0;
	int fd = openat(dir, name, O_RDONLY | O_NONBLOCK | O_CLOEXEC);

	if (fd < 0)
		return false;
	if (fstat(fd, &st) == 0 && S_ISREG(st.st_mode))
		n = read(fd, magic, sizeof(magic));
	(void)close(fd);
	return n == (ssize_t)sizeof(magic) &&
	    memcmp(magic, VAULT_ROOT_MAGIC, sizeof(magic)) == 0;
}

/* A folder, and where it is below the authority's. */
struct place {
	const struct ctx *ctx;
	char path[FILE_PATH_MAX];
	unsigned depth;
	size_t *n; /* files so far, of all folders */
};

static int walk(const struct place *at, DIR *d);

static int
too_much(const struct place *at, const char *what, int limit)
{
	return ctx_fail(at->ctx, EXIT_CONFIG, "bad_dir",
	    "give the authority a folder of its own", "%s has more than %d %s",
	    at->ctx->dir, limit, what);
}

/* What this user cannot open, the service cannot read either. */
static int
walk_into(const struct place *at, int dir, const char *name)
{
	struct place below = {.ctx = at->ctx,
	    .depth = at->depth + 1,
	    .n = at->n};
	int fd =
	    openat(dir, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
	DIR *d;
	int rc;

	if (fd < 0 &&
	    (errno == ENOTDIR || errno == ELOOP || errno == EACCES ||
	        errno == ENOENT))
		return EXIT_DONE;
	d = fd < 0 ? NULL : fdopendir(fd);
	if (d == NULL) {
		rc = ctx_fail(at->ctx, EXIT_FAILED, "no_dir",
		    "see that the service's user can read it, or move it away",
		    "%s/%s: %s", at->path, name, strerror(errno));
		if (fd >= 0)
			(void)close(fd);
		return rc;
	}
	if (below.depth > SERVE_CHECK_DEPTH_MAX ||
	    ctx_path(at->path, name, below.path, sizeof(below.path)) != 0)
		rc = too_much(at, "folders within one another",
		    SERVE_CHECK_DEPTH_MAX);
	else
		rc = walk(&below, d);
	(void)closedir(d);
	return rc;
}

static int
walk(const struct place *at, DIR *d)
{
	const struct dirent *entry;
	int rc = EXIT_DONE;

	while (rc == EXIT_DONE && (entry = readdir(d)) != NULL) {
		if (strcmp(entry->d_name, ".") == 0 ||
		    strcmp(entry->d_name, "..") == 0)
			continue;
		if ((*at->n)++ == SERVE_CHECK_FILES_MAX)
			rc = too_much(at, "files", SERVE_CHECK_FILES_MAX);
		else if (is_root_key(dirfd(d), entry->d_name))
			rc = ctx_fail(at->ctx, EXIT_CONFIG, "root_key_inside",
			    "move it to a machine that is on no network; only "
			    "`catalogue sign` needs it",
			    "%s/%s is a root key; a service does not start "
			    "beside one",
			    at->path, entry->d_name);
		else
			rc = walk_into(at, dirfd(d), entry->d_name);
	}
	return rc;
}

int
serve_check_dir(const struct ctx *ctx)
{
	size_t n = 0;
	struct place at = {.ctx = ctx, .n = &n};
	DIR *d = opendir(ctx->dir);
	int rc;

	if (d == NULL)
		return ctx_fail(ctx, EXIT_FAILED, "no_dir",
		    "give the folder that `muster-authority init` made",
		    "%s: %s", ctx->dir, strerror(errno));
	memcpy(at.path, ctx->dir, sizeof(at.path));
	rc = walk(&at, d);
	(void)closedir(d);
	return rc;
}
