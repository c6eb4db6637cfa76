/* SPDX-License-Identifier: MIT */
/*
 * vault.c -- see vault.h for the layouts.
 */
#include "authority/vault.h"

#include <assert.h>
#include <errno.h>
#include <fcntl.h>
#include <sodium.h>
#include <stdio.h>
#include <string.h>
#include <termios.h>
#include <unistd.h>

#include "authority/ctx.h"
#include "base/cursor.h"
#include "base/file.h"
#include "base/hex.h"

#define BOX_LEN (crypto_secretbox_MACBYTES + SECKEY_LEN)
#define ROOT_FILE_LEN                                       \
	(8 + 8 + 8 + crypto_pwhash_SALTBYTES + PUBKEY_LEN + \
	    crypto_secretbox_NONCEBYTES + BOX_LEN)
/* What a file may ask of this machine before its passphrase is known. */
#define KDF_OPS_MAX 16
#define KDF_MEMORY_MAX (UINT64_C(1) << 30)
#define ISSUING_FILE_MAX 65536 /* 255 lines and to spare */
#define ISSUING_LINE_MAX 160   /* three digits, a key in hex */

static int
read_line(int fd, char *out)
{
	size_t len = 0;
	ssize_t n;
	char c = 0;

	for (;;) {
		n = read(fd, &c, 1);
		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0)
			return MUSTER_E_IO;
		if (n == 0 || c == '\n')
			break;
		if (len == VAULT_PASSPHRASE_MAX)
			return MUSTER_E_TOOBIG;
		out[len++] = c;
	}
	out[len] = '\0';
	return len == 0 ? MUSTER_E_TRUNC : 0;
}

static int
prompt(int tty, const char *text, char *out)
{
	struct termios old, quiet;
	int err;

	if (tcgetattr(tty, &old) != 0)
		return MUSTER_E_IO;
	quiet = old;
	quiet.c_lflag &= ~(tcflag_t)ECHO;
	if (tcsetattr(tty, TCSAFLUSH, &quiet) != 0)
		return MUSTER_E_IO;
	err = dprintf(tty, "%s: ", text) < 0 ? MUSTER_E_IO : 0;
	if (err == 0)
		err = read_line(tty, out);
	(void)tcsetattr(tty, TCSAFLUSH, &old);
	(void)dprintf(tty, "\n");
	return err;
}

static int
ask_terminal(bool is_new, char *out)
{
	char again[VAULT_PASSPHRASE_MAX + 1];
	int tty = open("/dev/tty", O_RDWR | O_CLOEXEC);
	int err;

	if (tty < 0)
		return MUSTER_E_NOENT;
	err = prompt(tty, "Passphrase of the root key", out);
	if (err == 0 && is_new) {
		err = prompt(tty, "The same again", again);
		if (err == 0 && strcmp(again, out) != 0)
			err = MUSTER_E_MISMATCH;
		sodium_memzero(again, sizeof(again));
	}
	(void)close(tty);
	return err;
}

int
vault_passphrase(const char *file, bool is_new, char *out)
{
	int fd, err;

	if (file == NULL)
		return ask_terminal(is_new, out);
	if (strcmp(file, "-") == 0)
		return read_line(STDIN_FILENO, out);
	fd = open(file, O_RDONLY | O_CLOEXEC);
	if (fd < 0)
		return errno == ENOENT ? MUSTER_E_NOENT : MUSTER_E_IO;
	err = read_line(fd, out);
	(void)close(fd);
	return err;
}

static int
derive(const char *passphrase, const uint8_t *salt, uint64_t ops,
    uint64_t memory, uint8_t *key)
{
	/* It fails for want of memory alone: the limits were checked. */
	return crypto_pwhash(key, crypto_secretbox_KEYBYTES, passphrase,
	           strlen(passphrase), salt, ops, (size_t)memory,
	           crypto_pwhash_ALG_ARGON2ID13) == 0
	    ? 0
	    : MUSTER_E_NOMEM;
}

/* The name is taken first, so that no root key is ever written over. */
static int
write_new(const char *path, const uint8_t *p, size_t len)
{
	int fd = open(path, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
	int err;

	if (fd < 0)
		return errno == EEXIST ? MUSTER_E_EXIST
		    : errno == ENOENT  ? MUSTER_E_NOENT
		    : errno == EACCES  ? MUSTER_E_DENIED
		                       : MUSTER_E_IO;
	(void)close(fd);
	err = file_replace(path, p, len, 0600);
	if (err != 0)
		(void)unlink(path);
	/* what may have been there is not any more */
	return err == MUSTER_E_UNSURE ? MUSTER_E_IO : err;
}

const struct vault_cost *
vault_cost_find(const char *name)
{
	static const struct vault_cost costs[] = {
	    {"interactive", crypto_pwhash_OPSLIMIT_INTERACTIVE,
	        crypto_pwhash_MEMLIMIT_INTERACTIVE},
	    {"moderate", crypto_pwhash_OPSLIMIT_MODERATE,
	        crypto_pwhash_MEMLIMIT_MODERATE},
	    {"sensitive", crypto_pwhash_OPSLIMIT_SENSITIVE,
	        crypto_pwhash_MEMLIMIT_SENSITIVE},
	};

	for (size_t i = 0; i < sizeof(costs) / sizeof(costs[0]); i++) {
		if (strcmp(name == NULL ? "moderate" : name, costs[i].name) ==
		    0)
			return &costs[i];
	}
	return NULL;
}

static_assert(crypto_pwhash_OPSLIMIT_SENSITIVE <= KDF_OPS_MAX &&
        crypto_pwhash_MEMLIMIT_SENSITIVE <= KDF_MEMORY_MAX,
    "what is sealed can be opened");

int
vault_root_seal(const char *path, const char *passphrase,
    const struct vault_cost *cost, const uint8_t *root_sk)
{
	uint8_t salt[crypto_pwhash_SALTBYTES];
	uint8_t nonce[crypto_secretbox_NONCEBYTES];
	uint8_t key[crypto_secretbox_KEYBYTES];
	uint8_t box[BOX_LEN], buf[ROOT_FILE_LEN];
	struct wr w = wr_init(buf, sizeof(buf));
	size_t len = 0;
	int err;

	randombytes_buf(salt, sizeof(salt));
	randombytes_buf(nonce, sizeof(nonce));
	err = derive(passphrase, salt, cost->ops, cost->memory, key);
	if (err != 0)
		goto out;
	(void)crypto_secretbox_easy(box, root_sk, SECKEY_LEN, nonce, key);
	wr_bytes(&w, VAULT_ROOT_MAGIC, 8);
	wr_u64(&w, cost->ops);
	wr_u64(&w, cost->memory);
	wr_bytes(&w, salt, sizeof(salt));
	wr_bytes(&w, root_sk + SECKEY_LEN - PUBKEY_LEN, PUBKEY_LEN);
	wr_bytes(&w, nonce, sizeof(nonce));
	wr_bytes(&w, box, sizeof(box));
	err = wr_end(&w, &len);
	if (err == 0)
		err = write_new(path, buf, len);
out:
	sodium_memzero(key, sizeof(key));
	return err;
}

int
vault_root_open(const char *path, const char *passphrase, uint8_t *root_sk_out)
{
	uint8_t key[crypto_secretbox_KEYBYTES], sk[SECKEY_LEN];
	uint8_t buf[ROOT_FILE_LEN];
	const uint8_t *magic, *salt, *pk, *nonce, *box;
	uint64_t ops, memory;
	struct rd r;
	size_t len;
	int err;

	err = file_read(path, buf, sizeof(buf), &len);
	if (err != 0)
		return err == MUSTER_E_TOOBIG ? MUSTER_E_PROTO : err;
	r = rd_init(buf, len);
	magic = rd_take(&r, 8);
	ops = rd_u64(&r);
	memory = rd_u64(&r);
	salt = rd_take(&r, crypto_pwhash_SALTBYTES);
	pk = rd_take(&r, PUBKEY_LEN);
	nonce = rd_take(&r, crypto_secretbox_NONCEBYTES);
	box = rd_take(&r, BOX_LEN);
	err = rd_end(&r);
	if (err == 0 && memcmp(magic, VAULT_ROOT_MAGIC, 8) != 0)
		err = MUSTER_E_PROTO;
	if (err == 0 &&
	    (ops < crypto_pwhash_OPSLIMIT_MIN || ops > KDF_OPS_MAX ||
	        memory < crypto_pwhash_MEMLIMIT_MIN || memory > KDF_MEMORY_MAX))
		err = MUSTER_E_RANGE;
	if (err != 0)
		return err;
	err = derive(passphrase, salt, ops, memory, key);
	if (err == 0 &&
	    (crypto_secretbox_open_easy(sk, box, BOX_LEN, nonce, key) != 0 ||
	        memcmp(sk + SECKEY_LEN - PUBKEY_LEN, pk, PUBKEY_LEN) != 0))
		err = MUSTER_E_SIG;
	if (err == 0)
		memcpy(root_sk_out, sk, SECKEY_LEN);
	sodium_memzero(key, sizeof(key));
	sodium_memzero(sk, sizeof(sk));
	return err;
}

/*
 * One line a key: its number, a space, the secret key in hex.  NULL where the
 * text has none of that number.
 */
static char *
issuing_line(char *text, uint32_t number)
{
	char want[16];
	char *line = text;

	(void)snprintf(want, sizeof(want), "%u ", number);
	while (line != NULL && *line != '\0') {
		if (strncmp(line, want, strlen(want)) == 0)
			return line;
		line = strchr(line, '\n');
		line = line == NULL ? NULL : line + 1;
	}
	return NULL;
}

int
vault_issuing_save(const char *dir, uint32_t number, const uint8_t *sk)
{
	char path[FILE_PATH_MAX], hex[2 * SECKEY_LEN + 1];
	char text[ISSUING_FILE_MAX + 1], *old, *end;
	size_t len = 0;
	int n, err;

	err = ctx_path(dir, VAULT_ISSUING_FILE, path, sizeof(path));
	if (err == 0)
		err = file_read(path, (uint8_t *)text,
		    ISSUING_FILE_MAX - ISSUING_LINE_MAX, &len);
	if (err == MUSTER_E_NOENT)
		err = 0;
	if (err == 0) {
		text[len] = '\0';
		old = issuing_line(text, number);
		end = old == NULL ? NULL : strchr(old, '\n');
		if (old != NULL)
			memmove(old, end == NULL ? "" : end + 1,
			    end == NULL ? 1 : strlen(end + 1) + 1);
		len = strlen(text);
		hex_encode(sk, SECKEY_LEN, hex);
		n = snprintf(text + len, sizeof(text) - len, "%u %s\n", number,
		    hex);
		err = file_replace(path, text, len + (size_t)n, 0600);
	}
	sodium_memzero(hex, sizeof(hex));
	sodium_memzero(text, sizeof(text));
	return err;
}

int
vault_issuing_load(const char *dir, uint32_t number, uint8_t *sk_out)
{
	char path[FILE_PATH_MAX], text[ISSUING_FILE_MAX + 1];
	size_t len = 0;
	char *line;
	int err;

	err = ctx_path(dir, VAULT_ISSUING_FILE, path, sizeof(path));
	if (err == 0)
		err = file_read(path, (uint8_t *)text, ISSUING_FILE_MAX, &len);
	if (err == 0) {
		text[len] = '\0';
		line = issuing_line(text, number);
		if (line == NULL) {
			err = MUSTER_E_NOENT;
		} else {
			line = strchr(line, ' ') + 1;
			err = hex_decode(line, strcspn(line, "\n"), sk_out,
			    SECKEY_LEN);
		}
	}
	sodium_memzero(text, sizeof(text));
	return err;
}

int
vault_seal_new(const char *dir)
{
	char path[FILE_PATH_MAX];
	uint8_t key[VAULT_SEAL_LEN];
	int err;

	err = ctx_path(dir, VAULT_SEAL_FILE, path, sizeof(path));
	if (err == 0) {
		randombytes_buf(key, sizeof(key));
		err = file_replace(path, key, sizeof(key), 0600);
	}
	sodium_memzero(key, sizeof(key));
	return err;
}

int
vault_seal_load(const char *dir, uint8_t *key_out)
{
	char path[FILE_PATH_MAX];
	size_t len = 0;
	int err;

	err = ctx_path(dir, VAULT_SEAL_FILE, path, sizeof(path));
	if (err == 0)
		err = file_read(path, key_out, VAULT_SEAL_LEN, &len);
	if (err == 0 && len != VAULT_SEAL_LEN)
		err = MUSTER_E_TRUNC;
	return err;
}

static_assert(VAULT_SEAL_LEN == crypto_secretbox_KEYBYTES, "key of a box");
static_assert(VAULT_SEALED_LEN ==
        crypto_secretbox_NONCEBYTES + crypto_secretbox_MACBYTES + 4 +
            HOSTKEY_PK_LEN,
    "nonce and box");

/* The number goes in with the key, so rows cannot be exchanged. */
void
vault_seal_with(const uint8_t *key, uint32_t key_number, const uint8_t *pk,
    uint8_t *out)
{
	uint8_t plain[4 + HOSTKEY_PK_LEN];
	struct wr w = wr_init(plain, sizeof(plain));

	wr_u32(&w, key_number);
	wr_bytes(&w, pk, HOSTKEY_PK_LEN);
	randombytes_buf(out, crypto_secretbox_NONCEBYTES);
	(void)crypto_secretbox_easy(out + crypto_secretbox_NONCEBYTES, plain,
	    sizeof(plain), out, key);
	sodium_memzero(plain, sizeof(plain));
}

int
vault_seal(const char *dir, uint32_t key_number, const uint8_t *pk,
    uint8_t *out)
{
	uint8_t key[VAULT_SEAL_LEN];
	int err;

	err = vault_seal_load(dir, key);
	if (err == 0)
		vault_seal_with(key, key_number, pk, out);
	sodium_memzero(key, sizeof(key));
	return err;
}

int
vault_unseal_with(const uint8_t *key, uint32_t key_number,
    const uint8_t *sealed, uint8_t *pk_out)
{
	uint8_t plain[4 + HOSTKEY_PK_LEN];
	struct rd r = rd_init(plain, sizeof(plain));
	int err = 0;

	if (crypto_secretbox_open_easy(plain,
	        sealed + crypto_secretbox_NONCEBYTES,
	        VAULT_SEALED_LEN - crypto_secretbox_NONCEBYTES, sealed,
	        key) != 0 ||
	    rd_u32(&r) != key_number)
		err = MUSTER_E_DAMAGED;
	if (err == 0)
		rd_fixed(&r, pk_out, HOSTKEY_PK_LEN);
	sodium_memzero(plain, sizeof(plain));
	return err;
}
