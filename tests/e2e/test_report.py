# SPDX-License-Identifier: MIT
"""Goal: the tables of doc/performance.md are what the runs in bench/runs say,
and what was optimised can be undone and compared."""
import copy
import json
import os
import subprocess
import sys
import tempfile

import pytest

from conftest import REPO

BENCH = os.path.join(REPO, "bench")
sys.path.insert(0, BENCH)

import bench  # noqa: E402
import publisher  # noqa: E402
import report  # noqa: E402
import rows  # noqa: E402
import variants  # noqa: E402

MACHINE = {"commit": "abc", "cpu": "a fast one", "cores": 2, "system": "Linux",
           "build": "-O2", "load": 0.1}


def measured(measure, what, figure, limit, unit="", at_least=False):
    is_good = figure >= limit if at_least else figure <= limit
    return {"measure": measure, "what": what, "figure": figure, "unit": unit,
            "limit": limit, "at_least": at_least, "note": "",
            "verdict": "met" if is_good else "MISSED"}


def a_run(shared=0.5):
    half, one = {"p99_us": 2000}, {"p99_us": 500}
    return {
        "machine": MACHINE, "took_s": {"rows": 200.0, "storm": 40.0},
        "measures": [
            measured("rows", "cpu shared to limit sign", shared, 0.6),
            measured("check", "muster_check, medium catalogue (15.9 KiB)", 150,
                     200, "µs"),
            measured("check", "muster_check, largest catalogue (190.1 KiB)",
                     501, 500, "µs"),
            measured("plan", "simulator: client-years a minute, one core",
                     12345.6, 10000, at_least=True)],
        "rows": [{"name": "limit", "activations_per_s": 50000.0,
                  "cpu_us": 10.04, "p99_us": 12345.0, "half": half,
                  "one": one}],
        "steps": {"signature shared": {"all": 20.0, "steps": {
            "close": 12.0, "accept": 8.0}}}}


def line(text, begin):
    found, = [x for x in text.splitlines() if x.startswith(f"| {begin}")]
    return [x.strip() for x in found.strip("|").split("|")]


def test_the_document_is_what_the_runs_say():
    p = subprocess.run([sys.executable, os.path.join(BENCH, "report.py"),
                        "--check"], capture_output=True, text=True)
    assert p.returncode == 0, p.stderr + "run bench/report.py"


def test_three_figures_and_a_verdict():
    text = report.figures([a_run(0.5), a_run(0.55), a_run(0.7)])
    assert line(text, "host CPU, signatures shared, to `limit+sign`")[1:] == [
        "≤ 0.6", "0.50", "0.55", "0.70", "met in 2 of 3"]
    assert line(text, "`muster_check`, catalogue of 16 KiB")[1:] == [
        "≤ 200 µs", "150", "150", "150", "met"]
    assert line(text, "`muster_check`, largest")[-1] == "**missed**"
    assert line(text, "simulator")[1:3] == ["≥ 10,000", "12,346"]
    # what no run has measured is neither met nor missed
    assert line(text, "storm of 50,000 renewals")[2:] == ["–"] * 4


def test_one_run_alone_meets_nothing():
    text = report.figures([a_run()])
    assert line(text, "host CPU, signatures shared, to `limit+sign`")[2:] == [
        "0.50", "–", "–", "met in 1 of 1"]


def test_what_one_run_did_not_measure_is_not_met():
    lacks = a_run()
    lacks["measures"] = []
    text = report.figures([a_run(), a_run(), lacks])
    assert line(text, "host CPU, signatures shared, to `limit+sign`")[2:] == [
        "0.50", "0.50", "–", "met in 2 of 3"]


def test_another_limit_than_the_designs_is_no_table():
    run = a_run()
    run["measures"][0]["limit"] = 0.9
    with pytest.raises(SystemExit, match="0.9, not ≤ 0.6"):
        report.figures([run])


def test_runs_of_two_commits_are_no_table():
    other = copy.deepcopy(a_run())
    other["machine"]["commit"] = "def"
    with pytest.raises(SystemExit, match="different commits"):
        report.where([a_run(), other])


def test_servers_and_budget():
    runs = [a_run(), a_run(), a_run()]
    runs[1]["steps"]["signature shared"]["steps"]["close"] = 99.0
    runs[2]["rows"][0]["cpu_us"] = 11.0
    assert line(report.servers(runs), "`limit`") == [
        "`limit`", "50,000 / 50,000 / 50,000", "10.0 / 10.0 / 11.0",
        "12.3 / 12.3 / 12.3", "2.00 / 2.00 / 2.00", "0.50 / 0.50 / 0.50"]
    assert line(report.budget(runs), "close") [:2] == ["close", "12.0"]
    assert line(report.budget(runs), "all") == ["all", "20.0", ""]


def test_the_tables_go_between_their_marks(tmp_path):
    marks = [m.format(n) for n in ("figures", "servers", "budget", "variants")
             for m in (report.BEGIN, report.END)]
    doc, run = tmp_path / "doc.md", tmp_path / "1.json"
    doc.write_text("before\n" + "\nold\n".join(marks) + "\nafter\n")
    run.write_text(json.dumps(a_run()))

    def tool(*more):
        return subprocess.run(
            [sys.executable, os.path.join(BENCH, "report.py"), "--into", doc,
             "--variants", "/nonexistent", *more, run]).returncode
    assert tool("--check") == 1
    assert tool() == tool("--check") == 0
    text = doc.read_text()
    assert text.startswith("before\n") and text.endswith("\nafter\n")
    assert "| 0.50 |" in text and "Commit abc; 2 cores" in text
    doc.write_text(text.replace("| 0.50 |", "| 0.51 |"))
    assert tool("--check") == 1


def test_each_line_of_the_table_is_one_that_the_bench_judges():
    """By name: the ratios of rows, whose limits stand in one place."""
    for (_, measure, begin), limit in zip(report.LINES, report.LIMITS,
                                          strict=True):
        if measure == "rows":
            name = begin.replace(" ", "_")
            sign = "≥" if name in rows.AT_LEAST else "≤"
            assert f"{sign} {rows.RATIOS[name]}" == limit


@pytest.mark.parametrize("v", variants.variants(), ids=lambda v: v.name)
def test_a_variant_fits_this_tree(v):
    p = subprocess.run(["patch", "--dry-run", "-s", "-p0", "-F0", "-i",
                        v.patch], cwd=REPO, capture_output=True, text=True)
    assert p.returncode == 0, p.stdout


@pytest.mark.bare  # it is built as build/ is, without a sanitizer
def test_a_variant_is_built_and_compared(monkeypatch):
    """One that is seen from outside: nobody shares a signature any more."""
    monkeypatch.setattr(variants, "PAIRS", 2)
    monkeypatch.setattr(variants, "SECONDS", 0.3)
    monkeypatch.setattr(variants, "ONE_SECONDS", 0.1)
    monkeypatch.setattr(rows, "CONNECTIONS", 40)
    alone, = [v for v in variants.variants() if v.name == "each-signed-alone"]
    monkeypatch.setattr(variants, "variants", lambda: [alone])
    # the path of a socket is a short one
    folder = tempfile.mkdtemp()
    site = publisher.BenchSite(folder)
    sizes = {}
    look = variants.look

    def seen(s):
        r = rows.load(s, s.port, [s.daemon.pid], *rows.asking(s, "--share"),
                      seconds=0.2)
        sizes.setdefault(os.path.basename(s.folder), []).append(
            r["reply_bytes"][1])
        return look(s)
    monkeypatch.setattr(variants, "look", seen)
    row, = variants.measure(site)
    assert row.figure > 0 and "kept" in row.what
    got, = site.result["variants"]
    assert got["pairs"] == 2 and got["cpu_us"] > 0 < got["cpu_us_variant"]
    assert max(sizes["variant-each-signed-alone"]) == 132
    assert max(sizes["variant-"]) > 132
    assert line(report.variants([got]), alone.what)[1] == "kept"


def test_variants_are_no_part_of_a_whole_run(monkeypatch):
    """They take as long as all the rest, and build."""
    seen = []
    monkeypatch.setattr(bench, "into_namespace", lambda: None)
    monkeypatch.setattr(bench, "run_all",
                        lambda names, site: seen.append(names) or True)
    for names in ([], ["variants"]):
        monkeypatch.setattr(sys, "argv", ["bench.py", *names])
        assert bench.main() == 0
    assert seen == [list(bench.MEASURES), ["variants"]]
    assert "rows" in seen[0] and "variants" not in seen[0]


def test_the_middle_of_the_pairs():
    def one(cpu, per_s):
        return {"cpu_us": cpu, "per_s": per_s, "one_p50_us": 1,
                "one_p99_us": 1}
    got = variants.compared([(one(10, 1), one(20, 2)), (one(10, 1), one(11, 1)),
                             (one(20, 1), one(30, 1))])
    assert (got["cpu_us"], got["cpu_us_variant"], got["cpu_us_ratio"],
            got["cpu_us_ratio_of"], got["per_s_ratio"]) == (
                10, 20, 1.5, [1.1, 2.0], 1)
