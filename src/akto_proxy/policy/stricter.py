"""Policies made stricter for a time: enforced where they only monitor, or each action one step stronger.

The policies themselves are never edited: what comes out is a copy, so that taking a measure back is only compiling the
originals again. Nothing here can make a policy weaker.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any

from akto_proxy.model import Action, Mode
from akto_proxy.policy.schema import Policy

DEEDS = ("enforce", "raise")
"""What may be done to a policy."""


def stricter(policies: Sequence[Policy], deeds: Iterable[tuple[str, str]]) -> list[Policy]:
    """The policies with each deed done: (policy name or `*`, one of DEEDS); others change nothing."""
    wanted = list(deeds)
    return [_changed(policy, {do for name, do in wanted if name in ("*", policy.name)}) for policy in policies]


def _changed(policy: Policy, deeds: set[str]) -> Policy:
    if "enforce" in deeds:
        policy = policy.model_copy(update={"mode": Mode.ENFORCE})
    if "raise" not in deeds:
        return policy
    rules = tuple(rule.model_copy(update=_raised(policy, rule)) for rule in policy.rules)
    return policy.model_copy(update={"rules": rules, "sample": 1.0})


def _raised(policy: Policy, rule: Any) -> dict[str, Any]:
    if rule.levels is None:
        return {"action": _up(policy.action if rule.action is None else rule.action, located=rule.located)}
    names = ("low", "medium", "high")
    levels = {name: _up(getattr(rule.levels, name), located=rule.located) for name in names}
    return {"levels": rule.levels.model_copy(update=levels)}


def _up(action: Action, *, located: bool) -> Action:
    """One step stronger; what finds no place in a text cannot redact, so it blocks."""
    if action is Action.ALLOW:
        return Action.ALERT
    return Action.REDACT if action is Action.ALERT and located else Action.BLOCK
