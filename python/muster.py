# SPDX-License-Identifier: MIT
"""Is this product activated on this machine?

libmuster's three calls by ctypes:

    import muster

    acme = muster.Product(id="5b0c1a52-7d7e-4b8e-9a51-0d3f5c7a1e02",
                          root_keys=[ROOT_KEY])
    answer = muster.check(acme)
    if not answer.is_licensed:
        print("not activated:", muster.strerror(answer.reason))

check() judges the lease offline and decides; activate() and info() ask the
agent and are for people to read.  What the machine is like is never an
exception: a reason, or the error of an answer, says it.  ValueError and
TypeError are for misuse, OSError for a library that cannot be loaded.
All of it may be called from several threads.
"""
import ctypes
import enum
import os
import uuid
from dataclasses import dataclass, field
from typing import Optional, Sequence, Union

__all__ = ["Answer", "Info", "Product", "State", "activate", "check",
           "errname", "info", "load", "strerror"]

ID_LEN = 16
ROOT_KEY_LEN = 32
HOST_LEN = 261
E_INVAL = -2


class State(enum.IntEnum):
    """As enum muster_licence."""
    UNLICENSED = 0
    INITIAL_GRACE = 1
    LICENSED = 2
    TOLERANCE_GRACE = 3
    NOTIFICATION = 4


def _id(value):
    if isinstance(value, str):
        value = uuid.UUID(value)
    value = value.bytes if isinstance(value, uuid.UUID) else bytes(value)
    if len(value) != ID_LEN:
        raise ValueError(f"a product's id has {ID_LEN} bytes")
    return value


def _key(value):
    value = bytes.fromhex(value) if isinstance(value, str) else bytes(value)
    if len(value) != ROOT_KEY_LEN:
        raise ValueError(f"a root key has {ROOT_KEY_LEN} bytes")
    return value


def _path(value):
    if value is None:
        return None
    value = os.fsencode(value)
    if b"\0" in value:
        raise ValueError("a path holds no NUL")
    return value


@dataclass(frozen=True)
class Product:
    """What the product knows; id as UUID text, uuid.UUID or 16 bytes, keys as
    hex or 32 bytes."""
    id: Union[str, bytes, uuid.UUID]
    root_keys: Sequence[Union[str, bytes]]
    least_serial: int = 0
    catalogue: Optional[str] = None
    root: Optional[str] = None
    _raw: "_Product" = field(init=False, repr=False, compare=False)

    def __post_init__(self):
        if isinstance(self.root_keys, (str, bytes)):
            raise TypeError("root_keys is a sequence of keys")
        keys = [_key(k) for k in self.root_keys]
        if not keys:
            raise ValueError("at least one root key is pinned")
        if not 0 <= self.least_serial < 1 << 32:
            raise ValueError("a serial is 0 to 4294967295")
        raw = _Product(_id(self.id), b"".join(keys), len(keys),
                       self.least_serial, _path(self.catalogue),
                       _path(self.root))
        object.__setattr__(self, "_raw", raw)


@dataclass(frozen=True)
class Answer:
    """What check() found; reason is 0 or why no lease holds."""
    state: State
    reason: int
    seconds_left: int
    count: int
    threshold: int

    @property
    def is_licensed(self):
        return self.state == State.LICENSED

    @property
    def days_left(self):
        return self.seconds_left // 86400


@dataclass(frozen=True)
class Info:
    """What the agent tells; error is 0, or why it told nothing, and then the
    rest says nothing.  Times are seconds since 1970, 0 for never."""
    error: int
    state: State = State.UNLICENSED
    reason: int = 0
    seconds_left: int = 0
    count: int = 0
    threshold: int = 0
    next_contact: int = 0
    answered: int = 0
    host: str = ""
    round: int = 0
    is_early: bool = False

    @property
    def is_licensed(self):
        return self.state == State.LICENSED

    @property
    def days_left(self):
        return self.seconds_left // 86400


class _Product(ctypes.Structure):
    _fields_ = [("product", ctypes.c_char_p), ("root_keys", ctypes.c_char_p),
                ("n_root_keys", ctypes.c_size_t),
                ("least_serial", ctypes.c_uint32),
                ("catalogue", ctypes.c_char_p), ("root", ctypes.c_char_p)]


class _Answer(ctypes.Structure):
    _fields_ = [("state", ctypes.c_int), ("reason", ctypes.c_int),
                ("seconds_left", ctypes.c_int64), ("count", ctypes.c_uint32),
                ("threshold", ctypes.c_uint32)]


class _Info(ctypes.Structure):
    _fields_ = [("state", ctypes.c_int), ("reason", ctypes.c_int),
                ("seconds_left", ctypes.c_int64), ("count", ctypes.c_uint32),
                ("threshold", ctypes.c_uint32),
                ("next_contact", ctypes.c_int64),
                ("answered", ctypes.c_int64),
                ("host", ctypes.c_char * (HOST_LEN + 1)),
                ("round", ctypes.c_int), ("is_early", ctypes.c_int)]


_lib = None


def load(path="libmuster.so.0"):
    """Load the library; without it the first call loads it by its name."""
    global _lib
    lib = ctypes.CDLL(os.fspath(path))
    product = ctypes.POINTER(_Product)
    for name, arguments, result in (
            ("muster_check", [product, ctypes.POINTER(_Answer)], ctypes.c_int),
            ("muster_activate",
             [product, ctypes.c_int, ctypes.POINTER(_Info)], ctypes.c_int),
            ("muster_info", [product, ctypes.POINTER(_Info)], ctypes.c_int),
            ("muster_strerror", [ctypes.c_int], ctypes.c_char_p),
            ("muster_errname", [ctypes.c_int], ctypes.c_char_p)):
        function = getattr(lib, name)
        function.argtypes, function.restype = arguments, result
    _lib = lib


def _call(name, *args):
    if _lib is None:
        load()
    return getattr(_lib, name)(*args)


def _raw(product):
    if not isinstance(product, Product):
        raise TypeError("a muster.Product is wanted")
    return ctypes.byref(product._raw)


def check(product):
    """Judge the lease on this machine, offline; an Answer."""
    raw = _Answer()
    err = _call("muster_check", _raw(product), ctypes.byref(raw))
    if err != 0:  # libsodium does not start
        raise OSError(f"muster_check: {strerror(err)}")
    return Answer(State(raw.state), raw.reason, raw.seconds_left, raw.count,
                  raw.threshold)


def _info(err, raw):
    if err == E_INVAL:
        raise ValueError(strerror(err))
    if err != 0:
        return Info(error=err)
    return Info(0, State(raw.state), raw.reason, raw.seconds_left, raw.count,
                raw.threshold, raw.next_contact, raw.answered,
                raw.host.decode(), raw.round, bool(raw.is_early))


def activate(product, timeout_ms=0):
    """Have the agent ask for activation now, and wait for it; an Info.

    0 waits two minutes at most.
    """
    raw = _Info()
    if not 0 <= timeout_ms < 1 << 31:
        raise ValueError("a time-out is not negative")
    return _info(_call("muster_activate", _raw(product), timeout_ms,
                       ctypes.byref(raw)), raw)


def info(product):
    """What the agent knows of the product; an Info."""
    raw = _Info()
    return _info(_call("muster_info", _raw(product), ctypes.byref(raw)), raw)


def strerror(code):
    """Human text for a reason or an error."""
    return _call("muster_strerror", code).decode()


def errname(code):
    """Its stable name, such as MUSTER_E_COUNT."""
    return _call("muster_errname", code).decode()
