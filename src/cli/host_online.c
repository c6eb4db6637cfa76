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
	struct authority a = {.url = how->url, .ca = how->ca};
	const char *url;
	int exit_code;

	*granted_out = *problem_out = NULL;
	if (is_fresh)
		(void)json_object_set_new(body, "fresh", json_true());
	exit_code = http_call(c, "/v1/enrolment", body, &reply);
	if (exit_code != CLI_DONE)
		return exit_code;
	url = json_string_value(json_object_get(reply, "url"));
	if (a.url == NULL)
		a.url = url != NULL ? url : "";
	exit_code = authority_call(c, &a, "POST", "/v1/hosts",
	    json_pack("{s:O}", "request", json_object_get(reply, "request")),
	    granted_out, problem_out);
	json_decref(reply);
	return exit_code;
}

static int64_t
number(const json_t *object, const char *name)
{
	return json_integer_value(json_object_get(object, name));
}

/* Who holds the slots that are used up, beside the authority's own words. */
static void
show_slots(const struct cli *c, const json_t *problem)
{
	const json_t *list = json_object_get(problem, "slots"), *item;
	size_t i;

	if (c->is_json)
		return;
	json_array_foreach(list, i, item)
	{
		const char *name =
		    json_string_value(json_object_get(item, "name"));

		(void)fprintf(stderr, "  slot %" PRId64 ": %.64s\n",
		    number(item, "slot"), name != NULL ? name : "-");
	}
}

static int
take(const struct cli *c, json_t *granted)
{
	json_t *reply = NULL;
	int exit_code = http_call(c, "/v1/certificate",
	    json_pack("{s:O}", "certificate",
	        json_object_get(granted, "certificate")),
	    &reply);

	json_decref(reply);
	if (exit_code != CLI_DONE) {
		json_decref(granted);
		return exit_code;
	}
	if (c->is_json) {
		(void)json_object_del(granted, "certificate");
		(void)json_object_set_new(granted, "schema",
		    json_string("muster.host.activate/1"));
		return cli_print(granted);
	}
	(void)printf("the host is activated: slot %" PRId64 ", %" PRId64
	             " of %" PRId64 " hosts and %" PRId64 " of %" PRId64
	             " reactivations used\n",
	    number(granted, "slot"), number(granted, "hosts_used"),
	    number(granted, "hosts"), number(granted, "reactivations_used"),
	    number(granted, "reactivations"));
	json_decref(granted);
	return CLI_DONE;
}

int
host_online(const struct cli *c, const struct host_online *how)
{
	json_t *granted, *problem;
	int exit_code = carry(c, how, false, &granted, &problem);

	if (problem != NULL && authority_problem_is(problem, "counter_old")) {
		json_decref(problem);
		exit_code = carry(c, how, true, &granted, &problem);
	}
	if (problem != NULL) {
		exit_code = authority_report(c, json_incref(problem));
		show_slots(c, problem);
		json_decref(problem);
		return exit_code;
	}
	return exit_code == CLI_DONE ? take(c, granted) : exit_code;
}
