# SPDX-License-Identifier: MIT
"""Scenes played: undisturbed, as a measure for the others; what a machine is
like at its next start; and what was cut short, done again."""
import collections
import os
import random
import time

import agent
import agent_calls
import agent_files
import agent_scenes
import demo
from agent_files import Facts

STEP = int(os.environ.get("MUSTER_STEP", "0"))  # 1: all; N: a part in N; 0: few
SEED = int(os.environ.get("MUSTER_SEED", str(random.randrange(1 << 32))))
DAMAGES = ("damaged", "cannot", "system or storage failure", "right missing")


def sample(points, name, few, many=None):
    """A few by chance; in the long tests a part, many, or every one.  The seed
    finds them again."""
    print(f"MUSTER_SEED={SEED} MUSTER_STEP={STEP}")
    assert len(points) >= 6
    n = max(few, -(-(many or len(points)) // STEP)) if STEP else few
    return points if n >= len(points) else \
        random.Random(f"{SEED} {name}").sample(points, n)


class Reference:
    """A scene that nothing disturbed: its calls, and each version of each
    file, by what it says."""

    def __init__(self, scene):
        m = scene.machine()
        old = agent_files.files(m.state())
        s = scene.run(m)
        assert scene.code in (None, 0), scene.said
        s.stop()
        calls = s.calls()
        start = next((i for i, c in enumerate(calls) if c.name == "write" and
                      agent_calls.LISTENING in c.texts[-1]), 0)
        seen = collections.Counter()
        for c in calls:
            if c.changes:
                seen[c.place] += 1
                c.nth = seen[c.place]
        self.points = [c for i, c in enumerate(calls) if c.changes and
                       (c.done or c.name != "unlink") and
                       (scene.at_start or scene.once or i > start)]
        self.shapes = {}
        span = s.begin_s, int(time.time()) + 1
        for n, data in {**old, "lock": b""}.items():
            self.add(n, data, old, span)
        for i, c in enumerate(calls):
            if c.name == "rename" and c.path is not None:
                self.add(c.to, agent_calls.after(calls[:i + 1], old)[c.to],
                         old, span)
        assert agent_calls.after(calls, old) == agent_files.files(m.state())

    def add(self, name, data, old, span):
        one = agent_files.shape(name, data, old.get(name), span)
        self.shapes.setdefault(kind(name), [])
        if one not in self.shapes[kind(name)]:
            self.shapes[kind(name)].append(one)


def kind(name):
    """Publisher or product apart: which of two products a machine that
    starts asks for first is chance."""
    folder, _, base = name.rpartition("/")
    return f"{folder}/*.{base.rpartition('.')[2]}" if folder else base


def faults(point, end=0):
    """How often a file is written is chance in part: a run may come to its
    place fewer times than the reference did."""
    for nth in (*[point.nth] * 3, *range(point.nth - 1, 0, -1)):
        yield agent_calls.Fault(point.place, nth, end)


def restarted(scene, m):
    """The machine's agent after its next start, with nobody to be asked:
    what it says, the files, and what the products find by themselves."""
    m.hosts([])
    begin = os.path.getsize(m.log)
    m.start(wrap=agent.AS_ROOT, env=scene.env(m))
    said = agent_scenes.status(m)
    for p, one in said[0].items():
        assert one["state"] == agent_scenes.check(m, p), p
    end = time.monotonic() + agent.WAIT_S  # it may be writing just now
    while agent_files.temporaries(m.state()) and time.monotonic() < end:
        time.sleep(0.05)
    assert agent_files.temporaries(m.state()) == []
    m.kill()
    with open(m.log) as f:
        f.seek(begin)
        log = f.read()
    assert not [word for word in DAMAGES if word in log], log
    now = Facts(agent_files.files(m.state()))
    for p, one in said[0].items():
        assert one["rearms_left"] == 5 - now.products[p]["rearms"]
        assert one["first_seen"] == now.products[p]["first_seen"]
    return now, said


def complete(scene, m, was, since, outcome):
    """What was cut short can be done again, and then it is done."""
    if scene.at_start or (outcome == "new" and scene.is_counted):
        return
    if scene.hosts is None:
        m.hosts([f"127.0.0.1:{m.site.port}"])
    m.start(wrap=agent.AS_ROOT)
    if isinstance(scene, agent_scenes.Activate):
        answer(scene, m)
    else:
        repeat(scene, m, was, since)
    m.kill()


def answer(scene, m):
    """A host answers, and both products' files are new."""
    code, said = scene.act(m)
    assert code == 0, said
    settled(scene, m)
    assert agent_scenes.check(m, demo.SERVER) == "licensed"


def repeat(scene, m, was, since):
    """By the agent that runs."""
    if isinstance(scene, agent_scenes.Activate):
        settled(scene, m)
        return
    code, said = scene.act(m)
    assert code == 0, said
    scene.event(m)
    said = agent_scenes.status(m)
    for p, one in said[0].items():
        assert one["state"] == agent_scenes.check(m, p), p
    now = Facts(agent_files.files(m.state()))
    scene.promised(was, now, said, since)
    if not isinstance(scene, agent_scenes.Generalize):
        assert scene.judge(was, now, said, since) == "new"


def settled(scene, m):
    """Whoever asks again within ten seconds asks no host (b37); but what the
    agent says is then on disk, of each product that is asked for."""
    for _ in range(3):
        scene.act(m)
        for p in agent_scenes.status(m)[0]:
            agent_scenes.tell(m, "activate", p)
        said = agent_scenes.status(m)
        now = Facts(agent_files.files(m.state()))
        wrong = [(p, key) for p, one in said[0].items()
                 for key in ("count", "first_seen", "answered")
                 if now.products.get(p, {}).get(key) != one[key]]
        if not wrong:
            break
        time.sleep(1.1)  # the high water is kept in seconds
    assert not wrong, wrong
    # a CMID that a host has seen is on disk: none counts twice
    assert scene.stage.cmids() - scene.before <= (scene.template is None)
    for p, one in said[0].items():
        assert one["state"] == agent_scenes.check(m, p), p
