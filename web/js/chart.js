// SPDX-License-Identifier: MIT
// Figures over time, drawn by uPlot.
import { clock, day, number } from "./words.js";

const HEIGHT = 160;
const DAY_S = 86400;
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

/**
 * chart(): into a box that is in the page.
 *
 * data: times, then figures for each of curves, { ink, is_filled }; lines:
 * { value, ink, dash }; read(i) is called with the point under the cursor, or
 * null.  Returns an object with free().
 */
export function chart(box, data, { curves, lines, read }) {
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
			setCursor: [(u) => read(u.cursor.idx)] },
	}, data, box);

	const fit = new ResizeObserver(() => {
		plot.setSize({ width: Math.max(box.clientWidth, 200), height: HEIGHT });
	});
	fit.observe(box);
	return {
		free() {
			fit.disconnect();
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
