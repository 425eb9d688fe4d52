"""Slows down guessing: after a few failures each further try has to wait, twice as long each time.

Failures are counted by account and by address, each in a bounded map, so neither guessing many passwords for one
account nor one password for many accounts is fast, and no stranger can fill the memory. The trade-off: someone who
knows an account's name can make its owner wait (15 minutes at most); sessions that are open stay open.
"""

from __future__ import annotations

import threading
from collections import OrderedDict
from collections.abc import Callable

FREE = 5
LONGEST = 900.0
KEPT = 10_000


class Throttle:
    """Counts failures by key. Safe from any thread."""

    def __init__(self, clock: Callable[[], float], *, free: int = FREE, longest: float = LONGEST) -> None:
        self._clock = clock
        self._free = free
        self._longest = longest
        self._failures: OrderedDict[str, tuple[int, float]] = OrderedDict()
        self._lock = threading.Lock()

    def wait(self, first: str, *more: str) -> float:
        """Seconds before another try is allowed; 0 is now."""
        now = self._clock()
        with self._lock:
            return max(0.0, *(self._until(key) - now for key in (first, *more)))

    def failed(self, *keys: str) -> None:
        """A try went wrong."""
        now = self._clock()
        with self._lock:
            for key in keys:
                count, last = self._failures.pop(key, (0, now))
                # What lies two of the longest waits back no longer counts.
                count = 1 if now - last > 2 * self._longest else count + 1
                self._failures[key] = (count, now)
            while len(self._failures) > KEPT:
                self._failures.popitem(last=False)

    def passed(self, *keys: str) -> None:
        """A try went right: forget the failures."""
        with self._lock:
            for key in keys:
                self._failures.pop(key, None)

    def _until(self, key: str) -> float:
        count, last = self._failures.get(key, (0, 0.0))
        if count < self._free:
            return 0.0
        return last + min(self._longest, 2.0 ** min(count - self._free, 30))
