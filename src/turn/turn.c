/* SPDX-License-Identifier: MIT */
#include "turn/turn.h"

#include <assert.h>
#include <string.h>

static bool
is_zero(const uint8_t *p, size_t len)
{
	uint8_t any = 0;

	for (size_t i = 0; i < len; i++)
		any |= p[i];
	return any == 0;
}

enum wire_status
turn_judge(const struct turn_host *host, int64_t now_unix_s,
    struct turn_item *item)
{
	const struct cat_product *product = NULL;
	const struct turn_publisher *pub = NULL;
	int64_t diff_s;
	uint32_t i;

	for (i = 0; i < host->n_publishers && product == NULL; i++) {
		pub = &host->publishers[i];
		product = cat_product(pub->catalogue, item->args.product);
	}
	if (product == NULL)
		return WIRE_UNKNOWN_PRODUCT;
	if (!pub->has_cert || !cert_in_date(&pub->cert, now_unix_s))
		return WIRE_HOST_NOT_ACTIVATED;
	if (!cert_covers(&pub->cert, product->line, product->level))
		return WIRE_NOT_COVERED;
	/* the client's time is any 64 bits: compare before subtracting */
	if (item->args.time_unix_s < 0 ||
	    item->args.time_unix_s > INT64_MAX / 2)
		return WIRE_CLOCK;
	diff_s = item->args.time_unix_s - now_unix_s;
	if (diff_s > TURN_CLOCK_S || diff_s < -TURN_CLOCK_S)
		return WIRE_CLOCK;

	item->publisher = i - 1;
	memcpy(item->publisher_id, pub->id, PUBLISHER_LEN);
	memcpy(item->cert_hash, pub->cert_hash, HASH_LEN);
	item->group = product->group;
	item->threshold = product->threshold;
	item->is_probe = is_zero(item->args.cmid, WIRE_ID_LEN);
	item->grant = (struct wire_grant){
	    .count = 0,
	    .issued_unix_s = now_unix_s,
	    .renewal_min = host->renewal_min,
	    .retry_min = host->retry_min,
	    .catalogue = pub->catalogue->head.serial,
	};
	return WIRE_OK;
}

void
turn_cover(const struct turn_host *host, const uint8_t *publisher,
    int64_t now_unix_s, struct wire_cover *cover_out)
{
	memset(cover_out, 0, sizeof(*cover_out));
	cover_out->status = WIRE_UNKNOWN_PRODUCT;
	for (uint32_t i = 0; i < host->n_publishers; i++) {
		const struct turn_publisher *pub = &host->publishers[i];

		if (memcmp(pub->id, publisher, PUBLISHER_LEN) != 0)
			continue;
		cover_out->status = WIRE_HOST_NOT_ACTIVATED;
		if (!pub->has_cert || !cert_in_date(&pub->cert, now_unix_s))
			return;
		cover_out->status = WIRE_OK;
		cover_out->host_unix_s = now_unix_s;
		cover_out->catalogue = pub->catalogue->head.serial;
		memcpy(cover_out->certificate, pub->cert_bytes, CERT_LEN);
		return;
	}
}

static void
supersede(struct turn_chain *chain)
{
	memcpy(chain->superseded[chain->next_superseded], chain->newest,
	    WIRE_TAG_LEN);
	chain->next_superseded =
	    (uint8_t)((chain->next_superseded + 1) % TURN_SUPERSEDED_MAX);
	if (chain->n_superseded < TURN_SUPERSEDED_MAX)
		chain->n_superseded++;
}

bool
turn_chain_step(struct turn_chain *chain, const uint8_t *previous,
    const uint8_t *leaf)
{
	bool is_first = is_zero(chain->newest, WIRE_TAG_LEN);
	bool is_clone = false;

	if (!is_first && memcmp(previous, chain->newest, WIRE_TAG_LEN) != 0) {
		/* the base: a lost reply, and no sign of a second machine */
		if (memcmp(previous, chain->base, WIRE_TAG_LEN) != 0) {
			for (uint8_t i = 0; i < chain->n_superseded; i++)
				is_clone |=
				    memcmp(previous, chain->superseded[i],
				        WIRE_TAG_LEN) == 0;
		}
		supersede(chain);
	}
	memcpy(chain->base, previous, WIRE_TAG_LEN);
	memcpy(chain->newest, leaf, WIRE_TAG_LEN);
	return is_clone;
}

int
turn_apply(struct turn_item *item, struct count *count,
    struct turn_chain *chain, uint64_t seq)
{
	struct count_row row = {
	    .seq = seq,
	    .seen_unix_s = item->grant.issued_unix_s,
	};
	int err = 0;

	item->is_clone = false;
	if (item->is_probe) {
		item->grant.count =
		    count_value(count, item->grant.issued_unix_s);
	} else {
		memcpy(row.cmid, item->args.cmid, COUNT_CMID_LEN);
		err = count_touch(count, &row, &item->grant.count);
	}
	if (err != 0)
		return err;
	lease_leaf(item->publisher_id, item->cert_hash, item->raw,
	    item->raw_len, &item->grant, item->leaf);
	if (!item->is_probe)
		item->is_clone =
		    turn_chain_step(chain, item->args.previous, item->leaf);
	return 0;
}

static void
fill(const struct turn_host *host, const struct turn_item *item, bool shares,
    const uint8_t *sig, const struct wire_place *place, struct wire_result *res)
{
	memset(res, 0, sizeof(*res));
	res->status = WIRE_OK;
	res->grant = item->grant;
	memcpy(res->signature, sig, WIRE_SIG_LEN);
	res->form = shares ? 1 : 0;
	if (shares)
		res->place = *place;
	else
		memcpy(res->certificate,
		    host->publishers[item->publisher].cert_bytes, CERT_LEN);
}

/* Items from `first` on that may share a signature with it, itself included. */
static size_t
gather(const struct turn_item *items, size_t n, size_t first,
    const bool *is_done, size_t *picked)
{
	size_t n_picked = 0;

	for (size_t i = first; i < n && n_picked < LEASE_TREE_MAX; i++) {
		const struct turn_item *it = &items[i];

		if (is_done[i] || it->publisher != items[first].publisher)
			continue;
		if (memcmp(it->args.known_host, it->cert_hash, WIRE_TAG_LEN) !=
		    0)
			continue;
		picked[n_picked++] = i;
	}
	return n_picked;
}

void
turn_sign(const struct turn_host *host, const struct turn_item *items, size_t n,
    struct wire_result *results)
{
	bool is_done[TURN_MAX] = {false};
	uint8_t leaves[LEASE_TREE_MAX][HASH_LEN];
	struct wire_place places[LEASE_TREE_MAX];
	uint8_t sig[SIG_LEN];

	assert(n >= 1 && n <= TURN_MAX);
	for (size_t i = 0; i < n; i++) {
		size_t picked[LEASE_TREE_MAX];
		size_t n_picked;
		bool shares;

		if (is_done[i])
			continue;
		shares = memcmp(items[i].args.known_host, items[i].cert_hash,
		             WIRE_TAG_LEN) == 0;
		picked[0] = i;
		n_picked = shares ? gather(items, n, i, is_done, picked) : 1;
		for (size_t k = 0; k < n_picked; k++)
			memcpy(leaves[k], items[picked[k]].leaf, HASH_LEN);
		lease_sign(host->publishers[items[i].publisher].host_sk,
		    (const uint8_t(*)[HASH_LEN])leaves, n_picked, sig, places);
		for (size_t k = 0; k < n_picked; k++) {
			fill(host, &items[picked[k]], shares, sig, &places[k],
			    &results[picked[k]]);
			is_done[picked[k]] = true;
		}
	}
}
