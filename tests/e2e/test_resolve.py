# SPDX-License-Identifier: MIT
"""Goal: what a client learns from a name server is exact, whatever the server
is or does: real ones from the distribution, and one that is out for harm."""
import concurrent.futures
import os
import socket
import struct
import subprocess
import threading
import time

import dns.flags
import dns.message
import dns.rcode
import dns.rdatatype
import dns.rrset
import pytest

import nameserver
from conftest import REPO

PROBE = os.path.join(REPO, "build/tests/resolve_probe")
OWNER = nameserver.OWNER
ZONES = [
    nameserver.Zone("corp.example", [
        f"{OWNER} SRV 10 60 1688 kms1", f"{OWNER} SRV 10 40 1688 kms2",
        f"{OWNER} SRV 20 0 1689 kms3.lab.example.",
        f"{OWNER} SRV 0 0 0 kms1",
        "kms1 A 127.0.0.1", "kms2 A 127.0.0.1", "kms2 AAAA ::1",
        "kms2 A 127.0.0.2", "www A 127.0.0.1", "a CNAME b", "b CNAME a",
        "alias CNAME kms1", "gone CNAME nobody", "text TXT nothing"]),
    nameserver.Zone("lab.example", [f"{OWNER} CNAME {OWNER}.corp.example."]),
    nameserver.Zone("many.example",
                    [f"{OWNER} SRV 1 {n} 1688 a-rather-long-name-of-host-{n}"
                     for n in range(300)]),
    nameserver.Zone("none.example", [f"{OWNER} SRV 0 0 0 ."]),
    nameserver.Zone("zero.example", [f"{OWNER} SRV 0 0 0 kms1"]),
    nameserver.Zone("empty.example", [f"{OWNER} TXT nothing"]),
    nameserver.Zone("loop.example", [f"{OWNER} CNAME x", "x CNAME y",
                                     f"y CNAME {OWNER}"]),
    nameserver.Zone("chain.example", [f"{OWNER} CNAME c1"] + [
        f"c{n} CNAME c{n + 1}" for n in range(1, 7)] + [
        "c7 SRV 1 1 1688 kms1.corp.example."]),
]


def probe(kind, server, name, *more, wrap=()):
    p = subprocess.run([*wrap, PROBE, kind, server, name, *more], timeout=240,
                       capture_output=True, text=True)
    assert p.returncode == 0, p.stderr
    word, *rest = p.stdout.splitlines()
    return word, rest


@pytest.fixture(scope="module", ids=lambda p: f"{p[0].__name__}-{p[1]}",
                params=[(nameserver.Bind, "127.0.0.1"),
                        (nameserver.Knot, "127.0.0.1"),
                        (nameserver.Bind, "::1"), (nameserver.Knot, "::1")])
def server(request, tmp_path_factory):
    kind, address = request.param
    with kind(tmp_path_factory.mktemp("dns"), ZONES, address=address) as s:
        where = f"[{address}]" if ":" in address else address
        s.where = f"{where}:{s.port}"
        yield s


def test_b22_srv_records_are_read(server):
    word, rest = probe("srv", server.where, "corp.example")
    assert word == "ok"
    assert sorted(rest) == ["10 40 1688 kms2.corp.example",
                            "10 60 1688 kms1.corp.example",
                            "20 0 1689 kms3.lab.example", "dropped 1"]


def test_b22_an_alias_of_the_owner_is_followed(server):
    assert probe("srv", server.where, "lab.example")[1][-1] == "dropped 1"
    assert probe("srv", server.where, "chain.example")[1][0] == \
        "1 1 1688 kms1.corp.example"


def test_b22_300_records_come_by_tcp(server):
    word, rest = probe("srv", server.where, "many.example")
    assert word == "ok" and len(rest) == 301 and rest[-1] == "dropped 0"
    assert "1 299 1688 a-rather-long-name-of-host-299.many.example" in rest


@pytest.mark.parametrize("domain,want", [
    ("nobody.corp.example", "nxdomain"), ("empty.example", "nodata"),
    ("none.example", "no_service"), ("zero.example", "range"),
    ("loop.example", "alias")])
def test_b22_each_failure_has_its_own_outcome(server, domain, want):
    if want == "alias" and isinstance(server, nameserver.Bind):
        want = "servfail"  # it gives up by itself, and says so
    assert probe("srv", server.where, domain) == (want, [])


def test_b22_a_server_that_is_not_responsible_refuses(server):
    assert probe("srv", server.where, "else.where")[0] == "dns_refused"


@pytest.mark.parametrize("name,want", [
    ("kms1.corp.example", ("ok", ["127.0.0.1"])),
    ("alias.corp.example", ("ok", ["127.0.0.1"])),
    ("kms2.corp.example", ("ok", ["::1", "127.0.0.1", "127.0.0.2"])),
    ("text.corp.example", ("resolve", [])),
    ("nobody.corp.example", ("resolve", [])),
    ("gone.corp.example", ("resolve", [])),
    ("a.corp.example", ("alias", [])),
    ("kms1.else.where", ("dns_refused", [])),
    ("127.0.0.9", ("ok", ["127.0.0.9"])),
])
def test_b23_addresses_come_from_the_resolver_alone(server, name, want):
    word, rest = probe("host", server.where, name)
    if want[0] == "alias" and isinstance(server, nameserver.Bind):
        want = ("servfail", [])
    if len(rest) == 3:  # the server gives those of one family in any order
        rest[1:] = sorted(rest[1:])
    assert (word, rest) == want


def test_b22_a_server_that_is_gone_is_silent():
    begin = time.monotonic()
    port = nameserver.free_port()
    assert probe("srv", f"127.0.0.1:{port}", "corp.example")[0] == \
        "dns_timeout"
    assert time.monotonic() - begin < 5


def test_b22_a_server_is_asked_over_ipv6(tmp_path):
    hostile = Hostile(lambda q: answer(q, "1 1 1688 kms1.corp.example."),
                      family=socket.AF_INET6)
    word, rest = probe("srv", hostile.where, "corp.example")
    hostile.close()
    assert (word, rest[0]) == ("ok", "1 1 1688 kms1.corp.example")


# ---- a server that is out for harm ----

def answer(query, *rdata, rcode=0, owner=None):
    reply = dns.message.make_response(query)
    reply.set_rcode(rcode)
    name = query.question[0].name if owner is None else owner
    if rdata:
        reply.answer.append(dns.rrset.from_text(name, 60, "IN", "SRV", *rdata))
    return reply.to_wire()


class Hostile:
    """Answers each query by a function of it; None is silence."""

    def __init__(self, reply, family=socket.AF_INET, tcp=None):
        self.reply, self.tcp, self.n = reply, tcp, 0
        self.s, self.listener = nameserver.listen(family)
        host, port = self.s.getsockname()[:2]
        self.where = f"[::1]:{port}" if ":" in host else f"{host}:{port}"
        threading.Thread(target=self.run, daemon=True).start()
        if not tcp:  # nobody listens there
            self.listener.close()
            self.listener = None
        else:
            threading.Thread(target=self.run_tcp, daemon=True).start()

    def run(self):
        while True:
            try:
                data, peer = self.s.recvfrom(4096)
            except OSError:
                return
            self.n += 1
            out = self.reply(dns.message.from_wire(data))
            for piece in out if isinstance(out, list) else [out]:
                if piece is not None:
                    self.s.sendto(piece, peer)

    def run_tcp(self):
        while True:
            try:
                c, _ = self.listener.accept()
            except OSError:
                return
            self.tcp(c)

    def close(self):
        self.s.close()
        if self.listener:
            self.listener.shutdown(socket.SHUT_RDWR)
            self.listener.close()


GOOD = "1 1 1688 kms1.corp.example."


def other_id(q):
    reply = answer(q, GOOD)
    return struct.pack(">H", q.id ^ 1) + reply[2:]


def other_question(q):
    x = dns.message.make_query("_muster._tcp.evil.example", "SRV", id=q.id)
    return answer(x, "1 1 1688 kms.evil.example.")


def truncated(q):
    reply = dns.message.make_response(q)
    reply.flags |= dns.flags.TC | dns.flags.AA
    return reply.to_wire()


def no_pointer_ends(q):
    """A name that points at itself."""
    at = len(answer(q))  # where the record begins
    return answer(q, GOOD)[:at] + bytes([0xc0, at]) + answer(q, GOOD)[at + 2:]


def huge_count(q):
    reply = bytearray(answer(q, GOOD))
    reply[6:8] = b"\xff\xff"
    return bytes(reply)


def rcode(n):
    return lambda q: answer(q, rcode=n)


HARM = {
    "servfail": (rcode(2), {"servfail"}),
    "refused": (rcode(5), {"dns_refused"}),
    "format error": (rcode(1), {"servfail"}),
    "not implemented": (rcode(4), {"servfail"}),
    "silence": (lambda q: None, {"dns_timeout"}),
    "another id": (other_id, {"dns_timeout"}),
    "failure with another id": (
        lambda q: struct.pack(">H", q.id ^ 1) + answer(q, rcode=2)[2:],
        {"dns_timeout"}),
    "another question": (other_question, {"dns_timeout"}),
    "another's record": (lambda q: answer(q, GOOD, owner="evil.example."),
                         {"nodata"}),
    "empty datagram": (lambda q: b"", {"dns_timeout"}),
    "noise": (lambda q: os.urandom(400), {"dns_timeout"}),
    "header only": (lambda q: answer(q)[:12], {"dns_timeout", "proto"}),
    "noise behind the question": (
        lambda q: huge_count(q)[:12] + answer(q)[12:] + os.urandom(200),
        {"proto", "trunc", "toobig"}),
    "cut": (lambda q: answer(q, GOOD)[:-5], {"trunc"}),
    "bytes left over": (lambda q: answer(q, GOOD) + b"x", {"proto"}),
    "a name in a circle": (no_pointer_ends, {"proto"}),
    "count too large": (huge_count, {"trunc"}),
}


@pytest.fixture(scope="module")
def harmed():
    """All of them at once: some are silent for seconds."""
    servers = {how: Hostile(reply) for how, (reply, _) in HARM.items()}

    def one(how):
        begin = time.monotonic()
        return (*probe("srv", servers[how].where, "corp.example"),
                time.monotonic() - begin, servers[how].n)

    with concurrent.futures.ThreadPoolExecutor(len(HARM)) as pool:
        out = dict(zip(HARM, pool.map(one, HARM)))
    for s in servers.values():
        s.close()
    return out


@pytest.mark.parametrize("how", HARM)
def test_b23_a_hostile_server_does_no_harm(harmed, how):
    word, rest, spent, n = harmed[how]
    assert n > 0
    assert word in HARM[how][1] and rest == []
    assert spent < 7  # two tries of 2 s


def test_b23_the_right_answer_counts_among_wrong_ones():
    hostile = Hostile(lambda q: [other_id(q), other_question(q),
                                 answer(q, GOOD)])
    word, rest = probe("srv", hostile.where, "corp.example")
    hostile.close()
    assert (word, rest) == ("ok", ["1 1 1688 kms1.corp.example", "dropped 0"])


@pytest.mark.parametrize("kind", ["silent", "closed", "short", "nobody"])
def test_b22_truncation_leads_to_no_endless_wait(kind):
    def serve(c):
        held.append(c)
        if kind == "closed":
            c.close()
        elif kind == "short":
            c.sendall(b"\x02\x00" + bytes(100))

    held = []
    hostile = Hostile(truncated, tcp=None if kind == "nobody" else serve)
    begin = time.monotonic()
    word, _ = probe("srv", hostile.where, "corp.example")
    spent = time.monotonic() - begin
    hostile.close()
    assert word == "dns_timeout" and spent < 6
    assert (len(held) == 1) == (kind != "nobody")


def test_b22_aliases_end_with_the_time_that_the_caller_has():
    """Each answer leads to yet another name, and takes its time."""
    def lead_on(q):
        time.sleep(0.4)
        reply = dns.message.make_response(q)
        reply.answer.append(dns.rrset.from_text(
            q.question[0].name, 60, "IN", "CNAME",
            f"x{q.id}.corp.example."))
        return reply.to_wire()

    hostile = Hostile(lead_on)
    assert probe("srv", hostile.where, "corp.example") == ("alias", [])
    assert hostile.n == 9
    assert probe("srv", hostile.where, "corp.example", "1000") == \
        ("dns_timeout", [])
    assert 9 < hostile.n < 9 + 5  # one of them began before the end
    n = hostile.n
    for kind in "srv", "host":
        assert probe(kind, hostile.where, "corp.example", "0") == \
            ("dns_timeout", [])
    hostile.close()
    assert hostile.n == n


@pytest.mark.parametrize("dropped, address", [
    ("AAAA", "127.0.0.9"), ("A", None)])
def test_b23_a_server_that_drops_one_kind_of_question(dropped, address):
    seen = []

    def some(q):
        kind = dns.rdatatype.to_text(q.question[0].rdtype)
        seen.append(kind)
        if kind == dropped:
            return None
        reply = dns.message.make_response(q)
        reply.answer.append(dns.rrset.from_text(
            q.question[0].name, 60, "IN", kind,
            "127.0.0.9" if kind == "A" else "::9"))
        return reply.to_wire()

    hostile = Hostile(some)
    word, rest = probe("host", hostile.where, "kms1.corp.example")
    hostile.close()
    if address is None:  # silence to A is a server's silence
        assert (word, rest) == ("dns_timeout", []) and seen == ["A", "A"]
    else:
        assert (word, rest) == ("ok", [address])
        assert seen == ["A", "AAAA"]  # no second wait for what is dropped


def test_b22_names_are_asked_whole_and_with_chance(tmp_path):
    """No search list is applied by the C library, and numbers differ."""
    seen = []
    hostile = Hostile(lambda q: (seen.append(q), answer(q, rcode=3))[1])
    for _ in range(8):
        assert probe("srv", hostile.where, "corp.example")[0] == "nxdomain"
    hostile.close()
    assert {str(q.question[0].name) for q in seen} == \
        {"_muster._tcp.corp.example."}
    assert len(seen) == 8 and len({q.id for q in seen}) > 6
