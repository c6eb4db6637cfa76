# SPDX-License-Identifier: MIT
"""The host beside its limits and its peers: one load generator, one run.

Server and generator have a core each.  Each server is measured with 512
connections at a time, then at half of the rate that this gave, in an open
loop, then with one connection at a time."""
import contextlib
import glob
import os
import re
import shutil
import signal
import socket
import statistics
import subprocess
import time
import uuid

import publisher
from publisher import PRODUCTS, Row

SECONDS, WARM_S = 4, 0.5
CONNECTIONS, HALF_CONNECTIONS, SOURCES = 512, 2048, 64
CLIENTS = 1000
HTTP_BYTES = 250
START_S = 10
NGINX = """daemon off; master_process off; worker_processes 1;
user root; pid {folder}/nginx.pid; error_log {folder}/nginx.log crit;
events {{ worker_connections 16384; }}
http {{
  access_log off; keepalive_timeout 0; types {{ }}
  client_body_temp_path {folder}/1; proxy_temp_path {folder}/2;
  fastcgi_temp_path {folder}/3; uwsgi_temp_path {folder}/4;
  scgi_temp_path {folder}/5;
  server {{ listen 127.0.0.1:{port} backlog=4096 deferred;
    location / {{ return 200 "{body}"; }} }}
}}
"""
# What is measured, at what, and what it may be (design, "To reach").
RATIOS = {
    "cpu_own_to_limit_sign": 1.25,
    "cpu_shared_to_limit": 1.8,
    "cpu_shared_to_limit_sign": 0.6,
    "throughput_to_stock": 10,  # at least
    "p99_half_to_own_p99_at_one": 3,
    "p99_half_to_limit_sign_fsync": 2,
}
AT_LEAST = {"throughput_to_stock"}


def cores():
    """One for the server, one for the load; the same one if there is no
    other."""
    have = sorted(os.sched_getaffinity(0))
    return have[0], have[-1]


def pinned(core):
    return ["taskset", "-c", str(core)]


def load(site, port, pids, *options, connections=CONNECTIONS, kind="muster",
         seconds=None):
    """One run of the generator: the object that it prints."""
    seconds = SECONDS if seconds is None else seconds
    args = ["--port", port, "--kind", kind, "--connections", connections,
            "--sources", SOURCES, "--warm", min(WARM_S, seconds),
            "--seconds", seconds, *options]
    for pid in pids:
        args += ["--pid", pid]
    r = publisher.program("bench_load", *args, wrap=pinned(cores()[1]))
    if r["failed"] or r["bad"] or not r["ok"]:
        raise RuntimeError(f"bench_load: {r['failed']} failed, {r['bad']} bad,"
                           f" {r['ok']} good")
    return r


@contextlib.contextmanager
def counted_syncs(pids):
    """How often processes synced; a list that gets the number at the end, and
    stays empty where the kernel does not let us count."""
    seen = []
    events = ",".join(f"syscalls:sys_enter_{n}" for n in ("fsync",
                                                          "fdatasync"))
    try:
        p = None if not pids else subprocess.Popen(
            ["perf", "stat", "-x", ",", "-e", events, "-p",
             ",".join(map(str, pids))],
            stderr=subprocess.PIPE, stdout=subprocess.DEVNULL, text=True)
    except OSError:
        p = None
    time.sleep(0.2 if p else 0)
    yield seen
    if p is None:
        return
    p.send_signal(signal.SIGINT)
    _, err = p.communicate()
    counts = re.findall(r"^(\d+),,syscalls:", err, re.M)
    if len(counts) == 2:
        seen.append(sum(map(int, counts)))


@contextlib.contextmanager
def server(site, args, ready):
    """A server that says its port in its first line."""
    p = subprocess.Popen([*pinned(cores()[0]), *args],
                         stdout=subprocess.PIPE, text=True)
    try:
        m = re.match(ready, p.stdout.readline())
        if not m:
            raise RuntimeError(f"{args[0]} did not start: exit {p.wait()}")
        yield p.pid, int(m[1]), m
    finally:
        p.kill()
        p.communicate()


@contextlib.contextmanager
def nginx(site):
    folder = site.path("nginx")
    os.makedirs(folder, exist_ok=True)
    with socket.socket() as s:
        s.bind(("127.0.0.1", 0))
        port = s.getsockname()[1]
    conf = os.path.join(folder, "nginx.conf")
    with open(conf, "w") as f:
        f.write(NGINX.format(folder=folder, port=port, body="x" * HTTP_BYTES))
    path = shutil.which("nginx", path=os.environ["PATH"] + ":/usr/sbin:/sbin")
    if path is None:
        raise RuntimeError("nginx is not installed; ./dev deps bench")
    p = subprocess.Popen([*pinned(cores()[0]), path, "-c", conf, "-p", folder],
                         stderr=subprocess.DEVNULL)
    end = time.monotonic() + START_S
    try:
        while time.monotonic() < end:
            with socket.socket() as s:
                if s.connect_ex(("127.0.0.1", port)) == 0:
                    break
            time.sleep(0.02)
        yield p.pid, port, None
    finally:
        p.kill()
        p.wait()


def built(name):
    return os.path.join(publisher.BUILT, name)


def certificate(site):
    path, = glob.glob(os.path.join(
        site.host_root, "var/lib/muster/host/*/certificate"))
    return path


@contextlib.contextmanager
def musterd(site):
    site.wrap = pinned(cores()[0])
    site.running()
    os.sched_setaffinity(site.daemon.pid, {cores()[0]})
    yield site.daemon.pid, site.port, None


def asking(site, *more):
    """Options of a load that speaks our protocol, of one product."""
    return ["--catalogue", site.catalogue, "--certificate", certificate(site),
            "--product", uuid.UUID(PRODUCTS[0]).hex, "--clients", CLIENTS,
            *more]


def servers(site):
    """name: (a context that gives pid, port and match, kind, options)."""
    identity = os.path.join(os.path.dirname(certificate(site)),
                            "identity.key")
    limit = (built("bench_limit"),)
    port_key = r"port (\d+) key (\w+)"
    stock = [built("bench_stock"), site.path("stock.db"), identity,
             certificate(site), site.catalogue]
    bare = asking(site)
    return {
        "limit": (lambda: server(site, limit, port_key), "bare", bare),
        "limit+sign": (lambda: server(site, [*limit, "--sign"], port_key),
                       "bare", bare),
        "limit+sign+fsync": (
            lambda: server(site, [*limit, "--sign", "--fsync",
                                  site.path("limit.log")], port_key),
            "bare", bare),
        "stock": (lambda: server(site, stock, r"port (\d+)"), "muster", bare),
        "http": (lambda: nginx(site), "http", []),
        "musterd": (lambda: musterd(site), "muster", asking(site, "--share")),
        "musterd-own-signature": (lambda: musterd(site), "muster", bare),
    }


def phase(site, name, opened, kind, options, *more, **at):
    """One run against a fresh server (but musterd, which goes on): what the
    last one left unanswered is not this one's."""
    with opened() as (pid, port, m):
        if kind == "bare" and name != "limit":
            options = [*options, "--key", m[2]]
        with counted_syncs([pid] if at.pop("counts", False) else []) as syncs:
            return load(site, port, [pid], *options, *more, kind=kind,
                        **at), syncs


def one_row(site, name, opened, kind, options):
    who = (site, name, opened, kind, options)
    full, syncs = phase(*who, counts=True)
    half, _ = phase(*who, "--rate", full["per_s"] / 2,
                    connections=HALF_CONNECTIONS)
    one, _ = phase(*who, connections=1)
    row = {"name": name, "activations_per_s": full["per_s"]}
    for key in ("cpu_us", "p50_us", "p99_us", "p999_us", "max_us", "rss_kib",
                "switches", "curve"):
        row[key] = full[key]
    row["fsyncs"] = round(syncs[0] / full["requests"], 5) if syncs else None
    for at, r in (("half", half), ("one", one)):
        row[at] = {k: r[k] for k in ("per_s", "p50_us", "p99_us", "p999_us",
                                     "max_us", "cpu_us", "waited", "curve")}
    return row


def ratios(rows):
    """Of a run with all rows; what it lacks is left out."""
    by = {r["name"]: r for r in rows}
    out = {}

    def put(name, top, bottom):
        try:
            out[name] = round(top() / bottom(), 3)
        except KeyError:
            pass
    cpu = lambda name: lambda: by[name]["cpu_us"]  # noqa: E731
    put("cpu_own_to_limit_sign", cpu("musterd-own-signature"),
        cpu("limit+sign"))
    put("cpu_shared_to_limit", cpu("musterd"), cpu("limit"))
    put("cpu_shared_to_limit_sign", cpu("musterd"), cpu("limit+sign"))
    put("throughput_to_stock", lambda: by["musterd"]["activations_per_s"],
        lambda: by["stock"]["activations_per_s"])
    put("p99_half_to_own_p99_at_one", lambda: by["musterd"]["half"]["p99_us"],
        lambda: by["musterd"]["one"]["p99_us"])
    put("p99_half_to_limit_sign_fsync",
        lambda: by["musterd"]["half"]["p99_us"],
        lambda: by["limit+sign+fsync"]["half"]["p99_us"])
    return out


def shown(r):
    syncs = "fsyncs not counted" if r["fsyncs"] is None else \
        f"{r['fsyncs']:.4f} fsyncs"
    half, one = r["half"], r["one"]
    return Row(
        f"{r['name']}: a second, 512 at a time", r["activations_per_s"], "/s",
        f"{r['p99_us'] / 1e3:.2f}, {r['max_us'] / 1e3:.1f} ms", None,
        f"CPU {r['cpu_us']:.1f} µs each; p50 {r['p50_us'] / 1e3:.2f}, p99.9 "
        f"{r['p999_us'] / 1e3:.2f} ms; at half load p50 "
        f"{half['p50_us'] / 1e3:.2f}, p99 {half['p99_us'] / 1e3:.2f}, p99.9 "
        f"{half['p999_us'] / 1e3:.2f}, worst {half['max_us'] / 1e3:.1f} ms; "
        f"one at a time p99 {one['p99_us'] / 1e3:.2f} ms; RSS "
        f"{r['rss_kib'] / 1024:.1f} MiB; {r['switches']:.3f} switches, "
        f"{syncs}")


def rows(site, names=None):
    site.running()
    site.result["rows"] = []
    for name, (opened, kind, options) in servers(site).items():
        if names is not None and name not in names:
            continue
        row = one_row(site, name, opened, kind, options)
        site.result["rows"].append(row)
        yield shown(row)
    site.result["ratios"] = ratios(site.result["rows"])
    for name, figure in site.result["ratios"].items():
        yield Row(name.replace("_", " "), figure, "", "", RATIOS[name],
                  at_least=name in AT_LEAST)


MEASURES = {"rows": rows}


def median_of(site, port, pid, *options, n=3, **more):
    """The middle CPU time of n runs, and their last object."""
    got = [load(site, port, [pid], *options, **more) for _ in range(n)]
    return statistics.median(r["cpu_us"] for r in got), got[-1]
