# SPDX-License-Identifier: MIT
"""Run by test_publish.py in a network namespace: two name servers at port 53,
of which the resolver's is a copy that takes no updates; of the primary's IPv4
addresses one takes no connection, and the other closes each."""
import json
import os
import socket
import subprocess
import sys
import threading

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path[:0] = [HERE, os.path.join(os.path.dirname(os.path.dirname(HERE)),
                                   "tools")]

import nameserver  # noqa: E402
import test_discovery  # noqa: E402
import test_publish  # noqa: E402


class Site:
    host_root = sys.argv[1]


def close_all(server):
    while True:
        try:
            server.accept()[0].close()
        except OSError:
            return


def main():
    folder = sys.argv[2]
    for more in (["link", "set", "lo", "up"],
                 ["addr", "add", "127.0.0.2/8", "dev", "lo"],
                 ["addr", "add", "127.0.0.3/8", "dev", "lo"],
                 ["addr", "add", "127.0.0.4/8", "dev", "lo"]):
        subprocess.run(["ip", *more], check=True)
    held = test_discovery.dead_port(("127.0.0.3", 53))[1]
    closer = socket.create_server(("127.0.0.4", 53))
    threading.Thread(target=close_all, args=(closer,), daemon=True).start()
    lines = ["primary A 127.0.0.3", "primary A 127.0.0.4",
             "primary AAAA ::1"]
    primary = "primary.corp.test"
    served = nameserver.Zone("corp.test", lines, is_open=True,
                             primary=primary)
    copied = nameserver.Zone("corp.test", lines, primary=primary)
    os.makedirs(os.path.join(folder, "h"))
    h = test_publish.Host(Site, os.path.join(folder, "h"),
                          {"publish_name": "kms.deep.corp.test"})
    etc = os.path.join(h.root, "etc")
    with open(os.path.join(etc, "resolv.conf"), "w") as f:
        f.write("nameserver 127.0.0.9\nnameserver 127.0.0.2\n")
    with nameserver.Bind(folder + "/copy", [copied], address="127.0.0.2",
                         port=53) as copy, \
            nameserver.Bind(folder + "/ns", [served], address="::1",
                            port=53) as ns:
        h.start()
        try:
            assert h.outcome("deep.corp.test") == "OK", h.text()
            print(json.dumps({
                "records": ns.records("_muster._tcp.deep.corp.test"),
                "port": h.port, "asked": copy.queries(),
                "server": h.domain("deep.corp.test")["server"]}))
        finally:
            h.stop()
    for s in held:
        s.close()


main()
