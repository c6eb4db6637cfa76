# SPDX-License-Identifier: MIT
"""Goal: whatever comes back from the authority's address, the command says
what is known and what to do next, counts nothing twice, and believes
nothing."""
import glob
import json
import os
import pty
import re
import shutil
import socket
import ssl
import subprocess
import threading
import time

import pytest

import demo
from service import openssl
from test_online import (MUSTER, activate, customer, http, muster, refused,
                         relay, site)

__all__ = ["customer", "relay", "site"]


def problem(status, code, *headers, **more):
    body = {"type": "about:blank", "title": "t", "status": int(status[:3]),
            "code": code, "detail": "what is wrong", "next_step": "do it",
            **more}
    return http(status, json.dumps(body).encode(), *headers)


BUSY = problem(b"503 Service Unavailable", "busy", b"Retry-After: 1")


def text_of(h, *args, code, url):
    """Both streams, as people see them."""
    p = subprocess.run(
        [MUSTER, *args, "--root", h.host_root, "--authority", url, "--ca",
         h.publisher.path("ca.pem")], capture_output=True, timeout=240,
        stdin=subprocess.DEVNULL)
    assert p.returncode == code
    return (p.stdout + p.stderr).decode()


def test_b41_busy_in_the_end_says_nothing_of_what_was_lost(customer, relay):
    h = customer.host()
    r = relay("lose", BUSY)
    refused(h, "outcome_unknown", url=r.url, exit_code=5)
    assert len(r.seen) == 4 and len(set(r.seen)) == 1
    r = relay(BUSY)
    error = refused(h, "busy", url=r.url)
    assert "same command" in error["next_step"]
    out = activate(h)
    assert (out["outcome"], out["hosts_used"]) == ("same", 1)


def test_b40_a_limited_rate_is_waited_for(customer, relay):
    r = relay(problem(b"429 Too Many Requests", "rate_limited",
                      b"Retry-After: 2"), "pass")
    assert activate(customer.host(), url=r.url)["outcome"] == "new"
    assert len(r.seen) == 2 and r.seen[0] == r.seen[1]


def test_b41_a_certificate_that_was_altered_is_asked_for_again(
        customer, relay):
    def altered(reply):
        at = reply.index(b'"certificate":"') + 15 + 200  # in the signature
        digit = b"0" if reply[at:at + 1] != b"0" else b"1"
        return reply[:at] + digit + reply[at + 1:]

    h = customer.host()
    r = relay(altered, "pass")
    error = activate(h, url=r.url, code=1)["error"]
    assert error["next_step"] and len(r.seen) == 1
    out = activate(h, url=r.url)
    assert (out["outcome"], out["hosts_used"], out["reactivations_used"]) == \
        ("same", 1, 0)
    assert r.seen[0] == r.seen[1]  # to the byte, in another run


@pytest.mark.parametrize("body", [
    b"{}", b'{"certificate":7}', b'{"slots":7}', b'{"released":true}'])
def test_b40_an_answer_that_lacks_what_it_must_say(customer, relay, body):
    h = customer.host()
    r = relay(http(b"200 OK", body))
    refused(h, "bad_answer", url=r.url)
    error = muster(h, "host", "slots", url=r.url, code=1)["error"]
    assert error["code"] == "bad_answer"


def test_b40_a_strangers_words_do_not_reach_the_terminal(customer, relay):
    h = customer.host()
    slots = [{"slot": 1, "state": "held", "name": "a\x1b[2Jb"},
             {"slot": 2, "state": "held", "name": "c\u009bd"}]
    r = relay(problem(b"409 Conflict", "no\x1bcode", detail="x\x1b[31my",
                      next_step="long" * 5000, slots=slots))
    text = text_of(h, "host", "activate", "--online", code=1, url=r.url)
    assert "slot   1" in text and "slot   2" in text
    assert text.replace("\n", "").isprintable() and len(text) < 1000
    error = refused(h, "refused", url=r.url)
    assert "ask the publisher" in error["next_step"]
    r = relay(http(b"200 OK", json.dumps({"slots": slots}).encode()))
    text = text_of(h, "host", "slots", code=0, url=r.url)
    assert text.replace("\n", "").isprintable()


def test_b40_clocks_apart_are_told_by_how_much(customer, relay):
    h = customer.host()
    ahead = problem(b"400 Bad Request", "clock", unix_s=0)
    error = refused(h, "clock", url=relay(ahead).url)
    assert "ahead of it" in error["message"]
    behind = problem(b"400 Bad Request", "clock", unix_s=1 << 40)
    error = refused(h, "clock", url=relay(behind).url)
    assert "behind it" in error["message"] and "clock" in error["next_step"]
    # the authority's own object is there for scripts
    out = muster(h, "host", "slots", url=relay(ahead).url, code=1)
    assert out["problem"]["unix_s"] == 0


def test_b41_a_limit_names_whom_to_ask(customer, relay):
    h = customer.host()
    for code in ("hosts_used_up", "reactivations_used_up"):
        r = relay(problem(b"409 Conflict", code, contact="call +1 555 0100"))
        assert "call +1 555 0100" in refused(h, code, url=r.url)["next_step"]
    r = relay(problem(b"403 Forbidden", "key_unknown"))
    assert "publisher" in refused(h, "key_unknown", url=r.url)["next_step"]


def test_b45_a_list_has_no_outcome_that_is_not_known(customer, relay):
    h = customer.host()
    for url in (relay("lose").url, "https://nobody.invalid"):
        out = muster(h, "host", "slots", url=url, code=5)
        assert out["error"]["code"] == "no_authority"


def test_b45_a_release_whose_answer_is_lost_counts_once(customer, relay):
    h, other = customer.host(), customer.host()
    activate(h)
    activate(other)
    r = relay("pass", "lose", "pass")
    out = muster(h, "host", "release", "2", "--yes", url=r.url)
    assert (out["schema"], out["releases_used"]) == \
        ("muster.host.release/1", 1)
    assert len(r.seen) == 3
    # to the end: the next run tells what came of it
    r = relay("pass", "lose")
    out = muster(h, "host", "release", "1", "--yes", url=r.url, code=5)
    assert out["error"]["code"] == "outcome_unknown"
    error = muster(h, "host", "release", "1", "--yes", code=1)["error"]
    assert error["code"] == "slot_not_held" and "already" in error["message"]
    seen = muster(h, "host", "slots")
    assert (seen["schema"], seen["releases_used"]) == \
        ("muster.host.slots/1", 2)
    error = muster(h, "host", "release", "3", "--yes", code=1)["error"]
    assert "already" not in error["message"]


def test_b45_a_terminal_is_asked_before_a_release(site, customer):
    h = customer.host()
    said = text_of(h, "host", "activate", "--online", code=0, url=site.url + "/")
    assert re.fullmatch(r"the host is activated: slot 1, 1 of \d+ hosts and 0 of \d+ "
                        r"reactivations used\n", said)
    of = muster(h, "host", "slots", "--publisher", "Acme")
    assert [s["state"] for s in of["slots"]] == ["held"]
    for args in (("slots",), ("release", "1", "--yes"), ("activate", "--online")):
        other = muster(h, "host", *args, "--publisher", "Bolt", code=1)["error"]
        assert other["code"] == "publisher_unknown", other
    for word, code, state in ((b"n\n", 1, "held"), (b"y\n", 0, "released")):
        ours, theirs = pty.openpty()
        os.write(ours, word)
        p = subprocess.run(
            [MUSTER, "host", "release", "1", "--root", h.host_root,
             "--authority", site.url, "--ca", site.path("ca.pem")],
            stdin=theirs, capture_output=True, text=True, timeout=240)
        os.close(theirs)
        os.close(ours)
        assert p.returncode == code and "slot 1" in p.stderr, p
        assert muster(h, "host", "slots")["slots"][0]["state"] == state


def test_b41_a_state_far_behind_finds_its_counter(customer, tmp_path):
    h = customer.host()
    activate(h)
    h.stop()
    shutil.copytree(h.host_root, tmp_path / "backup")
    h.start()
    for _ in range(4):
        activate(h)
    h.stop()
    shutil.rmtree(h.host_root)
    shutil.copytree(tmp_path / "backup", h.host_root)
    h.start()
    out = activate(h)
    assert (out["outcome"], out["reactivations_used"]) == ("same", 4)


def test_b40_only_the_named_ca_is_trusted(site, customer):
    h = customer.host()
    openssl("req", "-x509", "-new", "-key", site.path("ca.key"), "-subj",
            "/CN=Another CA", "-days", "365", "-out", site.path("other.pem"))
    refused(h, "not_trusted", ca="other.pem", exit_code=5)
    refused(h, "not_trusted", ca="missing.pem", exit_code=5)


def test_b40_nothing_is_said_in_the_clear(customer):
    server, seen = socket.create_server(("127.0.0.1", 0)), []

    def run():
        for _ in range(4):
            c, _ = server.accept()
            with c:
                seen.append(c.recv(65536))
                c.sendall(http(b"200 OK", b"{}"))

    t = threading.Thread(target=run, daemon=True)
    t.start()
    url = f"https://localhost:{server.getsockname()[1]}"
    refused(customer.host(), "no_authority", url=url, exit_code=5)
    t.join(20)
    server.close()
    assert len(seen) == 4
    for data in seen:
        assert data[0] == 0x16 and b"hosts" not in data


def test_b40_tls_1_3_and_nothing_older(site, customer):
    """A server that has the right certificate and speaks 1.2."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(site.path("tls.pem"), site.path("tls.key"))
    context.maximum_version = ssl.TLSVersion.TLSv1_2
    server, seen = socket.create_server(("127.0.0.1", 0)), []

    def run():
        for _ in range(4):
            c, _ = server.accept()
            try:
                with context.wrap_socket(c, server_side=True) as s:
                    seen.append(s.recv(65536))
            except ssl.SSLError as e:
                seen.append(e.reason)

    t = threading.Thread(target=run, daemon=True)
    t.start()
    url = f"https://localhost:{server.getsockname()[1]}"
    error = refused(customer.host(), "no_authority", url=url, exit_code=5)
    t.join(20)
    server.close()
    assert seen == ["UNSUPPORTED_PROTOCOL"] * 4
    assert "no connection by TLS 1.3" in error["message"]
    assert "TLS 1.3" in error["next_step"]


def test_b40_no_proxy_is_honoured(site, customer):
    h = customer.host()
    gone = socket.create_server(("127.0.0.1", 0))
    env = {"HTTPS_PROXY": "http://127.0.0.1:%d" % gone.getsockname()[1]}
    gone.close()
    refused(h, "no_authority", env=env, exit_code=5)
    assert activate(h, env={**env, "NO_PROXY": "localhost"})["slot"] == 1


def test_b7_the_daemon_connects_nowhere_while_its_host_is_activated(
        customer, tmp_path):
    h = customer.host()
    h.stop()
    trace = str(tmp_path / "trace")
    h.wrap = ("strace", "-D", "-f", "-q", "-o", trace, "-e",
              "trace=accept4,socket,connect,execve")
    # it would ask itself whether it answers
    h.settings = "publish = false;\nself_test_seconds = 0;\n"
    h.start()
    activate(h)
    muster(h, "host", "slots")
    muster(h, "host", "release", "1", "--yes")
    h.stop()
    lines, end = [], time.monotonic() + 30
    while not lines or "exited with" not in lines[-1]:  # strace is behind
        assert time.monotonic() < end, lines
        with open(trace) as f:
            lines = f.read().splitlines()
    assert len(re.findall(r"accept4\(.* = \d", "\n".join(lines))) >= 5
    assert sum("execve(" in x for x in lines) == 1  # musterd itself
    # only root sees the addresses: a socket's family tells as well
    family, opened = {}, set()
    for line in lines:
        if m := re.search(r"socket\((\w+), (\w+).* = (\d+)$", line):
            family[m[3]] = m[1]
            opened.add((m[1], m[2].split("|")[0]))
        elif m := re.search(r"connect\((\d+),", line):
            assert family[m[1]] == "AF_UNIX", line
    assert opened == {("AF_UNIX", "SOCK_STREAM"), ("AF_INET", "SOCK_STREAM")}


def test_b7_one_file_connects_to_an_authority():
    """Of the host's package, and it is the command's."""
    using, with_curl, loading = set(), set(), set()
    for path in glob.glob(os.path.join(demo.REPO, "src/*/*.[ch]")):
        with open(path) as f:
            text = f.read()
        name = os.path.relpath(path, demo.REPO)
        if "curl_easy_perform(" in text or "gnutls_init(" in text:
            with_curl.add(name)
        if "TRANSFER_FILE," in text or "http.so" in text:
            loading.add(name)
        if "transfer_run(" in text and not name.startswith("src/cli/transfer"):
            using.add((name, ".socket_path = " in text))
    assert with_curl == {"src/cli/transfer_curl.c"}
    assert loading - {"src/cli/transfer.h", "src/base/module.h"} == {
        "src/cli/transfer.c"}
    # the one, and who asks musterd by its socket
    assert using == {("src/cli/authority.c", False), ("src/cli/http.c", True)}
    for program in ("musterd", "muster-agent"):
        needed = subprocess.run(
            ["readelf", "-d", os.path.join(demo.BIN, program)], check=True,
            capture_output=True, text=True).stdout
        assert "libsodium" in needed
        assert "libcurl" not in needed and "libgnutls" not in needed
