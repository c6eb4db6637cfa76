# SPDX-License-Identifier: MIT
"""Goal: an administrator picks machines out of the inventory: by product, by
state, those whose CMID two machines use; as a table, CSV or JSON."""
import csv
import io
import os
import re
import socket
import subprocess
import uuid

import pytest

import demo
import wire
from test_admin import error, muster

DESKTOP, SERVER = (uuid.UUID(i).bytes for i in (demo.DESKTOP, demo.SERVER))
LICENSED, NOTIFICATION = 2, 4
TWIN = b"\x11" * 16


@pytest.fixture(scope="module")
def known(site):
    """Three desktops, one of them in notification, and two servers that go by
    one CMID."""
    for n, state in ((1, LICENSED), (2, LICENSED), (3, NOTIFICATION)):
        assert wire.activate(site.port, DESKTOP, name=b"pc-%d" % n,
                             state=state)[0] == 0
    for n in (1, 2):
        assert wire.activate(site.port, SERVER, cmid=TWIN,
                             machine=bytes([n]) * 16, name=b"srv-%d" % n,
                             threshold=5)[0] == 0
    return site


def clients(site, *args):
    code, answer = muster(site, "host", "clients", *args)
    assert code == 0 and answer["schema"] == "muster.host-clients/1"
    return answer["clients"]


def text(site, *args):
    p = subprocess.run([os.path.join(demo.BIN, "muster"), "host", "clients",
                        "--root", site.host_root, *args],
                       capture_output=True, text=True, timeout=90)
    assert (p.returncode, p.stderr) == (0, ""), p
    return p.stdout


def names(rows):
    return sorted(r["name"] for r in rows)


def test_b5_by_product_by_name_and_by_id(known):
    assert len(clients(known)) == 4
    for product in ("Acme Desktop", demo.DESKTOP):
        assert names(clients(known, "--product", product)) == [
            "pc-1", "pc-2", "pc-3"]
    assert names(clients(known, "--product", "Acme Server")) == ["srv-2"]


def test_b5_by_state(known):
    assert names(clients(known, "--state", "notification")) == ["pc-3"]
    assert names(clients(known, "--state", "licensed")) == ["pc-1", "pc-2"]
    assert names(clients(known, "--state", "licensed", "--product",
                         "Acme Server")) == []


def test_b5_duplicates_alone(known):
    twin, = clients(known, "--duplicates")
    assert twin["cmid"] == TWIN.hex() and twin["duplicate"]
    assert {twin["name"], twin["other_name"]} == {"srv-1", "srv-2"}
    table = text(known, "--duplicates")
    assert re.search(rf"srv-2 .*\n +fingerprint {'02' * 6}; also used by srv-1, "
                     rf"fingerprint {'01' * 6}\n1 client, 1 with a CMID", table)


def test_b5_alone_a_host_served_all(known):
    assert {c["host"] for c in clients(known)} == {os.uname().nodename}
    assert text(known).count(" " + os.uname().nodename + "\n") == 4


def test_csv_is_what_json_is(known):
    rows = list(csv.DictReader(io.StringIO(text(known, "--csv"))))
    want = clients(known)
    assert len(rows) == len(want) == 4
    for row, client in zip(rows, want):
        for key, value in client.items():
            told = str(int(value)) if isinstance(value, bool) else str(value)
            assert row[key] == told, key
    only = text(known, "--csv", "--duplicates").splitlines()
    assert len(only) == 2 and only[0].startswith("publisher,product,cmid,")


def test_table_has_a_line_for_each(known):
    lines = text(known).splitlines()
    assert lines[0].split() == ["last", "contact", "name", "state", "count", "cmid",
                                "address", "product", "host"]
    # each column begins where its heading does
    begins = [lines[0].index(head) for head in ("address", "product", "host")]
    told = {tuple(line[a:b].strip() for a, b in zip(begins, [*begins[1:], None]))
            for line in lines[1:] if re.match(r"\d{4}-", line)}
    assert told == {("127.0.0.1", product, os.uname().nodename)
                    for product in ("Acme Desktop", "Acme Server")}
    assert len(lines) == 1 + 4 + 1 + 1
    assert lines[-1] == "4 clients, 1 with a CMID that another machine uses too"
    assert text(known, "--state", "unlicensed").splitlines()[-1].startswith("0 clients")


def test_what_cannot_be_is_named(known):
    assert error(muster(known, "host", "clients", "--product", "Acme Tablet")) \
        == "product_unknown"
    assert error(muster(known, "host", "clients", "--state", "asleep")) == "bad_state"
    assert error(muster(known, "host", "clients", "--csv"), 2) == "usage"
    assert error(muster(known, "host", "clients", "--state", "x" * 65), 2) == "usage"


@pytest.mark.parametrize("how", ["--csv", "--json"])
def test_a_list_that_cannot_be_written_is_told_as_that(known, how):
    with open("/dev/full", "wb") as full:
        p = subprocess.run([os.path.join(demo.BIN, "muster"), "host", "clients", how,
                            "--root", known.host_root], stdout=full,
                           stderr=subprocess.PIPE, text=True, timeout=90)
    assert p.returncode == 1


@pytest.mark.parametrize("query", ["stat=licensed", "duplicate=yes", "format=xml",
                                   "state", "product=%00", "product=" + "a" * 3000])
def test_a_query_that_is_not_understood_is_no_list(known, query):
    with socket.socket(socket.AF_UNIX) as s:
        s.settimeout(20)
        s.connect(os.path.join(known.host_root, "run/muster/host.sock"))
        s.sendall(f"GET /v1/clients?{query} HTTP/1.1\r\nHost: localhost\r\n"
                  "Connection: close\r\n\r\n".encode())
        out = b""
        while piece := s.recv(65536):
            out += piece
    assert re.match(rb"HTTP/1.1 4\d\d ", out), out[:200]
    assert b'"next_step"' in out and b'"cmid"' not in out
