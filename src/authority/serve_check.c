/* SPDX-License-Identifier: MIT */
#include "authority/serve_check.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <sodium.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "authority/issuers.h"
#include "authority/rights.h"
#include "authority/vault.h"
#include "base/clock.h"

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
		return ctx_fail(ctx, EXIT_CONFIG, "no_dir",
		    "give the folder that `muster-authority init` made",
		    "%s: %s", ctx->dir, strerror(errno));
	memcpy(at.path, ctx->dir, sizeof(at.path));
	rc = walk(&at, d);
	(void)closedir(d);
	return rc;
}

static int
fail_seal(const struct ctx *ctx, int err)
{
	return ctx_fail(ctx, EXIT_CONFIG, "seal_key",
	    "put back the " VAULT_SEAL_FILE " of this database from its copy",
	    "%s/" VAULT_SEAL_FILE ": %s", ctx->dir,
	    err == MUSTER_E_DAMAGED ? "it does not open what is stored"
	                            : muster_strerror(err));
}

static int
check_seal(const struct ctx *ctx, struct enrolment_env *env)
{
	uint8_t pk[HOSTKEY_PK_LEN];
	struct keys_row row;
	int err = keys_next(env->db, 0, &row);

	if (err == MUSTER_E_NOENT)
		return EXIT_DONE;
	if (err != 0)
		return ctx_fail_err(ctx, err, ctx->dir);
	err = secrets_unseal(env->secrets, row.number, row.sealed, pk);
	sodium_memzero(pk, sizeof(pk));
	return err == 0 ? EXIT_DONE : fail_seal(ctx, err);
}

/* None in its time is a warning of the service, which has more to do. */
static int
check_issuing(const struct ctx *ctx, struct enrolment_env *env)
{
	uint32_t today = (uint32_t)(clock_unix_s() / S_PER_DAY);
	const uint8_t *sk;
	struct issuer is;
	int err = issuers_find(env->db, today, &is);

	if (err == MUSTER_E_ISSUER)
		return EXIT_DONE;
	if (err != 0)
		return ctx_fail_err(ctx, err, ctx->dir);
	err = secrets_issuing(env->secrets, is.number, is.pk, &sk);
	if (err == 0)
		return EXIT_DONE;
	return ctx_fail(ctx, EXIT_CONFIG, "issuing_key",
	    "put back the " VAULT_ISSUING_FILE " of this database from its "
	    "copy; if there is none, drop that issuing key and add another",
	    "%s/" VAULT_ISSUING_FILE ": issuing key %u: %s", ctx->dir,
	    is.number,
	    err == MUSTER_E_DAMAGED ? "it is not the one of the catalogue"
	                            : muster_strerror(err));
}

int
serve_check_open(const struct ctx *ctx, struct enrolment_env *env_out)
{
	int rc, err = enrolment_open(ctx->dir, env_out);

	if (err == MUSTER_E_NOENT && env_out->db == NULL)
		return ctx_fail(ctx, EXIT_CONFIG, "no_database",
		    "make an authority by `muster-authority init`, or give "
		    "its folder by --dir",
		    "%s has no %s", ctx->dir, DB_FILE);
	/* it knew its name, so it was the seal key that failed */
	if (err != 0 && env_out->self.name[0] != '\0')
		return fail_seal(ctx, err);
	if (err != 0)
		return ctx_fail_err(ctx, err, ctx->dir);
	rc = check_seal(ctx, env_out);
	return rc == EXIT_DONE ? check_issuing(ctx, env_out) : rc;
}
