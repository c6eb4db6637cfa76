// SPDX-License-Identifier: MIT
// What clients are and what they were told: states, leases, answers, events.
import { can_draw, chart, no_chart, times_of } from "./chart.js";
import { by_id, el, fill, say, table, width } from "./dom.js";
import { clock, label, many, number, span, state, STATES, time, when } from "./words.js";

const causes = {
	below_threshold: ["Below the threshold", "counted, activated later"],
	unknown_product: ["Product unknown", "in no catalogue here"],
	not_covered: ["Not covered", "by this host's key"],
	host_not_activated: ["Host not activated", "no valid certificate"],
	clock: ["Clock wrong", "over 4 hours apart"],
	busy: ["Busy", "told when to come back"],
	refused: ["Not allowed", "by this host's settings"],
};

function none(text) {
	return el("p", { class: "empty" }, text);
}

function two_lines(name, more) {
	return [name, " ", el("span", { class: "muted small" }, more)];
}

function figure(is, n) {
	return el("span", { "data-is": is }, number(n));
}

function share_bar(by_state, total) {
	const said = STATES.map((s) => `${state(s)}: ${number(by_state[s])}`);

	return el("div", { class: "share", role: "img",
		"aria-label": said.join(", ") },
	STATES.filter((s) => by_state[s] > 0).map((s) =>
		width(el("span", { class: `s-${s}` }), by_state[s] / total)));
}

function states_of(inventory, on_duplicates) {
	const { by_state, clients, duplicates } = inventory;
	const all = el("button", { type: "button", class: "small" }, "Show them");

	all.addEventListener("click", on_duplicates);
	return [
		share_bar(by_state, Math.max(clients, 1)),
		table("Clients by state", ["State", "Clients"], [
			...STATES.map((s) => [
				[el("span", { class: `swatch s-${s}`, "aria-hidden": "true" }),
					state(s)], figure(`state-${s}`, by_state[s])]),
			[el("strong", {}, "All"), figure("clients", clients)]]),
		el("p", { class: "muted small" }, "As counted at ",
			time(inventory.as_of_unix_s, clock(inventory.as_of_unix_s)), ".",
			inventory.retention_days ? el("span", { "data-is": "kept" },
				` Kept for ${many(inventory.retention_days, "day")} after the ` +
				`last contact, ${number(inventory.rows_max)} at most.`) : null),
		duplicates > 0 ? el("p", { class: "note warn" },
			many(duplicates, "client has", "clients have"),
			" a CMID that another machine uses too: a copied image. ", all)
			: null,
	];
}

function leases_of(leases) {
	return [
		table("Leases by when they end", ["Ends", "Leases"], [
			["within 7 days", figure("within-7", leases.within_7_days)],
			["within 30 days", figure("within-30", leases.within_30_days)],
			["within 60 days", figure("within-60", leases.within_60_days)],
			[el("strong", {}, "All that are valid"),
				figure("current", leases.current)],
			["Ended", figure("ended", leases.ended)]]),
		el("p", { class: "muted small" }, "A client renews every few days; one " +
			"whose lease ends soon has not been heard of for long."),
	];
}

function answers_of(status) {
	const { answers } = status;
	const refusals = status.refusals ?? status.requests ?? {};

	return [table("Answers since the start", ["Answer", "Number"], [
		...(answers ? [["Activated", figure("activated", answers.activated)]]
			: []),
		...Object.entries(causes).filter(([k]) => k in refusals)
			.map(([k, [name, more]]) =>
				[two_lines(name, more), figure(`refused-${k}`, refusals[k])]),
		...(answers ? [[two_lines("Only asked", "not counted"),
			figure("probes", answers.probes)]] : []),
	]), status.started_unix_s ? el("p", { class: "muted small" }, "Since ",
		time(status.started_unix_s), ", when the host was started.") : null];
}

/** show_activity(): the three small tables. */
export function show_activity(status, on_duplicates) {
	const { inventory } = status;
	const not_read = "The inventory has not been read yet.";

	fill(by_id("states"), inventory ? states_of(inventory, on_duplicates)
		: none(not_read));
	fill(by_id("leases"), inventory?.leases ? leases_of(inventory.leases)
		: none(not_read));
	fill(by_id("answers"), answers_of(status));
}

const POINTS_MAX = 144; /* of a curve that is still to be read */

let plot = null;

/* Neighbouring steps as one, so that no more than POINTS_MAX are left. */
function coarser(history) {
	const k = Math.ceil(history.n / POINTS_MAX);
	/* of steps of which nothing is known the sum is null */
	const sums = (a) => a.reduce((out, n, i) => {
		const at = Math.floor(i / k);

		out[at] = n === null ? (out[at] ?? null) : (out[at] ?? 0) + n;
		return out;
	}, []);

	return { ...history, step_s: k * history.step_s,
		activated: sums(history.activated),
		below_threshold: sums(history.below_threshold),
		refused: sums(history.refused) };
}

/* What was answered in the step under the cursor, or in all of them. */
function told(history, i) {
	const kinds = [["activated", history.activated],
		["below the threshold", history.below_threshold],
		["refused", history.refused]];
	const sum = (a) => a.reduce((x, y) => x + (y ?? 0), 0);

	if (i !== null && history.activated[i] === null)
		return "not known";
	return kinds.map(([name, a]) =>
		`${number(i === null ? sum(a) : a[i])} ${name}`).join(", ");
}

/** show_curve(): answers over time; null where the host has no history. */
export function show_curve(fine) {
	const history = fine === null ? null : coarser(fine);
	const box = by_id("curve");
	const reading = by_id("curve-reading");
	const can = history !== null && history.n >= 2 && can_draw();

	plot?.free();
	plot = null;
	fill(box);
	box.classList.toggle("is-empty", !can);
	by_id("curve-key").hidden = !can;
	if (!can) {
		no_chart(box);
		say(reading, history === null ? "This host keeps no curve." :
			can_draw() ? "The curve's first points take two minutes." : told(history, null));
		return;
	}
	const all = `Since ${when(history.first_unix_s)}: ${told(history, null)}`;

	plot = chart(box, [times_of(history, history.activated),
		history.activated, history.below_threshold, history.refused], {
		curves: [{ ink: "--ok", is_filled: true }, { ink: "--warn" },
			{ ink: "--bad" }], lines: [], label: "Answers over time", reading,
		read: (i) => (i === null ? all :
			`${when(history.first_unix_s + i * history.step_s)}: ` +
			told(history, i) + (history.activated[i] === null ? "" :
				` in ${span(history.step_s)}`)) });
}

const levels = { error: ["bad", "Error"], warning: ["warn", "Warning"],
	note: ["", "Note"] };

/* Fields that the sentence of an event has not. */
const ties = ["request", "client", "product", "outcome"];

/* Of an answer that left a machine without a lease; null: of none. */
function kind_of_answer(event) {
	if (event.event !== "request" || event.level !== "note")
		return null;
	return event.fields?.outcome === "below_threshold" ? "below" : "refused";
}

/* Those of a kind one after the other are one line: the newest, and how many
 * more. */
function folded(events) {
	const out = [];
	let first = null; /* of the run */

	for (const event of events) {
		const kind = kind_of_answer(event);

		if (kind !== null && first !== null && kind === kind_of_answer(first)) {
			first.n_more++;
			first.since_unix_s = event.unix_s;
			continue;
		}
		out.push({ ...event, n_more: 0 });
		first = kind !== null ? out[out.length - 1] : null;
	}
	return out;
}

function more(event) {
	return event.n_more === 0 ? null : el("span", { class: "muted small" },
		` and ${many(event.n_more, "line")} like it since ` +
		when(event.since_unix_s));
}

function event_line(event, now_unix_s) {
	const [kind, word] = levels[event.level] ?? ["", event.level];
	const fields = Object.entries(event.fields ?? {})
		.filter(([name]) => ties.includes(name));

	return el("li", { "data-event": event.event },
		time(event.unix_s, `${when(event.unix_s)}`),
		el("span", {}, el("span", { class: `chip ${kind}`,
			title: `${span(now_unix_s - event.unix_s)} ago` }, word)),
		el("span", { class: "text" },
			el("strong", { class: "name" }, label(event.event)), " ",
			event.message,
			fields.length === 0 ? null : el("span", { class: "muted small" },
				" ", fields.map(([k, v]) => `${k}=${v}`).join(" ")),
			more(event)));
}

/** show_events(): the newest first; null where the host tells none. */
export function show_events(events, now_unix_s) {
	const box = by_id("events");

	if (events === null)
		fill(box, none("This host tells no events here; see its journal: " +
			"journalctl -u musterd."));
	else if (events.length === 0)
		fill(box, none("Nothing has happened since the start."));
	else
		fill(box, el("ol", { class: "events" },
			folded(events).map((e) => event_line(e, now_unix_s))));
}
