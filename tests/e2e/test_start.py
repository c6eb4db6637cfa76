# SPDX-License-Identifier: MIT
"""Goal: what keeps a host from starting is named, and nothing is lost."""
import os
import re
import shutil
import socket
import subprocess
import time

import pytest

import demo

MUSTERD = os.path.join(demo.BIN, "musterd")


def start_fails(root, code):
    p = subprocess.run([MUSTERD, "--root", root], capture_output=True,
                       text=True, timeout=90)
    assert p.returncode == code, p.stderr
    return p.stderr


@pytest.fixture()
def stopped(site, tmp_path):
    """A copy of an activated host's folder, its daemon not running."""
    site.stop()
    root = str(tmp_path / "h")
    shutil.copytree(site.host_root, root, ignore=shutil.ignore_patterns("*.sock"))
    site.start()
    return root


def database(root):
    folder = os.path.join(root, "var/lib/muster/host")
    name, = [n for n in os.listdir(folder) if n.endswith(".db")]
    return os.path.join(folder, name)


def free_port(root):
    conf = os.path.join(root, "etc/muster/musterd.conf")
    with open(conf, "w") as f:
        f.write('listen = [ "127.0.0.1" ];\nport = 0;\nstatus_listen = "off";\n')
    return conf


def test_second_daemon_on_the_same_database(site, stopped):
    conf = free_port(site.host_root)
    text = start_fails(site.host_root, 1)
    assert re.search(r"in use|another", text), text
    assert os.path.exists(conf)


def test_port_in_use(stopped):
    with socket.socket() as s:
        s.bind(("127.0.0.1", 0))
        s.listen(1)
        with open(free_port(stopped), "w") as f:
            f.write('listen = [ "127.0.0.1" ];\n'
                    f"port = {s.getsockname()[1]};\n"
                    'status_listen = "off";\n')
        text = start_fails(stopped, 1)
    assert re.search(r"in use", text), text


def test_unwritable_state_folder(stopped):
    conf = free_port(stopped)
    folder = os.path.join(stopped, "var/lib/muster/host")
    cmd = [MUSTERD, "--root", stopped, "--config", conf]
    if os.geteuid() == 0:
        # root may write everywhere: run under an id that may not
        top = os.path.dirname(stopped)
        while top != "/":
            os.chmod(top, os.stat(top).st_mode | 0o011)
            top = os.path.dirname(top)
        cmd = ["setpriv", "--reuid", "65534", "--regid", "65534",
               "--clear-groups", *cmd]
    else:
        os.chmod(folder, 0o500)
    p = subprocess.run(cmd, capture_output=True, text=True, timeout=90)
    os.chmod(folder, 0o700)
    assert p.returncode == 1, p.stderr
    assert re.search(r"ermission|right|write", p.stderr), p.stderr


def test_damaged_database(stopped):
    free_port(stopped)
    with open(database(stopped), "r+b") as f:
        f.write(b"this is no database, and never was one")
    text = start_fails(stopped, 1)
    assert re.search(r"database|damaged", text), text


@pytest.mark.parametrize("text, says", [
    ("port = 70000;\n", "port"), ("prot = 1688;\n", "prot"),
    ("port = \"a\";\n", "port"), ("renewal_minutes = 14;\n", "renewal"),
    ("port = 4294968984;\n", "port is 4294968984"),
    ("port = 1; port = 2;\n", "port|duplicate"), ("port = ;\n", "syntax"),
])
def test_bad_configuration_is_78_with_file_and_line(stopped, text, says):
    conf = free_port(stopped)
    with open(conf, "w") as f:
        f.write("# a comment\n" + text)
    for args in (["--root", stopped], ["--check", "--config", conf]):
        p = subprocess.run([MUSTERD, *args], capture_output=True, text=True,
                           timeout=90)
        out = p.stdout + p.stderr
        assert p.returncode == 78, out
        assert re.search(r"musterd\.conf:2", out) and re.search(says, out), out


def test_b4_a_start_and_a_clean_stop(stopped):
    free_port(stopped)
    begin = time.monotonic()
    with open(stopped + ".log", "w+") as log:
        p = subprocess.Popen([MUSTERD, "--root", stopped], stderr=log)
        while "listening" not in open(log.name).read():
            assert time.monotonic() - begin < 10 and p.poll() is None
            time.sleep(0.005)
        p.terminate()
        assert p.wait(10) == 0
    assert oct(os.stat(database(stopped)).st_mode & 0o777) == "0o600"


def test_started_as_root_without_root_option_is_78():
    if os.geteuid() != 0:
        cmd = ["unshare", "-r", MUSTERD]
    else:
        cmd = [MUSTERD]
    p = subprocess.run(cmd, capture_output=True, text=True, timeout=90)
    assert p.returncode == 78 and "root" in p.stderr
