# SPDX-License-Identifier: MIT
"""Goal: between a record and its reply no code of ours asks for memory."""
import json
import os
import struct
import subprocess
import uuid

import pytest

import demo
import wire

pytestmark = pytest.mark.bare

PRELOAD = os.path.join(demo.REPO, "build/tests/own_alloc.so")
WINDOWS = 10
SERVER = uuid.UUID(demo.SERVER).bytes


@pytest.fixture()
def counted(site, tmp_path, monkeypatch):
    """The host again, with its own allocations counted into a file."""
    path = tmp_path / "count"
    path.write_bytes(bytes(8))
    site.stop()
    monkeypatch.setenv("LD_PRELOAD", PRELOAD)
    monkeypatch.setenv("OWN_ALLOC_FILE", str(path))
    site.start()
    monkeypatch.undo()
    yield lambda: struct.unpack("=Q", path.read_bytes())[0]
    site.stop()
    site.start()


def test_requests_allocate_nothing(site, counted):
    who = bytes.fromhex(publisher(site))  # on the other interface
    assert counted() > 0
    # every two seconds the folders of catalogues are listed, which is nobody's
    # request: what a request allocates is there in each of the windows
    windows = []
    for _ in range(WINDOWS):
        before = counted()
        requests(site, who)
        windows.append(counted() - before)
    assert min(windows) == 0, windows


def requests(site, who):
    cmids = [os.urandom(16) for _ in range(30)]
    for cmid in cmids + cmids:  # new machines, then their renewals
        status, _ = wire.activate(site.port, SERVER, cmid=cmid, threshold=5)
        assert status == 0
    body, = wire.split(wire.exchange(site.port, wire.record(
        wire.call(wire.COVER, who))))
    assert wire.accepted(body)[:4] == bytes(4)
    for bad in (b"\xff" * 250, wire.record(wire.call(9)), b"\x80"):
        wire.exchange(site.port, bad)


WRAPPED = r"""
#define _GNU_SOURCE
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
int main(int argc, char **argv)
{
	const char *what = argc > 1 ? argv[1] : "";
	char *p = NULL;
	void *q;
	if (strcmp(what, "strdup") == 0)
		p = strdup(what);
	else if (strcmp(what, "asprintf") == 0)
		return asprintf(&p, "%s %s", what, what) < 0;
	else if (strcmp(what, "fopen") == 0)
		return fopen("/dev/null", "r") == NULL;
	else if (strcmp(what, "reallocarray") == 0)
		p = reallocarray(NULL, 3, 5);
	else if (strcmp(what, "posix_memalign") == 0)
		return posix_memalign(&q, 64, 64);
	else
		return 0;
	return p == NULL;
}
"""


@pytest.fixture(scope="module")
def wrapped(tmp_path_factory):
    folder = tmp_path_factory.mktemp("wrapped")
    (folder / "w.c").write_text(WRAPPED)
    subprocess.run(["cc", "-O1", "-o", folder / "w", folder / "w.c"],
                   check=True)
    return folder / "w"


@pytest.mark.parametrize("what, n", [
    ("none", 0), ("strdup", 1), ("asprintf", 1), ("fopen", 1),
    ("reallocarray", 1), ("posix_memalign", 1)])
def test_what_the_c_library_allocates_for_a_program_is_its(
        wrapped, tmp_path, what, n):
    path = tmp_path / "count"
    path.write_bytes(bytes(8))
    subprocess.run([wrapped, what], check=True, env={
        **os.environ, "LD_PRELOAD": PRELOAD, "OWN_ALLOC_FILE": str(path)})
    seen = struct.unpack("=Q", path.read_bytes())[0]
    assert seen == 0 if n == 0 else seen >= n


def test_the_administration_interface_does_allocate(site, counted):
    before = counted()
    publisher(site)
    assert counted() > before


def publisher(site):
    out = demo.run("muster", "host", "status", "--root", site.host_root, "--json")
    return json.loads(out)["publishers"][0]["id"]
