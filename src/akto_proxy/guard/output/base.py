"""What the structural detectors share: which segments concern them, and a finding made short."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Iterator, Sequence

from akto_proxy.model import Direction, Finding, Role, Segment

#: Texts beyond this many characters are judged by their first so many.
LIMIT = 262_144


def answers(segments: Sequence[Segment]) -> Iterator[tuple[int, str]]:
    """The segments a model wrote in this exchange, with their numbers."""
    for number, segment in enumerate(segments):
        if segment.role is Role.ASSISTANT and segment.direction is Direction.RESPONSE and segment.text:
            yield number, _readable(segment.text[:LIMIT])


def spoken(segments: Sequence[Segment]) -> Iterator[tuple[int, str]]:
    """All segments but the operator's own, with their numbers."""
    for number, segment in enumerate(segments):
        if segment.role is not Role.SYSTEM and segment.text:
            yield number, _readable(segment.text[:LIMIT])


def _readable(text: str) -> str:
    """`text`, each lone surrogate a question mark, so that every pattern can be asked; places stay as they are."""
    if text.isascii():
        return text
    try:
        text.encode()
    except UnicodeEncodeError:
        return text.encode("utf-8", "replace").decode()
    return text


class Structural(ABC):
    """A detector with one rule. Subclasses say what they see in one text."""

    name = ""
    category = ""
    entity = ""
    only_answers = False
    reads_views = False
    """Other readings (decoded, reversed, ...) are not shown to it: their form is not the form of the text."""

    @property
    def rules(self) -> frozenset[str]:
        """The ids it reports."""
        return frozenset((self.name,))

    def check(self, segments: Sequence[Segment]) -> list[tuple[int, Finding]]:
        """Findings, each with the number of its segment."""
        for segment in segments:  # nearly always none may, so that is asked first
            if self.may(segment.text):
                break
        else:
            return []
        chosen = answers(segments) if self.only_answers else spoken(segments)
        return [(number, finding) for number, text in chosen for finding in self.see(text)]

    def may(self, text: str) -> bool:
        """Whether `text` could hold what this detector sees, asked in a microsecond or less."""
        return bool(text)

    @abstractmethod
    def see(self, text: str) -> list[Finding]:
        """The findings in one text."""

    def found(self, start: int, end: int, score: float) -> Finding:
        """A finding of this detector's rule."""
        return Finding(start, end, self.name, self.entity, self.category, round(min(1.0, score), 4))
