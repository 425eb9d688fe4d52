"""What is fuzzed: functions from bytes to nothing, which raise when a promise is broken.

Each takes any bytes, allows only documented errors, and checks a property (cutting changes nothing, what is
not edited stays byte for byte, what was read can be written). `run.py` drives them with atheris; the tests replay the
saved corpus and a second of blind mutation, so that CI needs no fuzzer.
"""

from __future__ import annotations

import functools
import itertools
from collections.abc import Callable

from akto_proxy.cli import build
from akto_proxy.errors import BodyError, PolicyError
from akto_proxy.guard.engine import Engine
from akto_proxy.guard.views import normalise
from akto_proxy.model import Direction, Finding
from akto_proxy.policy.schema import parse_policies
from akto_proxy.proxy.options import Limits
from akto_proxy.proxy.reader import Head, RequestError, RequestReader
from akto_proxy.spool.frame import decode
from akto_proxy.wire import forms
from akto_proxy.wire.body import Query, read
from akto_proxy.wire.route import Route, canonical, resolve
from akto_proxy.wire.stream import StreamReader

ROUTES = [resolve("POST", path) for path in ("/v1/chat/completions", "/generate", "/v1/responses", "/api/chat", "/")]
KINDS = (
    b"application/json",
    b"text/plain",
    b"",
    b"application/x-ndjson",
    b"text/event-stream",
    b"application/octet-stream",
    b"application/x-www-form-urlencoded",
    b"multipart/form-data; boundary=b",
    b"image/png",
    b"text/plain; charset=utf-16",
)
ENCODINGS = (b"", b"", b"", b"", b"gzip", b"deflate", b"br", b"zstd")
ROOM = 1 << 20


def body(data: bytes) -> None:
    """A whole body: read, left alone, edited, read again."""
    if len(data) < 4:
        return
    route, kind = ROUTES[data[0] % len(ROUTES)], KINDS[data[1] % len(KINDS)]
    direction = Direction.REQUEST if data[2] & 1 else Direction.RESPONSE
    encoding, data = ENCODINGS[data[3] % len(ENCODINGS)], data[4:]
    try:
        found = read(route, direction, kind, encoding, data, max_size=ROOM)
    except BodyError:
        return
    assert found.write({}) == data
    assert len(found.texts) == len(found.roles) == len(found.places) == len(found.segments)
    for text in found.texts:
        text.encode()
    _ = (found.model, found.stream, found.usage, found.max_tokens, found.tools)
    if found.texts:
        changed = found.write(dict.fromkeys(range(len(found.texts)), "zz"))
        read(route, Direction.RESPONSE, kind, b"", changed, max_size=2 * ROOM)


def events(data: bytes) -> None:
    """An event stream: any cutting reads the same, and what is not edited is the stream."""
    if len(data) < 3:
        return
    route, kind, step = ROUTES[data[0] % len(ROUTES)], (KINDS[4], KINDS[3])[data[1] & 1], data[2] % 13 + 1
    data = data[3:]
    whole, cut = _events(route, kind, data, len(data) or 1), _events(route, kind, data, step)
    assert whole == cut or None in (whole, cut)
    if whole is not None:
        assert b"".join(raw for raw, _ in whole) == data


def _events(route: Route, kind: bytes, data: bytes, step: int) -> list[tuple[bytes, list[tuple[str, str]]]] | None:
    reader = StreamReader(route, kind, max_event=ROOM)
    out = []
    try:
        for at in range(0, len(data), step):
            out += reader.feed(data[at : at + step])
        out += reader.finish()
        for event in out:
            if event.slots:
                event.write(dict.fromkeys(range(len(event.slots)), "zz"))
    except BodyError:
        return None
    return [(event.raw, [(slot.text, slot.place) for slot in event.slots]) for event in out]


def multipart(data: bytes) -> None:
    """Multipart and forms: fields lie inside the bytes, in order where written, and an edit replaces just them."""
    for form in (forms.multipart(data, b"multipart/form-data; boundary=b"), forms.Form(forms.pairs(data, ""))):
        assert forms.write(data, form.fields, {}) == data
        spans = sorted((field.start, field.end) for field in form.fields)
        assert all(0 <= start <= end <= len(data) for start, end in spans)
        assert all(one[1] <= other[0] for one, other in itertools.pairwise(spans))


def route(data: bytes) -> None:
    """A request target: refused, or it has one meaning."""
    try:
        target = canonical(data)
    except BodyError:
        return
    assert target.path.startswith("/")
    assert "//" not in target.path
    assert ".." not in target.path.split("/")
    resolve("POST", target.path)
    if target.query:
        query = Query(target.query)
        assert query.write({}) == target.query


class _Sink:
    def __init__(self) -> None:
        self.reader = RequestReader(Limits(head=2048, body=4096, headers=20, target=512), self)
        self.seen: list[object] = []

    def head_read(self, head: Head) -> None:
        self.seen.append((head.method, head.target, head.headers, head.length, head.expect))

    def request_read(self, data: bytes) -> None:
        self.seen.append(data)


def requests(data: bytes) -> None:
    """The request reader: any cutting accepts the same requests, up to the one that is refused."""
    whole, cut = _requests(data, len(data) or 1), _requests(data, (data[0] if data else 0) % 7 + 1)
    shared = min(len(whole), len(cut))
    assert whole[:shared] == cut[:shared]
    assert all(isinstance(item, bytes) or b"\n" not in repr(item).encode("unicode_escape") for item in whole)


def _requests(data: bytes, step: int) -> list[object]:
    sink = _Sink()
    try:
        for at in range(0, len(data), step):
            sink.reader.feed(data[at : at + step])
            while sink.reader.waiting == "answer" and sink.reader.ahead:
                sink.reader.resume()
    except RequestError:
        pass
    return sink.seen


def views(data: bytes) -> None:
    """Other readings of a text: every place in one lies in the original."""
    text = data.decode("utf-8", "replace")
    for view in normalise(text):
        for start in range(0, len(view.text), max(1, len(view.text) // 8)):
            begin, end = view.span(start, min(start + 5, len(view.text)))
            assert 0 <= begin <= end <= len(text), view.name


@functools.lru_cache(maxsize=1)
def _engine() -> Engine:
    return build.engine(build.shipped_rules(), None)


def stream(data: bytes) -> None:
    """The guard: a stream cut anywhere finds what the whole text holds."""
    if len(data) < 2:
        return
    step, text = data[0] % 23 + 1, data[1:].decode("utf-8", "replace")
    engine = _engine()
    guard, out, found = engine.stream(), "", []
    pieces = [guard.feed(text[at : at + step]) for at in range(0, len(text), step)]
    for piece in [*pieces, guard.finish()]:
        shift = len(out)
        found += [
            Finding(f.start + shift, f.end + shift, f.rule, f.entity, f.category, f.score) for f in piece.findings
        ]
        out += piece.text
    assert out == text
    assert found == engine.scan(text)


def spool(data: bytes) -> None:
    """The spool: any bytes are frames and damage, in order, and cover what they came from."""
    at = 0
    for item in decode(data):
        assert at <= item.start <= item.end <= len(data)
        at = item.end


def policy(data: bytes) -> None:
    """A policy file: policies or one documented error, which never quotes much."""
    try:
        parse_policies(data.decode("utf-8", "replace"), "fuzz.yaml")
    except PolicyError as error:
        said = str(error)
    else:
        said = ""
    assert len(said) < 20_000


TARGETS: dict[str, Callable[[bytes], None]] = {
    "body": body, "events": events, "multipart": multipart, "route": route, "requests": requests,
    "views": views, "stream": stream, "spool": spool, "policy": policy,
}  # fmt: skip
