// SPDX-License-Identifier: MIT
// Figures over time, drawn by uPlot.
import { say } from "./dom.js";
import { clock, day, number } from "./words.js";

const HEIGHT = 160;
const DAY_S = 86400;
const PAGES = 24; /* of a page key, from one end to the other: an hour of a day */
/* Between two marks of the axis: never below what its labels can tell. */
const STEPS_S = [60, 300, 900, 1800, 3600, 7200, 14400, 28800, DAY_S,
	2 * DAY_S, 7 * DAY_S, 14 * DAY_S];

function colour(name) {
	return getComputedStyle(document.documentElement)
		.getPropertyValue(name).trim();
}

function axis(more) {
	return { stroke: colour("--muted"), font: "12px system-ui, sans-serif",
		grid: { stroke: colour("--grid"), width: 1 },
		ticks: { show: false }, ...more };
}

/* From nothing, so that a fall looks as large as it is. */
function range(top) {
	return (_, __, most) =>
		[0, Math.max(1, Math.ceil(Math.max(most ?? 0, top) * 1.08))];
}

function times(_, at) {
	const is_long = at.length > 1 && at[at.length - 1] - at[0] >= 2 * DAY_S;

	return at.map((t) => (is_long ? day(t).slice(5) : clock(t).slice(0, 5)));
}

/* What does not change is drawn as a straight line. */
function levels(u, lines) {
	const { ctx } = u;

	for (const { value, ink, dash } of lines) {
		const y = Math.round(u.valToPos(value, "y", true)) + .5;

		ctx.save();
		ctx.beginPath();
		ctx.strokeStyle = colour(ink);
		ctx.lineWidth = 1.5 * devicePixelRatio;
		ctx.setLineDash(dash.map((d) => d * devicePixelRatio));
		ctx.moveTo(u.bbox.left, y);
		ctx.lineTo(u.bbox.left + u.bbox.width, y);
		ctx.stroke();
		ctx.restore();
	}
}

function series({ ink, is_filled }) {
	return { stroke: colour(ink), width: 2, points: { show: false },
		fill: is_filled ? `${colour(ink)}1f` : undefined, spanGaps: false };
}

/* Where a key leads to from point i of n; null: it is none of a chart's. */
function led(key, i, n) {
	const page = Math.ceil(n / PAGES);
	const to = { ArrowLeft: i - 1, ArrowRight: i + 1, PageDown: i - page,
		PageUp: i + page, Home: 0, End: n - 1 }[key];

	return to === undefined ? null : Math.min(Math.max(to, 0), n - 1);
}

/* box: the time of the point that its keys have led to.  A chart is drawn anew
 * with each answer, and whoever reads it stays where they are. */
const pointed = new WeakMap();

function point_at(u, i) {
	u.setCursor({ left: Math.max(u.valToPos(u.data[0][i], "x"), 0), top: 0 });
}

function point_again(u, box) {
	const at = pointed.get(box);

	if (at !== undefined)
		point_at(u, u.valToIdx(at));
}

/* A slider is what screen readers leave the arrows to; they read its text out
 * when that changes, and nothing when the page asks the host again. */
function listen(u, box, { signal }) {
	const n = u.data[0].length;
	const go = (i) => {
		pointed.set(box, u.data[0][i]);
		point_at(u, i);
	};

	box.addEventListener("keydown", (event) => {
		const i = event.ctrlKey || event.altKey || event.metaKey ? null :
			led(event.key, u.cursor.idx ?? n - 1, n);

		if (i === null)
			return;
		event.preventDefault();
		go(i);
	}, { signal });
	box.addEventListener("focus", () => {
		if (box.matches(":focus-visible"))
			go(n - 1);
	}, { signal });
	box.addEventListener("blur", () => {
		pointed.delete(box);
		u.setCursor({ left: -10, top: -10 });
	}, { signal });
}

function describe(box, label, n) {
	for (const [name, value] of Object.entries({ role: "slider", tabindex: 0,
		"aria-label": label, "aria-orientation": "horizontal",
		"aria-valuemin": 0, "aria-valuemax": n - 1 }))
		box.setAttribute(name, value);
}

/** no_chart(): a box that has none is no slider. */
export function no_chart(box) {
	pointed.delete(box);
	for (const name of ["role", "tabindex", "aria-label", "aria-orientation",
		"aria-valuemin", "aria-valuemax", "aria-valuenow", "aria-valuetext"])
		box.removeAttribute(name);
}

/* The point under the cursor, in the line below the chart and by its text. */
function tell(box, reading, i, n, text) {
	say(reading, text);
	box.setAttribute("aria-valuenow", i ?? n - 1);
	box.setAttribute("aria-valuetext", text);
}

/**
 * chart(): into a box that is in the page, by pointer and by keyboard.
 *
 * data: times, then figures for each of curves, { ink, is_filled }; lines:
 * { value, ink, dash }; label: what the box is; read(i) is the text of the
 * point under the cursor, or of all for null, which the node `reading` gets.
 * Returns an object with free().
 */
export function chart(box, data, { curves, lines, label, reading, read }) {
	const n = data[0].length;
	const listening = new AbortController();

	describe(box, label, n);
	const plot = new window.uPlot({
		width: Math.max(box.clientWidth, 200),
		height: HEIGHT,
		padding: [10, 22, 0, 0],
		legend: { show: false },
		cursor: { y: false, drag: { x: false, y: false },
			points: { size: 7 } },
		scales: { x: { time: true },
			y: { range: range(Math.max(0, ...lines.map((l) => l.value))) } },
		axes: [axis({ values: times, space: 64, size: 30, incrs: STEPS_S }),
			axis({ size: 46, space: 36, values: (_, v) => v.map((n) =>
				(Number.isInteger(n) ? number(n) : "")) })],
		series: [{}, ...curves.map(series)],
		hooks: { draw: [(u) => levels(u, lines)],
			ready: [(u) => point_again(u, box)],
			setCursor: [({ cursor: { idx } }) =>
				tell(box, reading, idx, n, read(idx ?? null))] },
	}, data, box);

	listen(plot, box, listening);
	const fit = new ResizeObserver(() => {
		plot.setSize({ width: Math.max(box.clientWidth, 200), height: HEIGHT });
	});
	fit.observe(box);
	return {
		free() {
			fit.disconnect();
			listening.abort();
			plot.destroy();
		},
	};
}

/** can_draw(): false where the page was built without uPlot. */
export function can_draw() {
	return typeof window.uPlot === "function";
}

/** times_of(): of each point of a history. */
export function times_of(history, points) {
	return points.map((_, i) => history.first_unix_s + i * history.step_s);
}
