# SPDX-License-Identifier: MIT
"""Goal: the example product works where it is activated, is polite where it
is not, and tells a copied lease from its own; it is built from the staged
files alone, as a product's developer would."""
import glob
import os
import re
import shutil
import subprocess
import uuid

import pytest

import agent
import demo
import faked_time

EXAMPLE = os.path.join(demo.REPO, "doc/example")
STAGE = os.path.join(demo.BIN, "../..")
LIBDIR = os.path.dirname(glob.glob(os.path.join(
    demo.BIN, "../lib/**/libmuster.so.0"), recursive=True)[0])


def array(data):
    return ", ".join(f"0x{b:02x}" for b in data)


def build(site, folder, n, catalogue=None):
    """The product of this site, for its machine n."""
    os.makedirs(folder)
    shutil.copy(os.path.join(EXAMPLE, "acme.c"), folder)
    key = array(bytes.fromhex(site.root_pk))
    with open(os.path.join(folder, "pinned.h"), "w") as f:
        f.write(f'''#include <muster/muster.h>
static const uint8_t pinned_product[] = {{{array(
    uuid.UUID(demo.SERVER).bytes)}}};
static const uint8_t pinned_root_keys[][MUSTER_ROOT_KEY_LEN] = {{{{{key}}}}};
#define PINNED_LEAST_SERIAL 1
#define PINNED_CATALOGUE "{catalogue or site.catalogue}"
#define PINNED_ROOT "{site.machine(n)}"
''')
    with open(os.path.join(EXAMPLE, "README.md")) as f:
        how = re.search(r"^    (cc .*)$", f.read(), re.M).group(1)
    env = {**os.environ, "PKG_CONFIG_PATH": os.path.join(LIBDIR, "pkgconfig"),
           "PKG_CONFIG_SYSROOT_DIR": STAGE,
           "PKG_CONFIG_ALLOW_SYSTEM_CFLAGS": "1",
           "PKG_CONFIG_ALLOW_SYSTEM_LIBS": "1"}
    subprocess.run(["sh", "-c", f"{how} -Wall -Werror -Wl,-rpath,{LIBDIR}"],
                   cwd=folder, env=env, check=True, timeout=240)
    return os.path.join(folder, "acme")


def acme(program, *args):
    p = subprocess.run([program, *args], capture_output=True, text=True,
                       timeout=240)
    return p.returncode, p.stdout, p.stderr


@pytest.fixture(scope="module")
def text(tmp_path_factory):
    path = tmp_path_factory.mktemp("text") / "a text"
    path.write_text("four words, no  more\n")
    return str(path)


@pytest.fixture(scope="module")
def busy(site):
    for n in range(1, 6):
        site.activate(n, demo.SERVER)
    return site


def test_activated_it_works_and_is_quiet(busy, text, tmp_path):
    program = build(busy, tmp_path / "acme", 5)
    assert acme(program, text) == (0, "4 words\n", "")
    code, out, err = acme(program, "--about")
    assert code == 0 and err == ""
    assert re.match(r"activated, (179|180) days left; 5 machines, 5 are", out)


@pytest.mark.bare
def test_b33_the_days_before_and_after_the_end(busy, text, tmp_path):
    program = build(busy, tmp_path / "acme", 5)

    def after(days):
        return acme(*faked_time.at(f"+{days}d"), program, text)

    assert after(150) == (0, "4 words\n", "")
    code, out, err = after(170)
    assert code == 0 and re.search(r"ends in (9|10) days", err)
    code, out, err = after(190)
    assert code == 0 and re.search(r"ran out, .*  (19|20) days are left", err)
    out = acme(*faked_time.at("+190d"), program, "--about")[1]
    assert "not activated" in out and re.search(r"(19|20) days are left", out)
    code, out, err = after(211)
    assert code == 3 and out == "" and "ran out" in err


def test_not_activated_it_is_polite(busy, text, tmp_path):
    program = build(busy, tmp_path / "acme", 20)
    code, out, err = acme(program, text)
    assert code == 3 and out == ""
    assert "never activated here" in err
    assert "--view" in err and "--activate" in err
    assert acme(program, "--view", text) == (0, "four words, no  more\n", "")


def test_b35_a_copied_lease_is_told_apart(busy, text, tmp_path):
    own, other = (os.path.join(busy.machine(n), "var/lib/muster/agent")
                  for n in (5, 21))
    os.makedirs(os.path.join(other, "leases"))
    lease = os.path.join("leases", demo.SERVER + ".lease")
    shutil.copy(os.path.join(own, lease), os.path.join(other, lease))
    program = build(busy, tmp_path / "acme", 21)
    code, out, err = acme(program, text)
    assert code == 3 and out == "" and "belongs to another machine" in err
    assert "belongs to another machine" in acme(program, "--about")[1]
    # the whole folder copied: no more than the grace it had
    shutil.copytree(own, other, dirs_exist_ok=True)
    code, out, err = acme(program, text)
    assert "belongs to another machine" in err and "days are left" in err
    # an activation of its own puts it right
    busy.activate(21, demo.SERVER)
    assert acme(program, text) == (0, "4 words\n", "")


def test_b35_a_lease_forged_in_one_bit_is_none(busy, text, tmp_path):
    program = build(busy, tmp_path / "acme", 5)
    path = os.path.join(busy.machine(5), "var/lib/muster/agent/leases",
                        demo.SERVER + ".lease")
    good = open(path, "rb").read()
    with open(path, "wb") as f:
        f.write(good[:200] + bytes([good[200] ^ 1]) + good[201:])
    try:
        assert "not activated" in acme(program, text)[2]
    finally:
        with open(path, "wb") as f:
            f.write(good)
    assert acme(program, text)[0] == 0


def test_activate_from_inside_the_product(busy, text, tmp_path):
    program = build(busy, tmp_path / "acme", 30)
    code, out, err = acme(program, "--activate")
    assert code == 1 and "the agent gave no answer: no connection" in err
    m = agent.Machine(busy, 30, [])
    m.start(wrap=agent.AS_ROOT)
    code, out, err = acme(program, "--activate")
    assert code == 1 and "no KMS host gave an answer" in err
    # the initial grace: it works, and says how long
    code, out, err = acme(program, text)
    assert code == 0 and out == "4 words\n"
    assert re.search(r"never activated here\.  (29|30) days are left", err)
    m.stop()
    m.hosts([f"127.0.0.1:{busy.port}"])
    m.start()
    assert acme(program, "--activate")[:2] in (
        (0, "activated, 179 days left\n"), (0, "activated, 180 days left\n"))
    assert acme(program, text) == (0, "4 words\n", "")
    assert f"127.0.0.1:{busy.port}" in acme(program, "--about")[1]
    m.stop()


def test_as_it_stands_it_says_that_no_key_is_pinned(text):
    program = os.path.join(STAGE, "../doc/example/acme")
    code, out, err = acme(program, text)
    assert code == 1 and out == "" and "public key is zero" in err
    assert acme(program, "--view", text)[0] == 0
    assert acme(program)[0] == 2


# what a block of the manual may use without declaring it
AROUND = """#include <muster/muster.h>
int block(struct muster_product self);
int
block(struct muster_product self)
{{
{}
	return 0;
}}
"""
PAGES = [path for path in glob.glob(demo.REPO + "/doc/**/*.md", recursive=True)
         if "\n```c\n" in open(path).read()]


def compiled(code):
    """What the compiler has to say of it, as strict as it can be."""
    return subprocess.run(
        ["cc", "-std=c11", "-pedantic", "-Wall", "-Wextra", "-Werror",
         "-Wswitch-enum", "-x", "c", "-I",
         os.path.join(demo.BIN, "../include"), "-c", "-o", "/dev/null", "-"],
        input=AROUND.format(code), capture_output=True, text=True,
        timeout=240)


@pytest.mark.parametrize("path", PAGES, ids=os.path.basename)
def test_the_c_of_a_page_compiles(path):
    """Where it has `...` a product has statements of its own: behind an `if`
    one that leaves, else one that goes on."""
    with open(path) as f:
        blocks = re.findall(r"^```c\n(.*?)^```$", f.read(), re.S | re.M)
    for code in blocks:
        code = re.sub(r"(\bif \(.*\)\n\s+)\.\.\.", r"\1return 1;", code)
        code = code.replace("...", "self.least_serial++;")
        p = compiled(code)
        assert p.returncode == 0, p.stderr
        states = re.findall(r"case MUSTER_\w+:\n", code)
        for gone in (*states, "        break;\n"):
            assert compiled(code.replace(gone, "", 1)).returncode != 0, gone
        assert len(states) == 5


def test_the_manual_has_c():
    assert [os.path.basename(path) for path in PAGES] == ["developer.md"]
