"""Bytes of one client connection to requests, strictly, without a socket.

Two readers that disagree about where a request ends is how requests are smuggled. So there is one cut: the head ends
at the first CRLF CRLF, is parsed by llhttp alone, and everything that llhttp tolerates and RFC 9112 does not (a blank
line before the request, two spaces, absolute-form, HTTP/2.0, a second Host, `Upgrade`, trailers) is refused here.
The price of strictness is that a few odd but harmless clients are told so with a 400.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Protocol

import httptools

from akto_proxy.errors import AktoProxyError
from akto_proxy.exchange.face import Headers
from akto_proxy.proxy.options import Limits

_END = b"\r\n\r\n"
_LINE = re.compile(rb"([A-Z]{1,20}) ([!-~]+) HTTP/1\.([01])\r\n")
_HOST = re.compile(rb"(?:[A-Za-z0-9_](?:[A-Za-z0-9._-]{0,254})|\[[0-9A-Fa-f:.]{2,45}\])(?::[0-9]{1,5})?")
_TOKENS = re.compile(rb"[A-Za-z0-9!#$%&'*+.^_`|~-]+(?:[ \t]*,[ \t]*[A-Za-z0-9!#$%&'*+.^_`|~-]+)*")

HOP = frozenset(
    b"connection keep-alive proxy-connection proxy-authenticate proxy-authorization te trailer transfer-encoding "
    b"upgrade http2-settings".split()
)
"""Headers about one connection, in either direction: never passed on."""

_LOCAL = HOP | {b"expect"}
_SPECIAL = _LOCAL | {b"host", b"content-length", b"content-type", b"content-encoding"}
_SINGLE = _SPECIAL - HOP | {b"transfer-encoding"}  # two would be read differently by two readers
# A caller could take these away from the model server or from our own records by naming them in Connection.
_UNSTRIPPABLE = frozenset(
    b"accept accept-encoding authorization content-encoding content-length content-type cookie forwarded host "
    b"origin traceparent tracestate via x-api-key x-request-id x-scale-up-timeout".split()
)
_UNSTRIPPABLE_PREFIXES = (b"x-forwarded-", b"x-akto-", b"x-amzn-", b"x-proxied-", b"x-real-")


class RequestError(AktoProxyError):
    """The bytes are not a request that may pass. `reason` is a stable word; the message never quotes the bytes."""

    def __init__(self, reason: str, message: str, status: int = 400) -> None:
        super().__init__(message)
        self.reason = reason
        self.status = status


@dataclass(slots=True)
class Head:
    """A request head that was accepted. `headers` hold no hop-by-hop ones; `length` is -1 for a chunked body."""

    method: bytes
    target: bytes
    headers: Headers
    length: int
    expect: bool
    keep: bool
    minor: int


class Sink(Protocol):
    """Who is told what was read. It may call `RequestReader.stop` from inside."""

    def head_read(self, head: Head) -> None:
        """A whole head came; its body, if any, follows."""
        ...

    def request_read(self, body: bytes) -> None:
        """The whole body came. Nothing more is read until `RequestReader.resume`."""
        ...


class _Parts:
    """What llhttp says of one message. It checks every header; their text is read from the same bytes afterwards."""

    __slots__ = ("body", "complete", "done", "keep", "late", "parser", "size")

    def __init__(self) -> None:
        self.parser: httptools.HttpRequestParser = httptools.HttpRequestParser(self)
        self.reset()

    def reset(self) -> None:
        self.body: list[bytes] = []
        self.size = 0
        self.complete = self.done = self.late = self.keep = False

    def on_headers_complete(self) -> None:
        self.late = self.late or self.complete
        self.complete = True

    def on_body(self, data: bytes) -> None:
        self.body.append(data)
        self.size += len(data)

    def on_message_complete(self) -> None:
        if self.done:
            self.late = True
            return
        self.done = True
        # Later llhttp has reset it, and every request would reconnect.
        self.keep = self.parser.should_keep_alive()


class RequestReader:
    """Feed it what the socket gave; it tells the sink of heads and bodies, one request at a time.

    While a request waits for its answer, bytes that come early are kept unread, up to `Limits.pipeline`
    (`full` is then true, and the socket should not be read).
    """

    __slots__ = ("_buffer", "_busy", "_head", "_limits", "_parts", "_raw", "_searched", "_sink", "_stopped", "_tail")

    def __init__(self, limits: Limits, sink: Sink) -> None:
        self._limits = limits
        self._sink = sink
        self._parts = _Parts()
        self._buffer = bytearray()
        self._searched = 0
        self._raw = 0
        self._tail = b""
        self._head: Head | None = None
        self._busy = False
        self._stopped = False

    @property
    def full(self) -> bool:
        """The client is too far ahead of its answer: do not read its socket."""
        return self._busy and len(self._buffer) > self._limits.pipeline

    @property
    def waiting(self) -> str:
        """What the reader waits for: `head` (nothing came yet), `rest` (of a head), `body`, or `answer`."""
        if self._busy:
            return "answer"
        if self._head is not None:
            return "body"
        return "rest" if self._buffer else "head"

    @property
    def ahead(self) -> bool:
        """Bytes of a next request came before this one's answer."""
        return bool(self._buffer)

    @property
    def received(self) -> int:
        """Body bytes of the current request so far."""
        return self._parts.size

    def stop(self) -> None:
        """Read nothing more: the connection is about to be closed."""
        self._stopped = True
        self._buffer.clear()

    def feed(self, data: bytes) -> None:
        """Take bytes off the socket.

        Raises:
            RequestError: what came may not pass. The reader is of no use afterwards.
        """
        if self._stopped:
            return
        if self._busy:
            if self._head is not None and self._head.length < 0:
                raise RequestError("after_chunks", "a request sent right behind a chunked body")
            self._buffer += data
        elif self._head is None:
            self._feed_head(data)
        else:
            self._feed_body(data)

    def resume(self) -> None:
        """The answer is out: read the next request, maybe from what came early.

        Raises:
            RequestError: what came early may not pass.
        """
        self._busy = False
        self._head = None
        self._parts.reset()
        if self._buffer:
            early = bytes(self._buffer)
            self._buffer.clear()
            self._feed_head(early)

    def _feed_head(self, data: bytes) -> None:
        buffer = self._buffer
        if buffer:
            buffer += data
            end = buffer.find(_END, self._searched)
            data = bytes(buffer) if end >= 0 else b""
        else:
            end = data.find(_END)
            if end < 0:
                buffer += data
        if end < 0:
            self._check_partial()
            return
        end += len(_END)
        if end > self._limits.head:
            raise RequestError("head_too_large", "the request head is too large", 431)
        buffer.clear()
        self._searched = 0
        self._head = self._parse(data[:end])
        self._busy = self._head.length == 0
        self._sink.head_read(self._head)
        if not self._stopped:
            self._feed_body(data[end:])

    def _check_partial(self) -> None:
        """Half a head must already look like one: nobody waits for a timeout to learn that it never will."""
        head = self._buffer
        if len(head) > self._limits.head:
            raise RequestError("head_too_large", "the request head is too large", 431)
        if not 65 <= head[0] <= 90:
            raise RequestError("request_line", "a request begins with its method")
        recent = head[self._searched :].removeprefix(b"\n")  # a line end cut in two was checked when it came
        if recent.count(b"\n") != recent.count(b"\r\n"):
            raise RequestError("bare_newline", "lines end with CRLF")
        self._searched = max(0, len(head) - 3)

    def _parse(self, raw: bytes) -> Head:
        line = _LINE.match(raw)
        if line is None:
            raise RequestError("request_line", "the request line is not `METHOD target HTTP/1.1`")
        method, target, minor = line.groups()
        if len(target) > self._limits.target:
            raise RequestError("target_too_long", "the request target is too long", 414)
        if target[0] != 47 or b"#" in target or b"\\" in target:
            raise RequestError("target_form", "the request target must be in origin-form")
        try:
            self._parts.parser.feed_data(raw)
        except httptools.HttpParserUpgrade:
            raise RequestError("upgrade", "Upgrade is not supported; use plain HTTP/1.1") from None
        except httptools.HttpParserError:
            raise RequestError("malformed", "the request head is malformed") from None
        return self._judge(method, target, raw[line.end() : -4], minor == b"1")

    def _judge(self, method: bytes, target: bytes, raw: bytes, modern: bool) -> Head:
        kept: Headers = []
        special: dict[bytes, bytes] = {}
        for text in raw.split(b"\r\n") if raw else ():
            name, _, value = text.partition(b":")
            value = value.strip()
            low = name.lower()
            if low in _SPECIAL:
                special[low] = _merge(low, special[low], value) if low in special else value
                if low in _LOCAL:
                    continue
            kept.append((name, value))
        if len(kept) + len(special) > self._limits.headers:
            raise RequestError("too_many_headers", "the request has too many headers", 431)
        return self._head_of(method, target, modern, kept, special)

    def _head_of(self, method: bytes, target: bytes, modern: bool, kept: Headers, special: dict[bytes, bytes]) -> Head:
        length = _framing(special, modern)
        if length > self._limits.body:
            raise RequestError("body_too_large", "the request body is too large", 413)
        expect = b"expect" in special and _expect(special[b"expect"], modern)
        named = special.get(b"connection", b"")
        if named:
            kept = _strip_named(named, kept)
        keep = modern and b"close" not in named.lower()
        return Head(method, target, kept, length, expect and length != 0, keep, int(modern))

    def _feed_body(self, data: bytes) -> None:
        head = self._head
        assert head is not None
        if head.length < 0:
            self._feed_chunked(data)
        else:
            self._feed_counted(data, head.length)

    def _feed_counted(self, data: bytes, length: int) -> None:
        parts = self._parts
        missing = length - parts.size
        if len(data) > missing:
            self._buffer += data[missing:]
            data = data[:missing]
        if data:
            self._run(data)
        if parts.size == length:
            self._finish()

    def _feed_chunked(self, data: bytes) -> None:
        if not data:
            return
        self._run(data)
        parts = self._parts
        self._raw += len(data)
        self._tail = (self._tail + data)[-7:]
        if parts.size > self._limits.body:
            raise RequestError("body_too_large", "the request body is too large", 413)
        # A chunk of one byte costs six on the wire; more overhead than that is padding made to cost us.
        if self._raw > 6 * parts.size + 65536:
            raise RequestError("chunk_overhead", "the chunked body is mostly framing")
        if parts.done:
            # Nothing but the last chunk may end it: no trailers, and no request sent right behind.
            if self._tail != b"\r\n0\r\n\r\n"[-self._raw :] or parts.late:
                raise RequestError("after_chunks", "trailers, or a request sent right behind a chunked body")
            self._raw = 0
            self._tail = b""
            self._finish()

    def _run(self, data: bytes) -> None:
        try:
            self._parts.parser.feed_data(data)
        except httptools.HttpParserUpgrade:
            raise RequestError("upgrade", "Upgrade is not supported; use plain HTTP/1.1") from None
        except httptools.HttpParserError:
            raise RequestError("bad_chunk", "the chunked body is malformed") from None

    def _finish(self) -> None:
        parts = self._parts
        head = self._head
        assert head is not None
        if not parts.done:  # llhttp and we do not agree where the message ends
            raise RequestError("framing", "the length of the body is ambiguous")
        head.keep = head.keep and parts.keep
        self._busy = True
        body = parts.body
        self._sink.request_read(body[0] if len(body) == 1 else b"".join(body))


def _merge(name: bytes, first: bytes, second: bytes) -> bytes:
    if name in _SINGLE:
        raise RequestError("duplicate_" + name.decode().replace("-", "_"), "a header that must be single came twice")
    return first + b", " + second


def _framing(special: dict[bytes, bytes], modern: bool) -> int:
    """The body's length, -1 for chunked. Host and Upgrade are checked on the way: the same table holds them."""
    host = special.get(b"host")
    if host is None:
        raise RequestError("missing_host", "the Host header is missing")
    if _HOST.fullmatch(host) is None:
        raise RequestError("bad_host", "the Host header is not a host name with an optional port")
    if b"upgrade" in special:
        raise RequestError("upgrade", "Upgrade is not supported; use plain HTTP/1.1")
    length = special.get(b"content-length")
    coding = special.get(b"transfer-encoding")
    if coding is None:
        return _length(length) if length is not None else 0
    if length is not None:
        raise RequestError("two_framings", "both Content-Length and Transfer-Encoding were sent")
    if coding.lower() != b"chunked" or not modern:
        raise RequestError("transfer_encoding", "the only transfer coding is chunked, in HTTP/1.1")
    return -1


def _length(value: bytes) -> int:
    if not value.isdigit() or len(value) > 18:
        raise RequestError("content_length", "Content-Length is not a number")
    return int(value)


def _expect(value: bytes, modern: bool) -> bool:
    if value.lower() != b"100-continue":
        raise RequestError("expectation", "the only expectation met is 100-continue", 417)
    return modern


def _strip_named(named: bytes, headers: Headers) -> Headers:
    """Drop what Connection names, unless a caller has no business dropping it: then refuse, loudly."""
    if _TOKENS.fullmatch(named) is None:
        raise RequestError("bad_connection", "the Connection header is not a list of names")
    names = {name.strip(b" \t").lower() for name in named.split(b",")} - HOP - {b"close"}
    if not names:
        return headers
    if names & _UNSTRIPPABLE or any(name.startswith(_UNSTRIPPABLE_PREFIXES) for name in names):
        raise RequestError("connection_strips", "the Connection header names a header that must not be dropped")
    return [pair for pair in headers if pair[0].lower() not in names]
