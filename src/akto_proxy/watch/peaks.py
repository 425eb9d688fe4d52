"""How far something goes: by day, and by the hour of the day. What comes again and again is how this caller is.

A mean over all windows of an hour does not show that a job fills five of them; these remember what the busy ones were.
The price: what stays within a caller's own peaks is not seen by them.
"""

from __future__ import annotations

from array import array
from collections.abc import Iterable
from typing import Any

REMEMBERED = 16
"""Days whose peaks are known: two weeks, so that a weekly job is known by two, and then some."""

ABOVE = 1.6
"""How many times as high as the usual top of an hour is strange there."""

_LEARNING = 14 * 24
_RISE, _FADE = 0.3, 0.985
"""How fast an hour's top is learned once _LEARNING hours were seen (a weekly job twice), and forgotten with each day:
what was once so is not usual, what comes again and again is.
"""

_MISSED, _LONGER = 24.0, 2.0
"""Calls missed in a silence that is strange, and how many times as many as in the silences of other days."""


class Peaks:
    """How far something goes on a day, as it has gone before: what comes again and again is how this caller is.

    Today is left aside, and the highest day too once three are known, so that one attack hides neither itself nor the
    next.
    """

    __slots__ = ("_day", "_first", "_high")

    def __init__(self, high: Iterable[float] = (), day: int = 0, first: int = 0) -> None:
        self._high = array("f", high) or array("f", bytes(4 * REMEMBERED))
        self._day = day
        self._first = first

    def usual(self, at: float) -> float:
        """The usual peak of the days before this one; 0 when nothing is known."""
        today = int(at // 86_400)
        days = range(max(self._day, today) - REMEMBERED + 1, min(self._day + 1, today))
        first, second = sorted((*[self._high[day % REMEMBERED] for day in days], 0.0, 0.0), reverse=True)[:2]
        return second if today >= self._first + 3 else first

    def learn(self, size: float, at: float) -> None:
        """It went so far."""
        day = int(at // 86_400)
        self._first = self._first or day
        for gone in range(max(self._day + 1, day - REMEMBERED + 1), day + 1):
            self._high[gone % REMEMBERED] = 0.0
        self._day = max(self._day, day)
        if size > self._high[day % REMEMBERED]:
            self._high[day % REMEMBERED] = size

    def dump(self) -> list[object]:
        """All of it, as plain values."""
        return [[round(value, 2) for value in self._high], self._day, self._first]

    @classmethod
    def load(cls, data: Any) -> Peaks:
        """What `dump` gave. Raises TypeError or ValueError when it is not that."""
        high, day, first = data
        if len(high) != REMEMBERED:
            raise ValueError("not peaks")
        return cls(high, int(day), int(first))


class Tops:
    """How high something goes in each hour of the day when it goes high: a job fills some of the windows of an hour,
    which the mean over all of them does not show. Counts as they were, without what is usual taken off, so what is
    learned does not change when the mean does.
    """

    __slots__ = ("_high", "_hour", "_hours", "_tops")

    def __init__(self, tops: Iterable[float] = (), hours: int = 0) -> None:
        self._tops = array("f", tops) or array("f", bytes(4 * 24))
        self._hours = hours
        self._hour = -1
        self._high = 0.0

    def usual(self, at: float) -> float:
        """How high it goes within an hour of this time of day."""
        hour = int(at // 3600) % 24
        return max(self._tops[hour - 1], self._tops[hour], self._tops[(hour + 1) % 24])

    def learn(self, size: float, at: float) -> None:
        """It went so high in a window. An hour is learned when it is over: whole in the first two weeks."""
        hour = int(at // 3600) % 24
        if hour != self._hour:
            if self._hour >= 0:
                top = self._tops[self._hour] * _FADE
                rise = 1.0 if self._hours <= _LEARNING else _RISE
                self._tops[self._hour] = top + rise * max(0.0, self._high - top)
                self._hours += 1
            self._hour, self._high = hour, 0.0
        if size > self._high:
            self._high = size

    def dump(self) -> list[object]:
        """All of it, as plain values, but for the hour that runs."""
        return [[round(value, 2) for value in self._tops], self._hours]

    @classmethod
    def load(cls, data: Any) -> Tops:
        """What `dump` gave. Raises TypeError or ValueError when it is not that."""
        tops, hours = data
        if len(tops) != 24:
            raise ValueError("not tops")
        return cls(tops, int(hours))


class Silence:
    """How many calls were missed since the last one. Where silences are usual, a longer one is strange."""

    __slots__ = ("_peaks", "_told", "missed", "windows")

    def __init__(self) -> None:
        self._peaks = Peaks()
        self._told = False
        self.missed = 0.0
        self.windows = 0

    def end(self) -> None:
        """A call came."""
        self.missed, self.windows, self._told = 0.0, 0, False

    def add(self, usual: float, at: float) -> bool:
        """A window without a call is over, where so many are usual: whether that is strange and was not told yet."""
        self.windows += 1
        self.missed += usual
        strange = self.windows >= 3 and self.missed >= max(_MISSED, _LONGER * self._peaks.usual(at))
        self._peaks.learn(self.missed, at)
        told, self._told = self._told, self._told or strange
        return strange and not told

    def dump(self) -> list[object]:
        """The silences of other days, as plain values."""
        return self._peaks.dump()

    @classmethod
    def load(cls, data: Any) -> Silence:
        """What `dump` gave. Raises TypeError or ValueError when it is not that."""
        made = cls()
        made._peaks = Peaks.load(data)
        return made
