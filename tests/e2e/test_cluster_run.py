# SPDX-License-Identifier: MIT
"""Goal: four hosts with one count, under a load and under faults of hosts,
servers and links, say and leave nothing that history.py finds impossible (b11).
In small; `./dev test-long cluster` has 100,000 activations and 200 faults."""
import collections
import secrets
import types

import cluster_load
import cluster_run
import wire
from history import LOST, OK


def test_b11_nothing_impossible_is_seen_under_faults():
    seed = secrets.randbits(31)
    said, bad = cluster_run.play(
        600, 80, 5, seed,
        ("host_kill", "answer_lost", "commit_lost", "stall", "promote"))
    assert bad == [], f"seed {seed}"
    assert " 1 promotions; " in said, said
    assert " 0 determined to be in" not in said, said


def test_b11_only_what_is_cut_off_is_no_answer():
    """Whole, and no reply, is not taken for a killed host's."""
    bad = wire.record(bytes(32))
    for n in range(len(bad)):
        assert cluster_load.judge(bad[:n]) == (LOST, 0)
    assert cluster_load.judge(bad)[0].startswith("no reply but ")
    good = wire.record(wire.struct.pack(">8I", 7, 1, 0, 0, 0, 0, 0, 12))
    assert cluster_load.judge(good) == (OK, 12)
    assert cluster_load.judge(good + good)[0].startswith("no reply but ")


def test_b11_a_run_that_met_nothing_is_no_good_run():
    ask = types.SimpleNamespace(status=LOST)
    faults = collections.Counter(cluster_run.FAULTS)
    run = types.SimpleNamespace(real=[ask], faults=faults)
    said = {"answered": 1, "leases": 0, "no_lease": 1}
    del faults["stall"]
    assert list(cluster_run.lacking(run, said, cluster_run.FAULTS)) == [
        "no fault: stall", "nothing of: leases", "no real client was answered"]
    faults["stall"], ask.status, said["leases"] = 1, OK, 1
    assert list(cluster_run.lacking(run, said, cluster_run.FAULTS)) == []
