# SPDX-License-Identifier: MIT
"""Goal: ./dev bench measures what it prints, and fails when it cannot.  Each
measure runs here in small, and no figure that depends on the machine is
judged."""
import os
import re
import subprocess
import sys

import pytest

from conftest import REPO

BENCH = os.path.join(REPO, "bench")
sys.path.insert(0, BENCH)

import authority  # noqa: E402
import bench  # noqa: E402
import client  # noqa: E402
import host  # noqa: E402
import publisher  # noqa: E402


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
        with pytest.raises(RuntimeError, match="a refusal"):
            publisher.program("bench_load", port, site.catalogue,
                              client.hex_id(publisher.PRODUCTS[0]), 2, 10)


def test_authority_small(tmp_path):
    s = publisher.BenchSite(str(tmp_path))
    rows = list(authority.authority(s, few=60, many=200, asks=50))
    assert [r.limit for r in rows] == [2, 50, 2, 50, 1.5]
    assert all(r.figure > 0 for r in rows)
    assert "50 activations" in rows[0].note
    # a refusal is no activation: the same hosts and keys once more
    with pytest.raises(RuntimeError, match='"failed":50'):
        authority.measure(s, s.path("authority"), 200, 50, 3)
