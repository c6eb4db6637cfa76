# SPDX-License-Identifier: MIT
"""Goal: a batch gives the rows of its groups free before its commit is on any
disk, and nobody is answered before it is on all of them (b11)."""
import contextlib
import signal
import threading
import time

import pytest

import cluster
import pgserver
from cluster import BUSY, OK, cmid

SESSIONS = f"FROM pg_stat_activity WHERE usename = '{pgserver.ROLE}' AND "
FLUSH = "FUNCTION pg_catalog.pg_logical_emit_message(boolean, text, text)"
ROUNDS = 5


@pytest.fixture(scope="module")
def server():
    """By itself it writes its log no more often than each 10 s."""
    with pgserver.made(wal_writer_delay="10000", wal_writer_flush_after=0) as s:
        yield s


@pytest.fixture()
def hosts(server, tmp_path_factory):
    server.sql("TRUNCATE muster.grp, muster.cache, muster.client")
    with cluster.running(tmp_path_factory.mktemp("of"), 2,
                         server.address()) as hosts:
        yield hosts


@contextlib.contextmanager
def without_standby(server):
    server.configure("SET synchronous_standby_names = 'nobody'")
    try:
        yield
    finally:
        server.configure("RESET synchronous_standby_names")


@contextlib.contextmanager
def without_right(server):
    """To what waits for the log."""
    server.sql(f"REVOKE EXECUTE ON {FLUSH} FROM PUBLIC", "muster")
    try:
        yield
    finally:
        server.sql(f"GRANT EXECUTE ON {FLUSH} TO PUBLIC", "muster")


def row_in_a_commit(server, host):
    """Is the group's row free while the host's commit waits for a standby?"""
    end = time.monotonic() + cluster.WAIT_S
    while time.monotonic() < end:
        asking = threading.Thread(target=host.ask, args=(cmid(2),))
        asking.start()
        while asking.is_alive():
            got = server.try_sql(  # a row's lock is in the log, too
                "SET synchronous_commit = off; SELECT (SELECT count(*) FROM muster.cache), (SELECT count(*) "
                "FROM (SELECT 1 FROM muster.grp FOR UPDATE SKIP LOCKED) g), "
                f"(SELECT count(*) {SESSIONS} wait_event = 'SyncRep')",
                "muster").strip().split("|")
            if got[2] == "1":
                asking.join()
                return got
        asking.join()
    raise AssertionError(host.log()[-3000:])


def test_b11_a_commit_that_waits_for_its_standby_holds_no_row(server, hosts):
    a, b = hosts
    b.stop()
    assert a.ask(cmid(1)) == (OK, 1)
    with without_standby(server):
        # the change is seen, and its row is free for the next host
        assert row_in_a_commit(server, a) == ["2", "1", "1"]
        b.start()
        # which sees it, and answers nobody either
        assert b.ask(cmid(3))[0] == BUSY
    assert a.until(OK, cmid(2)) == b.until(OK, cmid(3)) == 3
    assert [c["contacts"] for c in a.clients()][0] == 1


def test_b11_without_the_right_to_it_a_commit_holds_its_row(server, hosts):
    """Taken while a host has a session: one batch is in doubt, and the next
    commits in the plain way, with its rows locked until it is on all disks."""
    a, b = hosts
    b.stop()
    assert a.ask(cmid(1)) == (OK, 1)
    with without_right(server):
        assert a.until(OK, cmid(5)) == 2
        a.wait_log("pg_logical_emit_message (42501)")
        with without_standby(server):
            # the row is locked, and what it is locked for unseen
            assert row_in_a_commit(server, a) == ["2", "0", "1"]
        assert a.until(OK, cmid(2)) == 3
        b.start()
        assert b.until(OK, cmid(3)) == 4
        assert "42501" not in b.log()


def test_b11_one_session_of_a_host_waits_for_a_standby(server, hosts):
    """Whoever connects anew ends the session that it has given up."""
    a, b = hosts
    b.stop()
    assert a.ask(cmid(1)) == (OK, 1)
    pids = set()
    with without_standby(server):
        for n in (2, 3, 2, 3):
            assert a.ask(cmid(n))[0] == BUSY
            waiting = server.sql(f"SELECT pid {SESSIONS} "
                                 "wait_event = 'SyncRep'").split()
            assert len(waiting) <= 1
            pids.update(waiting)
            if len(pids) > 1:
                break
        assert len(pids) > 1, a.log()[-3000:]
    assert a.until(OK, cmid(2)) == 3


def test_b11_what_is_answered_is_in_the_log(server, hosts):
    """The server's processes are killed right after an answer: what they had
    in memory is gone, and the machine is there."""
    for n in range(1, ROUNDS + 1):
        assert hosts[n % 2].until(OK, cmid(n)) == n
        server.restart(signal.SIGKILL)
        assert server.sql("SELECT count(*) FROM muster.cache") == f"{n}\n"
        assert server.sql("SELECT count(*) FROM muster.client") == f"{n}\n"


def test_b11_rows_of_a_batch_are_written_in_the_order_of_their_keys(server,
                                                                    hosts):
    """Hosts whose catalogues have a product in other groups lock other rows
    of groups and the same ones of clients: in one order they do not lock each
    other out."""
    a, b = hosts
    b.stop()
    assert a.ask(cmid(1)) == (OK, 1)
    asking = [threading.Thread(target=a.ask, args=(cmid(n),))
              for n in range(40, 20, -1)]
    with server.holding("SELECT 'held' FROM muster.grp FOR UPDATE"):
        for t in asking:
            t.start()
        server.wait(f"SELECT count(*) {SESSIONS} wait_event_type = 'Lock'",
                    "1\n")
    for t in asking:
        t.join()
    of_batch = {}
    for line in server.sql("SELECT xmin, cmid FROM muster.client "
                           "ORDER BY ctid").split():
        of_batch.setdefault(line.split("|")[0], []).append(line)
    assert max(map(len, of_batch.values())) > 4, of_batch
    assert all(rows == sorted(rows) for rows in of_batch.values()), of_batch
