# SPDX-License-Identifier: MIT
"""Goal: what happens to a customer over the years, told end to end: a new
product needs a newer key, and a host that is revoked loses its clients to
another one."""
import json
import os
import shutil
import signal
import time

import pytest

import demo
from agent import Machine
from test_admin import direct, muster, resign, status
from test_discovery import Host

NEW = "5b0c1a52-7d7e-4b8e-9a51-0d3f5c7a1e04"
WITH_NEW = demo.PRODUCTS.replace("products = (", f"""products = (
  {{ id = "{NEW}"; name = "Acme Server 2"; group = 1; class = "server";
     threshold = 5; line = 0; level = 2; }},""")
WAIT_S = 60


@pytest.fixture()
def site(tmp_path_factory):
    s = demo.Site(str(tmp_path_factory.mktemp("story")))
    s.publish()
    s.start()
    s.activate_host()
    for n in range(100, 105):
        s.activate(n, demo.SERVER)
    yield s
    s.stop()


def outcome(site, product):
    """What one host says to one more machine: its code, or its state."""
    code, answer = direct(site, product)
    if code == 0 and answer["activated"]:
        return "activated"
    return answer["targets"][0]["outcome"]


def give_catalogue(root, catalogue):
    shutil.copy(catalogue, os.path.join(
        root, "usr/share/muster/catalogues/acme.muster"))


def test_b44_a_new_product_comes_to_a_running_host(site):
    """Refused for want of the catalogue, then for want of the level, then
    served beside the old one; the host is never restarted."""
    new = resign(site, WITH_NEW)
    give_catalogue(site.machine(1), new)
    assert outcome(site, demo.SERVER) == "activated"
    assert outcome(site, NEW) == "unknown_product"
    assert muster(site, "catalogue", "install", new)[0] == 0
    assert outcome(site, NEW) == "not_covered"
    out = demo.run("muster-authority", "key", "issue", "--dir",
                   site.path("authority"), "--level", "2", "--customer",
                   "St Elsewhere Hospital", "--json")
    old_number = status(site)["host_key_number"]
    site.host_key = json.loads(out)["key"]
    site.activate_host()
    assert status(site)["host_key_number"] != old_number
    # both count in one group, where six machines are known already
    assert outcome(site, NEW) == "activated"
    assert outcome(site, demo.SERVER) == "activated"
    assert site.daemon.poll() is None
    with open(site.path("musterd.log")) as f:
        assert f.read().count("listening: ") == 1
    # who has not heard of the new product is served as before
    assert site.activate(105, demo.SERVER)["activated"]


def wait_for(m, what):
    end = time.monotonic() + WAIT_S
    while not what(m.info(demo.SERVER)) and time.monotonic() < end:
        time.sleep(0.05)
    return m.info(demo.SERVER)


def test_an_issuing_key_follows_another(site):
    """Both side by side first; a host moves to the new one by its next
    activation; then the old one goes, and what hung on it."""
    other = Host(site, "second")
    other.start()
    where = ("--dir", site.path("authority"))
    today = time.strftime("%Y-%m-%d", time.gmtime())
    demo.run("muster-authority", "issuer", "add", "--as-of", today, *where)
    both = resign(site, demo.PRODUCTS)
    other.catalogue = both
    a, b = (f"127.0.0.1:{s.port}" for s in (site, other))
    m = Machine(site, 1, [a, b])
    give_catalogue(m.root, both)
    for host in (site, other):
        assert muster(host, "catalogue", "install", both)[0] == 0
    other.activate_host()
    for n in range(100, 105):
        other.activate(n, demo.SERVER)
    m.start()
    try:
        # the old key's host is as good as the new key's
        assert m.activate(demo.SERVER)["info"]["host"] == a
        demo.run("muster-authority", "issuer", "drop", "1", "--yes", *where)
        only = resign(site, demo.PRODUCTS, name="only.muster", drop=True)
        give_catalogue(m.root, only)
        os.kill(m.process.pid, signal.SIGHUP)
        info = wait_for(m, lambda i: i["host"] == b)
        assert info["host"] == b and info["state"] == "licensed"
        assert [(o["target"], o["err"]) for o in info["outcomes"]] == \
            [(a, -15), (b, 0)]
        # until that host is activated again
        give_catalogue(site.machine(2), only)
        assert direct(site, demo.SERVER, 2)[0] == 1
        assert muster(site, "catalogue", "install", only)[0] == 0
        site.activate_host()
        assert direct(site, demo.SERVER, 2)[0] == 0
    finally:
        m.stop()
        other.stop()


def test_b45_who_holds_the_newer_catalogue_leaves_a_revoked_host(site):
    other = Host(site, "second")
    other.start()
    other.activate_host()
    for n in range(100, 105):
        other.activate(n, demo.SERVER)
    a, b = (f"127.0.0.1:{s.port}" for s in (site, other))
    m = Machine(site, 1, [a, b])
    m.start()
    try:
        assert m.activate(demo.SERVER)["info"]["host"] == a
        demo.run("muster-authority", "host", "revoke", "1", "1", "--yes",
                 "--dir", site.path("authority"))
        newer = resign(site, demo.PRODUCTS)
        # nobody knows of it yet
        assert m.info(demo.SERVER)["state"] == "licensed"
        give_catalogue(m.root, newer)
        os.kill(m.process.pid, signal.SIGHUP)
        info = wait_for(m, lambda i: i["host"] == b)
        assert info["host"] == b and info["state"] == "licensed"
        # the first was asked first, and what it signed was refused
        assert [(o["target"], o["err"]) for o in info["outcomes"]] == \
            [(a, -17), (b, 0)]
    finally:
        m.stop()
        other.stop()
    lease = os.path.join(m.root, "var/lib/muster/agent/leases",
                         demo.SERVER + ".lease")
    demo.run("muster", "verify", lease, "--root", m.root, "--catalogue",
             newer, "--root-key", site.path("root.pub"))
