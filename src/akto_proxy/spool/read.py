"""Reading segments: frames in order from an offset, a bounded number of bytes at a time, damage set aside.

A reader never changes a segment. What is damaged is copied to `<root>/quarantine/` for a person to look at, and
reading goes on behind it.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from akto_proxy.errors import StorageError
from akto_proxy.spool.frame import HEAD, Damage, Frame, Kind, decode, frame_size
from akto_proxy.spool.layout import SUFFIX, Cursor, first_number, read_cursor, segments, slowest_cursor

QUARANTINE_LIMIT = 256 * 1024 * 1024
"""Bytes kept in quarantine at most; more damage is counted but not copied."""


@dataclass(frozen=True, slots=True)
class Chunk:
    """Some frames of one segment and where reading goes on. `sealed` says that a later segment exists."""

    items: tuple[Frame | Damage, ...]
    cursor: Cursor
    sealed: bool


def read_segment(path: Path) -> Iterator[Frame | Damage]:
    """Every frame of one file, whole in memory (a segment is bounded).

    Raises:
        StorageError: the file cannot be read.
    """
    try:
        data = path.read_bytes()
    except OSError as error:
        raise StorageError(f"{path}: cannot read the spool segment: {error.strerror}") from error
    return decode(data)


def read_chunk(directory: Path, cursor: Cursor, *, limit: int) -> Chunk | None:
    """The frames after `cursor`, about `limit` bytes of them (one frame at least); None at the end.

    A torn end is left alone while the segment is the last (its writer may be in the midst of writing), and given as
    damage once a later segment exists.
    """
    found = _segment_at(directory, cursor)
    if found is None:
        return None
    path, offset, sealed = found
    items: list[Frame | Damage] = []
    # A frame may be larger than `limit`: its head says how large, so the second look always holds it.
    for size in (limit, None):
        items = _items(path, offset, size)
        if items and not (len(items) == 1 and isinstance(items[0], Damage) and items[0].torn):
            break
    items = _settled(items, sealed, _size(path))
    first = first_number(path)
    if not items:
        return Chunk((), Cursor(first, offset, cursor.number), True) if sealed else None
    number = max((item.number + 1 for item in items if item.number >= 0), default=cursor.number)
    return Chunk(tuple(items), Cursor(first, items[-1].end, number), sealed)


def _settled(items: list[Frame | Damage], sealed: bool, size: int) -> list[Frame | Damage]:
    """Without the damage that is only the edge of what was read, or may still be being written."""
    if items and isinstance(items[-1], Damage) and items[-1].torn and not (sealed and items[-1].end >= size):
        return items[:-1]
    return items


def _size(path: Path) -> int:
    try:
        return path.stat().st_size
    except FileNotFoundError:
        return 0


def _segment_at(directory: Path, cursor: Cursor) -> tuple[Path, int, bool] | None:
    """The first segment at or after the cursor that still has bytes to read, and whether it is sealed."""
    found = segments(directory)
    for index, path in enumerate(found):
        first = first_number(path)
        offset = cursor.offset if first == cursor.first else 0
        if first < cursor.first or offset >= _size(path):
            continue
        return path, offset, index + 1 < len(found)
    return None


def _items(path: Path, offset: int, limit: int | None) -> list[Frame | Damage]:
    try:
        with path.open("rb") as file:
            file.seek(offset)
            data = file.read(limit + HEAD if limit is not None else -1)
    except FileNotFoundError:  # dropped to make room, or delivered by another shipper
        return []
    except OSError as error:
        raise StorageError(f"{path}: cannot read the spool segment: {error.strerror}") from error
    return list(decode(data, base=offset))


def read_all(directory: Path) -> Iterator[tuple[Path, Frame | Damage]]:
    """Every frame of a writer with its segment, delivered or not."""
    for path in segments(directory):
        for item in read_segment(path):
            yield path, item


def undelivered(directory: Path, *readers: str) -> int:
    """Bytes a writer still has to deliver to the slowest of `readers` (of all who ever read, when none is named)."""
    cursor = slowest_cursor(directory, readers)
    total = 0
    for path in segments(directory):
        first = first_number(path)
        if first >= cursor.first:
            total += _size(path) - (cursor.offset if first == cursor.first else 0)
    return total


def next_trace(directory: Path, reader: str = "", *, look: int = 16) -> Frame | None:
    """The next trace a writer has to deliver, read alone; None when there is none among the next `look` frames."""
    cursor = read_cursor(directory, reader)
    found = _segment_at(directory, cursor)
    if found is None:
        return None
    path, offset, _ = found
    try:
        with path.open("rb") as file:
            for _ in range(look):
                file.seek(offset)
                size = frame_size(file.read(HEAD))
                file.seek(offset)
                item = next(decode(file.read(size)), None) if size else None
                if not isinstance(item, Frame):
                    return None
                if item.kind is Kind.TRACE:
                    return item
                offset += size
    except OSError:
        return None
    return None


def quarantine(root: Path, segment: Path, damage: Damage) -> Path | None:
    """Copy damaged bytes aside; None when the quarantine is full or cannot be written (the caller counts it)."""
    folder = root / "quarantine"
    target = folder / f"{segment.parent.name}-{segment.name.removesuffix(SUFFIX)}-{damage.start}.bad"
    try:
        folder.mkdir(mode=0o700, exist_ok=True)
        size = damage.end - damage.start
        if target.exists():
            return target
        if sum(path.stat().st_size for path in folder.iterdir()) + size > QUARANTINE_LIMIT:
            return None
        with segment.open("rb") as file:
            file.seek(damage.start)
            data = file.read(size)
        fd = os.open(target, os.O_WRONLY | os.O_CREAT, 0o600)
        with os.fdopen(fd, "wb") as out:
            out.write(data)
    except OSError:
        return None
    return target
