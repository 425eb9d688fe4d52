"""What limits would fit the traffic that was: a percentile of what callers used, and headroom above it.

A limit above the largest sample (limits/samples.py) would have refused nothing, and a percentile says for how many of
the stretches in which callers called the limit is enough.

The trade-off: a caller's stretches weigh alike whether they held one call or a thousand, so one caller that is busy all
week counts for much. What a limit would have refused is therefore not guessed but replayed (limits/rehearsal.py).
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from glob import escape
from hashlib import sha256
from math import ceil
from typing import Any

from akto_proxy.limits.samples import MOST_CALLERS, PERIODS, Group, Track, follow, rounded_up
from akto_proxy.limits.schema import Limit

KINDS = ("user", "key", "team", "agent", "ip")
"""What a learned limit may count by. A session ends by itself, so a limit for each would say little."""

_MILLIONTH = 1_000_000


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
        self._tracks: dict[tuple[str, str], dict[str, list[Track]]] = {}
        self._groups: dict[tuple[str, str], list[Group]] = {}
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
            tracks = known[caller] = [follow(count) for count in self._counts]
        groups = self._groups.get(place)
        if groups is None:
            groups = self._groups[place] = [Group() for _ in self._counts]
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

    def _judged(self, endpoint: str, kind: str, count: str, group: Group) -> Found:
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
