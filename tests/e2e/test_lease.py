# SPDX-License-Identifier: MIT
"""Goal: a lease holds as the host signed it, here, and in no other form."""
import json
import os
import subprocess

import pytest

import demo

DESKTOP, SERVER = demo.DESKTOP, demo.SERVER


@pytest.fixture(scope="module")
def lease(site):
    for n in range(1, 6):
        answer = site.activate(n, SERVER)
    assert (answer["count"], answer["activated"]) == (5, True)
    return os.path.join(site.machine(5), "var/lib/muster/agent/leases",
                        SERVER + ".lease")


def verify(site, path, *more, root=None, key=None, catalogue=None):
    p = subprocess.run(
        [os.path.join(demo.BIN, "muster"), "verify", path,
         "--root", root or site.machine(5), "--catalogue", catalogue or site.catalogue,
         "--root-key", key or site.path("root.pub"), *more],
        capture_output=True, text=True, timeout=90)
    return p.returncode, p.stdout + p.stderr


def test_b35_a_lease_verifies_on_its_machine(site, lease):
    assert verify(site, lease)[0] == 0


def test_b35_a_copied_lease_does_not_hold(site, lease):
    code, text = verify(site, lease, root=site.machine(1))
    assert code == 3 and "machine" in text
    assert verify(site, lease, "--any-machine", root=site.machine(1))[0] == 0


def test_b34_another_root_key_is_refused(site, lease, tmp_path):
    other = tmp_path / "other.pub"
    other.write_text("d75a980182b10ab7d54bfed3c964073a"
                     "0ee172f3daa62325af021a68f707511a\n")
    assert verify(site, lease, key=str(other))[0] != 0


def test_b34_a_root_key_that_is_none(site, lease, tmp_path):
    """A file that is not there, what is no key, and the key among blanks."""
    key = tmp_path / "root.pub"
    assert verify(site, lease, key=str(key)) == (
        1, f"muster: {key}: not there\n  check the name; nothing was changed\n")
    for text in ("00" * 32, "ab" * 31, "zz" * 32):
        key.write_text(text + "\n")
        code, told = verify(site, lease, key=str(key))
        assert code == 1 and f"muster: {key}: " in told
        assert "the file holds the root public key in hex" in told
    with open(site.path("root.pub")) as f:
        key.write_text("  " + f.read().strip() + " \r\n\n")
    assert verify(site, lease, key=str(key)) == (0, "good; count 5\n")


def test_b34_a_catalogue_that_is_not_there(site, lease, tmp_path):
    code, told = verify(site, lease, "--json", catalogue=str(tmp_path / "none"))
    told = json.loads(told)["error"]
    assert (code, told["code"]) == (1, "noent") and str(tmp_path / "none") in told["message"]


@pytest.mark.parametrize("step", [7, pytest.param(1, marks=pytest.mark.long)])
def test_b34_each_flipped_byte_of_a_lease_fails(site, lease, tmp_path, step):
    data = open(lease, "rb").read()
    bad = tmp_path / "bad.lease"
    for i in range(0, len(data), step):
        bad.write_bytes(data[:i] + bytes([data[i] ^ 1]) + data[i + 1:])
        assert verify(site, str(bad))[0] in (1, 3), f"byte {i}"
    for cut in (0, 1, len(data) // 2, len(data) - 1):
        bad.write_bytes(data[:cut])
        assert verify(site, str(bad))[0] == 1
    bad.write_bytes(data + b"\0")
    assert verify(site, str(bad))[0] == 1


def test_b35_a_request_that_does_not_decode_is_named(site, lease, tmp_path):
    data = bytearray(open(lease, "rb").read())
    end = 16 + int.from_bytes(data[12:16], "big")  # after the argument bytes
    at = max(i for i in range(16, end) if data[i] != 0)
    data[at] = ord("!")  # of the machine's name
    bad = tmp_path / "bad.lease"
    bad.write_bytes(data)
    code, text = verify(site, str(bad), "--json")
    error = json.loads(text)["error"]
    assert code == 1 and error["code"] == "range" and error["next_step"]
    assert "request" in error["message"] and str(bad) in error["message"]


def test_b31_below_the_threshold_no_lease(site, lease):
    p = subprocess.run(
        [os.path.join(demo.BIN, "muster"), "activate", "--direct", "--root",
         site.machine(6), "--host", f"127.0.0.1:{site.port}", "--product",
         DESKTOP, "--json"], capture_output=True, text=True, timeout=90)
    answer = json.loads(p.stdout)
    assert p.returncode == 3 and not answer["activated"]
    assert answer["count"] == 6 and answer["threshold"] == 25
    assert not os.path.exists(os.path.join(
        site.machine(6), "var/lib/muster/agent/leases", DESKTOP + ".lease"))


def test_no_host_is_exit_5(site):
    p = subprocess.run(
        [os.path.join(demo.BIN, "muster"), "activate", "--direct", "--root",
         site.machine(7), "--host", "127.0.0.1:1", "--product", DESKTOP,
         "--json"], capture_output=True, text=True, timeout=90)
    assert p.returncode == 5
    assert "error" in json.loads(p.stdout)


@pytest.mark.parametrize("place, codes", [
    (0, {"proto"}), (0.5, {"sig"}), (-1, {"sig"}),
    (40, {"key", "sig"}),  # of the root key: may be one, or none
])
def test_a_catalogue_with_a_flipped_bit_is_refused(site, tmp_path, place,
                                                   codes):
    data = bytearray(open(site.catalogue, "rb").read())
    data[int(len(data) * place) if place == 0.5 else place] ^= 4
    bad = tmp_path / "bad.muster"
    bad.write_bytes(data)

    def muster(*args):
        p = subprocess.run([os.path.join(demo.BIN, "muster"), *args, "--root",
                            site.host_root, "--json"], capture_output=True,
                           text=True, timeout=90)
        return p.returncode, json.loads(p.stdout)

    def in_force():
        entries = muster("catalogue", "list")[1]["catalogues"]
        status = muster("host", "status")[1]["publishers"]
        return ([(c["path"], c["serial"]) for c in entries if c["in_force"]],
                [(p["id"], p["catalogue_serial"]) for p in status])

    before = in_force()
    assert len(before[0]) == len(before[1]) == 1
    status, answer = muster("catalogue", "install", str(bad))
    assert status == 1 and answer["error"]["code"] in codes
    assert answer["error"]["next_step"] and str(bad) in answer["error"]["message"]
    assert in_force() == before
