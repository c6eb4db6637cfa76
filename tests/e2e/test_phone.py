# SPDX-License-Identifier: MIT
"""Goal: a host without a network is activated by telephone or by QR code; a
slip of the tongue is named in its group at once, and no wrong code gets in."""
import codecs
import json
import os
import pty
import re
import select
import sqlite3
import subprocess
import time

import pytest

import demo
import faked_time
import phonecode
from test_admin import error, install, muster, status

WAIT_S = 60  # for a prompt
AUTHORITY = os.path.join(demo.BIN, "muster-authority")


@pytest.fixture()
def bare(tmp_path):
    """A site whose host runs, with a key and no certificate."""
    s = demo.Site(str(tmp_path))
    s.publish()
    s.start()
    install(s, s.host_key)
    yield s
    s.stop()


class Terminal:
    """A person at a pseudo-terminal."""

    def __init__(self, site, *args, env=None):
        self.master, slave = pty.openpty()
        self.p = subprocess.Popen(
            [os.path.join(demo.BIN, "muster"), *args, "--root",
             site.host_root], stdin=slave, stdout=slave, stderr=slave, env=env)
        os.close(slave)
        self.seen = ""
        self.decode = codecs.getincrementaldecoder("utf-8")().decode

    def read(self, until=None):
        """What is on the screen up to a text, or up to the end."""
        end = time.monotonic() + WAIT_S
        while until is None or until not in self.seen:
            left = end - time.monotonic()
            assert left > 0, (until, self.seen)
            if not select.select([self.master], [], [], left)[0]:
                continue
            try:
                more = os.read(self.master, 4096)
            except OSError:  # the other side is closed
                more = b""
            if not more:
                assert until is None, (until, self.seen)
                break
            self.seen += self.decode(more)
        at = len(self.seen) if until is None else \
            self.seen.index(until) + len(until)
        out, self.seen = self.seen[:at], self.seen[at:]
        return out

    def type(self, text):
        os.write(self.master, text.encode())

    def end(self):
        out = self.read()
        os.close(self.master)
        return self.p.wait(timeout=WAIT_S), out


def authority(site, *args, rc=0):
    p = subprocess.run([AUTHORITY, "activate", *args, "--dir",
                        site.path("authority"), "--json"],
                       capture_output=True, text=True, timeout=90)
    assert p.returncode == rc, (p.stdout, p.stderr)
    out = json.loads(p.stdout)
    return out["error"] if rc else out


def printed(site, *more):
    """The installation ID as a person reads it off the screen."""
    t = Terminal(site, "host", "activate", "--offline", *more)
    rc, out = t.end()
    assert rc == 0, out
    groups = re.findall(r"\b(\d+): (\d{7})\b", out)
    assert [int(n) for n, _ in groups] == list(range(1, 11))
    return [g for _, g in groups], out


def called(site, groups, *more):
    out = authority(site, "--installation-id", " ".join(groups), *more)
    return out["confirmation_id"].split("-")


def confirm(site, groups, *more, text=None):
    return muster(site, "host", "confirm", *groups, *more, text=text)


def prompt(n):
    return f"group {n} of 30: "


def test_b40_the_telephone_story(bare):
    out = printed(bare)[1]
    groups = printed(bare)[0]  # once more: the same request
    assert all(g in out for g in groups)
    answer = called(bare, groups)
    swapped = answer[11][1] + answer[11][0] + answer[11][2:]
    if swapped == answer[11]:
        swapped = answer[11][:-2] + answer[11][-1] + answer[11][-2]
    slips = {5: [str((int(answer[4][0]) + 1) % 10) + answer[4][1:]],
             7: [answer[6] + answer[6][-1], answer[6][:-1]],
             12: [swapped], 20: [answer[20]], 21: [answer[19]], 30: ["12"]}
    t = Terminal(bare, "host", "confirm")
    for n, right in enumerate(answer, 1):
        t.read(prompt(n))
        for wrong in slips.get(n, []):
            if wrong == right:
                continue
            t.type(wrong + "\n")
            said = t.read(prompt(n))
            assert f"group {n} is not right" in said, said
            assert ("two are swapped" if len(wrong) == 7 else
                    f"{len(wrong)} digits instead of 7") in said
        t.type(f"{right[:3]} {right[3:]}\n" if n % 2 else right + "\n")
    rc, said = t.end()
    assert rc == 0 and "the host is activated" in said, said
    assert status(bare)["activated"]
    assert bare.activate(1, demo.SERVER)["count"] == 1


def test_b40_pasted_and_corrected_with_backspace(bare):
    answer = called(bare, printed(bare)[0])
    t = Terminal(bare, "host", "confirm")
    t.read(prompt(1))
    t.type(" ".join(answer[:12]) + "\n")
    t.read(prompt(13))
    bad = answer[12:20] + [answer[21], answer[20]] + answer[22:]
    t.type("-".join(bad) + "\n")
    assert "group 21 is not right" in t.read(prompt(21))
    t.type("\n")  # nothing typed is no mistake
    said = t.read(prompt(21))
    assert "not right" not in said
    t.type(answer[20][:6] + "x\x7f" + answer[20][6] + "\n")
    t.read(prompt(22))
    t.type("\n")
    t.read(prompt(22))
    t.type(" ".join(answer[21:]) + "\n")
    rc, said = t.end()
    assert rc == 0 and "the host is activated" in said, said


def test_b40_broken_off_changes_nothing(bare):
    answer = called(bare, printed(bare)[0])
    t = Terminal(bare, "host", "confirm")
    t.read(prompt(1))
    t.type(answer[0] + "\n")
    t.read(prompt(2))
    t.type("\x04")
    rc, said = t.end()
    assert rc == 1 and "after 1 of 30" in said and "nothing was changed" in said
    assert not status(bare)["activated"]


@pytest.mark.parametrize("how", ["words", "one", "input", "dash"])
def test_b40_all_at_once(bare, how):
    answer = called(bare, printed(bare)[0])
    bad = answer[:6] + [answer[7], answer[6]] + answer[8:]
    longer = [g + "0" if n == 7 else g for n, g in enumerate(answer, 1)]
    for groups, rc in ((bad, 1), (longer, 1), (answer[:29], 1), (answer, 0)):
        text = "\n".join(groups) + "\n"
        got = {"words": lambda: confirm(bare, groups),
               "one": lambda: confirm(bare, ["-".join(groups)]),
               "input": lambda: confirm(bare, [], text=text),
               "dash": lambda: confirm(bare, ["-"], text=text)}[how]()
        assert got[0] == rc, got
        if rc:
            e = got[1]["error"]
            assert e["code"] == "code_mistyped"
            n = 30 if groups == answer[:29] else 7
            assert ("8 digits instead of 7" in e["message"]) == \
                (groups is longer)
            assert f"group {n} of 30" in e["message"]
    assert status(bare)["activated"]


def test_b40_used_foreign_and_altered_codes(bare, tmp_path):
    answer = called(bare, printed(bare)[0])
    code = bytearray(phonecode.decode(answer, 73))
    # altered, with check digits that are right
    for at in (0, 1, 3, 5, 9, 72):
        code[at] ^= 1
        got = confirm(bare, phonecode.encode(bytes(code)))
        assert error(got) == "confirmation_other", at
        code[at] ^= 1
    code[4] = 9
    got = confirm(bare, phonecode.encode(bytes(code)))
    assert error(got) == "certificate_issuer"
    assert not status(bare)["activated"]
    # for another host with the same key
    os.mkdir(tmp_path / "other")
    other = demo.Site(str(tmp_path / "other"))
    other.catalogue, other.host_key = bare.catalogue, bare.host_key
    other.start()
    try:
        assert error(confirm(other, answer)) == "no_key"
        install(other, other.host_key)
        assert error(confirm(other, answer)) == "confirmation_other"
        assert not status(other)["activated"]
    finally:
        other.stop()
    # ten apart: no check digit tells, the signature does
    bad = list(answer)
    bad[14], bad[24] = bad[24], bad[14]
    assert error(confirm(bare, bad)) == "confirmation_other"
    # the right one, and once more
    rc, out = confirm(bare, answer)
    assert (rc, out["activated"], out["already"]) == (0, True, False)
    rc, out = confirm(bare, answer)
    assert (rc, out["activated"], out["already"]) == (0, True, True)
    # a publisher that is not there
    assert error(confirm(bare, answer, "--publisher", "Nobody"))


def test_b40_the_key_installed_again_gives_up_the_open_request(bare):
    """What doc/host.md says of an answer that has ended."""
    first = printed(bare)[0]
    assert printed(bare)[0] == first
    install(bare, bare.host_key)
    second = printed(bare)[0]
    assert second != first
    assert confirm(bare, called(bare, second))[0] == 0
    assert status(bare)["activated"]


def test_b40_codes_of_another_counter(bare):
    first = printed(bare)[0]
    confirm(bare, called(bare, first))
    second = printed(bare)[0]
    assert first != second
    # the number of the request altered, and its check digits made to fit
    forged = bytearray(phonecode.decode(second, 24))
    forged[20] += 1
    e = authority(bare, "--installation-id",
                  "-".join(phonecode.encode(bytes(forged))), rc=1)
    assert e["code"] == "key_unknown"
    out = authority(bare, "--installation-id", "-".join(second))
    assert (out["answer"], out["reactivations_used"]) == ("reactivation", 1)
    e = authority(bare, "--installation-id", "-".join(first), rc=1)
    assert e["code"] == "counter_old"
    assert confirm(bare, out["confirmation_id"].split("-"))[0] == 0


@pytest.mark.bare
def test_b40_an_answer_to_an_earlier_request_is_old(bare):
    """The authority's clock makes the days; musterd's own is today's."""
    demo.run("muster", "host", "activate", "--offline", "--file",
             bare.path("old"), "--root", bare.host_root)
    with open(bare.path("old"), "rb") as f:
        request = f.read()
    bare.stop()
    # an issuing key begins on the day it was made: let it begin earlier
    _backdate(bare)
    p = subprocess.run([*faked_time.at("-20d"), AUTHORITY, "activate", "--qr",
                        phonecode.base45(request), "--dir",
                        bare.path("authority"), "--json"],
                       capture_output=True, text=True, timeout=90)
    assert p.returncode == 0, p.stdout + p.stderr
    old = json.loads(p.stdout)["confirmation_id"].split("-")
    bare.start()
    # its answer came too late: a newer request was made and answered
    assert confirm(bare, old)[0] == 0
    new = called(bare, printed(bare)[0])
    assert new != old
    assert confirm(bare, new)[0] == 0
    assert error(confirm(bare, old)) == "certificate_old"
    assert confirm(bare, new)[1]["already"]


def _backdate(site):
    db = sqlite3.connect(site.path("authority", "authority.db"))
    db.execute("UPDATE issuer SET not_before = not_before - 30")
    db.commit()
    db.close()
    where = ("--dir", site.path("authority"))
    prepared = site.path("next.json")
    demo.run("muster-authority", "catalogue", "prepare", *where, "-o", prepared)
    demo.run("muster-authority", "catalogue", "sign", "--root-key",
             site.path("vault", "root.key"), "--passphrase-file",
             site.path("vault", "passphrase"), "--prepared", prepared,
             site.path("products.conf"), "-o", site.catalogue)


def test_b41_a_rebuilt_host_takes_its_slot_by_telephone(bare, tmp_path):
    confirm(bare, called(bare, printed(bare)[0]))
    os.mkdir(tmp_path / "rebuilt")
    again = demo.Site(str(tmp_path / "rebuilt"))
    again.catalogue, again.host_key = bare.catalogue, bare.host_key
    again.start()
    try:
        install(again, again.host_key)
        groups, said = printed(again, "--replaces", "1")
        assert "takes slot 1" in said and "--replaces 1" in said
        answer = called(bare, groups, "--replaces", "1")
        rc, out = confirm(again, answer)
        assert (rc, out["slot"], out["activation"]) == (0, 1, 2)
    finally:
        again.stop()


def test_b40_the_contact_is_told_and_files_still_work(bare):
    _, said = printed(bare)
    assert "Acme" in said and "muster host confirm" in said
    bare.activate_host()
    assert status(bare)["activated"]


def test_b43_a_client_setup_key_makes_no_code(tmp_path):
    s = demo.Site(str(tmp_path))
    s.publish()
    s.start()
    try:
        assert error(muster(s, "host", "activate", "--offline")) == "no_key"
        assert error(confirm(s, phonecode.encode(bytes(73)))) == "no_key"
    finally:
        s.stop()


def test_b9_a_code_finds_its_publisher(bare, tmp_path):
    """Of two on one host, each with its own identity and issuing key 1."""
    os.mkdir(tmp_path / "bolt")
    bolt = demo.Site(str(tmp_path / "bolt"))
    bolt.publish("Bolt", demo.PRODUCTS.replace("5b0c1a52", "5b0c1a53"))
    bolt.host_root = bare.host_root
    shown = json.loads(demo.run("muster", "catalogue", "show", bolt.catalogue,
                                "--json"))
    muster(bare, "catalogue", "install", bolt.catalogue, "--trust",
           shown["publisher"])
    assert error(muster(bare, "host", "activate", "--offline"))
    groups = printed(bare, "--publisher", "Acme")[0]
    answer = called(bare, groups)
    assert error(confirm(bare, answer, "--publisher", "Bolt")) == "no_key"
    assert muster(bare, "host", "install-key", "--publisher", "Bolt",
                  text=bolt.host_key)[0] == 0
    assert error(confirm(bare, answer, "--publisher", "Bolt")) == \
        "confirmation_other"
    assert authority(bolt, "--installation-id", "-".join(groups),
                     rc=1)["code"] == "key_unknown"
    rc, out = confirm(bare, called(bolt, printed(bare, "--publisher",
                                                 "Bolt")[0]))
    assert (rc, out["name"]) == (0, "Bolt")
    muster(bare, "host", "activate", "--offline", "--publisher", "Acme",
           "--file", bare.path("r"))
    demo.run("muster-authority", "activate", "--dir", bare.path("authority"),
             "--file", bare.path("r"), "-o", bare.path("c"))
    got = muster(bare, "host", "confirm", "--publisher", "Bolt", "--file",
                 bare.path("c"))
    assert error(got) == "certificate_other"
    rc, out = confirm(bare, answer)
    assert (rc, out["name"]) == (0, "Acme")
