# SPDX-License-Identifier: MIT
"""Goal: nothing is promised before it is on disk, and a disk that has lost
something ends the service, which asks it for nothing more."""
import os
import select
import threading

import pytest

from service import BAD_DISK, Host, Service, preloaded

LOG = "authority.db-wal$"


class Gate:
    """What the disk does, from now on."""

    def __init__(self, path):
        self.path = str(path)
        self.set("")

    def set(self, text):
        if self.is_held():
            os.unlink(self.path + ".held")
        with open(self.path + ".new", "w") as f:
            f.write(text)
        os.rename(self.path + ".new", self.path)

    def is_held(self):
        return os.path.exists(self.path + ".held")


@pytest.fixture
def disk(tmp_path):
    return Gate(tmp_path / "gate")


@pytest.fixture
def s(tmp_path, disk):
    service = Service(tmp_path)
    service.start(env=preloaded(BAD_DISK, MUSTER_BAD_DISK=disk.path))
    yield service
    disk.set("")
    service.stop()


def in_thread(function, *args):
    """A thread, and the list that gets its one result."""
    out = []
    t = threading.Thread(target=lambda: out.append(function(*args)))
    t.start()
    return t, out


def test_b41_no_certificate_leaves_before_the_log_is_on_disk(s, disk):
    key = s.a.issue()
    sock = s.connect()
    for n, ask in enumerate([
            lambda: s.enrol(Host(1).request(s.a, key), sock=sock),
            lambda: s.enrol(Host(1).request(s.a, key, counter=2), sock=sock),
            lambda: s.release(key, 1, sock=sock)]):
        disk.set(f"fdatasync {LOG} 0 -1 {n}")
        t, told = in_thread(ask)
        # whichever comes first: an answer ends the thread
        while t.is_alive() and not disk.is_held():
            t.join(0.01)
        assert t.is_alive(), told
        # all that the service would have said by now, it has
        for _ in range(5):
            s.metrics()
        assert not select.select([sock], [], [], 0)[0]
        disk.set("")
        t.join(30)
        assert told[0].status == (201, 200, 200)[n]
    sock.close()
