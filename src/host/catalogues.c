/* SPDX-License-Identifier: MIT */
#include "host/catalogues.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/hex.h"
#include "base/log.h"
#include "client/kept.h"

#define NEXT_DISK "see to the space and the rights of the state folder"

/* A catalogue that was read and verified, and not yet judged. */
struct offer {
	struct catalogue *catalogue; /* state->spare */
	uint8_t hash[HASH_LEN];
	char path[FILE_PATH_MAX];
};

static struct publisher *
find_id(struct state *state, const uint8_t *id)
{
	for (uint32_t i = 0; i < state->n; i++) {
		if (memcmp(state->publishers[i].id, id, PUBLISHER_LEN) == 0)
			return &state->publishers[i];
	}
	return NULL;
}

static void
read_one_newest(const char *folder, const uint8_t *id, struct kept_newest *out)
{
	char hex[STATE_HEX_LEN + 1];

	hex_encode(id, PUBLISHER_LEN, hex);
	if (kept_newest(folder, id, out) != 0)
		log_event(LOG_WARN, "catalogue",
		    LOG_FIELDS(LOG_TEXT(PUBLISHER, hex)),
		    "%s/%s.serial is damaged: an older catalogue may come "
		    "into force",
		    folder, hex);
}

/* What this host has had in force, and what the machine has. */
static void
read_newest(const struct state *state, const uint8_t *id,
    struct kept_newest *out)
{
	struct kept_newest machine;

	read_one_newest(state->folder, id, out);
	read_one_newest(state->updated, id, &machine);
	if (machine.serial > out->serial)
		*out = machine;
}

int
catalogues_remember(const struct state *state, const struct publisher *pub)
{
	struct kept_newest newest = {.serial = pub->catalogue->head.serial};
	int err = file_mkdirs(pub->folder, 0700);

	memcpy(newest.hash, pub->catalogue_hash, HASH_LEN);
	if (err == 0)
		err = kept_remember(state->folder, pub->id, &newest);
	/* the machine's folder is root's, where musterd has a user of its own */
	if (err == 0 && access(state->updated, W_OK | X_OK) == 0)
		err = kept_remember(state->updated, pub->id, &newest);
	return err;
}

/* Read and verify bytes into state->spare. */
static int
load(struct state *state, const uint8_t *bytes, size_t len, struct offer *offer)
{
	const struct bytes mem = {.p = bytes, .len = len};
	const struct cat_source src = cat_memory_source(&mem);

	if (state->spare == NULL)
		state->spare = malloc(sizeof(*state->spare));
	if (state->spare == NULL)
		return MUSTER_E_NOMEM;
	offer->catalogue = state->spare;
	label_hash(NULL, &mem, 1, offer->hash);
	return cat_load(&src, NULL, state->spare);
}

static struct publisher *
add(struct state *state, const uint8_t *id)
{
	char hex[STATE_HEX_LEN + 1], folder[FILE_PATH_MAX];
	struct publisher *pub;
	int n;

	hex_encode(id, PUBLISHER_LEN, hex);
	n = snprintf(folder, sizeof(folder), "%s/%s", state->folder, hex);
	if (state->n == TURN_PUBLISHERS_MAX || n < 0 ||
	    (size_t)n >= sizeof(folder))
		return NULL;
	pub = &state->publishers[state->n++];
	memset(pub, 0, sizeof(*pub));
	memcpy(pub->id, id, PUBLISHER_LEN);
	memcpy(pub->hex, hex, sizeof(hex));
	memcpy(pub->folder, folder, sizeof(folder));
	return pub;
}

/* The catalogue that was read becomes the publisher's. */
static void
take(struct state *state, struct publisher *pub, const struct offer *offer)
{
	struct catalogue *old = pub->catalogue;

	pub->catalogue = offer->catalogue;
	memcpy(pub->catalogue_hash, offer->hash, HASH_LEN);
	state->spare = old; /* NULL, or memory for the next one */
}

static bool
is_shipped_here(const struct state *state, const uint8_t *id)
{
	for (uint32_t i = 0; i < state->n_shippers; i++) {
		if (memcmp(state->shippers[i], id, PUBLISHER_LEN) == 0)
			return true;
	}
	return false;
}

/* A shipped file is trust in its publisher, however old it is. */
static void
note_shipper(struct state *state, const uint8_t *id)
{
	if (!is_shipped_here(state, id) &&
	    state->n_shippers < TURN_PUBLISHERS_MAX)
		memcpy(state->shippers[state->n_shippers++], id, PUBLISHER_LEN);
}

static bool
is_trusted(struct state *state, const uint8_t *id)
{
	return find_id(state, id) != NULL || is_shipped_here(state, id) ||
	    kept_is_trusted(state->updated, id);
}

/* At the start: the highest serial wins; two of one serial are an error. */
static void
weigh(struct state *state, const struct offer *offer, bool is_shipped)
{
	const struct cat_head *head = &offer->catalogue->head;
	struct publisher *pub = find_id(state, head->publisher);
	struct kept_newest newest;

	if (is_shipped)
		note_shipper(state, head->publisher);
	if (!is_trusted(state, head->publisher)) {
		log_event(LOG_WARN, "catalogue",
		    LOG_FIELDS(LOG_TEXT(FILE, offer->path)),
		    "%s is passed over: its publisher is not trusted here; "
		    "install it with --trust",
		    offer->path);
		return;
	}
	if (pub == NULL)
		pub = add(state, head->publisher);
	if (pub == NULL) {
		log_event(LOG_ERROR, "catalogue",
		    LOG_FIELDS(LOG_TEXT(FILE, offer->path),
		        LOG_NUMBER(LIMIT, TURN_PUBLISHERS_MAX)),
		    "%s is passed over: more than %d publishers", offer->path,
		    TURN_PUBLISHERS_MAX);
		return;
	}
	read_newest(state, head->publisher, &newest);
	if (head->serial < newest.serial) {
		log_event(LOG_NOTE, "catalogue",
		    LOG_FIELDS(LOG_TEXT(FILE, offer->path),
		        LOG_NUMBER(SERIAL, head->serial)),
		    "%s is passed over: serial %u is older than %u",
		    offer->path, head->serial, newest.serial);
		return;
	}
	if (pub->catalogue == NULL ||
	    head->serial > pub->catalogue->head.serial) {
		take(state, pub, offer);
		return;
	}
	if (head->serial == pub->catalogue->head.serial &&
	    memcmp(offer->hash, pub->catalogue_hash, HASH_LEN) != 0) {
		log_event(LOG_ERROR, "catalogue",
		    LOG_FIELDS(LOG_TEXT(FILE, offer->path),
		        LOG_NUMBER(SERIAL, head->serial)),
		    "%s differs from another file of serial %u; ask the "
		    "publisher which is right",
		    offer->path, head->serial);
		if (newest.serial == head->serial &&
		    memcmp(newest.hash, offer->hash, HASH_LEN) == 0)
			take(state, pub, offer);
	}
}

/* Into state->spare; its path stays in the offer. */
static int
read_file(struct state *state, const char *path, struct offer *offer,
    struct bytes *file_out)
{
	int err = strlen(path) < sizeof(offer->path) ? 0 : MUSTER_E_TOOBIG;

	*file_out = (struct bytes){.p = state->scratch, .len = 0};
	if (err == 0) {
		memcpy(offer->path, path, strlen(path) + 1);
		err = file_read(path, state->scratch, CAT_FILE_MAX,
		    &file_out->len);
	}
	if (err == 0)
		err = load(state, file_out->p, file_out->len, offer);
	return err;
}

static void
pass_over(const char *path, int err)
{
	log_event(LOG_ERROR, "catalogue",
	    LOG_FIELDS(LOG_TEXT(FILE, path), LOG_CODE(err)),
	    "%s is passed over: %s", path, muster_strerror(err));
}

int
catalogues_weigh(struct state *state, const char *path, bool is_shipped)
{
	struct offer offer;
	struct bytes file;
	int err = read_file(state, path, &offer, &file);

	if (err == 0)
		weigh(state, &offer, is_shipped);
	else
		pass_over(path, err);
	return err == MUSTER_E_NOMEM ? err : 0;
}

static const struct publisher *
find_clash(const struct state *state, const struct catalogue *cat,
    uint32_t n_before, const struct cat_product **product_out)
{
	for (uint32_t i = 0; i < n_before; i++) {
		const struct publisher *pub = &state->publishers[i];

		if (memcmp(pub->id, cat->head.publisher, PUBLISHER_LEN) == 0)
			continue;
		*product_out = cat_clash(cat, pub->catalogue);
		if (*product_out != NULL)
			return pub;
	}
	return NULL;
}

/* Of two publishers with one product the one read first stays. */
void
catalogues_settle(struct state *state)
{
	uint32_t n = 0;

	for (uint32_t i = 0; i < state->n; i++) {
		struct publisher *pub = &state->publishers[i];
		const struct cat_product *product;
		const struct publisher *other;

		if (pub->catalogue == NULL) {
			log_event(LOG_ERROR, "catalogue",
			    LOG_FIELDS(LOG_TEXT(PUBLISHER, pub->hex)),
			    "none of publisher %s is as new as the newest that "
			    "was in force here; install it again (muster "
			    "catalogue install)",
			    pub->hex);
			continue;
		}
		other = find_clash(state, pub->catalogue, n, &product);
		if (other != NULL) {
			log_event(LOG_ERROR, "catalogue",
			    LOG_FIELDS(LOG_TEXT(PUBLISHER, pub->hex),
			        LOG_UUID(PRODUCT, product->id)),
			    "of %s is passed over: its product %s is also one "
			    "of %s; ask both publishers",
			    pub->catalogue->head.name, product->name,
			    other->catalogue->head.name);
			free(pub->catalogue);
			continue;
		}
		if (n != i)
			state->publishers[n] = *pub;
		n++;
	}
	state->n = n;
}

int
catalogues_reserve(const struct catalogue *cat, struct store *store,
    struct problem *problem)
{
	for (uint32_t g = 0; g < cat->n_groups; g++) {
		uint32_t largest = 0;
		int err;

		for (uint32_t i = 0; i < cat->n_products; i++) {
			const struct cat_product *p = &cat->products[i];

			if (p->group == cat->groups[g].number &&
			    p->threshold > largest)
				largest = p->threshold;
		}
		if (largest == 0)
			continue;
		err = store_reserve(store, cat->head.publisher,
		    cat->groups[g].number, 2 * largest);
		if (err != 0)
			return problem_set(problem, err, 500, "reserve",
			    "free memory, or serve fewer publishers here",
			    "no room for the group %s of %s: %s",
			    cat->groups[g].name, cat->head.name,
			    muster_strerror(err));
	}
	return 0;
}

static int
bad_bytes(int err, struct problem *problem)
{
	return problem_set(problem, err, err == MUSTER_E_NOMEM ? 500 : 422,
	    "catalogue_bad",
	    "get the file from the publisher again; nothing was changed",
	    "catalogue refused: %s", muster_strerror(err));
}

/* Is this catalogue's publisher trusted, or named by whoever installs it? */
static int
check_trust(struct state *state, const struct cat_head *head,
    const uint8_t *trust, struct problem *problem)
{
	char hex[STATE_HEX_LEN + 1];

	hex_encode(head->publisher, PUBLISHER_LEN, hex);
	if (trust != NULL && memcmp(trust, head->publisher, PUBLISHER_LEN) != 0)
		return problem_set(problem, MUSTER_E_PUBLISHER, 422,
		    "publisher_other",
		    "compare the id with the one that the publisher gave you",
		    "the catalogue is of publisher %s, not of the one named",
		    hex);
	if (trust == NULL && !is_trusted(state, head->publisher))
		return problem_set(problem, MUSTER_E_PUBLISHER, 422,
		    "publisher_untrusted",
		    "compare the id with the one that the publisher gave you; "
		    "if they are equal, install it with --trust and that id",
		    "the catalogue is of publisher %s (%s), which is not "
		    "trusted here",
		    hex, head->name);
	return 0;
}

/* May it follow the one in force?  is_same_out: it is the one in force. */
static int
check_serial(struct state *state, const struct offer *offer, bool *is_same_out,
    struct problem *problem)
{
	const struct cat_head *head = &offer->catalogue->head;
	const struct publisher *pub = find_id(state, head->publisher);
	struct kept_newest newest;

	*is_same_out = false;
	read_newest(state, head->publisher, &newest);
	if (pub != NULL && pub->catalogue->head.serial >= newest.serial) {
		newest.serial = pub->catalogue->head.serial;
		memcpy(newest.hash, pub->catalogue_hash, HASH_LEN);
	}
	if (head->serial < newest.serial)
		return problem_set(problem, MUSTER_E_SERIAL, 409,
		    "catalogue_old", "get the newest file from the publisher",
		    "catalogue refused: serial %u is older than %u, which is "
		    "or was in force here",
		    head->serial, newest.serial);
	if (head->serial > newest.serial)
		return 0;
	if (memcmp(offer->hash, newest.hash, HASH_LEN) != 0)
		return problem_set(problem, MUSTER_E_EXIST, 409,
		    "catalogue_differs", "ask the publisher which is right",
		    "catalogue refused: another one of serial %u is in force",
		    head->serial);
	*is_same_out =
	    pub != NULL && pub->catalogue->head.serial == head->serial;
	return 0;
}

static int
check_products(struct state *state, const struct catalogue *cat,
    struct problem *problem)
{
	const struct cat_product *product;
	const struct publisher *other =
	    find_clash(state, cat, state->n, &product);

	if (other != NULL)
		return problem_set(problem, MUSTER_E_EXIST, 409,
		    "product_clash", "ask both publishers",
		    "catalogue of %s refused: its product %s is also one of %s",
		    cat->head.name, product->name, other->catalogue->head.name);
	if (find_id(state, cat->head.publisher) == NULL &&
	    state->n == TURN_PUBLISHERS_MAX)
		return problem_set(problem, MUSTER_E_FULL, 409,
		    "publishers_full", "run a second host",
		    "this host serves %d publishers already", state->n);
	return 0;
}

/* Root has put it there, where musterd has a user that may not. */
static bool
is_in_place(struct state *state, const char *path, const struct bytes *file)
{
	size_t len = 0;

	return file->p != state->scratch &&
	    file_read(path, state->scratch, CAT_FILE_MAX, &len) == 0 &&
	    len == file->len && memcmp(state->scratch, file->p, len) == 0;
}

/* The file, and the trust where it is new. */
static int
keep(struct state *state, const struct cat_head *head, const struct bytes *file,
    bool is_new, struct problem *problem)
{
	char path[FILE_PATH_MAX] = "";
	int err =
	    kept_install(state->updated, head->publisher, file, is_new, path);

	if (err == MUSTER_E_DENIED && !is_new && is_in_place(state, path, file))
		return 0;
	/* `muster catalogue install` then does it itself, and asks again */
	if (err == MUSTER_E_DENIED)
		return problem_set(problem, err, 500, "folder_of_root",
		    "install it as root: muster catalogue install",
		    "%s: only root may write there", path);
	if (err != 0)
		return problem_set(problem, err, 500, "not_stored", NEXT_DISK,
		    "%s is not safely written: %s", path, muster_strerror(err));
	return 0;
}

/* It is on disk and has room in the store: in force from here on. */
static int
enforce(struct state *state, const struct offer *offer,
    struct publisher **publisher_out, struct problem *problem)
{
	struct publisher *pub =
	    find_id(state, offer->catalogue->head.publisher);
	int err = 0;

	if (pub == NULL) {
		/* keys may be left from the time before a removal */
		pub = add(state, offer->catalogue->head.publisher);
		if (pub == NULL)
			return problem_set(problem, MUSTER_E_FULL, 409,
			    "publishers_full", "run a second host",
			    "no room for a further publisher");
		err = keyring_load(pub, problem);
		if (err != 0) {
			keyring_free(pub);
			state->n--;
			return err;
		}
	}
	take(state, pub, offer);
	if (catalogues_remember(state, pub) != 0)
		log_event(LOG_WARN, "catalogue",
		    LOG_FIELDS(LOG_TEXT(PUBLISHER, pub->hex)),
		    "%s/%s.serial cannot be written", state->folder, pub->hex);
	*publisher_out = pub;
	return 0;
}

/* What is left to judge of a trusted publisher's file.  is_same_out: it is the
 * one in force. */
static int
judge(struct state *state, struct store *store, const struct offer *offer,
    bool *is_same_out, struct problem *problem)
{
	int err = check_serial(state, offer, is_same_out, problem);

	if (err == 0 && !*is_same_out)
		err = check_products(state, offer->catalogue, problem);
	if (err == 0 && !*is_same_out)
		err = catalogues_reserve(offer->catalogue, store, problem);
	return err;
}

int
state_install_catalogue(struct state *state, struct store *store,
    const struct bytes *file, const uint8_t *trust,
    struct publisher **publisher_out, struct problem *problem)
{
	const struct cat_head *head;
	struct offer offer;
	bool is_same = false, is_new;
	int err = load(state, file->p, file->len, &offer);

	if (err != 0)
		return bad_bytes(err, problem);
	head = &offer.catalogue->head;
	err = check_trust(state, head, trust, problem);
	if (err == 0)
		err = judge(state, store, &offer, &is_same, problem);
	if (err == 0 && is_same) {
		*publisher_out = find_id(state, head->publisher);
		return 0;
	}
	is_new = trust != NULL && !is_trusted(state, head->publisher);
	if (err == 0)
		err = keep(state, head, file, is_new, problem);
	if (err == 0)
		err = enforce(state, &offer, publisher_out, problem);
	if (err == 0)
		state_refresh(state);
	return err;
}

void
catalogues_offer(struct state *state, struct store *store, const char *path,
    bool is_shipped)
{
	struct problem problem = {.message = ""};
	struct publisher *pub;
	struct offer offer;
	struct bytes file;
	bool is_same = false;
	int err = read_file(state, path, &offer, &file);

	if (err == MUSTER_E_NOENT)
		return; /* gone between listing and reading */
	if (err != 0) {
		pass_over(path, err);
		return;
	}
	if (!is_shipped)
		err =
		    check_trust(state, &offer.catalogue->head, NULL, &problem);
	if (err == 0)
		err = judge(state, store, &offer, &is_same, &problem);
	if (err == 0 && is_same)
		return;
	if (err == 0)
		err = enforce(state, &offer, &pub, &problem);
	if (err != 0) {
		log_event(err == MUSTER_E_SERIAL ? LOG_NOTE : LOG_ERROR,
		    "catalogue",
		    LOG_FIELDS(LOG_TEXT(FILE, path),
		        LOG_TEXT(CODE, problem.code)),
		    "%s is passed over: %s; %s", path, problem.message,
		    problem.next_step);
		return;
	}
	state_refresh(state);
	log_event(LOG_NOTE, "catalogue",
	    LOG_FIELDS(LOG_TEXT(PUBLISHER, pub->hex),
	        LOG_NUMBER(SERIAL, pub->catalogue->head.serial),
	        LOG_TEXT(FILE, path)),
	    "of %s in force: serial %u, from %s", pub->hex,
	    pub->catalogue->head.serial, path);
}
