# SPDX-License-Identifier: MIT
"""Goal: what the publisher revoked gets no certificate any more, from the day
on that it named; and a certificate that nobody can use is signed anew."""
import datetime
import struct
import time

import pytest

import faked_time
from service import BIN, Service, s  # noqa: F401
from test_authority import BOTH, Host, check_cert

TODAY = datetime.datetime.now(datetime.timezone.utc).date()


def day(away):
    return (TODAY + datetime.timedelta(days=away)).isoformat()


def number(s, key):
    return str(s.slots(key).json["key"])


def issued(answer):
    return struct.unpack(">I", bytes.fromhex(answer["certificate"])[12:16])[0]


def test_b45_a_revoked_host_is_told_and_nothing_is_counted(s):
    key, h = s.a.issue(), Host(1)
    first = h.request(s.a, key)
    s.enrol(first)
    s.a.run("host", "revoke", number(s, key), "1", "--yes")
    for request in (first, h.request(s.a, key, 2),
                    h.request(s.a, key, 2, replaces=1)):
        p = s.enrol(request).problem(409, "host_revoked")
        assert p["slot"] == 1
    slot, = s.slots(key).json["slots"]
    assert (slot["state"], slot["reactivations_used"]) == ("revoked", 0)
    assert s.a.run("host", "list", "--key", number(s, key))["slots"][0][
        "state"] == "revoked"
    # at the operator's counter as well
    assert s.a.activate(h.request(s.a, key, 2), rc=1)["code"] == "host_revoked"
    # another host may take its place; it comes back by a slot of its own
    other = s.enrol(Host(2).request(s.a, key, replaces=1)).json
    assert (other["outcome"], other["activation"]) == ("replacement", 2)
    again = s.enrol(h.request(s.a, key, 3)).json
    assert (again["outcome"], again["slot"]) == ("new", 2)


def test_b45_a_revoked_host_comes_back_by_a_release(s):
    key, h = s.a.issue("--hosts", "1"), Host(1)
    s.enrol(h.request(s.a, key))
    s.a.run("host", "revoke", number(s, key), "1", "--yes")
    s.a.run("host", "release", number(s, key), "1", "--yes")
    s.enrol(h.request(s.a, key, 2)).problem(409, "hosts_used_up")
    s.a.sign(BOTH)
    s.a.run("catalogue", "import", s.a.path("acme.muster"))
    again = s.enrol(h.request(s.a, key, 2)).json
    assert (again["slot"], again["activation"]) == (1, 2)


def test_b45_a_revoked_slot_is_nobodys(s):
    key = s.a.issue("--hosts", "2")
    s.enrol(Host(1).request(s.a, key))
    n = number(s, key)
    assert s.a.run("host", "revoke", n, "2", "--for-good", "--yes", rc=1)[
        "error"]["code"] == "slot_not_held"
    s.a.run("host", "revoke", n, "1", "--for-good", "--yes")
    s.enrol(Host(1).request(s.a, key, 2)).problem(409, "slot_revoked")
    s.enrol(Host(2).request(s.a, key, replaces=1)).problem(409, "slot_revoked")
    assert s.enrol(Host(2).request(s.a, key)).json["slot"] == 2
    s.enrol(Host(3).request(s.a, key)).problem(409, "hosts_used_up")
    # also where it is given back
    s.a.run("host", "release", n, "1", "--yes")
    s.a.sign(BOTH)
    s.a.run("catalogue", "import", s.a.path("acme.muster"))
    s.enrol(Host(3).request(s.a, key)).problem(409, "hosts_used_up")
    with open(s.a.path("prepared.json")) as f:
        assert f'"key_number": {n},\n      "slot": 1,\n      "activation": 0' \
            in f.read()
    s.a.run("audit", "verify")


@pytest.mark.parametrize("what", ["key", "host"])
def test_b45_as_of_a_day_to_come_it_is_used_until_then(s, what):
    key, h = s.a.issue(), Host(1)
    s.enrol(h.request(s.a, key))
    n = number(s, key)
    where = [n] if what == "key" else [n, "1"]
    s.a.run(what, "revoke", *where, "--as-of", day(1), "--yes")
    assert s.enrol(h.request(s.a, key, 2)).json["outcome"] == "reactivation"
    s.a.run(what, "revoke", *where, "--as-of", day(0), "--yes")
    p = s.enrol(h.request(s.a, key, 3)).json
    assert p["code"] == f"{what}_revoked"


@pytest.mark.bare
def test_a_certificate_of_a_day_to_come_is_signed_anew(tmp_path):
    """The authority's clock stood ahead, and was put right."""
    s = Service(tmp_path)
    key, h = s.a.issue(), Host(1)
    request = h.request(s.a, key)
    try:
        s.start([*faked_time.at("+10d"), f"{BIN}/muster-authority"])
        ahead = s.enrol(request).json
        s.stop()
        s.start()
        again = s.enrol(request).json
        assert (again["outcome"], again["reactivations_used"]) == ("same", 0)
        assert issued(ahead) - issued(again) == 10
        assert issued(again) == int(time.time()) // 86400
        check_cert(s.a, bytes.fromhex(again["certificate"]), 1, 1, h)
        # and then it stays
        assert s.enrol(request).json["certificate"] == again["certificate"]
    finally:
        s.stop()


def test_a_certificate_of_a_dropped_issuing_key_is_signed_anew(tmp_path):
    s = Service(tmp_path)
    key, h = s.a.issue(), Host(1)
    request = h.request(s.a, key)
    try:
        s.start()
        first = s.enrol(request).json
        s.a.run("issuer", "drop", "1", "--yes")
        s.a.run("issuer", "add", "--as-of", day(0))
        s.enrol(request).problem(503, "no_issuer")
        s.a.sign(BOTH, "--drop", "")
        s.a.run("catalogue", "import", s.a.path("acme.muster"))
        again = s.enrol(request).json
        assert (again["outcome"], again["reactivations_used"]) == ("same", 0)
        assert again["certificate"] != first["certificate"]
        check_cert(s.a, bytes.fromhex(again["certificate"]), 1, 1, h)
    finally:
        s.stop()
