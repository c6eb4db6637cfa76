/* SPDX-License-Identifier: MIT */
/*
 * check.c -- muster_check(): reads clock, machine id and files and hands them
 * to src/trust.  A catalogue is streamed, only what concerns the lease is
 * kept, so the stack stays under 16 KiB.
 */
#include "muster/muster.h"

#include <errno.h>
#include <fcntl.h>
#include <sodium.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/file.h"
#include "base/hex.h"
#include "base/paths.h"
#include "client/machine.h"
#include "client/state.h"
#include "trust/catalogue.h"
#include "trust/lease.h"

#define DAY_S INT64_C(86400)

/* One call, for one pinned root key after another. */
struct check {
	const struct muster_product *in;
	int64_t now_unix_s;
	int machine_err;
	struct machine machine;
	int lease_err; /* 0: the lease decodes */
	struct lease lease;
	bool has_cert;
	struct cert cert;
};

/* What one catalogue says; the sink fills it. */
struct collect {
	const struct check *check;
	struct lease_facts facts;
};

static void
on_issuer(void *arg, const struct cat_issuer *issuer)
{
	struct collect *c = arg;

	if (c->check->has_cert && issuer->number == c->check->cert.issuer) {
		c->facts.issuer = *issuer;
		c->facts.has_issuer = true;
	}
}

static void
on_product(void *arg, const struct cat_product *product)
{
	struct collect *c = arg;

	if (memcmp(product->id, c->check->in->product, PRODUCT_LEN) == 0) {
		c->facts.product = *product;
		c->facts.has_product = true;
	}
}

static void
on_revocation(void *arg, const struct cat_revocation *rev)
{
	struct collect *c = arg;
	const struct cert *cert = &c->check->cert;
	int64_t day = c->check->lease.grant.issued_unix_s / DAY_S;

	if (c->check->has_cert &&
	    cat_revocation_hits(rev, cert->key_number, cert->slot,
	        cert->activation, day < 0 ? 0 : (uint32_t)day))
		c->facts.is_revoked = true;
}

static int
fd_read(void *arg, uint64_t off, uint8_t *buf, size_t len)
{
	const int *fd = arg;

	while (len > 0) {
		ssize_t n = pread(*fd, buf, len, (off_t)off);

		if (n < 0 && errno == EINTR)
			continue;
		if (n <= 0)
			return n == 0 ? MUSTER_E_TRUNC : MUSTER_E_IO;
		buf += n;
		len -= (size_t)n;
		off += (uint64_t)n;
	}
	return 0;
}

/* What a catalogue that verified ended with. */
struct seen {
	uint64_t len; /* of the file; 0: none verified */
	uint8_t sig[SIG_LEN];
};

/* A file of the same length and signature is that very catalogue, or does not
 * verify: either way there is nothing in it to learn.  On most machines the
 * package's own and the installed one are the same. */
static bool
is_seen(const struct seen *seen, const struct cat_source *src)
{
	uint8_t sig[SIG_LEN];

	return seen->len != 0 && seen->len == src->len &&
	    src->read(src->arg, src->len - SIG_LEN, sig, SIG_LEN) == 0 &&
	    memcmp(sig, seen->sig, SIG_LEN) == 0;
}

/* One descriptor from the first byte to the last: files are replaced by
 * rename only.  MUSTER_E_SERIAL: not newer than what was seen. */
static int
read_catalogue(const char *path, const uint8_t *publisher,
    const struct check *check, struct seen *seen, struct lease_facts *facts_out)
{
	struct collect c = {.check = check};
	const struct cat_sink sink = {.issuer = on_issuer,
	    .product = on_product,
	    .revocation = on_revocation,
	    .skips_setup_keys = true,
	    .arg = &c};
	struct cat_source src = {.read = fd_read};
	struct cat_head head;
	struct stat st;
	int fd, err;

	fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
	if (fd < 0)
		return errno == ENOENT ? MUSTER_E_NOENT : MUSTER_E_IO;
	if (fstat(fd, &st) != 0 || !S_ISREG(st.st_mode) || st.st_size < 0) {
		err = MUSTER_E_IO;
		goto out;
	}
	src.arg = &fd;
	src.len = (uint64_t)st.st_size;
	err = is_seen(seen, &src) ? MUSTER_E_SERIAL
	                          : cat_read(&src, publisher, &sink, &head);
	if (err == 0 && head.serial < check->in->least_serial)
		err = MUSTER_E_SERIAL;
	if (err == 0) {
		memcpy(c.facts.publisher, head.publisher, PUBLISHER_LEN);
		c.facts.serial = head.serial;
		c.facts.signed_unix_s = head.signed_unix_s;
		*facts_out = c.facts;
		if (fd_read(&fd, src.len - SIG_LEN, seen->sig, SIG_LEN) == 0)
			seen->len = src.len;
	}
out:
	(void)close(fd);
	return err;
}

/* The higher serial that verifies of the installed and the package's own. */
static int
find_facts(const struct check *check, const uint8_t *publisher,
    struct lease_facts *facts_out)
{
	char rel[sizeof(PATH_CATALOGUES) + 2 * PUBLISHER_LEN + 16];
	char id[2 * PUBLISHER_LEN + 1], path[FILE_PATH_MAX];
	struct lease_facts other;
	struct seen seen = {.len = 0};
	int own_err = MUSTER_E_NOENT, err;

	hex_encode(publisher, PUBLISHER_LEN, id);
	(void)snprintf(rel, sizeof(rel), PATH_CATALOGUES "/%s.muster", id);
	err = file_join(check->in->root, rel, path, sizeof(path));
	if (err == 0)
		err = read_catalogue(path, publisher, check, &seen, facts_out);
	if (check->in->catalogue != NULL) {
		own_err = read_catalogue(check->in->catalogue, publisher, check,
		    &seen, &other);
	}
	if (own_err == 0 && (err != 0 || other.serial > facts_out->serial)) {
		*facts_out = other;
		err = 0;
	} else if (err == MUSTER_E_NOENT) {
		err = own_err;
	}
	return err;
}

static int
read_under(const struct check *check, const char *format, const char *name,
    uint8_t *buf, size_t *len_inout)
{
	char rel[160], path[FILE_PATH_MAX];
	size_t cap = *len_inout;
	int err;

	(void)snprintf(rel, sizeof(rel), "%s/%s%s", PATH_AGENT_STATE, format,
	    name);
	err = file_join(check->in->root, rel, path, sizeof(path));
	if (err == 0)
		err = file_read(path, buf, cap, len_inout);
	return err;
}

static void
load_lease(struct check *check)
{
	char name[UUID_TEXT_LEN + 8];
	uint8_t buf[LEASE_FILE_MAX];
	struct wire_args args;
	size_t len = sizeof(buf);

	uuid_format(check->in->product, name);
	memcpy(name + UUID_TEXT_LEN, ".lease", 7);
	check->lease_err = read_under(check, "leases/", name, buf, &len);
	if (check->lease_err == 0)
		check->lease_err = lease_decode(buf, len, &check->lease);
	if (check->lease_err == 0) {
		check->lease_err = wire_args_decode(check->lease.args,
		    check->lease.args_len, &args);
	}
	/* A lease of another product under this one's name. */
	if (check->lease_err == 0 &&
	    memcmp(args.product, check->in->product, PRODUCT_LEN) != 0)
		check->lease_err = MUSTER_E_PRODUCT;
	if (check->lease_err == 0) {
		check->has_cert =
		    cert_decode(check->lease.certificate, &check->cert) == 0;
	}
}

/* The view is for everybody; what is not there or damaged counts as never
 * seen, so the answer is the stricter one. */
static bool
load_view(const struct check *check, const uint8_t *publisher,
    struct state_view *view_out)
{
	char name[UUID_TEXT_LEN + 8];
	uint8_t buf[STATE_VIEW_LEN + 1];
	size_t len = sizeof(buf);

	uuid_format(check->in->product, name);
	memcpy(name + UUID_TEXT_LEN, ".view", 6);
	return read_under(check, "leases/", name, buf, &len) == 0 &&
	    state_view_decode(buf, len, view_out) == 0 &&
	    memcmp(view_out->product, check->in->product, PRODUCT_LEN) == 0 &&
	    memcmp(view_out->publisher, publisher, PUBLISHER_LEN) == 0;
}

/* The answer by one catalogue. */
static void
answer(const struct check *check, const struct lease_facts *facts,
    struct muster_answer *out)
{
	int64_t now_unix_s = check->now_unix_s;
	struct state_lease worth = {0};
	struct state_view view = {.high_water_unix_s = 0};
	bool has_state = load_view(check, facts->publisher, &view);
	struct state_product state = {.first_seen_unix_s =
	                                  view.first_seen_unix_s,
	    .grace_unix_s = view.grace_unix_s};
	uint32_t minutes = 0;

	if (has_state && view.high_water_unix_s > now_unix_s)
		now_unix_s = view.high_water_unix_s;
	if (facts->signed_unix_s > now_unix_s)
		now_unix_s = facts->signed_unix_s;

	out->threshold = facts->product.threshold;
	out->reason = check->lease_err;
	if (out->reason == 0)
		out->reason = check->machine_err;
	if (out->reason == 0) {
		out->reason = machine_judge(&check->machine, &check->lease,
		    facts, now_unix_s, 0);
	}
	if (check->lease_err == 0) {
		out->count = check->lease.grant.count;
		worth.ends_unix_s = check->lease.grant.issued_unix_s +
		    (int64_t)facts->product.validity_days * DAY_S;
	}
	worth.holds = out->reason == 0;
	/* Every other test was passed: the grace begins where the lease
	 * ended, known without the agent's state. */
	if (out->reason == MUSTER_E_EXPIRED &&
	    now_unix_s >= worth.ends_unix_s &&
	    (!has_state || state.grace_unix_s == 0)) {
		state =
		    (struct state_product){.grace_unix_s = worth.ends_unix_s};
		has_state = true;
	}
	out->state =
	    (enum muster_licence)state_licence(has_state ? &state : NULL,
	        &worth, &facts->product, now_unix_s, &minutes);
	out->seconds_left = worth.holds ? worth.ends_unix_s - now_unix_s
	                                : (int64_t)minutes * 60;
}

/* A key that nobody filled in would be a root of trust for anybody. */
static bool
anchors_are_good(const struct muster_product *product)
{
	bool is_good = true;

	for (size_t i = 0; i < product->n_root_keys && is_good; i++)
		is_good = label_key_is_good(
		    product->root_keys + i * MUSTER_ROOT_KEY_LEN);
	return is_good;
}

int
muster_check(const struct muster_product *product,
    struct muster_answer *answer_out)
{
	struct muster_answer out = {.reason = MUSTER_E_NOENT}, one;
	struct check check = {.in = product};
	bool is_found = false;

	if (product == NULL || answer_out == NULL || product->product == NULL ||
	    product->root_keys == NULL || product->n_root_keys == 0)
		return MUSTER_E_INVAL;
	if (!anchors_are_good(product))
		return MUSTER_E_KEY;
	if (sodium_init() < 0)
		return MUSTER_E_IO;
	check.now_unix_s = clock_unix_s();
	check.machine_err = machine_read(product->root, &check.machine);
	load_lease(&check);
	for (size_t i = 0; i < product->n_root_keys; i++) {
		uint8_t publisher[PUBLISHER_LEN];
		struct lease_facts facts;
		int err;

		label_publisher(product->root_keys + i * MUSTER_ROOT_KEY_LEN,
		    publisher);
		err = find_facts(&check, publisher, &facts);
		if (err == 0 && !facts.has_product)
			err = MUSTER_E_PRODUCT;
		if (err != 0) {
			if (!is_found)
				out.reason = err;
			continue;
		}
		one = (struct muster_answer){.reason = 0};
		answer(&check, &facts, &one);
		/* A successor's catalogue may be there before its leases. */
		if (!is_found || one.reason == 0)
			out = one;
		is_found = true;
		if (one.reason == 0)
			break;
	}
	*answer_out = out;
	return 0;
}
