# SPDX-License-Identifier: MIT
"""Goal: the real programs live the year of the pure trace: the same script,
the same states in the same order, at the same time within the jitter
(tests/vectors/life-year.txt)."""
import math
import os
import re
import struct
import time
import uuid

import pytest

import agent
import demo
import faked_time
import wire
from agent import Machine

pytestmark = pytest.mark.bare

DAY = 86400
SERVER = uuid.UUID(demo.SERVER).bytes
STATES = "|".join(["unlicensed", "initial grace", "licensed",
                   "out-of-tolerance grace", "notification"])
PRODUCTS = demo.PRODUCTS.replace(
    'threshold = 5; line = 0; level = 1;',
    'threshold = 5; line = 0; level = 1; validity_days = 30;\n'
    '     initial_grace_days = 10; lapse_grace_days = 10;')
RETRY_DAYS = 1


class Year:
    """A host and a machine whose clocks are set by a file."""

    def __init__(self, folder):
        self.begin = self.now = int(time.time())
        self.clock_file = os.path.join(folder, "clock")
        self.env = {"LD_PRELOAD": faked_time.library(), "FAKETIME_NO_CACHE": "1",
                    "FAKETIME_TIMESTAMP_FILE": self.clock_file, "TZ": "UTC",
                    "FAKETIME_DONT_FAKE_MONOTONIC": "1"}
        self.set(self.begin)
        self.site = demo.Site(folder)
        self.site.settings = "renewal_minutes = 7200;\nretry_minutes = 1440;\n"
        self.site.env = {**os.environ, **self.env}
        self.site.publish(products=PRODUCTS)
        self.site.start()
        self.site.activate_host()
        self.machine = Machine(self.site, 1)
        with open(self.site.path("acme.key")) as f:  # the server's key alone
            keys = f.read().splitlines()
        with open(self.machine.key_file, "w") as f:
            f.write(keys[1] + "\n")
        self.others = [os.urandom(16) for _ in range(2)]
        self.is_up = True
        self.trace, self.state = [], "unlicensed"
        self.n_renewals = self.n_runs = self.n_machines = 0
        self.due = self.now

    def set(self, unix_s):
        self.now = unix_s
        with open(self.clock_file + ".new", "w") as f:
            f.write(time.strftime("%Y-%m-%d %H:%M:%S\n", time.gmtime(unix_s)))
        os.rename(self.clock_file + ".new", self.clock_file)

    def day(self):
        return (self.now - self.begin) / DAY

    def say(self, what):
        """A line of the script."""
        self.trace.append((self.day(), "-- " + what))

    def told(self, name):
        if self.state != name:
            self.trace.append((self.day(), f"{self.state} -> {name}"))
            self.state = name

    def run(self):
        """The agent, once; the other machines of the site come back too."""
        if self.is_up:
            for cmid in self.others:
                status, _ = wire.activate(self.site.port, SERVER, cmid=cmid,
                                          when=self.now, threshold=5)
                assert status == 0
        was, log = self.state, []
        out = self.machine.once(env=self.env, log=log)[demo.SERVER]
        for a, b in re.findall(f"({STATES}) -> ({STATES}) ", log[0]):
            self.told(a)
            self.told(b)
        self.told(out["state"].replace("out_of_t", "out-of-t")
                  .replace("_", " "))
        self.n_runs += 1
        self.n_renewals += was == self.state == "licensed" and \
            out["asked"] == "answered"
        self.due = out["due"]
        return out

    def contacts(self, n):
        """Step to each next contact."""
        for _ in range(n):
            assert self.due > self.now
            self.set(self.due)
            assert self.run()["asked"] == \
                ("answered" if self.is_up else "not_answered")

    def hosts(self, is_up):
        self.say("the hosts are back" if is_up else "the hosts are gone")
        if is_up:
            self.site.start()
        else:
            self.site.stop()
        self.is_up = is_up

    def clock(self, days, what):
        """The machine's clock alone: hosts, who have the same file, are gone."""
        assert not self.is_up
        self.say(what)
        right = self.now
        self.set(right + days * DAY)
        n = len(self.trace)
        self.run()
        self.now = right
        self.trace[n:] = [(self.day(), x) for _, x in self.trace[n:]]
        if days == 0:
            assert self.due > right

    def other_machine(self):
        self.say("the state is on another machine")
        self.n_machines += 1
        with open(os.path.join(self.machine.root, "etc/machine-id"), "w") as f:
            f.write(f"{0xbeef << 64 | self.n_machines:032x}\n")
        self.run()

    def rearm(self):
        self.say("rearm")
        begin = time.monotonic()
        self.machine.start(wrap=agent.AS_ROOT, env=self.env)
        reply = self.machine.ask(agent.REARM, struct.pack(">I", 0))
        assert reply["err"] == 0, reply
        self.told(self.machine.info(demo.SERVER)["state"].replace("_", " "))
        end = time.monotonic() + 20
        while self.machine.info(demo.SERVER)["due"] == 0:
            assert time.monotonic() < end
            time.sleep(0.02)
        # it is told as so long from now, and this wall clock stands still
        # while the time since the start goes on
        self.due = self.machine.info(demo.SERVER)["due"] + \
            math.ceil(time.monotonic() - begin)
        self.machine.stop()


def first_half(y):
    y.run()
    y.contacts(1)
    y.hosts(False)
    y.clock(20, "the clock stands 20 days ahead")
    y.clock(0, "the clock is put right")
    y.hosts(True)
    y.say("four machines more")
    y.others += [os.urandom(16) for _ in range(4)]
    y.contacts(19)
    y.hosts(False)
    y.contacts(42)
    y.hosts(True)
    y.contacts(9)
    y.hosts(False)
    y.clock(-3, "the clock is set back by 3 days")
    y.clock(0, "the clock is put right")
    y.hosts(True)
    y.contacts(10)


def second_half(y):
    y.hosts(False)
    y.other_machine()
    y.hosts(True)
    y.contacts(6)
    y.hosts(False)
    y.clock(35, "the clock stands 35 days ahead")
    y.clock(0, "the clock is put right")
    y.clock(45, "the clock stands 45 days ahead")
    y.clock(0, "the clock is put right")
    y.hosts(True)
    y.contacts(6)
    y.hosts(False)
    y.other_machine()
    y.clock(20, "the clock stands 20 days ahead")
    y.clock(0, "the clock is put right")
    y.rearm()
    y.hosts(True)
    y.contacts(4)
    y.hosts(False)
    y.say("the machine is off for 41 days")
    y.set(y.now + 41 * DAY)
    y.run()
    y.rearm()
    y.hosts(True)
    y.contacts(2)
    y.hosts(False)
    y.rearm()
    y.contacts(12)
    y.hosts(True)
    y.contacts(8)


def pure_trace():
    """Lines of the kept trace: day, and what happened but for the reason."""
    with open(os.path.join(demo.REPO, "tests/vectors/life-year.txt")) as f:
        for line in f:
            m = re.match(r"day +(\d+) (\d\d):(\d\d)  (--.*)?(?:"
                         f"({STATES}) +-> ({STATES}) +)?(.*)", line)
            day = int(m[1]) + int(m[2]) / 24 + int(m[3]) / 1440
            yield (day, m[4], None) if m[4] else \
                (day, f"{m[5]} -> {m[6]}", m[7])


def compare(trace, pure):
    """Each delay ends up to a twentieth of it earlier by chance, so the time
    since the last line at which hosts answered, or which the script made, is
    up to a twentieth shorter.  What only time brings is seen by the first
    contact after it, which by so many earlier ones may be another one."""
    assert [x for _, x in trace] == [x for _, x, _ in pure]
    real_at = pure_at = 0.0
    for (real_day, what), (pure_day, _, why) in zip(trace, pure):
        real, want = real_day - real_at, pure_day - pure_at
        early = want / 20 + 1 / 1440
        late = 1 / 1440 if why != "time" else RETRY_DAYS
        assert want - early <= real <= want + late, \
            (what, real_day, pure_day, real, want)
        if why != "time":
            real_at, pure_at = real_day, pure_day


def test_b30_to_b38_a_year_with_the_real_programs(tmp_path):
    y = Year(str(tmp_path))
    try:
        first_half(y)
        second_half(y)
    finally:
        y.machine.process and y.machine.stop()
        y.site.stop()
    compare(y.trace, list(pure_trace()))
    assert y.n_renewals >= 52, y.n_renewals
    assert y.day() >= 365
    print(y.n_renewals, y.n_runs, y.day())
