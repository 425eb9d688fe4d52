"""Work of one turn of the loop, done together: all requests that were read, all answers that are whole, all traces.

A guarded call touches more code and tables than the caches beside a core hold. Taken from its first byte to its last it
drives out what the next call needs at its beginning; taken stage by stage, calls that are ready in the same turn share
what is loaded. The price: a call that is alone waits some microseconds longer, and without AUDIT=strict a trace is
written at the end of the turn in which its answer left.
"""

from __future__ import annotations

from collections.abc import Callable

Work = Callable[[], object]


class Cohort:
    """Calls at the same stage.

    Args:
        soon: does something once the sockets that are ready were read (the loop's `call_soon`).
        fault: told what a work raised; the others go on.
    """

    __slots__ = ("_fault", "_soon", "_works")

    def __init__(self, soon: Callable[[Work], object], fault: Callable[[BaseException], None]) -> None:
        self._soon = soon
        self._fault = fault
        self._works: list[Work] = []

    def add(self, work: Work) -> None:
        """Do this with the others of this turn, in the order in which they came."""
        if not self._works:
            self._soon(self._run)
        self._works.append(work)

    def _run(self) -> None:
        works, self._works = self._works, []
        for work in works:
            try:
                work()
            except Exception as error:  # noqa: BLE001  one call's bug must not end the others
                self._fault(error)
