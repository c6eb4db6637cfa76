# SPDX-License-Identifier: MIT
"""Goal: an operator sees in a browser whether all is right, and finds a
machine; what is read off the page is what the database has."""
import json
import os
import re
import time
import uuid
from datetime import datetime

import pytest

import demo
import nameserver
import page
import wire
from page import NARROW, WIDE, eventually
from page_states import confirm, with_an_end

DESKTOP, SERVER = (uuid.UUID(i).bytes for i in (demo.DESKTOP, demo.SERVER))
TWIN = b"\x11" * 16
N_DESKTOPS, N_SERVERS = 27, 7
# what a catalogue may call things
EVIL = '<img src=x onerror=\\"window.hit=1\\"><b>'
EVIL_SEEN = EVIL.replace("\\", "")
EVIL_PRODUCTS = f"""
groups = ( {{ number = 1; name = "{EVIL}"; }} );
products = (
  {{ id = "{demo.DESKTOP}"; name = "P{EVIL}"; group = 1; class = "desktop";
     threshold = 25; line = 0; level = 1; }}
);
"""


@pytest.fixture(scope="module")
def chromium(tmp_path_factory):
    driver = page.browser(tmp_path_factory.mktemp("profile"))
    yield page.Page(driver)
    driver.quit()


@pytest.fixture(scope="module")
def busy(tmp_path_factory):
    """More desktops and servers than they need, real clients all; then two
    machines that go by one CMID, in states of their own.  It is not to be
    published, whatever this machine is called."""
    site = demo.Site(str(tmp_path_factory.mktemp("busy")))
    site.settings = "publish = false;\n"
    site.publish()
    site.start()
    site.activate_host()
    for n in range(1, N_DESKTOPS + 1):
        site.activate(n, demo.DESKTOP)
    for n in range(100, 100 + N_SERVERS):
        site.activate(n, demo.SERVER)
    for n, state in ((1, 2), (2, 4)):
        assert wire.activate(site.port, SERVER, cmid=TWIN,
                             machine=bytes([n]) * 16, name=b"Copy-%d" % n,
                             threshold=5, state=state)[0] == 0
    assert wire.activate(site.port, bytes(16))[0] != 0  # an unknown product
    yield site
    site.stop()


@pytest.fixture()
def shown(chromium, busy):
    chromium.look()
    db = page.Database(busy).settled()
    chromium.summed_unix_s = page.summed(busy)
    chromium.db = db
    return chromium.open(page.status_port(busy))


# ---- what it says ----

def test_b5_figures_are_those_of_the_database(shown, busy):
    db = shown.db
    assert shown.number("[data-is=count]") == db.one(
        "SELECT count(*) FROM cache") == N_DESKTOPS + N_SERVERS + 1
    assert shown.number("[data-is=capacity]") == db.one(
        "SELECT capacity FROM grp") == 50
    for i, name in enumerate(page.STATES):
        assert shown.number(f"[data-is=state-{name}]") == db.one(
            "SELECT count(*) FROM client WHERE state = ?", i), name
    assert shown.number("[data-is=clients]") == db.one(
        "SELECT count(*) FROM client") == N_DESKTOPS + N_SERVERS + 1
    at = shown.js("return document.querySelector('#states time').dateTime")
    assert shown.summed_unix_s <= datetime.fromisoformat(
        at.replace("Z", "+00:00")).timestamp() <= \
        page.status(busy)["inventory"]["as_of_unix_s"]
    # all but those who were told fewer than they need
    leases = db.one("SELECT count(*) FROM client WHERE count >= threshold")
    assert shown.number("[data-is=current]") == leases > 0
    for days in (7, 30, 60):
        assert shown.number(f"[data-is=within-{days}]") == 0
    assert shown.number("[data-is=ended]") == 0


def test_activations_and_refusals_by_cause(shown, busy):
    # 25 are needed, the servers and the copies found more
    assert shown.number("[data-is=activated]") == \
        N_DESKTOPS - 24 + N_SERVERS + 2
    assert shown.number("[data-is=refused-below_threshold]") == 24
    assert shown.number("[data-is=refused-unknown_product]") == 1
    for cause in ("not_covered", "host_not_activated", "clock", "busy"):
        assert shown.number(f"[data-is=refused-{cause}]") == 0


def test_host_and_store_and_events_are_told(shown, busy):
    said = page.status(busy)
    cert = said["publishers"][0]["certificate"]
    assert shown.number("[data-is=slot]") == cert["slot"] == 1
    host = shown.text("#host")
    assert f"127.0.0.1 port {busy.port}" in host and "SQLite" in host
    assert "does not end" in host and "DNS publication" in host
    events = shown.texts("#events li")
    assert any("listening" in e.lower() for e in events), events


def plain(text):
    """Without line ends, and without what differs from run to run."""
    text = re.sub(r"\d{4}-\d\d-\d\d", "DAY", " ".join(text.split()))
    return re.sub(r"\b\d+ (s|min)\b", "SPAN", text)


def transcript():
    """Of doc/status-page.md: the administrator's steps, each with what the
    page showed then."""
    with open(os.path.join(demo.REPO, "doc/status-page.md")) as f:
        block = f.read().split("walks the same way.\n\n")[1].split("\n\n")[0]
    steps = []
    for line in block.splitlines():
        step, shows = line[4:24].strip(), line[24:].strip()
        if step:
            steps.append((step, []))
        steps[-1][1].append(shows)
    return dict(steps)


def test_how_long_and_how_many_clients_are_kept(shown, busy):
    said = page.status(busy)["inventory"]
    told = shown.text("[data-is=kept]").replace(",", "").replace("\u202f", "")
    assert re.findall(r"\d+", told) == [str(said["retention_days"]),
                                        str(said["rows_max"])]
    assert said["retention_days"] == 400


def test_a_copied_image_is_found_from_the_page_alone(shown, busy):
    """One CMID, several fingerprints: told at the top, two steps away; and
    the transcript in the documentation has the page's own words."""
    said = transcript()

    def check(step, *wanted):
        for told, seen in zip(said[step], wanted, strict=True):
            assert plain(told) in plain(seen), step
    check("opens the page", shown.text("#verdict-title"),
          shown.text("#verdict-more"))
    warning, *steps = said["reads on"]
    assert plain(warning + "".join(f" {s}" for s in steps)) in plain(
        " ".join(shown.texts("#problems li > *")))
    assert "duplicates" in shown.problems()
    check("presses the button", shown.text("#problems button"))
    shown.click("#problems button")
    assert eventually(lambda: len(shown.rows()) == 1)
    assert shown.find("#client-duplicates")[0].is_selected()
    only, matches, *cells = said["is at the table"]
    assert only == shown.text("#client-tools .check").strip() + " [x]"
    assert matches == shown.text("#client-said")
    row = dict(shown.js(
        "return [...document.querySelectorAll('#client-table tbody td')]"
        ".map(d => [d.dataset.name, d.textContent])"))
    last, _, where = row["Last contact"].partition(" at ")
    assert where == os.uname().nodename
    assert plain(" ".join(cells)) == plain(" ".join(shown.texts(
        "#client-table tbody th > *"))) + " " + plain(", ".join((
            row["Product"], row["State"], last, "first " + row["First contact"],
            "lease ends " + row["Lease ends"], row["Count given"],
            row["Contacts"] + " contacts", row["Address"])))
    assert {"knows now", "on Copy-1, Copy-2", "in the image"} < set(said)
    (name, cmid), = shown.rows()
    row = shown.text("#client-table tbody tr")
    assert cmid == TWIN.hex() and cmid in row
    (machine, other, other_name), = shown.db.query(
        "SELECT machine, other_machine, other_name FROM client"
        " WHERE is_duplicate")
    assert {name, other_name} == {"Copy-1", "Copy-2"}
    for hint in (other_name, machine.hex()[:12], other.hex()[:12],
                 " at " + os.uname().nodename):
        assert hint in row


# ---- the table ----

def test_b5_search_finds_what_the_database_finds(shown):
    box = shown.find("#client-search")[0]
    cmid = shown.db.one("SELECT hex(cmid) FROM client WHERE name NOT LIKE "
                        "'copy%' LIMIT 1").lower()
    for words, n in (("COPY", 1), (TWIN.hex()[:20], 1), (cmid, 1),
                     ("no such machine", 0), ("127.0.0.1",
                                              N_DESKTOPS + N_SERVERS + 1)):
        box.clear()
        box.send_keys(words)
        assert eventually(lambda: shown.text("#client-said").startswith(
            f"{n} client")), (words, shown.text("#client-said"))
        assert len(shown.rows()) == min(n, 25)


def test_b5_sorted_by_each_column_and_page_by_page(shown):
    shown.click("[data-sort=name]")
    by_name = [n for n, in shown.db.query("SELECT name FROM client")]

    def told():
        return shown.texts("#client-at")[0]
    assert eventually(lambda: shown.find("[aria-sort=ascending] "
                                         "[data-sort=name]"))
    total = len(by_name)
    assert eventually(lambda: told() == "1 to 25" and
                      shown.names() == sorted(shown.names(), key=str.lower))
    first = shown.rows()
    shown.click("#client-after")
    assert eventually(lambda: told() == f"26 to {total}")
    rest = shown.rows()
    assert sorted(n for n, _ in first + rest) == sorted(by_name)
    assert len({c for _, c in first + rest}) == total
    assert not shown.find("#client-after")[0].is_enabled()
    shown.click("#client-before")
    assert eventually(lambda: shown.rows() == first)
    shown.click("[data-sort=name]")
    assert eventually(lambda: shown.names() == sorted(
        by_name, key=str.lower, reverse=True)[:25])


def test_filters_by_product_and_state(shown):
    shown.js("const s = document.getElementById('client-product');"
             "s.value = arguments[0]; s.dispatchEvent(new Event('change'))",
             demo.SERVER)
    assert eventually(lambda: len(shown.rows()) == N_SERVERS + 1)
    shown.js("const s = document.getElementById('client-state');"
             "s.value = 'notification'; s.dispatchEvent(new Event('change'))")
    assert eventually(lambda: shown.names() == [shown.db.one(
        "SELECT name FROM client WHERE state = 4")])


# ---- for everybody ----

in_each_look = pytest.mark.parametrize("scheme, size", [
    *page.LOOKS, *(pytest.param(*look, marks=pytest.mark.long)
                   for look in page.MORE_LOOKS)],
    ids=["light-wide", "dark-narrow", "light-narrow", "dark-wide"])


@in_each_look
def test_axe_has_nothing_against_it(shown, busy, scheme, size):
    shown.look(scheme, size)
    shown.open(page.status_port(busy))
    assert shown.axe() == []
    # nothing is wider than a telephone
    assert shown.js("return document.documentElement.scrollWidth <= "
                    "innerWidth")


@pytest.mark.parametrize("size", [WIDE, NARROW])
def test_nothing_is_cut_and_nothing_touches(chromium, shown, size):
    chromium.look("light", size)
    cut, below = chromium.js("""
        const cut = [...document.querySelectorAll('nav, nav a, h1, h2, h3, dd')]
            .filter(e => e.scrollWidth > e.clientWidth + 1 ||
                e.getBoundingClientRect().right > innerWidth)
            .map(e => e.textContent);
        const last = document.getElementById('clients').getBoundingClientRect();
        const text = document.getElementById('about').getBoundingClientRect();
        return [cut, text.top - last.bottom];""")
    assert cut == [] and below >= 16


def test_all_by_keyboard(shown):
    """Tab reaches everything that is worked with, in order, and shows it."""
    seen = []
    for _ in range(60):
        shown.d.switch_to.active_element.send_keys("\ue004")
        at = shown.js("const e = document.activeElement; return [e.tagName, "
                      "e.id || e.dataset.sort || e.getAttribute('href'), "
                      "getComputedStyle(e).outlineStyle]")
        if at[0] == "BODY":
            break
        seen.append(at[1])
    wanted = ["#main", "#clients-title", "client-search", "client-product",
              "client-state", "client-duplicates", "name", "address",
              "client-after"]
    assert [s for s in seen if s in wanted] == wanted, seen
    shown.find("[data-sort=contacts]")[0].send_keys("\ue007")
    assert eventually(lambda: shown.find("[aria-sort=descending] "
                                         "[data-sort=contacts]"))


def test_no_foreign_server_no_inline_no_complaint(shown, busy):
    port = page.status_port(busy)
    here = f"http://127.0.0.1:{port}/"
    assert all(u.startswith(here) for u in shown.js(
        "return performance.getEntriesByType('resource').map(e => e.name)"))
    assert not shown.find("script:not([src]), style, [onclick]")
    assert shown.log() == []
    _, headers, html = page.get(port, "/")
    assert "default-src 'none'" in headers["Content-Security-Policy"]
    assert not re.search(rb"\sstyle=|\son[a-z]+=|https?://", html)
    for path in re.findall(rb'(?:src|href)="(/[^"]+)"', html):
        code, headers, body = page.get(port, path.decode())
        assert code == 200 and body, path
        again = page.get(port, path.decode(),
                         **{"If-None-Match": headers["ETag"]})
        assert again[0] == 304 and again[2] == b"", path


def test_no_secret_on_any_path(busy):
    port = page.status_port(busy)
    key = busy.host_key.replace("-", "").encode()
    for path in ("/", "/v1/status", "/v1/events", "/v1/clients"):
        body = page.get(port, path)[2]
        assert key not in body.replace(b"-", b""), path
        assert b"hostkey" not in body and b"identity.key" not in body


# ---- when not all is right ----

def fresh(tmp_path, products=demo.PRODUCTS, settings="", **more):
    os.makedirs(tmp_path, exist_ok=True)
    s = demo.Site(str(tmp_path))
    s.publish(products=products, **more)
    s.settings = settings
    s.start()
    s.activate_host()
    return s


def test_names_from_outside_never_become_markup(chromium, tmp_path):
    s = fresh(tmp_path, EVIL_PRODUCTS, name=EVIL_SEEN)
    try:
        assert wire.activate(s.port, DESKTOP, name=b"pc-1")[0] == 0
        chromium.open(page.status_port(s))
        assert eventually(lambda: chromium.rows())
        assert chromium.text("#groups h3") == EVIL_SEEN
        for where in ("#groups .lines", "#client-table tbody",
                      "#client-product"):
            assert "P" + EVIL_SEEN in chromium.text(where), where
        assert EVIL_SEEN in chromium.text("#host")
        assert not chromium.find("main img, main b b, #groups b")
        assert chromium.js("return window.hit") is None
        assert chromium.log() == []
    finally:
        s.stop()


def test_below_the_threshold_until_enough_have_asked(chromium, tmp_path):
    s = fresh(tmp_path)
    try:
        chromium.open(page.status_port(s))
        assert eventually(lambda: chromium.texts("#groups .chip") ==
                          ["nobody asks for it"] * 2)
        assert "count" not in chromium.problems()
        for n in range(17):
            assert wire.activate(s.port, DESKTOP, name=b"pc-%d" % n)[0] == 0
        chromium.open(page.status_port(s))
        assert chromium.verdict() == "warning"
        assert "17" in chromium.problems()["count"]
        assert "Next: " in chromium.problems()["count"]
        assert "8 machines short" in chromium.text("#groups")
        assert "activates" in chromium.text("#groups")  # the server
        for n in range(8):
            assert wire.activate(s.port, DESKTOP, name=b"pc-2%d" % n)[0] == 0

        def mended():
            chromium.again()
            return chromium.number("[data-is=count]") == 25
        assert eventually(mended)
        assert "count" not in chromium.problems()
    finally:
        s.stop()


def test_dns_that_refuses_is_told_with_its_server(chromium, tmp_path):
    zone = nameserver.Zone("corp.test")  # nobody may change it
    with nameserver.Bind(tmp_path / "ns", [zone]) as server:
        s = fresh(tmp_path / "s", settings=f'publish_server = "127.0.0.1:'
                  f'{server.port}";\npublish_name = "kms.corp.test";\n')
        try:
            assert eventually(lambda: page.status(s)["dns"]["domains"][0]
                              ["state"] == "failed")
            chromium.open(page.status_port(s))
            # nobody has asked yet: there is no capacity to speak of
            assert "counted in 30 days" in chromium.text("#groups")
            assert not chromium.find("[data-is=capacity]")
            assert chromium.verdict() in ("warning", "error")
            assert "corp.test" in chromium.problems()["dns"]
            assert "Next: " in chromium.problems()["dns"]
            at = chromium.text("[data-domain='corp.test']")
            assert "failed" in at and f"127.0.0.1:{server.port}" in \
                at.replace("[", "").replace("]", "")
        finally:
            s.stop()


def test_a_certificate_that_ends_soon(chromium, tmp_path):
    s = fresh(tmp_path)
    try:
        # soon is what the host's own check says: 45 days are not
        confirm(s, with_an_end(s, 45))
        chromium.open(page.status_port(s))
        assert chromium.number("[data-is=days-left]") == 44
        assert "certificate" not in chromium.problems()
        assert "ends soon" not in chromium.text("#host")
        confirm(s, with_an_end(s, 9, 2))
        chromium.open(page.status_port(s))
        assert chromium.verdict() in ("warning", "error")
        assert "Next: " in chromium.problems()["certificate"]
        left_s = (int(time.time()) // 86400 + 9) * 86400 - time.time()
        assert chromium.number("[data-is=days-left]") == left_s // 86400 == 8
        assert time.strftime("%Y-%m-%d", time.gmtime(time.time() + left_s)) \
            in chromium.text("#host")
        assert "ends soon" in chromium.text("#host")
    finally:
        s.stop()


def test_a_host_that_no_longer_answers(chromium, tmp_path):
    s = fresh(tmp_path)
    port = page.status_port(s)
    chromium.open(port)
    assert chromium.text("#fresh").strip().startswith("Updated ")
    s.stop()
    chromium.again()
    assert eventually(lambda: chromium.verdict() == "error")
    assert "has not answered since" in chromium.text("#verdict-title")
    assert "musterd" in chromium.text("#problems")
    assert re.search(r"\d+ s old", chromium.text("#verdict-more"))
    s.status_at = f"127.0.0.1:{port}"
    chromium.log()  # that the connection was refused
    s.start()
    try:
        def back():
            chromium.again()
            return chromium.text("#fresh").strip().startswith("Updated ")
        assert eventually(back)
        assert "has not answered" not in chromium.text("#verdict-title")
    finally:
        s.stop()


# ---- what the page is made of ----

def test_uplot_is_what_the_lock_file_names():
    """npm ci has checked the hash of what it unpacked."""
    web = os.path.join(demo.REPO, "web")
    with open(os.path.join(web, "package-lock.json")) as f:
        lock = json.load(f)["packages"]["node_modules/uplot"]
    assert lock["integrity"].startswith("sha512-")
    for name, origin in (("uPlot.iife.min.js", "dist/uPlot.iife.min.js"),
                         ("uPlot.iife.js", "dist/uPlot.iife.js"),
                         ("uPlot.min.css", "dist/uPlot.min.css"),
                         ("LICENSE.uPlot", "LICENSE")):
        with open(os.path.join(web, "vendor", name), "rb") as ours, \
                open(os.path.join(web, "node_modules/uplot", origin),
                     "rb") as theirs:
            assert ours.read() == theirs.read(), name
    with open(os.path.join(web, "vendor/uPlot.iife.min.js")) as f:
        assert f"(v{lock['version']})" in f.readline()
