# SPDX-License-Identifier: MIT
"""Goal: a machine that is another one than its state's takes a CMID of its
own and no fresh grace but the one that is due to it, whatever its files are
like."""
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
    assert twin.info(demo.SERVER)["reason"] == -23
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
