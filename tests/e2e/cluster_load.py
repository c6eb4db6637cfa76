# SPDX-License-Identifier: MIT
"""Machines that ask hosts with one count, a process of its own.

usage: cluster_load.py PLAN HISTORY
PLAN is JSON: ports, machines, per product its id and its share of machines,
threads, pause, seed.  A line on standard output tells how many were answered;
at the end of standard input all stop, and the history is in HISTORY, an ask a
line: host, CMID, product, begin, end, status, count."""
import json
import os
import random
import struct
import sys
import threading
import time
import uuid

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))

import wire  # noqa: E402
from history import BUSY, LOST, OK  # noqa: E402

NAMES = {0: OK, 5: BUSY}
TELL_S = 0.05


def cmid_of(n):
    return struct.pack(">QQ", 0xacce55, n)


def judge(out):
    """Status and count of all that came back before the end.  A host that is
    killed leaves nothing or a part; whole, and no reply, is a fault."""
    if len(out) < 4 or len(out) < 4 + (
            struct.unpack(">I", out[:4])[0] & 0x7fffffff):
        return LOST, 0
    try:
        body, = wire.split(out)
        status, first = struct.unpack(">II", wire.accepted(body)[:8])
    except (ValueError, AssertionError, struct.error) as e:
        return f"no reply but {out.hex()} ({type(e).__name__})", 0
    status = NAMES.get(status, f"status {status}")
    return status, first if status == OK else 0


class Crowd(threading.Thread):
    """Some of the machines, one ask at a time: so that a machine's asks have
    an order."""

    def __init__(self, plan, machines, seed):
        super().__init__(daemon=True)
        self.plan, self.machines = plan, machines
        self.rng = random.Random(seed)
        self.products = {n: uuid.UUID(p["id"]).bytes
                         for n, p in plan["products"].items()}
        self.asks, self.n_ok = [], 0
        self.ends = threading.Event()

    def products_of(self, machine):
        """Always the same ones."""
        draw = random.Random(machine).random()
        return [n for n, p in self.plan["products"].items()
                if p["from"] <= draw < p["to"]]

    def one(self, host, machine, name):
        cmid, count = cmid_of(machine), 0
        begin = time.monotonic()
        try:
            out = wire.exchange(self.plan["ports"][host], wire.record(
                wire.call(wire.ACTIVATE, wire.activate_args(
                    self.products[name], cmid=cmid, machine=cmid[::-1],
                    name=b"m%d" % machine))))
            status, count = judge(out)
        except OSError:
            status = LOST
        self.asks.append((host, cmid.hex(), name, begin, time.monotonic(),
                          status, count))
        return status

    def run(self):
        hosts = range(len(self.plan["ports"]))
        while not self.ends.is_set():
            machine = self.rng.choice(self.machines)
            name = self.rng.choice(self.products_of(machine))
            host = self.rng.choice(hosts)
            while self.one(host, machine, name) != OK:
                if self.ends.wait(self.rng.uniform(0.02, 0.2)):
                    return
                host = self.rng.choice(hosts)
            self.n_ok += 1
            self.ends.wait(self.plan["pause"])


def main():
    plan = json.loads(sys.argv[1])
    n = plan["threads"]
    crowds = [Crowd(plan, range(i, plan["machines"], n), plan["seed"] + i)
              for i in range(n)]
    for crowd in crowds:
        crowd.start()
    ends = threading.Event()
    threading.Thread(target=lambda: (sys.stdin.read(), ends.set()),
                     daemon=True).start()
    while not ends.wait(TELL_S):
        print(sum(c.n_ok for c in crowds), flush=True)
    for crowd in crowds:
        crowd.ends.set()
    for crowd in crowds:
        crowd.join()
    with open(sys.argv[2], "w") as f:
        for crowd in crowds:
            for ask in crowd.asks:
                f.write(json.dumps(ask) + "\n")


if __name__ == "__main__":
    main()
