# SPDX-License-Identifier: MIT
"""Goal: a machine that is another one than its state's takes a CMID of its
own and no fresh grace but the one that is due to it, whatever its files are
like."""
import hashlib
import os
import shutil
import struct
import time

import pytest

import agent
import demo
from agent import Machine


@pytest.fixture(scope="module")
def busy(site):
    """A host that counts six servers already."""
    for n in range(100, 106):
        site.activate(n, demo.SERVER)
    return site


@pytest.fixture()
def made(busy):
    """Machines, each stopped at the end."""
    machines = []

    def make(template=None):
        n = busy.__dict__.setdefault("clones", [2000])
        n[0] += 1
        m = Machine(busy, n[0])
        if template is not None:
            shutil.rmtree(m.state(), ignore_errors=True)
            shutil.copytree(template.state(), m.state())
        machines.append(m)
        return m
    yield make
    for m in machines:
        m.stop()


def cmid(m):
    """The publisher's file: magic, version, publisher, CMID."""
    name, = [n for n in os.listdir(m.state("publishers"))
             if n.endswith(".state")]
    with open(m.state("publishers", name), "rb") as f:
        return f.read()[28:44]


def again(m, op, arg=b""):
    """As soon as no host is asked any more."""
    end = time.monotonic() + agent.WAIT_S
    while True:
        reply = m.ask(op, arg)
        if reply["err"] != agent.AGAIN or time.monotonic() > end:
            return reply
        time.sleep(0.05)


def test_b38_a_moved_machine_takes_a_new_cmid_though_a_file_cannot_be_read(
        made):
    """What is wrong with one product keeps nothing from the next."""
    old = made()
    assert old.once()[demo.SERVER]["state"] == "licensed"
    twin = made(old)
    bad = twin.state("products", demo.DESKTOP + ".state")
    os.unlink(bad)
    os.mkdir(bad)
    twin.start()
    assert twin.ask(agent.LIST)["products"] == [demo.SERVER]
    assert twin.info(demo.SERVER)["reason"] in (-23, 0)  # or it asked already
    assert twin.activate(demo.SERVER)["info"]["state"] == "licensed"
    assert cmid(twin) != cmid(old)


def test_b38_afresh_once_and_not_by_a_key_that_comes_back(made):
    image = made()
    image.start(wrap=agent.AS_ROOT)
    assert image.activate(demo.SERVER)["info"]["state"] == "licensed"
    assert again(image, agent.GENERALIZE)["err"] == 0
    image.stop()
    twin = made(image)
    twin.start(wrap=agent.AS_ROOT)
    twin.activate(demo.SERVER)
    one = struct.pack(">I", 1) + agent.product(demo.SERVER)
    assert again(twin, agent.REARM, one)["err"] == 0
    before = twin.info(demo.SERVER)
    assert before["rearms_left"] == 4
    os.rename(twin.key_file, twin.key_file + ".away")
    end = time.monotonic() + agent.WAIT_S
    while twin.activate(demo.SERVER)["err"] != agent.PRODUCT:
        assert time.monotonic() < end
        time.sleep(0.05)
    time.sleep(1.1)  # first sight is kept in seconds
    os.rename(twin.key_file + ".away", twin.key_file)
    twin.activate(demo.SERVER)
    after = twin.info(demo.SERVER)
    assert after["rearms_left"] == 4
    assert after["first_seen"] == before["first_seen"]
    assert after["state"] == "licensed"


def files(m, *suffixes):
    return sorted(os.path.relpath(os.path.join(folder, n), m.state())
                  for folder, _, names in os.walk(m.state()) for n in names
                  if n.endswith(suffixes))


def publish_instance(m, text):
    """As a service manager hands the board's UUID over; None: another one."""
    folder = m.root + ".credentials"
    shutil.rmtree(folder, ignore_errors=True)
    os.mkdir(folder)
    if text is not None:
        with open(os.path.join(folder, "product-uuid"), "w") as f:
            f.write(text + "\n")
    m.start(env={"CREDENTIALS_DIRECTORY": folder}, wrap=agent.AS_ROOT)


def test_b38_generalize_clears_what_no_product_uses(made):
    """The folders on disk count, not the products in use; twice."""
    image = made()
    publish_instance(image, "f1a7c1b2-2222-4333-8444-555566667777")
    assert image.activate(demo.SERVER)["info"]["state"] == "licensed"
    first_seen = image.info(demo.SERVER)["first_seen"]
    assert os.path.exists(image.state("instance"))
    os.rename(image.key_file, image.key_file + ".away")
    end = time.monotonic() + agent.WAIT_S
    while image.activate(demo.SERVER)["err"] != agent.PRODUCT:
        assert time.monotonic() < end
        time.sleep(0.05)
    assert image.ask(agent.LIST)["products"] == []
    for folder in ("publishers", "products", "leases"):
        open(image.state(folder, "x.damaged"), "w").close()
    assert files(image, ".lease", ".damaged") != []
    for _ in range(2):
        assert again(image, agent.GENERALIZE)["err"] == 0
        assert files(image, ".lease", ".damaged", "instance") == []
        assert cmid(image) == bytes(16)
    image.stop()
    time.sleep(1.1)  # first sight is kept in seconds
    os.rename(image.key_file + ".away", image.key_file)
    twin = made(image)
    twin.hosts([])
    twin.start()
    assert twin.info(demo.SERVER)["first_seen"] > first_seen
    image.hosts([])
    image.start()
    info = image.info(demo.SERVER)
    assert info["first_seen"] == first_seen and info["rearms_left"] == 5
    assert info["state"] == "initial_grace"


def test_an_instance_goes_with_its_board(made):
    m = made()
    path = m.state("instance")
    publish_instance(m, "f1a7c1b2-2222-4333-8444-555566667777")
    m.stop()
    assert len(open(path).read()) == 33
    m.start()  # by hand: nothing was handed over at all
    m.stop()
    assert os.path.exists(path)
    for text in (None, "0" * 8 + "-0000-0000-0000-" + "0" * 12, "no uuid"):
        publish_instance(m, "f1a7c1b2-2222-4333-8444-555566667777")
        m.stop()
        assert os.path.exists(path)
        publish_instance(m, text)
        m.stop()
        assert not os.path.exists(path), text


def test_an_older_catalogue_is_told_as_what_it_is(made):
    m = made()
    m.once()
    name, = os.listdir(m.state("publishers"))
    with open(m.state("publishers", name), "r+b") as f:
        head = f.read()[:84] + struct.pack(">I", 9999)
        f.seek(0)
        f.write(head + hashlib.blake2b(head, digest_size=32).digest())
    m.start()
    assert m.ask(agent.LIST)["products"] == []
    log = open(m.log).read()
    assert "install the publisher's newest catalogue" in log
    assert "rights" not in log


@pytest.mark.long
def test_a_seventeenth_publisher_keeps_nothing_from_the_others(
        made, tmp_path):
    m = made()
    cats = os.path.join(m.root, "usr/share/muster/catalogues")
    for i in range(16):
        other = demo.Site(str(tmp_path / str(i)))
        os.mkdir(other.folder)
        other.publish(f"Publisher {i}")
        shutil.copy(other.catalogue, os.path.join(cats, f"p{i}.muster"))
    m.run()
    log = open(m.log).read()
    assert log.count("more than 16 publishers") == 1
    assert "out of memory" not in log
    assert sorted(m.ask(agent.LIST)["products"]) == \
        sorted([demo.DESKTOP, demo.SERVER])
    # another scan says that of which it hears first, and no more
    with open(m.key_file + ".bad.key", "w") as f:
        f.write("no key\n")
    end = time.monotonic() + agent.WAIT_S
    while "was passed over" not in open(m.log).read():
        assert time.monotonic() < end
        m.activate(demo.SERVER)
        time.sleep(0.05)
    assert open(m.log).read().count("more than 16 publishers") == 1
    # the scan went on to its end: a key that is gone is seen
    os.unlink(m.key_file)
    end = time.monotonic() + agent.WAIT_S
    while m.activate(demo.SERVER)["err"] != agent.PRODUCT:
        assert time.monotonic() < end
        time.sleep(0.05)
