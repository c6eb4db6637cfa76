# SPDX-License-Identifier: MIT
"""Goal: whoever sends nonsense, too much, too slowly or too often is answered
or closed, and everybody else is served meanwhile."""
import json
import os
import resource
import shutil
import socket
import sqlite3
import subprocess
import threading

import pytest

from service import BAD_DISK, Host, Service, preloaded
from test_authority import BIN, Authority

PATIENCE_S = 90


@pytest.fixture
def make(tmp_path):
    made = []

    def one(env=None, **settings):
        made.append(Service(tmp_path, **settings))
        return made[-1].start(env=env)
    yield one
    for service in made:
        service.stop()


def read_all(sock):
    """What comes until the other side closes, which it must."""
    sock.settimeout(PATIENCE_S)
    data = b""
    try:
        while True:
            more = sock.recv(65536)
            if not more:
                return data
            data += more
    except (ConnectionError, OSError) as e:
        assert not isinstance(e, TimeoutError), "still open"
        return data


def is_served(s):
    return s.ask("GET", "/healthz").status == 200


def test_who_asks_too_often_is_told_when_to_come_again(make):
    s = make(rate=1, burst=3)
    key = s.a.issue()
    request = Host(1).request(s.a, key)
    for n in range(3):
        assert s.enrol(request).status in (200, 201)
    answer = s.enrol(request)
    answer.problem(429, "rate_limited")
    assert 1 <= int(answer.headers["Retry-After"]) <= 60
    s.ask("GET", "/nothing").problem(429, "rate_limited")
    # another source has its own bucket
    raw = socket.create_connection(("127.0.0.1", s.port), PATIENCE_S,
                                   ("127.0.0.2", 0))
    sock = s.context.wrap_socket(raw, server_hostname="localhost")
    assert s.enrol(request, sock=sock).json["outcome"] == "same"
    sock.close()


def test_a_source_has_so_many_connections(make):
    s = make(connections_per_source=4)
    held = [s.connect() for _ in range(4)]
    with pytest.raises(OSError):
        s.connect()
    raw = socket.create_connection(("127.0.0.1", s.port), PATIENCE_S,
                                   ("127.0.0.2", 0))
    sock = s.context.wrap_socket(raw, server_hostname="localhost")
    assert s.ask("GET", "/healthz", sock=sock).status == 200
    for x in (*held, sock):
        x.close()


def drip(sock, data, ended):
    """A byte at a time, until it is closed."""
    try:
        for byte in data:
            sock.sendall(bytes([byte]))
            if ended.wait(0.1):
                return
    except OSError:
        pass


def test_the_slow_are_closed(make):
    s = make(request_seconds=1)
    head = b"POST /v1/hosts HTTP/1.1\r\nHost: localhost\r\n"
    body = (b"Content-Type: application/json\r\nContent-Length: 700\r\n\r\n"
            b'{"request":"')
    bare = socket.create_connection(("127.0.0.1", s.port), PATIENCE_S)
    half = socket.create_connection(("127.0.0.1", s.port), PATIENCE_S)
    half.sendall(b"\x16\x03\x01\x02\x00\x01")
    silent, in_head, in_body, slow = (s.connect() for _ in range(4))
    in_head.sendall(head)
    in_body.sendall(head + body)
    ended = threading.Event()
    thread = threading.Thread(target=drip, args=(
        slow, head + b"X: " + b"y" * 600, ended))
    thread.start()
    try:
        assert is_served(s)
        for sock in (bare, half, silent, in_head, in_body, slow):
            read_all(sock)
            sock.close()
    finally:
        ended.set()
        thread.join()
    m = s.metrics()
    assert m["muster_authority_connections_timed_out_total"] >= 6
    assert is_served(s)


def exchange(s, data):
    """Raw bytes there, all that comes back."""
    sock = s.connect()
    try:
        sock.sendall(data)
        return read_all(sock)
    except OSError:
        return b""
    finally:
        sock.close()


def chunks(n):
    return b"1000\r\n" + b"x" * 4096 + b"\r\n" if n else b"0\r\n\r\n"


def test_too_large(make):
    s = make(request_seconds=5)
    for size in (4097, 60000):
        s.ask("POST", "/v1/hosts", b"x" * size,
              {"Content-Type": "application/json"}).problem(413, "too_large")
    s.ask("GET", "/v1/hosts", b"x" * 5000).problem(413, "too_large")
    start = (b"POST /v1/hosts HTTP/1.1\r\nHost: x\r\n"
             b"Content-Type: application/json\r\n")
    for size, statuses in ((b"1000000000", (b"413",)),
                           (b"9" * 30, (b"400", b"413"))):
        back = exchange(s, start + b"Content-Length: " + size + b"\r\n\r\n{")
        assert back.split()[1] in statuses, back
    # a body without a length, and without an end
    endless = start + b"Transfer-Encoding: chunked\r\n\r\n" + chunks(1) * 100
    back = exchange(s, endless)
    assert b" 200 " not in back and b" 201 " not in back
    # ended by what it sent, not by its time
    assert s.metrics()["muster_authority_connections_timed_out_total"] == 0
    small = start + b"Transfer-Encoding: chunked\r\nConnection: close\r\n" \
        b"\r\n" + chunks(1) * 3 + chunks(0)
    assert b" 413 " in exchange(s, small)
    # a head without an end
    assert b"HTTP/1.1 20" not in exchange(s, start + b"X-Y: " + b"z" * 40000)
    assert b"HTTP/1.1 20" not in exchange(s, start + b"A: b\r\n" * 20000)
    assert b"HTTP/1.1 20" not in exchange(s, b"GET /" + b"z" * 40000)
    assert is_served(s)


def test_nonsense(make):
    s = make(request_seconds=2)
    ok = b"GET /healthz HTTP/1.1\r\nHost: x\r\n\r\n"
    close = b"GET /healthz HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n"
    assert exchange(s, ok * 3 + close).count(b"HTTP/1.1 200 ") == 4
    start = b"POST /v1/hosts HTTP/1.1\r\nHost: x\r\n"
    for data in (b"\0" * 100, b"\r\n" * 100, b"GET\r\n\r\n",
                 b"GET /healthz\r\n\r\n", b"GET /healthz HTTP/9.9\r\n\r\n",
                 b"\xff\xfe\xfd /healthz HTTP/1.1\r\nHost: x\r\n\r\n",
                 start + b"Content-Length: -1\r\n\r\n",
                 start + b"Content-Length: 2, 3\r\n\r\n{}",
                 start + b"Content-Length: 2\r\nTransfer-Encoding: chunked"
                 b"\r\n\r\n{}" + close,
                 start + b"Transfer-Encoding: chunked\r\n\r\nzz\r\n",
                 start + b"Transfer-Encoding: chunked\r\n\r\n"
                 b"fffffffffffffffff\r\n{}",
                 b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"):
        exchange(s, data)
        assert s.process.poll() is None
    plain = socket.create_connection(("127.0.0.1", s.port), PATIENCE_S)
    plain.sendall(ok)
    assert b"200" not in read_all(plain)
    plain.close()
    gone = s.connect()
    gone.sendall(start + b"Content-Length: 20\r\n\r\n{")
    gone.close()
    assert is_served(s)


def test_http_that_a_proxy_may_read_in_another_way(make):
    """One answer, and what stands behind it is not read as a request."""
    s = make()
    get = b"GET /healthz HTTP/1.1\r\n"
    post = (b"POST /v1/hosts HTTP/1.1\r\nHost: x\r\n"
            b"Content-Type: application/json\r\n")
    more = b"GET /metrics HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n"
    both = b"Transfer-Encoding: chunked\r\n\r\n0\r\n\r\n"
    for data in (post + b"Content-Length: 2\r\n" + both,
                 post + b"content-length: 0\r\n" + both,
                 post + b"Transfer-Encoding: chunked\r\n" + both,
                 post + b"Transfer-Encoding: gzip\r\n\r\n0\r\n\r\n",
                 post + b"Content-Length: 2\r\nContent-Length: 3\r\n\r\n{}",
                 post + b"Content-Length : 2\r\n\r\n{}",
                 get + b"Host: x\r\nHost: y\r\n\r\n"):
        back = exchange(s, data + more)
        assert back.startswith(b"HTTP/1.1 400 "), (data, back)
        assert back.count(b"HTTP/1.1 ") == 1 and b"bad_request" in back
        assert b"\r\nConnection: close\r\n" in back
    # of these the library tells, in words of its own
    for data, status in ((get + b"\r\n", b"400"),
                         (get + b"Host: x\r\nX: " + b"z" * 20000, b"431"),
                         (b"GET /" + b"z" * 20000, b"414"),
                         (get.replace(b"1.1", b"3.1") + b"\r\n", b"505")):
        back = exchange(s, data + b"\r\n\r\n" + more)
        assert back.split()[1] == status and b"HTTP/1.1 200" not in back, back
    close = b" HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n"
    for path in (b"/healthz%00", b"/healthz%00x", b"/%68ealthz",
                 b"/v1/hosts%2f1"):
        assert b"not_found" in exchange(s, b"GET " + path + close), path
    assert b" 200 " in exchange(s, b"GET /healthz?a=%00" + close)
    assert is_served(s)


def test_who_is_over_the_rate_hides_no_request_in_a_body(make):
    s = make(rate=1, burst=1)
    back = exchange(s, (b"POST /v1/hosts HTTP/1.1\r\nHost: x\r\n"
                        b"Content-Length: 2\r\nTransfer-Encoding: chunked"
                        b"\r\n\r\n0\r\n\r\n") * 2)
    assert back.count(b"HTTP/1.1 ") == 1
    back = exchange(s, (b"POST /v1/hosts HTTP/1.1\r\nHost: x\r\n"
                        b"Content-Length: 2\r\nTransfer-Encoding: chunked"
                        b"\r\n\r\n0\r\n\r\n") * 2)
    assert b" 429 " in back and back.count(b"HTTP/1.1 ") == 1


def test_a_database_that_is_in_use(make):
    s = make()
    key = s.a.issue()
    db = sqlite3.connect(os.path.join(s.a.dir, "authority.db"),
                         isolation_level=None)
    db.execute("BEGIN IMMEDIATE")
    answer = s.enrol(Host(1).request(s.a, key))
    answer.problem(503, "busy")
    assert int(answer.headers["Retry-After"]) >= 1
    s.ask("GET", "/healthz").problem(503, "busy")
    db.execute("ROLLBACK")
    db.close()
    assert is_served(s)
    assert s.slots(key).json["slots"] == []
    assert s.enrol(Host(1).request(s.a, key)).status == 201


def test_a_disk_that_takes_nothing(make):
    s = make()
    key = s.a.issue()
    assert is_served(s)
    resource.prlimit(s.process.pid, resource.RLIMIT_FSIZE,
                     (0, resource.RLIM_INFINITY))
    p = s.enrol(Host(1).request(s.a, key)).problem(500, "failed")
    assert "full" in p["detail"]
    s.ask("GET", "/healthz").problem(500, "failed")
    resource.prlimit(s.process.pid, resource.RLIMIT_FSIZE,
                     (resource.RLIM_INFINITY, resource.RLIM_INFINITY))
    assert is_served(s)
    g = s.enrol(Host(1).request(s.a, key)).json
    assert g["slot"] == 1 and g["hosts_used"] == 1
    s.a.run("audit", "verify")
    assert s.metrics()["muster_authority_commits_failed_total"] >= 2


def test_an_issuing_key_out_of_its_time(make):
    s = make()
    key = s.a.issue()
    with sqlite3.connect(os.path.join(s.a.dir, "authority.db")) as db:
        db.execute("UPDATE issuer SET not_before = 1, not_after = 2")
    db.close()
    s.enrol(Host(1).request(s.a, key)).problem(503, "no_issuer")
    assert s.slots(key).json["slots"] == []


def test_one_request_that_fails_leaves_the_others_of_its_batch(make,
                                                               tmp_path):
    gate = tmp_path / "gate"
    s = make(env=preloaded(BAD_DISK, MUSTER_BAD_DISK=str(gate)))
    good, bad = s.a.issue(), s.a.issue()
    path = os.path.join(s.a.dir, "authority.db")
    with sqlite3.connect(path) as db:
        # after its slot was written, so that there is something to undo
        db.execute("CREATE TRIGGER no BEFORE INSERT ON host WHEN "
                   "NEW.key_number = 2 BEGIN SELECT RAISE(ABORT, 'no'); END")
    db.close()
    asks = [Host(n).request(s.a, bad if n % 2 else good)
            for n in range(1, 11)]
    answers = [None] * len(asks)

    def one(i):
        answers[i] = s.enrol(asks[i]).status
    # the disk has a batch, so the others become the next one
    gate.write_text("fdatasync authority.db-wal$ 0 -1")
    threads = [threading.Thread(target=is_served, args=(s,))]
    threads[0].start()
    while not os.path.exists(str(gate) + ".held"):
        threads[0].join(0.01)
    for i in range(len(asks)):
        threads.append(threading.Thread(target=one, args=(i,)))
        threads[-1].start()
    s.wait_for_queue(len(asks))
    gate.write_text("")
    for t in threads:
        t.join()
    assert answers == [500, 201] * 5
    assert s.query("SELECT DISTINCT key_number FROM slot") == [(1,)]
    assert s.slots(bad).json["hosts_used"] == 0
    assert len(s.slots(good).json["slots"]) == 5
    s.a.run("audit", "verify")
    assert "database" in s.enrol(asks[0]).json["detail"]
    s.stop()
    assert faults(s) == ["exist"] and "host key 2:" in "".join(s.log), s.log


def faults(s):
    """The codes that its log has for what failed."""
    return [x.split()[1][:-1] for x in s.log if x.startswith("failed: ")]


def test_keys_that_fail_while_it_serves(make):
    s = make()
    key, other = s.a.issue(), s.a.issue()
    asks = [Host(n).request(s.a, k) for n in (1, 2) for k in (key, other)]
    assert s.enrol(asks[0]).status == 201
    # the issuing key of today is one that the key file does not have
    s.query("UPDATE issuer SET number = 7")
    for request in asks[1:]:
        p = s.enrol(request).problem(500, "failed")
        assert "issuing key" in p["detail"] and "database" not in p["detail"]
        assert s.a.dir not in json.dumps(p)
    # what needs none goes on, and does not make it news
    assert s.enrol(asks[0]).json["outcome"] == "same"
    s.enrol(asks[2]).problem(500, "failed")
    s.query("UPDATE issuer SET number = 1")
    assert s.enrol(asks[2]).status == 201
    s.query("UPDATE issuer SET number = 7")
    s.enrol(asks[3]).problem(500, "failed")
    s.query("UPDATE issuer SET number = 1")
    s.query("UPDATE host_key SET sealed = zeroblob(length(sealed)) "
            "WHERE number = 2")
    p = s.enrol(asks[3]).problem(500, "failed")
    assert "host key" in p["detail"]
    assert s.enrol(Host(5).request(s.a, key)).status == 201
    s.stop()
    assert faults(s) == ["noent", "noent", "damaged"], s.log
    assert "issuing.key" in "".join(s.log) and "seal.key" in "".join(s.log)


@pytest.mark.parametrize("name, code", [
    ("issuing.key", "issuing_key"), ("seal.key", "seal_key")])
def test_it_does_not_start_without_its_keys(tmp_path, name, code):
    (tmp_path / "other").mkdir()
    s = Service(tmp_path)
    other = Authority(tmp_path / "other", "another")
    s.a.issue()
    path = os.path.join(s.a.dir, name)
    with open(path, "rb") as f:
        mine = f.read()
    with open(os.path.join(other.dir, name), "rb") as f:
        theirs = f.read()
    for bad in (theirs, mine[:20], b"", b"2" + mine[1:]):
        s.a.write(path, bad)
        for more in ((), ("--check",)):
            assert path in refused(s, 78, code, *more)[0]
    os.unlink(path)
    assert path in refused(s, 78, code, "--check")[0]
    s.a.write(path, mine)
    os.chmod(path, 0o600)
    assert checks(s)


def test_it_starts_where_no_issuing_key_is_in_its_time(tmp_path):
    s = Service(tmp_path)
    key = s.a.issue()
    s.query("UPDATE issuer SET not_before = 1, not_after = 2")
    os.unlink(os.path.join(s.a.dir, "issuing.key"))
    assert checks(s)
    s.start()
    s.enrol(Host(1).request(s.a, key)).problem(503, "no_issuer")
    assert s.slots(key).json["slots"] == []
    s.stop()
    assert [x for x in s.log if x.startswith("issuer: ")]


def refused(s, rc, code, *args):
    p = subprocess.run([os.path.join(BIN, "muster-authority"), "serve",
                        "--config", s.conf, "--json", *args],
                       capture_output=True, text=True, timeout=240)
    assert p.returncode == rc, (p.stdout, p.stderr)
    e = json.loads(p.stdout)["error"]
    assert e["code"] == code and e["message"] and e["next_step"], e
    return e["message"], p.stderr


def checks(s):
    return subprocess.run(
        [os.path.join(BIN, "muster-authority"), "serve", "--check",
         "--config", s.conf], timeout=240).returncode == 0


def test_what_it_does_not_start_with(tmp_path):
    s = Service(tmp_path)
    assert checks(s)
    # a root secret in its folder, under whatever name
    hidden = os.path.join(s.a.dir, ".old")
    os.link(s.a.root_key, hidden)
    assert ".old" in refused(s, 78, "root_key_inside")[0]
    os.unlink(hidden)
    below = os.path.join(s.a.dir, "old", "2024")
    os.makedirs(below)
    os.link(s.a.root_key, os.path.join(below, "r"))
    assert "old/2024/r is" in refused(s, 78, "root_key_inside", "--check")[0]
    os.unlink(os.path.join(below, "r"))
    assert checks(s)
    # through no door that leads out of it
    os.symlink(os.path.dirname(s.a.root_key), os.path.join(below, "out"))
    os.symlink(s.a.dir, os.path.join(below, "round"))
    assert checks(s)
    os.makedirs(os.path.join(below, *"abcdefg"))
    assert "8 folders" in refused(s, 78, "bad_dir", "--check")[0]
    shutil.rmtree(os.path.join(s.a.dir, "old"))
    for n in range(4100):
        open(os.path.join(s.a.dir, f"{n}.x"), "w").close()
    assert "4096 files" in refused(s, 78, "bad_dir", "--check")[0]
    for n in range(4100):
        os.unlink(os.path.join(s.a.dir, f"{n}.x"))
    os.chmod(s.a.path("tls.key"), 0o644)
    assert "tls.key" in refused(s, 78, "tls_key_open")[0]
    os.chmod(s.a.path("tls.key"), 0o640)
    refused(s, 78, "bad_tls", "--tls-key", s.a.path("ca.key"))
    refused(s, 78, "noent", "--tls-cert", s.a.path("none"))
    refused(s, 2, "bad_listen", "--listen", "localhost:1")
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        refused(s, 1, "listen", "--listen",
                "127.0.0.1:%d" % taken.getsockname()[1])
    os.mkdir(s.a.path("bare"))
    s.configure(dir=s.a.path("bare"))
    assert "authority.db" in refused(s, 78, "no_database")[0]
    s.configure(dir=s.a.path("none"))
    refused(s, 78, "no_dir")
    with open(s.conf, "w") as f:
        f.write("# nothing yet\n")
    assert "names none" in refused(s, 78, "no_dir")[0]
    with open(s.conf, "w") as f:
        f.write(f'dir = "{s.a.dir}";\n')
    refused(s, 78, "no_tls")


@pytest.mark.parametrize("name, good, bad, code", [
    ("authority/issuing.key", 0o600, (0o644, 0o640, 0o604, 0o620), "key_open"),
    ("authority/seal.key", 0o400, (0o666, 0o440), "key_open"),
    ("authority", 0o755, (0o775, 0o777, 0o1777, 0o702), "dir_open"),
    ("authority.conf", 0o644, (0o666, 0o664, 0o646), "config_open")])
def test_what_others_can_read_or_change(tmp_path, name, good, bad, code):
    s = Service(tmp_path)
    path = s.a.path(name)
    for mode in bad:
        os.chmod(path, mode)
        for args in (["serve", "--check"], ["serve"], ["key", "list"],
                     ["key", "issue", "--level", "1", "--customer", "x"],
                     ["activate", "--file", "none"], ["audit", "verify"]):
            p = subprocess.run([BIN + "/muster-authority", *args, "--config",
                                s.conf, "--json"], capture_output=True,
                               text=True, timeout=240)
            e = json.loads(p.stdout)["error"]
            assert p.returncode == (78 if args[0] == "serve" else 1)
            assert e["code"] == code and path in e["message"], e
            assert f" {mode:04o}" in e["message"], e
            assert "chmod" in e["next_step"] and path in e["next_step"], e
    os.chmod(path, good)
    assert checks(s)
    s.a.run("key", "list")


@pytest.mark.skipif(os.geteuid() != 0, reason="needs root: to own")
@pytest.mark.parametrize("name, code", [
    ("authority/issuing.key", "key_open"), ("authority/seal.key", "key_open"),
    ("authority.conf", "config_open")])
def test_what_belongs_to_somebody_else(tmp_path, name, code):
    s = Service(tmp_path)
    os.chown(s.a.path(name), 65534, -1)
    assert "65534" in refused(s, 78, code, "--check")[0]
    # root may use the folder of the service's user as that user left it
    for path in (s.a.dir, *(os.path.join(s.a.dir, x)
                            for x in os.listdir(s.a.dir))):
        os.chown(path, 65534, -1)
    os.chown(s.conf, 0, -1)
    assert checks(s)


def test_every_mistake_of_the_settings_is_named_with_its_line(tmp_path):
    s = Service(tmp_path)
    with open(s.conf, "w") as f:
        f.write(f'dir = "{s.a.dir}";\nrate = 4294967297;\nburst = 0;\n'
                'lisen = "x";\nrequest_seconds = "5";\ntls_key = "";\n'
                'log_level = "loud";\nbody_bytes = 1.5;\n'
                'log_format = "xml";\n')
    _, log = refused(s, 78, "bad_config")
    for line, word in ((2, "rate"), (3, "burst"), (4, "lisen"),
                       (5, "request_seconds"), (6, "tls_key"),
                       (7, "log_level"), (8, "body_bytes"),
                       (9, "log_format")):
        assert any(f"{s.conf}:{line}: {word} " in x for x in
                   log.splitlines()), (line, log)
    with open(s.conf, "w") as f:
        f.write(f'dir = "{s.a.dir}";\nlisten = "8443";\n')
    assert f"{s.conf}:2: listen " in refused(s, 78, "bad_config")[1]
