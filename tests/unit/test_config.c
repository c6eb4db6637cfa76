/* SPDX-License-Identifier: MIT */
/* musterd.conf: the option table, and every mistake with its line. */
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "host/config.h"
#include "tap.h"

#define SAID_MAX 4096

struct said {
	unsigned n_mistakes, n_warnings;
	char text[SAID_MAX]; /* one line each */
};

static void
hear(void *arg, enum log_level level, const char *file, unsigned line,
    const char *text)
{
	struct said *said = arg;
	size_t len = strlen(said->text);
	char head[64];

	(void)snprintf(head, sizeof(head), "%s:%u: ", file, line);
	ok(strncmp(text, head, strlen(head)) == 0);
	if (level == LOG_ERROR)
		said->n_mistakes++;
	else
		said->n_warnings++;
	(void)snprintf(said->text + len, sizeof(said->text) - len, "%s\n",
	    text);
}

static int
parse(const char *text, struct said *said, struct host_config *config)
{
	memset(said, 0, sizeof(*said));
	return config_parse(text, "m.conf", hear, said, config);
}

static uint32_t
value(const struct host_config *config, const struct config_option *option)
{
	uint32_t v;

	memcpy(&v, (const char *)config + option->offset, sizeof(v));
	return v;
}

static void
test_config_defaults_are_the_documented_ones(void)
{
	struct host_config c;
	struct said said;

	is(parse("", &said, &c), 0);
	is(said.n_mistakes + said.n_warnings, 0);
	is(c.n_listen, 2);
	is_str(c.listen[0], "0.0.0.0");
	is_str(c.listen[1], "::");
	is(c.port, 1688);
	is(c.renewal_min, 10080);
	is(c.retry_min, 120);
	is(c.log_level, LOG_NOTE);
	is(c.log_format, LOG_FORMAT_AUTO);
	is(c.first_byte_ms, 2000);
	is(c.record_ms, 500);
	is(c.idle_ms, 5000);
	is(c.calls_per_session, 16);
	is(c.session_ms, 5000);
	is(c.source_rate, 0);
	is(c.allowed.n, 0);
	is(c.inventory_rows, 1000000);
	is(c.retention_days, 400);
	is(c.exempt.n, 2);
	is(c.exempt.at[0].address[12], 127);
	is(c.exempt.at[0].bits, 96 + 8);
	is(c.exempt.at[1].address[15], 1);
	is(c.exempt.at[1].bits, 128);
	is(c.connections, 10240);
	is(c.publish, 1);
	is_str(c.publish_name, "");
	is_str(c.publish_domain, "");
	is(c.publish_priority, 0);
	is(c.publish_weight, 0);
	is(c.publish_ttl_s, 3600);
	is(c.publish_withdraw, 0);
	is_str(c.publish_server.address, "");
	is_str(c.publish_key_file, "");
	is(c.n_domains, 0);
}

static void
test_b20_config_of_publication(void)
{
	static const char *const bad[] = {
	    "publish = 1;",
	    "publish_withdraw = \"yes\";",
	    "publish_name = \"\";",
	    "publish_name = \".\";",
	    "publish_name = \"a b\";",
	    "publish_name = 7;",
	    "publish_server = \"ns.example\";",
	    "publish_server = \"192.0.2.1:0\";",
	    "publish_server = \"192.0.2.1:65536\";",
	    "publish_server = \"192.0.2.1:\";",
	    "publish_server = \"192.0.2.1:+53\";",
	    "publish_server = \"[2001:db8::1]53\";",
	    "publish_server = \"[2001:db8::1\";",
	    "publish_key_file = \"key\";",
	    "publish_key_file = \"\";",
	    "publish_domains = ( \"a.example\" );",
	    "publish_domains = ( { priority = 1; } );",
	    "publish_domains = ( { domain = \"\"; } );",
	    "publish_domains = ( { domain = \"a.b\"; weight = 65536; } );",
	    "publish_domains = ( { domain = \"a.b\"; priority = -1; } );",
	    "publish_domains = ( { domain = \"a.b\"; server = \"x\"; } );",
	    "publish_domains = ( { domain = \"a.b\"; ttl = 1; } );",
	    "publish_domains = ({domain = \"a.b\";}, {domain = \"A.B.\";});",
	    "publish_domains = { domain = \"a.b\"; };",
	};
	char text[CONFIG_DOMAINS_MAX * 32 + 128] = "publish_domains = (";
	struct host_config c;
	struct said said;

	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
		printf("# %s\n", bad[i]);
		is(parse(bad[i], &said, &c), MUSTER_E_PROTO);
		is(said.n_mistakes, 1);
	}
	is(parse("publish = false; publish_withdraw = true;\n"
	         "publish_name = \"KMS.example.\"; publish_domain = \"\";\n"
	         "publish_server = \"[2001:db8::1]:5353\";\n"
	         "publish_key_file = \"/etc/muster/key\";\n"
	         "publish_domains = ( { domain = \"A.example\"; weight = 9; "
	         "server = \"192.0.2.1:54\"; },\n"
	         "{ domain = \"b.example\"; priority = 65535; server = "
	         "\"2001:db8::2\"; } );",
	       &said, &c),
	    0);
	is(c.publish, 0);
	is(c.publish_withdraw, 1);
	is_str(c.publish_name, "kms.example");
	is_str(c.publish_domain, ".");
	is_str(c.publish_server.address, "2001:db8::1");
	is(c.publish_server.port, 5353);
	is_str(c.publish_key_file, "/etc/muster/key");
	is(c.n_domains, 2);
	is_str(c.domains[0].domain, "a.example");
	is(c.domains[0].weight, 9);
	is(c.domains[0].priority, 0);
	is_str(c.domains[0].server.address, "192.0.2.1");
	is(c.domains[0].server.port, 54);
	is(c.domains[1].priority, 65535);
	is(c.domains[1].server.port, 53);
	for (int i = 0; i <= CONFIG_DOMAINS_MAX; i++)
		(void)snprintf(text + strlen(text), sizeof(text) - strlen(text),
		    "%s{domain=\"d%d.test\";}", i == 0 ? "" : ",", i);
	(void)snprintf(text + strlen(text), sizeof(text) - strlen(text), ");");
	is(parse(text, &said, &c), MUSTER_E_PROTO);
}

static void
test_b11_config_of_a_shared_count(void)
{
	static const char *const bad[] = {
	    "store = \"postgres\";",
	    "store = 5432;",
	    "store_group = \"\";",
	    "store_group = \"Site\";",
	    "store_group = \"a;b\";",
	    "store_group = 7;",
	};
	struct host_config c;
	struct said said;

	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
		is(parse(bad[i], &said, &c), MUSTER_E_PROTO);
		is(said.n_mistakes, 1);
	}
	is(parse("", &said, &c), 0);
	is_str(c.store, "");
	is_str(c.store_group, "muster");
	is(parse("store = \"host=db1 dbname=m\"; store_group = \"a_1\";", &said,
	       &c),
	    0);
	is_str(c.store, "host=db1 dbname=m");
	is_str(c.store_group, "a_1");
	is(parse("store = \"sqlite\";", &said, &c), 0);
	is_str(c.store, "");
}

/* Both ends of each range are taken, one beyond each end is not. */
static void
test_config_ranges_hold_for_every_number(void)
{
	size_t n;
	const struct config_option *options = config_options(&n);
	unsigned n_numbers = 0;

	for (size_t i = 0; i < n; i++) {
		const struct config_option *o = &options[i];
		const long long in[] = {o->min, o->max};
		const long long out[] = {(long long)o->min - 1,
		    (long long)o->max + 1, 4294967296LL + o->min};
		struct host_config c;
		struct said said;
		char text[128];

		if (o->type != CONFIG_NUMBER)
			continue;
		n_numbers++;
		for (size_t k = 0; k < 2; k++) {
			(void)snprintf(text, sizeof(text), "%s = %lld;\n",
			    o->name, in[k]);
			is(parse(text, &said, &c), 0);
			is(value(&c, o), in[k]);
		}
		for (size_t k = 0; k < 3; k++) {
			(void)snprintf(text, sizeof(text), "%s = %lldL;\n",
			    o->name, out[k]);
			is(parse(text, &said, &c), MUSTER_E_PROTO);
			is(said.n_mistakes, 1);
			ok(strstr(said.text, o->name) != NULL);
		}
	}
	is(n_numbers, 16);
}

/* Numbers that 32 bits do not hold, as people write them: without an L. */
static void
test_config_numbers_do_not_wrap(void)
{
	static const char *const bad[] = {
	    "port = 4294968984;",
	    "port = 4294967297;",
	    "port = 18446744073709553304;",
	    "port = 0x100000698;",
	    "port = 99999999999999999999;",
	    "port = 0x10000000000000001;",
	    "port = -4294965608;",
	    "port = 8589936280L;",
	    "port=2147483648 ;",
	    "# 1\nport = /* \" */ 4294968984;",
	    "# \"\nport = 4294968984;",
	    "log_level = \"note\"; port = 4294968984;",
	    "port = 4294968984.0;",
	    "port = 1e309;",
	};
	static const char *const good[] = {
	    "port = 0x698;",
	    "port = 1688L;",
	    "port = 1688; # 4294968984",
	    "// 4294968984 \"\nport = 1688;",
	    "/* 99999999999 */ port = 1688; /* 9 */",
	    "listen = \"::1\"; port = 1688;",
	};
	struct host_config c;
	struct said said;

	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
		printf("# %s\n", bad[i][0] == '#' ? "(comment)" : bad[i]);
		is(parse(bad[i], &said, &c), MUSTER_E_PROTO);
		is(said.n_mistakes, 1);
		ok(strstr(said.text, "port ") != NULL);
	}
	for (size_t i = 0; i < sizeof(good) / sizeof(good[0]); i++) {
		is(parse(good[i], &said, &c), 0);
		is_str(said.text, "");
		is(c.port, 1688);
	}
	is(parse("port = 4294968984;", &said, &c), MUSTER_E_PROTO);
	ok(strstr(said.text, "port is 4294968984") != NULL);
	is(parse("log_level = \"#\"; port = 4294968984;", &said, &c),
	    MUSTER_E_PROTO);
	ok(strstr(said.text, "port is 4294968984") != NULL);
	is(parse("port4294968984 = 1;", &said, &c), MUSTER_E_PROTO);
	ok(strstr(said.text, "port4294968984 is no setting") != NULL);
	is(parse("listen = \"4294968984 \\\" 4294968984\";", &said, &c),
	    MUSTER_E_PROTO);
	ok(strstr(said.text, "addresses") != NULL);
}

/* Numbers of a file that was not seen would wrap, so it gives none. */
static void
test_config_takes_no_numbers_of_other_files(void)
{
	char name[] = "/tmp/muster-config-XXXXXX";
	static const char text[] = "port = 4294968984;\n";
	int fd = mkstemp(name);
	struct host_config c;
	struct said said;
	char outer[128];

	ok(fd >= 0 && write(fd, text, sizeof(text) - 1) > 0);
	(void)close(fd);
	(void)snprintf(outer, sizeof(outer), "@include \"%s\"\n", name);
	is(parse(outer, &said, &c), MUSTER_E_PROTO);
	ok(strstr(said.text, "included") != NULL);
	(void)unlink(name);
}

/* Two names for one field, or a default outside its range, is our mistake. */
static void
test_config_table_is_consistent(void)
{
	size_t n;
	const struct config_option *options = config_options(&n);

	for (size_t i = 0; i < n; i++) {
		ok(options[i].help != NULL && options[i].help[0] != '\0');
		ok(options[i].min <= options[i].preset);
		ok(options[i].preset <= options[i].max);
		for (size_t k = 0; k < i; k++) {
			ok(strcmp(options[i].name, options[k].name) != 0);
			ok(options[i].type == CONFIG_ADDRESSES ||
			    options[k].type == CONFIG_ADDRESSES ||
			    options[i].offset != options[k].offset);
		}
	}
}

static void
test_config_one_mistake_each(void)
{
	static const struct {
		const char *text;
		const char *says;
	} cases[] = {
	    {"prot = 1688;", "m.conf:1: prot is no setting of musterd\n"},
	    {"\n\nport = 70000;",
	        "m.conf:3: port is 70000; it must be from 0 to 65535\n"},
	    {"port = \"a\";",
	        "m.conf:1: port must be a number from 0 to 65535\n"},
	    {"port = 1.5;",
	        "m.conf:1: port must be a number from 0 to 65535\n"},
	    {"port = true;",
	        "m.conf:1: port must be a number from 0 to 65535\n"},
	    {"port = { a = 1; };",
	        "m.conf:1: port must be a number from 0 to 65535\n"},
	    {"# a\n/* b\n */ port = ;", "m.conf:3: syntax error\n"},
	    {"port = 1;\nport = 2;", "m.conf:2: duplicate setting name\n"},
	    {"log_level = \"loud\";",
	        "m.conf:1: log_level must be \"error\", \"warning\", "
	        "\"note\" or \"fine\"\n"},
	    {"log_level = 6;",
	        "m.conf:1: log_level must be \"error\", \"warning\", "
	        "\"note\" or \"fine\"\n"},
	    {"log_format = \"xml\";",
	        "m.conf:1: log_format must be \"auto\", \"text\", "
	        "\"json\" or \"journal\"\n"},
	    {"log_format = 1;",
	        "m.conf:1: log_format must be \"auto\", \"text\", "
	        "\"json\" or \"journal\"\n"},
	    {"listen = [ ];",
	        "m.conf:1: listen must be a list of 1 to 16 addresses, such "
	        "as [ \"0.0.0.0\", \"::\" ]\n"},
	    {"listen = 1;",
	        "m.conf:1: listen must be a list of 1 to 16 addresses, such "
	        "as [ \"0.0.0.0\", \"::\" ]\n"},
	    {"listen = { a = \"::\"; };",
	        "m.conf:1: listen must be a list of 1 to 16 addresses, such "
	        "as [ \"0.0.0.0\", \"::\" ]\n"},
	    {"listen = [\n\"localhost\" ];",
	        "m.conf:2: listen must hold addresses such as \"192.0.2.1\" "
	        "or \"2001:db8::1\"; names are not looked up\n"},
	    {"listen = [ \"::1\", \"::1\" ];",
	        "m.conf:1: listen names ::1 twice\n"},
	    {"listen = ( 1, 2 );", /* each of the two */
	        "m.conf:1: listen must hold addresses such as \"192.0.2.1\" "
	        "or \"2001:db8::1\"; names are not looked up\n"
	        "m.conf:1: listen must hold addresses such as \"192.0.2.1\" "
	        "or \"2001:db8::1\"; names are not looked up\n"},
	};

	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		struct host_config c = {.port = 77};
		struct said said;

		is(parse(cases[i].text, &said, &c), MUSTER_E_PROTO);
		is_str(said.text, cases[i].says);
		is(c.port, 77); /* untouched */
	}
}

static void
test_config_reports_every_mistake_at_once(void)
{
	struct host_config c;
	struct said said;

	is(parse("port = 65536;\n"
	         "nonsense = 1;\n"
	         "retry_minutes = 14;\n"
	         "renewal_minutes = 43201;\n"
	         "listen = \"here\";\n",
	       &said, &c),
	    MUSTER_E_PROTO);
	is(said.n_mistakes, 5);
	for (int line = 1; line <= 5; line++) {
		char at[32];

		(void)snprintf(at, sizeof(at), "m.conf:%d: ", line);
		ok(strstr(said.text, at) != NULL);
	}
}

static void
test_config_exempt_networks(void)
{
	static const char *const bad[] = {"\"\"", "\"10.0.0.0/33\"",
	    "\"10.0.0.1/8\"", "\"2001:db8::/129\"", "\"2001:db8::1/64\"",
	    "\"10.0.0.0/\"", "\"10.0.0.0/-1\"", "\"10.0.0.0/8x\"", "7",
	    "\"localhost\"", "\"10/8\""};
	struct host_config c;
	struct said said;
	char text[128];

	is(parse("exempt_networks = [ ];\n", &said, &c), 0);
	is(c.exempt.n, 0);
	is(parse("exempt_networks = [ \"10.32.0.0/11\", \"0.0.0.0/0\", "
	         "\"192.0.2.1\", \"2001:db8::/32\", \"::/0\" ];\n",
	       &said, &c),
	    0);
	is(c.exempt.n, 5);
	is(c.exempt.at[0].bits, 96 + 11);
	is(c.exempt.at[0].address[11], 0xff);
	is(c.exempt.at[0].address[13], 32);
	is(c.exempt.at[1].bits, 96);
	is(c.exempt.at[2].bits, 128);
	is(c.exempt.at[3].bits, 32);
	is(c.exempt.at[3].address[3], 0xb8);
	is(c.exempt.at[4].bits, 0);
	is(c.allowed.n, 0);
	is(parse("allowed_networks = [ \"10.32.0.0/11\" ];\n", &said, &c), 0);
	is(c.allowed.n, 1);
	is(c.allowed.at[0].bits, 96 + 11);
	is(c.exempt.n, 2);
	is(parse("inventory_rows = 0;\nretention_days = 0;\n", &said, &c),
	    MUSTER_E_PROTO);
	is(said.n_mistakes, 2);
	is(parse("inventory_rows = 5;\nretention_days = 9;\n", &said, &c), 0);
	is(c.inventory_rows, 5);
	is(c.retention_days, 9);
	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
		(void)snprintf(text, sizeof(text),
		    "exempt_networks = ( %s );\n", bad[i]);
		is(parse(text, &said, &c), MUSTER_E_PROTO);
		is(said.n_mistakes, 1);
	}
	is(parse("exempt_networks = \"10.0.0.0/8\";\n", &said, &c),
	    MUSTER_E_PROTO);
}

static void
test_config_takes_what_is_right(void)
{
	struct host_config c;
	struct said said;

	is(parse("listen = [ \"127.0.0.1\", \"::1\" ];\n"
	         "port = 0;\nrenewal_minutes = 15;\nretry_minutes = 43200;\n"
	         "log_level = \"fine\"; calls_per_session = 3;\n"
	         "log_format = \"json\";\n",
	       &said, &c),
	    0);
	is(c.n_listen, 2);
	is_str(c.listen[0], "127.0.0.1");
	is_str(c.listen[1], "::1");
	is(c.port, 0);
	is(c.renewal_min, 15);
	is(c.retry_min, 43200);
	is(c.log_level, LOG_FINE);
	is(c.log_format, LOG_FORMAT_JSON);
	is(c.calls_per_session, 3);
	is(parse("listen = \"192.0.2.7\";", &said, &c), 0);
	is(c.n_listen, 1);
	is_str(c.listen[0], "192.0.2.7");
}

static void
test_config_warns_of_renewals_over_20_days(void)
{
	struct host_config c;
	struct said said;

	is(parse("renewal_minutes = 28800;", &said, &c), 0);
	is(said.n_warnings, 0);
	is(parse("renewal_minutes = 28801;", &said, &c), 0);
	is(said.n_warnings, 1);
	is(c.renewal_min, 28801);
}

static int
load(const void *data, size_t len, struct said *said, struct host_config *c)
{
	char path[] = "/tmp/test_config.XXXXXX";
	int fd = mkstemp(path);
	int err;

	memset(said, 0, sizeof(*said));
	ok(fd >= 0);
	ok(write(fd, data, len) == (ssize_t)len);
	close(fd);
	err = config_load(path, hear, said, c);
	(void)unlink(path);
	return err;
}

static void
test_config_files(void)
{
	static char big[CONFIG_FILE_MAX + 1];
	struct host_config c;
	struct said said;

	memset(big, ' ', sizeof(big));
	is(load(big, CONFIG_FILE_MAX, &said, &c), 0);
	is(load(big, CONFIG_FILE_MAX + 1, &said, &c), MUSTER_E_TOOBIG);
	is(load("port = 7;", 9, &said, &c), 0);
	is(c.port, 7);
	/* what stands behind a zero byte must not be passed over */
	is(load("port = 7;\0port = 8;", 19, &said, &c), MUSTER_E_PROTO);
	is(said.n_mistakes, 1);
	memset(&said, 0, sizeof(said));
	is(config_load("/nonexistent/m.conf", hear, &said, &c), MUSTER_E_NOENT);
	is(config_load("/tmp", hear, &said, &c), MUSTER_E_IO);
	is(said.n_mistakes, 0);
}

/* The example has every setting, and what it calls a default is one. */
static void
test_config_example_is_true(void)
{
	static char text[CONFIG_FILE_MAX], bare[CONFIG_FILE_MAX];
	FILE *f = fopen("doc/musterd.conf", "r");
	struct host_config c, defaults;
	struct said said;
	size_t n, len = 0;
	const struct config_option *options = config_options(&n);

	ok(f != NULL);
	if (f == NULL)
		return;
	(void)!fread(text, 1, sizeof(text) - 1, f);
	(void)fclose(f);
	for (const char *p = text; *p != '\0'; p++) {
		bool is_setting = *p == '#' && (p == text || p[-1] == '\n') &&
		    p[1] != '\0' && p[1] != '\n' &&
		    (p[1] != ' ' || p[2] == ' ');

		if (!is_setting)
			bare[len++] = *p;
	}
	is(parse(bare, &said, &c), 0);
	ok(said.text[0] == '\0');
	config_defaults(&defaults);
	for (size_t i = 0; i < n; i++) {
		const struct config_option *o = &options[i];
		char line[64];

		(void)snprintf(line, sizeof(line), "\n#%s = ", o->name);
		if (!ok(strstr(text, line) != NULL))
			printf("# %s is not in doc/musterd.conf\n", o->name);
		if (o->type == CONFIG_NUMBER || o->type == CONFIG_LEVEL ||
		    o->type == CONFIG_FORMAT || o->type == CONFIG_SWITCH)
			is(value(&c, o), value(&defaults, o));
	}
	is(c.n_domains, 2);
	is_str(c.status.address, defaults.status.address);
	is(c.status.port, defaults.status.port);
	ok(c.publish_name[0] != '\0' && c.publish_domain[0] != '\0' &&
	    c.publish_server.port == 53 && c.publish_key_file[0] == '/');
}

int
main(void)
{
	test_config_defaults_are_the_documented_ones();
	test_b20_config_of_publication();
	test_b11_config_of_a_shared_count();
	test_config_example_is_true();
	test_config_ranges_hold_for_every_number();
	test_config_numbers_do_not_wrap();
	test_config_takes_no_numbers_of_other_files();
	test_config_table_is_consistent();
	test_config_one_mistake_each();
	test_config_reports_every_mistake_at_once();
	test_config_exempt_networks();
	test_config_takes_what_is_right();
	test_config_warns_of_renewals_over_20_days();
	test_config_files();
	return tap_done();
}
