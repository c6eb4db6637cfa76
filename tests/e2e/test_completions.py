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


def bash(*lines, cwd=demo.BIN):
    """What is offered at the end of each line; all in one shell."""
    script = "".join(f"source '{installed('bash', p)}'\n" for p in PROGRAMS)
    for words in lines:
        quoted = " ".join(f"'{w}'" for w in words)
        f = "_" + words[0].replace("-", "_")
        script += (f"COMP_WORDS=({quoted}); COMP_CWORD={len(words) - 1}\n{f}\n"
                   'printf "%s\\n" "${COMPREPLY[@]}" ""; echo END\n')
    p = subprocess.run(["bash", "--norc", "-c", script], capture_output=True,
                       text=True, timeout=240, cwd=cwd)
    assert p.stderr == ""
    return [set(part.split()) for part in p.stdout.split("END\n")[:-1]]


def fish(*lines, cwd=SHARE):
    """Likewise."""
    script = "".join(f"source '{installed('fish', p)}'\n" for p in PROGRAMS)
    script += "".join(f"complete -C '{' '.join(words)}'; echo END\n"
                      for words in lines)
    p = subprocess.run(["fish", "--no-config", "-c", script],
                       capture_output=True, text=True, timeout=240, cwd=cwd)
    assert p.stderr == ""
    return [{one.split("\t")[0] for one in part.splitlines()}
            for part in p.stdout.split("END\n")[:-1]]


def program_help(program):
    return subprocess.run([os.path.join(demo.BIN, program), "--help"],
                          capture_output=True, text=True, timeout=90).stdout


COMMAND = re.compile(r"([a-z-]+(?: [a-z][a-z-]+(?=\s))?)(.*(?:\n {6}[\[|-].*)*)")


def usages(program):
    """Of each command what may follow it, as --help has it."""
    parts = re.split(rf"^  {program} ", program_help(program), flags=re.M)[1:]
    return dict(COMMAND.match(part).groups() for part in parts)


USAGES = {p: usages(p) for p in ("muster", "muster-authority")}
COMMANDS = {p: list(USAGES[p]) for p in USAGES}
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
        assert fish((program, ""))[0] >= firsts
        for first in {n.split(" ")[0] for n in names if " " in n}:
            want = {n.split(" ")[1] for n in names if n.startswith(first + " ")}
            assert bash((program, first, ""))[0] == want | {"--help"}
            assert fish((program, first, ""))[0] == want


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


def test_fish_offers_the_same():
    said = fish(*((*command, "-") for command in OFFERED))
    assert len(said) == len(OFFERED) > 40
    for command, words in zip(OFFERED, said):
        assert {o for o in words if o.startswith("-")} == OFFERED[command], \
            command


OPTION = re.compile(r"(--?[a-z-]+) ([A-Za-z][^\s\]);]*)")
COMMON = {"muster": ("--root", "--config"), "muster-authority": ("--dir",)}


def with_value():
    """Every option that takes one, and its words where they are few."""
    found = {}
    for program, name in ((p, n) for p in USAGES for n in USAGES[p]):
        command = (program, *name.split(" "))
        for option, value in OPTION.findall(USAGES[program][name]):
            many = re.fullmatch(r"[a-z]+(\|[a-z]+)+", value)
            found[*command, option] = set(value.split("|")) if many else None
        for option in COMMON[program]:
            if option in OFFERED[command]:
                found[*command, option] = None
    for command in (("musterd",), ("muster-agent",)):
        found[*command, "--root"] = found[*command, "--config"] = None
    return found


VALUES = with_value()


def words_of(usage):
    """Those that stand for themselves, behind a command."""
    rest = re.sub(r"--?[a-z-]+( [A-Za-z][^\s\]);]*)?", "", usage)
    return {word for one in re.findall(r"(?<![\w|.:-])[a-z][a-z|]+(?![\w.])",
                                       rest) for word in one.split("|")}


def test_values_are_offered_where_they_are_few(tmp_path):
    """Words, or files, or folders; the same by bash and fish."""
    (tmp_path / "file").touch()
    (tmp_path / "folder").mkdir()
    lines = [(*at, "") for at in VALUES]
    kinds = set()
    for at, ours, theirs in zip(VALUES, bash(*lines, cwd=tmp_path),
                                fish(*lines, cwd=tmp_path), strict=True):
        theirs = {one.rstrip("/") for one in theirs}
        assert ours == theirs, at
        if VALUES[at]:
            assert ours == VALUES[at], at
        else:
            assert ours in (set(), {"folder"}, {"file", "folder"}), at
        kinds.add(frozenset(ours))
    assert len(kinds) > 3 and len(VALUES) > 90
    assert {"--seal-cost"} == {at[-1] for at in VALUES if VALUES[at]}


def test_words_are_offered_behind_their_commands(tmp_path):
    told = {(p, *n.split(" ")): words_of(USAGES[p][n])
            for p in USAGES for n in USAGES[p]}
    assert {c: w for c, w in told.items() if w} == {
        ("muster", "set-caching"): {"on", "off"},
        ("muster", "host", "dns"): {"show", "publish", "withdraw", "audit"}}
    lines = [(*command, "") for command in told]
    for command, ours, theirs in zip(told, bash(*lines, cwd=tmp_path),
                                     fish(*lines, cwd=tmp_path), strict=True):
        assert ours - OFFERED[command] == theirs == told[command], command
    assert "musterd" in bash(("muster", "host", "backup", "muster"))[0]


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
        out = out.replace("\x07", " ").replace("@ " + line, " ")
        return set(out.replace(line, " ").split())

    def close(self):
        os.close(self.fd)
        os.waitpid(self.pid, 0)


def test_zsh_offers_the_same(tmp_path):
    """In one shell: every command, its options, words and values."""
    shell = Zsh(str(tmp_path))
    try:
        for command in OFFERED:
            said = shell.offers(" ".join(command) + " --")
            assert {w for w in said if w.startswith("--") and len(w) > 2} == \
                {o for o in OFFERED[command] if o.startswith("--")}, command
        for program, names in COMMANDS.items():
            firsts = {n.split(" ")[0] for n in names}
            assert firsts <= shell.offers(program + " ")
            for first in {n.split(" ")[0] for n in names if " " in n}:
                assert {n.split(" ")[1] for n in names
                        if n.startswith(first + " ")} <= \
                    shell.offers(f"{program} {first} ")
        for at in (at for at in VALUES if VALUES[at]):
            assert shell.offers(" ".join(at) + " ") == VALUES[at]
        for program in USAGES:
            for name, usage in USAGES[program].items():
                if words_of(usage):
                    said = shell.offers(f"{program} {name} ")
                    assert {w for w in said if w[0] != "-"} == words_of(usage)
    finally:
        shell.close()
