"""A few read-only SQLite connections shared by all threads, each question with a deadline; trace ids as bytes."""

from __future__ import annotations

import contextlib
import sqlite3
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from queue import Empty, LifoQueue

from akto_proxy.errors import StorageError

POOL = 4


def id_bytes(trace_id: str) -> bytes:
    """A trace id as kept: 16 bytes for 32 hex digits, any other text behind a mark and never 16 bytes long."""
    with contextlib.suppress(ValueError):
        if len(trace_id) == 32 and trace_id == trace_id.lower():
            return bytes.fromhex(trace_id)
    data = b"~" + trace_id.encode()
    return data if len(data) != 16 else data + b"\0"


def id_text(data: bytes) -> str:
    """The trace id of `id_bytes`."""
    return data.hex() if len(data) == 16 else data[1:].rstrip(b"\0").decode()


class Readers:
    """A pool of read-only connections to one file."""

    def __init__(self, path: Path, timeout: float, setup: Callable[[sqlite3.Connection], None]) -> None:
        self._path, self._timeout, self._setup = path, timeout, setup
        self._idle: LifoQueue[sqlite3.Connection | None] = LifoQueue()
        for _ in range(POOL):
            self._idle.put(None)

    @contextlib.contextmanager
    def __call__(self) -> Iterator[sqlite3.Connection]:
        """A connection for one question.

        Raises:
            StorageError: all are busy, the question took too long, or the file cannot be read.
        """
        try:
            db = self._idle.get(timeout=self._timeout)
        except Empty:
            raise StorageError(f"{self._path}: all {POOL} readers are busy; ask for a shorter time range") from None
        try:
            if db is None:
                db = self._connect()
            deadline = time.monotonic() + self._timeout
            db.set_progress_handler(lambda: time.monotonic() > deadline, 20_000)
            yield db
        except sqlite3.OperationalError as error:
            if "interrupted" in str(error):
                raise StorageError(
                    f"{self._path}: the query took longer than {self._timeout:g} s; ask for a shorter time range"
                ) from error
            raise StorageError(f"{self._path}: cannot read the store: {error}") from error
        except sqlite3.Error as error:
            raise StorageError(f"{self._path}: cannot read the store: {error}") from error
        finally:
            self._idle.put(db)

    def _connect(self) -> sqlite3.Connection:
        db = sqlite3.connect(self._path, isolation_level=None, check_same_thread=False, timeout=self._timeout)
        db.execute("PRAGMA query_only = 1")
        db.execute("PRAGMA cache_size = -8000")
        db.execute("PRAGMA mmap_size = 1073741824")
        self._setup(db)
        return db

    def close(self) -> None:
        """Close the idle connections."""
        with contextlib.suppress(Empty):
            while True:
                db = self._idle.get_nowait()
                if db is not None:
                    db.close()
