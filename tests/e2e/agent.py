# SPDX-License-Identifier: MIT
"""A second implementation of agent.x, from doc/protocol.md alone, and the
agent as a process of a site's machine."""
import os
import shutil
import socket
import struct
import subprocess
import sys
import time
import uuid

import demo

LIST, INFO, ACTIVATE, SETTINGS, SET_HOSTS, SET_DOMAIN, SET_CACHING, \
    INSTALL_KEY, REARM, GENERALIZE = range(10)
DENIED, AGAIN, PRODUCT, KIND, RANGE = -12, -6, -20, -27, -24
STATES = ["unlicensed", "initial_grace", "licensed",
          "out_of_tolerance_grace", "notification"]
SOURCES = ["", "static", "cached", "dns"]
AGENT = os.path.join(demo.BIN, "muster-agent")
WAIT_S = 60
STARTS_MAX = 15  # in vain: once in 10^4 with four products
FEW = 4
SOON_S = 10  # of the 60 s over which a start spreads the first contacts

# A plain user is root in a namespace of its own, with the agent in it; seen
# from there, the user outside is uid 0 as well.
AS_ROOT = ("unshare", "-r") if os.geteuid() != 0 else ()


def text(s):
    b = s.encode()
    return struct.pack(">I", len(b)) + b + bytes(-len(b) % 4)


def call(op, arg=b""):
    body = struct.pack(">II", 1, op) + arg
    return struct.pack(">I", len(body) | 1 << 31) + body


class Reader:
    def __init__(self, data):
        self.data = data
        self.at = 0

    def take(self, n):
        assert self.at + n <= len(self.data)
        self.at += n
        return self.data[self.at - n:self.at]

    def u32(self):
        return struct.unpack(">I", self.take(4))[0]

    def i32(self):
        return struct.unpack(">i", self.take(4))[0]

    def i64(self):
        return struct.unpack(">q", self.take(8))[0]

    def text(self):
        n = self.u32()
        s = self.take(n)
        assert not any(self.take(-n % 4))
        return s.decode()

    def id(self):
        return str(uuid.UUID(bytes=self.take(16)))


def read_outcome(r):
    return {"target": r.text(), "err": r.i32(), "status": r.u32(),
            "host_time": r.i64(), "seconds": r.u32(), "request": r.take(8).hex()}


def read_info(r):
    i = {"product": r.id(), "publisher": r.id(), "name": r.text(),
         "publisher_name": r.text(), "state": STATES[r.u32()],
         "reason": r.i32(), "seconds_left": r.i64(), "count": r.u32(),
         "threshold": r.u32(), "renewal": r.u32(), "retry": r.u32(),
         "rearms_left": r.u32(), "first_seen": r.i64(), "answered": r.i64(),
         "asked": r.i64(), "due": r.i64(), "host": r.text(),
         "early": r.u32(), "round": r.i32()}
    i["outcomes"] = [read_outcome(r) for _ in range(r.u32())]
    i["source"], i["domain"] = SOURCES[r.u32()], r.text()
    return i


def read_reply(data):
    r = Reader(data)
    out = {"err": r.i32()}
    if out["err"] != 0:
        out["message"], out["next_step"] = r.text(), r.text()
        assert out["message"] and out["next_step"]
    else:
        op = r.u32()
        if op == LIST:
            out["products"] = [r.id() for _ in range(r.u32())]
        elif op in (INFO, ACTIVATE):
            out["info"] = read_info(r)
        elif op == SETTINGS:
            out["hosts"] = [r.text() for _ in range(r.u32())]
            out["domain"], out["caching"] = r.text(), r.u32()
        elif op == INSTALL_KEY:
            out["product"] = r.id()
    assert r.at == len(data)
    return out


def receive(s):
    data = b""
    while len(data) < 4 or len(data) < 4 + (
            struct.unpack(">I", data[:4])[0] & 0x7fffffff):
        piece = s.recv(8192)
        if not piece:
            raise ConnectionError(f"closed after {len(data)} bytes")
        data += piece
    mark = struct.unpack(">I", data[:4])[0]
    assert mark >> 31 and len(data) == 4 + (mark & 0x7fffffff) <= 4096
    return read_reply(data[4:])


def connect(path):
    end = time.monotonic() + WAIT_S
    while True:
        s = socket.socket(socket.AF_UNIX)
        s.settimeout(WAIT_S)
        try:
            s.connect(path)
            return s
        except BlockingIOError:  # more callers than the socket queues
            s.close()
            if time.monotonic() > end:
                raise
            time.sleep(0.005)


def ask(path, op, arg=b""):
    with connect(path) as s:
        s.sendall(call(op, arg))
        return receive(s)


def product(p):
    return uuid.UUID(p).bytes


class Machine:
    """A machine of a site on which the publisher's products are installed."""

    def __init__(self, site, n, hosts=None):
        self.site = site
        self.root = site.machine(n)
        folder = os.path.join(self.root, "usr/share/muster/products")
        os.makedirs(folder, exist_ok=True)
        self.key_file = os.path.join(folder, "acme.key")
        shutil.copy(site.path("acme.key"), self.key_file)
        os.makedirs(os.path.join(self.root, "etc/muster"), exist_ok=True)
        self.hosts(hosts if hosts is not None else [f"127.0.0.1:{site.port}"])
        self.sock = os.path.join(self.root, "run/muster/agent.sock")
        self.log = os.path.join(site.folder, f"agent-{n}.log")
        self.process = None
        self.binary = AGENT

    def hosts(self, names):
        with open(os.path.join(self.root, "etc/muster/agent.conf"), "w") as f:
            f.write("hosts = [ " + ", ".join(f'"{h}"' for h in names) + " ];\n")

    def state(self, *names):
        return os.path.join(self.root, "var/lib/muster/agent", *names)

    def lease(self, p):
        return self.state("leases", p + ".lease")

    def start(self, wrap=(), env=None):
        """The agent runs, and will not ask by itself in the next seconds: one
        that drew an early moment is started again."""
        self.run(wrap, env)
        for _ in range(STARTS_MAX):
            if wrap not in ((), AS_ROOT) or not self.is_hurried():
                break
            self.stop()
            self.run(wrap, env)
        return self

    def is_hurried(self):
        products = self.ask(LIST)["products"]
        if len(products) > FEW:
            return False  # one of many is always early
        infos = [self.info(p) for p in products]
        return any(i["asked"] == 0 and abs(i["due"] - time.time()) < SOON_S
                   for i in infos)

    def run(self, wrap=(), env=None):
        out = open(self.log, "a")
        begin = os.path.getsize(self.log)
        self.process = subprocess.Popen(
            [*wrap, self.binary, "--root", self.root], stdout=out, stderr=out,
            env={**os.environ, **(env or {})})
        end = time.monotonic() + WAIT_S
        while time.monotonic() < end and self.process.poll() is None:
            with open(self.log) as f:
                f.seek(begin)
                if "listening: " in f.read():
                    return self
            time.sleep(0.01)
        sys.exit("the agent did not start:\n" + open(self.log).read())

    def stop(self):
        if self.process is not None:
            self.process.terminate()
            assert self.process.wait(WAIT_S) == 0
            self.process = None

    def kill(self):
        if self.process is not None:
            self.process.kill()
            self.process.wait()
            self.process = None

    def once(self, wrap=(), env=None, log=None):
        p = subprocess.run([*wrap, AGENT, "--root", self.root, "--once"],
                           capture_output=True, text=True, timeout=240,
                           env={**os.environ, **(env or {})})
        assert p.returncode == 0, p.stderr
        if log is not None:
            log.append(p.stderr)
        out = {}
        for line in p.stdout.splitlines():
            who, state, due, asked = line.split()
            out[who] = {"state": state, "due": int(due), "asked": asked}
        return out

    def ask(self, op, arg=b""):
        return ask(self.sock, op, arg)

    def info(self, p):
        return self.ask(INFO, product(p))["info"]

    def activate(self, p):
        return self.ask(ACTIVATE, product(p))
