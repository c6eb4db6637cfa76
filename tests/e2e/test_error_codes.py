# SPDX-License-Identifier: MIT
"""Goal: each error that a program can tell has its cause and next step in
doc/errors.md, and nothing stands there that no program tells any more."""
import glob
import os
import re

import pytest

import demo

CODE = r'"([a-z]+(?:_[a-z]+)*)"'


def source(folder):
    """All of it, without comments, with texts in one piece."""
    out = ""
    for path in sorted(glob.glob(os.path.join(demo.REPO, "src", folder,
                                              "*.c"))):
        with open(path) as f:
            out += re.sub(r"/\*.*?\*/", "", f.read(), flags=re.S) + "\n"
    return re.sub(r'"\s*\n\s*"', "", out)


def rows(title):
    """Of the table of a section: cells without their marks."""
    with open(os.path.join(demo.REPO, "doc/errors.md")) as f:
        section = re.split(rf"^## {re.escape(title)}$", f.read(),
                           flags=re.M)[1].split("\n## ")[0]
    found = [[c.strip() for c in re.split(r"(?<!\\)\|", line)[1:-1]]
             for line in re.findall(r"^\|.*\|$", section, re.M)][2:]
    assert all(all(cells) for cells in found)  # cause and next step as well
    return found


def codes(title):
    found = [c.strip("`") for cells in rows(title)
             for c in re.findall(r"`[^`]+`", cells[0])]
    assert len(found) == len(set(found)), title
    return set(found)


def of_library():
    with open(os.path.join(demo.REPO, "include/muster/err.h")) as f:
        names = re.findall(r"X\((MUSTER_E_\w+), ", f.read())
    assert len(names) > 40
    return set(names)


def known():
    """Codes that any program may hand on: those of err.h."""
    return {cells[2].strip("`")
            for cells in rows("Codes of the library and of files")}


def calls(text, name):
    """The arguments of each call, as they are written."""
    return re.findall(rf"\b{name}\((.*?)\);\n", text, re.S)


def argument(call, n):
    """Codes in the n-th argument, a choice of two included."""
    part, depth, in_text = [""], 0, False
    for c in call:
        in_text ^= c == '"'
        depth += 0 if in_text else (c in "([{") - (c in ")]}")
        if c == "," and depth == 0 and not in_text:
            part.append("")
        else:
            part[-1] += c
    # a prototype or a variable has none
    return re.findall(CODE, part[n]) if len(part) > n else []


def of_muster():
    text = source("cli")
    found = set(re.findall(r"cli_error\)?\s*(?:\w+\s*=\s*)?\{\s*" + CODE, text))
    found |= set(re.findall(r"\bcode = " + CODE, text))
    for call in calls(text, "cli_errorf"):
        found |= set(argument(call, 2))
    for call in calls(source("../sim"), "complain"):  # muster plan
        found |= set(argument(call, 2))
    assert "site" in found
    return found


def of_musterd():
    found = set()
    for call in calls(source("host"), "problem_set"):
        found |= set(argument(call, 3))
    # answers that must not need memory are written out
    written = set(re.findall(r'\\"code\\":\\"([a-z_]+)\\"', source("host")))
    assert len(written) > 2, written
    return found | written


def of_refusals():
    """By the statuses of the wire: as the host names them, and as a client."""
    with open(os.path.join(demo.REPO, "src/wire/msg.h")) as f:
        statuses = re.findall(r"^\t(WIRE_\w+) = \d+,?$",
                              re.search(r"enum wire_status \{(.*?)\}", f.read(),
                                        re.S)[1], re.M)
    assert len(statuses) > 6
    found = {"below_threshold"}
    for folder in ("host", "cli"):
        names = dict(re.findall(rf"\[({'|'.join(statuses)})\] = " + CODE,
                                source(folder)))
        assert set(names) == set(statuses), folder
        found |= set(names.values()) - {"ok"}
    return found


def of_authority():
    found = set()
    text = source("authority")
    for name, n in (("ctx_fail", 2), ("fail_owner", 1), ("fail_mode", 1)):
        for call in calls(text, name):
            found |= set(argument(call, n))
    # what the service refuses is what its operator is refused
    refusals = set(re.findall(r"\[GRANT_\w+\] = " + CODE, text)) - {
        "new", "same", "reactivation", "replacement"}
    assert len(refusals) > 5
    return (found | refusals) - codes("Problems of the authority's service")


def of_service():
    return set(re.findall(r"\[API_\w+\] = \{\d+, " + CODE,
                          source("authority")))


@pytest.mark.parametrize("title, told, n", [
    ("Further codes of `muster`", of_muster, 20),
    ("What a host refuses", of_refusals, 8),
    ("Codes of musterd", of_musterd, 40),
    ("Codes of muster-authority", of_authority, 30),
    ("Problems of the authority's service", of_service, 15)])
def test_none_is_missing(title, told, n):
    found = told()
    assert len(found) >= n, found
    missing = found - codes(title) - known()
    assert not missing, sorted(missing)


def test_causes_of_refusals_are_those_that_are_told():
    assert codes("What a host refuses") == of_refusals()


@pytest.mark.parametrize("title, folders", [
    ("Further codes of `muster`", ["cli", "../sim"]),
    ("Codes of musterd", ["host"]),
    ("Codes of muster-authority", ["authority"]),
    ("Problems of the authority's service", ["authority"])])
def test_none_is_stale(title, folders):
    text = "".join(source(f) for f in folders).replace('\\"', '"')
    stale = {c for c in codes(title) if f'"{c}"' not in text}
    assert not stale, sorted(stale)


def test_the_codes_of_the_library_are_those_of_its_header():
    """Texts and values: tools/check-docs.sh."""
    assert {cells[0].strip("`") for cells in
            rows("Codes of the library and of files")} == of_library()


def test_exit_codes_are_those_of_the_programs():
    told = {int(cells[0]) for cells in rows("Exit codes")}
    with open(os.path.join(demo.REPO, "src/cli/cli.h")) as f:
        text = f.read()
    used = {int(n) for n in re.findall(r"\bCLI_[A-Z_]+ = (\d+)", text)}
    for folder in ("host", "agent", "authority"):
        for path in glob.glob(os.path.join(demo.REPO, "src", folder, "*.[ch]")):
            with open(path) as f:
                used |= {int(n) for n in
                         re.findall(r"\bEXIT_[A-Z]+ = (\d+)", f.read())}
    assert told == used and len(told) > 5
