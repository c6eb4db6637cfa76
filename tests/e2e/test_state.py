# SPDX-License-Identifier: MIT
"""Goal: a damaged state file is told and kept, costs no CMID that a lease
still names, and earns no second grace."""
import json
import os
import shutil
import subprocess

import pytest

import demo
from test_admin import muster

JUNK = b"this was a state file once\n"


@pytest.fixture(scope="module")
def served(site):
    """Five servers, so that the fifth holds a lease."""
    for n in range(1, 6):
        site.activate(n, demo.SERVER)
    return site


def file(site, n, kind, product=demo.SERVER):
    folder = os.path.join(site.machine(n), "var/lib/muster/agent", kind)
    name = product + ".state" if kind == "products" else \
        [f for f in os.listdir(folder) if f.endswith(".state")][0]
    return os.path.join(folder, name)


def spoil(path, data=JUNK):
    with open(path, "wb") as f:
        f.write(data)


def cmids(site):
    clients = muster(site, "host", "clients")[1]["clients"]
    assert not any(c["duplicate"] for c in clients)
    return {c["cmid"] for c in clients}


def offline(site, n, product=demo.SERVER):
    """The state that the machine would report; no host is reached."""
    args = ("activate", "--direct", "--host", "127.0.0.1:1", "--product",
            product)
    code, answer = muster(site, *args, root=site.machine(n))
    assert code == 5
    return answer


def check_kept(damage, path, recovered, data=JUNK):
    assert damage == [{"file": path, "kept_as": path + ".damaged",
                       "recovered": recovered}]
    assert open(path + ".damaged", "rb").read() == data
    folder = os.path.dirname(path)
    assert len([f for f in os.listdir(folder) if "damaged" in f]) == 1


@pytest.mark.parametrize("data", [JUNK, b"", b"MUSTERP1", bytes(5000)])
def test_b30_a_damaged_cmid_is_taken_from_the_lease(served, data):
    before = cmids(served)
    path = file(served, 5, "publishers")
    spoil(path, data)
    answer = served.activate(5, demo.SERVER)
    check_kept(answer["damaged"], path, True, data)
    assert (answer["count"], answer["state"]) == (5, "licensed")
    assert cmids(served) == before
    assert served.activate(5, demo.SERVER)["damaged"] == []


def test_b30_the_lease_of_another_product_will_do(served):
    before = cmids(served)
    spoil(file(served, 5, "publishers"))
    answer = served.activate(5, demo.DESKTOP)
    assert [d["recovered"] for d in answer["damaged"]] == [True]
    assert cmids(served) == before


def test_b30_without_a_lease_a_damaged_cmid_begins_anew(served):
    before = cmids(served)
    path = file(served, 1, "publishers")
    spoil(path)
    check_kept(served.activate(1, demo.DESKTOP)["damaged"], path, False)
    after = cmids(served)
    assert before < after and len(after) == len(before) + 1


def test_b35_a_copied_lease_gives_no_cmid(served):
    """The copy of a lease under a damaged state: not this machine's."""
    before = cmids(served)
    served.activate(8, demo.DESKTOP)
    lease = os.path.join(served.machine(5), "var/lib/muster/agent/leases")
    shutil.copy(os.path.join(lease, demo.SERVER + ".lease"), os.path.join(
        served.machine(8), "var/lib/muster/agent/leases"))
    spoil(file(served, 8, "publishers"))
    answer = served.activate(8, demo.SERVER)
    assert [d["recovered"] for d in answer["damaged"]] == [False]
    assert len(cmids(served)) == len(before) + 2


@pytest.mark.parametrize("data", [JUNK, b"", b"MUSTERR1"])
def test_b30_a_damaged_first_sight_earns_no_grace(served, data):
    assert served.activate(9, demo.DESKTOP)["state"] == "initial grace"
    path = file(served, 9, "products", demo.DESKTOP)
    spoil(path, data)
    answer = served.activate(9, demo.DESKTOP)
    check_kept(answer["damaged"], path, False, data)
    assert (answer["state"], answer["minutes_left"]) == ("unlicensed", 0)
    again = served.activate(9, demo.DESKTOP)
    assert (again["state"], again["damaged"]) == ("unlicensed", [])
    shutil.rmtree(served.machine(9))


def test_b30_nor_with_the_lease_of_a_stranger(served):
    """What it tells the host is not a grace that the copy would begin."""
    offline(served, 10)
    lease = "var/lib/muster/agent/leases/" + demo.SERVER + ".lease"
    shutil.copy(os.path.join(served.machine(5), lease),
                os.path.join(served.machine(10), lease))
    spoil(file(served, 10, "products"))
    served.activate(10, demo.SERVER)
    told = [c["state"] for c in muster(served, "host", "clients")[1]["clients"]
            if c["cmid"] == cmid_of(served, 10)]
    assert told == ["unlicensed"]


def cmid_of(site, n):
    """Bytes 28 to 43 of the publisher's file."""
    with open(file(site, n, "publishers"), "rb") as f:
        return f.read()[28:44].hex()


def test_b30_with_a_lease_a_damaged_product_stays_licensed(served):
    path = file(served, 5, "products")
    spoil(path)
    answer = served.activate(5, demo.SERVER)
    check_kept(answer["damaged"], path, True)
    assert answer["state"] == "licensed"


def test_damage_is_told_to_people_and_without_a_host(served):
    path = file(served, 2, "products")
    spoil(path)
    p = subprocess.run(
        [os.path.join(demo.BIN, "muster"), "activate", "--direct", "--root",
         served.machine(2), "--host", "127.0.0.1:1", "--product",
         demo.SERVER], capture_output=True, text=True, timeout=90)
    assert p.returncode == 5
    assert f"{path} was damaged; it is kept as {path}.damaged" in p.stderr
    spoil(path)
    check_kept(offline(served, 2)["damaged"], path, False)
    assert json.dumps(offline(served, 2)["damaged"]) == "[]"


def test_b30_what_is_said_of_it_without_json(served):
    """To people: on standard error, each file with what became of it."""
    def activate(product):
        return subprocess.run([os.path.join(demo.BIN, "muster"), "activate", "--direct", "--root", served.machine(4),
                               "--host", f"127.0.0.1:{served.port}", "--product", product],
                              capture_output=True, text=True, timeout=90)
    p = activate(demo.SERVER)
    assert (p.returncode, p.stderr) == (0, "")
    assert ": activated; count " in p.stdout and " of 5 at 127.0.0.1" in p.stdout
    paths = [file(served, 4, "publishers"), file(served, 4, "products")]
    for path in paths:
        spoil(path)
    p = activate(demo.DESKTOP)
    assert p.returncode == 3
    assert ": not activated yet; count " in p.stdout
    assert p.stderr == f"muster: {paths[0]} was damaged; it is kept as {paths[0]}.damaged; " \
        "what counts was taken from a lease\n"
    p = activate(demo.SERVER)
    assert p.returncode == 0
    assert f"{paths[1]} was damaged; it is kept as {paths[1]}.damaged; " in p.stderr
