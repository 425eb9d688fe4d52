"""The system prompt in the answer: a long run of its very words.

The exchange's own system message is the reference, so nothing has to be configured. Other readings of the answer are
compared too, so a prompt given away in base64 or backwards is still one. Trade-off: a paraphrased or translated leak
shares no run of words and is not seen here; plant a canary (`canary:` in a policy) for that.
"""

from __future__ import annotations

from collections.abc import Sequence
from hashlib import blake2b

import numpy as np
from numpy.typing import NDArray

from akto_proxy.guard.learned.features import PIECE, Reader, Tokens
from akto_proxy.guard.output.base import answers
from akto_proxy.model import Finding, Role, Segment

#: Words in a row that count as one shared piece.
_RUN = 6
_ODD = np.uint64(0x9E3779B97F4A7C15)
#: At most so many pieces of PIECE characters of each text are compared.
_PIECES = 16
#: A shorter system message is a common phrase: it has this many word runs at least, or nothing is compared.
_LEAST = 3
#: System messages whose word runs are remembered: an answer that streams is compared window by window.
_REMEMBERED = 64


class SystemPromptLeakDetector:
    """Finds word runs of the system message in what the model answered. Rule `system-prompt-leak`."""

    name = "system-prompt-leak"
    category = "leak"
    rules = frozenset((name,))

    def __init__(self, reader: Reader, words: int = 12, share: float = 0.5) -> None:
        self._reader = reader
        self._words = words
        self._share = share
        self._known: dict[bytes, NDArray[np.uint64]] = {}

    def check(self, segments: Sequence[Segment]) -> list[tuple[int, Finding]]:
        """At most one finding for each answer: the longest shared run."""
        system = [segment.text for segment in segments if segment.role is Role.SYSTEM]
        told = list(answers(segments)) if system else []
        if not told:
            return []
        secret = self._secret(system)
        if len(secret) < _LEAST:
            return []
        found = ((number, self._overlap(text, secret)) for number, text in told)
        return [(number, finding) for number, finding in found if finding is not None]

    def _secret(self, texts: Sequence[str]) -> NDArray[np.uint64]:
        """The word runs of the system messages, sorted."""
        digest = blake2b(digest_size=16)
        for text in texts:
            digest.update(text.encode("utf-8", "surrogatepass") + b"\0")
        known = self._known.get(digest.digest())
        if known is None:
            if len(self._known) >= _REMEMBERED:
                self._known = {}
            known = self._known[digest.digest()] = self._grams(texts)
        return known

    def _overlap(self, text: str, secret: NDArray[np.uint64]) -> Finding | None:
        best: Finding | None = None
        for at in range(0, min(len(text), PIECE * _PIECES), PIECE):
            tokens = self._reader.read(text[at : at + PIECE])
            grams = _grams(tokens)
            shared = np.isin(grams, secret)
            total = int(shared.sum())
            if not total:
                continue
            start, length = _longest(shared)
            run = length + _RUN - 1
            if run < self._words and total < self._share * len(secret):
                continue
            score = min(1.0, 0.6 + 0.02 * (run - self._words) + 0.3 * total / len(secret))
            finding = self._finding(int(tokens.starts[start]) + at, int(tokens.ends[start + run - 1]) + at, score)
            best = finding if best is None or finding.score > best.score else best
        return best

    def _grams(self, texts: Sequence[str]) -> NDArray[np.uint64]:
        pieces = [t[at : at + PIECE] for t in texts for at in range(0, min(len(t), PIECE * _PIECES), PIECE)]
        rows = [_grams(self._reader.read(piece)) for piece in pieces]
        return np.unique(np.concatenate(rows)) if rows else np.zeros(0, np.uint64)

    def _finding(self, start: int, end: int, score: float) -> Finding:
        return Finding(start, end, self.name, "SYSTEM_PROMPT_LEAK", self.category, round(max(0.5, score), 4))


def _grams(tokens: Tokens) -> NDArray[np.uint64]:
    count = len(tokens.hashes) - _RUN + 1
    if count <= 0:
        return np.zeros(0, np.uint64)
    out = np.zeros(count, np.uint64)
    for k in range(_RUN):
        out = out * _ODD + tokens.hashes[k : k + count]
    return out


def _longest(shared: NDArray[np.bool_]) -> tuple[int, int]:
    """Start and length of the longest run of true."""
    edges = np.flatnonzero(np.diff(np.concatenate(([0], shared.astype(np.int8), [0]))))
    starts, lengths = edges[::2], edges[1::2] - edges[::2]
    best = int(lengths.argmax())
    return int(starts[best]), int(lengths[best])
