"""The trace store for many: ClickHouse, a server, a cluster, or embedded (chdb), all by the same statements.

No rollups: ClickHouse scans columns fast enough. A batch is checked against the ids it has, so the count of new traces
is right; what slips through at the same moment from two collectors is removed by ReplacingMergeTree and hidden by FINAL
until then. Trade-offs: live follow orders by the arrival time each collector notes, and text search reads the records.
"""

# ruff: noqa: S608 - what is put into SQL text are names of our own; every value is bound

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from math import floor
from typing import Any

import orjson

from akto_proxy.model import Action, Trace, trace_from_dict
from akto_proxy.store.clickhouse_client import Client
from akto_proxy.store.clickhouse_sql import JOINED, LEVEL, Where, definitions, of_decision, of_trace
from akto_proxy.store.face import (
    ALL,
    EXACT,
    OF_DECISION,
    Bucket,
    By,
    Count,
    Entry,
    Event,
    EventPage,
    Filter,
    Fresh,
    Link,
    Note,
    Page,
    Quantiles,
    Retention,
    Session,
    SessionPage,
    Storage,
    Totals,
)
from akto_proxy.store.rows import COLUMNS, flat, summary

MAX_BUCKETS = 2000
MAX_PAGE = 1000
_NAMES = tuple(column.strip() for column in COLUMNS.split(","))
_SUMS = (
    "count(), countIf(verdict = 1), countIf(verdict = 2), countIf(verdict = 3), "
    "countIf(startsWith(outcome, 'upstream_')), sum(bypassed), sum(prompt), sum(completion)"
)


class ClickHouseStore:
    """The ClickHouse TraceStore. `arrival` gives nanoseconds that only grow.

    Raises:
        StorageError: ClickHouse cannot be reached or the tables cannot be made.
    """

    def __init__(self, client: Client, *, database: str, cluster: str = "", arrival: Callable[[], int]) -> None:
        self._client, self._arrival = client, arrival
        self._database, self._cluster = database, cluster
        self._trace, self._link = f"{database}.trace", f"{database}.link"
        for statement in definitions(database, cluster):
            client.command(statement)

    def insert_many(self, entries: Sequence[Trace | Entry], notes: Sequence[Note] = ()) -> int:
        """Keep what is not yet kept; traces before links, so that a repeated call completes what a crash cut."""
        items = [item if isinstance(item, Entry) else Entry(item) for item in entries]
        fresh = self._fresh(items)
        if fresh:
            arrived = self._arrival()
            self._client.insert(self._trace, [_row(item, arrived + n) for n, item in enumerate(fresh)])
        links = [_link_row(item.link, "trace", item.trace.id, "") for item in items if item.link is not None]
        links += [_link_row(note.link, note.kind, "", note.body.decode()) for note in notes]
        if links:
            self._client.insert(self._link, links)
        return len(fresh)

    def _fresh(self, items: Sequence[Entry]) -> list[Entry]:
        by_id = {item.trace.id: item for item in reversed(items)}
        if not by_id:
            return []
        sql = f"SELECT DISTINCT id FROM {self._trace} WHERE id IN {{ids:Array(String)}}"
        for (known,) in self._client.query(sql, {"ids": list(by_id)}):
            del by_id[known]
        return list(reversed(by_id.values()))

    def get(self, trace_id: str) -> Trace | None:
        """The whole trace."""
        sql = f"SELECT record FROM {self._trace} FINAL WHERE id = {{id:String}} LIMIT 1"
        rows = self._client.query(sql, {"id": trace_id})
        return _trace(rows[0][0]) if rows else None

    def search(self, where: Filter = ALL, *, cursor: str = "", limit: int = 50) -> Page:
        """Traces, newest first, a page at a time."""
        limit = max(1, min(limit, MAX_PAGE))
        made = of_trace(where)
        _after_cursor(made, cursor, "<")
        rows = self._rows(f"id, {COLUMNS}", made, f"ORDER BY at DESC, id DESC LIMIT {limit + 1}")
        items = tuple(summary(row[0], row[1:]) for row in rows[:limit])
        return Page(items, f"{rows[limit - 1][1]!r}:{rows[limit - 1][0]}" if len(rows) > limit else "")

    def _rows(self, columns: str, where: Where, rest: str = "") -> list[list[Any]]:
        sql = f"SELECT {columns} FROM {self._trace} FINAL {where.clause} {rest}"
        return self._client.query(sql, where.values)

    def count(self, where: Filter = ALL) -> int:
        """How many traces."""
        return int(self._rows("count()", of_trace(where))[0][0])

    def totals(self, where: Filter = ALL) -> Totals:
        """Requests, verdicts, tokens and latencies in one line."""
        quantiles = ", ".join(
            f"quantilesTDigest(0.5, 0.95, 0.99)({name})"
            for name in ("total_us", "guard_us", "first_us", "greatest(toInt64(total_us) - toInt64(guard_us), 0)")
        )
        (row,) = self._rows(f"{_SUMS}, {quantiles}", of_trace(where))
        traces, alerted, redacted, blocked, errors, bypassed, prompt, completion = (int(n) for n in row[:8])
        latencies = [Quantiles(*(round(value or 0) for value in three)) if traces else Quantiles() for three in row[8:]]
        allowed = traces - alerted - redacted - blocked
        return Totals(traces, allowed, alerted, redacted, blocked, errors, bypassed, prompt, completion, *latencies)

    def timeline(self, where: Filter, *, step: float) -> tuple[Bucket, ...]:
        """Verdicts over time, oldest first."""
        (bounds,) = self._client.query(f"SELECT min(at), max(at), count() FROM {self._trace}", {})
        if not bounds[2] and not (where.since and where.until):
            return ()
        low, high = where.since or bounds[0], where.until - 1e-6 if where.until else bounds[1]
        if low > high:
            return ()
        step = max(step, 1.0)
        while floor(high / step) - floor(low / step) + 1 > MAX_BUCKETS:
            step *= 2
        made = of_trace(where)
        made.add("? > 0", "Float64", step)
        bound = f"v{len(made.values) - 1}"
        rows = self._rows(f"toInt64(floor(at / {{{bound}:Float64}})) AS n, {_SUMS}", made, "GROUP BY n")
        found = {int(row[0]): row[1:] for row in rows}
        return tuple(_bucket(found.get(n), n * step) for n in range(floor(low / step), floor(high / step) + 1))

    def top(self, by: By, where: Filter = ALL, *, limit: int = 10) -> tuple[Count, ...]:
        """The names with the most traces."""
        rest = f"GROUP BY name ORDER BY 2 DESC, name LIMIT {max(1, min(limit, MAX_PAGE))}"
        if by not in OF_DECISION:
            made = of_trace(where)
            made.add(f"{by.value} != ''")
            rows = self._rows(f"{by.value} AS name, {_SUMS}, max(at)", made, rest)
            return tuple(_count(row) for row in rows)
        made = of_decision(where)
        name = LEVEL if by is By.SEVERITY else f"x_{by.value}"
        made.add(f"{name} != ''")
        # A trace counts once for each name, however often the name occurs in it.
        columns = "id, at, verdict, outcome, bypassed, prompt, completion"
        inner = f"SELECT DISTINCT {name} AS name, {columns} FROM {self._trace} FINAL {JOINED} {made.clause}"
        rows = self._client.query(f"SELECT name, {_SUMS}, max(at) FROM ({inner}) {rest}", made.values)
        return tuple(_count(row) for row in rows)

    def sessions(self, where: Filter = ALL, *, cursor: str = "", limit: int = 50) -> SessionPage:
        """Conversations, last used first."""
        limit = max(1, min(limit, MAX_PAGE))
        having = Where()
        for condition, value in (("last >= ?", where.since), ("first < ?", where.until)):
            if value:
                having.add(condition, "Float64", value)
        for name in ("user", "agent", "model"):
            if getattr(where, name):
                having.add(f"s_{name} = ?", "String", getattr(where, name))
        if cursor:
            at, _, session = cursor.partition(":")
            having.values |= {"cursor_at": float(at), "cursor_id": session}
            having.add("(last, session) < ({cursor_at:Float64}, {cursor_id:String})")
        names = ", ".join(f"argMaxIf({name}, at, {name} != '') AS s_{name}" for name in ("user", "agent", "model"))
        inner = (
            f"SELECT session, min(at) AS first, max(at) AS last, count() AS traces, countIf(verdict > 0) AS flagged, "
            f"max(verdict) AS worst, {names}, sum(prompt) AS p, sum(completion) AS c FROM {self._trace} FINAL "
            "WHERE session != '' GROUP BY session"
        )
        sql = f"SELECT * FROM ({inner}) {having.clause} ORDER BY last DESC, session DESC LIMIT {limit + 1}"
        rows = self._client.query(sql, having.values)
        items = tuple(_session(row) for row in rows[:limit])
        return SessionPage(items, f"{items[-1].last!r}:{items[-1].id}" if len(rows) > limit else "")

    def thread(self, session: str, *, limit: int = 200) -> tuple[Trace, ...]:
        """The newest whole traces of a session, oldest first."""
        if not session:
            return ()
        made = of_trace(Filter(session=session))
        rows = self._rows("record", made, f"ORDER BY at DESC, id DESC LIMIT {max(1, min(limit, MAX_PAGE))}")
        return tuple(_trace(row[0]) for row in reversed(rows))

    def events(self, where: Filter = ALL, *, cursor: str = "", limit: int = 50) -> EventPage:
        """Decisions, newest first."""
        limit = max(1, min(limit, MAX_PAGE))
        made = of_decision(where)
        if cursor:
            at, trace_id, place = cursor.split(":")
            made.values |= {"c_at": float(at), "c_id": trace_id, "c_place": int(place)}
            made.add("(at, id, place) < ({c_at:Float64}, {c_id:String}, {c_place:UInt32})")
        # First the places alone, then the wide columns of the few that are shown: joining arrays copies every column.
        made.add("notEmpty(d_rule)")
        sql = (
            f"SELECT at, id, place FROM {self._trace} FINAL {JOINED} {made.clause} "
            f"ORDER BY at DESC, id DESC, place DESC LIMIT {limit + 1}"
        )
        places = self._client.query(sql, made.values)
        found = Where()
        found.add("id IN ?", "Array(String)", list({place[1] for place in places[:limit]}))
        wide = {row[0]: row for row in self._rows(f"id, {COLUMNS}, record", found)} if places else {}
        items = tuple(_event(wide[name], int(place)) for _, name, place in places[:limit] if name in wide)
        last = places[limit - 1] if len(places) > limit else None
        return EventPage(items, ":".join((repr(last[0]), last[1], str(last[2]))) if last else "")

    def after(self, cursor: str = "", *, limit: int = 200) -> Fresh:
        """Live follow: what arrived after `cursor`."""
        if not cursor:
            ((newest,),) = self._client.query(f"SELECT max(arrived) FROM {self._trace}", {})
            return Fresh((), str(newest))
        made = Where()
        made.add("arrived > ?", "UInt64", int(cursor))
        rest = f"ORDER BY arrived LIMIT {max(1, min(limit, MAX_PAGE))}"
        rows = self._rows(f"arrived, id, {COLUMNS}", made, rest)
        items = tuple(summary(row[1], row[2:]) for row in rows)
        return Fresh(items, str(rows[-1][0]) if rows else cursor)

    def distinct(self, by: By, *, since: float = 0.0, limit: int = 100) -> tuple[str, ...]:
        """Names seen, most used first."""
        return tuple(item.name for item in self.top(by, Filter(since=since), limit=limit))

    def storage(self) -> Storage:
        """How much is kept (on this server)."""
        (row,) = self._rows("count(), min(at), max(at)", Where())
        ((size,),) = self._client.query(
            "SELECT sum(bytes_on_disk) FROM system.parts WHERE active AND database = {db:String}",
            {"db": self._database},
        )
        return Storage(int(row[0]), int(size), row[1] if row[0] else 0.0, row[2] if row[0] else 0.0, "clickhouse")

    def export(self, where: Filter = ALL) -> Iterator[bytes]:
        """The exact records, oldest first."""
        cursor = ""
        while True:
            made = of_trace(where)
            _after_cursor(made, cursor, ">")
            rows = self._rows("at, id, record", made, "ORDER BY at, id LIMIT 1000")
            yield from (row[2].encode() for row in rows)
            if len(rows) < 1000:
                return
            cursor = f"{rows[-1][0]!r}:{rows[-1][1]}"

    def links(self, writer: str = "") -> Iterator[tuple[Link, bytes | None, str]]:
        """For the audit, by writer and number."""
        chosen = "WHERE writer = {w:String}" if writer else ""
        names = self._client.query(
            f"SELECT DISTINCT writer FROM {self._link} {chosen} ORDER BY writer", {"w": writer} if writer else {}
        )
        for (name,) in names:
            yield from self._links_of(name)

    def _links_of(self, writer: str) -> Iterator[tuple[Link, bytes | None, str]]:
        last = -1
        sql = (
            f"SELECT number, kind, trace, digest, chain, body FROM {self._link} FINAL "
            "WHERE writer = {w:String} AND toInt64(number) > {n:Int64} ORDER BY number LIMIT 1000"
        )
        while rows := self._client.query(sql, {"w": writer, "n": last}):
            ids = [row[2] for row in rows if row[1] == "trace"]
            found = f"SELECT id, record FROM {self._trace} FINAL WHERE id IN {{ids:Array(String)}}"
            records = dict(self._client.query(found, {"ids": ids})) if ids else {}
            for number, kind, trace_id, digest, chain, body in rows:
                kept = records.get(trace_id) if kind == "trace" else body
                yield Link(writer, number, digest, chain), None if kept is None else kept.encode(), kind
            last = rows[-1][0]

    def erase(self, where: Filter) -> int:
        """Remove the traces from the disk; their links stay."""
        if where == ALL:
            raise ValueError("an erasure needs a filter")
        return self._delete(of_trace(where))

    def _delete(self, where: Where) -> int:
        count = int(self._rows("count()", where)[0][0])
        if count:
            table = f"{self._trace}_local ON CLUSTER {self._cluster}" if self._cluster else self._trace
            conditions = " AND ".join(where.sql) or "1"
            self._client.command(
                f"ALTER TABLE {table} DELETE WHERE {conditions} SETTINGS mutations_sync = 2", where.values
            )
        return count

    def sweep(self, retention: Retention, now: float) -> int:
        """Remove what is older or more than retention allows."""
        removed = 0
        named = dict(retention.days)
        default = named.pop("", 0.0)
        for sensitivity, days in named.items():
            if days > 0:
                removed += self._delete(of_trace(Filter(sensitivity=sensitivity, until=now - days * 86400)))
        if default > 0:
            made = of_trace(Filter(until=now - default * 86400))
            if named:
                made.add("NOT has(?, sensitivity)", "Array(String)", list(named))
            removed += self._delete(made)
        return removed + (self._sweep_size(retention.limit_bytes) if retention.limit_bytes > 0 else 0)

    def _sweep_size(self, limit: int) -> int:
        removed = 0
        while (kept := self.storage()).bytes > limit and kept.traces:
            share = min(0.5, max(0.02, 1 - limit / kept.bytes))
            rows = self._rows(f"quantileTDigest({share:.4f})(at)", Where())
            step = self._delete(of_trace(Filter(until=max(rows[0][0], kept.oldest + 1e-3))))
            removed += step
            if not step:
                break
        return removed

    def close(self) -> None:
        """Give back files and sockets."""
        self._client.close()


def _row(item: Entry, arrived: int) -> dict[str, Any]:
    trace = item.trace
    record = item.record or orjson.dumps(trace)
    row: dict[str, Any] = dict(zip(_NAMES, flat(trace), strict=True))
    row |= {"id": trace.id, "arrived": arrived, "record": record.decode()}
    for name in EXACT:
        row[f"d_{name}"] = [str(getattr(made, name)) for made in trace.decisions]
    row["d_severity"] = [int(made.severity) for made in trace.decisions]
    row["d_bypassed"] = [int(made.bypassed) for made in trace.decisions]
    return row


def _link_row(link: Link, kind: str, trace_id: str, body: str) -> dict[str, Any]:
    return {
        "writer": link.writer,
        "number": link.number,
        "kind": kind,
        "trace": trace_id,
        "digest": link.digest,
        "chain": link.chain,
        "body": body,
    }


def _after_cursor(where: Where, cursor: str, sign: str) -> None:
    if cursor:
        at, _, trace_id = cursor.partition(":")
        where.values |= {"cursor_at": float(at), "cursor_id": trace_id}
        where.add(f"(at, id) {sign} ({{cursor_at:Float64}}, {{cursor_id:String}})")


def _trace(record: str) -> Trace:
    return trace_from_dict(orjson.loads(record))


def _count(row: list[Any]) -> Count:
    name, traces, alerted, redacted, blocked, errors, _, prompt, completion, last = row
    return Count(name, traces, alerted, redacted, blocked, errors, prompt, completion, last)


def _session(row: list[Any]) -> Session:
    name, first, last, traces, flagged, verdict, user, agent, model, prompt, completion = row
    return Session(name, first, last, traces, flagged, Action(verdict), user, agent, model, prompt, completion)


def _bucket(row: list[Any] | None, at: float) -> Bucket:
    if row is None:
        return Bucket(at)
    traces, alerted, redacted, blocked, errors, _, prompt, completion = (int(value) for value in row)
    return Bucket(
        at, traces, traces - alerted - redacted - blocked, alerted, redacted, blocked, errors, prompt, completion
    )


def _event(row: list[Any], place: int) -> Event:
    index = place - 1
    return Event(f"{row[0]}:{index}", _trace(row[-1]).decisions[index], summary(row[0], row[1:-1]))
