/* SPDX-License-Identifier: MIT */
/*
 * lognames.h -- every name that a field of the log can have, once.
 *
 * X(NAME, "name", in_text): a program reads "name" in JSON and in the fields
 * of /v1/events, and MUSTER_NAME in the journal.  in_text: a line of text ends
 * with it in brackets, since it ties the line to one of another program, or
 * of another machine; what else there is the sentence says itself.
 *
 * doc/logs.md describes each, and which events have it.
 */
#ifndef MUSTER_BASE_LOGNAMES_H
#define MUSTER_BASE_LOGNAMES_H

#define LOG_NAME_MAX 16 /* bytes of a name */

#define LOG_NAMES(X)                       \
	X(REQUEST, "request", true)        \
	X(CLIENT, "client", true)          \
	X(PRODUCT, "product", true)        \
	X(OUTCOME, "outcome", true)        \
	X(ACTIVATION, "activation", false) \
	X(ADDRESS, "address", false)       \
	X(BEFORE, "before", false)         \
	X(CODE, "code", false)             \
	X(COUNT, "count", false)           \
	X(DOMAIN, "domain", false)         \
	X(EXIT, "exit", false)             \
	X(FILE, "file", false)             \
	X(HOST, "host", false)             \
	X(KEY_NUMBER, "key_number", false) \
	X(LIMIT, "limit", false)           \
	X(LINE, "line", false)             \
	X(MORE, "more", false)             \
	X(OPTION, "option", false)         \
	X(PART, "part", false)             \
	X(PORT, "port", false)             \
	X(PUBLISHER, "publisher", false)   \
	X(SECONDS, "seconds", false)       \
	X(SERIAL, "serial", false)         \
	X(SERVER, "server", false)         \
	X(SIGNAL, "signal", false)         \
	X(SLOT, "slot", false)             \
	X(STATE, "state", false)           \
	X(THRESHOLD, "threshold", false)

#endif /* MUSTER_BASE_LOGNAMES_H */
