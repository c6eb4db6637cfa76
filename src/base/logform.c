/* SPDX-License-Identifier: MIT */
#include "base/logform.h"

#include <assert.h>
#include <ctype.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "base/errcode.h"
#include "base/hex.h"
#include "base/text.h"

#define NUMBER_MAX 24 /* 64 bits, a sign and a NUL */
#define ESCAPE_MAX 6  /* \u00XX, the longest */

/* What is around the texts of a line of JSON. */
#define JSON_FRAME 160
static_assert(JSON_FRAME + LOGFORM_PROGRAM_MAX + LOGFORM_EVENT_MAX +
            LOGFORM_MESSAGE_MAX + LOGFORM_FIELDS_MAX <=
        LOGFORM_JSON_MAX,
    "a line of JSON has room for all of it");

#define LOG_NAME_ROW(id, text, in_text) {text, in_text},
static const struct {
	const char *text;
	bool in_text;
} names[] = {{"", false}, LOG_NAMES(LOG_NAME_ROW)};
#undef LOG_NAME_ROW

struct out {
	char *at;
	bool is_cut;
};

/* The value of a field as it is told; number is room for one. */
struct value {
	const char *text; /* NULL: there is none */
	bool is_number;
	char room[UUID_TEXT_LEN + 1];
};
static_assert(UUID_TEXT_LEN + 1 >= ERRCODE_MAX &&
        UUID_TEXT_LEN + 1 >= NUMBER_MAX,
    "any of them fits");

static void
put(struct out *o, const char *text, size_t len)
{
	memcpy(o->at, text, len);
	o->at += len;
}

static void
put_text(struct out *o, const char *text)
{
	put(o, text, strlen(text));
}

static void
take_value(const struct log_field *f, struct value *v)
{
	v->text = v->room;
	v->is_number = false;
	switch (f->kind) {
	case LOG_KIND_TEXT:
		v->text = f->text;
		break;
	case LOG_KIND_NUMBER:
		v->is_number = true;
		(void)snprintf(v->room, sizeof(v->room), "%" PRId64, f->number);
		break;
	case LOG_KIND_CODE:
		errcode((int)f->number, v->room);
		if (f->number == 0)
			v->text = NULL;
		break;
	case LOG_KIND_UUID:
		uuid_format(f->uuid, v->room);
		break;
	}
}

/* One character as JSON has it: its bytes taken, its form in `to`. */
static size_t
escape(const char *text, size_t left, char *to, size_t *len_out)
{
	size_t n = text_char((const uint8_t *)text, left);
	unsigned char c = (unsigned char)text[0];

	if (n > 0 && c != '"' && c != '\\') {
		memcpy(to, text, n);
		*len_out = n;
		return n;
	}
	if (c == '"' || c == '\\')
		*len_out = (size_t)snprintf(to, ESCAPE_MAX + 1, "\\%c", c);
	else if (c == '\n')
		*len_out = (size_t)snprintf(to, ESCAPE_MAX + 1, "\\n");
	else if (c < 0x80)
		*len_out = (size_t)snprintf(to, ESCAPE_MAX + 1, "\\u%04x", c);
	else
		*len_out = (size_t)snprintf(to, ESCAPE_MAX + 1, "\\ufffd");
	return 1;
}

/* A text in quotation marks, of at most max bytes between them. */
static void
put_json(struct out *o, const char *text, size_t max)
{
	size_t len = strlen(text), n_put = 0, n;
	char to[ESCAPE_MAX + 1];

	put(o, "\"", 1);
	for (size_t i = 0; i < len; n_put += n) {
		size_t taken = escape(text + i, len - i, to, &n);

		if (n_put + n > max) {
			o->is_cut = true;
			break;
		}
		put(o, to, n);
		i += taken;
	}
	put(o, "\"", 1);
}

/* Bytes of a text that are at most max, up to the end of a character. */
static size_t
whole(struct out *o, const char *text, size_t max)
{
	size_t len = strlen(text), n = 0;

	if (len <= max)
		return len;
	o->is_cut = true;
	while (n < max) {
		size_t one = text_char((const uint8_t *)text + n, len - n);

		if (n + (one == 0 ? 1 : one) > max)
			break;
		n += one == 0 ? 1 : one;
	}
	return n;
}

/* What stands in a line of text: no control code, no half character. */
static void
put_plain(struct out *o, const char *text)
{
	size_t len = whole(o, text, LOG_TEXT_MAX), n;

	for (size_t i = 0; i < len; i += n) {
		n = text_char((const uint8_t *)text + i, len - i);
		put(o, n == 0 ? "?" : text + i, n == 0 ? 1 : n);
		if (n == 0)
			n = 1;
	}
}

static bool
is_bare(const char *text)
{
	size_t len = strlen(text);

	return len > 0 && len <= LOG_VALUE_MAX &&
	    text_is_word((const uint8_t *)text, len) &&
	    strpbrk(text, "\"\\=[]") == NULL;
}

static void
put_brackets(struct out *o, const struct log_field *fields)
{
	const char *before = " [";
	struct value v;

	for (size_t i = 0; fields != NULL && i < LOG_FIELDS_MAX &&
	     fields[i].name != LOG_NAME_NONE;
	     i++) {
		take_value(&fields[i], &v);
		if (v.text == NULL || !names[fields[i].name].in_text)
			continue;
		put_text(o, before);
		put_text(o, names[fields[i].name].text);
		put(o, "=", 1);
		if (is_bare(v.text))
			put_text(o, v.text);
		else
			put_json(o, v.text, LOG_VALUE_MAX - 2);
		before = " ";
	}
	if (before[1] == '\0')
		put(o, "]", 1);
}

/* More than LOG_FIELDS_MAX are our own mistake; they are left out. */
static bool
are_too_many(const struct log_field *fields)
{
	size_t n = 0;

	while (fields != NULL && fields[n].name != LOG_NAME_NONE)
		n++;
	return n > LOG_FIELDS_MAX;
}

static void
put_line(struct out *o, const struct log_record *record)
{
	o->is_cut = record->is_cut || are_too_many(record->fields);
	put(o, record->event, strnlen(record->event, LOGFORM_EVENT_MAX));
	put(o, ": ", 2);
	put_plain(o, record->text);
	put_brackets(o, record->fields);
	if (o->is_cut)
		put_text(o, " (cut)");
}

size_t
logform_text(const struct log_record *record, const char *prefix, char *out)
{
	struct out o = {.at = out};

	put_text(&o, prefix);
	put_line(&o, record);
	put(&o, "\n", 1);
	return (size_t)(o.at - out);
}

/* One of an object; false: it is left out. */
static bool
put_field(struct out *o, const struct log_field *field)
{
	struct value v;

	take_value(field, &v);
	if (v.text == NULL)
		return false;
	put_json(o, names[field->name].text, LOG_NAME_MAX);
	put(o, ":", 1);
	if (v.is_number)
		put_text(o, v.text);
	else
		put_json(o, v.text, LOG_VALUE_MAX);
	return true;
}

static void
put_fields(struct out *o, const struct log_field *fields)
{
	put(o, "{", 1);
	for (size_t i = 0; fields != NULL && i < LOG_FIELDS_MAX &&
	     fields[i].name != LOG_NAME_NONE;
	     i++) {
		if (put_field(o, &fields[i]))
			put(o, ",", 1);
	}
	if (o->at[-1] == ',')
		o->at--;
	put(o, "}", 1);
}

const char *
logform_level(enum log_level level)
{
	switch (level) {
	case LOG_ERROR:
		return "error";
	case LOG_WARN:
		return "warning";
	case LOG_NOTE:
		return "note";
	case LOG_FINE:
		break;
	}
	return "fine";
}

size_t
logform_json(const struct log_record *record, const char *prefix,
    const char *program, int64_t unix_ms, char *out)
{
	struct out o = {.at = out};
	char number[NUMBER_MAX];

	o.is_cut = record->is_cut || are_too_many(record->fields);
	(void)snprintf(number, sizeof(number), "%" PRId64, unix_ms);
	put_text(&o, prefix);
	put_text(&o, "{\"unix_ms\":");
	put_text(&o, number);
	put_text(&o, ",\"level\":");
	put_json(&o, logform_level(record->level), LOGFORM_EVENT_MAX);
	put_text(&o, ",\"program\":");
	put_json(&o, program, LOGFORM_PROGRAM_MAX);
	put_text(&o, ",\"event\":");
	put_json(&o, record->event, LOGFORM_EVENT_MAX);
	put_text(&o, ",\"message\":");
	put_json(&o, record->text, LOGFORM_MESSAGE_MAX);
	put_text(&o, ",\"fields\":");
	put_fields(&o, record->fields);
	if (o.is_cut)
		put_text(&o, ",\"cut\":true");
	put_text(&o, "}\n");
	return (size_t)(o.at - out);
}

/* NAME=value, or NAME, the length in 8 bytes, lowest first, and the value. */
static void
put_entry(struct out *o, const char *before, const char *name,
    const char *value)
{
	size_t len = whole(o, value, LOG_VALUE_MAX);

	put_text(o, before);
	for (; *name != '\0'; name++)
		*o->at++ = (char)toupper((unsigned char)*name);
	if (memchr(value, '\n', len) == NULL) {
		put(o, "=", 1);
	} else {
		put(o, "\n", 1);
		for (int shift = 0; shift < 64; shift += 8)
			*o->at++ = (char)((uint64_t)len >> shift & 0xff);
	}
	put(o, value, len);
	put(o, "\n", 1);
}

size_t
logform_journal(const struct log_record *record, const char *program, char *out)
{
	struct out o = {.at = out};
	char number[NUMBER_MAX];
	struct value v;

	put_text(&o, "MESSAGE=");
	put_line(&o, record);
	put(&o, "\n", 1);
	(void)snprintf(number, sizeof(number), "%d", (int)record->level);
	put_entry(&o, "", "PRIORITY", number);
	put_entry(&o, "", "SYSLOG_IDENTIFIER", program);
	put_entry(&o, "", "MUSTER_EVENT", record->event);
	for (size_t i = 0; record->fields != NULL && i < LOG_FIELDS_MAX &&
	     record->fields[i].name != LOG_NAME_NONE;
	     i++) {
		take_value(&record->fields[i], &v);
		if (v.text != NULL)
			put_entry(&o, "MUSTER_",
			    names[record->fields[i].name].text, v.text);
	}
	if (o.is_cut)
		put_entry(&o, "", "MUSTER_CUT", "1");
	return (size_t)(o.at - out);
}

void
logform_fields(const struct log_field *fields, char *out, size_t cap)
{
	char all[LOG_NAME_MAX + 6 + LOG_VALUE_MAX];
	size_t len = 1;

	out[0] = '{';
	for (size_t i = 0; fields != NULL && i < LOG_FIELDS_MAX &&
	     fields[i].name != LOG_NAME_NONE;
	     i++) {
		struct out o = {.at = all};
		size_t n;

		if (!put_field(&o, &fields[i]))
			continue;
		n = (size_t)(o.at - all);
		if (len + 1 + n + 2 > cap)
			continue;
		if (len > 1)
			out[len++] = ',';
		memcpy(out + len, all, n);
		len += n;
	}
	out[len++] = '}';
	out[len] = '\0';
}
