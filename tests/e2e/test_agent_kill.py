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

FEW = 3  # kills a scene, where not all of them are done


@pytest.fixture(scope="module")
def stage(tmp_path_factory):
    s = agent_scenes.Stage(str(tmp_path_factory.mktemp("kill")))
    yield s
    s.close()


def killed(scene, point, number):
    """A run that is ended as it begins this call; None: another call has
    that number, since starts are spread by chance."""
    m = scene.machine()
    old = agent_files.files(m.state())
    s = scene.run(m, "-e", f"inject={point.name}:signal=KILL:"
                  f"when={number}")
    if s.runs():
        s.stop()
        return None
    code, calls = s.wait(), s.calls()
    if agent_play.place(calls[-1]) != agent_play.place(point):
        return None
    assert code != 0 and not calls[-1].done
    return m, old, calls, s.begin_s


def either(shape):
    """Hosts are asked first at a moment that chance chooses, and the reference
    is one run: where it had not asked yet, this run may have, just now."""
    return [shape] + ([{**shape, "asked": "now"}] if "asked" in shape else [])


@pytest.mark.parametrize("name", SCENES)
def test_killed_at_each_file_operation(stage, name):
    scene = SCENES[name](stage)
    reference = agent_play.Reference(scene)
    outcomes = set()
    points = agent_play.sample(reference.points, name, FEW)
    for point in points:
        run = other = None
        for number in agent_play.numbers(point):
            run = killed(scene, point, number)
            if run is not None and agent_play.nth(run[2]) == point.nth:
                break
            other, run = run or other, None
        run = run or other  # at the same place, but another time
        assert run is not None, point
        m, old, calls, since = run
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
    if agent_play.ALL and not scene.at_start:
        assert {"old", "new"} <= outcomes
    print(f"{name}: {len(points)} of {len(reference.points)} calls")

