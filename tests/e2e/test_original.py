# SPDX-License-Identifier: MIT
"""Goal: what the page for those who know the original says of Muster is what
Muster has: each command, option, setting, path, state, code and event."""
import os
import re
import sys

import pytest

import demo
from test_man_programs import installed, settings, source

sys.path.insert(0, os.path.join(demo.REPO, "tools"))
import completions

PAGE = "doc/guide/from-the-original.md"
PROGRAMS = {name: completions.Program(os.path.join(demo.BIN, name))
            for name in ("muster", "muster-authority")}
# of systemd, and of name servers: not ours
OTHERS = {"systemctl edit musterd", "CPUWeight=", "REFUSED"}
SECTIONS = ["What differs", "Commands", "Keys and files", "Events and codes"]


def tables():
    """Of each section the rows: there, here."""
    found = {}
    for part in source(PAGE).split("\n## ")[1:]:
        rows = [re.split(r"(?<!\\) \| ", line.strip("| "))
                for line in part.splitlines() if line.startswith("| ")]
        if rows:
            assert rows[0][0].startswith("there") and rows[0][1] == "here"
            assert all(len(row) == 2 for row in rows), part
            found[part.split("\n")[0]] = rows[1:]
    return found


def spans(section):
    return [span for _, here in tables()[section]
            for span in re.findall(r"`([^`]+)`", here)]


def command(text):
    """What is wrong with a command of ours, or None."""
    name, *words = text.split()
    program = PROGRAMS[name]
    for n in (2, 1):
        line = " ".join(words[:n])
        if line in program.commands:
            break
    else:
        return f"no command {line}"
    for word in words[n:]:
        if word.startswith("-"):
            known = word in program.options(line)
        elif word.islower():
            known = word in program.commands[line].words
        else:
            known = re.fullmatch(r"\[?:?[A-Z]+(\[:[A-Z]+\])?\]?|\.\.\.", word)
        if not known:
            return f"{line} has no {word}"
    return None


def codes():
    """Every code of the tables, and what a host answers."""
    text = source("doc/errors.md")
    found = set(re.findall(r"^\| `([a-z_]+)` \|", text, re.M))
    return found | set(re.findall(r"^\| `MUSTER_E_\w+` \| -\d+ \| `([a-z_]+)` ",
                                  text, re.M))


def events(program):
    part = re.search(rf"^## Events of {program}$(.*?)(?=^## |\Z)",
                     source("doc/logs.md"), re.S | re.M)[1]
    return set(re.findall(r"^\| `([a-z-]+)` \|", part, re.M)) - {"event"}


def states():
    return set(re.findall(r'\[WIRE_\w+\] = "(\w+)"',
                          source("src/host/admin_list.c")))


def is_setting(span):
    """A name, or a name with a value that it may have."""
    told = settings("musterd.conf.5")
    name, _, value = span.partition(" = ")
    if name not in told or not value:
        return name in told
    form, says = told[name]
    return value in form.split()[-1].split("|") or \
        value.strip('"') in re.findall(r"Qq (\w+)", says)


def test_its_commands_are_those_of_the_programs():
    assert list(tables()) == SECTIONS
    said = [span for section in tables() for span in spans(section)
            if span.split()[0] in PROGRAMS]
    assert len(said) > 25
    assert [why for why in map(command, said) if why] == []


@pytest.mark.parametrize("section", SECTIONS)
def test_all_that_it_names_is_there(section):
    paths = installed("musterd.8") + installed("musterd.conf.5")
    last = None
    for span in spans(section):
        if span.split()[0] in PROGRAMS:
            last = span
        elif span.startswith("--"):
            program = PROGRAMS[last.split()[0] if last else "muster"]
            assert any(span in program.options(name)
                       for name in program.commands), span
        elif span in ("on", "off"):
            assert command(f"muster set-caching {span}") is None
        elif span in ("true", "false"):
            assert is_setting(f"publish = {span}")
        elif span.startswith("/"):
            assert re.search(rf" {re.escape(span)}(?![\w./-])", paths), span
        elif span not in OTHERS | states() | codes() | events("musterd") | \
                events("muster-agent") | {"musterd", "muster-agent"}:
            assert is_setting(span) or span == "musterd.conf", span


def test_its_events_and_codes_are_those_of_the_manual():
    rows = tables()["Events and codes"]
    cells = [here for _, here in rows]
    named = [found for cell in cells for found in re.findall(
        r"event `([a-z-]+)` of `([a-z-]+)`", cell)]
    assert len(named) == sum(cell.count("event `") for cell in cells) >= 8
    for event, program in named:
        assert event in events(program), (event, program)
    for there, here in rows:
        known = codes() & set(re.findall(r"`([^`]+)`", here))
        assert not there.startswith("0x") or known or \
            here.startswith(("never one code", "`REFUSED`")), there
    exits = dict(re.findall(r"^\| (\d+) \| (.*) \|$", source("doc/errors.md"),
                            re.M))
    said = re.findall(r"exit (\d+), `(\w+)`", "".join(cells))
    assert said == [("3", "count"), ("4", "denied")]
    assert "below the threshold" in exits["3"] and "right" in exits["4"]
    assert '"  last round ' in source("src/cli/client_show.c")


def test_its_numbers_are_those_of_the_source():
    """What it says to be the same as there."""
    same = " ".join(source(PAGE).split("\n## ")[1].split())
    number = dict(re.findall(r"#define (\w+) (\d+)U?\b", "".join(
        source(name) for name in ("src/authority/products.h",
                                  "src/authority/keys.h"))))
    assert f"threshold of {number['PRODUCTS_THRESHOLD_DESKTOP']} for desktops " \
        f"and {number['PRODUCTS_THRESHOLD_SERVER']} for servers" in same
    page = settings("musterd.conf.5")
    for name, says in (("renewal_minutes", "renewal every 7 days"),
                       ("retry_minutes", "retry every 2 hours"),
                       ("port", "TCP port 1688")):
        n = int(re.search(r"\.Pq (\d+) ", page[name][1] + " ")[1])
        unit = {"renewal_minutes": 24 * 60, "retry_minutes": 60}.get(name, 1)
        assert str(n // unit) in says.split() and says in same, name
