# SPDX-License-Identifier: MIT
"""Goal: a lease that ends soon is told as such on the page, to scripts and to
monitoring: the same figures as the database's own rows give."""
import os
import subprocess
import time
import uuid

import pytest

import demo
import page
from test_metrics import metrics, samples
from test_page import chromium  # noqa: F401 - a fixture

DAY = 86400
FILL = os.path.join(demo.REPO, "build/tests/fill_store")
VALIDITY_DAYS = 180  # the catalogue's default
WITHIN = (7, 30, 60)
# Days that the leases of so many machines still hold, half a day off each edge
# (the unit test of the summary has the edges to the second), and the machines'
# threshold: of 20 that need 25 none has a lease.
ASKED = ((-0.5, 6, 1), (6.5, 1, 1), (7.5, 2, 1), (29.5, 3, 1), (30.5, 4, 1),
         (59.5, 5, 1), (60.5, 7, 1), (170, 20, 25))
# So many have asked again since, and were told too few: they keep what they had
# (b31).
AGAIN = (50, 4)


@pytest.fixture(scope="module")
def aged(tmp_path_factory):
    s = demo.Site(str(tmp_path_factory.mktemp("aged")))
    s.publish()
    s.start()
    s.activate_host()
    publisher = page.status(s)["publishers"][0]["id"]
    s.stop()
    now = int(time.time())

    def ask(n, at, threshold, *first):
        subprocess.run([FILL, os.path.join(
            s.host_root, "var/lib/muster/host/host.db"), publisher, "1",
            uuid.UUID(demo.DESKTOP).hex, str(n), str(at), str(threshold),
            *first], check=True, timeout=240)

    for left_days, n, threshold in ASKED:
        ask(n, now + int((left_days - VALIDITY_DAYS) * DAY), threshold)
    left_days, n = AGAIN
    ask(n, now + (left_days - VALIDITY_DAYS) * DAY, 1, "1")
    ask(n, now - DAY, 25, "1")
    s.start()
    yield s
    s.stop()


def of_database(site, at_unix_s):
    ends = [at + VALIDITY_DAYS * DAY - at_unix_s for at, in page.Database(
        site).settled().query("SELECT granted FROM client WHERE granted > 0")]
    return {"current": sum(e > 0 for e in ends),
            "ended": sum(e <= 0 for e in ends),
            **{f"within_{d}_days": sum(0 < e <= d * DAY for e in ends)
               for d in WITHIN}}


def test_b5_leases_that_end_are_those_of_the_database(chromium, aged):  # noqa: F811
    at_unix_s = page.summed(aged)
    wanted = of_database(aged, at_unix_s)
    _, n = AGAIN
    assert wanted == {"ended": 6, "within_7_days": 1, "within_30_days": 6,
                      "within_60_days": 15 + n, "current": 22 + n}
    assert page.status(aged)["inventory"]["leases"] == wanted

    told = samples(metrics(aged))
    assert told["muster_host_inventory_leases"] == wanted["current"]
    for d in WITHIN:
        assert told[f'muster_host_inventory_leases_ending{{days="{d}"}}'] == \
            wanted[f"within_{d}_days"], d

    chromium.look()
    chromium.open(page.status_port(aged))
    for name in ("current", "ended"):
        assert chromium.number(f"[data-is={name}]") == wanted[name], name
    for d in WITHIN:
        assert chromium.number(f"[data-is=within-{d}]") == \
            wanted[f"within_{d}_days"], d
