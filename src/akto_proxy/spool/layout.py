"""Where a spool's files lie: `<root>/<writer>/<first number>.seg`, `lock`, `cursor-<reader>`, and `quarantine/`.

A writer's directory belongs to the process that holds the lock on its `lock` file; the kernel frees the lock when that
process dies, however it dies. A segment's name is the number of its first frame, so ranges are known from names alone.
"""

from __future__ import annotations

import contextlib
import fcntl
import os
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import orjson

SUFFIX = ".seg"


@dataclass(frozen=True, slots=True)
class Cursor:
    """How far a writer's frames have been delivered: all before `offset` of the segment that begins at `first`.

    `number` is the next undelivered frame's number.
    """

    first: int = 0
    offset: int = 0
    number: int = 0


def writers(root: Path) -> list[Path]:
    """The writers' directories, oldest name first."""
    if not root.is_dir():
        return []
    return sorted(path for path in root.iterdir() if (path / "lock").exists())


def segments(directory: Path) -> list[Path]:
    """The segment files of a writer, in order."""
    with contextlib.suppress(FileNotFoundError):
        return sorted(path for path in directory.iterdir() if path.suffix == SUFFIX)
    return []


def first_number(segment: Path) -> int:
    """The number of a segment's first frame."""
    return int(segment.stem)


def segment_path(directory: Path, first: int) -> Path:
    """The file whose first frame is `first`."""
    return directory / f"{first:020d}{SUFFIX}"


def used_bytes(root: Path) -> int:
    """Bytes of all segments of all writers."""
    total = 0
    for directory in writers(root):
        for segment in segments(directory):
            with contextlib.suppress(FileNotFoundError):
                total += segment.stat().st_size
    return total


def read_cursor(directory: Path, reader: str = "") -> Cursor:
    """How far `reader` (each server that is shipped to is one) has it.

    The beginning when there is no cursor or it cannot be read: delivery is idempotent.
    """
    return _parsed(_cursor_path(directory, reader))


def slowest_cursor(directory: Path, readers: Sequence[str] = ()) -> Cursor:
    """The cursor of the reader who is furthest behind, of those named, else of those who ever read here."""
    paths = [_cursor_path(directory, reader) for reader in readers] or sorted(directory.glob("cursor*"))
    return min((_parsed(path) for path in paths if path.suffix != ".new"), key=_place, default=Cursor())


def fastest_cursor(directory: Path) -> Cursor:
    """The cursor of the reader who is furthest: no number below it is free."""
    return max((_parsed(path) for path in directory.glob("cursor*")), key=_place, default=Cursor())


def write_cursor(directory: Path, cursor: Cursor, reader: str = "") -> None:
    """Replace the delivery cursor, all or nothing."""
    path = _cursor_path(directory, reader)
    fresh = path.with_name(f"{path.name}.new")
    fresh.write_bytes(orjson.dumps(cursor))
    fresh.replace(path)


def forget_readers(directory: Path, readers: Sequence[str]) -> None:
    """Remove the cursors of all but `readers`: a server that is not shipped to any more must hold nothing back."""
    kept = {_cursor_path(directory, reader) for reader in readers}
    for path in directory.glob("cursor*"):
        if path not in kept:
            path.unlink(missing_ok=True)


def _cursor_path(directory: Path, reader: str) -> Path:
    return directory / (f"cursor-{reader}" if reader else "cursor")


def _parsed(path: Path) -> Cursor:
    try:
        data = orjson.loads(path.read_bytes())
        return Cursor(int(data["first"]), int(data["offset"]), int(data["number"]))
    except (OSError, ValueError, KeyError, TypeError):
        return Cursor()


def _place(cursor: Cursor) -> tuple[int, int]:
    return cursor.first, cursor.offset


def take_lock(directory: Path) -> int | None:
    """Become the owner of a writer's directory: the lock's file descriptor, or None when a live process owns it."""
    fd = os.open(directory / "lock", os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    try:
        fcntl.flock(fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        os.close(fd)
        return None
    if not (directory / "lock").exists():  # removed between open and lock: the directory is going away
        os.close(fd)
        return None
    return fd


@contextlib.contextmanager
def owned(directory: Path) -> Iterator[bool]:
    """Whether the directory's writer is dead; while inside, no other process can adopt it."""
    try:
        fd = take_lock(directory)
    except FileNotFoundError:
        fd = None
    try:
        yield fd is not None
    finally:
        if fd is not None:
            os.close(fd)


def remove_writer(directory: Path) -> None:
    """Remove a dead writer's directory with all it holds. Call it while owning the lock."""
    for path in (*segments(directory), *directory.glob("cursor*"), directory / "lock"):
        path.unlink(missing_ok=True)
    with contextlib.suppress(OSError):  # something of another program lies there: not ours to remove
        directory.rmdir()
