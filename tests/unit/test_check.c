/* SPDX-License-Identifier: MIT */
#include "muster/muster.h"

#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/file.h"
#include "base/hex.h"
#include "client/machine.h"
#include "client/state.h"
#include "client_fixture.h"
#include "stack.h"

#define MACHINE_ID "0123456789abcdef0123456789abcdef\n"
#if defined(__SANITIZE_ADDRESS__)
#define STACK_WANTED (64 * 1024) /* red zones count as stack */
#else
#define STACK_WANTED (16 * 1024)
#endif

static char root[] = "/tmp/muster-check.XXXXXX";
static char package[64];
static int64_t now;
static struct muster_product product;

static void
put(const char *rel, const void *data, size_t len)
{
	char path[FILE_PATH_MAX], dir[FILE_PATH_MAX];
	char *slash;

	(void)snprintf(path, sizeof(path), "%s/%s", root, rel);
	memcpy(dir, path, sizeof(dir));
	slash = strrchr(dir, '/');
	*slash = '\0';
	if (file_mkdirs(dir, 0755) != 0 ||
	    file_replace(path, data, len, 0644) != 0)
		ok(!"the test writes its files");
}

static void
forget(const char *rel)
{
	char path[FILE_PATH_MAX];

	(void)snprintf(path, sizeof(path), "%s/%s", root, rel);
	(void)unlink(path);
}

static const char *
of_product(const char *folder, const char *suffix)
{
	static char rel[128];
	char uuid[UUID_TEXT_LEN + 1];

	uuid_format(fx_cat.products[0].id, uuid);
	(void)snprintf(rel, sizeof(rel), "var/lib/muster/agent/%s/%s%s", folder,
	    uuid, suffix);
	return rel;
}

static const char *
installed(void)
{
	static char rel[128];
	char id[2 * PUBLISHER_LEN + 1];

	hex_encode(fx_cat.head.publisher, PUBLISHER_LEN, id);
	(void)snprintf(rel, sizeof(rel), "var/lib/muster/catalogues/%s.muster",
	    id);
	return rel;
}

static void
put_catalogue(const char *rel, const struct catalogue *cat)
{
	static uint8_t buf[CAT_FILE_MAX];
	size_t len = 0;

	if (cat_encode(cat, fx_root_sk, buf, sizeof(buf), &len) != 0)
		ok(!"catalogue encodes");
	put(rel, buf, len);
}

static size_t
make_lease(uint32_t count, int64_t issued_unix_s, uint8_t *buf)
{
	static const uint8_t cmid[WIRE_ID_LEN] = {1};
	struct machine machine;
	uint8_t print[WIRE_ID_LEN], body[RPC_BODY_MAX];
	struct wire_grant grant = fx_grant(count, issued_unix_s);
	struct request req;
	struct reply reply;
	size_t len = 0;

	if (machine_id_parse((const uint8_t *)MACHINE_ID, 33, machine.id) != 0)
		ok(!"machine id");
	memset(machine.instance, 0, sizeof(machine.instance));
	machine_fingerprint(&machine, fx_cat.head.publisher, print);
	if (fx_request(cmid, print, false, issued_unix_s, &req) != 0)
		ok(!"request");
	len = fx_answer(&req, &grant, 0, body);
	if (request_judge(&req, body, len, &fx_cat, issued_unix_s, &reply) !=
	        0 ||
	    lease_encode(&reply.lease, buf, LEASE_FILE_MAX, &len) != 0)
		ok(!"lease");
	return len;
}

static void
put_lease(uint32_t count, int64_t issued_unix_s)
{
	uint8_t buf[LEASE_FILE_MAX];
	size_t len = make_lease(count, issued_unix_s, buf);

	put(of_product("leases", ".lease"), buf, len);
}

static struct muster_answer
check(void)
{
	struct muster_answer a = {.reason = 99};

	is(muster_check(&product, &a), 0);
	return a;
}

static void
fresh(void)
{
	put("etc/machine-id", MACHINE_ID, 33);
	put_catalogue("acme.muster", &fx_cat);
	put_lease(5, now);
	forget(of_product("leases", ".view"));
	forget(installed());
	forget("var/lib/muster/agent/instance");
	forget("etc/muster/machine-id");
	product = (struct muster_product){.product = fx_cat.products[0].id,
	    .root_keys = fx_root_pk,
	    .n_root_keys = 1,
	    .catalogue = package,
	    .root = root};
}

static void
test_b35_check_good(void)
{
	struct muster_answer a;

	fresh();
	a = check();
	is(a.reason, 0);
	is(a.state, MUSTER_LICENSED_NOW);
	is(a.count, 5);
	is(a.threshold, 5);
	ok(a.seconds_left > 180 * 86400 - 60);
	ok(a.seconds_left <= 180 * 86400);
}

static void
test_b35_check_other_machine(void)
{
	struct muster_answer a;

	fresh();
	put("etc/muster/machine-id", "fedcba9876543210fedcba9876543210\n", 33);
	a = check();
	is(a.reason, MUSTER_E_MACHINE);
	is(a.state, MUSTER_UNLICENSED_NOW);
	forget("etc/muster/machine-id");
	forget("etc/machine-id");
	is(check().reason, MUSTER_E_NOMACHINE);
}

static void
test_check_instance_that_appears(void)
{
	fresh();
	put("var/lib/muster/agent/instance",
	    "00000000000000000000000000000001\n", 33);
	is(check().reason, 0);
}

static void
test_check_below_threshold(void)
{
	struct muster_answer a;

	fresh();
	put_lease(4, now);
	a = check();
	is(a.reason, MUSTER_E_COUNT);
	is(a.count, 4);
}

static void
test_check_lapsed_lease_has_its_grace(void)
{
	struct muster_answer a;

	fresh();
	fx_init(now - 181 * 86400);
	put_lease(5, now - 181 * 86400);
	put_catalogue("acme.muster", &fx_cat);
	a = check();
	is(a.reason, MUSTER_E_EXPIRED);
	is(a.state, MUSTER_TOLERANCE_GRACE_NOW);
	ok(a.seconds_left > 19 * 86400 - 120 && a.seconds_left <= 19 * 86400);
	fx_init(now - 201 * 86400);
	put_lease(5, now - 201 * 86400);
	put_catalogue("acme.muster", &fx_cat);
	is(check().state, MUSTER_NOTIFICATION_NOW);
	fx_init(now);
}

static void
put_view(const struct state_view *view)
{
	uint8_t buf[STATE_VIEW_LEN];

	is(state_view_encode(view, buf), 0);
	put(of_product("leases", ".view"), buf, sizeof(buf));
}

static struct state_view
a_view(void)
{
	struct state_view view = {.first_seen_unix_s = now - 86400};

	memcpy(view.product, fx_cat.products[0].id, PRODUCT_LEN);
	memcpy(view.publisher, fx_cat.head.publisher, PUBLISHER_LEN);
	return view;
}

static void
test_check_initial_grace_from_the_view(void)
{
	struct state_view view = a_view();
	struct muster_answer a;

	fresh();
	forget(of_product("leases", ".lease"));
	a = check();
	is(a.reason, MUSTER_E_NOENT);
	is(a.state, MUSTER_UNLICENSED_NOW);
	put_view(&view);
	a = check();
	is(a.state, MUSTER_INITIAL_GRACE_NOW);
	ok(a.seconds_left > 29 * 86400 - 120 && a.seconds_left <= 29 * 86400);
	view.publisher[0] ^= 1; /* of another publisher, or product */
	put_view(&view);
	is(check().state, MUSTER_UNLICENSED_NOW);
	view = a_view();
	view.product[0] ^= 1;
	put_view(&view);
	is(check().state, MUSTER_UNLICENSED_NOW);
}

/* b36: the high water outlives a clock that is set back. */
static void
test_b36_check_knows_the_high_water(void)
{
	struct state_view view = a_view();

	fresh();
	view.high_water_unix_s = now + 181 * 86400;
	put_view(&view);
	is(check().reason, MUSTER_E_EXPIRED);
	is(check().state, MUSTER_TOLERANCE_GRACE_NOW);
	view.high_water_unix_s = now - 181 * 86400;
	put_view(&view);
	is(check().reason, 0);
}

static void
test_check_catalogue_in_force(void)
{
	static struct catalogue newer;
	struct muster_answer a;

	fresh();
	newer = fx_cat;
	newer.head.serial = 4;
	newer.products[0].threshold = 6;
	put_catalogue(installed(), &newer);
	a = check();
	is(a.reason, MUSTER_E_COUNT);
	is(a.threshold, 6);
	newer.head.serial = 2;
	put_catalogue(installed(), &newer);
	is(check().reason, 0);
	product.least_serial = 4;
	is(check().reason, MUSTER_E_SERIAL);
	product.least_serial = 3;
	is(check().reason, 0);
	put(installed(), "rubbish", 7);
	is(check().reason, 0);
	product.catalogue = NULL;
	ok(check().reason != 0);
}

/* The package's own beside the installed one: the same, broken, or the only
 * one that is whole. */
static void
test_check_catalogue_twice(void)
{
	static uint8_t buf[CAT_FILE_MAX];
	static struct catalogue older;
	size_t len = 0;

	fresh();
	put_catalogue(installed(), &fx_cat);
	is(check().reason, 0);
	is(cat_encode(&fx_cat, fx_root_sk, buf, sizeof(buf), &len), 0);
	buf[CAT_HEADER_LEN + PUBKEY_LEN + 4] ^= 1;
	/* one signature, another body: whichever of the two it is */
	put("acme.muster", buf, len);
	is(check().reason, 0);
	put(installed(), buf, len);
	is(check().reason, MUSTER_E_SIG);
	put_catalogue("acme.muster", &fx_cat);
	is(check().reason, 0);
	/* of one length, but another one */
	older = fx_cat;
	older.head.serial--;
	older.products[0].threshold = 6;
	put_catalogue(installed(), &older);
	is(check().reason, 0);
	put_catalogue("acme.muster", &older);
	is(check().reason, MUSTER_E_COUNT);
	put_catalogue(installed(), &fx_cat);
	is(check().reason, 0);
}

static void
test_check_revoked(void)
{
	static struct catalogue newer;

	fresh();
	newer = fx_cat;
	newer.n_revocations = 1;
	newer.revocations[0] =
	    (struct cat_revocation){.key_number = 7, .slot = 1};
	put_catalogue("acme.muster", &newer);
	is(check().reason, MUSTER_E_REVOKED);
	newer.revocations[0].slot = 2;
	put_catalogue("acme.muster", &newer);
	is(check().reason, 0);
}

static void
test_check_pinned_keys(void)
{
	uint8_t keys[2 * PUBKEY_LEN];
	uint8_t sk[SECKEY_LEN];

	fresh();
	(void)crypto_sign_keypair(keys, sk);
	memcpy(keys + PUBKEY_LEN, fx_root_pk, PUBKEY_LEN);
	product.root_keys = keys;
	is(check().reason, MUSTER_E_PUBLISHER);
	product.n_root_keys = 2;
	is(check().reason, 0);
}

/* Whatever else is pinned, an anchor that nobody filled in is a mistake. */
static void
test_check_zero_anchor_is_refused(void)
{
	uint8_t keys[2 * PUBKEY_LEN] = {0};
	struct muster_answer a = {.count = 77};

	fresh();
	product.root_keys = keys;
	for (unsigned first = 0; first < 2; first++) {
		memset(keys, 0, sizeof(keys));
		memcpy(keys + first * PUBKEY_LEN, fx_root_pk, PUBKEY_LEN);
		product.n_root_keys = 2;
		is(muster_check(&product, &a), MUSTER_E_KEY);
		keys[(1 - first) * PUBKEY_LEN] = 1; /* the identity */
		is(muster_check(&product, &a), MUSTER_E_KEY);
	}
	is(a.count, 77);
	memcpy(keys, fx_root_pk, PUBKEY_LEN);
	product.n_root_keys = 1;
	is(check().reason, 0);
}

static void
test_check_altered_lease_never_holds(void)
{
	uint8_t buf[LEASE_FILE_MAX + 1];
	struct muster_answer a;
	size_t len;
	int bad = 0;

	fresh();
	len = make_lease(5, now, buf);
	for (size_t i = 0; i < len; i++) {
		buf[i] ^= (uint8_t)(1U << i % 8);
		put(of_product("leases", ".lease"), buf, len);
		bad += muster_check(&product, &a) != 0 || a.reason == 0;
		buf[i] ^= (uint8_t)(1U << i % 8);
	}
	is(bad, 0);
	for (size_t i = 0; i < len; i++) {
		put(of_product("leases", ".lease"), buf, i);
		bad += muster_check(&product, &a) != 0 || a.reason == 0;
	}
	is(bad, 0);
	buf[len] = 0;
	put(of_product("leases", ".lease"), buf, len + 1);
	ok(check().reason != 0);
	put(of_product("leases", ".lease"), buf, len);
	is(check().reason, 0);
}

static void
test_check_arguments(void)
{
	struct muster_answer a;

	fresh();
	is(muster_check(NULL, &a), MUSTER_E_INVAL);
	is(muster_check(&product, NULL), MUSTER_E_INVAL);
	product.n_root_keys = 0;
	is(muster_check(&product, &a), MUSTER_E_INVAL);
}

static void *
thread_check(void *arg)
{
	struct muster_answer a;

	return muster_check(&product, &a) == 0 && a.reason == 0 ? arg : NULL;
}

static void
test_check_stack_is_small(void)
{
	size_t idle, used;

	fresh();
	is(check().reason, 0);
	put_catalogue(installed(), &fx_cat);
	idle = stack_used(thread_idle);
	used = stack_used(thread_check);
	printf("# %zu bytes of stack\n", used - idle);
	ok(idle > 0);
	ok(used > idle && used - idle <= STACK_WANTED);
}

int
main(void)
{
	char command[64];

	now = clock_unix_s();
	fx_init(now);
	ok(mkdtemp(root) != NULL);
	(void)snprintf(package, sizeof(package), "%s/acme.muster", root);
	test_b35_check_good();
	test_b35_check_other_machine();
	test_check_instance_that_appears();
	test_check_below_threshold();
	test_check_lapsed_lease_has_its_grace();
	test_check_initial_grace_from_the_view();
	test_b36_check_knows_the_high_water();
	test_check_catalogue_in_force();
	test_check_catalogue_twice();
	test_check_revoked();
	test_check_pinned_keys();
	test_check_zero_anchor_is_refused();
	test_check_altered_lease_never_holds();
	test_check_arguments();
	test_check_stack_is_small();
	(void)snprintf(command, sizeof(command), "rm -rf %s", root);
	ok(system(command) == 0);
	return tap_done();
}
