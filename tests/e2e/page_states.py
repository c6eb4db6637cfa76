#!/usr/bin/python3
# SPDX-License-Identifier: MIT
"""Hosts in each of the states that their page has to tell, as tests and
`./dev shots FOLDER` see them."""
import contextlib
import ctypes
import os
import struct
import sys
import time
import uuid

sys.path.insert(0, os.path.join(os.path.dirname(os.path.dirname(
    os.path.dirname(os.path.abspath(__file__)))), "tools"))

import demo  # noqa: E402
import nameserver  # noqa: E402
import page  # noqa: E402
import wire  # noqa: E402
from test_authority import SODIUM, blake, label  # noqa: E402

DESKTOP, SERVER = (uuid.UUID(i).bytes for i in (demo.DESKTOP, demo.SERVER))
DOMAIN = "corp.test"
ENOUGH, TOO_FEW = 28, 17  # of desktops, which need 25
ENDS_DAYS = 9
LICENSED = 2


def with_an_end(site, days, nth=1):
    """The host's certificate, as an authority of this publisher would give it
    that ends `days` from now, in its nth activation after the present one; from
    the protocol's text."""
    with open(site.path("host.cert"), "rb") as f:
        cert = f.read()
    with open(site.path("authority", "issuing.key")) as f:
        secret = bytes.fromhex(f.read().split()[1])
    today = int(time.time()) // 86400
    head = cert[:5] + bytes([cert[5] + nth]) + cert[6:16] + \
        struct.pack(">I", today + days)
    text = label("muster/cert/1") + blake(bytes.fromhex(site.root_pk))[:16] + \
        head + blake(cert[20:52])[:16] + cert[52:56]
    sig = ctypes.create_string_buffer(64)
    SODIUM.crypto_sign_detached(sig, None, text,
                                ctypes.c_ulonglong(len(text)), secret)
    return head + cert[20:56] + sig.raw


def confirm(site, cert):
    path = site.path("given.cert")
    with open(path, "wb") as f:
        f.write(cert)
    demo.run("muster", "host", "confirm", "--file", path, "--root",
             site.host_root)


@contextlib.contextmanager
def host(folder, is_open, n):
    """A host that publishes itself where it may (`is_open`), with so many
    desktops and a few servers."""
    folder = str(folder)
    os.makedirs(folder, exist_ok=True)
    zone = nameserver.Zone(DOMAIN, is_open=is_open)
    with nameserver.Bind(os.path.join(folder, "ns"), [zone]) as server:
        s = demo.Site(folder)
        s.publish()
        s.settings = (f'publish_server = "127.0.0.1:{server.port}";\n'
                      f'publish_name = "kms.{DOMAIN}";\n'
                      "self_test_seconds = 1;\n")
        s.start()
        try:
            s.activate_host()
            ask(s, n)
            settle(s, "published" if is_open else "failed")
            yield s
        finally:
            s.stop()


def ask(site, n):
    for i in range(n):
        name, product, need = (b"srv-%02d", SERVER, 5) if i % 4 == 3 else \
            (b"pc-%02d", DESKTOP, 25)
        assert wire.activate(site.port, product, name=name % i,
                             threshold=need, state=LICENSED)[0] == 0


def settle(site, dns):
    """Until what the page tells of the host has been found out."""
    def is_settled():
        told = page.status(site)
        return [d["state"] for d in told["dns"]["domains"]] == [dns] and \
            told["self_test"] and told["self_test"]["ok"]
    assert page.eventually(is_settled), page.status(site)
    page.summed(site)


@contextlib.contextmanager
def ending(folder):
    with host(folder, True, ENOUGH) as s:
        confirm(s, with_an_end(s, ENDS_DAYS))
        yield s


STATES = {
    "healthy": lambda folder: host(folder, True, ENOUGH),
    "below": lambda folder: host(folder, True, TOO_FEW),
    "dns": lambda folder: host(folder, False, ENOUGH),
    "certificate": ending,
}
