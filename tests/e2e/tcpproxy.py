# SPDX-License-Identifier: MIT
"""A link between host and server that a test can cut, hold up, and cut at the
very moment of a commit."""
import re
import socket
import threading
import time

BEGIN = b"\0m0\0"
COMMIT = b"\0m1\0"  # the portal without a name, bound to our COMMIT
DONE = b"COMMIT\0"  # the server's answer to it
# machines of the tests' own, see cluster.cmid()
CMID = re.compile(rb"\0\0\0\0\0\xac\xce\x55.{8}", re.S)


class Proxy:
    def __init__(self, port, at=("127.0.0.1", 0), sees=True):
        """`sees`: it looks for commits."""
        self.to, self.sees = port, sees
        self.refuses = False
        self.cuts = []  # when, and whom the transaction was about
        self.listener = socket.create_server(at)
        self.port = self.listener.getsockname()[1]
        self.lock = threading.Lock()
        self.links = set()
        self.cut = None  # "before": COMMIT is lost; "after": its answer
        self.was_cut = threading.Event()
        self.flows = threading.Event()
        self.flows.set()
        threading.Thread(target=self.accept, daemon=True).start()

    def accept(self):
        while True:
            try:
                near, _ = self.listener.accept()
            except OSError:
                return
            try:
                far = socket.create_connection(("127.0.0.1", self.to), 5)
            except OSError:
                near.close()
                continue
            far.settimeout(None)
            link = Link(self, near, far)
            with self.lock:
                self.links.add(link)
            if self.refuses:
                link.close()
            else:
                link.start()

    def cut_all(self):
        with self.lock:
            links = list(self.links)
        for link in links:
            link.close()

    def refuse(self):
        """Whatever is open is cut, and nobody comes through."""
        self.refuses = True
        self.cut_all()

    def take(self):
        self.refuses = False

    def hold(self):
        self.flows.clear()

    def go_on(self):
        self.flows.set()

    def arm(self, when):
        self.was_cut.clear()
        self.cut = when

    def close(self):
        self.flows.set()
        try:
            self.listener.shutdown(socket.SHUT_RDWR)
        except OSError:
            pass
        self.listener.close()
        self.cut_all()


class Link:
    def __init__(self, proxy, near, far):
        self.proxy, self.near, self.far = proxy, near, far
        self.is_committing = False
        self.tail = b""
        self.sent = b""  # of the transaction
        self.committed = 0.0

    def start(self):
        for a, b, see in ((self.near, self.far, self.from_host),
                          (self.far, self.near, self.from_server)):
            threading.Thread(target=self.pump, args=(a, b, see),
                             daemon=True).start()

    def pump(self, a, b, see):
        try:
            while True:
                data = a.recv(65536)
                if not data:
                    break
                self.proxy.flows.wait()
                passes = see(data) if self.proxy.sees else True
                if passes is False:
                    break
                if passes:
                    b.sendall(data)
        except OSError:
            pass
        self.close()

    def from_host(self, data):
        self.sent += data
        self.sent = self.sent[max(self.sent.rfind(BEGIN), 0):]
        if COMMIT not in data:
            return True
        self.committed = time.monotonic()
        if self.proxy.cut == "before":
            self.note_cut()
            return False
        self.is_committing = self.proxy.cut is not None
        return True

    def note_cut(self):
        who = {c.hex() for c in CMID.findall(self.sent)}
        self.proxy.cuts.append((self.committed, sorted(who)))
        self.proxy.cut = None
        self.proxy.was_cut.set()

    def from_server(self, data):
        """Nothing of a commit's answer is passed on; the link ends with it."""
        if not self.is_committing:
            return True
        self.tail = (self.tail + data)[-65536:]
        if DONE not in self.tail:
            return None
        self.note_cut()
        return False

    def close(self):
        for s in (self.near, self.far):
            try:
                s.shutdown(socket.SHUT_RDWR)
            except OSError:
                pass
            s.close()
        with self.proxy.lock:
            self.proxy.links.discard(self)
