# SPDX-License-Identifier: MIT
"""Programs that live at another time.

libfaketime is loaded without its wrapper: the wrapper names its semaphore
by its own process number and ends where an earlier process of that number
was killed and left one behind."""
import glob


def library():
    found = glob.glob("/usr/lib/*/faketime/libfaketimeMT.so.1")
    assert found, "the package faketime is missing"
    return found[0]


def at(offset, *others):
    """The words before a command that begins at now + `offset`, in
    faketime's notation: "+30d", "-1h"; others are preloaded too."""
    return ("env", "LD_PRELOAD=" + ":".join((library(), *others)),
            "FAKETIME=" + offset)
