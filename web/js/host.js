// SPDX-License-Identifier: MIT
// The host itself: certificate and slot of each publisher, DNS, store, service.
import { by_id, el, facts, fill } from "./dom.js";
import { label, many, number, span, time, utc_day } from "./words.js";

function card(id, title, chip, ...children) {
	return el("section", { class: "card", "aria-labelledby": id },
		el("div", { class: "head" }, el("h3", { id }, title), chip), children);
}

function chip(kind, text) {
	return el("span", { class: `chip ${kind}` }, text);
}

function ends(cert) {
	if (cert.expires_unix_s === null || cert.expires_unix_s === undefined)
		return "does not end";
	if (cert.days_left < 0)
		return [time(cert.expires_unix_s, utc_day(cert.expires_unix_s)), ", ended"];
	return [time(cert.expires_unix_s, utc_day(cert.expires_unix_s)), ", in ",
		el("span", { "data-is": "days-left" }, number(cert.days_left)),
		cert.days_left === 1 ? " day" : " days"];
}

/* What is soon is the host's to say: it is one of its checks. */
function activated_chip(pub, checks) {
	const check = checks.find((c) => c.name === "certificate" &&
		c.subject === pub.name);

	if (!pub.activated)
		return chip("bad", "not activated");
	if (check && check.state !== "ok")
		return chip(check.state === "error" ? "bad" : "warn", "ends soon");
	return chip("ok", "activated");
}

function publisher(pub, i, checks) {
	const cert = pub.certificate;

	return card(`publisher-${i}`, pub.name, activated_chip(pub, checks),
		facts([
			["Host key", pub.host_key_number === null ? "none installed"
				: `number ${pub.host_key_number}`],
			cert ? ["Slot", [el("span", { "data-is": "slot" },
				number(cert.slot)), `, activation ${cert.activation}`]] : null,
			["Certificate", cert ? ends(cert) : "none"],
			cert?.issued_unix_s ? ["Issued", time(cert.issued_unix_s,
				utc_day(cert.issued_unix_s))] : null,
			["Catalogue", `serial ${pub.catalogue_serial}, ` +
				many(pub.products.length, "product")],
			pub.contact ? ["Contact", pub.contact] : null,
		]),
		pub.reason ? el("p", { class: "note bad" }, pub.reason) : null);
}

const dns_states = { published: "ok", failed: "bad", asking: "warn",
	none: "" };

/* As what is soon: also while the next update is under way. */
function is_failing(d, checks) {
	return checks.some((c) => c.name === "dns" && c.subject === d.domain &&
		c.state !== "ok");
}

function domain(d, checks) {
	return el("li", { "data-domain": d.domain },
		el("span", { class: "what" }, d.domain, " ",
			d.last_unix_s ? el("span", { class: "muted small" },
				time(d.last_unix_s)) : null),
		chip(dns_states[d.state] ?? "", d.state === "none"
			? "not published" : d.state),
		d.message && is_failing(d, checks)
			? el("span", { class: "small bad-text" }, d.message,
				d.server ? ` (${d.server})` : "") : null);
}

function dns_card(dns, checks) {
	const failed = dns.domains.some((d) => is_failing(d, checks));
	const kind = failed ? chip("bad", "failing")
		: dns.publishing ? chip("ok", "publishing")
			: chip("", "not publishing");

	return card("dns-title", "DNS publication", kind,
		facts([["Name", dns.name ?? "none"],
			["Updates", dns.signed ? "signed (TSIG)" : "not signed"],
			dns.pending > 0 ? ["Waiting", many(dns.pending, "update")] : null]),
		dns.domains.length > 0 ? el("h4", { class: "sub" }, "Domains") : null,
		el("ul", { class: "lines" }, dns.domains.map((d) =>
			domain(d, checks))),
		dns.reason ? el("p", { class: "note" }, dns.reason) : null);
}

const kinds = { sqlite: "SQLite, on this machine",
	postgresql: "PostgreSQL, shared", memory: "Memory" };

function store_card(store) {
	const bad = store.state === "failing";

	return card("store-title", "Store",
		bad ? chip("bad", "failing") : chip("ok", "working"),
		facts([
			["Kind", kinds[store.kind] ?? store.kind],
			store.server ? ["Server", store.server] : null,
			["Commits", number(store.batches)],
			["Failed", number(store.batches_failed)],
			["Largest commit", many(store.largest_batch, "request")],
			["Last outcome", label(store.last_outcome)],
			store.reason ? ["Cause", store.reason] : null,
			store.next_step ? ["Next step", store.next_step] : null,
		]));
}

function tested(test) {
	if (!test)
		return "none yet";
	return [chip(test.ok ? "ok" : "bad", test.ok ? "passed" : "failed"), " ",
		time(test.at_unix_s), `, ${number(test.ms)} ms`,
		test.ok || !test.message ? "" : `: ${test.message}`];
}

function service_card(status) {
	const c = status.connections;

	return card("service-title", "Service", null,
		facts([
			["Listens at", status.listeners.map((l) =>
				`${l.address} port ${l.port}`).join(", ")],
			["Running", [`for ${span(status.now_unix_s -
				status.started_unix_s)}, since `, time(status.started_unix_s)]],
			["Self-test", tested(status.self_test)],
			["Connections", `${number(c.open)} open, ${number(c.most_open)} at ` +
				`most, of ${number(c.limit)}`],
			["Turned away", `${number(c.refused)} refused, ` +
				`${number(c.timed_out)} timed out, ${number(c.evicted)} evicted`],
			["Clients renew", `every ${span(60 * status.renewal_minutes)}, ` +
				`or try again after ${span(60 * status.retry_minutes)}`],
		]));
}

/** show_host(): all of it, by the host's status. */
export function show_host(status) {
	fill(by_id("host"),
		(status.publishers ?? []).map((pub, i) =>
			publisher(pub, i, status.health?.checks ?? [])),
		status.dns ? dns_card(status.dns, status.health?.checks ?? []) : null,
		status.store ? store_card(status.store) : null,
		status.connections ? service_card(status) : null);
}
