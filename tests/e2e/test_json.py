# SPDX-License-Identifier: MIT
"""Goal: what any command prints by --json is one object that says what it is
(`schema`), whatever the command's state; an error is an `error` instead."""
import json
import os
import re
import subprocess
import time

import pytest

import agent
import demo
from agent import Machine
from service import make_certificates, served_site

SCHEMA = re.compile(r"muster\.[a-z.-]+/1")
# A log of many lines, each an entry in a form of its own (doc/authority.md).
LINES = {"audit export"}
SILENT = {"serve"}  # it logs, and --check has nothing to say of good settings


@pytest.fixture(scope="module")
def site(tmp_path_factory):
    s = served_site(str(tmp_path_factory.mktemp("json")))
    yield s
    s.service.stop()


def words_of(program, args):
    """The command as --help has it."""
    line = " ".join(args) + " "
    found = [c for c in commands(program) if line.startswith(c + " ")]
    assert found, args
    return max(found, key=len)


def commands(program):
    p = subprocess.run([os.path.join(demo.BIN, program), "--help"],
                       capture_output=True, text=True, timeout=90)
    lines = re.findall(rf"^  {program} (.*)$", p.stdout, re.M)
    return {re.match(r"[a-z-]+( [a-z][a-z-]+(?= |$))?", one).group(0)
            for one in lines}


class Teller:
    """Runs commands, and notes which of them told facts, by which name."""

    def __init__(self, program, *always):
        self.program, self.always = program, always
        self.told = {}

    def __call__(self, *args, code=0, text="", more=()):
        p = subprocess.run(
            [os.path.join(demo.BIN, self.program), *args, *self.always, *more,
             "--json"], input=text, capture_output=True, text=True, timeout=240)
        said = (args, p.returncode, p.stdout, p.stderr)
        assert p.returncode in (code if isinstance(code, tuple) else (code,))
        assert p.stderr == "", said
        name = words_of(self.program, args)
        if name in LINES:
            assert all(json.loads(one) for one in p.stdout.splitlines()), said
            return None
        if name in SILENT:
            assert p.stdout == "", said
            return None
        out = json.loads(p.stdout)
        assert "error" not in out and SCHEMA.fullmatch(out["schema"]), said
        self.told.setdefault(name, set()).add(out["schema"])
        return out

    def refused(self, *args, code, more=()):
        p = subprocess.run(
            [os.path.join(demo.BIN, self.program), *args, *self.always, *more,
             "--json"], stdin=subprocess.DEVNULL, capture_output=True,
            text=True, timeout=240)
        assert (p.returncode, p.stderr) == (code, ""), p.stderr
        assert set(json.loads(p.stdout)["error"]) == {
            "code", "message", "next_step"}


def check_all(*tellers):
    """Every command of the program was run and has told facts."""
    told = set().union(*(t.told for t in tellers))
    assert told | LINES | SILENT >= commands(tellers[0].program)


def host_commands(site, m):
    at = ("--authority", f"https://localhost:{site.service.port}",
          "--ca", site.path("ca.pem"))
    m("host", "install-key", text=site.host_key + "\n")
    request = site.path("request")
    asked = m("host", "activate", "--offline")
    assert asked["schema"] == "muster.host.activate-offline/1"
    for more in (["--qr"], ["--file", request],
                 ["--qr", "--file", site.path("request.svg")]):
        assert m("host", "activate", "--offline", *more)["schema"] == \
            asked["schema"]
    out = demo.run("muster-authority", "activate", "--dir",
                   site.path("authority"), "--installation-id",
                   asked["installation_id"], "--json")
    confirmed = m("host", "confirm", json.loads(out)["confirmation_id"])
    assert confirmed["schema"] == "muster.host.confirm/1"
    cert = site.path("cert")
    demo.run("muster-authority", "activate", "--dir", site.path("authority"),
             "--file", request, "-o", cert)
    assert m("host", "confirm", "--file", cert)["already"]
    m("host", "activate", "--online", more=at)
    m("host", "status")
    m("host", "clients")
    m("host", "backup", site.path("backup"))
    m.refused("host", "restore", site.path("backup"), "--yes", code=1)
    site.stop()
    m("host", "restore", site.path("backup"), "--yes")
    site.start()
    m("host", "dns")
    m("host", "dns", "audit", "corp.example", "--resolver", "127.0.0.1:1",
      code=1)
    m("host", "slots", more=at)
    m("host", "release", "1", "--yes", more=at)
    m("host", "remove-key")
    m.refused("host", "remove-key", code=1)
    m.refused("host", "activate", "--offline", code=1)
    m.refused("host", "confirm", "1234567", code=1)


def client_commands(site, m):
    at = f"127.0.0.1:{site.port}"
    bare = Teller("muster", "--root", site.machine(51))  # without an agent
    lease = os.path.join(site.machine(51), "var/lib/muster/agent/leases",
                         demo.SERVER + ".lease")
    m("set-host", at)
    m("set-domain", "corp.example")
    m("set-caching", "off")
    # a round that began without a host may be what it is told of
    end = time.monotonic() + 60
    while subprocess.run([os.path.join(demo.BIN, "muster"), "activate", demo.SERVER, *m.always],
                         capture_output=True, timeout=240).returncode == 5:
        assert time.monotonic() < end, "no host is reached"
        time.sleep(1)
    m("activate", demo.SERVER, code=3)
    bare("activate", "--direct", "--host", at, "--product", demo.SERVER, code=3)
    for n in range(1, 8):
        site.activate(n, demo.SERVER)
    bare("activate", "--direct", "--host", at, "--product", demo.SERVER)
    m("status", code=3)
    m("doctor", code=3)
    m("install-key", open(site.path("acme.key")).read().split()[0])
    bare("verify", lease, "--catalogue", site.catalogue, "--root-key",
         site.path("root.pub"))
    m("ping", at)
    m("catalogue", "show", site.catalogue)
    m("catalogue", "list")
    m("catalogue", "install", site.catalogue)
    m("rearm", demo.DESKTOP, "--yes")
    m("clear-host")
    m("generalize", "--yes")
    m.refused("ping", "127.0.0.1:1", code=5)
    return bare


def test_every_command_of_muster_names_its_object(site):
    site.wrap = agent.AS_ROOT
    site.start()
    machine = Machine(site, 50, [])
    by_host = Teller("muster", "--root", site.host_root)
    by_machine = Teller("muster", "--root", machine.root)
    machine.start(wrap=agent.AS_ROOT)
    try:
        site.activate_host()
        bare = client_commands(site, by_machine)
        machine.stop()
        host_commands(site, by_host)
    finally:
        machine.kill()
        site.stop()
    nowhere = Teller("muster")
    nowhere("plan", "--desktops", "3", "--days", "5", "--seeds", "1")
    check_all(by_host, by_machine, bare, nowhere)


def test_every_command_of_the_authority_names_its_object(tmp_path):
    os.mkdir(tmp_path / "vault")
    phrase, key, conf, prepared, out, old, request, settings = (
        str(tmp_path / name) for name in (
            "vault/phrase", "vault/root.key", "products.conf", "prepared",
            "acme.muster", "old.muster", "request", "authority.conf"))
    for path, text in ((phrase, "correct horse\n"), (conf, demo.PRODUCTS)):
        with open(path, "w") as f:
            f.write(text)
    t = Teller("muster-authority")
    at = ("--dir", str(tmp_path / "authority"))
    sealed = ("--root-key", key, "--passphrase-file", phrase)
    t("init", "--name", "Acme", *sealed, *at, "--seal-cost", "interactive")
    t("catalogue", "prepare", "-o", prepared, *at)
    t("catalogue", "sign", *sealed, "--prepared", prepared, conf, "-o", out)
    t("catalogue", "import", out, *at)
    issued = t("key", "issue", "--level", "1", "--customer", "C", *at)
    number = str(issued["key_number"])
    t("key", "list", *at)
    t("key", "grant", number, "--hosts", "7", *at)
    t("host", "list", *at)
    site = demo.Site(str(tmp_path / "site"))
    os.mkdir(site.folder)
    site.catalogue = out
    site.start()
    try:
        root = ("--root", site.host_root)
        demo.run("muster", "host", "install-key", *root,
                 text=issued["key"] + "\n")
        asked = json.loads(demo.run("muster", "host", "activate", "--offline",
                                    "--json", "--file", request, *root))
    finally:
        site.stop()
    t("activate", "--file", request, "-o", str(tmp_path / "cert"), *at)
    t("activate", "--qr", asked["request_base45"], *at)
    t("activate", "--installation-id", asked["installation_id"], *at)
    t("key", "show", number, *at)
    t("host", "list", *at)
    t("host", "revoke", number, "1", "--yes", *at)
    t("host", "release", number, "1", "--yes", *at)
    t("key", "revoke", number, "--yes", *at)
    t("issuer", "add", *at)
    t("issuer", "list", *at)
    t("issuer", "drop", "2", "--yes", *at)
    t("audit", "verify", *at)
    t("audit", "export", *at)
    t("backup", old, *at)
    t.refused("backup", old, more=at, code=1)
    t.refused("key", "show", "99", more=at, code=1)
    make_certificates(str(tmp_path))
    with open(settings, "w") as f:
        f.write(f'dir = "{at[1]}";\nlisten = "127.0.0.1:0";\n'
                f'tls_cert = "{tmp_path}/tls.pem";\n'
                f'tls_key = "{tmp_path}/tls.key";\n')
    t("serve", "--check", "--config", settings)
    check_all(t)
