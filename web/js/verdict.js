// SPDX-License-Identifier: MIT
// Is everything all right?  One sentence, and where it is not: each cause with
// its next step.
import { by_id, el, fill, say } from "./dom.js";
import { many, number, span, when } from "./words.js";

/* A host further than this from the browser's clock is told as wrong. */
const CLOCK_APART_S = 300;

const GROUPS_NAMED = 3; /* in one line */

const signs = { ok: "✓", warning: "!", error: "!", unknown: "?" };
const classes = { ok: "ok", warning: "warn", error: "bad",
	unknown: "unknown" };
const words = { warning: "Warning", error: "Error" };

function clock_check(status) {
	const apart = Math.round(status.now_unix_s - Date.now() / 1000);

	if (Math.abs(apart) <= CLOCK_APART_S)
		return [];
	return [{ name: "clock", subject: null, state: "warning",
		message: `The host's clock is ${span(Math.abs(apart))} ` +
			`${apart > 0 ? "ahead of" : "behind"} this browser's.`,
		next_step: "Set right the one that is wrong: clients more than " +
			"4 hours from the host's clock are refused." }];
}

function gravest(checks) {
	for (const state of ["error", "warning"])
		if (checks.some((c) => c.state === state))
			return state;
	return "ok";
}

function problem(check, on_duplicates) {
	return el("li", { "data-check": check.name },
		el("span", { class: `chip ${classes[check.state]}` },
			words[check.state]), " ",
		el("strong", {}, check.subject ? `${check.subject}: ` : "",
			check.message),
		check.next_step ? el("span", { class: "next" },
			el("b", {}, "Next: "), check.next_step) : null,
		check.name === "duplicates" ? show_button(on_duplicates) : null);
}

function show_button(on_click) {
	const button = el("button", { type: "button", class: "small" },
		"Show these machines");

	button.addEventListener("click", on_click);
	return el("span", { class: "next" }, button);
}

function set(state, title, nodes) {
	by_id("verdict").className = `verdict ${classes[state]}`;
	by_id("verdict").dataset.state = state;
	say(by_id("verdict-sign"), signs[state]);
	say(by_id("verdict-title"), title);
	fill(by_id("problems"), nodes);
}

/* Not their sum: a machine may stand in several groups. */
function counts(groups) {
	if (groups.length === 1)
		return `${many(groups[0].count, "machine")} counted`;
	if (groups.length === 0 || groups.length > GROUPS_NAMED)
		return many(groups.length, "counting group");
	return groups.map((g) => `${number(g.count)} counted in ${g.name}`)
		.join(", ");
}

function about(status) {
	const published = (status.dns?.domains ?? [])
		.filter((d) => d.state === "published").map((d) => d.domain);
	const out = [counts((status.publishers ?? []).flatMap((p) => p.groups))];

	if (published.length > 0)
		out.push(`published in ${published.join(", ")}`);
	if (status.started_unix_s)
		out.push("running for " +
			span(status.now_unix_s - status.started_unix_s));
	return out.join(" · ");
}

let last = ""; /* what is shown, so that a button keeps its focus */

/** show_verdict(): by the host's own checks, and its clock by ours. */
export function show_verdict(status, on_duplicates) {
	const checks = [...(status.health?.checks ?? []), ...clock_check(status)]
		.filter((c) => c.state !== "ok")
		.sort((a, b) => (a.state > b.state) - (a.state < b.state));
	const state = status.health
		? gravest([{ state: status.health.state }, ...checks]) : "unknown";
	const told = JSON.stringify([state, checks]);

	say(by_id("verdict-more"), about(status));
	if (told === last)
		return;
	last = told;
	set(state, title(state, checks),
		checks.map((c) => problem(c, on_duplicates)));
}

function title(state, checks) {
	if (state === "ok")
		return "Everything is all right.";
	if (state === "unknown")
		return "This host does not tell whether all is right.";
	if (checks.length === 0)
		return "This host says that something is not right.";
	if (checks.length > 1)
		return `${checks.length} things need attention.`;
	return state === "error" ? "One thing is wrong." :
		"One thing needs attention.";
}

/** show_silence(): the host no longer answers; at_unix_s 0: it never did. */
export function show_silence(why, at_unix_s, age_s) {
	const told = `${at_unix_s} ${why}`;

	say(by_id("verdict-more"), at_unix_s === 0 ? "" :
		`The figures below are ${span(age_s)} old.`);
	if (told === last)
		return;
	last = told;
	set("error", at_unix_s === 0 ? "This host does not answer." :
		`This host has not answered since ${when(at_unix_s)}.`,
	[el("li", {}, el("strong", {}, `The last attempt: ${why}.`),
		el("span", { class: "next" }, el("b", {}, "Next: "),
			"see whether musterd runs (systemctl status musterd), and " +
			"whether this machine still reaches it; the page keeps asking."))]);
}
