# SPDX-License-Identifier: MIT
"""Goal: a site's monitoring reads the host: names by Prometheus' conventions,
alerts that fire, and a dashboard whose every query has an answer, asked of a
real server that scrapes a real host."""
import json
import os
import re
import subprocess
import time
import urllib.parse
import urllib.request
import uuid

import pytest
import yaml

import demo
import wire
from nameserver import free_port
from test_status import get, port_of

PACKAGING = os.path.join(demo.REPO, "packaging")
RULES = os.path.join(PACKAGING, "prometheus/muster.rules.yml")
DASHBOARD = os.path.join(PACKAGING, "grafana/muster-hosts.json")
DESKTOP, SERVER = (uuid.UUID(i).bytes for i in (demo.DESKTOP, demo.SERVER))
WAIT_S = 60


@pytest.fixture(scope="module")
def named(tmp_path_factory):
    """A host with all that a metric may be of: a certificate, a domain,
    machines, one product that nobody knows."""
    s = demo.Site(str(tmp_path_factory.mktemp("site")))
    s.settings = ('publish_name = "kms.corp.example";\n'
                  'self_test_seconds = 1;\n')
    s.publish()
    s.start()
    s.activate_host()
    assert wire.activate(s.port, DESKTOP, name=b"secretname")[0] == 0
    assert wire.activate(s.port, b"?" * 16)[0] != 0
    yield s
    s.stop()


def metrics(site):
    r = get(port_of(site), "/metrics")
    assert r.status == 200
    assert r.getheader("Content-Type").startswith("text/plain; version=0.0.4")
    return r.body.decode()


def samples(text):
    return {k: float(v) for k, v in (x.rsplit(" ", 1) for x in text.splitlines()
                                     if not x.startswith("#"))}


def test_promtool_finds_no_fault(named):
    p = subprocess.run(["promtool", "check", "metrics"], input=metrics(named),
                       capture_output=True, text=True, timeout=WAIT_S)
    assert (p.returncode, p.stdout, p.stderr) == (0, "", "")


def test_the_numbers_are_the_host_s(named):
    told = samples(metrics(named))
    assert told['muster_host_answers_total{result="below_threshold"}'] == 1
    assert told['muster_host_answers_total{result="activated"}'] == 0
    assert told['muster_host_refusals_total{cause="unknown_product"}'] == 1
    count, = (v for k, v in told.items() if k.startswith("muster_host_count_mach"))
    assert count == 1
    assert sorted(v for k, v in told.items() if k.startswith("muster_host_thresh")) \
        == [5, 25]
    end, = (v for k, v in told.items() if "certificate_expiry" in k)
    assert end == float("inf")
    assert told['muster_host_dns_published{domain="corp.example"}'] == 0
    assert told["muster_host_store_up"] == 1
    assert told["muster_host_inventory_up"] == 1
    assert told["muster_host_inventory_rows_limit"] == 1000000


def test_a_self_test_s_time_is_said_to_be_of_all_questions(named):
    def text():
        return re.search("^# HELP muster_host_self_test_duration_seconds (.*)$",
                         metrics(named), re.M)
    end = time.monotonic() + WAIT_S
    while not text():
        assert time.monotonic() < end
        time.sleep(0.1)
    assert "all questions" in text()[1]


def test_no_client_is_in_a_label(named):
    text = metrics(named)
    assert "secretname" not in text and "127.0.0.1" not in text
    labels = set(re.findall(r'[{,](\w+)="', text))
    assert labels == {"version", "result", "cause", "publisher", "publisher_id",
                      "group", "group_number", "product", "product_id", "state",
                      "days", "domain", "part"}


def test_a_label_holds_any_name(tmp_path):
    """What a catalogue calls things: quotes and backslashes are escaped, and
    come back as they were."""
    name, product = 'A "B" \\ C\\n {x="y"}', 'Desk\\top "1"'
    s = demo.Site(str(tmp_path))
    escaped = product.replace("\\", "\\\\").replace('"', '\\"')
    s.publish(name=name, products=demo.PRODUCTS.replace("Acme Desktop", escaped))
    s.start()
    try:
        s.activate_host()
        text = metrics(s)
        p = subprocess.run(["promtool", "check", "metrics"], input=text,
                           capture_output=True, text=True, timeout=WAIT_S)
        assert (p.returncode, p.stdout, p.stderr) == (0, "", "")
        values = {json.loads(f'"{v}"') for v in re.findall(
            r'="((?:[^"\\]|\\.)*)"', text)}
        assert {name, product} <= values
    finally:
        s.stop()


def test_health_and_readiness(named, tmp_path):
    assert get(port_of(named), "/healthz").body == b"ok\n"
    r = get(port_of(named), "/readyz")
    assert (r.status, r.body) == (200, b"ready\n")
    bare = demo.Site(str(tmp_path))
    bare.publish()
    bare.start()
    try:
        assert get(port_of(bare), "/healthz").status == 200
        r = get(port_of(bare), "/readyz")
        assert r.status == 503 and b"no publisher" in r.body
    finally:
        bare.stop()


def test_each_alert_fires_and_is_silent():
    p = subprocess.run(["promtool", "test", "rules", RULES.replace(
        "rules.yml", "test.yml")], capture_output=True, text=True, timeout=WAIT_S)
    assert p.returncode == 0, p.stdout + p.stderr
    with open(RULES) as f:
        names = [r["alert"] for g in yaml.safe_load(f)["groups"]
                 for r in g["rules"]]
    with open(RULES.replace("rules.yml", "test.yml")) as f:
        tested = [(t["name"].split()[0], bool(a["exp_alerts"]))
                  for t in yaml.safe_load(f)["tests"]
                  for a in t["alert_rule_test"]]
    assert set(tested) == {(n, b) for n in names for b in (True, False)}


def named_in(text):
    return set(re.findall(r"\bmuster_host_\w+", text))


def test_rules_and_dashboard_name_what_is_there(named):
    end = time.monotonic() + WAIT_S
    while "self_test" not in (text := metrics(named)):
        assert time.monotonic() < end
        time.sleep(0.1)
    there = named_in(text)
    for path in (RULES, DASHBOARD):
        with open(path) as f:
            assert (wanted := named_in(f.read())) and wanted <= there, path


class Prometheus:
    def __init__(self, folder, target):
        self.port = free_port()
        conf = os.path.join(folder, "prometheus.yml")
        with open(conf, "w") as f:
            json.dump({"global": {"scrape_interval": "1s",
                                  "evaluation_interval": "1s"},
                       "rule_files": [RULES],
                       "scrape_configs": [{"job_name": "muster",
                                           "static_configs": [
                                               {"targets": [target]}]}]}, f)
        self.log = open(os.path.join(folder, "log"), "w")
        self.p = subprocess.Popen(
            ["prometheus", "--config.file", conf, "--storage.tsdb.path",
             os.path.join(folder, "data"), "--web.listen-address",
             f"127.0.0.1:{self.port}"], stderr=self.log, stdout=self.log)

    def ask(self, path, **query):
        url = f"http://127.0.0.1:{self.port}/api/v1/{path}?" + \
            urllib.parse.urlencode(query)
        with urllib.request.urlopen(url, timeout=WAIT_S) as r:
            return json.load(r)["data"]

    def query(self, expr):
        return self.ask("query", query=expr)["result"]

    def wait_for(self, expr):
        end = time.monotonic() + WAIT_S
        while True:
            try:
                if self.query(expr):
                    return
            except OSError:
                pass
            assert self.p.poll() is None and time.monotonic() < end, expr
            time.sleep(0.2)

    def stop(self):
        self.p.terminate()
        self.p.wait(WAIT_S)
        self.log.close()


@pytest.fixture(scope="module")
def prometheus(named, tmp_path_factory):
    p = Prometheus(str(tmp_path_factory.mktemp("prom")),
                   f"127.0.0.1:{port_of(named)}")
    try:
        p.wait_for("rate(muster_host_calls_total[1m])")  # two scrapes
        yield p
    finally:
        p.stop()


with open(DASHBOARD) as dashboard:
    BOARD = json.load(dashboard)
PANELS = BOARD["panels"]


@pytest.mark.parametrize("title, expr", [
    (p["title"], t["expr"]) for p in PANELS for t in p["targets"]])
def test_each_query_of_the_dashboard_has_an_answer(prometheus, title, expr):
    expr = expr.replace("$instance", ".*").replace("$__rate_interval", "1m")
    assert "$" not in expr
    assert prometheus.query(expr), (title, expr)


def test_the_dashboard_s_list_of_hosts_has_the_host(prometheus, named):
    """By the request that Grafana makes of label_values(METRIC, LABEL)."""
    lists = {v["name"]: v["query"]["query"] for v in BOARD["templating"]["list"]
             if v["type"] == "query"}
    assert set(lists) == {"instance"}
    metric, label = re.fullmatch(r"label_values\((\w+), (\w+)\)",
                                 lists["instance"]).groups()
    host = f"127.0.0.1:{port_of(named)}"
    assert prometheus.ask(f"label/{label}/values",
                          **{"match[]": metric}) == [host]
    # what is chosen from it is what the queries look for
    for expr in (t["expr"] for p in PANELS for t in p["targets"]):
        for chosen, has_answer in ((host, True), ("elsewhere:1", False)):
            told = prometheus.query(expr.replace("$instance", chosen).replace(
                "$__rate_interval", "1m"))
            assert bool(told) == has_answer, (expr, chosen)


def test_the_rules_are_loaded_and_one_is_pending(prometheus):
    end = time.monotonic() + WAIT_S
    while not (told := prometheus.query('ALERTS{alertname="MusterBelowThreshold"}')):
        assert time.monotonic() < end
        time.sleep(0.5)
    # nobody asks for the other one, which is below its threshold as well
    assert {a["metric"]["product"] for a in told} == {"Acme Desktop"}
