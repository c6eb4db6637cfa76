# SPDX-License-Identifier: MIT
"""Goal: a text that an operator gives is kept and shown as it is, or refused
by name; none forges a line of a list, and none is called want of memory."""
import json
import os
import subprocess

import pytest

from test_authority import BIN, Authority

BAD = [(b"A\nB", "a control character at byte 2"),
       (b"\t", "a control character at byte 1"),
       (b"A\x1b[2K", "a control character at byte 2"),
       (b"AB\x7f", "a control character at byte 3"),
       ("\u00e4\u009b".encode(), "a control character at byte 3"),
       (b"caf\xe9", "is not UTF-8"), (b"\xc0\xaf", "is not UTF-8"),
       (b"\xed\xa0\x80", "is not UTF-8"), (b"\xf4\x90\x80\x80", "is not UTF-8"),
       (b"\xc2", "is not UTF-8"), (b"x" * 4097, "bytes, not 4097")]
GOOD = "Krankenhaus \u201eSt. \u00c4gidien\u201c \U0001f3e5"


@pytest.fixture(scope="module")
def a(tmp_path_factory):
    return Authority(tmp_path_factory.mktemp("texts"))


def run(*args):
    p = subprocess.run([os.path.join(BIN, "muster-authority"), *args,
                        "--json"], capture_output=True, timeout=240,
                       stdin=subprocess.DEVNULL)
    return p.returncode, json.loads(p.stdout)


def refused(option, why, *args):
    code, out = run(*args)
    assert code == 2, out
    assert out["error"]["code"] == "bad_text" and out["error"]["next_step"]
    assert out["error"]["message"].startswith(f"--{option} ")
    assert why in out["error"]["message"]


@pytest.mark.parametrize("text,why", [*BAD, (b"", "bytes, not 0")])
def test_a_customer(a, text, why):
    before = a.run("key", "list")
    refused("customer", why, "key", "issue", "--level", "1", "--customer",
            text, "--dir", a.dir)
    assert a.run("key", "list") == before


@pytest.mark.parametrize("option", ["name", "contact", "url"])
@pytest.mark.parametrize("text,why", BAD)
def test_a_publisher(tmp_path, option, text, why):
    name = ["--name", "Acme"] if option != "name" else []
    refused(option, why, "init", *name, f"--{option}", text, "--root-key",
            str(tmp_path / "root.key"), "--dir", str(tmp_path / "authority"))
    assert os.listdir(tmp_path) == []


@pytest.mark.parametrize("typed", [b"\xe9", b"1\n", b"\x1b[2K"])
def test_a_message_that_quotes_it_is_told(a, typed):
    code, out = run("key", "issue", "--customer", "C", "--level", typed,
                    "--dir", a.dir)
    assert (code, out["error"]["code"]) == (2, "bad_number")
    assert "not \"" in out["error"]["message"] and "?" in out["error"]["message"]
    code, out = run("key", "list", "--dir", typed)
    assert code == 1 and out["error"]["code"] == "noent"


def test_what_is_no_control_is_kept(a):
    assert run("key", "issue", "--level", "1", "--customer", GOOD, "--dir",
               a.dir)[0] == 0
    assert a.run("key", "list")["keys"][-1]["customer"] == GOOD
    a.run("audit", "verify")
