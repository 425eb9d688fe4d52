"""The tables of the SQLite trace store, as an append-only list of small steps run at start.

A step, once released, is never edited: `PRAGMA user_version` says how many a file has seen.
"""

# ruff: noqa: S608 - what is put into SQL text are codes and column names of our own
from __future__ import annotations

import sqlite3

import orjson

from akto_proxy.errors import StorageError
from akto_proxy.store.bodies import Codec
from akto_proxy.store.rows import latency_bucket


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


def _m006_direction_severity_rest(db: sqlite3.Connection) -> None:
    """The direction of decisions, the rollups by direction and severity, and the latency without our guard."""
    codec = Codec(lambda number: db.execute("SELECT data FROM dictionary WHERE id = ?", (number,)).fetchone()[0])

    def direction_of(dictionary: int, data: bytes, index: int) -> str:
        return str(orjson.loads(codec.expand(dictionary, data))["decisions"][index]["direction"])

    db.create_function("direction_of", 3, direction_of)
    _run(
        db,
        "ALTER TABLE decision ADD COLUMN direction TEXT NOT NULL DEFAULT ''",
        "UPDATE decision SET direction = COALESCE((SELECT direction_of(b.dictionary, b.data, decision.idx) "
        "FROM body b WHERE b.seq = decision.seq), '')",
    )
    label = "CASE severity WHEN 1 THEN 'low' WHEN 2 THEN 'medium' WHEN 3 THEN 'high' WHEN 4 THEN 'critical' END"
    for code, name in ((17, "direction"), (18, label)):
        _run(
            db,
            f"INSERT INTO hourly SELECT {code}, CAST(n.at / 3600 AS INTEGER), n.name, COUNT(*), SUM(t.verdict = 1), "
            "SUM(t.verdict = 2), SUM(t.verdict = 3), SUM(t.outcome GLOB 'upstream_*'), SUM(t.bypassed), "
            f"SUM(t.prompt), SUM(t.completion), MAX(t.at) FROM (SELECT DISTINCT seq, at, {name} AS name FROM decision) "
            "n JOIN trace t ON t.seq = n.seq WHERE n.name != '' GROUP BY 2, 3",
        )
    counts: dict[tuple[int, int, int], int] = {}
    for at, total, guard in db.execute("SELECT at, total_us, guard_us FROM trace"):
        hour, bucket = int(at // 3600), latency_bucket(max(0, total - guard))
        for key in ((hour, 3, bucket), (hour // 24, 11, bucket)):
            counts[key] = counts.get(key, 0) + 1
    db.executemany("INSERT INTO latency VALUES (?, ?, ?, ?)", ((*key, count) for key, count in counts.items()))


MIGRATIONS = (_m001_traces, _m002_rollups, _m003_links, _m004_text, _m005_latency_by_day, _m006_direction_severity_rest)
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
