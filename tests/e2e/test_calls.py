# SPDX-License-Identifier: MIT
"""Goal: a request asks the kernel for what the budget in doc/performance.md
names and for nothing else."""
import collections
import re
import socket
import time
import uuid

import pytest

import demo
import wire

pytestmark = pytest.mark.bare

SERVER = uuid.UUID(demo.SERVER).bytes
N = 20
# By the loop and the store, for each request that comes alone: one turn takes
# the connection and finds no other, the next one brings the store's word.
EACH = {"accept4": 2, "recvfrom": 2, "sendto": 1, "close": 1, "fdatasync": 1}
# Between the threads, to the log and its locks, and for SQLite's memory: how
# often depends on who is faster, and each is for a whole batch.
SOMETIMES = {"epoll_wait", "epoll_pwait", "futex", "sched_yield", "read",
             "write", "pwrite64", "pread64", "fcntl", "mmap", "munmap",
             "mprotect", "madvise", "brk"}
WAIT_S = 60


@pytest.fixture()
def traced(site, tmp_path):
    """The host again; what it asks the kernel for since the last look."""
    log = tmp_path / "strace"
    site.stop()
    site.wrap = ("strace", "-D", "-f", "-qq", "-o", str(log))
    site.start()
    site.wrap = ()
    at = 0

    def look():
        nonlocal at
        text = log.read_text()
        seen, at = text[at:], len(text)
        return collections.Counter(re.findall(r"^\d+ +(\w+)\(", seen, re.M))
    yield look
    site.stop()
    site.start()


def ask(site):
    """Call and FIN, as clients do; the connection is gone at the end."""
    args = wire.activate_args(SERVER, threshold=5)
    with socket.create_connection(("127.0.0.1", site.port),
                                  timeout=WAIT_S) as s:
        # in one segment: what comes in two may be met in between
        s.send(wire.record(wire.call(wire.ACTIVATE, args)), socket.MSG_MORE)
        s.shutdown(socket.SHUT_WR)
        with s.makefile("rb") as f:
            body, = wire.split(f.read())
    assert wire.accepted(body)[:4] == bytes(4)


def asked(site, look, n):
    for _ in range(3):
        ask(site)
    time.sleep(0.1)  # what follows the last reply
    look()
    for _ in range(n):
        ask(site)
    time.sleep(0.1)
    return look()


def test_a_request_costs_the_calls_of_the_budget(site, traced):
    """Timers go on meanwhile and sync as well: what is due each second is
    seen in some looks and not in others, so the best of them counts."""
    for _ in range(10):
        seen = asked(site, traced, N)
        extra = set(seen) - set(EACH) - SOMETIMES
        if not extra and all(seen[k] == n * N for k, n in EACH.items()):
            return
    pytest.fail(f"{N} requests: {dict(seen)}")
