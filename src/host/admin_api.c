/* SPDX-License-Identifier: MIT */
#include "host/admin_api.h"

#include <sodium.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/hex.h"
#include "base/log.h"
#include "host/confirmation.h"
#include "host/page.h"

/* 0, or a problem is filled in; out_out is what is answered. */
typedef int api_fn(const struct admin_host *host, json_t *in, json_t **out_out,
    struct problem *problem);

typedef int read_fn(const struct admin_host *host,
    const struct admin_query *query, json_t **out_out, struct problem *problem);

static int
bad_body(struct problem *problem, const char *what)
{
	return problem_set(problem, MUSTER_E_PROTO, 400, "bad_request",
	    "send a JSON object as the manual of musterd describes it", "%s",
	    what);
}

/* An optional string; not there is NULL. */
static int
get_text(json_t *in, const char *name, bool is_needed, const char **text_out,
    struct problem *problem)
{
	json_t *value = json_object_get(in, name);

	*text_out = json_string_value(value);
	if (*text_out != NULL || (!is_needed && value == NULL))
		return 0;
	return problem_set(problem, MUSTER_E_PROTO, 400, "bad_request",
	    "send a JSON object as the manual of musterd describes it",
	    "\"%s\" must be a string", name);
}

int
admin_names(json_t *in, const char *const *names, struct problem *problem)
{
	const char *key;
	json_t *value;

	json_object_foreach(in, key, value)
	{
		size_t i = 0;

		while (names[i] != NULL && strcmp(names[i], key) != 0)
			i++;
		if (names[i] == NULL)
			return bad_body(problem, "a name in it is not known");
	}
	return 0;
}

static int
get_publisher(const struct admin_host *host, json_t *in,
    struct publisher **pub_out, struct problem *problem)
{
	const char *text;
	int err = get_text(in, "publisher", false, &text, problem);

	return err != 0 ? err : state_find(host->state, text, pub_out, problem);
}

static json_t *
about(const struct publisher *pub)
{
	return json_pack("{s:s, s:s, s:b}", "publisher", pub->hex, "name",
	    pub->catalogue->head.name, "activated", (int)pub->is_cert_good);
}

static int
install_key(const struct admin_host *host, json_t *in, json_t **out_out,
    struct problem *problem)
{
	static const char *const names[] = {"key", "publisher", NULL};
	struct publisher *pub;
	const char *text;
	int err = admin_names(in, names, problem);

	if (err == 0)
		err = get_text(in, "key", true, &text, problem);
	if (err == 0)
		err = get_publisher(host, in, &pub, problem);
	if (err == 0)
		err = keyring_install(pub, text, strlen(text), problem);
	if (err != 0)
		return err;
	turnloop_settle(host->turnloop);
	state_refresh(host->state);
	log_event(LOG_NOTE, "key",
	    LOG_FIELDS(LOG_TEXT(PUBLISHER, pub->hex),
	        LOG_NUMBER(KEY_NUMBER, pub->key_number)),
	    "host key number %u of %s installed", pub->key_number, pub->hex);
	*out_out = about(pub);
	(void)json_object_set_new(*out_out, "key_number",
	    json_integer((json_int_t)pub->key_number));
	return 0;
}

static int
remove_key(const struct admin_host *host, json_t *in, json_t **out_out,
    struct problem *problem)
{
	static const char *const names[] = {"publisher", NULL};
	struct publisher *pub;
	int err = admin_names(in, names, problem);

	if (err == 0)
		err = get_publisher(host, in, &pub, problem);
	if (err != 0)
		return err;
	turnloop_settle(host->turnloop);
	err = keyring_remove(pub, problem);
	state_refresh(host->state);
	if (err != 0)
		return err;
	log_event(LOG_NOTE, "key", LOG_FIELDS(LOG_TEXT(PUBLISHER, pub->hex)),
	    "host key of %s removed", pub->hex);
	*out_out = about(pub);
	return 0;
}

static int
enrolment(const struct admin_host *host, json_t *in, json_t **out_out,
    struct problem *problem)
{
	static const char *const names[] = {"publisher", "replaces", "fresh",
	    NULL};
	json_t *slot = json_object_get(in, "replaces");
	bool is_fresh = json_is_true(json_object_get(in, "fresh"));
	char hex[2 * ENROL_MAX + 1], digits[DIGITS_TEXT_LEN(PHONE_ASK_LEN)];
	uint8_t buf[ENROL_MAX], code[PHONE_ASK_LEN];
	struct publisher *pub;
	size_t len = 0;
	int err = admin_names(in, names, problem);

	if (err == 0 && slot != NULL &&
	    (!json_is_integer(slot) || json_integer_value(slot) < 0 ||
	        json_integer_value(slot) > UINT8_MAX))
		err =
		    bad_body(problem, "\"replaces\" must be a slot, 1 to 255");
	if (err == 0)
		err = get_publisher(host, in, &pub, problem);
	if (err == 0)
		err = keyring_request(pub, (uint8_t)json_integer_value(slot),
		    is_fresh, buf, &len, problem);
	if (err == 0)
		err = keyring_code(pub, code, problem);
	if (err != 0)
		return err;
	hex_encode(buf, len, hex);
	digits_format(code, sizeof(code), digits);
	*out_out = json_pack("{s:s, s:s, s:i, s:s, s:s, s:s, s:s}", "publisher",
	    pub->hex, "name", pub->catalogue->head.name, "counter",
	    (int)pub->counter, "request", hex, "installation_id", digits,
	    "contact", pub->catalogue->head.contact, "url",
	    pub->catalogue->head.url);
	return 0;
}

static int
get_slot(json_t *in, const char *name, uint8_t *out, struct problem *problem)
{
	json_t *value = json_object_get(in, name);
	json_int_t n = json_integer_value(value);

	if (value == NULL)
		return 0;
	if (!json_is_integer(value) || n < 1 || n > UINT8_MAX)
		return bad_body(problem, "slot and activation are 1 to 255");
	*out = (uint8_t)n;
	return 0;
}

/* {"slot","activation"}: a release; without them: the list. */
static int
slots_ask(const struct admin_host *host, json_t *in, json_t **out_out,
    struct problem *problem)
{
	static const char *const names[] = {"publisher", "slot", "activation",
	    NULL};
	struct slotask ask = {.act = SLOTASK_LIST};
	char hex[2 * SLOTASK_LEN + 1];
	uint8_t buf[SLOTASK_LEN];
	struct publisher *pub;
	int err = admin_names(in, names, problem);

	if (err == 0)
		err = get_slot(in, "slot", &ask.slot, problem);
	if (err == 0)
		err = get_slot(in, "activation", &ask.activation, problem);
	if (err == 0 && (ask.slot == 0) != (ask.activation == 0))
		err = bad_body(problem, "slot and activation go together");
	if (err == 0)
		err = get_publisher(host, in, &pub, problem);
	if (err != 0)
		return err;
	if (ask.slot != 0)
		ask.act = SLOTASK_RELEASE;
	err = keyring_slotask(pub, &ask, clock_unix_s(), buf, problem);
	if (err != 0)
		return err;
	hex_encode(buf, sizeof(buf), hex);
	*out_out = json_pack("{s:s, s:s, s:s, s:s}", "publisher", pub->hex,
	    "name", pub->catalogue->head.name, "ask", hex, "url",
	    pub->catalogue->head.url);
	return 0;
}

/* The certificate names a public key, and each is of one publisher only. */
static struct publisher *
owner(struct state *state, const uint8_t *bytes)
{
	struct cert cert;

	if (cert_decode(bytes, &cert) != 0)
		return NULL;
	for (uint32_t i = 0; i < state->n; i++) {
		struct publisher *pub = &state->publishers[i];

		if (pub->host_sk != NULL &&
		    memcmp(pub->host_sk + crypto_sign_SEEDBYTES, cert.host_pk,
		        PUBKEY_LEN) == 0)
			return pub;
	}
	return NULL;
}

static int
whole_certificate(const struct admin_host *host, json_t *in, const char *text,
    uint8_t *bytes, struct publisher **pub_out, struct problem *problem)
{
	struct publisher *only = NULL;
	int err = 0;

	if (hex_decode(text, strlen(text), bytes, CERT_LEN) != 0)
		return problem_set(problem, MUSTER_E_PROTO, 422,
		    "certificate_bad", "hand over the file as it came",
		    "a certificate has 120 bytes, here as 240 hex digits");
	*pub_out = owner(host->state, bytes);
	if (json_object_get(in, "publisher") != NULL)
		err = get_publisher(host, in, &only, problem);
	if (err != 0)
		return err;
	if (*pub_out == NULL || (only != NULL && only != *pub_out))
		return problem_set(problem, MUSTER_E_MISMATCH, 422,
		    "certificate_other",
		    "hand over the certificate that answers this host's "
		    "request, or make a new request (muster host activate)",
		    "the certificate is for no key of this host");
	return 0;
}

/* By telephone; a publisher that is named is the only one tried. */
static int
confirmation(const struct admin_host *host, json_t *in, const char *text,
    uint8_t *bytes, struct publisher **pub_out, struct problem *problem)
{
	uint8_t answer[PHONE_ANSWER_LEN];
	struct publisher *only = NULL;
	int err = 0;

	if (hex_decode(text, strlen(text), answer, sizeof(answer)) != 0)
		return problem_set(problem, MUSTER_E_PROTO, 422,
		    "confirmation_bad", "take all groups as they were read out",
		    "a confirmation ID has 73 bytes, here as 146 hex digits");
	if (json_object_get(in, "publisher") != NULL)
		err = get_publisher(host, in, &only, problem);
	if (err == 0)
		err = confirmation_find(host->state, only, answer, bytes,
		    pub_out, problem);
	return err;
}

static int
certificate(const struct admin_host *host, json_t *in, json_t **out_out,
    struct problem *problem)
{
	static const char *const names[] = {"certificate", "confirmation",
	    "publisher", NULL};
	const char *text, *code = NULL;
	struct publisher *pub = NULL;
	uint8_t bytes[CERT_LEN];
	bool is_same;
	int err = admin_names(in, names, problem);

	if (err == 0)
		err = get_text(in, "confirmation", false, &code, problem);
	if (err == 0)
		err = get_text(in, "certificate", code == NULL, &text, problem);
	if (err == 0 && code != NULL && text != NULL)
		err = bad_body(problem,
		    "\"certificate\" and \"confirmation\" are one too many");
	if (err == 0)
		err = code != NULL
		    ? confirmation(host, in, code, bytes, &pub, problem)
		    : whole_certificate(host, in, text, bytes, &pub, problem);
	if (err != 0)
		return err;
	is_same =
	    pub->has_cert && memcmp(bytes, pub->cert_bytes, CERT_LEN) == 0;
	turnloop_settle(host->turnloop);
	err = keyring_certify(pub, bytes, clock_unix_s(), problem);
	state_refresh(host->state);
	if (err != 0)
		return err;
	log_event(LOG_NOTE, "certificate",
	    LOG_FIELDS(LOG_TEXT(PUBLISHER, pub->hex),
	        LOG_NUMBER(SLOT, pub->cert.slot),
	        LOG_NUMBER(ACTIVATION, pub->cert.activation)),
	    "of %s installed: slot %u, activation %u", pub->hex, pub->cert.slot,
	    pub->cert.activation);
	*out_out = about(pub);
	(void)json_object_set_new(*out_out, "slot",
	    json_integer(pub->cert.slot));
	(void)json_object_set_new(*out_out, "activation",
	    json_integer(pub->cert.activation));
	(void)json_object_set_new(*out_out, "already", json_boolean(is_same));
	return 0;
}

static int
install_file(const struct admin_host *host, const struct bytes *file,
    const uint8_t *trust, json_t **out_out, struct problem *problem)
{
	struct publisher *pub = NULL;
	struct store *store;
	int err;

	turnloop_settle(host->turnloop);
	store = turnloop_lock(host->turnloop);
	if (store == NULL)
		return problem_set(problem, MUSTER_E_AGAIN, 503, "store_busy",
		    "see to the PostgreSQL server, and try again",
		    "the shared store does not answer now; nothing was "
		    "changed");
	err = state_install_catalogue(host->state, store, file, trust, &pub,
	    problem);
	turnloop_unlock(host->turnloop);
	if (err != 0)
		return err;
	log_event(LOG_NOTE, "catalogue",
	    LOG_FIELDS(LOG_TEXT(PUBLISHER, pub->hex),
	        LOG_NUMBER(SERIAL, pub->catalogue->head.serial)),
	    "of %s in force: serial %u", pub->hex, pub->catalogue->head.serial);
	*out_out = about(pub);
	(void)json_object_set_new(*out_out, "serial",
	    json_integer((json_int_t)pub->catalogue->head.serial));
	return 0;
}

static int
catalogue(const struct admin_host *host, json_t *in, json_t **out_out,
    struct problem *problem)
{
	static const char *const names[] = {"catalogue", "trust", NULL};
	uint8_t trust[PUBLISHER_LEN];
	struct bytes file = {NULL, 0};
	const char *text, *id;
	uint8_t *buf = NULL;
	int err = admin_names(in, names, problem);

	if (err == 0)
		err = get_text(in, "catalogue", true, &text, problem);
	if (err == 0)
		err = get_text(in, "trust", false, &id, problem);
	if (err != 0)
		return err;
	if (id != NULL && hex_decode(id, strlen(id), trust, PUBLISHER_LEN) != 0)
		return bad_body(problem, "\"trust\" must be 32 hex digits");
	file.len = strlen(text) / 2;
	buf = malloc(file.len + 1);
	if (buf == NULL)
		return problem_set(problem, MUSTER_E_NOMEM, 500, "no_memory",
		    "free memory on this machine", "out of memory");
	file.p = buf;
	if (hex_decode(text, strlen(text), buf, file.len) != 0)
		err = bad_body(problem, "\"catalogue\" must be hex digits");
	else
		err = install_file(host, &file, id == NULL ? NULL : trust,
		    out_out, problem);
	free(buf);
	return err;
}

static int
status(const struct admin_host *host, const struct admin_query *query,
    json_t **out_out, struct problem *problem)
{
	(void)query;
	(void)problem;
	*out_out = admin_status(host);
	return 0;
}

static const struct {
	const char *method;
	const char *path;
	read_fn *read; /* both NULL: admin_api_list() */
	api_fn *fn;
	bool is_backup; /* of admin_api_list() */
} routes[] = {
    {"GET", "/v1/status", status, NULL, false},
    {"GET", "/v1/dns", admin_dns, NULL, false},
    {"GET", "/v1/history", admin_history, NULL, false},
    {"GET", "/v1/events", admin_events, NULL, false},
    {"GET", "/v1/clients", NULL, NULL, false},
    {"GET", "/v1/backup", NULL, NULL, true},
    {"POST", "/v1/dns/publish", NULL, admin_dns_publish, false},
    {"POST", "/v1/dns/withdraw", NULL, admin_dns_withdraw, false},
    {"POST", "/v1/install-key", NULL, install_key, false},
    {"POST", "/v1/remove-key", NULL, remove_key, false},
    {"POST", "/v1/enrolment", NULL, enrolment, false},
    {"POST", "/v1/slots-ask", NULL, slots_ask, false},
    {"POST", "/v1/certificate", NULL, certificate, false},
    {"POST", "/v1/catalogue", NULL, catalogue, false},
};

#define N_ROUTES (sizeof(routes) / sizeof(routes[0]))
static int
find_route(const struct admin_request *req, size_t *i_out,
    struct problem *problem)
{
	bool is_path = false;

	for (size_t i = 0; i < N_ROUTES; i++) {
		if (strcmp(routes[i].path, req->path) != 0 ||
		    (routes[i].is_backup && req->is_public))
			continue;
		is_path = true;
		if (strcmp(routes[i].method, req->method) != 0)
			continue;
		if (strcmp(req->method, "GET") != 0 && !req->may_change)
			return problem_set(problem, MUSTER_E_DENIED, 403,
			    "denied", "run the command as root",
			    "only an administrator may change this host");
		*i_out = i;
		return 0;
	}
	if (is_path)
		return problem_set(problem, MUSTER_E_INVAL, 405, "method",
		    "see the manual of musterd for the methods",
		    "the path is there, the method is not");
	return problem_set(problem, MUSTER_E_NOENT, 404, "not_found",
	    "see the manual of musterd for the paths", "no such path");
}

/* Values of strings that may be a key are wiped with the tree. */
static void
wipe(json_t *tree)
{
	json_t *value = json_object_get(tree, "key");

	if (json_is_string(value))
		sodium_memzero((char *)(uintptr_t)json_string_value(value),
		    json_string_length(value));
	json_decref(tree);
}

static int
run(const struct admin_host *host, const struct admin_request *req,
    struct admin_filter *filter, bool *is_list_out, json_t **out_out,
    struct problem *problem)
{
	json_t *in;
	size_t i = 0;
	int err = find_route(req, &i, problem);

	if (err != 0)
		return err;
	if (routes[i].read != NULL)
		return routes[i].read(host, &req->query, out_out, problem);
	if (routes[i].fn == NULL) {
		err = page_filter(host->state, &req->query, req->is_public,
		    filter, problem);
		filter->is_backup = routes[i].is_backup;
		*is_list_out = err == 0;
		return err;
	}
	in = json_loadb(req->body, req->body_len, JSON_REJECT_DUPLICATES, NULL);
	if (!json_is_object(in))
		err = bad_body(problem, "the body is no JSON object");
	else
		err = routes[i].fn(host, in, out_out, problem);
	wipe(in);
	return err;
}

void
admin_problem(const struct problem *problem, struct admin_answer *answer_out)
{
	json_t *out =
	    json_pack("{s:{s:s, s:s, s:s}}", "error", "code", problem->code,
	        "message", problem->message, "next_step", problem->next_step);

	*answer_out = (struct admin_answer){.http = problem->http, .fd = -1};
	if (out != NULL)
		answer_out->text = json_dumps(out, JSON_INDENT(1));
	json_decref(out);
}

static void
finish(json_t *out, const struct problem *problem, int err,
    struct admin_answer *answer)
{
	if (err != 0) {
		json_decref(out);
		admin_problem(problem, answer);
		return;
	}
	if (out != NULL)
		answer->text = json_dumps(out, JSON_INDENT(1));
	json_decref(out);
}

bool
admin_api(const struct admin_host *host, const struct admin_request *req,
    struct admin_answer *answer_out, struct admin_filter *filter_out)
{
	struct problem problem = {.http = 500};
	bool is_list = false;
	json_t *out = NULL;
	int err;

	*filter_out = (struct admin_filter){.is_csv = false};
	*answer_out = (struct admin_answer){.http = 200, .fd = -1};
	err = run(host, req, filter_out, &is_list, &out, &problem);
	if (!is_list)
		finish(out, &problem, err, answer_out);
	return !is_list;
}

/* What the database said is for the log, and for whoever administers it: a
 * page may be read by others, and as often as they like. */
static int
list_failed(const struct store *store, const struct admin_filter *filter,
    int err, struct problem *problem)
{
	struct store_diag diag;
	bool is_shared;

	store_aside_diag(store, &diag);
	is_shared = err == MUSTER_E_AGAIN && diag.text[0] != '\0';
	log_event(filter->is_page ? LOG_FINE : LOG_WARN, "store",
	    LOG_FIELDS(LOG_CODE(err)), "the inventory is not listed: %s; %s",
	    muster_strerror(err), diag.text);
	if (is_shared && !filter->is_page)
		return problem_set(problem, err, 503, "store_busy",
		    "see to the PostgreSQL server, and try again",
		    "the inventory cannot be listed now; %s", diag.text);
	if (is_shared)
		return problem_set(problem, err, 503, "store_busy",
		    "see the log of musterd, and try again",
		    "the shared store does not answer now");
	return problem_set(problem, err, 500, "store", "see the log of musterd",
	    "the inventory cannot be listed: %s", muster_strerror(err));
}

void
admin_api_list(const struct admin_host *host, const struct admin_filter *filter,
    struct admin_answer *answer_out)
{
	struct problem problem = {.http = 500};
	int err;

	*answer_out = (struct admin_answer){.http = 200, .fd = -1};
	if (filter->is_backup) {
		answer_out->type = ADMIN_TYPE_BACKUP;
		err = admin_backup(host->store, &answer_out->fd,
		    &answer_out->fd_len, &problem);
	} else {
		answer_out->type = filter->is_csv ? ADMIN_TYPE_CSV : NULL;
		err = filter->is_page
		    ? page_list(host->store, filter, &answer_out->text)
		    : admin_list(host->store, host->state->folder, filter,
		          &answer_out->fd, &answer_out->fd_len);
		if (err != 0)
			err = list_failed(host->store, filter, err, &problem);
	}
	answer_out->type = err == 0 ? answer_out->type : NULL;
	finish(NULL, &problem, err, answer_out);
}
