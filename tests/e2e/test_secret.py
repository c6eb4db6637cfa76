# SPDX-License-Identifier: MIT
"""Goal: the host's secret is in one place of its memory, which is locked and
in no core file, and in one file that is its own alone."""
import glob
import hashlib
import json
import os
import re
import subprocess

import pytest

import demo
from test_metrics import metrics, samples

pytestmark = [pytest.mark.bare, pytest.mark.skipif(
    os.geteuid() != 0, reason="needs root: to read the memory of others")]

GOOD_MODES = {0o400, 0o600}


def mappings(pid):
    """Start, end and flags of each mapping that can be read."""
    with open(f"/proc/{pid}/smaps") as f:
        for line in f:
            m = re.match(r"([0-9a-f]+)-([0-9a-f]+) (....) \S+ \S+ \d+ *(.*)",
                         line)
            if m:
                at = m.groups()
            elif line.startswith("VmFlags:") and "r" in at[2] and \
                    at[3] not in ("[vvar]", "[vsyscall]"):
                yield int(at[0], 16), int(at[1], 16), line.split()[1:]


def hits(pid, needles):
    """Where any of them stands: the flags of the mapping, for each time."""
    out = []
    with open(f"/proc/{pid}/mem", "rb", buffering=0) as mem:
        for begin, end, flags in mappings(pid):
            mem.seek(begin)
            try:
                data = mem.read(end - begin)
            except OSError:
                continue
            for name, needle in needles.items():
                out += [(name, flags)] * data.count(needle)
    return out


def identity(site):
    path, = glob.glob(site.host_root + "/var/lib/muster/host/*/identity.key")
    return path


def needles(path):
    """The seed, and both halves of what a signature makes of it."""
    with open(path, "rb") as f:
        seed = f.read()[:32]
    h = bytearray(hashlib.sha512(seed).digest())
    prefix = bytes(h[32:])
    h[0] &= 248
    h[31] = h[31] & 127 | 64
    return {"seed": seed, "scalar": bytes(h[:32]), "prefix": prefix}


def test_the_secret_is_in_locked_memory_alone(site, tmp_path):
    for n in range(1, 8):
        site.activate(n, demo.SERVER)
    # a request of its own, and a start that reads the key from its file
    demo.run("muster", "host", "activate", "--offline", "--fresh", "--file",
             str(tmp_path / "request"), "--root", site.host_root, ok=(0, 2))
    site.stop()
    site.start()
    site.activate(8, demo.SERVER)
    pid = site.daemon.pid
    secret = needles(identity(site))
    found = hits(pid, secret)
    assert [name for name, _ in found] == ["seed"], found
    flags = found[0][1]
    assert "lo" in flags and "dd" in flags  # locked, and in no core file
    # nobody but root looks into it, not even its own user
    with open(f"/proc/{pid}/status") as f:
        assert not os.stat(f"/proc/{pid}/mem").st_uid
    with open(f"/proc/{pid}/limits") as f:
        assert re.search(r"Max core file size +0 +0 ", f.read())
    core = str(tmp_path / "core")
    subprocess.run(["gcore", "-o", core, str(pid)], capture_output=True,
                   timeout=480)
    with open(f"{core}.{pid}", "rb") as f:
        data = f.read()
    assert b"musterd" in data and len(data) > 1 << 20
    assert not [n for n, x in secret.items() if x in data]


UNLOCKED = ("prlimit", "--memlock=0:0", "setpriv", "--bounding-set=-ipc_lock")


@pytest.mark.parametrize("wrap,is_locked", [(UNLOCKED, False), ((), True)])
def test_memory_that_is_not_locked_is_told(tmp_path, wrap, is_locked):
    """In the log, when the key is made and when it is read, in the status and
    as a metric; the host serves.  Who has CAP_IPC_LOCK knows no limit."""
    site = demo.Site(str(tmp_path))
    site.publish()
    site.wrap = wrap
    site.start()
    try:
        site.activate_host()
        site.stop()
        site.start()
        site.activate(1, demo.SERVER)
        pid = site.daemon.pid
        (_, flags), = hits(pid, {"seed": needles(identity(site))["seed"]})
        assert ("lo" in flags, "dd" in flags) == (is_locked, True)
        told = json.loads(demo.run("muster", "host", "status", "--root",
                                   site.host_root, "--json"))
        assert told["sandbox"]["key_memory"] == \
            ("locked" if is_locked else "unlocked")
        m = samples(metrics(site))
        assert m['muster_host_sandbox{part="key_memory"}'] == is_locked
    finally:
        site.stop()
    with open(site.path("musterd.log")) as f:
        lines = [x for x in f if x.startswith("key: the identity key")]
    assert len(lines) == (0 if is_locked else 2), lines
    assert all("LimitMEMLOCK=" in x for x in lines)


def test_the_secret_is_in_its_file_alone(site):
    path, secret = identity(site), None
    secret = needles(path)
    site.activate(9, demo.SERVER)
    for folder, _, names in os.walk(site.folder):
        for name in names:
            at = os.path.join(folder, name)
            if at == path or not os.path.isfile(at):
                continue
            with open(at, "rb") as f:
                data = f.read()
            for x in secret.values():
                assert x not in data and x.hex().encode() not in data, at


def started(site):
    try:
        site.start()
    except SystemExit as e:
        return str(e)
    site.stop()
    return None


@pytest.fixture
def stopped(site):
    site.stop()
    yield site
    site.start()


def test_all_modes_of_the_key_file(stopped):
    """512 of them, by --check of a copy each would be slow: the start."""
    path = identity(stopped)
    step = 1 if os.environ.get("MUSTER_STEP") == "1" else 13
    for mode in sorted({*range(0, 512, step), *GOOD_MODES, 0o640, 0o604}):
        os.chmod(path, mode)
        said = started(stopped)
        assert (said is None) == (mode in GOOD_MODES), oct(mode)
        assert said is None or "0600" in said.splitlines()[-1], said
    os.chmod(path, 0o600)


def test_a_key_file_of_others_or_elsewhere(stopped):
    path = identity(stopped)
    os.chown(path, 65534, -1)
    assert "identity.key" in started(stopped)
    os.chown(path, 0, -1)
    os.rename(path, path + ".real")
    os.symlink(path + ".real", path)
    assert "identity.key" in started(stopped)
    os.unlink(path)
    os.rename(path + ".real", path)
    assert started(stopped) is None
