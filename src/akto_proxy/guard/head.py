"""How a rule begins: the few first characters that set its matches apart, so that a stream can tell cheaply.

In a stream most rules wait for their head (`AKIA`, `password`). A start is live either because the text ends within
the head, which a small union of all heads tells, or because the head is complete, and only then is the rule's own,
larger closure asked. `anchor` is a short piece of every head: new text is searched for all anchors in one pass.

Trade-off: a rule without a rare beginning (an e-mail address) is its own head: all of it is part of the union.
"""

from __future__ import annotations

from dataclasses import dataclass
from math import ceil

from akto_proxy.guard.digits import asks, count
from akto_proxy.guard.shape import narrowest, widest
from akto_proxy.guard.syntax import Alt, Char, Mark, Node, Rep, Seq, Value
from akto_proxy.guard.trigger import Ask, bits, is_wide, letters_of, plain_run, shortest, write_bytes

OVERLAP = 64  # bytes of the text before that are searched again for anchors: the widest anchor
_RARE = 24.0  # bits that end a head: four or five letters
_FAIR = 12.0  # bits that end it where a wide or long part follows
_LEAST = 6.0  # bits that an anchor must have


@dataclass(frozen=True, slots=True)
class Head:
    """`node` begins every match; it is the `whole` pattern, or `anchor` occurs in it.

    `anchor` asks for at most OVERLAP bytes; it is empty where nothing is worth searching for.
    """

    node: Node
    whole: bool
    anchor: Ask


def head(node: Node) -> Head:
    """The head of a pattern. A head that cannot be searched for is the whole pattern."""
    cut, whole = _cut(node)
    anchor = _ask(cut)
    return Head(cut, whole, anchor) if whole or anchor else Head(node, True, _ask(node))


def _ask(node: Node) -> Ask:
    words = letters_of(_flat(node))
    if words:
        return Ask("", (words,))
    digits = count(node)
    # Hundreds of rules share the question for a number.
    return Ask(asks(digits) if digits > 3 else _anchor(node))


def _cut(node: Node) -> tuple[Node, bool]:
    """The beginning of `node` up to enough bits, and whether that is all of it."""
    items = _flat(node)
    taken: list[Node] = []
    said = 0.0
    for item in items:
        if said >= _RARE or (said >= _FAIR and _vague(item)):
            return Seq(tuple(taken)), False
        part, whole = _part(item, _RARE - said)
        taken.append(part)
        said += bits(part)
        if not whole:
            # A cut part cannot be followed by more. What is too common to tell apart is taken whole instead.
            return (Seq(tuple(taken)), False) if said >= _FAIR else (node, True)
    return node, True


def _part(item: Node, wanted: float) -> tuple[Node, bool]:
    """As much of one item as is needed to say `wanted` bits."""
    match item:
        case Alt(items):
            cuts = [_cut(branch) for branch in items]
            return Alt(tuple(part for part, _ in cuts)), all(whole for _, whole in cuts)
        case Rep(Char() as char, low, _) if bits(char) * low >= wanted > 0:
            times = ceil(wanted / bits(char))
            return Rep(char, times, times), False
        case Rep(inner, low, _) if not isinstance(inner, Char) and low > 0:
            return _cut(inner)[0], False
        case _:
            return item, True


def _vague(item: Node) -> bool:
    width = widest(item)
    return is_wide(item) or width is None or width > OVERLAP or narrowest(item) == 0


def _flat(node: Node) -> list[Node]:
    match node:
        case Seq(items):
            return [inner for item in items for inner in _flat(item)]
        case Value(item):
            return _flat(item)
        case _:
            return [node]


def _anchor(node: Node) -> str:
    """The piece of at most OVERLAP bytes that says most; "" where none says enough."""
    items = [item for item in _flat(node) if not isinstance(item, Mark)]
    if len(items) == 1 and isinstance(items[0], Alt):
        branches = [_anchor(item) for item in items[0].items]
        return "|".join(branches) if all(branches) else ""
    parts = [_measured(item) for item in items]
    said, best = max((_best_from(parts, begin) for begin in range(len(parts))), default=(0.0, (0, 0)))
    if said <= _LEAST:
        return next((found for item in items if isinstance(item, Alt) and (found := _anchor(item))), "")
    begin, end = best
    last = [parts[end - 1].least] if end - begin > 1 else []
    chosen = [parts[begin].least, *items[begin + 1 : end - 1], *last]
    return "".join(write_bytes(item) for item in plain_run(chosen))


@dataclass(frozen=True, slots=True)
class _Part:
    """An item and the least of it that a match must hold, with their widths (None: too wide) and bits."""

    least: Node
    needed: bool
    width: int | None
    least_width: int | None
    said: float
    least_said: float


def _measured(item: Node) -> _Part:
    least = shortest(item)
    return _Part(least, narrowest(item) > 0, widest(item), widest(least), bits(item), bits(least))


def _best_from(parts: list[_Part], begin: int) -> tuple[float, tuple[int, int]]:
    """The most that a run from `begin` says, and the run. Its first and last part count with their least only."""
    width, said = 0, 0.0
    best = (0.0, (0, 0))
    for at in range(begin, len(parts)):
        part = parts[at]
        least = part.least_width
        if least is None or width + least > OVERLAP or (at == begin and not part.needed):
            break
        if part.needed and said + part.least_said > best[0]:
            best = (said + part.least_said, (begin, at + 1))
        whole = least if at == begin else part.width
        if whole is None:
            break
        width, said = width + whole, said + (part.least_said if at == begin else part.said)
    return best
