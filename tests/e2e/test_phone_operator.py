# SPDX-License-Identifier: MIT
"""Goal: the operator answers what a customer reads out or shows, with the same
limits as a file, and a guessed code leads nowhere.

Codes are made here from the protocol's text, not by the project's code.
"""
import os
import sqlite3
import struct
import subprocess

import pytest

import phonecode
from test_authority import ALPHABET, BIN, Authority, Host, blake, check_cert, label

WRONG_MAX = 20
V1 = """
BEGIN;
CREATE TABLE slot_1(key_number INTEGER NOT NULL REFERENCES host_key(number),
 slot INTEGER NOT NULL CHECK(slot BETWEEN 1 AND 255),
 activation INTEGER NOT NULL CHECK(activation BETWEEN 1 AND 255),
 hold INTEGER NOT NULL CHECK(hold BETWEEN 0 AND 2),
 reactivations INTEGER NOT NULL,
 host_pk BLOB NOT NULL CHECK(length(host_pk) = 32),
 PRIMARY KEY(key_number, slot)) STRICT, WITHOUT ROWID;
CREATE TABLE host_1(key_number INTEGER NOT NULL REFERENCES host_key(number),
 host_pk BLOB NOT NULL CHECK(length(host_pk) = 32),
 name TEXT NOT NULL, counter INTEGER NOT NULL,
 body BLOB NOT NULL CHECK(length(body) = 32),
 issuer INTEGER NOT NULL, issued_day INTEGER NOT NULL,
 certificate BLOB NOT NULL CHECK(length(certificate) = 120),
 PRIMARY KEY(key_number, host_pk)) STRICT, WITHOUT ROWID;
INSERT INTO host_1 SELECT key_number, substr(certificate, 21, 32), name,
 counter, body, issuer, issued_day, certificate FROM host;
INSERT INTO slot_1 SELECT s.key_number, slot, activation, hold, reactivations,
 substr(h.certificate, 21, 32) FROM slot s JOIN host h
 USING(key_number, fingerprint);
DROP TABLE slot;
DROP TABLE host;
ALTER TABLE slot_1 RENAME TO slot;
ALTER TABLE host_1 RENAME TO host;
ALTER TABLE host_key DROP COLUMN codes_wrong;
ALTER TABLE issuer DROP COLUMN is_published;
ALTER TABLE issuer DROP COLUMN is_dropped;
PRAGMA user_version = 1;
COMMIT;
"""


@pytest.fixture
def a(tmp_path):
    a = Authority(tmp_path)
    a.sign()
    return a


def ask(a, host, key, counter=1, number=None):
    """The groups of an installation ID."""
    value = 0
    for c in key.replace("-", ""):
        value = value << 5 | ALPHABET.index(c)
    keyno = (value >> 90) & 0xffffffff
    secret = ((value >> 16) & (1 << 74) - 1).to_bytes(10, "big")
    pk = blake(label("muster/hkey/1") + a.publisher +
               struct.pack(">I", keyno) + secret)
    return phonecode.encode(phonecode.installation(
        a.publisher, number or keyno, pk, host.pk.raw, counter))


def answer(a, groups, *more, rc=0):
    out = a.run("activate", "--installation-id", "-".join(groups), *more, rc=rc)
    return out["error"] if rc else out


def certificate(a, out, host):
    code = phonecode.decode(out["confirmation_id"].split("-"), 73)
    return phonecode.certificate(code, out["key_number"], host.pk.raw)


def audit(a):
    db = sqlite3.connect(os.path.join(a.dir, "authority.db"))
    rows = db.execute("SELECT act, detail FROM audit ORDER BY number")
    rows = [(act, detail) for act, detail in rows]
    db.close()
    return rows


def test_b40_a_code_is_answered_by_thirty_groups(a):
    key, host = a.issue(), Host(1)
    out = answer(a, ask(a, host, key))
    assert (out["answer"], out["slot"], out["hosts_used"]) == ("new", 1, 1)
    assert len(out["confirmation_id"].split("-")) == 30
    assert "certificate" not in out
    cert = certificate(a, out, host)
    check_cert(a, cert, 1, 1, host)
    # once more, also by standard input and spaces: the same, not counted
    p = subprocess.run([os.path.join(BIN, "muster-authority"), "activate",
                        "--dir", a.dir, "--installation-id", "-"],
                       input="\n ".join(ask(a, host, key)) + "\n",
                       capture_output=True, text=True, timeout=90)
    assert p.returncode == 0, p.stderr
    said = [w for w in p.stdout.replace(":", " ").split()
            if len(w) == 7 and w.isdigit()]
    assert said == out["confirmation_id"].split("-")
    assert "same in slot 1" in p.stdout
    # the file of the same request is the same certificate too
    got, by_file = a.activate(host.request(a, key))
    assert got["answer"] == "same" and by_file == cert
    assert got["confirmation_id"] == out["confirmation_id"]
    a.run("audit", "verify")


def test_b41_codes_count_as_files_do(a):
    key = a.issue()
    a.activate(Host(1).request(a, key))
    assert answer(a, ask(a, Host(1), key))["answer"] == "same"
    out = answer(a, ask(a, Host(1), key, 2))
    assert (out["answer"], out["reactivations_used"]) == ("reactivation", 1)
    assert out["host"] == "kms1.example"
    assert answer(a, ask(a, Host(1), key, 1), rc=1)["code"] == "counter_old"
    for n in range(2, 7):
        assert answer(a, ask(a, Host(n), key))["answer"] == "new"
    e = answer(a, ask(a, Host(7), key), rc=1)
    assert e["code"] == "hosts_used_up" and "555 0100" in e["next_step"]
    out = answer(a, ask(a, Host(7), key), "--replaces", "3")
    assert (out["answer"], out["slot"], out["activation"]) == \
        ("replacement", 3, 2)
    check_cert(a, certificate(a, out, Host(7)), 3, 2, Host(7))
    # asked again, with the slot or without it
    assert answer(a, ask(a, Host(7), key))["answer"] == "same"
    assert answer(a, ask(a, Host(7), key), "--replaces", "3")["answer"] == "same"
    assert answer(a, ask(a, Host(3), key), rc=1)["code"] == "counter_old"


def test_b40_a_mistyped_group_is_named(a):
    key = a.issue()
    groups = ask(a, Host(1), key)
    bad = list(groups)
    bad[6] = bad[6][:2] + str((int(bad[6][2]) + 1) % 10) + bad[6][3:]
    e = answer(a, bad, rc=1)
    assert e["code"] == "code_mistyped" and "group 7 of 10" in e["message"]
    bad = list(groups)
    bad[2], bad[4] = bad[4], bad[2]
    assert "group 3 of 10" in answer(a, bad, rc=1)["message"]
    for wrong in (groups[5] + "4", groups[5][:-1]):
        e = answer(a, groups[:5] + [wrong] + groups[6:], rc=1)
        assert e["code"] == "code_mistyped" and e["message"] == \
            f"group 6 of 10 is not right: {len(wrong)} digits instead of 7"
    assert "group 10 of 10" in answer(a, groups[:9], rc=1)["message"]
    assert "no installation ID" in answer(a, groups + ["1"], rc=1)["message"]
    bad = phonecode.group(1, "2" + groups[0][1:6])
    assert "another version" in answer(a, [bad] + groups[1:], rc=1)["message"]
    assert not any(act == "host.refuse" for act, _ in audit(a))


def test_b40_twenty_wrong_codes_then_the_file_is_demanded(a):
    key, other = a.issue(), a.issue()
    wrong = ask(a, Host(1), other, number=1)
    for n in range(WRONG_MAX):
        assert answer(a, wrong, rc=1)["code"] == "key_unknown"
        assert a.run("key", "show", "1")["codes_wrong"] == n + 1
    # now a right one as well, and nothing is learned by trying
    e = answer(a, ask(a, Host(1), key), rc=1)
    assert e["code"] == "file_demanded" and "--file" in e["next_step"]
    assert answer(a, wrong, rc=1)["code"] == "file_demanded"
    assert a.run("key", "show", "1")["codes_wrong"] == WRONG_MAX
    # another key is untouched; so is the file
    assert answer(a, ask(a, Host(2), other))["answer"] == "new"
    assert a.activate(Host(1).request(a, key))[0]["answer"] == "new"
    # which tells that the key's holder is there
    assert a.run("key", "show", "1")["codes_wrong"] == 0
    assert answer(a, ask(a, Host(3), key))["answer"] == "new"
    refused = [d for act, d in audit(a) if act == "host.refuse"]
    assert sum('"key_unknown"' in d for d in refused) == WRONG_MAX
    assert sum('"file_demanded"' in d for d in refused) == 2
    a.run("audit", "verify")


def test_b40_an_altered_or_foreign_code_is_one_unknown_key(a):
    key, host = a.issue(), Host(1)
    code = bytearray(phonecode.decode(ask(a, host, key), 24))
    said = set()
    for at in (0, 3, 4, 19, 20, 23):  # number, fingerprint, counter, proof
        code[at] ^= 1
        e = answer(a, phonecode.encode(bytes(code)), rc=1)
        said.add((e["code"], e["message"]))
        code[at] ^= 1
    publisher, a.publisher = a.publisher, bytes(16)
    e = answer(a, ask(a, host, key), rc=1)
    said.add((e["code"], e["message"]))
    a.publisher = publisher
    assert len(said) == 1 and said.pop()[0] == "key_unknown"
    assert a.run("host", "list")["slots"] == []


def test_b40_by_qr_text_and_what_cannot_go_together(a):
    key, host = a.issue(), Host(1)
    request = host.request(a, key)
    out = a.run("activate", "--qr", phonecode.base45(request))
    cert = bytes.fromhex(out["certificate"])
    check_cert(a, cert, 1, 1, host)
    assert phonecode.base45_bytes(out["certificate_base45"]) == cert
    to = a.path("qr.cert")
    a.run("activate", "--qr", phonecode.base45(request), "-o", to)
    with open(to, "rb") as f:
        assert f.read() == cert
    e = a.run("activate", "--qr", "not base 45", rc=1)["error"]
    assert e["code"] == "proto"
    code = "-".join(ask(a, host, key))
    for args in (("--qr", "x", "--file", "x"), (), ("--qr", "x", "--replaces", "1"),
                 ("--installation-id", code, "-o", to),
                 ("--installation-id", code, "--replaces", "0")):
        assert a.run("activate", *args, rc=2)["error"]["next_step"]


def test_a_database_of_version_1_is_brought_up_in_place(a):
    key = a.issue()
    certs = [a.activate(Host(n).request(a, key))[1] for n in range(1, 4)]
    a.run("host", "release", "1", "2", "--yes")
    before = a.run("host", "list")["slots"]
    path = os.path.join(a.dir, "authority.db")
    db = sqlite3.connect(path, isolation_level=None)
    db.executescript(V1)
    columns = [r[1] for r in db.execute("PRAGMA table_info(slot)")]
    assert "host_pk" in columns and "fingerprint" not in columns
    db.close()
    assert a.run("host", "list")["slots"] == before
    db = sqlite3.connect(path)
    assert db.execute("PRAGMA user_version").fetchone() == (3,)
    names = {r[0] for r in db.execute("SELECT name FROM sqlite_schema")}
    assert "slot_1" not in names and "host_1" not in names
    db.close()
    out, cert = a.activate(Host(1).request(a, key))
    assert out["answer"] == "same" and cert == certs[0]
    assert a.activate(Host(3).request(a, key, 2))[0]["answer"] == "reactivation"
    assert a.run("key", "show", "1")["codes_wrong"] == 0
    a.run("audit", "verify")


@pytest.mark.parametrize("version", [0, 4])
def test_a_database_of_an_unknown_version_is_let_be(a, version):
    db = sqlite3.connect(os.path.join(a.dir, "authority.db"))
    db.execute(f"PRAGMA user_version = {version}")
    db.close()
    assert a.run("key", "list", rc=1)["error"]["code"] == "schema"
