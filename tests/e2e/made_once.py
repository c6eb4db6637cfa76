# SPDX-License-Identifier: MIT
"""Publishers that are made once by each process that runs tests, by the real
commands, and copied for every test that begins with one like it.

A root key's seal is made to cost time: it is most of what a publisher costs,
and more than most tests do with one.  A copy has the keys of its first: a test
of two publishers gives them two names."""
import functools
import os
import shutil
import tempfile

import demo

OF_SITE = ("root_pk", "host_key")  # what publish() learns

folder = None  # where the first ones are, as conftest.py says
publish = demo.Site.publish
made = {}


@functools.cache
def spare():
    """Of a program that pytest does not run; it goes with the program."""
    return tempfile.TemporaryDirectory(prefix="m.", dir="/tmp")


def copy(kind, to, make):
    """The folder `to` holds what make(folder) leaves in one; what it
    returns."""
    if kind not in made:
        first = os.path.join(folder or spare().name, f"publisher-{len(made)}")
        os.mkdir(first)
        made[kind] = first, make(first)
    first, learnt = made[kind]
    shutil.copytree(first, to, dirs_exist_ok=True)
    return learnt


def published(site, name="Acme", products=demo.PRODUCTS):
    """In the place of demo.Site.publish()."""
    def make(first):
        s = demo.Site(first)
        publish(s, name, products)
        return {k: getattr(s, k) for k in OF_SITE}
    # two in one folder cannot be
    if folder is None or os.path.exists(site.path("authority")):
        publish(site, name, products)
    else:
        vars(site).update(copy(("site", name, products), site.folder, make))
