# SPDX-License-Identifier: MIT
"""Goal: of several servers in `store` a host finds the right one within the
time that a client waits, whatever the others do; which one it is, or why there
is none, its status tells (b11)."""
import contextlib
import os
import re
import signal
import socket
import threading
import time

import pytest

import cluster
import demo
import pgserver
import tcpproxy
import wire
from cluster import BUSY, OK, cmid


@pytest.fixture(scope="module")
def server():
    with pgserver.made(fsync="off") as s:
        yield s


@pytest.fixture()
def host(server, tmp_path_factory):
    server.sql("TRUNCATE muster.grp, muster.cache, muster.client")
    with cluster.running(tmp_path_factory.mktemp("of"), 1,
                         server.address()) as hosts:
        yield hosts[0]


def test_b11_silent_servers_are_left_within_a_clients_wait(host, server,
                                                           monkeypatch):
    """Six that accept and say nothing, before the right one: it is found while
    a client waits, at the start and when its session was ended."""
    with open(os.path.join(demo.REPO, "src/client/asking.h")) as f:
        wait_ms = int(re.search("ASKING_MS ([0-9]+)", f.read())[1])
    host.stop()
    with contextlib.ExitStack() as stack:
        silent = [stack.enter_context(socket.create_server(("127.0.0.1", 0)))
                  for _ in range(6)]
        ports = [s.getsockname()[1] for s in silent] + [server.port]
        at = ",".join(f"127.0.0.1:{p}" for p in ports)
        host.settings = pgserver.store(server.address().replace(
            f"127.0.0.1:{server.port}", at))
        host.start()
        monkeypatch.setattr(wire, "WAIT_S", wait_ms / 1000)
        assert host.ask(cmid(1)) == (OK, 1)
        server.end_sessions()
        assert host.ask(cmid(2)) == (OK, 2)
        said = host.status()["store"]["server"]
        assert said == f"127.0.0.1:{server.port}"
        # and where there is no right one
        server.stop()
        try:
            assert host.ask(cmid(3))[0] == BUSY
            host.wait_log(f'at "127.0.0.1", port {ports[0]} failed: timeout '
                          "expired")
            assert "server" not in host.status()["store"]
        finally:
            server.start()
        assert host.until(OK, cmid(3)) == 3
        for s in silent:
            s.setblocking(False)
            s.accept()


def test_b11_a_name_of_two_addresses_is_tried_at_both(host, server, tmp_path):
    """The first of them is silent; the log has the name and the address."""
    host.stop()
    with socket.create_server(("127.0.0.1", 0)) as silent:
        port = silent.getsockname()[1]
        proxy = tcpproxy.Proxy(server.port, at=("127.0.0.2", port))
        hosts = tmp_path / "hosts"
        hosts.write_text("127.0.0.1 db1.example\n127.0.0.2 db1.example\n")
        host.wrap = ["unshare", "-rm", "sh", "-euc",
                     f'mount --bind {hosts} /etc/hosts; exec "$@"', "sh"]
        host.settings = pgserver.store(server.address(port=port).replace(
            "127.0.0.1", "db1.example"))
        host.start()
        try:
            assert host.ask(cmid(1)) == (OK, 1)
            silent.setblocking(False)
            silent.accept()  # it was the first
        finally:
            proxy.close()
        host.until(BUSY, cmid(2))
        host.wait_log(f'at "db1.example" (127.0.0.1), port {port} failed: '
                      "timeout expired")
        host.wait_log(f'at "db1.example" (127.0.0.2), port {port} failed: '
                      "Connection refused")


def test_b11_a_person_who_holds_a_row_is_named_until_it_is_let_go(host,
                                                                  server):
    """A session that is idle in its transaction: each machine is told BUSY
    within its own wait, status and health name the cause like the log; and
    all is well as soon as the session has ended."""
    assert host.ask(cmid(1)) == (OK, 1)
    assert "reason" not in host.status()["store"]
    with server.holding("SELECT 'held' FROM muster.grp FOR UPDATE"):
        server.wait("SELECT count(*) FROM pg_stat_activity WHERE state = "
                    "'idle in transaction' AND usename = 'postgres'", "1\n")
        for n in (2, 3):
            assert host.ask(cmid(n))[0] == BUSY
        store = host.status()["store"]
        assert store["state"] == "failing"
        assert store["reason"].endswith(
            "(55P03); see in pg_stat_activity who holds the row of the group; "
            "a session with SyncRep waits for the synchronous standby"), store
        assert store["reason"] in host.log()
        checks = host.status()["health"]["checks"]
        assert [c["next_step"] for c in checks
                if c["name"] == "store"] == [store["reason"]]
    assert host.until(OK, cmid(2)) == 2
    assert host.until(OK, cmid(3)) == 3
    assert "reason" not in host.status()["store"]
    assert [c["contacts"] for c in host.clients()] == [1, 1, 1]


@contextlib.contextmanager
def settings_seen(server):
    """What is in force in a session that writes to the inventory: a function
    that gives it, of all sessions since."""
    server.sql("""CREATE TABLE muster.seen (sync text, silent text);
        CREATE FUNCTION muster.see() RETURNS trigger LANGUAGE plpgsql
        SECURITY DEFINER AS $$ BEGIN INSERT INTO muster.seen VALUES
        (current_setting('synchronous_commit'),
        current_setting('idle_in_transaction_session_timeout'));
        RETURN NEW; END $$;
        CREATE TRIGGER see BEFORE INSERT ON muster.client FOR EACH ROW
        EXECUTE FUNCTION muster.see()""")
    try:
        yield lambda: server.sql("SELECT DISTINCT sync, silent FROM "
                                 "muster.seen")
    finally:
        server.sql("DROP FUNCTION muster.see CASCADE; DROP TABLE muster.seen")


@pytest.mark.parametrize("has, needs", [
    ("off", "on"), ("local", "on"), ("remote_write", "on"), ("on", "on"),
    ("remote_apply", "remote_apply")])
def test_b11_no_commit_is_weaker_than_the_standbys_disk(host, server, has,
                                                        needs):
    """Whatever the role is set to: by the session's own setting the step
    commits that an answer waits for; and an idle transaction has an end."""
    role = f"ALTER ROLE {pgserver.ROLE}"
    server.sql(f"{role} SET synchronous_commit = {has}; "
               f"{role} SET idle_in_transaction_session_timeout = 0")
    try:
        server.end_sessions()
        with settings_seen(server) as seen:
            assert host.until(OK, cmid(1)) == 1
            assert seen() == f"{needs}|10s\n"
    finally:
        server.sql(f"{role} RESET synchronous_commit; "
                   f"{role} RESET idle_in_transaction_session_timeout")


def frozen_with_its_lock(host, server):
    """The host has waited for the group's row, and is stopped when it gets it.
    It waits for 2 s, which a busy machine may need to see it: then again."""
    sessions = f"FROM pg_stat_activity WHERE usename = '{pgserver.ROLE}' AND "
    end = time.monotonic() + cluster.WAIT_S
    while True:
        asking = threading.Thread(target=host.ask, args=(cmid(2),))
        with server.holding("SELECT 'held' FROM muster.grp FOR UPDATE"):
            asking.start()
            while asking.is_alive() and server.sql(
                    f"SELECT pid {sessions} wait_event_type = 'Lock'") == "":
                time.sleep(pgserver.LOOK_S)
            host.daemon.send_signal(signal.SIGSTOP)
        server.wait(f"SELECT count(*) {sessions} state = 'active'", "0\n")
        pid = server.sql(f"SELECT pid {sessions} "
                         "state = 'idle in transaction'").strip()
        if pid != "":
            return asking, pid
        host.daemon.send_signal(signal.SIGCONT)
        asking.join()
        assert time.monotonic() < end, host.log()[-3000:]


def test_b11_a_host_that_falls_silent_with_its_lock_is_ended(server, tmp_path):
    """The server ends its session; the other host goes on, and so does this
    one when it comes back."""
    server.sql("TRUNCATE muster.grp, muster.cache, muster.client")
    c = cluster.Cluster(str(tmp_path), 2, server.address())
    try:
        a, b = c.start().hosts
        assert a.ask(cmid(1)) == (OK, 1)
        b.stop()  # or it is the one that waits
        asking, pid = frozen_with_its_lock(a, server)
        # as a rule one; an attempt that came too late has counted the second
        n = int(server.sql("SELECT count(*) FROM muster.cache"))
        b.start()
        assert b.ask(cmid(3))[0] == BUSY
        b.wait_log("55P03")
        assert b.until(OK, cmid(3)) == n + 1
        assert server.sql("SELECT count(*) FROM pg_stat_activity "
                          f"WHERE pid = {pid}") == "0\n"
        a.daemon.send_signal(signal.SIGCONT)
        asking.join()
        assert a.until(OK, cmid(2)) == 3
        assert b.ask(cmid(1)) == (OK, 3)
    finally:
        for h in c.hosts:
            h.daemon.send_signal(signal.SIGCONT)
        c.stop()


CLOCK = "CREATE FUNCTION muster.clock() RETURNS {} LANGUAGE sql AS '{}'"


@pytest.mark.parametrize("breaks, mends, says", [
    ("ALTER TABLE muster.grp ALTER epoch TYPE integer",
     "ALTER TABLE muster.grp ALTER epoch TYPE bigint",
     "a group is not what a host has written"),
    # as many bytes, and a number of its own
    ("ALTER TABLE muster.grp ALTER cleaned TYPE double precision",
     "ALTER TABLE muster.grp ALTER cleaned TYPE bigint",
     "a group is not what a host has written"),
    ("ALTER TABLE muster.grp ALTER seq DROP NOT NULL; "
     "UPDATE muster.grp SET seq = NULL",
     "UPDATE muster.grp SET seq = 1; "
     "ALTER TABLE muster.grp ALTER seq SET NOT NULL",
     "a group is not what a host has written"),
    ("ALTER TABLE muster.cache ALTER seq TYPE integer",
     "ALTER TABLE muster.cache ALTER seq TYPE bigint",
     "a count record is not what a host has written"),
    ("ALTER TABLE muster.cache ALTER seen TYPE integer",
     "ALTER TABLE muster.cache ALTER seen TYPE bigint",
     "a count record is not what a host has written"),
    ("ALTER TABLE muster.cache ALTER cmid TYPE text",
     "ALTER TABLE muster.cache ALTER cmid TYPE uuid USING cmid::uuid",
     "a count record is not what a host has written"),
    *(("ALTER FUNCTION muster.clock RENAME TO kept; " + CLOCK.format(*bad),
       "DROP FUNCTION muster.clock; "
       "ALTER FUNCTION muster.kept RENAME TO clock",
       "clock() of schema muster tells no time")
      for bad in (("bigint", "SELECT NULL::bigint"), ("integer", "SELECT 1"),
                  ("SETOF bigint", "SELECT 1::bigint WHERE false"))),
])
def test_b11_answers_of_another_form_are_refused_by_name(host, server, breaks,
                                                         mends, says):
    """What can be prepared, and is not what the migrations have made.  A host
    goes on when it is mended, under a session that knew it otherwise."""
    cluster.is_refused_until_mended(
        host, server, breaks + "; UPDATE muster.grp SET epoch = epoch + 1",
        mends, says)


def test_b5_the_inventory_is_not_counted_as_it_grows(host, server):
    """A count reads an index of all rows: it comes once while there is room
    for what eight hosts may add, and again when there may be none."""
    def counts():
        with open(server.log.name) as f:
            return f.read().count("SELECT count(*) FROM client")

    host.stop()
    host.settings += "inventory_rows = 100;\n"
    looks = ("SELECT query_start FROM pg_stat_activity WHERE state = 'idle' "
             f"AND usename = '{pgserver.ROLE}'")
    server.sql(f"ALTER ROLE {pgserver.ROLE} SET log_statement = 'all'")
    try:
        host.start()
        end, seen = time.monotonic() + cluster.WAIT_S, set()
        while counts() == 0:
            assert time.monotonic() < end, host.log()[-3000:]
            time.sleep(pgserver.LOOK_S)
        for n in range(1, 12):
            assert host.ask(cmid(n))[0] == OK
        while len(seen) < 4:
            assert time.monotonic() < end, seen
            time.sleep(pgserver.LOOK_S)
            seen |= set(server.sql(looks).split("\n")) - {""}
        before = counts()
        assert before == 1
        for n in range(12, 31):
            assert host.ask(cmid(n))[0] == OK
        while counts() == before:
            assert time.monotonic() < end, host.log()[-3000:]
            time.sleep(pgserver.LOOK_S)
    finally:
        server.sql(f"ALTER ROLE {pgserver.ROLE} RESET log_statement")


def given_up(host, proxy, first):
    """Two machines whose batch waits for the server, and is given up by a
    reload: what they were told."""
    got = []
    proxy.hold()
    waiting = [threading.Thread(target=lambda n=n: got.append(
        host.ask(cmid(n))[0])) for n in (first, first + 1)]
    for t in waiting:
        t.start()
    while host.status()["store"]["waiting_max"] < 2:
        assert all(t.is_alive() for t in waiting), host.log()[-2000:]
    host.daemon.send_signal(signal.SIGHUP)
    for t in waiting:
        t.join()
    return got


def test_b11_who_was_told_busy_may_be_counted_later(server, tmp_path):
    """Behind a machine that asked another host after that: a batch that was
    given up is one of unknown outcome as long as the server may have it."""
    server.sql("TRUNCATE muster.grp, muster.cache, muster.client")
    proxy = tcpproxy.Proxy(server.port)
    c = cluster.Cluster(str(tmp_path), 2, server.address())
    a, b = c.hosts
    a.settings = pgserver.store(server.address(port=proxy.port))
    try:
        c.start()
        for first in range(10, 100, 10):  # the batch may be out of time
            assert given_up(a, proxy, first) == [BUSY, BUSY]
            assert b.ask(cmid(first + 2))[0] == OK
            proxy.go_on()
            a.until(OK, cmid(1))
            order = server.sql("SELECT replace(cmid::text, '-', '') FROM "
                               "muster.cache ORDER BY seq").split()
            if cmid(first).hex() in order:
                break
            a.stop()  # waiting_max is of its life
            a.start()
        assert order.index(cmid(first).hex()) > \
            order.index(cmid(first + 2).hex())
    finally:
        c.stop()
        proxy.close()
