/* SPDX-License-Identifier: MIT */
#include "trust/lease.h"

#include <string.h>

#include "base/cursor.h"

#define GRANT_LEN 24
#define MAGIC_LEN 8
#define DAY_S INT64_C(86400)

static void
write_grant(struct wr *w, const struct wire_grant *grant)
{
	wr_u32(w, grant->count);
	wr_i64(w, grant->issued_unix_s);
	wr_u32(w, grant->renewal_min);
	wr_u32(w, grant->retry_min);
	wr_u32(w, grant->catalogue);
}

void
lease_leaf(const uint8_t *publisher, const uint8_t *cert_hash,
    const uint8_t *args, size_t args_len, const struct wire_grant *grant,
    uint8_t *leaf_out)
{
	uint8_t tail[GRANT_LEN];
	struct wr w = wr_init(tail, sizeof(tail));
	const struct bytes parts[] = {
	    {.p = publisher, .len = PUBLISHER_LEN},
	    {.p = cert_hash, .len = HASH_LEN},
	    {.p = args, .len = args_len},
	    {.p = tail, .len = sizeof(tail)},
	};

	write_grant(&w, grant);
	assert(w.err == 0 && w.len == GRANT_LEN);
	label_hash(LABEL_LEASE, parts, 4, leaf_out);
}

static void
node(const uint8_t *left, const uint8_t *right, uint8_t *out)
{
	const struct bytes parts[] = {
	    {.p = left, .len = HASH_LEN},
	    {.p = right, .len = HASH_LEN},
	};

	label_hash(LABEL_NODE, parts, 2, out);
}

int
lease_root(const uint8_t *leaf, const struct wire_place *place,
    uint8_t *root_out)
{
	uint8_t now[HASH_LEN];

	if (place->n_path > WIRE_PATH_MAX ||
	    place->index >= 1U << place->n_path)
		return MUSTER_E_RANGE;
	memcpy(now, leaf, HASH_LEN);
	for (uint32_t k = 0; k < place->n_path; k++) {
		if ((place->index >> k & 1) == 0)
			node(now, place->path[k], now);
		else
			node(place->path[k], now, now);
	}
	memcpy(root_out, now, HASH_LEN);
	return 0;
}

static void
root_text(const uint8_t *root, uint8_t *text_out)
{
	static const uint8_t label[LABEL_LEN] = LABEL_ROOT;

	memcpy(text_out, label, LABEL_LEN);
	memcpy(text_out + LABEL_LEN, root, HASH_LEN);
}

void
lease_sign(const uint8_t *host_sk, const uint8_t leaves[][HASH_LEN], size_t n,
    uint8_t *sig_out, struct wire_place *places_out)
{
	uint8_t level[LEASE_TREE_MAX][HASH_LEN] = {{0}};
	uint8_t text[LABEL_LEN + HASH_LEN];
	uint32_t depth = 0;

	assert(n >= 1 && n <= LEASE_TREE_MAX);
	while ((size_t)1 << depth < n)
		depth++;
	for (size_t i = 0; i < n; i++) {
		memcpy(level[i], leaves[i], HASH_LEN);
		memset(&places_out[i], 0, sizeof(places_out[i]));
		places_out[i].index = (uint32_t)i;
		places_out[i].n_path = depth;
	}
	for (uint32_t k = 0; k < depth; k++) {
		for (size_t i = 0; i < n; i++)
			memcpy(places_out[i].path[k], level[(i >> k) ^ 1],
			    HASH_LEN);
		for (size_t i = 0; i < (size_t)1 << (depth - k - 1); i++)
			node(level[2 * i], level[2 * i + 1], level[i]);
	}
	root_text(level[0], text);
	label_sign(host_sk, text, sizeof(text), sig_out);
}

int
lease_encode(const struct lease *lease, uint8_t *buf, size_t cap,
    size_t *len_out)
{
	struct wr w = wr_init(buf, cap);

	if (lease->args_len > WIRE_ARGS_MAX ||
	    lease->place.n_path > WIRE_PATH_MAX ||
	    lease->place.index >= 1U << lease->place.n_path)
		return MUSTER_E_RANGE;
	wr_bytes(&w, LEASE_MAGIC, MAGIC_LEN);
	wr_u32(&w, LEASE_VERSION);
	wr_opaque(&w, lease->args, lease->args_len);
	write_grant(&w, &lease->grant);
	wr_bytes(&w, lease->signature, SIG_LEN);
	wr_u32(&w, lease->place.index);
	wr_u32(&w, lease->place.n_path);
	for (uint32_t i = 0; i < lease->place.n_path; i++)
		wr_bytes(&w, lease->place.path[i], HASH_LEN);
	wr_bytes(&w, lease->certificate, CERT_LEN);
	return wr_end(&w, len_out);
}

int
lease_decode(const uint8_t *p, size_t len, struct lease *lease_out)
{
	struct rd r = rd_init(p, len);
	struct lease lease;
	struct bytes args;
	uint8_t magic[MAGIC_LEN];
	uint32_t version;
	int err;

	memset(&lease, 0, sizeof(lease));
	rd_fixed(&r, magic, MAGIC_LEN);
	version = rd_u32(&r);
	if (r.err == 0 &&
	    (memcmp(magic, LEASE_MAGIC, MAGIC_LEN) != 0 ||
	        version != LEASE_VERSION))
		rd_fail(&r, MUSTER_E_PROTO);
	args = rd_opaque(&r, WIRE_ARGS_MAX);
	lease.grant.count = rd_u32(&r);
	lease.grant.issued_unix_s = rd_i64(&r);
	lease.grant.renewal_min = rd_u32(&r);
	lease.grant.retry_min = rd_u32(&r);
	lease.grant.catalogue = rd_u32(&r);
	rd_fixed(&r, lease.signature, SIG_LEN);
	lease.place.index = rd_u32(&r);
	lease.place.n_path = rd_u32(&r);
	if (r.err == 0 &&
	    (lease.place.n_path > WIRE_PATH_MAX ||
	        lease.place.index >= 1U << lease.place.n_path))
		rd_fail(&r, MUSTER_E_RANGE);
	for (uint32_t i = 0; r.err == 0 && i < lease.place.n_path; i++)
		rd_fixed(&r, lease.place.path[i], HASH_LEN);
	rd_fixed(&r, lease.certificate, CERT_LEN);
	err = rd_end(&r);
	if (err != 0)
		return err;
	memcpy(lease.args, args.p, args.len);
	lease.args_len = args.len;
	*lease_out = lease;
	return 0;
}

int
lease_facts(const struct lease *lease, const struct catalogue *cat,
    struct lease_facts *facts_out)
{
	const struct cat_product *product;
	const struct cat_issuer *issuer;
	struct wire_args args;
	struct cert cert;
	uint32_t day = (uint32_t)(lease->grant.issued_unix_s / DAY_S);
	int err;

	err = cert_decode(lease->certificate, &cert);
	if (err != 0)
		return err;
	err = wire_args_decode(lease->args, lease->args_len, &args);
	if (err != 0)
		return err;

	memset(facts_out, 0, sizeof(*facts_out));
	memcpy(facts_out->publisher, cat->head.publisher, PUBLISHER_LEN);
	facts_out->serial = cat->head.serial;
	facts_out->signed_unix_s = cat->head.signed_unix_s;
	issuer = cat_issuer(cat, cert.issuer);
	facts_out->has_issuer = issuer != NULL;
	if (issuer != NULL)
		facts_out->issuer = *issuer;
	product = cat_product(cat, args.product);
	facts_out->has_product = product != NULL;
	if (product != NULL)
		facts_out->product = *product;
	for (uint32_t i = 0; i < cat->n_revocations; i++)
		facts_out->is_revoked |=
		    cat_revocation_hits(&cat->revocations[i], cert.key_number,
		        cert.slot, cert.activation, day);
	return 0;
}

/* The content alone, whoever signed it. */
static int
judge_content(const struct lease *lease, unsigned flags, struct cert *cert,
    struct wire_args *args)
{
	static const uint8_t zero[WIRE_ID_LEN];
	const struct wire_grant *grant = &lease->grant;
	int err;

	err = cert_decode(lease->certificate, cert);
	if (err != 0)
		return err;
	err = wire_args_decode(lease->args, lease->args_len, args);
	if (err != 0)
		return err;
	if ((flags & LEASE_PROBE) == 0 &&
	    memcmp(args->cmid, zero, WIRE_ID_LEN) == 0)
		return MUSTER_E_INVAL;
	if (grant->renewal_min < WIRE_INTERVAL_MIN ||
	    grant->renewal_min > WIRE_INTERVAL_MAX ||
	    grant->retry_min < WIRE_INTERVAL_MIN ||
	    grant->retry_min > WIRE_INTERVAL_MAX)
		return MUSTER_E_RANGE;
	/* a negative time, or one whose days overflow, was never issued */
	if (grant->issued_unix_s < 0 ||
	    grant->issued_unix_s / DAY_S > UINT32_MAX)
		return MUSTER_E_RANGE;
	return 0;
}

/* Publisher's issuing key -> host certificate -> this very reply. */
static int
judge_chain(const struct lease *lease, const struct lease_facts *facts,
    const struct cert *cert)
{
	uint8_t hash[HASH_LEN], leaf[HASH_LEN], root[HASH_LEN];
	uint8_t text[LABEL_LEN + HASH_LEN];
	int err;

	if (!facts->has_issuer || facts->issuer.number != cert->issuer)
		return MUSTER_E_ISSUER;
	err = cert_verify(cert, facts->publisher, facts->issuer.pk);
	if (err != 0)
		return err;
	cert_hash(lease->certificate, hash);
	lease_leaf(facts->publisher, hash, lease->args, lease->args_len,
	    &lease->grant, leaf);
	err = lease_root(leaf, &lease->place, root);
	if (err != 0)
		return err;
	root_text(root, text);
	return label_verify(cert->host_pk, text, sizeof(text),
	    lease->signature);
}

int
lease_judge(const struct lease *lease, const struct lease_facts *facts,
    const uint8_t *machine, int64_t now_unix_s, unsigned flags)
{
	const struct cat_product *product = &facts->product;
	int64_t issued = lease->grant.issued_unix_s;
	struct wire_args args;
	struct cert cert;
	int err;

	err = judge_content(lease, flags, &cert, &args);
	if (err != 0)
		return err;
	if (!facts->has_product ||
	    memcmp(product->id, args.product, PRODUCT_LEN) != 0)
		return MUSTER_E_PRODUCT;
	err = judge_chain(lease, facts, &cert);
	if (err != 0)
		return err;
	if (cert.issued_day < facts->issuer.not_before_day ||
	    cert.issued_day > facts->issuer.not_after_day)
		return MUSTER_E_ISSUED;
	if (facts->is_revoked)
		return MUSTER_E_REVOKED;
	if (!cert_in_date(&cert, issued))
		return MUSTER_E_ISSUED;
	if (!cert_covers(&cert, product->line, product->level))
		return MUSTER_E_LEVEL;
	if ((flags & LEASE_ANY_COUNT) == 0 &&
	    lease->grant.count < product->threshold)
		return MUSTER_E_COUNT;
	if (now_unix_s < issued - LEASE_CLOCK_S)
		return MUSTER_E_CLOCK;
	if ((flags & LEASE_ANY_MACHINE) == 0 &&
	    memcmp(machine, args.machine, WIRE_ID_LEN) != 0)
		return MUSTER_E_MACHINE;
	if (now_unix_s > issued + (int64_t)product->validity_days * DAY_S)
		return MUSTER_E_EXPIRED;
	return 0;
}
