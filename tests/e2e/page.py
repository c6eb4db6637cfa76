# SPDX-License-Identifier: MIT
"""A browser that reads the status page, and what it should have read."""
import base64
import http.client
import json
import os
import sqlite3
import time

from selenium import webdriver
from selenium.webdriver.chrome.service import Service
from selenium.webdriver.common.by import By

import demo

WAIT_S = 60
SCRIPT_S = 240  # axe reads the whole page; only a hang takes so long
# a busy machine takes long to make a summary
SUMMARY_WAIT_S = 400
AXE = os.path.join(demo.REPO, "web/node_modules/axe-core/axe.min.js")
NARROW, WIDE = (360, 780), (1280, 900)
# each scheme and each size; the other two pairs are left to the long test
LOOKS = [("light", WIDE), ("dark", NARROW)]
MORE_LOOKS = [("light", NARROW), ("dark", WIDE)]
STATES = ["unlicensed", "initial_grace", "licensed", "out_of_tolerance_grace",
          "notification"]


def browser(folder):
    """Chromium of the distribution.  What it loads is ours and on loopback:
    it needs no sandbox, which root and many containers cannot give it."""
    options = webdriver.ChromeOptions()
    for word in ("--headless=new", "--no-sandbox", "--disable-gpu",
                 "--disable-dev-shm-usage", "--hide-scrollbars",
                 "--no-first-run", "--disable-background-networking",
                 f"--user-data-dir={folder}"):
        options.add_argument(word)
    options.set_capability("goog:loggingPrefs", {"browser": "ALL"})
    driver = webdriver.Chrome(options=options,
                              service=Service("/usr/bin/chromedriver"))
    driver.set_script_timeout(SCRIPT_S)
    return driver


def eventually(what, wait_s=WAIT_S):
    end = time.monotonic() + wait_s
    while True:
        out = what()
        if out or time.monotonic() > end:
            return out
        time.sleep(0.05)


class Page:
    def __init__(self, driver):
        self.d = driver

    def look(self, scheme="light", size=WIDE):
        self.d.execute_cdp_cmd("Emulation.setEmulatedMedia", {"features": [
            {"name": "prefers-color-scheme", "value": scheme},
            {"name": "prefers-reduced-motion", "value": "reduce"}]})
        self.d.execute_cdp_cmd("Emulation.setDeviceMetricsOverride", {
            "width": size[0], "height": size[1], "deviceScaleFactor": 1,
            "mobile": size is NARROW})

    def open(self, port):
        self.d.get(f"http://127.0.0.1:{port}/")
        assert eventually(lambda: self.js(
            "return performance.getEntriesByName('shown').length")), self.log()
        return self

    def again(self):
        """As when a reader comes back to the page: it asks at once."""
        self.js("document.dispatchEvent(new Event('visibilitychange'))")

    def js(self, script, *args):
        return self.d.execute_script(script, *args)

    def log(self):
        return [line["message"] for line in self.d.get_log("browser")]

    def find(self, css):
        return self.d.find_elements(By.CSS_SELECTOR, css)

    def click(self, css):
        """In the middle of the window, where nothing lies over it."""
        self.js("document.querySelector(arguments[0])"
                ".scrollIntoView({block: 'center'})", css)
        self.find(css)[0].click()

    def text(self, css):
        return self.js("return document.querySelector(arguments[0])"
                       ".textContent", css)

    def texts(self, css):
        return self.js("return [...document.querySelectorAll(arguments[0])]"
                       ".map(e => e.textContent)", css)

    def number(self, css):
        return int(self.text(css).replace(",", ""))

    def verdict(self):
        return self.js("return document.getElementById('verdict')"
                       ".dataset.state")

    def problems(self):
        """Name of the check: its text."""
        return self.js("return Object.fromEntries([...document"
                       ".querySelectorAll('#problems li')]"
                       ".map(e => [e.dataset.check, e.textContent]))")

    def rows(self):
        """Of the clients' table: (name, CMID)."""
        return [tuple(r) for r in self.js(
            "return [...document.querySelectorAll('#client-table tbody tr')]"
            ".map(r => [r.querySelector('[data-is=name]').textContent, "
            "r.dataset.cmid])")]

    def names(self):
        return [name for name, _ in self.rows()]

    def axe(self):
        """What axe-core has against the page as it is shown."""
        with open(AXE) as f:
            self.js(f.read())
        found = self.d.execute_async_script(
            "axe.run({runOnly: {type: 'tag', values: ['wcag2a', 'wcag2aa', "
            "'wcag21a', 'wcag21aa', 'wcag22aa', 'best-practice']}})"
            ".then(r => arguments[0]({bad: r.violations.map(v => [v.id, "
            "v.nodes.map(n => n.target.join(' ') + ': ' + n.failureSummary)]),"
            " n: r.passes.length}))")
        assert found["n"] > 20, found
        return found["bad"]


def picture(driver, clip):
    """A PNG of a part of the page, in view or not."""
    return base64.b64decode(driver.execute_cdp_cmd("Page.captureScreenshot", {
        "format": "png", "captureBeyondViewport": True, "clip": clip})["data"])


def status(site):
    out = demo.run("muster", "host", "status", "--root", site.host_root,
                   "--json", ok=(0, 3))  # 3: it is not activated
    return json.loads(out)


def is_summed(told):
    """Nothing was answered after the inventory was read for its numbers."""
    inventory = told["inventory"]
    return inventory and inventory["batches"] == told["store"]["batches"]


def summed(site):
    """The numbers of the inventory that are shown have everything; of when
    they are."""
    assert eventually(lambda: is_summed(status(site)), SUMMARY_WAIT_S), \
        status(site)
    return status(site)["inventory"]["as_of_unix_s"]


def status_port(site):
    return status(site)["status_listeners"][0]["port"]


def get(port, path, **headers):
    c = http.client.HTTPConnection("127.0.0.1", port, timeout=90)
    try:
        c.request("GET", path, headers=headers)
        answer = c.getresponse()
        return answer.status, dict(answer.headers), answer.read()
    finally:
        c.close()


class Database:
    """What lies on disk, read past the host."""

    def __init__(self, site):
        self.path = os.path.join(site.host_root, "var/lib/muster/host/host.db")

    def query(self, sql, *args):
        db = sqlite3.connect(f"file:{self.path}?mode=ro", uri=True, timeout=90)
        try:
            return db.execute(sql, args).fetchall()
        finally:
            db.close()

    def one(self, sql, *args):
        return self.query(sql, *args)[0][0]

    def settled(self):
        """The journal has been merged: the inventory's table has all."""
        assert eventually(lambda: self.one("SELECT count(*) FROM journal") == 0)
        return self
