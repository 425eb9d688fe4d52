"""Ways by which a string once passed unread, each with a planted secret that must now be seen and be replaced."""

from __future__ import annotations

import gzip
import json
from typing import Any

import pytest

from akto_proxy.model import Direction
from akto_proxy.wire.body import read
from akto_proxy.wire.route import resolve
from akto_proxy.wire.stream import Event, StreamReader

SECRET = "jane@example.com"
ROUTE = resolve("POST", "/generate_stream")
S = SECRET.encode()

STREAMS = {
    "payload that is not JSON": b"data: oops jane@example.com {\n\n",
    "payload that is half JSON": b'data: {"error": "jane@example.com said "no""}\n\n',
    "comment line": b": jane@example.com\n\ndata: {}\n\n",
    "event name": b"event: jane@example.com\ndata: {}\n\n",
    "event id": b"id: jane@example.com\ndata: {}\n\n",
    "unknown field": b"jane@example.com: x\ndata: {}\n\n",
    "unfinished last event": b'data: {"token":{"text":"jane@example.com"}}',
    "unfinished last line": b'data: {}\n\ndata: {"token":{"text":"jane@example.com"}}\n',
    "object key": b'data: {"token":{"jane@example.com":1}}\n\n',
    "skipped field": b'data: {"id":"jane@example.com","object":"jane@example.com","token":{"text":"x"}}\n\n',
    "first of two equal keys": b'data: {"generated_text":"jane@example.com","generated_text":"x"}\n\n',
    "whole text in the last event": b'data: {"token":{"text":"."},"generated_text":"jane@example.com"}\n\n',
    "several data lines": b'data: {"a":\ndata: "jane@example.com"}\n\n',
    "escapes": b'data: {"a":"jane\\u0040example.com"}\n\n',
    "byte order mark": b'\xef\xbb\xbfdata: {"a":"jane@example.com"}\n\n',
    "carriage returns": b'data: {"a":"jane@example.com"}\r\r',
    "finish reason": b'data: {"choices":[{"index":0,"delta":{},"finish_reason":"jane@example.com"}]}\n\n',
    "role": b'data: {"choices":[{"index":0,"delta":{"role":"jane@example.com"}}]}\n\n',
}
BODIES = {
    "no JSON at all": (b"application/json", b"jane@example.com"),
    "object key": (b"application/json", b'{"jane@example.com":null}'),
    "skipped field": (b"application/json", b'{"id":"jane@example.com"}'),
    "encoded field": (b"application/json", b'{"mask":"jane@example.com"}'),
    "JSON string": (b"application/json", b'"jane@example.com"'),
    "JSON in a string": (b"application/json", json.dumps({"arguments": '{"to":"jane\\u0040example.com"}'}).encode()),
    "text named image": (b"image/png", b"jane@example.com"),
    "file name": (
        b"multipart/form-data; boundary=b",
        b'--b\r\nContent-Disposition: form-data; name="file"; filename="jane@example.com"\r\n\r\n\r\n--b--\r\n',
    ),
    "data URL of text": (b"application/json", b'{"url":"data:text/plain,jane@example.com"}'),
}


def events(data: bytes) -> list[Event]:
    reader = StreamReader(ROUTE)
    return reader.feed(data) + reader.finish()


@pytest.mark.parametrize("hole", STREAMS)
def test_streams(hole: str) -> None:
    found = events(STREAMS[hole])
    assert any(SECRET in slot.text for event in found for slot in event.slots)
    out = b"".join(
        event.write(
            {at: slot.text.replace(SECRET, "[X]") for at, slot in enumerate(event.slots) if SECRET in slot.text}
        )
        for event in found
    )
    assert S not in out
    assert all(SECRET not in slot.text for event in events(out) for slot in event.slots)


@pytest.mark.parametrize("hole", BODIES)
@pytest.mark.parametrize("direction", Direction)
def test_bodies(hole: str, direction: Direction) -> None:
    named, data = BODIES[hole]
    for encoding, sent in ((b"", data), (b"gzip", gzip.compress(data))):
        body = read(ROUTE, direction, named, encoding, sent)
        edits = {at: text.replace(SECRET, "[X]") for at, text in enumerate(body.texts) if SECRET in text}
        assert edits
        out = body.write(edits)
        assert S not in out
        assert all(SECRET not in text for text in read(ROUTE, direction, named, b"", out).texts)


@pytest.mark.parametrize("direction", Direction)
def test_no_place_holds_a_text(direction: Direction) -> None:
    for named, data in BODIES.values():
        body = read(ROUTE, direction, named, b"", data)
        assert all(SECRET not in place for place in body.places)
    for stream in STREAMS.values():
        slots: list[Any] = [slot for event in events(stream) for slot in event.slots]
        assert all(SECRET not in slot.place + str(slot.lane) for slot in slots)
