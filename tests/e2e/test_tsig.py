# SPDX-License-Identifier: MIT
"""Goal: signed updates by a second implementation (dnspython): it reads and
verifies what we write, we believe what it signs, and nothing else."""
import base64
import os
import random
import re
import struct
import subprocess

import dns.flags
import dns.message
import dns.name
import dns.opcode
import dns.rcode
import dns.rdatatype
import dns.tsig
import dns.update
import pytest

import demo
import nameserver
from test_man_programs import section, source

TOOL = os.path.join(demo.REPO, "build/tests/dns_tool")
NOW = 1_800_000_000
SEED = 20261
BADSIG, BADKEY, BADTIME, BADTRUNC = 16, 17, 18, 22


class Tool:
    def __init__(self):
        self.p = subprocess.Popen([TOOL], stdin=subprocess.PIPE,
                                  stdout=subprocess.PIPE, text=True)

    def __call__(self, *words):
        self.p.stdin.write(" ".join(map(str, words)) + "\n")
        self.p.stdin.flush()
        out = self.p.stdout.readline().split()
        assert out, words
        return out

    def close(self):
        self.p.stdin.close()
        assert self.p.wait(10) == 0


@pytest.fixture(scope="module")
def tool():
    t = Tool()
    yield t
    t.close()


@pytest.fixture(params=["hmac-sha256", "hmac-sha512"])
def key(request, tmp_path):
    k = nameserver.Key("Hosts.Example.test", request.param)
    k.file = k.write(str(tmp_path / "key"))
    k.dns = dns.tsig.Key(k.name, k.secret, request.param)
    return k


def clock(monkeypatch, now):
    """dnspython's clock."""
    monkeypatch.setattr(dns.message.time, "time", lambda: now)


def request(tool, key, ident=77, now=NOW):
    wire, mac = tool("update", ident, now, key.file, "corp.test",
                     "_muster._tcp.corp.test", "kms.corp.test", 1, 2, 1688,
                     3600)
    return bytes.fromhex(wire), mac


def answer(wire, key, rcode=0, error=0, other=b"", by=None):
    """The server's signed answer to a request, by this key or another."""
    asked = dns.message.from_wire(wire, keyring={key.dns.name: key.dns})
    reply = dns.message.Message(id=asked.id)
    reply.flags = dns.flags.QR | dns.opcode.to_flags(dns.opcode.UPDATE)
    reply.set_rcode(rcode)
    who = by or key.dns
    reply.use_tsig({who.name: who}, who.name, tsig_error=error,
                   other_data=other, algorithm=who.algorithm)
    reply.request_mac = asked.mac
    return reply.to_wire()


def judge(tool, key, mac, wire, ident=77, now=NOW):
    return tool("judge", ident, now, key.file, mac, wire.hex() or "-")[0]


def test_the_key_of_the_manual_page_signs(tool, tmp_path, monkeypatch):
    """Its form and its limits are those of the page, and no other."""
    clock(monkeypatch, NOW)
    page = section("musterd.conf.5", "THE KEY OF DNS UPDATES")
    limit = dict(re.findall(r"#define TSIG_(\w+) (\d+)\b",
                            source("src/discovery/tsig.h")))
    plain = " ".join(page.split())
    assert f"at most {limit['KEY_FILE_MAX']} bytes" in plain
    assert f"is {limit['SECRET_MIN']} to {limit['SECRET_MAX']} bytes in" in plain
    assert re.search(r"algorithm is (\S+) or (\S+), \.Cm secret", plain).groups() == \
        tuple(re.findall(r'"(hmac-\w+)"\)', source("src/discovery/tsig_key.c")))
    text = re.search(r"^\.Bd .*?\n(.*?)^\.Ed", page, re.S | re.M)[1]
    name, algorithm, secret = re.fullmatch(
        r'key "(.*)" \{\n\talgorithm (.*);\n\tsecret "(.*)";\n\};\n',
        text).groups()
    same = f"/* once */ key {name} {{ // in any order, without quotes\n" \
        f"secret {secret}; # base 64\nalgorithm {algorithm}; }};"
    key = nameserver.Key(name, algorithm, base64.b64decode(secret))
    key.dns = dns.tsig.Key(name, key.secret, algorithm)
    for one in (text, same):
        key.file = str(tmp_path / "key")
        (tmp_path / "key").write_text(one)
        wire, mac = request(tool, key)
        m = dns.message.from_wire(wire, keyring={key.dns.name: key.dns})
        assert m.had_tsig and m.mac.hex() == mac


def test_b20_dnspython_reads_and_verifies_our_updates(tool, key, monkeypatch):
    clock(monkeypatch, NOW)
    rng = random.Random(SEED)
    for n in range(200):
        owner = "_muster._tcp." + "x" * rng.randint(1, 63) + ".corp.test"
        p, w, port = (rng.randrange(65535) for _ in range(3))
        ttl = rng.randrange(2**31)
        wire, mac = tool("update", n, NOW, key.file, "Corp.Test", owner,
                         "KMS.corp.test", p, w, port, ttl)
        m = dns.message.from_wire(bytes.fromhex(wire),
                                  keyring={key.dns.name: key.dns})
        assert m.had_tsig and m.mac.hex() == mac and m.id == n
        assert m.opcode() == dns.opcode.UPDATE
        assert m.zone[0].name == dns.name.from_text("corp.test")
        alias, = m.prerequisite  # provided that there is none
        assert alias.name == dns.name.from_text(owner) and len(alias) == 0
        assert (alias.rdtype, alias.deleting) == (
            dns.rdatatype.CNAME, dns.rdataclass.NONE)
        gone, new = m.update
        assert gone.deleting == dns.rdataclass.NONE and gone.ttl == 0
        assert gone[0].port == port + 1
        assert new.ttl == ttl and new.rdclass == dns.rdataclass.IN
        assert new.to_text().split()[-4:] == [
            str(p), str(w), str(port), "KMS.corp.test."]
        assert new.name == dns.name.from_text(owner)


def test_b20_every_byte_of_an_answer_is_signed(tool, key, monkeypatch):
    """No byte of a signed answer can be another one and count."""
    clock(monkeypatch, NOW)
    wire, mac = request(tool, key)
    reply = answer(wire, key)
    assert judge(tool, key, mac, reply) == "OK"
    n = 12 + len(key.dns.name.to_wire())
    names = [*range(12, n), *range(n + 10, n + 10 + 13)]
    refused = set()
    for at in range(len(reply)):
        for flip in (1, 0x20, 0x80):
            bad = bytearray(reply)
            bad[at] ^= flip
            outcome = judge(tool, key, mac, bytes(bad))
            is_case = (flip == 0x20 and chr(reply[at]).isalpha() and
                       at in names)  # RFC 4343: the same name
            assert (outcome == "OK") == is_case, (at, flip, outcome)
            refused.add(outcome)
    # an answer cut anywhere, or with a byte behind it
    for n in range(len(reply)):
        assert judge(tool, key, mac, reply[:n]) in ("BROKEN", "MISMATCH")
    assert judge(tool, key, mac, reply + b"\0") == "BROKEN"
    assert {"MAC_WRONG", "MISMATCH", "BROKEN", "OTHER_KEY",
            "OTHER_ALGORITHM"} <= refused


def test_b20_the_time_of_an_answer(tool, key, monkeypatch):
    wire, mac = request(tool, key)
    for apart, word in ((0, "OK"), (300, "OK"), (-300, "OK"),
                        (301, "OTHER_TIME"), (-301, "OTHER_TIME"),
                        (36000, "OTHER_TIME")):
        clock(monkeypatch, NOW)
        asked = dns.message.from_wire(wire, keyring={key.dns.name: key.dns})
        clock(monkeypatch, NOW + apart)
        reply = dns.message.Message(id=77)
        reply.flags = 0xa800
        reply.use_tsig({key.dns.name: key.dns}, key.dns.name,
                       fudge=65535 if apart == 36000 else 300)
        reply.request_mac = asked.mac
        assert judge(tool, key, mac, reply.to_wire()) == word, apart
        reply.use_tsig({key.dns.name: key.dns}, key.dns.name, fudge=0)
        reply.request_mac = asked.mac
        assert judge(tool, key, mac, reply.to_wire()) == (
            "OK" if apart == 0 else "OTHER_TIME")


def test_b20_an_answer_to_another_request_is_none(tool, key, monkeypatch):
    clock(monkeypatch, NOW)
    wire, mac = request(tool, key)
    other, other_mac = request(tool, key, now=NOW + 1)
    assert mac != other_mac
    assert judge(tool, key, mac, answer(other, key)) == "MAC_WRONG"
    assert judge(tool, key, mac, answer(wire, key), ident=78) == "MISMATCH"
    assert judge(tool, key, mac, wire) == "MISMATCH"  # our own, echoed
    # a foreign key, another algorithm of the same key
    foreign = dns.tsig.Key("foreign", key.secret, key.algorithm)
    assert judge(tool, key, mac, answer(wire, key, by=foreign)) == "OTHER_KEY"
    twin = dns.tsig.Key(key.name, key.secret, "hmac-sha384")
    assert judge(tool, key, mac, answer(wire, key, by=twin)) == \
        "OTHER_ALGORITHM"


def tsig_record(key, mac, error=0, other=b"", n_said=None, ident=77):
    """A record of our own making, for MACs that no library would write."""
    data = (key.dns.algorithm.to_wire() + struct.pack(
        ">HIHH", 0, NOW, 300, len(mac) if n_said is None else n_said) + mac +
        struct.pack(">HHH", ident, error, len(other)) + other)
    return (key.dns.name.to_wire() + struct.pack(">HHIH", 250, 255, 0,
                                                 len(data)) + data)


def plain(rcode=0, n_tsig=0, ident=77):
    return struct.pack(">HHHHHH", ident, 0xa800 | rcode, 0, 0, 0, n_tsig)


def test_b20_macs_of_other_lengths(tool, key, monkeypatch):
    """Not even the right MAC cut to what RFC 8945 would allow."""
    clock(monkeypatch, NOW)
    wire, mac = request(tool, key)
    whole = dns.message.from_wire(
        answer(wire, key), keyring={key.dns.name: key.dns},
        request_mac=bytes.fromhex(mac)).mac
    good = plain(0, 1) + tsig_record(key, whole)
    assert judge(tool, key, mac, good) == "OK"
    sizes = [0, 1, 10, 16, len(whole) - 1, len(whole) + 1, 64 + 32, 65000]
    for n in sizes:
        cut = (whole + bytes(65535))[:n]
        assert judge(tool, key, mac, plain(0, 1) + tsig_record(key, cut)) == \
            "MAC_LENGTH", n
    for said in (0, len(whole) - 1, len(whole) + 1, 65535):
        assert judge(tool, key, mac, plain(0, 1) + tsig_record(
            key, whole, n_said=said)) == "BROKEN"
    two = plain(0, 2) + 2 * tsig_record(key, whole)
    assert judge(tool, key, mac, two) == "BROKEN"
    # behind the signature a record of an owner that no host has
    last = b"\1*\0" + struct.pack(">HHIH", 1, 1, 0, 4) + bytes(4)
    behind = plain(0, 2) + tsig_record(key, whole) + last
    assert judge(tool, key, mac, behind) == "BROKEN"


def test_b21_what_a_server_objects_is_never_success(tool, key, monkeypatch):
    clock(monkeypatch, NOW)
    wire, mac = request(tool, key)
    for error, word in ((BADSIG, "BADSIG"), (BADKEY, "BADKEY")):
        for rcode in (0, 9):
            assert judge(tool, key, mac, plain(rcode, 1) + tsig_record(
                key, b"", error)) == word
    # these two are signed, so an unsigned one is a forgery
    for error in (BADTIME, BADTRUNC, 99):
        assert judge(tool, key, mac, plain(9, 1) + tsig_record(
            key, b"", error)) == "MAC_LENGTH"
    for error, word in ((BADTIME, "BADTIME"), (BADTRUNC, "BADTRUNC"),
                        (99, "TSIG_ERROR"), (BADSIG, "BADSIG")):
        assert judge(tool, key, mac, answer(wire, key, rcode=9,
                                            error=error)) == word
    skew = struct.pack(">HI", 0, NOW + 4000)
    out = tool("judge", 77, NOW, key.file, mac, answer(
        wire, key, rcode=9, error=BADTIME, other=skew).hex())
    assert out == ["BADTIME", "4000"]
    assert judge(tool, key, mac, plain()) == "UNSIGNED"
    names = {n: dns.rcode.to_text(n) for n in range(1, 11)}
    for n in range(1, 16):
        word = names.get(n, "RCODE")
        assert judge(tool, key, mac, plain(n)) == word
        assert judge(tool, key, mac, answer(wire, key, rcode=n)) == word
        assert tool("judge", 77, NOW, "-", "-", plain(n).hex())[0] == word
    assert tool("judge", 77, NOW, "-", "-", plain().hex())[0] == "OK"


def test_b20_key_files(tool, tmp_path):
    """As tsig-keygen writes them, and none of another kind."""
    path = str(tmp_path / "k")

    def code(text):
        with open(path, "w") as f:
            f.write(text)
        return int(tool("key", path)[0])

    for name in ("hmac-sha256", "hmac-sha512"):
        text = subprocess.run(["/usr/sbin/tsig-keygen", "-a", name, "k.example"],
                              capture_output=True, text=True).stdout
        assert code(text) == 0
        for n in range(len(text.rstrip())):
            assert code(text[:n]) != 0, n
        assert code(text + text) == -3
        assert code("# by hand\n/* a */ // b\n" + text.upper().replace(
            "KEY", "key").replace("HMAC", "hmac")) in (0, -3)
    for name in ("hmac-md5", "hmac-sha1", "hmac-sha384"):
        text = subprocess.run(["/usr/sbin/tsig-keygen", "-a", name, "k.example"],
                              capture_output=True, text=True).stdout
        assert code(text) == -27
    good = 'key k { secret "%s"; algorithm "HMAC-SHA256"; };'
    assert code(good % ("A" * 24)) == 0
    assert code(good % ("A" * 12)) == -24
    assert code(good % ("A" * 400)) == -24
    assert code(good % ("A" * 23)) == -3
    assert code(good % "") == -24
    assert code(good.replace("};", "secret x; };") % ("A" * 24)) == -3
    assert code("options { };") == -3 and code("") == -3


def test_b20_the_zone_of_a_name(tool):
    """SOA in the answer, in the authority section, of another name, of none."""
    asked = "_muster._tcp.corp.test"
    q = dns.message.make_query(asked, "SOA", id=5)

    def zone(section, owner, rcode=0, edit=None):
        r = dns.message.make_response(q)
        if owner:
            getattr(r, section).append(dns.rrset.from_text(
                owner, 60, "IN", "SOA", "ns.corp.test. root.corp.test. "
                "1 2 3 4 5"))
        r.set_rcode(rcode)
        if edit:
            edit(r)
        return tool("zone", 5, asked, r.to_wire().hex())

    good = ["OK", "corp.test", "ns.corp.test"]
    assert zone("authority", "corp.test.") == good
    assert zone("authority", "corp.test.", 3) == good
    assert zone("answer", "_muster._tcp.corp.test.")[1] == asked
    none = ["NO_ZONE", "-", "-"]
    assert zone("authority", ".", 3) == none
    assert zone("authority", "other.test.") == none
    assert zone("authority", "a._muster._tcp.corp.test.") == none
    assert zone("additional", "corp.test.") == none
    assert zone("authority", None) == none
    assert zone("authority", "corp.test.", 2)[0] == "SERVFAIL"
    assert zone("authority", "corp.test.", 5)[0] == "REFUSED"

    def cut(r):
        r.flags |= dns.flags.TC
    assert zone("authority", "corp.test.", edit=cut)[0] == "TRUNCATED"

    def other(r):
        r.id = 6
    assert zone("authority", "corp.test.", edit=other)[0] == "MISMATCH"
