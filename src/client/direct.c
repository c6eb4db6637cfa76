/* SPDX-License-Identifier: MIT */
#include "client/direct.h"

#include <fcntl.h>
#include <sodium.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/hex.h"
#include "base/paths.h"
#include "client/catalogues.h"
#include "client/machine.h"
#include "client/recover.h"

#define DAY_S INT64_C(86400)

/* Everything that one run works on. */
struct run {
	const struct direct_options *opt;
	struct direct_result *out;
	struct catalogue *cat;
	const struct cat_product *product;
	struct machine machine;
	uint8_t print[WIRE_ID_LEN];
	char name[WIRE_NAME_MAX + 1];
	char publisher_path[FILE_PATH_MAX];
	char product_path[FILE_PATH_MAX];
	char lease_path[FILE_PATH_MAX];
	char at[FILE_PATH_MAX]; /* what is being worked on */
	int lock_fd;
	struct state_publisher publisher;
	struct state_product state;
	bool has_lease;
	struct lease lease;
};

/* Paths under the root that are too long show cut; they fail elsewhere. */
static void
note(struct run *r, const char *root, const char *path)
{
	(void)snprintf(r->at, sizeof(r->at), "%s%s", root == NULL ? "" : root,
	    path);
}

static int
path_under(struct run *r, const char *folder, const char *name,
    const char *suffix, char *out)
{
	char rel[FILE_PATH_MAX], dir[FILE_PATH_MAX];
	int err;

	(void)snprintf(rel, sizeof(rel), PATH_AGENT_STATE "/%s", folder);
	note(r, r->opt->root, rel);
	err = file_join(r->opt->root, rel, dir, sizeof(dir));
	if (err == 0)
		err = file_mkdirs(dir, 0755);
	(void)snprintf(rel, sizeof(rel), PATH_AGENT_STATE "/%s/%s%s", folder,
	    name, suffix);
	if (err == 0)
		err = file_join(r->opt->root, rel, out, FILE_PATH_MAX);
	return err;
}

static int
make_paths(struct run *r)
{
	char hex[2 * PUBLISHER_LEN + 1], uuid[UUID_TEXT_LEN + 1];
	int err;

	hex_encode(r->cat->head.publisher, PUBLISHER_LEN, hex);
	uuid_format(r->product->id, uuid);
	err = path_under(r, "publishers", hex, ".state", r->publisher_path);
	if (err == 0) {
		err =
		    path_under(r, "products", uuid, ".state", r->product_path);
	}
	if (err == 0)
		err = path_under(r, "leases", uuid, ".lease", r->lease_path);
	return err;
}

/* Two calls at once would each make a CMID and break the reply chain. */
static int
lock(struct run *r)
{
	char path[FILE_PATH_MAX];
	int err;

	err = file_join(r->opt->root, PATH_AGENT_STATE "/lock", path,
	    sizeof(path));
	if (err != 0)
		return err;
	note(r, NULL, path);
	r->lock_fd =
	    open(path, O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0600);
	if (r->lock_fd < 0)
		return MUSTER_E_DENIED;
	if (flock(r->lock_fd, LOCK_EX) != 0)
		return MUSTER_E_IO;
	return 0;
}

/* One that cannot be read is an error, not damage. */
static bool
is_unreadable(int err)
{
	return err == MUSTER_E_DENIED || err == MUSTER_E_IO;
}

static void
report_damage(struct run *r, const char *path, bool is_recovered)
{
	struct direct_result *out = r->out;
	struct direct_damage *d = &out->damage[out->n_damages++];

	recover_aside(path);
	(void)snprintf(d->path, sizeof(d->path), "%s", path);
	d->is_cmid = path == r->publisher_path;
	d->is_recovered = is_recovered;
}

static bool
is_other_machine(const struct state_publisher *p, const uint8_t *tag,
    const uint8_t *instance)
{
	if (memcmp(p->machine, tag, WIRE_ID_LEN) != 0)
		return true;
	return !sodium_is_zero(p->instance, WIRE_ID_LEN) &&
	    !sodium_is_zero(instance, WIRE_ID_LEN) &&
	    memcmp(p->instance, instance, WIRE_ID_LEN) != 0;
}

static void
make_cmid(uint8_t *cmid)
{
	do {
		randombytes_buf(cmid, WIRE_ID_LEN);
	} while (sodium_is_zero(cmid, WIRE_ID_LEN));
}

static int
read_publisher(struct run *r)
{
	struct state_publisher *p = &r->publisher;
	uint8_t buf[STATE_FILE_MAX];
	size_t len = 0;
	int err;

	note(r, NULL, r->publisher_path);
	err = file_read(r->publisher_path, buf, sizeof(buf), &len);
	if (err == 0)
		err = state_publisher_decode(buf, len, p);
	if (err == 0 &&
	    memcmp(p->publisher, r->cat->head.publisher, PUBLISHER_LEN) != 0)
		err = MUSTER_E_PUBLISHER;
	return err;
}

/* Without a file: the CMID that a lease names (true), else a new one. */
static bool
restore_publisher(struct run *r, bool is_damaged, int64_t now_unix_s)
{
	struct lease lease;
	bool is_found =
	    recover_find(r->opt->root, r->cat, &r->machine, now_unix_s, &lease);

	r->publisher = (struct state_publisher){0};
	if (is_found)
		recover_publisher(&lease, &r->publisher);
	else
		make_cmid(r->publisher.cmid);
	if (is_damaged)
		report_damage(r, r->publisher_path, is_found);
	return is_found;
}

/* *is_new_out: the CMID has sent nothing yet. */
static int
load_publisher(struct run *r, int64_t now_unix_s, bool *is_new_out)
{
	const struct cat_head *head = &r->cat->head;
	struct state_publisher *p = &r->publisher;
	uint8_t tag[WIRE_ID_LEN];
	bool is_moved;
	int err = read_publisher(r);

	if (is_unreadable(err))
		return err;
	machine_tag(&r->machine, head->publisher, tag);
	is_moved = err == 0 && is_other_machine(p, tag, r->machine.instance);
	*is_new_out = is_moved;
	if (err != 0)
		*is_new_out =
		    !restore_publisher(r, err != MUSTER_E_NOENT, now_unix_s);
	else if (is_moved)
		make_cmid(p->cmid);
	if (p->serial > head->serial)
		return MUSTER_E_SERIAL;
	memcpy(p->publisher, head->publisher, PUBLISHER_LEN);
	memcpy(p->machine, tag, WIRE_ID_LEN);
	if (is_moved || !sodium_is_zero(r->machine.instance, WIRE_ID_LEN))
		memcpy(p->instance, r->machine.instance, WIRE_ID_LEN);
	p->serial = head->serial;
	if (p->high_water_unix_s < head->signed_unix_s)
		p->high_water_unix_s = head->signed_unix_s;
	return 0;
}

static int
load_product(struct run *r, bool is_new, int64_t now_unix_s)
{
	struct state_product *s = &r->state;
	uint8_t buf[STATE_FILE_MAX];
	size_t len = 0;
	int err;

	note(r, NULL, r->product_path);
	err = file_read(r->product_path, buf, sizeof(buf), &len);
	if (is_unreadable(err))
		return err;
	if (err == 0)
		err = state_product_decode(buf, len, s);
	if (err == 0 && memcmp(s->product, r->product->id, PRODUCT_LEN) != 0)
		err = MUSTER_E_PRODUCT;
	if (err != 0) {
		bool is_genuine = r->has_lease &&
		    recover_is_genuine(&r->lease, r->cat, &r->machine,
		        now_unix_s);

		recover_product(r->product->id, is_genuine ? &r->lease : NULL,
		    err != MUSTER_E_NOENT, now_unix_s, s);
		if (err != MUSTER_E_NOENT)
			report_damage(r, r->product_path, is_genuine);
	}
	/* A new CMID has no earlier reply. */
	if (is_new)
		memset(s->previous, 0, sizeof(s->previous));
	return 0;
}

static int
load_lease(struct run *r)
{
	uint8_t buf[LEASE_FILE_MAX];
	struct wire_args args;
	size_t len = 0;
	int err;

	note(r, NULL, r->lease_path);
	err = file_read(r->lease_path, buf, sizeof(buf), &len);
	if (is_unreadable(err))
		return err;
	/* nor is it one when it is another product's */
	r->has_lease = err == 0 && lease_decode(buf, len, &r->lease) == 0 &&
	    wire_args_decode(r->lease.args, r->lease.args_len, &args) == 0 &&
	    memcmp(args.product, r->product->id, PRODUCT_LEN) == 0;
	return 0;
}

static int64_t
latest(const struct run *r, int64_t now_unix_s)
{
	int64_t high_unix_s = r->publisher.high_water_unix_s;

	return high_unix_s > now_unix_s ? high_unix_s : now_unix_s;
}

/* A lease that holds ends a grace; one that fell, err says how, starts it. */
static void
take_grace(struct run *r, int err, int64_t at_unix_s, int64_t ends_unix_s)
{
	struct state_product *s = &r->state;

	if (err == 0) {
		s->grace_unix_s = 0;
		if (s->first_seen_unix_s == STATE_SEEN_LOST)
			s->first_seen_unix_s = r->lease.grant.issued_unix_s;
	} else if (s->grace_unix_s == 0 && err == MUSTER_E_EXPIRED) {
		s->grace_unix_s = ends_unix_s;
	} else if (s->grace_unix_s == 0 &&
	    s->first_seen_unix_s != STATE_SEEN_LOST) {
		/* where the state was lost, nothing says that it ever held */
		s->grace_unix_s = at_unix_s;
	}
}

/* The licence state now; a lease that fell starts its grace here. */
static enum wire_state
licence(struct run *r, int64_t now_unix_s, uint32_t *minutes_out)
{
	struct state_lease worth = {0};
	struct lease_facts facts;
	int64_t at_unix_s = latest(r, now_unix_s);
	int err;

	if (r->has_lease) {
		err = lease_facts(&r->lease, r->cat, &facts);
		if (err == 0) {
			err = machine_judge(&r->machine, &r->lease, &facts,
			    at_unix_s, 0);
		}
		worth.holds = err == 0;
		worth.ends_unix_s = r->lease.grant.issued_unix_s +
		    (int64_t)r->product->validity_days * DAY_S;
		take_grace(r, err, at_unix_s, worth.ends_unix_s);
	}
	return state_licence(&r->state, &worth, r->product, at_unix_s,
	    minutes_out);
}

static int
save(struct run *r)
{
	uint8_t buf[STATE_FILE_MAX];
	size_t len = 0;
	int err;

	note(r, NULL, r->publisher_path);
	err = state_publisher_encode(&r->publisher, buf, sizeof(buf), &len);
	if (err == 0)
		err = file_replace(r->publisher_path, buf, len, 0600);
	if (err == 0)
		note(r, NULL, r->product_path);
	if (err == 0)
		err = state_product_encode(&r->state, buf, sizeof(buf), &len);
	if (err == 0)
		err = file_replace(r->product_path, buf, len, 0600);
	return err;
}

static int
ask(struct run *r, size_t i, struct direct_result *out)
{
	struct direct_outcome *o = &out->outcome[i];
	uint8_t nonce[WIRE_ID_LEN], body[RPC_BODY_MAX];
	struct request_in in = {.product = r->product,
	    .cmid = r->publisher.cmid,
	    .machine = r->print,
	    .nonce = nonce,
	    .previous = r->state.previous,
	    .name = r->name};
	struct request req;
	struct reply reply = {0};
	size_t len = 0;
	int err;

	/* Each host gets a nonce of its own. */
	randombytes_buf(nonce, sizeof(nonce));
	in.xid = randombytes_random();
	in.now_unix_s = clock_unix_s();
	in.state = licence(r, in.now_unix_s, &in.minutes_left);
	if (r->state.has_certificate)
		in.certificate = r->state.certificate;
	err = request_make(&in, &req);
	if (err != 0)
		return err;
	out->n_outcomes = i + 1;
	o->err = exchange_run(&r->opt->targets[i], i + 1 < r->opt->n_targets,
	    req.record, req.record_len, body, &len);
	if (o->err == 0) {
		o->err = request_judge(&req, body, len, r->cat, clock_unix_s(),
		    &reply);
	}
	if (o->err == 0) {
		out->has_reply = true;
		out->reply = reply;
	} else if (o->err == MUSTER_E_REFUSED) {
		o->status = reply.status;
		o->host_unix_s = reply.host_unix_s;
		o->busy_s = reply.busy_s;
	}
	return 0;
}

/* Take a verified reply: numbers always, the lease when it is better. */
static int
keep(struct run *r, const struct exchange_target *from,
    struct direct_result *out)
{
	const struct reply *reply = &out->reply;
	const struct wire_grant *grant = &reply->lease.grant;
	struct state_product *s = &r->state;
	uint8_t buf[LEASE_FILE_MAX];
	size_t len = 0;
	int err = 0;

	r->publisher.high_water_unix_s = grant->issued_unix_s;
	if (r->publisher.high_water_unix_s < r->cat->head.signed_unix_s)
		r->publisher.high_water_unix_s = r->cat->head.signed_unix_s;
	s->count = grant->count;
	s->renewal_min = grant->renewal_min;
	s->retry_min = grant->retry_min;
	s->answered_unix_s = grant->issued_unix_s;
	memcpy(s->previous, reply->tag, WIRE_TAG_LEN);
	s->has_certificate = true;
	memcpy(s->certificate, reply->lease.certificate, CERT_LEN);
	(void)snprintf(s->host, sizeof(s->host), "%s", from->text);
	if (request_replaces(&reply->lease, r->has_lease ? &r->lease : NULL,
	        r->cat, r->print, latest(r, clock_unix_s()))) {
		note(r, NULL, r->lease_path);
		err = lease_encode(&reply->lease, buf, sizeof(buf), &len);
		if (err == 0)
			err = file_replace(r->lease_path, buf, len, 0644);
		if (err == 0) {
			r->lease = reply->lease;
			r->has_lease = out->is_stored = true;
		}
	}
	return err;
}

static int
prepare(struct run *r, struct direct_result *out)
{
	const struct direct_options *opt = r->opt;
	int64_t now_unix_s = clock_unix_s();
	bool is_new = false;
	int err;

	note(r, opt->root, PATH_MACHINE_ID_OS);
	err = machine_read(opt->root, &r->machine);
	if (err == 0) {
		if (opt->catalogue != NULL)
			note(r, NULL, opt->catalogue);
		else
			note(r, opt->root, PATH_CATALOGUES);
		err = catalogues_for(opt->root, opt->catalogue, opt->product,
		    r->cat);
	}
	if (err != 0)
		return err;
	r->product = cat_product(r->cat, opt->product);
	out->product = *r->product;
	out->serial = r->cat->head.serial;
	memcpy(out->publisher, r->cat->head.publisher, PUBLISHER_LEN);
	machine_fingerprint(&r->machine, out->publisher, r->print);
	machine_name(r->name);
	err = make_paths(r);
	if (err == 0)
		err = lock(r);
	if (err == 0)
		err = load_lease(r);
	if (err == 0)
		err = load_publisher(r, now_unix_s, &is_new);
	if (err == 0)
		err = load_product(r, is_new, now_unix_s);
	if (err == 0) {
		out->state = licence(r, now_unix_s, &out->minutes_left);
		memcpy(out->lease_path, r->lease_path, FILE_PATH_MAX);
		err = save(r);
	}
	return err;
}

int
direct_run(const struct direct_options *opt, struct direct_result *result_out)
{
	struct direct_result *out = result_out;
	struct run r = {.opt = opt, .out = out, .lock_fd = -1};
	int err = MUSTER_E_NOMEM;

	*out = (struct direct_result){0};
	r.cat = malloc(sizeof(*r.cat));
	if (r.cat == NULL)
		goto out;
	err = prepare(&r, out);
	for (size_t i = 0; err == 0 && i < opt->n_targets; i++) {
		err = ask(&r, i, out);
		if (err != 0 || !out->has_reply)
			continue;
		err = keep(&r, &opt->targets[i], out);
		out->state = licence(&r, clock_unix_s(), &out->minutes_left);
		if (err == 0)
			err = save(&r);
		break;
	}
out:
	if (r.lock_fd >= 0)
		(void)close(r.lock_fd);
	free(r.cat);
	memcpy(out->path, r.at, sizeof(out->path));
	return err;
}
