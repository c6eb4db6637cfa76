# SPDX-License-Identifier: MIT
"""Goal: hosts that share a PostgreSQL server have one count and one inventory
(b11), and what is wrong with server or schema is named."""
import concurrent.futures
import glob
import os
import re
import shlex
import shutil
import subprocess
import time

import pytest

import cluster
import demo
import faked_time
import pgserver
import test_admin as admin
from cluster import BUSY, OK, SERVER, cmid

SHARED = os.environ.get("MUSTER_SHARED", os.path.join(
    demo.REPO, "build/tests/store_shared"))


@pytest.fixture(scope="module")
def server():
    with pgserver.made(fsync="off") as s:
        yield s


@pytest.fixture()
def two(server, tmp_path_factory):
    server.sql("TRUNCATE muster.grp, muster.cache, muster.client")
    c = cluster.Cluster(str(tmp_path_factory.mktemp("two")), 2,
                        server.address())
    try:
        yield c.start()
    finally:
        c.stop()


def test_b11_the_count_is_that_of_the_union(two, server):
    a, b = two.hosts
    assert a.ask(cmid(1)) == (OK, 1)
    assert b.ask(cmid(2)) == (OK, 2)
    assert b.ask(cmid(1)) == (OK, 2)
    assert a.ask(cmid(3), SERVER) == (OK, 3)
    # a host may die, another may be added: the count stands
    a.kill()
    assert b.ask(cmid(4)) == (OK, 4)
    a.start()
    assert a.ask(cmid(5)) == (OK, 5)
    for h in (a, b):
        seen = {c["cmid"] for c in h.clients()}
        assert seen == {cmid(n).hex() for n in range(1, 6)}
    assert server.sql("SELECT count(*) FROM muster.cache") == "5\n"
    assert b.status()["store"]["kind"] == "postgresql"


def test_b5_the_inventory_tells_which_host_served(two, server):
    a, b = two.hosts
    for h, name in ((a, "kms-a.example"), (b, "kms-b.example")):
        h.stop()
        h.settings += f'publish = false;\npublish_name = "{name}";\n'
        h.start()
    assert a.ask(cmid(1)) == (OK, 1) and b.ask(cmid(2)) == (OK, 2)
    assert a.ask(cmid(3)) == (OK, 3) and b.ask(cmid(3)) == (OK, 3)
    want = {cmid(1).hex(): "kms-a.example", cmid(2).hex(): "kms-b.example",
            cmid(3).hex(): "kms-b.example"}
    for h in (a, b):
        assert {c["cmid"]: c["host"] for c in h.clients()} == want
    csv = demo.run("muster", "host", "clients", "--csv", "--root",
                   a.host_root).splitlines()
    assert csv[0].endswith(",host") and \
        {x.split(",")[2]: x.split(",")[-1] for x in csv[1:]} == want
    # who has asked nobody since the migration is not told to be of this host
    server.sql("UPDATE muster.client SET host = ''")
    assert {c["host"] for c in b.clients()} == {""}


def test_b11_two_hosts_that_lock_at_once_take_turns(two):
    """Forty machines at both hosts at the same moment: each is told another
    count, and none is left out."""
    with concurrent.futures.ThreadPoolExecutor(40) as pool:
        got = list(pool.map(lambda n: two.hosts[n % 2].ask(cmid(n)),
                            range(40)))
    assert {status for status, _ in got} == {OK}
    assert sorted(count for _, count in got) == list(range(1, 41))


def test_b11_machines_are_licensed_by_either_host(two):
    """The guide's threshold, reached over two hosts with a key each."""
    a, b = two.hosts
    for n in range(1, 6):
        h = (a, b)[n % 2]
        got = h.activate(n, demo.SERVER)
        assert got["count"] == n and got["activated"] == (n >= 5), got
    a.verify(5, demo.SERVER) if 5 % 2 == 0 else b.verify(5, demo.SERVER)


def test_b11_hosts_of_another_group_count_for_themselves(two, server,
                                                         tmp_path):
    server.migrate("site_two")
    other = cluster.Host(two.first, str(tmp_path),
                         pgserver.store(server.address(), "site_two"))
    other.start()
    try:
        other.activate_host()
        assert two.hosts[0].ask(cmid(1)) == (OK, 1)
        assert other.ask(cmid(2)) == (OK, 1)
        assert two.hosts[1].ask(cmid(3)) == (OK, 2)
    finally:
        other.stop()
        server.sql("DROP SCHEMA site_two CASCADE")


def test_b11_without_its_server_a_host_says_busy(two, server):
    """And goes on by itself when the server is back: nothing is counted here
    meanwhile, nothing answered is lost."""
    a, b = two.hosts
    assert a.ask(cmid(1)) == (OK, 1)
    server.stop()
    status, wait = a.ask(cmid(2))
    assert status == BUSY and 1 <= wait <= 3600
    assert b.ask(cmid(1))[0] == BUSY
    a.wait_log("PostgreSQL")
    assert a.daemon.poll() is None and b.daemon.poll() is None
    server.start()
    assert a.until(OK, cmid(3)) == 2
    assert b.until(OK, cmid(3)) == 2
    assert {c["cmid"] for c in b.clients()} == {cmid(1).hex(), cmid(3).hex()}


def test_b11_a_host_starts_without_its_server(two, server):
    a, _ = two.hosts
    assert a.ask(cmid(1)) == (OK, 1)
    a.stop()
    server.stop()
    a.start()
    assert a.ask(cmid(1))[0] == BUSY
    server.start()
    assert a.until(OK, cmid(2)) == 2


def start_fails(host):
    p = subprocess.run([os.path.join(demo.BIN, "musterd"), "--root",
                        host.host_root], capture_output=True, text=True,
                       timeout=240)
    assert p.returncode == 1, p.stderr
    return p.stderr


def test_b11_another_schema_is_refused_by_name(two, server):
    """Older and newer; and a newer one that works with this host."""
    a, _ = two.hosts
    a.stop()
    table = "muster.migration"
    server.sql(f"INSERT INTO {table} VALUES (5, 'later', 1)")
    a.start()
    assert a.ask(cmid(1)) == (OK, 1)
    a.stop()
    server.sql(f"UPDATE {table} SET works_with = 5 WHERE number = 5")
    text = start_fails(a)
    assert "is at migration 5" in text and "upgrade musterd" in text
    # what the one cannot go on with, the next one does not mend
    server.sql(f"INSERT INTO {table} VALUES (6, 'later still', 1)")
    text = start_fails(a)
    assert "needs hosts that know 5" in text, text
    server.sql(f"DELETE FROM {table} WHERE number > 5")
    server.sql(f"UPDATE {table} SET works_with = 1 WHERE number = 5")
    server.sql(f"DELETE FROM {table} WHERE number = 2")
    text = start_fails(a)
    assert "is at migration 5 and has run 4" in text, text
    server.sql(f"DELETE FROM {table} WHERE number > 1")
    text = start_fails(a)
    assert "is at migration 1, this host needs 4" in text
    server.sql(f"INSERT INTO {table} VALUES (2, 'host', 1), "
               "(3, 'twin', 1), (4, 'granted', 1)")
    server.sql("ALTER TABLE muster.client RENAME chain TO links")
    text = start_fails(a)
    assert "is not what this host knows" in text
    server.sql("ALTER TABLE muster.client RENAME links TO chain")
    a.settings = pgserver.store(server.address(), "nobody_made_it")
    with open(os.path.join(a.host_root, "etc/muster/musterd.conf"), "w") as f:
        f.write('listen = [ "127.0.0.1" ];\nport = 0;\nstatus_listen = "off";\n' + a.settings)
    text = start_fails(a)
    assert "schema nobody_made_it" in text and "muster/postgresql" in text


@pytest.mark.parametrize("table, key", [
    ("grp", "publisher, grp"), ("cache", "publisher, grp, seq"),
    ("client", "publisher, product, cmid")])
def test_b11_a_table_without_its_key_is_refused_by_name(two, server, table,
                                                        key):
    """As a restore leaves it that failed at its constraints."""
    a, b = two.hosts
    assert a.ask(cmid(1)) == (OK, 1)
    a.stop()
    server.sql(f"ALTER TABLE muster.{table} DROP CONSTRAINT {table}_pkey")
    try:
        said = f"table muster.{table} has lost its key; take out what"
        # what is no key either: it lets doubles in, or some
        for other in ("INDEX {} ({})",
                      "UNIQUE INDEX {} ({}) WHERE publisher IS NULL",
                      "UNIQUE INDEX {} ({}, (publisher::text))"):
            other = other.format(f"other ON muster.{table}", key)
            server.sql(f"CREATE {other}")
            text = start_fails(a)
            assert said in text and f"ADD PRIMARY KEY ({key})" in text, text
            server.sql("DROP INDEX muster.other")
        # who has a connection finds out at the next one
        assert b.ask(cmid(2)) == (OK, 2) or table != "cache"
        server.end_sessions()
        b.busy_until_log(said, cmid(2))
    finally:
        server.sql(f"ALTER TABLE muster.{table} ADD PRIMARY KEY ({key})")
    assert b.until(OK, cmid(2)) == 2
    a.start()
    assert a.ask(cmid(3)) == (OK, 3)


def test_b11_a_migration_is_run_from_the_package_before_it(server, tmp_path):
    """The manual's lines, on the package's files and tables that lack it."""
    with open(os.path.join(demo.REPO, "doc/cluster.md")) as f:
        lines = re.search(r"^    dpkg-deb .*?^    (psql .*?)$", f.read(),
                          re.S | re.M)
    with open(os.path.join(demo.REPO, "packaging/debian",
                           "muster-host-postgresql.install")) as f:
        assert "usr/share/muster/postgresql\n" in f.read()
    tree, staged = tmp_path / "tree", os.path.join(demo.BIN, "../share/muster")
    shutil.copytree(staged + "/postgresql", tree / "usr/share/muster/postgresql")
    (tree / "DEBIAN").mkdir()
    (tree / "DEBIAN/control").write_text(
        "Package: muster-host-postgresql\nVersion: 2\nArchitecture: all\n"
        "Maintainer: Nobody <nobody@muster.invalid>\nDescription: files\n")
    subprocess.run(["dpkg-deb", "--root-owner-group", "-b", str(tree),
                    str(tmp_path / "muster-host-postgresql_2_all.deb")],
                   check=True, timeout=240, capture_output=True)
    number, last = re.search(r"/(\d+)(-\w+\.sql) ", lines[0]).groups()
    for path in sorted(glob.glob(staged + "/postgresql/*.sql")):
        if os.path.basename(path) < number:
            with open(path) as f:
                pgserver.run(*server.psql("-v", "group=early", "-v",
                                          f"role={pgserver.ROLE}"), input=f.read())
    assert os.path.basename(path) == number + last
    shim = 'psql() { cat "$4" | (cd /; %s "$1" "$2"); }\n' % shlex.join(
        pgserver.as_user(*server.psql()))
    p = subprocess.run(["sh", "-euc", shim + lines[0].replace(
        "group=muster", "group=early")], cwd=tmp_path, timeout=240,
        capture_output=True, text=True)
    assert (p.returncode, p.stderr) == (0, "")
    assert server.sql("SELECT max(number) FROM early.migration") == \
        f"{int(number)}\n"
    server.sql("SELECT granted FROM early.client")


def by_the_manual(server, *begins):
    """Lines of the manual that begin so, as the server's administrator."""
    with open(os.path.join(demo.REPO, "doc/cluster.md")) as f:
        text = f.read()
    lines = [re.search(f"^    ({begin} .*)$", text, re.M)[1]
             for begin in begins]
    pgserver.run("env", "-C", server.folder, f"PATH={server.bin}:/usr/bin:/bin",
                 f"PGHOST={server.folder}", f"PGPORT={server.port}",
                 "PGUSER=postgres", "sh", "-euc", "\n".join(lines))


def test_b11_a_backup_of_the_server_is_given_back(two, server):
    """The manual's lines: the hosts are started anew and count on from there;
    one that was left running refuses a server that lacks its commits."""
    a, b = two.hosts
    for n in range(1, 4):
        assert two.hosts[n % 2].ask(cmid(n)) == (OK, n)
    by_the_manual(server, "pg_dump -n")
    assert b.ask(cmid(4)) == (OK, 4)
    a.stop()
    by_the_manual(server, "psql -c 'ALTER SCHEMA", "pg_restore -1")
    try:
        a.start()
        assert {c["cmid"] for c in a.clients()} == {
            cmid(n).hex() for n in (1, 2, 3)}
        b.busy_until_log("is behind: it has 3 of 4 commits", cmid(5))
        b.stop()
        b.start()
        assert a.ask(cmid(1)) == (OK, 3)
        assert b.ask(cmid(5)) == (OK, 4)
        assert server.sql("SELECT count(*) FROM muster_before.cache") == "4\n"
        assert server.sql("SELECT max(number) FROM muster.migration") == "4\n"
    finally:
        server.sql("DROP SCHEMA muster_before CASCADE")


def test_b11_of_different_catalogues_t_is_the_larger(two, server):
    """Server activates from 5 by the one host's catalogue, and from 60 by the
    other's, which is newer: more than the first has kept place for.  Both keep
    the most recent 120, and go on so without whoever asked for it."""
    old, new = two.hosts
    for n in range(1, 13):
        assert old.ask(cmid(n), SERVER) == (OK, min(n, 10))
    assert new.ask(cmid(13), SERVER) == (OK, 10)
    text = demo.PRODUCTS.replace("threshold = 5;", "threshold = 60;")
    assert text != demo.PRODUCTS
    newer = admin.resign(two.first, text)
    assert admin.muster(new, "catalogue", "install", newer)[0] == 0
    assert new.ask(cmid(13), SERVER) == (OK, 10)
    for n in range(14, 74):
        assert old.ask(cmid(n), SERVER) == (OK, n - 3)
    new.stop()
    old.stop()
    old.start()
    assert old.ask(cmid(74), SERVER) == (OK, 71)
    assert old.status()["publishers"][0]["catalogue_serial"] == 1
    assert server.sql("SELECT capacity FROM muster.grp") == "120\n"


def test_b11_a_migration_is_run_while_older_hosts_serve(two, server):
    """One that they can go on with: a column that only newer hosts know, and
    rows of such hosts.  It counts for open connections and for new ones."""
    a, b = two.hosts
    assert a.ask(cmid(1)) == (OK, 1)
    server.sql("""BEGIN;
        ALTER TABLE muster.client ADD place text NOT NULL DEFAULT 'here';
        ALTER TABLE muster.grp ADD later bigint NOT NULL DEFAULT 0;
        INSERT INTO muster.migration VALUES (5, 'places', 1);
        COMMIT""")
    try:
        assert a.ask(cmid(1)) == (OK, 1)
        assert b.ask(cmid(2)) == (OK, 2)
        server.end_sessions()
        # as a newer host would write
        server.sql("UPDATE muster.client SET place = 'there'")
        assert a.ask(cmid(2)) == (OK, 2)
        assert b.ask(cmid(3)) == (OK, 3)
        for h in (a, b):
            assert {c["cmid"]: c["contacts"] for c in h.clients()} == {
                cmid(1).hex(): 2, cmid(2).hex(): 2, cmid(3).hex(): 1}
        assert server.sql("SELECT place, count(*) FROM muster.client "
                          "GROUP BY 1 ORDER BY 1") == "here|1\nthere|2\n"
    finally:
        server.sql("""ALTER TABLE muster.client DROP place;
            ALTER TABLE muster.grp DROP later;
            DELETE FROM muster.migration WHERE number = 5""")


@pytest.mark.bare  # faketime is loaded first
def test_b11_hosts_whose_clocks_differ_go_by_the_servers(two, server):
    """Up to four hours away; further, the host says BUSY and names the
    difference.  Neither counts for the other as seen long ago or in future."""
    a, b = two.hosts
    for h, offset in ((a, "+1h"), (b, "+3h")):
        h.stop()
        h.wrap = faked_time.at(offset)
        h.start()
    assert a.ask(cmid(1)) == (OK, 1)
    assert b.ask(cmid(2)) == (OK, 2)
    assert a.ask(cmid(1)) == (OK, 2)
    now = int(server.sql("SELECT muster.clock()"))
    for h in (a, b):
        seen = [c["last_unix_s"] for c in h.clients()]
        assert len(seen) == 2 and all(now - 600 < at <= now for at in seen)
    b.stop()
    b.wrap = faked_time.at("+5h")
    b.start()
    # a machine that the host's own clock is right for
    later = int(time.time()) + 5 * 3600
    assert b.ask(cmid(3), when=later)[0] == BUSY
    b.wait_log(" s behind this host's; set right the one that is wrong")
    assert a.ask(cmid(4)) == (OK, 3)


def test_b11_the_hosts_role_has_no_right_too_many(two, server):
    """What the role can do is what the migration grants."""
    a, _ = two.hosts
    assert a.ask(cmid(1)) == (OK, 1)
    role = f"SET ROLE {pgserver.ROLE}; "
    for forbidden in ("DROP TABLE muster.client", "CREATE TABLE muster.x ()",
                      "UPDATE muster.migration SET number = 9",
                      "DELETE FROM muster.grp", "TRUNCATE muster.client",
                      "CREATE SCHEMA x"):
        assert server.try_sql(role + forbidden, "muster") is None, forbidden
    assert server.try_sql(role + "SELECT count(*) FROM muster.client",
                          "muster") == "1\n"


def test_b11_all_stores_do_what_the_model_does(server):
    """Model, SQLite and two hosts on PostgreSQL, by random operations; the
    long form is a row of test-long."""
    owner = f"host=127.0.0.1 port={server.port} user=postgres dbname=muster"
    p = subprocess.run([SHARED, server.address(), owner,
                        os.environ.get("MUSTER_OPERATIONS", "500"),
                        os.environ.get("MUSTER_SEED", "2")],
                       capture_output=True, text=True, timeout=2400)
    assert p.returncode == 0 and "\nnot ok" not in p.stdout, \
        p.stdout[-3000:] + p.stderr
    assert " images" in p.stdout
