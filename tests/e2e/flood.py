#!/usr/bin/python3
# SPDX-License-Identifier: MIT
"""The flood: silent and trickling sockets from many addresses and junk at
full speed from a few, against a host with one honest client beside them.  No
network is exempt.  Prints what the honest client saw, and what became of the
others.

usage: flood.py [SECONDS [SOCKETS]]
"""
import collections
import json
import os
import resource
import select
import socket
import subprocess
import sys
import tempfile
import threading
import time
import uuid

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)),
                                "../../tools"))
import demo  # noqa: E402
import wire  # noqa: E402

SERVER = uuid.UUID(demo.SERVER).bytes
HONEST, SLOW, JUNK = "127.0.1.1", "127.0.2.{}", "127.0.3.{}"
SOURCES, JUNKERS = 64, 8
WATCHED = 64  # slow sockets of one who has nothing else to do
TRICKLE_S = 0.1
SETTINGS = "exempt_networks = [ ];\n"
# the figures of a whole flood
P99_MS, RSS_MIB, SILENT_S, TRICKLE_MAX_S = 100, 32, 3, 1
LEAST_JUNK, LEAST_HONEST = 1000, 10  # a second; a slow machine has many times


class Honest:
    """Asks, one after another, until told; from an address of its own."""

    def __init__(self, port, address=HONEST):
        self.port, self.address = port, address
        self.took_s, self.statuses = [], collections.Counter()
        self.is_over = False
        self.thread = threading.Thread(target=self.run)
        self.thread.start()

    def one(self):
        with socket.create_connection(("127.0.0.1", self.port), 10,
                                      (self.address, 0)) as s:
            s.sendall(wire.record(wire.call(wire.ACTIVATE, wire.activate_args(
                SERVER, threshold=5))))
            s.shutdown(socket.SHUT_WR)
            out = b""
            while piece := s.recv(4096):
                out += piece
        body, = wire.split(out)
        return int.from_bytes(wire.accepted(body)[:4], "big")

    def run(self):
        while not self.is_over:
            begin = time.monotonic()
            try:
                self.statuses[self.one()] += 1
            except (OSError, ValueError) as e:
                self.statuses[repr(e)] += 1
            self.took_s.append(time.monotonic() - begin)
            time.sleep(0.005)

    def stop(self):
        self.is_over = True
        self.thread.join()

    def at(self, share):
        return sorted(self.took_s)[int(len(self.took_s) * share)] * 1000


def slow(port, n, seconds):
    """N sockets from SOURCES addresses, in the place of each that is closed
    another; every second one trickles.  In a process of its own, which says
    what it saw."""
    loop, open_, lives = select.epoll(), {}, {True: [], False: []}
    made = failed = 0
    record = wire.record(wire.call(wire.ACTIVATE))
    end = time.monotonic() + seconds
    last = 0

    def begin():
        nonlocal made, failed
        s = socket.socket()
        s.setblocking(False)
        s.bind((SLOW.format(1 + made % SOURCES), 0))
        made += 1
        try:
            s.connect(("127.0.0.1", port))
        except BlockingIOError:
            pass
        except OSError:
            failed += 1
            s.close()
            return
        open_[s.fileno()] = [s, made % 2 == 0, 0, 0, 0]
        loop.register(s.fileno(), select.EPOLLOUT)

    def on_event(fd, event):
        one = open_[fd]
        if one[2] == 0 and not event & ~select.EPOLLOUT:
            one[2] = time.monotonic()  # connected
            loop.modify(fd, select.EPOLLIN | select.EPOLLRDHUP)
        else:
            over(fd)

    def over(fd):
        s, trickles, begun, first, _ = open_.pop(fd)
        if begun:
            lives[trickles].append(time.monotonic() - (first or begun))
        loop.unregister(fd)
        s.close()

    while open_ or time.monotonic() < end:
        for _ in range(200):
            if len(open_) < n and time.monotonic() < end:
                begin()
        for fd, event in loop.poll(0.02, 1024):
            on_event(fd, event)
        now = time.monotonic()
        if now - last >= TRICKLE_S:
            last = now
            for one in open_.values():
                if one[1] and one[2]:
                    try:
                        one[0].send(record[one[4]:one[4] + 1])
                        one[3], one[4] = one[3] or now, one[4] + 1
                    except OSError:
                        pass
        if now > end + 60:
            break
    return {"made": made, "failed": failed, "left": len(open_),
            "silent_s": sorted(lives[False]),
            "trickling_s": sorted(lives[True])}


def junk(port, n, seconds):
    end, sent = time.monotonic() + seconds, 0
    while time.monotonic() < end:
        try:
            with socket.create_connection(("127.0.0.1", port), 2,
                                          (JUNK.format(1 + n), 0)) as s:
                s.sendall(os.urandom(400))
                sent += 1
        except OSError:
            pass
    return sent


def apart(*args):
    """This file again, in a process of its own, as one of the above."""
    return subprocess.Popen([sys.executable, os.path.abspath(__file__),
                             *map(str, args)], stdout=subprocess.PIPE,
                            text=True)


def result(process):
    return json.loads(process.communicate(timeout=600)[0])


def rss_mib(pid):
    with open(f"/proc/{pid}/status") as f:
        return next(int(line.split()[1]) / 1024 for line in f
                    if line.startswith("VmHWM"))


def host(folder, settings=""):
    site = demo.Site(folder)
    site.settings = SETTINGS + settings
    site.publish()
    site.start()
    site.activate_host()
    return site


def flood(site, seconds, sockets, junkers):
    """What all saw: a dictionary."""
    # who has thousands of sockets hears late of what became of one of them
    watch = apart("watch", site.port, WATCHED, seconds)
    others = [apart("slow", site.port, sockets, seconds)]
    others += [apart("junk", site.port, n, seconds) for n in range(junkers)]
    honest = Honest(site.port)
    out, *sent = [result(p) for p in others]
    honest.stop()
    out["watched"] = result(watch)
    out["junk"] = sum(sent)
    out["honest"] = honest
    out["rss_mib"] = rss_mib(site.daemon.pid)
    status = json.loads(demo.run("muster", "host", "status", "--root",
                                 site.host_root, "--json"))
    out["connections"] = status["connections"]
    return out


def log_seconds(site):
    """Lines of the log about sources, and the rest."""
    with open(site.path("musterd.log")) as f:
        lines = f.read().splitlines()
    return [x for x in lines if x.startswith("source: ")], lines


def main():
    if sys.argv[1:2] in (["slow"], ["junk"], ["watch"]):
        # the flood of others takes no processor from the host
        os.nice(0 if sys.argv[1] == "watch" else 10)
        kind, *numbers = sys.argv[1:]
        hard = resource.getrlimit(resource.RLIMIT_NOFILE)[1]
        resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
        print(json.dumps({"slow": slow, "junk": junk, "watch": slow}[kind](
            *map(int, numbers))))
        return 0
    seconds, sockets = (list(map(int, sys.argv[1:])) + [30, 10000][
        len(sys.argv) - 1:])
    hard = resource.getrlimit(resource.RLIMIT_NOFILE)[1]
    resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
    with tempfile.TemporaryDirectory(prefix="muster-flood.") as folder:
        site = host(folder)
        try:
            alone = Honest(site.port)
            time.sleep(2)
            alone.stop()
            out = flood(site, seconds, sockets, JUNKERS)
        finally:
            site.stop()
        told, _ = log_seconds(site)
    honest, c = out["honest"], out["connections"]
    print(f"alone: p50 {alone.at(.5):.2f} ms, p99 {alone.at(.99):.2f} ms")
    print("slow:", {k: v for k, v in out.items() if k in
                    ("made", "failed", "left", "junk")})
    print("host:", c, f"{len(told)} lines about sources")
    bad = {k: n for k, n in honest.statuses.items() if k != 0}
    last = {k: out["watched"][k][-1] for k in ("silent_s", "trickling_s")}
    late = {k: out[k][-1] if out[k] else 0
            for k in ("silent_s", "trickling_s")}
    print(f"honest p50 {honest.at(.5):.2f} ms, p99 {honest.at(.99):.2f} ms of "
          f"{len(honest.took_s)}, failed {bad or 0}; RSS "
          f"{out['rss_mib']:.1f} MiB; closed: silent after at most "
          f"{last['silent_s']:.2f} s, trickling {last['trickling_s']:.2f} s of "
          f"{out['watched']['made']} watched, {late['silent_s']:.2f} and "
          f"{late['trickling_s']:.2f} s as those hear it that are many; "
          f"{out['made']} slow, {c['most_open']} of them at once with the "
          f"host, {out['junk']} junk")
    # a flood that was none says nothing
    was_one = out["made"] >= sockets and out["junk"] >= LEAST_JUNK * seconds \
        and len(honest.took_s) >= LEAST_HONEST * seconds
    is_good = was_one and not bad and out["left"] == 0 and c["refused"] > 0 and \
        honest.at(.99) <= P99_MS and out["rss_mib"] <= RSS_MIB and \
        last["silent_s"] <= SILENT_S and \
        last["trickling_s"] <= TRICKLE_MAX_S
    return 0 if is_good else 1


if __name__ == "__main__":
    sys.exit(main())
