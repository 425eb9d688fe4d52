"""The file form of weights: a JSON header, then plain arrays that are read where they lie.

Nothing is copied: every array is a view of the buffer given, so a memory map is shared by all workers. Whole numbers of
8 bits with one scale per array keep files small; they are widened only for the few rows that a text needs.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

_MAGIC = b"AKW1"
_ALIGN = 64


@dataclass(frozen=True, slots=True)
class Weights:
    """Named arrays (views of the buffer) and the facts in the header, thresholds among them."""

    arrays: dict[str, NDArray[Any]]
    meta: dict[str, Any]

    @classmethod
    def load(cls, data: bytes | memoryview) -> Weights:
        """Read the header and point at the arrays.

        Raises:
            ValueError: the bytes are not a weights file.
        """
        if bytes(data[:4]) != _MAGIC:
            raise ValueError("not a weights file")
        size = int.from_bytes(data[4:8], "little")
        header = json.loads(bytes(data[8 : 8 + size]))
        base = _aligned(8 + size)
        arrays = {}
        for name, entry in header["arrays"].items():
            count = int(np.prod(entry["shape"], dtype=np.int64))
            flat = np.frombuffer(data, np.dtype(entry["dtype"]), count, base + entry["at"])
            arrays[name] = flat.reshape(entry["shape"])
        return cls(arrays, header["meta"])

    def dump(self) -> bytes:
        """The file's bytes; `Weights.load` reads them."""
        entries, body, at = {}, [], 0
        for name, array in self.arrays.items():
            raw = np.ascontiguousarray(array).tobytes()
            entries[name] = {"dtype": array.dtype.str, "shape": list(array.shape), "at": at}
            body.append(raw.ljust(_aligned(len(raw)), b"\0"))
            at += _aligned(len(raw))
        header = json.dumps({"arrays": entries, "meta": self.meta}).encode()
        head = _MAGIC + len(header).to_bytes(4, "little") + header
        return head.ljust(_aligned(len(head)), b"\0") + b"".join(body)


def _aligned(size: int) -> int:
    return -(-size // _ALIGN) * _ALIGN
