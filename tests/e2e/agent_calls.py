# SPDX-License-Identifier: MIT
"""The agent under strace: which file operations it does, and what a folder
holds after any number of them."""
import os
import re
import signal
import subprocess
import time

import agent
import demo

CALLS = "openat,write,pwrite64,ftruncate,fchmod,fsync,rename,unlink,link,mkdir,sendto"
LINE = re.compile(r"(?:\d+ +)?(\w+)\((.*?)(?:\) += +(-?\d+|\?).*)?$")
HEX = re.compile(r"(?:\\x[0-9a-f]{2})+")
LISTENING = b"listening: "


class Call:
    def __init__(self, line, state):
        m = LINE.match(line)
        assert m, line
        self.pid = line.split()[0]
        self.name, args = m[1], m[2]
        self.done = m[3] not in (None, "?") and int(m[3]) >= 0
        self.flags = args
        self.fds = [bytes.fromhex(h.replace("\\x", "")) for h in
                    re.findall(r"<((?:\\x[0-9a-f]{2})+)>", args)]
        self.texts = [bytes.fromhex(h[1:-1].replace("\\x", "")) for h in
                      re.findall(r'"(?:\\x[0-9a-f]{2})*"', args)]
        self.state = os.fsencode(state)
        self.path = self._path()

    def _path(self):
        """Of what it works on, from the state folder; None: elsewhere."""
        if self.name in ("openat", "unlink", "mkdir", "rename", "link"):
            where = self.texts[:1]
        else:
            where = self.fds[:1]
        for p in where:
            if p == self.state:
                return "."
            if p.startswith(self.state + b"/"):
                return os.fsdecode(p[len(self.state) + 1:])
        return None

    @property
    def to(self):
        return os.fsdecode(self.texts[1][len(self.state) + 1:])

    @property
    def changes(self):
        """It can change what is on disk, or promises that it lasts."""
        return self.path is not None and \
            (self.name != "openat" or "O_CREAT" in self.flags)

    @property
    def place(self):
        """What it works on, under the name that a rename gives it."""
        return self.name, (self.path or "").partition(".new.")[0]

    def __repr__(self):
        return f"{self.name} of {self.path}"


def parse(path, state):
    """The calls of the loop's own thread.  One that another thread's call came
    between stands in two lines: its beginning, and its end "resumed"; one
    that never ended, a kill being quicker, has no second."""
    lines, begun = [], {}
    with open(path, errors="replace") as f:
        for line in f:
            m = re.match(r"(\d+) +(?:<\.\.\. (\w+) resumed>|(\w+)\()", line)
            if m is None:  # a signal, an exit, what strace says of itself
                continue
            pid, resumed, line = m[1], m[2], line.rstrip("\n")
            if resumed:
                at = begun.pop(pid, None)
                if at is not None:
                    lines[at] = lines[at].removesuffix(") = ?") + \
                        line[m.end():]
            elif line.endswith("<unfinished ...>"):
                begun[pid] = len(lines)
                lines.append(line[:-len("<unfinished ...>")].rstrip() +
                             ") = ?")
            else:
                lines.append(line)
    out = [Call(line, state) for line in lines]
    return [c for c in out if c.pid == out[0].pid]


def after(calls, old):
    """The folder after these calls, when files change by rename alone."""
    files, temp = dict(old), {}
    for c in calls:
        if c.path is None or not c.done:
            continue
        if c.name == "openat" and "O_CREAT" in c.flags:
            if c.path == "lock":
                files.setdefault("lock", b"")
            else:
                assert "O_EXCL" in c.flags and ".new." in c.path, c
                temp[c.path] = b""
        elif c.name == "write":
            temp[c.path] += c.texts[-1]
        elif c.name == "pwrite64" and c.path == "lock":
            files["lock"] = b"a"
        elif c.name == "ftruncate" and c.path == "lock":
            files["lock"] = b""
        elif c.name == "rename":
            files[c.to] = temp.pop(c.path)
        elif c.name == "unlink":
            files.pop(c.path, None)
            temp.pop(c.path, None)
        else:
            assert c.name in ("fchmod", "fsync", "mkdir", "openat"), c
    return files


class Fault:
    """One call of the agent, by its place and which time it is that it comes
    there, that kills it or fails."""
    LIBRARY = os.path.join(demo.REPO, "build/tests/nth_call.so")

    def __init__(self, place, nth, end=0):
        self.place, self.nth, self.end = place, nth, end

    def env(self, m):
        name, path = self.place
        return {"MUSTER_NTH_CALL":
                f"{name} {os.path.normpath(m.state(path))} "
                f"{self.nth} {self.end}"}


class Strace:
    """One start of a machine's agent, held by strace."""

    def __init__(self, m, once=False, wrap=(), env=None):
        self.m = m
        self.out = os.path.join(m.site.folder, "calls")
        if os.path.exists(self.out):
            os.unlink(self.out)
        self.log_begin = os.path.getsize(m.log) \
            if os.path.exists(m.log) else 0
        log = open(m.log, "a")
        self.begin_s = int(time.time())
        self.p = subprocess.Popen(
            [*agent.AS_ROOT, "strace", "-f", "-qq", "-y", "-xx", "-s", "4096",
             "-o", self.out, "-e", f"trace={CALLS}", *wrap, m.binary,
             "--root", m.root, *(["--once"] if once else [])],
            stdout=subprocess.PIPE, stderr=log, text=True,
            env={**os.environ, **(env or {})})
        log.close()
        self.listens = once
        end = time.monotonic() + agent.WAIT_S
        while not once and self.p.poll() is None and not self.listens:
            assert time.monotonic() < end
            self.listens = "listening: " in self.said()
            time.sleep(0.01)

    def said(self):
        with open(self.m.log) as f:
            f.seek(self.log_begin)
            return f.read()

    def met(self):
        """Did the fault come that it was started with?"""
        return "nth_call: met" in self.said()

    def wait(self):
        """Until it ends by itself; its exit code."""
        self.stdout = self.p.communicate(timeout=240)[0]
        return self.p.returncode

    def child(self):
        """The agent's id; None: it has ended."""
        try:
            with open(f"/proc/{self.p.pid}/task/{self.p.pid}/children") as f:
                pid, = f.read().split()
            with open(f"/proc/{pid}/stat") as f:
                return None if f.read().split()[2] in "ZX" else int(pid)
        except (OSError, ValueError):
            return None

    def runs(self):
        """Does the agent? strace takes a moment to follow it."""
        if self.p.poll() is None and self.child() is None:
            self.p.wait(agent.WAIT_S)
        return self.p.poll() is None

    def stop(self):
        """The agent, not strace, which holds signals back."""
        if self.runs():
            child = self.child()
            if child is not None:  # it may have ended since
                os.kill(child, signal.SIGKILL)
        return self.wait()

    def kill(self):
        if self.p.poll() is None:
            self.stop()

    def calls(self):
        return parse(self.out, self.m.state())
