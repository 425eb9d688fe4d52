"""What becomes of decisions after they were made: those that came too late to redact, and many of one kind as one.

Both keep the trace honest: a redaction that could not be done is an alert that says so, and a count stands for repeats.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from akto_proxy.model import Action, Decision, Direction
from akto_proxy.policy.compile import Judgement


def late(judgement: Judgement) -> Judgement:
    """A judgement about text the caller already has: it can end the stream, but a redaction comes too late."""
    if judgement.action is not Action.REDACT and not judgement.edits:
        return judgement
    decisions = tuple(
        replace(item, action=Action.ALERT, reason=f"{item.reason}; seen after it was sent".lstrip("; "))
        if item.action is Action.REDACT
        else item
        for item in judgement.decisions
    )
    return replace(judgement, decisions=decisions, edits={})


def merged(decisions: Sequence[Decision]) -> list[Decision]:
    """Decisions of one rule at one place as one, with their count; of more than 256, the strongest are kept."""
    found: dict[tuple[str, str, str, Action, Direction], Decision] = {}
    for item in decisions:
        key = (item.policy, item.rule, item.place, item.action, item.direction)
        known = found.get(key)
        found[key] = (
            item
            if known is None
            else replace(known, count=known.count + item.count, score=max(known.score, item.score))
        )
    kept = list(found.values())
    if len(kept) > 256:
        kept = sorted(kept, key=lambda item: (-item.action, -item.severity))[:256]
    return kept
