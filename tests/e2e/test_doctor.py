# SPDX-License-Identifier: MIT
"""Goal: muster doctor names the one cause of each failure, for each host and
each domain, and a step to take; nobody is counted by it."""
import json
import os
import socket
import struct
import subprocess
import threading

import pytest

import agent
import demo
import faked_time
import nameserver
from agent import Machine
from test_admin import resign
from test_audit import relay
from test_discovery import DOMAIN, Host, dead_port, name, resolv, zone

MUSTER = os.path.join(demo.BIN, "muster")
STEPS = ["name", "connect", "answer", "certificate", "clock", "product",
         "count"]


@pytest.fixture(scope="module")
def sick(tmp_path_factory):
    """A host with six servers counted and no desktop product above."""
    s = demo.Site(str(tmp_path_factory.mktemp("sick")))
    s.publish()
    s.start()
    s.activate_host()
    for n in range(100, 106):
        s.activate(n, demo.SERVER)
    yield s
    s.stop()


@pytest.fixture()
def root(sick):
    numbers = sick.__dict__.setdefault("patients", iter(range(200, 999)))
    return sick.machine(next(numbers))


def doctor(root, *args, product=demo.SERVER, code=None, wrap=()):
    p = subprocess.run([*wrap, MUSTER, "doctor", "--root", root, product,
                        "--json", *args],
                       capture_output=True, text=True, timeout=90)
    out = json.loads(p.stdout)
    assert code is None or p.returncode == code, (p.returncode, out)
    return out["products"][0] if "products" in out else out


def words(root, *args, code, product=demo.SERVER):
    p = subprocess.run([MUSTER, "doctor", "--root", root, product, *args],
                       capture_output=True, text=True, timeout=90)
    assert (p.returncode, p.stderr) == (code, ""), p
    return p.stdout


def one(root, host, *args, **kw):
    targets = doctor(root, "--host", host, *args, **kw)["targets"]
    assert len(targets) == 1
    return targets[0]


def failed_at(target, step, cause):
    """Every step before it went well, and none was tried after it."""
    at = STEPS.index(step)
    assert [target["steps"][s] for s in STEPS] == \
        ["ok"] * at + ["failed"] + ["not_tried"] * (6 - at), target
    assert target["cause"] == cause and target["step"] == step
    assert target["message"] and target["next_step"]
    return target["next_step"]


def count(site, product=demo.SERVER):
    out = demo.run("muster", "host", "status", "--root", site.host_root,
                   "--json")
    return json.loads(out)["publishers"][0]["groups"][0]["count"]


def test_b25_healthy_and_nobody_is_counted(sick, root):
    before = count(sick)
    t = one(root, f"127.0.0.1:{sick.port}", code=0)
    assert t["cause"] is None and t["chosen"]
    assert all(t["steps"][s] == "ok" for s in STEPS)
    assert (t["count"], t["threshold"]) == (6, 5)
    assert abs(t["clock_difference"]) <= 2
    assert count(sick) == before
    assert not os.path.exists(os.path.join(root, "var/lib/muster/agent"))


def test_b25_name(root):
    t = one(root, "no-such-host.invalid:1688", code=5)
    failed_at(t, "name", "resolve")


def test_b25_connection_refused(root):
    t = one(root, f"127.0.0.1:{nameserver.free_port()}", code=5)
    assert "musterd" in failed_at(t, "connect", "connect")


def test_b25_no_answer(root):
    port, held = dead_port()
    t = one(root, f"127.0.0.1:{port}", code=5)
    for s in held:
        s.close()
    assert "firewall" in failed_at(t, "connect", "timeout")


def test_b25_connected_and_silent(root):
    """The kernel takes the connection, and nobody reads from it."""
    server = socket.create_server(("127.0.0.1", 0))
    t = one(root, "127.0.0.1:%d" % server.getsockname()[1], code=1)
    server.close()
    assert "says nothing" in failed_at(t, "answer", "timeout")


def test_b25_a_connection_that_breaks_is_no_bad_certificate(sick, root):
    """NULL is passed on; COVER's connection is closed."""
    server = socket.create_server(("127.0.0.1", 0))

    def run():
        for _ in range(2):
            c, _ = server.accept()
            with c, socket.create_connection(("127.0.0.1", sick.port)) as s:
                call = c.recv(4096)
                if call[24:28] == bytes(4):
                    s.sendall(call)
                    c.sendall(s.recv(4096))

    threading.Thread(target=run, daemon=True).start()
    t = one(root, "127.0.0.1:%d" % server.getsockname()[1], code=1)
    server.close()
    failed_at(t, "answer", "trunc")


def test_b25_something_else_answers(root):
    server = socket.create_server(("127.0.0.1", 0))

    def run():
        c, _ = server.accept()
        with c:
            c.recv(4096)
            c.sendall(b"HTTP/1.1 400 Bad Request\r\n\r\n")

    threading.Thread(target=run, daemon=True).start()
    t = one(root, "127.0.0.1:%d" % server.getsockname()[1], code=1)
    server.close()
    assert "something else" in failed_at(t, "answer", t["cause"])


@pytest.mark.bare
def test_b25_clock(sick, root):
    t = one(root, f"127.0.0.1:{sick.port}", code=1,
            wrap=faked_time.at("+5h"))
    assert "clock" in failed_at(t, "clock", "clock")
    assert -18002 <= t["clock_difference"] <= -17998
    # years away, where dates look wrong as well, it is the clock all the same
    t = one(root, f"127.0.0.1:{sick.port}", code=1,
            wrap=faked_time.at("-3000d"))
    failed_at(t, "clock", "clock")


def test_b25_count(sick, root):
    t = one(root, f"127.0.0.1:{sick.port}", product=demo.DESKTOP, code=3)
    failed_at(t, "count", "count")
    assert (t["count"], t["threshold"]) == (6, 25)


def test_b25_host_not_activated(sick, root):
    bare = Host(sick, "bare")
    bare.start()
    t = one(root, f"127.0.0.1:{bare.port}", code=1)
    bare.stop()
    assert "muster host activate" in \
        failed_at(t, "certificate", "host_not_activated")


def test_b25_product_not_covered(tmp_path):
    s = demo.Site(str(tmp_path))
    s.publish()
    s.start()
    s.activate_host()
    high = open(s.path("products.conf")).read().replace("level = 1",
                                                        "level = 99")
    assert "level = 99" in high
    newer = resign(s, high, back=False)
    root = s.machine(1)
    t = one(root, f"127.0.0.1:{s.port}", "--catalogue", newer, code=1)
    s.stop()
    failed_at(t, "product", "level")


def test_b25_domains_and_order(sick, root, tmp_path):
    """No SRV record, a dead host, and a good one; the static one first."""
    dead = nameserver.free_port()
    zones = (zone((1, 0, dead), (2, 7, sick.port)),
             nameserver.Zone("bare.example"))
    resolv(root, f"bare.example {DOMAIN}")
    with nameserver.Knot(tmp_path / "dns", zones) as dns:
        where = ("--resolver", f"127.0.0.1:{dns.port}")
        out = doctor(root, *where, code=0)
        first, second = out["domains"]
        assert (first["domain"], first["outcome"]) == \
            ("bare.example", "nxdomain")
        assert first["next_step"]
        assert (second["outcome"], second["records"]) == ("ok", 2)
        a, b = out["targets"]
        assert a["host"] == name(dead) and a["priority"] == 1
        failed_at(a, "connect", "connect")
        assert b["host"] == name(sick.port) and b["weight"] == 7
        assert b["chosen"] and b["domain"] == DOMAIN
        out = doctor(root, *where, "--host", f"127.0.0.1:{sick.port}")
        assert out["domains"] == [] and len(out["targets"]) == 1
        said = words(root, *where, code=0)
        assert said.startswith("Acme Server\n  bare.example: no host: ")
        assert "(nxdomain)\n    next: publish a host there" in said
        assert f"\n  {DOMAIN}: 2 hosts are published\n" in said
        assert f"\n  {name(dead)} ({DOMAIN}, priority 1, weight 0): name ok\n" in said
        assert f"({DOMAIN}, priority 2, weight 7): name ok, connect ok" in said
        assert said.endswith("no agent answers: nobody keeps these products activated\n"
                             "    next: systemctl start muster-agent\n")
        resolv(root, "bare.example")
        out = doctor(root, *where, code=5)
        assert out["targets"] == [] and not out["healthy"]
    assert doctor(root, *where, code=5)["domains"][0]["outcome"] == \
        "dns_timeout"
    resolv(root, "")
    assert "  no host is set, and no domain to look in\n    next: muster set-host NAME" \
        in words(root, code=5)


def test_b25_by_the_agents_settings_in_words(sick):
    m = Machine(sick, 150)
    m.start()
    p = subprocess.run([MUSTER, "doctor", "--root", m.root],
                       capture_output=True, text=True, timeout=240)
    m.stop()
    assert p.returncode == 3  # of the two products one is below
    assert f"  127.0.0.1:{sick.port}: name ok, connect ok" in p.stdout
    assert "count 7 of 5" in p.stdout or "count 6 of 5" in p.stdout
    assert "count FAILED: count below the threshold (count)\n" in p.stdout
    assert "    next: " in p.stdout
    p = subprocess.run([MUSTER, "doctor", "--root", m.root],
                       capture_output=True, text=True, timeout=240)
    assert p.returncode == 5 and "no agent answers" in p.stderr


@pytest.mark.parametrize("call_of, result, cause, step", [
    ("certificate", (1,), "unknown_product", "install the newest catalogue on the host"),
    ("certificate", (2,), "not_covered", "the host needs a key of a higher level"),
    ("certificate", (6,), "refused", "see the host's log and its allowed networks"),
    ("count", (5, 30), "busy", "try again; the host's log says what it waits for")])
def test_b25_what_a_host_says_no_with(sick, root, call_of, result, cause, step):
    """NULL is as it should be, and COVER or ACTIVATE answered by one status."""
    def change(call, reply):
        if call[24:28] != struct.pack(">I", {"certificate": 2, "count": 1}[call_of]):
            return reply
        body = call[4:8] + struct.pack(">IIIII", 1, 0, 0, 0, 0) + \
            struct.pack(f">{len(result)}I", *result)
        return struct.pack(">I", len(body) | 1 << 31) + body

    with relay(sick.port, change) as port:
        said = words(root, "--host", f"127.0.0.1:{port}", code=1)
    assert f"{call_of} FAILED: " in said and f"({cause})\n    next: {step}" in said, said
