#!/usr/bin/python3
# SPDX-License-Identifier: MIT
"""Follow a guide: run its shell blocks, and hold what they say against it.

    guides.py [--list | --installed | --first] GUIDE.md...

A fence of `sh` is a block.  The blocks of a guide run in their order in one
shell, in a folder of its own, with a network and processes of its own and the
staged programs.  A guide with `<!-- needs: root -->` in it is also given an
/etc, /usr, /var and /run of its own, in which the programs are installed.
A fence of `text` right behind a block is what it prints; `...`
stands for anything within a line, and alone on a line for any lines.
A comment in front of a block, which a reader does not see, says otherwise:

    <!-- not run: WHY -->         left out, counted and listed
    <!-- run instead: COMMAND --> run in its place, counted and listed
    <!-- with packages: WHY -->   left out where the programs are staged
    <!-- exit: N -->              its failing commands end with N
    <!-- before: COMMAND -->      runs first: what the reader has from others

Where a guide says `systemctl`, `as-service UNIT` is what may run in its place:
the unit's program as the unit's user, with its folder and its socket.
After a block with a command in the background each of these must have said
that it is ready, as services tell systemd; so must, again, who got a SIGHUP.

With --installed this machine is the reader's, with systemd and packages: what
runs instead, or only with packages, is then the block itself.  It is for a
machine that is thrown away, as tools/deb-guides.sh makes it.
"""
import argparse
import fcntl
import os
import pwd
import re
import shutil
import socket
import subprocess
import sys
import tempfile
import time

REPO = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
BIN = os.environ.get("MUSTER_BIN", os.path.join(REPO, "build/stage/usr/bin"))
USR = os.path.dirname(os.path.normpath(BIN))
READY_S = 60
# where tools/deb-guides.sh puts them for --first
ELSEWHERE = "/opt/publisher"
LEFT_OUT = ("not run", "with packages")
REPLACED = (*LEFT_OUT, "run instead")
LAID_OVER = ("etc", "usr", "var", "run")

FENCE = re.compile(r"^(`{3,})(\w*)[ \t]*$")
REMARK = re.compile(r"^<!-- (not run|run instead|with packages|exit|before): (.*) -->$")
NEEDS_ROOT = "<!-- needs: root -->"

# The file systems are laid over before anything runs; what a block writes
# goes to memory and ends with the namespace.
VIEW = """
set -eu
mount -t tmpfs guide "$1/over"
for d in $2; do
	mkdir -p "$1/over/$d/up" "$1/over/$d/work"
	mount -t overlay guide -o "lowerdir=/$d,upperdir=$1/over/$d/up,workdir=$1/over/$d/work" "/$d"
done
cp -a "$3/." /usr/
ldconfig
rm -rf /etc/muster /var/lib/muster /run/muster
systemd-sysusers /usr/lib/sysusers.d/muster*.conf
systemd-tmpfiles --create /usr/lib/tmpfiles.d/muster*.conf
mkdir -p /etc/muster /run/muster /var/lib/muster /usr/share/muster/products /usr/share/muster/catalogues
for unit in musterd muster-agent muster-authority; do /usr/bin/python3 "$4" --state $unit; done
echo nameserver 127.0.0.1 >/etc/resolv.conf
echo kms1 >/etc/hostname
echo 127.0.0.1 kms1.corp.example kms1 localhost >/etc/hosts
hostname kms1
"""
# Each block is named on standard input; its failing commands and pipes, then
# a dot, are told on descriptor 9.
SHELL = r"""
set -o pipefail
trap 'echo $? >&9' ERR
while read -r block <&8; do
	. "$block" >"$block.out" 2>&1 </dev/null
	echo . >&9
done
"""

# `. publisher`: catalogue, client setup keys and host key of Acme, and its
# authority with a CA of its own, as a customer has them from it; its id, as it
# is told by another way.  For sh, too, which knows no pipefail: so no pipes.
PUBLISHER = r"""
umask 077
mkdir ~/acme
(set -e
cd ~/acme
echo correct horse >phrase
cat >products.conf <<'END'
groups = ( { number = 1; name = "Acme systems"; } );
products = (
  { id = "5b0c1a52-7d7e-4b8e-9a51-0d3f5c7a1e02"; name = "Acme Server";
    group = 1; class = "server"; threshold = 5; line = 0; level = 1; } );
END
root="--root-key ../root.key --passphrase-file phrase"
muster-authority init --dir db --name Acme $root --seal-cost interactive \
    --url https://licence.acme.example:8443 >said
awk '/^root public key/ { print $4 }' said >../root.pub
awk '/^publisher id/ { print $3 }' said >../publisher-id
muster-authority catalogue prepare --dir db -o prepared
muster-authority catalogue sign $root --prepared prepared products.conf \
    -o ../acme.muster
muster-authority catalogue import --dir db ../acme.muster
muster-authority key issue --dir db --level 1 --customer 'St Elsewhere' >said
head -n 1 said >../host-key
ec="ec -pkeyopt ec_paramgen_curve:prime256v1 -nodes"
openssl req -x509 -newkey $ec -subj '/CN=Acme CA' -days 9 -keyout ca.key \
    -out ../authority-ca.pem
openssl req -newkey $ec -subj /CN=licence.acme.example -keyout tls.key -out req
echo subjectAltName=DNS:licence.acme.example,DNS:localhost >names
openssl x509 -req -in req -CA ../authority-ca.pem -CAkey ca.key -days 9 \
    -extfile names -out tls.pem) 2>&1
[ -z "${GUIDE_VIEW:-}" ] || echo 127.0.0.1 licence.acme.example >>/etc/hosts
muster-authority --dir ~/acme/db serve --listen 127.0.0.1:8443 \
    --tls-cert ~/acme/tls.pem --tls-key ~/acme/tls.key &
umask 022
chmod 644 ~/acme.muster ~/acme.key ~/root.pub ~/publisher-id \
    ~/authority-ca.pem
"""

# `. zone`: the site's zone, on the name server that it has anyway.
ZONE = r"""
cat >/var/lib/bind/corp.example <<'END'
$TTL 3600
@ SOA kms1 hostmaster 1 3600 600 86400 600
  NS kms1
kms1 A 127.0.0.1
END
chown bind: /var/lib/bind/corp.example
"""

# `. machine`: a machine of the site asks the host once.
MACHINE = r"""
mkdir -p ~/m/etc ~/m/usr/share/muster/catalogues
echo 00000000000000000000000000000001 >~/m/etc/machine-id
cp acme.muster ~/m/usr/share/muster/catalogues/
muster activate --direct --root ~/m --host 127.0.0.1 \
    --product 5b0c1a52-7d7e-4b8e-9a51-0d3f5c7a1e02 || [ $? -eq 3 ]
"""


class Block:
    def __init__(self, line, kind, argument, code):
        self.line = line
        self.kind = kind  # "run", or one of REPLACED
        self.argument = argument
        self.code = code
        self.exit = 0
        self.before = None
        self.expected = None


def parse(text):
    """The blocks of a guide, in order."""
    blocks, remarks, last, body, lang = [], {}, None, None, ""
    fence = begin = None
    for n, line in enumerate(text.splitlines(), 1):
        m = FENCE.match(line)
        if body is None and m:
            fence, lang, body, begin = m.group(1), m.group(2), [], n
        elif body is not None and line.rstrip() == fence:
            code = "\n".join(body) + "\n"
            if lang == "sh":
                kind = next((k for k in REPLACED if k in remarks), "run")
                last = Block(begin, kind, remarks.get(kind, ""), code)
                last.exit = int(remarks.get("exit", 0))
                last.before = remarks.get("before")
                blocks.append(last)
            elif lang == "text" and last is not None:
                last.expected = code
            remarks, body = {}, None
            if lang != "sh":
                last = None
        elif body is not None:
            body.append(line)
        elif REMARK.match(line):
            m = REMARK.match(line)
            remarks[m.group(1)] = m.group(2)
        elif line.strip():
            if remarks:
                raise ValueError(f"line {n}: a remark stands before no block")
            last = None
    if body is not None:
        raise ValueError(f"line {begin}: a fence that does not end")
    return blocks


def differs(expected, got):
    """The first line that does not fit, or None."""
    want = [re.sub(r"(\\\.){3}", ".*", re.escape(s.rstrip()))
            for s in expected.splitlines()]
    lines = [s.rstrip() for s in got.splitlines()]
    i = 0
    for k, pattern in enumerate(want):
        if pattern == ".*":
            if k + 1 == len(want):
                return None
            while i < len(lines) and not re.fullmatch(want[k + 1], lines[i]):
                i += 1
            continue
        if i >= len(lines) or not re.fullmatch(pattern, lines[i]):
            found = repr(lines[i]) if i < len(lines) else "the end"
            return f"expected {expected.splitlines()[k]!r}, found {found}"
        i += 1
    return f"found more: {lines[i]!r}" if i < len(lines) else None


class Follower:
    """One shell, and what its daemons say."""

    def __init__(self, folder, as_root, installed=False):
        self.folder = folder
        self.n = 0
        self.ready = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        path = os.path.join(folder, "ready")
        self.ready.bind(path)
        os.chmod(path, 0o666)
        self.ready.settimeout(READY_S)
        home = os.path.join(folder, "home")
        os.mkdir(home)
        os.chmod(folder, 0o711)  # daemons of other users say READY=1
        with open(os.path.join(folder, "as-service"), "w") as f:
            f.write(f"#!/bin/sh\nexec /usr/bin/python3 {os.path.abspath(__file__)} --service $1\n")
        os.chmod(f.name, 0o755)
        for name, script in (("publisher", PUBLISHER), ("zone", ZONE),
                             ("machine", MACHINE)):
            with open(os.path.join(folder, name), "w") as f:
                f.write(script)
        env = {"PATH": folder + ":/usr/sbin:/usr/bin:/sbin:/bin", "HOME": home,
               "LC_ALL": "C.UTF-8", "NOTIFY_SOCKET": path, "GUIDE_SOURCE": REPO}
        begin = "" if installed else "ip link set lo up\n"
        if installed:
            env["HOME"] = home = "/root"
            env["GUIDE_VIEW"] = "1"
        elif as_root:
            os.mkdir(os.path.join(folder, "over"))
            begin += VIEW
            env["GUIDE_VIEW"] = "1"  # /etc is ours to write
        else:
            env |= staged_env(folder)
        names, self.names = os.pipe()
        self.said, said = os.pipe()
        # out of the way of the shell's own 8 and 9
        low = names, said
        names, said = (fcntl.fcntl(fd, fcntl.F_DUPFD_CLOEXEC, 20)
                       for fd in low)
        for fd in low:
            os.close(fd)
        with open(os.path.join(folder, "shell"), "w") as f:
            f.write(SHELL)
        script = begin + f'exec bash "$1/shell" 8<&{names} 9>&{said} ' \
            f"{names}<&- {said}>&-\n"
        self.errors = open(os.path.join(folder, "shell.err"), "w+")
        apart = [] if installed else [
            "unshare", *([] if os.geteuid() == 0 else ["-r"]), "-mnu",
            "--pid", "--fork", "--kill-child", "--mount-proc"]
        self.shell = subprocess.Popen(
            [*apart, "bash", "-c", script, "guide", folder,
             " ".join(LAID_OVER), USR, os.path.abspath(__file__)],
            cwd=home, env=env, pass_fds=(names, said),
            stdin=subprocess.DEVNULL, stdout=self.errors, stderr=self.errors)
        os.close(names)
        os.close(said)
        self.lines = os.fdopen(self.said)

    def run(self, code, daemons=None):
        """What the commands that failed ended with, and the output."""
        self.n += 1
        path = os.path.join(self.folder, f"{self.n}.sh")
        with open(path, "w") as f:
            f.write(code)
        os.write(self.names, (path + "\n").encode())
        codes = []
        for line in self.lines:
            if line == ".\n":
                break
            codes.append(int(line))
        else:
            self.errors.seek(0)
            raise ChildProcessError("the shell ended: " + self.errors.read())
        if daemons is None:
            daemons = len(re.findall(r"&$|^kill -HUP ", code, re.M))
        for _ in range(daemons):
            try:
                while b"READY=1" not in self.ready.recv(4096):
                    pass
            except TimeoutError:
                codes.append("not ready")
        with open(path + ".out", errors="replace") as f:
            return codes, f.read()

    def close(self):
        os.close(self.names)
        self.shell.kill()
        self.shell.wait()
        self.lines.close()
        self.errors.close()
        self.ready.close()


def as_service(name, only_state):
    """Become the service of a unit: its folder, its socket, its user."""
    units = os.path.join(USR, "lib/systemd/system")
    with open(os.path.join(units, name + ".service")) as f:
        unit = dict(re.findall(r"^(User|StateDirectory|ExecStart)=(.*)$",
                               f.read(), re.M))
    user = pwd.getpwnam(unit["User"])
    state = os.path.join("/var/lib", unit["StateDirectory"])
    os.makedirs(state, 0o700, exist_ok=True)
    os.chown(state, user.pw_uid, user.pw_gid)
    if only_state:
        return
    path = os.path.join(units, name + ".socket")
    if os.path.exists(path):
        with open(path) as f:
            unit |= dict(re.findall(r"^(\w+)=(.*)$", f.read(), re.M))
        s = socket.socket(socket.AF_UNIX)
        if os.path.exists(unit["ListenStream"]):
            os.unlink(unit["ListenStream"])
        s.bind(unit["ListenStream"])
        os.chmod(unit["ListenStream"], int(unit["SocketMode"], 8))
        shutil.chown(unit["ListenStream"], group=unit.get("SocketGroup", 0))
        s.listen(128)
        os.dup2(s.fileno(), 3)
        os.set_inheritable(3, True)
        os.environ |= {"LISTEN_FDS": "1", "LISTEN_PID": str(os.getpid())}
    os.initgroups(unit["User"], user.pw_gid)
    os.setgid(user.pw_gid)
    os.setuid(user.pw_uid)
    program, *args = unit["ExecStart"].split()
    os.execv(program, [program, *args])


def staged_env(folder):
    """For who may not lay over /usr: the staged programs by variables."""
    lib = next(d for d, _, files in os.walk(os.path.join(USR, "lib"))
               if "libmuster.so.0" in files)
    return {"PATH": folder + ":" + BIN + ":" + os.path.join(USR, "sbin") +
            ":/usr/sbin:/usr/bin:/sbin:/bin",
            "LD_LIBRARY_PATH": lib,
            "PKG_CONFIG_PATH": os.path.join(lib, "pkgconfig"),
            "PKG_CONFIG_SYSROOT_DIR": os.path.dirname(USR),
            "PKG_CONFIG_ALLOW_SYSTEM_CFLAGS": "1",
            "PKG_CONFIG_ALLOW_SYSTEM_LIBS": "1"}


def follow(path, out=sys.stdout, installed=False):
    """Run a guide; True when all of it went as it says."""
    with open(path) as f:
        text = f.read()
    name = os.path.basename(path)
    blocks = parse(text)
    if installed:
        for b in blocks:
            b.kind = "run" if b.kind != "not run" else b.kind
    as_root = NEEDS_ROOT in text
    if (as_root or installed) and os.geteuid() != 0:
        raise PermissionError("needs root: " + name)
    folder = tempfile.mkdtemp(prefix="g.", dir="/tmp")
    follower = Follower(folder, as_root, installed)
    ran = {"run": 0, "run instead": 0, "compared": 0}
    try:
        for b in blocks:
            if b.before:
                codes, got = follower.run(b.before + "\n",
                                          b.before.count("publisher"))
                if codes:
                    raise ChildProcessError(f"{b.before}: {codes}\n{got}")
            if b.kind in LEFT_OUT:
                continue
            code = b.argument + "\n" if b.kind == "run instead" else b.code
            codes, got = follower.run(code)
            why = differs(b.expected, got) if b.expected is not None else None
            wanted = {b.exit} - {0}
            if set(codes) != wanted:
                why = f"commands that failed ended with {codes}, " \
                    f"{wanted or 'none'} was expected"
            if why:
                print(f"{name}:{b.line}: {why}\n--- the block\n{code}"
                      f"--- its output\n{got}", file=out)
                return False
            ran[b.kind] += 1
            ran["compared"] += b.expected is not None
    finally:
        follower.close()
        shutil.rmtree(folder, ignore_errors=True)
    if sum(b.kind not in LEFT_OUT for b in blocks) == 0:
        print(f"{name}: no block of it is run", file=out)
        return False
    tell(name, blocks, out, ran)
    return True


def first(path, out=sys.stdout):
    """The time that a guide takes from its `apt install` to the activation of
    a machine, one being enough; the publisher's programs lie elsewhere."""
    with open(path) as f:
        blocks = parse(f.read())
    begin = next(i for i, b in enumerate(blocks) if "apt install" in b.code)
    end = next(i for i, b in enumerate(blocks) if b.code == "muster activate\n")
    folder = tempfile.mkdtemp(prefix="g.", dir="/tmp")
    follower = Follower(folder, False, installed=True)
    try:
        with open(os.path.join(folder, "publisher"), "w") as f:
            f.write(PUBLISHER.replace("threshold = 5", "threshold = 1"))
        codes, got = follower.run(
            f"PATH={ELSEWHERE}/usr/bin:$PATH LD_LIBRARY_PATH="
            f"$(echo {ELSEWHERE}/usr/lib/*-linux-gnu) . publisher\n", 1)
        start, installed_s = time.monotonic(), None
        for b in blocks[begin:end + 1]:
            if codes or b.kind == "not run":
                continue
            codes, got = follower.run((b.before + "\n" if b.before else "") +
                                      b.code)
            installed_s = installed_s or time.monotonic() - start
        seconds = time.monotonic() - start
    finally:
        follower.close()
        shutil.rmtree(folder, ignore_errors=True)
    if codes:
        print(f"line {b.line}: ended with {codes}\n{got}", file=out)
        return False
    print(f"first: {seconds:.1f} s from an empty machine to its activation, "
          f"{installed_s:.1f} s of it apt install, by {end + 1 - begin} blocks "
          f"of {os.path.basename(path)}", file=out)
    return True


def tell(name, blocks, out, ran=None):
    """What ran, counted as it did; else what would."""
    if ran is None:
        ran = {k: sum(b.kind == k for b in blocks) for k in ("run", *REPLACED)}
        ran["compared"] = sum(b.expected is not None and b.kind not in LEFT_OUT
                              for b in blocks)
    left = sum(b.kind in LEFT_OUT for b in blocks)
    print(f"{name}: {ran['run']} blocks run, {ran['compared']} outputs "
          f"compared, {ran['run instead']} replaced, {left} not run", file=out)
    for b in blocks:
        if b.kind != "run":
            print(f"  line {b.line}: {b.kind}: {b.argument}", file=out)


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--list", action="store_true",
                        help="say what would not be run, and run nothing")
    parser.add_argument("--installed", action="store_true",
                        help="this machine is the reader's")
    parser.add_argument("--first", action="store_true", help="this machine is "
                        "the reader's: measure up to its first activation")
    for inner in ("--state", "--service"):
        parser.add_argument(inner, help=argparse.SUPPRESS)
    parser.add_argument("guide", nargs="*")
    args = parser.parse_args()
    if args.state or args.service:
        return as_service(args.state or args.service, bool(args.state))
    if args.list:
        for path in args.guide:
            with open(path) as f:
                tell(os.path.basename(path), parse(f.read()), sys.stdout)
        return 0
    if args.first:
        return 0 if all([first(path) for path in args.guide]) else 1
    return 0 if all([follow(path, installed=args.installed)
                     for path in args.guide]) else 1


if __name__ == "__main__":
    sys.exit(main())
