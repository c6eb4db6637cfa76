# SPDX-License-Identifier: MIT
"""Goal: what a person or a script meets on a client machine: state and next
step in words and as JSON, one exit code for each outcome."""
import contextlib
import json
import os
import pty
import re
import socket
import struct
import subprocess
import threading
import time

import pytest

import agent
import demo
from agent import Machine

MUSTER = os.path.join(demo.BIN, "muster")


class Like(str):
    """Equal to what the expression matches."""

    def __eq__(self, other):
        return re.fullmatch(self, other) is not None

    __hash__ = str.__hash__


REQUEST = Like("[0-9a-f]{16}")
KEYS = {"product", "name", "publisher", "publisher_name", "state", "activated",
        "reason", "message", "seconds_left", "days_left", "count", "threshold",
        "renewal_minutes", "retry_minutes", "rearms_left", "first_seen",
        "answered", "asked", "next_contact", "host", "round", "early",
        "targets", "lookups", "host_source", "host_domain"}


@pytest.fixture(scope="module")
def busy(tmp_path_factory):
    """A host that counts six servers already; desktops stay below their
    threshold, however many agents ask."""
    s = demo.Site(str(tmp_path_factory.mktemp("site")))
    s.publish(products=demo.PRODUCTS.replace("threshold = 25",
                                             "threshold = 500"))
    s.start()
    s.activate_host()
    for n in range(100, 106):
        s.activate(n, demo.SERVER)
    yield s
    s.stop()


@pytest.fixture()
def machine(busy):
    numbers = busy.__dict__.setdefault("numbers", iter(range(1, 60)))
    m = Machine(busy, next(numbers))
    m.start(wrap=agent.AS_ROOT)
    yield m
    m.stop()


def muster(root, *args, code=0, text="", wrap=()):
    p = subprocess.run([*wrap, MUSTER, *args, "--root", root], input=text,
                       capture_output=True, text=True, timeout=240)
    assert p.returncode == code, p.stdout + p.stderr
    return p


def facts(root, *args, code=0):
    return json.loads(muster(root, *args, "--json", code=code).stdout)


def fresh(root, *args, code=0):
    """muster activate, and not the result of the round that the agent made
    by itself in the last ten seconds (b37)."""
    for _ in range(30):
        p = subprocess.run([MUSTER, "activate", *args, "--root", root,
                            "--json"], capture_output=True, text=True,
                           timeout=240)
        answer = json.loads(p.stdout)
        if not any(one["early"] for one in answer["products"]):
            break
        time.sleep(0.5)
    assert p.returncode == code, p.stdout
    return answer


def error(root, *args, code):
    """The same cause as JSON and as text, with its next step."""
    e = facts(root, *args, code=code)["error"]
    p = muster(root, *args, code=code)
    assert e["message"] in p.stderr and e["next_step"] in p.stderr
    assert e["message"] and p.stdout == ""
    return e["code"]


def status(m, product=demo.SERVER, code=0):
    answer = facts(m.root, "status", product, code=code)
    assert answer["schema"] == "muster.status/1"
    one, = answer["products"]
    assert set(one) == KEYS
    return one


def test_status_before_and_after(busy):
    machine = Machine(busy, 95, [])  # it cannot ask by itself
    machine.start(wrap=agent.AS_ROOT)
    before = status(machine, code=3)
    assert before["state"] == "initial grace" and not before["activated"]
    assert before["reason"] == "noent" and before["days_left"] in (29, 30)
    muster(machine.root, "set-host", f"127.0.0.1:{busy.port}")
    fresh(machine.root, demo.SERVER)
    after = status(machine)
    assert after["activated"] and after["reason"] is None
    assert after["name"] == "Acme Server" and after["threshold"] == 5
    assert after["count"] >= 6 and after["days_left"] in (179, 180)
    assert after["host"] == f"127.0.0.1:{machine.site.port}"
    assert after["round"] is None and after["rearms_left"] == 5
    assert after["targets"] == [{"host": after["host"],
                                 "outcome": "responded", "request": REQUEST}]
    wire = machine.info(demo.SERVER)
    assert abs(after["next_contact"] - wire["due"]) <= 1
    for key in ("first_seen", "answered", "asked", "publisher_name"):
        assert after[key] == wire[key], key
    machine.stop()


def test_status_in_words(machine):
    machine.activate(demo.SERVER)
    p = muster(machine.root, "status", demo.SERVER)
    assert re.match(r"Acme Server \(Acme\): licensed, (179|180) days left\n",
                    p.stdout)
    assert f"127.0.0.1:{machine.site.port}" in p.stdout
    assert re.search(r"next contact  \d{4}-\d\d-\d\d \d\d:\d\d UTC\n",
                     p.stdout)


def test_status_of_all_products(machine):
    machine.activate(demo.SERVER)
    answer = facts(machine.root, "status", code=3)  # the desktop is not
    assert {p["name"]: p["activated"] for p in answer["products"]} == \
        {"Acme Server": True, "Acme Desktop": False}
    assert answer["settings"] == {
        "hosts": [f"127.0.0.1:{machine.site.port}"], "domain": "",
        "caching": True}


def test_a_product_by_its_name(machine):
    by_name = facts(machine.root, "status", "Acme Desktop", code=3)
    assert by_name["products"][0]["product"] == demo.DESKTOP
    assert error(machine.root, "status", "Acme", code=1) == "no_product"
    other = "00000000-0000-4000-8000-000000000000"
    assert error(machine.root, "status", other, code=1) == "product"


def test_a_name_that_two_products_have(tmp_path):
    s = demo.Site(str(tmp_path))
    s.publish(products=demo.PRODUCTS.replace("Acme Desktop", "Acme Server"))
    m = Machine(s, 1, [])
    m.start()
    assert error(m.root, "status", "Acme Server", code=1) == "ambiguous"
    assert len(facts(m.root, "status", code=3)["products"]) == 2
    m.stop()


def test_b31_activate_and_below_the_threshold(machine):
    answer = fresh(machine.root, "Acme Server")
    assert answer["schema"] == "muster.activate-agent/1"
    one, = answer["products"]
    assert one["activated"] and set(one) == KEYS
    again = facts(machine.root, "activate", "--product", demo.SERVER)
    assert again["products"][0]["early"]  # b37
    p = muster(machine.root, "activate", demo.DESKTOP, code=3)
    assert re.search(r"^Acme Desktop: not activated yet; count \d+ of 500 at ",
                     p.stdout)
    p = muster(machine.root, "activate", code=3)  # both
    assert "Acme Server: activated; count" in p.stdout
    assert "Acme Desktop: not activated yet" in p.stdout


def test_activate_where_no_host_answers(busy):
    with socket.socket() as closed:
        closed.bind(("127.0.0.1", 0))
        dead = f"127.0.0.1:{closed.getsockname()[1]}"
        m = Machine(busy, 94, [dead])
        m.start(wrap=agent.AS_ROOT)
        answer = fresh(m.root, demo.SERVER, code=5)
    assert answer["error"]["code"] == "no_host"
    assert answer["products"][0]["targets"] == [
        {"host": dead, "outcome": "connect", "request": REQUEST}]
    p = muster(m.root, "activate", demo.SERVER, code=5)
    assert f"{dead}: connect" in p.stderr and p.stdout == ""
    assert dead in muster(m.root, "status", demo.SERVER, code=3).stdout
    m.stop()


def test_a_lease_that_holds_hides_no_failure(machine):
    fresh(machine.root, demo.SERVER)
    muster(machine.root, "set-host", "127.0.0.1:1")
    one, = fresh(machine.root, demo.SERVER, code=5)["products"]
    assert one["activated"] and one["round"] == "connect"
    assert "127.0.0.1:1: connect" in muster(machine.root, "status",
                                            demo.SERVER).stdout


def test_activate_where_no_host_is_known(busy):
    m = Machine(busy, 99, [])
    m.start(wrap=agent.AS_ROOT)
    answer = fresh(m.root, demo.SERVER, code=5)
    assert "set-host" in answer["error"]["next_step"]
    assert "no host is known" in muster(m.root, "status", demo.SERVER,
                                        code=3).stdout
    m.stop()


def test_activate_where_a_host_says_no(machine):
    """A host that is there and not activated: failed, not unreachable."""
    def serve(s):
        connection, _ = s.accept()
        call = connection.recv(4096)
        # an accepted call, HOST_NOT_ACTIVATED
        body = call[4:8] + bytes([0, 0, 0, 1]) + bytes(16) + b"\0\0\0\3"
        connection.sendall(bytes([0x80, 0, 0, len(body)]) + body)
        connection.close()

    with socket.socket() as s:
        s.bind(("127.0.0.1", 0))
        s.listen()
        thread = threading.Thread(target=serve, args=(s,))
        thread.start()
        name = f"127.0.0.1:{s.getsockname()[1]}"
        muster(machine.root, "set-host", name)
        answer = fresh(machine.root, demo.SERVER, code=1)
        thread.join()
    assert answer["error"]["code"] == "not_answered"
    assert answer["products"][0]["targets"][0]["outcome"] == \
        "host_not_activated"


@contextlib.contextmanager
def saying(*result):
    """A host that answers each call with this status and what goes with it."""
    def serve():
        while True:
            try:
                c, _ = s.accept()
            except OSError:
                return
            with c:
                call = c.recv(4096)
                body = call[4:8] + struct.pack(">5I", 1, 0, 0, 0, 0) + \
                    struct.pack(f">{len(result)}I", *result)
                c.sendall(struct.pack(">I", len(body) | 1 << 31) + body)

    s = socket.create_server(("127.0.0.1", 0))
    threading.Thread(target=serve, daemon=True).start()
    yield "127.0.0.1:%d" % s.getsockname()[1]
    s.shutdown(socket.SHUT_RDWR)
    s.close()


@pytest.mark.parametrize("n, result, told", [
    (91, (5, 30), {"outcome": "busy", "seconds": 30}),
    (92, (4, 0, 1000), {"outcome": "clock", "host_time": 1000})])
def test_what_a_host_adds_to_its_no(busy, n, result, told):
    with saying(*result) as host:
        root = busy.machine(n)
        direct = ("activate", "--direct", "--host", host, "--product", demo.SERVER)
        answer = facts(root, *direct, code=1)
        want = [{"host": host, "request": REQUEST, **told}]
        assert answer["error"]["code"] == "not_answered" and answer["targets"] == want
        assert f"muster: {host}: {told['outcome']}\n" in muster(root, *direct, code=1).stderr
        m = Machine(busy, n, [host])
        m.start(wrap=agent.AS_ROOT)
        answer = facts(root, "activate", demo.SERVER, code=1)
        m.stop()
    assert answer["error"]["code"] == "not_answered"
    assert answer["products"][0]["targets"] == want


def test_a_setup_key_in_words(machine):
    with open(machine.site.path("acme.key")) as f:
        key = f.read().split()[0]
    product = facts(machine.root, "install-key", key)["product"]
    said = muster(machine.root, "install-key", key).stdout
    assert re.fullmatch("the key is good: it stands for Acme (Desktop|Server) of Acme\n"
                        f"the agent keeps it; next: muster activate {product}\n", said)
    p = muster(machine.root, "install-key", key, "--catalogue", "/nowhere/a.muster", code=1)
    assert "/nowhere/a.muster: not there" in p.stderr
    machine.stop()
    said = muster(machine.root, "install-key", key).stdout
    assert "no agent runs here, so nothing was stored\nnext: muster activate --direct" in said
    assert said.endswith(f"--product {product}\n")


def test_direct_still_asks_by_itself(busy):
    root = busy.machine(98)
    assert error(root, "activate", demo.SERVER, "--host", "a", code=2) == \
        "usage"
    answer = facts(root, "activate", "--direct", "--host",
                   f"127.0.0.1:{busy.port}", "--product", demo.SERVER)
    assert answer["schema"] == "muster.activate/1" and answer["activated"]


def test_settings(machine):
    answer = facts(machine.root, "set-host", "kms1", "kms2:1700", "[::1]:1")
    assert answer == {"schema": "muster.settings/1",
                      "hosts": ["kms1:1688", "kms2:1700", "[::1]:1"],
                      "domain": "", "caching": True}
    answer = facts(machine.root, "set-domain", "example.org")
    assert answer["domain"] == "example.org" and len(answer["hosts"]) == 3
    assert facts(machine.root, "set-caching", "off")["caching"] is False
    assert facts(machine.root, "status", code=3)["settings"] == {
        "hosts": ["kms1:1688", "kms2:1700", "[::1]:1"],
        "domain": "example.org", "caching": False}
    p = muster(machine.root, "set-caching", "on")
    assert "kms1:1688, kms2:1700, [::1]:1" in p.stdout
    assert "caching  on" in p.stdout
    assert facts(machine.root, "clear-host")["hosts"] == []
    assert facts(machine.root, "set-domain", "")["domain"] == ""
    assert "by DNS" in muster(machine.root, "clear-host").stdout


@pytest.mark.parametrize("args", [
    ("set-host",), ("set-host", *"abcdefghi"), ("set-host", "a:0"),
    ("set-host", "a:65536"), ("set-host", "a b"), ("set-host", "a", "::1"),
    ("set-host", "x" * 254), ("clear-host", "a"), ("set-domain",),
    ("set-domain", "a b"), ("set-domain", ".org"), ("set-domain", "x" * 254),
    ("set-caching", "yes"), ("set-caching",), ("status", "a", "b"),
    ("generalize", "now"), ("rearm", "a", "b"), ("activate", "a", "b")])
def test_usage_is_exit_2_and_changes_nothing(machine, args):
    before = facts(machine.root, "status", code=3)["settings"]
    facts(machine.root, *args, code=2)
    assert facts(machine.root, "status", code=3)["settings"] == before


def test_eight_hosts_are_taken(machine):
    names = [f"{c}:1688" for c in "abcdefgh"]
    assert facts(machine.root, "set-host", *"abcdefgh")["hosts"] == names


def test_b38_rearm(machine):
    machine.activate(demo.SERVER)
    facts(machine.root, "clear-host")  # else it asks at once again
    assert error(machine.root, "rearm", "Acme Server", code=2) == "usage"
    assert status(machine)["activated"]
    answer = facts(machine.root, "rearm", "Acme Server", "--yes")
    assert answer["schema"] == "muster.rearm/1"
    one, = answer["products"]
    assert one["state"] == "initial grace" and one["rearms_left"] == 4
    p = muster(machine.root, "rearm", "--yes")  # both of them
    assert "Acme Server: rearmed, 3 times more" in p.stdout
    assert "Acme Desktop: rearmed, 4 times more" in p.stdout
    for _ in range(3):
        facts(machine.root, "rearm", demo.SERVER, "--yes")
    assert error(machine.root, "rearm", demo.SERVER, "--yes", code=1) == \
        "range"


def test_b38_generalize(machine):
    machine.activate(demo.SERVER)
    assert error(machine.root, "generalize", code=2) == "usage"
    assert os.path.exists(machine.lease(demo.SERVER))
    assert facts(machine.root, "generalize", "--yes") == {
        "schema": "muster.generalize/1", "generalized": True}
    assert not os.path.exists(machine.lease(demo.SERVER))
    assert error(machine.root, "activate", demo.SERVER, code=1) == "again"


def at_terminal(answer, *args):
    """Exit code and what a person sees who types this answer."""
    pid, fd = pty.fork()
    if pid == 0:
        os.execv(MUSTER, [MUSTER, *args])
    seen = b""
    while b"[y/N]" not in seen:
        seen += os.read(fd, 1024)
    os.write(fd, answer)
    try:
        while True:
            piece = os.read(fd, 1024)
            if not piece:
                break
            seen += piece
    except OSError:  # the other end of the terminal is closed
        pass
    os.close(fd)
    return os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]), seen.decode()


def test_a_terminal_is_asked(machine):
    machine.activate(demo.SERVER)
    facts(machine.root, "clear-host")
    where = ("--root", machine.root)
    for no in (b"\n", b"n\n", b"yup\n", b"\x04"):
        code, seen = at_terminal(no, "rearm", "Acme Server", *where)
        assert code == 1 and "nothing was changed" in seen
        assert "activation of Acme Server" in seen
    assert status(machine)["activated"]
    assert at_terminal(b"y\n", "rearm", "Acme Server", *where)[0] == 0
    assert not status(machine, code=3)["activated"]
    assert at_terminal(b"n\n", "generalize", *where)[0] == 1
    assert at_terminal(b"yes\n", "generalize", *where)[0] == 0


# A user who is not an administrator, seen from the agent.
SOMEBODY = ("setpriv", "--reuid=65534", "--clear-groups") \
    if os.geteuid() == 0 else ()


@pytest.fixture()
def plain(busy):
    numbers = busy.__dict__.setdefault("more", iter(range(60, 90)))
    m = Machine(busy, next(numbers))
    m.start()
    open_way(m.root)
    yield m
    m.stop()


def test_b37_a_user_is_refused_with_exit_4(plain):
    before = facts(plain.root, "status", code=3)
    for args in (("set-host", "a"), ("clear-host",), ("set-domain", "a"),
                 ("set-caching", "off"), ("rearm", "--yes"),
                 ("generalize", "--yes")):
        p = muster(plain.root, *args, "--json", code=4, wrap=SOMEBODY)
        e = json.loads(p.stdout)["error"]
        assert e["code"] == "denied" and "sudo" in e["next_step"], args
    after = facts(plain.root, "status", code=3)
    assert after["settings"] == before["settings"]
    assert [p["rearms_left"] for p in after["products"]] == [5, 5]


def test_b37_a_user_reads_and_activates(plain):
    muster(plain.root, "activate", "Acme Server", wrap=SOMEBODY)
    muster(plain.root, "status", "Acme Server", wrap=SOMEBODY)


def open_way(path):
    """Folders that tests make are for their own user only."""
    while path != "/":
        if os.stat(path).st_uid == os.geteuid():
            os.chmod(path, os.stat(path).st_mode | 0o011)
        path = os.path.dirname(path)


def test_no_agent_is_exit_5(busy):
    root = busy.machine(97)
    for args in (("status",), ("activate",), ("set-host", "a"),
                 ("clear-host",), ("set-domain", "a"), ("set-caching", "on"),
                 ("rearm", "--yes"), ("generalize", "--yes"),
                 ("status", demo.SERVER)):
        assert error(root, *args, code=5) == "no_agent"


def test_no_product_here(busy):
    m = Machine(busy, 96)
    os.unlink(m.key_file)
    m.start()
    assert facts(m.root, "status")["products"] == []
    assert "no product" in muster(m.root, "status").stdout
    assert error(m.root, "activate", code=1) == "no_product"
    assert error(m.root, "rearm", "--yes", code=1) == "no_product"
    m.stop()


def test_a_root_too_long_is_refused_by_name(tmp_path):
    far = str(tmp_path) + "/" + "x" * 107
    assert error(far, "status", code=1) == "socket_path_too_long"


def test_an_agent_that_talks_nonsense(tmp_path):
    (tmp_path / "run/muster").mkdir(parents=True)
    with socket.socket(socket.AF_UNIX) as s:
        s.bind(str(tmp_path / "run/muster/agent.sock"))
        s.listen()

        def serve():
            for _ in range(2):
                connection, _ = s.accept()
                connection.recv(4096)
                connection.sendall(b"\x80\0\0\x08" + b"\0\0\0\5" * 2)
                connection.close()

        thread = threading.Thread(target=serve)
        thread.start()
        assert error(str(tmp_path), "status", code=1) == "range"
        thread.join()
