# SPDX-License-Identifier: MIT
"""Goal: an administrator describes a site and learns whether it will stay
activated: four sites whose answer is known, as a table, as JSON, as a
picture; the same on any number of cores; every mistake of a file told."""
import functools
import json
import os
import pty
import re
import shutil
import signal
import subprocess
import time
import xml.etree.ElementTree as ET

import pytest

import demo
from conftest import REPO

MUSTER = os.path.join(demo.BIN, "muster")
SITES = os.path.join(REPO, "doc/example/plan")


def plan(*args, code=0):
    p = subprocess.run([MUSTER, "plan", *args], capture_output=True, text=True, timeout=480)
    assert p.returncode == code, p.stdout + p.stderr
    return p


@functools.cache
def told(name, *args):
    """Each plan once: of one seed its answer is the same."""
    if "--seeds" not in args:
        args = (*args, "--seeds", "10")
    return plan(os.path.join(SITES, name + ".conf"), "--json", *args).stdout


def answer(name, *args):
    return json.loads(told(name, *args))


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


@pytest.mark.parametrize("seeds", ["4", pytest.param("10", marks=pytest.mark.long)])
def test_two_hosts_split_the_count_and_one_count_mends_it(seeds):
    apart, together = (answer(site, "--seeds", seeds) for site in ("two-hosts", "one-count"))
    assert of_desktops(apart)["reached"]["probability"] < 0.3
    assert apart["stays_activated"]["probability"] == 0
    assert apart["classes"][0]["notified"]["mean"] > 30
    assert together["stays_activated"]["probability"] == 1
    assert "counts" in together["hosts"][0] and "counts" not in together["hosts"][1]
    # the same by an option on the first file
    mended = answer("two-hosts", "--shared", "--days", "150", "--seeds", seeds)
    together = answer("one-count", "--days", "150", "--seeds", seeds)
    for key in ("site",):
        mended.pop(key), together.pop(key)
    assert mended == together


def test_ten_million_ask_as_the_paper_says():
    """The line in the file, and the figures that doc/cluster.md takes from it."""
    with open(os.path.join(SITES, "ten-million.conf")) as f:
        line = re.search("^#   muster plan (.*)$", f.read(), re.M)[1]
    with open(os.path.join(REPO, "doc/cluster.md")) as f:
        text = f.read()
    assert f"`muster plan {line}`" in text
    a_day = float(re.search("They make ([0-9]+) requests a day", text)[1])
    least, most = re.search("Each host has ([0-9.]+) to ([0-9.]+) requests", text).groups()
    path, *args = line.split()
    got = json.loads(plan(os.path.join(REPO, path), *args, "--json").stdout)
    assert got["machines"] == 4000 and got["days"] == 90 and got["seeds"] == 2
    hosts = got["hosts"]
    assert round(sum(h["requests_a_day"]["mean"] for h in hosts)) == a_day
    busiest = [h["busiest_minute"]["mean"] for h in hosts]
    assert (min(busiest), max(busiest)) == (float(least), float(most))
    assert got["stays_activated"]["probability"] == 1


def test_b3_count_stays_within_twice_the_threshold():
    got = json.loads(plan("--desktops", "80", "--seeds", "2", "--days", "100", "--json").stdout)
    assert of_desktops(got)["stays_above"]["probability"] == 1
    svg = plan("--desktops", "80", "--seeds", "2", "--days", "100", "--svg", "/dev/stdout").stdout
    line = re.search(r'class="line" d="M([^"]*)"', svg)[1].split()
    top = min(float(y) for y in line[1::2])
    need = float(re.search(r'class="need" d="M60 ([0-9.]+)h', svg)[1])
    zero = float(line[1])
    assert (zero - top) / (zero - need) == pytest.approx(2, abs=0.05)


def test_red_marks_a_day_on_which_one_seed_in_twenty_is_below(tmp_path):
    conf = tmp_path / "site.conf"
    conf.write_text('machines = ( { name = "pcs"; count = 28; product = "desktop"; '
                    'leave = { every_days = 700; days = 31; }; } );\n')
    got = json.loads(plan(str(conf), "--json").stdout)
    assert of_desktops(got)["stays_above"]["probability"] == 0.95
    svg = plan(str(conf), "--svg", "/dev/stdout").stdout
    # the climb at the beginning, and the days of that one seed
    red = [float(x) for x in re.findall(r'class="below" x="([0-9.]+)"', svg)]
    assert len(red) == 2 and red[1] > 100


def test_a_worker_that_dies_ends_the_plan():
    p = subprocess.Popen([MUSTER, "plan", "--desktops", "300", "--seeds", "60", "--jobs", "3"],
                         stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True)
    for _ in range(1000):
        workers = subprocess.run(["pgrep", "-P", str(p.pid)], capture_output=True,
                                 text=True).stdout.split()
        if len(workers) == 3:
            break
        time.sleep(0.01)
    os.kill(int(workers[1]), signal.SIGKILL)
    _, err = p.communicate(timeout=240)
    assert p.returncode == 1 and "did not come to its end" in err


def test_workers_end_with_their_plan():
    p = subprocess.Popen([MUSTER, "plan", "--desktops", "5000", "--days", "3650", "--seeds", "2",
                          "--jobs", "2"],
                         stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True)
    workers = []
    while len(workers) < 2:
        workers = subprocess.run(["pgrep", "-P", str(p.pid)], capture_output=True,
                                 text=True).stdout.split()
    p.kill()
    assert p.communicate(timeout=240)[1] == ""  # its other end is closed by the last of them


def test_off_for_more_than_a_year_is_not_off_for_ever(tmp_path):
    conf = tmp_path / "site.conf"
    conf.write_text('days = 3650;\nmachines = ( { name = "pcs"; count = 60; product = "desktop"; '
                    'leave = { every_days = 1000; days = 400; }; } );\n')
    got = json.loads(plan(str(conf), "--json", "--seeds", "2").stdout)
    assert got["classes"][0]["activated"]["probability"] == 1


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


def test_down_time_ends_with_the_plan(tmp_path):
    conf = tmp_path / "site.conf"
    conf.write_text('days = 30;\nmachines = ( { name = "pcs"; count = 9; product = "desktop"; '
                    'arrive_days = 0; } );\n'
                    'hosts = ( { name = "k"; outage_every_days = 1; outage_hours = 8000; } );\n')
    down = json.loads(plan(str(conf), "--json", "--seeds", "8").stdout)["hosts"][0]["down_percent"]
    assert 90 < down["mean"] < 100 and down["most"] < 100 and down["ci95"][1] <= 100


def test_a_short_plan_has_all_its_machines_in_time():
    for args in (("--days", "14", "--servers", "30"), ("--servers", "30", "--days", "2")):
        got = json.loads(plan(*args, "--json", "--seeds", "10").stdout)
        assert got["stays_activated"]["probability"] == 1, args


def test_what_every_seed_has_in_common_has_no_interval():
    got = answer("office")
    assert got["classes"][0]["lapsed"] == {"mean": 0, "ci95": None, "least": 0, "most": 0,
                                           "seeds": 10}
    assert got["unseen_at_most"] == pytest.approx(0.2589, abs=0.0001)
    assert got["hosts"][0]["requests_a_day"]["ci95"][0] > 0
    one = json.loads(plan("--desktops", "30", "--seeds", "1", "--json").stdout)
    assert one["hosts"][0]["requests_a_day"]["ci95"] is None
    assert one["classes"][0]["unanswered_percent"]["ci95"] is None
    table = plan("--desktops", "30", "--seeds", "1").stdout
    assert re.search(r"(?s)in each seed that has one;.*probability of at most 95 %",
                     table)


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
    # a site may stay activated while its count does not
    assert "stays there: in 0 of 4 seeds, 0 %" in text.splitlines()[-2]


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
        png = subprocess.run(["rsvg-convert", str(svg)], capture_output=True, timeout=240)
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


def test_usage_says_what_an_option_may_be(tmp_path):
    for args, said in ((["--seeds", "0"], "--seeds 0: must be a number from 1 to 1000"),
                       (["--seeds", "1001"], "from 1 to 1000"),
                       (["--hosts", "7"], "--hosts 7: must be a number from 1 to 6"),
                       (["--days", "x"], "--days x: must be a number from 1 to 3650"),
                       (["--days", "-3"], "--days -3: must be"),
                       (["--retry-minutes", "14"], "from 15 to 43200"),
                       (["--laptops", "5001"], "from 0 to 5000"),
                       (["a", "b"], "argument 2 is one too many"),
                       (["--nosuch"], "--nosuch is no option of this command")):
        assert said in plan("--desktops", "30", *args, code=2).stderr
    conf = tmp_path / "one.conf"
    conf.write_text('products = ( { name = "only"; } );\n'
                    'machines = ( { name = "a"; product = "only"; count = 30; } );\n')
    assert "the file describes one" in plan(str(conf), "--servers", "3", code=2).stderr


def test_half_of_a_pair_is_a_mistake(tmp_path):
    conf = tmp_path / "site.conf"
    pcs = 'machines = ( { name = "pcs"; count = 30; product = "desktop"; %s } );\n'
    for text, said in (
            (pcs % "away = { days = 5; };", "pcs: away needs every_days beside its days"),
            (pcs % "leave = { days = 9; };", "pcs: leave needs every_days beside its days"),
            (pcs % "leave = { every_days = 9; };", "pcs: leave must be of 1 day at least"),
            (pcs % "" + "holidays = ( { days = 30; } );", "one has no day from which on"),
            (pcs % "" + 'hosts = ( { name = "k"; outage_hours = 500; } );',
             "k: an outage needs both, outage_every_days and outage_hours"),
            (pcs % "" + 'hosts = ( { name = "k"; outage_every_days = 5; } );', "k: an outage"),
            (pcs % "" + "shared_count = true; database_outage_hours = 5;", "database: an outage"),
            (pcs % "" + "database_outage_hours = 5; database_outage_every_days = 5;",
             "and this site has none")):
        conf.write_text(text)
        assert said in plan(str(conf), code=1).stderr, said
    conf.write_text(pcs % "" + 'holidays = ( { from = "2031-01-01"; days = 3; } );')
    assert "warning: the holidays from 2031-01-01 lie outside of the plan" in \
        plan(str(conf), "--seeds", "1", "--days", "40").stdout


def test_outages_follow_each_other(tmp_path):
    """Two days up, two days down: half of the time, and not two thirds."""
    conf = tmp_path / "site.conf"
    pcs = 'machines = ( { name = "pcs"; count = 9; product = "desktop"; } );\n'
    conf.write_text(pcs + 'hosts = ( { name = "k"; outage_every_days = 2; outage_hours = 48; } );')
    got = json.loads(plan(str(conf), "--json", "--seeds", "8").stdout)
    assert 46 < got["hosts"][0]["down_percent"]["mean"] < 54


@pytest.mark.parametrize("seeds", ["1", pytest.param("2", marks=pytest.mark.long)])
def test_a_shared_count_has_outages_of_its_own(tmp_path, seeds):
    """BUSY is asked again within a minute or so, and does not renew a lease."""
    conf = tmp_path / "site.conf"
    text = ('shared_count = true; days = 40; renewal_minutes = 1440;\n'
            'products = ( { name = "p"; threshold = 5; validity_days = 4; } );\n'
            'machines = ( { name = "pcs"; count = 6; product = "p"; online = "always"; } );\n'
            'hosts = ( { name = "a"; }, { name = "b"; } );\n')
    conf.write_text(text)
    good = json.loads(plan(str(conf), "--json", "--seeds", seeds).stdout)
    assert good["stays_activated"]["probability"] == 1
    assert good["database_down_percent"]["mean"] == 0
    conf.write_text(text + "database_outage_every_days = 15; database_outage_hours = 300;\n")
    got = json.loads(plan(str(conf), "--json", "--seeds", seeds).stdout)
    assert got["classes"][0]["lapsed"]["mean"] == 6
    assert got["stays_activated"]["probability"] == 0
    assert 10 < got["database_down_percent"]["mean"] < 60
    assert [h["down_percent"]["mean"] for h in got["hosts"]] == [0, 0]


def test_products_without_a_group_are_one_of_their_own(tmp_path):
    conf = tmp_path / "site.conf"
    text = ('products = ( { name = "a"; %s threshold = 25; }, { name = "b"; threshold = 25; } );\n'
            'machines = ( { name = "as"; count = 15; product = "a"; },\n'
            '             { name = "bs"; count = 15; product = "b"; } );\n')
    for group, together in (('group = "x";', 0), ("", 1)):
        conf.write_text(text % group)
        got = json.loads(plan(str(conf), "--json", "--seeds", "2", "--days", "60").stdout)
        assert got["stays_activated"]["probability"] == together, group


def test_a_picture_that_cannot_be_written_is_told_at_once(tmp_path):
    err = plan("--desktops", "5000", "--seeds", "1000", "--svg", str(tmp_path / "no" / "a.svg"),
               code=1).stderr
    assert "a.svg: No such file" in err  # or the plan's time would be up
    conf = tmp_path / "-a.conf"
    conf.write_text('machines = ( { name = "pcs"; count = 3; product = "desktop"; } );\n')
    p = subprocess.run([MUSTER, "plan", "--seeds", "1", "--", "-a.conf"], cwd=tmp_path,
                       capture_output=True, text=True, timeout=240)
    assert p.returncode == 0 and "pcs" in p.stdout, p.stderr


def test_names_are_there_and_apart(tmp_path):
    conf = tmp_path / "site.conf"
    for text, said in (
            ('products = ( { name = "a"; }, { name = "a"; } );', "two products are called a"),
            ('products = ( { name = "a"; }, { threshold = 5; } );', "products without a name"),
            ('products = ( { name = "a"; } ); hosts = ( { name = "k"; }, { name = "k"; } );',
             "two hosts are called k"),
            ('products = ( { name = "a"; } );', "two kinds of machines are called pc"),
            ('products = ( { name = "a"; } ); days = 20;',
             "arrives over 14 days (14 where nothing is set)")):
        conf.write_text(text + '\nmachines = ( { name = "pc"; count = 5; product = "a"; }, '
                               '{ name = "pc"; count = 5; product = "a"; } );\n')
        assert said in plan(str(conf), code=1).stderr, said
    conf.write_text('machines = ( { name = "pc"; count = 30; product = "desktop"; '
                    'online = "always"; absent_percent = 5; } );\n')
    assert "is always on, so it has neither absent_percent nor" in plan(str(conf), code=1).stderr


def test_a_planner_that_is_not_there(tmp_path):
    os.mkdir(tmp_path / "bin")
    shutil.copy(MUSTER, tmp_path / "bin")
    p = subprocess.run([tmp_path / "bin/muster", "plan"], capture_output=True, text=True, timeout=90)
    assert (p.returncode, p.stdout) == (1, "")
    assert p.stderr == (f"muster: {tmp_path}/libexec/muster-plan: No such file or directory\n"
                        "  reinstall the package muster-cli\n")


def test_usage():
    assert "SITE.conf" in plan("--help").stdout
    plan(code=1)
    plan("--desktops", "3000", "--laptops", "2001", code=1)
    plan("--desktops", "30", "--svg", "/nowhere/a.svg", "--seeds", "1", code=1)


def held(p):
    """Its worker stands still until a second is over, whatever it has to do."""
    worker = []
    while not worker:
        assert p.poll() is None
        worker = subprocess.run(["pgrep", "-P", str(p.pid)], capture_output=True,
                                text=True).stdout.split()
    os.kill(int(worker[0]), signal.SIGSTOP)
    stat = ""
    while ") S " not in stat:  # it waits for its worker, and has looked at its clock
        assert p.poll() is None
        with open(f"/proc/{p.pid}/stat") as f:
            stat = f.read()
        time.sleep(0.01)
    time.sleep(1.2)
    os.kill(int(worker[0]), signal.SIGCONT)


def bar_of(*args, is_held=False):
    """What a terminal is shown."""
    master, slave = pty.openpty()
    p = subprocess.Popen([MUSTER, "plan", *args], stdout=subprocess.DEVNULL, stderr=slave)
    os.close(slave)
    if is_held:
        held(p)
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
    long = ("--desktops", "200", "--seeds", "10", "--days", "400", "--jobs", "1")
    shown = bar_of(*long, is_held=True)
    assert re.search(r"\r\[#*\.*\] \d+ of 10 seeds, \d+ s left", shown)
    assert shown.endswith("\r")
    assert bar_of("--desktops", "3", "--seeds", "1", "--days", "5") == ""
    p = subprocess.Popen([MUSTER, "plan", *long], stdout=subprocess.DEVNULL,
                         stderr=subprocess.PIPE, text=True)
    held(p)
    assert p.communicate(timeout=240)[1] == "" and p.returncode == 0
