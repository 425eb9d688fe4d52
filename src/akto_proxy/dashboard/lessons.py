"""Learning limits as a job: the kept traffic is read in a thread of its own, and what came of it waits for a page.

One job runs at a time, and the last one is kept in memory. The trade-off is that of replays: the thread takes processor
time from the pages of the same server while it reads; in return nobody needs a command line to have limits proposed.
"""

from __future__ import annotations

import threading
from collections.abc import Callable
from dataclasses import dataclass, replace

from akto_proxy.limits.learn import Terms
from akto_proxy.store.control import ControlStore
from akto_proxy.store.face import TraceStore
from akto_proxy.watch.learning import Learning, learn


@dataclass(frozen=True, slots=True)
class Lesson:
    """A job: who asked, when (Unix seconds), over how many days, and what came of it once `state` is `done`."""

    by: str
    at: float
    days: float
    terms: Terms
    state: str = "running"
    problem: str = ""
    found: Learning | None = None


class Lessons:
    """Runs them. Safe from any thread."""

    def __init__(
        self,
        traces: TraceStore,
        control: ControlStore,
        clock: Callable[[], float],
        randomness: Callable[[int], bytes],
    ) -> None:
        self._traces = traces
        self._control = control
        self._clock = clock
        self._random = randomness
        self._lock = threading.Lock()
        self._last: Lesson | None = None

    @property
    def last(self) -> Lesson | None:
        """The job that runs, or the last one."""
        with self._lock:
            return self._last

    def start(self, terms: Terms, days: float, *, by: str, ip: str = "") -> Lesson | None:
        """Begin a job; None while one runs."""
        lesson = Lesson(by, self._clock(), days, terms)
        with self._lock:
            if self._last is not None and self._last.state == "running":
                return None
            self._last = lesson
        threading.Thread(target=self._run, args=(lesson, ip), daemon=True).start()
        return lesson

    def _run(self, lesson: Lesson, ip: str) -> None:
        try:
            found = learn(
                self._traces,
                self._control,
                lesson.terms,
                days=lesson.days,
                now=lesson.at,
                by=lesson.by,
                ip=ip,
                random=self._random,
            )
            ended = replace(lesson, state="done", found=found)
        except Exception as error:  # noqa: BLE001 - a job whose thread is gone would run for ever
            ended = replace(lesson, state="failed", problem=f"{type(error).__name__} while the traffic was read")
        with self._lock:
            self._last = ended
