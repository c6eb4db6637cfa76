# SPDX-License-Identifier: MIT
"""A second reading of the agent's state files, from doc/client.md and the
layouts of src/client alone; strict, as the agent's own is."""
import hashlib
import os
import struct
import uuid

ZERO = bytes(16)
SEEN_LOST = 1
# what differs between two runs that do the same, and how it is compared
TIMES = {"high_water", "first_seen", "grace", "answered", "asked", "due",
         "issued", "wall"}
DRAWN = {"cmid", "nonce", "previous", "count", "machine", "time", "print",
         "known_host", "state", "signature", "certificate", "serial",
         "instance", "dropped"}
ANY = {"boot_s", "run_s", "minutes_left", "index", "path"}  # 0 by chance


class Fields:
    """XDR, read to the last byte."""

    def __init__(self, data):
        self.data, self.at = data, 0

    def take(self, n):
        assert self.at + n <= len(self.data), "cut"
        self.at += n
        return self.data[self.at - n:self.at]

    def u32(self):
        return struct.unpack(">I", self.take(4))[0]

    def i64(self):
        value, = struct.unpack(">q", self.take(8))
        assert value >= 0
        return value

    def opaque(self, most):
        n = self.u32()
        assert n <= most
        value = self.take(n)
        assert not any(self.take(-n % 4))
        return value

    def bit(self):
        value = self.u32()
        assert value in (0, 1)
        return value

    def end(self, fields):
        assert self.at == len(self.data), "trailing bytes"
        return fields


def framed(data, magic, version=1):
    assert data[:12] == magic + struct.pack(">I", version), data[:12]
    assert hashlib.blake2b(data[:-32], digest_size=32).digest() == data[-32:]
    return Fields(data[12:-32])


def read_publisher(data):
    r = framed(data, b"MUSTERP1")
    return r.end({"publisher": r.take(16), "cmid": r.take(16),
                  "machine": r.take(16), "instance": r.take(16),
                  "high_water": r.i64(), "serial": r.u32()})


def read_product(data):
    r = framed(data, b"MUSTERR1", 2)
    out = {"product": r.take(16), "machine": r.take(16),
           "instance": r.take(16), "image": r.bit(), "dropped": r.take(16),
           "count": r.u32(), "renewal": r.u32(), "retry": r.u32(),
           "rearms": r.u32(), "previous": r.take(8), "first_seen": r.i64(),
           "grace": r.i64(), "answered": r.i64(), "asked": r.i64(),
           "due": r.i64(), "host": r.opaque(261)}
    out["certificate"] = r.take(120) if r.bit() else None
    assert out["first_seen"] > 0
    return r.end(out)


def read_view(data):
    r = framed(data, b"MUSTERV1")
    return r.end({"publisher": r.take(16), "product": r.take(16),
                  "first_seen": r.i64(), "grace": r.i64(),
                  "high_water": r.i64()})


def read_clock(data):
    r = framed(data, b"MUSTERK1")
    return r.end({"doubtful": r.bit(), "run_s": r.i64(), "boot": r.take(16),
                  "wall": r.i64(), "boot_s": r.i64()})


def read_settings(data):
    r = framed(data, b"MUSTERS1")
    n = r.u32()
    assert n <= 8
    return r.end({"hosts": [r.opaque(261) for _ in range(n)],
                  "domain": r.opaque(253), "caching": r.bit()})


def read_lease(data):
    r = Fields(data)
    assert r.take(12) == b"MUSTERL1" + struct.pack(">I", 1)
    n = r.u32()
    assert 104 <= n <= 204
    a = Fields(r.take(n))
    out = {"product": a.take(16), "cmid": a.take(16), "nonce": a.take(16),
           "print": a.take(16), "known_host": a.take(8),
           "previous": a.take(8), "time": a.i64(), "state": a.u32(),
           "threshold": a.u32(), "minutes_left": a.u32(),
           "name": a.opaque(99)}
    a.end(out)
    out.update(count=r.u32(), issued=r.i64(), renewal=r.u32(), retry=r.u32(),
               catalogue=r.u32(), signature=r.take(64), index=r.u32())
    n = r.u32()
    assert n <= 3
    out["path"] = r.take(32 * n)
    out["certificate"] = r.take(120)
    assert out["cmid"] != ZERO
    return r.end(out)


def read_key(data):
    text = data.decode("ascii")
    assert text.endswith("\n") and len(text.strip().replace("-", "")) == 25
    return {"key": text}


def read_instance(data):
    assert len(data) == 33 and data[-1:] == b"\n"
    return {"hash": bytes.fromhex(data[:-1].decode())}


def read(name, data):
    """A file by its place below the state folder."""
    folder, _, base = name.rpartition("/")
    if name == "instance":
        return read_instance(data)
    if name == "lock":  # empty, or a byte while an agent holds it
        assert data in (b"", b"a")
        return {}
    readers = {("publishers", "state"): read_publisher,
               ("products", "state"): read_product,
               ("leases", "view"): read_view, ("leases", "lease"): read_lease,
               ("keys", "key"): read_key,
               ("", "state"): read_clock if base == "clock.state"
               else read_settings}
    out = readers[folder, base.rpartition(".")[2]](data)
    if "product" in out:
        assert base.startswith(str(uuid.UUID(bytes=out.pop("product"))))
    if folder == "publishers":
        assert base == out["publisher"].hex() + ".state"
    return out


def files(state):
    """Each file below the state folder, but temporaries: name -> bytes."""
    out = {}
    for folder, _, names in os.walk(state):
        for name in names:
            if ".new." in name:
                continue
            path = os.path.join(folder, name)
            with open(path, "rb") as f:
                out[os.path.relpath(path, state)] = f.read()
    return out


def temporaries(state):
    return [n for _, _, names in os.walk(state) for n in names if ".new." in n]


def shape(name, data, old, span):
    """What a file says, with what differs between two runs told by its
    relation to the file before: a time is 0, old, of this run or later."""
    now = read(name, data)
    was = read(name, old) if old is not None else {}
    out = {}
    for key, value in now.items():
        if key in ANY:
            continue
        if not value or isinstance(value, bytes) and not any(value):
            out[key] = None
        elif key in was and was[key] == value:
            out[key] = "old"
        elif key in TIMES:
            out[key] = "lost" if value == SEEN_LOST else \
                "old" if value < span[0] else \
                "now" if value <= span[1] else "later"
        elif key in DRAWN:
            out[key] = "new"
        else:
            out[key] = value
    return out


class Facts:
    """What the files of a folder say together."""

    def __init__(self, whole):
        self.files = whole
        got = {n: read(n, d) for n, d in self.files.items()}
        self.publishers = [v for n, v in got.items()
                           if n.startswith("publishers/")]
        self.products = {n[9:-6]: v for n, v in got.items()
                         if n.startswith("products/")}
        self.leases = {n[7:-6]: v for n, v in got.items()
                       if n.endswith(".lease")}
        self.views = {n[7:-5]: v for n, v in got.items()
                      if n.endswith(".view")}
        self.keys = {n[5:-4]: v["key"] for n, v in got.items()
                     if n.startswith("keys/")}
        self.settings = got.get("settings.state")
        self.instance = got.get("instance", {}).get("hash", ZERO)

    @property
    def cmid(self):
        one, = self.publishers
        return one["cmid"]
