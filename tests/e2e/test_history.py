# SPDX-License-Identifier: MIT
"""Goal: the checker of histories finds each kind of wrong one, and lets the
right one pass; only so does its silence about a run mean something."""
import random

import pytest

import history
from history import BUSY, LOST, OK, Ask, Cut, History, Product

PRODUCTS = {"large": Product(1, 3), "small": Product(1, 1),
            "other": Product(2, 2)}


def right():
    """Nine machines ask, each later than the one before; then some renew.
    Group 1 has six places, group 2 four."""
    asks, at = [], 0.0
    for n in range(1, 10):
        asks.append(Ask(n % 2, f"m{n}", "large", at, at + 0.5, OK,
                        min(n, 6), n >= 3))
        at += 1
    for n in (1, 2):  # while they renew, an answer is lost on its way
        asks.append(Ask(0, f"m{n}", "large", at, at + 0.5, BUSY, 0))
        asks.append(Ask(1, f"m{n}", "large", at + 0.6, at + 0.9, OK, 6, True))
        at += 1
    asks.append(Ask(0, "m3", "other", at, at + 0.5, OK, 1, False))
    inventory = {(f"m{n}", "large"): 1 for n in range(1, 10)}
    inventory["m1", "large"] = 3
    inventory["m2", "large"] = 2
    inventory["m3", "other"] = 1
    return History(PRODUCTS, asks, [Cut(9.2, 0, ["m1"])],
                   {1: ["m6", "m7", "m8", "m9", "m1", "m2"], 2: ["m3"]},
                   inventory)


def changed(h, i, **fields):
    h.asks[i] = h.asks[i]._replace(**fields)
    return h


def test_a_right_history_passes():
    assert history.check(right()) == []
    said = history.figures(right())
    assert said["answered"] == 12 and said["busy"] == 2
    assert said["surely_in"] == 7 and said["surely_out"] == 3


def status_of_another_kind(h):
    changed(h, 9, status="refused")


def lost_from_inventory(h):
    del h.inventory["m4", "large"]


def an_answer_is_lost_from_inventory(h):
    h.inventory["m2", "large"] = 1


def counted_more_often_than_asked(h):
    h.inventory["m5", "large"] = 2


def inventory_of_nobody(h):
    h.inventory["m99", "large"] = 1


def latest_not_in_cache(h):
    h.caches[1].remove("m9")


def old_one_in_cache(h):
    h.caches[1][0] = "m4"


def cache_of_nobody(h):
    h.caches[1][0] = "m99"


def cache_too_large(h):
    h.caches[1].insert(0, "m5")


def cache_has_one_twice(h):
    h.caches[1][0] = "m7"


def cache_in_another_order(h):
    h.caches[1][0:2] = ["m7", "m6"]


def cache_is_empty(h):
    h.caches.clear()


def count_above_those_who_asked(h):
    changed(h, 3, count=5)


def count_above_capacity(h):
    changed(h, 8, count=7)


def count_below_those_who_stood_there(h):
    changed(h, 6, count=4)


def a_count_of_its_own(h):
    """Of a host that counted alone."""
    changed(h, 12, count=1)


def lease_below_threshold(h):
    changed(h, 1, leased=True)


def no_lease_at_threshold(h):
    changed(h, 2, leased=False)


def unknown_is_answered(h):
    changed(h, 9, status=OK, count=6)


@pytest.mark.parametrize("plant, rule", [
    (status_of_another_kind, "status: "),
    (lost_from_inventory, "inventory: ('m4', 'large') was answered, and is"),
    (an_answer_is_lost_from_inventory,
     "inventory: ('m2', 'large') has 1 contacts; 2 were"),
    (counted_more_often_than_asked,
     "inventory: ('m5', 'large') has 2 contacts; 1 asked"),
    (inventory_of_nobody, "inventory: ('m99', 'large') never asked"),
    (latest_not_in_cache, "cache of group 1: m9 is among the latest"),
    (old_one_in_cache, "cache of group 1: m4 is there"),
    (cache_of_nobody, "cache of group 1: m99 never asked"),
    (cache_too_large, "cache of group 1: 7 records"),
    (cache_has_one_twice, "cache of group 1: a CMID stands there twice"),
    (cache_in_another_order, "cache of group 1: m6 stands behind"),
    (cache_is_empty, "cache of group 2: m3"),
    (count_above_those_who_asked, "count: m4 was told 5"),
    (count_above_capacity, "count: m9 was told 7"),
    (count_below_those_who_stood_there, "count: m7 was told 4"),
    (a_count_of_its_own, "count: m2 was told 1"),
    (lease_below_threshold, "threshold: m2 has a lease"),
    (no_lease_at_threshold, "threshold: m3 has no lease"),
    (unknown_is_answered, "unknown: host 0 told m1 OK"),
])
def test_a_wrong_history_is_found(plant, rule):
    h = right()
    plant(h)
    bad = history.check(h)
    assert [b for b in bad if b.startswith(rule)], bad


def test_what_is_not_determined_is_not_held_against_anybody():
    """Two that asked at once may stand in either order; one whose answer was
    lost may be there or not; an unanswered one may have taken a place."""
    h = right()
    changed(h, 8, begin=7.1)
    h.caches[1][2:4] = ["m9", "m8"]
    h.asks.append(Ask(0, "m5", "large", 11, 12, LOST, 0))
    assert history.check(h) == []
    h.caches[1][:] = ["m7", "m9", "m8", "m1", "m2", "m5"]
    h.inventory["m5", "large"] = 2
    assert history.check(h) == []


def test_who_was_told_busy_may_be_counted_later():
    """Behind one that asked after that, for LATE_S and no longer."""
    h = right()
    h.asks.append(Ask(0, "m4", "large", 20, 20.5, BUSY, 0))
    h.asks.append(Ask(1, "m5", "large", 21, 21.5, OK, 6, True))
    h.inventory["m4", "large"] = h.inventory["m5", "large"] = 2
    h.caches[1][:] = ["m8", "m9", "m1", "m2", "m5", "m4"]
    assert history.check(h) == []
    late = history.LATE_S
    changed(h, -1, begin=21 + late, end=21.5 + late)
    assert history.check(h) == [
        "cache of group 1: m4 stands behind one that came later"]


def play(rng):
    """A correct cluster in a few lines, whose answers are sometimes lost."""
    cache, inventory, asks, at, raised = {1: [], 2: []}, {}, [], 0.0, {}
    for _ in range(300):
        cmid, name = f"m{rng.randrange(12)}", rng.choice(list(PRODUCTS))
        group, threshold = PRODUCTS[name]
        lands = rng.random() < 0.9
        told = lands and rng.random() < 0.9
        if lands:
            raised[group] = max(raised.get(group, 0), 2 * threshold)
            c = cache[group]
            if cmid in c:
                c.remove(cmid)
            c.append(cmid)
            del c[:-raised[group]]
            inventory[cmid, name] = inventory.get((cmid, name), 0) + 1
        count = len(cache[group])
        asks.append(Ask(0, cmid, name, at, at + rng.random() * 3,
                        OK if told else BUSY, count if told else 0,
                        count >= threshold if told else None))
        at += 3
    return History(PRODUCTS, asks, [], cache, inventory)


def test_a_cluster_that_is_right_is_never_accused():
    seed = random.randrange(1 << 32)
    rng = random.Random(seed)
    for _ in range(50):
        assert history.check(play(rng)) == [], f"seed {seed}"
