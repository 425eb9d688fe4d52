"""Bytes of an event stream to events, and events to bytes again; server-sent events and NDJSON.

An event keeps the exact bytes it came in, comments and line ends too, so what nobody edits is passed on as it came:
the raws of all events put together are the stream. Cuts do not matter: an event is read when its last byte has come.
"""

from __future__ import annotations

from typing import Any, Final

from akto_proxy.errors import BodyError
from akto_proxy.wire.event import Event, Mould, Slot
from akto_proxy.wire.framing import BOM, TEXT, Framing, Lines, Note, ServerSent
from akto_proxy.wire.kinds import is_ndjson
from akto_proxy.wire.lanes import Lanes, Piece
from akto_proxy.wire.route import Route
from akto_proxy.wire.tree import parse

__all__ = ["Event", "Slot", "StreamReader"]

_MAX_CHOICES: Final = 256
_LAST: Final = frozenset(("response.completed", "response.incomplete", "response.failed", "message_stop"))


class StreamReader:
    """Reads one stream. `feed` returns the events whose last byte came; call `finish` when no more bytes come.

    `template` is the last JSON event and `choices` the indexes of choices seen: what an ending of ours must fit.
    """

    def __init__(self, route: Route, content_type: bytes = b"text/event-stream", *, max_event: int = 1 << 20) -> None:
        self.route = route
        self.max_event = max_event
        self.framing: Framing = Lines() if is_ndjson(content_type) else ServerSent()
        self.template: Any = None
        self.choices: set[int] = set()
        self.events = 0
        self._rest = b""
        self._parts: list[bytes] = []
        self._size = 0
        self._searched = 0
        self._lanes = Lanes()
        self._wholes: dict[str, str | None] = {}
        self._mould = Mould()

    @property
    def pending(self) -> int:
        """Bytes of an event whose end has not come."""
        return len(self._rest) + self._size

    def trust(self, text: str) -> None:
        """A text that stood alone was checked and is clean: as a model name or fingerprint it need not come again."""
        self._lanes.trust(text)
        self._mould.forget()  # it may hold what is trusted now

    def feed(self, data: bytes) -> list[Event]:
        """The events that these bytes complete.

        Raises:
            BodyError: one event is larger than `max_event` (reason `event_size`) or nested too deeply.
        """
        if self._rest and not _may_end(self._rest, data):
            return self._keep(data)
        buffer = b"".join((self._rest, *self._parts, data)) if self._rest else data
        self._parts.clear()
        find, events, at, size, since = self.framing.find, [], 0, len(buffer), self._searched
        while at < size and (end := find(buffer, since)) >= 0:
            events.append(self._event(buffer[at:end]))
            at = since = end
        self._size = self._searched = 0
        self._rest = buffer[at:]
        if self._rest:
            self._searched = max(size - at - 4, 0)
            self._check()
        return events

    def _keep(self, data: bytes) -> list[Event]:
        """Bytes that end no line wait in a list: joining them to each other every time would cost their square."""
        self._parts.append(data)
        self._size += len(data)
        self._check()
        return []

    def _check(self) -> None:
        if self.pending > self.max_event:
            raise BodyError(f"an event has more than {self.max_event} bytes", reason="event_size", status=502)

    def finish(self) -> list[Event]:
        """The last event, when its line end never came."""
        rest = b"".join((self._rest, *self._parts))
        self._rest, self._size = b"", 0
        self._parts.clear()
        events = []
        while rest:
            end = self.framing.find_last(rest)
            events.append(self._event(rest[:end]))
            rest = rest[end:]
        return events

    def _event(self, raw: bytes) -> Event:
        self.events += 1
        mould = self._mould
        if mould.head and raw.startswith(mould.head):
            slots = mould.cast(raw)
            if slots is not None:
                return Event(raw, "json", slots, mould.spots, self.framing)
        if self.events > 1 and raw.startswith(BOM):  # a client reads another field there than we do
            raise BodyError("a byte order mark inside of a stream", reason="framing", status=502)
        payload, notes = self.framing.open(raw)
        if payload is None:
            return self._assemble(raw, "other", [], notes)
        if payload.strip() == b"[DONE]":
            return self._assemble(raw, "done", [], notes)
        return self._payload(raw, payload, notes)

    def _payload(self, raw: bytes, payload: bytes, notes: list[Note]) -> Event:
        try:
            tree, duplicate = parse(payload)
        except ValueError:
            text = payload.decode("utf-8", "replace")
            return self._assemble(raw, "text", [(text, "/data", "/data", TEXT)], notes)
        pieces = self._lanes.read(tree)
        if duplicate and any(lane is not None for _, _, lane, _ in pieces):
            # Which of the two is a piece of the running text is the client's choice.
            raise BodyError("an event names a key twice in one object", reason="duplicate_key", status=502)
        event = self._assemble(raw, "json", pieces, notes, tree)
        event.finish_reason = self._lanes.finish_reason
        event.tree = tree
        if type(tree) is dict:
            self._note(event, tree)
            if not (event.done or event.finish_reason or notes or tree.get("usage")):
                self._learn(event)
        return event

    def _learn(self, event: Event) -> None:
        test = self._mould.propose(event)
        if test:
            payload, notes = self.framing.open(test)
            try:
                tree = parse(payload or b"")[0]
            except ValueError:
                tree = None
            self._mould.prove(self._lanes.read(tree) if not notes else [])

    def _note(self, event: Event, tree: dict[str, Any]) -> None:
        if tree.get("error"):
            event.kind = "error"
        else:
            self.template = tree
        event.done = tree.get("done") is True or tree.get("stop") is True or tree.get("type") in _LAST
        choices = tree.get("choices")
        for choice in choices if type(choices) is list else ():
            if type(choice) is dict and type(choice.get("index")) is int and len(self.choices) < _MAX_CHOICES:
                self.choices.add(choice["index"])

    def _assemble(self, raw: bytes, kind: str, pieces: list[Piece], notes: list[Note], tree: Any = None) -> Event:
        cumulative = type(tree) is dict and type(tree.get("meta_info")) is dict
        slots = [self._slot(piece, tree if cumulative else None) for piece in pieces]
        spots = [piece[3] for piece in pieces]
        for text, place, spot in notes:
            slots.append(Slot(text, place, None))
            spots.append(spot)
        return Event(raw, kind, tuple(slots), tuple(spots), self.framing)

    def _slot(self, piece: Piece, tree: dict[str, Any] | None) -> Slot:
        text, place, lane, _ = piece
        if tree is None or place != "/text":
            return Slot(text, place, lane)
        index = tree.get("index")
        lane = f"/text/{index if type(index) is int else 0}"
        before = self._wholes.get(lane, "")
        if before is None or not text.startswith(before) or len(self._wholes) > _MAX_CHOICES:
            self._wholes[lane] = None  # this server sends pieces, not the whole text again
            return Slot(text, place, lane)
        self._wholes[lane] = text
        return Slot(text, place, lane, text[len(before) :])


def _may_end(rest: bytes, data: bytes) -> bool:
    """True when these bytes may complete an event: they hold a line end, or follow a CR that waits for its LF."""
    return b"\n" in data or b"\r" in data or rest.endswith(b"\r")
