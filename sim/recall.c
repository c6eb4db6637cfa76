/* SPDX-License-Identifier: MIT */
#include "sim/recall.h"

#include <string.h>

#include "trust/label.h"

#define SLOTS 8192U   /* a power of two; 3 MiB */
#define TEXT_MAX 320U /* a leaf of a lease with the longest name */
#define PRIME UINT64_C(0x9e3779b97f4a7c15)

struct slot {
	uint32_t len; /* 0: nothing */
	uint8_t text[TEXT_MAX];
	uint8_t hash[HASH_LEN];
};

void __real_label_hash(const char *label, const struct bytes *parts, size_t n,
    uint8_t *out);
void __wrap_label_hash(const char *label, const struct bytes *parts, size_t n,
    uint8_t *out);

int __real_crypto_generichash(uint8_t *out, size_t out_len, const uint8_t *in,
    unsigned long long len, const uint8_t *key, size_t key_len);
int __wrap_crypto_generichash(uint8_t *out, size_t out_len, const uint8_t *in,
    unsigned long long len, const uint8_t *key, size_t key_len);

static struct slot slots[SLOTS];
static bool is_off;

void
recall_use(bool is_on)
{
	is_off = !is_on;
}

/* Each word of 8 bytes, and the rest as zeros make it one. */
static uint32_t
place_of(const uint8_t *text, uint32_t len)
{
	uint64_t sum = len, word;

	for (uint32_t i = 0; i < len; i += 8) {
		memcpy(&word, text + i, 8);
		sum = (sum ^ word) * PRIME;
		sum ^= sum >> 29;
	}
	return (uint32_t)(sum >> 32) % SLOTS;
}

/* The slot of a text that has room for 8 bytes more; new ones are filled by
 * the caller, when this says so. */
static struct slot *
find(uint8_t *text, uint32_t len, bool *is_new_out)
{
	struct slot *slot;

	memset(text + len, 0, 8); /* the last word may be part of one */
	slot = &slots[place_of(text, len)];
	*is_new_out = slot->len != len || memcmp(slot->text, text, len) != 0;
	if (*is_new_out) {
		slot->len = len;
		memcpy(slot->text, text, len);
	}
	return slot;
}

/* The fingerprint of a machine; texts of label_hash() begin with no zero. */
int
__wrap_crypto_generichash(uint8_t *out, size_t out_len, const uint8_t *in,
    unsigned long long len, const uint8_t *key, size_t key_len)
{
	uint8_t text[TEXT_MAX + 8];
	struct slot *slot;
	bool is_new;

	if (is_off || len + key_len + 4 > TEXT_MAX || out_len > HASH_LEN)
		return __real_crypto_generichash(out, out_len, in, len, key,
		    key_len);
	text[0] = 0;
	text[1] = (uint8_t)out_len;
	text[2] = (uint8_t)key_len;
	if (key_len > 0)
		memcpy(text + 3, key, key_len);
	memcpy(text + 3 + key_len, in, len);
	slot = find(text, (uint32_t)(3 + key_len + len), &is_new);
	if (is_new)
		(void)__real_crypto_generichash(slot->hash, out_len, in, len,
		    key, key_len);
	memcpy(out, slot->hash, out_len);
	return 0;
}

void
__wrap_label_hash(const char *label, const struct bytes *parts, size_t n,
    uint8_t *out)
{
	uint8_t text[TEXT_MAX + 8];
	uint32_t len = LABEL_LEN;
	struct slot *slot;
	bool is_new;

	if (is_off || label == NULL) { /* a file is mostly another one */
		__real_label_hash(label, parts, n, out);
		return;
	}
	memset(text, 0, LABEL_LEN);
	if (label != NULL)
		memcpy(text, label, strlen(label));
	for (size_t i = 0; i < n; i++) {
		if (parts[i].len > TEXT_MAX - len) {
			__real_label_hash(label, parts, n, out);
			return;
		}
		memcpy(text + len, parts[i].p, parts[i].len);
		len += (uint32_t)parts[i].len;
	}
	slot = find(text, len, &is_new);
	if (is_new)
		__real_label_hash(label, parts, n, slot->hash);
	memcpy(out, slot->hash, HASH_LEN);
}
