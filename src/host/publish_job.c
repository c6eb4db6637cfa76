/* SPDX-License-Identifier: MIT */
#include "host/publish_job.h"

#include <arpa/inet.h>
#include <sodium.h>
#include <stdio.h>
#include <string.h>

#include "base/clock.h"

static void on_answer(void *arg, int err, const uint8_t *msg, size_t len);

int
publish_job_address(const char *text, uint16_t port,
    struct sockaddr_storage *out)
{
	struct sockaddr_in in = {.sin_family = AF_INET};
	struct sockaddr_in6 in6 = {.sin6_family = AF_INET6};

	memset(out, 0, sizeof(*out));
	if (inet_pton(AF_INET, text, &in.sin_addr) == 1) {
		in.sin_port = htons(port);
		memcpy(out, &in, sizeof(in));
	} else if (inet_pton(AF_INET6, text, &in6.sin6_addr) == 1) {
		in6.sin6_port = htons(port);
		memcpy(out, &in6, sizeof(in6));
	} else {
		return MUSTER_E_PROTO;
	}
	return 0;
}

/* For people: "192.0.2.1:53" or "[2001:db8::1]:53". */
static void
address_text(const struct sockaddr_storage *at, char *out, size_t cap)
{
	char text[INET6_ADDRSTRLEN] = "?";
	struct sockaddr_in in;
	struct sockaddr_in6 in6;

	if (at->ss_family == AF_INET) {
		memcpy(&in, at, sizeof(in));
		(void)inet_ntop(AF_INET, &in.sin_addr, text, sizeof(text));
		(void)snprintf(out, cap, "%s:%u", text, ntohs(in.sin_port));
	} else {
		memcpy(&in6, at, sizeof(in6));
		(void)inet_ntop(AF_INET6, &in6.sin6_addr, text, sizeof(text));
		(void)snprintf(out, cap, "[%s]:%u", text, ntohs(in6.sin6_port));
	}
}

static void
finish(struct publish_job *job, enum update_outcome outcome)
{
	job->result.outcome = outcome;
	job->result.now_unix_s = clock_unix_s();
	job->is_busy = false;
	if (job->key != NULL)
		sodium_memzero(job->key, sizeof(*job->key));
	job->fn(job->arg, job);
}

static void
ask(struct publish_job *job, const struct sockaddr_storage *to, bool is_tcp,
    const uint8_t *msg, size_t len, uint64_t timeout_ms)
{
	address_text(to, job->at, sizeof(job->at));
	job->is_tcp = is_tcp;
	dnsask_start(&job->ask, (const struct sockaddr *)to, is_tcp, msg, len,
	    timeout_ms);
}

static const struct sockaddr_storage *
server(const struct publish_job *job)
{
	return &job->servers[job->n_tried % job->n_servers];
}

static uint16_t
random_id(void)
{
	return (uint16_t)randombytes_uniform(UINT16_MAX + 1U);
}

static void
query(struct publish_job *job, bool is_tcp)
{
	static const uint16_t types[] = {[JOB_ZONE] = DNS_SOA,
	    [JOB_ADDRESS] = DNS_A,
	    [JOB_ADDRESS6] = DNS_AAAA};
	const struct dns_name *name =
	    job->step == JOB_ZONE ? &job->asked : &job->primary;
	uint8_t buf[DNS_QUERY_MAX];
	size_t len = 0;

	job->id = random_id();
	if (dns_query_write(job->id, name, types[job->step], buf, sizeof(buf),
	        &len) != 0)
		finish(job, UPDATE_BROKEN); /* it always fits */
	else
		ask(job, server(job), is_tcp, buf, len, JOB_QUERY_MS);
}

static void
send_update(struct publish_job *job)
{
	uint8_t buf[UPDATE_MAX];
	size_t len = 0;
	int err;

	job->step = JOB_UPDATE;
	job->id = random_id();
	err = update_write(&job->update, job->id, buf, sizeof(buf), &len);
	if (err == 0 && job->is_signed)
		err = tsig_sign(job->key, clock_unix_s(), buf, sizeof(buf),
		    &len, &job->mac);
	if (err != 0)
		finish(job, UPDATE_BROKEN); /* it always fits */
	else
		ask(job, &job->addresses[job->n_tried], true, buf, len,
		    JOB_UPDATE_MS);
}

static void
begin_update(struct publish_job *job)
{
	job->n_tried = 0;
	if (job->n_addresses == 0)
		finish(job, UPDATE_NO_ADDRESS);
	else
		send_update(job);
}

/* The next server, until each has had its rounds. */
static void
next_server(struct publish_job *job, enum update_outcome outcome)
{
	job->last = outcome;
	job->n_tried++;
	if (job->n_tried == job->n_servers * JOB_ROUNDS)
		finish(job, job->last);
	else
		query(job, false);
}

static void
on_zone(struct publish_job *job, const uint8_t *msg, size_t len)
{
	enum update_outcome outcome = update_zone_read(msg, len, job->id,
	    &job->asked, &job->update.zone, &job->primary);

	if (outcome == UPDATE_TRUNCATED && !job->is_tcp) {
		query(job, true);
	} else if (outcome == UPDATE_NO_ZONE) {
		if (update_climb(&job->asked))
			query(job, job->is_tcp);
		else
			finish(job, UPDATE_NO_ZONE);
	} else if (outcome != UPDATE_DONE) {
		next_server(job, outcome);
	} else if (job->is_server_set) {
		job->addresses[0] = *server(job);
		job->n_addresses = 1;
		begin_update(job);
	} else {
		job->step = JOB_ADDRESS;
		query(job, false);
	}
}

/* Whatever the answer's records of the right type say; a CNAME leads to them
 * within the same answer, and what is wrong is refused later. */
static void
take_addresses(struct publish_job *job, const uint8_t *msg, size_t len)
{
	uint16_t type = job->step == JOB_ADDRESS ? DNS_A : DNS_AAAA;
	int family = type == DNS_A ? AF_INET : AF_INET6;
	size_t want = type == DNS_A ? 4 : 16;
	struct dns_reader r;
	struct dns_record rec;

	if (dns_answers(msg, len, job->id, &job->primary, type, &r) != 0)
		return;
	while (dns_next(&r, &rec) == 1) {
		char text[INET6_ADDRSTRLEN];

		if (rec.section != DNS_ANSWER || rec.type != type ||
		    rec.rdata_len != want ||
		    job->n_addresses == JOB_ADDRESSES_MAX ||
		    inet_ntop(family, msg + rec.rdata, text, sizeof(text)) ==
		        NULL ||
		    publish_job_address(text, CONFIG_DNS_PORT,
		        &job->addresses[job->n_addresses]) != 0)
			continue;
		job->n_addresses++;
	}
}

static void
on_addresses(struct publish_job *job, const uint8_t *msg, size_t len)
{
	bool is_cut = msg != NULL && len > 2 && (msg[2] & 0x02) != 0;

	if (is_cut && !job->is_tcp) {
		query(job, true);
		return;
	}
	if (msg != NULL) {
		take_addresses(job, msg, len);
	} else if (++job->n_lost < JOB_ROUNDS) {
		query(job, false);
		return;
	}
	job->n_lost = 0;
	if (job->step == JOB_ADDRESS) {
		job->step = JOB_ADDRESS6;
		query(job, false);
	} else {
		begin_update(job);
	}
}

static enum update_outcome
outcome_of(int err)
{
	switch (err) {
	case MUSTER_E_CONNECT:
		return UPDATE_UNREACHABLE;
	case MUSTER_E_TRUNC:
		return UPDATE_CLOSED;
	case MUSTER_E_NOMEM:
		return UPDATE_NO_MEMORY;
	default:
		return UPDATE_SILENT;
	}
}

/* Who got it and did not say so does no harm: the next gets the same. */
static void
on_update(struct publish_job *job, int err, const uint8_t *msg, size_t len)
{
	if (err != 0 && job->n_tried + 1 < job->n_addresses) {
		job->n_tried++;
		send_update(job);
	} else if (err != 0) {
		finish(job, outcome_of(err));
	} else {
		finish(job,
		    update_judge(msg, len, job->id,
		        job->is_signed ? job->key : NULL, &job->mac,
		        clock_unix_s(), &job->result.skew_s));
	}
}

static void
on_answer(void *arg, int err, const uint8_t *msg, size_t len)
{
	struct publish_job *job = arg;

	if (job->is_cancelled) {
		finish(job, UPDATE_SILENT);
		return;
	}
	switch (job->step) {
	case JOB_ZONE:
		if (err != 0)
			next_server(job, outcome_of(err));
		else
			on_zone(job, msg, len);
		break;
	case JOB_ADDRESS:
	case JOB_ADDRESS6:
		on_addresses(job, err == 0 ? msg : NULL, len);
		break;
	case JOB_UPDATE:
		on_update(job, err, msg, len);
		break;
	}
}

void
publish_job_start(struct publish_job *job, uv_loop_t *loop)
{
	job->is_busy = true;
	job->is_cancelled = false;
	job->step = JOB_ZONE;
	job->n_tried = job->n_lost = job->n_addresses = 0;
	job->asked = job->update.owner;
	job->result.skew_s = 0;
	job->at[0] = '\0';
	job->ask.loop = loop;
	job->ask.fn = on_answer;
	job->ask.arg = job;
	query(job, false);
}

void
publish_job_cancel(struct publish_job *job)
{
	if (!job->is_busy)
		return;
	job->is_cancelled = true;
	dnsask_cancel(&job->ask);
}
