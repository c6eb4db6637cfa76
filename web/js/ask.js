// SPDX-License-Identifier: MIT
// The host, asked: GET of this page's own origin, nothing else.

/* A host that has not answered by then counts as one that does not. */
const ASK_MS = 8000;

/** ask(): the JSON at a path; throws an Error that says what happened. */
export async function ask(path, query = {}) {
	const url = new URL(path, location.origin);
	let answer;

	for (const [name, value] of Object.entries(query)) {
		if (value !== "" && value !== null && value !== undefined)
			url.searchParams.set(name, value);
	}
	try {
		answer = await fetch(url, { cache: "no-store",
			credentials: "omit", redirect: "error",
			signal: AbortSignal.timeout(ASK_MS) });
	} catch {
		throw new Error("the host does not answer");
	}
	if (!answer.ok)
		throw new Error(await why(answer));
	return answer.json();
}

async function why(answer) {
	try {
		const { error } = await answer.json();

		return `${error.message}; ${error.next_step}`;
	} catch {
		return `the host answers with status ${answer.status}`;
	}
}
