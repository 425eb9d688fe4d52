"""The table in a file that all workers of one machine map, each change under the file's lock.

A lock of the kernel (`flock`) costs about a microsecond and is given back when its holder dies, which no lock-free
scheme in Python could promise; the price is that a worker stopped in the middle of a decision makes the others wait.
A worker also takes a column of its own (a lock file held for its life): what a dead worker held in flight is dropped
when its column is taken again or when a newcomer finds its lock free.
"""

from __future__ import annotations

import fcntl
import mmap
import os
from collections.abc import Callable
from pathlib import Path

from akto_proxy.errors import StorageError
from akto_proxy.limits.table import HEAD, Table

ROWS = 16_384
KNOWN = 65_536


class SharedTable:
    """A table that lives in `folder`, and this process's place in it.

    Args:
        folder: a directory that all workers of the machine share.
        overflow: shared rows, one a limit.
        columns: how many workers may map it at the same time.
        rows: buckets kept apart; more callers than that share.

    Raises:
        StorageError: the folder cannot be written, or all columns are taken.
    """

    def __init__(self, folder: Path, *, overflow: int, columns: int = 8, rows: int = ROWS, known: int = KNOWN) -> None:
        self._folder = folder
        size = 8 * ((rows + overflow) * (HEAD + columns) + known)
        self._files: list[int] = []
        try:
            folder.mkdir(parents=True, exist_ok=True, mode=0o700)
            self._fd = self._open(f"table-2-{rows}-{overflow}-{columns}.map")
            lock, unlock = _locks(self._fd)
            lock()
            if os.fstat(self._fd).st_size != size:
                os.ftruncate(self._fd, size)
            unlock()
            self._map = mmap.mmap(self._fd, size)
            column = self._column(columns)
        except OSError as error:
            raise StorageError(f"{folder}: limits cannot be shared here ({error.strerror}); check DATA_DIR") from None
        self._cells = memoryview(self._map).cast("q")
        self.table = Table(self._cells, rows, overflow, columns, column, lock, unlock)
        self.table.forget_writer(column)

    def close(self) -> None:
        """Give the file and the column back."""
        self.table = None  # type: ignore[assignment]  # nothing may be asked of it any more
        self._cells.release()
        self._map.close()
        for file in self._files:
            os.close(file)
        self._files = []

    def reap(self, columns: int) -> int:
        """Drop what dead workers held; how many there were."""
        dead = 0
        for column in range(columns):
            path = self._folder / f"writer-{column}.lock"
            if not path.exists() or not path.stat().st_size:
                continue
            file = os.open(path, os.O_RDWR | os.O_CLOEXEC)
            try:
                fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except OSError:
                continue
            else:
                self.table.forget_writer(column)
                os.ftruncate(file, 0)
                dead += 1
            finally:
                os.close(file)
        return dead

    def _open(self, name: str) -> int:
        file = os.open(self._folder / name, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        self._files.append(file)
        return file

    def _column(self, columns: int) -> int:
        for column in range(columns):
            file = self._open(f"writer-{column}.lock")
            try:
                fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except OSError:
                os.close(self._files.pop())
                continue
            os.pwrite(file, b"%d" % os.getpid(), 0)  # an empty file says that its column holds nothing
            return column
        raise StorageError(f"{self._folder}: {columns} workers already share the limits; stop one or raise WORKERS")


def _locks(file: int) -> tuple[Callable[[], object], Callable[[], object]]:
    flock, take, give = fcntl.flock, fcntl.LOCK_EX, fcntl.LOCK_UN
    return lambda: flock(file, take), lambda: flock(file, give)
