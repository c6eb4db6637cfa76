# SPDX-License-Identifier: MIT
"""Goal: a product that loads libmuster gets muster_* and nothing else, and
nothing happens behind its back."""
import glob
import os
import re
import subprocess

import pytest

import demo

LIB, = glob.glob(os.path.join(demo.BIN, "../lib/**/libmuster.so.0"),
                 recursive=True)


def symbols(*options):
    out = subprocess.run(["nm", "-D", *options, LIB], capture_output=True,
                         text=True, check=True).stdout
    return {line.split()[-1].split("@")[0] for line in out.splitlines()}


def test_exports():
    want = {"MUSTER_0", "muster_activate", "muster_check", "muster_errname",
            "muster_info", "muster_strerror"}
    assert symbols("--defined-only") == want


def test_no_heap_no_signal_no_environment():
    bad = re.compile(
        r"[mc]alloc|realloc\w*|aligned_alloc|posix_memalign|free|strn?dup|"
        r"(secure_)?getenv|environ|signal|sig\w+|raise|abort|_?exit|v?fork|"
        r"pthread_\w+|v?f?printf|\w*syslog|setlocale|getaddrinfo")
    assert {s for s in symbols("--undefined-only") if bad.fullmatch(s)} == set()


@pytest.mark.bare
def test_needs_libsodium_and_libc_only():
    out = subprocess.run(["objdump", "-p", LIB], capture_output=True,
                         text=True, check=True).stdout
    assert set(re.findall(r"NEEDED +(\S+)", out)) == {"libsodium.so.23",
                                                      "libc.so.6"}
    ldd = subprocess.run(["ldd", LIB], capture_output=True, text=True).stdout
    loaded = set(re.findall(r"^\s+(\S+)", ldd, re.M))
    assert {os.path.basename(x) for x in loaded} == {
        "linux-vdso.so.1", "libsodium.so.23", "libc.so.6",
        "ld-linux-x86-64.so.2"}
