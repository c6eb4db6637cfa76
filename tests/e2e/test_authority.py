# SPDX-License-Identifier: MIT
"""The authority as its operator meets it: keys, slots, refusals, the log.

Requests are made here from the protocol's text, not by the project's code.
"""
import concurrent.futures
import ctypes
import hashlib
import json
import os
import sqlite3
import struct
import subprocess

import pytest

import made_once

REPO = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
BIN = os.environ.get("MUSTER_BIN", os.path.join(REPO, "build/stage/usr/bin"))
SODIUM = ctypes.CDLL("libsodium.so.23")
DESKTOP = "5b0c1a52-7d7e-4b8e-9a51-0d3f5c7a1e01"
SERVER = "5b0c1a52-7d7e-4b8e-9a51-0d3f5c7a1e02"
ALPHABET = "0123456789ABCDEFGHJKMNPQRSTVWXYZ"
PRODUCTS = """
groups = ( {{ number = 1; name = "Acme systems"; }} );
products = ( {} );
"""
PRODUCT = '{{ id = "{}"; name = "{}"; group = 1; class = "{}"; }}'
BOTH = ", ".join([PRODUCT.format(DESKTOP, "Acme Desktop", "desktop"),
                  PRODUCT.format(SERVER, "Acme Server", "server")])


def label(text):
    return text.encode().ljust(16, b"\0")


def blake(data, size=32, key=b""):
    return hashlib.blake2b(data, digest_size=size, key=key).digest()


class Host:
    """A machine with an identity key, made from a seed."""

    def __init__(self, n, name=None):
        self.name = (name or f"kms{n}.example").encode()
        self.pk = ctypes.create_string_buffer(32)
        self.sk = ctypes.create_string_buffer(64)
        SODIUM.crypto_sign_seed_keypair(self.pk, self.sk, blake(b"host %d" % n))

    def request(self, a, key, counter=1, replaces=0, publisher=None,
                number=None):
        value = 0
        for c in key.replace("-", ""):
            value = value << 5 | ALPHABET.index(c)
        keyno = (value >> 90) & 0xffffffff
        secret = ((value >> 16) & (1 << 74) - 1).to_bytes(10, "big")
        publisher = publisher or a.publisher
        pk = blake(label("muster/hkey/1") + publisher +
                   struct.pack(">I", keyno) + secret)
        name = struct.pack(">I", len(self.name)) + self.name
        name += bytes(-len(name) % 4)
        body = (publisher + struct.pack(">I", number or keyno) +
                self.pk.raw + struct.pack(">II", counter, replaces) + name)
        proof = blake(label("muster/proof/1") + body, key=pk)
        text = label("muster/enrol/1") + body + proof
        sig = ctypes.create_string_buffer(64)
        SODIUM.crypto_sign_detached(sig, None, text,
                                    ctypes.c_ulonglong(len(text)), self.sk)
        return b"MUSTERE1" + struct.pack(">I", 1) + body + proof + sig.raw


class Authority:
    def __init__(self, folder, which="the one"):
        self.folder = str(folder)
        self.dir = self.path("authority")
        self.root_key = self.path("vault", "root.key")
        self.phrase = self.path("vault", "passphrase")
        out = made_once.copy(("authority", which), self.folder,
                             self.init)
        self.publisher = bytes.fromhex(out["publisher_id"])
        self.root_pk = bytes.fromhex(out["root_public_key"])

    def init(self, folder):
        """In another folder; what the command says."""
        vault = os.path.join(folder, "vault")
        phrase = os.path.join(vault, "passphrase")
        os.mkdir(vault)
        self.write(phrase, b"correct horse battery staple\n")
        return self.run("init", "--dir", os.path.join(folder, "authority"),
                        "--name", "Acme", "--root-key",
                        os.path.join(vault, "root.key"), "--passphrase-file",
                        phrase, "--contact", "call +1 555 0100",
                        "--seal-cost", "interactive", where=False)

    def path(self, *names):
        return os.path.join(self.folder, *names)

    @staticmethod
    def write(path, data):
        with open(path, "wb") as f:
            f.write(data)
        return path

    def run(self, *args, rc=0, where=True):
        cmd = [os.path.join(BIN, "muster-authority"), *args, "--json"]
        if where:
            cmd += ["--dir", self.dir]
        p = subprocess.run(cmd, capture_output=True, text=True, timeout=240)
        assert p.returncode == rc, (args, p.stdout, p.stderr)
        return json.loads(p.stdout)

    def sign(self, products=BOTH, *more, rc=0, prepare=True, out="acme.muster"):
        prepared = self.path("prepared.json")
        if prepare:
            self.run("catalogue", "prepare", "-o", prepared)
        conf = self.write(self.path("products.conf"),
                          PRODUCTS.format(products).encode())
        args = {"--root-key": self.root_key, "--passphrase-file": self.phrase}
        args.update(zip(more[::2], more[1::2]))
        flat = [x for pair in args.items() for x in pair if x != ""]
        return self.run("catalogue", "sign", *flat, "--prepared", prepared,
                        conf, "-o", self.path(out), rc=rc, where=False)

    def issue(self, *more):
        return self.run("key", "issue", "--level", "1", "--customer",
                        "St Elsewhere", *more)["key"]

    def activate(self, request, rc=0, tag="x"):
        f = self.write(self.path(f"{tag}.request"), request)
        cert = self.path(f"{tag}.cert")
        out = self.run("activate", "--file", f, "-o", cert, rc=rc)
        if rc == 0:
            with open(cert, "rb") as c:
                return out, c.read()
        return out["error"]


@pytest.fixture
def a(tmp_path):
    return Authority(tmp_path)


def check_cert(a, cert, slot, activation, host):
    assert len(cert) == 120
    key, s, act, zero, z2, lines, level = struct.unpack(">IBBHHBB", cert[:12])
    assert (s, act, zero, z2, lines, level) == (slot, activation, 0, 0, 1, 1)
    assert cert[20:52] == host.pk.raw
    with open(a.path("prepared.json")) as f:
        issuer = bytes.fromhex(json.load(f)["issuers"][0]["public_key"])
    text = (label("muster/cert/1") + a.publisher + cert[:20] +
            blake(host.pk.raw)[:16] + cert[52:56])
    assert SODIUM.crypto_sign_verify_detached(
        cert[56:], text, ctypes.c_ulonglong(len(text)), issuer) == 0


def test_a_program_without_pytest_has_an_authority_too(tmp_path, monkeypatch):
    """durability.py, faults.py and others, with nobody to make it before."""
    monkeypatch.setattr(made_once, "folder", None)
    monkeypatch.setattr(made_once, "made", {})
    a = Authority(tmp_path / "s")
    assert os.path.exists(a.root_key) and len(a.publisher) == 16


def test_init_keeps_root_key_apart_and_secrets_private(a):
    for name in ("issuing.key", "seal.key", "authority.db"):
        assert os.stat(os.path.join(a.dir, name)).st_mode & 0o777 == 0o600
    assert os.stat(a.root_key).st_mode & 0o777 == 0o600
    assert blake(a.root_pk)[:16] == a.publisher
    inside = os.path.join(a.dir, "root.key")
    e = a.run("init", "--name", "X", "--root-key", inside,
              "--passphrase-file", a.phrase, rc=1)
    assert e["error"]["code"] == "root_key_inside"
    e = a.run("init", "--name", "X", "--root-key", a.path("vault", "r2"),
              "--passphrase-file", a.phrase, rc=1)
    assert e["error"]["code"] == "exist"
    assert not os.path.exists(a.path("vault", "r2"))


def test_init_never_writes_over_a_root_key(a):
    with open(a.root_key, "rb") as f:
        before = f.read()
    e = a.run("init", "--name", "X", "--root-key", a.root_key,
              "--passphrase-file", a.phrase, "--dir", a.path("b"), rc=1,
              where=False)
    assert e["error"]["code"] == "exist"
    with open(a.root_key, "rb") as f:
        assert f.read() == before
    assert os.listdir(a.path("b")) == []


def test_sign_prints_setup_keys_and_writes_them(a):
    out = a.sign()
    keys = [p["setup_key"] for p in out["products"]]
    with open(a.path("acme.key")) as f:
        assert f.read().split() == keys
    assert len(set(keys)) == 2
    with open(a.path("acme.muster"), "rb") as f:
        data = f.read()
    text = label("muster/cat/1") + a.publisher + blake(data[:-64])
    assert SODIUM.crypto_sign_verify_detached(
        data[-64:], text, ctypes.c_ulonglong(len(text)), a.root_pk) == 0
    again = a.sign()
    assert [p["setup_key"] for p in again["products"]] == keys
    assert again["serial"] == out["serial"] + 1


def test_sign_refuses_a_wrong_passphrase(a):
    bad = a.write(a.path("bad"), b"incorrect\n")
    e = a.sign(BOTH, "--passphrase-file", bad, rc=1)
    assert e["error"]["code"] == "wrong_passphrase"
    assert not os.path.exists(a.path("acme.muster"))


def test_sign_refuses_to_drop_a_product(a):
    a.sign()
    one = PRODUCT.format(DESKTOP, "Acme Desktop", "desktop")
    e = a.sign(one, rc=1)
    assert e["error"]["code"] == "drops_product"
    assert "Acme Server" in e["error"]["message"]
    a.sign(one, "--drop", "")


def test_sign_knows_the_imported_catalogue_under_any_name(a):
    a.sign()
    a.run("catalogue", "import", a.path("acme.muster"))
    one = PRODUCT.format(DESKTOP, "Acme Desktop", "desktop")
    e = a.sign(one, rc=1, out="other.muster")
    assert e["error"]["code"] == "drops_product"
    assert "Acme Server" in e["error"]["message"]
    assert not os.path.exists(a.path("other.muster"))
    a.sign(one, "--drop", "", prepare=False, out="other.muster")
    # a file that an older program prepared has no such list
    with open(a.path("prepared.json")) as f:
        prepared = json.load(f)
    for last in (None, {"issuers": [], "products": [{"id": "x", "name": "A"}]},
                 {"issuers": 1, "products": []}):
        prepared["last"] = last
        if last is None:
            del prepared["last"]
        a.write(a.path("prepared.json"), json.dumps(prepared).encode())
        out = a.sign(one, prepare=False, rc=last is not None, out="third.muster")
        assert last is None or out["error"]["code"]


def revocations(a, rows):
    db = sqlite3.connect(os.path.join(a.dir, "authority.db"))
    db.executemany("INSERT INTO revocation VALUES(?, ?, ?, ?)", rows)
    db.commit()
    db.close()


def prepared(a):
    with open(a.path("prepared.json")) as f:
        return [tuple(r.values()) for r in json.load(f)["revocations"]]


def test_b45_what_a_wider_revocation_says_takes_no_room(a):
    narrow = [(1, 1, 1, 50), (1, 1, 2, 50), (1, 2, 1, 50), (2, 1, 1, 50)]
    revocations(a, narrow)
    a.run("catalogue", "prepare", "-o", a.path("prepared.json"))
    assert sorted(prepared(a)) == sorted(narrow)
    revocations(a, [(1, 1, 0, 50), (2, 0, 0, 60)])
    a.run("catalogue", "prepare", "-o", a.path("prepared.json"))
    # one as of a later day does not stand for an earlier one
    assert sorted(prepared(a)) == [(1, 1, 0, 50), (1, 2, 1, 50), (2, 0, 0, 60),
                                   (2, 1, 1, 50)]
    revocations(a, [(1, 0, 0, 0)])
    a.run("catalogue", "prepare", "-o", a.path("prepared.json"))
    assert sorted(prepared(a)) == [(1, 0, 0, 0), (2, 0, 0, 60), (2, 1, 1, 50)]


def test_b45_a_catalogue_full_of_revocations_says_so(a):
    revocations(a, [(1 + n // 200, 1 + n % 200, 1, 9) for n in range(3073)])
    cmd = [os.path.join(BIN, "muster-authority"), "catalogue", "prepare", "-o",
           a.path("prepared.json"), "--dir", a.dir]
    p = subprocess.run(cmd, capture_output=True, text=True, timeout=240)
    assert p.returncode == 0 and "3073 of the 4096" in p.stderr
    revocations(a, [(1000 + n // 200, 1 + n % 200, 1, 9) for n in range(1024)])
    e = a.run("catalogue", "prepare", "-o", a.path("prepared.json"), rc=1)
    assert e["error"]["code"] == "revocations_full"
    revocations(a, [(1, 0, 0, 9)])
    out = a.run("catalogue", "prepare", "-o", a.path("prepared.json"))
    assert out["revocations"] == 3073 + 1024 - 200 + 1
    a.sign()  # and it is a catalogue


def test_sign_refuses_an_old_serial(a):
    a.sign()
    e = a.sign(prepare=False, rc=1)
    assert e["error"]["code"] == "serial_old"


@pytest.mark.parametrize("products,word", [
    ('{ id = "x"; name = "A"; group = 1; class = "server"; }', "UUID"),
    (PRODUCT.format(DESKTOP, "A", "laptop"), "class"),
    (PRODUCT.format(DESKTOP, "A", "server").replace("1;", "2;"), "group 2"),
    (BOTH.replace(SERVER, DESKTOP), "twice"),
    (PRODUCT.format(DESKTOP, "A", "server").replace(
        "group", "threshhold = 3; group"), "threshhold"),
    (PRODUCT.format(DESKTOP, "A", "server").replace(
        "group", "threshold = 0; group"), "threshold"),
    (PRODUCT.format(DESKTOP, "A", "server").replace(
        "group", "line = 8; group"), "line"),
])
def test_sign_names_what_is_wrong_in_products(a, products, word):
    e = a.sign(products, rc=1)["error"]
    assert e["code"] == "bad_products"
    assert word in e["message"] and " line 3" in e["message"]


def test_import_takes_newer_refuses_older_and_foreign(a, tmp_path):
    a.sign(out="one.muster")
    a.sign(out="two.muster")
    assert a.run("catalogue", "import", a.path("two.muster"))["serial"] == 2
    assert a.run("catalogue", "import", a.path("two.muster"))["serial"] == 2
    e = a.run("catalogue", "import", a.path("one.muster"), rc=1)
    assert e["error"]["code"] == "serial"
    with open(a.path("two.muster"), "rb") as f:
        data = bytearray(f.read())
    data[40] ^= 1
    e = a.run("catalogue", "import", a.write(a.path("bad"), data), rc=1)
    assert e["error"]["code"] == "publisher"
    os.mkdir(a.path("other"))
    b = Authority(a.path("other"), "another")
    b.sign()
    e = a.run("catalogue", "import", b.path("acme.muster"), rc=1)
    assert e["error"]["code"] == "publisher"


def test_key_is_printed_once_and_kept_nowhere(a):
    key = a.issue()
    value = 0
    for c in key.replace("-", ""):
        value = value << 5 | ALPHABET.index(c)
    secret = ((value >> 16) & (1 << 74) - 1).to_bytes(10, "big")
    pk = blake(label("muster/hkey/1") + a.publisher + struct.pack(">I", 1) +
               secret)
    for name in os.listdir(a.dir):
        with open(os.path.join(a.dir, name), "rb") as f:
            data = f.read()
        assert key.encode() not in data and secret not in data
        assert pk not in data
    assert key not in json.dumps(a.run("key", "list"))


def test_b41_six_hosts_then_the_seventh_refused(a):
    a.sign()
    key = a.issue()
    for n in range(1, 7):
        h = Host(n)
        out, cert = a.activate(h.request(a, key))
        assert (out["answer"], out["slot"], out["hosts_used"]) == ("new", n, n)
        check_cert(a, cert, n, 1, h)
    e = a.activate(Host(7).request(a, key), rc=1)
    assert e["code"] == "hosts_used_up"
    assert "6 of 6" in e["message"] and "call +1 555 0100" in e["next_step"]
    # b42: the exception.
    a.run("key", "grant", "1", "--hosts", "7")
    assert a.activate(Host(7).request(a, key))[0]["slot"] == 7
    assert len(a.run("host", "list")["slots"]) == 7


def test_b41_retry_same_reactivation_counted_then_refused(a):
    key, h = a.issue(), Host(1)
    first = a.activate(h.request(a, key))[1]
    for _ in range(3):
        out, cert = a.activate(h.request(a, key))
        assert out["answer"] == "same" and cert == first
    for n in range(1, 10):
        out, _ = a.activate(h.request(a, key, counter=1 + n))
        assert (out["answer"], out["reactivations_used"]) == (
            "reactivation", n)
    e = a.activate(h.request(a, key, counter=11), rc=1)
    assert e["code"] == "reactivations_used_up"
    assert "9 of 9" in e["message"]
    e = a.activate(h.request(a, key, counter=3), rc=1)
    assert e["code"] == "counter_old"


def test_b41_replaces_revokes_the_old_certificate(a):
    a.sign()
    key, new = a.issue(), Host(2)
    a.activate(Host(1).request(a, key))
    out, cert = a.activate(new.request(a, key, replaces=1))
    assert (out["answer"], out["slot"], out["activation"]) == (
        "replacement", 1, 2)
    check_cert(a, cert, 1, 2, new)
    a.run("catalogue", "prepare", "-o", a.path("prepared.json"))
    with open(a.path("prepared.json")) as f:
        revoked = json.load(f)["revocations"]
    assert [(r["key_number"], r["slot"], r["activation"])
            for r in revoked] == [(1, 1, 1)]
    assert revoked[0]["day"] > 0


def test_b41_limits_are_atomic_under_concurrency(a):
    key = a.issue()
    asks = [(n, Host(n).request(a, key)) for n in range(1, 13)] * 2

    def one(i):
        n, request = asks[i]
        f = a.write(a.path(f"c{i}.request"), request)
        p = subprocess.run(
            [os.path.join(BIN, "muster-authority"), "activate", "--dir", a.dir,
             "--file", f, "-o", a.path(f"c{i}.cert"), "--json"],
            capture_output=True, text=True, timeout=240)
        return n, p.returncode, json.loads(p.stdout)

    with concurrent.futures.ThreadPoolExecutor(12) as pool:
        results = list(pool.map(one, range(len(asks))))
    good = {n for n, rc, _ in results if rc == 0}
    assert len(good) == 6
    for n, rc, out in results:
        assert (rc == 0) == (n in good)
        if rc != 0:
            assert out["error"]["code"] == "hosts_used_up"
    answers = [out["answer"] for _, rc, out in results if rc == 0]
    assert sorted(answers) == ["new"] * 6 + ["same"] * 6
    a.run("audit", "verify")


def test_unknown_number_and_wrong_proof_are_one_answer(a):
    key, h = a.issue(), Host(1)
    swap = "Z" if key[12] != "Z" else "Y"
    wrong = a.activate(h.request(a, key[:12] + swap + key[13:]), rc=1)
    unknown = a.activate(h.request(a, key, number=99), rc=1)
    assert wrong == unknown
    assert wrong["code"] == "key_unknown"
    assert a.run("host", "list")["slots"] == []


def test_foreign_truncated_and_flipped_requests_change_nothing(a):
    key, h = a.issue(), Host(1)
    e = a.activate(h.request(a, key, publisher=bytes(16)), rc=1)
    assert e["code"] == "publisher"
    good = h.request(a, key)
    for bad in (b"", good[:-1], good + b"\0", good[:50]):
        a.activate(bad, rc=1)
    for i in range(0, len(good), 7):
        flipped = bytearray(good)
        flipped[i] ^= 1
        a.activate(bytes(flipped), rc=1)
    assert a.run("host", "list")["slots"] == []
    assert a.activate(good)[0]["answer"] == "new"


def test_b45_release_frees_the_slot_with_the_next_catalogue(a):
    a.sign()
    key = a.issue("--hosts", "1", "--releases", "1")
    a.activate(Host(1).request(a, key))
    assert a.run("host", "release", "1", "1", rc=2)["error"]["code"] == \
        "not_confirmed"
    a.run("host", "release", "1", "1", "--yes")
    assert a.activate(Host(2).request(a, key), rc=1)["code"] == "hosts_used_up"
    a.sign()
    a.run("catalogue", "import", a.path("acme.muster"))
    out, _ = a.activate(Host(2).request(a, key))
    assert (out["slot"], out["activation"]) == (1, 2)
    e = a.run("host", "release", "1", "1", "--yes", rc=1)
    assert e["error"]["code"] == "releases_used_up"


def test_b45_revoked_key_is_refused(a):
    key = a.issue()
    a.activate(Host(1).request(a, key))
    a.run("key", "revoke", "1", "--yes")
    e = a.activate(Host(1).request(a, key, counter=2), rc=1)
    assert e["code"] == "key_revoked"


def test_b46_audit_finds_rewritten_and_cut_logs(a):
    key = a.issue()
    a.activate(Host(1).request(a, key))
    a.sign()
    cat = a.path("acme.muster")
    n = a.run("audit", "verify", "--catalogue", cat)["entries"]
    assert n == 4
    db = sqlite3.connect(os.path.join(a.dir, "authority.db"))
    with pytest.raises(sqlite3.IntegrityError):
        db.execute("DELETE FROM audit WHERE number = 1")
    with pytest.raises(sqlite3.IntegrityError):
        db.execute("UPDATE audit SET act = 'x' WHERE number = 1")
    db.executescript("DROP TRIGGER audit_stays; DROP TRIGGER audit_holds")
    db.execute("DELETE FROM audit WHERE number = 4")
    db.commit()
    a.run("audit", "verify")
    e = a.run("audit", "verify", "--catalogue", cat, rc=1)
    assert e["error"]["code"] == "audit_cut"
    # one that was imported is looked at without being named
    with open(cat, "rb") as f:
        db.execute("INSERT INTO catalogue VALUES(1, 1, ?)", (f.read(),))
    db.commit()
    e = a.run("audit", "verify", rc=1)
    assert e["error"]["code"] == "audit_cut"
    assert "serial 1" in e["error"]["message"]
    db.execute("UPDATE audit SET detail = '{}' WHERE number = 3")
    db.commit()
    db.close()
    e = a.run("audit", "verify", rc=1)
    assert e["error"]["code"] == "audit_broken"
    assert "after entry 2" in e["error"]["message"]


def test_b46_an_export_can_be_checked_by_anybody(a):
    """By the description in audit.h and nothing of this program."""
    a.activate(Host(1).request(a, a.issue()))
    a.sign()

    def export(rc=0):
        p = subprocess.run([os.path.join(BIN, "muster-authority"), "audit",
                            "export", "--dir", a.dir],
                           capture_output=True, text=True, timeout=90)
        assert p.returncode == rc, p.stderr
        return [(json.loads(line), line) for line in p.stdout.splitlines()], p

    def xdr(data):
        return struct.pack(">I", len(data)) + data + bytes(-len(data) % 4)

    entries = export()[0]
    assert [e["act"] for e, _ in entries] == [
        "init", "key.issue", "host.activate", "catalogue.prepare",
        "catalogue.import"][:len(entries)]
    assert len(entries) >= 4
    before = bytes(32)
    for n, (e, line) in enumerate(entries, 1):
        detail = line.split('"detail":')[1].rsplit(',"previous"')[0].encode()
        assert json.loads(detail) == e["detail"] and e["number"] == n
        text = b"muster/audit/1\0\0" + struct.pack(
            ">Qq", n, e["at_unix_s"]) + before + xdr(e["act"].encode()) + \
            xdr(detail)
        before = hashlib.blake2b(text, digest_size=32).digest()
        assert e["hash"] == before.hex()
    # a changed row is exported as well, and said
    db = sqlite3.connect(os.path.join(a.dir, "authority.db"))
    db.executescript("DROP TRIGGER audit_holds")
    db.execute("UPDATE audit SET at = at + 1 WHERE number = 2")
    db.commit()
    db.close()
    changed, p = export(rc=1)
    assert len(changed) == len(entries)
    assert "breaks after entry 1" in p.stderr


def test_usage_errors_exit_2_and_are_json(a):
    for args in (["frob"], ["key", "issue"], ["key", "list", "--level", "1"],
                 ["key", "show", "x"], ["--bogus"],
                 ["key", "issue", "--level", "256", "--customer", "c"],
                 ["key", "issue", "--level", "1", "--customer", "c",
                  "--lines", "8"]):
        e = a.run(*args, rc=2)["error"]
        assert set(e) == {"code", "message", "next_step"}
