# SPDX-License-Identifier: MIT
"""Goal: an administrator describes a site and learns whether it will stay
activated: four sites whose answer is known, as a table, as JSON, as a
picture; the same on any number of cores; every mistake of a file told."""
import json
import os
import pty
import re
import subprocess
import xml.etree.ElementTree as ET

import pytest

import demo
from conftest import REPO

MUSTER = os.path.join(demo.BIN, "muster")
SITES = os.path.join(REPO, "doc/example/plan")


def plan(*args, code=0):
    p = subprocess.run([MUSTER, "plan", *args], capture_output=True, text=True, timeout=120)
    assert p.returncode == code, p.stdout + p.stderr
    return p


def answer(name, *args):
    return json.loads(plan(os.path.join(SITES, name + ".conf"), "--json", "--seeds", "10",
                           *args).stdout)


def of_desktops(got, host=0):
    return next(c for c in got["hosts"][host]["counts"] if c["product"] == "desktop")


def test_office_works():
    got = answer("office")
    assert got["machines"] == 50 and got["days"] == 730 and got["seeds"] == 10
    assert got["stays_activated"]["probability"] == 1
    assert 0.6 < got["stays_activated"]["ci95"][0] < 0.8
    count = of_desktops(got)
    assert count["stays_above"]["probability"] == 1 and count["below_days"]["mean"] == 0
    assert 3 < count["reached_day"]["mean"] < 14
    assert count["least"]["mean"] >= 25
    desktops, laptops, servers = got["classes"]
    assert desktops["machines"] == 32 and desktops["lapsed"]["mean"] == 0
    # once a week each, two years long, and the tries until the threshold
    assert 50 / 7 * 0.7 < got["hosts"][0]["requests_a_day"]["mean"] < 50 / 7 * 1.2
    # the outages of the file: half a day in 120
    assert 0.2 < got["hosts"][0]["down_percent"]["mean"] < 0.6
    assert laptops["unanswered_percent"]["mean"] > 0


def test_holidays_take_the_count_under_the_threshold():
    got = answer("holidays")
    count = of_desktops(got)
    assert count["stays_above"]["probability"] < 0.5
    assert 10 < count["below_days"]["mean"] < 40 and 18 < count["least"]["mean"] < 25
    # licensed machines keep their lease meanwhile
    assert got["classes"][0]["lapsed"]["mean"] == 0
    assert got["classes"][0]["answered_below_percent"]["mean"] > 0
    # so nobody would see it, but for the warning
    assert got["stays_activated"]["probability"] == 1
    assert "count of kms-1 for desktop falls below" in got["warnings"][0]
    assert answer("office")["warnings"] == []


def test_two_hosts_split_the_count_and_one_count_mends_it():
    apart, together = answer("two-hosts"), answer("one-count")
    assert of_desktops(apart)["reached"]["probability"] < 0.3
    assert apart["stays_activated"]["probability"] == 0
    assert apart["classes"][0]["notified"]["mean"] > 30
    assert together["stays_activated"]["probability"] == 1
    assert "counts" in together["hosts"][0] and "counts" not in together["hosts"][1]
    # the same by an option on the first file
    mended = answer("two-hosts", "--shared")
    for key in ("site",):
        mended.pop(key), together.pop(key)
    assert mended == together


def test_b3_count_stays_within_twice_the_threshold():
    got = json.loads(plan("--desktops", "80", "--seeds", "2", "--days", "100", "--json").stdout)
    assert of_desktops(got)["stays_above"]["probability"] == 1
    svg = plan("--desktops", "80", "--seeds", "2", "--days", "100", "--svg", "/dev/stdout").stdout
    line = re.search(r'class="line" d="M([^"]*)"', svg)[1].split()
    top = min(float(y) for y in line[1::2])
    need = float(re.search(r'class="need" d="M60 ([0-9.]+)h', svg)[1])
    zero = float(line[1])
    assert (zero - top) / (zero - need) == pytest.approx(2, abs=0.05)


def test_validity_ends_without_a_host(tmp_path):
    """A host that is down for most of the time: leases run out (180 days)."""
    conf = tmp_path / "site.conf"
    conf.write_text('machines = ( { name = "pcs"; product = "desktop"; count = 30;'
                    ' online = "always"; } );\n'
                    'hosts = ( { name = "k"; outage_every_days = 60; outage_hours = 8000; } );\n')
    got = json.loads(plan(str(conf), "--json", "--seeds", "3").stdout)
    assert got["classes"][0]["lapsed"]["mean"] == 30
    assert got["stays_activated"]["probability"] == 0
    assert got["classes"][0]["unanswered_percent"]["mean"] > 50


def test_same_on_any_number_of_cores():
    one = answer("office", "--jobs", "1", "--days", "60")
    assert one == answer("office", "--jobs", "3", "--days", "60")
    assert one != answer("office", "--jobs", "1", "--days", "60", "--seed", "100")


def test_table_names_threshold_intervals_and_verdict():
    text = plan(os.path.join(SITES, "holidays.conf"), "--seeds", "4").stdout
    assert text.startswith("small site: 28 machines, 1 host, 730 days from 2026-01-05, 4 seeds")
    assert re.search(r"kms-1 +desktop +25 +[0-9.]+ \([0-9.]+-[0-9.]+\) +0 % \(0-", text)
    assert "\x1b" not in text and "server" not in text
    assert "in 4 of 4 seeds, 100 %" in text.splitlines()[-1]


def test_long_renewal_interval_is_warned_of():
    args = ("--desktops", "30", "--seeds", "1", "--days", "30", "--renewal-minutes")
    assert "warning: a renewal interval above 20 days" in plan(*args, "28801").stdout
    assert "warning" not in plan(*args, "28800").stdout
    few = json.loads(plan("--desktops", "24", "--seeds", "1", "--json").stdout)
    assert few["warnings"] == ["desktop needs a count of 25, and there are 24 machines "
                               "that count with it"]
    assert of_desktops(few)["reached"]["probability"] == 0


def test_picture_has_a_panel_for_each_count(tmp_path):
    for name, panels in (("office", 1), ("two-hosts", 2), ("one-count", 1)):
        svg = tmp_path / (name + ".svg")
        plan(os.path.join(SITES, name + ".conf"), "--seeds", "3", "--days", "200",
             "--svg", str(svg))
        root = ET.parse(svg).getroot()
        ns = "{http://www.w3.org/2000/svg}"
        of = [e.get("class") for e in root.iter(ns + "path")]
        assert of.count("line") == panels and of.count("band") == panels
        assert of.count("need") == panels * (2 if name == "office" else 1)
        png = subprocess.run(["rsvg-convert", str(svg)], capture_output=True, timeout=60)
        assert png.returncode == 0 and png.stdout.startswith(b"\x89PNG")


def test_every_mistake_of_a_file_is_told(tmp_path):
    conf = tmp_path / "site.conf"
    conf.write_text('start = "2026-02-30";\nmachine_count = 5;\nmachines = (\n'
                    ' { name = "a"; product = "tablet"; count = 0; online = "someday"; },\n'
                    ' { name = "b"; count = 5; absent_percent = 101; speed = 3; }\n);\n')
    err = plan(str(conf), code=1).stderr
    for line, text in ((1, "start must be a date"), (2, "machine_count must be left out"),
                       (4, "product must be the name"), (4, "count must be a whole number"),
                       (4, 'online must be "always"'), (5, "absent_percent must be a number"),
                       (5, "speed must be left out")):
        assert f"site.conf:{line}: {text}" in err
    got = json.loads(plan(str(conf), "--json", code=1).stdout)["error"]
    assert got["code"] == "site" and "start must be" in got["message"] and got["next_step"]
    for text in ("machines = ( { name = \"x\"; count = 5; }", "", "hosts = 5;\n",
                 "hosts = ( 5 );\n", "machines = ();\n", "things = ( {} );\n"):
        conf.write_text(text)
        plan(str(conf), code=1)
    assert plan(str(tmp_path / "no.conf"), code=1).stderr.count("no.conf") == 1


def test_usage():
    for args in (["--seeds", "0"], ["--seeds", "1001"], ["--hosts", "7"], ["--days", "x"],
                 ["--retry-minutes", "14"], ["a", "b"], ["--nosuch"]):
        plan("--desktops", "30", *args, code=2)
    assert "SITE.conf" in plan("--help").stdout
    plan(code=1)
    plan("--desktops", "5001", code=1)
    plan("--desktops", "30", "--svg", "/nowhere/a.svg", "--seeds", "1", code=1)


def bar_of(*args):
    """What a terminal is shown."""
    master, slave = pty.openpty()
    p = subprocess.Popen([MUSTER, "plan", *args], stdout=subprocess.DEVNULL, stderr=slave)
    os.close(slave)
    shown = b""
    while True:
        try:
            data = os.read(master, 4096)
        except OSError:
            break
        shown += data
    os.close(master)
    assert p.wait() == 0
    return shown.decode()


def test_progress_bar_on_a_terminal_after_a_second():
    long = ("--desktops", "300", "--seeds", "10", "--jobs", "1")
    shown = bar_of(*long)
    assert re.search(r"\r\[#*\.*\] \d+ of 10 seeds, \d+ s left", shown)
    assert shown.endswith("\r")
    assert bar_of("--desktops", "3", "--seeds", "1", "--days", "5") == ""
    assert plan(*long).stderr == ""
