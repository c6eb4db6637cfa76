# SPDX-License-Identifier: MIT
"""Run by test_publish.py in a network namespace: one domain's server is set,
the other's is found by a resolv.conf that comes later, as at a boot."""
import json
import os
import signal
import subprocess
import sys

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path[:0] = [HERE, os.path.join(os.path.dirname(os.path.dirname(HERE)),
                                   "tools")]

import nameserver  # noqa: E402
import test_publish  # noqa: E402
from test_publish import eventually  # noqa: E402

OWNER = "_muster._tcp.lab.test"


class Site:
    host_root = sys.argv[1]


def main():
    folder = sys.argv[2]
    subprocess.run(["ip", "link", "set", "lo", "up"], check=True)
    os.makedirs(os.path.join(folder, "h"))
    h = test_publish.Host(Site, os.path.join(folder, "h"), {
        "publish_name": "h.corp.test", "publish_domain": "lab.test",
        "publish_domains":
            '( { domain = "corp.test"; server = "127.0.0.1"; } )'})
    zones = [nameserver.Zone(n, is_open=True) for n in ("corp.test",
                                                        "lab.test")]
    with nameserver.Bind(folder + "/ns", zones, port=53) as ns:
        h.start()
        try:
            assert h.outcome("corp.test") == "OK", h.text()
            assert h.outcome("lab.test") == "NO_SERVER", h.text()
            with open(h.root + "/etc/resolv.conf", "w") as f:
                f.write("nameserver 127.0.0.1\n")
            h.muster("host", "dns", "publish")
            assert eventually(lambda: ns.records(OWNER)), h.text()
            kept = h.kept()
            h.stop(signal.SIGKILL)
            h.start(publish_name="new.corp.test")
            eventually(lambda: "new" in str(ns.records(OWNER)))
            print(json.dumps({"kept": kept, "port": h.port,
                              "records": ns.records(OWNER)}))
        finally:
            h.stop()


main()
