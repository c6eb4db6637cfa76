# SPDX-License-Identifier: MIT
"""What each optimisation is worth: the host beside itself without it, or with
one that was dropped.  A file bench/variants/NAME.patch says in its first line
which of the two it is; it is built from a copy of the tree.  The two run pair
by pair, in turn, so that what the machine does to one it does to the other."""
import contextlib
import glob
import os
import re
import shutil
import statistics
import subprocess
from dataclasses import dataclass

import demo
import publisher
import rows
from publisher import Row

PAIRS = 9
WARM_S, SECONDS, ONE_SECONDS = 0.1, 0.5, 0.2  # at full load; of one at a time
FOLDER = os.path.join(demo.REPO, "bench/variants")
BUILD = ("build.ninja", ".ninja_deps", ".ninja_log", "meson-private", "src")
FIGURES = ("cpu_us", "per_s", "one_p50_us", "one_p99_us")


@dataclass
class Variant:
    name: str
    patch: str
    state: str  # kept: undone by the patch; dropped: done by it
    what: str


def variants():
    out = []
    for path in sorted(glob.glob(os.path.join(FOLDER, "*.patch"))):
        name = os.path.basename(path).removesuffix(".patch")
        with open(path) as f:
            m = re.fullmatch(r"(kept|dropped): (\S.*)", f.readline().strip())
        if m is None:
            raise RuntimeError(f"{name}: the first line says neither kept "
                               "nor dropped")
        out.append(Variant(name, path, *m.groups()))
    return sorted(out, key=lambda v: v.state != "kept")


def quietly(*args, cwd):
    p = subprocess.run(args, cwd=cwd, stdout=subprocess.PIPE,
                       stderr=subprocess.STDOUT, text=True)
    if p.returncode != 0:
        raise RuntimeError(f"{' '.join(args)}: exit {p.returncode}\n"
                           f"{p.stdout}")


def copy_tree(to):
    """The sources, and what of them is built, as old as it is."""
    shutil.copytree(demo.REPO, to, symlinks=True,
                    ignore=shutil.ignore_patterns("build", ".git", ".*cache",
                                                  "__pycache__",
                                                  "node_modules"))
    os.mkdir(os.path.join(to, "build"))
    for name in BUILD:
        at, new = (os.path.join(d, "build", name) for d in (demo.REPO, to))
        copy = shutil.copytree if os.path.isdir(at) else shutil.copy2
        copy(at, new)


def build(tree, variant, to):
    """A folder with its musterd."""
    os.makedirs(to)
    if variant is not None:
        quietly("patch", "-s", "-p0", "-i", variant.patch, cwd=tree)
    try:
        quietly("ninja", "-C", "build", "src/musterd", cwd=tree)
        shutil.copy(os.path.join(tree, "build/src/musterd"), to)
    finally:
        if variant is not None:
            quietly("patch", "-s", "-R", "-p0", "-i", variant.patch, cwd=tree)
    return to


@contextlib.contextmanager
def hosts(site, them):
    """name: a host that runs, for None (as it is) and for each variant."""
    tree, out = site.path("variants"), {}
    copy_tree(tree)
    try:
        for v in [None, *them]:
            name = "" if v is None else v.name
            s = publisher.BenchSite(site.path(f"variant-{name}"))
            os.makedirs(s.folder)
            s.bin = build(tree, v, site.path(f"variant-{name}", "bin"))
            out[name] = s
            s.running()
        yield out
    finally:
        for s in out.values():
            s.stop()


def look(s):
    """The figures of one host, now."""
    def load(**more):
        return rows.load(s, s.port, [s.daemon.pid],
                         *rows.asking(s, "--share", "--warm", WARM_S), **more)
    full = load(seconds=SECONDS)
    one = load(seconds=ONE_SECONDS, connections=1)
    return {"cpu_us": full["cpu_us"], "per_s": full["per_s"],
            "one_p50_us": one["p50_us"], "one_p99_us": one["p99_us"]}


def compared(them):
    """Of pairs (as it is, the variant): the median of what the variant has
    times of what the other one has, and of the costs the least and most."""
    out = {}
    for key in FIGURES:
        ratios = [b[key] / a[key] for a, b in them]
        out[key] = statistics.median(a[key] for a, _ in them)
        out[key + "_variant"] = statistics.median(b[key] for _, b in them)
        out[key + "_ratio"] = round(statistics.median(ratios), 3)
        if key == "cpu_us":
            out["cpu_us_ratio_of"] = [round(f(ratios), 3) for f in (min, max)]
    return out


def shown(r):
    least, most = r["cpu_us_ratio_of"]
    return Row(
        f"{r['name']} ({r['state']}): CPU, times ours", r["cpu_us_ratio"], "",
        f"{least:.2f} to {most:.2f}", None,
        f"{r['state']}: {r['what']}; {r['cpu_us']:.1f} µs with what is in "
        f"force, {r['cpu_us_variant']:.1f} with the variant; activations a "
        f"second × {r['per_s_ratio']:.2f}; one at a time p50 × "
        f"{r['one_p50_us_ratio']:.2f}, p99 × {r['one_p99_us_ratio']:.2f}")


def measure(site):
    them = variants()
    pairs = {v.name: [] for v in them}
    with hosts(site, them) as running:
        for n in range(PAIRS):
            for v in them:
                pair = ["", v.name]
                # who is first has no advantage
                got = {k: look(running[k]) for k in pair[::(-1) ** n]}
                pairs[v.name].append((got[""], got[v.name]))
    site.result["variants"] = [
        {"name": v.name, "state": v.state, "what": v.what,
         "pairs": PAIRS, **compared(pairs[v.name])} for v in them]
    yield from map(shown, site.result["variants"])


BY_NAME = {"variants": measure}  # not part of a whole run
