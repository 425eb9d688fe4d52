"""How an answer is framed and whether it ends honestly."""

import pytest

from akto_proxy.exchange.face import Answer, AnswerMode
from akto_proxy.proxy.answer import AnswerWriter
from akto_proxy.proxy.reader import Head


def writer(method=b"POST", minor=1):
    return AnswerWriter(Head(method, b"/", [], 0, False, bool(minor), minor))


def test_passed_bytes_keep_their_length_and_must_keep_it():
    out = writer()
    out.begin(Answer(200, [], AnswerMode.PASS), 5)
    out.emit(b"hel")
    assert not out.end()
    out.emit(b"lo")
    assert out.end()
    assert out.take() == b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhello"
    assert out.take() == b""
    with pytest.raises(ValueError, match="more bytes"):
        out.emit(b"!")


def test_changed_bytes_are_chunked_or_end_with_the_connection():
    out = writer()
    out.begin(Answer(200, [], AnswerMode.STREAM), 5)
    out.emit(b"hello world")
    assert out.end()
    assert out.take().endswith(b"chunked\r\n\r\nb\r\nhello world\r\n0\r\n\r\n")
    old = writer(minor=0)
    old.begin(Answer(200, [], AnswerMode.STREAM), 5)
    old.emit(b"hello world")
    assert old.end()
    assert old.take() == b"HTTP/1.1 200 OK\r\nConnection: close\r\n\r\nhello world"


def test_head_and_empty_statuses_have_no_body():
    out = writer(b"HEAD")
    out.whole(200, [], b"hello")
    assert out.take() == b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\n"
    out = writer()
    out.whole(204, [], b"hello")
    assert out.take() == b"HTTP/1.1 204 No Content\r\n\r\n"
