/* SPDX-License-Identifier: MIT */
#include "client/statefile.h"

#include <assert.h>
#include <string.h>

#include "trust/label.h"

struct wr
statefile_begin(uint8_t *buf, size_t cap, const char *magic, uint32_t version)
{
	struct wr w = wr_init(buf, cap);

	wr_bytes(&w, magic, STATEFILE_MAGIC_LEN);
	wr_u32(&w, version);
	return w;
}

int
statefile_finish(struct wr *w, size_t *len_out)
{
	const struct bytes body = {.p = w->start, .len = w->len};
	uint8_t sum[HASH_LEN];

	if (w->err == 0) {
		label_hash(NULL, &body, 1, sum);
		wr_bytes(w, sum, sizeof(sum));
	}
	return wr_end(w, len_out);
}

int
statefile_open(const uint8_t *p, size_t len, const char *magic, uint32_t newest,
    struct rd *r_out, uint32_t *version_out)
{
	struct bytes body = {.p = p, .len = len};
	uint8_t sum[HASH_LEN];
	const uint8_t *head;
	uint32_t version;
	struct rd r;

	if (len < STATEFILE_MAGIC_LEN + 4 + HASH_LEN)
		return MUSTER_E_TRUNC;
	body.len = len - HASH_LEN;
	r = rd_init(p, body.len);
	head = rd_take(&r, STATEFILE_MAGIC_LEN);
	version = rd_u32(&r);
	assert(head != NULL); /* there are more bytes than these */
	if (memcmp(head, magic, STATEFILE_MAGIC_LEN) != 0 || version < 1 ||
	    version > newest)
		return MUSTER_E_PROTO;
	label_hash(NULL, &body, 1, sum);
	if (memcmp(sum, p + body.len, HASH_LEN) != 0)
		return MUSTER_E_DAMAGED;
	*r_out = r;
	if (version_out != NULL)
		*version_out = version;
	return 0;
}
