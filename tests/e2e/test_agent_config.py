# SPDX-License-Identifier: MIT
"""Goal: muster-agent as a service manager and an administrator meet it:
agent.conf and its mistakes, what the commands set and a restart keeps,
sockets handed over, readiness told."""
import os
import re
import socket
import struct
import subprocess
import time

import pytest

import agent
import demo
from agent import Machine
from test_service import handed

WAIT_S = 60


def run_agent(*args, wrap=()):
    return subprocess.run([*wrap, agent.AGENT, *args], capture_output=True,
                          text=True, timeout=90)


@pytest.mark.parametrize("text, says", [
    ("", None),
    ('hosts = [ "kms.example", "[::1]:1700" ];\ndomain = "example.org";\n'
     'caching = false;\nlog_level = "fine";\nlog_format = "json";\n', None),
    ('hosts = [ "a b" ];\n', '"a b" is no host'),
    ('hosts = [ "a:0" ];\n', '"a:0" is no host'),
    ('hosts = "a";\n', ":1: hosts must be a list"),
    ("hosts = [ 1 ];\n", ":1: hosts must be a list of host names"),
    ("hosts = [ " + ", ".join(['"a"'] * 9) + " ];\n", "at most 8"),
    ('domain = ".org";\n', '".org" is no domain'),
    ("domain = 7;\n", ":1: domain must be"),
    ('caching = "yes";\n', ":1: caching must be true or false"),
    ('log_level = "loud";\n', ":1: log_level must be error"),
    ('log_format = "xml";\n', ":1: log_format must be auto, text, json or"),
    ("\nhots = 1;\n", ":2: hots must be left out"),
    ("caching = 1;\nlog_level = 2;\n", r":1: caching[^$]*:2: log_level"),
    ("hosts = [\n", r":[12]: syntax error"),
    ('domain = "a\0b";\n', "a zero byte"),
])
def test_mistakes_are_exit_78_with_file_and_line(tmp_path, text, says):
    conf, root = tmp_path / "a.conf", tmp_path / "m"
    conf.write_text(text)
    checked = run_agent("--check", "--root", str(root), "--config", str(conf))
    assert checked.returncode == (0 if says is None else 78), checked.stderr
    if says is None:
        assert "good" in checked.stdout and checked.stderr == ""
    else:
        assert re.search(says, checked.stderr) and checked.stdout == ""
        # and it does not start with them either
        begun = run_agent("--once", "--root", str(root), "--config", str(conf))
        assert begun.returncode == 78 and re.search(says, begun.stderr)
    assert not root.exists()


@pytest.mark.parametrize("is_journal", [True, False])
def test_the_journal_alone_gets_levels(tmp_path, is_journal):
    conf, log = tmp_path / "a.conf", tmp_path / "log"
    conf.write_text("caching = 1;\n")
    with open(log, "wb") as f:
        st = os.fstat(f.fileno())
        subprocess.run(
            [agent.AGENT, "--check", "--config", str(conf)], stderr=f,
            timeout=90, env={**os.environ, "JOURNAL_STREAM":
                             f"{st.st_dev}:{st.st_ino if is_journal else 1}"})
    assert log.read_text().startswith("<3>config: " if is_journal
                                      else "config: ")


def test_a_file_that_was_named_must_be_there(tmp_path):
    for args in (("--check",), ("--once",)):
        p = run_agent(*args, "--root", str(tmp_path), "--config",
                      str(tmp_path / "none"))
        assert p.returncode == 78 and "--config" in p.stderr
    assert run_agent("--check", "--root", str(tmp_path)).returncode == 0
    assert run_agent("--nonsense").returncode == 2


def test_root_does_not_run_it_on_the_machine_itself():
    p = run_agent("--once", wrap=agent.AS_ROOT)
    assert p.returncode == 78 and "does not run as root" in p.stderr


def test_settings_of_the_file_hold_until_a_command_sets_others(site):
    m = Machine(site, 1, [])
    conf = os.path.join(m.root, "etc/muster/agent.conf")
    with open(conf, "w") as f:
        f.write('hosts = [ "one:1" ];\ndomain = "one.org";\ncaching = false;')
    m.start(wrap=agent.AS_ROOT)
    assert m.ask(agent.SETTINGS) == {"err": 0, "hosts": ["one:1"],
                                     "domain": "one.org", "caching": 0}
    hosts = struct.pack(">I", 2) + agent.text("two:2") + agent.text("[::1]:3")
    assert m.ask(agent.SET_HOSTS, hosts)["err"] == 0
    assert m.ask(agent.SET_DOMAIN, agent.text("two.org"))["err"] == 0
    assert m.ask(agent.SET_CACHING, struct.pack(">I", 1))["err"] == 0
    want = {"err": 0, "hosts": ["two:2", "[::1]:3"], "domain": "two.org",
            "caching": 1}
    assert m.ask(agent.SETTINGS) == want
    m.kill()
    m.start(wrap=agent.AS_ROOT)
    assert m.ask(agent.SETTINGS) == want
    m.stop()


DAMAGES = ["empty", "cut", "junk", "flip", "writable", "foreign"]


@pytest.mark.parametrize("how", DAMAGES)
def test_damaged_settings_fall_back_to_the_file(site, how):
    m = Machine(site, 10 + DAMAGES.index(how), ["one:1"])
    m.start(wrap=agent.AS_ROOT)
    hosts = struct.pack(">I", 1) + agent.text("two:2")
    assert m.ask(agent.SET_HOSTS, hosts)["err"] == 0
    m.stop()
    path = m.state("settings.state")
    data = open(path, "rb").read()
    new = {"empty": b"", "cut": data[:-1], "junk": os.urandom(len(data)),
           "flip": data[:20] + bytes([data[20] ^ 1]) + data[21:],
           "writable": data,
           "foreign": open(m.state("clock.state"), "rb").read()}[how]
    with open(path, "wb") as f:
        f.write(new)
    os.chmod(path, 0o666 if how == "writable" else 0o600)
    m.start(wrap=agent.AS_ROOT)
    assert "agent.conf holds" in open(m.log).read()
    assert m.ask(agent.SETTINGS)["hosts"] == ["one:1"]
    # and can be set anew
    assert m.ask(agent.SET_HOSTS, hosts)["err"] == 0
    assert os.stat(path).st_mode & 0o777 == 0o600
    m.stop()
    m.start(wrap=agent.AS_ROOT)
    assert m.ask(agent.SETTINGS)["hosts"] == ["two:2"]
    m.stop()


def test_install_key_keeps_the_key_and_the_product(site):
    """No package brought the key; after a restart the product is there."""
    m = Machine(site, 2)
    os.unlink(m.key_file)
    m.start(wrap=agent.AS_ROOT)
    assert m.ask(agent.LIST)["products"] == []
    with open(site.path("acme.key")) as f:
        key = f.read().split("\n")[1].split()[0]
    typed = key.replace("-", "").lower()
    assert m.ask(agent.INSTALL_KEY, agent.text(typed)) == {
        "err": 0, "product": demo.SERVER}
    assert m.ask(agent.LIST)["products"] == [demo.SERVER]
    path = m.state("keys", demo.SERVER + ".key")
    assert open(path).read() == key + "\n"
    assert os.stat(path).st_mode & 0o777 == 0o644
    m.kill()
    m.start(wrap=agent.AS_ROOT)
    assert m.ask(agent.LIST)["products"] == [demo.SERVER]
    assert m.info(demo.SERVER)["state"] in ("initial_grace", "licensed")
    # host keys, and keys of nobody, are none
    before = sorted(os.listdir(m.state("keys")))
    assert m.ask(agent.INSTALL_KEY, agent.text(site.host_key))["err"] == \
        agent.KIND
    assert m.ask(agent.INSTALL_KEY, agent.text("0" * 25))["err"] < 0
    assert sorted(os.listdir(m.state("keys"))) == before
    m.stop()


# ---- the service manager ----

@pytest.mark.parametrize("is_abstract", [False, True])
def test_ready_and_stopping_are_told(site, tmp_path, is_abstract):
    m = Machine(site, 3 + is_abstract)
    name = f"\0muster-agent-{os.getpid()}" if is_abstract else \
        str(tmp_path / "n")
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as s:
        s.bind(name)
        s.settimeout(WAIT_S)
        m.start(env={"NOTIFY_SOCKET": name.replace("\0", "@")})
        assert s.recv(100) == b"READY=1"
        assert m.ask(agent.LIST)["err"] == 0  # ready means that it answers
        m.stop()
        assert s.recv(100) == b"STOPPING=1"


def start_handed(m, given, pid):
    how = handed([given], pid)
    log = open(m.log, "w")
    m.process = subprocess.Popen(
        [*how.pop("prefix"), agent.AGENT, "--root", m.root], stderr=log, **how)
    end = time.monotonic() + WAIT_S
    while "listening" not in open(m.log).read():
        assert m.process.poll() is None and time.monotonic() < end
        time.sleep(0.01)


@pytest.mark.parametrize("pid", ["$$", "1"])
def test_the_socket_of_the_manager(site, tmp_path, pid):
    """Taken when it is for this process, else left alone."""
    m = Machine(site, 5 if pid == "1" else 6)
    path = str(tmp_path / "given.sock")
    with socket.socket(socket.AF_UNIX) as given:
        given.bind(path)
        given.listen(8)
        start_handed(m, given, pid)
        is_taken = pid == "$$"
        assert os.path.exists(m.sock) != is_taken
        assert agent.ask(path if is_taken else m.sock, agent.LIST)["err"] == 0
        m.stop()
    assert os.path.exists(path)  # the manager's, not the agent's to remove
