# SPDX-License-Identifier: MIT
"""Goal: who steals the root key's file pays for each passphrase that is tried;
what was sealed at another cost opens all the same."""
import json
import os
import struct
import subprocess

import pytest

from test_authority import BIN, BOTH, PRODUCTS, REPO, Authority

PROGRAM = os.path.join(BIN, "muster-authority")
PHRASE = b"correct horse battery staple\n"
MIB = 1 << 20
COSTS = {"interactive": (2, 64 * MIB), "moderate": (3, 256 * MIB),
         "sensitive": (4, 1024 * MIB)}  # libsodium's, of Argon2id


@pytest.fixture
def folder(tmp_path):
    os.mkdir(tmp_path / "vault")
    (tmp_path / "phrase").write_bytes(PHRASE)
    return tmp_path


def init(folder, *more, limit=None):
    words = [PROGRAM, "init", "--name", "Acme", "--root-key",
             str(folder / "vault/root.key"), "--passphrase-file",
             str(folder / "phrase"), "--dir", str(folder / "authority"),
             "--json", *more]
    if limit is not None:
        words = ["sh", "-c", 'ulimit -v $1; shift; exec "$@"', "sh",
                 str(limit), *words]
    p = subprocess.run(words, capture_output=True, text=True, timeout=480)
    return p.returncode, json.loads(p.stdout)


def cost_of(folder):
    data = (folder / "vault/root.key").read_bytes()
    assert data[:8] == b"MUSTERK1"
    return struct.unpack(">QQ", data[8:24])


def sign(folder, key):
    """A catalogue of this root key, whoever's database prepared it."""
    prepared, conf = folder / "prepared.json", folder / "products.conf"
    conf.write_text(PRODUCTS.format(BOTH))
    if not prepared.exists():
        subprocess.run([PROGRAM, "catalogue", "prepare", "-o", str(prepared),
                        "--dir", str(folder / "authority")], check=True,
                       capture_output=True, timeout=240)
    facts = json.loads(prepared.read_text())
    facts["root_public_key"] = key.read_bytes()[40:72].hex()
    prepared.write_text(json.dumps(facts))
    p = subprocess.run(
        [PROGRAM, "catalogue", "sign", "--root-key", str(key),
         "--passphrase-file", str(folder / "phrase"), "--prepared",
         str(prepared), str(conf), "-o", str(folder / "acme.muster"),
         "--json"], capture_output=True, text=True, timeout=480)
    return p.returncode, json.loads(p.stdout)


def test_the_usual_cost_is_moderate(folder):
    assert init(folder)[0] == 0
    assert cost_of(folder) == COSTS["moderate"]
    assert sign(folder, folder / "vault/root.key")[0] == 0
    (folder / "phrase").write_bytes(b"another\n")
    (folder / "acme.muster").unlink()
    code, out = sign(folder, folder / "vault/root.key")
    assert (code, out["error"]["code"]) == (1, "wrong_passphrase")


def test_a_file_of_a_lower_cost_opens(folder):
    assert init(folder, "--seal-cost", "interactive")[0] == 0
    assert cost_of(folder) == COSTS["interactive"]
    with open(os.path.join(REPO, "tests/vectors/root-key.txt")) as f:
        text = "".join(line for line in f if line[0] != "#")
    old = folder / "vault/old.key"
    old.write_bytes(bytes.fromhex(text))
    assert struct.unpack(">QQ", old.read_bytes()[8:24]) == COSTS["interactive"]
    assert sign(folder, old)[0] == 0


@pytest.mark.bare
def test_a_seal_cost_that_is_too_much_is_told(folder):
    """1 GiB, of less; nothing stays behind, and a lower one is named."""
    code, out = init(folder, "--seal-cost", "sensitive", limit=600 * 1024)
    assert (code, out["error"]["code"]) == (1, "nomem")
    assert "1024 MiB" in out["error"]["message"]
    assert "--seal-cost" in out["error"]["next_step"]
    assert os.listdir(folder / "vault") == []
    assert init(folder, "--seal-cost", "moderate", limit=600 * 1024)[0] == 0


def test_a_cost_that_is_none(folder):
    for name in ("", "Moderate", "min", "3"):
        code, out = init(folder, "--seal-cost", name)
        assert (code, out["error"]["code"]) == (2, "bad_cost")
    assert os.listdir(folder / "vault") == []


def test_a_file_that_asks_for_more_is_refused(folder):
    a = Authority(folder / "vault")
    key = folder / "vault/big.key"
    data = open(a.root_key, "rb").read()
    (folder / "authority").symlink_to(a.dir)
    for ops, memory in ((17, 64 * MIB), (2, 1025 * MIB), (0, 64 * MIB),
                        (2, 8191)):
        key.write_bytes(data[:8] + struct.pack(">QQ", ops, memory) + data[24:])
        code, out = sign(folder, key)
        assert (code, out["error"]["code"]) == (1, "range")
