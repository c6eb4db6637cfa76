# SPDX-License-Identifier: MIT
"""Goal: whatever a host says, the agent believes what verifies, and nothing
else; and when the publisher revokes, machines know it by the catalogue."""
import json
import os
import shutil
import signal
import socket
import subprocess
import threading
import time

import pytest

import agent
import demo
from agent import Machine
from test_admin import resign


@pytest.fixture()
def own(tmp_path):
    """A site of its own, whose host counts six servers already."""
    s = demo.Site(str(tmp_path))
    s.publish()
    s.start()
    s.activate_host()
    for n in range(100, 106):
        s.activate(n, demo.SERVER)
    yield s
    s.stop()


class Relay:
    """Between machine and host: what happens to each reply is a function."""

    def __init__(self, port, change):
        self.port, self.change, self.seen = port, change, []
        self.server = socket.create_server(("127.0.0.1", 0))
        self.address = "127.0.0.1:%d" % self.server.getsockname()[1]
        self.thread = threading.Thread(target=self.run, daemon=True)
        self.thread.start()

    def run(self):
        while True:
            try:
                client, _ = self.server.accept()
            except OSError:
                return
            with client:
                call = client.recv(4096)
                with socket.create_connection(("127.0.0.1", self.port)) as s:
                    s.sendall(call)
                    s.shutdown(socket.SHUT_WR)
                    reply = b"".join(iter(lambda: s.recv(4096), b""))
                self.seen.append(reply)
                try:
                    client.sendall(self.change(self, reply))
                except OSError:
                    pass

    def close(self):
        self.server.shutdown(socket.SHUT_RDWR)
        self.server.close()
        self.thread.join(20)


def flip(at):
    return lambda relay, reply: reply[:at] + bytes([reply[at] ^ 1]) + \
        reply[at + 1:]


def late(relay, reply):
    time.sleep(11)
    return reply


CHANGES = {
    "forged count": (flip(35), -8), "forged time": (flip(43), -8),
    "forged signature": (flip(70), -8), "forged certificate": (flip(150), -13),  # no point of the curve, or -8
   
    "another call's": (flip(7), -31), "cut": (lambda r, x: x[:-1], -2 - 2),
    "nothing": (lambda r, x: b"", -4), "trailing byte": (
        lambda r, x: x[:3] + bytes([x[3] + 4]) + x[4:] + bytes(4), -3),
    "late": (late, -33),
}


@pytest.mark.parametrize("how", CHANGES)
def test_b34_a_changed_reply_changes_nothing(site, how):
    change, err = CHANGES[how]
    relay = Relay(site.port, change)
    m = Machine(site, 700 + list(CHANGES).index(how), [relay.address])
    m.start()
    info = m.activate(demo.SERVER)["info"]
    m.stop()
    relay.close()
    assert relay.seen and relay.seen[0]
    assert [o["err"] for o in info["outcomes"]] in ([err], [-8]), info
    assert info["state"] == "initial_grace" and info["count"] == 0
    assert info["answered"] == 0
    assert not os.path.exists(m.lease(demo.SERVER))


def test_b34_a_replayed_reply_changes_nothing(own):
    """A good reply to this very machine, told again with the next call's
    number: the nonce tells."""
    good = Relay(own.port, lambda relay, reply: reply)
    m = Machine(own, 1, [good.address])
    m.start()
    assert m.activate(demo.SERVER)["info"]["state"] == "licensed"
    m.stop()
    good.close()
    old = good.seen[-1]
    lease = open(m.lease(demo.SERVER), "rb").read()
    again = Relay(own.port, lambda relay, reply:
                  old[:4] + reply[4:8] + old[8:])
    m.hosts([again.address])
    m.start()
    info = m.activate(demo.SERVER)["info"]
    m.stop()
    again.close()
    assert info["outcomes"][0]["err"] == -8, info
    assert info["state"] == "licensed"
    assert open(m.lease(demo.SERVER), "rb").read() == lease


def test_b33_a_revoked_host_ends_its_leases(own):
    m = Machine(own, 1)
    m.start()
    assert m.activate(demo.SERVER)["info"]["state"] == "licensed"
    demo.run("muster-authority", "host", "revoke", "1", "1", "--yes", "--dir",
             own.path("authority"))
    newer = resign(own, demo.PRODUCTS)
    own.stop()  # so that nobody can renew it
    shutil.copy(newer, os.path.join(
        m.root, "usr/share/muster/catalogues/acme.muster"))
    os.kill(m.process.pid, signal.SIGHUP)
    end = time.monotonic() + 20
    while m.info(demo.SERVER)["round"] == 0 and time.monotonic() < end:
        time.sleep(0.05)
    info = m.info(demo.SERVER)
    assert info["reason"] == -17  # host certificate revoked
    assert info["state"] == "out_of_tolerance_grace"
    assert info["asked"] >= info["answered"]
    assert info["round"] == -34  # it asked at once, and nobody was there
    # an older catalogue that comes back is not believed
    shutil.copy(own.catalogue, os.path.join(
        m.root, "usr/share/muster/catalogues/acme.muster"))
    os.kill(m.process.pid, signal.SIGHUP)
    time.sleep(0.5)
    assert m.info(demo.SERVER)["reason"] == -17
    m.stop()


def test_b6_a_level_too_low_is_told_and_counted_by_nobody(own):
    newer = resign(own, demo.PRODUCTS.replace(
        "threshold = 5; line = 0; level = 1;",
        "threshold = 5; line = 0; level = 2;"))
    demo.run("muster", "catalogue", "install", newer, "--root", own.host_root)
    m = Machine(own, 1)
    shutil.copy(newer, os.path.join(
        m.root, "usr/share/muster/catalogues/acme.muster"))
    m.start()
    info = m.activate(demo.SERVER)["info"]
    m.stop()
    assert info["outcomes"][0]["err"] == -32
    assert info["outcomes"][0]["status"] == 2  # NOT_COVERED
    assert info["state"] == "initial_grace"
    out = demo.run("muster", "host", "clients", "--root", own.host_root,
                   "--json")
    assert len({c["cmid"] for c in json.loads(out)["clients"]}) == 6


def test_b34_a_stop_waits_for_no_host(own):
    """The host holds the connection and says nothing: the round is given up,
    whoever waits for it hears so, and the next start asks again."""
    mute = socket.create_server(("127.0.0.1", 0))
    m = Machine(own, 2, ["127.0.0.1:%d" % mute.getsockname()[1]])
    m.start()
    asked = subprocess.Popen(
        [os.path.join(demo.BIN, "muster"), "activate", "--root", m.root],
        stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
    held, _ = mute.accept()
    assert held.recv(4096)
    m.stop()
    out, _ = asked.communicate(timeout=240)
    assert asked.returncode not in (0, 3) and "agent" in out, out
    with open(m.log) as f:
        assert "a round was given up" in f.read()
    assert set(held.recv(4096)) == set()  # closed, and not by a reply
    held.close()
    mute.close()
    m.hosts([f"127.0.0.1:{own.port}"])
    m.start()
    assert m.activate(demo.SERVER)["info"]["state"] == "licensed"
    m.stop()
