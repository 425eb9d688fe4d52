"""What the data plane and the shipper count: plain integers, so that counting costs nothing worth measuring.

Labels are bounded twice: their words come from this program, never from a caller, and each table stops growing at
`MAX_LABELS` words (the rest is counted as `other`).
"""

from __future__ import annotations

from dataclasses import dataclass, field, fields

MAX_LABELS = 64


@dataclass(slots=True)
class Counters:
    """Everything since the worker started, but `connections`, `active`, `streams` and `pooled`: those are now."""

    connections: int = 0
    connections_total: int = 0
    active: int = 0
    streams: int = 0
    requests: int = 0
    answers: int = 0
    bytes_in: int = 0
    bytes_out: int = 0
    client_gone: int = 0
    retries: int = 0
    dials: int = 0
    reused: int = 0
    pooled: int = 0
    comments: int = 0
    cut: int = 0
    faults: int = 0
    """Exceptions out of the handler or an exchange: bugs. Each one closed its exchange."""
    trace_faults: int = 0
    """Exceptions out of `on_trace`: a trace that may be lost."""
    refusals: dict[str, int] = field(default_factory=dict)
    upstream_errors: dict[str, int] = field(default_factory=dict)
    statuses: dict[int, int] = field(default_factory=dict)
    """By status code: at most the 500 that upstream may send."""

    def as_dict(self) -> dict[str, int | dict[str, int] | dict[int, int]]:
        """A copy as plain data, for a metrics page."""
        out: dict[str, int | dict[str, int] | dict[int, int]] = {}
        for item in fields(self):
            value = getattr(self, item.name)
            out[item.name] = dict(value) if isinstance(value, dict) else value
        return out


@dataclass(slots=True)
class ExternalCounters:
    """What external checks did."""

    asked: int = 0
    cached: int = 0
    failed: int = 0
    rested: int = 0


@dataclass(slots=True)
class ShipperStats:
    """For metrics, health and the dashboard. `state` is `ok` or what the last failure was.

    `lag` counts the bytes that the server does not have, `lag_seconds` is the age of the oldest trace among them,
    `used` counts the bytes of the whole spool; all three are as of the last `measure`.
    """

    state: str = "starting"
    message: str = ""
    delivered: int = 0
    batches: int = 0
    retries: int = 0
    refused: int = 0
    damaged: int = 0
    lag: int = 0
    lag_seconds: float = 0.0
    used: int = 0


@dataclass(slots=True)
class OtlpStats:
    """What the OpenTelemetry collector did not take.

    `failures` counts pushes of metrics; the next one holds the same numbers, so nothing is lost but their resolution.
    `spans` and `points` count what the collector took and then said it dropped (OTLP's partial success).
    """

    failures: int = 0
    spans: int = 0
    points: int = 0


def count(table: dict[str, int], word: str) -> None:
    """Add one to `word`, or to `other` once the table is full."""
    if word not in table and len(table) >= MAX_LABELS:
        word = "other"
    table[word] = table.get(word, 0) + 1
