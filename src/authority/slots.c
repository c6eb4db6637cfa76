/* SPDX-License-Identifier: MIT */
#include "authority/slots.h"

#include <time.h>

#include "authority/audit.h"
#include "authority/ctx.h"
#include "base/hex.h"
#include "trust/cert.h"
#include "trust/enrol.h"

#define DAY_TEXT_MAX 16

static json_t *
slot_json(sqlite3_stmt *st, const char *name, const uint8_t *print)
{
	time_t at = (time_t)sqlite3_column_int64(st, 5) * S_PER_DAY;
	char hex[2 * CERT_FINGERPRINT_LEN + 1], day[DAY_TEXT_MAX] = "";
	struct tm tm;

	if (gmtime_r(&at, &tm) != NULL)
		(void)!strftime(day, sizeof(day), "%Y-%m-%d", &tm);
	hex_encode(print, CERT_FINGERPRINT_LEN, hex);
	return json_pack("{s:i,s:i,s:s,s:s,s:I,s:s,s:s}", "slot",
	    sqlite3_column_int(st, 0), "activation", sqlite3_column_int(st, 1),
	    "name", name, "state",
	    sqlite3_column_int(st, 7) != 0                ? "revoked"
	        : sqlite3_column_int(st, 2) == GRANT_HELD ? "held"
	                                                  : "released",
	    "reactivations_used", (json_int_t)sqlite3_column_int64(st, 3),
	    "activated_day", day, "fingerprint", hex);
}

int
slots_list(sqlite3 *db, uint32_t key_number, uint32_t today, json_t **list_out)
{
	json_t *list = json_array();
	sqlite3_stmt *st = NULL;
	char name[ENROL_NAME_MAX + 1];
	uint8_t print[CERT_FINGERPRINT_LEN];
	int err;

	err = db_query(db, &st,
	    "SELECT s.slot, s.activation, s.hold, s.reactivations, "
	    "fingerprint, "
	    "h.issued_day, h.name, s.hold = 1 AND " KEYS_SLOT_REVOKED
	    " FROM slot s JOIN host h "
	    "USING(key_number, fingerprint) WHERE s.key_number = ?1 AND "
	    "s.hold <> 0 ORDER BY s.slot",
	    "ii", (int64_t)key_number, (int64_t)today);
	while (err == 0 && (err = db_row(st)) == 1) {
		err = db_blob(st, 4, print, sizeof(print));
		if (err == 0)
			err = db_text(st, 6, name, sizeof(name));
		if (err == 0 &&
		    json_array_append_new(list, slot_json(st, name, print)) !=
		        0)
			err = MUSTER_E_NOMEM;
	}
	db_done(st);
	if (err == 0 && list == NULL)
		err = MUSTER_E_NOMEM;
	if (err == 0)
		*list_out = list;
	else
		json_decref(list);
	return err;
}

int
slots_end(sqlite3 *db, uint32_t key_number, const struct grant_slot *slot,
    bool is_release, uint16_t day)
{
	int err;

	err = keys_revoke(db, key_number, slot->slot, slot->activation, day);
	if (err == 0 && is_release)
		err = db_exec(db,
		    "UPDATE slot SET hold = ? WHERE key_number = ? AND "
		    "slot = ?",
		    "iii", (int64_t)GRANT_RELEASED, (int64_t)key_number,
		    (int64_t)slot->slot);
	if (err == 0 && is_release)
		err = db_exec(db,
		    "UPDATE host_key SET releases_used = releases_used + 1 "
		    "WHERE number = ?",
		    "i", (int64_t)key_number);
	if (err == 0)
		err = audit_add(db, is_release ? "host.release" : "host.revoke",
		    json_pack("{s:I,s:i,s:i,s:i}", "key_number",
		        (json_int_t)key_number, "slot", (int)slot->slot,
		        "activation", (int)slot->activation, "day", (int)day));
	return err;
}

int
slots_close(sqlite3 *db, uint32_t key_number, uint8_t slot, uint16_t day)
{
	int err = keys_revoke(db, key_number, slot, 0, day);

	if (err == 0)
		err = audit_add(db, "slot.revoke",
		    json_pack("{s:I,s:i,s:i}", "key_number",
		        (json_int_t)key_number, "slot", (int)slot, "day",
		        (int)day));
	return err;
}

int
slots_release(sqlite3 *db, struct keys_row *key, uint8_t slot,
    uint8_t activation, uint16_t day)
{
	struct grant_slot slots[GRANT_SLOTS_MAX];
	const struct grant_slot *s = NULL;
	size_t n = 0;
	int err;

	err = keys_slots(db, key->number, day, slots, &n);
	for (size_t i = 0; err == 0 && i < n && s == NULL; i++) {
		if (slots[i].slot == slot && slots[i].activation == activation)
			s = &slots[i];
	}
	if (err == 0 && s == NULL)
		err = MUSTER_E_NOENT;
	if (err != 0 || s->hold != GRANT_HELD)
		return err;
	if (key->releases_used >= key->releases)
		return MUSTER_E_AGAIN;
	err = slots_end(db, key->number, s, true, day);
	if (err == 0)
		key->releases_used++;
	return err;
}
