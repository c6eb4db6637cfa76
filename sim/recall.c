/* SPDX-License-Identifier: MIT */
/*
 * recall.c -- what label_hash() said of the same bytes, for the planner.
 *
 * A machine's lease, its certificate and its fingerprint are hashed at each of
 * its steps, and that would take half of a plan's time.  A campaign, which
 * looks for faults, is linked without this.  With --wrap=label_hash.
 */
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

static struct slot slots[SLOTS];

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

void
__wrap_label_hash(const char *label, const struct bytes *parts, size_t n,
    uint8_t *out)
{
	uint8_t text[TEXT_MAX + 8];
	uint32_t len = LABEL_LEN;
	struct slot *slot;

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
	memset(text + len, 0, 8); /* the last word may be part of one */
	slot = &slots[place_of(text, len)];
	if (slot->len != len || memcmp(slot->text, text, len) != 0) {
		slot->len = len;
		memcpy(slot->text, text, len);
		__real_label_hash(label, parts, n, slot->hash);
	}
	memcpy(out, slot->hash, HASH_LEN);
}
