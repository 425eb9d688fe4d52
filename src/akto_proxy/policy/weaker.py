"""Which change of a policy's key may let more through, or tell less of it: one judge a key, by what the key means.

Careful rather than clever: a pattern or an outside check that changed at all counts as weaker, since nobody can say
what it no longer finds. So a second person may be asked in vain, but never left out. Every key has a judge (a test
walks the models), so a new key cannot slip past.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable
from typing import Any

from akto_proxy.model import Action, Mode, Severity
from akto_proxy.policy.schema import Callers, Policy, ScopeRule
from akto_proxy.policy.terms import STRENGTH

Judge = Callable[[Any, Any], bool]
"""(what was, what is) -> whether it may let more through."""


def meant(policy: Policy) -> dict[str, Any]:
    """The policy as plain data with every default of a rule written out: what it does, not how it is spelt."""
    said: dict[str, Any] = policy.model_dump(mode="json")
    said["on_unreadable"] = said["on_unreadable"] or said["on_error"]
    for rule, data in zip(policy.rules, said["rules"], strict=True):
        data["action"] = data["levels"] = {name: action.label for name, action in policy.actions(rule).items()}
        for key in ("direction", "roles", "severity"):
            data[key] = said[key] if data[key] is None else data[key]
    return said


def weaker(judges: dict[str, Judge], path: tuple[str, ...], before: dict[str, Any], after: dict[str, Any]) -> bool:
    """Whether the change at `path` is weaker, judged at its longest beginning that has a judge."""
    for length in range(len(path), 0, -1):
        if (judge := judges.get(".".join(path[:length]))) is not None:
            return judge(_at(before, path[:length]), _at(after, path[:length]))
    return True


def _at(data: Any, path: Iterable[str]) -> Any:
    for part in path:
        data = data.get(part) if isinstance(data, dict) else None
    return data


def _set(values: Any) -> set[str]:
    return {json.dumps(value, sort_keys=True) for value in values or ()}


def never(before: Any, after: Any) -> bool:
    """Words for people."""
    return False


def changed(before: Any, after: Any) -> bool:
    """Nobody can say what is no longer found."""
    return bool(before != after)


def turned_on(before: Any, after: Any) -> bool:
    """A switch that makes the rule find less, or trust more."""
    return bool(after) and not before


def turned_off(before: Any, after: Any) -> bool:
    """A switch that makes the policy act."""
    return bool(before) and not after


def less(before: Any, after: Any) -> bool:
    """A number that finds less when it is smaller."""
    return bool(after < before)


def more(before: Any, after: Any) -> bool:
    """A number that finds less when it is greater; none is the greatest."""
    return before is not None and (after is None or after > before)


def lost(before: Any, after: Any) -> bool:
    """A list of what is found: something is gone."""
    return not _set(before) <= _set(after)


def gained(before: Any, after: Any) -> bool:
    """A list of what is let pass: something came."""
    return not _set(after) <= _set(before)


def narrowed(before: Any, after: Any) -> bool:
    """A list of where the policy holds; empty is everywhere."""
    return bool(after) and (not before or lost(before, after))


def widened(before: Any, after: Any) -> bool:
    """A list of the only things let pass; empty is no such condition."""
    return bool(before) and (not after or gained(before, after))


def one_side(before: Any, after: Any) -> bool:
    """A direction; both is the most."""
    return bool(after not in ("both", before))


def fewer_tags(before: Any, after: Any) -> bool:
    """Tag conditions: each narrows."""
    return any(narrowed(before.get(tag, ()), globs) for tag, globs in after.items())


def excluded(before: Any, after: Any) -> bool:
    """An exception came, or one of its conditions holds for more."""
    if after is None or before is None:
        return after is not None
    wider = any(widened(before[key], after[key]) for key in before if key not in ("callers", "tags"))
    callers = any(widened(before["callers"][key], after["callers"][key]) for key in before["callers"])
    return wider or callers or any(widened(globs, after["tags"].get(tag, ())) for tag, globs in before["tags"].items())


def other_arguments(before: Any, after: Any) -> bool:
    """A tool's schema changed or is gone; a new one only adds a check."""
    return any(after.get(tool) != schema for tool, schema in before.items())


def _milder(names: Iterable[str]) -> Judge:
    order = list(names)

    def judge(before: Any, after: Any) -> bool:
        if isinstance(before, dict):
            return any(judge(before[key], after[key]) for key in before)
        return order.index(after) < order.index(before)

    return judge


_action = _milder(action.label for action in Action)
_severity = _milder(severity.label for severity in Severity)
_fails = _milder(("allow", "block"))

POLICY: dict[str, Judge] = {
    **dict.fromkeys(("name", "description", "message", "response_message", "controls"), never),
    "enabled": turned_off,
    "severity": _severity,
    "action": _action,
    "mode": _milder((Mode.MONITOR.value, Mode.ENFORCE.value)),
    "on_error": _fails,
    "on_unreadable": _fails,
    "direction": one_side,
    "roles": narrowed,
    **{f"scope.{key}": narrowed for key in ScopeRule.model_fields if key not in ("callers", "tags")},
    **{f"scope.callers.{key}": narrowed for key in Callers.model_fields},
    "scope.tags": fewer_tags,
    "exclude": excluded,
    "allow": gained,
    "sample": less,
}
"""A policy's key -> its judge; the rules are judged one by one."""

RULE: dict[str, Judge] = {
    **dict.fromkeys(("id", "description", "controls", "entity", "match", "no_match", "topic"), never),
    **dict.fromkeys(("action", "levels"), _action),
    "severity": _severity,
    "direction": one_side,
    "roles": narrowed,
    "redact": _milder(sorted(STRENGTH, key=STRENGTH.__getitem__)),
    "confidence": more,
    "min_matches": more,
    **dict.fromkeys(("detect", "words", "phrases", "canary", "context"), lost),
    "but": gained,
    **dict.fromkeys(("case_sensitive", "whole_words"), turned_on),
    "regex": changed,
    "keywords": narrowed,
    "score": less,
    **dict.fromkeys(("limit.tokens", "limit.characters", "tools.max_calls"), more),
    **dict.fromkeys(("links.deny", "tools.forbid", "external.unsafe"), lost),
    **dict.fromkeys(("links.allow", "tools.allow"), widened),
    "tools.arguments": other_arguments,
    **{f"external.{key}": changed for key in ("url", "kind", "model", "instructions", "token_env")},
    **dict.fromkeys(("external.timeout_ms", "external.max_characters"), less),
    "external.cache_seconds": more,
    "external.allow_private": turned_on,
}
"""A rule's key -> its judge, for every kind of rule."""
