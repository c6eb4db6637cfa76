/* SPDX-License-Identifier: MIT */
/* Goal: name servers and domains are those that the machine's files name. */
#include "client/resolvconf.h"

#include <arpa/inet.h>

#include "tap.h"

static struct resolvconf conf;

static void
parse(const char *text)
{
	conf = (struct resolvconf){.n_servers = 0};
	resolvconf_parse(text, &conf);
}

static void
test_resolvconf_servers(void)
{
	parse("# comment\n"
	      "nameserver 192.0.2.1\n"
	      "\tnameserver\t2001:db8::1  # the other\r\n"
	      "nameserver kms.example\n"
	      "nameserver\n"
	      ";nameserver 192.0.2.9\n"
	      "nameserver 192.0.2.2\n"
	      "nameserver 192.0.2.3\n");
	is(conf.n_servers, RESOLVCONF_SERVERS_MAX);
	is(conf.server[0].v4.sin_addr.s_addr, htonl(0xc0000201));
	is(ntohs(conf.server[0].v4.sin_port), 53);
	is(conf.server[1].any.sa_family, AF_INET6);
	is(ntohs(conf.server[1].v6.sin6_port), 53);
	is(conf.server[2].v4.sin_addr.s_addr, htonl(0xc0000202));
	is(conf.n_domains, 0);
}

static void
test_b22_resolvconf_search_list(void)
{
	parse("search Lab.example corp.example. lab.example\n"
	      "options ndots:5\n");
	is(conf.n_domains, 2);
	is_str(conf.domain[0], "lab.example");
	is_str(conf.domain[1], "corp.example");
	parse("search lab.example\ndomain corp.example");
	is(conf.n_domains, 1); /* the last line counts */
	is_str(conf.domain[0], "corp.example");
	parse("domain corp.example\nsearch lab.example a.example\n");
	is(conf.n_domains, 2);
	parse("search . \n");
	is(conf.n_domains, 0);
	parse("searching lab.example\nsearch\n");
	is(conf.n_domains, 0);
	parse("search a b c d e f g h i j # k\n");
	is(conf.n_domains, WALK_DOMAINS_MAX);
	parse("");
	is(conf.n_domains, 0);
	is(conf.n_servers, 0);
}

static void
test_b22_resolvconf_own_domain(void)
{
	static const struct {
		const char *hostname, *hosts, *want;
	} rows[] = {
	    {"pc7.corp.example", "", "corp.example"},
	    {"pc7", "127.0.1.1 pc7.corp.example pc7\n", "corp.example"},
	    {"pc7", "127.0.0.1\tlocalhost\n127.0.1.1\tpc7\tpc7.lab.example\n",
	        "lab.example"},
	    {"pc7", "127.0.1.1 pc8.corp.example pc8\n", ""},
	    {"pc7", "#127.0.1.1 pc7.corp.example pc7\n", ""},
	    {"pc7", "127.0.1.1 pc7\n", ""},
	    {"pc7.", "", ""},
	    {"", "127.0.1.1 pc7.corp.example pc7\n", ""},
	};
	char out[DNS_TEXT_MAX + 1];

	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		resolvconf_own(rows[i].hostname, rows[i].hosts, out);
		is_str(out, rows[i].want);
	}
}

static void
test_resolvconf_resolver(void)
{
	static const struct {
		const char *text;
		int err, family, port;
	} rows[] = {
	    {"127.0.0.1:5353", 0, AF_INET, 5353},
	    {"127.0.0.1", 0, AF_INET, 53},
	    {"[::1]:5353", 0, AF_INET6, 5353},
	    {"[::1]", 0, AF_INET6, 53},
	    {"::1", 0, AF_INET6, 53},
	    {"127.0.0.1:0", MUSTER_E_RANGE, 0, 0},
	    {"127.0.0.1:", MUSTER_E_PROTO, 0, 0},
	    {"ns.example:53", MUSTER_E_PROTO, 0, 0},
	    {"", MUSTER_E_PROTO, 0, 0},
	};

	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		union resolvconf_addr a;

		memset(&a, 0, sizeof(a));
		printf("# %s\n", rows[i].text);
		is(resolvconf_server(rows[i].text, &a), rows[i].err);
		if (rows[i].err != 0)
			continue;
		is(a.any.sa_family, rows[i].family);
		is(ntohs(rows[i].family == AF_INET ? a.v4.sin_port
		                                   : a.v6.sin6_port),
		    rows[i].port);
	}
}

int
main(void)
{
	test_resolvconf_servers();
	test_b22_resolvconf_search_list();
	test_b22_resolvconf_own_domain();
	test_resolvconf_resolver();
	return tap_done();
}
