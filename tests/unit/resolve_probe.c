/* SPDX-License-Identifier: MIT */
/*
 * resolve_probe -- what a client learns from a name server.
 *
 *   resolve_probe srv RESOLVER DOMAIN    the outcome, a line a target
 *   resolve_probe host RESOLVER NAME     the outcome, a line an address
 *
 * A fourth argument: the milliseconds after which no question begins.
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
