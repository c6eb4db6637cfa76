/* SPDX-License-Identifier: MIT */
/* Numbers of authority.conf and products.conf that 32 bits do not hold. */
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "authority/products.h"
#include "authority/settings.h"
#include "base/log.h"
#include "tap.h"

#define PRODUCT_TEXT_MAX 512

static char path[] = "/tmp/muster-conf-XXXXXX";
static char said[256];

int
ctx_fail(const struct ctx *ctx, int exit, const char *code, const char *next,
    const char *format, ...)
{
	va_list ap;

	(void)ctx;
	is_str(code, "bad_products");
	ok(next != NULL);
	va_start(ap, format);
	(void)vsnprintf(said, sizeof(said), format, ap);
	va_end(ap);
	return exit;
}

static void
put(const char *text)
{
	FILE *f = fopen(path, "w");

	ok(f != NULL && fputs(text, f) >= 0);
	ok(f != NULL && fclose(f) == 0);
}

static void
test_settings_do_not_wrap(void)
{
	static const char *const bad[] = {"rate = 4294967356;",
	    "rate = 0x10000003c;", "rate = 0xffffffff0000000a;",
	    "rate = 99999999999999999999;", "rate = 100001;", "rate = -1;",
	    "rate = 1.0;"};
	static const char *const good[] = {"rate = 7; # 12345678901",
	    "rate = 0x7;", "rate = 7L;", "rate = 0000000000007;"};
	struct settings s;

	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
		printf("# %s\n", bad[i]);
		put(bad[i]);
		is(settings_load(path, &s), MUSTER_E_PROTO);
		is(s.rate, 60);
	}
	for (size_t i = 0; i < sizeof(good) / sizeof(good[0]); i++) {
		printf("# %s\n", good[i]);
		put(good[i]);
		is(settings_load(path, &s), 0);
		is(s.rate, 7);
	}
}

static int
read_products(const char *number, const char *group, const char *more)
{
	static struct catalogue cat;
	static const struct ctx ctx;
	char text[PRODUCT_TEXT_MAX];
	int rc;

	(void)snprintf(text, sizeof(text),
	    "groups = ( { number = %s; name = \"G\"; } );\n"
	    "products = ( { id = \"5b0c1a52-7d7e-4b8e-9a51-0d3f5c7a1e01\";\n"
	    "group = %s; class = \"server\";\n%s } );\n",
	    number, group, more);
	put(text);
	memset(&cat, 0, sizeof(cat));
	said[0] = '\0';
	rc = products_read(&ctx, path, &cat);
	if (rc == EXIT_DONE)
		is(cat.groups[0].number, cat.products[0].group);
	return rc;
}

static void
test_products_do_not_wrap(void)
{
	static const char *const bad[] = {"threshold = 4294967301;",
	    "threshold = 0x100000005;", "level = 4294967297;",
	    "line = 18446744073709551616;", "rearms = 8589934592;"};
	char text[PRODUCT_TEXT_MAX];

	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
		printf("# %s\n", bad[i]);
		(void)snprintf(text, sizeof(text), "name = \"P\"; %s", bad[i]);
		is(read_products("1", "1", text), EXIT_FAILED);
		ok(strstr(said, "line 4: ") != NULL);
	}
	is(read_products("1", "4294967297", "name = \"P\";"), EXIT_FAILED);
	is(read_products("4294967296", "0", "name = \"P\";"), EXIT_FAILED);
	/* the largest, as products.conf(5) has it */
	is(read_products("4294967295", "4294967295", "name = \"P\";"),
	    EXIT_DONE);
}

/* No catalogue has them, so the file's line is told before it is signed. */
static void
test_products_have_names_without_control_codes(void)
{
	is(read_products("1", "1", "name = \"a\\x01\";"), EXIT_FAILED);
	ok(strstr(said, "name must be UTF-8 without control codes") != NULL);
	is(read_products("1", "1", "name = \"\xff\";"), EXIT_FAILED);
	is(read_products("1", "1", "name = \"\xc3\xa9\";"), EXIT_DONE);
}

static void
test_products_are_a_text_of_a_mebibyte_at_most(void)
{
	static struct catalogue cat;
	static const struct ctx ctx;
	FILE *f = fopen(path, "w");

	ok(f != NULL && fwrite("x = 1;\0", 1, 7, f) == 7 && fclose(f) == 0);
	is(products_read(&ctx, path, &cat), EXIT_FAILED);
	ok(strstr(said, "a byte of zero") != NULL);
	is(truncate(path, PRODUCTS_FILE_MAX + 1), 0);
	is(products_read(&ctx, path, &cat), EXIT_FAILED);
	ok(strstr(said, "larger than its limit") != NULL);
	is(products_read(&ctx, "/nowhere/products.conf", &cat), EXIT_FAILED);
	ok(strstr(said, "not there") != NULL);
}

int
main(void)
{
	int fd = mkstemp(path);

	ok(fd >= 0);
	(void)close(fd);
	log_set_level(LOG_ERROR);
	test_settings_do_not_wrap();
	test_products_do_not_wrap();
	test_products_have_names_without_control_codes();
	test_products_are_a_text_of_a_mebibyte_at_most();
	(void)unlink(path);
	return tap_done();
}
