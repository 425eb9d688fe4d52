"""The demonstration endpoint on a socket: asyncio and httptools, one small protocol, loopback by default.

It stands in for a model server so that a newcomer sees the proxy work with nothing else installed. Not for the
network: it has no limits but a body size, and no credentials.
"""

from __future__ import annotations

import asyncio
import signal
from http import HTTPStatus
from typing import cast

import httptools
import uvloop

from akto_proxy.demo.routes import Reply, respond

MAX_BODY = 2_000_000
INTERVAL = 0.01
"""Seconds between the pieces of a stream: slow enough to be seen."""


class DemoConnection(asyncio.Protocol):
    """One caller. Requests are answered in turn; a stream stops when its caller leaves."""

    def __init__(self, interval: float) -> None:
        self._interval = interval
        self._parser = httptools.HttpRequestParser(self)
        self._transport: asyncio.Transport | None = None
        self._task: asyncio.Task[None] | None = None
        self._target = b""
        self._body: list[bytes] = []
        self._size = 0

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Called by the loop."""
        self._transport = cast(asyncio.Transport, transport)

    def connection_lost(self, exc: Exception | None) -> None:
        """Called by the loop."""
        self._transport = None
        if self._task is not None:
            self._task.cancel()

    def data_received(self, data: bytes) -> None:
        """Called by the loop."""
        try:
            self._parser.feed_data(data)
        except (httptools.HttpParserError, httptools.HttpParserUpgrade):
            self._send(Reply(400, b'{"error":"malformed request"}'), keep=False)

    # -- httptools

    def on_message_begin(self) -> None:
        """Called by the parser."""
        self._target = b""
        self._body = []
        self._size = 0

    def on_url(self, url: bytes) -> None:
        """Called by the parser."""
        self._target += url

    def on_body(self, data: bytes) -> None:
        """Called by the parser."""
        self._size += len(data)
        if self._size <= MAX_BODY:
            self._body.append(data)

    def on_message_complete(self) -> None:
        """Called by the parser."""
        keep = self._parser.should_keep_alive()
        method = self._parser.get_method().decode("ascii")
        if self._size > MAX_BODY:
            self._send(Reply(413, b'{"error":"length limit exceeded"}'), keep=False)
            return
        path = self._target.partition(b"?")[0].decode("latin-1")
        reply = respond(method, path, b"".join(self._body))
        if not reply.events:
            self._send(reply, keep=keep, head_only=method == "HEAD")
        elif self._task is None or self._task.done():
            self._task = asyncio.get_running_loop().create_task(self._stream(reply, keep=keep))
        else:  # a caller that does not wait for the end of a stream
            self._send(Reply(429, b'{"error":"one stream at a time"}'), keep=False)

    def _send(self, reply: Reply, *, keep: bool, head_only: bool = False) -> None:
        framing = f"Content-Length: {len(reply.body)}"
        self._write(_head(reply, framing, keep=keep) + (b"" if head_only else reply.body))
        if not keep and self._transport is not None:
            self._transport.close()

    async def _stream(self, reply: Reply, *, keep: bool) -> None:
        self._write(_head(reply, "Transfer-Encoding: chunked", keep=keep))
        for event in reply.events:
            self._write(b"%x\r\n%b\r\n" % (len(event), event))
            await asyncio.sleep(self._interval)
        self._write(b"0\r\n\r\n")
        if not keep and self._transport is not None:
            self._transport.close()

    def _write(self, data: bytes) -> None:
        if self._transport is not None and not self._transport.is_closing():
            self._transport.write(data)


def _head(reply: Reply, framing: str, *, keep: bool) -> bytes:
    phrase = HTTPStatus(reply.status).phrase
    end = "" if keep else "Connection: close\r\n"
    return (
        f"HTTP/1.1 {reply.status} {phrase}\r\nContent-Type: {reply.content_type}\r\n"
        f"X-Compute-Type: demonstration\r\n{framing}\r\n{end}\r\n"
    ).encode("ascii")


async def start_demo(host: str, port: int, *, interval: float = INTERVAL) -> asyncio.Server:
    """Listen; the server returned is serving already."""
    loop = asyncio.get_running_loop()
    return await loop.create_server(lambda: DemoConnection(interval), host, port)


def serve_demo(host: str, port: int) -> None:
    """Serve in this process until SIGTERM or SIGINT."""
    uvloop.run(_serve(host, port))


async def _serve(host: str, port: int) -> None:
    ended = asyncio.Event()
    loop = asyncio.get_running_loop()
    for name in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(name, ended.set)
    server = await start_demo(host, port)
    await ended.wait()
    server.close()
