# SPDX-License-Identifier: MIT
"""Several hosts of one publisher that share one count."""
import contextlib
import json
import os
import signal
import struct
import time
import uuid

import demo
import pgserver
import wire

DESKTOP = uuid.UUID(demo.DESKTOP).bytes
SERVER = uuid.UUID(demo.SERVER).bytes
OK, BUSY = 0, 5
WAIT_S = 60


class Host(demo.Site):
    """A host of a publisher that another site has made."""

    def __init__(self, first, folder, settings):
        super().__init__(folder)
        self.catalogue, self.host_key = first.catalogue, first.host_key
        self.settings = settings
        for name in ("authority", "root.pub"):
            if not os.path.lexists(self.path(name)):
                os.symlink(first.path(name), self.path(name))

    def log(self):
        with open(self.path("musterd.log")) as f:
            return f.read()

    def status(self):
        return json.loads(demo.run("muster", "host", "status", "--root",
                                   self.host_root, "--json"))

    def self_test_says(self, word):
        """One of now: a reload makes it anew."""
        self.daemon.send_signal(signal.SIGHUP)
        end = time.monotonic() + 60
        while True:
            told = json.loads(demo.run(
                "muster", "host", "status", "--root", self.host_root, "--json",
                ok=(0, 3)))["self_test"]
            if word in told["message"]:
                return told
            assert time.monotonic() < end, told
            time.sleep(0.1)

    def clients(self):
        return json.loads(demo.run("muster", "host", "clients", "--root",
                                   self.host_root, "--json"))["clients"]

    def ask(self, cmid=None, product=DESKTOP, **more):
        """Status, and the count where it is OK; BUSY: the wait."""
        status, rest = wire.activate(self.port, product, cmid=cmid, **more)
        return status, struct.unpack(">I", rest[:4])[0]

    def until(self, status, cmid=None, product=DESKTOP):
        """Asks until it is answered so; the number."""
        end = time.monotonic() + WAIT_S
        while True:
            got, n = self.ask(cmid, product)
            if got == status:
                return n
            assert time.monotonic() < end, (got, self.log()[-3000:])
            time.sleep(0.1)

    def wait_log(self, text):
        end = time.monotonic() + WAIT_S
        while text not in self.log():
            assert time.monotonic() < end, self.log()[-3000:]
            time.sleep(0.05)

    def wait_status(self, state):
        """Until the store is said to be so; nobody asks meanwhile."""
        end = time.monotonic() + WAIT_S
        while self.status()["store"]["state"] != state:
            assert time.monotonic() < end, self.log()[-3000:]
            time.sleep(0.1)

    def busy_until_log(self, text, cmid=None):
        """Asks, and is told BUSY each time, until the log says so."""
        end = time.monotonic() + WAIT_S
        while text not in self.log():
            got = self.ask(cmid)
            assert got[0] == BUSY, (got, self.log()[-3000:])
            assert time.monotonic() < end, self.log()[-3000:]
            time.sleep(0.1)


class Cluster:
    def __init__(self, folder, n, address, products=demo.PRODUCTS):
        self.first = demo.Site(folder)
        self.first.publish(products=products)
        self.hosts = []
        for i in range(n):
            sub = os.path.join(folder, f"h{i}")
            os.mkdir(sub)
            self.hosts.append(Host(self.first, sub, pgserver.store(address)))

    def start(self):
        for h in self.hosts:
            h.start()
            h.activate_host()
        return self

    def stop(self):
        for h in self.hosts:
            h.stop()


@contextlib.contextmanager
def running(folder, n, address):
    """N hosts with one count, for so long."""
    c = Cluster(str(folder), n, address)
    try:
        yield c.start().hosts
    finally:
        c.stop()


def is_refused_until_mended(host, server, breaks, mends, says):
    """BUSY in these words over a new connection; and the host goes on."""
    assert host.ask(cmid(1)) == (OK, 1)
    server.sql(breaks)
    server.end_sessions()
    try:
        assert host.ask(cmid(2))[0] == BUSY
        host.wait_log(says)
    finally:
        server.sql(mends)
    assert host.until(OK, cmid(2)) == 2
    assert host.daemon.poll() is None


def cmid(n):
    return struct.pack(">QQ", 0xacce55, n)
