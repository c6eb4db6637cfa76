/* SPDX-License-Identifier: MIT */
/* pg_link.c -- a connection in pipeline mode, with deadlines; see pg.h. */
#include "store/pg.h"

#include <errno.h>
#include <poll.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/paths.h"

#define NO_WRITES                                                           \
	"none of these servers takes writes: start the primary, promote a " \
	"standby, or name all servers in `store`"

/* By the first bytes of SQLSTATE: what a person can do. */
static const struct {
	const char *state, *next;
} advice[] = {
    {"25006", "the server is read-only: name all servers in `store`"},
    {"28", "see to the role, its password file and pg_hba.conf"},
    {"40P01", "see who else locks rows of these tables"},
    {"3D000", "create the database, or name another in `store`"},
    {"42501", "grant the role what 001-tables.sql in " PATH_MIGRATIONS " does"},
    {"53100", "free space on the disk of the server"},
    {"53300", "raise max_connections, or the role's connection limit"},
    {"55P03",
        "see in pg_stat_activity who holds the row of the group; a "
        "session with SyncRep waits for the synchronous standby"},
    {"57014", "the server is slow: see pg_stat_activity"},
    {"57P", "the server restarts; musterd connects again"},
};

/*
 * A connection that does not come about has no SQLSTATE for us, only words: of
 * the server, in its language, or of libpq, in English.  What is said of any of
 * several servers counts, and what stands first here before what comes later.
 */
static const struct {
	const char *words;
	const char *state; /* whose advice it is; NULL: next */
	const char *next;
} unconnected[] = {
    {"no encryption", NULL,
        "see to pg_hba.conf; where that demands TLS, set sslmode=verify-full "
        "in `store`"},
    {"no pg_hba.conf entry", "28000", NULL},
    {"does not support SSL", NULL,
        "set ssl = on at the server, or another sslmode in `store`"},
    {"root certificate file", NULL, "name the right sslrootcert in `store`"},
    {"certificate verify failed", NULL,
        "name the authority of the server's certificate by sslrootcert in "
        "`store`"},
    {"server certificate for", NULL,
        "name the server in `store` as its certificate does"},
    {"password", "28P01", NULL},
    {"too many", "53300", NULL},
    {"remaining connection slots", "53300", NULL},
    {"permission denied for database", NULL,
        "grant the role CONNECT on the database"},
    {"role \"", "28000", NULL},
    {"\" does not exist", "3D000", NULL},
    {"starting up", "57P03", NULL},
    {"shutting down", "57P03", NULL},
    {"recovery mode", "57P03", NULL},
    {"not accepting connections", "57P03", NULL},
    {"read-only", NULL, NO_WRITES},
    {"hot standby mode", NULL, NO_WRITES},
    {"could not translate host name", NULL,
        "see to the name in `store`, and to DNS"},
    {"Connection refused", NULL,
        "start the server, or see to its port and listen_addresses"},
    {"timeout expired", NULL, "see to network and firewall"},
};

void
pg_say(struct store_diag *diag, const char *format, ...)
{
	va_list ap;
	char *end;

	va_start(ap, format);
	(void)vsnprintf(diag->text, sizeof(diag->text), format, ap);
	va_end(ap);
	/* libpq ends its lines, and has several */
	end = diag->text + strlen(diag->text);
	while (end > diag->text && end[-1] == '\n')
		*--end = '\0';
	for (char *c = diag->text; *c != '\0'; c++) {
		if ((unsigned char)*c < ' ')
			*c = ' ';
	}
}

static const char *
next_step(const char *state)
{
	for (size_t i = 0; i < sizeof(advice) / sizeof(advice[0]); i++) {
		if (strncmp(state, advice[i].state, strlen(advice[i].state)) ==
		    0)
			return advice[i].next;
	}
	return "see the log of the server";
}

/* libpq's lines as one, without what it asks after a tab ("Is the server
 * running on that host ...?"): that is in the next step. */
static size_t
fold(char *out, size_t cap, const char *text, size_t len)
{
	size_t n = 0;

	for (size_t at = 0; at < len;) {
		const char *eol = memchr(text + at, '\n', len - at);
		size_t end = eol == NULL ? len : (size_t)(eol - text);

		if (end > at && text[at] != '\t' && n + 1 < cap)
			n += (size_t)snprintf(out + n, cap - n, "%s%.*s",
			    n > 0 ? " " : "", (int)(end - at), text + at);
		at = end + 1;
	}
	return n < cap ? n : cap - 1;
}

static const char *
connect_step(const char *text, bool asked_password)
{
	for (size_t i = 0; i < sizeof(unconnected) / sizeof(unconnected[0]);
	     i++) {
		if (strstr(text, unconnected[i].words) != NULL)
			return unconnected[i].state == NULL
			    ? unconnected[i].next
			    : next_step(unconnected[i].state);
	}
	return next_step(asked_password ? "28" : "");
}

void
pg_say_unconnected(struct store_diag *diag, const char *text,
    bool asked_password)
{
	static const char begin[] = "connection to server ", gap[] = " ... ";
	const char *next = connect_step(text, asked_password);
	const size_t room =
	    sizeof(diag->text) - sizeof("PostgreSQL: ; ") - strlen(next);
	char first[STORE_DIAG_MAX] = "", last[STORE_DIAG_MAX] = "";
	const char *of_last = text;
	size_t n_first, n_last;

	for (const char *p = strstr(text, begin); p != NULL;
	     p = strstr(p + 1, begin))
		of_last = p;
	n_first = fold(first, sizeof(first), text, (size_t)(of_last - text));
	n_last = fold(last, sizeof(last), of_last, strlen(of_last));
	if (n_first > 0 && n_first + 1 + n_last <= room)
		pg_say(diag, "PostgreSQL: %s %s; %s", first, last, next);
	else if (n_first > 0 && n_last + sizeof(gap) <= room)
		pg_say(diag, "PostgreSQL: %.*s%s%s; %s",
		    (int)(room - n_last - strlen(gap)), first, gap, last, next);
	else
		pg_say(diag, "PostgreSQL: %.*s; %s", (int)room, last, next);
}

static int
lost(struct pg_link *link)
{
	const char *text = PQerrorMessage(link->conn);

	pg_say(link->diag, "PostgreSQL: %.180s; musterd connects again",
	    text[0] == '\0' ? "connection lost" : text);
	return MUSTER_E_CONNECT;
}

/* The same where nothing can be sent any more. */
static int
dropped(struct pg_link *link)
{
	int err = lost(link);

	pg_link_close(link);
	return err;
}

static int
refused(struct pg_link *link, const PGresult *res)
{
	const char *state = PQresultErrorField(res, PG_DIAG_SQLSTATE);
	const char *text = PQresultErrorField(res, PG_DIAG_MESSAGE_PRIMARY);

	if (state == NULL)
		return lost(link);
	pg_say(link->diag, "PostgreSQL: %.140s (%s); %s",
	    text == NULL ? "error" : text, state, next_step(state));
	/* a type was changed under what is prepared: for good, in this session */
	if (strcmp(state, "0A000") == 0)
		pg_link_close(link);
	return strcmp(state, "53100") == 0 ? MUSTER_E_FULL : MUSTER_E_AGAIN;
}

static void
on_notice(void *arg, const PGresult *res)
{
	struct pg_link *link = arg;

	(void)res;
	link->is_warned = true;
}

/* Until the next answer can be taken without waiting. */
static int
wait_answer(struct pg_link *link)
{
	for (;;) {
		struct pollfd fd = {.events = POLLIN};
		int64_t left_ms;
		int rc = PQflush(link->conn);

		if (rc < 0)
			return lost(link);
		if (rc == 0 && PQisBusy(link->conn) == 0)
			return 0;
		fd.events |= rc > 0 ? POLLOUT : 0;
		fd.fd = PQsocket(link->conn);
		left_ms = link->deadline_ms - clock_mono_ms();
		if (left_ms <= 0) {
			pg_say(link->diag,
			    "PostgreSQL: no answer in time; see server, "
			    "network and synchronous_standby_names");
			return MUSTER_E_TIMEOUT;
		}
		if (fd.fd < 0 ||
		    (poll(&fd, 1, (int)left_ms) < 0 && errno != EINTR))
			return lost(link);
		if ((fd.revents & (POLLIN | POLLERR | POLLHUP)) != 0 &&
		    PQconsumeInput(link->conn) == 0)
			return lost(link);
	}
}

static int
next_result(struct pg_link *link, PGresult **res_out)
{
	int err = link->conn == NULL ? MUSTER_E_CONNECT : wait_answer(link);

	if (err != 0) {
		/* what comes later would be taken for another's answer */
		pg_link_close(link);
		return MUSTER_E_CONNECT;
	}
	*res_out = PQgetResult(link->conn);
	return 0;
}

int
pg_take(struct pg_link *link, PGresult **res_out)
{
	PGresult *res = NULL, *end = NULL;
	int err = next_result(link, &res);

	if (err != 0)
		return err;
	if (PQresultStatus(res) != PGRES_TUPLES_OK &&
	    PQresultStatus(res) != PGRES_COMMAND_OK)
		err = refused(link, res);
	/* each answer ends with none, where the connection lives */
	if (err == 0 && next_result(link, &end) != 0)
		err = MUSTER_E_CONNECT;
	PQclear(end);
	if (err != 0 && link->conn != NULL &&
	    PQstatus(link->conn) == CONNECTION_BAD)
		pg_link_close(link);
	if (err != 0)
		PQclear(res);
	else
		*res_out = res;
	return err;
}

int
pg_done(struct pg_link *link)
{
	PGresult *res = NULL;
	int err = pg_take(link, &res);

	PQclear(res);
	return err;
}

int
pg_drain(struct pg_link *link)
{
	for (int n_ends = 0; n_ends < 2;) {
		PGresult *res = NULL;
		ExecStatusType status;

		if (next_result(link, &res) != 0)
			return MUSTER_E_CONNECT;
		/* one ends an answer; two say that nothing is owed */
		n_ends = res == NULL ? n_ends + 1 : 0;
		status = PQresultStatus(res);
		if (res != NULL && status == PGRES_FATAL_ERROR) {
			link->has_failed = true;
			(void)refused(link, res);
		}
		PQclear(res);
		if (res != NULL && status == PGRES_PIPELINE_SYNC) {
			link->n_syncs--;
			return 0;
		}
	}
	pg_link_close(link);
	return MUSTER_E_CONNECT;
}

int
pg_send(struct pg_link *link, enum pg_stmt id, int n_params,
    const char *const *values, const int *lens)
{
	static const int binary[PG_COLUMNS + 2] = {1, 1, 1, 1, 1, 1, 1, 1, 1, 1,
	    1, 1, 1, 1, 1, 1, 1, 1, 1, 1};
	char name[16];

	(void)snprintf(name, sizeof(name), "m%d", (int)id);
	if (link->conn == NULL)
		return MUSTER_E_CONNECT;
	link->is_unsynced = true;
	if (PQsendQueryPrepared(link->conn, name, n_params, values, lens,
	        binary, 1) == 0)
		return dropped(link);
	return 0;
}

int
pg_send_text(struct pg_link *link, const char *text)
{
	if (link->conn == NULL)
		return MUSTER_E_CONNECT;
	link->is_unsynced = true;
	if (PQsendQueryParams(link->conn, text, 0, NULL, NULL, NULL, NULL, 1) ==
	    0)
		return dropped(link);
	return 0;
}

int
pg_sync(struct pg_link *link)
{
	if (link->conn == NULL)
		return MUSTER_E_CONNECT;
	link->is_unsynced = false;
	link->n_syncs++;
	if (PQpipelineSync(link->conn) == 0)
		return dropped(link);
	return 0;
}

int
pg_run(struct pg_link *link, enum pg_stmt id)
{
	int err = pg_send(link, id, 0, NULL, NULL);

	if (err == 0)
		err = pg_sync(link);
	if (err == 0)
		err = pg_done(link);
	return err == 0 ? pg_drain(link) : err;
}

int
pg_ask_text(struct pg_link *link, const char *text, PGresult **res_out)
{
	int err = pg_send_text(link, text);

	if (err == 0)
		err = pg_sync(link);
	if (err == 0)
		err = pg_take(link, res_out);
	return err;
}

void
pg_link_close(struct pg_link *link)
{
	if (link->conn != NULL)
		PQfinish(link->conn);
	link->conn = NULL;
}

bool
pg_link_is_alive(struct pg_link *link)
{
	struct pollfd fd = {.events = POLLIN};

	if (link->conn == NULL)
		return false;
	/* what comes between two transactions is the server's farewell; that
	 * it is one, libpq tells by a notice */
	fd.fd = PQsocket(link->conn);
	link->is_warned = false;
	if (poll(&fd, 1, 0) > 0 &&
	    (PQconsumeInput(link->conn) == 0 || PQisBusy(link->conn) != 0 ||
	        link->is_warned))
		pg_link_close(link);
	return link->conn != NULL;
}

/*
 * The session is as we need it whatever the role's settings are: durable,
 * with deadlines, and with plans that stay good while the tables grow.
 */
static int
set_up(struct pg_link *link, const char *schema)
{
	static const char text[] =
	    "SELECT set_config('search_path', quote_ident($1), false),"
	    " set_config('lock_timeout', '" PG_LOCK_MS "', false),"
	    " set_config('statement_timeout', '" PG_QUERY_MS "', false),"
	    " set_config('idle_in_transaction_session_timeout',"
	    " '" PG_SILENT_MS "', false),"
	    " set_config('client_min_messages', 'warning', false),"
	    " set_config('default_transaction_isolation',"
	    " 'read committed', false),"
	    " set_config('synchronous_commit',"
	    " CASE current_setting('synchronous_commit') WHEN 'remote_apply'"
	    " THEN 'remote_apply' ELSE 'on' END, false),"
	    " set_config('plan_cache_mode', 'force_generic_plan', false),"
	    " set_config('enable_seqscan', 'off', false),"
	    " set_config('enable_hashjoin', 'off', false),"
	    " set_config('enable_mergejoin', 'off', false),"
	    /* what must read a whole table costs more than anything by these,
	     * and machine code would be made for it, each time */
	    " set_config('jit', 'off', false)";

	if (PQsendQueryParams(link->conn, text, 1, NULL, &schema, NULL, NULL,
	        0) == 0)
		return lost(link);
	return 0;
}

static int
judge_schema(struct pg_link *link, const PGresult *res, const char *schema)
{
	int number, works_with, n;

	if (PQntuples(res) != 1) {
		pg_say(link->diag,
		    "PostgreSQL: schema %s has no migration; run "
		    "001-tables.sql and the later ones of " PATH_MIGRATIONS
		    ", each as its head says",
		    schema);
		return MUSTER_E_SCHEMA;
	}
	number = atoi(PQgetvalue(res, 0, 0));
	works_with = atoi(PQgetvalue(res, 0, 1));
	n = atoi(PQgetvalue(res, 0, 2));
	if (number < PG_SCHEMA) {
		pg_say(link->diag,
		    "PostgreSQL: schema %s is at migration %d, this host needs "
		    "%d; run the later ones of " PATH_MIGRATIONS
		    ", each as its head says",
		    schema, number, PG_SCHEMA);
		return MUSTER_E_SCHEMA;
	}
	if (works_with > PG_SCHEMA) {
		pg_say(link->diag,
		    "PostgreSQL: schema %s is at migration %d, which needs "
		    "hosts that know %d; this one knows %d: upgrade musterd",
		    schema, number, works_with, PG_SCHEMA);
		return MUSTER_E_SCHEMA;
	}
	if (n != number) {
		pg_say(link->diag,
		    "PostgreSQL: schema %s is at migration %d and has run %d; "
		    "run the missing ones of " PATH_MIGRATIONS,
		    schema, number, n);
		return MUSTER_E_SCHEMA;
	}
	return 0;
}

int
pg_as_schema(struct store_diag *diag, const char *schema, int err)
{
	if (err == 0 || strstr(diag->text, "(42") == NULL)
		return err;
	if (strstr(diag->text, "(42501)") == NULL)
		pg_say(diag,
		    "PostgreSQL: schema %s is not what this host knows; run "
		    "the migrations of " PATH_MIGRATIONS
		    " that are missing, each as its head says",
		    schema);
	return MUSTER_E_SCHEMA;
}

static int
check_schema(struct pg_link *link, const char *schema)
{
	/* what one migration cannot go on with, a later one does not mend */
	static const char text[] =
	    "SELECT max(number), max(works_with), count(*) FROM migration"
	    " HAVING count(*) > 0";
	PGresult *res = NULL;
	int err = set_up(link, schema);

	if (err == 0 &&
	    PQsendQueryParams(link->conn, text, 0, NULL, NULL, NULL, NULL, 0) ==
	        0)
		err = lost(link);
	if (err == 0)
		err = pg_ask_keys(link);
	if (err == 0)
		err = pg_sync(link);
	if (err == 0)
		err = pg_done(link);
	if (err != 0)
		return err;
	err = pg_as_schema(link->diag, schema, pg_take(link, &res));
	if (err == 0)
		err = judge_schema(link, res, schema);
	PQclear(res);
	if (err == 0)
		err = pg_judge_keys(link, schema);
	return err == 0 ? pg_drain(link) : err;
}

int
pg_link_prepare(struct pg_link *link, const char *schema)
{
	int err = 0;

	for (int i = 0; i < PG_STMTS; i++) {
		char name[16];

		(void)snprintf(name, sizeof(name), "m%d", i);
		if (PQsendPrepare(link->conn, name, pg_statements[i], 0,
		        NULL) == 0)
			return lost(link);
	}
	err = pg_sync(link);
	for (int i = 0; i < PG_STMTS && err == 0; i++)
		err = pg_done(link);
	if (err != 0)
		return pg_as_schema(link->diag, schema, err);
	return pg_drain(link);
}

int
pg_link_open(struct pg_link *link, const char *address, const char *schema)
{
	int err;

	pg_link_close(link);
	link->is_warned = link->is_unsynced = false;
	link->n_syncs = 0;
	link->deadline_ms = clock_mono_ms() + PG_CONNECT_MS;
	err = pg_link_connect(link, address);
	if (err == 0) {
		(void)PQsetNoticeReceiver(link->conn, on_notice, link);
		if (PQsetnonblocking(link->conn, 1) != 0 ||
		    PQenterPipelineMode(link->conn) == 0)
			err = lost(link);
	}
	if (err == 0)
		err = check_schema(link, schema);
	if (err != 0)
		pg_link_close(link);
	return err == MUSTER_E_CONNECT ? MUSTER_E_AGAIN : err;
}
