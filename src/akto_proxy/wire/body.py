"""A whole body: bytes to texts with their roles and places, and back to bytes with some texts replaced.

What the bytes are is decided by looking at them: several engines parse JSON whatever Content-Type says, so JSON is JSON
under any name. What cannot be read is not an error but a word in `unreadable`, and the policy's fail mode decides.
Errors are kept for bodies that engines read differently from each other (duplicate keys) or that attack a reader (size,
depth, number of elements). A body nobody edits is never written again: `write({})` returns the very bytes that came.
"""

from __future__ import annotations

import json
from typing import Any, Final, Protocol

from akto_proxy.errors import BodyError
from akto_proxy.model import Direction, Role, Segment, Usage
from akto_proxy.wire import forms, kinds
from akto_proxy.wire.calls import calls
from akto_proxy.wire.encoding import UndecodableError, decode
from akto_proxy.wire.facts import max_tokens, tool_names, truthy, usage
from akto_proxy.wire.route import Route
from akto_proxy.wire.stream import Slot, StreamReader
from akto_proxy.wire.tree import MAX_ELEMENTS, Leaf, Reading, parse

MAX_SIZE: Final = 32 << 20
_BOM: Final = b"\xef\xbb\xbf"


class Content(Protocol):
    """The texts of a body, and the body with some of them replaced."""

    leaves: list[Leaf]
    keys: dict[int, str]
    """The names of the fields that no protocol knows, by the index of what stands in them."""

    def write(self, edits: dict[int, str]) -> bytes:
        """The body with other texts, keyed by their index in `leaves`."""
        ...


class Body:
    """A body as read. `texts`, `roles`, `places` and `segments` go together, and are built when asked for.

    `unreadable` is "" or a stable word: `token_ids`, `embeddings`, `document`, `encoding`, `charset`, `json`, `binary`,
    `multipart`, `media_type`. `media` lists what is no text: heads of data URLs, media types, and addresses that the
    model server may fetch. `encoded` says that the bytes carried a content encoding: bytes from `write` with edits
    carry none, so the header must go. `duplicate` marks an answer in which a key came twice (both values are read).
    """

    __slots__ = (
        "_content",
        "_data",
        "_segments",
        "direction",
        "duplicate",
        "encoded",
        "media",
        "tree",
        "unreadable",
    )

    def __init__(self, data: bytes, direction: Direction, content: Content | None, tree: Any = None) -> None:
        self._data = data
        self._content = content
        self._segments: list[Segment] | None = None
        self.direction = direction
        self.tree = tree
        self.encoded = False
        self.duplicate = False
        self.unreadable = ""
        self.media: list[str] = []

    @property
    def texts(self) -> list[str]:
        """The strings of the body, in the order of the document."""
        return [leaf[0] for leaf in self._content.leaves] if self._content is not None else []

    @property
    def roles(self) -> list[Role]:
        """Who each text speaks for."""
        return [leaf[2] for leaf in self._content.leaves] if self._content is not None else []

    @property
    def segments(self) -> list[Segment]:
        """The texts as Segments, in the order of `texts`."""
        if self._segments is None:
            leaves = self._content.leaves if self._content is not None else []
            keys = self._content.keys if self._content is not None else {}
            self._segments = (
                [
                    Segment(text, place, role, self.direction, keys.get(at, ""))
                    for at, (text, place, role, _) in enumerate(leaves)
                ]
                if keys
                else [Segment(text, place, role, self.direction) for text, place, role, _ in leaves]
            )
        return self._segments

    @property
    def places(self) -> list[str]:
        """Where each text stands. Names that no protocol knows are `*`: a place may be logged."""
        return [leaf[1] for leaf in self._content.leaves] if self._content is not None else []

    @property
    def model(self) -> str:
        """The model the body names, "" for none."""
        return str(self._top("model") or "")

    @property
    def stream(self) -> bool:
        """True when the caller asks for a stream (engines also take 1 and "true" for true)."""
        return truthy(self._top("stream"))

    @property
    def usage(self) -> Usage | None:
        """Tokens as the engine counted them, in any engine's words."""
        return usage(self.tree)

    @property
    def max_tokens(self) -> int:
        """The most tokens the caller lets the model write, 0 when it does not say."""
        return max_tokens(self.tree)

    @property
    def tools(self) -> list[str]:
        """Names of the tools offered (requests) and called (both directions), each once."""
        return tool_names(self.tree)

    @property
    def calls(self) -> list[Segment]:
        """The arguments of tool calls that are JSON objects, each whole as JSON text."""
        return calls(self.tree, self.direction)

    def _top(self, key: str) -> Any:
        return self.tree.get(key) if type(self.tree) is dict else None

    def write(self, edits: dict[int, str]) -> bytes:
        """The body with the texts of some segments replaced, without content encoding; unchanged bytes for `{}`."""
        if not edits or self._content is None:
            return self._data
        return self._content.write(edits)


def read(
    route: Route,
    direction: Direction,
    content_type: bytes,
    content_encoding: bytes,
    data: bytes,
    *,
    max_size: int = MAX_SIZE,
) -> Body:
    """Read a whole body.

    Raises:
        BodyError: it is too large once decoded (413), nested too deeply, has too many elements (413), or, in a
            request on a guarded route, holds a key twice in one object, or is not in the encoding it names or in a
            character set that hides ASCII (415).
    """
    plain = data
    if content_encoding and content_encoding.lower() != b"identity":
        try:
            plain = decode(data, content_encoding, max_size)
        except UndecodableError:
            if direction is Direction.REQUEST and route.guarded:  # many servers read the bytes as they are instead
                message = "the body is not in the Content-Encoding it names"
                raise BodyError(message, reason="encoding", status=415) from None
            body = _read(route, direction, content_type, data)  # some readers take the bytes as they are
            body.unreadable = "encoding"
            return body
    if len(plain) > max_size:
        raise BodyError(f"the body has more than {max_size} bytes", reason="size", status=413)
    body = _read(route, direction, content_type, plain)
    if plain is not data:
        body.encoded = True
        body._data = data
    if not (body.unreadable or kinds.is_plain_charset(content_type)):
        body.unreadable = "charset"
    return body


def _read(route: Route, direction: Direction, content_type: bytes, data: bytes) -> Body:
    role = Role.USER if direction is Direction.REQUEST else Role.ASSISTANT
    kind = kinds.kind_of(content_type, data)
    if direction is Direction.REQUEST and route.guarded and not kinds.is_plain_charset(content_type):
        raise BodyError("the body is in a character set that is not read here", reason="charset", status=415)
    if kind == "json":
        return _json(route, direction, data, role)
    if kind in ("ndjson", "events"):
        _check_count(data.count(b"\n") + data.count(b"\r"), 2 * MAX_ELEMENTS)
        return Body(data, direction, Events(route, content_type, data, role))
    if kind == "form" and b"\x00" not in data:
        _check_count(data.count(b"&"), forms.MAX_FIELDS)
        return _form(data, direction, role, forms.Form(forms.pairs(data, "")))
    if kind == "multipart":
        return _form(data, direction, role, forms.multipart(data, content_type))
    if kind in ("text", "form"):
        return _text(data, direction, role)
    body = Body(data, direction, None)
    if kind == "media":
        body.media = [content_type.decode("latin-1").partition(";")[0].strip() or kinds.sniff(data)]
    elif data:
        body.unreadable = "binary"
    return body


def _check_count(count: int, most: int) -> None:
    if count > most:
        raise BodyError(f"the body has more than {most} elements", reason="elements", status=413)


def _text(data: bytes, direction: Direction, role: Role) -> Body:
    encoding = kinds.text_encoding(data)
    body = Body(data, direction, Plain(data, role, encoding))
    body.unreadable = "binary" if encoding == "utf-8" and b"\x00" in data else ""
    return body


def _json(route: Route, direction: Direction, data: bytes, role: Role) -> Body:
    text = _utf8(data)
    try:
        tree, duplicate = parse(text)
    except ValueError:
        return _malformed(data, direction, role)
    if duplicate and direction is Direction.REQUEST and route.guarded:
        raise BodyError("the body names a key twice in one object", reason="duplicate_key")
    answer = direction is Direction.RESPONSE
    reading = Reading(text, tree, role, shadows=answer)
    body = Body(data, direction, reading, tree)
    body.duplicate = duplicate
    body.media = reading.media
    body.unreadable = "" if answer else reading.tokens
    return body


def _utf8(data: bytes) -> bytes:
    """JSON in UTF-8 without a mark; Python servers also take UTF-16 and UTF-32, so we do."""
    if data.startswith(_BOM):
        return data[3:]
    if b"\x00" not in data[:8]:
        return data
    return data.decode(json.detect_encoding(data), "replace").removeprefix("\ufeff").encode("utf-8", "replace")


def _malformed(data: bytes, direction: Direction, role: Role) -> Body:
    """It looks like JSON and is none: read it as text, and say so, because a lenient engine may read more."""
    body = Body(data, direction, Plain(data, role))
    body.unreadable = "json"
    return body


def _form(data: bytes, direction: Direction, role: Role, form: forms.Form) -> Body:
    body = Body(data, direction, Fields(data, form.fields, role))
    body.unreadable = form.fault
    body.media = list(form.files)
    return body


class Plain:
    """A body that is one text. Where it seems to be in a wider encoding than UTF-8 it is read both ways."""

    def __init__(self, data: bytes, role: Role, encoding: str = "utf-8") -> None:
        self._encodings = (encoding,) if encoding == "utf-8" else (encoding, "utf-8")
        texts = [data.decode(name, "replace") for name in self._encodings]
        self.leaves: list[Leaf] = [(text, "", role, at) for at, text in enumerate(texts)] if data else []
        self.keys: dict[int, str] = {}

    def write(self, edits: dict[int, str]) -> bytes:
        """The new text; of two readings that were both edited, neither is enough."""
        if len(edits) > 1:
            return b"[REDACTED]"
        at, new = next(iter(edits.items()))
        return new.encode(self._encodings[at], "replace")


class Fields:
    """A body or query string that is a list of fields."""

    def __init__(self, data: bytes, fields: list[forms.Field], role: Role) -> None:
        self._data = data
        self._fields = fields
        self.leaves: list[Leaf] = [(field.text, field.place, role, at) for at, field in enumerate(fields)]
        self.keys = {at: field.key for at, field in enumerate(fields) if field.key}

    def write(self, edits: dict[int, str]) -> bytes:
        """The bytes with some fields replaced."""
        return forms.write(self._data, self._fields, edits)


class Events:
    """A whole event stream or NDJSON in one body: the pieces of one lane are one text.

    An edited lane is written whole into its first event, and emptied in the others.
    """

    def __init__(self, route: Route, content_type: bytes, data: bytes, role: Role) -> None:
        reader = StreamReader(route, content_type, max_event=max(len(data), 1))
        self._events = [*reader.feed(data), *reader.finish()]
        lanes: dict[str, list[tuple[int, int, Slot]]] = {}
        for at, event in enumerate(self._events):
            for index, slot in enumerate(event.slots):
                lanes.setdefault(slot.lane or f"#{at}/{index}", []).append((at, index, slot))
        self._lanes = list(lanes.values())
        self.keys: dict[int, str] = {}
        self.leaves: list[Leaf] = [
            ("".join(slot.new for _, _, slot in lane), lane[0][2].place, role, at)
            for at, lane in enumerate(self._lanes)
        ]

    def write(self, edits: dict[int, str]) -> bytes:
        """The stream with some lanes replaced."""
        changes: dict[int, dict[int, str]] = {}
        for lane, new in edits.items():
            for nth, (event, slot, _) in enumerate(self._lanes[lane]):
                changes.setdefault(event, {})[slot] = new if nth == 0 else ""
        return b"".join(event.write(changes.get(at, {})) for at, event in enumerate(self._events))


class Query:
    """The texts of a query string: engines turn it into parameters, so it is read like a body."""

    def __init__(self, query: bytes, direction: Direction = Direction.REQUEST) -> None:
        self._query = query
        self._fields = forms.pairs(query, "query")
        self.segments = [Segment(field.text, field.place, Role.USER, direction, field.key) for field in self._fields]

    def write(self, edits: dict[int, str]) -> bytes:
        """The query string with the texts of some segments replaced; the very same for `{}`."""
        return forms.write(self._query, self._fields, edits)
