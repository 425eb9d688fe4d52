"""Buckets in one flat block of 64-bit numbers, which may be shared memory: decisions and settlements under one lock.

A row is `key, tat, all holds, hold of writer 0, hold of writer 1, ...`. `tat` is the moment at which the bucket is
empty again (GCRA's theoretical arrival time, nanoseconds); holds are estimates of calls in flight, one cell a writer,
so a writer that died can be forgotten without touching what others hold, and their sum, so that a decision reads three
cells however many writers there are (it is summed anew when a writer is forgotten, who may have died between two
cells). A bucket that is empty and holds nothing says nothing,
so its row may be given to another key without loss. When all rows a key may use are busy, the key shares its limit's
overflow row with the others that found none: memory is bounded, and a limit can only become stricter.

All steps of one decision happen under one lock: either every bucket of a call is charged or none is.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from akto_proxy.light import light

HEAD = 3
"""Cells of a row before those of the writers: key, tat, all holds."""

PROBES = 8
KNOWN_PROBES = 4


@light
@dataclass(frozen=True, slots=True)
class Ask:
    """One bucket of a call: take `charge` for good and `hold` until settled, if the bucket's `capacity` allows.

    `weight` divides what is charged later too: a bucket shared by strangers is that many times as large.
    """

    key: int
    overflow: int
    capacity: int
    charge: int = 0
    hold: int = 0
    enforce: bool = True
    weight: float = 1.0


@light
@dataclass(frozen=True, slots=True)
class Answer:
    """What became of the asks. `refused` is the number of the ask that said no (-1: none), `wait` nanoseconds.

    `rows` says for each ask where its hold is; `over` which shadow asks would have said no; `left` the room that
    remains in each bucket.
    """

    refused: int
    wait: int
    rows: list[int]
    left: list[int]
    over: tuple[int, ...] = ()


@light
@dataclass(frozen=True, slots=True)
class Settle:
    """Give back `hold` in `row` and charge `charge` there; a row of -1 means: the row of `key`."""

    row: int
    hold: int
    charge: int
    key: int = 0
    overflow: int = 0


class Table:
    """Rows over a block of numbers.

    Args:
        cells: signed 64-bit cells, `(rows + overflow) * (HEAD + columns) + known` of them, zero at first.
        rows: ordinary rows.
        overflow: shared rows, one a limit.
        columns: writers that may be.
        column: this writer.
        lock: called before anything is read or written.
        unlock: called after.
    """

    def __init__(
        self,
        cells: memoryview,
        rows: int,
        overflow: int,
        columns: int,
        column: int,
        lock: Callable[[], object],
        unlock: Callable[[], object],
    ) -> None:
        self._cells = cells
        self._rows = rows
        self._stride = HEAD + columns
        self._mine = HEAD + column
        self._overflow = rows * self._stride
        self._known = (rows + overflow) * self._stride
        self._known_size = len(cells) - self._known
        self._lock = lock
        self._unlock = unlock
        self.overflowed = 0

    def decide(self, asks: Sequence[Ask], now: int) -> Answer:
        """Take all that is asked, or nothing."""
        self._lock()
        try:
            return self._decide(asks, now)
        finally:
            self._unlock()

    def _decide(self, asks: Sequence[Ask], now: int) -> Answer:
        cells, find = self._cells, self._find
        rows: list[int] = []
        left: list[int] = []
        over: tuple[int, ...] = ()
        refused, wait = -1, 0
        for number, ask in enumerate(asks):
            row = find(ask.key, ask.overflow, now)
            rows.append(row)
            room = ask.capacity - ask.charge - ask.hold - cells[row + 2]
            level = cells[row + 1] - now
            if level > 0:
                room -= level
            left.append(room)
            if room >= 0:
                continue
            if not ask.enforce:
                over += (number,)
            elif refused < 0 or -room > wait:
                refused, wait = number, -room
        if refused < 0:
            self._take(asks, rows, over, now)
        return Answer(refused, wait, rows, left, over)

    def _take(self, asks: Sequence[Ask], rows: list[int], over: tuple[int, ...], now: int) -> None:
        cells, mine = self._cells, self._mine
        for number, ask in enumerate(asks):
            if over and number in over:
                rows[number] = -1
                continue
            row = rows[number]
            if ask.charge:
                tat = cells[row + 1]
                cells[row + 1] = (tat if tat > now else now) + ask.charge
            if ask.hold:
                cells[row + mine] += ask.hold
                cells[row + 2] += ask.hold

    def settle(self, items: Sequence[Settle], now: int) -> None:
        """Give holds back and charge what was really used, however much it is."""
        self._lock()
        try:
            cells, mine = self._cells, self._mine
            for item in items:
                row = item.row if item.row >= 0 else self._find(item.key, item.overflow, now)
                if item.charge:
                    tat = cells[row + 1]
                    cells[row + 1] = (tat if tat > now else now) + item.charge
                if item.hold:
                    cells[row + mine] -= item.hold
                    cells[row + 2] -= item.hold
        finally:
            self._unlock()

    def grow(self, row: int, more: int, capacity: int, now: int) -> bool:
        """Hold more in a row, whatever its state; whether all of it still fits."""
        self._lock()
        try:
            cells = self._cells
            cells[row + self._mine] += more
            cells[row + 2] += more
            return max(cells[row + 1] - now, 0) + cells[row + 2] <= capacity
        finally:
            self._unlock()

    def level(self, key: int, now: int) -> int:
        """Nanoseconds charged and held for a key that has a row of its own; 0 for others."""
        for probe in range(PROBES):
            row = (key + probe) % self._rows * self._stride
            if self._cells[row] == key:
                return max(self._cells[row + 1] - now, 0) + self._cells[row + 2]
        return 0

    def _find(self, key: int, overflow: int, now: int) -> int:
        cells, stride, rows = self._cells, self._stride, self._rows
        start = key % rows
        row = start * stride
        if cells[row] == key:
            return row
        for probe in range(1, PROBES):
            row = (start + probe) % rows * stride
            if cells[row] == key:
                return row
        return self._claim(key, start, overflow, now)

    def _claim(self, key: int, start: int, overflow: int, now: int) -> int:
        """A row for a new key. It begins as full as the overflow row, because the key may have used that one before."""
        cells, stride = self._cells, self._stride
        shared = self._overflow + overflow * stride
        if not cells[shared + 2]:
            for probe in range(PROBES):
                row = (start + probe) % self._rows * stride
                if cells[row] == 0 or (cells[row + 1] <= now and not cells[row + 2]):
                    cells[row + 1] = cells[shared + 1]
                    cells[row] = key
                    return row
        self.overflowed += 1
        return shared

    def forget_writer(self, column: int) -> None:
        """Drop what a writer that is gone still held."""
        self._lock()
        try:
            cells = self._cells
            for row in range(0, self._known, self._stride):
                cells[row + HEAD + column] = 0
                cells[row + 2] = sum(cells[row + HEAD : row + self._stride])
        finally:
            self._unlock()

    def is_known(self, key: int) -> bool:
        """Whether a key was marked. A lost mark costs its caller a share of the strangers' bucket for one call."""
        start, size, cells = self._known, self._known_size, self._cells
        if cells[start + key % size] == key:
            return True
        return any(cells[start + (key + probe) % size] == key for probe in range(1, KNOWN_PROBES))

    def mark_known(self, key: int) -> None:
        """Remember a key; the place of an older one is taken when all are in use."""
        start, size, cells = self._known, self._known_size, self._cells
        places = [start + (key + probe) % size for probe in range(KNOWN_PROBES)]
        free = [place for place in places if cells[place] in (0, key)]
        cells[free[0] if free else places[(key >> 32) % KNOWN_PROBES]] = key


def in_memory(rows: int, overflow: int, known: int = 4096) -> Table:
    """A table for one process, without a file or a lock."""
    cells = memoryview(bytearray(8 * ((rows + overflow) * (HEAD + 1) + known))).cast("q")
    return Table(cells, rows, overflow, 1, 0, lambda: None, lambda: None)
