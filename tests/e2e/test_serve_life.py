# SPDX-License-Identifier: MIT
"""Goal: nothing that was answered is lost and nothing is counted twice, when
the service is stopped or killed; it starts as other daemons do."""
import concurrent.futures
import os
import shutil
import signal
import socket
import sqlite3
import subprocess
import threading
import time

import pytest

from service import SQL_SEEN, Host, Service, preloaded, wrong
from test_authority import BIN, check_cert

ROUNDS = 4


@pytest.fixture
def s(tmp_path):
    service = Service(tmp_path)
    yield service
    service.stop()


def test_b41_a_replayed_enrolment_counts_nothing(s):
    s.start()
    key, h = s.a.issue(), Host(1)
    first = h.request(s.a, key)
    given = s.enrol(first).json
    with concurrent.futures.ThreadPoolExecutor(20) as pool:
        for g in pool.map(s.enrol, [first] * 40):
            assert g.status == 200 and g.json["outcome"] == "same"
            assert g.json["certificate"] == given["certificate"]
    g = s.enrol(h.request(s.a, key, counter=2)).json
    assert (g["outcome"], g["reactivations_used"]) == ("reactivation", 1)
    # an old one, and one of the same counter that asks for something else
    s.enrol(first).problem(409, "counter_old")
    s.enrol(h.request(s.a, key, counter=2, replaces=1)).problem(
        409, "counter_old")
    # it is the same after a restart
    s.stop()
    s.start()
    again = s.enrol(h.request(s.a, key, counter=2)).json
    assert again["certificate"] == g["certificate"]
    k = s.slots(key).json
    assert k["hosts_used"] == 1
    assert k["slots"][0]["reactivations_used"] == 1
    s.a.run("audit", "verify")


def try_enrol(s, request):
    """The grant, or None where no answer came."""
    try:
        answer = s.enrol(request)
    except OSError:
        return None
    except Exception as e:  # half an answer
        assert type(e).__module__ == "http.client", e
        return None
    assert answer.status in (200, 201), answer.body
    return answer.json


def test_b41_killed_between_grant_and_answer(s):
    """Killed with many in flight; the retry of each gets what was granted."""
    key = s.a.issue("--hosts", "255")
    n, told = 0, {}
    s.start()
    for r in range(ROUNDS):
        hosts = [Host(n + i) for i in range(40)]
        n += len(hosts)
        asks = [h.request(s.a, key) for h in hosts]
        some = threading.Semaphore(0)

        def one(i):
            told[hosts[i].name] = try_enrol(s, asks[i])
            some.release()
        threads = [threading.Thread(target=one, args=(i,))
                   for i in range(len(asks))]
        for t in threads:
            t.start()
        for _ in range(3 * r + 1):
            some.acquire()
        s.stop(kill=True)
        for t in threads:
            t.join()
        granted = {name: bytes(cert).hex() for name, cert in s.query(
            "SELECT name, certificate FROM host")}
        s.start()
        for h, request in zip(hosts, asks):
            before, after = told[h.name], s.enrol(request)
            was = granted.get(h.name.decode())
            assert before is None or was == before["certificate"]
            assert after.status == (201 if was is None else 200)
            if was is not None:
                assert after.json["outcome"] == "same"
                assert after.json["certificate"] == was
            check_cert(s.a, bytes.fromhex(after.json["certificate"]),
                       after.json["slot"], 1, h)
    slots = s.slots(key).json["slots"]
    assert [x["slot"] for x in slots] == list(range(1, n + 1))
    assert len({x["name"] for x in slots}) == n
    assert {x["reactivations_used"] for x in slots} == {0}
    s.a.run("audit", "verify")


def test_what_is_open_is_answered_before_the_end(s):
    s.start()
    key = s.a.issue("--hosts", "20")
    db = sqlite3.connect(os.path.join(s.a.dir, "authority.db"),
                         isolation_level=None)
    db.execute("BEGIN IMMEDIATE")
    answers = [None] * 20

    def one(i):
        try:
            answers[i] = s.enrol(Host(i).request(s.a, key)).status
        except OSError:  # came too late
            pass
    threads = [threading.Thread(target=one, args=(i,)) for i in range(20)]
    # the first is with the database before the others come: all that wait at
    # once would be taken at once, and none left to be seen in the queue
    threads[0].start()
    time.sleep(1)
    for t in threads[1:]:
        t.start()
    s.wait_for_queue(5)
    s.process.send_signal(signal.SIGTERM)
    db.execute("ROLLBACK")
    for t in threads:
        t.join()
    assert s.process.wait(30) == 0
    granted = db.execute("SELECT count(*) FROM slot").fetchone()[0]
    db.close()
    assert granted >= 5 and granted == answers.count(201)
    assert set(answers) <= {201, None}
    with pytest.raises(OSError):
        s.connect()


def test_the_service_manager_gives_the_socket_and_is_told(s, tmp_path):
    path = str(tmp_path / "notify")
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as told, \
            socket.socket() as given:
        told.bind(path)
        told.settimeout(30)
        given.bind(("127.0.0.1", 0))
        given.listen(8)

        def place():
            os.dup2(given.fileno(), 50)
            os.dup2(50, 3)
        s.start(program=(
            "/bin/sh", "-c", 'LISTEN_PID=$$ LISTEN_FDS=1 exec "$0" "$@"',
            os.path.join(BIN, "muster-authority")), preexec_fn=place,
            close_fds=False, env={**os.environ, "NOTIFY_SOCKET": path})
        assert s.port == given.getsockname()[1]
        assert told.recv(64) == b"READY=1"
        assert s.ask("GET", "/healthz").status == 200
        assert s.stop() == 0
        assert told.recv(64) == b"STOPPING=1"


def test_before_a_proof_the_database_does_one_work_for_all(s, tmp_path):
    """Of time nothing is shown, but of what takes it."""
    seen = tmp_path / "sql"
    s.start(env=preloaded(SQL_SEEN, MUSTER_SQL_SEEN=str(seen)))
    key = s.a.issue("--hosts", "40")
    for n in range(30):
        s.enrol(Host(n).request(s.a, key))
    works = []

    def work(answer, code):
        if code:
            answer.problem(403, code)
        works.append(seen.read_text().splitlines())
        seen.write_text("")
    seen.write_text("")
    for ask in (lambda k, **n: s.enrol(Host(99).request(s.a, k, **n)),
                s.slots, lambda k, **n: s.release(k, 1, **n)):
        works.clear()
        work(ask(wrong(key)), "key_unknown")
        work(ask(key, number=999999), "key_unknown")
        work(ask(key), None)
        assert works[0] == works[1] and works[0].count("row") == 1
        assert not [x for x in works[0] if "slot" in x or "hosts" in x]
        # the library sees what a proof sets going
        assert any("slot" in x for x in works[2])


def test_a_backup_while_hosts_are_activated(s, tmp_path):
    """Whole, as of one moment, and good for a service that goes on with it."""
    s.start()
    a, key = s.a, s.a.issue("--hosts", "200")
    answers, over = [], threading.Event()

    def go():
        while not over.is_set():
            h = Host(5000 + len(answers))
            answers.append((h, s.enrol(h.request(a, key)).json))

    t = threading.Thread(target=go)
    t.start()
    end = time.monotonic() + 30
    while len(answers) < 5 and time.monotonic() < end:
        time.sleep(0.01)
    path = str(tmp_path / "copied.db")
    before = len(answers)
    out = a.run("backup", path)
    after = len(answers)
    over.set()
    t.join(30)
    assert before >= 5 and out["file"] == path
    assert os.stat(path).st_mode & 0o777 == 0o600
    # nothing is written over, and nothing else is left
    assert a.run("backup", path, rc=1)["error"]["code"] == "exist"
    assert [n for n in os.listdir(tmp_path) if "copied" in n] == ["copied.db"]
    # restored as the guide says
    s.stop()
    for name in os.listdir(a.dir):
        if name.startswith("authority.db"):
            os.unlink(os.path.join(a.dir, name))
    shutil.move(path, os.path.join(a.dir, "authority.db"))
    s.start()
    used = s.slots(key).json["hosts_used"]
    assert before <= used <= after + 1
    for h, given in answers[:before]:
        again = s.enrol(h.request(a, key)).json
        assert again["certificate"] == given["certificate"]
        assert again["outcome"] == "same"
    a.run("audit", "verify")


@pytest.mark.parametrize("where, code", [
    ("nowhere/copy.db", "noent"), ("copy" * 300, "toobig"),
    ("there", "exist")])
def test_a_backup_that_cannot_be_made(s, tmp_path, where, code):
    (tmp_path / "there").write_bytes(b"kept")
    before = sorted(os.listdir(tmp_path))
    e = s.a.run("backup", str(tmp_path / where), rc=1)["error"]
    assert e["code"] == code and e["next_step"]
    assert (tmp_path / "there").read_bytes() == b"kept"
    assert sorted(os.listdir(tmp_path)) == before


def test_a_backup_onto_a_full_disk_leaves_nothing(s, tmp_path):
    small = tmp_path / "small"
    small.mkdir()
    script = (f"mount -t tmpfs -o size=16k none {small} && "
              f"{BIN}/muster-authority backup {small}/copy.db --dir {s.a.dir} "
              f"--json; echo code $?; ls -A {small}")
    p = subprocess.run(["unshare", "-rm", "sh", "-c", script], text=True,
                       capture_output=True, timeout=240)
    assert '"full"' in p.stdout + p.stderr, p
    assert p.stdout.endswith("code 1\n"), p
