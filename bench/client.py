# SPDX-License-Identifier: MIT
"""Figures of a client machine: library and agent."""
import glob
import hashlib
import os
import shutil
import time
import uuid

import agent
import publisher
from publisher import PRODUCTS, Row

CHECK_CALLS = 2000
SMALL_KIB = 16
CHECK_US = 200  # a catalogue of up to 16 KiB
CHECK_LARGEST_US = 500
THREADS, THREAD_CALLS = 50, 20
REST_S, SETTLE_S = 20, 2
REST_PRODUCTS = 2
RSS_MIB = 6
NUMBER_CHECK, NUMBER_REST, NUMBER_MANY = 1, 2, 3  # of the machines


def hex_id(product):
    return uuid.UUID(product).hex


def catalogues(site):
    """Three sizes of what a product's package may bring."""
    yield "small", site.catalogue, CHECK_US
    per_product = 136  # bytes, by doc/protocol.md, with the longest name
    n = (SMALL_KIB * 1024 - 512) // per_product
    path = site.sign("medium", publisher.conf(n, 1, publisher.NAME_MAX))
    assert SMALL_KIB - 1 < os.path.getsize(path) / 1024 <= SMALL_KIB
    yield "medium", path, CHECK_US
    yield "largest", site.sign("largest", publisher.conf(
        publisher.PRODUCTS_MAX, publisher.GROUPS_MAX, publisher.NAME_MAX),
        publisher.REVOCATIONS_MAX, publisher.ISSUERS_MAX), CHECK_LARGEST_US


def check_row(what, r, limit):
    return Row(f"muster_check, {what}", r["median_us"], "µs",
               f"{r['p99_us']:.0f}, {r['max_us']:.0f} µs", limit,
               f"median of {r['calls']:,} calls, files cached; CPU "
               f"{r['cpu_us']:.0f} µs a call")


def install(site, path):
    """A copy of the catalogue where the one in force is kept."""
    folder = os.path.join(site.machine(NUMBER_CHECK),
                          "var/lib/muster/catalogues")
    publisher_id = hashlib.blake2b(bytes.fromhex(site.root_pk),
                                   digest_size=32).digest()[:16].hex()
    os.makedirs(folder, exist_ok=True)
    shutil.copy(path, os.path.join(folder, publisher_id + ".muster"))


def check(site):
    site.running()
    answer = site.activate(NUMBER_CHECK, PRODUCTS[0])
    assert answer["activated"], answer
    for name, path, limit in catalogues(site):
        r = publisher.program("bench_check", site.machine(NUMBER_CHECK), path,
                              site.root_pk, hex_id(PRODUCTS[0]), CHECK_CALLS)
        kib = os.path.getsize(path) / 1024
        yield check_row(f"{name} catalogue ({kib:.1f} KiB)", r, limit)
        bare = publisher.program("bench_bare", path, CHECK_CALLS)
        yield Row(f"  its cryptography alone, {name}", bare["median_us"],
                  "µs", f"{bare['p99_us']:.0f}, {bare['max_us']:.0f} µs", None,
                  "3 signatures verified, the catalogue hashed, from memory; "
                  f"muster_check is {r['median_us'] / bare['median_us']:.2f} "
                  "times that")
    # as on a machine where it is installed beside the package's own
    install(site, site.catalogue)
    r = publisher.program("bench_check", site.machine(NUMBER_CHECK),
                          site.catalogue, site.root_pk, hex_id(PRODUCTS[0]),
                          CHECK_CALLS)
    yield check_row("small, also installed", r, CHECK_US)


class Resting:
    """An agent with some of the site's products, all of them activated."""

    def __init__(self, site, number, n_products):
        self.machine = agent.Machine(site, number)
        with open(self.machine.key_file) as f:
            keys = f.readlines()
        with open(self.machine.key_file, "w") as f:
            f.writelines(keys[:n_products])
        assert len(keys) >= n_products

    def __enter__(self):
        return self.machine.start()

    def __exit__(self, *_):
        if self.machine.process is not None:
            self.machine.kill()


def status(pid):
    """/proc's words on each thread of a process."""
    threads = []
    for path in glob.glob(f"/proc/{pid}/task/*/status"):
        with open(path) as f:
            threads.append(dict(line.split(":", 1) for line in f))
    assert threads
    return threads


def wake_ups(pid):
    return sum(int(t["voluntary_ctxt_switches"]) for t in status(pid))


def rest(site):
    site.running()
    with Resting(site, NUMBER_REST, REST_PRODUCTS) as m:
        products = m.ask(agent.LIST)["products"]
        assert len(products) == REST_PRODUCTS, products
        for p in products:
            m.activate(p)
        for p in products:
            info = m.info(p)
            assert info["state"] == "licensed" and info["round"] == 0, info
            assert info["due"] - time.time() > REST_S + 60, info
        time.sleep(SETTLE_S)
        pid = m.process.pid
        before = wake_ups(pid)
        time.sleep(REST_S)
        n = wake_ups(pid) - before
        threads = status(pid)
        rss = int(threads[0]["VmRSS"].split()[0]) / 1024
        peak = int(threads[0]["VmHWM"].split()[0]) / 1024
        assert m.process.poll() is None
    yield Row(f"muster-agent at rest, {REST_PRODUCTS} products: RSS", rss,
              "MiB", f"peak {peak:.2f}", RSS_MIB)
    yield Row(f"muster-agent at rest: wake-ups in {REST_S} s", n, "", "", 0,
              f"voluntary context switches of its {len(threads)} threads; "
              "no timer was due")


def activate(site):
    site.running()
    with Resting(site, NUMBER_MANY, len(PRODUCTS)) as m:
        assert len(m.ask(agent.LIST)["products"]) == len(PRODUCTS)
        r = publisher.program("bench_activate", m.root, THREADS, THREAD_CALLS,
                              *map(hex_id, PRODUCTS))
        leases = len(os.listdir(m.state("leases")))
        assert r["calls"] == THREADS * THREAD_CALLS, r
        assert leases >= len(PRODUCTS), leases
    yield Row(f"muster_activate, {r['calls']:,} from {THREADS} threads: errors",
              r["errors"], "", "", 0,
              f"{r['seconds']:.2f} s; {r['calls'] - r['errors'] - r['early']} "
              f"waited for the host, {r['early']} were told a result under "
              f"ten seconds old; a call: median {r['median_us'] / 1e3:.1f} "
              f"ms, worst {r['max_us'] / 1e3:.0f} ms")


MEASURES = {"check": check, "rest": rest, "activate": activate}
