/* SPDX-License-Identifier: MIT */
/* test_log.c -- the forms of an event: no text breaks out of them, none is
 * longer than its bound, and what is cut is said. */
#include <errno.h>
#include <fcntl.h>
#include <jansson.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include "base/journal.h"
#include "base/log.h"
#include "base/logform.h"
#include "muster/err.h"
#include "tap.h"

#define SEED 20261128U
#define RANDOM_RUNS 3000
#define PROGRAM "musterd"
#define AT_MS 1790000000123

static char out[LOGFORM_MAX + 1];
static const uint8_t product[16] = {0xab, 1};
#define PRODUCT_TEXT "ab010000-0000-0000-0000-000000000000"

static struct log_record
record(const char *text, const struct log_field *fields)
{
	return (struct log_record){.level = LOG_NOTE,
	    .event = "catalogue",
	    .text = text,
	    .fields = fields};
}

static const char *
as_text(const char *text, const struct log_field *fields)
{
	struct log_record r = record(text, fields);

	out[logform_text(&r, "", out)] = '\0';
	return out;
}

/* The line parsed, and its bound looked at. */
static json_t *
as_json(const struct log_record *r)
{
	size_t len = logform_json(r, "", PROGRAM, AT_MS, out);
	json_t *told;

	ok(len <= LOGFORM_JSON_MAX);
	ok(memchr(out, '\n', len) == out + len - 1);
	told = json_loadb(out, len, JSON_REJECT_DUPLICATES, NULL);
	ok(told != NULL);
	return told;
}

static const char *
text_of(const json_t *told, const char *key)
{
	const char *text = json_string_value(json_object_get(told, key));

	return text != NULL ? text : "(none)";
}

static void
test_text_ends_with_what_ties_it_to_others(void)
{
	is_str(as_text("of Acme", NULL), "catalogue: of Acme\n");
	is_str(as_text("of Acme",
	           LOG_FIELDS(LOG_TEXT(FILE, "/a b"), LOG_NUMBER(SERIAL, 3))),
	    "catalogue: of Acme\n");
	is_str(as_text("of Acme",
	           LOG_FIELDS(LOG_TEXT(REQUEST, "00ff"), LOG_NUMBER(COUNT, 3),
	               LOG_UUID(PRODUCT, product), LOG_TEXT(CLIENT, NULL))),
	    "catalogue: of Acme [request=00ff product=" PRODUCT_TEXT "]\n");
	is_str(as_text("x", LOG_FIELDS(LOG_TEXT(OUTCOME, "a] b=\"\n"))),
	    "catalogue: x [outcome=\"a] b=\\\"\\n\"]\n");
	is_str(as_text("x", LOG_FIELDS(LOG_TEXT(OUTCOME, ""))),
	    "catalogue: x [outcome=\"\"]\n");
}

static void
test_text_is_one_line_of_whole_characters(void)
{
	is_str(as_text("a\nb\x1b[31m\x7f\xc2\x9b", NULL),
	    "catalogue: a?b?[31m???\n");
	is_str(as_text("caf\xc3\xa9 \xe2\x82 \xff", NULL),
	    "catalogue: caf\xc3\xa9 ?? ?\n");
}

static void
test_json_has_all_of_it(void)
{
	struct log_record r = record("say \"a\\b\"\n",
	    LOG_FIELDS(LOG_TEXT(FILE, "/x\x01"), LOG_NUMBER(SERIAL, -3),
	        LOG_CODE(MUSTER_E_NOENT), LOG_UUID(PRODUCT, product),
	        LOG_TEXT(HOST, NULL)));
	json_t *told = as_json(&r);

	json_decref(told);
	out[strcspn(out, "\n")] = '\0';
	is_str(out,
	    "{\"unix_ms\":1790000000123,\"level\":\"note\","
	    "\"program\":\"musterd\",\"event\":\"catalogue\","
	    "\"message\":\"say \\\"a\\\\b\\\"\\n\",\"fields\":{"
	    "\"file\":\"/x\\u0001\",\"serial\":-3,\"code\":\"noent\","
	    "\"product\":\"" PRODUCT_TEXT "\"}}");
	r.fields = LOG_FIELDS(LOG_CODE(0));
	told = as_json(&r);
	is((long long)json_object_size(json_object_get(told, "fields")), 0);
	ok(json_object_get(told, "cut") == NULL);
	json_decref(told);
}

/* Each byte comes back as it was, or as the mark of what is none. */
static void
test_json_each_byte(void)
{
	unsigned wrong = 0;

	for (unsigned c = 1; c < 256; c++) {
		const char text[] = {'a', (char)c, 'z', '\0'};
		struct log_record r = record(text, NULL);
		json_t *told;

		logform_json(&r, "", PROGRAM, AT_MS, out);
		told = json_loads(strtok(out, "\n"), 0, NULL);
		wrong += strcmp(text_of(told, "message"),
		             c < 0x80 ? text : "a\xef\xbf\xbdz") != 0;
		json_decref(told);
	}
	is(wrong, 0);
}

static const struct log_field *
longest(const char *value)
{
	static struct log_field fields[LOG_FIELDS_MAX + 1];

	for (int i = 0; i < LOG_FIELDS_MAX; i++)
		fields[i] = (struct log_field){.name = (enum log_name)(i + 1),
		    .kind = LOG_KIND_TEXT,
		    .text = value};
	return fields;
}

static void
test_what_is_cut_is_said(void)
{
	static const char *const fills[] = {"x", "\"", "\x01", "\xff",
	    "\xc3\xa9", "\n"};
	static char text[LOG_TEXT_MAX + 1];

	for (size_t f = 0; f < sizeof(fills) / sizeof(fills[0]); f++) {
		struct log_record r = record(text, longest(text));
		size_t one = strlen(fills[f]), len;
		json_t *told;

		text[0] = '\0';
		for (size_t i = 0; i + one <= LOG_TEXT_MAX; i += one)
			memcpy(text + i, fills[f], one + 1);
		r.event = "a-name-of-23-characters";
		told = as_json(&r);
		ok(json_is_true(json_object_get(told, "cut")));
		json_decref(told);
		len = logform_text(&r, "<3>", out);
		ok(len <= LOGFORM_TEXT_MAX);
		ok(memcmp(out + len - 7, " (cut)\n", 7) == 0);
		len = logform_journal(&r, PROGRAM, out);
		ok(len <= LOGFORM_JOURNAL_MAX);
		ok(memcmp(out + len - 14, "\nMUSTER_CUT=1\n", 14) == 0);
	}
	ok(strstr(as_text("x", NULL), "(cut)") == NULL);
}

static void
test_a_value_is_cut_at_a_character(void)
{
	char path[LOG_VALUE_MAX + 3];
	struct log_record r = record("x", LOG_FIELDS(LOG_TEXT(FILE, path)));
	const char *value;
	json_t *told;

	memset(path, 'p', sizeof(path));
	memcpy(path + LOG_VALUE_MAX - 1, "\xc3\xa9", 3);
	told = as_json(&r);
	value = text_of(json_object_get(told, "fields"), "file");
	is((long long)strlen(value), LOG_VALUE_MAX - 1);
	ok(json_is_true(json_object_get(told, "cut")));
	json_decref(told);
	out[logform_journal(&r, PROGRAM, out)] = '\0';
	ok(strstr(out, "pp\nMUSTER_CUT=1\n") != NULL);
	path[LOG_VALUE_MAX - 1] = '\0'; /* it fits now */
	told = as_json(&r);
	is_str(text_of(json_object_get(told, "fields"), "file"), path);
	ok(json_object_get(told, "cut") == NULL);
	json_decref(told);
}

static void
test_more_fields_than_there_can_be_are_said(void)
{
	struct log_field fields[LOG_FIELDS_MAX + 2] = {0};
	struct log_record r = record("x", fields);
	json_t *told;

	memcpy(fields, longest("v"), sizeof(fields[0]) * LOG_FIELDS_MAX);
	fields[LOG_FIELDS_MAX] = fields[0];
	fields[LOG_FIELDS_MAX].name = LOG_NAME_THRESHOLD;
	fields[LOG_FIELDS_MAX + 1] = (struct log_field){.name = LOG_NAME_NONE};
	told = as_json(&r);
	is((long long)json_object_size(json_object_get(told, "fields")),
	    LOG_FIELDS_MAX);
	ok(json_is_true(json_object_get(told, "cut")));
	json_decref(told);
}

static void
test_journal_has_each_field(void)
{
	struct log_record r = record("of Acme",
	    LOG_FIELDS(LOG_TEXT(REQUEST, "00ff"), LOG_NUMBER(KEY_NUMBER, 7),
	        LOG_TEXT(FILE, "a\nPRIORITY=0"), LOG_CODE(MUSTER_E_IO)));
	static const char want[] =
	    "MESSAGE=catalogue: of Acme [request=00ff]\n"
	    "PRIORITY=6\nSYSLOG_IDENTIFIER=musterd\nMUSTER_EVENT=catalogue\n"
	    "MUSTER_REQUEST=00ff\nMUSTER_KEY_NUMBER=7\n"
	    "MUSTER_FILE\n\x0c\0\0\0\0\0\0\0a\nPRIORITY=0\nMUSTER_CODE=io\n";

	is((long long)logform_journal(&r, PROGRAM, out), sizeof(want) - 1);
	ok(memcmp(out, want, sizeof(want) - 1) == 0);
}

static void
test_fields_alone_are_whole(void)
{
	char small[30];

	logform_fields(LOG_FIELDS(LOG_TEXT(FILE, "a path that is too long"),
	                   LOG_NUMBER(SERIAL, 3), LOG_NUMBER(SLOT, 4)),
	    small, sizeof(small));
	is_str(small, "{\"serial\":3,\"slot\":4}");
	logform_fields(NULL, small, sizeof(small));
	is_str(small, "{}");
}

/* Any bytes: one line, one object; the seed is the same each time. */
static void
test_log_random(void)
{
	uint32_t state = SEED;
	unsigned wrong = 0;

	printf("# seed %u\n", SEED);
	for (int i = 0; i < RANDOM_RUNS; i++) {
		char text[LOG_TEXT_MAX + 1];
		struct log_record r = record(text, longest(text));
		json_t *told;
		size_t len;

		for (size_t k = 0; k < sizeof(text); k++) {
			state = state * 1664525U + 1013904223U;
			text[k] = (char)(state >> 24);
		}
		text[state >> 22] = '\0';
		text[sizeof(text) - 1] = '\0';
		len = logform_json(&r, "", PROGRAM, AT_MS, out);
		wrong += len > LOGFORM_JSON_MAX ||
		    memchr(out, '\n', len) != out + len - 1;
		told = json_loadb(out, len, 0, NULL);
		wrong += told == NULL;
		json_decref(told);
		len = logform_text(&r, "", out);
		wrong += len > LOGFORM_TEXT_MAX ||
		    memchr(out, '\n', len) != out + len - 1;
		wrong +=
		    logform_journal(&r, PROGRAM, out) > LOGFORM_JOURNAL_MAX;
	}
	is(wrong, 0);
}

/* A journal that listens, one that is behind, one that has gone. */
static void
test_a_journal_that_takes_nothing_is_not_waited_for(void)
{
	char folder[] = "/tmp/test_log.XXXXXX", got[LOGFORM_MAX];
	struct sockaddr_un at = {.sun_family = AF_UNIX};
	int here = socket(AF_UNIX, SOCK_DGRAM, 0), fd, n = 0;

	ok(mkdtemp(folder) != NULL);
	(void)snprintf(at.sun_path, sizeof(at.sun_path), "%s/socket", folder);
	is(journal_open(at.sun_path), -1);
	is(bind(here, (struct sockaddr *)&at, sizeof(at)), 0);
	fd = journal_open(at.sun_path);
	ok(fd >= 0 && (fcntl(fd, F_GETFD) & FD_CLOEXEC) != 0);
	ok(journal_send(fd, "MESSAGE=a\n", 10));
	is((long long)recv(here, got, sizeof(got), 0), 10);
	ok(memcmp(got, "MESSAGE=a\n", 10) == 0);
	while (n < 100000 && journal_send(fd, "MESSAGE=a\n", 10))
		n++;
	ok(n > 0 && n < 100000 && errno == EAGAIN);
	(void)close(here);
	ok(!journal_send(fd, "MESSAGE=a\n", 10));
	(void)close(fd);
	is(unlink(at.sun_path), 0);
	is(rmdir(folder), 0);
	memset(got, 'x', sizeof(got));
	got[sizeof(at.sun_path)] = '\0';
	is(journal_open(got), -1);
}

/* What log_event() writes on standard error. */
static const char *
said(enum log_format format, const char *text)
{
	static char line[LOGFORM_MAX + 1];
	int both[2], kept = dup(STDERR_FILENO);
	ssize_t n;

	if (pipe(both) != 0 || dup2(both[1], STDERR_FILENO) < 0)
		return "";
	log_set_format(format);
	errno = ENOENT;
	log_event(LOG_WARN, "state", LOG_FIELDS(LOG_NUMBER(SLOT, 3)), "%s",
	    text);
	ok(errno == ENOENT);
	log_event(LOG_FINE, "state", NULL, "%s", "not at this level");
	(void)dup2(kept, STDERR_FILENO);
	(void)close(kept);
	(void)close(both[1]);
	n = read(both[0], line, sizeof(line) - 1);
	(void)close(both[0]);
	line[n < 0 ? 0 : n] = '\0';
	return line;
}

static void
test_the_form_is_the_one_that_was_set(void)
{
	static char text[2 * LOG_TEXT_MAX];
	const char *line;
	json_t *told;

	log_open(PROGRAM);
	is_str(said(LOG_FORMAT_AUTO, "a"), "state: a\n");
	is_str(said(LOG_FORMAT_TEXT, "a"), "state: a\n");
	memset(text, 'x', sizeof(text) - 1);
	memcpy(text + LOG_TEXT_MAX - 1, "\xc3\xa9", 2); /* cut in two */
	line = said(LOG_FORMAT_TEXT, text);
	is((long long)strlen(line), 7 + LOG_TEXT_MAX - 1 + 7);
	ok(strchr(line, '?') == NULL && strstr(line, " (cut)\n") != NULL);
	told = json_loads(said(LOG_FORMAT_JSON, "a"), 0, NULL);
	is_str(text_of(told, "level"), "warning");
	is_str(text_of(told, "program"), PROGRAM);
	is_str(text_of(told, "event"), "state");
	is_str(text_of(told, "message"), "a");
	ok(json_integer_value(json_object_get(told, "unix_ms")) > AT_MS / 2);
	json_decref(told);
}

static void
test_the_names_of_the_forms(void)
{
	static const char *const names[] = {"auto", "text", "json", "journal"};
	enum log_format format = LOG_FORMAT_JSON;

	ok(!log_format_parse("JSON", &format));
	ok(!log_format_parse("", &format) && !log_format_parse(NULL, &format));
	is(format, LOG_FORMAT_JSON);
	for (int i = 0; i < 4; i++)
		ok(log_format_parse(names[i], &format) && (int)format == i);
}

int
main(void)
{
	test_text_ends_with_what_ties_it_to_others();
	test_text_is_one_line_of_whole_characters();
	test_json_has_all_of_it();
	test_json_each_byte();
	test_what_is_cut_is_said();
	test_a_value_is_cut_at_a_character();
	test_more_fields_than_there_can_be_are_said();
	test_journal_has_each_field();
	test_fields_alone_are_whole();
	test_log_random();
	test_a_journal_that_takes_nothing_is_not_waited_for();
	test_the_form_is_the_one_that_was_set();
	test_the_names_of_the_forms();
	return tap_done();
}
