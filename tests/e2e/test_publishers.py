# SPDX-License-Identifier: MIT
"""Goal: one host, two publishers that know nothing of each other."""
import glob
import json
import os
import re
import subprocess
import uuid

import pytest

import demo
import wire

EDITOR = "c1f0a3d2-55aa-4c0e-8f3b-7f6f0a1b2c3d"
EDITORS = f"""
groups = ( {{ number = 1; name = "Editors"; }} );
products = ( {{ id = "{EDITOR}"; name = "Bolt Editor"; group = 1;
  class = "server"; threshold = 5; line = 0; level = 1; }} );
"""


@pytest.fixture()
def two(site, tmp_path):
    """The running host of one publisher, and the other publisher's site."""
    other = demo.Site(str(tmp_path))
    other.publish("Bolt", EDITORS)
    other.host_root = site.host_root
    return site, other


def muster(site, *args, ok=0, text=None, also=()):
    p = subprocess.run([os.path.join(demo.BIN, "muster"), *args, "--root",
                        site.host_root, "--json"], input=text,
                       capture_output=True, text=True, timeout=90)
    assert p.returncode in (ok, *also), p.stdout
    return json.loads(p.stdout)


def publishers(site):
    status = muster(site, "host", "status", also=(3,))
    return {p["name"]: p for p in status["publishers"]}


def ask(site, product, cmid):
    status, rest = wire.activate(site.port, uuid.UUID(product).bytes,
                                 cmid=cmid, threshold=5)
    return status, int.from_bytes(rest[:4], "big") if status == 0 else None


def identity(site, publisher):
    folder = os.path.join(site.host_root, "var/lib/muster/host", publisher)
    return {name: open(os.path.join(folder, name), "rb").read()
            for name in sorted(os.listdir(folder))}


def test_b9_two_publishers_on_one_host(two):
    site, other = two
    cmids = [os.urandom(16) for _ in range(3)]
    for n, cmid in enumerate(cmids, 1):
        assert ask(site, demo.SERVER, cmid) == (0, n)

    # a publisher that nobody trusted yet stays out
    args = ("catalogue", "install", other.catalogue)
    assert muster(site, *args, ok=1)["error"]["next_step"]
    assert list(publishers(site)) == ["Acme"]
    other_id = json.loads(demo.run(
        "muster", "catalogue", "show", other.catalogue, "--json"))["publisher"]
    muster(site, *args, "--trust", other_id)
    assert sorted(publishers(site)) == ["Acme", "Bolt"]
    acme_id = publishers(site)["Acme"]["id"]
    before = identity(site, acme_id)
    muster(site, "host", "status", ok=3)  # one of two is not enough

    # known and not yet activated, and Acme's certificate is none for Bolt
    assert ask(site, EDITOR, cmids[0])[0] == 3
    e = muster(site, "host", "install-key", text=other.host_key, ok=1)["error"]
    assert "publisher" in e["message"] + e["next_step"]
    muster(site, "host", "install-key", "--publisher", "Bolt",
           text=other.host_key)
    request, cert = other.path("request"), other.path("cert")
    muster(site, "host", "activate", "--offline", "--publisher", "Bolt",
           "--file", request)
    demo.run("muster-authority", "activate", "--dir", other.path("authority"),
             "--file", request, "-o", cert)
    muster(site, "host", "confirm", "--file", cert)

    muster(site, "host", "status")

    # groups of the same number never mix, whatever the CMID
    assert ask(site, EDITOR, cmids[0]) == (0, 1)
    assert ask(site, EDITOR, os.urandom(16)) == (0, 2)
    assert ask(site, demo.SERVER, cmids[0]) == (0, 3)
    after = publishers(site)
    assert after["Acme"]["groups"][0]["count"] == 3
    assert after["Bolt"]["groups"][0]["count"] == 2
    assert after["Bolt"]["activated"] and after["Acme"]["activated"]

    # each its own identity; Acme's is untouched
    assert identity(site, acme_id) == before
    mine = identity(site, other_id)
    assert [n for n in before if before[n] == mine[n]] == ["counter"]

    muster(site, "host", "remove-key", ok=1)
    muster(site, "host", "remove-key", "--publisher", "Bolt")
    assert ask(site, EDITOR, cmids[0])[0] == 3
    assert ask(site, demo.SERVER, cmids[0]) == (0, 3)


def test_b7_the_daemon_has_no_way_to_an_authority():
    """Of what it is linked of nothing finds a name or starts a program; and
    connections are opened to name servers, and by the self-test to the
    host's own listeners, which are numbers and not names."""
    out = subprocess.run(
        ["nm", "-D", "--undefined-only", os.path.join(demo.BIN, "musterd")],
        capture_output=True, text=True, check=True).stdout
    names = {line.split()[-1].split("@")[0] for line in out.splitlines()}
    assert "uv_tcp_bind" in names or "bind" in names
    opening = {"connect", "uv_tcp_connect", "uv_udp_connect",
               "uv_pipe_connect", "uv_pipe_connect2"}
    assert names & opening <= {"uv_tcp_connect", "uv_udp_connect", "connect"}
    assert not names & {"getaddrinfo", "uv_getaddrinfo", "popen", "system",
                        "execve", "fork", "posix_spawn", "uv_spawn"}
    assert not [n for n in names if n.startswith(("curl_", "gnutls_", "res_"))]
    using = set()
    for path in glob.glob(os.path.join(demo.REPO, "src/host/*.c")):
        with open(path) as f:
            if re.search(r"\bconnect\(|_connect2?\(&", f.read()):
                using.add(os.path.basename(path))
    assert using == {"dnsask.c"}  # the self-test: client/stream.c
