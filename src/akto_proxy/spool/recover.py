"""Taking over a dead writer's directory: find where its chain ended, cut off what was half written.

Only the last segment can have a torn end, because a writer begins a segment after the one before it is whole.
"""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path

from akto_proxy.spool.frame import GENESIS, Damage, Frame
from akto_proxy.spool.layout import fastest_cursor, first_number, segments
from akto_proxy.spool.read import quarantine, read_segment


@dataclass(frozen=True, slots=True)
class Tail:
    """Where a chain goes on: the next record's number, the chain so far, and how many torn bytes were cut off."""

    number: int
    chain: bytes
    torn: int


def recover(root: Path, directory: Path) -> Tail:
    """Make the directory sound again. The caller holds its lock."""
    torn = least = 0
    for path in reversed(segments(directory)):
        last: Frame | Damage | None = None
        for item in read_segment(path):
            if isinstance(item, Damage) and item.torn:
                torn += item.end - item.start
                quarantine(root, path, item)
                os.truncate(path, item.start)
            elif item.number >= 0:
                last = item
        if last is not None:
            return Tail(last.number + 1, last.chain, torn)
        if path.stat().st_size == 0:
            least = max(least, first_number(path))
            path.unlink()
        else:  # nothing readable: numbers go on behind all that can have been in it
            return Tail(first_number(path) + path.stat().st_size, GENESIS, torn)
    return Tail(max(least, fastest_cursor(directory).number), GENESIS, torn)
