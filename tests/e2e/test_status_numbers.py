# SPDX-License-Identifier: MIT
"""Goal: an administrator sees by the status listener what the host does: each
number is what machines were answered, or what the inventory holds."""
import json
import socket
import sqlite3
import os
import time
import uuid

import pytest

import demo
import wire
from test_status import get, port_of, read

DESKTOP, SERVER = (uuid.UUID(i).bytes for i in (demo.DESKTOP, demo.SERVER))
LICENSED, NOTIFICATION = 2, 4
TWIN = b"\x11" * 16
DAY = 86400
WAIT_S = 60


def wait_for(site, good):
    """The inventory's numbers are some seconds old."""
    end = time.monotonic() + WAIT_S
    while not good(told := read(site, "/v1/status")):
        assert time.monotonic() < end, told
        time.sleep(0.2)
    return told


@pytest.fixture(scope="module")
def busy(site):
    """Servers from threshold 5 on, desktops from 25: two desktops below it, five
    servers of which one image has two machines, one product that is not known,
    one probe."""
    for n in (1, 2):
        assert wire.activate(site.port, DESKTOP, cmid=bytes([n]) * 16,
                             name=b"pc-%d" % n, state=NOTIFICATION)[0] == 0
    for n in (3, 4, 5):
        assert wire.activate(site.port, SERVER, cmid=bytes([n]) * 16,
                             name=b"srv-%d" % n, state=LICENSED,
                             threshold=5)[0] == 0
    for n in (1, 2):
        assert wire.activate(site.port, SERVER, cmid=TWIN,
                             machine=bytes([n]) * 16, name=b"twin-%d" % n,
                             threshold=5, state=LICENSED)[0] == 0
    assert wire.activate(site.port, b"?" * 16)[0] != 0
    return site


def test_answers_and_refusals_by_cause(busy):
    told = read(busy, "/v1/status")
    assert told["requests"]["ok"] == 7
    # the fifth server finds four others, the sixth machine has all five
    assert told["answers"] == {"activated": 3, "below_threshold": 4, "probes": 0}
    assert told["refusals"]["below_threshold"] == 4
    assert told["refusals"]["unknown_product"] == 1
    assert sum(told["refusals"].values()) == 5


def test_groups_say_which_thresholds_are_reached(busy):
    group, = wait_for(busy, lambda t: t["inventory"] and t["inventory"]["batches"]
                      == t["store"]["batches"])["publishers"][0]["groups"]
    assert group["count"] == 6
    assert group["thresholds"] == [
        {"product": "Acme Desktop", "threshold": 25, "reached": False,
         "covered": True, "clients": 2},
        {"product": "Acme Server", "threshold": 5, "reached": True,
         "covered": True, "clients": 4}]


def test_the_inventory_in_numbers(busy):
    told = wait_for(busy, lambda t: t["inventory"]
                    and t["inventory"]["batches"] == t["store"]["batches"])[
                        "inventory"]
    assert told["clients"] == 6
    assert told["duplicates"] == 1
    assert told["by_state"] == {
        "unlicensed": 0, "initial_grace": 0, "licensed": 4,
        "out_of_tolerance_grace": 0, "notification": 2}
    assert told["leases"] == {"current": 2, "ended": 0, "within_7_days": 0,
                              "within_30_days": 0, "within_60_days": 0}
    assert {(p["name"], p["clients"]) for p in told["by_product"]} == {
        ("Acme Desktop", 2), ("Acme Server", 4)}
    assert abs(told["as_of_unix_s"] - time.time()) < 60
    assert told["batches"] == read(busy, "/v1/status")["store"]["batches"]


def checks(site):
    health = read(site, "/v1/status")["health"]
    return health["state"], {(c["name"], c["subject"]): c
                             for c in health["checks"]}


def test_what_is_not_all_right_has_a_next_step(busy):
    wait_for(busy, lambda t: (t["inventory"] or {}).get("duplicates") == 1)
    state, all_checks = checks(busy)
    assert state == "warning"
    assert all_checks["store", None]["state"] == "ok"
    assert all_checks["certificate", "Acme"]["state"] == "ok"
    count = all_checks["count", "Acme: Acme systems"]
    assert count["state"] == "warning"
    assert count["message"] == "6 machines: Acme Desktop needs 19 more"
    twins = all_checks["duplicates", None]
    assert twins["state"] == "warning" and "muster host clients" in twins["next_step"]
    assert twins["message"] == "1 client id is used by more than one machine"
    assert "muster rearm on the copies, and muster generalize in the image" in \
        twins["next_step"]
    for c in all_checks.values():
        assert (c["next_step"] is None) == (c["state"] == "ok"), c
        assert c["message"]


def test_one_is_told_as_one(tmp_path):
    s = demo.Site(str(tmp_path))
    s.publish()
    s.start()
    try:
        s.activate_host()
        assert wire.activate(s.port, SERVER)[0] == 0
        count, = (c for c in read(s, "/v1/status")["health"]["checks"]
                  if c["name"] == "count")
        assert count["message"] == "1 machine: Acme Desktop needs 24 more"
    finally:
        s.stop()


def test_history_has_the_same_sums(busy):
    for step, step_s in (("minute", 60), ("hour", 3600)):
        def told():
            return read(busy, f"/v1/history?resolution={step}")
        end = time.monotonic() + WAIT_S
        while (h := told())["groups"][0]["count"][-1] != 6 or \
                sum(h["activated"]) != 3:
            assert time.monotonic() < end, h
            time.sleep(0.2)
        assert h["step_s"] == step_s and h["first_unix_s"] % step_s == 0
        assert h["n"] == len(h["refused"]) == len(h["groups"][0]["count"]) <= 3
        assert sum(h["below_threshold"]) == 4 and sum(h["refused"]) == 1
        assert h["groups"][0]["name"] == "Acme systems"
        last = h["first_unix_s"] + (h["n"] - 1) * step_s
        assert last <= h["now_unix_s"] < last + 2 * step_s
    assert get(port_of(busy), "/v1/history?resolution=day").status == 400


TIES = ("request", "client", "product", "outcome")


def test_events_are_the_lines_of_the_log(busy):
    with open(busy.path("musterd.log")) as f:
        lines = [x.rstrip("\n").partition(": ") for x in f]
    told = read(busy, "/v1/events")
    def line(e):
        fields = " ".join(f"{k}={v}" for k, v in e["fields"].items()
                          if k in TIES)  # the sentence has the others
        return e["event"], e["message"] + (f" [{fields}]" if fields else "")
    assert [line(e) for e in told["events"]] == [
        (name, text) for name, _, text in lines]
    ids = [e["id"] for e in told["events"]]
    assert ids == list(range(1, told["last"] + 1)) and told["first"] == 1
    assert not told["lost"]
    assert {e["level"] for e in told["events"]} <= {"note", "warning", "error"}
    one = read(busy, f"/v1/events?after={ids[0]}&limit=1")["events"]
    assert [e["id"] for e in one] == [ids[1]]
    newest = read(busy, "/v1/events?limit=2")["events"]
    assert [e["id"] for e in newest] == ids[-2:]
    assert read(busy, f"/v1/events?after={ids[-1]}")["events"] == []


@pytest.mark.parametrize("query", [
    "/v1/events?after=x", "/v1/events?level=fine", "/v1/events?limit=0", "/v1/events?limit=1001",
    "/v1/events?after=-1", "/v1/clients?sort=age", "/v1/clients?order=up",
    "/v1/clients?limit=0", "/v1/clients?limit=1001", "/v1/clients?limit=",
    "/v1/clients?after=00", "/v1/clients?after=" + "g" * 296,
    "/v1/clients?search=" + "x" * 65, "/v1/clients?state=asleep",
    "/v1/clients?product=Acme%20Tablet", "/v1/clients?colour=red"])
def test_what_is_not_understood_is_named(busy, query):
    r = get(port_of(busy), query)
    assert r.status in (400, 404)
    assert json.loads(r.body)["error"]["next_step"]


def rows_of_database(site):
    """Merged, by another program: sqlite3."""
    db = sqlite3.connect("file:" + os.path.join(
        site.host_root, "var/lib/muster/host/host.db") + "?mode=ro", uri=True)
    try:
        return db.execute("SELECT name, state, last, cmid FROM client").fetchall()
    finally:
        db.close()


def clients(site, query=""):
    return read(site, "/v1/clients?" + query)


def names(page):
    return [c["name"] for c in page["clients"]]


def test_clients_are_those_of_the_database(busy):
    end = time.monotonic() + WAIT_S
    while len(stored := rows_of_database(busy)) < 6:
        assert time.monotonic() < end
        time.sleep(0.2)
    page = clients(busy)
    assert (page["total"], page["matched"], page["next"]) == (6, 6, None)
    assert {(c["name"], c["last_unix_s"], c["cmid"]) for c in page["clients"]} \
        == {(name, last, cmid.hex()) for name, _, last, cmid in stored}
    twin, = (c for c in page["clients"] if c["duplicate"])
    assert (twin["name"], twin["other_name"]) == ("twin-2", "twin-1")
    assert twin["product_name"] == "Acme Server"
    assert twin["lease_end_unix_s"] == twin["last_unix_s"] + 180 * DAY
    assert next(c for c in page["clients"] if c["name"] == "pc-1")[
        "lease_end_unix_s"] is None


ALL = ["pc-1", "pc-2", "srv-3", "srv-4", "srv-5", "twin-2"]


def test_clients_in_order(busy):
    assert names(clients(busy, "sort=name")) == ALL
    assert names(clients(busy, "sort=name&order=desc")) == ALL[::-1]
    counts = [c["count"] for c in clients(busy, "sort=count")["clients"]]
    assert counts == sorted(counts, reverse=True) and counts[0] == 6
    assert clients(busy, "sort=contacts")["clients"][0]["name"] == "twin-2"
    by_product = [c["product_name"] for c in clients(busy, "sort=product")[
        "clients"]]
    assert by_product == sorted(by_product)
    ends = [c["lease_end_unix_s"] or 0
            for c in clients(busy, "sort=lease_end")["clients"]]
    assert ends == sorted(ends) and ends[-1] > 0
    for sort in ("last", "first", "state", "address"):
        assert len(names(clients(busy, f"sort={sort}"))) == 6


@pytest.mark.parametrize("order", ["asc", "desc"])
@pytest.mark.parametrize("sort", ["name", "state", "last", "product", "address"])
def test_pages_together_are_the_whole(busy, sort, order):
    """Each row once, whatever is equal."""
    query = f"sort={sort}&order={order}&limit=2"
    whole = names(clients(busy, f"sort={sort}&order={order}"))
    page = clients(busy, query)
    got = names(page)
    while page["next"]:
        assert page["matched"] == 6 and len(page["clients"]) == 2
        page = clients(busy, query + "&after=" + page["next"])
        got += names(page)
    assert got == whole and sorted(got) == ALL


@pytest.mark.parametrize("search, found", [
    ("pc-", ["pc-1", "pc-2"]), ("PC-2", ["pc-2"]), ("twin-1", ["twin-2"]),
    ("127.0.0.1", ALL), ("04040404-0404", ["srv-4"]), ("0404040404", ["srv-4"]),
    ("1111111111", ["twin-2"]), ("nobody", []), ("%25", []), ("", ALL)])
def test_clients_are_found(busy, search, found):
    page = clients(busy, f"sort=name&search={search}")
    assert names(page) == found and page["matched"] == len(found)
    assert page["total"] == 6


def test_filters_hold_for_pages(busy):
    assert names(clients(busy, "sort=name&state=notification")) == ALL[:2]
    assert names(clients(busy, "duplicate=true")) == ["twin-2"]
    assert names(clients(busy, "sort=name&product=Acme%20Server")) == ALL[2:]


def test_the_socket_has_the_page_as_well(busy):
    with socket.socket(socket.AF_UNIX) as s:
        s.settimeout(WAIT_S)
        s.connect(os.path.join(busy.host_root, "run/muster/host.sock"))
        s.sendall(b"GET /v1/clients?limit=3&sort=name HTTP/1.1\r\n"
                  b"Host: localhost\r\nConnection: close\r\n\r\n")
        out = b""
        while piece := s.recv(65536):
            out += piece
    page = json.loads(out.partition(b"\r\n\r\n")[2])
    assert names(page) == ALL[:3] and page["next"]
