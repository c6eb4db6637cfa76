# SPDX-License-Identifier: MIT
"""Goal: what the page for those who know the original says of Muster is what
Muster has: each command, option, setting, path, state, code and event."""
import math
import os
import re
import sys

import pytest

import demo
from test_man import UNITS
from test_man_formats import read_by
from test_man_programs import installed, settings, source

sys.path.insert(0, os.path.join(demo.REPO, "tools"))
import completions

PAGE = "doc/guide/from-the-original.md"
PROGRAMS = {name: completions.Program(os.path.join(demo.BIN, name))
            for name in ("muster", "muster-authority")}
OTHERS = {"Commands": {"systemctl edit musterd", "CPUWeight="},  # systemd's
          "Events and codes": {"REFUSED"}}  # of a name server
WORDS = {2: "twice", 4: "four", 6: "six", 7: "seven", 9: "nine", 10: "ten",
         30: "thirty"}
EVENT = r"event `([a-z-]+)` of `([a-z-]+)`"
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


def spans(text):
    return re.findall(r"`([^`]+)`", text)


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
    said = [span for rows in tables().values() for _, here in rows
            for span in spans(here) if span.split()[0] in PROGRAMS]
    assert len(said) > 25
    assert [why for why in map(command, said) if why] == []


def is_of_section(section, span):
    """Is a name of the kind that the section's table is about?"""
    if section == "Commands":
        paths = installed("musterd.8") + installed("musterd.conf.5")
        return is_setting(span) or span == "musterd.conf" or bool(
            span.startswith("/") and
            re.search(rf" {re.escape(span)}(?![\w./-])", paths))
    if section == "Events and codes":
        return span in codes() or " = " in span and is_setting(span)
    return section == "What differs" and span in states()


@pytest.mark.parametrize("section", SECTIONS)
def test_all_that_it_names_is_there(section):
    """Each name in the table of its kind, and an option or a value at the
    command before it in its cell."""
    n = 0
    for there, here in tables()[section]:
        said = []
        # the next test has the events
        for span in spans(re.sub(EVENT, "", here)):
            n += 1
            if span.split()[0] in PROGRAMS:
                said.append(span)
            elif f"`{span}` of each command" in here:
                assert all(span in program.options(name)
                           for program in PROGRAMS.values()
                           for name in program.commands), span
            elif span.startswith("--"):
                assert command(f"{said[-1]} {span}") is None, (there, span)
            elif f"state `{span}`" in here:
                assert span in states(), (there, span)
            elif span in ("on", "off"):
                assert command(f"{said[-1].rsplit(' ', 1)[0]} {span}") is None
            elif span in ("true", "false"):
                assert is_setting(f"publish = {span}")
            elif span not in OTHERS.get(section, ()):
                assert is_of_section(section, span), (there, span)
    assert n > 5 or section == "Keys and files"


def test_what_it_says_of_the_journal_is_so():
    """All that stands outside the tables as code."""
    prose = "\n".join(line for line in source(PAGE).splitlines()
                      if not line.startswith("| "))
    line, *names = [span for span in spans(prose)
                    if span not in ("--json",)]
    unit, field, event = re.fullmatch(
        r"journalctl -u ([a-z-]+) ([A-Z_]+)=([a-z-]+)", line).groups()
    assert os.path.exists(os.path.join(UNITS, unit + ".service"))
    assert f'put_entry(&o, "", "{field}", record->event);' in \
        source("src/base/logform.c")
    assert event in events(unit)
    assert names == ["code", "outcome"]
    fields = re.findall(r'\bX\([A-Z_]+, "(\w+)", (?:true|false)\)',
                        source("src/base/lognames.h"))
    assert set(names) <= set(fields)
    assert all("--json" in program.options(name)
               for program in PROGRAMS.values() for name in program.commands)


def test_its_events_and_codes_are_those_of_the_manual():
    rows = tables()["Events and codes"]
    cells = [here for _, here in rows]
    named = [found for cell in cells for found in re.findall(EVENT, cell)]
    assert len(named) == sum(cell.count("event `") for cell in cells) >= 8
    for event, program in named:
        assert event in events(program), (event, program)
    for there, here in rows:
        known = codes() & set(spans(here))
        assert not there.startswith("0x") or known or \
            here.startswith(("no code: the state", "never one code",
                             "`REFUSED`")), there
    exits = dict(re.findall(r"^\| (\d+) \| (.*) \|$", source("doc/errors.md"),
                            re.M))
    said = re.findall(r"exit (\d+), `(\w+)`", "".join(cells))
    assert said == [("3", "count"), ("4", "denied")]
    assert "notification" in states() and "any state but licensed" in exits["3"]
    assert "below the threshold" in exits["3"] and "right" in exits["4"]
    assert '"  last round ' in source("src/cli/client_show.c")


def constant(path, name):
    """A product of numbers, as the source writes a constant."""
    text = re.search(rf"^#define {name} (.*?)(?: */\*.*)?$", source(path),
                     re.M)[1]
    assert re.fullmatch(r"[\d *()]+", re.sub(r"U?INT64_C|(?<=\d)U", "", text))
    return math.prod(map(int, re.findall(r"\b\d+", text)))


def preset(name):
    text = settings("musterd.conf.5")[name][1]
    return int(re.search(r"\.Pq (\d+) ", text + " ")[1])


def test_its_numbers_are_those_of_the_source():
    """All of what it says to be the same as there."""
    products, grant = "src/authority/products.h", "src/authority/grant.h"
    desktop, server, days = (constant(products, "PRODUCTS_" + name) for name in (
        "THRESHOLD_DESKTOP", "THRESHOLD_SERVER", "VALIDITY_DAYS"))
    window = constant("src/count/count.h", "COUNT_WINDOW_S") / (24 * 3600)
    kept = int(re.search(r"want = (\d) \* item->threshold;",
                         source("src/store/store.c"))[1])
    renewal, retry = preset("renewal_minutes"), preset("retry_minutes")
    again = constant("src/host/publish.h", "PUBLISH_AGAIN_MS") / 3600_000
    clocks = constant("src/turn/turn.h", "TURN_CLOCK_S") / 3600
    hosts, more = (constant(grant, "GRANT_" + name)
                   for name in ("HOSTS", "REACTIVATIONS"))
    part = source(PAGE).split("\n## ")[1]
    assert part.startswith("What is the same\n")
    assert " ".join(part.split("\n", 1)[1].split()) == \
        f"A threshold of {desktop} for desktops and {server} for servers by " \
        f"default; a window of {window:g} days; {WORDS[kept]} the threshold " \
        f"kept; {days} days of validity; renewal every {renewal / 1440:g} " \
        f"days, retry every {retry / 60:g} hours; TCP port " \
        f"{preset('port')}; publication every {again:g} hours; " \
        f"{WORDS[hosts]} hosts a key, {WORDS[more]} reactivations each; " \
        f"{WORDS[clocks]} hours between clocks; a telephone when there is " \
        "no network."


def test_numbers_of_its_tables_are_those_of_the_source():
    differs, keys = ("".join(here for _, here in tables()[name])
                     for name in ("What differs", "Keys and files"))
    days = constant("src/store/store.h", "STORE_RETENTION_DAYS")
    assert f"all that asked in {days} days" in differs
    (least,) = (row[2] for row in read_by("src/trust/catalogue.c",
                                          "read_product")
                if row[0] == "threshold")
    assert f"may have the threshold {least}" in differs
    typed = WORDS[constant("src/trust/digits.h", "DIGITS_TYPED")]
    groups = dict(re.findall(r"DIGITS_GROUPS\((\d+)\) == (\d+)",
                             source("src/trust/digits.c")))
    for name in ("ASK", "ANSWER"):
        size = constant("src/trust/phone.h", f"PHONE_{name}_LEN")
        assert f"{WORDS[int(groups[str(size)])]} groups of {typed} digits" in \
            keys
    typed = constant("src/trust/hostkey.h", "HOSTKEY_TEXT_LEN")
    assert f"host key, {typed - 4} characters" in keys
