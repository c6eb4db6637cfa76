# SPDX-License-Identifier: MIT
"""Goal: whenever the agent is ended, each state file is the old or the new
one, and loads; and on disk is what the reply to a host promised."""
import collections
import glob
import json
import os
import random
import re
import shutil
import subprocess
import time

import pytest

import agent
import demo
from agent import Machine

WRITING = "openat,write,pwrite64,ftruncate,fchmod,fsync,rename,unlink,mkdir"
KINDS = (".state", ".lease", ".view")
STEP = int(os.environ.get("MUSTER_STEP", "15"))  # 1 in the long test
LIB = glob.glob("/usr/lib/*/faketime/libfaketimeMT.so.1")
# the host's renewal interval is 15 minutes
LATER = ["env", "LD_PRELOAD=" + "".join(LIB), "FAKETIME=+20m"]


@pytest.fixture(scope="module")
def quick(tmp_path_factory):
    """A host whose clients renew every 15 minutes."""
    site = demo.Site(str(tmp_path_factory.mktemp("quick")))
    site.settings = "renewal_minutes = 15;\nretry_minutes = 15;\n"
    site.publish()
    site.start()
    site.activate_host()
    for n in range(100, 105):
        site.activate(n, demo.SERVER)
    yield site
    site.stop()


def cmids(site):
    """How many machines the host ever saw; its count has a capacity."""
    out = demo.run("muster", "host", "clients", "--root", site.host_root,
                   "--json")
    return len({c["cmid"] for c in json.loads(out)["clients"]})


def state_files(m):
    return {os.path.join(folder, name): open(os.path.join(folder, name),
                                             "rb").read()
            for folder, _, names in os.walk(m.state()) for name in names
            if name.endswith(KINDS)}


def strace(m, wrap, *more):
    """One run under strace; each call a line, with descriptors' paths."""
    out = os.path.join(m.site.folder, "calls")
    p = subprocess.run(
        ["strace", "-qq", "-y", "-o", out, "-e", f"trace={WRITING},sendto",
         *more, *wrap, m.binary, "--root", m.root, "--once"],
        capture_output=True, text=True, timeout=60)
    with open(out) as f:
        return p, f.read().splitlines()


def sites(calls):
    """Each call on the state: its name and its number among those of that
    name, which is how strace counts."""
    n, out = collections.Counter(), []
    for line in calls:
        name = line.split("(")[0]
        n[name] += 1
        if "/var/lib/muster/agent" in line:
            out.append((name, n[name]))
    assert len(out) > 40
    return out[random.randrange(STEP)::STEP]


def fresh(site, template, n):
    m = Machine(site, n)
    if template is not None:
        shutil.rmtree(m.state(), ignore_errors=True)
        shutil.copytree(template.state(), m.state())
        shutil.copy(os.path.join(template.root, "etc/machine-id"),
                    os.path.join(m.root, "etc/machine-id"))
    return m


@pytest.mark.parametrize("what", ["first contact", "renewal"])
def test_killed_at_each_file_operation(quick, what):
    template, wrap = None, []
    if what == "renewal":
        template, wrap = Machine(quick, 200), LATER
        assert template.once()[demo.SERVER]["state"] == "licensed"
    number = 300 if template is None else 2000
    _, calls = strace(fresh(quick, template, number), wrap)
    for i, (name, n) in enumerate(sites(calls), number + 1):
        m = fresh(quick, template, i)
        before = cmids(quick)
        old = state_files(m)
        p, calls = strace(m, wrap, "-e", f"inject={name}:signal=KILL:when={n}")
        assert p.returncode != 0, (name, n)
        for path, data in state_files(m).items():
            assert data == old.get(path) or len(data) >= 52
        p = subprocess.run([*wrap, m.binary, "--root", m.root, "--once"],
                           capture_output=True, text=True, timeout=60)
        assert p.returncode == 0, (name, n, p.stderr)
        assert "damaged" not in p.stderr, (name, n, p.stderr)
        assert f"{demo.SERVER} licensed" in p.stdout, (name, n, p.stdout)
        assert not [x for _, _, names in os.walk(m.state())
                    for x in names if ".new." in x], (name, n)
        # a CMID that a host has seen is on disk: no machine counts twice
        assert cmids(quick) == before + (template is None), (name, n)


@pytest.mark.parametrize("error", ["ENOSPC", "EIO", "EROFS"])
def test_each_write_that_fails_is_told_and_nothing_is_lost(quick, error):
    """One file operation fails; the agent goes on, and the next run is good."""
    number = {"ENOSPC": 5000, "EIO": 6000, "EROFS": 7000}[error]
    template = Machine(quick, number)
    assert template.once()[demo.SERVER]["state"] == "licensed"
    _, calls = strace(fresh(quick, template, number + 1), LATER)
    for i, (name, n) in enumerate(sites(calls), number + 2):
        if name in ("unlink", "mkdir", "sendto"):
            continue
        m = fresh(quick, template, i)
        before = cmids(quick)
        lease = open(m.lease(demo.SERVER), "rb").read()
        p, calls = strace(m, LATER, "-e",
                          f"inject={name}:error={error}:when={n}")
        hit, = [c for c in calls if "(INJECTED)" in c]
        assert p.returncode in (0, 1), (hit, p.stderr)
        # one that only looks for what may be missing is no failure to tell
        assert p.stderr or "O_RDONLY" in hit, hit
        assert len(open(m.lease(demo.SERVER), "rb").read()) == len(lease)
        p = subprocess.run([*LATER, m.binary, "--root", m.root, "--once"],
                           capture_output=True, text=True, timeout=60)
        assert p.returncode == 0, (hit, p.stderr)
        assert "damaged" not in p.stderr, (hit, p.stderr)
        assert f"{demo.SERVER} licensed" in p.stdout, (hit, p.stdout)
        assert cmids(quick) == before, hit


def trace(m, wrap):
    """Name and arguments of each call that was done."""
    p, lines = strace(m, wrap)
    assert p.returncode == 0
    calls = [re.match(r"(\w+)\((.*)\) += +(-?\d+)", line) for line in lines]
    return [(c[1], c[2]) for c in calls if c and int(c[3]) >= 0]


@pytest.mark.parametrize("what", ["first contact", "renewal"])
def test_write_sync_rename_sync_of_the_folder(quick, what):
    m = Machine(quick, 210 + (what == "renewal"))
    if what == "renewal":
        m.once()
        time.sleep(1.1)  # a lease gives way to one that ends later
    calls = trace(m, LATER if what == "renewal" else [])
    seen = set()
    for i, (name, args) in enumerate(calls):
        if name != "rename":
            continue
        temp, path = re.findall(r'"([^"]*)"', args)
        before = [c for c in calls[:i] if f"<{temp}" in c[1]]
        assert [c[0] for c in before][-3:] == ["write", "fchmod", "fsync"], \
            (path, before)
        assert calls[i + 1][0] == "openat"
        assert calls[i + 2] == ("fsync", calls[i + 2][1]) and \
            f"<{os.path.dirname(path)}>" in calls[i + 2][1], calls[i + 2]
        seen.add(os.path.relpath(path, m.state()))
    publisher, = os.listdir(m.state("publishers"))
    assert seen >= {"publishers/" + publisher, "clock.state",
                    f"products/{demo.SERVER}.state",
                    f"leases/{demo.SERVER}.view",
                    f"leases/{demo.SERVER}.lease"}
    # nothing leaves the machine before the CMID is on disk
    first_sent = next(i for i, c in enumerate(calls) if c[0] == "sendto")
    on_disk = [i for i, c in enumerate(calls)
               if c[0] == "rename" and "/publishers/" in c[1]]
    assert on_disk and on_disk[0] < first_sent
