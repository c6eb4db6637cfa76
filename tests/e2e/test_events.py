# SPDX-License-Identifier: MIT
"""Goal: whoever searches a log by an event's or a field's name finds it in
doc/logs.md, with the levels that it has and all of its fields, and nothing
that is there no more."""
import glob
import os
import re

import pytest

import demo

# The title of a table, and what its program is made of
PROGRAMS = {
    "Events of musterd": ("host", "base", "store", "turn"),
    "Events of muster-agent": ("agent", "client", "base"),
    "Events of muster-authority": ("authority", "base")}
LEVELS = {"ERROR": "error", "WARN": "warning", "NOTE": "note", "FINE": "fine"}
EVENT_MAX = 23  # LOGFORM_EVENT_MAX


def read(path):
    with open(os.path.join(demo.REPO, path)) as f:
        return f.read()


def code(path):
    """Without comments, with texts in one piece."""
    text = re.sub(r"/\*.*?\*/", "", read(path), flags=re.S)
    return re.sub(r'"\s*\n\s*"', "", text)


def arguments(text):
    """Of the call that begins here, behind its bracket."""
    part, depth, in_text, is_escaped = [""], 0, False, False
    for c in text:
        if in_text:
            in_text = is_escaped or c != '"'
            is_escaped = c == "\\" and not is_escaped
        elif c == '"':
            in_text = True
        elif c in ")]}" and depth == 0:
            return [p.strip() for p in part]
        elif c == "," and depth == 0:
            part.append("")
            continue
        else:
            depth += (c in "([{") - (c in ")]}")
        part[-1] += c
    raise AssertionError(text[:80])


def levels_of(argument):
    return {LEVELS[x] for x in re.findall(r"LOG_(ERROR|WARN|NOTE|FINE)\b",
                                          argument)}


def passed_on(path):
    """Where a call hands a level on that was handed to it."""
    if path == "src/host/reqlog.c":
        return levels_of(code(path))
    assert path == "src/host/reload.c", path
    found = set()
    for name in glob.glob(os.path.join(demo.REPO, "src/host/config*.c")):
        for call in re.findall(r"config_say\(&?parse, (\w+),", code(name)):
            found |= levels_of(call)
    return found


def fields_of(argument):
    assert argument == "NULL" or argument.startswith("LOG_FIELDS("), argument
    found = re.findall(r"LOG_(?:TEXT|NUMBER|UUID)\((\w+),", argument)
    found += ["CODE"] * len(re.findall(r"LOG_CODE\(", argument))
    assert len(found) == len(set(found)), argument
    return {x.lower() for x in found}


def in_source(folders):
    """name: (levels, fields), and how many calls there are."""
    events, n = {}, 0
    for folder in folders:
        for path in glob.glob(os.path.join(demo.REPO, "src", folder, "*.c")):
            path = os.path.relpath(path, demo.REPO)
            if path == "src/base/log.c":
                continue
            text = code(path)
            for call in re.finditer(r"\blog_(line|event)\(", text):
                args = arguments(text[call.end():])
                name = re.fullmatch(r'"([a-z][a-z-]*)"', args[1])[1]
                levels, fields = events.setdefault(name, (set(), set()))
                levels |= levels_of(args[0]) or passed_on(path)
                if call[1] == "event":
                    fields |= fields_of(args[2])
                n += 1
    return events, n


def table(title):
    section = re.split(rf"^## {re.escape(title)}$", read("doc/logs.md"),
                       flags=re.M)[1].split("\n## ")[0]
    found = [[c.strip() for c in line.strip("|").split("|")]
             for line in re.findall(r"^\|.*\|$", section, re.M)][2:]
    names = [cells[0] for cells in found]
    assert names == sorted(names) and len(names) == len(set(names))
    assert all(all(cells) for cells in found)
    return found


def words(cell):
    return [] if cell == "–" else re.findall(r"`([^`]+)`", cell)


@pytest.mark.parametrize("title, n_min", [
    ("Events of musterd", 60), ("Events of muster-agent", 40),
    ("Events of muster-authority", 15)])
def test_the_page_has_each_event_with_its_levels_and_fields(title, n_min):
    events, n = in_source(PROGRAMS[title])
    assert n >= n_min
    told = {}
    for name, levels, fields, _ in table(title):
        name, = words(name)
        assert words(fields) == sorted(words(fields))
        told[name] = set(levels.split(", ")), set(words(fields))
    assert told == events
    assert all(len(name) <= EVENT_MAX for name in told)


def in_table():
    """name: is it in a line of text?"""
    rows = re.findall(r'X\((\w+), "(\w+)", (true|false)\)',
                      read("src/base/lognames.h"))
    assert len(rows) > 20 and all(i.lower() == name for i, name, _ in rows)
    assert all(len(name) <= 16 for _, name, _ in rows)  # LOG_NAME_MAX
    return {name: is_tie == "true" for _, name, is_tie in rows}


def test_the_page_has_each_field():
    used = set().union(*(fields for folders in PROGRAMS.values()
                         for _, fields in in_source(folders)[0].values()))
    told = {words(name)[0]: in_text == "yes"
            for name, in_text, _ in table("Fields")}
    assert told == in_table()
    assert set(told) == used
