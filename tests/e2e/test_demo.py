# SPDX-License-Identifier: MIT
"""Goal: what a stranger sees with ./dev demo is what the rules say."""
import json
import os
import subprocess

from conftest import REPO


def test_b1_b31_demo_counts_and_thresholds():
    out = subprocess.run(["sh", os.path.join(REPO, "tools/demo.sh"), "--json"],
                         capture_output=True, text=True, timeout=240)
    assert out.returncode == 0, out.stderr
    answers = [json.loads(line) for line in out.stdout.splitlines()]
    assert [a["n"] for a in answers] == list(range(1, len(answers) + 1))
    # first contacts, the kill -9 after the 13th among them
    assert [a["count"] for a in answers[:26]] == list(range(1, 27))
    # those that come back are counted already
    assert len(answers) > 26
    assert {a["count"] for a in answers[26:]} == {26}
    for a in answers:
        assert a["threshold"] == {"desktop": 25, "server": 5}[a["class"]]
        assert a["activated"] == (a["count"] >= a["threshold"])
    assert sum(a["activated"] for a in answers) == 26
