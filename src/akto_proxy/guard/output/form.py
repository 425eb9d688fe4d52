"""The form of a text: characters that cannot be seen, letters that make no words, one phrase over and over.

Trade-off: no dictionary; words are judged by which letters follow which, so an unknown name passes and a rare language
in Latin letters scores lower than English.
"""

from __future__ import annotations

import numpy as np
import re2

from akto_proxy.guard.learned.features import PIECE, Reader
from akto_proxy.guard.learned.weights import Weights
from akto_proxy.guard.output.base import Structural
from akto_proxy.model import Finding

_INVISIBLE = re2.compile(
    "[\u200b\u2060-\u2064\u206a-\u206f\u202a-\u202e\u2066-\u2069\ufeff\u00ad\u180e\u115f\u1160\u3164\uffa0\U000e0000-\U000e007f\U000e0100-\U000e01ef]+"
)
#: Joiners are part of some scripts and of emoji; they count only between ASCII letters.
_JOINED = re2.compile("[A-Za-z0-9][\u200c\u200d\ufe00-\ufe0f]+[A-Za-z0-9]")


class InvisibleTextDetector(Structural):
    """Characters that a reader cannot see but a model can. Rule `invisible`."""

    name = "invisible"
    category = "invisible"
    entity = "INVISIBLE_TEXT"

    def may(self, text: str) -> bool:
        """All of these characters lie beyond ASCII."""
        return not text.isascii()

    def see(self, text: str) -> list[Finding]:
        """A finding for each run.

        A long one or a tag character is nearly sure to be a message; one inside a word may hide that word from a
        filter; a lone one elsewhere is how some scripts and web pages are written.
        """
        runs = [m.span() for m in _INVISIBLE.finditer(text)] + [m.span() for m in _JOINED.finditer(text)]
        out = []
        for start, end in sorted(runs)[:256]:
            if (start, end) == (0, 1) and text[0] == "\ufeff":
                continue  # a byte order mark
            out.append(self.found(start, end, _hidden(text, start, end)))
        return out


def _hidden(text: str, start: int, end: int) -> float:
    if "\U000e0020" <= text[start] <= "\U000e01ef" or end - start > 3:
        return 0.95
    beside = text[max(0, start - 1) : start] + text[end : end + 1]
    split = len(beside) == 2 and beside.isascii() and beside.isalnum()
    return 0.4 if text[start] == "\u00ad" or not (split or text[start] in "\u202d\u202e") else 0.6


class GibberishDetector(Structural):
    """Latin letters that make no words. Rule `gibberish`."""

    name = "gibberish"
    category = "gibberish"
    entity = "GIBBERISH"

    def __init__(self, weights: Weights) -> None:
        self._pairs = weights.arrays["pairs"]  # 27 x 27, hundredths of a bit
        self._limit = float(weights.meta["limit"])

    def see(self, text: str) -> list[Finding]:
        """A finding over the whole text if its letters follow each other as in no language."""
        sample = text[:PIECE].lower()
        codes = np.frombuffer(sample.encode("utf-32-le", "surrogatepass"), np.uint32).astype(np.int64) - 96
        codes[(codes < 1) | (codes > 26)] = 0
        first, second = codes[:-1], codes[1:]
        letters = (first > 0) | (second > 0)
        if int((codes > 0).sum()) < 20 or 2 * int((codes > 0).sum()) < len(codes):
            return []
        cost = float(self._pairs[first[letters], second[letters]].astype(np.float64).mean()) / 10
        if cost <= self._limit:
            return []
        return [self.found(0, len(text), 0.5 + (cost - self._limit) / 3)]


class RepetitionDetector(Structural):
    """One phrase or character over and over, as when a model is stuck or a text floods. Rule `repetition`."""

    name = "repetition"
    category = "repetition"
    entity = "REPETITION"

    def __init__(self, reader: Reader, share: float = 0.6) -> None:
        self._reader = reader
        self._share = share

    def see(self, text: str) -> list[Finding]:
        """A finding over the whole text if most of it was said before."""
        if len(text) < 200:
            return []
        tail = text[-PIECE:]
        most = max(tail.count(tail[at]) for at in (0, len(tail) // 2, -1)) if tail.strip() else 0
        if most > 0.8 * len(tail):
            return [self.found(0, len(text), 0.9)]
        words = tail.split()
        if len(words) >= 40 and len(set(words)) > 0.5 * len(words):
            return []  # the cheap test first
        hashes = self._reader.read(tail).hashes
        if len(hashes) < 60:
            return []
        odd = np.uint64(0x9E3779B97F4A7C15)
        four = ((hashes[:-3] * odd + hashes[1:-2]) * odd + hashes[2:-1]) * odd + hashes[3:]
        again = 1 - len(np.unique(four)) / len(four)
        return [self.found(0, len(text), 0.4 + again / 2)] if again >= self._share else []
