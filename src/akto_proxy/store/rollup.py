"""Counts kept beside the traces, so that a page about a month reads thousands of rows and not millions. Pure.

Each batch of traces is summed here first and then added to the tables in few statements. Removal adds the same with
the sign turned, so a rollup always equals what a scan of the traces would give.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field

from akto_proxy.model import Action, Trace
from akto_proxy.store.face import By
from akto_proxy.store.rows import is_error, latency_bucket

HOUR = 3600
DAY_HOURS = 24
BY_DAY = 8
"""Added to a latency's kind where the row is of a whole day (its `hour` is the day): a month is 30 days' rows."""
MINUTE = 60

TOTAL = 0
"""The grouping of everything, with the empty name."""

CODES: dict[By, int] = {
    By.USER: 1,
    By.KEY: 2,
    By.TEAM: 3,
    By.AGENT: 4,
    By.IP: 5,
    By.PROJECT: 6,
    By.ENDPOINT: 7,
    By.ROUTE: 8,
    By.ENGINE: 9,
    By.MODEL: 10,
    By.OUTCOME: 11,
    By.SENSITIVITY: 12,
    By.RULE: 13,
    By.CATEGORY: 14,
    By.ENTITY: 15,
    By.POLICY: 16,
    By.DIRECTION: 17,
    By.SEVERITY: 18,
}
"""Groupings kept by the hour. They are written to disk: append only. Sessions have a table of their own."""

COUNTERS = ("traces", "alerted", "redacted", "blocked", "errors", "bypassed", "prompt", "completion")
"""The counters of a group, in order."""


@dataclass(slots=True)
class SessionDelta:
    """What a batch adds to a session."""

    first: float
    last: float
    traces: int = 0
    flagged: int = 0
    verdict: int = 0
    user: str = ""
    agent: str = ""
    model: str = ""
    prompt: int = 0
    completion: int = 0


@dataclass(slots=True)
class Rollup:
    """The sums of a batch. Keys: (code, hour, name), (hour, kind, bucket), minute, session id."""

    groups: dict[tuple[int, int, str], list[float]] = field(default_factory=dict)
    latencies: dict[tuple[int, int, int], int] = field(default_factory=dict)
    minutes: dict[int, list[float]] = field(default_factory=dict)
    sessions: dict[str, SessionDelta] = field(default_factory=dict)

    def add(self, trace: Trace, sign: int = 1) -> None:
        """Count a trace in (or out, with sign -1)."""
        counters = [sign * value for value in _counters(trace)]
        changes = [(index, value) for index, value in enumerate(counters) if value]  # most stay as they are
        hour, at = int(trace.started // HOUR), trace.started
        self._group((TOTAL, hour, ""), counters, changes, at)
        for by, name in names(trace):
            self._group((CODES[by], hour, name), counters, changes, at)
        _sum(self.minutes.setdefault(int(trace.started // MINUTE), [0] * len(counters)), changes)
        timing = trace.timing
        for kind, value in enumerate(
            (timing.total, timing.guard, timing.first_byte, max(0, timing.total - timing.guard))
        ):
            bucket = latency_bucket(value)
            for key in ((hour, kind, bucket), (hour // DAY_HOURS, kind + BY_DAY, bucket)):
                self.latencies[key] = self.latencies.get(key, 0) + sign
        if trace.caller.session:
            self._session(trace, sign)

    def _group(self, key: tuple[int, int, str], counters: list[int], changes: list[tuple[int, int]], at: float) -> None:
        row = self.groups.get(key)
        if row is None:
            self.groups[key] = [*counters, at]
            return
        _sum(row, changes)
        row[-1] = max(row[-1], at)

    def _session(self, trace: Trace, sign: int) -> None:
        at, caller = trace.started, trace.caller
        session = self.sessions.setdefault(caller.session, SessionDelta(at, at))
        session.first, session.last = min(session.first, at), max(session.last, at)
        session.traces += sign
        session.flagged += sign * (trace.verdict > Action.ALLOW)
        session.verdict = max(session.verdict, int(trace.verdict))
        session.user, session.agent = caller.user or session.user, caller.agent or session.agent
        session.model = trace.model or session.model
        session.prompt += sign * trace.usage.prompt
        session.completion += sign * trace.usage.completion


def names(trace: Trace) -> Iterable[tuple[By, str]]:
    """Every grouping and name a trace counts under, each once; empty names are left out."""
    caller = trace.caller
    pairs = [
        (By.USER, caller.user),
        (By.KEY, caller.key),
        (By.TEAM, caller.team),
        (By.AGENT, caller.agent),
        (By.IP, caller.ip),
        (By.PROJECT, trace.project),
        (By.ENDPOINT, trace.endpoint),
        (By.ROUTE, trace.route),
        (By.ENGINE, trace.engine),
        (By.MODEL, trace.model),
        (By.OUTCOME, trace.outcome),
        (By.SENSITIVITY, trace.sensitivity),
    ]
    for item in trace.decisions:
        pairs += (
            (By.RULE, item.rule),
            (By.CATEGORY, item.category),
            (By.ENTITY, item.entity),
            (By.POLICY, item.policy),
            (By.DIRECTION, item.direction.value),
            (By.SEVERITY, item.severity.label),
        )
    return dict.fromkeys(pair for pair in pairs if pair[1])


def _counters(trace: Trace) -> tuple[int, ...]:
    verdict = trace.verdict
    return (
        1,
        verdict is Action.ALERT,
        verdict is Action.REDACT,
        verdict is Action.BLOCK,
        is_error(trace.outcome),
        any(item.bypassed for item in trace.decisions),
        trace.usage.prompt,
        trace.usage.completion,
    )


def _sum(row: list[float], changes: list[tuple[int, int]]) -> None:
    for index, value in changes:
        row[index] += value
