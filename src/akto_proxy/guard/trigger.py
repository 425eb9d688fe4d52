"""The cheap question asked of every text: could this rule match anywhere in it?

A question is put together of what `rare` finds in the pattern: groups of words, of which a match holds one each, and a
byte pattern for vectorscan, as a rule one that many rules share. It may be answered yes without a match, never the
other way round.
"""

from __future__ import annotations

from dataclasses import dataclass

from akto_proxy.guard import rare
from akto_proxy.guard.bytewise import write_bytes
from akto_proxy.guard.syntax import Node

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


def _either(found: rare.Piece) -> str:
    return "|".join(found.patterns)
