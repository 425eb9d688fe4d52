"""Scores one series of numbers, point by point: 0 is usual, 1 is certainly not. Strictly online.

A mixture of forecasters (levels, seasons, a linear one) says what should come. What came is judged on several scales:
the single miss (spikes), the mean of the last misses of a slow forecast (level shifts, trends), their spread (noise
that changes) and runs of one value (a stuck source). Every judge is measured against its own history, so a series
that is always wild is not called wild all the time; the price is that the first strange thing counts most.
"""

from __future__ import annotations

from bisect import bisect_left, insort
from collections import deque
from math import isfinite, log10

import numpy as np

from akto_proxy.watch.forecast import Lags, Level, Mixture, Season, find_period

DAY, WEEK = 86_400.0, 604_800.0
WARM = 60
"""Points before a score reaches its full height."""

_FIND_EVERY = 256
_KEPT = 4096
_TINY = 1e-9
_STRANGE = 5.0
_FAR = 6.5
_PATIENCE = 200.0
_SURE = 300
_LARGEST = 1e100
_HUGE = 15.0
_SELDOM = 800
_APART = 12
_BELIEVED = 30
_REMEMBERED = 4000


class RollingMedian:
    """The median of the last so many values."""

    def __init__(self, size: int) -> None:
        self._size = size
        self._order: list[float] = []
        self._queue: deque[float] = deque()

    def add(self, value: float) -> None:
        """One more."""
        self._queue.append(value)
        insort(self._order, value)
        if len(self._queue) > self._size:
            old = self._queue.popleft()
            del self._order[bisect_left(self._order, old)]

    def quantile(self, share: float) -> float:
        """The value below which this share is; 0 when there is none."""
        if not self._order:
            return 0.0
        return self._order[min(int(share * len(self._order)), len(self._order) - 1)]

    def __len__(self) -> int:
        return len(self._order)


class Judge:
    """How far a statistic is out of its own history: robust, and slow to get used to the strange."""

    def __init__(self, size: int = 1500, least: int = 30) -> None:
        self._sizes = RollingMedian(size)
        self._least = least
        self._skipped = 0.0
        self._count = 0
        self._last = -_APART
        self._odd: deque[tuple[int, float]] = deque(maxlen=64)

    @property
    def tail(self) -> float:
        """What one in two hundred exceeds."""
        return self._sizes.quantile(0.995)

    def far(self, value: float, floor: float) -> float:
        """In usual deviations, 0 while there is too little history. A tail that is often far counts for less."""
        size = abs(value)
        far = 0.0
        self._count += 1
        if len(self._sizes) >= self._least:
            usual = max(1.4826 * self._sizes.quantile(0.5), floor)
            tail = max(0.45 * self._sizes.quantile(0.97), 0.3 * self._sizes.quantile(0.995))
            far = size / max(usual, tail, _TINY)
        if far > _STRANGE:
            far = far if far < _HUGE else _HUGE + 10 * log10(far / _HUGE)
            far /= 1 + max(0.0, self._often(size) - 1 - self._count / _SELDOM)
        if far > _STRANGE and self._skipped < _PATIENCE:
            self._skipped += 1  # what is strange does not become usual at once
            return far
        self._skipped = max(0.0, self._skipped - 0.2)
        self._sizes.add(size)
        return far

    def _often(self, size: float) -> int:
        """How many times before something nearly as strange came: what comes again and again is how this series is."""
        if self._count - self._last > _APART:
            self._odd.append((self._count, size))
        elif size > self._odd[-1][1]:
            self._odd[-1] = (self._odd[-1][0], size)
        self._last = self._count
        first = self._count - _REMEMBERED
        return sum(at > first and 0.6 * size <= other for at, other in self._odd) - 1


class Scorer:
    """Scores one series."""

    _SCALES = (2, 4, 16, 48)

    def __init__(self) -> None:
        self._fast = Mixture()
        self._slow = Mixture()
        for mixture, share in ((self._fast, 0.4), (self._fast, 0.1), (self._slow, 0.01), (self._slow, 0.05)):
            mixture.add(f"level {share}", Level(share))
        self._fast.add("lags", Lags())
        self._misses = RollingMedian(1000)
        self._spike = Judge()
        self._means = {scale: Judge() for scale in self._SCALES}
        self._noise = Judge()
        self._recent: deque[float] = deque(maxlen=max(self._SCALES))
        self._values: deque[float] = deque(maxlen=_KEPT)
        self._steps = RollingMedian(50)
        self._seen = 0
        self._last_at = 0.0
        self._run = 0
        self._longest = 3.0
        self._period = 0
        self._spread = 0.0
        self._side = 0
        self._sign = 0.0
        self._jump = 0.0

    def score(self, at: float, value: float) -> float:
        """The next point of the series; its score. A value that is no number scores 0 and teaches nothing."""
        if not isfinite(value):
            return 0.0
        value = min(max(value, -_LARGEST), _LARGEST)
        self._clock(at)
        expected, said = self._fast.predict(at)
        base, said_slow = self._slow.predict(at)
        far = self._judge(value, expected, base) if expected is not None and base is not None else 0.0
        self._learn(at, value, expected, said, said_slow)
        if not 0 < far < 1e6:
            return 0.0
        ratio = far / _FAR * min(1.0, self._seen / _SURE)
        return round(ratio**3 / (1 + ratio**3), 6)

    def _judge(self, value: float, expected: float, base: float) -> float:
        floor = self._floor()
        missed, slow = value - expected, value - base
        most = max(5 * 1.4826 * self._misses.quantile(0.5), 5 * floor, self._spike.tail)
        self._recent.append(min(max(slow, -most), most))  # one point alone does not make a new level
        self._one_side(slow, floor)
        far = self._spike.far(missed, floor)
        if len(self._recent) >= 2:
            recent = list(self._recent)
            for scale in self._SCALES:
                if len(recent) >= scale:
                    mean = sum(recent[-scale:]) / scale
                    far = max(far, 0.8 * self._means[scale].far(mean, floor / scale**0.5))
        self._spread += 0.1 * (min(abs(missed), 10 * floor) - self._spread)
        usual = self._misses.quantile(0.5)
        if len(self._misses) > 100 and usual > 0:
            far = max(far, 0.7 * self._noise.far(np.log((self._spread + _TINY) / (usual + _TINY)), 0.3))
        return max(far, self._stuck(value))

    def _one_side(self, slow: float, floor: float) -> None:
        """A new level that lasts is the level: believe it after a while, and stop calling it strange."""
        far = abs(slow) > 3 * max(1.4826 * self._misses.quantile(0.5), floor)
        self._side = self._side + 1 if far and slow * self._sign > 0 else int(far)
        self._sign = slow
        if 0 < self._side <= 8:
            self._jump += (slow - self._jump) / self._side
        if self._side >= _BELIEVED:
            self._fast.settle(self._jump)
            self._slow.settle(self._jump)
            self._recent.clear()
            self._side = 0

    def _stuck(self, value: float) -> float:
        """How much longer than ever one value goes on, where values usually change."""
        if not self._values or self._values[-1] != value:
            usual = self._run <= 3 * self._longest
            self._longest = max(self._longest, self._run if usual else 1.3 * self._longest)
            self._run = 0
            return 0.0
        self._run += 1
        if self._seen < 4 * WARM or self._run > 20 * self._longest:
            self._longest = max(self._longest, self._run)
        stuck = 3 * self._longest < self._run < self._seen / 2
        return 2.0 * self._run / self._longest if stuck else 0.0

    def _learn(
        self, at: float, value: float, expected: float | None, said: dict[str, float], slow: dict[str, float]
    ) -> None:
        floor = self._floor()
        scale = max(1.4826 * self._misses.quantile(0.5), floor, _TINY)
        bound = 4 * scale if self._seen > 20 else 1e300
        self._fast.learn(at, value, said, scale, bound)
        self._slow.learn(at, value, slow, scale, min(bound, 1.5 * scale) if self._seen > 4 * WARM else bound)
        if expected is not None:
            self._misses.add(abs(value - expected))
        self._values.append(value)
        self._seen += 1
        if self._seen % _FIND_EVERY == 0:
            self._look_for_period()

    def _floor(self) -> float:
        """A deviation below this is rounding, not news: a small share of how much the series moves at all."""
        recent = list(self._values)[-200:]
        if len(recent) < 10:
            return _TINY
        low, high = min(recent), max(recent)
        return max(0.005 * (high - low), 1e-6 * max(abs(low), abs(high)), _TINY)

    def _clock(self, at: float) -> None:
        """Learn the interval; then begin with the seasons of people, in slots that fit it."""
        step = at - self._last_at
        self._last_at = at
        if self._seen == 0:
            return
        if step > 0:
            self._steps.add(step)
        if self._seen == 12:
            every = max(self._steps.quantile(0.5), 1.0)
            if DAY / every >= 24:
                self._season("day", DAY, min(int(DAY / every), 96))
                self._season("week", WEEK, min(int(WEEK / every), 336))

    def _season(self, name: str, period: float, slots: int) -> None:
        self._fast.add(name, Season(period, max(slots, 2)))
        self._slow.add(name, Season(period, max(slots, 2), share=0.2, drift=0.01))

    def _look_for_period(self) -> None:
        """A rhythm that is nobody's day: found by how the series repeats itself."""
        points = find_period(np.array(self._values))
        every = max(self._steps.quantile(0.5), _TINY)
        if not points or abs(points - self._period) <= 0.02 * points:
            return
        if any(abs(points * every - known) < 0.03 * known for known in (DAY, WEEK)):
            return
        self._period = points
        self._fast.remove("found")
        self._slow.remove("found")
        self._season("found", points * every, points)
