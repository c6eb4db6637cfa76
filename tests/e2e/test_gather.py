# SPDX-License-Identifier: MIT
"""Goal: what reaches a host while another one has the row of the group goes
with the batch that waits for it."""
import concurrent.futures
import subprocess
import time

import pytest

import cluster
import pgserver
from cluster import OK, cmid

# A busy machine may not do in the 2 s for which a host waits what takes 0.2:
# then again with one more.
LEAST, MOST = 20, 30


@pytest.fixture(scope="module")
def server():
    with pgserver.made(fsync="off") as s:
        yield s


@pytest.fixture()
def host(server, tmp_path):
    c = cluster.Cluster(str(tmp_path), 1, server.address())
    try:
        yield c.start().hosts[0]
    finally:
        c.stop()


class Row:
    """Another host's transaction: it has the groups' rows until it ends."""

    def __init__(self, server):
        self.psql = subprocess.Popen(
            [server.program("psql"), "-qAtX", "-h", server.folder, "-p",
             str(server.port), "-U", "postgres", pgserver.GROUP],
            stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)

    def __enter__(self):
        print("BEGIN; SELECT 'have' FROM muster.grp FOR UPDATE;",
              file=self.psql.stdin, flush=True)
        assert self.psql.stdout.readline() == "have\n"

    def __exit__(self, *_):
        self.psql.communicate("COMMIT;\n", timeout=90)


def all_wait(host, n):
    """Until so many have waited in the host at once, or it will be no more."""
    end = time.monotonic() + 1.5
    while time.monotonic() < end and \
            host.status()["store"]["waiting_max"] < n:
        pass


def attempt(server, host, n, pool):
    """One machine, then the others of n while it waits; their answers."""
    with Row(server):
        asks = [pool.submit(host.ask, cmid(1))]
        server.wait("SELECT count(*) > 0 FROM pg_locks WHERE NOT granted",
                    "t\n")
        asks += [pool.submit(host.ask, cmid(k)) for k in range(2, n + 1)]
        all_wait(host, n)
    return [a.result() for a in asks]


def test_b11_what_comes_while_another_host_has_the_row_goes_along(
        server, host):
    """One batch has them all: without it the first would be one of its own."""
    assert host.ask(cmid(1)) == (OK, 1)
    with concurrent.futures.ThreadPoolExecutor(MOST) as pool:
        for n in range(LEAST, MOST + 1):
            got = attempt(server, host, n, pool)
            if host.status()["store"]["largest_batch"] == n:
                break
        else:
            raise AssertionError((got, host.status()["store"]))
    assert {status for status, _ in got} == {OK}
    assert {c["cmid"] for c in host.clients()} == {
        cmid(k).hex() for k in range(1, n + 1)}
