# SPDX-License-Identifier: MIT
"""Goal: what the pages say of the files that a program keeps for itself is
what the source writes, field by field; real ones are read by them alone."""
import ctypes
import glob
import os
import re
import time

import pytest

import demo
from test_authority import Authority, SODIUM, blake, label
from test_man_activation import bare, content, sodium
from test_man_formats import bits
from test_man_programs import items, run, source

AGENT, HOST = "/var/lib/muster/agent/", "/var/lib/muster/host/"
FRAME = 8 + 4  # magic and version, as the agent's page has them
HEADERS = "".join(source(f"src/{name}.h") for name in (
    "client/state", "client/statefile", "client/clockwatch", "client/settings",
    "wire/agentmsg", "wire/msg", "trust/label", "trust/catalogue",
    "trust/cert", "trust/hostkey", "discovery/name", "host/history",
    "host/history_file"))
CONST = {name: int(n) for name, n in re.findall(
    r"^#define (\w+) (\d+)U?(?= *$| */\*)", HEADERS, re.M)}
LENGTH = {name: CONST[n] for name, n in re.findall(
    r"uint8_t (\w+)\[(\w+)\];", HEADERS) if n in CONST}
WRITES = re.compile(r"wr_(bytes|u32|i64|opaque)\(&?\w+,\s+"
                    r"(?:\w+(?:->|\.|\[\w+\]\.))*(\w+)")
SIZES = {"u32": "4", "i64": "8", "opaque": "text"}
UNIT = re.compile(r"(_unix_s|(?<=renewal)_min|(?<=retry)_min)$")
FIELD = re.compile(r"(\w+) \((\d+|text)\)")

# File, its source, what writes it, its magic, version and mode
STATE = {
    "publishers/ID.state": ("state.c", "state_publisher_encode",
                            "STATE_PUBLISHER_MAGIC", "STATEFILE_VERSION", 600),
    "publishers/ID.host": ("state.c", "state_known_encode",
                           "STATE_KNOWN_MAGIC", "STATEFILE_VERSION", 600),
    "products/UUID.state": ("state.c", "state_product_encode",
                            "STATE_PRODUCT_MAGIC", "STATE_PRODUCT_VERSION",
                            600),
    "leases/UUID.view": ("state.c", "state_view_encode", "STATE_VIEW_MAGIC",
                         "STATEFILE_VERSION", 644),
    "clock.state": ("clockwatch.c", "clockwatch_encode", "CLOCKWATCH_MAGIC",
                    "STATEFILE_VERSION", 600),
    "settings.state": ("settings.c", "settings_encode", "SETTINGS_MAGIC",
                       "STATEFILE_VERSION", 600)}


def says(page, path):
    return " ".join(items(page, "FILES")["Pa " + path].split())


def written(text):
    """What a function writes in its order: name and bytes."""
    return [(UNIT.sub("", name), SIZES.get(kind) or str(LENGTH[name]))
            for kind, name in WRITES.findall(text)]


def function(path, name):
    return re.search(rf"^{name}\(.*?^}}", source(path), re.S | re.M)[0]


@pytest.mark.parametrize("name", STATE)
def test_a_state_file_has_the_fields_that_are_written(name):
    file, encode, magic, version, mode = STATE[name]
    body, text = function("src/client/" + file, encode), says("muster-agent.8",
                                                              AGENT + name)
    assert re.search(rf"statefile_begin\(\w+, \w+,\s+{magic},\s+{version}\)",
                     body)
    value = re.search(rf'#define {magic} "(.*)"', HEADERS)[1]
    assert f".Qq {value} , " in text
    assert ("version 2, " in text) == (CONST[version] == 2)
    assert CONST[version] in (1, 2) and f"mode 0{mode}" in text
    assert FIELD.findall(text) == written(body) != []
    most = [CONST[n] for n in {"publishers/ID.host": (
        "STATE_HOST_MAX", "DNS_TEXT_MAX"), "products/UUID.state": (
        "STATE_HOST_MAX",), "settings.state": (
        "AGENT_HOSTS_MAX", "AGENT_HOST_LEN", "AGENT_DOMAIN_LEN")}.get(name, ())]
    assert list(map(int, re.findall(r"at most (\d+)", text))) == most
    total = {"leases/UUID.view": "STATE_VIEW_LEN",
             "clock.state": "CLOCKWATCH_FILE_LEN"}.get(name)
    if total:
        assert f"{CONST[total]} bytes" in text
        assert FRAME + CONST["HASH_LEN"] + sum(
            int(n) for _, n in FIELD.findall(text)) == CONST[total]


def test_their_frame_is_that_of_the_source():
    text = says("muster-agent.8", AGENT[:-1])
    assert FIELD.findall(text)[0] == ("magic", "8")
    assert CONST["STATEFILE_MAGIC_LEN"] == 8 and CONST["STATEFILE_VERSION"] == 1
    assert "a magic (8), a version (4), which is 1 unless it is told" in text
    assert f"BLAKE2b of all before it ({CONST['HASH_LEN']})" in text


def read(name, path):
    """A file by its page alone, to the last byte."""
    data, got = content(path), {}
    text = says("muster-agent.8", AGENT + name)
    mode = re.search(r"mode (0\d+)", text)[1]
    assert os.stat(path).st_mode & 0o777 == int(mode, 8), path
    assert data[:8].decode() == re.search(r"\.Qq (\w+)", text)[1]
    assert int.from_bytes(data[8:12], "big") == 1 + ("version 2" in text)
    assert data[-32:] == blake(data[:-32])
    at = FRAME
    for field, size in FIELD.findall(text):
        if field == "certificate" and got["has_certificate"] == bytes(3) + b"\0":
            continue
        n = int.from_bytes(data[at:at + 4], "big") if size == "text" else \
            int(size)
        at += 4 if size == "text" else 0
        got[field] = data[at:at + n]
        at += n + (-n % 4 if size == "text" else 0)
    assert at == len(data) - 32, path
    return got


def test_files_of_an_agent_are_read_by_its_page(site):
    site.activate(1, demo.SERVER)
    folder = site.machine(1) + AGENT
    seen = set()
    for name in STATE:
        for path in glob.glob(folder + re.sub("U?U?ID", "*", name)):
            got = read(name, path)
            seen.add(name)
            if "publisher" in got:
                assert got["publisher"] == blake(bytes.fromhex(site.root_pk))[:16]
            if "product" in got:
                assert got["product"].hex() == demo.SERVER.replace("-", "")
    assert {"publishers/ID.state", "products/UUID.state",
            "leases/UUID.view"} <= seen


def test_the_history_is_that_which_is_written():
    code = source("src/host/history_file.c")
    text = says("musterd.8", HOST + "history")
    magic = re.search('#define MAGIC "(.*)"', code)[1]
    assert f".Qq {magic} , " in text and "mode 0600" in text
    assert f"MAGIC_LEN {len(magic)}\n" in code
    assert re.findall(r"watch->kept_len,\s+(\d+)\)",
                      source("src/host/watch.c")) == ["0600", "0600"]
    whole = re.sub(r"wr_bytes\(&w, (MAGIC|sum), .*", "", function(
        "src/host/history_file.c", "history_encode"))
    want = written(whole) + written(function("src/host/history_file.c",
                                             "write_ring"))
    assert FIELD.findall(text) == want and len(want) == 10
    assert f"at most {CONST['HISTORY_GROUPS_MAX']}," in text
    assert f"at most {CONST['HISTORY_POINTS']}," in text
    assert f"BLAKE2b of all that, {CONST['HISTORY_SUM_LEN']} bytes" in text
    assert "HISTORY_UNKNOWN UINT32_MAX" in source("src/host/history.h")
    assert f"{2**32 - 1} where it is not known" in text


def test_a_history_is_read_by_its_page(bare):
    bare.stop()
    data = content(bare.host_root + HOST + "history")
    size = {name: int(n) for name, n in FIELD.findall(
        says("musterd.8", HOST + "history"))}
    at = 8

    def take(name):
        nonlocal at
        at += size[name]
        return int.from_bytes(data[at - size[name]:at], "big")
    groups = take("n_groups")
    at += groups * (size["publisher"] + size["group"])
    for step in (60, 3600):
        newest, n = take("newest") * step, take("n")
        assert n == 0 or 0 <= time.time() - newest < 2 * 3600
        for _ in range(n):
            assert take("is_known") in (0, 1)
            for name in ("activated", "below_threshold", "refused"):
                take(name)
            at += groups * size["counts"]
    assert data[at:] == blake(data[:at], size=16)


def test_keys_of_a_host_are_read_by_its_page(bare):
    """The sealed one is opened by it, so a copy of one of the two tells
    nothing."""
    code = source("src/host/keyring.c")
    identity, hostkey = (says("musterd.8", HOST + "ID/" + name)
                         for name in ("identity.key", "hostkey"))
    assert f"{CONST['SECKEY_LEN']} bytes" in identity
    magic, text = (re.search(rf'#define SEAL_{name} "(.*)"', code)[1]
                   for name in ("MAGIC", "LABEL"))
    assert f".Qq {magic} , " in hostkey and f"label .Qq {text} ," in hostkey
    fields = {name: int(n) for name, n in FIELD.findall(hostkey)}
    assert list(fields.items()) == [
        ("nonce", sodium("secretbox_noncebytes")),
        ("box", sodium("secretbox_macbytes") + 4 + CONST["HOSTKEY_PK_LEN"]),
        ("number", 4), ("pk", CONST["HOSTKEY_PK_LEN"])]
    assert "SEAL_PLAIN_LEN (4 + HOSTKEY_PK_LEN)" in code
    publisher = blake(bytes.fromhex(bare.root_pk))[:16].hex()
    for name in ("identity.key", "hostkey"):
        mode = os.stat(f"{bare.host_root}{HOST}{publisher}/{name}").st_mode
        assert f"mode 0{mode & 0o777:o}" in says("musterd.8",
                                                 HOST + "ID/" + name)
    sk, sealed = (content(bare.host_root + HOST, publisher, name)
                  for name in ("identity.key", "hostkey"))
    pk, again = (ctypes.create_string_buffer(n) for n in (32, 64))
    SODIUM.crypto_sign_seed_keypair(pk, again, sk[:32])
    assert again.raw == sk == sk[:32] + pk.raw
    assert sealed[:8] == magic.encode()
    assert len(sealed) == 8 + fields["nonce"] + fields["box"]
    plain = ctypes.create_string_buffer(fields["number"] + fields["pk"])
    assert SODIUM.crypto_secretbox_open_easy(
        plain, sealed[32:], ctypes.c_ulonglong(fields["box"]), sealed[8:32],
        blake(label(text), key=sk[:32])) == 0
    number = int.from_bytes(plain.raw[:4], "big")
    assert number == bits(bare.host_key)["number"]


def test_a_host_goes_on_without_the_sealed_key_and_not_without_the_other(bare):
    bare.activate_host()
    bare.stop()
    folder = bare.host_root + HOST + blake(bytes.fromhex(bare.root_pk))[:16].hex()
    os.rename(folder + "/identity.key", folder + "/aside")
    p = run("musterd", "--root", bare.host_root)
    assert p.returncode == 1 and "no identity.key" in p.stderr, p.stderr
    os.rename(folder + "/aside", folder + "/identity.key")
    os.unlink(folder + "/hostkey")
    bare.start()
    assert run("muster", "host", "status", "--root",
               bare.host_root).returncode == 0


def is_as_told(path, text):
    """A database: mode, kind and application id."""
    word, n = re.search(r"\.Qq (\w+) \.Pq (0x\w+)", text).groups()
    data = content(path)[:100]
    assert data.startswith(b"SQLite format 3\0")
    assert data[68:72] == word.encode() == bytes.fromhex(n[2:])
    assert os.stat(path).st_mode & 0o777 == 0o600 and "mode 0600" in text


def test_databases_and_backups_are_as_their_pages_say(bare, tmp_path):
    text = says("musterd.8", HOST + "host.db")
    is_as_told(bare.host_root + HOST + "host.db", text)
    path = str(tmp_path / "backup")
    assert run("muster", "host", "backup", path, "--root",
               bare.host_root).returncode == 0
    is_as_told(path, text)
    a, path = Authority(tmp_path / "other"), str(tmp_path / "copy")
    text = says("muster-authority.1", "DIR/authority.db")
    is_as_told(a.dir + "/authority.db", text)
    assert run("muster-authority", "backup", path, "--dir",
               a.dir).returncode == 0
    is_as_told(path, text)
