/* SPDX-License-Identifier: MIT */
/* Calls to the agent's socket, and its replies. */
#include "target.h"

#include "wire/agentmsg.h"

int
LLVMFuzzerTestOneInput(const uint8_t *p, size_t len)
{
	static struct agent_request req;
	static struct agent_reply reply;
	static uint8_t back[AGENT_BODY_MAX];
	size_t n = 0;

	if (agent_request_decode(p, len, &req) == 0) {
		HOLDS(agent_request_encode(&req, back, sizeof(back), &n) == 0);
		SAME(back, n, p, len);
	}
	if (agent_reply_decode(p, len, &reply) == 0) {
		HOLDS(agent_reply_encode(&reply, back, sizeof(back), &n) == 0);
		SAME(back, n, p, len);
	}
	return 0;
}
