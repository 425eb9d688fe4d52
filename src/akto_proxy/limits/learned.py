"""Learned limits that were accepted, as the server wrote them down and every worker reads them.

As with blocks, the server replaces one small file and workers look at its time of change, so a limit is in force
within about a second, without a restart, and stays in force while the server is down. A file that cannot be read, and
an entry that is no limit, change nothing that is in force; they are counted.

Each entry has a slot, given when it was accepted and kept until it is withdrawn, so that all workers of a machine mean
the same shared buckets by it while limits come and go.
"""

from __future__ import annotations

import os
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import orjson

from akto_proxy.errors import ConfigError
from akto_proxy.limits.schema import Limit, parse_limits

FILE = "learned.json"
SLOTS = 64
"""Learned limits that may be in force at the same time."""


@dataclass(frozen=True, slots=True)
class Learned:
    """A limit that was accepted, and its slot."""

    slot: int
    limit: Limit


def rows_of(accepted: Iterable[tuple[int, str]]) -> list[dict[str, Any]]:
    """Slots and entries (JSON of a limit) as they are written and sent to proxies that run apart."""
    return [{"slot": slot, "limit": orjson.loads(entry)} for slot, entry in sorted(accepted)]


def write_learned(folder: Path, rows: Sequence[dict[str, Any]]) -> None:
    """Replace the file with these rows, at once and only if it changed. Raises OSError."""
    data = orjson.dumps({"limits": list(rows)})
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


class LearnedFile:
    """The learned limits in force, as one worker knows them.

    Args:
        folder: where the server writes the file.
    """

    def __init__(self, folder: Path) -> None:
        self._path = folder / FILE
        self._stamp: tuple[int, int, int] | None = None
        self.limits: tuple[Learned, ...] = ()
        self.unreadable = 0

    def look(self) -> bool:
        """Read the file again if it is another one than last time; whether other limits are in force now."""
        before = self.limits
        try:
            found = self._path.stat()
            stamp = (found.st_mtime_ns, found.st_ino, found.st_size)
            if stamp == self._stamp:
                return False
            self._stamp = stamp
            self.limits = self._parsed(orjson.loads(self._path.read_bytes())["limits"])
        except FileNotFoundError:
            self._stamp, self.limits = None, ()
        except (OSError, ValueError, KeyError, TypeError):
            self.unreadable += 1
        return self.limits != before

    def _parsed(self, rows: Sequence[dict[str, Any]]) -> tuple[Learned, ...]:
        made: dict[int, Learned] = {}
        for row in rows:
            try:
                slot, limit = int(row["slot"]), parse_limits([row["limit"]])[0]
            except ConfigError:
                self.unreadable += 1
                continue
            if 0 <= slot < SLOTS:
                made[slot] = Learned(slot, limit)
        return tuple(made[slot] for slot in sorted(made))
