# SPDX-License-Identifier: MIT
"""Goal: the real programs live the year of the pure trace: the same script,
the same states in the same order (tests/vectors/life-year.txt)."""
import glob
import os
import re
import struct
import time
import uuid

import agent
import demo
import wire
from agent import Machine

DAY = 86400
LIB = glob.glob("/usr/lib/*/faketime/libfaketimeMT.so.1")
SERVER = uuid.UUID(demo.SERVER).bytes
STATES = "|".join(["unlicensed", "initial grace", "licensed",
                   "out-of-tolerance grace", "notification"])
PRODUCTS = demo.PRODUCTS.replace(
    'threshold = 5; line = 0; level = 1;',
    'threshold = 5; line = 0; level = 1; validity_days = 30;\n'
    '     initial_grace_days = 10; lapse_grace_days = 10;')


class Year:
    """A host and a machine whose clocks are set by a file."""

    def __init__(self, folder):
        self.begin = self.now = int(time.time())
        self.clock = os.path.join(folder, "clock")
        self.env = {"LD_PRELOAD": LIB[0], "FAKETIME_TIMESTAMP_FILE": self.clock,
                    "FAKETIME_NO_CACHE": "1", "TZ": "UTC",
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
        self.states, self.n_renewals, self.n_runs = [], 0, 0
        self.due = self.now

    def set(self, unix_s):
        self.now = unix_s
        with open(self.clock + ".new", "w") as f:
            f.write(time.strftime("%Y-%m-%d %H:%M:%S\n", time.gmtime(unix_s)))
        os.rename(self.clock + ".new", self.clock)

    def told(self, name):
        if not self.states or self.states[-1] != name:
            self.states.append(name)

    def run(self):
        """The agent, once; the other machines of the site come back too."""
        if self.is_up:
            for cmid in self.others:
                status, _ = wire.activate(self.site.port, SERVER, cmid=cmid,
                                          when=self.now, threshold=5)
                assert status == 0
        was = self.states[-1] if self.states else None
        log = []
        out = self.machine.once(env=self.env, log=log)[demo.SERVER]
        for a, b in re.findall(f"({STATES}) -> ({STATES}) ", log[0]):
            self.told(a)
            self.told(b)
        self.told(out["state"].replace("out_of_t", "out-of-t")
                  .replace("_", " "))
        self.n_runs += 1
        self.n_renewals += was == self.states[-1] == "licensed" and \
            out["asked"] == "answered"
        self.due = out["due"]
        return out

    def until(self, day):
        """Step to each next contact."""
        end = self.begin + day * DAY
        while self.due <= end:
            self.set(max(self.due, self.now))
            assert self.run()["asked"] != "not_due"
        self.set(end)

    def up(self, is_up):
        if is_up:
            self.site.start()
        else:
            self.site.stop()
        self.is_up = is_up

    def rearm(self):
        self.machine.start(wrap=agent.AS_ROOT, env=self.env)
        reply = self.machine.ask(agent.REARM, struct.pack(">I", 0))
        assert reply["err"] == 0, reply
        self.told(self.machine.info(demo.SERVER)["state"].replace("_", " "))
        end = time.monotonic() + 20
        while self.machine.info(demo.SERVER)["due"] == 0:
            assert time.monotonic() < end
            time.sleep(0.05)
        self.due = self.machine.info(demo.SERVER)["due"]
        self.machine.stop()


def test_b30_to_b38_a_year_with_the_real_programs(tmp_path):
    assert LIB, "the package faketime is missing"
    y = Year(str(tmp_path))
    try:
        y.until(2)
        y.others += [os.urandom(16) for _ in range(4)]
        y.until(100)
        y.up(False)
        y.until(140)
        y.up(True)
        y.until(200)
        y.set(y.begin + 197 * DAY)  # the machine's clock, set back by 3 days
        y.is_up = False  # the host's is the same file: nobody can ask it
        y.run()
        y.is_up = True
        y.set(y.begin + 201 * DAY)
        y.until(250)
        with open(os.path.join(y.machine.root, "etc/machine-id"), "w") as f:
            f.write(f"{0xbeef << 64:032x}\n")
        y.run()
        y.until(300)
        y.up(False)
        y.rearm()
        y.until(301)
        y.up(True)
        y.until(365)
    finally:
        y.machine.process and y.machine.stop()
        y.site.stop()
    with open(os.path.join(demo.REPO, "tests/vectors/life-year.txt")) as f:
        pure = ["unlicensed"] + [re.search(r"-> (.*?)  *(first|a reply|time|another|rearm)",
                                  line + " ").group(1) for line in f]
    assert y.states == pure
    assert y.n_renewals >= 52, y.n_renewals
    assert y.n_runs > 100
    print(y.n_renewals, y.n_runs)
