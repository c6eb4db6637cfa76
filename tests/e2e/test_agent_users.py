# SPDX-License-Identifier: MIT
"""Goal: what any user may ask for neither fills the log nor keeps the agent
from its work, and never keeps an administrator out."""
import os
import socket
import struct
import threading
import time

import pytest

import agent
import demo
from agent import Machine

UNKNOWN = "00000000-0000-4000-8000-000000000001"


class Holder:
    """A host that takes connections and says nothing until it is let go."""

    def __init__(self):
        self.server = socket.create_server(("127.0.0.1", 0))
        self.address = "127.0.0.1:%d" % self.server.getsockname()[1]
        self.held, self.is_open = [], False
        threading.Thread(target=self.run, daemon=True).start()

    def run(self):
        while True:
            try:
                client, _ = self.server.accept()
            except OSError:
                return
            if self.is_open:
                client.close()
            else:
                self.held.append(client)

    def wait(self, n):
        end = time.monotonic() + agent.WAIT_S
        while len(self.held) < n:
            assert time.monotonic() < end
            time.sleep(0.01)

    def let_go(self):
        self.is_open = True
        for client in self.held:
            client.close()


@pytest.fixture()
def machine(site):
    numbers = site.__dict__.setdefault("users", iter(range(2000, 3000)))
    m = Machine(site, next(numbers))
    yield m
    m.stop()


def begin(m, product):
    """Ask for activation without waiting for the answer."""
    s = agent.connect(m.sock)
    s.sendall(agent.call(agent.ACTIVATE, agent.product(product)))
    return s


def test_rounds_of_users_give_way_to_an_administrator(machine):
    host = Holder()
    machine.hosts([host.address])
    machine.start(wrap=agent.AS_ROOT)
    with begin(machine, demo.SERVER):
        host.wait(1)
        with begin(machine, demo.DESKTOP):
            host.wait(2)  # as long as nobody waits, the next one begins
            one = struct.pack(">I", 1) + agent.product(demo.SERVER)
            reply = machine.ask(agent.REARM, one)
            assert reply["err"] == agent.AGAIN
            assert "being asked" in reply["message"]
            host.held.pop(0).close()  # the server's round ends
            end = time.monotonic() + agent.WAIT_S
            while machine.info(demo.SERVER)["round"] == 0:
                assert time.monotonic() < end
                time.sleep(0.01)
            time.sleep(0.1)
            reply = machine.activate(demo.SERVER)
            assert reply["err"] == agent.AGAIN
            assert "waits" in reply["message"]
            host.let_go()
            end = time.monotonic() + agent.WAIT_S
            while (reply := machine.ask(agent.REARM, one))["err"] != 0:
                assert reply["err"] == agent.AGAIN
                assert time.monotonic() < end
                time.sleep(0.02)
    assert machine.info(demo.SERVER)["rearms_left"] == 4
    # done: users may begin rounds again
    end = time.monotonic() + agent.WAIT_S
    while machine.activate(demo.DESKTOP)["err"] != 0:
        assert time.monotonic() < end
        time.sleep(0.1)
    host.server.close()


def complaints(m):
    with open(m.log) as f:
        return sum("acme.key:" in line for line in f)


def test_a_bad_line_is_told_once(machine):
    with open(machine.key_file, "a") as f:
        f.write("nonsense\nnonsense, too\n")
    machine.run()  # once: each start tells it anew
    folder = os.path.dirname(machine.key_file)
    for n in range(5):  # each change of the folder is looked at
        open(os.path.join(folder, f"other-{n}.key"), "w").close()
        assert machine.activate(UNKNOWN)["err"] == agent.PRODUCT
    assert complaints(machine) == 2
    good = open(machine.key_file).read().replace("nonsense, too\n", "")
    for text, want in ((good, 2), (good + "nonsense, too\n", 3)):
        with open(machine.key_file + ".new", "w") as f:
            f.write(text)
        os.rename(machine.key_file + ".new", machine.key_file)
        assert machine.activate(UNKNOWN)["err"] == agent.PRODUCT
        assert complaints(machine) == want


@pytest.mark.bare
def test_users_make_it_read_the_folders_rarely(machine, tmp_path):
    trace = str(tmp_path / "trace")
    begin_s = time.monotonic()
    # in a user namespace strace may read what the agent shows nobody
    machine.start(wrap=(*agent.AS_ROOT, "strace", "-D", "-f", "-e", "trace=openat", "-o", trace))
    for _ in range(50):
        assert machine.activate(UNKNOWN)["err"] == agent.PRODUCT
    took_s = time.monotonic() - begin_s
    with open(trace) as f:
        reads = sum("acme.key" in line for line in f)
    assert 1 <= reads <= 2 + took_s / 10
    # a package that comes is seen at once
    os.rename(machine.key_file, machine.key_file + ".off")
    assert machine.activate(demo.SERVER)["err"] == agent.PRODUCT
    os.rename(machine.key_file + ".off", machine.key_file)
    assert machine.activate(demo.SERVER)["err"] == 0
