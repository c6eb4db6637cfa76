# SPDX-License-Identifier: MIT
"""Figures of a host: its start, and activations a second."""
import contextlib
import json
import os
import re
import secrets
import shutil
import statistics
import subprocess
import time
import uuid

import demo
import publisher
import wire
from publisher import PRODUCTS, Row

STARTS = 20
START_MS = 200
CONNECTIONS = (1, 64, 512)
SOURCES = 1000  # addresses that they come from
REQUESTS = {1: 2000, 64: 20000, 512: 20000}
SYNC_S = 1.0  # of bare fsyncs, before and after each load
SYNC_BYTES = 4096
NULL = wire.record(wire.call(wire.NULL))


def fresh_root(site, n):
    """A host that was never started, with its publisher's catalogue."""
    root = site.path(f"start-{n}")
    os.makedirs(os.path.join(root, "etc/muster"))
    os.makedirs(os.path.join(root, "usr/share/muster/catalogues"))
    with open(os.path.join(root, "etc/muster/musterd.conf"), "w") as f:
        f.write('listen = [ "127.0.0.1" ];\nport = 0;\nstatus_listen = "off";\n')
    shutil.copy(site.catalogue, os.path.join(
        root, "usr/share/muster/catalogues/bench.muster"))
    return root


@contextlib.contextmanager
def running(root):
    """A musterd and its port."""
    p = subprocess.Popen([os.path.join(demo.BIN, "musterd"), "--root", root],
                         stderr=subprocess.PIPE, text=True)
    try:
        for line in p.stderr:
            m = re.search(r"listening: 127\.0\.0\.1 port (\d+)", line)
            if m:
                break
        else:
            raise RuntimeError(f"musterd did not start: exit {p.wait()}")
        yield int(m.group(1))
    finally:
        p.kill()
        p.communicate()


def one_start(root):
    """From the start of the process to the answer, in milliseconds."""
    begin = time.monotonic()
    with running(root) as port:
        reply = wire.exchange(port, NULL)
        took = time.monotonic() - begin
        body, = wire.split(reply)
        assert wire.accepted(body) == b""
    return took * 1e3


def start(site):
    site.published()
    took = [one_start(fresh_root(site, n)) for n in range(STARTS)]
    yield Row("musterd, empty store: start to NULL answered",
              statistics.median(took), "ms", f"worst {max(took):.0f} ms", START_MS,
              f"median of {STARTS} starts, each with a folder of its own")


def syncs_per_s(folder):
    """What the disk gives a single writer that waits for each write."""
    path, n = os.path.join(folder, "sync"), 0
    fd = os.open(path, os.O_CREAT | os.O_WRONLY, 0o600)
    try:
        begin = time.monotonic()
        while time.monotonic() - begin < SYNC_S:
            os.write(fd, bytes(SYNC_BYTES))
            os.fsync(fd)
            n += 1
        return n / (time.monotonic() - begin)
    finally:
        os.close(fd)
        os.unlink(path)


def host_status(site):
    return json.loads(demo.run("muster", "host", "status", "--root",
                               site.host_root, "--json"))


def cpu_s(pid):
    """User and system, of all threads."""
    with open(f"/proc/{pid}/stat") as f:
        fields = f.read().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def one_load(site, n_connections):
    n = REQUESTS[n_connections]
    before, cpu = host_status(site), cpu_s(site.daemon.pid)
    syncs = [syncs_per_s(site.host_root)]
    r = publisher.program("bench_load", "--port", site.port, "--catalogue",
                          site.catalogue, "--product",
                          uuid.UUID(PRODUCTS[0]).hex, "--connections",
                          n_connections, "--requests", n, "--sources",
                          SOURCES, "--seed", secrets.randbits(31) + 1,
                          *publisher.network())
    cpu = cpu_s(site.daemon.pid) - cpu
    syncs.append(syncs_per_s(site.host_root))
    after = host_status(site)
    commits = after["store"]["batches"] - before["store"]["batches"]
    assert r["failed"] == 0 and r["bad"] == 0 and r["judged"] > 0, r
    assert r["ok"] + r["busy"] == n and commits > 0, (r, commits)
    return Row(
        f"activations a second, {n_connections} at a time",
        r["ok"] / r["seconds"], "/s",
        f"{r['p99_us'] / 1e3:.1f}, {r['max_us'] / 1e3:.1f} ms", None,
        f"{r['ok']:,} new clients, {r['busy']} BUSY; median "
        f"{r['p50_us'] / 1e3:.2f} ms; {commits / r['seconds']:,.0f} "
        f"commits/s of {r['ok'] / commits:.1f}; host CPU "
        f"{cpu / r['ok'] * 1e6:.0f} µs each; bare fsync "
        f"{syncs[0]:,.0f}/s before, {syncs[1]:,.0f}/s after"
        + publisher.exempt())


def load(site):
    site.running()
    for n in CONNECTIONS:
        yield one_load(site, n)


MEASURES = {"start": start, "load": load}
