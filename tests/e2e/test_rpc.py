# SPDX-License-Identifier: MIT
"""Goal: each bad record and each bad field has its precise answer, and an
honest call on the next connection is answered as if nothing had been."""
import os
import socket
import struct
import time
import uuid

import pytest

import demo
import wire
from wire import call, record

DESKTOP = uuid.UUID(demo.DESKTOP).bytes

# accepted replies: stat after xid, REPLY, MSG_ACCEPTED, verifier (2 words)
PROG_UNAVAIL, PROG_MISMATCH, PROC_UNAVAIL, GARBAGE_ARGS = 1, 2, 3, 4


def reply(site, data):
    return wire.split(wire.exchange(site.port, data))


def accepted_stat(body):
    assert struct.unpack(">III", body[4:8] + body[0:4] + body[8:12]) == (1, 7, 0)
    assert body[12:20] == bytes(8)
    return struct.unpack(">I", body[20:24])[0]


def good_args(**kw):
    return wire.activate_args(DESKTOP, **kw)


@pytest.fixture(autouse=True)
def host_still_answers(site):
    yield
    body, = reply(site, record(call(wire.NULL)))
    assert wire.accepted(body) == b""


@pytest.mark.parametrize("data", [
    b"", b"\x80", b"\x80\0\0", record(b""), record(b"\0\0\0"),
    record(b"x" * 247), struct.pack(">I", 0xffffffff) + b"x" * 300,
    record(call(wire.NULL), last=False),
    record(call(wire.NULL, kind=1)), record(call(wire.NULL)[:39]),
    b"GET / HTTP/1.1\r\nHost: x\r\n\r\n", b"SSH-2.0-OpenSSH_9\r\n",
    b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03" + bytes(200),
    bytes(250), b"\xff" * 250, b"A" * 250, b"%n%s" * 62,
], ids=lambda d: d[:12].hex() or "empty")
def test_rpc_what_is_no_call_is_closed(site, data):
    assert wire.exchange(site.port, data) == b""


def test_rpc_version_mismatch_is_denied_then_closed(site):
    body, = reply(site, record(call(wire.NULL, rpcvers=3)) +
                  record(call(wire.NULL)))
    assert struct.unpack(">IIIIII", body) == (7, 1, 1, 0, 2, 2)


@pytest.mark.parametrize("cred, verf", [
    (struct.pack(">II", 1, 0), bytes(8)),
    (struct.pack(">II", 0, 4) + b"abcd", bytes(8)),
    (bytes(8), struct.pack(">II", 1, 0)),
])
def test_b8_credentials_are_denied(site, cred, verf):
    body, = reply(site, record(call(wire.NULL, cred=cred, verf=verf)))
    assert struct.unpack(">IIII", body[:16]) == (7, 1, 1, 1)


@pytest.mark.parametrize("fields, stat", [
    ({"program": 100000}, PROG_UNAVAIL), ({"version": 2}, PROG_MISMATCH),
    ({"proc": 3}, PROC_UNAVAIL), ({"args": b"\0\0\0\0"}, GARBAGE_ARGS),
])
def test_rpc_unknown_and_garbage(site, fields, stat):
    body, = reply(site, record(call(**{"proc": wire.NULL, **fields})))
    assert accepted_stat(body) == stat
    if stat == PROG_MISMATCH:
        assert body[24:] == struct.pack(">II", 1, 1)


@pytest.mark.parametrize("args", [
    good_args()[:-1], good_args()[:50], b"", good_args() + b"\0\0\0\0",
    good_args(threshold=0), good_args(threshold=100001), good_args(state=5),
    good_args(name=b"a b"), good_args(name=b"x\0"), good_args(name=b"\x1b[2J"),
    good_args(name=b"abc")[:-1] + b"\1",
], ids=range(11))
def test_activate_garbage_arguments(site, args):
    body, = reply(site, record(call(wire.ACTIVATE, args)))
    assert accepted_stat(body) == GARBAGE_ARGS


def test_b1_statuses_leave_the_count_untouched(site):
    def count():
        status, rest = wire.activate(site.port, DESKTOP, cmid=bytes(16))
        assert status == 0
        return struct.unpack(">I", rest[:4])[0]

    before = count()
    assert wire.activate(site.port, os.urandom(16)) == (1, b"")
    status, rest = wire.activate(site.port, DESKTOP, when=0)
    assert status == 4
    assert abs(struct.unpack(">q", rest)[0] - time.time()) < 5
    status, _ = wire.activate(site.port, DESKTOP,
                              when=int(time.time()) - 4 * 3600 - 60)
    assert status == 4
    assert count() == before
    status, rest = wire.activate(site.port, DESKTOP)
    assert (status, struct.unpack(">I", rest[:4])[0]) == (0, before + 1)
    assert count() == before + 1


def test_sizes_are_those_of_the_protocol(site):
    args = good_args(name=b"n" * 99)
    out = wire.exchange(site.port, record(call(wire.ACTIVATE, args)))
    assert (len(record(call(wire.ACTIVATE, args))), len(out)) == (248, 244)
    cover = record(call(wire.COVER, os.urandom(16)))
    assert len(cover) == 60
    body, = reply(site, cover)
    assert wire.accepted(body) == struct.pack(">I", 1)


def test_b8_a_session_may_carry_more(site):
    calls = b"".join(record(call(wire.NULL, xid=i)) for i in range(5))
    calls += record(call(wire.ACTIVATE, good_args(), xid=5))
    calls += record(call(wire.NULL, xid=6))
    bodies = reply(site, calls)
    assert [struct.unpack(">I", b[:4])[0] for b in bodies] == list(range(7))


def test_rpc_at_most_sixteen_calls_a_session(site):
    out = wire.exchange(site.port, record(call(wire.NULL)) * 20)
    assert len(wire.split(out)) == 16


def test_rpc_split_at_every_byte(site):
    data = record(call(wire.ACTIVATE, good_args()))
    for at in range(1, len(data), 13):
        with socket.create_connection(("127.0.0.1", site.port), 5) as s:
            s.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            s.sendall(data[:at])
            time.sleep(0.002)
            s.sendall(data[at:])
            assert len(s.recv(4096)) == 244


def test_rpc_calls_before_a_bad_record_are_answered(site):
    out = wire.exchange(site.port, record(call(wire.ACTIVATE, good_args())) +
                        record(b"x" * 247))
    body, = wire.split(out)
    assert wire.accepted(body)[:4] == bytes(4)
