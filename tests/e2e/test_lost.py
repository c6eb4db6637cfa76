# SPDX-License-Identifier: MIT
"""Goal: a host that has been activated does not count from nothing without
being told to, and a refused start changes not a byte."""
import os
import shutil
import sqlite3
import subprocess
import uuid

import pytest

import demo
import wire

MUSTERD = os.path.join(demo.BIN, "musterd")
DESKTOP = uuid.UUID(demo.DESKTOP).bytes
MACHINES = 26


@pytest.fixture(scope="module")
def killed(tmp_path_factory):
    """A host's folder after kill -9, its log not merged."""
    s = demo.Site(str(tmp_path_factory.mktemp("lost")))
    s.publish()
    s.start()
    s.activate_host()
    for _ in range(MACHINES):
        assert wire.activate(s.port, DESKTOP)[0] == 0
    s.kill()
    return s


@pytest.fixture()
def site(killed, tmp_path):
    s = demo.Site(str(tmp_path))
    s.catalogue = killed.catalogue
    shutil.copytree(killed.host_root, s.host_root,
                    ignore=shutil.ignore_patterns("*.sock"))
    yield s
    s.stop()


def database(site, end=""):
    return os.path.join(site.host_root, "var/lib/muster/host/host.db" + end)


def files(site):
    """The database as bytes, whatever is there of it."""
    return {end: open(database(site, end), "rb").read()
            for end in ("", "-wal") if os.path.exists(database(site, end))}


def clients(site):
    out = demo.run("muster", "host", "clients", "--root", site.host_root,
                   "--json")
    return out.count('"cmid"')


def refused(site, *args):
    before = files(site)
    p = subprocess.run([MUSTERD, "--root", site.host_root, *args],
                       capture_output=True, text=True, timeout=90)
    assert p.returncode == 1, p.stderr
    assert "host.db" in p.stderr
    assert files(site) == before
    return p.stderr


def test_b4_the_log_of_a_killed_host_is_taken(site):
    assert os.path.getsize(database(site, "-wal")) > 100000
    site.start()
    assert clients(site) == MACHINES


@pytest.mark.parametrize("length", [None, 0, 1])
def test_b4_a_lost_database_is_refused_until_told(site, length):
    for end in ("", "-wal", "-shm"):
        if os.path.exists(database(site, end)):
            os.remove(database(site, end))
    if length is not None:
        with open(database(site), "wb") as f:
            f.write(b"S" * length)
    text = refused(site)
    assert "restore a backup" in text and "--new-database" in text
    conf = os.path.join(site.host_root, "etc/muster/musterd.conf")
    with open(conf, "w") as f:
        f.write('listen = [ "127.0.0.1" ];\nport = 0;\nstatus_listen = "off";\n')
    with open(site.path("log"), "w+") as log:
        p = subprocess.Popen([MUSTERD, "--root", site.host_root,
                              "--new-database"], stderr=log)
        while "listening" not in open(log.name).read():
            assert p.poll() is None
        p.terminate()
        assert p.wait(10) == 0
        assert "every machine is counted" in open(log.name).read()
    # it was for once: the option does not stay in a unit unnoticed
    assert "without --new-database" in refused(site, "--new-database")
    site.start()
    assert clients(site) == 0


def test_b4_a_host_that_never_was_one_makes_its_database(tmp_path):
    s = demo.Site(str(tmp_path))
    s.publish()
    s.start()
    assert clients(s) == 0
    s.stop()


def test_b4_one_byte_early_in_the_log_is_refused(site):
    for at in (40, 5000, 20000):
        with open(database(site, "-wal"), "r+b") as f:
            f.seek(at)
            byte = f.read(1)[0]
            f.seek(at)
            f.write(bytes([byte ^ 1]))
        text = refused(site)
        assert "host.db-wal" in text and "restore a backup" in text
        with open(database(site, "-wal"), "r+b") as f:
            f.seek(at)
            f.write(bytes([byte]))
    site.start()
    assert clients(site) == MACHINES


def test_b4_a_torn_end_of_the_log_starts(site):
    size = os.path.getsize(database(site, "-wal"))
    os.truncate(database(site, "-wal"), size - 2000)
    site.start()
    assert clients(site) == MACHINES - 1


def test_b4_one_bit_in_a_count_is_refused(site):
    site.start()
    site.stop()
    with open(database(site), "rb") as f:
        data = f.read()
    db = sqlite3.connect("file:" + database(site) + "?mode=ro", uri=True)
    cmid, = db.execute("SELECT cmid FROM cache ORDER BY seq DESC").fetchone()
    db.close()
    at = data.index(cmid)
    with open(database(site), "r+b") as f:
        f.seek(at)
        f.write(bytes([data[at] ^ 0x20]))
    assert "damaged" in refused(site)
