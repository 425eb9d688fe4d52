"""An answer's bytes to calls, however they are cut."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from akto_proxy.proxy.upstream import UpstreamConnection


class Wire:
    """A transport and a reader in one."""

    def __init__(self, *, bodiless=False):
        self.conn = UpstreamConnection(None, tls=True, head_limit=4096)
        self.conn.connection_made(self)
        self.conn.send(b"GET / HTTP/1.1\r\n\r\n", b"", self, bodiless=bodiless)
        self.status = self.length = self.error = None
        self.headers = []
        self.body = b""
        self.ended = self.aborted = False

    def write(self, data):
        pass

    def abort(self):
        self.aborted = True

    def get_write_buffer_size(self):
        return 0

    def up_head(self, status, headers, length):
        self.status, self.headers, self.length = status, headers, length

    def up_data(self, data):
        self.body += data

    def up_end(self):
        self.ended = True

    def up_lost(self, error):
        self.error = error.reason

    def up_flush(self):
        pass

    def feed(self, data, step):
        for at in range(0, len(data), step):
            self.conn.data_received(data[at : at + step])
        return self


ANSWERS = {
    b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhello": (200, 5, b"hello", True),
    b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nhe\r\n3\r\nllo\r\n0\r\n\r\n": (200, -1, b"hello", True),
    b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n0\r\nX-T: 1\r\n\r\n": (
        200,
        -1,
        b"hello",
        True,
    ),
    b"HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n": (200, 0, b"", True),
    b"HTTP/1.1 204 No Content\r\n\r\n": (204, -1, b"", True),
    b"HTTP/1.1 200 OK\r\nConnection: close\r\nContent-Length: 1\r\n\r\nx": (200, 1, b"x", False),
    b"HTTP/1.0 200 OK\r\nContent-Length: 1\r\n\r\nx": (200, 1, b"x", False),
}


@settings(max_examples=100, deadline=None)
@given(st.sampled_from(list(ANSWERS)), st.integers(1, 60))
def test_cutting_does_not_matter(data, step):
    wire = Wire().feed(data, step)
    assert (wire.status, wire.length, wire.body, wire.conn.reusable) == ANSWERS[data]
    assert wire.ended
    assert wire.error is None
    assert not any(name == b"X-T" for name, _ in wire.headers)


@pytest.mark.parametrize("step", [1, 1000])
def test_an_answer_that_ends_with_its_connection(step):
    wire = Wire().feed(b"HTTP/1.1 200 OK\r\n\r\nhel" + b"lo", step)
    assert not wire.ended
    wire.conn.connection_lost(None)
    assert (wire.ended, wire.body) == (True, b"hello")
    wire = Wire().feed(b"HTTP/1.1 200 OK\r\n\r\nhel", step)
    wire.conn.connection_lost(ConnectionResetError())
    assert wire.error == "truncated"  # a reset is no end


def test_head_has_no_body_whatever_it_says():
    wire = Wire(bodiless=True).feed(b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\n", 1000)
    assert wire.ended
    assert not wire.conn.reusable


def test_rubbish_behind_an_answer_costs_the_connection_not_the_answer():
    for rubbish in (b"rubbish", b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n"):
        wire = Wire().feed(b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhello" + rubbish, 1000)
        assert (wire.ended, wire.body, wire.conn.reusable) == (True, b"hello", False)


def test_endless_interim_answers_are_refused():
    wire = Wire().feed(b"HTTP/1.1 100 Continue\r\n\r\n" * 10 + b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n", 1000)
    assert wire.error == "bad_answer"
    wire = Wire().feed(b"HTTP/1.1 100 Continue\r\n\r\n" * 1000, 100)
    assert wire.error == "bad_answer"
    assert wire.aborted
