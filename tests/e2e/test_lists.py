# SPDX-License-Identifier: MIT
"""Goal: a list of many keys or hosts takes no more memory than a list of few,
as text or as JSON, and is whole JSON also where it breaks off."""
import json
import os
import sqlite3
import subprocess

import pytest

from test_authority import BIN, Authority

pytestmark = pytest.mark.bare

ROWS = 50_000  # of JSON in memory: some 90 MB
STEP = 1 << 11  # KiB


def fill(a, n):
    """n keys, each with a host in its first slot."""
    db = sqlite3.connect(os.path.join(a.dir, "authority.db"))
    with db:
        db.execute("PRAGMA synchronous = OFF")
        numbers = f"WITH RECURSIVE c(n) AS (SELECT 1 UNION ALL SELECT n + 1 " \
            f"FROM c WHERE n < {n})"
        db.execute(numbers + "INSERT INTO host_key(number, sealed, level, "
                   "lines, customer, hosts, reactivations, releases, issued) "
                   "SELECT n, zeroblob(76), 1, 1, 'Customer ' || n, 6, 9, 6, 0 "
                   "FROM c")
        db.execute(numbers + "INSERT INTO slot SELECT n, 1, 1, 2, 0, "
                   "zeroblob(16) FROM c")
        db.execute(numbers + "INSERT INTO host SELECT n, zeroblob(16), "
                   "'kms' || n || '.example', 1, zeroblob(32), 1, 20000, "
                   "zeroblob(120) FROM c")
    db.close()


@pytest.fixture(scope="module")
def few(tmp_path_factory):
    a = Authority(tmp_path_factory.mktemp("few"))
    fill(a, 3)
    return a


@pytest.fixture(scope="module")
def many(tmp_path_factory):
    a = Authority(tmp_path_factory.mktemp("many"))
    fill(a, ROWS)
    return a


def run(a, kib, *args):
    """With so much address space, and no more."""
    return subprocess.run(
        ["sh", "-c", 'ulimit -v $1; shift; exec "$@"', "sh", str(kib),
         os.path.join(BIN, "muster-authority"), *args, "--dir", a.dir],
        capture_output=True, text=True, timeout=480)


def least(few, args):
    """The address space, in KiB, that a short list takes."""
    return next(kib for kib in range(STEP, 1 << 21, STEP)
                if run(few, kib, *args).returncode == 0)


@pytest.mark.parametrize("noun,name", [("key", "keys"), ("host", "slots")])
@pytest.mark.parametrize("form", ["text", "json"])
def test_a_long_list_takes_no_more_memory(few, many, noun, name, form):
    args = (noun, "list", *(["--json"] if form == "json" else []))
    p = run(many, least(few, args) + STEP, *args)
    assert p.returncode == 0, p.stderr
    if form == "text":
        assert len(p.stdout.splitlines()) == ROWS
        return
    out = json.loads(p.stdout)
    assert out["schema"] == f"muster.authority.{name}/1"
    assert [row["key_number"] for row in out[name]] == \
        list(range(1, ROWS + 1))


def test_empty_lists_are_json(tmp_path):
    a = Authority(tmp_path)
    assert a.run("key", "list") == {
        "schema": "muster.authority.keys/1", "keys": []}
    assert a.run("host", "list") == {
        "schema": "muster.authority.slots/1", "slots": []}


@pytest.mark.parametrize("noun,name,damage", [
    ("key", "keys", "UPDATE host_key SET customer = printf('%.300c', 'x') "
     "WHERE number = "),
    ("host", "slots", "UPDATE host SET name = printf('%.300c', 'x') "
     "WHERE key_number = ")])
def test_a_list_that_breaks_off_is_json_and_says_so(tmp_path, noun, name,
                                                    damage):
    a = Authority(tmp_path)
    fill(a, 3)
    for number in (3, 1):
        db = sqlite3.connect(os.path.join(a.dir, "authority.db"))
        with db:
            db.execute(damage + str(number))
        db.close()
        out = a.run(noun, "list", rc=1)
        assert set(out["error"]) == {"code", "message", "next_step"}
        assert out["error"]["code"] == "damaged"
        if number == 3:
            assert [row["key_number"] for row in out[name]] == [1, 2]
        else:
            assert set(out) == {"error"}
