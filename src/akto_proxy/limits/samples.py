"""What callers used, as samples: one is one caller in one stretch of a measure's period in which it called.

Its size is the most the caller had used, at any of its calls there, in the period up to that call. Amounts are whole
numbers, kept to three digits and rounded up, so memory is bounded and no percentile comes out too small.
"""

from __future__ import annotations

from collections import Counter, deque
from collections.abc import Iterator
from heapq import heappop, heappush
from math import ceil

PERIODS = {
    "requests": 60.0,
    "prompt_tokens": 3600.0,
    "completion_tokens": 3600.0,
    "tokens": 3600.0,
    "cost": 3600.0,
    "concurrent": 300.0,
}
"""Seconds that each measure is counted over; for `concurrent`, of which no period is kept, how long a sample is."""

_MILLIONTH = 1_000_000
_CELLS = 60
MOST_CALLERS = 20_000
"""Callers of one kind at one endpoint that are followed at the same time; more are counted and left out."""


def rounded_up(amount: int) -> int:
    """To three digits, never less."""
    unit = int(10 ** max(0, len(str(amount)) - 3))
    return -(-amount // unit) * unit


class Group:
    """The samples of one endpoint, kind and measure."""

    __slots__ = ("callers", "days", "peak", "samples", "sizes")

    def __init__(self) -> None:
        self.sizes: Counter[int] = Counter()
        self.days: set[int] = set()
        self.callers: set[str] = set()
        self.peak = 0
        self.samples = 0

    def sample(self, caller: str, start: float, size: int) -> None:
        """One more: who, when the stretch began (Unix seconds), how much."""
        self.sizes[rounded_up(size)] += 1
        self.samples += 1
        self.peak = max(self.peak, size)
        self.days.add(int(start // 86_400))
        if len(self.callers) < MOST_CALLERS:
            self.callers.add(caller)

    def at(self, percentile: float) -> int:
        """The smallest size that this share of samples does not exceed (nearest rank)."""
        rank, seen = max(1, ceil(self.samples * percentile / 100)), 0
        for size in sorted(self.sizes):
            seen += self.sizes[size]
            if seen >= rank:
                return size
        return 0


class Track:
    """One caller's use in the last period, in cells of a sixtieth of it; the oldest cell counts whole."""

    __slots__ = ("cells", "most", "span", "start", "total")

    def __init__(self, span: float) -> None:
        self.cells: deque[list[int]] = deque()
        self.total = 0
        self.most = 0
        self.start = -1.0
        self.span = span

    def add(self, at: float, amount: int) -> Iterator[tuple[float, int]]:
        """Count it; the sample of the stretch before, if this call begins another."""
        start = at // self.span * self.span
        if start != self.start:
            if self.start >= 0 and self.most:
                yield self.start, self.most
            self.start, self.most = start, 0
        cell = int(at * _CELLS / self.span)
        cells = self.cells
        while cells and cells[0][0] < cell - _CELLS:
            self.total -= cells.popleft()[1]
        if cells and cells[-1][0] == cell:
            cells[-1][1] += amount
        else:
            cells.append([cell, amount])
        self.total += amount
        self.most = max(self.most, self.total)

    def rest(self) -> Iterator[tuple[float, int]]:
        """The sample of the stretch that runs."""
        if self.start >= 0 and self.most:
            yield self.start, self.most


class Running(Track):
    """One caller's calls at the same time."""

    __slots__ = ("ends",)

    def __init__(self, span: float) -> None:
        super().__init__(span)
        self.ends: list[float] = []

    def add(self, at: float, amount: int) -> Iterator[tuple[float, int]]:
        """A call began that takes `amount` microseconds."""
        start = at // self.span * self.span
        if start != self.start:
            if self.start >= 0 and self.most:
                yield self.start, self.most
            self.start, self.most = start, 0
        while self.ends and self.ends[0] <= at:
            heappop(self.ends)
        heappush(self.ends, at + amount / _MILLIONTH)
        self.most = max(self.most, len(self.ends))


def follow(count: str) -> Track:
    """What follows one caller in a measure."""
    return (Running if count == "concurrent" else Track)(PERIODS[count])
