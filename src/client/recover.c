/* SPDX-License-Identifier: MIT */
#include "client/recover.h"

#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "base/file.h"
#include "base/hex.h"
#include "base/paths.h"

bool
recover_is_genuine(const struct lease *lease, const struct catalogue *cat,
    const struct machine *machine, int64_t now_unix_s)
{
	struct lease_facts facts;
	int err;

	/* the clock may be behind: that makes no lease of another machine */
	if (now_unix_s < lease->grant.issued_unix_s)
		now_unix_s = lease->grant.issued_unix_s;
	err = lease_facts(lease, cat, &facts);
	if (err == 0)
		err = machine_judge(machine, lease, &facts, now_unix_s,
		    LEASE_ANY_COUNT);
	return err == 0 || err == MUSTER_E_EXPIRED;
}

bool
recover_find(const char *root, const struct catalogue *cat,
    const struct machine *machine, int64_t now_unix_s, struct lease *lease_out)
{
	for (uint32_t i = 0; i < cat->n_products; i++) {
		char id[UUID_TEXT_LEN + 1], rel[FILE_PATH_MAX];
		char path[FILE_PATH_MAX];
		uint8_t buf[LEASE_FILE_MAX];
		struct lease lease;
		size_t len = 0;

		uuid_format(cat->products[i].id, id);
		(void)snprintf(rel, sizeof(rel),
		    PATH_AGENT_STATE "/leases/%s.lease", id);
		if (file_join(root, rel, path, sizeof(path)) != 0 ||
		    file_read(path, buf, sizeof(buf), &len) != 0 ||
		    lease_decode(buf, len, &lease) != 0 ||
		    !recover_is_genuine(&lease, cat, machine, now_unix_s))
			continue;
		*lease_out = lease;
		return true;
	}
	return false;
}

void
recover_publisher(const struct lease *lease, struct state_publisher *s_out)
{
	struct wire_args args;

	if (wire_args_decode(lease->args, lease->args_len, &args) != 0)
		return;
	memcpy(s_out->cmid, args.cmid, WIRE_ID_LEN);
	s_out->high_water_unix_s = lease->grant.issued_unix_s;
}

void
recover_product(const uint8_t *product, const struct lease *lease,
    bool is_damaged, int64_t now_unix_s, struct state_product *s_out)
{
	struct state_product s = {.first_seen_unix_s = now_unix_s};

	memcpy(s.product, product, PRODUCT_LEN);
	if (lease != NULL) {
		const struct wire_grant *grant = &lease->grant;

		if (grant->issued_unix_s < now_unix_s)
			s.first_seen_unix_s = grant->issued_unix_s;
		s.count = grant->count;
		s.renewal_min = grant->renewal_min;
		s.retry_min = grant->retry_min;
		s.answered_unix_s = grant->issued_unix_s;
		s.has_certificate = true;
		memcpy(s.certificate, lease->certificate, CERT_LEN);
	} else if (is_damaged) {
		s.first_seen_unix_s = STATE_SEEN_LOST;
	}
	*s_out = s;
}

void
recover_aside(const char *path)
{
	char aside[FILE_PATH_MAX];
	int n = snprintf(aside, sizeof(aside), "%s" RECOVER_SUFFIX, path);

	if (n < 0 || (size_t)n >= sizeof(aside))
		return;
	(void)unlink(aside);
	/* some file systems have no links; then a crash loses the name */
	if (link(path, aside) != 0)
		(void)!rename(path, aside);
}
