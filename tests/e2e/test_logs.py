# SPDX-License-Identifier: MIT
"""Goal: programs read the log: each line of a JSON log is an object, the
journal gets the same fields by its own protocol, and a request has one name in
the logs of client and host."""
import json
import os
import re
import shutil
import signal
import socket
import struct
import subprocess
import threading
import time
import uuid

import pytest

import demo
import wire
from agent import AGENT, Machine
from page import eventually
from service import Service

WAIT_S = 60
KEYS = {"unix_ms", "level", "program", "event", "message", "fields"}
OTHER = b"?" * 16


def parsed(path):
    """Every line; a last one that is being written has no end yet."""
    with open(path) as f:
        lines = f.read().split("\n")[:-1]
    found = [json.loads(line) for line in lines]
    for one in found:
        assert set(one) == KEYS, one
        assert one["level"] in ("error", "warning", "note", "fine")
        assert abs(one["unix_ms"] / 1000 - time.time()) < 3600
        assert isinstance(one["fields"], dict) and one["message"]
    return found


class Host(demo.Site):
    """musterd whose start is heard in another form than that of text."""

    def start(self):
        for sub in ("etc/muster", "usr/share/muster/catalogues"):
            os.makedirs(os.path.join(self.host_root, sub), exist_ok=True)
        self.conf = os.path.join(self.host_root, "etc/muster/musterd.conf")
        self.write(self.settings)
        shutil.copy(self.catalogue, os.path.join(
            self.host_root, "usr/share/muster/catalogues/acme.muster"))
        self.log = self.path("musterd.log")
        with open(self.log, "a") as log:
            self.daemon = subprocess.Popen(
                [*self.wrap, os.path.join(demo.BIN, "musterd"), "--root",
                 self.host_root], stderr=log, stdout=log)
        assert eventually(lambda: self.daemon.poll() is not None or
                          self.listening(), WAIT_S)
        self.port = int(self.listening()["port"])

    def write(self, settings):
        with open(self.conf, "w") as f:
            f.write('listen = [ "127.0.0.1" ];\nport = 0;\n'
                    'status_listen = "127.0.0.1:0";\n' + settings)

    def listening(self):
        return next((e["fields"] for e in parsed(self.log)
                     if e["event"] == "listening"), None)


class Client(Machine):
    def hosts(self, names):
        super().hosts(names)
        with open(os.path.join(self.root, "etc/muster/agent.conf"), "a") as f:
            f.write('log_format = "json";\n')

    def run(self, wrap=(), env=None):
        with open(self.log, "a") as out:
            n = len(of(self.log, "listening"))  # it may be started again
            self.process = subprocess.Popen(
                [*wrap, AGENT, "--root", self.root], stdout=out, stderr=out)
        assert eventually(lambda: len(of(self.log, "listening")) > n, WAIT_S)
        return self


@pytest.fixture()
def host(tmp_path):
    s = Host(str(tmp_path))
    s.settings = 'log_format = "json";\nlog_level = "fine";\n'
    s.publish()
    s.start()
    yield s
    s.stop()


def of(path, event):
    return [e for e in parsed(path) if e["event"] == event]


def test_each_line_of_a_json_log_is_an_object(host):
    host.activate_host()
    nonce = os.urandom(16)
    assert wire.activate(host.port, OTHER, nonce=nonce)[0] != 0
    host.stop()
    events = parsed(host.log)
    assert {e["program"] for e in events} == {"musterd"}
    assert [e["event"] for e in events][-2:] == ["stopping", "stopped"]
    one, = of(host.log, "listening")
    assert one["fields"] == {"address": "127.0.0.1", "port": host.port}
    assert one["message"] == f"127.0.0.1 port {host.port}"
    refused, = of(host.log, "request")
    assert refused["level"] == "note"
    assert refused["message"] == "refused: unknown_product"
    assert refused["fields"] == {
        "request": nonce[:8].hex(), "client": "127.0.0.1",
        "product": str(uuid.UUID(bytes=OTHER)), "outcome": "unknown_product"}


def test_one_name_of_a_request_in_both_logs(host):
    host.activate_host()
    m = Client(host, 1).start()
    try:
        m.activate(demo.SERVER)
    finally:
        m.stop()
    theirs = of(m.log, "host")[-1]
    ours, = [e for e in of(host.log, "request")
             if e["fields"]["request"] == theirs["fields"]["request"]]
    assert theirs["program"] == "muster-agent"
    assert theirs["fields"] == {
        "request": ours["fields"]["request"], "product": demo.SERVER,
        "host": f"127.0.0.1:{host.port}", "count": 1, "threshold": 5}
    assert ours["fields"]["product"] == demo.SERVER
    assert (ours["fields"]["count"], ours["fields"]["threshold"]) == (1, 5)


def test_a_reload_changes_the_form(host):
    host.write('log_level = "fine";\n')
    host.daemon.send_signal(signal.SIGHUP)

    def told():
        with open(host.log) as f:
            return f.read()
    assert eventually(lambda: "log_format is changed" in told(), WAIT_S)
    wire.activate(host.port, OTHER)
    assert eventually(lambda: re.search(r"^request: refused: .* \[request=",
                                        told(), re.M), WAIT_S)


def test_the_authority_s_log_too(tmp_path):
    s = Service(tmp_path)
    with open(s.conf, "a") as f:
        f.write('log_format = "json";\n')
    log = str(tmp_path / "authority.log")
    with open(log, "w") as out:
        p = subprocess.Popen([os.path.join(demo.BIN, "muster-authority"),
                              "serve", "--config", s.conf], stderr=out)
    try:
        assert eventually(lambda: of(log, "listening"), WAIT_S)
    finally:
        p.terminate()
        assert p.wait(WAIT_S) == 0
    one, = of(log, "listening")
    assert one["program"] == "muster-authority"
    assert one["fields"]["address"] == "127.0.0.1"
    assert of(log, "stopping")[0]["fields"] == {"signal": signal.SIGTERM}


def entries(datagram):
    """Of the journal's native protocol."""
    found = {}
    while datagram:
        head, _, datagram = datagram.partition(b"\n")
        name, is_short, value = head.partition(b"=")
        if not is_short:
            n, = struct.unpack("<Q", datagram[:8])
            value, datagram = datagram[8:8 + n], datagram[9 + n:]
        assert re.fullmatch(rb"[A-Z][A-Z_]*", name) and name not in found
        found[name.decode()] = value.decode()
    return found


# The journal's folder is the test's, and standard error the journal's own:
# nothing else of the machine is another.
AS_SERVICE = """mount -t tmpfs none /run && mkdir -p /run/systemd/journal &&
mount --bind "$1" /run/systemd/journal || exit 77
[ -z "$2" ] || export JOURNAL_STREAM=$(stat -L -c %d:%i /proc/self/fd/2)
shift 2; exec "$@" """


class Journal:
    def __init__(self, folder):
        self.folder = str(folder)
        os.mkdir(self.folder)
        self.got = []
        self.listen()

    def listen(self):
        self.socket = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        self.socket.bind(os.path.join(self.folder, "socket"))
        threading.Thread(target=self.take, args=(self.socket,),
                         daemon=True).start()

    def take(self, sock):
        while True:
            try:
                datagram = sock.recv(65536)
            except OSError:
                return
            if not datagram:
                return
            self.got.append(entries(datagram))

    def close(self):
        self.socket.shutdown(socket.SHUT_RDWR)
        self.socket.close()
        os.unlink(os.path.join(self.folder, "socket"))

    def wrap(self, is_stream):
        own = [] if os.geteuid() == 0 else ["-r"]
        return ("unshare", *own, "-m", "sh", "-c", AS_SERVICE, "sh",
                self.folder, "yes" if is_stream else "")

    def of(self, event):
        return [e for e in self.got if e["MUSTER_EVENT"] == event]


class Service252(Host):
    """musterd as a service: its log goes to the journal."""

    def listening(self):
        found = self.journal.of("listening")
        return {"port": found[0]["MUSTER_PORT"]} if found else None


@pytest.fixture()
def journal(tmp_path):
    j = Journal(tmp_path / "journal")
    yield j
    j.close()


@pytest.mark.parametrize("is_stream, settings", [
    (True, ""), (False, 'log_format = "journal";\n')])
def test_the_journal_gets_the_fields(tmp_path, journal, is_stream, settings):
    s = Service252(str(tmp_path))
    s.journal = journal
    s.settings = settings
    s.wrap = journal.wrap(is_stream)
    s.publish()
    s.start()
    try:
        s.activate_host()
        nonce = os.urandom(16)
        assert wire.activate(s.port, OTHER, nonce=nonce)[0] != 0
        assert eventually(lambda: journal.of("request"), WAIT_S)
        one, = journal.of("request")
        name = str(uuid.UUID(bytes=OTHER))
        assert one == {
            "MESSAGE": f"request: refused: unknown_product "
                       f"[request={nonce[:8].hex()} client=127.0.0.1 "
                       f"product={name} outcome=unknown_product]",
            "PRIORITY": "6", "SYSLOG_IDENTIFIER": "musterd",
            "MUSTER_EVENT": "request", "MUSTER_REQUEST": nonce[:8].hex(),
            "MUSTER_CLIENT": "127.0.0.1", "MUSTER_PRODUCT": name,
            "MUSTER_OUTCOME": "unknown_product"}
        with open(s.log) as f:
            assert f.read() == ""  # nothing twice
    finally:
        s.stop()
    assert eventually(lambda: journal.of("stopped"), WAIT_S)


def test_why_a_start_failed_goes_by_the_stream(tmp_path, journal):
    """Of a process that has ended the journal does not find the unit."""
    conf, log = tmp_path / "m.conf", tmp_path / "log"
    conf.write_text("colour = 1;\n")
    with open(log, "w") as out:
        p = subprocess.run([*journal.wrap(True), os.path.join(
            demo.BIN, "musterd"), "--root", str(tmp_path / "h"), "--config",
            str(conf)], stderr=out, timeout=90)
    assert p.returncode == 78 and journal.got == []
    assert log.read_text().startswith(
        f"<3>config: {conf}:1: colour is no setting of musterd")


def test_without_the_journal_s_socket_there_are_lines(tmp_path, journal):
    """It goes while the host runs, in its sandbox: not an event is lost."""
    s = Service252(str(tmp_path))
    s.journal = journal
    s.wrap = journal.wrap(True)
    s.publish()
    s.start()
    try:
        journal.close()
        wire.activate(s.port, OTHER)

        def told():
            with open(s.log) as f:
                return f.read()
        # beside it perhaps what the host finds out of itself at its start
        assert eventually(lambda: re.search(
            r"^<6>request: refused: unknown_product \[request=\S+ "
            r"client=\S+ product=\S+ outcome=unknown_product\]$", told(),
            re.M), WAIT_S), told()
        assert all(x.startswith("<") for x in told().splitlines())
    finally:
        journal.listen()
        s.stop()
    assert "<6>stopped: exit 0\n" in told()
