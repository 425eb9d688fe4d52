"""A plan is what the policies in scope make of findings: which rules to run, and what is done about what they find.

1. Nothing found and no check of the body itself: the shared CLEAN judgement, in well under a microsecond.
2. Each finding goes to the clauses that take it (looked up once for each rule id), then by direction, role, score and
   the policy's own allowed phrases.
3. Each clause counts, decides and asks for edits. The strongest action wins; every decision is kept.

No clause sees what another made of a finding, so adding a policy can only add decisions and edits.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace

from akto_proxy.model import Action, Decision, Direction, Finding, Mode, Role, Segment
from akto_proxy.policy.catalogue import ENGINE, Known, detector_of
from akto_proxy.policy.checks import Hit, Tally, limit_hits, link_taken, tool_hits
from akto_proxy.policy.clause import CHECK_FAILED, Clause, ExternalCheck, external_id
from akto_proxy.policy.judgement import CLEAN, Edit, Judgement, merge
from akto_proxy.policy.rules import ExternalRule, LimitRule, LinksRule, ToolsRule
from akto_proxy.policy.schema import Policy

MAX_DECISIONS = 256  # of one judgement; what comes after is counted into one decision for each rule, place `*`
MAX_MEMO = 4_096


class Plan:
    """The policies that apply to one call. Shared by calls: what belongs to one body is in its Tally."""

    def __init__(
        self, clauses: Sequence[Clause], known: Mapping[str, Known], ids: Mapping[int, frozenset[str]]
    ) -> None:
        self.clauses = tuple(clauses)
        self.policies: tuple[Policy, ...] = tuple({item.policy.name: item.policy for item in clauses}.values())
        self.enabled_request = _union(ids, clauses, Direction.REQUEST)
        self.enabled_response = _union(ids, clauses, Direction.RESPONSE)
        self.externals_request = _externals(clauses, Direction.REQUEST)
        self.externals_response = _externals(clauses, Direction.RESPONSE)
        answers = [known[name] for name in self.enabled_response if name in known]
        self.windowed = any(detector_of(item) != ENGINE for item in answers)
        """Whether answers are read by detectors that look at more than a rule's reach."""
        self.needs_system = any(item.category == "leak" and detector_of(item) != ENGINE for item in answers)
        """Whether answers are compared with the system prompt."""
        self._known = known
        self._ids = ids
        self._named = frozenset().union(*ids.values()) if ids else frozenset()
        self._memo: dict[tuple[str, str, str], tuple[Clause, ...]] = {}
        self._checks = tuple(item for item in clauses if isinstance(item.rule, LimitRule | ToolsRule))
        self._sizes = tuple(item for item in clauses if isinstance(item.rule, LimitRule))
        self._calls = tuple(item for item in clauses if isinstance(item.rule, ToolsRule))
        self.whole_calls = any(Direction.RESPONSE in item.directions for item in self._calls)
        """Whether a streamed tool call must be judged whole (by `calls`), name and arguments, before it goes on."""
        self.reads_arguments = any(
            isinstance(item.rule, ToolsRule) and item.rule.tools.arguments for item in self._calls
        )
        """Whether arguments that are JSON objects (`wire.body.Body.calls`) must be shown to `judge` and `calls`."""
        self.counts_text = any(Direction.RESPONSE in item.directions for item in self._sizes)
        """Whether every piece of a stream must be judged, though nothing was found in it."""
        self.checks_bodies = bool(self._checks)
        """Whether `judge` has something to say about a body in which nothing was found."""

    def enabled(self, direction: Direction) -> frozenset[str]:
        """The rule ids to run for a direction."""
        return self.enabled_request if direction is Direction.REQUEST else self.enabled_response

    def judge(
        self,
        segments: Sequence[Segment],
        findings: Sequence[Sequence[Finding]],
        tally: Tally | None = None,
        arguments: Sequence[Segment] = (),
    ) -> Judgement:
        """The judgement of one body: `findings[i]` are those of `segments[i]`.

        `arguments` are those of tool calls that are JSON objects; their strings are among the segments already.
        """
        return self._judge(segments, findings, Tally() if tally is None else tally, self._checks, arguments)

    def calls(self, segments: Sequence[Segment], tally: Tally) -> Judgement:
        """The judgement of tool calls of a stream: the names and arguments that are whole by now."""
        return self._judge(segments, (), tally, self._calls)

    def _judge(
        self,
        segments: Sequence[Segment],
        findings: Sequence[Sequence[Finding]],
        tally: Tally,
        checks: Iterable[Clause],
        arguments: Sequence[Segment] = (),
    ) -> Judgement:
        if not checks and not any(findings):
            return CLEAN
        count = len(segments)
        segments = [*segments, *arguments] if arguments else segments
        hits = ((number, finding) for number, found in enumerate(findings) for finding in found)
        taken, failed = self._sort(segments, hits)
        for item in checks:
            self._check(item, segments, count, tally, taken)
        if not taken and not failed:
            return CLEAN
        return self._conclude(segments, taken, failed, tally)

    def outside(self, segments: Sequence[Segment], answers: Sequence[Hit]) -> Judgement:
        """The judgement of what checkers outside said of a body that was judged: findings with their segments' numbers.

        A check that failed is decided here too, also where there is no segment to name.
        """
        if not answers:
            return CLEAN
        taken, failed = self._sort(segments, answers)
        return self._conclude(segments, taken, failed, Tally()) if taken or failed else CLEAN

    def judge_one(
        self,
        role: Role,
        direction: Direction,
        place: str,
        findings: Sequence[Finding],
        text: str = "",
        tally: Tally | None = None,
    ) -> Judgement:
        """The judgement of one released piece of a stream; edits are under index 0.

        Give the piece's `text` where allowed phrases and link rules shall hold (without it they excuse nothing), and
        one Tally for the whole stream where counts and limits shall. `calls` judges tool calls, when they are whole.
        """
        if not findings and not self._sizes:
            return CLEAN
        tally = Tally() if tally is None else tally
        return self._judge((Segment(text, place, role, direction),), (findings,), tally, self._sizes)

    def unreadable(self, direction: Direction, reason: str) -> Judgement:
        """The judgement of a body that no check could read: by each policy's fail mode, never in silence."""
        finding = Finding(0, 0, "unreadable", "UNREADABLE", "unreadable")
        decisions = [
            self._failure(item, direction, finding, item.policy.on_unreadable or item.policy.on_error, reason)
            for item in self._strongest(direction, self.clauses)
        ]
        return _judgement(decisions, {}, direction, self.policies) if decisions else CLEAN

    def _sort(self, segments: Sequence[Segment], hits: Iterable[Hit]) -> tuple[dict[int, list[Hit]], list[Decision]]:
        """The findings by the clauses that take them, and the decisions on checks that failed."""
        taken: dict[int, list[Hit]] = {}
        failed: list[Decision] = []
        for number, finding in hits:
            if finding.entity == CHECK_FAILED:
                failed.extend(self._failures(segments[number], finding))
            else:
                self._take(number, segments[number], finding, taken)
        return taken, failed

    def _take(self, number: int, segment: Segment, finding: Finding, taken: dict[int, list[Hit]]) -> None:
        for item in self._takers(finding):
            if (
                segment.direction in item.directions
                and segment.role in item.roles
                and finding.score >= item.rule.confidence
                and not item.excuses(segment.text, finding)
                and _links_hold(item, segment.text, finding)
            ):
                taken.setdefault(item.index, []).append((number, finding))

    def _takers(self, finding: Finding) -> tuple[Clause, ...]:
        key = (finding.rule, finding.entity, finding.category)
        takers = self._memo.get(key)
        if takers is None:
            info = self._known.get(finding.rule)
            family = info.family if info else ""
            takers = tuple(item for item in self.clauses if item.selector.takes(*key, family))
            if len(self._memo) < MAX_MEMO:  # rule ids are ours, so this bound is never met but by a broken plugin
                self._memo[key] = takers
        return takers

    def _check(
        self, item: Clause, segments: Sequence[Segment], count: int, tally: Tally, taken: dict[int, list[Hit]]
    ) -> None:
        read = segments if isinstance(item.rule, ToolsRule) else segments[:count]
        numbers = [n for n, s in enumerate(read) if s.direction in item.directions and s.role in item.roles]
        chosen = [segments[number] for number in numbers]
        hits: Iterable[Hit] = ()
        if isinstance(item.rule, LimitRule):
            hits = limit_hits(item.index, item.rule, chosen, tally)
        elif isinstance(item.rule, ToolsRule):
            hits = tool_hits(item.index, item.rule, chosen, tally)
        for number, finding in hits:
            taken.setdefault(item.index, []).append((numbers[number], finding))

    def _failures(self, segment: Segment, finding: Finding) -> Iterable[Decision]:
        hurt = [item for item in self.clauses if self._depends(item, finding)]
        for item in self._strongest(segment.direction, hurt):
            mode = item.policy.on_error
            yield self._failure(item, segment.direction, finding, mode, "a check could not run", segment)

    def _depends(self, item: Clause, finding: Finding) -> bool:
        """Whether the clause wanted the check that failed: by its id where that is known, else by its category."""
        if finding.rule in self._named:
            return finding.rule in self._ids.get(item.index, frozenset())
        if not finding.category:
            return True  # nobody knows whose check it was: everybody missed it
        return finding.category in item.categories or item.selector.takes(finding.rule, "", finding.category)

    def _strongest(self, direction: Direction, clauses: Iterable[Clause]) -> Iterable[Clause]:
        """One clause for each policy that reads this direction: the one that could do most."""
        best: dict[str, Clause] = {}
        for item in clauses:
            if direction in item.directions:
                name = item.policy.name
                best[name] = max(best.get(name, item), item, key=_most)
        return best.values()

    def _failure(
        self, item: Clause, direction: Direction, finding: Finding, mode: str, reason: str, at: Segment | None = None
    ) -> Decision:
        # A check that could at most have alerted does not block when it fails: the cure would be worse.
        action = Action.ALLOW if mode == "allow" else Action.BLOCK if _most(item) > Action.ALERT else Action.ALERT
        place = {"place": at.place, "role": at.role} if at else {}
        made = item.decide(action, direction, finding, reason=reason, controls=item.controls, **place)
        return replace(made, bypassed=made.action is not Action.BLOCK)

    def _conclude(
        self, segments: Sequence[Segment], taken: dict[int, list[Hit]], failed: list[Decision], tally: Tally
    ) -> Judgement:
        decisions = list(dict.fromkeys(failed))
        edits: dict[int, list[Edit]] = {}
        for item in self.clauses:
            hits = taken.get(item.index)
            if not hits:
                continue
            tally.matches[item.index] = tally.matches.get(item.index, 0) + len(hits)
            if tally.matches[item.index] >= item.rule.min_matches:
                decisions.extend(self._decisions(item, segments, hits, MAX_DECISIONS - len(decisions)))
                _collect(item, hits, edits)
        merged = {number: merge(found) for number, found in sorted(edits.items())}
        direction = segments[0].direction if segments else Direction.REQUEST
        return _judgement(decisions, merged, direction, self.policies) if decisions else CLEAN

    def _decisions(
        self, item: Clause, segments: Sequence[Segment], hits: Sequence[Hit], room: int
    ) -> Iterable[Decision]:
        groups: dict[tuple[str, int], list[Finding]] = {}
        for number, finding in hits:
            key = (finding.rule, number)
            if key not in groups and len(groups) >= room:
                key = (finding.rule, -1)
            groups.setdefault(key, []).append(finding)
        for (rule, number), found in groups.items():
            best = max(found, key=lambda finding: finding.score)
            info = self._known.get(rule)
            yield item.decide(
                max(_done(item, finding) for finding in found),
                segments[number].direction,
                best,
                place=segments[number].place if number >= 0 else "*",
                role=segments[number].role,
                count=len(found),
                controls=tuple(dict.fromkeys((*item.controls, *(info.controls if info else ())))),
            )


def _union(ids: Mapping[int, frozenset[str]], clauses: Iterable[Clause], direction: Direction) -> frozenset[str]:
    return frozenset().union(*(ids.get(item.index, frozenset()) for item in clauses if direction in item.directions))


def _externals(clauses: Iterable[Clause], direction: Direction) -> tuple[ExternalCheck, ...]:
    return tuple(
        ExternalCheck(
            external_id(item.policy, item.name),
            item.rule.entity,
            item.roles,
            item.rule.external,
            item.policy.mode is Mode.ENFORCE and _most(item) > Action.ALERT,
        )
        for item in clauses
        if isinstance(item.rule, ExternalRule) and direction in item.directions
    )


def _most(item: Clause) -> Action:
    return max(action for _, action in item.steps)


def _done(item: Clause, finding: Finding) -> Action:
    action = item.action(finding.score)
    # What has no place cannot be redacted; letting it pass would be a silent failure, so it is blocked.
    return Action.BLOCK if action is Action.REDACT and finding.end <= finding.start else action


def _collect(item: Clause, hits: Iterable[Hit], edits: dict[int, list[Edit]]) -> None:
    if item.policy.mode is Mode.MONITOR:
        return
    for number, finding in hits:
        if item.action(finding.score) >= Action.REDACT and finding.end > finding.start:
            edit = Edit(finding.start, finding.end, item.rule.redact, finding, item.policy.name)
            edits.setdefault(number, []).append(edit)


def _links_hold(item: Clause, text: str, finding: Finding) -> bool:
    if not isinstance(item.rule, LinksRule) or not text:
        return True
    return link_taken(item.rule.links, text[finding.start : finding.end])


def _judgement(
    decisions: Sequence[Decision],
    edits: Mapping[int, tuple[Edit, ...]],
    direction: Direction,
    policies: Iterable[Policy],
) -> Judgement:
    action = max(item.action for item in decisions)
    if action is not Action.BLOCK:
        return Judgement(action, tuple(decisions), edits)
    blocks = [item for item in decisions if item.action is Action.BLOCK]
    worst = max(blocks, key=lambda item: (item.severity, item.score))
    policy = next(item for item in policies if item.name == worst.policy)
    return Judgement(action, tuple(decisions), edits, worst, _message(policy, worst, direction))


def _message(policy: Policy, worst: Decision, direction: Direction) -> str:
    if worst.reason:
        return f"Blocked by policy {worst.policy!r}: {worst.reason}."
    said = policy.message if direction is Direction.REQUEST else policy.response_message or policy.message
    return said or f"Blocked by policy {worst.policy!r} (rule {worst.rule!r})."
