/* SPDX-License-Identifier: MIT */
#include "base/log.h"
#include "host/admin_api.h"

int
admin_dns_publish(const struct admin_host *host, json_t *in, json_t **out_out,
    struct problem *problem)
{
	static const char *const names[] = {NULL};
	int err = admin_names(in, names, problem);

	if (err != 0)
		return err;
	err = publish_run_now(host->publish);
	if (err != 0)
		return problem_set(problem, err, 409, "not_published",
		    "see `muster host dns show` and `muster host status`",
		    "this host is not published: %s",
		    publish_reason_words(host->publish->reason));
	*out_out = publish_json(host->publish);
	return 0;
}

int
admin_dns_withdraw(const struct admin_host *host, json_t *in, json_t **out_out,
    struct problem *problem)
{
	static const char *const names[] = {NULL};
	int err = admin_names(in, names, problem);

	if (err != 0)
		return err;
	log_line(LOG_NOTE, "dns", "withdrawal asked for by hand");
	publish_run_withdraw(host->publish);
	*out_out = publish_json(host->publish);
	return 0;
}

int
admin_dns(const struct admin_host *host, const struct admin_query *query,
    json_t **out_out, struct problem *problem)
{
	(void)query;
	(void)problem;
	*out_out = publish_json(host->publish);
	return 0;
}
