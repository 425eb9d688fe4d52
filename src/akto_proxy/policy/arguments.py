"""A small JSON Schema for the arguments of tools: enough to say which calls are allowed, nothing that can hang.

Known keywords: type, enum, const, required, properties, additionalProperties (a boolean), items, minItems, maxItems,
minLength, maxLength, pattern (RE2), minimum, maximum. Any other is refused when the policy is read, so a keyword that
would not be checked can never give false comfort.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from akto_proxy.policy.pattern import PatternError, compiled

MAX_DEPTH = 16

TYPES: dict[str, tuple[type, ...]] = {
    "string": (str,),
    "integer": (int,),
    "number": (int, float),
    "boolean": (bool,),
    "object": (dict,),
    "array": (list,),
    "null": (type(None),),
}


def check_schema(schema: Any, depth: int = 0) -> None:
    """Refuse a schema with a keyword that would not be checked.

    Raises:
        PatternError: an unknown keyword, a wrong type, or more than 16 levels.
    """
    if depth > MAX_DEPTH or not isinstance(schema, dict):
        raise PatternError(f"an argument schema is an object, at most {MAX_DEPTH} levels deep")
    for key, value in schema.items():
        if key not in CHECKS and key not in ("title", "description", "default", "$schema", "examples"):
            raise PatternError(f"`{str(key)[:40]}` is not checked in argument schemas: use {', '.join(sorted(CHECKS))}")
        if key == "pattern":
            compiled(str(value))
        elif key == "type" and not set(_many(value)) <= set(TYPES):
            raise PatternError(f"type is one of {', '.join(TYPES)}")
        elif key == "properties":
            for inner in dict(value).values():
                check_schema(inner, depth + 1)
        elif key == "items":
            check_schema(value, depth + 1)


def valid(schema: dict[str, Any], value: Any) -> bool:
    """Whether `value` keeps `schema` (one that `check_schema` took)."""
    return all(CHECKS[key](bound, value, schema) for key, bound in schema.items() if key in CHECKS)


def _many(value: Any) -> list[Any]:
    return list(value) if isinstance(value, list | tuple) else [value]


def _is(kind: str, value: Any) -> bool:
    if isinstance(value, bool):
        return kind == "boolean"
    return isinstance(value, TYPES[kind]) or (kind == "integer" and isinstance(value, float) and value.is_integer())


def _number(value: Any) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool)


def _properties(bound: Any, value: Any, _: Any) -> bool:
    return not isinstance(value, dict) or all(valid(bound[key], value[key]) for key in value if key in bound)


def _additional(bound: Any, value: Any, schema: Any) -> bool:
    return bound is not False or not isinstance(value, dict) or set(value) <= set(schema.get("properties", ()))


CHECKS: dict[str, Callable[[Any, Any, Any], bool]] = {
    "type": lambda bound, value, _: any(_is(kind, value) for kind in _many(bound)),
    "enum": lambda bound, value, _: any(value == item and type(value) is type(item) for item in bound),
    "const": lambda bound, value, _: bool(value == bound) and type(value) is type(bound),
    "required": lambda bound, value, _: not isinstance(value, dict) or set(bound) <= set(value),
    "properties": _properties,
    "additionalProperties": _additional,
    "items": lambda bound, value, _: not isinstance(value, list) or all(valid(bound, item) for item in value),
    "minItems": lambda bound, value, _: not isinstance(value, list) or len(value) >= bound,
    "maxItems": lambda bound, value, _: not isinstance(value, list) or len(value) <= bound,
    "minLength": lambda bound, value, _: not isinstance(value, str) or len(value) >= bound,
    "maxLength": lambda bound, value, _: not isinstance(value, str) or len(value) <= bound,
    "pattern": lambda bound, value, _: not isinstance(value, str) or compiled(bound).search(value) is not None,
    "minimum": lambda bound, value, _: not _number(value) or value >= bound,
    "maximum": lambda bound, value, _: not _number(value) or value <= bound,
}
"""Keyword -> its check of (bound, value, the whole schema)."""
