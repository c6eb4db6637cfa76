# SPDX-License-Identifier: MIT
"""Where the host's time goes for one activation: samples of its threads at
full load, each counted for the step that it was found in."""
import collections
import os
import re
import subprocess

import publisher
import rows
from publisher import Row

FREQUENCY = 4000
# Where the most of it stands there, symbols are missing.
REST = ("interrupts, and entry to the kernel", "other system calls",
        "the rest of musterd")
REST_SHARE = 0.25
# System calls, by what they are for.
CALLS = {
    "accept4": "accept", "accept": "accept", "getpeername": "accept",
    "setsockopt": "accept", "recvfrom": "read the call", "recvmsg": "read the call",
    "sendto": "send the reply", "sendmsg": "send the reply",
    "shutdown": "send the reply", "close": "close",
    "epoll_ctl": "the loop", "epoll_wait": "the loop",
    "epoll_pwait": "the loop", "futex": "the two threads wait",
    # the word between them, by which each wakes the other's loop
    "read": "the two threads wait", "write": "the two threads wait",
    "fsync": "write and sync", "fdatasync": "write and sync",
    "pwrite64": "write and sync", "pread64": "write and sync",
    "fcntl": "write and sync",
}
# Our functions, by the beginning of their names.
OURS = (
    (("rpc_", "wire_", "rd_", "wr_", "reader_", "writer_"),
     "decode and encode"),
    (("turn_", "count_", "cert_", "label_", "lease_", "cat_"),
     "judge, count, sign: our part"),
    (("store_", "sqlite_", "worker_", "clients_", "journal_"),
     "journal: our part"),
    (("conn_", "source", "turnloop_", "admit_"), "connections and queue"),
)


def step_of(chain):
    """(symbol, object) from the innermost frame out."""
    for symbol, _ in chain:
        m = re.match(r"__(?:x64|ia32|arm64)_sys_(\w+)", symbol)
        if m:
            return CALLS.get(m[1], "other system calls")
    symbol, dso = chain[0]
    if dso == "[vdso]":
        return "read the clock"
    if "kernel" in dso or dso.startswith("["):
        return "interrupts, and entry to the kernel"
    for name, step in (("libsodium", "sign and hash: libsodium"),
                       ("libsqlite3", "journal: SQLite"),
                       ("libuv", "the loop"), ("libc", "the C library")):
        if name in os.path.basename(dso):
            return step
    for names, step in OURS:
        if symbol.startswith(names):
            return step
    return "the rest of musterd"


def samples(path):
    text = subprocess.run(["perf", "script", "-i", path, "-F", "comm,ip,sym,dso"],
                          capture_output=True, text=True, check=True).stdout
    for block in text.split("\n\n"):
        frames = re.findall(r"^\s+[0-9a-f]+ (\S+).* \((.*)\)$", block, re.M)
        if frames:
            yield step_of(frames)


def sampled(site, options):
    """One run at full load, and how often each step was found."""
    path = site.path("steps.data")
    p = subprocess.Popen(["perf", "record", "-q", "-g", "-F", str(FREQUENCY),
                          "-o", path, "-p", str(site.daemon.pid)],
                         stderr=subprocess.DEVNULL)
    try:
        r = rows.load(site, site.port, [site.daemon.pid], *options)
    finally:
        p.send_signal(2)
        p.wait()
    return r, collections.Counter(samples(path))


def shared_out(found, cpu_us):
    """Of so many samples of each step: its part of the time."""
    total = sum(found.values())
    rest = sum(found[step] for step in REST)
    if rest > REST_SHARE * total:
        raise RuntimeError(f"{rest} of {total} samples have no step; perf "
                           "does not see all symbols")
    return {step: cpu_us * n / total for step, n in found.most_common()}


def steps(site):
    other = rows.apart(site).running()
    for what, s, options in (
            ("signature shared", site, lambda: rows.asking(site, "--share")),
            ("each signed alone", site, lambda: rows.asking(site)),
            ("first contacts", other, lambda: rows.first_contacts(other))):
        with rows.musterd(s):
            # without the profiler: what there is to share out
            bare = rows.load(s, s.port, [s.daemon.pid], *options())
            _, found = sampled(s, options())
        total = sum(found.values())
        per_step = shared_out(found, bare["cpu_us"])
        site.result.setdefault("steps", {})[what] = {
            "all": bare["cpu_us"], "steps": per_step}
        yield Row(f"steps, {what}: all", bare["cpu_us"], "us",
                  note=f"{total} samples" + publisher.exempt())
        for step, us in per_step.items():
            yield Row(f"  {step}", us, "us",
                      note=f"{100 * us / bare['cpu_us']:.1f} %")


MEASURES = {"steps": steps}
