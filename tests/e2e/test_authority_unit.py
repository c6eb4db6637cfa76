# SPDX-License-Identifier: MIT
"""Goal: the authority's unit fits the program, and systemd takes it as it is;
doc/authority.md has each setting with its default, and each metric."""
import os
import re
import subprocess

import demo
from test_units import SYSTEMD, unit

NAME = "muster-authority.service"


def read(path):
    with open(os.path.join(demo.REPO, path)) as f:
        return f.read()


def test_the_unit_fits_the_program():
    u = unit(NAME)
    program, verb = u["ExecStart"][0].split()
    assert verb == "serve"
    assert os.access(os.path.join(demo.BIN, os.path.basename(program)),
                     os.X_OK)
    code = re.search(r"#define EXIT_CONFIG (\d+)",
                     read("src/authority/ctx.h")).group(1)
    assert u["RestartPreventExitStatus"] == [code]
    # after a disk that failed, with 1
    assert u["Restart"] == ["on-failure"]
    with open(os.path.join(SYSTEMD,
                           "../../sysusers.d/muster-authority.conf")) as f:
        assert f"u     {u['User'][0]} " in f.read()
    assert u["User"] == u["Group"] == ["muster-authority"]


def test_systemd_takes_the_unit(tmp_path):
    with open(os.path.join(SYSTEMD, NAME)) as f:
        text = f.read().replace("/usr/bin/", demo.BIN + "/")
    (tmp_path / NAME).write_text(text)
    service = str(tmp_path / NAME)
    env = {**os.environ, "SYSTEMD_UNIT_PATH": f"{tmp_path}:"}
    p = subprocess.run(["systemd-analyze", "verify", "--man=no", service],
                       capture_output=True, text=True, timeout=240, env=env)
    assert p.returncode == 0 and not p.stderr, p.stderr
    p = subprocess.run(["systemd-analyze", "security", "--offline=true",
                        "--threshold=15", service],
                       capture_output=True, text=True, timeout=240, env=env)
    assert p.returncode == 0, p.stdout + p.stderr


def test_each_setting_stands_in_the_guide_with_its_default():
    code = read("src/authority/settings.c")
    numbers = re.findall(r'\{"(\w+)",\s*NUMBER\(\w+, (\d+), (\d+), (\d+)\)',
                         code)
    texts = re.findall(r'\{"(\w+)",\s*TEXT', code)
    assert len(numbers) == 6 and len(texts) == 4
    guide = dict(re.findall(r"^\| `(\w+)` \| (.*)$",
                            read("doc/authority.md"), re.M))
    assert set(guide) >= {n for n, *_ in numbers} | set(texts) | {"log_level",
                                                                "log_format"}
    for name, least, most, preset in numbers:
        assert guide[name].startswith(f"{least} to {most} | {preset} |"), name


def test_each_metric_stands_in_the_guide():
    code = read("src/authority/metrics.c")
    names = set(re.findall(r'one\(f, "(\w+)"', code))
    names |= set(re.findall(r'labelled\(f, m, \w+, \w+, "(\w+)"', code))
    names.add("batch_size")
    assert len(names) == 11
    guide = read("doc/authority.md")
    for name in names:
        assert f"`muster_authority_{name}`" in guide, name
