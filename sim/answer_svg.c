/* SPDX-License-Identifier: MIT */
/*
 * answer_svg.c -- a panel for each count: days from left to right, the middle
 * seed as a line, nine of ten seeds as a band, thresholds dashed, holidays
 * grey, and days below the largest threshold red at the foot.
 */
#include "sim/answer.h"

#include <string.h>

#define LEFT 60
#define PLOT 840
#define RIGHT 130 /* names of thresholds */
#define WIDTH (LEFT + PLOT + RIGHT)
#define HEAD 46
#define FOOT 32
#define PANEL 190 /* the plot alone */
#define GAP 62    /* from one to the next */
#define SEEDS_MAX 1000

struct panel {
	const struct answer *a;
	FILE *out;
	uint32_t host, group;
	double top;                 /* of the plot */
	uint32_t max;               /* count at the top */
	uint32_t most;              /* largest threshold that is shown */
	bool is_red[SITE_DAYS_MAX]; /* one seed in twenty is below it */
	uint16_t lo[SITE_DAYS_MAX], mid[SITE_DAYS_MAX], hi[SITE_DAYS_MAX];
};

static double
x_of(const struct panel *p, double day)
{
	return LEFT + PLOT * day / p->a->site->days;
}

static double
y_of(const struct panel *p, double count)
{
	return p->top + PANEL - PANEL * count / p->max;
}

static bool
is_shown(const struct panel *p, uint32_t product)
{
	const struct site *site = p->a->site;

	return site->product[product].group == p->group &&
	    site_uses(site, product);
}

/* Quantiles of each day; a host that nobody asked counts nobody. */
static void
sum_up(struct panel *p)
{
	const struct answer *a = p->a;
	uint16_t x[SEEDS_MAX];

	p->most = 0;
	for (uint32_t i = 0; i < a->site->n_products; i++) {
		const struct site_product *product = &a->site->product[i];

		if (is_shown(p, i) && product->threshold > p->most)
			p->most = product->threshold;
	}
	p->max = p->most;
	for (uint32_t d = 0; d < a->site->days; d++) {
		uint32_t n_below = 0;

		for (uint32_t s = 0; s < a->n; s++) {
			uint16_t v = a->watch[s].day[d][p->host][p->group];

			x[s] = v == UINT16_MAX ? 0 : v;
			n_below += x[s] < p->most ? 1 : 0;
		}
		p->is_red[d] = n_below > 0 && 20 * n_below >= a->n;
		p->lo[d] = stats_quantile(x, a->n, 0.05);
		p->mid[d] = stats_quantile(x, a->n, 0.5);
		p->hi[d] = stats_quantile(x, a->n, 0.95);
		if (p->hi[d] > p->max)
			p->max = p->hi[d];
	}
	p->max += p->max / 8 + 1;
}

static void
draw_holidays(const struct panel *p)
{
	const struct site *site = p->a->site;

	for (uint32_t i = 0; i < site->n_holidays; i++) {
		const struct site_holiday *h = &site->holiday[i];
		double from = (double)h->from_day - site->start_day;
		double to = from + h->days;

		if (from < 0)
			from = 0;
		if (to > site->days)
			to = site->days;
		if (from < to)
			(void)fprintf(p->out,
			    "<rect class=\"off\" x=\"%.1f\" y=\"%.1f\" "
			    "width=\"%.1f\" height=\"%d\"/>\n",
			    x_of(p, from), p->top, x_of(p, to) - x_of(p, from),
			    PANEL);
	}
}

/* A line of numbers about every fifth of the height; months at the foot. */
static void
draw_axes(const struct panel *p)
{
	const struct site *site = p->a->site;
	uint32_t step = p->max > 400 ? 100
	    : p->max > 80            ? 20
	    : p->max > 20            ? 10
	                             : 2;
	uint32_t every = site->days > 1500 ? 12 : site->days > 400 ? 3 : 1;
	char date[11];

	for (uint32_t v = 0; v <= p->max; v += step)
		(void)fprintf(p->out,
		    "<path class=\"grid\" d=\"M%d %.1fh%d\"/>"
		    "<text class=\"r\" x=\"%d\" y=\"%.1f\">%u</text>\n",
		    LEFT, y_of(p, v), PLOT, LEFT - 6, y_of(p, v) + 4, v);
	for (uint32_t d = 0; d < site->days; d++) {
		uint32_t month;

		site_date_text(site->start_day + d, date);
		month =
		    (uint32_t)(date[5] - '0') * 10 + (uint32_t)(date[6] - '0');
		if (strcmp(date + 8, "01") != 0 || (month - 1) % every != 0)
			continue;
		(void)fprintf(p->out,
		    "<path class=\"grid\" d=\"M%.1f %.1fv%d\"/>"
		    "<text class=\"m\" x=\"%.1f\" y=\"%.1f\">%.7s</text>\n",
		    x_of(p, d), p->top, PANEL + 4, x_of(p, d),
		    p->top + PANEL + 17, date);
	}
}

static void
draw_counts(const struct panel *p)
{
	uint32_t days = p->a->site->days;

	(void)fputs("<path class=\"band\" d=\"M", p->out);
	for (uint32_t d = 0; d < days; d++)
		(void)fprintf(p->out, "%.1f %.1f ", x_of(p, d + 0.5),
		    y_of(p, p->hi[d]));
	for (uint32_t d = days; d-- > 0;)
		(void)fprintf(p->out, "%.1f %.1f ", x_of(p, d + 0.5),
		    y_of(p, p->lo[d]));
	(void)fputs("Z\"/>\n<path class=\"line\" d=\"M", p->out);
	for (uint32_t d = 0; d < days; d++)
		(void)fprintf(p->out, "%.1f %.1f ", x_of(p, d + 0.5),
		    y_of(p, p->mid[d]));
	(void)fputs("\"/>\n", p->out);
}

/* Each threshold, and the days on which one seed in twenty or more is below
 * the largest. */
static void
draw_thresholds(const struct panel *p)
{
	const struct site *site = p->a->site;

	for (uint32_t i = 0; i < site->n_products; i++) {
		const struct site_product *product = &site->product[i];

		if (!is_shown(p, i))
			continue;
		(void)fprintf(p->out,
		    "<path class=\"need\" d=\"M%d %.1fh%d\"/>"
		    "<text x=\"%d\" y=\"%.1f\">%s, %u</text>\n",
		    LEFT, y_of(p, product->threshold), PLOT, LEFT + PLOT + 6,
		    y_of(p, product->threshold) + 4, product->name,
		    product->threshold);
	}
	for (uint32_t d = 0, n; d<site->days; d += n> 0 ? n : 1) {
		for (n = 0; d + n < site->days && p->is_red[d + n];)
			n++;
		if (n > 0)
			(void)fprintf(p->out,
			    "<rect class=\"below\" x=\"%.1f\" y=\"%.1f\" "
			    "width=\"%.1f\" height=\"5\"/>\n",
			    x_of(p, d), p->top + PANEL - 5,
			    (double)PLOT * n / site->days);
	}
}

static void
draw(struct panel *p)
{
	const struct site *site = p->a->site;

	sum_up(p);
	(void)fprintf(p->out, "<text class=\"t\" x=\"%d\" y=\"%.1f\">", LEFT,
	    p->top - 8);
	(void)fputs(site->is_shared ? "one count of all hosts"
	                            : site->host[p->host].name,
	    p->out);
	for (uint32_t i = 0; i < site->n_products; i++) {
		if (is_shown(p, i))
			(void)fprintf(p->out, ", %s", site->product[i].name);
	}
	(void)fputs("</text>\n", p->out);
	draw_holidays(p);
	draw_axes(p);
	draw_counts(p);
	draw_thresholds(p);
}

static uint32_t
groups(const struct site *site)
{
	uint32_t n = 0;

	for (uint32_t i = 0; i < site->n_products; i++)
		n = site->product[i].group >= n ? site->product[i].group + 1
		                                : n;
	return n;
}

void
answer_svg(const struct answer *a, FILE *out)
{
	static struct panel p; /* 22 KB; a program draws one picture */
	uint32_t n = 0;

	p.a = a;
	p.out = out;
	for (uint32_t h = 0; h < a->site->n_hosts; h++)
		n += answer_counts_apart(a, h) ? groups(a->site) : 0;
	(void)fprintf(out,
	    "<svg xmlns=\"http://www.w3.org/2000/svg\" width=\"%d\" "
	    "height=\"%u\" viewBox=\"0 0 %d %u\">\n"
	    "<style>text{font:12px sans-serif;fill:#333}.t{font-weight:bold}"
	    ".h{font:bold 16px sans-serif}.r{text-anchor:end}"
	    ".m{text-anchor:middle}.grid{stroke:#ddd;fill:none}"
	    ".need{stroke:#b35900;stroke-dasharray:6 4;fill:none}"
	    ".band{fill:#9ecae1;opacity:.7}"
	    ".line{stroke:#08519c;stroke-width:1.5;fill:none}"
	    ".off{fill:#eee}.below{fill:#c00}</style>\n"
	    "<rect width=\"100%%\" height=\"100%%\" fill=\"#fff\"/>\n"
	    "<text class=\"h\" x=\"%d\" y=\"22\">%s: the least count of each "
	    "day, %u seeds</text>\n",
	    WIDTH, HEAD + FOOT + n * (PANEL + GAP), WIDTH,
	    HEAD + FOOT + n * (PANEL + GAP), LEFT, a->site->name, a->n);
	p.top = HEAD + 10;
	for (p.host = 0; p.host < a->site->n_hosts; p.host++) {
		if (!answer_counts_apart(a, p.host))
			continue;
		for (p.group = 0; p.group < groups(a->site); p.group++) {
			draw(&p);
			p.top += PANEL + GAP;
		}
	}
	(void)fprintf(out,
	    "<text x=\"%d\" y=\"%.1f\">line: the middle seed; band: nine of "
	    "ten; grey: holidays; red: days on which one seed in twenty is "
	    "below the largest threshold</text>\n"
	    "<text x=\"%d\" y=\"%.1f\">a host counts no more machines than "
	    "twice the largest threshold</text>\n</svg>\n",
	    LEFT, p.top - 18, LEFT, p.top);
}
