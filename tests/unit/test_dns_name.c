/* SPDX-License-Identifier: MIT */
#include "discovery/name.h"

#include "tap.h"

static void
repeat(char *out, const char *part, unsigned times)
{
	out[0] = '\0';
	for (unsigned i = 0; i < times; i++)
		strcat(out, part);
}

static void
test_dns_name_text(void)
{
	static const struct {
		const char *in, *out;
	} good[] = {{"Example.COM.", "example.com"}, {"a", "a"}, {".", "."},
	    {"_muster._tcp.x-1.example", "_muster._tcp.x-1.example"}};
	static const char *const bad[] = {"", "..", ".a", "a..b", "a b", "a/b",
	    "a\n", "caf\xc3\xa9", "*.a", "a\\.b"};
	struct dns_name name;
	char text[DNS_TEXT_MAX + 1];

	for (size_t i = 0; i < sizeof(good) / sizeof(good[0]); i++) {
		is(dns_name_parse(good[i].in, &name), 0);
		dns_name_text(&name, text);
		is_str(text, good[i].out);
	}
	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++)
		is(dns_name_parse(bad[i], &name), MUSTER_E_PROTO);
}

static void
test_dns_name_lengths(void)
{
	struct dns_name name;
	char label[65], text[300], back[DNS_TEXT_MAX + 1];

	repeat(label, "a", 63);
	is(dns_name_parse(label, &name), 0);
	repeat(label, "a", 64);
	is(dns_name_parse(label, &name), MUSTER_E_TOOBIG);
	/* 126 labels of one letter and one of one: 255 on the wire */
	repeat(text, "a.", 127);
	is(dns_name_parse(text, &name), 0);
	is(name.len, DNS_NAME_MAX);
	dns_name_text(&name, back);
	is(strlen(back), DNS_TEXT_MAX);
	repeat(text, "a.", 128);
	is(dns_name_parse(text, &name), MUSTER_E_TOOBIG);
	repeat(text, "a.", 121);
	is(dns_name_join("_muster._tcp", text, &name), MUSTER_E_TOOBIG);
	repeat(text, "a.", 120);
	is(dns_name_join("_muster._tcp", text, &name), 0);
	is(dns_name_join("_muster._tcp", ".", &name), 0);
	is(name.len, 14);
}

/* A message: www.example (0), a pointer to "example" (13), and so on. */
static void
test_dns_name_read(void)
{
	static const uint8_t msg[] = {3, 'w', 'W', 'w', 7, 'e', 'x', 'a', 'm',
	    'p', 'l', 'e', 0, 0xc0, 4, 2, 'n', 's', 0xc0, 13, 9};
	static const uint8_t loop[] = {1, 'a', 0xc0, 0, 0xc0, 4, 0xc0, 9, 0x40,
	    0x80, 3, 'a', ' ', 'b', 0, 0xc0};
	static const uint8_t strange[] = {2, 'a', ' ', 0};
	struct dns_name name;
	char text[DNS_TEXT_MAX + 1];
	size_t at = 0;

	is(dns_name_read(msg, sizeof(msg), 0, &at, &name), 0);
	is(at, 13);
	dns_name_text(&name, text);
	is_str(text, "www.example");
	is(dns_name_read(msg, sizeof(msg), at, &at, &name), 0);
	is(at, 15);
	is(dns_name_read(msg, sizeof(msg), at, &at, &name), 0);
	is(at, 20);
	dns_name_text(&name, text);
	is_str(text, "ns.example");
	for (size_t len = 0; len < 13; len++)
		is(dns_name_read(msg, len, 0, &at, &name), MUSTER_E_TRUNC);
	is(dns_name_read(msg, 14, 13, &at, &name), MUSTER_E_TRUNC);
	is(at, 20);
	/* to itself, forward, other types of label */
	is(dns_name_read(loop, sizeof(loop), 0, &at, &name), MUSTER_E_PROTO);
	is(dns_name_read(loop, sizeof(loop), 4, &at, &name), MUSTER_E_PROTO);
	is(dns_name_read(loop, sizeof(loop), 6, &at, &name), MUSTER_E_PROTO);
	is(dns_name_read(loop, sizeof(loop), 8, &at, &name), MUSTER_E_PROTO);
	is(dns_name_read(loop, sizeof(loop), 9, &at, &name), MUSTER_E_PROTO);
	is(dns_name_read(loop, sizeof(loop), 15, &at, &name), MUSTER_E_TRUNC);
	is(at, 20);
	is(dns_name_read(strange, sizeof(strange), 0, &at, &name),
	    MUSTER_E_RANGE);
	is(dns_name_read(loop, sizeof(loop), 10, &at, &name), MUSTER_E_RANGE);
	is(at, 15);
}

/* Labels that all point one further back: too long before they end. */
static void
test_dns_name_chain(void)
{
	uint8_t msg[4 * 200] = {0};
	struct dns_name name;
	size_t at = 0;

	for (size_t i = 1; i < 200; i++) {
		size_t to = 4 * (i - 1);

		msg[4 * i] = 1;
		msg[4 * i + 1] = 'a';
		msg[4 * i + 2] = (uint8_t)(0xc0 | to >> 8);
		msg[4 * i + 3] = (uint8_t)to;
	}
	is(dns_name_read(msg, sizeof(msg), 4 * 127, &at, &name), 0);
	is(name.len, DNS_NAME_MAX);
	is(dns_name_read(msg, sizeof(msg), 4 * 128, &at, &name),
	    MUSTER_E_TOOBIG);
}

static void
test_dns_name_relations(void)
{
	struct dns_name a, b;

	is(dns_name_parse("_muster._tcp.Lab.example", &a), 0);
	is(dns_name_parse("_MUSTER._tcp.lab.EXAMPLE.", &b), 0);
	ok(dns_name_equal(&a, &b));
	ok(dns_name_is_under(&a, &b));
	is(dns_name_parse("lab.example", &b), 0);
	ok(!dns_name_equal(&a, &b));
	ok(dns_name_is_under(&a, &b));
	ok(!dns_name_is_under(&b, &a));
	is(dns_name_parse("ab.example", &b), 0);
	ok(!dns_name_is_under(&a, &b));
	is(dns_name_parse(".", &b), 0);
	ok(dns_name_is_under(&a, &b));
}

int
main(void)
{
	test_dns_name_text();
	test_dns_name_lengths();
	test_dns_name_read();
	test_dns_name_chain();
	test_dns_name_relations();
	return tap_done();
}
