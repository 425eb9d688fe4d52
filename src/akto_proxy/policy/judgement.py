"""What judging says, as data, and the edits it asks for: merged, so that no two touch the same character.

Where findings overlap, the whole of their union is replaced once, by the replacement that takes most of the original
away. So a policy can add to what is hidden and never uncover what another hides.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from types import MappingProxyType

from akto_proxy.model import Action, Decision, Finding
from akto_proxy.policy.terms import STRENGTH

NO_EDITS: Mapping[int, tuple[Edit, ...]] = MappingProxyType({})


@dataclass(frozen=True, slots=True)
class Edit:
    """Replace [start, end) of a segment. `replacement` is label, mask, hash, token, surrogate or remove."""

    start: int
    end: int
    replacement: str
    finding: Finding
    policy: str


@dataclass(frozen=True, slots=True)
class Judgement:
    """What the policies of a plan make of findings. `edits` is by segment index, sorted, never overlapping."""

    action: Action = Action.ALLOW
    decisions: tuple[Decision, ...] = ()
    edits: Mapping[int, tuple[Edit, ...]] = field(default_factory=lambda: NO_EDITS)
    blocked_by: Decision | None = None
    message: str = ""


CLEAN = Judgement()
"""The one judgement of everything that nothing was found in."""


def merge(edits: Iterable[Edit]) -> tuple[Edit, ...]:
    """`edits` of one segment as non-overlapping ones, sorted by start."""
    out: list[Edit] = []
    for edit in sorted(edits, key=lambda item: (item.start, item.end, item.policy)):
        if out and edit.start < out[-1].end:
            best = max(out[-1], edit, key=_rank)
            out[-1] = Edit(out[-1].start, max(out[-1].end, edit.end), best.replacement, best.finding, best.policy)
        else:
            out.append(edit)
    return tuple(out)


def _rank(edit: Edit) -> tuple[int, float, int, str, str]:
    finding = edit.finding
    return STRENGTH[edit.replacement], finding.score, finding.end - finding.start, edit.policy, finding.rule
