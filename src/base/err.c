/* SPDX-License-Identifier: MIT */
#include "muster/err.h"

const char *
muster_strerror(int err)
{
	switch (err) {
	case 0:
		return "ok";
#define X(name, value, text) \
	case name:           \
		return text;
		MUSTER_ERR_LIST(X)
#undef X
	default:
		return "unknown error";
	}
}

const char *
muster_errname(int err)
{
	switch (err) {
	case 0:
		return "OK";
#define X(name, value, text) \
	case name:           \
		return #name;
		MUSTER_ERR_LIST(X)
#undef X
	default:
		return "MUSTER_E_UNKNOWN";
	}
}
