"""One connection to the model server: writes a request, reads its answer, says when it may be used again.

An answer that does not add up (two framings, bytes after its end, a stop before its end) costs the connection, never
the next caller's answer. Whether a lost request may be sent again is asked of the kernel: TCP_INFO counts the bytes
the other side acknowledged, so "nothing of the request arrived" is a fact here, not a guess.
"""

from __future__ import annotations

import asyncio
import socket
import struct
from typing import Any, Protocol, cast

import httptools

from akto_proxy.errors import UpstreamError
from akto_proxy.exchange.face import Headers
from akto_proxy.proxy import heads

_MAX_INTERIM = 8
_TCP_ESTABLISHED = 1
_ACKED_OFFSET = 120  # tcpi_bytes_acked, Linux 4.1 and later


class Reader(Protocol):
    """Who sent the request and waits for the answer."""

    def up_head(self, status: int, headers: Headers, length: int) -> None:
        """The head came. `length` is -1 where only the body's end tells."""
        ...

    def up_data(self, data: bytes) -> None:
        """Some bytes of the body."""
        ...

    def up_end(self) -> None:
        """The answer is whole."""
        ...

    def up_lost(self, error: UpstreamError) -> None:
        """The answer will not become whole. `retry`: nothing of the request can have been acted on."""
        ...

    def up_flush(self) -> None:
        """The bytes of one read were handed over: send what they made."""
        ...


class UpstreamConnection(asyncio.Protocol):
    """A TCP or TLS connection. One request at a time; `idle_since` is the loop's time of the last answer's end."""

    __slots__ = (
        "_acked",
        "_bodiless",
        "_body",
        "_ended",
        "_expects",
        "_framed",
        "_fresh_head",
        "_head_bytes",
        "_head_limit",
        "_headers",
        "_interim",
        "_interims",
        "_length",
        "_parser",
        "_paused",
        "_reader",
        "_sock",
        "_started",
        "_status",
        "_tls",
        "_written",
        "idle_since",
        "lost",
        "reusable",
        "transport",
    )

    def __init__(self, sock: socket.socket, *, tls: bool, head_limit: int) -> None:
        self.transport: asyncio.Transport | None = None
        self.idle_since = 0.0
        self.lost = False
        self.reusable = False
        self._paused = False
        self._sock = sock
        self._tls = tls
        self._head_limit = head_limit
        self._parser: Any = httptools.HttpResponseParser(self)
        self._reader: Reader | None = None
        self._acked = -1
        self._written = 1  # the SYN counts as one acknowledged byte
        self._reset(bodiless=False)

    def _reset(self, *, bodiless: bool) -> None:
        self._bodiless = bodiless
        self._headers: Headers = []
        self._body: list[bytes] = []
        self._head_bytes = 0
        self._length = -1
        self._status = self._interims = 0
        self._started = self._fresh_head = self._framed = self._interim = self._ended = False

    # -- what the pool and the flow ask for

    def usable(self, *, ask_kernel: bool) -> bool:
        """Not lost, and (asked of the kernel) not already closed by the other side behind our back."""
        if self.lost or self.transport is None:
            return False
        self._acked = -1
        if ask_kernel:
            state, self._acked = self._tcp_info()
            return state == _TCP_ESTABLISHED
        return True

    def send(self, head: bytes, body: bytes, reader: Reader, *, bodiless: bool) -> None:
        """Write a request; `reader` hears of its answer. `bodiless`: the method is HEAD."""
        assert self.transport is not None
        self._reset(bodiless=bodiless)
        self._reader = reader
        self.reusable = False
        if self._acked < 0 and not self._tls:
            self._acked = self._written
        self._written += len(head) + len(body)
        if len(body) > 65536:
            self.transport.write(head)
            self.transport.write(body)
        else:
            self.transport.write(head + body)

    def detach(self) -> None:
        """The reader does not listen any more."""
        self._reader = None

    def abort(self) -> None:
        """Close at once, dropping what was not sent: the model server sees its caller leave."""
        self._reader = None
        self.lost = True
        if self.transport is not None:
            self.transport.abort()

    def pause(self) -> None:
        """Do not read: the client is slower than the model server."""
        if self.transport is not None and not self.lost and not self._paused:
            self._paused = True
            self.transport.pause_reading()

    def resume(self) -> None:
        """Read again."""
        if self._paused and self.transport is not None and not self.lost:
            self._paused = False
            self.transport.resume_reading()

    def _tcp_info(self) -> tuple[int, int]:
        try:
            info = self._sock.getsockopt(socket.IPPROTO_TCP, socket.TCP_INFO, 128)
        except OSError:
            return 0, -1
        acked: int = struct.unpack_from("Q", info, _ACKED_OFFSET)[0] if len(info) >= 128 else -1
        return info[0], acked

    def _untouched(self) -> bool:
        """True when the kernel knows that not one byte of this request was acknowledged."""
        return self._acked >= 0 and self._tcp_info()[1] == self._acked

    # -- asyncio

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Called by the loop."""
        transport = cast(asyncio.Transport, transport)  # uvloop has its own class
        self.transport = transport

    def data_received(self, data: bytes) -> None:
        """Called by the loop."""
        reader = self._reader
        if reader is None or self._ended:
            self.abort()  # bytes nobody asked for: whatever they are, they are not the next answer
            return
        if not self._started:
            self._head_bytes += len(data)
        if not self._parses(data):
            self._fail("bad_answer", "the model server's answer is malformed")
            return
        if not self._started and self._head_bytes > self._head_limit:
            self._fail("bad_answer", "the head of the model server's answer is too large")
            return
        self._deliver(reader)

    def _parses(self, data: bytes) -> bool:
        """False when the answer is malformed. Rubbish behind a whole answer only costs the connection."""
        try:
            self._parser.feed_data(data)
        except (httptools.HttpParserError, httptools.HttpParserUpgrade):
            self.reusable = False
            return self._ended
        return True

    def _deliver(self, reader: Reader) -> None:
        if self._fresh_head:
            self._fresh_head = False
            if not self._check_head():
                return
            reader.up_head(self._status, self._headers, self._length)
        if self._body and self._reader is reader:
            body = self._body
            self._body = []
            reader.up_data(body[0] if len(body) == 1 else b"".join(body))
        if self._ended and self._reader is reader:
            self._reader = None
            if self.transport is None or self.transport.get_write_buffer_size():
                self.reusable = False
            reader.up_end()
        reader.up_flush()

    def connection_lost(self, exc: Exception | None) -> None:
        """Called by the loop."""
        self.lost = True
        reader = self._reader
        if reader is None:
            return
        self._reader = None
        if self._started and not self._framed and exc is None:
            reader.up_end()  # the body's end is the connection's end
        elif self._started:
            reader.up_lost(UpstreamError("the model server stopped in the middle of its answer", reason="truncated"))
        else:
            reader.up_lost(self._reset_error())
        reader.up_flush()

    def _reset_error(self) -> UpstreamError:
        if self._head_bytes:
            return UpstreamError("the model server stopped in the middle of a head", reason="truncated")
        return UpstreamError("the model server closed the connection", reason="reset", retry=self._untouched())

    def _fail(self, reason: str, message: str) -> None:
        reader = self._reader
        self.abort()
        if reader is not None:
            reader.up_lost(UpstreamError(message, reason=reason))
            reader.up_flush()

    # -- httptools

    def on_message_begin(self) -> None:
        """Called by the parser."""
        if self._ended:
            self.reusable = False

    def on_header(self, name: bytes, value: bytes) -> None:
        """Called by the parser, for trailers too: those are dropped."""
        if not self._started:
            self._headers.append((name, value))

    def on_headers_complete(self) -> None:
        """Called by the parser."""
        if self._ended:
            return
        status = self._status = self._parser.get_status_code()
        if 100 <= status < 200 and status != 101:
            self._interim = True
            self._interims += 1
            self._headers = []
            return
        self._started = self._fresh_head = True
        self._interim = False
        if self._bodiless:
            # llhttp does not know that the method was HEAD; it would wait for a body, so it is not used again.
            self._ended = True

    def on_body(self, data: bytes) -> None:
        """Called by the parser."""
        if not self._ended:
            self._body.append(data)

    def on_message_complete(self) -> None:
        """Called by the parser."""
        if self._interim:
            self._interim = False
        elif not self._ended:
            self._ended = True
            self.reusable = bool(self._parser.should_keep_alive())

    def _check_head(self) -> bool:
        if self._interims > _MAX_INTERIM or not 200 <= self._status <= 599:
            self._fail("bad_answer", "the model server's status makes no sense here")
            return False
        try:
            self._headers, self._length, self._framed = heads.read_answer(self._headers)
        except heads.HeadError:
            self._fail("bad_answer", "the model server used an unknown transfer coding")
            return False
        if self._status in (204, 304):
            self._framed = True
        return True
