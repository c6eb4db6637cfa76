# SPDX-License-Identifier: MIT
"""Goal: whenever the agent is ended, each state file is the old or the new
one, and loads; and on disk is what the reply to a host promised."""
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
STEP = int(os.environ.get("MUSTER_STEP", "9"))  # 1 in the long test
LATER = ["faketime", "-f", "+20m"]  # the host's renewal interval is 15


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


def killed_at(m, n, wrap):
    """End the agent by SIGKILL at its n-th file operation; was it?"""
    p = subprocess.run(
        ["strace", "-f", "-qq", "-o", "/dev/null", "-e", f"trace={WRITING}",
         "-e", f"inject={WRITING}:signal=KILL:when={n}",
         *wrap, m.binary, "--root", m.root, "--once"],
        capture_output=True, text=True, timeout=60)
    return p.returncode != 0


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
    n, number = 1 + random.randrange(STEP), 300 if template is None else 600
    while True:
        m = fresh(quick, template, number + n)
        before = cmids(quick)
        old = state_files(m)
        if not killed_at(m, n, wrap):
            break
        for path, data in state_files(m).items():
            if data != old.get(path):  # new: as a whole, or it is told below
                assert len(data) >= 52
        p = subprocess.run([*wrap, m.binary, "--root", m.root, "--once"],
                           capture_output=True, text=True, timeout=60)
        assert p.returncode == 0, (n, p.stderr)
        assert "put aside" not in p.stderr and "damaged" not in p.stderr, \
            (n, p.stderr)
        assert f"{demo.SERVER} licensed" in p.stdout, (n, p.stdout, p.stderr)
        assert not [name for _, _, names in os.walk(m.state())
                    for name in names if ".new." in name], n
        # a CMID that a host has seen is on disk: no machine counts twice
        assert cmids(quick) == before + (template is None), n
        n += STEP
    assert n > 60, n


def trace(m, wrap):
    """System calls with the paths of their descriptors."""
    out = os.path.join(m.site.folder, "trace")
    subprocess.run(["strace", "-f", "-qq", "-y", "-o", out, "-e",
                    f"trace={WRITING},sendto", *wrap, m.binary, "--root",
                    m.root, "--once"], capture_output=True, check=True,
                   timeout=60)
    calls = []
    for line in open(out):
        c = re.match(r"\d+ +(\w+)\((.*)\) += +(-?\d+)", line)
        if c and int(c[3]) >= 0:
            calls.append((c[1], c[2]))
    return calls


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
