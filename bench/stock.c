/* SPDX-License-Identifier: MIT */
/*
 * stock.c -- what a C programmer would write in a day: the server that rpcgen
 * generates from muster.x, on libtirpc, with one signature and one SQLite
 * commit a request.
 *
 * usage: bench_stock DATABASE IDENTITY CERTIFICATE CATALOGUE
 *
 * It has the keys of a real host, so its replies verify.  In its favour: the
 * count is a number in memory, and nothing is asked of catalogue or clock.
 */
#include <netinet/in.h>
#include <sodium.h>
#include <sqlite3.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#include "stock_xdr.h"

#include "base/file.h"
#include "client/catalogues.h"
#include "trust/cert.h"
#include "trust/lease.h"

#define BACKLOG 4096
#define RENEWAL_MIN 10080
#define RETRY_MIN 120

/* rpcgen's half of the program. */
void muster_program_1(struct svc_req *rqstp, SVCXPRT *transp);

static struct {
	sqlite3 *db;
	sqlite3_stmt *put;
	struct catalogue cat;
	uint8_t sk[SECKEY_LEN];
	uint8_t certificate[CERT_LEN];
	uint8_t cert_hash[HASH_LEN];
	uint32_t count;
} stock;

static bool
store(const activate_args *args)
{
	sqlite3_stmt *st = stock.put;
	bool is_done;

	(void)sqlite3_bind_blob(st, 1, args->cmid, 16, SQLITE_STATIC);
	(void)sqlite3_bind_blob(st, 2, args->product, 16, SQLITE_STATIC);
	(void)sqlite3_bind_text(st, 3, args->name, -1, SQLITE_STATIC);
	(void)sqlite3_bind_int64(st, 4, (sqlite3_int64)time(NULL));
	(void)sqlite3_bind_blob(st, 5, args->nonce, 16, SQLITE_STATIC);
	is_done = sqlite3_step(st) == SQLITE_DONE;
	(void)sqlite3_reset(st);
	return is_done;
}

static void
sign(activate_args *args, activate_ok *ok)
{
	struct wire_grant grant = {.count = ok->count,
	    .issued_unix_s = ok->issued_at,
	    .renewal_min = ok->renewal,
	    .retry_min = ok->retry,
	    .catalogue = ok->catalogue};
	uint8_t text[WIRE_ARGS_MAX];
	uint8_t leaf[1][HASH_LEN];
	struct wire_place place;
	XDR xdr;

	xdrmem_create(&xdr, (char *)text, sizeof(text), XDR_ENCODE);
	if (!xdr_activate_args(&xdr, args))
		return;
	lease_leaf(stock.cat.head.publisher, stock.cert_hash, text,
	    xdr_getpos(&xdr), &grant, leaf[0]);
	lease_sign(stock.sk, (const uint8_t(*)[HASH_LEN])leaf, 1,
	    (uint8_t *)ok->signature, &place);
}

activate_res *
muster_activate_1_svc(activate_args *args, struct svc_req *req)
{
	static activate_res res;
	activate_ok *ok = &res.activate_res_u.ok;

	(void)req;
	if (!store(args))
		return NULL;
	res.status = MUSTER_OK;
	ok->count = ++stock.count;
	ok->issued_at = time(NULL);
	ok->renewal = RENEWAL_MIN;
	ok->retry = RETRY_MIN;
	ok->catalogue = stock.cat.head.serial;
	ok->how.form = 0;
	memcpy(ok->how.proof_u.certificate, stock.certificate, CERT_LEN);
	sign(args, ok);
	return &res;
}

void *
muster_null_1_svc(void *none, struct svc_req *req)
{
	static char nothing;

	(void)none;
	(void)req;
	return &nothing;
}

cover_res *
muster_cover_1_svc(cover_args *args, struct svc_req *req)
{
	static cover_res res;

	(void)args;
	(void)req;
	res.status = MUSTER_UNKNOWN_PRODUCT;
	return &res;
}

static bool
open_database(const char *path)
{
	static const char set_up[] =
	    "PRAGMA journal_mode = WAL; PRAGMA synchronous = FULL;"
	    "CREATE TABLE IF NOT EXISTS client (cmid BLOB, product BLOB,"
	    "name TEXT, last INTEGER, nonce BLOB, PRIMARY KEY (cmid, product))";
	static const char put[] =
	    "INSERT INTO client VALUES (?1, ?2, ?3, ?4, ?5) ON CONFLICT DO"
	    " UPDATE SET name = excluded.name, last = excluded.last,"
	    " nonce = excluded.nonce";

	return sqlite3_open(path, &stock.db) == SQLITE_OK &&
	    sqlite3_exec(stock.db, set_up, NULL, NULL, NULL) == SQLITE_OK &&
	    sqlite3_prepare_v2(stock.db, put, -1, &stock.put, NULL) ==
	    SQLITE_OK;
}

static bool
read_keys(char **argv)
{
	size_t sk_len = 0, cert_len = 0;

	if (file_read(argv[2], stock.sk, SECKEY_LEN, &sk_len) != 0 ||
	    file_read(argv[3], stock.certificate, CERT_LEN, &cert_len) != 0 ||
	    catalogues_load(argv[4], &stock.cat, NULL) != 0)
		return false;
	cert_hash(stock.certificate, stock.cert_hash);
	return sk_len == SECKEY_LEN && cert_len == CERT_LEN;
}

int
main(int argc, char **argv)
{
	struct sockaddr_in at = {.sin_family = AF_INET,
	    .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
	socklen_t len = sizeof(at);
	int fd = socket(AF_INET, SOCK_STREAM, 0);
	SVCXPRT *transp;

	if (argc != 5 || sodium_init() < 0 || !open_database(argv[1]) ||
	    !read_keys(argv)) {
		(void)fputs("usage: bench_stock DATABASE IDENTITY CERTIFICATE "
		            "CATALOGUE\n",
		    stderr);
		return 2;
	}
	if (fd < 0 || bind(fd, (struct sockaddr *)&at, sizeof(at)) != 0 ||
	    listen(fd, BACKLOG) != 0 ||
	    getsockname(fd, (struct sockaddr *)&at, &len) != 0)
		return 1;
	transp = svctcp_create(fd, 0, 0);
	/* protocol 0: not told to a port mapper */
	if (transp == NULL ||
	    !svc_register(transp, MUSTER_PROGRAM, MUSTER_V1, muster_program_1,
	        0))
		return 1;
	(void)printf("port %u\n", ntohs(at.sin_port));
	(void)fflush(stdout);
	svc_run();
	return 1;
}
