# SPDX-License-Identifier: MIT
"""Goal: the man pages of programs and settings say what their tables, their
--help and their sources say, and nothing else."""
import glob
import os
import re
import subprocess

import pytest

import demo
from test_authority import Authority
from test_man import INSTALLED, SHARE, installed

LEVELS = {"LOG_ERROR": "error", "LOG_WARN": "warning", "LOG_NOTE": "note",
          "LOG_FINE": "fine"}
FORMATS = {"auto", "text", "json", "journal"}


def source(name):
    with open(os.path.join(demo.REPO, name)) as f:
        return f.read()


def run(program, *args):
    return subprocess.run([os.path.join(demo.BIN, program), *args],
                          capture_output=True, text=True, timeout=90)


def section(page, name):
    return re.search(rf"^\.Sh {name}$\n(.*?)(?=^\.Sh |\Z)", installed(page),
                     re.S | re.M)[1]


def items(page, name):
    """What the .It lines of a section list, each with its text."""
    parts = re.split(r"^\.It ", section(page, name), flags=re.M)[1:]
    heads = [part.split("\n", 1)[0] for part in parts]
    assert len(set(heads)) == len(heads)
    return {head: part.split("\n", 1)[1] for head, part in zip(heads, parts)}


def words(page, name, macro):
    """What stands behind a macro in the heads of a section."""
    return [word for head in items(page, name)
            for word in re.findall(rf"\b{macro} (\S+)", head)]


# ---- musterd and muster-agent ----

PROGRAMS = (("musterd", "src/host/main.c"),
            ("muster-agent", "src/agent/main.c"))
FILES = {"musterd": ("PATH_HOST_CONF", "PATH_HOST_STATE", "PATH_HOST_SOCKET",
                     "PATH_CATALOGUES", "PATH_CATALOGUES_SHIPPED",
                     "PATH_MIGRATIONS", "PATH_RESOLV_CONF", "PATH_HOSTS"),
         "muster-agent": ("PATH_AGENT_CONF", "PATH_AGENT_STATE",
                          "PATH_AGENT_SOCKET", "PATH_INSTANCE",
                          "PATH_CATALOGUES", "PATH_CATALOGUES_SHIPPED",
                          "PATH_MACHINE_ID", "PATH_MACHINE_ID_OS",
                          "PATH_MACHINE_ID_DBUS", "PATH_RESOLV_CONF",
                          "PATH_HOSTS", "PATH_HOSTNAME")}
VARIABLES = ("src/base/notify.c", "src/base/log.c")
MORE_VARIABLES = {"musterd": (), "muster-agent": ("src/agent/instance.c",)}


@pytest.mark.parametrize("program,code", PROGRAMS)
def test_options_are_those_of_the_help(program, code):
    page = program + ".8"
    want = set(re.findall(r"(?<!\S)\[?--([a-z-]+)", run(program, "--help").stdout))
    taken = set(re.findall(r'\{"([a-z-]+)", (?:no|required)_argument',
                           source(code)))
    assert want == taken and "config" in want
    told = [w[1:] for w in words(page, "OPTIONS", "Fl")]
    assert set(told) == want and len(told) == len(want)
    synopsis = re.sub(r" \| -", " Fl -", section(page, "SYNOPSIS"))
    assert set(re.findall(r"Fl -(\S+)", synopsis)) == want


@pytest.mark.parametrize("program,code", PROGRAMS)
def test_exit_codes_and_signals_are_those_of_the_source(program, code):
    page, text = program + ".8", source(code)
    assert set(items(page, "EXIT STATUS")) == \
        set(re.findall(r"\bEXIT_\w+ = (\d+)", text)) != set()
    assert set(words(page, "SIGNALS", "Dv")) == \
        set(re.findall(r"uv_signal_start\(.*?(SIG\w+)\)", text)) != set()


@pytest.mark.parametrize("program,code", PROGRAMS)
def test_files_and_variables_are_those_of_the_source(program, code):
    page = program + ".8"
    paths = dict(re.findall(r'#define (\w+) "(.*)"',
                            source("src/base/paths.h")))
    told = words(page, "FILES", "Pa")
    assert {paths[name] for name in FILES[program]} <= set(told)
    assert not {path for name, path in paths.items()
                if name not in FILES[program]} & set(told)
    read = "".join(source(s)
                   for s in (*VARIABLES, *MORE_VARIABLES[program]))
    assert set(words(page, "ENVIRONMENT", "Ev")) == \
        set(re.findall(r'(?:getenv|number)\("([A-Z_]+)"\)', read)) != set()


def test_what_may_stand_in_dns_is_kept_as_the_page_says():
    says = " ".join(items("musterd.8", "FILES")[
        "Pa /var/lib/muster/host/published"].split())
    told = re.search(r"a line for each record with (.*)\.$", says)[1]
    fields = re.search(r"\*   (DOMAIN .*)", source("src/host/publish.h"))[1]
    assert re.split(", | and ", told) == fields.lower().split()


# ---- muster ----

COMMON = {"json", "root", "config", "help"}
PROXY = {"HTTPS_PROXY", "NO_PROXY"}  # libcurl's


def bare(text):
    """Of a synopsis what does not depend on how it is set."""
    return re.sub(r"[\s;]", "", text)


def helped():
    """The commands of muster with their arguments, as --help has them."""
    out = run("muster", "--help").stdout
    lines = re.findall(r"^  muster (.*)\n        \S", out, re.M)
    name = re.compile(r"[a-z-]+( [a-z-]+(?= |$))?")
    return {name.match(x)[0]: x[name.match(x).end():] for x in lines}


def rendered():
    """The same, as a reader of the page sees them."""
    lines = subprocess.run(
        ["mandoc", "-Tascii", "-Owidth=900", SHARE + "/man1/muster.1"],
        capture_output=True, text=True, timeout=90).stdout
    lines = re.sub(".\x08", "", lines)
    body = re.search(r"^COMMANDS$(.*?)^\S", lines, re.S | re.M)[1]
    return re.findall(r"^     (\S.*)$", body, re.M)


def test_every_command_is_told_with_its_arguments():
    want, told = helped(), rendered()
    assert len(want) > 20 and "host slots" in want
    assert [bare(x) for x in told] == [bare(k + v) for k, v in want.items()]
    for head in items("muster.1", "COMMANDS"):
        assert head.startswith("Ic "), head


def test_options_of_all_and_of_several_commands():
    text = section("muster.1", "DESCRIPTION")
    every, several = (
        re.findall(r"^\.It Fl -(\S+)", re.search(
            rf"^\.Ss Options of {which}$(.*?)^\.El$", text,
            re.S | re.M)[1], re.M)
        for which in ("every command", "several commands"))
    last = run("muster", "--help").stdout.strip().split("\n")[-1]
    assert set(every) == COMMON == set(re.findall(r"--([a-z]+)", last))
    synopsis = section("muster.1", "SYNOPSIS")
    assert set(re.findall(r"Fl -([a-z]+)", synopsis)) == COMMON | {"version"}
    uses = [option for rest in helped().values()
            for option in set(re.findall(r"--([a-z-]+)", rest))]
    assert set(several) == {x for x in uses if uses.count(x) > 1}


def test_exit_codes_files_and_variables_of_muster():
    codes = re.search(r"enum cli_exit \{(.*?)\}", source("src/cli/cli.h"),
                      re.S)[1]
    assert list(items("muster.1", "EXIT STATUS")) == \
        re.findall(r"= (\d)", codes)
    paths = dict(re.findall(r'#define (\w+) "(.*)"',
                            source("src/base/paths.h")))
    assert {paths[name] for name in (
        "PATH_AGENT_SOCKET", "PATH_HOST_SOCKET", "PATH_CATALOGUES",
        "PATH_CATALOGUES_SHIPPED")} <= set(words("muster.1", "FILES", "Pa"))
    code = "".join(source(os.path.relpath(f, demo.REPO)) for f in (
        *glob.glob(os.path.join(demo.REPO, "src/cli/*.c")),
        os.path.join(demo.REPO, "src/base/qrout.c")))
    assert set(words("muster.1", "ENVIRONMENT", "Ev")) == \
        PROXY | set(re.findall(r'getenv\("(\w+)"\)', code))


@pytest.mark.parametrize("page", sorted(INSTALLED))
def test_what_a_page_refers_to_is_there(page):
    for name, n in re.findall(r"^\.Xr (\S+) (\d)", installed(page), re.M):
        assert f"{name}.{n}" in INSTALLED or name in ("cron", "systemd"), name
        assert f"{name}.{n}" != page


# ---- what programs tell to read ----

def literals():
    """The texts of all programs, each with its file."""
    for path in glob.glob(os.path.join(demo.REPO, "src/**/*.c"), recursive=True) \
            + glob.glob(os.path.join(demo.REPO, "sim/*.c")):
        with open(path) as f:
            code = re.sub(r"/\*.*?\*/", "", f.read(), flags=re.S)
        code = re.sub(r'"\s*"', "", code)
        for one in re.findall(r'"((?:[^"\\\n]|\\.)*)"', code):
            yield os.path.relpath(path, demo.REPO), one


def test_what_a_message_tells_to_read_is_installed():
    """A page, or the tables of a shared count; no file of the source."""
    texts, pages = list(literals()), set()
    assert len(texts) > 3000
    for path, one in texts:
        assert not re.search(r"\bdoc/|\w\.md\b", one), (path, one)
        pages |= set(re.findall(
            r"\b((?:muster|\w+\.conf)[\w.-]*)\((\d)\)", one))
    assert {f"{name}.{n}" for name, n in pages} <= INSTALLED and pages
    folder = re.search('#define PATH_MIGRATIONS "(.*)"',
                       source("src/base/paths.h"))[1]
    files = sorted(os.listdir(os.path.join(demo.BIN, "../..") + folder))
    assert files[0] == "001-tables.sql"
    for name in files:
        with open(os.path.join(demo.BIN, "../..") + folder + "/" + name) as f:
            assert re.search(rf"^--   psql .*-f {name} ", f.read(), re.M)


# ---- settings ----

def table(text):
    """Rows of a table of options: name, type, min, max, preset."""
    body = re.search(r"_option options\[\] = \{\n(.*?)\n\};", text, re.S)[1]
    body = " ".join(body.split())
    rows = re.findall(r'\{"(\w+)", (.*?), "(?:[^"\\]|\\.)*"\}', body)
    assert len(rows) == body.count('{"')
    return {name: [x.strip() for x in rest.split(",")] for name, rest in rows}


def settings(page):
    """Of a page's SETTINGS: name, form and text."""
    found = {}
    for head, text in items(page, "SETTINGS").items():
        name, form = re.fullmatch(r"Cm (\w+) = (.*)", head).groups()
        assert name not in found
        found[name] = form, " ".join(text.split())
    return found


def example(page):
    return re.search(r"^\.Bd -literal\n(.*?)^\.Ed$",
                     section(page, "EXAMPLES"), re.S | re.M)[1]


def is_default(text, preset):
    return f".Pq {preset} " in text + " "


HOST_FORMS = {"CONFIG_NUMBER": "Ar N", "CONFIG_LEVEL": "Ar LEVEL",
              "CONFIG_FORMAT": "Ar FORMAT",
              "CONFIG_ADDRESSES": "[ Ar ADDRESS , ... ]",
              "CONFIG_SWITCH": "Ar true|false", "CONFIG_NAME": "Ar NAME",
              "CONFIG_PATH": "Ar PATH", "CONFIG_SERVER": "Ar SERVER",
              "CONFIG_DOMAINS": "( Ar DOMAIN , ... )",
              "CONFIG_STORE": "Ar STORE", "CONFIG_GROUP": "Ar GROUP",
              "CONFIG_NETWORKS": "[ Ar NETWORK , ... ]",
              "CONFIG_STATUS": "Ar SERVER"}


def test_the_host_s_settings_are_those_of_its_table():
    rows, told = table(source("src/host/config.c")), settings("musterd.conf.5")
    assert list(told) == [*rows] and len(rows) > 15
    for name, (kind, _, low, high, preset) in rows.items():
        form, text = told[name]
        assert form == HOST_FORMS[kind], name
        if kind == "CONFIG_NUMBER":
            assert f"{low} to {high} " in text, name
            assert is_default(text, preset), name
        elif kind == "CONFIG_SWITCH":
            assert is_default(text, ("false", "true")[int(preset)]), name
        elif kind == "CONFIG_LEVEL":
            assert is_default(text, f"Qq {LEVELS[preset]}"), name
            assert set(re.findall(r"Qq (\w+)", text)) == set(LEVELS.values())
        elif kind == "CONFIG_FORMAT":
            assert preset == "LOG_FORMAT_AUTO"
            assert is_default(text, "Qq auto"), name
            assert set(re.findall(r"Qq (\w+)", text)) == FORMATS
        elif name != "listen":
            assert ".Pq " in text, name


def test_the_host_s_lists_have_the_limits_of_the_source():
    told, header = settings("musterd.conf.5"), source("src/host/config.h")
    limit = dict(re.findall(r"#define (CONFIG_\w+_MAX) (\d+)\b", header))
    assert f"1 to {limit['CONFIG_LISTEN_MAX']} (" in told["listen"][1]
    for address in re.findall(r'listen\[\d\], "(.*?)"',
                              source("src/host/config.c")):
        assert f'"{address}"' in told["listen"][1]
    assert f"Up to {limit['CONFIG_DOMAINS_MAX']} more" in \
        told["publish_domains"][1]
    assert f"up to {int(limit['CONFIG_GROUP_MAX']) - 1} characters" in \
        told["store_group"][1]
    members = set(re.findall(r"(\w+) = [A-Z]+;", told["publish_domains"][1]))
    assert members == set(re.findall(r'strcmp\(name, "([a-z]+)"\) == 0',
                                     source("src/host/config_dns.c")))


def test_the_agent_s_settings_are_those_of_its_source():
    text, told = source("src/agent/config.c"), settings("agent.conf.5")
    taken = re.findall(r'strcmp\(name, "(\w+)"\) == 0', text)
    assert sorted(told) == sorted(taken) and len(taken) >= 5
    limit = {name: int(n) for file in ("src/wire/agentmsg.h",
                                       "src/client/resolvconf.h")
             for name, n in re.findall(r"#define (\w+) (\d+)U?\b",
                                       source(file))}
    hosts, domain, resolver = (told[name][1]
                               for name in ("hosts", "domain", "resolver"))
    assert f"at most {limit['AGENT_HOSTS_MAX']} .Pq" in hosts
    assert f"has {limit['AGENT_HOST_LEN']} bytes at most" in hosts
    port = re.search(r'EXCHANGE_PORT "(\d+)"', source("src/client/exchange.h"))
    assert f"port {port[1]} where none" in hosts
    assert f"at most {limit['AGENT_DOMAIN_LEN']} bytes" in domain
    assert f"at most {limit['RESOLVCONF_TEXT_MAX']} bytes" in resolver
    preset = re.search(r"log_level = (\w+),\s+"
                       r"\.log_format = LOG_FORMAT_AUTO,\s+\.settings = "
                       r"\{\.is_caching = (\w+)\}", text)
    assert is_default(told["log_level"][1], f"Qq {LEVELS[preset[1]]}")
    assert is_default(told["caching"][1], preset[2])
    assert set(re.findall(r"Qq (\w+)", told["log_level"][1])) == \
        set(LEVELS.values())
    assert is_default(told["log_format"][1], "Qq auto")
    assert set(re.findall(r"Qq (\w+)", told["log_format"][1])) == FORMATS


def test_the_forms_of_the_log_are_those_of_its_source():
    names = re.findall(r'\{"(\w+)", LOG_FORMAT_\w+\}', source("src/base/log.c"))
    assert len(names) == 4 and set(names) == FORMATS


def test_the_authority_s_settings_are_those_of_its_table():
    text, told = source("src/authority/settings.c"), settings("authority.conf.5")
    rows = table(text)
    assert list(told) == [*rows] and len(rows) > 10
    for name, row in rows.items():
        form, says = told[name]
        if row[0].startswith("NUMBER("):
            low, high, preset = row[1], row[2], row[3].rstrip(")")
            assert form == "Ar N" and f"{low} to {high} " in says, name
            assert is_default(says, preset), name
        elif row[0].startswith("TEXT("):
            assert form == "Ar TEXT" and ".Pq " in says, name
        elif row[0] == "SETTINGS_FORMAT":
            assert form == "Ar FORMAT" and row[-1] == "LOG_FORMAT_AUTO"
            assert is_default(says, "Qq auto")
            assert set(re.findall(r"Qq (\w+)", says)) == FORMATS
        else:
            assert (row[0], form) == ("SETTINGS_LEVEL", "Ar LEVEL")
            assert is_default(says, f"Qq {LEVELS[row[-1]]}")
            assert set(re.findall(r"Qq (\w+)", says)) == set(LEVELS.values())
    listen = re.search(r'#define SETTINGS_LISTEN "(.*)"',
                       source("src/authority/settings.h"))[1]
    assert is_default(told["listen"][1], f"Qq {listen}")


def test_the_example_of_the_authority_s_page_has_no_mistake(tmp_path):
    conf = tmp_path / "example.conf"
    conf.write_text(example("authority.conf.5"))
    p = run("muster-authority", "serve", "--check", "--dir", str(tmp_path),
            "--config", str(conf))
    # the certificate is not there, but that is what it comes to say
    assert "/etc/muster/tls/fullchain.pem: not there" in p.stderr
    assert str(conf) not in p.stderr


def test_the_page_of_products_has_the_settings_of_the_source():
    """Names in their order, limits and defaults."""
    text = source("src/authority/products.c")
    limit = dict(re.findall(r"#define (\w+) (\d+)U?\b", "".join(
        source(name) for name in ("src/authority/products.h",
                                  "src/trust/catalogue.h"))))
    limit |= {"UINT32_MAX": str(2**32 - 1), "CAT_NAME_MAX": "64"}
    for part, function in (("GROUPS", "read_group"), ("PRODUCTS", "read_product")):
        body = re.search(rf"^{function}\(.*?^}}", text, re.S | re.M)[0]
        names = re.findall(r'"(\w+)"', re.search(
            r"names\[\] = \{(.*?)NULL", body, re.S)[1])
        told = {head.split()[1]: " ".join(says.split())
                for head, says in items("products.conf.5", part).items()}
        assert list(told) == names
        entries = limit[f"CAT_{part}_MAX"]
        assert f"1 to {entries} entries." in section("products.conf.5", part)
        numbers = re.findall(r'get_number\(r, s, "(\w+)", (\w+),\s+(\w+),'
                             r"\s+(-?\w+)([^;]*)\);", body)
        assert len(numbers) == (1 if part == "GROUPS" else 8)
        for name, low, high, preset, more in numbers:
            if name == "group":
                continue
            assert f"{low} to {limit.get(high, high)} " in told[name], name
            assert more or is_default(told[name], limit.get(
                preset, preset).replace("-1", "none")), name
    assert f".Pq {limit['PRODUCTS_THRESHOLD_DESKTOP']} for a desktop, " \
        f"{limit['PRODUCTS_THRESHOLD_SERVER']} for a server" in told["threshold"]


def test_the_example_of_products_is_signed(tmp_path):
    a = Authority(tmp_path)
    conf = tmp_path / "products.conf"
    conf.write_text(example("products.conf.5"))
    out = a.path("acme.muster")
    a.run("catalogue", "prepare", "-o", a.path("prepared"))
    a.run("catalogue", "sign", "--root-key", a.root_key, "--passphrase-file",
          a.phrase, "--prepared", a.path("prepared"), str(conf), "-o", out,
          where=False)
    assert os.path.getsize(out) > 0


PLAN = "muster-plan.conf.5"
PLAN_PARTS = {"SETTINGS": "site", "PRODUCTS": "product", "MACHINES": "class",
              "HOSTS": "host", "HOLIDAYS": "holiday"}
PLAN_FORMS = {"K_NAME": "Ar NAME", "K_GROUP": "Ar NAME", "K_PRODUCT": "Ar NAME",
              "K_COUNT": "Ar N", "K_SHORT": "Ar N", "K_PERCENT": "Ar N",
              "K_BOOL": "Ar true|false", "K_DATE": "Ar DATE",
              "K_ONLINE": "Ar TIMES",
              "K_PERIOD": "{ Cm every_days = Ar N ; Cm days = Ar N ; }"}
PLAN_NO_DEFAULT = ("count",)


def plan_limits():
    return {name: n for name, n in re.findall(
        r"#define (SITE_\w+) (\d+)\b", source("sim/site.h"))}


def plan_fields(what):
    """Name, kind, member, least and greatest of each."""
    body = re.search(rf"field {what}_fields\[\] = \{{\n(.*?)\n\}};",
                     source("sim/site_load.c"), re.S)[1]
    rows = re.findall(r'\{"(\w+)", (K_\w+),\s+(?:AT\(\w+, ([\w.]+)\)|0),'
                      r"\s+(\w+),\s+(\w+)\}", body)
    assert len(rows) == body.count('{"')
    limit = plan_limits()
    return [(*row[:4], limit.get(row[4], row[4])) for row in rows]


def plan_presets(part):
    """What the source fills in, by member."""
    site, load = source("sim/site.c"), source("sim/site_load.c")
    text = {"SETTINGS": re.search(r"^site_init\(.*?\.n_products", site, re.S | re.M),
            "PRODUCTS": re.search(r"\(struct site_product\)\{(.*?)\}", load, re.S),
            "MACHINES": re.search(r"^site_class_init\(.*?^\}", site, re.S | re.M),
            "HOSTS": re.search(r"\(struct site_host\)\{(.*?)\}", load, re.S),
            "HOLIDAYS": re.search(r"\(struct site_holiday\)\{(.*?)\}", load,
                                  re.S)}[part][0]
    return {name: plan_limits().get(value, value)
            for name, value in re.findall(r"\.(\w+) = (\w+)", text)}


@pytest.mark.parametrize("part", PLAN_PARTS)
def test_the_page_of_a_site_has_the_settings_of_the_source(part):
    """Names in their order, limits and defaults."""
    rows, presets = plan_fields(PLAN_PARTS[part]), plan_presets(part)
    told = {}
    for head, says in items(PLAN, part).items():
        name, form = re.fullmatch(r"Cm (\w+) = (.*)", head).groups()
        told[name] = form, " ".join(says.split())
    assert list(told) == [row[0] for row in rows] and len(rows) > 2
    for name, kind, member, low, high in rows:
        form, says = told[name]
        assert form == PLAN_FORMS[kind], name
        if kind in ("K_COUNT", "K_SHORT"):
            assert f"{low} to {high} " in says.replace(",", " "), name
            if name not in PLAN_NO_DEFAULT:
                assert is_default(says, presets.get(member, "0")), name
        elif kind == "K_BOOL":
            assert is_default(says, presets.get(member, "false")), name
        elif kind == "K_PERCENT":
            assert "0 to 100 " in says
            ppm = int(presets.get(member, "0"))
            assert is_default(says, str(ppm // 10000)), name
        elif kind == "K_PERIOD":
            every, days = plan_fields("period")
            assert f"for {days[3]} to {days[4]} days of every {every[3]} to " \
                f"{every[4]}" in says
        else:
            assert ".P" in says, name


def test_the_page_of_a_site_has_its_lists_and_limits():
    limit, text = plan_limits(), installed(PLAN)
    lists = re.search(r"names\[\] = \{(.*?)\}", source("sim/site_load.c"),
                      re.S)[1]
    assert re.findall(r"^The list\n\.Ic (\w+) ,$", text, re.M) == \
        re.findall(r'"(\w+)"', lists)
    for part, name in (("PRODUCTS", "PRODUCTS"), ("MACHINES", "CLASSES"),
                       ("HOSTS", "HOSTS"), ("HOLIDAYS", "HOLIDAYS")):
        assert f"1 to {limit[f'SITE_{name}_MAX']} entries" in \
            section(PLAN, part), part
    assert f"{limit['SITE_MACHINES_MAX']} machines in all" in text
    assert f"up to {limit['SITE_MISTAKES_MAX']} at once" in text
    assert f"A name has 1 to {limit['SITE_NAME_MAX']} characters" in text
    first = re.findall(r'\.name = "(\w+)",\s+\.threshold = (\d+)',
                       source("sim/site.c"))
    assert len(first) == 2
    for name, threshold in first:
        assert f".Qq {name}" in section(PLAN, "PRODUCTS")
        assert re.search(rf"thresholds .*\b{threshold}\b",
                         section(PLAN, "PRODUCTS"))


def test_the_example_of_a_site_is_planned(tmp_path):
    conf = tmp_path / "site.conf"
    conf.write_text(example(PLAN))
    p = run("muster", "plan", str(conf), "--seeds", "1", "--jobs", "1",
            "--days", "60")
    assert (p.returncode, p.stderr) == (0, "")
    assert "office" in p.stdout and "laptops" in p.stdout


@pytest.mark.parametrize("page,program", (
    ("musterd.conf.5", "musterd"), ("agent.conf.5", "muster-agent")))
def test_the_example_of_a_page_is_good(tmp_path, page, program):
    conf = tmp_path / "example.conf"
    conf.write_text(example(page))
    p = run(program, "--check", "--config", str(conf))
    assert (p.returncode, p.stderr) == (0, "")
