# SPDX-License-Identifier: MIT
"""Goal: where the disk fails or the power goes while the agent writes, its
replies say what holds, and nothing is lost."""
import json
import os
import struct
import subprocess

import pytest

import agent
import demo
from agent import Machine

pytestmark = pytest.mark.bare

PRELOAD = os.path.join(demo.REPO, "build/tests/bad_disk.so")
UNSURE, IO, FULL = -7, -9, -37
EIO, ENOSPC = 5, 28


class Failing(Machine):
    """A machine whose disk can be made to fail, or to lose its power."""

    def __init__(self, *args):
        super().__init__(*args)
        self.how = self.root + ".disk"
        self.good()
        assert os.path.exists(PRELOAD)
        self.env = {"LD_PRELOAD": PRELOAD, "MUSTER_BAD_DISK": self.how}

    def start(self, wrap=agent.AS_ROOT, env=None):
        return super().start(wrap, {**self.env, **(env or {})})

    def bad(self, operation, part, end, skip=0):
        """From now on; an end of 0 is the agent's."""
        with open(self.how + ".new", "w") as f:
            f.write(f"{operation} {part} {skip} {end}\n")
        os.rename(self.how + ".new", self.how)

    def good(self):
        open(self.how, "w").close()


@pytest.fixture(scope="module")
def busy(site):
    """A host that counts six servers already."""
    for n in range(100, 106):
        site.activate(n, demo.SERVER)
    return site


@pytest.fixture()
def machine(busy):
    numbers = busy.__dict__.setdefault("storage", iter(range(1, 1000)))
    m = Failing(busy, next(numbers))
    yield m
    m.stop()


def ids(*products):
    return struct.pack(">I", len(products)) + \
        b"".join(agent.product(p) for p in products)


def hosts(*names):
    return struct.pack(">I", len(names)) + b"".join(map(agent.text, names))


def test_settings_that_may_not_last_hold_and_are_told(machine):
    """The folder cannot be synced after the rename."""
    machine.start()
    machine.bad("fsync", "/agent$", EIO)
    reply = machine.ask(agent.SET_HOSTS, hosts("kms.example"))
    machine.good()
    assert reply["err"] == UNSURE and "power loss" in reply["message"]
    assert "nothing was changed" not in reply["next_step"]
    assert machine.ask(agent.SETTINGS)["hosts"] == ["kms.example"]
    machine.stop()
    machine.start()
    assert machine.ask(agent.SETTINGS)["hosts"] == ["kms.example"]


def test_settings_that_cannot_be_written_change_nothing(machine):
    machine.start()
    before = machine.ask(agent.SETTINGS)
    machine.bad("rename", "settings.state", ENOSPC)
    reply = machine.ask(agent.SET_HOSTS, hosts("kms.example"))
    machine.good()
    assert reply["err"] == FULL and "nothing was changed" in reply["next_step"]
    assert machine.ask(agent.SETTINGS) == before
    machine.stop()
    machine.start()
    assert machine.ask(agent.SETTINGS) == before


def muster(m, *args):
    p = subprocess.run([os.path.join(demo.BIN, "muster"), *args, "--root",
                        m.root, "--json"], capture_output=True, text=True,
                       timeout=240)
    return p.returncode, json.loads(p.stdout or p.stderr)


def test_b33_a_lease_that_is_not_on_disk_does_not_count(machine):
    """Only the lease cannot be written, at the first contact; later it can."""
    machine.start()
    machine.bad("rename", ".lease", ENOSPC)
    code, said = muster(machine, "activate", demo.SERVER)
    assert code == 1 and said["error"]["code"] == "not_stored"
    assert "space" in said["error"]["message"] and said["error"]["next_step"]
    assert said["products"][0]["state"] == "initial grace"
    assert said["products"][0]["targets"][-1]["outcome"] == "responded"
    code, said = muster(machine, "status", demo.SERVER)
    assert code == 3 and said["products"][0]["round"] == "full"
    assert not said["products"][0]["activated"]
    info = machine.info(demo.SERVER)
    assert info["round"] == FULL and info["count"] >= 6
    # a retry interval, which the host sets to two hours
    assert 0 < info["due"] - info["asked"] <= 7200
    assert not os.path.exists(machine.lease(demo.SERVER))
    assert "cannot write its lease" in open(machine.log).read()
    machine.good()
    info = machine.activate(demo.SERVER)["info"]
    assert info["early"] == 1  # no host was asked for it
    assert info["state"] == "licensed" and info["round"] == 0
    assert os.path.exists(machine.lease(demo.SERVER))
    machine.kill()
    machine.start()
    assert machine.info(demo.SERVER)["state"] == "licensed"


def test_a_lease_that_may_not_last_counts_and_is_written_again(machine):
    machine.start()
    machine.bad("fsync", "/leases$", EIO, skip=1)  # the view was first
    info = machine.activate(demo.SERVER)["info"]
    assert info["state"] == "licensed" and info["round"] == UNSURE
    machine.good()
    os.unlink(machine.lease(demo.SERVER))  # as if the power had gone
    info = machine.activate(demo.SERVER)["info"]
    assert info["early"] == 1 and info["round"] == 0
    assert os.path.exists(machine.lease(demo.SERVER))


def test_a_state_that_is_not_on_disk_is_written_later(machine):
    machine.start()
    machine.bad("rename", demo.SERVER + ".state", EIO, skip=1)
    info = machine.activate(demo.SERVER)["info"]
    assert info["state"] == "licensed" and info["round"] == IO
    machine.good()
    info = machine.activate(demo.SERVER)["info"]
    assert info["early"] == 1 and info["round"] == 0
    machine.kill()
    machine.start()
    assert machine.info(demo.SERVER)["count"] >= 6


@pytest.mark.parametrize("part, state, word", [
    (demo.SERVER + ".lease", "initial_grace", "answered"),
    (demo.SERVER + ".state", "initial_grace", "not_asked"),
    ("publishers/", "initial_grace", "not_asked")])
def test_once_says_by_its_exit_that_something_is_not_on_disk(machine, part,
                                                            state, word):
    def once():
        p = subprocess.run([machine.binary, "--root", machine.root, "--once"],
                           capture_output=True, text=True, timeout=240,
                           env={**os.environ, **machine.env})
        return p.returncode, {x.split()[0]: x.split()[1::2] for x in
                              p.stdout.splitlines()}
    machine.bad("rename", part, EIO)
    code, said = once()
    assert code == 1 and said[demo.SERVER] == [state, word]
    machine.good()
    code, said = once()
    assert code == 0
    # a lease that was lost is asked for again after the retry interval
    assert said[demo.SERVER] == ([state, "not_due"] if word == "answered"
                                 else ["licensed", "answered"])
