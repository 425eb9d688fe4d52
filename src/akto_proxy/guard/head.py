"""How a rule begins: the few first characters that set its matches apart, so that a stream can tell cheaply.

In a stream most rules wait for their head (`AKIA`, `password`). A start is live either because the text ends within
the head, which a small union of all heads tells, or because the head is complete, and only then is the rule's own,
larger closure asked. `anchor` is a short piece of every head: new text is searched for all anchors in one pass.

Trade-off: a rule without a rare beginning (an e-mail address) is its own head: all of it is part of the union.
"""

from __future__ import annotations

from dataclasses import dataclass
from math import ceil

from akto_proxy.guard.anchor import OVERLAP, anchor, bits, flat, is_wide
from akto_proxy.guard.shape import narrowest, widest
from akto_proxy.guard.syntax import Alt, Char, Node, Rep, Seq
from akto_proxy.guard.trigger import Ask

_RARE = 24.0  # bits that end a head: four or five letters
_GAP = 2  # bytes of an optional part that a head reaches over: `row[_-]?key` begins with more than `row`
_FAIR = 12.0  # bits that end it where a wide or long part follows


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
    asked = anchor(cut)
    return Head(cut, whole, asked) if whole or asked else Head(node, True, anchor(node))


def _cut(node: Node) -> tuple[Node, bool]:
    """The beginning of `node` up to enough bits, and whether that is all of it."""
    items = flat(node)
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
    return is_wide(item) or width is None or width > OVERLAP or (narrowest(item) == 0 and width > _GAP)
