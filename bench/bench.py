#!/usr/bin/python3
# SPDX-License-Identifier: MIT
"""Figures, measured: what, figure, limit, verdict.

Each figure comes from real programs in one temporary folder.  Exit 1: a limit
is missed, or something was not measured.
"""
import argparse
import json
import os
import resource
import shutil
import subprocess
import sys
import tempfile
import time
from dataclasses import dataclass

HERE = os.path.dirname(os.path.abspath(__file__))
REPO = os.path.dirname(HERE)
for folder in ("tools", "tests/e2e"):
    sys.path.insert(0, os.path.join(REPO, folder))

import allocs  # noqa: E402
import authority  # noqa: E402
import client  # noqa: E402
import curves  # noqa: E402
import host  # noqa: E402
import planner  # noqa: E402
import plot  # noqa: E402
import postgresql  # noqa: E402
import publisher  # noqa: E402
import rows  # noqa: E402
import statuspage  # noqa: E402
import steps  # noqa: E402
import storm  # noqa: E402
import tables  # noqa: E402
import variants  # noqa: E402

MEASURES = {**rows.MEASURES, **curves.MEASURES, **storm.MEASURES,
            **allocs.MEASURES, **steps.MEASURES, **client.MEASURES, **host.MEASURES,
            **authority.MEASURES, **planner.MEASURES,
            **statuspage.MEASURES,
            **postgresql.MEASURES}
BY_NAME = {**variants.BY_NAME,
           **tables.BY_NAME}  # of what is not measured unless it is named
# Of what is judged there, server and load have a core each.
APART = {"rows", "idle", "clients", "groups", "storm", "authority", "page"}
LINE = "{:<46} {:>17} {:>22} {:>9}  {}"


@dataclass
class Verdict:
    text: str
    is_good: bool


def number(value):
    """Three digits that count; whole numbers as they are."""
    if isinstance(value, int) or value >= 100:
        return f"{value:,.0f}"
    return f"{value:.2f}" if value < 10 else f"{value:.1f}"


def beside(figure, limit):
    """As number(); what is not the limit does not look like it."""
    text = number(figure)
    if limit is not None and figure != limit and text == number(float(limit)):
        return f"{figure:,.8g}"
    return text


def judge(row):
    if row.limit is None:
        return Verdict("told", True)
    if not row.is_judged:
        return Verdict("not judged", False)
    if row.figure >= row.limit if row.at_least else row.figure <= row.limit:
        return Verdict("met", True)
    return Verdict("MISSED", False)


def show(row):
    """Print a row; whether it is good."""
    verdict = judge(row)
    limit = "-" if row.limit is None else number(row.limit)
    figure = f"{beside(row.figure, row.limit)} {row.unit}".strip()
    print(LINE.format(row.what, figure, row.worst, limit, verdict.text))
    if row.note:
        print(f"    {row.note}")
    sys.stdout.flush()
    return verdict.is_good


def keep(site, name, row):
    site.result["measures"].append({
        "measure": name, "what": row.what, "figure": row.figure,
        "unit": row.unit, "limit": row.limit, "at_least": row.at_least,
        "verdict": judge(row).text,
        "note": row.note})


def measure(name, site):
    """As rows_of(), with how long it took."""
    begin = time.monotonic()
    is_good = rows_of(name, site)
    took = time.monotonic() - begin
    print(f"    {name}: {took:.0f} s")
    sys.stdout.flush()
    site.result["took_s"][name] = round(took, 1)
    return is_good


def rows_of(name, site):
    """All rows of a measure, shown; whether each was taken and is good."""
    is_good, n = True, 0
    try:
        for row in {**MEASURES, **BY_NAME}[name](site):
            n += 1
            if name in APART and publisher.is_one_core():
                row.is_judged = False
                row.note += "; server and load share one core: not judged"
                row.note = row.note.removeprefix("; ")
            keep(site, name, row)
            is_good = show(row) and is_good
    except (Exception, SystemExit) as e:
        print(LINE.format(name, "-", "-", "-", "NOT MEASURED"))
        print(f"    {type(e).__name__}: {e}")
        return False
    if n == 0:
        print(LINE.format(name, "-", "-", "-", "NOT MEASURED"))
    return is_good and n > 0


def said_by(*args):
    p = subprocess.run(args, capture_output=True, text=True, cwd=REPO)
    return p.stdout.strip() if p.returncode == 0 else ""


def build_type():
    """How the programs were made; with a sanitizer nothing is measured."""
    with open(os.path.join(REPO,
                           "build/meson-info/intro-buildoptions.json")) as f:
        options = {o["name"]: o["value"] for o in json.load(f)}
    if options["b_sanitize"] != "none":
        sys.exit(f"bench: build/ has the sanitizer {options['b_sanitize']}; "
                 "configure it without")
    return f"{options['buildtype']}, -O{options['optimization']}"


def machine(folder):
    uname = os.uname()
    commit = said_by("git", "rev-parse", "--short=12", "HEAD")
    changed = said_by("git", "status", "--porcelain", "-uno")
    return {
        "cores": os.cpu_count(),
        "cpu": said_by("sed", "-n", "s/^model name.*: //p;T;q",
                       "/proc/cpuinfo"),
        "system": f"{uname.sysname} {uname.release} {uname.machine}",
        "build": build_type(),
        "load": os.getloadavg()[0],
        "file_system": said_by("stat", "-f", "-c", "%T", folder) or "unknown",
        "folder": os.path.dirname(folder),
        "own_network": publisher.NAMESPACE in os.environ,
        "commit": (commit or "not a checkout")
        + (" with changes" if changed else "")}


def head(m):
    print(f"machine: {m['cores']} cores, {m['system']}; load {m['load']:.1f} "
          f"at the start; {m['file_system']} under {m['folder']}; "
          f"{m['build']}"
          + ("" if m["own_network"] else "; in the machine's own network: "
             "the load's addresses are exempt"))
    print(f"commit:  {m['commit']}\n")
    print(LINE.format("what", "figure", "p99, worst", "limit", "verdict"))


def open_files():
    """A connection is a descriptor, at both ends."""
    most = resource.getrlimit(resource.RLIMIT_NOFILE)[1]
    resource.setrlimit(resource.RLIMIT_NOFILE, (most, most))


def into_namespace():
    """A network of our own: connections that wait to be forgotten are many,
    and are nobody else's.  Where that is not allowed, we go on without."""
    wrap = publisher.namespace()
    if publisher.NAMESPACE in os.environ or \
            shutil.which("unshare") is None or \
            subprocess.run([*wrap, "true"],
                           stderr=subprocess.DEVNULL).returncode != 0:
        return
    os.execvpe(wrap[0], [*wrap, sys.executable, *sys.argv],
               {**os.environ, publisher.NAMESPACE: "1"})


def run_all(names, site):
    try:
        good = [measure(name, site) for name in names]
    finally:
        site.stop()
    return all(good)


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    # a folder for temporary files is often memory, and syncs nothing
    parser.add_argument("--dir", default="/var/tmp", metavar="DIR",
                        help="where the temporary folder is made")
    parser.add_argument("--json", action="store_true",
                        help="the figures as one object, alone")
    parser.add_argument("--plot", metavar="FILE",
                        help="where the drawing goes (build/bench.svg; of "
                        "measures named, build/bench-NAME.svg)")
    parser.add_argument("name", nargs="*", metavar="NAME",
                        help="one of " + ", ".join(MEASURES)
                        + "; only when named: " + ", ".join(BY_NAME))
    args = parser.parse_args()
    for name in args.name:
        if name not in MEASURES and name not in BY_NAME:
            parser.error(f"no measure {name}; there are "
                         + ", ".join([*MEASURES, *BY_NAME]))
    if args.plot is None:
        args.plot = os.path.join(REPO, "build",
                                 "-".join(["bench", *args.name]) + ".svg")
    into_namespace()
    open_files()
    out = sys.stdout
    if args.json:
        sys.stdout = sys.stderr
    with tempfile.TemporaryDirectory(prefix="muster-bench.",
                                     dir=args.dir) as folder:
        site = publisher.BenchSite(folder)
        site.result.update(machine=machine(folder), measures=[], took_s={})
        head(site.result["machine"])
        is_good = run_all(args.name or list(MEASURES), site)
    if site.result.get("rows") or site.result.get("curves"):
        with open(args.plot, "w") as f:
            f.write(plot.svg(site.result))
        print(f"\nplot:    {os.path.relpath(args.plot)}")
    if args.json:
        json.dump(site.result, out, indent=1)
        out.write("\n")
    return 0 if is_good else 1


if __name__ == "__main__":
    sys.exit(main())
