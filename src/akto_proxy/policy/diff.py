"""What a change of policies changes, and which parts of it may let more through.

Compared as the files say it, key by key, so a reviewer finds each line in the file; long values are counted, not shown.
Judged by what it comes to: a rule's own action that replaces the policy's is weaker only if it is milder. Rules are
paired by what they say, then by id, then by kind, so a rule put in front of others is one change and not many.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

from akto_proxy.policy.compile import PolicySet
from akto_proxy.policy.rules import kind_of
from akto_proxy.policy.schema import Policy
from akto_proxy.policy.weaker import POLICY, RULE, meant, weaker

MAX_SHOWN = 60  # characters of a value


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
        yield from _both(name, before, after)


def _both(name: str, before: Policy, after: Policy) -> Iterator[Change]:
    """A policy that was switched off let all through: nothing done to it is weaker."""
    said, says = before.model_dump(mode="json"), after.model_dump(mode="json")
    did, does = meant(before), meant(after)
    for path, was, now in _leaves((), _but_rules(said), _but_rules(says)):
        yield Change(name, ".".join(path), was, now, before.enabled and weaker(POLICY, path, did, does))
    for old, new in _pairs(before, after):
        key = f"rules[{old if new is None else new}]"
        if old is None or new is None:
            was, now = ("", "new") if old is None else ("was here", "")
            yield Change(name, key, was, now, before.enabled and new is None)
            continue
        for path, was, now in _leaves((), said["rules"][old], says["rules"][new]):
            judged = weaker(RULE, path, did["rules"][old], does["rules"][new])
            yield Change(name, f"{key}.{'.'.join(path)}", was, now, before.enabled and judged)


def _but_rules(policy: dict[str, Any]) -> dict[str, Any]:
    return {key: value for key, value in policy.items() if key != "rules"}


def _pairs(before: Policy, after: Policy) -> list[tuple[int | None, int | None]]:
    """Numbers of the rules that are one and the same in both; None where it is new or gone."""
    old, new = list(range(len(before.rules))), list(range(len(after.rules)))
    found: list[tuple[int | None, int | None]] = []
    alike: tuple[Callable[[Any], Any], ...] = (lambda rule: rule, lambda rule: rule.id or None, kind_of)
    for named in alike:
        for number in list(new):
            wanted = named(after.rules[number])
            twin = next((one for one in old if wanted is not None and named(before.rules[one]) == wanted), None)
            if twin is not None:
                found.append((twin, number))
                old.remove(twin)
                new.remove(number)
    gone = [(number, None) for number in old]
    return sorted([*found, *((None, number) for number in new)], key=lambda pair: pair[1] or 0) + gone


def _leaves(path: tuple[str, ...], before: Any, after: Any) -> Iterator[tuple[tuple[str, ...], str, str]]:
    if before == after:
        return
    if isinstance(before, dict) and isinstance(after, dict):
        for part in dict.fromkeys((*before, *after)):
            yield from _leaves((*path, part), before.get(part), after.get(part))
    elif isinstance(before, list) and isinstance(after, list):
        yield path, *_lists(before, after)
    else:
        yield path, _shown(before), _shown(after)


def _lists(before: list[Any], after: list[Any]) -> tuple[str, str]:
    """Two lists, whole where they are short, else what is gone and what came."""
    was, now = _shown(before), _shown(after)
    if was != now and not was.endswith("entries") and not now.endswith("entries"):
        return was, now
    gone, came = [one for one in before if one not in after], [one for one in after if one not in before]
    return f"{_entries(before)}, {len(gone)} gone", f"{_entries(after)}, {len(came)} new"


def _entries(value: Any) -> str:
    return "1 entry" if len(value) == 1 else f"{len(value)} entries"


def _shown(value: Any) -> str:
    if value is None or value == []:
        return ""
    if isinstance(value, list | tuple | dict) and len(str(value)) > MAX_SHOWN:
        return _entries(value)
    text = str(value)
    return text if len(text) <= MAX_SHOWN else f"{len(text)} characters"
