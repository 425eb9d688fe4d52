"""From a batch of bytes to the store: records parsed one by one, batches of many senders written as one.

A record that cannot be read never holds up the others: it is named in the answer and the sender sets it aside. Writers
that wait share a transaction (group commit), and the line before the store is bounded.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field

import orjson

from akto_proxy.collector.problem import Problem
from akto_proxy.collector.sound import check
from akto_proxy.errors import StorageError
from akto_proxy.model import Trace, trace_from_dict
from akto_proxy.spool.frame import Damage, Frame, Kind, decode
from akto_proxy.store.face import Entry, Link, Note, TraceStore

SPOOL_TYPE = "application/vnd.akto-proxy.spool"
LINES_TYPE = "application/x-ndjson"
_GROUP = 5000
"""Records written in one transaction at most."""


@dataclass(slots=True)
class Batch:
    """What a body held. `bad` are numbers (of the chain, or lines from 0) of records that cannot be read."""

    entries: list[Entry] = field(default_factory=list)
    notes: list[Note] = field(default_factory=list)
    bad: list[tuple[int, str]] = field(default_factory=list)

    @property
    def records(self) -> int:
        """How many traces."""
        return len(self.entries)


def parse(content_type: str, writer: str, data: bytes) -> Batch:
    """The batch in a body, by its content type.

    Raises:
        Problem: 415 unknown type, 400 a body that is none of it.
    """
    kind = content_type.partition(";")[0].strip().lower()
    if kind == SPOOL_TYPE:
        if not writer or len(writer) > 200:
            raise Problem(400, "the header x-spool-writer must name the writer of these records")
        return _frames(writer, data)
    if kind == LINES_TYPE:
        return _lines([line for line in data.split(b"\n") if line.strip()])
    if kind == "application/json":
        return _array(data)
    raise Problem(415, f"content-type: expected {SPOOL_TYPE}, {LINES_TYPE} or application/json")


def _frames(writer: str, data: bytes) -> Batch:
    batch = Batch()
    for item in decode(data):
        if isinstance(item, Damage):
            batch.bad.append((item.number, item.reason))
            continue
        link = Link(writer, item.number, item.digest.hex(), item.chain.hex())
        if item.kind is not Kind.TRACE:
            batch.notes.append(Note(link, item.kind.name.lower(), item.payload))
        else:
            _add(batch, item, link)
    return batch


def _add(batch: Batch, frame: Frame, link: Link) -> None:
    try:
        entry = Entry(_trace(frame.payload), frame.payload, link)
        batch.entries.append(entry)
    except (ValueError, KeyError, TypeError, AttributeError):
        batch.bad.append((frame.number, "not a trace"))


def _trace(record: bytes) -> Trace:
    trace = trace_from_dict(orjson.loads(record))
    check(trace)
    return trace


def _lines(lines: Sequence[bytes]) -> Batch:
    batch = Batch()
    for number, line in enumerate(lines):
        try:
            batch.entries.append(Entry(_trace(line), line))
        except (ValueError, KeyError, TypeError, AttributeError):
            batch.bad.append((number, "not a trace"))
    return batch


def _array(data: bytes) -> Batch:
    try:
        traces = orjson.loads(data)["traces"]
        lines = [orjson.dumps(item) for item in traces]
    except (ValueError, KeyError, TypeError):
        raise Problem(400, 'expected {"traces": [...]}') from None
    return _lines(lines)


class Intake:
    """Writes batches to the store, in order, several at once.

    Args:
        store: where they go.
        waiting: bounds the records in line.
        arrived: called when something was written.
    """

    def __init__(self, store: TraceStore, *, waiting: int = 50_000, arrived: Callable[[], None] = lambda: None) -> None:
        self._store, self._room, self._arrived = store, waiting, arrived
        self._thread = ThreadPoolExecutor(1, "intake")
        self._line: list[tuple[Batch, asyncio.Future[int]]] = []
        self._work: asyncio.Task[None] | None = None
        self.written = 0
        self.failed = 0

    async def put(self, batch: Batch) -> int:
        """Wait until the batch is kept; the number of traces that were new (of all that were written with it).

        Raises:
            Problem: 503 when the line is full or the store cannot write.
        """
        size = batch.records + len(batch.notes)
        if size > self._room:
            raise Problem(503, "the server is busy", headers={"retry-after": "2"})
        self._room -= size
        try:
            done: asyncio.Future[int] = asyncio.get_running_loop().create_future()
            self._line.append((batch, done))
            if self._work is None or self._work.done():
                self._work = asyncio.create_task(self._run())
            return await asyncio.shield(done)
        except StorageError:
            self.failed += batch.records
            raise Problem(503, "the store cannot write now", headers={"retry-after": "5"}) from None
        finally:
            self._room += size

    async def _run(self) -> None:
        loop = asyncio.get_running_loop()
        while self._line:
            group = self._take()
            entries = [entry for batch, _ in group for entry in batch.entries]
            notes = [note for batch, _ in group for note in batch.notes]
            try:
                new = await loop.run_in_executor(self._thread, self._store.insert_many, entries, notes)
            except Exception as error:  # noqa: BLE001 - whoever waits must learn of it, whatever it was
                _tell(group, error)
                continue
            self.written += new
            self._arrived()
            for _, done in group:
                if not done.done():
                    done.set_result(new)

    def _take(self) -> list[tuple[Batch, asyncio.Future[int]]]:
        group, size = [self._line.pop(0)], 0
        size = group[0][0].records
        while self._line and size + self._line[0][0].records <= _GROUP:
            group.append(self._line.pop(0))
            size += group[-1][0].records
        return group

    def close(self) -> None:
        """Stop the thread once what runs is done."""
        self._thread.shutdown()


def _tell(group: Sequence[tuple[Batch, asyncio.Future[int]]], error: Exception) -> None:
    failure = error if isinstance(error, StorageError) else StorageError(f"the store failed: {type(error).__name__}")
    for _, done in group:
        if not done.done():
            done.set_exception(failure)
