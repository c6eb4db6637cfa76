# SPDX-License-Identifier: MIT
"""Goal: whoever searches a log by an event's name finds the name in the
documentation, and nothing that is there no more."""
import glob
import os
import re

import demo

FOLDERS = ("host", "base", "store", "turn")  # what musterd is made of


def in_source():
    names, calls = set(), 0
    for folder in FOLDERS:
        for path in glob.glob(os.path.join(demo.REPO, "src", folder, "*.c")):
            with open(path) as f:
                text = re.sub(r"/\*.*?\*/", "", f.read(), flags=re.S)
            text = re.sub(r"^(void|static).*\nlog_(line|event)\(", "", text,
                              flags=re.M)
            for call in re.finditer(r"\blog_(?:line|event)\(([^;]*?),\s*\"([^\"]*)\"", text):
                assert re.fullmatch(r"\s*[^\"]*", call[1]), (path, call[0])
                names.add(call[2])
            calls += len(re.findall(r"\blog_(?:line|event)\(", text))
    return names, calls


def test_each_event_of_musterd_is_in_one_table():
    with open(os.path.join(demo.REPO, "doc/errors.md")) as f:
        section = f.read().split("## Events of musterd's log")[1].split(
            "\n## ")[0]
    rows = re.findall(r"^\| (`.*?`) \| (.+) \|$", section, flags=re.M)
    told = [name for row, about in rows for name in re.findall(r"`([^`]+)`", row)
            if about.strip()]
    names, calls = in_source()
    assert sorted(told) == sorted(names) and len(told) == len(set(told))
    assert calls > 40
    assert all(re.fullmatch(r"[a-z][a-z-]*", n) and len(n) <= 23 for n in names)
