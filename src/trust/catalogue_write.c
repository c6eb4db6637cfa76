/* SPDX-License-Identifier: MIT */
/*
 * The writer knows the layout and the order; the rules are the reader's: what
 * was written is read again before it is given out, so the two cannot differ.
 */
#include "trust/catalogue.h"

#define BODY_LEN_OFF 12

/* Does item a of a list come before item b? */
static bool
issuer_before(const struct catalogue *cat, uint16_t a, uint16_t b)
{
	return cat->issuers[a].number < cat->issuers[b].number;
}

static bool
group_before(const struct catalogue *cat, uint16_t a, uint16_t b)
{
	return cat->groups[a].number < cat->groups[b].number;
}

static bool
product_before(const struct catalogue *cat, uint16_t a, uint16_t b)
{
	const struct cat_product *p = cat->products;

	return memcmp(p[a].id, p[b].id, PRODUCT_LEN) < 0;
}

static uint64_t
revocation_value(const struct cat_revocation *rev)
{
	return (uint64_t)rev->key_number << 32 | (uint64_t)rev->slot << 24 |
	    (uint64_t)rev->activation << 16 | rev->day;
}

static bool
revocation_before(const struct catalogue *cat, uint16_t a, uint16_t b)
{
	const struct cat_revocation *rev = cat->revocations;

	return revocation_value(&rev[a]) < revocation_value(&rev[b]);
}

static void
swap(uint16_t *a, uint16_t *b)
{
	uint16_t t = *a;

	*a = *b;
	*b = t;
}

/* Heap sort of the numbers 0 to n - 1: qsort() may allocate. */
static void
sort_index(const struct catalogue *cat, uint16_t *index, uint32_t n,
    bool (*before)(const struct catalogue *, uint16_t, uint16_t))
{
	uint32_t start = n / 2, end = n;

	for (uint32_t i = 0; i < n; i++)
		index[i] = (uint16_t)i;
	while (end > 1) {
		uint32_t at, child;

		if (start > 0)
			start--;
		else
			swap(&index[0], &index[--end]);
		for (at = start; (child = 2 * at + 1) < end; at = child) {
			if (child + 1 < end &&
			    before(cat, index[child], index[child + 1]))
				child++;
			if (!before(cat, index[at], index[child]))
				break;
			swap(&index[at], &index[child]);
		}
	}
}

static void
wr_text(struct wr *w, const char *text, size_t max)
{
	size_t len = strnlen(text, max + 1);

	if (w->err == 0 && len > max)
		w->err = MUSTER_E_RANGE;
	wr_opaque(w, text, len);
}

static void
write_keys(struct wr *w, const struct catalogue *cat, uint16_t *index)
{
	sort_index(cat, index, cat->n_issuers, issuer_before);
	wr_u32(w, cat->n_issuers);
	for (uint32_t i = 0; i < cat->n_issuers; i++) {
		const struct cat_issuer *issuer = &cat->issuers[index[i]];

		wr_u32(w, issuer->number);
		wr_bytes(w, issuer->pk, PUBKEY_LEN);
		wr_u32(w, issuer->not_before_day);
		wr_u32(w, issuer->not_after_day);
	}
	sort_index(cat, index, cat->n_groups, group_before);
	wr_u32(w, cat->n_groups);
	for (uint32_t i = 0; i < cat->n_groups; i++) {
		const struct cat_group *group = &cat->groups[index[i]];

		wr_u32(w, group->number);
		wr_text(w, group->name, CAT_NAME_MAX);
	}
}

static void
write_products(struct wr *w, const struct catalogue *cat, uint16_t *index)
{
	sort_index(cat, index, cat->n_products, product_before);
	wr_u32(w, cat->n_products);
	for (uint32_t i = 0; i < cat->n_products; i++) {
		const struct cat_product *p = &cat->products[index[i]];

		wr_bytes(w, p->id, PRODUCT_LEN);
		wr_text(w, p->name, CAT_NAME_MAX);
		wr_u32(w, p->group);
		wr_u32(w, (uint32_t)p->class);
		wr_u32(w, p->threshold);
		wr_u32(w, p->line);
		wr_u32(w, p->level);
		wr_u32(w, p->validity_days);
		wr_u32(w, p->initial_grace_days);
		wr_u32(w, p->lapse_grace_days);
		wr_u32(w, p->rearms);
		wr_bytes(w, p->setup_key, CAT_KEY_LEN);
	}
}

static void
write_body(struct wr *w, const struct catalogue *cat)
{
	uint16_t index[CAT_REVOCATIONS_MAX];
	const struct cat_head *head = &cat->head;

	wr_bytes(w, head->root_pk, PUBKEY_LEN);
	wr_text(w, head->name, CAT_NAME_MAX);
	wr_text(w, head->url, CAT_URL_MAX);
	wr_text(w, head->contact, CAT_CONTACT_MAX);
	wr_u32(w, head->serial);
	wr_i64(w, head->signed_unix_s);
	write_keys(w, cat, index);
	write_products(w, cat, index);
	sort_index(cat, index, cat->n_revocations, revocation_before);
	wr_u32(w, cat->n_revocations);
	for (uint32_t i = 0; i < cat->n_revocations; i++)
		wr_u64(w, revocation_value(&cat->revocations[index[i]]));
	wr_u64(w, head->audit_number);
	wr_bytes(w, head->audit_hash, HASH_LEN);
}

static void
write_signature(struct wr *w, const uint8_t *root_pk, const uint8_t *root_sk)
{
	uint8_t text[LABEL_LEN + PUBLISHER_LEN + HASH_LEN] = LABEL_CAT;
	const struct bytes file = {.p = w->start, .len = w->len};
	uint8_t sig[SIG_LEN];

	label_publisher(root_pk, text + LABEL_LEN);
	label_hash(NULL, &file, 1, text + LABEL_LEN + PUBLISHER_LEN);
	label_sign(root_sk, text, sizeof(text), sig);
	wr_bytes(w, sig, sizeof(sig));
}

/* Let the reader judge; what it calls broken is out of range to a writer. */
static int
read_back(const struct wr *w)
{
	const struct bytes mem = {.p = w->start, .len = w->len};
	const struct cat_source src = cat_memory_source(&mem);
	struct cat_head head;
	int err;

	err = cat_read(&src, NULL, NULL, &head);
	if (err == MUSTER_E_PROTO)
		err = MUSTER_E_RANGE;
	return err;
}

int
cat_encode(const struct catalogue *cat, const uint8_t *root_sk, uint8_t *buf,
    size_t cap, size_t *len_out)
{
	struct wr w = wr_init(buf, cap < CAT_FILE_MAX ? cap : CAT_FILE_MAX);
	struct wr len;

	if (cat->n_issuers > CAT_ISSUERS_MAX ||
	    cat->n_groups > CAT_GROUPS_MAX ||
	    cat->n_products > CAT_PRODUCTS_MAX ||
	    cat->n_revocations > CAT_REVOCATIONS_MAX)
		return MUSTER_E_TOOBIG;
	wr_bytes(&w, CAT_MAGIC, 8);
	wr_u32(&w, CAT_VERSION);
	wr_u32(&w, 0);
	write_body(&w, cat);
	if (w.err == 0) {
		len = wr_init(buf + BODY_LEN_OFF, 4);
		wr_u32(&len, (uint32_t)(w.len - CAT_HEADER_LEN));
		write_signature(&w, cat->head.root_pk, root_sk);
	}
	if (w.err == 0)
		w.err = read_back(&w);
	/* A signature of what was refused must not get about. */
	if (w.err != 0)
		memset(buf, 0, w.len);
	return wr_end(&w, len_out);
}
