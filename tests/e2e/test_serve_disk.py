# SPDX-License-Identifier: MIT
"""Goal: nothing is promised before it is on disk, and a disk that has lost
something ends the service, which asks it for nothing more."""
import os
import select
import signal
import sqlite3
import threading
import time

import pytest

from service import BAD_DISK, LATE_STOP, Host, Service, preloaded

LOG = "authority.db-wal$"
EIO = 5


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


def is_over(s):
    """It ended by itself: as one that systemd starts again."""
    assert s.process.wait(30) == 1
    s.stop()
    assert len([x for x in s.log if "store: io: " in x]) == 1, s.log


def test_b41_a_sync_that_failed_ends_the_service(s, disk):
    key, sock = s.a.issue("--hosts", "9"), s.connect()
    given = s.enrol(Host(1).request(s.a, key)).json
    request = Host(2).request(s.a, key)
    # this one fails alone: the next would have been believed
    disk.set(f"fdatasync {LOG} 0 {EIO}")
    s.enrol(request, sock=sock).problem(500, "failed")
    # and it is not asked for: who asks waits
    disk.set("fdatasync authority.db 0 -1")
    is_over(s)
    assert not disk.is_held()
    disk.set("")
    with pytest.raises(OSError):
        s.connect()
    s.start()
    again = s.enrol(request).json
    assert (again["slot"], again["hosts_used"]) == (2, 2)
    assert s.enrol(request).json["certificate"] == again["certificate"]
    assert s.enrol(Host(1).request(s.a, key)).json["certificate"] == \
        given["certificate"]
    assert s.slots(key).json["hosts_used"] == 2
    s.a.run("audit", "verify")


def test_b41_those_behind_it_are_told_to_come_again(s, disk):
    key = s.a.issue("--hosts", "9")
    disk.set(f"fdatasync {LOG} 0 -1")
    first = in_thread(s.enrol, Host(1).request(s.a, key))
    while not disk.is_held():
        first[0].join(0.01)
    others = [in_thread(s.enrol, Host(n).request(s.a, key))
              for n in range(2, 6)]
    s.wait_for_queue(4)
    disk.set(f"fdatasync {LOG} 0 {EIO}")
    for t, _ in (first, *others):
        t.join(30)
    first[1][0].problem(500, "failed")
    for _, told in others:
        told[0].problem(503, "busy")
    disk.set("")
    is_over(s)
    s.start()
    assert [s.enrol(Host(n).request(s.a, key)).json["hosts_used"]
            for n in range(1, 6)] == list(range(1, 6))
    s.a.run("audit", "verify")


def test_b41_a_checkpoint_whose_sync_failed_ends_the_service(s, disk):
    key, sock = s.a.issue(), s.connect()
    given = s.enrol(Host(1).request(s.a, key), sock=sock).json
    # a log so long that the next commit copies it into the database
    db = sqlite3.connect(os.path.join(s.a.dir, "authority.db"), timeout=90,
                         isolation_level=None)
    db.execute("PRAGMA synchronous = OFF")
    db.execute("PRAGMA wal_autocheckpoint = 0")
    for text in [f"contact {n}" for n in range(1000)]:
        db.execute("UPDATE self SET contact = ?", (text,))
    db.close()
    disk.set(f"fdatasync authority.db$ 0 {EIO}")
    s.enrol(Host(2).request(s.a, key), sock=sock).problem(500, "failed")
    disk.set("")
    is_over(s)
    s.start()
    g = s.enrol(Host(2).request(s.a, key)).json
    assert (g["slot"], g["hosts_used"]) == (2, 2)
    assert s.enrol(Host(1).request(s.a, key)).json["certificate"] == \
        given["certificate"]
    s.a.run("audit", "verify")


@pytest.mark.bare
def test_who_comes_while_it_ends_is_told_to_come_again(tmp_path):
    s, late = Service(tmp_path), str(tmp_path / "late")
    s.start(env=preloaded(LATE_STOP, MUSTER_LATE_STOP=late))
    key, socks = s.a.issue(), [s.connect() for _ in range(3)]
    for sock in socks:
        assert s.ask("GET", "/healthz", sock=sock).status == 200
    s.process.send_signal(signal.SIGTERM)
    while not os.path.exists(late):
        assert s.process.poll() is None
        time.sleep(0.01)
    for n, sock in enumerate(socks):
        s.enrol(Host(n).request(s.a, key), sock=sock).problem(503, "busy")
    os.unlink(late)
    assert s.stop() == 0, s.log
    assert s.query("SELECT count(*) FROM slot") == [(0,)]
