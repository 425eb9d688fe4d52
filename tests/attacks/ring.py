"""A caller, the real proxy (server, engine, default policy) and a model server, joined by real sockets on loopback.

The model server says what a test tells it and keeps every byte it got, so an attack is judged by what arrived.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from akto_proxy.cli import worker
from akto_proxy.config.settings import load
from akto_proxy.exchange.handler import Guardrails
from akto_proxy.model import Trace
from akto_proxy.proxy.options import Limits, Timeouts, parse_upstream
from akto_proxy.proxy.server import Server

KEY = "AKIAZ7RINGQXQ4M2WTBK"
MAIL = "canary.bird@coal-mine.com"
CARD = "4539148803436467"
WORDS = (KEY, MAIL, CARD)
"""What must arrive nowhere: a cloud key, an address, a card number."""

FAST = Timeouts(connect=2, first_byte=2, idle=2, head=0.5, body_grace=0.5, keep_alive=5, stall=1, linger=0.3, drain=1)
Script = Callable[[asyncio.StreamReader, asyncio.StreamWriter], Awaitable[None]]
OK = b'HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: 11\r\n\r\n{"ok":true}'


def guardrails(folder: Path, **variables: str) -> Guardrails:
    """The guard path as a worker builds it."""
    return worker.handler(load({"APP_URL": "http://127.0.0.1:1", "DATA_DIR": str(folder), **variables}, None))


@dataclass
class Ring:
    """The three, running. `received` is every byte that reached the model server, one item a connection."""

    port: int
    received: list[bytearray]
    traces: list[Trace]
    faults: list[str]
    server: Server = field(repr=False)

    async def say(self, raw: bytes, *, seconds: float = 5.0, pieces: int = 0) -> bytes:
        """Send bytes, then read all that comes until the proxy closes or is silent for long."""
        reader, writer = await asyncio.open_connection("127.0.0.1", self.port)
        try:
            for piece in [raw[at : at + pieces] for at in range(0, len(raw), pieces)] if pieces else [raw]:
                writer.write(piece)
                await writer.drain()
                if pieces:
                    await asyncio.sleep(0)
            return await _all(reader, seconds)
        except ConnectionError:
            return b""
        finally:
            writer.transport.abort()

    def arrived(self) -> bytes:
        """Everything that reached the model server."""
        return b"\n".join(bytes(one) for one in self.received)

    def heads(self) -> int:
        """How many requests the model server would count."""
        return self.arrived().count(b" HTTP/1.1\r\n")


async def _all(reader: asyncio.StreamReader, seconds: float) -> bytes:
    out = b""
    try:
        async with asyncio.timeout(seconds):
            while more := await reader.read(1 << 16):
                out += more
                if whole(out):
                    break
    except (TimeoutError, ConnectionError):
        pass
    return out


def whole(data: bytes) -> bool:
    """Whether these bytes are at least one whole answer."""
    head, end, body = data.partition(b"\r\n\r\n")
    if not end:
        return False
    low = head.lower()
    if b"transfer-encoding: chunked" in low:
        return body.endswith(b"0\r\n\r\n")
    _, named, after = low.partition(b"content-length:")
    return bool(named) and len(body) >= int(after.split(b"\r\n")[0])


def status(raw: bytes) -> int:
    """The status of an answer's bytes, 0 for none."""
    return int(raw[9:12]) if raw[:5] == b"HTTP/" else 0


@asynccontextmanager
async def ring(
    handler: Guardrails,
    reply: bytes | Script = OK,
    *,
    timeouts: Timeouts = FAST,
    limits: Limits | None = None,
    url: str = "",
    **options: Any,
) -> AsyncIterator[Ring]:
    """Start the three. `reply` is what the model server answers to each request, or a script of its own."""
    received: list[bytearray] = []

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        mine = bytearray()
        received.append(mine)
        try:
            if not isinstance(reply, bytes):
                await reply(_Noting(reader, mine), writer)
                return
            while True:
                mine += await reader.readuntil(b"\r\n\r\n")
                head = bytes(mine).rpartition(b" HTTP/1.1\r\n")[2].lower()
                _, named, after = head.partition(b"content-length:")
                if named:
                    mine += await reader.readexactly(int(after.split(b"\r\n")[0]))
                writer.write(reply)
                await writer.drain()
        except (ConnectionError, asyncio.IncompleteReadError, asyncio.CancelledError):
            pass
        finally:
            writer.close()

    model = await asyncio.start_server(serve, "127.0.0.1", 0)
    where = parse_upstream(url or f"http://127.0.0.1:{model.sockets[0].getsockname()[1]}")
    base = worker.proxy_options(load({"APP_URL": "http://127.0.0.1:1"}, None))
    chosen = replace(
        base, upstream=where, host="127.0.0.1", port=0, timeouts=timeouts, limits=limits or base.limits,
        reuse_port=False, **options,
    )  # fmt: skip
    traces: list[Trace] = []
    faults: list[str] = []
    server = Server(chosen, handler, on_trace=traces.append, on_fault=faults.append)
    await server.start()
    try:
        yield Ring(server.port, received, traces, faults, server)
    finally:
        model.close()
        await server.stop()


class _Noting(asyncio.StreamReader):
    """A reader whose bytes are kept too."""

    def __init__(self, reader: asyncio.StreamReader, sink: bytearray) -> None:
        self._inner = reader
        self._sink = sink

    async def readuntil(self, separator: bytes = b"\n") -> bytes:  # type: ignore[override]
        data = await self._inner.readuntil(separator)
        self._sink += data
        return data

    async def read(self, n: int = -1) -> bytes:
        data = await self._inner.read(n)
        self._sink += data
        return data
