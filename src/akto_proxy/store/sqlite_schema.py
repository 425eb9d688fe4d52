"""The tables of the SQLite trace store, as an append-only list of small steps run at start.

A step, once released, is never edited: `PRAGMA user_version` says how many a file has seen.
"""

from __future__ import annotations

import sqlite3

from akto_proxy.errors import StorageError


def _m001_traces(db: sqlite3.Connection) -> None:
    _run(
        db,
        """CREATE TABLE trace (
            seq INTEGER PRIMARY KEY AUTOINCREMENT, id BLOB NOT NULL UNIQUE, at REAL NOT NULL, endpoint TEXT,
            method TEXT, path TEXT, route TEXT, engine TEXT, status INTEGER, outcome TEXT, verdict INTEGER,
            severity INTEGER, model TEXT, project TEXT, user TEXT, key TEXT, team TEXT, agent TEXT, ip TEXT,
            session TEXT, sensitivity TEXT, streamed INTEGER, bypassed INTEGER, prompt INTEGER, completion INTEGER,
            total_us INTEGER, guard_us INTEGER, first_us INTEGER, rules TEXT)""",
        "CREATE INDEX trace_at ON trace (at, seq)",
        "CREATE INDEX trace_flagged ON trace (at, seq) WHERE verdict > 0",
        "CREATE INDEX trace_user ON trace (user, at, seq) WHERE user != ''",
        "CREATE INDEX trace_session ON trace (session, at, seq) WHERE session != ''",
        "CREATE TABLE body (seq INTEGER PRIMARY KEY, dictionary INTEGER NOT NULL, data BLOB NOT NULL)",
        "CREATE TABLE dictionary (id INTEGER PRIMARY KEY, data BLOB NOT NULL)",
        """CREATE TABLE decision (
            seq INTEGER NOT NULL, idx INTEGER NOT NULL, at REAL NOT NULL, rule TEXT, category TEXT, entity TEXT,
            policy TEXT, severity INTEGER, bypassed INTEGER, PRIMARY KEY (seq, idx)) WITHOUT ROWID""",
        "CREATE INDEX decision_at ON decision (at, seq, idx)",
        "CREATE INDEX decision_rule ON decision (rule, at, seq, idx)",
    )


def _m002_rollups(db: sqlite3.Connection) -> None:
    counters = ", ".join(
        f"{name} INTEGER NOT NULL"
        for name in ("traces", "alerted", "redacted", "blocked", "errors", "bypassed", "prompt", "completion")
    )
    _run(
        db,
        f"""CREATE TABLE hourly (code INTEGER NOT NULL, hour INTEGER NOT NULL, name TEXT NOT NULL, {counters},
            last REAL NOT NULL, PRIMARY KEY (code, hour, name)) WITHOUT ROWID""",
        f"CREATE TABLE minutely (minute INTEGER PRIMARY KEY, {counters})",
        """CREATE TABLE latency (hour INTEGER NOT NULL, kind INTEGER NOT NULL, bucket INTEGER NOT NULL,
            count INTEGER NOT NULL, PRIMARY KEY (hour, kind, bucket)) WITHOUT ROWID""",
        """CREATE TABLE session (id TEXT PRIMARY KEY, first REAL, last REAL, traces INTEGER, flagged INTEGER,
            verdict INTEGER, user TEXT, agent TEXT, model TEXT, prompt INTEGER, completion INTEGER) WITHOUT ROWID""",
        "CREATE INDEX session_last ON session (last, id)",
    )


def _m003_links(db: sqlite3.Connection) -> None:
    _run(
        db,
        "CREATE TABLE writer (id INTEGER PRIMARY KEY, name TEXT NOT NULL UNIQUE)",
        """CREATE TABLE link (writer INTEGER NOT NULL, number INTEGER NOT NULL, kind TEXT NOT NULL, trace BLOB,
            digest BLOB NOT NULL, chain BLOB NOT NULL, body BLOB, PRIMARY KEY (writer, number)) WITHOUT ROWID""",
    )


def _m004_text(db: sqlite3.Connection) -> None:
    # One full-text table a day (fts_<day>): a day out of retention is one DROP, not a million deletes.
    _run(db, "CREATE TABLE text_day (day INTEGER PRIMARY KEY)")


def _m005_latency_by_day(db: sqlite3.Connection) -> None:
    _run(
        db,
        "INSERT INTO latency (hour, kind, bucket, count) "
        "SELECT hour / 24, kind + 8, bucket, SUM(count) FROM latency WHERE kind < 8 GROUP BY 1, 2, 3",
    )


MIGRATIONS = (_m001_traces, _m002_rollups, _m003_links, _m004_text, _m005_latency_by_day)
"""Append only."""


def migrate(db: sqlite3.Connection, *, to: int = len(MIGRATIONS)) -> None:
    """Run the steps a file has not seen, each in its own transaction.

    Raises:
        StorageError: the file was written by a newer version of this program.
    """
    (version,) = db.execute("PRAGMA user_version").fetchone()
    if version > len(MIGRATIONS):
        raise StorageError(
            f"the trace store has schema {version}, this version knows {len(MIGRATIONS)}: start the newer version again"
        )
    for number in range(version, to):
        db.execute("BEGIN IMMEDIATE")
        try:
            # Another process may have run this step while we waited for the lock.
            if db.execute("PRAGMA user_version").fetchone()[0] == number:
                MIGRATIONS[number](db)
                db.execute(f"PRAGMA user_version = {number + 1}")
        except sqlite3.Error:
            db.execute("ROLLBACK")
            raise
        db.execute("COMMIT")


def _run(db: sqlite3.Connection, *statements: str) -> None:
    for statement in statements:
        db.execute(statement)
