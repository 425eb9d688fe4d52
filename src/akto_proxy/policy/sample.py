r"""The shortest plain text that a pattern describes: an example for a pattern that came without one.

Marks such as `\b` add nothing, so the text is a proposal: whoever uses it must check that the pattern finds it.
"""

from __future__ import annotations

from akto_proxy.guard.syntax import Alt, Char, Mark, Node, Rep, Seq, Value

MAX_SAMPLE = 2_000


def shortest(node: Node) -> str:
    """A text for a pattern's tree, at most 2,000 characters."""
    return _text(node)[:MAX_SAMPLE]


def _text(node: Node) -> str:
    match node:
        case Char(ranges):
            return _char(ranges)
        case Mark():
            return ""
        case Value(item):
            return _text(item)
        case Seq(items):
            return "".join(map(_text, items))
        case Alt(items):
            return min(map(_text, items), key=len)
        case Rep(item, low):
            return (_text(item)[:MAX_SAMPLE] * min(low, MAX_SAMPLE))[:MAX_SAMPLE]


def _char(ranges: tuple[tuple[int, int], ...]) -> str:
    """A letter or digit where the class has one."""
    for low, high in ranges:
        for first, last in ((97, 122), (48, 57), (65, 90), (33, 126)):
            if max(low, first) <= min(high, last):
                return chr(max(low, first))
    return chr(ranges[0][0]) if ranges else ""
