# SPDX-License-Identifier: MIT
"""Goal: the host's own judgement is right: no warning about what is wanted as it
is, and none that goes away while its cause stays."""
import json
import os
import re
import signal
import sqlite3
import subprocess
import time
import uuid
from contextlib import closing

import pytest

import demo
import nameserver
import test_admin as admin
import wire
from test_publish_bad import Fake
from test_status import get, port_of
from test_status_numbers import wait_for

DESKTOP, SERVER = (uuid.UUID(i).bytes for i in (demo.DESKTOP, demo.SERVER))
WAIT_S = 60


@pytest.fixture()
def make(tmp_path):
    """A host with these settings."""
    sites = []

    def start(settings, **attributes):
        folder = tmp_path / str(len(sites))
        folder.mkdir()
        s = demo.Site(str(folder))
        s.settings = settings
        for name, value in attributes.items():
            setattr(s, name, value)
        s.publish()
        s.start()
        sites.append(s)
        return s
    yield start
    for s in sites:
        s.stop()


def status(site):
    return json.loads(demo.run("muster", "host", "status", "--json", "--root",
                               site.host_root, ok=(0, 3)))


def check(told, name):
    return [c for c in told["health"]["checks"] if c["name"] == name]


def metrics(site):
    return {k: float(v) for k, v in
            (x.rsplit(" ", 1) for x in get(port_of(site), "/metrics").body
             .decode().splitlines() if not x.startswith("#"))}


def until(good):
    end = time.monotonic() + WAIT_S
    while not (told := good()):
        assert time.monotonic() < end
        time.sleep(0.1)
    return told


def test_a_host_that_is_not_to_be_published_lacks_nothing(make):
    s = make('publish = false;\npublish_name = "kms.corp.example";\n')
    s.activate_host()
    assert [d["domain"] for d in status(s)["dns"]["domains"]] \
        == ["corp.example"]
    assert check(status(s), "dns") == []
    assert not [k for k in metrics(s) if "dns_published" in k]


def test_a_failed_update_is_told_of_while_the_next_is_under_way(make):
    """A name server that refuses, and then says nothing at all."""
    fake = Fake(nameserver.Key("hosts.corp.test"))
    fake.mode = "soa refused"
    try:
        s = make('publish_name = "kms.corp.test";\n'
                 f'publish_server = "127.0.0.1:{fake.port}";\n')
        s.activate_host()
        until(lambda: status(s)["dns"]["domains"][0]["state"] == "failed")
        before, = check(status(s), "dns")
        assert before["state"] == "warning"
        fake.mode = "silent"
        p = subprocess.Popen([os.path.join(demo.BIN, "muster"), "host", "dns",
                              "publish", "--root", s.host_root],
                             stdout=subprocess.DEVNULL,
                             stderr=subprocess.DEVNULL)
        told = until(lambda: (t := status(s))["dns"]["domains"][0]["state"] ==
                     "asking" and t)
        assert check(told, "dns") == [before]
        s.stop()
        p.wait(WAIT_S)
    finally:
        fake.close()


def test_a_product_that_the_key_does_not_cover_needs_no_machines(make):
    s = make("")
    s.activate_host()
    new = admin.resign(s, demo.PRODUCTS.replace(
        "threshold = 25; line = 0; level = 1;",
        "threshold = 25; line = 0; level = 2;"))
    assert admin.muster(s, "catalogue", "install", new)[0] == 0
    for n in range(1, 6):
        assert wire.activate(s.port, SERVER, cmid=bytes([n]) * 16,
                             threshold=5)[0] == 0
    told = status(s)
    group, = told["publishers"][0]["groups"]
    assert [(t["product"], t["covered"]) for t in group["thresholds"]] == [
        ("Acme Desktop", False), ("Acme Server", True)]
    count, = check(told, "count")
    assert (count["state"], count["message"]) == (
        "ok", "5 machines: the threshold of every product in use is reached")
    seen = metrics(s)
    assert [v for k, v in seen.items() if "threshold_machines" in k] == [5]
    assert [v for k, v in seen.items() if "capacity_machines" in k] == [
        group["capacity"]] == [10]


def test_a_product_that_nobody_has_needs_no_machines(make):
    """Five servers and no desktop: all is well, until the first desktop asks."""
    s = make("publish = false;\n")
    s.activate_host()

    def summed():
        return until(lambda: (told := status(s))["inventory"]["batches"] ==
                     told["store"]["batches"] and told)

    def clients():
        return {re.search(r'product="(.*?)"', k)[1]: v
                for k, v in metrics(s).items() if "product_clients" in k}
    count, = check(summed(), "count")
    assert (count["state"], count["message"]) == (
        "ok", "0 machines: nobody asks for a product that the host key covers")
    for n in range(1, 6):
        assert wire.activate(s.port, SERVER, cmid=bytes([n]) * 16,
                             threshold=5)[0] == 0
    count, = check(summed(), "count")
    assert (count["state"], count["message"]) == (
        "ok", "5 machines: the threshold of every product in use is reached")
    assert clients() == {"Acme Desktop": 0, "Acme Server": 5}
    assert wire.activate(s.port, DESKTOP, cmid=b"9" * 16)[0] == 0
    count, = check(summed(), "count")
    assert (count["state"], count["message"]) == (
        "warning", "6 machines: Acme Desktop needs 19 more")
    assert clients() == {"Acme Desktop": 1, "Acme Server": 5}


def test_an_inventory_that_cannot_be_read_is_told_of_once(make):
    s = make("")
    s.activate_host()
    assert wire.activate(s.port, SERVER, cmid=b"\1" * 16, threshold=5)[0] == 0
    s.stop()
    path = os.path.join(s.host_root, "var/lib/muster/host/host.db")
    with closing(sqlite3.connect(path)) as db, db:
        assert db.execute("UPDATE client SET chk = chk + 1").rowcount == 1
    s.start()
    told = until(lambda: (t := status(s))["inventory_reading"]["state"] ==
                 "failing" and t)
    assert told["inventory_reading"]["last_outcome"] == "damaged"
    lack, = check(told, "inventory")
    assert lack["state"] == "warning" and "damaged" in lack["message"]
    assert metrics(s)["muster_host_inventory_up"] == 0
    s.stop()
    with open(s.path("musterd.log")) as f:
        assert len(re.findall("^.*inventory: it cannot be read", f.read(),
                              re.M)) == 1


def test_a_store_of_this_machine_says_what_to_do(make):
    s = make("")
    s.activate_host()
    path = os.path.join(s.host_root, "var/lib/muster/host/host.db")
    with closing(sqlite3.connect(path)) as db:
        db.execute("BEGIN IMMEDIATE")
        assert wire.activate(s.port, SERVER, cmid=b"\1" * 16,
                             threshold=5)[0] == 5  # BUSY
        told = until(lambda: (t := status(s))["store"]["state"] ==
                     "failing" and t)
        assert told["store"]["next_step"].endswith(
            "or end what locks the database")
        assert "reason" not in told["store"]
        lack, = check(told, "store")
        assert (lack["state"], lack["next_step"]) == (
            "error", told["store"]["next_step"])
    assert wire.activate(s.port, SERVER, cmid=b"\1" * 16, threshold=5)[0] == 0
    until(lambda: "next_step" not in status(s)["store"])


def test_the_inventory_says_how_much_it_keeps(make):
    s = make("inventory_rows = 10;\nretention_days = 90;\n")
    s.activate_host()

    def after(n):
        assert wire.activate(s.port, SERVER, cmid=bytes([n]) * 16,
                             threshold=5)[0] == 0
        return wait_for(s, lambda t: t["inventory"]
                        and t["inventory"]["clients"] == n)
    for n in range(1, 8):
        assert wire.activate(s.port, SERVER, cmid=bytes([n]) * 16,
                             threshold=5)[0] == 0
    told = after(8)
    assert (told["inventory"]["retention_days"], told["inventory"]["rows_max"]) \
        == (90, 10)
    assert check(told, "inventory_rows") == []
    lack, = check(after(9), "inventory_rows")
    assert lack["state"] == "warning"
    assert "9 of at most 10 rows" in lack["message"]
    assert "inventory_rows in musterd.conf" in lack["next_step"]


def test_it_asks_itself_as_soon_as_it_runs(make):
    """Every 300 s, as set; not 300 s after its start.  Switched off, it no longer
    knows: what was found out once does not stay."""
    s = make("self_test_seconds = 300;\n")
    assert until(lambda: status(s)["self_test"])["ok"]
    conf = os.path.join(s.host_root, "etc/muster/musterd.conf")
    with open(conf) as f:
        text = f.read()
    with open(conf, "w") as f:
        f.write(text.replace("self_test_seconds = 300", "self_test_seconds = 0"))
    s.daemon.send_signal(signal.SIGHUP)
    until(lambda: status(s)["self_test"] is None)
    assert check(status(s), "self_test") == []


def in_its_network(site, *command):
    subprocess.run(["nsenter", "-t", str(site.daemon.pid), "-U", "-n",
                    "--preserve-credentials", *command], check=True,
                   timeout=WAIT_S)


def test_every_address_is_asked(make):
    """The second of two goes away."""
    s = make("self_test_seconds = 1;\n", wrap=[
        "unshare", "-rn", "sh", "-c",
        "ip link set lo up; ip address add 192.0.2.7/32 dev lo; "
        """sed -i '/^listen/s/ ]/, "192.0.2.7" ]/' "$2/etc/muster/musterd.conf"; """
        'exec "$0" "$@"'])
    told = until(lambda: status(s)["self_test"])
    assert told["ok"]
    assert told["message"] == f"127.0.0.1:{s.port} and 1 more answer COVER"
    in_its_network(s, "ip", "address", "del", "192.0.2.7/32", "dev", "lo")
    until(lambda: not status(s)["self_test"]["ok"])
    assert "192.0.2.7" in status(s)["self_test"]["message"]
