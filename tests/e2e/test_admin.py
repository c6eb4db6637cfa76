# SPDX-License-Identifier: MIT
"""Goal: a host gets its key, its certificate and its catalogues from the
administrator alone, and says precisely why it takes none of the wrong ones."""
import json
import os
import pty
import shutil
import socket
import subprocess
import termios
import time

import pytest

import demo


@pytest.fixture()
def bare(tmp_path):
    """A site whose host runs and has no key yet."""
    s = demo.Site(str(tmp_path))
    s.publish()
    s.start()
    yield s
    s.stop()


def muster(site, *args, text=None, root=None):
    p = subprocess.run([os.path.join(demo.BIN, "muster"), *args, "--root",
                        root or site.host_root, "--json"], input=text,
                       capture_output=True, text=True, timeout=90)
    return p.returncode, json.loads(p.stdout)


def error(answer, code=1):
    assert answer[0] == code, answer
    e = answer[1]["error"]
    assert e["message"] and e["next_step"]
    return e["code"]


def install(site, text):
    return muster(site, "host", "install-key", text=text)


def status(site):
    return muster(site, "host", "status")[1]["publishers"][0]


def direct(site, product, n=1):
    return muster(site, "activate", "--direct", "--host",
                  f"127.0.0.1:{site.port}", "--product", product,
                  root=site.machine(n))


def resign(site, products, name="new.muster", back=True, drop=False):
    """The publisher's next catalogue, of other products."""
    conf, out = site.path("next.conf"), site.path(name)
    with open(conf, "w") as f:
        f.write(products)
    where = ("--dir", site.path("authority"))
    prepared = site.path("next.json")
    demo.run("muster-authority", "catalogue", "prepare", *where, "-o", prepared)
    demo.run("muster-authority", "catalogue", "sign", "--root-key",
             site.path("vault", "root.key"), "--passphrase-file",
             site.path("vault", "passphrase"), "--prepared", prepared, conf,
             "-o", out, "--previous", site.catalogue,
             *(["--drop"] if drop else []))
    if back:
        demo.run("muster-authority", "catalogue", "import", *where, out)
    return out


def post(site, path, body):
    """Straight to the daemon, past the checks of the command."""
    data = json.dumps(body).encode()
    with socket.socket(socket.AF_UNIX) as s:
        s.settimeout(10)
        s.connect(os.path.join(site.host_root, "run/muster/host.sock"))
        s.sendall(b"POST %s HTTP/1.1\r\nHost: localhost\r\n"
                  b"Content-Type: application/json\r\nConnection: close\r\n"
                  b"Content-Length: %d\r\n\r\n" % (path.encode(), len(data)) +
                  data)
        out = b"".join(iter(lambda: s.recv(65536), b""))
    head, text = out.split(b"\r\n\r\n", 1)
    return int(head.split()[1]), json.loads(text)


def test_b43_a_client_setup_key_is_no_host_key(bare):
    setup = open(bare.path("acme.key")).read().split()[0]
    assert error(install(bare, setup + "\n")) == "kind"
    code, answer = post(bare, "/v1/install-key", {"key": setup})
    assert (code, answer["error"]["code"]) == (422, "key_kind")
    assert status(bare)["host_key_number"] is None


def test_b43_a_mistyped_key_is_refused_before_anything_is_sent(bare):
    key = bare.host_key
    swapped = key[:6] + key[7] + key[6] + key[8:]
    wrong = key[:-1] + ("0" if key[-1] != "0" else "1")
    for text, code in ((wrong, "typo"), (swapped, "typo"),
                       (key[:-1], "trunc"), (key + "0", "proto"),
                       (key[:-1] + "!", "proto"), (key * 3, "toobig"),
                       ("", "trunc")):
        if text != key:
            assert error(install(bare, text + "\n")) == code
    assert status(bare)["host_key_number"] is None


def test_b43_a_client_takes_its_setup_key_and_no_host_key(bare):
    root = bare.machine(1)

    def client(*args):
        return muster(bare, "install-key", *args, root=root)

    keys = open(bare.path("acme.key")).read().split()
    answers = [client(key) for key in keys]
    assert [code for code, _ in answers] == [0, 0]
    assert {a["product"] for _, a in answers} == {demo.DESKTOP, demo.SERVER}
    assert {a["name"] for _, a in answers} == {"Acme Desktop", "Acme Server"}
    assert not any(a["stored"] for _, a in answers)
    # as it may be typed
    assert client(*keys[0].lower().split("-"))[0] == 0
    wrong = keys[0][:-1] + ("0" if keys[0][-1] != "0" else "1")
    for args, code in (((bare.host_key,), "kind"), ((wrong,), "typo"),
                       ((keys[0][:-1],), "trunc"),
                       ((keys[0], keys[1]), "proto"),
                       ((keys[0],) * 3, "toobig")):
        answer = client(*args)
        assert error(answer) == code
        assert bare.host_key not in json.dumps(answer[1])
    assert "KMS hosts" in client(bare.host_key)[1]["error"]["message"]
    # a key of a product that nobody knows here
    os.unlink(os.path.join(root, "usr/share/muster/catalogues/acme.muster"))
    assert error(client(keys[0])) == "product"
    assert client(keys[0], "--catalogue", bare.catalogue)[0] == 0
    assert not os.path.exists(os.path.join(root, "var"))


def test_b43_typed_keys_are_forgiving(bare):
    text = bare.host_key.lower().replace("-", " ").replace("0", "o")
    assert install(bare, text + "\n")[0] == 0
    assert status(bare)["host_key_number"] == 1


def test_a_host_key_that_is_typed_is_not_shown(bare):
    terminal, there = pty.openpty()
    p = subprocess.Popen([os.path.join(demo.BIN, "muster"), "host", "install-key", "--root", bare.host_root],
                         stdin=there, stdout=subprocess.PIPE, stderr=subprocess.PIPE)

    def echoes():
        return bool(termios.tcgetattr(there)[3] & termios.ECHO)
    assert p.stderr.read(10) == b"Host key: "
    # asked for before the echo is off, and what was typed until then is dropped
    end = time.monotonic() + 60
    while echoes():
        assert p.poll() is None and time.monotonic() < end, "it is shown"
        time.sleep(0.01)
    os.write(terminal, bare.host_key.encode() + b"\n")
    out, err = p.communicate(timeout=60)
    assert p.returncode == 0, err
    assert echoes()
    os.set_blocking(terminal, False)
    try:
        shown = os.read(terminal, 1000)
    except BlockingIOError:
        shown = b""
    key = bare.host_key.encode()
    assert key not in shown + out + err and key[:5] not in shown
    assert status(bare)["host_key_number"] == 1
    os.close(terminal)
    os.close(there)


def test_a_host_key_on_the_command_line_is_refused(bare):
    code = error(muster(bare, "host", "install-key", bare.host_key), 2)
    assert code == "key_on_command_line"


def test_b6_host_without_certificate_counts_nothing(bare):
    code, answer = direct(bare, demo.DESKTOP)
    assert code == 1
    assert answer["targets"][0]["outcome"] == "host_not_activated"
    bare.activate_host()
    assert direct(bare, demo.DESKTOP)[1]["count"] == 1


def test_b6_level_too_low_is_not_covered(bare):
    bare.activate_host()
    newer = demo.PRODUCTS.replace(
        f'"{demo.SERVER}"; name = "Acme Server"; group = 1; class = "server";\n'
        "     threshold = 5; line = 0; level = 1;",
        f'"{demo.SERVER}"; name = "Acme Server"; group = 1; class = "server";\n'
        "     threshold = 5; line = 0; level = 2;")
    assert newer != demo.PRODUCTS
    new = resign(bare, newer)
    assert muster(bare, "catalogue", "install", new)[0] == 0
    code, answer = direct(bare, demo.SERVER)
    assert code == 1
    assert answer["targets"][0]["outcome"] == "not_covered"
    code, answer = direct(bare, demo.DESKTOP)
    assert (code, answer["count"]) == (3, 1)


def test_b44_a_catalogue_brings_a_product_to_a_running_host(bare):
    bare.activate_host()
    third = "5b0c1a52-7d7e-4b8e-9a51-0d3f5c7a1e03"
    more = demo.PRODUCTS.replace("products = (", f"""products = (
      {{ id = "{third}"; name = "Acme Tool"; group = 1; class = "server";
         threshold = 1; line = 0; level = 1; }},""")
    new = resign(bare, more)
    machine = bare.machine(1)
    shutil.copy(new, os.path.join(
        machine, "usr/share/muster/catalogues/acme.muster"))
    code, answer = direct(bare, third)
    assert answer["targets"][0]["outcome"] == "unknown_product"
    assert muster(bare, "catalogue", "install", new)[0] == 0
    code, answer = direct(bare, third)
    assert (code, answer["count"], answer["activated"]) == (0, 1, True)
    # older ones, altered ones and strangers' are refused
    assert error(muster(bare, "catalogue", "install", bare.catalogue)) == \
        "catalogue_old"
    data = bytearray(open(new, "rb").read())
    for at in range(0, len(data), 97):
        data[at] ^= 1
        with open(bare.path("bad.muster"), "wb") as f:
            f.write(data)
        assert muster(bare, "catalogue", "install", bare.path("bad.muster"))[0] == 1
        data[at] ^= 1
    assert status(bare)["catalogue_serial"] == 2
    # and the newest survives a restart
    bare.kill()
    bare.start()
    assert status(bare)["catalogue_serial"] == 2


@pytest.mark.parametrize("step", [7, pytest.param(1, marks=pytest.mark.long)])
def test_b40_only_its_own_certificate_is_taken(bare, step):
    bare.activate_host()
    cert = bytearray(open(bare.path("host.cert"), "rb").read())
    for at in range(0, len(cert), step):
        cert[at] ^= 1
        with open(bare.path("bad.cert"), "wb") as f:
            f.write(cert)
        answer = muster(bare, "host", "confirm", "--file", bare.path("bad.cert"))
        assert answer[0] == 1, at
        cert[at] ^= 1
    assert status(bare)["certificate"]["good"] is True


def test_b41_six_hosts_and_no_seventh(bare):
    outcomes = []
    for n in range(7):
        root = bare.path(f"host{n}")
        bare.stop()
        bare.host_root, bare.port = root, 0
        bare.start()
        assert install(bare, bare.host_key + "\n")[0] == 0
        request, cert = bare.path(f"r{n}"), bare.path(f"c{n}")
        assert muster(bare, "host", "activate", "--offline", "--file",
                      request)[0] == 0
        p = subprocess.run(
            [os.path.join(demo.BIN, "muster-authority"), "activate", "--dir",
             bare.path("authority"), "--file", request, "-o", cert],
            capture_output=True, text=True, timeout=90)
        outcomes.append(p.returncode)
    assert outcomes == [0] * 6 + [1]
    assert "6" in p.stdout + p.stderr


def test_remove_key(bare):
    assert muster(bare, "host", "status")[0] == 3
    bare.activate_host()
    code, facts = muster(bare, "host", "status")
    assert code == 0 and facts["store"]["last_outcome"] == "ok"
    assert muster(bare, "host", "remove-key")[0] == 0
    assert muster(bare, "host", "status")[0] == 3
    assert status(bare)["host_key_number"] is None
    assert direct(bare, demo.DESKTOP)[1]["targets"][0]["outcome"] == \
        "host_not_activated"


def test_no_daemon_is_exit_5(bare):
    bare.stop()
    assert error(muster(bare, "host", "status"), 5)
