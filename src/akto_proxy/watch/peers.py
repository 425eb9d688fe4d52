"""What the callers of one endpoint do together: how much busier than usual most of them are just now.

A change that most callers share has one cause (a launch, a migration, a client that tries again), so it is said once,
about the endpoint, and each caller is judged against it: a caller is strange who goes well beyond what its peers did
in the same hours. It is a median, so a single caller, however loud, moves it by one place; fewer than LEAST callers
are no crowd, and who has no baseline yet has no vote. The price: while half of the callers of an endpoint are attacked
or attack at once, each of them may be so much louder; that is the one thing that is said then.

Two memories: a quarter of an hour, so that a launch is seen when it begins; two hours, because callers that work in
fits have a low median in any short time.
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Iterable
from dataclasses import dataclass
from math import exp
from statistics import median
from typing import Any, Protocol

WINDOW = 300.0
LEAST = 8
ROOM = 512
"""Callers of an endpoint that have a vote: those seen last."""

MOST = 5.0
"""So much busier than usual is believed of a crowd."""

SURGE, OVER = 2.0, 1.4
"""From here a shared change is told; below this for a day it is over, and the next one is news again."""

_MAJORITY, _PART = 0.6, 0.4
"""Most of the callers that work at this hour, and a good part of all: what a few do at night concerns nobody else."""

_QUICK, _SLOW = exp(-WINDOW / 900), exp(-WINDOW / 7200)
_ENOUGH, _ENOUGH_SLOW = 2.0, 5.0
_LONGEST = 24
_DAY, _GONE = 86_400.0, 7 * 86_400.0


class Peer(Protocol):
    """A caller: the window that runs, and what is usual of it."""

    @property
    def start(self) -> float:
        """When its window began."""
        ...

    @property
    def calls(self) -> int:
        """Calls in it so far."""
        ...

    def usual(self, at: float) -> float:
        """The usual count of a window at this time."""
        ...


@dataclass(slots=True)
class _Pace:
    """Calls of a caller and what was usual, each with a short and a long memory, up to the window at `at`."""

    at: float
    peer: Peer | None = None
    quick: float = 0.0
    quick_usual: float = 0.0
    slow: float = 0.0
    slow_usual: float = 0.0

    def follow(self, end: float) -> None:
        """Count the windows that were over at `end`. Of a longer absence the last hours only."""
        peer = self.peer
        if peer is None:
            return
        at = max(self.at + WINDOW, end - _LONGEST * WINDOW)
        while at < end:
            calls, usual = peer.calls if at == peer.start else 0, peer.usual(at)
            self.quick = self.quick * _QUICK + calls
            self.quick_usual = self.quick_usual * _QUICK + usual
            self.slow = self.slow * _SLOW + calls
            self.slow_usual = self.slow_usual * _SLOW + usual
            self.at = at
            at += WINDOW


@dataclass(frozen=True, slots=True)
class Surge:
    """A shared change: how many times as busy as usual, for how many of so many callers, since when."""

    factor: float
    callers: int
    of: int
    since: float


class Peers:
    """The callers of one endpoint."""

    def __init__(self) -> None:
        self._paces: OrderedDict[str, _Pace] = OrderedDict()
        self._looked = -1.0
        self._factor = 1.0
        self._surge: Surge | None = None
        self._told = False
        self._since = 0.0
        self._calm = 0.0

    def add(self, who: str, peer: Peer) -> None:
        """The window of a caller with a baseline is over: count it, before the caller begins another."""
        pace = self._paces.get(who)
        if pace is None:
            pace = self._paces[who] = _Pace(peer.start - WINDOW)
            if len(self._paces) > ROOM:
                self._paces.popitem(last=False)
        else:
            self._paces.move_to_end(who)
        pace.peer = peer
        pace.follow(peer.start + WINDOW)

    def factor(self, at: float) -> float:
        """How many times as busy as usual most callers are; at least 1, for quiet peers are no reason to suspect."""
        end = at // WINDOW * WINDOW
        if end > self._looked:
            self._looked = end
            self._look(end)
        return self._factor

    def surge(self) -> Surge | None:
        """A shared change that was not told yet; it counts as told then."""
        found, self._surge = self._surge, None
        return found

    def _look(self, at: float) -> None:
        while self._paces and next(iter(self._paces.values())).at < at - _GONE:
            self._paces.popitem(last=False)
        for pace in self._paces.values():
            pace.follow(at)
        quick = [pace.quick / pace.quick_usual for pace in self._paces.values() if pace.quick_usual >= _ENOUGH]
        slow = [pace.slow / pace.slow_usual for pace in self._paces.values() if pace.slow_usual >= _ENOUGH_SLOW]
        lasting = _middle(slow)
        self._factor = min(max(1.0, _middle(quick), lasting), MOST)
        busy = sum(ratio >= (1 + SURGE) / 2 for ratio in slow)
        if lasting >= OVER:
            self._since = self._since or at
            self._calm = 0.0
        else:
            self._calm = self._calm or at
            if at - self._calm >= _DAY:
                self._told = False
            if not self._told:
                self._since = 0.0
        most = busy >= max(LEAST, _MAJORITY * len(slow), _PART * len(self._paces))
        if lasting >= SURGE and most and not self._told:
            self._told = True
            self._surge = Surge(lasting, busy, len(slow), self._since)

    def dump(self) -> list[Any]:
        """All that should outlive a restart, as plain values."""
        paces = [
            [name, item.at, *(round(value, 2) for value in (item.quick, item.quick_usual, item.slow, item.slow_usual))]
            for name, item in self._paces.items()
        ]
        return [paces, self._told, self._since, self._calm]

    @classmethod
    def load(cls, data: Any) -> Peers:
        """What `dump` gave. Raises TypeError or ValueError when it is not that."""
        made = cls()
        paces, told, since, calm = data
        for name, *values in paces[-ROOM:]:
            made._paces[str(name)] = _Pace(float(values[0]), None, *map(float, values[1:]))
        made._told, made._since, made._calm = bool(told), float(since), float(calm)
        return made


def _middle(ratios: Iterable[float]) -> float:
    """Their median; 1 where there are too few to be a crowd."""
    found = list(ratios)
    return median(found) if len(found) >= LEAST else 1.0
