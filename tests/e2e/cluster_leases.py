# SPDX-License-Identifier: MIT
"""What a machine's program makes of an answer: the lease file of request and
reply (doc/protocol.md, 7), judged by libmuster, which verifies each signature
from the root key down."""
import glob
import os
import struct
import sys

import demo

sys.path.insert(0, os.path.join(demo.REPO, "python"))

import muster  # noqa: E402

COUNT = "MUSTER_E_COUNT"
# a library with a sanitizer does not come into a program without: this tree's
# own before the one beside the programs
PLACES = (os.path.join(demo.REPO, "build/stage/usr/lib"),
          os.path.join(demo.BIN, "../lib"))


class Judge:
    def __init__(self, folder, site):
        lib = [p for place in PLACES for p in
               glob.glob(os.path.join(place, "**/libmuster.so.0"),
                         recursive=True)][0]
        muster.load(lib)
        self.root, self.site = os.path.join(folder, "judge"), site
        self.leases = os.path.join(self.root, "var/lib/muster/agent/leases")
        os.makedirs(self.leases)
        os.makedirs(os.path.join(self.root, "etc"))
        self.n_forms = {0: 0, 1: 0}
        self.longest = 0  # path

    def judge(self, lease, product, machine_id):
        """Answer of muster.check(), and when the host issued it."""
        with open(os.path.join(self.root, "etc/machine-id"), "w") as f:
            f.write(machine_id.hex() + "\n")
        with open(os.path.join(self.leases, product + ".lease"), "wb") as f:
            f.write(lease)
        a, = struct.unpack(">I", lease[12:16])
        at = 16 + a  # behind the request
        n_path, = struct.unpack(">I", lease[at + 92:at + 96])
        self.longest = max(self.longest, n_path)
        self.n_forms[int(lease[16 + 64:16 + 72] != bytes(8))] += 1
        return muster.check(muster.Product(
            id=product, root_keys=[self.site.root_pk],
            catalogue=self.site.catalogue, root=self.root)), \
            struct.unpack(">q", lease[at + 4:at + 12])[0]


def what_is_wrong(ask, answer, issued, threshold, wall):
    """`wall`: this machine's clock less that of the asks."""
    if answer.reason != 0 and muster.errname(answer.reason) != COUNT:
        yield f"does not hold: {muster.strerror(answer.reason)}"
    if (answer.count, answer.threshold) != (ask.count, threshold):
        yield (f"says {answer.count} of {answer.threshold}, where {ask.count} "
               f"of {threshold} was told")
    # seconds are cut off, and clocks of threads are read apart
    if not ask.begin + wall - 2 <= issued <= ask.end + wall + 1:
        yield f"is of {issued}, and was asked for at {ask.begin + wall:.0f}"
