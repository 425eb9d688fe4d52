"""Learning as a job: one at a time, and one that fails says so without what it read."""

from __future__ import annotations

import os
import threading
import time
from typing import Any

from akto_proxy.dashboard.lessons import Lessons
from akto_proxy.limits.learn import Terms
from akto_proxy.store.face import Filter


def ended(lessons: Lessons) -> Any:
    until = time.monotonic() + 30
    while lessons.last.state == "running" and time.monotonic() < until:
        time.sleep(0.01)
    return lessons.last


def test_one_at_a_time_and_the_result_is_kept(filled: Any, control: Any, clock: Any) -> None:
    held = threading.Event()

    class Slow:
        def timeline(self, where: Filter, *, step: float) -> Any:
            held.wait(10)
            return filled.timeline(where, step=step)

        def __getattr__(self, name: str) -> Any:
            return getattr(filled, name)

    lessons = Lessons(Slow(), control, clock, os.urandom)  # type: ignore[arg-type]
    assert lessons.last is None
    assert lessons.start(Terms(), 7, by="ada", ip="10.0.0.1").state == "running"
    assert lessons.start(Terms(), 7, by="eve") is None
    held.set()
    last = ended(lessons)
    assert (last.state, last.by, last.found.proposals) == ("done", "ada", ())
    assert last.found.thin  # one day of calls is too little
    note = control.notes(action="limits.learn")[0]
    assert (note.actor, note.ip) == ("ada", "10.0.0.1")
    assert lessons.start(Terms(), 7, by="eve") is not None
    ended(lessons)


def test_a_store_that_fails_ends_the_job(control: Any, clock: Any) -> None:
    class Broken:
        def timeline(self, where: Filter, *, step: float) -> Any:
            raise OSError("secret text")

    lessons = Lessons(Broken(), control, clock, os.urandom)  # type: ignore[arg-type]
    lessons.start(Terms(), 7, by="ada")
    last = ended(lessons)
    assert (last.state, last.problem) == ("failed", "OSError while the traffic was read")
