# SPDX-License-Identifier: MIT
"""What planning a site costs, and a campaign of the simulator."""
import json
import os
import subprocess
import time

import demo
from publisher import PROGRAM_S, Row

SITE = ("--desktops", "300", "--laptops", "150", "--servers", "50")
CAMPAIGN_SEEDS = 1000


def run(*args):
    begin = time.monotonic()
    p = subprocess.run(args, capture_output=True, text=True, check=True,
                       timeout=PROGRAM_S)
    return time.monotonic() - begin, p.stdout


def plan(site):
    """500 machines over two years, on all cores; a campaign on one."""
    for seeds, limit in ((20, 10), (200, 90)):
        spent, _ = run(os.path.join(demo.BIN, "muster"), "plan", *SITE,
                       "--seeds", str(seeds))
        yield Row(f"plan: 500 machines, two years, {seeds} seeds", spent, "s",
                  limit=limit)
    _, out = run(os.path.join(demo.REPO, "build/sim/muster-sim"), "--json",
                 "--seeds", str(CAMPAIGN_SEEDS))
    per_minute = json.loads(out)["client_years_per_minute"]
    yield Row("simulator: client-years a minute, one core", per_minute,
              limit=10000, at_least=True)


MEASURES = {"plan": plan}
