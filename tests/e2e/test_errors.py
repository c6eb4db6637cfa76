# SPDX-License-Identifier: MIT
"""Goal: each error names its cause and the path, and what to do now, with one
spelling of its code and its exit code in every command."""
import json
import os
import re
import socket
import subprocess
import threading

import pytest

import demo

PRODUCT = demo.DESKTOP


def run(*args, program="muster", text=None, prefix=()):
    p = subprocess.run([*prefix, os.path.join(demo.BIN, program), *args],
                       input=text, capture_output=True, text=True, timeout=90)
    assert "Assertion" not in p.stderr, p.stderr
    return p


def error(*args, words=0, **more):
    """--json after the words of the command: the last option may lack its
    value."""
    p = run(*args[:words], "--json", *args[words:], **more)
    e = json.loads(p.stdout)["error"]
    assert set(e) == {"code", "message", "next_step"}
    assert re.fullmatch("[a-z][a-z_]*", e["code"]), e
    assert e["message"] and e["next_step"]
    return p.returncode, e["code"], e["message"]


@pytest.fixture()
def files(tmp_path):
    """Paths by name; `junk` is there and is nothing."""
    (tmp_path / "junk").write_text("this is nothing\n")
    (tmp_path / "etc").mkdir()
    (tmp_path / "etc/machine-id").write_text("ab" * 16 + "\n")
    return {"ROOT": str(tmp_path), "NONE": str(tmp_path / "none"),
            "JUNK": str(tmp_path / "junk")}


@pytest.mark.parametrize("line, exit_code, code, names", [
    ("host install-key --file NONE", 1, "noent", "NONE"),
    ("host install-key --file JUNK", 1, "trunc", "host key"),
    ("host confirm --file NONE", 1, "noent", "NONE"),
    ("host confirm --file JUNK", 1, "proto", "JUNK"),
    ("host status", 5, "no_daemon", "ROOT"),
    ("catalogue show NONE", 1, "noent", "NONE"),
    ("catalogue show JUNK", 1, "trunc", "JUNK"),
    ("catalogue install NONE", 1, "noent", "NONE"),
    ("catalogue install JUNK", 1, "trunc", "JUNK"),
    ("ping 127.0.0.1:1", 5, "connect", "127.0.0.1:1"),
    ("ping a:b", 2, "proto", "host"),
    ("verify NONE --catalogue JUNK --root-key JUNK", 1, "noent", "NONE"),
    ("verify JUNK --catalogue JUNK --root-key JUNK", 1, "proto", "JUNK"),
    (f"activate --direct --host h --product {PRODUCT} --catalogue NONE",
     1, "noent", "NONE"),
    (f"activate --direct --host h --product {PRODUCT} --catalogue JUNK",
     1, "trunc", "JUNK"),
    (f"activate --direct --host h --product {PRODUCT}",
     1, "noent", "var/lib/muster/catalogues"),
    (f"activate --product {PRODUCT}", 5, "no_agent", "agent"),
    ("activate --direct --product x", 2, "usage", "--product"),
    ("host status --config NONE", 1, "noent", "NONE"),
    ("catalogue list --config ROOT", 1, "io", "ROOT"),
    ("verify --root-kye F", 2, "usage", "--root-kye is no option"),
    ("verify --root-kye=SECRET", 2, "usage", "--root-kye is no option"),
    ("verify L --root-key", 2, "usage", "--root-key lacks its value"),
    ("host clients --json=1", 2, "usage", "--json takes no value"),
    ("ping h -x", 2, "usage", "-x is no option"),
    ("host confirm --file a --file b", 2, "usage", "--file is given twice"),
    ("host", 2, "usage", "host needs a command"),
    ("host statsu", 2, "usage", "host statsu"),
    ("hots status", 2, "usage", "hots"),
    ("ping", 2, "usage", "HOST"),
    ("host status extra", 2, "usage", "no argument"),
    ("host dns list", 2, "usage", "show, publish, withdraw or audit"),
    ("host dns show extra", 2, "usage", "show, publish, withdraw or audit"),
    ("host dns audit", 5, "no_daemon", "ROOT"),
    ("host dns audit corp.example --resolver x", 1, "proto", "x"),
    ("host dns audit corp.example --resolver 127.0.0.1:1", 1, "noent", "catalogue folders"),
    ("host dns audit corp.example --resolver 127.0.0.1:1 --catalogue JUNK", 1, "trunc", "JUNK"),
    ("host activate", 2, "usage", "--online or --offline"),
    ("host activate --online --offline", 2, "usage", "--online or --offline"),
    ("host activate --online --qr", 2, "usage", "--online or --offline"),
    ("host activate --offline --ca F", 2, "usage", "--online or --offline"),
    ("host activate --offline --replaces 256", 2, "range", "--replaces"),
    ("host activate --offline --replaces 1x", 2, "range", "--replaces"),
    ("host confirm 1 --file JUNK", 2, "usage", "one answer"),
    ("host release 0", 2, "range", "1 to 255"),
    ("host restore JUNK --yes", 1, "no_folder", "var/lib/muster/host"),
    ("host backup NONE/a.backup", 1, "noent", "NONE/a.backup"),
    ("host backup JUNK", 1, "exist", "JUNK"),
    ("doctor Thing", 1, "product", "the product Thing"),
    ("doctor", 5, "no_agent", "no product is named"),
    ("doctor Thing --catalogue NONE", 1, "noent", "NONE"),
    ("doctor Thing --host a:b", 2, "proto", "a:b"),
    ("install-key HKHKH", 1, "trunc", "client setup key"),
    (f"activate --direct --host a:b --product {PRODUCT}", 2, "proto", "--host"),
    (f"activate --direct --resolver x --product {PRODUCT}", 2, "proto", "--resolver"),
    ("verify JUNK", 2, "usage", "--root-key"),
])
def test_errors_of_muster(files, line, exit_code, code, names):
    args = [files.get(word, word) for word in line.split()]
    words = len([word for word in args[:2] if word[0] != "-"])
    words = words if args[0] in ("host", "catalogue") else 1
    got = error(*args[:words], "--root", files["ROOT"], *args[words:],
                words=words)
    assert got[:2] == (exit_code, code), got
    assert files.get(names, names) in got[2], got
    assert "SECRET" not in got[2]


def test_a_machine_without_an_id_is_told_what_to_write(site, tmp_path):
    for args in (("activate", "--direct", "--host", "h", "--product", PRODUCT), ("doctor", "Thing")):
        p = run(*args, "--catalogue", site.catalogue, "--root", str(tmp_path))
        assert p.returncode == 1 and p.stdout == "", p
        assert "write 32 hex digits into /etc/machine-id" in p.stderr, p


def test_a_product_that_no_catalogue_has(site):
    p = run("activate", "--direct", "--host", "h", "--product", "00" * 4 + "-0000" * 3 + "-" + "0" * 12,
            "--root", site.machine(2))
    assert p.returncode == 1
    assert "check the id against `muster catalogue show FILE`" in p.stderr


def test_a_ping_by_a_catalogue_that_is_not_there(site, tmp_path):
    none = str(tmp_path / "none")
    got = error("ping", f"127.0.0.1:{site.port}", "--catalogue", none, words=1)
    assert got[:2] == (1, "noent") and none in got[2]


def test_an_audit_without_a_domain(site):
    got = error("host", "dns", "audit", "--root", site.host_root, words=3)
    assert got == (1, "no_domain", "this host publishes in no domain")


def test_a_root_that_is_too_long_for_a_socket(tmp_path):
    root = str(tmp_path) + "/" + "x" * 100
    for args in (("host", "status"), ("host", "clients", "--csv")):
        p = run(*args, "--root", root)
        assert p.returncode == 1
        assert f"the path {root}/run/muster/host.sock is over" in p.stderr
        assert "choose a shorter --root" in p.stderr


def answer(status, body):
    return b"HTTP/1.1 %s\r\nContent-Length: %d\r\nConnection: close\r\n\r\n%s" % (status, len(body), body)


TOLD = json.dumps({"error": {"code": "some", "message": "it is so", "next_step": "do that"}}).encode()


@pytest.mark.parametrize("line", ["host status", "host clients --csv"])
@pytest.mark.parametrize("said, exit_code, words", [
    (b"", 1, "musterd broke off or answered too late\n  see its log"),
    (answer(b"200 OK", b"[1]")[:-3], 1, "musterd broke off or answered too late\n  see its log"),
    (answer(b"500 Error", b"{}"), 1, "the daemon's answer is not understood\n  see its log"),
    (answer(b"403 Forbidden", b""), 1, "musterd broke off or answered too late\n  see its log"),
    (answer(b"403 Forbidden", TOLD), 4, "it is so\n  do that"),
    (answer(b"409 Conflict", TOLD), 1, "it is so\n  do that")],
    ids=["nothing", "half", "another", "denied-alone", "denied", "refused"])
def test_what_is_no_answer_of_musterd(tmp_path, line, said, exit_code, words):
    os.makedirs(tmp_path / "run/muster")
    with socket.socket(socket.AF_UNIX) as s:
        s.bind(str(tmp_path / "run/muster/host.sock"))
        s.listen()

        def serve():
            c, _ = s.accept()
            with c:
                c.recv(65536)
                c.sendall(said)

        thread = threading.Thread(target=serve)
        thread.start()
        p = run(*line.split(), "--root", str(tmp_path))
        thread.join()
    assert (p.returncode, p.stdout) == (exit_code, ""), p
    assert words in p.stderr and p.stderr.startswith("muster: "), p


@pytest.mark.parametrize("line, exit_code, code, names", [
    ("key list --dir NONE", 1, "noent", "NONE"),
    ("key list --config NONE", 1, "bad_config", "NONE"),
    ("key list --config JUNK", 1, "bad_config", "JUNK:1"),
    ("key list --dir ROOT --config NONE", 1, "bad_config", "NONE"),
    ("catalogue sign --root-key JUNK --prepared NONE JUNK -o JUNK", 1, "noent",
     "NONE"),
    ("catalogue sign --root-key J --prepared N J -o J --config NONE", 1,
     "bad_config", "NONE"),
    ("key issue --dir ROOT --level x --customer C", 2, "bad_number",
     "--level"),
    ("key issue --dir ROOT --level 1 --customer C --lines 9", 2, "bad_lines",
     "--lines"),
    ("key issue --level 1 --level 2", 2, "option_twice", "--level"),
    ("key list --dri X", 2, "bad_option", "--dri"),
    ("key list -o", 2, "bad_option", "-o lacks"),
    ("key", 2, "no_command", "key"),
])
def test_errors_of_the_authority(files, line, exit_code, code, names):
    args = [files.get(word, word) for word in line.split()]
    got = error(*args, program="muster-authority")
    assert got[:2] == (exit_code, code), got
    for name, path in files.items():
        names = names.replace(name, path)
    assert names in got[2], got


@pytest.mark.parametrize("group", ["host", "catalogue"])
def test_help_of_a_group_lists_its_commands(group):
    p = run(group, "--help")
    assert p.returncode == 0 and p.stderr == ""
    listed = re.findall(r"^  muster (\S+) (\S+)", p.stdout, re.M)
    assert len(listed) >= 3 and {g for g, _ in listed} == {group}


def stranger():
    """A prefix that runs a command as a user without rights."""
    if os.geteuid() == 0:
        return ("setpriv", "--reuid", "65534", "--regid", "65534",
                "--clear-groups")
    return ()


def open_to_all(folder):
    while folder != "/":
        mode = os.stat(folder).st_mode
        if mode & 0o011 != 0o011 and os.stat(folder).st_uid == os.geteuid():
            os.chmod(folder, mode | 0o011)
        folder = os.path.dirname(folder)


def test_a_socket_without_right_is_exit_4(site):
    sock = os.path.join(site.host_root, "run/muster/host.sock")
    open_to_all(os.path.dirname(sock))
    mode = os.stat(sock).st_mode & 0o777
    assert mode == 0o660
    if os.geteuid() != 0:
        os.chmod(sock, 0)
    got = error("host", "status", "--root", site.host_root, words=2,
                prefix=stranger())
    os.chmod(sock, mode)
    assert got[:2] == (4, "denied") and sock in got[2]


def test_a_folder_without_right_is_exit_4_and_named(site):
    root = site.machine(1)
    open_to_all(root)
    os.makedirs(os.path.join(root, "var"), exist_ok=True)
    os.chmod(os.path.join(root, "var"), 0o555)
    got = error("activate", "--direct", "--host", f"127.0.0.1:{site.port}",
                "--product", PRODUCT, "--root", root, words=1,
                prefix=stranger())
    os.chmod(os.path.join(root, "var"), 0o755)
    assert got[:2] == (4, "denied"), got
    assert os.path.join(root, "var/lib/muster/agent") in got[2]


def test_a_request_that_cannot_be_written_is_named(site):
    path = os.path.join(site.host_root, "none", "request")
    got = error("host", "activate", "--offline", "--file", path, "--root",
                site.host_root, words=2)
    assert got[:2] == (1, "noent") and path in got[2]
