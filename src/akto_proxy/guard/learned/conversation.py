"""A conversation: old messages are known, new ones are read, and small steps in one direction add up.

Clients send the whole history each time. What was judged is remembered by a keyed-by-content hash in a bounded cache
that the caller owns; only new messages are read in full. Build-up: each message's suspicion below the threshold is
kept, fades with distance, and is added to the next; an attack spread over several turns becomes one finding on the
turn that completes it. Trade-off: a long, edgy but honest talk is met with more suspicion than its parts deserve.
"""

from __future__ import annotations

import hashlib
from collections import OrderedDict
from collections.abc import Sequence
from dataclasses import replace
from typing import Protocol

from akto_proxy.guard.learned.attack import PromptAttackDetector
from akto_proxy.guard.learned.levels import FLOOR
from akto_proxy.model import Finding, Segment

#: How much of the suspicion so far is left one message later.
_FADE = 0.6
#: How strongly what came before weighs on a message.
_WEIGHT = 0.5
#: A message must be at least this suspicious itself: calm words are never blamed for what came before.
_OWN = 0.12


class Seen(Protocol):
    """What was judged before, by content hash. `SeenCache` is one; a caller may share one between processes."""

    def get(self, key: bytes) -> Finding | None:
        """The finding kept under `key`, None if there is none."""

    def put(self, key: bytes, value: Finding) -> None:
        """Keep `value` under `key`."""


class SeenCache:
    """The last `limit` judged messages, the least recently used forgotten first. `forgotten` counts them."""

    def __init__(self, limit: int = 4096) -> None:
        self._limit = limit
        self._kept: OrderedDict[bytes, Finding] = OrderedDict()
        self.forgotten = 0

    def get(self, key: bytes) -> Finding | None:
        """The finding kept under `key`, None if there is none."""
        value = self._kept.pop(key, None)
        if value is not None:
            self._kept[key] = value
        return value

    def put(self, key: bytes, value: Finding) -> None:
        """Keep `value` under `key`."""
        self._kept[key] = value
        while len(self._kept) > self._limit:
            self._kept.popitem(last=False)
            self.forgotten += 1


class ConversationDetector:
    """Prompt attacks over a whole conversation, in place of `PromptAttackDetector`; it reports the same rules."""

    name = "prompt-attack"
    category = "injection"
    rules = PromptAttackDetector.rules

    def __init__(self, detector: PromptAttackDetector, seen: Seen) -> None:
        self._detector = detector
        self._seen = seen

    def check(self, segments: Sequence[Segment]) -> list[tuple[int, Finding]]:
        """Findings, each with the number of its segment; scores include what came before in the same body."""
        out = []
        before = 0.0
        stood: dict[str, float] = {}  # other readings of a message come later, with its place: they weigh as it did
        for number, segment in enumerate(segments):
            finding = self._judge(segment)
            if finding is None:
                continue
            again = bool(segment.place) and segment.place in stood
            together = _together(finding.score, stood[segment.place] if again else before)
            if not again:
                stood[segment.place] = before
                before = _FADE * before + finding.score
            if together >= FLOOR:
                out.append((number, replace(finding, score=round(together, 4))))
        return out

    def _judge(self, segment: Segment) -> Finding | None:
        text = segment.text.encode("utf-8", "surrogatepass")
        key = hashlib.blake2b(text, digest_size=16, person=segment.role.value.encode()).digest()
        finding = self._seen.get(key)
        if finding is None:
            finding = self._detector.look(segment)
            if finding is not None:
                self._seen.put(key, finding)
        return finding


def _together(own: float, before: float) -> float:
    """A message's own score, raised by what came before it."""
    if own < _OWN or before <= 0:
        return own
    return min(1.0, own + 2 * _WEIGHT * before * own * (1 - own))
