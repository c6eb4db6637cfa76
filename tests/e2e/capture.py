#!/usr/bin/python3
# SPDX-License-Identifier: MIT
"""Capture one activation and print it as a packet dissector sees it.

Runs in a network namespace of its own (unshare), so that it needs no rights
and sees no packet but ours.  usage: capture.py FOLDER
"""
import json
import os
import subprocess
import sys
import time

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)),
                                "../../tools"))
import demo  # noqa: E402


def dissect(pcap, port, *more):
    return subprocess.run(
        ["tshark", "-o", "rpc.dissect_unknown_programs:TRUE", "-d",
         f"tcp.port=={port},rpc", "-r", pcap, *more],
        capture_output=True, text=True, timeout=240, check=True).stdout


def main():
    folder = sys.argv[1]
    subprocess.run(["ip", "link", "set", "lo", "up"], check=True)
    site = demo.Site(folder)
    site.publish()
    site.start()
    site.activate_host()
    pcap = os.path.join(folder, "one.pcap")
    cap = subprocess.Popen(["tshark", "-i", "lo", "-w", pcap, "-q"],
                           stderr=subprocess.PIPE, text=True)
    try:
        end = time.monotonic() + 20
        for line in cap.stderr:
            if "Capturing on" in line or time.monotonic() > end:
                break
        time.sleep(1)  # tshark says so a little before it is true
        answer = site.activate(1, demo.DESKTOP)
        time.sleep(1)
    finally:
        cap.terminate()
        cap.wait(20)
        site.stop()
    sizes = dissect(pcap, site.port, "-Y", "tcp.len > 0", "-T", "fields", "-e",
                    "tcp.len").split()
    print(json.dumps({"answer": answer, "sizes": [int(s) for s in sizes],
                      "rpc": dissect(pcap, site.port, "-Y", "rpc")}))


if __name__ == "__main__":
    main()
