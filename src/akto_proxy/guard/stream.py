"""Guard a text that arrives in pieces, with the answer that the whole text would have got.

1. Text before the earliest live start (see `closure`) is decided: no rule can still begin there and change its mind.
2. Matches that start there are final. A finding that reaches over that place, and those that overlap it, stay held,
   because a later finding may outrank them; all others leave with their text.
3. What leaves is remembered for as far as any rule looks back: context words, word boundaries, and
   where a rule goes on looking.

So the pieces put together equal the batch scan, for every cutting. The price: text is late by at most the widest rule
that is live at the end of it (in prose the last word, because it may be the beginning of an e-mail address).

Trade-off: `limit` bounds what is held. Beyond it the guard fails closed: the held candidate leaves as a finding of the
live rule, and what follows within that rule's reach too. A limit of at least the widest rule's reach makes this happen
only for an endless chain of overlapping findings.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import NamedTuple

from akto_proxy.guard.anchor import OVERLAP
from akto_proxy.guard.closure import Closures
from akto_proxy.guard.core import Core, Raw
from akto_proxy.model import Finding

_PATIENT = 256  # bytes held above which the guard waits for an eighth more before it looks again
_FEW = 3  # rules that are looked for at once


class Released(NamedTuple):
    """Text that may go on, and the findings in it (offsets relative to `text`). One is made for every event."""

    text: str = ""
    findings: tuple[Finding, ...] = ()


NOTHING = Released()


class Watch:
    """What a set of enabled rules needs in streams. Made once a set, shared by its streams."""

    def __init__(self, core: Core, numbers: Iterable[int]) -> None:
        self.numbers = frozenset(numbers)
        chosen = [core.beginnings[number] for number in sorted(self.numbers)]
        self.always = not all(item.anchored for item in chosen)
        self.heads = Closures([(item.closure, item.reach) for item in chosen])


class StreamGuard:
    """One lane of text. Not for use from several threads."""

    __slots__ = (
        "_armed",
        "_base",
        "_core",
        "_data",
        "_debt",
        "_limit",
        "_recent",
        "_resume",
        "_seen",
        "_text",
        "_wait",
        "_watch",
    )

    def __init__(self, core: Core, watch: Watch, limit: int) -> None:
        self._core = core
        self._watch = watch
        self._limit = limit
        self._text = ""  # held
        self._data = b""  # what already left, as far as rules look back, then what is held
        self._base = 0  # where in `_data` the held part begins
        self._seen = 0  # up to where `_data` was searched for anchors
        self._recent: dict[int, int] = {}  # rule number -> place in `_data` before which its anchor was seen
        self._armed: set[int] = set()  # rules whose head may be complete at a live start
        self._resume: dict[int, int] = {}  # rule number -> place in `_data` before which it has consumed the text
        self._wait = 0  # bytes held before it is worth looking again
        self._debt: tuple[int, int] = (0, 0)  # after an overflow: the rule, and the bytes it still covers

    @property
    def held(self) -> int:
        """The characters held back now."""
        return len(self._text)

    def feed(self, text: str) -> Released:
        """Take more text; give what is decided."""
        self._text += text
        data = self._data = self._data + text.encode("utf-8", "replace")
        if self._debt[1]:
            return self._pay(final=False)
        if self._wait and len(data) - self._base < self._wait:
            return NOTHING
        return self._advance(final=False)

    def finish(self) -> Released:
        """No more text comes: give the rest."""
        return self._pay(final=True) if self._debt[1] else self._advance(final=True)

    def _advance(self, *, final: bool) -> Released:
        base, end = self._base, len(self._data)
        self._search(end)
        live = end if final else self._earliest(end)
        if live == base and not final:
            return self._hold()
        found = self._found(live)
        if not found:
            return self._release(live, [])
        cut = _cut(found, live)
        if cut == base and not final:
            return self._hold()
        gone = [raw for raw in found if raw[0] < cut]
        for raw in gone:
            if raw[1] > cut:
                self._resume[raw[4]] = raw[1]
        return self._release(cut, self._core.resolve(gone))

    def _search(self, end: int) -> None:
        """Note which rules may have begun in the text that is new."""
        begin = max(0, self._seen - OVERLAP)
        begun = self._core.begun(self._data[begin:], self._seen - begin)
        self._seen = end
        if begun:
            self._note(begun, end)

    def _note(self, begun: list[int], end: int) -> None:
        for number in begun:
            if number in self._watch.numbers:
                self._recent[number] = end
                if not self._core.beginnings[number].whole:
                    self._armed.add(number)

    def _earliest(self, end: int) -> int:
        live = self._watch.heads.earliest(self._data, self._base)
        if not self._armed:
            return live
        for number in tuple(self._armed):
            start = self._core.closure(number).earliest(self._data, self._base)
            if start == end or start >= self._recent.get(number, 0):
                # What is dead stays dead; what is live beyond its anchor is a beginning of a head, not a whole one.
                self._armed.discard(number)
            live = min(live, start)
        return live

    def _found(self, stop: int) -> list[Raw]:
        beginnings, recent = self._core.beginnings, self._recent
        if not self._watch.always and len(recent) <= _FEW:  # to look for a rule or two is cheaper than to ask which
            return self._core.find(self._data, recent, self._base, stop, self._resume) if recent else []
        enabled = self._watch.numbers
        numbers = [
            number
            for number in self._core.triggered(self._data)
            if number in recent or (number in enabled and not beginnings[number].anchored)
        ]
        return self._core.find(self._data, numbers, self._base, stop, self._resume) if numbers else []

    def _hold(self) -> Released:
        size = len(self._data) - self._base
        if size > self._limit:
            return self._overflow()
        # Looking costs as much as is held: looking at every eighth keeps the sum linear.
        self._wait = min(size + size // 8, self._limit + 1) if size > _PATIENT else 0
        return NOTHING

    def _release(self, cut: int, found: list[Raw]) -> Released:
        data, base = self._data, self._base
        self._wait = 0
        if self._text.isascii():
            count = cut - base
            findings = tuple([finding(self._core, raw, raw[2] - base, raw[3] - base) for raw in found]) if found else ()
        else:
            places = offsets(data, base, [place for raw in found for place in raw[2:4]] + [cut])
            count = places[cut]
            findings = tuple(finding(self._core, raw, places[raw[2]], places[raw[3]]) for raw in found)
        text, self._text = self._text[:count], self._text[count:]
        begin = max(0, cut - self._core.before)
        self._data, self._base, self._seen = data[begin:], cut - begin, self._seen - begin
        if self._recent:
            self._recent = {number: place - begin for number, place in self._recent.items() if place > cut}
        if self._resume:
            self._resume = {number: place - begin for number, place in self._resume.items() if place > cut}
        return Released(text, findings) if text else NOTHING

    def _overflow(self) -> Released:
        """Too much is held: let it go as a finding of the live rule, which then covers what follows in its reach."""
        end = len(self._data)
        live = self._earliest(end)
        found = self._found(live)
        if live < end:
            number = self._live_rule(live)
            matcher = self._core.matchers[number]
            found.append((live, end, live, end, number, 1.0))
            self._debt = (number, max(0, matcher.reach - (end - live)))
        self._resume.clear()
        self._armed.clear()
        return self._release(end, self._core.resolve(found))

    def _live_rule(self, start: int) -> int:
        live = [n for n in self._watch.numbers if self._core.closure(n).earliest(self._data, start) == start]
        return max(live, key=lambda number: (self._core.matchers[number].reach, -number))

    def _pay(self, *, final: bool) -> Released:
        """What an overflowing candidate may still cover leaves as a finding of its rule."""
        number, left = self._debt
        base, end = self._base, len(self._data)
        if end > base:
            cut = min(end, base + left)
            while cut < end and self._data[cut] & 0xC0 == 0x80:
                cut += 1
            covered = self._release(cut, [(base, cut, base, cut, number, 1.0)])
            self._debt = (number, max(0, left - (cut - base)))
        else:
            covered = NOTHING
        if self._debt[1] and not final:
            return covered
        self._debt = (0, 0)
        rest = self._advance(final=final)
        moved = (
            Finding(f.start + len(covered.text), f.end + len(covered.text), f.rule, f.entity, f.category, f.score)
            for f in rest.findings
        )
        return Released(covered.text + rest.text, (*covered.findings, *moved))


def _cut(found: list[Raw], live: int) -> int:
    """The last place before which all is decided: `live`, moved before findings that reach over it."""
    cut = live
    for start, _, _, last, _, score in sorted(found, key=lambda raw: -raw[3]):
        if last <= cut:
            break
        if score > 0.0:
            cut = min(cut, start)
    return cut


def finding(core: Core, raw: Raw, start: int, end: int) -> Finding:
    """A raw match as a Finding at character offsets `start` and `end`."""
    rule = core.matchers[raw[4]].rule
    return Finding(start, end, rule.id, rule.entity, rule.category, raw[5])


def offsets(data: bytes, begin: int, places: list[int]) -> dict[int, int]:
    """The character offset, counted from `begin`, of each byte offset in `places`."""
    counted, at = 0, begin
    result: dict[int, int] = {}
    for place in sorted(set(places)):
        counted += len(data[at:place].decode("utf-8", "replace"))
        result[place], at = counted, place
    return result
