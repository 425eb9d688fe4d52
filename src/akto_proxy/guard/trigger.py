"""The cheap question asked of every text: could this rule match anywhere in it?

A question is put together of what `rare` finds in the pattern: groups of words, of which a match holds one each, and a
byte pattern for vectorscan, as a rule one that many rules share. It may be answered yes without a match, never the
other way round.
"""

from __future__ import annotations

from dataclasses import dataclass

from akto_proxy.guard import rare
from akto_proxy.guard.bytewise import MANY, write_bytes
from akto_proxy.guard.rare import flat
from akto_proxy.guard.shape import narrowest
from akto_proxy.guard.syntax import Alt, Node, Rep

_GROUPS = 2  # of words that are asked for; more of them narrow down little and make hits
_RARE = 8.0  # bits of a shared pattern that is asked for alone
_SIGNS = 9.5  # bits of a pattern beside words that is worth an automaton of its own


@dataclass(frozen=True, slots=True)
class Ask:
    """What must occur in a text for a rule to match: the byte pattern, and of each group of words one (any case).

    Without a pattern and words there is nothing to ask.
    """

    pattern: str = ""
    words: tuple[tuple[bytes, ...], ...] = ()

    def __bool__(self) -> bool:
        return bool(self.pattern or self.words)


def ask(node: Node, keywords: tuple[bytes, ...]) -> Ask:
    """The question for a rule: its own words and keywords, and the rarest pattern that adds to them."""
    groups = (*rare.words(node)[:_GROUPS], keywords)
    words = tuple(dict.fromkeys(group for group in groups if group))
    shared = rare.run(node)
    if shared.said >= _RARE or (words and shared.said):
        return Ask(_either(shared), words)
    if not words:
        return Ask(_either(rare.piece(node)) or write_bytes(node))
    signs = rare.piece(node, letters=False)
    return Ask(_either(signs) if signs.said >= _SIGNS and len(signs.patterns) == 1 else "", words)


def second(node: Node) -> Ask:
    """The question for a rule that is told by common words alone: its whole form, asked where its words occur.

    Empty for rules with a number or a long run in them: for these the first question is rare enough.
    """
    if rare.run(node).said > _RARE:
        return Ask()
    items = _trimmed(flat(node))
    if len(items) == 1 and isinstance(items[0], Alt):
        branches = [_trimmed(flat(branch)) for branch in items[0].items]
        return Ask("|".join("".join(map(write_bytes, branch)) for branch in branches)) if all(branches) else Ask()
    return Ask("".join(map(write_bytes, items)))


def _trimmed(items: list[Node]) -> list[Node]:
    """Without what the edges do not need: optional items, and repeats beyond the first."""
    begin, end = 0, len(items)
    while begin < end and narrowest(items[begin]) == 0:
        begin += 1
    while end > begin and narrowest(items[end - 1]) == 0:
        end -= 1
    kept = items[begin:end]
    for edge in {0, len(kept) - 1} if kept else ():
        item = kept[edge]
        kept[edge] = Rep(item.item, min(item.low, MANY), min(item.low, MANY)) if isinstance(item, Rep) else item
    return kept


def _either(found: rare.Piece) -> str:
    return "|".join(found.patterns)
