#!/usr/bin/python3
# SPDX-License-Identifier: MIT
"""Programs in which one allocation or one system call fails, each in turn:
none crashes, hangs or answers what is not so, and the next run goes on.

usage: faults.py alloc|calls [CASES-A-SCENARIO]

Without a number all are tried.  A line a scenario; what is wrong is printed
with the words that repeat it."""
import collections
import concurrent.futures
import json
import os
import queue
import random
import re
import shutil
import struct
import subprocess
import sys
import tempfile
import threading
import uuid

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)),
                                "../../tools"))
import demo  # noqa: E402
import wire  # noqa: E402
from agent import Machine  # noqa: E402
from service import Host as Enrolled  # noqa: E402
from service import Service  # noqa: E402

PRELOAD = os.path.join(demo.REPO, "build/tests/nth_alloc.so")
SERVER = uuid.UUID(demo.SERVER).bytes
OK, UNKNOWN, BUSY = 0, 1, 5
# 127: the loader had no memory or no file
EXITS = {0, 1, 2, 3, 4, 5, 78, 127}
WAIT_S = 30
TWICE_S = 8
SAYS_S = 60  # until a program says that it listens
WORKERS = 2 * (os.cpu_count() or 1)  # half of a case is waiting

SEEN_LEN = 64  # of nth_alloc's file
# they take no care where they have no memory; at a start, when nothing was
# promised yet
CARELESS = ("libconfig.", "libtasn1.", "libgnutls.", "libc-nss.")

FILE = ("EIO", "ENOMEM", "EMFILE", "ENFILE", "EINTR")
NET = ("ENOMEM", "EIO", "EINTR", "EAGAIN", "EPIPE")
ERRORS = {
    "openat": (*FILE, "EROFS", "ENOSPC"), "read": ("EIO", "EINTR", "EAGAIN"),
    "pread64": ("EIO", "EINTR"), "write": ("EIO", "ENOSPC", "EINTR", "EAGAIN",
                                           "EPIPE"),
    "pwrite64": ("EIO", "ENOSPC", "EINTR"), "fsync": ("EIO", "ENOSPC"),
    "fdatasync": ("EIO", "ENOSPC"), "ftruncate": ("EIO", "ENOSPC", "EINTR"),
    "fallocate": ("ENOSPC",), "fstat": ("EIO", "ENOMEM"),
    "newfstatat": ("EIO", "ENOMEM"), "fcntl": ("EIO", "EAGAIN", "EINTR"),
    "flock": ("EIO", "EINTR", "ENOMEM"), "lseek": ("EIO",),
    "mmap": ("ENOMEM", "EAGAIN"), "mprotect": ("ENOMEM",),
    "mlock": ("ENOMEM", "EAGAIN"), "close": ("EIO", "EINTR"),
    "unlink": ("EIO", "EROFS"), "rename": ("EIO", "ENOSPC", "EROFS"),
    "link": ("EIO", "ENOSPC"), "mkdir": ("EIO", "ENOSPC", "EROFS"),
    "chmod": ("EIO", "EROFS"), "fchmod": ("EIO", "EROFS"),
    "access": ("EIO", "ENOMEM"), "faccessat2": ("EIO",),
    "getdents64": ("EIO",), "socket": ("EMFILE", "ENFILE", "ENOMEM"),
    "bind": ("ENOMEM", "EIO"), "listen": ("ENOMEM",),
    "accept4": ("EMFILE", "ENFILE", "ENOMEM", "ECONNABORTED", "EINTR",
                "EAGAIN"),
    "connect": ("ENOMEM", "EINTR", "EAGAIN"), "sendto": NET, "recvfrom": NET,
    "sendmsg": NET, "recvmsg": NET, "poll": ("EINTR", "ENOMEM"),
    "setsockopt": ("ENOMEM",), "getsockopt": ("ENOMEM",), "getsockname": ("ENOMEM",),
    "getpeername": ("ENOMEM",), "shutdown": ("ENOMEM",),
    "epoll_create1": ("EMFILE", "ENFILE", "ENOMEM"),
    "epoll_wait": ("EINTR",), "epoll_pwait": ("EINTR",),
    "eventfd2": ("EMFILE", "ENFILE", "ENOMEM"),
    "pipe2": ("EMFILE", "ENFILE"), "clone3": ("EAGAIN", "ENOMEM"),
    # a service without is told, and serves
    "seccomp": ("ENOSYS", "EINVAL", "ENOMEM"),
    "landlock_create_ruleset": ("ENOSYS", "EOPNOTSUPP", "ENOMEM"),
    "landlock_add_rule": ("EINVAL", "ENOMEM"),
    "landlock_restrict_self": ("EPERM", "E2BIG"),
    "timerfd_create": ("EMFILE", "ENOMEM"), "prlimit64": ("EIO",),
    "prctl": ("EIO",), "ioctl": ("EIO",), "statfs": ("EIO",),
    "getrandom": ("EINTR",), "sysinfo": ("EIO",),
}
UNFAILED = set()  # calls that a scenario makes and of which none is failed


class Fault:
    """How the program is run: wrap, environment, the words for it, where
    strace says which call it made fail, and nth_alloc in whose code it died."""

    def __init__(self, words="none", wrap=(), env=None, log=None, seen=None):
        self.words, self.wrap, self.log, self.seen = words, wrap, log, seen
        self.env = {**os.environ, **(env or {})}

    def is_libuvs(self):
        """What failed was a descriptor that libuv keeps for itself."""
        if self.log is None or not os.path.exists(self.log):
            return False
        with open(self.log, errors="replace") as f:
            return has_failed_inside_libuv(f)

    def is_inside(self, library):
        """What failed was a call that this library made; or the abort was."""
        if self.log is None or not os.path.exists(self.log):
            return False
        with open(self.log, errors="replace") as f:
            return has_failed_inside(f, ANY, library)

    def died_in(self):
        """The name of the object, where an allocation was made to fail."""
        if self.seen is None:
            return ""
        with open(self.seen, "rb") as f:
            return f.read()[8:].partition(b"\0")[0].decode()

    def has_died(self, rc, objects):
        """By its own fault, and in the code of one of these."""
        return rc in (-6, -11) and self.died_in().startswith(objects)


NONE = Fault()
ASKED = {"read", "write", "pipe2", "clone3", "mmap", "mprotect"}
OWN = re.compile(r"\d+ +(read|write)\(\d+<(pipe:\[\d+\]|"
                 r"anon_inode:\[eventfd\])>.*\(INJECTED\)$")
ANY = re.compile(r".*(\(INJECTED\)|--- SIGABRT .*---)$")


def has_failed_inside_libuv(trace):
    """libuv wakes its loop by an eventfd, tells it of a signal by a pipe, and
    locks its signals by a byte in another.  A read or write of these that
    fails, as none does, costs it the signal, or it aborts.  Whether one of
    them was made to fail: a descriptor of that kind, and the call was
    libuv's own.  The trace is of strace -f -k -yy."""
    return has_failed_inside(trace, OWN, "/libuv.so")


def has_failed_inside(trace, call, library):
    """A call of this kind, and the first that is not of the C library."""
    begun, is_own = {}, False
    for line in map(str.rstrip, trace):
        if not line.startswith(" > "):
            pid = line.partition(" ")[0]
            if line.endswith("<unfinished ...>"):
                begun[pid] = line
            elif " resumed>" in line:
                line = begun.pop(pid, "") + line
            is_own = call.match(line) is not None
        elif is_own and "/libc.so" not in line:
            if library in line:
                return True
            is_own = False
    return False


def finish(process, end=None, fault=NONE):
    """Exit code and the standard error; a hang is an exit code of its own.
    Where libuv lost the signal it is sent again."""
    if end:
        process.send_signal(end)
    try:
        if end:
            try:
                out, err = process.communicate(timeout=TWICE_S)
                return process.returncode, err
            except subprocess.TimeoutExpired:
                if fault.is_libuvs():
                    process.send_signal(end)
        out, err = process.communicate(timeout=WAIT_S)
    except subprocess.TimeoutExpired:
        process.kill()
        out, err = process.communicate()
        return "it hangs", err
    return process.returncode, err


def end_or_kill(process):
    process.terminate()
    try:
        process.wait(TWICE_S)
    except subprocess.TimeoutExpired:
        process.kill()


class Scenario:
    def __init__(self, folder):
        self.base, self.work = (os.path.join(folder, x)
                                for x in ("base", "work"))

    def fresh(self):
        shutil.rmtree(self.work, ignore_errors=True)
        shutil.copytree(self.base, self.work, symlinks=True)

    def command(self, fault, *args):
        p = subprocess.Popen(
            [*fault.wrap, os.path.join(demo.BIN, args[0]), *args[1:]],
            stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
            env=fault.env)
        return finish(p)

    def close(self):
        pass


class Host(Scenario):
    """A start, three machines, a status, a stop."""
    name = "host"

    def __init__(self, folder):
        super().__init__(folder)
        site = demo.Site(os.path.join(folder, "site"))
        os.mkdir(site.folder)
        site.publish()
        site.start()
        site.activate_host()
        site.stop()
        os.rename(site.host_root, self.base)
        conf = os.path.join(self.base, "etc/muster/musterd.conf")
        with open(conf, "w") as f:
            f.write('listen = [ "127.0.0.1" ];\nport = 0;\nstatus_listen = "off";\n')

    def serve(self, fault, cmids):
        """Exit code, what was said, and a status for each machine."""
        p = subprocess.Popen(
            [*fault.wrap, os.path.join(demo.BIN, "musterd"), "--root",
             self.work], stderr=subprocess.PIPE, text=True, env=fault.env)
        said, statuses = "", {}
        # the line itself may be what cannot be written; or it hangs before
        late = threading.Timer(SAYS_S, end_or_kill, (p,))
        late.start()
        for line in p.stderr:
            said += line
            m = re.search(r"listening: 127\.0\.0\.1 port (\d+)", line)
            if m:
                late.cancel()
                break
        else:
            late.cancel()
            rc, err = finish(p)
            return "it hangs" if rc == -9 else rc, err, said, statuses
        wire.WAIT_S = 20
        self.found = self.list() if fault is NONE else None
        for cmid in cmids:
            try:
                statuses[cmid] = wire.activate(int(m.group(1)), SERVER,
                                               cmid=cmid, threshold=5)[0]
            except (OSError, ValueError):
                statuses[cmid] = None
        self.listed = self.list()
        rc, err = finish(p, 15, fault)
        return rc, err, said, statuses

    def list(self):
        """Who is counted; None where the host does not say."""
        p = subprocess.run(
            [os.path.join(demo.BIN, "muster"), "host", "clients", "--root",
             self.work, "--json"], capture_output=True, text=True, timeout=240)
        return p.stdout if p.returncode == 0 else None

    @staticmethod
    def rows(listed):
        return {uuid.UUID(c["cmid"]).bytes
                for c in json.loads(listed)["clients"]}

    def run(self, fault):
        self.fresh()
        cmids = [bytes([n] * 16) for n in range(1, 4)]
        rc, err, said, statuses = self.serve(fault, cmids)
        answered = {c for c, s in statuses.items() if s == OK}
        # before any answer
        if set(statuses.values()) <= {None} and fault.has_died(rc, CARELESS):
            rc = 1
        # a catalogue that could not be read is read again, but not yet
        may = {OK, BUSY, None} | ({UNKNOWN} if "passed over" in said else set())
        wrong = [s for s in statuses.values() if s not in may]
        if wrong:
            return rc, said + err, f"it answered {wrong}"
        if self.listed and not answered <= self.rows(self.listed) <= set(cmids):
            return rc, said + err, "the list is wrong"
        again = self.serve(NONE, cmids)
        if again[0] != 0 or set(again[3].values()) != {OK}:
            return rc, said + err, f"the next run: {again}"
        # before anybody asks it
        if not answered <= self.rows(self.found) <= set(cmids):
            return rc, said + err, "the next run found not who was answered"
        if self.rows(self.listed) != set(cmids):
            return rc, said + err, "the next run's list is wrong"
        return rc, said + err, None

    found = listed = None


class Agent(Scenario):
    """A machine that asks for the first time, once."""
    name = "agent"
    args = ("muster-agent", "--once")

    def __init__(self, folder):
        super().__init__(folder)
        self.site = demo.Site(os.path.join(folder, "site"))
        os.mkdir(self.site.folder)
        self.site.publish()
        self.site.start()
        self.site.activate_host()
        for n in range(1, 6):
            self.site.activate(n, demo.SERVER)
        m = Machine(self.site, 6)
        m.start()
        demo.run("muster", "set-host", f"127.0.0.1:{self.site.port}",
                 "--root", m.root)
        m.stop()
        # what it has learnt beside that it forgets
        for sub in ("leases", "products", "publishers"):
            shutil.rmtree(os.path.join(m.root, "var/lib/muster/agent", sub),
                          ignore_errors=True)
        os.rename(m.root, self.base)

    def lease(self):
        return os.path.join(self.work, "var/lib/muster/agent/leases",
                            demo.SERVER + ".lease")

    def act(self, fault):
        return self.command(fault, *self.args, "--root", self.work)

    def direct(self):
        return ("muster", "activate", "--direct", "--root", self.work,
                "--host", f"127.0.0.1:{self.site.port}", "--product",
                demo.SERVER, "--json")

    def verified(self):
        return subprocess.run(
            [os.path.join(demo.BIN, "muster"), "verify", self.lease(),
             "--root", self.work, "--catalogue", self.site.catalogue,
             "--root-key", self.site.path("root.pub")],
            capture_output=True, timeout=240).returncode

    def run(self, fault):
        self.fresh()
        rc, said = self.act(fault)
        if os.path.exists(self.lease()) and self.verified() != 0:
            return rc, said, "the lease does not hold"
        again = self.act(NONE)
        if again[0] != 0:
            return rc, said, f"the next run: {again}"
        if self.verified() != 0:  # it may wait two hours until it asks again
            again = self.command(NONE, *self.direct())
        if self.verified() != 0:
            return rc, said, f"no lease holds: {again}"
        return rc, said, None

    def close(self):
        self.site.stop()


class Client(Agent):
    """The client library's way without an agent."""
    name = "client"

    def act(self, fault):
        return self.command(fault, *self.direct())


class Issue(Scenario):
    """The authority's command that makes a host key."""
    name = "authority"

    def __init__(self, folder):
        super().__init__(folder)
        self.site = demo.Site(os.path.join(folder, "site"))
        os.mkdir(self.site.folder)
        self.site.publish()
        os.rename(self.site.path("authority"), self.base)

    def keys(self):
        out = demo.run("muster-authority", "key", "list", "--dir", self.work,
                       "--json")
        return len(json.loads(out)["keys"])

    def run(self, fault):
        self.fresh()
        rc, said = self.command(fault, "muster-authority", "key", "issue",
                                "--dir", self.work, "--level", "1",
                                "--customer", "x", "--json")
        demo.run("muster-authority", "audit", "verify", "--dir", self.work)
        n = self.keys()
        if n not in (1, 2) or (rc == 0 and n != 2):
            return rc, said, f"{n} keys"
        demo.run("muster-authority", "key", "issue", "--dir", self.work,
                 "--level", "1", "--customer", "x")
        return rc, said, None if self.keys() == n + 1 else "no more keys"


class Serve(Scenario):
    """The authority's service: a start, a host, a stop."""
    name = "serve"

    def __init__(self, folder):
        super().__init__(folder)
        os.mkdir(os.path.join(folder, "s"))
        self.s = Service(os.path.join(folder, "s"))
        self.key = self.s.a.issue()
        self.base, self.work = self.base, self.s.a.dir
        shutil.copytree(self.work, self.base)

    def act(self, fault):
        s, status = self.s, None
        try:
            s.start([*fault.wrap, os.path.join(demo.BIN, "muster-authority")],
                    env=fault.env)
        except AssertionError as e:
            m = re.match(r"exit (-?\d+): (.*)", str(e), re.S)
            return int(m.group(1)), m.group(2), None
        try:
            status = s.enrol(Enrolled(1).request(s.a, self.key)).status
        except (OSError, ValueError, AssertionError) as e:
            status = None if isinstance(e, OSError) else repr(e)
        try:
            rc = s.stop()
        except subprocess.TimeoutExpired:
            rc = "it hangs"
        return rc, "".join(s.log), status

    def run(self, fault):
        self.fresh()
        rc, said, status = self.act(fault)
        if status not in (None, 200, 201, 429, 500, 503):
            return rc, said, f"it answered {status}"
        again = self.act(NONE)
        if again[0] != 0 or again[2] not in ((200,) if status in (200, 201)
                                             else (200, 201)):
            return rc, said, f"the next run: {again}"
        self.s.a.run("audit", "verify")
        return rc, said, None


SCENARIOS = {c.name: c for c in (Host, Agent, Client, Issue, Serve)}


def alloc_faults(scenario, folder):
    """Every allocation, once and for ever."""
    rc, said, wrong = scenario.run(alloc_fault(folder, 0, 0))
    assert rc == 0 and wrong is None, (rc, said, wrong)
    with open(os.path.join(folder, "seen"), "rb") as f:
        n_all, = struct.unpack("=Q", f.read(8))
    assert n_all > 10
    return [(lambda folder, n=n, e=e: alloc_fault(folder, n, e))
            for n in range(1, n_all + 1) for e in (0, 1)]


def alloc_fault(folder, n, ever):
    seen = os.path.join(folder, "seen")
    with open(seen, "wb") as f:
        f.write(bytes(SEEN_LEN))
    return Fault(f"allocation {n}{' and all after it' if ever else ''}",
                 seen=seen, env={"LD_PRELOAD": PRELOAD, "MUSTER_NTH_ALLOC":
                                 f"{n} {ever} {seen}"})


def call_faults(scenario, folder):
    """Every system call with every error that it may have."""
    log = os.path.join(folder, "strace")
    rc, said, wrong = scenario.run(Fault(
        wrap=("strace", "-D", "-f", "-qq", "-o", log)))
    assert rc == 0 and wrong is None, (rc, said, wrong)
    counts = collections.Counter()
    with open(log) as f:
        for line in f:
            m = re.match(r"(\d+) +(\w+)\(", line)
            if m and m.group(2) in ERRORS:
                counts[m.groups()] += 1
            elif m:
                UNFAILED.add(m.group(2))
    most = {}
    for (_, name), n in counts.items():  # each thread has its own first
        most[name] = max(n, most.get(name, 0))
    assert sum(most.values()) > 50, most
    return [(lambda folder, c=c, n=n, e=e: call_fault(folder, c, n, e))
            for c in sorted(most) for n in range(1, most[c] + 1)
            for e in ERRORS[c]]


def call_fault(folder, call, n, error):
    log, how = os.path.join(folder, "injected"), ()
    if os.path.exists(log):
        os.unlink(log)
    if call in ASKED:  # whose they were: is_inside(), is_libuvs()
        how = ("-k", "-yy")
    return Fault(f"{call} {n} {error}", log=log, wrap=(
        "strace", "-D", "-f", *how, "-qq", "-o", log, "-e", f"trace={call}",
        "-e", f"inject={call}:error={error}:when={n}"))


KINDS = {"alloc": alloc_faults, "calls": call_faults}


def judge(scenario, fault):
    """None, or what is wrong."""
    try:
        rc, said, wrong = scenario.run(fault)
    except (Exception, SystemExit) as e:
        return f"{fault.words}: {e!r}"
    said = str(said)
    if "listening: " not in said and fault.has_died(rc, CARELESS):
        rc = 1
    # it ends the process where it cannot wake its own thread at the stop
    if rc == -6 and "Fatal error in GNU libmicrohttpd" in said and \
            "stopping: " in said:
        rc = 1
    # our own assertions are our bugs, and so is all that another's call did
    if rc == -6 and fault.is_libuvs() and \
            ("ssert" not in said or ": uv__" in said):
        rc = 1
    # it ends the process where it has no threads or pipes: before it listens
    if rc == -6 and "listening: " not in said and \
            fault.is_inside("/libuv.so"):
        rc = 1
    # the loader; and libsodium, which writes to what it could not unlock when
    # all is closed
    if rc == -11 and not said and fault.is_inside("/ld-linux"):
        rc = 127
    if rc == -11 and "stopping: " in said and fault.is_inside("/libsodium.so"):
        rc = 1
    # it was ending by itself, and told to end with no handler left
    if rc == -15 and "musterd ends" in said:
        rc = 1
    # the byte that was not put back: libuv waits for it at its next signal,
    # at the start or when it closes
    if rc == "it hangs" and fault.is_libuvs():
        rc = 1
    if wrong is None and rc not in EXITS:
        wrong = f"exit {rc} in {fault.died_in() or 'nobody knows whose code'}"
    return None if wrong is None else \
        f"{fault.words}: {wrong}; {said[-600:]}"


def play(kind, name, folder, n=None, seed=1, workers=1):
    """How many there are, how many were tried, and what is wrong."""
    scenarios, free = [], queue.Queue()
    try:
        for w in range(workers):
            own = os.path.join(folder, str(w))
            os.mkdir(own)
            scenarios.append(SCENARIOS[name](own))
            free.put((scenarios[-1], own))
        faults = KINDS[kind](scenarios[0], os.path.join(folder, "0"))
        chosen = faults
        if n is not None and n < len(faults):
            chosen = random.Random(f"{seed} {kind} {name}").sample(faults, n)

        def one(make):
            scenario, own = free.get()
            try:
                return judge(scenario, make(own))
            finally:
                free.put((scenario, own))
        with concurrent.futures.ThreadPoolExecutor(workers) as pool:
            wrong = list(filter(None, pool.map(one, chosen)))
        return len(faults), len(chosen), wrong
    finally:
        for scenario in scenarios:
            scenario.close()


def main():
    kind, *n = sys.argv[1:]
    total = bad = 0
    for name in SCENARIOS:
        with tempfile.TemporaryDirectory(prefix="m.", dir="/tmp") as folder:
            n_all, tried, wrong = play(kind, name, folder,
                                       int(n[0]) if n else None,
                                       workers=WORKERS)
        print(f"{name}: {tried} of {n_all}, {len(wrong)} wrong", flush=True)
        for w in wrong:
            print("  ", w.replace("\n", "\n   "))
        total, bad = total + tried, bad + len(wrong)
    if UNFAILED:
        print("made and not failed:", *sorted(UNFAILED))
    print(f"{kind}: {total} faults in {len(SCENARIOS)} scenarios, {bad} wrong")
    return 1 if bad else 0


if __name__ == "__main__":
    sys.exit(main())
