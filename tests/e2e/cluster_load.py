# SPDX-License-Identifier: MIT
"""Machines that ask hosts with one count, a process of its own.

usage: cluster_load.py PLAN HISTORY
PLAN is JSON: ports, machines, per product its id and its share of machines,
threads, pause, seed, publisher; of each so many `leases` answers one is kept as
the lease that it makes.  A line on standard output tells how many were
answered, and how many were told BUSY.  At `stop` on standard input nobody asks
any more; `stopped` is said when all that were asking have an end, and the
history so far is in HISTORY, an ask a line: host, CMID, product, begin, end,
status, count, and the lease or null.
At `go` they go on.  At the end of standard input all stop for good."""
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
    """Status, count and result of all that came back before the end.  A host
    that is killed leaves nothing or a part; whole, and no reply, is a fault."""
    if len(out) < 4 or len(out) < 4 + (
            struct.unpack(">I", out[:4])[0] & 0x7fffffff):
        return LOST, 0, b""
    try:
        body, = wire.split(out)
        result = wire.accepted(body)
        status, first = struct.unpack(">II", result[:8])
    except (ValueError, AssertionError, struct.error) as e:
        return f"no reply but {out.hex()} ({type(e).__name__})", 0, b""
    status = NAMES.get(status, f"status {status}")
    return status, first if status == OK else 0, result


class Gate:
    """Each ask goes through it; while it is shut nobody is inside."""

    def __init__(self):
        self.state = threading.Condition()
        self.is_shut, self.n_inside = False, 0

    def __enter__(self):
        with self.state:
            self.state.wait_for(lambda: not self.is_shut)
            self.n_inside += 1

    def __exit__(self, *_):
        with self.state:
            self.n_inside -= 1
            self.state.notify_all()

    def shut(self):
        with self.state:
            self.is_shut = True
            self.state.wait_for(lambda: self.n_inside == 0)

    def open(self):
        with self.state:
            self.is_shut = False
            self.state.notify_all()


class Crowd(threading.Thread):
    """Some of the machines, one ask at a time: so that a machine's asks have
    an order."""

    def __init__(self, plan, machines, seed, gate):
        super().__init__(daemon=True)
        self.plan, self.machines, self.gate = plan, machines, gate
        self.rng = random.Random(seed)
        self.products = {n: uuid.UUID(p["id"]).bytes
                         for n, p in plan["products"].items()}
        self.publisher = bytes.fromhex(plan["publisher"])
        self.known = {}  # by host, its certificate and what names it
        self.asks, self.n_ok, self.n_busy = [], 0, 0
        self.ends = threading.Event()

    def products_of(self, machine):
        """Always the same ones."""
        draw = random.Random(machine).random()
        return [n for n, p in self.plan["products"].items()
                if p["from"] <= draw < p["to"]]

    def one(self, host, machine, name):
        with self.gate:
            status = self.ask(host, machine, name)
        self.n_ok += status == OK
        self.n_busy += status == BUSY
        return status

    def ask(self, host, machine, name):
        cmid, count, lease = cmid_of(machine), 0, None
        # half name the host's certificate, whose signature many can share
        known = self.known.get(host) if self.rng.random() < 0.5 else None
        args = wire.activate_args(
            self.products[name], cmid=cmid, name=b"m%d" % machine,
            machine=wire.machine_of(self.publisher, cmid),
            known_host=known[0] if known else bytes(8))
        is_kept = self.rng.randrange(self.plan["leases"]) == 0
        begin = time.monotonic()
        try:
            status, count, result = judge(wire.exchange(
                self.plan["ports"][host],
                wire.record(wire.call(wire.ACTIVATE, args))))
        except OSError:
            status = LOST
        end = time.monotonic()
        if status == OK:
            self.known[host] = wire.certificate_of(result) or known
            if is_kept:
                lease = wire.lease_of(
                    args, result, known and known[1]).hex()
        self.asks.append((host, cmid.hex(), name, begin, end, status, count,
                          lease))
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
            self.ends.wait(self.plan["pause"])


class Load:
    def __init__(self, plan, history):
        self.gate, self.said = Gate(), threading.Lock()
        self.history, self.ends = history, threading.Event()
        n = plan["threads"]
        self.crowds = [Crowd(plan, range(i, plan["machines"], n),
                             plan["seed"] + i, self.gate) for i in range(n)]

    def say(self, text):
        with self.said:
            print(text, flush=True)

    def write(self):
        """What is new, while nobody asks."""
        for crowd in self.crowds:
            for ask in crowd.asks:
                self.history.write(json.dumps(ask) + "\n")
            crowd.asks.clear()
        self.history.flush()

    def listen(self):
        for line in sys.stdin:
            if line == "stop\n":
                self.gate.shut()
                self.write()
                self.say("stopped")
            else:
                self.gate.open()
        self.gate.open()
        self.ends.set()

    def run(self):
        for crowd in self.crowds:
            crowd.start()
        threading.Thread(target=self.listen, daemon=True).start()
        while not self.ends.wait(TELL_S):
            self.say(f"{sum(c.n_ok for c in self.crowds)} "
                     f"{sum(c.n_busy for c in self.crowds)}")
        for crowd in self.crowds:
            crowd.ends.set()
        for crowd in self.crowds:
            crowd.join()
        self.write()


def main():
    with open(sys.argv[2], "w") as f:
        Load(json.loads(sys.argv[1]), f).run()


if __name__ == "__main__":
    main()
