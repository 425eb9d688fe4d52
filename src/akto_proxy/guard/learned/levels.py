"""From a model's own number to a score that means the same in every version of the weights.

A score of 0.85 is what 0.1 % of harmless texts reach, 0.5 what 1 % reach, 0.3 what 5 % reach; the weights' header says
where that is. Policies take findings from 0.5 on unless told otherwise, and their level `high` begins at 0.85: a rule
that blocks there stops one harmless text in a thousand. Trade-off: between and beyond these points the score is a
straight line or a tail, not a probability.
"""

from __future__ import annotations

import math
from collections.abc import Sequence

LOW, MEDIUM, HIGH = 0.85, 0.5, 0.3
"""The score at the thresholds of 0.1, 1 and 5 % false positives."""

FLOOR = HIGH
"""What lies below is no finding."""


def score(logit: float, points: Sequence[float]) -> float:
    """The score of `logit`; `points` are the logits that 5 %, 1 % and 0.1 % of harmless texts reach, rising."""
    high, medium, low = points
    if logit <= high:
        return HIGH * math.exp(max(-30.0, logit - high))
    if logit <= medium:
        return HIGH + (MEDIUM - HIGH) * (logit - high) / (medium - high)
    if logit <= low:
        return MEDIUM + (LOW - MEDIUM) * (logit - medium) / (low - medium)
    return 1.0 - (1.0 - LOW) * math.exp(low - logit)
