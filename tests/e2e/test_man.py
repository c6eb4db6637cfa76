# SPDX-License-Identifier: MIT
"""Goal: the man pages are there, sound, and say what header and programs
say."""
import glob
import os
import re
import subprocess

import pytest

import demo

PAGES = ("muster_activate", "muster_check", "muster_info")
SHARE = os.path.join(demo.BIN, "../share/man")
MAN = os.path.join(SHARE, "man3")
AUTHORITY = os.path.join(SHARE, "man1/muster-authority.1")
UNITS = os.path.join(demo.BIN, "../lib/systemd/system")
INSTALLED = {os.path.basename(path) for path in glob.glob(SHARE + "/man*/*")}
LINK = re.compile(r"\.so man3/(\w+)\.3\n")
COMMON = {"--dir", "--config", "--json", "--help", "--version"}

with open(os.path.join(demo.BIN, "../include/muster/muster.h")) as f:
    HEADER = f.read()
with open(os.path.join(demo.BIN, "../include/muster/err.h")) as f:
    ERR_HEADER = f.read()


def page(name):
    with open(os.path.join(MAN, name + ".3")) as f:
        text = f.read()
    link = LINK.fullmatch(text)
    return page(link[1]) if link else text


def installed(name):
    with open(os.path.join(SHARE, f"man{name[-1]}", name)) as f:
        return f.read()


@pytest.mark.parametrize("name", sorted(
    n for n in INSTALLED if not LINK.fullmatch(installed(n))))
def test_mandoc_has_nothing_to_say(name):
    path = os.path.join(SHARE, f"man{name[-1]}", name)
    p = subprocess.run(["mandoc", "-Tlint", "-Wstyle", path],
                       capture_output=True, text=True, timeout=90)
    # which pages there are is known to another test, not to this machine
    said = [line for line in p.stdout.splitlines()
            if "referenced manual not found" not in line]
    assert (said, p.returncode < 2) == ([], True)
    title, section = name.rsplit(".", 1)
    assert f"\n.Dt {title.upper()} {section}\n" in installed(name)


def test_every_page_of_the_source_is_installed():
    assert {os.path.basename(path) for path in
            glob.glob(os.path.join(demo.REPO, "doc/man/*"))} == INSTALLED


def exported(path):
    with open(os.path.join(demo.REPO, path)) as f:
        return set(re.findall(r"^\s+(muster_\w+)[;@]", f.read(), re.M))


def test_every_call_has_its_page():
    calls = set(re.findall(r"MUSTER_NODISCARD int\s(muster_\w+)\(", HEADER))
    assert calls == set(PAGES)
    texts = set(re.findall(r"^const char \*(muster_\w+)\(", ERR_HEADER, re.M))
    assert exported("src/lib/libmuster.map") == calls | texts
    assert exported("packaging/debian/libmuster0.symbols") == calls | texts
    assert {f"{n}.3" for n in calls | texts} == set(os.listdir(MAN))
    for name in calls | texts:
        assert re.search(rf"^\.Nm {name}\b", page(name), re.M)


def test_the_page_of_codes_has_each_with_its_text():
    text = page("muster_strerror")
    assert page("muster_errname") == text
    for name in re.findall(r"^\.Fo (\w+)$", text, re.M):
        assert f"const char *{name}(int err);" in ERR_HEADER
    want = re.findall(r'X\((MUSTER_E_\w+), (-\d+),[\s\\]*"(.*?)"\)', ERR_HEADER)
    assert re.findall(r"^\.It Er (\w+) Pq (-\d+)\n(.*)$", text, re.M) == want
    assert len(want) == ERR_HEADER.count("X(MUSTER_E_")
    for said in ('"ok"', '"OK"', '"unknown error"', '"MUSTER_E_UNKNOWN"'):
        assert said in text and said in ERR_HEADER


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


def told():
    """The authority's commands and their options, as --help has them."""
    out = subprocess.run([os.path.join(demo.BIN, "muster-authority"), "--help"],
                         capture_output=True, text=True, timeout=90).stdout
    body = out[:out.index("Every command but")]
    parts = re.split(r"^  muster-authority ", body, flags=re.M)[1:]
    name = re.compile(r"[a-z]+( [a-z]+(?= |$))?")
    return {name.match(part.split("\n")[0])[0].strip():
            set(re.findall(r"(?<![\w-])--?[a-z][a-z-]*", " ".join(
                line for n, line in enumerate(part.split("\n"))
                if n == 0 or line.startswith(("      [", "      |")))))
            for part in parts}


def listed():
    """The same, of the page's COMMANDS."""
    with open(AUTHORITY) as f:
        section = re.search(r"^\.Sh COMMANDS$(.*?)^\.Sh ", f.read(),
                            re.S | re.M).group(1)
    items = re.findall(r"^\.It Ic ([a-z]+(?: [a-z]+)?)(.*)$", section, re.M)
    assert len(items) == len(re.findall(r"^\.It", section, re.M))
    return {name: {"-" + option for option in re.findall(r"Fl (\S+)", rest)}
            for name, rest in items}


def test_the_authority_s_page_has_each_command_with_its_options():
    want = told()
    assert len(want) > 15 and "--seal-cost" in want["init"]
    assert listed() == want


def test_the_authority_s_page_has_what_every_command_takes():
    with open(AUTHORITY) as f:
        text = f.read()
    common, several = (re.search(
        rf"^\.Ss Options of {which}$(.*?)^\.El$", text, re.S | re.M).group(1)
        for which in ("every command", "several commands"))
    assert {"-" + o for o in re.findall(r"Fl (-\S+)", common)} == COMMON
    for option in re.findall(r"Fl (\S+)", several):
        n = sum("-" + option in options for options in listed().values())
        assert n > 1 or option == "-output", option
    for code in ("0", "1", "2", "78"):
        assert f"\n.It {code}\n" in text
    for path in ("authority.db", "issuing.key", "seal.key", "authority.conf"):
        assert re.search(rf"^\.It Pa \S*/{path}$", text, re.M)


def test_what_a_unit_names_is_there():
    units = os.listdir(UNITS)
    assert "musterd.service" in units and "muster-agent.socket" in units
    for unit in units:
        with open(os.path.join(UNITS, unit)) as f:
            pages = re.findall(r"man:([\w.-]+)\((\d)\)", re.search(
                "^Documentation=(.*)$", f.read(), re.M)[1])
        assert pages, unit
        for name, n in pages:
            assert f"{name}.{n}" in INSTALLED, (unit, name)
