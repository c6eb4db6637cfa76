# SPDX-License-Identifier: MIT
"""Goal: a machine with the agent is kept activated without anybody's help,
and what its socket is fed changes nothing."""
import json
import os
import resource
import shutil
import socket
import struct
import subprocess
import tempfile
import threading
import time

import pytest

import agent
import demo
from agent import Machine


@pytest.fixture(scope="module")
def busy(site):
    """A host that counts six servers already."""
    for n in range(100, 106):
        site.activate(n, demo.SERVER)
    return site


@pytest.fixture()
def machine(busy, request):
    numbers = busy.__dict__.setdefault("numbers", iter(range(1, 1000)))
    m = Machine(busy, next(numbers))
    yield m
    m.stop()


def count(site):
    out = demo.run("muster", "host", "status", "--root", site.host_root,
                   "--json")
    return json.loads(out)["publishers"][0]["groups"][0]["count"]


def settle(m, p, state, seconds=20):
    """Wait for a state that the agent reaches by itself."""
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        info = m.info(p)
        if info["state"] == state:
            return info
        time.sleep(0.05)
    raise AssertionError(info)


def test_b30_a_product_is_a_client_by_its_key_file(machine):
    machine.start()
    assert sorted(machine.ask(agent.LIST)["products"]) == \
        sorted([demo.DESKTOP, demo.SERVER])
    info = machine.info(demo.SERVER)
    assert info["state"] in ("initial_grace", "licensed")
    assert info["name"] == "Acme Server" and info["threshold"] == 5
    # starts are spread, by chance over no time at all
    assert info["asked"] or 0 <= info["due"] - time.time() <= 61


def test_b30_a_key_file_that_is_gone_ends_the_asking(machine):
    machine.start()
    os.unlink(machine.key_file)
    end = time.monotonic() + 10  # after a round that is under way
    while machine.activate(demo.SERVER)["err"] != agent.PRODUCT:
        assert time.monotonic() < end
        time.sleep(0.05)
    assert machine.ask(agent.LIST)["products"] == []


def test_b31_activate_tells_the_count_and_activates(machine):
    machine.start()
    info = machine.activate(demo.SERVER)["info"]
    assert info["state"] == "licensed" and info["reason"] == 0
    assert info["count"] >= 6 and info["round"] == 0
    assert info["host"] == f"127.0.0.1:{machine.site.port}"
    assert info["outcomes"][-1]["err"] == 0
    assert 6.6 * 86400 < info["due"] - time.time() <= 7 * 86400
    info = machine.activate(demo.DESKTOP)["info"]
    assert info["state"] == "initial_grace" and info["round"] == 0
    assert info["count"] < info["threshold"] == 25
    assert os.path.exists(machine.lease(demo.SERVER))
    assert not os.path.exists(machine.lease(demo.DESKTOP))


def test_targets_in_order_with_an_outcome_each(busy):
    with socket.socket() as closed:
        closed.bind(("127.0.0.1", 0))
        dead = f"127.0.0.1:{closed.getsockname()[1]}"
        m = Machine(busy, 900, [dead, f"127.0.0.1:{busy.port}", dead])
        m.start()
        info = m.activate(demo.SERVER)["info"]
        m.stop()
    assert [o["target"] for o in info["outcomes"]] == \
        [dead, f"127.0.0.1:{busy.port}"]
    assert [o["err"] for o in info["outcomes"]] == [-34, 0]
    assert info["state"] == "licensed" and info["round"] == 0


def test_no_host_is_said_and_changes_nothing(busy):
    m = Machine(busy, 901, [])
    m.start()
    info = m.activate(demo.SERVER)["info"]
    m.stop()
    assert info["state"] == "initial_grace" and info["round"] == -10
    assert info["outcomes"] == []


def contacts(site, product):
    """How often machines came for it, all together."""
    out = demo.run("muster", "host", "clients", "--root", site.host_root,
                   "--json")
    return sum(c["contacts"] for c in json.loads(out)["clients"]
               if c["product"] == product)


def test_b37_once_in_ten_seconds_over_all_users(busy, machine):
    before = contacts(busy, demo.SERVER)
    machine.start()
    first = machine.activate(demo.SERVER)["info"]
    again = machine.activate(demo.SERVER)["info"]
    # by the first, or by the start just before it, whose time is chance
    assert contacts(busy, demo.SERVER) == before + 1
    assert again["early"]
    assert again["asked"] == first["asked"]
    assert again["state"] == "licensed" and again["count"] == first["count"]


def test_a_restart_keeps_everything(machine):
    machine.start()
    before = machine.activate(demo.SERVER)["info"]
    machine.kill()
    machine.start()
    after = machine.info(demo.SERVER)
    for key in ("state", "count", "first_seen", "answered", "host"):
        assert after[key] == before[key], key
    assert abs(after["due"] - before["due"]) <= 2


def test_a_second_agent_says_so(machine):
    machine.start()
    p = subprocess.run([agent.AGENT, "--root", machine.root],
                       capture_output=True, text=True, timeout=90)
    assert p.returncode == 1 and "another agent runs" in p.stderr
    p = subprocess.run([os.path.join(demo.BIN, "muster"), "activate",
                        "--direct", "--root", machine.root, "--host",
                        "127.0.0.1:1", "--product", demo.SERVER],
                       capture_output=True, text=True, timeout=240)
    assert p.returncode != 0 and "in use by another process" in p.stderr


def test_files_have_the_rights_of_the_contract(machine):
    machine.start()
    machine.activate(demo.SERVER)
    modes = {}
    for folder, _, names in os.walk(machine.state()):
        for name in names:
            path = os.path.join(folder, name)
            modes[os.path.relpath(path, machine.state())] = \
                os.stat(path).st_mode & 0o777
    assert os.stat(machine.state()).st_mode & 0o777 == 0o755
    assert os.stat(machine.sock).st_mode & 0o777 == 0o666
    for name, mode in modes.items():
        want = 0o644 if name.endswith((".lease", ".view")) else 0o600
        assert mode == want, (name, oct(mode))


def test_b34_an_agent_that_meets_a_liar_keeps_its_state(busy):
    """A server that answers anything at all, and then nothing."""
    answers = [b"", b"\x80\0\0\x04abcd", os.urandom(200), b"\xff" * 250,
               b"HTTP/1.1 400 Bad Request\r\n\r\n"]
    with socket.socket() as server:
        server.bind(("127.0.0.1", 0))
        server.listen(8)

        def serve():
            for answer in answers:
                s, _ = server.accept()
                with s:
                    s.recv(4096)
                    s.sendall(answer)
        thread = threading.Thread(target=serve)
        thread.start()
        m = Machine(busy, 902,
                    [f"127.0.0.1:{server.getsockname()[1]}"] * len(answers))
        m.start()
        info = m.activate(demo.SERVER)["info"]
        thread.join(20)
        m.stop()
    assert info["state"] == "initial_grace" and info["count"] == 0
    assert len(info["outcomes"]) == len(answers)
    assert all(o["err"] != 0 for o in info["outcomes"])
    assert not os.path.exists(m.lease(demo.SERVER))


def test_b38_a_cloned_folder_takes_a_new_cmid(busy, machine):
    machine.start()
    machine.activate(demo.SERVER)
    machine.stop()
    before = count(busy)
    twin = Machine(busy, 903)
    shutil.rmtree(twin.state(), ignore_errors=True)
    shutil.copytree(machine.state(), twin.state())
    twin.start()
    info = twin.info(demo.SERVER)
    assert info["reason"] == -23  # of another machine
    assert info["state"] == "out_of_tolerance_grace"
    assert "another machine" in open(twin.log).read()
    assert twin.activate(demo.SERVER)["info"]["state"] == "licensed"
    twin.stop()
    assert count(busy) == before + 1


def test_b38_generalize_then_a_fresh_start(busy, machine):
    machine.start(wrap=agent.AS_ROOT)
    machine.activate(demo.SERVER)
    first_seen = machine.info(demo.SERVER)["first_seen"]
    assert machine.ask(agent.GENERALIZE)["err"] == 0
    assert machine.info(demo.SERVER)["state"] == "initial_grace"
    assert not os.path.exists(machine.lease(demo.SERVER))
    assert machine.activate(demo.SERVER)["err"] == agent.AGAIN
    machine.stop()
    time.sleep(1.1)  # first sight is kept in seconds
    twin = Machine(busy, 904)
    shutil.rmtree(twin.state(), ignore_errors=True)
    shutil.copytree(machine.state(), twin.state())
    before = count(busy)
    twin.start()
    info = twin.info(demo.SERVER)
    assert info["state"] == "initial_grace"
    assert info["first_seen"] > first_seen and info["rearms_left"] == 5
    assert twin.activate(demo.SERVER)["info"]["state"] == "licensed"
    twin.stop()
    assert count(busy) == before + 1
    machine.start()  # the same machine goes on
    assert machine.info(demo.SERVER)["first_seen"] == first_seen
    machine.activate(demo.SERVER)
    assert count(busy) == before + 2


def test_b38_rearm(busy, machine):
    machine.start(wrap=agent.AS_ROOT)
    machine.activate(demo.SERVER)
    before = count(busy)
    time.sleep(1.1)  # first sight is kept in seconds
    first_seen = machine.info(demo.SERVER)["first_seen"]
    one = struct.pack(">I", 1) + agent.product(demo.SERVER)
    for left in range(4, -1, -1):
        # a rearm asks at once; while it asks, nothing else is done
        while True:
            reply = machine.ask(agent.REARM, one)
            if reply["err"] != agent.AGAIN:
                break
            time.sleep(0.05)
        assert reply["err"] == 0
        assert machine.info(demo.SERVER)["rearms_left"] == left
    assert machine.info(demo.SERVER)["first_seen"] > first_seen
    settle(machine, demo.SERVER, "licensed")
    reply = machine.ask(agent.REARM, one)
    assert reply["err"] == agent.RANGE and "5 times" in reply["message"]
    assert machine.info(demo.SERVER)["state"] == "licensed"
    assert count(busy) == before + 5


# ---- rights ----

OPERATIONS = {
    "list": (agent.LIST, b"", False),
    "info": (agent.INFO, agent.product(demo.SERVER), False),
    "activate": (agent.ACTIVATE, agent.product(demo.SERVER), False),
    "settings": (agent.SETTINGS, b"", False),
    "set-host": (agent.SET_HOSTS,
                 struct.pack(">I", 1) + agent.text("127.0.0.1:1"), True),
    "clear-host": (agent.SET_HOSTS, struct.pack(">I", 0), True),
    "set-domain": (agent.SET_DOMAIN, agent.text("example.com"), True),
    "set-caching": (agent.SET_CACHING, struct.pack(">I", 0), True),
    "install-key": (agent.INSTALL_KEY, agent.text("0" * 25), True),
    "rearm": (agent.REARM, struct.pack(">I", 0), True),
    "generalize": (agent.GENERALIZE, b"", True),
}
AGENT_UID, USER_UID, NOBODY = 4000, 4321, 65534


def setpriv(uid):
    return ["setpriv", "--reuid", str(uid), "--regid", str(uid),
            "--clear-groups"]


def users():
    """Who calls, by what command, and whether it is an administrator."""
    own = ["unshare", "-r"]
    if os.geteuid() != 0:
        return {"standard user": ([], False),
                "root of a user namespace": (own, False)}
    return {"root": ([], True), "nobody": (setpriv(NOBODY), False),
            "standard user": (setpriv(USER_UID), False),
            "the agent's own user": (setpriv(AGENT_UID), False),
            "root of a user namespace": (setpriv(USER_UID) + own, False)}


def call_as(wrap, folder, path):
    """All operations from one process of that user; what comes back."""
    code = """if True:
        import json, sys
        sys.path.insert(0, sys.argv[1])
        import agent
        print(json.dumps({n: agent.ask(sys.argv[2], op, bytes.fromhex(arg))
              for n, (op, arg) in json.loads(sys.argv[3]).items()}))"""
    ops = {n: (op, arg.hex()) for n, (op, arg, _) in OPERATIONS.items()}
    p = subprocess.run(
        [*wrap, "/usr/bin/python3", "-c", code, folder, path, json.dumps(ops)],
        capture_output=True, text=True, timeout=480, cwd="/")
    assert p.returncode == 0, p.stderr
    return json.loads(p.stdout)


@pytest.fixture()
def guarded(machine):
    """An agent under its own user, where there can be one; everything that
    other users read is in a folder which they may enter."""
    here = os.path.dirname(os.path.abspath(__file__))
    with tempfile.TemporaryDirectory(prefix="muster-guarded.") as folder:
        os.chmod(folder, 0o755)
        for path in (agent.AGENT, os.path.join(here, "agent.py"), demo.__file__):
            shutil.copy(path, folder)
        root = os.path.join(folder, "root")
        shutil.copytree(machine.root, root)
        if os.geteuid() == 0:
            subprocess.run(["chown", "-R", str(AGENT_UID), root], check=True)
        machine.root, machine.folder = root, folder
        machine.binary = os.path.join(folder, "muster-agent")
        machine.sock = os.path.join(root, "run/muster/agent.sock")
        yield machine.start(
            wrap=setpriv(AGENT_UID) if os.geteuid() == 0 else ())
        machine.stop()


@pytest.mark.parametrize("who", users())
def test_b37_users_by_operations(busy, guarded, who):
    wrap, is_admin = users()[who]
    before = guarded.ask(agent.SETTINGS)
    lease = guarded.lease(demo.SERVER)
    guarded.activate(demo.SERVER)
    mtime = os.stat(lease).st_mtime_ns
    replies = call_as(wrap, guarded.folder, guarded.sock)
    for name, (_, _, for_admins) in OPERATIONS.items():
        denied = replies[name]["err"] == agent.DENIED
        assert denied == (for_admins and not is_admin), (name, replies[name])
    if is_admin:
        assert guarded.ask(agent.SETTINGS)["domain"] == "example.com"
        assert not os.path.exists(lease)
    else:
        assert guarded.ask(agent.SETTINGS) == before
        assert os.stat(lease).st_mtime_ns == mtime
        assert guarded.info(demo.SERVER)["rearms_left"] == 5


def test_fifty_users_at_once(guarded):
    """Each a process, and each under an id of its own where there can be."""
    answers = []
    for i in range(50):
        r, w = os.pipe()
        if os.fork() == 0:
            try:
                if os.geteuid() == 0:
                    os.setgroups([])
                    os.setresgid(*[5000 + i] * 3)
                    os.setresuid(*[5000 + i] * 3)
                reply = guarded.activate(demo.SERVER)
                os.write(w, reply["info"]["state"].encode())
            finally:
                os._exit(0)
        os.close(w)
        answers.append(r)
    states = [os.read(r, 100).decode() for r in answers]
    for r in answers:
        os.close(r)
        os.wait()
    assert states == ["licensed"] * 50


# ---- abuse of the socket ----

def still_answers(m):
    """At the latest when the agent has seen that the others are gone."""
    end = time.monotonic() + 5
    while True:
        err = m.ask(agent.INFO, agent.product(demo.SERVER))["err"]
        if err != agent.AGAIN or time.monotonic() > end:
            break
        time.sleep(0.02)
    assert err == 0


def test_records_that_are_none(machine):
    machine.start()
    good = agent.call(agent.INFO, agent.product(demo.SERVER))
    bad = [b"\0\0\0\x08" + good[4:], struct.pack(">I", 1 << 31),
           struct.pack(">I", 1 << 31 | 4093) + bytes(4093),
           struct.pack(">I", 0xffffffff) + bytes(5000), b"GET / HTTP/1.1\r\n",
           bytes(4096), b"\xff" * 4096]
    for data in bad:
        with agent.connect(machine.sock) as s:
            try:
                s.sendall(data)
                assert s.recv(100) == b""
            except (BrokenPipeError, ConnectionResetError):
                pass
    still_answers(machine)


@pytest.mark.parametrize("body", [
    b"\0\0\0\x02\0\0\0\0", b"\0\0\0\x01\0\0\0\x0a", b"\0\0\0\x01",
    b"\0\0\0\x01\0\0\0\x01" + bytes(15), b"\0\0\0\x01\0\0\0\x01" + bytes(17),
    b"\0\0\0\x01\0\0\0\x06\0\0\0\x02",
    b"\0\0\0\x01\0\0\0\x04\0\0\0\x09" + bytes(400),
    b"\0\0\0\x01\0\0\0\x05\0\0\0\x03a\nb\0",
], ids=lambda b: b.hex()[:40])
def test_calls_that_are_none_are_told_so(machine, body):
    machine.start()
    with agent.connect(machine.sock) as s:
        s.sendall(struct.pack(">I", 1 << 31 | len(body)) + body)
        reply = agent.receive(s)
        assert reply["err"] < 0 and "not understood" in reply["message"]
        assert s.recv(100) == b""
    still_answers(machine)


def test_a_call_in_single_bytes_and_two_in_one_piece(machine):
    machine.start()
    data = agent.call(agent.INFO, agent.product(demo.SERVER))
    with agent.connect(machine.sock) as s:
        for i in range(len(data)):
            s.sendall(data[i:i + 1])
        assert agent.receive(s)["err"] == 0
        s.sendall(agent.call(agent.LIST) + agent.call(agent.SETTINGS)[:5])
        assert agent.receive(s)["err"] == 0
        s.sendall(agent.call(agent.SETTINGS)[5:])
        assert agent.receive(s)["hosts"]


def test_half_a_call_is_closed_in_time(machine):
    machine.start()
    begin = time.monotonic()
    with agent.connect(machine.sock) as s:
        s.sendall(agent.call(agent.LIST)[:7])
        assert s.recv(10) == b""
    assert 4 < time.monotonic() - begin < 15
    still_answers(machine)


def test_one_user_cannot_take_every_connection(machine):
    machine.start()
    held = [agent.connect(machine.sock) for _ in range(128)]
    with agent.connect(machine.sock) as s:
        reply = agent.receive(s)
        assert reply["err"] == agent.AGAIN and "128" in reply["message"]
    for s in held:
        s.close()
    still_answers(machine)


def test_a_flood_of_connections_passes(machine):
    machine.start()
    for _ in range(30):
        flood = []
        for _ in range(60):
            s = socket.socket(socket.AF_UNIX)
            s.setblocking(False)
            try:
                s.connect(machine.sock)
                s.send(os.urandom(50))
            except OSError:
                pass
            flood.append(s)
        for s in flood:
            s.close()
    still_answers(machine)
    status = open(f"/proc/{machine.process.pid}/status").read()
    rss_kb = int(status.split("VmRSS:")[1].split()[0])
    assert rss_kb < 16 * 1024


def test_fifty_callers_at_once_one_round(machine):
    """Fifty users where there can be, else fifty processes' worth."""
    machine.start()
    results, lock = [], threading.Lock()

    def one():
        for _ in range(20):
            r = machine.activate(demo.SERVER)
            with lock:
                results.append((r["err"], r["info"]["state"]))
    threads = [threading.Thread(target=one) for _ in range(50)]
    for t in threads:
        t.start()
    for t in threads:
        t.join()
    assert len(results) == 1000 and set(results) == {(0, "licensed")}


# ---- bad files ----

@pytest.mark.parametrize("what", ["publisher", "product", "lease"])
@pytest.mark.parametrize("how", ["empty", "cut", "junk", "flip", "writable",
                                 "folder"])
def test_damaged_files_are_put_aside(busy, machine, what, how):
    machine.once()
    folder = {"publisher": "publishers", "product": "products",
              "lease": "leases"}[what]
    suffix = ".lease" if what == "lease" else ".state"
    name, = [n for n in os.listdir(machine.state(folder))
             if n.endswith(suffix) and (what == "publisher" or
                                        n.startswith(demo.SERVER))]
    path = machine.state(folder, name)
    data = open(path, "rb").read()
    before = count(busy)
    if how == "folder":
        os.unlink(path)
        os.mkdir(path)
        p = subprocess.run([agent.AGENT, "--root", machine.root, "--once"],
                           capture_output=True, text=True, timeout=240)
        assert "system or storage failure" in p.stderr
        os.rmdir(path)
        return
    new = {"empty": b"", "cut": data[:-1], "junk": os.urandom(len(data)),
           "writable": data, "flip": data[:40] + bytes([data[40] ^ 1]) + data[41:]}[how]
    with open(path, "wb") as f:
        f.write(new)
    if how == "writable":  # a state that anybody may have written is none
        os.chmod(path, 0o666)
    machine.start()
    log = open(machine.log).read()
    # a lease proves itself
    flipped_lease = what == "lease" and how in ("flip", "writable")
    assert ("is damaged" in log) != flipped_lease
    assert os.path.exists(path + ".damaged") != flipped_lease
    info = machine.activate(demo.SERVER)["info"]
    assert info["state"] == "licensed"
    # its CMID came back from the lease: the machine is counted once
    assert count(busy) == before


def test_damage_gives_no_fresh_grace(busy):
    m = Machine(busy, 905, [])
    m.once()
    path = m.state("products", demo.SERVER + ".state")
    with open(path, "wb") as f:
        f.write(b"junk")
    m.start()
    info = m.info(demo.SERVER)
    m.stop()
    assert info["state"] == "unlicensed" and info["first_seen"] == 0
    assert info["seconds_left"] == 0


def test_a_lease_of_another_machine_or_product_does_not_hold(busy, machine):
    machine.once()
    other = Machine(busy, 906, [])
    other.once()
    for source in (machine.lease(demo.SERVER),):
        shutil.copy(source, other.lease(demo.SERVER))
        shutil.copy(source, other.lease(demo.DESKTOP))
    other.start()
    server, desktop = other.info(demo.SERVER), other.info(demo.DESKTOP)
    other.stop()
    assert server["reason"] == -23 and server["state"] != "licensed"
    assert desktop["reason"] != 0 and desktop["state"] != "licensed"


def test_full_disk_is_said_and_nothing_is_lost(machine):
    """No byte can be written any more (RLIMIT_FSIZE); nobody is asked."""
    machine.once()
    lease = open(machine.lease(demo.SERVER), "rb").read()
    machine.start()
    resource.prlimit(machine.process.pid, resource.RLIMIT_FSIZE, (0, 0))
    info = machine.activate(demo.SERVER)["info"]
    assert info["state"] == "licensed"
    assert info["round"] in (-37, -9)
    assert open(machine.lease(demo.SERVER), "rb").read() == lease
    assert not [n for _, _, names in os.walk(machine.state())
                for n in names if ".new." in n]
