# SPDX-License-Identifier: MIT
"""Goal: whatever becomes of the server, a host that shares its count says BUSY,
names the cause, and goes on by itself; nothing answered is lost, nobody is
counted twice (b11)."""
import os
import re
import shutil
import struct
import subprocess
import threading
import time

import pytest

import cluster
import demo
import pgserver
import service
import tcpproxy
import test_admin as admin
import wire
from cluster import BUSY, OK, cmid
from test_status import get, port_of

TABLES = "muster.grp, muster.cache, muster.client"


@pytest.fixture(scope="module")
def server():
    with pgserver.made(fsync="off") as s:
        yield s


@pytest.fixture()
def proxy(server):
    p = tcpproxy.Proxy(server.port)
    yield p
    p.close()


@pytest.fixture()
def host(server, proxy, tmp_path_factory):
    """One host, whose link to the server goes through a proxy."""
    server.sql(f"TRUNCATE {TABLES}")
    with cluster.running(tmp_path_factory.mktemp("bad"), 1,
                         server.address(port=proxy.port)) as hosts:
        yield hosts[0]


def contacts(host, n):
    return [c["contacts"] for c in host.clients() if c["cmid"] == cmid(n).hex()]


def cut_at_commit(host, proxy, when):
    """The machine whose commit was cut, the next new one; where it was
    upkeep's, the machine is told OK by a new connection."""
    for n in range(2, 8):
        proxy.arm(when)
        status = host.ask(cmid(n))[0]
        assert proxy.was_cut.is_set()
        if status == BUSY:
            host.wait_log("outcome unknown, the change may be there")
            return n
        assert status == OK
    raise AssertionError(host.log()[-3000:])


def test_b11_a_commit_whose_answer_is_lost_is_counted_once(host, proxy, server):
    assert host.ask(cmid(1)) == (OK, 1)
    n = cut_at_commit(host, proxy, "after")
    # it is there, and whoever asks again is the same machine
    assert server.sql("SELECT count(*) FROM muster.cache") == f"{n}\n"
    assert host.ask(cmid(n)) == (OK, n)
    assert contacts(host, n) == [2] and contacts(host, 1) == [1]
    assert not any(c["duplicate"] for c in host.clients())
    assert host.status()["store"]["last_outcome"] == "ok"


def test_b11_a_commit_that_is_lost_itself_is_unknown_as_well(host, proxy,
                                                             server):
    assert host.ask(cmid(1)) == (OK, 1)
    n = cut_at_commit(host, proxy, "before")
    assert server.sql("SELECT count(*) FROM muster.cache") == f"{n - 1}\n"
    assert host.until(OK, cmid(n)) == n
    assert contacts(host, n) == [1]


def test_b11_a_session_that_was_ended_costs_nobody_an_answer(host, server):
    assert host.ask(cmid(1)) == (OK, 1)
    server.end_sessions()
    assert host.ask(cmid(2)) == (OK, 2)


def test_b11_another_cause_of_an_outage_is_named_too(host, server):
    """No server, then one that does not let it in: each is said when it comes."""
    assert host.ask(cmid(1)) == (OK, 1)
    server.stop()
    try:
        host.busy_until_log("closed the connection", cmid(2))
        assert host.self_test_says("by busy")["ok"]
    finally:
        server.start()
    server.sql(f"ALTER ROLE {pgserver.ROLE} NOLOGIN")
    try:
        server.end_sessions()
        host.until(BUSY, cmid(2))
        host.busy_until_log("is not permitted to log in", cmid(2))
    finally:
        server.sql(f"ALTER ROLE {pgserver.ROLE} LOGIN")
    assert host.until(OK, cmid(2)) >= 1


def test_b11_a_silent_server_is_left_at_the_deadline(host, proxy):
    assert host.ask(cmid(1)) == (OK, 1)
    proxy.hold()
    assert host.ask(cmid(2))[0] == BUSY
    host.wait_log("no answer in time")
    proxy.go_on()
    assert host.until(OK, cmid(2)) == 2


def test_b11_the_loop_does_not_wait_for_the_server(host, server):
    """While a person holds the group's row, calls that need no store are
    answered, and status is."""
    assert host.ask(cmid(1)) == (OK, 1)
    assert host.status()["publishers"][0]["groups"][0]["count"] == 1
    holder = subprocess.Popen(
        pgserver.as_user(*server.psql("-At")), cwd="/", text=True,
        stdin=subprocess.PIPE, stdout=subprocess.PIPE)
    holder.stdin.write("BEGIN; SELECT 'held' FROM muster.grp FOR UPDATE;\n")
    holder.stdin.flush()
    assert holder.stdout.readline() == "held\n"
    try:
        got = []
        waiting = threading.Thread(target=lambda: got.append(host.ask(cmid(2))))
        waiting.start()
        for _ in range(20):
            out = wire.exchange(host.port, wire.record(wire.call(wire.NULL)))
            assert wire.accepted(wire.split(out)[0]) == b""
        group = host.status()["publishers"][0]["groups"][0]
        assert group["count"] == 1
        assert waiting.is_alive() and got == []
        waiting.join()
        assert got[0][0] == BUSY
        host.wait_log("55P03")
    finally:
        holder.communicate("ROLLBACK;\n")
    assert host.until(OK, cmid(2)) == 2


def test_b11_the_loop_waits_for_no_silent_server(host, proxy, server):
    """What changes the host needs a moment without a batch.  The server says
    nothing: whoever waits is told BUSY then, and not at the deadline."""
    assert host.ask(cmid(1)) == (OK, 1)
    proxy.hold()
    got = []
    waiting = [threading.Thread(target=lambda n=n: got.append(
        host.ask(cmid(n)))) for n in (2, 3)]
    for t in waiting:
        t.start()
    while host.status()["store"]["waiting_max"] < 2:
        assert all(t.is_alive() for t in waiting), host.log()[-2000:]
    admin.install(host, host.host_key + "\n")
    code, said = admin.muster(host, "catalogue", "install", host.catalogue)
    for t in waiting:
        t.join()
    log = host.log()
    assert log.index("host key number", log.index("certificate: of")) > 0
    assert "no answer in time" not in log
    assert [status for status, _ in got] == [BUSY, BUSY]
    assert code == 1 and said["error"]["code"] == "store_busy", said
    proxy.go_on()
    assert host.until(OK, cmid(4)) >= 2
    assert admin.muster(host, "catalogue", "install", host.catalogue)[0] == 0
    # the batch that was given up may be there, and is counted once
    for n in (2, 3):
        host.until(OK, cmid(n))
    assert host.ask(cmid(1)) == (OK, 4)
    assert server.sql("SELECT count(*) FROM muster.cache") == "4\n"


@pytest.mark.parametrize("breaks, mends, says", [
    (f"ALTER ROLE {pgserver.ROLE} CONNECTION LIMIT 0",
     f"ALTER ROLE {pgserver.ROLE} CONNECTION LIMIT -1",
     f'too many connections for role "{pgserver.ROLE}"; raise max_connections'),
    (f"ALTER ROLE {pgserver.ROLE} SET default_transaction_read_only = on",
     f"ALTER ROLE {pgserver.ROLE} RESET default_transaction_read_only",
     "read-only"),
    (f"REVOKE INSERT ON muster.client FROM {pgserver.ROLE}",
     f"GRANT INSERT ON muster.client TO {pgserver.ROLE}", "42501"),
    ("ALTER TABLE muster.migration RENAME TO gone",
     "ALTER TABLE muster.gone RENAME TO migration", "run the migrations"),
    ("INSERT INTO muster.migration VALUES (5, 'later', 5)",
     "DELETE FROM muster.migration WHERE number = 5",
     "upgrade musterd"),
])
def test_b11_what_the_server_refuses_is_named(host, server, breaks, mends,
                                              says):
    cluster.is_refused_until_mended(host, server, breaks, mends, says)


def test_b11_a_server_that_turns_read_only(host, server):
    """Under a connection that is open: it is found at the first write."""
    assert host.ask(cmid(1)) == (OK, 1)
    server.configure("SET default_transaction_read_only = on")
    host.until(BUSY, cmid(2))
    host.wait_log("name all servers")
    server.configure("RESET default_transaction_read_only")
    assert host.until(OK, cmid(3)) >= 2


def test_b11_slow_statements_are_ended_by_the_server(host, server):
    """A trigger that sleeps: nothing is changed, and the session goes on."""
    assert host.ask(cmid(1)) == (OK, 1)
    server.sql("""CREATE FUNCTION muster.sleep() RETURNS trigger LANGUAGE
        plpgsql AS 'BEGIN PERFORM pg_sleep(60); RETURN NEW; END';
        CREATE TRIGGER slow BEFORE INSERT ON muster.client FOR EACH ROW
        EXECUTE FUNCTION muster.sleep()""")
    try:
        assert host.ask(cmid(2))[0] == BUSY
        host.wait_log("57014")
    finally:
        server.sql("DROP FUNCTION muster.sleep CASCADE")
    assert host.until(OK, cmid(2)) == 2
    assert contacts(host, 2) == [1]


def test_b11_an_idle_host_without_its_server_is_not_ready(host, server):
    """Nobody asks it anything: it finds out by itself, says why, and is ready
    again when the server is back."""
    assert host.ask(cmid(1)) == (OK, 1)
    server.stop()
    try:
        host.wait_status("failing")
        host.wait_log("found while idle; PostgreSQL")
        code, said = admin.muster(host, "host", "clients")
        assert code == 1 and said["error"]["code"] == "store_busy", said
        assert "PostgreSQL: " in said["error"]["message"], said
        assert "the inventory is not listed: " in host.log()
    finally:
        server.start()
    host.wait_status("ok")
    host.wait_log("store: answers again")
    assert host.ask(cmid(2)) == (OK, 2)


def test_b11_a_host_has_no_more_connections_than_the_manual_says(host, server):
    """More lists are asked for at once than are read at once, and each waits
    for a person who holds the table."""
    with open(os.path.join(demo.REPO, "doc/cluster.md")) as f:
        most = int(re.search("`max_connections` to ([0-9]+) for each host",
                             f.read())[1])
    assert host.ask(cmid(1)) == (OK, 1)
    sessions = ("SELECT count(*) FROM pg_stat_activity WHERE usename = "
                f"'{pgserver.ROLE}'")
    done = threading.Event()

    def lists(how, *args):
        while not done.wait(pgserver.LOOK_S):
            how(*args)

    asking = [threading.Thread(target=lists, args=args)
              for args in ((get, port_of(host), "/v1/clients"),
                           (admin.muster, host, "host", "clients"))
              for _ in range(4)]
    seen = []
    with server.holding("LOCK TABLE muster.client; SELECT 'held'"):
        for t in asking:
            t.start()
        try:
            end = time.monotonic() + cluster.WAIT_S
            # the batches' one, and one for each of libuv's threads
            while len(seen) < 30 or max(seen) < 5:
                seen.append(int(server.sql(sessions)))
                assert time.monotonic() < end, seen
        finally:
            done.set()
    for t in asking:
        t.join()
    assert max(seen) <= most


def test_b11_a_host_that_is_idle_commits_nothing(host, server):
    """It looks at the counts each second.  That takes no lock, writes no log
    and waits for no standby, so a standby that is missing is no matter to it,
    and nor is who holds a row."""
    assert host.ask(cmid(1)) == (OK, 1)
    looks = ("SELECT query_start FROM pg_stat_activity WHERE usename = "
             f"'{pgserver.ROLE}'")

    def look_five_times():
        seen = set()
        while len(seen) < 5:
            time.sleep(pgserver.LOOK_S)
            seen.add(server.sql(looks))
            assert "\nstore: " not in host.log(), host.log()[-3000:]

    server.configure("SET autovacuum = off")  # it has transactions too
    try:
        # the next transaction that writes; whoever asks is none
        next_xid = "SELECT pg_snapshot_xmax(pg_current_snapshot())"
        before = server.sql(next_xid)
        look_five_times()
        assert server.sql(next_xid) == before
        server.configure("SET synchronous_standby_names = 'nobody'")
        look_five_times()
        with server.holding("SELECT 'held' FROM muster.grp FOR UPDATE"):
            look_five_times()
    finally:
        server.configure("RESET synchronous_standby_names")
        server.configure("RESET autovacuum")
    assert host.ask(cmid(2)) == (OK, 2)


def test_b11_a_look_does_not_make_a_host_ready(host, server):
    """While the synchronous standby is missing every machine is told BUSY; the
    host looks at the counts each second, and can.  It is ready again when it
    has answered one."""
    looks = ("SELECT query_start FROM pg_stat_activity WHERE state = 'idle' "
             f"AND usename = '{pgserver.ROLE}'")

    def ready():
        return get(port_of(host), "/readyz").status == 200

    assert host.ask(cmid(1)) == (OK, 1)
    assert ready()
    server.configure("SET synchronous_standby_names = 'nobody'")
    try:
        assert host.ask(cmid(2))[0] == BUSY
        seen = set()
        while len(seen) < 4:
            time.sleep(pgserver.LOOK_S)
            seen |= set(server.sql(looks).split("\n")) - {""}
            assert not ready(), host.log()[-3000:]
        assert host.status()["store"]["state"] == "failing"
        up = get(port_of(host), "/metrics").body.decode()
        assert "\nmuster_host_store_up 0\n" in up
    finally:
        server.configure("RESET synchronous_standby_names")
    assert "answers again" not in host.log()
    assert host.until(OK, cmid(2)) == 2
    assert ready()
    assert host.log().count("answers again") == 1


def test_b11_a_missing_synchronous_standby_is_not_waited_for(host, server):
    """The commit stands on the primary alone: unknown, and never answered."""
    assert host.ask(cmid(1)) == (OK, 1)
    server.configure("SET synchronous_standby_names = 'nobody'")
    try:
        # upkeep may be the first that waits: then nobody's change is in doubt
        for _ in range(6):
            assert host.ask(cmid(2))[0] == BUSY
            if "outcome unknown, the change may be there" in host.log():
                break
        else:
            raise AssertionError(host.log()[-3000:])
    finally:
        server.configure("RESET synchronous_standby_names")
    assert host.until(OK, cmid(2)) == 2
    assert server.sql("SELECT count(*) FROM muster.cache") == "2\n"


def test_b11_a_server_that_is_killed_in_a_commit(host, server):
    """Its processes end while the commit waits for a standby: whether it was
    written is the log's to say, and whoever asks again is counted once."""
    assert host.ask(cmid(1)) == (OK, 1)
    server.configure("SET synchronous_standby_names = 'nobody'")
    got = []
    asking = threading.Thread(target=lambda: got.append(host.ask(cmid(2))))
    asking.start()
    try:
        server.wait("SELECT count(*) > 0 FROM pg_stat_activity WHERE usename "
                    f"= '{pgserver.ROLE}' AND wait_event = 'SyncRep'", "t\n")
    finally:
        server.stop(pgserver.signal.SIGKILL)
        asking.join()
        server.start()
        server.configure("RESET synchronous_standby_names")
    assert got[0][0] == BUSY
    # upkeep may have been the one that waited; then nothing is there
    there = int(server.sql("SELECT count(*) FROM muster.cache"))
    assert there in (1, 2)
    assert host.until(OK, cmid(2)) == 2
    assert contacts(host, 2) == [there] and contacts(host, 1) == [1]


# In one session that is there beforehand: the host waits for 5 s only; and
# again and again, since upkeep may be the first that waits.
BREAK_OFF = f"""DO $$ BEGIN FOR i IN 1..3000 LOOP
    PERFORM pg_stat_clear_snapshot();
    PERFORM pg_cancel_backend(pid) FROM pg_stat_activity
        WHERE usename = '{pgserver.ROLE}' AND wait_event = 'SyncRep';
    PERFORM pg_sleep(0.01);
END LOOP; END $$;
"""


def test_b11_a_commit_with_a_warning_is_no_commit(host, server):
    """Whoever breaks off the wait for the standby makes COMMIT succeed."""
    assert host.ask(cmid(1)) == (OK, 1)
    server.configure("SET synchronous_standby_names = 'nobody'")
    breaker = subprocess.Popen(
        pgserver.as_user(*server.psql("-At")), cwd="/", text=True,
        stdin=subprocess.PIPE, stdout=subprocess.PIPE)
    breaker.stdin.write("SELECT 'here';\n" + BREAK_OFF)
    breaker.stdin.flush()
    assert breaker.stdout.readline() == "here\n"
    got = []
    waiting = threading.Thread(target=lambda: got.append(host.ask(cmid(2))))
    try:
        waiting.start()
        waiting.join()
    finally:
        server.sql("SELECT pg_cancel_backend(pid) FROM pg_stat_activity "
                   "WHERE query LIKE 'DO %'")
        breaker.communicate()
        server.configure("RESET synchronous_standby_names")
    assert got[0][0] == BUSY
    host.wait_log("perhaps not on the synchronous standby")
    assert host.until(OK, cmid(2)) == 2


def test_b11_passwords_and_tls(host, server, tmp_path):
    """A wrong password, then the right one; then the server wants TLS."""
    passfile = str(tmp_path / "pgpass")

    def word(text):
        with open(passfile, "w") as f:
            f.write(f"*:*:*:*:{text}\n")
        os.chmod(passfile, 0o600)

    def restart(**more):
        host.stop()
        host.settings = pgserver.store(server.address(passfile=passfile,
                                                      **more))
        host.start()

    try:
        server.allow("scram-sha-256")
        word("wrong")
        restart()
        assert host.ask(cmid(1))[0] == BUSY
        host.wait_log("password authentication failed")
        host.wait_log("; see to the role, its password file and pg_hba.conf")
        word(pgserver.PASSWORD)
        assert host.until(OK, cmid(1)) == 1
        service.make_certificates(str(tmp_path))
        for name in ("tls.pem", "tls.key"):
            at = os.path.join(server.data, name)
            shutil.copy(str(tmp_path / name), at)
            os.chmod(at, 0o600)
            if os.geteuid() == 0:
                shutil.chown(at, "nobody")
        server.append("postgresql.conf", "ssl = on\n"
                      "ssl_cert_file = 'tls.pem'\nssl_key_file = 'tls.key'\n")
        server.allow("scram-sha-256", kind="hostssl")
        server.end_sessions()
        assert host.until(BUSY, cmid(2)) >= 1
        host.wait_log("no encryption; see to pg_hba.conf; where that demands "
                      "TLS, set sslmode")
        restart(sslmode="verify-ca", sslrootcert=str(tmp_path / "ca.pem"))
        assert host.until(OK, cmid(2)) == 2
        assert server.sql("SELECT bool_and(ssl) FROM pg_stat_ssl JOIN "
                          "pg_stat_activity USING (pid) WHERE usename = "
                          f"'{pgserver.ROLE}'") == "t\n"
        host.stop()
        host.settings = host.settings.replace("/muster?", "/nowhere?")
        host.start()
        assert host.ask(cmid(3))[0] == BUSY
        host.wait_log('"nowhere" does not exist; create the database')
    finally:
        server.allow("trust")


@pytest.mark.parametrize("old, new, says", [
    ("@", ":secret@", "holds a password"),
    ("sslmode=", "sslpassword=secret&sslmode=", "holds a password"),
    # libpq would print what it cannot read
    ("@", ":secret%zz@", "is no connection string"),
])
def test_b11_a_password_in_the_settings_is_refused(host, server, old, new,
                                                   says):
    host.stop()
    bad = server.address().replace(old, new)
    assert "secret" in bad
    host.settings = pgserver.store(bad)
    with pytest.raises(SystemExit) as e:
        host.start()
    assert says in str(e.value)
    assert "secret" not in host.log()


def test_b11_no_ticket_of_kerberos_is_looked_for(host, server):
    """libpq would, before it connects, by a system call that ends musterd."""
    host.stop()
    host.wrap = ["env", "KRB5CCNAME=KEYRING:session:muster"]
    host.start()
    assert host.ask(cmid(1)) == (OK, 1)
    server.end_sessions()
    assert host.ask(cmid(2)) == (OK, 2)
    assert host.daemon.poll() is None


def test_b11_a_failover_is_followed(tmp_path_factory):
    """Primary and synchronous standby: the primary is killed, the standby
    promoted; every answered machine is there, and the count goes on."""
    primary, standby, c = pgserver.Server(fsync="off"), None, None
    try:
        primary.start().make()
        standby = pgserver.Server(standby_of=primary, name="two", fsync="off")
        standby.start()
        primary.wait_standby("two")
        c = cluster.Cluster(str(tmp_path_factory.mktemp("over")), 2,
                            primary.address(standby)).start()
        a, b = c.hosts
        for n in range(1, 11):
            assert c.hosts[n % 2].until(OK, cmid(n)) == n
        assert a.status()["store"]["server"] == f"127.0.0.1:{primary.port}"
        primary.stop(pgserver.signal.SIGKILL)
        assert a.ask(cmid(11))[0] == BUSY
        standby.promote()
        assert a.until(OK, cmid(11)) == 11
        assert b.until(OK, cmid(12)) == 12
        assert a.status()["store"]["server"] == f"127.0.0.1:{standby.port}"
        seen = {x["cmid"] for x in b.clients()}
        assert seen == {cmid(n).hex() for n in range(1, 13)}
    finally:
        if c is not None:
            c.stop()
        for s in (standby, primary):
            if s is not None:
                s.remove()


def test_b11_a_stale_standby_is_refused(tmp_path_factory):
    """A standby that was away for some commits is promoted: the host that had
    them confirmed says so, takes nothing from it, and goes on when it is
    started anew, or when it finds the right one."""
    primary, standby, c = pgserver.Server(fsync="off"), None, None
    try:
        primary.start().make()
        standby = pgserver.Server(standby_of=primary, name="two", fsync="off")
        standby.start()
        c = cluster.Cluster(str(tmp_path_factory.mktemp("stale")), 2,
                            primary.address(standby)).start()
        a, b = c.hosts
        assert a.ask(cmid(1)) == (OK, 1) and b.ask(cmid(2)) == (OK, 2)
        primary.wait_replayed(standby)
        standby.stop()
        assert a.ask(cmid(3)) == (OK, 3)
        primary.stop()
        standby.start().promote()
        a.busy_until_log(
            f"port {standby.port} is behind: it has 2 of 3 commits", cmid(4))
        assert standby.sql("SELECT count(*) FROM muster.cache") == "2\n"
        standby.stop()
        primary.start()  # was meant all the time
        assert a.until(OK, cmid(4)) == 4
        primary.stop()
        standby.start()
        assert a.until(BUSY, cmid(4)) and b.until(OK, cmid(2)) == 2
        a.stop()
        a.start()
        assert a.until(OK, cmid(5)) == 3
    finally:
        if c is not None:
            c.stop()
        for s in (standby, primary):
            if s is not None:
                s.remove()


def test_b11_busy_is_spread(host, server):
    server.stop()
    try:
        waits = set()
        for n in range(12):
            status, rest = wire.activate(host.port, cluster.DESKTOP,
                                         cmid=cmid(n))
            assert status == BUSY
            waits.add(struct.unpack(">I", rest[:4])[0])
        assert len(waits) > 2 and all(1 <= w <= 3600 for w in waits)
    finally:
        server.start()
