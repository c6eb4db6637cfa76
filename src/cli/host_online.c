/* SPDX-License-Identifier: MIT */
#include "cli/host_online.h"

#include <inttypes.h>
#include <stdio.h>

#include "cli/authority.h"
#include "cli/http.h"

/* musterd's request to the authority; what came of it. */
static int
carry(const struct cli *c, const struct host_online *how, bool is_fresh,
    json_t **granted_out, json_t **problem_out)
{
	json_t *body = json_copy(how->what), *reply = NULL;
	struct authority a = {.ca = how->ca};
	int exit_code;

	*granted_out = *problem_out = NULL;
	if (is_fresh)
		(void)json_object_set_new(body, "fresh", json_true());
	exit_code = http_call(c, "/v1/enrolment", body, &reply);
	if (exit_code != CLI_DONE)
		return exit_code;
	a.url = authority_url(how->url, reply);
	exit_code = authority_call(c, &a, "POST", "/v1/hosts",
	    json_pack("{s:O}", "request", json_object_get(reply, "request")),
	    granted_out, problem_out);
	json_decref(reply);
	return exit_code;
}

static int
take(const struct cli *c, json_t *granted)
{
	json_t *reply = NULL, *cert = json_object_get(granted, "certificate");
	int exit_code;

	if (!json_is_string(cert))
		return authority_bad_answer(c, granted);
	exit_code = http_call(c, "/v1/certificate",
	    json_pack("{s:O}", "certificate", cert), &reply);

	json_decref(reply);
	if (exit_code != CLI_DONE) {
		json_decref(granted);
		return exit_code;
	}
	if (c->is_json) {
		(void)json_object_del(granted, "certificate");
		return cli_facts("muster.host.activate/1", granted);
	}
	(void)printf("the host is activated: slot %" PRId64 ", %" PRId64
	             " of %" PRId64 " hosts and %" PRId64 " of %" PRId64
	             " reactivations used\n",
	    authority_number(granted, "slot"),
	    authority_number(granted, "hosts_used"),
	    authority_number(granted, "hosts"),
	    authority_number(granted, "reactivations_used"),
	    authority_number(granted, "reactivations"));
	json_decref(granted);
	return CLI_DONE;
}

int
host_online(const struct cli *c, const struct host_online *how)
{
	json_t *granted, *problem;
	int exit_code = carry(c, how, false, &granted, &problem);

	for (int n = 0; n < HOST_ONLINE_FRESH_MAX &&
	     authority_problem_is(problem, "counter_old");
	     n++) {
		json_decref(problem);
		exit_code = carry(c, how, true, &granted, &problem);
	}
	if (problem != NULL)
		return authority_report(c, problem);
	return exit_code == CLI_DONE ? take(c, granted) : exit_code;
}
