"""Whether this server can do its work now: its stores are asked, at most once a second.

Probes come from machines without an account, as often as they like. So the answer is remembered for a second, and a
store that cannot be read is told without its own words, which may hold addresses.
"""

from __future__ import annotations

import threading
from collections.abc import Callable

from akto_proxy.store.control import ControlStore
from akto_proxy.store.face import TraceStore

FRESH = 1.0
"""Seconds an answer is good for."""


class Readiness:
    """Asks both stores the cheapest thing they can be asked."""

    def __init__(self, traces: TraceStore, control: ControlStore, clock: Callable[[], float]) -> None:
        self._traces = traces
        self._control = control
        self._clock = clock
        self._lock = threading.Lock()
        self._asked = float("-inf")
        self._problem = ""

    def problem(self) -> str:
        """What cannot be read, "" when all can."""
        with self._lock:
            if not 0 <= self._clock() - self._asked < FRESH:
                self._problem = self._look()
                self._asked = self._clock()
            return self._problem

    def _look(self) -> str:
        for name, ask in (("trace store", self._traces.storage), ("control store", self._control.active)):
            try:
                ask()
            except Exception:  # noqa: BLE001  whatever a store raises, it cannot be read
                return f"the {name} does not answer"
        return ""
