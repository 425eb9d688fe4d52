"""Shared by the tests of `wire`: whole-body and stream readers, and the recorded clients when they are there."""

from __future__ import annotations

import base64
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from akto_proxy.model import Direction
from akto_proxy.wire.body import Body, read
from akto_proxy.wire.route import Route, resolve
from akto_proxy.wire.stream import Event, StreamReader

GOLDEN = Path(__file__).parent / "golden"
RECORDED = Path(__file__).parents[3] / "shared" / "fixtures" / "hugging-face"
STREAMS = sorted(GOLDEN.glob("*.sse")) + sorted(RECORDED.glob("*.sse"))
CASES = sorted(path for path in RECORDED.glob("*.json"))


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    if "stream_file" in metafunc.fixturenames:
        metafunc.parametrize("stream_file", STREAMS, ids=lambda path: path.name)
    if "recorded" in metafunc.fixturenames:
        metafunc.parametrize("recorded", CASES or [None], ids=lambda path: path.name if path else "none")


@pytest.fixture
def chat() -> Route:
    return resolve("POST", "/v1/chat/completions")


@pytest.fixture
def request_body(chat: Route) -> Callable[..., Body]:
    def make(data: Any, content_type: bytes = b"application/json", encoding: bytes = b"", **more: Any) -> Body:
        raw = data if type(data) is bytes else json.dumps(data).encode()
        return read(chat, Direction.REQUEST, content_type, encoding, raw, **more)

    return make


@pytest.fixture
def answer_body(chat: Route) -> Callable[..., Body]:
    def make(data: Any, content_type: bytes = b"application/json", encoding: bytes = b"") -> Body:
        raw = data if type(data) is bytes else json.dumps(data).encode()
        return read(chat, Direction.RESPONSE, content_type, encoding, raw)

    return make


@pytest.fixture
def events(chat: Route) -> Callable[..., list[Event]]:
    def make(data: bytes, content_type: bytes = b"text/event-stream", path: str = "") -> list[Event]:
        reader = StreamReader(resolve("POST", path) if path else chat, content_type)
        return [*reader.feed(data), *reader.finish()]

    return make


@pytest.fixture
def sent() -> Callable[[dict[str, Any]], bytes]:
    """The body bytes of a recorded request."""

    def body(request: dict[str, Any]) -> bytes:
        text = request.get("body_text")
        return text.encode() if text is not None else base64.b64decode(request.get("body_b64") or "")

    return body
