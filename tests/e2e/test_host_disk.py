# SPDX-License-Identifier: MIT
"""Goal: a host never says "activated" of what its disk does not have: a sync
that fails ends it, a full disk makes it say BUSY until there is room again."""
import contextlib
import itertools
import json
import os
import re
import sqlite3
import subprocess
import time
import uuid

import pytest

import demo
import wire
from service import BAD_DISK, preloaded

SERVER, OK, BUSY = uuid.UUID(demo.SERVER).bytes, 0, 5
EVERY = os.environ.get("MUSTER_STEP") == "1"
SYNCS = range(12) if EVERY else (0, 1, 3)
ROOM = range(0, 13) if EVERY else (0, 2)  # pages of 4 KiB that are left
EIO = 5
REQUESTS = 5  # of a life whose every sync fails
INODES = 40  # some more than the files of a host
IMAGE_LEN = 8 << 20  # with a journal, which ext4 makes from 8 MiB on
EXT4 = ("-o", "loop,errors=remount-ro")


class Crowd:
    """Machines that ask, and what became of them."""

    def __init__(self, site):
        self.site, self.answered, self.sent = site, set(), set()
        self.before = set(self.rows())  # another test's

    def rows(self):
        out = demo.run("muster", "host", "clients", "--root",
                       self.site.host_root, "--json")
        return [uuid.UUID(c["cmid"]).bytes for c in json.loads(out)["clients"]]

    def ask(self, cmid=None):
        """The status, None where the host was gone."""
        cmid = cmid or os.urandom(16)
        self.sent.add(cmid)
        try:
            status, _ = wire.activate(self.site.port, SERVER, cmid=cmid,
                                      threshold=5)
        except (OSError, ValueError):
            return None
        if status == OK:
            self.answered.add(cmid)
        return status

    def check(self):
        """Nobody who was answered is lost, nobody is there who did not ask,
        and all who come again are counted once."""
        rows = self.rows()
        assert len(rows) == len(set(rows))
        assert self.answered <= set(rows) <= self.sent | self.before
        for cmid in self.sent:
            assert self.ask(cmid) == OK


def told(site, begin=0):
    with open(site.path("musterd.log")) as f:
        f.seek(begin)
        return [x for x in f if x.startswith("store: ")]


@pytest.mark.bare
def test_a_sync_that_fails_ends_the_host(site, tmp_path):
    gate = tmp_path / "gate"
    gate.write_text("")
    crowd, took = Crowd(site), []
    for k, is_once in itertools.product(SYNCS, (False, True)):
        site.stop()
        site.env = preloaded(BAD_DISK, MUSTER_BAD_DISK=str(gate))
        site.start()
        begin = os.path.getsize(site.path("musterd.log"))
        gate.write_text(f"any host.db {k} {EIO} {uuid.uuid4()}")
        for _ in range(200):
            status = crowd.ask()
            if status != OK:
                break
        assert status in (BUSY, None), status
        if is_once:  # the next would have been believed
            gate.write_text("")
        before = time.monotonic()
        assert status is None or crowd.ask() in (BUSY, None)
        assert site.daemon.wait(30) == 1
        took.append(time.monotonic() - before)
        assert len([x for x in told(site, begin)
                    if "musterd ends" in x]) == 1
        gate.write_text("")
        site.env = None
        site.start()
        crowd.check()
    print(f"{len(took)} syncs, ended after at most {max(took):.3f} s")


def mount(*args):
    return subprocess.run(["mount", *args], capture_output=True).returncode


def merged(site, is_over):
    """Waits until nothing is left to merge, or it failed or is gone."""
    path = os.path.join(site.host_root, "var/lib/muster/host/host.db")
    while site.daemon.poll() is None and not is_over():
        with contextlib.closing(sqlite3.connect(path)) as db:
            if db.execute("SELECT count(*) FROM journal").fetchone() == (0,):
                return
        time.sleep(0.05)


def play(site, crowd, is_over):
    """A host's life: start, requests, what it merges while it idles, one more
    request, which is told what failed meanwhile, and the end.  The last
    status, None where it was gone or did not start."""
    try:
        site.start()
    except SystemExit:
        return None
    for k in range(REQUESTS + 1):
        if k == REQUESTS:
            merged(site, is_over)
        status = crowd.ask()
        if status != OK:
            return status
    site.stop()
    return OK


@pytest.mark.bare
@pytest.mark.long  # the sample is the test above
def test_each_sync_of_a_life_that_fails(site, tmp_path):
    """Also of a start, of a merge and of an end."""
    gate, count = tmp_path / "gate", tmp_path / "count"
    env = preloaded(BAD_DISK, MUSTER_BAD_DISK=str(gate),
                    MUSTER_BAD_DISK_COUNT=str(count))
    crowd, met, ended = Crowd(site), 0, 0
    site.stop()
    site.env = env
    gate.write_text("sync host.db 0 -2\n")
    assert play(site, crowd, lambda: False) == OK
    n = os.path.getsize(count)
    assert n > REQUESTS  # each is synced, and so are merge and end
    for k, is_once in itertools.product(range(n), (False, True)):
        count.write_bytes(b"")
        gate.write_text(f"sync host.db {k} {EIO} {'once' * is_once}\n")
        site.env = env
        status = play(site, crowd, lambda: os.path.getsize(count) > 0)
        assert status in (OK, BUSY, None), status
        if status != OK:  # whoever asks now is not told OK
            ended += 1
            if site.daemon.poll() is None:
                assert crowd.ask() in (BUSY, None)
            assert site.daemon.wait(30) == 1
        met += os.path.getsize(count) > 0
        gate.write_text("")
        site.env = None
        site.start()
        crowd.check()
        site.stop()
    print(f"{n} syncs, {met} of {2 * n} lives met theirs, {ended} ended at it")
    assert met == 2 * n and ended >= 2 * REQUESTS


@contextlib.contextmanager
def on_a_disk(tmp_path, *args):
    """A host whose state folder is a disk of its own, and that folder."""
    s = demo.Site(str(tmp_path))
    s.publish()
    folder = os.path.join(s.host_root, "var/lib/muster/host")
    os.makedirs(folder)
    if os.geteuid() != 0 or mount(*args, folder) != 0:
        pytest.skip("needs root: to mount a small disk")
    try:
        s.start()
        s.activate_host()
        yield s, folder
    finally:
        s.stop()
        subprocess.run(["umount", "-l", folder], check=True)


@pytest.fixture
def small(tmp_path):
    """One of 1 MiB."""
    with on_a_disk(tmp_path, "-t", "tmpfs", "-o", "size=1m", "tmpfs") as s:
        yield s


@pytest.fixture
def few_inodes(tmp_path):
    """One of few files."""
    with on_a_disk(tmp_path, "-t", "tmpfs", "-o",
                   f"size=8m,nr_inodes={INODES}", "tmpfs") as s:
        yield s


@pytest.fixture
def real_disk(tmp_path):
    """One of ext4, which becomes read-only at an error; the disk as a file,
    too."""
    if os.geteuid() != 0:  # whose PATH may lack mkfs, too
        pytest.skip("needs root: to mount a small disk")
    image = tmp_path / "disk"
    image.write_bytes(b"")
    os.truncate(image, IMAGE_LEN)
    subprocess.run(["mkfs.ext4", "-q", image], check=True)
    with on_a_disk(tmp_path, *EXT4, str(image)) as s:
        yield *s, str(image)


def fill(folder, pages):
    """Takes all but so many pages."""
    st = os.statvfs(folder)
    path = os.path.join(folder, "ballast")
    with open(path, "wb", buffering=0) as f:
        left = st.f_bavail * st.f_bsize - pages * 4096
        try:
            while left > 0:
                left -= f.write(bytes(min(left, 4096)))
        except OSError:
            pass
    return path


@pytest.mark.parametrize("pages", ROOM)
def test_a_full_disk_makes_it_busy_until_there_is_room(small, pages):
    site, folder = small
    crowd = Crowd(site)
    assert [crowd.ask() for _ in range(5)] == [OK] * 5
    pid = site.daemon.pid
    ballast = fill(folder, pages)
    seen = [crowd.ask() for _ in range(60)]
    n_ok = seen.index(BUSY)
    # what had room is there; from then on it says the same
    assert seen == [OK] * n_ok + [BUSY] * (60 - n_ok), seen
    assert len(told(site)) == 1 and "free space" in told(site)[0]
    # known machines are not renewed either, and it still shows what it has
    assert crowd.ask(next(iter(crowd.answered))) == BUSY
    out = demo.run("muster", "host", "clients", "--root", site.host_root,
                   "--json")
    assert len(json.loads(out)["clients"]) == len(crowd.answered)
    os.unlink(ballast)
    assert crowd.ask() == OK
    assert site.daemon.pid == pid and site.daemon.poll() is None
    assert re.search("answers again", told(site)[1]) and len(told(site)) == 2
    crowd.check()
    site.stop()
    path = os.path.join(folder, "host.db")
    with sqlite3.connect(path) as db:
        assert db.execute("PRAGMA integrity_check").fetchall() == [("ok",)]
    db.close()
    site.start()
    crowd.check()


def refused(site):
    """What it says where it does not start."""
    begin = os.path.getsize(site.path("musterd.log"))
    with pytest.raises(SystemExit):
        site.start()
    assert site.daemon.wait(30) == 1
    with open(site.path("musterd.log")) as f:
        f.seek(begin)
        return f.read()


def take_inodes(folder):
    taken = []
    with contextlib.suppress(OSError):
        while True:
            path = os.path.join(folder, f"ballast{uuid.uuid4()}")
            os.close(os.open(path, os.O_CREAT | os.O_WRONLY))
            taken.append(path)
    return taken


def test_without_a_free_inode_it_answers(few_inodes):
    """It makes no file for a request; a start needs some, and says so."""
    site, folder = few_inodes
    crowd = Crowd(site)
    assert [crowd.ask() for _ in range(5)] == [OK] * 5
    taken = take_inodes(folder)
    assert taken and os.statvfs(folder).f_ffree == 0
    assert [crowd.ask() for _ in range(60)] == [OK] * 60
    assert told(site) == []
    site.stop()
    taken += take_inodes(folder)  # those of the log
    assert "has its disk room for two more files?" in refused(site)
    for path in taken:
        os.unlink(path)
    site.start()
    crowd.check()


def test_it_keeps_its_disk_from_a_remount(small):
    """Read-only by hand it cannot become while the host runs; a start on one
    that is says so."""
    site, folder = small
    crowd = Crowd(site)
    assert [crowd.ask() for _ in range(5)] == [OK] * 5
    assert mount("-o", "remount,ro", folder) != 0
    assert [crowd.ask() for _ in range(5)] == [OK] * 5
    site.stop()
    assert mount("-o", "remount,ro", folder) == 0
    assert "cannot be used: Read-only file system" in refused(site)
    assert mount("-o", "remount,rw", folder) == 0
    site.start()
    crowd.check()


def test_a_disk_that_becomes_read_only_ends_the_host(real_disk):
    """As ext4 does at an error: what a write came to is not known, so it is
    as where a sync fails; a start says why, until the disk is mounted anew."""
    site, folder, image = real_disk
    crowd = Crowd(site)
    assert [crowd.ask() for _ in range(5)] == [OK] * 5
    out = subprocess.run(["losetup", "-n", "-O", "NAME", "-j", image],
                         capture_output=True, text=True, check=True).stdout
    name = os.path.basename(out.strip())
    begin = os.path.getsize(site.path("musterd.log"))
    with open(f"/sys/fs/ext4/{name}/trigger_fs_error", "w") as f:
        f.write("1")
    status = crowd.ask()
    assert status in (BUSY, None)
    assert site.daemon.wait(30) == 1
    line, = told(site, begin)
    assert "disk I/O error" in line and "musterd ends" in line
    assert "Read-only file system" in refused(site)
    subprocess.run(["umount", folder], check=True)
    subprocess.run(["fsck.ext4", "-p", image])
    assert mount(*EXT4, image, folder) == 0
    site.start()
    crowd.check()
