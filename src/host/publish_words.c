/* SPDX-License-Identifier: MIT */
#include "host/publish_run.h"

const char *
publish_reason_words(enum publish_reason reason)
{
	switch (reason) {
	case PUBLISH_ON:
		return NULL;
	case PUBLISH_OFF:
		return "switched off by `publish = false` in musterd.conf";
	case PUBLISH_WITHDRAWN:
		return "withdrawn by hand, until `muster host dns publish` or "
		       "the next start of musterd";
	case PUBLISH_NO_CERTIFICATE:
		return "this host holds no certificate in date";
	case PUBLISH_NO_NAME:
		return "the machine's full name is not known: set "
		       "`publish_name` in musterd.conf";
	case PUBLISH_NO_DOMAIN:
		return "there is no domain to publish in: set "
		       "`publish_domain` or `publish_domains` in musterd.conf";
	case PUBLISH_STOPPING:
		return "musterd is stopping";
	}
	return NULL;
}
