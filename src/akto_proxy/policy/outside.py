"""Checkers outside, where no exchange is: what they are asked about a judged body, and what becomes of their answers.

The order is that of traffic: local rules first, what they block is not asked about, and what they redact is shown
redacted. Here that is by its label, whatever the policy's replacement is: a verdict hardly hangs on it.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace

from akto_proxy.model import Action, Direction, Segment
from akto_proxy.policy.checks import Hit
from akto_proxy.policy.clause import ExternalCheck
from akto_proxy.policy.judgement import Judgement
from akto_proxy.policy.plan import Plan


@dataclass(frozen=True, slots=True)
class Question:
    """One body for its checkers: what would go on of it."""

    checks: tuple[ExternalCheck, ...]
    segments: tuple[Segment, ...]

    @property
    def direction(self) -> Direction:
        """Which way the body goes."""
        return self.segments[0].direction


Ask = Callable[[Sequence[Question]], Sequence[Sequence[Hit]]]
"""The findings for each of some questions, asked together; failures are findings too."""


def question(
    plan: Plan, segments: Sequence[Segment], judged: Judgement, changes: Mapping[int, str] | None = None
) -> Question | None:
    """What is asked about a judged body of one direction: None for no check, no text, or a block.

    `changes` are the texts that redaction left, by segment; None labels what the judgement redacts.
    """
    if not segments or judged.action is Action.BLOCK:
        return None
    asked = segments[0].direction is Direction.REQUEST
    checks = plan.externals_request if asked else plan.externals_response
    if not checks:
        return None
    new = labelled(segments, judged) if changes is None else changes
    return Question(checks, tuple(replace(item, text=new[n]) if n in new else item for n, item in enumerate(segments)))


def concluded(plan: Plan, asked: Question, answers: Sequence[Hit], judged: Judgement) -> Judgement:
    """A judgement with what the checkers said."""
    said = plan.outside(asked.segments, answers)
    decisions = (*judged.decisions, *said.decisions)
    if said.action is Action.BLOCK:
        return replace(said, decisions=decisions)
    return replace(judged, decisions=decisions, action=max(judged.action, said.action))


def labelled(segments: Sequence[Segment], judged: Judgement) -> dict[int, str]:
    """The texts that a judgement changes, with `[ENTITY]` where something was taken away."""
    changes = {}
    for number, edits in judged.edits.items():
        text, at, out = segments[number].text, 0, ""
        for edit in edits:
            out += f"{text[at : edit.start]}[{edit.finding.entity}]"
            at = edit.end
        changes[number] = out + text[at:]
    return changes
