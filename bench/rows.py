# SPDX-License-Identifier: MIT
"""The host beside its limits and its peers: one load generator, one run.

Server and generator have a core each.  Each server is measured with 512
connections at a time, then at half of the rate that this gave, in an open
loop, then with one connection at a time."""
import contextlib
import glob
import os
import re
import secrets
import shutil
import signal
import socket
import statistics
import subprocess
import time
import uuid

import host
import publisher
from publisher import PRODUCTS, Row, cores, pinned

ROUNDS = 3  # of all rows, in turn; what stands in the table is the middle
SECONDS, WARM_S = 2, 0.5
HALF_SHARE, ONE_SHARE = 0.75, 0.5  # of these seconds, for the other two loads
CONNECTIONS, HALF_CONNECTIONS = 512, 2048
CLIENTS = 1000
SOURCES = CLIENTS  # addresses to come from
SAMPLE = 100  # of so many replies, one is verified
CALLS = 16  # on one connection, where it stays: what the host takes by default
APART = 333_333  # clients between the first ones of two runs
MUST_SYNC = {"limit+sign+fsync", "stock", "musterd", "musterd-own-signature",
             "musterd-first-contacts", "musterd-16-calls"}
BUSY_SHARE = 0.95  # of a core: below it the server had to wait for the load
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


def load(site, port, pids, *options, connections=CONNECTIONS, kind="muster",
         seconds=None):
    """One run of the generator: the object that it prints."""
    seconds = SECONDS if seconds is None else seconds
    args = ["--port", port, "--kind", kind, "--connections", connections,
            "--sources", SOURCES, "--warm", min(WARM_S, seconds),
            "--seconds", seconds, *publisher.network(), *options]
    for pid in pids:
        args += ["--pid", pid]
    r = publisher.program("bench_load", *args, wrap=pinned(cores()[1]))
    wrong = {k: r[k] for k in ("failed", "bad", "busy", "idle_lost") if r[k]}
    if wrong or not r["ok"]:
        raise RuntimeError(f"bench_load: {r['ok']} good, {wrong}")
    is_signed = kind == "muster" or "--key" in options
    if is_signed and r["total"] >= SAMPLE and not r["judged"]:
        raise RuntimeError("bench_load: no reply was verified")
    return r


def counter(pids):
    """perf, which counts from now on; None where it cannot."""
    events = ",".join(f"syscalls:sys_enter_{n}" for n in ("fsync",
                                                          "fdatasync"))
    (ctl, tell), (hear, ack) = os.pipe(), os.pipe()
    try:
        p = subprocess.Popen(
            ["perf", "stat", "-x", ",", "-D", "-1", "--control",
             f"fd:{ctl},{ack}", "-e", events, "-p", ",".join(map(str, pids))],
            stderr=subprocess.PIPE, stdout=subprocess.DEVNULL, text=True,
            pass_fds=(ctl, ack))
        os.close(ack)
        ack = None
        os.write(tell, b"enable\n")
        if os.read(hear, 4) == b"ack\n":
            return p
        p.kill()
        p.communicate()
        return None
    except OSError:
        return None
    finally:
        for fd in (ctl, tell, hear, ack):
            if fd is not None:
                os.close(fd)


@contextlib.contextmanager
def counted_syncs(pids, musterd_site=None):
    """How often processes synced; a list that gets the number at the end, and
    who counted: perf, or musterd, whose store syncs each batch.  It stays
    empty where neither can."""
    seen = []
    p = counter(pids) if pids else None
    before = batches(musterd_site) if pids and musterd_site else None
    yield seen
    if p is not None:
        p.send_signal(signal.SIGINT)
        _, err = p.communicate()
        counts = re.findall(r"^(\d+),,syscalls:", err, re.M)
        if len(counts) == 2:
            seen += [sum(map(int, counts)), "perf"]
    if not seen and before is not None:
        seen += [batches(musterd_site) - before, "musterd"]


def batches(site):
    return host.host_status(site)["store"]["batches"]


@contextlib.contextmanager
def server(site, args, ready, wrap=None):
    """A server that says its port in its first line; on one core, if nothing
    else is said."""
    wrap = pinned(cores()[0]) if wrap is None else wrap
    p = subprocess.Popen([*wrap, *args],
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
        while True:
            if p.poll() is not None or time.monotonic() > end:
                raise RuntimeError("nginx does not listen")
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
    site.running()
    for thread in os.listdir(f"/proc/{site.daemon.pid}/task"):
        if os.sched_getaffinity(int(thread)) != {cores()[0]}:
            raise RuntimeError("a thread of musterd has another core")
    yield site.daemon.pid, site.port, site


def asking(site, *more, clients=None):
    """Options of a load that speaks our protocol, of one product."""
    return ["--catalogue", site.catalogue, "--certificate", certificate(site),
            "--product", uuid.UUID(PRODUCTS[0]).hex, "--clients",
            CLIENTS if clients is None else clients, *more]


def first_contacts(site):
    """Each request is that of a client which was never there."""
    return asking(site, "--seed", secrets.randbits(31) + 1, clients=0)


def apart(site):
    """Another host, whose inventory may grow; it goes on like the first."""
    if site.apart is None:
        site.apart = publisher.BenchSite(site.path("apart"))
        os.makedirs(site.apart.folder)
    return site.apart


def servers(site):
    """name: (a context that gives pid, port and match, kind, options)."""
    identity = os.path.join(os.path.dirname(certificate(site)),
                            "identity.key")
    limit = (built("bench_limit"),)
    port_key = r"port (\d+) key (\w+)"
    stock = [built("bench_stock"), site.path("stock.db"), identity,
             certificate(site), site.catalogue]
    bare, other = asking(site), apart(site).running()
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
        "musterd-first-contacts": (lambda: musterd(other), "muster",
                                   lambda: first_contacts(other)),
        "musterd-16-calls": (lambda: musterd(site), "muster",
                             asking(site, "--share", "--calls", CALLS)),
    }


def phase(site, name, opened, kind, options, *more, **at):
    """One run against a fresh server (but musterd, which goes on): what the
    last one left unanswered is not this one's."""
    with opened() as (pid, port, m):
        options = options() if callable(options) else options
        if kind == "bare" and name != "limit":
            options = [*options, "--key", m[2]]
        with counted_syncs([pid] if at.pop("counts", False) else [],
                           m if name.startswith("musterd") else None) as syncs:
            return load(site, port, [pid], *options, *more, kind=kind,
                        **at), syncs


def put_syncs(row, n_activations, syncs):
    """None: not counted, which a row that must sync may not be."""
    n, row["fsyncs_by"] = syncs or (None, None)
    if not n and row["name"] in MUST_SYNC:
        raise RuntimeError(f"{row['name']}: " + (
            "nobody can count its syncs" if n is None
            else "nothing was synced"))
    row["fsyncs_per_activation"] = None if n is None else n / n_activations


def one_row(site, name, opened, kind, options):
    who = (site, name, opened, kind, options)
    full, syncs = phase(*who, counts=True)
    half, _ = phase(*who, "--rate", full["per_s"] / 2,
                    connections=HALF_CONNECTIONS, seconds=SECONDS * HALF_SHARE)
    one, _ = phase(*who, connections=1, seconds=SECONDS * ONE_SHARE)
    row = {"name": name, "activations_per_s": full["per_s"]}
    for key in ("cpu_us", "p50_us", "p99_us", "p999_us", "max_us", "rss_kib",
                "switches", "reply_bytes", "curve"):
        row[key] = full[key]
    row["busy"] = full["cpu_us"] * full["per_s"] / 1e6
    row["load_busy"] = full["own_cpu_s"] / full["seconds"]
    put_syncs(row, full["total"], syncs)
    for at, r in (("half", half), ("one", one)):
        row[at] = {k: r[k] for k in ("per_s", "p50_us", "p99_us", "p999_us",
                                     "max_us", "cpu_us", "waited", "curve")}
    return row


def middle(them):
    """Of several measurements of one row: each figure's median, and of the
    costs the least and the most."""
    row = dict(them[0])
    for key, x in row.items():
        if isinstance(x, dict):
            row[key] = middle([r[key] for r in them])
        elif isinstance(x, float | int) and all(r[key] is not None
                                                for r in them):
            row[key] = statistics.median(r[key] for r in them)
    if "fsyncs_per_activation" in row:
        row["cpu_us_of"] = [f([r["cpu_us"] for r in them])
                            for f in (min, max)]
        # a list cannot be halved: the drawing's curve is a whole run's
        row["curve"] = min(them, key=lambda r: abs(
            r["p99_us"] - row["p99_us"]))["curve"]
    return row


def ratios(rows):
    """Of a run with all rows; what it lacks is left out."""
    by = {r["name"]: r for r in rows}
    out = {}

    def put(name, top, bottom):
        try:
            out[name] = top() / bottom()
        except KeyError:
            pass
    cpu = lambda name: lambda: by[name]["cpu_us"]  # noqa: E731
    put("cpu_own_to_limit_sign", cpu("musterd-own-signature"),
        cpu("limit+sign"))
    put("cpu_first_contact_to_limit_sign", cpu("musterd-first-contacts"),
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


def keep_ratio(site, name, figure):
    """Among those that --json prints together; the figure itself."""
    site.result.setdefault("ratios", {})[name] = figure
    return figure


def shown(r):
    syncs = "fsyncs not counted" if r["fsyncs_by"] is None else \
        f"{r['fsyncs_per_activation']:.4f} fsyncs, by {r['fsyncs_by']}"
    half, one = r["half"], r["one"]
    least, most = r["reply_bytes"]
    busy = f"busy {r['busy']:.0%}, the load {r['load_busy']:.0%}"
    if r["busy"] < BUSY_SHARE:
        busy += ", so not at its full load"
    sizes = f"; replies of {least} to {most} bytes" if most else ""
    return Row(
        f"{r['name']}: a second, 512 at a time", r["activations_per_s"], "/s",
        f"{r['p99_us'] / 1e3:.2f}, {r['max_us'] / 1e3:.1f} ms", None,
        f"CPU {r['cpu_us']:.1f} µs each ({r['cpu_us_of'][0]:.1f} to "
        f"{r['cpu_us_of'][1]:.1f}); {busy}; "
        f"p50 {r['p50_us'] / 1e3:.2f}, p99.9 "
        f"{r['p999_us'] / 1e3:.2f} ms; at half load p50 "
        f"{half['p50_us'] / 1e3:.2f}, p99 {half['p99_us'] / 1e3:.2f}, p99.9 "
        f"{half['p999_us'] / 1e3:.2f}, worst {half['max_us'] / 1e3:.1f} ms; "
        f"one at a time p99 {one['p99_us'] / 1e3:.2f} ms; RSS "
        f"{r['rss_kib'] / 1024:.1f} MiB; {r['switches']:.3f} switches, "
        f"{syncs}" + sizes
        + (publisher.exempt() if r["name"].startswith("musterd") else ""))


def rows(site, names=None):
    site.running()
    got = {}
    for _ in range(ROUNDS):
        for name, (opened, kind, options) in servers(site).items():
            if names is None or name in names:
                got.setdefault(name, []).append(
                    one_row(site, name, opened, kind, options))
    site.result["rows"] = [middle(them) for them in got.values()]
    yield from map(shown, site.result["rows"])
    for name, figure in ratios(site.result["rows"]).items():
        keep_ratio(site, name, figure)
        yield Row(name.replace("_", " "), figure, "", "", RATIOS.get(name),
                  at_least=name in AT_LEAST)


MEASURES = {"rows": rows}


def median_of(site, port, pid, *options, n=3, **more):
    """The middle CPU time of n runs, and their last object.  Each begins with
    other clients: none finds in memory what the run before it read."""
    got = [load(site, port, [pid], *options, "--first", k * APART, **more)
           for k in range(n)]
    return statistics.median(r["cpu_us"] for r in got), got[-1]
