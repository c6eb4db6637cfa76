# SPDX-License-Identifier: MIT
"""Goal: a catalogue that is installed counts for host and client alike, at
once, and no older, strange or altered one ever takes its place."""
import json
import os
import re
import shutil
import subprocess
import time

import pytest

import demo
from test_admin import error, muster, resign, status

TAKEN_S = 5  # a running host takes a newer file up within this time
SHIPPED = "usr/share/muster/catalogues"
UPDATED = "var/lib/muster/catalogues"


@pytest.fixture()
def bare(tmp_path):
    """A site whose host runs."""
    s = demo.Site(str(tmp_path))
    s.publish()
    s.start()
    yield s
    s.stop()


@pytest.fixture()
def empty(tmp_path):
    """A publisher, and a folder in which nothing was installed yet."""
    s = demo.Site(str(tmp_path))
    s.publish()
    return s


def start_without_package(site):
    """Like start(), but no package ships the catalogue."""
    own, nothing = site.catalogue, site.path("nothing.muster")
    open(nothing, "w").close()
    site.catalogue = nothing
    site.start()
    site.catalogue = own
    shipped = os.path.join(site.host_root, SHIPPED, "acme.muster")
    os.unlink(shipped)


def publisher_id(path):
    return json.loads(demo.run("muster", "catalogue", "show", path,
                               "--json"))["publisher"]


def install(site, path, *more):
    return muster(site, "catalogue", "install", path, *more)


def words(site, *args, code=0):
    p = subprocess.run([os.path.join(demo.BIN, "muster"), *args, "--root", site.host_root],
                       capture_output=True, text=True, timeout=90)
    assert (p.returncode, p.stderr) == (code, ""), p
    return p.stdout


def publishers(site):
    return muster(site, "host", "status")[1]["publishers"]


def wait_for(site, serial):
    end = time.monotonic() + TAKEN_S
    while time.monotonic() < end:
        found = publishers(site)
        if found and found[0]["catalogue_serial"] == serial:
            return
        time.sleep(0.05)
    raise AssertionError(open(site.path("musterd.log")).read())


def altered(site, path):
    data = bytearray(open(path, "rb").read())
    data[len(data) // 2] ^= 4
    bad = site.path("bad.muster")
    with open(bad, "wb") as f:
        f.write(data)
    return bad


def test_b44_trust_given_before_the_start_counts_for_the_host(empty):
    me = publisher_id(empty.catalogue)
    assert error(install(empty, empty.catalogue)) == "publisher_untrusted"
    assert not os.path.exists(os.path.join(empty.host_root, UPDATED))
    assert error(install(empty, empty.catalogue, "--trust", "0" * 32)) == \
        "publisher_other"
    error(install(empty, empty.catalogue, "--trust", "Acme"), 2)
    code, answer = install(empty, empty.catalogue, "--trust", me.upper())
    assert (code, answer["taken_by"], answer["serial"]) == (0, "file", 1)
    start_without_package(empty)
    assert [p["id"] for p in publishers(empty)] == [me]
    empty.stop()


def test_b44_trust_given_to_a_running_host_counts_at_once(empty):
    start_without_package(empty)
    code, answer = muster(empty, "host", "status")
    assert (code, answer["publishers"]) == (3, [])
    assert words(empty, "host", "status", code=3).endswith(
        "\nno publisher; next: muster catalogue install FILE --trust ID\n")
    assert error(install(empty, empty.catalogue)) == "publisher_untrusted"
    me = publisher_id(empty.catalogue)
    code, answer = install(empty, empty.catalogue, "--trust", me)
    assert (code, answer["taken_by"]) == (0, "musterd")
    assert status(empty)["catalogue_serial"] == 1
    assert f"\nAcme ({me})\n  host key      none; next: muster host install-key\n" \
        "  activated     no: " in words(empty, "host", "status", code=3)
    # the command alone, without the daemon, trusts it too
    empty.stop()
    assert install(empty, empty.catalogue)[1]["taken_by"] == "file"
    listed = muster(empty, "catalogue", "list")[1]["catalogues"]
    assert [c["in_force"] for c in listed] == [True]


def test_b44_a_running_host_takes_a_newer_file_up_by_itself(bare):
    newer = resign(bare, demo.PRODUCTS)
    shutil.copy(newer, os.path.join(bare.host_root, SHIPPED, "acme.muster"))
    wait_for(bare, 2)
    # as the command leaves it where the socket is out of reach
    run, aside = (os.path.join(bare.host_root, n) for n in ("run", "aside"))
    third = resign(bare, demo.PRODUCTS, "third.muster")
    os.rename(run, aside)
    assert install(bare, third)[1]["taken_by"] == "file"
    os.rename(aside, run)
    wait_for(bare, 3)
    log = open(bare.path("musterd.log")).read()
    assert log.count("in force: serial 2") == 1
    assert log.count("in force: serial 3") == 1


def test_b44_a_file_without_trust_waits_for_it(empty):
    start_without_package(empty)
    me = publisher_id(empty.catalogue)
    folder = os.path.join(empty.host_root, UPDATED)
    shutil.copy(empty.catalogue, os.path.join(folder, me + ".muster"))
    time.sleep(TAKEN_S)
    assert publishers(empty) == []
    log = open(empty.path("musterd.log")).read()
    assert log.count("not trusted here") == 1  # said once
    open(os.path.join(folder, me + ".trust"), "w").close()
    wait_for(empty, 1)
    empty.stop()


@pytest.mark.parametrize("is_running", [True, False])
def test_b44_an_altered_catalogue_leaves_the_one_in_force(bare, is_running):
    if not is_running:
        bare.stop()
    newer = resign(bare, demo.PRODUCTS)
    assert error(install(bare, altered(bare, newer))) == "sig"
    assert error(install(bare, bare.path("root.pub"))) in ("proto", "trunc")
    assert error(install(bare, bare.path("none"))) == "noent"
    listed = muster(bare, "catalogue", "list")[1]["catalogues"]
    assert [(c["serial"], c["in_force"]) for c in listed] == [(1, True)]
    if is_running:
        assert status(bare)["catalogue_serial"] == 1


@pytest.mark.parametrize("is_running", [True, False])
def test_b44_the_newest_ever_is_remembered(bare, is_running):
    if not is_running:
        bare.stop()
    newer = resign(bare, demo.PRODUCTS)
    twin = resign_same_serial(bare)
    assert install(bare, newer)[0] == 0
    assert error(install(bare, bare.catalogue)) == "catalogue_old"
    assert error(install(bare, twin)) == "catalogue_differs"
    assert install(bare, newer)[0] == 0  # the same again
    # the file is lost, the memory of it is not
    me = publisher_id(newer)
    os.unlink(os.path.join(bare.host_root, UPDATED, me + ".muster"))
    assert error(install(bare, bare.catalogue)) == "catalogue_old"
    listed = muster(bare, "catalogue", "list")[1]["catalogues"]
    assert [(c["state"], c["in_force"]) for c in listed] == [("serial", False)]
    if is_running:
        bare.kill()
        bare.start()
        assert publishers(bare) == []
    assert install(bare, newer)[0] == 0


def test_b44_a_client_keeps_the_newest_of_its_state(bare):
    bare.activate_host()
    root = bare.machine(1)
    newer = resign(bare, demo.PRODUCTS)
    shutil.copy(newer, os.path.join(root, SHIPPED, "acme.muster"))
    bare.activate(1, demo.DESKTOP)
    shutil.copy(bare.catalogue, os.path.join(root, SHIPPED, "acme.muster"))
    answer = muster(bare, "catalogue", "install", bare.catalogue, root=root)
    assert error(answer) == "catalogue_old"


def resign_same_serial(site):
    """Another file of the serial that resign() made last."""
    out = site.path("twin.muster")
    time.sleep(1.1)  # the time of signing stands in it
    demo.run("muster-authority", "catalogue", "sign", "--root-key",
             site.path("vault", "root.key"), "--passphrase-file",
             site.path("vault", "passphrase"), "--prepared",
             site.path("next.json"), site.path("next.conf"), "-o", out,
             "--previous", site.catalogue)
    return out


@pytest.mark.parametrize("is_running", [True, False])
def test_a_product_of_two_publishers_is_refused_by_name(bare, tmp_path,
                                                        is_running):
    os.mkdir(tmp_path / "other")
    other = demo.Site(str(tmp_path / "other"))
    other.publish("Bolt", demo.PRODUCTS.replace("Acme Server", "Bolt Server"))
    if not is_running:
        bare.stop()
    code, answer = install(bare, other.catalogue, "--trust",
                           publisher_id(other.catalogue))
    assert error((code, answer)) == "product_clash"
    text = answer["error"]["message"]
    assert "Bolt" in text and "Acme" in text
    assert "Acme Desktop" in text or "Bolt Server" in text
    assert not os.path.exists(os.path.join(
        bare.host_root, UPDATED, publisher_id(other.catalogue) + ".trust"))


def test_what_happened_is_said(bare):
    newer = resign(bare, demo.PRODUCTS)
    args = [os.path.join(demo.BIN, "muster"), "catalogue", "install", newer,
            "--root", bare.host_root]
    p = subprocess.run(args, capture_output=True, text=True, timeout=90)
    assert p.returncode == 0 and p.stdout.startswith("musterd took"), p
    bare.stop()
    p = subprocess.run(args, capture_output=True, text=True, timeout=90)
    assert p.returncode == 0 and "within 5 s" in p.stdout, p


def test_a_catalogue_in_words(bare):
    of, new = publisher_id(bare.catalogue), resign(bare, demo.PRODUCTS)
    lines = words(bare, "catalogue", "show", new).splitlines()
    assert lines[0] == f"Acme, publisher {of}, serial 2"
    assert f"  {demo.DESKTOP}  from 25, line 0 level 1  Acme Desktop" in lines[2:]
    assert f"  {demo.SERVER}  from 5, line 0 level 1  Acme Server" in lines[2:]
    shipped = os.path.join(bare.host_root, SHIPPED, "acme.muster")
    assert words(bare, "catalogue", "list") == f"* {shipped}: Acme, serial 1\n"
    assert words(bare, "catalogue", "install", new) == \
        "musterd took catalogue 2 of Acme: it is in force\n"
    updated = os.path.join(bare.host_root, UPDATED, of + ".muster")
    assert sorted(words(bare, "catalogue", "list").splitlines()) == [
        f"  {shipped}: Acme, serial 1; older than the catalogue in force", f"* {updated}: Acme, serial 2"]
    bare.stop()
    with open(updated, "r+b") as f:
        f.truncate(99)
    told = words(bare, "catalogue", "list")
    assert re.search(rf"^  {updated}: .*; \w", told, re.M), told
    assert "* " not in told  # the newest one that was seen has no file any more
    assert words(bare, "catalogue", "install", new) == (
        f"catalogue 2 of Acme is installed as {updated}; a musterd that runs "
        "takes it up within 5 s\n")
