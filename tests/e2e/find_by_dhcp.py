# SPDX-License-Identifier: MIT
"""Run by test_discovery.py in namespaces of network, mounts and names: what a
machine finds by nothing but what DHCP leaves, below a root and as itself."""
import json
import os
import subprocess
import sys

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path[:0] = [HERE, os.path.join(os.path.dirname(os.path.dirname(HERE)),
                                   "tools")]

import demo  # noqa: E402
import nameserver  # noqa: E402
from test_discovery import MUSTER, direct, resolv, zone  # noqa: E402


def cover(folder, name, text):
    """This text in place of the machine's own file."""
    path = os.path.join(folder, os.path.basename(name))
    with open(path, "w") as f:
        f.write(text)
    subprocess.run(["mount", "--bind", path, name], check=True)


def become(folder, site):
    """From here on this machine has a name, an id, name servers, and the
    publisher's catalogue; its state goes to memory."""
    for name in "/var/lib", "/usr/share", "/etc/muster":
        if os.path.isdir(name):
            subprocess.run(["mount", "-t", "tmpfs", "none", name], check=True)
    catalogues = "/usr/share/muster/catalogues"
    os.makedirs(catalogues)
    subprocess.run(["cp", site.catalogue, catalogues], check=True)
    subprocess.run(["hostname", "pc1"], check=True)
    cover(folder, "/etc/machine-id", f"{0xabc:032x}\n")
    cover(folder, "/etc/hosts",
          "127.0.0.1 localhost kms.by.hand over.corp.example\n"
          "127.0.1.1 pc1.own.example pc1\n")
    cover(folder, "/etc/resolv.conf", "search lab.example corp.example wild.example\n"
          "nameserver 127.0.0.9\nnameserver 127.0.0.1\n"
          "options ndots:15\n")


def as_itself(*more):
    p = subprocess.run([MUSTER, "activate", "--direct", "--product",
                        demo.SERVER, "--json", *more], capture_output=True,
                       text=True, timeout=240)
    assert p.returncode == 3, p.stdout + p.stderr  # one is too few
    return json.loads(p.stdout)


def main():
    folder = sys.argv[1]
    site = demo.Site(os.path.join(folder, "site"))
    os.mkdir(site.folder)
    site.publish()
    site.start()
    site.activate_host()
    # a target without an address, one that etc/hosts knows better, a good one
    more = [f"_muster._tcp SRV 0 0 {site.port} gone",
            f"_muster._tcp SRV 1 0 {site.port} over", "over A 127.0.0.77"]
    zones = [zone((9, 0, site.port), more=more),
             nameserver.Zone("own.example"),
             nameserver.Zone("wild.example", ["* A 127.0.0.1"])]
    with nameserver.Bind(os.path.join(folder, "dns"), zones, port=53) as dns:
        root = site.machine(1)
        resolv(root, "nothing.example corp.example", ["127.0.0.1"])
        below = direct(root, None)
        become(folder, site)
        n = len(dns.queries())
        own, asked = as_itself(), dns.queries()[n:]
        print(json.dumps({
            "below": below, "own": own, "port": site.port, "asked": asked,
            "by_hand": as_itself("--host", f"kms.by.hand:{site.port}")}))
    site.stop()


if __name__ == "__main__":
    main()
