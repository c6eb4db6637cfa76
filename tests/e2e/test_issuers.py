# SPDX-License-Identifier: MIT
"""Goal: an issuing key follows another without a day on which a host cannot be
activated, or is certified by a key that nobody can have met."""
import datetime
import os
import sqlite3
import struct
from contextlib import closing

import pytest

from service import Service
from test_authority import BOTH, Authority, Host

TODAY = datetime.datetime.now(datetime.timezone.utc).date()


def day(away):
    return (TODAY + datetime.timedelta(days=away)).isoformat()


@pytest.fixture
def a(tmp_path):
    return Authority(tmp_path)


def issuer_of(cert):
    """Its number in a certificate (protocol, section 3)."""
    return struct.unpack(">I", cert[52:56])[0]


def again(a):
    """The next catalogue, signed and given back."""
    a.sign()
    a.run("catalogue", "import", a.path("acme.muster"))


def states(a):
    return {i["issuer"]: i["state"] for i in a.run("issuer", "list")["issuers"]}


def test_a_key_is_used_once_it_is_in_a_catalogue_that_was_imported(a):
    again(a)
    key = a.issue("--hosts", "20")
    assert issuer_of(a.activate(Host(1).request(a, key))[1]) == 1
    out = a.run("issuer", "add", "--as-of", day(0))
    assert (out["issuer"], out["first_day"]) == (2, day(0))
    assert states(a) == {1: "signs certificates", 2: "waits for a catalogue"}
    assert issuer_of(a.activate(Host(2).request(a, key))[1]) == 1
    a.sign()  # signed is not imported
    assert issuer_of(a.activate(Host(3).request(a, key))[1]) == 1
    a.run("catalogue", "import", a.path("acme.muster"))
    assert states(a) == {1: "superseded; its certificates hold",
                         2: "signs certificates"}
    assert issuer_of(a.activate(Host(4).request(a, key))[1]) == 2
    # a host that is activated again gets the new one
    out, cert = a.activate(Host(1).request(a, key, 2))
    assert out["answer"] == "reactivation" and issuer_of(cert) == 2
    assert {i["issuer"]: i["hosts"]
            for i in a.run("issuer", "list")["issuers"]} == {1: 2, 2: 2}
    a.run("audit", "verify")


def test_a_key_has_time_to_spread_by_default(a):
    out = a.run("issuer", "add")
    assert out["first_day"] == day(90) and out["last_day"] == day(90 + 3650)
    again(a)
    assert states(a) == {1: "signs certificates", 2: "waits for its first day"}
    key = a.issue()
    assert issuer_of(a.activate(Host(1).request(a, key))[1]) == 1


def test_a_dropped_key_signs_nothing_and_its_number_is_not_used_again(a):
    again(a)
    key = a.issue()
    a.activate(Host(1).request(a, key))
    assert a.run("issuer", "drop", "1", rc=2)["error"]["code"] == \
        "not_confirmed"
    out = a.run("issuer", "drop", "1", "--yes")
    assert (out["issuer"], out["hosts"]) == (1, 1)
    e = a.activate(Host(2).request(a, key), rc=1)
    assert e["code"] == "no_issuing_key" and "issuer add" in e["next_step"]
    assert a.run("issuer", "drop", "1", "--yes", rc=1)["error"]["code"] == \
        "no_such_issuer"
    assert a.run("issuer", "add", "--as-of", day(0))["issuer"] == 2
    # what hangs on the old one is told before it ends
    e = a.sign(rc=1)["error"]
    assert e["code"] == "drops_issuer" and "1 host cert" in e["message"]
    a.sign(BOTH, "--drop", "")
    a.run("catalogue", "import", a.path("acme.muster"))
    assert issuer_of(a.activate(Host(2).request(a, key))[1]) == 2
    a.run("issuer", "drop", "2", "--yes")
    assert a.run("issuer", "add")["issuer"] == 3


def test_a_service_that_runs_takes_the_new_key(tmp_path):
    s = Service(tmp_path)
    try:
        s.start()
        again(s.a)
        key = s.a.issue()
        for n, want in ((1, 1), (2, 2)):
            cert = s.enrol(Host(n).request(s.a, key)).json["certificate"]
            assert issuer_of(bytes.fromhex(cert)) == want
            if n == 1:
                s.a.run("issuer", "add", "--as-of", day(0))
                again(s.a)
    finally:
        s.stop()


def test_a_start_warns_when_no_key_is_to_follow(tmp_path):
    s = Service(tmp_path)
    try:
        s.start()
        assert "no issuing key" not in "".join(s.log)
        s.stop()
        with sqlite3.connect(os.path.join(s.a.dir, "authority.db")) as db:
            db.execute("UPDATE issuer SET not_after = ?",
                       ((TODAY - datetime.date(1970, 1, 1)).days + 89,))
        db.close()
        s.start()
        assert "no issuing key signs certificates in 90 days" in "".join(s.log)
    finally:
        s.stop()


@pytest.mark.parametrize("args, code", [
    (("--as-of", "tomorrow"), "bad_date"), (("--as-of", "2031-02-30x"), "bad_date"),
    (("--days", "0"), "bad_number"), (("--days", "10001"), "bad_number")])
def test_a_day_that_is_none_is_refused(a, args, code):
    assert a.run("issuer", "add", *args, rc=2)["error"]["code"] == code
    assert list(states(a)) == [1]


def test_no_more_keys_than_a_catalogue_holds(a):
    for n in range(2, 33):
        assert a.run("issuer", "add")["issuer"] == n
    e = a.run("issuer", "add", rc=1)["error"]
    assert e["code"] == "issuers_full" and "32" in e["message"]
    again(a)
    a.run("issuer", "drop", "7", "--yes")
    assert a.run("issuer", "add")["issuer"] == 33


def test_a_key_file_of_another_age_signs_nothing(a):
    """A database that was restored beside a newer file, say."""
    again(a)
    path = os.path.join(a.dir, "issuing.key")
    a.run("issuer", "add", "--as-of", day(0))
    with open(path) as f:
        one, two = f.read().splitlines()
    a.write(path, f"1 {two.split()[1]}\n2 {one.split()[1]}\n".encode())
    e = a.activate(Host(1).request(a, a.issue()), rc=1)
    assert e["code"] == "damaged"
    # a number that the file alone has is free: an addition was cut short
    a.write(path, f"{one}\n{two}\n3 {'00' * 64}\n".encode())
    assert a.run("issuer", "add", "--as-of", day(0))["issuer"] == 3
    again(a)
    assert issuer_of(a.activate(Host(1).request(a, a.issue()))[1]) == 3


def test_a_database_of_version_2_is_brought_up_in_place(a):
    path = os.path.join(a.dir, "authority.db")
    db = sqlite3.connect(path, isolation_level=None)
    db.executescript("ALTER TABLE issuer DROP COLUMN is_published;"
                     "ALTER TABLE issuer DROP COLUMN is_dropped;"
                     "PRAGMA user_version = 2;")
    db.close()
    key = a.issue()
    assert issuer_of(a.activate(Host(1).request(a, key))[1]) == 1
    assert states(a) == {1: "signs certificates"}


def of_version_2(path):
    """What the version before has left there; its serials to come."""
    with closing(sqlite3.connect(path, isolation_level=None)) as db:
        db.executescript("ALTER TABLE issuer DROP COLUMN is_published;"
                         "ALTER TABLE issuer DROP COLUMN is_dropped;"
                         "PRAGMA user_version = 2;")


def facts_of(path):
    with closing(sqlite3.connect(path)) as db:
        assert db.execute("PRAGMA integrity_check").fetchone() == ("ok",)
        return (db.execute("PRAGMA user_version").fetchone()[0],
                db.execute("SELECT count(*) FROM audit").fetchone()[0],
                [row[1] for row in db.execute("PRAGMA table_info(issuer)")])


def test_an_earlier_schema_is_kept_before_it_is_changed(a):
    """And a copy that can be gone back to: that is brought up once more."""
    path = os.path.join(a.dir, "authority.db")
    of_version_2(path)
    before = facts_of(path)
    assert before[0] == 2 and "is_dropped" not in before[2]
    a.issue()
    kept = path + ".schema-2"
    assert facts_of(kept) == before
    assert facts_of(path)[:2] == (3, before[1] + 1)
    assert os.stat(kept).st_mode & 0o777 == 0o600
    os.rename(kept, path)
    for end in ("-wal", "-shm"):
        if os.path.exists(path + end):
            os.unlink(path + end)
    a.write(kept, b"an older copy")
    a.issue()
    assert facts_of(kept) == before
    assert [n for n in os.listdir(a.dir) if ".new." in n] == []


def test_no_copy_no_change(a):
    """Its name is taken by a folder: it says so, and the old version can be
    used as before."""
    path = os.path.join(a.dir, "authority.db")
    of_version_2(path)
    before = facts_of(path)
    os.mkdir(path + ".schema-2")
    assert a.run("key", "list", rc=1)["error"]["code"] == "exist"
    assert facts_of(path) == before
    os.rmdir(path + ".schema-2")
    a.run("key", "list")
    assert facts_of(path)[0] == 3


@pytest.mark.parametrize("pragma,why", [
    ("user_version = 4", "schema 4, this muster-authority has 3"),
    ("application_id = 7", "another program's")])
def test_a_later_schema_is_refused_by_name(a, pragma, why):
    path = os.path.join(a.dir, "authority.db")
    with closing(sqlite3.connect(path, isolation_level=None)) as db:
        db.execute("PRAGMA " + pragma)
    with open(path, "rb") as f:
        before = f.read()
    for command in (("key", "list"), ("issuer", "list"), ("audit", "verify"),
                    ("catalogue", "prepare", "-o", a.path("p")),
                    ("backup", a.path("b"))):
        e = a.run(*command, rc=1)["error"]
        assert e["code"] == "schema"
        assert e["message"].endswith(f"authority.db: database of another "
                                     f"version or program: {why}"), command
        assert "version of muster-authority that wrote it" in e["next_step"]
    with open(path, "rb") as f:
        assert f.read() == before
