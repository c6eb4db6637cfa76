# SPDX-License-Identifier: MIT
"""Codes for the telephone and for QR, made from the protocol's text with
Python's big numbers: an oracle for the project's own code.

Run as a program it prints tests/vectors/digits.txt.
"""
import hashlib
import random
import struct

DAMM = ("0317598642", "7092154863", "4206871359", "1750983426", "6123045978",
        "3674209581", "5869720134", "8945362017", "9438617205", "2581436790")
BASE45 = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZ $%*+-./:"
GROUPS = {24: 10, 73: 30}


def blake(data, size=32, key=b""):
    return hashlib.blake2b(data, digest_size=size, key=key).digest()


def check(n, digits):
    state = 0
    for d in str(n % 10) + digits:
        state = int(DAMM[state][int(d)])
    return str(state)


def group(n, digits):
    """Group n, from 1, with its check digit."""
    return digits + check(n, digits)


def encode(data):
    count = GROUPS.get(len(data))
    if count is None:  # any other length: as many as the largest needs
        count = -(-(1 + len(str(256 ** len(data) - 1))) // 6)
    text = "1" + str(int.from_bytes(data, "big")).zfill(6 * count - 1)
    return [group(n + 1, text[6 * n:6 * n + 6]) for n in range(count)]


def decode(groups, size):
    assert len(groups) == GROUPS[size]
    for n, g in enumerate(groups, 1):
        assert len(g) == 7 and check(n, g[:6]) == g[6], n
    text = "".join(g[:6] for g in groups)
    assert text[0] == "1"
    return int(text[1:]).to_bytes(size, "big")


def installation(publisher, key_number, pk, host_pk, counter):
    """The 24 bytes of an installation ID; pk is the proof key."""
    fingerprint = blake(host_pk)[:16]
    body = (publisher + struct.pack(">II", key_number, 1) + fingerprint +
            struct.pack(">I", counter))
    assert len(body) == 44
    proof = blake(b"muster/proof/1\0\0" + body, key=pk)
    return (struct.pack(">I", key_number) + fingerprint + bytes([counter]) +
            proof[:3])


def confirmation(cert):
    """The 73 bytes of a certificate's confirmation ID."""
    assert len(cert) == 120
    return (cert[4:6] + cert[10:12] + cert[55:56] + cert[14:16] +
            cert[18:20] + cert[56:])


def certificate(answer, key_number, host_pk):
    return (struct.pack(">I", key_number) + answer[:2] + bytes(4) +
            answer[2:4] + bytes(2) + answer[5:7] + bytes(2) + answer[7:9] +
            host_pk + bytes(3) + answer[4:5] + answer[9:])


def base45(data):
    out = ""
    for i in range(0, len(data), 2):
        v = int.from_bytes(data[i:i + 2], "big")
        for _ in range(3 if i + 1 < len(data) else 2):
            out += BASE45[v % 45]
            v //= 45
    return out


def base45_bytes(text):
    out = b""
    for i in range(0, len(text), 3):
        part = text[i:i + 3]
        v = sum(BASE45.index(c) * 45 ** k for k, c in enumerate(part))
        out += v.to_bytes(len(part) - 1, "big")
    return out


def main():
    rng = random.Random(20260601)
    print("# hex digits: made by tests/e2e/phonecode.py")
    for size in (24, 73, 1, 2, 5, 32):
        some = [bytes(size), b"\xff" * size, bytes(size - 1) + b"\x01"]
        some += [rng.randbytes(size) for _ in range(4)]
        for data in some:
            print(data.hex(), "-".join(encode(data)))


if __name__ == "__main__":
    main()
