# SPDX-License-Identifier: MIT
"""Goal: files of the agent's state that are valid and not its own, or dated
ahead, or that no other test damages: view, clock, keys."""
import hashlib
import os
import shutil
import struct
import time

import pytest

import agent
import demo
from agent import Machine

TEN_YEARS_S = 3653 * 86400
NUMBERS = iter(range(1, 90))


@pytest.fixture(scope="module")
def busy(tmp_path_factory):
    """Servers are activated at once, desktops never."""
    s = demo.Site(str(tmp_path_factory.mktemp("site")))
    s.publish(products=demo.PRODUCTS.replace("threshold = 25",
                                             "threshold = 500"))
    s.start()
    s.activate_host()
    for n in range(100, 106):
        s.activate(n, demo.SERVER)
    yield s
    s.stop()


@pytest.fixture()
def machine(busy):
    """Activated, and at rest."""
    m = Machine(busy, next(NUMBERS))
    assert m.once()[demo.SERVER]["state"] == "licensed"
    yield m
    m.stop()


def read(path):
    with open(path, "rb") as f:
        return f.read()


def sealed(data):
    return data + hashlib.blake2b(data, digest_size=32).digest()


def change(path, at, new):
    """Other bytes in a state file, and the checksum that they have."""
    data = read(path)
    assert sealed(data[:-32]) == data
    with open(path, "wb") as f:
        f.write(sealed(data[:at] + new + data[at + len(new):-32]))


def publisher_file(m):
    name, = [n for n in os.listdir(m.state("publishers"))
             if n.endswith(".state")]
    return m.state("publishers", name)


def product_file(m, product=demo.SERVER):
    return m.state("products", product + ".state")


def cmid(m):
    return read(publisher_file(m))[28:44]


def i64(value):
    return struct.pack(">q", int(value))


def bad(how, data):
    return {"empty": b"", "cut": data[:-1], "junk": os.urandom(len(data)),
            "flip": data[:30] + bytes([data[30] ^ 1]) + data[31:],
            "writable": data}[how]


# ---- view and clock: nothing depends on them but what they tell ----

@pytest.mark.parametrize("name", ["leases/" + demo.SERVER + ".view",
                                  "clock.state"])
@pytest.mark.parametrize("how", ["empty", "cut", "junk", "flip", "writable"])
def test_view_and_clock_are_written_anew(machine, name, how):
    path = machine.state(name)
    good = read(path)
    lease, id_before = read(machine.lease(demo.SERVER)), cmid(machine)
    with open(path, "wb") as f:
        f.write(bad(how, good))
    os.chmod(path, 0o666)
    machine.start()
    info = machine.info(demo.SERVER)
    assert info["state"] == "licensed" and info["reason"] == 0
    now = read(path)
    assert len(now) == len(good) and sealed(now[:-32]) == now
    if name.endswith(".view"):  # first sight and the rest as they were
        assert now[:60] == good[:60]
    assert os.stat(path).st_mode & 0o777 == \
        (0o644 if name.endswith(".view") else 0o600)
    assert read(machine.lease(demo.SERVER)) == lease
    assert cmid(machine) == id_before


# ---- key files ----

@pytest.mark.parametrize("how", ["empty", "cut", "junk", "too long",
                                 "folder"])
def test_a_damaged_key_file_costs_its_own_product_alone(machine, how):
    keys = machine.state("keys")
    key = read(machine.key_file).splitlines()[1]  # the server's
    with open(machine.key_file, "wb") as f:  # the package has the desktop's
        f.write(read(machine.site.path("acme.key")).splitlines()[0] + b"\n")
    os.makedirs(keys, exist_ok=True)
    path = os.path.join(keys, demo.SERVER + ".key")
    if how == "folder":
        os.mkdir(path)
    else:
        with open(path, "wb") as f:
            f.write({"empty": b"", "cut": key[:20] + b"\n",
                     "junk": os.urandom(300) + b"\n",
                     "too long": key + b"\n" + b"#" * 16384}[how])
    machine.start()
    assert machine.ask(agent.LIST)["products"] == [demo.DESKTOP]
    assert (path in open(machine.log).read()) == (how != "empty")
    machine.stop()
    os.rmdir(path) if how == "folder" else os.unlink(path)
    with open(path, "wb") as f:
        f.write(b"# comments and empty lines\n\n" + key + b" a note\r\n")
    machine.start()  # with its key the product is as it was
    assert sorted(machine.ask(agent.LIST)["products"]) == \
        sorted([demo.DESKTOP, demo.SERVER])
    assert machine.info(demo.SERVER)["state"] == "licensed"


# ---- valid, and another's ----

def is_put_aside(m, path):
    m.start()
    log = open(m.log).read()
    assert f"{path} is damaged" in log and os.path.exists(path + ".damaged")
    return m.info(demo.SERVER)


def test_another_products_file_is_not_believed(machine):
    path = product_file(machine)
    first_seen = read(path)[104:112]
    shutil.copy(product_file(machine, demo.DESKTOP), path)
    change(path, 92, struct.pack(">I", 3))  # rearms of that other product
    info = is_put_aside(machine, path)
    assert info["state"] == "licensed" and info["rearms_left"] == 5
    assert read(path)[12:28] == agent.product(demo.SERVER)
    # from the lease: no later than it was, and no fresh grace
    assert info["first_seen"] <= struct.unpack(">q", first_seen)[0] + 5


def test_another_products_file_gives_no_grace(busy):
    m = Machine(busy, next(NUMBERS), [])
    m.once()
    shutil.copy(product_file(m, demo.DESKTOP), product_file(m))
    info = is_put_aside(m, product_file(m))
    m.stop()
    assert info["state"] == "unlicensed" and info["seconds_left"] == 0


def test_another_publishers_file_is_not_believed(machine):
    path, id_before = publisher_file(machine), cmid(machine)
    change(path, 12, bytes(16))
    change(path, 28, b"\x77" * 16)  # the CMID of that other publisher
    info = is_put_aside(machine, path)
    assert info["state"] == "licensed"
    assert cmid(machine) == id_before  # the lease's


@pytest.mark.parametrize("kind", ["publisher", "product"])
def test_another_kind_of_file_is_not_believed(machine, kind):
    path = publisher_file(machine) if kind == "publisher" else \
        product_file(machine)
    id_before = cmid(machine)
    shutil.copy(product_file(machine) if kind == "publisher" else
                publisher_file(machine), path)
    assert is_put_aside(machine, path)["state"] == "licensed"
    assert cmid(machine) == id_before


def test_another_products_lease_is_none(machine):
    """Beside the state of a product that was never activated."""
    lease = machine.lease(demo.DESKTOP)
    shutil.copy(machine.lease(demo.SERVER), lease)
    machine.start()
    info = machine.info(demo.DESKTOP)
    assert info["state"] == "initial_grace" and info["reason"] == -10
    assert machine.info(demo.SERVER)["state"] == "licensed"


# ---- valid, and dated ahead ----

def test_b36_a_high_water_ahead_is_put_right_by_a_reply(machine):
    change(publisher_file(machine), 76, i64(time.time() + TEN_YEARS_S))
    machine.start()
    info = machine.info(demo.SERVER)
    assert info["state"] == "notification" and info["reason"] != 0
    info = machine.activate(demo.SERVER)["info"]
    assert info["state"] == "licensed" and info["seconds_left"] > 179 * 86400
    water, = struct.unpack(">q", read(publisher_file(machine))[76:84])
    assert abs(water - time.time()) < 60


def test_b36_a_first_sight_ahead_lengthens_no_grace(machine):
    change(product_file(machine, demo.DESKTOP), 104,
           i64(time.time() + TEN_YEARS_S))
    machine.start()
    info = machine.info(demo.DESKTOP)
    assert info["state"] == "initial_grace"
    assert info["seconds_left"] <= 30 * 86400
    assert abs(info["first_seen"] - time.time()) < 60


def test_b36_a_grace_ahead_lasts_no_longer(machine):
    with open(os.path.join(machine.root, "etc/machine-id"), "w") as f:
        f.write(f"{0xfade << 64 | next(NUMBERS):032x}\n")
    machine.hosts([])
    machine.once()
    change(product_file(machine), 112, i64(time.time() + TEN_YEARS_S))
    machine.start()
    info = machine.info(demo.SERVER)
    assert info["state"] == "out_of_tolerance_grace"
    assert info["seconds_left"] <= 30 * 86400
    grace, = struct.unpack(">q", read(product_file(machine))[112:120])
    assert abs(grace - time.time()) < 60


@pytest.mark.parametrize("at", [128, 136], ids=["asked", "due"])
def test_b32_a_contact_ahead_is_not_waited_for(machine, at):
    change(product_file(machine), at, i64(time.time() + TEN_YEARS_S))
    machine.start()
    due = machine.info(demo.SERVER)["due"] or time.time()
    assert due <= time.time() + (61 if at == 128 else 7 * 86400 + 1)
