"""What is usual: counts by the hour of the week, ratios and sizes by a slow average; each with how sure it is.

An hour of the week that was seen seldom leans on the same hour of other days, and that on all hours, so a baseline is
useful from its second day and sharp from its third week. What is learned from an unusual window is cut to what was
still believable, so an attack does not teach the watch that attacks are usual; a lasting change is learned in days.
"""

from __future__ import annotations

from array import array
from math import exp, log1p, sqrt
from typing import Any

HOURS = 168
_FORGET = 0.15  # share of the newest hour in a slot's mean, once the slot was seen often
_STRANGE = 8.0


class Rhythm:
    """The usual count in a window, by the hour of the week (UTC)."""

    __slots__ = ("_days", "_mean", "_seen", "_week", "spread", "windows")

    def __init__(self) -> None:
        self._week = array("f", bytes(4 * HOURS))
        self._seen = bytearray(HOURS)
        self._days = array("f", bytes(4 * 24))
        self._mean = 0.0
        self.spread = 1.0
        self.windows = 0

    def expected(self, at: float) -> float:
        """The usual count of a window at this time."""
        slot = hour_of_week(at)
        prior = self._days[slot % 24] if self.windows >= 288 else max(self._mean, self._days[slot % 24])
        weight = min(self._seen[slot], 24) / 12
        return float((self._week[slot] * weight + prior) / (weight + 1)) if weight else float(prior)

    def strangeness(self, count: float, at: float, tide: float = 1.0) -> float:
        """How far above the usual, in usual deviations; `tide` is how much busier everybody is just now."""
        return self._distance(count, self.expected(at) * tide) / self.spread

    def ceiling(self, at: float, tide: float, ratio: float, least: float, far: float = _STRANGE) -> float:
        """The count from which a window is strange."""
        usual = self.expected(at) * tide
        root = sqrt(usual + 0.375) + far * self.spread / 2
        return max(root * root, usual * ratio, usual + least)

    def learn(self, count: float, at: float) -> None:
        """A window is over."""
        slot = hour_of_week(at)
        usual = self.expected(at)
        self.windows += 1
        distance = self._distance(count, usual)
        if self.windows > 24:
            size = min(abs(distance), 3 * self.spread + 1)
            self.spread = max(1.0, self.spread + (1.25 * size - self.spread) * 0.01)
            limit = usual + 0.375 + (3 * self.spread + 1) * sqrt(usual + 1)
            count = min(count, limit)
        share = max(_FORGET / 12, 1 / (self._seen[slot] + 1))
        self._week[slot] += (count - self._week[slot]) * share
        self._seen[slot] = min(self._seen[slot] + 1, 250)
        day = slot % 24
        self._days[day] += (count - self._days[day]) * (0.02 if self.windows > 288 else 0.2)
        self._mean += (count - self._mean) * max(0.001, 1 / self.windows)

    @staticmethod
    def _distance(count: float, usual: float) -> float:
        return 2 * (sqrt(count + 0.375) - sqrt(usual + 0.375))

    def dump(self) -> list[object]:
        """All of it, as plain values."""
        return [
            [round(value, 3) for value in self._week],
            list(self._seen),
            [round(value, 3) for value in self._days],
            self._mean,
            self.spread,
            self.windows,
        ]

    @classmethod
    def load(cls, data: Any) -> Rhythm:
        """What `dump` gave. Raises TypeError or ValueError when it is not that."""
        made = cls()
        week, seen, days, made._mean, made.spread, made.windows = data
        made._week, made._days = array("f", week), array("f", days)
        made._seen = bytearray(seen)
        if len(made._week) != HOURS or len(made._seen) != HOURS or len(made._days) != 24:
            raise ValueError("not a rhythm")
        return made


class Share:
    """The usual share of calls that are something (an error, a refusal, a redaction)."""

    __slots__ = ("calls", "mean")

    def __init__(self, mean: float = 0.0, calls: float = 0.0) -> None:
        self.mean = mean
        self.calls = calls

    def strangeness(self, some: int, of: int) -> float:
        """How far above the usual share, in deviations. Careful while little is known."""
        usual = (self.mean * self.calls + 0.5) / (self.calls + 10)
        return (some - of * usual) / sqrt(of * usual * (1 - usual) + 1)

    def learn(self, some: int, of: int) -> None:
        """A window is over."""
        if not of:
            return
        if self.calls > 200:
            usual = self.mean
            some = min(some, int(of * usual + 3 * sqrt(of * usual * (1 - usual) + 1)) + 1)
        self.calls = min(self.calls + of, 5000.0)
        self.mean += (some / of - self.mean) * min(1.0, of / self.calls)


class Size:
    """The usual size (seconds, tokens) of something that is never negative: mean and spread of its logarithm."""

    __slots__ = ("mean", "seen", "spread")

    def __init__(self, mean: float = 0.0, spread: float = 0.5, seen: int = 0) -> None:
        self.mean = mean
        self.spread = spread
        self.seen = seen

    @property
    def usual(self) -> float:
        """The usual size."""
        return exp(self.mean) - 1

    def strangeness(self, value: float) -> float:
        """How far above the usual, in usual deviations."""
        return (log1p(value) - self.mean) / max(self.spread, 0.15)

    def learn(self, value: float) -> None:
        """One more."""
        seen = log1p(value)
        self.seen = min(self.seen + 1, 1_000_000)
        if self.seen > 20:
            bound = 3 * max(self.spread, 0.15)
            seen = min(max(seen, self.mean - bound), self.mean + bound)
        share = max(0.005, 1 / self.seen)
        self.spread += (1.25 * abs(seen - self.mean) - self.spread) * max(0.005, min(share, 0.2))
        self.mean += (seen - self.mean) * share


class Excess:
    """A slow, steady surplus over the usual that no single window would show (a one-sided CUSUM)."""

    __slots__ = ("since", "total")

    def __init__(self, total: float = 0.0, since: float = 0.0) -> None:
        self.total = total
        self.since = since

    def add(self, count: float, usual: float, at: float) -> float:
        """A window is over: the surplus so far, in usual deviations."""
        self.total = max(0.0, self.total + (count - usual) / sqrt(usual + 1) - 0.5)
        if not self.total:
            self.since = 0.0
        elif not self.since:
            self.since = at
        return self.total


def hour_of_week(at: float) -> int:
    """0 is Monday, midnight UTC."""
    return int((at - 345_600) // 3600) % HOURS
