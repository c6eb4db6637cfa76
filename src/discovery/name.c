/* SPDX-License-Identifier: MIT */
#include "discovery/name.h"

#include <string.h>

#define POINTER 0xc0U /* the two high bits of a length */

static bool
is_host_char(uint8_t c)
{
	return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') ||
	    (c >= '0' && c <= '9') || c == '-' || c == '_';
}

static uint8_t
lower(uint8_t c)
{
	return c >= 'A' && c <= 'Z' ? (uint8_t)(c | 0x20U) : c;
}

/* One label and its length behind what is there; room stays for the root. */
static int
append(struct dns_name *name, const uint8_t *label, size_t n)
{
	if (n > DNS_LABEL_MAX || name->len + 1 + n > DNS_NAME_MAX - 1)
		return MUSTER_E_TOOBIG;
	name->wire[name->len] = (uint8_t)n;
	memcpy(name->wire + name->len + 1, label, n);
	name->len += 1 + n;
	return 0;
}

/* The labels of a text, without the root's. */
static int
append_text(struct dns_name *name, const char *text)
{
	if (strcmp(text, ".") == 0)
		return 0;
	do {
		size_t n = strcspn(text, ".");
		int err;

		if (n == 0)
			return MUSTER_E_PROTO;
		for (size_t i = 0; i < n; i++) {
			if (!is_host_char((uint8_t)text[i]))
				return MUSTER_E_PROTO;
		}
		err = append(name, (const uint8_t *)text, n);
		if (err != 0)
			return err;
		text += n;
		if (*text == '.')
			text++;
	} while (*text != '\0');
	return 0;
}

static void
end(struct dns_name *name, struct dns_name *name_out)
{
	name->wire[name->len++] = 0;
	*name_out = *name;
}

int
dns_name_parse(const char *text, struct dns_name *name_out)
{
	struct dns_name name = {.len = 0};
	int err = append_text(&name, text);

	if (err == 0)
		end(&name, name_out);
	return err;
}

int
dns_name_join(const char *labels, const char *domain, struct dns_name *name_out)
{
	struct dns_name name = {.len = 0};
	int err = append_text(&name, labels);

	if (err == 0)
		err = append_text(&name, domain);
	if (err == 0)
		end(&name, name_out);
	return err;
}

void
dns_name_text(const struct dns_name *name, char *out)
{
	size_t n = 0;

	for (size_t at = 0; name->wire[at] != 0; at += 1 + name->wire[at]) {
		if (n > 0)
			out[n++] = '.';
		for (size_t i = 1; i <= name->wire[at]; i++)
			out[n++] = (char)lower(name->wire[at + i]);
	}
	if (n == 0)
		out[n++] = '.';
	out[n] = '\0';
}

int
dns_name_read(const uint8_t *msg, size_t len, size_t at, size_t *at_out,
    struct dns_name *name_out)
{
	struct dns_name name = {.len = 0};
	size_t first = at, after = 0; /* of these labels; of the name */
	bool is_strange = false;

	for (;;) {
		size_t n;
		int err;

		if (at >= len)
			return MUSTER_E_TRUNC;
		n = msg[at];
		if (n >= POINTER) {
			size_t to;

			if (at + 2 > len)
				return MUSTER_E_TRUNC;
			to = (n & ~(size_t)POINTER) << 8 | msg[at + 1];
			if (to >= first)
				return MUSTER_E_PROTO;
			after = after == 0 ? at + 2 : after;
			first = at = to;
			continue;
		}
		if (n > DNS_LABEL_MAX)
			return MUSTER_E_PROTO;
		if (n == 0)
			break;
		if (n > len - at - 1)
			return MUSTER_E_TRUNC;
		for (size_t i = 1; i <= n; i++)
			is_strange = is_strange || !is_host_char(msg[at + i]);
		err = append(&name, msg + at + 1, n);
		if (err != 0)
			return err;
		at += 1 + n;
	}
	*at_out = after == 0 ? at + 1 : after;
	if (is_strange)
		return MUSTER_E_RANGE;
	end(&name, name_out);
	return 0;
}

bool
dns_name_equal(const struct dns_name *a, const struct dns_name *b)
{
	/* a length is below 'A', so that all bytes can be taken alike */
	for (size_t i = 0; a->len == b->len && i < a->len; i++) {
		if (lower(a->wire[i]) != lower(b->wire[i]))
			return false;
	}
	return a->len == b->len;
}

bool
dns_name_is_under(const struct dns_name *name, const struct dns_name *domain)
{
	for (size_t at = 0;; at += 1 + name->wire[at]) {
		struct dns_name tail = {.len = name->len - at};

		memcpy(tail.wire, name->wire + at, tail.len);
		if (dns_name_equal(&tail, domain))
			return true;
		if (name->wire[at] == 0)
			return false;
	}
}
