/* SPDX-License-Identifier: MIT */
#include "host/keymem.h"

#include <errno.h>
#include <sodium.h>
#include <string.h>

#include "base/log.h"
#include "trust/label.h"

int
keymem_new(uint8_t **sk_out, int *lock_err, struct problem *problem)
{
	uint8_t *sk = sodium_malloc(SECKEY_LEN);

	if (sk == NULL)
		return problem_set(problem, MUSTER_E_NOMEM, 500, "no_memory",
		    "free memory on this machine", "no memory for a key");
	/* sodium_malloc() locks too, and keeps the outcome to itself */
	if (sodium_mlock(sk, SECKEY_LEN) != 0)
		*lock_err = errno;
	*sk_out = sk;
	return 0;
}

void
keymem_tell(const char *of, int lock_err)
{
	log_line(LOG_WARN, "key",
	    "the identity key of %s is not in locked memory (%s) and may be "
	    "swapped out; let musterd lock 1 MiB (LimitMEMLOCK=1M in its unit, "
	    "or ulimit -l 1024)",
	    of, strerror(lock_err));
}
