#!/usr/bin/python3
# SPDX-License-Identifier: MIT
"""What testssl finds wrong with the authority's service, by a certificate of
a CA that is made here: nothing from LOW on, but what belongs to a site's
certificate.  Takes a minute of an idle machine, twenty of one that has much
else to do, so it is a row of the long test."""
import json
import os
import subprocess
import sys
import tempfile

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path[:0] = [HERE, os.path.join(HERE, "../../tools")]

import service  # noqa: E402

OF_THE_SITE = {"cert_revocation", "DNS_CAArecord"}
WRONG = {"LOW", "MEDIUM", "HIGH", "CRITICAL"}


def scan(folder):
    s = service.Service(folder)
    out = os.path.join(folder, "scan.json")
    s.start()
    try:
        p = subprocess.run(
            ["testssl", "--add-ca", os.path.join(folder, "ca.pem"),
             "--jsonfile", out, "--warnings", "off", "--color", "0",
             f"localhost:{s.port}"], stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True,
            timeout=3600)
    finally:
        assert s.stop() == 0
    with open(out) as f:
        return json.load(f), p.stdout


def main():
    with tempfile.TemporaryDirectory(prefix="muster-tls.") as folder:
        found, words = scan(folder)
    # it was there, it was looked at, and it was the service
    ids = {x["id"]: x["finding"] for x in found}
    assert ids["TLS1_3"].startswith("offered") and len(found) > 60, words
    assert ids["TLS1_2"] == "not offered", ids["TLS1_2"]
    wrong = {x["id"]: x for x in found if x["severity"] in WRONG}
    for x in wrong.values():
        print(x["id"], x["severity"], x["finding"])
    print(f"{len(found)} findings, {len(set(wrong) - OF_THE_SITE)} wrong")
    return 0 if set(wrong) == OF_THE_SITE else 1


if __name__ == "__main__":
    sys.exit(main())
