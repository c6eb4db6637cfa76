# SPDX-License-Identifier: MIT
"""Goal: where the disk fails or the power goes while the agent writes, its
replies say what holds, and nothing is lost."""
import os
import struct

import pytest

import agent
import demo
from agent import Machine

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


def hosts(*names):
    return struct.pack(">I", len(names)) + b"".join(map(agent.text, names))


def test_settings_that_may_not_last_hold_and_are_told(machine):
    """The folder cannot be synced after the rename."""
    machine.start()
    machine.bad("fsync", "/agent", EIO, skip=1)
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
