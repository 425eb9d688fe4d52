"""The text model: one small network that reads a text once, for prompt attacks and for harmful requests alike.

Per sentence: hashed n-gram vectors (what is said), filters over word vectors (what is meant), where it stands. The
loudest sentence speaks for the text, so one injected line is found in a long document; those of a document may be
looked at more closely (see `closer`). The arithmetic is that of `training/attack_model.py`. Trade-off: a thought spread
thinly over many calm sentences is heard only faintly.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, field
from hashlib import blake2b
from typing import Any

import numpy as np
from numpy.typing import NDArray

from akto_proxy.guard.learned.closer import MOST, WORDS, Closer
from akto_proxy.guard.learned.features import Hashes, Ints, Reader, Tokens, grams, lookup, pieces, word_buckets
from akto_proxy.guard.learned.weights import Weights

Floats = NDArray[np.float32]
#: Neighbouring pieces of a long text share this many characters.
_OVERLAP = 256
#: Texts of which the reading is remembered, so that several detectors read them once.
_REMEMBERED = 64
#: Up to so many sentences their n-grams are added up by a matrix product; beyond, that matrix would be too large.
_FEW = 64
#: Vectors of n-grams are small beside those of words; a closer look takes them so many times larger.
_LIFT = np.float32(8)


@dataclass(frozen=True, slots=True)
class Reading:
    """What the model made of a text: logits for the roles user and tool, kinds, hazards, and its loudest sentences.

    `hazards` begins with the logit of none; `harm` is the logit of any of them against none. `closely` says that the
    loudest sentences were looked at again where the first look had doubts.
    """

    attack: tuple[float, float]
    kinds: tuple[float, ...]
    hazards: tuple[float, ...]
    spans: tuple[tuple[int, int], tuple[int, int]]
    closely: bool = False
    harm: float = field(init=False)

    def __post_init__(self) -> None:
        calm, *hazards = self.hazards
        top = max(hazards)
        object.__setattr__(self, "harm", top + math.log(sum(math.exp(h - top) for h in hazards)) - calm)


class TextModel:
    """Reads texts with the weights given. Build it once and hand it to each detector; threads may share it."""

    def __init__(self, weights: Weights, reader: Reader, closer: Closer | None = None) -> None:
        self._closer = closer
        self.meta: dict[str, Any] = weights.meta
        self._reader = reader
        self._bits = int(weights.meta["bits"])
        self._width = int(weights.meta["width"])
        a = weights.arrays
        self._table, self._slots, self._checks, self._conv = a["table"], a["slots"], a["checks"], a["conv"]
        scale = np.float32(weights.meta["conv_scale"])
        self._conv_scale, self._table_scale = scale, np.float32(weights.meta["table_scale"])
        names = ("conv_bias", "first_w", "first_b", "second_w", "second_b", "doc_w", "doc_b", "last_w", "last_b")
        self._dense: dict[str, Floats] = {name: a[name].astype(np.float32) for name in names}
        self._bias = np.round(self._dense["conv_bias"] / scale).astype(np.int16)
        self._known: dict[bytes, Reading] = {}

    @classmethod
    def load(
        cls, data: bytes | memoryview, reader: Reader | None = None, closer: bytes | memoryview | None = None
    ) -> TextModel:
        """The model in a weights file, with the closer look of another. The large arrays stay views of `data`.

        Raises:
            ValueError: not a weights file.
        """
        return cls(Weights.load(data), reader or Reader(), None if closer is None else Closer.load(closer))

    def read(self, text: str, *, closely: bool = False) -> Reading:
        """What the model makes of `text`; of a long one, the strongest of its pieces.

        `closely`: where it might hold an order to whoever reads it, its loudest sentences are looked at again.
        """
        closely = closely and self._closer is not None
        key = blake2b(text.encode("utf-8", "surrogatepass"), digest_size=16).digest()
        known = self._known.get(key)
        if known is not None and known.closely >= closely:
            return known
        reading = _strongest([self._piece(piece, at, closely=closely) for at, piece in pieces(text, _OVERLAP)])
        if len(self._known) >= _REMEMBERED:
            self._known = {}  # a fresh one: threads that hold the old one are not disturbed
        self._known[key] = reading
        return reading

    def _piece(self, text: str, at: int, *, closely: bool) -> Reading:
        tokens = self._reader.read(text)
        if not tokens.count:
            return _SILENT
        edges = np.flatnonzero(tokens.windows[1:] != tokens.windows[:-1]) + 1
        edges = np.concatenate(((0,), edges))
        z = self._sentences(tokens)
        loud = self._filters(tokens, edges)
        mean = z.mean(0)
        x = _beside(z, mean, loud, edges, len(tokens.hashes))
        d = self._dense
        hidden = np.maximum(x @ d["first_w"] + d["first_b"], 0)
        window = hidden @ d["second_w"] + d["second_b"]
        top = window.max(0)
        pool = top + np.log(np.exp(window - top).sum(0))
        whole = np.concatenate([mean, z.max(0), hidden.max(0), loud.max(0)])
        whole = np.maximum(whole @ d["doc_w"] + d["doc_b"], 0) @ d["last_w"] + d["last_b"]
        attack = pool + 2 * np.tanh(whole[:2] / 2)
        if closely and self._closer is not None and attack[1] > self._closer.gate:
            loudest = np.argsort(-window[:, 1])[:MOST]
            places = [_place(edges, int(number), len(tokens.hashes)) for number in loudest]
            attack[1] += self._closer.sway([self.words(tokens.hashes[first:end]) for first, end in places])
        spans = [self._span(tokens, edges, int(window[:, role].argmax()), at) for role in (0, 1)]
        return Reading(
            (float(attack[0]), float(attack[1])),
            tuple(whole[2:6].tolist()),
            tuple(whole[6:].tolist()),
            (spans[0], spans[1]),
            closely,
        )

    def words(self, hashes: Hashes) -> Floats:
        """The words of one sentence as a closer look takes them: what the filters and the n-grams make of each."""
        hashes = hashes[:WORDS]
        meant = self._conv.take(lookup(hashes, self._slots, self._checks), 0) * self._conv_scale
        said = self._table.take(word_buckets(hashes, self._bits), 0) * (self._table_scale * _LIFT)
        return np.concatenate([meant, said], 1, dtype=np.float32)

    def _sentences(self, tokens: Tokens) -> Floats:
        buckets, windows = grams(tokens, self._bits)
        rows = self._table.take(buckets, 0).astype(np.float32)
        counts = np.bincount(windows, minlength=tokens.count)
        sums: NDArray[Any]
        if tokens.count > _FEW:
            sums = np.stack([np.bincount(windows, column, tokens.count) for column in rows.T], 1)
        else:
            member = np.zeros((tokens.count, len(windows)), np.float32)
            member[windows, np.arange(len(windows))] = 1
            sums = member @ rows
        return np.asarray(sums * (self._table_scale / np.sqrt(counts, dtype=np.float32))[:, None], np.float32)

    def _filters(self, tokens: Tokens, edges: Ints) -> Floats:
        rows = lookup(tokens.hashes, self._slots, self._checks)
        size = len(self._bias)
        y = self._conv.take(rows, 0).astype(np.int16)  # sums of a few int8 values cannot overflow
        half = self._width // 2
        out = y[:, half * size : (half + 1) * size] + self._bias
        for move in range(1, half + 1):
            if move < len(rows):
                out[:-move] += y[move:, (half + move) * size : (half + move + 1) * size]
                out[move:] += y[:-move, (half - move) * size : (half - move + 1) * size]
        top = np.maximum.reduceat(out, edges, axis=0)
        return np.asarray(np.maximum(top, 0) * self._conv_scale, np.float32)

    @staticmethod
    def _span(tokens: Tokens, edges: Ints, window: int, at: int) -> tuple[int, int]:
        first, end = _place(edges, window, len(tokens.ends))
        return int(tokens.starts[first]) + at, int(tokens.ends[end - 1]) + at


_SILENT = Reading((-30.0, -30.0), (0.0,) * 4, (30.0,) + (-30.0,) * 14, ((0, 0), (0, 0)))


def _place(edges: Ints, window: int, tokens: int) -> tuple[int, int]:
    """The first token of a sentence and the one after its last."""
    return int(edges[window]), int(edges[window + 1]) if window + 1 < len(edges) else tokens


def _beside(z: Floats, mean: Floats, loud: Floats, edges: NDArray[np.int64], tokens: int) -> Floats:
    """Each sentence beside its neighbours, the mean, its place (first, last, alone, sizes, where) and its filters."""
    total, dim = z.shape
    x = np.zeros((total, 4 * dim + 6 + loud.shape[1]), np.float32)
    x[:, :dim] = z
    x[1:, dim : 2 * dim] = z[:-1]
    x[:-1, 2 * dim : 3 * dim] = z[1:]
    x[:, 3 * dim : 4 * dim] = mean
    at = 4 * dim
    x[0, at] = x[-1, at + 1] = 1
    x[:, at + 2] = total == 1
    x[:, at + 3] = np.log1p(np.diff(edges, append=tokens)) / 4
    x[:, at + 4] = np.log1p(total) / 4
    x[:, at + 5] = np.arange(total) / total
    x[:, at + 6 :] = loud
    return x


def _strongest(read: list[Reading]) -> Reading:
    if len(read) == 1:
        return read[0]
    user = max(read, key=lambda r: r.attack[0])
    tool = max(read, key=lambda r: r.attack[1])
    harm = max(read, key=lambda r: max(r.hazards[1:]) - r.hazards[0])
    kinds = tool.kinds if tool.attack[1] > user.attack[0] else user.kinds
    spans = (user.spans[0], tool.spans[1])
    return Reading((user.attack[0], tool.attack[1]), kinds, harm.hazards, spans, read[0].closely)
