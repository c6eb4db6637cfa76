# SPDX-License-Identifier: MIT
"""Goal: kill -9 loses no answered request; the long loop is in test-long."""
import json
import os
import subprocess
import sys


def test_b4_kill_9_loses_no_answered_request():
    here = os.path.dirname(os.path.abspath(__file__))
    p = subprocess.run([sys.executable, os.path.join(here, "durability.py"),
                        "8", "100"], capture_output=True, text=True, timeout=120)
    assert p.returncode == 0, p.stdout + p.stderr
    result = json.loads(p.stdout)
    assert result["lost"] == 0 and result["answered"] > 8
    assert result["wrong_caches"] == 0
