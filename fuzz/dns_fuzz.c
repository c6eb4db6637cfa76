/* SPDX-License-Identifier: MIT */
/*
 * Answers of name servers: questions for SRV records, zones and addresses,
 * updates, and their signatures.  The first two bytes of a message are its
 * id, which the target takes for the one that it asked by.
 */
#include "target.h"

#include "discovery/tsig.h"
#include "discovery/update.h"

#define NOW_S 1800000000

static void
records(const uint8_t *p, size_t len)
{
	struct dns_reader r;
	struct dns_record rec;
	struct dns_name name;
	struct dns_srv srv;
	uint16_t type;
	int more;

	if (dns_open(p, len, &r) != 0 || dns_question(&r, &name, &type) != 0)
		return;
	while ((more = dns_next(&r, &rec)) == 1) {
		HOLDS(rec.rdata <= len && rec.rdata_len <= len - rec.rdata);
		if (rec.type == DNS_SRV)
			(void)!dns_srv_read(&r, &rec, &srv);
		if (rec.type == DNS_CNAME || rec.type == DNS_NS ||
		    rec.type == DNS_SOA)
			(void)!dns_name_rdata(&r, &rec, &name);
	}
	HOLDS(more <= 0);
}

int
LLVMFuzzerTestOneInput(const uint8_t *p, size_t len)
{
	struct tsig_key key = {.algorithm = TSIG_SHA256, .secret_len = 32};
	struct tsig_mac mac = {.len = 32};
	struct dns_name asked, zone, primary;
	int64_t skew_s = 0;
	uint16_t id;

	if (len < 2 || len > DNS_MESSAGE_MAX)
		return 0;
	id = (uint16_t)(p[0] << 8 | p[1]);
	HOLDS(dns_name_parse("hosts.corp.test", &key.name) == 0);
	for (uint8_t i = 0; i < 32; i++)
		key.secret[i] = i;
	HOLDS(dns_name_parse("_muster._tcp.corp.test", &asked) == 0);
	records(p, len);
	(void)update_zone_read(p, len, id, &asked, &zone, &primary);
	(void)update_judge(p, len, id, NULL, NULL, NOW_S, &skew_s);
	/* nobody forges a signature by chance */
	HOLDS(tsig_judge(&key, &mac, NOW_S, p, len, &skew_s) != TSIG_GOOD);
	(void)update_judge(p, len, id, &key, &mac, NOW_S, &skew_s);
	return 0;
}
