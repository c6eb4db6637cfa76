/* SPDX-License-Identifier: MIT */
#include "host/state.h"

#include <dirent.h>
#include <errno.h>
#include <sodium.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/hex.h"
#include "base/log.h"
#include "base/paths.h"

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

static int
write_newest(const struct publisher *pub)
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
	struct publisher *pub = &state->publishers[state->n];

	if (state->n == TURN_PUBLISHERS_MAX)
		return NULL;
	memset(pub, 0, sizeof(*pub));
	memcpy(pub->id, id, PUBLISHER_LEN);
	hex_encode(id, PUBLISHER_LEN, pub->hex);
	if (folder_of(state, id, "", pub->folder, sizeof(pub->folder)) != 0)
		return NULL;
	state->n++;
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
	read_newest(state, head->publisher, &newest);
	if (head->serial < newest.serial) {
		log_line(LOG_NOTE, "catalogue",
		    "%s is passed over: serial %u is older than %u",
		    offer->path, head->serial, newest.serial);
		return;
	}
	if (pub == NULL)
		pub = add(state, head->publisher);
	if (pub == NULL) {
		log_line(LOG_ERROR, "catalogue",
		    "%s is passed over: more than %d publishers", offer->path,
		    TURN_PUBLISHERS_MAX);
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

static int
scan(struct state *state, const char *folder, bool is_shipped)
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
static void
drop_clashing(struct state *state)
{
	uint32_t n = 0;

	for (uint32_t i = 0; i < state->n; i++) {
		struct publisher *pub = &state->publishers[i];
		const struct cat_product *product;
		const struct publisher *other =
		    find_clash(state, pub->catalogue, n, &product);

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

void
state_refresh(struct state *state)
{
	struct turn_host *host = &state->turn_host;

	host->n_publishers = state->n;
	for (uint32_t i = 0; i < state->n; i++) {
		struct publisher *pub = &state->publishers[i];
		struct turn_publisher *out = &host->publishers[i];

		keyring_judge(pub, clock_unix_s());
		memset(out, 0, sizeof(*out));
		memcpy(out->id, pub->id, PUBLISHER_LEN);
		out->catalogue = pub->catalogue;
		out->host_sk = pub->host_sk;
		out->has_cert = pub->is_cert_good;
		if (!out->has_cert)
			continue;
		out->cert = pub->cert;
		memcpy(out->cert_bytes, pub->cert_bytes, CERT_LEN);
		cert_hash(pub->cert_bytes, out->cert_hash);
	}
}

static int
make_folder(const char *root, const char *path, mode_t mode, char *out,
    struct problem *problem)
{
	int err = file_join(root, path, out, FILE_PATH_MAX);

	if (err == 0)
		err = file_mkdirs(out, mode);
	if (err == 0 && access(out, W_OK | X_OK) != 0)
		err = errno == EROFS || errno == EACCES ? MUSTER_E_DENIED
		                                        : MUSTER_E_IO;
	if (err != 0)
		return problem_set(problem, err, 500, "folder",
		    "make it, writable by the user that runs musterd",
		    "folder %s%s cannot be used: %s", root == NULL ? "" : root,
		    path, muster_strerror(err));
	return 0;
}

static int
open_all(struct state *state, const char *root, struct problem *problem)
{
	int err =
	    make_folder(root, PATH_HOST_STATE, 0755, state->folder, problem);

	if (err == 0 && chmod(state->folder, 0700) != 0)
		log_line(LOG_WARN, "state", "%s cannot be made 0700",
		    state->folder);
	if (err == 0)
		err = make_folder(root, PATH_CATALOGUES, 0755, state->updated,
		    problem);
	if (err != 0)
		return err;
	err = file_join(root, PATH_CATALOGUES_SHIPPED, state->shipped,
	    sizeof(state->shipped));
	if (err == 0)
		err = scan(state, state->shipped, true);
	if (err == 0)
		err = scan(state, state->updated, false);
	if (err != 0)
		return problem_set(problem, err, 500, "catalogues",
		    "see to the rights of the catalogue folders",
		    "the catalogues cannot be read: %s", muster_strerror(err));
	drop_clashing(state);
	for (uint32_t i = 0; i < state->n && err == 0; i++) {
		struct publisher *pub = &state->publishers[i];

		if (write_newest(pub) != 0)
			return problem_set(problem, MUSTER_E_IO, 500,
			    "not_stored", NEXT_DISK,
			    "%s/serial cannot be written", pub->folder);
		err = keyring_load(pub, problem);
	}
	return err;
}

int
state_open(const char *root, uint32_t renewal_min, uint32_t retry_min,
    struct state **state_out, struct problem *problem)
{
	struct state *state = calloc(1, sizeof(*state));
	int err = MUSTER_E_NOMEM;

	if (state != NULL)
		state->scratch = malloc(CAT_FILE_MAX);
	if (state == NULL || state->scratch == NULL) {
		(void)problem_set(problem, err, 500, "no_memory",
		    "free memory on this machine", "out of memory");
		goto out;
	}
	state->turn_host.renewal_min = renewal_min;
	state->turn_host.retry_min = retry_min;
	err = open_all(state, root, problem);
	if (err != 0)
		goto out;
	state_refresh(state);
	*state_out = state;
	state = NULL;
out:
	state_close(state);
	return err;
}

void
state_close(struct state *state)
{
	if (state == NULL)
		return;
	for (uint32_t i = 0; i < state->n; i++) {
		keyring_free(&state->publishers[i]);
		free(state->publishers[i].catalogue);
	}
	free(state->spare);
	free(state->scratch);
	free(state);
}

static int
reserve(const struct catalogue *cat, struct store *store,
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

int
state_reserve(const struct state *state, struct store *store,
    struct problem *problem)
{
	int err = 0;

	for (uint32_t i = 0; i < state->n && err == 0; i++)
		err = reserve(state->publishers[i].catalogue, store, problem);
	return err;
}

int
state_find(struct state *state, const char *text,
    struct publisher **publisher_out, struct problem *problem)
{
	if (state->n == 0)
		return problem_set(problem, MUSTER_E_NOENT, 409, "no_publisher",
		    "install a catalogue (muster catalogue install --trust "
		    "ID), or the package of a product, and restart",
		    "this host has no catalogue");
	if (text == NULL && state->n > 1)
		return problem_set(problem, MUSTER_E_INVAL, 409,
		    "several_publishers",
		    "name one by --publisher (muster host status lists them)",
		    "this host serves %u publishers", state->n);
	for (uint32_t i = 0; i < state->n; i++) {
		struct publisher *pub = &state->publishers[i];

		if (text == NULL || strcasecmp(text, pub->hex) == 0 ||
		    strcmp(text, pub->catalogue->head.name) == 0) {
			*publisher_out = pub;
			return 0;
		}
	}
	return problem_set(problem, MUSTER_E_NOENT, 404, "publisher_unknown",
	    "see muster host status for the publishers of this host",
	    "no publisher of this host has that name or id");
}
