"""The spool: every trace goes to a file of its worker before anything else can fail.

One writer owns one directory, so appending needs no lock: hash, one `write`, done (about 9 us for 4 KB). What the
kernel has taken survives the death of this process; what must survive the death of the machine waits for `commit`,
which gathers all that wait into one fdatasync. The price of one directory a worker is that dead workers' directories
must be adopted: a new writer takes the first one it can lock, cuts the torn end off and goes on with its chain.

When the disk limit is reached the operator's choice holds: `block` refuses the record (the caller must not finish the
exchange), `drop_oldest` removes the oldest segment and counts what was lost, in the chain too.
"""

from __future__ import annotations

import asyncio
import contextlib
import errno
import os
from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor, wait
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path
from typing import Literal

import orjson

from akto_proxy.errors import StorageError
from akto_proxy.spool.audit import Signer
from akto_proxy.spool.frame import Kind, encode
from akto_proxy.spool.layout import first_number, segment_path, segments, slowest_cursor, take_lock, used_bytes, writers
from akto_proxy.spool.recover import Tail, recover

_FULL = (errno.ENOSPC, errno.EDQUOT, errno.EFBIG)
_NOTE = 1024
"""Bytes that a segment's first note takes at most: a segment that small holds no record worth dropping."""


class SpoolFull(StorageError):  # noqa: N818 - a state, named as the setting is
    """No room, and the operator chose to lose nothing."""


@dataclass(frozen=True, slots=True)
class SpoolOptions:
    """What the operator chose. `limit_bytes` counts all writers of the root; ages and intervals are seconds."""

    limit_bytes: int = 1 << 30
    limit_age: float = 0.0
    segment_bytes: int = 16 << 20
    full: Literal["block", "drop_oldest"] = "block"
    fsync: Literal["off", "interval", "each"] = "interval"
    fsync_interval: float = 1.0
    checkpoint_every: int = 1000


@dataclass(slots=True)
class SpoolStats:
    """Counters for the metrics page. `dropped` are records removed undelivered, `refused` those never taken."""

    appended: int = 0
    bytes: int = 0
    dropped: int = 0
    refused: int = 0
    syncs: int = 0
    sync_failed: int = 0
    notes_late: int = 0
    torn_bytes: int = 0
    adopted: bool = False


class Spool:
    """Appends records. One owner; not for use from several threads at once.

    `clock` gives Unix seconds (for notes and ages), `name` a fresh name for a new directory (unique, file-safe).

    Raises:
        StorageError: the directory cannot be made, locked or written.
    """

    def __init__(
        self,
        root: Path,
        options: SpoolOptions = SpoolOptions(),
        *,
        clock: Callable[[], float],
        name: str,
        signer: Signer | None = None,
    ) -> None:
        self.stats = SpoolStats()
        self._root, self._options, self._clock, self._signer = root, options, clock, signer
        self._segment_bytes = max(1, min(options.segment_bytes, options.limit_bytes // 4))
        self._syncer = ThreadPoolExecutor(1, "spool-sync")
        self._syncing: Future[None] | None = None
        self._last_sync = clock()
        self._dirty = False
        self._round: asyncio.Future[None] | None = None
        self._rounds: asyncio.Task[None] | None = None
        self._fd = -1
        self._gaps: list[bytes] = []
        self._patience = 0
        try:
            self._lock, self.directory, tail = self._claim(name)
            self._number, self._chain = tail.number, tail.chain
            self._used = used_bytes(root)
            self._since_checkpoint = 0
            self._open_segment()
        except OSError as error:
            raise StorageError(f"{root}: cannot open the spool: {error.strerror}. {_fix(error)}") from error

    @property
    def writer(self) -> str:
        """This writer's name, the name of its chain."""
        return self.directory.name

    @property
    def used(self) -> int:
        """Bytes in the spool, all writers (as of the last segment change, and what this writer added since)."""
        return self._used

    @property
    def has_room(self) -> bool:
        """Whether a new exchange may begin. A proxy that must lose nothing asks before it opens one.

        An eighth of the limit is kept back for the records of exchanges that are under way by then.
        """
        limit = self._options.limit_bytes - self._options.limit_bytes // 8
        if self._options.full == "drop_oldest" or self._used < limit:
            return True
        self._used = used_bytes(self._root)
        return self._used < limit

    def append(self, record: bytes) -> None:
        """Keep a record. It survives the death of this process on return; for the machine's, await `commit`.

        Raises:
            SpoolFull: the limit is reached (or the disk is full) and the choice is `block`.
            StorageError: the disk cannot be written.
        """
        self._append(Kind.TRACE, record)
        self.stats.appended += 1
        self._since_checkpoint += 1
        if self._gaps or (self._signer is not None and self._since_checkpoint >= self._options.checkpoint_every):
            self._notes()
        self._dirty = True
        if (
            self._options.fsync == "interval"
            and not 0 <= self._clock() - self._last_sync < self._options.fsync_interval
        ):
            self._sync_soon()

    async def commit(self) -> None:
        """Wait until all that was appended is on the medium. Those who wait share one fdatasync. No-op for `off`.

        Raises:
            StorageError: the disk said no.
        """
        if self._options.fsync == "off":
            return
        if self._round is None:
            self._round = asyncio.get_running_loop().create_future()
        waiting = self._round
        if self._rounds is None or self._rounds.done():
            self._rounds = asyncio.create_task(self._run_rounds())
        await asyncio.shield(waiting)

    def tick(self) -> None:
        """Once a second or so: sync what is due, sign what is not signed, remove what is too old."""
        self._notes()
        if self._dirty and self._options.fsync != "off":
            self._sync_soon()
        if self._options.limit_age > 0:
            self._drop_aged()

    def close(self) -> None:
        """Sign and sync what is left, free the directory for another process. The files stay for the shipper."""
        if self._fd < 0:
            return
        try:
            self._notes()
            if self._options.fsync != "off":
                os.fdatasync(self._fd)
        except (OSError, StorageError):
            self.stats.sync_failed += 1
        self._syncer.shutdown()
        os.close(self._fd)
        os.close(self._lock)
        self._fd = -1

    def _claim(self, name: str) -> tuple[int, Path, Tail]:
        """The first dead writer's directory, or a new one."""
        self._root.mkdir(mode=0o700, parents=True, exist_ok=True)
        for directory in writers(self._root):
            lock = take_lock(directory)
            if lock is not None:
                tail = recover(self._root, directory)
                self.stats.adopted, self.stats.torn_bytes = True, tail.torn
                return lock, directory, tail
        directory = self._root / name
        directory.mkdir(mode=0o700)
        lock = take_lock(directory)
        if lock is None:
            raise StorageError(f"{directory}: another process holds the new spool directory; give each worker a name")
        return lock, directory, Tail(0, bytes(32), 0)

    def _open_segment(self) -> None:
        path = segment_path(self.directory, self._number)
        flags = os.O_WRONLY | os.O_CREAT | os.O_APPEND | os.O_CLOEXEC
        fd = os.open(path, flags, 0o600)
        old, self._fd, self._size = self._fd, fd, 0
        if old >= 0:
            self._retire(old)
        note = {"writer": self.writer, "first": self._number, "at": self._clock(), "before": self._chain.hex()}
        self._put(Kind.SEGMENT, orjson.dumps(note))

    def _retire(self, fd: int) -> None:
        """Sync a full segment in the background, and close it."""

        def work() -> None:
            try:
                if self._options.fsync != "off":
                    os.fdatasync(fd)
            except OSError:
                self.stats.sync_failed += 1
            finally:
                os.close(fd)

        self._syncer.submit(work)

    def _append(self, kind: Kind, payload: bytes) -> None:
        self._prepare(len(payload))
        self._put(kind, payload)

    def _prepare(self, need: int) -> None:
        """A segment with room, within the limit."""
        if self._size >= self._segment_bytes:
            self._roll()
        if self._used + need > max(self._options.limit_bytes, self._patience):
            self._make_room(need)

    def _put(self, kind: Kind, payload: bytes) -> None:
        while True:
            data, chain = encode(kind, self._number, self._chain, payload)
            if self._write(data):
                break  # else room was made, and a new segment's note may have taken this number
        self._chain = chain
        self._number += 1
        self._size += len(data)
        self._used += len(data)
        self.stats.bytes += len(data)

    def _write(self, data: bytes) -> bool:
        """All of `data`; False when the disk was full and the oldest gave way; an error when nothing could be done."""
        try:
            done = os.write(self._fd, data)
            if done == len(data):
                return True
            problem = OSError(errno.ENOSPC, "the disk took only a part of the record")
        except OSError as error:
            problem = error
        self._cut_back()
        if problem.errno in _FULL and self._options.full == "drop_oldest" and self._give_way():
            return False
        self.stats.refused += 1
        kind = SpoolFull if problem.errno in _FULL else StorageError
        raise kind(f"{self.directory}: cannot write the spool: {problem.strerror}. {_fix(problem)}") from problem

    def _give_way(self) -> bool:
        """Free some of the disk: the oldest full segment, else what the only one holds; whether anything was freed."""
        if self._drop_segment():
            # The disk has the bytes back when the last descriptor is closed, which the syncing thread does.
            wait([self._syncer.submit(int)], timeout=5.0)
            return True
        if self._size <= _NOTE:
            return False
        try:
            self._open_segment()  # its note finds no room either, and then the old segment is full and goes
        except OSError:
            return False
        return True

    def _cut_back(self) -> None:
        """Remove a half-written record; if even that fails, readers step over it as damage."""
        try:
            os.ftruncate(self._fd, self._size)
        except OSError:
            self.stats.sync_failed += 1

    def _roll(self) -> None:
        """Begin a new segment; when that fails the old one goes on, too large but whole."""
        self._used = used_bytes(self._root)
        with contextlib.suppress(OSError):  # of files, say: if the disk is the trouble, the record's own write says so
            self._open_segment()

    def _make_room(self, need: int) -> None:
        self._used, self._patience = used_bytes(self._root), 0
        while self._used + need > self._options.limit_bytes:
            if self._options.full == "block":
                self.stats.refused += 1
                raise SpoolFull(
                    f"{self._root}: the spool holds its limit of {self._options.limit_bytes} bytes. Bring the "
                    "collector back, raise SPOOL_MAX_SIZE, or choose SPOOL_FULL=drop_oldest"
                )
            if not self._drop_segment():
                # Others fill the spool, and what is theirs is not ours to drop: do not count all files at each append.
                self._patience = self._used + self._segment_bytes // 8
                break

    def _drop_segment(self) -> bool:
        """Remove this writer's oldest full segment; whether there was one."""
        found = segments(self.directory)
        if len(found) < 2:
            return False
        self._drop(found[0], first_number(found[1]))
        return True

    def _drop(self, path: Path, following: int) -> None:
        try:
            size = path.stat().st_size
            path.unlink()
        except FileNotFoundError:  # the shipper delivered it meanwhile
            self._used = used_bytes(self._root)
            return
        except OSError as error:
            raise StorageError(f"{path}: cannot be removed: {error.strerror}. {_fix(error)}") from error
        self._used -= size
        first = max(first_number(path), slowest_cursor(self.directory).number)
        if first < following:
            self.stats.dropped += following - first
            note = {"first": first, "last": following - 1, "at": self._clock()}
            self._gaps.append(orjson.dumps(note))

    def _drop_aged(self) -> None:
        found = segments(self.directory)
        for path, after in pairwise(found):
            try:
                if self._clock() - path.stat().st_mtime < self._options.limit_age:
                    return
            except FileNotFoundError:
                continue
            self._drop(path, first_number(after))

    def _notes(self) -> None:
        """Write what the chain still has to say: gaps, then a signature. When there is no room, the next time."""
        try:
            while self._gaps:  # said only now: in the midst of a write a note would take that record's number
                self._append(Kind.GAP, self._gaps[0])
                del self._gaps[0]
            if self._signer is not None and self._since_checkpoint:
                at = self._clock()
                self._prepare(1024)  # before signing: a new segment's first note moves the chain
                self._put(Kind.CHECKPOINT, self._signer.checkpoint(self.writer, self._number - 1, self._chain, at))
                self._since_checkpoint = 0
        except StorageError:
            self.stats.notes_late += 1

    def _sync_soon(self) -> None:
        if self._syncing is not None and not self._syncing.done():
            return
        self._last_sync, self._dirty = self._clock(), False
        self._syncing = self._syncer.submit(self._sync, os.dup(self._fd))

    def _sync(self, fd: int) -> None:
        try:
            os.fdatasync(fd)
            self.stats.syncs += 1
        except OSError:
            self.stats.sync_failed += 1
        finally:
            os.close(fd)

    async def _run_rounds(self) -> None:
        loop = asyncio.get_running_loop()
        while self._round is not None:
            waiting, self._round = self._round, None
            fd = os.dup(self._fd)
            try:
                await loop.run_in_executor(self._syncer, os.fdatasync, fd)
                self.stats.syncs += 1
                waiting.set_result(None)
            except OSError as error:
                self.stats.sync_failed += 1
                waiting.set_exception(StorageError(f"{self.directory}: cannot sync the spool: {error.strerror}"))
            finally:
                os.close(fd)


def _fix(error: OSError) -> str:
    """What the operator can do about it."""
    fixes = {
        errno.ENOSPC: "Free disk space, or lower SPOOL_MAX_SIZE",
        errno.EDQUOT: "Raise the disk quota, or lower SPOOL_MAX_SIZE",
        errno.EROFS: "Mount the volume writable",
        errno.EACCES: "Give the process write access to it",
        errno.EIO: "Check the disk",
    }
    return fixes.get(error.errno or 0, "Check the path and its file system")
