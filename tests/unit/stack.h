/* SPDX-License-Identifier: MIT */
/*
 * stack.h -- how much stack a call takes, measured.
 */
#ifndef MUSTER_STACK_H
#define MUSTER_STACK_H

#include <pthread.h>
#include <stdint.h>
#include <stdlib.h>

#include "tap.h"

#define STACK_LEN (512 * 1024)

static inline void *
thread_idle(void *arg)
{
	return arg;
}

/* Bytes of a painted stack that a thread wrote on. */
static inline size_t
stack_used(void *(*fn)(void *))
{
	uint8_t *stack = NULL;
	size_t i = 0;
	pthread_attr_t attr;
	pthread_t thread;
	void *done = NULL;

	if (posix_memalign((void **)&stack, 4096, STACK_LEN) != 0)
		return 0;
	memset(stack, 0xa5, STACK_LEN);
	(void)pthread_attr_init(&attr);
	(void)pthread_attr_setstack(&attr, stack, STACK_LEN);
	if (pthread_create(&thread, &attr, fn, stack) != 0 ||
	    pthread_join(thread, &done) != 0)
		return 0;
	ok(done == stack);
	while (i < STACK_LEN && stack[i] == 0xa5)
		i++;
	(void)pthread_attr_destroy(&attr);
	free(stack);
	return STACK_LEN - i;
}

#endif /* MUSTER_STACK_H */
