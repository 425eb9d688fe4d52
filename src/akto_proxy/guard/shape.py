"""What a pattern's tree says: how wide a match can be, and the same tree as RE2 text.

Widths are in UTF-8 bytes, because the matchers work on bytes: an upper bound is what exactness needs, so a class that
may take any character counts four.
"""

from __future__ import annotations

from akto_proxy.guard.syntax import Alt, Char, Mark, Node, Ranges, Rep, Seq, Value


def widest(node: Node) -> int | None:
    """The bytes of the longest match, None when there is no longest."""
    match node:
        case Char(ranges):
            return len(chr(ranges[-1][1]).encode("utf-8", "surrogatepass")) if ranges else 0
        case Mark():
            return 0
        case Value(item):
            return widest(item)
        case Seq(items):
            return _total([widest(item) for item in items])
        case Alt(items):
            widths = [widest(item) for item in items]
            return None if None in widths else max(width or 0 for width in widths)
        case Rep(item, _, high):
            width = widest(item)
            return 0 if width == 0 else None if width is None or high is None else width * high


def narrowest(node: Node) -> int:
    """The characters of the shortest match."""
    match node:
        case Char():
            return 1
        case Mark():
            return 0
        case Value(item):
            return narrowest(item)
        case Seq(items):
            return sum(narrowest(item) for item in items)
        case Alt(items):
            return min(narrowest(item) for item in items)
        case Rep(item, low):
            return low * narrowest(item)


def _total(widths: list[int | None]) -> int | None:
    return None if None in widths else sum(width or 0 for width in widths)


def write(node: Node) -> str:
    """The tree as RE2 text in which only `v` is a capturing group and no flag is needed."""
    match node:
        case Char():
            return write_char(node)
        case Mark(source):
            return source
        case Value(item):
            return f"({write(item)})"
        case Seq(items):
            return "".join(write(item) for item in items)
        case Alt(items):
            return "(?:" + "|".join(write(item) for item in items) + ")"
        case Rep(item, low, high, lazy):
            return write_atom(item, write(item)) + bounds(low, high) + ("?" if lazy else "")


def write_atom(node: Node, text: str) -> str:
    """`text` (what `node` was written as) so that a repeat sign after it holds for all of it."""
    return text if isinstance(node, Char) else f"(?:{text})"


def bounds(low: int, high: int | None) -> str:
    """The repeat sign for `low` to `high`."""
    signs = {(0, None): "*", (1, None): "+", (0, 1): "?"}
    top = "" if high is None else str(high)
    return signs.get((low, high)) or (f"{{{low}}}" if low == high else f"{{{low},{top}}}")


def write_char(char: Char) -> str:
    """One character or class as RE2 text."""
    if char.source:
        return char.source
    if len(char.ranges) == 1 and char.ranges[0][0] == char.ranges[0][1]:
        return code(char.ranges[0][0])
    return klass(char.ranges) if char.ranges else "[^\\x{0}-\\x{10ffff}]"


def klass(ranges: Ranges) -> str:
    """The ranges as a class."""
    return "[" + "".join(code(low) if low == high else f"{code(low)}-{code(high)}" for low, high in ranges) + "]"


def code(point: int) -> str:
    """One character, escaped unless it can only be itself."""
    char = chr(point)
    return char if char.isascii() and char.isalnum() else f"\\x{{{point:x}}}"
