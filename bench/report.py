#!/usr/bin/python3
# SPDX-License-Identifier: MIT
"""The tables of doc/performance.md from what ./dev bench --json printed, so
that no figure is copied by hand.

usage: bench/report.py [--check] [--into FILE] [RUN.json...]

Without runs named, those in bench/runs/; variants.json there is what
./dev bench variants --json printed.  All are of one commit, without changes,
and of one machine.  So are those of ./dev bench postgresql --json among
themselves, postgresql*.json there.  --check: exit 1 when FILE has others.
"""
import argparse
import collections
import glob
import json
import os
import re
import statistics
import sys

HERE = os.path.dirname(os.path.abspath(__file__))
REPO = os.path.dirname(HERE)
for folder in ("tools", "tests/e2e"):
    sys.path.insert(0, os.path.join(REPO, folder))

import curves  # noqa: E402
import rows  # noqa: E402
import storm  # noqa: E402

RUNS = os.path.join(HERE, "runs")
DOC = os.path.join(REPO, "doc/performance.md")
N_RUNS = 3
BEGIN, END = "<!-- {}: written by bench/report.py -->", "<!-- {}: end -->"
NONE, NOTHING = "–", "Not measured yet."
IDLE_SET = f"(set: `{curves.IDLE_SETTINGS.replace(chr(10), ' ').strip()}`)"
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
    (f"cost beside 10,000 idle connections, times that without {IDLE_SET}",
     "idle", "cost beside idle connections"),
    (f"RSS with 10,000 idle connections and 100,000 clients {IDLE_SET}",
     "idle", "RSS with 10,000 idle, 100,000 clients"),
    ("cost from 50 to 1,000,000 clients, merges included, times", "clients",
     "growth over the inventory, merges included"),
    ("allocations by our code, renewals", "allocations",
     "allocations a request by our code, renewals"),
    ("allocations by our code, certificate asked for", "allocations",
     "allocations a request by our code, certificate asked for"),
    ("allocations by our code, first contacts", "allocations",
     "allocations a request by our code, first contacts"),
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
# The rows whose full load a ratio stands on.
USES = {
    "cpu own to limit sign": ("musterd-own-signature", "limit+sign"),
    "cpu shared to limit": ("musterd", "limit"),
    "cpu shared to limit sign": ("musterd", "limit+sign"),
    "throughput to stock": ("musterd", "stock"),
    "p99 half to own p99 at one": ("musterd",),
    "p99 half to limit sign fsync": ("musterd", "limit+sign+fsync"),
}
# Told after the ratio that cannot be less.
BARE_AFTER = "cpu shared to limit sign"
BARE_TEXT = "the bare exchange alone, `limit` to `limit+sign`"
BARE_USES = ("limit", "limit+sign")
# A storm is met if this is met, too: what began later was a milder one.
BEGUN = {f"storm, {name}: the last of 50,000 holds":
         f"storm, {name}: the last has begun"
         for name in ("renewals", "first contacts")}
# Of several hosts with one count: what is judged, and its unit.
ONE_COUNT = (("two hosts to libpq alone", ""), ("four hosts to one", ""),
             ("two hosts: p99 at half load", ", ms"))
CURVES = {"idle": "idle connections", "clients": "clients in the inventory",
          "groups": "counting groups"}
REQUESTS = {"renewals": "renewals", "certificate": "certificate asked for",
            "first": "first contacts"}
OF_MACHINE = ("commit", "cpu", "cores", "system", "build", "file_system",
              "own_network")
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
    "the two threads wait": "a batch to the store and back: `futex`, and the "
    "word by `write` and `read`",
    "read the clock": "no call of the kernel",
    "connections and queue": "`src/host`",
    "the C library": "copies",
}
LIMITS = ("≤ 1.25", "≤ 1.8", "≤ 0.6", "≥ 10", "≤ 3", "≤ 2", "≤ 1.15",
          "≤ 24 MiB", "≤ 1.5", "0", "0", "0", "≤ 60 s", "≤ 60 s",
          "≤ 200 µs", "≤ 500 µs", "≤ 6 MiB", "0", "≥ 10,000")


def number(value):
    if value == 0 or isinstance(value, int):
        return f"{value:,}"
    if value >= 100:
        return f"{value:,.0f}"
    return f"{value:.2f}" if value < 10 else f"{value:.1f}"


def beside(figure, limit):
    """As number(); what is not the limit does not look like it."""
    text = number(figure)
    if figure != limit and float(text.replace(",", "")) == limit:
        return f"{figure:,.8g}"
    return text


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


def judged(run, measure, begin, limit):
    """The row, judged by this limit; None: not measured."""
    m = found(run, measure, begin)
    if m is not None and limit_text(m) != limit:
        sys.exit(f"report: {begin}: {limit_text(m)}, not {limit}")
    return m


def seen(run, measure, begin, limit):
    """What the table shows of one run, and its verdict; None: not
    measured."""
    m = judged(run, measure, begin, limit)
    if m is None:
        return NONE, None
    text, of_run = beside(m["figure"], m["limit"]), m["verdict"]
    if begin in BEGUN:
        b = judged(run, measure, BEGUN[begin], f"≤ {storm.BEGUN_S:g} s")
        text += " (begun {})".format(
            NONE if b is None else beside(b["figure"], b["limit"]))
        if of_run == "met":
            of_run = "not known to be one" if b is None else b["verdict"]
    return text, of_run


def verdict(them):
    """Of the verdicts of the runs; None: one that has not measured it."""
    have = {x for x in them if x is not None}
    n = them.count("met")
    if not have or have == {"not judged"}:
        return "not judged" if have else NONE
    if n == len(them) == N_RUNS:
        return "met"
    return f"met in {n} of {len(them)}" if n else "**missed**"


def by_name(run):
    return {r["name"]: r for r in run.get("rows", [])}


def not_full(runs, names):
    """Which of these rows had to wait for the load, and in how many runs; one
    that does not say how busy it was is among them."""
    weak = collections.Counter(
        name for run in runs for name in names
        if by_name(run).get(name, {}).get("busy", 0) < rows.BUSY_SHARE)
    return "" if not weak else "; not at its full load: " + ", ".join(
        f"`{name}` in {n} of {len(runs)}" for name, n in weak.items())


def wide(text, limit, figures_of, end):
    """A line of the table, of as many runs as there are."""
    return [text, limit, *figures_of, *[NONE] * (N_RUNS - len(figures_of)),
            end]


def bare(runs):
    """What no host is below: of one run the least of its ratio."""
    them = [by_name(r) for r in runs]
    have = [r for r, rs in zip(runs, them) if set(BARE_USES) <= set(rs)]
    return wide(
        BARE_TEXT, NONE,
        [number(rs["limit"]["cpu_us"] / rs["limit+sign"]["cpu_us"])
         if set(BARE_USES) <= set(rs) else NONE for rs in them],
        "told" + not_full(have, BARE_USES) if have else NONE)


def figures(runs):
    body = []
    for (text, measure, begin), limit in zip(LINES, LIMITS, strict=True):
        them = [seen(r, measure, begin, limit) for r in runs]
        have = [r for r, (_, v) in zip(runs, them) if v is not None]
        body.append(wide(text, limit, [t for t, _ in them],
                         verdict([v for _, v in them])
                         + not_full(have, USES.get(begin, ()))))
        if begin == BARE_AFTER:
            body.append(bare(runs))
    return table(["what", "to reach", "run 1", "run 2", "run 3", "verdict"],
                 body)


def all_of(them, get, text=number):
    """One figure of each run; one that is not there is a dash."""
    out = []
    for r in them:
        try:
            x = get(r)
        except KeyError:
            x = None
        out.append(NONE if x is None else text(x))
    return " / ".join(out)


def grouped(runs, key):
    """name: what each run has of it; one that lacks it has nothing."""
    them = [{x["name"]: x for x in r.get(key, [])} for r in runs]
    return {name: [t.get(name, {}) for t in them]
            for name in dict.fromkeys(n for t in them for n in t)}


def syncs(r):
    """A host counts its batches, where nobody else may count."""
    n = r.get("fsyncs_per_activation", r.get("fsyncs"))
    if n is None:
        return None
    by = r.get("fsyncs_by", "perf")
    return f"{n:.4f}" + ("" if by == "perf" else f" (by {by})")


def percent(share):
    return f"{100 * share:.1f} %"


def ms(key, at=None):
    return lambda r: (r if at is None else r[at])[key] / 1e3


TIMES = (("p50, ms", "p50_us"), ("p99, ms", "p99_us"),
         ("p99.9, ms", "p999_us"), ("worst, ms", "max_us"))


def servers(runs):
    """Each row of the servers: the three figures of each column."""
    by = grouped(runs, "rows")
    if not by:
        return NOTHING

    def part(title, *columns):
        return title + ":\n\n" + table(
            ["row", *(c[0] for c in columns)],
            [[f"`{name}`", *(all_of(them, *c[1:]) for c in columns)]
             for name, them in by.items()])
    return "\n\n".join((
        part("At full load",
             ("activations a second", lambda r: r["activations_per_s"]),
             *((head, ms(key)) for head, key in TIMES)),
        part("At full load, what it costs",
             ("host CPU, µs", lambda r: r["cpu_us"]),
             ("peak RSS, MiB", lambda r: r["rss_kib"] / 1024),
             ("context switches an activation", lambda r: r["switches"],
              "{:.3f}".format),
             ("fsyncs an activation", syncs, str),
             ("busy, of a core", lambda r: r["busy"], percent),
             ("the load busy", lambda r: r["load_busy"], percent)),
        part("At half of that rate; last, one at a time",
             ("activations a second", lambda r: r["half"]["per_s"]),
             *((head, ms(key, "half")) for head, key in TIMES),
             ("host CPU, µs", lambda r: r["half"]["cpu_us"]),
             ("one at a time: p99, ms", ms("p99_us", "one")))))


def growth(runs):
    """Each point of the curves: cost by run, and what stands beside it."""
    body = []
    for curve, what in CURVES.items():
        points = [{p["at"]: p for p in r.get("curves", {}).get(curve, [])}
                  for r in runs]
        for at in sorted(set().union(*points)):
            them = [p.get(at, {}) for p in points]
            cpu = all_of(them, lambda p: p["cpu_us"]).split(" / ")
            body.append([f"{at:,} {what}", *cpu,
                         *[NONE] * (N_RUNS - len(cpu)),
                         all_of(them, ms("p99_us")),
                         all_of(them, lambda p: p["rss_kib"] / 1024)])
    return table(["beside, or with", *(f"host CPU, µs: run {n + 1}"
                                       for n in range(N_RUNS)),
                  "p99, ms", "peak RSS, MiB"], body) if body else NOTHING


def storms(runs):
    """What clients met on the way."""
    columns = (("BUSY", "busy"), ("longest wait told, s", "busy_max_s"),
               ("connect time-outs", "untaken"),
               ("clients that had one", "untaken_clients"),
               ("waited in the host at most", "waiting_max"),
               ("evicted", "evicted"), ("the last has begun, s", "begun_s"),
               ("median, s", "p50_us"), ("p99, s", "p99_us"),
               ("the last holds, s", "last_s"))

    def get(key):
        return lambda r: r[key] / 1e6 if key.endswith("_us") else r[key]
    body = [[name, *(all_of(them, get(key)) for _, key in columns)]
            for name, them in grouped(runs, "storms").items()]
    return table(["storm of", *(c[0] for c in columns)],
                 body) if body else NOTHING


def allocations(runs):
    """By whom, of one request."""
    have = [r.get("allocations", {}) for r in runs]
    body = [[what, *(all_of(have, lambda r: r[key][who], "{:.4f}".format)
                     for who in ("own", "sqlite", "libuv", "others"))]
            for key, what in REQUESTS.items() if any(key in r for r in have)]
    return table(["allocations a request", "our code", "SQLite", "libuv",
                  "others"], body) if body else NOTHING


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


def one_count(runs):
    """Hosts with one count on PostgreSQL, beside SQLite and libpq alone."""
    if not runs:
        return NOTHING
    body = [[name, all_of(them, lambda r: r["per_s"]),
             all_of(them, lambda r: round(r["batch"])),
             all_of(them, lambda r: r["half"]["p50_us"] / 1e3),
             all_of(them, lambda r: r["half"]["p99_us"] / 1e3)]
            for name, them in grouped(runs, "postgresql").items()]
    judged_ones = []
    for what, unit in ONE_COUNT:
        them = [found(r, "postgresql", what) for r in runs]
        have = [m for m in them if m is not None]
        judged_ones.append([
            what + unit,
            " / ".join(dict.fromkeys(NONE if m["limit"] is None
                                     else limit_text(m) for m in have))
            or NONE,
            " / ".join(NONE if m is None else number(m["figure"])
                       for m in them),
            " / ".join(NONE if m is None else m["verdict"].lower()
                       for m in them)])
    return "\n\n".join((
        where(runs),
        table(["", "activations a second", "batch", "p50 at half load, ms",
               "p99 at half load, ms"], body),
        table(["what", "to reach", "reached", "verdict"], judged_ones)))


def range_of(v):
    """The ratio with its least and most; where 1 is among them, the pairs do
    not say which of the two is cheaper."""
    least, most = v["cpu_us_ratio_of"]
    noise = ", within noise" if least <= 1 <= most else ""
    return f"{v['cpu_us_ratio']:.2f} ({least:.2f} to {most:.2f}){noise}"


def variants(them):
    body = [[
        f"{v['what']} (`{v['name']}`)", v["state"],
        f"{v['cpu_us']:.1f}", f"{v['cpu_us_variant']:.1f}", range_of(v),
        f"{v['per_s_ratio']:.2f}", f"{v['one_p50_us_ratio']:.2f}"]
        for v in them]
    return table(["what", "", "as it is, µs", "variant, µs",
                  "CPU, times (least to most)", "activations a second, times",
                  "p50 one at a time, times"], body) if body else NOTHING


def one_machine(them):
    """Of which all are; others, or a commit that is none, are no table."""
    first, *others = [{k: r["machine"][k] for k in OF_MACHINE} for r in them]
    for m in others:
        differs = [f"{k} {first[k]}, {m[k]}" for k in OF_MACHINE
                   if m[k] != first[k]]
        if differs:
            sys.exit("report: different commits or machines: "
                     + "; ".join(differs))
    if first["commit"].endswith(" with changes"):
        sys.exit(f"report: {first['commit']}: of no commit")
    return first


def where(runs, apart=None):
    """Of what and on what; apart: what the run of the variants printed."""
    them = [*runs, *([apart] if apart else [])]
    if not them:
        return NOTHING
    m = one_machine(them)

    def loads(of):
        return ", ".join(f"{r['machine']['load']:.1f}" for r in of)

    def took(of):
        return ", ".join(f"{sum(r['took_s'].values()) / 60:.0f}" for r in of)
    text = (f"Commit {m['commit']}; {m['cores']} cores ({m['cpu']}), "
            f"{m['system']}, {m['build']}, {m['file_system']}"
            + ("" if m["own_network"] else
               ", in the machine's own network"))
    if runs:
        text += f"; load at the start {loads(runs)}; minutes: {took(runs)}"
    if apart:
        text += (f"; the variants: load at the start {loads([apart])}; "
                 f"minutes: {took([apart])}")
    return text + "."


def sections(runs, apart, shared=()):
    return {"figures": where(runs, apart) + "\n\n" + figures(runs),
            "servers": servers(runs), "growth": growth(runs),
            "storms": storms(runs), "budget": budget(runs),
            "allocations": allocations(runs),
            "postgresql": one_count(shared),
            "variants": variants(apart["variants"] if apart else [])}


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
    parser.add_argument("--postgresql", metavar="FILE", action="append")
    parser.add_argument("run", nargs="*")
    args = parser.parse_args()
    paths = args.run or sorted(glob.glob(os.path.join(RUNS, "[0-9]*.json")))
    if len(paths) > N_RUNS:
        sys.exit(f"report: {len(paths)} runs; the table has {N_RUNS}")
    shared = args.postgresql or sorted(glob.glob(
        os.path.join(RUNS, "postgresql*.json")))
    apart = read(args.variants) if os.path.exists(args.variants) else None
    with open(args.into) as f:
        before = f.read()
    after = put(before, sections([read(p) for p in paths], apart,
                                 [read(p) for p in shared]))
    if args.check:
        return 0 if after == before else 1
    with open(args.into, "w") as f:
        f.write(after)
    return 0


if __name__ == "__main__":
    sys.exit(main())
