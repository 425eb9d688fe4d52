"""The default trace store: one SQLite file, one writer, many readers, nothing to install.

A batch is one transaction: flat rows for lists, compressed records for detail, rollups for pages, links for the audit.
Commits are synchronous (FULL), so what was acknowledged survives the machine; batching makes that cheap. The trade-off:
one writer at a time, so above some thousand traces a second the operator wants STORE_URL=clickhouse://.
"""

# ruff: noqa: S608 - what is put into SQL text are column names and day numbers of our own; every value is bound
from __future__ import annotations

import contextlib
import sqlite3
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from threading import Lock
from typing import Any

import orjson

from akto_proxy.errors import StorageError
from akto_proxy.model import Trace
from akto_proxy.store.bodies import PLAIN, SAMPLES, Codec, train
from akto_proxy.store.face import ALL, Entry, Filter, Note, Retention
from akto_proxy.store.rollup import COUNTERS, Rollup
from akto_proxy.store.rows import COLUMNS, flat, searchable
from akto_proxy.store.sqlite_pool import Readers, id_bytes
from akto_proxy.store.sqlite_read import SqliteReads
from akto_proxy.store.sqlite_schema import migrate
from akto_proxy.store.sqlite_shapes import Latencies, holds_words, used_bytes
from akto_proxy.store.sqlite_where import clause

_REMOVE_STEP = 500
_INSERT = f"INSERT INTO trace (id, {COLUMNS}) VALUES ({', '.join('?' * (COLUMNS.count(',') + 2))})"
_ADD = ", ".join(f"{name} = {name} + excluded.{name}" for name in COUNTERS)
_MARKS = ", ".join("?" * len(COUNTERS))
_HOURLY = (
    f"INSERT INTO hourly (code, hour, name, {', '.join(COUNTERS)}, last) VALUES (?, ?, ?, {_MARKS}, ?) "
    f"ON CONFLICT DO UPDATE SET {_ADD}, last = MAX(last, excluded.last)"
)
_MINUTELY = (
    f"INSERT INTO minutely (minute, {', '.join(COUNTERS)}) VALUES (?, {_MARKS}) ON CONFLICT DO UPDATE SET {_ADD}"
)
_LATENCY = (
    "INSERT INTO latency (hour, kind, bucket, count) VALUES (?, ?, ?, ?) "
    "ON CONFLICT DO UPDATE SET count = count + excluded.count"
)
_SESSION = (
    "INSERT INTO session (id, first, last, traces, flagged, verdict, user, agent, model, prompt, completion) "
    "VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?) ON CONFLICT DO UPDATE SET first = MIN(first, excluded.first), "
    "last = MAX(last, excluded.last), traces = traces + excluded.traces, flagged = flagged + excluded.flagged, "
    "verdict = MAX(verdict, excluded.verdict), user = COALESCE(NULLIF(excluded.user, ''), user), "
    "agent = COALESCE(NULLIF(excluded.agent, ''), agent), model = COALESCE(NULLIF(excluded.model, ''), model), "
    "prompt = prompt + excluded.prompt, completion = completion + excluded.completion"
)


class SqliteStore(SqliteReads):
    """The SQLite TraceStore. Safe from any thread; one process writes, any number may read.

    `full_text` keeps a word index of the bodies; `timeout` bounds every question and every wait for a lock, in seconds.

    Raises:
        StorageError: the file cannot be opened, or a newer version wrote it.
    """

    def __init__(self, path: Path, *, full_text: bool = False, timeout: float = 15.0) -> None:
        self._path, self._full_text, self._timeout = path, full_text, timeout
        self._lock = Lock()
        self._codec = Codec(self._dictionary)
        self._samples: list[bytes] = []
        self._readers = Readers(path, timeout, self._functions)
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
            self._db = self._connect()
            migrate(self._db)
            newest = self._db.execute("SELECT id, data FROM dictionary ORDER BY id DESC LIMIT 1").fetchone()
        except (OSError, sqlite3.Error) as error:
            raise StorageError(f"{path}: cannot open the trace store: {error}") from error
        if newest:
            self._codec.use(*newest)

    def _connect(self) -> sqlite3.Connection:
        new = not self._path.exists()
        db = sqlite3.connect(self._path, isolation_level=None, check_same_thread=False, timeout=self._timeout)
        if new:
            self._path.chmod(0o600)
            db.execute("PRAGMA auto_vacuum = INCREMENTAL")
        db.execute("PRAGMA journal_mode = WAL")
        db.execute("PRAGMA synchronous = FULL")
        db.execute("PRAGMA cache_size = -32000")
        self._functions(db)
        return db

    def _functions(self, db: sqlite3.Connection) -> None:
        def has_words(dictionary: int, data: bytes, wanted: str) -> bool:
            return holds_words(self._codec.expand(dictionary, data), wanted)

        db.create_function("has_words", 3, has_words, deterministic=True)
        db.create_aggregate("latencies", 4, Latencies)  # type: ignore[arg-type]  # typeshed wants int results only

    def insert_many(self, entries: Sequence[Trace | Entry], notes: Sequence[Note] = ()) -> int:
        """Keep what is not yet kept, all or nothing; the number of new traces."""
        if not entries and not notes:
            return 0
        items = [item if isinstance(item, Entry) else Entry(item) for item in entries]
        with self._writing() as db:
            fresh = self._fresh(db, items)
            self._put(db, fresh)
            self._put_links(db, items, notes)
        self._learn(fresh)
        return len(fresh)

    def _fresh(self, db: sqlite3.Connection, items: Sequence[Entry]) -> list[Entry]:
        """Those whose id is not kept yet, each id once."""
        by_id = {id_bytes(item.trace.id): item for item in reversed(items)}
        marks = ", ".join("?" * len(by_id))
        for (known,) in db.execute(f"SELECT id FROM trace WHERE id IN ({marks})", list(by_id)):
            del by_id[known]
        return list(reversed(by_id.values()))

    def _put(self, db: sqlite3.Connection, fresh: Sequence[Entry]) -> None:
        (last,) = db.execute("SELECT COALESCE((SELECT seq FROM sqlite_sequence WHERE name = 'trace'), 0)").fetchone()
        rollup = Rollup()
        rows: list[tuple[Any, ...]] = []
        bodies: list[tuple[Any, ...]] = []
        decisions: list[tuple[Any, ...]] = []
        for seq, item in enumerate(fresh, last + 1):
            trace = item.trace
            rows.append((id_bytes(trace.id), *flat(trace)))
            bodies.append((seq, *self._codec.compress(item.record or orjson.dumps(trace))))
            decisions += _decisions(seq, trace)
            rollup.add(trace)
        db.executemany(_INSERT, rows)
        db.executemany("INSERT INTO body (seq, dictionary, data) VALUES (?, ?, ?)", bodies)
        db.executemany("INSERT INTO decision VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?)", decisions)
        self._roll(db, rollup)
        if self._full_text:
            for seq, item in enumerate(fresh, last + 1):
                self._index(db, seq, item.trace)

    def _put_links(self, db: sqlite3.Connection, items: Sequence[Entry], notes: Sequence[Note]) -> None:
        rows: list[tuple[Any, ...]] = []
        links = [(item.link, "trace", id_bytes(item.trace.id), None) for item in items if item.link is not None]
        links += [(note.link, note.kind, None, note.body) for note in notes]  # type: ignore[misc]
        writers = {link.writer: 0 for link, _, _, _ in links}
        for name in writers:
            db.execute("INSERT OR IGNORE INTO writer (name) VALUES (?)", (name,))
            (writers[name],) = db.execute("SELECT id FROM writer WHERE name = ?", (name,)).fetchone()
        for link, kind, trace, body in links:
            digest, chain = bytes.fromhex(link.digest), bytes.fromhex(link.chain)
            rows.append((writers[link.writer], link.number, kind, trace, digest, chain, body))
        db.executemany("INSERT OR IGNORE INTO link VALUES (?, ?, ?, ?, ?, ?, ?)", rows)

    def _roll(self, db: sqlite3.Connection, rollup: Rollup) -> None:
        db.executemany(_HOURLY, ((*key, *row) for key, row in rollup.groups.items()))
        db.executemany(_MINUTELY, ((minute, *row) for minute, row in rollup.minutes.items()))
        db.executemany(_LATENCY, ((*key, count) for key, count in rollup.latencies.items()))
        db.executemany(
            _SESSION,
            (
                (
                    name,
                    s.first,
                    s.last,
                    s.traces,
                    s.flagged,
                    s.verdict,
                    s.user,
                    s.agent,
                    s.model,
                    s.prompt,
                    s.completion,
                )
                for name, s in rollup.sessions.items()
            ),
        )

    def _index(self, db: sqlite3.Connection, seq: int, trace: Trace) -> None:
        day = int(trace.started // 86400)
        if not db.execute("SELECT 1 FROM text_day WHERE day = ?", (day,)).fetchone():
            db.execute(f"CREATE VIRTUAL TABLE fts_{day:d} USING fts5(text, content='', tokenize='unicode61')")
            db.execute("INSERT INTO text_day VALUES (?)", (day,))
        db.execute(f"INSERT INTO fts_{day:d} (rowid, text) VALUES (?, ?)", (seq, searchable(trace)))

    def _learn(self, fresh: Sequence[Entry]) -> None:
        """Train the dictionary once, from the first records."""
        if self._codec.current != PLAIN:
            return
        with self._lock:
            self._samples += [item.record or orjson.dumps(item.trace) for item in fresh]
            if len(self._samples) < SAMPLES or self._codec.current != PLAIN:
                return
            samples, self._samples = self._samples[:SAMPLES], []
        dictionary = train(samples)
        if dictionary is None:
            return
        with self._writing() as db:
            number = db.execute("INSERT INTO dictionary (data) VALUES (?)", (dictionary,)).lastrowid
        self._codec.use(int(number or 0), dictionary)

    def _dictionary(self, number: int) -> bytes:
        with self._readers() as db:
            row = db.execute("SELECT data FROM dictionary WHERE id = ?", (number,)).fetchone()
        if row is None:
            raise StorageError(f"{self._path}: dictionary {number} is missing; restore the file from a backup")
        return bytes(row[0])

    @contextlib.contextmanager
    def _writing(self) -> Iterator[sqlite3.Connection]:
        """One transaction: all of it or, on any error, none of it.

        Raises:
            StorageError: the disk is full, read-only or broken, or another writer held the lock too long.
        """
        with self._lock:
            try:
                self._db.execute("BEGIN IMMEDIATE")
                try:
                    yield self._db
                    self._db.execute("COMMIT")
                except BaseException:
                    with contextlib.suppress(sqlite3.Error):  # a full disk may have rolled back already
                        self._db.execute("ROLLBACK")
                    raise
            except sqlite3.Error as error:
                raise StorageError(f"{self._path}: cannot write the trace store: {error}") from error

    def erase(self, where: Filter) -> int:
        """Remove the traces; their links stay, so the chain stays verifiable."""
        if where == ALL:
            raise ValueError("an erasure needs a filter")
        found = 0
        with self._readers() as db:
            conditions, values = self._scan(db, where)
        with self._lock:
            self._db.execute("PRAGMA secure_delete = ON")  # erased is erased: free pages are overwritten with zeros
        try:
            while True:
                step = self._remove(f"SELECT t.seq FROM trace t {clause(conditions)} ORDER BY t.seq LIMIT ?", values)
                found += step
                if step < _REMOVE_STEP:
                    break
            self._reclaim()
        finally:
            with self._lock:
                self._db.execute("PRAGMA secure_delete = OFF")
        return found

    def sweep(self, retention: Retention, now: float) -> int:
        """Remove what is older or more than retention allows."""
        removed = 0
        named = dict(retention.days)
        default = named.pop("", 0.0)
        for sensitivity, days in named.items():
            if days > 0:
                removed += self._sweep("t.sensitivity = ? AND t.at < ?", [sensitivity, now - days * 86400])
        if default > 0:
            marks = ", ".join("?" * len(named))
            removed += self._sweep(f"t.sensitivity NOT IN ({marks}) AND t.at < ?", [*named, now - default * 86400])
        removed += self._sweep_size(retention.limit_bytes) if retention.limit_bytes > 0 else 0
        if removed:
            self._reclaim()
        return removed

    def _sweep(self, condition: str, values: list[Any]) -> int:
        removed = 0
        while step := self._remove(f"SELECT t.seq FROM trace t WHERE {condition} ORDER BY t.at LIMIT ?", values):
            removed += step
        return removed

    def _sweep_size(self, limit: int) -> int:
        removed = 0
        while used_bytes(self._db) > limit:
            step = self._remove("SELECT t.seq FROM trace t ORDER BY t.at, t.seq LIMIT ?", [])
            if not step:
                break
            removed += step
        return removed

    def _remove(self, select: str, values: Sequence[Any]) -> int:
        """One short transaction: remove what `select` finds, and count it out of the rollups."""
        with self._writing() as db:
            seqs = [seq for (seq,) in db.execute(select, (*values, _REMOVE_STEP))]
            marks = ", ".join("?" * len(seqs))
            rollup = Rollup()
            query = f"SELECT seq, dictionary, data FROM body WHERE seq IN ({marks})"
            for seq, dictionary, data in db.execute(query, seqs).fetchall():
                trace = self._trace(dictionary, data)
                rollup.add(trace, -1)
                self._unindex(db, seq, trace)
            self._roll(db, rollup)
            for table in ("trace", "body", "decision"):
                db.execute(f"DELETE FROM {table} WHERE seq IN ({marks})", seqs)
            _forget_empty(db, rollup)
        return len(seqs)

    def _unindex(self, db: sqlite3.Connection, seq: int, trace: Trace) -> None:
        day = int(trace.started // 86400)
        if db.execute("SELECT 1 FROM text_day WHERE day = ?", (day,)).fetchone():
            values = (seq, searchable(trace))
            db.execute(f"INSERT INTO fts_{day:d} (fts_{day:d}, rowid, text) VALUES ('delete', ?, ?)", values)

    def _reclaim(self) -> None:
        """Give free pages back, drop empty days of the word index, and shrink the write-ahead log."""
        with self._writing() as db:
            (oldest,) = db.execute("SELECT COALESCE(MIN(at), 1e18) FROM trace").fetchone()
            gone = db.execute("SELECT day FROM text_day WHERE day < ?", (int(oldest // 86400),)).fetchall()
            for (day,) in gone:
                db.execute(f"DROP TABLE fts_{day:d}")
                db.execute("DELETE FROM text_day WHERE day = ?", (day,))
        with self._lock, contextlib.suppress(sqlite3.Error):
            # `execute` would step this pragma once, which frees one page; a script is run to its end.
            self._db.executescript("PRAGMA incremental_vacuum; PRAGMA wal_checkpoint(TRUNCATE);")

    def close(self) -> None:
        """Give back the files."""
        self._readers.close()
        with self._lock:
            self._db.close()


def _decisions(seq: int, trace: Trace) -> Iterable[tuple[Any, ...]]:
    for index, item in enumerate(trace.decisions):
        yield (
            seq,
            index,
            float(trace.started),
            item.rule,
            item.category,
            item.entity,
            item.policy,
            int(item.severity),
            int(item.bypassed),
            item.direction.value,
        )


def _forget_empty(db: sqlite3.Connection, rollup: Rollup) -> None:
    """A name (a user, an address) does not stay behind when its last trace is gone."""
    db.executemany("DELETE FROM hourly WHERE code = ? AND hour = ? AND name = ? AND traces <= 0", rollup.groups)
    db.executemany("DELETE FROM session WHERE id = ? AND traces <= 0", ((name,) for name in rollup.sessions))
    db.executemany("DELETE FROM latency WHERE hour = ? AND kind = ? AND bucket = ? AND count <= 0", rollup.latencies)
    db.executemany("DELETE FROM minutely WHERE minute = ? AND traces <= 0", ((key,) for key in rollup.minutes))
