# SPDX-License-Identifier: MIT
"""Goal: a host that no longer answers says so itself, and counts nobody by
asking."""
import json
import os
import re
import subprocess
import time

import pytest

import demo
from service import preloaded
from test_status import get, port_of, read

WAIT_S = 60
BAD_REPLY = os.path.join(demo.REPO, "build/tests/bad_reply.so")


def started(folder, settings):
    s = demo.Site(str(folder))
    s.settings = "self_test_seconds = 1;\n" + settings
    s.publish()
    s.start()
    return s


def until(site, good):
    end = time.monotonic() + WAIT_S
    while not ((told := read(site, "/v1/status"))["self_test"]
               and good(told["self_test"])):
        assert time.monotonic() < end, told["self_test"]
        time.sleep(0.1)
    return told


def test_it_answers_itself_and_counts_nobody(tmp_path):
    s = started(tmp_path, "")
    try:
        s.activate_host()
        first = until(s, lambda t: t["ok"] and "probes" in t["message"])
        until(s, lambda t: t["at_unix_s"] > first["self_test"]["at_unix_s"])
        told = read(s, "/v1/status")
        assert told["self_test"]["message"] == (
            f"127.0.0.1:{s.port} answers COVER; probes of 1 publisher get a "
            "signature that holds")
        assert {c["name"]: c["state"] for c in told["health"]["checks"]}[
            "self_test"] == "ok"
        assert told["connections"]["calls"] >= 2
        # probes are told apart from who is activated, or is not yet
        assert told["answers"] == {"activated": 0, "below_threshold": 0,
                                   "probes": told["requests"]["ok"]}
        assert told["answers"]["probes"] >= 2
        assert sum(told["requests"].values()) == told["requests"]["ok"]
        assert told["publishers"][0]["groups"][0]["count"] == 0
        assert get(port_of(s), "/readyz").status == 200
    finally:
        s.stop()
    with open(s.path("musterd.log")) as f:
        assert "self-test" not in f.read()  # it was never otherwise


def failing(folder, env=None, **settings):
    s = demo.Site(str(folder))
    s.env = env
    s.settings = "self_test_seconds = 1;\n" + "".join(
        f"{k} = {v};\n" for k, v in settings.items())
    s.publish()
    s.start()
    return s


def test_an_answer_that_no_client_would_trust_is_told(tmp_path):
    """The certificate is right and the last byte of the signature is not: COVER
    shows nothing of it."""
    s = failing(tmp_path, preloaded(BAD_REPLY))
    try:
        s.activate_host()
        told = until(s, lambda t: not t["ok"])
        publisher = told["publishers"][0]["id"]
        assert told["self_test"]["message"].startswith(
            f"127.0.0.1:{s.port}: no answer to a probe for publisher {publisher}"
            " that holds: ")
        assert "signature" in told["self_test"]["message"]
        assert told["health"]["state"] == "error"
    finally:
        s.stop()
    with open(s.path("musterd.log")) as f:
        assert "no answer to a probe" in f.read()


def test_a_host_outside_its_own_networks_says_so(tmp_path):
    s = failing(tmp_path, allowed_networks='[ "192.0.2.0/24" ]')
    try:
        s.activate_host()
        told = until(s, lambda t: "allowed_networks" in t["message"])
        assert told["self_test"]["ok"]
        # nobody was refused: it would be an alert
        assert told["requests"]["refused"] == 0
    finally:
        s.stop()


def by_socket(site):
    return json.loads(demo.run("muster", "host", "status", "--json", "--root",
                               site.host_root, ok=(0, 3)))


def loopback(site, state):
    subprocess.run(["nsenter", "-t", str(site.daemon.pid), "-U",
                    "-n", "--preserve-credentials", "ip", "link",
                    "set", "lo", state], check=True, timeout=WAIT_S)


@pytest.mark.long
def test_what_does_not_answer_is_told_when_it_changes(tmp_path):
    """In a network of its own, whose loopback goes away and comes back."""
    s = demo.Site(str(tmp_path))
    s.settings = "self_test_seconds = 1;\n"
    s.wrap = ["unshare", "-rn", "sh", "-c", 'ip link set lo up; exec "$0" "$@"']
    s.publish()
    s.start()

    def wait(good):
        end = time.monotonic() + WAIT_S
        while not ((told := by_socket(s))["self_test"]
                   and told["self_test"]["ok"] == good):
            assert time.monotonic() < end, told["self_test"]
            time.sleep(0.1)
        return told
    try:
        wait(True)
        loopback(s, "down")
        health = wait(False)["health"]
        assert health["state"] == "error"
        check, = (c for c in health["checks"] if c["name"] == "self_test")
        assert "does not answer itself" in check["message"]
        at = by_socket(s)["self_test"]["at_unix_s"]
        end = time.monotonic() + WAIT_S
        while by_socket(s)["self_test"]["at_unix_s"] == at:
            assert time.monotonic() < end
            time.sleep(0.1)
        loopback(s, "up")
        wait(True)
    finally:
        s.stop()
    with open(s.path("musterd.log")) as f:
        told = re.findall("self-test: .*", f.read())
    assert len(told) == 2, told
    assert "does not answer COVER" in told[0] and "muster ping" in told[0]
    assert told[1].endswith("answers COVER")
