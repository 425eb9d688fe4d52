"""What could still become a match: for each rule a pattern of every beginning of its matches.

A start is live when the text from there to its end is such a beginning. The beginnings of all rules are one union
anchored at the end of the text; RE2 runs that backwards from the end and stops where nothing is live, so its cost does
not grow with the text. A match that ends at the end of the text is live too: one more character may change it.

Trade-off: long bounded repeats become unbounded ones, which keeps RE2's automaton small and makes more live, never
less. The rule's own reach then ends what no longer can match.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from contextlib import suppress
from typing import Any

import re2

from akto_proxy.errors import PolicyError
from akto_proxy.guard.matcher import compile_re2
from akto_proxy.guard.shape import bounds, write, write_atom
from akto_proxy.guard.syntax import Alt, Char, Mark, Node, Rep, Seq, Value

EXACT = 8  # a repeat of one character up to this is kept exact
MEMORY = 24  # MiB that RE2 may use for one group; it takes them only as texts need them
_TIERS = (160, 2048)  # rules of like reach share a group, so that a short one is not searched a long way back

_FREE = re2._Anchor.UNANCHORED


def closure(node: Node) -> str:
    """A pattern that matches every beginning of every match of `node` (and the empty text)."""
    return _beginnings(node)


def _beginnings(node: Node) -> str:
    match node:
        case Char():
            return write(node) + "?"
        case Mark():
            return ""
        case Value(item):
            return _beginnings(item)
        case Alt(items):
            return "(?:" + "|".join(_beginnings(item) for item in items) + ")"
        case Rep(item, low, high):
            return _begun_repeat(item, low, high)
        case Seq(items):
            return _begun_sequence(items)


def _begun_sequence(items: tuple[Node, ...]) -> str:
    rest = ""
    for item in reversed(items):
        if isinstance(item, Char | Mark):
            # The rest may be empty, so `(?:x rest)?` holds x alone too; a mark without a rest says nothing.
            rest = f"(?:{write(item)}{rest})?" if rest or isinstance(item, Char) else ""
        elif rest:
            rest = f"(?:{_beginnings(item)}|{_loose(item)}{rest})"
        else:
            rest = _beginnings(item)
    return rest


def _begun_repeat(item: Node, low: int, high: int | None) -> str:
    if isinstance(item, Char):
        return write(item) + (bounds(0, high) if high is not None and high <= EXACT else "*")
    again = f"(?:{_loose(item)})"
    times = "*" if high is None or high > 4 else bounds(0, max(0, high - 1)) if high > 1 else "{0}"
    return _beginnings(item) if times == "{0}" else f"(?:{again}{times}{_beginnings(item)})"


def _loose(node: Node) -> str:
    """`node` itself, but for repeats that are made endless."""
    match node:
        case Value(item):
            return _loose(item)
        case Seq(items):
            return "".join(_loose(item) for item in items)
        case Alt(items):
            return "(?:" + "|".join(_loose(item) for item in items) + ")"
        case Rep(item, low, high):
            limit = EXACT if isinstance(item, Char) else 4
            endless = high is None or high > limit
            return write_atom(item, _loose(item)) + bounds(min(low, 1) if endless else low, None if endless else high)
        case _:
            return write(node)


class Closures:
    """The beginnings of some beginnings, in as few groups as RE2 can hold."""

    def __init__(self, beginnings: Sequence[tuple[str, int]]) -> None:
        """Each closure comes with its reach: the bytes from a start after which that start is decided."""
        self._groups: list[tuple[int, Any]] = []
        below = 0
        for tier in (*_TIERS, None):
            chosen = [(text, reach) for text, reach in beginnings if reach > below and (tier is None or reach <= tier)]
            below = tier or below
            if chosen:
                self._add(chosen)
        self._near = min((reach for reach, _ in self._groups), default=0)
        self._all: Any = self._groups[0][1] if len(self._groups) == 1 else None
        if len(self._groups) > 1:
            with suppress(PolicyError):  # too much for one: then each group is asked
                self._all = _compiled([text for text, _ in beginnings])

    def _add(self, beginnings: list[tuple[str, int]]) -> None:
        try:
            match = _compiled([text for text, _ in beginnings])
        except PolicyError:
            if len(beginnings) == 1:
                raise
            half = len(beginnings) // 2
            self._add(beginnings[:half])
            self._add(beginnings[half:])
            return
        self._groups.append((max(reach for _, reach in beginnings), match))

    def earliest(self, data: bytes, begin: int) -> int:
        """The earliest live start in `data[begin:]`, the end of `data` when there is none."""
        end = len(data)
        if self._all is not None and end - begin <= self._near:  # nearly always: little is held
            return self._all(_FREE, data, begin, end)[0][0]  # type: ignore[no-any-return]
        live = end
        for reach, match in self._groups:
            # A start further back than the reach is decided: what follows the widest match is known.
            since = max(begin, end - reach)
            if since < live:
                live = min(live, match(_FREE, data, since, end)[0][0])
        return live


def _compiled(beginnings: Iterable[str]) -> Any:
    union = "|".join(sorted(set(beginnings)))
    return compile_re2(f"(?:{union})\\z", MEMORY).Match
