/* SPDX-License-Identifier: MIT */
/* What people type or scan: keys, codes of digits, names, UUIDs, key files. */
#include "target.h"

#include "base/base45.h"
#include "base/hex.h"
#include "discovery/tsig.h"
#include "trust/hostkey.h"
#include "trust/phone.h"

static void
keys(const char *text, size_t len)
{
	char again[HOSTKEY_TEXT_LEN + 1];
	struct hostkey key, back;
	struct tsig_key tsig;
	const char *why = NULL;

	if (hostkey_parse(text, len, &key) == 0) {
		hostkey_format(&key, again);
		HOLDS(hostkey_parse(again, strlen(again), &back) == 0);
		HOLDS(
		    memcmp(key.secret, back.secret, sizeof(key.secret)) == 0 &&
		    key.number == back.number && key.kind == back.kind);
	}
	if (tsig_key_parse(text, len, &tsig, &why) == 0)
		HOLDS(tsig.secret_len >= TSIG_SECRET_MIN &&
		    tsig.secret_len <= TSIG_SECRET_MAX);
	else
		HOLDS(why != NULL);
}

static void
codes(const char *text, size_t len)
{
	char again[DIGITS_TEXT_LEN(PHONE_ANSWER_LEN)];
	uint8_t ask[PHONE_ASK_LEN], answer[PHONE_ANSWER_LEN], back[73];
	struct digits_slip slip;
	size_t n = 0;
	static uint8_t bytes[4096];
	static char scanned[BASE45_LEN(4096) + 1];

	if (digits_parse(text, len, ask, sizeof(ask), &slip) == 0) {
		digits_format(ask, sizeof(ask), again);
		HOLDS(digits_parse(again, strlen(again), back, sizeof(ask),
		          &slip) == 0);
		SAME(back, sizeof(ask), ask, sizeof(ask));
	}
	if (digits_parse(text, len, answer, sizeof(answer), &slip) == 0) {
		digits_format(answer, sizeof(answer), again);
		HOLDS(digits_parse(again, strlen(again), back, sizeof(answer),
		          &slip) == 0);
		SAME(back, sizeof(answer), answer, sizeof(answer));
	}
	if (base45_decode(text, len, bytes, sizeof(bytes), &n) == 0) {
		base45_encode(bytes, n, scanned);
		SAME(scanned, strlen(scanned), text, len);
	}
}

int
LLVMFuzzerTestOneInput(const uint8_t *p, size_t len)
{
	static char text[4097];
	char out[DNS_TEXT_MAX + 1], id_text[UUID_TEXT_LEN + 1];
	struct dns_name name, back;
	uint8_t id[16];

	if (len >= sizeof(text))
		return 0;
	keys((const char *)p, len);
	codes((const char *)p, len);
	memcpy(text, p, len);
	text[len] = '\0';
	if (dns_name_parse(text, &name) == 0) {
		dns_name_text(&name, out);
		HOLDS(dns_name_parse(out, &back) == 0);
		HOLDS(dns_name_equal(&name, &back));
	}
	if (uuid_parse(text, id) == 0) {
		uuid_format(id, id_text);
		HOLDS(strlen(text) == strlen(id_text));
	}
	return 0;
}
