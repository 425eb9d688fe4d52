"""Old policies against new ones over traffic that was kept: what would newly be blocked, redacted, or let pass.

Kept texts are masked, so what was found then is taken from the decisions, and `scan` finds what the kept texts still
show (a new word list, say). The limits: something no policy looked for then, and
masked or not kept since, is seen by neither; phrases that excuse a masked text cannot be applied. Both are counted.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field

from akto_proxy.model import Action, Direction, Finding, Segment, Trace
from akto_proxy.policy.clause import CHECK_FAILED
from akto_proxy.policy.compile import PolicySet
from akto_proxy.policy.judgement import Judgement
from akto_proxy.policy.scope import Scope

MAX_SAMPLES = 20  # trace ids kept of each transition
MAX_CALLERS = 10_000
MAX_COUNT = 10_000  # findings of one decision; `min_matches` cannot ask for more

Scanned = Sequence[tuple[Segment, Sequence[Finding]]]
Scan = Callable[[Trace, PolicySet], Scanned]
"""The segments of a trace's kept bodies with what the rules of a PolicySet find in them."""

Transition = tuple[Action, Action]


@dataclass(slots=True)
class Report:
    """How verdicts move from the old policies (first) to the new (second)."""

    total: int = 0
    masked: int = 0
    without_bodies: int = 0
    moves: Counter[Transition] = field(default_factory=Counter)
    samples: dict[Transition, list[str]] = field(default_factory=dict)
    callers: dict[Transition, Counter[str]] = field(default_factory=dict)
    policies: dict[Transition, Counter[str]] = field(default_factory=dict)

    @property
    def changed(self) -> dict[Transition, int]:
        """The transitions that change something, the most frequent first."""
        return {move: count for move, count in self.moves.most_common() if move[0] is not move[1]}

    def add(self, other: Report) -> None:
        """Take another report's calls in: one of later traces, so that samples stay the first ones."""
        self.total += other.total
        self.masked += other.masked
        self.without_bodies += other.without_bodies
        self.moves.update(other.moves)
        for move, ids in other.samples.items():
            known = self.samples.setdefault(move, [])
            known += ids[: MAX_SAMPLES - len(known)]
        for move, names in other.policies.items():
            self.policies.setdefault(move, Counter()).update(names)
        for move, callers in other.callers.items():
            mine = self.callers.setdefault(move, Counter())
            for caller, count in callers.items():
                mine[caller if caller in mine or len(mine) < MAX_CALLERS else "(others)"] += count

    def newly(self, action: Action) -> int:
        """How many calls get this action that did not before."""
        return sum(count for (before, after), count in self.moves.items() if after is action and before is not action)


def replay(traces: Iterable[Trace], old: PolicySet, new: PolicySet, scan: Scan) -> Report:
    """The Report over `traces`."""
    report = Report()
    for trace in traces:
        report.total += 1
        report.masked += bool(trace.decisions)
        report.without_bodies += not (trace.request.body or trace.response.body)
        before = judge(old, trace, *_evidence(trace, scan(trace, old), lambda rule: True))
        after = judge(new, trace, *_evidence(trace, scan(trace, new), lambda rule: _same(old, new, rule)))
        _count(report, trace, before, after)
    return report


def judge(
    policies: PolicySet, trace: Trace, segments: Sequence[Segment], findings: Sequence[Sequence[Finding]]
) -> list[Judgement]:
    """Both directions of a trace under one PolicySet."""
    plan = policies.plan(scope_of(trace))
    judged = []
    for direction in Direction:
        numbers = [number for number, segment in enumerate(segments) if segment.direction is direction]
        judged.append(plan.judge([segments[n] for n in numbers], [findings[n] for n in numbers]))
    return judged


def scope_of(trace: Trace) -> Scope:
    """The Scope a trace's call had."""
    return Scope(
        trace.endpoint,
        trace.sensitivity,
        trace.method,
        trace.path,
        trace.route,
        trace.model,
        trace.caller,
        trace.tags,
    )


def _evidence(
    trace: Trace, scanned: Scanned, same: Callable[[str], bool]
) -> tuple[list[Segment], list[Sequence[Finding]]]:
    segments = [segment for segment, _ in scanned]
    findings = [list(found) for _, found in scanned]
    seen = {(finding.rule, segment.direction) for segment, found in scanned for finding in found}
    # Several policies may have decided on one finding: the largest count of a rule at a place is what was there.
    kept: dict[tuple[str, str, Direction], tuple[Segment, list[Finding]]] = {}
    for item in trace.decisions:
        if item.entity in (CHECK_FAILED, "UNREADABLE") or item.category in ("limit", "tool", "external"):
            continue
        if (item.rule, item.direction) in seen or not same(item.rule):
            continue
        key = (item.rule, item.place, item.direction)
        if key not in kept or item.count > len(kept[key][1]):
            found = Finding(0, 1, item.rule, item.entity, item.category, item.score)
            kept[key] = (Segment("", item.place, item.role, item.direction), [found] * min(item.count, MAX_COUNT))
    for segment, found_then in kept.values():
        segments.append(segment)
        findings.append(found_then)
    return segments, list(findings)


def _same(old: PolicySet, new: PolicySet, rule: str) -> bool:
    """Whether a rule id means the same in both: a policy's own rules are numbered, and numbers move."""
    if not rule.startswith("custom:"):
        return True
    before, after = (policies.custom.get(rule) for policies in (old, new))
    return before is None or after is None or before.pattern == after.pattern


def _count(report: Report, trace: Trace, before: Sequence[Judgement], after: Sequence[Judgement]) -> None:
    move = (max(item.action for item in before), max(item.action for item in after))
    report.moves[move] += 1
    if move[0] is move[1]:
        return
    samples = report.samples.setdefault(move, [])
    if len(samples) < MAX_SAMPLES:
        samples.append(trace.id)
    callers = report.callers.setdefault(move, Counter())
    caller = trace.caller.user or trace.caller.key or trace.caller.agent or trace.caller.ip or "(unknown)"
    callers[caller if caller in callers or len(callers) < MAX_CALLERS else "(others)"] += 1
    stronger = after if move[1] > move[0] else before
    action = max(move)
    names = {item.policy for judged in stronger for item in judged.decisions if item.action is action}
    report.policies.setdefault(move, Counter()).update(names)
