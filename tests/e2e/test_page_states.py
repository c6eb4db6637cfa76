# SPDX-License-Identifier: MIT
"""Goal: a host where nothing is wrong says so, in a browser and to scripts; in
each state the page can be read by everybody.  A lease that ends soon is told as
such on the page, to scripts and to monitoring: the same figures as the
database's own rows give."""
import json
import os
import signal
import subprocess
import time
import uuid

import pytest

import demo
import page
import page_states
import shots
import wire
from page import eventually
from test_metrics import metrics, samples
from test_page import chromium  # noqa: F401 - a fixture

N_NOTES, N_REFUSED = 35, 4  # more than the page asks for; below the log's limit
DAY = 86400
FILL = os.path.join(demo.REPO, "build/tests/fill_store")
VALIDITY_DAYS = 180  # the catalogue's default
WITHIN = (7, 30, 60)
# Days that the leases of so many machines still hold, half a day off each edge
# (the unit test of the summary has the edges to the second), and the machines'
# threshold: of 20 that need 25 none has a lease.
ASKED = ((-0.5, 6, 1), (6.5, 1, 1), (7.5, 2, 1), (29.5, 3, 1), (30.5, 4, 1),
         (59.5, 5, 1), (60.5, 7, 1), (170, 20, 25))
# So many have asked again since, and were told too few: they keep what they had
# (b31).
AGAIN = (50, 4)
in_looks = pytest.mark.parametrize("looks", [page.LOOKS, pytest.param(
    page.MORE_LOOKS, marks=pytest.mark.long)], ids=["two", "others"])


def axe_in_each_look(view, looks, port=None):
    """port None: the page stays, for the host does not answer."""
    for scheme, size in looks:
        view.look(scheme, size)
        if port is not None:
            view.open(port)
        assert view.axe() == [], (scheme, size)
    view.look()


@pytest.fixture(scope="module")
def healthy(tmp_path_factory):
    with page_states.host(tmp_path_factory.mktemp("healthy"), True,
                          page_states.ENOUGH) as s:
        yield s


@in_looks
def test_a_healthy_host_says_that_all_is_right(chromium, healthy,  # noqa: F811
                                               looks):
    chromium.look()
    chromium.open(page.status_port(healthy))
    assert chromium.verdict() == "ok"
    assert chromium.text("#verdict-title") == "Everything is all right."
    assert chromium.problems() == {}
    assert "published in corp.test" in chromium.text("#verdict-more")
    assert chromium.number("[data-is=count]") == page_states.ENOUGH
    assert chromium.texts("#groups .chip") == ["activates"] * 2
    told = page.status(healthy)["health"]
    assert told["state"] == "ok"
    assert {(c["name"], c["state"]) for c in told["checks"]} == {
        (name, "ok") for name in ("store", "certificate", "count", "dns",
                                  "self_test")}
    assert "ok" in demo.run("muster", "host", "status", "--root",
                            healthy.host_root)
    axe_in_each_look(chromium, looks, page.status_port(healthy))


@in_looks
def test_axe_has_nothing_against_an_error_and_silence(chromium,  # noqa: F811
                                                      tmp_path, looks):
    """A host that cannot activate; then one that no longer answers."""
    s = demo.Site(str(tmp_path))
    s.publish()
    s.start()
    try:
        chromium.look()
        chromium.open(page.status_port(s))
        assert chromium.verdict() == "error"
        assert "not activated" in chromium.problems()["certificate"]
        axe_in_each_look(chromium, looks, page.status_port(s))
    finally:
        s.stop()

    def is_told():
        chromium.again()
        return "has not answered since" in chromium.text("#verdict-title")
    assert eventually(is_told)
    axe_in_each_look(chromium, looks)
    chromium.log()  # that the connection was refused


def test_a_picture_has_the_whole_page(chromium, healthy, tmp_path):  # noqa: F811
    for name, (scheme, size) in shots.LOOKS.items():
        chromium.look(scheme, size)
        chromium.open(page.status_port(healthy))
        path = tmp_path / f"{name}.png"
        shots.take(chromium, path)
        png = path.read_bytes()
        assert png[:8] == b"\x89PNG\r\n\x1a\n"
        width, height = (int.from_bytes(png[i:i + 4], "big") for i in (16, 20))
        assert width == size[0] and height == chromium.js(
            "return document.documentElement.scrollHeight")
        assert os.path.getsize(path) > 10_000
    chromium.look()


def test_an_error_stays_among_the_events(chromium, tmp_path):  # noqa: F811
    """However many notes come after it; and refusals are one line."""
    s = demo.Site(str(tmp_path))
    s.publish()
    s.start()
    conf = os.path.join(s.host_root, "etc/muster/musterd.conf")
    with open(conf) as f:
        good = f.read()

    def told(**query):
        path = "/v1/events?limit=1000" + "".join(
            f"&{k}={v}" for k, v in query.items())
        return json.loads(page.get(port, path)[2])["events"]

    def read_again(text):
        with open(conf, "w") as f:
            f.write(text)
        last = told()[-1]["id"]
        s.daemon.send_signal(signal.SIGHUP)
        assert eventually(lambda: told()[-1]["id"] > last)
    try:
        port = page.status_port(s)
        read_again(good + "colour = 1;\n")
        grave = told(level="error")
        assert grave == [e for e in told() if e["level"] == "error"] != []
        for _ in range(N_NOTES):
            read_again(good)
        for _ in range(N_REFUSED):
            assert wire.activate(s.port, bytes(16))[0] != 0
        assert eventually(lambda: [e["event"] for e in told()][-N_REFUSED:] ==
                          ["request"] * N_REFUSED)
        assert grave[-1]["id"] <= told()[-1]["id"] - 30  # all that is asked for

        chromium.look()
        chromium.open(port)
        lines = chromium.texts("#events li")
        assert sum("Error" in li and grave[-1]["message"] in li
                   for li in lines) == 1
        refused, = (li for li in lines if "unknown_product" in li)
        assert f"and {N_REFUSED - 1} lines like it since" in refused
        times = [li[:19] for li in lines]
        assert times == sorted(times, reverse=True)
        assert chromium.axe() == []
    finally:
        s.stop()


@pytest.fixture(scope="module")
def aged(tmp_path_factory):
    s = demo.Site(str(tmp_path_factory.mktemp("aged")))
    s.publish()
    s.start()
    s.activate_host()
    publisher = page.status(s)["publishers"][0]["id"]
    s.stop()
    now = int(time.time())
    def ask(n, at, threshold, *first):
        subprocess.run([FILL, os.path.join(
            s.host_root, "var/lib/muster/host/host.db"), publisher, "1",
            uuid.UUID(demo.DESKTOP).hex, str(n), str(at), str(threshold),
            *first], check=True, timeout=240)

    for left_days, n, threshold in ASKED:
        ask(n, now + int((left_days - VALIDITY_DAYS) * DAY), threshold)
    left_days, n = AGAIN
    ask(n, now + (left_days - VALIDITY_DAYS) * DAY, 1, "1")
    ask(n, now - DAY, 25, "1")
    s.start()
    yield s
    s.stop()


def of_database(site, at_unix_s):
    ends = [at + VALIDITY_DAYS * DAY - at_unix_s for at, in page.Database(
        site).settled().query("SELECT granted FROM client WHERE granted > 0")]
    return {"current": sum(e > 0 for e in ends),
            "ended": sum(e <= 0 for e in ends),
            **{f"within_{d}_days": sum(0 < e <= d * DAY for e in ends)
               for d in WITHIN}}


def test_b5_leases_that_end_are_those_of_the_database(chromium, aged):  # noqa: F811
    at_unix_s = page.summed(aged)
    wanted = of_database(aged, at_unix_s)
    _, n = AGAIN
    assert wanted == {"ended": 6, "within_7_days": 1, "within_30_days": 6,
                      "within_60_days": 15 + n, "current": 22 + n}
    assert page.status(aged)["inventory"]["leases"] == wanted

    told = samples(metrics(aged))
    assert told["muster_host_inventory_leases"] == wanted["current"]
    for d in WITHIN:
        assert told[f'muster_host_inventory_leases_ending{{days="{d}"}}'] == \
            wanted[f"within_{d}_days"], d

    chromium.look()
    chromium.open(page.status_port(aged))
    for name in ("current", "ended"):
        assert chromium.number(f"[data-is={name}]") == wanted[name], name
    for d in WITHIN:
        assert chromium.number(f"[data-is=within-{d}]") == \
            wanted[f"within_{d}_days"], d
