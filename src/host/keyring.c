/* SPDX-License-Identifier: MIT */
/*
 * What a publisher's folder holds.  The host key's proof key is sealed under
 * a key that only the identity key gives, so that a copy of one file alone,
 * in a backup or a ticket, is worth nothing.
 */
#include "host/state.h"

#include <errno.h>
#include <sodium.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/log.h"
#include "host/keymem.h"
#include "trust/phone.h"

#define SEAL_MAGIC "MUSTERS1"
#define SEAL_MAGIC_LEN 8
#define SEAL_LABEL "muster/seal/1"
#define SEAL_PLAIN_LEN (4 + HOSTKEY_PK_LEN)
#define SEAL_LEN                                        \
	(SEAL_MAGIC_LEN + crypto_secretbox_NONCEBYTES + \
	    crypto_secretbox_MACBYTES + SEAL_PLAIN_LEN)
#define COUNTER_MAX 255 /* 8 bits in a request */
#define COUNTER_TEXT_MAX 8
#define DAY_S 86400

#define NEXT_DISK "see to the space and the rights of the state folder"
#define NEXT_RESTORE                                            \
	"restore the state folder from a backup, or remove it " \
	"and activate this host anew"

static int
path_of(const struct publisher *pub, const char *name, char *out, size_t cap)
{
	int n = snprintf(out, cap, "%s/%s", pub->folder, name);

	return n < 0 || (size_t)n >= cap ? MUSTER_E_TOOBIG : 0;
}

static int
put(const struct publisher *pub, const char *name, const void *data, size_t len,
    mode_t mode, struct problem *problem)
{
	char path[FILE_PATH_MAX] = "";
	int err = path_of(pub, name, path, sizeof(path));

	if (err == 0)
		err = file_mkdirs(pub->folder, 0700);
	if (err == 0)
		err = file_replace(path, data, len, mode);
	if (err != 0)
		return problem_set(problem, err, 500, "not_stored", NEXT_DISK,
		    "%s is not safely written: %s", path, muster_strerror(err));
	return 0;
}

/* 0, MUSTER_E_NOENT, or a file that is not as we wrote it. */
static int
get(const struct publisher *pub, const char *name, uint8_t *buf, size_t len,
    bool is_secret, struct problem *problem)
{
	char path[FILE_PATH_MAX] = "";
	size_t got = 0;
	int err = path_of(pub, name, path, sizeof(path));

	if (err == 0)
		err = is_secret ? file_read_secret(path, buf, len, &got)
		                : file_read(path, buf, len, &got);
	if (err == MUSTER_E_NOENT)
		return err;
	if (err == MUSTER_E_DAMAGED)
		return problem_set(problem, MUSTER_E_PROTO, 500, "key_exposed",
		    "give it to musterd's user, mode 0600; if others could "
		    "read it, remove it and activate this host anew",
		    "%s is a link, or has another owner or a mode other than "
		    "0600",
		    path);
	if (err != 0 && err != MUSTER_E_TOOBIG)
		return problem_set(problem, err, 500, "not_readable", NEXT_DISK,
		    "%s cannot be read: %s", path, muster_strerror(err));
	if (err == MUSTER_E_TOOBIG || got != len)
		return problem_set(problem, MUSTER_E_PROTO, 500, "damaged",
		    NEXT_RESTORE, "%s is damaged: it must have %zu bytes", path,
		    len);
	return 0;
}

static int
drop(const struct publisher *pub, const char *name, struct problem *problem)
{
	char path[FILE_PATH_MAX] = "";
	int err = path_of(pub, name, path, sizeof(path));

	if (err == 0 && unlink(path) != 0 && errno != ENOENT)
		err = MUSTER_E_IO;
	if (err != 0)
		return problem_set(problem, err, 500, "not_removed", NEXT_DISK,
		    "%s cannot be removed", path);
	return 0;
}

static void
seal_key(const struct publisher *pub, uint8_t *key)
{
	uint8_t label[LABEL_LEN] = {0};

	memcpy(label, SEAL_LABEL, sizeof(SEAL_LABEL) - 1);
	/* the first half of libsodium's form is the seed */
	(void)crypto_generichash(key, crypto_secretbox_KEYBYTES, label,
	    sizeof(label), pub->host_sk, crypto_sign_SEEDBYTES);
}

static int
seal(const struct publisher *pub, uint32_t number, const uint8_t *pk,
    struct problem *problem)
{
	uint8_t plain[SEAL_PLAIN_LEN], key[crypto_secretbox_KEYBYTES];
	uint8_t out[SEAL_LEN];
	uint8_t *nonce = out + SEAL_MAGIC_LEN;
	struct wr w = wr_init(plain, sizeof(plain));

	wr_u32(&w, number);
	wr_bytes(&w, pk, HOSTKEY_PK_LEN);
	memcpy(out, SEAL_MAGIC, SEAL_MAGIC_LEN);
	randombytes_buf(nonce, crypto_secretbox_NONCEBYTES);
	seal_key(pub, key);
	(void)crypto_secretbox_easy(nonce + crypto_secretbox_NONCEBYTES, plain,
	    sizeof(plain), nonce, key);
	sodium_memzero(plain, sizeof(plain));
	sodium_memzero(key, sizeof(key));
	return put(pub, "hostkey", out, sizeof(out), 0600, problem);
}

static int
unseal(const struct publisher *pub, uint32_t *number_out, uint8_t *pk,
    struct problem *problem)
{
	uint8_t plain[SEAL_PLAIN_LEN], key[crypto_secretbox_KEYBYTES];
	uint8_t in[SEAL_LEN];
	const uint8_t *nonce = in + SEAL_MAGIC_LEN;
	struct rd r;
	int err = get(pub, "hostkey", in, sizeof(in), true, problem);

	if (err != 0)
		return err;
	if (pub->host_sk == NULL)
		return problem_set(problem, MUSTER_E_PROTO, 500, "damaged",
		    NEXT_RESTORE, "%s has a hostkey but no identity.key",
		    pub->folder);
	seal_key(pub, key);
	if (memcmp(in, SEAL_MAGIC, SEAL_MAGIC_LEN) != 0 ||
	    crypto_secretbox_open_easy(plain,
	        nonce + crypto_secretbox_NONCEBYTES,
	        SEAL_LEN - SEAL_MAGIC_LEN - crypto_secretbox_NONCEBYTES, nonce,
	        key) != 0) {
		err = problem_set(problem, MUSTER_E_PROTO, 500, "damaged",
		    "install the host key again (muster host install-key)",
		    "%s/hostkey is damaged", pub->folder);
	} else {
		r = rd_init(plain, sizeof(plain));
		*number_out = rd_u32(&r);
		if (pk != NULL)
			memcpy(pk, r.p, HOSTKEY_PK_LEN);
	}
	sodium_memzero(plain, sizeof(plain));
	sodium_memzero(key, sizeof(key));
	return err;
}

static void
hold(struct publisher *pub, uint8_t *sk, int lock_err)
{
	if (lock_err != 0)
		keymem_tell(pub->catalogue->head.name, lock_err);
	(void)sodium_mprotect_readonly(sk);
	pub->host_sk = sk;
	pub->is_sk_locked = lock_err == 0;
}

static int
load_identity(struct publisher *pub, struct problem *problem)
{
	uint8_t *sk = NULL, *whole = NULL;
	uint8_t pk[PUBKEY_LEN];
	int lock_err = 0;
	int err = keymem_new(&sk, &lock_err, problem);

	/* what is made of the seed is as secret as the seed */
	if (err == 0)
		err = keymem_new(&whole, &lock_err, problem);
	if (err == 0)
		err = get(pub, "identity.key", sk, SECKEY_LEN, true, problem);
	if (err == 0) {
		(void)crypto_sign_seed_keypair(pk, whole, sk);
		if (sodium_memcmp(whole, sk, SECKEY_LEN) != 0)
			err = problem_set(problem, MUSTER_E_PROTO, 500,
			    "damaged", NEXT_RESTORE,
			    "%s/identity.key is damaged", pub->folder);
	}
	sodium_free(whole);
	if (err == 0)
		hold(pub, sk, lock_err);
	else
		sodium_free(sk);
	return err == MUSTER_E_NOENT ? 0 : err;
}

static int
make_identity(struct publisher *pub, struct problem *problem)
{
	uint8_t pk[PUBKEY_LEN];
	uint8_t *sk = NULL;
	int lock_err = 0;
	int err;

	if (pub->host_sk != NULL)
		return 0;
	err = keymem_new(&sk, &lock_err, problem);
	if (err != 0)
		return err;
	(void)crypto_sign_keypair(pk, sk);
	err = put(pub, "identity.key", sk, SECKEY_LEN, 0600, problem);
	if (err == 0)
		hold(pub, sk, lock_err);
	else
		sodium_free(sk);
	return err;
}

static int
load_counter(struct publisher *pub, struct problem *problem)
{
	uint8_t text[COUNTER_TEXT_MAX + 1] = {0};
	char path[FILE_PATH_MAX] = "";
	char *end = NULL;
	size_t len = 0;
	unsigned long v;
	int err = path_of(pub, "counter", path, sizeof(path));

	if (err == 0)
		err = file_read(path, text, COUNTER_TEXT_MAX, &len);
	if (err == MUSTER_E_NOENT)
		return 0;
	v = strtoul((char *)text, &end, 10);
	if (err != 0 || end == (char *)text || *end != '\n' || v > COUNTER_MAX)
		return problem_set(problem, MUSTER_E_PROTO, 500, "damaged",
		    NEXT_RESTORE, "%s is damaged", path);
	pub->counter = (uint32_t)v;
	return 0;
}

int
keyring_load(struct publisher *pub, struct problem *problem)
{
	int err = load_identity(pub, problem);

	if (err == 0) {
		err = unseal(pub, &pub->key_number, NULL, problem);
		pub->has_hostkey = err == 0;
		err = err == MUSTER_E_NOENT ? 0 : err;
	}
	if (err == 0)
		err = load_counter(pub, problem);
	if (err != 0)
		return err;
	err =
	    get(pub, "certificate", pub->cert_bytes, CERT_LEN, false, problem);
	if (err == 0 && cert_decode(pub->cert_bytes, &pub->cert) != 0)
		err = problem_set(problem, MUSTER_E_PROTO, 500, "damaged",
		    NEXT_RESTORE, "%s/certificate is damaged", pub->folder);
	pub->has_cert = err == 0;
	return err == MUSTER_E_NOENT ? 0 : err;
}

/* The first link that fails, or 0. */
static int
judge(const struct publisher *pub, const struct cert *cert, int64_t now_unix_s)
{
	const struct catalogue *cat = pub->catalogue;
	const struct cat_issuer *issuer = cat_issuer(cat, cert->issuer);
	int err;

	if (pub->host_sk == NULL ||
	    memcmp(pub->host_sk + crypto_sign_SEEDBYTES, cert->host_pk,
	        PUBKEY_LEN) != 0)
		return MUSTER_E_MISMATCH;
	if (issuer == NULL)
		return MUSTER_E_ISSUER;
	err = cert_verify(cert, pub->id, issuer->pk);
	if (err != 0)
		return err;
	if (cert->issued_day < issuer->not_before_day ||
	    cert->issued_day > issuer->not_after_day)
		return MUSTER_E_ISSUED;
	for (uint32_t i = 0; i < cat->n_revocations; i++) {
		if (cat_revocation_hits(&cat->revocations[i], cert->key_number,
		        cert->slot, cert->activation,
		        (uint32_t)(now_unix_s / DAY_S)))
			return MUSTER_E_REVOKED;
	}
	return cert_in_date(cert, now_unix_s) ? 0 : MUSTER_E_EXPIRED;
}

void
keyring_judge(struct publisher *pub, int64_t now_unix_s)
{
	char reason[STATE_REASON_MAX] = "";
	int err = 0;

	if (!pub->has_cert) {
		(void)snprintf(reason, sizeof(reason), "no certificate");
	} else {
		err = judge(pub, &pub->cert, now_unix_s);
		if (err != 0)
			(void)snprintf(reason, sizeof(reason), "%s",
			    muster_strerror(err));
	}
	/* told when it changes */
	if (err != 0 && strcmp(reason, pub->reason) != 0)
		log_event(LOG_WARN, "certificate",
		    LOG_FIELDS(LOG_TEXT(PUBLISHER, pub->hex), LOG_CODE(err)),
		    "of %s gives no leases: %s; activate this host anew "
		    "(muster host activate)",
		    pub->catalogue->head.name, reason);
	pub->is_cert_good = pub->has_cert && err == 0;
	memcpy(pub->reason, reason, sizeof(reason));
}

static int
key_problem(int err, struct problem *problem)
{
	switch (err) {
	case MUSTER_E_TYPO:
		return problem_set(problem, err, 422, "key_mistyped",
		    "compare it with the key that you were given, group by "
		    "group",
		    "the key is mistyped: its check characters do not match");
	case MUSTER_E_TRUNC:
	case MUSTER_E_TOOBIG:
	case MUSTER_E_PROTO:
		return problem_set(problem, err, 422, "key_malformed",
		    "type all five groups of five characters",
		    "a host key has 25 letters and digits in five groups");
	default:
		return problem_set(problem, err, 422, "key_kind",
		    "ask the publisher for a host key", "this is no host key");
	}
}

int
keyring_install(struct publisher *pub, const char *text, size_t text_len,
    struct problem *problem)
{
	uint8_t pk[HOSTKEY_PK_LEN];
	struct hostkey key;
	int err = hostkey_parse(text, text_len, &key);

	if (err != 0)
		return key_problem(err, problem);
	if (key.kind != HOSTKEY_HOST) {
		sodium_memzero(&key, sizeof(key));
		return problem_set(problem, MUSTER_E_KIND, 422, "key_kind",
		    "install a host key here; client setup keys belong on "
		    "clients (muster install-key)",
		    "this is a client setup key, not a host key");
	}
	hostkey_proof_key(&key, pub->id, pk);
	err = make_identity(pub, problem);
	if (err == 0)
		err = seal(pub, key.number, pk, problem);
	if (err == 0) {
		pub->has_hostkey = true;
		pub->key_number = key.number;
		err = drop(pub, "request", problem);
	}
	sodium_memzero(&key, sizeof(key));
	sodium_memzero(pk, sizeof(pk));
	return err;
}

int
keyring_remove(struct publisher *pub, struct problem *problem)
{
	int err;

	if (!pub->has_hostkey && !pub->has_cert)
		return problem_set(problem, MUSTER_E_NOENT, 404, "no_key",
		    "nothing is left to do", "%s has no host key here",
		    pub->catalogue->head.name);
	err = drop(pub, "hostkey", problem);
	if (err == 0) {
		pub->has_hostkey = false;
		err = drop(pub, "request", problem);
	}
	if (err == 0)
		err = drop(pub, "certificate", problem);
	if (err == 0)
		pub->has_cert = false;
	return err;
}

/* What may stand in a request of the machine's own name. */
static void
host_name(char *out, size_t cap)
{
	char name[256] = "";
	size_t n = 0;

	if (gethostname(name, sizeof(name) - 1) != 0)
		name[0] = '\0';
	for (size_t i = 0; name[i] != '\0' && n + 1 < cap; i++) {
		char c = name[i];

		if ((c >= '0' && c <= '9') || (c >= 'A' && c <= 'Z') ||
		    (c >= 'a' && c <= 'z') || c == '.' || c == '_' || c == '-')
			out[n++] = c;
	}
	out[n] = '\0';
}

/* The open request, when it asks for the same. */
static bool
is_open_request(const struct publisher *pub, uint8_t replaces,
    const struct enrol *want, uint8_t *buf, size_t *len_out)
{
	char path[FILE_PATH_MAX];
	struct enrol e;

	return path_of(pub, "request", path, sizeof(path)) == 0 &&
	    file_read(path, buf, ENROL_MAX, len_out) == 0 &&
	    enrol_decode(buf, *len_out, &e) == 0 &&
	    e.key_number == pub->key_number && e.replaces == replaces &&
	    e.counter == pub->counter &&
	    memcmp(e.host_pk, want->host_pk, PUBKEY_LEN) == 0 &&
	    strcmp(e.name, want->name) == 0;
}

static int
store_counter(struct publisher *pub, struct problem *problem)
{
	char text[COUNTER_TEXT_MAX];
	int n;
	int err;

	if (pub->counter >= COUNTER_MAX)
		return problem_set(problem, MUSTER_E_FULL, 409, "counter_full",
		    "stop musterd, remove its folder of this publisher, and "
		    "activate anew as a replacement (--replaces SLOT)",
		    "this host has made all of its %d requests", COUNTER_MAX);
	n = snprintf(text, sizeof(text), "%u\n", (unsigned)pub->counter + 1);
	err = put(pub, "counter", text, (size_t)n, 0600, problem);
	if (err == 0)
		pub->counter++;
	return err;
}

static int
no_key(const struct publisher *pub, struct problem *problem)
{
	return problem_set(problem, MUSTER_E_NOENT, 409, "no_key",
	    "install a host key first (muster host install-key)",
	    "%s has no host key here", pub->catalogue->head.name);
}

int
keyring_request(struct publisher *pub, uint8_t replaces, bool is_fresh,
    uint8_t *buf, size_t *len_out, struct problem *problem)
{
	uint8_t pk[HOSTKEY_PK_LEN];
	uint32_t number = 0;
	struct enrol e;
	int err;

	if (!pub->has_hostkey)
		return no_key(pub, problem);
	memset(&e, 0, sizeof(e));
	memcpy(e.publisher, pub->id, PUBLISHER_LEN);
	memcpy(e.host_pk, pub->host_sk + crypto_sign_SEEDBYTES, PUBKEY_LEN);
	e.key_number = pub->key_number;
	e.replaces = replaces;
	host_name(e.name, sizeof(e.name));
	if (!is_fresh && is_open_request(pub, replaces, &e, buf, len_out))
		return 0;
	err = unseal(pub, &number, pk, problem);
	if (err == MUSTER_E_NOENT)
		err = problem_set(problem, err, 500, "damaged", NEXT_RESTORE,
		    "%s/hostkey is gone", pub->folder);
	if (err == 0)
		err = store_counter(pub, problem);
	if (err != 0)
		goto out;
	e.counter = (uint8_t)pub->counter;
	err = enrol_encode(&e, pk, pub->host_sk, buf, ENROL_MAX, len_out);
	if (err != 0)
		err = problem_set(problem, err, 500, "request", "report this",
		    "no request could be made: %s", muster_strerror(err));
	else
		err = put(pub, "request", buf, *len_out, 0600, problem);
out:
	sodium_memzero(pk, sizeof(pk));
	return err;
}

int
keyring_slotask(const struct publisher *pub, struct slotask *ask,
    int64_t now_unix_s, uint8_t *out, struct problem *problem)
{
	uint8_t pk[HOSTKEY_PK_LEN];
	int err;

	if (!pub->has_hostkey)
		return no_key(pub, problem);
	err = unseal(pub, &ask->key_number, pk, problem);
	if (err == 0) {
		memcpy(ask->publisher, pub->id, PUBLISHER_LEN);
		ask->asked_unix_s = now_unix_s;
		slotask_encode(ask, pk, out);
	} else if (err == MUSTER_E_NOENT) {
		err = problem_set(problem, err, 500, "damaged", NEXT_RESTORE,
		    "%s/hostkey is gone", pub->folder);
	}
	sodium_memzero(pk, sizeof(pk));
	return err;
}

int
keyring_code(const struct publisher *pub, uint8_t *out, struct problem *problem)
{
	struct phone_ask ask = {.counter = (uint8_t)pub->counter};
	uint8_t pk[HOSTKEY_PK_LEN];
	int err = unseal(pub, &ask.key_number, pk, problem);

	if (err == MUSTER_E_NOENT)
		return problem_set(problem, err, 500, "damaged", NEXT_RESTORE,
		    "%s/hostkey is gone", pub->folder);
	if (err == 0) {
		cert_fingerprint(pub->host_sk + crypto_sign_SEEDBYTES,
		    ask.fingerprint);
		phone_ask_prove(&ask, pub->id, pk);
		phone_ask_encode(&ask, out);
	}
	sodium_memzero(pk, sizeof(pk));
	return err;
}

int
keyring_certify(struct publisher *pub, const uint8_t *bytes, int64_t now_unix_s,
    struct problem *problem)
{
	struct cert cert;
	int err = cert_decode(bytes, &cert);

	if (err == 0)
		err = judge(pub, &cert, now_unix_s);
	if (err == MUSTER_E_ISSUER || err == MUSTER_E_ISSUED)
		return problem_set(problem, err, 422, "certificate_issuer",
		    "install the publisher's newest catalogue first (muster "
		    "catalogue install)",
		    "certificate refused: %s", muster_strerror(err));
	if (err == MUSTER_E_REVOKED || err == MUSTER_E_EXPIRED)
		return problem_set(problem, err, 422, "certificate_ended",
		    "compare this machine's clock and the authority's, then "
		    "activate again (muster host activate): the same request "
		    "is answered anew and counts nothing",
		    "certificate refused: %s", muster_strerror(err));
	if (err != 0)
		return problem_set(problem, err, 422, "certificate_bad",
		    "hand over the certificate again, or make a new request "
		    "(muster host activate)",
		    "certificate refused: %s", muster_strerror(err));
	/* an answer to an earlier request of this host */
	if (pub->is_cert_good && cert.issued_day < pub->cert.issued_day)
		return problem_set(problem, MUSTER_E_SERIAL, 422,
		    "certificate_old",
		    "hand over the answer to the newest request (muster host "
		    "activate makes one)",
		    "certificate refused: it answers an earlier request than "
		    "the one in place");
	err = put(pub, "certificate", bytes, CERT_LEN, 0644, problem);
	if (err != 0)
		return err;
	memcpy(pub->cert_bytes, bytes, CERT_LEN);
	pub->cert = cert;
	pub->has_cert = true;
	/* left behind, it would only be the same request once more */
	return drop(pub, "request", problem);
}

void
keyring_free(struct publisher *pub)
{
	if (pub->host_sk != NULL)
		sodium_free(pub->host_sk); /* wipes */
	pub->host_sk = NULL;
}
