# SPDX-License-Identifier: MIT
"""Goal: the pages of what goes between a host and its publisher, and of the
publisher's own files, have each field of the code with its length and limits
and no other; real files are read by them alone to the last byte."""
import ctypes
import glob
import json
import os
import re

import pytest

import demo
from phonecode import DAMM, base45_bytes
from test_admin import install
from test_authority import Authority, Host, SODIUM, blake, label
from test_man import installed
from test_man_formats import (CATALOGUE, CERTIFICATE, CONST, File, LISTS, bits,
                              compare, is_signed, labels, read_by, told)
from test_man_programs import items, run, section, source

PREPARED, REQUEST, ROOTKEY = (f"muster-{name}.5" for name in (
    "prepared", "request", "rootkey"))


@pytest.fixture()
def bare(tmp_path):
    """A site whose host runs, with a key and no certificate."""
    s = demo.Site(str(tmp_path))
    s.publish()
    s.start()
    install(s, s.host_key)
    yield s
    s.stop()


def content(*names):
    with open(os.path.join(*names), "rb") as f:
        return f.read()


def plain(page, name):
    return " ".join(section(page, name).split())


# ---- request and certificate ----

def test_the_fields_of_a_request_are_those_that_are_read():
    rows = read_by("src/trust/enrol.c", "enrol_decode")
    limits = re.search(r"counter > (\d+) \|\| replaces > (\d+)",
                       source("src/trust/enrol.c")).groups()
    for name, most in zip(("counter", "replaces"), limits):
        at = [row[0] for row in rows].index(name)
        rows[at] = (*rows[at][:2], 0, int(most))
    assert len(rows) == 8
    magic = re.search('#define ENROL_MAGIC "(.*)"',
                      source("src/trust/enrol.h"))[1]
    compare(REQUEST, "REQUEST", [("magic", len(magic), None, None),
                                 ("version", 4, None, None), *rows])
    fields = told(REQUEST, "REQUEST")
    assert fields["magic"][1] == f".Qq {magic} ."
    assert fields["version"][1] == f"{CONST['ENROL_VERSION']}."
    least = sum(4 if size == "text" else size for size, _ in fields.values())
    most = least + -(-CONST["ENROL_NAME_MAX"] // 4) * 4
    assert most <= CONST["ENROL_MAX"]
    assert f"It has {least} to {most} bytes." in plain(REQUEST, "REQUEST")
    assert f"up to {most // 2 * 3} characters" in plain(REQUEST, "QR CODE")


def test_the_fields_of_a_certificate_are_those_of_its_header():
    header, fields = source("src/trust/cert.h"), told(CERTIFICATE, "CERTIFICATE")
    members = re.findall(r"\b(\w+)(?:\[\w+\])?;", re.search(
        r"struct cert \{(.*?)\n\};", header, re.S)[1])
    assert [name for name in fields if name != "reserved"] == members
    assert sum(size for size, _ in fields.values()) == CONST["CERT_LEN"]
    assert f"It has {CONST['CERT_LEN']} bytes." in \
        plain(CERTIFICATE, "CERTIFICATE")
    assert f"{CONST['CERT_LEN'] // 2 * 3} characters" in \
        plain(CERTIFICATE, "QR CODE")
    limits = {name: re.findall(r"\d+ to \d+", says)
              for name, (_, says) in fields.items()}
    assert {name for name, found in limits.items() if found} == \
        {"slot", "activation", "issuer"}
    assert all(found in ([], ["1 to 255"]) for found in limits.values())
    assert "cert.issuer > 255" in source("src/trust/cert.c")


def test_codes_have_the_sizes_of_the_source():
    members = re.findall(r"\b(\w+)(?:\[\w+\])?;", re.search(
        r"struct phone_ask \{(.*?)\n\};", source("src/trust/phone.h"),
        re.S)[1])
    assert list(told(REQUEST, "INSTALLATION ID")) == members
    counted = {int(n): int(groups) for n, groups in re.findall(
        r"DIGITS_GROUPS\((\d+)\) == (\d+)", source("src/trust/digits.c"))}
    for page, part, size in (
            (REQUEST, "INSTALLATION ID", CONST["PHONE_ASK_LEN"]),
            (CERTIFICATE, "CONFIRMATION ID", CONST["PHONE_ANSWER_LEN"])):
        assert f"{size} bytes as a code of {counted[size]} groups" in \
            plain(page, part)
        assert sum(n for n, _ in told(page, part).values()) == size
    assert f"groups of {CONST['DIGITS_TYPED']} digits" in plain(REQUEST, "CODES")
    assert f"its {CONST['DIGITS_BARE']} digits" in plain(REQUEST, "CODES")
    assert check_table() == list(DAMM)


def check_table():
    rows = re.findall(r"^ \d  ((?:\d ){9}\d)$", section(REQUEST, "CODES"), re.M)
    assert len(rows) == 10
    return [row.replace(" ", "") for row in rows]


def code(groups, page, part):
    """A code of digits, by the page of requests, as the part of a page."""
    table, digits = check_table(), ""
    for n, group in enumerate(groups, 1):
        row = 0
        for d in str(n)[-1] + group[:-1]:
            row = int(table[row][int(d)])
        assert row == int(group[-1])
        digits += group[:-1]
    size = sum(n for n, _ in told(page, part).values())
    assert digits[0] == "1"
    f = File(page, int(digits[1:]).to_bytes(size, "big"))
    got = f.part(part)
    assert f.at == size
    return got


def muster(site, *args):
    p = run("muster", "host", *args, "--root", site.host_root, "--json")
    assert p.returncode == 0, p.stdout + p.stderr
    return json.loads(p.stdout)


def test_a_request_is_read_by_its_page(bare):
    """As a file, as a QR code, and read out by telephone."""
    path, root_pk = bare.path("REQUEST"), bytes.fromhex(bare.root_pk)
    out = muster(bare, "activate", "--offline", "--file", path)
    data = content(path)
    f = File(REQUEST, data)
    got = f.part("REQUEST")
    assert f.at == len(data)
    enrol, proof, hkey = labels(REQUEST)
    key = bits(bare.host_key)
    assert key["kind"] == 1 and got["key_number"] == key["number"]
    assert got["publisher"] == blake(root_pk)[:16]
    assert (got["counter"], got["replaces"]) == (1, 0)
    assert got["name"] == os.uname().nodename
    body = data[12:-96]
    pk = blake(label(hkey) + got["publisher"] +
               key["number"].to_bytes(4, "big") +
               key["secret"].to_bytes(10, "big"))
    assert got["proof"] == blake(label(proof) + body, key=pk)
    assert is_signed(got["host_pk"], label(enrol) + body + got["proof"],
                     got["signature"])
    assert base45_bytes(out["request_base45"]) == data

    said = code(out["installation_id"].split("-"), REQUEST, "INSTALLATION ID")
    number, count = (n.to_bytes(4, "big")
                     for n in (said["key_number"], said["counter"]))
    assert number == data[28:32] and said["counter"] == got["counter"]
    print_ = blake(got["host_pk"])[:16]
    assert said["fingerprint"] == print_
    want = blake(label(proof) + got["publisher"] + number +
                 (1).to_bytes(4, "big") + print_ + count, key=pk)
    assert said["proof"] == int.from_bytes(want[:3], "big")

    kept, counter = (content(bare.host_root + name.replace(
        "ID", got["publisher"].hex())) for name in
        (head.split()[1] for head in items(REQUEST, "FILES")))
    assert kept == data and int(counter) == got["counter"]


def answer(site, request, path):
    p = run("muster-authority", "activate", "--file", request, "-o", path,
            "--dir", site.path("authority"), "--json")
    assert p.returncode == 0, p.stdout + p.stderr
    return json.loads(p.stdout)


def distinct(site):
    """A certificate in which no two of the small fields are the same."""
    request, path = site.path("REQUEST"), site.path("CERTIFICATE")
    out = run("muster-authority", "key", "issue", "--level", "7", "--lines",
              "0,2", "--customer", "St Elsewhere", "--dir",
              site.path("authority"), "--json").stdout
    key, root_pk = json.loads(out)["key"], bytes.fromhex(site.root_pk)
    for n, replaces in ((1, 0), (2, 0), (3, 2)):
        with open(request, "wb") as f:
            f.write(Host(n).request(None, key, replaces=replaces,
                                    publisher=blake(root_pk)[:16]))
        answer(site, request, path)
    install(site, key)
    muster(site, "activate", "--offline", "--replaces", "2", "--file", request)
    out = answer(site, request, path)
    muster(site, "confirm", "--file", path)
    return request, path, out


def test_a_certificate_is_read_by_its_page(bare):
    """As a file, as a QR code, and read out by telephone."""
    request, path, out = distinct(bare)
    data = content(path)
    f = File(CERTIFICATE, data)
    got = f.part("CERTIFICATE")
    assert f.at == len(data) and got["reserved"] == 0
    asked = File(REQUEST, content(request)).part("REQUEST")
    assert (asked["replaces"], asked["counter"]) == (2, 1)
    assert got["key_number"] == asked["key_number"]
    assert got["host_pk"] == asked["host_pk"]
    assert [got[name] for name in ("issuer", "slot", "activation", "lines",
                                   "level")] == [1, 2, 3, 5, 7]
    f = File(CATALOGUE, content(bare.catalogue))
    f.part("HEADER"), f.part("PUBLISHER")
    (issuer,) = f.list(next(iter(LISTS)))
    assert issuer["number"] == got["issuer"]
    (text,) = labels(CERTIFICATE)
    assert is_signed(issuer["pk"], label(text) + asked["publisher"] +
                     data[:20] + blake(got["host_pk"])[:16] + data[52:56],
                     got["signature"])
    assert base45_bytes(out["certificate_base45"]) == data
    said = code(out["confirmation_id"].split("-"), CERTIFICATE,
                "CONFIRMATION ID")
    assert got | said == got and len(said) == 8

    (kept,) = (head.split()[1] for head in items(CERTIFICATE, "FILES"))
    assert content(bare.host_root + kept.replace(
        "ID", asked["publisher"].hex())) == data


# ---- the publisher's own ----

def members(page, part):
    return {head.split()[1]: " ".join(says.split())
            for head, says in items(page, part).items()}


READS = re.compile(r'get_(u32|hex|text)\((\w+), "(\w+)",(?: &?[\w.>-]+,)?'
                   r"\s+([\w. >()-]+),\s+&?ok\)")
PARTS = {"root": "MEMBERS", "audit": "AUDIT", "issuers": "ISSUERS",
         "revs": "REVOCATIONS", "dropped": "DROPPED", "products": "LAST"}


def test_members_of_a_prepared_file_are_those_that_are_read():
    text, header = (source(f"src/authority/prepared.{end}") for end in "ch")
    issuers = int(re.search(r"#define PREPARED_ISSUERS (\d+)", header)[1])
    limit = {**CONST, "UINT32_MAX": 2**32 - 1,
             "PREPARED_ISSUERS - 1": issuers - 1}
    # what no file has that was prepared: the catalogue's limits, and the
    # first serial of the database
    least = {(part, row[0]): row[2] or 0
             for part, name in (("MEMBERS", "read_head"),
                                ("ISSUERS", "read_issuers"))
             for row in read_by("src/trust/catalogue.c", name)}
    least["MEMBERS", "serial"] = int(re.search(
        r"CHECK\(next_serial BETWEEN (\d+) AND ",
        source("src/authority/schema.c"))[1])
    most = {"name": "CAT_NAME_MAX", "url": "CAT_URL_MAX",
            "contact": "CAT_CONTACT_MAX"}
    found, around = 0, "root"
    for line in re.split(r";\n", text):
        loop = re.search(r"json_array_foreach\((\w+),", line)
        around = loop[1] if loop else \
            "root" if "\nprepared_read(" in line else around
        for kind, of, name, more in READS.findall(line):
            part = PARTS[around if of == "v" else of]
            says = members(PREPARED, part)
            if part == "LAST":
                assert f".Cm {name}" in says["products"]
            elif kind == "hex":
                assert f"{CONST[more]} bytes in hex" in says[name], name
            elif kind == "u32":
                upper = limit[more] if more in limit else int(more)
                assert re.findall(r"\b(\d+) to (\d+)\b", says[name]) == \
                    [(str(least.get((part, name), 0)), str(upper))], name
            elif name != "schema":
                upper = CONST[most[name]]
                assert re.findall(r"\b(\d+) to (\d+) bytes", says[name]) == \
                    [(str(least[part, name]), str(upper))], name
            found += 1
    assert found == text.count("get_u32(") + text.count("get_hex(") + \
        text.count("get_text(") - 3  # what reads them
    head = members(PREPARED, "MEMBERS")
    schema = re.search('PREPARED_SCHEMA "(.*)"',
                       source("src/authority/prepared.h"))[1]
    assert head["schema"] == f".Qq {schema} ."
    for name in ("issuers", "revocations"):
        assert f"at most {CONST[f'CAT_{name.upper()}_MAX']}" in head[name]
    assert "json_array_size(dropped) >= PREPARED_ISSUERS" in text
    assert f"at most {issuers - 1} issuing" in head["dropped"]
    assert f"at most {CONST['CAT_PRODUCTS_MAX']} objects" in \
        members(PREPARED, "LAST")["products"]
    assert f"at most {1024 * 1024} bytes" in installed(PREPARED)
    assert "PREPARED_MAX (1024 * 1024)" in header


def test_a_prepared_file_has_the_members_of_its_page(tmp_path):
    """Names both ways, and each number within the range that the page has."""
    a = Authority(tmp_path)
    a.issue()
    number = a.run("key", "list")["keys"][0]["key_number"]
    a.run("key", "revoke", str(number), "--yes")
    a.sign()
    a.run("catalogue", "import", a.path("acme.muster"))
    path = a.path("PREPARED.json")
    a.run("catalogue", "prepare", "-o", path)
    whole = json.loads(content(path))
    parts = {"MEMBERS": [whole], "AUDIT": [whole["audit"]],
             "LAST": [whole["last"]], "ISSUERS": whole["issuers"],
             "REVOCATIONS": whole["revocations"]}
    for part, objects in parts.items():
        page = members(PREPARED, part)
        assert objects
        for one in objects:
            assert set(one) == set(page), part
            for name, value in one.items():
                if isinstance(value, int):
                    low, high = map(int, re.search(
                        r"(\d+) to (\d+)", page[name]).groups())
                    assert low <= value <= high, name
    assert whole["dropped"] == [] and whole["last"]["issuers"] == [1]
    assert {frozenset(one) for one in whole["last"]["products"]} == \
        {frozenset(("id", "name"))}
    made = re.search(r"^dropped_json\(.*?^\}", source(
        "src/authority/prepared.c"), re.S | re.M)[0]
    assert set(re.findall(r'"(\w{3,})"', made)) == \
        set(members(PREPARED, "DROPPED"))


def sodium(name):
    call = getattr(SODIUM, "crypto_" + name)
    call.restype = ctypes.c_size_t
    return call()


def test_a_root_key_has_the_fields_and_costs_of_the_source():
    text = source("src/authority/vault.c")
    body = re.search(r"^vault_root_open\(.*?^\}", text, re.S | re.M)[0]
    size = {"8": 8, "PUBKEY_LEN": CONST["PUBKEY_LEN"],
            "crypto_pwhash_SALTBYTES": sodium("pwhash_saltbytes"),
            "crypto_secretbox_NONCEBYTES": sodium("secretbox_noncebytes"),
            "BOX_LEN": sodium("secretbox_macbytes") + CONST["SECKEY_LEN"]}
    want = [(name, 8 if not n else size[n]) for name, n in re.findall(
        r"(\w+) = rd_(?:take|u64)\(&r(?:, (\w+))?\)", body)]
    fields = told(ROOTKEY, "ROOT KEY")
    assert [(name, n) for name, (n, _) in fields.items()] == want
    assert f"It has {sum(n for _, n in want)} bytes" in plain(ROOTKEY, "ROOT KEY")
    magic = re.search('VAULT_ROOT_MAGIC "(.*)"',
                      source("src/authority/vault.h"))[1]
    assert fields["magic"][1] == f".Qq {magic} ."
    ops = re.search(r"#define KDF_OPS_MAX (\d+)", text)[1]
    shift = re.search(r"KDF_MEMORY_MAX \(UINT64_C\(1\) << (\d+)\)", text)[1]
    assert f"{sodium('pwhash_opslimit_min')} to {ops}." in fields["ops"][1]
    assert f"{sodium('pwhash_memlimit_min')} to {1 << int(shift)}." in \
        fields["memory"][1]
    costs = {head.split()[1]: says.split("\n")[0].split(";")[0].rstrip(".")
             for head, says in items(ROOTKEY, "COSTS").items()}
    assert list(costs) == ["interactive", "moderate", "sensitive"]
    for name in costs:
        assert costs[name] == \
            f"{sodium('pwhash_opslimit_' + name)} operations, " \
            f"{sodium('pwhash_memlimit_' + name)} bytes"
    assert f"1 to {CONST['VAULT_PASSPHRASE_MAX']} bytes" in \
        installed(ROOTKEY).replace("\n", " ")


def test_the_files_of_a_publisher_are_read_by_their_page(tmp_path):
    """The root key is opened by the page; so the passphrase is the only
    secret of it."""
    a = Authority(tmp_path)
    data, phrase = content(a.root_key), content(a.phrase).rstrip(b"\n")
    f = File(ROOTKEY, data)
    got = f.part("ROOT KEY")
    assert f.at == len(data) and got["pk"] == a.root_pk
    key = ctypes.create_string_buffer(32)
    assert SODIUM.crypto_pwhash(
        key, ctypes.c_ulonglong(32), phrase, ctypes.c_ulonglong(len(phrase)),
        got["salt"], ctypes.c_ulonglong(got["ops"]),
        ctypes.c_size_t(got["memory"]), 2) == 0  # 2: Argon2id
    sk = ctypes.create_string_buffer(64)
    assert SODIUM.crypto_secretbox_open_easy(
        sk, got["box"], ctypes.c_ulonglong(len(got["box"])), got["nonce"],
        key) == 0
    assert public(sk.raw) == got["pk"] == sk.raw[32:]
    assert blake(got["pk"])[:16] == a.publisher

    (line,) = content(a.dir, "issuing.key").decode().splitlines()
    number, text = line.split(" ")
    secret = bytes.fromhex(text)
    a.sign()
    f = File(CATALOGUE, content(a.path("acme.muster")))
    f.part("HEADER"), f.part("PUBLISHER")
    (issuer,) = f.list(next(iter(LISTS)))
    assert (issuer["number"], issuer["pk"]) == (int(number), public(secret))
    assert secret[32:] == issuer["pk"]
    seal = content(a.dir, "seal.key")
    assert plain(ROOTKEY, "SEAL KEY").startswith(f"{len(seal)} random bytes")
    assert len(seal) == CONST["VAULT_SEAL_LEN"]
    for path in (a.root_key, *glob.glob(a.dir + "/*.key")):
        assert os.stat(path).st_mode & 0o777 == 0o600, path
    names = set(re.findall(r"^\.Pa DIR/(\S+)$", section(ROOTKEY, "SYNOPSIS"),
                           re.M))
    assert names == set(map(os.path.basename, glob.glob(a.dir + "/*.key")))


def public(secret):
    pk, sk = ctypes.create_string_buffer(32), ctypes.create_string_buffer(64)
    SODIUM.crypto_sign_seed_keypair(pk, sk, secret[:32])
    return pk.raw


def test_a_root_public_key_is_taken_as_its_page_says(site):
    """With blanks before it and white space behind it, or none."""
    answer = [site.activate(n, demo.SERVER) for n in range(1, 6)][-1]
    assert answer["activated"]
    lease = os.path.join(site.machine(5), "var/lib/muster/agent/leases",
                         demo.SERVER + ".lease")
    assert f"the {CONST['PUBKEY_LEN']} bytes in hex" in \
        plain(ROOTKEY, "ROOT PUBLIC KEY")
    most = int(re.search(r"#define ROOT_TEXT_MAX (\d+)",
                         source("src/cli/verify.c"))[1])
    assert f"at most {most} bytes:" in plain(ROOTKEY, "ROOT PUBLIC KEY")
    for text, rc in ((site.root_pk, 0), (f"  {site.root_pk}\t\r\n\n", 0),
                     (site.root_pk[:-2], 1), ("\n" + site.root_pk, 1),
                     (site.root_pk.ljust(most), 0),
                     (site.root_pk.ljust(most + 1), 1)):
        path = site.path("told.pub")
        with open(path, "w") as f:
            f.write(text)
        p = run("muster", "verify", lease, "--catalogue", site.catalogue,
                "--root-key", path, "--any-machine")
        assert p.returncode == rc, p.stdout + p.stderr


@pytest.mark.parametrize("page", (REQUEST, CERTIFICATE, PREPARED, ROOTKEY))
def test_commands_of_the_examples_are_taken(page, tmp_path):
    """As far as that their files are not there."""
    text = re.sub(r" \\e\n +", " ", section(page, "EXAMPLES"))
    commands = re.findall(r"^(muster(?:-authority)?) (.*?)(?: \|.*)?$", text,
                          re.M)
    assert commands
    for program, line in commands:
        where = [] if " sign " in f" {line} " or "catalogue show" in line else \
            ["--root" if program == "muster" else "--dir", str(tmp_path)]
        p = run(program, *line.split(), *where)
        assert p.returncode not in (0, 2), (line, p.stdout, p.stderr)
