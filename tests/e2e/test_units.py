# SPDX-License-Identifier: MIT
"""Goal: the units that are installed say the same as the programs: paths,
user, credential; and systemd takes them as they are."""
import os
import re
import subprocess

import demo

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
    assert service["SetCredential"][0].split(":")[0] == name
    users = open(os.path.join(SYSTEMD, "../../sysusers.d/muster-agent.conf"))
    with users:
        assert f"u     {service['User'][0]} " in users.read()
    assert service["User"] == service["Group"]


def test_systemd_takes_the_units(tmp_path):
    for name in ("muster-agent.service", "muster-agent.socket"):
        with open(os.path.join(SYSTEMD, name)) as f:
            text = f.read().replace("/usr/bin/", demo.BIN + "/")
        (tmp_path / name).write_text(text)
    service = str(tmp_path / "muster-agent.service")
    p = subprocess.run(["systemd-analyze", "verify", "--man=no", service],
                       capture_output=True, text=True, timeout=60,
                       env={**os.environ, "SYSTEMD_UNIT_PATH": f"{tmp_path}:"})
    assert p.returncode == 0 and not p.stderr, p.stderr
    p = subprocess.run(["systemd-analyze", "security", "--offline=true",
                        "--threshold=15", service],
                       capture_output=True, text=True, timeout=60,
                       env={**os.environ, "SYSTEMD_UNIT_PATH": f"{tmp_path}:"})
    assert p.returncode == 0, p.stdout + p.stderr
