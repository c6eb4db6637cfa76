# SPDX-License-Identifier: MIT
"""A storm: many clients, of several processes, begin within one second and go
on as clients do; once they renew, once they come for the first time."""
import json
import os
import secrets
import subprocess
import time
import uuid

import curves
import host
import publisher
import rows
from publisher import PRODUCTS, Row

CLIENTS, PROCESSES = 50000, 4
STORM_S = 60
BEGUN_S = 1.1  # a storm is one when all have begun within it
AHEAD_S = 3  # for the processes to be ready
GIVE_UP_S = 300


def options(s, n, first, at_ns, renews, seed):
    return [*rows.pinned(",".join(map(str, publisher.load_cores()))),
            os.path.join(publisher.BUILT, "bench_storm"),
            "--port", s.port, "--catalogue", s.catalogue, "--certificate",
            rows.certificate(s), "--product", uuid.UUID(PRODUCTS[0]).hex,
            "--clients", n, "--first", first, "--at", at_ns,
            *publisher.network(),
            *(["--renew"] if renews else ["--seed", seed])]


def processes(s, renews):
    """All of them at once; what each one saw."""
    at_ns = time.monotonic_ns() + int(AHEAD_S * 1e9)
    seed = secrets.randbits(31) + 1
    bounds = [1 + CLIENTS * k // PROCESSES for k in range(PROCESSES + 1)]
    them = [subprocess.Popen(
        list(map(str, options(s, end - begin, begin, at_ns, renews, seed))),
        stdout=subprocess.PIPE, text=True)
        for begin, end in zip(bounds, bounds[1:])]
    try:
        outs = [p.communicate(timeout=GIVE_UP_S)[0] for p in them]
    finally:
        for p in them:
            p.kill()
    if any(p.returncode != 0 for p in them):
        raise RuntimeError(f"bench_storm: exit {[p.returncode for p in them]}")
    return [json.loads(out) for out in outs]


def one_storm(s, name, renews):
    """What all processes saw, and the host."""
    cpu, before = host.cpu_s(s.daemon.pid), host.host_status(s)
    seen = processes(s, renews)
    after = host.host_status(s)
    r = {k: sum(x[k] for x in seen)
         for k in ("clients", "holds", "bad", "busy", "untaken",
                   "untaken_clients", "failed")}
    r.update({k: max(x[k] for x in seen)
              for k in ("busy_max_s", "begun_s", "last_s", "p99_us")})
    r["name"] = name
    r["p50_us"] = sorted(x["p50_us"] for x in seen)[len(seen) // 2]
    r["reply_bytes"] = [min(x["reply_bytes"][0] for x in seen),
                        max(x["reply_bytes"][1] for x in seen)]
    r["cpu_us"] = (host.cpu_s(s.daemon.pid) - cpu) / r["clients"] * 1e6
    r["waiting_max"] = after["store"]["waiting_max"]
    for k in ("evicted", "timed_out"):
        r[k] = after["connections"][k] - before["connections"][k]
    if r["failed"] or r["bad"] or r["holds"] != r["clients"]:
        raise RuntimeError(f"not all of them hold a good reply: {r}")
    return r


def shown(r):
    return Row(
        f"storm, {r['name']}: the last of {r['clients']:,} holds",
        r["last_s"], "s", f"{r['p99_us'] / 1e6:.1f} s p99", STORM_S,
        f"BUSY {r['busy']:,} times, "
        f"with up to {r['busy_max_s']} s; {r['untaken_clients']:,} clients "
        f"asked again after a connect time-out, as by the hand of their user, "
        f"{r['untaken']:,} times in all; "
        f"{r['waiting_max']:,} waited at most; median "
        f"{r['p50_us'] / 1e6:.1f} s; host CPU {r['cpu_us']:.0f} µs a client; "
        f"replies of {r['reply_bytes'][0]} to {r['reply_bytes'][1]} bytes; "
        f"{r['evicted']} evicted; all replies verified"
        + publisher.exempt())


def storm(site):
    for name, renews in (("renewals", True), ("first contacts", False)):
        s = curves.new_site(site, f"storm-{name.split()[0]}")
        try:
            s.running()
            if renews:
                curves.fill(s, 1, CLIENTS + 1)
            r = one_storm(s, name, renews)
        finally:
            s.stop()
        site.result.setdefault("storms", []).append(r)
        rows.keep_ratio(site, f"storm_s_{name.replace(' ', '_')}",
                        r["last_s"])
        yield shown(r)
        yield Row(f"storm, {name}: the last has begun", r["begun_s"], "s", "",
                  BEGUN_S, f"the load has {len(publisher.load_cores())} of "
                  "the cores; one that is late makes a milder storm")


MEASURES = {"storm": storm}
