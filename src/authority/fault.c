/* SPDX-License-Identifier: MIT */
#include "authority/fault.h"

#include "base/errcode.h"
#include "base/log.h"
#include "muster/err.h"

static const struct {
	const char *detail, *next;
} texts[] = {
    [FAULT_NONE] = {"nothing is wrong", "nothing is to be done"},
    [FAULT_DATABASE] = {"the authority's database failed",
        "run audit verify; restore the latest backup if it fails"},
    [FAULT_FULL] = {"the authority's disk is full", "make room"},
    [FAULT_ISSUING] = {"the authority's issuing key cannot be used",
        "put the issuing.key of this database back; serve --check tells more"},
    [FAULT_SEAL] = {"the authority cannot open what it keeps of this host key",
        "put the seal.key of this database back; serve --check tells more"},
};

const char *
fault_detail(enum fault_kind kind)
{
	return texts[kind].detail;
}

void
fault_note(struct fault *last, const struct fault *f)
{
	struct fault now = *f;
	char code[ERRCODE_MAX];

	/* it is the same for every host key */
	if (now.kind == FAULT_ISSUING)
		now.key_number = 0;
	if (now.kind == FAULT_NONE) {
		if (now.act == last->act &&
		    (last->kind == FAULT_ISSUING ||
		        now.key_number == last->key_number))
			*last = (struct fault){0};
		return;
	}
	if (now.kind == last->kind && now.err == last->err &&
	    now.act == last->act && now.key_number == last->key_number)
		return;
	*last = now;
	errcode(now.err, code);
	log_event(LOG_ERROR, "failed",
	    LOG_FIELDS(LOG_CODE(now.err),
	        LOG_NUMBER(KEY_NUMBER, f->key_number)),
	    "%s: %s: host key %u: %s; %s", code, muster_strerror(now.err),
	    f->key_number, texts[now.kind].detail, texts[now.kind].next);
}
