"""Carries what the workers spooled to a server: batch by batch, in order, until it is taken, and forgets it only then.

A shipper has one server and, in each writer's directory, a cursor of its own; a segment goes when every server that is
shipped to has it, so one that is away delays no other. The cursor moves after the server said yes: a crash anywhere
sends some records again and loses none; the collector knows them by id. One batch is in memory at a time, whatever the
backlog. A record the server will never take is found by halving, copied to the quarantine and counted; the rest goes
on. Dead workers' directories are shipped like any other and removed once empty.
"""

from __future__ import annotations

import asyncio
import fcntl
import os
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

import orjson
import structlog

from akto_proxy.errors import StorageError
from akto_proxy.proxy.counters import ShipperStats
from akto_proxy.proxy.ship_targets import ShipError, Target
from akto_proxy.spool.frame import Damage, Frame
from akto_proxy.spool.layout import (
    Cursor,
    first_number,
    owned,
    read_cursor,
    remove_writer,
    segment_path,
    segments,
    slowest_cursor,
    used_bytes,
    write_cursor,
    writers,
)
from akto_proxy.spool.read import Chunk, next_trace, quarantine, read_chunk, undelivered
from akto_proxy.spool.recover import recover

_log = structlog.get_logger("akto_proxy.shipper")


@dataclass(frozen=True, slots=True)
class ShipperOptions:
    """Bytes of a batch, and seconds: between looks, of the first and longest wait, when a person must act.

    Less than a batch waits for the next look, since a trace that goes alone costs far more than one in company.
    """

    batch_bytes: int = 1 << 20
    poll: float = 0.2
    first_wait: float = 0.5
    longest_wait: float = 30.0
    slow_wait: float = 60.0


class Shipper:
    """Ships one spool root to one target. `reader` names the target's cursors, `readers` all that are shipped to.

    `clock` gives Unix seconds, `random` numbers in [0, 1) for the jitter, `sleep` waits.
    """

    def __init__(
        self,
        root: Path,
        target: Target,
        options: ShipperOptions = ShipperOptions(),
        *,
        reader: str = "",
        readers: Sequence[str] = (),
        clock: Callable[[], float],
        random: Callable[[], float],
        sleep: Callable[[float], Awaitable[None]] = asyncio.sleep,
    ) -> None:
        self.stats = ShipperStats()
        self._root, self._target, self._options = root, target, options
        self._reader, self._readers = reader, tuple(readers) or (reader,)
        self._clock, self._random, self._sleep = clock, random, sleep
        self._failures = 0

    async def run(self) -> None:
        """Ship until cancelled. Waits while another shipper holds the root."""
        lock = await self._take()
        try:
            await self._check()
            while True:
                if not await self.round() or self.stats.lag < self._options.batch_bytes:
                    await self._sleep(self._options.poll)
        finally:
            os.close(lock)

    async def drain(self, seconds: float) -> bool:
        """Ship what is there now, for so long at most; whether all of it went. For a polite stop."""
        try:
            async with asyncio.timeout(seconds):
                while await self.round():
                    pass
        except TimeoutError:
            return False
        return self.stats.lag == 0

    async def round(self) -> bool:
        """One batch from each writer; whether anything was delivered."""
        moved = False
        for directory in await asyncio.to_thread(writers, self._root):
            try:
                moved = await self._one(directory) or moved
            except StorageError as error:
                self._say("unreadable", str(error))
                await self._sleep(self._options.first_wait)
        self.measure()
        return moved

    async def _one(self, directory: Path) -> bool:
        cursor = await asyncio.to_thread(read_cursor, directory, self._reader)
        chunk = await asyncio.to_thread(read_chunk, directory, cursor, limit=self._options.batch_bytes)
        if chunk is None:
            await asyncio.to_thread(self._retire, directory)
            return False
        await self._deliver(directory, chunk)
        await asyncio.to_thread(self._advance, directory, chunk.cursor)
        return True

    async def _deliver(self, directory: Path, chunk: Chunk) -> None:
        path = segment_path(directory, chunk.cursor.first)
        frames: list[Frame] = []
        for item in chunk.items:
            if isinstance(item, Damage):
                self.stats.damaged += 1
                await asyncio.to_thread(quarantine, self._root, path, item)
                _log.error("spool_damage", segment=path.name, reason=item.reason, start=item.start, end=item.end)
            else:
                frames.append(item)
        await self._send(directory.name, path, frames)

    async def _send(self, writer: str, path: Path, frames: Sequence[Frame]) -> None:
        """Until the target has all of them, or will never take one."""
        while frames:
            try:
                refused = set(await self._target.send(writer, frames))
            except ShipError as error:
                if not error.smaller:
                    await self._wait(error)
                    continue
                if len(frames) == 1:
                    self._say(error.state, str(error))
                    await self._refuse(path, frames)
                    return
                half = len(frames) // 2
                await self._send(writer, path, frames[:half])
                frames = frames[half:]
                continue
            await self._refuse(path, [frame for frame in frames if frame.number in refused])
            self.stats.delivered += len(frames) - len(refused)
            self.stats.batches += 1
            self._well()
            return

    async def _refuse(self, path: Path, frames: Sequence[Frame]) -> None:
        for frame in frames:
            self.stats.refused += 1
            damage = Damage(frame.start, frame.end, "refused by the server", frame.number)
            kept = await asyncio.to_thread(quarantine, self._root, path, damage)
            _log.error("record_refused", number=frame.number, quarantine=str(kept or "full"))

    async def _check(self) -> None:
        while True:
            try:
                await self._target.check()
            except ShipError as error:
                await self._wait(error)
                continue
            self._well()
            return

    async def _wait(self, error: ShipError) -> None:
        """Wait before the next try: doubling, with full jitter, so that many proxies do not come back as one."""
        self._say(error.state, str(error))
        self.stats.retries += 1
        options = self._options
        longest = min(options.longest_wait, options.first_wait * 2 ** min(self._failures, 16))
        self._failures += 1
        wait = options.slow_wait * (0.5 + self._random()) if error.slow else longest * self._random()
        await asyncio.to_thread(self.measure)
        await self._sleep(max(wait, error.after, 0.05))

    def _say(self, state: str, message: str) -> None:
        if state != self.stats.state or message != self.stats.message:
            _log.warning("shipper", state=state, message=message)
        self.stats.state, self.stats.message = state, message

    def _well(self) -> None:
        self._failures = 0
        if self.stats.state != "ok":
            _log.info("shipper", state="ok", target=self._target.name)
        self.stats.state, self.stats.message = "ok", ""

    def measure(self) -> None:
        """Look how far behind delivery is."""
        directories = writers(self._root)
        self.stats.lag = sum(undelivered(directory, self._reader) for directory in directories)
        oldest = [_over(next_trace(directory, self._reader)) for directory in directories] if self.stats.lag else []
        self.stats.lag_seconds = max((self._clock() - at for at in oldest if at), default=0.0)
        self.stats.used = used_bytes(self._root)

    def _advance(self, directory: Path, cursor: Cursor) -> None:
        """Remember how far the server has it, then remove the segments that every server has."""
        write_cursor(directory, cursor, self._reader)
        done = slowest_cursor(directory, self._readers).first
        for path in segments(directory):
            if first_number(path) < done:
                path.unlink(missing_ok=True)

    def _retire(self, directory: Path) -> None:
        """A dead writer's directory: cut its torn end off, and remove it once all of it is delivered."""
        with owned(directory) as ours:
            if not ours:
                return
            recover(self._root, directory)
            if undelivered(directory, *self._readers) == 0:
                remove_writer(directory)

    async def _take(self) -> int:
        """Be the only shipper of this root."""
        self._root.mkdir(mode=0o700, parents=True, exist_ok=True)
        fd = os.open(
            self._root / f"shipper{self._reader and '-'}{self._reader}.lock",
            os.O_RDWR | os.O_CREAT | os.O_CLOEXEC,
            0o600,
        )
        while True:
            try:
                fcntl.flock(fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                self._say("waiting", "another shipper works on this spool")
                await self._sleep(1.0)
                continue
            return fd


def _over(frame: Frame | None) -> float:
    """When the exchange of a record was over (Unix seconds); 0 where that is not known."""
    try:
        trace = orjson.loads(frame.payload) if frame is not None else {}
        return float(trace["started"]) + float(trace["timing"]["total"]) / 1e6
    except (ValueError, KeyError, TypeError):
        return 0.0
