// SPDX-License-Identifier: MIT
// Asks the host again and again, shows what it says, and says how old that is.
import { ask } from "./ask.js";
import { only_duplicates, set_products, show_clients, start_clients }
	from "./clients.js";
import { by_id, say } from "./dom.js";
import { show_groups, show_history } from "./groups.js";
import { show_host } from "./host.js";
import { show_activity, show_curve, show_events } from "./tables.js";
import { show_silence, show_verdict } from "./verdict.js";
import { clock, span } from "./words.js";

const REFRESH_MS = 10000; /* status and events */
const SLOW_ROUNDS = 3;    /* the curves and the table: each third time */
const AGAIN_MS = 3000;    /* where the host did not answer */
const EVENTS_SHOWN = 30;
const EVENTS_GRAVE = 10; /* that are shown, whatever came after them */

const page = { round: 0, answered_unix_s: 0, answered_ms: 0, why: "",
	history: null, range: "minute" };

/* By a clock that nobody sets. */
function age_s() {
	return (performance.now() - page.answered_ms) / 1000;
}

/* A part that this host does not have is null: its panel says so. */
async function part(path, query) {
	try {
		return await ask(path, query);
	} catch {
		return null;
	}
}

function show_age() {
	const box = by_id("fresh");
	const is_old = page.why !== "";

	box.classList.toggle("is-live", page.answered_unix_s !== 0 && !is_old);
	box.classList.toggle("is-old", is_old);
	document.body.classList.toggle("is-old", is_old);
	if (page.answered_unix_s !== 0)
		say(by_id("fresh-text"), is_old
			? `No answer for ${span(age_s())}`
			: `Updated ${clock(page.answered_unix_s)}`);
	else if (page.why !== "")
		say(by_id("fresh-text"), "No answer");
	if (is_old)
		show_silence(page.why, page.answered_unix_s, age_s());
}

function show_status(status) {
	const name = status.dns?.name ?? location.hostname;

	say(by_id("where"), name);
	document.title = `${name}: Muster host`;
	say(by_id("about"), `Muster ${status.version}. This page only shows; ` +
		"changes are made on the host by muster host.");
	show_verdict(status, only_duplicates);
	show_groups(status);
	show_activity(status, only_duplicates);
	show_host(status);
	set_products(status);
}

/* The newest, and the last that are no mere notes, which many notes would else
 * drive away. */
async function events_now() {
	const told = await Promise.all([
		part("/v1/events", { limit: EVENTS_SHOWN }),
		part("/v1/events", { limit: EVENTS_GRAVE, level: "warning" })]);

	if (told[0] === null)
		return null;
	return [...new Map(told.flatMap((t) => t?.events ?? [])
		.map((e) => [e.id, e])).values()].sort((a, b) => b.id - a.id);
}

async function curves() {
	return part("/v1/history", { resolution: page.range });
}

function show_curves(history) {
	page.history = history;
	show_history(history);
	show_curve(history);
}

/* All is asked for at once: what waits for another answer comes late. */
async function figures(is_slow) {
	const table = is_slow ? show_clients() : null;
	const [status, events, history] = await Promise.all([
		ask("/v1/status"), events_now(),
		is_slow ? curves() : page.history]);

	page.answered_unix_s = Date.now() / 1000;
	page.answered_ms = performance.now();
	page.why = "";
	show_status(status);
	show_events(events, status.now_unix_s);
	if (is_slow)
		show_curves(history);
	await table;
}

async function round() {
	const is_slow = page.round++ % SLOW_ROUNDS === 0;

	try {
		await figures(is_slow);
		performance.mark("shown");
	} catch (error) {
		page.why = error.message;
		page.round = 0; /* all of it is asked for when the host is back */
	}
	show_age();
}

async function forever() {
	for (;;) {
		if (!document.hidden || page.round === 0)
			await round();
		await new Promise((resolve) => {
			page.wake = resolve;
			setTimeout(resolve, page.why === "" ? REFRESH_MS : AGAIN_MS);
		});
	}
}

for (const input of document.querySelectorAll("[name=range]")) {
	input.addEventListener("change", () => {
		page.range = input.value;
		curves().then(show_curves);
	});
}
matchMedia("(prefers-color-scheme: dark)").addEventListener("change",
	() => show_curves(page.history));
document.addEventListener("visibilitychange", () => {
	if (!document.hidden)
		page.wake?.();
});
start_clients();
setInterval(show_age, 1000);
forever();
