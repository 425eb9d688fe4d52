"""A detector that a policy asks for and nobody loaded: each of its checks fails, so that fail modes decide.

Silence would be worse: a rule that finds nothing because nobody looks cannot be told from clean traffic.
"""

from __future__ import annotations

from collections.abc import Sequence

from akto_proxy.model import Finding, Segment


class AbsentDetector:
    """Stands in the place of a detector that is not there. `rules` are the ids it would report."""

    def __init__(self, name: str, category: str, rules: frozenset[str]) -> None:
        self.name = name
        self.category = category
        self.rules = rules

    def check(self, segments: Sequence[Segment]) -> list[tuple[int, Finding]]:
        """Never answers.

        Raises:
            LookupError: always; the scanner makes a failed check of it.
        """
        raise LookupError(f"detector {self.name} is not loaded")
