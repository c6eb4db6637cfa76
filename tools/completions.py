#!/usr/bin/python3
# SPDX-License-Identifier: MIT
"""Completions for a shell, from what a program says of itself by --help, which
is made from its table of commands.

usage: completions.py PROGRAM BASH FISH ZSH, the last three files to write
"""
import os
import re
import subprocess
import sys

OPTION = re.compile(r"(?<!\S)[\[(]?(--[a-z-]+|-o)(?: ([^\s\[|;]\S*))?")
FILES = ("F", "FILE", "LEASE", "REQUEST", "PRODUCTS.conf", "SITE.conf",
         "NAME.muster", "OLD.muster")


class Command:
    def __init__(self, usage, summary):
        self.summary = summary
        self.options, self.words, self.takes_files = {}, [], False
        rest = usage
        for m in OPTION.finditer(usage):
            value = (m.group(2) or "").rstrip("]);,.")
            value = value.split("]")[0].split("[")[0]
            self.options[m.group(1)] = value
            rest = rest.replace(m.group(0), " ", 1)
        for word in re.findall(r"[A-Za-z][\w.-]*(?:\|[\w-]+)*", rest):
            if word.islower():
                self.words += word.split("|")
            elif word.split("|")[0] in FILES:
                self.takes_files = True


def kind(value):
    """Of an option's value: none, file, folder, words or other."""
    if not value:
        return "none"
    names = value.split("|")
    if names[0] in FILES:
        return "file"
    if names[0] == "DIR":
        return "folder"
    return "words" if len(names) > 1 and value.replace("|", "").isalpha() \
        and value.islower() else "other"


def entries(name, text):
    """(command, usage, summary) of each; what usage goes over several lines
    is told by how they begin."""
    found = []
    for line in text.splitlines():
        m = re.match(rf"  {name} ([a-z-]+(?: [a-z][a-z-]+(?= |$))?) ?(.*)$",
                     line)
        if m:
            found.append([m.group(1), m.group(2), ""])
        elif found and line.startswith("      "):
            rest = line.strip()
            if not found[-1][2] and rest[0] in "[|-":
                found[-1][1] += " " + rest
            elif not found[-1][2]:
                found[-1][2] = rest
        elif found and line:
            break
    return found


class Program:
    def __init__(self, path):
        self.name = os.path.basename(path)
        text = subprocess.run([path, "--help"], capture_output=True, text=True,
                              check=True).stdout
        self.commands = {name: Command(usage, summary) for name, usage, summary
                         in entries(self.name, text)}
        tail = " ".join(re.findall(r"Every command.*?[.](?= |\n|$)", text,
                                   re.S))
        if self.commands:
            self.common = Command(tail.replace(",", " ,"), "").options
            # "Every command but catalogue sign takes --dir DIR"
            self.lacks = dict(re.findall(
                r"Every command but ([a-z ]+) takes (--[a-z]+)", text))
            self.top = ["--help", "--version"]
        else:
            self.common, self.lacks = {}, {}
            self.top = []
            self.commands[""] = Command(
                re.search(r"usage: .*?\n(?=[A-Z])", text, re.S).group(0), "")
            self.commands[""].words, self.commands[""].takes_files = [], False
            self.commands[""].options.update({"--help": "", "--version": ""})
        self.groups = {}
        for name in self.commands:
            if " " in name:
                group, word = name.split(" ")
                self.groups.setdefault(group, []).append(word)

    def firsts(self):
        return list(dict.fromkeys(n.split(" ")[0] for n in self.commands))

    def options(self, name):
        own = dict(self.commands[name].options)
        for option, value in self.common.items():
            if self.lacks.get(name) != option:
                own.setdefault(option, value)
        return own

    def summary(self, first):
        """Of what is completed first: a command, or a group of them."""
        return self.commands[first].summary if first in self.commands else \
            "of these: " + ", ".join(self.groups[first])


def head(shell, program):
    return [f"# Completion of {program.name} for {shell}, made from its --help."]


def function(program):
    return "_" + program.name.replace("-", "_")


def bash(p):
    f = function(p)
    out = head("bash", p) + [f"{f}() {{",
        "\tlocal cur=${COMP_WORDS[COMP_CWORD]}",
        "\tlocal prev=${COMP_WORDS[COMP_CWORD-1]}",
        "\tlocal cmd= options= words= files=", "\tCOMPREPLY=()"]
    if "" not in p.commands:
        out += ["\tif ((COMP_CWORD == 1)); then",
                f"\t\tCOMPREPLY=($(compgen -W '{' '.join(p.firsts() + p.top)}'"
                " -- \"$cur\"))", "\t\treturn", "\tfi",
                "\tcmd=${COMP_WORDS[1]}", "\tcase $cmd in"]
        for group, words in p.groups.items():
            out += [f"\t{group})", "\t\tif ((COMP_CWORD == 2)); then",
                    f"\t\t\tCOMPREPLY=($(compgen -W '{' '.join(words)}"
                    " --help' -- \"$cur\"))", "\t\t\treturn", "\t\tfi",
                    '\t\tcmd="$cmd ${COMP_WORDS[2]}"', "\t\t;;"]
        out += ["\tesac"]
    out += ["\tcase $cmd:$prev in"]
    for name in p.commands:
        for option, value in p.options(name).items():
            act = {"file": 'COMPREPLY=($(compgen -f -- "$cur"))',
                   "folder": 'COMPREPLY=($(compgen -d -- "$cur"))',
                   "words": f"COMPREPLY=($(compgen -W '{value.replace('|', ' ')}"
                            "' -- \"$cur\"))",
                   "other": "", "none": None}[kind(value)]
            if act is not None:
                out.append(f"\t'{name}:{option}') {act + '; ' if act else ''}"
                           "return ;;")
    out += ["\tesac", "\tcase $cmd in"]
    for name, command in p.commands.items():
        out.append(f"\t'{name}') options='{' '.join(p.options(name))}'"
                   f" words='{' '.join(command.words)}'"
                   f" files={'1' if command.takes_files else ''} ;;")
    out += ["\tesac",
            "\tCOMPREPLY=($(compgen -W \"$options $words\" -- \"$cur\"))",
            "\t[[ -z $files || $cur == -* ]] ||",
            "\t\tCOMPREPLY+=($(compgen -f -- \"$cur\"))", "}",
            f"complete -o filenames -F {f} {p.name}"]
    return out


def quoted(text):
    return "'" + text.replace("'", "'\\''") + "'"


def zsh(p):
    out = [f"#compdef {p.name}"] + head("zsh", p) + [
        "local cmd= prev=${words[CURRENT-1]}", "local -a list"]
    if "" not in p.commands:
        out += ["if ((CURRENT == 2)); then", "\tlist=("]
        out += ["\t\t" + quoted(f"{n}:{p.summary(n)}") for n in p.firsts()]
        out += ["\t)", "\t_describe -t commands command list",
                f"\tcompadd -- {' '.join(p.top)}", "\treturn", "fi",
                "cmd=${words[2]}", "case $cmd in"]
        for group, words in p.groups.items():
            out += [f"{group})", "\tif ((CURRENT == 3)); then", "\t\tlist=("]
            out += ["\t\t\t" + quoted(
                f"{w}:{p.commands[group + ' ' + w].summary}") for w in words]
            out += ["\t\t)", "\t\t_describe -t commands command list",
                    "\t\tcompadd -- --help", "\t\treturn", "\tfi",
                    '\tcmd="$cmd ${words[3]}"', "\t;;"]
        out += ["esac"]
    out += ['case "$cmd:$prev" in']
    for name in p.commands:
        for option, value in p.options(name).items():
            act = {"file": "_files; ", "folder": "_files -/; ",
                   "words": f"compadd -- {value.replace('|', ' ')}; ",
                   "other": f"_message {quoted(value)}; ",
                   "none": None}[kind(value)]
            if act is not None:
                out.append(f"'{name}:{option}') {act}return ;;")
    out += ["esac", 'case "$cmd" in']
    for name, command in p.commands.items():
        more = " ".join(command.words)
        out.append(f"'{name}') compadd -- {' '.join(p.options(name))}"
                   + (f" {more}" if more else "")
                   + ("; [[ $PREFIX == -* ]] || _files"
                      if command.takes_files else "") + " ;;")
    return out + ["esac"]


def fish(p):
    at = f"__{p.name.replace('-', '_')}_at"
    out = head("fish", p) + [
        f"function {at}", "\tset -l said (commandline -opc)",
        "\tset -e said[1]", "\tset -l n (count $argv)",
        "\ttest $n -eq 0; and return 0",
        '\ttest (count $said) -ge $n; and test "$said[1..$n]" = "$argv"', "end",
        f"function {at}_end", "\tset -l said (commandline -opc)",
        f"\ttest (count $said) -eq (math (count $argv) + 1); and {at} $argv",
        "end", f"complete -c {p.name} -f"]
    if "" not in p.commands:
        for n in p.firsts():
            out.append(f"complete -c {p.name} -n {at}_end -a {n} -d "
                       + quoted(p.summary(n)).replace("'\\''", "\\'"))
        out += [f"complete -c {p.name} -n {at}_end -l {o[2:]}" for o in p.top]
    for group, words in p.groups.items():
        for w in words:
            text = p.commands[f"{group} {w}"].summary
            out.append(f"complete -c {p.name} -n '{at}_end {group}' -a {w} -d "
                       + quoted(text).replace("'\\''", "\\'"))
        out.append(f"complete -c {p.name} -n '{at}_end {group}' -l help")
    for name, command in p.commands.items():
        where = f"complete -c {p.name} -n '{at} {name}'".replace(" '", " '")
        for option, value in p.options(name).items():
            how = f"-s {option[1:]}" if option[1] != "-" else f"-l {option[2:]}"
            how += {"file": " -r -F", "folder": " -x -a '(__fish_complete_dire"
                    "ctories)'", "words": f" -x -a '{value.replace('|', ' ')}'",
                    "other": " -x", "none": ""}[kind(value)]
            out.append(f"{where} {how}")
        if command.words:
            out.append(f"{where} -a '{' '.join(command.words)}'")
        if command.takes_files:
            out.append(f"{where} -F")
    return out


if __name__ == "__main__":
    of = Program(sys.argv[1])
    for make, path in zip((bash, fish, zsh), sys.argv[2:], strict=True):
        with open(path, "w", encoding="utf-8") as f:
            f.write("\n".join(make(of)) + "\n")
