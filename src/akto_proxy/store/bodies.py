"""Records are alike, so they are kept zstd-compressed against a dictionary learned from the first few hundred.

A 2.5 KB trace shrinks to a few hundred bytes. A dictionary, once used, is kept for ever: what was written with it
needs it.
"""

from __future__ import annotations

from collections.abc import Callable
from threading import local

import zstandard

DICTIONARY_BYTES = 64 * 1024
SAMPLES = 400
"""Records a dictionary is learned from."""
MAX_BODY = 512 * 1024 * 1024
"""A record that says it is larger is damaged."""

PLAIN = 0
"""The dictionary id of what was compressed without one."""


def train(samples: list[bytes]) -> bytes | None:
    """A dictionary, or None when the samples teach nothing (too few, too small)."""
    try:
        return zstandard.train_dictionary(DICTIONARY_BYTES, [*samples], level=3).as_bytes()
    except zstandard.ZstdError:
        return None


class Codec:
    """Compresses with the newest dictionary, decompresses with whichever was used. Safe from several threads.

    `load` gives the bytes of a dictionary by id.
    """

    def __init__(self, load: Callable[[int], bytes]) -> None:
        self._load = load
        self._dictionaries: dict[int, zstandard.ZstdCompressionDict] = {}
        self._threads = local()
        self.current = PLAIN

    def use(self, number: int, dictionary: bytes) -> None:
        """Compress with this one from now on."""
        self._dictionaries[number] = zstandard.ZstdCompressionDict(dictionary)
        self.current = number
        self._threads = local()

    def compress(self, record: bytes) -> tuple[int, bytes]:
        """The dictionary id and the compressed bytes."""
        made = self._threads
        number = self.current
        if getattr(made, "number", None) != number:
            made.number = number
            made.compressor = zstandard.ZstdCompressor(level=3, dict_data=self._dictionaries.get(number))
        compressed: bytes = made.compressor.compress(record)
        return number, compressed

    def expand(self, number: int, data: bytes) -> bytes:
        """The record's bytes."""
        made = self._threads
        expanders = getattr(made, "expanders", None)
        if expanders is None:
            expanders = made.expanders = {}
        if number not in expanders:
            expanders[number] = zstandard.ZstdDecompressor(dict_data=self._dictionary(number))
        record: bytes = expanders[number].decompress(data, max_output_size=MAX_BODY)
        return record

    def _dictionary(self, number: int) -> zstandard.ZstdCompressionDict | None:
        if number == PLAIN:
            return None
        if number not in self._dictionaries:
            self._dictionaries[number] = zstandard.ZstdCompressionDict(self._load(number))
        return self._dictionaries[number]
