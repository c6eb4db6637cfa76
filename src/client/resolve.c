/* SPDX-License-Identifier: MIT */
#include "client/resolve.h"

#include <arpa/nameser.h>
#include <errno.h>
#include <netdb.h>
#include <resolv.h>
#include <sodium.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>

#include "base/clock.h"
#include "client/stream.h"
#include "discovery/message.h"

struct question {
	uint16_t type;
	int n_tries;    /* by UDP, all servers in turn */
	int64_t end_ms; /* as in the header */
};

/* One question for one name, and the room for what is answered. */
struct ask {
	const struct resolvconf *conf;
	struct dns_name name;
	struct question q;
	uint16_t id;
	uint8_t query[DNS_QUERY_MAX];
	size_t query_len;
	struct dns_reader r; /* before the first record of the answer */
	uint8_t msg[DNS_MESSAGE_MAX];
};

/* A record of the answer that was asked for. */
typedef int
take_fn(void *arg, const struct dns_reader *r, const struct dns_record *rec);

/* What arrived, if it is the answer; h is that of a failure as well. */
static int
judge(struct ask *a, size_t len)
{
	int err = dns_answers(a->msg, len, a->id, &a->name, a->q.type, &a->r);

	return err == 0 ? dns_rcode_err(a->r.header.rcode) : err;
}

/* Our servers in place of the system's, and our patience. */
static int
set_servers(const struct ask *a, res_state st)
{
	const struct resolvconf *conf = a->conf;

	res_nclose(st); /* frees those that res_ninit() took */
	st->options = RES_INIT | RES_RECURSE | RES_IGNTC;
	st->retrans = RESOLVE_TRY_S;
	st->retry = a->q.n_tries;
	st->nscount = (int)conf->n_servers;
	st->_u._ext.nscount = 0; /* its copy of them is to be made anew */
	for (size_t i = 0; i < conf->n_servers; i++) {
		const union resolvconf_addr *s = &conf->server[i];

		memset(&st->nsaddr_list[i], 0, sizeof(st->nsaddr_list[i]));
		st->_u._ext.nsaddrs[i] = NULL;
		if (s->any.sa_family == AF_INET) {
			st->nsaddr_list[i] = s->v4;
			continue;
		}
		/* res_nclose() frees it */
		st->_u._ext.nsaddrs[i] = malloc(sizeof(s->v6));
		if (st->_u._ext.nsaddrs[i] == NULL)
			return MUSTER_E_NOMEM;
		*st->_u._ext.nsaddrs[i] = s->v6;
	}
	return 0;
}

static int
make_query(struct ask *a, res_state st)
{
	char text[DNS_TEXT_MAX + 1];
	int len;

	dns_name_text(&a->name, text);
	len = res_nmkquery(st, ns_o_query, text, ns_c_in, a->q.type, NULL, 0,
	    NULL, a->query, sizeof(a->query));
	if (len < DNS_HEADER_LEN)
		return MUSTER_E_TOOBIG;
	a->query_len = (size_t)len;
	/* the library's numbers can be guessed */
	randombytes_buf(&a->id, sizeof(a->id));
	a->query[0] = (uint8_t)(a->id >> 8);
	a->query[1] = (uint8_t)a->id;
	return 0;
}

static int
ask_udp(struct ask *a)
{
	struct __res_state st;
	int err, len;

	memset(&st, 0, sizeof(st));
	if (res_ninit(&st) != 0)
		return MUSTER_E_NOMEM;
	err = set_servers(a, &st);
	if (err == 0)
		err = make_query(a, &st);
	if (err == 0) {
		memset(a->msg, 0, sizeof(a->msg));
		len = res_nsend(&st, a->query, (int)a->query_len, a->msg,
		    sizeof(a->msg));
		/* our question is as long in the answer as in the query */
		err = judge(a, len >= 0 ? (size_t)len : a->query_len);
		if (len < 0 && (err == 0 || a->r.header.id != a->id))
			err = MUSTER_E_DNS_TIMEOUT;
	}
	res_nclose(&st);
	return err;
}

static int
ask_tcp_one(struct ask *a, const union resolvconf_addr *server)
{
	uint8_t mark[2] = {(uint8_t)(a->query_len >> 8), (uint8_t)a->query_len};
	int64_t end_ms = stream_end_ms(RESOLVE_TCP_MS);
	size_t len = 0;
	int fd = -1, err;

	if (end_ms > a->q.end_ms)
		end_ms = a->q.end_ms;
	err = stream_connect(server, 1, end_ms, &fd);

	if (err == 0)
		err = stream_send(fd, mark, sizeof(mark), true, end_ms);
	if (err == 0)
		err = stream_send(fd, a->query, a->query_len, false, end_ms);
	if (err == 0)
		err = stream_recv(fd, mark, sizeof(mark), end_ms);
	if (err == 0) {
		len = (size_t)mark[0] << 8 | mark[1];
		err = stream_recv(fd, a->msg, len, end_ms);
	}
	stream_close(fd);
	return err == 0 ? judge(a, len) : MUSTER_E_DNS_TIMEOUT;
}

static int
ask_once(struct ask *a)
{
	int err;

	if (a->conf->n_servers == 0 || clock_mono_ms() >= a->q.end_ms)
		return MUSTER_E_DNS_TIMEOUT;
	a->r.header.id = (uint16_t)~a->id;
	err = ask_udp(a);
	if (err != 0 || !a->r.header.is_truncated)
		return err;
	for (size_t i = 0; i < a->conf->n_servers; i++) {
		err = ask_tcp_one(a, &a->conf->server[i]);
		if (err == 0 || err == MUSTER_E_NXDOMAIN)
			break;
	}
	return err;
}

/* Within the answer: go from the name to what it is an alias of. */
static int
follow(struct ask *a, unsigned *n_aliases)
{
	struct dns_reader r = a->r;
	struct dns_record rec;
	int err;

	while ((err = dns_next(&r, &rec)) == 1) {
		if (rec.section != DNS_ANSWER || rec.type != DNS_CNAME ||
		    rec.class != DNS_IN ||
		    !dns_name_equal(&rec.owner, &a->name))
			continue;
		if (++*n_aliases > RESOLVE_ALIASES_MAX)
			return MUSTER_E_ALIAS;
		err = dns_name_rdata(&r, &rec, &a->name);
		if (err != 0)
			return err;
		r = a->r; /* they may stand in any order */
	}
	return err;
}

/* The records of the name, and how many. */
static int
take_all(struct ask *a, take_fn *take, void *arg, size_t *n_out)
{
	struct dns_reader r = a->r;
	struct dns_record rec;
	int err;

	while ((err = dns_next(&r, &rec)) == 1) {
		if (rec.section != DNS_ANSWER || rec.type != a->q.type ||
		    rec.class != DNS_IN ||
		    !dns_name_equal(&rec.owner, &a->name))
			continue;
		err = take(arg, &r, &rec);
		if (err != 0)
			return err;
		(*n_out)++;
	}
	return err;
}

static int
resolve(const struct resolvconf *conf, const struct dns_name *name,
    const struct question *q, take_fn *take, void *arg)
{
	struct ask *a = malloc(sizeof(*a));
	unsigned n_aliases = 0, before;
	size_t n = 0;
	int err;

	if (a == NULL)
		return MUSTER_E_NOMEM;
	a->conf = conf;
	a->name = *name;
	a->q = *q;
	a->id = 0;
	do {
		before = n_aliases;
		err = ask_once(a);
		if (err == 0)
			err = follow(a, &n_aliases);
		if (err == 0)
			err = take_all(a, take, arg, &n);
		/* an alias may lead to where this server does not look */
	} while (err == 0 && n == 0 && n_aliases > before);
	free(a);
	return err == 0 && n == 0 ? MUSTER_E_NODATA : err;
}

/* ---- SRV ---- */

static int
take_srv(void *arg, const struct dns_reader *r, const struct dns_record *rec)
{
	struct choice *choice = arg;
	struct dns_srv srv;
	int err = dns_srv_read(r, rec, &srv);

	if (err == 0)
		choice_add(choice, &srv);
	else if (err == MUSTER_E_RANGE)
		choice->n_dropped++;
	return err == MUSTER_E_RANGE ? 0 : err;
}

uint32_t
resolve_draw(void *arg, uint32_t below)
{
	(void)arg;
	return randombytes_uniform(below);
}

int
resolve_srv(const struct resolvconf *conf, const char *domain, int64_t end_ms,
    struct choice *choice)
{
	const struct question q = {DNS_SRV, RESOLVE_TRIES, end_ms};
	struct dns_name name;
	int err = dns_name_join(WALK_SERVICE, domain, &name);

	if (err == 0)
		err = resolve(conf, &name, &q, take_srv, choice);
	if (err == 0 && choice->n == 0)
		err = choice->is_refused ? MUSTER_E_NO_SERVICE : MUSTER_E_RANGE;
	return err;
}

/* ---- addresses ---- */

static int
take_addr(void *arg, const struct dns_reader *r, const struct dns_record *rec)
{
	struct resolve_addrs *list = arg;
	union resolvconf_addr *addr;
	bool is_v4 = rec->type == DNS_A;

	if (rec->rdata_len != (is_v4 ? 4 : 16))
		return MUSTER_E_PROTO;
	if (list->n == RESOLVE_ADDRS_MAX)
		return 0;
	addr = &list->addr[list->n++];
	memset(addr, 0, sizeof(*addr));
	addr->any.sa_family = is_v4 ? AF_INET : AF_INET6;
	if (is_v4)
		memcpy(&addr->v4.sin_addr, r->msg + rec->rdata, 4);
	else
		memcpy(&addr->v6.sin6_addr, r->msg + rec->rdata, 16);
	return 0;
}

/* One of each family in turn, beginning with a's. */
static void
alternate(const struct resolve_addrs *a, const struct resolve_addrs *b,
    struct resolve_addrs *out)
{
	out->n = 0;
	for (size_t i = 0; i < RESOLVE_ADDRS_MAX; i++) {
		if (i < a->n && out->n < RESOLVE_ADDRS_MAX)
			out->addr[out->n++] = a->addr[i];
		if (i < b->n && out->n < RESOLVE_ADDRS_MAX)
			out->addr[out->n++] = b->addr[i];
	}
}

static int
from_library(const char *name, int flags, struct resolve_addrs *out)
{
	const struct addrinfo hints = {.ai_family = AF_UNSPEC,
	    .ai_socktype = SOCK_STREAM,
	    .ai_flags = flags};
	struct resolve_addrs list[2] = {{.n = 0}, {.n = 0}};
	struct addrinfo *all = NULL;
	int code = getaddrinfo(name, NULL, &hints, &all);

	if (code == EAI_MEMORY)
		return MUSTER_E_NOMEM;
	if (code == EAI_AGAIN) /* or SERVFAIL, which it does not tell apart */
		return MUSTER_E_DNS_TIMEOUT;
	if (code != 0)
		return MUSTER_E_RESOLVE;
	for (const struct addrinfo *ai = all; ai != NULL; ai = ai->ai_next) {
		struct resolve_addrs *to =
		    &list[ai->ai_family != all->ai_family];

		if (to->n == RESOLVE_ADDRS_MAX ||
		    ai->ai_addrlen > sizeof(to->addr[0]))
			continue;
		memset(&to->addr[to->n], 0, sizeof(to->addr[0]));
		memcpy(&to->addr[to->n++], ai->ai_addr, ai->ai_addrlen);
	}
	freeaddrinfo(all);
	alternate(&list[0], &list[1], out);
	return out->n > 0 ? 0 : MUSTER_E_RESOLVE;
}

/*
 * A dot at the end keeps the library's search list away, but hides the name
 * from etc/hosts, which goes before every name server.
 */
static int
from_system(const char *name, struct resolve_addrs *out)
{
	char bare[DNS_TEXT_MAX + 1];
	size_t len = strlen(name);

	if (len > 1 && len <= sizeof(bare) && name[len - 1] == '.') {
		(void)snprintf(bare, sizeof(bare), "%.*s", (int)len - 1, name);
		if (resolvconf_in_hosts(bare))
			return from_library(bare, 0, out);
	}
	return from_library(name, 0, out);
}

/* Of two causes the one that says more. */
static int
graver(int a, int b)
{
	if (a == 0 || a == MUSTER_E_NXDOMAIN || a == MUSTER_E_NODATA)
		a = b;
	return a == 0 || a == MUSTER_E_NXDOMAIN || a == MUSTER_E_NODATA
	    ? MUSTER_E_RESOLVE
	    : a;
}

static int
from_servers(const struct resolvconf *conf, const char *text, int64_t end_ms,
    struct resolve_addrs *out)
{
	struct question q = {DNS_A, RESOLVE_TRIES, end_ms};
	struct resolve_addrs v4 = {.n = 0}, v6 = {.n = 0};
	struct dns_name name;
	int err4, err6;

	if (dns_name_parse(text, &name) != 0)
		return MUSTER_E_RESOLVE;
	err4 = resolve(conf, &name, &q, take_addr, &v4);
	if (err4 == MUSTER_E_DNS_TIMEOUT || err4 == MUSTER_E_NOMEM)
		return err4; /* the next question would wait as long */
	q.type = DNS_AAAA;
	if (v4.n > 0)
		q.n_tries = 1;
	err6 = resolve(conf, &name, &q, take_addr, &v6);
	alternate(&v6, &v4, out);
	return out->n > 0 ? 0 : graver(err6, err4);
}

int
resolve_host(const struct resolvconf *conf, const char *name, const char *port,
    int64_t end_ms, struct resolve_addrs *addrs_out)
{
	struct resolve_addrs list = {.n = 0};
	uint16_t number = htons((uint16_t)strtoul(port, NULL, 10));
	int err = from_library(name, AI_NUMERICHOST, &list);

	/* RFC 6761: localhost is no name of the DNS */
	if (err != 0 &&
	    (conf == NULL || conf->is_system ||
	        strcmp(name, "localhost") == 0 ||
	        strcmp(name, "localhost.") == 0))
		err = from_system(name, &list);
	else if (err != 0)
		err = from_servers(conf, name, end_ms, &list);
	for (size_t i = 0; i < list.n; i++) {
		if (list.addr[i].any.sa_family == AF_INET)
			list.addr[i].v4.sin_port = number;
		else
			list.addr[i].v6.sin6_port = number;
	}
	if (err == 0)
		*addrs_out = list;
	return err;
}
