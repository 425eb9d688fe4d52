"""One rule of one policy, made ready to judge: everything looked up that can be looked up before traffic comes."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from akto_proxy.model import Action, Decision, Direction, Finding, Mode, Role, Severity
from akto_proxy.policy.catalogue import Selector
from akto_proxy.policy.pattern import compiled
from akto_proxy.policy.rules import External, RuleBase
from akto_proxy.policy.schema import Policy
from akto_proxy.policy.terms import LEVELS

ALL_ROLES = frozenset(Role)
WINDOW = 1_024  # characters around a finding in which an allowed phrase is looked for
BOTH = frozenset(Direction)


@dataclass(frozen=True, slots=True, eq=False)
class Clause:
    """A compiled rule. `index` is its place among all clauses of a PolicySet, `controls` by finding rule id."""

    index: int
    policy: Policy
    rule: RuleBase
    name: str
    selector: Selector
    directions: frozenset[Direction]
    roles: frozenset[Role]
    steps: tuple[tuple[float, Action], ...]
    severity: Severity
    controls: tuple[str, ...]
    phrases: tuple[Any, ...]
    categories: frozenset[str]

    def action(self, score: float) -> Action:
        """What is done about a finding of this score."""
        return next((action for least, action in self.steps if score >= least), Action.ALLOW)

    def excuses(self, text: str, finding: Finding) -> bool:
        """Whether the finding lies inside a phrase this policy lets pass. Without the text, never."""
        if not self.phrases or finding.end <= finding.start or finding.end > len(text):
            return False
        first = max(0, finding.start - WINDOW)
        window = text[first : finding.end + WINDOW]
        start, end = finding.start - first, finding.end - first
        return any(
            found.start() <= start and end <= found.end()
            for phrase in self.phrases
            for found in phrase.finditer(window)
        )

    def decide(self, action: Action, direction: Direction, finding: Finding, **more: Any) -> Decision:
        """The Decision on `finding`: under `monitor` nothing is done, and `would` says what."""
        watch = self.policy.mode is Mode.MONITOR
        return Decision(
            policy=self.policy.name,
            rule=finding.rule,
            category=finding.category,
            entity=finding.entity,
            severity=self.severity,
            action=Action.ALLOW if watch else action,
            direction=direction,
            score=finding.score,
            mode=self.policy.mode,
            would=action,
            **more,
        )


@dataclass(frozen=True, slots=True)
class ExternalCheck:
    """A question for outside: its findings carry `rule` and `entity`, and only texts of `roles` are sent.

    `enforces` says that its answer can stop a text, so nothing may be delivered before it is there.
    """

    rule: str
    entity: str
    roles: frozenset[Role]
    external: External
    enforces: bool = True


CHECK_FAILED = "CHECK_FAILED"
"""The entity of a finding that says: this check could not run."""


def unanswered(check: ExternalCheck) -> Finding:
    """The finding of a check that got no verdict."""
    return Finding(0, 0, check.rule, CHECK_FAILED, "external", 0.0)


def external_id(policy: Policy, name: str) -> str:
    """The rule id of an external check."""
    return f"external:{policy.name}:{name}"


def clause(index: int, policy: Policy, number: int, selector: Selector, categories: frozenset[str]) -> Clause:
    """The Clause of `policy.rules[number]`."""
    rule = policy.rules[number]
    side = rule.direction or policy.direction
    actions = policy.actions(rule)
    return Clause(
        index=index,
        policy=policy,
        rule=rule,
        name=rule.id or f"rules[{number}]",
        selector=selector,
        directions=BOTH if side == "both" else frozenset((Direction(side),)),
        roles=frozenset(rule.roles or policy.roles) or ALL_ROLES,
        steps=tuple((least, actions[name]) for name, least in LEVELS),
        severity=rule.severity or policy.severity,
        controls=tuple(dict.fromkeys((*rule.controls, *policy.controls))),
        phrases=tuple(compiled(phrase.pattern) for phrase in policy.allow),
        categories=categories,
    )
