# SPDX-License-Identifier: MIT
"""Goal: the man pages are there, sound, and say what the header says."""
import os
import re
import subprocess

import pytest

import demo

PAGES = ("muster_activate", "muster_check", "muster_info")
MAN = os.path.join(demo.BIN, "../share/man/man3")

with open(os.path.join(demo.BIN, "../include/muster/muster.h")) as f:
    HEADER = f.read()


def page(name):
    with open(os.path.join(MAN, name + ".3")) as f:
        return f.read()


@pytest.mark.parametrize("name", PAGES)
def test_mandoc_has_nothing_to_say(name):
    p = subprocess.run(["mandoc", "-Tlint", "-Wwarning",
                        os.path.join(MAN, name + ".3")],
                       capture_output=True, text=True, timeout=10)
    assert (p.returncode, p.stdout, p.stderr) == (0, "", "")


def test_every_call_has_its_page():
    calls = set(re.findall(r"MUSTER_NODISCARD int\s(muster_\w+)\(", HEADER))
    assert calls == set(PAGES)
    assert {f"{n}.3" for n in PAGES} == set(os.listdir(MAN))


def errors_of(name):
    """The codes under Returns: in the docblock of the header."""
    block = re.search(rf"/\*\*\n \* {name}\(\).*?\*/", HEADER, re.S).group(0)
    return set(re.findall(r"MUSTER_E_\w+", block.split("Returns:")[1]))


@pytest.mark.parametrize("name", ("muster_activate", "muster_check"))
def test_errors_are_those_of_the_header(name):
    section = re.search(r"^\.Sh ERRORS$(.*?)^\.El$", page(name),
                        re.S | re.M).group(1)
    listed = re.findall(r"MUSTER_E_\w+", " ".join(
        re.findall(r"^\.It Er (.*)$", section, re.M)))
    assert len(listed) == len(set(listed))
    assert set(listed) == errors_of(name) != set()


def fields(text, struct):
    body = re.search(rf"struct {struct} \{{\n(.*?)\n\}};", text, re.S).group(1)
    body = re.sub(r"/\*.*?\*/", "", body, flags=re.S)
    return [" ".join(line.split()) for line in body.splitlines()
            if line.strip()]


@pytest.mark.parametrize("name,struct", (
    ("muster_check", "muster_product"), ("muster_check", "muster_answer"),
    ("muster_info", "muster_info")))
def test_structs_are_those_of_the_header(name, struct):
    want = fields(HEADER, struct)
    assert fields(page(name), struct) == want
    for field in (re.search(r"(\w+)(\[.*\])?;$", f).group(1) for f in want):
        assert re.search(rf"^\.(It )?Va .*\b{field}\b", page(name), re.M), field


@pytest.mark.parametrize("name", PAGES)
def test_the_prototype_is_the_header_s(name):
    want = re.search(rf"int\s{name}\((.*?)\);", HEADER, re.S).group(1)
    arguments = re.search(rf"^\.Fo {name}$(.*?)^\.Fc$", page(name),
                          re.S | re.M).group(1)
    got = ", ".join(re.findall(r'^\.Fa "(.*)"$', arguments, re.M))
    assert got == " ".join(want.split())
