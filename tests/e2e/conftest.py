# SPDX-License-Identifier: MIT
"""A site for each test module: publisher, host, machines, one folder.

The path of a Unix socket has room for 107 bytes: folders lie below a short
one, which stays where a test failed."""
import os
import shutil
import sys
import tempfile

import pytest

REPO = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
sys.path.insert(0, os.path.join(REPO, "tools"))
sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))

import demo  # noqa: E402
import made_once  # noqa: E402


# What takes longest comes first, so that none of it is left for the end, when
# the other workers have nothing to do; by what was measured of each file.
LONGEST = ["test_cluster_bad", "test_cluster_servers", "test_cluster",
           "test_plan", "test_guides", "test_authority", "test_page",
           "test_catalogue", "test_agent_kill", "test_faults", "test_year",
           "test_agent_disk", "test_completions", "test_seal",
           "test_discovery", "test_agent", "test_listing", "test_bench",
           "test_page_states", "test_demo", "test_host_disk",
           "test_cluster_run", "test_crowd", "test_publish_bad",
           "test_publish", "test_bench_measures", "test_cluster_srv",
           "test_issuers", "test_admin", "test_lists", "test_agent_rearm",
           "test_packages", "test_agent_copies", "test_lease",
           "test_page_curves", "test_flood", "test_online", "test_logs",
           "test_secret", "test_client", "test_health", "test_backup",
           "test_online_answers", "test_doctor", "test_agent_hosts",
           "test_phone", "test_example"]


def is_worker(config):
    return hasattr(config, "workerinput")


@pytest.hookimpl(tryfirst=True)
def pytest_configure(config):
    config.addinivalue_line(
        "markers", "bare: needs programs as they ship, without a sanitizer: it "
        "fakes time or a disk, counts allocations, or holds them by strace")
    config.addinivalue_line(
        "markers", "long: left to ./dev test-long, so that ./dev test stays "
        "short")
    if config.option.basetemp is None and not is_worker(config):
        config.option.basetemp = tempfile.mkdtemp(prefix="m.", dir="/tmp")


def pytest_collection_modifyitems(items):
    def place(item):
        name = item.path.stem
        return LONGEST.index(name) if name in LONGEST else len(LONGEST)
    items.sort(key=place)


def pytest_sessionfinish(session, exitstatus):
    folder = session.config.option.basetemp
    if is_worker(session.config) or not folder.startswith("/tmp/m."):
        return
    if exitstatus == 0:
        shutil.rmtree(folder, ignore_errors=True)
    else:
        print("\nthe tests' folders stay in", folder)


@pytest.fixture(scope="session", autouse=True)
def publishers(tmp_path_factory):
    """Each publisher of a test begins as a copy."""
    made_once.folder = str(tmp_path_factory.mktemp("made"))
    demo.Site.publish = made_once.published


@pytest.fixture(scope="module")
def site(tmp_path_factory):
    s = demo.Site(str(tmp_path_factory.mktemp("site")))
    s.publish()
    s.start()
    s.activate_host()
    yield s
    s.stop()
