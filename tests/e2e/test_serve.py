# SPDX-License-Identifier: MIT
"""Goal: the HTTPS service answers every request as doc/openapi.yaml says, and
as the commands do.  Each answer is held against that file by service.py."""
import concurrent.futures
import json
import os
import ssl
import subprocess
import time

import jsonschema
import pytest

from service import (OPENAPI, SEEN, Host, s, slots_ask,  # noqa: F401
                     wrong)
from test_authority import BIN, check_cert

FAR_S = 4 * 3600 + 60
ABSENT = {"busy", "no_issuer", "failed", "rate_limited"}


def test_b40_a_new_host_and_its_retry(s):
    key, h = s.a.issue(), Host(1)
    request = h.request(s.a, key)
    first = s.enrol(request)
    assert first.status == 201
    g = first.json
    assert (g["outcome"], g["slot"], g["activation"], g["hosts_used"],
            g["hosts"], g["reactivations_used"], g["reactivations"]) == (
        "new", 1, 1, 1, 6, 0, 9)
    check_cert(s.a, bytes.fromhex(g["certificate"]), 1, 1, h)
    again = s.enrol(request)
    assert again.status == 200 and again.json["outcome"] == "same"
    for name in set(g) - {"outcome"}:
        assert again.json[name] == g[name]


def test_b41_a_customers_limits(s):
    key = s.a.issue()
    for n in range(1, 7):
        assert s.enrol(Host(n).request(s.a, key)).json["slot"] == n
    p = s.enrol(Host(7).request(s.a, key)).problem(409, "hosts_used_up")
    assert (p["hosts"], p["hosts_used"]) == (6, 6)
    assert p["contact"] == "call +1 555 0100"
    assert [x["name"] for x in p["slots"]] == [
        f"kms{n}.example" for n in range(1, 7)]
    # b42: the exception
    number = s.slots(key).json["key"]
    s.a.run("key", "grant", str(number), "--hosts", "7")
    assert s.enrol(Host(7).request(s.a, key)).json["slot"] == 7
    for n in range(1, 10):
        g = s.enrol(Host(1).request(s.a, key, counter=1 + n))
        assert g.status == 200 and g.json["outcome"] == "reactivation"
        assert g.json["reactivations_used"] == n
    p = s.enrol(Host(1).request(s.a, key, counter=11)).problem(
        409, "reactivations_used_up")
    assert (p["slot"], p["reactivations"]) == (1, 9) and p["contact"]
    s.enrol(Host(1).request(s.a, key, counter=3)).problem(409, "counter_old")


def test_b41_replacement_and_slots_that_cannot(s):
    key = s.a.issue()
    s.enrol(Host(1).request(s.a, key))
    g = s.enrol(Host(2).request(s.a, key, replaces=1)).json
    assert (g["outcome"], g["slot"], g["activation"]) == ("replacement", 1, 2)
    p = s.enrol(Host(3).request(s.a, key, replaces=5)).problem(
        409, "slot_not_held")
    assert p["slot"] == 5
    # the last number that an activation can have
    number = s.slots(key).json["key"]
    s.query("UPDATE slot SET activation = 255 WHERE key_number = ?", number)
    p = s.enrol(Host(3).request(s.a, key, replaces=1)).problem(
        409, "slot_closed")
    assert p["slot"] == 1


def test_b45_slots_and_release(s):
    key = s.a.issue("--releases", "1", "--lines", "0,2", "--hosts", "2")
    for n in (1, 2):
        s.enrol(Host(n).request(s.a, key))
    k = s.slots(key).json
    assert (k["level"], k["lines"], k["customer"], k["revoked"]) == (
        1, [0, 2], "St Elsewhere", False)
    assert (k["hosts"], k["hosts_used"], k["releases"],
            k["releases_used"]) == (2, 2, 1, 0)
    today = time.strftime("%Y-%m-%d", time.gmtime())
    assert [(x["slot"], x["name"], x["state"], x["activated_day"])
            for x in k["slots"]] == [(1, "kms1.example", "held", today),
                                     (2, "kms2.example", "held", today)]
    r = s.release(key, 1).json
    assert (r["slot"], r["activation"], r["releases_used"]) == (1, 1, 1)
    # a retry counts nothing; the next release is one too many
    assert s.release(key, 1).json == r
    p = s.release(key, 2).problem(409, "releases_used_up")
    assert p["releases"] == 1 and p["contact"]
    k = s.slots(key).json
    assert [x["state"] for x in k["slots"]] == ["released", "held"]
    s.enrol(Host(3).request(s.a, key)).problem(409, "hosts_used_up")
    s.a.sign()
    s.a.run("catalogue", "import", s.a.path("acme.muster"))
    assert [x["slot"] for x in s.slots(key).json["slots"]] == [2]
    assert s.release(key, 1).json == r
    g = s.enrol(Host(3).request(s.a, key)).json
    assert (g["slot"], g["activation"]) == (1, 2)
    # the slot has changed hands: an old ask does nothing
    assert s.release(key, 1).problem(409, "slot_not_held")["slot"] == 1
    assert s.slots(key).json["hosts_used"] == 2


def test_b45_a_revoked_key(s):
    key = s.a.issue()
    s.enrol(Host(1).request(s.a, key))
    s.a.run("key", "revoke", str(s.slots(key).json["key"]), "--yes")
    s.enrol(Host(2).request(s.a, key)).problem(403, "key_revoked")
    s.release(key, 1).problem(403, "key_revoked")
    assert s.slots(key).json["revoked"] is True


def test_unknown_number_and_wrong_proof_are_one_answer(s):
    key = s.a.issue()
    asks = [lambda: s.enrol(Host(1).request(s.a, key, number=999999)),
            lambda: s.enrol(Host(1).request(s.a, wrong(key))),
            lambda: s.slots(key, number=999999),
            lambda: s.slots(wrong(key)),
            lambda: s.release(key, 1, number=999999),
            lambda: s.release(wrong(key), 1)]
    answers = [ask() for ask in asks]
    for answer in answers:
        answer.problem(403, "key_unknown")
        assert answer.body == answers[0].body
        assert [h for h in answer.headers if h != "Date"] == [
            h for h in answers[0].headers if h != "Date"]
    assert s.slots(key).json["slots"] == []


def test_for_another_publisher(s):
    key, other = s.a.issue(), bytes(16)
    s.enrol(Host(1).request(s.a, key, publisher=other)).problem(
        421, "publisher")
    s.slots(key, publisher=other).problem(421, "publisher")
    s.release(key, 1, publisher=other).problem(421, "publisher")


def test_a_clock_that_is_wrong_is_told_the_time_after_a_proof(s):
    key = s.a.issue()
    for at in (time.time() - FAR_S, time.time() + FAR_S, 0):
        for ask in (s.slots, lambda key, at: s.release(key, 1, at=at)):
            p = ask(key, at=int(at)).problem(400, "clock")
            assert abs(p["unix_s"] - time.time()) < 60
            p = ask(wrong(key), at=int(at)).problem(403, "key_unknown")
            assert "unix_s" not in p
    for at in (time.time() - FAR_S + 300, time.time() + FAR_S - 300):
        assert s.slots(key, at=int(at)).status == 200


def post(s, body, kind="application/json"):
    return s.ask("POST", "/v1/hosts", body, {"Content-Type": kind})


def test_bodies_that_are_no_request(s):
    good = Host(1).request(s.a, s.a.issue()).hex()
    deep = "[" * 2000 + "]" * 2000
    for body in ("", "{", "null", "[]", "{}", '"' + good + '"', deep,
                 '{"request": 1}', '{"request": null}', '{"request": ""}',
                 json.dumps({"request": good.upper()}),
                 json.dumps({"request": good[:-1]}),
                 json.dumps({"request": good[:-2]}),
                 json.dumps({"request": good + "00"}),
                 json.dumps({"request": good + "00" * 400}),
                 json.dumps({"request": good, "x": 1}),
                 '{"request": "%s", "request": "%s"}' % (good, good),
                 json.dumps({"request": good}) + "x",
                 '{"request": "%s\\u0000"}' % good,
                 b"\xff\xfe" + json.dumps({"request": good}).encode()):
        post(s, body).problem(400, "bad_request")
    flipped = bytearray.fromhex(good)
    for i in range(0, len(flipped), 9):
        flipped[i] ^= 1
        assert s.enrol(bytes(flipped)).status in (400, 421)
        flipped[i] ^= 1
    assert post(s, json.dumps({"request": good}),
                "Application/JSON; charset=utf-8").status == 201


def test_asks_that_are_none(s):
    key = s.a.issue()
    good = slots_ask(s.a, key)
    for ask in (None, "", "x", good.hex()[:-1], good.hex() + "00",
                good.hex().upper(), good.hex()[:-2] + "g0",
                slots_ask(s.a, key, act=2, slot=1, activation=1).hex(),
                (b"MUSTERQ2" + good[8:]).hex()):
        headers = {} if ask is None else {"Muster-Ask": ask}
        s.ask("GET", "/v1/hosts", headers=headers).problem(400, "bad_request")
    # the slot of the path is the slot of the ask, and its method the act
    s.release(key, 1, path=2).problem(400, "bad_request")
    s.ask("DELETE", "/v1/hosts/1",
          headers={"Muster-Ask": good.hex()}).problem(400, "bad_request")


def test_paths_methods_and_types(s):
    for path in ("/", "/v1", "/v1/hosts/", "/v1/hosts/0", "/v1/hosts/256",
                 "/v1/hosts/01", "/v1/hosts/1/", "/v1/hosts/x", "/v2/hosts",
                 "/v1/hosts/..%2f", "/" + "a" * 4000):
        for method in ("GET", "DELETE", "POST"):
            s.ask(method, path).problem(404, "not_found")
    for method, path, allow in (
            ("PUT", "/v1/hosts", "GET, POST"), ("DELETE", "/v1/hosts",
                                                "GET, POST"),
            ("GET", "/v1/hosts/1", "DELETE"), ("POST", "/healthz", "GET"),
            ("BREW", "/metrics", "GET"), ("GE", "/metrics", "GET")):
        answer = s.ask(method, path)
        answer.problem(405, "method_not_allowed")
        assert answer.headers["Allow"] == allow
    for kind in ("text/plain", "application/jsonp", "application/x+json"):
        post(s, "{}", kind).problem(415, "unsupported_media_type")
    s.ask("POST", "/v1/hosts", "{}").problem(415, "unsupported_media_type")


def test_health_and_metrics(s):
    before = s.metrics()
    assert s.ask("GET", "/healthz").body == b"ok\n"
    key = s.a.issue()
    s.enrol(Host(1).request(s.a, key))
    s.enrol(Host(1).request(s.a, key))
    after = s.metrics()

    def rose(name):
        name = "muster_authority_" + name
        return after[name] - before[name]
    for kind in ("new", "same"):
        assert rose(f'requests_total{{outcome="{kind}"}}') == 1
        assert rose(f'grants_total{{kind="{kind}"}}') == 1
    assert rose('requests_total{outcome="healthy"}') == 1
    assert rose("commits_total") == 3 == rose("batch_size_count")
    assert rose("batch_size_sum") == 3
    assert after["muster_authority_connections"] >= 1
    assert after["muster_authority_queue_length"] == 0


def test_one_connection_may_ask_often(s):
    key, sock = s.a.issue(), s.connect()
    for n in range(1, 5):
        assert s.enrol(Host(n).request(s.a, key), sock=sock).json["slot"] == n
    sock.close()


def test_tls_1_3_alone(s):
    old = ssl.create_default_context(cafile=s.a.path("ca.pem"))
    old.maximum_version = ssl.TLSVersion.TLSv1_2
    with pytest.raises((ssl.SSLError, ConnectionError)):
        s.connect(old)
    sock = s.connect()
    assert sock.version() == "TLSv1.3"
    sock.close()


def test_b41_fifty_at_once_for_the_last_slot(s):
    key = s.a.issue()
    for n in range(1, 6):
        s.enrol(Host(n).request(s.a, key))
    asks = [Host(100 + n).request(s.a, key) for n in range(50)]
    with concurrent.futures.ThreadPoolExecutor(50) as pool:
        answers = list(pool.map(s.enrol, asks))
    assert sorted(x.status for x in answers) == [201] + [409] * 49
    for x in answers:
        if x.status == 409:
            x.problem(409, "hosts_used_up")
    assert s.slots(key).json["hosts_used"] == 6
    s.a.run("audit", "verify")


def test_b41_the_operator_and_the_service_share_the_limits(s):
    key = s.a.issue()
    asks = [Host(n).request(s.a, key) for n in range(1, 25)]

    def command(i):
        f = s.a.write(s.a.path(f"both{i}.request"), asks[i])
        return subprocess.run(
            [os.path.join(BIN, "muster-authority"), "activate", "--dir",
             s.a.dir, "--file", f, "-o", s.a.path(f"both{i}.cert")],
            capture_output=True, timeout=240).returncode == 0

    def either(i):
        return s.enrol(asks[i]).status == 201 if i % 2 else command(i)
    with concurrent.futures.ThreadPoolExecutor(8) as pool:
        assert sum(pool.map(either, range(len(asks)))) == 6
    s.a.run("audit", "verify")


def test_b45_a_revoked_host_and_a_revoked_slot(s):
    key = s.a.issue()
    s.enrol(Host(1).request(s.a, key))
    number = str(s.slots(key).json["key"])
    s.a.run("host", "revoke", number, "1", "--yes")
    assert s.enrol(Host(1).request(s.a, key)).problem(
        409, "host_revoked")["slot"] == 1
    s.a.run("host", "revoke", number, "1", "--for-good", "--yes")
    s.enrol(Host(2).request(s.a, key, replaces=1)).problem(409, "slot_revoked")


def test_zz_every_answer_of_the_description_was_seen(s):
    """Of this file's tests: paths, methods and codes."""
    jsonschema.Draft202012Validator.check_schema(
        {"components": OPENAPI["components"]})
    verbs = {(path, verb.upper()) for path, item in OPENAPI["paths"].items()
             for verb in item}
    assert verbs <= {(path, method) for path, method, status, _ in SEEN
                     if status < 400}
    described = set()

    def walk(node):
        if isinstance(node, dict):
            code = node.get("code", {})
            if isinstance(code, dict):
                described.update(code.get("enum", [code.get("const")]))
            for item in node.values():
                walk(item)
        elif isinstance(node, list):
            for item in node:
                walk(item)
    walk(OPENAPI["components"])
    assert described - {None} - {code for *_, code in SEEN} <= \
        ABSENT | {"too_large"}


def test_zz_the_log_verifies_afterwards(s):
    s.a.run("audit", "verify")
    assert s.stop() == 0
    assert not [x for x in s.log if "store" in x]
