"""Characters as they look: what is invisible goes, what only looks like an ASCII letter becomes it.

NFKC (full width, mathematical letters), accents and other combining marks off, zero-width, bidi and tag characters and
variation selectors out, Unicode's confusables to their ASCII twin. Hidden alphabets (tag characters, bytes in variation
selectors) are read out as texts of their own. Trade-off: text in other scripts is mangled here; it is only a view, and
the original is scanned as well.
"""

from __future__ import annotations

import unicodedata
from collections.abc import Iterator

from akto_proxy.guard.mapping import Builder, View

_GONE = frozenset(
    (
        *range(0x180B, 0x1810),
        *range(0xFE20, 0xFE30),
        *range(0xE0100, 0xE01F0),
        0x115F,
        0x1160,
        0x17B4,
        0x17B5,
        0x3164,
        0xFFA0,
    )
)
_MARKS = (
    range(0x300, 0x370),
    range(0x1AB0, 0x1B00),
    range(0x1DC0, 0x1E00),
    range(0x20D0, 0x2100),
    range(0xFE00, 0xFE10),
)
_TAGS = range(0xE0020, 0xE007F)
_LOW = range(0xFE00, 0xFE10)  # variation selectors 1-16
_HIGH = range(0xE0100, 0xE01F0)  # variation selectors 17-256
_LEAST = 4  # bytes that make hidden text: an emoji has one selector of its own
_MANY = 65536  # entries that the table may learn


class Folds(dict[int, str]):
    """Code point to what it looks like; learns each when first asked."""

    def __init__(self, confusables: str) -> None:
        super().__init__()
        self._alike: dict[str, str] = {}
        for line in confusables.splitlines():
            if line and not line.startswith("#"):
                char, *points = line.split()
                self._alike.update((chr(int(point, 16)), char) for point in points)

    def __missing__(self, point: int) -> str:
        made = self._fold(point)
        if len(self) < _MANY:
            self[point] = made
        return made

    def _fold(self, point: int) -> str:
        if point < 128:
            return chr(point)
        if point in _GONE or 0xD800 <= point < 0xE000:
            return ""
        if any(point in marks for marks in _MARKS) or unicodedata.category(chr(point)) == "Cf":
            return ""
        plain = unicodedata.normalize("NFKC", chr(point))
        return "".join(self._letter(char) for char in plain)

    def _letter(self, char: str) -> str:
        """One character without its accents if it then looks like ASCII; others (kana, Hangul) keep their marks."""
        base = unicodedata.normalize("NFD", char)[0]
        known = self._alike.get(char) or self._alike.get(base)
        return known or (base if base.isascii() else char)


def fold(text: str, folds: Folds, parent: View | None) -> View | None:
    """`text` as it looks, None when it looks like itself."""
    if text.isascii():
        return None
    folded = text.translate(folds)
    if folded == text:
        return None
    if len(folded) == len(text) and all(len(folds[ord(char)]) == 1 for char in set(text)):
        return View("folded", folded, parent=parent)
    builder = Builder(text)
    for place, char in enumerate(text):
        if char > "\x7f":
            made = folds[ord(char)]
            if made != char:
                builder.put(made, place, place + 1)
    return builder.view("folded", parent)


def hidden(text: str, data: bytes) -> Iterator[View]:
    """Texts written in characters that show nothing; `data` is `text` in UTF-8."""
    if b"\xf3\xa0" in data:
        yield from _tags(text)
    if b"\xf3\xa0" in data or b"\xef\xb8" in data:
        yield from _selectors(text)


def _tags(text: str) -> Iterator[View]:
    places = [place for place, char in enumerate(text) if ord(char) in _TAGS]
    if len(places) >= _LEAST:
        view = View("tags", "".join(chr(ord(text[place]) - 0xE0000) for place in places))
        for make, place in enumerate(places):
            view.piece(make, place, place + 1, True)
        yield view


def _selectors(text: str) -> Iterator[View]:
    """Runs of variation selectors as bytes (a known way to smuggle text behind an emoji)."""
    made: list[str] = []
    spans: list[tuple[int, int, int]] = []
    size = begin = 0
    run = bytearray()
    for place, char in enumerate(text + " "):
        point = ord(char)
        if point in _LOW or point in _HIGH:
            begin = begin if run else place
            run.append(point - 0xFE00 if point in _LOW else point - 0xE0100 + 16)
        elif run:
            if len(run) >= _LEAST:
                said = run.decode("utf-8", "replace")
                spans.append((size, begin, place))
                made.append(said)
                size += len(said)
            run = bytearray()
    if made:
        view = View("selectors", "".join(made))
        for make, start, end in spans:
            view.piece(make, start, end, False)
        yield view
