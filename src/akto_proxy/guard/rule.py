"""A rule: a pattern, what a match of it is called, and its own proof (texts it must and must not find).

A match is judged only by what lies within `reach` bytes from its start and `reach_before` bytes before it. That is what
makes a stream's answer equal to the whole text's: no rule can see further than the guard holds back.
"""

from __future__ import annotations

from dataclasses import dataclass

from akto_proxy.guard.shape import narrowest, widest
from akto_proxy.guard.syntax import parse

CONTEXT = 64
"""Bytes before a match in which keywords and context words count; twice that where they are not all ASCII."""

DEFAULT_WIDTH = 1024
"""The width of a pattern without a longest match (`x*`), where the rule gives no `max_width`."""


@dataclass(frozen=True, slots=True)
class Rule:
    """What to look for and what to call it.

    `pattern` is RE2 syntax; a group named `v` narrows the finding to that group. A match sees at most `max_width`
    bytes from its start: 0 means the pattern's own longest match, or 1,024 where it has none. At least one of
    `keywords` must occur within the context window before the match or inside it. A word of `context` in that window
    raises the score by `context_boost` (to 0.4 at least); with `context_required` there is no finding without one.
    `validator` names a check of the matched text, `entropy` is the least Shannon entropy of it in bits a character.
    `yes` and `no` are the rule's own examples, `source` cites where the form is published, `controls` are ids such as
    `OWASP-LLM:LLM02`.
    """

    id: str
    entity: str
    category: str
    pattern: str
    score: float = 0.8
    validator: str = ""
    context: tuple[str, ...] = ()
    context_required: bool = False
    context_boost: float = 0.35
    keywords: tuple[str, ...] = ()
    entropy: float = 0.0
    yes: tuple[str, ...] = ()
    no: tuple[str, ...] = ()
    source: str = ""
    family: str = ""
    controls: tuple[str, ...] = ()
    max_width: int = 0

    @property
    def reach(self) -> int:
        """The bytes from its start that a match of this rule may depend on."""
        return self.max_width or widest(parse(self.pattern)) or DEFAULT_WIDTH

    @property
    def reach_before(self) -> int:
        """The bytes before its start that a match of this rule may depend on (one character at least)."""
        return 2 * CONTEXT if self.keywords or self.context else 4

    @property
    def least(self) -> int:
        """The characters of the shortest match."""
        return narrowest(parse(self.pattern))
