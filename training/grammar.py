"""Texts from slots: `{name}` is replaced by a line of that slot, `[a|b|]` by one of its alternatives, both recursively.

Trade-off: a grammar knows nothing of sense, so some sentences are odd. Odd is fine: people who attack write oddly too.
"""

from __future__ import annotations

import random
import re
from collections.abc import Callable

_SLOT = re.compile(r"\{(\w+)\}")
_CHOICE = re.compile(r"\[([^\[\]]*\|[^\[\]]*)\]")


class Grammar:
    """Slots by name, expanded with the random source that is passed in. What `refuse` says yes to is drawn again."""

    def __init__(
        self, slots: dict[str, list[str]], chance: random.Random, refuse: Callable[[str], bool] = lambda text: False
    ) -> None:
        self.slots = slots
        self.chance = chance
        self.refuse = refuse

    def expand(self, template: str) -> str:
        """One text made from `template`."""
        for _ in range(40):
            before = template
            template = _CHOICE.sub(lambda m: self.chance.choice(m.group(1).split("|")), template)
            template = _SLOT.sub(self._fill, template, count=1)
            if template == before:
                break
        return re.sub(r"  +", " ", template).strip()

    def one(self, slot: str) -> str:
        """One text of the slot named `slot`."""
        text = self.expand("{" + slot + "}")
        while self.refuse(text):
            text = self.expand("{" + slot + "}")
        return text

    def _fill(self, match: re.Match[str]) -> str:
        lines = self.slots.get(match.group(1))
        return self.chance.choice(lines) if lines else "(" + match.group(1) + ")"


def lines(text: str) -> list[str]:
    """The non-empty lines of `text`; a backslash and an n become a line break."""
    return [line.strip().replace("\\n", "\n") for line in text.strip().splitlines() if line.strip()]
