#!/usr/bin/python3
# SPDX-License-Identifier: MIT
"""The main job, seen: a publisher, a host and 26 machines.

Everything happens in one temporary folder, over real TCP on loopback.  The
table is made from what the machines' own processes say; the host is not asked.
"""
import argparse
import json
import os
import re
import shutil
import signal
import subprocess
import sys
import tempfile
import time

REPO = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))
BIN = os.environ.get("MUSTER_BIN", os.path.join(REPO, "build/stage/usr/bin"))
DESKTOP = "5b0c1a52-7d7e-4b8e-9a51-0d3f5c7a1e01"
SERVER = "5b0c1a52-7d7e-4b8e-9a51-0d3f5c7a1e02"
START_S = 60  # wait for the host's `listening` line

PRODUCTS = f"""
groups = ( {{ number = 1; name = "Acme systems"; }} );
products = (
  {{ id = "{DESKTOP}"; name = "Acme Desktop"; group = 1; class = "desktop";
     threshold = 25; line = 0; level = 1; }},
  {{ id = "{SERVER}"; name = "Acme Server"; group = 1; class = "server";
     threshold = 5; line = 0; level = 1; }}
);
"""


def run(*args, ok=(0,), text=None):
    p = subprocess.run([os.path.join(BIN, args[0]), *args[1:]], input=text,
                       capture_output=True, text=True, timeout=30)
    if p.returncode not in ok:
        sys.exit(f"demo: {' '.join(args)}: exit {p.returncode}\n"
                 f"{p.stdout}{p.stderr}")
    return p.stdout


class Site:
    def __init__(self, folder):
        self.folder = folder
        self.host_root = self.path("host")
        self.catalogue = self.path("acme.muster")
        self.daemon = None
        self.bin = BIN  # where its musterd is
        self.wrap = ()
        self.port = 0
        self.settings = ""  # more of musterd.conf
        self.status_at = "127.0.0.1:0"  # the status page; any free port
        self.env = None  # of musterd

    def path(self, *names):
        return os.path.join(self.folder, *names)

    def publish(self, name="Acme", products=PRODUCTS):
        """The publisher: root key apart, catalogue signed, a host key."""
        os.mkdir(self.path("authority"), 0o700)
        os.mkdir(self.path("vault"))
        root_key = self.path("vault", "root.key")
        phrase = self.path("vault", "passphrase")
        with open(phrase, "w") as f:
            f.write("correct horse battery staple\n")
        os.chmod(phrase, 0o600)
        with open(self.path("products.conf"), "w") as f:
            f.write(products)
        where = ("--dir", self.path("authority"))
        out = run("muster-authority", "init", *where, "--name", name,
                  "--root-key", root_key, "--passphrase-file", phrase,
                  "--seal-cost", "interactive", "--json")
        self.root_pk = json.loads(out)["root_public_key"]
        with open(self.path("root.pub"), "w") as f:
            f.write(self.root_pk + "\n")
        prepared = self.path("prepared.json")
        run("muster-authority", "catalogue", "prepare", *where, "-o", prepared)
        run("muster-authority", "catalogue", "sign", "--root-key", root_key,
            "--passphrase-file", phrase, "--prepared", prepared,
            self.path("products.conf"), "-o", self.catalogue)
        run("muster-authority", "catalogue", "import", *where, self.catalogue)
        out = run("muster-authority", "key", "issue", *where, "--level", "1",
                  "--customer", "St Elsewhere Hospital", "--json")
        self.host_key = json.loads(out)["key"]

    def start(self):
        """Start musterd; its `listening` line names the port."""
        for sub in ("etc/muster", "usr/share/muster/catalogues"):
            os.makedirs(os.path.join(self.host_root, sub), exist_ok=True)
        conf = os.path.join(self.host_root, "etc/muster/musterd.conf")
        with open(conf, "w") as f:
            f.write(f'listen = [ "127.0.0.1" ];\nport = {self.port};\n'
                    f'status_listen = "{self.status_at}";\n' + self.settings)
        shutil.copy(self.catalogue, os.path.join(
            self.host_root, "usr/share/muster/catalogues/acme.muster"))
        log = open(self.path("musterd.log"), "a+")
        begin = os.path.getsize(log.name)
        self.daemon = subprocess.Popen(
            [*self.wrap, os.path.join(self.bin, "musterd"), "--root",
             self.host_root],
            stderr=log, stdout=log, env=self.env)
        end = time.monotonic() + START_S
        while time.monotonic() < end:
            with open(log.name) as f:
                f.seek(begin)
                m = re.search(r"listening: 127\.0\.0\.1 port (\d+)", f.read())
            if m:
                self.port = int(m.group(1))
                return
            if self.daemon.poll() is not None:
                break
            time.sleep(0.01)
        sys.exit("demo: musterd did not start:\n" + open(log.name).read())

    def activate_host(self):
        """By file: a request goes out, a certificate comes back."""
        root = ("--root", self.host_root)
        run("muster", "host", "install-key", *root, text=self.host_key + "\n")
        request, cert = self.path("host.request"), self.path("host.cert")
        run("muster", "host", "activate", "--offline", "--file", request, *root)
        run("muster-authority", "activate", "--dir", self.path("authority"),
            "--file", request, "-o", cert)
        run("muster", "host", "confirm", "--file", cert, *root)

    def kill(self):
        self.daemon.send_signal(signal.SIGKILL)
        self.daemon.wait()

    def stop(self):
        if self.daemon and self.daemon.poll() is None:
            self.daemon.send_signal(signal.SIGTERM)
            self.daemon.wait(timeout=10)

    def machine(self, n):
        """A machine of its own: a root folder and a machine id."""
        root = self.path("machines", str(n))
        if not os.path.isdir(root):
            os.makedirs(os.path.join(root, "etc"))
            cats = os.path.join(root, "usr/share/muster/catalogues")
            os.makedirs(cats)
            shutil.copy(self.catalogue, os.path.join(cats, "acme.muster"))
            with open(os.path.join(root, "etc/machine-id"), "w") as f:
                f.write(f"{0xacce55 << 64 | n:032x}\n")
        return root

    def activate(self, n, product):
        out = run("muster", "activate", "--direct", "--root", self.machine(n),
                  "--host", f"127.0.0.1:{self.port}", "--product", product,
                  "--json", ok=(0, 3))
        return json.loads(out)

    def verify(self, n, product):
        lease = os.path.join(self.machine(n), "var/lib/muster/agent/leases",
                             product + ".lease")
        run("muster", "verify", lease, "--root", self.machine(n),
            "--catalogue", self.catalogue, "--root-key", self.path("root.pub"))


class Show:
    def __init__(self, as_json):
        self.as_json = as_json
        self.n = 0

    def say(self, text):
        if not self.as_json:
            print(text, flush=True)

    def answer(self, machine, kind, a):
        self.n += 1
        if self.as_json:
            print(json.dumps({"n": self.n, "class": a["class"],
                              "count": a["count"], "threshold": a["threshold"],
                              "activated": a["activated"]}), flush=True)
        else:
            yes = "activated" if a["activated"] else "not yet"
            print(f"{self.n:6}  {machine:7}  {kind:16} {a['count']:5}  "
                  f"{a['threshold']:9}  {yes}", flush=True)


# The guide's own example first; machine 26 brings a margin of one.
KINDS = ["desktop", "desktop", "desktop (virtual)", "server"] + \
    ["server"] * 3 + ["desktop"] * 19


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--json", action="store_true")
    show = Show(parser.parse_args().json)
    with tempfile.TemporaryDirectory(prefix="muster-demo.") as folder:
        site = Site(folder)
        try:
            tell(site, show)
        finally:
            site.stop()


def tell(site, show):
    begin = time.monotonic()
    site.publish()
    show.say("A publisher, Acme, signed a catalogue: Acme Desktop activates "
             "from 25 machines, Acme Server from 5.")
    site.start()
    site.activate_host()
    show.say(f"A KMS host listens on 127.0.0.1 port {site.port}, activated "
             "by file.\n")
    show.say("answer  machine  kind             count  threshold  result")
    product = {n: SERVER if k == "server" else DESKTOP
               for n, k in enumerate(KINDS, 1)}
    waiting, good = [], []

    def ask(n):
        a = site.activate(n, product[n])
        show.answer(n, KINDS[n - 1], a)
        (good if a["activated"] else waiting).append(n)

    for n in range(1, 14):
        ask(n)
    show.say("        -- the host is ended by kill -9 and started again --")
    site.kill()
    site.start()
    for n in range(14, len(KINDS) + 1):
        ask(n)
    show.say("        -- those that were not activated ask again --")
    again, waiting = waiting, []
    for n in again:
        ask(n)
    for n in good:
        site.verify(n, product[n])
    show.say(f"\n{len(good)} leases verified by `muster verify`; "
             f"{time.monotonic() - begin:.1f} s.")
    if waiting:
        sys.exit(f"demo: still not activated: {waiting}")


if __name__ == "__main__":
    main()
