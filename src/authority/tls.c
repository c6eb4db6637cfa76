/* SPDX-License-Identifier: MIT */
#include "authority/tls.h"

#include <gnutls/gnutls.h>
#include <gnutls/x509.h>
#include <sodium.h>
#include <string.h>
#include <sys/stat.h>

static int
read_pem(const struct ctx *ctx, const char *what, const char *path, char *out)
{
	size_t len = 0;
	int err;

	if (path[0] == '\0')
		return ctx_fail(ctx, EXIT_CONFIG, "no_tls",
		    "set tls_cert and tls_key in authority.conf, or give "
		    "--tls-cert and --tls-key",
		    "no %s is set; the service speaks HTTPS only", what);
	err = file_read_own(path, (uint8_t *)out, TLS_FILE_MAX, &len);
	if (err == MUSTER_E_DAMAGED)
		return ctx_fail(ctx, EXIT_CONFIG, "tls_writable",
		    "chown it to root or to the service's user, and chmod "
		    "go-w it",
		    "%s: others can write the %s", path, what);
	if (err != 0) {
		(void)ctx_fail_err(ctx, err, path);
		return EXIT_CONFIG;
	}
	out[len] = '\0';
	return EXIT_DONE;
}

/* A group may read it: that is how keys are shared out on Debian. */
static int
check_private(const struct ctx *ctx, const char *path)
{
	struct stat st;

	if (stat(path, &st) == 0 && (st.st_mode & S_IRWXO) == 0)
		return EXIT_DONE;
	return ctx_fail(ctx, EXIT_CONFIG, "tls_key_open",
	    "chmod o-rwx it; get a new key if others may have read it",
	    "%s: everybody on this machine can read the TLS key", path);
}

static int
check_pair(const struct ctx *ctx, const char *cert, struct tls *tls)
{
	gnutls_certificate_credentials_t cred = NULL;
	gnutls_x509_crt_t crt = NULL;
	gnutls_datum_t c = {.data = (unsigned char *)tls->cert_pem,
	    .size = (unsigned)strlen(tls->cert_pem)};
	gnutls_datum_t k = {.data = (unsigned char *)tls->key_pem,
	    .size = (unsigned)strlen(tls->key_pem)};
	int rc = gnutls_certificate_allocate_credentials(&cred);

	if (rc >= 0)
		rc = gnutls_certificate_set_x509_key_mem(cred, &c, &k,
		    GNUTLS_X509_FMT_PEM);
	if (rc >= 0)
		rc = gnutls_x509_crt_init(&crt);
	if (rc >= 0)
		rc = gnutls_x509_crt_import(crt, &c, GNUTLS_X509_FMT_PEM);
	if (rc >= 0)
		tls->expires_unix_s = gnutls_x509_crt_get_expiration_time(crt);
	if (crt != NULL)
		gnutls_x509_crt_deinit(crt);
	if (cred != NULL)
		gnutls_certificate_free_credentials(cred);
	if (rc >= 0)
		return EXIT_DONE;
	return ctx_fail(ctx, EXIT_CONFIG, "bad_tls",
	    "give a certificate with its chain and the key that it is for, "
	    "both in PEM, the key without a passphrase",
	    "%s and its key cannot be used: %s", cert, gnutls_strerror(rc));
}

int
tls_load(const struct ctx *ctx, const char *cert, const char *key,
    struct tls *tls_out)
{
	int rc;

	memset(tls_out, 0, sizeof(*tls_out));
	rc = read_pem(ctx, "certificate (tls_cert)", cert, tls_out->cert_pem);
	if (rc == EXIT_DONE)
		rc = read_pem(ctx, "key (tls_key)", key, tls_out->key_pem);
	if (rc == EXIT_DONE)
		rc = check_private(ctx, key);
	if (rc == EXIT_DONE)
		rc = check_pair(ctx, cert, tls_out);
	if (rc != EXIT_DONE)
		sodium_memzero(tls_out, sizeof(*tls_out));
	return rc;
}
