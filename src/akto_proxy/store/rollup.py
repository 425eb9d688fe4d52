"""Counts kept beside the traces, so that a page about a month reads thousands of rows and not millions. Pure.

Each batch of traces is summed here first and then added to the tables in few statements. Removal adds the same with
the sign turned, so a rollup always equals what a scan of the traces would give.
"""

from __future__ import annotations

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

_USER, _KEY, _TEAM, _AGENT, _IP = (CODES[by] for by in (By.USER, By.KEY, By.TEAM, By.AGENT, By.IP))
_PROJECT, _ENDPOINT, _ROUTE = (CODES[by] for by in (By.PROJECT, By.ENDPOINT, By.ROUTE))
_ENGINE, _MODEL, _OUTCOME = (CODES[by] for by in (By.ENGINE, By.MODEL, By.OUTCOME))
_SENSITIVITY, _RULE, _CATEGORY = (CODES[by] for by in (By.SENSITIVITY, By.RULE, By.CATEGORY))
_ENTITY, _POLICY = (CODES[by] for by in (By.ENTITY, By.POLICY))
_DIRECTION, _SEVERITY = (CODES[by] for by in (By.DIRECTION, By.SEVERITY))

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
        at = trace.started
        hour = int(at // HOUR)
        groups = self.groups
        for code, name in _names(trace):
            key = (code, hour, name)
            row = groups.get(key)
            if row is None:
                groups[key] = [*counters, at]
                continue
            for index, value in changes:
                row[index] += value
            if at > row[-1]:
                row[-1] = at
        minute = self.minutes.setdefault(int(at // MINUTE), [0] * len(counters))
        for index, value in changes:
            minute[index] += value
        timing, latencies, day = trace.timing, self.latencies, hour // DAY_HOURS
        for kind, value in enumerate(
            (timing.total, timing.guard, timing.first_byte, max(0, timing.total - timing.guard))
        ):
            bucket = latency_bucket(value)
            by_hour, by_day = (hour, kind, bucket), (day, kind + BY_DAY, bucket)
            latencies[by_hour] = latencies.get(by_hour, 0) + sign
            latencies[by_day] = latencies.get(by_day, 0) + sign
        if trace.caller.session:
            self._session(trace, sign)

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


def _names(trace: Trace) -> list[tuple[int, str]]:
    """The code of every grouping and the name a trace counts under there, each pair once; empty names are left out.

    Numbers and not `By`: hashing a member of an enum is a call of its own, and this is done for each trace.
    """
    caller, decisions = trace.caller, trace.decisions
    pairs = [
        pair
        for pair in (
            (_USER, caller.user),
            (_KEY, caller.key),
            (_TEAM, caller.team),
            (_AGENT, caller.agent),
            (_IP, caller.ip),
            (_PROJECT, trace.project),
            (_ENDPOINT, trace.endpoint),
            (_ROUTE, trace.route),
            (_ENGINE, trace.engine),
            (_MODEL, trace.model),
            (_OUTCOME, trace.outcome),
            (_SENSITIVITY, trace.sensitivity),
        )
        if pair[1]
    ]
    pairs.append((TOTAL, ""))
    if not decisions:
        return pairs
    found: dict[tuple[int, str], None] = {}
    for item in decisions:
        found |= {
            (_RULE, item.rule): None,
            (_CATEGORY, item.category): None,
            (_ENTITY, item.entity): None,
            (_POLICY, item.policy): None,
            (_DIRECTION, item.direction.value): None,
            (_SEVERITY, item.severity.label): None,
        }
    return pairs + [pair for pair in found if pair[1]]


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
