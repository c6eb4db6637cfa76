# SPDX-License-Identifier: MIT
"""Goal: between a record and its reply no code of ours asks for memory."""
import json
import os
import struct
import uuid

import pytest

import demo
import wire

pytestmark = pytest.mark.bare

PRELOAD = os.path.join(demo.REPO, "build/tests/own_alloc.so")
SERVER = uuid.UUID(demo.SERVER).bytes


@pytest.fixture()
def counted(site, tmp_path, monkeypatch):
    """The host again, with its own allocations counted into a file."""
    path = tmp_path / "count"
    path.write_bytes(bytes(8))
    site.stop()
    monkeypatch.setenv("LD_PRELOAD", PRELOAD)
    monkeypatch.setenv("OWN_ALLOC_FILE", str(path))
    site.start()
    monkeypatch.undo()
    yield lambda: struct.unpack("=Q", path.read_bytes())[0]
    site.stop()
    site.start()


def test_requests_allocate_nothing(site, counted):
    who = bytes.fromhex(publisher(site))  # on the other interface
    at_start = counted()
    assert at_start > 0
    cmids = [os.urandom(16) for _ in range(300)]
    for cmid in cmids + cmids:  # new machines, then their renewals
        status, _ = wire.activate(site.port, SERVER, cmid=cmid, threshold=5)
        assert status == 0
    body, = wire.split(wire.exchange(site.port, wire.record(
        wire.call(wire.COVER, who))))
    assert wire.accepted(body)[:4] == bytes(4)
    for bad in (b"\xff" * 250, wire.record(wire.call(9)), b"\x80"):
        wire.exchange(site.port, bad)
    assert counted() == at_start


def test_the_administration_interface_does_allocate(site, counted):
    before = counted()
    publisher(site)
    assert counted() > before


def publisher(site):
    out = demo.run("muster", "host", "status", "--root", site.host_root, "--json")
    return json.loads(out)["publishers"][0]["id"]
