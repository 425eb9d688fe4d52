"""Small, fixed memory for large sets: how often was it seen, was it ever seen, how many different were there.

All three err on one stated side: a count is never too small, a set may believe it has seen what it has not, a number
of different things is within a few percent. Names are hashed with a seed, so nobody can aim at a collision.
"""

from __future__ import annotations

from array import array
from hashlib import blake2b
from math import log


def digest(seed: bytes, *parts: str) -> int:
    """64 bits of a name."""
    return int.from_bytes(
        blake2b("\x00".join(parts).encode("utf-8", "replace"), digest_size=8, key=seed).digest(), "big"
    )


class CountMin:
    """How often, at most: four rows of counters."""

    def __init__(self, width: int = 1 << 16) -> None:
        self._mask = width - 1
        self._rows = [array("I", bytes(4 * width)) for _ in range(4)]

    def add(self, name: int) -> int:
        """Count one more; how many there were at most, this one included. Only the smallest counters grow."""
        places = [name >> shift & self._mask for shift in (0, 16, 32, 48)]
        counts = [row[place] for row, place in zip(self._rows, places, strict=True)]
        least = min(counts)
        for row, place, count in zip(self._rows, places, counts, strict=True):
            if count == least:
                row[place] = least + 1
        return least + 1

    def halve(self) -> None:
        """Forget half, so that what was once busy does not stay so for ever."""
        for row in self._rows:
            for place, count in enumerate(row):
                if count:
                    row[place] = count >> 1


class Seen:
    """Was it ever seen: two Bloom filters, the older of which is dropped when the younger is full.

    Of `room` to 2 x `room` names none is forgotten; about one in 200 new ones is taken for known.
    """

    def __init__(self, room: int = 100_000) -> None:
        self._room = room
        self._bits = 1 << (12 * room - 1).bit_length()
        self._young = bytearray(self._bits // 8)
        self._old = bytearray(self._bits // 8)
        self._count = 0

    def add(self, name: int) -> bool:
        """Whether it is new."""
        places = self._places(name)
        if self._has(self._young, places):
            return False
        known = self._has(self._old, places)
        for place in places:
            self._young[place >> 3] |= 1 << (place & 7)
        self._count += 1
        if self._count >= self._room:
            self._old, self._young, self._count = self._young, bytearray(self._bits // 8), 0
        return not known

    def dump(self) -> tuple[bytes, bytes, int]:
        """All of it."""
        return bytes(self._young), bytes(self._old), self._count

    def load(self, young: bytes, old: bytes, count: int) -> None:
        """Take up what another one dumped; one of another size is not taken."""
        if len(young) == len(old) == self._bits // 8:
            self._young, self._old, self._count = bytearray(young), bytearray(old), count

    def _places(self, name: int) -> list[int]:
        one, two = name & 0xFFFFFFFF, name >> 32 | 1
        return [(one + turn * two) % self._bits for turn in range(5)]

    @staticmethod
    def _has(bits: bytearray, places: list[int]) -> bool:
        return all(bits[place >> 3] >> (place & 7) & 1 for place in places)


class Distinct:
    """How many different: HyperLogLog with 256 registers of a byte, within 7 %."""

    _SIZE = 256

    def __init__(self) -> None:
        self._registers = bytearray(self._SIZE)

    def add(self, name: int) -> None:
        """Count a name once, however often it comes."""
        place, rest = name & 255, name >> 8
        rank = 57 - rest.bit_length()
        if rank > self._registers[place]:
            self._registers[place] = rank

    def count(self) -> float:
        """About how many."""
        size = self._SIZE
        estimate = 0.7213 / (1 + 1.079 / size) * size * size / sum(2.0**-rank for rank in self._registers)
        zeros = self._registers.count(0)
        return size * log(size / zeros) if estimate <= 2.5 * size and zeros else estimate
