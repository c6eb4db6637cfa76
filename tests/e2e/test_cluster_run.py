# SPDX-License-Identifier: MIT
"""Goal: four hosts with one count, under a load and under faults of hosts,
servers and links, say and leave nothing that history.py finds impossible (b11).
In small; `./dev test-long cluster` has 25,000 activations and 50 faults."""
import collections
import json
import secrets
import tempfile
import types

import pytest

import cluster_leases
import cluster_load
import cluster_run
import wire
from history import LOST, OK, Ask


def test_b11_nothing_impossible_is_seen_under_faults():
    seed = secrets.randbits(31)
    said, bad, lacks = cluster_run.play(
        600, 80, 6, seed,
        ("host_kill", "answer_lost", "commit_lost", "stall", "standby_cut",
         "promote"))
    assert (bad, lacks) == ([], []), f"seed {seed}"
    assert " 1 promotions; 1 looks while all stood still; " in said, said
    assert " 0 determined to be in" not in said, said


def test_b11_only_what_is_cut_off_is_no_answer():
    """Whole, and no reply, is not taken for a killed host's."""
    bad = wire.record(bytes(32))
    for n in range(len(bad)):
        assert cluster_load.judge(bad[:n]) == (LOST, 0, b"")
    assert cluster_load.judge(bad)[0].startswith("no reply but ")
    good = wire.record(wire.struct.pack(">8I", 7, 1, 0, 0, 0, 0, 0, 12))
    assert cluster_load.judge(good)[:2] == (OK, 12)
    assert cluster_load.judge(good + good)[0].startswith("no reply but ")


def test_b11_a_run_that_met_nothing_is_no_good_run():
    ask = types.SimpleNamespace(status=LOST)
    faults = types.SimpleNamespace(
        done=collections.Counter(cluster_run.FAULTS),
        felt=collections.Counter(cluster_run.TO_FEEL))
    judge = types.SimpleNamespace(n_forms={0: 1, 1: 0})
    run = types.SimpleNamespace(real=[ask], faults=faults, judge=judge)
    said = {"answered": 1, "leases": 0, "no_lease": 1}
    del faults.done["stall"], faults.felt["read_only"]
    assert list(cluster_run.lacking(run, said, cluster_run.FAULTS)) == [
        "no fault: stall", "nobody felt: read_only", "nothing of: leases",
        "no lease of form 1 was verified", "no real client was answered"]
    faults.done["stall"] = faults.felt["read_only"] = 1
    ask.status, said["leases"], judge.n_forms[1] = OK, 1, 1
    assert list(cluster_run.lacking(run, said, cluster_run.FAULTS)) == []


@pytest.fixture(scope="module")
def still():
    """A run without faults that stands still after 300 activations."""
    with tempfile.TemporaryDirectory(prefix="m.run.", dir="/tmp") as folder:
        run = cluster_run.Run(folder, 300, 40, 0, 1)
        try:
            run.same_s = 20
            run.start_load()
            run.wait_load(300)
            run.stop_all()
            assert run.look_still() == []
            run.same_s = 0  # what is planted is there at once
            run.servers.primary.sql(
                "CREATE TABLE muster.was AS TABLE muster.cache")
            yield run
            run.go_on()
            run.stop_load()
        finally:
            run.close()


def test_b34_an_answer_that_makes_no_good_lease_is_found(still):
    with open(still.history) as f:
        *fields, lease = next(x for x in map(json.loads, f) if x[-1])
    ask, lease = Ask(*fields), bytes.fromhex(lease)

    def wrong(lease, ask=ask):
        answer, issued = still.judge.judge(
            lease, cluster_run.IDS[ask.product], bytes.fromhex(ask.cmid))
        return [*cluster_leases.what_is_wrong(
            ask, answer, issued, still.products[ask.product].threshold,
            still.wall)]

    assert wrong(lease) == []
    count_at = 16 + int.from_bytes(lease[12:16], "big")
    for at in (40, count_at + 3, count_at + 11, count_at + 30, len(lease) - 90):
        bad = wrong(lease[:at] + bytes([lease[at] ^ 1]) + lease[at + 1:])
        assert bad and bad[0].startswith("does not hold: "), (at, bad)
    more = ask._replace(count=ask.count + 1)
    assert wrong(lease, more)[0].startswith("says ")
    late = ask._replace(begin=ask.begin + 60, end=ask.end + 60)
    assert wrong(lease, late)[0].startswith("is of ")


LATEST = ("WHERE grp = 2 AND seq = (SELECT max(seq) FROM muster.cache "
          "WHERE grp = 2)")
SOME = "WHERE ctid = (SELECT min(ctid) FROM muster.client)"
CACHE_BACK = "TRUNCATE muster.cache; INSERT INTO muster.cache TABLE muster.was"


@pytest.mark.parametrize("plant, undo, rules", [
    (f"DELETE FROM muster.cache {LATEST}", CACHE_BACK,
     ("cache of group 2: ", " is among the latest, and is not there",
      "host 0: group 2: shows count 24, not 23",
      "host 3: group 2: who asks for render is told 24, not 23")),
    (f"UPDATE muster.cache SET cmid = gen_random_uuid() {LATEST}", CACHE_BACK,
     (" never asked",)),
    (f"INSERT INTO muster.cache SELECT publisher, grp, cmid, 0, seen "
     f"FROM muster.cache {LATEST}", CACHE_BACK,
     ("cache of group 2: a CMID stands there twice",
      "cache of group 2: 25 records, there is room for 24")),
    (f"UPDATE muster.client SET contacts = contacts + 1000 {SOME}",
     "UPDATE muster.client SET contacts = contacts - 1000 "
     "WHERE contacts > 1000", (" contacts; ", " asked")),
    ("UPDATE muster.client SET cmid = gen_random_uuid()",
     None, (" was answered, and is not there", " never asked")),
    # the hosts read it, and are of one mind with it: only who asked is not
    ("DELETE FROM muster.cache; UPDATE muster.grp SET epoch = epoch + 1",
     None, ("cache of group 1: ", "cache of group 3: ",
            "is among the latest, and is not there")),
])
def test_b11_a_wrong_row_is_found_while_all_stand_still(still, plant, undo,
                                                        rules):
    still.servers.primary.sql(plant)
    bad = still.look_still()
    for rule in rules:
        assert [b for b in bad if rule in b], bad
    if undo is not None:
        still.servers.primary.sql(undo)
        assert still.look_still() == []
