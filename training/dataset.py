"""Texts read once into arrays: the same reader as at run time, so that training and serving cannot drift apart."""

from __future__ import annotations

import zlib
from dataclasses import dataclass

import numpy as np

from akto_proxy.guard.learned.features import PIECE, Reader, grams, lookup
from akto_proxy.guard.learned.lexicon import CLASSES
from training.corpus import Item

KINDS = ("", "injection", "jailbreak", "extraction")
HAZARDS = ("", *(f"s{i}" for i in range(1, 15)))


@dataclass(slots=True)
class Read:
    """One text as features: buckets, the window of each, the number of windows, tokens per window."""

    buckets: np.ndarray
    windows: np.ndarray
    count: int
    sizes: np.ndarray
    rows: np.ndarray
    classes: np.ndarray
    token_windows: np.ndarray


class Rows:
    """The row of a word's vector by its hash (row 0: unknown), in the very table that is shipped.

    Words of the lexicon that have no vector get a row too, so that a row tells the class.
    """

    def __init__(self, reader: Reader, words: list[str], vectors: np.ndarray, bits: int = 17) -> None:
        self.slots = np.zeros(1 << bits, np.uint16)
        self.checks = np.zeros(1 << bits, np.uint16)
        lexicon = " ".join(CLASSES.values()).split()
        kept, classes = [np.zeros(vectors.shape[1], np.float32)], [0]
        for number, word in enumerate(lexicon + words):  # the first to come keeps a contested place
            tokens = reader.read(word)
            if len(tokens.hashes) != 1:
                continue
            place = int(tokens.hashes[0]) >> (64 - bits)
            if self.slots[place] and (number < len(lexicon) or int(tokens.hashes[0]) & 0xFFFF != self.checks[place]):
                continue
            vector = (
                vectors[number - len(lexicon)] if number >= len(lexicon) else np.zeros(vectors.shape[1], np.float32)
            )
            if self.slots[place]:  # a word of the lexicon, whose vector comes only now
                kept[self.slots[place]] = vector
                continue
            self.slots[place], self.checks[place] = len(kept), int(tokens.hashes[0]) & 0xFFFF
            kept.append(vector)
            classes.append(int(tokens.classes[0]))
        self.vectors, self.classes = np.stack(kept), np.array(classes)

    def of(self, hashes: np.ndarray) -> np.ndarray:
        """Rows of `hashes`."""
        return lookup(hashes, self.slots, self.checks).astype(np.int32)


def read(reader: Reader, text: str, bits: int, rows: Rows | None = None) -> Read:
    """The features of the first PIECE characters of `text`."""
    if len(text) > PIECE:  # any piece of it, the same one each time
        at = zlib.crc32(text.encode("utf-8", "replace")) % (len(text) - PIECE // 2)
        text = text[at:]
    tokens = reader.read(text[:PIECE])
    buckets, windows = grams(tokens, bits)
    sizes = np.bincount(tokens.windows, minlength=max(1, tokens.count))
    return Read(
        buckets.astype(np.int32),
        windows.astype(np.int32),
        max(1, tokens.count),
        sizes.astype(np.float32),
        rows.of(tokens.hashes) if rows else np.zeros(len(tokens.hashes), np.int32),
        tokens.classes.astype(np.int32),
        tokens.windows.astype(np.int32),
    )


def batch(reads: list[Read]) -> dict[str, np.ndarray]:
    """Several texts side by side: flat buckets, offsets of windows, the document of each window."""
    base, parts = 0, []
    for doc, r in enumerate(reads):
        parts.append(
            (
                r.buckets,
                r.windows + base,
                np.full(r.count, doc),
                r.sizes,
                np.arange(r.count),
                np.full(r.count, r.count),
                r.rows,
                r.classes,
                r.token_windows + base,
                np.full(len(r.rows), doc),
            )
        )
        base += r.count
    cat = [np.concatenate(column) for column in zip(*parts, strict=True)]
    order = np.argsort(cat[1], kind="stable")
    return {
        "buckets": cat[0][order].astype(np.int64),
        "window_of": cat[1][order].astype(np.int64),
        "windows": np.array(base),
        "doc_of": cat[2].astype(np.int64),
        "sizes": cat[3],
        "place": cat[4],
        "total": cat[5],
        "rows": cat[6].astype(np.int64),
        "classes": cat[7].astype(np.int64),
        "token_window": cat[8].astype(np.int64),
        "token_doc": cat[9].astype(np.int64),
    }


def labels(items: list[Item]) -> dict[str, np.ndarray]:
    """Label arrays of `items`."""
    return {
        "attack": np.array([i.attack for i in items], np.float32),
        "tool": np.array([i.role == "tool" for i in items], np.int64),
        "kind": np.array([KINDS.index(i.kind) for i in items], np.int64),
        "hazard": np.array([-1 if i.hazard == "?" else HAZARDS.index(i.hazard) for i in items], np.int64),
    }
