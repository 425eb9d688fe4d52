"""Mistakes in a settings file, in the words of those who write YAML: a list, not a tuple; lines, not a dict.

Trade-off: kinds that pydantic may add later are said as pydantic says them.
"""

from __future__ import annotations

from typing import Annotated, Any

from pydantic import BeforeValidator

_EXPECTED = {
    "int_parsing": "expected a whole number", "int_type": "expected a whole number",
    "int_from_float": "expected a whole number", "float_parsing": "expected a number",
    "float_type": "expected a number", "bool_parsing": "expected true or false", "bool_type": "expected true or false",
    "string_type": "expected a text", "list_type": "expected a list", "tuple_type": "expected a list",
    "dict_type": "expected `name: value` lines", "missing": "must be given",
    "greater_than_equal": "expected {ge} or more", "greater_than": "expected more than {gt}",
    "less_than_equal": "expected {le} or less", "less_than": "expected less than {lt}",
    "literal_error": "expected {expected}", "enum": "expected {expected}",
    "json_invalid": "expected JSON",
}  # fmt: skip
"""Pydantic's kinds of mistakes in our words."""


def expected(problem: Any) -> str:
    """What should have been there, of one of the `errors()` of a ValidationError."""
    words = _EXPECTED.get(problem["type"])
    if words is None:
        return str(problem["msg"]).removeprefix("Value error, ")
    return words.format(**problem.get("ctx", {}))


def _listed(value: object) -> object:
    return (value,) if isinstance(value, str) else value


Listed = Annotated[tuple[str, ...], BeforeValidator(_listed)]
"""Texts; a lone one may stand without the brackets of a list."""
