# SPDX-License-Identifier: MIT
"""Goal: several hosts behind SRV weights with one shared count.  Machines that
find two hosts by DNS alone are counted as one site, and lose nothing with a
host that is killed."""
import collections
import concurrent.futures

import pytest

import cluster
import demo
import nameserver
import pgserver
from test_crowd import AT_ONCE, OWNER
from test_discovery import DOMAIN, direct, machine
from test_publish import WAIT_S, eventually

# So many activate, and no fewer: no host reaches it while the other one is
# asked too.  At 75:25 one of them is left out once in 100,000 runs.
N = 40
WEIGHTS = {"kms1": 75, "kms2": 25}


@pytest.fixture()
def two(tmp_path_factory):
    """Two hosts of one store, published in a zone of BIND; all stop."""
    folder = tmp_path_factory.mktemp("srv")
    key = nameserver.Key("hosts." + DOMAIN)
    names = [f"{n} A 127.0.0.1" for n in WEIGHTS]
    server = pgserver.Server(fsync="off")
    try:
        server.start().make()
        with nameserver.Bind(folder / "dns", [
                nameserver.Zone(DOMAIN, names, [key])]) as dns:
            (folder / "s").mkdir()
            products = demo.PRODUCTS.replace("threshold = 5;",
                                             f"threshold = {N};")
            assert products != demo.PRODUCTS
            c = cluster.Cluster(str(folder / "s"), len(WEIGHTS),
                                server.address(), products)
            key_file = key.write(str(folder / "key"))
            for h, (name, weight) in zip(c.hosts, WEIGHTS.items()):
                h.settings += (
                    f'publish_name = "{name}.{DOMAIN}";\n'
                    f'publish_server = "127.0.0.1:{dns.port}";\n'
                    f'publish_key_file = "{key_file}";\n'
                    "publish_priority = 10;\n"
                    f"publish_weight = {weight};\n")
            c.dns = dns
            try:
                yield c.start()
            finally:
                c.stop()
    finally:
        server.remove()


def certificate(host):
    with open(host.path("host.cert"), "rb") as f:
        return f.read()


def ask_all(two, roots):
    """Each machine once, several at a time: what each was told."""
    with concurrent.futures.ThreadPoolExecutor(AT_ONCE) as pool:
        outs = list(pool.map(lambda root: direct(root, two.dns), roots))
    assert all(o["host_source"] in ("dns", "cached") for o in outs)
    return outs


def test_b11_b23_b24_hosts_behind_weights_have_one_count(two):
    a, b = two.hosts
    assert certificate(a) != certificate(b)
    records = sorted(f"10 {w} {h.port} {n}.{DOMAIN}."
                     for h, (n, w) in zip(two.hosts, WEIGHTS.items()))
    assert eventually(lambda: two.dns.records(OWNER) == records, WAIT_S), \
        two.dns.records(OWNER)
    at_a, at_b = (f"{n}.{DOMAIN}:{h.port}"
                  for h, n in zip(two.hosts, WEIGHTS))
    roots = [machine(two.first) for _ in range(N)]

    outs = ask_all(two, roots)
    share = collections.Counter(o["host"] for o in outs)
    # 30 of 40 by 3:1; six standard deviations are 16
    assert set(share) == {at_a, at_b} and share[at_a] >= 14, share
    # the union's count, each number told once; no host alone came so far
    assert sorted(o["count"] for o in outs) == list(range(1, N + 1)), share
    assert {o["threshold"] for o in outs} == {N} and max(share.values()) < N
    assert [o["count"] for o in outs if o["activated"]] == [N]

    a.kill()
    outs = ask_all(two, roots)
    assert {(o["host"], o["count"], o["activated"]) for o in outs} == \
        {(at_b, N, True)}
    # both times: also what only the dead host was asked
    known = b.clients()
    assert len(known) == N and {c["contacts"] for c in known} == {2}
    new = direct(machine(two.first), two.dns, ok=(0,))
    assert (new["host"], new["count"]) == (at_b, N + 1)
