# SPDX-License-Identifier: MIT
"""Runs a program on a kernel that lacks some system calls: lacking.py CALL
PROGRAM [ARGUMENT...], each CALL being answered with ENOSYS; several are joined
by commas."""
import errno
import os
import sys

import seccomp


def main():
    calls, *command = sys.argv[1:]
    rules = seccomp.SyscallFilter(seccomp.ALLOW)
    for name in calls.split(","):
        rules.add_rule(seccomp.ERRNO(errno.ENOSYS), name)
    rules.load()
    os.execv(command[0], command)


if __name__ == "__main__":
    main()
