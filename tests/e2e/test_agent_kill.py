# SPDX-License-Identifier: MIT
"""Goal: whatever the agent is doing when it is ended, each of its files is the
old or the new one, all of them together are, and the next start goes on."""
import time

import pytest

import agent_calls
import agent_files
import agent_play
import agent_scenes
from agent_files import Facts
from agent_play import kind
from agent_scenes import SCENES

pytestmark = pytest.mark.bare

FEW = 2  # kills a scene, where not all of them are done


@pytest.fixture(scope="module")
def stage(tmp_path_factory):
    s = agent_scenes.Stage(str(tmp_path_factory.mktemp("kill")))
    yield s
    s.close()


def killed(scene, point):
    """A run that is ended before it begins this call."""
    for fault in agent_play.faults(point):
        m = scene.machine()
        old = agent_files.files(m.state())
        s = scene.run(m, fault)
        if s.met():
            assert s.wait() != 0
            return m, old, s.calls(), s.begin_s
        s.kill()
    raise AssertionError(f"no run came to {point}")


def either(shape):
    """Hosts are asked first at a moment that chance chooses, and the reference
    is one run: where it had not asked yet, this run may have, just now; and
    what is due in less than a minute may be due in this second."""
    all = [shape] + ([{**shape, "asked": "now"}] if "asked" in shape else [])
    return all + [{**s, "due": due} for s in all for due in ("now", "later")
                  if s.get("due") in ("now", "later")]


def hexed(text):
    return "".join(f"\\x{b:02x}" for b in text.encode())


def test_a_call_that_another_thread_comes_between_is_one(tmp_path):
    temp, new = hexed("/s/leases/a.lease.new.7"), hexed("/s/leases/a.lease")
    created = f'openat(AT_FDCWD</s>, "{temp}", O_WRONLY|O_CREAT|O_EXCL, 0600'
    written = f'write(4<{temp}>, "{hexed("lease")}", 5'
    (tmp_path / "calls").write_text(
        f"7 {created} <unfinished ...>\n"
        f'8 write(9<pipe:[1]>, "{hexed("x")}", 1) = 1\n'
        f"7 <... openat resumed>)   = 4<{temp}>\n"
        f"7 {written} <unfinished ...>\n"
        "8 sendto(9, 0, 0, 0, 0, 0 <unfinished ...>\n"
        "7 <... write resumed>)     = 5\n"
        "8 <... sendto resumed>)    = 0\n"
        f'7 rename("{temp}", "{new}") = 0\n'
        f"7 {created} <unfinished ...>\n"
        "7 +++ killed by SIGKILL +++\n")
    calls = agent_calls.parse(tmp_path / "calls", "/s")
    assert [(c.name, c.done) for c in calls] == [
        ("openat", True), ("write", True), ("rename", True),
        ("openat", False)]
    assert agent_calls.after(calls, {}) == {"leases/a.lease": b"lease"}


@pytest.mark.parametrize("name", SCENES)
def test_killed_at_each_file_operation(stage, name):
    scene = SCENES[name](stage)
    reference = agent_play.Reference(scene)
    outcomes = set()
    points = agent_play.sample(reference.points, name, FEW)
    for point in points:
        m, old, calls, since = killed(scene, point)
        try:
            # byte for byte what the calls before made of it, by rename alone
            torn = agent_files.files(m.state())
            assert torn == agent_calls.after(calls, old)
            # and each file says what a whole version of it says
            span = since, int(time.time()) + 1
            for n, data in torn.items():
                assert agent_files.shape(n, data, old.get(n), span) in \
                    [e for s in reference.shapes[kind(n)]
                     for e in either(s)], n
            was = Facts(old)
            now, said = agent_play.restarted(scene, m)
            outcome = scene.judge(was, now, said, since)
            outcomes.add(outcome)
            agent_play.complete(scene, m, was, since, outcome)
        except AssertionError:
            print(f"{name}: killed at {point}")
            raise
    if agent_play.STEP == 1 and not scene.at_start:
        assert {"old", "new"} <= outcomes
    print(f"{name}: {len(points)} of {len(reference.points)} calls")

