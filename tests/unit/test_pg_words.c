/* SPDX-License-Identifier: MIT */
/* What is said where no connection came about: why, and the next step. */
#include <stdlib.h>
#include <string.h>

#include "store/pg.h"
#include "tap.h"

#define AT(host) "connection to server at \"" host "\", port 5432 failed: "
#define REFUSED                                                         \
	"Connection refused\n\tIs the server running on that host and " \
	"accepting "                                                    \
	"TCP/IP connections?\n"
#define LATE "timeout expired\n"

static const char *
said(const char *text, bool asked_password)
{
	static struct store_diag diag;

	pg_say_unconnected(&diag, text, asked_password);
	return diag.text;
}

/* As PostgreSQL 15 and its libpq put it. */
static const struct {
	const char *text, *next;
} cases[] = {
    {"FATAL:  password authentication failed for user \"muster_host\"\n",
        "see to the role, its password file and pg_hba.conf"},
    {"fe_sendauth: no password supplied\n",
        "see to the role, its password file and pg_hba.conf"},
    {"FATAL:  role \"muster_host\" does not exist\n",
        "see to the role, its password file and pg_hba.conf"},
    {"FATAL:  role \"muster_host\" is not permitted to log in\n",
        "see to the role, its password file and pg_hba.conf"},
    {"FATAL:  no pg_hba.conf entry for host \"192.0.2.7\", user "
     "\"muster_host\", database \"muster\", SSL encryption\n",
        "see to the role, its password file and pg_hba.conf"},
    {"FATAL:  no pg_hba.conf entry for host \"192.0.2.7\", user "
     "\"muster_host\", database \"muster\", no encryption\n",
        "see to pg_hba.conf; where that demands TLS, set sslmode=verify-full "
        "in `store`"},
    {"server does not support SSL, but SSL was required\n",
        "set ssl = on at the server, or another sslmode in `store`"},
    {"root certificate file \"/etc/muster/db-ca.pem\" does not exist\nEither "
     "provide the file or change sslmode to disable server certificate "
     "verification.\n",
        "name the right sslrootcert in `store`"},
    {"SSL error: certificate verify failed\n",
        "name the authority of the server's certificate by sslrootcert in "
        "`store`"},
    {"server certificate for \"db1\" does not match host name \"db2\"\n",
        "name the server in `store` as its certificate does"},
    {"FATAL:  sorry, too many clients already\n",
        "raise max_connections, or the role's connection limit"},
    {"FATAL:  too many connections for role \"muster_host\"\n",
        "raise max_connections, or the role's connection limit"},
    {"FATAL:  too many connections for database \"muster\"\n",
        "raise max_connections, or the role's connection limit"},
    {"FATAL:  remaining connection slots are reserved for non-replication "
     "superuser connections\n",
        "raise max_connections, or the role's connection limit"},
    {"FATAL:  permission denied for database \"muster\"\nDETAIL:  User does "
     "not have CONNECT privilege.\n",
        "grant the role CONNECT on the database"},
    {"FATAL:  database \"muster\" does not exist\n",
        "create the database, or name another in `store`"},
    {"FATAL:  the database system is starting up\n",
        "the server restarts; musterd connects again"},
    {"FATAL:  the database system is shutting down\n",
        "the server restarts; musterd connects again"},
    {"FATAL:  the database system is in recovery mode\n",
        "the server restarts; musterd connects again"},
    {"FATAL:  the database system is not accepting connections\nDETAIL:  Hot "
     "standby mode is disabled.\n",
        "the server restarts; musterd connects again"},
    {"session is read-only\n",
        "none of these servers takes writes: start the primary, promote a "
        "standby, or name all servers in `store`"},
    {"server is in hot standby mode\n",
        "none of these servers takes writes: start the primary, promote a "
        "standby, or name all servers in `store`"},
    {"Connection refused\n\tIs the server running on that host and accepting "
     "TCP/IP connections?\n",
        "start the server, or see to its port and listen_addresses"},
    {"timeout expired\n", "see to network and firewall"},
    {"FATAL:  something else\n", "see the log of the server"},
};

static bool
ends_with(const char *text, const char *end)
{
	size_t n = strlen(text), k = strlen(end);

	return n >= k && strcmp(text + n - k, end) == 0;
}

static void
test_b11_each_cause_has_its_next_step(void)
{
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		char text[400], end[200];
		const char *got;

		(void)snprintf(text, sizeof(text), AT("192.0.2.1") "%s",
		    cases[i].text);
		(void)snprintf(end, sizeof(end), "; %s", cases[i].next);
		got = said(text, false);
		ok(ends_with(got, end) &&
		    strncmp(got, "PostgreSQL: " AT("192.0.2.1"), 40) == 0);
		if (!ends_with(got, end))
			printf("# %s\n", got);
	}
	/* libpq says this of no server */
	ok(ends_with(said("could not translate host name \"db9\" to address: "
	                  "Name or service not known\n",
	                 false),
	    "; see to the name in `store`, and to DNS"));
	/* in a server's language that we do not read */
	ok(ends_with(said(AT("db1") "FATAL:  Passwort falsch\n", true),
	    "falsch; see to the role, its password file and pg_hba.conf"));
}

static void
test_b11_what_libpq_asks_is_left_out(void)
{
	static const char want[] =
	    "PostgreSQL: " AT("db1") "Connection refused; start the server, or "
	                             "see to its port and listen_addresses";

	is_str(said(AT("db1") REFUSED, false), want);
}

/* The last of several servers is the one that no other comes after. */
static void
test_b11_the_last_server_is_heard(void)
{
	static const char two[] = AT("db1") REFUSED AT("db2") LATE;
	static const char both[] =
	    AT("db1") "Connection refused " AT("db2") LATE;
	static const char three[] = AT("db1") REFUSED AT("db2") REFUSED AT(
	    "db3.example") "FATAL:  database \"muster\" does not exist\n";
	char text[2000] = AT("db1");
	const char *got = said(two, false);

	ok(strncmp(got, "PostgreSQL: ", 12) == 0 &&
	    strncmp(got + 12, both, sizeof(both) - 2) == 0);
	got = said(three, false);
	ok(strstr(got, " ... " AT("db3.example")) != NULL);
	ok(ends_with(got,
	    "\"muster\" does not exist; create the database, or name another "
	    "in `store`"));
	is(strlen(got), STORE_DIAG_MAX - 1);
	/* one that fills it by itself is cut, and not its next step */
	for (size_t i = 0; i < 60; i++)
		(void)snprintf(text + strlen(text), sizeof(text) - strlen(text),
		    "%s", "many words ");
	got = said(text, false);
	is(strlen(got), STORE_DIAG_MAX - 1);
	ok(ends_with(got, "; see the log of the server"));
	ok(strstr(said("", false), "; see the log of the server") != NULL);
}

int
main(void)
{
	test_b11_each_cause_has_its_next_step();
	test_b11_what_libpq_asks_is_left_out();
	test_b11_the_last_server_is_heard();
	return tap_done();
}
