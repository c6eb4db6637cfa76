# SPDX-License-Identifier: MIT
"""Runs a program under the system calls and address families of a unit file,
as systemd would: sandbox.py UNIT PROGRAM [ARGUMENT...].  What the unit does
not allow kills the program."""
import os
import socket
import subprocess
import sys

import seccomp


def names(group, seen):
    """The calls of a systemd group such as @system-service."""
    if not group.startswith("@"):
        return {group}
    if group not in seen:
        out = subprocess.run(["systemd-analyze", "syscall-filter", group],
                             capture_output=True, text=True, check=True).stdout
        lines = [line.strip() for line in out.splitlines()[1:]]
        seen[group] = set().union(*(names(n, seen) for n in lines
                                    if n and n[0] != "#"))
    return seen[group]


def allowed(unit):
    """Calls and address families."""
    seen, calls, families = {}, names("@default", {}), []
    with open(unit) as f:
        for line in f:
            key, _, value = line.strip().partition("=")
            if key == "SystemCallFilter":
                group = set().union(*(names(n, seen) for n in
                                      value.lstrip("~").split()))
                calls = calls - group if value[0] == "~" else calls | group
            elif key == "RestrictAddressFamilies":
                families += value.split()
    return calls, families


def main():
    unit, *command = sys.argv[1:]
    calls, families = allowed(unit)
    assert "read" in calls and "mount" not in calls and "AF_INET" in families
    if os.geteuid() == 0:
        calls |= {"fchown"}  # SQLite's, where root runs it
    rules = seccomp.SyscallFilter(seccomp.KILL_PROCESS)
    for name in sorted(calls - {"socket", "socketpair"}):
        try:
            rules.add_rule(seccomp.ALLOW, name)
        except (RuntimeError, ValueError):
            pass  # of another architecture, or newer than the library
    for name in families:
        family = getattr(socket, name)
        for call in ("socket", "socketpair"):
            rules.add_rule(seccomp.ALLOW, call,
                           seccomp.Arg(0, seccomp.EQ, family))
    rules.load()
    os.execv(command[0], command)


if __name__ == "__main__":
    main()
