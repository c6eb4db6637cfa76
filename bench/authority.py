# SPDX-License-Identifier: MIT
"""Figures of an authority's HTTPS service: activations a second on one core,
each on its own connection with a full handshake."""
import contextlib
import json
import os
import re
import sqlite3
import subprocess

import demo
import publisher
from publisher import Row

KEYS = 20000
MILLION = 1000000
ASKS = 5000
PARALLEL = 20
PER_S = 500
P99_MS = 50
SLOWER = 1.5
FILL_ROWS = 50000


def openssl(*args):
    subprocess.run(["openssl", *args], check=True, capture_output=True)


def certify(folder):
    """A P-256 key and a certificate of its own for localhost."""
    key, cert = (os.path.join(folder, n) for n in ("tls.key", "tls.pem"))
    openssl("ecparam", "-name", "prime256v1", "-genkey", "-noout", "-out",
            key)
    os.chmod(key, 0o600)
    openssl("req", "-x509", "-new", "-key", key, "-subj", "/CN=localhost",
            "-days", "2", "-addext", "subjectAltName=DNS:localhost",
            "-out", cert)
    return key, cert


def fill(folder, first, n):
    """Host keys by SQL: a command each would take an hour."""
    p = subprocess.Popen([os.path.join(publisher.BUILT, "bench_authority"),
                          "fill", folder, str(first), str(n)],
                         stdout=subprocess.PIPE, text=True)
    db = sqlite3.connect(os.path.join(folder, "authority.db"))
    with db:
        db.executemany(
            "INSERT INTO host_key(number, sealed, level, lines, customer, "
            "hosts, reactivations, releases, issued) "
            "VALUES(?, ?, 1, 1, 'Bench', 6, 9, 6, "
            "1700000000)",
            ((int(k), bytes.fromhex(v)) for k, v in
             (line.split() for line in p.stdout)))
    db.execute("PRAGMA wal_checkpoint(TRUNCATE)")
    db.close()
    if p.wait() != 0:
        raise RuntimeError("no keys were made")


def cpus():
    """One for the service, one for the load; the same where there is one."""
    own = sorted(os.sched_getaffinity(0))
    return own[0], own[-1]


@contextlib.contextmanager
def serving(site, folder, cpu):
    """The service on one CPU: its port, and its process."""
    key, cert = certify(site.path("tls"))
    conf = site.path("authority.conf")
    with open(conf, "w") as f:
        f.write(f'dir = "{folder}";\nlisten = "127.0.0.1:0";\nrate = 0;\n'
                f'tls_cert = "{cert}";\ntls_key = "{key}";\n')
    p = subprocess.Popen(["taskset", "-c", str(cpu),
                          os.path.join(demo.BIN, "muster-authority"), "serve",
                          "--config", conf], stderr=subprocess.PIPE, text=True)
    try:
        for line in p.stderr:
            m = re.search(r"listening: \S+ port (\d+)", line)
            if m:
                break
        else:
            raise RuntimeError(f"it did not start: exit {p.wait()}")
        yield int(m.group(1)), p.pid, cert
    finally:
        p.terminate()
        p.communicate()


def cpu_s(pid):
    with open(f"/proc/{pid}/stat") as f:
        fields = f.read().rsplit(")", 1)[1].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def measure(site, folder, keys, asks, seed, rate=0):
    """What the load generator saw, and the service's CPU time in it."""
    service_cpu, load_cpu = cpus()
    with serving(site, folder, service_cpu) as (port, pid, cert):
        before = cpu_s(pid)
        p = subprocess.run(
            ["taskset", "-c", str(load_cpu),
             os.path.join(publisher.BUILT, "bench_authority"), "load",
             site.authority_publisher, cert, str(port), str(keys), str(asks),
             str(PARALLEL), str(seed), str(rate)], capture_output=True, text=True,
            timeout=publisher.PROGRAM_S)
        if p.returncode != 0:
            raise RuntimeError(f"load: exit {p.returncode}: {p.stdout} "
                               f"{p.stderr}")
        out = json.loads(p.stdout)
        out["cpu_s"] = cpu_s(pid) - before
    return out


def note(out):
    return (f"{out['n']:,} activations, {PARALLEL} in parallel; median "
            f"{out['median_us'] / 1000:.1f} ms; service "
            f"{out['cpu_s'] * 1e6 / out['n']:.0f} us of CPU each; p99 "
            f"{out['p99_us'] / 1000:.1f} ms")


def rows(name, out, paced):
    yield Row(f"an activation over HTTPS, {name}", 1e3 / out["per_s"], "ms",
              f"{out['per_s']:.0f}/s", 1e3 / PER_S, note(out))
    yield Row(f"  p99 at {PER_S} a second, {name}", paced["p99_us"] / 1e3,
              "ms", f"{paced['max_us'] / 1e3:.1f} ms", P99_MS)


def authority(site, few=KEYS, many=MILLION, asks=ASKS):
    """Activations with few keys in the database, and with many."""
    site.published()
    folder = site.path("authority")
    os.makedirs(site.path("tls"), exist_ok=True)
    db = sqlite3.connect(os.path.join(folder, "authority.db"))
    site.authority_publisher = db.execute(
        "SELECT publisher FROM self").fetchone()[0].hex()
    first = 1 + db.execute("SELECT max(number) FROM host_key").fetchone()[0]
    with db:  # the site's own key is known by a secret
        db.execute("UPDATE host_key SET number = ? WHERE number < ?",
                   (many + first, first))
    db.close()
    fill(folder, 1, few)
    small = measure(site, folder, few, asks, 1)
    yield from rows(f"{few:,} keys", small,
                    measure(site, folder, few, asks, 2, PER_S))
    fill(folder, few + 1, many - few)
    big = measure(site, folder, many, asks, 3)
    yield from rows(f"{many:,} keys", big,
                    measure(site, folder, many, asks, 4, PER_S))
    yield Row("  slower with the many, times", small["per_s"] / big["per_s"],
              "", "", SLOWER)


MEASURES = {"authority": authority}
