# SPDX-License-Identifier: MIT
"""Goal: what the packages say of the tree is what the tree has; the tarball
they are built from is one, whoever makes it."""
import glob
import os
import re
import shutil
import subprocess
import sys

import pytest

import demo

sys.path.insert(0, os.path.join(demo.REPO, "tools"))
import contact

DEBIAN = os.path.join(demo.REPO, "packaging/debian")
USR = os.path.dirname(demo.BIN)


def text(*names):
    with open(os.path.join(demo.REPO, *names)) as f:
        return f.read()


def packages():
    return re.findall(r"^Package: (\S+)$", text(DEBIAN, "control"), re.M)


def test_the_packages_are_those_of_the_manual():
    assert packages() == ["muster-host", "muster-host-postgresql",
                          "muster-agent", "muster-cli", "muster-authority",
                          "libmuster0", "libmuster-dev", "python3-muster"]
    told = re.findall(r"^\| `([a-z0-9-]+)` \|", text("doc/packages.md"), re.M)
    assert told == packages()


def test_each_package_that_a_message_names_is_one():
    """A literal that C splits in two is one message."""
    named = {}
    for path in glob.glob(demo.REPO + "/src/**/*.c", recursive=True):
        whole = re.sub(r'"\s+"', "", text(path))
        for name in re.findall(r"\bpackage ((?:lib)?muster[a-z0-9-]*)", whole):
            named[name] = path
    assert "muster-host-postgresql" in named
    assert set(named) <= set(packages()), named


def test_the_version_is_one():
    version = re.search(r"^  version: '(.*)',$", text("meson.build"), re.M)
    assert text(DEBIAN, "changelog").startswith(
        f"muster ({version.group(1)}-")


def test_each_commit_has_a_version_of_its_own(tmp_path):
    """As dpkg sorts them: before the release, the release, after it."""
    def git(*args):
        day = f"2026-01-0{len(seen) + 1}T09:00:00 +0900"
        env = {**os.environ, "GIT_COMMITTER_DATE": day,
               "GIT_CONFIG_GLOBAL": "/dev/null"}
        subprocess.run(["git", "-c", "user.name=A", "-c", "user.email=a@b",
                        *args], cwd=tmp_path, check=True, timeout=90,
                       env=env, stdout=subprocess.DEVNULL)

    def version():
        p = subprocess.run(["sh", os.path.join(demo.REPO, "tools/version.sh")],
                           cwd=tmp_path, check=True, timeout=90,
                           capture_output=True, text=True)
        return p.stdout.strip()
    seen = []
    (tmp_path / "meson.build").write_text("  version: '1.2.0',\n")
    git("init", "-q")
    git("add", "meson.build")
    for n in range(5):
        git("commit", "-q", "--allow-empty", "-m", str(n))
        if n == 2:
            git("tag", "v1.2.0")
        seen.append(version())
    assert re.fullmatch(r"1\.2\.0~git20260102000000\.[0-9a-f]{12}", seen[1])
    assert seen[2] == "1.2.0" and seen[3].startswith("1.2.0+git20260104000000.")
    for a, b in zip(seen, seen[1:]):
        assert subprocess.run(["dpkg", "--compare-versions", a, "lt", b],
                              timeout=90).returncode == 0, seen


def test_the_symbols_are_those_of_the_library():
    said = re.findall(r"^ (\w+)@MUSTER_0 ", text(DEBIAN, "libmuster0.symbols"),
                      re.M)
    p = subprocess.run(
        ["nm", "-D", "--defined-only", "--format=posix",
         *glob.glob(os.path.join(USR, "lib/*/libmuster.so.0"))],
        capture_output=True, text=True, timeout=90, check=True)
    assert sorted(said) == sorted({line.split("@")[0].split()[0]
                                   for line in p.stdout.splitlines()})


def listed():
    """Paths below /usr that a package takes, with their wildcards, and those
    that none is to take."""
    paths = {line: "none" for line in text(DEBIAN, "not-installed").splitlines()
             if line[0] != "#"}
    for package in packages():
        for end in ("install", "manpages"):
            name = os.path.join(DEBIAN, f"{package}.{end}")
            if os.path.exists(name):
                for line in text(name).splitlines():
                    paths[re.sub("^lib/systemd", "usr/lib/systemd",
                                 line.split()[0])] = package
    return paths


def test_each_file_is_in_one_package():
    """But one that is in two places: musterd.conf, to be changed in /etc."""
    patterns = listed()
    for folder, _, names in os.walk(USR):
        for name in names:
            path = os.path.relpath(os.path.join(folder, name),
                                   os.path.dirname(USR))
            if "__pycache__" in path:
                continue
            found = [p for p in patterns if glob.fnmatch.fnmatch(path, p) or
                     glob.fnmatch.fnmatch(path, p + "/*")]
            assert len(found) == 1, (path, found)


@pytest.mark.parametrize("name", ["prometheus/muster.rules.yml",
                                  "grafana/muster-hosts.json"])
def test_what_monitoring_takes_is_in_the_host_s_package(name):
    assert text(USR, "share/muster", name) == \
        text(demo.REPO, "packaging", name)
    assert listed()["usr/share/muster/" + name] == "muster-host"
    folder = "/usr/share/muster"
    assert f"in `{folder}`\n" in text("doc/guide/administrator.md")
    assert not os.path.exists(os.path.join(DEBIAN, "muster-host.examples"))


def test_the_settings_are_where_the_manual_page_says():
    page = text("doc/man/musterd.conf.5")
    files = re.findall(r"^\.It Pa (\S*)$", page[page.index(".Sh FILES"):], re.M)
    assert files == ["/etc/muster/musterd.conf",
                     "/usr/share/doc/muster/musterd.conf"]
    for path in files:
        assert listed()[path[1:]] == "muster-host", path
    # a guide adds to what the package brought, and does not replace it
    for guide in glob.glob(os.path.join(demo.REPO, "doc/guide/*.md")):
        assert not re.search(r"[^>]> ?/etc/muster/musterd\.conf", text(guide))


def test_links_of_the_pages_lead_to_pages_of_the_package():
    """All of doc/ is in one folder, beside what its pages link to."""
    assert text(DEBIAN, "muster-cli.docs").split() == ["doc", "CHANGELOG.md"]
    assert glob.glob(DEBIAN + "/*.docs") == [DEBIAN + "/muster-cli.docs"]
    outside = set()
    pages = glob.glob(demo.REPO + "/doc/**/*.md", recursive=True)
    for page in pages:
        for link in re.findall(r"\]\(([^)#:]+)(?:#[^)]*)?\)", text(page)):
            there = os.path.normpath(os.path.join(os.path.dirname(page), link))
            assert os.path.exists(there), (page, link)
            name = os.path.relpath(there, demo.REPO)
            if not name.startswith("doc/") or name.startswith("doc/man/"):
                outside.add(name)
    assert len(pages) > 20 and outside == {"CHANGELOG.md", "SECURITY.md"}
    assert listed()["usr/share/doc/muster/SECURITY.md"] == "muster-cli"


def related(package, *fields):
    """What a package names in these fields."""
    part = re.search(rf"^Package: {package}\n(.*?)(?=^$|\Z)",
                     text(DEBIAN, "control"), re.S | re.M)[1]
    said = re.findall(rf"^(?:{'|'.join(fields)}): (.*)$", part, re.M)
    return set(re.findall(r"[a-z0-9.+-]+", " ".join(said))) & set(packages())


def with_dependencies(package):
    found = {package}
    for one in related(package, "Depends"):
        found |= with_dependencies(one)
    return found


def test_a_page_refers_to_what_its_package_leads_to():
    """To a page of it, of what it depends on, or of what either suggests; but
    the calls of the library are for who has libmuster-dev."""
    owners = {os.path.basename(path): package
              for path, package in listed().items() if "/man/man" in path}
    calls = owners.pop("*")
    assert calls == "libmuster-dev" and len(owners) > 15
    pages = {os.path.basename(path) for path in
             glob.glob(demo.REPO + "/doc/man/*.3")}
    assert len(pages) > 3
    owners |= dict.fromkeys(pages, calls)
    judged = set()
    for page, package in owners.items():
        near = set()
        for one in with_dependencies(package):
            near |= {one} | related(one, "Recommends", "Suggests")
        for name, section in re.findall(r"^\.Xr (\S+) (\d)",
                                        text("doc/man", page), re.M):
            judged.add((page[-1], section))
            if section != "3" and f"{name}.{section}" in owners:
                assert owners[f"{name}.{section}"] in near, (page, name)
    assert {("3", "5"), ("3", "8"), ("5", "1"), ("8", "1")} <= judged


@pytest.mark.parametrize("package, unit", [
    ("muster-host", "musterd"), ("muster-agent", "muster-agent"),
    ("muster-authority", "muster-authority")])
def test_users_folders_and_purge_are_of_the_unit(package, unit):
    service = text(USR, f"lib/systemd/system/{unit}.service")
    state = re.search("^StateDirectory=(.*)$", service, re.M).group(1)
    mode = re.search("^StateDirectoryMode=(.*)$", service, re.M).group(1)
    user = re.search("^User=(.*)$", service, re.M).group(1)
    lines = [line.split() for line in text(
        USR, f"lib/tmpfiles.d/{unit}.conf").splitlines() if line[0] != "#"]
    assert ["d", "/var/lib/" + state, mode, user, user] in lines
    assert re.search(rf"^u +{user} ", text(USR, f"lib/sysusers.d/{unit}.conf"),
                     re.M)
    purge = re.search(r'"\$1" = purge.*?^fi$', text(DEBIAN, package + ".postrm"),
                      re.M | re.S).group(0)
    assert re.findall(r"rm -rf (\S+)", purge) == ["/var/lib/" + state]


# How small the tarball is, is no matter to its tests.
QUICK_XZ = """
case $* in
*-9*) exec /usr/bin/xz -0 ;;
esac
exec /usr/bin/xz "$@"
"""


@pytest.mark.parametrize("is_quick", [True, pytest.param(
    False, marks=pytest.mark.long)])
def test_the_tarball_is_the_same_from_anywhere(tmp_path, is_quick):
    """Another folder, time zone, umask and locale."""
    sums = set()
    path = fake(tmp_path / "bin", "xz", QUICK_XZ)["PATH"] if is_quick else \
        os.environ["PATH"]
    for n, (umask, env) in enumerate((
            ("022", {}), ("077", {"TZ": "Asia/Tokyo", "LC_ALL": "tr_TR.UTF-8"}))):
        there = tmp_path / f"copy-{n}"
        subprocess.run(["git", "clone", "-q", demo.REPO, str(there)], check=True,
                       timeout=240)
        subprocess.run(["sh", "-c", f"umask {umask}; exec sh tools/dist.sh"],
                       check=True, cwd=there, timeout=480,
                       env={**os.environ, **env, "PATH": path}, stdout=subprocess.DEVNULL)
        sums.update(open(f).read() for f in glob.glob(
            str(there / "build/dist/*.sha256")))
    assert len(sums) == 1


def test_the_earlier_build_of_an_upgrade_can_be_made():
    """Its patch fits the source as it is, and its schema is an earlier one."""
    patch = os.path.join(demo.REPO, "tests/schema-1.patch")
    subprocess.run(["patch", "-s", "-p1", "--dry-run", "--fuzz=0", "-i", patch],
                   cwd=demo.REPO, check=True, timeout=90)
    now = re.search(r"^#define STORE_SCHEMA (\d+)$", text("src/store/store.h"),
                    re.M).group(1)
    assert int(now) > 1
    assert f"\n-#define STORE_SCHEMA {now}\n" \
        "+#define STORE_SCHEMA 1\n" in text(patch)
    inside, life = (text("tools", name) for name in
                    ("deb-test-inside.sh", "deb-life-inside.sh"))
    assert f"refused $host/host.db {now} 1 " in inside
    shared = text("tools", "deb-shared-inside.sh")
    newest = re.search(r"^#define PG_SCHEMA (\d+)", text("src/store/pg.h"),
                       re.M).group(1)
    assert f'is "migration before" {int(newest) - 1} ' in shared
    assert f'is "migration" {newest} ' in shared
    assert f"\n+#define PG_SCHEMA {int(newest) - 1} " in text(patch)
    name, = (os.path.basename(path) for path in glob.glob(
        os.path.join(demo.REPO, f"src/store/postgres/{int(newest):03}-*.sql")))
    assert shared.count(name) == 1 and \
        text("doc/cluster.md").count(f"./usr/share/muster/postgresql/{name} >{name}") == 1
    for script in inside, life:  # what it is before, and after each upgrade
        assert set(re.findall(r'^is "schema" (\d+) ', script, re.M)) - {"1"} \
            == {now}
        assert re.search('^is "schema before" 1 ', script, re.M)


def fake(folder, name, script):
    folder.mkdir(exist_ok=True)
    (folder / name).write_text("#!/bin/sh\n" + script)
    (folder / name).chmod(0o755)
    return {**os.environ, "PATH": f"{folder}:{os.environ['PATH']}"}


def test_no_package_is_built_with_a_network(tmp_path):
    """But where it is asked for: then the next thing is the tarball."""
    env = fake(tmp_path / "bin", "unshare", "exit 1\n")
    fake(tmp_path / "bin", "git", "echo the tarball >&2\nexit 1\n")
    for network, says in (("", "no network namespace here"),
                          ("yes", "the tarball")):
        p = subprocess.run(
            ["sh", "tools/deb.sh", str(tmp_path / "out")], cwd=demo.REPO,
            env={**env, "NETWORK": network}, capture_output=True, text=True,
            timeout=240, check=False)
        assert p.returncode == 1 and says in p.stderr, p
        assert not (tmp_path / "out").exists()


# As reprotest leaves things: a trial's file or both builds' packages.
REPROTEST = """
case $* in
*echo*) [ -n "$GIVEN" ] || ! echo "$1" | grep -q +user_group ||
		echo IGNORING user_group
	exit 0 ;;
esac
echo "$1" >>"$ACCOUNTS"
[ -z "$LET_GO" ] || echo "WARNING: IGNORING $LET_GO variation"
while [ "$1" != -s ]; do both=${1#--store-dir=}; shift; done
for n in 1 2 3 4 5 6 7 8; do for build in control experiment-1; do
	mkdir -p "$both/$build/source-root"
	echo $n >"$both/$build/source-root/$n.deb"
done; done
"""


def test_a_variation_that_is_let_go_is_no_success(tmp_path):
    there = tmp_path / "copy"
    subprocess.run(["git", "clone", "-q", demo.REPO, str(there)], check=True,
                   timeout=240)
    shutil.copy(os.path.join(demo.REPO, "tools/deb-repro.sh"), there / "tools")
    env = fake(tmp_path / "bin", "reprotest", REPROTEST)
    fake(tmp_path / "bin", "xz", QUICK_XZ)
    accounts = tmp_path / "accounts"
    for name in "useradd", "userdel":
        fake(tmp_path / "bin", name, f'echo {name} "$@" >>"$ACCOUNTS"\n')
    fake(tmp_path / "bin", "id", "echo 0\n")  # who makes accounts is root
    for let_go, given, code in (("", "", 0), ("time", "", 1), ("", "yes", 0)):
        accounts.unlink(missing_ok=True)
        p = subprocess.run(["sh", "tools/deb-repro.sh"], cwd=there,
                           env={**env, "LET_GO": let_go, "GIVEN": given,
                                "ACCOUNTS": str(accounts)},
                           capture_output=True, text=True, timeout=480,
                           check=False)
        assert p.returncode == code, p
        refused = "none" if given else "user_group"
        assert f"refused by this machine: {refused}\n" in p.stdout
        assert ("IGNORING time variation" in p.stderr) == bool(let_go)
        # an account for as long as this takes, and the build is told of it
        made, varied, gone = accounts.read_text().splitlines()
        name = made.split()[-1]
        assert gone == "userdel " + name
        assert (f"user_group.available+={name}:{name}" in varied) == bool(given)


@pytest.mark.parametrize("package, unit, port", [
    ("muster-host", "musterd", "1688"),
    ("muster-authority", "muster-authority", "8443")])
def test_images_are_as_the_units(package, unit, port):
    """User, folder and program; no root, and nothing is fetched but Debian."""
    images = text("packaging/Containerfile").split("\nFROM ")[1:]
    assert all(i.startswith("docker.io/library/debian:bookworm-slim AS ")
               for i in images) and len(images) == 2
    image = next(i for i in images if f"/debs/{package}_*.deb" in i)
    service = text(USR, f"lib/systemd/system/{unit}.service")
    state = re.search("^StateDirectory=(.*)$", service, re.M).group(1)
    user = re.search("^User=(.*)$", service, re.M).group(1)
    run, *args = re.search("^ExecStart=(.*)$", service, re.M).group(1).split()
    assert re.findall("^USER (.*)$", image, re.M) == [user]
    assert re.findall("^VOLUME (.*)$", image, re.M) == ["/var/lib/" + state]
    assert re.findall("^EXPOSE (.*)$", image, re.M) == [port]
    assert f'\nENTRYPOINT ["{run}"]\n' in image
    assert re.findall(r'^CMD \["(.*)"\]$', image, re.M) == args
    assert image.index("\nUSER ") > image.index("\nRUN ")
    assert "ADD " not in image and "curl" not in image
    named = set(re.findall(r"/debs/([a-z0-9-]+)_\*", image))
    assert named <= set(packages())


def test_an_image_has_what_its_packages_recommend():
    """apt would install it; an image says so itself."""
    images = text("packaging/Containerfile").split("\nFROM ")[1:]
    found = 0
    for part in text(DEBIAN, "control").split("\n\n"):
        name, more = (re.search(f"^{field}: (.*)$", part, re.M) for field in
                      ("Package", "Recommends"))
        for image in images if more else ():
            if f"/debs/{name.group(1)}_*" in image:
                found += 1
                for wanted in more.group(1).split(", "):
                    assert re.search(rf"^ +{wanted} ", image, re.M), wanted
    assert found  # muster-cli's certificates of authorities, in the host's


def test_the_manual_says_what_the_image_of_the_host_lacks():
    image = text("packaging/Containerfile").split(" AS host\n")[1]
    image = image.split("\nFROM ")[0]
    told = text("doc/packages.md").split("## Images\n")[1].split("\n## ")[0]
    has = set(re.findall(r"/debs/([a-z0-9-]+)_\*", image))
    assert has == {"muster-cli", "muster-host"}
    lacks = re.findall(r"`([a-z0-9-]+)`[^`.]*\bis not in it\.", told)
    assert lacks == ["muster-host-postgresql"] and set(lacks) <= set(packages())


SHIPS = {"DEBFULLNAME": "Acme releases", "DEBEMAIL": "releases@acme.example",
         "HOMEPAGE": "https://acme.example/muster"}


def named(tmp_path, env):
    """control and changelog as packages of who ships them have them."""
    for name in ("control", "changelog"):
        shutil.copy(os.path.join(DEBIAN, name), tmp_path)
    p = subprocess.run(["sh", os.path.join(DEBIAN, "publisher.sh"),
                        str(tmp_path)], env={"PATH": os.environ["PATH"], **env},
                       capture_output=True, text=True, timeout=90, check=False)
    return p.returncode, *((tmp_path / name).read_text()
                           for name in ("control", "changelog"))


def test_a_name_without_an_address_is_refused(tmp_path):
    code, *after = named(tmp_path, {"DEBFULLNAME": "Acme releases"})
    assert code == 1
    assert after == [text(DEBIAN, "control"), text(DEBIAN, "changelog")]


def test_who_ships_the_packages_is_named_by_them(tmp_path):
    """And nobody else is: an address of this source reaches no one."""
    code, control, changelog = named(tmp_path, {})
    assert (code, control) == (0, text(DEBIAN, "control"))
    for mail in re.findall(r"<[^>]*@([^>]*)>", control + changelog):
        assert mail.endswith(".invalid")  # RFC 2606
    assert "Homepage" not in control
    code, control, changelog = named(tmp_path, SHIPS)
    assert code == 0 and ".invalid" not in control + changelog
    assert "\nMaintainer: Acme releases <releases@acme.example>\n" in control
    assert "\nHomepage: https://acme.example/muster\n" in control
    assert "\n -- Acme releases <releases@acme.example>  " in changelog
    code, control, _ = named(tmp_path, {**SHIPS, "DEBFULLNAME": "A | B"})
    assert code == 1 and "A | B" not in control


def test_reports_of_weaknesses_go_to_who_ships_it():
    here = text("SECURITY.md")
    report = here[:here.index("## What is promised")]
    assert "@" not in report and "http" not in report
    assert contact.with_contact(here, "") == here
    there = contact.with_contact(here, "security@acme.example")
    assert "\nReport it to **security@acme.example**.\n" in there
    assert contact.MARK not in there
    for bad in (here.replace(contact.MARK, ""), here + contact.MARK):
        with pytest.raises(ValueError, match="no place"):
            contact.with_contact(bad, "security@acme.example")
    with pytest.raises(ValueError, match="one line"):
        contact.with_contact(here, "a\nb")
    assert text(USR, "share/doc/muster/SECURITY.md") == here
