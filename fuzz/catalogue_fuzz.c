/* SPDX-License-Identifier: MIT */
/*
 * Catalogues.  They are signed here, by a root key of the target's own, so
 * that what lies behind the signature is reached: the input is a body.
 */
#include "target.h"

#include <sodium.h>

#include "base/cursor.h"
#include "trust/catalogue.h"

static uint8_t pk[PUBKEY_LEN], sk[SECKEY_LEN], publisher[PUBLISHER_LEN];

static void
ready(void)
{
	static const uint8_t seed[crypto_sign_SEEDBYTES] = {2};

	if (pk[0] != 0)
		return;
	HOLDS(sodium_init() >= 0);
	HOLDS(crypto_sign_seed_keypair(pk, sk, seed) == 0);
	label_publisher(pk, publisher);
}

/* Header, body with this root key, signature: the length of the file. */
static size_t
build(const uint8_t *p, size_t len, uint8_t *file)
{
	struct wr w = wr_init(file, CAT_FILE_MAX);
	struct bytes all = {.p = file, .len = CAT_HEADER_LEN + len};
	uint8_t text[LABEL_LEN + PUBLISHER_LEN + HASH_LEN] = LABEL_CAT;

	wr_bytes(&w, CAT_MAGIC, 8);
	wr_u32(&w, CAT_VERSION);
	wr_u32(&w, (uint32_t)len);
	wr_bytes(&w, p, len);
	if (len >= PUBKEY_LEN)
		memcpy(file + CAT_HEADER_LEN, pk, PUBKEY_LEN);
	memcpy(text + LABEL_LEN, publisher, PUBLISHER_LEN);
	label_hash(NULL, &all, 1, text + LABEL_LEN + PUBLISHER_LEN);
	label_sign(sk, text, sizeof(text), file + CAT_HEADER_LEN + len);
	return CAT_HEADER_LEN + len + SIG_LEN;
}

int
LLVMFuzzerTestOneInput(const uint8_t *p, size_t len)
{
	static uint8_t file[CAT_FILE_MAX], back[CAT_FILE_MAX];
	static struct catalogue cat;
	struct bytes mem = {.p = file};
	struct cat_source src;
	struct cat_head head;
	size_t n = 0;

	ready();
	mem.p = p;
	mem.len = len;
	src = cat_memory_source(&mem);
	HOLDS(cat_read(&src, publisher, NULL, &head) != 0);
	if (len > CAT_FILE_MAX - CAT_HEADER_LEN - SIG_LEN)
		return 0;
	mem.len = build(p, len, file);
	mem.p = file;
	src = cat_memory_source(&mem);
	if (cat_load(&src, publisher, &cat) != 0)
		return 0;
	HOLDS(cat_encode(&cat, sk, back, sizeof(back), &n) == 0);
	SAME(back, n, file, mem.len);
	return 0;
}
