# SPDX-License-Identifier: MIT
"""A second implementation of the wire format, from doc/protocol.md alone."""
import hashlib
import os
import socket
import struct
import time

PROGRAM = 536876680
NULL, ACTIVATE, COVER = 0, 1, 2
WAIT_S = 30
CERT_LEN, FIXED_LEN, PATH_MAX = 120, 96, 3


def call(proc, args=b"", xid=7, program=PROGRAM, version=1, rpcvers=2,
         cred=b"\0" * 8, verf=b"\0" * 8, kind=0):
    return struct.pack(">IIIIII", xid, kind, rpcvers, program, version,
                       proc) + cred + verf + args


def record(body, last=True):
    return struct.pack(">I", len(body) | (0x80000000 if last else 0)) + body


def activate_args(product, cmid=None, nonce=None, machine=b"m" * 16,
                  known_host=bytes(8), previous=bytes(8), when=None, state=1,
                  threshold=25, minutes_left=0, name=b"test"):
    when = int(time.time()) if when is None else when
    pad = bytes(-len(name) % 4)
    return (product + (cmid or os.urandom(16)) + (nonce or os.urandom(16)) +
            machine + known_host + previous +
            struct.pack(">qIIII", when, state, threshold, minutes_left,
                        len(name)) + name + pad)


def exchange(port, data, shut=True, address="127.0.0.1"):
    """Send bytes, then FIN; everything that comes back until the end."""
    with socket.create_connection((address, port), timeout=WAIT_S) as s:
        s.sendall(data)
        if shut:
            s.shutdown(socket.SHUT_WR)
        out = b""
        while True:
            try:
                piece = s.recv(4096)
            except ConnectionResetError:
                break
            if not piece:
                break
            out += piece
        return out


def split(stream):
    """The records of a stream."""
    out = []
    while stream:
        mark, = struct.unpack(">I", stream[:4])
        n = mark & 0x7fffffff
        assert mark >> 31 == 1 and n <= 246 and len(stream) >= 4 + n
        out.append(stream[4:4 + n])
        stream = stream[4 + n:]
    return out


def accepted(body, xid=7):
    """Result bytes of a reply that was accepted with SUCCESS."""
    head = struct.unpack(">IIIIII", body[:24])
    assert head == (xid, 1, 0, 0, 0, 0), head
    return body[24:]


def activate(port, product, **fields):
    """Status and the rest of the result of one ACTIVATE."""
    out = exchange(port, record(call(ACTIVATE, activate_args(product, **fields))))
    body, = split(out)
    res = accepted(body)
    return struct.unpack(">I", res[:4])[0], res[4:]


def blake(data, size=32, key=b""):
    return hashlib.blake2b(data, digest_size=size, key=key).digest()


def publisher_of(root_pk):
    return blake(root_pk)[:16]


def machine_of(publisher, machine_id):
    """Its fingerprint, where no instance is published."""
    return blake(machine_id + bytes(16), 16, publisher)


def certificate_of(result):
    """Of a reply that has it: 8 bytes name it in the next request."""
    form, = struct.unpack(">I", result[FIXED_LEN - 4:FIXED_LEN])
    cert = result[FIXED_LEN:] if form == 0 else None
    return cert and (blake(cert)[:8], cert)


def lease_of(args, result, named):
    """`result`: of an OK reply, from its status on; `named`: the certificate
    that the request named."""
    form, = struct.unpack(">I", result[FIXED_LEN - 4:FIXED_LEN])
    rest = result[FIXED_LEN:]
    if form == 0:
        index, path, cert = 0, b"", rest
    else:
        index, n = struct.unpack(">II", rest[:8])
        path, cert = rest[8:], named
        assert form == 1 and n <= PATH_MAX and len(path) == 32 * n, rest
    assert len(cert) == CERT_LEN, result
    return (b"MUSTERL1" + struct.pack(">II", 1, len(args)) + args +
            result[4:FIXED_LEN - 4] +
            struct.pack(">II", index, len(path) // 32) + path + cert)
