/* SPDX-License-Identifier: MIT */
/* The file of a key; see tsig.h. */
#include <sodium.h>
#include <string.h>
#include <strings.h>

#include "discovery/tsig.h"

#define BARE_CHARS                                                       \
	"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789" \
	"-_.+/="

/* The text, at its next token; not NUL-terminated. */
struct lexer {
	const char *p;
	const char *end;
};

/* A word, bare or in quotes, or one character of { } ;  Empty at the end. */
struct token {
	const char *p;
	size_t len;
	bool is_quoted;
};

static bool
begins(const struct lexer *lex, const char *with)
{
	size_t len = strlen(with);

	return (size_t)(lex->end - lex->p) >= len &&
	    memcmp(lex->p, with, len) == 0;
}

static void
skip_line(struct lexer *lex)
{
	while (lex->p < lex->end && *lex->p != '\n')
		lex->p++;
}

static void
skip_blank(struct lexer *lex)
{
	while (lex->p < lex->end) {
		if (begins(lex, "#") || begins(lex, "//")) {
			skip_line(lex);
		} else if (begins(lex, "/*")) {
			lex->p += 2;
			while (lex->p < lex->end && !begins(lex, "*/"))
				lex->p++;
			lex->p += begins(lex, "*/") ? 2 : 0;
		} else if (*lex->p == ' ' || *lex->p == '\t' ||
		    *lex->p == '\r' || *lex->p == '\n') {
			lex->p++;
		} else {
			return;
		}
	}
}

static struct token
next(struct lexer *lex)
{
	struct token t = {.len = 0};

	skip_blank(lex);
	t.p = lex->p;
	if (lex->p == lex->end)
		return t;
	if (*lex->p == '"') {
		t.is_quoted = true;
		t.p = ++lex->p;
		while (lex->p < lex->end && *lex->p != '"')
			lex->p++;
		t.len = (size_t)(lex->p - t.p);
		lex->p += lex->p < lex->end;
		return t;
	}
	while (lex->p < lex->end && *lex->p != '\0' &&
	    strchr(BARE_CHARS, *lex->p) != NULL)
		lex->p++;
	if (lex->p == t.p)
		lex->p++;
	t.len = (size_t)(lex->p - t.p);
	return t;
}

static bool
is(const struct token *t, const char *word)
{
	return !t->is_quoted && t->len == strlen(word) &&
	    strncasecmp(t->p, word, t->len) == 0;
}

static bool
take(struct lexer *lex, const char *word)
{
	struct token t = next(lex);

	return is(&t, word);
}

static int
take_name(struct lexer *lex, struct tsig_key *key)
{
	struct token t = next(lex);
	char text[DNS_TEXT_MAX + 2];

	if (t.len == 0 || t.len >= sizeof(text) ||
	    memchr(t.p, 0, t.len) != NULL)
		return MUSTER_E_PROTO;
	memcpy(text, t.p, t.len);
	text[t.len] = '\0';
	return dns_name_parse(text, &key->name) == 0 ? 0 : MUSTER_E_PROTO;
}

static int
take_algorithm(struct lexer *lex, struct tsig_key *key)
{
	struct token t = next(lex);

	t.is_quoted = false;
	if (is(&t, "hmac-sha256") || is(&t, "hmac-sha256."))
		key->algorithm = TSIG_SHA256;
	else if (is(&t, "hmac-sha512") || is(&t, "hmac-sha512."))
		key->algorithm = TSIG_SHA512;
	else
		return MUSTER_E_KIND;
	return 0;
}

static int
take_secret(struct lexer *lex, struct tsig_key *key)
{
	struct token t = next(lex);

	if (t.len == 0 ||
	    t.len > sodium_base64_ENCODED_LEN(TSIG_SECRET_MAX,
	                sodium_base64_VARIANT_ORIGINAL))
		return MUSTER_E_RANGE;
	if (sodium_base642bin(key->secret, sizeof(key->secret), t.p, t.len,
	        NULL, &key->secret_len, NULL,
	        sodium_base64_VARIANT_ORIGINAL) != 0)
		return MUSTER_E_PROTO;
	return key->secret_len < TSIG_SECRET_MIN ? MUSTER_E_RANGE : 0;
}

/* Between the braces, in any order, each once. */
static int
take_body(struct lexer *lex, struct tsig_key *key)
{
	bool has_algorithm = false, has_secret = false;

	for (;;) {
		struct token t = next(lex);
		int err = MUSTER_E_PROTO;

		if (is(&t, "}"))
			return has_algorithm && has_secret ? 0 : err;
		if (is(&t, "algorithm") && !has_algorithm) {
			has_algorithm = true;
			err = take_algorithm(lex, key);
		} else if (is(&t, "secret") && !has_secret) {
			has_secret = true;
			err = take_secret(lex, key);
		}
		if (err != 0)
			return err;
		if (!take(lex, ";"))
			return MUSTER_E_PROTO;
	}
}

static const char *
why(int err)
{
	switch (err) {
	case MUSTER_E_KIND:
		return "its algorithm must be hmac-sha256 or hmac-sha512";
	case MUSTER_E_RANGE:
		return "its secret must have 16 to 128 bytes";
	default:
		return "it must hold one key as tsig-keygen writes it";
	}
}

int
tsig_key_parse(const char *text, size_t len, struct tsig_key *key_out,
    const char **why_out)
{
	struct lexer lex = {.p = text, .end = text + len};
	struct token last;
	int err = MUSTER_E_PROTO;

	memset(key_out, 0, sizeof(*key_out));
	if (take(&lex, "key"))
		err = take_name(&lex, key_out);
	if (err == 0 && !take(&lex, "{"))
		err = MUSTER_E_PROTO;
	if (err == 0)
		err = take_body(&lex, key_out);
	if (err == 0 && !take(&lex, ";"))
		err = MUSTER_E_PROTO;
	if (err == 0) {
		last = next(&lex);
		err = last.len == 0 && !last.is_quoted ? 0 : MUSTER_E_PROTO;
	}
	if (err != 0) {
		sodium_memzero(key_out, sizeof(*key_out));
		*why_out = why(err);
	}
	return err;
}
