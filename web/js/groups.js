// SPDX-License-Identifier: MIT
// Each counting group: its count against thresholds and capacity, over time.
import { can_draw, chart, no_chart, times_of } from "./chart.js";
import { by_id, el, fill, say, width } from "./dom.js";
import { many, number, when } from "./words.js";

const cards = new Map(); /* "publisher/group": what is kept of a card */

/* By the host; else as its products have it. */
function thresholds(pub, group) {
	return group.thresholds ?? pub.products
		.filter((p) => p.group === group.group)
		.map((p) => ({ product: p.name, threshold: p.threshold,
			reached: group.count >= p.threshold }));
}

function numbers(group) {
	return [...new Set(group.thresholds.map((t) => t.threshold))]
		.sort((a, b) => a - b);
}

function chip(group, t, product) {
	if (product && !product.covered)
		return el("span", { class: "chip" }, "not covered by the host key");
	if (t.reached)
		return el("span", { class: "chip ok" }, "activates");
	/* the inventory may be older than the count */
	if (t.clients === 0 && (group.count === 0 ||
		group.thresholds.some((other) => other.clients > 0)))
		return el("span", { class: "chip" }, "nobody asks for it");
	return el("span", { class: "chip warn" },
		`${many(t.threshold - group.count, "machine")} short`);
}

function product_line(pub, group, t) {
	const product = pub.products.find((p) =>
		p.group === group.group && p.name === t.product);

	return el("li", {},
		el("span", { class: "what" }, t.product, " ",
			el("span", { class: "muted small" },
				`from ${many(t.threshold, "machine")}`)),
		chip(group, t, product));
}

function meter(group) {
	const most = Math.max(group.capacity, group.largest_threshold,
		group.count, 1);
	const room = group.capacity > 0
		? `capacity ${number(group.capacity)}, ` : "";
	const said = `${number(group.count)} counted, ${room}thresholds ` +
		numbers(group).map(number).join(" and ");
	const filled = el("span", {
		class: group.count === 0 ? "fill is-zero" : "fill" });
	const box = el("div", { class: "meter", role: "img", "aria-label": said },
		width(filled, group.count / most));

	for (const t of numbers(group)) {
		const mark = el("span", { class: "mark" });

		mark.style.left = `${(100 * Math.min(t / most, .995)).toFixed(2)}%`;
		box.append(mark);
	}
	return box;
}

function new_card(key) {
	const card = { id: `group-${cards.size}`, head: el("div"),
		box: el("div", { class: "chart" }),
		reading: el("p", { class: "reading" }), plot: null };

	card.node = el("article", { class: "card", "data-group": key,
		"aria-labelledby": card.id }, card.head, card.box, card.reading);
	return card;
}

/* Clients bring it with them: a group that none has asked for has none yet. */
function capacity_of(group) {
	return group.capacity === 0 ? null : [", of a capacity of ",
		el("span", { "data-is": "capacity" }, number(group.capacity))];
}

function draw_head(card, pub, group) {
	fill(card.head,
		el("div", { class: "head" },
			el("h3", { id: card.id }, group.name),
			el("span", { class: "muted small" }, pub.name)),
		el("p", { class: "figure" },
			el("span", { class: "big", "data-is": "count" },
				number(group.count)),
			el("span", { class: "muted" }, "counted in 30 days",
				capacity_of(group))),
		meter(group),
		el("ul", { class: "lines" }, group.thresholds.map((t) =>
			product_line(pub, group, t))));
}

/**
 * show_groups(): by the host's status; a card that stays is kept, with its
 * chart.
 */
export function show_groups(status) {
	const seen = [];

	for (const pub of status.publishers ?? []) {
		for (const told of pub.groups) {
			const group = { ...told, thresholds: thresholds(pub, told) };
			const key = `${pub.id}/${group.group}`;

			if (!cards.has(key))
				cards.set(key, new_card(key));
			draw_head(cards.get(key), pub, group);
			cards.get(key).group = group;
			seen.push(cards.get(key).node);
		}
	}
	if (seen.length === 0) {
		seen.push(el("p", { class: "card empty" }, "No catalogue is in " +
			"force: install one by `muster catalogue install FILE`."));
	}
	const box = by_id("groups");
	if (seen.length !== box.children.length ||
		seen.some((node, i) => node !== box.children[i]))
		fill(box, seen);
}

function lines_of(group) {
	return [
		...numbers(group).map((value) => ({ value, ink: "--warn",
			dash: [6, 4] })),
		...(group.capacity === 0 ? [] :
			[{ value: group.capacity, ink: "--edge", dash: [2, 4] }]),
	];
}

function read(card, history, counts) {
	return (i) => {
		if (i === null)
			return card.said;
		return `${when(history.first_unix_s + i * history.step_s)}: ` +
			(counts[i] === null ? "not known" : `${number(counts[i])} counted`);
	};
}

function sum_up(card, history, counts) {
	const known = counts.filter((c) => c !== null);

	card.said = known.length === 0 ? "" :
		`${number(Math.min(...known))} to ${number(Math.max(...known))} ` +
		`counted since ${when(history.first_unix_s)}`;
}

function draw(card, history, counts) {
	sum_up(card, history, counts);
	card.plot?.free();
	fill(card.box);
	card.plot = chart(card.box, [times_of(history, counts), counts], {
		curves: [{ ink: "--accent", is_filled: true }],
		lines: lines_of(card.group), label: `Count of ${card.group.name} over time`,
		reading: card.reading, read: read(card, history, counts) });
	if (!card.key) {
		card.key = el("p", { class: "key" },
			el("span", {}, el("i"), "count"),
			el("span", {}, el("i", { class: "threshold" }), "thresholds"),
			el("span", {}, el("i", { class: "capacity" }), "capacity"));
		card.box.before(card.key);
	}
}

function no_curve(card, why) {
	card.plot?.free();
	card.plot = null;
	no_chart(card.box);
	fill(card.box);
	say(card.reading, why);
}

/** show_history(): curves; null where the host has no history. */
export function show_history(history) {
	for (const [key, card] of cards) {
		const curve = history?.groups?.find((g) =>
			`${g.publisher}/${g.group}` === key);

		card.box.classList.toggle("is-empty",
			!curve || history.n < 2 || !can_draw());
		if (!curve || !can_draw())
			no_curve(card, history ? "No curve of this group." :
				"This host keeps no curve.");
		else if (history.n < 2)
			no_curve(card, "The first points of a curve take two minutes.");
		else
			draw(card, history, curve.count);
	}
}
