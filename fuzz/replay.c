/* SPDX-License-Identifier: MIT */
/*
 * replay.c -- runs a target over a corpus, without a fuzzer.
 *
 * usage: NAME_replay CORPUS: a line a seed, in hex.  Each seed, each
 * truncation of it, each extension by one byte and each of its one-byte
 * mutants is an input, in memory of exactly its length.  MUTANTS bounds how
 * many bytes of a seed are mutated: those of long seeds that come first.
 */
#include "target.h"

#include "base/hex.h"

#define LINE_MAX_LEN (512 * 1024) /* a seed of 256 KiB in hex */
#define MUTATED_BYTES 512         /* of a seed: covers every fixed message */

static unsigned long n_inputs;

static void
run(const uint8_t *p, size_t len)
{
	uint8_t *exact = malloc(len == 0 ? 1 : len);

	HOLDS(exact != NULL);
	if (len > 0)
		memcpy(exact, p, len);
	(void)LLVMFuzzerTestOneInput(exact, len);
	free(exact);
	n_inputs++;
}

/* seed has one byte to spare */
static void
run_around(uint8_t *seed, size_t len, size_t n_mutated)
{
	run(seed, len);
	for (size_t n = 0; n < len && n < n_mutated; n++)
		run(seed, n);
	for (unsigned v = 0; v < 256; v += 255) {
		seed[len] = (uint8_t)v;
		run(seed, len + 1);
	}
	for (size_t i = 0; i < len && i < n_mutated; i++) {
		uint8_t was = seed[i];

		for (unsigned x = 1; x < 256; x++) {
			seed[i] = (uint8_t)(was ^ x);
			run(seed, len);
		}
		seed[i] = was;
	}
}

int
main(int argc, char **argv)
{
	char *line = malloc(LINE_MAX_LEN);
	uint8_t *seed = malloc(LINE_MAX_LEN / 2 + 1);
	size_t n_mutated = MUTATED_BYTES;
	FILE *f = argc < 2 ? NULL : fopen(argv[1], "r");
	unsigned n_seeds = 0;

	if (f == NULL || line == NULL || seed == NULL) {
		(void)fprintf(stderr, "usage: %s CORPUS [MUTATED-BYTES]\n",
		    argc < 1 ? "replay" : argv[0]);
		return 2;
	}
	if (argc > 2)
		n_mutated = (size_t)strtoul(argv[2], NULL, 10);
	run((const uint8_t *)"", 0);
	while (fgets(line, LINE_MAX_LEN, f) != NULL) {
		size_t len = strcspn(line, "\n");

		HOLDS(line[len] == '\n' && len % 2 == 0);
		HOLDS(hex_decode(line, len, seed, len / 2) == 0);
		run_around(seed, len / 2, n_mutated);
		n_seeds++;
	}
	(void)fclose(f);
	free(line);
	free(seed);
	printf("%sok 1 - %lu inputs around %u seeds\n1..1\n",
	    n_seeds == 0 ? "not " : "", n_inputs, n_seeds);
	return n_seeds == 0;
}
