"""Pieces of the SQLite answers: cursors, rows to records, whole hours and their edges, histograms. Nearly all pure."""

# ruff: noqa: S608 - what is put into SQL text are column names of our own; every value is bound
from __future__ import annotations

import sqlite3
from dataclasses import fields, replace
from math import ceil, inf
from typing import Any

import orjson

from akto_proxy.model import Action
from akto_proxy.store.face import Bucket, By, Count, Filter, Page, Session, Summary
from akto_proxy.store.rollup import CODES, COUNTERS, DAY_HOURS, HOUR
from akto_proxy.store.rows import latency_bucket, summary, words
from akto_proxy.store.sqlite_pool import id_text

LATENCY_SUM = (
    "SELECT kind % 8, bucket, SUM(count) FROM latency WHERE kind / 8 = ? AND hour >= ? AND hour < ? GROUP BY 1, 2"
)
_FIELDS = tuple(field.name for field in fields(Filter))
_ROLLED = frozenset(by.value for by in CODES) - {By.SEVERITY.value}  # a filter's severity is a lower bound
HOURLY = f"SELECT name, {', '.join(COUNTERS)}, last FROM hourly WHERE code = ? AND hour >= ? AND hour < ?"


def used_bytes(db: sqlite3.Connection) -> int:
    """Bytes in use in the file, without its free pages."""
    pages, free, size = (
        int(db.execute(f"PRAGMA {name}").fetchone()[0]) for name in ("page_count", "freelist_count", "page_size")
    )
    return (pages - free) * size


def whole_hours(where: Filter) -> tuple[int, float]:
    """The whole hours inside the filter's time: [low, high)."""
    return ceil(where.since / HOUR), (where.until // HOUR if where.until else inf)


def only_name(where: Filter) -> tuple[By, str] | None:
    """The one name asked for, where a filter asks for nothing else but the time: rollups know it too."""
    blank = Filter(since=where.since, until=where.until)
    asked = [name for name in _FIELDS if getattr(where, name) != getattr(blank, name)]
    if len(asked) != 1 or asked[0] not in _ROLLED:
        return None
    return By(asked[0]), getattr(where, asked[0])


def edges(where: Filter) -> list[Filter]:
    """What of the filter's time lies outside its whole hours."""
    low, high = whole_hours(where)
    if low >= high:
        return [where]
    edges = []
    if where.since % HOUR:
        edges.append(replace(where, until=low * HOUR))
    if where.until % HOUR:
        edges.append(replace(where, since=high * HOUR))
    return edges


def latency_ranges(low: int, high: float) -> list[tuple[int, float, float]]:
    """Hours [low, high) as (1, whole days) and (0, the hours around them)."""
    if low >= high:
        return []
    first, last = -(-low // DAY_HOURS), high // DAY_HOURS if high != inf else inf
    if first >= last:
        return [(0, low, high)]
    ranges: list[tuple[int, float, float]] = [(1, first, last), (0, low, first * DAY_HOURS)]
    return ranges if last == inf else [*ranges, (0, last * DAY_HOURS, high)]


class Latencies:
    """An SQL aggregate: the four histograms of a scan in one pass, as JSON [[kind, bucket, count], ...]."""

    def __init__(self) -> None:
        self._counts: dict[tuple[int, int], int] = {}

    def step(self, *values: int) -> None:
        """One trace."""
        for kind, value in enumerate(values):
            key = (kind, latency_bucket(value))
            self._counts[key] = self._counts.get(key, 0) + 1

    def finalize(self) -> bytes:
        """The result."""
        return orjson.dumps([[kind, bucket, count] for (kind, bucket), count in self._counts.items()])


def read_cursor(cursor: str) -> tuple[float, int]:
    """The place a cursor names. Raises ValueError when it is none."""
    at, _, seq = cursor.partition(":")
    return float(at), int(seq)


def cursor_of(row: tuple[Any, ...]) -> str:
    """The cursor of a row (seq, id, at, ...)."""
    return f"{row[2]!r}:{row[0]}"


def to_page(rows: list[tuple[Any, ...]], limit: int) -> Page:
    """A page of rows, of which one more than the limit was asked."""
    items = tuple(to_summary(row) for row in rows[:limit])
    return Page(items, cursor_of(rows[limit - 1]) if len(rows) > limit else "")


def to_summary(row: tuple[Any, ...]) -> Summary:
    """A row (seq, id, columns...) as a Summary."""
    return summary(id_text(row[1]), row[2:])


def to_session(row: tuple[Any, ...]) -> Session:
    """A row of the session table."""
    name, first, last, traces, flagged, verdict, user, agent, model, prompt, completion = row
    return Session(name, first, last, traces, flagged, Action(verdict), user, agent, model, prompt, completion)


def to_count(row: tuple[Any, ...]) -> Count:
    """A row of a grouping."""
    name, traces, alerted, redacted, blocked, errors, _, prompt, completion, last = row
    return Count(name, traces, alerted, redacted, blocked, errors, prompt, completion, last)


def to_bucket(row: tuple[Any, ...] | None, at: float) -> Bucket:
    """A row of a timeline, or an empty step."""
    if row is None:
        return Bucket(at)
    traces, alerted, redacted, blocked, errors, _, prompt, completion = (int(value or 0) for value in row[1:])
    allowed = traces - alerted - redacted - blocked
    return Bucket(at, traces, allowed, alerted, redacted, blocked, errors, prompt, completion)


def holds_words(record: bytes, wanted: str) -> bool:
    """Whether the bodies of a record hold every word."""
    data = orjson.loads(record)
    sides = (data.get(side) or {} for side in ("request", "response"))
    text = "\n".join(side.get("body", "") for side in sides if side.get("encoding", "text") == "text").lower()
    return all(word in text for word in words(wanted))
