/* SPDX-License-Identifier: MIT */
/*
 * bad_reply.c -- preloaded into a program: of each answer by ONC RPC that is as
 * long as one with a certificate and a signature the last byte is another one.
 */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/types.h>

#define SIGNED_LEN 240 /* more than COVER's answer */

typedef ssize_t (*on_recv)(int, void *, size_t, int);

ssize_t
recv(int fd, void *buf, size_t len, int flags)
{
	static const unsigned char reply[] = {0, 0, 0, 1}; /* RFC 5531, 9 */
	on_recv next = (on_recv)dlsym(RTLD_NEXT, "recv");
	ssize_t n = next(fd, buf, len, flags);

	if (n >= SIGNED_LEN &&
	    memcmp((unsigned char *)buf + 4, reply, sizeof(reply)) == 0)
		((unsigned char *)buf)[n - 1] ^= 1;
	return n;
}
