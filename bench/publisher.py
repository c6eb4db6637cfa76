# SPDX-License-Identifier: MIT
"""A site for the bench: many products, each activated from one machine on,
and catalogues of any size."""
import json
import os
import subprocess
import sys
import uuid
from dataclasses import dataclass

import demo

BUILT = os.path.join(demo.REPO, "build/bench")
PROGRAM_S = 600  # a program of the bench takes no longer
NAMESPACE = "MUSTER_BENCH_NAMESPACE"  # set where we are in one of our own
NETWORK, NETWORK_BITS = "10.77.0.0", 16  # of its loopback: the load's

N_PRODUCTS = 50
PRODUCTS_MAX, GROUPS_MAX, REVOCATIONS_MAX, ISSUERS_MAX = 1024, 64, 4096, 32
NAME_MAX = 64


@dataclass
class Row:
    what: str
    figure: float
    unit: str = ""
    worst: str = ""
    limit: float = None  # the most that is good; None: only told
    note: str = ""
    at_least: bool = False  # the limit is the least that is good
    is_judged: bool = True


def cores():
    """One for the server, one for the load; the same one if there is no
    other."""
    have = sorted(os.sched_getaffinity(0))
    return have[0], have[-1]


def is_one_core():
    """Then server and load take the time from each other."""
    return len(set(cores())) == 1


def namespace():
    """What runs a command in a network of its own, whose loopback has one
    more network.  A host exempts those of 127.0.0.0/8 from its table of
    sources, as its configuration is by default, and no others."""
    address = NETWORK[:-1] + "1"
    rights = [] if os.getuid() == 0 else ["-r"]
    return ["unshare", "-n", *rights, "sh", "-c",
            "ip link set lo up && ip address add "
            f'{address}/{NETWORK_BITS} dev lo && exec "$@"', "sh"]


def network():
    """Options of a load: where it comes from."""
    return ["--network", NETWORK] if NAMESPACE in os.environ else []


def exempt():
    """Of a row's note."""
    return "" if NAMESPACE in os.environ else \
        "; clients of loopback: exempt, not in the table of sources"


def load_cores():
    """All but the server's."""
    have = sorted(os.sched_getaffinity(0))
    return have[1:] or have


def pinned(core):
    return ["taskset", "-c", str(core)]


def product_id(n):
    return str(uuid.UUID(int=0xbe9c << 112 | n))


PRODUCTS = [product_id(n) for n in range(N_PRODUCTS)]


def conf(n_products, n_groups, name_len):
    """products.conf; the groups after the first stand empty."""
    groups = ",\n".join(
        f'  {{ number = {n}; name = "{str(n).zfill(name_len)}"; }}'
        for n in range(1, n_groups + 1))
    products = ",\n".join(
        f'  {{ id = "{product_id(n)}"; name = "{str(n).zfill(name_len)}"; '
        'group = 1; class = "server"; threshold = 1; line = 0; level = 1; }'
        for n in range(n_products))
    return f"groups = (\n{groups}\n);\nproducts = (\n{products}\n);\n"


def program(name, *args, wrap=(), prints=True):
    """Run a program of the bench; the object that it prints."""
    p = subprocess.run([*wrap, os.path.join(BUILT, name), *map(str, args)],
                       capture_output=True, text=True, timeout=PROGRAM_S)
    sys.stderr.write(p.stderr)
    if p.returncode != 0:
        raise RuntimeError(f"{name}: exit {p.returncode}: {p.stderr.strip()}")
    return json.loads(p.stdout) if prints else None


class BenchSite(demo.Site):
    """Published, started and activated when first wanted."""

    def __init__(self, folder):
        super().__init__(folder)
        self.is_published = self.is_running = False
        self.wrap = pinned(cores()[0])  # all threads of the host
        self.result = {}  # what --json prints
        self.apart = None  # another host, for those that never were there

    def published(self):
        if not self.is_published:
            self.publish(name="Bench", products=conf(N_PRODUCTS, 1, 8))
            self.is_published = True
        return self

    def running(self):
        self.published()
        if not self.is_running:
            self.start()
            self.activate_host()
            self.is_running = True
        return self

    def stop(self):
        if self.apart is not None:
            self.apart.stop()
        super().stop()

    def sign(self, name, products, n_revocations=0, n_issuers=1):
        """Another catalogue of this publisher, with a higher serial."""
        path = self.path(name + ".muster")
        prepared, text = self.path(name + ".json"), self.path(name + ".conf")
        where = ("--dir", self.path("authority"))
        demo.run("muster-authority", "catalogue", "prepare", *where, "-o",
                 prepared)
        with open(prepared) as f:
            p = json.load(f)
        # of host keys that are nobody's
        p["revocations"] = [{"key_number": 0xffff0000 + n, "slot": 1,
                             "activation": 1, "day": 0}
                            for n in range(n_revocations)]
        first, = p["issuers"]
        p["issuers"] = [first] + [
            {**first, "number": first["number"] + n, "certificates": 0}
            for n in range(1, n_issuers)]
        with open(prepared, "w") as f:
            json.dump(p, f)
        with open(text, "w") as f:
            f.write(products)
        demo.run("muster-authority", "catalogue", "sign", "--root-key",
                 self.path("vault", "root.key"), "--passphrase-file",
                 self.path("vault", "passphrase"), "--prepared", prepared,
                 text, "-o", path)
        return path
