"""The small language of alert rules: names, constants, comparisons, `in`, `and`, `or`, `not`. Nothing can be called.

Python's own parser reads it, a walker of a dozen lines evaluates it: no attribute, no index, no arithmetic, so a rule
can neither do anything nor take long.
"""

from __future__ import annotations

import ast
import operator
from collections.abc import Callable, Mapping
from typing import Any

from akto_proxy.errors import ConfigError
from akto_proxy.model import Action, Severity

LONGEST = 500
CONSTANTS: dict[str, Any] = {level.label: int(level) for level in (*Severity, *Action)} | {"true": True, "false": False}
_COMPARE: dict[type[ast.cmpop], Callable[[Any, Any], bool]] = {
    ast.Eq: operator.eq,
    ast.NotEq: operator.ne,
    ast.Lt: operator.lt,
    ast.LtE: operator.le,
    ast.Gt: operator.gt,
    ast.GtE: operator.ge,
    ast.In: lambda left, right: left in right,
    ast.NotIn: lambda left, right: left not in right,
}


class Expression:
    """A checked expression.

    Raises:
        ConfigError: it is not in the language, or uses a name that is not known.
    """

    def __init__(self, text: str, names: frozenset[str]) -> None:
        self.text = text
        try:
            if len(text) > LONGEST:
                raise ConfigError(f"alert rule: an expression has at most {LONGEST} characters")
            self._tree = ast.parse(text.strip(), mode="eval").body
        except (SyntaxError, ValueError, RecursionError, MemoryError):
            raise ConfigError(f"alert rule: `{text[:80]}` cannot be read; see docs/watch.md") from None
        _check(self._tree, names | CONSTANTS.keys())

    def __call__(self, values: Mapping[str, Any]) -> bool:
        """Whether it is true of these values. A comparison of things that do not compare is false."""
        try:
            return bool(_value(self._tree, values))
        except TypeError:
            return False


def _check(node: ast.AST, names: frozenset[str]) -> None:
    if isinstance(node, ast.Name) and node.id not in names:
        raise ConfigError(f"alert rule: there is no `{node.id}`; known are {', '.join(sorted(names))}")
    if isinstance(node, ast.Compare) and not all(type(op) in _COMPARE for op in node.ops):
        raise ConfigError("alert rule: only ==, !=, <, <=, >, >=, in and not in compare")
    if isinstance(node, ast.UnaryOp) and not isinstance(node.op, ast.Not):
        raise ConfigError("alert rule: `not` is the only operator with one side")
    known = (ast.BoolOp, ast.UnaryOp, ast.Compare, ast.Name, ast.Constant, ast.Tuple, ast.List)
    if not isinstance(node, known):
        raise ConfigError(f"alert rule: {type(node).__name__} is not allowed in an expression")
    for child in ast.iter_child_nodes(node):
        if not isinstance(child, ast.boolop | ast.unaryop | ast.cmpop | ast.expr_context):
            _check(child, names)


def _value(node: ast.expr, values: Mapping[str, Any]) -> Any:
    if isinstance(node, ast.Constant):
        return node.value
    if isinstance(node, ast.Name):
        return values[node.id] if node.id in values else CONSTANTS.get(node.id)
    if isinstance(node, ast.BoolOp):
        if isinstance(node.op, ast.And):
            return all(_value(item, values) for item in node.values)
        return any(_value(item, values) for item in node.values)
    if isinstance(node, ast.UnaryOp):
        return not _value(node.operand, values)
    if isinstance(node, ast.Tuple | ast.List):
        return [_value(item, values) for item in node.elts]
    assert isinstance(node, ast.Compare)
    left = _value(node.left, values)
    for compare, right_node in zip(node.ops, node.comparators, strict=True):
        right = _value(right_node, values)
        if not _COMPARE[type(compare)](left, right):
            return False
        left = right
    return True
