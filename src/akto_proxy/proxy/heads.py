"""Heads as bytes: what goes up and what goes down, with framing that is always our own.

Length, chunks, Host and Connection are written from what this side knows, never copied, so neither neighbour's idea
of framing travels through. Every head is counted before it leaves: a line break inside a header is an error here,
whoever put it there.
"""

from __future__ import annotations

from http import HTTPStatus

from akto_proxy.exchange.face import Forward, Headers
from akto_proxy.proxy.reader import HOP

CONTINUE = b"HTTP/1.1 100 Continue\r\n\r\n"
LAST_CHUNK = b"0\r\n\r\n"

_REQUEST_OURS = HOP | {b"host", b"content-length", b"expect"}
_ANSWER_OURS = HOP | {b"content-length"}
_ABOUT_BODY = frozenset((b"content-type", b"content-encoding"))
_BODY_METHODS = frozenset((b"POST", b"PUT", b"PATCH"))
_STATUS = {int(s): f"HTTP/1.1 {int(s)} {s.phrase}\r\n".encode() for s in HTTPStatus}


class HeadError(Exception):
    """A header to be sent holds a line break. The message never quotes it."""


def request_head(forward: Forward, authority: bytes, prefix: bytes) -> bytes:
    """The head that goes upstream for `forward`.

    Raises:
        HeadError: a header, the method or the target holds a line break or the target a space.
    """
    if b" " in forward.target:
        raise HeadError("a space in the request target")
    lines = [b"%b %b%b HTTP/1.1\r\nHost: %b\r\n" % (forward.method, prefix, forward.target, authority)]
    for name, value in forward.headers:
        if name.lower() not in _REQUEST_OURS:
            lines += (name, b": ", value, b"\r\n")
    if forward.body or forward.method in _BODY_METHODS:
        lines.append(b"Content-Length: %d\r\n" % len(forward.body))
        return _close(lines, len(lines) // 4 + 4)
    return _close(lines, len(lines) // 4 + 3)


def answer_head(status: int, headers: Headers, framing: bytes) -> bytes:
    """The head of an answer. `framing` is whole header lines from `length`, `CHUNKED`, `CLOSE`, or nothing.

    Raises:
        HeadError: a header holds a line break.
    """
    lines = [_STATUS.get(status) or b"HTTP/1.1 %d Unknown\r\n" % status]
    for name, value in headers:
        if name.lower() not in _ANSWER_OURS:
            lines += (name, b": ", value, b"\r\n")
    head = _close(lines, len(lines) // 4 + 2)
    return head[:-2] + framing + b"\r\n" if framing else head


CHUNKED = b"Transfer-Encoding: chunked\r\n"
CLOSE = b"Connection: close\r\n"


def length(count: int) -> bytes:
    """The framing line of a body of `count` bytes."""
    return b"Content-Length: %d\r\n" % count


def chunk(data: bytes) -> bytes:
    """One chunk of a chunked body. `data` must not be empty: that would end the body."""
    return b"%x\r\n%b\r\n" % (len(data), data)


def read_answer(headers: Headers) -> tuple[Headers, int, bool]:
    """An upstream answer's headers without hop-by-hop ones, its Content-Length (-1: none), and whether it is framed.

    Raises:
        HeadError: it uses a transfer coding that is not known, or names two different types or encodings of its body.
    """
    kept: Headers = []
    named = b""
    length = -1
    framed = False
    about: dict[bytes, bytes] = {}
    for pair in headers:
        name = pair[0].lower()
        if name in HOP:
            if name == b"connection":
                named += b"," + pair[1].lower()
            elif name == b"transfer-encoding":
                framed = True
                if pair[1].strip().lower() != b"chunked":
                    raise HeadError("an unknown transfer coding")
            continue
        if name == b"content-length":
            framed = True
            length = int(pair[1])
        elif name in _ABOUT_BODY and about.setdefault(name, pair[1]) != pair[1]:
            raise HeadError("two different descriptions of one body")
        kept.append(pair)
    if named and named not in (b",keep-alive", b",close"):
        names = {name.strip(b" \t") for name in named.split(b",")} - {b"content-length"}
        kept = [pair for pair in kept if pair[0].lower() not in names]
    return kept, length, framed


def _close(lines: list[bytes], count: int) -> bytes:
    lines.append(b"\r\n")
    head = b"".join(lines)
    if not head.count(b"\n") == head.count(b"\r") == count:
        raise HeadError("a line break inside a header")
    return head
