# SPDX-License-Identifier: MIT
"""What an agent does to its files, one scene at a time: how a machine comes
there, what is done, and what the files may say afterwards."""
import glob
import json
import os
import shutil
import subprocess
import sys
import time

import agent
import agent_calls
import agent_files
import demo
import faked_time

sys.path.insert(0, os.path.join(demo.REPO, "python"))
import muster  # noqa: E402

LIB, = glob.glob(os.path.join(demo.BIN, "../lib/**/libmuster.so.0"),
                 recursive=True)

EXTRA = "5b0c1a52-7d7e-4b8e-9a51-0d3f5c7a1e03"
PRODUCTS = demo.PRODUCTS.replace(
    'class = "desktop";\n     threshold = 25', 'class = "server"; threshold = 5'
).replace("1; }\n);", f'''1; }},
  {{ id = "{EXTRA}"; name = "Acme Extra"; group = 1; class = "server";
     threshold = 5; line = 0; level = 1; }}
);''')
TWO = (demo.DESKTOP, demo.SERVER)  # in key files; the third one's is typed
STATES = ["unlicensed", "initial grace", "licensed", "out-of-tolerance grace",
          "notification"]
BOARD = "4c4c4544-0042-3510-8052-b4c04f4d3232"
# what a status tells of a product that its files hold
KEPT = ("state", "reason", "count", "rearms_left", "first_seen", "answered",
        "host")
LICENCE = ("state", "rearms_left", "first_seen")


def tell(m, *args):
    """The command's exit code and what it said."""
    p = subprocess.run([os.path.join(demo.BIN, "muster"), *args, "--root",
                        m.root], capture_output=True, text=True, timeout=240)
    return p.returncode, p.stdout + p.stderr


def status(m):
    """What the agent says: each product, and the settings."""
    _, text = tell(m, "status", "--json")
    answer = json.loads(text)
    return {p["product"]: {k: p[k] for k in KEPT}
            for p in answer["products"]}, answer["settings"]


def check(m, product):
    """What the product finds by itself."""
    return STATES[muster.check(muster.Product(
        id=product, root_keys=[m.site.root_pk], root=m.root,
        catalogue=m.site.catalogue)).state]


class Stage:
    """A site, and machines in the states in which scenes begin."""

    def __init__(self, folder):
        muster.load(LIB)  # not where a module is only looked through
        self.site = demo.Site(folder)
        self.site.settings = "renewal_minutes = 15;\nretry_minutes = 15;\n"
        self.site.publish(products=PRODUCTS)
        self.site.start()
        self.site.activate_host()
        for n in range(900, 905):
            self.site.activate(n, demo.SERVER)
        with open(self.site.path("acme.key")) as f:
            keys = [line for line in f if line.strip()]
        assert len(keys) == 3
        self.keys, self.typed = keys[:2], keys[2].split()[0]
        self.numbers = iter(range(1000, 9000))
        self.templates, self.started = {}, []
        licensed = self.machine()
        out = licensed.once()
        assert {out[p]["state"] for p in TWO} == {"licensed"}
        self.keep("licensed", licensed)
        # an image of a machine that was rearmed
        image = self.machine("licensed", hosts=[])
        image.start(wrap=agent.AS_ROOT)
        assert tell(image, "rearm", "--yes")[0] == 0
        self.generalize(image)
        image.stop()
        self.keep("image", image)
        time.sleep(1.1)  # times are kept in seconds: these are past

    @staticmethod
    def generalize(m):
        """As soon as no round is under way."""
        end = time.monotonic() + agent.WAIT_S
        while True:
            code, said = tell(m, "generalize", "--yes")
            if code == 0 or "being asked" not in said:
                break
            assert time.monotonic() < end
            time.sleep(0.02)
        assert code == 0, said

    def keep(self, name, m):
        self.templates[name] = m

    def close(self):
        """What a test that failed left running ends here."""
        for one in self.started:
            one.kill()
        self.site.stop()

    def machine(self, template=None, other=False, hosts=None):
        """One that begins as a template did, or on other hardware."""
        m = agent.Machine(self.site, next(self.numbers), hosts)
        with open(m.key_file, "w") as f:
            f.writelines(self.keys)
        self.started.append(m)
        if template is not None:
            t = self.templates[template]
            shutil.copytree(t.state(), m.state())
            if not other:
                shutil.copy(os.path.join(t.root, "etc/machine-id"),
                            os.path.join(m.root, "etc/machine-id"))
        return m

    def cmids(self):
        """How many machines the host ever saw."""
        out = demo.run("muster", "host", "clients", "--root",
                       self.site.host_root, "--json")
        return len({c["cmid"] for c in json.loads(out)["clients"]})


class Scene:
    """Base: the agent of an activated machine runs, and nothing is done."""
    template, other, hosts, once = "licensed", False, (), False
    offset = None  # of the agent's clock, in faketime's notation
    at_start = False  # the start itself is what is looked at
    is_counted = False  # done twice, it is not the same
    rearms = 1  # that were used when it is done

    def __init__(self, stage):
        self.stage = stage

    def machine(self):
        hosts = None if self.hosts is None else list(self.hosts)
        return self.stage.machine(self.template, self.other, hosts)

    def env(self, m):
        return {}

    def run(self, m, fault=None):
        """The agent under strace, and what is done to it."""
        wrap, env = (), self.env(m)
        preload = () if fault is None else (fault.LIBRARY,)
        if self.offset is not None:
            wrap = faked_time.at(self.offset, *preload)
        elif fault is not None:
            wrap = ("env", "LD_PRELOAD=" + fault.LIBRARY)
        if fault is not None:
            env = {**env, **fault.env(m)}
        s = agent_calls.Strace(m, once=self.once, wrap=wrap, env=env)
        self.stage.started.append(s)
        self.code, self.said = None, ""
        if self.once:
            self.code = s.wait()
        elif s.listens and not self.at_start:
            self.code, self.said = self.act(m)
            self.settle(s, m)
        return s

    def act(self, m):
        raise NotImplementedError

    def settle(self, s, m):
        """Until the agent has written what follows from it."""

    def event(self, m):
        """Something that has the agent write what it could not."""

    def promised(self, was, now, said, since):
        """The command said that it is done: it is on disk."""
        assert self.judge(was, now, said, since) == "new"

    @staticmethod
    def untouched(was, now, products=TWO):
        assert now.cmid == was.cmid
        for p in products:
            assert now.files[f"leases/{p}.lease"] == \
                was.files[f"leases/{p}.lease"]
            for key in ("rearms", "first_seen", "grace", "previous"):
                assert now.products[p][key] == was.products[p][key], (p, key)

    def judge(self, was, now, said, since):
        """Old or new, all files together, after the restart.

        was, now  what the files said and say; said  what the agent says of
        them; since  when it began
        """
        raise NotImplementedError


class SetHost(Scene):
    name = "set-host"
    args = ("set-host", "kms.example:1700", "[::1]")
    new = {"hosts": [b"kms.example:1700", b"[::1]:1688"], "domain": b"",
           "caching": 1}
    shown = {"hosts": ["kms.example:1700", "[::1]:1688"]}

    def act(self, m):
        return tell(m, *self.args)

    def judge(self, was, now, said, since):
        self.untouched(was, now)
        key, = self.shown
        if now.settings is None:
            assert said[1][key] != self.shown[key]
            return "old"
        assert now.settings == self.new
        assert said[1][key] == self.shown[key]
        return "new"


class SetDomain(SetHost):
    name = "set-domain"
    args = ("set-domain", "st-elsewhere.example")
    new = {"hosts": [], "domain": b"st-elsewhere.example", "caching": 1}
    shown = {"domain": "st-elsewhere.example"}


class SetCaching(SetHost):
    name = "set-caching"
    args = ("set-caching", "off")
    new = {"hosts": [], "domain": b"", "caching": 0}
    shown = {"caching": False}


class InstallKey(Scene):
    name = "install-key"

    def act(self, m):
        return tell(m, "install-key", self.stage.typed)

    def event(self, m):
        tell(m, "activate", EXTRA)

    def promised(self, was, now, said, since):
        assert EXTRA in now.keys and EXTRA in said[0]

    def judge(self, was, now, said, since):
        self.untouched(was, now)
        if not now.keys:
            assert EXTRA not in said[0] and EXTRA not in now.products
            return "old"
        assert {k: v.strip() for k, v in now.keys.items()} == \
            {EXTRA: self.stage.typed}
        assert said[0][EXTRA]["state"] == "initial grace"
        assert now.products[EXTRA]["first_seen"] >= since
        return "new"


class Rearm(Scene):
    """One of two products; hosts are not there, so it stays in its grace."""
    name, is_counted = "rearm", True

    def act(self, m):
        end = time.monotonic() + agent.WAIT_S
        while True:  # a machine that just started may be asking
            code, said = tell(m, "rearm", demo.SERVER, "--yes")
            if "being asked" not in said or time.monotonic() > end:
                return code, said
            time.sleep(0.02)

    def settle(self, s, m):
        end = time.monotonic() + agent.WAIT_S
        try:
            while m.info(demo.SERVER)["due"] == 0:  # a round is under way
                assert time.monotonic() < end
                time.sleep(0.01)
        except OSError:
            s.p.wait(agent.WAIT_S)  # it was ended in that round

    def judge(self, was, now, said, since):
        server = now.products[demo.SERVER]
        if server["rearms"] == was.products[demo.SERVER]["rearms"]:
            # the CMID is renewed first: nothing is won or lost with it
            for p in TWO:
                assert now.leases.get(p) == was.leases[p]
                for key in ("rearms", "first_seen", "grace"):
                    assert now.products[p][key] == was.products[p][key]
            assert now.cmid != agent_files.ZERO
            assert {p["state"] for p in said[0].values()} == {"licensed"}
            return "old" if now.cmid == was.cmid else "part"
        assert server["rearms"] == self.rearms
        assert now.cmid not in (was.cmid, agent_files.ZERO)
        assert demo.SERVER not in now.leases
        assert server["first_seen"] >= since and server["grace"] == 0
        assert not any(server["previous"]) and server["count"] == 0
        assert said[0][demo.SERVER]["state"] == "initial grace"
        # b38: only the named leases
        name = f"leases/{demo.DESKTOP}.lease"
        assert now.files.get(name) == was.files[name]
        for key in ("rearms", "first_seen", "grace"):
            assert now.products[demo.DESKTOP][key] == \
                was.products[demo.DESKTOP][key]
        assert said[0][demo.DESKTOP]["state"] == "licensed"
        return "new"


class Generalize(Scene):
    """Done piece by piece; one that was cut short is done again."""
    name = "generalize"

    def act(self, m):
        return tell(m, "generalize", "--yes")

    def promised(self, was, now, said, since):
        assert now.cmid == agent_files.ZERO and not now.leases

    def judge(self, was, now, said, since):
        for p in TWO:  # the same machine goes on: nothing is won
            for key in ("rearms", "first_seen"):
                assert now.products[p][key] == was.products[p][key]
        if now.cmid == was.cmid and len(now.leases) == 2:
            self.untouched(was, now)
            return "old"
        for p in TWO:
            assert (said[0][p]["state"] == "licensed") == (p in now.leases)
            assert said[0][p]["state"] in ("licensed", "initial grace")
            if p in now.leases:
                assert now.leases[p] == was.leases[p]
        return "new" if now.cmid != was.cmid and not now.leases else "part"


class Activate(Scene):
    """First contact, by the daemon."""
    name, template, hosts = "activate", None, None

    def run(self, m, fault=None):
        self.before = self.stage.cmids()
        return super().run(m, fault)

    def act(self, m):
        return tell(m, "activate", demo.SERVER)

    def judge(self, was, now, said, since):
        server = now.products[demo.SERVER]
        assert now.cmid != agent_files.ZERO and server["rearms"] == 0
        assert since <= server["first_seen"] and server["grace"] == 0
        if demo.SERVER not in now.leases:
            assert said[0][demo.SERVER]["state"] == "initial grace"
            return "old"
        assert now.leases[demo.SERVER]["cmid"] == now.cmid
        assert said[0][demo.SERVER]["state"] == "licensed"
        return "new"


class Renew(Activate):
    """The daemon asks for a product that is activated."""
    name, template = "renewal", "licensed"

    def judge(self, was, now, said, since):
        assert now.cmid == was.cmid
        for p in TWO:
            for key in ("rearms", "first_seen", "grace"):
                assert now.products[p][key] == was.products[p][key]
            assert said[0][p]["state"] == "licensed"
            assert now.leases[p]["cmid"] == was.cmid
        name = f"leases/{demo.SERVER}.lease"
        if now.files[name] == was.files[name]:
            return "old"
        assert now.leases[demo.SERVER]["issued"] >= since
        return "new"


class RenewOnce(Renew):
    """By a clock that stands after the renewal interval."""
    name, once = "renewal of --once", True
    offset = "+20m"


class FirstOnce(Activate):
    name, once = "first contact of --once", True


class Moved(Scene):
    name, other, at_start = "start on another machine", True, True

    def judge(self, was, now, said, since):
        assert now.cmid not in (was.cmid, agent_files.ZERO)
        one, old = now.publishers[0], was.publishers[0]
        assert one["machine"] not in (old["machine"], agent_files.ZERO)
        for p in TWO:
            product = now.products[p]
            assert said[0][p]["state"] == "out-of-tolerance grace"
            assert product["grace"] >= since
            assert not any(product["previous"])  # of the other machine
            for key in ("rearms", "first_seen"):
                assert product[key] == was.products[p][key]
        return "new"


class Clone(Scene):
    name, template, other = "first start of a clone", "image", True
    at_start = True

    def judge(self, was, now, said, since):
        assert was.cmid == agent_files.ZERO != now.cmid
        assert not now.leases
        for p in TWO:
            assert was.products[p]["rearms"] == 1
            assert now.products[p]["rearms"] == 0
            assert now.products[p]["first_seen"] >= since
            assert said[0][p]["state"] == "initial grace"
        return "new"


class Credential(Scene):
    name, at_start = "start with a credential", True

    def env(self, m):
        folder = os.path.join(m.root, "credentials")
        os.makedirs(folder, exist_ok=True)
        with open(os.path.join(folder, "product-uuid"), "w") as f:
            f.write(BOARD + "\n")
        return {"CREDENTIALS_DIRECTORY": folder}

    def judge(self, was, now, said, since):
        self.untouched(was, now)
        assert now.instance == now.publishers[0]["instance"] != \
            was.publishers[0]["instance"] == agent_files.ZERO
        assert {p["state"] for p in said[0].values()} == {"licensed"}
        return "new"


SCENES = {s.name: s for s in (
    SetHost, SetDomain, SetCaching, InstallKey, Rearm, Generalize, Activate,
    Renew, RenewOnce, FirstOnce, Moved, Clone, Credential)}
