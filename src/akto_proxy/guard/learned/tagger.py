"""Names of persons, places and organisations: what no pattern finds.

Each token is judged from itself and its neighbours: hashed words, first and last letters and capitals on one side, word
vectors through one hidden layer on the other. No list of names is kept. Trade-off: each token is decided by itself,
so a rare name may lose its end; the price of a search over label sequences was not worth it (see docs/detection.md).
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import numpy as np
from numpy.typing import NDArray

from akto_proxy.guard.learned.features import Ints, NameTokens, Reader, lookup, pieces
from akto_proxy.guard.learned.weights import Weights
from akto_proxy.model import Finding, Role, Segment

#: Labels: 0 is outside, then each kind. Two names of a kind always have something between them.
KINDS = ("person", "location", "organization")
LABELS = 1 + len(KINDS)
_OVERLAP = 200
_SALT = tuple(
    np.uint64(s)
    for s in (
        0xA24BAED4963EE407, 0x9FB21C651E98DF25, 0xD6E8FEB86659FD93, 0xC2B2AE3D27D4EB4F,
        0x165667B19E3779F9, 0x27D4EB2F165667C5, 0x85EBCA77C2B2AE63, 0x9E3779B185EBCA87,
        0xFF51AFD7ED558CCD, 0xC4CEB9FE1A85EC53, 0x8EBC6AF09C88C6E3, 0x589965CC75374CC3,
        0x1D8E4E27C47D124F, 0xEB44ACCAB455D165, 0xA0761D6478BD642F, 0xE7037ED1A0B428DB,
        0x94D049BB133111EB, 0xBF58476D1CE4E5B9,
    )
)  # fmt: skip
_SALTS = np.array(_SALT, np.uint64)[:, None]

#: A token is judged with so many neighbours on each side.
REACH = 2


def name_features(t: NameTokens, bits: int) -> Ints:
    """Buckets (tokens, features) of each token and its neighbourhood."""
    h, shape = t.hashes, t.shapes.astype(np.uint64)
    left, right, shape_left, shape_right = _at(h, -1), _at(h, 1), _at(shape, -1), _at(shape, 1)
    keys = np.empty((len(_SALT), len(h)), np.uint64)
    keys[0], keys[1], keys[2], keys[3], keys[4] = h, left, right, _at(h, -2), _at(h, 2)
    keys[5], keys[6], keys[7], keys[8], keys[9] = t.prefixes, t.suffixes, shape, shape_left, shape_right
    keys[10] = (shape * np.uint64(512) + shape_left) * np.uint64(512) + shape_right
    keys[11] = h * np.uint64(3) + left
    keys[12] = h * np.uint64(3) + right
    keys[13] = left * np.uint64(5) + shape
    keys[14] = right * np.uint64(5) + shape
    keys[15] = h * np.uint64(7) + shape
    keys[16] = _at(t.suffixes, -1) * np.uint64(11) + shape
    keys[17] = left * np.uint64(13) + right
    keys ^= keys >> np.uint64(31)
    keys *= _SALTS
    keys >>= np.uint64(64 - bits)
    return np.asarray(keys.T.astype(np.int64))


def _at(values: NDArray[np.uint64], by: int) -> NDArray[np.uint64]:
    """`values` of the token `by` places on; a fixed number beyond the ends."""
    out = np.full(len(values), 0x5BD1E995, np.uint64)
    if abs(by) < len(values):
        if by > 0:
            out[:-by] = values[by:]
        else:
            out[-by:] = values[:by]
    return out


class NameTagger:
    """Finds PERSON, LOCATION and ORGANIZATION. It costs more than the others, so it runs only when asked for."""

    name = "names"
    category = "pii"
    rules = frozenset(KINDS)
    reads_views = False

    def __init__(self, weights: Weights, reader: Reader, floor: float = 0.4) -> None:
        a = weights.arrays
        self._reader = reader
        self._floor = floor
        self._bits = int(weights.meta["bits"])
        self._calm = np.float32(weights.meta["calm"])
        self._table, self._slots, self._checks, self._words = a["table"], a["slots"], a["checks"], a["words"]
        self._table_scale = np.float32(weights.meta["table_scale"])
        self._words_scale = np.float32(weights.meta["words_scale"])
        self._bias = a["first_b"].astype(np.float32)
        self._last_w, self._last_b = a["last_w"].astype(np.float32), a["last_b"].astype(np.float32)
        self._add = np.tile(np.eye(LABELS, dtype=np.float32), (len(_SALT), 1)) * self._table_scale

    @classmethod
    def load(cls, data: bytes | memoryview, reader: Reader | None = None) -> NameTagger:
        """The tagger in a weights file.

        Raises:
            ValueError: not a weights file.
        """
        return cls(Weights.load(data), reader or Reader())

    def check(self, segments: Sequence[Segment]) -> list[tuple[int, Finding]]:
        """Findings, each with the number of its segment."""
        asked = ((n, s) for n, s in enumerate(segments) if s.role is not Role.SYSTEM and s.text)
        return [(n, finding) for n, s in asked for finding in self.tag(s.text)]

    def tag(self, text: str) -> list[Finding]:
        """The names in `text`, sorted."""
        found: dict[int, Finding] = {}
        for at, piece in pieces(text, _OVERLAP):
            for finding in self._piece(piece, at):
                known = found.get(finding.start)
                if known is None or finding.end > known.end:
                    found[finding.start] = finding
        return sorted(found.values())

    def scores(self, tokens: NameTokens) -> NDArray[np.float32]:
        """Probabilities (tokens, labels)."""
        rows = self._table.take(name_features(tokens, self._bits), 0).reshape(len(tokens.hashes), -1)
        logits = rows.astype(np.float32) @ self._add
        logits += self._around(tokens) @ self._last_w + self._last_b
        logits[:, 0] -= self._calm  # a missed name costs more than a word too many
        odds = np.exp(logits - logits.max(1, keepdims=True))
        return np.asarray(odds / odds.sum(1, keepdims=True), np.float32)

    def _around(self, tokens: NameTokens) -> NDArray[np.float32]:
        """The hidden layer: what each word and its neighbours add to it, by their distance."""
        rows = lookup(tokens.hashes, self._slots, self._checks)
        size = len(self._bias)
        y = self._words.take(rows, 0).astype(np.int16)  # sums of a few int8 values cannot overflow
        out = y[:, REACH * size : (REACH + 1) * size].copy()
        for move in range(1, REACH + 1):
            if move < len(rows):
                out[:-move] += y[move:, (REACH + move) * size : (REACH + move + 1) * size]
                out[move:] += y[:-move, (REACH - move) * size : (REACH - move + 1) * size]
        return np.asarray(np.maximum(out * self._words_scale + self._bias, 0), np.float32)

    def _piece(self, text: str, at: int) -> Iterator[Finding]:
        tokens = self._reader.read_names(text)
        if not len(tokens.hashes):
            return
        odds = self.scores(tokens)
        labels = odds.argmax(1)
        for first, last, kind in _runs(labels.tolist()):
            score = float(odds[first : last + 1, 1 + kind].mean())
            if score >= self._floor:
                start, end = int(tokens.starts[first]), int(tokens.ends[last])
                if text[end - 2 : end] in ("'s", "\u2019s") and end - 2 > start:
                    end -= 2
                start, end = start + at, end + at
                yield Finding(start, end, KINDS[kind], KINDS[kind].upper(), "pii", round(score, 4))


def _runs(labels: list[int]) -> Iterator[tuple[int, int, int]]:
    """First token, last token and kind of each run of one label."""
    start = 0
    for place in range(1, len(labels) + 1):
        if place == len(labels) or labels[place] != labels[start]:
            if labels[start]:
                yield start, place - 1, labels[start] - 1
            start = place
