"""Routes without texts of callers: what a caller sends to them all the same is read all the same."""

from __future__ import annotations

from typing import Any

from akto_proxy.exchange.face import Forward, Refusal

MAIL = "canary.bird@coal-mine.com"


def test_a_query_to_a_route_without_texts_is_read(path: Any) -> None:
    forward = path.open(f"/info?q={MAIL}", method="GET").request(b"")
    assert isinstance(forward, Forward)
    assert MAIL.encode() not in forward.target


def test_a_body_to_a_route_without_texts_is_read(path: Any) -> None:
    for method, target in (("GET", "/info"), ("OPTIONS", "/v1/chat/completions"), ("HEAD", "/health")):
        forward = path.open(target, method=method).request(MAIL.encode())
        assert isinstance(forward, Forward)
        assert MAIL.encode() not in forward.body


def test_a_path_that_holds_protected_text_is_refused_without_showing_it(path: Any) -> None:
    exchange = path.open(f"/v1/models/{MAIL}", method="GET")
    refusal = exchange.request(b"")
    assert isinstance(refusal, Refusal)
    assert refusal.status == 400
    assert MAIL.encode() not in refusal.body
    trace = exchange.trace(status=400, client_gone=False, first_byte=1, upstream_first=0, total=1)
    assert MAIL not in repr(trace)


def test_a_plain_path_passes(path: Any) -> None:
    assert isinstance(path.open("/v1/models/meta-llama/Llama-3.1-8B", method="GET").request(b""), Forward)
