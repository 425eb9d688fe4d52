"""Replay as a job: policies in force against a draft, over kept traffic, in a thread of its own with its progress.

One job runs at a time, over a bounded number of traces, and the last few results are kept in memory.
"""

from __future__ import annotations

import threading
from collections import OrderedDict
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, field, replace

import orjson

from akto_proxy.dashboard.conversation import turns
from akto_proxy.dashboard.workshop import Draft, Workshop
from akto_proxy.model import Direction, Finding, Role, Segment, Trace, trace_from_dict
from akto_proxy.policy.compile import Plan, PolicySet
from akto_proxy.policy.replay import Report, Scan
from akto_proxy.policy.replay import replay as judged
from akto_proxy.store.face import Filter, TraceStore

MOST = 100_000
KEPT = 10
_ROLES = {role.value: role for role in Role} | {"developer": Role.SYSTEM, "function": Role.TOOL}


@dataclass(slots=True)
class Job:
    """A replay: how far it is, and its report when it is done."""

    id: str
    by: str
    at: float
    comment: str
    total: int
    text: str = ""
    done: int = 0
    state: str = "running"
    problem: str = ""
    report: Report | None = None
    stop: threading.Event = field(default_factory=threading.Event)

    @property
    def share(self) -> float:
        """Per cent done."""
        return 100.0 if self.state == "done" else round(100 * self.done / max(1, self.total), 1)

    def seen(self) -> Job:
        """The job as it is at this moment, for a page: one that ends while the page is made would be shown half.

        The state is read first: the report is there before a job says that it is done.
        """
        state = self.state
        return replace(self, state=state)


class Replays:
    """The jobs of this server."""

    def __init__(self, traces: TraceStore, workshop: Workshop, randomness: Callable[[int], bytes]) -> None:
        self._traces = traces
        self._workshop = workshop
        self._random = randomness
        self._jobs: OrderedDict[str, Job] = OrderedDict()
        self._lock = threading.Lock()

    def start(self, old: Draft, new: Draft, where: Filter, *, by: str, at: float, comment: str = "") -> Job:
        """Begin a job; the one that runs is stopped."""
        total = min(MOST, self._traces.count(where))
        job = Job(self._random(8).hex(), by, at, comment, total, new.text)
        with self._lock:
            for running in self._jobs.values():
                running.stop.set()
            self._jobs[job.id] = job
            while len(self._jobs) > KEPT:
                self._jobs.popitem(last=False)
        threading.Thread(target=self._run, args=(job, old, new, where), daemon=True).start()
        return job

    def find(self, job_id: str) -> Job | None:
        """A job."""
        with self._lock:
            return self._jobs.get(job_id)

    def recent(self) -> tuple[Job, ...]:
        """The last jobs, newest first."""
        with self._lock:
            return tuple(reversed(self._jobs.values()))

    def now(self, old: Draft, new: Draft, traces: Iterable[Trace]) -> Report:
        """A replay of a few traces at once, for a preview."""
        return judged(traces, old.policies, new.policies, self._scanner(old, new))

    def _run(self, job: Job, old: Draft, new: Draft, where: Filter) -> None:
        try:
            job.report = judged(self._kept(job, where, MOST), old.policies, new.policies, self._scanner(old, new))
            job.state = "stopped" if job.stop.is_set() else "done"
        except Exception as error:  # noqa: BLE001 - a job whose thread is gone would run for ever
            job.problem = f"{type(error).__name__} after {job.done} traces"
            job.state = "failed"

    def _kept(self, job: Job, where: Filter, most: int) -> Iterator[Trace]:
        for record in self._traces.export(where):
            if job.done >= most or job.stop.is_set():
                return
            job.done += 1
            yield trace_from_dict(orjson.loads(record))

    def _scanner(self, old: Draft, new: Draft) -> Scan:
        drafts = {id(draft.policies): draft for draft in (old, new)}

        def scan(trace: Trace, policies: PolicySet, plan: Plan) -> Sequence[tuple[Segment, Sequence[Finding]]]:
            found: list[tuple[Segment, Sequence[Finding]]] = []
            segments = segments_of(trace)
            for side in Direction:
                own = [segment for segment in segments if segment.direction is side]
                if own:
                    found += zip(own, self._workshop.scan(drafts[id(policies)], own, plan.enabled(side)), strict=True)
            return found

        return scan


def segments_of(trace: Trace) -> list[Segment]:
    """The texts of a kept trace, as the pages read them."""
    made = []
    for direction, message, speaker in (
        (Direction.REQUEST, trace.request, "user"),
        (Direction.RESPONSE, trace.response, "assistant"),
    ):
        for number, turn in enumerate(turns(message, speaker)):
            role = _ROLES.get(turn.role, Role.USER if direction is Direction.REQUEST else Role.ASSISTANT)
            made.append(Segment(turn.text, f"/turn/{number}", role, direction))
    return made
