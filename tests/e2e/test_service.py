# SPDX-License-Identifier: MIT
"""Goal: musterd under a service manager: it says when it serves and when it
ends, takes sockets, marks levels for the journal alone; and IPv6."""
import os
import re
import socket
import struct
import subprocess
import time
import uuid

import pytest

import demo
import wire

MUSTERD = os.path.join(demo.BIN, "musterd")
DESKTOP = uuid.UUID(demo.DESKTOP).bytes
WAIT_S = 60


class Daemon:
    """musterd below a fresh folder, with its own listen addresses."""

    def __init__(self, folder, listen='"127.0.0.1"'):
        self.root = os.path.join(folder, "h")
        self.log = os.path.join(folder, "log")
        self.conf = os.path.join(self.root, "etc/muster/musterd.conf")
        os.makedirs(os.path.dirname(self.conf))
        with open(self.conf, "w") as f:
            f.write(f"listen = [ {listen} ];\nport = 0;\n"
                    'status_listen = "off";\n')
        self.p = None

    def start(self, ready="listening", prefix=(), **how):
        out = open(self.log, "w")
        self.p = subprocess.Popen([*prefix, MUSTERD, "--root", self.root],
                                  stderr=out, **how)
        end = time.monotonic() + WAIT_S
        while ready not in self.text():
            assert self.p.poll() is None, self.text()
            assert time.monotonic() < end
            time.sleep(0.005)
        return self

    def text(self):
        return open(self.log).read()

    def stop(self):
        if self.p and self.p.poll() is None:
            self.p.terminate()
            assert self.p.wait(WAIT_S) == 0


@pytest.fixture()
def daemon(tmp_path):
    d = Daemon(str(tmp_path))
    yield d
    d.stop()


def null(port, address="127.0.0.1"):
    body, = wire.split(wire.exchange(
        port, wire.record(wire.call(wire.NULL)), address=address))
    assert wire.accepted(body) == b""


def test_b8_ipv6_and_ipv4_side_by_side(tmp_path):
    d = Daemon(str(tmp_path), '"::1", "127.0.0.1"').start("127.0.0.1 port")
    at = dict(re.findall(r"listening: (\S+) port (\d+)", d.text()))
    assert set(at) == {"::1", "127.0.0.1"} and len(set(at.values())) == 1
    for address, port in at.items():
        null(int(port), address)
    out = demo.run("muster", "host", "status", "--root", d.root, "--json",
                   ok=(3,))  # no publisher yet
    assert '"::1"' in out
    d.stop()


def test_b8_ipv6_clients_are_counted_and_named(site):
    """The address of a client that came by IPv6 stands in the inventory."""
    site.stop()
    conf = os.path.join(site.host_root, "etc/muster/musterd.conf")
    with open(conf, "w") as f:
        f.write('listen = [ "::1" ];\nport = 0;\nstatus_listen = "off";\n')
    log = open(site.path("v6.log"), "w")
    p = subprocess.Popen([MUSTERD, "--root", site.host_root], stderr=log)
    end = time.monotonic() + WAIT_S
    while not (m := re.search(r"listening: ::1 port (\d+)",
                              open(log.name).read())):
        assert p.poll() is None and time.monotonic() < end
        time.sleep(0.005)
    data = wire.record(wire.call(wire.ACTIVATE, wire.activate_args(DESKTOP)))
    body, = wire.split(wire.exchange(int(m[1]), data, address="::1"))
    assert struct.unpack(">I", wire.accepted(body)[:4])[0] == 0
    out = demo.run("muster", "host", "clients", "--root", site.host_root,
                   "--json")
    assert re.search(r'"address":\s*"::1"', out), out
    p.terminate()
    assert p.wait(WAIT_S) == 0
    site.start()


@pytest.mark.parametrize("is_abstract", [False, True])
def test_ready_and_stopping_are_told(daemon, tmp_path, is_abstract):
    name = f"\0muster-{os.getpid()}" if is_abstract else str(tmp_path / "n")
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as s:
        s.bind(name)
        s.settimeout(WAIT_S)
        daemon.start(env=dict(os.environ,
                              NOTIFY_SOCKET=name.replace("\0", "@")))
        assert s.recv(100) == b"READY=1"
        # ready means that it answers
        null(int(re.search(r"port (\d+)", daemon.text())[1]))
        daemon.stop()
        assert s.recv(100) == b"STOPPING=1"


def test_a_manager_that_is_gone_is_no_matter(daemon, tmp_path):
    daemon.start(env=dict(os.environ, NOTIFY_SOCKET=str(tmp_path / "none")))


def handed(sockets, pid="$$"):
    """How systemd hands sockets over: from descriptor 3 on, by pid."""
    def place():
        for i, s in enumerate(sockets):
            os.dup2(s.fileno(), 50 + i)
        for i in range(len(sockets)):
            os.dup2(50 + i, 3 + i)
    return {"preexec_fn": place, "close_fds": False,
            "prefix": ("/bin/sh", "-c",
                       f'LISTEN_PID={pid} LISTEN_FDS={len(sockets)} '
                       'exec "$0" "$@"')}


def test_sockets_are_taken_from_the_manager(daemon, tmp_path):
    path = str(tmp_path / "given.sock")
    with socket.socket() as rpc, socket.socket(socket.AF_UNIX) as admin:
        rpc.bind(("127.0.0.1", 0))
        rpc.listen(8)
        admin.bind(path)
        admin.listen(8)
        port = rpc.getsockname()[1]
        daemon.start(**handed([rpc, admin]))
        assert f"127.0.0.1 port {port}" in daemon.text()
        null(port)
        # neither its own port nor its own socket beside them
        assert daemon.text().count("listening") == 1
        assert not os.path.exists(os.path.join(daemon.root,
                                               "run/muster/host.sock"))
        with socket.socket(socket.AF_UNIX) as s:
            s.settimeout(WAIT_S)
            s.connect(path)
            s.sendall(b"GET /v1/status HTTP/1.1\r\nHost: x\r\n"
                      b"Connection: close\r\n\r\n")
            assert s.recv(100).startswith(b"HTTP/1.1 200")
        daemon.stop()
    assert os.path.exists(path)  # the manager's, not ours to remove


def test_sockets_for_another_process_are_left_alone(daemon):
    with socket.socket() as rpc:
        rpc.bind(("127.0.0.1", 0))
        rpc.listen(8)
        daemon.start(**handed([rpc], pid="1"))
        port = int(re.search(r"port (\d+)", daemon.text())[1])
        assert port != rpc.getsockname()[1]
        null(port)


def test_levels_are_marked_for_the_journal_alone(daemon):
    with open(daemon.conf, "a") as f:
        f.write('log_format = "text";\n')  # not by the journal's protocol

    def lines(stream):
        env = dict(os.environ)
        env.pop("JOURNAL_STREAM", None)
        if stream:
            env["JOURNAL_STREAM"] = stream
        daemon.start(env=env)
        daemon.stop()
        return daemon.text().splitlines()

    st = os.stat(os.open(daemon.log, os.O_CREAT | os.O_WRONLY))
    plain = lines(None)
    assert plain and not any(line.startswith("<") for line in plain)
    # a service's child whose standard error is its own
    assert not any(x.startswith("<") for x in lines(f"{st.st_dev}:1"))
    marked = lines(f"{st.st_dev}:{st.st_ino}")
    assert [re.sub(r"^<[346]>", "", x).split(":")[0] for x in marked] == \
        [x.split(":")[0] for x in plain]
    assert all(re.match(r"<[346]>", line) for line in marked)


@pytest.mark.parametrize("text, code, says", [
    ("", 0, "good"),
    ('listen = [ "::1", "127.0.0.1" ];\nport = 1688;\nlog_level = "fine";\n',
     0, "good"),
    ('log_format = "journal";\n', 0, "good"),
    ('log_format = "loud";\n', 78, ":1: log_format must be"),
    ("renewal_minutes = 40000;\n", 0, "20 days"),
    ("port = 70000;\nprot = 1;\n", 78, r":1: port[^$]*:2: prot"),
    ('listen = [ "kms.example" ];\n', 78, "addresses"),
])
def test_check_tests_the_settings_and_no_more(tmp_path, text, code, says):
    conf = tmp_path / "m.conf"
    conf.write_text(text)
    root = tmp_path / "h"
    p = subprocess.run([MUSTERD, "--check", "--root", str(root), "--config",
                        str(conf)], capture_output=True, text=True, timeout=90)
    assert p.returncode == code, p.stderr
    assert re.search(says, p.stdout + p.stderr)
    assert not root.exists()


def test_check_of_a_file_that_is_not_there(tmp_path):
    p = subprocess.run([MUSTERD, "--check", "--config",
                        str(tmp_path / "none")], capture_output=True,
                       text=True, timeout=90)
    assert p.returncode == 78 and "none" in p.stderr
