"""A pattern's tree as a byte pattern for vectorscan, perhaps wider than the pattern: it narrows down, RE2 decides."""

from __future__ import annotations

from akto_proxy.guard.shape import bounds
from akto_proxy.guard.syntax import Alt, Char, Mark, Node, Rep, Seq, Value

MANY = 16  # a bounded repeat above this is cheaper to run without its upper bound


def write_bytes(node: Node) -> str:
    """The node over bytes, without its assertions, perhaps wider than it is."""
    match node:
        case Char():
            return _klass(node) if _ascii(node) else _exact(node) or _klass(node) + "{1,4}"
        case Mark():
            return ""
        case Value(item):
            return write_bytes(item)
        case Seq(items):
            return "".join(write_bytes(item) for item in items)
        case Alt(items):
            return "(?:" + "|".join(write_bytes(item) for item in items) + ")"
        case Rep():
            return _repeat(node)


def _repeat(node: Rep) -> str:
    if isinstance(node.item, Char):
        inner = _klass(node.item)
        high = node.high if node.high is None or _ascii(node.item) else node.high * 4
    else:
        inner, high = f"(?:{write_bytes(node.item)})", node.high
    # Two long counted repeats in one database make vectorscan quadratic on a run that both may take (1.1 s
    # for 1 MB of one digit, 113 s for 10), so counting ends at MANY.
    low = min(node.low, MANY)
    return inner + bounds(low, None if high is not None and high > MANY else high)


def _ascii(char: Char) -> bool:
    return not char.ranges or char.ranges[-1][1] < 128


def _exact(char: Char) -> str:
    if char.source or len(char.ranges) != 1 or char.ranges[0][0] != char.ranges[0][1]:
        return ""
    return "".join(f"\\x{byte:02x}" for byte in chr(char.ranges[0][0]).encode("utf-8", "replace"))


def _klass(char: Char) -> str:
    """The class over bytes: every byte of a non-ASCII character is let through."""
    parts = [_byte(low) if low == high else f"{_byte(low)}-{_byte(min(high, 127))}" for low, high in _low(char)]
    if not _ascii(char):
        parts.append("\\x80-\\xff")
    return "[" + "".join(parts) + "]" if len(parts) > 1 or len(parts[0]) > 4 or "-" in parts[0] else parts[0]


def _low(char: Char) -> list[tuple[int, int]]:
    return [(low, min(high, 127)) for low, high in char.ranges if low < 128]


def _byte(value: int) -> str:
    char = chr(value)
    return char if char.isascii() and char.isalnum() else f"\\x{value:02x}"
