"""What the data plane counts: plain integers, so that counting costs nothing worth measuring.

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


def count(table: dict[str, int], word: str) -> None:
    """Add one to `word`, or to `other` once the table is full."""
    if word not in table and len(table) >= MAX_LABELS:
        word = "other"
    table[word] = table.get(word, 0) + 1
