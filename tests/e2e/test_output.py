# SPDX-License-Identifier: MIT
"""Goal: where standard output takes nothing, the operator learns it, and which
host key was issued in vain."""
import os
import subprocess

import pytest

from test_authority import BIN, Authority

ISSUE = ("key", "issue", "--level", "1", "--customer", "C")


@pytest.fixture
def a(tmp_path):
    return Authority(tmp_path)


def run(a, *args, out="/dev/full"):
    if out == "pipe":  # whose reader has gone
        reader, fd = os.pipe()
        os.close(reader)
    else:
        fd = os.open(out, os.O_WRONLY)
    try:
        return subprocess.run(
            [os.path.join(BIN, "muster-authority"), *args, "--dir", a.dir],
            stdout=fd, stderr=subprocess.PIPE, text=True, timeout=90)
    finally:
        os.close(fd)


@pytest.mark.parametrize("more", [(), ("--json",)])
@pytest.mark.parametrize("out", ["/dev/full", "pipe"])
def test_a_key_that_was_not_shown_is_named(a, more, out):
    a.issue()
    p = run(a, *ISSUE, *more, out=out)
    assert p.returncode == 1
    assert "host key 2 was issued but not shown" in p.stderr
    assert p.stderr.count("muster-authority: ") == 1
    step = "muster-authority key revoke 2 --yes"
    assert f"next: revoke it (`{step}`) and issue another" in p.stderr
    a.run(*step.split()[1:])
    assert [k["revoked"] for k in a.run("key", "list")["keys"]] == [False, True]
    a.run("audit", "verify")


@pytest.mark.parametrize("args,done", [
    (("key", "list"), True), (("key", "list", "--json"), True),
    (("key", "show", "9", "--json"), False), (("--help",), True),
    (("--version",), True)])
def test_an_output_that_is_lost_is_told(a, args, done):
    a.issue()
    p = run(a, *args)
    assert p.returncode == 1
    assert "standard output cannot be written" in p.stderr
    assert ("the command itself is done" in p.stderr) == done
    assert "\n  next: " in p.stderr
