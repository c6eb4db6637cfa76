# SPDX-License-Identifier: MIT
"""Faults of hosts with one count, of their servers and of the links between
them, each with its end.  Those that can pass unnoticed last until a machine is
told BUSY, and are counted as felt then."""
import collections
import contextlib
import signal
import socket
import struct
import threading
import time

import pgserver
import tcpproxy

HOSTS = 4
ARMED_S, HEAL_S = 10, 60
NAMES = ("one", "two")
# Weights, and who can come together with another.
FAULTS = {"host_kill": 30, "host_restart": 10, "host_pause": 10, "cut": 20,
          "cut_all": 10, "stall": 20, "stall_long": 2, "answer_lost": 45,
          "commit_lost": 15, "server_kill": 12, "server_restart": 6,
          "server_crash": 6, "standby_kill": 6, "standby_cut": 10,
          "promote": 14, "promote_alive": 6, "no_connections": 5,
          "read_only": 5, "row_held": 5, "table_held": 4}
ON_LINKS = ("cut", "cut_all", "answer_lost", "commit_lost")
TO_FEEL = ("standby_cut", "no_connections", "read_only", "row_held",
           "table_held")
CROWD = "crowd"  # sessions of nobody


class Servers:
    """A primary and its synchronous standby, in two places; the standby
    follows by a link that can be cut."""

    def __init__(self):
        self.at = [self.server(0), None]
        self.ports = [self.at[0].port, pgserver.free_port()]
        self.links = [tcpproxy.Proxy(port, sees=False) for port in self.ports]
        self.first = 0  # place of the primary
        self.promotions = 0
        self.primary.start().make()
        self.rebuild()

    @staticmethod
    def server(place, **more):
        # a standby whose link was cut looks for it ten times as often
        return pgserver.Server(name=NAMES[place], fsync="off",
                               wal_retrieve_retry_interval="'500ms'", **more)

    @property
    def primary(self):
        return self.at[self.first]

    @property
    def standby(self):
        return self.at[1 - self.first]

    @property
    def link(self):
        """From the standby to the primary."""
        return self.links[self.first]

    def rebuild(self):
        """A new standby in the other place."""
        place = 1 - self.first
        if self.at[place] is not None:
            self.at[place].remove()
        self.at[place] = self.server(
            place, standby_of=self.primary, link=self.link.port,
            port=self.ports[place])
        self.at[place].start()
        self.follow()

    def follow(self):
        self.primary.wait_standby(NAMES[1 - self.first])

    def promote(self):
        self.standby.promote()
        self.first = 1 - self.first
        self.promotions += 1

    def remove(self):
        for link in self.links:
            link.close()
        for s in self.at:
            if s is not None:
                s.remove()


def knock(port):
    """A session of the hosts' role that does nothing; None: no room."""
    s = socket.create_connection(("127.0.0.1", port), 10)
    body = struct.pack(">I", 3 << 16) + b"\0".join((
        b"user", pgserver.ROLE.encode(), b"database", b"muster",
        b"application_name", CROWD.encode(), b"", b""))
    s.sendall(struct.pack(">I", 4 + len(body)) + body)
    got = s.makefile("rb")
    while True:
        head = got.read(5)
        if head[:1] == b"Z":
            return s
        text = got.read(struct.unpack(">I", head[1:])[0] - 4) if head else b""
        if head[:1] in (b"", b"E"):
            assert b"C53300\0" in text, text
            s.close()
            return None


class Faults:
    """`load`: its n_busy says how many were told BUSY so far."""

    def __init__(self, rng, cluster, servers, proxies, load):
        self.rng, self.cluster = rng, cluster
        self.servers, self.proxies, self.load = servers, proxies, load
        self.done = collections.Counter()
        self.felt = collections.Counter()

    @property
    def n_done(self):
        return sum(self.done.values())

    def draw(self):
        return self.rng.choices(list(FAULTS), list(FAULTS.values()))[0]

    def one(self, name):
        """Sometimes a link is cut or a host stopped in the midst of it."""
        other = None
        if name not in ON_LINKS and self.rng.random() < 0.3:
            # drawn here: the timer's thread would take draws of this one
            other = self.rng.choice(("cut", "cut_all", "host_pause"))
            timer = threading.Timer(self.rng.uniform(0, 1), self.midst(other))
            timer.start()
        getattr(self, name)()
        self.done[name] += 1
        if other is not None:
            timer.join()
            self.done[other] += 1

    def midst(self, other):
        host = self.some_host()
        if other == "cut":
            return lambda: self.cut(host)
        # who is killed and started meanwhile is another process
        daemon = self.cluster.hosts[host].daemon
        return self.cut_all if other == "cut_all" else lambda: self.freeze(
            daemon, 1)

    def until_felt(self, name, more=lambda: True):
        """Until somebody is told BUSY, and a while longer."""
        before, end = self.load.n_busy, time.monotonic() + HEAL_S
        while not more() or self.load.n_busy == before:
            assert time.monotonic() < end, f"nobody feels {name}"
            time.sleep(0.02)
        self.felt[name] += 1
        time.sleep(self.rng.uniform(0, 1))

    # hosts

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

    @staticmethod
    def freeze(daemon, seconds):
        daemon.send_signal(signal.SIGSTOP)
        time.sleep(seconds)
        daemon.send_signal(signal.SIGCONT)

    def host_pause(self):
        """At times so long that the server ends a session with a lock."""
        self.freeze(self.cluster.hosts[self.some_host()].daemon,
                    self.rng.choice((0.2, 0.5, 1, 3, 12)))

    # links

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

    # servers

    def server_kill(self):
        self.servers.primary.restart(signal.SIGKILL)
        self.servers.follow()

    def server_restart(self):
        self.servers.primary.restart()
        self.servers.follow()

    def server_crash(self):
        """Its immediate shutdown: each session is left where it is."""
        self.servers.primary.restart(signal.SIGQUIT)
        self.servers.follow()

    def standby_kill(self):
        """Commits wait; some hosts leave them in doubt."""
        self.servers.standby.stop(signal.SIGKILL)
        time.sleep(self.rng.choice((0.2, 0.5, 1, 6)))
        self.servers.standby.start()
        self.servers.follow()

    def standby_cut(self):
        """Both servers live, and nothing passes between them."""
        link, holds = self.servers.link, self.rng.random() < 0.5
        if holds:
            link.hold()
        else:
            link.refuse()
        if self.felt["standby_cut"] == 0 or self.rng.random() < 0.5:
            self.until_felt("standby_cut")
        else:
            time.sleep(self.rng.uniform(0.1, 1))
        if holds:
            link.go_on()
        else:
            link.take()
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

    def no_connections(self):
        """Sessions of others take all that the role may have, until a host has
        none."""
        server, crowd = self.servers.primary, []
        ours = f"usename = '{pgserver.ROLE}' AND application_name <> '{CROWD}'"

        def is_out():
            server.sql("SELECT pg_terminate_backend(pid) FROM "
                       f"pg_stat_activity WHERE {ours}", "postgres")
            while (s := knock(server.port)) is not None:
                crowd.append(s)
            return int(server.sql("SELECT count(*) FROM pg_stat_activity "
                                  f"WHERE {ours}", "postgres")) < HOSTS

        try:
            self.until_felt("no_connections", is_out)
        finally:
            for s in crowd:
                s.close()

    def read_only(self):
        server = self.servers.primary
        server.configure("SET default_transaction_read_only = on")
        try:
            self.until_felt("read_only")
        finally:
            server.configure("RESET default_transaction_read_only")

    @contextlib.contextmanager
    def by_another(self, name, text):
        with self.servers.primary.holding(text):
            self.until_felt(name)
            yield

    def row_held(self):
        """A person has a group's row for longer than hosts wait for it."""
        with self.by_another("row_held", "SELECT 1 FROM muster.grp "
                             "ORDER BY random() LIMIT 1 FOR UPDATE"):
            pass

    def table_held(self):
        """Or the table of clients, with which each batch has to do."""
        with self.by_another("table_held",
                             "LOCK TABLE muster.client; SELECT 1"):
            pass
