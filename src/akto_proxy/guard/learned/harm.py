"""Harmful requests by MLCommons hazard category, S1 to S14. A harmful request is no prompt attack, nor the reverse.

Trade-off: the model knows words and their neighbours, not intent; a chemist's question may look like a poisoner's.
"""

from __future__ import annotations

from collections.abc import Sequence

from akto_proxy.guard.learned.levels import FLOOR, score
from akto_proxy.guard.learned.text import TextModel
from akto_proxy.model import Finding, Role, Segment

HAZARDS = 14

_LEAST = 8


def says_something(text: str) -> bool:
    """Whether a text is more than blanks, a name or a word (`gpt-4o`, `test`): what a model says of those is noise.

    Eight characters make one more, or one that is not ASCII: in other scripts six are a sentence.
    """
    return (len(text) >= _LEAST or not text.isascii()) and not text.isspace()


class HarmDetector:
    """Finds requests for harmful content, and names the hazard."""

    name = "harm"
    category = "harm"
    rules = frozenset(f"harm-s{n}" for n in range(1, HAZARDS + 1))

    def __init__(self, model: TextModel) -> None:
        self._model = model
        self._points = model.meta["levels"]["harm"]

    def check(self, segments: Sequence[Segment]) -> list[tuple[int, Finding]]:
        """At most one finding for a segment, over the whole of it: the likeliest hazard."""
        out = []
        for number, segment in enumerate(segments):
            if segment.role is not Role.SYSTEM and says_something(segment.text):
                finding = self._look(segment.text)
                if finding is not None:
                    out.append((number, finding))
        return out

    def _look(self, text: str) -> Finding | None:
        reading = self._model.read(text)
        strength = score(reading.harm, self._points)
        if strength < FLOOR:
            return None
        hazards = reading.hazards[1:]
        hazard = hazards.index(max(hazards)) + 1
        return Finding(0, len(text), f"harm-s{hazard}", f"HARM_S{hazard}", "harm", round(strength, 4))
