# SPDX-License-Identifier: MIT
"""Hosts with one count on a local PostgreSQL server, beside the host that
counts alone on SQLite, and beside the same batch by libpq alone.

The server waits for its disk.  Hosts, server and generators share all cores;
each host has a generator of its own, with machines of its own that renew.  What
these cores give at the most is what two servers do that only sign."""
import concurrent.futures
import contextlib
import os

import cluster
import host
import pgserver
import publisher
import rows
from publisher import Row

SECONDS = 10
HOSTS = (1, 2, 4)
CONNECTIONS, HALF_CONNECTIONS = 512, 1024  # over all hosts
PER_S, OF_BARE, P99_MS = 25000, 0.7, 25  # at least, at least, at most


def one_load(at, i, n, connections, *more):
    """`at`: a host, or the port and the options of another server."""
    port, options = at if isinstance(at, tuple) else \
        (at.port, rows.asking(at, "--share"))
    return publisher.program(
        "bench_load", "--port", port, "--connections",
        max(connections // n, 1), "--sources", rows.SOURCES, "--warm",
        min(rows.WARM_S, SECONDS), "--seconds", SECONDS, "--seed", 7 + i,
        *publisher.network(), *options, *more)


def all_loads(hosts, connections, *more):
    """Every host at once: the sum, and the worst."""
    n = len(hosts)
    with concurrent.futures.ThreadPoolExecutor(n) as pool:
        got = list(pool.map(lambda i: one_load(hosts[i], i, n, connections,
                                               *more), range(n)))
    for r in got:
        if r["failed"] or r["bad"] or not r["ok"]:
            raise RuntimeError(f"bench_load: {r['failed']} failed, {r['bad']} "
                               f"bad, {r['ok']} good")
    return {"per_s": sum(r["per_s"] for r in got),
            "ok": sum(r["ok"] for r in got),
            "busy": sum(r["busy"] for r in got),
            "p50_us": max(r["p50_us"] for r in got),
            "p99_us": max(r["p99_us"] for r in got),
            "max_us": max(r["max_us"] for r in got)}


def batches(hosts):
    return sum(host.host_status(h)["store"]["batches"] for h in hosts)


def measured(site, name, hosts):
    """Full load, then half of what it gave; a row and what was seen."""
    before = batches(hosts)
    full = all_loads(hosts, CONNECTIONS)
    # the load's first part is not counted in `ok`, its batches are
    n = max(batches(hosts) - before, 1)
    size = full["per_s"] * (SECONDS + rows.WARM_S) / n
    half = all_loads(hosts, HALF_CONNECTIONS, "--rate",
                     full["per_s"] / 2 / len(hosts))
    seen = {"name": name, "hosts": len(hosts), "per_s": full["per_s"],
            "batch": size, "full": full, "half": half}
    site.result.setdefault("postgresql", []).append(seen)
    return seen, Row(
        f"{name}: activations a second", full["per_s"], "/s",
        f"{full['p99_us'] / 1e3:.1f}, {full['max_us'] / 1e3:.0f} ms", None,
        f"batches of {size:.0f}; {full['busy']} BUSY; at half load p50 "
        f"{half['p50_us'] / 1e3:.2f}, p99 {half['p99_us'] / 1e3:.2f} ms, "
        f"{half['busy']} BUSY")


@contextlib.contextmanager
def signers(site, n):
    """Servers that read, sign and close, and count nothing."""
    with contextlib.ExitStack() as stack:
        them = [stack.enter_context(rows.server(
            site, [rows.built("bench_limit"), "--sign"],
            r"port (\d+) key (\w+)", wrap=())) for _ in range(n)]
        yield [(port, [*rows.asking(site), "--kind", "bare", "--key", m[2]])
               for _, port, m in them]


def exchange(site):
    """The same connections, where nothing is counted or written."""
    with signers(site, 2) as ports:
        r = all_loads(ports, CONNECTIONS)
    name = "limit+sign, 2 servers"
    site.result["postgresql"].append({"name": name, "per_s": r["per_s"]})
    return r, Row(f"{name}: exchanges a second", r["per_s"], "/s",
                  f"{r['p99_us'] / 1e3:.1f}, {r['max_us'] / 1e3:.0f} ms", None,
                  "nothing counted, nothing written")


def bare(site, server, size):
    rows_n = max(2, min(int(size), 256))
    r = publisher.program("bench_pgbatch", server.address(), pgserver.GROUP,
                          rows_n, rows.CLIENTS, max(int(SECONDS), 1))
    site.result["postgresql"].append({"name": "libpq", "batch": rows_n, **r})
    return r, Row(
        "libpq alone, the same batch: activations a second", r["per_s"], "/s",
        f"{r['p99_us'] / 1e3:.1f}, {r['max_us'] / 1e3:.0f} ms", None,
        f"{r['batches']} batches of {rows_n}, median "
        f"{r['median_us'] / 1e3:.2f} ms each")


def new_host(site, server, n):
    folder = site.path(f"pg{n}")
    os.mkdir(folder)
    h = cluster.Host(site, folder, pgserver.store(server.address()))
    h.start()
    h.activate_host()
    return h


def against(site, server):
    """The rows of the hosts, then what they are to each other."""
    hosts, by = [], {}
    try:
        for n in HOSTS:
            while len(hosts) < n:
                hosts.append(new_host(site, server, len(hosts)))
            by[n], row = measured(
                site, f"PostgreSQL, {n} host{'s' if n > 1 else ''}", hosts)
            yield row
            if n == 2:
                alone, row = bare(site, server, by[n]["batch"])
                yield row
                limit, row = exchange(site)
                yield row
    finally:
        for h in hosts:
            h.stop()
    ratio = by[2]["per_s"] / alone["per_s"]
    met = by[2]["per_s"] >= PER_S
    yield Row("two hosts to libpq alone",
              rows.keep_ratio(site, "pg_two_to_libpq", ratio), "", "",
              None if met else OF_BARE, at_least=True)
    yield Row("two hosts to limit+sign of two servers", rows.keep_ratio(
        site, "pg_two_to_limit_sign", by[2]["per_s"] / limit["per_s"]))
    yield Row("four hosts to one", rows.keep_ratio(
        site, "pg_four_to_one", by[4]["per_s"] / by[1]["per_s"]), "", "", 1,
        at_least=True)
    yield Row("two hosts: p99 at half load", by[2]["half"]["p99_us"] / 1e3,
              "ms", "", P99_MS)


def postgresql(site):
    site.running()
    sqlite, row = measured(site, "SQLite, 1 host", [site])
    yield row
    site.stop()
    site.is_running = False
    # beside the site's folder, which is nobody else's to enter
    at = site.result.get("machine", {}).get("folder", "/var/tmp")
    server = pgserver.Server(base=at, shared_buffers="'256MB'")
    try:
        server.start().make()
        yield from against(site, server)
    finally:
        server.remove()


MEASURES = {"postgresql": postgresql}
