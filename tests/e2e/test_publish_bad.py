# SPDX-License-Identifier: MIT
"""Goal: what a name server, or who plays one, answers wrongly is never taken
for success, and `muster host dns` says what it was."""
import contextlib
import socket
import struct
import threading
import time

import dns.flags
import dns.message
import dns.rrset
import dns.tsig
import pytest

import demo
import nameserver
from test_publish import (OWNER, eventually, hosts, line, zone)  # noqa: F401

HOUR_S = 3600


class Fake:
    """A name server of our own making; `mode` names what it does wrong."""

    def __init__(self, key):
        self.key, self.mode, self.n_updates = key, "good", 0
        self.dns_key = dns.tsig.Key(key.name, key.secret, key.algorithm)
        self.udp, self.tcp = nameserver.listen()
        self.port = self.udp.getsockname()[1]
        self.is_over = False
        self.threads = [threading.Thread(target=f, daemon=True)
                        for f in (self._udp, self._tcp)]
        for t in self.threads:
            t.start()

    def close(self):
        self.is_over = True
        with contextlib.suppress(OSError):
            self.udp.sendto(b"", ("127.0.0.1", self.port))
        with contextlib.suppress(OSError):
            socket.create_connection(("127.0.0.1", self.port)).close()
        for t in self.threads:
            t.join(10)
        self.udp.close()
        self.tcp.close()

    def _udp(self):
        while True:
            data, peer = self.udp.recvfrom(65535)
            if self.is_over:
                return
            if self.mode == "silent":
                continue
            good = self.soa(data)
            if self.mode == "other ids first":
                for n in range(1, 4):
                    other = bytes([good[0], good[1] ^ n]) + good[2:]
                    self.udp.sendto(other, peer)
                self.udp.sendto(b"x", peer)
                with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as s:
                    # the right id from another port, with another zone
                    s.sendto(self.soa(data, "evil.test."), peer)
            if self.mode == "soa by tcp":
                good = good[:2] + bytes([good[2] | 2]) + good[3:]
            self.udp.sendto(good, peer)

    def soa(self, data, zone="corp.test."):
        r = dns.message.make_response(dns.message.from_wire(data))
        if self.mode == "soa refused":
            r.set_rcode(5)
        elif self.mode == "no zone":
            zone = "."
        r.authority.append(dns.rrset.from_text(
            zone, 60, "IN", "SOA", "ns.corp.test. x. 1 2 3 4 5"))
        return r.to_wire()

    def _tcp(self):
        while True:
            s, _ = self.tcp.accept()
            with s:
                if self.is_over:
                    return
                with contextlib.suppress(OSError):
                    self._serve(s)

    def _serve(self, s):
        s.settimeout(10)
        f = s.makefile("rb")
        n, = struct.unpack(">H", f.read(2))
        data = f.read(n)
        if data[2] >> 3 & 15 == 0:
            out = self.soa(data)
        else:
            self.n_updates += 1
            out = self.answer(data)
        if out is None:
            if self.mode == "hold":
                s.recv(1)  # until the other side has had enough
            return
        out = struct.pack(">H", len(out)) + out
        if self.mode == "byte by byte":
            s.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            for i in range(len(out)):
                s.sendall(out[i:i + 1])
        elif self.mode == "half an answer":
            s.sendall(out[:-5])
        elif self.mode == "length only":
            s.sendall(b"\0\0")
        else:
            s.sendall(out)

    def answer(self, data):
        asked = dns.message.from_wire(
            data, keyring={self.dns_key.name: self.dns_key})
        head = struct.pack(">HHHHHH", asked.id, 0xa800, 0, 0, 0, 0)
        if self.mode in ("closed", "hold"):
            return None
        if self.mode == "unsigned":
            return head
        if self.mode == "unsigned refusal":
            return head[:3] + b"\5" + head[4:]
        if self.mode == "huge":
            return head[:6] + b"\0\1" + head[8:] + bytes(
                b"\1a\0\0\1\0\1\0\0\0\0" + struct.pack(
                    ">H", 65535 - 12 - 13) + bytes(65535 - 12 - 13))
        if self.mode == "echo":
            return data
        return self.signed(asked)

    def signed(self, asked):
        reply = dns.message.Message(id=asked.id)
        reply.flags = 0xa800
        key = self.dns_key
        if self.mode == "other id":
            reply.id ^= 1
        if self.mode == "other key":
            key = dns.tsig.Key("foreign", key.secret, key.algorithm)
        if self.mode == "other secret":
            key = dns.tsig.Key(key.name, bytes(32), key.algorithm)
        reply.use_tsig({key.name: key}, key.name, algorithm=key.algorithm)
        reply.request_mac = asked.mac
        if self.mode == "of another request":
            reply.request_mac = bytes(32)
        now = time.time
        try:
            if self.mode == "an hour ago":
                dns.message.time.time = lambda: now() - HOUR_S
            wire = reply.to_wire()
        finally:
            dns.message.time.time = now
        if self.mode in ("short mac", "long mac"):
            wire = self.resize(wire, 16 if self.mode == "short mac" else 48)
        return wire

    def resize(self, wire, n):
        """The same answer with a MAC of n bytes."""
        name = len(self.dns_key.name.to_wire()) + 12
        at = name + 10 + len(self.dns_key.algorithm.to_wire()) + 8
        size, = struct.unpack(">H", wire[at:at + 2])
        assert size == 32
        mac = (wire[at + 2:at + 2 + size] + bytes(64))[:n]
        rdata, = struct.unpack(">H", wire[name + 8:name + 10])
        return (wire[:name + 8] + struct.pack(">H", rdata - size + n) +
                wire[name + 10:at] + struct.pack(">H", n) + mac +
                wire[at + 2 + size:])


@pytest.fixture()
def fake():
    f = Fake(nameserver.Key("hosts.corp.test"))
    yield f
    f.close()


GOOD = ["good", "byte by byte", "other ids first", "soa by tcp"]
BAD = {
    "unsigned": "UNSIGNED",
    "unsigned refusal": "REFUSED",
    "short mac": "MAC_LENGTH",
    "long mac": "MAC_LENGTH",
    "other id": "MISMATCH",
    "echo": "MISMATCH",
    "other key": "OTHER_KEY",
    "other secret": "MAC_WRONG",
    "of another request": "MAC_WRONG",
    "an hour ago": "OTHER_TIME",
    "closed": "CLOSED",
    "half an answer": "CLOSED",
    "length only": "BROKEN",
    "huge": "UNSIGNED",
    "soa refused": "REFUSED",
    "no zone": "NO_ZONE",
    "silent": "SILENT",
}


def publish(h):
    code, out = h.muster("host", "dns", "publish")
    d, = out["domains"]
    return code, d


def test_b21_no_wrong_answer_counts(hosts, fake, tmp_path):  # noqa: F811
    h = hosts("h", publish_server=f"127.0.0.1:{fake.port}",
              publish_key_file=fake.key.write(str(tmp_path / "k"))).start()
    assert h.outcome() == "OK"
    for mode, word in BAD.items():
        fake.mode = mode
        code, d = publish(h)
        assert (code, d["state"], d["result"]) == (1, "failed", word), mode
        text = demo.run("muster", "host", "dns", "--root", h.root)
        assert f"{word} at 127.0.0.1:{fake.port}: {d['message']}" in text
        assert f"to add by hand:\n    {d['zone_line']}" in text
    for mode in GOOD:
        fake.mode = mode
        code, d = publish(h)
        assert (code, d["state"], d["result"]) == (0, "published", "OK"), mode
    fake.mode = "unsigned refusal"
    code, out = h.muster("host", "dns", "withdraw")
    d, = out["domains"]
    assert (code, d["state"], d["may_stand"]) == (1, "failed",
                                                  [d["zone_line"]])
    assert h.p.poll() is None


def test_b20_publish_and_withdraw_by_hand(hosts, zone):  # noqa: F811
    h = hosts("h", **zone.settings).start()
    assert h.outcome() == "OK"
    code, out = h.muster("host", "dns", "withdraw")
    d, = out["domains"]
    assert code == 0 and d["state"] == "none" and not d.get("may_stand")
    assert zone.records(OWNER) == []
    time.sleep(2.5)  # longer than the host takes to look around
    assert zone.records(OWNER) == []
    text = demo.run("muster", "host", "dns", "show", "--root", h.root)
    assert "no: withdrawn by hand" in text and "to add by hand" in text
    text = demo.run("muster", "host", "status", "--root", h.root)
    assert "dns             not published: withdrawn by hand" in text
    code, d = publish(h)
    assert code == 0 and zone.records(OWNER) == [line(h)]
    text = demo.run("muster", "host", "status", "--root", h.root)
    assert "dns             published in 1 of 1 domains\n" in text
    h.muster("host", "dns", "withdraw")
    h.stop()
    h.start()  # a withdrawal lasts until the next start
    assert eventually(lambda: zone.records(OWNER) == [line(h)])


def test_b21_the_primary_goes_and_comes_back(hosts, zone):  # noqa: F811
    h = hosts("h", **zone.settings).start()
    assert h.outcome() == "OK"
    zone.stop()
    h.stop(9)
    h.port = nameserver.free_port()  # meanwhile it moves
    h.start()
    assert h.outcome() == "UNREACHABLE"
    code, d = publish(h)
    assert code == 1 and d["result"] == "UNREACHABLE"
    assert len(d["may_stand"]) == 2
    assert eventually(lambda: len(h.kept()) == 2)
    assert h.text().count(": UNREACHABLE: ") == 1  # once per change
    assert "may still stand" in demo.run("muster", "host", "dns", "--root",
                                         h.root)
    zone.start()
    code, d = publish(h)
    assert code == 0 and zone.records(OWNER) == [line(h)]
    assert eventually(lambda: len(h.kept()) == 1)


def test_b21_by_hand_when_it_may_not(hosts, zone):  # noqa: F811
    """Switched off: nothing is sent but a withdrawal that is asked for."""
    h = hosts("h", **zone.settings).start()
    assert h.outcome() == "OK"
    h.stop()
    h.start(publish=False)
    code, out = h.muster("host", "dns", "publish")
    assert code == 1 and out["error"]["code"] == "not_published"
    assert "publish = false" in out["error"]["message"]
    assert zone.records(OWNER) == [line(h)]
    assert h.muster("host", "dns", "withdraw")[0] == 0
    assert zone.records(OWNER) == []
    assert h.muster("host", "dns", "away")[0] == 2


def test_b21_a_stop_waits_five_seconds_at_most(hosts, fake,  # noqa: F811
                                               tmp_path):
    h = hosts("h", publish_server=f"127.0.0.1:{fake.port}",
              publish_withdraw=True,
              publish_key_file=fake.key.write(str(tmp_path / "k"))).start()
    assert h.outcome() == "OK"
    fake.mode = "hold"
    begin = time.monotonic()
    h.stop()
    assert 4 < time.monotonic() - begin < 12
    assert len(h.kept()) == 1  # it may stand: the next start sees to it
    fake.mode = "good"
    h.start()
    assert h.outcome() == "OK"
    h.stop()
    assert h.kept() == []
