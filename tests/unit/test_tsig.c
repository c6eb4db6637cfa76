/* SPDX-License-Identifier: MIT */
/* Signatures of updates: the vectors of another implementation, and answers
 * that are not what they should be (b20, b21). */
#include <sodium.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/hex.h"
#include "discovery/update.h"
#include "tap.h"

#define VECTORS "tests/vectors/tsig.txt"
#define ID 0x1234
#define MESSAGE_MAX 1024
#define SEED 20
#define ROUNDS 200000

struct vector {
	struct tsig_key key;
	int64_t unix_s;
	size_t request_len;
	uint8_t request[MESSAGE_MAX];
	struct tsig_mac mac;
	size_t answer_len;
	uint8_t answer[MESSAGE_MAX];
};

static size_t
unhex(const char *text, uint8_t *out, size_t cap)
{
	size_t len = strlen(text) / 2;

	is(len <= cap && hex_decode(text, 2 * len, out, len) == 0, 1);
	return len;
}

static void
take_vector(const char *line, struct vector *v)
{
	char algorithm[16], request[2048], mac[256], answer[2048];
	long long unix_s;

	memset(v, 0, sizeof(*v));
	is(sscanf(line, "%15s %lld %2047s %255s %2047s", algorithm, &unix_s,
	       request, mac, answer),
	    5);
	is(dns_name_parse("hosts.corp.test", &v->key.name), 0);
	v->key.algorithm =
	    strcmp(algorithm, "hmac-sha512") == 0 ? TSIG_SHA512 : TSIG_SHA256;
	v->key.secret_len = 32;
	for (uint8_t i = 0; i < 32; i++)
		v->key.secret[i] = i;
	v->unix_s = unix_s;
	v->request_len = unhex(request, v->request, sizeof(v->request));
	v->mac.len = unhex(mac, v->mac.mac, sizeof(v->mac.mac));
	v->answer_len = unhex(answer, v->answer, sizeof(v->answer));
}

static enum update_outcome
judge(const struct vector *v, const uint8_t *msg, size_t len, int64_t later_s)
{
	int64_t skew_s;

	return update_judge(msg, len, ID, &v->key, &v->mac, v->unix_s + later_s,
	    &skew_s);
}

static void
check_sign(const struct vector *v)
{
	uint8_t msg[MESSAGE_MAX + TSIG_RECORD_MAX];
	struct tsig_mac mac;
	size_t len = v->request_len, room;

	memcpy(msg, v->request, len);
	is(tsig_sign(&v->key, v->unix_s, msg, sizeof(msg), &len, &mac), 0);
	is(mac.len, v->mac.len);
	ok(memcmp(mac.mac, v->mac.mac, mac.len) == 0);
	is(msg[11], 1); /* one more record */
	is(msg[len - 6], ID >> 8);
	room = len - v->request_len;
	ok(room <= TSIG_RECORD_MAX);
	for (size_t n = 0; n < room; n++) {
		len = v->request_len;
		memcpy(msg, v->request, len);
		is(tsig_sign(&v->key, v->unix_s, msg, len + n, &len, &mac),
		    MUSTER_E_TOOBIG);
		is(len, v->request_len);
	}
	len = v->request_len;
	is(tsig_sign(&v->key, -1, msg, sizeof(msg), &len, &mac),
	    MUSTER_E_RANGE);
	is(tsig_sign(&v->key, INT64_C(1) << 48, msg, sizeof(msg), &len, &mac),
	    MUSTER_E_RANGE);
	len = DNS_HEADER_LEN - 1;
	is(tsig_sign(&v->key, 0, msg, sizeof(msg), &len, &mac), MUSTER_E_TRUNC);
}

static void
check_answer(const struct vector *v)
{
	uint8_t bad[MESSAGE_MAX];

	is(judge(v, v->answer, v->answer_len, 0), UPDATE_DONE);
	is(judge(v, v->answer, v->answer_len, 300), UPDATE_DONE);
	is(judge(v, v->answer, v->answer_len, -300), UPDATE_DONE);
	is(judge(v, v->answer, v->answer_len, 301), UPDATE_OTHER_TIME);
	is(judge(v, v->answer, v->answer_len, -301), UPDATE_OTHER_TIME);
	for (size_t i = 0; i < v->answer_len; i++) {
		memcpy(bad, v->answer, v->answer_len);
		bad[i] ^= 0x81;
		ok(judge(v, bad, v->answer_len, 0) != UPDATE_DONE);
	}
	for (size_t len = 0; len < v->answer_len; len++)
		ok(judge(v, v->answer, len, 0) != UPDATE_DONE);
}

/* Answers without a signature: NOERROR is none, a refusal is passed on. */
static void
check_unsigned(const struct vector *v)
{
	uint8_t msg[DNS_HEADER_LEN] = {ID >> 8, ID & 0xff, 0xa8, 0};
	int64_t skew_s;

	is(judge(v, msg, sizeof(msg), 0), UPDATE_UNSIGNED);
	is(update_judge(msg, sizeof(msg), ID, NULL, NULL, 0, &skew_s),
	    UPDATE_DONE);
	is(update_judge(msg, sizeof(msg), ID + 1, NULL, NULL, 0, &skew_s),
	    UPDATE_MISMATCH);
	msg[3] = DNS_REFUSED;
	is(judge(v, msg, sizeof(msg), 0), UPDATE_REFUSED);
	msg[2] = 0x28; /* a question */
	is(judge(v, msg, sizeof(msg), 0), UPDATE_MISMATCH);
	msg[2] = 0x80; /* the answer to a query */
	is(judge(v, msg, sizeof(msg), 0), UPDATE_MISMATCH);
}

/* Whatever comes: never success, and nothing read beyond its end. */
static void
check_random(const struct vector *v)
{
	struct dns_name asked = v->key.name, zone, primary;
	unsigned n_done = 0, n_same = 0;

	printf("# seed %d\n", SEED);
	srand(SEED);
	for (int n = 0; n < ROUNDS; n++) {
		size_t len = (size_t)rand() % (v->answer_len + 1);
		uint8_t *msg;

		len = rand() % 2 ? v->answer_len : len;
		msg = malloc(len + 1); /* its end is that of the memory */
		if (msg == NULL)
			abort();
		memcpy(msg + 1, v->answer, len);
		for (int k = rand() % 4; k >= 0 && len > 0; k--)
			msg[1 + (size_t)rand() % len] = (uint8_t)rand();
		n_same += len == v->answer_len &&
		    memcmp(msg + 1, v->answer, len) == 0;
		n_done += judge(v, msg + 1, len, 0) == UPDATE_DONE;
		(void)update_zone_read(msg + 1, len, ID, &asked, &zone,
		    &primary);
		free(msg);
	}
	/* a byte may be replaced by itself, or by its letter in capitals */
	ok(n_done >= n_same && n_done < ROUNDS / 500);
}

static void
test_b20_vectors(void)
{
	static char line[8192];
	FILE *f = fopen(VECTORS, "r");
	struct vector v;
	unsigned n = 0;

	ok(f != NULL);
	while (f != NULL && fgets(line, sizeof(line), f) != NULL) {
		if (line[0] == '#')
			continue;
		take_vector(line, &v);
		check_sign(&v);
		check_answer(&v);
		check_unsigned(&v);
		check_random(&v);
		n++;
	}
	is(n, 2);
	if (f != NULL)
		(void)fclose(f);
}

static void
test_b20_climb(void)
{
	char text[DNS_TEXT_MAX + 1];
	struct dns_name name;

	is(dns_name_parse("a.b.test", &name), 0);
	ok(update_climb(&name));
	dns_name_text(&name, text);
	is_str(text, "b.test");
	ok(update_climb(&name));
	ok(!update_climb(&name)); /* never the root */
	dns_name_text(&name, text);
	is_str(text, "test");
	is(dns_name_parse(".", &name), 0);
	ok(!update_climb(&name));
}

/* The largest update there is fits, with its signature. */
static void
test_b20_largest_update(void)
{
	static uint8_t buf[UPDATE_MAX];
	static struct update u;
	struct tsig_key key = {.algorithm = TSIG_SHA512, .secret_len = 128};
	struct tsig_mac mac;
	char text[DNS_TEXT_MAX + 1];
	struct dns_name name;
	size_t len = 0;

	memset(text, 'a', sizeof(text));
	text[63] = text[127] = text[191] = '.';
	text[DNS_TEXT_MAX] = '\0';
	is(dns_name_parse(text, &name), 0);
	is(name.len, DNS_NAME_MAX);
	u.zone = u.owner = u.addition.target = key.name = name;
	u.has_addition = true;
	u.n_deletions = UPDATE_DELETIONS_MAX;
	for (size_t i = 0; i < UPDATE_DELETIONS_MAX; i++)
		u.deletions[i].target = name;
	is(update_write(&u, 1, buf, sizeof(buf), &len), 0);
	is(tsig_sign(&key, 0, buf, sizeof(buf), &len, &mac), 0);
	ok(len <= UPDATE_MAX);
}

static void
test_b20_zone_line(void)
{
	char line[UPDATE_LINE_MAX];
	struct dns_name owner;
	struct dns_srv srv = {.priority = 1, .weight = 2, .port = 65535};

	is(dns_name_parse("_muster._tcp.Corp.test", &owner), 0);
	is(dns_name_parse("KMS.corp.test", &srv.target), 0);
	update_line(&owner, &srv, 60, line, sizeof(line));
	is_str(line,
	    "_muster._tcp.corp.test. 60 IN SRV 1 2 65535 kms.corp.test.");
}

static void
test_b21_every_outcome_has_a_name_and_words(void)
{
	for (int i = UPDATE_DONE; i <= UPDATE_NO_MEMORY; i++) {
		enum update_outcome o = (enum update_outcome)i;

		ok(update_name(o)[0] != '\0' && update_words(o)[0] != '\0');
		for (int k = UPDATE_DONE; k < i; k++)
			ok(strcmp(update_name(o),
			       update_name((enum update_outcome)k)) != 0);
	}
}

int
main(void)
{
	if (sodium_init() < 0)
		return 1;
	test_b20_vectors();
	test_b20_climb();
	test_b20_largest_update();
	test_b20_zone_line();
	test_b21_every_outcome_has_a_name_and_words();
	return tap_done();
}
