# SPDX-License-Identifier: MIT
"""Goal: who has a line of a client's log finds the host's line of the same
request, and the other way round: both name the first 8 bytes of its nonce."""
import json
import os
import re
import subprocess
import uuid

import pytest

import demo
import wire
from agent import Machine
from test_status import read

SERVER = uuid.UUID(demo.SERVER).bytes
OTHER = b"?" * 16
NOTES_MAX = 6  # REQLOG_NOTES_MAX


def started(folder, settings=""):
    s = demo.Site(str(folder))
    s.publish()
    s.settings = settings
    s.start()
    s.activate_host()
    return s


@pytest.fixture()
def fine(tmp_path):
    s = started(tmp_path, 'log_level = "fine";\n')
    yield s
    s.stop()


def lines(path, event):
    """(text, fields) of each line of an event."""
    with open(path) as f:
        found = re.findall(rf"^{event}: (.*?)(?: \[([^\]]*)\])?$", f.read(),
                           flags=re.M)
    return [(text, dict(x.split("=") for x in fields.split()))
            for text, fields in found]


def requests(site):
    return lines(site.path("musterd.log"), "request")


def test_both_sides_name_a_request_alike(fine):
    m = Machine(fine, 1).start()
    try:
        m.activate(demo.SERVER)
        out = subprocess.run(
            [os.path.join(demo.BIN, "muster"), "status", "--json", "--root",
             m.root], capture_output=True, text=True)
        told, = [p for p in json.loads(out.stdout)["products"]
                 if p["product"] == demo.SERVER]
        target, = told["targets"]
    finally:
        m.stop()
    text, fields = requests(fine)[-1]
    assert text == "counted: 1 of 5"
    assert re.fullmatch("[0-9a-f]{16}", fields["request"])
    assert fields == {"request": target["request"], "client": "127.0.0.1",
                      "product": demo.SERVER, "outcome": "below_threshold"}
    (ours, of_ours), = [x for x in lines(m.log, "host")
                        if x[1]["request"] == fields["request"]]
    assert of_ours == {"request": fields["request"],
                       "product": demo.SERVER}
    assert ours == (f"127.0.0.1:{fine.port}: Acme Server has a count of 1, "
                    "and needs 5")


def test_without_an_agent_as_well(fine):
    target, = fine.activate(7, demo.SERVER)["targets"]
    assert target["request"] == requests(fine)[-1][1]["request"]


def test_it_is_the_nonce_of_the_protocol(fine):
    nonce = bytes(range(0xa0, 0xb0))
    assert wire.activate(fine.port, SERVER, nonce=nonce, threshold=1)[0] == 0
    text, fields = requests(fine)[-1]
    assert text == "granted: count 1 of 1" and fields["outcome"] == "ok"
    assert fields["request"] == nonce[:8].hex() == "a0a1a2a3a4a5a6a7"
    # what is fine is no event of the page
    assert not [e for e in read(fine, "/v1/events")["events"]
                if e["event"] == "request"]


def test_refusals_are_events_with_fields_and_do_not_fill_the_log(tmp_path):
    s = started(tmp_path)
    try:
        nonces = [os.urandom(16) for _ in range(2 * NOTES_MAX)]
        for nonce in nonces:
            assert wire.activate(s.port, OTHER, nonce=nonce)[0] != 0
        assert wire.activate(s.port, SERVER, threshold=1)[0] == 0  # nothing
        told = [e for e in read(s, "/v1/events")["events"]
                if e["event"] == "request"]
        assert [e["fields"] for e in told] == [
            {"request": nonce[:8].hex(), "client": "127.0.0.1",
             "product": str(uuid.UUID(bytes=OTHER)),
             "outcome": "unknown_product"} for nonce in nonces[:NOTES_MAX]]
        assert {(e["level"], e["message"]) for e in told} == {
            ("note", "refused: unknown_product")}
        assert len(requests(s)) == NOTES_MAX
    finally:
        s.stop()


def test_b31_a_count_below_the_threshold_is_an_event_too(tmp_path):
    """As often as refusals, and beside them; with what is lacking."""
    s = started(tmp_path)
    try:
        nonces = [os.urandom(16) for _ in range(2 * NOTES_MAX)]
        for n, nonce in enumerate(nonces):
            assert wire.activate(s.port, SERVER, name=b"m%d" % n, nonce=nonce,
                                 threshold=50)[0] == 0
        refused = os.urandom(16)
        assert wire.activate(s.port, OTHER, nonce=refused)[0] != 0
        told = [e for e in read(s, "/v1/events")["events"]
                if e["event"] == "request"]
        assert {e["level"] for e in told} == {"note"}
        assert [(e["fields"]["request"], e["fields"]["outcome"])
                for e in told] == [
            (nonce[:8].hex(), "below_threshold")
            for nonce in nonces[:NOTES_MAX]] + [
            (refused[:8].hex(), "unknown_product")]
        counts = [e["fields"]["count"] for e in told[:-1]]
        assert counts == list(range(1, NOTES_MAX + 1))
        assert {e["fields"]["threshold"] for e in told[:-1]} == {50}
    finally:
        s.stop()
