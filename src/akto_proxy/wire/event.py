"""One event of a stream and its strings, and the mould: how to read the next event without parsing it.

Many streams send one event again and again with another piece of text in it. When an event has the bytes of the last
one around its text, the text is taken from between them. That cannot change what is read: a piece without quotes,
backslashes and control characters leaves the JSON around it as it was.
"""

from __future__ import annotations

import re
from typing import Any, Final

from akto_proxy.model import Role, Usage
from akto_proxy.wire.facts import usage
from akto_proxy.wire.framing import Framing

_ORDERLY: Final = re.compile(rb"[^\"\\\x00-\x1f]+")
_MAX_IDLE: Final = 4  # moulds made without one use: this stream's events differ in more than their text


class Slot:
    """One string of an event.

    `lane` names the running text this is a piece of, None when it stands alone. A `cumulative` slot repeats its lane
    from the beginning: `text` is the whole, `new` what was added since the last event (elsewhere `new` is `text`).
    """

    __slots__ = ("cumulative", "lane", "new", "place", "role", "text")

    def __init__(self, text: str, place: str, lane: str | None, new: str | None = None) -> None:
        self.text = text
        self.place = place
        self.lane = lane
        self.cumulative = new is not None
        self.new = text if new is None else new
        self.role = Role.ASSISTANT

    def __repr__(self) -> str:  # never the text: a repr may be logged
        return f"Slot(place={self.place!r}, lane={self.lane!r}, length={len(self.text)})"


class Event:
    """One event: its exact bytes and its strings. `kind` is json, text, done, error or other (comments, fields).

    `done` is true for the route's own last event; `usage` and `finish_reason` are what this event says of them.
    """

    __slots__ = ("_framing", "_spots", "done", "finish_reason", "kind", "raw", "slots", "tree")

    def __init__(
        self, raw: bytes, kind: str, slots: tuple[Slot, ...], spots: tuple[int, ...], framing: Framing
    ) -> None:
        self.raw = raw
        self.kind = kind
        self.slots = slots
        self._spots = spots
        self._framing = framing
        self.done = kind == "done"
        self.finish_reason = ""
        self.tree: Any = None

    @property
    def spots(self) -> tuple[int, ...]:
        """Where each slot stands in the bytes, as its framing counts."""
        return self._spots

    @property
    def usage(self) -> Usage | None:
        """Tokens, when this event tells them."""
        return usage(self.tree)

    def write(self, edits: dict[int, str]) -> bytes:
        """The event with the texts of some slots replaced, in the same framing; `raw` for `{}`.

        A cumulative slot is given its whole new text.
        """
        if not edits:
            return self.raw
        return self._framing.write(self.raw, {self._spots[index]: new for index, new in edits.items()})


class Mould:
    """The bytes around the one running text of an event, proven by reading an event cast in them."""

    __slots__ = ("_at", "_idle", "_slots", "prefix", "spots", "suffix")

    def __init__(self) -> None:
        self.prefix = b""
        self.suffix = b""
        self.spots: tuple[int, ...] = ()
        self._slots: tuple[Slot, ...] = ()
        self._at = 0
        self._idle = 0

    def cast(self, raw: bytes) -> tuple[Slot, ...] | None:
        """The slots of an event with the prefix and suffix of this mould, None when its text needs a parser."""
        piece = raw[len(self.prefix) : -len(self.suffix)]
        if not _ORDERLY.fullmatch(piece):
            return None
        try:
            text = piece.decode()
        except UnicodeDecodeError:
            return None
        self._idle = 0
        at = self._at
        mine = self._slots[at]
        slot = Slot(text, mine.place, mine.lane)
        return (slot,) if len(self._slots) == 1 else (*self._slots[:at], slot, *self._slots[at + 1 :])

    def fits(self, raw: bytes) -> bool:
        """True when an event begins and ends as the mould does, with something between."""
        prefix, suffix = self.prefix, self.suffix
        return (
            prefix != b"" and raw.startswith(prefix) and raw.endswith(suffix) and len(raw) > len(prefix) + len(suffix)
        )

    def propose(self, event: Event) -> bytes:
        """The bytes of a test event for a mould of this one, b"" when it cannot have one."""
        running = [at for at, slot in enumerate(event.slots) if slot.lane is not None]
        if len(running) != 1 or self._idle >= _MAX_IDLE or event.slots[running[0]].cumulative:
            return b""
        text = event.slots[running[0]].text.encode("utf-8", "replace")
        token = b'"' + text + b'"'
        if not _ORDERLY.fullmatch(text) or event.raw.count(token) != 1:
            return b""
        start = event.raw.index(token) + 1
        self.prefix, self.suffix = event.raw[:start], event.raw[start + len(text) :]
        self._at, self._slots, self.spots = running[0], event.slots, event.spots
        return self.prefix + b"~" + self.suffix

    def prove(self, pieces: list[tuple[str, str, str | None, int]]) -> None:
        """Keep the mould if the test event read as expected, else forget it."""
        expected = [(slot.text, slot.place, slot.lane) for slot in self._slots]
        expected[self._at] = ("~", *expected[self._at][1:])
        if [piece[:3] for piece in pieces] == expected and tuple(piece[3] for piece in pieces) == self.spots:
            self._idle += 1
        else:
            self.prefix = b""
