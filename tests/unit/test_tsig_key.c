/* SPDX-License-Identifier: MIT */
/* The key file of updates: what tsig-keygen writes, and what it does not. */
#include <sodium.h>

#include "discovery/tsig.h"
#include "tap.h"

#define N(a) (sizeof(a) / sizeof((a)[0]))
#define SECRET "\"AAECAwQFBgcICQoLDA0ODw==\"" /* 0 to 15 */
#define BODY "algorithm hmac-sha256; secret " SECRET ";"
#define GOOD "key \"hosts.corp.test\" { " BODY " };"

static struct tsig_key key;
static const char *why;

static int
parse(const char *text)
{
	why = NULL;
	memset(&key, 0xa5, sizeof(key));
	return tsig_key_parse(text, strlen(text), &key, &why);
}

static void
test_tsig_key_as_tsig_keygen_writes_it(void)
{
	static const char *const same[] = {
	    GOOD,
	    "KEY hosts.corp.test {" BODY "};\n",
	    "key\thosts.corp.test.\r\n{ secret " SECRET
	    "; algorithm \"HMAC-SHA256.\"; } ;",
	    "# a\n// b\n/* c\n * d */key /* e */hosts.corp.test{" BODY
	    "};# end",
	    GOOD "/* not closed",
	    GOOD "/*",
	};
	struct dns_name name;

	is(dns_name_parse("hosts.corp.test", &name), 0);
	for (size_t i = 0; i < N(same); i++) {
		is(parse(same[i]), 0);
		ok(why == NULL);
		ok(dns_name_equal(&key.name, &name));
		is(key.algorithm, TSIG_SHA256);
		is((long long)key.secret_len, 16);
		for (unsigned k = 0; k < 16; k++)
			is(key.secret[k], k);
	}
	is(parse("key a { algorithm hmac-sha512; secret " SECRET "; };"), 0);
	is(key.algorithm, TSIG_SHA512);
	is(parse("key a { algorithm hmac-sha512.; secret " SECRET "; };"), 0);
	is(key.algorithm, TSIG_SHA512);
}

static void
test_tsig_key_refuses(void)
{
	static const struct {
		const char *text;
		int want;
	} cases[] = {
	    {"", MUSTER_E_PROTO},
	    {"key", MUSTER_E_PROTO},
	    {"\"key\" a {" BODY "};", MUSTER_E_PROTO},
	    {"keys a {" BODY "};", MUSTER_E_PROTO},
	    {"key \"\" {" BODY "};", MUSTER_E_PROTO},
	    {"key a..b {" BODY "};", MUSTER_E_PROTO},
	    {"key a \"{\"" BODY "};", MUSTER_E_PROTO},
	    {"key a " BODY "};", MUSTER_E_PROTO},
	    {"key a {" BODY "}", MUSTER_E_PROTO},
	    {"key a {" BODY ";", MUSTER_E_PROTO},
	    {"key a {" BODY, MUSTER_E_PROTO},
	    {"key a {" BODY BODY "};", MUSTER_E_PROTO},
	    {"key a { algorithm hmac-sha256; algorithm hmac-sha256; "
	     "secret " SECRET "; };",
	        MUSTER_E_PROTO},
	    {"key a { secret " SECRET "; secret " SECRET "; };",
	        MUSTER_E_PROTO},
	    {"key a { algorithm hmac-sha256; };", MUSTER_E_PROTO},
	    {"key a { secret " SECRET "; };", MUSTER_E_PROTO},
	    {"key a { };", MUSTER_E_PROTO},
	    {"key a { algorithm hmac-sha256 secret " SECRET "; };",
	        MUSTER_E_PROTO},
	    {"key a { colour red; };", MUSTER_E_PROTO},
	    {GOOD GOOD, MUSTER_E_PROTO},
	    {GOOD "\"\"", MUSTER_E_PROTO},
	    {GOOD "x", MUSTER_E_PROTO},
	    {GOOD ";", MUSTER_E_PROTO},
	    {"key a { algorithm hmac-md5; secret " SECRET "; };",
	        MUSTER_E_KIND},
	    {"key a { algorithm hmac-sha2566; secret " SECRET "; };",
	        MUSTER_E_KIND},
	    {"key a { algorithm hmac-sha256; secret \"\"; };", MUSTER_E_RANGE},
	    {"key a { algorithm hmac-sha256; secret AAECAwQFBgcICQoLDA0O; };",
	        MUSTER_E_RANGE},
	    {"key a { algorithm hmac-sha256; secret \"?\"; };", MUSTER_E_PROTO},
	    {"key a { algorithm hmac-sha256; secret \"AAECAwQFBgcICQoLDA0ODw=\""
	     "; };",
	        MUSTER_E_PROTO},
	};
	static const struct tsig_key zero;

	for (size_t i = 0; i < N(cases); i++) {
		if (!is(parse(cases[i].text), cases[i].want))
			printf("# %s\n", cases[i].text);
		ok(why != NULL && strlen(why) > 8);
		is(memcmp(&key, &zero, sizeof(key)), 0);
	}
}

/* The end is where it is said to be, not where the words end. */
static void
test_tsig_key_reads_nothing_behind_the_end(void)
{
	static const char text[] =
	    "key a { secret " SECRET "; algorithm hmac-sha256; };";
	size_t len = strlen(text) - strlen("6; };");

	is(tsig_key_parse(text, len, &key, &why), MUSTER_E_KIND);
	is(tsig_key_parse(text, len + 1, &key, &why), MUSTER_E_PROTO);
	is(tsig_key_parse(text, strlen(text), &key, &why), 0);
}

/* A word in quotes that do not end: up to the end, whatever lies behind it. */
static void
test_tsig_key_a_quote_without_an_end(void)
{
	static const char *const behind[] = {"x\"; secret \"AA\"; };",
	    "\"; secret \"AA\"; };", "6\"; secret \"AA\"; };", ""};
	static const char before[] = "key a { algorithm \"hmac-sha256";
	char text[128];

	for (size_t i = 0; i < N(behind); i++) {
		(void)snprintf(text, sizeof(text), "%s%s", before, behind[i]);
		is(tsig_key_parse(text, sizeof(before) - 1, &key, &why),
		    MUSTER_E_PROTO);
		/* a letter less is another algorithm */
		is(tsig_key_parse(text, sizeof(before) - 2, &key, &why),
		    MUSTER_E_KIND);
	}
}

static void
test_tsig_key_limits_of_the_secret(void)
{
	char text[512], base64[256];
	uint8_t secret[TSIG_SECRET_MAX + 3] = {1};

	for (size_t n = 1; n <= sizeof(secret); n++) {
		int want = n < TSIG_SECRET_MIN || n > TSIG_SECRET_MAX
		    ? MUSTER_E_RANGE
		    : 0;

		(void)sodium_bin2base64(base64, sizeof(base64), secret, n,
		    sodium_base64_VARIANT_ORIGINAL);
		(void)snprintf(text, sizeof(text),
		    "key a { algorithm hmac-sha256; secret \"%s\"; };", base64);
		if (n > TSIG_SECRET_MAX)
			ok(parse(text) != 0);
		else
			is(parse(text), want);
	}
}

static void
test_tsig_key_limits_of_the_name(void)
{
	char text[512], name[300];

	for (unsigned n = 250; n < 260; n++) {
		for (unsigned i = 0; i < n; i++)
			name[i] = i % 64 == 63 ? '.' : 'a';
		name[n] = '\0';
		(void)snprintf(text, sizeof(text), "key %s {" BODY "};", name);
		is(parse(text), n <= 253 ? 0 : MUSTER_E_PROTO);
	}
	/* a zero byte ends no name */
	memcpy(text, "key \"a\0b\" {" BODY "};",
	    sizeof("key \"a\0b\" {" BODY "};"));
	is(tsig_key_parse(text, sizeof("key \"a\0b\" {" BODY "};") - 1, &key,
	       &why),
	    MUSTER_E_PROTO);
	/* nor is one a part of a word without quotes */
	memcpy(text, "key a\0b {" BODY "};", sizeof("key a\0b {" BODY "};"));
	is(tsig_key_parse(text, sizeof("key a\0b {" BODY "};") - 1, &key, &why),
	    MUSTER_E_PROTO);
}

static void
test_tsig_key_every_truncation(void)
{
	for (size_t n = 0; n < sizeof(GOOD) - 1; n++) {
		char exact[sizeof(GOOD)];

		memcpy(exact, GOOD, n);
		ok(tsig_key_parse(exact, n, &key, &why) != 0);
	}
}

int
main(void)
{
	if (sodium_init() < 0)
		return 1;
	test_tsig_key_as_tsig_keygen_writes_it();
	test_tsig_key_refuses();
	test_tsig_key_reads_nothing_behind_the_end();
	test_tsig_key_a_quote_without_an_end();
	test_tsig_key_limits_of_the_secret();
	test_tsig_key_limits_of_the_name();
	test_tsig_key_every_truncation();
	return tap_done();
}
