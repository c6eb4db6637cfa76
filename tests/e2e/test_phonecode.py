# SPDX-License-Identifier: MIT
"""Goal: the codes of doc/protocol.md are what a second program makes of its
text, so that a stranger can write a third."""
import os
import re
import subprocess
import sys

import phonecode

REPO = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
PUBLISHER = bytes.fromhex("c5e21ab1c9f6022d81c3b25e3436cb7f")
HOST_PK = bytes.fromhex("ed4928c628d1c2c6eae90338905995612959273a5c63f93636"
                        "c14614ac8737d1")
KEY = 305419896


def doc():
    with open(os.path.join(REPO, "doc/protocol.md")) as f:
        return f.read()


def section(name):
    return doc().split(f"\n### {name}\n")[1].split("\n### ")[0]


def dump(text):
    """The bytes of a decoded example."""
    out = ""
    for line in text.splitlines():
        m = re.match(r"( *\d+  |     )([0-9a-f]+)( |$)", line)
        if m and len(m.group(2)) % 2 == 0:
            out += m.group(2)
    return bytes.fromhex(out)


def test_b40_the_examples_are_what_the_text_says():
    blocks = section("Telephone").split("```")
    proven, ask, answer = blocks[1], blocks[3], blocks[5]
    cert = dump(section("Host certificate"))
    pk = bytes.fromhex(re.search(r"Its proof key is\n`([0-9a-f]{64})`",
                                 doc()).group(1))
    want = phonecode.installation(PUBLISHER, KEY, pk, HOST_PK, 1)
    assert dump(ask) == want
    assert len(dump(proven)) == 44
    assert phonecode.blake(b"muster/proof/1\0\0" + dump(proven),
                           key=pk)[:3] == want[21:]
    assert re.findall(r"\b\d{7}\b", ask) == phonecode.encode(want)
    assert dump(answer) == phonecode.confirmation(cert)
    groups = re.findall(r"\b\d{7}\b", answer)
    assert groups == phonecode.encode(dump(answer))
    assert phonecode.certificate(phonecode.decode(groups, 73), KEY,
                                 HOST_PK) == cert


def test_b40_the_table_is_totally_anti_symmetric():
    rows = re.findall(r"^  \d  ((?:\d ){9}\d)$", section("Codes of digits"),
                      re.M)
    table = [[int(c) for c in r.split()] for r in rows]
    assert ["".join(map(str, r)) for r in table] == list(phonecode.DAMM)
    ten = range(10)
    for a in ten:
        assert sorted(table[a]) == list(ten) and table[a][a] == 0
        assert sorted(r[a] for r in table) == list(ten)
        for b in ten:
            for c in ten:
                assert b == c or table[table[a][b]][c] != table[table[a][c]][b]


def test_the_vectors_are_those_of_the_second_program():
    p = subprocess.run([sys.executable, "-B",
                        os.path.join(REPO, "tests/e2e/phonecode.py")],
                       capture_output=True, text=True, timeout=90)
    with open(os.path.join(REPO, "tests/vectors/digits.txt")) as f:
        assert f.read() == p.stdout
