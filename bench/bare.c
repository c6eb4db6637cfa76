/* SPDX-License-Identifier: MIT */
/*
 * bare.c -- the cryptography of one muster_check() and nothing else: three
 * signatures verified and one file hashed, from memory.
 *
 * usage: bench_bare FILE CALLS
 */
#include <sodium.h>

#include "tool.h"

#define FILE_MAX ((size_t)256 * 1024) /* a catalogue is at most 200 KiB */
#define CALLS_MAX 1000000
#define SIGNATURES 3
#define PIECE 4096 /* bytes; as muster_check() hashes */

struct bare {
	uint8_t pk[crypto_sign_PUBLICKEYBYTES];
	uint8_t sig[crypto_sign_BYTES];
	uint8_t text[64];
	uint8_t *file;
	size_t len;
};

static bool
one(const struct bare *b)
{
	crypto_generichash_state st;
	uint8_t hash[crypto_generichash_BYTES];
	bool is_good = true;

	(void)crypto_generichash_init(&st, NULL, 0, sizeof(hash));
	for (size_t off = 0; off < b->len; off += PIECE) {
		size_t left = b->len - off;

		(void)crypto_generichash_update(&st, b->file + off,
		    left < PIECE ? left : PIECE);
	}
	(void)crypto_generichash_final(&st, hash, sizeof(hash));
	for (unsigned i = 0; i < SIGNATURES; i++) {
		is_good &= crypto_sign_verify_detached(b->sig, b->text,
		               sizeof(b->text), b->pk) == 0;
	}
	return is_good;
}

static bool
prepare(struct bare *b, const char *path)
{
	uint8_t sk[crypto_sign_SECRETKEYBYTES];
	FILE *f = fopen(path, "rb");

	b->file = malloc(FILE_MAX);
	if (f != NULL && b->file != NULL)
		b->len = fread(b->file, 1, FILE_MAX, f);
	if (f != NULL)
		(void)fclose(f);
	memset(b->text, 'm', sizeof(b->text));
	(void)crypto_sign_keypair(b->pk, sk);
	(void)crypto_sign_detached(b->sig, NULL, b->text, sizeof(b->text), sk);
	return b->len > 0 && b->len < FILE_MAX;
}

static bool
run(const struct bare *b, int64_t *took_ns, uint32_t n)
{
	for (uint32_t i = 0; i < n; i++) {
		int64_t begin_ns = tool_now_ns();

		if (!one(b))
			return false;
		took_ns[i] = tool_now_ns() - begin_ns;
	}
	(void)printf("{\"calls\":%u,", n);
	tool_tell_times(took_ns, n);
	(void)puts("}");
	return true;
}

int
main(int argc, char **argv)
{
	struct bare b = {.len = 0};
	uint32_t n = argc == 3 ? tool_number(argv[2], CALLS_MAX) : 0;
	int64_t *took_ns = calloc(n == 0 ? 1 : n, sizeof(*took_ns));
	bool is_good = false;

	if (n == 0)
		(void)fputs("usage: bench_bare FILE CALLS\n", stderr);
	else if (sodium_init() >= 0 && took_ns != NULL && prepare(&b, argv[1]))
		is_good = run(&b, took_ns, n);
	free(took_ns);
	free(b.file);
	return is_good ? 0 : 1;
}
