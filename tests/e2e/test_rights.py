# SPDX-License-Identifier: MIT
"""Goal: who can open host.sock reads; only uid 0, by the kernel's word,
changes (below --root also the user that runs musterd)."""
import json
import os
import stat
import subprocess
import tempfile

import pytest

import demo

IS_ROOT = os.geteuid() == 0
DAEMON, GROUP, STRANGER, NOBODY = 61001, 61002, 61003, 61004
CHANGES = (("install-key",), ("remove-key",),
           ("activate", "--offline", "--file", "/dev/null"))


def as_id(uid, gid, *groups):
    """The same command as another user; only root can."""
    extra = ("--groups", ",".join(map(str, groups))) if groups else \
        ("--clear-groups",)
    return ("setpriv", "--reuid", str(uid), "--regid", str(gid), *extra)


def muster(site, *args, prefix=(), text="\n"):
    p = subprocess.run([*prefix, os.path.join(demo.BIN, "muster"), "host",
                        *args, "--root", site.host_root, "--json"], input=text,
                       capture_output=True, text=True, timeout=90)
    return p.returncode, json.loads(p.stdout)


@pytest.fixture(scope="module")
def site():
    """Others can walk to the socket; nothing but its rights stops them."""
    with tempfile.TemporaryDirectory() as folder:
        os.chmod(folder, 0o711)
        s = demo.Site(folder)
        s.publish()
        s.start()
        s.activate_host()
        yield s
        s.stop()


def sock(site):
    return os.path.join(site.host_root, "run/muster/host.sock")


def test_the_socket_is_for_owner_and_group(site):
    st = os.stat(sock(site))
    assert stat.S_IMODE(st.st_mode) == 0o660
    assert st.st_uid == os.geteuid()


def test_below_root_the_owner_reads_and_changes(site):
    assert muster(site, "status")[0] == 0
    key = site.host_key + "\n"
    assert muster(site, "install-key", text=key)[0] == 0


def group_reads_and_changes_nothing(site):
    gid = os.stat(sock(site)).st_gid
    for who in (as_id(GROUP, gid), as_id(GROUP, NOBODY, gid)):
        code, answer = muster(site, "status", prefix=who)
        assert code == 0 and answer["publishers"]
        assert muster(site, "clients", prefix=who)[0] == 0
        before = muster(site, "status")[1]["publishers"]
        for change in CHANGES:
            text = site.host_key + "\n"
            code, answer = muster(site, *change, prefix=who, text=text)
            assert code == 4, (change, answer)
            assert answer["error"]["code"] == "denied"
            assert "root" in answer["error"]["next_step"]
        assert muster(site, "status")[1]["publishers"] == before


def others_do_not_even_connect(site):
    script = "import socket, sys; s = socket.socket(socket.AF_UNIX)\n" \
        "try: s.connect(sys.argv[1])\nexcept PermissionError: print('EACCES')"
    out = subprocess.run([*as_id(STRANGER, NOBODY), "/usr/bin/python3", "-c",
                          script, sock(site)], capture_output=True, text=True,
                         timeout=90)
    assert out.stdout == "EACCES\n", out
    assert muster(site, "status", prefix=as_id(STRANGER, NOBODY))[0] != 0


# Only root can be somebody else: a plain user has one id, which is the owner's.
if IS_ROOT:
    test_the_group_reads_and_changes_nothing = group_reads_and_changes_nothing
    test_others_do_not_even_connect = others_do_not_even_connect


def test_every_post_is_judged_before_its_body(site):
    """A body that is no JSON is 400 for who may, 403 for who may not."""
    script = """
import socket, sys
s = socket.socket(socket.AF_UNIX)
s.connect(sys.argv[1])
s.sendall(b"POST /v1/%s HTTP/1.1\\r\\nHost: x\\r\\nConnection: close\\r\\n"
          b"Content-Length: 1\\r\\n\\r\\n?" % sys.argv[2].encode())
print(s.recv(4096).split()[1].decode())
"""
    gid = os.stat(sock(site)).st_gid
    for path in ("install-key", "remove-key", "enrolment", "slots-ask",
                 "certificate",
                 "catalogue", "dns/publish", "dns/withdraw"):
        for who, want in (((), "400"), (as_id(GROUP, gid), "403")):
            if who and not IS_ROOT:
                continue
            out = subprocess.run([*who, "/usr/bin/python3", "-c", script,
                                  sock(site), path], capture_output=True,
                                 text=True, timeout=90)
            assert out.stdout.strip() == want, (path, out)


# A daemon without --root, which runs as a user of its own: its folders are
# made in a mount namespace.  BEGIN ends with the daemon at work.
BEGIN = """
set -eu
mount -t tmpfs tmpfs /var/lib
mount -t tmpfs tmpfs /run
mkdir -p /var/lib/muster /run/muster
echo 'listen = "127.0.0.1"; port = 0; status_listen = "off";' >/run/m.conf
"""
WAIT = """
n=0
until grep -q listening /run/log; do
	n=$((n + 1)); [ $n -lt 500 ] || { cat /run/log; exit 99; }
	sleep 0.02
done
"""


def test_the_daemons_own_user_is_no_administrator():
    """Whoever runs musterd as a service is not uid 0, and changes nothing."""
    muster = os.path.join(demo.BIN, "muster")
    start = f"{demo.BIN}/musterd --config /run/m.conf 2>/run/log &"
    if IS_ROOT:
        user = " ".join(as_id(DAEMON, DAEMON))
        script = BEGIN + f"chown -R {DAEMON}:{DAEMON} /var/lib/muster " \
            f"/run/muster\n{user} {start}\npid=$!\n" + WAIT + f"""
set +e
{user} {muster} host status --json >/run/out; echo own-reads $?
{user} {muster} host remove-key --json >/run/out; echo own-changes $?
{muster} host remove-key --json >/run/out; echo root-changes $?
grep -q no_publisher /run/out; echo past-the-right $?
kill $pid; wait $pid; echo end $?
"""
        want = {"own-reads": 3, "own-changes": 4, "root-changes": 1,
                "past-the-right": 0, "end": 0}
        cmd = ("unshare", "-m", "sh", "-c", script)
    else:
        # one id is all a plain user has: it is root outside of the inner
        # namespace, where the folders are made, and not root inside of it
        inner = start + "\npid=$!\n" + WAIT + f"""
set +e
{muster} host status --json >/run/out; echo own-reads $?
{muster} host remove-key --json >/run/out; echo own-changes $?
kill $pid; wait $pid; echo end $?
"""
        want = {"own-reads": 3, "own-changes": 4, "end": 0}
        cmd = ("unshare", "-rm", "sh", "-c", BEGIN + "exec unshare -U "
               f"--map-user={DAEMON} sh -c '{inner}'")
    p = subprocess.run(cmd, capture_output=True, text=True, timeout=240)
    got = {k: int(v) for k, v in (x.split() for x in p.stdout.splitlines())}
    assert got == want, p.stdout + p.stderr
