// SPDX-License-Identifier: MIT
// Figures and times as people read them; pure, but for time(), which makes a
// node.
import { el } from "./dom.js";

const MINUTE_S = 60;
const HOUR_S = 3600;
const DAY_S = 86400;

const figures = new Intl.NumberFormat("en-GB");

/** number(): 12345 is 12,345; what is no number is a dash. */
export function number(n) {
	return typeof n === "number" ? figures.format(n) : "–";
}

/** many(): 1 machine, 2 machines. */
export function many(n, one, more = `${one}s`) {
	return `${number(n)} ${n === 1 ? one : more}`;
}

/** span(): so many seconds, in the unit that fits. */
export function span(seconds) {
	const s = Math.max(0, Math.floor(seconds));

	if (s < 2 * MINUTE_S)
		return `${s} s`;
	if (s < 2 * HOUR_S)
		return `${Math.floor(s / MINUTE_S)} min`;
	if (s < 2 * DAY_S)
		return `${Math.floor(s / HOUR_S)} h`;
	return `${number(Math.floor(s / DAY_S))} days`;
}

function two(n) {
	return String(n).padStart(2, "0");
}

/** day(): 2026-11-27, by this browser's clock zone. */
export function day(unix_s) {
	const d = new Date(unix_s * 1000);

	return `${d.getFullYear()}-${two(d.getMonth() + 1)}-${two(d.getDate())}`;
}

/** utc_day(): of what begins and ends with a day of the protocol. */
export function utc_day(unix_s) {
	return new Date(unix_s * 1000).toISOString().slice(0, 10);
}

/** clock(): 14:05:09. */
export function clock(unix_s) {
	const d = new Date(unix_s * 1000);

	return `${two(d.getHours())}:${two(d.getMinutes())}:${two(d.getSeconds())}`;
}

/** when(): both. */
export function when(unix_s) {
	return `${day(unix_s)} ${clock(unix_s)}`;
}

/** time(): a moment, for people and for machines; 0 and null are "never". */
export function time(unix_s, text = when(unix_s)) {
	if (!unix_s)
		return "never";
	return el("time", { datetime: new Date(unix_s * 1000).toISOString(),
		title: when(unix_s) }, text);
}

/** bytes(): in the unit that fits. */
export function bytes(n) {
	const units = ["bytes", "KiB", "MiB", "GiB", "TiB"];
	let i = 0;

	if (typeof n !== "number")
		return "–";
	while (n >= 1024 && i < units.length - 1) {
		n /= 1024;
		i++;
	}
	return `${i === 0 ? n : n.toFixed(1)} ${units[i]}`;
}

const states = {
	licensed: "Licensed",
	initial_grace: "Initial grace",
	unlicensed: "Unlicensed",
	out_of_tolerance_grace: "Out-of-tolerance grace",
	notification: "Notification",
};

/** STATES: a client's states in the order in which they are shown. */
export const STATES = Object.keys(states);

/** state(): what a client's state is called. */
export function state(name) {
	return states[name] ?? name;
}

/** label(): a name of the interface as a label: not_covered, Not covered. */
export function label(name) {
	const text = String(name).replace(/[_.]/g, " ").replace(/^(dns|ok)\b/, (w) => w.toUpperCase());

	return text.charAt(0).toUpperCase() + text.slice(1);
}
