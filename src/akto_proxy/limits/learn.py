"""What limits would fit the traffic that was: a percentile of what callers used, and headroom above it.

One sample is one caller in one stretch of a measure's period in which it called: the most it had used, at any of its
calls there, in the period up to that call. So a limit above the largest sample would have refused nothing, and a
percentile says for how many of these stretches the limit is enough. Amounts are whole numbers, kept to three digits and
rounded up, so memory is bounded and a proposal is never below its percentile.

The trade-off: a caller's stretches weigh alike whether they held one call or a thousand, so one caller that is busy all
week counts for much. What a limit would have refused is therefore not guessed but replayed (`Rehearsal`).
"""

from __future__ import annotations

import re
from collections import Counter, deque
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from glob import escape
from hashlib import sha256
from heapq import heappop, heappush
from math import ceil
from typing import Any

from akto_proxy.limits.schema import Limit

KINDS = ("user", "key", "team", "agent", "ip")
"""What a learned limit may count by. A session ends by itself, so a limit for each would say little."""

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
_BUCKETS = 1_000_000
MOST_CALLERS = 20_000
"""Callers of one kind at one endpoint that are followed at the same time; more are counted and left out."""


@dataclass(frozen=True, slots=True)
class Use:
    """What one finished call used: when it began (Unix seconds), how long it took, and by whom."""

    at: float
    seconds: float
    endpoint: str
    callers: tuple[str, str, str, str, str]
    """In the order of KINDS; empty where the call did not say."""

    model: str = ""
    prompt: int = 0
    completion: int = 0


@dataclass(frozen=True, slots=True)
class Terms:
    """How limits are learned.

    Attributes:
        percentile: of the samples that a limit must allow, 50 to 100.
        headroom: share of that which is added.
        least_days: different days (UTC) with samples that a proposal needs.
        kinds: of KINDS.
        prices: for `cost`; none is learned without.
    """

    percentile: float = 99.0
    headroom: float = 0.5
    least_days: int = 3
    kinds: tuple[str, ...] = KINDS
    prices: Mapping[str, tuple[float, float]] | None = None

    @property
    def least_samples(self) -> int:
        """Samples that a proposal needs: two above the percentile, and never under 100."""
        beyond = max(1.0 - self.percentile / 100, 0.001)
        return max(100, ceil(2 / beyond))


@dataclass(frozen=True, slots=True)
class Found:
    """What one kind of caller used at one endpoint, in one measure. Amounts in the measure's unit.

    `limit` is 0 and `thin` says why where too little was seen to propose one.
    """

    endpoint: str
    kind: str
    count: str
    days: int
    samples: int
    callers: int
    usual: float
    peak: float
    limit: float = 0.0
    thin: str = ""

    @property
    def name(self) -> str:
        """The limit's name, the same for the same endpoint, kind and measure."""
        plain = re.sub(r"[^A-Za-z0-9_-]", "-", self.endpoint)[:24]
        mark = "" if plain == self.endpoint else "-" + sha256(self.endpoint.encode("utf-8", "replace")).hexdigest()[:6]
        return f"learned.{plain}{mark}.{self.kind}.{self.count}"

    def entry(self, mode: str, prices: Mapping[str, tuple[float, float]] | None = None) -> dict[str, Any]:
        """The limit as it would stand in a settings file. Callers who do not say who they are are not counted."""
        made: dict[str, Any] = {
            "name": self.name,
            "count": self.count,
            "by": [self.kind],
            "limit": self.limit,
            "mode": mode,
            "only": {"endpoint": [escape(self.endpoint)], self.kind: ["?*"]},
        }
        if self.count != "concurrent":
            made["per"] = PERIODS[self.count]
        if self.count == "cost":
            made["prices"] = {glob: list(pair) for glob, pair in (prices or {}).items()}
        return made


def rounded_up(amount: int) -> int:
    """To three digits, never less."""
    unit = int(10 ** max(0, len(str(amount)) - 3))
    return -(-amount // unit) * unit


class _Group:
    """The samples of one endpoint, kind and measure."""

    __slots__ = ("callers", "days", "peak", "samples", "sizes")

    def __init__(self) -> None:
        self.sizes: Counter[int] = Counter()
        self.days: set[int] = set()
        self.callers: set[str] = set()
        self.peak = 0
        self.samples = 0

    def sample(self, caller: str, start: float, size: int) -> None:
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


class _Track:
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


class _Running(_Track):
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


class Baseline:
    """Learns from calls in the order in which they began; calls that began in the same moment may come in any order.

    Args:
        terms: how.
    """

    def __init__(self, terms: Terms) -> None:
        self._terms = terms
        self._kinds = [(number, kind) for number, kind in enumerate(KINDS) if kind in terms.kinds]
        self._prices = Limit(name="prices", count="cost", limit=1, prices=dict(terms.prices)) if terms.prices else None
        self._counts = [count for count in PERIODS if count != "cost" or self._prices]
        self._tracks: dict[tuple[str, str], dict[str, list[_Track]]] = {}
        self._groups: dict[tuple[str, str], list[_Group]] = {}
        self.calls = 0
        self.left_out = 0
        """Times a caller was not followed because too many others were."""

    def add(self, use: Use) -> None:
        """One call."""
        self.calls += 1
        amounts = amounts_of(use, self._counts, self._prices)
        for number, kind in self._kinds:
            caller = use.callers[number]
            if caller:
                self._count((use.endpoint, kind), caller, use.at, amounts)

    def _count(self, place: tuple[str, str], caller: str, at: float, amounts: Sequence[int]) -> None:
        known = self._tracks.setdefault(place, {})
        tracks = known.get(caller)
        if tracks is None:
            if len(known) >= MOST_CALLERS:
                self.left_out += 1
                return
            tracks = known[caller] = [_track(count) for count in self._counts]
        groups = self._groups.get(place)
        if groups is None:
            groups = self._groups[place] = [_Group() for _ in self._counts]
        for track, group, amount in zip(tracks, groups, amounts, strict=True):
            if amount:
                for start, size in track.add(at, amount):
                    group.sample(caller, start, size)

    def found(self) -> list[Found]:
        """What was seen, by endpoint, kind and measure; with a limit where there was enough. Learning ends with it."""
        for place, known in self._tracks.items():
            for caller, tracks in known.items():
                for track, group in zip(tracks, self._groups[place], strict=True):
                    for start, size in track.rest():
                        group.sample(caller, start, size)
        self._tracks = {}
        return [
            self._judged(endpoint, kind, count, group)
            for (endpoint, kind), groups in sorted(self._groups.items())
            for count, group in zip(self._counts, groups, strict=True)
            if group.samples
        ]

    def _judged(self, endpoint: str, kind: str, count: str, group: _Group) -> Found:
        terms = self._terms
        usual = group.at(terms.percentile)
        unit = _MILLIONTH if count == "cost" else 1
        days, least = len(group.days), terms.least_samples
        thin = ""
        if days < terms.least_days:
            thin = f"calls on {days} days only; {terms.least_days} are needed"
        elif group.samples < least:
            thin = f"{group.samples} samples only; {least} are needed for percentile {terms.percentile:g}"
        limit = 0.0 if thin else rounded_up(ceil(usual * (1 + terms.headroom))) / unit
        return Found(
            endpoint, kind, count, days, group.samples, len(group.callers), usual / unit, group.peak / unit, limit, thin
        )


def _track(count: str) -> _Track:
    return (_Running if count == "concurrent" else _Track)(PERIODS[count])


def amounts_of(use: Use, counts: Iterable[str], prices: Limit | None) -> list[int]:
    """What a call used, in whole units (millionths for `cost`, microseconds it ran for `concurrent`)."""
    cost = prices.spent(use.model, use.prompt, use.completion, 0) if prices else 0.0
    amounts = {
        "requests": 1,
        "prompt_tokens": use.prompt,
        "completion_tokens": use.completion,
        "tokens": use.prompt + use.completion,
        "cost": ceil(cost * _MILLIONTH),
        "concurrent": max(1, int(use.seconds * _MILLIONTH)),
    }
    return [amounts[count] for count in counts]


class Rehearsal:
    """What proposed limits would have refused: the same calls against their buckets.

    As if what a call uses were known when it begins, so it is a little kinder to large calls than the real gate, which
    holds back an estimate first.

    Args:
        found: those with a limit.
        prices: as in Terms.
    """

    def __init__(self, found: Iterable[Found], prices: Mapping[str, tuple[float, float]] | None = None) -> None:
        self._prices = Limit(name="prices", count="cost", limit=1, prices=dict(prices)) if prices else None
        self._limits: dict[str, list[tuple[int, Found, Limit]]] = {}
        for item in found:
            limit = Limit(**item.entry("enforce", prices))
            self._limits.setdefault(item.endpoint, []).append((KINDS.index(item.kind), item, limit))
        self._full: dict[tuple[str, str], int] = {}
        self._running: dict[tuple[str, str], list[float]] = {}
        self._refused: Counter[str] = Counter()
        self._whom: dict[str, set[str]] = {}

    def add(self, use: Use) -> None:
        """One call, in the order in which they began."""
        for number, item, limit in self._limits.get(use.endpoint, ()):
            caller = use.callers[number]
            if caller and not self._passes(item, limit, caller, use):
                self._refused[item.name] += 1
                whom = self._whom.setdefault(item.name, set())
                if len(whom) < MOST_CALLERS:
                    whom.add(caller)

    def _passes(self, item: Found, limit: Limit, caller: str, use: Use) -> bool:
        bucket = (item.name, caller)
        if limit.count == "concurrent":
            ends = self._running.setdefault(bucket, [])
            while ends and ends[0] <= use.at:
                heappop(ends)
            if len(ends) >= limit.capacity:
                return False
            heappush(ends, use.at + max(1e-6, use.seconds))
            return True
        amount = 1.0 if limit.count == "requests" else limit.spent(use.model, use.prompt, use.completion, 0)
        now, charge = int(use.at * 1e9), limit.charge(amount)
        level = max(0, self._full.get(bucket, 0) - now)
        if charge and level + charge > limit.capacity:
            return False
        if len(self._full) >= _BUCKETS and bucket not in self._full:
            self._full = {name: at for name, at in self._full.items() if at > now}
        self._full[bucket] = now + level + charge
        return True

    def refused(self, item: Found) -> tuple[int, int]:
        """Calls that it would have refused, and of how many callers."""
        return self._refused[item.name], len(self._whom.get(item.name, ()))
