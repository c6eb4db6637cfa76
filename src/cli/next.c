/* SPDX-License-Identifier: MIT */
/*
 * next.c -- what to do about an error of the list, where the command knows
 * nothing better.
 */
#include "cli/cli.h"

/* Of those that name servers are the cause of. */
static const char *
dns_step(int err)
{
	switch (err) {
	case MUSTER_E_ALIAS:
		return "see to the CNAME records of that name";
	case MUSTER_E_NXDOMAIN:
	case MUSTER_E_NODATA:
	case MUSTER_E_NO_SERVICE:
		return "publish a host there, or name one: muster set-host "
		       "NAME[:PORT]";
	case MUSTER_E_SERVFAIL:
	case MUSTER_E_DNS_REFUSED:
	case MUSTER_E_DNS_TIMEOUT:
		return "check the name servers in /etc/resolv.conf";
	default:
		return "see `muster --help`";
	}
}

/* That no code is missing is seen by test_next. */
const char *
cli_next_step(int err)
{
	switch (err) {
	case MUSTER_E_NOMEM:
		return "free memory on this machine";
	case MUSTER_E_NOENT:
		return "check the name; nothing was changed";
	case MUSTER_E_DENIED:
		return "run it as a user who may do this (root)";
	case MUSTER_E_FULL:
		return "make room there, and try again";
	case MUSTER_E_IO:
		return "check that it is a file and its disk is in order "
		       "(journalctl -k)";
	case MUSTER_E_EXIST:
		return "name another, or move the one that is there away";
	case MUSTER_E_AGAIN:
	case MUSTER_E_LOCKED:
	case MUSTER_E_TIMEOUT:
		return "try again";
	case MUSTER_E_UNSURE:
		return "look whether it was done before you try again";
	case MUSTER_E_PROTO:
	case MUSTER_E_TRUNC:
	case MUSTER_E_TOOBIG:
	case MUSTER_E_RANGE:
	case MUSTER_E_INVAL:
		return "check that it is the file or text that is asked for, "
		       "and whole";
	case MUSTER_E_SIG:
	case MUSTER_E_KEY:
	case MUSTER_E_MISMATCH:
		return "get it from its publisher again";
	case MUSTER_E_PUBLISHER:
	case MUSTER_E_ISSUER:
	case MUSTER_E_ISSUED:
	case MUSTER_E_REVOKED:
	case MUSTER_E_EXPIRED:
	case MUSTER_E_LEVEL:
		return "ask the publisher for what is valid here";
	case MUSTER_E_CLOCK:
		return "set the clock right";
	case MUSTER_E_PRODUCT:
		return "check the id: muster catalogue show FILE lists them";
	case MUSTER_E_COUNT:
		return "let more machines ask the same host";
	case MUSTER_E_MACHINE:
		return "activate on this machine";
	case MUSTER_E_SERIAL:
		return "use the newest catalogue";
	case MUSTER_E_TYPO:
		return "type it again";
	case MUSTER_E_KIND:
		return "use a key of the other kind";
	case MUSTER_E_SCHEMA:
		return "use the version that wrote it";
	case MUSTER_E_DAMAGED:
		return "restore it from a backup";
	case MUSTER_E_REFUSED:
		return "see what the host says: muster ping HOST";
	case MUSTER_E_CONNECT:
		return "check that musterd runs there and its port is open";
	case MUSTER_E_RESOLVE:
		return "check the name and the DNS";
	case MUSTER_E_NOMACHINE:
		return "write 32 hex digits into /etc/machine-id "
		       "(systemd-machine-id-setup)";
	default:
		return dns_step(err);
	}
}
