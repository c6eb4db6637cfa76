/* SPDX-License-Identifier: MIT */
/* The files that generalize finds, whole and damaged ones. */
#include "client/image.h"

#include <sodium.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/file.h"
#include "base/paths.h"
#include "client/state.h"
#include "tap.h"

#define UUID "5b0c1a52-7d7e-4b8e-9a51-0d3f5c7a1e02"

static char root[] = "/tmp/muster-image.XXXXXX";

static const char *
at(const char *name)
{
	static char path[FILE_PATH_MAX];

	(void)snprintf(path, sizeof(path), "%s" PATH_AGENT_STATE "/%s", root,
	    name);
	return path;
}

static void
put(const char *name, const void *p, size_t len)
{
	is(file_replace(at(name), p, len, 0600), 0);
}

static bool
is_there(const char *name)
{
	return access(at(name), F_OK) == 0;
}

static void
test_b38_every_file_is_cleared(void)
{
	struct state_publisher pub = {.serial = 7, .cmid = {1}, .machine = {2}};
	struct state_product s = {.first_seen_unix_s = 99, .rearms = 3};
	uint8_t buf[STATE_FILE_MAX];
	char where[FILE_PATH_MAX];
	size_t len = 0;

	s.machine[0] = 2;
	is(state_publisher_encode(&pub, buf, sizeof(buf), &len), 0);
	put("publishers/a.state", buf, len);
	put("publishers/b.state", "broken", 6);
	put("publishers/a.host", "host", 4);
	is(state_product_encode(&s, buf, sizeof(buf), &len), 0);
	put("products/" UUID ".state", buf, len);
	buf[len - 1] ^= 1;
	put("products/6"
	    "b0c1a52-7d7e-4b8e-9a51-0d3f5c7a1e02.state",
	    buf, len);
	put("products/no-product.state", "broken", 6);
	put("products/" UUID ".state.damaged", "old", 3);
	put("leases/" UUID ".lease", "lease", 5);
	put("leases/" UUID ".view", "view", 4);
	put("leases/" UUID ".lease.damaged", "lease", 5);
	put("instance", "00\n", 3);
	is(image_make(root, where), 0);
	ok(!is_there("leases/" UUID ".lease"));
	ok(!is_there("leases/" UUID ".lease.damaged"));
	ok(!is_there("products/" UUID ".state.damaged"));
	ok(!is_there("publishers/b.state"));
	ok(!is_there("publishers/a.host"));
	ok(!is_there("products/no-product.state"));
	ok(!is_there("instance"));
	ok(is_there("leases/" UUID ".view"));
	is(file_read_own(at("publishers/a.state"), buf, sizeof(buf), &len), 0);
	is(state_publisher_decode(buf, len, &pub), 0);
	ok(sodium_is_zero(pub.cmid, sizeof(pub.cmid)));
	is(pub.machine[0], 2);
	is(pub.serial, 7);
}

static void
test_b38_a_damaged_product_is_worth_no_fresh_grace(void)
{
	struct state_product s = {.count = 1};
	uint8_t buf[STATE_FILE_MAX];
	size_t len = 0;

	is(file_read_own(at("products/" UUID ".state"), buf, sizeof(buf), &len),
	    0);
	is(state_product_decode(buf, len, &s), 0);
	is(s.first_seen_unix_s, 99);
	is(s.rearms, 3);
	is(s.machine[0], 2);
	ok(s.is_image);
	is(file_read_own(at("products/6"
	                    "b0c1a52-7d7e-4b8e-9a51-0d3f5c7a1e02.state"),
	       buf, sizeof(buf), &len),
	    0);
	is(state_product_decode(buf, len, &s), 0);
	is(s.first_seen_unix_s, STATE_SEEN_LOST);
	is(s.product[0], 0x6b);
	ok(s.is_image);
}

static void
test_b38_generalize_can_be_repeated_and_tells_what_failed(void)
{
	char where[FILE_PATH_MAX], cmd[64];

	is(image_make(root, where), 0);
	is(mkdir(at("publishers/c.state"), 0700), 0);
	is(image_make(root, where), MUSTER_E_IO);
	is_str(where, at("publishers/c.state"));
	is(rmdir(at("publishers/c.state")), 0);
	(void)snprintf(cmd, sizeof(cmd), "rm -rf %s", root);
	is(system(cmd), 0);
	/* a machine where nothing ever was */
	is(image_make(root, where), 0);
}

int
main(void)
{
	ok(sodium_init() >= 0);
	ok(mkdtemp(root) != NULL);
	is(file_mkdirs(at("publishers"), 0700), 0);
	is(file_mkdirs(at("products"), 0700), 0);
	is(file_mkdirs(at("leases"), 0700), 0);
	test_b38_every_file_is_cleared();
	test_b38_a_damaged_product_is_worth_no_fresh_grace();
	test_b38_generalize_can_be_repeated_and_tells_what_failed();
	return tap_done();
}
