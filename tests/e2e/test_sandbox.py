# SPDX-License-Identifier: MIT
"""Goal: each service has given up calls and files once it is ready, in all of
its threads; what that means, test_sandbox.c shows."""
import json
import os
import sys

import pytest

import demo
from agent import Machine
from service import Service
from test_metrics import metrics, samples

pytestmark = pytest.mark.bare


def confined(pid):
    """Of each thread, and how many there are."""
    tasks = os.listdir(f"/proc/{pid}/task")
    for t in tasks:
        with open(f"/proc/{pid}/task/{t}/status") as f:
            lines = dict(x.rstrip("\n").split(":\t", 1) for x in f
                         if ":\t" in x)
        assert lines["Seccomp"] == "2" and lines["NoNewPrivs"] == "1", lines
    return len(tasks)


def test_the_services_are_confined(tmp_path):
    site = demo.Site(str(tmp_path))
    site.publish()
    site.start()
    try:
        site.activate_host()
        site.activate(1, demo.SERVER)
        assert confined(site.daemon.pid) >= 2
        m = Machine(site, 6)
        m.start()
        m.activate(demo.SERVER)
        assert confined(m.process.pid) >= 1
        m.stop()
    finally:
        site.stop()
    with open(site.path("musterd.log")) as f:
        assert "sandbox" not in f.read()


def test_the_authority_is_confined(tmp_path):
    s = Service(tmp_path)
    s.start()
    try:
        assert s.ask("GET", "/healthz").status == 200
        assert confined(s.process.pid) >= 2
    finally:
        assert s.stop() == 0
    assert not [x for x in s.log if "sandbox" in x]


LACKING = os.path.join(os.path.dirname(__file__), "lacking.py")


@pytest.mark.parametrize("call,absent", [
    ("", ()), ("landlock_create_ruleset", ("landlock",)),
    ("seccomp", ("seccomp",)),
    ("landlock_restrict_self,seccomp", ("landlock", "seccomp"))])
def test_what_the_kernel_has_not_is_told(tmp_path, call, absent):
    """In the log, in the status and as a metric; the host serves without."""
    site = demo.Site(str(tmp_path))
    site.publish()
    if call:
        site.wrap = (sys.executable, LACKING, call)
    site.start()
    try:
        site.activate_host()
        site.activate(1, demo.SERVER)
        status = ("muster", "host", "status", "--root", site.host_root)
        told = json.loads(demo.run(*status, "--json"))["sandbox"]
        assert told.pop("key_memory") == "locked"
        assert told == {x: "absent" if x in absent else "on"
                        for x in ("landlock", "seccomp")}
        assert ", ".join(f"{k} {v}" for k, v in told.items()) in \
            " ".join(demo.run(*status).split()).replace(" ,", ",")
        m = samples(metrics(site))
        for x in told:
            assert m[f'muster_host_sandbox{{part="{x}"}}'] == \
                (x not in absent)
    finally:
        site.stop()
    with open(site.path("musterd.log")) as f:
        lines = [x for x in f if x.startswith("sandbox: ")]
    assert [x.split()[1].lower() for x in lines] == list(absent), lines
