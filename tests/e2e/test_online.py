# SPDX-License-Identifier: MIT
"""Goal: a customer activates its hosts over HTTPS: six and a seventh that is
refused with what to do, a lost answer that counts nothing, slots that are seen
and given back; and nothing is believed that is not the authority."""
import json
import os
import shutil
import socket
import ssl
import subprocess
import threading
import types

import pytest

import demo
import faked_time
from service import Service, served_site
from test_authority import ALPHABET
from test_discovery import Host

MUSTER = os.path.join(demo.BIN, "muster")


@pytest.fixture(scope="module")
def site(tmp_path_factory):
    """The publisher of a demonstration, and its service."""
    s = served_site(str(tmp_path_factory.mktemp("online")))
    s.url = f"https://localhost:{s.service.port}"
    yield s
    s.service.stop()


@pytest.fixture()
def customer(site, request):
    """A host key of its own; hosts by their number, stopped at the end."""
    out = demo.run("muster-authority", "key", "issue", "--dir",
                   site.path("authority"), "--level", "1", "--customer",
                   "St Elsewhere Hospital", "--json")
    made = types.SimpleNamespace(key=json.loads(out)["key"], hosts=[],
                                 number=json.loads(out)["key_number"])

    def host(key=None):
        h = Host(site, f"h{len(os.listdir(site.folder))}")
        made.hosts.append(h)
        h.start()
        demo.run("muster", "host", "install-key", "--root", h.host_root,
                 text=(key or made.key) + "\n")
        return h

    made.host = host
    yield made
    for h in made.hosts:
        h.stop()


def muster(h, *args, url=None, ca="ca.pem", code=0, env=None):
    url = h.publisher.url if url is None else url
    p = subprocess.run(
        [MUSTER, *args, "--root", h.host_root, "--json",
         *(["--authority", url] if url else []),
         *(["--ca", h.publisher.path(ca)] if ca else [])],
        capture_output=True, text=True, timeout=480,
        env={**os.environ, **(env or {})}, stdin=subprocess.DEVNULL)
    assert p.returncode == code, (p.returncode, p.stdout, p.stderr)
    return json.loads(p.stdout)


def activate(h, *more, **how):
    return muster(h, "host", "activate", "--online", *more, **how)


def refused(h, code, *more, exit_code=1, **how):
    error = activate(h, *more, code=exit_code, **how)["error"]
    assert error["code"] == code and error["message"] and error["next_step"]
    return error


def test_b41_the_customers_story(site, customer):
    hosts = [customer.host() for _ in range(7)]
    for n, h in enumerate(hosts[:6], 1):
        out = activate(h)
        assert (out["outcome"], out["slot"], out["hosts_used"]) == \
            ("new", n, n)
    # a machine is counted by the one that was activated so
    assert hosts[0].activate(1, demo.SERVER)["count"] == 1
    error = refused(hosts[6], "hosts_used_up")
    assert "6" in error["message"]
    told = subprocess.run(
        [MUSTER, "host", "activate", "--online", "--authority", site.url,
         "--ca", site.path("ca.pem"), "--root", hosts[6].host_root],
        capture_output=True, text=True, timeout=240)
    assert told.returncode == 1 and told.stdout == ""
    assert [n for n in range(1, 10) if f"  slot   {n}  held" in told.stderr] \
        == [1, 2, 3, 4, 5, 6]
    demo.run("muster-authority", "key", "grant", str(customer.number),
             "--hosts", "7", "--dir", site.path("authority"))
    out = activate(hosts[6])
    assert (out["outcome"], out["slot"], out["hosts"]) == ("new", 7, 7)
    for n in range(1, 10):
        out = activate(hosts[0])
        assert (out["outcome"], out["slot"], out["reactivations_used"]) == \
            ("reactivation", 1, n)
    refused(hosts[0], "reactivations_used_up")
    # it goes on with what it has
    assert hosts[0].activate(2, demo.SERVER)["count"] == 2


def test_b41_replaces_and_b45_slots_and_release(site, customer):
    a, b = customer.host(), customer.host()
    activate(a)
    out = activate(b, "--replaces", "1")
    assert (out["outcome"], out["slot"], out["activation"]) == \
        ("replacement", 1, 2)
    c = customer.host()
    activate(c)
    seen = muster(c, "host", "slots")
    assert (seen["hosts_used"], seen["releases_used"]) == (2, 0)
    assert [(s["slot"], s["state"], s["reactivations_used"])
            for s in seen["slots"]] == [(1, "held", 1), (2, "held", 0)]
    # nothing destructive without --yes or a prompt
    error = muster(c, "host", "release", "1", code=2)["error"]
    assert error["code"] == "usage"
    out = muster(c, "host", "release", "1", "--yes")
    assert (out["slot"], out["activation"], out["releases_used"]) == (1, 2, 1)
    seen = muster(c, "host", "slots")
    assert [s["state"] for s in seen["slots"]] == ["released", "held"]
    error = muster(c, "host", "release", "1", "--yes", code=1)["error"]
    assert error["code"] == "slot_not_held"
    assert muster(c, "host", "release", "999", "--yes", code=2)


@pytest.mark.bare
def test_a_certificate_of_a_day_to_come_is_asked_for_again(site, customer):
    """The authority's clock stood ahead and was put right: no reactivation."""
    h = customer.host()
    s = site.service
    s.stop()
    s.configure(listen=f"127.0.0.1:{s.port}")
    try:
        s.start([*faked_time.at("+10d"),
                 os.path.join(demo.BIN, "muster-authority")])
        error = refused(h, "certificate_ended")
        assert "the authority's" in error["next_step"]
        s.stop()
        s.start()
        out = activate(h)
        assert (out["slot"], out["reactivations_used"]) == (1, 0)
        assert h.activate(1, demo.SERVER)["count"] == 1
    finally:
        s.configure()


def test_b45_a_revoked_host_learns_it(site, customer):
    h = customer.host()
    activate(h)
    demo.run("muster-authority", "host", "revoke", str(customer.number), "1",
             "--yes", "--dir", site.path("authority"))
    assert "ended this host" in refused(h, "host_revoked")["next_step"]
    assert muster(h, "host", "slots")["slots"][0]["state"] == "revoked"
    other = customer.host()
    assert activate(other, "--replaces", "1")["activation"] == 2


def other_secret(key):
    """The same number, and a check that is right (CRC-16/CCITT-FALSE over the
    109 bits before it)."""
    value = 0
    for c in key.replace("-", ""):
        value = value << 5 | ALPHABET.index(c)
    value, crc = value >> 16 ^ 1 << 40, 0xffff
    for at in range(108, -1, -1):
        top = crc >> 15 ^ value >> at & 1
        crc = crc << 1 & 0xffff ^ (0x1021 if top else 0)
    value = value << 16 | crc
    return "".join(ALPHABET[value >> s & 31] for s in range(120, -1, -5))


def test_b40_a_key_that_the_authority_does_not_know(customer):
    h = customer.host(other_secret(customer.key))
    refused(h, "key_unknown")
    assert muster(h, "host", "slots", code=1)["error"]["code"] == "key_unknown"


def test_b41_a_state_that_was_restored_finds_its_counter(customer, tmp_path):
    h = customer.host()
    activate(h)
    h.stop()
    shutil.copytree(h.host_root, tmp_path / "backup")
    h.start()
    activate(h)
    assert activate(h)["reactivations_used"] == 2
    h.stop()
    shutil.rmtree(h.host_root)
    shutil.copytree(tmp_path / "backup", h.host_root)
    h.start()
    out = activate(h)
    assert (out["outcome"], out["reactivations_used"]) == ("same", 2)


class Relay:
    """Between a host and the service: what becomes of each request is told by
    a list; the last word goes on for ever.  "pass" and "lose" are of the
    service's answer, as is a function; bytes are an answer of the relay's."""

    def __init__(self, site, words, address="127.0.0.1"):
        self.site, self.words, self.seen = site, list(words), []
        self.context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
        self.context.load_cert_chain(site.path("tls.pem"),
                                     site.path("tls.key"))
        self.server = socket.create_server((address, 0))
        self.url = f"https://{address}:{self.server.getsockname()[1]}"
        self.thread = threading.Thread(target=self.run, daemon=True)
        self.thread.start()

    def run(self):
        while True:
            try:
                raw, _ = self.server.accept()
            except OSError:
                return
            try:
                with self.context.wrap_socket(raw, server_side=True) as c:
                    self.serve(c)
            except OSError:
                pass

    @staticmethod
    def more(c):
        """Who trusts no certificate leaves when all the request is wanted."""
        if not (data := c.recv(65536)):
            raise ConnectionError("it left")
        return data

    def serve(self, c):
        request = b""
        while b"\r\n\r\n" not in request:
            request += self.more(c)
        head, body = request.split(b"\r\n\r\n", 1)
        n = [int(x.split(b":")[1]) for x in head.split(b"\r\n")
             if x.lower().startswith(b"content-length")]
        while n and len(body) < n[0]:
            body += self.more(c)
        word = self.words.pop(0) if len(self.words) > 1 else self.words[0]
        self.seen.append(body)
        reply = b""
        if word in ("pass", "lose") or callable(word):
            with self.site.service.connect() as s:
                s.sendall(head + b"\r\nConnection: close\r\n\r\n" + body)
                reply = b"".join(iter(lambda: s.recv(65536), b""))
        if word == "pass":
            c.sendall(reply)
        elif callable(word):
            c.sendall(word(reply))
        elif word != "lose":
            c.sendall(word)

    def close(self):
        self.server.shutdown(socket.SHUT_RDWR)
        self.server.close()
        self.thread.join(20)


@pytest.fixture()
def relay(site):
    made = []

    def make(*words, **how):
        made.append(Relay(site, words, **how))
        return made[-1]

    yield make
    for r in made:
        r.close()


def http(status, body=b"", *headers):
    head = [b"HTTP/1.1 " + status, b"Content-Length: %d" % len(body),
            b"Content-Type: application/json", *headers]
    return b"\r\n".join(head) + b"\r\n\r\n" + body


def test_b41_a_lost_answer_counts_nothing(customer, relay):
    h = customer.host()
    r = relay("lose", "pass")
    out = activate(h, url=r.url)
    assert (out["outcome"], out["hosts_used"], out["reactivations_used"]) == \
        ("same", 1, 0)
    assert len(r.seen) == 2 and r.seen[0] == r.seen[1]  # to the byte


def test_b41_an_outcome_that_is_not_known_is_said(customer, relay):
    h = customer.host()
    r = relay("lose")
    error = refused(h, "outcome_unknown", url=r.url, exit_code=5)
    assert "same command" in error["next_step"] and len(r.seen) == 4
    out = activate(h)
    assert (out["outcome"], out["hosts_used"]) == ("same", 1)


def test_b40_busy_is_waited_for(customer, relay):
    busy = http(b"503 Service Unavailable", b'{"code":"busy"}',
                b"Retry-After: 1")
    r = relay(busy, "pass")
    assert activate(customer.host(), url=r.url)["outcome"] == "new"
    assert len(r.seen) == 2


@pytest.mark.parametrize("reply", [
    http(b"302 Found", b"", b"Location: https://localhost/v1/hosts"),
    http(b"200 OK", b"<html>"), http(b"200 OK", b"[1]"),
    http(b"404 Not Found", b"{}"),
    http(b"200 OK", b" " * 100000),
])
def test_b40_who_answers_otherwise_is_no_authority(customer, relay, reply):
    r = relay(reply)
    refused(customer.host(), "bad_answer", url=r.url)
    assert len(r.seen) == 1


def test_b40_only_who_can_prove_its_name_is_asked(site, customer, relay):
    h = customer.host()
    refused(h, "not_trusted", ca=None, exit_code=5)
    elsewhere = relay("pass", address="127.0.0.2")  # not in the certificate
    refused(h, "not_trusted", url=elsewhere.url, exit_code=5)
    assert elsewhere.seen == []
    refused(h, "url", url="http://localhost:1", exit_code=2)
    refused(h, "url", url="", exit_code=2)  # nor does the catalogue name one
    port = socket.create_server(("127.0.0.1", 0))
    gone = port.getsockname()[1]
    port.close()
    refused(h, "no_authority", url=f"https://localhost:{gone}", exit_code=5)


def test_b40_a_proxy_of_the_environment_is_used(site, customer):
    server, seen = socket.create_server(("127.0.0.1", 0)), []

    def pump(a, b):
        try:
            while data := a.recv(65536):
                b.sendall(data)
            b.shutdown(socket.SHUT_WR)
        except OSError:
            pass

    def run():
        c, _ = server.accept()
        seen.append(c.recv(4096).split(b"\r\n")[0])
        with c, socket.create_connection(
                ("127.0.0.1", site.service.port)) as s:
            c.sendall(b"HTTP/1.1 200 Connection established\r\n\r\n")
            t = threading.Thread(target=pump, args=(c, s), daemon=True)
            t.start()
            pump(s, c)
            t.join(20)

    t = threading.Thread(target=run, daemon=True)
    t.start()
    proxy = "http://127.0.0.1:%d" % server.getsockname()[1]
    assert activate(customer.host(), env={"https_proxy": proxy})["slot"] == 1
    t.join(20)
    server.close()
    assert seen == [f"CONNECT localhost:{site.service.port} HTTP/1.1".encode()]
