# SPDX-License-Identifier: MIT
"""Goal: a cloned image is told of as what it is, one client id, and no longer
than there is something to be done about it."""
import json
import uuid

import pytest

import demo
import faked_time
import wire
from test_status import get, port_of, read
from test_status_numbers import wait_for

DESKTOP, SERVER = (uuid.UUID(i).bytes for i in (demo.DESKTOP, demo.SERVER))
TWIN = b"\x11" * 16


@pytest.fixture(scope="module")
def cloned(tmp_path_factory):
    """Two machines of one image, each with two products."""
    s = demo.Site(str(tmp_path_factory.mktemp("site")))
    s.settings = ""
    s.publish()
    s.start()
    s.activate_host()
    for product, threshold in ((DESKTOP, 25), (SERVER, 5)):
        for n in (1, 2):
            assert wire.activate(s.port, product, cmid=TWIN,
                                 machine=bytes([n]) * 16, name=b"twin-%d" % n,
                                 threshold=threshold)[0] == 0
    yield s
    s.stop()


def told_of(site):
    status = wait_for(site, lambda t: t["inventory"]
                      and t["inventory"]["batches"] == t["store"]["batches"])
    checks = [c["message"] for c in status["health"]["checks"]
              if c["name"] == "duplicates"]
    listed = json.loads(demo.run("muster", "host", "clients", "--duplicates",
                                 "--json", "--root", site.host_root))["clients"]
    metric, = (line for line in get(port_of(site), "/metrics").body.decode()
               .splitlines() if line.startswith("muster_host_inventory_dup"))
    return (status["inventory"]["duplicates"], checks, len(listed),
            metric.split()[1])


def test_b5_an_id_counts_once_whatever_it_asks_for(cloned):
    assert told_of(cloned) == (
        1, ["1 client id is used by more than one machine"], 2, "1")
    assert read(cloned, "/v1/clients?limit=9&duplicate=true")["clients"][0][
        "other_name"] == "twin-1"


@pytest.mark.bare  # faketime is loaded first
def test_b5_the_warning_goes_when_the_copy_comes_no_more(cloned):
    """It was given an id of its own: by `muster rearm`, as the warning says."""
    cloned.stop()
    for offset, want in (("+29d", (1, 2, "1")), ("+31d", (0, 0, "0"))):
        cloned.wrap = faked_time.at(offset)
        cloned.start()
        n, checks, listed, metric = told_of(cloned)
        assert ((n, listed, metric), len(checks)) == (want, n)
        cloned.stop()
