/* SPDX-License-Identifier: MIT */
#include "host/catalogues.h"

#include <dirent.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/hex.h"
#include "base/log.h"

#define SUFFIX ".muster"
#define SUFFIX_LEN 7
#define SERIAL_TEXT_MAX 96
#define NEXT_DISK "see to the space and the rights of the state folder"

/* A catalogue that was read and verified, and not yet judged. */
struct offer {
	struct catalogue *catalogue; /* state->spare */
	uint8_t hash[HASH_LEN];
	char path[FILE_PATH_MAX];
};

/* The newest that ever was in force. */
struct newest {
	uint32_t serial;
	uint8_t hash[HASH_LEN];
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

static int
folder_of(const struct state *state, const uint8_t *id, const char *name,
    char *out, size_t cap)
{
	char hex[STATE_HEX_LEN + 1];
	int n;

	hex_encode(id, PUBLISHER_LEN, hex);
	n = snprintf(out, cap, "%s/%s%s", state->folder, hex, name);
	return n < 0 || (size_t)n >= cap ? MUSTER_E_TOOBIG : 0;
}

static void
read_newest(const struct state *state, const uint8_t *id, struct newest *out)
{
	char path[FILE_PATH_MAX], hex[2 * HASH_LEN + 1] = "";
	uint8_t text[SERIAL_TEXT_MAX + 1] = {0};
	unsigned serial = 0;
	size_t len;

	memset(out, 0, sizeof(*out));
	if (folder_of(state, id, "/serial", path, sizeof(path)) != 0 ||
	    file_read(path, text, SERIAL_TEXT_MAX, &len) != 0)
		return;
	if (sscanf((char *)text, "%u %64s", &serial, hex) != 2 ||
	    hex_decode(hex, strlen(hex), out->hash, HASH_LEN) != 0) {
		log_line(LOG_WARN, "catalogue",
		    "%s is damaged: an older catalogue may come into force",
		    path);
		return;
	}
	out->serial = serial;
}

int
catalogues_remember(const struct publisher *pub)
{
	char path[FILE_PATH_MAX], hex[2 * HASH_LEN + 1];
	char text[SERIAL_TEXT_MAX];
	int n = snprintf(path, sizeof(path), "%s/serial", pub->folder);
	int err;

	if (n < 0 || (size_t)n >= sizeof(path))
		return MUSTER_E_TOOBIG;
	hex_encode(pub->catalogue_hash, HASH_LEN, hex);
	n = snprintf(text, sizeof(text), "%u %s\n",
	    (unsigned)pub->catalogue->head.serial, hex);
	err = file_mkdirs(pub->folder, 0700);
	if (err == 0)
		err = file_replace(path, text, (size_t)n, 0600);
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
	char folder[FILE_PATH_MAX];
	struct publisher *pub;

	if (state->n == TURN_PUBLISHERS_MAX ||
	    folder_of(state, id, "", folder, sizeof(folder)) != 0)
		return NULL;
	pub = &state->publishers[state->n++];
	memset(pub, 0, sizeof(*pub));
	memcpy(pub->id, id, PUBLISHER_LEN);
	hex_encode(id, PUBLISHER_LEN, pub->hex);
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
is_trusted(struct state *state, const uint8_t *id)
{
	char path[FILE_PATH_MAX];

	if (find_id(state, id) != NULL)
		return true;
	return folder_of(state, id, "/trusted", path, sizeof(path)) == 0 &&
	    access(path, F_OK) == 0;
}

/* At the start: the highest serial wins; two of one serial are an error. */
static void
weigh(struct state *state, const struct offer *offer, bool is_shipped)
{
	const struct cat_head *head = &offer->catalogue->head;
	struct publisher *pub = find_id(state, head->publisher);
	struct newest newest;

	if (!is_shipped && !is_trusted(state, head->publisher)) {
		log_line(LOG_WARN, "catalogue",
		    "%s is passed over: its publisher is not trusted here; "
		    "install it with --trust",
		    offer->path);
		return;
	}
	/* a shipped file is trust in its publisher, however old it is */
	if (pub == NULL)
		pub = add(state, head->publisher);
	if (pub == NULL) {
		log_line(LOG_ERROR, "catalogue",
		    "%s is passed over: more than %d publishers", offer->path,
		    TURN_PUBLISHERS_MAX);
		return;
	}
	read_newest(state, head->publisher, &newest);
	if (head->serial < newest.serial) {
		log_line(LOG_NOTE, "catalogue",
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
		log_line(LOG_ERROR, "catalogue",
		    "%s differs from another file of serial %u; ask the "
		    "publisher which is right",
		    offer->path, head->serial);
		if (newest.serial == head->serial &&
		    memcmp(newest.hash, offer->hash, HASH_LEN) == 0)
			take(state, pub, offer);
	}
}

static int
is_catalogue(const struct dirent *entry)
{
	size_t len = strlen(entry->d_name);

	return len > SUFFIX_LEN && entry->d_name[0] != '.' &&
	    strcmp(entry->d_name + len - SUFFIX_LEN, SUFFIX) == 0;
}

int
catalogues_scan(struct state *state, const char *folder, bool is_shipped)
{
	struct dirent **names = NULL;
	int n = scandir(folder, &names, is_catalogue, alphasort);
	int err = 0;

	if (n < 0)
		return errno == ENOENT ? 0 : MUSTER_E_IO;
	for (int i = 0; i < n; i++) {
		struct offer offer;
		size_t len = 0;
		int wrong;

		if (snprintf(offer.path, sizeof(offer.path), "%s/%s", folder,
		        names[i]->d_name) >= (int)sizeof(offer.path))
			wrong = MUSTER_E_TOOBIG;
		else
			wrong = file_read(offer.path, state->scratch,
			    CAT_FILE_MAX, &len);
		if (wrong == 0)
			wrong = load(state, state->scratch, len, &offer);
		if (wrong == 0)
			weigh(state, &offer, is_shipped);
		else
			log_line(LOG_ERROR, "catalogue",
			    "%s is passed over: %s", offer.path,
			    muster_strerror(wrong));
		if (wrong == MUSTER_E_NOMEM)
			err = wrong;
		free(names[i]);
	}
	free(names);
	return err;
}

/* A product id or setup key that two catalogues name, or NULL. */
static const struct cat_product *
clash(const struct catalogue *a, const struct catalogue *b)
{
	for (uint32_t i = 0; i < a->n_products; i++) {
		for (uint32_t k = 0; k < b->n_products; k++) {
			const struct cat_product *p = &a->products[i];
			const struct cat_product *q = &b->products[k];

			if (memcmp(p->id, q->id, PRODUCT_LEN) == 0 ||
			    memcmp(p->setup_key, q->setup_key, CAT_KEY_LEN) ==
			        0)
				return p;
		}
	}
	return NULL;
}

static const struct publisher *
find_clash(const struct state *state, const struct catalogue *cat,
    uint32_t n_before, const struct cat_product **product_out)
{
	for (uint32_t i = 0; i < n_before; i++) {
		const struct publisher *pub = &state->publishers[i];

		if (memcmp(pub->id, cat->head.publisher, PUBLISHER_LEN) == 0)
			continue;
		*product_out = clash(cat, pub->catalogue);
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
			log_line(LOG_ERROR, "catalogue",
			    "none of publisher %s is as new as the newest that "
			    "was in force here; install it again (muster "
			    "catalogue install)",
			    pub->hex);
			continue;
		}
		other = find_clash(state, pub->catalogue, n, &product);
		if (other != NULL) {
			log_line(LOG_ERROR, "catalogue",
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
	struct newest newest;

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
	*is_same_out = pub != NULL;
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

/* The file, and the trust where it is new. */
static int
keep(const struct state *state, const struct cat_head *head,
    const uint8_t *bytes, size_t len, bool is_new, struct problem *problem)
{
	char folder[FILE_PATH_MAX], trusted[FILE_PATH_MAX];
	char hex[STATE_HEX_LEN + 1], path[FILE_PATH_MAX];
	int err, n;

	hex_encode(head->publisher, PUBLISHER_LEN, hex);
	n = snprintf(path, sizeof(path), "%s/%s" SUFFIX, state->updated, hex);
	err = n < 0 || (size_t)n >= sizeof(path) ? MUSTER_E_TOOBIG : 0;
	if (err == 0)
		err = folder_of(state, head->publisher, "", folder,
		    sizeof(folder));
	if (err == 0)
		err = folder_of(state, head->publisher, "/trusted", trusted,
		    sizeof(trusted));
	if (err == 0 && is_new) {
		err = file_mkdirs(folder, 0700);
		if (err == 0)
			err = file_replace(trusted, "yes\n", 4, 0600);
	}
	if (err == 0)
		err = file_replace(path, bytes, len, 0644);
	if (err != 0)
		return problem_set(problem, err, 500, "not_stored", NEXT_DISK,
		    "%s cannot be written: %s", path, muster_strerror(err));
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
	if (catalogues_remember(pub) != 0)
		log_line(LOG_WARN, "catalogue", "%s/serial cannot be written",
		    pub->folder);
	*publisher_out = pub;
	return 0;
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
		err = check_serial(state, &offer, &is_same, problem);
	if (err == 0 && is_same) {
		*publisher_out = find_id(state, head->publisher);
		return 0;
	}
	if (err == 0)
		err = check_products(state, offer.catalogue, problem);
	if (err == 0)
		err = catalogues_reserve(offer.catalogue, store, problem);
	is_new = trust != NULL && !is_trusted(state, head->publisher);
	if (err == 0)
		err = keep(state, head, file->p, file->len, is_new, problem);
	if (err == 0)
		err = enforce(state, &offer, publisher_out, problem);
	if (err == 0)
		state_refresh(state);
	return err;
}
