# SPDX-License-Identifier: MIT
"""Goal: the curves of the page are drawn, and what they read out is what the
host noted: minute by minute and hour by hour."""
import json
import os
import re
import time
import uuid
from datetime import datetime

import pytest
from selenium.webdriver.common.action_chains import ActionChains
from selenium.webdriver.common.keys import Keys

import demo
import faked_time
import page
import wire
from page import eventually
from test_page import chromium  # noqa: F401 - a fixture

pytestmark = pytest.mark.bare

SERVER = uuid.UUID(demo.SERVER).bytes
# Minutes before now, and how many machines ask then: 5 are needed, and 10 are
# all that are counted.
PAST = ((180, 2), (110, 2), (50, 3), (2, 2), (1, 0), (0, 1))
WAIT_S = 60
STEPS = ["minute", "hour"]


class Clock:
    """Of musterd, by a file in the one folder that it may always read."""

    def __init__(self, site):
        folder = os.path.join(site.host_root, "var/lib/muster/host")
        os.makedirs(folder, exist_ok=True)
        self.path = os.path.join(folder, "clock")
        self.env = {**os.environ, "LD_PRELOAD": faked_time.library(),
                    "FAKETIME_NO_CACHE": "1", "TZ": "UTC",
                    "FAKETIME_TIMESTAMP_FILE": self.path,
                    "FAKETIME_DONT_FAKE_MONOTONIC": "1"}

    def behind(self, minutes):
        with open(self.path + ".new", "w") as f:
            f.write(f"-{60 * minutes}\n")
        os.rename(self.path + ".new", self.path)


def history(site, step):
    return json.loads(page.get(page.status_port(site),
                               f"/v1/history?resolution={step}")[2])


@pytest.fixture(scope="module")
def lived(tmp_path_factory):
    """A host that ran for three hours within seconds."""
    s = demo.Site(str(tmp_path_factory.mktemp("lived")))
    s.publish()
    clock = Clock(s)
    clock.behind(PAST[0][0])
    s.env = clock.env
    s.start()
    s.activate_host()
    asked = 0
    for minutes, n in PAST:
        clock.behind(minutes)
        for _ in range(n):
            assert wire.activate(s.port, SERVER, when=int(time.time()) - 60 *
                                 minutes, threshold=5)[0] == 0
        asked += n

        def noted():
            h = history(s, "minute")
            return h["now_unix_s"] >= time.time() - 60 * minutes - 30 and \
                h["groups"] and h["groups"][0]["count"][-1] == asked
        assert eventually(noted, WAIT_S), history(s, "minute")
    yield s
    s.stop()


def choose(view, step):
    view.js("document.querySelector(arguments[0]).closest('label').click()",
            f"[name=range][value={step}]")


def read_at(view, chart, reading, i, n):
    """What is read out under the pointer at point i of n."""
    over = view.find(f"{chart} .u-over")[0]
    view.js("arguments[0].scrollIntoView({block: 'center'})", over)
    width = over.size["width"]
    ActionChains(view.d, duration=0).move_to_element_with_offset(
        over, round(i / (n - 1) * (width - 2)) + 1 - width // 2, 0).perform()
    return view.text(reading)


def when(unix_s):
    """As this machine's clock zone has it, and so the browser."""
    return str(datetime.fromtimestamp(unix_s))


def opened(view, site, step):
    view.look()
    view.open(page.status_port(site))
    choose(view, step)
    h = history(site, step)
    assert eventually(lambda: when(h["first_unix_s"]) in
                      view.text("#curve-reading"))
    # one of the group, one of the answers
    assert len(view.find(".chart canvas")) == 2
    return h


@pytest.mark.parametrize("step, n, every", [
    ("minute", 181, 9), pytest.param("minute", 181, 1, marks=pytest.mark.long),
    ("hour", 4, 1)])
def test_a_curve_reads_what_the_host_noted(chromium, lived, step, n,  # noqa: F811
                                           every):
    """At each point where the count changes, and at every so many others."""
    h = opened(chromium, lived, step)
    # it begins at once, and the test may take minutes
    assert n - 1 <= h["n"] <= n + 5
    counts = h["groups"][0]["count"]
    known = [c for c in counts if c is not None]
    # a slow machine notes a minute before the first of them asks
    assert {2, 4, 10} <= set(known) - {0} <= {2, 4, 7, 9, 10}
    assert known == sorted(known)
    least = known[0]
    assert chromium.text("#groups .reading") == \
        f"{least} to 10 counted since {when(h['first_unix_s'])}"
    for i, count in enumerate(counts):
        if count is not None and (i % every == 0 or
                                  {count} != set(counts[i - 1:i + 2])):
            at = when(h["first_unix_s"] + i * h["step_s"])
            assert read_at(chromium, "#groups .chart", "#groups .reading", i,
                           h["n"]) == f"{at}: {count} counted"


@pytest.mark.parametrize("step", ["minute", "hour"])
def test_the_answers_curve_has_the_same_sums(chromium, lived, step):  # noqa: F811
    h = opened(chromium, lived, step)
    kinds = (("activated", "activated"), ("below the threshold",
                                          "below_threshold"),
             ("refused", "refused"))
    # 2 and 2 below it, the fifth and all after it activated
    assert [known(h[key]) for _, key in kinds] == [6, 4, 0]
    assert chromium.text("#curve-reading") == \
        f"Since {when(h['first_unix_s'])}: " + ", ".join(
            f"{known(h[key])} {name}" for name, key in kinds)
    k = -(-h["n"] // 144)  # neighbours are drawn as one
    n = -(-h["n"] // k)
    gap = None
    for i in range(n):
        told = {name: known(h[key][i * k:i * k + k]) for name, key in kinds}
        at = when(h["first_unix_s"] + i * k * h["step_s"])
        if None in told.values():  # the clock was set on: nobody looked
            gap = gap or read_at(chromium, "#curve", "#curve-reading", i, n)
            continue
        if sum(told.values()) == 0:
            continue
        assert read_at(chromium, "#curve", "#curve-reading", i, n).startswith(
            f"{at}: " + ", ".join(f"{v} {name}" for name, v in told.items()))
    assert step == "hour" or gap
    assert gap is None or gap.endswith(": not known"), gap


def known(values):
    """Their sum; None: nothing is known of any of them."""
    left = [v for v in values if v is not None]
    return sum(left) if left else None


@pytest.mark.parametrize("scheme, size, steps", [
    *((*look, [step]) for look, step in zip(page.LOOKS, STEPS)),
    *(pytest.param(*look, STEPS, marks=pytest.mark.long)
      for look in [*page.LOOKS, *page.MORE_LOOKS])])
def test_axe_has_nothing_against_curves(chromium, lived, scheme, size,  # noqa: F811
                                        steps):
    for step in steps:
        opened(chromium, lived, step)
        chromium.look(scheme, size)
        assert len(chromium.find(".chart canvas")) == 2
        assert chromium.axe() == [], step
        assert chromium.js("return document.documentElement.scrollWidth <= "
                           "innerWidth")
    chromium.look()


def press(view, *keys):
    """What is read after them, by eye; a screen reader has the same text."""
    for key in keys:
        ActionChains(view.d, duration=0).send_keys(key).perform()
    i, least, most, text, role, line = view.js(
        "const e = document.activeElement, a = (n) => e.getAttribute(n);"
        "return [+a('aria-valuenow'), +a('aria-valuemin'), +a('aria-valuemax'), "
        "a('aria-valuetext'), a('role'),"
        "e.parentNode.querySelector('.reading').textContent]")
    assert role == "slider" and least <= i <= most and text == line
    return i, text


def test_a_curve_is_read_by_keys(chromium, lived):  # noqa: F811
    """Tab leads to it and on; arrows, page keys and both ends lead along it."""
    h = opened(chromium, lived, "hour")
    counts, last = h["groups"][0]["count"], h["n"] - 1

    def told(i):
        return i, f"{when(h['first_unix_s'] + i * h['step_s'])}: " + (
            "not known" if counts[i] is None else f"{counts[i]} counted")
    # the chosen range is the last that keys lead to before the first curve
    chromium.js("document.querySelector('[name=range]:checked').focus()")
    assert press(chromium, Keys.TAB) == told(last)
    assert chromium.js("return document.activeElement.matches('#groups .chart')"
                       " && document.activeElement.matches(':focus-visible')")
    assert press(chromium, Keys.END, Keys.ARROW_RIGHT) == told(last)
    assert press(chromium, Keys.ARROW_LEFT) == told(last - 1)
    assert press(chromium, Keys.ARROW_LEFT) == told(last - 2)
    assert press(chromium, Keys.ARROW_RIGHT) == told(last - 1)
    assert press(chromium, Keys.HOME) == told(0)
    assert press(chromium, Keys.ARROW_LEFT) == told(0)
    assert press(chromium, Keys.PAGE_UP) == told(1)
    assert press(chromium, Keys.PAGE_DOWN) == told(0)
    # the page asks again meanwhile, and draws anew
    chromium.js("document.querySelector('#groups canvas').id = 'drawn'")
    chromium.js("document.querySelector('[name=range]:checked')"
                ".dispatchEvent(new Event('change'))")
    assert eventually(lambda: not chromium.find("#drawn"))
    assert press(chromium, Keys.ARROW_RIGHT) == told(1)
    assert chromium.axe() == []
    i, text = press(chromium, Keys.TAB)  # to the answers
    assert text.startswith(told(i)[1].split(": ")[0]) and " in " in text
    assert "counted since" in chromium.text("#groups .reading")
    press(chromium, Keys.HOME)
    chromium.js("document.activeElement.blur()")
    assert chromium.text("#curve-reading").startswith("Since ")


def counts_at(h):
    return {h["first_unix_s"] + i * h["step_s"]: c
            for i, c in enumerate(h["groups"][0]["count"]) if c is not None}


def is_kept(was, now):
    """All but the newest point, which goes on."""
    return {at for at, c in was.items() if now.get(at) != c} <= {max(was)}


def kept_file(site):
    return os.path.join(site.host_root, "var/lib/muster/host/history")


def test_a_crash_takes_away_an_hour_of_the_curves_at_most(lived):
    """Nobody has ended musterd yet: what is there was written meanwhile."""
    was = counts_at(history(lived, "minute"))
    lived.daemon.kill()
    lived.daemon.wait()
    lived.start()
    now = counts_at(history(lived, "minute"))
    old = time.time() - 3600 * 2
    assert any(at < old for at in was)
    assert {at: c for at, c in was.items() if at < old}.items() <= now.items()


def test_curves_go_on_after_a_restart(lived):
    before = {step: counts_at(history(lived, step)) for step in ("minute", "hour")}
    lived.stop()
    lived.start()
    for step, was in before.items():
        assert is_kept(was, counts_at(history(lived, step)))


def test_a_clock_that_is_not_set_yet_takes_no_curve_away(lived):
    """As a machine without one begins; after a while it is set."""
    was = counts_at(history(lived, "minute"))
    lived.stop()
    clock = Clock(lived)
    clock.behind(60 * 24 * 365)
    lived.start()
    time.sleep(3)  # it would have noted by now
    assert is_kept(was, counts_at(history(lived, "minute")))
    clock.behind(0)
    assert eventually(lambda: history(lived, "minute")["now_unix_s"] >
                      time.time() - 60)
    time.sleep(2)
    assert is_kept(was, counts_at(history(lived, "minute")))


def test_a_history_that_is_damaged_or_cannot_be_written_is_told(lived):
    lived.stop()
    with open(kept_file(lived), "r+b") as f:
        f.seek(40)
        f.write(b"\xff")
    lived.start()
    assert eventually(lambda: history(lived, "minute")["n"])
    assert history(lived, "minute")["n"] <= 3
    os.remove(kept_file(lived))
    os.mkdir(kept_file(lived))
    lived.stop()
    os.rmdir(kept_file(lived))
    with open(lived.path("musterd.log")) as f:
        text = f.read()
    assert re.search("history: .* cannot be read: .* begin anew", text)
    assert re.search("history: .* is not written: ", text)
    lived.start()
