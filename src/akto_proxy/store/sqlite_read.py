"""The questions, answered from SQLite. Time-only ones come from rollups (whole hours) and a scan of the edges.

Reads use a small pool of read-only connections beside the one writer (WAL), and every question has a deadline: a
search too wide ends in a clear error and never holds a connection for minutes.
"""

# ruff: noqa: S608 - what is put into SQL text are column names and day numbers of our own; every value is bound
from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from dataclasses import replace
from math import floor, inf
from pathlib import Path
from typing import Any

import orjson

from akto_proxy.model import Trace, trace_from_dict
from akto_proxy.store.bodies import Codec
from akto_proxy.store.face import (
    ALL,
    OF_DECISION,
    Bucket,
    By,
    Count,
    Event,
    EventPage,
    Filter,
    Fresh,
    Link,
    Page,
    SessionPage,
    Storage,
    Totals,
)
from akto_proxy.store.rollup import CODES, COUNTERS, HOUR, MINUTE, TOTAL
from akto_proxy.store.rows import COLUMNS, quantiles, summary, words
from akto_proxy.store.sqlite_pool import Readers, id_bytes, id_text
from akto_proxy.store.sqlite_shapes import (
    HOURLY,
    LATENCY_SUM,
    cursor_of,
    edges,
    holds_words,
    latency_ranges,
    only_name,
    read_cursor,
    to_bucket,
    to_count,
    to_page,
    to_session,
    to_summary,
    used_bytes,
    whole_hours,
)
from akto_proxy.store.sqlite_where import clause, column, match, of_decision, of_trace

MAX_BUCKETS = 2000
MAX_PAGE = 1000
TEXT_SCAN = 20_000
"""Bodies a text search without an index looks through for one page."""

_T_COLUMNS = ", ".join(f"t.{name.strip()}" for name in COLUMNS.split(","))
_SUMS = ", ".join(f"SUM({name})" for name in COUNTERS)
_RAW = (
    "COUNT(*) AS traces, SUM(t.verdict = 1) AS alerted, SUM(t.verdict = 2) AS redacted, SUM(t.verdict = 3) AS blocked, "
    "SUM(t.outcome GLOB 'upstream_*') AS errors, SUM(t.bypassed) AS bypassed, SUM(t.prompt) AS prompt, "
    "SUM(t.completion) AS completion"
)


def _rolled(by: By | str, where: Filter) -> tuple[str, list[Any]] | None:
    """Where the rollups know the answer: a question of their rows, but for its hours, and its values."""
    if where.only_time:
        code = CODES.get(By(by)) if by else TOTAL
        return (HOURLY, [code]) if code is not None else None
    name = only_name(where)
    if name is None or by not in ("", name[0]):
        return None
    shown = "name" if by else "'' AS name"
    return HOURLY.replace("name,", f"{shown},", 1).replace("code = ?", "code = ? AND name = ?"), [
        CODES[name[0]],
        name[1],
    ]


class SqliteReads:
    """The reading half of the SQLite TraceStore."""

    _readers: Readers
    _codec: Codec
    _path: Path
    _full_text: bool

    def get(self, trace_id: str) -> Trace | None:
        """The whole trace."""
        sql = "SELECT b.dictionary, b.data FROM trace t JOIN body b ON b.seq = t.seq WHERE t.id = ?"
        with self._readers() as db:
            row = db.execute(sql, (id_bytes(trace_id),)).fetchone()
        return self._trace(*row) if row else None

    def search(self, where: Filter = ALL, *, cursor: str = "", limit: int = 50) -> Page:
        """Traces, newest first, a page at a time."""
        limit = max(1, min(limit, MAX_PAGE))
        with self._readers() as db:
            if words(where.text):
                if self._full_text:
                    return self._search_days(db, where, cursor, limit)
                return self._search_scan(db, where, cursor, limit)
            return to_page(self._newest(db, of_trace(where), cursor, limit + 1), limit)

    def _newest(
        self, db: sqlite3.Connection, condition: tuple[list[str], list[Any]], cursor: str, limit: int
    ) -> list[tuple[Any, ...]]:
        sql, values = list(condition[0]), list(condition[1])
        if cursor:
            sql.append("(t.at, t.seq) < (?, ?)")
            values += read_cursor(cursor)
        query = f"SELECT t.seq, t.id, {_T_COLUMNS} FROM trace t {clause(sql)} ORDER BY t.at DESC, t.seq DESC LIMIT ?"
        return db.execute(query, (*values, limit)).fetchall()

    def _search_days(self, db: sqlite3.Connection, where: Filter, cursor: str, limit: int) -> Page:
        """With the full-text index: day by day, newest first."""
        rows: list[tuple[Any, ...]] = []
        newest = read_cursor(cursor)[0] if cursor else inf
        for (day,) in db.execute("SELECT day FROM text_day ORDER BY day DESC").fetchall():
            start, end = day * 86400, (day + 1) * 86400
            if start > newest or (where.until and start >= where.until) or end <= where.since:
                continue
            sql, values = of_trace(replace(where, since=max(where.since, start), until=min(where.until or inf, end)))
            sql.append(f"t.seq IN (SELECT rowid FROM fts_{day:d} WHERE fts_{day:d} MATCH ?)")
            values.append(match(where.text))
            rows += self._newest(db, (sql, values), cursor, limit + 1 - len(rows))
            if len(rows) > limit:
                break
        return to_page(rows, limit)

    def _search_scan(self, db: sqlite3.Connection, where: Filter, cursor: str, limit: int) -> Page:
        """Without an index: look into the bodies of the newest traces that fit the rest of the filter."""
        found: list[tuple[Any, ...]] = []
        scanned, step = 0, 500
        while scanned < TEXT_SCAN:
            rows = self._newest(db, of_trace(where), cursor, step)
            for row in rows:
                body = db.execute("SELECT dictionary, data FROM body WHERE seq = ?", (row[0],)).fetchone()
                if body and holds_words(self._codec.expand(*body), where.text):
                    found.append(row)
                    if len(found) > limit:
                        return to_page(found, limit)
            if len(rows) < step:
                return to_page(found, limit)
            scanned += len(rows)
            cursor = cursor_of(rows[-1])
        page = to_page(found, limit)
        return Page(page.items, cursor, partial=True)

    def count(self, where: Filter = ALL) -> int:
        """How many traces."""
        if not where.only_time and only_name(where) is None:
            return self._count(where)
        with self._readers() as db:
            rows = self._groups(db, "", where, 1)
        return int(rows[0][1]) if rows else 0

    def _count(self, where: Filter) -> int:
        with self._readers() as db:
            sql, values = self._scan(db, where)
            (count,) = db.execute(f"SELECT COUNT(*) FROM trace t {clause(sql)}", values).fetchone()
        return int(count)

    def totals(self, where: Filter = ALL) -> Totals:
        """Requests, verdicts, tokens and latencies in one line."""
        with self._readers() as db:
            (row,) = self._groups(db, "", where, 1) or [("", *(0,) * len(COUNTERS), 0.0)]
            kinds = self._latencies(db, where)
        traces, alerted, redacted, blocked, errors, bypassed, prompt, completion = (int(n) for n in row[1:-1])
        return Totals(
            traces, traces - alerted - redacted - blocked, alerted, redacted, blocked, errors, bypassed, prompt,
            completion, *(quantiles(kinds.get(kind, ())) for kind in range(4)),
        )  # fmt: skip

    def top(self, by: By, where: Filter = ALL, *, limit: int = 10) -> tuple[Count, ...]:
        """The names with the most traces."""
        with self._readers() as db:
            rows = self._groups(db, by, where, max(1, min(limit, MAX_PAGE)))
        return tuple(to_count(row) for row in rows)

    def _groups(self, db: sqlite3.Connection, by: By | str, where: Filter, limit: int) -> list[tuple[Any, ...]]:
        """(name, counters..., last) with the most traces first. `by` is a grouping, or "" for everything."""
        parts: list[tuple[str, list[Any]]] = []
        if (rolled := _rolled(by, where)) is not None:
            low, high = whole_hours(where)
            if low < high:
                parts.append((rolled[0], [*rolled[1], low, high]))
            parts += [self._raw(db, by, edge) for edge in edges(where)]
        else:
            parts.append(self._raw(db, by, where))
        union = " UNION ALL ".join(sql for sql, _ in parts)
        query = (
            f"SELECT name, {_SUMS}, MAX(last) FROM ({union}) GROUP BY name HAVING SUM(traces) > 0 "
            "ORDER BY SUM(traces) DESC, name LIMIT ?"
        )
        return db.execute(query, [*(value for _, values in parts for value in values), limit]).fetchall()

    def _raw(self, db: sqlite3.Connection, by: By | str, where: Filter) -> tuple[str, list[Any]]:
        sql, values = self._scan(db, where)
        if not by:
            return (
                f"SELECT '' AS name, {_RAW}, MAX(t.at) AS last FROM trace t {clause(sql)} HAVING COUNT(*) > 0",
                values,
            )
        name = column(By(by))
        if By(by) not in OF_DECISION:
            sql.append(f"{name} != ''")
            return f"SELECT {name} AS name, {_RAW}, MAX(t.at) AS last FROM trace t {clause(sql)} GROUP BY 1", values
        # A trace counts once for each name, and a filter on decisions holds for the decision that gives the name.
        own, own_values = of_decision(where)
        if where.text:
            own.append(f"d.seq IN (SELECT t.seq FROM trace t {clause(sql)})")
            own_values = own_values + values
        inner = (
            f"SELECT DISTINCT d.seq, {name} AS name FROM decision d JOIN trace t ON t.seq = d.seq "
            f"{clause([*own, f'{name} != {chr(39) * 2}'])}"
        )
        return (
            f"SELECT n.name AS name, {_RAW}, MAX(t.at) AS last FROM ({inner}) n JOIN trace t ON t.seq = n.seq "
            "GROUP BY 1",
            own_values,
        )

    def _scan(self, db: sqlite3.Connection, where: Filter) -> tuple[list[str], list[Any]]:
        """The conditions of a question that looks at every trace, the text included."""
        sql, values = of_trace(where)
        if not words(where.text):
            return sql, values
        if not self._full_text:
            sql.append("EXISTS (SELECT 1 FROM body b WHERE b.seq = t.seq AND has_words(b.dictionary, b.data, ?))")
            return sql, [*values, where.text]
        days = [day for (day,) in db.execute("SELECT day FROM text_day ORDER BY day")]
        parts = [f"SELECT rowid FROM fts_{day:d} WHERE fts_{day:d} MATCH ?" for day in days]
        sql.append(f"t.seq IN ({' UNION ALL '.join(parts)})" if parts else "0")
        return sql, [*values, *(match(where.text) for _ in parts)]

    def _latencies(self, db: sqlite3.Connection, where: Filter) -> dict[int, list[tuple[int, int]]]:
        found: dict[int, list[tuple[int, int]]] = {}
        scans = [where]
        if where.only_time:
            sql = LATENCY_SUM
            for values in latency_ranges(*whole_hours(where)):
                for kind, bucket, count in db.execute(sql, values):
                    found.setdefault(kind, []).append((bucket, count))
            scans = edges(where)
        for part in scans:
            conditions, bound = self._scan(db, part)
            columns = "t.total_us, t.guard_us, t.first_us, MAX(0, t.total_us - t.guard_us)"
            query = f"SELECT latencies({columns}) FROM trace t {clause(conditions)}"
            (packed,) = db.execute(query, bound).fetchone()
            for kind, bucket, count in orjson.loads(packed or b"[]"):
                found.setdefault(kind, []).append((bucket, count))
        return found

    def timeline(self, where: Filter, *, step: float) -> tuple[Bucket, ...]:
        """Verdicts over time, oldest first."""
        with self._readers() as db:
            bounds = self._bounds(db, where)
            if bounds is None:
                return ()
            step = max(step, 1.0)
            while (floor(bounds[1] / step) - floor(bounds[0] / step) + 1) > MAX_BUCKETS:
                step *= 2
            rows = self._steps(db, where, step)
        low, high = floor(bounds[0] / step), floor(bounds[1] / step)
        found = {int(row[0]): row for row in rows}
        return tuple(to_bucket(found.get(index), index * step) for index in range(low, high + 1))

    def _steps(self, db: sqlite3.Connection, where: Filter, step: float) -> list[tuple[Any, ...]]:
        aligned = step % MINUTE == 0 and where.since % MINUTE == 0 and where.until % MINUTE == 0
        if where.only_time and aligned:
            sql = (
                f"SELECT CAST(minute / ? AS INTEGER), {_SUMS} FROM minutely WHERE minute >= ? AND minute < ? GROUP BY 1"
            )
            high = where.until // MINUTE if where.until else inf
            return db.execute(sql, (int(step // MINUTE), where.since // MINUTE, high)).fetchall()
        name = only_name(where)
        if name is not None and step % HOUR == 0 and where.since % HOUR == 0 and where.until % HOUR == 0:
            sql = (
                f"SELECT CAST(hour / ? AS INTEGER), {_SUMS} FROM hourly WHERE code = ? AND name = ? AND hour >= ? "
                "AND hour < ? GROUP BY 1"
            )
            high = where.until // HOUR if where.until else inf
            return db.execute(sql, (int(step // HOUR), CODES[name[0]], name[1], where.since // HOUR, high)).fetchall()
        conditions, values = self._scan(db, where)
        sql = f"SELECT CAST(t.at / ? AS INTEGER), {_RAW} FROM trace t {clause(conditions)} GROUP BY 1"
        return db.execute(sql, (step, *values)).fetchall()

    def _bounds(self, db: sqlite3.Connection, where: Filter) -> tuple[float, float] | None:
        """The first and last moment a timeline shows; None when there is nothing to show."""
        oldest, newest = db.execute("SELECT (SELECT MIN(at) FROM trace), (SELECT MAX(at) FROM trace)").fetchone()
        if oldest is None and not (where.since and where.until):
            return None
        low = where.since or oldest
        # `until` is exclusive: the bucket that only begins there is not shown.
        high = where.until - 1e-6 if where.until else newest
        return (low, high) if low <= high else None

    def sessions(self, where: Filter = ALL, *, cursor: str = "", limit: int = 50) -> SessionPage:
        """Conversations, last used first."""
        limit = max(1, min(limit, MAX_PAGE))
        sql: list[str] = ["traces > 0"]
        values: list[Any] = []
        for name, value in (("last >= ?", where.since), ("first < ?", where.until)):
            if value:
                sql.append(name)
                values.append(value)
        for name in ("user", "agent", "model"):
            if getattr(where, name):
                sql.append(f"{name} = ?")
                values.append(getattr(where, name))
        if cursor:
            at, _, name = cursor.partition(":")
            sql.append("(last, id) < (?, ?)")
            values += [float(at), name]
        query = (
            "SELECT id, first, last, traces, flagged, verdict, user, agent, model, prompt, completion FROM session "
            f"{clause(sql)} ORDER BY last DESC, id DESC LIMIT ?"
        )
        with self._readers() as db:
            rows = db.execute(query, (*values, limit + 1)).fetchall()
        items = tuple(to_session(row) for row in rows[:limit])
        return SessionPage(items, f"{items[-1].last!r}:{items[-1].id}" if len(rows) > limit else "")

    def thread(self, session: str, *, limit: int = 200) -> tuple[Trace, ...]:
        """The newest whole traces of a session, oldest first."""
        sql = (
            "SELECT b.dictionary, b.data FROM trace t JOIN body b ON b.seq = t.seq WHERE t.session = ? "
            "AND t.session != '' ORDER BY t.at DESC, t.seq DESC LIMIT ?"
        )
        with self._readers() as db:
            rows = db.execute(sql, (session, max(1, min(limit, MAX_PAGE)))).fetchall()
        return tuple(self._trace(*row) for row in reversed(rows))

    def events(self, where: Filter = ALL, *, cursor: str = "", limit: int = 50) -> EventPage:
        """Decisions, newest first."""
        limit = max(1, min(limit, MAX_PAGE))
        sql, values = of_decision(where)
        with self._readers() as db:
            if words(where.text):
                scan, more = self._scan(db, Filter(since=where.since, until=where.until, text=where.text))
                sql.append(f"d.seq IN (SELECT t.seq FROM trace t {clause(scan)})")
                values += more
            if cursor:
                at, seq, index = cursor.split(":")
                sql.append("(d.at, d.seq, d.idx) < (?, ?, ?)")
                values += [float(at), int(seq), int(index)]
            query = (
                f"SELECT t.seq, t.id, {_T_COLUMNS}, d.idx, b.dictionary, b.data FROM decision d "
                f"JOIN trace t ON t.seq = d.seq JOIN body b ON b.seq = d.seq {clause(sql)} "
                "ORDER BY d.at DESC, d.seq DESC, d.idx DESC LIMIT ?"
            )
            rows = db.execute(query, (*values, limit + 1)).fetchall()
        items = tuple(self._event(row) for row in rows[:limit])
        last = rows[limit - 1] if len(rows) > limit else None
        return EventPage(items, f"{last[2]!r}:{last[0]}:{last[-3]}" if last else "")

    def _event(self, row: tuple[Any, ...]) -> Event:
        found = summary(id_text(row[1]), row[2:-3])
        decision = self._trace(*row[-2:]).decisions[row[-3]]
        return Event(f"{found.id}:{row[-3]}", decision, found)

    def after(self, cursor: str = "", *, limit: int = 200) -> Fresh:
        """Live follow: what arrived after `cursor`."""
        with self._readers() as db:
            if not cursor:
                (newest,) = db.execute("SELECT COALESCE(MAX(seq), 0) FROM trace").fetchone()
                return Fresh((), str(newest))
            query = f"SELECT t.seq, t.id, {_T_COLUMNS} FROM trace t WHERE t.seq > ? ORDER BY t.seq LIMIT ?"
            rows = db.execute(query, (int(cursor), max(1, min(limit, MAX_PAGE)))).fetchall()
        items = tuple(to_summary(row) for row in rows)
        return Fresh(items, str(rows[-1][0]) if rows else cursor)

    def distinct(self, by: By, *, since: float = 0.0, limit: int = 100) -> tuple[str, ...]:
        """Names seen, most used first."""
        return tuple(item.name for item in self.top(by, Filter(since=floor(since / HOUR) * HOUR), limit=limit))

    def storage(self) -> Storage:
        """How much is kept."""
        with self._readers() as db:
            row = db.execute(
                "SELECT COALESCE((SELECT SUM(traces) FROM hourly WHERE code = 0), 0), (SELECT MIN(at) FROM trace), "
                "(SELECT MAX(at) FROM trace)"
            ).fetchone()
            size = used_bytes(db)
        return Storage(int(row[0]), size, row[1] or 0.0, row[2] or 0.0, "sqlite")

    def export(self, where: Filter = ALL) -> Iterator[bytes]:
        """The exact records, oldest first. Each page is its own short read."""
        at, seq = -inf, 0
        while True:
            with self._readers() as db:
                sql, values = self._scan(db, where)
                sql.append("(t.at, t.seq) > (?, ?)")
                query = (
                    "SELECT t.at, t.seq, b.dictionary, b.data FROM trace t JOIN body b ON b.seq = t.seq "
                    f"{clause(sql)} ORDER BY t.at, t.seq LIMIT 200"
                )
                rows = db.execute(query, (*values, at, seq)).fetchall()
            if not rows:
                return
            yield from (self._codec.expand(*row[2:]) for row in rows)
            at, seq = rows[-1][:2]

    def links(self, writer: str = "") -> Iterator[tuple[Link, bytes | None, str]]:
        """For the audit, by writer and number."""
        with self._readers() as db:
            writers = db.execute(
                "SELECT id, name FROM writer WHERE ? IN ('', name) ORDER BY name", (writer,)
            ).fetchall()
        for number, name in writers:
            yield from self._links_of(number, name)

    def _links_of(self, writer: int, name: str) -> Iterator[tuple[Link, bytes | None, str]]:
        last = -1
        query = (
            "SELECT l.number, l.kind, l.digest, l.chain, l.body, b.dictionary, b.data FROM link l "
            "LEFT JOIN trace t ON t.id = l.trace LEFT JOIN body b ON b.seq = t.seq "
            "WHERE l.writer = ? AND l.number > ? ORDER BY l.number LIMIT 500"
        )
        while True:
            with self._readers() as db:
                rows = db.execute(query, (writer, last)).fetchall()
            if not rows:
                return
            for number, kind, digest, chain, body, dictionary, data in rows:
                if data is not None:
                    body = self._codec.expand(dictionary, data)
                yield Link(name, number, digest.hex(), chain.hex()), body, kind
            last = rows[-1][0]

    def _trace(self, dictionary: int, data: bytes) -> Trace:
        return trace_from_dict(orjson.loads(self._codec.expand(dictionary, data)))
