/* SPDX-License-Identifier: MIT */
/*
 * host_clients.c -- muster host clients: the inventory as it comes, so that a
 * million rows take no more memory than one.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "cli/cli.h"
#include "cli/host_show.h"
#include "cli/http.h"

#define LINE_LEN_MAX 512 /* 16 columns of ids, names and numbers */
#define COLUMNS 16
#define TEXT_MAX 64 /* of a product or state, as it is typed */
#define FINGER 12   /* of a fingerprint, as the status page shows it */

/* Columns that are shown; their order is that of the CSV. */
enum column {
	COL_PUBLISHER = 0,
	COL_PRODUCT = 1,
	COL_CMID = 2,
	COL_MACHINE = 3,
	COL_NAME = 4,
	COL_STATE = 5,
	COL_LAST = 8,
	COL_COUNT = 9,
	COL_ADDRESS = 11,
	COL_DUPLICATE = 12,
	COL_OTHER = 13,
	COL_OTHER_NAME = 14,
	COL_HOST = 15
};

#define QUERY_MAX 4 /* format, and what is chosen by */

/* What is asked for; each value as it was typed. */
struct query {
	char text[QUERY_MAX][TEXT_MAX + sizeof("duplicate=")];
	const char *item[QUERY_MAX + 1];
	size_t n;
};

struct view {
	json_t *names; /* of products, by both ids */
	char line[LINE_LEN_MAX];
	size_t len;
	bool is_past_head;
	unsigned long long n, n_clones;
};

/* As it is, of --json and --csv. */
static bool
copy(void *arg, const char *p, size_t len)
{
	(void)arg;
	return fwrite(p, 1, len, stdout) == len;
}

/* "PUBLISHER PRODUCT": its name; of the catalogues that are in force. */
static json_t *
product_names(const json_t *status)
{
	json_t *names = json_object(), *pub, *product;
	char key[LINE_LEN_MAX];
	size_t i, k;

	json_array_foreach(json_object_get(status, "publishers"), i, pub)
	{
		json_array_foreach(json_object_get(pub, "products"), k, product)
		{
			(void)snprintf(key, sizeof(key), "%s %s",
			    json_string_value(json_object_get(pub, "id")),
			    json_string_value(json_object_get(product, "id")));
			(void)json_object_set(names, key,
			    json_object_get(product, "name"));
		}
	}
	return names;
}

/* Its id where no catalogue has it any more. */
static const char *
product_name(const struct view *v, char *const *column)
{
	char key[LINE_LEN_MAX];
	const char *name;

	(void)snprintf(key, sizeof(key), "%s %s", column[COL_PUBLISHER],
	    column[COL_PRODUCT]);
	name = json_string_value(json_object_get(v->names, key));
	return name != NULL ? name : column[COL_PRODUCT];
}

static bool
show_line(struct view *v)
{
	char *column[COLUMNS], *next = v->line, last[HOST_SHOW_TIME_MAX];
	size_t n = 0;

	if (!v->is_past_head) {
		v->is_past_head = true;
		return true;
	}
	while (next != NULL && n < COLUMNS)
		column[n++] = strsep(&next, ",");
	if (n != COLUMNS || next != NULL)
		return false;
	host_show_time(strtoll(column[COL_LAST], NULL, 10), last);
	(void)printf("%-20s  %-15s  %-22s  %5s  %s  %-15s  %-16s  %s\n", last,
	    column[COL_NAME], column[COL_STATE], column[COL_COUNT],
	    column[COL_CMID], column[COL_ADDRESS], product_name(v, column),
	    column[COL_HOST]);
	v->n++;
	if (column[COL_DUPLICATE][0] == '1') {
		v->n_clones++;
		(void)printf("%-20s  fingerprint %.*s; also used by %s, "
		             "fingerprint %.*s\n",
		    "", FINGER, column[COL_MACHINE], column[COL_OTHER_NAME],
		    FINGER, column[COL_OTHER]);
	}
	return ferror(stdout) == 0;
}

static bool
show(void *arg, const char *p, size_t len)
{
	struct view *v = arg;

	for (size_t i = 0; i < len; i++) {
		if (p[i] == '\r')
			continue;
		if (p[i] != '\n' && v->len + 1 == sizeof(v->line))
			return false;
		if (p[i] != '\n') {
			v->line[v->len++] = p[i];
			continue;
		}
		v->line[v->len] = '\0';
		v->len = 0;
		if (!show_line(v))
			return false;
	}
	return true;
}

/* One more "NAME=VALUE"; false where the value is too long. */
static bool
add(struct query *q, const char *name, const char *value)
{
	if (value == NULL)
		return true;
	if (strlen(value) > TEXT_MAX)
		return false;
	(void)snprintf(q->text[q->n], sizeof(q->text[0]), "%s=%s", name, value);
	q->item[q->n] = q->text[q->n];
	q->n++;
	return true;
}

static int
table(const struct cli *c, const struct query *q)
{
	struct view view = {.len = 0};
	json_t *status;
	int exit_code = http_call(c, "/v1/status", NULL, &status);

	if (exit_code != CLI_DONE)
		return exit_code;
	view.names = product_names(status);
	json_decref(status);
	(void)printf("%-20s  %-15s  %-22s  %5s  %-32s  %-15s  %-16s  %s\n",
	    "last contact", "name", "state", "count", "cmid", "address",
	    "product", "host");
	exit_code = http_stream(c, "/v1/clients", q->item, show, &view);
	json_decref(view.names);
	if (exit_code == CLI_DONE)
		(void)printf("%llu client%s, %llu with a CMID that another "
		             "machine uses too\n",
		    view.n, view.n == 1 ? "" : "s", view.n_clones);
	return exit_code;
}

static int
list(const struct cli *c, const struct query *q, bool is_table)
{
	int exit_code = is_table
	    ? table(c, q)
	    : http_stream(c, "/v1/clients", q->item, copy, NULL);

	if (exit_code == CLI_DONE &&
	    (fflush(stdout) != 0 || ferror(stdout) != 0))
		return CLI_FAILED;
	return exit_code;
}

int
cmd_host_clients(struct cli *c, int argc, char **argv)
{
	const char *product = NULL, *state = NULL;
	bool is_duplicates = false, is_csv = false;
	const struct cli_option options[] = {{"product", NULL, &product, NULL},
	    {"state", NULL, &state, NULL},
	    {"duplicates", &is_duplicates, NULL, NULL},
	    {"csv", &is_csv, NULL, NULL}, {NULL, NULL, NULL, NULL}};
	struct query query = {.n = 0};
	int exit_code;

	if (!cli_parse(c, argc, argv, options, 0, 0, &exit_code))
		return exit_code;
	if (is_csv && c->is_json)
		return cli_errorf(c, CLI_USAGE, "usage",
		    "muster host clients --help",
		    "--csv and --json are one too many");
	if (!add(&query, "format", c->is_json ? "json" : "csv") ||
	    !add(&query, "product", product) || !add(&query, "state", state) ||
	    !add(&query, "duplicate", is_duplicates ? "true" : NULL))
		return cli_errorf(c, CLI_USAGE, "usage",
		    "muster host status names products; see --help for states",
		    "--product or --state is over %d characters", TEXT_MAX);
	return list(c, &query, !is_csv && !c->is_json);
}
