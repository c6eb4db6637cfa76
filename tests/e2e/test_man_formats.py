# SPDX-License-Identifier: MIT
"""Goal: the pages of file formats have each field of the code with its length
and limits and no other; real files are read by them alone to the last byte."""
import ctypes
import json
import os
import re
import uuid

import pytest

import demo
from test_authority import Authority, DESKTOP, SERVER, SODIUM, blake, label
from test_man import installed
from test_man_programs import example, items, run, section, source

CATALOGUE, CERTIFICATE, KEY, LEASE = (
    f"muster-{name}.5" for name in ("catalogue", "certificate", "key", "lease"))
SOURCES = ("src/trust/catalogue.h", "src/trust/catalogue.c",
           "src/trust/label.h", "src/trust/cert.h", "src/trust/lease.h",
           "src/trust/lease.c", "src/trust/hostkey.h", "src/trust/hostkey.c",
           "src/trust/enrol.h", "src/trust/phone.h", "src/trust/digits.h",
           "src/trust/digits.c", "src/authority/vault.h",
           "src/wire/msg.h", "src/agent/agent.h", "src/agent/products.c")
CONST = {name: int(n) for path in SOURCES for name, n in re.findall(
    r"^#define (\w+) (?:INT64_C\()?(\d+)U?\)?(?= *$| */\*)", source(path),
    re.M)}
CONST["CAT_FILE_MAX"] = 200 * 1024
LISTS = {"ISSUING KEYS": "CAT_ISSUERS_MAX", "GROUPS": "CAT_GROUPS_MAX",
         "PRODUCTS": "CAT_PRODUCTS_MAX",
         "REVOCATIONS": "CAT_REVOCATIONS_MAX"}
READS = {"u32": 4, "range": 4, "i64": 8, "u64": 8}
UNIT = re.compile(r"(_unix_s|(?<=renewal)_min|(?<=retry)_min)$")
CALL = re.compile(
    r"rd_fixed\(&?\w+, (?:\w+(?:\.|->))*(\w+)(?:\[i\])?, (\w+)\)"
    r"|rd_text\(&?\w+, (\w+), (\w+), (?:\w+(?:\.|->))*(\w+)\)"
    r"|(?:\w+(?:\.|->))*(\w+) = (?:\(\w+\))?"
    r"rd_(u32|i64|u64|range|opaque)\(&?\w+(?:, (\w+))?(?:, (\w+))?\)")


def value(word):
    return CONST[word] if word in CONST else int(word)


def function(path, name):
    return re.search(rf"^{name}\(.*?^\}}", source(path), re.S | re.M)[0]


def read_by(path, name):
    """What a function reads in its order: name, bytes, least, greatest."""
    rows = []
    for fixed, n, low, high, text, name, kind, one, two in \
            CALL.findall(function(path, name)):
        if fixed:
            rows.append((fixed, value(n), None, None))
        elif text:
            rows.append((text, "text", value(low), value(high)))
        elif kind == "opaque":
            rows.append((name, "text", 0, value(one)))
        else:
            rows.append((UNIT.sub("", name), READS[kind],
                         *((value(one), value(two)) if two else (None, None))))
    return rows


def told(page, part):
    """The same of a section of a page, with what it says of each."""
    found = {}
    for head, says in items(page, part).items():
        name, size = re.fullmatch(r"Cm (\w+) Pq (\w+)", head).groups()
        found[name] = (size if size == "text" else int(size),
                       " ".join(says.split()))
    return found


def compare(page, part, rows):
    """Names in their order, lengths, limits; and no other limit."""
    fields = told(page, part)
    assert [(name, size) for name, (size, _) in fields.items()] == \
        [row[:2] for row in rows]
    for name, _, low, high in rows:
        limits = re.findall(r"\b(\d+) to (\d+)\b", fields[name][1])
        want = [] if high is None else [(str(low), str(high))]
        assert limits == want, name


# ---- the catalogue ----

SIGNED = ("signed", 8, 0, CONST["TIME_MAX"])


@pytest.mark.parametrize("part,name,n", (
    ("PUBLISHER", "read_head", 6), ("ISSUING KEYS", "read_issuers", 4),
    ("GROUPS", "read_groups", 2), ("PRODUCTS", "read_product", 12)))
def test_parts_of_a_catalogue_are_those_that_are_read(part, name, n):
    rows = read_by("src/trust/catalogue.c", name)
    rows = [SIGNED if row[0] == "signed" else row for row in rows]
    assert len(rows) == n
    compare(CATALOGUE, part, rows)
    if part in LISTS:
        assert f"A list of at most {CONST[LISTS[part]]}, by" in \
            section(CATALOGUE, part).replace("\n", " ")


def test_header_revocations_and_end_of_a_catalogue():
    code = source("src/trust/catalogue.c")
    magic = re.search('#define CAT_MAGIC "(.*)"',
                      source("src/trust/catalogue.h"))[1]
    head = told(CATALOGUE, "HEADER")
    assert [(k, v[0]) for k, v in head.items()] == \
        [("magic", len(magic)), ("version", 4), ("body", 4)]
    assert head["magic"][1] == f".Qq {magic} ."
    assert head["version"][1] == f"{CONST['CAT_VERSION']}."
    around = sum(size for size, _ in head.values()) + CONST["SIG_LEN"]
    assert around == CONST["CAT_HEADER_LEN"] + CONST["SIG_LEN"]
    assert f"those of the file less {around}." in head["body"][1]
    assert f"at most {CONST['CAT_FILE_MAX']} bytes" in installed(CATALOGUE)

    parts = re.findall(r"\.(\w+) = \(uint(\d+)_t\)\(?v", code)
    compare(CATALOGUE, "REVOCATIONS",
            [(name, int(bits) // 8, None, None) for name, bits in parts])
    assert len(parts) == 4 and sum(int(bits) for _, bits in parts) == 64
    assert f"A list of at most {CONST['CAT_REVOCATIONS_MAX']}, as" in \
        section(CATALOGUE, "REVOCATIONS")
    compare(CATALOGUE, "END",
            [row for row in read_by("src/trust/catalogue.c", "read_body")
             if row[0].startswith("audit")] +
            [("signature", CONST["SIG_LEN"], None, None)])
    classes = re.findall(r"CAT_(\w+) = (\d)",
                         source("src/trust/catalogue.h"))
    assert told(CATALOGUE, "PRODUCTS")["class"][1] == \
        ", ".join(f"{n} {name.lower()}" for name, n in classes) + "."


class File:
    """A file, read by what a page says and by nothing else."""

    def __init__(self, page, data):
        self.page = page
        self.data = data
        self.at = 0

    def take(self, n):
        assert n <= len(self.data) - self.at
        self.at += n
        return self.data[self.at - n:self.at]

    def number(self, n):
        return int.from_bytes(self.take(n), "big")

    def field(self, size):
        if size != "text":
            return self.number(size) if size <= 8 else self.take(size)
        n = self.number(4)
        text = self.take(n).decode()
        assert not any(self.take(-n % 4))
        return text

    def part(self, name, without=()):
        return {field: self.field(size)
                for field, (size, _) in told(self.page, name).items()
                if field not in without}

    def list(self, name):
        return [self.part(name) for _ in range(self.number(4))]


def labels(page):
    return re.findall(r"^\.Qq (muster/\w+/\d)", installed(page), re.M)


def test_a_catalogue_is_read_by_its_page(tmp_path):
    a = Authority(tmp_path)
    a.issue()
    number = a.run("key", "list")["keys"][0]["key_number"]
    a.run("key", "revoke", str(number), "--yes")
    keys = {p["id"]: p["setup_key"] for p in a.sign()["products"]}
    path = a.path("acme.muster")
    with open(path, "rb") as f:
        data = f.read()
    f = File(CATALOGUE, data)
    head, who = f.part("HEADER"), f.part("PUBLISHER")
    issuers, groups, products, revocations = map(f.list, LISTS)
    last = f.part("END")
    assert f.at == len(data) and head["body"] == len(data) - 80
    shown = json.loads(run("muster", "catalogue", "show", path,
                           "--json").stdout)
    assert [who[k] for k in ("name", "url", "contact", "serial", "signed")] \
        == [shown[k] for k in ("name", "url", "contact", "serial", "signed")]
    assert who["root_pk"].hex() == shown["root_public_key"]
    assert [{k: v for k, v in x.items() if k != "pk"} for x in issuers] == \
        shown["issuing_keys"] != []
    assert groups == [{"number": 1, "name": "Acme systems"}]
    assert [r["key_number"] for r in revocations] == [number]
    assert len(revocations) == shown["revocations"]
    for got, want in zip(products, shown["products"], strict=True):
        assert str(uuid.UUID(bytes=got["id"])) == want["id"]
        assert ("desktop", "server")[got["class"]] == want["class"]
        assert got["setup_key"] == packed(keys[want["id"]])
        for name in got.keys() - {"id", "class", "setup_key"}:
            assert got[name] == want[name], name
    (text,) = labels(CATALOGUE)
    signed = label(text) + blake(who["root_pk"])[:16] + blake(data[:-64])
    assert is_signed(who["root_pk"], signed, last["signature"])


def test_what_is_kept_beside_catalogues_is_that_of_the_page(site, tmp_path):
    with open(site.catalogue, "rb") as f:
        data = f.read()
    publisher = blake(bytes.fromhex(site.root_pk))[:16].hex()
    p = run("muster", "catalogue", "install", site.catalogue, "--trust",
            publisher, "--root", str(tmp_path))
    assert p.returncode == 0, p.stderr
    folder = tmp_path / "var/lib/muster/catalogues"
    kept = {name.replace(publisher, "ID"): (folder / name).read_bytes()
            for name in os.listdir(folder)}
    told = [head.split()[1] for head in items(CATALOGUE, "FILES")]
    assert set(kept) == {"ID.muster", *told[2:]}
    assert told[:2] == ["/usr/share/muster/catalogues",
                        "/var/lib/muster/catalogues"]
    assert kept["ID.trust"] == b"" and kept["ID.muster"] == data
    assert kept["ID.serial"] == b"1 %s\n" % blake(data).hex().encode()


def is_signed(pk, text, signature):
    return SODIUM.crypto_sign_verify_detached(
        signature, text, ctypes.c_ulonglong(len(text)), pk) == 0


# ---- client setup keys ----

def bits(key):
    """The fields of a typed key, by the page."""
    text = " ".join(section(KEY, "KEYS").split())
    alphabet = re.search(r"of \.Qq (\w+) \.", text)[1]
    number = 0
    for c in key.replace("-", ""):
        number = number << 5 | alphabet.index(c)
    found, left = {}, 125
    for name, (size, _) in told(KEY, "KEYS").items():
        left -= size
        found[name] = number >> left & (1 << size) - 1
    assert left == 0
    return found


def packed(key):
    sizes = {name: size for name, (size, _) in told(KEY, "KEYS").items()}
    number = 0
    for name, size in sizes.items():
        number = number << size | bits(key)[name]
    return number.to_bytes(16, "big")


def test_the_page_of_keys_has_the_limits_of_the_source():
    header = " ".join(source("src/trust/hostkey.h").replace(" * ", " ").split())
    named = re.search(r"kind \((\d+)\), key number \((\d+)\), secret \((\d+)\), "
                      r"check \((\d+):", header).groups()
    fields = told(KEY, "KEYS")
    assert [(k, v[0]) for k, v in fields.items()] == list(zip(
        ("kind", "number", "secret", "check"), map(int, named)))
    kinds = dict(re.findall(r"HOSTKEY_(HOST|SETUP) = (\d)", header))
    assert fields["kind"][1] == f"{kinds['SETUP']} for a client setup key; " \
        f"{kinds['HOST']} is a host key, which no file has."
    text = " ".join(installed(KEY).split())
    chars, group = CONST["N_CHARS"], CONST["GROUP_CHARS"]
    for says in (f"it may have {CONST['AGENT_KEY_FILE_MAX']} bytes",
                 f"at most {CONST['KEYS_MAX']} keys",
                 f"A key is {chars} characters, written in "
                 f"{chars // group} groups of {group}",
                 f"at most {CONST['HOSTKEY_INPUT_MAX']} characters",
                 f"are {sum(map(int, named))} bits",
                 f"the first {int(named[1]) + int(named[2])} bits of",
                 f"over the {sum(map(int, named[:3]))} bits before it",
                 f"of {CONST['HOSTKEY_LEN']} bytes"):
        assert says in text, says
    code = source("src/trust/hostkey.c")
    assert re.search('alphabet\\[\\] = "(.*)"', code)[1] in text
    assert "0x1021" in code and "0xffff" in code
    products = source("src/agent/products.c")
    folders = [re.search('PATH_PRODUCTS "(.*)"', products)[1],
               re.search('PATH_AGENT_STATE "(.*)"',
                         source("src/base/paths.h"))[1] + "/keys"]
    assert [head.split()[1] for head in items(KEY, "FILES")] == folders
    assert re.findall(r"^\.Pa (/\S*)/\w+\.key$", section(KEY, "SYNOPSIS"),
                      re.M) == folders


def keys_of_the_example():
    return [line.split()[0] for line in example(KEY).splitlines()
            if line[0] != "#"]


def test_the_example_of_keys_is_that_of_the_products():
    """By the page: number and secret are the hash of the label and the id."""
    (text,) = labels(KEY)
    for key, product in zip(keys_of_the_example(), (DESKTOP, SERVER),
                            strict=True):
        got = bits(key)
        want = int.from_bytes(blake(label(text) + uuid.UUID(product).bytes),
                              "big") >> 256 - 106
        assert (got["kind"], got["number"] << 74 | got["secret"]) == (2, want)


def test_the_example_of_keys_is_taken_by_the_agent(site, tmp_path):
    """Of both products, from one file in which there are remarks as well."""
    share = tmp_path / "usr/share/muster"
    (share / "products").mkdir(parents=True)
    (share / "catalogues").mkdir()
    (tmp_path / "etc").mkdir()
    (tmp_path / "etc/machine-id").write_text("12" * 16 + "\n")
    (share / "products/acme.key").write_text(example(KEY))
    with open(site.catalogue, "rb") as f:
        (share / "catalogues/acme.muster").write_bytes(f.read())
    p = run("muster-agent", "--root", str(tmp_path), "--once")
    assert "passed over" not in p.stderr
    assert {name[:36] for name in os.listdir(
        tmp_path / "var/lib/muster/agent/products")} == {DESKTOP, SERVER}


# ---- the lease ----

def test_parts_of_a_lease_are_those_that_are_read():
    header = source("src/wire/msg.h")
    rows = read_by("src/wire/msg.c", "wire_args_decode")
    rows = [(*row[:2], 1, CONST["WIRE_THRESHOLD_MAX"])
            if row[0] == "threshold" else row for row in rows]
    compare(LEASE, "REQUEST", rows)
    rows = read_by("src/trust/lease.c", "lease_decode")
    names = [row[0] for row in rows]
    assert names[:3] == ["magic", "version", "args"]
    assert names[-1] == "certificate" and rows[-1][1] == CONST["CERT_LEN"]
    low, high = CONST["WIRE_INTERVAL_MIN"], CONST["WIRE_INTERVAL_MAX"]
    limits = {"renewal": (low, high), "retry": (low, high),
              "n_path": (0, CONST["WIRE_PATH_MAX"])}
    compare(LEASE, "REPLY", [(*row[:2], *limits.get(row[0], (None, None)))
                             for row in rows[3:-1]])
    states = re.findall(r"WIRE_([A-Z_]+) = (\d)", re.search(
        r"enum wire_state \{(.*?)\}", header, re.S)[1])
    assert told(LEASE, "REQUEST")["state"][1] == ", ".join(
        f"{n} " + {"TOLERANCE_GRACE": "out-of-tolerance grace"}.get(
            name, name.lower().replace("_", " "))
        for name, n in states) + "."
    shared = re.search(r"up to (\d+) replies", section(LEASE, "REPLY"))[1]
    assert int(shared) == CONST["LEASE_TREE_MAX"]
    assert {"muster/root/1", *labels(LEASE)} == set(re.findall(
        '#define LABEL_(?:LEASE|NODE|ROOT) "(.*)"', source("src/trust/label.h")))


def test_a_lease_has_the_size_that_its_page_says():
    head = told(LEASE, "HEADER")
    magic = re.search('#define LEASE_MAGIC "(.*)"',
                      source("src/trust/lease.h"))[1]
    assert [(k, v[0]) for k, v in head.items()] == \
        [("magic", len(magic)), ("version", 4), ("length", 4)]
    assert head["magic"][1] == f".Qq {magic} ."
    assert head["version"][1] == f"{CONST['LEASE_VERSION']}."
    request = [size for size, _ in told(LEASE, "REQUEST").values()]
    least = sum(4 if size == "text" else size for size in request)
    most = least + -(-CONST["WIRE_NAME_MAX"] // 4) * 4
    assert most == CONST["WIRE_ARGS_MAX"]
    assert f"{least} to {most}." in head["length"][1]
    rest = 16 + CONST["CERT_LEN"] + sum(
        size for name, (size, _) in told(LEASE, "REPLY").items()
        if name != "path")
    most += rest + CONST["WIRE_PATH_MAX"] * CONST["HASH_LEN"]
    assert most <= CONST["LEASE_FILE_MAX"]
    assert f"has {least + rest} to {most} bytes." in installed(LEASE)


def test_a_lease_is_read_and_judged_by_its_page(site):
    for n in range(1, 6):
        answer = site.activate(n, SERVER)
    path = os.path.join(site.machine(5), "var/lib/muster/agent/leases",
                        SERVER + ".lease")
    with open(path, "rb") as f:
        data = f.read()
    f = File(LEASE, data)
    head, at = f.part("HEADER"), f.at
    asked, end = f.part("REQUEST"), f.at
    assert end - at == head["length"]
    grant = f.part("REPLY", without=["path"])
    path_nodes = [f.take(told(LEASE, "REPLY")["path"][0])
                  for _ in range(grant["n_path"])]
    tail = data[f.at:]
    f.page = CERTIFICATE
    assert section(LEASE, "CERTIFICATE").startswith(
        f"Of the host, {CONST['CERT_LEN']} bytes, as\n.Xr muster-certificate")
    cert = f.part("CERTIFICATE")
    assert f.at == len(data)
    assert str(uuid.UUID(bytes=asked["product"])) == SERVER
    assert (grant["count"], cert["slot"], cert["reserved"]) == \
        (answer["count"], 1, 0)
    # the tree, by the section of that name
    leaf_label, node_label = labels(LEASE)[1:]
    with open(site.path("root.pub")) as f:
        publisher = blake(bytes.fromhex(f.read().strip()))[:16]
    root = blake(label(leaf_label) + publisher + blake(tail) +
                 data[at:end] + data[end:end + 24])
    for k, node in enumerate(path_nodes):
        pair = node + root if grant["index"] >> k & 1 else root + node
        root = blake(label(node_label) + pair)
    assert is_signed(cert["host_pk"], label(labels(LEASE)[0]) + root,
                     grant["signature"])


def test_what_verifies_leases_is_called_as_the_page_has_it():
    (line,) = re.findall("^muster (.*)$", re.sub(
        r" \\e\n +", " ", re.search(r"^\.Bd -literal -offset indent\n(.*?)^\.Ed",
                                    section(LEASE, "EXAMPLES"),
                                    re.S | re.M)[1]), re.M)
    p = run("muster", *line.split())
    # the files are not there, but that is what it comes to say
    assert p.returncode == 1 and ".lease" in p.stderr
