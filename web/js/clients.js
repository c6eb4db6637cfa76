// SPDX-License-Identifier: MIT
// The inventory: a page of it, searched and sorted by the host.
import { ask } from "./ask.js";
import { by_id, el, fill, say } from "./dom.js";
import { day, many, number, span, state, STATES, time } from "./words.js";

const PAGE_ROWS = 25;
const SEARCH_WAIT_MS = 250; /* after the last key */

/* name of the column, by what the host sorts, which way first */
const columns = [
	["Machine", "name", "asc"], ["Product", "product", "asc"],
	["State", "state", "asc"], ["Last contact", "last", "desc"],
	["First contact", "first", "desc"], ["Lease ends", "lease_end", "asc"],
	["Count given", "count", "desc"], ["Contacts", "contacts", "desc"],
	["Address", "address", "asc"],
];

const view = { sort: "last", order: "desc",
	before: [], /* the `after` of each page before this one */
	after: "", next: null, asked: 0, timer: 0 };

function chosen() {
	return { search: by_id("client-search").value.trim(),
		product: by_id("client-product").value,
		state: by_id("client-state").value,
		duplicate: by_id("client-duplicates").checked ? "true" : "",
		sort: view.sort, order: view.order };
}

function fingerprint(hex) {
	return el("code", { title: hex }, hex.slice(0, 12), "…");
}

function twin(c) {
	return el("span", { class: "twin small" },
		el("span", { class: "chip warn" }, "duplicate"),
		" The CMID is used by more than one machine; the last two seen: ",
		c.name || "no name", " (fingerprint ",
		fingerprint(c.machine), ") and ",
		c.other_name || "no name", " (fingerprint ",
		fingerprint(c.other_machine ?? ""), ").");
}

function cell(name, ...what) {
	return el("td", { role: "cell", "data-name": name },
		el("span", { class: "cell" }, what));
}

function row(c, now) {
	return el("tr", { role: "row", "data-cmid": c.cmid },
		el("th", { scope: "row", role: "rowheader" },
			el("span", { "data-is": "name" }, c.name || "no name"),
			el("code", { class: "cmid muted", title: "CMID" }, c.cmid),
			c.duplicate ? twin(c) : null),
		cell("Product", c.product_name ?? c.product),
		cell("State", el("span", { class: `swatch s-${c.state}`,
			"aria-hidden": "true" }), state(c.state)),
		cell("Last contact", time(c.last_unix_s,
			`${span(now - c.last_unix_s)} ago`), c.host ? el("span",
			{ class: "muted small", "data-is": "host" }, ` at ${c.host}`)
			: null),
		cell("First contact", time(c.first_unix_s, day(c.first_unix_s))),
		cell("Lease ends", c.lease_end_unix_s
			? time(c.lease_end_unix_s, day(c.lease_end_unix_s)) : "–"),
		cell("Count given", number(c.count), el("span",
			{ class: "muted" }, ` of ${number(c.threshold)}`)),
		cell("Contacts", number(c.contacts)),
		cell("Address", c.address));
}

function draw(answer) {
	const first = view.before.length * PAGE_ROWS;
	const body = by_id("client-table").tBodies[0];

	view.next = answer.next;
	fill(body, answer.clients.map((c) => row(c, answer.as_of_unix_s)));
	by_id("client-table").hidden = answer.clients.length === 0;
	say(by_id("client-said"), answer.total === 0
		? "No machine has asked yet."
		: `${many(answer.matched, "client matches", "clients match")}, ` +
			`of ${number(answer.total)}`);
	say(by_id("client-at"), answer.clients.length === 0 ? "" :
		`${number(first + 1)} to ${number(first + answer.clients.length)}`);
	by_id("client-before").disabled = view.before.length === 0;
	by_id("client-after").disabled = answer.next === null;
}

/** show_clients(): ask for the page that is chosen, and show it. */
export async function show_clients() {
	const asked = ++view.asked;

	try {
		const answer = await ask("/v1/clients", { ...chosen(),
			limit: PAGE_ROWS, after: view.after });

		if (asked === view.asked) /* else a later question is under way */
			draw(answer);
	} catch (error) {
		if (asked === view.asked)
			say(by_id("client-said"), `No list: ${error.message}.`);
	}
}

function anew() {
	view.before = [];
	view.after = "";
	clearTimeout(view.timer);
	return show_clients();
}

function mark_sorted() {
	const heads = by_id("client-table").tHead.rows[0].cells;

	columns.forEach(([name, key], i) => {
		const is_it = key === view.sort;
		const arrow = view.order === "asc" ? " ↑" : " ↓";

		if (is_it)
			heads[i].setAttribute("aria-sort", view.order === "asc"
				? "ascending" : "descending");
		else
			heads[i].removeAttribute("aria-sort");
		say(heads[i].firstChild, name + (is_it ? arrow : ""));
	});
}

function sort_by(key, order) {
	if (view.sort === key)
		view.order = view.order === "asc" ? "desc" : "asc";
	else
		view.order = order;
	view.sort = key;
	mark_sorted();
	anew();
}

function head([name, key, order]) {
	const button = el("button", { type: "button", "data-sort": key }, name);

	button.addEventListener("click", () => sort_by(key, order));
	return el("th", { scope: "col", role: "columnheader" }, button);
}

function step(is_forward) {
	if (is_forward) {
		view.before.push(view.after);
		view.after = view.next;
	} else {
		view.after = view.before.pop();
	}
	show_clients();
}

/** only_duplicates(): what "show them" does: the filter is set, no more. */
export function only_duplicates() {
	by_id("client-search").value = "";
	by_id("client-product").value = "";
	by_id("client-state").value = "";
	by_id("client-duplicates").checked = true;
	anew();
	by_id("clients-title").scrollIntoView();
	by_id("client-duplicates").focus({ preventScroll: true });
}

/** set_products(): what can be chosen; a choice that was made stays. */
export function set_products(status) {
	const box = by_id("client-product");
	const products = (status.publishers ?? []).flatMap((p) => p.products);
	const known = products.map((p) => p.id).join();

	if (box.dataset.known === known)
		return;
	const at = box.value;
	box.dataset.known = known;
	fill(box, el("option", { value: "" }, "all"), products.map((p) =>
		el("option", { value: p.id }, p.name)));
	box.value = at;
}

/** start_clients(): what is listened to. */
export function start_clients() {
	fill(by_id("client-table").tHead.rows[0], columns.map(head));
	mark_sorted();
	by_id("client-state").append(...STATES.map((s) =>
		el("option", { value: s }, state(s))));
	by_id("client-tools").addEventListener("submit", (e) => {
		e.preventDefault();
		anew();
	});
	by_id("client-search").addEventListener("input", () => {
		clearTimeout(view.timer);
		view.timer = setTimeout(anew, SEARCH_WAIT_MS);
	});
	for (const id of ["client-product", "client-state", "client-duplicates"])
		by_id(id).addEventListener("change", anew);
	by_id("client-before").addEventListener("click", () => step(false));
	by_id("client-after").addEventListener("click", () => step(true));
}
