#!/usr/bin/python3
# SPDX-License-Identifier: MIT
"""Four hosts with one count, under faults, and what history.py says of it.

usage: cluster_run.py [ACTIVATIONS [MACHINES [FAULTS [SEED]]]]

PostgreSQL has a primary and a synchronous standby; each host reaches each of
them by a proxy.  Machines ask all the time; faults are drawn from the seed,
each is mended before the next one, and some come in pairs.  Ends with one line
of figures; exit 1 and a sentence each when something impossible was seen."""
import collections
import json
import os
import random
import secrets
import signal
import subprocess
import sys
import tempfile
import threading
import time

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path[:0] = [HERE, os.path.join(HERE, "../../tools")]

import agent_files  # noqa: E402
import cluster  # noqa: E402
import demo  # noqa: E402
import history  # noqa: E402
import pgserver  # noqa: E402
import tcpproxy  # noqa: E402
from history import LOST, OK, Ask, Cut, History, Product  # noqa: E402

HOSTS, THREADS = 4, 24
REAL = 16  # machines that are `muster activate`
UNREACHED = 5  # its exit where the link or the host was gone
ARMED_S, HEAL_S = 10, 60
NAMES = ("one", "two")
IDS = {n: f"5b0c1a52-7d7e-4b8e-9a51-0d3f5c7a1e0{i}" for i, n in enumerate(
    ("desktop", "server", "render", "grid"), 1)}
# Weights, and who can come together with another.
FAULTS = {"host_kill": 30, "host_restart": 10, "cut": 20, "cut_all": 10,
          "stall": 20, "stall_long": 2, "answer_lost": 45, "commit_lost": 15,
          "server_kill": 12, "server_restart": 6, "standby_kill": 6,
          "promote": 14, "promote_alive": 6}
ON_LINKS = ("cut", "cut_all", "answer_lost", "commit_lost")


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


class Servers:
    """A primary and its synchronous standby, in two places."""

    def __init__(self):
        self.at = [pgserver.Server(name=NAMES[0], fsync="off"), None]
        self.ports = [self.at[0].port, pgserver.free_port()]
        self.first = 0  # place of the primary
        self.promotions = 0
        self.primary.start().make()
        self.rebuild()

    @property
    def primary(self):
        return self.at[self.first]

    @property
    def standby(self):
        return self.at[1 - self.first]

    def rebuild(self):
        """A new standby in the other place."""
        place = 1 - self.first
        if self.at[place] is not None:
            self.at[place].remove()
        self.at[place] = pgserver.Server(
            standby_of=self.primary, name=NAMES[place],
            port=self.ports[place], fsync="off")
        self.at[place].start()
        self.follow()

    def follow(self):
        self.primary.wait_standby(NAMES[1 - self.first])

    def promote(self):
        self.standby.promote()
        self.first = 1 - self.first
        self.promotions += 1

    def remove(self):
        for s in self.at:
            if s is not None:
                s.remove()


class Run:
    def __init__(self, folder, activations, machines, n_faults, seed):
        self.folder, self.activations = folder, activations
        self.machines, self.n_faults = machines, n_faults
        self.rng = random.Random(seed)
        self.seed = seed
        self.products = products_of(machines)
        self.faults = collections.Counter()
        self.real = []  # asks of real clients
        self.n_ok = 0
        self.ends = threading.Event()
        self.trouble = []
        self.servers = Servers()
        self.proxies = [[tcpproxy.Proxy(port) for port in self.servers.ports]
                        for _ in range(HOSTS)]
        self.cluster = cluster.Cluster(folder, HOSTS, "",
                                       catalogue(self.products))
        for host, proxies in zip(self.cluster.hosts, self.proxies):
            at = ",".join(f"127.0.0.1:{p.port}" for p in proxies)
            host.settings = pgserver.store(
                f"postgresql://{pgserver.ROLE}@{at}/muster?sslmode=disable")
        self.cluster.start()

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
                "seed": self.seed,
                "products": {n: {"id": IDS[n], "from": a, "to": b}
                             for n, (a, b) in shares.items()}}
        self.history = os.path.join(self.folder, "history")
        self.load = subprocess.Popen(
            [sys.executable, os.path.join(HERE, "cluster_load.py"),
             json.dumps(plan), self.history], stdin=subprocess.PIPE,
            stdout=subprocess.PIPE, text=True)
        self.threads = [threading.Thread(target=t, daemon=True)
                        for t in (self.watch_load, self.be_clients)]
        for t in self.threads:
            t.start()

    def watch_load(self):
        for line in self.load.stdout:
            self.n_ok = int(line)

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
                self.be_client(rng.randrange(REAL), rng.choice(names), rng)
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

    # faults, each with its end

    def some_host(self):
        return self.rng.randrange(HOSTS)

    def host_kill(self):
        h = self.cluster.hosts[self.some_host()]
        h.kill()
        h.start()

    def host_restart(self):
        h = self.cluster.hosts[self.some_host()]
        h.stop()
        h.start()

    def cut(self, host=None):
        for p in self.proxies[self.some_host() if host is None else host]:
            p.cut_all()

    def cut_all(self):
        for proxies in self.proxies:
            for p in proxies:
                p.cut_all()

    def hold(self, seconds):
        held = self.rng.sample(range(HOSTS), self.rng.randint(1, HOSTS))
        for i in held:
            for p in self.proxies[i]:
                p.hold()
        time.sleep(seconds)
        for i in held:
            for p in self.proxies[i]:
                p.go_on()

    def stall(self):
        self.hold(self.rng.uniform(0.1, 1))

    def stall_long(self):
        """Longer than a host waits."""
        self.hold(6)

    def at_commit(self, when):
        p = self.proxies[self.some_host()][self.servers.first]
        p.arm(when)
        if not p.was_cut.wait(ARMED_S):
            raise AssertionError("a host with a load commits nothing")

    def answer_lost(self):
        self.at_commit("after")

    def commit_lost(self):
        self.at_commit("before")

    def server_kill(self):
        self.servers.primary.restart(signal.SIGKILL)
        self.servers.follow()

    def server_restart(self):
        self.servers.primary.restart()
        self.servers.follow()

    def standby_kill(self):
        """Commits wait; some hosts leave them in doubt."""
        self.servers.standby.stop(signal.SIGKILL)
        time.sleep(self.rng.choice((0.2, 0.5, 1, 6)))
        self.servers.standby.start()
        self.servers.follow()

    def promote(self):
        self.servers.primary.stop(signal.SIGKILL)
        self.servers.promote()
        self.servers.rebuild()

    def promote_alive(self):
        """The old primary goes on for a while: it can commit nothing, for its
        standby left it.  Then it is fenced and built anew."""
        old = self.servers.primary
        self.servers.promote()
        time.sleep(self.rng.uniform(0, 2))
        old.stop(signal.SIGKILL)
        self.servers.rebuild()

    def draw(self):
        return self.rng.choices(list(FAULTS), list(FAULTS.values()))[0]

    def one_fault(self, name):
        """Sometimes a link is cut in the midst of another fault."""
        if name not in ON_LINKS and self.rng.random() < 0.3:
            other = self.rng.choice(("cut", "cut_all"))
            # drawn here: the timer's thread would take draws of this one
            host = self.some_host()
            timer = threading.Timer(self.rng.uniform(0, 1), lambda: (
                self.cut(host) if other == "cut" else self.cut_all()))
            timer.start()
            self.faults[other] += 1
            getattr(self, name)()
            timer.join()
        else:
            getattr(self, name)()
        self.faults[name] += 1

    def run(self, kinds=None):
        """`kinds`: these faults first; the others are drawn."""
        self.begun = time.monotonic()
        self.start_load()
        self.wait_load(min(self.machines, self.activations // 10))
        left = list(kinds or ())
        while left or sum(self.faults.values()) < self.n_faults:
            self.one_fault(left.pop(0) if left else self.draw())
            done = sum(self.faults.values())
            self.wait_load(self.activations * done // self.n_faults)
        self.wait_load(self.activations)
        self.stop_load()
        self.took = time.monotonic() - self.begun
        return self.take_history()

    def take_history(self):
        with open(self.history) as f:
            asks = [Ask(*json.loads(line)) for line in f]
        cuts = [Cut(at, i, who) for i, proxies in enumerate(self.proxies)
                for p in proxies for at, who in p.cuts]
        numbers = sorted({p.group for p in self.products.values()})
        caches = {g: self.servers.primary.sql(
            "SELECT replace(cmid::text, '-', '') FROM muster.cache WHERE "
            f"grp = {g} ORDER BY seq").split() for g in numbers}
        return History(self.products, asks + self.real, cuts, caches,
                       self.inventory())

    def inventory(self):
        """As a host lists it; all four say the same."""
        names = {i: n for n, i in IDS.items()}
        lists = [{(c["cmid"], names[c["product"]]): c["contacts"]
                  for c in h.clients()} for h in self.cluster.hosts]
        assert all(x == lists[0] for x in lists), "hosts list different clients"
        return lists[0]


def line(run, said):
    faults = ", ".join(f"{n} {k}" for k, n in sorted(run.faults.items()))
    return (f"seed {run.seed}: {said['answered']} activations of "
            f"{said['machines']} machines at {HOSTS} hosts in {run.took:.0f} "
            f"s, {said['busy']} BUSY, {said['lost']} without an answer; "
            f"{sum(run.faults.values())} faults ({faults}), "
            f"{run.servers.promotions} promotions; {said['unknown']} "
            f"of unknown outcome at a cut; {said['rows']} rows, "
            f"{said['cached']} cached, {said['surely_in']} determined to be "
            f"in and {said['surely_out']} to be out; {said['leases']} leases, "
            f"{said['no_lease']} refused below the threshold")


def play(activations, machines, n_faults, seed, kinds=None):
    """The line of figures, and what was impossible."""
    demo.START_S = 60  # a host waits for silent servers before it listens
    with tempfile.TemporaryDirectory(prefix="m.run.", dir="/tmp") as folder:
        run = Run(folder, activations, machines, n_faults, seed)
        try:
            h = run.run(kinds)
            for n in range(REAL):
                verify_leases(run.cluster.first, n)
            said = history.figures(h)
            return line(run, said), [*history.check(h),
                                     *lacking(run, said, kinds)]
        finally:
            run.close()


def lacking(run, said, kinds):
    """What a run must have met for its check to say anything."""
    for kind in kinds or ():
        if not run.faults[kind]:
            yield f"no fault: {kind}"
    # a short run may have no real client below its threshold
    is_whole = set(kinds or ()) == set(FAULTS)
    for what in ("answered", "leases", "no_lease") if is_whole else ():
        if not said[what]:
            yield f"nothing of: {what}"
    if not any(a.status == OK for a in run.real):
        yield "no real client was answered"


def verify_leases(site, n):
    for product in IDS.values():
        if os.path.exists(os.path.join(
                site.path("machines", str(n)), "var/lib/muster/agent/leases",
                product + ".lease")):
            site.verify(n, product)


def main():
    given = [int(a) for a in sys.argv[1:]]
    activations, machines, faults, seed = (
        given + [100000, 2000, 200, secrets.randbits(31)][len(given):])
    print(f"seed {seed}", flush=True)
    # each kind once, the others are drawn
    kinds = list(FAULTS) if faults >= len(FAULTS) else None
    said, bad = play(activations, machines, faults, seed, kinds)
    for sentence in bad[:50]:
        print("impossible:", sentence)
    print(said + ("" if not bad else f"; {len(bad)} IMPOSSIBLE"))
    return 1 if bad else 0


if __name__ == "__main__":
    sys.exit(main())
