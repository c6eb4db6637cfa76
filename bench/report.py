#!/usr/bin/python3
# SPDX-License-Identifier: MIT
"""The tables of doc/performance.md from what ./dev bench --json printed, so
that no figure is copied by hand.

usage: bench/report.py [--check] [--into FILE] [RUN.json...]

Without runs named, those in bench/runs/; variants.json there is what
./dev bench variants --json printed.  --check: exit 1 when FILE has others.
"""
import argparse
import glob
import json
import os
import re
import statistics
import sys

HERE = os.path.dirname(os.path.abspath(__file__))
RUNS = os.path.join(HERE, "runs")
DOC = os.path.join(os.path.dirname(HERE), "doc/performance.md")
N_RUNS = 3
BEGIN, END = "<!-- {}: written by bench/report.py -->", "<!-- {}: end -->"
NONE, NOTHING = "–", "Not measured yet."
# What is to be reached: text; measure and the beginning of what it shows.
LINES = (
    ("host CPU, each signed alone, to `limit+sign`", "rows",
     "cpu own to limit sign"),
    ("host CPU, signatures shared, to `limit`", "rows",
     "cpu shared to limit"),
    ("host CPU, signatures shared, to `limit+sign`", "rows",
     "cpu shared to limit sign"),
    ("throughput to `stock`", "rows", "throughput to stock"),
    ("p99 at half load to its own with one connection", "rows",
     "p99 half to own p99 at one"),
    ("p99 at half load to that of `limit+sign+fsync`", "rows",
     "p99 half to limit sign fsync"),
    ("cost beside 10,000 idle connections, times that without", "idle",
     "cost beside idle connections"),
    ("RSS with 10,000 idle connections and 100,000 clients", "idle",
     "RSS with 10,000 idle, 100,000 clients"),
    ("cost from 50 to 1,000,000 clients, merges included, times", "clients",
     "growth over the inventory, merges included"),
    ("allocations by our code, renewals", "allocations",
     "allocations a request by our code, renewals"),
    ("allocations by our code, certificate asked for", "allocations",
     "allocations a request by our code, certificate asked for"),
    ("storm of 50,000 renewals", "storm",
     "storm, renewals: the last of 50,000 holds"),
    ("storm of 50,000 first contacts", "storm",
     "storm, first contacts: the last of 50,000 holds"),
    ("`muster_check`, catalogue of 16 KiB", "check",
     "muster_check, medium catalogue"),
    ("`muster_check`, largest catalogue", "check",
     "muster_check, largest catalogue"),
    ("agent at rest: RSS", "rest", "muster-agent at rest, 2 products: RSS"),
    ("agent at rest: wake-ups in 20 s", "rest",
     "muster-agent at rest: wake-ups in 20 s"),
    ("simulator: client-years a minute on one core", "plan",
     "simulator: client-years a minute, one core"),
)
WHAT = {
    "accept": "`accept4`: socket and peer's address",
    "read the call": "at once when the connection is taken: with deferred "
    "accept the call has come; once more to see the FIN",
    "decode and encode": "`src/wire`",
    "judge, count, sign: our part":
        "`src/turn`, `src/count`, `src/trust` without the primitive",
    "journal: our part": "`src/store`",
    "journal: SQLite": "a row a batch, and later the rounds of its tables",
    "write and sync": "`pwrite64`, `fdatasync` and locks of the log: once a "
    "batch",
    "sign and hash: libsodium": "up to eight renewals share a signature",
    "send the reply": "reply and FIN in one segment",
    "close": "the kernel takes the connection down, the client's part "
    "included",
    "the loop": "`epoll`, libuv",
    "the two threads wait": "`futex`: a batch to the store and back",
    "connections and queue": "`src/host`",
    "the C library": "copies",
}
LIMITS = ("≤ 1.25", "≤ 1.8", "≤ 0.6", "≥ 10", "≤ 3", "≤ 2", "≤ 1.15",
          "≤ 24 MiB", "≤ 1.5", "0", "0", "≤ 60 s", "≤ 60 s", "≤ 200 µs",
          "≤ 500 µs", "≤ 6 MiB", "0", "≥ 10,000")


def number(value):
    if value == 0 or isinstance(value, int):
        return f"{value:,}"
    if value >= 100:
        return f"{value:,.0f}"
    return f"{value:.2f}" if value < 10 else f"{value:.1f}"


def table(head, body):
    lines = [head, ["---"] * len(head), *body]
    return "\n".join("| " + " | ".join(x) + " |" for x in lines)


def found(run, measure, begin):
    """The one row that is meant; None: this run has not measured it.  What
    follows the beginning is in brackets: a size."""
    them = [m for m in run["measures"] if m["measure"] == measure
            and re.fullmatch(re.escape(begin) + r"( \(.*\))?", m["what"])]
    if len(them) > 1:
        sys.exit(f"report: {begin!r} is there {len(them)} times")
    return them[0] if them else None


def limit_text(m):
    """As LIMITS has it, from what was judged."""
    if m["limit"] == 0:
        return "0"
    sign = "≥" if m["at_least"] else "≤"
    return f"{sign} {m['limit']:,g} {m['unit'].replace('×', '')}".strip()


def verdict(them):
    if not any(them):
        return NONE
    n = sum(m is not None and m["verdict"] == "met" for m in them)
    if n == len(them) == N_RUNS:
        return "met"
    return f"met in {n} of {len(them)}" if n else "**missed**"


def figures(runs):
    body = []
    for (text, measure, begin), limit in zip(LINES, LIMITS, strict=True):
        them = [found(r, measure, begin) for r in runs]
        for m in filter(None, them):
            if limit_text(m) != limit:
                sys.exit(f"report: {begin}: {limit_text(m)}, not {limit}")
        seen = [NONE if m is None else number(m["figure"]) for m in them]
        body.append([text, limit, *seen, *[NONE] * (N_RUNS - len(seen)),
                     verdict(them)])
    return table(["what", "to reach", "run 1", "run 2", "run 3", "verdict"],
                 body)


def servers(runs):
    """Each row of the servers: the three figures of each column."""
    by = {}
    for run in runs:
        for r in run.get("rows", []):
            by.setdefault(r["name"], []).append(r)
    body = []
    for name, them in by.items():
        def all_of(get):
            return " / ".join(number(get(r)) for r in them)
        body.append([
            f"`{name}`", all_of(lambda r: r["activations_per_s"]),
            all_of(lambda r: r["cpu_us"]),
            all_of(lambda r: r["p99_us"] / 1e3),
            all_of(lambda r: r["half"]["p99_us"] / 1e3),
            all_of(lambda r: r["one"]["p99_us"] / 1e3)])
    return table(["row", "activations a second", "host CPU, µs",
                  "p99 at full load, ms", "at half load, ms",
                  "one at a time, ms"], body) if body else NOTHING


def budget(runs):
    """Where the time goes: the median of the runs, in µs."""
    whats, steps = [], {}
    for run in runs:
        for what, seen in run.get("steps", {}).items():
            whats += [what] if what not in whats else []
            for step, us in {"all": seen["all"], **seen["steps"]}.items():
                steps.setdefault(step, {}).setdefault(what, []).append(us)
    body = [[step, *(f"{statistics.median(by[w]):.1f}" if w in by else NONE
                     for w in whats), WHAT.get(step, "")]
            for step, by in steps.items()]
    return table(["step", *whats, "what is in it"], body) if body else NOTHING


def variants(seen):
    body = [[
        f"{v['what']} (`{v['name']}`)", v["state"],
        f"{v['cpu_us']:.1f}", f"{v['cpu_us_variant']:.1f}",
        f"{v['cpu_us_ratio']:.2f} ({v['cpu_us_ratio_of'][0]:.2f} to "
        f"{v['cpu_us_ratio_of'][1]:.2f})",
        f"{v['per_s_ratio']:.2f}", f"{v['one_p50_us_ratio']:.2f}"]
        for v in seen]
    return table(["what", "", "as it is, µs", "variant, µs",
                  "CPU, times (least to most)", "activations a second, times",
                  "p50 one at a time, times"], body) if body else NOTHING


def where(runs):
    if not runs:
        return NOTHING
    machines = [{k: r["machine"][k] for k in ("commit", "cpu", "cores",
                                              "system", "build")}
                for r in runs]
    if any(m != machines[0] for m in machines):
        sys.exit("report: the runs are of different commits or machines: "
                 + "; ".join(f"{m['commit']}, {m['cpu']}" for m in machines))
    m = machines[0]
    loads = ", ".join(f"{r['machine']['load']:.1f}" for r in runs)
    took = ", ".join(f"{sum(r['took_s'].values()) / 60:.0f}" for r in runs)
    return (f"Commit {m['commit']}; {m['cores']} cores ({m['cpu']}), "
            f"{m['system']}, {m['build']}; load at the start {loads}; "
            f"minutes: {took}.")


def sections(runs, seen):
    return {"figures": where(runs) + "\n\n" + figures(runs),
            "servers": servers(runs), "budget": budget(runs),
            "variants": variants(seen)}


def put(text, parts):
    """The text with each part between its marks."""
    for name, part in parts.items():
        begin, end = BEGIN.format(name), END.format(name)
        if text.count(begin) != 1 or text.count(end) != 1:
            sys.exit(f"report: no place for {name}")
        head, rest = text.split(begin)
        text = f"{head}{begin}\n{part}\n{end}{rest.split(end)[1]}"
    return text


def read(path):
    with open(path) as f:
        return json.load(f)


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--check", action="store_true")
    parser.add_argument("--into", default=DOC, metavar="FILE")
    parser.add_argument("--variants", metavar="FILE",
                        default=os.path.join(RUNS, "variants.json"))
    parser.add_argument("run", nargs="*")
    args = parser.parse_args()
    paths = args.run or sorted(glob.glob(os.path.join(RUNS, "[0-9]*.json")))
    if len(paths) > N_RUNS:
        sys.exit(f"report: {len(paths)} runs; the table has {N_RUNS}")
    seen = read(args.variants)["variants"] \
        if os.path.exists(args.variants) else []
    with open(args.into) as f:
        before = f.read()
    after = put(before, sections([read(p) for p in paths], seen))
    if args.check:
        return 0 if after == before else 1
    with open(args.into, "w") as f:
        f.write(after)
    return 0


if __name__ == "__main__":
    sys.exit(main())
