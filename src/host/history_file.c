/* SPDX-License-Identifier: MIT */
#include "host/history_file.h"

#include <sodium.h>
#include <string.h>

#include "base/cursor.h"

#define MAGIC "MSTHIST1"
#define MAGIC_LEN 8

static void
sum_of(const uint8_t *p, size_t len, uint8_t *out)
{
	(void)crypto_generichash(out, HISTORY_SUM_LEN, p, len, NULL, 0);
}

static void
write_ring(struct wr *w, const struct history *h,
    const struct history_ring *ring)
{
	wr_i64(w, ring->newest);
	wr_u32(w, ring->n);
	for (uint32_t i = 0; i < ring->n; i++) {
		uint32_t at = history_place(ring, i);
		const struct history_point *p = &ring->points[at];

		wr_u32(w, p->is_known);
		wr_u32(w, p->activated);
		wr_u32(w, p->below_threshold);
		wr_u32(w, p->refused);
		for (uint32_t g = 0; g < h->n_groups; g++)
			wr_u32(w, ring->counts[g][at]);
	}
}

size_t
history_encode(const struct history *h, uint8_t *out, size_t cap)
{
	struct wr w = wr_init(out, cap);
	uint8_t sum[HISTORY_SUM_LEN];
	size_t len = 0;

	wr_bytes(&w, MAGIC, MAGIC_LEN);
	wr_u32(&w, h->n_groups);
	for (uint32_t g = 0; g < h->n_groups; g++) {
		wr_bytes(&w, h->groups[g].publisher, PUBLISHER_LEN);
		wr_u32(&w, h->groups[g].group);
	}
	for (int r = 0; r < HISTORY_STEPS; r++)
		write_ring(&w, h, &h->rings[r]);
	if (wr_end(&w, &len) != 0)
		return 0;
	sum_of(out, len, sum);
	wr_bytes(&w, sum, sizeof(sum));
	return wr_end(&w, &len) == 0 ? len : 0;
}

static void
read_ring(struct rd *r, struct history *h, struct history_ring *ring)
{
	ring->newest = rd_i64(r);
	ring->n = rd_u32(r);
	if (ring->n > HISTORY_POINTS)
		rd_fail(r, MUSTER_E_RANGE);
	if (r->err != 0)
		return;
	ring->at = (ring->n + HISTORY_POINTS - 1) % HISTORY_POINTS;
	for (uint32_t i = 0; i < ring->n; i++) {
		struct history_point *p = &ring->points[i];

		p->is_known = rd_u32(r) != 0;
		p->activated = rd_u32(r);
		p->below_threshold = rd_u32(r);
		p->refused = rd_u32(r);
		for (uint32_t g = 0; g < HISTORY_GROUPS_MAX; g++)
			ring->counts[g][i] =
			    g < h->n_groups ? rd_u32(r) : HISTORY_UNKNOWN;
	}
}

static int
read_all(const uint8_t *p, size_t len, struct history *h)
{
	struct rd r = rd_init(p, len);
	uint8_t magic[MAGIC_LEN];

	rd_fixed(&r, magic, MAGIC_LEN);
	h->n_groups = rd_u32(&r);
	if (memcmp(magic, MAGIC, MAGIC_LEN) != 0 ||
	    h->n_groups > HISTORY_GROUPS_MAX)
		return MUSTER_E_DAMAGED;
	for (uint32_t g = 0; g < h->n_groups; g++) {
		rd_fixed(&r, h->groups[g].publisher, PUBLISHER_LEN);
		h->groups[g].group = rd_u32(&r);
	}
	for (int s = 0; s < HISTORY_STEPS; s++)
		read_ring(&r, h, &h->rings[s]);
	return rd_end(&r) == 0 ? 0 : MUSTER_E_DAMAGED;
}

int
history_decode(const uint8_t *p, size_t len, struct history *h)
{
	uint8_t sum[HISTORY_SUM_LEN];
	int err = MUSTER_E_DAMAGED;

	memset(h, 0, sizeof(*h));
	if (len < HISTORY_SUM_LEN)
		return err;
	len -= HISTORY_SUM_LEN;
	sum_of(p, len, sum);
	if (memcmp(sum, p + len, sizeof(sum)) == 0)
		err = read_all(p, len, h);
	if (err != 0)
		memset(h, 0, sizeof(*h));
	return err;
}
