"""Which of several findings of one stretch of text stays: the higher score, then the longer, then the earlier.

Only findings of one lane compete. Secrets and personal data are one lane, because they name the same characters; what
is said about a text (an attack, a harmful request, an operator's own rule) never pushes a value out of sight. A name
that was guessed gives way to whatever has a form of its own: a password with a surname in it is a password.
"""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Callable, Sequence
from typing import TypeVar

from akto_proxy.model import Finding

Item = TypeVar("Item")
Key = tuple[float, int, int, str]
"""What ranks an item: minus its score, minus its length, its start, its rule."""

_DATA = ("pii", "secrets")
_GUESSED = frozenset(("person", "location", "organization"))
"""Rules of the learned names: their scores are a model's, and mean nothing beside a form's."""
_GUESS = 0.5
"""The score that a guessed name ranks with at most: what policies take by default goes first, a mere link does not."""


def lane(rule: str, category: str) -> str:
    """The lane in which findings of this rule compete."""
    return "data" if category in _DATA else rule if category == "custom" else category


def pick(items: Sequence[Item], span: Callable[[Item], tuple[int, int]], key: Callable[[Item], Key]) -> list[Item]:
    """The items of one lane that stay, sorted by start: each unless one that ranks before it overlaps."""
    if len(items) < 2:
        return list(items)
    starts: list[int] = []
    kept: list[tuple[int, Item]] = []
    for item in sorted(items, key=key):
        start, end = span(item)
        at = bisect_left(starts, end)
        if at and kept[at - 1][0] > start:
            continue
        starts.insert(at, start)
        kept.insert(at, (end, item))
    return [item for _, item in kept]


def resolve(findings: Sequence[Finding]) -> list[Finding]:
    """The findings of one text that stay, sorted."""
    if len(findings) < 2:
        return list(findings)
    lanes: dict[str, list[Finding]] = {}
    for found in findings:
        lanes.setdefault(lane(found.rule, found.category), []).append(found)
    return sorted(item for group in lanes.values() for item in pick(group, _span, _key))


def _span(found: Finding) -> tuple[int, int]:
    return found.start, found.end


def _key(found: Finding) -> Key:
    score = min(found.score, _GUESS) if found.rule in _GUESSED else found.score
    return -score, found.start - found.end, found.start, found.rule
