# SPDX-License-Identifier: MIT
"""What an administrator's looking costs: the status page in a browser, a
scrape, both beside activations, and a long list."""
import contextlib
import hashlib
import http.client
import json
import os
import statistics
import struct
import subprocess
import threading
import time

import curves
import demo
import rows
from publisher import Row, cores

CLIENTS = 100_000
RUNS = 9
POINTS = 1440  # of a curve, at most
COMPLETE_MS = 300
SCRAPES, SCRAPE_MS = 200, 10
# one run of p99 at half load is a quarter from the next: more of them, in turn
EFFECT, EFFECT_RUNS, EFFECT_S = 1.10, 15, 5
ROWS = 1_000_000
# What a browser asks for when the page is loaded anew: what it has must be
# asked after, and the figures.
PAGE = ("/", "/uplot.css", "/page.css", "/uplot.js", "/js/main.js",
        "/js/dom.js", "/js/words.js", "/js/ask.js", "/js/verdict.js",
        "/js/groups.js", "/js/chart.js", "/js/tables.js", "/js/host.js",
        "/js/clients.js", "/icon.svg")
FIGURES = ("/v1/clients?sort=last&order=desc&limit=25", "/v1/status",
           "/v1/events?limit=30", "/v1/events?limit=10&level=warning",
           "/v1/history?resolution=minute")
SCRAPE = "/metrics"


def get(port, path):
    """The body, and how long it took, in ms, connecting included."""
    began = time.perf_counter()
    c = http.client.HTTPConnection("127.0.0.1", port, timeout=30)
    try:
        c.request("GET", path)
        answer = c.getresponse()
        body = answer.read()
    finally:
        c.close()
    if answer.status != 200:
        raise RuntimeError(f"{path}: {answer.status}")
    return body, (time.perf_counter() - began) * 1e3


def complete_ms(view, port):
    """By the browser's own clock, from the start of the navigation."""
    view.open(port)
    return view.js("return performance.getEntriesByName('shown')[0].startTime")


def filled(site, name, n):
    s = curves.new_site(site, name)
    s.running()
    curves.fill(s, 1, n + 1)
    return s


def lived(s):
    """Its curves are full, as after sixty days, in the form of
    src/host/history_file.h."""
    import page  # of tests/e2e; it needs the browser
    publisher, = page.status(s)["publishers"]
    s.stop()
    now = int(time.time())
    data = bytearray(b"MSTHIST1" + struct.pack(">I", len(publisher["groups"])))
    for group in publisher["groups"]:
        data += bytes.fromhex(publisher["id"]) + struct.pack(">I", group["group"])
    for step_s in (60, 3600):
        data += struct.pack(">qI", now // step_s, POINTS)
        for i in range(POINTS):
            data += struct.pack(">4I", 1, i % 90, i % 7, i % 3)
            data += struct.pack(">I", 40 + i % 50) * len(publisher["groups"])
    data += hashlib.blake2b(data, digest_size=16).digest()
    with open(os.path.join(s.host_root, "var/lib/muster/host/history"), "wb") as f:
        f.write(data)
    s.start()
    told = json.loads(get(page.status_port(s),
                          "/v1/history?resolution=minute")[0])
    if told["n"] != POINTS:
        raise RuntimeError(f"a history of {told['n']} points")


def wait_summary(page, s, n):
    said = page.eventually(lambda: (t := page.status(s)["inventory"])
                           and t["clients"] >= n and t, 120)
    if not said:
        raise RuntimeError(f"no summary of {n} clients")
    return said


def pages(site, s, n_clients, n):
    import page  # of tests/e2e; it needs the browser
    driver = page.browser(site.path("profile"))
    try:
        view, port = page.Page(driver), page.status_port(s)
        first = complete_ms(view, port)
        said = wait_summary(page, s, n_clients)
        times = [complete_ms(view, port) for _ in range(n)]
        if view.number("[data-is=clients]") != said["clients"]:
            raise RuntimeError("the page does not show them")
        n_asked = 1 + view.js(
            "return performance.getEntriesByType('resource').length")
    finally:
        driver.quit()
    middle = statistics.median(times)
    site.result.setdefault("page", {}).update(
        complete_ms=middle, complete_first_ms=round(first, 1),
        complete_max_ms=round(max(times), 1), requests=n_asked)
    yield Row(f"page complete, {n_clients:,} clients, median of {n}", middle,
              "ms", f"{max(times):.0f} ms", COMPLETE_MS,
              f"{n_asked} requests; the very first, into an empty cache: "
              f"{first:.0f} ms")


def scrapes(site, s, port, n_clients, n):
    cpu = cpu_ms(s.daemon.pid)
    times = [get(port, SCRAPE)[1] for _ in range(n)]
    cpu = round((cpu_ms(s.daemon.pid) - cpu) / n, 3)
    middle = statistics.median(times)
    site.result.setdefault("page", {}).update(
        scrape_ms=middle, scrape_max_ms=round(max(times), 2),
        scrape_cpu_ms=cpu)
    yield Row(f"scrape, {n_clients:,} clients, median of {n}", middle, "ms",
              f"{max(times):.1f} ms", SCRAPE_MS,
              f"musterd's CPU time, all that it did beside it included: {cpu} "
              "ms each")


def cpu_ms(pid):
    """Of all threads so far."""
    ns = 0
    for thread in os.listdir(f"/proc/{pid}/task"):
        with open(f"/proc/{pid}/task/{thread}/schedstat") as f:
            ns += int(f.read().split()[0])
    return ns / 1e6


@contextlib.contextmanager
def watched(port):
    """Meanwhile the page is loaded anew and scraped, once a second each; by
    its requests, for a browser's own work is not the host's.  A list that gets
    how many times."""
    done, is_over, failed = [], threading.Event(), []

    def look():
        os.sched_setaffinity(threading.get_native_id(), {cores()[1]})
        try:
            while True:
                for path in (*PAGE, *FIGURES, SCRAPE):
                    get(port, path)
                done.append(time.monotonic())
                if is_over.wait(1):
                    return
        except (OSError, RuntimeError) as e:
            failed.append(e)
    thread = threading.Thread(target=look)
    thread.start()
    try:
        yield done
    finally:
        is_over.set()
        thread.join()
    if failed:
        raise failed[0]


def effect(site, s, port, n_clients, n, seconds):
    """In turn, at half of what the host does at most, in an open loop."""
    options = rows.asking(s, "--share")
    pids = [s.daemon.pid]
    rate = rows.load(site, s.port, pids, *options)["per_s"] / 2

    def p99():
        return rows.load(site, s.port, pids, *options, "--rate", rate,
                         connections=rows.HALF_CONNECTIONS,
                         seconds=seconds)["p99_us"] / 1e3
    alone, beside, looks = [], [], 0
    for _ in range(n):
        alone.append(p99())
        with watched(port) as done:
            beside.append(p99())
        looks += len(done)
    quiet, seen = statistics.median(alone), statistics.median(beside)
    site.result.setdefault("page", {}).update(
        p99_alone_ms=round(quiet, 3), p99_watched_ms=round(seen, 3))
    yield Row(f"p99 of activations beside page and scrape each second, "
              f"{n_clients:,} clients", seen / quiet, "×",
              f"{max(beside):.2f} ms", EFFECT,
              f"{rate:,.0f} a second; medians of {n}: {quiet:.2f} ms alone, "
              f"{seen:.2f} ms beside {looks} loads; alone "
              f"{min(alone):.2f} to {max(alone):.2f}")


def listing(site, s, n_rows):
    """`muster host clients` into nowhere, as a table and as CSV."""
    for name, more in (("table", ()), ("csv", ("--csv",))):
        began = time.monotonic()
        p = subprocess.Popen([os.path.join(demo.BIN, "muster"), "host",
                              "clients", *more, "--root", s.host_root],
                             stdout=subprocess.PIPE)
        n = sum(piece.count(b"\n")
                for piece in iter(lambda: p.stdout.read(1 << 20), b""))
        _, status, used = os.wait4(p.pid, 0)
        p.returncode = os.waitstatus_to_exitcode(status)
        took = round(time.monotonic() - began, 2)
        if p.returncode != 0 or n < n_rows:
            raise RuntimeError(f"muster host clients: {p.returncode}, {n} "
                               "lines")
        rss = round(used.ru_maxrss / 1024, 1)
        site.result.setdefault("page", {})[f"list_{name}"] = {
            "rows": n_rows, "s": took, "rss_mib": rss}
        yield Row(f"muster host clients, {n_rows:,} rows, {name}", took, "s",
                  f"{rss} MiB", None, "the second figure: its peak memory")


def measure(site):
    import page  # of tests/e2e
    s = filled(site, "page", CLIENTS)
    lived(s)
    try:
        port = page.status_port(s)
        yield from pages(site, s, CLIENTS, RUNS)
        yield from scrapes(site, s, port, CLIENTS, SCRAPES)
        yield from effect(site, s, port, CLIENTS, EFFECT_RUNS, EFFECT_S)
    finally:
        s.stop()


def measure_list(site):
    s = filled(site, "list", ROWS)
    try:
        yield from listing(site, s, ROWS)
    finally:
        s.stop()


MEASURES = {"page": measure, "list": measure_list}
