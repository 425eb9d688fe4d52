from __future__ import annotations

import pytest

from akto_proxy.wire.kinds import answer_kind, is_ndjson, kind_of, sniff
from akto_proxy.wire.route import resolve


@pytest.mark.parametrize(
    ("named", "data", "kind"),
    [
        (b"application/json", b"x", "json"),
        (b"application/vnd.a+json; charset=utf-8", b"", "json"),
        (b"", b' {"a":1}', "json"),
        (b"text/plain", b"[1]", "json"),
        (b"text/plain", b"(hello)", "text"),
        (b"Text/Event-Stream; charset=utf-8", b"", "events"),
        (b"application/x-ndjson", b"", "ndjson"),
        (b"multipart/form-data; boundary=a", b"{", "multipart"),
        (b"application/x-www-form-urlencoded", b"a=b", "form"),
        (b"image/png", b"\x89PNG\r\n\x1a\n", "media"),
        (b"", b"\xff\xd8\xff", "media"),
        (b"audio/x-odd", b"\x00\x01", "media"),
        (b"audio/x-odd", b"my ssn", "text"),
        (b"application/octet-stream", b"\x00", "binary"),
        (b"application/octet-stream", b"words", "text"),
        (b"", b"\xff\xff", "binary"),
        (b"", b"BM my ssn", "text"),
        (b"application/octet-stream", b"my, ftyp ssn", "text"),
        (b"application/octet-stream", "my ssn is".encode("utf-16"), "text"),
        (b"text/event-stream", b'{"a":1}', "json"),
        (b"text/plain", b"data: {}\n\n", "events"),
        (b"application/octet-stream", b"my ssn and so on\x00", "text"),
        (b"multipart/form-data; boundary=a", b'{"a":"--a--"}', "json"),
        (b"application/x-www-form-urlencoded", b" " * 99 + b'{"a":1}', "json"),
    ],
)
def test_kinds(named: bytes, data: bytes, kind: str) -> None:
    assert kind_of(named, data) == kind


def test_sniffing_film() -> None:
    assert sniff(b"\x00\x00\x00\x20ftypisom") == "video/mp4"
    assert sniff(b"words") == ""


@pytest.mark.parametrize(
    ("status", "named", "kind"),
    [
        (200, b"text/event-stream", "stream"),
        (200, b"application/x-ndjson", "stream"),
        (200, b"application/json", "whole"),
        (400, b"application/json", "whole"),
        (500, b"text/plain", "whole"),
        (200, b"", "whole"),
        (200, b"image/png", "pass"),
        (200, b"image/svg+xml", "whole"),
        (204, b"", "pass"),
        (304, b"application/json", "pass"),
        (101, b"", "pass"),
    ],
)
def test_how_an_answer_is_handled(status: int, named: bytes, kind: str) -> None:
    assert answer_kind(resolve("POST", "/generate"), status, named) == kind


def test_answers_without_texts_pass() -> None:
    assert answer_kind(resolve("GET", "/v1/models"), 200, b"application/json") == "pass"


def test_ndjson() -> None:
    assert is_ndjson(b"application/x-ndjson; charset=utf-8")
    assert not is_ndjson(b"text/event-stream")
