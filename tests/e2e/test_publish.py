# SPDX-License-Identifier: MIT
"""Goal: hosts publish themselves in real zones of BIND and of Knot, each its
own record and no other's; dnspython, a third party, reads what is there."""
import json
import os
import shutil
import signal
import subprocess
import time

import pytest

import agent
import demo
import faked_time
import nameserver

OWNER = "_muster._tcp.corp.test"
WAIT_S = 60
BAD_DISK = os.path.join(demo.REPO, "build/tests/bad_disk.so")
SERVERS = [nameserver.Bind, nameserver.Knot]


def eventually(what, wait_s=WAIT_S):
    end = time.monotonic() + wait_s
    while True:
        out = what()
        if out or time.monotonic() > end:
            return out
        time.sleep(0.05)


class Host:
    """A copy of the activated site's host, with settings of its own."""

    def __init__(self, site, folder, settings):
        self.root = os.path.join(folder, "r")
        shutil.copytree(site.host_root, self.root, symlinks=True,
                        ignore=shutil.ignore_patterns("*.sock", "published"))
        self.log = os.path.join(folder, "log")
        self.settings, self.port, self.p = settings, 0, None

    def start(self, prefix=(), **more):
        self.settings.update(more)
        conf = os.path.join(self.root, "etc/muster/musterd.conf")
        with open(conf, "w") as f:
            f.write(f'listen = "127.0.0.1";\nport = {self.port};\n'
                    'status_listen = "off";\n')
            for k, v in self.settings.items():
                v = v if k == "publish_domains" else json.dumps(v)
                f.write(f"{k} = {v};\n")
        self.begin = begin = (os.path.getsize(self.log)
                              if os.path.exists(self.log) else 0)
        with open(self.log, "a") as out:
            self.p = subprocess.Popen(
                [*prefix, os.path.join(demo.BIN, "musterd"), "--root",
                 self.root], stderr=out)
        assert eventually(lambda: "listening: 127.0.0.1 port" in
                          self.text()[begin:]), self.text()
        self.port = int(self.text()[begin:].split("127.0.0.1 port ")[1]
                        .split()[0])
        return self

    def text(self):
        with open(self.log) as f:
            return f.read()

    def muster(self, *args):
        p = subprocess.run([os.path.join(demo.BIN, "muster"), *args, "--root",
                            self.root, "--json"], capture_output=True,
                           text=True, timeout=240)
        return p.returncode, json.loads(p.stdout)

    def dns(self):
        """As `muster host status` shows it."""
        return self.muster("host", "status")[1]["dns"]

    def domain(self, name="corp.test"):
        return {d["domain"]: d for d in self.dns()["domains"]}[name]

    def outcome(self, name="corp.test"):
        """Of the first update that ends."""
        def ended():
            return self.domain(name).get("result")
        assert eventually(lambda: self.dns()["publishing"])
        return eventually(ended)

    def kept(self):
        path = os.path.join(self.root, "var/lib/muster/host/published")
        with open(path) as f:
            return f.read().splitlines()[1:]

    def stop(self, how=signal.SIGTERM):
        if self.p and self.p.poll() is None:
            self.p.send_signal(how)
            assert self.p.wait(WAIT_S) == (0 if how == signal.SIGTERM
                                           else -how)


@pytest.fixture()
def hosts(site, tmp_path):
    """Makes hosts; ends them."""
    site.stop()  # what is copied stands still
    made = []

    def make(name, **settings):
        folder = str(tmp_path / name)
        os.makedirs(folder)
        settings.setdefault("publish_name", f"{name}.corp.test")
        made.append(Host(site, folder, settings))
        return made[-1]

    yield make
    for h in made:
        h.stop()


@pytest.fixture(params=SERVERS)
def zone(request, tmp_path):
    """corp.test and lab.test at one server, by one key."""
    key = nameserver.Key("hosts.corp.test", "hmac-sha512")
    zones = [nameserver.Zone("corp.test", ["other SRV 1 1 1 x.corp.test."],
                             [key]),
             nameserver.Zone("lab.test", [], [key])]
    with request.param(tmp_path / "ns", zones) as s:
        s.where = f"127.0.0.1:{s.port}"
        s.key_file = key.write(str(tmp_path / "key"))
        s.settings = {"publish_server": s.where,
                      "publish_key_file": s.key_file}
        yield s


def line(host, priority=0, weight=0, name=None):
    name = name or host.settings["publish_name"]
    return f"{priority} {weight} {host.port} {name}."


def test_b20_two_hosts_publish_and_one_leaves(hosts, zone):
    """Each adds and removes its own record alone."""
    a = hosts("a", publish_withdraw=True, publish_ttl=120, **zone.settings)
    b = hosts("b", publish_priority=10, publish_weight=5, **zone.settings)
    a.start()
    b.start()
    both = sorted([line(a), line(b, 10, 5)])
    assert eventually(lambda: zone.records(OWNER) == both), b.text()
    assert zone.ttl_s(OWNER) in (120, 3600)  # of the set: the last one's
    assert a.domain()["state"] == "published"
    assert a.domain()["server"] == zone.where
    a.stop()
    assert zone.records(OWNER) == [line(b, 10, 5)]
    assert a.kept() == [] and len(b.kept()) == 1
    b.stop()  # without the setting the record stays
    assert zone.records(OWNER) == [line(b, 10, 5)]
    b.start()
    assert eventually(lambda: b.domain()["state"] == "published")
    assert zone.records(OWNER) == [line(b, 10, 5)]


def test_b20_every_domain_of_the_list(hosts, zone):
    h = hosts("h", publish_domains='( { domain = "lab.test"; priority = 7; '
              'weight = 9; } )', **zone.settings).start()
    assert eventually(lambda: zone.records(OWNER)) == [line(h)]
    assert eventually(lambda: zone.records("_muster._tcp.lab.test")) == \
        [line(h, 7, 9)]
    assert {d["domain"]: d["state"] for d in h.dns()["domains"]} == {
        "corp.test": "published", "lab.test": "published"}
    h.stop()
    # a domain that leaves the list: its record goes, the other stays
    h.start(publish_domains="( )")
    assert eventually(lambda: not zone.records("_muster._tcp.lab.test"))
    assert eventually(lambda: h.kept() == [
        f"corp.test [127.0.0.1]:{zone.port} 0 0 {h.port} h.corp.test"])
    assert zone.records(OWNER) == [line(h)]


def test_b20_another_port_or_name_after_a_kill(hosts, zone):
    """What was published is known although the host died."""
    h = hosts("h", **zone.settings).start()
    assert eventually(lambda: zone.records(OWNER)) == [line(h)]
    old = h.port
    h.stop(signal.SIGKILL)
    h.port = nameserver.free_port()
    h.start()
    assert h.port != old
    assert eventually(lambda: zone.records(OWNER) == [line(h)]), h.text()
    h.stop(signal.SIGKILL)
    h.start(publish_name="renamed.corp.test")
    assert eventually(lambda: zone.records(OWNER) == [
        line(h, name="renamed.corp.test")]), h.text()
    assert eventually(lambda: len(h.kept()) == 1)
    assert zone.records("other.corp.test") == ["1 1 1 x.corp.test."]


def test_b20_only_with_a_certificate(hosts, zone):
    """The record goes with the host key, and nothing is said before."""
    h = hosts("h", **zone.settings).start()
    assert eventually(lambda: zone.records(OWNER)) == [line(h)]
    demo.run("muster", "host", "remove-key", "--root", h.root)
    assert eventually(lambda: not zone.records(OWNER)), h.text()
    d = h.dns()
    assert not d["publishing"] and "no certificate" in d["reason"]
    assert d["domains"][0]["state"] == "none"
    h.stop()
    h.start()
    time.sleep(0.3)
    assert h.text().count("published at") == 1


def refused(h, word, text):
    """The host says why, once, with the line to add, and serves on."""
    assert h.outcome() == word, h.text()
    d = h.domain()
    assert d["state"] == "failed" and text in d["message"], d
    assert 0 < d["next_in_s"] <= 60
    assert d["zone_line"] == (f"{OWNER}. 3600 IN SRV 0 0 {h.port} "
                              f"{h.settings['publish_name']}.")
    log = h.text()[h.begin:]
    assert log.count(f": {word}: {d['message']}") == 1
    assert log.count(f"to add by hand: {d['zone_line']}\n") == 1
    demo.run("muster", "ping", f"127.0.0.1:{h.port}", "--root", h.root,
             ok=(0, 1))
    assert h.p.poll() is None


def test_b21_a_wrong_key_says_exactly_why(hosts, zone, tmp_path):
    good = zone.keys["hosts.corp.test"]
    h = hosts("h", **zone.settings)
    forged = nameserver.Key(good.name, good.algorithm)
    h.start(publish_key_file=forged.write(str(tmp_path / "forged")))
    refused(h, "BADSIG", "another secret")
    h.stop()
    foreign = nameserver.Key("foreign.test")
    h.start(publish_key_file=foreign.write(str(tmp_path / "foreign")))
    refused(h, "BADKEY", "does not know this key")
    h.stop()
    assert zone.records(OWNER) == []


@pytest.mark.bare
def test_b21_a_clock_that_is_off(hosts, zone):
    """The host lives an hour earlier than the server."""
    h = hosts("h", **zone.settings)
    h.start(prefix=faked_time.at("-1h"))
    refused(h, "BADTIME", "clock")
    assert 3590 < h.domain()["clock_ahead_s"] < 3610
    assert "s ahead of ours" in h.text()
    assert zone.records(OWNER) == []


def test_b21_a_zone_that_takes_no_updates(hosts, tmp_path):
    zones = [nameserver.Zone("corp.test"),
             nameserver.Zone("open.test", is_open=True)]
    with nameserver.Bind(tmp_path / "b", zones) as b, \
            nameserver.Knot(tmp_path / "k", zones) as k:
        h = hosts("hb", publish_server=f"127.0.0.1:{b.port}").start()
        refused(h, "REFUSED", "policy does not allow")
        h = hosts("hk", publish_server=f"127.0.0.1:{k.port}").start()
        # Knot's answer where no rule matches
        refused(h, "NOTAUTH", "no rule of its allows")
        # one that takes them by the address alone
        for s in b, k:
            h = hosts(f"o{s.port}", publish_domain="open.test",
                      publish_server=f"127.0.0.1:{s.port}").start()
            assert h.outcome("open.test") == "OK"
            assert s.records("_muster._tcp.open.test") == [line(h)]


@pytest.mark.parametrize("kind", SERVERS)
def test_b21_an_alias_at_the_owner(hosts, kind, tmp_path):
    """A server would pass over the addition and say NOERROR."""
    z = nameserver.Zone("corp.test", ["_muster._tcp CNAME x.corp.test."],
                        is_open=True)
    with kind(tmp_path / "ns", [z]) as s:
        h = hosts("h", publish_server=f"127.0.0.1:{s.port}").start()
        refused(h, "YXRRSET", "alias (CNAME)")
        assert s.records(OWNER, "CNAME") == ["x.corp.test."]


def test_b21_the_key_file(hosts, zone, tmp_path):
    """Not there, readable by others, no key: nothing is sent, and said so."""
    bad = str(tmp_path / "bad")
    h = hosts("h", **zone.settings)
    h.start(publish_key_file=bad)
    refused(h, "NO_KEY", "cannot be used")
    assert h.domain()["key_file"] == "not there"
    h.stop()
    shutil.copy(zone.key_file, bad)
    os.chmod(bad, 0o644)
    h.start()
    assert h.outcome() == "NO_KEY"
    assert "others may read it" in h.domain()["key_file"]
    h.stop()
    os.chmod(bad, 0o640)
    h.start()
    assert h.outcome() == "OK"


def test_b21_switched_off(hosts, zone):
    h = hosts("h", publish=False, **zone.settings).start()
    d = eventually(lambda: h.dns() if h.dns()["domains"] else None)
    assert not d["publishing"] and "publish = false" in d["reason"]
    assert d["domains"][0]["zone_line"].startswith(OWNER)
    time.sleep(0.5)
    assert zone.records(OWNER) == [] and d["pending"] == 0


@pytest.mark.bare
def test_b20_the_disk_comes_first_and_keeps_nobody_waiting(hosts, zone,
                                                            tmp_path):
    """What is to stand is written down before it is sent; while the disk
    takes its time the host answers."""
    h = hosts("h", **zone.settings)
    kept = os.path.join(h.root, "var/lib/muster/host/published")
    gate = tmp_path / "gate"
    gate.write_text("rename /published$ 0 -1")
    h.start(prefix=["env", f"LD_PRELOAD={BAD_DISK}",
                    f"MUSTER_BAD_DISK={gate}"])
    assert eventually(lambda: h.dns()["pending"] == 1)
    for _ in range(5):
        assert h.muster("ping", f"127.0.0.1:{h.port}")[0] == 0
    assert not os.path.exists(kept) and zone.records(OWNER) == []
    assert h.dns()["pending"] == 1
    gate.write_text("")
    assert eventually(lambda: zone.records(OWNER) == [line(h)])
    assert h.kept()


def test_b20_nothing_is_sent_that_is_not_on_disk(hosts, zone):
    h = hosts("h", **zone.settings)
    kept = os.path.join(h.root, "var/lib/muster/host/published")
    os.makedirs(os.path.join(kept, "in the way"))
    h.start()
    assert h.outcome() == "NO_DISK"
    assert "cannot be written" in h.text()
    assert zone.records(OWNER) == []
    h.muster("host", "dns", "publish")
    assert zone.records(OWNER) == [] and h.outcome() == "NO_DISK"
    # what only takes away waits for no disk
    assert h.muster("host", "dns", "withdraw")[0] == 0
    assert h.domain().get("may_stand", []) == zone.records(OWNER) == []
    h.muster("host", "dns", "publish")
    assert h.outcome() == "NO_DISK"
    shutil.rmtree(kept)
    h.muster("host", "dns", "publish")
    assert eventually(lambda: zone.records(OWNER) == [line(h)])
    assert h.kept()[0].endswith(f" 0 0 {h.port} h.corp.test")


@pytest.mark.bare
def test_b7_connections_go_to_the_name_server_only(hosts, zone, tmp_path):
    """As the kernel sees it: activated, publishing, withdrawing."""
    # but to itself, where it asks whether it answers
    h = hosts("h", publish_withdraw=True, self_test_seconds=0, **zone.settings)
    calls = str(tmp_path / "calls")
    # in a user namespace strace may read what musterd shows nobody
    h.start(prefix=[*agent.AS_ROOT, "strace", "-f", "-qq", "-o", calls, "-e",
                    "trace=connect,execve,fork,vfork"])
    assert h.outcome() == "OK"
    child, = os.listdir(f"/proc/{h.p.pid}/task")
    with open(f"/proc/{h.p.pid}/task/{child}/children") as f:
        os.kill(int(f.read()), signal.SIGTERM)
    assert h.p.wait(WAIT_S) == 0
    with open(calls) as f:
        lines = f.read().splitlines()
    assert sum("execve(" in x for x in lines) == 1  # its own
    # the C library looks for the group's name at a socket of this machine
    opened = [x for x in lines if "connect(" in x and "/nscd/" not in x]
    assert len(opened) == 4  # SOA and update, twice
    assert all(f"sin_port=htons({zone.port})" in x and "127.0.0.1" in x
               for x in opened), opened


def in_own_network(script, site, folder):
    script = os.path.join(os.path.dirname(__file__), script)
    p = subprocess.run(["unshare", *([] if os.geteuid() == 0 else ["-r"]),
                        "-n", "/usr/bin/python3", script, site.host_root,
                        str(folder)], capture_output=True, text=True,
                       timeout=90)
    assert p.returncode == 0, p.stdout + p.stderr
    return json.loads(p.stdout)


def test_b20_what_could_not_be_sent_is_noted_before_it_is(site, tmp_path):
    """Otherwise a host that is killed and renamed leaves a record for ever."""
    site.stop()
    out = in_own_network("publish_unsent.py", site, tmp_path)
    assert len(out["kept"]) == 2, out
    assert out["records"] == [f"0 0 {out['port']} new.corp.test."]


def test_b20_the_primary_is_found_by_soa(site, tmp_path):
    """Without any server set: resolv.conf, SOA, the primary's address; in a
    network of its own, since both live at port 53."""
    site.stop()
    out = in_own_network("publish_by_soa.py", site, tmp_path)
    assert out["records"] == [f"0 0 {out['port']} kms.deep.corp.test."]
    assert out["server"] == "[::1]:53"  # the other address is dead
    # the resolver was asked for the owner's zone, and for its primary
    assert ["_muster._tcp.deep.corp.test", "SOA"] in out["asked"]
    assert ["primary.corp.test", "A"] in out["asked"]
