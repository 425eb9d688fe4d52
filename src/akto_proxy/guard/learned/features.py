"""One pass over a text: tokens, their hashes, the sentences they stand in, and hashed n-grams. All detectors share it.

A token's hash is a difference of prefix sums times an inverse power (arithmetic modulo 2**64), so no Python loop ever
sees a word. Digits all count as `0`. Trade-off: two n-grams may share a bucket; the weights learn around it.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from akto_proxy.guard.learned.lexicon import CLASSES, NAMES

Ints = NDArray[np.int64]
Hashes = NDArray[np.uint64]

#: Kinds of character; from QUIET on they are dropped once sentences were cut, from DOT on they end one (ENDER is kept).
SPACE, WORD, GLYPH, MARK, ENDER, QUIET, DOT, BREAK = 0, 1, 2, 3, 4, 5, 6, 7
#: A longer text is read in pieces of this many characters, so that memory stays bounded.
PIECE = 4096
#: Of a text with more pieces, the first three quarters of so many and the last quarter are read.
MOST_PIECES = 64
#: A sentence longer than this many tokens is cut.
WINDOW = 40

_BASE = np.uint64(0x9E3779B97F4A7C15 | 1)
_MIX = np.uint64(0xD6E8FEB86659FD93)
_SALTS = tuple(
    np.uint64(s)
    for s in (
        0xA0761D6478BD642F,
        0xE7037ED1A0B428DB,
        0x8EBC6AF09C88C6E3,
        0x589965CC75374CC3,
        0x1D8E4E27C47D124F,
        0xEB44ACCAB455D165,
    )
)
_TABLE_BITS = 15
_CLASS_PAIR, _CLASS_GAP, _CLASS_TRIPLE = (
    np.uint64(k) for k in (0xC2B2AE3D27D4EB4F, 0x27D4EB2F165667C5, 0x85EBCA77C2B2AE63)
)
#: Marks that carry no structure; they are dropped from the token sequence after sentences were cut.
_QUIET = ",;'()*-\u2019\u201c\u201d\u3001\uff0c"


@dataclass(frozen=True, slots=True)
class Tokens:
    """The tokens of a text: hashes, character offsets, class ids (0: none) and the window each stands in."""

    hashes: Hashes
    starts: Ints
    ends: Ints
    classes: NDArray[np.int64]
    windows: Ints
    count: int


@dataclass(frozen=True, slots=True)
class NameTokens:
    """Every token of a text with its first and last three letters and its shape, a small number."""

    hashes: Hashes
    prefixes: Hashes
    suffixes: Hashes
    shapes: Ints
    starts: Ints
    ends: Ints


class Reader:
    """Cuts and hashes texts. Holds only constant tables; one is enough for all detectors."""

    def __init__(self) -> None:
        self._kind = _kinds()
        self._fold = np.arange(256, dtype=np.uint64)
        self._fold[48:58] = 48
        power = np.full(PIECE + 1, _BASE, np.uint64)
        power[0] = 1
        self._power = np.cumprod(power)
        inverse = np.full(PIECE + 1, np.uint64(pow(int(_BASE), -1, 1 << 64)), np.uint64)
        inverse[0] = 1
        self._inverse = np.cumprod(inverse)
        self._words, self._word_class = self._lexicon()

    def read(self, text: str) -> Tokens:
        """The tokens of `text` (at most PIECE characters of it)."""
        text = text[:PIECE]
        codes = _codes(text)
        kind = self._kind.take(codes, mode="clip")  # what lies beyond the table is as its last entry
        if "'" in text or "\u2019" in text:
            _join_apostrophes(codes, kind)
        starts, ends = _bounds(kind)
        kinds = kind.take(starts)
        windows = _windows(codes, kind, kinds, ends)
        keep = np.flatnonzero(kinds < QUIET)
        starts, ends = starts.take(keep), ends.take(keep)
        windows, count = _renumber(windows.take(keep))
        hashes = self._hash(codes, starts, ends)
        return Tokens(hashes, starts, ends, self._classes(hashes), windows, count)

    def read_names(self, text: str) -> NameTokens:
        """All tokens of `text` with their form, for the tagger: marks stay, and capitals are told apart."""
        text = text[:PIECE]
        codes = _codes(text)
        kind = self._kind.take(codes, mode="clip")
        if "'" in text or "\u2019" in text:
            _join_apostrophes(codes, kind)
        starts, ends = _bounds(kind)
        solid = np.flatnonzero(kind.take(starts) != BREAK)
        starts, ends = starts.take(solid), ends.take(solid)
        hashes = self._hash(codes, starts, ends)
        prefixes = self._hash(codes, starts, np.minimum(starts + 3, ends))
        suffixes = self._hash(codes, np.maximum(ends - 3, starts), ends)
        return NameTokens(hashes, prefixes, suffixes, _shapes(text, codes, kind, starts, ends), starts, ends)

    def _hash(self, codes: NDArray[np.uint32], starts: Ints, ends: Ints) -> Hashes:
        values = self._fold.take(codes) if codes.dtype == np.uint8 else codes.astype(np.uint64)
        if codes.dtype != np.uint8:
            values[(codes >= 48) & (codes <= 57)] = 48
        sums = np.zeros(len(codes) + 1, np.uint64)
        np.cumsum(values * self._power[: len(codes)], out=sums[1:])
        raw = (sums.take(ends) - sums.take(starts)) * self._inverse.take(starts)
        raw ^= raw >> np.uint64(29)
        return np.asarray(raw * _MIX)

    def _classes(self, hashes: Hashes) -> Ints:
        place = (hashes >> np.uint64(64 - _TABLE_BITS)).astype(np.int64)
        return np.asarray(self._word_class.take(place) * (self._words.take(place) == hashes))

    def _lexicon(self) -> tuple[Hashes, Ints]:
        size = 1 << _TABLE_BITS
        words, classes = np.zeros(size, np.uint64), np.zeros(size, np.int64)
        self._words, self._word_class = words.copy(), classes.copy()
        for number, name in enumerate(NAMES, 1):
            hashes = self.read(CLASSES[name]).hashes
            place = (hashes >> np.uint64(64 - _TABLE_BITS)).astype(np.int64)
            free = words[place] == 0  # the first word keeps a contested place
            words[place[free]], classes[place[free]] = hashes[free], number
        return words, classes


def pieces(text: str, overlap: int) -> Iterator[tuple[int, str]]:
    """Where each piece of `text` begins, and the piece; neighbours share `overlap` characters.

    A text of more than MOST_PIECES has a gap in its middle: rules read it whole, models do not.
    """
    if len(text) <= PIECE:
        yield 0, text
        return
    starts = range(0, len(text) - overlap, PIECE - overlap)
    chosen = [*starts]
    if len(chosen) > MOST_PIECES:
        tail = MOST_PIECES // 4
        chosen = chosen[: MOST_PIECES - tail] + chosen[-tail:]
    for at in chosen:
        yield at, text[at : at + PIECE]


def _kinds() -> NDArray[np.uint8]:
    kind = np.full(0x10000, WORD, np.uint8)
    kind[:0x80] = MARK
    kind[:0x21] = SPACE
    for low, high in (("0", "9"), ("a", "z"), ("A", "Z"), ("_", "_")):
        kind[ord(low) : ord(high) + 1] = WORD
    kind[0x80:0xC0] = MARK
    kind[0xA0] = SPACE
    kind[0x2000:0x2070] = MARK
    kind[0x2000:0x2010] = SPACE
    kind[0x3000:0x3040] = MARK
    kind[0x3000] = SPACE
    kind[0x2190:0x2E00] = MARK
    kind[0xFF00:0xFF10] = MARK
    kind[0xFF1A:0xFF1C] = MARK
    kind[0x0E00:0x0E80] = GLYPH
    kind[0x3040:0xA000] = GLYPH
    kind[0xFFFF] = GLYPH
    for char in _QUIET:
        kind[ord(char)] = QUIET
    for char in "!?\uff01\uff1f\u0964\u061f":
        kind[ord(char)] = ENDER
    for char in ".\u3002":
        kind[ord(char)] = DOT
    kind[10] = kind[13] = BREAK
    return kind


def _codes(text: str) -> NDArray[Any]:
    if text.isascii():
        return np.frombuffer(text.lower().encode("ascii"), np.uint8)
    low = text.lower()
    if len(low) != len(text):  # a few letters grow when lowered; offsets must not
        low = "".join(c.lower() if len(c.lower()) == 1 else c for c in text)
    return np.frombuffer(low.encode("utf-32-le", "surrogatepass"), np.uint32)


def _join_apostrophes(codes: NDArray[Any], kind: NDArray[np.uint8]) -> None:
    spots = (
        np.flatnonzero((codes == 39) | (codes == 0x2019)) if codes.dtype != np.uint8 else np.flatnonzero(codes == 39)
    )
    spots = spots[(spots > 0) & (spots < len(codes) - 1)]
    if len(spots):
        kind[spots[(kind[spots - 1] == WORD) & (kind[spots + 1] == WORD)]] = WORD


def _bounds(kind: NDArray[np.uint8]) -> tuple[Ints, Ints]:
    word = kind == WORD
    edge = np.ones(len(kind) + 1, bool)
    np.logical_not(word[1:] & word[:-1], out=edge[1:-1])
    spots = np.flatnonzero(edge)
    starts, ends = spots[:-1], spots[1:]
    solid = np.flatnonzero(kind.take(starts))
    return starts.take(solid), ends.take(solid)


def _windows(codes: NDArray[Any], kind: NDArray[np.uint8], kinds: NDArray[np.uint8], ends: Ints) -> Ints:
    """The number of the sentence that each token stands in; a dot ends one only before a space, or at the end."""
    numbers = np.zeros(len(kinds), np.int64)
    ends_one = np.flatnonzero(kinds >= ENDER)
    ends_one = ends_one.compress(kinds.take(ends_one) != QUIET)
    if not len(ends_one):
        return np.arange(len(kinds)) // WINDOW
    following = np.zeros(len(codes) + 1, np.uint8)
    following[:-1] = kind
    at = ends.take(ends_one)
    after = following.take(at)
    real = (after == SPACE) | (after == BREAK) | (kinds.take(ends_one) == BREAK) | (codes.take(at - 1) > 0x2000)
    next_one = ends_one.compress(real) + 1
    numbers[next_one.compress(next_one < len(kinds))] = 1
    np.cumsum(numbers, out=numbers)
    begin = np.zeros(int(numbers[-1]) + 1, np.int64) if len(numbers) else numbers
    begin[1:] = next_one[: len(begin) - 1]
    inside = np.arange(len(kinds)) - begin.take(numbers)
    return numbers * (PIECE // WINDOW + 2) + inside // WINDOW


def _renumber(windows: Ints) -> tuple[Ints, int]:
    """The same windows counted 0, 1, 2 ... without gaps, and how many there are."""
    if not len(windows):
        return windows, 0
    step = np.zeros(len(windows), np.int64)
    np.cumsum(windows[1:] != windows[:-1], out=step[1:])
    return step, int(step[-1]) + 1


def _shapes(text: str, codes: NDArray[Any], kind: NDArray[np.uint8], starts: Ints, ends: Ints) -> Ints:
    """Capital first, capitals throughout, a digit, no word, a new line before; and the length up to 7."""
    ascii_only = codes.dtype == np.uint8
    raw = np.frombuffer(text.encode("ascii" if ascii_only else "utf-32-le", "surrogatepass"), codes.dtype)
    upper = np.zeros(len(codes) + 1, np.int64)
    np.cumsum(raw != codes, out=upper[1:])  # lowering changed it, so it was a capital, in any script
    digit = np.zeros(len(codes) + 1, np.int64)
    np.cumsum((codes >= 48) & (codes <= 57), out=digit[1:])
    breaks = np.zeros(len(codes) + 1, np.int64)
    np.cumsum(kind == BREAK, out=breaks[1:])
    capitals = upper.take(ends) - upper.take(starts)
    size = ends - starts
    lines = breaks.take(starts)
    fresh = np.ones(len(starts), bool)
    fresh[1:] = lines[1:] != lines[:-1]
    first = raw.take(starts) != codes.take(starts)
    digits = digit.take(ends) > digit.take(starts)
    bits = first * 1 + (capitals == size) * 2 + digits * 4 + (kind.take(starts) != WORD) * 8
    return np.asarray(bits + fresh * 16 + np.minimum(size, 7) * 32)


def grams(tokens: Tokens, bits: int) -> tuple[Ints, Ints]:
    """Buckets (< 2**bits) of all features of a text, and the window of each: words, pairs, triples, skips, classes."""
    h, w = tokens.hashes, tokens.windows
    shift = np.uint64(64 - bits)
    near = np.flatnonzero(w[:-1] == w[1:])
    wide = np.flatnonzero(w[:-2] == w[2:])
    pair = h[:-1] * _SALTS[1] + (h[1:] ^ _SALTS[0])
    triple = pair[:-1] * _SALTS[3] + h[2:]
    skip = h[:-2] * _SALTS[4] + h[2:]
    spots = np.flatnonzero(tokens.classes)
    c, cw = tokens.classes.take(spots).astype(np.uint64), w.take(spots)
    gap = np.minimum(spots[1:] - spots[:-1], 4).astype(np.uint64)
    beside = np.flatnonzero(cw[:-1] == cw[1:])
    three_in = np.flatnonzero(cw[:-2] == cw[2:])
    two = c[:-1] * np.uint64(64) + c[1:]
    three = two[:-1] * np.uint64(64) + c[2:]
    keys = np.concatenate(
        [
            h * _SALTS[0],
            pair.take(near) * _SALTS[2],
            triple.take(wide) * _SALTS[2],
            skip.take(wide) * _SALTS[2],
            two.take(beside) * _CLASS_PAIR,
            (two * np.uint64(8) + gap).take(beside) * _CLASS_GAP,
            three.take(three_in) * _CLASS_TRIPLE,
        ]
    )
    near_w, wide_w, beside_w = w.take(near), w.take(wide), cw.take(beside)
    where = np.concatenate([w, near_w, wide_w, wide_w, beside_w, beside_w, cw.take(three_in)])
    return (keys >> shift).astype(np.int64), where


def word_buckets(hashes: Hashes, bits: int) -> Ints:
    """The bucket of each word alone: the first of those that `grams` gives."""
    return np.asarray((hashes * _SALTS[0] >> np.uint64(64 - bits)).astype(np.int64))


def lookup(hashes: Hashes, slots: NDArray[np.uint16], checks: NDArray[np.uint16]) -> Ints:
    """Rows of words in a table that has one place for each hash (its high bits) and checks its low bits; 0: unknown."""
    bits = len(slots).bit_length() - 1
    place = (hashes >> np.uint64(64 - bits)).astype(np.int64)
    low = (hashes & np.uint64(0xFFFF)).astype(np.uint16)
    return np.asarray(slots.take(place).astype(np.int64) * (checks.take(place) == low))
