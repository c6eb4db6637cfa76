/* SPDX-License-Identifier: MIT */
/*
 * pg_connect.c -- one server of several is found, by one deadline; see pg.h.
 *
 * libpq goes through the servers by itself, and while it does so only its
 * blocking call leaves one that is silent.  So each address gets an attempt of
 * its own here, and of the time that is left an equal share with those that
 * come after it.
 */
#include "store/pg.h"

#include <errno.h>
#include <netdb.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>

#include "base/clock.h"

#define NAME_MAX_LEN 255  /* of a host in `store`, or a folder of sockets */
#define NUMBER_MAX_LEN 63 /* an address with its interface, or a port */
#define ADDRESSES_MAX 8   /* of one name; a server has one or two */
#define ADDED 10          /* settings that are set here, and the end */

/* A server of `store`; its port is in force for each of its addresses. */
struct server {
	char host[NAME_MAX_LEN + 1];
	char address[NUMBER_MAX_LEN + 1];
	char port[NUMBER_MAX_LEN + 1];
};

struct search {
	PQconninfoOption *options;    /* of `store` */
	const char **names, **values; /* for an attempt */
	unsigned n_servers;
	bool
	    is_whole; /* libpq reads the list, and says what is wrong with it */
	int64_t end_ms;
	struct pg_link *link;
	char words[PG_WORDS_MAX]; /* of the attempts so far */
	bool asked_password;      /* the last one did */
};

static const char *
option(const struct search *s, const char *name)
{
	for (const PQconninfoOption *o = s->options; o->keyword != NULL; o++) {
		if (strcmp(o->keyword, name) == 0 && o->val != NULL)
			return o->val;
	}
	return "";
}

/* An empty list has one item, which is empty. */
static unsigned
n_items(const char *list)
{
	unsigned n = 1;

	while ((list = strchr(list, ',')) != NULL) {
		list++;
		n++;
	}
	return n;
}

static void
item(const char *list, unsigned i, char *out, size_t cap)
{
	for (; i > 0; i--)
		list = strchr(list, ',') + 1;
	(void)snprintf(out, cap, "%.*s", (int)strcspn(list, ","), list);
}

/* As libpq reads it: one server for each address or, without, name; and one
 * port for all of them or for each. */
static void
count_servers(struct search *s)
{
	const char *hosts = option(s, "host"), *at = option(s, "hostaddr");
	unsigned n_ports = n_items(option(s, "port"));

	s->n_servers = n_items(at[0] != '\0' ? at : hosts);
	s->is_whole = (hosts[0] == '\0' && at[0] == '\0') ||
	    (hosts[0] != '\0' && n_items(hosts) != s->n_servers) ||
	    (n_ports > 1 && n_ports != s->n_servers);
	if (s->is_whole)
		s->n_servers = 1;
}

static void
take_server(const struct search *s, unsigned i, struct server *out)
{
	const char *hosts = option(s, "host"), *at = option(s, "hostaddr");
	const char *ports = option(s, "port");

	*out = (struct server){.host = ""};
	if (hosts[0] != '\0')
		item(hosts, i, out->host, sizeof(out->host));
	if (at[0] != '\0')
		item(at, i, out->address, sizeof(out->address));
	item(ports, n_items(ports) > 1 ? i : 0, out->port, sizeof(out->port));
}

static void
set(struct search *s, unsigned *n, const char *name, const char *value)
{
	s->names[*n] = name;
	s->values[(*n)++] = value;
}

/* What comes later counts, and an empty value is none. */
static void
set_all(struct search *s, const struct server *server)
{
	unsigned n = 0;

	set(s, &n, "target_session_attrs", "read-write");
	set(s, &n, "keepalives_idle", "10");
	set(s, &n, "tcp_user_timeout", "5000");
	/* Kerberos's library makes calls that musterd is not allowed */
	set(s, &n, "gssencmode", "disable");
	for (const PQconninfoOption *o = s->options; o->keyword != NULL; o++) {
		bool is_of_list = strcmp(o->keyword, "host") == 0 ||
		    strcmp(o->keyword, "hostaddr") == 0 ||
		    strcmp(o->keyword, "port") == 0;

		if (o->val != NULL && (s->is_whole || !is_of_list))
			set(s, &n, o->keyword, o->val);
	}
	if (!s->is_whole) {
		set(s, &n, "host", server->host);
		set(s, &n, "hostaddr", server->address);
		set(s, &n, "port", server->port);
	}
	set(s, &n, "client_encoding", "UTF8");
	set(s, &n, "application_name", "musterd");
	set(s, &n, NULL, NULL);
}

/* libpq names a server by its address alone where we have looked that up. */
static void
add_words(struct search *s, const struct server *server, const char *text)
{
	static const char begin[] = "connection to server at ";
	char from[sizeof(begin) + NUMBER_MAX_LEN + 2];
	size_t at = strlen(s->words), from_len;
	bool has_name = server->host[0] != '\0' && server->address[0] != '\0' &&
	    strcmp(server->host, server->address) != 0;
	const char *found;

	from_len = (size_t)snprintf(from, sizeof(from), "%s\"%s\"", begin,
	    server->address);
	while (has_name && at < sizeof(s->words) &&
	    (found = strstr(text, from)) != NULL) {
		at += (size_t)snprintf(s->words + at, sizeof(s->words) - at,
		    "%.*s%s\"%s\" (%s)", (int)(found - text), text, begin,
		    server->host, server->address);
		text = found + from_len;
	}
	if (at < sizeof(s->words))
		(void)snprintf(s->words + at, sizeof(s->words) - at, "%s",
		    text);
}

/* Until libpq can go on; false: not by then. */
static bool
wait_socket(PGconn *conn, PostgresPollingStatusType want, int64_t end_ms)
{
	struct pollfd fd = {
	    .fd = PQsocket(conn),
	    .events = want == PGRES_POLLING_READING ? POLLIN : POLLOUT,
	};
	int rc;

	do {
		int64_t left_ms = end_ms - clock_mono_ms();

		rc = left_ms <= 0 ? 0 : poll(&fd, 1, (int)left_ms);
	} while (rc < 0 && errno == EINTR);
	return rc > 0;
}

/* Is there a connection?  If not, its words are among those of the others. */
static bool
attempt(struct search *s, const struct server *server, int64_t end_ms)
{
	PostgresPollingStatusType want = PGRES_POLLING_WRITING;
	bool is_late = false;
	PGconn *conn;

	set_all(s, server);
	conn = PQconnectStartParams(s->names, s->values, 0);
	if (conn == NULL) {
		add_words(s, server, "out of memory\n");
		return false;
	}
	if (PQstatus(conn) == CONNECTION_BAD)
		want = PGRES_POLLING_FAILED;
	while (!is_late &&
	    (want == PGRES_POLLING_READING || want == PGRES_POLLING_WRITING)) {
		is_late = !wait_socket(conn, want, end_ms);
		if (!is_late)
			want = PQconnectPoll(conn);
	}
	if (want == PGRES_POLLING_OK) {
		s->link->conn = conn;
		return true;
	}
	/* whom it is about libpq has said by then */
	add_words(s, server, PQerrorMessage(conn));
	if (is_late)
		add_words(s, server, "timeout expired\n");
	s->asked_password = PQconnectionUsedPassword(conn) != 0;
	PQfinish(conn);
	return false;
}

/* Each address of a name, in the resolver's order. */
static bool
attempt_name(struct search *s, struct server *server, int64_t end_ms)
{
	const struct addrinfo hints = {.ai_socktype = SOCK_STREAM};
	struct addrinfo *found = NULL;
	unsigned n = 0;
	bool is_open = false;
	int rc = getaddrinfo(server->host, NULL, &hints, &found);

	if (rc != 0) {
		char text[NAME_MAX_LEN + 128];

		(void)snprintf(text, sizeof(text),
		    "could not translate host name \"%s\" to address: %s\n",
		    server->host, gai_strerror(rc));
		add_words(s, server, text);
		return false;
	}
	for (const struct addrinfo *a = found; a != NULL; a = a->ai_next)
		n += n < ADDRESSES_MAX;
	for (const struct addrinfo *a = found; n > 0 && !is_open;
	     a = a->ai_next, n--) {
		int64_t now_ms = clock_mono_ms();

		if (getnameinfo(a->ai_addr, a->ai_addrlen, server->address,
		        sizeof(server->address), NULL, 0, NI_NUMERICHOST) == 0)
			is_open =
			    attempt(s, server, now_ms + (end_ms - now_ms) / n);
	}
	freeaddrinfo(found);
	return is_open;
}

static bool
is_name(const struct server *server)
{
	return server->host[0] != '\0' && server->address[0] == '\0' &&
	    strchr("/@", server->host[0]) == NULL; /* a folder of sockets */
}

/* What is asked of the server that was found has a share as well. */
static bool
attempt_each(struct search *s)
{
	bool is_open = false;

	for (unsigned i = 0; i < s->n_servers && !is_open; i++) {
		int64_t now_ms = clock_mono_ms();
		int64_t end_ms =
		    now_ms + (s->end_ms - now_ms) / (s->n_servers - i + 1);
		struct server server = {.host = ""};

		if (!s->is_whole)
			take_server(s, i, &server);
		is_open = is_name(&server) ? attempt_name(s, &server, end_ms)
		                           : attempt(s, &server, end_ms);
	}
	return is_open;
}

int
pg_link_connect(struct pg_link *link, const char *address)
{
	struct search s = {.link = link, .end_ms = link->deadline_ms};
	size_t n = ADDED;
	int err = MUSTER_E_AGAIN;

	s.options = PQconninfoParse(address, NULL);
	if (s.options == NULL)
		return MUSTER_E_AGAIN; /* it was looked at: no memory */
	for (const PQconninfoOption *o = s.options; o->keyword != NULL; o++)
		n++;
	s.names = calloc(n, sizeof(*s.names));
	s.values = calloc(n, sizeof(*s.values));
	if (s.names != NULL && s.values != NULL) {
		count_servers(&s);
		if (attempt_each(&s))
			err = 0;
		else
			pg_say_unconnected(link->diag, s.words,
			    s.asked_password);
	}
	free(s.names);
	free(s.values);
	PQconninfoFree(s.options);
	return err;
}
