# SPDX-License-Identifier: MIT
"""Goal: tools that know nothing of Muster understand what it speaks."""
import json
import os
import subprocess
import sys


def test_b8_rpcinfo_finds_the_program(site):
    address = f"127.0.0.1.{site.port >> 8}.{site.port & 255}"
    path = os.environ["PATH"] + ":/usr/sbin:/sbin"
    p = subprocess.run(["rpcinfo", "-a", address, "-T", "tcp", "536876680",
                        "1"], capture_output=True, text=True, timeout=20,
                       env={**os.environ, "PATH": path})
    assert p.returncode == 0 and "ready and waiting" in p.stdout, p.stderr


def test_a_dissector_reads_call_and_reply(tmp_path):
    here = os.path.dirname(os.path.abspath(__file__))
    # root needs no user namespace, and in a chroot would not be given one
    own = ["-n"] if os.geteuid() == 0 else ["-r", "-n"]
    p = subprocess.run(
        ["unshare", *own, sys.executable,
         os.path.join(here, "capture.py"), str(tmp_path)],
        capture_output=True, text=True, timeout=120)
    assert p.returncode == 0, p.stderr
    seen = json.loads(p.stdout.splitlines()[-1])
    assert seen["answer"]["count"] == 1
    assert len(seen["sizes"]) == 2 and max(seen["sizes"]) <= 250
    assert " Call" in seen["rpc"] and " Reply" in seen["rpc"]
