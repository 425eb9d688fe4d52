"""An exception: a rule that no longer acts for one caller, endpoint or agent, written into the policy text as data.

The policy keeps acting for all others. For the one named, a copy of it without the rule takes its place, so every other
rule of that policy still acts there. For personal data the whole type is left out, as several rules know one type. The
text is written anew, so comments in it are lost; the version before has them.
"""

from __future__ import annotations

from copy import deepcopy
from typing import Any

from akto_proxy.dashboard.workshop import Draft
from akto_proxy.dashboard.yamls import dumped, loaded
from akto_proxy.errors import PolicyError
from akto_proxy.policy.rules import DetectRule

FIELDS = {
    "user": "users",
    "agent": "agents",
    "key": "keys",
    "team": "teams",
    "ip": "ips",
    "session": "sessions",
    "endpoint": "endpoints",
    "model": "models",
}
"""What an exception may name, and the list of a scope that holds it."""


def with_exception(draft: Draft, policy: str, rule: str, field: str, value: str) -> str:
    """The policy text of `draft` in which `rule` of `policy` does not act where `field` is `value`.

    Raises:
        PolicyError: the policy or rule is not there, or its scope cannot take the exception.
    """
    if field not in FIELDS or not value:
        raise PolicyError("an exception names a user, agent, key, team, address, session, endpoint or model")
    if any(char in value for char in "*?["):
        raise PolicyError("an exception names one value, not a pattern")
    data: dict[str, Any] = loaded(draft.text)
    found = next((item for item in data["policies"] if item["name"] == policy), None)
    if found is None:
        raise PolicyError(f"policy {policy!r} is not in the version that is in force")
    copy = _copy(draft, data, found, rule)
    found["exclude"] = _excluding(found.get("exclude"), field, value)
    if copy["rules"]:
        _narrow(copy, field, value)
        data["policies"].append(copy)
    return dumped(data)


def _copy(draft: Draft, data: dict[str, Any], found: dict[str, Any], rule: str) -> dict[str, Any]:
    """The policy without the rule, under a name of its own."""
    names = {item["name"] for item in data["policies"]}
    number = next(n for n in range(1, 10_000) if f"{found['name']}-except-{n}" not in names)
    clauses = [item for item in draft.policies.clauses() if item.policy.name == found["name"]]
    rules = []
    target = _target(draft, rule)
    for written, clause in zip(found["rules"], clauses, strict=True):
        if rule not in draft.policies.rule_ids(clause):
            rules.append(written)
        elif isinstance(clause.rule, DetectRule):
            but = written.get("but", [])
            rules.append({**written, "but": [*([but] if isinstance(but, str) else but), target]})
    if rules == found["rules"]:
        raise PolicyError(f"policy {found['name']!r} has no rule {rule!r} in the version that is in force")
    made = {**found, "name": f"{found['name']}-except-{number}", "rules": [item for item in rules if _acts(item)]}
    return deepcopy(made)


def _target(draft: Draft, rule: str) -> str:
    """What is left out: for personal data its type, as several rules know one type; else the one rule."""
    known = draft.policies.known.get(rule)
    return known.entity if known is not None and known.category == "pii" else rule


def _acts(rule: dict[str, Any]) -> bool:
    """Whether a rule still takes anything: not one that detects only what it leaves out."""
    detect = rule.get("detect")
    wanted = {detect} if isinstance(detect, str) else set(detect or ())
    return not wanted or bool(wanted - set(rule.get("but", ())))


def _place(scope: dict[str, Any], field: str) -> tuple[dict[str, Any], str]:
    if field in ("endpoint", "model"):
        return scope, FIELDS[field]
    return scope.setdefault("callers", {}), FIELDS[field]


def _excluding(exclude: dict[str, Any] | None, field: str, value: str) -> dict[str, Any]:
    """An exclusion that also turns the value away. Its conditions are joined by and, so only one kind fits."""
    wanted: dict[str, Any] = {}
    holder, key = _place(wanted, field)
    holder[key] = [value]
    if not exclude:
        return wanted
    holder, key = _place(exclude, field)
    others = [name for name in exclude if name not in ("callers", key)] + [
        name for name in exclude.get("callers", {}) if name != key
    ]
    if others or key not in holder:
        raise PolicyError("this policy already excludes by something else; write the exception in the editor")
    holder[key] = list(dict.fromkeys([*holder[key], value]))
    return exclude


def _narrow(copy: dict[str, Any], field: str, value: str) -> None:
    scope = copy["scope"] = loaded(dumped(copy.get("scope") or {}))
    holder, key = _place(scope, field)
    holder[key] = [value]
    copy["description"] = f"{copy.get('description', '')} Without the rules excepted for {field} {value}.".strip()[
        :2000
    ]
