"""Prompt attacks: injection, jailbreak, system prompt extraction. Who speaks matters.

An order to the assistant is what a user writes, and what a tool's answer must not contain; the model has a logit for
each. Operators (`system`) and the assistant itself are not suspected. Trade-off: an order that a user pastes inside a
document counts as the user's.
"""

from __future__ import annotations

from collections.abc import Sequence

from akto_proxy.guard.learned.harm import says_something
from akto_proxy.guard.learned.levels import FLOOR, score
from akto_proxy.guard.learned.text import Reading, TextModel
from akto_proxy.model import Finding, Role, Segment

_RULES = (
    ("prompt-injection", "PROMPT_INJECTION", "injection"),
    ("jailbreak", "JAILBREAK", "jailbreak"),
    ("system-prompt-extraction", "SYSTEM_PROMPT_EXTRACTION", "injection"),
)


class PromptAttackDetector:
    """Finds prompt attacks in what users and tools say."""

    name = "prompt-attack"
    category = "injection"
    rules = frozenset(rule for rule, _, _ in _RULES)

    def __init__(self, model: TextModel) -> None:
        self._model = model
        self._points = {Role.USER: model.meta["levels"]["user"], Role.TOOL: model.meta["levels"]["tool"]}

    def check(self, segments: Sequence[Segment]) -> list[tuple[int, Finding]]:
        """At most one finding for a segment: its loudest sentence, with the score of the whole."""
        out = []
        for number, segment in enumerate(segments):
            finding = self.look(segment)
            if finding is not None and finding.score >= FLOOR:
                out.append((number, finding))
        return out

    def look(self, segment: Segment) -> Finding | None:
        """The finding for a segment whatever its score; None when its role is not suspected or it is empty."""
        points = self._points.get(segment.role)
        if points is None or not says_something(segment.text):
            return None
        tool = segment.role is Role.TOOL
        reading = self._model.read(segment.text, closely=tool)
        rule, entity, category = _RULES[_kind(reading)]
        start, end = reading.spans[tool]
        return Finding(start, end, rule, entity, category, round(score(reading.attack[tool], points), 4))


def _kind(reading: Reading) -> int:
    return max(range(3), key=lambda k: reading.kinds[k + 1])
