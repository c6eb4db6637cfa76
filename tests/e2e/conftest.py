# SPDX-License-Identifier: MIT
"""A site for each test module: publisher, host, machines, one folder."""
import os
import sys

import pytest

REPO = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
sys.path.insert(0, os.path.join(REPO, "tools"))
sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))

import demo  # noqa: E402


@pytest.fixture(scope="module")
def site(tmp_path_factory):
    s = demo.Site(str(tmp_path_factory.mktemp("site")))
    s.publish()
    s.start()
    s.activate_host()
    yield s
    s.stop()
