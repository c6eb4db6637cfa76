# SPDX-License-Identifier: MIT
"""Goal: the matrix of users by operations (b37), with real processes: only
uid 0 of the initial user namespace, by whatever way it was reached, changes
anything; whoever is refused leaves each byte of the state as it was."""
import json
import os
import shutil
import subprocess
import tempfile

import pytest

import agent
import demo
from agent import Machine

IS_ROOT = os.geteuid() == 0
AGENT_UID, USER_UID, NOBODY = 4000, 4321, 65534
FOR_ADMINS = {
    "set-host": ["set-host", "kms.example"],
    "clear-host": ["clear-host"],
    "set-domain": ["set-domain", "example.com"],
    "set-caching": ["set-caching", "off"],
    "install-key": ["install-key"],  # and the key
    "rearm": ["rearm", demo.SERVER, "--yes"],
    "generalize": ["generalize", "--yes"],
}
READING = {"status": ["status"], "info": ["status", demo.SERVER]}


def as_id(uid, gid=None, groups=()):
    return ["setpriv", "--reuid", str(uid), "--regid",
            str(uid if gid is None else gid),
            *(["--groups", ",".join(map(str, groups))] if groups
              else ["--clear-groups"])]


def become_root(folder):
    """What sudo does: a program of root's with the set-user-id bit, which a
    user may run, takes uid 0 and starts the command."""
    return [*as_id(USER_UID), os.path.join(folder, "become"), "--reuid", "0",
            "--regid", "0", "--clear-groups"]


# who: how a command of theirs begins, and whether it is an administrator's
WHO = {
    "root": (lambda f: [], True),
    "administrator": (become_root, True),
    "standard user": (lambda f: as_id(USER_UID) if IS_ROOT else [], False),
    "nobody": (lambda f: as_id(NOBODY), False),
    "user with the groups root, adm and sudo":
        (lambda f: as_id(USER_UID, groups=(0, 4, 27)), False),
    "user whose own group is root's": (lambda f: as_id(USER_UID, 0), False),
    "the agent's own user": (lambda f: as_id(AGENT_UID), False),
    "root of a user namespace":
        (lambda f: (as_id(USER_UID) if IS_ROOT else []) + ["unshare", "-rU"],
         False),
}
ALONE = {"root", "standard user", "root of a user namespace"}


def rows():
    for who in WHO:
        marks = () if IS_ROOT or who in ALONE else pytest.mark.skip(
            reason=f"needs root: {who}")
        yield pytest.param(who, marks=marks, id=who)


@pytest.fixture(scope="module")
def busy(site):
    for n in range(100, 106):
        site.activate(n, demo.SERVER)
    return site


class World:
    """A machine in a folder which every user may enter, its agent under a
    user of its own, where there can be one."""

    def __init__(self, site, folder, n, wrap):
        self.folder = folder
        m = self.machine = Machine(site, n)
        for name in ("muster", "muster-agent"):
            shutil.copy(os.path.join(demo.BIN, name), folder)
        root = os.path.join(folder, "root")
        shutil.copytree(m.root, root)
        if IS_ROOT:
            subprocess.run(["chown", "-R", str(AGENT_UID), root], check=True)
            become = os.path.join(folder, "become")
            shutil.copy(shutil.which("setpriv"), become)
            os.chmod(become, 0o4755)
        m.root, m.binary = root, os.path.join(folder, "muster-agent")
        m.sock = os.path.join(root, "run/muster/agent.sock")
        m.start(wrap=wrap)
        with open(site.path("acme.key")) as f:
            self.key = f.read().split("\n")[1].split()[0]
        for p in (demo.SERVER, demo.DESKTOP):  # and nothing is due for hours
            assert m.activate(p)["info"]["round"] == 0

    def muster(self, who, args):
        p = subprocess.run(
            [*who, os.path.join(self.folder, "muster"), *args, "--root",
             self.machine.root, "--json"], capture_output=True, text=True,
            timeout=240, cwd="/", stdin=subprocess.DEVNULL)
        assert p.stdout, (args, p.returncode, p.stderr)
        return p.returncode, json.loads(p.stdout)

    def state(self):
        """Every path below the state folder: rights, owner, bytes."""
        out = {}
        for folder, folders, names in os.walk(self.machine.state()):
            for name in folders + names:
                path = os.path.join(folder, name)
                st = os.stat(path)
                data = open(path, "rb").read() if name in names else None
                out[path] = (st.st_mode, st.st_uid, st.st_ino, data)
        assert len([x for x in out.values() if x[3]]) >= 7
        return out


@pytest.fixture()
def world(busy, who):
    numbers = busy.__dict__.setdefault("numbers", iter(range(1, 100)))
    with tempfile.TemporaryDirectory(prefix="muster-users.") as folder:
        os.chmod(folder, 0o755)
        # a plain user is an administrator of an agent in a namespace
        wrap = as_id(AGENT_UID) if IS_ROOT else \
            agent.AS_ROOT if who == "root" else ()
        w = World(busy, folder, next(numbers), wrap)
        yield w
        w.machine.stop()


def refused(w, who):
    for name, args in FOR_ADMINS.items():
        more = [w.key] if name == "install-key" else []
        before = w.state()
        code, answer = w.muster(who, args + more)
        assert code == 4 and answer["error"]["code"] == "denied", (name, answer)
        assert "sudo" in answer["error"]["next_step"], name
        assert w.state() == before, name


def done(w, who):
    """Each operation does what it is for, and the next command sees it."""
    m = w.machine

    def do(name, *more):
        code, answer = w.muster(who, FOR_ADMINS[name] + list(more))
        assert code == 0, (name, answer)
        return answer

    assert do("set-host")["hosts"] == ["kms.example:1688"]
    assert do("clear-host")["hosts"] == []
    assert do("set-domain")["domain"] == "example.com"
    assert do("set-caching")["caching"] is False
    settings = m.ask(agent.SETTINGS)
    assert (settings["hosts"], settings["domain"], settings["caching"]) == \
        ([], "example.com", 0)
    do("install-key", w.key)
    with open(m.state("keys", demo.SERVER + ".key")) as f:
        assert f.read() == w.key + "\n"
    assert os.path.exists(m.lease(demo.SERVER))
    one, = do("rearm")["products"]
    assert one["state"] == "initial grace" and one["rearms_left"] == 4
    assert not os.path.exists(m.lease(demo.SERVER))
    assert do("generalize")["generalized"] is True
    publisher, = os.listdir(m.state("publishers"))
    data = open(m.state("publishers", publisher), "rb").read()
    assert data[28:44] == bytes(16)  # no CMID


@pytest.mark.parametrize("who", rows())
def test_b37_matrix(world, who):
    begin, is_admin = WHO[who]
    begin = begin(world.folder)
    before = world.state()
    for name, args in READING.items():
        code, answer = world.muster(begin, args)
        # the desktop is below its threshold
        assert code == (3 if name == "status" else 0), (name, answer)
        assert len(answer["products"]) == (2 if name == "status" else 1)
    assert world.state() == before
    code, answer = world.muster(begin, ["activate", demo.SERVER])
    assert code == 0 and answer["products"][0]["activated"], answer
    (done if is_admin else refused)(world, begin)
