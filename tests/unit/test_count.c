/* SPDX-License-Identifier: MIT */
#include "count/count.h"

#include <inttypes.h>
#include <stdlib.h>

#include "tap.h"

#define DAY INT64_C(86400)
#define T0 INT64_C(1800000000)

static struct count_row
row(uint32_t who, uint64_t seq, int64_t seen)
{
	struct count_row r = {.seq = seq, .seen_unix_s = seen};

	memcpy(r.cmid, &who, sizeof(who));
	r.cmid[15] = 1;
	return r;
}

static uint32_t
touch(struct count *c, uint32_t who, uint64_t seq, int64_t now)
{
	const struct count_row r = row(who, seq, now);
	uint32_t n = 0;

	is(count_touch(c, &r, &n), 0);
	return n;
}

static void *
fresh(struct count *c, uint32_t slots, uint32_t capacity)
{
	void *mem = malloc(count_memory(slots));

	count_init(c, mem, slots, capacity);
	return mem;
}

/* The guide's example: two desktops 1 and 2, a virtual one 3, a server 4. */
static void
test_b1_each_machine_gets_its_count(void)
{
	struct count c;
	void *mem = fresh(&c, 50, 50);

	for (uint32_t i = 1; i <= 4; i++)
		is(touch(&c, i, i, T0), i);
	is(touch(&c, 2, 5, T0 + 9), 4);
	free(mem);
}

static void
test_b2_a_record_counts_for_thirty_days(void)
{
	struct count c;
	void *mem = fresh(&c, 10, 10);

	touch(&c, 1, 1, T0);
	touch(&c, 2, 2, T0 + DAY);
	is(count_value(&c, T0 + 30 * DAY - 1), 2);
	is(count_value(&c, T0 + 30 * DAY), 1);
	is(count_value(&c, T0 + 31 * DAY), 0);
	/* a clock that jumped and came back costs nothing */
	is(count_value(&c, T0 + DAY), 2);
	is(touch(&c, 1, 3, T0 + 30 * DAY), 2);
	is(count_value(&c, T0 + 31 * DAY), 1);
	free(mem);
}

static void
test_b2_a_record_from_the_future_is_repaired(void)
{
	struct count c;
	struct count_row out;
	void *mem = fresh(&c, 10, 10);
	uint64_t stored = 0;
	uint32_t iter = 0;

	touch(&c, 1, 1, T0 + 4 * 3600);
	ok(count_is_dirty(&c));
	touch(&c, 2, 2, T0 + 4 * 3600 + 1);
	count_flushed(&c);
	ok(!count_is_dirty(&c));
	is(count_value(&c, T0), 2);
	ok(count_next_dirty(&c, &iter, &out, &stored));
	is(out.seq, 2);
	is(stored, 2);
	is(out.seen_unix_s, T0);
	ok(!count_next_dirty(&c, &iter, &out, &stored));
	is(count_value(&c, T0 + 30 * DAY), 1);
	free(mem);
}

static void
test_b2_clean_up_thirty_days_later(void)
{
	struct count c;
	void *mem = fresh(&c, 10, 10);

	for (uint32_t i = 1; i <= 6; i++) {
		touch(&c, i, i, T0 + i);
		if (i == 2)
			count_flushed(&c); /* the third was never stored */
	}
	is(count_clean(&c, T0 + 60 * DAY, 99), 0);
	is(count_clean(&c, T0 + 60 * DAY + 3, 2), 2);
	is(count_clean(&c, T0 + 60 * DAY + 3, 99), 1);
	is(c.n, 3);
	is(c.n_cleaned, 2);
	ok(!c.has_evicted);
	is(count_value(&c, T0 + 10), 3);
	is(touch(&c, 4, 7, T0 + 11), 3);
	is(touch(&c, 1, 8, T0 + 12), 4);
	free(mem);
}

static void
test_b3_servers_alone_ten_then_fifty(void)
{
	struct count c;
	void *mem = fresh(&c, 50, 10);

	for (uint32_t i = 1; i <= 12; i++)
		is(touch(&c, i, i, T0), i < 10 ? i : 10);
	ok(!c.has_evicted); /* none of them was ever stored */
	is(count_oldest(&c), 3);
	is(count_raise(&c, 50), 0);
	for (uint32_t i = 13; i <= 60; i++)
		touch(&c, i, i, T0);
	is(count_value(&c, T0), 50);
	is(count_raise(&c, 10), 0);
	is(c.capacity, 50);
	is(count_raise(&c, 51), MUSTER_E_FULL);
	free(mem);
}

/* Recency is the sequence number, so a clock set back evicts nobody new. */
static void
test_b3_recency_is_not_time(void)
{
	struct count c;
	void *mem = fresh(&c, 2, 2);

	touch(&c, 1, 1, T0 + 100);
	touch(&c, 2, 2, T0);
	count_flushed(&c);
	is(touch(&c, 3, 3, T0), 2);
	ok(c.has_evicted);
	is(count_oldest(&c), 2);
	free(mem);
}

static void
test_count_refuses(void)
{
	struct count c;
	struct count_row r;
	void *mem = fresh(&c, 2, 1);
	uint32_t n = 77;

	r = row(1, 5, T0);
	is(count_load(&c, &r), 0);
	is(count_load(&c, &r), MUSTER_E_EXIST);
	r = row(2, 6, T0);
	is(count_load(&c, &r), MUSTER_E_FULL);
	is(count_raise(&c, 2), 0);
	r = row(2, 5, T0);
	is(count_load(&c, &r), MUSTER_E_EXIST);
	is(count_touch(&c, &r, &n), MUSTER_E_INVAL);
	is(n, 77);
	r = row(2, 6, T0);
	is(count_load(&c, &r), 0);
	is(count_value(&c, T0), 2);
	is(count_oldest(&c), 5);
	ok(!count_is_dirty(&c));
	free(mem);
}

static uint32_t
draw(uint64_t *rng, uint32_t below)
{
	*rng ^= *rng << 13;
	*rng ^= *rng >> 7;
	*rng ^= *rng << 17;
	return (uint32_t)(*rng % below);
}

/* A model that is plainly right: an array, searched from end to end. */
struct model {
	struct count_row rows[64];
	uint32_t n, capacity;
};

static uint32_t
model_value(struct model *m, int64_t now)
{
	uint32_t counted = 0;

	for (uint32_t i = 0; i < m->n; i++) {
		if (m->rows[i].seen_unix_s > now + 4 * 3600)
			m->rows[i].seen_unix_s = now;
		counted += now - m->rows[i].seen_unix_s < 30 * DAY;
	}
	return counted;
}

static uint32_t
model_touch(struct model *m, const struct count_row *r)
{
	uint32_t at = m->n;

	(void)model_value(m, r->seen_unix_s);
	for (uint32_t i = 0; i < m->n; i++) {
		if (memcmp(m->rows[i].cmid, r->cmid, 16) == 0)
			at = i;
	}
	if (at == m->n && m->n == m->capacity)
		at = 0;
	else if (at == m->n)
		m->n++;
	for (uint32_t i = at; i + 1 < m->n; i++)
		m->rows[i] = m->rows[i + 1];
	m->rows[m->n - 1] = *r;
	return model_value(m, r->seen_unix_s);
}

static uint32_t
model_clean(struct model *m, int64_t now)
{
	uint32_t kept = 0, n = m->n;

	for (uint32_t i = 0; i < n; i++) {
		if (now - m->rows[i].seen_unix_s < 60 * DAY)
			m->rows[kept++] = m->rows[i];
	}
	m->n = kept;
	return n - kept;
}

static bool
same_rows(const struct count *c, const struct model *m)
{
	struct count_row r;
	uint32_t iter = 0;
	uint32_t i = m->n;

	while (count_next(c, &iter, &r)) {
		if (i-- == 0 || memcmp(m->rows[i].cmid, r.cmid, 16) != 0 ||
		    m->rows[i].seq != r.seq ||
		    m->rows[i].seen_unix_s != r.seen_unix_s)
			return false;
	}
	return i == 0;
}

static void
test_count_random_equals_model(uint64_t seed)
{
	struct model m = {.n = 0, .capacity = 7};
	struct count c;
	void *mem = fresh(&c, 64, 7);
	uint64_t rng = seed;
	int64_t now = T0;
	unsigned bad = 0, cleaned = 0;

	for (uint64_t seq = 1; seq < 30000; seq++) {
		struct count_row r = row(draw(&rng, 90), seq, 0);
		uint32_t got = 0;

		now += (int64_t)draw(&rng, 4 * 86400) - (int64_t)DAY;
		if (draw(&rng, 200) == 0)
			now += ((int64_t)draw(&rng, 160) - 80) * DAY;
		r.seen_unix_s = now;
		if (seq % 5000 == 0 && m.capacity < 40) {
			m.capacity += 20;
			bad += count_raise(&c, m.capacity) != 0;
		}
		bad += count_touch(&c, &r, &got) != 0;
		bad += got != model_touch(&m, &r);
		if (draw(&rng, 20) == 0) {
			uint32_t n = count_clean(&c, now, 99);

			cleaned += n;
			bad += n != model_clean(&m, now);
			bad += count_value(&c, now) != model_value(&m, now);
		}
		bad += !same_rows(&c, &m);
		if (draw(&rng, 3) == 0)
			count_flushed(&c);
		if (seq == 15000) {
			void *more = malloc(count_memory(80));

			count_move(&c, more, 80);
			free(mem);
			mem = more;
		}
	}
	if (!is(bad, 0) || !ok(cleaned > 100))
		printf("# rerun with seed %" PRIu64 "\n", seed);
	free(mem);
}

/* What a database holds, by seq. */
struct rows {
	struct count_row rows[128];
	uint32_t n;
};

static void
rows_delete(struct rows *db, uint64_t from, uint64_t below)
{
	uint32_t kept = 0;

	for (uint32_t i = 0; i < db->n; i++) {
		if (db->rows[i].seq < from || db->rows[i].seq >= below)
			db->rows[kept++] = db->rows[i];
	}
	db->n = kept;
}

/* In the order that count.h tells. */
static void
rows_write(struct rows *db, struct count *c)
{
	struct count_row r;
	uint64_t stored;
	uint32_t iter = 0;

	if (c->has_evicted)
		rows_delete(db, 0, count_oldest(c));
	for (uint32_t i = 0; i < c->n_cleaned; i++)
		rows_delete(db, c->cleaned[i], c->cleaned[i] + 1);
	while (count_next_dirty(c, &iter, &r, &stored)) {
		if (stored != 0)
			rows_delete(db, stored, stored + 1);
		db->rows[db->n++] = r;
	}
	count_flushed(c);
}

/* A database so fed equals the cache, however late it is fed. */
static void
test_count_differences_rebuild_the_cache(uint64_t seed)
{
	struct count c;
	struct rows db = {.n = 0};
	void *mem = fresh(&c, 20, 20);
	uint64_t rng = seed;
	unsigned bad = 0;

	for (uint64_t seq = 1; seq < 20000; seq++) {
		struct count_row r = row(draw(&rng, 90), seq,
		    T0 + (int64_t)(seq * 4000 % 9000000));
		uint32_t got, iter = 0, n = 0;

		bad += count_touch(&c, &r, &got) != 0;
		if (draw(&rng, 16) == 0)
			(void)count_clean(&c, r.seen_unix_s, 5);
		if (draw(&rng, 40) != 0)
			continue;
		rows_write(&db, &c);
		bad += count_is_dirty(&c);
		for (; count_next(&c, &iter, &r); n++) {
			uint32_t k = 0;

			while (
			    k < db.n && memcmp(&db.rows[k], &r, sizeof(r)) != 0)
				k++;
			bad += k == db.n;
		}
		bad += n != db.n;
	}
	if (!is(bad, 0))
		printf("# rerun with seed %" PRIu64 "\n", seed);
	free(mem);
}

static void
clean_all(struct count *c, int64_t now)
{
	while (count_clean(c, now, COUNT_CLEANED_MAX) > 0)
		count_flushed(c);
}

static bool
is_same_cache(const struct count *a, const struct count *b)
{
	struct count_row x, y;
	uint32_t i = 0, k = 0;

	while (count_next(a, &i, &x)) {
		if (!count_next(b, &k, &y) || memcmp(&x, &y, sizeof(x)) != 0)
			return false;
	}
	return a->n == b->n;
}

/* What copy b lacks of a: as a host of a cluster reads it. */
static unsigned
catch_up(struct count *b, const struct count *a, int64_t cleaned)
{
	struct count_row rows[64], r;
	uint64_t held = b->newest == 0 ? 0 : 1;
	uint32_t n = 0, iter = 0;
	unsigned bad = 0;

	if (held != 0)
		(void)count_next(b, &iter, &r);
	held = held == 0 ? 0 : r.seq;
	for (iter = 0; count_next(a, &iter, &r) && r.seq > held;)
		rows[n++] = r;
	bad += count_raise(b, a->capacity) != 0;
	clean_all(b, cleaned);
	count_drop_below(b, count_oldest(a));
	while (n-- > 0)
		bad += count_merge(b, &rows[n]) != 0;
	return bad + count_is_dirty(b);
}

/* Two copies of one group: what b was told of is what a has. */
static void
test_b11_differences_make_the_copy_current(uint64_t seed)
{
	struct count a, b;
	void *mem_a = fresh(&a, 64, 3), *mem_b = fresh(&b, 64, 3);
	uint64_t rng = seed * 2 + 1;
	int64_t now = T0, cleaned = 0;
	uint32_t n_a;
	unsigned bad = 0, n_checks = 0;

	for (uint64_t seq = 1; seq <= 200000 && bad == 0; seq++) {
		const struct count_row r =
		    row(draw(&rng, 90), seq, now += draw(&rng, 40000));

		bad += count_touch(&a, &r, &n_a) != 0;
		if (draw(&rng, 3000) == 0)
			bad += count_raise(&a, 3 + draw(&rng, 62)) != 0;
		if (draw(&rng, 50) == 0)
			clean_all(&a, cleaned = now + draw(&rng, 2) * 50 * DAY);
		count_flushed(&a);
		if (draw(&rng, 30) != 0)
			continue;
		bad += catch_up(&b, &a, cleaned);
		bad += !is_same_cache(&a, &b);
		bad += count_value(&a, now) != count_value(&b, now);
		n_checks++;
	}
	if (!is(bad, 0))
		printf("# rerun with seed %" PRIu64 "\n", seed);
	ok(n_checks > 1000);
	free(mem_a);
	free(mem_b);
}

static void
test_b11_what_is_told_twice_is_refused(void)
{
	const struct count_row r = row(1, 7, T0), older = row(2, 6, T0);
	const struct count_row next = row(2, 8, T0);
	struct count c;
	void *mem = fresh(&c, 4, 1);

	is(count_merge(&c, &r), 0);
	is(count_merge(&c, &r), MUSTER_E_EXIST);
	is(count_merge(&c, &older), MUSTER_E_EXIST);
	is(count_merge(&c, &next), MUSTER_E_FULL);
	count_drop_below(&c, 8);
	is(c.n, 0);
	is(count_merge(&c, &next), 0);
	ok(!count_is_dirty(&c));
	is(count_value(&c, T0), 1);
	free(mem);
}

/* What is evicted or cleaned up stays to be written, without a record. */
static void
test_count_a_lost_record_is_a_change(void)
{
	struct count c;
	void *mem = fresh(&c, 2, 2);

	touch(&c, 1, 1, T0);
	touch(&c, 2, 2, T0);
	count_flushed(&c);
	ok(!count_is_dirty(&c));
	touch(&c, 3, 3, T0);
	count_drop_below(&c, 100);
	is(c.n, 0);
	ok(count_is_dirty(&c));
	count_flushed(&c);
	ok(!count_is_dirty(&c));
	free(mem);
}

static void
test_count_a_clean_up_has_an_end(void)
{
	struct count c;
	void *mem = fresh(&c, 2 * COUNT_CLEANED_MAX, 2 * COUNT_CLEANED_MAX);

	for (uint32_t i = 1; i <= COUNT_CLEANED_MAX + 3; i++)
		touch(&c, i, i, T0);
	count_flushed(&c);
	is(count_clean(&c, T0 + 365 * DAY, UINT32_MAX), COUNT_CLEANED_MAX);
	is(c.n, 3);
	is(count_clean(&c, T0 + 365 * DAY, UINT32_MAX), 0);
	count_flushed(&c);
	is(count_clean(&c, T0 + 365 * DAY, 2), 2);
	is(c.n, 1);
	free(mem);
}

int
main(int argc, char *argv[])
{
	uint64_t seed = argc > 1 ? strtoull(argv[1], NULL, 10) : 1;

	printf("# seed %" PRIu64 "\n", seed);
	test_b1_each_machine_gets_its_count();
	test_b2_a_record_counts_for_thirty_days();
	test_b2_a_record_from_the_future_is_repaired();
	test_b2_clean_up_thirty_days_later();
	test_b3_servers_alone_ten_then_fifty();
	test_b3_recency_is_not_time();
	test_count_refuses();
	test_count_random_equals_model(seed);
	test_count_differences_rebuild_the_cache(seed);
	test_b11_differences_make_the_copy_current(seed);
	test_b11_what_is_told_twice_is_refused();
	test_count_a_lost_record_is_a_change();
	test_count_a_clean_up_has_an_end();
	return tap_done();
}
