"""Other readings of a text, in which what was hidden shows: the answer to evasion by writing.

Each costs only where a cheap test says that it could help: `isascii` for characters, one linear search for encodings,
one for tricks (l33t, s p a c i n g, hy-phen-ation, ROT13, reversal). Encodings are read to a depth of three. Which
texts are worth these tests is asked beforehand, in the pass that looks for rules (see `disguise`).

Trade-offs: only the first million characters are read again, and sixteen views made at most; a longer text is scanned
as it is. In a l33t, ROT13 or reversed reading digits are not the text's own, so no secret or personal data is looked
for there (`View.name` ends in the last step, see `alters`).
"""

from __future__ import annotations

from collections import Counter
from functools import lru_cache
from itertools import pairwise

import re2

from akto_proxy.config.assets import read_text
from akto_proxy.guard.decode import Decoder
from akto_proxy.guard.disguise import ROT13, TURNED
from akto_proxy.guard.fold import Folds, fold, hidden
from akto_proxy.guard.mapping import Builder, View
from akto_proxy.guard.matcher import compile_re2

__all__ = ["Normaliser", "View", "alters", "normalise"]

LONGEST = 1 << 20
MOST = 16
DEPTH = 3
_FREE = re2._Anchor.UNANCHORED
_LEET = str.maketrans("0134578@$!|", "oieastbasil")
_SPACED = r"\b[A-Za-z0-9](?:[ ._*|/-]{1,3}[A-Za-z0-9]){8,200}\b|\b[A-Za-z](?:[ ._*|/-]{1,3}[A-Za-z]){4,200}\b"
_SPLIT = r"\b[A-Za-z]{1,5}(?:[-*·][A-Za-z]{1,5}){2,60}\b"
_SWAPPED = r"\b[A-Za-z]*[0134578@$]+[A-Za-z]+[0134578@$]+[A-Za-z]*\b|[A-Za-z][0134578@$][A-Za-z]"


class Normaliser:
    """Makes the views of texts. Stateless but for a table that it learns; share one."""

    def __init__(self, confusables: str) -> None:
        """`confusables` is the text of the table in `guard/data/confusables.txt`."""
        self._folds = Folds(confusables)
        self._decoder = Decoder()
        turned = "|".join(word[::-1] for word in TURNED)
        rotated = "|".join(word.translate(ROT13) for word in TURNED)
        patterns = (_SWAPPED, f"{_SPACED}|{_SPLIT}", rf"(?i)\b(?:{turned})\b", rf"(?i)\b(?:{rotated})\b")
        self._tricks = compile_re2("|".join(f"(?:{pattern})" for pattern in patterns)).Match
        self._swapped, self._spaced, self._turned, self._rotated = (compile_re2(p).Match for p in patterns)

    def views(self, text: str) -> list[View]:
        """The other readings of `text` that differ from it."""
        text = text[:LONGEST]
        data = text.encode("utf-8", "replace")
        views = [] if text.isascii() else list(hidden(text, data))
        queue: list[tuple[str, bytes, View | None, int]] = [(text, data, None, 0)]
        queue += [(view.text, view.text.encode("utf-8", "replace"), view, 1) for view in views]
        while queue and len(views) < MOST:
            said, data, parent, depth = queue.pop(0)
            made = [fold(said, self._folds, parent)]
            if depth < DEPTH:
                made.append(self._decoder.view(said, data, parent))
            for view in made:
                if view is not None:
                    views.append(view)
                    queue.append((view.text, view.text.encode("utf-8", "replace"), view, depth + 1))
            self._trick(said, data, parent, views)
        return views[:MOST]

    def _trick(self, text: str, data: bytes, parent: View | None, views: list[View]) -> None:
        end = len(data)
        if self._tricks(_FREE, data, 0, end)[0][0] < 0:
            return
        if self._spaced(_FREE, data, 0, end)[0][0] >= 0:
            views.append(self._joined(text, parent))
        if self._rotated(_FREE, data, 0, end)[0][0] >= 0:
            views.append(View("rot13", text.translate(ROT13), parent=parent))
        if self._turned(_FREE, data, 0, end)[0][0] >= 0:
            views.append(View("reversed", text[::-1], parent=parent, flip=True))
        if self._swapped(_FREE, data, 0, end)[0][0] >= 0:
            views.append(View("leet", text.translate(_LEET), parent=parent))

    def _joined(self, text: str, parent: View | None) -> View:
        """Letters and digits written apart put together; a gap of another width than most of its run parts words."""
        data = text.encode("ascii", "replace")
        builder, at = Builder(text), 0
        while True:
            start, at = self._spaced(_FREE, data, at, len(data))[0]
            if start < 0:
                return builder.view("joined", parent)
            places = [place for place in range(start, at) if text[place].isalnum()]
            gaps = [(place + 1, after) for place, after in pairwise(places) if after > place + 1]
            ((usual, _),) = Counter(after - place for place, after in gaps).most_common(1)
            for place, after in gaps:
                if after - place == usual:
                    builder.skip(place, after)
                else:
                    builder.put(" ", place, after)


def alters(view: View) -> bool:
    """Whether the view's digits and letters are not the text's own, so that only attacks are looked for in it."""
    return view.name.rpartition("+")[2] in ("leet", "rot13", "reversed")


def normalise(text: str) -> list[View]:
    """The other readings of `text` that differ from it, by the table that ships with the program."""
    return shipped().views(text)


@lru_cache(maxsize=1)
def shipped() -> Normaliser:
    """A Normaliser with the table that ships with the program."""
    return Normaliser(read_text("guard/data/confusables.txt"))
