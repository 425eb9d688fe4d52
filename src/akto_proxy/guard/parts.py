"""Texts that a model reads as one: the text parts of one message, which chat templates put together.

A key cut between two parts, or an order of one word a part, shows only where the parts meet. So what lies around each
meeting is read again as one text, put together as templates do, and with a blank between where two words would run
together. A finding counts here only if it reaches over a meeting, and each part gets its piece of it. Trade-off: of a
long part only its ends are read again, so a message of one part, and all that one part holds, costs nothing.
"""

from __future__ import annotations

import itertools
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace

from akto_proxy.model import Finding, Segment

END = 512
"""Characters at each end of a part that are read again with its neighbours."""

_FIELDS = ("/content", "/system")


@dataclass(frozen=True, slots=True)
class Piece:
    """Some of a part: its segment's number, where it begins there and in the run, and how long it is."""

    segment: int
    origin: int
    start: int
    size: int


@dataclass(frozen=True, slots=True)
class Run:
    """Pieces of neighbouring parts as one text."""

    text: str
    pieces: tuple[Piece, ...]

    def spread(self, finding: Finding) -> list[tuple[int, Finding]]:
        """The pieces of a finding, each with the number of its segment; none if it lies in one part."""
        out = []
        for piece in self.pieces:
            start, end = max(finding.start, piece.start), min(finding.end, piece.start + piece.size)
            if start < end:
                shift = piece.origin - piece.start
                out.append((piece.segment, replace(finding, start=start + shift, end=end + shift)))
        return out if len(out) > 1 else []


def runs(segments: Sequence[Segment]) -> list[Run]:
    """The runs of all messages of several text parts."""
    messages: dict[tuple[str, str], list[int]] = {}
    for number, segment in enumerate(segments):
        message = message_of(segment.place)
        if message and segment.text:
            messages.setdefault((message, segment.role.value), []).append(number)
    return [run for numbers in messages.values() if len(numbers) > 1 for run in _of_message(segments, numbers)]


def message_of(place: str) -> str:
    """The place of the message that a text part belongs to, "" where the text is no part."""
    head, _, last = place.rpartition("/")
    if last == "text":
        head, _, last = head.rpartition("/")
    return head if last.isdigit() and head.endswith(_FIELDS) else ""


def _of_message(segments: Sequence[Segment], numbers: list[int]) -> Iterator[Run]:
    slices: list[tuple[int, int, str]] = []
    for at, number in enumerate(numbers):
        text = segments[number].text
        if len(text) <= 2 * END:
            slices.append((number, 0, text))
            continue
        if at:
            yield from _joined([*slices, (number, 0, text[:END])])
        slices = [(number, len(text) - END, text[-END:])]
    yield from _joined(slices)


def _joined(slices: list[tuple[int, int, str]]) -> Iterator[Run]:
    if len(slices) < 2:
        return
    yield _run(slices, "")
    if any(left[2][-1].isalnum() and right[2][0].isalnum() for left, right in itertools.pairwise(slices)):
        yield _run(slices, " ")


def _run(slices: list[tuple[int, int, str]], between: str) -> Run:
    pieces: list[Piece] = []
    at = 0
    for number, origin, text in slices:
        pieces.append(Piece(number, origin, at, len(text)))
        at += len(text) + len(between)
    return Run(between.join(text for _, _, text in slices), tuple(pieces))
