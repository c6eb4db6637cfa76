#!/usr/bin/env python3
"""Change one thing in the code that decides, and see whether a unit test notices.

usage: mutate.py [--seed S] [--sample N] [--minutes M] [--file PART] [--lines A-B] [--tests PART] [--kept FILE]

A mutant flips a comparison, an && or a bool, moves a number by one, swaps + and -,
negates a condition, drops a statement or turns an error into success. It is compiled
by itself and put before the archives in the link of each test that includes
the file's header; the rest of build/ is as it stands. A test that fails or does
not end within its limit has killed it; the latter are said, too, and judged once
more where the test itself takes longer than it did, the machine being busier.
What survives and cannot be told apart stands in tests/survivors.txt: "FILE | LINE | CHANGE | REASON"; it counts as alive.
An entry that is no mutant of the code as it is, its line being gone, is a failure.

Every mutant has the same chance to be in a sample. The seed is the commit's, so
that each commit draws others and a run can be had again: tests fitted to one
draw say nothing of the next. M minutes end the drawing, not a mutant. Under 90 in
100 killed is a failure: of all, exactly; of a sample, when chance (1 in 40) does
not explain so few; and so is a sample of which fewer than 20 were judged, and of all of
them a survivor without a reason. Mutants that do not build are not counted, but said.

FILE keeps each verdict as it falls, so that a run of hours can be ended and begun
again: a line a mutant, "HASH VERDICT". The hash is of the file as it stands, the
change, and the tests that judge it, so one of them that is other than it was has
its mutants judged anew; what else of the tree they reach is not in it.
"""
import argparse
import concurrent.futures
import hashlib
import json
import os
import random
import re
import shlex
import shutil
import subprocess
import sys
import threading
import time

BUILD = "build"
WORK = os.path.join(BUILD, f"mutation.{os.getpid()}")
FLOOR = 90  # per cent killed
LEAST = 20  # that a sample has judged, or it says nothing
WHOLE_S = 900  # a test that is right ends in less, however busy the machine
VERDICTS = ("killed", "out of time", "survived", "invalid")
FOLDERS = ("wire", "trust", "count", "discovery", "turn", "store")
# without a server no unit test reaches them: tests/e2e/test_cluster.py does
UNREACHED = ("src/store/pg",)
LIFE = ("life", "clockwatch", "request", "state", "statefile")
# hold a machine for long, or read what is no part of a decision
LEFT_OUT = {"test_near_signed", "test_store_alloc", "test_oracle", "test_agent_oracle"}
SWAPS = [(" <= ", " < "), (" < ", " <= "), (" >= ", " > "), (" > ", " >= "),
         (" == ", " != "), (" != ", " == "), (" && ", " || "), (" || ", " && "),
         (" + ", " - "), (" - ", " + "), ("return true;", "return false;"),
         ("return false;", "return true;")]


def sources():
    names = [f"src/{d}/{f}" for d in FOLDERS for f in sorted(os.listdir(f"src/{d}"))]
    return [n for n in names if n.endswith(".c") and not n.startswith(UNREACHED)] + [f"src/client/{n}.c" for n in LIFE]


def code_lines(text):
    """Line numbers within functions, without comments and asserts."""
    inside = comment = False
    for i, line in enumerate(text):
        bare = line.strip()
        was_comment = comment
        if "/*" in bare:
            comment = "*/" not in bare
        elif "*/" in bare:
            comment = False
        if line.startswith("{"):
            inside = True
        elif line.startswith("}"):
            inside = False
        elif inside and not was_comment and not comment and bare and \
                not bare.startswith(("/*", "#", "assert(", "case ", "_Static")):
            yield i


def mutants(path):
    """(line number, changed line, what) of a file."""
    text = open(path).read().split("\n")
    for i in code_lines(text):
        line = text[i]
        code = line.split("/*")[0]
        for old, new in SWAPS:
            for m in re.finditer(re.escape(old), code):
                yield i, line[:m.start()] + new + line[m.end():], f"{old.strip()} to {new.strip()}"
        for m in re.finditer(r"(?<![\w.\"'])(\d+)(?=[U;,) \]])", code):
            if '"' not in code and "case" not in code:
                more = str(int(m.group(1)) + 1)
                yield i, line[:m.start()] + more + line[m.end():], f"{m.group(1)} to {more}"
        m = re.match(r"(\s*(?:\} else )?if \()(.*)(\)( \{)?)$", code.rstrip())
        if m and m.group(2).count("(") == m.group(2).count(")"):
            yield i, f"{m.group(1)}!({m.group(2)}){m.group(3)}", "negated"
        if re.match(r"\s*return MUSTER_E_\w+;$", code.rstrip()):
            yield i, re.sub(r"MUSTER_E_\w+", "0", line), "error to 0"
        # a whole statement in a line, after one that ended
        if re.match(r"\t+(\(void\))?[a-z][\w>.\[\]+*-]*( [-+|^&]?= .*|\(.*\)|\+\+|--);$", code.rstrip()) and \
                text[i - 1].rstrip().endswith((";", "{", "}", ")", "*/", "else", "")):
            yield i, "\t;", "dropped"


def with_fixtures(src):
    """A test's text, and that of the headers of tests/unit that it includes."""
    text = src
    for fixture in re.findall(r'#include "(\w+\.h)"', src):
        p = os.path.join("tests/unit", fixture)
        if os.path.exists(p):
            text += open(p).read()
    return text


def tests_of(path, all_tests):
    """Tests that include the header, or one that includes it, or of its name."""
    stem = os.path.basename(path)[:-2]
    folder = path.split("/")[1]
    # one header of two sources, and what only other headers show
    head = {"tsig_key": "discovery/tsig.h", "statefile": "client/state.h"}.get(stem, f"{folder}/{stem}.h")
    found = []
    for name, src in all_tests.items():
        text = with_fixtures(src)
        if f'"{head}"' in text or name == "test_" + stem or name.startswith(f"test_{stem}_") or \
                (folder == "store" and name.startswith("test_store")) or \
                (stem in ("catalogue", "catalogue_write") and "catalogue" in name):
            found.append(name)
    return found


def commit_seed():
    said = subprocess.run(["git", "rev-parse", "--short=8", "HEAD"], capture_output=True, text=True)
    return int(said.stdout, 16) if said.returncode == 0 else 1


def highest(rate, n):
    """Of the true rate, with the sample's (Wilson's interval, 95 in 100), per cent."""
    z, p = 1.96, rate / 100
    return 100 * (p + z * z / (2 * n) + z * (p * (1 - p) / n + z * z / (4 * n * n)) ** 0.5) / (1 + z * z / n)


def hashes(chosen, all_tests):
    """Of what each verdict hangs on; another text of any has it judged anew."""
    of = {}
    for path, line, changed, what in chosen:
        if path not in of:
            names = sorted(tests_of(path, all_tests))
            parts = [path, open(path).read(), *names, *(with_fixtures(all_tests[n]) for n in names)]
            of[path] = hashlib.sha256("\0".join(parts).encode())
        own = of[path].copy()
        own.update(f"\0{line}\0{changed}\0{what}".encode())
        yield own.hexdigest()


class Kept:
    """Verdicts of earlier runs, in a file that grows by a line a mutant."""

    def __init__(self, path):
        self.path, self.known, self.lock = path, {}, threading.Lock()
        if path and os.path.exists(path):
            for row in open(path):
                key, _, verdict = row.rstrip("\n").partition(" ")
                if row.endswith("\n") and verdict in VERDICTS:  # a whole one
                    self.known[key] = verdict

    def get(self, key):
        return self.known.get(key)

    def add(self, key, verdict):
        if self.path and verdict in VERDICTS:
            with self.lock, open(self.path, "a") as f:
                f.write(f"{key} {verdict}\n")


class Runner:
    def __init__(self, minutes):
        self.end = time.monotonic() + 60 * minutes if minutes else float("inf")
        self.compile = {}
        for c in json.load(open(f"{BUILD}/compile_commands.json")):
            p = os.path.normpath(os.path.join(c["directory"], c["file"]))
            self.compile[os.path.relpath(p)] = c["command"]
        self.links, self.limits = {}, {}
        self.tests, self.words = {}, {}
        for t in json.load(open(f"{BUILD}/meson-info/intro-tests.json")):
            self.words[os.path.basename(t["cmd"][0])] = [os.path.abspath(w) if os.path.exists(w) else w for w in t["cmd"][1:]]
        for f in sorted(os.listdir("tests/unit")):
            name = f[:-2]
            if f.startswith("test_") and f.endswith(".c") and name not in LEFT_OUT and \
                    os.path.exists(f"{BUILD}/tests/{name}"):
                self.tests[name] = open(f"tests/unit/{f}").read()

    def link(self, name):
        if name not in self.links:
            out = subprocess.run(["ninja", "-C", BUILD, "-t", "commands", f"tests/{name}"],
                                 capture_output=True, text=True, check=True).stdout
            self.links[name] = shlex.split(out.strip().split("\n")[-1])
        return list(self.links[name])

    def limit(self, name, anew=False):
        if anew or name not in self.limits:
            begin = time.time()
            self.run(f"{BUILD}/tests/{name}", name, WHOLE_S).check_returncode()
            self.limits[name] = 5 + 10 * (time.time() - begin)
        return self.limits[name]

    def run(self, program, name, most_s):
        """A test, or what was made of it, with the test's own words."""
        return subprocess.run([program, *self.words.get(name, [])], stdout=subprocess.DEVNULL,
                              stderr=subprocess.DEVNULL, timeout=most_s)

    def fails(self, program, name):
        """killed, out of time or survived"""
        for _ in range(2):
            most_s = self.limit(name)
            try:
                return "killed" if self.run(program, name, most_s).returncode else "survived"
            except subprocess.TimeoutExpired:
                # the machine may be busier than it was
                if self.limit(name, anew=True) < 1.5 * most_s:
                    break
        return "out of time"

    def judge(self, number, mutant):
        """killed, out of time, survived or invalid"""
        path, line, changed, what = mutant
        if time.monotonic() > self.end:
            return "not begun"
        folder = os.path.abspath(f"{WORK}/{number}")
        shutil.rmtree(folder, ignore_errors=True)
        os.makedirs(folder)
        text = open(path).read().split("\n")
        text[line] = changed
        src = f"{folder}/{os.path.basename(path)}"
        open(src, "w").write("\n".join(text))
        cmd = [a for a in shlex.split(self.compile[path]) if a != "-Werror"]
        cmd[cmd.index("-o") + 1] = f"{folder}/m.o"
        cmd[cmd.index("-c") + 1] = src
        for flag in ("-MD", "-MQ", "-MF"):
            at = cmd.index(flag)
            del cmd[at:at + (1 if flag == "-MD" else 2)]
        verdict = "survived"
        if subprocess.run(cmd + ["-w", "-O1", "-iquote", os.path.dirname(path)], cwd=BUILD,
                          capture_output=True).returncode:
            verdict = "invalid"
        else:
            # the quick ones first: most mutants never meet the slow
            for name in sorted(tests_of(path, self.tests), key=self.limit):
                link = self.link(name)
                link[link.index("-o") + 1] = f"{folder}/t"
                at = next(i for i, a in enumerate(link) if a.endswith(".o"))
                link.insert(at + 1, f"{folder}/m.o")
                if subprocess.run(link, cwd=BUILD, capture_output=True).returncode:
                    verdict = "invalid"
                    break
                verdict = self.fails(f"{folder}/t", name)
                if verdict != "survived":
                    break
        shutil.rmtree(folder)
        return verdict


def known():
    out = {}
    if os.path.exists("tests/survivors.txt"):
        for row in open("tests/survivors.txt"):
            parts = [p.strip() for p in row.split(" | ")]
            if not row.startswith("#") and len(parts) == 4:
                out[tuple(parts[:3])] = parts[3]
    return out


def gone():
    """Entries of survivors.txt that are no mutant any more."""
    can = {(p, open(p).read().split("\n")[m[0]].strip(), m[2]) for p in sources() for m in mutants(p)}
    return [" | ".join(k) for k in known() if k not in can]


def main():
    ap = argparse.ArgumentParser()
    ap.add_argument("--seed", type=int, default=commit_seed())
    ap.add_argument("--sample", type=int, default=0)
    ap.add_argument("--minutes", type=float, default=0)
    ap.add_argument("--file", default="")
    ap.add_argument("--tests", default="", help="judge by these alone, while one is written")
    ap.add_argument("--lines", default="1-1000000")
    ap.add_argument("--kept", default="", help="verdicts of earlier runs, and of this")
    args = ap.parse_args()
    lost = gone()
    for row in lost:
        print(f"in survivors.txt, and no mutant: {row}")
    if lost:
        return 1
    first, last = (int(n) for n in args.lines.split("-"))
    if os.path.isdir("/dev/shm"):  # no verdict hangs on how long a sync takes
        os.environ["TMPDIR"] = "/dev/shm"
    every = [(p, *m) for p in sources() if args.file in p for m in mutants(p)
             if first <= m[0] + 1 <= last]
    chosen = every
    if args.sample and args.sample < len(every):
        chosen = random.Random(args.seed).sample(every, args.sample)
    runner, reasons = Runner(args.minutes), known()
    runner.tests = {n: t for n, t in runner.tests.items() if args.tests in n}
    kept = Kept(args.kept)
    keys = list(hashes(chosen, runner.tests)) if args.kept else [""] * len(chosen)
    n_kept = sum(kept.get(k) is not None for k in keys)
    names = sorted({t for m, k in zip(chosen, keys) if kept.get(k) is None for t in tests_of(m[0], runner.tests)})
    count = dict.fromkeys((*VERDICTS, "not begun"), 0)

    def judge(number, mutant, key):
        verdict = kept.get(key)
        if verdict is None:
            verdict = runner.judge(number, mutant)
            kept.add(key, verdict)
        return verdict
    files = {}
    explained = stale = 0
    with concurrent.futures.ThreadPoolExecutor(2) as pool:
        list(pool.map(runner.link, names))
        list(pool.map(runner.limit, names))
        for m, verdict in zip(chosen, pool.map(judge, range(len(chosen)), chosen, keys)):
            path, line, _changed, what = m
            text = open(path).read().split("\n")[line].strip()
            count[verdict] += 1
            if verdict not in ("invalid", "not begun"):
                f = files.setdefault(path, [0, 0])
                f[0] += verdict != "survived"
                f[1] += 1
            if verdict == "survived":
                if (path, text, what) in reasons:
                    explained += 1
                else:
                    print(f"survived: {path}:{line + 1} | {text} | {what}", flush=True)
            elif verdict in ("killed", "out of time") and (path, text, what) in reasons:
                # another line of the same text may be the one that is meant
                stale += 1
                print(f"killed, though in survivors.txt: {path}:{line + 1} | {text} | {what}")
    shutil.rmtree(WORK, ignore_errors=True)
    folders = {}
    for path, (killed, judged) in files.items():
        f = folders.setdefault(os.path.dirname(path) + "/", [0, 0])
        f[0] += killed
        f[1] += judged
    for path, (killed, judged) in sorted(files.items()) + sorted(folders.items()):
        print(f"{path}: {killed} of {judged} killed, {100 * killed / judged:.0f} %")
    killed = count["killed"] + count["out of time"]
    n = killed + count["survived"]
    rate = 100 * killed / n if n else 0
    top = highest(rate, n) if 0 < n < len(every) - count["invalid"] else rate
    print(f"seed {args.seed}: {n} of {len(every)} mutants, {killed} killed ({count['out of time']} of them by time), {rate:.1f} %"
          f"{f' (up to {top:.1f} by chance)' if top != rate else ''}, "
          f"{explained} survivors explained, {count['survived'] - explained} not; "
          f"{count['invalid']} did not build, {count['not begun']} not begun in time"
          f"{f', {n_kept} judged before' if args.kept else ''}")
    # of all of them none survives without a reason; a few say nothing
    is_whole = n == len(every) - count["invalid"]
    return 0 if n >= min(LEAST, len(chosen) - count["invalid"]) and n and top >= FLOOR and not (
        is_whole and count["survived"] > explained) else 1


if __name__ == "__main__":
    os.chdir(os.path.join(os.path.dirname(os.path.abspath(__file__)), ".."))
    sys.exit(main())
