"""The cheap question asked of every text: could this rule match anywhere in it?

A trigger is a byte pattern for vectorscan that matches inside every match of the rule, cut down to the part that is
rare and cheap: assertions go, optional edges go, wide runs before the first rare character go (`@` instead of
`[a-z0-9._]{1,64}@...`: 5.5 us became 2 for 600 characters). It may fire without a match, never the other way round.
"""

from __future__ import annotations

from math import log2

from akto_proxy.guard.shape import bounds, narrowest
from akto_proxy.guard.syntax import Alt, Char, Mark, Node, Rep, Seq, Value

WIDE = 16  # a class of more characters than this says little
ENOUGH = 12.0  # bits that make a trigger rare enough to leave the rest of the pattern out
MANY = 16  # a bounded repeat above this is cheaper to run without its upper bound


def trigger(node: Node) -> str:
    """A vectorscan byte pattern (no flags needed) that matches within every match of `node`."""
    items = _flat(node)
    if len(items) == 1 and isinstance(items[0], Alt):
        return "|".join(trigger(item) for item in items[0].items)
    whole = _trimmed(items, wide=False)
    core = _trimmed(items, wide=True)
    chosen = core if sum(bits(item) for item in core) >= ENOUGH else whole
    return "".join(write_bytes(item) for item in chosen)


def _flat(node: Node) -> list[Node]:
    match node:
        case Seq(items):
            return [inner for item in items for inner in _flat(item)]
        case Value(item):
            return _flat(item)
        case Mark():
            return []
        case _:
            return [node]


def _trimmed(items: list[Node], *, wide: bool) -> list[Node]:
    """Without what the edges do not need: optional items, on the left also wide ones, repeats beyond the first."""
    begin, end = 0, len(items)
    while begin < end and (narrowest(items[begin]) == 0 or (wide and is_wide(items[begin]))):
        begin += 1
    while end > begin and narrowest(items[end - 1]) == 0:
        end -= 1
    kept = items[begin:end]
    for edge in {0, len(kept) - 1} if kept else ():
        kept[edge] = _shortest(kept[edge])
    return kept


def _shortest(node: Node) -> Node:
    return Rep(node.item, node.low, node.low) if isinstance(node, Rep) else node


def is_wide(node: Node) -> bool:
    """Whether it is a class of many characters, or a repeat of one."""
    inner = node.item if isinstance(node, Rep) else node
    return isinstance(inner, Char) and _size(inner) > WIDE


def _size(char: Char) -> int:
    return sum(high - low + 1 for low, high in char.ranges)


def bits(node: Node) -> float:
    """How much a match of `node` says, in bits, against random printable ASCII."""
    match node:
        case Char():
            return max(0.0, log2(96 / max(1, _size(node))))
        case Rep(item, low):
            return low * bits(item)
        case Alt(items):
            return min(bits(item) for item in items)
        case Seq(items):
            return sum(bits(item) for item in items)
        case Value(item):
            return bits(item)
        case Mark():
            return 0.0


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
    if high is not None and high > MANY and high != node.low:
        high = None
    return inner + bounds(node.low, high)


def _ascii(char: Char) -> bool:
    return not char.ranges or char.ranges[-1][1] < 128


def _exact(char: Char) -> str:
    if char.source or len(char.ranges) != 1 or char.ranges[0][0] != char.ranges[0][1]:
        return ""
    return "".join(f"\\x{byte:02x}" for byte in chr(char.ranges[0][0]).encode("utf-8", "replace"))


def _klass(char: Char) -> str:
    """The class over bytes: every byte of a non-ASCII character is let through."""
    parts = [f"\\x{low:02x}-\\x{min(high, 127):02x}" for low, high in char.ranges if low < 128]
    if not _ascii(char):
        parts.append("\\x80-\\xff")
    return "[" + "".join(parts) + "]"
