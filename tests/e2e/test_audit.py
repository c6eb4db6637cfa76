# SPDX-License-Identifier: MIT
"""Goal: an administrator sees where each published record leads: to a host
that serves, a name that is gone, a port where nobody is, a stranger, a host
whose certificate was revoked."""
import contextlib
import json
import os
import socket
import struct
import subprocess
import threading

import pytest

import demo
import nameserver
from test_admin import resign
from test_discovery import OWNER, Host
from test_publish import Host as Publishing

MUSTER = os.path.join(demo.BIN, "muster")
DOMAIN = "corp.example"
NEW = "5b0c1a52-7d7e-4b8e-9a51-0d3f5c7a1e00"


def activated(folder, publisher="Acme"):
    s = demo.Site(str(folder))
    s.publish(publisher)
    s.start()
    s.activate_host()
    yield s
    s.stop()


@pytest.fixture(scope="module")
def good(tmp_path_factory):
    yield from activated(tmp_path_factory.mktemp("good"))


@pytest.fixture(scope="module")
def foreign(tmp_path_factory):
    """An activated host of another publisher."""
    yield from activated(tmp_path_factory.mktemp("foreign"), "Bolt")


@contextlib.contextmanager
def listener(answer):
    """What it answers to a call is a function; its port."""
    server = socket.create_server(("127.0.0.1", 0))

    def run():
        while True:
            try:
                c, _ = server.accept()
            except OSError:
                return
            with c:
                c.sendall(answer(c.recv(4096)))

    threading.Thread(target=run, daemon=True).start()
    yield server.getsockname()[1]
    server.close()


def relay(port, change):
    """Between the audit and a host: each reply goes through a function."""
    def answer(call):
        with socket.create_connection(("127.0.0.1", port)) as s:
            s.sendall(call)
            s.shutdown(socket.SHUT_WR)
            return change(call, b"".join(iter(lambda: s.recv(4096), b"")))

    return listener(answer)


def is_activate(call):
    return call[24:28] == struct.pack(">I", 1)  # the procedure


@pytest.fixture()
def web():
    """Something at the port that is no KMS host."""
    with listener(lambda _: b"HTTP/1.1 400 Bad Request\r\n\r\n") as port:
        yield port


def audit(root, dns, *args, code=None):
    p = subprocess.run([MUSTER, "host", "dns", "audit", *args, "--root", root,
                        "--resolver", f"127.0.0.1:{dns.port}", "--json"],
                       capture_output=True, text=True, timeout=90)
    out = json.loads(p.stdout)
    assert code is None or p.returncode == code, (p.returncode, out)
    return out


def test_audit_tells_what_each_record_leads_to(good, foreign, web, tmp_path):
    bare = Host(good, "bare")
    bare.start()
    nobody = nameserver.free_port()
    ports = {"good": good.port, "foreign": foreign.port, "web": web,
             "bare": bare.port, "nobody": nobody, "gone": 1688}
    lines = [f"{OWNER} SRV 0 0 {port} {name}" for name, port in ports.items()]
    lines += [f"{name} A 127.0.0.1" for name in ports if name != "gone"]
    with nameserver.Bind(tmp_path / "dns",
                         [nameserver.Zone(DOMAIN, lines)]) as dns:
        out = audit(good.host_root, dns, DOMAIN, code=1)
        words = subprocess.run(
            [MUSTER, "host", "dns", "audit", DOMAIN, "none.example", "--root",
             good.host_root, "--resolver", f"127.0.0.1:{dns.port}"],
            capture_output=True, text=True, timeout=90)
    bare.stop()
    found = {r["host"].split(".")[0]: r for r in out["records"]}
    assert {n: (r["verdict"], r["cause"]) for n, r in found.items()} == {
        "good": ("ok", None),
        "foreign": ("unknown", "unknown_product"),
        "bare": ("unknown", "host_not_activated"),
        "web": ("unknown", found["web"]["cause"]),
        "nobody": ("unreachable", "connect"),
        "gone": ("stale", "resolve")}
    assert found["web"]["cause"] in ("toobig", "proto")
    assert out["problems"] == 5
    assert all(r["next_step"] for n, r in found.items() if n != "good")
    assert out["domains"] == [{"domain": DOMAIN, "outcome": "ok",
                               "message": "ok", "records": 6}]
    assert words.returncode == 1
    assert f"gone.{DOMAIN}:1688 priority 0 weight 0: stale: name does not " \
        "resolve (resolve)\n    next: remove" in words.stdout
    assert "none.example: name server refused to answer (dns_refused)\n" \
        in words.stdout
    assert words.stdout.endswith("6 records, 6 problems\n")


def test_audit_blames_no_host_for_its_name_server(good, tmp_path):
    """The record is there, and the zone of its target fails."""
    lines = [f"{OWNER} SRV 0 0 {good.port} kms.broken.test."]
    with nameserver.Bind(tmp_path / "dns", [
            nameserver.Zone(DOMAIN, lines),
            nameserver.Zone("broken.test", ["no record"])]) as dns:
        out = audit(good.host_root, dns, DOMAIN, code=1)
    one, = out["records"]
    assert (one["verdict"], one["cause"]) == ("unsure", "servfail")
    assert "remove" not in one["next_step"]


def test_audit_knows_a_revoked_host(tmp_path):
    s = demo.Site(str(tmp_path / "site"))
    os.makedirs(s.folder, exist_ok=True)
    s.publish()
    s.start()
    s.activate_host()
    demo.run("muster-authority", "host", "revoke", "1", "1", "--yes", "--dir",
             s.path("authority"))
    newer = resign(s, demo.PRODUCTS)
    with nameserver.Knot(tmp_path / "dns", [nameserver.Zone(
            DOMAIN, [f"{OWNER} SRV 0 0 {s.port} kms", "kms A 127.0.0.1"])]) \
            as dns:
        before = audit(s.host_root, dns, DOMAIN, code=0)
        after = audit(s.host_root, dns, DOMAIN, "--catalogue", newer, code=1)
    s.stop()
    assert before["records"][0]["verdict"] == "ok"
    assert before["problems"] == 0
    assert (after["records"][0]["verdict"], after["records"][0]["cause"]) == \
        ("bad_certificate", "revoked")


def test_audit_tries_what_a_host_with_an_older_catalogue_knows(tmp_path):
    """The one here has a product more, first, which the host covers."""
    s = demo.Site(str(tmp_path / "site"))
    os.makedirs(s.folder)
    s.publish()
    s.start()
    s.activate_host()
    more = resign(s, demo.PRODUCTS.replace("products = (", f"""products = (
  {{ id = "{NEW}"; name = "Acme New"; group = 1; class = "server";
     threshold = 5; line = 0; level = 1; }},"""))
    with nameserver.Knot(tmp_path / "dns", [nameserver.Zone(DOMAIN, [
            f"{OWNER} SRV 0 0 {s.port} kms", "kms A 127.0.0.1",
            f"{OWNER} SRV 1 0 0 kms"])]) as dns:
        out = audit(s.host_root, dns, DOMAIN, "--catalogue", more, code=1)
    s.stop()
    assert [r["verdict"] for r in out["records"]] == ["ok"]
    # port 0 is of no use to anybody, and told all the same
    assert out["left_out"] == 1 and out["problems"] == 0


@pytest.mark.parametrize("result,cause", [
    (struct.pack(">I", 1), "unknown_product"),
    (struct.pack(">II", 5, 30), "busy")])
def test_audit_never_says_to_remove_a_host_that_is_certified(
        good, tmp_path, result, cause):
    """To every ACTIVATE it answers so; COVER is as it should be."""
    def change(call, reply):
        if not is_activate(call):
            return reply
        body = call[4:8] + struct.pack(">IIIII", 1, 0, 0, 0, 0) + result
        return struct.pack(">I", len(body) | 1 << 31) + body

    with relay(good.port, change) as port, nameserver.Knot(
            tmp_path / "dns", [nameserver.Zone(DOMAIN, [
                f"{OWNER} SRV 0 0 {port} kms", "kms A 127.0.0.1"])]) as dns:
        one, = audit(good.host_root, dns, DOMAIN, code=1)["records"]
    assert (one["verdict"], one["cause"]) == ("unsure", cause)
    assert "remove" not in one["next_step"]


def test_audit_sees_who_has_the_certificate_and_not_its_key(good, tmp_path):
    """COVER is passed on to a good host; nobody else can sign."""
    def change(call, reply):
        if is_activate(call):
            reply = reply[:-1] + bytes([reply[-1] ^ 1])
        return reply

    with relay(good.port, change) as port, nameserver.Knot(
            tmp_path / "dns", [nameserver.Zone(DOMAIN, [
                f"{OWNER} SRV 0 0 {port} kms", "kms A 127.0.0.1"])]) as dns:
        out = audit(good.host_root, dns, DOMAIN, code=1)
    assert out["records"][0]["verdict"] == "bad_certificate"


def test_audit_says_nothing_bad_of_a_certificate_that_it_did_not_see(
        good, tmp_path):
    """NULL is answered; the connection of COVER breaks."""
    def change(call, reply):
        return b"" if call[24:28] == struct.pack(">I", 2) else reply

    lines = ["loop CNAME pool", "pool CNAME loop", "kms A 127.0.0.1",
             f"{OWNER} SRV 0 0 1688 loop"]
    with relay(good.port, change) as port, nameserver.Knot(
            tmp_path / "dns", [nameserver.Zone(DOMAIN, [
                f"{OWNER} SRV 1 0 {port} kms", *lines])]) as dns:
        out = audit(good.host_root, dns, DOMAIN, code=1)
    found = {r["host"].split(".")[0]: r["verdict"] for r in out["records"]}
    assert found == {"kms": "unreachable", "loop": "stale"}


def test_audit_of_the_daemons_own_domains(good, tmp_path):
    zone = nameserver.Zone(DOMAIN, ["kms A 127.0.0.1"], is_open=True)
    with nameserver.Knot(tmp_path / "dns", [zone]) as dns:
        host = Publishing(good, str(tmp_path), {
            "publish": True, "publish_name": f"kms.{DOMAIN}",
            "publish_server": f"127.0.0.1:{dns.port}"})
        host.start()
        assert host.muster("host", "dns", "publish")[0] == 0
        out = audit(host.root, dns, code=0)
        host.stop()
    assert [(r["verdict"], r["own"], r["domain"]) for r in out["records"]] \
        == [("ok", True, DOMAIN)]
