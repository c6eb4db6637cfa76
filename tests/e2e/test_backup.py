# SPDX-License-Identifier: MIT
"""Goal: a backup taken while a host answers brings its counts and inventory
back, and a restore that is refused or cut off loses nothing."""
import glob
import json
import os
import re
import shutil
import signal
import sqlite3
import subprocess
import threading
import uuid
from contextlib import closing

import pytest

import demo
import wire

MUSTER = os.path.join(demo.BIN, "muster")
MUSTERD = os.path.join(demo.BIN, "musterd")
DESKTOP = uuid.UUID(demo.DESKTOP).bytes
MACHINES = 26


def muster(site, *args):
    return subprocess.run([MUSTER, *args, "--root", site.host_root],
                          capture_output=True, text=True, timeout=90,
                          stdin=subprocess.DEVNULL)


def state(site, *names):
    return os.path.join(site.host_root, "var/lib/muster/host", *names)


def clients(site):
    p = muster(site, "host", "clients", "--json")
    assert p.returncode == 0, p.stderr
    return p.stdout.count('"cmid"')


def count(site):
    out = json.loads(demo.run("muster", "host", "status", "--root",
                              site.host_root, "--json"))
    return out["publishers"][0]["groups"][0]["count"]


def more(site, n):
    for _ in range(n):
        assert wire.activate(site.port, DESKTOP)[0] == 0


def backup(site, name="a.backup"):
    path = site.path(name)
    p = muster(site, "host", "backup", path)
    assert p.returncode == 0, p.stderr
    return path


def restore(site, path, code=0):
    p = muster(site, "host", "restore", path, "--yes", "--json")
    assert p.returncode == code, p.stdout + p.stderr
    return json.loads(p.stdout)


def contents(site):
    """All that a start reads."""
    return {os.path.basename(f): open(f, "rb").read()
            for f in glob.glob(state(site, "host.db*"))
            if not f.endswith(("-shm", ".lock")) and os.path.getsize(f)}


@pytest.fixture(scope="module")
def first(tmp_path_factory):
    s = demo.Site(str(tmp_path_factory.mktemp("backup")))
    s.publish()
    s.start()
    s.activate_host()
    more(s, MACHINES)
    yield s
    s.stop()


@pytest.fixture()
def site(first, tmp_path):
    """A stopped host of its own with what the first one has."""
    s = demo.Site(str(tmp_path))
    s.catalogue = first.catalogue
    backup_file = first.path(f"{tmp_path.name}.backup")
    assert muster(first, "host", "backup", backup_file).returncode == 0
    shutil.copytree(first.host_root, s.host_root,
                    ignore=shutil.ignore_patterns("*.sock", "host.db*"))
    s.backup = backup_file
    restore(s, backup_file)
    yield s
    s.stop()


def test_a_backup_brings_counts_and_inventory_back(first, site):
    site.start()
    assert clients(site) == clients(first) == MACHINES
    assert count(site) == count(first) == MACHINES


def test_it_is_one_file_for_its_owner_alone(first):
    path = backup(first, "one.backup")
    assert os.stat(path).st_mode & 0o7777 == 0o600
    assert glob.glob(path + "*") == [path]
    assert glob.glob(state(first, "*.backup*")) == []
    with closing(sqlite3.connect(f"file:{path}?immutable=1", uri=True)) as db:
        assert db.execute("PRAGMA integrity_check").fetchone() == ("ok",)


def test_neither_key_nor_certificate_is_in_it(first):
    data = open(backup(first, "keyless.backup"), "rb").read()
    held = [f for f in glob.glob(state(first, "*", "*"))
            if os.path.basename(f) in ("identity.key", "hostkey", "certificate")]
    assert len(held) == 3
    for f in held:
        assert open(f, "rb").read()[-32:] not in data


def test_no_file_is_written_over(first):
    path = backup(first, "twice.backup")
    before = open(path, "rb").read()
    p = muster(first, "host", "backup", path, "--json")
    assert p.returncode == 1
    assert json.loads(p.stdout)["error"]["code"] == "exist"
    assert open(path, "rb").read() == before


def test_a_backup_beside_batches_is_one_moment(site):
    """What was answered before it began is in it, and it is sound."""
    site.start()
    done, stop = [0], threading.Event()

    def work():
        while not stop.is_set():
            assert wire.activate(site.port, DESKTOP)[0] == 0
            done[0] += 1

    t = threading.Thread(target=work)
    t.start()
    try:
        for i in range(5):
            least = MACHINES + done[0]
            path = backup(site, f"beside-{i}")
            most = MACHINES + done[0] + 1
            other = demo.Site(site.path(f"other-{i}"))
            os.makedirs(state(other), 0o700)
            restore(other, path)
            with closing(sqlite3.connect(state(other, "host.db"))) as db:
                n = db.execute("SELECT count(*) FROM client").fetchone()[0]
            assert least <= n <= most
    finally:
        stop.set()
        t.join()
    assert done[0] > 5


def test_a_host_that_runs_is_not_restored(first):
    path = backup(first, "running.backup")
    said = restore(first, path, code=1)["error"]
    assert said["code"] == "running" and "systemctl stop" in said["next_step"]
    assert clients(first) == MACHINES


def test_a_restore_in_words(site):
    missing = site.path("none.backup")
    p = muster(site, "host", "restore", missing, "--yes")
    assert (p.returncode, p.stdout) == (1, "")
    assert f"{missing}: " in p.stderr
    assert "name a file that `muster host backup` has made" in p.stderr
    p = muster(site, "host", "restore", site.folder, "--yes")
    assert p.returncode == 1 and "`muster host backup`" in p.stderr
    p = muster(site, "host", "restore", site.backup, "--yes")
    assert p.returncode == 0, p.stderr
    assert re.fullmatch(rf"restored from {site.backup}\n"
                        r"what was there is in \S+/host\.db\.previous\S*\n"
                        r"next: systemctl start musterd\n", p.stdout), p.stdout


def test_a_restore_where_no_musterd_is(site, tmp_path):
    """Of the packages muster-cli alone is installed, or one of another kind."""
    os.mkdir(tmp_path / "bin")
    alone = str(tmp_path / "bin/muster")
    shutil.copy(MUSTER, alone)
    before = contents(site)
    restoring = [alone, "host", "restore", site.backup, "--yes", "--root", site.host_root]
    p = subprocess.run(restoring, capture_output=True, text=True, timeout=90)
    assert (p.returncode, p.stdout) == (1, "")
    assert p.stderr == "muster: musterd is not on this machine\n  install muster-host\n"
    # it is there, and cannot be run: nothing is said by it
    with open(alone + "d", "w") as f:
        f.write("no program\n")
    os.chmod(alone + "d", 0o755)
    p = subprocess.run(restoring, capture_output=True, text=True, timeout=90)
    assert (p.returncode, p.stdout) == (1, "")
    assert f"muster: {site.backup}: musterd did not restore it\n" in p.stderr
    assert contents(site) == before


def test_without_a_yes_nothing_happens(site):
    before = contents(site)
    p = muster(site, "host", "restore", site.backup)
    assert p.returncode == 2 and "--yes" in p.stderr
    assert contents(site) == before


def broken(data):
    page = int.from_bytes(data[16:18], "big")
    yield "damaged", data[:page] + b"\xff" * 64 + data[page + 64:]
    yield "damaged", data[:len(data) - page]
    yield "schema", data[:60] + (5).to_bytes(4, "big") + data[64:]
    yield "schema", data[:68] + b"OURS" + data[72:]
    yield "schema", b"#!/bin/sh\n" * 500
    yield "noent", b""


@pytest.mark.parametrize("n", range(6))
def test_a_bad_backup_is_refused_by_name(site, n):
    before = contents(site)
    good = open(site.backup, "rb").read()
    code, data = list(broken(good))[n]
    path = site.path("bad.backup")
    with open(path, "wb") as f:
        f.write(data)
    said = restore(site, path, code=1)["error"]
    assert said["code"] == code, said
    assert path in said["message"] and "host.db.restore" not in said["message"]
    if n == 2:
        assert "schema 5" in said["message"] and "has 4" in said["message"]
    assert contents(site) == before
    site.start()
    assert clients(site) == MACHINES


def test_what_was_there_is_kept_with_its_log(site):
    """Killed: part of it is in the log alone."""
    site.start()
    more(site, 3)
    site.kill()
    assert os.path.getsize(state(site, "host.db-wal")) > 0
    said = restore(site, site.backup)
    assert said["previous"] == state(site, "host.db.previous-1")
    site.start()
    assert clients(site) == MACHINES
    site.stop()
    again = site.path("again")
    os.mkdir(again)
    for end in ("", "-wal"):
        shutil.copy(state(site, "host.db.previous-1" + end),
                    os.path.join(again, "host.db" + end))
    with closing(sqlite3.connect(os.path.join(again, "host.db"))) as db:
        n = db.execute("SELECT sum(n) FROM journal").fetchone()[0]
    assert n == 3


def test_each_previous_one_has_a_number(site):
    assert restore(site, site.backup)["previous"].endswith(".previous-1")
    assert restore(site, site.backup)["previous"].endswith(".previous-2")


def test_a_damaged_database_gives_way(site):
    with open(state(site, "host.db"), "r+b") as f:
        f.seek(4096)
        f.write(b"\xff" * 512)
    p = subprocess.run([MUSTERD, "--root", site.host_root],
                       capture_output=True, text=True, timeout=90)
    assert p.returncode == 1 and "damaged" in p.stderr
    restore(site, site.backup)
    site.start()
    assert count(site) == MACHINES


def killed_at(site, call, n):
    """Is there an n-th such call?  The restore ends at it, before it is done."""
    p = subprocess.run(
        ["strace", "-f", "-qq", "-o", "/dev/null", "-e", f"trace={call}", "-e",
         f"inject={call}:signal=KILL:when={n}", MUSTERD, "--root",
         site.host_root, "--restore"], stdin=open(site.backup),
        capture_output=True, timeout=90)
    return p.returncode == -signal.SIGKILL


@pytest.mark.long
@pytest.mark.bare
def test_cut_off_anywhere_it_is_the_old_or_the_new(site):
    """Killed at each call that changes a name; the old one has a log."""
    site.start()
    more(site, 3)
    site.kill()
    shutil.copytree(state(site), site.path("kept"))
    seen, steps = set(), 0
    for call in ("rename", "unlink", "fsync", "fdatasync"):
        for n in range(1, 40):
            shutil.rmtree(state(site))
            shutil.copytree(site.path("kept"), state(site))
            if not killed_at(site, call, n):
                break
            steps += 1
            site.port = 0
            site.start()
            found = clients(site)
            seen.add(found)
            assert found in (MACHINES, MACHINES + 3), (call, n)
            assert count(site) == found
            site.kill()
            assert glob.glob(state(site, "host.db.restored")) == []
    assert seen == {MACHINES, MACHINES + 3} and steps >= 10


def test_a_full_folder_changes_nothing(site):
    before = contents(site)
    p = subprocess.run(
        ["bash", "-c", 'ulimit -f 8; exec "$0" "$@"', MUSTER, "host",
         "restore", site.backup, "--yes", "--json", "--root", site.host_root],
        capture_output=True, text=True, timeout=90)
    assert p.returncode == 1, p.stdout
    assert json.loads(p.stdout)["error"]["code"] == "full"
    assert contents(site) == before


def test_a_full_disk_leaves_no_half_backup(first):
    path = first.path("full.backup")
    p = subprocess.run(
        ["bash", "-c", 'trap "" XFSZ; ulimit -f 8; exec "$0" "$@"', MUSTER,
         "host", "backup", path, "--json", "--root", first.host_root],
        capture_output=True, text=True, timeout=90)
    assert p.returncode == 1
    assert json.loads(p.stdout)["error"]["code"] == "output"
    assert glob.glob(path + "*") == []


def test_an_earlier_schema_is_kept_before_it_is_changed(site):
    """A database of schema 1, and the copy made of it."""
    with closing(sqlite3.connect(state(site, "host.db"))) as db:
        db.executescript("""
            ALTER TABLE cache RENAME TO cache_2;
            CREATE TABLE cache (publisher BLOB NOT NULL, grp INTEGER NOT NULL,
              cmid BLOB NOT NULL CHECK(length(cmid) = 16),
              seq INTEGER NOT NULL, seen INTEGER NOT NULL,
              chk INTEGER NOT NULL, PRIMARY KEY (publisher, grp, cmid))
              STRICT, WITHOUT ROWID;
            INSERT INTO cache SELECT * FROM cache_2; DROP TABLE cache_2;
            ALTER TABLE client DROP COLUMN granted;
            DROP TABLE journal;
            CREATE TABLE journal AS SELECT 1 AS seq, * FROM client LIMIT 0;
            CREATE TABLE room AS SELECT zeroblob(40000) AS b; DROP TABLE room;
            PRAGMA user_version = 1""")
    old = contents(site)["host.db"]
    # no room for the copy, but for SQLite's 32 KiB: refused, nothing changed
    assert len(old) > 36 << 10
    p = subprocess.run(["bash", "-c", 'ulimit -f 36; exec "$0" "$@"', MUSTERD,
                        "--root", site.host_root],
                       capture_output=True, text=True, timeout=90)
    assert p.returncode == 1 and "no copy of it can be made" in p.stderr
    assert contents(site) == {"host.db": old}
    site.start()
    assert clients(site) == MACHINES
    with closing(sqlite3.connect(state(site, "host.db.schema-1"))) as db:
        assert db.execute("PRAGMA user_version").fetchone() == (1,)
        assert db.execute("SELECT count(*) FROM client").fetchone()[0] == \
            MACHINES
    site.stop()
    # ... and is a backup like any other
    restore(site, state(site, "host.db.schema-1"))
    site.start()
    assert count(site) == MACHINES
