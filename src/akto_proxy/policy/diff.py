"""What a change of policies changes, and which parts of it let more through.

Compared as the files say it, key by key, so a reviewer finds each line in the file; long values are counted, not shown.
A change is marked `weaker` where a policy goes away, stops acting, fails open, or a rule's action becomes milder.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from akto_proxy.model import Action, Mode
from akto_proxy.policy.compile import PolicySet
from akto_proxy.policy.schema import Policy

MAX_SHOWN = 60  # characters of a value
ORDERED: dict[str, tuple[str, ...]] = {
    "action": tuple(action.label for action in Action),
    "low": tuple(action.label for action in Action),
    "medium": tuple(action.label for action in Action),
    "high": tuple(action.label for action in Action),
    "mode": (Mode.MONITOR.value, Mode.ENFORCE.value),
    "on_error": ("allow", "block"),
    "on_unreadable": ("allow", "block"),
}
"""Keys whose values have an order from mild to strong."""


@dataclass(frozen=True, slots=True)
class Change:
    """One difference. `before` or `after` is empty where the key or policy is new or gone."""

    policy: str
    key: str
    before: str
    after: str
    weaker: bool = False


def diff(old: PolicySet, new: PolicySet) -> list[Change]:
    """The changes from `old` to `new`, by policy name and key."""
    before = {policy.name: policy for policy in old.all_policies}
    after = {policy.name: policy for policy in new.all_policies}
    changes: list[Change] = []
    for name in sorted({*before, *after}):
        changes.extend(_policy(name, before.get(name), after.get(name)))
    return changes


def _policy(name: str, before: Policy | None, after: Policy | None) -> Iterator[Change]:
    if before is None and after is not None:
        yield Change(name, "(policy)", "", f"{len(after.rules)} rules")
    elif after is None and before is not None:
        yield Change(name, "(policy)", f"{len(before.rules)} rules", "", weaker=before.enabled)
    elif before is not None and after is not None:
        yield from _values(name, "", before.model_dump(mode="json"), after.model_dump(mode="json"))


def _values(policy: str, key: str, before: Any, after: Any) -> Iterator[Change]:
    if before == after:
        return
    if isinstance(before, dict) and isinstance(after, dict):
        for part in dict.fromkeys((*before, *after)):
            yield from _values(policy, f"{key}.{part}" if key else part, before.get(part), after.get(part))
    elif key == "rules":
        for number in range(max(len(before), len(after))):
            was = before[number] if number < len(before) else None
            now = after[number] if number < len(after) else None
            yield from _values(policy, f"rules[{number}]", was, now)
    else:
        yield Change(policy, key, _shown(before), _shown(after), _weaker(key, before, after))


def _weaker(key: str, before: Any, after: Any) -> bool:
    last = key.rpartition(".")[2]
    if last == "enabled":
        return bool(before) and not after
    if last.startswith("rules["):
        return after is None
    order = ORDERED.get(last, ())
    return before in order and after in order and order.index(after) < order.index(before)


def _shown(value: Any) -> str:
    if value is None:
        return ""
    if isinstance(value, list | tuple | dict) and len(str(value)) > MAX_SHOWN:
        return f"{len(value)} entries"
    text = str(value)
    return text if len(text) <= MAX_SHOWN else f"{len(text)} characters"
