# SPDX-License-Identifier: MIT
"""Goal: an allocation or a system call that fails costs an answer or a start,
never a crash, a hang or a word that is not so.  A sample, drawn by a seed;
faults.py tries all."""
import json
import os
import re
import sys
import uuid

import pytest

import demo
import faults

pytestmark = pytest.mark.bare

FEW = 3


@pytest.fixture
def folder(tmp_path):
    return str(tmp_path)


@pytest.mark.parametrize("kind", faults.KINDS)
@pytest.mark.parametrize("name", faults.SCENARIOS)
def test_a_fault_costs_no_more_than_an_answer(folder, kind, name):
    n_all, tried, wrong = faults.play(kind, name, folder, FEW)
    assert n_all > 50 and tried == FEW and not wrong, wrong


def test_calls_that_are_not_failed_are_said(folder, monkeypatch):
    """As the page of figures has them; of the one program that has no second
    thread, with which they depend on who is faster."""
    monkeypatch.setattr(faults, "UNFAILED", set())
    issue = faults.Issue(folder)
    assert faults.call_faults(issue, folder)
    with open(os.path.join(demo.REPO, "doc/reliability.md")) as f:
        words = f.read().partition("Calls that are not failed")[2]
    told = set(re.findall(r"`(\w+)`", words.partition("\n\n")[0]))
    assert faults.UNFAILED and faults.UNFAILED <= told, faults.UNFAILED - told
    assert not told & set(faults.ERRORS)


def test_a_start_without_memory_for_the_settings(folder):
    """libconfig gives a setting without a name: the agent looked into it."""
    agent = faults.Agent(folder)
    try:
        every = faults.alloc_faults(agent, folder)
        wrong = [faults.judge(agent, make(folder)) for make in every[0:40:2]]
        assert not list(filter(None, wrong)), wrong
    finally:
        agent.close()


LOCK = '70 write(9<pipe:[5]>, "*", 1) = -1 EIO (...) (INJECTED)'
LIBC = " > /usr/lib/x86_64-linux-gnu/libc.so.6(__write+0x4f) [0xf838f]"
LIBUV = " > /usr/lib/libuv.so.1.0.0(uv_process_kill+0x655) [0x18d75]"
MUSTERD = " > /usr/bin/musterd(log_line+0x20) [0x19bbd]"
HALVES = [LOCK.partition(" = ")[0][:-1] + " <unfinished ...>", "71 read(3, )",
          "70 <... write resumed>) = -1 EIO (...) (INJECTED)"]


@pytest.mark.parametrize("lines,is_own", [
    ([LOCK, LIBC, LIBUV, MUSTERD], True),
    ([LOCK.replace("pipe:[5]", "anon_inode:[eventfd]"), LIBC, LIBUV], True),
    ([*HALVES, LIBC, LIBUV], True),
    # the log is a pipe as well, and libuv has called who writes to it
    ([LOCK.replace("9<", "2<"), LIBC, MUSTERD, LIBUV], False),
    # a file of the store, a connection: libuv may write to these too
    ([LOCK.replace("pipe:[5]", "/var/lib/muster/host/host.db"), LIBC, LIBUV],
     False),
    ([LOCK.replace("pipe:[5]", "TCP:[1->2]"), LIBC, LIBUV], False),
    ([LOCK.replace("write", "fsync"), LIBC, LIBUV], False),
    # one that did not fail, and then another that did
    ([LOCK.replace("-1 EIO (...) (INJECTED)", "1"), LIBC, LIBUV,
      LOCK.replace("pipe:[5]", "/x"), LIBC, LIBUV], False),
    ([LOCK], False), ([], False)])
def test_only_what_libuv_keeps_for_itself_excuses(lines, is_own):
    assert faults.has_failed_inside_libuv(lines) is is_own


@pytest.mark.parametrize("program,is_good", [
    ("import os; os.write(os.open('/dev/null', 1), b'*')", True),
    ("import os\ntry: os.write(os.open('/dev/null', 1), b'*')\n"
     "except OSError: os.abort()", False),
    ("import os\ntry: os.write(os.pipe()[1], b'*')\n"
     "except OSError: os.abort()", False)])
def test_a_program_that_aborts_is_not_excused(folder, program, is_good):
    """Also with a byte in a pipe: it is not libuv's."""
    class Program(faults.Scenario):
        def run(self, fault):
            return *self.command(fault, sys.executable, "-c", program), None
    one = Program(folder)
    assert faults.judge(one, faults.NONE) is None
    wrong = faults.judge(one, faults.call_fault(folder, "write", 1, "EIO"))
    assert (wrong is None) is is_good, wrong


@pytest.mark.parametrize("careless,is_good", [
    ((), False), (("libconfig.", "libuv."), False), (("python3",), True)])
def test_who_dies_without_memory_is_excused_by_name(folder, monkeypatch,
                                                    careless, is_good):
    class Program(faults.Scenario):
        def run(self, fault):
            return *self.command(fault, sys.executable, "-c",
                                 "import os; os.abort()"), None
    monkeypatch.setattr(faults, "CARELESS", careless)
    wrong = faults.judge(Program(folder), faults.alloc_fault(folder, 0, 0))
    assert (wrong is None) is is_good, wrong
    assert is_good or "exit -6 in python3" in wrong


@pytest.mark.parametrize("object_,is_good", [
    ("libconfig.so.9", True), ("libc-nss.", True), ("libuv.so.1", False),
    ("libseccomp.so.2", False),
    ("musterd", False), ("libsqlite3.so.0", False), ("", False)])
@pytest.mark.parametrize("status", [None, 0])
def test_a_host_that_dies_is_excused_by_name(folder, monkeypatch, object_,
                                             is_good, status):
    """And before any answer."""
    host = faults.Host.__new__(faults.Host)  # it begins no program
    monkeypatch.setattr(host, "fresh", lambda: None)
    fault = faults.alloc_fault(folder, 0, 0)
    with open(fault.seen, "r+b") as f:
        f.seek(8)
        f.write(object_.encode())
    cmids = [bytes([n] * 16) for n in range(1, 4)]
    said = "listening: 127.0.0.1 port 1\n"
    lists = {"clients": [{"cmid": str(uuid.UUID(bytes=c))} for c in cmids]}

    def serve(what, machines):
        host.listed = json.dumps(lists) if what is faults.NONE else None
        host.found = host.listed
        if what is faults.NONE:
            return 0, "", said, dict.fromkeys(machines, 0)
        return -6, "", said, dict.fromkeys(machines, status)
    monkeypatch.setattr(host, "serve", serve)
    wrong = faults.judge(host, fault)
    assert (wrong is None) is (is_good and status is None), wrong


@pytest.mark.parametrize("found,is_good", [((1, 2), True), ((1,), True),
                                           ((2, 3), False), ((), False),
                                           ((1, 9), False)])
def test_who_was_answered_is_found_by_the_next_run(folder, monkeypatch, found,
                                                   is_good):
    """Of a host that died and lists nothing more itself; the next run is
    asked by all."""
    host = faults.Host.__new__(faults.Host)  # it begins no program
    monkeypatch.setattr(host, "fresh", lambda: None)
    cmids = [bytes([n] * 16) for n in range(1, 4)]

    def lists(numbers):
        return json.dumps({"clients": [{"cmid": str(uuid.UUID(bytes=bytes(
            [n] * 16)))} for n in numbers]})

    def serve(what, machines):
        if what is not faults.NONE:
            host.listed = None
            return 1, "", "", {cmids[0]: 0, cmids[1]: None, cmids[2]: None}
        host.found, host.listed = lists(found), lists((1, 2, 3))
        return 0, "", "", dict.fromkeys(machines, 0)
    monkeypatch.setattr(host, "serve", serve)
    wrong = host.run(faults.alloc_fault(folder, 0, 0))[2]
    assert (wrong is None) is is_good, wrong


@pytest.mark.long
def test_a_host_that_hangs_at_its_start_is_ended(folder, monkeypatch):
    """libuv holds back all signals while it waits for its byte."""
    monkeypatch.setattr(faults, "SAYS_S", 20)
    host = faults.Host(folder)
    try:
        for n in range(1, 9):  # which of its writes that is
            fault = faults.call_fault(folder, "write", n, "EAGAIN")
            rc, said, wrong = host.run(fault)
            assert wrong is None, said
            if rc == "it hangs":
                break
        assert (rc, fault.is_libuvs()) == ("it hangs", True), said
    finally:
        host.close()


def test_a_host_has_its_threads_before_it_listens(folder):
    """libuv ends the process where it cannot make them."""
    host = faults.Host(folder)
    try:
        n_aborts = 0
        for n in range(1, 7):
            fault = faults.call_fault(folder, "clone3", n, "EAGAIN")
            rc, said, wrong = host.run(fault)
            assert rc != -6 or "listening: " not in said, said
            assert wrong is None
            n_aborts += rc == -6
        assert n_aborts > 0
    finally:
        host.close()
