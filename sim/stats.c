/* SPDX-License-Identifier: MIT */
#include "sim/stats.h"

#include <math.h>
#include <stdlib.h>

#define Z 1.959964 /* the normal distribution's 97.5 % */

/* Student's t of 97.5 %; the series is right to 0.1 % from 5 degrees on. */
static double
t_of(uint32_t degrees)
{
	static const double few[] = {12.706, 4.303, 3.182, 2.776};
	double d = degrees;

	if (degrees <= sizeof(few) / sizeof(few[0]))
		return few[degrees - 1];
	return Z + 2.3723 / d + 2.8225 / (d * d) + 2.556 / (d * d * d);
}

struct stats
stats_mean(const double *x, uint32_t n, double floor, double ceiling)
{
	struct stats s = {.n = n};
	double sum = 0, squares = 0, half = 0;

	if (n == 0)
		return s;
	s.least = s.most = x[0];
	for (uint32_t i = 0; i < n; i++) {
		sum += x[i];
		s.least = x[i] < s.least ? x[i] : s.least;
		s.most = x[i] > s.most ? x[i] : s.most;
	}
	s.mean = sum / n;
	for (uint32_t i = 0; i < n; i++)
		squares += (x[i] - s.mean) * (x[i] - s.mean);
	if (n > 1)
		half = t_of(n - 1) * sqrt(squares / (n - 1) / n);
	s.has_interval = s.least < s.most;
	s.lo = fmax(s.mean - half, floor);
	s.hi = fmin(s.mean + half, ceiling);
	return s;
}

double
stats_unseen(uint32_t n)
{
	return n == 0 ? 1 : 1 - pow(0.05, 1.0 / n);
}

struct stats_share
stats_share(uint32_t k, uint32_t n)
{
	struct stats_share s = {.k = k, .n = n};
	double p, middle, half, nn = n;

	if (n == 0)
		return s;
	p = k / nn;
	middle = (p + Z * Z / (2 * nn)) / (1 + Z * Z / nn);
	half = Z / (1 + Z * Z / nn) *
	    sqrt(p * (1 - p) / nn + Z * Z / (4 * nn * nn));
	s.share = p;
	s.lo = k == 0 ? 0 : middle - half;
	s.hi = k == n ? 1 : middle + half;
	return s;
}

static int
compare(const void *a, const void *b)
{
	uint16_t x = *(const uint16_t *)a, y = *(const uint16_t *)b;

	return x < y ? -1 : x > y;
}

uint16_t
stats_quantile(uint16_t *x, uint32_t n, double q)
{
	if (n == 0)
		return 0;
	qsort(x, n, sizeof(*x), compare);
	return x[(uint32_t)(q * (n - 1) + 0.5)];
}
