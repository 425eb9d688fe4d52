"""A closer look at the loudest sentences of a document: attention over their words.

The text model adds up phrases, so an order in words of its own slips by. This network reads a sentence word by word; it
was taught by a sentence model that is far too large to run here (`training/train_closer.py`). Trade-off: a sentence
costs a hundred times what the text model takes for one, so only a few are read, and only where the text model doubts.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from akto_proxy.guard.learned.weights import Weights

Floats = NDArray[np.float32]
#: Sentences of one piece of text that are read, the loudest first. With six, no more was found than with two.
MOST = 2
#: Words of a sentence that are read; the text model cuts sentences at as many.
WORDS = 40
_SMALL = np.float32(1e-5)


class Closer:
    """Reads sentences given as word features (words, width). Threads may share it."""

    def __init__(self, weights: Weights) -> None:
        meta = weights.meta
        self.gate: float = meta["gate"]
        self._heads: int = meta["heads"]
        self._layers: int = meta["layers"]
        self._sway: tuple[float, float, float] = tuple(meta["sway"])
        names = {name.removesuffix("_scale") for name in weights.arrays}
        self._w: dict[str, Floats] = {name: _wide(weights, name) for name in names}

    @classmethod
    def load(cls, data: bytes | memoryview) -> Closer:
        """The network in a weights file.

        Raises:
            ValueError: not a weights file.
        """
        return cls(Weights.load(data))

    def sway(self, sentences: Sequence[Floats]) -> float:
        """What the sentence that sounds most like an order to the reader adds to its text's logit; may be negative."""
        slope, calm, most = self._sway
        return float(np.clip(slope * (float(self.judge(sentences).max()) - calm), -most, most))

    def judge(self, sentences: Sequence[Floats]) -> Floats:
        """A logit for each sentence: that it is an order to whoever reads this for somebody else."""
        words = np.array([len(sentence) for sentence in sentences])
        x = np.zeros((len(sentences), int(words.max()), sentences[0].shape[1]), np.float32)
        for number, sentence in enumerate(sentences):
            x[number, : len(sentence)] = sentence
        there = np.arange(x.shape[1]) < words[:, None]
        w = self._w
        x = x @ w["in_w"] + w["in_b"] + w["place"][: x.shape[1]]
        for layer in range(self._layers):
            x = x + self._attend(self._norm(x, f"a{layer}"), there, layer)
            inner = np.maximum(self._norm(x, f"f{layer}") @ w[f"up{layer}_w"] + w[f"up{layer}_b"], 0)
            x = x + inner @ w[f"down{layer}_w"] + w[f"down{layer}_b"]
        mean = (self._norm(x, "end") * there[..., None]).sum(1) / words[:, None]
        return np.asarray((mean @ w["out_w"] + w["out_b"])[:, 0], np.float32)

    def _attend(self, x: Floats, there: NDArray[np.bool_], layer: int) -> Floats:
        w, heads = self._w, self._heads
        count, length, width = x.shape
        mixed = (x @ w[f"mix{layer}_w"] + w[f"mix{layer}_b"]).reshape(count, length, 3, heads, width // heads)
        asks, keys, values = mixed.transpose(2, 0, 3, 1, 4)
        fits = asks @ keys.swapaxes(2, 3) / np.float32((width // heads) ** 0.5)
        fits = np.where(there[:, None, None, :], fits, np.float32(-1e9))
        fits = np.exp(fits - fits.max(3, keepdims=True))
        fits /= fits.sum(3, keepdims=True)
        joined = (fits @ values).transpose(0, 2, 1, 3).reshape(count, length, width)
        return np.asarray(joined @ w[f"join{layer}_w"] + w[f"join{layer}_b"])

    def _norm(self, x: Floats, name: str) -> Floats:
        """Layer norm."""
        x = x - x.mean(2, keepdims=True)
        spread = np.sqrt((x * x).mean(2, keepdims=True) + _SMALL)
        return np.asarray(x / spread * self._w[f"{name}_w"] + self._w[f"{name}_b"])


def _wide(weights: Weights, name: str) -> Floats:
    array = weights.arrays[name].astype(np.float32)
    scale = weights.arrays.get(f"{name}_scale")
    return np.asarray(array if scale is None else array * scale)
