"""Rules as data: one TOML file a family, read and checked whole, so that a wrong rule is an error at start.

A file has `family` and `category`, perhaps a default `entity` and `controls`, and `[[rule]]` tables with the fields of
Rule. Trade-off: unknown keys are refused (a misspelt `keyword` would silently widen a rule).
"""

from __future__ import annotations

import tomllib
from dataclasses import fields
from typing import Any

from akto_proxy.errors import PolicyError
from akto_proxy.guard.rule import Rule
from akto_proxy.guard.syntax import parse

_LISTS = ("context", "keywords", "yes", "no", "controls")
_KINDS: dict[str, tuple[type, ...]] = {
    "score": (float, int),
    "context_boost": (float, int),
    "entropy": (float, int),
    "context_required": (bool,),
    "max_width": (int,),
}
_TOP = ("family", "category", "entity", "controls", "source", "rule")
_NAMES = tuple(field.name for field in fields(Rule))


def parse_rules(text: str, name: str) -> list[Rule]:
    """The rules of one TOML file; `name` is the file's name for messages.

    Raises:
        PolicyError: names the file, the rule, the key and the fix.
    """
    try:
        data = tomllib.loads(text)
    except tomllib.TOMLDecodeError as error:
        raise PolicyError(f"{name}: not TOML: {error}") from None
    unknown = sorted(set(data) - set(_TOP))
    if unknown:
        raise PolicyError(f"{name}: unknown key `{unknown[0]}`; allowed are {', '.join(_TOP)}")
    defaults = {key: value for key, value in data.items() if key != "rule"}
    rules = [_rule(item, defaults, f"{name}: rule {number}") for number, item in enumerate(data.get("rule", ()), 1)]
    _unique(rules, name)
    return rules


def _rule(item: dict[str, Any], defaults: dict[str, Any], where: str) -> Rule:
    values = defaults | item
    where = f"{where} (`{values['id']}`)" if isinstance(values.get("id"), str) else where
    unknown = sorted(set(values) - set(_NAMES))
    if unknown:
        raise PolicyError(f"{where}: unknown key `{unknown[0]}`; allowed are {', '.join(_NAMES)}")
    for key in ("id", "entity", "category", "pattern"):
        if not values.get(key):
            raise PolicyError(f"{where}: `{key}` is missing")
    rule = Rule(**{key: _value(key, value, where) for key, value in values.items()})
    check_rule(rule, where)
    return rule


def _value(key: str, value: Any, where: str) -> Any:
    if key in _LISTS:
        if not isinstance(value, list) or not all(isinstance(item, str) for item in value):
            raise PolicyError(f"{where}: `{key}` must be a list of strings")
        return tuple(value)
    kinds = _KINDS.get(key, (str,))
    if not isinstance(value, kinds) or (isinstance(value, bool) and bool not in kinds):
        raise PolicyError(f"{where}: `{key}` must be a {kinds[0].__name__}")
    return value


def check_rule(rule: Rule, where: str) -> None:
    """Refuse a rule that the engine could not hold to its promises.

    Raises:
        PolicyError: names `where`, the key and the fix.
    """
    try:
        parse(rule.pattern)
    except PolicyError as error:
        raise PolicyError(f"{where}: {error}") from None
    if rule.least < 1:
        raise PolicyError(f"{where}: `pattern` matches the empty text; make one part of it required")
    if not 0.0 <= rule.score <= 1.0:
        raise PolicyError(f"{where}: `score` must lie in 0..1")
    if not 0 <= rule.max_width <= 65536:
        raise PolicyError(f"{where}: `max_width` must lie in 0..65536")
    if rule.context_required and not rule.context:
        raise PolicyError(f"{where}: `context_required` needs words in `context`")


def _unique(rules: list[Rule], name: str) -> None:
    seen: set[str] = set()
    for rule in rules:
        if rule.id in seen:
            raise PolicyError(f"{name}: two rules have the id `{rule.id}`; rename one")
        seen.add(rule.id)
