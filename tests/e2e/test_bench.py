# SPDX-License-Identifier: MIT
"""Goal: ./dev bench measures what it prints, and fails when it cannot.  Each
measure runs here in small, and no figure that depends on the machine is
judged."""
import json
import os
import re
import signal
import subprocess
import sys
import threading
import xml.dom.minidom

import pytest

from conftest import REPO

BENCH = os.path.join(REPO, "bench")
sys.path.insert(0, BENCH)

import allocs  # noqa: E402
import authority  # noqa: E402
import bench  # noqa: E402
import client  # noqa: E402
import curves  # noqa: E402
import demo  # noqa: E402
import host  # noqa: E402
import page  # noqa: E402
import plot  # noqa: E402
import postgresql  # noqa: E402
import publisher  # noqa: E402
import rows  # noqa: E402
import statuspage  # noqa: E402
import storm  # noqa: E402


def run(*args, env=None):
    return subprocess.run(
        [sys.executable, os.path.join(BENCH, "bench.py"), *args],
        capture_output=True, text=True, timeout=480,
        env={**os.environ, **(env or {})})


@pytest.fixture(scope="module")
def site(tmp_path_factory):
    s = publisher.BenchSite(str(tmp_path_factory.mktemp("bench")))
    yield s.running()
    s.stop()


def test_the_table_has_a_figure():
    p = run("start")
    line, = [t for t in p.stdout.splitlines() if t.startswith("musterd,")]
    m = re.search(r" (\d[\d.,]*) ms .* 200 +(met|MISSED)$", line)
    assert m and float(m.group(1).replace(",", "")) > 0, p.stdout
    assert p.returncode == (0 if m.group(2) == "met" else 1)
    assert re.search(r"^machine: \d+ cores, Linux ", p.stdout, re.M)
    assert re.search(r"^commit: +\S", p.stdout, re.M)


def test_what_cannot_be_measured_is_a_failure():
    p = run("start", env={"MUSTER_BIN": "/nonexistent"})
    assert p.returncode == 1 and "NOT MEASURED" in p.stdout, p.stdout


def test_a_measure_without_a_row_is_a_failure(monkeypatch, capsys):
    monkeypatch.setitem(bench.MEASURES, "start", lambda site: iter(()))
    assert not bench.rows_of("start", None)
    assert "NOT MEASURED" in capsys.readouterr().out


def test_a_name_that_is_none():
    p = run("strat")
    assert p.returncode == 2 and "start" in p.stderr


@pytest.mark.parametrize("figure, limit, text, is_good", [
    (200, 200, "met", True), (200.1, 200, "MISSED", False),
    (1, 0, "MISSED", False), (0, 0, "met", True), (9e9, None, "told", True)])
def test_a_limit_decides(figure, limit, text, is_good, capsys):
    row = publisher.Row("what", figure, "µs", "", limit)
    assert bench.judge(row) == bench.Verdict(text, is_good)
    assert bench.show(row) == is_good
    assert text in capsys.readouterr().out


def test_a_limit_may_be_the_least():
    row = publisher.Row("what", 9.9, limit=10, at_least=True)
    assert not bench.judge(row).is_good
    row.figure = 10
    assert bench.judge(row).is_good


@pytest.mark.long
def test_muster_check_small(site, monkeypatch):
    monkeypatch.setattr(client, "CHECK_CALLS", 5)
    rows = list(client.check(site))
    assert [r.limit for r in rows] == [200, None, 200, None, 500, None,
                                         200]
    assert all(r.figure > 0 for r in rows)
    # what is not licensed is not a figure
    with pytest.raises(RuntimeError, match="muster_check"):
        publisher.program("bench_check", site.machine(77), site.catalogue,
                          site.root_pk, client.hex_id(publisher.PRODUCTS[0]),
                          5)


@pytest.mark.long
def test_rest_small(site, monkeypatch):
    monkeypatch.setattr(client, "REST_S", 1)
    rss, wakes = client.rest(site)
    assert rss.figure > 0 and rss.limit == 6
    assert (wakes.figure, wakes.limit) == (0, 0)


@pytest.mark.long
def test_activate_small(site, monkeypatch):
    monkeypatch.setattr(client, "THREADS", 10)
    monkeypatch.setattr(client, "THREAD_CALLS", 5)
    row, = client.activate(site)
    assert (row.figure, row.limit) == (0, 0) and "50 from 10" in row.what


def test_activate_counts_errors(site):
    """Without an agent each call is one."""
    r = publisher.program("bench_activate", site.machine(78), 3, 2,
                          client.hex_id(publisher.PRODUCTS[0]))
    assert r["calls"] == r["errors"] == 6


@pytest.mark.long
def test_load_small(site, monkeypatch):
    monkeypatch.setattr(host, "CONNECTIONS", (1, 20))
    monkeypatch.setattr(host, "REQUESTS", {1: 5, 20: 250})
    monkeypatch.setattr(host, "SYNC_S", 0.02)
    rows = list(host.load(site))
    assert [r.figure > 0 for r in rows] == [True, True]
    assert "250 new clients, 0 BUSY" in rows[1].note


def test_load_takes_no_refusal_for_an_answer(site):
    """A host that nobody activated answers, and no answer counts."""
    root = host.fresh_root(site, "refuses")
    with host.running(root) as port:
        with pytest.raises(RuntimeError, match="reply: "):
            publisher.program(
                "bench_load", "--port", port, "--catalogue", site.catalogue,
                "--product", client.hex_id(publisher.PRODUCTS[0]),
                "--connections", 2, "--requests", 10)


@pytest.mark.long
def test_authority_small(tmp_path):
    s = publisher.BenchSite(str(tmp_path))
    rows = list(authority.authority(s, few=60, many=200, asks=50))
    assert [r.limit for r in rows] == [2, 50, 2, 50, 1.5]
    assert all(r.figure > 0 for r in rows)
    assert "50 activations" in rows[0].note
    # a refusal is no activation: the same hosts and keys once more
    with pytest.raises(RuntimeError, match='"failed":50'):
        authority.measure(s, s.path("authority"), 200, 50, 3)


@pytest.fixture
def small(monkeypatch):
    monkeypatch.setattr(rows, "ROUNDS", 1)
    monkeypatch.setattr(rows, "SECONDS", 0.3)
    monkeypatch.setattr(rows, "WARM_S", 0.05)
    monkeypatch.setattr(rows, "CONNECTIONS", 40)
    monkeypatch.setattr(rows, "CLIENTS", 100)
    monkeypatch.setattr(curves, "RUNS", 1)


@pytest.mark.long
def test_rows_small(site, small):
    """Each server answers the one generator, and what it signs verifies."""
    list(rows.rows(site))
    got = site.result["rows"]
    assert [r["name"] for r in got] == [
        "limit", "limit+sign", "limit+sign+fsync", "stock", "http", "musterd",
        "musterd-own-signature", "musterd-first-contacts", "musterd-16-calls"]
    for r in got:
        assert r["activations_per_s"] > 0 and r["cpu_us"] > 0, r
        assert 0 < r["p50_us"] <= r["p99_us"] <= r["p999_us"] <= r["max_us"]
        assert r["half"]["p99_us"] > 0 and r["rss_kib"] > 0, r
        if r["name"] in rows.MUST_SYNC:
            assert 0 < r["fsyncs_per_activation"] < 2, r
    assert set(site.result["ratios"]) >= {*rows.RATIOS,
                                          "cpu_first_contact_to_limit_sign"}
    # each of them was a new one
    them = json.loads(demo.run("muster", "host", "clients", "--root",
                               site.apart.host_root, "--json"))["clients"]
    assert len(them) > 100 and {c["contacts"] for c in them} == {1}
    xml.dom.minidom.parseString(plot.svg(site.result))


def test_a_reply_that_nobody_signed_is_bad(site, small):
    """The limit without signatures, asked for signed replies."""
    with rows.server(site, [rows.built("bench_limit")],
                     r"port (\d+) key (\w+)") as (pid, port, m):
        with pytest.raises(RuntimeError, match=r"'bad': [1-9]"):
            rows.load(site, port, [pid], *rows.asking(site), "--key", m[2],
                      kind="bare", connections=40, seconds=1)


def test_a_server_that_stalls_at_the_end_is_late(site, small, monkeypatch):
    """The open loop's time is over while the server stands still: what was
    due by then is still waited for, and is late from its own moment on."""
    site.running()
    with rows.server(site, [rows.built("bench_limit")],
                     r"port (\d+) key (\w+)") as (pid, port, m):
        def signal_in(s, number):
            t = threading.Timer(s, os.kill, [pid, number])
            t.start()
            return t
        timers = [signal_in(0.5, signal.SIGSTOP),
                  signal_in(2, signal.SIGCONT)]
        r = rows.load(site, port, [pid], *rows.asking(site), "--rate", 100,
                      kind="bare", connections=200, seconds=1)
        for t in timers:
            t.join()
    assert r["seconds"] < 1.5 and r["max_us"] > 900_000, r
    assert r["ok"] > r["per_s"] * r["seconds"] + 20, r


def test_connections_that_stay(site, small):
    """Of one connection's calls the last one ends it; where more are wanted
    than the host takes, the host does, and the next call has a new one."""
    with rows.musterd(site) as (pid, port, _):
        for options in (["--calls", 4], ["--calls", 16],
                        ["--calls", 100, "--rate", 200]):
            r = rows.load(site, port, [pid], *rows.asking(site, "--share"),
                          *options, connections=4, seconds=1)
            assert r["ok"] > 40, (options, r)


def test_the_middle_of_three():
    them = [{"cpu_us": x, "fsyncs_per_activation": None, "curve": [x], "p99_us": x,
             "half": {"p99_us": 10 * x}, "reply_bytes": [1, 2]}
            for x in (3, 1, 2)]
    assert rows.middle(them) == {
        "cpu_us": 2, "cpu_us_of": [1, 3], "fsyncs_per_activation": None, "curve": [2],
        "p99_us": 2, "half": {"p99_us": 20}, "reply_bytes": [1, 2]}


def test_a_ratio_is_of_its_two_rows():
    def row(name, cpu, per_s, half, one):
        return {"name": name, "cpu_us": cpu, "activations_per_s": per_s,
                "half": {"p99_us": half}, "one": {"p99_us": one}}
    assert rows.ratios([
        row("limit", 10, 1, 1, 1), row("limit+sign", 30, 1, 1, 1),
        row("limit+sign+fsync", 1, 1, 40, 1), row("stock", 1, 500, 1, 1),
        row("musterd", 15, 9000, 60, 30),
        row("musterd-own-signature", 33, 1, 1, 1),
        row("musterd-first-contacts", 36, 1, 1, 1)]) == {
            "cpu_own_to_limit_sign": 1.1,
            "cpu_first_contact_to_limit_sign": 1.2, "cpu_shared_to_limit": 1.5,
            "cpu_shared_to_limit_sign": 0.5, "throughput_to_stock": 18,
            "p99_half_to_own_p99_at_one": 2,
            "p99_half_to_limit_sign_fsync": 1.5}
    assert rows.ratios([row("limit", 10, 1, 1, 1)]) == {}


@pytest.mark.long
def test_curves_small(site, small, monkeypatch):
    monkeypatch.setattr(curves, "IDLE", 50)
    monkeypatch.setattr(curves, "MEMORY_CLIENTS", 300)
    monkeypatch.setattr(curves, "CLIENTS", (50, 700))
    monkeypatch.setattr(curves, "GROUPS", (1, 128))
    for measure in (curves.idle, curves.clients, curves.groups):
        assert all(r.figure > 0 for r in measure(site))
    assert {k: [p["at"] for p in v]
            for k, v in site.result["curves"].items()} == {
                "idle": [0, 50], "clients": [50, 700], "groups": [1, 128]}
    assert "beside" not in plot.svg({"rows": [], "curves": {}})
    xml.dom.minidom.parseString(plot.svg(site.result))


@pytest.mark.long
def test_looking_small(site, small):
    """All but the browser, which has tests of its own."""
    s = statuspage.filled(site, "look", 300)
    try:
        port = page.status_port(s)
        got = [*statuspage.scrapes(site, s, port, 300, 5),
               *statuspage.effect(site, s, port, 300, 1, 1),
               *statuspage.listing(site, s, 300)]
    finally:
        s.stop()
    assert len(got) == 4 and all(r.figure > 0 for r in got), got
    assert [r.limit for r in got[:2]] == [10, 1.1]
    told = site.result["page"]
    assert told["p99_watched_ms"] > 0 and told["list_csv"]["rows"] == 300


def test_a_page_that_is_not_answered_is_no_measure(site, small):
    s = statuspage.filled(site, "unwatched", 10)
    port = page.status_port(s)
    s.stop()
    with pytest.raises(OSError), statuspage.watched(port):
        pass


def test_the_page_s_requests_are_those_of_a_browser():
    with open(os.path.join(REPO, "web/index.html")) as f:
        html = f.read()
    asked = set(re.findall(r'(?:href|src)="(/[^"]+)"', html))
    assert asked - {"/uplot.txt"} == set(statuspage.PAGE) - {"/"}


@pytest.mark.long
@pytest.mark.bare
def test_allocations_small(site, monkeypatch):
    monkeypatch.setattr(allocs, "REQUESTS", 300)
    monkeypatch.setattr(allocs, "WARM", 100)
    monkeypatch.setattr(rows, "CONNECTIONS", 20)
    got = list(allocs.allocations(site))
    assert [(r.figure, r.limit) for r in got] == 3 * [(0, 0)]
    assert [r.what.rpartition(", ")[2] for r in got] == [
        "renewals", "certificate asked for", "first contacts"]
    assert all(len(re.findall(r"[\d.]+", r.note.partition(";")[0]))
               == allocs.WINDOWS for r in got), got
    told = site.result["allocations"]
    assert list(told) == ["renewals", "certificate", "first"]
    assert all(t["own"] == 0 < t["sqlite"] for t in told.values()), told
    # what others allocate is seen
    assert all(re.search(r"SQLite [0-9.]*[1-9]", r.note) for r in got), got


@pytest.mark.long
def test_storm_small(site, monkeypatch):
    """A storm of two processes; with a store that stands still it is larger
    than the queue, and those sent away come back and hold a reply as well."""
    monkeypatch.setattr(storm, "CLIENTS", 300)
    monkeypatch.setattr(storm, "PROCESSES", 2)
    monkeypatch.setattr(storm, "AHEAD_S", 0.5)
    renewals, begun, first, _ = storm.storm(site)
    assert renewals.limit == first.limit == 60 and begun.limit == 1.1
    for r in site.result["storms"]:
        assert r["holds"] == r["clients"] == 300 and r["begun_s"] > 0.5, r
    # alone a reply has no path, of eight it has three; the other form 244
    least, most = site.result["storms"][0]["reply_bytes"]
    assert 132 <= least <= most <= 228
    assert site.result["storms"][1]["reply_bytes"] == [244, 244]


@pytest.mark.long
def test_b11_postgresql_small(site, monkeypatch):
    """Hosts with one count, and the same batch without them."""
    monkeypatch.setattr(postgresql, "SECONDS", 0.3)
    *figures, libpq, signed, four, p99 = postgresql.postgresql(site)
    assert [s["hosts"] for s in site.result["postgresql"] if "hosts" in s] \
        == [1, 1, 2, 4]
    assert len(figures) == 6 and all(r.figure > 0 for r in figures), figures
    # 25,000 a second, or so much of what libpq gives alone
    is_enough = figures[2].figure >= 25000  # of two hosts
    assert [(r.limit, r.at_least) for r in (libpq, four, p99)] == [
        (None if is_enough else 0.7, True), (1, True), (25, False)]
    assert signed.limit is None and signed.figure > 0


@pytest.mark.long
@pytest.mark.bare
def test_a_storm_over_the_bound_is_told_when_to_come_back(
        site, monkeypatch, tmp_path):
    """The disk holds the first sync until more have come than may wait."""
    line = tmp_path / "disk"
    line.write_text("")
    monkeypatch.setattr(storm, "CLIENTS", 4600)
    monkeypatch.setattr(storm, "PROCESSES", 2)
    monkeypatch.setattr(storm, "AHEAD_S", 1)
    s = curves.new_site(site, "storm-held")
    monkeypatch.setenv("LD_PRELOAD", os.path.join(REPO,
                                                  "build/tests/bad_disk.so"))
    monkeypatch.setenv("MUSTER_BAD_DISK", str(line))
    try:
        s.running()
        for name in ("LD_PRELOAD", "MUSTER_BAD_DISK"):
            monkeypatch.delenv(name)
        line.write_text("fdatasync host.db 0 -1\n")
        release = threading.Timer(4, line.write_text, [""])
        release.start()
        r = storm.one_storm(s, "held", False)
        release.cancel()
    finally:
        line.write_text("")
        s.stop()
    assert r["holds"] == 4600 and r["failed"] == 0
    assert 256 <= r["waiting_max"] <= 4096
    assert r["busy"] >= 4600 - 4096 and 1 <= r["busy_max_s"] <= 30, r


def test_json_stands_alone():
    p = run("start", "--json")
    result = json.loads(p.stdout)
    assert result["machine"]["cores"] > 0
    row, = result["measures"]
    assert row["figure"] > 0 and row["limit"] == 200
    assert re.search(r"^musterd, .* ms ", p.stderr, re.M)
