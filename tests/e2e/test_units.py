# SPDX-License-Identifier: MIT
"""Goal: the units that are installed say the same as the programs: paths,
user, credential; and systemd takes them as they are."""
import glob
import json
import os
import re
import signal
import subprocess
import sys
import uuid

import pytest

import demo
from agent import Machine
from service import Service
from test_admin import muster, resign
from test_authority import Host as AuthorityHost

SYSTEMD = os.path.join(os.path.dirname(demo.BIN), "lib/systemd/system")


def unit(name):
    """Settings of a unit by name; each has all its values."""
    settings = {}
    with open(os.path.join(SYSTEMD, name)) as f:
        for line in f:
            if "=" in line and not line.startswith("#"):
                key, value = line.rstrip("\n").split("=", 1)
                settings.setdefault(key, []).append(value)
    return settings


def define(file, name):
    with open(os.path.join(demo.REPO, file)) as f:
        return re.search(rf'#define {name} "(.*)"', f.read()).group(1)


def test_the_agents_units_fit_the_agent():
    service, sock = unit("muster-agent.service"), unit("muster-agent.socket")
    paths = "src/base/paths.h"
    assert sock["ListenStream"] == [define(paths, "PATH_AGENT_SOCKET")]
    assert sock["SocketMode"] == ["0666"]
    assert "/var/lib/" + service["StateDirectory"][0] == \
        define(paths, "PATH_AGENT_STATE")
    assert service["ExecStart"][0].startswith("/usr/bin/")
    assert os.access(os.path.join(
        demo.BIN, os.path.basename(service["ExecStart"][0])), os.X_OK)
    name, source = service["LoadCredential"][0].split(":")
    assert "/" + name == define("src/agent/instance.c", "CREDENTIAL")
    assert source == "/sys/class/dmi/id/product_uuid"
    # else a machine without the file does not start; an empty value systemd
    # ignores with a warning, and of zeros the agent knows what they are
    # (test_agent_copies.py)
    assert service["SetCredential"] == [f"{name}:{uuid.UUID(int=0)}"]
    users = open(os.path.join(SYSTEMD, "../../sysusers.d/muster-agent.conf"))
    with users:
        assert f"u     {service['User'][0]} " in users.read()
    assert service["User"] == service["Group"]


def test_the_hosts_units_fit_the_host():
    service, sock = unit("musterd.service"), unit("musterd.socket")
    paths = "src/base/paths.h"
    assert sock["ListenStream"] == [define(paths, "PATH_HOST_SOCKET")]
    assert sock["SocketGroup"] == [define("src/host/admin.c", "ADMIN_GROUP")]
    assert sock["SocketMode"] == ["0660"]
    assert "/var/lib/" + service["StateDirectory"][0] == \
        define(paths, "PATH_HOST_STATE")
    assert os.access(os.path.join(
        demo.BIN, os.path.basename(service["ExecStart"][0])), os.X_OK)
    lib = os.path.join(SYSTEMD, "../..")
    with open(os.path.join(lib, "sysusers.d/musterd.conf")) as f:
        users = f.read()
    assert f"u     {service['User'][0]} " in users
    assert f"g     {sock['SocketGroup'][0]} " in users
    assert service["User"] == service["Group"]
    # what lies there is trusted by every program: no daemon writes it
    with open(os.path.join(lib, "tmpfiles.d/muster.conf")) as f:
        lines = [line.split() for line in f]
    catalogues = define(paths, "PATH_CATALOGUES")
    assert ["d", catalogues, "0755", "root", "root"] in lines
    assert "ReadWritePaths" not in service


@pytest.mark.parametrize("name,source", (
    ("musterd", "src/host/main.c"), ("muster-agent", "src/agent/main.c"),
    ("muster-authority", "src/authority/ctx.h")))
def test_bad_settings_are_not_started_again(name, source):
    """Each start would end the same; other failures may pass."""
    with open(os.path.join(demo.REPO, source)) as f:
        code = re.search(r"\bEXIT_CONFIG (?:= )?(\d+)", f.read()).group(1)
    service = unit(name + ".service")
    assert service["RestartPreventExitStatus"] == [code]
    assert service["Restart"] == ["on-failure"]


def under(name):
    return (sys.executable, os.path.join(os.path.dirname(__file__),
                                         "sandbox.py"),
            os.path.join(SYSTEMD, name))


@pytest.mark.bare
def test_host_and_agent_live_under_what_their_units_allow(tmp_path):
    """Start, activation, renewal, inventory, reload, a new catalogue, stop."""
    site = demo.Site(str(tmp_path))
    site.wrap = under("musterd.service")
    site.publish()
    site.start()
    try:
        site.activate_host()
        for n in range(1, 6):
            site.activate(n, demo.SERVER)
        m = Machine(site, 6)
        m.start(wrap=under("muster-agent.service"))
        assert m.activate(demo.SERVER)["info"]["state"] == "licensed"
        demo.run("muster", "set-host", f"127.0.0.1:{site.port}", "--root",
                 m.root)
        os.kill(m.process.pid, signal.SIGHUP)
        assert m.info(demo.SERVER)["state"] == "licensed"
        m.stop()
        assert muster(site, "catalogue", "install",
                      resign(site, demo.PRODUCTS))[0] == 0
        out = demo.run("muster", "host", "clients", "--root", site.host_root,
                       "--json")
        assert len(json.loads(out)["clients"]) == 6
    finally:
        site.stop()
    with open(site.path("musterd.log")) as f:
        assert "stopped" in f.read()


@pytest.mark.bare
def test_the_authority_lives_under_what_its_unit_allows(tmp_path):
    s = Service(tmp_path)
    s.start([*under("muster-authority.service"),
             os.path.join(demo.BIN, "muster-authority")])
    try:
        key = s.a.issue()
        assert s.enrol(AuthorityHost(1).request(s.a, key)).status == 201
        assert s.slots(key).json["hosts_used"] == 1
        assert s.ask("GET", "/metrics").status == 200
    finally:
        assert s.stop() == 0


def test_the_users_that_the_guides_name_are_made():
    made, named = set(), set()
    folder = os.path.join(SYSTEMD, "../../sysusers.d")
    for name in os.listdir(folder):
        with open(os.path.join(folder, name)) as f:
            made |= set(re.findall(r"^u +(\S+)", f.read(), re.M))
    for path in glob.glob(os.path.join(demo.REPO, "doc/*.md")):
        with open(path) as f:
            named |= set(re.findall(r"(?:chown|runuser -u) ([\w-]+)",
                                    f.read()))
    named.discard("postgres")  # PostgreSQL's own
    assert named <= made and named


@pytest.mark.parametrize("call", ["os.setuid(0)", "os.chroot('/')",
                                  "os.setpriority(os.PRIO_PROCESS, 0, 1)",
                                  "socket.socket(socket.AF_PACKET)"])
def test_what_a_unit_does_not_allow_kills(call):
    p = subprocess.run([*under("musterd.service"), sys.executable, "-c",
                        f"import os, socket; {call}"], timeout=240)
    assert p.returncode == -signal.SIGSYS


def test_systemd_takes_the_units(tmp_path):
    for name in ("muster-agent.service", "muster-agent.socket",
                 "musterd.service", "musterd.socket"):
        with open(os.path.join(SYSTEMD, name)) as f:
            text = f.read().replace("/usr/bin/", demo.BIN + "/")
        (tmp_path / name).write_text(text)
    for name, exposure in (("muster-agent", 15), ("musterd", 14)):
        service = str(tmp_path / f"{name}.service")
        env = {**os.environ, "SYSTEMD_UNIT_PATH": f"{tmp_path}:"}
        p = subprocess.run(["systemd-analyze", "verify", "--man=no", service],
                           capture_output=True, text=True, timeout=240, env=env)
        assert p.returncode == 0 and not p.stderr, p.stderr
        p = subprocess.run(["systemd-analyze", "security", "--offline=true",
                            f"--threshold={exposure}", service],
                           capture_output=True, text=True, timeout=240, env=env)
        assert p.returncode == 0, p.stdout + p.stderr
