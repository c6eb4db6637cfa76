# SPDX-License-Identifier: MIT
"""Goal: a rearm that the power or the disk ends leaves the lease and the
rearms from before, or neither, and its reply says which."""
import os
import shutil

import pytest

import agent
import demo
from agent import Machine
from test_agent_clones import again, cmid
from test_agent_storage import EIO, ENOSPC, FULL, IO, UNSURE, Failing, \
    busy, ids, machine  # noqa: F401

pytestmark = pytest.mark.bare


def rearm(m):
    return again(m, agent.REARM, ids(demo.SERVER))


def licensed(m):
    m.start()
    assert m.activate(demo.SERVER)["info"]["state"] == "licensed"


def on_disk(m):
    """What another start makes of it, and asks nobody."""
    m.hosts([])
    m.start()
    info = m.info(demo.SERVER)
    m.kill()
    assert "damaged" not in open(m.log).read()
    return info["state"], info["rearms_left"], \
        os.path.exists(m.lease(demo.SERVER))


OLD = ("licensed", 5, True)
NEW = ("initial_grace", 4, False)


def test_b38_killed_at_each_file_operation_of_a_rearm(busy, machine):  # noqa
    licensed(machine)
    machine.kill()
    old_cmid, seen = cmid(machine), []
    for skip in range(60):
        m = Failing(busy, 3000 + skip)
        shutil.rmtree(m.state(), ignore_errors=True)
        shutil.copytree(machine.state(), m.state())
        shutil.copy(os.path.join(machine.root, "etc/machine-id"),
                    os.path.join(m.root, "etc/machine-id"))
        m.hosts([])
        m.start()
        m.bad("any", "/muster/agent/", 0, skip)
        try:
            assert rearm(m)["err"] == 0
            is_done = True
        except (ConnectionError, OSError):
            is_done = False
        m.good()
        m.kill()
        files = set(os.listdir(m.state("leases")))
        now = on_disk(m)
        assert now in (OLD, NEW), (skip, now)
        if now == NEW:
            assert cmid(m) != old_cmid, skip
            seen.append(demo.SERVER + ".lease" in files)
        assert not is_done or now == NEW
        if is_done:
            break
    assert is_done and skip > 12
    # the state was new, and the lease still there; and then it was not
    assert seen[0] and not seen[-1]


def test_b38_what_cannot_be_written_changes_nothing(machine):  # noqa: F811
    licensed(machine)
    old_cmid = cmid(machine)
    for part, how, end, err in (
            ("publishers/", "rename", ENOSPC, FULL),
            (demo.SERVER + ".state", "rename", EIO, IO),
            (demo.SERVER + ".view", "rename", ENOSPC, FULL),
            (demo.DESKTOP + ".state", "rename", ENOSPC, FULL),
            (".lease", "unlink", EIO, IO)):
        machine.bad(how, part, end)
        reply = rearm(machine)
        machine.good()
        what = (part, reply)
        assert reply["err"] == err, what
        assert "nothing was changed" in reply["next_step"]
        assert cmid(machine) == old_cmid, what
        info = machine.info(demo.SERVER)
        assert (info["state"], info["rearms_left"]) == ("licensed", 5), what
        machine.kill()
        machine.start()
        info = machine.info(demo.SERVER)
        assert (info["state"], info["rearms_left"]) == ("licensed", 5), what
    assert rearm(machine)["err"] == 0
    assert machine.info(demo.SERVER)["rearms_left"] == 4


def test_b38_what_cannot_be_put_back_is_unsure_and_written_later(machine):  # noqa
    """The disk fails for good with the second file of the rearm."""
    licensed(machine)
    old_cmid = cmid(machine)
    machine.bad("rename", "/muster/agent/", EIO, skip=1)
    reply = rearm(machine)
    assert reply["err"] == UNSURE and "unknown" in reply["message"]
    assert cmid(machine) != old_cmid
    info = machine.info(demo.SERVER)
    assert (info["state"], info["rearms_left"]) == ("licensed", 5)
    machine.good()
    machine.activate(demo.SERVER)
    machine.activate(demo.DESKTOP)
    assert cmid(machine) == old_cmid
    machine.kill()
    assert on_disk(machine) == OLD
