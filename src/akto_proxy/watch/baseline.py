"""What is usual: counts by the hour of the week, ratios and sizes by a slow average; each with how sure it is.

An hour of the week that was seen seldom leans on the same hour of other days, and that on all hours, so a baseline is
useful from its second day and sharp from its third week. What is learned from an unusual window is cut to what was
still believable, so an attack does not teach the watch that attacks are usual; a lasting change is learned in days.
"""

from __future__ import annotations

from array import array
from math import exp, log1p, sqrt
from typing import Any

from akto_proxy.watch.peaks import ABOVE, Peaks, Tops

HOURS = 168
_FORGET = 0.15  # share of the newest hour in a slot's mean, once the slot was seen often
_STRANGE = 8.0
_FAR = 5.0
_SURPLUS = 12.0
_MOST_SURPLUS = 4 * _SURPLUS
BEYOND = 1.3
"""How much farther than its usual peak something must go to be strange (deviations, the square root of counts)."""
_BEYOND_SURPLUS = 2.0
"""The same for sums of deviations."""


class Rhythm:
    """The usual count in a window, by the hour of the week (UTC)."""

    __slots__ = ("_days", "_late", "_late_slot", "_mean", "_seen", "_week", "peaks", "spread", "tops", "windows")

    def __init__(self) -> None:
        self._late: list[float] = []
        self._late_slot = 0
        self.peaks = Peaks()
        self.tops = Tops()
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

    def most(self, at: float) -> float:
        """The usual count of the busiest window within an hour of this time: people come early, and clocks change."""
        return max(self.expected(at - 3600), self.expected(at), self.expected(at + 3600))

    def ceiling(self, at: float, tide: float, ratio: float, least: float, far: float = _STRANGE) -> float:
        """The count from which a window is strange, for a caller whose windows differ as this one's have. `tide` is how
        much busier everybody is just now.
        """
        usual = self.most(at)
        root = sqrt(usual + 0.375) + max(far * self.spread, BEYOND * self.peaks.usual(at)) / 2
        return max(tide * root * root, tide * usual * ratio, tide * usual + least, tide * ABOVE * self.tops.usual(at))

    def learn(self, count: float, at: float, tide: float = 1.0) -> None:
        """A window is over."""
        slot = hour_of_week(at)
        usual = self.expected(at)
        if count:
            self.peaks.learn(self._distance(count / tide, self.most(at)), at)
        self.windows += 1
        self.tops.learn(count / tide, at)
        distance = self._distance(count, usual)
        if self.windows > 24:
            size = min(abs(distance), 3 * self.spread + 1)
            self.spread = max(1.0, self.spread + (1.25 * size - self.spread) * 0.01)
            limit = usual + 0.375 + (3 * self.spread + 1) * sqrt(usual + 1)
            count = min(count, limit)
        self._mean += (count - self._mean) * max(0.001, 1 / self.windows)
        if self._late and slot != self._late_slot:
            self._learn_hour()
        self._late_slot = slot
        self._late.append(count)

    def _learn_hour(self) -> None:
        """An hour is over. It is learned whole, so that what is strange in it is not held against its own beginning."""
        slot, late, self._late = self._late_slot, self._late, []
        day = slot % 24
        for count in late:
            share = max(_FORGET / 12, 1 / (self._seen[slot] + 1))
            self._week[slot] += (count - self._week[slot]) * share
            self._seen[slot] = min(self._seen[slot] + 1, 250)
            self._days[day] += (count - self._days[day]) * (0.02 if self.windows > 288 else 0.2)

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
            self.peaks.dump(),
            self.tops.dump(),
        ]

    @classmethod
    def load(cls, data: Any) -> Rhythm:
        """What `dump` gave. Raises TypeError or ValueError when it is not that."""
        made = cls()
        week, seen, days, made._mean, made.spread, made.windows, peaks, tops = data
        made.peaks, made.tops = Peaks.load(peaks), Tops.load(tops)
        made._week, made._days = array("f", week), array("f", days)
        made._seen = bytearray(seen)
        if (len(made._week), len(made._seen), len(made._days)) != (HOURS, HOURS, 24):
            raise ValueError("not a rhythm")
        return made


class Share:
    """The usual share of calls that are something (an error, a refusal, a redaction)."""

    __slots__ = ("calls", "mean", "peaks")

    def __init__(self, mean: float = 0.0, calls: float = 0.0) -> None:
        self.mean = mean
        self.calls = calls
        self.peaks = Peaks()

    def strange(self, some: int, of: int, at: float) -> bool:
        """Whether so many of these calls are strange: far above the usual share, and beyond what other days showed."""
        high = some >= of * (2 * self.mean + 0.15)
        return high and self._distance(some, of) > max(_FAR, BEYOND * self.peaks.usual(at))

    def learn(self, some: int, of: int, at: float) -> None:
        """A window is over."""
        if not of:
            return
        if some:
            self.peaks.learn(self._distance(some, of), at)
        if self.calls > 200:
            usual = self.mean
            some = min(some, int(of * usual + 3 * sqrt(of * usual * (1 - usual) + 1)) + 1)
        self.calls = min(self.calls + of, 5000.0)
        self.mean += (some / of - self.mean) * min(1.0, of / self.calls)

    def _distance(self, some: int, of: int) -> float:
        """How far above the usual share, in deviations. Careful while little is known."""
        usual = (self.mean * self.calls + 0.5) / (self.calls + 10)
        return (some - of * usual) / sqrt(of * usual * (1 - usual) + 1)

    def dump(self) -> list[object]:
        """All of it, as plain values."""
        return [self.mean, self.calls, self.peaks.dump()]

    @classmethod
    def load(cls, data: Any) -> Share:
        """What `dump` gave. Raises TypeError or ValueError when it is not that."""
        mean, calls, peaks = data
        made = cls(float(mean), float(calls))
        made.peaks = Peaks.load(peaks)
        return made


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

    def far(self, deviations: float) -> float:
        """The size so many usual deviations above the usual."""
        return exp(self.mean + deviations * max(self.spread, 0.15)) - 1

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


class Surplus:
    """A slow, steady surplus over the usual that no single window would show (a one-sided CUSUM)."""

    __slots__ = ("_told", "peaks", "since", "total")

    def __init__(self, total: float = 0.0, since: float = 0.0) -> None:
        self.total = total
        self.since = since
        self.peaks = Peaks()
        self._told = False

    def add(self, count: float, usual: float, at: float) -> bool:
        """A window is over: whether the surplus is strange, beyond what other days showed, and was not told yet."""
        self.total = min(max(0.0, self.total + (count - usual) / sqrt(usual + 1) - 0.5), _MOST_SURPLUS)
        if not self.total:
            self.since, self._told = 0.0, False
        elif not self.since:
            self.since = at
        strange = self.total > max(_SURPLUS, _BEYOND_SURPLUS * self.peaks.usual(at))
        self.peaks.learn(self.total, at)
        return strange and not self._told

    def tell(self) -> float:
        """It is told, and not again before it is over; since when it lasts."""
        self._told = True
        return self.since

    def dump(self) -> list[object]:
        """All of it, as plain values."""
        return [self.total, self.since, self._told, self.peaks.dump()]

    @classmethod
    def load(cls, data: Any) -> Surplus:
        """What `dump` gave. Raises TypeError or ValueError when it is not that."""
        total, since, told, peaks = data
        made = cls(float(total), float(since))
        made._told, made.peaks = bool(told), Peaks.load(peaks)
        return made


def hour_of_week(at: float) -> int:
    """0 is Monday, midnight UTC."""
    return int((at - 345_600) // 3600) % HOURS
