"""Real sockets on loopback, a scripted upstream, and a handler that passes everything through."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from dataclasses import dataclass, field, replace
from typing import Any

import pytest
import uvloop

from akto_proxy.errors import UpstreamError
from akto_proxy.exchange.face import Answer, AnswerMode, Forward, Headers, Refusal, RequestHead
from akto_proxy.model import Trace
from akto_proxy.proxy.options import Limits, ProxyOptions, Timeouts, Upstream
from akto_proxy.proxy.server import Server

JSON = [(b"Content-Type", b"application/json")]


class PassExchange:
    """Everything as it came; the test says otherwise through the fields of its handler."""

    def __init__(self, handler: "PassHandler", head: RequestHead) -> None:
        self.cut = False
        self.keepalive = handler.keepalive
        self._handler = handler
        self._head = head

    def request(self, body: bytes) -> Forward | Refusal:
        self._handler.bodies.append(body)
        if self._handler.on_request is not None:
            return self._handler.on_request(self._head, body)
        timeout = next((float(v) for n, v in self._head.headers if n.lower() == b"x-scale-up-timeout"), 0.0)
        return Forward(self._head.method, self._head.target, self._head.headers, body, timeout)

    def head(self, status: int, headers: Headers) -> Answer:
        mode = self._handler.mode
        if mode is None:
            sse = any(n.lower() == b"content-type" and b"event-stream" in v for n, v in headers)
            mode = AnswerMode.STREAM if sse else AnswerMode.PASS
        self._headers = headers
        return Answer(status, headers, mode)

    def body(self, data: bytes) -> tuple[Headers, bytes] | Refusal:
        if self._handler.on_body is not None:
            return self._handler.on_body(data)
        return self._headers, data

    def chunk(self, data: bytes) -> bytes:
        return data if self._handler.on_chunk is None else self._handler.on_chunk(self, data)

    def end(self) -> bytes:
        return self._handler.tail

    def fail(self, error: UpstreamError) -> Refusal:
        status = 504 if error.reason.endswith("timeout") else 502
        return Refusal(status, JSON, b'{"error":"%b"}' % error.reason.encode(), error.reason)

    def abort(self, error: UpstreamError) -> bytes:
        return b'data: {"error":"%b"}\n\n' % error.reason.encode() if self._handler.last_words else b""

    def trace(self, *, status: int, client_gone: bool, first_byte: int, upstream_first: int, total: int) -> Trace:
        outcome = "client_gone" if client_gone else "ok"
        return Trace("0" * 32, 0.0, "e", self._head.method.decode(), "/", "r", "e", status, outcome)


@dataclass
class PassHandler:
    """What the guard path looks like to the shell."""

    mode: AnswerMode | None = None
    keepalive: bytes = b""
    tail: bytes = b""
    last_words: bool = True
    on_request: Callable[[RequestHead, bytes], Forward | Refusal] | None = None
    on_body: Callable[[bytes], Any] | None = None
    on_chunk: Callable[[PassExchange, bytes], bytes] | None = None
    heads: list[RequestHead] = field(default_factory=list)
    bodies: list[bytes] = field(default_factory=list)

    def open(self, head: RequestHead) -> PassExchange | Refusal:
        self.heads.append(head)
        if head.target.startswith(b"/refused"):
            return self.refuse("route", 404, "no such route", head)
        return PassExchange(self, head)

    def refuse(self, reason: str, status: int, message: str, head: RequestHead | None) -> Refusal:
        return Refusal(status, JSON, b'{"error":"%b"}' % reason.encode(), reason)


Script = Callable[[asyncio.StreamReader, asyncio.StreamWriter], Awaitable[None]]


class ScriptedUpstream:
    """A model server that does what the test says, connection by connection."""

    def __init__(self, script: Script) -> None:
        self.connections = 0
        self.closed = asyncio.Event()
        self.requests: list[bytes] = []
        self._script = script
        self._writers: list[asyncio.StreamWriter] = []

    async def start(self, ssl: Any = None) -> int:
        self._server = await asyncio.start_server(self._serve, "127.0.0.1", 0, ssl=ssl)
        self.port: int = self._server.sockets[0].getsockname()[1]
        return self.port

    async def stop(self) -> None:
        self._server.close()
        for writer in self._writers:
            writer.transport.abort()

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.connections += 1
        self._writers.append(writer)
        try:
            await self._script(reader, writer)
            await writer.drain()
        except (ConnectionError, asyncio.IncompleteReadError):
            pass
        finally:
            writer.close()
            self.closed.set()


async def read_request(reader: asyncio.StreamReader) -> bytes:
    """One request's bytes, head and counted body."""
    head = await reader.readuntil(b"\r\n\r\n")
    length = 0
    for line in head.lower().split(b"\r\n"):
        if line.startswith(b"content-length:"):
            length = int(line[15:])
    return head + (await reader.readexactly(length) if length else b"")


async def echo(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    """Answers every request with its own bytes."""
    while True:
        data = await read_request(reader)
        writer.write(b"HTTP/1.1 200 OK\r\nContent-Type: text/plain\r\nContent-Length: %d\r\n\r\n%b" % (len(data), data))


class Caller:
    """A client that says exactly the bytes it is told."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.reader = reader
        self.writer = writer

    def send(self, data: bytes) -> None:
        self.writer.write(data)

    async def answer(self, *, head: bool = False) -> tuple[int, dict[str, str], bytes]:
        """Status, headers (lower-case) and body of one answer."""
        raw = await asyncio.wait_for(self.reader.readuntil(b"\r\n\r\n"), 5)
        lines = raw.decode("latin-1").split("\r\n")
        headers = {k.lower(): v.strip() for k, v in (line.split(":", 1) for line in lines[1:] if line)}
        status = int(lines[0].split(" ")[1])
        if head or status in (204, 304) or status < 200:
            return status, headers, b""
        if "content-length" in headers:
            body = await asyncio.wait_for(self.reader.readexactly(int(headers["content-length"])), 5)
        elif headers.get("transfer-encoding") == "chunked":
            body = b""
            while piece := await self.chunk():
                body += piece
        else:
            body = await asyncio.wait_for(self.reader.read(), 5)
        return status, headers, body

    async def chunk(self) -> bytes:
        """One chunk; b"" is the last."""
        size = int(await asyncio.wait_for(self.reader.readuntil(b"\r\n"), 5), 16)
        return (await self.reader.readexactly(size + 2))[:-2]

    async def rest(self) -> bytes:
        """All until the other side closes."""
        try:
            return await asyncio.wait_for(self.reader.read(), 5)
        except ConnectionError:
            return b""

    def close(self) -> None:
        self.writer.transport.abort()


@dataclass
class House:
    """A proxy between a caller and a scripted upstream."""

    server: Server
    upstream: ScriptedUpstream
    handler: PassHandler
    traces: list[Trace]
    faults: list[str]
    callers: list[Caller] = field(default_factory=list)

    async def call(self, ssl: Any = None, **kwargs: Any) -> Caller:
        reader, writer = await asyncio.open_connection("127.0.0.1", self.server.port, ssl=ssl, **kwargs)
        self.callers.append(Caller(reader, writer))
        return self.callers[-1]


@pytest.fixture
def timeouts() -> Timeouts:
    return Timeouts(
        connect=2, first_byte=2, idle=2, head=0.4, body_grace=0.4, keep_alive=5, stall=1, linger=0.5, drain=1
    )


@pytest.fixture
async def house(timeouts: Timeouts) -> AsyncIterator[Callable[..., Awaitable[House]]]:
    """Builds houses, and tears them down."""
    built: list[House] = []

    async def build(
        script: Script = echo,
        handler: PassHandler | None = None,
        *,
        upstream_ssl: Any = None,
        upstream: Upstream | None = None,
        limits: Limits | None = None,
        patience: Timeouts | None = None,
        server_args: dict[str, Any] | None = None,
        **options: Any,
    ) -> House:
        model = ScriptedUpstream(script)
        port = await model.start(upstream_ssl)
        where = replace(upstream, connect_port=port) if upstream else Upstream("http", "127.0.0.1", port)
        chosen = ProxyOptions(where, port=0, limits=limits or Limits(), timeouts=patience or timeouts, **options)
        handler = handler or PassHandler()
        traces: list[Trace] = []
        faults: list[str] = []
        given: dict[str, Any] = {"on_trace": traces.append, "on_fault": faults.append, **(server_args or {})}
        server = Server(chosen, handler, **given)
        await server.start()
        built.append(House(server, model, handler, traces, faults))
        return built[-1]

    yield build
    for one in built:
        for caller in one.callers:
            caller.close()
        await one.upstream.stop()
        await one.server.stop()


def pytest_asyncio_loop_factories(config: pytest.Config, item: pytest.Item) -> dict[str, Any]:
    """The loop that runs in production."""
    return {"uvloop": uvloop.new_event_loop}


@pytest.fixture
def make_handler() -> type[PassHandler]:
    return PassHandler


@pytest.fixture
def read_one() -> Callable[[asyncio.StreamReader], Awaitable[bytes]]:
    return read_request
