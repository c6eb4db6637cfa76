# SPDX-License-Identifier: MIT
"""Is what hosts with one count said, and what they left behind, possible?

Pure: a history in, sentences out.  An ask that was answered OK took its place
in the cache at some moment between its begin and its end.  Any other may have
done so, and up to LATE_S later: whoever got no answer may have left a host that
goes on for a while, and who is told BUSY may be of a batch that was given up
(b11), which the store still has.  Only what follows from this is held against
the hosts."""
import bisect
from collections import Counter, defaultdict, namedtuple

# a host connects and commits within 10 s, after 12 s for which it was stopped;
# and the machine is busy
LATE_S = 25.0
OK, BUSY, LOST = "ok", "busy", "lost"

# leased: what a real client made of the answer; None: nobody judged it
Ask = namedtuple("Ask", "host cmid product begin end status count leased",
                 defaults=(None,))
# a link cut between COMMIT and its answer: whom the transaction was about
Cut = namedtuple("Cut", "at host cmids")
Product = namedtuple("Product", "group threshold")
# products: by name; caches: per group CMIDs from the oldest; inventory:
# contacts by (cmid, product)
History = namedtuple("History", "products asks cuts caches inventory")


def latest(ask):
    return ask.end + (0 if ask.status == OK else LATE_S)


class Group:
    """The asks of one counting group, by what they prove."""

    def __init__(self, history, number):
        of = history.products
        self.number = number
        self.asks = [a for a in history.asks if of[a.product].group == number]
        self.thresholds = {n: p.threshold for n, p in of.items()
                           if p.group == number}
        self.begun = {}  # product: when it was first asked for
        self.first = {}  # cmid: begin of its first ask
        self.sure, self.may = {}, {}  # cmid: its last place, at least, at most
        for a in self.asks:
            keep(self.begun, a.product, a.begin, min)
            keep(self.first, a.cmid, a.begin, min)
            keep(self.may, a.cmid, latest(a), max)
            if a.status == OK:
                keep(self.sure, a.cmid, a.begin, max)
        self.capacity = 2 * max((self.thresholds[p] for p in self.begun),
                                default=0)
        # from here on the cache has all its places
        self.full_from = min(
            (a.end for a in self.asks if a.status == OK and
             2 * self.thresholds[a.product] == self.capacity),
            default=float("inf"))
        self.placed = {}  # as `sure`, among all places that will ever be
        for a in self.asks:
            if self.is_placed(a):
                keep(self.placed, a.cmid, a.begin, max)
        self.first_sorted = sorted(self.first.values())
        self.counted = sorted(self.certainly_counted().values())

    def is_placed(self, a):
        """Only the latest that the cache can ever hold push it out again."""
        return a.status == OK and (
            a.begin >= self.full_from or
            2 * self.thresholds[a.product] == self.capacity)

    def certainly_counted(self):
        """cmid: since when it is in the cache or was pushed out of it."""
        since = {}
        for a in self.asks:
            if self.is_placed(a):
                keep(since, a.cmid, a.end, min)
        return since

    def capacity_at(self, at):
        return 2 * max((self.thresholds[p] for p, begun in self.begun.items()
                        if begun <= at), default=0)


def keep(table, key, value, better):
    table[key] = better(table[key], value) if key in table else value


def check_statuses(history):
    """An answer is OK, BUSY, or none."""
    for a in history.asks:
        if a.status not in (OK, BUSY, LOST):
            yield f"status: {a.cmid} was told {a.status} by host {a.host}"


def check_cuts(history):
    """Of unknown outcome is BUSY."""
    by = defaultdict(list)
    for a in history.asks:
        by[a.host, a.cmid].append(a)
    for cut in history.cuts:
        for cmid in cut.cmids:
            for a in by[cut.host, cmid]:
                if a.begin <= cut.at <= a.end and a.status == OK:
                    yield (f"unknown: host {a.host} told {cmid} OK, and could "
                           "not know")


def check_counts(history, group):
    """No more than had asked, nor than there is room for; no less than those
    who certainly stood there."""
    since = group.certainly_counted()
    for a in group.asks:
        if a.status != OK:
            continue
        asked = bisect.bisect_right(group.first_sorted, a.end)
        most = min(asked, group.capacity_at(a.end))
        if a.count > most:
            yield (f"count: {a.cmid} was told {a.count} by host {a.host}; "
                   f"{asked} had asked, {most} can be")
        if not group.is_placed(a):
            continue
        stood = bisect.bisect_left(group.counted, a.begin)
        stood += not since[a.cmid] < a.begin
        if a.count < min(stood, group.capacity):
            yield (f"count: {a.cmid} was told {a.count} by host {a.host}; "
                   f"{stood} stood there")


def check_leases(history):
    """A lease at the threshold and above, none below."""
    for a in history.asks:
        if a.leased is None or a.status != OK:
            continue
        threshold = history.products[a.product].threshold
        if a.leased != (a.count >= threshold):
            yield (f"threshold: {a.cmid} has {'a' if a.leased else 'no'} lease "
                   f"of {a.product} at {a.count} of {threshold}")


def check_inventory(history):
    """Every answered CMID, with every answer; nobody who never asked."""
    answered, asked = Counter(), Counter()
    for a in history.asks:
        asked[a.cmid, a.product] += 1
        answered[a.cmid, a.product] += a.status == OK
    for key, n in asked.items():
        contacts = history.inventory.get(key, 0)
        if answered[key] and contacts == 0:
            yield f"inventory: {key} was answered, and is not there"
        elif contacts < answered[key]:
            yield (f"inventory: {key} has {contacts} contacts; "
                   f"{answered[key]} were answered")
        elif contacts > n:
            yield f"inventory: {key} has {contacts} contacts; {n} asked"
    for key in history.inventory.keys() - asked.keys():
        yield f"inventory: {key} never asked"


def determined(group):
    """Who must be in the cache, and who cannot be."""
    may = sorted(group.may.values())
    sure = sorted(group.sure.values())
    inside, outside = set(), set()
    for cmid, last in group.may.items():
        # others that were surely later than it can have been
        if len(sure) - bisect.bisect_right(sure, last) >= group.capacity:
            outside.add(cmid)
    for cmid, begin in group.placed.items():
        # others that may have been later, itself not counted
        others = len(may) - bisect.bisect_left(may, begin) - 1
        if others < group.capacity:
            inside.add(cmid)
    return inside, outside


def check_cache(history, group):
    """The most recent 2 x T distinct CMIDs, in their order."""
    cache = history.caches.get(group.number, [])
    inside, outside = determined(group)
    there = set(cache)
    where = f"cache of group {group.number}"
    if len(there) != len(cache):
        yield f"{where}: a CMID stands there twice"
    if len(cache) > group.capacity:
        yield f"{where}: {len(cache)} records, there is room for " \
            f"{group.capacity}"
    for cmid in inside - there:
        yield f"{where}: {cmid} is among the latest, and is not there"
    for cmid in outside & there:
        yield f"{where}: {cmid} is there, and {group.capacity} came later"
    for cmid in there - group.first.keys():
        yield f"{where}: {cmid} never asked"
    before = float("-inf")
    for cmid in cache:
        if before > group.may.get(cmid, float("inf")):
            yield f"{where}: {cmid} stands behind one that came later"
        before = max(before, group.sure.get(cmid, float("-inf")))


def groups(history):
    numbers = {p.group for p in history.products.values()}
    return [Group(history, n) for n in sorted(numbers)]


def check(history):
    """What is impossible, a sentence each; empty: all is right."""
    bad = [*check_statuses(history), *check_cuts(history),
           *check_leases(history), *check_inventory(history)]
    for group in groups(history):
        bad += [*check_counts(history, group), *check_cache(history, group)]
    return bad


def figures(history):
    """What a clean history showed, for one line."""
    by = Counter(a.status for a in history.asks)
    inside = outside = held = 0
    for group in groups(history):
        i, o = determined(group)
        inside, outside = inside + len(i), outside + len(o)
        held += len(history.caches.get(group.number, []))
    leased = Counter(a.leased for a in history.asks if a.status == OK)
    return {
        "answered": by[OK], "busy": by[BUSY], "lost": by[LOST],
        "machines": len({a.cmid for a in history.asks}),
        "rows": len(history.inventory), "cached": held,
        "surely_in": inside, "surely_out": outside,
        "leases": leased[True], "no_lease": leased[False],
        "unknown": sum(len(c.cmids) for c in history.cuts)}
