# SPDX-License-Identifier: MIT
"""Goal: kill -9 loses no answered request; the long loop is in test-long."""
import json
import os
import subprocess
import sys

import durability


def test_b4_kill_9_loses_no_answered_request():
    here = os.path.dirname(os.path.abspath(__file__))
    p = subprocess.run([sys.executable, os.path.join(here, "durability.py"),
                        "8", "100"], capture_output=True, text=True, timeout=480)
    assert p.returncode == 0, p.stdout + p.stderr
    result = json.loads(p.stdout)
    assert result["lost"] == 0 and result["answered"] > 8
    assert result["wrong_caches"] == 0


def test_b3_the_judge_of_the_cache_can_tell():
    """Sixty requests one after another: only the last fifty may be held; of
    two that were open at once, either may be the later."""
    load = durability.Load(0, [bytes([n]) * 16 for n in range(60)])
    for n, c in enumerate(load.cmids):
        load.sent_ns[c], load.answered_ns[c] = 10 * n, 10 * n + 5
        load.answered.append(c)
    known = {c.hex() for c in load.cmids}

    def right(held):
        return durability.cache_is_right(held, known, load, 0)

    last = load.cmids[:9:-1]
    assert len(last) == 50 and right(last)
    other = last[:-1] + [load.cmids[9]]
    assert not right(other) and not right(last[:-1])
    load.answered_ns[load.cmids[9]] = load.sent_ns[load.cmids[10]] + 1
    assert right(last) and right(other)
    assert not right(last[:-1] + [load.cmids[8]])
