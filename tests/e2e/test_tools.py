# SPDX-License-Identifier: MIT
"""Goal: tools that know nothing of Muster understand what it speaks."""
import glob
import json
import os
import re
import shutil
import subprocess
import sys

import pytest

import demo


def test_b8_rpcinfo_finds_the_program(site):
    address = f"127.0.0.1.{site.port >> 8}.{site.port & 255}"
    path = os.environ["PATH"] + ":/usr/sbin:/sbin"
    p = subprocess.run(["rpcinfo", "-a", address, "-T", "tcp", "536876680",
                        "1"], capture_output=True, text=True, timeout=90,
                       env={**os.environ, "PATH": path})
    assert p.returncode == 0 and "ready and waiting" in p.stdout, p.stderr


def test_a_dissector_reads_call_and_reply(tmp_path):
    here = os.path.dirname(os.path.abspath(__file__))
    # root needs no user namespace, and in a chroot would not be given one
    own = ["-n"] if os.geteuid() == 0 else ["-r", "-n"]
    p = subprocess.run(
        ["unshare", *own, sys.executable,
         os.path.join(here, "capture.py"), str(tmp_path)],
        capture_output=True, text=True, timeout=480)
    assert p.returncode == 0, p.stderr
    seen = json.loads(p.stdout.splitlines()[-1])
    assert seen["answer"]["count"] == 1
    assert len(seen["sizes"]) == 2 and max(seen["sizes"]) <= 250
    assert " Call" in seen["rpc"] and " Reply" in seen["rpc"]


@pytest.mark.parametrize("tool,rows", [
    ("fuzz.sh", [("", "meson")]),
    ("instrumented.sh", [("sanitizers", "ninja"), ("threads", "meson"),
                         ("coverage", "meson"), ("memory", "meson")])])
def test_a_build_that_fails_says_why(tmp_path, tool, rows):
    """meson and ninja say it on standard output."""
    shutil.copytree(os.path.join(demo.REPO, "tools"), tmp_path / "tools")
    (tmp_path / "build").mkdir()
    for name in ("meson", "ninja"):
        fake = tmp_path / name
        fake.write_text(f"#!/bin/sh\necho {name} lacks a wheel\nexit 1\n")
        fake.chmod(0o755)
    env = {**os.environ, "PATH": f"{tmp_path}:{os.environ['PATH']}"}
    for row, says in rows:
        if says == "ninja":  # it was set up before
            (tmp_path / "build/asan").mkdir()
            (tmp_path / "build/asan/build.ninja").write_text("")
        p = subprocess.run(["sh", f"tools/{tool}", *row.split()],
                           cwd=tmp_path, env=env, capture_output=True,
                           text=True, timeout=240)
        assert p.returncode == 1, row
        assert re.search(f"^{says} lacks a wheel$", p.stdout, re.M), (row, p)


WAITS = """#!/bin/sh
[ -e alone.over ] || exit 1
touch %s.begun
for _ in $(seq 600); do [ ! -e %s.begun ] || exit 0; sleep 0.1; done
exit 1
"""


def test_rows_run_two_at_a_time_or_alone(tmp_path):
    """One that measures the machine before all others; and each is counted,
    with what it cost, and why it failed."""
    shutil.copytree(os.path.join(demo.REPO, "tools"), tmp_path / "tools")
    os.makedirs(tmp_path / "tests/e2e")
    os.makedirs(tmp_path / "build/tests")
    for name, text in (("oracle", WAITS % ("code", "programs")),
                       ("programs", WAITS % ("programs", "code")),
                       ("store_rot", "#!/bin/sh\necho so it is\nexit 1\n")):
        fake = tmp_path / "build/tests" / ("test_" + name)
        fake.write_text(text)
        fake.chmod(0o755)
    (tmp_path / "tests/e2e/flood.py").write_text(
        "import os\nassert not os.path.exists('code.begun')\n"
        "while os.times().user < 1.2:\n    pass\n"
        "open('alone.over', 'w')\n")
    (tmp_path / "tests/e2e/cluster_run.py").write_text(
        "import subprocess\nsubprocess.run(['build/tests/test_programs'], "
        "check=True)\nprint('all waited')\n")
    p = subprocess.run(["sh", "tools/test-long.sh", "oracle", "flood",
                        "cluster", "rot"], cwd=tmp_path, capture_output=True,
                       text=True, timeout=240)
    said = p.stdout.splitlines()
    assert p.returncode == 1 and said[-1] == "3 passed, 1 failed", p
    assert "so it is" in said[:-5]
    table = {line.split()[0]: line.split() for line in said[-5:-1]}
    assert {row: words[1] for row, words in table.items()} == {
        "flood": "passed", "oracle": "passed", "cluster": "passed",
        "rot": "FAILED"}
    assert 1 <= int(table["flood"][4]) < 60 and table["cluster"][-1] == "waited"
    assert (tmp_path / "build/long-rot.log").read_text() == "so it is\n"
    p = subprocess.run(["sh", "tools/test-long.sh", "nothing"], cwd=tmp_path,
                       capture_output=True, text=True, timeout=240)
    assert (p.returncode, p.stdout) == (1, "0 passed, 0 failed\n")


def test_each_row_has_a_lane():
    """One without it would never run."""
    lane = None
    rows = []
    with open(os.path.join(demo.REPO, "tools/test-long.sh")) as f:
        for line in f:
            if m := re.match(r"lane=(\w+)$", line):
                lane = m.group(1)
            elif m := re.match(r"row (\S+) ", line):
                rows.append(m.group(1))
                assert lane in ("alone", "programs", "code"), line
    assert len(rows) > 20 and len(set(rows)) == len(rows)


ENTRY = re.compile(r'^"([^"\\]|\\x[0-9a-f]{2})+"$')


def test_each_target_of_the_fuzzer_has_seeds_and_words():
    """A dictionary whose line the fuzzer does not understand is none."""
    fuzz = os.path.join(demo.REPO, "fuzz")
    targets = [os.path.basename(x)[:-len("_fuzz.c")]
               for x in glob.glob(fuzz + "/*_fuzz.c")]
    assert len(targets) >= 10
    for t in targets:
        with open(f"{fuzz}/corpus/{t}.txt") as f:
            assert [bytes.fromhex(x) for x in f], t
        with open(f"{fuzz}/{t}.dict") as f:
            lines = [x.rstrip("\n") for x in f if not x.startswith("#")]
        assert len(lines) > 5 and all(map(ENTRY.match, lines)), t


def test_what_survives_is_a_mutant(monkeypatch):
    """Where a line is gone, so is the reason for which it is excused."""
    monkeypatch.chdir(demo.REPO)
    monkeypatch.syspath_prepend(os.path.join(demo.REPO, "tools"))
    import mutate
    known = mutate.known()
    assert known and mutate.gone() == []
    (path, line, change), why = next(iter(known.items()))
    for wrong in ((path, line + " x", change), (path, line, "1 to 7"),
                  ("src/wire/msg.c", line, change)):
        monkeypatch.setattr(mutate, "known", lambda: {**known, wrong: why})
        assert mutate.gone() == [" | ".join(wrong)]
    monkeypatch.setattr("sys.argv", ["mutate.py"])
    assert mutate.main() == 1


def test_a_run_of_mutants_goes_on_where_it_was_ended(monkeypatch, tmp_path):
    """By what was judged of the same text: another source, change or test is
    judged anew, and so is who was cut off in the middle of a line."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.syspath_prepend(os.path.join(demo.REPO, "tools"))
    import mutate
    for folder in ("src/wire", "tests/unit"):
        os.makedirs(folder)
    for name, text in (("src/wire/a.c", "x"), ("src/wire/b.c", "y"),
                       ("tests/unit/near.h", "n")):
        (tmp_path / name).write_text(text)
    tests = {"test_a": '#include "near.h"\n', "test_b": "b"}
    chosen = [("src/wire/a.c", 1, "x;", "dropped"),
              ("src/wire/a.c", 1, "y;", "dropped"),
              ("src/wire/a.c", 2, "x;", "dropped"),
              ("src/wire/b.c", 1, "x;", "dropped")]
    first = list(mutate.hashes(chosen, tests))
    assert len(set(first)) == 4
    assert list(mutate.hashes(chosen, tests)) == first
    (tmp_path / "src/wire/b.c").write_text("y2")
    assert list(mutate.hashes(chosen, tests))[:3] == first[:3]
    assert list(mutate.hashes(chosen, tests))[3] != first[3]
    (tmp_path / "tests/unit/near.h").write_text("n2")
    assert not set(list(mutate.hashes(chosen, tests))[:3]) & set(first)
    kept = mutate.Kept("kept")
    kept.add(first[0], "killed")
    kept.add(first[1], "survived")
    kept.add(first[2], "not begun")
    with open("kept", "a") as f:
        f.write(first[3] + " kill")
    again = mutate.Kept("kept")
    assert [again.get(k) for k in first] == ["killed", "survived", None, None]
    again.add(first[2], "invalid")
    assert mutate.Kept("kept").get(first[0]) == "killed"
    assert mutate.Kept("").get(first[0]) is None


def test_what_runs_in_parts_goes_on_where_it_was_ended(tmp_path):
    """Each part once, the one that failed again; another commit begins anew."""
    def run(command, n="3"):
        out = subprocess.run(
            ["sh", os.path.join(demo.REPO, "tools/parts.sh"), "x", n, "sh",
             "-c", command, "sh"], cwd=tmp_path, capture_output=True,
            text=True, env={**os.environ, "GIT_DIR": str(tmp_path / ".git")})
        return out.returncode, out.stdout.splitlines()

    def commit(what):
        subprocess.run(["git", "-c", "user.name=x", "-c", "user.email=x", "commit",
                        "-q", "--allow-empty", "-am", what], cwd=tmp_path, check=True)
    (tmp_path / "build").mkdir()
    for _ in range(2):  # whose tree it is nobody knows
        assert run("true") == (0, ["3 parts passed, 0 of them before"])
    (tmp_path / "source").write_text("1")
    subprocess.run(["git", "init", "-q"], cwd=tmp_path, check=True)
    subprocess.run(["git", "add", "source"], cwd=tmp_path, check=True)
    commit("1")
    code, said = run("echo part $1; [ $1 -lt 2 ]")
    assert code == 1 and said[:2] == ["part 1", "part 2"], said
    assert said[2:] == ["part 2 of 3 failed, 0 had passed before"]
    assert run("echo part $1") == (0, ["part 2", "part 3",
                                       "3 parts passed, 1 of them before"])
    assert run("echo part $1", "11")[1][0] == "part 4"  # 1 is no 11
    (tmp_path / "source").write_text("2")
    for _ in range(2):  # nor which change of it
        assert run("true") == (0, ["3 parts passed, 0 of them before"])
    commit("2")
    assert run("true") == (0, ["3 parts passed, 0 of them before"])
    assert run("true") == (0, ["3 parts passed, 3 of them before"])


@pytest.mark.parametrize("tool", ["test-long", "soak"])
def test_who_builds_packages_has_what_they_need(tool):
    with open(os.path.join(demo.REPO, "tools", tool + ".sh")) as f:
        assert re.search(r"^row packages sh tools/deb-", f.read(), re.M)
    with open(os.path.join(demo.REPO, "dev")) as f:
        verb = re.search(rf"^{tool}\) (.*)$", f.read(), re.M).group(1)
    assert "deps deb;" in verb


def test_what_the_page_of_figures_names_is_there():
    """Each test, each row of the long ones and each file."""
    def words(pattern, text):
        return set(re.findall(pattern, text, re.M))
    with open(os.path.join(demo.REPO, "doc/reliability.md")) as f:
        page = f.read()
    tests, rows = set(), set()
    for path in glob.glob(os.path.join(demo.REPO, "tests/*/*.[cp]*")):
        tests.add(os.path.basename(path).partition(".")[0])
        with open(path) as f:
            tests |= words(r"\b(test_\w+)\(", f.read())
    for tool in ("test-long.sh", "soak.sh"):
        with open(os.path.join(demo.REPO, "tools", tool)) as f:
            rows |= words(r"^row (\S+)", f.read())
    named = words(r"`(?:build/tests/|pytest )?(test_\w+)[`.]", page)
    assert len(named) > 20 and named <= tests, named - tests
    named = words(r"`\./dev (?:test-long|soak) ([\w-]+)`", page)
    assert len(named) > 10 and named <= rows, named - rows
