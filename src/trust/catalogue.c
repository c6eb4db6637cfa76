/* SPDX-License-Identifier: MIT */
/*
 * Byte table of a catalogue file.  Integers are big-endian; str is a length
 * (4), the bytes and zeros to a multiple of four; list is a count (4) and
 * the items.
 *
 *   bytes  field
 *       8  magic MUSTERC1
 *       4  version, 1
 *       4  length of the body: of the file less 80
 *          body:
 *      32  root public key
 *     str  publisher's name, 1 to 64
 *     str  authority URL, at most 200
 *     str  contact, at most 500
 *       4  serial
 *       8  signing time, seconds since 1970, in the years 1970 to 9999
 *    list  at most 32 issuing keys of 44, by number:
 *            number (4, 1 to 255), public key (32), not before (4), not
 *            after (4), days, in that order
 *    list  at most 64 groups, by number:
 *            number (4), name (str, 1 to 64)
 *    list  at most 1024 products, by id:
 *            id (16), name (str, 1 to 64), group (4), class (4: 0 desktop,
 *            1 server), threshold (4, 1 to 100000), line (4, 0 to 7), level
 *            (4, 1 to 255), validity (4, 1 to 3660 days), initial grace (4,
 *            to 365 days), lapse grace (4, likewise), rearms (4), setup key
 *            (16, as the id derives it)
 *    list  at most 4096 revocations of 8:
 *            key number (4), slot (1), activation (1, 0 where the slot is),
 *            day (2)
 *       8  number of the last audit entry before the signing
 *      32  its hash
 *          end of the body
 *      64  signature by the root key over muster/cat/1 (16) || publisher id
 *          (16) || BLAKE2b-256 of all bytes before the signature (32)
 *
 * Each list is in strictly ascending order, so that duplicates show without
 * memory for them, and there is one encoding only.  That setup keys differ
 * follows from their being derived from ids that differ.  Text is UTF-8
 * without control characters.
 */
#include "trust/catalogue.h"

#include <sodium.h>

#include "base/text.h"
#include "trust/hostkey.h"

#define WRAP_LEN (CAT_HEADER_LEN + SIG_LEN)
#define ITEM_MAX 1024 /* the head is the longest: 820 bytes */
#define TIME_MAX INT64_C(253402300799)

/* A window that slides over the body. */
struct reader {
	const struct cat_source *src;
	uint64_t off; /* of the next byte to fetch */
	uint64_t end; /* of the body */
	size_t pos;   /* of the next unread byte in buf */
	size_t have;  /* unread bytes in buf */
	int err;
	uint32_t n_groups;
	uint32_t groups[CAT_GROUPS_MAX];
	uint8_t buf[CAT_PIECE];
};

static int
memory_read(void *arg, uint64_t off, uint8_t *buf, size_t len)
{
	const struct bytes *mem = arg;
	int err = 0;

	if (off > mem->len || len > mem->len - off)
		err = MUSTER_E_TRUNC;
	else if (len != 0)
		memcpy(buf, mem->p + off, len);
	return err;
}

struct cat_source
cat_memory_source(const struct bytes *mem)
{
	/* memory_read() only reads through it. */
	return (struct cat_source){.read = memory_read,
	    .arg = (void *)(uintptr_t)mem,
	    .len = mem->len};
}

/* Read text of min to max bytes; out takes a NUL more. */
static void
rd_text(struct rd *r, size_t min, size_t max, char *out)
{
	struct bytes text = rd_opaque(r, max);

	if (text.len < min || !text_is_utf8(text.p, text.len))
		rd_fail(r, MUSTER_E_RANGE);
	if (r->err == 0 && text.len != 0)
		memcpy(out, text.p, text.len);
	out[r->err == 0 ? text.len : 0] = '\0';
}

/* Read a number of min to max. */
static uint32_t
rd_range(struct rd *r, uint32_t min, uint32_t max)
{
	uint32_t v = rd_u32(r);

	if (v < min || v > max)
		rd_fail(r, MUSTER_E_RANGE);
	return v;
}

/* Move the window on: whole items are in it, or all that is left. */
static void
refill(struct reader *r)
{
	uint64_t left = r->end - r->off;
	size_t n = sizeof(r->buf) - r->have;

	if (n > left)
		n = (size_t)left;
	memmove(r->buf, r->buf + r->pos, r->have);
	r->pos = 0;
	r->err = r->src->read(r->src->arg, r->off, r->buf + r->have, n);
	if (r->err == 0) {
		r->off += n;
		r->have += n;
	}
}

static struct rd
item_begin(struct reader *r)
{
	struct rd item;

	if (r->err == 0 && r->have < ITEM_MAX && r->off < r->end)
		refill(r);
	item = rd_init(r->buf + r->pos, r->have);
	item.err = r->err;
	return item;
}

/* True when the item was good. */
static bool
item_end(struct reader *r, const struct rd *item)
{
	r->pos += r->have - item->left;
	r->have = item->left;
	r->err = item->err;
	return r->err == 0;
}

static uint32_t
read_count(struct reader *r, uint32_t max)
{
	struct rd item = item_begin(r);
	uint32_t n = rd_u32(&item);

	if (n > max)
		rd_fail(&item, MUSTER_E_TOOBIG);
	return item_end(r, &item) ? n : 0;
}

static void
read_head(struct reader *r, struct cat_head *head)
{
	struct rd item = item_begin(r);

	rd_fixed(&item, head->root_pk, PUBKEY_LEN);
	rd_text(&item, 1, CAT_NAME_MAX, head->name);
	rd_text(&item, 0, CAT_URL_MAX, head->url);
	rd_text(&item, 0, CAT_CONTACT_MAX, head->contact);
	head->serial = rd_u32(&item);
	head->signed_unix_s = rd_i64(&item);
	if (head->signed_unix_s < 0 || head->signed_unix_s > TIME_MAX)
		rd_fail(&item, MUSTER_E_RANGE);
	(void)item_end(r, &item);
}

static void
read_issuers(struct reader *r, const struct cat_sink *sink)
{
	uint32_t n = read_count(r, CAT_ISSUERS_MAX);
	uint32_t last = 0;

	for (uint32_t i = 0; i < n && r->err == 0; i++) {
		struct cat_issuer issuer = {0};
		struct rd item = item_begin(r);

		issuer.number = rd_range(&item, 1, 255);
		rd_fixed(&item, issuer.pk, PUBKEY_LEN);
		issuer.not_before_day = rd_u32(&item);
		issuer.not_after_day = rd_u32(&item);
		if (issuer.number <= last)
			rd_fail(&item, MUSTER_E_PROTO);
		if (issuer.not_before_day > issuer.not_after_day)
			rd_fail(&item, MUSTER_E_RANGE);
		if (item.err == 0 && !label_key_is_good(issuer.pk))
			rd_fail(&item, MUSTER_E_KEY);
		last = issuer.number;
		if (item_end(r, &item) && sink->issuer != NULL)
			sink->issuer(sink->arg, &issuer);
	}
}

static void
read_groups(struct reader *r, const struct cat_sink *sink)
{
	uint32_t n = read_count(r, CAT_GROUPS_MAX);

	for (uint32_t i = 0; i < n && r->err == 0; i++) {
		struct cat_group group = {0};
		struct rd item = item_begin(r);

		group.number = rd_u32(&item);
		rd_text(&item, 1, CAT_NAME_MAX, group.name);
		if (i > 0 && group.number <= r->groups[i - 1])
			rd_fail(&item, MUSTER_E_PROTO);
		r->groups[i] = group.number;
		if (item_end(r, &item) && sink->group != NULL)
			sink->group(sink->arg, &group);
	}
	r->n_groups = n;
}

static bool
group_exists(const struct reader *r, uint32_t number)
{
	bool found = false;

	for (uint32_t i = 0; i < r->n_groups && !found; i++)
		found = r->groups[i] == number;
	return found;
}

static bool
setup_key_is_derived(const struct cat_product *product)
{
	struct hostkey key;
	uint8_t want[HOSTKEY_LEN];

	_Static_assert(HOSTKEY_LEN == CAT_KEY_LEN, "one length of a key");
	hostkey_setup(product->id, &key);
	hostkey_pack(&key, want);
	return memcmp(want, product->setup_key, sizeof(want)) == 0;
}

static void
read_product(const struct reader *r, struct rd *item, bool skips_setup_keys,
    struct cat_product *out)
{
	uint32_t class;

	rd_fixed(item, out->id, PRODUCT_LEN);
	rd_text(item, 1, CAT_NAME_MAX, out->name);
	out->group = rd_u32(item);
	class = rd_u32(item);
	if (class != CAT_DESKTOP && class != CAT_SERVER)
		rd_fail(item, MUSTER_E_PROTO);
	out->class = class == CAT_SERVER ? CAT_SERVER : CAT_DESKTOP;
	out->threshold = rd_range(item, 1, CAT_THRESHOLD_MAX);
	out->line = (uint8_t)rd_range(item, 0, 7);
	out->level = (uint8_t)rd_range(item, 1, 255);
	out->validity_days = rd_range(item, 1, CAT_VALIDITY_DAYS_MAX);
	out->initial_grace_days = rd_range(item, 0, CAT_GRACE_DAYS_MAX);
	out->lapse_grace_days = rd_range(item, 0, CAT_GRACE_DAYS_MAX);
	out->rearms = rd_u32(item);
	rd_fixed(item, out->setup_key, CAT_KEY_LEN);
	if (item->err == 0 && !group_exists(r, out->group))
		rd_fail(item, MUSTER_E_RANGE);
	if (item->err == 0 && !skips_setup_keys && !setup_key_is_derived(out))
		rd_fail(item, MUSTER_E_RANGE);
}

static void
read_products(struct reader *r, const struct cat_sink *sink)
{
	uint32_t n = read_count(r, CAT_PRODUCTS_MAX);
	uint8_t last[PRODUCT_LEN] = {0};

	for (uint32_t i = 0; i < n && r->err == 0; i++) {
		struct cat_product product = {0};
		struct rd item = item_begin(r);

		read_product(r, &item, sink->skips_setup_keys, &product);
		if (i > 0 && memcmp(product.id, last, PRODUCT_LEN) <= 0)
			rd_fail(&item, MUSTER_E_PROTO);
		memcpy(last, product.id, PRODUCT_LEN);
		if (item_end(r, &item) && sink->product != NULL)
			sink->product(sink->arg, &product);
	}
}

static void
read_revocations(struct reader *r, const struct cat_sink *sink)
{
	uint32_t n = read_count(r, CAT_REVOCATIONS_MAX);
	uint64_t last = 0;

	for (uint32_t i = 0; i < n && r->err == 0; i++) {
		struct rd item = item_begin(r);
		uint64_t v = rd_u64(&item);
		const struct cat_revocation rev = {
		    .key_number = (uint32_t)(v >> 32),
		    .slot = (uint8_t)(v >> 24),
		    .activation = (uint8_t)(v >> 16),
		    .day = (uint16_t)v,
		};

		if (i > 0 && v <= last)
			rd_fail(&item, MUSTER_E_PROTO);
		if (rev.slot == 0 && rev.activation != 0)
			rd_fail(&item, MUSTER_E_RANGE);
		last = v;
		if (item_end(r, &item) && sink->revocation != NULL)
			sink->revocation(sink->arg, &rev);
	}
}

static int
read_body(struct reader *r, const struct cat_sink *sink, struct cat_head *head)
{
	struct rd item;

	r->off = CAT_HEADER_LEN;
	r->end = r->src->len - SIG_LEN;
	read_head(r, head);
	read_issuers(r, sink);
	read_groups(r, sink);
	read_products(r, sink);
	read_revocations(r, sink);
	item = item_begin(r);
	head->audit_number = rd_u64(&item);
	rd_fixed(&item, head->audit_hash, HASH_LEN);
	/* The window holds all the rest, so what is left is left over. */
	return rd_end(&item);
}

/* Bytes to read at off: a piece, or what is left. */
static size_t
piece_len(const struct cat_source *src, uint64_t off)
{
	return src->len - off < CAT_PIECE ? (size_t)(src->len - off)
	                                  : CAT_PIECE;
}

/* Hash the file up to its signature and take that; the first piece is in the
 * window. */
static int
hash_file(struct reader *r, uint8_t *hash_out, uint8_t *sig_out)
{
	const struct cat_source *src = r->src;
	const uint64_t end = src->len - SIG_LEN;
	crypto_generichash_state state;
	size_t n = piece_len(src, 0);
	uint64_t off = 0;
	int err = 0;

	(void)crypto_generichash_init(&state, NULL, 0, HASH_LEN);
	while (n > 0 && err == 0) {
		size_t signed_n = n;

		if (off + n > end)
			signed_n = off < end ? (size_t)(end - off) : 0;
		(void)crypto_generichash_update(&state, r->buf, signed_n);
		if (signed_n < n)
			memcpy(sig_out + (off + signed_n - end),
			    r->buf + signed_n, n - signed_n);
		off += n;
		n = piece_len(src, off);
		if (n > 0)
			err = src->read(src->arg, off, r->buf, n);
	}
	(void)crypto_generichash_final(&state, hash_out, HASH_LEN);
	return err;
}

/* Read the first piece and check the header; the root key goes to root_pk. */
static int
read_header(struct reader *r, uint8_t *root_pk)
{
	const struct cat_source *src = r->src;
	struct rd head = rd_init(r->buf, CAT_HEADER_LEN + PUBKEY_LEN);
	const uint8_t *magic;
	uint64_t body;
	int err;

	if (src->len > CAT_FILE_MAX)
		return MUSTER_E_TOOBIG;
	if (src->len < WRAP_LEN + PUBKEY_LEN)
		return MUSTER_E_TRUNC;
	err = src->read(src->arg, 0, r->buf, piece_len(src, 0));
	if (err != 0)
		return err;
	magic = rd_take(&head, 8);
	if (memcmp(magic, CAT_MAGIC, 8) != 0 || rd_u32(&head) != CAT_VERSION)
		rd_fail(&head, MUSTER_E_PROTO);
	body = rd_u32(&head);
	if (body > src->len - WRAP_LEN)
		rd_fail(&head, MUSTER_E_TRUNC);
	if (body < src->len - WRAP_LEN)
		rd_fail(&head, MUSTER_E_PROTO);
	rd_fixed(&head, root_pk, PUBKEY_LEN);
	return rd_end(&head);
}

/* All that is judged before any of the body is looked at. */
static int
verify(struct reader *r, const uint8_t *publisher, uint8_t *publisher_out)
{
	uint8_t text[LABEL_LEN + PUBLISHER_LEN + HASH_LEN] = LABEL_CAT;
	uint8_t root_pk[PUBKEY_LEN], sig[SIG_LEN];
	int err;

	err = read_header(r, root_pk);
	if (err != 0)
		return err;
	label_publisher(root_pk, publisher_out);
	if (publisher != NULL &&
	    memcmp(publisher, publisher_out, PUBLISHER_LEN) != 0)
		return MUSTER_E_PUBLISHER;
	memcpy(text + LABEL_LEN, publisher_out, PUBLISHER_LEN);
	err = hash_file(r, text + LABEL_LEN + PUBLISHER_LEN, sig);
	if (err == 0)
		err = label_verify(root_pk, text, sizeof(text), sig);
	return err;
}

int
cat_read(const struct cat_source *src, const uint8_t *publisher,
    const struct cat_sink *sink, struct cat_head *head_out)
{
	static const struct cat_sink nobody = {0};
	struct reader r = {.src = src};
	struct cat_head head = {0};
	int err;

	err = verify(&r, publisher, head.publisher);
	if (err == 0)
		err = read_body(&r, sink != NULL ? sink : &nobody, &head);
	if (err == 0)
		*head_out = head;
	return err;
}

static void
load_issuer(void *arg, const struct cat_issuer *issuer)
{
	struct catalogue *cat = arg;

	cat->issuers[cat->n_issuers++] = *issuer;
}

static void
load_group(void *arg, const struct cat_group *group)
{
	struct catalogue *cat = arg;

	cat->groups[cat->n_groups++] = *group;
}

static void
load_product(void *arg, const struct cat_product *product)
{
	struct catalogue *cat = arg;

	cat->products[cat->n_products++] = *product;
}

static void
load_revocation(void *arg, const struct cat_revocation *rev)
{
	struct catalogue *cat = arg;

	cat->revocations[cat->n_revocations++] = *rev;
}

int
cat_load(const struct cat_source *src, const uint8_t *publisher,
    struct catalogue *cat_out)
{
	const struct cat_sink sink = {
	    .issuer = load_issuer,
	    .group = load_group,
	    .product = load_product,
	    .revocation = load_revocation,
	    .arg = cat_out,
	};

	memset(cat_out, 0, sizeof(*cat_out));
	return cat_read(src, publisher, &sink, &cat_out->head);
}

const struct cat_product *
cat_product(const struct catalogue *cat, const uint8_t *id)
{
	const struct cat_product *found = NULL;

	for (uint32_t i = 0; i < cat->n_products && found == NULL; i++) {
		if (memcmp(cat->products[i].id, id, PRODUCT_LEN) == 0)
			found = &cat->products[i];
	}
	return found;
}

const struct cat_product *
cat_clash(const struct catalogue *a, const struct catalogue *b)
{
	for (uint32_t i = 0; i < a->n_products; i++) {
		for (uint32_t k = 0; k < b->n_products; k++) {
			const struct cat_product *p = &a->products[i];
			const struct cat_product *q = &b->products[k];

			if (memcmp(p->id, q->id, PRODUCT_LEN) == 0 ||
			    memcmp(p->setup_key, q->setup_key, CAT_KEY_LEN) ==
			        0)
				return p;
		}
	}
	return NULL;
}

const struct cat_issuer *
cat_issuer(const struct catalogue *cat, uint32_t number)
{
	const struct cat_issuer *found = NULL;

	for (uint32_t i = 0; i < cat->n_issuers && found == NULL; i++) {
		if (cat->issuers[i].number == number)
			found = &cat->issuers[i];
	}
	return found;
}

bool
cat_revocation_hits(const struct cat_revocation *rev, uint32_t key_number,
    uint8_t slot, uint8_t activation, uint32_t lease_day)
{
	bool same = rev->slot == 0 ||
	    (rev->slot == slot &&
	        (rev->activation == 0 || rev->activation == activation));

	return rev->key_number == key_number && same && lease_day >= rev->day;
}
