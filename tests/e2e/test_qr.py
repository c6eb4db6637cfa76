# SPDX-License-Identifier: MIT
"""Goal: a request leaves the host as a picture and a certificate comes back
as one; programs that know nothing of Muster draw and read them."""
import os
import subprocess

import pytest

import phonecode
from test_admin import error, muster, status
from test_phone import AUTHORITY, Terminal, authority, bare  # noqa: F401

SCALE = 4  # dots a module, for the reader


def tool(*args, data=None):
    p = subprocess.run(args, input=data, capture_output=True, timeout=240)
    assert p.returncode == 0, (args, p.stderr)
    return p.stdout


def scan(path):
    """What zbarimg reads; a base-45 text has no line end."""
    out = tool("zbarimg", "--quiet", "--raw", "-Sdisable", "-Sqrcode.enable",
               path).decode()
    assert out.endswith("\n") and out.count("\n") == 1
    return out[:-1]


def scan_svg(path, folder):
    png = os.path.join(folder, "code.png")
    tool("rsvg-convert", "-w", "600", "-o", png, path)
    return scan(png)


def scan_screen(text, folder):
    """Half blocks or ## on a screen as a picture."""
    rows = []
    for line in text.splitlines():
        if "#" in line:
            rows.append([c == "#" for c in line[::2]])
        else:
            rows.append([c in "\u2580\u2588" for c in line])
            rows.append([c in "\u2584\u2588" for c in line])
    side = max(map(len, rows))
    rows = [r + [False] * (side - len(r)) for r in rows]
    rows = rows[:side]
    dots = "".join(("".join(str(int(d)) * SCALE for d in r) + "\n") * SCALE
                   for r in rows)
    pbm = os.path.join(folder, "code.pbm")
    with open(pbm, "w") as f:
        f.write(f"P1\n{side * SCALE} {len(rows) * SCALE}\n{dots}")
    return scan(pbm)


def test_b40_the_qr_story(bare, tmp_path):  # noqa: F811
    picture = bare.path("request.svg")
    rc, out = muster(bare, "host", "activate", "--offline", "--qr", "--file",
                     picture)
    assert rc == 0
    text = scan_svg(picture, tmp_path)
    assert text == out["request_base45"]
    assert phonecode.base45_bytes(text).hex() == out["request"]
    back = bare.path("certificate.svg")
    got = authority(bare, "--qr", text, "-o", back)
    answer = scan_svg(back, tmp_path)
    assert answer == got["certificate_base45"]
    assert phonecode.base45_bytes(answer).hex() == got["certificate"]
    bad = answer[:40] + ("0" if answer[40] != "0" else "1") + answer[41:]
    assert error(muster(bare, "host", "confirm", "--qr", bad)).startswith(
        "certificate")
    assert error(muster(bare, "host", "confirm", "--qr", answer[:-2])) == "trunc"
    assert error(muster(bare, "host", "confirm", "--qr", answer[:-3])) == "proto"
    assert not status(bare)["activated"]
    rc, out = muster(bare, "host", "confirm", "--qr", "-", text=answer + "\r\n")
    assert rc == 0 and status(bare)["activated"]
    assert muster(bare, "host", "confirm", "--qr", answer)[1]["already"]


@pytest.mark.parametrize("locale, mark", [("C.UTF-8", "\u2580"), ("C", "##")])
def test_b40_the_screen_can_be_scanned(bare, tmp_path, locale, mark):  # noqa: F811
    env = {k: v for k, v in os.environ.items()
           if not k.startswith("LC_") and k != "NO_COLOR"}
    env["LANG"] = env["LC_ALL"] = locale
    t = Terminal(bare, "host", "activate", "--offline", "--qr", env=env)
    rc, out = t.end()
    assert rc == 0 and mark in out
    lines = [x.rstrip("\r") for x in out.split("\n")]
    code = [x[len("\033[30;47m"):-len("\033[0m")] for x in lines
            if x.startswith("\033[30;47m")]
    assert code and all(x.endswith("\033[0m") for x in lines
                        if x.startswith("\033[30;47m"))
    # four light modules on each side
    assert not any(line[:4].strip() or line[-4:].strip() for line in code)
    text = scan_screen("\n".join(code), tmp_path)
    assert text in lines


@pytest.mark.parametrize("value", ["", "1"])
def test_who_wants_no_colours_gets_none(bare, value):  # noqa: F811
    t = Terminal(bare, "host", "activate", "--offline", "--qr",
                 env={**os.environ, "NO_COLOR": value})
    rc, out = t.end()
    assert rc == 0 and ("\033" in out) == (value == "")


def test_b40_the_operators_screen_can_be_scanned(bare, tmp_path):  # noqa: F811
    rc, out = muster(bare, "host", "activate", "--offline", "--qr")
    assert rc == 0
    said = tool("env", "LC_ALL=C.UTF-8", AUTHORITY, "activate", "--dir",
                bare.path("authority"), "--qr",
                out["request_base45"]).decode().split("\n")
    assert not any("\033" in x for x in said)  # it is no terminal
    code = [x for x in said if set(x) & set("\u2580\u2584\u2588")]
    text = scan_screen("\n".join([" " * 8] * 2 + code), tmp_path)
    assert text in said
    assert muster(bare, "host", "confirm", "--qr", text)[0] == 0


def test_b40_a_picture_that_cannot_be_written(bare):  # noqa: F811
    got = muster(bare, "host", "activate", "--offline", "--qr", "--file",
                 bare.path("none", "x.svg"))
    assert error(got) == "noent"
