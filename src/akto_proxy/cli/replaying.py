"""A replay over many kept traces: read once, judged by old and new policies in as many processes as were given.

Few traces are judged in this process, because another costs a second or two to start. The two guards of a process share
what is the same in both (learned detectors, which remember the last texts they read), so a second reading costs little.
"""

from __future__ import annotations

import multiprocessing
import sys
from collections.abc import Iterable, Iterator, Sequence
from itertools import chain, islice
from pathlib import Path

import orjson

from akto_proxy.cli import build
from akto_proxy.cli.asking import Asking
from akto_proxy.config.settings import Settings
from akto_proxy.errors import BodyError, ConfigError
from akto_proxy.exchange.shared import Guard
from akto_proxy.guard.scanner import Scanner
from akto_proxy.model import Direction, Finding, Message, Role, Segment, Trace, trace_from_dict
from akto_proxy.policy.compile import Plan, PolicySet
from akto_proxy.policy.replay import Report, Scanned, replay
from akto_proxy.policy.schema import Policy
from akto_proxy.store.face import Filter
from akto_proxy.store.open import open_traces
from akto_proxy.wire import body as wire_body
from akto_proxy.wire.route import resolve

FEW = 2_000
"""Traces that are judged without other processes."""
BATCH = 250
Record = tuple[str, bytes]
"""Where a record was read, for errors, and its JSON."""

_judges: list[_Judges] = []  # of a helping process: made once, by its initialiser


def replayed(
    records: Iterable[Record],
    settings: Settings,
    old: Sequence[Policy],
    new: Sequence[Policy],
    processes: int = 1,
    *,
    ask: bool = False,
) -> Report:
    """What the new policies would make of kept traces, against the old ones; `ask` lets checks outside have a say.

    Raises:
        ConfigError: a record is no trace. PolicyError: policies cannot be used.
    """
    judges = _Judges(settings, old, new, ask)  # compiles, too, what the helpers then find on disk
    rest = iter(records)
    first = list(islice(rest, FEW))
    more = list(islice(rest, 1)) if len(first) == FEW else []
    if not more or processes < 2:
        return judges.replay(chain(first, more, rest))
    report = Report()
    context = multiprocessing.get_context("spawn")
    with context.Pool(processes, _prepare, (settings, tuple(old), tuple(new), ask)) as pool:
        for part in pool.imap(_replay, _batches(chain(first, more, rest))):
            report.add(part)
    return report


def _prepare(settings: Settings, old: Sequence[Policy], new: Sequence[Policy], ask: bool) -> None:
    _judges.append(_Judges(settings, old, new, ask))


def _replay(batch: Sequence[Record]) -> Report:
    return _judges[0].replay(batch)


def _batches(records: Iterator[Record]) -> Iterator[list[Record]]:
    while batch := list(islice(records, BATCH)):
        yield batch


class _Judges:
    """Both guards of one process."""

    def __init__(self, settings: Settings, old: Sequence[Policy], new: Sequence[Policy], ask: bool) -> None:
        self._ask = Asking() if ask else None
        before, after = build.guard(settings, old), build.guard(settings, new)
        shared = {item.name: item for item in before.scanner.detectors}
        detectors = [shared.get(item.name, item) for item in after.scanner.detectors]
        after = Guard(Scanner(after.scanner.engine, detectors), after.policies)
        self._before, self._after = before, after
        self._guards = {id(guard.policies): guard for guard in (before, after)}
        self._last: tuple[Trace | None, list[Segment]] = (None, [])

    def replay(self, records: Iterable[Record]) -> Report:
        """The report over some records."""
        traces = (_trace(data, where) for where, data in records)
        return replay(traces, self._before.policies, self._after.policies, self._scanned, self._ask)

    def _scanned(self, trace: Trace, policies: PolicySet, plan: Plan) -> Scanned:
        if self._last[0] is not trace:
            self._last = (trace, texts(trace))
        return scanned(self._last[1], self._guards[id(policies)], plan)


def stored(settings: Settings, since: float) -> Iterator[Record]:
    """The records of the store since a time, oldest first."""
    store = open_traces(settings.store_url or str(settings.data_path / "traces.db"))
    try:
        for record in store.export(Filter(since=since)):
            yield "store", record if isinstance(record, bytes) else record.encode()
    finally:
        store.close()


def exported(name: str) -> Iterator[Record]:
    """The records of a JSON lines file; `-` is standard input.

    Raises:
        ConfigError: it cannot be read.
    """
    try:
        with sys.stdin.buffer if name == "-" else Path(name).open("rb") as lines:
            for number, line in enumerate(lines, 1):
                if line.strip():
                    yield f"{name}, line {number}", line
    except OSError as error:
        raise ConfigError(f"{name}: cannot be read ({error.strerror})") from None


def _trace(line: bytes, where: str) -> Trace:
    try:
        return trace_from_dict(orjson.loads(line))
    except (ValueError, KeyError, TypeError, AttributeError):
        raise ConfigError(f"{where}: not a trace") from None


def texts(trace: Trace) -> list[Segment]:
    """The kept texts of a trace."""
    found: list[Segment] = []
    for direction, message in ((Direction.REQUEST, trace.request), (Direction.RESPONSE, trace.response)):
        if message.body and message.encoding == "text":
            found += _segments(trace, direction, message)
    return found


def scanned(segments: Sequence[Segment], guard: Guard, plan: Plan) -> Scanned:
    """The kept texts of a trace with what the rules of a plan find in them."""
    found: list[tuple[Segment, Sequence[Finding]]] = []
    for direction in Direction:
        own = [segment for segment in segments if segment.direction is direction]
        if own:
            found += zip(own, guard.scanner.scan(own, plan.enabled(direction)), strict=True)
    return found


def _segments(trace: Trace, direction: Direction, message: Message) -> list[Segment]:
    kind = next((value for name, value in message.headers if name.lower() == "content-type"), "application/json")
    try:
        route = resolve(trace.method, trace.path)
        read = wire_body.read(route, direction, kind.encode(), b"", message.body.encode("utf-8", "replace"))
        if read.segments:
            return list(read.segments)
    except BodyError:
        pass  # kept only in part, or no body of that kind: then it is one text
    role = Role.USER if direction is Direction.REQUEST else Role.ASSISTANT
    return [Segment(message.body, "", role, direction)]
