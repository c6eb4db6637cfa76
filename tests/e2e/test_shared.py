# SPDX-License-Identifier: MIT
"""Goal: one signature of the host's stands for up to eight renewals of one
turn, and for none but these: a forged path, a wrong index, a swapped leaf or a
path too long is refused."""
import hashlib
import json
import os
import signal
import socket
import struct
import subprocess
import uuid
from dataclasses import dataclass, replace

import pytest

import demo
import wire

SERVER = uuid.UUID(demo.SERVER).bytes
HEAD, GRANT, SIGNATURE, NODE = 4, 24, 64, 32
EMPTY = bytes(NODE)


@dataclass
class Reply:
    """One OK in the form without a certificate."""
    args: bytes
    size: int  # on the wire, mark included
    grant: bytes
    signature: bytes
    index: int
    path: list
    certificate: bytes

    def lease(self):
        pad = bytes(-len(self.args) % 4)
        return (b"MUSTERL1" + struct.pack(">II", 1, len(self.args))
                + self.args + pad + self.grant + self.signature
                + struct.pack(">II", self.index, len(self.path))
                + b"".join(self.path) + self.certificate)


def read(args, stream, certificate):
    body, = wire.split(stream)
    res = wire.accepted(body)
    assert res[:HEAD] == bytes(HEAD)
    at = HEAD + GRANT + SIGNATURE
    form, index, n = struct.unpack(">III", res[at:at + 12])
    assert form == 1 and len(res) == at + 12 + n * NODE
    return Reply(args, len(stream), res[HEAD:HEAD + GRANT],
                 res[HEAD + GRANT:at], index,
                 [res[k:k + NODE] for k in range(at + 12, len(res), NODE)],
                 certificate)


def in_one_turn(site, n, certificate):
    """The replies to n renewals that the host finds when it wakes up."""
    known = hashlib.blake2b(certificate, digest_size=32).digest()[:8]
    calls = [wire.activate_args(SERVER, known_host=known, threshold=5)
             for _ in range(n)]
    site.daemon.send_signal(signal.SIGSTOP)
    them = []
    try:
        for args in calls:
            s = socket.create_connection(("127.0.0.1", site.port),
                                         timeout=wire.WAIT_S)
            s.sendall(wire.record(wire.call(wire.ACTIVATE, args)))
            s.shutdown(socket.SHUT_WR)
            them.append(s)
    finally:
        site.daemon.send_signal(signal.SIGCONT)
    out = []
    for args, s in zip(calls, them):
        with s, s.makefile("rb") as f:
            out.append(read(args, f.read(), certificate))
    return out


@pytest.fixture(scope="module")
def certificate(site):
    """By the form for who does not know it; the threshold is reached."""
    for _ in range(5):
        status, rest = wire.activate(site.port, SERVER, threshold=5)
        assert status == 0
    return rest[-120:]


@pytest.fixture(scope="module")
def eight(site, certificate):
    return in_one_turn(site, 8, certificate)


def verify(site, reply, path):
    path.write_bytes(reply.lease())
    p = subprocess.run(
        [os.path.join(demo.BIN, "muster"), "verify", str(path), "--root",
         site.machine(1), "--catalogue", site.catalogue, "--root-key",
         site.path("root.pub"), "--any-machine", "--json"],
        capture_output=True, text=True, timeout=90)
    return p.returncode, json.loads(p.stdout or p.stderr)


@pytest.mark.parametrize("n", range(1, 10))
def test_b34_renewals_of_a_turn_share_a_signature(site, certificate, n,
                                                  tmp_path):
    got = in_one_turn(site, n, certificate)
    signatures = {r.signature for r in got}
    depths = sorted({len(r.path) for r in got})
    if n <= 8:
        assert len(signatures) == 1 and depths == [(n - 1).bit_length()]
        assert sorted(r.index for r in got) == list(range(n))
    else:
        assert len(signatures) == 2 and depths == [0, 3]
    assert {r.size for r in got} == {132 + NODE * d for d in depths}
    assert all(r.size < 244 for r in got)
    for r in got:
        code, said = verify(site, r, tmp_path / "lease")
        assert code == 0, said
    print(f"{n} renewals: {sorted(r.size for r in got)} bytes")


def forged(eight):
    return replace(eight[0], path=[eight[0].path[0], EMPTY,
                                   eight[0].path[2]])


def wrong_index(eight):
    return replace(eight[0], index=(eight[0].index + 1) % 8)


def swapped_leaf(eight):
    """What another one asked, at the place of the first."""
    return replace(eight[0], args=eight[1].args)


def swapped_place(eight):
    return replace(eight[0], index=eight[1].index, path=eight[1].path)


def another_count(eight):
    return replace(eight[0], grant=b"\0\0\1\0" + eight[0].grant[4:])


def cut_short(eight):
    return replace(eight[0], index=eight[0].index % 4,
                   path=eight[0].path[:2])


def too_long(eight):
    return replace(eight[0], path=eight[0].path + [EMPTY])


def outside(eight):
    return replace(eight[0], index=8)


@pytest.mark.parametrize("change, exit_code, code", [
    (forged, 3, "sig"), (wrong_index, 3, "sig"),
    (swapped_leaf, 3, "sig"), (swapped_place, 3, "sig"),
    (another_count, 3, "sig"), (cut_short, 3, "sig"),
    (too_long, 1, "range"), (outside, 1, "range")])
def test_b34_a_place_that_is_not_its_own_is_refused(site, eight, change,
                                                    exit_code, code,
                                                    tmp_path):
    assert verify(site, eight[0], tmp_path / "good")[0] == 0
    got, said = verify(site, change(eight), tmp_path / "bad")
    assert got == exit_code, said
    assert (said["reason"] if got == 3 else said["error"]["code"]) == code
