"""Heads as bytes: framing is always our own, and nothing breaks a line."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from akto_proxy.exchange.face import Forward
from akto_proxy.proxy import heads


def test_a_request_head():
    headers = [(b"host", b"evil"), (b"X", b"1"), (b"content-length", b"99"), (b"Transfer-Encoding", b"chunked")]
    forward = Forward(b"POST", b"/a?b", [*headers, (b"Connection", b"x"), (b"Expect", b"100-continue")], b"body")
    expected = b"POST /p/a?b HTTP/1.1\r\nHost: model\r\nX: 1\r\nContent-Length: 4\r\n\r\n"
    assert heads.request_head(forward, b"model", b"/p") == expected
    assert b"Content-Length" not in heads.request_head(Forward(b"GET", b"/", [], b""), b"m", b"")
    assert b"Content-Length: 0" in heads.request_head(Forward(b"POST", b"/", [], b""), b"m", b"")


def test_an_answer_head():
    got = heads.answer_head(299, [(b"Content-Length", b"9"), (b"Keep-Alive", b"x"), (b"X", b"1")], heads.CHUNKED)
    assert got == b"HTTP/1.1 299 Unknown\r\nX: 1\r\nTransfer-Encoding: chunked\r\n\r\n"
    assert heads.answer_head(200, [], b"") == b"HTTP/1.1 200 OK\r\n\r\n"


@given(st.sampled_from(["name", "value", "target", "method"]), st.sampled_from([b"\r", b"\n", b"\r\n", b"\r\nX: "]))
def test_a_line_break_never_leaves(where, evil):
    parts = {"name": b"X", "value": b"v", "target": b"/", "method": b"GET"}
    parts[where] += evil
    forward = Forward(parts["method"], parts["target"], [(parts["name"], parts["value"])], b"")
    with pytest.raises(heads.HeadError):
        heads.request_head(forward, b"m", b"")
    if where in ("name", "value"):
        with pytest.raises(heads.HeadError):
            heads.answer_head(200, forward.headers, heads.length(1))


def test_a_space_in_the_target_never_leaves():
    with pytest.raises(heads.HeadError):
        heads.request_head(Forward(b"GET", b"/ HTTP/1.1", [], b""), b"m", b"")


def test_chunks():
    assert heads.chunk(b"x" * 26) == b"1a\r\n" + b"x" * 26 + b"\r\n"


@pytest.mark.parametrize("name", [b"Content-Type", b"content-encoding"])
def test_an_answer_that_describes_its_body_twice_is_refused(name: bytes) -> None:
    with pytest.raises(heads.HeadError):
        heads.read_answer([(name, b"a"), (name.title(), b"b")])
    assert len(heads.read_answer([(name, b"a"), (name, b"a")])[0]) == 2


def test_what_is_read_of_an_answer():
    headers = [(b"Connection", b"X-A, close"), (b"X-A", b"1"), (b"X-B", b"2"), (b"Upgrade", b"h2c")]
    assert heads.read_answer(headers) == ([(b"X-B", b"2")], -1, False)
    kept = [(b"Connection", b"content-length"), (b"Content-Length", b"5")]
    assert heads.read_answer(kept) == ([(b"Content-Length", b"5")], 5, True)
    assert heads.read_answer([(b"Transfer-Encoding", b"Chunked")]) == ([], -1, True)
    with pytest.raises(heads.HeadError):
        heads.read_answer([(b"Transfer-Encoding", b"gzip, chunked")])
