# SPDX-License-Identifier: MIT
"""Goal: what an administrator sets in musterd.conf holds: who is answered, and
what the inventory keeps."""
import json
import os
import re
import signal
import uuid

import pytest

import demo
import faked_time
import page
import wire
from page import eventually
from test_status import read

SERVER = uuid.UUID(demo.SERVER).bytes
OK, REFUSED = 0, 6


@pytest.fixture()
def host(tmp_path):
    made = []

    def start(settings):
        s = demo.Site(str(tmp_path))
        s.publish()
        s.settings = settings
        s.start()
        s.activate_host()
        made.append(s)
        return s
    yield start
    for s in made:
        s.stop()


def reload(site, settings):
    """What the log says of it, without the times."""
    site.settings = settings
    conf = os.path.join(site.host_root, "etc/muster/musterd.conf")
    with open(conf) as f:
        head = f.read().split("\n")[:3]
    with open(conf + ".new", "w") as f:  # as an editor does
        f.write("\n".join(head) + "\n" + settings)
    os.rename(conf + ".new", conf)
    with open(site.path("musterd.log")) as log:
        log.seek(0, os.SEEK_END)
        site.daemon.send_signal(signal.SIGHUP)
        text = []

        def told():
            text.append(log.read())
            return re.search(r"^config: .*(changed|to change|until musterd is "
                             r"restarted|reload again)$", "".join(text), re.M)
        assert eventually(told)
        read(site, "/v1/status")  # the reload is over
        text.append(log.read())
    assert site.daemon.poll() is None
    return [x.removeprefix("config: ") for x in "".join(text).splitlines()
            if x.startswith("config: ")]


START_ONLY = {
    "port": "1", "status_listen": '"127.0.0.1:1"', "listen": '"127.0.0.2"',
    "connections": "7", "publish": "false", "publish_name": '"a.example"',
    "publish_domain": '"b.example"', "publish_priority": "3",
    "publish_weight": "3", "publish_domains": '( { domain = "c.example"; } )',
    "publish_server": '"192.0.2.1"', "publish_key_file": '"/nowhere"',
    "publish_ttl": "60", "publish_withdraw": "true",
    "store": '"postgresql://db/muster"', "store_group": '"other"'}


def test_the_manual_names_what_waits_for_the_next_start():
    with open(os.path.join(demo.REPO, "src/host/config.c")) as f:
        table = f.read().split("options[] = {")[1].split("\n};")[0]
    rows = re.findall(r'\{"(\w+)", CONFIG_\w+,\s+(LIVE|START)', table)
    assert len(rows) == table.count('{"') > 20
    start = {name for name, kind in rows if kind == "START"}
    assert start == set(START_ONLY)
    with open(os.path.join(demo.REPO, "doc/man/musterd.conf.5")) as f:
        told = f.read().split("wait for the next start:")[1].split(".Sh")[0]
    assert set(re.findall(r"^\.Cm (\w+)", told, re.M)) == start


def test_a_shared_count_has_one_example():
    """Of the recipe's role, over TLS that looks at the server's certificate."""
    found = []
    for path in ("doc/cluster.md", "doc/musterd.conf", "doc/man/musterd.conf.5"):
        with open(os.path.join(demo.REPO, path)) as f:
            found += re.findall(r'postgresql://\w+@db1[^\s"]*',
                                f.read().replace("\\\n", "").replace("\\:", ""))
    assert len(found) == 3 and len(set(found)) == 1, found
    with open(os.path.join(demo.REPO, "src/host/config_store.c")) as f:
        said = re.search(r'\\"(postgresql://.*?)\\"',
                         re.sub(r'"\n\s*"', "", f.read()))[1]
    assert said.startswith("postgresql://muster_host@db1,db2/muster?")
    assert said.endswith("sslmode=verify-full") and found[0].startswith(said)


def test_a_reload_changes_what_can_change(host):
    s = host("inventory_rows = 100;\n")
    for n in range(4):
        assert wire.activate(s.port, SERVER, name=b"m%d" % n)[0] == OK
    said = reload(s, 'allowed_networks = [ "127.0.0.2" ];\n'
                  'log_level = "fine";\ninventory_rows = 2;\n'
                  'renewal_minutes = 777;\nretry_minutes = 77;\n')
    assert sorted(said) == [f"{x} is changed" for x in (
        "allowed_networks", "inventory_rows", "log_level", "renewal_minutes",
        "retry_minutes")]
    assert wire.activate(s.port, SERVER) == (REFUSED, b"")
    assert eventually(lambda: len(inventory(s)) == 2), inventory(s)
    told = read(s, "/v1/status")
    assert (told["renewal_minutes"], told["retry_minutes"]) == (777, 77)
    assert reload(s, "renewal_minutes = 777;\nretry_minutes = 77;\n"
                  'log_level = "fine";\n')
    one = s.activate(1, demo.SERVER)
    assert (one["renewal_minutes"], one["retry_minutes"]) == (777, 77)
    with open(s.path("musterd.log")) as f:
        assert "request: granted: count 5 of 5" in f.read()
    # nothing of it was lost, and nothing is different from a start
    assert reload(s, s.settings) == ["read again: nothing to change"]


def test_a_reload_names_what_waits_for_the_next_start(host):
    s = host("")
    lines = "".join(f"{k} = {v};\n" for k, v in START_ONLY.items()
                    if k not in ("port", "status_listen", "listen"))
    conf = os.path.join(s.host_root, "etc/muster/musterd.conf")
    for is_first in (True, False):  # they were not taken the first time
        said = reload(s, lines + "retry_minutes = 20;\n")
        assert ("retry_minutes is changed" in said) == is_first
        kept = {x.split(" is changed in the file only: ")[0] for x in said
                if x.endswith("until musterd is restarted")}
        assert kept == set(START_ONLY) - {"port", "status_listen", "listen"}
    with open(conf, "w") as f:
        f.write("".join(f"{k} = {START_ONLY[k]};\n" for k in (
            "port", "status_listen", "listen")))
    s.daemon.send_signal(signal.SIGHUP)
    with open(s.path("musterd.log")) as f:
        log = []
        assert eventually(lambda: (log.append(f.read()) or
                                   "config: listen is" in "".join(log)))
    assert wire.activate(s.port, SERVER)[0] == OK


@pytest.mark.parametrize("text, names", [
    ("retry_minutes = 20;\nrenewal_minutes = 1;\ncolour = 3;\n", (5, 6)),
    ("retry_minutes = 20;\n)\n", (5,))])
def test_a_bad_file_changes_nothing_and_is_named(host, text, names):
    s = host("retry_minutes = 33;\n")
    said = reload(s, text)
    conf = os.path.join(s.host_root, "etc/muster/musterd.conf")
    assert [x.split(": ")[0] for x in said[:-1]] == [
        f"{conf}:{n}" for n in names]
    assert said[-1].startswith(conf) and said[-1].endswith(
        "no setting is changed; mend it and reload again")
    assert read(s, "/v1/status")["retry_minutes"] == 33
    assert wire.activate(s.port, SERVER)[0] == OK
    assert reload(s, "retry_minutes = 34;\n") == ["retry_minutes is changed"]


def inventory(site):
    return {name for name, in page.Database(site).query(
        "SELECT name FROM client")}


def test_b8_who_is_of_no_allowed_network_is_refused_and_not_counted(host):
    s = host('allowed_networks = [ "127.0.0.2", "2001:db8::/32" ];\n')
    assert wire.activate(s.port, SERVER) == (REFUSED, b"")
    told = read(s, "/v1/status")
    assert told["refusals"]["refused"] == 1 and told["requests"]["ok"] == 0
    assert [g["count"] for g in told["publishers"][0]["groups"]] == [0]
    out = json.loads(demo.run(
        "muster", "activate", "--direct", "--root", s.machine(1), "--host",
        f"127.0.0.1:{s.port}", "--product", demo.SERVER, "--json", ok=(1,)))
    assert out["targets"][0]["outcome"] == "refused"
    # who looks whether the host is there is answered
    demo.run("muster", "ping", f"127.0.0.1:{s.port}")


@pytest.mark.parametrize("networks", ['"127.0.0.0/8"', '"10.0.0.0/8", "::/0"',
                                      ""])
def test_b8_who_is_of_an_allowed_network_is_answered(host, networks):
    s = host(f"allowed_networks = [ {networks} ];\n")
    assert wire.activate(s.port, SERVER)[0] == OK


def test_b5_the_inventory_keeps_so_many_rows(host):
    s = host("inventory_rows = 3;\n")
    for n in range(6):
        assert wire.activate(s.port, SERVER, name=b"m%d" % n)[0] == OK
    assert eventually(lambda: len(inventory(s)) == 3), inventory(s)
    group, = read(s, "/v1/status")["publishers"][0]["groups"]
    assert group["count"] == 6


@pytest.mark.bare  # faketime is loaded first
def test_b5_the_inventory_keeps_for_so_many_days(host):
    s = host("retention_days = 2;\n")
    assert wire.activate(s.port, SERVER, name=b"old")[0] == OK
    page.Database(s).settled()
    assert inventory(s) == {"old"}
    s.stop()
    s.wrap = faked_time.at("+3d")
    s.start()
    assert eventually(lambda: inventory(s) == set()), inventory(s)
