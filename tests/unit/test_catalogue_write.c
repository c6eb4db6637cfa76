/* SPDX-License-Identifier: MIT */
#include <stdlib.h>

#include "catalogue_fixture.h"

#define MAXIMAL_LEN 179004

static struct catalogue copy;
static uint8_t again[CAT_FILE_MAX];
static uint64_t seed;

/* splitmix64 */
static uint64_t
next(void)
{
	uint64_t z = (seed += 0x9e3779b97f4a7c15U);

	z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9U;
	z = (z ^ (z >> 27)) * 0x94d049bb133111ebU;
	return z ^ (z >> 31);
}

static void
random_text(char *out, size_t min, size_t max)
{
	static const char *const pieces[] = {"a", "Z", " ", "~", "\xc2\xa0",
	    "\xc3\xa9", "\xe2\x82\xac", "\xed\x9f\xbf", "\xef\xbf\xbd",
	    "\xf0\x90\x80\x80", "\xf4\x8f\xbf\xbf"};
	size_t want = min + next() % (max - min + 1), len = 0;

	memset(out, 0, max + 1);
	while (len < want) {
		const char *p = pieces[next() % 11];

		if (len + strlen(p) > max)
			p = "x";
		memcpy(out + len, p, strlen(p));
		len += strlen(p);
	}
}

/* Ascending items of every kind. */
static void
random_catalogue(struct catalogue *c, uint32_t products, uint32_t revocations)
{
	memset(c, 0, sizeof(*c));
	memcpy(c->head.root_pk, root_pk, PUBKEY_LEN);
	random_text(c->head.name, 1, CAT_NAME_MAX);
	random_text(c->head.url, 0, CAT_URL_MAX);
	random_text(c->head.contact, 0, CAT_CONTACT_MAX);
	c->head.serial = (uint32_t)next();
	c->head.signed_unix_s = (int64_t)(next() % 253402300800U);
	c->head.audit_number = next();
	c->n_issuers = (uint32_t)(next() % (CAT_ISSUERS_MAX + 1));
	c->n_groups = 1 + (uint32_t)(next() % CAT_GROUPS_MAX);
	c->n_products = products;
	c->n_revocations = revocations;
	for (uint32_t i = 0; i < c->n_issuers; i++) {
		c->issuers[i].number = 1 + i * 8 + (uint32_t)(next() % 7);
		memcpy(c->issuers[i].pk, issuer_pk, PUBKEY_LEN);
		c->issuers[i].not_before_day = (uint32_t)(next() % 20000);
		c->issuers[i].not_after_day =
		    20000 + (uint32_t)(next() % 20000);
	}
	for (uint32_t i = 0; i < c->n_groups; i++) {
		c->groups[i].number = i << 26 | (uint32_t)(next() % 1000);
		random_text(c->groups[i].name, 1, CAT_NAME_MAX);
	}
	for (uint32_t i = 0; i < products; i++) {
		struct cat_product *p = &c->products[i];
		struct hostkey key;

		*p = product_of((uint8_t)next(),
		    c->groups[next() % c->n_groups].number);
		p->id[0] = (uint8_t)(i >> 8);
		p->id[1] = (uint8_t)i;
		hostkey_setup(p->id, &key);
		hostkey_pack(&key, p->setup_key);
		random_text(p->name, 1, CAT_NAME_MAX);
		p->class = next() % 2 == 0 ? CAT_DESKTOP : CAT_SERVER;
		p->threshold = 1 + (uint32_t)(next() % CAT_THRESHOLD_MAX);
		p->line = next() % 8;
		p->level = (uint8_t)(1 + next() % 255);
		p->validity_days = 1 + (uint32_t)(next() % 3660);
		p->initial_grace_days = (uint32_t)(next() % 366);
		p->lapse_grace_days = (uint32_t)(next() % 366);
		p->rearms = (uint32_t)next();
	}
	for (uint32_t i = 0; i < revocations; i++) {
		c->revocations[i].key_number = i / 2;
		c->revocations[i].slot = (uint8_t)(1 + (i % 2) * 100);
		c->revocations[i].activation = (uint8_t)next();
		c->revocations[i].day = (uint16_t)next();
	}
}

#define SHUFFLE(array, n)                                                 \
	do {                                                              \
		for (uint32_t k_ = (n); k_ > 1; k_--) {                   \
			uint32_t j_ = (uint32_t)(next() % k_);            \
			memcpy(&tmp, &(array)[j_], sizeof(*(array)));     \
			memcpy(&(array)[j_], &(array)[k_ - 1],            \
			    sizeof(*(array)));                            \
			memcpy(&(array)[k_ - 1], &tmp, sizeof(*(array))); \
		}                                                         \
	} while (0)

static void
shuffle(struct catalogue *c)
{
	struct cat_product tmp;

	SHUFFLE(c->issuers, c->n_issuers);
	SHUFFLE(c->groups, c->n_groups);
	SHUFFLE(c->products, c->n_products);
	SHUFFLE(c->revocations, c->n_revocations);
}

/* Two zeroed and field-wise equal catalogues; padding does not count. */
static unsigned
differences(const struct catalogue *a, const struct catalogue *b)
{
	unsigned n = 0;

	n += a->n_issuers != b->n_issuers || a->n_groups != b->n_groups ||
	    a->n_products != b->n_products ||
	    a->n_revocations != b->n_revocations;
	n += strcmp(a->head.name, b->head.name) != 0 ||
	    strcmp(a->head.url, b->head.url) != 0 ||
	    strcmp(a->head.contact, b->head.contact) != 0 ||
	    a->head.serial != b->head.serial ||
	    a->head.signed_unix_s != b->head.signed_unix_s ||
	    a->head.audit_number != b->head.audit_number;
	n += memcmp(a->head.root_pk, b->head.root_pk, PUBKEY_LEN) != 0;
	n += memcmp(a->head.audit_hash, b->head.audit_hash, HASH_LEN) != 0;
	n += memcmp(a->issuers, b->issuers, sizeof(a->issuers)) != 0;
	for (uint32_t i = 0; i < CAT_GROUPS_MAX; i++)
		n += a->groups[i].number != b->groups[i].number ||
		    strcmp(a->groups[i].name, b->groups[i].name) != 0;
	for (uint32_t i = 0; i < CAT_PRODUCTS_MAX; i++) {
		const struct cat_product *p = &a->products[i];
		const struct cat_product *q = &b->products[i];

		n += memcmp(p->id, q->id, PRODUCT_LEN) != 0 ||
		    memcmp(p->setup_key, q->setup_key, CAT_KEY_LEN) != 0 ||
		    strcmp(p->name, q->name) != 0 || p->group != q->group ||
		    p->class != q->class || p->threshold != q->threshold ||
		    p->line != q->line || p->level != q->level ||
		    p->validity_days != q->validity_days ||
		    p->initial_grace_days != q->initial_grace_days ||
		    p->lapse_grace_days != q->lapse_grace_days ||
		    p->rearms != q->rearms;
	}
	n +=
	    memcmp(a->revocations, b->revocations, sizeof(a->revocations)) != 0;
	return n;
}

static void
test_catalogue_round_trips(void)
{
	for (unsigned i = 0; i < 40; i++) {
		uint32_t products = (uint32_t)(next() % (1U << i % 11));
		uint32_t revs = (uint32_t)(next() % (1U << i % 13));
		size_t len = 0, n = 0;

		random_catalogue(&copy, products, revs);
		cat = copy;
		shuffle(&cat);
		is(cat_encode(&cat, root_sk, buf, CAT_FILE_MAX, &len), 0);
		is(load(buf, len), 0);
		is(differences(&copy, &got), 0);
		is(cat_encode(&got, root_sk, again, len, &n), 0);
		ok(n == len && memcmp(buf, again, len) == 0);
	}
}

static void
test_catalogue_encode_leaves_its_input(void)
{
	static struct catalogue before;
	size_t len = 0;

	random_catalogue(&cat, 300, 300);
	shuffle(&cat);
	memcpy(&before, &cat, sizeof(cat));
	is(cat_encode(&cat, root_sk, buf, CAT_FILE_MAX, &len), 0);
	ok(memcmp(&before, &cat, sizeof(cat)) == 0);
}

/* Any one byte of a signed body: refused, or what is read encodes alike. */
static void
test_catalogue_has_one_encoding(void)
{
	unsigned wrong = 0, good = 0;

	random_catalogue(&copy, 3, 3);
	for (unsigned i = 0; i < 1500; i++) {
		size_t len = 0, n = 0, at;

		if (cat_encode(&copy, root_sk, buf, CAT_FILE_MAX, &len) != 0)
			wrong++;
		at = 48 + next() % (len - 48 - SIG_LEN);
		buf[at] = (uint8_t)next();
		sign_again(buf, len);
		if (load(buf, len) != 0)
			continue;
		good++;
		wrong +=
		    cat_encode(&got, root_sk, again, CAT_FILE_MAX, &n) != 0;
		wrong += n != len || memcmp(buf, again, len) != 0;
	}
	is(wrong, 0);
	ok(good > 50 && good < 1450);
}

static void
fill(char *text, size_t n)
{
	memset(text, 'n', n);
	text[n] = '\0';
}

static void
maximal(struct catalogue *c)
{
	random_catalogue(c, CAT_PRODUCTS_MAX, CAT_REVOCATIONS_MAX);
	fill(c->head.name, CAT_NAME_MAX);
	fill(c->head.url, CAT_URL_MAX);
	fill(c->head.contact, CAT_CONTACT_MAX);
	c->n_issuers = CAT_ISSUERS_MAX;
	for (uint32_t i = 0; i < CAT_ISSUERS_MAX; i++) {
		c->issuers[i].number = i + 224;
		memcpy(c->issuers[i].pk, issuer_pk, PUBKEY_LEN);
	}
	c->n_groups = CAT_GROUPS_MAX;
	for (uint32_t i = 0; i < CAT_GROUPS_MAX; i++) {
		c->groups[i].number = i;
		fill(c->groups[i].name, CAT_NAME_MAX);
	}
	for (uint32_t i = 0; i < CAT_PRODUCTS_MAX; i++) {
		c->products[i].group = i % CAT_GROUPS_MAX;
		fill(c->products[i].name, CAT_NAME_MAX);
	}
	for (uint32_t i = 0; i < CAT_ISSUERS_MAX; i++)
		c->issuers[i].not_after_day = 40000;
}

static void
test_catalogue_limits(void)
{
	static uint8_t huge[CAT_FILE_MAX + 1];
	size_t len = 0;

	_Static_assert(MAXIMAL_LEN <= CAT_FILE_MAX, "a maximum fits");
	maximal(&cat);
	is(cat_encode(&cat, root_sk, buf, MAXIMAL_LEN - 1, &len),
	    MUSTER_E_TOOBIG);
	is(len, 0);
	is(cat_encode(&cat, root_sk, buf, MAXIMAL_LEN, &len), 0);
	is(len, MAXIMAL_LEN);
	is(load(buf, len), 0);
	is(differences(&cat, &got), 0);
	cat.n_issuers++;
	is(cat_encode(&cat, root_sk, buf, sizeof(buf), &len), MUSTER_E_TOOBIG);
	cat.n_issuers--;
	cat.n_groups++;
	is(cat_encode(&cat, root_sk, buf, sizeof(buf), &len), MUSTER_E_TOOBIG);
	cat.n_groups--;
	cat.n_products++;
	is(cat_encode(&cat, root_sk, buf, sizeof(buf), &len), MUSTER_E_TOOBIG);
	cat.n_products--;
	cat.n_revocations++;
	is(cat_encode(&cat, root_sk, buf, sizeof(buf), &len), MUSTER_E_TOOBIG);
	is(load(huge, CAT_FILE_MAX + 1), MUSTER_E_TOOBIG);
	is(load(huge, CAT_FILE_MAX), MUSTER_E_PROTO);
}

static int
encode(void)
{
	size_t len = 0;
	int err;

	memset(buf, 0xff, SIG_LEN + 8192);
	err = cat_encode(&cat, root_sk, buf, CAT_FILE_MAX, &len);
	if (err != 0) {
		/* Nothing signed is left behind. */
		is(buf[0] == 'M', 0);
		is(len, 0);
	}
	return err;
}

static void
test_catalogue_encode_refuses_duplicates(void)
{
	small(&cat);
	is(encode(), 0);
	cat.products[0] = cat.products[1];
	is(encode(), MUSTER_E_RANGE);
	small(&cat);
	cat.issuers[0].number = 2;
	is(encode(), MUSTER_E_RANGE);
	small(&cat);
	cat.groups[0].number = 11;
	cat.products[0].group = 11;
	is(encode(), MUSTER_E_RANGE);
	small(&cat);
	cat.revocations[0] = cat.revocations[1];
	is(encode(), MUSTER_E_RANGE);
	/* Two setup keys alike: one is not its product's. */
	small(&cat);
	memcpy(cat.products[1].setup_key, cat.products[0].setup_key,
	    CAT_KEY_LEN);
	is(encode(), MUSTER_E_RANGE);
}

static void
test_catalogue_encode_refuses_host_keys(void)
{
	struct hostkey key;

	small(&cat);
	is(hostkey_unpack(cat.products[0].setup_key, &key), 0);
	key.kind = HOSTKEY_HOST;
	hostkey_pack(&key, cat.products[0].setup_key);
	is(encode(), MUSTER_E_RANGE);
}

static void
test_catalogue_encode_refuses_ranges(void)
{
	small(&cat);
	cat.products[0].threshold = 0;
	is(encode(), MUSTER_E_RANGE);
	small(&cat);
	cat.products[1].line = 8;
	is(encode(), MUSTER_E_RANGE);
	small(&cat);
	cat.products[1].group = 12;
	is(encode(), MUSTER_E_RANGE);
	small(&cat);
	cat.head.name[0] = '\0';
	is(encode(), MUSTER_E_RANGE);
	small(&cat);
	memset(cat.head.name, 'n', sizeof(cat.head.name));
	is(encode(), MUSTER_E_RANGE);
	small(&cat);
	memset(cat.head.contact, 'n', sizeof(cat.head.contact));
	is(encode(), MUSTER_E_RANGE);
	small(&cat);
	memset(cat.products[0].name, 'n', sizeof(cat.products[0].name));
	is(encode(), MUSTER_E_RANGE);
	small(&cat);
	cat.head.signed_unix_s = -1;
	is(encode(), MUSTER_E_RANGE);
	small(&cat);
	memset(cat.issuers[0].pk, 0, PUBKEY_LEN);
	is(encode(), MUSTER_E_KEY);
	small(&cat);
	memcpy(cat.head.root_pk, issuer_pk, PUBKEY_LEN);
	is(encode(), MUSTER_E_SIG);
}

static void
test_catalogue_encode_small_buffers(void)
{
	size_t len = 0;

	small(&cat);
	for (size_t cap = 0; cap < 488; cap++)
		is(cat_encode(&cat, root_sk, buf, cap, &len), MUSTER_E_TOOBIG);
	is(len, 0);
	is(cat_encode(&cat, root_sk, buf, 488, &len), 0);
}

int
main(void)
{
	const char *text = getenv("MUSTER_SEED");

	seed = text != NULL ? strtoull(text, NULL, 0) : 1;
	printf("# MUSTER_SEED=%llu\n", (unsigned long long)seed);
	if (fixture_keys() != 0)
		return 1;
	test_catalogue_round_trips();
	test_catalogue_encode_leaves_its_input();
	test_catalogue_has_one_encoding();
	test_catalogue_limits();
	test_catalogue_encode_refuses_duplicates();
	test_catalogue_encode_refuses_host_keys();
	test_catalogue_encode_refuses_ranges();
	test_catalogue_encode_small_buffers();
	return tap_done();
}
