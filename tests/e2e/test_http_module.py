# SPDX-License-Identifier: MIT
"""Goal: muster without what speaks HTTP, or with that of another version, says
so by name; what needs no HTTP goes on without it, and loads none of it."""
import json
import os
import shutil
import subprocess

import pytest

import demo

pytestmark = pytest.mark.bare

LIB = os.path.join(os.path.dirname(demo.BIN), "lib/muster")


@pytest.fixture()
def prefix(tmp_path):
    os.makedirs(tmp_path / "lib/muster")
    os.mkdir(tmp_path / "bin")
    shutil.copy(os.path.join(demo.BIN, "muster"), tmp_path / "bin")
    return tmp_path


def muster(prefix, *args):
    p = subprocess.run([prefix / "bin/muster", *args, "--root",
                        prefix / "root", "--json"], capture_output=True,
                       text=True, timeout=90)
    return p.returncode, json.loads(p.stdout)


def without(prefix):
    pass


def no_library(prefix):
    (prefix / "lib/muster/http.so").write_text("none\n")


def another(prefix):
    shutil.copy(os.path.join(LIB, "store_postgresql.so"),
                prefix / "lib/muster/http.so")


def older(prefix):
    with open(os.path.join(LIB, "http.so"), "rb") as f:
        data = f.read()
    version = demo.run("muster", "--version").split()[-1].encode()
    at = data.index(version + b"\0")
    with open(prefix / "lib/muster/http.so", "wb") as f:
        f.write(data[:at] + version[:-1] + b"9" + data[at + len(version):])


@pytest.mark.parametrize("spoilt", [without, no_library, another, older])
def test_a_module_that_is_none(prefix, spoilt):
    spoilt(prefix)
    code, said = muster(prefix, "host", "status")
    assert (code, said["error"]["code"]) == (1, "no_module")
    assert "muster-cli again" in said["error"]["next_step"]
    assert "/lib/muster/http.so" in said["error"]["message"]


def test_a_catalogue_is_not_installed_beside_a_daemon_that_is_not_asked(
        prefix, tmp_path):
    site = demo.Site(str(tmp_path / "site"))
    os.mkdir(site.folder)
    site.publish()
    code, said = muster(prefix, "catalogue", "install", site.path(
        site.catalogue))
    assert (code, said["error"]["code"]) == (1, "no_module")
    assert not os.path.exists(prefix / "root/var/lib/muster/catalogues")


def test_what_needs_no_http_goes_on_without(prefix):
    code, said = muster(prefix, "catalogue", "list")
    assert (code, said["catalogues"]) == (0, [])
    out = subprocess.run(["ldd", prefix / "bin/muster"], check=True,
                         capture_output=True, text=True, timeout=90).stdout
    assert "libsodium" in out and "curl" not in out and "gnutls" not in out


def test_a_module_that_is_there(prefix):
    shutil.copy(os.path.join(LIB, "http.so"), prefix / "lib/muster")
    code, said = muster(prefix, "host", "status")
    assert (code, said["error"]["code"]) == (5, "no_daemon")
