/* SPDX-License-Identifier: MIT */
/*
 * resolve_probe -- what a client learns from a name server.
 *
 *   resolve_probe srv RESOLVER DOMAIN    the outcome, a line a target
 *   resolve_probe host RESOLVER NAME     the outcome, a line an address
 *   resolve_probe clients RESOLVER N     N clients that look in corp.example;
 *                                        for each line of standard input all
 *                                        of them make a round, and a line
 *                                        tells of each who took a connection
 *
 * The first two take the milliseconds after which no question begins, as a
 * fourth argument.
 */
#include <arpa/inet.h>
#include <sodium.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/errcode.h"
#include "client/exchange.h"
#include "client/resolve.h"

static void
show_srv(const struct choice *c)
{
	char text[DNS_TEXT_MAX + 1];

	for (size_t i = 0; i < c->n; i++) {
		dns_name_text(&c->srv[i].target, text);
		(void)printf("%u %u %u %s\n", (unsigned)c->srv[i].priority,
		    (unsigned)c->srv[i].weight, (unsigned)c->srv[i].port, text);
	}
	(void)printf("dropped %zu\n", c->n_dropped);
}

static void
show_addrs(const struct resolve_addrs *list)
{
	char text[INET6_ADDRSTRLEN];

	for (size_t i = 0; i < list->n; i++) {
		const union resolvconf_addr *a = &list->addr[i];
		bool is_v4 = a->any.sa_family == AF_INET;
		const void *from = is_v4 ? (const void *)&a->v4.sin_addr
		                         : (const void *)&a->v6.sin6_addr;

		(void)printf("%s\n",
		    inet_ntop(a->any.sa_family, from, text, sizeof(text)));
	}
}

static struct resolvconf conf = {.n_servers = 1};

static uint32_t
draw(void *arg, uint32_t below)
{
	(void)arg;
	return randombytes_uniform(below);
}

/* The way of round_run(), with a connection in place of the request. */
static enum walk_kind
reach(const struct walk_todo *todo)
{
	struct exchange_target t;
	struct resolve_addrs list;
	int fd = -1;
	int err = exchange_parse(todo->host, &t);

	if (err == 0)
		err = resolve_host(&conf, t.name, t.port,
		    stream_end_ms(RESOLVE_MS), &list);
	if (err == 0)
		err = stream_connect(list.addr, list.n,
		    stream_end_ms(EXCHANGE_CONNECT_MS), &fd);
	stream_close(fd);
	return err == 0 ? WALK_RESPONDED : WALK_FAILED;
}

static void
one_round(struct walk *w, struct walk_known *known)
{
	struct walk_plan plan = {.is_renewal = known->host[0] != '\0',
	    .known = *known};
	struct walk_event ev = {.kind = WALK_BEGIN, .draw = draw};
	struct walk_todo todo;

	walk_plan_domain(&plan, "corp.example");
	walk_init(w, &plan);
	walk_step(w, &ev, &todo);
	while (todo.act != WALK_END) {
		if (todo.act == WALK_ASK) {
			ev.kind = reach(&todo);
		} else {
			ev.kind = WALK_LOOKED_UP;
			ev.err = resolve_srv(&conf, todo.domain,
			    stream_end_ms(RESOLVE_MS), &w->choice);
		}
		walk_step(w, &ev, &todo);
	}
	(void)printf("%s\n", ev.kind == WALK_RESPONDED ? todo.host : "nobody");
	if (ev.kind == WALK_RESPONDED)
		(void)walk_known(w, known);
}

static int
clients(size_t n)
{
	struct walk *w = malloc(sizeof(*w));
	struct walk_known *known = calloc(n, sizeof(*known));
	char line[16];
	int err = w == NULL || known == NULL;

	while (err == 0 && fgets(line, sizeof(line), stdin) != NULL) {
		for (size_t i = 0; i < n; i++)
			one_round(w, &known[i]);
		(void)fflush(stdout);
	}
	free(known);
	free(w);
	return err;
}

int
main(int argc, char *argv[])
{
	struct choice *choice = malloc(sizeof(*choice));
	struct resolve_addrs list = {.n = 0};
	char word[ERRCODE_MAX];
	int64_t end_ms;
	bool is_srv;
	int err;

	if ((argc != 4 && argc != 5) || choice == NULL || sodium_init() < 0 ||
	    resolvconf_server(argv[2], &conf.server[0]) != 0)
		return 2;
	if (strcmp(argv[1], "clients") == 0) {
		free(choice);
		return clients(strtoul(argv[3], NULL, 10));
	}
	end_ms =
	    stream_end_ms(argc == 5 ? strtol(argv[4], NULL, 10) : RESOLVE_MS);
	is_srv = strcmp(argv[1], "srv") == 0;
	choice_init(choice);
	err = is_srv ? resolve_srv(&conf, argv[3], end_ms, choice)
	             : resolve_host(&conf, argv[3], "1688", end_ms, &list);
	errcode(err, word);
	(void)printf("%s\n", word);
	if (err == 0 && is_srv)
		show_srv(choice);
	else if (err == 0)
		show_addrs(&list);
	free(choice);
	return 0;
}
