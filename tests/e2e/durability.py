#!/usr/bin/python3
# SPDX-License-Identifier: MIT
"""The durability loop: load, kill -9 while requests are open, restart, and
every answered CMID stands in the inventory (b4), the cache being the most
recent 2 x T of them (b3).

usage: durability.py ROUNDS [CMIDS]
"""
import bisect
import json
import os
import random
import socket
import sqlite3
import struct
import sys
import tempfile
import threading
import time
import uuid

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)),
                                "../../tools"))
import demo  # noqa: E402
import wire  # noqa: E402

DESKTOP = uuid.UUID(demo.DESKTOP).bytes
THREADS = 8
CAPACITY = 2 * 25  # b3, of the demonstration's desktop


class Load:
    """Threads that ask with fresh CMIDs until told or until the host dies."""

    def __init__(self, port, cmids):
        self.port = port
        self.cmids = list(cmids)
        self.todo = list(cmids)
        self.answered = []
        self.sent_ns, self.answered_ns = {}, {}
        self.open = 0
        self.lock = threading.Lock()

    def one(self):
        with self.lock:
            if not self.todo:
                return False
            cmid = self.todo.pop()
        data = wire.record(wire.call(
            wire.ACTIVATE, wire.activate_args(DESKTOP, cmid=cmid)))
        try:
            with socket.create_connection(("127.0.0.1", self.port), 5) as s:
                self.sent_ns[cmid] = time.monotonic_ns()
                s.sendall(data)
                with self.lock:
                    self.open += 1
                out = s.recv(4096)
                self.answered_ns[cmid] = time.monotonic_ns()
        except OSError:
            return False
        if len(out) == 244 and struct.unpack(">I", out[28:32])[0] == 0:
            with self.lock:
                self.open -= 1
                self.answered.append(cmid)
            return True
        return False

    def run(self):
        while self.one():
            pass

    def start(self):
        self.threads = [threading.Thread(target=self.run)
                        for _ in range(THREADS)]
        for t in self.threads:
            t.start()

    def join(self):
        for t in self.threads:
            t.join()


def inventory(site):
    out = demo.run("muster", "host", "clients", "--root", site.host_root,
                   "--json")
    return {c["cmid"] for c in json.loads(out)["clients"]}


def cache(site):
    """CMIDs of the one group's cache, the most recent first."""
    folder = os.path.join(site.host_root, "var/lib/muster/host")
    db = sqlite3.connect(f"file:{folder}/host.db?mode=ro", uri=True)
    try:
        return [row[0] for row in
                db.execute("SELECT cmid FROM cache ORDER BY seq DESC")]
    finally:
        db.close()


def is_most_recent(held, accepted, load):
    """Could the cache be the most recent of what this round accepted?  All
    that is known of the order is that what was answered before another was
    sent was accepted before it."""
    answers = sorted(load.answered_ns[c] for c in accepted
                     if c in load.answered_ns)
    sendings = sorted(load.sent_ns[c] for c in accepted)
    for c in load.answered:
        n_before = bisect.bisect_left(answers, load.sent_ns[c])
        n_after = len(sendings) - bisect.bisect_right(sendings,
                                                      load.answered_ns[c])
        if c in held and n_after >= CAPACITY:
            return False
        if c not in held and len(accepted) - 1 - n_before < CAPACITY:
            return False
    return True


def cache_is_right(held, known, load, n_before):
    """Is the cache the most recent 2 x T (b3) of all that were accepted?"""
    sent = set(load.cmids)
    accepted = {c for c in sent if c.hex() in known}
    if len(held) != min(CAPACITY, len(known)) or len(set(held)) != len(held):
        return False
    if not all(c.hex() in known for c in held):
        return False
    if not is_most_recent(set(held), accepted, load):
        return False
    # in the order of their acceptance: this round's before any other's
    n_new = len(known) - n_before
    return all(c in sent for c in held[:min(n_new, CAPACITY)])


def loop(site, rounds, cmids, rng):
    lost = while_open = answered = wrong = n_before = 0
    for _ in range(rounds):
        load = Load(site.port, [rng.randbytes(16) for _ in range(cmids)])
        load.start()
        goal = rng.randrange(1, max(2, cmids * 3 // 4))
        end = time.monotonic() + 10
        while len(load.answered) < goal and time.monotonic() < end:
            time.sleep(0.0002)
        site.daemon.kill()
        site.daemon.wait()
        load.join()
        while_open += load.open > 0
        site.start()
        known = inventory(site)
        lost += sum(c.hex() not in known for c in load.answered)
        answered += len(load.answered)
        wrong += not cache_is_right(cache(site), known, load, n_before)
        n_before = len(known)
    return {"rounds": rounds, "killed_while_open": while_open,
            "answered": answered, "lost": lost, "wrong_caches": wrong}


def main():
    rounds = int(sys.argv[1])
    cmids = int(sys.argv[2]) if len(sys.argv) > 2 else 200
    seed = int(os.environ.get("SEED", time.time_ns() % 10**6))
    print(f"seed {seed}", file=sys.stderr)
    with tempfile.TemporaryDirectory(prefix="muster-durability.") as folder:
        site = demo.Site(folder)
        site.publish()
        site.start()
        site.activate_host()
        try:
            result = loop(site, rounds, cmids, random.Random(seed))
        finally:
            site.stop()
    print(json.dumps(result))
    return 1 if result["lost"] or result["wrong_caches"] or \
        result["killed_while_open"] < rounds * 3 // 4 else 0


if __name__ == "__main__":
    sys.exit(main())
