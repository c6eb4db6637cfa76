/* SPDX-License-Identifier: MIT */
#include "host/publish_file.h"

#include <stdlib.h>

#include "base/file.h"
#include "base/log.h"

#define FILE_NAME "/published"

static void begin(struct publish_file *f);

int
publish_file_init(struct publish_file *f)
{
	f->is_busy = false;
	f->wanted = f->writing = f->written = f->saved = 0;
	f->err = f->told_err = 0;
	f->work.data = f;
	f->text = malloc(PUBLISH_TEXT_MAX);
	return f->text == NULL ? MUSTER_E_NOMEM : 0;
}

void
publish_file_free(struct publish_file *f)
{
	free(f->text);
	f->text = NULL;
}

void
publish_file_load(struct publish_file *f, struct publish *life, uint64_t now_ms)
{
	char path[FILE_PATH_MAX];
	size_t len = 0;
	int err = file_join(f->folder, FILE_NAME, path, sizeof(path));

	if (err == 0)
		err = file_read(path, (uint8_t *)f->text, PUBLISH_TEXT_MAX - 1,
		    &len);
	if (err == MUSTER_E_NOENT)
		return;
	f->text[err == 0 ? len : 0] = '\0';
	if (err == 0)
		err = publish_read(life, f->text, now_ms);
	if (err != 0)
		log_event(LOG_WARN, "dns",
		    LOG_FIELDS(LOG_TEXT(FILE, path), LOG_CODE(err)),
		    "%s cannot be read whole: %s; records of an earlier start "
		    "may stand: see the zones",
		    path, muster_strerror(err));
}

/* In the pool: nothing but text, len and work_err is touched. */
static void
on_work(uv_work_t *work)
{
	struct publish_file *f = work->data;
	char path[FILE_PATH_MAX];
	int err = f->work_err; /* of the text */

	if (err == 0)
		err = file_join(f->folder, FILE_NAME, path, sizeof(path));
	if (err == 0)
		err = file_replace(path, f->text, f->len, 0600);
	f->work_err = err;
}

static void
after_work(uv_work_t *work, int status)
{
	struct publish_file *f = work->data;

	f->err = status == 0 ? f->work_err : MUSTER_E_AGAIN;
	if (f->err != 0 && f->err != f->told_err)
		log_event(LOG_ERROR, "dns",
		    LOG_FIELDS(LOG_TEXT(FILE, f->folder), LOG_CODE(f->err)),
		    "%s%s cannot be written: %s", f->folder, FILE_NAME,
		    muster_strerror(f->err));
	f->told_err = f->err;
	f->is_busy = false;
	f->written = f->writing;
	if (f->err == 0)
		f->saved = f->written;
	if (f->written < f->wanted)
		begin(f);
	f->fn(f->arg);
}

static void
begin(struct publish_file *f)
{
	f->is_busy = true;
	f->writing = f->wanted;
	f->len = 0;
	f->work_err =
	    publish_write(f->life, f->text, PUBLISH_TEXT_MAX, &f->len);
	/* fails only without a function to call */
	(void)uv_queue_work(f->loop, &f->work, on_work, after_work);
}

uint64_t
publish_file_next(const struct publish_file *f)
{
	return f->wanted + 1;
}

uint64_t
publish_file_save(struct publish_file *f)
{
	f->wanted++;
	if (!f->is_busy)
		begin(f);
	return f->wanted;
}
