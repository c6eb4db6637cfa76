# SPDX-License-Identifier: MIT
"""Goal: a measure of ./dev bench says only what it has seen: who came from
where, who counted the syncs, what was verified, what was judged."""
import collections
import json
import os
import subprocess
import sys

import pytest

from conftest import REPO

sys.path.insert(0, os.path.join(REPO, "bench"))

import bench  # noqa: E402
import curves  # noqa: E402
import plot  # noqa: E402
import publisher  # noqa: E402
import rows  # noqa: E402
import steps  # noqa: E402
import storm  # noqa: E402
import tables  # noqa: E402


@pytest.fixture(scope="module")
def site(tmp_path_factory):
    s = publisher.BenchSite(str(tmp_path_factory.mktemp("bench")))
    yield s
    s.stop()


def test_the_load_comes_from_a_network_that_a_host_counts(tmp_path):
    """From loopback it would be exempt."""
    p = subprocess.run(
        [*publisher.namespace(), sys.executable,
         os.path.join(REPO, "tests/e2e/bench_sources.py"), str(tmp_path)],
        capture_output=True, text=True, timeout=120,
        env={**os.environ, publisher.NAMESPACE: "1"})
    assert p.returncode == 0, p.stderr
    out = json.loads(p.stdout)
    assert out["network"] == 4 and out["loopback"] == 0, out
    assert sorted(out["seen"]) == sorted(
        2 * [f"10.77.0.{n}" for n in range(1, 5)])


def test_idle_connections_have_an_address_each(site):
    """At a host that takes one connection of an address at a time."""
    s = curves.new_site(site, "one-each", "connections = 4;\n"
                        "idle_ms = 60000;\nsession_ms = 60000;\n"
                        'exempt_networks = [ "::1" ];\n')
    try:
        s.running()
        r = rows.load(s, s.port, [s.daemon.pid], *rows.asking(s), "--idle", 3,
                      "--requests", 8, connections=1)
    finally:
        s.stop()
    assert r["total"] == 8 and r["idle_lost"] == 0, r


def test_a_storm_s_clients_have_an_address_each(site, monkeypatch):
    monkeypatch.setattr(storm, "CLIENTS", 40)
    monkeypatch.setattr(storm, "PROCESSES", 2)
    monkeypatch.setattr(storm, "AHEAD_S", 0.5)
    s = curves.new_site(site, "storm-each", "source_rate = 1;\n"
                        'exempt_networks = [ "::1" ];\n')
    try:
        s.running()
        r = storm.one_storm(s, "each", False)
    finally:
        s.stop()
    assert r["busy"] == r["untaken"] == r["untaken_clients"] == 0, r
    r["untaken_clients"], r["untaken"] = 1234, 2000
    assert "1,234 clients asked again after a connect time-out, as by the " \
        "hand of their user, 2,000 times" in storm.shown(r).note


def test_what_is_exempt_is_told(monkeypatch):
    point = {"cpu_us": 1, "p99_us": 1, "activations_per_s": 1, "rss_kib": 1}
    monkeypatch.delenv(publisher.NAMESPACE, raising=False)
    assert "exempt" in curves.point_row("what", point).note
    assert publisher.network() == []
    monkeypatch.setenv(publisher.NAMESPACE, "1")
    assert "exempt" not in curves.point_row("what", point).note


def test_b11_without_perf_a_host_counts_its_syncs(site, monkeypatch):
    monkeypatch.setattr(rows, "counter", lambda pids: None)
    with rows.musterd(site) as (pid, port, s):
        assert s is site
        with rows.counted_syncs([pid], s) as syncs:
            r = rows.load(site, port, [pid], *rows.asking(site), seconds=0.2,
                          connections=20)
        with rows.counted_syncs([pid]) as nobodys:
            pass
    assert syncs[1] == "musterd" and 0 < syncs[0] <= r["total"]
    assert nobodys == []
    row = {"name": "musterd"}
    rows.put_syncs(row, r["total"], syncs)
    assert row["fsyncs_per_activation"] == syncs[0] / r["total"]


@pytest.mark.parametrize("syncs, why", [
    ([], "nobody can count"), ([0, "perf"], "nothing was synced")])
def test_b11_what_must_sync_is_measured_or_is_not(syncs, why):
    for name in rows.MUST_SYNC:
        with pytest.raises(RuntimeError, match=why):
            rows.put_syncs({"name": name}, 10, syncs)
    row = {"name": "limit"}
    rows.put_syncs(row, 10, syncs)
    assert row["fsyncs_per_activation"] == (0 if syncs else None)


def test_b11_perf_is_ready_when_it_counts(tmp_path):
    """All syncs of a program that was told to begin afterwards."""
    script = ("import os, sys\nfd = os.open(sys.argv[1], os.O_CREAT | "
              "os.O_WRONLY)\nsys.stdin.readline()\n"
              "for _ in range(30): os.write(fd, b'x'); os.fdatasync(fd)\n"
              "print(flush=True)\nsys.stdin.readline()\n")
    p = subprocess.Popen([sys.executable, "-c", script, tmp_path / "f"],
                         stdin=subprocess.PIPE, stdout=subprocess.PIPE,
                         text=True)
    with rows.counted_syncs([p.pid]) as syncs:
        p.stdin.write("\n")
        p.stdin.flush()
        p.stdout.readline()
    p.communicate("\n")
    assert syncs == [30, "perf"]


def test_b17_the_figure_itself_is_judged(capsys):
    site = publisher.BenchSite("/nonexistent")
    site.result["curves"] = {}
    assert rows.keep_ratio(site, "x", 24.04) == 24.04
    row = publisher.Row("RSS", 24.04, "MiB", "", 24)
    assert not bench.show(row)
    assert "24.04 MiB" in capsys.readouterr().out
    by = [{"name": "musterd", "cpu_us": 18.004},
          {"name": "limit", "cpu_us": 10.0}]
    assert rows.ratios(by)["cpu_shared_to_limit"] > 1.8


def test_b18_idle_names_its_settings(site, monkeypatch):
    monkeypatch.setattr(curves, "RUNS", 1)
    monkeypatch.setattr(curves, "IDLE", 20)
    monkeypatch.setattr(curves, "MEMORY_CLIENTS", 50)
    monkeypatch.setattr(rows, "SECONDS", 0.2)
    monkeypatch.setattr(rows, "CONNECTIONS", 20)
    cost, rss = list(curves.idle(site))[-2:]
    for row in (cost, rss):
        assert "idle_ms = 86400000;" in row.note, row
    assert rss.figure * 1024 == site.result["curves"]["idle"][-1]["rss_kib"]


@pytest.mark.parametrize("chain, step", [
    ([("__x64_sys_write", "[kernel.kallsyms]")], "the two threads wait"),
    ([("vfs_read", "[kernel.kallsyms]"),
      ("__x64_sys_read", "[kernel.kallsyms]")], "the two threads wait"),
    ([("__x64_sys_sendto", "[kernel.kallsyms]")], "send the reply"),
    ([("__x64_sys_recvfrom", "[kernel.kallsyms]")], "read the call"),
    ([("__vdso_clock_gettime", "[vdso]")], "read the clock"),
    ([("asm_sysvec", "[kernel.kallsyms]")], steps.REST[0]),
    ([("conn_take", "/usr/bin/musterd")], "connections and queue"),
    ([("[unknown]", "/usr/bin/musterd")], steps.REST[2])])
def test_b19_the_step_of_a_sample(chain, step):
    assert steps.step_of(chain) == step


def test_b19_samples_without_a_step_are_no_measure():
    known = collections.Counter({"accept": 75, **dict.fromkeys(
        steps.REST[:2], 10), steps.REST[2]: 5})
    assert steps.shared_out(known, 10)["accept"] == 7.5
    with pytest.raises(RuntimeError, match="26 of 101 samples"):
        steps.shared_out(known + collections.Counter({steps.REST[1]: 1}), 10)


def test_tables_hold_what_was_merged(site, monkeypatch):
    """In each form: all clients, those that came again with a newer contact,
    and what the measure is about is in force."""
    monkeypatch.setattr(tables, "CLIENTS", 3000)
    monkeypatch.setattr(tables, "MERGED", 1024)
    ended = []

    def merged(db, columns, rows, form):
        into(db, columns, rows, form)
        again = {r[columns.index("cmid")] for r in rows}
        newest = min(r[columns.index("last")] for r in rows)
        n, now = db.execute("SELECT count(*), count(*) FILTER (WHERE last >= "
                            "?) FROM client", (newest,)).fetchone()
        assert (n, now) == (2999, len(again))
        ended.append((
            db.execute("PRAGMA page_size").fetchone()[0],
            db.execute("PRAGMA cache_size").fetchone()[0],
            db.execute("SELECT count(*) FROM sqlite_schema WHERE name = "
                       "'client_last'").fetchone()[0],
            db.execute("PRAGMA journal_mode").fetchone()[0]))
    into = tables.merged
    monkeypatch.setattr(tables, "merged", merged)
    by = list(tables.measure(site))
    assert len(by) == len(ended) == len(tables.FORMS)
    assert all(row.figure > 0 for row in by)
    plain = (4096, -2000, 1, "wal")
    assert ended == [plain, plain, plain, (4096, -8192, 1, "wal"),
                     (2048, -2000, 1, "wal"), plain, (4096, -2000, 0, "wal"),
                     (4096, -2000, 0, "wal")]
    assert [t["form"] for t in site.result["tables"]] == list(tables.FORMS)


def said(monkeypatch, **more):
    monkeypatch.setattr(publisher, "program", lambda *a, **k: {
        "ok": 99, "failed": 0, "bad": 0, "busy": 0, "idle_lost": 0,
        "total": 100, "judged": 0, **more})


@pytest.mark.parametrize("kind, options", [
    ("muster", []), ("bare", ["--key", "00"])])
def test_c22_a_signed_load_verifies(kind, options, monkeypatch):
    said(monkeypatch)
    with pytest.raises(RuntimeError, match="no reply was verified"):
        rows.load(None, 1, [], *options, kind=kind)
    said(monkeypatch, judged=1)
    rows.load(None, 1, [], *options, kind=kind)
    said(monkeypatch, total=99)
    rows.load(None, 1, [], *options, kind=kind)


@pytest.mark.parametrize("kind", ["bare", "http"])
def test_c22_what_nobody_signs_is_not_verified(kind, monkeypatch):
    said(monkeypatch)
    rows.load(None, 1, [], kind=kind)


@pytest.mark.parametrize("cores, name, text", [
    ((0, 0), "rows", "not judged"), ((0, 1), "rows", "met"),
    ((0, 0), "check", "met")])
def test_c24_on_one_core_nothing_is_judged(cores, name, text, monkeypatch,
                                           capsys):
    site = publisher.BenchSite("/nonexistent")
    site.result["measures"] = []
    monkeypatch.setattr(publisher, "cores", lambda: cores)
    monkeypatch.setitem(bench.MEASURES, name, lambda site: iter(
        [publisher.Row("what", 1, limit=2)]))
    assert bench.rows_of(name, site) == (text == "met")
    assert site.result["measures"][0]["verdict"] == text
    assert ("share one core" in capsys.readouterr().out) == (text != "met")


def test_c24_each_row_has_a_colour():
    assert len(set(plot.COLOURS)) == len(plot.COLOURS) >= 9
