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
import storm  # noqa: E402
import variants  # noqa: E402

MACHINE = {"commit": "abc", "cpu": "a fast one", "cores": 2, "system": "Linux",
           "build": "-O2", "load": 0.1, "file_system": "ext4",
           "own_network": True}


def measured(measure, what, figure, limit, unit="", at_least=False):
    is_good = figure >= limit if at_least else figure <= limit
    return {"measure": measure, "what": what, "figure": figure, "unit": unit,
            "limit": limit, "at_least": at_least, "note": "",
            "verdict": "met" if is_good else "MISSED"}


def a_row(name, cpu=10.04, busy=0.99):
    """As rows.py has it."""
    at = {"per_s": 25000.0, "p50_us": 1000, "p99_us": 2000, "p999_us": 3000,
          "max_us": 4000, "cpu_us": 11.0}
    return {"name": name, "activations_per_s": 50000.0, "cpu_us": cpu,
            "p50_us": 9000.0, "p99_us": 12345.0, "p999_us": 20000,
            "max_us": 30000, "rss_kib": 2048, "switches": 0.0123,
            "fsyncs_per_activation": None, "busy": busy, "load_busy": 0.875,
            "half": at, "one": {**at, "p99_us": 500}}


def a_storm(name="renewals", begun=1.0):
    return [measured("storm", f"storm, {name}: the last of 50,000 holds",
                     30.25, 60, "s"),
            measured("storm", f"storm, {name}: the last has begun", begun,
                     storm.BEGUN_S, "s")]


def a_run(shared=0.5):
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
        "rows": [a_row("limit"), a_row("limit+sign", 20.08),
                 a_row("musterd", 12.0)],
        "steps": {"signature shared": {"all": 20.0, "steps": {
            "close": 12.0, "accept": 8.0}}}}


def a_shared_run(commit="abc", two=7000.0):
    """As ./dev bench postgresql has it."""
    half = {"p50_us": 4500, "p99_us": 26000}
    return {
        "machine": {**MACHINE, "commit": commit},
        "took_s": {"postgresql": 60.0},
        "postgresql": [
            {"name": "SQLite, 1 host", "hosts": 1, "per_s": 23000.0,
             "batch": 30.4, "half": half},
            {"name": "PostgreSQL, 2 hosts", "hosts": 2, "per_s": two,
             "batch": 183.2, "half": half},
            {"name": "libpq", "batch": 183, "per_s": 14000.0,
             "batches": 900, "median_us": 13000, "p99_us": 20000}],
        "measures": [
            measured("postgresql", "two hosts to libpq alone", two / 14000,
                     0.7, at_least=True),
            measured("postgresql", "four hosts to one", 1.02, 1,
                     at_least=True),
            measured("postgresql", "two hosts: p99 at half load", 26.0, 25,
                     "ms")]}


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


def test_what_misses_its_limit_does_not_look_like_it():
    text = report.figures([a_run(0.6004), a_run(0.6), a_run(0.5996)])
    assert line(text, "host CPU, signatures shared, to `limit+sign`")[2:] == [
        "0.6004", "0.60", "0.5996", "met in 2 of 3"]


def test_what_the_bench_does_not_judge_is_not_judged():
    """Where server and load share a core, it says so in place of a verdict."""
    runs = [a_run(), a_run(), a_run()]
    what = "host CPU, signatures shared, to `limit+sign`"
    for n, words in enumerate(("met in 2 of 3", "met in 1 of 3",
                               "not judged")):
        runs[n]["measures"][0]["verdict"] = "not judged"
        assert line(report.figures(runs), what)[-1] == words
    del runs[1]["measures"][0]
    assert line(report.figures(runs), what)[-1] == "not judged"
    runs[0]["measures"][0]["verdict"] = "MISSED"
    assert line(report.figures(runs), what)[-1] == "**missed**"


def test_another_limit_than_the_designs_is_no_table():
    run = a_run()
    run["measures"][0]["limit"] = 0.9
    with pytest.raises(SystemExit, match="0.9, not ≤ 0.6"):
        report.figures([run])


@pytest.mark.parametrize("key", ["commit", "cpu", "cores", "system",
                                 "build", "file_system", "own_network"])
def test_runs_of_two_commits_or_machines_are_no_table(key):
    """That of the variants is one of them."""
    other = copy.deepcopy(a_run())
    other["machine"][key] = "def"
    difference = f"different commits or machines: {key} .*, def$"
    with pytest.raises(SystemExit, match=difference):
        report.where([a_run(), other])
    with pytest.raises(SystemExit, match=difference):
        report.where([a_run()], other)
    with pytest.raises(SystemExit, match=difference):
        report.sections([a_run()], {**other, "variants": []})
    assert "own network" not in report.where([a_run()])
    other["machine"] = {**MACHINE, "own_network": False}
    assert "-O2, ext4, in the machine's own network" in report.where([other])
    assert "the variants: load at the start 0.1; minutes: 4." in \
        report.where([a_run()], a_run())


def test_a_tree_with_changes_is_no_table():
    run = copy.deepcopy(a_run())
    run["machine"]["commit"] += " with changes"
    for runs, apart in (([run, run, run], None), ([], run)):
        with pytest.raises(SystemExit, match="abc with changes: of no"):
            report.where(runs, apart)


def test_a_verdict_says_who_was_not_at_full_load():
    """Any row of the ratio; the bare exchange, too, has its mark."""
    runs = [a_run(), a_run(), a_run()]
    shared = "host CPU, signatures shared, to `limit+sign`"
    assert line(report.figures(runs), shared)[-1] == "met"
    runs[1]["rows"][1]["busy"] = rows.BUSY_SHARE - 0.001
    runs[2]["rows"][2]["busy"] = rows.BUSY_SHARE - 0.001
    text = report.figures(runs)
    assert line(text, shared)[-1] == (
        "met; not at its full load: `limit+sign` in 1 of 3, `musterd` in "
        "1 of 3")
    assert line(text, report.BARE_TEXT)[-1] == (
        "told; not at its full load: `limit+sign` in 1 of 3")
    # what is no ratio of rows has none, nor what was not measured
    assert line(text, "`muster_check`, catalogue of 16 KiB")[-1] == "met"
    assert line(text, "throughput to `stock`")[-1] == "–"
    # a row that does not say it may not have been
    del runs[0]["rows"][1]["busy"]
    assert "`limit+sign` in 2 of 3" in line(report.figures(runs), shared)[-1]


def test_each_ratio_names_the_rows_that_it_is_of():
    """Of rows that lack one of them there is no such ratio."""
    assert set(report.USES) == {r.replace("_", " ") for r in rows.RATIOS}
    for ratio, names in report.USES.items():
        key, them = ratio.replace(" ", "_"), [a_row(n) for n in names]
        assert key in rows.ratios(them)
        for name in names:
            assert key not in rows.ratios([r for r in them
                                           if r["name"] != name])


def test_the_bare_exchange_is_told():
    runs = [a_run(), a_run()]
    runs[1]["rows"][0]["cpu_us"] = 15.06
    assert line(report.figures(runs), report.BARE_TEXT)[1:] == [
        "–", "0.50", "0.75", "–", "told"]
    del runs[1]["rows"][1]
    assert line(report.figures(runs), report.BARE_TEXT)[1:] == [
        "–", "0.50", "–", "–", "told"]


def test_a_storm_is_met_when_it_was_one():
    """Its last client began in time, in each run."""
    runs = [a_run(), a_run(), a_run()]
    for run, begun in zip(runs, (0.9, 1.0, 1.2)):
        run["measures"] += a_storm(begun=begun) + a_storm("first contacts")
    text = report.figures(runs)
    assert line(text, "storm of 50,000 renewals")[1:] == [
        "≤ 60 s", "30.2 (begun 0.90)", "30.2 (begun 1.00)",
        "30.2 (begun 1.20)", "met in 2 of 3"]
    assert line(text, "storm of 50,000 first contacts")[-1] == "met"
    # when it began is not known
    runs[0]["measures"].remove(*[m for m in runs[0]["measures"] if m["what"]
                                 == "storm, renewals: the last has begun"])
    assert line(report.figures(runs), "storm of 50,000 renewals")[2:] == [
        "30.2 (begun –)", "30.2 (begun 1.00)", "30.2 (begun 1.20)",
        "met in 1 of 3"]


def test_a_storm_may_begin_as_long_as_storm_says():
    run = a_run()
    run["measures"] += a_storm()
    run["measures"][-1]["limit"] = 5
    with pytest.raises(SystemExit, match="≤ 5 s, not ≤ 1.1 s"):
        report.figures([run])


def test_the_idle_lines_name_their_settings():
    text = report.figures([a_run()])
    for begin in ("cost beside 10,000 idle", "RSS with 10,000 idle"):
        what = line(text, begin)[0]
        for setting in ("idle_ms = ", "session_ms = ", "connections = 12000"):
            assert setting in what


def test_growth_has_each_point_of_each_curve():
    runs = [a_run(), a_run()]
    for run, cpu in zip(runs, (20.0, 22.0)):
        run["curves"] = {c: [{"at": at, "cpu_us": cpu + at, "p99_us": 1500,
                              "rss_kib": 3072, "activations_per_s": 1.0}]
                         for c, at in (("idle", 0), ("clients", 50),
                                       ("groups", 64))}
    runs[1]["curves"]["groups"] = []
    text = report.growth(runs)
    assert line(text, "0 idle")[1:] == [
        "20.0", "22.0", "–", "1.50 / 1.50", "3.00 / 3.00"]
    assert line(text, "50 clients")[1:4] == ["70.0", "72.0", "–"]
    assert line(text, "64 counting")[1:] == [
        "84.0", "–", "–", "1.50 / –", "3.00 / –"]
    assert report.growth([a_run()]) == report.NOTHING


def test_storms_say_what_was_met_on_the_way():
    runs = [a_run(), a_run(), a_run()]
    for run, busy in zip(runs, (0, 1234, 5)):
        run["storms"] = [{
            "name": name, "busy": busy, "busy_max_s": 17, "untaken": 3,
            "untaken_clients": 2, "waiting_max": 4096, "evicted": 0, "begun_s": 1.0,
            "p50_us": 2500000, "p99_us": 9000000, "last_s": 12.5}
            for name in ("renewals", "first contacts")]
    del runs[0]["storms"][1]
    text = report.storms(runs)
    assert line(text, "renewals")[1:5] == [
        "0 / 1,234 / 5", "17 / 17 / 17", "3 / 3 / 3", "2 / 2 / 2"]
    assert line(text, "first contacts")[1:3] == [
        "– / 1,234 / 5", "– / 17 / 17"]
    assert line(text, "renewals")[-3:] == [
        "2.50 / 2.50 / 2.50", "9.00 / 9.00 / 9.00", "12.5 / 12.5 / 12.5"]
    assert report.storms([a_run()]) == report.NOTHING


def test_one_count_is_beside_sqlite_and_libpq():
    """Each run its figures; what a run lacks is a dash, and so is a limit that
    does not hold since another one is met."""
    runs = [a_shared_run(), a_shared_run(two=10500.0), a_shared_run()]
    del runs[0]["postgresql"][1]
    del runs[2]["measures"][1]
    text = report.one_count(runs)
    assert text.startswith("Commit abc; ")
    assert line(text, "SQLite")[1:] == [
        "23,000 / 23,000 / 23,000", "30 / 30 / 30", "4.50 / 4.50 / 4.50",
        "26.0 / 26.0 / 26.0"]
    assert line(text, "PostgreSQL, 2")[1:3] == [
        "– / 10,500 / 7,000", "– / 183 / 183"]
    assert line(text, "libpq")[1:] == [
        "14,000 / 14,000 / 14,000", "183 / 183 / 183", "– / – / –",
        "– / – / –"]
    assert line(text, "two hosts to libpq")[1:] == [
        "≥ 0.7", "0.50 / 0.75 / 0.50", "missed / met / missed"]
    assert line(text, "four hosts")[1:] == [
        "≥ 1", "1.02 / 1.02 / –", "met / met / –"]
    assert line(text, "two hosts: p99 at half load, ms")[1:] == [
        "≤ 25 ms", "26.0 / 26.0 / 26.0", "missed / missed / missed"]
    runs[1]["measures"][0].update(limit=None, verdict="told")
    assert line(report.one_count(runs), "two hosts to libpq")[1:] == [
        "≥ 0.7 / –", "0.50 / 0.75 / 0.50", "missed / told / missed"]
    assert report.one_count([]) == report.NOTHING
    runs[1] = a_shared_run("def")
    with pytest.raises(SystemExit, match="different commits"):
        report.one_count(runs)


def test_allocations_by_whom():
    run, lacks = a_run(), a_run()
    run["allocations"] = {"renewals": {"own": 0, "sqlite": 0.61234,
                                       "libuv": 0.25, "others": 0.125}}
    text = report.allocations([run, lacks, run])
    assert line(text, "renewals")[1:] == [
        "0.0000 / – / 0.0000", "0.6123 / – / 0.6123", "0.2500 / – / 0.2500",
        "0.1250 / – / 0.1250"]
    assert "first contacts" not in text
    assert report.allocations([lacks]) == report.NOTHING


@pytest.mark.parametrize("least, most, is_noise", [
    (0.9, 1.1, True), (1.0, 1.2, True), (0.8, 1.0, True), (1.01, 1.2, False),
    (0.8, 0.99, False)])
def test_a_variant_within_noise_says_so(least, most, is_noise):
    v = {"name": "x", "what": "a thing", "state": "kept", "cpu_us": 10.0,
         "cpu_us_variant": 11.0, "cpu_us_ratio": 1.05, "per_s_ratio": 1.0,
         "cpu_us_ratio_of": [least, most], "one_p50_us_ratio": 1.0}
    assert line(report.variants([v]), "a thing")[4] == (
        f"1.05 ({least:.2f} to {most:.2f})"
        + (", within noise" if is_noise else ""))


def test_servers_and_budget():
    runs = [a_run(), a_run(), a_run()]
    runs[1]["steps"]["signature shared"]["steps"]["close"] = 99.0
    runs[2]["rows"][0]["cpu_us"] = 11.0
    runs[2]["rows"][0]["fsyncs_per_activation"] = 0.01234
    runs[0]["rows"][0].update(fsyncs_per_activation=0.5, fsyncs_by="musterd")
    runs[0]["rows"][0]["switches"] = 0
    del runs[1]["rows"][0]["rss_kib"], runs[2]["rows"][1]
    parts = report.servers(runs).split("\n\n")
    assert [p[-1] for p in parts[::2]] == [":"] * 3
    full, costs, half = [line(p, "`limit`") for p in parts[1::2]]
    assert full == [
        "`limit`", "50,000 / 50,000 / 50,000", "9.00 / 9.00 / 9.00",
        "12.3 / 12.3 / 12.3", "20.0 / 20.0 / 20.0", "30.0 / 30.0 / 30.0"]
    assert costs == [
        "`limit`", "10.0 / 10.0 / 11.0", "2.00 / – / 2.00",
        "0.000 / 0.012 / 0.012", "0.5000 (by musterd) / – / 0.0123",
        "99.0 % / 99.0 % / 99.0 %", "87.5 % / 87.5 % / 87.5 %"]
    assert half == [
        "`limit`", "25,000 / 25,000 / 25,000", "1.00 / 1.00 / 1.00",
        "2.00 / 2.00 / 2.00", "3.00 / 3.00 / 3.00", "4.00 / 4.00 / 4.00",
        "11.0 / 11.0 / 11.0", "0.50 / 0.50 / 0.50"]
    assert line(parts[1], "`limit+sign`")[1] == "50,000 / 50,000 / –"
    assert line(report.budget(runs), "close") [:2] == ["close", "12.0"]
    assert line(report.budget(runs), "all") == ["all", "20.0", ""]


def test_the_tables_go_between_their_marks(tmp_path):
    names = ("figures", "servers", "growth", "storms", "budget",
             "allocations", "postgresql", "variants")
    marks = [m.format(n) for n in names for m in (report.BEGIN, report.END)]
    doc, run = tmp_path / "doc.md", tmp_path / "1.json"
    doc.write_text("before\n" + "\nold\n".join(marks) + "\nafter\n")
    run.write_text(json.dumps(a_run()))
    shared = tmp_path / "postgresql.json"
    shared.write_text(json.dumps(a_shared_run("def")))

    def tool(*more):
        return subprocess.run(
            [sys.executable, os.path.join(BENCH, "report.py"), "--into", doc,
             "--variants", "/nonexistent", "--postgresql", shared, *more,
             run]).returncode
    assert tool("--check") == 1
    assert tool() == tool("--check") == 0
    text = doc.read_text()
    assert text.startswith("before\n") and text.endswith("\nafter\n")
    assert "| 0.50 |" in text and "Commit abc; 2 cores" in text
    assert "Commit def; 2 cores" in text and "| SQLite, 1 host |" in text
    for name in names:
        assert report.BEGIN.format(name) + "\nold" not in text
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


@pytest.mark.long
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
