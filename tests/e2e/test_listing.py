# SPDX-License-Identifier: MIT
"""Goal: listing a large inventory keeps no machine waiting."""
import contextlib
import json
import os
import socket
import sqlite3
import subprocess
import sys
import time
import uuid

import pytest

import agent
import demo
import page
import wire

DESKTOP = uuid.UUID(demo.DESKTOP).bytes
# Each takes longer to list than many answers; and a list of the fewer, held in
# memory, would be more than the 4 MiB that are allowed for.
FEW, ROWS = 50_000, 200_000
# Two readings of them with their rests, and a machine that is busy as well.
SUMMARY_S = 400
FILL = os.path.join(demo.REPO, "build/tests/fill_store")
REQUEST = (b"GET /v1/clients HTTP/1.1\r\nHost: localhost\r\n"
           b"Connection: close\r\n\r\n")
# A process of its own, which the clock of this one does not wait for.
LISTER = """
import socket, sys, time
s = socket.socket(socket.AF_UNIX)
s.settimeout(60)
s.connect(sys.argv[1])
s.sendall(sys.argv[3].encode())
with open(sys.argv[2], "wb") as f:
    f.write(s.recv(65536))
    print(time.monotonic(), flush=True)
    while piece := s.recv(1 << 20):
        f.write(piece)
"""


class Listing:
    """GET /v1/clients, and when its answer began."""

    def __init__(self, site, name="listing"):
        self.out = site.path(name)
        path = os.path.join(site.host_root, "run/muster/host.sock")
        self.p = subprocess.Popen(
            [sys.executable, "-c", LISTER, path, self.out, REQUEST.decode()],
            stdout=subprocess.PIPE, text=True)

    def is_alive(self):
        return self.p.poll() is None

    def end(self):
        text, _ = self.p.communicate(timeout=480)
        with open(self.out, "rb") as f:
            self.head, _, self.body = f.read().partition(b"\r\n\r\n")
        return float(text)


@pytest.fixture(scope="module", params=[FEW, pytest.param(
    ROWS, marks=pytest.mark.long)])
def full(tmp_path_factory, request):
    s = demo.Site(str(tmp_path_factory.mktemp("full")))
    s.wrap = agent.AS_ROOT
    s.publish()
    s.start()
    s.activate_host()
    out = demo.run("muster", "host", "status", "--root", s.host_root, "--json")
    publisher = json.loads(out)["publishers"][0]["id"]
    s.stop()
    subprocess.run([FILL, os.path.join(s.host_root,
                                       "var/lib/muster/host/host.db"),
                    publisher, "1", DESKTOP.hex(), str(request.param)], check=True,
                   timeout=300)
    s.start()
    s.rows = request.param
    yield s
    s.stop()


def test_b5_machines_are_answered_while_the_inventory_is_listed(full):
    listing = Listing(full)
    answers = []
    while listing.is_alive():
        at = time.monotonic()
        assert wire.activate(full.port, DESKTOP)[0] == 0
        answers.append(at)
    began = listing.end()
    n = sum(at < began for at in answers)
    assert n > 10, n  # it would be one of a host that does nothing else
    clients = json.loads(listing.body)["clients"]
    # of one moment: what came in meanwhile may or may not be there
    assert full.rows <= len(clients) <= full.rows + n + 1
    assert len({c["cmid"] for c in clients}) == len(clients)


def test_listings_at_a_time_are_bounded(full):
    many = [Listing(full, f"listing{i}") for i in range(4)]
    for x in many:
        x.end()
    codes = sorted(int(x.head.split()[1]) for x in many)
    assert codes.count(200) >= 2 and set(codes) == {200, 503}, codes
    busy = next(x for x in many if b" 503" in x.head[:16])
    assert json.loads(busy.body)["error"]["code"] == "busy"
    again = Listing(full)
    again.end()
    assert b" 200 " in again.head[:16]


def most_memory(*args):
    """The table, into nowhere, and how much memory it took, in MiB."""
    p = subprocess.Popen([os.path.join(demo.BIN, "muster"), "host", "clients",
                          *args], stdout=subprocess.DEVNULL)
    _, status, used = os.wait4(p.pid, 0)
    p.returncode = os.waitstatus_to_exitcode(status)
    assert p.returncode == 0
    return used.ru_maxrss / 1024


def test_b5_a_long_list_takes_no_more_memory_than_a_short_one(full):
    where = ("--root", full.host_root)
    short = most_memory("--state", "unlicensed", *where)
    for how in ((), ("--json",), ("--csv",)):
        assert most_memory(*how, *where) < short + 4, how


def first_page(site, query=""):
    code, _, body = page.get(page.status_port(site), "/v1/clients?" + query)
    return code, json.loads(body)


def test_b5_the_first_page_reads_no_other_row(full):
    """One row that stands elsewhere is spoiled: whoever reads it, fails."""
    path = os.path.join(full.host_root, "var/lib/muster/host/host.db")
    base = page.Database(full).settled()
    order = "ORDER BY last {0}, publisher {0}, product {0}, cmid {0} LIMIT 100"
    change = ("UPDATE client SET chk = chk + ? WHERE (publisher, product, cmid)"
              " IN (SELECT publisher, product, cmid FROM client ORDER BY last,"
              " publisher, product, cmid LIMIT 1)")
    with contextlib.closing(sqlite3.connect(path)) as db:
        db.execute(change, (1,))
        db.commit()
        try:
            code, told = first_page(full)
            assert first_page(full, "order=asc")[0] == 500
            assert first_page(full, "sort=name")[0] == 500
            assert first_page(full, "after=" + told["next"])[0] == 200
        finally:
            db.execute(change, (-1,))
            db.commit()
    assert code == 200
    assert told["total"] == told["matched"] == base.one(
        "SELECT count(*) FROM client")
    for way, query in (("DESC", ""), ("ASC", "order=asc")):
        said = [c["cmid"] for c in first_page(full, query)[1]["clients"]]
        assert said == [cmid.hex() for cmid, in base.query(
            "SELECT cmid FROM client " + order.format(way))], query


@pytest.mark.long
def test_b5_the_summary_of_a_large_inventory_has_each_row_once(full):
    """Read in pieces, between which machines come: none of it twice."""
    base = page.Database(full).settled()

    def summary():
        told = page.status(full)["inventory"]
        return told and told["clients"] == base.one(
            "SELECT count(*) FROM client") and told
    told = page.eventually(summary, SUMMARY_S)
    assert told, page.status(full)["inventory"]
    assert {k: n for k, n in told["by_state"].items() if n} == {
        page.STATES[state]: n for state, n in base.query(
            "SELECT state, count(*) FROM client GROUP BY state")}
    assert wire.activate(full.port, DESKTOP, cmid=b"new client 16 by")[0] == 0
    n = told["clients"] + 1
    told = page.eventually(lambda: (t := page.status(full)["inventory"])
                           ["clients"] == n and t, SUMMARY_S)
    assert told and told["duplicates"] == base.one(
        "SELECT count(*) FROM client WHERE is_duplicate")


def open_files(daemon):
    """musterd shows them to root alone, if only of its user namespace."""
    pid = str(daemon.pid)
    enter = ("nsenter", "-U", "--preserve-credentials", "-t", pid) \
        if agent.AS_ROOT else ()
    p = subprocess.run([*enter, "find", f"/proc/{pid}/fd", "-printf", "%l\n"],
                       capture_output=True, text=True, timeout=90)
    assert "/" in p.stdout, p.stderr  # one may be closed since
    return p.stdout.splitlines()


def test_a_lister_that_leaves_and_a_stop_in_between(full):
    for _ in range(2):
        with socket.socket(socket.AF_UNIX) as s:
            s.connect(os.path.join(full.host_root, "run/muster/host.sock"))
            s.sendall(REQUEST)
            time.sleep(0.05)
    assert wire.activate(full.port, DESKTOP)[0] == 0
    end = time.monotonic() + 20
    while any("deleted" in name for name in open_files(full.daemon)):
        assert time.monotonic() < end, "a listing's file stays open"
        time.sleep(0.05)
    last = Listing(full)
    while not any("deleted" in name for name in open_files(full.daemon)):
        assert last.is_alive()
        time.sleep(0.002)
    full.daemon.terminate()
    assert full.daemon.wait(20) == 0
    last.p.kill()
    last.p.communicate()
    full.start()
    assert wire.activate(full.port, DESKTOP)[0] == 0
