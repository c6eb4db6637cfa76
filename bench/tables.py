# SPDX-License-Identifier: MIT
"""What SQLite alone asks for to merge a client of a million into the table, as
the table is, and in other forms that it could have.  All begin with a copy of
one inventory; the same clients come in the same order."""
import os
import random
import resource
import shutil
import sqlite3
from dataclasses import dataclass

import curves
from publisher import Row

CLIENTS = 1000000
MERGED = 20480
ROUND, PIECE = 4096, 512  # as STORE_OVERLAY_MAX and STORE_PIECE
KEY = ("publisher", "product", "cmid")
SEED = 1


@dataclass
class Form:
    """What is done to a copy, and how clients come into it."""
    sql: tuple = ()
    by_key: bool = False
    piece: int = PIECE


NO_INDEX = "DROP INDEX client_last"
FORMS = {
    "as it is": Form(),
    "a round in the order of the key": Form(by_key=True),
    "a round in one piece": Form(piece=ROUND),
    "a cache of 8 MiB": Form(("PRAGMA cache_size = -8192",)),
    "pages of 2 KiB": Form(("PRAGMA journal_mode = DELETE",
                            "PRAGMA page_size = 2048", "VACUUM")),
    "a table with a rowid": Form((
        "CREATE TABLE other AS SELECT * FROM client ORDER BY random()",
        "DROP TABLE client", "ALTER TABLE other RENAME TO client",
        "CREATE UNIQUE INDEX by_key ON client (publisher, product, cmid)",
        "CREATE INDEX client_last ON client (contacts > 1, last)")),
    "without the index of last contacts": Form((NO_INDEX,)),
    "without index, in the order of the key": Form((NO_INDEX,), by_key=True),
}


def filled(site):
    """The database of a host that knows CLIENTS, and has ended."""
    s = curves.new_site(site, "tables")
    s.running()
    curves.fill(s, 1, CLIENTS)
    s.stop()
    return curves.database(s)


def moved():
    """Bytes that this process has read and written, by its calls."""
    with open("/proc/self/io") as f:
        io = dict(line.split(": ") for line in f)
    return int(io["rchar"]), int(io["wchar"])


def drawn(db, n):
    """Clients by chance, as they come again: (row, ...) of round after
    round."""
    db.row_factory = sqlite3.Row
    columns = [c["name"] for c in db.execute("PRAGMA table_info(client)")]
    keys = [tuple(r) for r in db.execute(
        f"SELECT {', '.join(KEY)} FROM client ORDER BY {', '.join(KEY)}")]
    chosen = random.Random(SEED).choices(keys, k=n)
    newest = db.execute("SELECT max(last) FROM client").fetchone()[0]
    rows = []
    for i, key in enumerate(chosen):
        row = dict(db.execute("SELECT * FROM client WHERE (publisher, product, "
                              "cmid) = (?, ?, ?)", key).fetchone())
        row["last"] = newest + 1 + i // PIECE
        row["contacts"] += 1
        rows.append(tuple(row[c] for c in columns))
    return columns, rows


def merged(db, columns, rows, form):
    """Round after round, piece after piece, a transaction each."""
    rest = [c for c in columns if c not in KEY]
    sql = (f"INSERT INTO client ({', '.join(columns)}) VALUES "
           f"({', '.join('?' * len(columns))}) ON CONFLICT "
           f"({', '.join(KEY)}) DO UPDATE SET "
           + ", ".join(f"{c} = excluded.{c}" for c in rest))
    for i in range(0, len(rows), ROUND):
        a_round = rows[i:i + ROUND]
        if form.by_key:
            a_round = sorted(a_round, key=lambda row: row[:len(KEY)])
        for j in range(0, len(a_round), form.piece):
            db.execute("BEGIN IMMEDIATE")
            db.executemany(sql, a_round[j:j + form.piece])
            db.execute("COMMIT")


def one(path, form):
    """µs of CPU, KiB read, KiB written, for each client."""
    db = sqlite3.connect(path, isolation_level=None)
    try:
        for statement in form.sql:
            db.execute(statement)
        db.execute("PRAGMA journal_mode = WAL")
        db.execute("PRAGMA synchronous = FULL")
        db.execute("PRAGMA wal_checkpoint(TRUNCATE)")
        columns, rows = drawn(db, MERGED)
        before, io = resource.getrusage(resource.RUSAGE_SELF), moved()
        merged(db, columns, rows, form)
        after, now = resource.getrusage(resource.RUSAGE_SELF), moved()
    finally:
        db.close()
    cpu = (after.ru_utime + after.ru_stime - before.ru_utime
           - before.ru_stime)
    return (cpu * 1e6 / MERGED, (now[0] - io[0]) / 1024 / MERGED,
            (now[1] - io[1]) / 1024 / MERGED)


def measure(site):
    source = filled(site)
    for what, form in FORMS.items():
        path = site.path("tables.db")
        shutil.copy(source, path)
        try:
            cpu, read, written = one(path, form)
        finally:
            for end in ("", "-wal", "-shm"):
                if os.path.exists(path + end):
                    os.unlink(path + end)
        site.result.setdefault("tables", []).append(
            {"form": what, "cpu_us": cpu, "read_kib": read,
             "written_kib": written})
        yield Row(f"{CLIENTS:,} clients, {what}", cpu, "µs CPU", "", None,
                  f"a client merged: {read:.1f} KiB read, {written:.1f} KiB "
                  "written")


BY_NAME = {"tables": measure}  # not part of a whole run
