# SPDX-License-Identifier: MIT
"""Goal: every binary that is installed is position independent, with relocations
that are read-only at once, a stack that is not executed, guarded frames and
checked copies, no search path of its own, and marks where a jump may land.
The notes for CET are not there: Debian 12's own start files lack them."""
import os
import platform
import re
import subprocess

import pytest

import demo

pytestmark = pytest.mark.bare

PROGRAMS = ["muster", "musterd", "muster-agent", "muster-authority",
            "muster-plan", "libmuster.so", "store_postgresql.so",
            "http.so"]


def installed():
    """Every file of machine code by its name, a library's without version."""
    out = {}
    for at, _, names in os.walk(os.path.dirname(demo.BIN)):
        for n in names:
            path = os.path.join(at, n)
            with open(path, "rb") as f:
                if not os.path.islink(path) and f.read(4) == b"\x7fELF":
                    out[re.sub(r"\.so\..*", ".so", n)] = path
    return out


def file_of(name):
    return installed()[name]


def test_every_binary_is_looked_at():
    assert sorted(installed()) == sorted(PROGRAMS)


def readelf(name):
    return subprocess.run(["readelf", "-W", "-h", "-l", "-d", "-n", "-s",
                           file_of(name)], capture_output=True, text=True, check=True,
                          timeout=240).stdout


@pytest.mark.parametrize("name", PROGRAMS)
def test_a_binary_is_hardened(name):
    out = readelf(name)
    assert re.search(r"Type: +DYN", out)
    assert "GNU_RELRO" in out and re.search(r"\(FLAGS(_1)?\).*NOW", out)
    assert re.search(r"GNU_STACK .* RW +0x", out)
    assert not re.search(r"LOAD .* RWE ", out)
    for word in ("TEXTREL", "(RPATH)", "(RUNPATH)"):
        assert word not in out, word
    assert "__stack_chk_fail" in out
    assert re.search(r"__(mem|str|s|vs|f|vf)\w*_chk", out)
    if not name.endswith(".so"):
        assert re.search(r"\(FLAGS_1\).*PIE", out)
    if platform.machine() == "x86_64":
        with open(file_of(name), "rb") as f:
            n = f.read().count(bytes.fromhex("f30f1efa"))  # endbr64
        # of this one two functions are called from elsewhere
        assert n > (2 if name == "http.so" else 20)


def test_libmuster_needs_nothing_of_the_services():
    needed = re.findall(r"\(NEEDED\).*\[(.*)\]", readelf("libmuster.so"))
    assert needed and not [n for n in needed if not re.match(
        r"lib(c|sodium|resolv)\.so\.|ld-linux", n)], needed
