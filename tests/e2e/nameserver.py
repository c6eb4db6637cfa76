# SPDX-License-Identifier: MIT
"""BIND 9 and Knot DNS from the distribution, on loopback and a port of their
own, below one folder, as any user; stopped by their process id."""
import base64
import os
import re
import socket
import subprocess
import time

import dns.exception
import dns.flags
import dns.message
import dns.query
import dns.rdatatype

WAIT_S = 15
TRIES = 5  # another process may take the port between our look and its use
OWNER = "_muster._tcp"
SOA_TTL_S = 60


def listen(family=socket.AF_INET):
    """A socket for UDP and one for TCP, at the same free port."""
    host = "::1" if family == socket.AF_INET6 else "127.0.0.1"
    while True:
        udp = socket.socket(family, socket.SOCK_DGRAM)
        udp.bind((host, 0))
        try:
            return udp, socket.create_server(udp.getsockname()[:2],
                                             family=family)
        except OSError:
            udp.close()


def free_port(family=socket.AF_INET):
    """A port that is free for UDP and for TCP."""
    udp, tcp = listen(family)
    with udp, tcp:
        return udp.getsockname()[1]


class Key:
    """A TSIG key, and its file as tsig-keygen writes it."""

    def __init__(self, name, algorithm="hmac-sha256", secret=None):
        self.name, self.algorithm = name, algorithm
        self.secret = secret or os.urandom(32)

    def text(self):
        secret = base64.b64encode(self.secret).decode()
        return (f'key "{self.name}" {{\n\talgorithm {self.algorithm};\n'
                f'\tsecret "{secret}";\n}};\n')

    def write(self, path, mode=0o600):
        with open(path, "w") as f:
            f.write(self.text())
        os.chmod(path, mode)
        return path


class Zone:
    """A zone to serve: lines of its records beside SOA, NS and the name
    server's address; the keys that may change SRV records of OWNER in it;
    or, where `is_open`, everyone on this machine without a key."""

    def __init__(self, name, lines=(), keys=(), is_open=False, primary=None):
        self.name, self.lines = name, list(lines)
        self.keys, self.is_open = list(keys), is_open
        self.primary = primary or f"ns.{name}"

    def text(self):
        head = [f"$ORIGIN {self.name}.", "$TTL 60",
                f"@ {SOA_TTL_S} SOA {self.primary}. root.{self.name}. "
                f"1 60 60 600 1", f"@ NS {self.primary}."]
        if self.primary == f"ns.{self.name}":
            head.append("ns A 127.0.0.1")
        return "\n".join(head + self.lines) + "\n"


class Server:
    """What both have in common.  `prefix` goes before the command; it must
    become it, not start it.  `address` must be one of an interface of this
    machine: named listens at no other."""

    def __init__(self, folder, zones, prefix=(), address="127.0.0.1",
                 port=None):
        self.folder, self.zones = str(folder), list(zones)
        self.prefix, self.address = list(prefix), address
        self.wanted_port, self.port, self.p = port, None, None
        os.makedirs(self.folder, exist_ok=True)
        self.log = os.path.join(self.folder, "log")
        self.keys = {k.name: k for z in self.zones for k in z.keys}
        for z in self.zones:
            with open(self.zone_file(z), "w") as f:
                f.write(z.text())

    def zone_file(self, zone):
        return os.path.join(self.folder, f"{zone.name}.zone")

    def start(self):
        """At the port of the last time, if there was one: then it came back."""
        for _ in range(TRIES):
            again = self.port or self.wanted_port
            self.port = again or free_port(
                socket.AF_INET6 if ":" in self.address else socket.AF_INET)
            self.conf = os.path.join(self.folder, "conf")
            with open(self.conf, "w") as f:
                f.write(self.configuration())
            with open(self.log, "a") as out:
                self.p = subprocess.Popen(self.prefix + self.command(),
                                          stdin=subprocess.DEVNULL, stdout=out,
                                          stderr=out, cwd=self.folder)
            if self._answers():
                return self
            self.stop()
            if not again:
                self.port = None
        raise AssertionError("no name server:\n" + self.text())

    def _answers(self):
        ask = dns.message.make_query(self.zones[0].name, "SOA")
        end = time.monotonic() + WAIT_S
        while time.monotonic() < end and self.p.poll() is None:
            try:
                if self.ask(ask, wait_s=0.2).answer:
                    return True
            except (OSError, dns.exception.DNSException):
                pass
            time.sleep(0.02)
        return False

    def ask(self, message, wait_s=WAIT_S):
        return dns.query.udp(message, self.address, timeout=wait_s,
                             port=self.port)

    def records(self, name, kind="SRV"):
        """The records of a name as sorted texts, asked over TCP."""
        reply = dns.query.tcp(dns.message.make_query(name, kind), self.address,
                              timeout=WAIT_S, port=self.port)
        return sorted(f"{rdata}" for rrset in reply.answer for rdata in rrset
                      if rrset.rdtype == dns.rdatatype.from_text(kind))

    def ttl_s(self, name, kind="SRV"):
        reply = self.ask(dns.message.make_query(name, kind))
        return reply.answer[0].ttl

    def stop(self):
        if self.p and self.p.poll() is None:
            self.p.terminate()
            try:
                self.p.wait(WAIT_S)
            except subprocess.TimeoutExpired:
                self.p.kill()
                self.p.wait()

    def text(self):
        with open(self.log, errors="replace") as f:
            return f.read()

    def __enter__(self):
        return self.start()

    def __exit__(self, *_):
        self.stop()


class Bind(Server):
    """named; with a log of its queries."""

    def command(self):
        return ["/usr/sbin/named", "-g", "-c", self.conf, "-n", "1"]

    def _policy(self, zone):
        if zone.is_open:
            return "allow-update { 127.0.0.1; ::1; };"
        if not zone.keys:
            return "allow-update { none; };"
        grants = "".join(f'grant "{k.name}" name {OWNER}.{zone.name}. SRV; '
                         for k in zone.keys)
        return f"update-policy {{ {grants}}};"

    def configuration(self):
        zones = "".join(
            f'zone "{z.name}" {{ type primary; file "{self.zone_file(z)}"; '
            f"{self._policy(z)} }};\n" for z in self.zones)
        keys = "".join(k.text() for k in self.keys.values())
        on, off = ("-v6", "") if ":" in self.address else ("", "-v6")
        return f"""{keys}
options {{
	directory "{self.folder}"; max-records-per-type 0;
	managed-keys-directory "{self.folder}";
	listen-on{on} port {self.port} {{ {self.address}; }};
	listen-on{off} {{ none; }};
	pid-file none; lock-file none; session-keyfile none;
	recursion no; dnssec-validation no; notify no; querylog yes;
	empty-zones-enable no; allow-query {{ any; }};
}};
controls {{ }};
{zones}"""

    def queries(self):
        """(name, type) of every query so far, in order."""
        return re.findall(r"query: (\S+) IN (\S+) ", self.text())


class Knot(Server):
    """knotd; it keeps no log of queries."""

    def command(self):
        return ["/usr/sbin/knotd", "-c", self.conf]

    def configuration(self):
        out = [f"server:\n  rundir: {self.folder}\n"
               f"  listen: {self.address}@{self.port}\n"
               "  udp-workers: 1\n  tcp-workers: 1\n"
               "  background-workers: 1\n  automatic-acl: off\n"
               "log:\n  - target: stderr\n    any: info\n"
               f"database:\n  storage: {self.folder}\n"]
        if self.keys:
            out.append("key:\n")
        for k in self.keys.values():
            secret = base64.b64encode(k.secret).decode()
            out.append(f"  - id: {k.name}\n    algorithm: {k.algorithm}\n"
                       f"    secret: {secret}\n")
        acls = [(i, z) for i, z in enumerate(self.zones)
                if z.keys or z.is_open]
        if acls:
            out.append("acl:\n")
        for i, z in acls:
            who = ("address: [127.0.0.1, ::1]" if z.is_open else
                   f"key: [{', '.join(k.name for k in z.keys)}]")
            out.append(f"  - id: acl{i}\n    {who}\n    action: update\n"
                       "    update-type: [SRV]\n    update-owner: name\n"
                       f"    update-owner-match: equal\n"
                       f"    update-owner-name: [{OWNER}]\n")
        out.append("zone:\n")
        for i, z in enumerate(self.zones):
            out.append(f"  - domain: {z.name}\n"
                       f"    file: {self.zone_file(z)}\n"
                       "    semantic-checks: off\n    zonefile-sync: -1\n"
                       "    zonefile-load: difference-no-serial\n"
                       "    journal-content: all\n    serial-policy: increment\n")
            if (i, z) in acls:
                out.append(f"    acl: acl{i}\n")
        return "".join(out)
