"""Old policies against new ones over traffic that was kept: what would newly be blocked, redacted, or let pass.

Only what the two do not share is asked first, and nearly always it has nothing to say; a call is judged in full by both
where it has. Kept texts are masked, so what was found then is taken from the decisions, and `scan` finds what the kept
texts still show (a new word list, say). The limits: something no policy looked for then, and masked or not kept since,
is seen by neither; phrases that excuse a masked text cannot be applied. Both are counted.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field

from akto_proxy.model import Action, Direction, Finding, Segment, Trace
from akto_proxy.policy.clause import CHECK_FAILED
from akto_proxy.policy.compile import PolicySet
from akto_proxy.policy.difference import Differences
from akto_proxy.policy.judgement import Judgement
from akto_proxy.policy.outside import Ask, Question, concluded, question
from akto_proxy.policy.plan import Plan
from akto_proxy.policy.scope import Scope

AT_ONCE = 16
"""Calls whose checks outside are asked together: few enough for a checker to answer all in time."""
MAX_SAMPLES = 20  # trace ids kept of each transition
MAX_CALLERS = 10_000
MAX_COUNT = 10_000  # findings of one decision; `min_matches` cannot ask for more

Scanned = Sequence[tuple[Segment, Sequence[Finding]]]
Scan = Callable[[Trace, PolicySet, Plan], Scanned]
"""The segments of a trace's kept bodies with what the rules of a plan (one of that PolicySet) find in them."""

Transition = tuple[Action, Action]


@dataclass(slots=True)
class Report:
    """How verdicts move from the old policies (first) to the new (second).

    `moves` counts the calls whose verdict changes, `unasked` those that may hang on a check that was not asked.
    """

    total: int = 0
    masked: int = 0
    without_bodies: int = 0
    unasked: int = 0
    moves: Counter[Transition] = field(default_factory=Counter)
    samples: dict[Transition, list[str]] = field(default_factory=dict)
    callers: dict[Transition, Counter[str]] = field(default_factory=dict)
    policies: dict[Transition, Counter[str]] = field(default_factory=dict)

    @property
    def changed(self) -> dict[Transition, int]:
        """The transitions that change something, the most frequent first."""
        return dict(self.moves.most_common())

    def add(self, other: Report) -> None:
        """Take another report's calls in: one of later traces, so that samples stay the first ones."""
        self.total += other.total
        self.masked += other.masked
        self.without_bodies += other.without_bodies
        self.unasked += other.unasked
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
        return sum(count for (_, after), count in self.moves.items() if after is action)


def replay(traces: Iterable[Trace], old: PolicySet, new: PolicySet, scan: Scan, ask: Ask | None = None) -> Report:
    """The Report over `traces`. Without `ask` no check outside has a say, and the calls where one might are counted."""
    replaying = _Replay(old, new, scan, ask)
    for trace in traces:
        replaying.add(trace)
    replaying.conclude()
    return replaying.report


@dataclass(slots=True)
class _Judged:
    """A trace judged by one plan: its texts, and the judgement, by direction."""

    plan: Plan
    texts: list[list[Segment]]
    judgements: list[Judgement]

    def questions(self) -> list[tuple[int, Question]]:
        found = ((n, question(self.plan, self.texts[n], judged)) for n, judged in enumerate(self.judgements))
        return [(number, asked) for number, asked in found if asked is not None]


class _Replay:
    def __init__(self, old: PolicySet, new: PolicySet, scan: Scan, ask: Ask | None) -> None:
        self.report = Report()
        self._old, self._new = old, new
        self._scan, self._ask = scan, ask
        self._differences = Differences(old, new)
        self._waiting: list[tuple[Trace, _Judged, _Judged]] = []

    def add(self, trace: Trace) -> None:
        report = self.report
        report.total += 1
        report.masked += bool(trace.decisions)
        report.without_bodies += not (trace.request.body or trace.response.body)
        scope = scope_of(trace)
        before, after = self._old.plan(scope), self._new.plan(scope)
        parts = self._differences.parts(before, after)
        if not self._alike(trace, parts):
            both = self._judge(trace, self._old, before), self._judge(trace, self._new, after)
            self._waiting.append((trace, *both))
            if len(self._waiting) >= AT_ONCE:
                self.conclude()

    def _alike(self, trace: Trace, parts: tuple[Plan, Plan]) -> bool:
        """Whether what differs has nothing to say, so that the verdicts cannot differ."""
        may_ask = False
        for policies, part in zip((self._old, self._new), parts, strict=True):
            if not part.clauses:
                continue
            scanned = self._scan(trace, policies, part)
            judged = self._judge(trace, policies, part, scanned)
            if any(found for _, found in scanned) or any(item.decisions for item in judged.judgements):
                return False
            may_ask = may_ask or bool(judged.questions())
        self.report.unasked += may_ask and self._ask is None
        return not may_ask or self._ask is None

    def _judge(self, trace: Trace, policies: PolicySet, plan: Plan, scanned: Scanned | None = None) -> _Judged:
        scanned = self._scan(trace, policies, plan) if scanned is None else scanned
        old = policies is self._old
        segments, findings = _evidence(trace, scanned, lambda rule: old or _same(self._old, self._new, rule))
        judged = _Judged(plan, [], [])
        for direction in Direction:
            numbers = [number for number, segment in enumerate(segments) if segment.direction is direction]
            judged.texts.append([segments[n] for n in numbers])
            judged.judgements.append(plan.judge(judged.texts[-1], [findings[n] for n in numbers]))
        return judged

    def conclude(self) -> None:
        """Ask what waits to be asked, and count."""
        waiting, self._waiting = self._waiting, []
        asked = [(one, *item) for _, *both in waiting for one in both for item in one.questions()]
        if self._ask is None:
            self.report.unasked += sum(any(one.questions() for one in both) for _, *both in waiting)
        elif asked:
            answers = self._ask([item for _, _, item in asked])
            for (one, number, item), told in zip(asked, answers, strict=True):
                one.judgements[number] = concluded(one.plan, item, told, one.judgements[number])
        for trace, before, after in waiting:
            _count(self.report, trace, before.judgements, after.judgements)


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
    if move[0] is move[1]:
        return
    report.moves[move] += 1
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
