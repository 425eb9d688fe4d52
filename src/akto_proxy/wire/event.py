"""One event of a stream and its strings, and the mould: how to read the next event without parsing it.

Many streams send one event again and again with another piece of text in it. When an event has the bytes of the last
one around its text and its counters, the text is taken from between them. That cannot change what is read: a piece
without quotes, backslashes and control characters leaves the JSON around it as it was, and so does a number.
"""

from __future__ import annotations

import re
from typing import Any, Final

from akto_proxy.model import Role, Usage
from akto_proxy.wire.facts import COUNTS, usage
from akto_proxy.wire.framing import Framing
from akto_proxy.wire.tables import KEYS, SPOKEN_KEYS

_ORDERLY: Final = re.compile(rb"[^\"\\\x00-\x1f]+")
_NUMBER: Final = re.compile(rb"-?(?:0|[1-9][0-9]*)(?:\.[0-9]+)?(?:[eE][+-]?[0-9]+)?")
_SHORT: Final = re.compile(rb"-?(?:0|[1-9][0-9]{0,6})(?![0-9.eE])")
# Numbers differ from event to event. Inside a string the quote would have a backslash before it.
_COUNTER: Final = re.compile(rb'(?<=[{,\s])"([0-9A-Za-z_]{1,64})":[ ]?(' + _NUMBER.pattern + rb")(?=[,}\s])")
# These say something: they name a lane, count tokens or tell of an error.
_TELLING: Final = frozenset((*COUNTS, "index", "output_index", "content_index", "summary_index", "error"))
_MAX_COUNTERS: Final = 6
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
        return usage(self.tree) if self.tree is not None else None

    def write(self, edits: dict[int, str]) -> bytes:
        """The event with the texts of some slots replaced, in the same framing; `raw` for `{}`.

        A cumulative slot is given its whole new text.
        """
        if not edits:
            return self.raw
        return self._framing.write(self.raw, {self._spots[index]: new for index, new in edits.items()})


class Mould:
    """The bytes around the running text and the counters of an event, proven by reading an event cast in them."""

    __slots__ = ("_at", "_idle", "_slots", "_steps", "head", "spots")

    def __init__(self) -> None:
        self.head = b""
        self.spots: tuple[int, ...] = ()
        self._steps: list[tuple[re.Pattern[bytes], bytes]] = []
        self._slots: tuple[Slot, ...] = ()
        self._at = 0
        self._idle = 0

    def cast(self, raw: bytes) -> tuple[Slot, ...] | None:
        """The slots of an event that fills this mould, None when it does not and needs a parser."""
        at = len(self.head)
        piece = b""
        for pattern, literal in self._steps:
            match = pattern.match(raw, at)
            if match is None:
                return None
            end = match.end()
            if not raw.startswith(literal, end):
                return None
            if pattern is _ORDERLY:
                piece = raw[at:end]
            at = end + len(literal)
        return self._filled(piece) if at == len(raw) else None

    def _filled(self, piece: bytes) -> tuple[Slot, ...] | None:
        try:
            text = piece.decode()
        except UnicodeDecodeError:
            return None
        self._idle = 0
        at = self._at
        mine = self._slots[at]
        slot = Slot(text, mine.place, mine.lane)
        return (slot,) if len(self._slots) == 1 else (*self._slots[:at], slot, *self._slots[at + 1 :])

    def forget(self) -> None:
        """Cast no more until a mould is proven again."""
        self.head = b""

    def propose(self, event: Event) -> bytes:
        """The bytes of a test event for a mould of this one, b"" when it cannot have one."""
        running = [at for at, slot in enumerate(event.slots) if slot.lane is not None]
        if self._idle >= _MAX_IDLE or len(running) != 1 or event.slots[running[0]].cumulative:
            return b""
        text = event.slots[running[0]].text.encode("utf-8", "replace")
        if not _ORDERLY.fullmatch(text) or event.raw.count(b'"' + text + b'"') != 1:
            return b""
        start = event.raw.index(b'"' + text + b'"') + 1
        spans = [(start, start + len(text), _ORDERLY)]
        told = _TELLING - {"index"} if "token" in event.tree else _TELLING  # TGI counts its tokens so
        counters = [match for match in _COUNTER.finditer(event.raw) if match[1].decode() not in told]
        spans += [(*match.span(2), _counted(match[1].decode())) for match in counters[:_MAX_COUNTERS]]
        self._cut(event.raw, sorted(spans, key=lambda span: span[0]))
        self._at, self._slots, self.spots = running[0], event.slots, event.spots
        return event.raw[:start] + b"~" + event.raw[start + len(text) :]

    def _cut(self, raw: bytes, spans: list[tuple[int, int, re.Pattern[bytes]]]) -> None:
        ends = [span[0] for span in spans[1:]] + [len(raw)]
        self.head = raw[: spans[0][0]]
        self._steps = [(pattern, raw[end:until]) for (_, end, pattern), until in zip(spans, ends, strict=True)]

    def prove(self, pieces: list[tuple[str, str, str | None, int]]) -> None:
        """Keep the mould if the test event read as expected, else forget it."""
        expected = [(slot.text, slot.place, slot.lane) for slot in self._slots]
        expected[self._at] = ("~", *expected[self._at][1:])
        if [piece[:3] for piece in pieces] == expected and tuple(piece[3] for piece in pieces) == self.spots:
            self._idle += 1
        else:
            self.forget()


def _counted(key: str) -> re.Pattern[bytes]:
    """The numbers that may stand behind a key without being read: any, or none so long that it could be somebody's."""
    return _NUMBER if key in KEYS and key not in SPOKEN_KEYS else _SHORT
