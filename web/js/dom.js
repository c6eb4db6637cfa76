// SPDX-License-Identifier: MIT
// Making nodes.  Every text goes through a text node: what a client or a
// catalogue calls itself never becomes markup, and nothing here parses any.

/**
 * el(): a new element.
 *
 * attributes: class, and what setAttribute() takes; null, undefined and false
 * are left out.  children: nodes, texts, numbers, arrays of them; null is left
 * out.
 */
export function el(tag, attributes = {}, ...children) {
	const node = document.createElement(tag);

	for (const [name, value] of Object.entries(attributes)) {
		if (value !== null && value !== undefined && value !== false)
			node.setAttribute(name, value === true ? "" : value);
	}
	node.append(...flat(children));
	return node;
}

function flat(children) {
	return children.flat(Infinity).filter((c) => c !== null && c !== undefined)
		.map((c) => (c instanceof Node ? c : document.createTextNode(String(c))));
}

/** by_id(): the element that index.html has. */
export function by_id(id) {
	return document.getElementById(id);
}

/** fill(): these children and no others. */
export function fill(node, ...children) {
	node.replaceChildren(...flat(children));
	return node;
}

/** say(): a text, written only where it changes, so that it is read out once. */
export function say(node, text) {
	if (node.textContent !== text)
		node.textContent = text;
}

/** width(): in per cent; by the object model, which the policy allows. */
export function width(node, share) {
	node.style.width = `${(100 * Math.min(Math.max(share, 0), 1)).toFixed(2)}%`;
	return node;
}

/** facts(): a list of names and what they are; null leaves a line out. */
export function facts(lines) {
	return el("dl", { class: "facts" }, lines.filter((l) => l !== null)
		.map(([name, ...what]) => [el("dt", {}, name), el("dd", {}, what)]));
}

/** table(): names of columns, then rows; the first cell heads its row. */
export function table(caption, columns, rows) {
	return el("table", { class: "plain" },
		el("caption", { class: "hidden" }, caption),
		el("thead", {}, el("tr", {}, columns.map((c) =>
			el("th", { scope: "col" }, c)))),
		el("tbody", {}, rows.map(([head, ...cells]) => el("tr", {},
			el("th", { scope: "row" }, head),
			cells.map((c) => el("td", {}, c))))));
}
