# SPDX-License-Identifier: MIT
"""Goal: the documentation is one site, in which every link leads somewhere
and nothing comes from elsewhere; and the check of it sees what is broken."""
import glob
import os
import re

import pytest

import demo
import site_pages as site


@pytest.fixture(scope="module")
def built(tmp_path_factory):
    folder = str(tmp_path_factory.mktemp("site") / "site")
    here = os.getcwd()
    s = site.Site(folder)
    faults = s.build()
    os.chdir(here)
    return s, folder, faults


def test_every_link_leads_somewhere(built):
    assert built[2] == []


def test_every_page_is_in_the_navigation(built):
    s, folder, _ = built
    sources = {os.path.relpath(p, demo.REPO) for p in glob.glob(
        os.path.join(demo.REPO, "doc/**/*.md"), recursive=True)}
    sources |= {os.path.relpath(p, demo.REPO) for p in glob.glob(
        os.path.join(demo.REPO, "doc/man/*.[1-9]"))}
    assert len(sources) > 20 and sources <= set(s.pages)
    with open(os.path.join(folder, "index.html")) as f:
        start = f.read()
    for source in sources:
        assert f'href="{site.target(source)}"' in start, source


def test_another_name_of_a_manual_page_shows_that_page(built):
    """`.so` of muster_errname(3), whose text is muster_strerror(3)."""
    links = [m for m in built[0].man if open(os.path.join(demo.REPO, m)).read().startswith(".so ")]
    assert links
    for source in links:
        with open(os.path.join(demo.REPO, source)) as f:
            there = site.MAN_LINK.match(f.read()).group(1)
        link, shown = (
            open(os.path.join(built[1], site.target(p))).read()
            for p in (source, "doc/man/" + there))
        text = re.compile(r'<section class="Sh">.*</section>', re.S)
        assert text.search(link).group(0) == text.search(shown).group(0)


def test_remarks_for_the_tests_are_not_on_pages(built):
    for path in glob.glob(os.path.join(built[1], "guide/*.html")):
        with open(path) as f:
            text = f.read()
        assert "run instead" not in text and "needs: root" not in text, path


def test_contents_have_all_guides():
    """doc/README.md, which is the first page, leads to every other."""
    with open(os.path.join(demo.REPO, "doc/README.md")) as f:
        there = set(re.findall(r"\]\(([^)]*\.md)\)", f.read()))
    for path in glob.glob(os.path.join(demo.REPO, "doc/**/*.md"),
                          recursive=True):
        name = os.path.relpath(path, os.path.join(demo.REPO, "doc"))
        assert name == "README.md" or name in there, name


@pytest.mark.parametrize("body,fault", [
    ('<a href="b.html">', "no such page"),
    ('<a href="#none">', "no such anchor"),
    ('<a href="a.html#none">', "no such anchor"),
    ('<i id="x"></i><i id="x"></i>', "there twice"),
    ('<script src="https://example.com/x.js">', "from elsewhere"),
    ('<link href="//example.com/x.css">', "from elsewhere"),
    ('<img src="none.png">', "no such page"),
])
def test_what_is_broken_is_seen(tmp_path, body, fault):
    good = '<i id="x"></i><a href="a.html#x"></a>' \
        '<a href="https://example.com/">'
    (tmp_path / "a.html").write_text(good)
    assert site.check(str(tmp_path)) == []
    (tmp_path / "a.html").write_text(body)
    faults = site.check(str(tmp_path))
    assert len(faults) == 1 and fault in faults[0]


def test_a_manual_page_without_its_text_is_seen(tmp_path):
    (tmp_path / "man").mkdir()
    page = tmp_path / "man/a.3.html"
    page.write_text('<h2 id="NAME">NAME</h2>')
    assert site.check(str(tmp_path)) == []
    page.write_text("See the file man3/b.3.")
    assert site.check(str(tmp_path)) == ["man/a.3.html: no section NAME"]
