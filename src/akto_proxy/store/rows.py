"""A trace as a flat row and back to a Summary; latency buckets; what is an error. Pure, shared by all engines."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from math import log
from typing import Any

from akto_proxy.model import Action, Severity, Trace
from akto_proxy.store.face import Quantiles, Summary

COLUMNS = (
    "at, endpoint, method, path, route, engine, status, outcome, verdict, severity, model, project, user, key, team, "
    "agent, ip, session, sensitivity, streamed, bypassed, prompt, completion, total_us, guard_us, first_us, rules"
)
"""Names of the flat columns, in the order of `flat`; `id` is the engine's own."""

_STEP = log(1.05)
"""Latency histograms have buckets of 5 %, so a quantile is within 2.5 % of the true one."""


def flat(trace: Trace) -> tuple[Any, ...]:
    """The values of COLUMNS."""
    caller, usage, timing, decisions = trace.caller, trace.usage, trace.timing, trace.decisions
    return (
        float(trace.started),
        trace.endpoint,
        trace.method,
        trace.path,
        trace.route,
        trace.engine,
        trace.status,
        trace.outcome,
        int(trace.verdict),
        max((int(item.severity) for item in decisions), default=0),
        trace.model,
        trace.project,
        caller.user,
        caller.key,
        caller.team,
        caller.agent,
        caller.ip,
        caller.session,
        trace.sensitivity,
        int(trace.streamed),
        int(any(item.bypassed for item in decisions)),
        usage.prompt,
        usage.completion,
        timing.total,
        timing.guard,
        timing.first_byte,
        "\n".join(dict.fromkeys(item.rule for item in decisions)),
    )


def summary(trace_id: str, row: Sequence[Any]) -> Summary:
    """The Summary of a row of COLUMNS."""
    return Summary(
        id=trace_id,
        started=row[0],
        endpoint=row[1],
        method=row[2],
        path=row[3],
        route=row[4],
        engine=row[5],
        status=row[6],
        outcome=row[7],
        verdict=Action(row[8]),
        severity=Severity(row[9]) if row[9] else None,
        model=row[10],
        project=row[11],
        user=row[12],
        key=row[13],
        team=row[14],
        agent=row[15],
        ip=row[16],
        session=row[17],
        sensitivity=row[18],
        streamed=bool(row[19]),
        bypassed=bool(row[20]),
        prompt_tokens=row[21],
        completion_tokens=row[22],
        total_us=row[23],
        guard_us=row[24],
        first_byte_us=row[25],
        rules=tuple(row[26].split("\n")) if row[26] else (),
    )


def is_error(outcome: str) -> bool:
    """Whether the model server, not the guard or the caller, is why the exchange failed."""
    return outcome.startswith("upstream_")


def latency_bucket(microseconds: int) -> int:
    """The histogram bucket of a latency."""
    return int(log(microseconds) / _STEP) + 1 if microseconds > 0 else 0


def quantiles(histogram: Iterable[tuple[int, int]]) -> Quantiles:
    """p50, p95 and p99 of (bucket, count) pairs; the middle of the bucket each falls in."""
    merged: dict[int, int] = {}
    for bucket, count in histogram:
        merged[bucket] = merged.get(bucket, 0) + count
    ordered = sorted((bucket, count) for bucket, count in merged.items() if count > 0)
    total = sum(count for _, count in ordered)
    return Quantiles(*(_quantile(ordered, share * total) for share in (0.50, 0.95, 0.99)))


def _quantile(ordered: Sequence[tuple[int, int]], rank: float) -> int:
    seen = 0
    for bucket, count in ordered:
        seen += count
        if seen >= rank:
            return round(1.05 ** (bucket - 0.5)) if bucket else 0
    return 0


def searchable(trace: Trace) -> str:
    """The text of a trace that a search looks through: its bodies, where they are kept as text."""
    return "\n".join(message.body for message in (trace.request, trace.response) if message.encoding == "text")


def words(text: str) -> tuple[str, ...]:
    """The words of a search, at most 16, without what is no letter or digit at their ends."""
    found = (word.strip("\"'()[]{}.,;:!?*^") for word in text.lower().split())
    return tuple(word for word in found if word)[:16]
