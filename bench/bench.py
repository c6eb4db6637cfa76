#!/usr/bin/python3
# SPDX-License-Identifier: MIT
"""Figures, measured: what, figure, limit, verdict.

Each figure comes from real programs in one temporary folder.  Exit 1: a limit
is missed, or something was not measured.
"""
import argparse
import os
import resource
import subprocess
import sys
import tempfile
from dataclasses import dataclass

HERE = os.path.dirname(os.path.abspath(__file__))
REPO = os.path.dirname(HERE)
for folder in ("tools", "tests/e2e"):
    sys.path.insert(0, os.path.join(REPO, folder))

import authority  # noqa: E402
import client  # noqa: E402
import host  # noqa: E402
import publisher  # noqa: E402

MEASURES = {**client.MEASURES, **host.MEASURES, **authority.MEASURES}
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


def judge(row):
    if row.limit is None:
        return Verdict("told", True)
    if row.figure <= row.limit:
        return Verdict("met", True)
    return Verdict("MISSED", False)


def show(row):
    """Print a row; whether it is good."""
    verdict = judge(row)
    limit = "-" if row.limit is None else number(row.limit)
    figure = f"{number(row.figure)} {row.unit}".strip()
    print(LINE.format(row.what, figure, row.worst, limit, verdict.text))
    if row.note:
        print(f"    {row.note}")
    sys.stdout.flush()
    return verdict.is_good


def measure(name, site):
    """All rows of a measure, shown; whether each was taken and is good."""
    is_good, n = True, 0
    try:
        for row in MEASURES[name](site):
            n += 1
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


def head(folder):
    uname = os.uname()
    load = os.getloadavg()[0]
    print(f"machine: {os.cpu_count()} cores, {uname.sysname} "
          f"{uname.release} {uname.machine}; load {load:.1f} at the start; "
          f"{said_by('stat', '-f', '-c', '%T', folder) or 'unknown'} "
          f"under {os.path.dirname(folder)}")
    commit = said_by("git", "rev-parse", "--short=12", "HEAD")
    changed = said_by("git", "status", "--porcelain", "-uno")
    print(f"commit:  {commit or 'not a checkout'}"
          f"{' with changes' if changed else ''}\n")
    print(LINE.format("what", "figure", "p99, worst", "limit", "verdict"))


def open_files():
    """A connection is a descriptor, at both ends."""
    most = resource.getrlimit(resource.RLIMIT_NOFILE)[1]
    resource.setrlimit(resource.RLIMIT_NOFILE, (most, most))


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    # a folder for temporary files is often memory, and syncs nothing
    parser.add_argument("--dir", default="/var/tmp", metavar="DIR",
                        help="where the temporary folder is made")
    parser.add_argument("name", nargs="*", metavar="NAME",
                        help="one of " + ", ".join(MEASURES))
    args = parser.parse_args()
    for name in args.name:
        if name not in MEASURES:
            parser.error(f"no measure {name}; there are "
                         + ", ".join(MEASURES))
    open_files()
    with tempfile.TemporaryDirectory(prefix="muster-bench.",
                                     dir=args.dir) as folder:
        head(folder)
        site = publisher.BenchSite(folder)
        try:
            good = [measure(name, site)
                    for name in args.name or list(MEASURES)]
        finally:
            site.stop()
    return 0 if all(good) else 1


if __name__ == "__main__":
    sys.exit(main())
