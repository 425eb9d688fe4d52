"""Which policies apply to a call, what each would do, and why the others do not: the answer to "why was this blocked?".

Built from the same matchers and clauses that judge, so an explanation cannot disagree with a decision.
"""

from __future__ import annotations

from dataclasses import dataclass

from akto_proxy.model import Action, Role
from akto_proxy.policy.clause import Clause
from akto_proxy.policy.compile import PolicySet
from akto_proxy.policy.rules import kind_of
from akto_proxy.policy.scope import Scope
from akto_proxy.policy.terms import LEVELS


@dataclass(frozen=True, slots=True)
class RuleLine:
    """One rule in words. `runs` is how many detection rules it takes findings of."""

    rule: str
    kind: str
    action: str
    directions: str
    roles: str
    severity: str
    runs: int
    controls: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Explanation:
    """One policy: whether it applies to the call, why (not), and its rules."""

    policy: str
    applies: bool
    reasons: tuple[str, ...]
    mode: str
    on_error: str
    strongest: Action
    rules: tuple[RuleLine, ...]


def explain(policies: PolicySet, scope: Scope) -> list[Explanation]:
    """One Explanation a policy, those that apply first, the strongest action first among them."""
    lines: dict[str, list[RuleLine]] = {}
    strongest: dict[str, Action] = {}
    for item in policies.clauses():
        name = item.policy.name
        lines.setdefault(name, []).append(_line(policies, item))
        most = max(action for _, action in item.steps)
        strongest[name] = max(strongest.get(name, Action.ALLOW), most)
    made = [
        _policy(policies, number, scope, tuple(lines[policy.name]), strongest[policy.name])
        for number, policy in enumerate(policies.policies)
    ]
    why = ("it is switched off (enabled: false)",)
    off = [
        Explanation(policy.name, False, why, policy.mode.value, policy.on_error, Action.ALLOW, ())
        for policy in policies.all_policies
        if not policy.enabled
    ]
    return sorted([*made, *off], key=lambda item: (not item.applies, -item.strongest, item.policy))


def _policy(
    policies: PolicySet, number: int, scope: Scope, lines: tuple[RuleLine, ...], strongest: Action
) -> Explanation:
    policy = policies.policies[number]
    inside, outside = policies.matchers(number)
    reasons = inside.misses(scope)
    if not reasons and outside is not None and outside.holds(scope):
        reasons = [f"excluded: {part.name} is {' or '.join(part.globs)}" for part in outside.parts] or ["excluded"]
    applies = not reasons
    if applies:
        reasons = [f"{part.name} is {' or '.join(part.globs)}" for part in inside.parts] or ["it applies everywhere"]
    return Explanation(policy.name, applies, tuple(reasons), policy.mode.value, policy.on_error, strongest, lines)


def _line(policies: PolicySet, item: Clause) -> RuleLine:
    return RuleLine(
        rule=item.name,
        kind=kind_of(item.rule),
        action=_action(item),
        directions="+".join(sorted(direction.value for direction in item.directions)),
        roles="all" if len(item.roles) == len(Role) else "+".join(sorted(role.value for role in item.roles)),
        severity=item.severity.label,
        runs=len(policies.rule_ids(item)),
        controls=item.controls,
    )


def _action(item: Clause) -> str:
    actions = dict(zip((name for name, _ in LEVELS), (action for _, action in item.steps), strict=True))
    if len(set(actions.values())) > 1:
        return ", ".join(f"{name}: {action.label}" for name, action in actions.items())
    (action,) = set(actions.values())
    return f"redact ({item.rule.redact})" if action is Action.REDACT else action.label
