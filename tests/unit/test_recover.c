/* SPDX-License-Identifier: MIT */
#include "client/recover.h"

#include "client_fixture.h"

#define VALIDITY (INT64_C(180) * 86400)

static const uint8_t cmid[WIRE_ID_LEN] = {1, 2, 3};
static const struct machine here = {.id = {7}};

/* What an honest host gave to a machine for a count. */
static struct lease
lease_for(const struct machine *machine, uint32_t count)
{
	const struct wire_grant grant = fx_grant(count, FX_NOW);
	uint8_t print[WIRE_ID_LEN], body[RPC_BODY_MAX];
	struct request req;
	struct reply reply = {0};

	machine_fingerprint(machine, fx_cat.head.publisher, print);
	is(fx_request(cmid, print, false, FX_NOW, &req), 0);
	is(request_judge(&req, body, fx_answer(&req, &grant, 0, body), &fx_cat,
	       FX_NOW, &reply),
	    0);
	return reply.lease;
}

static void
test_a_lease_of_this_machine_is_genuine(void)
{
	struct lease lease = lease_for(&here, 5), low = lease_for(&here, 1);
	struct machine other = here, published = here;

	ok(recover_is_genuine(&lease, &fx_cat, &here, FX_NOW));
	ok(recover_is_genuine(&low, &fx_cat, &here, FX_NOW));
	/* long ended, and by a clock that was set back */
	ok(recover_is_genuine(&lease, &fx_cat, &here, FX_NOW + 9 * VALIDITY));
	ok(recover_is_genuine(&lease, &fx_cat, &here, 1));
	/* from before the agent published an instance */
	published.instance[0] = 1;
	ok(recover_is_genuine(&lease, &fx_cat, &published, FX_NOW));
	other.id[0] ^= 1;
	ok(!recover_is_genuine(&lease, &fx_cat, &other, FX_NOW));
	lease.signature[9] ^= 1;
	ok(!recover_is_genuine(&lease, &fx_cat, &here, FX_NOW));
	lease.signature[9] ^= 1;
	lease.args[30] ^= 1;
	ok(!recover_is_genuine(&lease, &fx_cat, &here, FX_NOW));
}

static void
test_b30_publisher_by_a_lease(void)
{
	struct lease lease = lease_for(&here, 5);
	struct state_publisher s = {.serial = 3};

	recover_publisher(&lease, &s);
	ok(memcmp(s.cmid, cmid, WIRE_ID_LEN) == 0);
	is(s.high_water_unix_s, FX_NOW);
	is(s.serial, 3);
}

static void
test_b30_product_without_its_file(void)
{
	const struct cat_product *p = &fx_cat.products[0];
	const struct state_lease none = {.holds = false};
	struct lease lease = lease_for(&here, 5);
	struct state_product s;
	uint8_t buf[STATE_FILE_MAX];
	uint32_t minutes;
	size_t len;

	/* never seen: the grace begins */
	recover_product(p->id, NULL, false, FX_NOW, &s);
	is(s.first_seen_unix_s, FX_NOW);
	is(state_licence(&s, &none, p, FX_NOW, &minutes), WIRE_INITIAL_GRACE);
	/* seen, and when is lost: no grace, ever */
	recover_product(p->id, NULL, true, FX_NOW, &s);
	is(s.first_seen_unix_s, STATE_SEEN_LOST);
	is(state_licence(&s, &none, p, FX_NOW, &minutes), WIRE_UNLICENSED);
	is(minutes, 0);
	is(state_product_encode(&s, buf, sizeof(buf), &len), 0);
	/* a lease says that it was seen by then, whatever the clock says */
	recover_product(p->id, &lease, true, FX_NOW + 99, &s);
	is(s.first_seen_unix_s, FX_NOW);
	is(s.count, 5);
	is(s.renewal_min, 10080);
	is(s.retry_min, 120);
	ok(s.has_certificate && memcmp(s.certificate, fx_cert, CERT_LEN) == 0);
	ok(sodium_is_zero(s.previous, WIRE_TAG_LEN));
	ok(memcmp(s.product, p->id, PRODUCT_LEN) == 0);
	recover_product(p->id, &lease, true, FX_NOW - 99, &s);
	is(s.first_seen_unix_s, FX_NOW - 99);
}

int
main(void)
{
	fx_init(FX_NOW);
	test_a_lease_of_this_machine_is_genuine();
	test_b30_publisher_by_a_lease();
	test_b30_product_without_its_file();
	return tap_done();
}
