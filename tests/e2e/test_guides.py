# SPDX-License-Identifier: MIT
"""Goal: whoever follows a guide line by line meets what it says: its blocks
run, and what it shows is what comes.  And the follower itself tells a guide
that is wrong from one that is right."""
import collections
import glob
import io
import os
import re

import pytest

import demo
import guides

GUIDES = sorted(glob.glob(os.path.join(demo.REPO, "doc/guide/*.md")))
WITH_BLOCKS = [g for g in GUIDES if "```sh" in open(g).read()]
# what of each is not run as its reader sees it, by the remark that says why;
# all else is
NOT_AS_WRITTEN = {
    "administrator.md": {"run instead": 9, "with packages": 1, "not run": 3},
    "developer.md": {"run instead": 2, "with packages": 2},
    "five-minutes.md": {"with packages": 2, "not run": 1},
    "publisher.md": {"run instead": 2, "with packages": 1}}


# the product that one builds is linked with libmuster and has no sanitizer
@pytest.mark.parametrize("path", [
    pytest.param(path, marks=pytest.mark.bare)
    if os.path.basename(path) == "developer.md" else path
    for path in WITH_BLOCKS], ids=os.path.basename)
def test_guide_can_be_followed(path):
    text = open(path).read()
    if guides.NEEDS_ROOT in text and os.geteuid() != 0:
        pytest.skip("needs root: " + os.path.basename(path))
    said = io.StringIO()
    assert guides.follow(path, said), said.getvalue()
    print(said.getvalue())
    other = NOT_AS_WRITTEN[os.path.basename(path)]
    run = text.count("```sh\n") - sum(other.values())
    shown = [b for b in guides.parse(text) if b.expected is not None]
    assert len(shown) == text.count("```text\n")  # each is behind its block
    compared = sum(b.kind not in guides.LEFT_OUT for b in shown)
    assert run > 0 and f": {run} blocks run, {compared} outputs compared, " \
        f"{other.get('run instead', 0)} replaced, " in said.getvalue()


def test_what_is_not_run_as_written_is_counted():
    found = {}
    for path in WITH_BLOCKS:
        blocks = [b for b in guides.parse(open(path).read()) if b.kind != "run"]
        assert all(b.argument for b in blocks)
        found[os.path.basename(path)] = dict(
            collections.Counter(b.kind for b in blocks))
    assert found == NOT_AS_WRITTEN


CLUSTER = os.path.join(demo.REPO, "doc/cluster.md")
# programs that Debian's smallest system lacks, and the package of each
LACKS = {"cc": "gcc", "curl": "curl", "dig": "bind9-dnsutils", "jq": "jq",
         "openssl": "openssl", "pkg-config": "pkg-config", "psql": "postgresql"}


@pytest.mark.parametrize("path", [*WITH_BLOCKS, CLUSTER], ids=os.path.basename)
def test_a_guide_has_its_reader_install_what_it_runs(path):
    blocks = [b for b in guides.parse(open(path).read()) if b.kind != "not run"]
    code = re.sub(r" *#.*", "", "".join(b.code for b in blocks))
    installed = " ".join(re.findall("^apt install (.*)$", code, re.M)).split()
    code = re.sub(r"^(apt install|cat >).*$|'[^']*'", "", code, flags=re.M)
    for program, package in LACKS.items():
        assert package in installed or \
            not re.search(rf"(?<![\w./-]){program} ", code), program


@pytest.mark.parametrize("path", [*WITH_BLOCKS, CLUSTER], ids=os.path.basename)
def test_whom_a_guide_trusts_is_not_said_by_the_file_itself(path):
    """The id for --trust comes by another way than the catalogue."""
    code = "".join(b.code for b in guides.parse(open(path).read()))
    assert not re.search(r"catalogue show .*publisher\b.*\)", code)
    assert code.count("--trust") == code.count('--trust "$told"')


@pytest.mark.parametrize("path", WITH_BLOCKS, ids=os.path.basename)
def test_a_service_that_a_guide_stops_is_started_again(path):
    last = {}
    for b in guides.parse(open(path).read()):
        for verb, units in re.findall(
                r"^systemctl (stop|start|restart|(?:dis|en)able --now) ([\w. -]*)",
                b.code, re.M):
            last |= dict.fromkeys(units.split(), verb)
    assert not {"stop", "disable --now"} & set(last.values()), last


def follow(tmp_path, text):
    path = tmp_path / "guide.md"
    path.write_text(text)
    said = io.StringIO()
    return guides.follow(str(path), said), said.getvalue()


BLOCKS = """
```sh
mkdir new
word=two
cd new
```

```sh
echo one $word
echo three >&2
```

```text
one ...
three
```
"""


def test_blocks_share_a_shell(tmp_path):
    good, said = follow(tmp_path, BLOCKS)
    assert good and "2 blocks run, 1 outputs compared" in said


@pytest.mark.parametrize("old,new,why", [
    ("one ...", "one to", "found 'one two'"),
    ("three\n```\n", "three\nfour\n```\n", "found the end"),
    ("...\nthree\n", "...\n", "found more: 'three'"),
    ("mkdir new", "mkdir new; false", "ended with [1]"),
    ("echo one", "nosuchprogram; echo one", "ended with [127]"),
    ("echo one", "false | true; echo one", "ended with [1]"),
    ("cd new", "exit 0", "the shell ended"),
    ("cd new", "sleep 9 &", "not ready"),
])
def test_a_wrong_guide_fails(tmp_path, monkeypatch, old, new, why):
    monkeypatch.setattr(guides, "READY_S", 0.5)
    assert old in BLOCKS
    if why == "the shell ended":
        with pytest.raises(ChildProcessError, match=why):
            follow(tmp_path, BLOCKS.replace(old, new))
        return
    good, said = follow(tmp_path, BLOCKS.replace(old, new))
    assert not good and why in said


@pytest.mark.parametrize("begin", ["ec=", "muster-authority key issue "])
def test_what_the_publisher_fails_in_is_no_silence(tmp_path, monkeypatch, begin):
    monkeypatch.setattr(guides, "READY_S", 0.5)
    text = guides.PUBLISHER
    assert text.count("\n" + begin) == 1
    monkeypatch.setattr(guides, "PUBLISHER", text.replace(
        "\n" + begin, "\nfalse\n" + begin))
    with pytest.raises(ChildProcessError, match=r"publisher: \[1,"):
        follow(tmp_path, "<!-- before: . publisher -->" + BLOCKS)


def test_remarks(tmp_path):
    good, said = follow(tmp_path, """
<!-- not run: needs a packet filter -->
```sh
exit 1
```

<!-- run instead: touch begun -->
```sh
systemctl start begun
```

<!-- exit: 3 -->
```sh
ls
(exit 3)
```

```text
begun
```
""")
    assert good
    assert "1 blocks run, 1 outputs compared, 1 replaced, 1 not run" in said
    assert "not run: needs a packet filter" in said
    with pytest.raises(ValueError, match="line 2: a remark"):
        guides.parse("<!-- exit: 1 -->\nprose\n```sh\n```\n")


def test_a_guide_without_blocks_is_not_one_that_was_followed(tmp_path):
    assert not follow(tmp_path, "prose\n")[0]
    good, said = follow(tmp_path, "<!-- not run: why -->\n```sh\ntrue\n```\n")
    assert not good and "no block of it is run" in said


def test_any_lines():
    text = "a\n...\nd ... f\n"
    assert guides.differs(text, "a\nb\nc\nd e f\n") is None
    assert guides.differs("a\n...\n", "a\n") is None
    assert guides.differs(text, "a\nb\n") == \
        "expected 'd ... f', found the end"
    assert guides.differs(text, "b\nd e f\n")
