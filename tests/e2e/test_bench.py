# SPDX-License-Identifier: MIT
"""Goal: ./dev bench measures what it prints, and fails when it cannot.  Each
measure runs here in small, and no figure that depends on the machine is
judged."""
import json
import os
import re
import subprocess
import sys
import xml.dom.minidom

import pytest

from conftest import REPO

BENCH = os.path.join(REPO, "bench")
sys.path.insert(0, BENCH)

import authority  # noqa: E402
import bench  # noqa: E402
import client  # noqa: E402
import curves  # noqa: E402
import host  # noqa: E402
import plot  # noqa: E402
import publisher  # noqa: E402
import rows  # noqa: E402


def run(*args, env=None):
    return subprocess.run(
        [sys.executable, os.path.join(BENCH, "bench.py"), *args],
        capture_output=True, text=True, timeout=120,
        env={**os.environ, **(env or {})})


@pytest.fixture(scope="module")
def site(tmp_path_factory):
    s = publisher.BenchSite(str(tmp_path_factory.mktemp("bench")))
    yield s
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
    assert not bench.measure("start", None)
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


def test_rest_small(site, monkeypatch):
    monkeypatch.setattr(client, "REST_S", 1)
    rss, wakes = client.rest(site)
    assert rss.figure > 0 and rss.limit == 6
    assert (wakes.figure, wakes.limit) == (0, 0)


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
    monkeypatch.setattr(rows, "SECONDS", 0.3)
    monkeypatch.setattr(rows, "WARM_S", 0.05)
    monkeypatch.setattr(rows, "CONNECTIONS", 40)
    monkeypatch.setattr(rows, "CLIENTS", 100)
    monkeypatch.setattr(curves, "RUNS", 1)


def test_rows_small(site, small):
    """Each server answers the one generator, and what it signs verifies."""
    list(rows.rows(site))
    got = site.result["rows"]
    assert [r["name"] for r in got] == [
        "limit", "limit+sign", "limit+sign+fsync", "stock", "http", "musterd",
        "musterd-own-signature"]
    for r in got:
        assert r["activations_per_s"] > 0 and r["cpu_us"] > 0, r
        assert 0 < r["p50_us"] <= r["p99_us"] <= r["p999_us"] <= r["max_us"]
        assert r["half"]["p99_us"] > 0 and r["rss_kib"] > 0, r
    assert set(site.result["ratios"]) == set(rows.RATIOS)
    xml.dom.minidom.parseString(plot.svg(site.result))


def test_a_reply_that_nobody_signed_is_bad(site, small):
    """The limit without signatures, asked for signed replies."""
    with rows.server(site, [rows.built("bench_limit")],
                     r"port (\d+) key (\w+)") as (pid, port, m):
        with pytest.raises(RuntimeError, match=r"[1-9]\d* bad"):
            rows.load(site, port, [pid], *rows.asking(site), "--key", m[2],
                      kind="bare", connections=40, seconds=1)


def test_a_ratio_is_of_its_two_rows():
    def row(name, cpu, per_s, half, one):
        return {"name": name, "cpu_us": cpu, "activations_per_s": per_s,
                "half": {"p99_us": half}, "one": {"p99_us": one}}
    assert rows.ratios([
        row("limit", 10, 1, 1, 1), row("limit+sign", 30, 1, 1, 1),
        row("limit+sign+fsync", 1, 1, 40, 1), row("stock", 1, 500, 1, 1),
        row("musterd", 15, 9000, 60, 30),
        row("musterd-own-signature", 33, 1, 1, 1)]) == {
            "cpu_own_to_limit_sign": 1.1, "cpu_shared_to_limit": 1.5,
            "cpu_shared_to_limit_sign": 0.5, "throughput_to_stock": 18,
            "p99_half_to_own_p99_at_one": 2,
            "p99_half_to_limit_sign_fsync": 1.5}
    assert rows.ratios([row("limit", 10, 1, 1, 1)]) == {}


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


def test_json_stands_alone():
    p = run("start", "--json")
    result = json.loads(p.stdout)
    assert result["machine"]["cores"] > 0
    row, = result["measures"]
    assert row["figure"] > 0 and row["limit"] == 200
    assert re.search(r"^musterd, .* ms ", p.stderr, re.M)
