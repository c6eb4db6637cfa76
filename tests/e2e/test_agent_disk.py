# SPDX-License-Identifier: MIT
"""Goal: a disk that is full or fails costs nothing but time: it is told, what
the agent says is what its files say, and the next event repairs it; and each
change of a file is on disk before anything is built on it."""
import errno
import os

import pytest

import agent_calls
import agent_files
import agent_play
import agent_scenes
import demo
from agent_files import Facts
from agent_scenes import SCENES

pytestmark = pytest.mark.bare

FEW = 1  # fault a scene, drawn anew each time
MANY = 16  # in the long test: there are some hundred, each costs a second
CAUSES = ("no space or no slot left", "system or storage failure",
          "right missing", "outcome unknown", "could not be synced")
FAULTS = {"openat": ("ENOSPC", "EROFS"), "write": ("ENOSPC", "EIO"),
          "fchmod": ("EIO",), "fsync": ("EIO", "ENOSPC"),
          "rename": ("ENOSPC", "EIO"), "mkdir": ("ENOSPC",),
          "unlink": ("EIO",)}


@pytest.fixture(scope="module")
def stage(tmp_path_factory):
    s = agent_scenes.Stage(str(tmp_path_factory.mktemp("disk")))
    yield s
    s.close()


def faults(reference):
    """Each call on a state file, with each error that it can have; each
    error is met in both ways that there are to go on."""
    return [(p, error, go_on) for p in reference.points
            if p.path != "lock" and not
            (p.name == "unlink" and ".new." in p.path)
            for error in FAULTS.get(p.name, ())
            for go_on in ("restart", "repeat")]


class Failed:
    """A scene in which one call fails."""

    def __init__(self, scene, fault):
        self.m = scene.machine()
        self.old = agent_files.files(self.m.state())
        self.s = scene.run(self.m, fault)
        self.told = self.s.said() + scene.said


def play(scene, point, error):
    for fault in agent_play.faults(point, getattr(errno, error)):
        run = Failed(scene, fault)
        if run.s.met():
            return run
        run.s.kill()
    raise AssertionError(f"no run came to {point}")


def look(scene, run):
    """What the running agent says, held against what products find: a grace
    may not be on disk yet, but that something is licensed is."""
    said = agent_scenes.status(run.m)
    for p, one in said[0].items():
        found = agent_scenes.check(run.m, p)
        # one that was generalized in part claims nothing any more
        assert (one["state"] == "licensed") == (found == "licensed") or \
            (isinstance(scene, agent_scenes.Generalize) and scene.code != 0 and
             one["state"] != "licensed"), p
    if scene.code == 0 and not scene.at_start:
        # what was said to be done is on disk
        scene.promised(Facts(run.old), Facts(agent_files.files(
            run.m.state())), said, run.s.begin_s)
    return said


@pytest.mark.parametrize("name", SCENES)
def test_a_write_that_fails_is_told_and_nothing_is_lost(stage, name):
    scene = SCENES[name](stage)
    reference = agent_play.Reference(scene)
    all_faults = faults(reference)
    chosen = agent_play.sample(all_faults, name, FEW, MANY)
    for point, error, go_on in chosen:
        try:
            fail(scene, point, error, go_on)
        except Exception:
            print(f"{name}: {error} of {point}, then {go_on}")
            raise
    print(f"{name}: {len(chosen)} of {len(all_faults)} faults")


def known(scene, one, since):
    """An answer that could not be written is asked for again, and what is
    seen first and could not be written is seen first again."""
    keys = agent_scenes.LICENCE if scene.hosts is None else one
    return {k: one[k] if k != "first_seen" else min(one[k], since)
            for k in keys}


def fail(scene, point, error, go_on):
    run = play(scene, point, error)
    m, was, since = run.m, Facts(run.old), run.s.begin_s
    assert [c for c in CAUSES if c in run.told], run.told
    runs = run.s.runs()
    assert runs or scene.once or scene.at_start
    # what was written after all, before it ended, is no failure
    assert not scene.once or scene.code != 0 or \
        "all of it is written" in run.told
    said = look(scene, run) if runs else None
    if runs and not scene.at_start and go_on == "repeat":
        if scene.is_counted:  # what may have been done is done once more
            scene.rearms = 6 - said[0][demo.SERVER]["rearms_left"]
        if scene.code != 0 or not scene.is_counted:
            agent_play.repeat(scene, m, was, since)
        scene.rearms = 1
        run.s.stop()
        return
    run.s.stop()
    now, after = agent_play.restarted(scene, m)
    outcome = scene.judge(was, now, after, since)
    if said is not None and not isinstance(scene, agent_scenes.Generalize):
        for p, one in said[0].items():
            assert known(scene, after[0][p], since) == \
                known(scene, one, since)
        if scene.hosts == ():
            assert after[1] == said[1]
    if "nothing was changed" in scene.said:
        assert outcome == "old"
    if scene.code == 0 and (scene.is_counted or scene.once):
        assert outcome == "new"
    agent_play.complete(scene, m, was, since, outcome)


@pytest.mark.parametrize("call", ["write", "fsync", "rename"])
def test_a_first_lease_that_cannot_be_written_is_written_again(stage, call):
    """It alone: the agent does not say what the product does not find."""
    scene = agent_scenes.Activate(stage)
    reference = agent_play.Reference(scene)
    lease = f"leases/{demo.SERVER}.lease"
    point, = [p for p in reference.points if p.name == call and
              p.place[1] == lease]
    run = play(scene, point, "ENOSPC")
    assert scene.code != 0 and "no space" in scene.said, scene.said
    assert not os.path.exists(run.m.state(lease))
    look(scene, run)
    code, said = scene.act(run.m)  # within ten seconds: the hosts rest
    assert code == 0, said
    assert agent_scenes.check(run.m, demo.SERVER) == "licensed"
    assert os.path.exists(run.m.state(lease))
    run.s.stop()


# ---- the order of calls ----

KINDS = {
    "activate": {"publishers/", "products/", "leases/lease", "leases/view",
                 "clock.state"},
    "renewal of --once": {"publishers/", "products/", "leases/lease",
                          "leases/view", "clock.state"},
    "set-host": {"settings.state"},
    "install-key": {"keys/", "products/", "leases/view"},
    "rearm": {"publishers/", "products/", "leases/view", "-leases/lease"},
    "generalize": {"publishers/", "products/", "leases/view",
                   "-leases/lease"},
    "start with a credential": {"instance"},
}


def kind(name):
    folder, _, base = name.rpartition("/")
    if folder == "leases":
        return "leases/" + base.rpartition(".")[2]
    return folder + "/" if folder else base


def is_synced(calls, i, name):
    """Next, and before anything else, the folder that holds it."""
    folder = os.path.dirname(name) or "."
    got = [(c.name, c.path, c.done) for c in calls[i + 1:i + 3]]
    return got == [("openat", folder, True), ("fsync", folder, True)]


@pytest.mark.parametrize("name", KINDS)
def test_write_sync_rename_sync_of_the_folder(stage, name):
    scene = SCENES[name](stage)
    m = scene.machine()
    old = agent_files.files(m.state())
    s = scene.run(m)
    assert scene.code in (None, 0), scene.said
    s.stop()
    calls, seen = s.calls(), set()
    for i, c in enumerate(calls):
        if c.path is None or not c.done:
            continue
        if c.name == "rename":
            last = max([0] + [k for k in range(i) if calls[k].path == c.path
                              and calls[k].name == "rename"])
            before = [b for b in calls[last:i] if b.path == c.path and b.done
                      and b.name != "rename"]
            assert [b.name for b in before] == \
                ["openat", "write", "fchmod", "fsync"], (c.to, before)
            assert "O_EXCL" in before[0].flags
            assert is_synced(calls, i, c.to), (c.to, calls[i + 1:i + 3])
            seen.add(kind(c.to))
        elif c.name == "unlink":
            assert ".new." not in c.path  # none is left behind
            assert is_synced(calls, i, c.path), (c, calls[i + 1:i + 3])
            seen.add("-" + kind(c.path))
    assert seen >= KINDS[name], KINDS[name] - seen
    # nothing but a rename or a removal made the folder what it is
    assert agent_calls.after(calls, old) == agent_files.files(m.state())


def test_the_kinds_are_those_of_the_document():
    with open(os.path.join(demo.REPO, "doc/client.md")) as f:
        names = [line.split("`")[1] for line in f
                 if line.startswith("| `") and "| 06" in line]
    assert "lock" in names
    named = {kind(n) for n in names if n != "lock"}
    assert named == {k for kinds in KINDS.values() for k in kinds
                     if k[0] != "-"}


def test_the_cmid_is_on_disk_before_a_byte_leaves(stage):
    scene = agent_scenes.FirstOnce(stage)
    s = scene.run(scene.machine())
    assert scene.code == 0
    calls = s.calls()
    sent = next(i for i, c in enumerate(calls) if c.name == "sendto")
    kept = next(i for i, c in enumerate(calls) if c.name == "rename" and
                c.to.startswith("publishers/"))
    assert kept + 2 < sent and is_synced(calls, kept, calls[kept].to)
