#!/usr/bin/python3
# SPDX-License-Identifier: MIT
"""Four hosts with one count, under faults, and what history.py says of it.

usage: cluster_run.py [ACTIVATIONS [MACHINES [FAULTS [SEED [KIND...]]]]]

PostgreSQL has a primary and a synchronous standby; each host reaches each of
them by a proxy, and the standby the primary.  Machines ask all the time; faults
are drawn from the seed, those of each KIND named first; each is mended before
the next one, and some come in pairs.  After each CHECK_EVERY of them all stand still, and what was said so far
is compared with what is there.  Ends with one line of figures; exit 1 and a
sentence each when something impossible was seen, or too little was met."""
import json
import os
import random
import secrets
import struct
import subprocess
import sys
import tempfile
import threading
import time
import uuid

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path[:0] = [HERE, os.path.join(HERE, "../../tools")]

import agent_files  # noqa: E402
import cluster  # noqa: E402
import cluster_faults  # noqa: E402
import cluster_leases  # noqa: E402
import demo  # noqa: E402
import history  # noqa: E402
import pgserver  # noqa: E402
import tcpproxy  # noqa: E402
import wire  # noqa: E402
from cluster_faults import FAULTS, HEAL_S, HOSTS, TO_FEEL  # noqa: E402
from history import LOST, OK, Ask, Cut, History, Product  # noqa: E402

THREADS = 24
REAL = 16  # machines that are `muster activate`
UNREACHED = 5  # its exit where the link or the host was gone
LEASES = 20  # one answer of so many is judged as a lease
CHECK_EVERY = 20  # faults: ten looks in the whole run
SAME_S = 15  # an idle host looks at the count each second, and is on two cores
IDS = {n: f"5b0c1a52-7d7e-4b8e-9a51-0d3f5c7a1e0{i}" for i, n in enumerate(
    ("desktop", "server", "render", "grid"), 1)}


def products_of(n_machines):
    """Two in a group that all fit in many times over, one whose cache is too
    small for its machines, one that all of its machines fit in."""
    return {"desktop": Product(1, 25), "server": Product(1, 5),
            "render": Product(2, max(n_machines * 3 // 10, 1)),
            "grid": Product(3, max(n_machines * 6 // 10, 1))}


def catalogue(products):
    rows = ",\n".join(
        f'  {{ id = "{IDS[n]}"; name = "Acme {n}"; group = {p.group};\n'
        f'     class = "desktop"; threshold = {p.threshold}; line = 0;'
        ' level = 1; }' for n, p in products.items())
    names = ", ".join(f'{{ number = {g}; name = "g{g}"; }}'
                      for g in sorted({p.group for p in products.values()}))
    return f"groups = ( {names} );\nproducts = (\n{rows}\n);\n"


def is_known_end(p):
    """Of a real client: answered, nobody reached, or told BUSY."""
    if p.returncode != 1:
        return p.returncode in (0, 3, UNREACHED)
    said = json.loads(p.stdout)
    return said["error"]["code"] == "not_answered" and {
        t["outcome"] for t in said["targets"]} == {"busy"}


class Run:
    def __init__(self, folder, activations, machines, n_faults, seed):
        self.folder, self.activations = folder, activations
        self.machines, self.n_faults = machines, n_faults
        self.rng = random.Random(seed)
        self.seed = seed
        self.products = products_of(machines)
        self.asks = []  # as far as they are in the file
        self.real = []  # asks of real clients
        self.real_gate = threading.Lock()
        self.n_ok = self.n_busy = 0
        self.ends, self.stopped = threading.Event(), threading.Event()
        self.trouble = []
        self.bad, self.n_looks, self.same_s = [], 0, SAME_S
        self.servers = cluster_faults.Servers()
        self.proxies = [[tcpproxy.Proxy(port) for port in self.servers.ports]
                        for _ in range(HOSTS)]
        self.cluster = cluster.Cluster(folder, HOSTS, "",
                                       catalogue(self.products))
        for host, proxies in zip(self.cluster.hosts, self.proxies):
            at = ",".join(f"127.0.0.1:{p.port}" for p in proxies)
            host.settings = pgserver.store(
                f"postgresql://{pgserver.ROLE}@{at}/muster?sslmode=disable")
        self.cluster.start()
        self.judge = cluster_leases.Judge(folder, self.cluster.first)
        self.wall = time.time() - time.monotonic()
        self.faults = cluster_faults.Faults(
            self.rng, self.cluster, self.servers, self.proxies, self)

    def close(self):
        self.cluster.stop()
        for proxies in self.proxies:
            for p in proxies:
                p.close()
        self.servers.remove()

    # the load

    def start_load(self):
        shares = {"desktop": (0, 0.7), "server": (0.7, 1), "render": (0, 1),
                  "grid": (0, 1)}
        plan = {"ports": [h.port for h in self.cluster.hosts],
                "machines": self.machines, "threads": THREADS, "pause": 0.0,
                "seed": self.seed, "leases": LEASES,
                "publisher": wire.publisher_of(
                    bytes.fromhex(self.cluster.first.root_pk)).hex(),
                "products": {n: {"id": IDS[n], "from": a, "to": b}
                             for n, (a, b) in shares.items()}}
        self.history = os.path.join(self.folder, "history")
        open(self.history, "w").close()
        self.load = subprocess.Popen(
            [sys.executable, os.path.join(HERE, "cluster_load.py"),
             json.dumps(plan), self.history], stdin=subprocess.PIPE,
            stdout=subprocess.PIPE, text=True)
        self.new = open(self.history)
        self.threads = [threading.Thread(target=t, daemon=True)
                        for t in (self.watch_load, self.be_clients)]
        for t in self.threads:
            t.start()

    def watch_load(self):
        for line in self.load.stdout:
            if line == "stopped\n":
                self.stopped.set()
            else:
                self.n_ok, self.n_busy = (int(n) for n in line.split())

    def wait_load(self, n):
        """Until so many were answered: a cluster that stays away is found."""
        last, end = self.n_ok, time.monotonic() + HEAL_S
        while self.n_ok < n:
            if self.n_ok != last:
                last, end = self.n_ok, time.monotonic() + HEAL_S
            if time.monotonic() > end or self.load.poll() is not None:
                logs = "\n".join(h.log()[-1500:] for h in self.cluster.hosts)
                raise AssertionError(f"nobody is answered any more\n{logs}")
            time.sleep(0.01)

    def be_clients(self):
        """Machines with a program and an identity of their own."""
        rng = random.Random(self.seed)
        names = sorted(self.products)
        while not self.ends.wait(0.05):
            try:
                with self.real_gate:
                    self.be_client(rng.randrange(REAL), rng.choice(names),
                                   rng)
            except Exception as e:  # told by the main thread
                self.trouble.append(f"client: {type(e).__name__}: {e}")
                return

    def be_client(self, n, name, rng):
        site, i = self.cluster.first, rng.randrange(HOSTS)
        root = site.machine(n)
        begin = time.monotonic()
        p = subprocess.run(
            [os.path.join(demo.BIN, "muster"), "activate", "--direct",
             "--root", root, "--host",
             f"127.0.0.1:{self.cluster.hosts[i].port}", "--product", IDS[name],
             "--json"], capture_output=True, text=True, timeout=240)
        end = time.monotonic()
        state, = (os.path.join(d, f) for d, _, files in os.walk(root)
                  for f in files if d.endswith("/publishers"))
        with open(state, "rb") as f:
            cmid = agent_files.read_publisher(f.read())["cmid"].hex()
        assert is_known_end(p), (p.returncode, p.stdout, p.stderr)
        if p.returncode in (0, 3):
            # a second answer of one second leaves the lease as it is
            a = json.loads(p.stdout)
            self.real.append(Ask(i, cmid, name, begin, end, OK, a["count"],
                                 os.path.exists(a["lease"])))
        else:
            self.real.append(Ask(i, cmid, name, begin, end, LOST, 0))

    def stop_load(self):
        self.ends.set()
        self.load.stdin.close()
        self.load.wait(120)
        for t in self.threads:
            t.join(120)
        assert self.load.returncode == 0 and not self.trouble, self.trouble

    def tell_load(self, word):
        self.load.stdin.write(word + "\n")
        self.load.stdin.flush()

    def stop_all(self):
        """Nobody asks, and every host has the database."""
        while True:
            for h in self.cluster.hosts:
                h.wait_status("ok")
            self.real_gate.acquire()
            self.stopped.clear()
            self.tell_load("stop")
            assert self.stopped.wait(2 * HEAL_S), "the load does not stop"
            # without a batch a host that failed is not ready for long
            if all(h.status()["store"]["state"] == "ok"
                   for h in self.cluster.hosts):
                return
            self.go_on()

    def go_on(self):
        self.tell_load("go")
        self.real_gate.release()

    # the judgement

    def run(self, kinds=None):
        """`kinds`: these faults first; the others are drawn."""
        self.begun = time.monotonic()
        self.start_load()
        self.wait_load(min(self.machines, self.activations // 10))
        left = list(kinds or ())
        while left or self.faults.n_done < self.n_faults:
            self.faults.one(left.pop(0) if left else self.faults.draw())
            done = self.faults.n_done
            self.wait_load(self.activations * done // self.n_faults)
            if done >= CHECK_EVERY * (self.n_looks + 1):
                self.look()
        self.wait_load(self.activations)
        self.look()
        self.stop_load()
        self.took = time.monotonic() - self.begun
        h = self.take_history()
        self.bad += history.check(h)
        return h

    def look(self):
        self.stop_all()
        self.bad += self.look_still()
        self.n_looks += 1
        self.go_on()

    def look_still(self):
        """What is wrong now, a sentence each; nobody asks.  What nobody got an
        answer to may still be on its way, so it is looked at again."""
        end = time.monotonic() + self.same_s
        while True:
            h = self.take_history()
            bad = [*history.check(h), *self.unlike(h)]
            if not bad or time.monotonic() > end:
                break
            time.sleep(0.5)
        return [f"after {len(self.asks)} asks: {b}" for b in bad]

    def take_history(self):
        self.asks += [self.judged(*json.loads(line)) for line in self.new]
        cuts = [Cut(at, i, who) for i, proxies in enumerate(self.proxies)
                for p in proxies for at, who in p.cuts]
        numbers = sorted({p.group for p in self.products.values()})
        caches = {g: self.servers.primary.sql(
            "SELECT replace(cmid::text, '-', '') FROM muster.cache WHERE "
            f"grp = {g} ORDER BY seq").split() for g in numbers}
        return History(self.products, self.asks + self.real, cuts, caches,
                       self.inventory())

    def judged(self, *fields):
        """An ask, and what its answer is to the machine where that is kept."""
        *fields, lease = fields
        ask = Ask(*fields)
        if lease is None:
            return ask
        answer, issued = self.judge.judge(
            bytes.fromhex(lease), IDS[ask.product], bytes.fromhex(ask.cmid))
        self.bad += [f"lease: {ask} {wrong}" for wrong in
                     cluster_leases.what_is_wrong(
                         ask, answer, issued,
                         self.products[ask.product].threshold, self.wall)]
        return ask._replace(leased=answer.is_licensed)

    def inventory(self):
        """As a host lists it."""
        names = {i: n for n, i in IDS.items()}
        self.lists = [{(c["cmid"], names[c["product"]]): c["contacts"]
                       for c in h.clients()} for h in self.cluster.hosts]
        return self.lists[0]

    def unlike(self, h):
        """All list the same clients; each host's own count, as it tells a
        person and a machine, is that of the cache: of the distinct machines,
        as many as there is room for."""
        groups = history.groups(h)
        for group in groups:
            held = len(h.caches[group.number])
            if held > len(group.first):
                yield (f"count: group {group.number} has {held}; "
                       f"{len(group.first)} machines asked")
        for i, host in enumerate(self.cluster.hosts):
            if self.lists[i] != self.lists[0]:
                yield f"inventory: host {i} lists others than host 0"
            told = {g["group"]: g for p in host.status()["publishers"]
                    for g in p["groups"]}
            for group in groups:
                for sentence in self.unlike_one(
                        host, told[group.number], group,
                        len(h.caches[group.number])):
                    yield f"host {i}: group {group.number}: {sentence}"

    def unlike_one(self, host, told, group, held):
        want = {"count": held, "held": held, "largest_threshold": max(
            p.threshold for p in self.products.values()
            if p.group == group.number)}
        if group.full_from < float("inf"):
            want["capacity"] = group.capacity
        for k, n in want.items():
            if told[k] != n:
                yield f"shows {k} {told[k]}, not {n}"
        for name in group.thresholds:
            if (got := self.probe(host, name)) != held:
                yield f"who asks for {name} is told {got}, not {held}"

    @staticmethod
    def probe(host, name):
        """The count by wire, and nothing is changed."""
        status, rest = wire.activate(host.port, uuid.UUID(IDS[name]).bytes,
                                     cmid=bytes(16))
        return struct.unpack(">I", rest[:4])[0] if status == cluster.OK \
            else f"status {status}"


def line(run, said):
    faults = ", ".join(f"{n} {k}" for k, n in sorted(run.faults.done.items()))
    return (f"seed {run.seed}: {said['answered']} activations of "
            f"{said['machines']} machines at {HOSTS} hosts in {run.took:.0f} "
            f"s, {said['busy']} BUSY, {said['lost']} without an answer; "
            f"{run.faults.n_done} faults ({faults}), "
            f"{run.servers.promotions} promotions; {run.n_looks} looks while "
            f"all stood still; {said['unknown']} "
            f"of unknown outcome at a cut; {said['rows']} rows, "
            f"{said['cached']} cached, {said['surely_in']} determined to be "
            f"in and {said['surely_out']} to be out; {said['leases']} leases, "
            f"{said['no_lease']} refused below the threshold; signatures: "
            f"{run.judge.n_forms[0]} with the certificate, "
            f"{run.judge.n_forms[1]} without, up to {1 << run.judge.longest} "
            "answers under one")


def play(activations, machines, n_faults, seed, kinds=None):
    """The line of figures, what was impossible, and what was not met."""
    demo.START_S = 60  # a host waits for silent servers before it listens
    with tempfile.TemporaryDirectory(prefix="m.run.", dir="/tmp") as folder:
        run = Run(folder, activations, machines, n_faults, seed)
        try:
            h = run.run(kinds)
            for n in range(REAL):
                verify_leases(run.cluster.first, n)
            said = history.figures(h)
            return line(run, said), run.bad, [*lacking(run, said, kinds)]
        finally:
            run.close()


def lacking(run, said, kinds):
    """What a run must have met for its check to say anything."""
    for kind in kinds or ():
        if not run.faults.done[kind]:
            yield f"no fault: {kind}"
        if kind in TO_FEEL and not run.faults.felt[kind]:
            yield f"nobody felt: {kind}"
    # a short run may have no real client below its threshold
    is_whole = set(kinds or ()) == set(FAULTS)
    for what in ("answered", "leases", "no_lease") if is_whole else ():
        if not said[what]:
            yield f"nothing of: {what}"
    for form in (0, 1):
        if not run.judge.n_forms[form]:
            yield f"no lease of form {form} was verified"
    if not any(a.status == OK for a in run.real):
        yield "no real client was answered"


def verify_leases(site, n):
    for product in IDS.values():
        if os.path.exists(os.path.join(
                site.path("machines", str(n)), "var/lib/muster/agent/leases",
                product + ".lease")):
            site.verify(n, product)


def main():
    given = [int(a) for a in sys.argv[1:5]]
    activations, machines, faults, seed = (
        given + [100000, 2000, 200, secrets.randbits(31)][len(given):])
    print(f"seed {seed}", flush=True)
    # each kind once, the others are drawn
    kinds = sys.argv[5:] or (
        list(FAULTS) if faults >= len(FAULTS) else None)
    said, bad, lacks = play(activations, machines, faults, seed, kinds)
    for sentence in bad[:50]:
        print("impossible:", sentence)
    for sentence in lacks:
        print("lacking:", sentence)
    print(said + (f"; {len(bad)} IMPOSSIBLE" if bad else "")
          + (f"; {len(lacks)} LACKING" if lacks else ""))
    return 1 if bad or lacks else 0


if __name__ == "__main__":
    sys.exit(main())
