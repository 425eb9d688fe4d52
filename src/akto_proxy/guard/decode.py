"""Encoded words read in place: base64, base32, hex, percent, HTML entities, JSON and C escapes, control characters.

One linear search finds what could be encoded; what decodes to readable text stands in its place, so the words around it
still count. Trade-off: a short word (under 16 characters) is not taken for base64: nearly every word would be.
"""

from __future__ import annotations

import base64
import binascii
from html import unescape
from urllib.parse import unquote_to_bytes

import re2

from akto_proxy.guard.mapping import Builder, View
from akto_proxy.guard.matcher import compile_re2

MANY = 20_000  # encoded words that are read in one text
_FREE = re2._Anchor.UNANCHORED
_GROUPS = (
    r"((?:\\u[0-9A-Fa-f]{4})+|(?:\\x[0-9A-Fa-f]{2})+)",
    r"(&(?:#[0-9]{1,7}|#[xX][0-9A-Fa-f]{1,6}|[A-Za-z]{2,8});)",
    r"((?:%[0-9A-Fa-f]{2})+)",
    r"(\b(?:0x)?[0-9A-Fa-f]{2}(?:[ :,]?[0-9A-Fa-f]{2}){7,}\b)",
    r"([A-Za-z0-9+/]{16,}={0,6}|[A-Za-z0-9_-]{16,}={0,2})",
    r"([\x00-\x08\x0b\x0c\x0e-\x1f\x7f]+)",
)


class Decoder:
    """Finds and reads encoded words."""

    def __init__(self) -> None:
        self._match = compile_re2("|".join(_GROUPS)).Match
        self._gate = compile_re2("|".join(group.replace("(", "(?:", 1) for group in _GROUPS)).Match

    def view(self, text: str, data: bytes, parent: View | None) -> View | None:
        """`text` with its encoded words read, None when there are none; `data` is `text` in UTF-8."""
        if self._gate(_FREE, data, 0, len(data))[0][0] < 0:
            return None
        if not text.isascii():
            # Positions are wanted in characters: one byte stands for each that cannot be part of an encoded word.
            data = text.encode("ascii", "replace")
        builder, changed, at = Builder(text), False, 0
        for _ in range(MANY):
            groups = self._match(_FREE, data, at, len(data))
            start, end = groups[0]
            if start < 0:
                break
            kind = next(number for number, group in enumerate(groups[1:]) if group[0] >= 0)
            said = _READERS[kind](text[start:end])
            if said is not None and said != text[start:end]:
                builder.put(said, start, end)
                changed = True
            at = end
        return builder.view("decoded", parent) if changed else None


def _escapes(word: str) -> str | None:
    size = 4 if word[1] == "u" else 2
    points = [int(word[place : place + size], 16) for place in range(2, len(word), size + 2)]
    if size == 2:
        return _readable(bytes(points)) or "".join(map(chr, points))
    # `\ud83d\ude00` is one character in two halves; a half alone becomes a mark.
    return b"".join(point.to_bytes(2, "big") for point in points).decode("utf-16-be", "replace")


def _percent(word: str) -> str | None:
    return unquote_to_bytes(word).decode("utf-8", "replace")


def _hex(word: str) -> str | None:
    plain = word.removeprefix("0x")
    for char in " :,":
        plain = plain.replace(char, "")
    said = _readable(bytes.fromhex(plain)) if len(plain) % 2 == 0 else None
    return said or (_base64(word) if plain == word else None)


def _base64(word: str) -> str | None:
    plain = word.rstrip("=")
    if plain.isupper() and plain.isalnum() and not set(plain) & set("0189"):
        try:
            said = _readable(base64.b32decode(plain + "=" * (-len(plain) % 8)))
        except binascii.Error:
            said = None
        if said:
            return said
    plain = plain.replace("-", "+").replace("_", "/")
    try:
        # One letter too many is what a word that is glued to other letters leaves.
        return _readable(base64.b64decode(plain[: len(plain) - (len(plain) % 4 == 1)] + "=" * (-len(plain) % 4)))
    except binascii.Error:
        return None


def _readable(data: bytes) -> str | None:
    """The bytes as text, None unless nearly all of it can be read."""
    try:
        text = data.decode("utf-8")
    except UnicodeDecodeError:
        return None
    good = sum(char.isprintable() or char in "\n\r\t" for char in text)
    return text if len(text) >= 4 and good >= 0.95 * len(text) else None


def _nothing(word: str) -> str:
    """Control characters show nothing, so a NUL in the middle of a key hides it from nobody but a matcher."""
    return ""


_READERS = (_escapes, unescape, _percent, _hex, _base64, _nothing)
