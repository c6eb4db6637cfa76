# SPDX-License-Identifier: MIT
"""Goal: bash, zsh and fish complete what the programs take, all of it and
nothing else, by the files that are installed."""
import os
import pty
import re
import select
import subprocess
import time

import pytest

import demo

SHARE = os.path.join(demo.BIN, "../share")
PROGRAMS = ("muster", "muster-authority", "musterd", "muster-agent")
SOURCES = {"muster-authority": "src/authority/main.c",
           "musterd": "src/host/main.c", "muster-agent": "src/agent/main.c"}


def installed(shell, program):
    return os.path.join(SHARE, {
        "bash": f"bash-completion/completions/{program}",
        "fish": f"fish/vendor_completions.d/{program}.fish",
        "zsh": f"zsh/site-functions/_{program}"}[shell])


def bash(*lines):
    """What is offered at the end of each line; all in one shell."""
    script = "".join(f"source '{installed('bash', p)}'\n" for p in PROGRAMS)
    for words in lines:
        quoted = " ".join(f"'{w}'" for w in words)
        f = "_" + words[0].replace("-", "_")
        script += (f"COMP_WORDS=({quoted}); COMP_CWORD={len(words) - 1}\n{f}\n"
                   'printf "%s\\n" "${COMPREPLY[@]}" ""; echo END\n')
    p = subprocess.run(["bash", "--norc", "-c", script], capture_output=True,
                       text=True, timeout=240, cwd=demo.BIN)
    assert p.stderr == ""
    return [set(part.split()) for part in p.stdout.split("END\n")[:-1]]


def fish(line):
    program = line.split()[0]
    p = subprocess.run(
        ["fish", "--no-config", "-c",
         f"source '{installed('fish', program)}'; complete -C '{line}'"],
        capture_output=True, text=True, timeout=90, cwd=SHARE)
    assert p.stderr == ""
    return {one.split("\t")[0] for one in p.stdout.splitlines()}


def program_help(program):
    return subprocess.run([os.path.join(demo.BIN, program), "--help"],
                          capture_output=True, text=True, timeout=90).stdout


def commands(program):
    lines = re.findall(rf"^  {program} (.*)$", program_help(program), re.M)
    return [re.match(r"[a-z-]+( [a-z][a-z-]+(?= |$))?", one).group(0)
            for one in lines]


COMMANDS = {p: commands(p) for p in ("muster", "muster-authority")}
FIRST = [(p, *c.split(" ")) for p in COMMANDS for c in COMMANDS[p]]


def offered():
    """Options by program and command, as bash offers them."""
    lines = [(*c, "-") for c in FIRST] + [("musterd", "-"),
                                          ("muster-agent", "-")]
    return dict(zip((line[:-1] for line in lines), bash(*lines)))


OFFERED = offered()


def test_a_command_is_offered_word_by_word():
    for program, names in COMMANDS.items():
        firsts = {n.split(" ")[0] for n in names}
        assert len(firsts) > 5
        assert bash((program, ""))[0] == firsts | {"--help", "--version"}
        assert fish(program + " ") >= firsts
        for first in {n.split(" ")[0] for n in names if " " in n}:
            want = {n.split(" ")[1] for n in names if n.startswith(first + " ")}
            assert bash((program, first, ""))[0] == want | {"--help"}
            assert fish(f"{program} {first} ") == want


def test_every_option_in_the_tables_is_offered():
    tables = {"muster": ""}
    for name in os.listdir(os.path.join(demo.REPO, "src/cli")):
        if name.endswith(".c") and name != "cli.c":
            with open(os.path.join(demo.REPO, "src/cli", name)) as f:
                tables["muster"] += f.read()
    for program, path in SOURCES.items():
        with open(os.path.join(demo.REPO, path)) as f:
            tables[program] = f.read()
    for program, text in tables.items():
        kind = "NULL|&" if program == "muster" else "(?:no|required)_argument"
        found = set(re.findall(r'\{"([a-z-]+)",\s*(?:%s)' % kind, text))
        assert "file" in found or program not in COMMANDS
        assert "config" in found or program == "muster"
        told = set().union(*(o for c, o in OFFERED.items() if c[0] == program))
        missing = found - {o[2:] for o in told} - {"output"}  # it is -o
        assert missing == set(), (program, missing)


@pytest.mark.parametrize("command", sorted(OFFERED),
                         ids=lambda c: " ".join(c))
def test_what_is_offered_is_taken(command, tmp_path):
    """An option of no command would be refused as one."""
    options = OFFERED[command] - {"--help", "--version"}
    assert len(options) >= (1 if command[0].endswith("authority") else 3)
    for option in options:
        p = subprocess.run(
            [os.path.join(demo.BIN, command[0]), *command[1:], option,
             *(["--check"] if len(command) == 1 else []), "--nothing"],
            capture_output=True, text=True, timeout=90, cwd=tmp_path,
            stdin=subprocess.DEVNULL)
        assert not re.search(rf"{option}\S* is (no|not an) option", p.stderr), \
            p.stderr
        assert f"unrecognized option '{option}" not in p.stderr


@pytest.mark.parametrize("command", [c for c in sorted(OFFERED)
                                     if len(c) == 1 or c[1] in ("host", "init")],
                         ids=lambda c: " ".join(c))
def test_fish_offers_the_same(command):
    said = fish(" ".join(command) + " -")
    assert {o for o in said if o.startswith("-")} == OFFERED[command]


def test_values_are_offered_where_they_are_few():
    assert bash(("muster", "set-caching", ""))[0] >= {"on", "off"}
    assert {"publish", "withdraw", "show", "audit"} <= \
        bash(("muster", "host", "dns", ""))[0]
    assert bash(("muster-authority", "init", "--seal-cost", ""))[0] == {
        "interactive", "moderate", "sensitive"}
    assert fish("muster-authority init --seal-cost ") == {
        "interactive", "moderate", "sensitive"}
    assert bash(("muster", "host", "clients", "--state", ""))[0] == set()
    assert "musterd" in bash(("muster", "host", "backup", "muster"))[0]
    assert "musterd" in bash(("muster", "verify", "--root-key", "muster"))[0]


class Zsh:
    """A shell at a terminal of its own, as a person has it."""

    def __init__(self, tmp):
        folder = os.path.dirname(installed("zsh", "muster"))
        self.pid, self.fd = pty.fork()
        if self.pid == 0:
            os.chdir(tmp)
            os.execvpe("zsh", ["zsh", "-f", "-i"], {
                **os.environ, "TERM": "dumb", "COLUMNS": "200", "HOME": tmp})
        self.send(f"unset zle_bracketed_paste; PS1='@ '; fpath=({folder} $fpath); autoload -Uz compinit; "
                  "compinit -u -D; LISTMAX=9999; setopt noautomenu "
                  "nolistambiguous nobeep; zstyle ':completion:*' list-prompt ''; "
                  "echo RE''ADY\n")
        self.until(r"READY\r\n(?s:.*)@ ")

    def send(self, text):
        os.write(self.fd, text.encode())

    def until(self, mark, limit=60):
        """What it writes up to the mark; it may take its time."""
        out, end = "", time.monotonic() + limit
        while not re.search(mark, out):
            left = end - time.monotonic()
            assert left > 0 and select.select([self.fd], [], [], left)[0], out
            out += os.read(self.fd, 65536).decode(errors="replace")
        return out

    def offers(self, line):
        """A terminal that cannot go back shows what is offered, and then
        prompt and line again, by which the end is known."""
        self.send(line + "\t")
        again = re.escape(line)
        out = self.until(rf"{again}(?s:.*)\n(?s:.*)@ {again}")
        self.send("\x15echo NE''XT\n")
        self.until(r"NEXT\r\n(?s:.*)@ ")
        return set(out.replace("\x07", " ").replace(line, " ").split())

    def close(self):
        os.close(self.fd)
        os.waitpid(self.pid, 0)


def test_zsh_offers_the_same(tmp_path):
    shell = Zsh(str(tmp_path))
    try:
        for command in (("muster", "host", "clients"), ("musterd",),
                        ("muster-authority", "key", "issue")):
            said = shell.offers(" ".join(command) + " --")
            assert {w for w in said if w.startswith("--") and len(w) > 2} == \
                OFFERED[command]
        assert {n.split(" ")[1] for n in COMMANDS["muster"]
                if n.startswith("host ")} <= shell.offers("muster host ")
        assert {"on", "off"} <= shell.offers("muster set-caching o")
    finally:
        shell.close()
