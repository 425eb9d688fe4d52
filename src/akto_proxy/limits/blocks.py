"""Callers that are refused until an end time, as the server decided and every worker reads it.

The server writes one small file, replaced at once; workers look at its time of change twice a second. So a block is in
force within a second on this machine, and stays in force while the server is down. An unreadable file changes
nothing: the blocks read before stay.
"""

from __future__ import annotations

import json
import os
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from pathlib import Path

from akto_proxy.model import Caller

FILE = "blocks.json"
FIELDS = ("key", "user", "team", "agent", "session", "ip")
MAX_BLOCKS = 10_000
_LOOK_EVERY = 0.5


@dataclass(frozen=True, slots=True)
class Blocked:
    """A caller that is refused: which field has which value, and until when (Unix seconds)."""

    field: str
    value: str
    until: float


def write_blocks(folder: Path, blocks: Iterable[Blocked]) -> None:
    """Replace the file with these blocks, at once. Raises OSError."""
    rows = [[item.field, item.value, item.until] for item in blocks][:MAX_BLOCKS]
    data = json.dumps({"blocks": rows}, separators=(",", ":")).encode()
    path = folder / FILE
    if path.exists() and path.read_bytes() == data:
        return
    draft = folder / f".{FILE}.{os.getpid()}"
    file = os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_CLOEXEC, 0o600)
    try:
        os.write(file, data)
        os.fsync(file)
    finally:
        os.close(file)
    os.replace(draft, path)


class Blocks:
    """The blocks in force, as one worker knows them.

    Args:
        folder: where the server writes the file.
        now: Unix seconds.
    """

    def __init__(self, folder: Path, now: Callable[[], float]) -> None:
        self._path = folder / FILE
        self._now = now
        self._looked = 0.0
        self._stamp: tuple[int, int, int] | None = None
        self._table: dict[tuple[str, str], float] = {}
        self.unreadable = 0

    def until(self, caller: Caller) -> float:
        """Until when the caller is refused; 0 when it is not."""
        if not self.some():
            return 0.0
        ends = [self._table.get((name, getattr(caller, name)), 0.0) for name in FIELDS]
        last = max(ends)
        return last if last > self._now() else 0.0

    def some(self) -> bool:
        """Whether anybody at all is blocked, so that a caller need not be read where nobody is."""
        now = self._now()
        if not 0 <= now - self._looked < _LOOK_EVERY:
            self._looked = now
            self._look()
        return bool(self._table)

    def _look(self) -> None:
        try:
            found = self._path.stat()
            stamp = (found.st_mtime_ns, found.st_ino, found.st_size)
            if stamp == self._stamp:
                return
            rows = json.loads(self._path.read_bytes())["blocks"]
            table = {(str(name), str(value)): float(until) for name, value, until in rows if value}
        except FileNotFoundError:
            self._stamp = None
            self._table = {}
        except (OSError, ValueError, KeyError, TypeError):
            self.unreadable += 1
        else:
            self._stamp, self._table = stamp, table
