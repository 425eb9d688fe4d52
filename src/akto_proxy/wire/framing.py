"""Where events end, what is in them, and how to put other strings into the same bytes: SSE and NDJSON.

Server-sent events are read as their specification says, and more: a comment, a field nobody knows and a line without a
colon are texts too. Only the bytes of an edited string change; the names of fields, the spaces behind their colons, the
line ends and all other lines stay.
"""

from __future__ import annotations

import re
from typing import Final, NamedTuple, Protocol

from akto_proxy.wire.splice import NUMBER, splice
from akto_proxy.wire.tables import CONSTANTS, is_identifier

BOM: Final = b"\xef\xbb\xbf"
TEXT: Final = -1
"""The spot of a payload that is no JSON. JSON strings have their ordinal, other lines -2, -3, ... by their number."""

# A pair of line ends is the end of an event; CR LF is one of them, never two. A CR at the end of what came may still
# be the first half of a CR LF, so it waits.
_BLANK: Final = re.compile(rb"(?>\r\n|\r|\n)(?>\r\n|\n|\r(?=[^\n]))")
_LAST_BLANK: Final = re.compile(rb"(?>\r\n|\r|\n)(?>\r\n|\n|\r)")
_LINE: Final = re.compile(rb"([^\r\n]*)(\r\n|\r|\n|\Z)")


class Note(NamedTuple):
    """A text of an event that is not in its payload: a comment, or a field with an odd value."""

    text: str
    place: str
    spot: int


class Framing(Protocol):
    """How events are laid out in bytes."""

    def find(self, buffer: bytes, start: int) -> int:
        """The end of the first event that is complete, searched from `start`; -1 for none."""
        ...

    def find_last(self, rest: bytes) -> int:
        """The end of the first event when no more bytes come."""
        ...

    def open(self, raw: bytes) -> tuple[bytes | None, list[Note]]:
        """The payload of an event (None: it has none) and its other texts."""
        ...

    def write(self, raw: bytes, edits: dict[int, str]) -> bytes:
        """The event with other strings, keyed by spot."""
        ...


class _Line(NamedTuple):
    name: bytes
    start: int
    value: int
    end: int
    line_end: bytes


class ServerSent:
    """`text/event-stream`."""

    def find(self, buffer: bytes, start: int) -> int:
        """The end of the first event that is complete, searched from `start`; -1 for none."""
        end = buffer.find(b"\n\n", start)
        if buffer.find(b"\r", start, end if end >= 0 else len(buffer)) < 0:
            return end + 2 if end >= 0 else -1
        match = _BLANK.search(buffer, start)
        return match.end() if match else -1

    def find_last(self, rest: bytes) -> int:
        """The end of the first event when no more bytes come."""
        match = _LAST_BLANK.search(rest)
        return match.end() if match else len(rest)

    def open(self, raw: bytes) -> tuple[bytes | None, list[Note]]:
        """The payload of an event (None: it has none) and its other texts."""
        if raw.startswith(b"data:") and raw.find(b"\n") == len(raw) - 2 and b"\r" not in raw:
            return raw[6 if raw[5] == 0x20 else 5 : -2], []
        data: list[bytes] = []
        notes: list[Note] = []
        for number, line in enumerate(_lines(raw)):
            value = raw[line.value : line.end]
            if line.name == b"data":
                data.append(value)
            elif value and not _is_quiet(line.name, value):
                place = f"/{line.name.decode()}" if line.name in _FIELDS else "/comment"
                notes.append(Note(value.decode("utf-8", "replace"), place, -2 - number))
        return (b"\n".join(data) if data else None), notes

    def write(self, raw: bytes, edits: dict[int, str]) -> bytes:
        """The event with other strings, keyed by spot."""
        lines = list(_lines(raw))
        data = [line for line in lines if line.name == b"data"]
        payload = _payload(b"\n".join(raw[line.value : line.end] for line in data), edits)
        out: list[bytes] = []
        at = 0
        values = dict(zip((line.start for line in data), _spread(payload, data), strict=True))
        for number, line in enumerate(lines):
            new = values.get(line.start)
            if -2 - number in edits:
                new = _one_line(edits[-2 - number])
            if new is not None:
                out += (raw[at : line.value], new)
                at = line.end
        out.append(raw[at:])
        return b"".join(out)


class Lines:
    """NDJSON: one JSON value a line."""

    def find(self, buffer: bytes, start: int) -> int:
        """The end of the first event that is complete, searched from `start`; -1 for none."""
        return buffer.find(b"\n", start) + 1 or -1

    def find_last(self, rest: bytes) -> int:
        """The end of the first event when no more bytes come."""
        return self.find(rest, 0) if b"\n" in rest else len(rest)

    def open(self, raw: bytes) -> tuple[bytes | None, list[Note]]:
        """The payload of an event (None: it has none) and its other texts."""
        return raw.removeprefix(BOM).strip() or None, []

    def write(self, raw: bytes, edits: dict[int, str]) -> bytes:
        """The event with other strings, keyed by spot."""
        payload = raw.removeprefix(BOM).strip()
        at = raw.index(payload)
        new = _one_line(edits[TEXT]) if TEXT in edits else splice(payload, _ordinals(edits), shadows=True)
        return raw[:at] + new + raw[at + len(payload) :]


_FIELDS: Final = frozenset((b"event", b"id", b"retry"))


def _lines(raw: bytes) -> list[_Line]:
    """Each line that is not empty: its field name, and where its value begins and ends."""
    lines = []
    at = len(BOM) if raw.startswith(BOM) else 0
    for match in _LINE.finditer(raw, at):
        start, end = match.span(1)
        if start == end:
            continue
        name, colon, _ = match[1].partition(b":")
        known = colon and (not name or name == b"data" or name in _FIELDS)
        value = start + len(name) + 1 if known else start
        if known and raw[value : value + 1] == b" " and value < end:
            value += 1
        # `data` alone on a line is an empty data line
        lines.append(_Line(name if known or name == b"data" else b"", start, value if colon else end, end, match[2]))
        if not colon and name != b"data":
            lines[-1] = lines[-1]._replace(value=start)
    return lines


def _is_quiet(name: bytes, value: bytes) -> bool:
    text = value.decode("utf-8", "replace")
    if name == b"event":
        return text in CONSTANTS
    if name == b"retry":
        return text.isdigit() and len(text) < 8
    return name == b"id" and is_identifier(text)


def _payload(payload: bytes, edits: dict[int, str]) -> bytes:
    if TEXT in edits:
        return edits[TEXT].encode("utf-8", "replace")
    ordinals = _ordinals(edits)
    return splice(payload, ordinals, shadows=True) if ordinals else payload


def _ordinals(edits: dict[int, str]) -> dict[int, str]:
    return {spot if spot >= 0 else spot - NUMBER: new for spot, new in edits.items() if spot >= 0 or spot < NUMBER}


def _spread(payload: bytes, data: list[_Line]) -> list[bytes]:
    """The lines of a payload over the data lines of its event; more lines than there were get lines of their own."""
    pieces = re.split(rb"\r\n|\r|\n", payload)
    count = len(data)
    if count and len(pieces) > count:
        line_end = data[-1].line_end or b"\n"
        pieces[count - 1 :] = [(line_end + b"data: ").join(pieces[count - 1 :])]
    return (pieces + [b""] * count)[:count]


def _one_line(text: str) -> bytes:
    return re.sub(r"[\r\n]+", " ", text).encode("utf-8", "replace")
