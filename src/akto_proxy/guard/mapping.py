"""A text made from another, and which characters of the other each of its own came from.

The map is a list of pieces, each either copied one to one or made from a stretch as a whole; a finding that touches a
made piece marks all of the stretch (half of a base64 word is of no use to anybody). Memory grows with the changes.
"""

from __future__ import annotations

from bisect import bisect_right


class View:
    """Another reading of a text. `span` gives the stretch of the original that a stretch of it was read from."""

    __slots__ = ("_ends", "_exact", "_flip", "_makes", "_parent", "_starts", "name", "text")

    name: str
    text: str

    def __init__(self, name: str, text: str, *, parent: View | None = None, flip: bool = False) -> None:
        self.name = f"{parent.name}+{name}" if parent else name
        self.text = text
        self._parent = parent
        self._flip = flip
        self._makes: list[int] = []  # where each piece begins in `text`; no pieces: the same length, one to one
        self._starts: list[int] = []
        self._ends: list[int] = []
        self._exact: list[bool] = []

    def piece(self, make: int, start: int, end: int, exact: bool) -> None:
        """From `make` on, `text` was read from [start, end) of the other; pieces come in order."""
        self._makes.append(make)
        self._starts.append(start)
        self._ends.append(end)
        self._exact.append(exact)

    def span(self, start: int, end: int) -> tuple[int, int]:
        """The stretch of the original that [start, end) of `text` was read from."""
        if self._flip:
            start, end = len(self.text) - end, len(self.text) - start
        elif self._makes:
            first = max(0, bisect_right(self._makes, start) - 1)
            last = max(0, bisect_right(self._makes, max(start, end - 1)) - 1)
            begin = self._starts[first] + (start - self._makes[first] if self._exact[first] else 0)
            end = self._starts[last] + end - self._makes[last] if self._exact[last] else self._ends[last]
            start = begin
        return self._parent.span(start, end) if self._parent else (start, end)


class Builder:
    """Makes a View from left to right out of copied and made pieces."""

    def __init__(self, source: str) -> None:
        self._source = source
        self._parts: list[str] = []
        self._pieces: list[tuple[int, int, int, bool]] = []
        self._size = 0
        self._at = 0

    def put(self, made: str, start: int, end: int) -> None:
        """Copy up to `start`, then let `made` stand for [start, end)."""
        self._copy(start)
        if made:
            self._add(made, start, end, False)
        self._at = end

    def skip(self, start: int, end: int) -> None:
        """Copy up to `start`, then leave [start, end) out."""
        self._copy(start)
        self._at = end

    def _copy(self, end: int) -> None:
        if end > self._at:
            self._add(self._source[self._at : end], self._at, end, True)

    def _add(self, text: str, start: int, end: int, exact: bool) -> None:
        self._pieces.append((self._size, start, end, exact))
        self._parts.append(text)
        self._size += len(text)

    def view(self, name: str, parent: View | None) -> View:
        """The finished view."""
        self._copy(len(self._source))
        view = View(name, "".join(self._parts), parent=parent)
        for piece in self._pieces:
            view.piece(*piece)
        return view
