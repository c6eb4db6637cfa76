# SPDX-License-Identifier: MIT
"""Allocations a request after the start, by who makes them: our code, libuv,
SQLite, all others.  The host is another one with a counter preloaded."""
import os
import statistics
import struct

import curves
import demo
import publisher
import rows
from publisher import Row

COUNTER = os.path.join(demo.REPO, "build/tests/own_alloc.so")
WHO = ("our code", "libuv", "SQLite", "others")
KEYS = ("own", "libuv", "sqlite", "others")
FORMAT = f"={len(WHO)}Q"
# The folders of catalogues are listed every two seconds, which is nobody's
# request; what a request allocates is there in each of these.
WINDOWS = 5
REQUESTS = 4000  # in each
WARM = 2000


def counted(site, path):
    """A host that counts its allocations in a file."""
    with open(path, "wb") as f:
        f.write(bytes(struct.calcsize(FORMAT)))
    s = curves.new_site(site, "allocs")
    s.running()
    s.stop()
    before = {k: os.environ.get(k) for k in ("LD_PRELOAD", "OWN_ALLOC_FILE")}
    os.environ.update(LD_PRELOAD=COUNTER, OWN_ALLOC_FILE=path)
    try:
        s.start()
    finally:
        for k, v in before.items():
            os.environ.pop(k)
            if v is not None:
                os.environ[k] = v
    return s


def taken(read, ask, options):
    """What each one allocates per request, in one window."""
    before = read()
    n = ask(REQUESTS, options)
    return [(b - a) / n for a, b in zip(before, read())]


def least(windows):
    """Of our code the window with the least, of the others the mean."""
    ours, *others = zip(*windows)
    return [min(ours), *map(statistics.mean, others)]


def told(site, what, key, windows):
    """The row, and what --json prints: a request's, by who makes them."""
    per = least(windows)
    site.result.setdefault("allocations", {})[key] = dict(zip(KEYS, per))
    rows.keep_ratio(site, "allocations_" + what.replace(" ", "_"), per[0])
    return Row(f"allocations a request by {WHO[0]}, {what}", per[0], "", "",
               0, "the windows: " + ", ".join(f"{w[0]:.6g}" for w in windows)
               + "; beside it " + ", ".join(
                   f"{who} {x:.4f}" for who, x in zip(WHO[1:], per[1:]))
               + publisher.exempt())


def allocations(site):
    path = site.path("allocations")
    s = counted(site, path)

    def read():
        with open(path, "rb") as f:
            return struct.unpack(FORMAT, f.read())

    def ask(n, options):
        return rows.load(s, s.port, [s.daemon.pid], *options(),
                         "--requests", n)["total"]
    try:
        for what, key, options in (
                ("renewals", "renewals", lambda: rows.asking(s, "--share")),
                ("certificate asked for", "certificate",
                 lambda: rows.asking(s)),
                ("first contacts", "first", lambda: rows.first_contacts(s))):
            ask(WARM, options)
            windows = [taken(read, ask, options) for _ in range(WINDOWS)]
            if min(read()[:3]) == 0:
                raise RuntimeError("the counter sees nothing")
            yield told(site, what, key, windows)
    finally:
        s.stop()


MEASURES = {"allocations": allocations}
