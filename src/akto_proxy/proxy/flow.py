"""One exchange, from a head that was read to its last byte out: the only file that knows both sockets.

Everything happens in callbacks, in this order: `open` -> `body` -> (a connection) -> `up_head` -> `up_data`* ->
`up_end`. Only dialling and a slow gate need a task. At any point `client_gone`, `check` (a time-out) or `up_lost` may
end it; `_over` makes sure that it ends once. Nothing is sent that the exchange did not return.

A request is sent a second time only when the first cannot have been acted on: no connection was made, or the
connection (kept or new) died while the kernel knows that not one byte of the request was acknowledged, or a kept
connection died without one byte of an answer and the method is idempotent. Once, and never after an answer began.
"""

from __future__ import annotations

import asyncio
import inspect
from collections.abc import Awaitable
from time import monotonic
from typing import Protocol

from akto_proxy.errors import UpstreamError
from akto_proxy.exchange.face import AnswerMode, Ask, Exchange, Forward, Headers, Refusal, RequestHead
from akto_proxy.proxy import heads
from akto_proxy.proxy.answer import AnswerWriter
from akto_proxy.proxy.books import Books
from akto_proxy.proxy.core import Core, Late, Meter
from akto_proxy.proxy.counters import count
from akto_proxy.proxy.reader import Head
from akto_proxy.proxy.upstream import UpstreamConnection

_SKIP = 65536
_COMMIT_WAIT = 30.0
_DONE = b"[DONE]"
"""The event after which callers stop reading: with AUDIT=strict it counts as part of the last byte."""
_IDEMPOTENT = frozenset((b"GET", b"HEAD", b"OPTIONS"))


class Client(Protocol):
    """The client connection as an exchange sees it."""

    paused: bool
    """Its socket is full."""

    def write(self, data: bytes) -> None:
        """Send."""
        ...

    def answered(self, *, keep: bool) -> None:
        """The answer is out: read the next request, or close."""
        ...

    def kill(self) -> None:
        """Close at once: the answer cannot be finished honestly."""
        ...


class Flow:
    """One exchange alive."""

    __slots__ = (
        "_answer",
        "_body",
        "_books",
        "_client",
        "_conn",
        "_core",
        "_exchange",
        "_forward",
        "_head",
        "_held",
        "_keepalive",
        "_last_in",
        "_last_out",
        "_meter",
        "_mode",
        "_over",
        "_parts",
        "_read",
        "_request",
        "_retried",
        "_size",
        "_task",
    )

    def __init__(self, core: Core, client: Client, head: Head, request: RequestHead) -> None:
        self._core = core
        self._client = client
        self._head = head
        self._request = request
        self._answer = AnswerWriter(head)
        self._exchange: Exchange | None = None
        self._forward: Forward | None = None
        self._conn: UpstreamConnection | None = None
        self._task: asyncio.Task[None] | None = None
        self._body: bytes | None = None
        self._mode: AnswerMode | None = None
        self._parts: list[bytes] = []
        self._size = 0
        self._over = self._read = self._retried = self._held = False
        self._keepalive = b""
        self._meter: Meter | None = None
        self._last_in = self._last_out = core.loop.time()
        self._books = Books(core, monotonic())

    # -- the client side

    def open(self) -> None:
        """Ask the gate, then the handler, before any body byte is read."""
        gate = self._core.gate
        if gate is None:
            self._opened()
            return
        try:
            entered = gate.enter(self._request)
        except Exception as error:  # noqa: BLE001  a gate that breaks must not open the door
            self._fault(error)
            return
        if hasattr(entered, "__await__"):
            self._task = self._core.loop.create_task(self._wait_gate(entered))
        else:
            self._entered(entered)

    def body(self, body: bytes) -> None:
        """The whole request body came."""
        self._read = True
        if self._over:
            return
        if self._exchange is None:
            self._body = body
            return
        try:
            result = self._exchange.request(body)
        except Exception as error:  # noqa: BLE001  fail closed, whatever broke
            self._fault(error)
            return
        self._go_on(result)

    def _go_on(self, result: Forward | Refusal | tuple[Headers, bytes] | bytes | Ask) -> None:
        """Do what the exchange decided, now or once checkers outside have answered."""
        if isinstance(result, Forward):
            self._forward = result
            self._ready()
        elif isinstance(result, Refusal):
            self._refuse(result)
        elif isinstance(result, Ask):
            self._task = self._core.loop.create_task(self._wait_checkers(result))
        elif isinstance(result, bytes):
            self._last_bytes(result)
        else:
            self._answer.keep = self._answer.keep and not self._core.draining
            self._answer.whole(self._answer.status, *result)
            self._finish()

    async def _wait_checkers(self, ask: Ask) -> None:
        exchange = self._exchange
        assert exchange is not None
        try:
            answers = await self._core.ask(ask) if self._core.ask is not None else ask.unanswered()
        except Exception as error:  # noqa: BLE001  a check that breaks is a check that failed: fail modes decide
            self._core.fault(error)
            answers = ask.unanswered()
        self._task = None
        if self._over:
            return
        try:
            self._go_on(exchange.told(answers))
            self.up_flush()
        except Exception as error:  # noqa: BLE001  fail closed, whatever broke
            self._fault(error)

    def _ready(self) -> None:
        """The request may go, unless a limit that looks at bodies says no."""
        gate, exchange = self._core.gate, self._exchange
        if gate is None or not gate.has_late or exchange is None or self._books.token is None:
            self._send()
        else:
            self._ask_again(gate.named(self._books.token, exchange.model, exchange.offered))

    def _ask_again(self, said: Late | Awaitable[Late | None] | None) -> None:
        """Model and tools are known now: some limits count by them."""
        if inspect.isawaitable(said):
            self._task = self._core.loop.create_task(self._wait_again(said))
        elif said is None:
            self._send()
        elif self._exchange is not None:
            self._refuse(self._exchange.limited(*said))

    async def _wait_again(self, waiting: Awaitable[Late | None]) -> None:
        try:
            said = await waiting
        except Exception as error:  # noqa: BLE001  a gate that breaks must not open the door
            self._fault(error)
            return
        self._task = None
        if not self._over:
            self._ask_again(said)

    def client_gone(self) -> None:
        """The client left: so does its request."""
        if not self._over:
            self._core.counters.client_gone += 1
            self._abandon(self._exchange, self._answer.status or 499)

    def refused(self, status: int) -> None:
        """The client broke its own request off: who refuses it answers, and keeps a trace."""
        if not self._over:
            self._abandon(None, status)

    def pause(self) -> None:
        """The client's socket is full."""
        if self._conn is not None and self._mode is not AnswerMode.WHOLE:
            self._conn.pause()

    def resume(self) -> None:
        """The client reads again."""
        self._last_in = self._core.loop.time()
        if self._conn is not None:
            self._conn.resume()

    def check(self, now: float) -> None:
        """End what has waited too long. Called about once a second."""
        times = self._core.options.timeouts
        if times.total and now - self._books.started > times.total:
            self._failed(UpstreamError("the exchange took too long", reason="total_timeout"))
        elif self._conn is None or self._client.paused:
            return  # dialling has its own limit, and so has a client that does not read
        elif not self._books.up_first:
            least = self._forward.min_timeout + 10.0 if self._forward and self._forward.min_timeout else 0.0
            if now - self._last_in > max(times.first_byte, least):
                self._failed(UpstreamError("the model server did not answer in time", reason="first_byte_timeout"))
        elif now - self._last_in > times.idle:
            self._failed(UpstreamError("the model server went silent", reason="idle_timeout"))

    async def _wait_gate(self, waiting: object) -> None:
        assert inspect.isawaitable(waiting)
        try:
            entered = await waiting
        except Exception as error:  # noqa: BLE001  a gate that breaks must not open the door
            self._fault(error)
            return
        self._task = None
        self._entered(entered)

    def _entered(self, entered: object) -> None:
        if isinstance(entered, Refusal):
            self._refuse(entered)
            return
        self._books.token = entered
        if self._over:
            self._books.leave_gate(None)
        else:
            self._opened()

    def _opened(self) -> None:
        try:
            opened = self._core.handler.open(self._request)
        except Exception as error:  # noqa: BLE001  fail closed, whatever broke
            self._fault(error)
            return
        if isinstance(opened, Refusal):
            self._refuse(opened)
            return
        self._exchange = opened
        if self._body is not None:
            self.body(self._body)
        elif self._head.expect:
            self._client.write(heads.CONTINUE)

    # -- the upstream side

    def _send(self, *, fresh: bool = False) -> None:
        conn = None if fresh else self._core.pool.take()
        if conn is None:
            self._task = self._core.loop.create_task(self._dial())
        else:
            self._send_on(conn)

    async def _dial(self) -> None:
        try:
            conn = await self._core.pool.dial()
        except UpstreamError as error:
            self._task = None
            self._failed(error)
            return
        self._task = None
        if self._over:
            conn.abort()
        else:
            self._send_on(conn)

    def _send_on(self, conn: UpstreamConnection) -> None:
        forward = self._forward
        assert forward is not None
        try:
            head = heads.request_head(forward, self._core.authority, self._core.prefix)
        except heads.HeadError as error:
            conn.abort()
            self._fault(error)
            return
        self._conn = conn
        self._last_in = self._core.loop.time()
        conn.send(head, forward.body, self, bodiless=forward.method == b"HEAD")

    def up_head(self, status: int, headers: Headers, length: int) -> None:
        """The upstream's head came."""
        self._last_in = self._core.loop.time()
        self._books.up_first = monotonic()
        try:
            self._take_head(status, headers, length)
        except Exception as error:  # noqa: BLE001  fail closed, whatever broke
            self._fault(error)

    def up_data(self, data: bytes) -> None:
        """Some of the answer came."""
        if self._over:
            return
        self._last_in = self._core.loop.time()
        try:
            self._take_data(data)
        except Exception as error:  # noqa: BLE001  fail closed, whatever broke
            self._fault(error)

    def up_end(self) -> None:
        """The answer is whole."""
        if self._over:
            return
        try:
            self._take_end()
        except Exception as error:  # noqa: BLE001  fail closed, whatever broke
            self._fault(error)

    def up_lost(self, error: UpstreamError) -> None:
        """The answer will not become whole: try again, or say so."""
        kept = self._conn is not None and self._conn.idle_since > 0
        self._conn = None
        idempotent = self._head.method in _IDEMPOTENT and kept and error.reason == "reset"
        if (error.retry or idempotent) and not self._retried and not self._over:
            self._retried = True
            self._core.counters.retries += 1
            self._send(fresh=True)
            return
        self._failed(error)

    def up_flush(self) -> None:
        """Send what the last read made."""
        if self._answer.out and not self._held:
            data = self._answer.take()
            self._last_out = self._core.loop.time()
            if not self._books.first_out:
                self._books.first_out = monotonic()
            self._client.write(data)

    def _take_head(self, status: int, headers: Headers, length: int) -> None:
        exchange = self._exchange
        assert exchange is not None
        answer = exchange.head(status, headers)
        self._mode = answer.mode
        self._answer.status = answer.status
        if answer.mode is AnswerMode.WHOLE:
            if length > self._core.options.limits.answer:
                self._failed(UpstreamError("the answer is too large to be checked", reason="too_large"))
            return
        if answer.mode is AnswerMode.STREAM:
            self._keepalive = getattr(exchange, "keepalive", b"")
            self._core.counters.streams += 1
            gate, token = self._core.gate, self._books.token
            self._meter = gate.meter(token) if gate is not None and token is not None else None
        self._answer.keep = self._answer.keep and not self._core.draining
        self._answer.begin(answer, length)
        if self._client.paused:
            self.pause()

    def _take_data(self, data: bytes) -> None:
        exchange = self._exchange
        assert exchange is not None
        if self._mode is AnswerMode.WHOLE:
            self._size += len(data)
            self._parts.append(data)
            if self._size > self._core.options.limits.answer:
                self._failed(UpstreamError("the answer is too large to be checked", reason="too_large"))
            return
        text = exchange.chunk(data)
        if text:
            self._answer.emit(text)
            self._held = self._core.options.strict and text[-16:].rstrip().endswith(_DONE)
        elif self._keepalive and self._last_in - self._last_out > self._core.options.timeouts.comment:
            self._core.counters.comments += 1
            self._answer.emit(self._keepalive)
        if exchange.cut:
            self._cut()
        elif self._meter is not None:
            ended = self._meter(exchange.used())
            if ended is not None:
                self._answer.emit(exchange.stop(*ended))
                self._cut()

    def _cut(self) -> None:
        """A block ended the stream: close the answer properly and let the model server stop working."""
        self._core.counters.cut += 1
        self._drop_upstream()
        self._end_answer()

    def _take_end(self) -> None:
        exchange = self._exchange
        assert exchange is not None
        conn, self._conn = self._conn, None
        if conn is not None:
            self._core.pool.give(conn)
        if self._mode is AnswerMode.WHOLE:
            self._take_whole(exchange)
            return
        tail = exchange.end()
        if isinstance(tail, Ask) and tail.meanwhile:
            self._answer.emit(tail.meanwhile)
            self._held = self._core.options.strict
        self._go_on(tail)

    def _last_bytes(self, tail: bytes) -> None:
        """The answer ends with these; it may have been cut by them."""
        if tail:
            self._answer.emit(tail)
        if self._exchange is not None and self._exchange.cut:
            self._core.counters.cut += 1
        self._end_answer()

    def _take_whole(self, exchange: Exchange) -> None:
        data = self._parts[0] if len(self._parts) == 1 else b"".join(self._parts)
        self._parts = []
        self._go_on(exchange.body(data))

    def _end_answer(self) -> None:
        if self._answer.end():
            self._finish()
        else:
            self._break_off()

    # -- the ends

    def _refuse(self, refusal: Refusal) -> None:
        """Answer with a refusal. The head of no answer was sent yet."""
        if self._over:
            return
        self._core.count_refusal(refusal.reason)
        if refusal.trace is not None and self._exchange is None:
            self._core.keep_trace(refusal.trace)
        self._drop_upstream()
        answer = self._answer
        answer.keep = answer.keep and not refusal.close and not self._core.draining and self._skippable()
        try:
            answer.whole(refusal.status, refusal.headers, refusal.body)
        except heads.HeadError as error:
            self._core.fault(error)
            answer.keep = False
            answer.whole(500, [], b"")
        self._finish()

    def _skippable(self) -> bool:
        """What is still to come of the request is little and certain: read over it instead of closing."""
        head = self._head
        return self._read or (0 <= head.length <= _SKIP and not head.expect)

    def _failed(self, error: UpstreamError) -> None:
        """Upstream failed: a refusal if nothing was sent yet, else the exchange's last words."""
        exchange = self._exchange
        if self._over or exchange is None:
            return
        count(self._core.counters.upstream_errors, error.reason)
        self._drop_upstream()
        try:
            if self._mode in (None, AnswerMode.WHOLE):
                self._refuse(exchange.fail(error))
            else:
                self._break(exchange.abort(error))
        except Exception as fault:  # noqa: BLE001  fail closed, whatever broke
            self._fault(fault)

    def _break(self, last: bytes) -> None:
        """End an answer that began: properly if the exchange could say so in it, else by breaking the connection."""
        if last and self._answer.chunked:
            self._answer.emit(last)
            self._answer.keep = False
            self._end_answer()
        else:
            self._break_off()

    def _break_off(self) -> None:
        self.up_flush()
        self._answer.keep = False
        self._client.kill()
        self._finish()

    def _fault(self, error: BaseException) -> None:
        """A bug of the house: nothing unchecked leaves."""
        if self._over:
            return
        self._core.fault(error)
        self._drop_upstream()
        if self._mode in (None, AnswerMode.WHOLE):
            self._answer.keep = False
            self._refuse(self._core.refusal("internal", 500, "the proxy failed; nothing was passed on", self._request))
            return
        self._answer.out.clear()
        self._break_off()

    def _drop_upstream(self) -> None:
        conn, self._conn = self._conn, None
        if conn is not None:
            conn.abort()
        task, self._task = self._task, None
        if task is not None and task is not asyncio.current_task(self._core.loop):
            task.cancel()

    def _abandon(self, exchange: Exchange | None, status: int) -> None:
        """The exchange is over, and nobody waits for its answer."""
        self._over = True
        self._answer.out.clear()
        if self._conn is not None or self._task is not None:
            self._drop_upstream()
        streamed = self._mode is AnswerMode.STREAM
        self._books.close(exchange, status=status, streamed=streamed, client_gone=True)

    def _finish(self) -> None:
        """The exchange is over, and what is left of its answer goes out."""
        if self._over:
            return
        self._over = True
        if self._conn is not None or self._task is not None:
            self._drop_upstream()
        strict = self._core.options.strict
        if not strict:
            self.up_flush()
        kept = self._books.close(
            self._exchange,
            status=self._answer.status or 499,
            streamed=self._mode is AnswerMode.STREAM,
            client_gone=False,
        )
        if not strict:
            self._client.answered(keep=self._answer.keep)
        elif not kept:
            self._unrecorded()
        elif self._core.commit is None:
            self._release()
        else:
            self._held = True
            self._task = self._core.loop.create_task(self._commit(self._core.commit()))

    async def _commit(self, synced: Awaitable[None]) -> None:
        """Hold the last byte until the trace is on the medium."""
        try:
            await asyncio.wait_for(synced, _COMMIT_WAIT)
        except Exception as error:  # noqa: BLE001  what is not surely kept must not be passed on
            self._core.fault(error)
            self._unrecorded()
            return
        self._release()

    def _release(self) -> None:
        self._held = False
        self.up_flush()
        self._client.answered(keep=self._answer.keep)

    def _unrecorded(self) -> None:
        """AUDIT=strict and the trace could not be kept: the caller gets a refusal, or an answer without its end."""
        self._answer.out.clear()
        self._core.count_refusal("unrecorded")
        if self._books.first_out:
            self._client.kill()
        else:
            why = "The proxy could not keep a trace of this call, so it does not pass the answer on."
            refusal = self._core.refusal("unrecorded", 503, why, self._request)
            self._answer.keep = False
            self._answer.whole(refusal.status, refusal.headers, refusal.body)
        self._release()
