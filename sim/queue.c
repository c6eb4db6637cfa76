/* SPDX-License-Identifier: MIT */
#include "sim/queue.h"

static bool
is_before(const struct event *a, const struct event *b)
{
	if (a->at_ms != b->at_ms)
		return a->at_ms < b->at_ms;
	return a->order < b->order;
}

static void
swap(struct event *a, struct event *b)
{
	struct event c = *a;

	*a = *b;
	*b = c;
}

void
queue_init(struct queue *q, struct event *heap, uint32_t max)
{
	*q = (struct queue){.max = max, .heap = heap};
}

bool
queue_put(struct queue *q, const struct event *ev)
{
	uint32_t i = q->n;

	if (q->n == q->max)
		return false;
	q->heap[i] = *ev;
	q->heap[i].order = q->order++;
	q->n++;
	while (i > 0 && is_before(&q->heap[i], &q->heap[(i - 1) / 2])) {
		swap(&q->heap[i], &q->heap[(i - 1) / 2]);
		i = (i - 1) / 2;
	}
	return true;
}

int64_t
queue_next_ms(const struct queue *q)
{
	return q->n == 0 ? INT64_MAX : q->heap[0].at_ms;
}

bool
queue_take(struct queue *q, struct event *ev_out)
{
	uint32_t i = 0;

	if (q->n == 0)
		return false;
	*ev_out = q->heap[0];
	q->heap[0] = q->heap[--q->n];
	for (;;) {
		uint32_t least = i;

		for (uint32_t c = 2 * i + 1; c <= 2 * i + 2 && c < q->n; c++) {
			if (is_before(&q->heap[c], &q->heap[least]))
				least = c;
		}
		if (least == i)
			return true;
		swap(&q->heap[i], &q->heap[least]);
		i = least;
	}
}
