/* SPDX-License-Identifier: MIT */
#include "host/publish_run.h"

#include <sodium.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/file.h"
#include "base/log.h"
#include "host/fullname.h"

#define READABLE_BY_OTHERS 07U
#define HOST_NAME_LEN 256

static void pump(struct publish_run *run);

static uint64_t
now_ms(const struct publish_run *run)
{
	return uv_now(run->loop);
}

/* A small file of the machine as text; empty where it cannot be read. */
static void
read_text(const struct publish_run *run, const char *name, char *out)
{
	char path[FILE_PATH_MAX];
	size_t len = 0;
	int err = file_join(run->root, name, path, sizeof(path));

	if (err == 0)
		err = file_read(path, (uint8_t *)out, PUBLISH_FILES_MAX, &len);
	out[err == 0 ? len : 0] = '\0';
}

static bool
find_name(struct publish_run *run, struct dns_name *out)
{
	char *hosts = run->texts, *resolv = hosts + PUBLISH_FILES_MAX + 1;
	char hostname[HOST_NAME_LEN];

	if (run->config->publish_name[0] != '\0')
		return dns_name_parse(run->config->publish_name, out) == 0;
	if (gethostname(hostname, sizeof(hostname)) != 0)
		return false;
	hostname[sizeof(hostname) - 1] = '\0';
	read_text(run, "/etc/hosts", hosts);
	read_text(run, "/etc/resolv.conf", resolv);
	return fullname_find(hostname, hosts, resolv, out) == 0;
}

/* Once a domain: that of the publish list comes before the own. */
static void
add_candidate(struct publish_run *run, const struct publish_want *want)
{
	struct dns_name owner;

	if (publish_owner(&want->domain, &owner) != 0)
		return; /* of the machine's name alone: too long for a record */
	for (size_t i = 0; i < run->n_candidates; i++) {
		if (dns_name_equal(&run->candidates[i].domain, &want->domain))
			return;
	}
	run->candidates[run->n_candidates++] = *want;
}

static void
find_candidates(struct publish_run *run)
{
	const struct host_config *config = run->config;
	struct publish_want want = {.srv.target = run->name};
	uint32_t n = 0;
	const struct conn_listener *at = conn_server_listeners(run->server, &n);

	run->n_candidates = 0;
	want.srv.port = n > 0 ? at[0].port : 0;
	if (!run->has_name || want.srv.port == 0)
		return;
	for (uint32_t i = 0; i < config->n_domains; i++) {
		const struct config_domain *d = &config->domains[i];

		if (dns_name_parse(d->domain, &want.domain) != 0)
			continue; /* checked when it was read */
		want.server = d->server.address[0] != '\0'
		    ? d->server
		    : config->publish_server;
		want.srv.priority = (uint16_t)d->priority;
		want.srv.weight = (uint16_t)d->weight;
		add_candidate(run, &want);
	}
	want.server = config->publish_server;
	want.srv.priority = (uint16_t)config->publish_priority;
	want.srv.weight = (uint16_t)config->publish_weight;
	want.domain = run->name;
	if (strcmp(config->publish_domain, ".") == 0 ||
	    (config->publish_domain[0] == '\0' && !update_climb(&want.domain)))
		return;
	if (config->publish_domain[0] == '\0' ||
	    dns_name_parse(config->publish_domain, &want.domain) == 0)
		add_candidate(run, &want);
}

static bool
is_certified(const struct state *state)
{
	for (uint32_t i = 0; i < state->n; i++) {
		if (state->publishers[i].is_cert_good)
			return true;
	}
	return false;
}

static enum publish_reason
find_reason(const struct publish_run *run)
{
	if (run->is_stopping)
		return PUBLISH_STOPPING;
	if (run->is_withdrawn)
		return PUBLISH_WITHDRAWN;
	if (!run->config->publish)
		return PUBLISH_OFF;
	if (!is_certified(run->state))
		return PUBLISH_NO_CERTIFICATE;
	if (!run->has_name)
		return PUBLISH_NO_NAME;
	return run->n_candidates == 0 ? PUBLISH_NO_DOMAIN : PUBLISH_ON;
}

static void
tell_reason(struct publish_run *run, enum publish_reason reason)
{
	bool is_wrong =
	    reason == PUBLISH_NO_NAME || reason == PUBLISH_NO_DOMAIN;

	if (run->is_told && reason == run->reason)
		return;
	run->is_told = true;
	if (reason != PUBLISH_ON && reason != PUBLISH_STOPPING)
		log_line(is_wrong ? LOG_WARN : LOG_NOTE, "dns",
		    "this host is not published: %s",
		    publish_reason_words(reason));
}

/* What should stand now. */
static void
refresh(struct publish_run *run)
{
	struct dns_name name;
	enum publish_reason reason;
	int err = 0;

	/* one that was known once is not given up for a file that is gone */
	if (find_name(run, &name)) {
		run->has_name = true;
		run->name = name;
	}
	find_candidates(run);
	reason = find_reason(run);
	tell_reason(run, reason);
	run->reason = reason;
	switch (reason) {
	case PUBLISH_ON:
		err = publish_set(run->life, run->candidates, run->n_candidates,
		    now_ms(run));
		break;
	case PUBLISH_WITHDRAWN:
	case PUBLISH_NO_CERTIFICATE:
	case PUBLISH_NO_DOMAIN:
		err = publish_set(run->life, NULL, 0, now_ms(run));
		break;
	case PUBLISH_OFF:
	case PUBLISH_NO_NAME:
	case PUBLISH_STOPPING:
		break;
	}
	if (err != 0 && !run->is_full)
		log_line(LOG_WARN, "dns",
		    "records of earlier domains still stand in too many: some "
		    "of the new wait");
	run->is_full = err != 0;
}

/* How the log names what an update was about. */
static void
tell(const struct publish_run *run, const struct publish_job *job)
{
	const struct update *u = &job->update;
	const struct publish_item *item = &run->life->items[job->index];
	char owner[DNS_TEXT_MAX + 1], line[UPDATE_LINE_MAX];
	enum update_outcome outcome = job->result.outcome;

	dns_name_text(&u->owner, owner);
	if (outcome == UPDATE_DONE && !u->has_addition) {
		log_event(LOG_NOTE, "dns",
		    LOG_FIELDS(LOG_TEXT(DOMAIN, owner),
		        LOG_TEXT(SERVER, job->at)),
		    "withdrawn from %s at %s", owner, job->at);
		return;
	}
	update_line(&u->owner, &u->addition, u->ttl_s, line, sizeof(line));
	if (outcome == UPDATE_DONE) {
		log_event(LOG_NOTE, "dns",
		    LOG_FIELDS(LOG_TEXT(DOMAIN, owner),
		        LOG_TEXT(SERVER, job->at)),
		    "published at %s: %s", job->at, line);
		return;
	}
	log_event(LOG_WARN, "dns",
	    LOG_FIELDS(LOG_TEXT(DOMAIN, owner), LOG_TEXT(SERVER, job->at),
	        LOG_TEXT(CODE, update_name(outcome)),
	        LOG_NUMBER(SECONDS, item->retry_ms / 1000)),
	    "%s at %s: %s: %s; next attempt in %u s", owner,
	    job->at[0] != '\0' ? job->at : "no server", update_name(outcome),
	    update_words(outcome), (unsigned)(item->retry_ms / 1000));
	if (outcome == UPDATE_BADTIME && job->result.skew_s != 0)
		log_event(LOG_WARN, "dns",
		    LOG_FIELDS(LOG_TEXT(DOMAIN, owner),
		        LOG_TEXT(SERVER, job->at),
		        LOG_NUMBER(SECONDS, job->result.skew_s)),
		    "%s at %s: its clock is %lld s %s", owner, job->at,
		    (long long)(job->result.skew_s < 0 ? -job->result.skew_s
		                                       : job->result.skew_s),
		    job->result.skew_s < 0 ? "behind ours" : "ahead of ours");
	if (job->why != NULL)
		log_event(LOG_WARN, "dns",
		    LOG_FIELDS(LOG_TEXT(DOMAIN, owner),
		        LOG_TEXT(FILE, run->config->publish_key_file)),
		    "key file %s: %s", run->config->publish_key_file, job->why);
	if (u->has_addition)
		log_event(LOG_WARN, "dns", LOG_FIELDS(LOG_TEXT(DOMAIN, owner)),
		    "to add by hand: %s", line);
}

static void
end_job(struct publish_run *run, struct publish_job *job)
{
	bool is_news, is_changed;

	memcpy(run->at[job->index], job->at, sizeof(job->at));
	run->why[job->index] = job->why;
	is_changed = publish_done(run->life, job->index, &job->update,
	    &job->result, now_ms(run), &is_news);
	if (is_changed)
		/* not waited for: a line too many withdraws once more */
		(void)publish_file_save(&run->file);
	if (is_news)
		tell(run, job);
}

static void
on_job(void *arg, struct publish_job *job)
{
	end_job(arg, job);
	pump(arg);
}

/* The key, wiped again by the job; others may not read its file. */
static bool
load_key(const struct publish_run *run, struct publish_job *job)
{
	const char *path = run->config->publish_key_file;
	uint8_t text[TSIG_KEY_FILE_MAX];
	struct stat st;
	size_t len = 0;
	int err;

	job->is_signed = path[0] != '\0';
	if (!job->is_signed)
		return true;
	err = file_read_own(path, text, sizeof(text), &len);
	if (err == 0 &&
	    (stat(path, &st) != 0 || (st.st_mode & READABLE_BY_OTHERS) != 0)) {
		err = MUSTER_E_DENIED;
		job->why = "others may read it; run chmod o-rwx";
	}
	if (err == 0)
		err = tsig_key_parse((char *)text, len, job->key, &job->why);
	else if (job->why == NULL)
		job->why = muster_strerror(err);
	sodium_memzero(text, sizeof(text));
	return err == 0;
}

/* The server that is set, or those of resolv.conf. */
static void
find_servers(struct publish_run *run, const struct config_server *server,
    struct publish_job *job)
{
	char *resolv = run->texts, text[FULLNAME_ADDRESS_MAX];

	job->n_servers = 0;
	job->is_server_set = server->address[0] != '\0';
	if (job->is_server_set) {
		if (publish_job_address(server->address, server->port,
		        &job->servers[0]) == 0)
			job->n_servers = 1;
		return;
	}
	read_text(run, "/etc/resolv.conf", resolv);
	for (unsigned i = 0; job->n_servers < JOB_SERVERS_MAX &&
	     fullname_server(resolv, i, text) == 0;
	     i++) {
		if (publish_job_address(text, CONFIG_DNS_PORT,
		        &job->servers[job->n_servers]) == 0)
			job->n_servers++;
	}
}

static struct publish_job *
free_job(struct publish_run *run)
{
	for (int i = 0; i < PUBLISH_BUSY_MAX; i++) {
		if (!run->jobs[i].is_busy && run->jobs[i].noted == 0)
			return &run->jobs[i];
	}
	return NULL;
}

static void
end_unsent(struct publish_run *run, struct publish_job *job,
    enum update_outcome outcome)
{
	sodium_memzero(job->key, sizeof(*job->key));
	job->result = (struct publish_result){.outcome = outcome,
	    .now_unix_s = clock_unix_s()};
	end_job(run, job);
}

/* Send one update, once what it adds is on disk; what prevents it is its
 * outcome. */
static void
begin_job(struct publish_run *run, struct publish_job *job, bool is_noted)
{
	enum update_outcome outcome = UPDATE_DONE;

	job->at[0] = '\0';
	job->why = NULL;
	/* noted once: neither a write that fails nor an update that is not
	 * sent may make it count as written */
	if (is_noted)
		run->noted_at[job->index] = publish_file_next(&run->file);
	find_servers(run, &run->life->items[job->index].want.server, job);
	if (job->n_servers == 0)
		outcome = UPDATE_NO_SERVER;
	else if (!load_key(run, job))
		outcome = UPDATE_NO_KEY;
	if (outcome != UPDATE_DONE)
		end_unsent(run, job, outcome);
	else if (job->update.has_addition &&
	    run->noted_at[job->index] > run->file.saved)
		job->noted = publish_file_save(&run->file);
	else
		publish_job_start(job, run->loop);
}

/* A write has ended: those that waited for it go on. */
static void
on_file(void *arg)
{
	struct publish_run *run = arg;

	for (int i = 0; i < PUBLISH_BUSY_MAX; i++) {
		struct publish_job *job = &run->jobs[i];

		if (job->noted == 0 || job->noted > run->file.written)
			continue;
		job->noted = 0;
		if (run->file.err != 0)
			end_unsent(run, job, UPDATE_NO_DISK);
		else if (run->is_aborted)
			end_unsent(run, job, UPDATE_SILENT);
		else
			publish_job_start(job, run->loop);
	}
	pump(run);
}

static void
on_wake(uv_timer_t *timer)
{
	pump(timer->data);
}

static void
leave(struct publish_run *run)
{
	if (run->stopped == NULL)
		return;
	for (int i = 0; i < PUBLISH_BUSY_MAX; i++) {
		if (run->jobs[i].is_busy || run->jobs[i].noted != 0)
			return;
	}
	if (run->file.is_busy)
		return;
	uv_close((uv_handle_t *)&run->wake, NULL);
	uv_close((uv_handle_t *)&run->watch, NULL);
	run->stopped(run->stopped_arg);
	run->stopped = NULL;
}

/* Send what is due; sleep until something is. */
static void
pump(struct publish_run *run)
{
	bool may_send = !run->is_aborted && run->reason != PUBLISH_OFF &&
	    run->reason != PUBLISH_NO_NAME;
	struct publish_job *job = NULL;
	uint64_t wake_ms;

	while (may_send && (job = free_job(run)) != NULL) {
		bool is_noted = false;

		job->index = publish_next(run->life, now_ms(run), &job->update,
		    &is_noted);
		if (job->index < 0)
			break;
		begin_job(run, job, is_noted);
	}
	if (run->is_stopping) {
		if (!may_send || publish_n_pending(run->life, now_ms(run)) == 0)
			leave(run);
		return;
	}
	wake_ms = publish_wake_ms(run->life);
	if (!may_send || job == NULL || wake_ms == PUBLISH_NEVER)
		(void)uv_timer_stop(&run->wake);
	else
		(void)uv_timer_start(&run->wake, on_wake,
		    wake_ms > now_ms(run) ? wake_ms - now_ms(run) : 0, 0);
}

static void
on_watch(uv_timer_t *timer)
{
	refresh(timer->data);
	pump(timer->data);
}

int
publish_run_start(struct publish_run *run)
{
	run->life = malloc(sizeof(*run->life));
	run->jobs = calloc(PUBLISH_BUSY_MAX, sizeof(*run->jobs));
	run->texts = calloc(2, PUBLISH_FILES_MAX + 1);
	run->file = (struct publish_file){.loop = run->loop,
	    .folder = run->state->folder,
	    .life = run->life,
	    .fn = on_file,
	    .arg = run};
	if (run->life == NULL || run->jobs == NULL || run->texts == NULL ||
	    publish_file_init(&run->file) != 0)
		return MUSTER_E_NOMEM;
	for (int i = 0; i < PUBLISH_BUSY_MAX; i++) {
		run->jobs[i].fn = on_job;
		run->jobs[i].arg = run;
		run->jobs[i].key = sodium_malloc(sizeof(struct tsig_key));
		if (run->jobs[i].key == NULL)
			return MUSTER_E_NOMEM;
	}
	publish_init(run->life, run->config->publish_ttl_s);
	(void)uv_timer_init(run->loop, &run->wake);
	(void)uv_timer_init(run->loop, &run->watch);
	run->wake.data = run->watch.data = run;
	publish_file_load(&run->file, run->life, now_ms(run));
	(void)uv_timer_start(&run->watch, on_watch, 0, PUBLISH_WATCH_MS);
	return 0;
}

void
publish_run_stop(struct publish_run *run, publish_stop_fn *stopped, void *arg)
{
	run->is_stopping = true;
	run->stopped = stopped;
	run->stopped_arg = arg;
	(void)uv_timer_stop(&run->wake);
	(void)uv_timer_stop(&run->watch);
	if (run->config->publish_withdraw && run->reason == PUBLISH_ON) {
		(void)!publish_set(run->life, NULL, 0, now_ms(run));
		publish_force(run->life, now_ms(run));
		run->reason = PUBLISH_STOPPING;
		pump(run);
	} else {
		publish_run_abort(run);
	}
}

void
publish_run_abort(struct publish_run *run)
{
	run->is_aborted = true;
	for (int i = 0; i < PUBLISH_BUSY_MAX; i++)
		publish_job_cancel(&run->jobs[i]);
	leave(run);
}

void
publish_run_free(struct publish_run *run)
{
	for (int i = 0; run->jobs != NULL && i < PUBLISH_BUSY_MAX; i++)
		sodium_free(run->jobs[i].key);
	free(run->jobs);
	free(run->life);
	free(run->texts);
	publish_file_free(&run->file);
}

int
publish_run_now(struct publish_run *run)
{
	run->is_withdrawn = false;
	uv_update_time(run->loop);
	refresh(run);
	if (run->reason != PUBLISH_ON)
		return MUSTER_E_REFUSED;
	publish_force(run->life, now_ms(run));
	pump(run);
	return 0;
}

void
publish_run_withdraw(struct publish_run *run)
{
	run->is_withdrawn = true;
	uv_update_time(run->loop);
	refresh(run);
	publish_force(run->life, now_ms(run));
	pump(run);
}
