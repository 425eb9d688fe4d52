"""ClickHouse tables and conditions. Pure.

ReplacingMergeTree keyed by trace id, read with FINAL: a trace that came twice counts once, whenever the merge happens.
Ids are time-ordered, so the key is the time order too. `non_replicated_deduplication_window` is left out on purpose:
with it acknowledged blocks were lost in a trial of kills; without it none were.

The definitions for a cluster (replicated and sharded by id) could be parsed, but not run, where this was written.
"""

from __future__ import annotations

import re
from typing import Any

from akto_proxy.errors import ConfigError
from akto_proxy.store.face import EXACT, Filter
from akto_proxy.store.rows import words

_NAME = re.compile(r"[A-Za-z_][A-Za-z0-9_]{0,63}")
_LOW = "LowCardinality(String)"
_NO_DIRECTION = "arrayMap(x -> '', d_rule)"
"""Of rows written before directions had a column: joined arrays must be of one length."""
_ADDED = f"ADD COLUMN IF NOT EXISTS d_direction Array({_LOW}) DEFAULT {_NO_DIRECTION} AFTER d_bypassed"
_TRACE = f"""
    id String, arrived UInt64, at Float64, endpoint {_LOW}, method {_LOW}, path {_LOW}, route {_LOW}, engine {_LOW},
    status UInt16, outcome {_LOW}, verdict UInt8, severity UInt8, model {_LOW}, project {_LOW}, user String, key String,
    team {_LOW}, agent {_LOW}, ip String, session String, sensitivity {_LOW}, streamed UInt8, bypassed UInt8,
    prompt UInt64, completion UInt64, total_us UInt64, guard_us UInt64, first_us UInt64, rules String,
    d_rule Array({_LOW}), d_category Array({_LOW}), d_entity Array({_LOW}), d_policy Array({_LOW}),
    d_severity Array(UInt8), d_bypassed Array(UInt8), d_direction Array({_LOW}) DEFAULT {_NO_DIRECTION},
    record String CODEC(ZSTD(3)),
    INDEX time at TYPE minmax GRANULARITY 1, INDEX arrival arrived TYPE minmax GRANULARITY 1,
    INDEX who user TYPE bloom_filter GRANULARITY 4, INDEX talk session TYPE bloom_filter GRANULARITY 4"""
_LINK = (
    f"writer {_LOW}, number UInt64, kind {_LOW}, trace String, digest FixedString(64), chain FixedString(64), "
    "body String"
)
_TABLES = (
    ("trace", _TRACE, "PARTITION BY toYYYYMM(toDateTime(at)) ORDER BY id", "cityHash64(id)"),
    ("link", _LINK, "ORDER BY (writer, number)", "cityHash64(writer)"),
)


def name(text: str, what: str) -> str:
    """A database's or cluster's name, safe to stand in SQL.

    Raises:
        ConfigError: it is no plain name.
    """
    if not _NAME.fullmatch(text):
        raise ConfigError(f"STORE_URL: {what} must be a plain name (letters, digits, underscore)")
    return text


def definitions(database: str, cluster: str = "") -> list[str]:
    """The statements that make the tables; with a cluster, replicated and sharded."""
    if not cluster:
        made = [f"CREATE DATABASE IF NOT EXISTS {database}"]
        made += [
            f"CREATE TABLE IF NOT EXISTS {database}.{table} ({columns}) ENGINE = ReplacingMergeTree {order}"
            for table, columns, order, _ in _TABLES
        ]
        return [*made, f"ALTER TABLE {database}.trace {_ADDED}"]
    made = [f"CREATE DATABASE IF NOT EXISTS {database} ON CLUSTER {cluster}"]
    for table, columns, order, shard in _TABLES:
        path = f"'/clickhouse/tables/{{shard}}/{database}/{table}', '{{replica}}'"
        made.append(
            f"CREATE TABLE IF NOT EXISTS {database}.{table}_local ON CLUSTER {cluster} ({columns}) "
            f"ENGINE = ReplicatedReplacingMergeTree({path}) {order}"
        )
        made.append(
            f"CREATE TABLE IF NOT EXISTS {database}.{table} ON CLUSTER {cluster} AS {database}.{table}_local "
            f"ENGINE = Distributed({cluster}, {database}, {table}_local, {shard})"
        )
    for table in ("trace_local", "trace"):
        made.append(f"ALTER TABLE {database}.{table} ON CLUSTER {cluster} {_ADDED}")
    return made


class Where:
    """Conditions with bound values."""

    def __init__(self) -> None:
        self.sql: list[str] = []
        self.values: dict[str, Any] = {}

    def add(self, condition: str, kind: str = "", value: Any = None) -> None:
        """A condition; its `?` is the value, of this ClickHouse type."""
        if kind:
            bound = f"v{len(self.values)}"
            self.values[bound] = value
            condition = condition.replace("?", f"{{{bound}:{kind}}}")
        self.sql.append(condition)

    @property
    def clause(self) -> str:
        """`WHERE ...`, or nothing."""
        return f"WHERE {' AND '.join(self.sql)}" if self.sql else ""


_COLUMNS = (
    "user", "key", "team", "agent", "ip", "session", "project", "endpoint", "route", "engine", "model", "outcome",
    "sensitivity",
)  # fmt: skip
_BODIES = (
    "lower(concat(if(JSONExtractString(record, 'request', 'encoding') = 'text', "
    "JSONExtractString(record, 'request', 'body'), ''), '\\n', "
    "if(JSONExtractString(record, 'response', 'encoding') = 'text', "
    "JSONExtractString(record, 'response', 'body'), '')))"
)


def of_trace(where: Filter) -> Where:
    """What a trace must be."""
    made = _common(where)
    if where.severity is not None:
        made.add("severity >= ?", "UInt8", int(where.severity))
    if where.bypassed is not None:
        made.add("bypassed = ?", "UInt8", int(where.bypassed))
    asked = [name for name in EXACT if getattr(where, name)]
    if asked:
        made.add("1")  # keeps numbering simple; the decisions' conditions share one lambda
        parts = []
        for column in asked:
            bound = f"v{len(made.values)}"
            made.values[bound] = getattr(where, column)
            parts.append(f"x_{column} = {{{bound}:String}}")
        names = ", ".join(f"x_{column}" for column in asked)
        arrays = ", ".join(f"d_{column}" for column in asked)
        made.sql[-1] = f"arrayExists(({names}) -> {' AND '.join(parts)}, {arrays})"
    return made


def of_decision(where: Filter) -> Where:
    """What a decision must be, in rows as JOINED makes them."""
    made = _common(where)
    if where.severity is not None:
        made.add("sev >= ?", "UInt8", int(where.severity))
    if where.bypassed is not None:
        made.add("bypass = ?", "UInt8", int(where.bypassed))
    for column in EXACT:
        if getattr(where, column):
            made.add(f"x_{column} = ?", "String", getattr(where, column))
    return made


JOINED = (
    "ARRAY JOIN d_rule AS x_rule, d_category AS x_category, d_entity AS x_entity, d_policy AS x_policy, "
    "d_direction AS x_direction, d_severity AS sev, d_bypassed AS bypass, arrayEnumerate(d_rule) AS place"
)


LEVEL = "['', 'low', 'medium', 'high', 'critical'][sev + 1]"
"""The label of a joined decision's severity."""


def _common(where: Filter) -> Where:
    made = Where()
    if where.since:
        made.add("at >= ?", "Float64", where.since)
    if where.until:
        made.add("at < ?", "Float64", where.until)
    if where.verdicts:
        made.add("verdict IN ?", "Array(UInt8)", [int(verdict) for verdict in where.verdicts])
    if where.status:
        made.add("status = ?", "UInt16", where.status)
    for column in _COLUMNS:
        if getattr(where, column):
            made.add(f"{column} = ?", "String", getattr(where, column))
    for word in words(where.text):
        made.add(f"position({_BODIES}, ?) > 0", "String", word)
    return made
