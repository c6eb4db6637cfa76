# SPDX-License-Identifier: MIT
"""Goal: a product in Python asks the same three questions and gets the same
answers; what the machine is like is told, never thrown."""
import glob
import os
import shutil
import socket
import struct
import sys
import threading
import uuid

import pytest

import agent
import demo

sys.path.insert(0, os.path.join(demo.REPO, "python"))
import muster  # noqa: E402

LIB, = glob.glob(os.path.join(demo.BIN, "../lib/**/libmuster.so.0"),
                 recursive=True)
muster.load(LIB)
CODES = {name: next(n for n in range(0, -64, -1)
                    if muster.errname(n) == "MUSTER_E_" + name)
         for name in ("NOENT", "MACHINE", "PRODUCT", "PUBLISHER", "CONNECT",
                      "SERIAL", "DENIED", "TIMEOUT", "REFUSED", "TOOBIG")}


@pytest.fixture(scope="module")
def busy(site):
    """Machines 1 to 6 asked; 5 and 6 are activated."""
    for n in range(1, 7):
        site.activate(n, demo.SERVER)
    return site


def product(site, n, **more):
    args = {"id": demo.SERVER, "root_keys": [site.root_pk],
            "catalogue": site.catalogue, "root": site.machine(n)}
    return muster.Product(**{**args, **more})


def test_b35_check_a_real_lease(busy):
    a = muster.check(product(busy, 6))
    assert a.state is muster.State.LICENSED and a.is_licensed
    assert (a.reason, a.count, a.threshold) == (0, 6, 5)
    assert a.days_left in (179, 180)
    # the id and the key in their other forms
    for more in ({"id": uuid.UUID(demo.SERVER)},
                 {"id": uuid.UUID(demo.SERVER).bytes},
                 {"root_keys": (b"\x11" * 32, bytes.fromhex(busy.root_pk))}):
        assert muster.check(product(busy, 5, **more)).is_licensed


def test_check_tells_why_not(busy):
    def reason(n, **more):
        a = muster.check(product(busy, n, **more))
        assert not a.is_licensed
        return a.reason

    assert reason(20) == CODES["NOENT"]
    assert reason(5, id=demo.DESKTOP) == CODES["NOENT"]
    assert reason(5, id=bytes(16)) == CODES["PRODUCT"]
    assert reason(5, least_serial=99) == CODES["SERIAL"]
    assert reason(5, root_keys=["11" * 32]) == CODES["PUBLISHER"]
    assert reason(5, root=busy.path("nowhere")) == CODES["NOENT"]
    assert reason(5, root="/" + "x" * 4096) < 0


def test_b35_a_copied_lease_is_told(busy):
    shutil.copytree(os.path.join(busy.machine(5), "var"),
                    os.path.join(busy.machine(21), "var"))
    a = muster.check(product(busy, 21))
    assert a.reason == CODES["MACHINE"] and not a.is_licensed
    assert "machine" in muster.strerror(a.reason)


@pytest.mark.parametrize("error,more", [
    (ValueError, {"id": "no uuid"}), (ValueError, {"id": b"short"}),
    (ValueError, {"root_keys": []}), (ValueError, {"root_keys": ["11"]}),
    (TypeError, {"root_keys": "11" * 32}), (ValueError, {"root": "a\0b"}),
    (ValueError, {"least_serial": -1}), (ValueError, {"least_serial": 1 << 32}),
    (TypeError, {"id": 5.0}), (TypeError, {"id": None})])
def test_misuse_is_an_exception(busy, error, more):
    with pytest.raises(error):
        product(busy, 5, **more)


def test_misuse_of_the_calls(busy):
    for call in (muster.check, muster.activate, muster.info):
        with pytest.raises(TypeError):
            call(demo.SERVER)
    for ms in (-1, 1 << 31, 1 << 32):
        with pytest.raises(ValueError):
            muster.activate(product(busy, 5), ms)
    with pytest.raises(OSError):
        muster.load("/nowhere/libmuster.so.0")
    assert muster.check(product(busy, 5)).is_licensed  # the loaded one stays


def test_no_agent_is_told(busy):
    for answer in (muster.info(product(busy, 5)),
                   muster.activate(product(busy, 5))):
        assert answer == muster.Info(error=CODES["CONNECT"])
        assert not answer.is_licensed
    far = product(busy, 5, root="/" + "x" * 107)
    assert muster.info(far).error == CODES["TOOBIG"]


def info_body(op):
    """A reply in which no two fields are alike."""
    return struct.pack(">iI", 0, op) + uuid.UUID(demo.SERVER).bytes + \
        bytes(16) + agent.text("Acme Server") + agent.text("Acme") + \
        struct.pack(">IiqIIIIIqqqq", 3, -18, 86400, 4, 5, 15, 16, 17, 11, 12,
                    13, 14) + agent.text("kms.example:1688") + \
        struct.pack(">IiII", 1, -32, 0, 3) + agent.text("corp.example")


def serve(root, *bodies):
    """An agent that gives these answers."""
    folder = os.path.join(root, "run/muster")
    os.makedirs(folder, exist_ok=True)
    s = socket.socket(socket.AF_UNIX)
    s.bind(os.path.join(folder, "agent.sock"))
    s.listen()
    s.settimeout(agent.WAIT_S)

    def run():
        for body in bodies:
            connection, _ = s.accept()
            with connection:
                connection.recv(4096)
                if body is None:  # silence, until the caller has enough
                    connection.recv(1)
                else:
                    connection.sendall(struct.pack(
                        ">I", len(body) | 1 << 31) + body)
        s.close()

    thread = threading.Thread(target=run)
    thread.start()
    return thread


def test_each_field_has_its_place(busy):
    refusal = struct.pack(">i", CODES["DENIED"]) + agent.text("no") * 2
    thread = serve(busy.machine(22), info_body(agent.INFO),
                   info_body(agent.ACTIVATE), refusal, None)
    p = product(busy, 22)
    want = muster.Info(error=0, state=muster.State.TOLERANCE_GRACE,
                       reason=-18, seconds_left=86400, count=4, threshold=5,
                       next_contact=14, answered=12, host="kms.example:1688",
                       round=CODES["REFUSED"], is_early=True)
    assert muster.info(p) == want
    assert muster.activate(p) == want
    assert (want.days_left, want.is_licensed) == (1, False)
    assert muster.info(p) == muster.Info(error=CODES["DENIED"])
    assert muster.activate(p, 50) == muster.Info(error=CODES["TIMEOUT"])
    thread.join()


def test_with_the_agent(busy):
    m = agent.Machine(busy, 30, []).start()  # nobody to be asked by itself
    p = product(busy, 30)
    assert not muster.info(p).is_licensed
    m.stop()
    m.hosts([f"127.0.0.1:{busy.port}"])
    m.start()
    got = muster.activate(p)
    assert got.is_licensed and got.round == 0
    assert got.host == f"127.0.0.1:{busy.port}" and got.count >= 5
    assert muster.activate(p).is_early  # b37
    again = muster.info(p)
    assert (again.state, again.count, again.answered) == \
        (got.state, got.count, got.answered)
    assert muster.check(p).is_licensed
    unknown = product(busy, 30, id=bytes(16))
    assert muster.info(unknown).error == CODES["PRODUCT"]
    m.stop()


def test_from_fifty_threads(busy):
    m = agent.Machine(busy, 31).start()
    p = product(busy, 31)
    bad = []

    def run():
        for _ in range(20):
            if not muster.activate(p).is_licensed:
                bad.append(1)

    threads = [threading.Thread(target=run) for _ in range(50)]
    for t in threads:
        t.start()
    for t in threads:
        t.join()
    assert not bad
    m.stop()
