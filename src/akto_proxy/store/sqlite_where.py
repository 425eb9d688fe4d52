"""A Filter as SQL for SQLite: conditions on `t` (trace) or `d` (decision), with bound parameters only. Pure."""

# ruff: noqa: S608 - what is put into SQL text are column names of our own; every value is bound
from __future__ import annotations

from typing import Any

from akto_proxy.model import Severity
from akto_proxy.store.face import EXACT, OF_DECISION, By, Filter
from akto_proxy.store.rows import words

Condition = tuple[list[str], list[Any]]
"""SQL conditions to be joined by AND, and their parameters."""

_COLUMNS = (
    "user", "key", "team", "agent", "ip", "session", "project", "endpoint", "route", "engine", "model", "outcome",
    "sensitivity",
)  # fmt: skip
_LEVELS = " ".join(f"WHEN {level.value} THEN '{level.label}'" for level in Severity)


def of_trace(where: Filter, *, alias: str = "t") -> Condition:
    """What a trace must be, but for the text."""
    sql, values = _time(where, alias)
    if where.verdicts:
        sql.append(f"{alias}.verdict IN ({', '.join('?' * len(where.verdicts))})")
        values += [int(verdict) for verdict in where.verdicts]
        if 0 not in where.verdicts:
            sql.append(f"{alias}.verdict > 0")  # lets the partial index serve
    if where.severity is not None:
        sql.append(f"{alias}.severity >= ?")
        values.append(int(where.severity))
    _same(where, alias, sql, values)
    wanted, names = _decision(where, "x")
    if wanted:
        sql.append(f"{alias}.seq IN (SELECT x.seq FROM decision x WHERE {' AND '.join(wanted)})")
        values += names
    return sql, values


def of_decision(where: Filter) -> Condition:
    """What a decision `d` (and its trace `t`) must be: the decision fields and the severity hold for the decision."""
    sql, values = _time(where, "d")
    if where.verdicts:
        sql.append(f"t.verdict IN ({', '.join('?' * len(where.verdicts))})")
        values += [int(verdict) for verdict in where.verdicts]
    if where.severity is not None:
        sql.append("d.severity >= ?")
        values.append(int(where.severity))
    if where.bypassed is not None:
        sql.append("d.bypassed = ?")
        values.append(int(where.bypassed))
    for name in _COLUMNS:
        if getattr(where, name):
            sql.append(f"t.{name} = ?")
            values.append(getattr(where, name))
    if where.status:
        sql.append("t.status = ?")
        values.append(where.status)
    wanted, names = _decision_fields(where, "d")
    return sql + wanted, values + names


def _same(where: Filter, alias: str, sql: list[str], values: list[Any]) -> None:
    for name in _COLUMNS:
        if getattr(where, name):
            sql.append(f"{alias}.{name} = ?")
            values.append(getattr(where, name))
    if where.status:
        sql.append(f"{alias}.status = ?")
        values.append(where.status)
    if where.bypassed is not None:
        sql.append(f"{alias}.bypassed = ?")
        values.append(int(where.bypassed))


def _time(where: Filter, alias: str) -> Condition:
    sql: list[str] = []
    values: list[Any] = []
    if where.since:
        sql.append(f"{alias}.at >= ?")
        values.append(where.since)
    if where.until:
        sql.append(f"{alias}.at < ?")
        values.append(where.until)
    return sql, values


def _decision_fields(where: Filter, alias: str) -> Condition:
    asked = [name for name in EXACT if getattr(where, name)]
    return [f"{alias}.{name} = ?" for name in asked], [getattr(where, name) for name in asked]


def _decision(where: Filter, alias: str) -> Condition:
    sql, values = _decision_fields(where, alias)
    if not sql:
        return [], []
    time, bounds = _time(where, alias)
    return sql + time, values + bounds


def match(text: str) -> str:
    """An FTS5 query for every word of `text`, each quoted, so that no operator can be smuggled in."""
    return " ".join(f'"{word.replace(chr(34), "")}"' for word in words(text))


def clause(conditions: list[str]) -> str:
    """`WHERE ...`, or nothing."""
    return f"WHERE {' AND '.join(conditions)}" if conditions else ""


def column(by: By) -> str:
    """The name of a grouping, of `d` or `t`; By is a closed set, so this can never carry foreign SQL."""
    if by is By.SEVERITY:
        return f"CASE d.severity {_LEVELS} END"
    return f"{'d' if by in OF_DECISION else 't'}.{by.value}"
