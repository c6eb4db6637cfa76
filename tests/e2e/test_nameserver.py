# SPDX-License-Identifier: MIT
"""Goal: the name servers that other tests stand on do what those tests take
for granted: they answer, take an update by the right key alone, and end."""
import dns.query
import dns.rcode
import dns.tsig
import dns.tsigkeyring
import dns.update
import pytest

import nameserver

KEY = nameserver.Key("hosts.example.test")


def update(server, key, name="_muster._tcp", kind="SRV",
           data="0 0 1688 a.corp.test."):
    ring = {dns.name.from_text(key.name): dns.tsig.Key(
        key.name, key.secret, key.algorithm)}
    u = dns.update.Update("corp.test", keyring=ring)
    u.add(name, 60, kind, data)
    try:
        return dns.rcode.to_text(dns.query.tcp(
            u, server.address, port=server.port, timeout=90).rcode())
    except dns.tsig.PeerError as e:
        return type(e).__name__


@pytest.mark.parametrize("kind", [nameserver.Bind, nameserver.Knot])
def test_a_server_takes_updates_by_its_policy(kind, tmp_path):
    zones = [nameserver.Zone("corp.test", ["a A 192.0.2.1"], [KEY]),
             nameserver.Zone("other.test")]
    with kind(tmp_path / "ns", zones) as s:
        assert s.records("a.corp.test", "A") == ["192.0.2.1"]
        assert update(s, KEY) == "NOERROR"
        assert s.records("_muster._tcp.corp.test") == ["0 0 1688 a.corp.test."]
        # to Knot a key that may not do this is an unknown key
        assert update(s, KEY, "b", "A", "192.0.2.9") == (
            "REFUSED" if kind is nameserver.Bind else "PeerBadKey")
        assert update(s, nameserver.Key(KEY.name)) == "PeerBadSignature"
        assert update(s, nameserver.Key("foreign")) == "PeerBadKey"
        assert s.records("_muster._tcp.corp.test") == ["0 0 1688 a.corp.test."]
        process = s.p
        if kind is nameserver.Bind:
            assert ("a.corp.test", "A") in s.queries()
    assert process.returncode == 0
