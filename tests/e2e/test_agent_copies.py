# SPDX-License-Identifier: MIT
"""Goal: real agents on copies and containers: which machine each of them is,
what the host finds, and several publishers side by side."""
import hashlib
import json
import os
import shutil
import struct
import subprocess
import time
import uuid

import pytest

import agent
import demo
from agent import Machine
from test_publishers import EDITOR, two  # noqa: F401

BOARD = "1b4e28ba-2fa1-4d3b-8f5e-6b9f3c0d2a71"
OTHER_BOARD = "1b4e28ba-2fa1-4d3b-8f5e-6b9f3c0d2a72"
NUMBERS = iter(range(1, 90))


@pytest.fixture(scope="module")
def busy(site):
    for n in range(100, 106):
        site.activate(n, demo.SERVER)
    return site


def clients(site):
    out = demo.run("muster", "host", "clients", "--root", site.host_root,
                   "--json")
    return json.loads(out)["clients"]


def duplicates(site):
    return {c["cmid"] for c in clients(site) if c["duplicate"]}


def until(done, seconds=20):
    end = time.monotonic() + seconds
    while not done():
        assert time.monotonic() < end
        time.sleep(0.02)


def cmids(site):
    return {c["cmid"] for c in clients(site)}


def cmid(m, publisher=None):
    """Of its only publisher, or of the one with this id."""
    names = [n for n in os.listdir(m.state("publishers"))
             if n.endswith(".state") and (publisher or "") in n]
    assert len(names) == 1, names
    with open(m.state("publishers", names[0]), "rb") as f:
        return f.read()[28:44].hex()


def activated(m, product=demo.SERVER, **how):
    """A start, a round in this run, and the end."""
    m.start(**how)
    info = m.activate(product)["info"]
    m.stop()
    assert info["round"] == 0, info
    return info


def copy(m, n):
    """Another machine whose whole root is a copy, machine id included."""
    twin = Machine(m.site, n)
    shutil.rmtree(twin.root)
    shutil.copytree(m.root, twin.root)
    return twin


def write(m, path, text):
    full = os.path.join(m.root, path)
    os.makedirs(os.path.dirname(full), exist_ok=True)
    with open(full, "w") as f:
        f.write(text)


# ---- clones ----

def test_b5_a_perfect_clone_is_found_by_the_host(busy):
    """Machine id and all: both go by one CMID, and only the chain of replies
    that each tells it had tells them apart."""
    m = Machine(busy, next(NUMBERS))
    assert activated(m)["state"] == "licensed"
    activated(m)  # a machine that renews is no clone
    twin = copy(m, next(NUMBERS))
    before = cmids(busy)
    assert duplicates(busy) == set()
    activated(m)
    assert duplicates(busy) == set()
    assert activated(twin)["state"] == "licensed"
    assert "another machine" not in open(twin.log).read()
    assert cmid(twin) == cmid(m) and cmids(busy) == before
    # so far the host may have lost a reply; within two renewals it knows
    assert duplicates(busy) == set()
    activated(m)
    assert duplicates(busy) == {cmid(m)}
    # what helps: the clone's operator gives it a new CMID
    twin.start(wrap=agent.AS_ROOT)
    until(lambda: twin.ask(agent.REARM, struct.pack(">I", 0))["err"] == 0)
    twin.stop()
    activated(twin)
    assert cmid(twin) != cmid(m) and cmid(twin) in cmids(busy)


# ---- containers ----

def test_a_container_is_who_its_operator_says(busy):
    """Two containers of one image have the image's machine id."""
    before = cmids(busy)
    a, b = (Machine(busy, next(NUMBERS)) for _ in range(2))
    for m, name in ((a, "a1"), (b, "b2")):
        write(m, "etc/machine-id", "c0" * 16 + "\n")
        write(m, "etc/muster/machine-id", name * 16 + "\n")
        assert activated(m)["state"] == "licensed"
    assert cmids(busy) - before == {cmid(a), cmid(b)}
    # its image's own id may change below it
    write(a, "etc/machine-id", "c1" * 16 + "\n")
    was = cmid(a)
    assert activated(a)["state"] == "licensed" and cmid(a) == was
    assert "another machine" not in open(a.log).read()
    # the state folder of one, given to the other, is noticed
    shutil.rmtree(b.state())
    shutil.copytree(a.state(), b.state())
    b.start()
    assert b.info(demo.SERVER)["reason"] == -23
    b.stop()
    assert cmid(b) != was


def test_an_operators_id_that_is_none_is_told(busy):
    m = Machine(busy, next(NUMBERS))
    write(m, "etc/muster/machine-id", "0" * 32 + "\n")
    p = subprocess.run([agent.AGENT, "--root", m.root, "--once"],
                       capture_output=True, text=True, timeout=90)
    assert p.returncode == 1 and "machine id" in p.stderr
    assert not os.path.exists(m.state("publishers"))


# ---- the instance, by the credential of the unit ----

def credential(tmp_path, text):
    (tmp_path / "product-uuid").write_text(text)
    return {"CREDENTIALS_DIRECTORY": str(tmp_path)}


def instance(m):
    try:
        with open(m.state("instance")) as f:
            return f.read()
    except FileNotFoundError:
        return None


def test_the_boards_uuid_tells_copies_apart(busy, tmp_path):
    m = Machine(busy, next(NUMBERS))
    activated(m)
    was = cmid(m)
    # an instance appears: the same machine, and its lease holds
    m.start(env=credential(tmp_path, BOARD + "\n"))
    assert m.info(demo.SERVER)["state"] == "licensed"
    assert instance(m) == hashlib.blake2b(
        uuid.UUID(BOARD).bytes, digest_size=16).hexdigest() + "\n"
    assert os.stat(m.state("instance")).st_mode & 0o777 == 0o644
    m.stop()
    assert cmid(m) == was
    activated(m, env=credential(tmp_path, BOARD))
    assert cmid(m) == was
    # the whole root on another board: a copy, though the machine id stayed
    twin = copy(m, next(NUMBERS))
    twin.start(env=credential(tmp_path, OTHER_BOARD))
    info = twin.info(demo.SERVER)
    twin.stop()
    assert info["reason"] == -23 and info["state"] == "out_of_tolerance_grace"
    assert cmid(twin) != was
    assert "another machine" in open(twin.log).read()


@pytest.mark.parametrize("text", [
    "00000000-0000-0000-0000-000000000000", "f" * 8 + "-ffff" * 3 + "-" +
    "f" * 12, "not a uuid at all, but long enough..", "", BOARD + "\n\n",
    "x" * 5000], ids=["zeros", "ones", "junk", "empty", "more", "long"])
def test_a_board_without_a_uuid_is_no_instance(busy, tmp_path, text):
    m = Machine(busy, next(NUMBERS))
    m.start(env=credential(tmp_path, text))
    assert instance(m) is None
    assert "names no machine" in open(m.log).read()
    assert m.activate(demo.SERVER)["info"]["state"] == "licensed"
    m.stop()


def test_by_hand_the_instance_stays_as_it_is(busy, tmp_path):
    m = Machine(busy, next(NUMBERS))
    activated(m, env=credential(tmp_path, BOARD))
    was, kept = cmid(m), instance(m)
    assert kept
    for env in ({}, {"CREDENTIALS_DIRECTORY": "relative"}):
        m.start(env=env)
        assert m.info(demo.SERVER)["state"] == "licensed"
        m.stop()
        assert instance(m) == kept and cmid(m) == was


# ---- several publishers ----

def second(site, other):
    """The host takes the other publisher in too."""
    def muster(*args, text=None):
        return demo.run("muster", *args, "--root", site.host_root, text=text,
                        ok=(0, 3))
    other_id = json.loads(demo.run(
        "muster", "catalogue", "show", other.catalogue, "--json"))["publisher"]
    muster("catalogue", "install", other.catalogue, "--trust", other_id)
    muster("host", "install-key", "--publisher", "Bolt", text=other.host_key)
    request, cert = other.path("request"), other.path("cert")
    muster("host", "activate", "--offline", "--publisher", "Bolt", "--file",
           request)
    demo.run("muster-authority", "activate", "--dir", other.path("authority"),
             "--file", request, "-o", cert)
    muster("host", "confirm", "--file", cert)
    return other_id


def test_three_products_of_two_publishers_in_one_agent(busy, two):  # noqa: F811
    site, other = two
    bolt = second(site, other)
    m = Machine(site, next(NUMBERS))
    shutil.copy(other.catalogue, os.path.join(
        m.root, "usr/share/muster/catalogues/bolt.muster"))
    shutil.copy(other.path("acme.key"), os.path.join(
        m.root, "usr/share/muster/products/bolt.key"))
    m.start(wrap=agent.AS_ROOT)
    assert sorted(m.ask(agent.LIST)["products"]) == \
        sorted([demo.DESKTOP, demo.SERVER, EDITOR])
    assert m.activate(demo.SERVER)["info"]["state"] == "licensed"
    editor = m.activate(EDITOR)["info"]
    assert editor["publisher_name"] == "Bolt" and editor["count"] == 1
    assert editor["state"] == "initial_grace" and editor["round"] == 0
    acme, = [n[:-6] for n in os.listdir(m.state("publishers"))
             if n.endswith(".state") and n[:-6] != bolt]
    ids = cmid(m, acme), cmid(m, bolt)
    assert ids[0] != ids[1]
    lease = open(m.lease(demo.SERVER), "rb").read()
    # a rearm of the one publisher's product is nothing to the other's
    one = struct.pack(">I", 1) + agent.product(EDITOR)
    until(lambda: m.ask(agent.REARM, one)["err"] == 0)
    assert cmid(m, acme) == ids[0] and cmid(m, bolt) != ids[1]
    assert open(m.lease(demo.SERVER), "rb").read() == lease
    assert m.info(demo.SERVER)["rearms_left"] == 5
    assert m.info(EDITOR)["rearms_left"] == 4
    m.kill()
    m.start()
    assert m.info(demo.SERVER)["state"] == "licensed"
    assert cmid(m, acme) == ids[0]
    # with its catalogue's package a publisher's products go, and no others
    os.unlink(os.path.join(m.root, "usr/share/muster/products/bolt.key"))
    until(lambda: m.activate(EDITOR)["err"] == agent.PRODUCT)
    assert sorted(m.ask(agent.LIST)["products"]) == \
        sorted([demo.DESKTOP, demo.SERVER])
    m.stop()
