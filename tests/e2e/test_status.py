# SPDX-License-Identifier: MIT
"""The status listener: what it serves, to whom, and what it refuses."""
import http.client
import json
import os
import re
import socket
import subprocess
import time

import pytest

import demo

WAIT_S = 60
MUSTERD = os.path.join(demo.BIN, "musterd")


def port_of(site):
    with open(site.path("musterd.log")) as f:
        return int(re.findall(r"status: http://127\.0\.0\.1:(\d+)/", f.read())[-1])


def get(port, path, method="GET", body=None, **headers):
    c = http.client.HTTPConnection("127.0.0.1", port, timeout=WAIT_S)
    c.request(method, path, body=body, headers=headers)
    r = c.getresponse()
    r.body = r.read()
    c.close()
    return r


def read(site, path):
    r = get(port_of(site), path)
    assert r.status == 200, (r.status, r.body)
    return json.loads(r.body)


def test_status_is_that_of_the_socket(site):
    told = read(site, "/v1/status")
    same = json.loads(demo.run("muster", "host", "status", "--json", "--root",
                               site.host_root))
    assert told["schema"] == "muster.host-status/1"
    assert told["pid"] == same["pid"] == site.daemon.pid
    assert told["publishers"] == same["publishers"]
    assert told["status_listeners"] == same["status_listeners"] == [
        {"address": "127.0.0.1", "port": port_of(site)}]


@pytest.mark.parametrize("host, status", [
    ("localhost", 200), ("LOCALHOST:1689", 200), ("127.0.0.1", 200),
    ("127.0.0.1:80", 200), ("[::1]:1689", 200), ("[::1]", 200),
    ("evil.example", 421), ("127.0.0.1.evil.example", 421),
    ("localhost.evil.example:1689", 421), ("192.0.2.1", 421), ("", 421),
    ("localhost:", 421), ("localhost:80x", 421), ("[::1]x", 421), ("[::1", 421),
    ("::1", 421), ("x" * 300, 421)])
def test_a_name_that_was_made_to_point_here_is_refused(site, host, status):
    r = get(port_of(site), "/v1/status", Host=host)
    assert r.status == status
    if status == 421:
        assert json.loads(r.body)["error"]["code"] == "host"


def test_no_host_header_is_no_browser_of_ours(site):
    with socket.create_connection(("127.0.0.1", port_of(site)), WAIT_S) as s:
        s.sendall(b"GET /v1/status HTTP/1.0\r\n\r\n")
        out = b""
        while piece := s.recv(65536):
            out += piece
    assert b" 421 " in out.split(b"\r\n")[0]


@pytest.mark.parametrize("method", ["POST", "PUT", "DELETE", "OPTIONS", "PATCH"])
@pytest.mark.parametrize("path", ["/v1/install-key", "/v1/status", "/"])
def test_nothing_is_changed_by_it(site, method, path):
    r = get(port_of(site), path, method)
    assert r.status == 405 and json.loads(r.body)["error"]["code"] == "method"


def test_no_backup_by_it(site):
    """The whole database is for the socket's group alone."""
    r = get(port_of(site), "/v1/backup")
    assert r.status == 404 and b"SQLite" not in r.body


def test_a_body_is_not_read(site):
    r = get(port_of(site), "/v1/install-key", "POST", body=b"x" * 9)
    assert r.status == 413


def test_head_is_get_without_a_body(site):
    for path in ("/", "/v1/status"):
        r = get(port_of(site), path, "HEAD")
        assert r.status == 200 and r.body == b"", path
        assert int(r.getheader("Content-Length")) > 0


@pytest.mark.parametrize("path", ["/", "/v1/status", "/v1/nothing", "/v1/dns"])
def test_headers_keep_the_page_to_itself(site, path):
    r = get(port_of(site), path)
    policy = r.getheader("Content-Security-Policy")
    assert policy.startswith("default-src 'none'; script-src 'self'")
    assert "unsafe" not in policy and "frame-ancestors 'none'" in policy
    assert r.getheader("X-Content-Type-Options") == "nosniff"
    assert r.getheader("Referrer-Policy") == "no-referrer"
    assert r.getheader("Cross-Origin-Resource-Policy") == "same-origin"
    assert r.getheader("Access-Control-Allow-Origin") is None
    assert r.getheader("Cache-Control") in ("no-store", "no-cache")


def test_a_page_is_not_sent_twice(site):
    first = get(port_of(site), "/")
    etag = first.getheader("ETag")
    assert etag
    again = get(port_of(site), "/", **{"If-None-Match": etag})
    assert (again.status, again.body) == (304, b"")


def test_connections_are_limited_and_end(site):
    """Who says nothing holds up neither clients nor, for long, the page."""
    many = [socket.create_connection(("127.0.0.1", port_of(site)), WAIT_S)
            for _ in range(33)]
    try:
        demo.run("muster", "ping", f"127.0.0.1:{site.port}", "--root",
                 site.host_root)
        many[-1].sendall(b"GET /v1/dns HTTP/1.1\r\nHost: localhost\r\n\r\n")
        many[-1].settimeout(1)
        with pytest.raises(TimeoutError):  # there is no place
            many[-1].recv(1)
        many[-1].settimeout(WAIT_S)
        assert many[-1].recv(1) == b"H"  # after 10 s
        assert many[0].recv(1) == b""
    finally:
        for s in many:
            s.close()
    assert read(site, "/v1/status")["pid"] == site.daemon.pid


def daemon(folder, text, ready):
    root = os.path.join(folder, "h")
    os.makedirs(os.path.join(root, "etc/muster"))
    with open(os.path.join(root, "etc/muster/musterd.conf"), "w") as f:
        f.write('listen = "127.0.0.1";\nport = 0;\n' + text)
    log = os.path.join(folder, "log")
    with open(log, "w") as out:
        p = subprocess.Popen([MUSTERD, "--root", root], stderr=out)
    end = time.monotonic() + WAIT_S
    while ready not in open(log).read():
        assert p.poll() is None and time.monotonic() < end, open(log).read()
        time.sleep(0.01)
    return p, log


def test_a_port_that_is_taken_is_told_and_the_host_serves(tmp_path):
    with socket.socket() as s:
        s.bind(("127.0.0.1", 0))
        s.listen(1)
        at = s.getsockname()[1]
        p, log = daemon(tmp_path, f'status_listen = "127.0.0.1:{at}";\n',
                        "listening")
    told = open(log).read()
    p.terminate()
    assert p.wait(WAIT_S) == 0
    assert f"127.0.0.1 port {at} cannot be listened on" in told
    assert re.search(r"status: no page.* in use.*status_listen", told)


def test_off_is_off_and_ipv6_is_served(tmp_path):
    p, log = daemon(str(tmp_path / "a"), 'status_listen = "off";\n', "listening")
    p.terminate()
    assert p.wait(WAIT_S) == 0 and "status:" not in open(log).read()
    p, log = daemon(str(tmp_path / "b"), 'status_listen = "[::1]:0";\n',
                    "listening")
    at = int(re.search(r"status: http://\[::1\]:(\d+)/", open(log).read())[1])
    c = http.client.HTTPConnection("::1", at, timeout=WAIT_S)
    c.request("GET", "/v1/status")
    assert c.getresponse().status == 200
    c.close()
    p.terminate()
    assert p.wait(WAIT_S) == 0


@pytest.mark.parametrize("value", ['"localhost:80"', '"127.0.0.1:70000"',
                                   "1689", '"on"', '""'])
def test_what_is_no_address_is_named(tmp_path, value):
    conf = tmp_path / "m.conf"
    conf.write_text(f"status_listen = {value};\n")
    p = subprocess.run([MUSTERD, "--check", "--config", str(conf)],
                       capture_output=True, text=True, timeout=WAIT_S)
    assert p.returncode == 78 and ":1: status_listen must be" in p.stderr
