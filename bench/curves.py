# SPDX-License-Identifier: MIT
"""How the cost of an activation grows: beside idle connections, with the
inventory, with the counting groups.  The median of three runs at each point;
signatures shared, 512 connections at a time."""
import os
import shutil
import uuid

import demo
import publisher
import rows
from publisher import PRODUCTS, Row

IDLE = 10000
IDLE_SETTINGS = "idle_ms = 86400000;\nsession_ms = 86400000;\nconnections = 12000;\n"
CLIENTS = (50, 1000, 10000, 100000, 1000000)
MEMORY_CLIENTS = 100000
GROUPS = (1, 64, 256, 1024)  # at most 64 of a publisher
GROUPS_A_PUBLISHER = 64
RSS_MIB, IDLE_LIMIT, CLIENTS_LIMIT = 24, 1.15, 1.5
RUNS = 3


def keep(site, curve, x, r, cpu):
    point = {"at": x, "cpu_us": cpu, "rss_kib": r["rss_kib"],
             "activations_per_s": r["per_s"], "p99_us": r["p99_us"]}
    site.result.setdefault("curves", {}).setdefault(curve, []).append(point)
    return point


def point_row(what, point):
    return Row(what, point["cpu_us"], "µs CPU", f"{point['p99_us'] / 1e3:.1f} "
               "ms p99", None, f"{point['activations_per_s']:,.0f} a second; "
               f"RSS {point['rss_kib'] / 1024:.1f} MiB"
               + publisher.exempt())


def new_site(site, name, settings=""):
    s = publisher.BenchSite(site.path(name))
    os.makedirs(s.folder)
    s.settings = settings
    s.published()
    return s


def restarted(s):
    s.stop()
    s.start()


def database(s):
    return os.path.join(s.host_root, "var/lib/muster/host/host.db")


def fill(s, first, n):
    """Clients first to n - 1 into the inventory of a site that stands."""
    s.stop()
    publisher.program("bench_fill", database(s), s.catalogue,
                      uuid.UUID(PRODUCTS[0]).hex, max(first, 1), n,
                      prints=False)
    s.start()


def asking(s, n):
    return ["--catalogue", s.catalogue, "--certificate", rows.certificate(s),
            "--share", "--product", uuid.UUID(PRODUCTS[0]).hex, "--clients", n]


def idle(site):
    """The same host, without and with connections that only stand there."""
    s = new_site(site, "idle", IDLE_SETTINGS)
    try:
        s.running()
        fill(s, 1, MEMORY_CLIENTS)
        for n in (0, IDLE):
            cpu, r = rows.median_of(s, s.port, s.daemon.pid, *asking(s, 1000),
                                    "--idle", n, n=RUNS)
            keep(site, "idle", n, r, cpu)
            yield point_row(f"beside {n:,} idle connections",
                            site.result["curves"]["idle"][-1])
    finally:
        s.stop()
    without, beside = site.result["curves"]["idle"]
    settings = IDLE_SETTINGS.replace("\n", " ").strip()
    yield Row("cost beside idle connections", rows.keep_ratio(
        site, "cpu_beside_idle", beside["cpu_us"] / without["cpu_us"]),
        "×", "", IDLE_LIMIT, f"set for it: {settings}" + publisher.exempt())
    yield Row(f"RSS with {IDLE:,} idle, {MEMORY_CLIENTS:,} clients",
              rows.keep_ratio(site, "rss_mib_beside_idle",
                              beside["rss_kib"] / 1024),
              "MiB", "", RSS_MIB,
              f"set for it: {settings}" + publisher.exempt())


def clients(site):
    s = new_site(site, "clients")
    before = 1
    try:
        s.running()
        for n in CLIENTS:
            fill(s, before, n)
            before = n
            cpu, r = rows.median_of(s, s.port, s.daemon.pid, *asking(s, n),
                                    n=RUNS)
            yield point_row(f"{n:,} clients in the inventory",
                            keep(site, "clients", n, r, cpu))
    finally:
        s.stop()
    points = site.result["curves"]["clients"]
    yield Row("growth over the inventory, merges included", rows.keep_ratio(
        site, "cpu_growth_clients",
        points[-1]["cpu_us"] / points[0]["cpu_us"]), "×", "",
        CLIENTS_LIMIT)


def group_products(n_groups, first):
    groups = ",\n".join(f'  {{ number = {g}; name = "g{g}"; }}'
                        for g in range(1, n_groups + 1))
    products = ",\n".join(
        f'  {{ id = "{publisher.product_id(first + g)}"; name = "p{g}"; '
        f'group = {g}; class = "desktop"; threshold = 25; line = 0; '
        'level = 1; }' for g in range(1, n_groups + 1))
    return f"groups = (\n{groups}\n);\nproducts = (\n{products}\n);\n"


def add_publisher(site, s, k, n_groups):
    """One more publisher at the host of s; its catalogue."""
    p = publisher.BenchSite(site.path(f"{os.path.basename(s.folder)}-{k}"))
    os.makedirs(p.folder)
    p.publish(name=f"Bench {k}", products=group_products(n_groups, 1000 * k))
    shutil.copy(p.catalogue, os.path.join(
        s.host_root, f"usr/share/muster/catalogues/bench-{k}.muster"))
    return p


def activate(s, p, k):
    root = ("--root", s.host_root, "--publisher", f"Bench {k}")
    request, cert = p.path("host.request"), p.path("host.cert")
    demo.run("muster", "host", "install-key", *root, text=p.host_key + "\n")
    demo.run("muster", "host", "activate", "--offline", "--file", request,
             *root)
    demo.run("muster-authority", "activate", "--dir", p.path("authority"),
             "--file", request, "-o", cert)
    demo.run("muster", "host", "confirm", "--file", cert, *root[:2])
    return cert


def host_of_groups(site, n):
    """A host with n groups; the site and the options of its load."""
    s = publisher.BenchSite(site.path(f"groups-{n}"))
    for sub in ("etc/muster", "usr/share/muster/catalogues"):
        os.makedirs(os.path.join(s.host_root, sub))
    a_publisher = min(n, GROUPS_A_PUBLISHER)
    them = [add_publisher(site, s, k, a_publisher)
            for k in range(1, n // a_publisher + 1)]
    s.catalogue = them[0].catalogue
    s.start()
    # the first one's is there twice, under the name that start() gives it
    options = ["--clients", 1000 if n < 1000 else 1024, "--share"]
    for k, p in enumerate(them, 1):
        options += ["--catalogue", p.catalogue, "--certificate",
                    activate(s, p, k)]
    return s, options


def groups(site):
    for n in GROUPS:
        s, options = host_of_groups(site, n)
        try:
            cpu, r = rows.median_of(s, s.port, s.daemon.pid, *options, n=RUNS)
        finally:
            s.stop()
        yield point_row(f"{n:,} counting groups", keep(site, "groups", n, r,
                                                       cpu))
    points = site.result["curves"]["groups"]
    yield Row("growth over the groups", rows.keep_ratio(
        site, "cpu_growth_groups",
        points[-1]["cpu_us"] / points[0]["cpu_us"]), "×")


MEASURES = {"idle": idle, "clients": clients, "groups": groups}
