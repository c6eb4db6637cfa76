# SPDX-License-Identifier: MIT
"""In a network of its own, of which test_bench_measures.py reads: what a load
has there for addresses, and what a host's table of sources makes of them.

usage: bench_sources.py FOLDER"""
import json
import os
import socket
import subprocess
import sys
import threading

HERE = os.path.dirname(os.path.abspath(__file__))
for sub in ("tests/e2e", "tools", "bench"):
    sys.path.insert(0, os.path.join(HERE, "../..", sub))

import publisher  # noqa: E402
import rows  # noqa: E402

ANSWER = b"HTTP/1.1 200 OK\r\n\r\n" + b"x" * rows.HTTP_BYTES


def seen_of(args):
    """The addresses from which a program comes that speaks HTTP."""
    with socket.socket() as s:
        s.bind(("127.0.0.1", 0))
        s.listen(64)
        p = subprocess.Popen([os.path.join(publisher.BUILT, "bench_load"),
                              "--kind", "http", "--port",
                              str(s.getsockname()[1]), *map(str, args)],
                             stdout=subprocess.DEVNULL)
        seen = []

        def answer():
            while True:
                c, (address, _) = s.accept()
                # Before the answer: after the last one the program ends.
                seen.append(address)
                with c:
                    c.recv(1000)
                    c.sendall(ANSWER)
        threading.Thread(target=answer, daemon=True).start()
        if p.wait() != 0:
            sys.exit("bench_load failed")
    return seen


def refused(s, network):
    """With one call a minute of each address: does a second one fail?"""
    r = subprocess.run(
        [os.path.join(publisher.BUILT, "bench_load"), "--port", str(s.port),
         "--sources", "1", "--requests", "5", *network, *map(
             str, rows.asking(s))], capture_output=True, text=True)
    return json.loads(r.stdout)["busy"] if r.returncode == 0 else r.stderr


def main():
    s = publisher.BenchSite(sys.argv[1])
    s.settings = "source_rate = 1;\n"
    s.running()
    try:
        out = {"network": refused(s, publisher.network()),
               "loopback": refused(s, [])}
    finally:
        s.stop()
    out["seen"] = seen_of(["--requests", 8, "--sources", 4,
                           *publisher.network()])
    json.dump(out, sys.stdout)


main()
