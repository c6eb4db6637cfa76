/* SPDX-License-Identifier: MIT */
/*
 * publish_file.h -- the file of what may stand in DNS.
 *
 * ROOT/var/lib/muster/host/published; its form is publish_write()'s.  It is
 * written in the thread pool, one write at a time, because a disk may take
 * seconds and the loop answers clients.  Writes are numbered: what is noted
 * now is on disk once publish_file_next() of now is saved.
 */
#ifndef MUSTER_HOST_PUBLISH_FILE_H
#define MUSTER_HOST_PUBLISH_FILE_H

#include <uv.h>

#include "host/publish.h"

typedef void publish_file_fn(void *arg);

struct publish_file {
	/* set by the caller */
	uv_loop_t *loop;
	const char *folder;         /* of the host's state */
	const struct publish *life; /* whose records they are */
	publish_file_fn *fn;        /* a write has ended */
	void *arg;
	/* its own */
	uv_work_t work;
	bool is_busy;
	uint64_t wanted, writing, written; /* numbers */
	uint64_t saved;                    /* the newest that went well */
	int err;                           /* of the write that ended last */
	int work_err;                      /* the pool's */
	int told_err;                      /* logged already */
	size_t len;
	char *text; /* PUBLISH_TEXT_MAX */
};

/**
 * publish_file_init(): nothing is read or written yet.
 *
 * Returns: 0; MUSTER_E_NOMEM
 */
MUSTER_NODISCARD int publish_file_init(struct publish_file *f);

/**
 * publish_file_load(): what an earlier life left, into `life`; what is wrong
 * with it is logged.  Blocks on the disk: for the start.
 */
void publish_file_load(struct publish_file *f, struct publish *life,
    uint64_t now_ms);

/**
 * publish_file_next(): the number of the first write that begins after now.
 *
 * Returns: what publish_file_save() would return, and begins nothing
 */
uint64_t publish_file_next(const struct publish_file *f);

/**
 * publish_file_save(): what stands now is to be on disk.
 *
 * Returns: a number: it was tried once f->written is as large; fn is then
 *          called, never from within this call; f->err says how it ended
 */
uint64_t publish_file_save(struct publish_file *f);

/**
 * publish_file_free(): after the loop has ended.
 */
void publish_file_free(struct publish_file *f);

#endif /* MUSTER_HOST_PUBLISH_FILE_H */
