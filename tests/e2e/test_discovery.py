# SPDX-License-Identifier: MIT
"""Goal: nobody types a host's name.  Clients find hosts by real name servers,
spread over them, leave one that is dead and come back to a better one; and
where there is none, they say why, domain by domain."""
import concurrent.futures
import itertools
import json
import os
import re
import socket
import subprocess
import time

import dns.flags
import dns.message
import dns.rdatatype
import dns.rrset
import pytest

import agent
import demo
import nameserver
from test_resolve import OWNER, PROBE, Hostile, answer, rcode, truncated

DOMAIN = "corp.example"
MUSTER = os.path.join(demo.BIN, "muster")
IN_NETNS = ("unshare", "-rn", "sh", "-c",
            'ip link set lo up && exec "$@"', "sh")


class Host(demo.Site):
    """Another host of the same publisher."""

    def __init__(self, site, name):
        super().__init__(site.path(name))
        os.mkdir(self.folder)
        self.catalogue, self.host_key = site.catalogue, site.host_key
        self.publisher = site

    def path(self, *names):
        if names[:1] == ("authority",):
            return self.publisher.path(*names)
        return super().path(*names)


@pytest.fixture(scope="module")
def hosts(tmp_path_factory):
    a = demo.Site(str(tmp_path_factory.mktemp("hosts")))
    a.publish()
    a.start()
    a.activate_host()
    b = Host(a, "second")
    b.start()
    b.activate_host()
    for n in range(9000, 9005):  # from here on, asking again is a renewal
        a.activate(n, demo.SERVER)
        b.activate(n, demo.SERVER)
    yield a, b
    a.stop()
    b.stop()


def zone(*records, name=DOMAIN, more=()):
    """Records are (priority, weight, port); all hosts are on loopback."""
    lines = [f"{OWNER} SRV {p} {w} {port} kms{port}"
             for p, w, port in records]
    lines += [f"kms{port} A 127.0.0.1"
              for port in sorted({port for _, _, port in records})]
    return nameserver.Zone(name, lines + list(more))


@pytest.fixture(params=[nameserver.Bind, nameserver.Knot])
def serve(request, tmp_path):
    """Start the server with zones; again with others: at the same port."""
    running = []

    def start(*zones, kind=request.param):
        port = None
        if running:
            port = running[-1].port
            running[-1].stop()
        s = kind(tmp_path / f"dns{len(running)}", zones, port=port).start()
        running.append(s)
        return s

    yield start
    for s in running:
        s.stop()


def resolv(root, search="", servers=()):
    with open(os.path.join(root, "etc/resolv.conf"), "w") as f:
        f.write("".join(f"nameserver {s}\n" for s in servers))
        f.write(f"search {search}\n" if search else "")


NUMBERS = itertools.count(1)


def machine(site, search=DOMAIN):
    root = site.machine(next(NUMBERS))
    resolv(root, search)
    return root


def with_agent(site, server, search=DOMAIN):
    """A machine that an agent can keep, by this name server."""
    m = agent.Machine(site, next(NUMBERS), [])
    resolv(m.root, search)
    with open(os.path.join(m.root, "etc/muster/agent.conf"), "w") as f:
        f.write(f'resolver = "127.0.0.1:{server.port}";\n')
    return m


def direct(root, server, *more, product=demo.SERVER, wrap=(), ok=(0, 3)):
    where = ("--resolver", f"127.0.0.1:{server.port}") if server else ()
    p = subprocess.run([*wrap, MUSTER, "activate", "--direct", "--root", root,
                        *where, "--product", product, "--json", *more],
                       capture_output=True, text=True, timeout=240)
    assert p.returncode in ok, (p.returncode, p.stdout, p.stderr)
    return json.loads(p.stdout)


def name(port, domain=DOMAIN):
    return f"kms{port}.{domain}:{port}"


def dead_port(at=("127.0.0.1", 0)):
    """A port at which a connection is neither taken nor refused."""
    s = socket.socket()
    s.bind(at)
    s.listen(0)
    held = [s]
    for _ in range(3):  # the queue is full from here on
        c = socket.socket()
        c.setblocking(False)
        c.connect_ex(s.getsockname())
        held.append(c)
    return s.getsockname()[1], held


def test_b22_own_domain_first_then_the_search_list(hosts, serve):
    a, _ = hosts
    server = serve(zone(), zone((0, 0, a.port), name="lab.example"),
                nameserver.Zone("own.example"), kind=nameserver.Bind)
    root = machine(a, "corp.example own.example nowhere.test lab.example")
    with open(os.path.join(root, "etc/hostname"), "w") as f:
        f.write("pc1.Own.example\n")
    out = direct(root, server)
    assert out["host"] == name(a.port, "lab.example")
    assert (out["host_source"], out["host_domain"]) == ("dns", "lab.example")
    assert out["lookups"] == [
        {"domain": "own.example", "outcome": "nxdomain"},
        {"domain": "corp.example", "outcome": "nxdomain"},
        {"domain": "nowhere.test", "outcome": "dns_refused"}]
    asked = [q for q, kind in server.queries() if kind == "SRV"]
    assert list(dict.fromkeys(asked)) == [  # a refusal is tried again
        f"{OWNER}.{d}" for d in ("own.example", "corp.example",
                                 "nowhere.test", "lab.example")]


def test_b22_a_configured_domain_is_the_only_one(hosts, serve):
    a, _ = hosts
    server = serve(zone((0, 0, a.port)), nameserver.Zone("lab.example"))
    m = with_agent(a, server)
    m.start(wrap=agent.AS_ROOT)
    assert m.activate(demo.SERVER)["info"]["host"] == name(a.port)
    assert m.ask(agent.SET_DOMAIN, agent.text("lab.example"))["err"] == 0
    time.sleep(0.1)
    m.stop()
    out = direct(m.root, server, ok=(5,))
    assert out["error"]["code"] == "no_host" and out["targets"] == []
    assert out["lookups"] == [{"domain": "lab.example",
                               "outcome": "nxdomain"}]
    p = subprocess.run([MUSTER, "activate", "--direct", "--root", m.root,
                        "--resolver", f"127.0.0.1:{server.port}", "--product",
                        demo.SERVER], capture_output=True, text=True)
    assert p.returncode == 5
    assert p.stderr.startswith(
        "muster: no SRV record to use in lab.example: nxdomain (no such name "
        "in DNS)\nmuster: no host was found by DNS\n"), p.stderr


def test_b22_a_static_host_asks_no_srv(hosts, serve):
    a, _ = hosts
    server = serve(zone((0, 0, a.port)), kind=nameserver.Bind)
    m = agent.Machine(a, next(NUMBERS), [name(a.port)])
    resolv(m.root, DOMAIN)
    with open(os.path.join(m.root, "etc/muster/agent.conf"), "a") as f:
        f.write(f'resolver = "127.0.0.1:{server.port}";\n')
    m.start()
    info = m.activate(demo.SERVER)["info"]
    m.stop()
    assert info["host"] == name(a.port) and info["source"] == "static"
    out = direct(m.root, server, "--host", name(a.port))
    assert out["host_source"] == "static" and out["host_domain"] == ""
    kinds = {kind for _, kind in server.queries()}
    assert {"A", "AAAA"} <= kinds and "SRV" not in kinds
    # the same machine without one does
    m.hosts([])
    assert direct(m.root, server)["host_source"] == "dns"
    assert "SRV" in {kind for _, kind in server.queries()}


@pytest.fixture(scope="module")
def by_dhcp(tmp_path_factory):
    """In a network of its own, with name servers and search list as DHCP
    leaves them, and nothing configured."""
    script = os.path.join(os.path.dirname(__file__), "find_by_dhcp.py")
    p = subprocess.run(
        ["unshare", "-rnmu", *IN_NETNS[2:], "/usr/bin/python3", script,
         str(tmp_path_factory.mktemp("dhcp"))],
        capture_output=True, text=True, timeout=90,
        env={**os.environ, "MUSTER_BIN": demo.BIN})
    assert p.returncode == 0, p.stdout + p.stderr
    return json.loads(p.stdout.splitlines()[-1])


def test_b22_by_the_resolv_conf_of_dhcp_alone(by_dhcp):
    out = by_dhcp["below"]
    assert out["host_source"] == "dns" and out["host_domain"] == DOMAIN
    assert out["lookups"] == [{"domain": "nothing.example",
                               "outcome": "dns_refused"}]


def test_b22_the_machine_itself(by_dhcp):
    """Without --root: its own name and files, and addresses by the C library;
    the first of two name servers is not there."""
    out = by_dhcp["own"]
    assert out["host"] == f"over.{DOMAIN}:{by_dhcp['port']}"
    assert [t["outcome"] for t in out["targets"]] == ["resolve", "responded"]
    assert out["host_source"] == "dns" and out["host_domain"] == DOMAIN
    assert out["lookups"] == [
        {"domain": "own.example", "outcome": "nxdomain"},
        {"domain": "lab.example", "outcome": "dns_refused"}]
    asked = by_dhcp["asked"]
    srv = [n for n, kind in asked if kind == "SRV"]
    assert list(dict.fromkeys(srv)) == [
        f"{OWNER}.{d}" for d in ("own.example", "lab.example", DOMAIN)]
    # never with a domain of the search list behind it, nor what is in hosts
    assert {n for n, kind in asked if kind in ("A", "AAAA")} == \
        {f"gone.{DOMAIN}"}
    assert by_dhcp["by_hand"]["host"] == f"kms.by.hand:{by_dhcp['port']}"


def waited_ms(path):
    """The time-outs of connections that a process gave up, from its trace."""
    with open(path) as f:
        return [int(m) for m in re.findall(
            r"poll\(\[\{fd=\d+, events=POLLOUT\}\], 1, (\d+)\) = 0", f.read())]


@pytest.mark.bare
def test_b24_a_dead_host_costs_its_time_once(hosts, serve, tmp_path):
    """One of three neither takes nor refuses connections, and it is the best:
    2 s when it is met, then 250 ms at each renewal, to notice it again."""
    a, b = hosts
    dead, held = dead_port()
    server = serve(zone((0, 0, dead), (10, 0, a.port), (20, 0, b.port)))
    root = machine(a)
    calls = str(tmp_path / "calls")
    for n, limit_ms in enumerate((2000, 250, 250, 250)):
        out = direct(root, server, wrap=("strace", "-f", "-qq", "-o", calls,
                                         "-e", "trace=poll"))
        assert [t["outcome"] for t in out["targets"]] == \
            ["timeout", "responded"]
        assert out["host"] == name(a.port)
        waited = waited_ms(calls)
        assert waited and limit_ms - 100 < max(waited) <= limit_ms, (n, waited)
    for s in held:
        s.close()


def test_b24_a_dead_equal_costs_once_at_most(hosts, serve):
    """One of three by the same priority: whoever found another one never
    tries it again."""
    a, b = hosts
    dead, held = dead_port()
    server = serve(zone((0, 0, dead), (0, 0, a.port), (0, 0, b.port)))
    met = n = 0
    while n < 6 or (met == 0 and n < 60):  # each meets it by one in three
        root = machine(a)
        seen = [[t["outcome"] for t in direct(root, server)["targets"]]
                for _ in range(4)]
        assert seen[0] in (["responded"], ["timeout", "responded"])
        assert seen[1:] == [["responded"]] * 3
        met += len(seen[0]) - 1
        n += 1
    for s in held:
        s.close()
    assert met > 0


def test_b24_without_caching_nothing_is_remembered(hosts, serve):
    a, b = hosts
    server = serve(zone((10, 0, a.port)), kind=nameserver.Bind)
    m = with_agent(a, server)
    m.start(wrap=agent.AS_ROOT)
    m.stop()  # it may have asked by now
    known = m.state("publishers")

    def files():
        return [f for f in os.listdir(known) if f.endswith(".host")]

    assert direct(m.root, server)["host_source"] in ("dns", "cached")
    assert len(files()) == 1
    m.start(wrap=agent.AS_ROOT)
    assert m.ask(agent.SET_CACHING, bytes(4))["err"] == 0
    m.stop()
    assert files() == []
    assert direct(m.root, server)["host_source"] == "dns"
    assert files() == []
    n = len(server.queries())
    assert direct(m.root, server)["host_source"] == "dns"
    assert "SRV" in [kind for _, kind in server.queries()[n:]]


def test_b24_a_known_host_needs_no_srv_record(hosts, serve):
    """Its name server is silent when asked for one."""
    def only_addresses(q):
        if q.question[0].rdtype == dns.rdatatype.SRV:
            return None
        reply = dns.message.make_response(q)
        reply.flags |= dns.flags.AA
        if q.question[0].rdtype == dns.rdatatype.A:
            reply.answer.append(dns.rrset.from_text(
                q.question[0].name, 60, "IN", "A", "127.0.0.1"))
        return reply.to_wire()

    a, _ = hosts
    root = machine(a)
    direct(root, serve(zone((10, 0, a.port))))
    silent = Hostile(only_addresses)
    silent.port = silent.where.split(":")[1]
    out = direct(root, silent)
    silent.close()
    assert out["host"] == name(a.port) and out["host_source"] == "cached"
    assert out["lookups"] == [{"domain": DOMAIN, "outcome": "dns_timeout"}]


def test_b24_a_damaged_memory_is_no_memory(hosts, serve):
    a, _ = hosts
    server = serve(zone((10, 0, a.port)))
    m = with_agent(a, server)
    assert direct(m.root, server)["host_source"] == "dns"
    # damaged: nothing is lost but the way
    folder = m.state("publishers")
    path = [os.path.join(folder, f) for f in os.listdir(folder)
            if f.endswith(".host")][0]
    good = open(path, "rb").read()
    assert good[:8] == b"MUSTERH1" and os.stat(path).st_mode & 0o777 == 0o600
    with open(path, "wb") as f:
        f.write(good[:-1] + bytes([good[-1] ^ 1]))
    assert direct(m.root, server)["host_source"] == "dns"
    assert open(path, "rb").read() == good


def test_b24_status_tells_where_the_host_came_from(hosts, serve):
    a, _ = hosts
    server = serve(zone((10, 0, a.port)), kind=nameserver.Knot)
    m = with_agent(a, server, "none.example corp.example")
    m.start()
    info = m.activate(demo.SERVER)["info"]
    assert (info["source"], info["domain"]) == ("dns", DOMAIN)
    assert info["outcomes"][0]["target"] == f"{OWNER}.none.example"
    assert info["outcomes"][0]["err"] == -41 and info["round"] == 0
    m.stop()
    m.start()  # what it knows by now is what it remembers
    p = subprocess.run([MUSTER, "status", "--root", m.root],
                       capture_output=True, text=True)
    assert f"  host          {name(a.port)} (cached, DNS: {DOMAIN})\n" \
        in p.stdout
    out = json.loads(demo.run("muster", "status", "--root", m.root, "--json",
                              ok=(0, 3)))
    server = [q for q in out["products"] if q["product"] == demo.SERVER][0]
    assert server["host_source"] == "cached"
    assert server["host_domain"] == DOMAIN
    m.stop()


def test_b24_generalize_forgets_the_host(hosts, serve):
    a, _ = hosts
    server = serve(zone((10, 0, a.port)), kind=nameserver.Knot)
    m = with_agent(a, server)
    direct(m.root, server)
    m.start(wrap=agent.AS_ROOT)
    end = time.monotonic() + agent.WAIT_S  # it may be asking just now
    while (err := m.ask(agent.GENERALIZE)["err"]) == agent.AGAIN:
        assert time.monotonic() < end
        time.sleep(0.1)
    assert err == 0
    m.stop()
    assert not [f for f in os.listdir(m.state("publishers"))
                if f.endswith(".host")]


def test_b23_both_families_are_tried(hosts, serve):
    """The host has an address of version 6 at which nobody listens."""
    a, _ = hosts
    server = serve(nameserver.Zone(DOMAIN, [
        f"{OWNER} SRV 0 0 {a.port} kms", "kms AAAA ::1", "kms A 127.0.0.1"]))
    root = machine(a)
    begin = time.monotonic()
    assert direct(root, server)["host"] == f"kms.{DOMAIN}:{a.port}"
    assert time.monotonic() - begin < 10  # no time-out was waited for


@pytest.mark.parametrize("how,target,want", [
    ("no address", "kms", "resolve"),
    ("alias in a circle", "loop", None),
    ("another's zone", "kms.else.where.", "dns_refused")])
def test_b23_a_target_without_address_is_passed(hosts, serve, how, target,
                                                want):
    a, _ = hosts
    server = serve(nameserver.Zone(DOMAIN, [
        f"{OWNER} SRV 0 0 {a.port} {target}", f"{OWNER} SRV 9 0 {a.port} good",
        "good A 127.0.0.1", "loop CNAME pool", "pool CNAME loop"]))
    out = direct(machine(a), server)
    assert out["host"] == f"good.{DOMAIN}:{a.port}"
    assert out["targets"][0]["outcome"] in ([want] if want else
                                            ["alias", "servfail"])


def test_b23_300_records_of_which_one_lives(hosts, serve):
    a, _ = hosts
    lines = [f"{OWNER} SRV 1 {n} {nameserver.free_port() if n == 1 else 9} "
             f"dead{n}" for n in range(1, 300)]
    server = serve(nameserver.Zone(DOMAIN, lines + [
        f"{OWNER} SRV 2 0 {a.port} good", "good A 127.0.0.1",
        "* A 127.0.0.1"]))
    out = direct(machine(a), server)
    assert out["host"] == f"good.{DOMAIN}:{a.port}"
    assert len(out["targets"]) == 16  # the first ones, and who responded
    last = out["targets"][-1]
    assert (last["host"], last["outcome"]) == (out["host"], "responded")


@pytest.mark.parametrize("how,reply,want", [
    ("servfail", rcode(2), "servfail"), ("refused", rcode(5), "dns_refused"),
    ("silence", lambda q: None, "dns_timeout"),
    ("nobody by tcp", truncated, "dns_timeout"),
    ("no service", lambda q: answer(q, "0 0 0 ."), "no_service"),
    ("a name that is none", lambda q: answer(q, r"0 0 1 a\032b.example."),
     "range")])
def test_b25_each_failure_is_told_apart(hosts, how, reply, want):
    a, _ = hosts
    bad = Hostile(reply)
    bad.port = bad.where.split(":")[1]
    out = direct(machine(a), bad, ok=(5,))
    bad.close()
    assert out["error"]["code"] == "no_host" and out["targets"] == []
    assert out["lookups"] == [{"domain": DOMAIN, "outcome": want}]


def test_b34_a_name_server_that_lies_gets_nothing(hosts):
    """It names its own host, which says yes to everything."""
    a, _ = hosts
    liar = socket.create_server(("127.0.0.1", 0))
    liar.settimeout(20)
    port = liar.getsockname()[1]
    bad = Hostile(lambda q: answer(q, f"0 0 {port} localhost."))
    bad.port = bad.where.split(":")[1]
    with concurrent.futures.ThreadPoolExecutor(1) as pool:
        def lie():
            c, _ = liar.accept()
            with c:
                call = c.recv(4096)
                c.sendall(bytes([0x80, 0, 0, len(call) - 4]) + call[4:])
            return len(call)

        heard = pool.submit(lie)
        out = direct(machine(a), bad, ok=(1,))
        assert 0 < heard.result(10) <= 250
    bad.close()
    liar.close()
    assert out["error"]["code"] == "not_answered"
    assert out["targets"][0]["host"] == f"localhost:{port}"
    assert out["targets"][0]["outcome"] not in ("responded", "connect")


def test_b22_without_dns_nothing_is_asked(hosts):
    a, _ = hosts
    root = a.machine(next(NUMBERS))  # no resolv.conf below the root, so no DNS
    out = direct(root, None, ok=(5,))
    assert out["error"]["code"] == "no_host"
    assert out["lookups"] == [] and out["targets"] == []
    assert "no domain" in out["error"]["message"]


def test_b22_mistakes_in_the_resolver_are_named(hosts):
    a, _ = hosts
    p = subprocess.run([MUSTER, "activate", "--direct", "--root",
                        a.machine(next(NUMBERS)), "--resolver", "ns.example:53",
                        "--product", demo.SERVER], capture_output=True,
                       text=True)
    assert p.returncode == 2 and "--resolver" in p.stderr
    m = agent.Machine(a, next(NUMBERS), [])
    with open(os.path.join(m.root, "etc/muster/agent.conf"), "w") as f:
        f.write('resolver = "ns.example";\n')
    p = subprocess.run([agent.AGENT, "--root", m.root, "--check"],
                       capture_output=True, text=True)
    assert p.returncode == 78 and "resolver" in p.stderr
    p = subprocess.run([agent.AGENT, "--root", m.root, "--resolver", "x:y",
                        "--check"], capture_output=True, text=True)
    assert p.returncode == 2
