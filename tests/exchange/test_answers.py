"""Answers whose names lie: what a client may read all the same is read here too."""

from __future__ import annotations

import json
from typing import Any

import pytest

MAIL = "canary.bird@coal-mine.com"
BODY = json.dumps({"choices": [{"message": {"content": f"mail {MAIL}"}}]}).encode()


@pytest.mark.parametrize(
    ("headers", "body"),
    [
        ([(b"content-type", b"application/json"), (b"content-encoding", b"gzip")], BODY),
        ([(b"content-type", b"application/json"), (b"content-encoding", b"foo")], BODY),
        ([(b"content-type", b"application/json")], BODY + b"!"),
        ([(b"content-type", b"application/json")], b"data: " + BODY + b"\n\n"),
        ([(b"content-type", b"application/octet-stream")], f"mail {MAIL}\0".encode()),
        (
            [(b"content-type", b"text/plain")],
            b'data: {"choices":[{"index":0,"delta":{"content":"canary.bird"}}]}\n\n'
            b'data: {"choices":[{"index":0,"delta":{"content":"@coal-mine.com"}}]}\n\n',
        ),
    ],
)
def test_a_body_that_is_not_what_it_says_is_read(headers: Any, body: bytes, path: Any) -> None:
    _, (out_headers, out) = path.answer(body, headers)
    assert MAIL.encode() not in out
    assert b"@coal-mine.com" not in out
    assert all(name.lower() != b"content-encoding" for name, _ in out_headers)


def test_text_under_the_name_of_an_image_is_cut(path: Any) -> None:
    exchange, _ = path.send({"messages": []})
    exchange.head(200, [(b"content-type", b"image/png")])
    assert exchange.chunk(BODY) == b""
    assert exchange.cut


def test_an_image_passes(path: Any) -> None:
    exchange, _ = path.send({"messages": []})
    exchange.head(200, [(b"content-type", b"image/png")])
    assert exchange.chunk(b"\x89PNG\r\n\x1a\n words") == b"\x89PNG\r\n\x1a\n words"
    assert not exchange.cut
